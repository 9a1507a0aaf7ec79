"""The effort of laying a graph out."""

from typing import NamedTuple

import pytest

from autodiff import Value, topological_order
from autodiff.pictures.effort import ranks_crossed


class Edge(NamedTuple):
    operand: Value
    consumer: Value


@pytest.mark.parametrize("steps", [1, 7, 50])
def test_ranks_that_edges_cross_are_counted(steps):
    """In w·… + w, n times over, the n-th sum stands 2n ranks behind w: the edges cross 1 + 3 + 5 + … = n² ranks."""
    w = y = Value(1.0, "w")
    for _ in range(steps):
        y = 1.01 * y + w
    edges = [Edge(x, node) for node in topological_order(y) for x in node.operands if isinstance(x, Value)]
    assert ranks_crossed(edges) == steps**2
