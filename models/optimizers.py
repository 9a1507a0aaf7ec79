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
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from functools import partial
from numbers import Real
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from autodiff import Value
from models._checks import Array, fraction, known, not_negative, parameter_list, positive, refuse_not_finite
from models._values import plain
from models.schedules import Rate, Schedule, constant, cosine_decay, exponential_decay, step_decay, warmup

__all__ = [
    "OPTIMIZERS", "Adam", "AdamW", "GradientDescent", "Optimizer", "RMSProp", "Schedule", "clip_gradients",
    "constant", "cosine_decay", "exponential_decay", "optimizer_by_name", "step_decay", "warmup",
]  # fmt: skip


# What each setting must be, and returns as a float.
_RULES: Mapping[str, Callable[[str, Any], float]] = {
    "weight_decay": not_negative, "shrinkage": fraction, "smoothing": fraction, "beta1": fraction, "beta2": fraction,
    "epsilon": positive,
}  # fmt: skip


@dataclass(eq=False, repr=False)
class Optimizer(ABC):
    """The base of all optimizers: parameters, learning rate, count of steps, decay, saving and loading.

    `learning_rate` is a number above 0 or a schedule, a function of the number of steps taken so far (the first step
    asks for 0). Two ways to keep weights small: `weight_decay` adds weight_decay · w to the gradient, the derivative
    of `models.losses.l2`; `shrinkage` cuts every weight by that fraction after each change, as Rumelhart, Hinton &
    Williams (1986) did in their family-tree network.

    Raises TypeError for parameters that are not Values, ValueError for none, for one given twice, for one that was
    computed from others, and for settings out of range: before anything changes.
    """

    parameters: Sequence[Value]
    _: KW_ONLY
    learning_rate: Rate
    weight_decay: float = 0.0
    shrinkage: float = 0.0

    buffers: ClassVar[tuple[str, ...]] = ()  # arrays the rule keeps between steps, one entry per weight

    def __post_init__(self) -> None:
        self.parameters = parameter_list(self.parameters)
        for name, rule in _RULES.items():
            if hasattr(self, name):
                setattr(self, name, rule(name, getattr(self, name)))
        self.steps = 0
        self._kept: dict[str, Array] = {name: np.zeros(len(self.parameters)) for name in self.buffers}
        self._rate()

    def step(self) -> None:
        """Change every parameter once by its gradient, which counts as 0 where no sweep has reached it.

        Raises NotFiniteError, a ValueError, naming the parameter whose gradient is not finite or which the step would
        make infinite or NaN; nothing is changed then.
        """
        w = np.array([p.data for p in self.parameters])
        g = np.array([plain(p.grad) for p in self.parameters])
        self.update(w, g)
        for p, data in zip(self.parameters, w.tolist(), strict=True):
            p.data = data

    def zero_grad(self) -> None:
        """Reset the gradients of all parameters, before the next backward()."""
        for p in self.parameters:
            p.zero_grad()

    def state(self) -> dict[str, Any]:  # Any: what JSON holds
        """Return the state from which `load_state` resumes exactly here: the count of steps and copies of the arrays.

        It holds the learning rate and the momentum when they are numbers, since those may change during a run.
        """
        changing = {name: getattr(self, name, None) for name in ("learning_rate", "momentum")}
        numbers = {name: float(value) for name, value in changing.items() if isinstance(value, Real)}
        return {"steps": self.steps, **numbers, **{name: array.copy() for name, array in self._kept.items()}}

    def load_state(self, state: Mapping[str, Any]) -> None:  # Any: what JSON holds
        """Resume where `state()` was taken; ValueError for another optimizer's state, and nothing is changed then."""
        own = self.state()
        if set(state) != set(own):
            raise ValueError(f"{type(self).__name__}: the state must have {sorted(own)}, got {sorted(state)}")
        steps = state["steps"]
        if not (steps >= 0 and steps % 1 == 0):
            raise ValueError(f"{type(self).__name__}: steps must be a whole number, 0 or more, got {steps!r}")
        arrays = {name: np.array(state[name], dtype=np.float64) for name in self._kept}
        for name, array in arrays.items():
            if array.shape != own[name].shape or not np.isfinite(array).all():
                raise ValueError(
                    f"{type(self).__name__}: {name} must be {own[name].shape}, one finite number per parameter, "
                    f"got {array.shape}{'' if np.isfinite(array).all() else ' with NaN or inf'}"
                )
        numbers = {name: float(state[name]) for name in own if name != "steps" and name not in arrays}
        if "learning_rate" in numbers:
            positive("learning_rate", numbers["learning_rate"])
        if "momentum" in numbers:
            fraction("momentum", numbers["momentum"])
        for name, value in numbers.items():
            setattr(self, name, value)
        self.steps = int(steps)
        self._kept = arrays

    def update(self, w: Array, g: Array) -> None:
        """Change the weights `w` in place by the gradients `g`, both (n_parameters,), in the order of `parameters`.

        It is a step on arrays: the Values are neither read nor changed. Raises NotFiniteError as `step` does, and
        nothing is changed then.
        """
        rate = self._rate()
        with np.errstate(all="ignore"):  # what is not finite is refused by name
            refuse_not_finite(self.parameters, g, "the gradient of {name} is {value}; look at what the loss made of it")
            new, before = w.copy(), {name: array.copy() for name, array in self._kept.items()}
            try:
                self._rule(new, self._with_decay(new, g, rate), rate)
                if self.shrinkage:
                    new *= 1.0 - self.shrinkage
                for what, array in {"": new, **self._kept}.items():
                    problem = f"the step would make {what + ' of ' if what else ''}{{name}} {{value}}"
                    cure = "clip the gradients" if what else f"learning_rate={rate} is too large"
                    refuse_not_finite(self.parameters, array, f"{problem}; {cure}")
            except BaseException:
                self._kept = before
                raise
        w[:] = new
        self.steps += 1

    @abstractmethod
    def _rule(self, w: Array, g: Array, rate: float) -> None:
        """Change `w` and the kept arrays in place; `self.steps` counts the steps before this one."""

    def _with_decay(self, w: Array, g: Array, rate: float) -> Array:  # noqa: ARG002 # AdamW's own needs the rate
        return g + self.weight_decay * w if self.weight_decay else g

    def _rate(self) -> float:
        """Return the learning rate of this step; a schedule may return 0, a number may not be 0."""
        if not callable(self.learning_rate):
            return positive("learning_rate", self.learning_rate)
        return not_negative(f"learning_rate({self.steps})", self.learning_rate(self.steps))

    def __repr__(self) -> str:
        own = [each.name for each in fields(self)[len(fields(Optimizer)) :]]
        shown = ["learning_rate", *own, *(name for name in ("weight_decay", "shrinkage") if getattr(self, name))]
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__name__}({values}) of {len(self.parameters)} parameters"


