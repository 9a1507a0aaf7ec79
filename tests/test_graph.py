"""The graph that the passes of the compiler hand on."""

from autodiff import OPS
from autodiff.compiler.trace.graph import Graph


def test_graphs_by_hand():
    """`below` gives the operands, or the factors of a sum's terms in order."""
    graph = Graph()
    a, b = graph.add(), graph.add()
    node = graph.add(OPS["add"], (a, b))
    assert graph.below(node) == [a, b]
    graph.sums[node] = [(2.0, a, None), (1.0, b, a)], 0.5
    assert graph.below(node) == [a, b, a]
