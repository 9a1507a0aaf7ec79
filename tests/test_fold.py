"""`fold`: a loop with a state, eagerly and compiled, beside JAX's scan and beside the loop written out."""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import pytest

import autodiff as ad
from autodiff import Value, fold, grad, hessian, jvp, total


@pytest.fixture(scope="module")
def jax():
    """JAX in double precision, and as it was afterwards."""
    jax = pytest.importorskip("jax", reason="JAX is a development dependency")
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    yield jax
    jax.config.update("jax_enable_x64", before)


class Model:
    """A likelihood or network with a state: the same formulas for us (`xp` is autodiff) and for JAX (`xp` is jax.numpy)."""

    def theta(self):
        """The parameters, as an array."""
        return self.start.copy()

    def loss(self, xp, fold, theta, data, **options):
        raise NotImplementedError


class Garch(Model):
    """The negative log-likelihood of GARCH(1,1): h' = ω + α e² + β h."""

    start = np.array([0.02, 0.05, 0.1, 0.85])

    def data(self, steps):
        return np.random.default_rng(0).normal(size=steps)

    def loss(self, xp, fold, theta, data, **options):
        mu, omega, alpha, beta = theta

        def step(h, r):
            e = r - mu
            return omega + alpha * e * e + beta * h, 0.5 * (xp.log(h) + e * e / h)

        return sum_of(xp, fold(step, omega / (1.0 - alpha - beta), data, **options)[1])


class Kalman(Model):
    """The negative log-likelihood of a level with a slope, filtered from noisy observations: 2 states, 3 variances."""

    start = np.array([-1.0, -3.0, 0.2])

    def data(self, steps):
        return np.cumsum(np.random.default_rng(1).normal(size=steps))

    def loss(self, xp, fold, theta, data, **options):
        q, s, r = map(xp.exp, theta)

        def step(carry, z):
            (level, slope), (a, b, d) = carry
            level, a, b, d = level + slope, a + 2.0 * b + d + q, b + d, d + s
            error, variance = z - level, a + r
            k, l = a / variance, b / variance
            mean = (level + k * error, slope + l * error)
            spread = ((1.0 - k) * a, (1.0 - k) * b, d - l * b)
            return (mean, spread), {"nll": 0.5 * (xp.log(variance) + error * error / variance)}

        carry = ((0.0, 0.0), (10.0, 0.0, 10.0))
        return sum_of(xp, fold(step, carry, data, **options)[1]["nll"])


class NeuralOde(Model):
    """x' = V tanh(W x + b) by 4th-order Runge–Kutta; the squared distance to a point where it ends."""

    hidden = 6
    start = np.random.default_rng(2).normal(size=6 * 5) * 0.5

    def data(self, steps):
        return steps

    def loss(self, xp, fold, theta, data, **options):
        n = self.hidden
        rows = [[theta[3 * j + k] for k in range(3)] for j in range(n)]
        out = [[theta[3 * n + n * i + j] for j in range(n)] for i in range(2)]

        def slope(x):
            a = [xp.tanh(w[0] * x[0] + w[1] * x[1] + w[2]) for w in rows]
            return [sum(v * h for v, h in zip(weights, a, strict=True)) for weights in out]

        def step(x, _):
            along = lambda k, size: [p + size * q for p, q in zip(x, k, strict=True)]
            k1 = slope(x)
            k2 = slope(along(k1, 0.05))
            k3 = slope(along(k2, 0.05))
            k4 = slope(along(k3, 0.1))
            mean = [(a + 2.0 * b + 2.0 * c + d) / 6.0 for a, b, c, d in zip(k1, k2, k3, k4, strict=True)]
            return along(mean, 0.1), None

        x, _ = fold(step, [1.0, -0.5], None, length=data, **options)
        return (x[0] - 0.3) ** 2 + (x[1] - 0.7) ** 2


class Lstm(Model):
    """An LSTM of 16 units over a series of 3 numbers per step; the mean square of what it has in the end and on the way."""

    units, inputs = 16, 3
    start = np.random.default_rng(3).normal(size=64 * 20) * 0.3

    def data(self, steps):
        return np.random.default_rng(4).normal(size=(steps, self.inputs))

    def loss(self, xp, fold, theta, data, **options):
        n, m = self.units, self.inputs
        if xp is ad:
            w = np.asarray(theta, dtype=object).reshape(4 * n, n + m + 1)
            gates = lambda h, x: w[:, :-1] @ np.concatenate([h, x]) + w[:, -1]
            sigmoid, zeros = ad.sigmoid, np.zeros(n)
        else:
            w = theta.reshape(4 * n, n + m + 1)
            gates = lambda h, x: w[:, :-1] @ xp.concatenate([h, x]) + w[:, -1]
            sigmoid, zeros = lambda z: 1.0 / (1.0 + xp.exp(-z)), xp.zeros(n)

        def step(carry, x):
            h, c = carry
            z = gates(h, x)
            c = sigmoid(z[:n]) * c + sigmoid(z[n : 2 * n]) * xp.tanh(z[2 * n : 3 * n])
            h = sigmoid(z[3 * n :]) * xp.tanh(c)
            return (h, c), h[0] * h[1]

        (h, _), ys = fold(step, (zeros, zeros), data, **options)
        return sum_of(xp, ys) + (h * h).sum()


def sum_of(xp, ys):
    return total(ys) if xp is ad else xp.sum(ys)


