"""Versions of a program as they are run: the reverse pass, each form of the emitter, buffers, blocks."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stages import by_rows, layers, made, result, run, traced

from autodiff import (
    OPS,
    Value,
    clip,
    erf,
    exp,
    leaky_relu,
    logsumexp,
    maximum,
    mean,
    no_grad,
    relu,
    sigmoid,
    sqrt,
    step,
    tanh,
    weighted_sum,
    where,
)

CLOSE = {"rtol": 1e-11, "atol": 1e-11}  # a few dozen roundings of numbers about one


def differences(f, x, step=1e-6):
    """Central differences by every entry of x."""
    slopes = np.empty_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        slopes[i] = (f(up) - f(down)) / (2 * step)
    return slopes


def test_the_reverse_pass_agrees_with_differences():
    """δ by parameters and inputs of a network, against differences of the forward pass alone."""
    f, _ = layers(3, 4, 4, 1)
    fast = made(lambda x: f(x) ** 2, (3,), argnums=(0,))
    flat = np.array([p.data for p in fast.code.parameters])
    X = np.random.default_rng(1).normal(size=(5, 3))
    forward = made(lambda x: f(x) ** 2, (3,), gradient=False)
    value = lambda flat, X: float(run(forward, flat, X)[0].sum())
    _, gradient, by = run(fast, flat, X)
    # Differences with a step of 1e-6 are good to about 1e-9: rounding 1e-16 / 1e-6 and the third derivative times 1e-12.
    np.testing.assert_allclose(gradient, differences(lambda p: value(p, X), flat), atol=1e-7)
    np.testing.assert_allclose(by[0].T, differences(lambda x: value(flat, x), X), atol=1e-7)


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.parametrize("careful", [False, True])
def test_versions_of_the_reverse_pass_agree(per_row, seeded, careful):
    """Summed or by rows, with seeds or without, careful or not: the same numbers wherever all are finite."""
    f, _ = layers(2, 3, 1, act=relu)
    h = lambda x: where(x[0] > 0.0, f(x) + x[1], sqrt(abs(x[1]) + 1.0) * f(x))
    fast = made(h, (2,), argnums=(0,), per_row=per_row, seeded=seeded, careful=careful)
    X = np.random.default_rng(2).normal(size=(6, 2))
    seeds = np.linspace(1.0, 2.0, 6) if seeded else None
    flat = np.array([p.data for p in fast.code.parameters])
    plain = made(h, (2,), argnums=(0,), per_row=True)
    instance = plain.instance(6, flat)
    (of_rows,) = (written := by_rows(plain, 6)).values()
    instance.run(X.T, **written)
    rows, by = of_rows.T, instance.array(plain.code.input_gradients[0]).T
    scale = np.ones(6) if seeds is None else seeds
    instance = fast.instance(6, flat)
    for _ in range(2):
        written = by_rows(fast, 6)
        instance.run(X.T, *([seeds] if seeded else []), **written)
        if per_row:
            of_rows = next(iter(written.values())) if written else instance.array(fast.code.gradient)
            np.testing.assert_allclose(of_rows.T, rows * scale[:, None], **CLOSE)
        else:
            np.testing.assert_allclose(instance.gradient, scale @ rows, **CLOSE)
        np.testing.assert_allclose(instance.array(fast.code.input_gradients[0]).T, by * scale[:, None], **CLOSE)


STEPS = {
    "clip": lambda x: clip(x, -0.5, 0.5), "sigmoid": sigmoid, "relu": relu, "leaky": lambda x: leaky_relu(x, 0.1),
    "leaky 1": lambda x: leaky_relu(x, 1.0), "leaky -": lambda x: leaky_relu(x, -0.5), "step": step, "erf": erf, "square": lambda x: x**2, "cube": lambda x: x**3,
    "root": lambda x: (x + 3.0) ** 0.5, "inverse": lambda x: (x + 3.0) ** -1.0, "other power": lambda x: (x + 3.0) ** 1.7, "positive": lambda x: (x > 0.0) * x,
    "where": lambda x: where(x > 0.0, x, -x), "where number": lambda x: where(x, 1.0 + x, 2.0 + x), "maximum": lambda x: maximum(x, -x * 0.5),
    "in place": lambda x: exp(tanh(exp(tanh(x)))), "kept": lambda x: exp(x) * (exp(x) + tanh(exp(x))), "lse": lambda x: logsumexp([x, 2.0 * x, x - 1.0]),
    "lse 1": lambda x: logsumexp([x]), "relu twice": lambda x: relu(x) + (x > 0.0) * exp(x) + relu(-x),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_each_form_the_emitter_knows(name):
    """Alone, on a group of ten, and in a program long enough for the list of steps: as the eager engine has it."""
    f = STEPS[name]
    x = np.array([-2.0, -0.7, -0.1, 0.3, 0.5, 1.4])
    if name in {"where", "where number", "maximum", "leaky", "relu", "relu twice", "positive"}:
        x = np.append(x, 0.0)
    wanted, slopes = [], []
    for each in x.tolist():
        leaf = Value(each)
        out = f(leaf)
        out.backward()
        wanted.append(out.data)
        slopes.append(leaf.grad)
    wanted, slopes = np.array(wanted), np.array(slopes)
    fast = made(f, (), argnums=(0,))
    values, _, by = run(fast, [], x)
    np.testing.assert_allclose(np.broadcast_to(values, x.shape), wanted, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(np.broadcast_to(by[0], x.shape), slopes, rtol=1e-13, atol=1e-15)
    fast = made(lambda v: sum(f(each) * float(k + 1) for k, each in enumerate(v)), (10,), argnums=(0,))
    X = np.repeat(x[:, None], 10, axis=1)
    values, _, by = run(fast, [], X)
    np.testing.assert_allclose(values, wanted * 55.0, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(by[0], np.outer(np.arange(1.0, 11.0), slopes), rtol=1e-12, atol=1e-13)


def test_long_programs_run_from_a_list():
    """Above a thousand arrays there is no text: the same steps, one after another."""

    def f(x, y):
        h = x
        for k in range(300):
            h = OPS["sin"](h * (1.0 + 0.001 * k) + y)
            h = where(h > 0.3, h * h, clip(h, -0.5, 2.0))
        return relu(h) + (h > 0.0) * y

    fast = made(f, (), (), argnums=(0, 1), seeded=True)
    assert fast.layout.long
    x, y, seeds = np.array([0.3, -0.4, 1.0]), np.array([0.1, 0.2, -0.3]), np.array([1.0, 2.0, -1.0])
    values, _, by = run(fast, [], x, y, seeds=seeds)
    for i in range(3):
        a, b = Value(x[i]), Value(y[i])
        out = f(a, b)
        out.backward()
        np.testing.assert_allclose(values[i], out.data, **CLOSE)
        np.testing.assert_allclose([by[0][i], by[1][i]], [a.grad * seeds[i], b.grad * seeds[i]], **CLOSE)


@pytest.mark.parametrize("width", [15, 16])
def test_wide_arguments_are_read_as_they_come(width):
    """From sixteen numbers on, where products alone read them; not where anything else does."""
    f, _ = layers(width, 4, 1)
    assert bool(made(f, (width,)).layout.wide) == (width >= 16)
    assert not made(lambda x: f(x) + x[0], (width,)).layout.wide


def test_buffers_are_used_again_and_results_are_not():
    """A long chain of elementwise steps needs a few buffers; what the program gives keeps its own."""

    def f(x):
        for _ in range(60):
            x = tanh(x)
        return x

    assert len(made(f, (), gradient=False).slots) <= 3
    fast = made(lambda x: [tanh(x), tanh(tanh(x)), tanh(tanh(tanh(x)))], (), gradient=False)
    instance = fast.instance(2, np.zeros(0))
    instance.run(np.array([0.5, 1.0]))
    t = np.tanh([0.5, 1.0])
    np.testing.assert_allclose(instance.array(fast.code.outputs[0]), [t, np.tanh(t), np.tanh(np.tanh(t))], rtol=1e-15)


def test_names_of_the_text_never_meet():
    """Constants and inputs of products once had one name: a constant was then an array."""
    w = [Value(0.5), Value(-1.0), Value(2.0)]
    f = lambda x, y: tanh(weighted_sum(w, x) + 0.3) * 0.5 + x[1] * 0.3 * y + sqrt(y + 1.1) * 7.0 + 11.0 * x[2]
    fast = made(f, (3,), (), argnums=(0, 1))
    assert len(fast.bound) == len(set(fast.bound))
    X, y = np.random.default_rng(4).uniform(size=(4, 3)), np.array([0.1, 0.2, 0.3, 0.4])
    values, gradient, _ = run(fast, [p.data for p in fast.code.parameters], X, y)
    z = np.tanh(X @ [0.5, -1.0, 2.0] + 0.3)
    np.testing.assert_allclose(values, z * 0.5 + X[:, 1] * 0.3 * y + np.sqrt(y + 1.1) * 7.0 + 11.0 * X[:, 2], **CLOSE)
    order = [w.index(p) for p in fast.code.parameters]
    np.testing.assert_allclose(gradient, ((0.5 * (1 - z**2)) @ X)[order], **CLOSE)


def test_a_quotient_takes_one_more_division_for_both_its_derivatives():
    """∂(a/b) is δ/b and −δ/b · a/b: two divisions in all."""
    fast = made(lambda a, b: a / b, (), (), argnums=(0, 1), per_row=True)
    assert sum(v.op is OPS["div"] for v in fast.code.vars) == 2
    a, b = np.array([1.0, -3.0, 0.5]), np.array([2.0, 0.25, -4.0])
    _, _, by = run(fast, [], a, b)
    np.testing.assert_allclose(by[0], 1 / b, rtol=1e-15)
    np.testing.assert_allclose(by[1], -a / b**2, rtol=1e-15)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_blocks_are_alike(threads):
    """They go evenly on threads, none is much larger than the most, and rows of units do not lie pages apart."""
    (version,) = traced(exp, ()).versions.values()
    version.block = 1500
    for rows in (1, 511, 512, 1500, 1501, 3000, 10_000, 100_003, 2**20):
        each = version.rows_at_once(rows, threads)
        blocks = -(-rows // each)
        assert each <= version.block + 8
        assert blocks == 1 or (each % 512 and blocks % threads == 0)


@given(st.integers(0, 2**32 - 1))
@settings(suppress_health_check=[HealthCheck.too_slow], derandomize=True)  # rounding might one day decide a maximum
def test_random_programs_agree_with_the_eager_engine(seed):
    """Layers of both styles, conditions, reductions, repeats, no_grad: forward and reverse, row by row."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 6)), int(rng.integers(0, 5))
    weights = [Value(x) for x in rng.uniform(-1, 1, size=k)]
    plan = rng.integers(0, 2**31, size=int(rng.integers(2, 20))).tolist()

    def f(x, y):
        pool = [*x, y, *weights, 0.5, -1.0, 0.0]
        for word in plan:
            pick = lambda j, word=word: pool[-1 - (word >> j) % min(len(pool), 9)]
            a, b, c = pick(3), pick(7), pick(11)
            kind = word % 11
            if kind == 0:
                pool += [
                    tanh(weighted_sum([a, b, 0.5][: 1 + word % 3], list(pool[:3])[: 1 + word % 3], c)) for _ in range(2)
                ]
            elif kind == 1:
                pool += [relu(b * x[0] + y * c + 0.1), relu(c * x[0] + y * b + 0.1)]
            elif kind == 2:
                pool.append(where((y > 0.2) & (x[0] < 0.8), a, OPS["sin"](b)))
            elif kind == 3:
                pool.append(tanh(logsumexp([a, b, a, y])))
            elif kind == 4:
                with no_grad():
                    stopped = tanh(a + y)
                pool.append(stopped * b)
            elif kind == 5:
                pool.append(maximum(a, b) - clip(c, -0.5, 0.5))
            elif kind == 6:
                pool.append((y > 0.0) * 0.5 + tanh(a - b))
            elif kind == 7:
                pool.append(mean([tanh(a), b * 0.3, y]))
            elif kind == 8:
                pool.append(tanh(a) ** (word % 4) + y)
            elif kind == 9:
                pool += [sigmoid(v) for v in pool[-12:]]
            else:
                pool.append(a / (1.5 + b * b) - c)
        return sum(pool[-3:], 0.0) + y

    met = list(traced(f, (n,), ()).shared.parameters.values())
    arrays, tape = (made(f, (n,), (), argnums=(0, 1), per_row=True, tape=tape) for tape in (False, True))
    X, Y = rng.uniform(-1, 1, size=(3, n)), rng.uniform(-1, 1, size=3)
    for fast, parameters in ((arrays, arrays.code.parameters), (tape, met)):
        instance = fast.instance(3, np.array([p.data for p in parameters]))
        for _ in range(2):
            written = by_rows(fast, 3)
            instance.run(X.T, Y, **written)
        by = fast.code.input_gradients
        for i in range(3):
            x, y = [Value(v) for v in X[i]], Value(Y[i])
            for w in weights:
                w.zero_grad()
            out = f(x, y)
            out.backward()
            np.testing.assert_allclose(result(instance, fast.code.outputs[0], 3)[i], out.data, **CLOSE)
            np.testing.assert_allclose(result(instance, by.get(0, 0.0), (n, 3))[:, i], [v.grad for v in x], **CLOSE)
            np.testing.assert_allclose(result(instance, by.get(1, 0.0), 3)[i], y.grad, **CLOSE)
            gradient = 0.0 if fast.code.gradient is None else fast.code.gradient
            wanted = [p.grad for p in parameters]
            found = next(iter(written.values())) if written else result(instance, gradient, (len(wanted), 3))
            np.testing.assert_allclose(found[:, i], wanted, **CLOSE)
