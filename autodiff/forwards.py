"""How the operations compute on floats for which one function of `math` will not do, and what IEEE 754 has at edges.

Python's functions raise at an edge; arrays, and compiled programs, have an infinity or NaN there. `Ieee` is a float
that computes as they do, so that the slopes at an edge come of the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from operator import mul
from types import BuiltinFunctionType
from typing import Any


def sign(a: float) -> float:
    return a if a != a else float((a > 0.0) - (a < 0.0))


def step(a: float) -> float:
    return 0.0 if a <= 0.0 else 1.0 if a > 0.0 else a


def sigmoid(a: float) -> float:
    e = math.exp(-abs(a))  # at most 1: neither side overflows
    return (1.0 if a >= 0.0 else e) / (1.0 + e)


def sech_squared(a: float) -> float:
    e = math.exp(-2.0 * abs(a))
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


def softplus(a: float) -> float:
    return (0.0 if a <= 0.0 else a) + math.log1p(math.exp(-abs(a)))


def leaky_relu(a: float, slope: float) -> float:
    return a if a > 0.0 else a * slope


def clip(a: float, low: float, high: float) -> float:
    if low > high:
        raise ValueError
    return (low if a < low else high if a > high else a) if low <= high else math.nan


def logsumexp(*xs: float) -> float:
    *others, top = sorted(xs)
    if math.isinf(top):
        return top if not any(map(math.isnan, others)) else math.nan
    try:
        return top + math.log1p(sum(math.exp(x - top) for x in others))  # 1 + the others: log1p keeps what is small
    except OverflowError:  # NaN has no place in an order, so top is not the largest
        return math.nan


def weighted_sum(*operands: Any) -> Any:  # the weights, as many inputs, the bias
    n, odd = divmod(len(operands), 2)
    if not odd:
        raise ValueError
    return sum(map(mul, operands[:n], operands[n:-1]), operands[-1])


def _infinite(*_: float) -> float:
    return math.inf


def _as_sinh(a: float) -> float:
    return math.copysign(math.inf, a)


def _as_log(a: float) -> float:
    return -math.inf if a == 0.0 else math.nan


def _as_log1p(a: float) -> float:
    return _as_log(1.0 + a)


def _as_atanh(a: float) -> float:
    return math.copysign(math.inf, a) if abs(a) == 1.0 else math.nan


def _as_pow(a: float, b: float) -> float:
    if a < 0.0 and b % 1.0:
        return math.nan
    return math.copysign(math.inf, a) if b % 2.0 == 1.0 else math.inf


def _as_clip(a: float, _: float, high: float) -> float:
    return a if a != a else high


# What arrays have where these raise; the other functions of `math` raise where arrays have NaN.
_LIMITS: Mapping[Any, Callable[..., float]] = {
    math.exp: _infinite, math.expm1: _infinite, math.cosh: _infinite, math.sinh: _as_sinh, math.log: _as_log,
    math.log2: _as_log, math.log10: _as_log, math.log1p: _as_log1p, math.atanh: _as_atanh, math.pow: _as_pow,
    clip: _as_clip,
}  # fmt: skip


def ieee(forward: Callable[..., float], *operands: float) -> float:
    """Return what `forward` has here after IEEE 754: an infinity or NaN in place of an error."""
    try:
        return forward(*operands)
    except (ArithmeticError, ValueError):
        if forward in _LIMITS:
            return _LIMITS[forward](*operands)
        return math.nan if isinstance(forward, BuiltinFunctionType) else float(forward(*map(Ieee, operands)))


class Ieee(float):
    """A float whose arithmetic never raises: 1/0 is ∞, 0/0 NaN, 10²⁰⁰ squared ∞."""

    __slots__ = ()

    # fmt: off
    def __add__(self, other: Any) -> Any: return Ieee(float(self) + other)
    def __sub__(self, other: Any) -> Any: return Ieee(float(self) - other)
    def __mul__(self, other: Any) -> Any: return Ieee(float(self) * other)
    def __radd__(self, other: Any) -> Any: return Ieee(other + float(self))
    def __rsub__(self, other: Any) -> Any: return Ieee(other - float(self))
    def __rmul__(self, other: Any) -> Any: return Ieee(other * float(self))
    def __truediv__(self, other: Any) -> Any: return Ieee(_quotient(float(self), float(other)))
    def __rtruediv__(self, other: Any) -> Any: return Ieee(_quotient(float(other), float(self)))
    def __pow__(self, other: Any) -> Any: return Ieee(ieee(math.pow, float(self), float(other)))  # pyright: ignore[reportIncompatibleMethodOverride]
    def __rpow__(self, other: Any) -> Any: return Ieee(ieee(math.pow, float(other), float(self)))  # pyright: ignore[reportIncompatibleMethodOverride]
    def __neg__(self) -> Any: return Ieee(-float(self))
    def __pos__(self) -> Any: return self
    def __abs__(self) -> Any: return Ieee(abs(float(self)))
    # fmt: on

    @staticmethod
    def record_operation(op: Any, operands: Sequence[Any]) -> Any:
        """What calling a row on such numbers gives."""
        return Ieee(op.on_ieee(*map(float, operands)))


def _quotient(a: float, b: float) -> float:
    try:
        return a / b
    except ZeroDivisionError:
        return math.nan if a == 0.0 or a != a else math.copysign(math.inf, a) * math.copysign(1.0, b)
