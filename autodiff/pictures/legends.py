"""Legends: the lines below a picture that say how to read it."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from autodiff.pictures.labels import Labels
from autodiff.pictures.style import Role, Scale, Theme, font, markup, shorten
from autodiff.value import Value
from autodiff.wording import say

ROW = '<TR><TD ALIGN="CENTER">'  # the beginning of a line of a legend


def alarm_entry(theme: Theme) -> list[str]:
    """Return the entry for crimson."""
    return [entry(font("<B>■</B>", theme.alarm.ink, 12), say("legend.alarm"))]


def strokes(
    theme: Theme, what: Sequence[str], scale: Scale, brief: Callable[[float], str], *, backward: bool = True,
    share: float = 1.0, zero: bool = False,
) -> list[str]:  # fmt: skip
    """Return the entries for hue and width of strokes that show `what`; `zero` tells whether some numbers are 0."""
    arrow = "<B>←</B>" if backward else "<B>—</B>"
    shown = {scale.points(x, share): brief(x) for x in scale.examples(share)}
    bars = "".join(f"<TD>{bar(theme.muted, width)}</TD>" for width in shown)
    names, sizes = ", ".join(what), ", ".join(f"|{each}|" for each in what)
    return [
        entry(font(arrow, theme.positive.ink, 15), say("legend.above", what=names)),
        entry(font(arrow, theme.negative.ink, 15), say("legend.below", what=names)),
        *([entry(font(arrow, theme.zero.ink, 15), f"{names} = 0")] if zero else []),
        *([entry(bars, f"{sizes} = {', '.join(shown.values())}", cell=False)] if shown else []),
    ]


_POINTING = re.compile("<!--pointing-->.*?<!--/-->")


def pointing(what: str) -> list[str]:
    """Return the entry that says where to point for numbers."""
    return [f"<TD><!--pointing-->{say(f'legend.point at {what}')}<!--/--></TD>"]


def without_pointing(source: str) -> str:
    """Return DOT text for images in which nothing can be pointed at."""
    return _POINTING.sub("", source)


def entry(sign: str, text: str, *, cell: bool = True) -> str:
    """Return a sign with its meaning."""
    return f"{f'<TD>{sign}</TD>' if cell else sign}<TD>{text}   </TD>"


def swatch(theme: Theme, role: Role) -> str:
    """Return a small box in the colours of a kind of node, with its name."""
    paper, stroke = theme.card(role)
    style = ' STYLE="rounded"' if role != "parameter" else ""
    box = f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" COLOR="{stroke}" BGCOLOR="{paper}"{style}>'
    return entry(f'{box}<TR><TD WIDTH="16" HEIGHT="10" FIXEDSIZE="TRUE"></TD></TR></TABLE>', say(f"roles.{role}"))


def bar(ink: str, thickness: int) -> str:
    """Return a stroke of a thickness in points."""
    size = f'WIDTH="18" HEIGHT="{thickness}" FIXEDSIZE="TRUE"'
    cell = f'<TD {size} BGCOLOR="{ink}"></TD>'
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>{cell}</TR></TABLE>'


def rows(theme: Theme, *lines: list[str]) -> str:
    """Return lines of entries; "" for none."""
    filler = "<TD></TD>" * 12  # takes up spare room, which Graphviz would spread over the cells
    tables = [f"{ROW}{_table(f'<TR>{filler}{each}{filler}</TR>')}</TD></TR>" for each in map("".join, lines) if each]
    return font(_table("".join(tables)), theme.muted, 11) if tables else ""


def _table(content: Any) -> str:
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{content}</TABLE>'


def delta(theme: Theme, labels: Labels, root: Value, by: str) -> str:
    """Return the entry for δ, the derivative of what `root` is; `by` names the text for what it is taken by."""
    of = markup(shorten(labels.full(root))) or say("legend.the result")
    return entry(font("<B>δ</B>", theme.positive.ink, 13), say(f"legend.{by}", of=of))
