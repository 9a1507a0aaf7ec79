"""The rest of what a Value answers: operations as methods, `v.sqrt()`, and what NumPy, Python and Jupyter ask of a number.

NumPy calls these on the elements of an array of Values, by its own names (`np.arcsin(a)` calls `element.arcsin()`).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, cast, overload

from autodiff.domains import Array, Number
from autodiff.naming import cut
from autodiff.ops import OPS
from autodiff.ufuncs import no_rule

if TYPE_CHECKING:
    from autodiff.value import Value

Result_co = TypeVar("Result_co", covariant=True)


class Infix(Protocol[Result_co]):
    """An operator between two numbers, as type checkers see it: an array on the other side gives an array."""

    @overload
    def __call__(self, other: Value | Number, /) -> Result_co: ...
    @overload
    def __call__(self, other: Array, /) -> Array: ...


def infix(method: Callable[[Any, Any], Result_co]) -> Infix[Result_co]:
    """Return the method as it is; type checkers learn that it is an operator."""
    return cast("Infix[Result_co]", method)


class Methods:
    """The operations as methods; those used in every network are in Value itself."""

    __slots__ = ()

    op: Any
    operands: Any
    data: Any
    record_operation: Any
    # What NumPy's own functions ask of a number: the answers of a scalar.
    shape: tuple[()] = ()
    ndim: int = 0
    size: int = 1
    imag: float = 0.0

    # fmt: off
    def expm1(self) -> Value: return OPS["expm1"](self)
    def log1p(self) -> Value: return OPS["log1p"](self)
    def log2(self) -> Value: return OPS["log2"](self)
    def log10(self) -> Value: return OPS["log10"](self)
    def sqrt(self) -> Value: return OPS["sqrt"](self)
    def sin(self) -> Value: return OPS["sin"](self)
    def cos(self) -> Value: return OPS["cos"](self)
    def tan(self) -> Value: return OPS["tan"](self)
    def arcsin(self) -> Value: return OPS["asin"](self)
    def arccos(self) -> Value: return OPS["acos"](self)
    def arctan(self) -> Value: return OPS["atan"](self)
    def sinh(self) -> Value: return OPS["sinh"](self)
    def cosh(self) -> Value: return OPS["cosh"](self)
    def arcsinh(self) -> Value: return OPS["asinh"](self)
    def arccosh(self) -> Value: return OPS["acosh"](self)
    def arctanh(self) -> Value: return OPS["atanh"](self)
    def erf(self) -> Value: return OPS["erf"](self)
    def softplus(self) -> Value: return OPS["softplus"](self)
    def step(self) -> Value: return OPS["step"](self)
    def arctan2(self, x: Value | Number) -> Value: return OPS["atan2"](self, x)
    def hypot(self, other: Value | Number) -> Value: return OPS["hypot"](self, other)
    def leaky_relu(self, slope: Value | Number = 0.01) -> Value: return OPS["leaky_relu"](self, slope)
    def maximum(self, other: Value | Number) -> Value: return OPS["maximum"](self, other)
    def minimum(self, other: Value | Number) -> Value: return OPS["minimum"](self, other)
    def sign(self) -> Value: return OPS["sign"](self)
    def fabs(self) -> Value: return OPS["abs"](self)
    def conjugate(self) -> Self: return self
    def item(self) -> float: return self.data
    def as_integer_ratio(self) -> tuple[int, int]: raise cut(self, "float")  # what the statistics module asks for
    def cbrt(self) -> Value: return OPS["cbrt"](self)
    def exp2(self) -> Value: return OPS["exp2"](self)
    def square(self) -> Value: return OPS["square"](self)
    def reciprocal(self) -> Value: return OPS["reciprocal"](self)
    def erfc(self) -> Value: return OPS["erfc"](self)
    def log_ndtr(self) -> Value: return OPS["log_ndtr"](self)
    def sinc(self) -> Value: return OPS["sinc"](self)
    def floor(self) -> Value: return OPS["floor"](self)
    def ceil(self) -> Value: return OPS["ceil"](self)
    def trunc(self) -> Value: return OPS["trunc"](self)
    def rint(self) -> Value: return OPS["round_"](self)
    def deg2rad(self) -> Value: return OPS["deg2rad"](self)
    def rad2deg(self) -> Value: return OPS["rad2deg"](self)
    def __floor__(self) -> Value: return OPS["floor"](self)
    def __ceil__(self) -> Value: return OPS["ceil"](self)
    def __trunc__(self) -> Value: return OPS["trunc"](self)
    def fmod(self, _: Value | Number) -> Value: raise no_rule("np.fmod")  # NumPy asks the elements of an array for it
    def copysign(self, other: Value | Number) -> Value: return OPS["copysign"](self, other)
    def logaddexp(self, other: Value | Number) -> Value: return OPS["logaddexp"](self, other)
    @infix
    def __mod__(self, other: Any) -> Value: return OPS["remainder"](self, other)
    @infix
    def __rmod__(self, other: Any) -> Value: return OPS["remainder"](other, self)
    @infix
    def __floordiv__(self, other: Any) -> Value: return OPS["floor_divide"](self, other)
    @infix
    def __rfloordiv__(self, other: Any) -> Value: return OPS["floor_divide"](other, self)
    def __divmod__(self, other: Value | Number) -> tuple[Value, Value]: return self // other, self % other
    def __rdivmod__(self, other: Number) -> tuple[Value, Value]: return other // self, other % self
    degrees, radians = rad2deg, deg2rad
    atan2 = arctan2
    asin, acos, atan, asinh, acosh, atanh = arcsin, arccos, arctan, arcsinh, arccosh, arctanh
    if not TYPE_CHECKING:  # so that an editor marks float(v) and math.sin(v) as the mistakes they are
        def __float__(self) -> float: raise cut(self, "float")
        def __int__(self) -> int: raise cut(self, "int")
    # fmt: on

    def __round__(self, digits: int | None = None) -> Value:
        """Round to the nearest integer, or to so many decimals, -308 to 308, as `np.round` does: halves to the even one.

        It scales by a power of 10 and rounds that: Python's own `round` of a float goes by the decimals it stands for.
        """
        try:
            digits = 0 if digits is None else index(digits)
        except TypeError:
            raise TypeError(f"decimals must be an integer, got {digits!r}; round(v, 2), or round(v) for none") from None
        if not digits:
            return OPS["round_"](self)
        if abs(digits) > 308:
            raise ValueError(
                f"decimals must be between -308 and 308, got {digits}; 10**{abs(digits)} is beyond all floats"
            )
        x = cast("Value", self)
        scale = 10.0 ** abs(digits)
        return OPS["round_"](x * scale) / scale if digits > 0 else OPS["round_"](x / scale) * scale

    @property
    def real(self) -> Self:
        """The Value itself: all of it is real."""
        return self

    @property
    def dtype(self) -> Any:
        """Return what NumPy calls the type of an array of Values, `dtype('O')`."""
        import numpy as np

        return np.dtype(object)

    @property
    def _prev(self) -> set[Any]:
        """The nodes it was computed from, as micrograd calls them: for scripts that draw its graphs."""
        return {x for x in self.operands if x.__class__ is not float}

    @property
    def _op(self) -> str:
        """The symbol of what made it, as micrograd calls it; "" for a leaf."""
        return self.op.symbol if self.op else ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from autodiff.pictures.graph import bundle  # drawing is above the core, and Jupyter alone asks for it here

        return bundle(self, include, exclude)

    def clip(self, low: Value | Number, high: Value | Number, out: None = None) -> Value:
        """Return the Value kept between `low` and `high`; NumPy passes `out`, which a Value cannot fill."""
        if out is not None:
            raise TypeError("clip of a Value cannot write into `out`: use what it returns")
        return OPS["clip"](self, low, high)
