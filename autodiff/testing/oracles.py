"""Other ways to know a derivative, each with the error bound it claims.

Complex step (Squire and Trapp, SIAM Review 40, 1998): Im f(x + ih) / h, exact to rounding, for what can be computed on
complex numbers. mpmath, if it is installed: the definition in 50 digits. Central differences, extrapolated by
Richardson to h → 0: for everything else. Dual numbers, which take the slopes of operations from these, are in
`duals.py`, and what is known of whole recorded graphs in `graphs.py`.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from autodiff.ops import OPS, Op
from autodiff.testing.continuations import continuation
from autodiff.testing.definitions import DIGITS, context, definition, installed

EPSILON = sys.float_info.epsilon
_UNDERFLOW = sys.float_info.min  # what a product beside the real axis may lose
COMPLEX_STEP, MANY_DIGITS, DUAL, DIFFERENCES = "complex step", "mpmath", "dual numbers", "central differences"
ORACLES = (COMPLEX_STEP, MANY_DIGITS, DUAL, DIFFERENCES)  # the order in which they are asked


class NoDerivativeError(ValueError):
    """No oracle can tell a derivative here: a kink, the edge of a domain, or noise."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A derivative, how far off it may be, and whose word that is."""

    value: float
    bound: float
    oracle: str


def complex_step(function: Callable[[complex], complex], x: float) -> Estimate:
    """Give the derivative of a function of complex numbers at a real point.

    >>> complex_step(lambda z: z * z, 3.0).value
    6.0
    """
    h = math.ldexp(1.0, max(math.frexp(x)[1] - 133, -960))  # a power of two: dividing by it is exact
    if x and abs(x) < 2.0**60 * h:
        return Estimate(math.nan, math.inf, COMPLEX_STEP)  # no step is small beside this number
    slope = function(complex(x, h)).imag / h
    return Estimate(slope, 32.0 * EPSILON * abs(slope) + h + _UNDERFLOW / h, COMPLEX_STEP)


def central_differences(function: Callable[[float], float], x: float, noise: float = 0.0) -> Estimate:
    """Give the derivative at `x` by central differences at ever smaller steps, extrapolated to step 0.

    `noise` is the absolute error of the function's values, where it is more than the rounding of the last operation.
    The bound is twice the disagreement of neighbouring extrapolations plus the noise over the step.

    Raises NoDerivativeError when the function is defined on one side of `x` only or has a kink there.

    >>> estimate = central_differences(math.exp, 1.0)
    >>> abs(estimate.value - math.e) <= estimate.bound < 1e-9
    True
    """
    here = _attempt(function, x)
    best: Estimate | None = None
    best_step, one_sided = 0.0, True
    slopes: list[float] = []  # at h, h/2, h/4; a gap starts them anew
    previous = math.nan
    h, last = max(abs(x), 1.0) / 8.0, 2.0**-26 * (min(abs(x), 1.0) or 1.0)
    while h >= last:
        low, high = _attempt(function, x - h), _attempt(function, x + h)
        one_sided = one_sided and not math.isfinite(low + high)
        slopes = [*slopes[-2:], (high - low) / ((x + h) - (x - h))] if math.isfinite(low + high) else []
        if len(slopes) == 3:
            once = [(4.0 * slopes[1] - slopes[0]) / 3.0, (4.0 * slopes[2] - slopes[1]) / 3.0]
            twice = (16.0 * once[1] - once[0]) / 15.0
            rounding = 4.0 * (noise + EPSILON * max(abs(low), abs(high))) / h
            bound = 2.0 * max(abs(twice - previous), abs(twice - once[1])) + rounding  # NaN at first, as max keeps it
            previous = twice
            if best is None or bound < best.bound or math.isnan(best.bound):
                best, best_step = Estimate(twice, bound, DIFFERENCES), h
            elif rounding > best.bound:
                break
        h /= 2.0
    if best is None or math.isnan(best.bound):
        raise NoDerivativeError(
            "defined on one side only: the edge of a domain" if one_sided else "defined too close around it"
        )
    uncertain = 1e3 * (noise + EPSILON * abs(here))
    if all(_jumps(function, x, here, h, uncertain, abs(best.value)) for h in (best_step, 2.0**-16 * max(abs(x), 1.0))):
        raise NoDerivativeError("the slopes on the left and on the right differ: a kink")
    return best


