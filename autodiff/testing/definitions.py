"""The rows of the table as mathematics defines them: on mpmath's numbers, and on complex ones beside the real axis.

Written from the definitions and not from the rows: a sigmoid is 1 / (1 + e⁻ᵃ), however the engine computes it. mpmath
is optional; without it nothing here is asked of it. A step of 1e-40 of its size along the imaginary axis leaves the
real part as it is and gives the derivative without a subtraction, so to the last few bits. Rows with branches continue
the branch that the real part is on.
"""

# Functions of numbers of any kind, so their lambdas have no types to give:
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false
import cmath
import importlib.util
import math
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import starmap
from typing import Any

from autodiff.ops import OPS, Op

DIGITS = 50
_EVERYWHERE = (
    "exp", "log", "log10", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh",
    "acosh", "atanh",
)  # fmt: skip
_IN_MPMATH = ("expm1", "log1p", "erf", "erfc", "floor", "ceil")


@lru_cache(maxsize=1)
def installed() -> bool:
    """Tell whether mpmath can be imported."""
    try:
        return importlib.util.find_spec("mpmath") is not None
    except ValueError:  # a stand-in that nobody can import from
        return False


@lru_cache(maxsize=64)
def context(digits: int) -> Any:
    """Make an mpmath context of so many digits, which leaves the user's own precision alone."""
    from mpmath import MPContext  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

    mp: Any = MPContext()
    mp.dps = digits
    return mp


def definition(op: Op, mp: Any = None) -> Callable[..., Any] | None:
    """Return the row on the numbers of `mp`, an mpmath context, or else on complex numbers; None where it has none.

    An operation that computes what a row computes is that row here, whatever its partials: those are under test.
    """
    row = OPS.get(op.name)
    if row is None or row.forward is not op.forward:
        return None
    return (_on_complex_numbers() if mp is None else _in_many_digits(mp)).get(op.name)


def _shared(functions: Any, number: Callable[[int], Any]) -> dict[str, Callable[..., Any]]:
    """Return the rows that are written alike on both kinds of numbers, with the functions of a module or context."""
    return {
        **{name: getattr(functions, name) for name in _EVERYWHERE},
        **{name: getattr(operator, name) for name in ("add", "sub", "mul", "neg", "pos")},
        "div": operator.truediv,
        "abs": lambda a: a if a.real > 0 else -a,
        "sign": lambda a: number((a.real > 0) - (a.real < 0)),
        "step": lambda a: number(a.real > 0),
        "relu": lambda a: a if a.real > 0 else 0 * a,
        "leaky_relu": lambda a, slope: a if a.real > 0 else a * slope,
        "log2": lambda a: functions.log(a) / functions.log(2),
        "maximum": lambda a, b: a if a.real >= b.real else b,
        "minimum": lambda a, b: a if a.real <= b.real else b,
        "clip": lambda a, low, high: low if a.real < low.real else high if a.real > high.real else a,
        "where": lambda c, a, b: a if c.real else b,
        "total": lambda *xs: sum(xs, number(0)),
        "mean": lambda *xs: sum(xs, number(0)) / len(xs),
        "weighted_sum": _weighted_sum,
    }


def _weighted_sum(*xs: Any) -> Any:
    n = len(xs) // 2
    return sum(starmap(operator.mul, zip(xs[:n], xs[n:-1], strict=True)), xs[-1])


@lru_cache(maxsize=64)
def _in_many_digits(mp: Any) -> Mapping[str, Callable[..., Any]]:
    def atan2(a: Any, b: Any) -> Any:  # differentiable off the negative axis
        if abs(b) > abs(a):
            return mp.atan(a / b) + (0 if b > 0 else mp.sign(a) * mp.pi)
        return mp.sign(a) * mp.pi / 2 - mp.atan(b / a)

    def logsumexp(*xs: Any) -> Any:
        return mp.log(sum(map(mp.exp, xs)))

    return {
        **_shared(mp, mp.mpf),
        **{name: getattr(mp, name) for name in _IN_MPMATH},
        "pow": mp.power,
        "remainder": lambda a, b: a - b * mp.floor(a / b),
        "floor_divide": lambda a, b: mp.floor(a / b),
        "copysign": lambda a, b: abs(a) if b >= 0 else -abs(a),
        "cbrt": lambda a: mp.cbrt(a) if a >= 0 else -mp.cbrt(-a),
        "trunc": lambda a: mp.floor(a) if a >= 0 else mp.ceil(a),
        "round_": mp.nint,
        "square": lambda a: a * a,
        "reciprocal": lambda a: 1 / a,
        "deg2rad": mp.radians,
        "rad2deg": mp.degrees,
        "exp2": lambda a: mp.power(2, a),
        "sinc": mp.sincpi,
        "log_ndtr": lambda a: mp.log1p(-mp.ncdf(-a)) if a > 0 else mp.log(mp.ncdf(a)),
        "logaddexp": logsumexp,
        "xlogy": lambda a, b: a * mp.log(b) if a else 0 * b,
        "xlog1py": lambda a, b: a * mp.log(1 + b) if a else 0 * b,
        "stop_gradient": lambda a: a,
        "atan2": atan2,
        "hypot": lambda a, b: mp.sqrt(a * a + b * b),
        "sigmoid": lambda a: 1 / (1 + mp.exp(-a)),
        "softplus": lambda a: mp.log(1 + mp.exp(a)),
        "logsumexp": logsumexp,
    }


@lru_cache(maxsize=1)
def _on_complex_numbers() -> Mapping[str, Callable[..., complex]]:
    def power(z: complex, w: complex) -> complex:
        a, b = z.real, w.real
        if a == 0.0:  # the slope at 0 exists for integers alone, and there Python multiplies
            return z ** int(b) if b == int(b) and b >= 0.0 and w.imag == 0.0 else complex(math.nan, math.nan)
        turn = b * math.atan2(z.imag, a) if a > 0.0 else b * -math.atan2(z.imag, -a)
        return math.pow(a, b) * cmath.exp(1j * (turn + (w.imag * math.log(a) if w.imag else 0.0)))

    def log1p(z: complex) -> complex:
        return complex(math.log1p(z.real), math.atan2(z.imag, 1.0 + z.real))

    def atan2(z: complex, w: complex) -> complex:
        y, x = z.real, w.real
        if abs(x) >= abs(y):
            return cmath.atan(z / w) + (math.copysign(math.pi, y) if x < 0.0 else 0.0)
        return math.copysign(math.pi / 2.0, y) - cmath.atan(w / z)

    def hypot(z: complex, w: complex) -> complex:
        scale = max(abs(z.real), abs(w.real))
        return scale * cmath.sqrt((z / scale) ** 2 + (w / scale) ** 2)

    def sigmoid(z: complex) -> complex:
        return 1.0 / (1.0 + cmath.exp(-z)) if z.real >= 0.0 else cmath.exp(z) / (1.0 + cmath.exp(z))

    def logsumexp(*zs: complex) -> complex:
        top = max(z.real for z in zs)
        return top + cmath.log(sum(cmath.exp(z - top) for z in zs))

    return {
        **_shared(cmath, complex),
        "pow": power,
        "expm1": lambda z: complex(math.expm1(z.real), math.exp(z.real) * math.sin(z.imag)),
        "log1p": log1p,
        "atan2": atan2,
        "hypot": hypot,
        "sigmoid": sigmoid,
        "softplus": lambda z: z + log1p(cmath.exp(-z)) if z.real > 0.0 else log1p(cmath.exp(z)),
        "logsumexp": logsumexp,
    }
