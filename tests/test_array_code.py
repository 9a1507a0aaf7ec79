"""Array code: what is grouped, what is one product, and the forms that passes share."""

import itertools

import numpy as np
import pytest
from stages import grouped, layers, made, run, traced, want

from autodiff import OPS, Op, Value, exp, no_grad, tanh
from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.ir import Code, Var, contiguous

CLOSE = {"rtol": 1e-11, "atol": 1e-11}  # a few dozen roundings of numbers about one


@pytest.mark.parametrize("micrograd", [True, False])
@pytest.mark.parametrize("sizes", [(2, 4, 1), (3, 3, 3, 2), (1, 5, 1), (8, 1), (2, 16, 16, 1)])
def test_each_layer_is_one_product(sizes, micrograd):
    """However it was written: weights a view of the flat array, rows [weights, bias] side by side, one array per layer."""
    f, network = layers(*sizes, micrograd=micrograd)
    code, _ = grouped(f, (sizes[0],))
    products = [v for v in code.vars if v.kind == ir.MATMUL]
    assert len(products) == code.matrix_products == len(sizes) - 1
    for product, layer in zip(products, network, strict=True):
        matrix, _, bias = product.args
        assert matrix.kind == bias.kind == ir.VIEW
        assert matrix.args[0].kind == bias.args[0].kind == ir.FLAT
        n = len(layer[0][0])
        assert matrix.units == (len(layer), n)
        flat = np.array([p.data for p in code.parameters])
        start = matrix.info[0]
        block = flat[start : start + len(layer) * (n + 1)].reshape(len(layer), n + 1)
        np.testing.assert_array_equal(block, [[*(p.data for p in w), b.data] for w, b in layer])
    assert len(code.parameters) == sum(m * (n + 1) for n, m in itertools.pairwise(sizes))


def test_parameters_are_each_in_the_flat_array_once():
    """Shared, unused by products, met twice: one place each, and every one has a place."""
    f, network = layers(3, 3)
    v = Value(2.0)
    code, _ = grouped(lambda x: f(f(x))[0] * v + v * v, (3,))
    wanted = {id(p) for w, b in network[0] for p in (*w, b)} | {id(v)}
    assert sorted(map(id, code.parameters)) == sorted(wanted)


def test_nodes_that_differ_do_not_share_a_group():
    """By operation, by level, by whether a δ is wanted, by a constant that rules by value, by no_grad."""

    def f(x):
        with no_grad():
            stopped = [tanh(v) for v in x]
        return sum([*(tanh(v) for v in x), *(exp(v) for v in x), *(v**2 for v in x), *(v**3 for v in x), *stopped])

    _, grouping = grouped(f, (9,))
    assert grouping.groups == 5 + 1
    shared, _ = grouped(lambda x, y: sum(tanh(v) for v in [*x, *y]), (9,), (9,), batched=[True, False], argnums=(0,))
    assert sum(v.op is OPS["tanh"] for v in shared.vars) == 2


def test_placed_parameters_keep_their_place():
    """A second version of a program lays them out as the first one did."""
    f, _ = layers(2, 3, 1)
    trace = traced(f, (2,))
    trace.order = list(trace.graph.parameters)[::-1]
    code = trace.forward(want(trace, gradient=True), [True]).code
    assert code.parameters == [trace.graph.parameters[i] for i in trace.order]


def test_equal_vars_are_made_once_and_identities_are_used():
    """The code's own simplifications, each with its value for NaN in the forward pass."""
    code = Code()
    x = code.new(ir.INPUT, (), (), batched=True, info=0)
    y = code.new(ir.INPUT, (), (), batched=True, info=1)
    assert x + y is x + y
    assert x + 0.0 is x
    assert 0.0 + x is x
    assert x - 0.0 is x
    assert x * 1.0 is x
    assert (0.0 - x).op is OPS["neg"]
    assert OPS["neg"](-x) is x
    assert (x * -1.0).op is OPS["neg"]
    assert (x + (-y)).op is OPS["sub"]
    assert ((-x) + y).args == (y, x)
    assert x - (-y) is x + y
    assert x**1.0 is x
    assert x**0.0 == 1.0
    assert (0.0 * x).__class__ is Var
    assert (x + x).args == (2.0, x)
    assert contiguous((2, 3, 4)) == (12, 4, 1)
    with pytest.raises(TypeError, match=r"must not decide by a number with `if`.*autodiff\.where"):
        bool(x > 0.0)


def test_a_rule_that_decides_by_if_is_refused_by_name():
    """An Op of the user's whose partial uses `if` cannot serve arrays: the error says how to write it."""
    bad = Op("bad", "bad", abs, np.abs, (lambda a, r: 1.0 if a > 0.0 else -1.0,))
    with pytest.raises(TypeError, match=r"must not decide by a number with `if`"):
        made(lambda x: bad(x), (), argnums=(0,))


def test_views_of_what_is_spread():
    """A view of an expansion looks at what it expands: at the same numbers, and with no memory of its own."""
    code = Code()
    x = code.new(ir.INPUT, (), (3,), batched=True, info=0)
    spread = code.expand(x, (3, 4))
    flat = code.view(spread, 0, (1,), (12,))
    assert flat.kind == ir.TAKE
    np.testing.assert_array_equal(flat.info, np.repeat([0, 1, 2], 4))
    one = code.view(spread, 7, (), ())
    assert (one.kind, one.args, one.info) == (ir.VIEW, (x,), (1, ()))
    assert code.view(spread, 1, (4,), (3,)) is x


def test_sums_of_what_lies_scattered():
    """Sums along an axis of numbers copied together: their δ is spread over all of them, on every call anew."""

    def f(x, y):
        one = tanh(x) + exp(x) + OPS["sin"](x) + OPS["cos"](x)
        two = tanh(y) + exp(y) + OPS["sin"](y) + OPS["cos"](y)
        return OPS["sin"](one) * two

    fast = made(f, (), (), argnums=(0, 1))
    assert any(v.kind == ir.SUM and len(v.units) == 1 for v in fast.code.vars)
    x, y = np.array([0.3, -0.4, 1.0]), np.array([0.1, 0.2, -0.3])
    s, t = (np.tanh(a) + np.exp(a) + np.sin(a) + np.cos(a) for a in (x, y))
    ds, dt = (1 - np.tanh(a) ** 2 + np.exp(a) + np.cos(a) - np.sin(a) for a in (x, y))
    values, _, by = run(fast, [], x, y)
    np.testing.assert_allclose(values, np.sin(s) * t, **CLOSE)
    np.testing.assert_allclose(by[0], np.cos(s) * ds * t, **CLOSE)
    np.testing.assert_allclose(by[1], np.sin(s) * dt, **CLOSE)