def many_digits(function: Callable[[Any, Any], Any], x: float) -> Estimate:
    """Give the derivative at `x` of `function(mp, x)`, which computes with the numbers of an mpmath context.

    Central differences too, but with a step of 1e-20 and so many digits that 50 are left: what the differences of two
    steps disagree by is far below a float's last place, which is what the bound amounts to.

    >>> many_digits(lambda mp, x: mp.exp(x), 0.0).value
    1.0
    """
    scale = (
        max(0, 1 - math.frexp(x)[1]) // 3 if x else 0
    )  # digits more, where a relative step is an absolutely small one
    mp = context(2 * DIGITS + 8 * math.ceil(scale / 8))
    at, h = mp.mpf(x), mp.mpf(10) ** -20 * (abs(mp.mpf(x)) or 1)
    (high, low), (nearer, lower) = ((function(mp, at + s), function(mp, at - s)) for s in (h, h / 2))
    wide, narrow = (high - low) / (2 * h), (nearer - lower) / h
    value, noise = float(narrow), 8 * mp.eps * abs(mp.mpf(high)) / h
    return Estimate(value, float(2 * abs(wide - narrow) + noise) + EPSILON * abs(value) + _UNDERFLOW, MANY_DIGITS)


def complex_step_of_code(function: Callable[..., Any], x: float, differences: Estimate | None) -> Estimate | None:
    """The complex step through code that may not be analytic (a branch, abs, a number taken apart on the way).

    It is believed where `differences` agrees with it; None elsewhere.
    """
    if differences is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy warns where it drops the imaginary part
            estimate = complex_step(lambda z: complex(function(z)), x)
    except Exception:  # noqa: BLE001 # code of any kind may raise anything when a number is complex
        return None
    agree = abs(estimate.value - differences.value) <= estimate.bound + differences.bound + 1e-12 * abs(estimate.value)
    return estimate if agree else None


def refuse_edges(op: Op, operands: Sequence[float], i: int) -> None:
    """Raise NoDerivativeError where operand `i` is at the edge of its domain, or crosses a kink.

    It may move along one, as x does in atan2(0, x).
    """
    if i < len(op.domains) and operands[i] in op.domains[i].bounds:
        raise NoDerivativeError(f"at the edge of its domain {op.domains[i]}")
    if op.kink is None or op.kink(*operands) != 0.0:
        return
    little = 2.0**-20 * max(1.0, abs(operands[i]))
    beside = [(*operands[:i], operands[i] + step, *operands[i + 1 :]) for step in (-little, little)]
    if any(op.kink(*aside) != 0.0 for aside in beside):
        raise NoDerivativeError("at a kink")


def partial_of(op: Op, operands: Sequence[float], i: int) -> Estimate:
    """Give ∂op/∂operand `i` by the best oracle there is for it; raises NoDerivativeError at a kink or an edge."""
    refuse_edges(op, operands, i)

    def along(x: float) -> float:
        return op.on_floats(*operands[:i], x, *operands[i + 1 :])

    def along_complex(z: complex) -> complex:
        return on_complex(*map(complex, operands[:i]), z, *map(complex, operands[i + 1 :]))

    on_complex: Any = continuation(op)
    if on_complex is not None:
        estimate = complex_step(along_complex, operands[i])
        if math.isfinite(estimate.value):
            return estimate
    if OPS.get(op.name) is not None:
        estimate = partial_in_many_digits(op, operands, i)
        if estimate is not None:
            return estimate
    differences = central_differences(along, operands[i])

    def forward(z: Any) -> Any:
        return op.forward(*operands[:i], z, *operands[i + 1 :])

    return complex_step_of_code(forward, operands[i], differences) or differences


def partial_in_many_digits(op: Op, operands: Sequence[float], i: int) -> Estimate | None:
    """∂op/∂operand `i` of a row of the table with 50 digits; None without mpmath, or for another operation."""
    if not installed() or definition(op, context(2 * DIGITS)) is None:
        return None

    def along(mp: Any, x: Any) -> Any:
        row: Any = definition(op, mp)
        return row(*map(mp.mpf, operands[:i]), x, *map(mp.mpf, operands[i + 1 :]))

    try:
        return many_digits(along, operands[i])
    except (ArithmeticError, ValueError, TypeError):  # TypeError: beside the real numbers, where it cannot be a float
        return None


def _attempt(function: Callable[[float], float], x: float) -> float:
    try:
        return function(x)
    except (ArithmeticError, ValueError):
        return math.nan


def _jumps(function: Callable[[float], float], x: float, here: float, h: float, noise: float, slope: float) -> bool:
    """Whether right slope minus left slope stays as the step shrinks; where a function is smooth it shrinks too.

    A kink does so at every scale; a narrow bend only at steps wider than itself.
    """
    jumps: list[float] = []
    for step in (h, h / 8.0):
        low, high = _attempt(function, x - step), _attempt(function, x + step)
        jumps.append(abs((high - here) - (here - low)) / step)
    return jumps[1] > 0.5 * jumps[0] and jumps[1] > 8.0 * noise / h + 1e-6 * slope
