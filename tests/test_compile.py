"""`compile` as users meet it: batches of rows, derivatives, shapes, training, errors.

The laws over random expressions and networks are in test_compile_laws.py; every pass has a file of its own.
"""

import copy
import inspect
import math
import os
import pickle
import re
import sys
import threading

import numpy as np
import pytest
from stages import kept

import autodiff
from autodiff import (
    OPS,
    DomainError,
    Op,
    Value,
    clip,
    compile,
    erf,
    exp,
    log,
    logsumexp,
    maximum,
    mean,
    minimum,
    no_grad,
    relu,
    sigmoid,
    softmax,
    softplus,
    sqrt,
    tanh,
    total,
    weighted_sum,
    where,
)
from autodiff.compiler import Program, TraceError

# The functions here nest a few dozen operations with partials of order one: sums in another order and powers written as
# products cost a few ulps (2e-16) each, far below this.
CLOSE = {"rtol": 1e-11, "atol": 1e-12}


def leaves(rng, *shape):
    """Nested lists of parameters."""
    if not shape:
        return Value(rng.normal())
    return [leaves(rng, *shape[1:]) for _ in range(shape[0])]


def flat(parameters):
    """Nested lists as one list."""
    return [p for entry in parameters for p in flat(entry)] if isinstance(parameters, list) else [parameters]


def numbers(parameters):
    """The data of nested lists of parameters, as an array."""
    return np.array([p.data for p in flat(parameters)])


def as_leaves(x):
    """One sample of an argument as the eager engine takes it."""
    return Value(float(x)) if np.ndim(x) == 0 else np.array([as_leaves(entry) for entry in x], dtype=object)


def eager(f, parameters, columns):
    """Row by row from the eager engine: values, derivatives by the parameters, by each argument."""
    values, by_parameters, by_arguments = [], [], [[] for _ in columns]
    for row in zip(*columns, strict=True):
        for p in parameters:
            p.zero_grad()
        sample = [as_leaves(x) for x in row]
        out = f(*sample)
        out.backward()
        values.append(out.data)
        by_parameters.append([p.grad for p in parameters])
        for gathered, x in zip(by_arguments, sample, strict=True):
            gathered.append(np.reshape([v.grad for v in np.ravel(x)], np.shape(x)))
    for p in parameters:
        p.zero_grad()
    return np.array(values), np.array(by_parameters).reshape(len(values), -1), [np.array(x) for x in by_arguments]


def in_order(program, parameters):
    """Where the program's parameters stand in a list of them."""
    at = {id(p): i for i, p in enumerate(parameters)}
    return [at[id(p)] for p in program.parameters]


def assert_like_eager(f, parameters, *columns, close=CLOSE):
    """All the ways of calling a program give what the eager engine gives."""
    parameters = flat(parameters)
    values, gradients, inputs = eager(f, parameters, columns)
    n, every = len(values), tuple(range(len(columns)))
    program = compile(f)
    np.testing.assert_allclose(program(*columns), values, **close)
    gradients = gradients[:, in_order(program, parameters)]
    assert len(program.parameters) == len(parameters)
    for _ in range(2):  # a second call of the same shape goes a shorter way
        value, gradient = program.value_and_grad(*columns)
        np.testing.assert_allclose(value, values.mean(), **close)
        np.testing.assert_allclose(gradient, gradients.mean(axis=0), **close)
    value, gradient, by = program.value_and_grad(*columns, reduce="sum", argnums=every)
    np.testing.assert_allclose(value, values.sum(), **close)
    np.testing.assert_allclose(gradient, gradients.sum(axis=0), **close)
    for got, wanted in zip(by, inputs, strict=True):
        np.testing.assert_allclose(got, wanted, **close)
    value, gradient, by = program.value_and_grad(*columns, reduce=None, argnums=every)
    np.testing.assert_allclose(value, values, **close)
    np.testing.assert_allclose(gradient, gradients, **close)
    for got, wanted in zip(by, inputs, strict=True):
        np.testing.assert_allclose(got, wanted, **close)
    weights = np.linspace(0.5, 2.0, n)
    value, gradient, first = program.value_and_grad(*columns, weights=weights, argnums=0)
    shares = weights / weights.sum()
    np.testing.assert_allclose(value, shares @ values, **close)
    np.testing.assert_allclose(gradient, shares @ gradients, **close)
    np.testing.assert_allclose(first, (inputs[0].T * shares).T, **close)
    point = compile(f, in_axes=None)
    value, gradient, by = point.value_and_grad(*[x[0] for x in columns], argnums=every)
    np.testing.assert_allclose(value, values[0], **close)
    np.testing.assert_allclose(
        gradient, gradients[0][np.argsort(in_order(program, parameters))][in_order(point, parameters)], **close
    )
    for got, wanted in zip(by, inputs, strict=True):
        np.testing.assert_allclose(got, wanted[0], **close)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


# What people write.


def test_shared_weights(rng):
    """One layer used twice: its parameters take the δ of both uses."""
    W, b = leaves(rng, 4, 4), leaves(rng, 4)
    layer = lambda xs: [tanh(weighted_sum(w, xs, c)) for w, c in zip(W, b, strict=True)]
    assert_like_eager(lambda x: sum(layer(layer(list(x)))), [W, b], rng.normal(size=(5, 4)))


def test_skip_connections(rng):
    """x + layer(x), twice, written with plain operators."""
    W, V = leaves(rng, 3, 3), leaves(rng, 3, 3)

    def f(x, y):
        signal = list(x)
        for weights in (W, V):
            out = [relu(sum(w * s for w, s in zip(row, signal, strict=True)) + 0.3) for row in weights]
            signal = [s + o for s, o in zip(signal, out, strict=True)]
        return (sum(signal) - y) ** 2

    assert_like_eager(f, [W, V], rng.normal(size=(6, 3)), rng.normal(size=6))


def test_a_recurrent_network_unrolled(rng):
    """Elman's network over a sequence: one set of weights at every step."""
    W, U, b, v = leaves(rng, 3, 3), leaves(rng, 3, 2), leaves(rng, 3), leaves(rng, 3)

    def f(sequence, y):
        h = [0.0, 0.0, 0.0]
        for x in sequence:
            h = [tanh(weighted_sum([*W[i], *U[i]], [*h, *x], b[i])) for i in range(3)]
        return (weighted_sum(v, h) - y) ** 2

    assert_like_eager(f, [W, U, b, v], rng.normal(size=(4, 5, 2)), rng.normal(size=4))


def test_a_small_convolution(rng):
    """A 2 × 2 kernel over 4 × 4 pixels, ReLU, mean: NumPy's windows are the oracle too."""
    K, b = leaves(rng, 2, 2), leaves(rng)

    def f(image):
        windows = [(i, j) for i in range(3) for j in range(3)]
        return mean(
            [relu(sum(K[k][m] * image[i + k, j + m] for k in range(2) for m in range(2)) + b) for i, j in windows]
        )

    images = rng.normal(size=(3, 4, 4))
    assert_like_eager(f, [K, [b]], images)
    windows = np.lib.stride_tricks.sliding_window_view(images, (2, 2), axis=(1, 2))
    wanted = np.maximum((windows * numbers(K).reshape(2, 2)).sum(axis=(3, 4)) + b.data, 0.0).mean(axis=(1, 2))
    np.testing.assert_allclose(compile(f)(images), wanted, **CLOSE)


@pytest.mark.parametrize("style", ["logsumexp", "softmax"])
def test_softmax_cross_entropy(rng, style):
    """Over classes, from one-hot targets: the derivative by the logits is softmax − target."""
    W, b = leaves(rng, 3, 5), leaves(rng, 3)

    def f(x, t):
        z = [weighted_sum(w, x, c) for w, c in zip(W, b, strict=True)]
        if style == "softmax":
            return -sum(ti * log(p) for ti, p in zip(t, softmax(z), strict=True))
        return logsumexp(z) - sum(ti * zi for ti, zi in zip(t, z, strict=True))

    X, T = rng.normal(size=(7, 5)), np.eye(3)[rng.integers(3, size=7)]
    assert_like_eager(f, [W, b], X, T)
    Z = X @ numbers(W).reshape(3, 5).T + numbers(b)
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    program = compile(f)
    _, gradient = program.value_and_grad(X, T)
    by_weight = dict(zip(map(id, program.parameters), gradient, strict=True))
    np.testing.assert_allclose([by_weight[id(p)] for p in b], (P - T).mean(axis=0), **CLOSE)
    np.testing.assert_allclose([by_weight[id(p)] for p in flat(W)], ((P - T).T @ X / 7).ravel(), **CLOSE)


@pytest.mark.parametrize(
    "loss",
    [
        lambda p, y: maximum(0.0, 1.0 - y * p),
        lambda p, y: relu(1.0 - y * p) ** 2,
        lambda p, y: where(abs(p - y) < 0.7, (p - y) ** 2 / 2, 0.7 * (abs(p - y) - 0.35)),
        lambda p, y: clip(p - y, -0.5, 0.5) ** 2 + 0.1 * p,
        lambda p, y: softplus(-y * p),
        lambda p, y: where((p > 0.0) & (y > 0.0), p * y, where((p < -1.0) | (y < -1.0), p, p**3)),
        lambda p, y: maximum(0.9 * (p - y), -0.1 * (p - y)),
    ],
    ids=["hinge", "squared hinge", "huber", "clipped", "logistic", "conditions", "quantile"],
)
def test_losses_with_cases(rng, loss):
    """Losses that decide by `where`, `maximum` and `clip`, with rows on either side."""
    W, b = leaves(rng, 2), leaves(rng)
    assert_like_eager(
        lambda x, y: loss(weighted_sum(W, x, b), y), [W, [b]], rng.normal(size=(40, 2)), rng.normal(size=40) * 2
    )


def test_polynomials(rng):
    """Σ cₖxᵏ by powers and by Horner's rule: the Vandermonde matrix knows the derivatives."""
    c = leaves(rng, 6)
    x = rng.uniform(-1.5, 1.5, size=9)

    def horner(x):
        y = 0.0
        for each in reversed(c):
            y = y * x + each
        return y

    for f in (horner, lambda x: sum(each * x**k for k, each in enumerate(c))):
        assert_like_eager(f, c, x)
        program = compile(f)
        value, gradient, dx = program.value_and_grad(x, reduce=None, argnums=0)
        V = np.vander(x, 6, increasing=True)
        np.testing.assert_allclose(value, V @ numbers(c), **CLOSE)
        np.testing.assert_allclose(gradient, V[:, in_order(program, c)], **CLOSE)
        np.testing.assert_allclose(dx, V[:, :-1] @ (np.arange(1, 6) * numbers(c)[1:]), **CLOSE)


def black_scholes(spot, strike, rate, volatility, time):
    """The price of a European call (Black and Scholes, 1973)."""
    d1 = (log(spot / strike) + (rate + volatility**2 / 2) * time) / (volatility * sqrt(time))
    d2 = d1 - volatility * sqrt(time)
    cdf = lambda x: 0.5 * (1.0 + erf(x / math.sqrt(2.0)))
    return spot * cdf(d1) - strike * exp(-rate * time) * cdf(d2)


def greeks(S, K, r, v, T):
    """Price and derivatives by all five in closed form."""
    N = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0)))
    d1 = (np.log(S / K) + (r + v**2 / 2) * T) / (v * np.sqrt(T))
    d2 = d1 - v * np.sqrt(T)
    density = np.exp(-(d1**2) / 2) / math.sqrt(2 * math.pi)
    discount = np.exp(-r * T)
    price = S * N(d1) - K * discount * N(d2)
    theta = S * density * v / (2 * np.sqrt(T)) + r * K * discount * N(d2)
    return price, [N(d1), -discount * N(d2), K * T * discount * N(d2), S * density * np.sqrt(T), theta]


