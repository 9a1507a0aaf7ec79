"""Code without structure: what becomes a tape, and that it gives what arrays give, and the eager engine."""

import math

import numpy as np
import pytest
from stages import made, result, traced

from autodiff import (
    Value,
    atan2,
    clip,
    compile,
    exp,
    log,
    logsumexp,
    maximum,
    mean,
    no_grad,
    relu,
    sin,
    sqrt,
    tanh,
    total,
    weighted_sum,
    where,
)

CLOSE = {"rtol": 1e-11, "atol": 1e-11}
W = [Value(0.4, "u"), Value(-0.7, "v"), Value(0.2)]


def mixed(x, y):
    """What is batched and what is not, constants by value and not, results used twice, nodes without δ, kinks."""
    u, v, w = W
    shared = tanh(u * v) + exp(w) * 2.0
    with no_grad():
        stopped = sin(total([x[0] + u])) ** 1.0
    h = relu(x[0] * u - 3.0 / (2.0 + y * y)) ** 2 + shared
    h = where(y > 0.0, h * h, clip(h, -0.5, 2.0)) + stopped * h
    h = weighted_sum([u, 0.5, x[1]], [h, x[0], w], v) - mean([y, u, 2.0 * h])
    h = maximum(h, logsumexp([x[1], h, shared])) - (x[1] + 0.0) * (-h) + (y**0.0) * v
    return h + h + atan2(-0.0, y - 3.0) - atan2(0.0, y - 3.0) + sqrt(abs(shared) + 1.0)


def deep(x, y, times=30):
    for _ in range(times):
        y = tanh(mixed(x, y))
    return y


@pytest.mark.parametrize("batched", [[True, True], [False, True], [True, False], [False, False]])
@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.parametrize("careful", [False, True])
def test_a_tape_gives_what_arrays_give(batched, per_row, seeded, careful):
    """Every version, whatever has rows: values, δ by parameters and by arguments, in a second run as in the first."""
    options = {"gradient": True, "argnums": (0, 1), "per_row": per_row, "seeded": seeded, "careful": careful}
    rng = np.random.default_rng(5)
    n = 3
    x = rng.normal(size=(2, n if batched[0] else 1))
    y = rng.normal(size=n) if batched[1] else 0.3
    seeds = [np.array([1.0, -2.0, 0.5])] if seeded else []
    answers = []
    for tape in (False, True):
        program = made(deep, (2,), (), batched=batched, tape=tape, **options)
        places = {p: k for k, p in enumerate(W if tape else program.code.parameters)}
        order = [places[w] for w in W]
        instance = program.instance(n, np.array([p.data for p in places]))
        code = program.code
        for _ in range(2):
            instance.run(x, y, *(seeds if "seed" in program.arguments else []))
        rows = n if per_row else 1
        answers.append([
            result(instance, code.outputs[0], n),
            result(instance, code.gradient, (3, n))[order] if per_row else instance.gradient[order],
            result(instance, code.input_gradients[0], (2, n if batched[0] else rows)),
            result(instance, code.input_gradients[1], n if batched[1] else rows),
        ])  # fmt: skip
    for ours, theirs in zip(*answers, strict=True):
        np.testing.assert_allclose(ours, theirs, **CLOSE)


def test_what_has_structure_is_no_tape():
    """Layers, sums of many terms and short code become arrays; a recurrence and a tangle of operations do not."""
    w = [Value(0.1 * k) for k in range(40)]
    layer = lambda x, n: [tanh(sum((a * b for a, b in zip(w, x, strict=False)), w[k])) for k in range(n)]
    assert not traced(lambda x: layer(layer(x, 20), 20)[0], (20,)).unstructured
    assert not traced(lambda x: sum(w[k % 40] * sin(v) for k, v in enumerate(x)), (600,)).unstructured
    assert not traced(lambda x, y: deep(x, y, 5), (2,), ()).unstructured
    assert traced(lambda x, y: deep(x, y, 50), (2,), ()).unstructured

    def sums_alone(x):
        a, b = x, x * 2.0
        for _ in range(400):  # each is wanted twice, so no tree of additions
            a, b = b, a + b * 0.5
        return b

    assert traced(sums_alone, ()).unstructured


def test_a_program_that_is_a_tape():
    """As the eager engine, sample by sample; its text and its counts are there as for any other."""
    program = compile(lambda x, y, nothing: deep(x, y))
    nothing = np.zeros((4, 0))
    X, Y = np.random.default_rng(6).normal(size=(4, 2)), np.array([0.3, -0.2, 1.0, -1.0])
    value, gradient, (dX, dY, dN) = program.value_and_grad(X, Y, nothing, argnums=(0, 1, 2))
    values, gradients, at_x, at_y = [], [], [], []
    for row, y in zip(X, Y, strict=True):
        for p in W:
            p.zero_grad()
        x, y = [Value(v) for v in row], Value(y)
        out = deep(x, y)
        out.backward()
        values.append(out.data)
        gradients.append([p.grad for p in program.parameters])
        at_x.append([v.grad for v in x])
        at_y.append(y.grad)
    np.testing.assert_allclose(program(X, Y, nothing), values, **CLOSE)
    np.testing.assert_allclose(value, np.mean(values), **CLOSE)
    np.testing.assert_allclose(gradient, np.mean(gradients, axis=0), **CLOSE)
    np.testing.assert_allclose(dX * 4.0, at_x, **CLOSE)
    np.testing.assert_allclose(dY * 4.0, at_y, **CLOSE)
    assert dN.shape == (4, 0)
    assert "each by itself" in program.explain()
    scope = {}
    exec(program.source, scope)
    flat = np.array([p.data for p in program.parameters])
    np.testing.assert_allclose(scope["value_and_grad"](flat, X, Y, nothing)[1], gradient, rtol=1e-9, atol=1e-11)


def test_zero_times_infinity_is_zero_on_a_tape():
    """√ has slope ∞ at 0, and a δ that is 0 is not handed on: the careful version runs, as it does for arrays."""

    def f(x):
        h = sqrt(x) * 0.0
        for _ in range(300):
            h = tanh(h + 1.0) * 0.5
        return h * 0.0 + sqrt(x)

    program = compile(lambda x: f(x) * f(x * 0.0))
    _, _, by = program.value_and_grad([0.0, 4.0], argnums=0, reduce="sum")
    leaf = Value(4.0)
    (f(leaf) * f(leaf * 0.0)).backward()
    assert by[1] == leaf.grad
    assert math.isfinite(by[1])


def test_rows_of_a_tape_are_used_again():
    """A chain whose δ needs no more than the latest values takes as many rows however long it is."""

    def sines(n):
        def f(x):
            for _ in range(n):
                x = x + 0.5 - 0.25
            return log(x)

        return f

    options = {"gradient": True, "argnums": (0,), "per_row": False, "seeded": False, "careful": False}
    short, long = (made(sines(n), (), tape=True, **options) for n in (300, 600))
    assert long.bytes_per_row() == short.bytes_per_row()
    assert len(long.steps) > len(short.steps)
