"""The places of the stepper's cards and wires: Graphviz lays out boxes of their size inside boxes for dotted labels."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from autodiff.pictures import style
from autodiff.pictures.effort import haste
from autodiff.pictures.geometry import layout
from autodiff.pictures.labels import Labels, titled
from autodiff.pictures.rendering import Source
from autodiff.pictures.sweeping import uses
from autodiff.value import Value

FEW = 60  # edges; with more there is no room for labels beside them
CLUSTERED = 500  # nodes; with more, boxes around layers and neurons take too long to lay out
_ROOM = 10  # characters for numbers that grow longer in the page
_DEPTH = 3  # of boxes within boxes
_CHARACTER, _HEIGHT = 7.6, 62.0  # points: width of a character, height of a node

Wires = Sequence[tuple[int, int, int]]  # consumer, place, operand


def placed(
    order: Sequence[Value], labels: Labels, shown: list[dict[str, Any]], edges: Wires, rankdir: str, timeout: float
) -> dict[str, Any]:
    """Place everything, left to right or top down, for JSON; RenderError without a Graphviz or a layout in time."""
    source, groups = _dot(order, labels, shown, edges, rankdir)
    name = {node: i for i, node in enumerate(order)}
    same = [
        [(f"n{name[x]}", [f"e{name[use.consumer]}_{use.place}" for use in own]) for x, own in several]
        for several in labels.alike(use for node in order for use in uses(node))
    ]
    at = layout(Source(source), timeout=timeout).in_order(same, down=rankdir == "TB")
    framed = [(name, label) for name, label in groups.items() if name in at.clusters]
    curves = [at.edges.get(f"e{i}_{place}") for i, place, _ in edges]
    return {
        "size": _rounded([at.width, at.height]),
        "boxes": [_rounded(at.nodes[f"n{i}"][:3]) for i in range(len(shown))],
        "curves": [
            {
                "points": [_rounded(point) for point in curve.points],
                "tail": _rounded(curve.tail or curve.points[0]),
                "head": _rounded(curve.head or curve.points[-1]),
                "label": curve.label and _rounded(curve.label),
            }
            if curve
            else None
            for curve in curves
        ],
        "groups": [[*_rounded(at.clusters[name]), style.shorten(label)] for name, label in framed],
    }


def _rounded(numbers: Sequence[float]) -> list[float]:
    return [round(x, 1) for x in numbers]


def _dot(
    order: Sequence[Value], labels: Labels, shown: list[dict[str, Any]], edges: Wires, rankdir: str
) -> tuple[str, dict[str, str]]:
    """Return the graph for Graphviz to lay out, with boxes of the size of their cards, and the name of each cluster."""

    def group(i: int) -> Any:  # Any: a key
        path = labels.path(order[i])
        return path[:-1] if order[i].op is None and len(path) > 1 else i

    def outside(x: int, i: int) -> bool:
        one, other = labels.path(order[x])[:-1], labels.path(order[i])[:-1]
        return len(one) > 0 and len(other) > 0 and one != other

    few = len(edges) <= FEW
    fan = max((len(node.operands) for node in order), default=0)
    ranksep = min((0.3 if few else 0.85) + 0.05 * fan, 2.2)
    lines = [
        "digraph {",
        f"graph [rankdir={rankdir}, nodesep=0.25, ranksep={ranksep:.2f}, fontsize=12]",
        'node [shape=box, fixedsize=true, label=""]',
        "edge [dir=both, arrowsize=0.8]",
    ]
    hurry = haste([use for node in reversed(order) for use in uses(node)])
    if hurry:
        lines.append(f"graph [{', '.join(f'{option}={much}' for option, much in hurry.items())}]")
    beside: defaultdict[Any, float] = defaultdict(float)  # leaves of a group are as wide as each other
    for i, each in enumerate(shown):
        longest = max(len(each["title"]), len(each["value"]) + 1, len(each["delta"]) + 3, _ROOM)
        width = max(72.0, longest * _CHARACTER + (44.0 if each["symbol"] else 22.0))
        beside[group(i)] = max(beside[group(i)], width)
    for i in range(len(shown)):
        width = beside[group(i)]
        lines.append(f"n{i} [width={width / 72:.3f}, height={_HEIGHT / 72:.3f}]")
    label = 'label="0000000000\\n0000000000", fontsize=13, ' if few else ""
    apart = {True: "minlen=3, ", False: ""}  # so that a layer stands behind the one before, not beside it
    lines += [f'n{x} -> n{i} [{label}{apart[outside(x, i)]}id="e{i}_{place}"]' for i, place, x in edges]
    groups: dict[str, str] = {}
    if len(shown) <= CLUSTERED:
        members: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        for i, node in enumerate(order):
            members[labels.path(node)[:-1]].append(i)
        lines += _clusters((), members, groups)
    return "\n".join([*lines, "}"]), groups


def _clusters(prefix: tuple[str, ...], members: dict[Any, list[int]], groups: dict[str, str]) -> Iterator[str]:
    """Return nested boxes for the dotted prefixes of labels, and enter their names in `groups`."""
    depth = len(prefix) + 1
    for path in dict.fromkeys(other[:depth] for other in members if other[: depth - 1] == prefix != other):
        name = f"cluster_{len(groups)}"
        groups[name] = titled(path[-1:])
        yield f'subgraph {name} {{ margin=12; label="{"0" * min(len(groups[name]), 8)}"; labeljust=l;'
        if depth < _DEPTH:
            yield from (f"n{i}" for i in members.get(path, []))
            yield from _clusters(path, members, groups)
        else:  # deeper boxes would be nothing but frames
            yield from (f"n{i}" for other in members if other[:depth] == path for i in members[other])
        yield "}"
