"""The effort of laying out a graph: how Graphviz is made to hurry, and how large the picture will be."""

from __future__ import annotations

from collections.abc import Sequence

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


def laid_out(nodes: Sequence[Value], edges: Sequence[Use], *, strokes: int) -> tuple[float, float]:
    """Return the approximate width and height of a picture of every operation, in points, for `strokes` per edge.

    A column is as wide as a card and the labels beside it; between two columns every stroke has a lane for its label.
    The result is within a third of Graphviz's for graphs of up to some hundred nodes.
    """
    rank: dict[Value, int] = {nodes[0]: 0}
    for use in edges:
        rank[use.operand] = max(rank.get(use.operand, 0), rank[use.consumer] + 1)
    lanes = [0.0] * (max(rank.values()) + 1)
    for use in edges:
        for gap in range(rank[use.consumer], rank[use.operand]):
            lanes[gap] += 65.0 * strokes
    for node in nodes:
        lanes[rank[node]] += 40.0 * sum(x.__class__ is float for x in node.operands)
    return len(lanes) * (180.0 + 80.0 * ranksep(nodes)), max(lanes)


def ranksep(nodes: Sequence[Value]) -> float:
    """Return the inches between columns: many edges at one node need room to bend."""
    return min(0.4 + 0.06 * max((len(node.operands) for node in nodes), default=0), 2.0)
