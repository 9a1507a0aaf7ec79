"""How hard a graph is for Graphviz to lay out, what makes that bearable, and how large it will be."""

from __future__ import annotations

from collections.abc import Sequence

from autodiff.pictures.sweeping import Use
from autodiff.value import Value

FAR = 400  # ranks crossed by edges, from where labels beside them and the best layout would take minutes
TOO_FAR = 5_000  # ranks crossed, from where any layout may
HASTE = {"nslimit": "2", "nslimit1": "2", "mclimit": "0.3"}  # nearly as good, in half the time

_MANY = 300  # edges, from where that is the better layout


def haste(edges: Sequence[Use]) -> dict[str, str]:
    """Attributes of the graph that has these edges, consumers first: to hurry where there is much to lay out."""
    return HASTE if len(edges) > _MANY or ranks_crossed(edges) > FAR else {}


def ranks_crossed(edges: Sequence[Use]) -> int:
    """How many ranks lie between the ends of all edges, consumers first: many where one leaf serves a long chain."""
    depth: dict[Value, int] = {}
    nearest: dict[Value, int] = {}
    for use in reversed(edges):
        depth[use.consumer] = max(depth.get(use.consumer, 1), depth.get(use.operand, 0) + 1)
    for use in edges:
        nearest[use.operand] = min(nearest.get(use.operand, depth[use.consumer]), depth[use.consumer])
    return sum(depth[use.consumer] - depth.get(use.operand, nearest[use.operand] - 1) - 1 for use in edges)


def laid_out(nodes: Sequence[Value], edges: Sequence[Use], *, strokes: int) -> tuple[float, float]:
    """Return about how wide and high every operation is drawn, in points, with so many strokes to an edge.

    A column is as wide as a card and the labels beside it; between two columns every stroke has a lane for its label.
    Within a third of what Graphviz makes of graphs of up to some hundred nodes.
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
