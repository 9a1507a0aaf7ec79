"""Sequences of many lengths: parameters in one order, training across shapes, and how many traces are kept."""

import numpy as np
import pytest

from autodiff import Value, compile, exp, tanh

CLOSE = {"rtol": 1e-12, "atol": 1e-13}  # some dozens of roundings of numbers about one


def weighted(n, **options):
    """A program whose calls meet as many of n weights as a row has numbers, the last ones first."""
    w = [Value(0.5 + k, f"w{k}") for k in range(n)]
    return w, compile(lambda xs: sum(w[k] * xs[k] for k in reversed(range(len(xs)))) ** 2, **options)


def test_parameters_keep_their_order_whichever_are_met():
    """∂(Σwx)²/∂w = 2xΣwx, and 0 for weights that the row is too short for; hvp and backward go along."""
    w, _ = weighted(4)
    program = compile(lambda xs: sum(w[k] * xs[k] for k in reversed(range(len(xs)))) ** 2, parameters=w)
    for n in (2, 4, 3, 2):
        X = np.random.default_rng(n).normal(size=(5, n))
        total = X @ [p.data for p in w[:n]]
        each = np.zeros((5, 4))
        each[:, :n] = 2.0 * X * total[:, None]
        for _ in range(3):
            np.testing.assert_allclose(program.value_and_grad(X)[1], each.mean(axis=0), **CLOSE)
            np.testing.assert_allclose(program.value_and_grad(X, reduce=None)[1], each, **CLOSE)
        assert program.parameters == w
        v = np.arange(4.0)
        along = (2.0 * X * (X @ v[:n])[:, None]).mean(axis=0)
        np.testing.assert_allclose(program.hvp(X, vector=v)[:n], along, **CLOSE)
    one = compile(lambda a, b: (w[3] * a + w[0] * b) ** 2, parameters=w)
    for _ in range(3):
        np.testing.assert_allclose(one.value_and_grad(1.0, 2.0)[1], [2 * 4.5 * 2.0, 0.0, 0.0, 2 * 4.5], **CLOSE)


def test_other_values_are_constants():
    """They have a number, read anew at each call, and no derivative."""
    w, c = Value(2.0), Value(3.0)
    program = compile(lambda x: w * c * x, parameters=[w])
    assert program.value_and_grad([1.0, 2.0])[1].tolist() == [4.5]
    c.data = 5.0
    assert program.value_and_grad([1.0, 2.0])[1].tolist() == [7.5]
    assert program.value_and_grad(2.0)[1].tolist() == [10.0]


def test_code_without_structure_has_the_order_too():
    """Hundreds of different nodes; the chain rule by hand."""
    a, b = Value(0.3), Value(0.2)

    def f(x):
        for k in range(300):
            x = tanh(x * (1.0 + 0.001 * k)) if k % 2 else x + b * 0.001 * k
        return a * x

    X = np.linspace(-1.0, 1.0, 7)
    given, met = compile(f, parameters=[a, b]), compile(f)
    y = given(X) / a.data
    assert given.value_and_grad(X)[1][0] == pytest.approx(y.mean(), rel=1e-9)
    slope = (compile(f)(X).mean(), given.value_and_grad(X)[1][1])
    b.data += 1e-6
    assert (given(X).mean() - slope[0]) / 1e-6 == pytest.approx(slope[1], rel=1e-4)
    b.data -= 1e-6
    order = [met.trace(X).parameters.index(p) for p in (a, b)]
    np.testing.assert_allclose(given.value_and_grad(X)[1], met.value_and_grad(X)[1][order], rtol=1e-9)


def steps(flat, batches, gradient):
    for X, y in batches:
        flat -= 0.05 * gradient(X, y)


def batches():
    rng = np.random.default_rng(3)
    lengths = [3, 5, 2, 5, 3, 4] * 5
    return [(rng.normal(size=(k % 3 + 1, n)), rng.normal(size=k % 3 + 1)) for k, n in enumerate(lengths)]


@pytest.mark.parametrize("named", [True, False])
def test_a_training_block_takes_batches_of_every_length(named):
    """A recurrent net, h ← tanh(ah + bx), trained on sequences of four lengths by turns: the same in NumPy by hand."""
    a, b, c = (Value(x, name) for x, name in ((0.5, "a"), (0.3, "b"), (1.0, "c")))

    def loss(xs, y):
        h = 0.0
        for x in xs:
            h = tanh(a * h + b * x)
        return (c * h - y) ** 2

    def by_hand(flat, X, y):
        a, b, c = flat
        hs = [np.zeros(len(X))]
        for x in X.T:
            hs.append(np.tanh(a * hs[-1] + b * x))
        error = 2.0 * (c * hs[-1] - y) / len(X)
        gradient, delta = np.array([0.0, 0.0, error @ hs[-1]]), error * c
        for x, h, before in zip(X.T[::-1], hs[:0:-1], hs[-2::-1], strict=True):
            delta = delta * (1.0 - h * h)
            gradient[:2] += delta @ before, delta @ x
            delta = delta * a
        return gradient

    program = compile(loss, parameters=[a, b, c]) if named else compile(loss)
    first = batches()[0]
    with program.training(*first) as flat:
        order = [program.parameters.index(p) for p in (a, b, c)]
        known = np.array([0.5, 0.3, 1.0])
        for X, y in batches():
            flat -= 0.05 * program.value_and_grad(X, y)[1]
            known -= 0.05 * by_hand(known, X, y)
            np.testing.assert_allclose(flat[order], known, rtol=1e-10)
            assert a.data == flat[order[0]]
    np.testing.assert_allclose([p.data for p in (a, b, c)], known, rtol=1e-10)