def test_black_scholes_and_all_greeks(rng):
    """Price, delta, strike, rho, vega, theta: closed forms, for a batch and for one option on floats."""
    n = 64
    book = [
        rng.uniform(80, 120, n),
        rng.uniform(80, 120, n),
        rng.uniform(0.0, 0.08, n),
        rng.uniform(0.1, 0.6, n),
        rng.uniform(0.1, 3.0, n),
    ]
    program = compile(black_scholes)
    price, _, by = program.value_and_grad(*book, reduce=None, argnums=(0, 1, 2, 3, 4))
    wanted, sensitivities = greeks(*book)
    # Terms of size 100 cancel in the price and in theta: their ulps are the absolute error.
    np.testing.assert_allclose(price, wanted, rtol=1e-12, atol=1e-12)
    for got, each in zip(by, sensitivities, strict=True):
        np.testing.assert_allclose(got, each, rtol=1e-11, atol=1e-11)
    for _ in range(2):
        one, _, slopes = program.value_and_grad(*[float(x[0]) for x in book], argnums=(0, 1, 2, 3, 4))
        np.testing.assert_allclose(one, wanted[0], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(slopes, [each[0] for each in sensitivities], rtol=1e-11, atol=1e-11)


def test_a_network_agrees_with_pytorch(rng):
    """A 5-8-8-1 network with half squared error: value, weights' and inputs' derivatives."""
    torch = pytest.importorskip("torch")
    layers = [(leaves(rng, m, n), leaves(rng, m)) for n, m in ((5, 8), (8, 8), (8, 1))]

    def f(x, y):
        for k, (W, b) in enumerate(layers):
            x = [weighted_sum(w, x, c) for w, c in zip(W, b, strict=True)]
            x = [tanh(z) for z in x] if k < 2 else x
        return (x[0] - y) ** 2 / 2

    X, y = rng.normal(size=(11, 5)), rng.normal(size=11)
    program = compile(f)
    value, gradient, dX = program.value_and_grad(X, y, argnums=0)
    tensors = [torch.tensor(numbers(p).reshape(np.shape(p)), requires_grad=True) for layer in layers for p in layer]
    inputs = torch.tensor(X, requires_grad=True)
    signal = inputs
    for k in range(3):
        signal = signal @ tensors[2 * k].T + tensors[2 * k + 1]
        signal = torch.tanh(signal) if k < 2 else signal
    loss = ((signal[:, 0] - torch.tensor(y)) ** 2 / 2).mean()
    loss.backward()
    np.testing.assert_allclose(value, loss.item(), **CLOSE)
    np.testing.assert_allclose(dX, inputs.grad.numpy(), **CLOSE)
    parameters = [p for layer in layers for group in layer for p in flat(group)]
    wanted = np.concatenate([t.grad.numpy().ravel() for t in tensors])
    np.testing.assert_allclose(gradient, wanted[in_order(program, parameters)], **CLOSE)


def test_operations_of_the_users_own(rng):
    """Op rows with one and with two operands, one of them without a NumPy form of its own."""
    cubed_sum = Op("cubed_sum", "⊞", lambda a, b: (a + b) ** 3, partials=(lambda a, b, r: 3.0 * (a + b) ** 2,) * 2)
    bump = Op("bump", "bump", lambda a: math.exp(-a * a), lambda a: np.exp(-a * a), (lambda a, r: -2.0 * a * r,))
    W = leaves(rng, 10, 2)
    f = lambda x: sum(bump(weighted_sum(w, x)) for w in W) + cubed_sum(x[0], W[0][0])
    assert_like_eager(f, W, rng.normal(size=(4, 2)))


def test_rules_of_the_users_own_may_use_every_operator(rng):
    """A rule of partials is written with plain operators on either side, and comparisons; one for any number too."""
    odd = Op(
        "odd", "odd", lambda a: 2.0**a + a * abs(a), lambda a: 2.0**a + a * np.abs(a),
        (lambda a, r: math.log(2.0) * 2.0**a + 2.0 * where(a <= 0.0, -a, a) + 0.0 * (1.0 - r),),
    )  # fmt: skip
    norm = Op(
        "norm", "‖·‖", lambda *xs: math.hypot(*xs), lambda *xs: np.sqrt(sum(np.square(x) for x in xs)),
        lambda xs, r: [x / r for x in xs],
    )  # fmt: skip
    w = leaves(rng, 2)
    X = rng.normal(size=(4, 3, 9))
    assert_like_eager(lambda x: odd(w[0] * x), w[:1], X[:, 0, 0])
    assert_like_eager(lambda x: sum((k + 1.0) * norm(*column, w[1]) for k, column in enumerate(x.T)), w[1:], X)


def test_no_grad_inside_is_a_constant(rng):
    """Numbers computed in no_grad propagate no δ, as in the eager engine."""
    w = leaves(rng, 3)

    def f(x):
        z = weighted_sum(w, x)
        with no_grad():
            scale = exp(z) + x[0]
        return z * scale + tanh(scale) * w[0]

    assert_like_eager(f, w, rng.normal(size=(5, 3)))


def test_values_made_inside_are_constants():
    """A Value born in the function is no parameter: nobody outside could train it."""
    program = compile(lambda x: (x - Value(3.0, "target")) ** 2 + Value(1))
    np.testing.assert_array_equal(program([1.0, 3.0]), [5.0, 1.0])
    assert program.parameters == []


def test_functions_that_give_constants_or_arguments():
    """A constant, an argument, a parameter as the whole function."""
    X = np.array([1.0, -2.0])
    w = Value(4.0)
    for f, values, slope in (
        (lambda x: 3, [3.0, 3.0], 0.0),
        (lambda x: x, X, 1.0),
        (lambda x: w, [4.0, 4.0], 0.0),
        (lambda x: True, [1, 1], 0.0),
    ):
        program = compile(f)
        np.testing.assert_array_equal(program(X), values)
        value, gradient, dx = program.value_and_grad(X, reduce="sum", argnums=0, weights=[1.0, 2.0])
        assert value == np.dot(values, [1.0, 2.0])
        np.testing.assert_array_equal(dx, [slope, 2 * slope])
        np.testing.assert_array_equal(gradient, [3.0] * len(program.parameters))
        for _ in range(2):  # a second call of the same shape goes a shorter way, if there is one
            value, gradient = program.value_and_grad(X)
            assert value == np.mean(values)
            np.testing.assert_array_equal(gradient, [1.0] * len(program.parameters))
        value, gradient, dx = program.value_and_grad(-2.0, argnums=0)
        assert (value, dx) == (values[1], slope)
        np.testing.assert_array_equal(gradient, [1.0] * len(program.parameters))
    answer = compile(lambda x: x)(X)
    answer[0] = 9.0
    assert X[0] == 1.0


def test_a_function_without_arguments():
    """Parameters alone: one point."""
    a, b = Value(2.0, "a"), Value(5.0, "b")
    program = compile(lambda: a * b)
    assert program() == 10.0
    value, gradient = program.value_and_grad()
    assert value == 10.0
    assert dict(zip([p.label for p in program.parameters], gradient, strict=True)) == {"a": 5.0, "b": 2.0}


def test_tied_weights_and_rows_used_again(rng):
    """A matrix forward and transposed, rows of a layer again as another layer, a penalty on biases, biases computed."""
    W, b, c = leaves(rng, 4, 4), leaves(rng, 4), leaves(rng, 4)
    hidden = lambda x: [tanh(weighted_sum(w, x, bias)) for w, bias in zip(W, b, strict=True)]

    def tied(x):
        back = [weighted_sum(column, hidden(x)) for column in zip(*W, strict=True)]
        return sum((a - z) ** 2 for a, z in zip(x, back, strict=True))

    def again(x):
        return sum(weighted_sum(w, hidden(x), bias) ** 2 for w, bias in zip(W[:2], b[:2], strict=True))

    def penalized(x):
        return sum(hidden(x)) + 0.1 * sum(bias * bias for bias in b)

    def computed_biases(x):
        biases = [OPS["sin"](bias) for bias in c]
        inner = [tanh(weighted_sum(w, x) + bias) for w, bias in zip(W[:2], biases, strict=False)]
        return sum(
            tanh(weighted_sum(w, inner) + bias) for w, bias in zip((W[2][:2], W[3][:2]), biases[2:], strict=True)
        )

    X = rng.normal(size=(5, 4))
    assert_like_eager(tied, [W, b], X)
    assert_like_eager(again, [W, b], X)
    assert_like_eager(penalized, [W, b], X)
    assert_like_eager(computed_biases, [*W[:2], W[2][:2], W[3][:2], c], X)


def test_weights_that_are_an_argument(rng):
    """The rows share a matrix that is given: δ reaches it, and, where only that is asked for, the inputs alone."""
    f = lambda W, x: sum(tanh(weighted_sum(w, x)) for w in W)
    program = compile(f, in_axes=(None, 0))
    W, X = rng.normal(size=(2, 3)), rng.normal(size=(5, 3))
    slopes = 1.0 - np.tanh(X @ W.T) ** 2
    _, _, dx = program.value_and_grad(W, X, argnums=1, reduce="sum")
    np.testing.assert_allclose(dx, slopes @ W, **CLOSE)
    _, _, dW = program.value_and_grad(W, X, argnums=0, reduce="sum")
    np.testing.assert_allclose(dW, slopes.T @ X, **CLOSE)


def test_a_number_times_every_entry_of_several_sums(rng):
    """s · t₁ + … + s · t₄, three times: δ of s is the sum over the terms and over the sums."""
    V = leaves(rng, 3, 4)

    def f(s, x):
        exponentials = [[exp(v * each) for v, each in zip(row, x, strict=True)] for row in V]
        return sum(OPS["sin"](sum(s * t for t in row)) for row in exponentials)

    assert_like_eager(f, V, rng.normal(size=5), rng.normal(size=(5, 4)))


def test_a_permutation_is_taken_back_in_the_reverse_pass(rng):
    """Numbers read in another order: each δ returns to where its number came from."""
    order = [3, 0, 6, 1, 7, 2, 5, 4]

    def f(x):
        u = [tanh(each) for each in x]
        return sum((k + 1.0) * OPS["sin"](u[i]) for k, i in enumerate(order))

    X = rng.normal(size=(3, 8))
    _, _, dx = compile(f).value_and_grad(X, argnums=0, reduce="sum")
    factors = 1.0 + np.argsort(order)
    np.testing.assert_allclose(dx, factors * np.cos(np.tanh(X)) * (1.0 - np.tanh(X) ** 2), **CLOSE)
    assert_like_eager(f, [], X)


def test_named_sums_stay_arrays_of_their_own(rng):
    """Labels keep a layer's weighted sums and a shifted vector: summed up, they have the derivatives of the whole."""
    W, X = leaves(rng, 3, 4), rng.normal(size=(5, 4))

    def labelled(x, name):
        x.label = name
        return x

    def layer(x):
        return total([labelled(weighted_sum(w, x), f"z{i}") for i, w in enumerate(W)])

    value, gradient = compile(layer).value_and_grad(X)
    np.testing.assert_allclose(value, (X @ numbers(W).reshape(3, 4).T).sum(axis=1).mean(), **CLOSE)
    np.testing.assert_allclose(gradient, np.tile(X.mean(axis=0), 3), **CLOSE)

    def shifted(s, x):
        return OPS["sin"](total([labelled(s + tanh(each), f"y{i}") for i, each in enumerate(x)]))

    s = rng.normal(size=5)
    _, _, ds = compile(shifted).value_and_grad(s, X, argnums=0, reduce="sum")
    np.testing.assert_allclose(ds, 4.0 * np.cos(4.0 * s + np.tanh(X).sum(axis=1)), **CLOSE)


def test_a_number_spread_over_a_product():
    """The same number at every input of a sum of products."""
    w = [Value(1.0), Value(2.0), Value(3.0)]
    X = np.array([-1.0, 2.0])
    program = compile(lambda x: weighted_sum(w, [x, x, x]))
    value, gradient, dx = program.value_and_grad(X, reduce="sum", argnums=0)
    assert value == 6.0
    np.testing.assert_array_equal(gradient, [1.0, 1.0, 1.0])
    np.testing.assert_array_equal(dx, [6.0, 6.0])


def test_a_condition_before_its_relu():
    """`x > 0` and relu(x) share work only in the order in which they are computed."""
    x = np.array([-1.0, 2.0, 3.0])
    program = compile(lambda x: (x > 0.0) * 2.0 * x + relu(x) * 3)
    np.testing.assert_array_equal(program(x), [0.0, 10.0, 15.0])
    value, _, dx = program.value_and_grad(x, reduce=None, argnums=0)
    np.testing.assert_array_equal(value, [0.0, 10.0, 15.0])
    np.testing.assert_array_equal(dx, [0.0, 5.0, 5.0])


def test_what_depends_on_a_row_in_name_alone():
    """x ** 0 and 0 · x enter a product like other numbers of a row."""
    w = [[Value(float(i + 3 * j)) for i in range(3)] for j in range(2)]
    f = lambda x: sum(tanh(weighted_sum(row, [x**0, 0.0 * x, x])) for row in w)
    assert_like_eager(f, w, np.array([0.3, -0.2]))
    ones = lambda x: weighted_sum(w[0], [each**0 for each in x])
    assert_like_eager(ones, w[0], np.array([[0.3, -0.2, 0.0], [1.0, 0.0, 2.0]]))


# Arguments.

X8 = np.array([[1.0, 2.0, 3.0], [4.0, -5.0, 6.0], [0.0, 1.0, -1.0], [2.0, 2.0, 2.0]])


@pytest.mark.parametrize(
    "given",
    [
        X8.tolist(), X8.astype(int), X8.astype(np.float32), X8.astype(np.int8), np.asfortranarray(X8), np.repeat(X8, 2, axis=0)[::2],
        np.hstack([X8, X8])[:, :3], X8[::-1, ::-1][::-1, ::-1], X8.astype(">f8"), [tuple(row) for row in X8], X8.astype(np.longdouble),
    ],
    ids=["list", "int", "float32", "int8", "fortran", "strided", "cut", "reversed", "big-endian", "tuples", "long"],
)  # fmt: skip
def test_arrays_of_every_kind(given):
    """Whatever holds the numbers, the answers are the same, in float64, and the argument is left alone."""
    w = [Value(0.5), Value(-1.0), Value(2.0)]
    program = compile(lambda x: weighted_sum(w, x) ** 2)
    before = copy.deepcopy(given)
    z = X8 @ [0.5, -1.0, 2.0]
    for _ in range(2):
        np.testing.assert_array_equal(program(given), z**2)
        value, gradient, dX = program.value_and_grad(given, argnums=0, reduce="sum")
        assert dX.dtype == gradient.dtype == np.float64
        assert value == (z**2).sum()
        np.testing.assert_array_equal(gradient, 2 * z @ X8)
        np.testing.assert_array_equal(dX, 2 * np.outer(z, [0.5, -1.0, 2.0]))
        value, gradient = program.value_and_grad(given, reduce="sum")
        np.testing.assert_array_equal(gradient, 2 * z @ X8)
    np.testing.assert_array_equal(given, before)


def test_a_pandas_frame():
    """A table of numbers is an array of rows."""
    pandas = pytest.importorskip("pandas")
    program = compile(lambda x, y: x[0] * x[1] + y)
    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": [3, 4]})
    np.testing.assert_array_equal(program(frame, pandas.Series([0.5, 0.5], index=[7, 9])), [3.5, 8.5])


@pytest.mark.parametrize("width", [15, 16, 17, 40])
@pytest.mark.parametrize("bias", [True, False])
def test_wide_inputs(rng, width, bias):
    """Around the width from which rows are read as they come; one layer or two readers of the same input."""
    W, b, v = leaves(rng, 3, width), leaves(rng, 3), leaves(rng, 3)
    f = lambda x, y: (
        (sum(c * tanh(weighted_sum(w, x, d if bias else 0.0)) for c, w, d in zip(v, W, b, strict=True)) - y) ** 2
    )
    X, y = rng.normal(size=(6, width)), rng.normal(size=6)
    assert_like_eager(f, [W, b, v] if bias else [W, v], X, y)
    program = compile(f)
    wanted = program.value_and_grad(X, y)
    A = np.tanh(X @ numbers(W).reshape(3, width).T + (numbers(b) if bias else 0.0))
    np.testing.assert_allclose(wanted[0], ((A @ numbers(v) - y) ** 2).mean(), **CLOSE)
    for other in (np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], np.hstack([X, X])[:, :width], X[::-1][::-1]):
        value, gradient = program.value_and_grad(other, y)
        np.testing.assert_allclose(value, wanted[0], **CLOSE)
        np.testing.assert_allclose(gradient, wanted[1], **CLOSE)
        np.testing.assert_allclose(program(other, y), program(X, y), **CLOSE)


