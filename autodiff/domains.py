"""Operands: one real number each, inside the operation's domain."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

from autodiff.errors import DomainError as DomainError  # noqa: PLC0414 # it lived here, and is imported from here

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REALS = (Real, Decimal)  # Python's own kinds of real numbers
# What type checkers take for one real number, and for an array of numbers or of Values (hence Any):
Number: TypeAlias = "float | Fraction | Decimal | np.floating[Any] | np.integer[Any] | np.bool_"
Array: TypeAlias = "NDArray[Any]"


@dataclass(frozen=True, slots=True)
class Domain:
    """An interval of the real line in the usual notation, possibly without one point.

    >>> 0.0 in Domain("(0, ∞)"), 0.0 in Domain("[0, ∞)"), 0.0 in Domain("(-∞, ∞)", without=0.0)
    (False, True, False)
    """

    interval: str
    without: float | None = None

    def __post_init__(self) -> None:
        try:
            low, high = self.bounds
            fits = low < high and self.interval[0] + self.interval[-1] in ("()", "(]", "[)", "[]")
        except (TypeError, ValueError):
            fits = False
        if not fits:
            kind = ValueError if self.interval.__class__ is str else TypeError
            raise kind(f"a domain must be an interval such as '(0, ∞)' or '[-1, 1]', got {self.interval!r}")

    @property
    def bounds(self) -> tuple[float, float]:
        """Lower and upper end."""
        low, high = self.interval[1:-1].replace("∞", "inf").split(",")
        return float(low), float(high)

    def __contains__(self, x: float) -> bool:
        low, high = self.bounds
        at_edge = (x == low and self.interval[0] == "[") or (x == high and self.interval[-1] == "]")
        return (low < x < high or at_edge) and x != self.without

    def __str__(self) -> str:
        return self.interval + (f" without {self.without:g}" if self.without is not None else "")


def is_array(x: Any) -> bool:
    """Tell whether `x` is an array with at least one axis (a 0-d array is a number)."""
    numpy = sys.modules.get("numpy")  # until somebody has loaded it there are no arrays
    return numpy is not None and isinstance(x, numpy.ndarray) and x.ndim > 0


def unbox(x: Any) -> Any:
    """Return the entry of a 0-d array, anything else as it is: NumPy returns such arrays where a number is meant."""
    return x.item() if _is_box(x) else x


def _is_box(x: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(x, numpy.ndarray) and x.ndim == 0


def _is_real(x: Any) -> bool:
    return isinstance(x, REALS) or _is_numpys(x, "bool_")


def _is_numpys(x: Any, kind: str) -> bool:
    """Tell whether `x` is an instance of the NumPy class `kind`, without loading NumPy."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(x, getattr(numpy, kind))


def number(x: Any) -> float:
    """Return `x` as a float, or raise a TypeError that says what to use instead."""
    if x.__class__ is float:
        return x
    if x.__class__ is not int:
        if _is_box(x) and sys.modules["numpy"].ma.is_masked(x):
            raise TypeError("a Value needs one real number, got a masked entry of an array; leave it out")
        x = unbox(x)
    kind: Any = x.__class__
    if kind is int or _is_real(x):  # asking for int first is quick, and most constants are
        try:
            result = float(x)
        except OverflowError:
            result = math.inf
        except (TypeError, ValueError):  # a span of time, a NaN that signals
            raise TypeError(f"a Value needs one real number, got {x!r}") from None
        if math.isinf(result) and x != result:
            raise OverflowError("this number is beyond the largest float, 1.8e308; scale it down")
        return result
    raise TypeError(f"a Value needs one real number, got {kind.__name__ if x is not None else x}{_advice(x)}")


def real_array(x: Any) -> Any:
    """Return an array or number as float64; TypeError for text, complex numbers and dates, though NumPy takes them."""
    import numpy as np

    if not is_array(x):
        return np.asarray(number(x))
    if x.dtype.kind not in "biuf":
        raise TypeError(f"operations need arrays of real numbers, got an array of {x.dtype}; convert it first")
    return np.asarray(x, dtype=np.float64)


def _advice(x: Any) -> str:
    """Return the way out for something that is not a real number, as the end of a message."""
    kind: Any = x.__class__
    if x is None:
        return "; is a `return` missing in the function it came from?"
    if isinstance(x, (str, bytes)):
        return f"; for text use Value(float({x[:40]!r}))"
    if isinstance(x, complex) or _is_numpys(x, "complexfloating"):
        return "; keep real and imaginary parts as two Values"
    if kind in (list, tuple) and any(hasattr(entry, "record_operation") for entry in x):
        return "; its entries are Values already: take them one by one, [exp(x) for x in data], or as an array"
    if hasattr(kind, "__iter__") and getattr(x, "ndim", 1) > 0:
        return "; make one Value per element, e.g. [Value(x) for x in data]"
    if hasattr(x, "record_operation"):
        return "; it is a Value already: use it as it is, or its .data for a constant"
    return "; take the number out first, with .item()" if hasattr(x, "item") else ""
