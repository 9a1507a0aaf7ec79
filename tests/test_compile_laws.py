"""Compiled = eager, on random expressions over the whole table of operations and on random networks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autodiff import OPS, Op, Value, compile, hessian, mean, value_and_grad
from autodiff.propagation import propagate
from autodiff.testing import expressions

# A sum of n terms may be added in another order and a power written as a product: each a few ulps of its operands.
# `expressions` bounds values and partials of each operation by 1,000, so the ulps of 8 nested ones stay below this.
CLOSE = {"rtol": 1e-11, "atol": 1e-11}
EPSILON = float(np.finfo(float).eps)
# The same by measure: how often over an ulp of every node, as it reaches the result, an answer may be off. Ten thousand
# draws gave 3 at most.
ULPS = 16

slow = settings(suppress_health_check=[HealthCheck.too_slow])


def eager(f, rows, k):
    """Value and derivatives by the k arguments, row by row, from the eager engine."""
    both = value_and_grad(f, argnums=tuple(range(k)))
    answers = [both(*row) for row in rows]
    return np.array([v for v, _ in answers]), np.array([g for _, g in answers])


def rounding(root, least):
    """What an ulp of every node, or of `least` if that is more, comes to at the root."""
    return EPSILON * sum(abs(reach) * max(abs(node.data), least) for node, reach in propagate(root).items())


def from_the_graph(f, point):
    """Value and derivatives by the eager engine, and how far off rounding may take each.

    A derivative is the root of a graph too. Slopes of sigmoid and tanh are right to a rounding of 1, hence of others.
    """
    leaves = [Value(x) for x in point]
    out = f(*leaves)
    out.backward(create_graph=True)
    slopes = [x.grad if isinstance(x.grad, Value) else Value(x.grad) for x in leaves]
    bounds = [rounding(g, 1.0) for g in slopes]
    return out.data, rounding(out, 0.0), [g.data for g in slopes], bounds


def assert_within(computed, expected, bounds):
    off = np.abs(np.asarray(computed) - expected)
    assert np.all(off <= ULPS * np.asarray(bounds)), f"{computed} is not {expected}: off by {off}, {bounds} is an ulp"


@given(expressions())
@slow
def test_batches_compute_what_the_eager_engine_computes(f):
    """Values and derivatives by every argument, for rows that lie at and about the expression's point."""
    k = len(f.point)
    rows = np.array([f.point, np.multiply(f.point, 1.0 + 2.0**-20), np.multiply(f.point, 1.0 - 2.0**-20)])
    values, off, gradients, offs = map(np.array, zip(*[from_the_graph(f, row) for row in rows.tolist()], strict=True))
    program = compile(f)
    columns = list(rows.T.copy())
    assert_within(program(*columns), values, off)
    per_row, empty, by = program.value_and_grad(*columns, reduce=None, argnums=tuple(range(k)))
    assert_within(per_row, values, off)
    assert empty.shape == (3, 0)
    assert_within(np.array(by).T, gradients, offs)
    total, _, by = program.value_and_grad(*columns, argnums=tuple(range(k)))
    assert_within(total, values.mean(), off.sum() + EPSILON * np.abs(values).sum())
    assert_within(np.array(by).T * 3, gradients, offs + EPSILON * np.abs(gradients))


@given(expressions())
@slow
def test_one_point_on_floats_is_a_batch_of_one(f):
    """Called with numbers, a program gives floats, and the same as with arrays of one."""
    k = len(f.point)
    expected, off, gradients, offs = from_the_graph(f, f.point)
    program = compile(f)
    value, gradient, by = program.value_and_grad(*f.point, argnums=tuple(range(k)))
    assert type(value) is float
    assert all(type(g) is float for g in by)
    assert gradient.shape == (0,)
    assert_within(value, expected, off)
    assert_within(by, gradients, offs)
    assert_within(program(*f.point), expected, off)