def test_samples_of_two_and_three_axes(rng):
    """A sample may be a matrix or a cube; δ comes back in its shape, and methods of arrays work inside."""
    w = leaves(rng)
    X = rng.normal(size=(4, 2, 3))
    assert_like_eager(lambda x: (x[0] * x[1] * w).sum() + x[1, 2] ** 2, [w], X)
    cube = rng.normal(size=(2, 2, 2, 3))
    program = compile(lambda x: (x * x).sum() / 2 * w)
    _, _, delta = program.value_and_grad(cube, reduce="sum", argnums=0)
    np.testing.assert_allclose(delta, cube * w.data, **CLOSE)


def test_arguments_that_all_rows_share(rng):
    """in_axes=None: no rows, one δ for all; with reduce=None one per row."""
    X, centre, scale = rng.normal(size=(5, 3)), rng.normal(size=3), 1.7
    program = compile(lambda x, c, s: sum((a - b) ** 2 for a, b in zip(x, c, strict=True)) * s, in_axes=(0, None, None))
    square = ((X - centre) ** 2).sum(axis=1)
    np.testing.assert_allclose(program(X, centre, scale), square * scale, **CLOSE)
    _, _, (dc, ds) = program.value_and_grad(X, centre, scale, argnums=(1, 2))
    np.testing.assert_allclose(dc, (-2 * scale * (X - centre)).mean(axis=0), **CLOSE)
    assert type(ds) is float
    np.testing.assert_allclose(ds, square.mean(), **CLOSE)
    _, _, (dc, ds) = program.value_and_grad(X, centre, scale, argnums=(1, -1), reduce=None)
    np.testing.assert_allclose(dc, -2 * scale * (X - centre), **CLOSE)
    np.testing.assert_allclose(ds, square, **CLOSE)
    _, _, dc = program.value_and_grad(X, centre, scale, argnums=1, reduce="sum", weights=np.arange(5.0))
    np.testing.assert_allclose(dc, -2 * scale * np.arange(5.0) @ (X - centre), **CLOSE)


def test_static_arguments_steer_the_function():
    """They arrive as they are, may be anything hashable, and another one traces anew: also where 1 == 1.0 == True."""
    seen = []

    def f(x, power, name):
        seen.append((power, name))
        return x**power if name == "power" else x + (100 if power is True else power)

    program = compile(f, static_argnums=(1, 2))
    X = np.array([1.0, 2.0])
    np.testing.assert_array_equal(program(X, 2, "power"), [1.0, 4.0])
    np.testing.assert_array_equal(program(X, 3, "power"), [1.0, 8.0])
    np.testing.assert_array_equal(program(X, 2, "power"), [1.0, 4.0])
    np.testing.assert_array_equal(program(X, 1, "plus"), [2.0, 3.0])
    np.testing.assert_array_equal(program(X, True, "plus"), [101.0, 102.0])
    assert len(seen) == 4
    _, _, dx = program.value_and_grad(X, 3, "power", argnums=0, reduce="sum")
    np.testing.assert_array_equal(dx, [3.0, 12.0])
    value, _, dx = program.value_and_grad(2.0, 3, "power", argnums=0)
    assert (value, dx) == (8.0, 12.0)


def test_many_outputs():
    """A sequence gives one more axis, nested ones two; constants and parameters among them."""
    w = Value(2.0)
    X = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    np.testing.assert_array_equal(
        compile(lambda x: [x[0] + x[1], w, 7, x[0]])(X), [[3, 2, 7, 1], [7, 2, 7, 3], [11, 2, 7, 5]]
    )
    nested = compile(lambda x: [[x[0], x[1]], (x[0] * w, x[1] * w)])(X)
    np.testing.assert_array_equal(nested, np.stack([X, 2 * X], axis=1))
    np.testing.assert_array_equal(compile(lambda x: x * x)(X), X * X)
    np.testing.assert_array_equal(compile(lambda x, y: (x + y, x - y))(1.0, 2.0), [3.0, -1.0])
    assert compile(lambda x: [x])(X[:, 0]).shape == (3, 1)
    with pytest.raises(TypeError, match=r"must return one number to have a gradient, got shape \(2,\)"):
        compile(lambda x: [x, x]).value_and_grad([1.0])


# How much of it.


def long_chain(x, w):
    """More steps than are worth a text of their own: they are run from a list."""
    h = x[0]
    for k in range(400):
        h = OPS["sin"](h + w[k % 3] * x[k % 2]) * 0.9
    return where(h > x[1], h, h * 0.5)


def test_programs_of_many_arrays(rng):
    """Over a thousand steps: the same answers, with weights, other rows, one more argument."""
    w = leaves(rng, 3)
    X, y = rng.normal(size=(3, 2)), rng.normal(size=3)
    f = lambda x, y: (long_chain(x, w) - y) ** 2
    values, gradients, (dX, dy) = eager(f, w, (X, y))
    program = compile(f)
    np.testing.assert_allclose(program(X, y), values, **CLOSE)
    weights = np.array([1.0, 2.0, 3.0])
    order = in_order(program, w)
    for _ in range(2):
        value, gradient = program.value_and_grad(X, y)
        np.testing.assert_allclose(gradient, gradients.mean(axis=0)[order], **CLOSE)
    value, gradient, by = program.value_and_grad(X, y, weights=weights, argnums=(0, 1), reduce="sum")
    np.testing.assert_allclose(value, values @ weights, **CLOSE)
    np.testing.assert_allclose(gradient, weights @ gradients[:, order], **CLOSE)
    np.testing.assert_allclose(by[0], dX * weights[:, None], **CLOSE)
    np.testing.assert_allclose(by[1], dy * weights, **CLOSE)


def rows_about(block):
    return [block - 1, block, block + 1, 2 * block + 3]


