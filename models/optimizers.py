"""How weights change once the gradients are known: optimizers, learning-rate schedules, clipping.

>>> from autodiff import Value
>>> w = Value(3.0, "w")
>>> optimizer = GradientDescent([w], learning_rate=0.25)
>>> for _ in range(3):
...     optimizer.zero_grad()
...     (w * w).backward()
...     optimizer.step()
>>> w.data
0.375

The rules run on flat arrays of all weights and gradients, in the order of `parameters`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from autodiff import Value
from models._optimizer import Array, Optimizer
from models._settings import fraction, parameter_list, plain, positive, refuse_not_finite
from models.schedules import Rate, Schedule, constant, cosine_decay, exponential_decay, step_decay, warmup

__all__ = [
    "OPTIMIZERS",
    "Adam",
    "AdamW",
    "GradientDescent",
    "Optimizer",
    "RMSProp",
    "Schedule",
    "clip_gradients",
    "constant",
    "cosine_decay",
    "exponential_decay",
    "optimizer_by_name",
    "step_decay",
    "warmup",
]


class GradientDescent(Optimizer):
    """Descend the gradient, w ← w − ε ∂E/∂w, with momentum if wanted.

    Momentum is equation (9) of Rumelhart, Hinton & Williams (1986): Δw(t) = −ε ∂E/∂w(t) + α Δw(t−1), then w ← w + Δw;
    without it this is their (8). PyTorch instead sums v(t) = α v(t−1) + ∂E/∂w(t) and steps by −ε v(t): the same while
    ε stays the same; when ε changes, the paper's earlier changes keep the ε they were made with, while PyTorch's are
    scaled anew. `nesterov` looks ahead, w ← w − ε ∂E/∂w + α Δw(t), as PyTorch's does (Sutskever et al. 2013).

    `momentum` is α in [0, 1), or a schedule of it; Nesterov's needs it above 0.

    >>> from autodiff import Value
    >>> GradientDescent([Value(1.0, "w"), Value(0.0, "b")], learning_rate=0.1, momentum=0.9)
    GradientDescent(learning_rate=0.1, momentum=0.9, nesterov=False) of 2 parameters
    """

    buffers = ("change",)
    settings = ("momentum", "nesterov")

    def __init__(
        self, parameters: Iterable[Value], *, learning_rate: Rate = 0.01, momentum: Rate = 0.0, nesterov: bool = False,
        weight_decay: float = 0.0, shrinkage: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, learning_rate=learning_rate, weight_decay=weight_decay, shrinkage=shrinkage)
        self.momentum = momentum
        self.nesterov = nesterov
        if nesterov and not callable(momentum) and momentum == 0:
            raise ValueError("nesterov needs a momentum above 0, such as 0.9, got 0")
        self._momentum()

    def _momentum(self) -> float:
        if callable(self.momentum):
            return fraction(f"momentum({self.steps})", self.momentum(self.steps))
        return fraction("momentum", self.momentum)

    def _rule(self, w: Array, g: Array, rate: float) -> None:
        alpha, change = self._momentum(), self._kept["change"]
        change *= alpha
        change -= rate * g
        w += alpha * change - rate * g if self.nesterov else change


class RMSProp(Optimizer):
    """Divide each gradient by a running root mean square of itself: w ← w − ε g / (√v + epsilon).

    v ← smoothing · v + (1 − smoothing) · g², `smoothing` in [0, 1) (Tieleman & Hinton 2012, lecture 6.5).
    """

    buffers = ("mean_square",)
    settings = ("smoothing", "epsilon")

    def __init__(
        self, parameters: Iterable[Value], *, learning_rate: Rate = 0.01, smoothing: float = 0.99,
        epsilon: float = 1e-8, weight_decay: float = 0.0, shrinkage: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, learning_rate=learning_rate, weight_decay=weight_decay, shrinkage=shrinkage)
        self.smoothing = fraction("smoothing", smoothing)
        self.epsilon = positive("epsilon", epsilon)

    def _rule(self, w: Array, g: Array, rate: float) -> None:
        v = self._kept["mean_square"]
        v *= self.smoothing
        v += (1.0 - self.smoothing) * g * g
        w -= rate * g / (np.sqrt(v) + self.epsilon)


class Adam(Optimizer):
    """Step by running means of the gradient and of its square, both corrected for their start at 0.

    w ← w − ε m̂ / (√v̂ + epsilon), with m ← beta1 · m + (1 − beta1) g, v ← beta2 · v + (1 − beta2) g²,
    m̂ = m/(1 − beta1ᵗ), v̂ = v/(1 − beta2ᵗ), t counting from 1; both betas in [0, 1) (Kingma & Ba 2015, algorithm 1).
    """

    buffers = ("first_moment", "second_moment")
    settings = ("beta1", "beta2", "epsilon")

    def __init__(
        self, parameters: Iterable[Value], *, learning_rate: Rate = 0.001, beta1: float = 0.9, beta2: float = 0.999,
        epsilon: float = 1e-8, weight_decay: float = 0.0, shrinkage: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, learning_rate=learning_rate, weight_decay=weight_decay, shrinkage=shrinkage)
        self.beta1 = fraction("beta1", beta1)
        self.beta2 = fraction("beta2", beta2)
        self.epsilon = positive("epsilon", epsilon)

    def _rule(self, w: Array, g: Array, rate: float) -> None:
        m, v, t = self._kept["first_moment"], self._kept["second_moment"], self.steps + 1
        m += (1.0 - self.beta1) * (g - m)
        v *= self.beta2
        v += (1.0 - self.beta2) * g * g
        root = np.sqrt(v) / math.sqrt(1.0 - self.beta2**t)
        w -= rate / (1.0 - self.beta1**t) * m / (root + self.epsilon)


class AdamW(Adam):
    """Adam with the decay taken out of the gradient: w ← w − ε · weight_decay · w first, then Adam's step.

    So the decay is the same for every weight, however large its gradients were (Loshchilov & Hutter 2019).
    """

    def __init__(
        self, parameters: Iterable[Value], *, learning_rate: Rate = 0.001, beta1: float = 0.9, beta2: float = 0.999,
        epsilon: float = 1e-8, weight_decay: float = 0.01, shrinkage: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(
            parameters, learning_rate=learning_rate, beta1=beta1, beta2=beta2,
            epsilon=epsilon, weight_decay=weight_decay, shrinkage=shrinkage,
        )  # fmt: skip

    def _with_decay(self, w: Array, g: Array, rate: float) -> Array:
        w *= 1.0 - rate * self.weight_decay
        return g


OPTIMIZERS: Mapping[str, Callable[..., Optimizer]] = MappingProxyType(
    {
        "gd": GradientDescent,
        "momentum": partial(GradientDescent, momentum=0.9),
        "nesterov": partial(GradientDescent, momentum=0.9, nesterov=True),
        "rmsprop": RMSProp,
        "adam": Adam,
        "adamw": AdamW,
    }
)


def optimizer_by_name(
    name: str, parameters: Iterable[Value], learning_rate: Rate | None = None, **options: Any
) -> Optimizer:
    """Make the optimizer of that name; without a learning rate, with the one its class has by default.

    Raises ValueError that lists the known names, and TypeError for an option it does not take.

    >>> from autodiff import Value
    >>> optimizer_by_name("momentum", [Value(1.0, "w"), Value(0.0, "b")], learning_rate=0.1)
    GradientDescent(learning_rate=0.1, momentum=0.9, nesterov=False) of 2 parameters
    """
    if not isinstance(name, str) or name not in OPTIMIZERS:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"unknown optimizer: {name!r} (must be one of {', '.join(OPTIMIZERS)})")
    if learning_rate is not None:
        options["learning_rate"] = learning_rate
    return OPTIMIZERS[name](parameters, **options)


def clip_gradients(parameters: Iterable[Value], max_norm: float) -> float:
    """Scale all gradients down together so that their length is at most `max_norm`; give the length before.

    g ← g · max_norm/‖g‖ when ‖g‖ = √Σ g² is larger (Pascanu, Mikolov & Bengio 2013). Call it between backward() and
    step(). Raises ValueError for a max_norm that is not above 0 and for a gradient that is not finite, naming its
    parameter; nothing is changed then.

    >>> from autodiff import Value
    >>> x, y = Value(3.0, "x"), Value(2.0, "y")
    >>> (3 * x + 4 * y).backward()
    >>> clip_gradients([x, y], 1.0), round(x.grad, 12), round(y.grad, 12)
    (5.0, 0.6, 0.8)
    """
    parameters = parameter_list(parameters)
    positive("max_norm", max_norm)
    g, length = clipped(parameters, np.array([plain(p.grad) for p in parameters]), max_norm)
    if length > max_norm:
        for p, scaled in zip(parameters, g.tolist(), strict=True):
            if p.swept:
                p.grad = scaled
    return length


def clipped(parameters: list[Value], g: Array, max_norm: float) -> tuple[Array, float]:
    """Give gradients in an array no longer than `max_norm`, and how long they were: what `clip_gradients` does."""
    with np.errstate(all="ignore"):
        refuse_not_finite(parameters, g, "the gradient of {name} is {value}: no scale makes it finite")
    largest = float(np.abs(g).max())
    if largest == 0.0:
        return g, 0.0
    direction = g / largest  # squares of these cannot overflow
    length = math.sqrt(direction @ direction)
    return (direction * (max_norm / length) if largest * length > max_norm else g), largest * length