@given(expressions())
@slow
def test_arguments_may_be_parameters(f):
    """The same numbers as parameters that the function meets: derivatives in the order of `parameters`."""
    leaves = [Value(x, f"p{i}") for i, x in enumerate(f.point)]
    _, gradients = eager(f, [f.point], len(leaves))
    program = compile(lambda x: f(*leaves) * x)
    _, gradient = program.value_and_grad([1.0, 3.0])
    by_label = {p.label: g for p, g in zip(program.parameters, gradient, strict=True)}
    wanted = {p.label: 2.0 * g for p, g in zip(leaves, gradients[0], strict=True) if p.label in by_label}
    np.testing.assert_allclose([by_label[k] for k in wanted], list(wanted.values()), **CLOSE)
    for leaf, g in zip(leaves, gradients[0], strict=True):
        assert leaf.label in by_label or g == 0.0


@given(expressions())
@slow
def test_the_readable_text_computes_the_same(f):
    """`source`, run on its own with NumPy alone, gives value and derivatives of the fast program."""
    leaves = [Value(x, f"p{i}") for i, x in enumerate(f.point)]
    program = compile(lambda x: f(*leaves) + x)
    x = np.array([0.5, 1.5])
    value, gradient = program.value_and_grad(x)
    module = {}
    exec(program.source, module)
    flat = np.array([p.data for p in program.parameters])
    with np.errstate(all="ignore"):
        text_value, text_gradient = module["value_and_grad"](flat, x)
        forward = module["forward"](flat, x)
    np.testing.assert_allclose(text_value, value, **CLOSE)
    np.testing.assert_allclose(text_gradient, gradient, **CLOSE)
    np.testing.assert_allclose(forward, program(x), **CLOSE)


@st.composite
def functions_of_vectors(draw):
    """Random layered functions of a vector: groups, shared weights, skips, sums over units."""
    widths = draw(st.lists(st.integers(1, 10), min_size=1, max_size=3))
    seed = draw(st.integers(0, 2**16))
    features = draw(st.integers(1, 5))
    kinds = draw(
        st.lists(st.sampled_from(["tanh", "relu", "sigmoid", "softplus", "sin", "abs"]), min_size=3, max_size=3)
    )
    skip, shared, reduction = (
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.sampled_from(["sum", "lse", "last", "max"])),
    )
    return widths, seed, features, kinds, skip, shared, reduction


def layered(widths, seed, features, kinds, skip, shared, reduction):
    from autodiff import logsumexp, maximum, weighted_sum

    rng = np.random.default_rng(seed)
    sizes = [features, *widths]
    layers = [
        [([Value(w) for w in rng.normal(size=n)], Value(rng.normal())) for _ in range(m)] for n, m in pairwise(sizes)
    ]
    if shared and len(layers) > 1:
        layers[1] = [(ws if len(ws) != len(layers[0][0][0]) else layers[0][0][0], b) for ws, b in layers[1]]

    def f(x, y):
        signal = list(x)
        for i, layer in enumerate(layers):
            op = OPS[kinds[i % 3]]
            if i % 2:
                out = [op(weighted_sum(ws, signal, b)) for ws, b in layer]
            else:  # written micrograd's way
                out = [op(sum((w * s for w, s in zip(ws, signal, strict=True)), b)) for ws, b in layer]
            signal = [a + s for a, s in zip(out, signal, strict=False)] + out[len(signal) :] if skip else out
        if reduction == "lse":
            last = logsumexp([s * 0.5 for s in signal])
        elif reduction == "max":
            last = signal[0]
            for s in signal[1:]:
                last = maximum(last, s)
        else:
            last = sum(signal) if reduction == "sum" else signal[-1]
        return (last - y) ** 2 / 2 + 0.01 * sum(w * w for ws, _ in layers[0] for w in ws)

    return f, [p for layer in layers for ws, b in layer for p in (*ws, b)]