@pytest.mark.parametrize("kind", ["products", "arithmetic"])
def test_rows_about_the_size_of_a_block(kind):
    """Values, gradients, δ at the inputs, weights: one row less than a block, as many, one more, several blocks."""
    w = [Value(0.3), Value(-0.7), Value(0.2)]
    rng = np.random.default_rng(1)
    if kind == "products":
        f = lambda x: tanh(weighted_sum(w, x)) + tanh(weighted_sum(w[::-1], x))
    else:
        f = lambda x: tanh(x[0] * w[0]) * x[1] + w[1] * x[2]

    def by_hand(X):
        a, b, c = 0.3, -0.7, 0.2
        if kind == "products":
            p, q = np.tanh(X @ [a, b, c]), np.tanh(X @ [c, b, a])
            dp, dq = 1 - p**2, 1 - q**2
            by_w = dp[:, None] * X + dq[:, None] * X[:, ::-1]
            return p + q, by_w, np.outer(dp, [a, b, c]) + np.outer(dq, [c, b, a])
        t = np.tanh(X[:, 0] * a)
        slope = (1 - t**2) * X[:, 1]
        by_x = np.stack([slope * a, t, np.full(len(X), b)], axis=1)
        return t * X[:, 1] + b * X[:, 2], np.stack([slope * X[:, 0], X[:, 2]], axis=1), by_x

    program = compile(f)
    program.trace(np.zeros((1, 3)))
    block = next(iter(kept(program).versions.values())).block
    parameters = w if kind == "products" else w[:2]
    for rows in rows_about(block):
        X = rng.normal(size=(rows, 3))
        values, by_w, by_x = by_hand(X)
        np.testing.assert_allclose(program(X), values, **CLOSE)
        order = in_order(program, parameters)
        for _ in range(2):
            value, gradient = program.value_and_grad(X)
            np.testing.assert_allclose(value, values.mean(), rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(gradient, by_w.mean(axis=0)[order], rtol=1e-10, atol=1e-12)
        weights = rng.uniform(size=rows)
        value, gradient, dX = program.value_and_grad(X, argnums=0, weights=weights, reduce="sum")
        np.testing.assert_allclose(value, weights @ values, rtol=1e-10)
        np.testing.assert_allclose(gradient, (weights @ by_w)[order], rtol=1e-10)
        np.testing.assert_allclose(dX, by_x * weights[:, None], **CLOSE)


def test_constants_of_slopes_meet_only_where_their_product_is_a_float():
    """1e-200 · 1e-200 is 0, and what it scales may be large: f = 1e-200·eˣ · 1e-200·eʸ is its own derivative."""
    program = compile(lambda x, y: (1e-200 * exp(x)) * (1e-200 * exp(y)))
    x = np.array([690.0, 680.0, 670.0])
    value, _, (dx, dy) = program.value_and_grad(x, x, argnums=(0, 1), reduce=None)
    wanted = np.exp(2.0 * (x - 200.0 * math.log(10.0)))
    for got in (value, dx, dy):
        np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_an_answer_is_the_callers_own():
    """A later call writes into other memory; a derivative that is asked for twice is given twice."""
    program = compile(lambda x, y: tanh(x) * y)
    x, y = np.array([0.5, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])
    value, _, given = program.value_and_grad(x, y, argnums=(0, 1, 0), reduce=None)
    wanted = np.tanh(x) * y, ((1 - np.tanh(x) ** 2) * y, np.tanh(x), (1 - np.tanh(x) ** 2) * y)
    program.value_and_grad(y, x, argnums=(0, 1, 0), reduce=None)
    np.testing.assert_allclose(value, wanted[0], **CLOSE)
    np.testing.assert_allclose(given, wanted[1], **CLOSE)


@pytest.mark.parametrize("threads", [1, 2, 20])
def test_threads_share_the_blocks(threads):
    """However many threads there are, each row gets its own numbers, and the sums are right."""
    program = compile(lambda x, y: exp(-x * x) * y, threads=threads)
    program.trace([0.0], [0.0])
    block = next(iter(kept(program).versions.values())).block
    rows = 2 * max(threads, 2) * block + 5
    x, y = np.linspace(-2.0, 2.0, rows), np.linspace(0.0, 1.0, rows)
    np.testing.assert_allclose(program(x, y), np.exp(-x * x) * y, **CLOSE)
    value, _, (dx, dy) = program.value_and_grad(x, y, argnums=(0, 1), reduce="sum")
    np.testing.assert_allclose(value, (np.exp(-x * x) * y).sum(), rtol=1e-12)
    np.testing.assert_allclose(dx, -2 * x * np.exp(-x * x) * y, **CLOSE)
    np.testing.assert_allclose(dy, np.exp(-x * x), **CLOSE)


def test_threads_keep_to_cores_of_their_own():
    """No two of them on one core, all of them on the cores this process may use, and the caller where it was."""
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("a system that keeps it to itself")
    allowed = os.sched_getaffinity(0)
    together = threading.Barrier(2)

    def cores():
        together.wait()
        return os.sched_getaffinity(0)

    pool = compile(exp, threads=2).pool()
    first, second = (job.result() for job in [pool.submit(cores) for _ in range(2)])
    assert first | second == allowed
    assert not first & second or len(allowed) == 1
    assert os.sched_getaffinity(0) == allowed


@pytest.mark.parametrize("refused", [True, False])
def test_threads_without_cores_of_their_own(monkeypatch, refused):
    """Where the system refuses, or knows of no such thing, they compute the same."""
    if refused:

        def refuse(*_):
            raise PermissionError

        monkeypatch.setattr(os, "sched_setaffinity", refuse, raising=False)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    else:
        monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    x = np.linspace(-2.0, 2.0, 200_000)
    np.testing.assert_allclose(compile(exp, threads=2)(x), np.exp(x), **CLOSE)


# Edges.


def test_nan_and_infinities_stay_in_their_rows():
    """A row with NaN or infinity gives what the eager engine gives, and leaves the others alone."""
    X = np.array([[1.0, 2.0], [np.nan, 1.0], [np.inf, -1.0], [0.0, 3.0]])
    w = [Value(0.5), Value(2.0)]
    values = compile(lambda x: weighted_sum(w, x))(X)
    np.testing.assert_array_equal(values, [4.5, np.nan, np.inf, 6.0])
    _value, gradient = compile(lambda x: weighted_sum(w, x)).value_and_grad(X, reduce=None)
    np.testing.assert_array_equal(gradient, X)
    np.testing.assert_array_equal(compile(lambda x: 0.0 * x[0] + 1.0)(X), [1.0, np.nan, np.nan, 1.0])
    np.testing.assert_array_equal(compile(lambda x: (x[0] > 0.0) * 2.0)(X), [2.0, 0.0, 2.0, 0.0])


def test_zero_times_infinity_hands_nothing_on():
    """A branch not taken has an infinite slope: 0, as in the eager sweep; by rows, summed, weighted, shared, at a point."""
    w = [Value(1.0), Value(1.0)]
    f = lambda x, s: where(s > 0.0, sqrt(s), s) * weighted_sum(w, x) + where(x[0] > 0.0, sqrt(x[0]), 0.0)
    X, s = np.array([[0.0, 1.0], [4.0, 1.0]]), np.array([0.0, 4.0])
    program = compile(f)
    _, gradient, (dX, ds) = program.value_and_grad(X, s, argnums=(0, 1), reduce="sum")
    np.testing.assert_array_equal(gradient, [8.0, 2.0])
    np.testing.assert_array_equal(dX, [[0.0, 0.0], [2.25, 2.0]])
    np.testing.assert_array_equal(ds, [1.0, 1.25])
    _, gradient, ds = program.value_and_grad(X, s, argnums=1, reduce=None)
    np.testing.assert_array_equal(gradient, [[0.0, 0.0], [8.0, 2.0]])
    np.testing.assert_array_equal(ds, [1.0, 1.25])
    _, _, ds = program.value_and_grad(X, s, argnums=1, reduce="sum", weights=[1.0, 2.0])
    np.testing.assert_array_equal(ds, [1.0, 2.5])
    shared = compile(lambda x, s: where(s > 0.0, sqrt(s), 0.0) * x, in_axes=(0, None))
    assert shared.value_and_grad([1.0, 2.0], 0.0, argnums=1)[2] == 0.0
    assert compile(lambda s: where(s > 0.0, sqrt(s), 0.0)).value_and_grad(0.0, argnums=0)[2] == 0.0
    V = np.array([[np.inf, 1.0], [1.0, 1.0]])
    layer = compile(lambda x: where(weighted_sum(w, x) > 5.0, 1.0, weighted_sum(w, x)))
    np.testing.assert_array_equal(layer.value_and_grad(V, reduce=None)[1], [[0.0, 0.0], [1.0, 1.0]])
    np.testing.assert_array_equal(layer.value_and_grad(V, reduce="sum")[1], [1.0, 1.0])


def test_edges_at_one_point_are_those_of_arrays():
    """Where float arithmetic raises, one point gives what a row gives: infinity and NaN."""
    for f, x in (
        (log, 0.0),
        (log, -1.0),
        (exp, 1000.0),
        (lambda x: 1.0 / x, 0.0),
        (sqrt, -1.0),
        (lambda x: x**0.5, 0.0),
    ):
        program = compile(f)
        for _ in range(2):
            np.testing.assert_array_equal(program(x), program([x])[0])
            one, row = program.value_and_grad(x, argnums=0), program.value_and_grad([x], argnums=0)
            assert type(one[0]) is float
            np.testing.assert_array_equal(one[0], row[0])
            np.testing.assert_array_equal(one[2], row[2][0])


def test_no_warnings_whatever_the_numbers():
    """Infinities, overflows and underflows are IEEE's, and silent: also where the caller has NumPy raise."""
    w = Value(2.0)
    linear, steep = compile(lambda x: x * w), compile(lambda x: exp(x) * w)
    with np.errstate(all="raise"):
        for _ in range(2):
            for x, value, slope in (([np.inf, -np.inf], np.nan, np.nan), ([1e200, 1e200], 4e200, 2e200)):
                got = linear.value_and_grad(np.array(x), reduce="sum")
                np.testing.assert_array_equal([got[0], got[1][0]], [value, slope])
            np.testing.assert_array_equal(steep([1000.0, -1000.0]), [np.inf, 0.0])
            assert steep.value_and_grad([1000.0])[0] == np.inf
            assert steep.value_and_grad([-1000.0, -745.0], weights=[1.0, 0.0])[0] == 0.0
    value, gradient, slope = steep.value_and_grad(1000.0, reduce=None, argnums=0)
    assert (value, gradient.tolist(), slope) == (np.inf, [[np.inf]], np.inf)


def test_check_names_the_row():
    """check=True: NaN among the arguments, and operands outside their domain, by row and label."""
    w = Value(1.0, "w")
    program = compile(lambda x, p: log(p * w) * x[0] + x[1])
    X, p = np.ones((5000, 2)), np.ones(5000)
    assert program.value_and_grad(X, p, check=True)[0] == 1.0
    np.testing.assert_array_equal(program(X, p, check=True), np.ones(5000))
    p[4321] = -0.5
    for call in (program, program.value_and_grad):
        with pytest.raises(DomainError, match=r"row 4321: log of -0\.5, outside \(0, ∞\)"):
            call(X, p, check=True)
    X[17, 1] = np.nan
    with pytest.raises(ValueError, match=r"row 17 of x is NaN at \[1\]"):
        program(X, p, check=True)
    with pytest.raises(DomainError, match=r"^log of 0\.0, outside"):
        compile(log)(0.0, check=True)
    with pytest.raises(ValueError, match="is NaN"):
        compile(lambda x: x).value_and_grad(math.nan, check=True)
    assert math.isnan(program.value_and_grad(X, p)[0])


# The short ways, and whose numbers are whose.


def test_check_of_static_arguments_and_of_what_is_stopped():
    """Only numbers are looked at, `no_grad` changes nothing, and what no domain forbids is named all the same."""

    def f(kind, x):
        with no_grad():
            shift = log(x) if kind == "log" else x
        return sqrt(x) + shift

    program = compile(f, static_argnums=0)
    np.testing.assert_allclose(program("log", [1.0, 4.0], check=True), [1.0, 2.0 + math.log(4.0)], **CLOSE)
    with pytest.raises(DomainError, match=r"row 1: log of -4.0"):
        program("log", [1.0, -4.0], check=True)
    with pytest.raises(DomainError, match=r"row 1: sqrt of -4.0"):
        program("plain", [1.0, -4.0], check=True)
    with pytest.raises(ValueError, match="row 1 of x is NaN"):
        program("plain", [1.0, math.nan], check=True)
    with pytest.raises(DomainError, match=r"row 1: sub of inf and inf is not a real number"):
        compile(lambda x: (x + 1.0) - x)([1.0, math.inf], check=True)


def test_calls_of_every_kind_in_any_order(rng):
    """A program remembers its last call; other shapes, kinds of numbers, orders of calls get their own answers."""
    w = leaves(rng, 2)
    f = lambda x, y: (tanh(weighted_sum(w, x)) - y) ** 2
    program = compile(f)

    def check(X, y, reduce):
        t = np.tanh(np.asarray(X, float) @ numbers(w))
        values, slope = (t - y) ** 2, 2 * (t - y) * (1 - t**2)
        by = slope[:, None] * np.asarray(X, float)
        value, gradient = program.value_and_grad(X, y, reduce=reduce)
        order = in_order(program, w)
        scale = 1.0 / len(values) if reduce == "mean" else 1.0
        np.testing.assert_allclose(value, values.sum() * scale, **CLOSE)
        np.testing.assert_allclose(gradient, by.sum(axis=0)[order] * scale, **CLOSE)

    batches = [(rng.normal(size=(n, 2)), rng.normal(size=n)) for n in (3, 4, 3, 7)]
    for _ in range(3):
        for X, y in batches:
            check(X, y, "mean")
            check(X, y, "mean")
            check(X, y, "sum")
            check(X.astype(np.float32), y.astype(np.float32), "mean")
            check(np.asfortranarray(X), y[::-1], "mean")
            check(X.tolist(), y.tolist(), "sum")
            w[0].data += 0.25
            check(X, y, "mean")
    with pytest.raises(ValueError, match="got 4 in y and 3 in x"):
        program.value_and_grad(batches[0][0], batches[1][1])
    check(*batches[0], "mean")


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_the_short_way_through_several_blocks(rng, reduce):
    """Batches of more rows than fit the cache: each call as the first one, which goes the long way.

    To the rounding of a sum of 4,003 terms: a BLAS adds up blocks, and other layouts of them, in orders of its own.
    """
    W, v = leaves(rng, 8, 3), leaves(rng, 9)

    def f(x, y):
        return (weighted_sum(v[:8], [tanh(weighted_sum(w, x)) for w in W], v[8]) - y) ** 2

    program = compile(f)
    X, y = rng.normal(size=(4_003, 3)), rng.normal(size=4_003)

    def same(X, y):
        value, gradient = program.value_and_grad(X, y, reduce=reduce)
        again = compile(f).value_and_grad(X, y, reduce=reduce)
        assert value == pytest.approx(again[0], rel=1e-13, abs=0.0)
        np.testing.assert_allclose(gradient, again[1], rtol=1e-13, atol=1e-13 * np.abs(again[1]).max())
        hidden = np.tanh(X @ numbers(W).reshape(8, 3).T)
        error = hidden @ numbers(v)[:8] + numbers(v)[8] - y
        scale = 1 / len(y) if reduce == "mean" else 1.0
        np.testing.assert_allclose(value, np.sum(error**2) * scale, **CLOSE)
        place = [p is v[8] for p in program.parameters].index(True)
        np.testing.assert_allclose(gradient[place], np.sum(2 * error) * scale, **CLOSE)

    for _ in range(2):
        same(X, y)
        same(X[::-1], np.repeat(y, 2)[::2])
        same(np.asfortranarray(X), y)
        v[8].data += 0.5
    with program.training(X, y) as numbers_of:
        place = [p is v[8] for p in program.parameters].index(True)
        before = program.value_and_grad(X, y, reduce=reduce)[1][place]
        numbers_of[place] += 1.0
        scale = 1.0 if reduce == "mean" else len(y)
        assert program.value_and_grad(X, y, reduce=reduce)[1][place] == pytest.approx(before + 2.0 * scale)
    far = X.copy()
    far[3_999], y[3_999] = 0.0, 1e200
    value, gradient = program.value_and_grad(far, y, reduce=reduce)
    assert value == math.inf
    assert math.isfinite(gradient[place])


def test_large_and_infinite_terms_of_logsumexp(rng):
    """The largest is taken out of the exponent; infinite ones are as in the eager engine, in groups and alone."""
    W = leaves(rng, 3, 4)
    for f, p in (
        (lambda x: logsumexp(list(x)), []),
        (lambda x: logsumexp([weighted_sum(w, x) for w in W]), flat(W)),
        (lambda x: sum(logsumexp([x[i], x[j], 1.0]) for i in range(4) for j in range(4)), []),
    ):
        X = np.array([[1000.0, 1001.0, -999.0, 0.0], [-1e4, -2e4, -1e4, -1e4], [0.0, 1.0, 2.0, 3.0]])
        assert_like_eager(f, p, X)
        program = compile(f)
        for x in ([math.inf, 1.0, 0.0, 2.0], [-math.inf] * 4, [-math.inf, 1.0, 2.0, 3.0]):
            X[1] = x
            got = program(X)
            np.testing.assert_allclose(got, [f(row).data for row in X.tolist()] if p else [
                float(f([Value(e) for e in row]).data) for row in X.tolist()], rtol=1e-13)  # fmt: skip


def test_zero_times_infinity_in_matrix_products(rng):
    """δ that is 0 meets an infinite weight or input in a layer: nothing is handed on, by either product."""
    W, v = leaves(rng, 4, 3), leaves(rng, 4)
    f = lambda x: sum(v_i * relu(weighted_sum(w, x)) for v_i, w in zip(v, W, strict=True))
    program = compile(f)
    X = np.array([[1.0, 2.0, 3.0], [math.inf, 1.0, 0.0], [-1.0, 0.5, 2.0]])
    for p, number in zip(flat(W), [1.0, 2.0, 1.0, -1.0, -1.0, -1.0, 0.5, 1.0, 0.25, -2.0, -1.0, -3.0], strict=True):
        p.data = number
    _, gradient, by = program.value_and_grad(X, reduce=None, argnums=0)
    W[3][0].data = -math.inf  # its neuron is off for the first two rows, and δ of it 0
    for first_rows in (X[:1], X[:2]):
        _, gradient, by = program.value_and_grad(first_rows, reduce=None, argnums=0)
        for row, of_parameters, of_inputs in zip(first_rows.tolist(), gradient, by, strict=True):
            for p in (*v, *flat(W)):
                p.zero_grad()
            inputs = [Value(x) for x in row]
            out = f(inputs)
            if math.isfinite(out.data):
                out.backward()
                np.testing.assert_allclose(of_parameters, [p.grad for p in program.parameters], **CLOSE)
                np.testing.assert_allclose(of_inputs, [x.grad for x in inputs], **CLOSE)
        summed = program.value_and_grad(first_rows, reduce="sum")[1]
        np.testing.assert_allclose(summed, gradient.sum(axis=0), **CLOSE)
        assert np.isfinite(program.value_and_grad(first_rows, reduce="sum", argnums=0)[2][:1]).all()


def test_the_short_way_is_left_where_the_call_is_another(rng):
    """What is not finite, another kind of numbers, another shape while training: as the long way has it."""
    w = Value(0.5, "w")
    program = compile(lambda x: where(x > 0.0, w * log(x), w * w))
    x = np.array([-1.0, 0.0])
    for _ in range(3):
        value, gradient = program.value_and_grad(x)
        assert (value, gradient.tolist()) == (0.25, [1.0])
    a, b = Value(2.0, "a"), Value(3.0, "b")
    program = compile(lambda x: (a * x[0] + b * x[1]) * b if len(x) == 2 else (b * x[1] + a * x[0]) * a)
    two, three = np.ones((4, 2)), np.ones((5, 3))
    for _ in range(3):  # each shape has its own order
        for X in (two, three):
            gradient = program.value_and_grad(X)[1]
            by = {p.label: g for p, g in zip(program.parameters, gradient, strict=True)}
            assert by == ({"a": 3.0, "b": 8.0} if X is two else {"a": 7.0, "b": 2.0})
    for bad, kind in ((two.astype(complex), "complex"), (two.astype(str), "U32"), (two.astype(object) + 1j, "complex")):
        with pytest.raises(TypeError, match=f"x must be numbers, got .*{kind}"):
            program.value_and_grad(bad)
    with program.training(two):  # the order of the array, for both
        for X in (two, three, two, three):
            by = {p.label: g for p, g in zip(program.parameters, program.value_and_grad(X)[1], strict=True)}
            assert by == ({"a": 3.0, "b": 8.0} if X is two else {"a": 7.0, "b": 2.0})


def test_infinite_ends_of_domains_are_inside():
    """log of ∞ is ∞, no error, also with check=True; an end that is no infinity stays outside."""
    assert compile(log)([1.0, math.inf], check=True).tolist() == [0.0, math.inf]
    assert compile(exp)([-math.inf], check=True).tolist() == [0.0]
    with pytest.raises(DomainError, match=r"row 0: log of -inf, outside"):
        compile(log)([-math.inf], check=True)


def test_returned_arrays_are_the_callers_own(rng):
    """A later call overwrites nothing that an earlier one gave; writing into an answer changes no later one."""
    w = leaves(rng, 3)
    program = compile(lambda x: weighted_sum(w, x) ** 2)
    X = rng.normal(size=(4, 3))
    calls = [
        lambda X: [program(X)],
        lambda X: [program.value_and_grad(X)[1]],
        lambda X: [program.value_and_grad(X, reduce="sum")[1]],
        lambda X: list(program.value_and_grad(X, argnums=0)[1:]),
        lambda X: list(program.value_and_grad(X, reduce=None, argnums=0)),
    ]
    for call in calls:
        first = call(X)
        kept = copy.deepcopy(first)
        second = call(2 * X)
        for a, b, c in zip(first, kept, second, strict=True):
            np.testing.assert_array_equal(a, b)
            assert not np.shares_memory(a, c)
            a[...] = np.nan
        for a, b in zip(call(X), kept, strict=True):
            np.testing.assert_array_equal(a, b)


def test_points_and_batches_have_one_order(rng):
    """Whoever holds `parameters` from a call of the other kind pairs the derivatives as they belong, whichever came first."""
    a, b, c = (Value(x, name) for x, name in ((2.0, "a"), (3.0, "b"), (5.0, "c")))
    W = leaves(rng, 3, 4)
    layer = lambda x, y: sum(tanh(weighted_sum(w[:2], [x, y], w[2]) + exp(w[3]) * x) for w in W)
    for f in (lambda x, y: (b * x + a) * c * y + a, layer, lambda x, y: (a + b) * c * x - y / a):
        x, y = rng.normal(size=2)
        out = f(Value(x), Value(y))
        out.backward()
        calls = [lambda p, x=x, y=y: p.value_and_grad(x, y)[1], lambda p, x=x, y=y: p.value_and_grad([x], [y])[1]]
        for first, second in (calls, calls[::-1]):
            program = compile(f)
            first(program)
            held = program.parameters
            gradient = second(program)
            assert [id(p) for p in program.parameters] == [id(p) for p in held]
            np.testing.assert_allclose(gradient, [p.grad for p in held], **CLOSE)
        for p in (a, b, c, *flat(W)):
            p.zero_grad()


def test_a_point_after_a_batch_and_a_batch_after_a_point():
    """`backward` adds what belongs to each, also where a call took the short way."""
    W = [[Value(float(i * 3 + j), f"w{i}{j}") for j in range(3)] for i in range(2)]
    v = [Value(1.0 + i, f"v{i}") for i in range(3)]
    f = lambda x, y: sum(tanh(weighted_sum(row, [v[0] * x, v[1] * y, v[2] * x * y]) / 9) for row in W)
    program = compile(f)
    x = np.array([0.1, 0.2])
    everything = flat([W, v])
    f(0.1, 0.3).backward()
    wanted = [p.grad for p in everything]
    for _ in range(3):
        _value, gradient = program.value_and_grad(0.1, 0.3)
        np.testing.assert_allclose(gradient, np.array(wanted)[in_order(program, everything)], **CLOSE)
        program(x, x)
        for p in everything:
            p.zero_grad()
        program.backward(0.1, 0.3)
        np.testing.assert_allclose([p.grad for p in everything], wanted, **CLOSE)
        program(x, x)


def test_a_point_takes_the_short_way_only_where_it_leads():
    """After a call with floats: integers, an overflow, a training block, a row by itself give what is right for each."""
    w = Value(2.0, "w")
    program = compile(lambda x, y: w * exp(x) + y)
    once = lambda x, y: (w.data * math.exp(x) + y, math.exp(x))
    for x, y in ((0.5, 1.0), (0.25, 2.0), (1, 2), (0.5, -1.0)):
        value, gradient = program.value_and_grad(x, y)
        np.testing.assert_allclose([value, *gradient], once(x, y), rtol=1e-15)
    assert program.value_and_grad(1000.0, 1.0)[0] == math.inf
    with pytest.raises(TypeError, match="argument"):
        program.value_and_grad(0.5)
    with program.training(0.5, 1.0) as parameters:
        parameters[:] = 3.0
        assert program.value_and_grad(0.5, 1.0)[0] == pytest.approx(3.0 * math.exp(0.5) + 1.0)
        assert program(0.5, 1.0) == pytest.approx(3.0 * math.exp(0.5) + 1.0)
    assert w.data == 3.0
    value, gradient, by = program.value_and_grad(0.5, 1.0, reduce=None, argnums=[0, 1])
    assert gradient.shape == (1, 1)
    np.testing.assert_allclose([*gradient[0], *by], [math.exp(0.5), 3.0 * math.exp(0.5), 1.0], rtol=1e-15)


def test_another_number_of_arguments_after_the_short_way(rng):
    """A call like the last one but for an argument too many is refused by the function itself."""
    program = compile(lambda x: x * x)
    x = rng.normal(size=4)
    for _ in range(2):
        assert program.value_and_grad(x)[0] == pytest.approx((x * x).mean())
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        program.value_and_grad(x, x)
    assert program.value_and_grad(x)[0] == pytest.approx((x * x).mean())


def test_weights_without_a_sum_scale_each_row(rng):
    """With `reduce=None` and weights: weight · value and weight · slope of each row."""
    w = Value(1.5)
    x, weights = rng.normal(size=4), np.array([0.0, 1.0, -2.0, 3.0])
    value, gradient, dx = compile(lambda x: w * x * x).value_and_grad(x, reduce=None, weights=weights, argnums=0)
    np.testing.assert_allclose(value, weights * 1.5 * x * x, **CLOSE)
    np.testing.assert_allclose(gradient[:, 0], weights * x * x, **CLOSE)
    np.testing.assert_allclose(dx, weights * 3.0 * x, **CLOSE)


def test_shapes_and_rows_without_end(rng):
    """Programs for a few shapes, and buffers for a few numbers of rows, are kept; with more of them the numbers stay right."""
    traces = []
    program = compile(lambda x: traces.append(len(x)) or sum(tanh(each) for each in x), traces=8)
    batches = [rng.normal(size=(3, width)) for width in [*range(1, 13), 12, 1]]
    for X in batches[:-1]:
        np.testing.assert_allclose(program(X), np.tanh(X).sum(axis=1), **CLOSE)
    with pytest.warns(RuntimeWarning, match="is traced again"):
        answer = program(batches[-1])
    np.testing.assert_allclose(answer, np.tanh(batches[-1]).sum(axis=1), **CLOSE)
    assert traces == [*range(1, 13), 1]  # the last is still there, the first was let go
    for rows in (*range(1, 13), 1):
        X = rng.normal(size=(rows, 1))
        np.testing.assert_allclose(program(X), np.tanh(X[:, 0]), **CLOSE)
    for version in kept(program).versions.values():
        buffers = [version.instance(rows) for rows in range(1, 13)]
        assert version.instance(12) is buffers[-1]
        assert version.instance(1) is not buffers[0]


def test_callables_without_a_signature():
    """Some callables tell no names, which of the built-in ones goes by the Python: errors number their arguments."""

    class Nameless:
        __signature__ = "refused by inspect, as max is, which has none"

        def __call__(self, x):
            return log(x)

    program = compile(Nameless())
    x = np.array([1.0, 2.0])
    np.testing.assert_allclose(program(x), np.log(x), rtol=1e-15)
    with pytest.raises(ValueError, match="row 1 of argument0 is NaN"):
        program([1.0, math.nan], check=True)


def test_other_things_beside_a_stand_in(rng):
    """Arrays on either side give arrays, boxes what they hold, a subclass of float a number; text is refused as by Values."""
    x, many = np.array([-1.5, 0.5, 2.0]), np.array([-1.0, 0.5, 3.0])
    for f, wanted in (
        (lambda x: x * many, np.multiply.outer(x, many)),
        (lambda x: many - x, many - x[:, None]),
        (lambda x: maximum(x, many), np.maximum.outer(x, many)),
        (lambda x: OPS["atan2"](x, many), np.arctan2.outer(x, many)),
        (lambda x: x > many, np.greater.outer(x, many)),
        (lambda x: x == many, np.equal.outer(x, many)),
        (lambda x: x + np.array(2.0), x + 2.0),
        (lambda x: 2.0**x - x**2.0, 2.0**x - x**2),
        (lambda x: np.array(2.0) * x, 2.0 * x),
        (lambda x: (x < np.array(1.0)) + np.float32(1.0), (x < 1.0) + 1.0),
        (lambda x: x.relu() + x.sigmoid() + x.tanh() + x.exp(), np.maximum(x, 0) + 1 / (1 + np.exp(-x)) + np.tanh(x) + np.exp(x)),
    ):  # fmt: skip
        np.testing.assert_allclose(compile(f)(x), wanted, rtol=1e-14)
    for f in (lambda x: x + "text", lambda x: "text" * x, lambda x: x < "text", lambda x: x**None):
        for call in (lambda: compile(f)(x), lambda: f(Value(1.0))):
            with pytest.raises(TypeError):
                call()
    assert compile(lambda x: x * ((x == "text") + 1.0))([3.0]) == [3.0]
    outside = Value(2.0) * 3.0
    for f in (lambda x: x + np.array(outside), lambda x: x > outside, lambda x: x == np.array(outside)):
        with pytest.raises(TraceError, match="computed outside it"):
            compile(f)(x)


def test_a_stand_in_can_be_printed():
    """Debugging prints show a name, and nothing that looks like a number."""
    shown = []
    compile(lambda speed: shown.append(str(speed) + " " + repr(speed * 2.0)) or speed)([1.0])
    assert shown == ["<traced speed> <traced number>"]


def test_constants_beyond_a_domain_are_nan_in_their_branch():
    """log(−1) of constants is NaN, as NumPy has it, where it is chosen, and disturbs no other row."""
    program = compile(lambda x: where(x > 0.0, x * x, log(Value(-1.0))))
    value, _, dx = program.value_and_grad([3.0, -1.0], reduce=None, argnums=0)
    np.testing.assert_array_equal(value, [9.0, math.nan])
    assert dx[0] == 6.0


def test_infinite_constants_at_one_point():
    """Bounds that are no bounds: infinities among the constants."""
    f = lambda x: clip(x, -math.inf, math.inf) + minimum(exp(x), math.inf) + maximum(x, -math.inf)
    assert compile(f).value_and_grad(0.5, argnums=0)[2] == pytest.approx(2.0 + math.exp(0.5))
    assert math.isnan(compile(lambda x: where(x > 0.0, math.nan, x))(1.0))


def test_a_slope_that_cancels():
    """Where the δ of two uses is together 0, nothing is handed on."""
    program = compile(lambda x: exp(x) - exp(x) + 3.0 * x)
    value, _, dx = program.value_and_grad([1.0, 2.0], argnums=0, reduce="sum")
    assert value == pytest.approx(9.0)
    np.testing.assert_array_equal(dx, [3.0, 3.0])


def test_tracing_happens_once_per_shape():
    """f runs when a shape is new, and never for other numbers, other rows, or changed parameters."""
    calls = []
    w = Value(1.0)

    def f(x):
        calls.append(1)
        return sum(x) * w

    program = compile(f)
    for n in (1, 2, 5, 2):
        program(np.ones((n, 3)))
        program.value_and_grad(np.ones((n, 3)), argnums=0)
        w.data = float(n)
        assert program.value_and_grad(np.ones((n, 3)))[0] == 3.0 * n
        with program.training() as parameters:
            parameters += 1.0
            program.value_and_grad(np.ones((n, 3)))
    assert len(calls) == 1
    assert program(np.ones((2, 4)))[0] == 12.0
    assert len(calls) == 2
    program(np.ones((1, 3)))
    program(np.ones((1, 4)))
    assert len(calls) == 2


# Training.


def test_training_ends_with_what_it_reached_however_it_ends():
    """The flat array is the truth inside, the Values have it afterwards, also after an exception."""
    w, b = Value(1.0, "w"), Value(0.0, "b")
    program = compile(lambda x, y: (w * x + b - y) ** 2)
    x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0])
    with program.training(x, y) as parameters:
        for _ in range(400):
            _, gradient = program.value_and_grad(x, y)
            parameters -= 0.2 * gradient
    np.testing.assert_allclose([w.data, b.data], [2.0, 1.0], rtol=1e-9)
    with pytest.raises(KeyError), program.training() as parameters:
        parameters[:] = 7.0
        np.testing.assert_array_equal(program(x, y), (7.0 * x + 7.0 - y) ** 2)
        value, gradient = program.value_and_grad(x, y)
        np.testing.assert_allclose(value, ((7.0 * x + 7.0 - y) ** 2).mean())
        raise KeyError
    assert (w.data, b.data) == (7.0, 7.0)
    np.testing.assert_array_equal(program(x, y), (7.0 * x + 7.0 - y) ** 2)
    w.data = 0.0
    np.testing.assert_allclose(program.value_and_grad(x, y)[0], ((7.0 - y) ** 2).mean(), rtol=1e-14)


