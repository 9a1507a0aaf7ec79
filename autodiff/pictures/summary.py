"""The summary of a graph that is too large to draw: its size, its operations, and how to see more."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from autodiff.pictures import style
from autodiff.pictures.operations import Look
from autodiff.pictures.scene import Node, Scene
from autodiff.pictures.style import font, markup, quoted, shorten
from autodiff.pictures.sweeping import State, uses
from autodiff.value import Value
from autodiff.wording import say

_BARS = 8  # kinds of operation listed
_NAMES = 3  # labels offered as places to look closer


def summary(nodes: Sequence[Value], size: int, state: State, look: Look, message: str) -> Scene:
    """Draw one card for a whole graph of `size` nodes, constants included."""
    theme, show = look.theme, look.show
    root = nodes[0]
    counts = Counter(node.op.name for node in nodes if node.op is not None)
    symbols = {node.op.name: node.op.symbol for node in nodes if node.op is not None}
    roles = Counter(look.labels.role(node) for node in nodes if node.op is None)
    name = shorten(look.labels.full(root)) or say("network.result")
    rows = [f'<TD COLSPAN="3"><B>{markup(name)}</B> = {markup(show(root.data))}</TD>']
    facts = [say("summary.nodes", n=size), say("summary.operations", n=sum(counts.values()))]
    facts.append(say("summary.deep", n=_depth(nodes)))
    roles["constant"] = size - len(nodes)
    leaves = [say(f"summary.{role}", n=n) for role, n in roles.items() if n]
    told = (font(markup(" · ".join(each)), theme.muted, 12) for each in (facts, leaves) if each)
    rows += [f'<TD COLSPAN="3">{each}</TD>' for each in told]
    most = max(counts.values(), default=1)
    for op, n in counts.most_common(_BARS):
        length = max(round(160 * n / most), 1)
        cells = "".join(
            f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="9"{paint}></TD>'
            for width, paint in ((length, f' BGCOLOR="{theme.stroke}"'), (161 - length, ""))
        )
        bar = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>{cells}</TR></TABLE>'
        symbol = style.symbol(symbols[op])
        called = markup(symbol if symbol == op else f"{symbol}  {op}")
        rows.append(f'<TD ALIGN="RIGHT">{called}</TD><TD>{bar}</TD><TD ALIGN="LEFT">{n:,}</TD>')
    if len(counts) > _BARS:
        rows.append(f'<TD COLSPAN="3">{font(say("summary.other kinds", n=len(counts) - _BARS), theme.muted, 12)}</TD>')
    rows.append(f'<TD COLSPAN="3">{_range(say("summary.values"), (node.data for node in nodes), look)}</TD>')
    if state.deltas and look.direction != "forward":
        missing = len(nodes) - len(state.deltas)
        rows.append(f'<TD COLSPAN="3">{_range("δ", state.deltas.values(), look, missing)}</TD>')
    labels = dict.fromkeys(look.labels.full(node) for node in nodes[1:] if node.op is not None)
    names = [each for each in labels if each.strip()]
    if names:
        listed = ", ".join(shorten(each) for each in names[:_NAMES]) + (", …" if len(names) > _NAMES else "")
        rows.append(f'<TD COLSPAN="3">{font(markup(say("summary.labelled", listed=listed)), theme.muted, 12)}</TD>')
    table = "".join(f"<TR>{row}</TR>" for row in rows)
    scene = Scene(theme)
    paper, ink = theme.operation
    scene.nodes.append(Node(
        "n0", f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="4">{table}</TABLE>>',
        {"shape": "box", "style": "rounded,filled", "fillcolor": paper, "color": ink, "margin": "0.2,0.12",
         "tooltip": quoted(name, say("tip.value", value=root.data)), "class": "summary"},
    ))  # fmt: skip
    lines = "<BR/>".join(map(markup, message.splitlines()))
    scene.legend = font(f'<TABLE BORDER="0"><TR><TD>{lines}</TD></TR></TABLE>', theme.muted, 12)
    return scene


def _depth(nodes: Sequence[Value]) -> int:
    """Return the largest number of operations on a path from a leaf to the root."""
    depth: dict[Value, int] = {}
    for node in reversed(nodes):
        below = [depth[use.operand] for use in uses(node)]
        depth[node] = 0 if node.op is None else 1 + max(below, default=0)
    return depth[nodes[0]]


def _range(what: str, numbers: Iterable[float], look: Look, missing: int = 0) -> str:
    theme, show = look.theme, look.show
    found = list(numbers)
    finite = [x for x in found if math.isfinite(x)]
    parts = [say("summary.range", what=what, low=show(min(finite)), high=show(max(finite)))] if finite else [what]
    zeros = sum(x == 0.0 for x in found) if what == "δ" else 0
    parts += [say(f"summary.{key}", n=n) for key, n in (("zeros", zeros), ("not swept", missing)) if n]
    text = font(markup(" · ".join(parts)), theme.ink, 12)
    wrong = len(found) - len(finite)
    return text + (font(markup(f" · {wrong:,} {say('legend.alarm')}"), theme.alarm.ink, 12) if wrong else "")
