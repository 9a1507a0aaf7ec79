"""How the operations compute on floats for which one function of `math` will not do, and what IEEE 754 has at edges.

Python's functions raise at an edge; arrays, and compiled programs, have an infinity or NaN there. `Ieee` is a float
that computes as they do, so that the slopes at an edge come of the same rules.
"""

# operator.floordiv has no types to give, nor have lambdas of numbers:
# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from types import BuiltinFunctionType
from typing import Any

_LOG_2, _ROOT_HALF = math.log(2.0), math.sqrt(0.5)
LOG_ROOT_2PI, INVERSE_ROOT_2PI = 0.5 * math.log(2.0 * math.pi), 1.0 / math.sqrt(2.0 * math.pi)


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


def relu(a: float) -> float:
    return 0.0 if a <= 0.0 else a  # turned so that NaN, which no comparison holds for, comes out as NaN


def maximum(a: float, b: float) -> float:
    return a if a >= b or a != a else b


def minimum(a: float, b: float) -> float:
    return a if a <= b or a != a else b


def leaky_relu(a: float, slope: float) -> float:
    return a if a > 0.0 else a * slope


def cbrt(a: float) -> float:
    r = math.cbrt(a)  # some libraries miss by 3 ulps: a step of Newton's
    return r - (r * r - a / r) / (3.0 * r) if r and abs(r) < math.inf else r


def clip(a: float, low: float, high: float) -> float:
    if low > high:
        raise ValueError
    return (low if a < low else high if a > high else a) if low <= high else math.nan


def mean(*xs: float) -> float:
    r = sum(xs, 0.0) / len(xs)
    if r.__class__ is not float or abs(r) < math.inf:  # compiled, it is a sum of quotients as it is
        return r
    return sum([x / len(xs) for x in xs])  # the sum alone may overflow


def logsumexp(*xs: float) -> float:
    *others, top = sorted(xs)
    if math.isinf(top):
        return top if not any(map(math.isnan, others)) else math.nan
    try:
        return top + math.log1p(sum(math.exp(x - top) for x in others))  # 1 + the others: log1p keeps what is small
    except OverflowError:  # NaN has no place in an order, so top is not the largest
        return math.nan


def logaddexp(a: float, b: float) -> float:
    if a == b:  # two infinities have no distance
        return a + _LOG_2
    return max(a, b) + math.log1p(math.exp(-abs(a - b))) if a - b == a - b else math.nan


def xlogy(a: float, b: float) -> float:
    return a * math.log(b) if a != 0.0 else _zero_but_for_nan(b)


def xlog1py(a: float, b: float) -> float:
    return a * math.log1p(b) if a != 0.0 else _zero_but_for_nan(b)


def _zero_but_for_nan(b: float) -> float:
    return 0.0 if b == b else b


def _to_integer(rounded: Callable[[float], int]) -> Callable[[float], float]:
    def forward(a: float) -> float:
        return math.copysign(float(rounded(a)), a) if math.isfinite(a) else a

    return forward


floor, ceil, trunc, round_ = map(_to_integer, (math.floor, math.ceil, math.trunc, round))


def sinc(a: float) -> float:
    if a == 0.0:
        return 1.0
    turn = math.fmod(a, 2.0)  # exact, as is what is left of a half-turn
    half = round_(turn)
    return math.sin(math.pi * (turn - half)) * (-1.0 if half % 2 else 1.0) / (math.pi * a) + 0.0  # no −0


# The Mills ratio of the normal distribution times x + 1, as a polynomial in t = (x - 5) / (x + 5): interpolated at the
# Chebyshev points of -1 ≤ t ≤ 1 in 50 digits, right to 2 ulps for every x ≥ 0.
MILLS = (
    1.1568486282918946, -0.22948753825211315, 0.07778159886873769, 0.0250721793016388, -0.0661776007790963,
    0.0615050458401865, -0.03802659218584139, 0.01634823128102938, -0.004201290329187307, 1.9530638370790786e-05,
    0.00045704392357953655, -0.0001343742785571135, -2.480583845192319e-05, 2.270961270923768e-05,
    -1.7633239265736746e-07, -3.277287633208865e-06, 3.2054316652589574e-07, 4.91996233147834e-07,
    -6.588974491108954e-08, -7.758520236786343e-08, 9.092476134019147e-09, 1.1032071151574336e-08,
    -7.073898575561589e-10, -9.564832934712551e-10,
)  # fmt: skip


