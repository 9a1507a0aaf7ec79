"""Recurrent nets, unrolled: Elman's, LSTM and GRU of 16 units over 20 steps, written on Values, and as PyTorch and JAX.

Each gate of a unit is one weighted sum of the step's input, the last state and 1. The cost is the sum of squares of the
last state. The peers have the same formulas on arrays, gates in one product, their loops unrolled as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.compiled_positions import JAX, TORCH, as_values, batch, compiled, jitted, steady, weights
from benchmarks.contenders import OURS, Contender

UNITS, STEPS, INPUTS = 16, 20, 8
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def all_weights(net: str) -> np.ndarray:
    """Gates × units × (inputs, state, 1)."""
    return weights(GATES[net], UNITS, INPUTS + UNITS + 1)


def step(net: str, gates: Callable[..., list[Any]], of: Any, h: Any, c: Any) -> tuple[Any, Any]:
    """Return the next state, by these gates of a state and the functions of an array library."""
    if net == "rnn":
        return of.tanh(gates(h)[0]), c
    if net == "lstm":
        i, f, o, g = gates(h)
        c = of.sigmoid(f) * c + of.sigmoid(i) * of.tanh(g)
        return of.sigmoid(o) * of.tanh(c), c
    r, u = gates(h, slice(2))
    u = of.sigmoid(u)
    (g,) = gates(of.sigmoid(r) * h, slice(2, 3))
    return u * h + (1.0 - u) * of.tanh(g), c


class Scalars:
    """A vector of Values, and what a step computes of such vectors."""

    def __init__(self, values: Any) -> None:
        self.values = list(values)

    def _with(self, other: Any, op: Callable[[Any, Any], Any]) -> Scalars:
        others = other.values if isinstance(other, Scalars) else [other] * len(self.values)
        return Scalars(map(op, self.values, others))

    def __add__(self, other: Any) -> Scalars:
        return self._with(other, lambda a, b: a + b)

    def __mul__(self, other: Any) -> Scalars:
        return self._with(other, lambda a, b: a * b)

    def __rsub__(self, other: Any) -> Scalars:
        return self._with(other, lambda a, b: b - a)


def ours(*, net: str, rows: int) -> Contender:
    """Loops over units and steps, as one writes it for Values."""
    from autodiff import sigmoid, tanh

    W = as_values(all_weights(net))

    class Functions:
        sigmoid = staticmethod(lambda v: Scalars(map(sigmoid, v.values)))
        tanh = staticmethod(lambda v: Scalars(map(tanh, v.values)))

    def f(x: Any) -> Any:
        h = c = Scalars([0.0] * UNITS)
        for inputs in x:

            def gates(state: Scalars, some: slice = slice(None), inputs: Any = inputs) -> list[Scalars]:
                z = [*inputs, *state.values]
                return [Scalars(sum((w * v for w, v in zip(row, z, strict=False)), row[-1]) for row in gate)
                        for gate in W[some]]  # fmt: skip

            h, c = step(net, gates, Functions, h, c)
        return sum(v * v for v in h.values)

    return compiled(f, W, batch(rows, STEPS, INPUTS))


def loss(net: str, W: Any, X: Any, of: Any, zeros: Any) -> Any:
    """Return the mean cost of a batch, by the functions of PyTorch or JAX."""
    h = c = zeros
    flat, count = W.reshape(-1, INPUTS + UNITS + 1), GATES[net]
    inputs, states, bias = flat[:, :INPUTS].T, flat[:, INPUTS:-1].T, flat[:, -1]
    before = X @ inputs + bias  # of all steps
    for t in range(STEPS):

        def gates(state: Any, some: slice = slice(None), t: int = t) -> list[Any]:
            start, stop, _ = some.indices(count)
            part = slice(start * UNITS, stop * UNITS)
            z = before[:, t, part] + state @ states[:, part]
            return [z[:, k * UNITS : (k + 1) * UNITS] for k in range(stop - start)]

        h, c = step(net, gates, of, h, c)
    return (h * h).sum() / len(X)


def in_torch(*, net: str, rows: int) -> Contender:
    """Tensors, step by step."""
    import torch

    X, W = torch.tensor(batch(rows, STEPS, INPUTS)), torch.tensor(all_weights(net), requires_grad=True)
    zeros = torch.zeros(rows, UNITS, dtype=torch.float64)

    def work() -> tuple[Any, Any]:
        W.grad = None
        value = loss(net, W, X, torch, zeros)
        value.backward()
        return value.item(), W.grad

    return steady(work)


def in_jax(*, net: str, rows: int) -> Contender:
    """One jit of the unrolled loop."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    class Functions:
        sigmoid, tanh = staticmethod(jax.nn.sigmoid), staticmethod(jnp.tanh)

    zeros = jnp.zeros((rows, UNITS))
    return jitted(
        lambda W, X: loss(net, W, X, Functions, zeros), all_weights(net),
        jnp.asarray(batch(rows, STEPS, INPUTS)),
    )  # fmt: skip


NETS: dict[str, Callable[..., Contender]] = {OURS: ours, TORCH: in_torch, JAX: in_jax}
