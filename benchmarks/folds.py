"""Loops with a state, at one row, beside JAX's scan: `python -m benchmarks.folds [--quick] [--markdown]`.

Processor time of value and gradient, and of the value alone, in one process, in turn. The run stops where gradients
differ.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
from collections.abc import Callable, Sequence
from time import process_time_ns
from typing import Any

import numpy as np

import autodiff
from benchmarks.table import Table

OURS, MACHINE, FLOOR, JAX = "autodiff", 'autodiff, backend="numba"', "NumPy by hand", "jax.jit, lax.scan"


class Model:
    """A likelihood or network with a state: one text for us (`xp` is autodiff) and for JAX (`xp` is jax.numpy)."""

    start: np.ndarray

    def theta(self) -> np.ndarray:
        """The parameters, as an array."""
        return self.start.copy()

    def data(self, steps: int) -> Any:
        """A series of so many steps; for what goes through none, how many they are."""
        raise NotImplementedError

    def loss(self, xp: Any, fold: Any, theta: Any, data: Any, **options: Any) -> Any:
        """The number to differentiate."""
        raise NotImplementedError


class Garch(Model):
    """The negative log-likelihood of GARCH(1,1): h' = ω + α e² + β h."""

    start = np.array([0.02, 0.05, 0.1, 0.85])

    def data(self, steps: int) -> Any:
        return np.random.default_rng(0).normal(size=steps)

    def loss(self, xp: Any, fold: Any, theta: Any, data: Any, **options: Any) -> Any:
        mu, omega, alpha, beta = theta

        def step(h: Any, r: Any) -> Any:
            e = r - mu
            return omega + alpha * e * e + beta * h, 0.5 * (xp.log(h) + e * e / h)

        return sum_of(xp, fold(step, omega / (1.0 - alpha - beta), data, **options)[1])


class Kalman(Model):
    """The negative log-likelihood of a level with a slope, filtered from noisy observations: 2 states, 3 variances."""

    start = np.array([-1.0, -3.0, 0.2])

    def data(self, steps: int) -> Any:
        return np.cumsum(np.random.default_rng(1).normal(size=steps))

    def loss(self, xp: Any, fold: Any, theta: Any, data: Any, **options: Any) -> Any:
        q, s, r = map(xp.exp, theta)

        def step(carry: Any, z: Any) -> Any:
            (level, slope), (a, b, d) = carry
            level, a, b, d = level + slope, a + 2.0 * b + d + q, b + d, d + s
            error, variance = z - level, a + r
            k, m = a / variance, b / variance
            mean = (level + k * error, slope + m * error)
            spread = ((1.0 - k) * a, (1.0 - k) * b, d - m * b)
            return (mean, spread), {"nll": 0.5 * (xp.log(variance) + error * error / variance)}

        carry = ((0.0, 0.0), (10.0, 0.0, 10.0))
        return sum_of(xp, fold(step, carry, data, **options)[1]["nll"])


class NeuralOde(Model):
    """x' = V tanh(W x + b) by 4th-order Runge–Kutta; the squared distance to a point where it ends."""

    hidden = 6
    start = np.random.default_rng(2).normal(size=6 * 5) * 0.5

    def data(self, steps: int) -> Any:
        return steps

    def loss(self, xp: Any, fold: Any, theta: Any, data: Any, **options: Any) -> Any:
        n = self.hidden
        rows = [[theta[3 * j + k] for k in range(3)] for j in range(n)]
        out = [[theta[3 * n + n * i + j] for j in range(n)] for i in range(2)]

        def slope(x: Any) -> Any:
            a = [xp.tanh(w[0] * x[0] + w[1] * x[1] + w[2]) for w in rows]
            return [sum(v * h for v, h in zip(weights, a, strict=True)) for weights in out]

        def step(x: Any, _: Any) -> Any:
            def along(k: Any, size: float) -> list[Any]:
                return [p + size * q for p, q in zip(x, k, strict=True)]

            k1 = slope(x)
            k2 = slope(along(k1, 0.05))
            k3 = slope(along(k2, 0.05))
            k4 = slope(along(k3, 0.1))
            mean = [(a + 2.0 * b + 2.0 * c + d) / 6.0 for a, b, c, d in zip(k1, k2, k3, k4, strict=True)]
            return along(mean, 0.1), None

        x, _ = fold(step, [1.0, -0.5], None, length=data, **options)
        return (x[0] - 0.3) ** 2 + (x[1] - 0.7) ** 2