def hazard(x: Any) -> Any:
    """Return φ(x) / (1 - Φ(x)) for x ≥ 0, the inverse of the Mills ratio: floats, arrays and Values alike."""
    return (x + 1.0) / polynomial(MILLS, 1.0 - 10.0 / (x + 5.0))


def polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """Return Σ cₖ·xᵏ by Horner's rule: floats, arrays and Values alike."""
    *others, total = coefficients
    for c in reversed(others):
        total = total * x + c
    return total


def bell(a: Any, k: float, exp: Callable[[Any], Any], rounded: Callable[[Any], Any]) -> Any:
    """Return exp(-k·a²) for |a| ≤ 40, with all digits of a² = h² + (a - h)(a + h): h has 26 bits, so h² is exact."""
    h = rounded(a * 2.0**20) * 2.0**-20  # a function, and no sum that could be regrouped: a compiler leaves it
    return exp(-k * h * h) * exp(k * (h - a) * (h + a))


def log_ndtr(a: float) -> float:
    if abs(a) < 1.0:
        upper = 0.5 * math.erfc(abs(a) * _ROOT_HALF)  # of the half line beyond |a|
        return math.log1p(-upper) if a > 0.0 else math.log(upper)
    if a < 0.0:
        return -math.log(hazard(-a)) - 0.5 * a * a - LOG_ROOT_2PI
    return math.log1p(-INVERSE_ROOT_2PI * bell(min(a, 40.0), 0.5, math.exp, round_) / hazard(a))


def weighted_sum(*operands: Any) -> Any:  # the weights, as many inputs, the bias
    n, odd = divmod(len(operands), 2)
    if not odd:
        raise ValueError
    return sum(map(operator.mul, operands[:n], operands[n:-1]), operands[-1])


def _quotient(a: float, b: float) -> float:
    try:
        return a / b
    except ZeroDivisionError:
        return math.nan if a == 0.0 or a != a else math.copysign(math.inf, a) * math.copysign(1.0, b)


def _as_log(a: float) -> float:
    return -math.inf if a == 0.0 else math.nan


def _as_pow(a: float, b: float) -> float:
    if a < 0.0 and b % 1.0:
        return math.nan
    return math.copysign(math.inf, a) if b % 2.0 == 1.0 else math.inf


# What arrays have where these raise, known without loading NumPy; of another forward its form for arrays is asked.
_LIMITS: Mapping[Any, Callable[..., float]] = {
    **dict.fromkeys((math.exp, math.exp2, math.expm1, math.cosh), lambda _: math.inf),
    **dict.fromkeys((math.log, math.log2, math.log10), _as_log),
    math.sinh: lambda a: math.copysign(math.inf, a),
    math.log1p: lambda a: _as_log(1.0 + a),
    math.atanh: lambda a: math.copysign(math.inf, a) if abs(a) == 1.0 else math.nan,
    math.pow: _as_pow,
    operator.floordiv: _quotient,
    clip: lambda a, _, high: a if a != a else high,
    xlogy: lambda a, b: a * _as_log(b),
    xlog1py: lambda a, b: a * _as_log(1.0 + b),
    sinc: lambda _: math.nan,
}


def ieee(forward: Callable[..., float], *operands: float, arrays: Callable[..., Any] | None = None) -> float:
    """Return what `forward` has here after IEEE 754, or else `arrays` has: an infinity or NaN in place of an error."""
    try:
        return forward(*operands)
    except (ArithmeticError, ValueError):
        if forward in _LIMITS:
            return _LIMITS[forward](*operands)
        if arrays is not None:
            return float(arrays(*operands))
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
        """Return the value of a row at such numbers, after IEEE 754."""
        return Ieee(op.on_ieee(*map(float, operands)))
