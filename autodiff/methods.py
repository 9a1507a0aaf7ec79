"""Operations as methods of a Value: `v.sqrt()`.

NumPy calls these on the elements of an array of Values, by its own names (`np.arcsin(a)` calls `element.arcsin()`).
"""

from __future__ import annotations

from typing import Any

from autodiff.naming import cut
from autodiff.ops import OPS


class Methods:
    """The operations that are written as methods; those used in every network are in Value itself."""

    __slots__ = ()

    op: Any
    operands: Any

    # fmt: off
    def expm1(self) -> Any: return OPS["expm1"](self)
    def log1p(self) -> Any: return OPS["log1p"](self)
    def log2(self) -> Any: return OPS["log2"](self)
    def log10(self) -> Any: return OPS["log10"](self)
    def sqrt(self) -> Any: return OPS["sqrt"](self)
    def sin(self) -> Any: return OPS["sin"](self)
    def cos(self) -> Any: return OPS["cos"](self)
    def tan(self) -> Any: return OPS["tan"](self)
    def arcsin(self) -> Any: return OPS["asin"](self)
    def arccos(self) -> Any: return OPS["acos"](self)
    def arctan(self) -> Any: return OPS["atan"](self)
    def sinh(self) -> Any: return OPS["sinh"](self)
    def cosh(self) -> Any: return OPS["cosh"](self)
    def arcsinh(self) -> Any: return OPS["asinh"](self)
    def arccosh(self) -> Any: return OPS["acosh"](self)
    def arctanh(self) -> Any: return OPS["atanh"](self)
    def erf(self) -> Any: return OPS["erf"](self)
    def softplus(self) -> Any: return OPS["softplus"](self)
    def step(self) -> Any: return OPS["step"](self)
    def arctan2(self, x: Any) -> Any: return OPS["atan2"](self, x)
    def hypot(self, other: Any) -> Any: return OPS["hypot"](self, other)
    def leaky_relu(self, slope: Any = 0.01) -> Any: return OPS["leaky_relu"](self, slope)
    def maximum(self, other: Any) -> Any: return OPS["maximum"](self, other)
    def minimum(self, other: Any) -> Any: return OPS["minimum"](self, other)
    def sign(self) -> Any: return OPS["sign"](self)
    def fabs(self) -> Any: return OPS["abs"](self)
    def conjugate(self) -> Any: return self
    def __round__(self, digits: int | None = None) -> Any: raise cut(self, "round")
    def __trunc__(self) -> Any: raise cut(self, "math.trunc")
    def __floor__(self) -> Any: raise cut(self, "math.floor")
    def __ceil__(self) -> Any: raise cut(self, "math.ceil")
    atan2 = arctan2
    asin, acos, atan, asinh, acosh, atanh = arcsin, arccos, arctan, arcsinh, arccosh, arctanh
    # fmt: on

    @property
    def _prev(self) -> set[Any]:
        """The nodes it was computed from, as micrograd calls them: for scripts that draw its graphs."""
        return {x for x in self.operands if x.__class__ is not float}

    @property
    def _op(self) -> str:
        """The symbol of what made it, as micrograd calls it; "" for a leaf."""
        return self.op.symbol if self.op else ""

    def clip(self, low: Any, high: Any, out: None = None) -> Any:
        """The Value kept between `low` and `high`; NumPy passes `out`, which a Value cannot fill."""
        if out is not None:
            raise TypeError("clip of a Value cannot write into `out`: use what it returns")
        return OPS["clip"](self, low, high)
