"""The rows of the table as mathematics defines them, on mpmath's numbers of any precision.

Written from the definitions and not from the rows: a sigmoid is 1 / (1 + e⁻ᵃ), however the engine computes it. mpmath
is optional; without it nothing here is asked.
"""

# Functions of numbers of any kind, so their lambdas have no types to give:
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

import importlib.util
import operator
from collections.abc import Callable
from functools import lru_cache
from itertools import starmap
from typing import Any

from autodiff.ops import OPS, Op

DIGITS = 50
_NAMED_ALIKE = (
    "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
    "asinh", "acosh", "atanh", "erf", "erfc", "sign", "floor", "ceil",
)  # fmt: skip


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


def definition(op: Op, mp: Any) -> Callable[..., Any] | None:
    """Return the row on the numbers of `mp`, an mpmath context; None for an operation that is not a row of the table.

    An operation that computes what a row computes is that row here, whatever its partials: those are under test.
    """
    row = OPS.get(op.name)
    return _definitions(mp).get(op.name) if row is not None and row.forward is op.forward else None


@lru_cache(maxsize=64)
def _definitions(mp: Any) -> dict[str, Callable[..., Any]]:
    def atan2(a: Any, b: Any) -> Any:  # differentiable off the negative axis
        if abs(b) > abs(a):
            return mp.atan(a / b) + (0 if b > 0 else mp.sign(a) * mp.pi)
        return mp.sign(a) * mp.pi / 2 - mp.atan(b / a)

    def weighted_sum(*xs: Any) -> Any:
        n = len(xs) // 2
        return sum(starmap(operator.mul, zip(xs[:n], xs[n:-1], strict=True)), xs[-1])

    def logsumexp(*xs: Any) -> Any:
        return mp.log(sum(map(mp.exp, xs)))

    return {
        **{name: getattr(mp, name) for name in _NAMED_ALIKE},
        "add": operator.add,
        "sub": operator.sub,
        "mul": operator.mul,
        "div": lambda a, b: a / b,
        "pow": mp.power,
        "pos": lambda a: a,
        "neg": operator.neg,
        "abs": abs,
        "log2": lambda a: mp.log(a) / mp.log(2),
        "log10": lambda a: mp.log(a) / mp.log(10),
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
        "log_ndtr": lambda a: mp.log(mp.ncdf(a)),
        "logaddexp": logsumexp,
        "xlogy": lambda a, b: a * mp.log(b) if a else 0 * b,
        "xlog1py": lambda a, b: a * mp.log(1 + b) if a else 0 * b,
        "stop_gradient": lambda a: a,
        "atan2": atan2,
        "hypot": lambda a, b: mp.sqrt(a * a + b * b),
        "sigmoid": lambda a: 1 / (1 + mp.exp(-a)),
        "softplus": lambda a: mp.log(1 + mp.exp(a)),
        "relu": lambda a: a if a > 0 else 0 * a,
        "leaky_relu": lambda a, slope: a if a > 0 else a * slope,
        "step": lambda a: mp.mpf(a > 0),
        "maximum": max,
        "minimum": min,
        "clip": lambda a, low, high: min(max(a, low), high),
        "where": lambda c, a, b: a if c else b,
        "total": lambda *xs: sum(xs),
        "mean": lambda *xs: sum(xs) / len(xs),
        "logsumexp": logsumexp,
        "weighted_sum": weighted_sum,
    }