def scanned(jax, model, theta, data):
    """Value and gradient by JAX's own scan."""
    import jax.numpy as jnp

    loss = lambda theta, data: model.loss(jnp, jax.lax.scan, theta, data)
    if isinstance(data, int):
        value, gradient = jax.jit(jax.value_and_grad(lambda theta: loss(theta, data)))(theta)
    else:
        value, gradient = jax.jit(jax.value_and_grad(loss))(theta, data)
    return float(value), np.asarray(gradient)


MODELS = [Garch(), Kalman(), NeuralOde(), Lstm()]
named = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


@named
def test_eagerly_value_and_gradient_are_those_of_jax_scan(jax, model):
    """A short series through the plain loop on Values: δ of every parameter to 1e-10."""
    data, theta = model.data(7), [Value(x) for x in model.theta()]
    loss = model.loss(ad, fold, theta, data)
    loss.backward()
    value, gradient = scanned(jax, model, model.theta(), data)
    assert loss.data == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose([p.grad for p in theta], gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("xs", "sums"),
    [
        ([1.0, 2.0, 4.0], [1.0, 3.0, 7.0]),
        (np.array([1.0, 2.0, 4.0]), [1.0, 3.0, 7.0]),
        ([1, 2, 4], [1, 3, 7]),
        (np.array([1.0, 2.0, 4.0], dtype=object), [1.0, 3.0, 7.0]),
    ],
)
def test_a_sequence_is_entered_step_by_step(xs, sums):
    """Running sums, as `itertools.accumulate` has them, of lists and arrays."""
    last, ys = fold(lambda c, x: (c + x, c + x), 0.0, xs)
    assert ys == sums == list(accumulate(xs))
    assert last == sums[-1]


@dataclass
class Pair:
    a: object
    b: object


@pytest.mark.parametrize("make", [lambda a, b: (a, b), lambda a, b: {"a": a, "b": b}, Pair])
def test_xs_and_ys_are_nests_of_sequences(make):
    """A tuple, dict or dataclass of sequences is entered in each of them, and what has that form comes back so."""

    def step(carry, x):
        a, b = (x["a"], x["b"]) if isinstance(x, dict) else (x.a, x.b) if isinstance(x, Pair) else x
        return carry + a * b, make(a - b, [a, b])

    carry, ys = fold(step, 0.0, make([1.0, 2.0], [3.0, 5.0]))
    assert carry == 13.0
    assert ys == make([-2.0, -3.0], [[1.0, 3.0], [2.0, 5.0]])
    again, _ = fold(lambda c, y: (c + 1.0, y), 0.0, ys)
    assert again == 2.0


def test_without_xs_the_length_says_how_many_steps():
    """2¹⁰ by doubling; y None stays None."""
    assert fold(lambda c, _: (2.0 * c, None), 1.0, length=10) == (1024.0, None)


@pytest.mark.parametrize("options", [{"xs": []}, {"length": 0}, {"xs": np.zeros((0, 3))}])
def test_without_steps_the_carry_comes_back(options):
    """No step is called, and there are no ys."""
    assert fold(lambda *_: pytest.fail("called"), {"a": 1.0}, **options) == ({"a": 1.0}, [])


def test_all_modes_go_through_the_loop():
    """xⁿ by n products: first and second derivatives, forward and backward, are n xⁿ⁻¹ and n (n − 1) xⁿ⁻²."""
    power = lambda x: fold(lambda c, _: (c * x, None), 1.0, length=5)[0]
    assert grad(power)(2.0) == 80.0
    assert jvp(power, (2.0,), (1.0,))[1] == 80.0
    assert hessian(power)(2.0) == 160.0


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((3, 0.0, [1.0]), TypeError, r"fold needs a function step\(carry, x\), got int"),
        (
            (lambda c, x: c, 0.0, [1.0]),
            TypeError,
            r"must return a pair \(carry, y\), got float; return \(carry, None\)",
        ),
        (
            (lambda c, x: ([c], x), 0.0, [1.0]),
            ValueError,
            r"carry must have one form .* got .*carry\[0\].* from step 0",
        ),
        ((lambda c, x: (np.zeros(3), x), np.zeros(2), [1.0]), ValueError, r"got \{'carry': \(3,\)\} from step 0 after"),
        ((lambda c, x: (c, (x,) * int(x)), 0.0, [1.0, 2.0]), ValueError, r"y must have one form at every step"),
        ((lambda c, x: (c, x), 0.0, ([1.0], [1.0, 2.0])), ValueError, r"got 1 in xs\[0\], 2 in xs\[1\]"),
        (
            (lambda c, x: (c, x), 0.0, 3.0),
            TypeError,
            r"xs must be a list or an array with one entry per step, got float",
        ),
        ((lambda c, x: (c, x), 0.0, (1.0, 2.0)), TypeError, r"xs\[0\] must be a list .* a tuple or dict is a nest"),
        ((lambda c, x: (c, x), 0.0), TypeError, r"fold needs xs, .* or length"),
    ],
)
def test_what_is_no_fold_is_told(arguments, error, says):
    """A rule, what was got, and a way out."""
    with pytest.raises(error, match=says):
        fold(*arguments)


@pytest.mark.parametrize("length", [-1, 2.0, True, "2"])
def test_a_length_is_a_whole_number(length):
    """Nothing else counts steps; and it agrees with xs."""
    with pytest.raises(ValueError, match="length must be a whole number, 0 or more"):
        fold(lambda c, x: (c, x), 0.0, length=length)
    with pytest.raises(ValueError, match="got 1 in xs, 2 in length"):
        fold(lambda c, x: (c, x), 0.0, [1.0], length=2)