class Lstm(Model):
    """An LSTM of 16 units over a series of 3 numbers per step; squares of its state, in the end and on the way."""

    units, inputs = 16, 3
    start = np.random.default_rng(3).normal(size=64 * 20) * 0.3

    def data(self, steps: int) -> Any:
        return np.random.default_rng(4).normal(size=(steps, self.inputs))

    def loss(self, xp: Any, fold: Any, theta: Any, data: Any, **options: Any) -> Any:
        n, m = self.units, self.inputs
        ours = xp is autodiff
        w = (np.asarray(theta, dtype=object) if ours else theta).reshape(4 * n, n + m + 1)
        join, zeros = (np.concatenate, np.zeros(n)) if ours else (xp.concatenate, xp.zeros(n))

        def sigmoid(z: Any) -> Any:
            return autodiff.sigmoid(z) if ours else 1.0 / (1.0 + xp.exp(-z))

        def step(carry: Any, x: Any) -> Any:
            h, c = carry
            z = w[:, :-1] @ join([h, x]) + w[:, -1]
            c = sigmoid(z[:n]) * c + sigmoid(z[n : 2 * n]) * xp.tanh(z[2 * n : 3 * n])
            h = sigmoid(z[3 * n :]) * xp.tanh(c)
            return (h, c), h[0] * h[1]

        (h, _), ys = fold(step, (zeros, zeros), data, **options)
        return sum_of(xp, ys) + (h * h).sum()


def sum_of(xp: Any, ys: Any) -> Any:
    """The sum of what the steps return."""
    return autodiff.total(ys) if xp is autodiff else xp.sum(ys)


MODELS = {"GARCH(1,1)": (Garch(), 10_000), "Kalman, 2 states": (Kalman(), 10_000),
          "Runge-Kutta, 6 units": (NeuralOde(), 10_000), "LSTM, 16 units": (Lstm(), 2_000)}  # fmt: skip