def test_training_is_gradient_descent_on_values(rng):
    """Fifty steps in the flat array and fifty on Values: the same parameters to 1e-12."""
    W, b, v = leaves(rng, 4, 2), leaves(rng, 4), leaves(rng, 4)
    parameters = flat([W, b, v])
    f = lambda x, y: (weighted_sum(v, [tanh(weighted_sum(w, x, c)) for w, c in zip(W, b, strict=True)]) - y) ** 2
    X, y = rng.normal(size=(6, 2)), rng.normal(size=6)
    start = [p.data for p in parameters]
    for _ in range(50):
        for p in parameters:
            p.zero_grad()
        mean([f(x, t) for x, t in zip(X.tolist(), y.tolist(), strict=True)]).backward()
        for p in parameters:
            p.data -= 0.05 * p.grad
    wanted = [p.data for p in parameters]
    for p, x in zip(parameters, start, strict=True):
        p.data = x
    program = compile(f)
    with program.training(X, y) as array:
        for _ in range(50):
            array -= 0.05 * program.value_and_grad(X, y)[1]
    np.testing.assert_allclose([p.data for p in parameters], wanted, rtol=1e-12)


def test_training_refuses_what_it_cannot_follow():
    """Nested blocks, no shape at all: clear errors, and the block goes on; another shape is none."""
    w = Value(1.0)
    program = compile(lambda x: sum(x) * w)
    with pytest.raises(TypeError, match="pass it a batch"), program.training():
        pass
    with program.training(np.ones((2, 3))) as parameters:
        parameters[:] = 5.0
        with pytest.raises(RuntimeError, match="training already"), program.training():
            pass
        np.testing.assert_array_equal(program(np.ones((2, 4))), [20.0] * 2)
        assert program.value_and_grad(np.ones((2, 4)))[1].tolist() == [4.0]
        np.testing.assert_array_equal(program(np.ones((4, 3))), [15.0] * 4)
    assert w.data == 5.0
    program(np.ones((2, 4)))
    with pytest.raises(ValueError, match="at least one row"), program.training(np.ones((0, 3))):
        pass
    with program.training() as parameters:
        parameters[:] = 2.0
    assert w.data == 2.0


