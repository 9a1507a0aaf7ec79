"""How hard a graph is for Graphviz to lay out, and what makes that bearable."""

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