def ours(model: Model, data: Any, **options: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Value and gradient, and the value alone, by a program; the gradient in the order of the parameters."""
    theta = [autodiff.Value(x) for x in model.theta()]
    given, steps = ((), data) if isinstance(data, int) else ((data,), 0)

    def f(*series: Any) -> Any:
        return model.loss(autodiff, autodiff.fold, theta, series[0] if series else steps)

    program = autodiff.compile(f, in_axes=None, parameters=theta, **options)
    return lambda: program.value_and_grad(*given), lambda: program(*given)


def theirs(model: Model, data: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The same by JAX, in double precision."""
    import jax

    jax.config.update("jax_enable_x64", True)

    def loss(theta: Any, data: Any) -> Any:
        return model.loss(jax.numpy, jax.lax.scan, theta, data)

    fixed = (1,) if isinstance(data, int) else ()
    both, value = jax.jit(jax.value_and_grad(loss), static_argnums=fixed), jax.jit(loss, static_argnums=fixed)
    theta = jax.numpy.asarray(model.theta())
    return lambda: jax.block_until_ready(both(theta, data)), lambda: jax.block_until_ready(value(theta, data))


def by_hand(model: Lstm, data: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The LSTM with as few calls of NumPy a step as we could find: nine there, seven back, none allocates.

    Rows as g, f, i, o, so that what is multiplied lies side by side; σ(z) = (1 + tanh(z / 2)) / 2, so one tanh for all.
    """
    n, steps = model.units, len(data)
    order = np.r_[2 * n : 3 * n, 0 : 2 * n, 3 * n : 4 * n]
    half = np.r_[np.ones(n), np.full(3 * n, 0.5)]
    a = np.zeros((steps + 1, 5 * n))  # c before the step, g, f, i, o
    h, tanh_c, delta = np.zeros((steps + 1, n)), np.empty((steps, n)), np.empty((steps, 4 * n))
    z, products, rate = np.empty(4 * n), np.empty(2 * n), np.empty(n)
    views = [(row[n:], row[2 * n :], row[2 * n : 4 * n], row[: 2 * n], row[4 * n :]) for row in a[:-1]]
    rows = views, list(a[1:, :n]), list(tanh_c), list(h[:-1]), list(h[1:])

    def forward() -> tuple[Any, Any]:
        w = model.theta().reshape(4 * n, -1)[order]
        u = np.ascontiguousarray(w[:, :n] * half[:, None])
        given = list((data @ w[:, n:-1].T + w[:, -1]) * half)
        for x, (gates, sigmoids, f_i, c_g, o), c, t, before, after in zip(given, *rows, strict=True):
            np.dot(u, before, out=z)
            np.add(z, x, out=z)
            np.tanh(z, out=gates)
            np.multiply(sigmoids, 0.5, out=sigmoids)
            np.add(sigmoids, 0.5, out=sigmoids)
            np.multiply(f_i, c_g, out=products)
            np.add(products[:n], products[n:], out=c)
            np.tanh(c, out=t)
            np.multiply(o, t, out=after)
        return w, h[1:, 0] @ h[1:, 1] + h[-1] @ h[-1]

    def both() -> tuple[Any, Any]:
        w, loss = forward()
        c, g, f, i, o = a[:steps].reshape(steps, 5, n).swapaxes(0, 1)
        by_c = np.stack([i * (1.0 - g * g), c * f * (1.0 - f), g * i * (1.0 - i)], axis=1)
        by_h, through = tanh_c * o * (1.0 - o), o * (1.0 - tanh_c * tanh_c)
        given = np.zeros((steps, n))
        given[:, 0], given[:, 1] = h[1:, 1], h[1:, 0]
        given[-1] += 2.0 * h[-1]
        u, dh, dc = np.ascontiguousarray(w[:, :n].T), given[-1].copy(), np.zeros(n)
        parts = delta[:, : 3 * n].reshape(steps, 3, n), delta[:, 3 * n :], delta, [np.zeros(n), *given[:-1]]
        for k, s, q, forget, d_c, d_h, d, more in reversed(list(zip(by_c, by_h, through, f, *parts, strict=True))):
            np.multiply(q, dh, out=rate)
            np.add(dc, rate, out=dc)
            np.multiply(k, dc, out=d_c)
            np.multiply(s, dh, out=d_h)
            np.multiply(dc, forget, out=dc)
            np.dot(u, d, out=dh)
            np.add(dh, more, out=dh)
        gradient = np.empty_like(w)
        gradient[order] = delta.T @ np.concatenate([h[:-1], data, np.ones((steps, 1))], axis=1)
        return loss, gradient.ravel()

    return both, lambda: forward()[1]


def contenders(model: Model, data: Any) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Those that are installed."""
    found = {OURS: ours(model, data)}
    if importlib.util.find_spec("numba"):
        found[MACHINE] = ours(model, data, backend="numba")
    if importlib.util.find_spec("jax"):
        found[JAX] = theirs(model, data)
    if isinstance(model, Lstm):
        found[FLOOR] = by_hand(model, data)
    return found


def timed(run: Callable[[], Any]) -> float:
    """Milliseconds of the processor."""
    start = process_time_ns()
    run()
    return (process_time_ns() - start) / 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.folds", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short series, one round: a smoke test")
    parser.add_argument("--markdown", action="store_true", help="a table to paste into benchmarks/README.md")
    given = parser.parse_args(arguments)
    table = Table(("work", "engine", "first call", "value and gradient", "value", "beside JAX", "met"), figures=5)
    for work, (model, steps) in MODELS.items():
        data = model.data(20 if given.quick else steps)
        runs = contenders(model, data)
        first = {name: timed(both) for name, (both, _) in runs.items()}
        answers = {name: both() for name, (both, _) in runs.items()}
        for name, (value, gradient) in answers.items():
            expected, slopes = answers[OURS]
            np.testing.assert_allclose(float(value), float(expected), rtol=1e-10, err_msg=name)
            scale = np.abs(slopes).max()
            np.testing.assert_allclose(gradient, slopes, rtol=1e-9, atol=1e-9 * scale, err_msg=name)
        both: dict[str, list[float]] = {name: [] for name in runs}
        alone: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(1 if given.quick else 15):
            for name, (full, value) in runs.items():
                both[name].append(timed(full))
                alone[name].append(timed(value))
        for name in (OURS, MACHINE, FLOOR, JAX):
            if name not in runs:
                if name != FLOOR:
                    table.add(work, name, "not installed")
                continue
            times = [statistics.median(each[name]) for each in (both, alone)]
            ratio = times[0] / statistics.median(both[JAX]) if JAX in runs and name != JAX else None
            cells = () if ratio is None else (f"{ratio:.2f}", "" if name == FLOOR else "yes" if ratio <= 1.0 else "NO")
            table.add(
                f"{work}, {steps:,} steps", name, f"{first[name]:,.0f} ms", *(f"{t:.2f} ms" for t in times), *cells
            )
    header = "one row, double precision, processor time, medians of 15 rounds in turn"
    table.report(header, markdown=given.markdown, quick=given.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
