"""What all optimizers share, whatever their rule: checks, the learning rate, decay, saving and going on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autodiff import Value
from models._settings import fraction, not_negative, parameter_list, plain, positive, refuse_not_finite
from models.schedules import Rate

Array = NDArray[np.float64]


class Optimizer(ABC):
    """What all optimizers share: the parameters, the learning rate, the count of steps, decay, saving and loading.

    `learning_rate` is a number above 0 or a schedule, a function of the number of steps taken so far (the first step
    asks for 0). Two ways to keep weights small: `weight_decay` adds weight_decay · w to the gradient, the derivative
    of `models.losses.l2`; `shrinkage` cuts every weight by that fraction after each change, as Rumelhart, Hinton &
    Williams (1986) did in their family-tree network.

    Raises TypeError for parameters that are not Values, ValueError for none, for one given twice, for one that was
    computed from others, and for settings out of range: before anything changes.
    """

    buffers: ClassVar[tuple[str, ...]] = ()  # arrays the rule keeps between steps, one entry per weight
    settings: ClassVar[tuple[str, ...]] = ()  # what repr shows beside the learning rate

    def __init__(
        self, parameters: Iterable[Value], *, learning_rate: Rate, weight_decay: float = 0.0, shrinkage: float = 0.0
    ) -> None:
        self.parameters = parameter_list(parameters)
        self.learning_rate = learning_rate
        self.weight_decay = not_negative("weight_decay", weight_decay)
        self.shrinkage = fraction("shrinkage", shrinkage)
        self.steps = 0
        self._kept: dict[str, Array] = {name: np.zeros(len(self.parameters)) for name in self.buffers}
        self._rate()

    def step(self) -> None:
        """Change every parameter once by its gradient; one that no sweep has reached counts as gradient 0.

        Raises ValueError that names the parameter whose gradient is not finite, or which the step would make so:
        nothing is changed then.
        """
        w = np.array([p.data for p in self.parameters])
        g = np.array([plain(p.grad) for p in self.parameters])
        self.update(w, g)
        for p, data in zip(self.parameters, w.tolist(), strict=True):
            p.data = data

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters, before the next backward()."""
        for p in self.parameters:
            p.zero_grad()

    def state(self) -> dict[str, Any]:
        """Give what a later `load_state` needs to go on exactly here: the count of steps and copies of the arrays.

        The learning rate and the momentum are in it when they are numbers, since those may change during a run.
        """
        changing = {name: getattr(self, name, None) for name in ("learning_rate", "momentum")}
        numbers = {name: float(value) for name, value in changing.items() if isinstance(value, Real)}
        return {"steps": self.steps, **numbers, **{name: array.copy() for name, array in self._kept.items()}}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `state()` was taken; ValueError for another optimizer's state, and nothing is changed then."""
        own = self.state()
        if set(state) != set(own):
            raise ValueError(f"{type(self).__name__}: the state has {sorted(state)}, and {sorted(own)} is needed")
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

        It is a step on arrays: the Values are neither asked nor changed. Raises ValueError as `step` does, and nothing
        is changed then.
        """
        rate = self._rate()
        with np.errstate(all="ignore"):  # what is not finite is refused by name
            refuse_not_finite(self.parameters, g, "the gradient of {name} is {value}: look at what the loss made of it")
            new, before = w.copy(), {name: array.copy() for name, array in self._kept.items()}
            try:
                self._rule(new, self._with_decay(new, g, rate), rate)
                if self.shrinkage:
                    new *= 1.0 - self.shrinkage
                for what, array in {"": new, **self._kept}.items():
                    problem = f"the step would make {what + ' of ' if what else ''}{{name}} {{value}}"
                    cure = "clip the gradients" if what else f"learning_rate={rate} is too large"
                    refuse_not_finite(self.parameters, array, f"{problem}: {cure}")
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
        """The learning rate of this step; a schedule may give 0, a number may not be."""
        if not callable(self.learning_rate):
            return positive("learning_rate", self.learning_rate)
        return not_negative(f"learning_rate({self.steps})", self.learning_rate(self.steps))

    def __repr__(self) -> str:
        shown = ["learning_rate", *self.settings, *(n for n in ("weight_decay", "shrinkage") if getattr(self, n))]
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__name__}({values}) of {len(self.parameters)} parameters"