def test_a_block_takes_one_point_and_a_batch():
    """f(x) = e^{wx}: the derivative xe^{wx}, at the numbers that the array has by then."""
    w = Value(0.1)
    program = compile(lambda x: exp(w * x))
    with program.training([1.0, 2.0]) as flat:
        for _ in range(4):
            flat += 0.1
            assert program.value_and_grad(2.0)[1][0] == pytest.approx(2.0 * np.exp(2.0 * flat[0]), rel=1e-12)
            assert program(2.0) == pytest.approx(np.exp(2.0 * flat[0]), rel=1e-12)
            X = np.array([1.0, 3.0, 5.0])
            assert program.value_and_grad(X)[1][0] == pytest.approx(np.mean(X * np.exp(X * flat[0])), rel=1e-12)
    assert w.data == pytest.approx(0.5)


def test_a_block_refuses_parameters_that_it_did_not_begin_with():
    """Nothing would train them; named at once, they all are in the array."""
    w, program = weighted(3)
    with program.training(np.ones((2, 2))), pytest.raises(ValueError, match=r"w2.*parameters=…"):
        program.value_and_grad(np.ones((2, 3)))
    named = compile(lambda xs: sum(w[k] * xs[k] for k in range(len(xs))), parameters=w)
    with named.training(np.ones((2, 2))) as flat:
        assert flat.tolist() == [0.5, 1.5, 2.5]
        flat[2] = 7.0
        assert named(np.ones((2, 3))).tolist() == [9.0, 9.0]
    assert w[2].data == 7.0


def test_numbers_of_an_array_that_was_kept_are_not_taken_for_the_parameters():
    """Whoever still has the array of a block may change it: the Values' numbers are theirs all the same."""
    w = Value(2.0)
    program = compile(lambda x: w * x)
    with program.training([1.0, 2.0]) as flat:
        program.value_and_grad([1.0, 2.0])
    program.value_and_grad([1.0, 2.0])
    flat[0] = 100.0
    assert program.value_and_grad([1.0, 2.0])[0] == 3.0
    w.data = 4.0
    assert program.value_and_grad([1.0, 2.0])[0] == 6.0


def test_traces_are_kept_by_their_size(monkeypatch):
    """Not more nodes than there is room for, whatever `traces` says; the one in use stays."""
    monkeypatch.setattr("autodiff.compiler.cache.MOST_NODES", 2000)  # a number of a row is three: itself, tanh, a sum
    traced = []
    program = compile(lambda xs: traced.append(len(xs)) or sum(tanh(x) for x in xs), traces=100)
    for n in (300, 200, 300, 200, 5, 900, 900):
        assert program(np.zeros((2, n))).tolist() == [0.0, 0.0]
    assert traced == [300, 200, 5, 900]
    with pytest.warns(RuntimeWarning, match="take turns"):
        program(np.zeros((2, 300)))


def test_parameters_may_be_a_nest():
    """In the order in which it holds them, which is not that in which `f` meets them: d/dv and d/dw of (2w + v)²."""
    p = {"v": Value(1.0, "v"), "inner": {"w": [Value(3.0, "w")]}}
    program = compile(lambda x: (p["inner"]["w"][0] * x + p["v"]) ** 2, parameters=p)
    assert program.parameters == [p["v"], p["inner"]["w"][0]]
    assert program.value_and_grad([2.0])[1].tolist() == [14.0, 28.0]


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        (Value(1.0), TypeError, "must be Values, such as model.parameters"),
        ([1.0], TypeError, "must be Values, got float 1.0"),
        ({"w": {"rate": 1.0}}, TypeError, r"must be Values, got float 1.0 in parameters\['w'\]\['rate'\]"),
        ([Value(1.0) * 2.0], ValueError, "must be leaves"),
        ([Value(1.0, "w")] * 2, ValueError, "once each, got 'w' twice"),
    ],
)
def test_what_cannot_be_a_parameter_is_refused(parameters, error, words):
    """At once, when the program is made."""
    with pytest.raises(error, match=words):
        compile(exp, parameters=parameters)
