"""Learning rates that change from step to step: functions of the number of steps taken so far.

>>> schedule = warmup(cosine_decay(0.1, steps=100), steps=5)
>>> schedule
warmup(after=cosine_decay(rate=0.1, steps=100, final=0.0), steps=5)
>>> [round(schedule(step), 4) for step in (0, 4, 5, 55, 105)]
[0.02, 0.1, 0.1, 0.05, 0.0]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from models._checks import positive, whole, within

Rate = float | Callable[[int], float]  # a number, or a schedule: steps taken so far → rate


@dataclass(frozen=True)
class Schedule:
    """A learning rate that depends on the number of steps taken so far: call it with that number.

    Made by `constant`, `step_decay`, `exponential_decay`, `cosine_decay` and `warmup`; compares by its settings, and
    copies and pickles.
    """

    name: str
    options: tuple[tuple[str, Any], ...]

    def __call__(self, step: int) -> float:
        """Return the learning rate after `step` steps."""
        return _SCHEDULES[self.name](step, **dict(self.options))

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.options)})"


def constant(rate: float) -> Schedule:
    """Return the schedule of one rate for every step."""
    return Schedule("constant", (("rate", positive("rate", rate)),))


def step_decay(rate: float, every: int, factor: float = 0.1) -> Schedule:
    """Multiply the rate by `factor`, in (0, 1], after every `every` steps.

    >>> [step_decay(1.0, every=2, factor=0.5)(step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    options = (("rate", positive("rate", rate)), ("every", whole("every", every)), ("factor", _factor(factor)))
    return Schedule("step_decay", options)


def exponential_decay(rate: float, factor: float) -> Schedule:
    """Multiply the rate by `factor`, in (0, 1], after every step.

    >>> [exponential_decay(1.0, factor=0.5)(step) for step in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """
    return Schedule("exponential_decay", (("rate", positive("rate", rate)), ("factor", _factor(factor))))


def cosine_decay(rate: float, steps: int, final: float = 0.0) -> Schedule:
    """Go from `rate` to `final` in `steps` steps along half a cosine, and stay there (Loshchilov & Hutter 2017).

    >>> [round(cosine_decay(1.0, steps=4)(step), 3) for step in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """
    rate = positive("rate", rate)
    final = within("final", final, f"from 0 to the rate, {rate}", 0.0, rate, edges="[]")
    return Schedule("cosine_decay", (("rate", rate), ("steps", whole("steps", steps)), ("final", final)))


def warmup(after: Rate, steps: int) -> Schedule:
    """Climb in `steps` equal steps to the rate `after` starts with, then follow it: a number or a schedule.

    >>> [warmup(1.0, steps=4)(step) for step in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """
    if not callable(after):
        after = constant(after)
    return Schedule("warmup", (("after", after), ("steps", whole("steps", steps))))


def _cosine(step: int, rate: float, steps: int, final: float) -> float:
    return final + (rate - final) * (1.0 + math.cos(math.pi * min(step / steps, 1.0))) / 2.0


_SCHEDULES: Mapping[str, Callable[..., float]] = {
    "constant": lambda step, rate: rate,  # noqa: ARG005
    "step_decay": lambda step, rate, every, factor: rate * factor ** (step // every),
    "exponential_decay": lambda step, rate, factor: rate * factor**step,
    "cosine_decay": _cosine,
    "warmup": lambda step, after, steps: after(0) * (step + 1) / steps if step < steps else after(step - steps),
}

_factor = partial(within, "factor", rule="above 0 and at most 1", low=0.0, high=1.0, edges="(]")
