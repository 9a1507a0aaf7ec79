"""What becomes of a trace: equal computations once, no dead code, additions of products as sums."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from stages import computed, traced, well_formed

from autodiff import OPS, Value, exp, log, mean, no_grad, total, weighted_sum, where
from autodiff.compiler.trace.simplify import needed_nodes, sums_of_products
from autodiff.testing import expressions

CLOSE = {"rtol": 1e-11, "atol": 1e-11}  # a few dozen roundings of numbers about one


def nodes(graph, op):
    return [i for i, each in enumerate(graph.ops) if each is op and i not in graph.sums]


@given(expressions())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_passes_keep_the_meaning(f):
    """Without dead code, and as sums of products: each graph computes the function, and is well formed."""
    trace = traced(f, *[()] * len(f.point))
    wanted = float(f(*f.point))
    assert well_formed(trace.shared)
    assert trace.shared.size <= trace.traced
    assert computed(trace.shared, *f.point)[0] == wanted
    sums = sums_of_products(trace.shared)
    assert well_formed(sums)
    np.testing.assert_allclose(computed(sums, *f.point)[0], wanted, **CLOSE)


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: x + 0.0, 0), (lambda x: 0.0 + x, 0), (lambda x: x - 0.0, 0), (lambda x: 1.0 * x, 0), (lambda x: x * 1.0, 0),
        (lambda x: x / 1.0, 0), (lambda x: x**1.0, 0), (lambda x: +x, 0), (lambda x: Value(2.0) * 3.0 + 1.0, 0),
        (lambda x: exp(x) * exp(x), 2), (lambda x: (x * 2.0) + (x * 2.0), 2), (lambda x: (exp(x), log(x), x)[2], 0),
        (lambda x: x - x, 1), (lambda x: x * 0.0, 1), (lambda x: x / x, 1), (lambda x: 1.0 / x, 1),
    ],
)  # fmt: skip
def test_what_is_shared_and_dropped(f, expected):
    """Identities that hold for all numbers, equal computations, dead code; not those that NaN or infinity break."""
    graph = traced(f, ()).shared
    assert sum(op is not None for op in graph.ops) == expected
    wanted = f(Value(1.5))
    assert computed(graph, 1.5) == [wanted.data if isinstance(wanted, Value) else wanted]


def test_constants_outside_a_domain_are_left_to_the_batch():
    """log(-1) of constants is no reason to fail while simplifying: the batch has NaN there."""
    graph = traced(lambda x: where(x > 0.0, x, log(Value(-1.0))), ()).shared
    assert len(nodes(graph, OPS["log"])) == 1


def test_signs_of_zero_are_told_apart():
    """atan2(0, x) and atan2(-0, x) differ by 2π for negative x: they are not equal computations."""
    graph = traced(lambda x: OPS["atan2"](0.0, x) - OPS["atan2"](-0.0, x), ()).shared
    assert len(nodes(graph, OPS["atan2"])) == 2
    assert computed(graph, -1.0) == [2 * math.pi]


def test_dead_code_goes_and_arguments_stay():
    """Nodes that no output needs are dropped; arguments belong to the call, used or not."""
    graph = traced(lambda x, y: (exp(x) * 3.0, x + 1.0)[1], (), ()).shared
    assert len(graph.inputs) == 2
    assert [op.name for op in graph.ops if op] == ["add"]
    assert sum(needed_nodes(graph)) == graph.size


def test_sums_of_products_whoever_wrote_them():
    """Σ wx + b by operators, by sum(), by weighted_sum, by total: the same terms."""
    w = [Value(1.0), Value(2.0), Value(3.0)]
    b = Value(0.5)
    forms = [
        lambda x: w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + b,
        lambda x: sum((v * y for v, y in zip(w, x, strict=True)), b),
        lambda x: weighted_sum(w, x, b),
        lambda x: b + total([v * y for v, y in zip(w, x, strict=True)]),
        lambda x: w[0] * x[0] - (-(w[1] * x[1])) + (w[2] * x[2] - (-b)),
    ]
    for f in forms:
        graph = sums_of_products(traced(f, (3,)).shared)
        (top,) = graph.outputs
        terms, constant = graph.sums[top]
        assert constant == 0.0
        found = {(c, frozenset({left, right} - {None})) for c, left, right in terms}
        places = {id(v): i for i, v in graph.parameters.items()}
        x = list(graph.inputs)
        assert found == {(1.0, frozenset({places[id(v)], i})) for v, i in zip(w, x, strict=True)} | {
            (1.0, frozenset({places[id(b)]}))
        }


def test_sums_keep_coefficients_and_constants():
    """Means, differences, constants times and beside: all in one sum."""
    graph = sums_of_products(
        traced(lambda x, y: mean([2.0 * x, 3.0 * y, 4.0 * (x * y), Value(6.0)]) - (5.0 - x), (), ()).shared
    )
    (top,) = graph.outputs
    terms, constant = graph.sums[top]
    assert constant == -3.5
    assert sorted(c for c, _, _ in terms) == [0.5, 0.75, 1.0, 1.0]
    np.testing.assert_allclose(
        computed(graph, 0.3, -0.7), [(0.6 - 2.1 + 4 * 0.3 * -0.7 + 6) / 4 - (5 - 0.3)], rtol=1e-14
    )


def test_what_others_use_or_name_stays_a_node():
    """A sum with two readers, with a name, an output, one computed in no_grad: none is taken into another."""

    def named(x, y):
        z = x + y
        z.label = "z"
        return z + x * y

    def stopped(x, y):
        with no_grad():
            z = x + y
        return z + x

    for f in (lambda x, y: (x + y) * 2.0 + exp(x + y), named, lambda x, y: [x + y, (x + y) + x], stopped):
        graph = sums_of_products(traced(f, (), ()).shared)
        assert sum(op is OPS["add"] for op in graph.ops) >= 2
        assert np.allclose(
            computed(graph, 0.25, 0.5),
            np.ravel([float(getattr(v, "data", v)) for v in np.ravel(f(Value(0.25), Value(0.5)))]),
        )


def test_a_long_sum_is_one_sum_in_linear_time():
    """Ten thousand additions in a row are one node of ten thousand terms."""
    n = 10_000
    graph = sums_of_products(traced(lambda x: sum(x[i % 5] * float(i) for i in range(n)), (5,)).shared)
    (top,) = graph.outputs
    assert len(graph.sums[top][0]) == n  # 0 · x is one of them: it is NaN where x is
    assert sum(op is not None for op in graph.ops) <= 2
