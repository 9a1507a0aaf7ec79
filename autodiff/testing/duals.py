"""Dual numbers: a + bε with ε² = 0, which carry a slope along with a number through the code itself.

The slope of an operation comes from its oracle (`partial_of`) and never from the rules under test, and the errors that
the oracles claim are carried along too. Branches and comparisons go by the number. Nothing is recorded, so what the
graph does not know of is found.
"""

# Functions of numbers of any kind, so their lambdas have no types to give:
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
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

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return self.number != 0.0


for _name, _op in {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "pow": "pow"}.items():
    setattr(Dual, f"__{_name}__", lambda self, other, op=_op: _infix(op, self, other))
    setattr(Dual, f"__r{_name}__", lambda self, other, op=_op: _infix(op, other, self))
for _name in ("neg", "pos", "abs", "exp", "log", "tanh", "relu", "sigmoid"):
    setattr(Dual, f"__{_name}__" if hasattr(operator, _name) else _name, lambda self, op=_name: OPS[op](self))
for _name in ("eq", "lt", "le", "gt", "ge"):
    setattr(Dual, f"__{_name}__", lambda self, other, by=_name: _compare(getattr(operator, by), self, other))


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
