"""Checks of what steers training, numbers and parameters: what is wrong, what it must be, what it was."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import Value


def within(name: str, x: Any, rule: str, low: float, high: float, *, edges: str = "[)") -> float:
    """Give `x` as a float if it lies between `low` and `high`; `edges` tells which of the two may be met.

    Raises TypeError for what is not a number, ValueError for a number outside, NaN included.
    """
    if not isinstance(x, Real):
        raise TypeError(f"{name} must be a number, got {type(x).__name__} {x!r}")
    plain = float(x)
    if not (low < plain < high or (plain == low and edges[0] == "[") or (plain == high and edges[1] == "]")):
        raise ValueError(f"{name} must be {rule}, got {x!r}")
    return plain


def positive(name: str, x: Any) -> float:
    return within(name, x, "a finite number above 0", 0.0, math.inf, edges="()")


def not_negative(name: str, x: Any) -> float:
    return within(name, x, "a finite number, 0 or more", 0.0, math.inf)


def fraction(name: str, x: Any) -> float:
    return within(name, x, "0 or more and below 1", 0.0, 1.0)


def count(name: str, x: Any) -> int:
    if not isinstance(x, (int, np.integer)) or isinstance(x, bool) or x < 1:
        raise ValueError(f"{name} must be a whole number above 0, got {x!r}")
    return int(x)


def parameter_list(parameters: Iterable[Value]) -> list[Value]:
    if isinstance(parameters, Value):
        raise TypeError("parameters must be a list of Values, got one Value: put it in [ ]")
    parameters = list(parameters)
    if not parameters:
        raise ValueError("parameters is empty: there is nothing to optimize")
    seen: dict[int, int] = {}
    for i, p in enumerate(parameters):
        if not isinstance(p, Value):  # pyright: ignore[reportUnnecessaryIsInstance] # callers need not be typed
            raise TypeError(f"parameters must be Values, got {type(p).__name__} {p!r} at {i}")
        if p.operands:
            name = parameter_name(parameters, i)
            raise ValueError(f"{name} was computed from others: optimize the Values it came from")
        if id(p) in seen:
            raise ValueError(f"{parameter_name(parameters, i)} is given twice, at {seen[id(p)]} and at {i}")
        seen[id(p)] = i
    return parameters


def parameter_name(parameters: list[Value], i: int) -> str:
    return repr(parameters[i].label) if parameters[i].label else f"parameter {i}"


def refuse_not_finite(parameters: list[Value], array: NDArray[np.float64], problem: str) -> None:
    if not math.isfinite(array @ array) and not np.isfinite(array).all():  # squares that overflow are finite still
        i = int(np.flatnonzero(~np.isfinite(array))[0])
        raise ValueError(problem.format(name=parameter_name(parameters, i), value=array[i]) + "; nothing was changed")


def plain(grad: Any) -> float:
    return grad.data if isinstance(grad, Value) else grad  # a Value after backward(create_graph=True)


def assign(parameters: Sequence[Value], numbers: Sequence[float]) -> None:
    """Set all parameters to these numbers, or, interrupted, none of them."""
    before = [p.data for p in parameters]
    try:
        for parameter, number in zip(parameters, numbers, strict=True):
            parameter.data = number
    except BaseException:
        for parameter, number in zip(parameters, before, strict=True):
            parameter.data = number
        raise