def test_backward_adds_as_the_eager_loop_does(rng):
    """`grad` of the parameters grows by the mean's derivatives, call after call; a mean that is no number adds nothing."""
    w, b = leaves(rng, 3), leaves(rng)
    f = lambda x: softplus(weighted_sum(w, x, b))
    X = rng.normal(size=(5, 3))
    everything = [*w, b]

    def by_hand(**_):
        for _ in range(2):
            mean([f(x) for x in X.tolist()]).backward()

    by_hand()
    wanted = [p.grad for p in everything]
    for p in everything:
        p.zero_grad()
    program = compile(f)
    value = program.backward(X)
    assert value == pytest.approx(program(X).mean(), rel=1e-14)
    program.backward(X)
    np.testing.assert_allclose([p.grad for p in everything], wanted, **CLOSE)
    program.backward(X, reduce="sum", weights=np.full(5, -0.4))
    np.testing.assert_allclose([p.grad for p in everything], np.zeros(4), atol=1e-12)
    kept = [p.grad for p in everything]
    with pytest.raises(ValueError, match="backward from nan"):
        program.backward(np.full((1, 3), np.nan))
    with pytest.raises(ValueError, match="reduce must be 'mean' or 'sum'"):
        program.backward(X, reduce=None)
    assert [p.grad for p in everything] == kept


