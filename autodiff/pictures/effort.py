"""The effort of laying out a graph: how Graphviz is made to hurry, and how large the picture will be."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from autodiff.pictures.sweeping import Use
from autodiff.value import Value

FAR = 400  # ranks crossed by edges; with more, labels beside them and the best layout would take minutes
TOO_FAR = 5_000  # ranks crossed; with more, any layout may
HASTE = {"nslimit": "2", "nslimit1": "2", "mclimit": "0.3"}  # nearly as good, in half the time

_MANY = 300  # edges; with more, that layout is the better one


def haste(edges: Sequence[Use]) -> dict[str, str]:
    """Return attributes for a graph with these edges, consumers first, that make Graphviz hurry if there are many."""
    return HASTE if len(edges) > _MANY or ranks_crossed(edges) > FAR else {}


def ranks_crossed(edges: Sequence[Use]) -> int:
    """Return how many ranks the edges cross in all, consumers first: many if one leaf serves a long chain."""
    depth: dict[Value, int] = {}
    nearest: dict[Value, int] = {}
    for use in reversed(edges):
        depth[use.consumer] = max(depth.get(use.consumer, 1), depth.get(use.operand, 0) + 1)
    for use in edges:
        nearest[use.operand] = min(nearest.get(use.operand, depth[use.consumer]), depth[use.consumer])
    return sum(depth[use.consumer] - depth.get(use.operand, nearest[use.operand] - 1) - 1 for use in edges)


class Extent(NamedTuple):
    """Lengths in points: along the direction in which ranks follow each other, and across it."""

    along: float
    across: float


def arranged(
    nodes: Sequence[Value], edges: Sequence[Use], cards: Mapping[Value, Extent], lane: Extent, count: int
) -> tuple[dict[Value, int], Extent]:
    """Break a picture of every operation into `count` rows, as text into lines; estimate its size from its cards'.

    A rank is as long as its longest card and the labels after it, those of a `lane`; beside each other lie the edges
    that pass it, each in a lane. The result is within a third of Graphviz's for graphs of up to some hundred nodes.
    """
    rank = dict.fromkeys(nodes, 0)
    for use in edges:
        rank[use.operand] = max(rank[use.operand], rank[use.consumer] + 1)
    deepest = max((rank[use.consumer] for use in edges), default=0)
    each = -(-(deepest + 1) // count)  # ranks in a row
    rows = {node: (deepest - rank[node]) // each for node in nodes if node.op is not None or not rank[node]}
    for use in edges:
        if use.operand.op is None:  # beside the first that uses it
            rows[use.operand] = min(rows.get(use.operand, count), rows[use.consumer])
    longest: dict[tuple[int, int], float] = {}  # by row and rank
    beside: dict[tuple[int, int], float] = {}  # constants, which have no rank
    begun: dict[tuple[int, int], float] = {}  # lanes that begin here, less those that end
    for node in nodes:
        at = rows[node], rank[node]
        longest[at] = max(longest.get(at, 0.0), cards[node].along)
        beside[at] = beside.get(at, 0.0) + 40.0 * sum(x.__class__ is float for x in node.operands)
    for use in edges:
        row, after = rows[use.consumer], rank[use.consumer]
        end = rank[use.operand] if rows[use.operand] == row else after + 1
        begun[row, after] = begun.get((row, after), 0.0) + lane.across
        begun[row, end] = begun.get((row, end), 0.0) - lane.across
    gap = 72.0 * ranksep(nodes) + lane.along
    lengths, breadths = [gap * (count > 1)] * count, [max(card.across for card in cards.values())] * count
    for (row, _), length in longest.items():
        lengths[row] += length + gap
    open_lanes = [0.0] * count
    for row, between in sorted(begun.keys() | beside.keys()):
        open_lanes[row] += begun.get((row, between), 0.0)
        breadths[row] = max(breadths[row], open_lanes[row] + beside.get((row, between), 0.0))
    return rows, Extent(max(lengths) - gap, sum(breadths))


def ranksep(nodes: Sequence[Value]) -> float:
    """Return the inches between columns: many edges at one node need room to bend."""
    return min(0.4 + 0.06 * max((len(node.operands) for node in nodes), default=0), 2.0)
