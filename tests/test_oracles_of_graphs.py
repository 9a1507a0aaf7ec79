"""Derivatives of a recorded graph by other arithmetics, and what becomes of a check when one of them errs."""

import math
from dataclasses import replace

import pytest
from hypothesis import given

from autodiff import Value, sin
from autodiff.testing import WrongDerivativeError, expressions, gradcheck
from autodiff.testing.graphs import Graph


@given(f=expressions())
def test_the_complex_step_keeps_its_claim_on_graphs(f):
    """The rounding of all operations is in the bound, found by moving each of them a little."""
    pytest.importorskip("mpmath")
    inputs = [Value(x) for x in f.point]
    graph = Graph(f(*inputs) + 0.0)
    for x in inputs:
        claimed, truth = graph.by_complex_step(x), graph.in_many_digits(x)
        if claimed is not None and truth is not None:
            assert abs(claimed.value - truth.value) <= claimed.bound + truth.bound


@pytest.fixture
def an_oracle_that_errs(monkeypatch):
    """The complex step answers 17, and claims that to the bound it is given."""
    honest = Graph.by_complex_step

    def claiming(bound):
        def erring(graph, way):
            claimed = honest(graph, way)
            return claimed and replace(claimed, value=17.0, bound=bound)

        monkeypatch.setattr(Graph, "by_complex_step", erring)

    return claiming


def test_the_last_word_has_who_knows_best(an_oracle_that_errs):
    """A complex step that errs beyond its claim makes nothing wrong: 50 digits decide."""
    pytest.importorskip("mpmath")
    an_oracle_that_errs(1e-16)
    report = gradcheck(lambda x: sin(x) * x, 0.5)
    assert report.oracle == "mpmath"
    assert report.error < 1e-15


def test_an_oracle_that_errs_makes_no_right_gradient_wrong(an_oracle_that_errs, monkeypatch):
    """Another one is asked first, and believed where it contradicts both and claims no less than the one that errs."""
    an_oracle_that_errs(1e-6)
    monkeypatch.setattr(Graph, "in_many_digits", lambda graph, way: None)
    assert gradcheck(lambda x: sin(x) * x, 0.5, gradient=lambda x: math.cos(x) * x + math.sin(x)).error < 1e-9
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(lambda x: sin(x) * x, 0.5, gradient=lambda x: 3.0)
    assert caught.value.expected == 17.0


@pytest.mark.parametrize("x", [1e31, 3.0, 0.0])
def test_second_derivatives_in_many_digits_have_a_step_within_the_period(x):
    """At 10³¹ a relative step would be many periods of the sine."""
    pytest.importorskip("mpmath")
    leaf = Value(x)
    second = Graph(sin(leaf)).second_in_many_digits(leaf, leaf)
    assert abs(second.value + math.sin(x)) <= second.bound + 1e-16 * abs(math.sin(x))