# Honesty.


def decide_by_if(x):
    return x if x > 0 else -x  # THE LINE


def decide_by_while(x):
    while x < 3:  # THE LINE
        x = x * 2
    return x


HONEST = {
    "if": decide_by_if,
    "while": decide_by_while,
    "float": lambda x: x * float(x),
    "int": lambda x: x * int(x),
    "math": lambda x: math.exp(x),
    "data": lambda x: x * x.data,
    "data=": lambda x: setattr(x, "data", 1.0),
    "grad": lambda x: x * x.grad,
    "grad=": lambda x: setattr(x, "grad", 1.0),
    "operands": lambda x: (x * x).operands,
    "partials": lambda x: (x * x).partials,
    "zero_grad": lambda x: x.zero_grad(),
    "backward": lambda x: (x * x).backward(),
    "index": lambda x: [1, 2, 3][x],
    "range": lambda x: range(x),
    "max": lambda x: max(x, 0.0),
    "min": lambda x: min(0.0, x * 2),
    "sorted": lambda x: min([x, x * 2]),
    "and": lambda x: x > 0 and x < 1,
    "not": lambda x: not x,
    "chain": lambda x: 0 < x < 1,
    "in": lambda x: x in [1.0, 2.0],
    "any": lambda x: any([x > 0]),
    "format": lambda x: f"{x:.3f}",
    "copy": lambda x: copy.copy(x),
    "deepcopy": lambda x: copy.deepcopy([x]),
    "pickle": lambda x: pickle.dumps(x),
    "np.sort": lambda x: np.sort(np.array([x, x * 2]))[0],
}


@pytest.mark.parametrize("name", HONEST)
def test_asking_for_the_number_names_the_line(name):
    """Whatever would freeze one sample's answer raises TraceError, with file and line of the user's code and advice."""
    f = HONEST[name]
    with pytest.raises(TraceError) as caught:
        compile(f)([1.0, 2.0])
    message = str(caught.value)
    lines, first = inspect.getsourcelines(f)
    line = first + next((i for i, text in enumerate(lines) if "THE LINE" in text), 0)
    assert f"{__file__}:{line}: {lines[line - first].strip()}" in message
    assert re.search(r"use .*(autodiff\.(where|maximum|exp|trunc|pick|grad)\b|has_aux=True|the program returns|"
                     r"as it is|without float\(\))", message)  # fmt: skip
    assert "static_argnums" in message
    assert ("autodiff.pick(table, i)" in message) == (name in {"index", "int", "range", "in"})
    assert (Value(2.0) * 3.0).data == 6.0  # nothing is traced any more
    assert autodiff.value.grad_mode.contexts == 0


def test_parameters_are_no_numbers_either():
    """Reading, assigning or deciding by a parameter's data while tracing is refused, with its label."""
    w = Value(2.0, "w")

    def assign(x):
        w.data = 5.0
        return w * x

    def assign_own(x):
        scale = Value(0.0, "scale")
        scale.data = 5.0
        return scale * x

    for f, what in (
        (lambda x: x * w.data, "reading .data of 'w'"),
        (assign, "assigning .data of 'w'"),
        (assign_own, "assigning .data of 'scale'"),
    ):
        with pytest.raises(TraceError, match=what):
            compile(f)([1.0])
    for f in (lambda x: x if w > 0 else -x, lambda x: x if w else -x, lambda x: x if w == 2.0 else -x):
        with pytest.raises(TraceError, match="deciding"):
            compile(f)([1.0])
    assert w.data == 2.0
    assert w > 1.0


def test_conditions_are_numbers_for_where():
    """Comparisons, joined with &, | and ^, with numbers on either side, are 1 or 0, and steer `where`."""
    x, y = np.array([-1.0, 0.0, 2.0, 3.0]), np.array([1.0, 0.0, -1.0, 3.0])
    cases = [
        (lambda x, y: x > 0, x > 0), (lambda x, y: x > 0, x > 0), (lambda x, y: x >= y, x >= y), (lambda x, y: x <= 2, x <= 2),
        (lambda x, y: x == y, x == y), (lambda x, y: x != y, x != y), (lambda x, y: (x > 0) & (y > 0), (x > 0) & (y > 0)),
        (lambda x, y: (x > 0) | (y > 0), (x > 0) | (y > 0)), (lambda x, y: (x > 0) ^ (y > 0), (x > 0) ^ (y > 0)),
        (lambda x, y: True & (x > 0), x > 0), (lambda x, y: (x > 0) | False, x > 0),
    ]  # fmt: skip
    for f, wanted in cases:
        np.testing.assert_array_equal(compile(f)(x, y), wanted.astype(float))
        chosen = compile(lambda x, y, f=f: where(f(x, y), x + 10.0, y - 10.0))
        np.testing.assert_array_equal(chosen(x, y), np.where(wanted, x + 10.0, y - 10.0))
        np.testing.assert_array_equal([chosen(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)], chosen(x, y))
        _, _, (dx, dy) = chosen.value_and_grad(x, y, argnums=(0, 1), reduce="sum")
        np.testing.assert_array_equal(dx, wanted.astype(float))
        np.testing.assert_array_equal(dy, (~wanted).astype(float))


def test_side_effects_happen_once():
    """Printing, counting, drawing random numbers: while tracing, and frozen from then on."""
    drawn = iter([0.25, 0.75])
    program = compile(lambda x: x + next(drawn))
    np.testing.assert_array_equal(program([0.0, 1.0]), [0.25, 1.25])
    np.testing.assert_array_equal(program([0.0]), [0.25])


def test_exceptions_inside_leave_nothing_behind():
    """The function's own error arrives as it is; the next call traces afresh; the engine records as before."""
    fail = [True]

    def f(x):
        if fail[0]:
            raise LookupError("mine")
        return x * 2

    program = compile(f)
    for _ in range(2):
        with pytest.raises(LookupError, match="mine"):
            program([1.0])
    w = Value(3.0)
    (w * w).backward()
    assert w.grad == 6.0
    fail[0] = False
    np.testing.assert_array_equal(program([1.0]), [2.0])


def test_stand_ins_that_leave_the_function():
    """A leaked stand-in says so; so does one of another trace, and a Value computed outside."""
    leaked = []
    compile(lambda x: leaked.append(x) or x)([1.0])
    for use in (lambda s: s + 1.0, lambda s: s.data, lambda s: bool(s), lambda s: exp(s)):
        with pytest.raises(TraceError, match=r"(left|leave) the function it was traced in"):
            use(leaked[0])
    with pytest.raises(TraceError, match="belongs to another trace"):
        compile(lambda x: x + leaked[0])([1.0])
    w = Value(2.0, "w")
    outside = w * 3.0
    outside.label = "tripled"
    with pytest.raises(TraceError, match="'tripled', which was computed outside"):
        compile(lambda x: x * outside)([1.0])


def test_a_program_inside_a_program():
    """Traced, it becomes a part of the other."""
    w = Value(2.0, "w")
    inner = compile(lambda x: w * x * x)
    np.testing.assert_array_equal(compile(lambda x: inner(x) + inner([x, 1.0])[1])([1.0, 2.0]), [4.0, 10.0])
    outer = compile(lambda x: inner.f(x) + compile(lambda y: y * y)(3.0))
    np.testing.assert_array_equal(outer([1.0, 2.0]), [11.0, 17.0])
    assert inner(3.0) == 18.0


BAD_CALLS = [
    (lambda p: p([]), ValueError, "x must have at least one row"),
    (lambda p: p(np.zeros((0, 3))), ValueError, "x must have at least one row"),
    (lambda p: p([[1.0, 2.0], [3.0]]), ValueError, "x must have rows of one shape, got ragged ones"),
    (lambda p: p(["a"]), TypeError, "x must be numbers, got <U1"),
    (lambda p: p([1j]), TypeError, "x must be numbers, got complex128"),
    (lambda p: p([None, 1.0]), TypeError, "entries of type NoneType, float"),
    (lambda p: p.trace([Value(1.0)]), TypeError, "entries of type Value"),
    (lambda p: p.trace(Value(1.0)), TypeError, "x must be plain numbers, got a Value"),
    (lambda p: p(np.ma.array([1.0, 2.0], mask=[0, 1])), ValueError, "x must have no masked entries"),
    (lambda p: p([1.0], [2.0]), TypeError, "positional argument"),
    (lambda p: p.value_and_grad([1.0], reduce="max"), ValueError, "reduce must be 'mean', 'sum' or None, got 'max'"),
    (lambda p: p.value_and_grad([1.0], argnums=1), ValueError, "argnums must name arguments of the call"),
    (lambda p: p.value_and_grad([1.0], argnums=(0, -2)), ValueError, "argnums must name arguments of the call"),
    (lambda p: p.value_and_grad([1.0], argnums=0.5), TypeError, "argnums must be the position"),
    (lambda p: p.value_and_grad([1.0, 2.0], weights=[1.0]), ValueError, r"weights must be \(2,\)"),
    (lambda p: p.value_and_grad([1.0, 2.0], weights=[1.0, -1.0]), ValueError, "finite sum above 0"),
    (lambda p: p.value_and_grad([1.0, 2.0], weights=[1.0, np.nan]), ValueError, "finite sum above 0"),
    (lambda p: p.parameters, TypeError, "has not seen any yet"),
    (lambda p: p.source, TypeError, "has not seen any yet"),
    (lambda p: p.explain(), TypeError, "has not seen any yet"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), BAD_CALLS)
