"""A trace: what a function computes of one sample, node by node."""

import contextlib
import math

import numpy as np
import pytest
from stages import computed, well_formed

from autodiff import TraceError, Value, compile, no_grad, tanh
from autodiff.compiler.trace.tracer import trace


def traced(f, *shapes):
    """A function's graph as it is traced; shapes are () for a number, (n,) for n of them."""
    return trace(f, list(shapes), [f"x{i}" for i in range(len(shapes))], frozenset())


def test_a_trace_is_what_was_written():
    """One node per operation, operands in order, constants and leaves once, labels from the arguments."""
    w = Value(2.0, "w")
    graph = traced(lambda x, y: (x[1] - 3.0) * w / y + 3.0 * w, (2,), ())
    assert well_formed(graph)
    assert [op.name for op in graph.ops if op] == ["sub", "mul", "div", "mul", "add"]
    assert list(graph.constants.values()) == [3.0]
    assert list(graph.parameters.values()) == [w]
    assert [tuple(place) for place in graph.inputs.values()] == [(0, 0), (0, 1), (1, 0)]
    assert [graph.labels[i] for i in graph.inputs] == ["x0[0]", "x0[1]", "x1"]
    assert graph.labels[next(iter(graph.parameters))] == "w"
    assert computed(graph, [5.0, 7.0], 4.0) == [8.0]


def test_outputs_have_a_shape():
    """One number, sequences, arrays, constants among them."""
    for f, shape in (
        (lambda x: x, ()),
        (lambda x: [x, 1.0], (2,)),
        (lambda x: np.array([[x, x]]), (1, 2)),
        (lambda x: ((x,), [x]), (2, 1)),
        (lambda x: 2, ()),
    ):
        graph = traced(f, ())
        assert graph.shape == shape
        assert len(graph.outputs) == math.prod(shape)


def test_labels_given_inside_are_kept():
    """A name for an intermediate result stands in the graph."""

    def f(x):
        z = x * 2.0 + 1.0
        z.label = "z"
        assert z.label == "z"
        return tanh(z + x)

    graph = traced(f, ())
    assert "z" in graph.labels.values()
    with pytest.raises(TypeError, match="a label must be text"):
        traced(lambda x: setattr(x * 2.0, "label", 3), ())


def test_no_grad_marks_what_is_stopped():
    """Nodes computed in no_grad, and only they."""

    def f(x):
        a = x * 2.0
        with no_grad():
            b = a + 1.0
        return b * a

    graph = traced(f, ())
    assert [graph.ops[i].name for i in graph.stopped] == ["add"]


def test_tracing_state_is_closed_on_every_way_out():
    """After a return, an error of the user's, a TraceError: nobody is traced."""
    for f in (lambda x: x, lambda x: 1 / 0, lambda x: float(x), lambda x: None):
        with contextlib.suppress(ZeroDivisionError, TraceError, TypeError):
            traced(f, ())
        assert type(Value(1.0) * 2.0) is Value
        assert (Value(1.0) > 0.0) is True  # while a function is traced, this is a number
        assert compile(lambda x: x * 2.0)(3.0) == 6.0