@given(functions_of_vectors(), st.integers(1, 5), st.booleans())
@slow
def test_networks_compute_what_the_eager_engine_computes(spec, n, weighted):
    """Value, derivatives by parameters and by inputs, with and without weights of the rows."""
    f, parameters = layered(*spec)
    rng = np.random.default_rng(spec[1] + 1)
    X, y = rng.normal(size=(n, spec[2])), rng.normal(size=n)
    weights = rng.uniform(0.1, 1.0, size=n) if weighted else None
    program = compile(f)
    value, gradient, dX = program.value_and_grad(X, y, argnums=0, weights=weights)
    inputs = [[Value(v) for v in row] for row in X]
    shares = np.full(n, 1.0 / n) if weights is None else weights / weights.sum()
    losses = [f(row, t) for row, t in zip(inputs, y.tolist(), strict=True)]
    loss = sum(s * each for s, each in zip(shares.tolist(), losses, strict=True))
    loss.backward()
    np.testing.assert_allclose(value, loss.data, **CLOSE)
    assert {id(p) for p in program.parameters} <= {id(p) for p in parameters}
    np.testing.assert_allclose(gradient, [p.grad for p in program.parameters], **CLOSE)
    np.testing.assert_allclose(dX, [[v.grad for v in row] for row in inputs], **CLOSE)
    values, per_row = program.value_and_grad(X, y, reduce=None)
    np.testing.assert_allclose(values, [each.data for each in losses], **CLOSE)
    np.testing.assert_allclose(shares @ per_row, gradient, **CLOSE)
    module = {}
    exec(program.source, module)
    flat = np.array([p.data for p in program.parameters])
    if weights is None:
        text_value, text_gradient = module["value_and_grad"](flat, X, y)
        np.testing.assert_allclose(text_value, value, **CLOSE)
        np.testing.assert_allclose(text_gradient, gradient, **CLOSE)


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.arity is not None])
def test_every_row_of_the_table_at_its_edges(name):
    """Each operation on arrays with zeros, ties, infinities: where the eager engine gives a number, the same one."""
    op = OPS[name]
    numbers = [-np.inf, -2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0, np.inf]
    grid = np.array(np.meshgrid(*[numbers] * op.arity)).reshape(op.arity, -1)
    program = compile(op)
    with np.errstate(all="ignore"):
        values, _, by = program.value_and_grad(*grid, reduce=None, argnums=tuple(range(op.arity)))
    checked = 0
    for i, point in enumerate(grid.T.tolist()):
        leaves = [Value(x) for x in point]
        try:
            result = op(*leaves)
            if not np.isfinite(result.data):
                np.testing.assert_equal(values[i], result.data, err_msg=f"{name}{tuple(point)}")
                continue
            result.backward()
        except (ValueError, OverflowError):
            continue
        checked += 1
        np.testing.assert_allclose(values[i], result.data, rtol=1e-14, atol=1e-300, err_msg=f"{name}{tuple(point)}")
        for g, leaf in zip(by, leaves, strict=True):
            np.testing.assert_allclose(g[i], leaf.grad, rtol=1e-13, atol=1e-300, err_msg=f"{name}{tuple(point)}")
    assert checked >= 2


def test_zero_times_infinity_is_zero_as_in_the_sweep():
    """A branch that `where` leaves out hands nothing on, though its slope is infinite."""
    from autodiff import sqrt, where

    def f(x):
        return where(x > 0.0, sqrt(x), 0.0 * x)

    x = np.array([0.0, 4.0])
    _, _, dx = compile(f).value_and_grad(x, argnums=0, reduce="sum")
    np.testing.assert_array_equal(dx, [0.0, 0.25])


def test_an_operation_of_the_users_own():
    """One Op(...) of a user's works in programs: as group, as one number, its partials by its own rule."""
    cube = Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: 3.0 * a * a,))
    w = Value(2.0, "w")
    program = compile(lambda x: mean([cube(w * v) for v in x]))
    X = np.array([[1.0, 2.0], [3.0, -1.0]])
    value, gradient = program.value_and_grad(X)
    np.testing.assert_allclose(value, (8.0 * X**3).mean(), rtol=1e-14)
    np.testing.assert_allclose(gradient, [(12.0 * X**3).mean()], rtol=1e-14)


def test_quadratic_forms_agree_with_the_hessian():
    """Derivatives of a program's gradient by differences are the eager engine's Hessian."""
    f = lambda x: (x[0] ** 2 * x[1] + x[1] ** 3).exp()
    program = compile(f)
    x = np.array([0.3, -0.2])
    step = 1e-6
    columns = [
        (program.value_and_grad([x + e], argnums=0)[2][0] - program.value_and_grad([x - e], argnums=0)[2][0])
        / (2 * step)
        for e in step * np.eye(2)
    ]
    np.testing.assert_allclose(np.array(columns), hessian(f)(x), rtol=1e-8)