def test_bad_calls_are_named(call, error, message):
    """Each wrong argument by its name and with the way out; the program works on."""
    program = compile(lambda x: x * 2.0)
    with pytest.raises(error, match=message):
        call(program)
    np.testing.assert_array_equal(program([1.0]), [2.0])


def test_rows_must_agree():
    """Arguments with rows have as many, and a number beside them must be declared as shared."""
    program = compile(lambda x, y: x * y)
    with pytest.raises(ValueError, match="got 3 in y and 2 in x"):
        program([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"y must have one entry per row.*in_axes=None"):
        program([1.0, 2.0], 3.0)
    with pytest.raises(ValueError, match="in_axes must have one entry per argument, got 1 for 2"):
        compile(lambda x, y: x * y, in_axes=[0])([1.0], [1.0])
    with pytest.raises(ValueError, match="static_argnums must name arguments of the call, got 2"):
        compile(lambda x, y: x * y, static_argnums=2)([1.0], [1.0])
    with pytest.raises(TypeError, match="static argument must be hashable"):
        compile(lambda x, y: x * y[0], static_argnums=1)([1.0], [1.0])
    with pytest.raises(ValueError, match="not static"):
        compile(lambda x, y: x * y, static_argnums=1).value_and_grad([1.0], 2.0, argnums=1)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"in_axes": 1}, ValueError), ({"in_axes": (0, -1)}, ValueError), ({"static_argnums": -1}, TypeError),
        ({"static_argnums": ["x"]}, TypeError), ({"threads": 0}, ValueError), ({"threads": 1.5}, ValueError),
    ],
)  # fmt: skip
def test_bad_options_are_refused_early(options, error):
    """When the program is made, not when it is called."""
    with pytest.raises(error, match=next(iter(options))):
        compile(lambda x: x, **options)
    with pytest.raises(TypeError, match="needs a function of one sample, got str"):
        compile("x + 1")


@pytest.mark.parametrize(
    "returned", [None, "text", {}, [], [[], []], [1.0, [2.0]], pytest.param(object(), id="an object")], ids=repr
)
def test_functions_that_return_no_numbers(returned):
    """They are named, and what they returned too."""
    with pytest.raises(TypeError, match="return"):
        compile(lambda x: returned)([1.0])


def test_no_columns(rng):
    """A sample of no numbers is a sample: the function may ignore it."""
    w = Value(2.0)
    value, gradient, dX = compile(lambda x: w * w + sum(x)).value_and_grad(np.zeros((3, 0)), argnums=0)
    assert (value, gradient.tolist(), dX.shape) == (4.0, [4.0], (3, 0))


# Copies and threads.


def test_pickle_and_copy_take_the_function_along():
    """A used program is pickled and copied as its function: the new one traces anew and gives the same."""
    program = compile(softplus, threads=1)
    x = np.array([-1.0, 0.5])
    wanted = program.value_and_grad(x, argnums=0)
    for other in (pickle.loads(pickle.dumps(program)), copy.copy(program), copy.deepcopy(program)):
        assert isinstance(other, Program)
        assert (other.f, other.threads) == (program.f, 1)
        got = other.value_and_grad(x, argnums=0)
        assert got[0] == wanted[0]
        np.testing.assert_array_equal(got[2], wanted[2])


def in_threads(*jobs):
    """Run them at once and hand on what they raised."""
    errors = []

    def guarded(job):
        try:
            job()
        except Exception as error:  # noqa: BLE001 # handed on below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_two_threads_call_one_program(rng):
    """Each gets the answers to its own call, tracing, batches and points alike."""
    w = leaves(rng, 3)
    X = rng.normal(size=(20, 3))
    batches = [X, X[::2] * 2, X[:1] + 1.0]
    f = lambda x: tanh(weighted_sum(w, x))
    wanted = [compile(f).value_and_grad(batch) for batch in batches]
    program = compile(f)

    def job(k):
        for _ in range(150):
            value, gradient = program.value_and_grad(batches[k])
            assert value == wanted[k][0]
            np.testing.assert_array_equal(gradient, wanted[k][1])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        in_threads(*[lambda k=k: job(k) for k in range(3)])
    finally:
        sys.setswitchinterval(interval)


def test_threads_trace_without_disturbing_each_other():
    """While one thread traces, others record graphs and trace programs of their own."""
    start = threading.Barrier(3)

    def tracing(k):
        start.wait()
        for _ in range(20):
            w = Value(float(k))
            program = compile(lambda x, w=w: sum(w * x**j for j in range(5)))
            np.testing.assert_array_equal(program([1.0, 0.0]), [5.0 * k, k])

    def recording():
        start.wait()
        for _ in range(300):
            x = Value(2.0)
            y = x * x + x
            y.backward()
            assert (y.data, x.grad) == (6.0, 5.0)

    in_threads(lambda: tracing(1), lambda: tracing(2), recording)


def test_a_program_is_described():
    """repr tells what it is of; the function's name, text and signature are the program's own."""

    def price(x):
        """A price."""
        return x * w

    w = Value(1.0)
    program = compile(price)
    assert repr(program) == "<Program price, not traced yet>"
    program.trace([1.0])
    assert repr(program) == "<Program price, 1 parameters>"
    assert (program.__name__, program.__doc__, list(inspect.signature(program).parameters)) == (
        "price",
        "A price.",
        ["x"],
    )
    assert sigmoid(0.0) == 0.5
    assert total([program(2.0)]) == 2.0


ALIKE = {
    "pair": lambda x: [x * x, x * x],
    "three": lambda x: [autodiff.erf(x)] * 3,
    "softmax of equals": lambda x: [s * x for s in autodiff.softmax([x, x])],
    "square of equals": lambda x: [[x * x, x * x], [x * x, x * x]],
    "one": lambda x: [x * x],
    "one in one": lambda x: [[autodiff.exp(x)]],
    "softmax of one": lambda x: autodiff.softmax([x]),
}


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5000])
@pytest.mark.parametrize("f", ALIKE.values(), ids=ALIKE)
def test_outputs_that_are_one_number(f, rows):
    """Entries that share one node, and arrays of one entry: each row has its own, whatever the number of rows."""
    x = np.linspace(0.5, 2.0, rows)
    expected = np.array([[f(v)] for v in map(Value, x[:5])], dtype=object)[:, 0]
    plain = np.vectorize(lambda v: v.data, otypes=[float])(expected)
    got = compile(f)(x)
    assert got.shape == (rows, *plain.shape[1:])
    np.testing.assert_allclose(got[:5], plain, rtol=1e-14)


def test_a_column_for_a_number_is_one():
    """An argument of shape (rows, 1) where the function takes one number computes as one, derivatives included."""
    x, y = np.arange(4.0), np.ones((4, 1))
    program = compile(lambda x, y: (x - y[0]) ** 2)
    value, _, by = program.value_and_grad(x, y, argnums=(0, 1), reduce="sum")
    assert value == np.sum((x - 1.0) ** 2)
    np.testing.assert_array_equal(by[0], 2.0 * (x - 1.0))
    np.testing.assert_array_equal(by[1], -2.0 * (x[:, None] - 1.0))
    np.testing.assert_array_equal(compile(lambda x, y: (x - y) ** 2)(x, y), (x[:, None] - 1.0) ** 2)


def test_no_grad_around_a_call_is_not_part_of_the_function():
    """A program that was first called to evaluate has its gradient all the same."""
    w = Value(2.0, "w")
    program = compile(lambda x: w * x)
    with no_grad():
        assert program([1.0, 2.0]).tolist() == [2.0, 4.0]
    assert program.value_and_grad([1.0, 2.0])[1].tolist() == [1.5]


def test_a_check_while_training_sees_the_weights_of_the_training():
    """And leaves them as they are; its errors are those of the engine with the same weights."""
    w = Value(2.0, "w")
    program = compile(lambda x: autodiff.log(w * x))
    with program.training([1.0, 2.0]) as flat:
        flat[:] = 10.0
        assert program([1.0, 2.0], check=True).tolist() == pytest.approx([math.log(10.0), math.log(20.0)])
        assert program.value_and_grad([1.0, 2.0], check=True)[1].tolist() == [0.1]
        assert flat.tolist() == [10.0]
        flat[:] = -3.0
        with pytest.raises(DomainError, match=r"row 0: log of -3\.0"):
            program([1.0, 2.0], check=True)
        assert flat.tolist() == [-3.0]
    assert w.data == -3.0


def test_static_arguments_that_are_equal_and_not_the_same():
    """Inside tuples too; and a zero has a sign."""
    power = compile(lambda x, n: x * 100.0 if n[0] is True else x * n[0], static_argnums=1)
    assert [power([1.0], n).tolist() for n in ((1,), (True,), (1,))] == [[1.0], [100.0], [1.0]]
    sign = compile(lambda x, n: x * math.copysign(1.0, n), static_argnums=1)
    assert [sign([1.0], n).tolist() for n in (0.0, -0.0)] == [[1.0], [-1.0]]


@pytest.mark.parametrize("f", [lambda x: x[0] * x[1], lambda x: len(x) * x[0], lambda x: sum(x)])
def test_a_row_that_is_one_number_is_told_so(f):
    """Where the function takes several, an axis is missing."""
    with pytest.raises(TypeError, match=r"one row of x is ONE number in this call; .* one more axis in front"):
        compile(f)(np.zeros(4))


@pytest.mark.parametrize("f", [lambda x: x.sum(), lambda x: x.T, lambda x: x.reshape(-1)])
def test_a_row_that_is_one_number_has_no_methods_of_arrays_and_that_is_told_so(f):
    """An AttributeError still, for who asks by `hasattr`."""
    with pytest.raises(
        AttributeError, match=r"no attribute .* one row of x is ONE number in this call; .* one more axis in front"
    ):
        compile(f)(np.zeros(4))  # fmt: skip
    with pytest.raises(TypeError, match=r"one row of x is ONE number in this call; .* one more axis in front"):
        compile(lambda x: x @ x)(np.zeros(4))


@pytest.mark.parametrize("f", [lambda x: x[0][1], lambda x: len(x[0]) * x[0], lambda x: sum(sum(y) for y in x)])
def test_a_row_of_an_axis_less_is_told_so(f):
    """A matrix given to a function of a matrix: its rows are vectors, and their shape is told."""
    with pytest.raises(TypeError, match=r"one row of x has shape \(3,\) in this call; .* one more axis in front"):
        compile(f)(np.zeros((4, 3)))
    assert compile(f)(np.ones((1, 4, 3))).shape[0] == 1


@pytest.mark.parametrize("argnums", [{0}, np.array([0]), True, 0.0, [0, "y"]])
@pytest.mark.parametrize("args", [([1.0, 2.0], [3.0, 4.0]), (1.0, 3.0)])
def test_positions_that_are_none_are_refused(argnums, args):
    """For rows and for one point, whether they can be hashed or not; NumPy's integers are positions."""
    program = compile(lambda x, y: x * y)
    with pytest.raises(TypeError, match="argnums must be the position of an argument"):
        program.value_and_grad(*args, argnums=argnums)
    with pytest.raises(ValueError, match="reduce must be"):
        program.value_and_grad(*args, reduce=["mean"])
    np.testing.assert_array_equal(program.value_and_grad(*args, argnums=np.int64(0), reduce="sum")[2], args[1])


def test_one_point_by_rows_is_one_row():
    """With reduce=None values and gradients have a row axis, of one point too."""
    w = Value(2.0)
    value, gradient = compile(lambda x: w * x).value_and_grad(3.0, reduce=None)
    assert (value.tolist(), gradient.tolist()) == ([6.0], [[3.0]])