@dataclass(eq=False, repr=False)
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

    learning_rate: Rate = 0.01
    momentum: Rate = 0.0
    nesterov: bool = False

    buffers = ("change",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and not callable(self.momentum) and self.momentum == 0:
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


@dataclass(eq=False, repr=False)
class RMSProp(Optimizer):
    """Divide each gradient by a running root mean square of itself: w ← w − ε g / (√v + epsilon).

    v ← smoothing · v + (1 − smoothing) · g², `smoothing` in [0, 1) (Tieleman & Hinton 2012, lecture 6.5).
    """

    learning_rate: Rate = 0.01
    smoothing: float = 0.99
    epsilon: float = 1e-8

    buffers = ("mean_square",)

    def _rule(self, w: Array, g: Array, rate: float) -> None:
        v = self._kept["mean_square"]
        v *= self.smoothing
        v += (1.0 - self.smoothing) * g * g
        w -= rate * g / (np.sqrt(v) + self.epsilon)


@dataclass(eq=False, repr=False)
class Adam(Optimizer):
    """Step by running means of the gradient and of its square, both corrected for their start at 0.

    w ← w − ε m̂ / (√v̂ + epsilon), with m ← beta1 · m + (1 − beta1) g, v ← beta2 · v + (1 − beta2) g²,
    m̂ = m/(1 − beta1ᵗ), v̂ = v/(1 − beta2ᵗ), t counting from 1; both betas in [0, 1) (Kingma & Ba 2015, algorithm 1).
    """

    learning_rate: Rate = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    buffers = ("first_moment", "second_moment")

    def _rule(self, w: Array, g: Array, rate: float) -> None:
        m, v, t = self._kept["first_moment"], self._kept["second_moment"], self.steps + 1
        m += (1.0 - self.beta1) * (g - m)
        v *= self.beta2
        v += (1.0 - self.beta2) * g * g
        root = np.sqrt(v) / math.sqrt(1.0 - self.beta2**t)
        w -= rate / (1.0 - self.beta1**t) * m / (root + self.epsilon)


@dataclass(eq=False, repr=False)
class AdamW(Adam):
    """Adam with the decay taken out of the gradient: w ← w − ε · weight_decay · w first, then Adam's step.

    So the decay is the same for every weight, however large its gradients were (Loshchilov & Hutter 2019).
    """

    weight_decay: float = 0.01

    def _with_decay(self, w: Array, g: Array, rate: float) -> Array:
        w *= 1.0 - rate * self.weight_decay
        return g


OPTIMIZERS: Mapping[str, Callable[..., Optimizer]] = MappingProxyType({
    "gd": GradientDescent, "momentum": partial(GradientDescent, momentum=0.9),
    "nesterov": partial(GradientDescent, momentum=0.9, nesterov=True), "rmsprop": RMSProp, "adam": Adam, "adamw": AdamW,
})  # fmt: skip


def optimizer_by_name(
    name: str, parameters: Iterable[Value], learning_rate: Rate | None = None, **options: Any
) -> Optimizer:  # Any: the optimizer's own options
    """Make the optimizer of that name; without a learning rate, with the one its class has by default.

    Raises ValueError that lists the known names, and TypeError for an option it does not take.

    >>> from autodiff import Value
    >>> optimizer_by_name("momentum", [Value(1.0, "w"), Value(0.0, "b")], learning_rate=0.1)
    GradientDescent(learning_rate=0.1, momentum=0.9, nesterov=False) of 2 parameters
    """
    known("optimizer", name, OPTIMIZERS)
    if learning_rate is not None:
        options["learning_rate"] = learning_rate
    return OPTIMIZERS[name](parameters, **options)


def clip_gradients(parameters: Iterable[Value], max_norm: float) -> float:
    """Scale all gradients down together to a length of at most `max_norm`; return the length before.

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
    """Scale the gradients in an array as `clip_gradients` does; return them and their length before."""
    with np.errstate(all="ignore"):
        refuse_not_finite(parameters, g, "the gradient of {name} is {value}; no scale makes it finite")
    largest = float(np.abs(g).max())
    if largest == 0.0:
        return g, 0.0
    direction = g / largest  # squares of these cannot overflow
    length = math.sqrt(direction @ direction)
    return (direction * (max_norm / length) if largest * length > max_norm else g), largest * length
