"""Dual numbers: a + bε with ε² = 0, which carry a slope along with a number through the code itself.

The slope of an operation comes from its oracle (`partial_of`) and never from the rules under test, and the errors that
the oracles claim are carried along too. Branches and comparisons go by the number. Nothing is recorded, so what the
graph does not know of is found.
"""

# ruff: noqa: D102 # methods named after their operations
import operator
from collections.abc import Callable, Sequence
from typing import Any

from autodiff.domains import is_array, number, unbox
from autodiff.errors import NoDerivativeError
from autodiff.methods import Methods
from autodiff.ops import OPS, Op
from autodiff.testing.oracles import DUAL, EPSILON, Estimate, partial_of


class Dual(Methods):
    """A number, how fast it changes, and how far off that may be.

    >>> x = Dual(3.0, 1.0)
    >>> y = x * x + x
    >>> y.number, y.slope
    (12.0, 7.0)
    """

    __slots__ = ("bound", "number", "slope")

    def __init__(self, number: float, slope: float = 0.0, bound: float = 0.0) -> None:
        self.number, self.slope, self.bound = number, slope, bound

    @staticmethod
    def record_operation(op: Op, operands: Sequence[Any]) -> Any:
        """Compute `op` and its slope: what the rows of the table call when they meet a Dual."""
        if any(map(is_array, operands)):
            raise TypeError("dual numbers are computed one by one, not beside whole arrays")
        duals = [x if isinstance(x, Dual) else Dual(number(x)) for x in map(unbox, operands)]
        at = [x.number for x in duals]
        slope = bound = 0.0
        for i, x in enumerate(duals):
            if x.slope or x.bound:
                partial = partial_of(op, at, i)
                slope += partial.value * x.slope
                bound += abs(partial.value) * x.bound + partial.bound * (abs(x.slope) + x.bound)
        return Dual(op.on_floats(*at), slope, bound + EPSILON * len(duals) * abs(slope))

    # fmt: off
    def __add__(self, other: Any) -> Any: return _infix("add", self, other)
    def __sub__(self, other: Any) -> Any: return _infix("sub", self, other)
    def __mul__(self, other: Any) -> Any: return _infix("mul", self, other)
    def __truediv__(self, other: Any) -> Any: return _infix("div", self, other)
    def __pow__(self, other: Any) -> Any: return _infix("pow", self, other)
    def __radd__(self, other: Any) -> Any: return _infix("add", other, self)
    def __rsub__(self, other: Any) -> Any: return _infix("sub", other, self)
    def __rmul__(self, other: Any) -> Any: return _infix("mul", other, self)
    def __rtruediv__(self, other: Any) -> Any: return _infix("div", other, self)
    def __rpow__(self, other: Any) -> Any: return _infix("pow", other, self)
    def __neg__(self) -> Any: return OPS["neg"](self)
    def __pos__(self) -> Any: return OPS["pos"](self)
    def __abs__(self) -> Any: return OPS["abs"](self)
    def exp(self) -> Any: return OPS["exp"](self)
    def log(self) -> Any: return OPS["log"](self)
    def tanh(self) -> Any: return OPS["tanh"](self)
    def relu(self) -> Any: return OPS["relu"](self)
    def sigmoid(self) -> Any: return OPS["sigmoid"](self)

    def __eq__(self, other: object) -> bool: return _compare(operator.eq, self, other)
    def __lt__(self, other: Any) -> bool: return _compare(operator.lt, self, other)
    def __le__(self, other: Any) -> bool: return _compare(operator.le, self, other)
    def __gt__(self, other: Any) -> bool: return _compare(operator.gt, self, other)
    def __ge__(self, other: Any) -> bool: return _compare(operator.ge, self, other)
    def __bool__(self) -> bool: return self.number != 0.0
    __hash__ = object.__hash__
    # fmt: on


def through_duals(function: Callable[[Any], Any], x: float) -> Estimate | None:
    """Return the derivative at `x` of code that dual numbers can run through; None where they cannot."""
    try:
        result = unbox(function(Dual(x, 1.0)))
        result = result if isinstance(result, Dual) else Dual(number(result))
    except NoDerivativeError:
        return None
    except Exception:  # noqa: BLE001 # code of any kind may raise anything when it meets an unknown kind of number
        return None
    return Estimate(result.slope, result.bound, DUAL)


def _infix(name: str, left: Any, right: Any) -> Any:
    other = right if isinstance(left, Dual) else left
    if is_array(other):
        return NotImplemented
    return OPS[name](left, right)


def _compare(relation: Callable[[Any, Any], Any], left: Dual, right: Any) -> bool:
    return bool(relation(left.number, right.number if isinstance(right, Dual) else right))
