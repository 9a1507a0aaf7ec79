"""Other ways to know a derivative, each with the error bound it claims.

Complex step (Squire and Trapp, SIAM Review 40, 1998): Im f(x + ih) / h, exact to rounding, for what can be computed on
complex numbers. mpmath, if it is installed: the definition in 50 digits. Central differences, extrapolated by
Richardson to h → 0: for everything else. Dual numbers, which take the slopes of operations from these, are in
`duals.py`, and what is known of whole recorded graphs in `graphs.py`.
"""

import math
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from autodiff.errors import NoDerivativeError
from autodiff.ops import OPS, Op, stop_gradient
from autodiff.testing.definitions import DIGITS, context, definition, installed

__tracebackhide__ = True  # of pytest: a test that fails shows its own line

EPSILON = sys.float_info.epsilon
_RATIO = 1.6  # of one step to the next
_UNDERFLOW = sys.float_info.min  # what a product beside the real axis may lose
COMPLEX_STEP, MANY_DIGITS, DUAL, DIFFERENCES = "complex step", "mpmath", "dual numbers", "central differences"
ORACLES = (COMPLEX_STEP, MANY_DIGITS, DUAL, DIFFERENCES)  # the order in which they are asked


@dataclass(frozen=True, slots=True)
class Estimate:
    """A derivative, how far off it may be, and whose word that is."""

    value: float
    bound: float
    oracle: str


def complex_step(function: Callable[[complex], complex], x: float, stretch: float = 1.0) -> Estimate:
    """Return the derivative of a function of complex numbers at a real point, by a step `stretch` times as long.

    >>> complex_step(lambda z: z * z, 3.0).value
    6.0
    """
    # A power of two: dividing by it is exact. At 0 nothing but the error of the step itself limits it.
    h = math.ldexp(1.0, max(math.frexp(x)[1] - 133, -960)) if x else 2.0**-400
    if x and abs(x) < 2.0**60 * h:
        return Estimate(math.nan, math.inf, COMPLEX_STEP)  # no step is small beside this number
    h *= stretch
    result = function(complex(x, h))
    if underflows(result):
        return Estimate(math.nan, math.inf, COMPLEX_STEP)
    slope = result.imag / h
    truncated = min(h, h * (abs(slope) + abs(result.real)) + 4.0 * h * h) if x else h
    return Estimate(slope, 32.0 * EPSILON * abs(slope) + truncated + _UNDERFLOW / h, COMPLEX_STEP)


def underflows(result: complex) -> bool:
    """Tell whether a result is so small that the slope beside it, times the step, may have been lost."""
    return 0.0 < abs(result.real) < 2.0**-600 and abs(result.imag) < 2.0**50 * _UNDERFLOW


def central_differences(
    function: Callable[[float], float], x: float, noise: float = 0.0, epsilon: float = EPSILON, ratio: float = _RATIO
) -> Estimate:
    """Return the derivative at `x` by central differences at ever smaller steps, extrapolated to step 0.

    `noise` is the absolute error of the function's values, where it is more than the rounding of the last operation,
    and `epsilon` the precision it computes in. The bound is three times the disagreement of neighbouring
    extrapolations, or twice what any smaller step disagrees by, plus the rounding of the values over the step.

    Raises NoDerivativeError when the function is defined on one side of `x` only or has a kink there.

    >>> estimate = central_differences(math.exp, 1.0)
    >>> abs(estimate.value - math.e) <= estimate.bound < 1e-9
    True
    """
    here = _attempt(function, x)
    sides = {h: (_attempt(function, x - h), _attempt(function, x + h)) for h in _steps(x, epsilon, ratio)}
    slopes = {h: (high - low) / ((x + h) - (x - h)) for h, (low, high) in sides.items() if math.isfinite(high - low)}
    if not slopes:
        raise NoDerivativeError("defined on one side only: the edge of a domain")
    sizes = {h: noise + epsilon * (max(map(abs, sides[h])) + abs(x * slope)) for h, slope in slopes.items()}
    best, best_step = _agreed(slopes, sizes, 2)
    if best is None:
        raise NoDerivativeError("defined too close around it")
    uncertain = 1e3 * (noise + epsilon * abs(here))
    if all(_jumps(function, x, here, h, uncertain, abs(best.value)) for h in (best_step, 2.0**-16 * max(abs(x), 1.0))):
        raise NoDerivativeError("the slopes on the left and on the right differ: a kink")
    return best


def fitted(function: Callable[[float], float], x: float, noise: float = 0.0) -> Estimate | None:
    """Return the derivative at `x` by a polynomial fitted to many values, for functions too noisy for small steps.

    The bound is four standard errors of the slope, by the residuals found or a fraction of `noise`, and twice what
    polynomials of degree 5 and 7 disagree by: as good as such a statement can be.

    >>> estimate = fitted(lambda x: round(math.sin(x), 4), 0.5)
    >>> abs(estimate.value - math.cos(0.5)) <= estimate.bound < 1e-3
    True
    """
    nodes = np.cos(np.pi * (np.arange(48) + 0.5) / 48)
    powers = np.vander(nodes, 8, increasing=True)
    best: Estimate | None = None
    for width in (0.5, 0.25, 0.125, 0.0625):
        scale = width * max(1.0, abs(x))
        values = np.array([_attempt(function, float(x + scale * t)) for t in nodes])
        if not np.isfinite(values).all():
            continue
        slopes: list[float] = []
        error = 0.0
        for terms in (6, 8):
            inverse = np.linalg.pinv(powers[:, :terms])
            found = inverse @ values
            rest = math.hypot(*(values - powers[:, :terms] @ found)) / math.sqrt(48 - terms)
            slopes.append(float(found[1]) / scale)
            error = max(error, 4.0 * max(rest, noise / 16.0) * math.hypot(*inverse[1]) / scale)
        bound = error + 2.0 * abs(slopes[0] - slopes[1])
        if best is None or bound < best.bound:
            best = Estimate(slopes[1], bound, DIFFERENCES)
    return best


def sides_differ(
    function: Callable[[float], float], x: float, noise: float = 0.0, epsilon: float = EPSILON, ratio: float = _RATIO
) -> str:
    """Say how the two sides of `x` differ: slopes apart by much more than their errors, a jump, one side alone.

    >>> sides_differ(abs, 0.0), sides_differ(math.sin, 0.0)
    ('its slopes on the left and on the right differ', '')
    """
    here = _attempt(function, x)
    found: list[Estimate] = []
    defined: list[bool] = []
    for side in (-1.0, 1.0):
        values = {h: _attempt(function, x + side * h) for h in _steps(x, epsilon, ratio)}
        slopes = {h: (y - here) / ((x + side * h) - x) for h, y in values.items() if math.isfinite(y - here)}
        sizes = {h: noise + epsilon * (max(abs(values[h]), abs(here)) + abs(x * s)) for h, s in slopes.items()}
        defined.append(bool(slopes))
        finest = list(slopes)[-3:]
        if len(finest) == 3:
            gaps = [abs(values[h] - here) for h in slopes]
            least = 1e3 * max(sizes[h] for h in finest) + 1e-6 * max(gaps)  # a jump by less may be rounding
            if min(gaps[-3:]) > max(0.9 * max(gaps[-3:]), least):
                return "its value jumps"  # that stays as the step shrinks
        best, _ = _agreed(slopes, sizes, 1)
        if best is not None:
            found.append(best)
    if len(found) < 2:
        return "it is defined on one side only" if any(defined) and not all(defined) else ""
    left, right = found
    apart = abs(left.value - right.value)
    same = apart <= 4.0 * (left.bound + right.bound) + 1e-6 * (abs(left.value) + abs(right.value))
    return "" if same else "its slopes on the left and on the right differ"


def jumps_beside(function: Callable[[float], float], x: float, slope: float, noise: float) -> bool:
    """Tell whether a function jumps again and again beside a point, off the slope it has there: stairs, or a sawtooth.

    So does what cancels in floats. One jump is a branch, which is no matter to the slope.

    >>> jumps_beside(lambda x: (1.0 - math.cos(x)) / x**2, 1e-6, -1e6, 1e-15), jumps_beside(math.floor, 2.2, 0.0, 1e-15)
    (True, False)
    """
    reach = abs(x) / 8.0 or 0.01
    jumps = 0
    for k, start in enumerate((x - reach, x, x - 2.0 * reach, x + reach)):
        low, high = start, start + reach
        values = {z: _attempt(function, z) for z in (low, high)}
        rise = values[high] - values[low]
        if abs(rise - slope * reach) <= 0.1 * abs(rise):
            continue
        rises: list[float] = []
        for halving in range(30):
            middle = 0.5 * (low + high)
            values[middle] = _attempt(function, middle)
            left, right = (abs(values[b] - values[a] - slope * (b - a)) for a, b in ((low, middle), (middle, high)))
            low, high = (low, middle) if left > right else (middle, high)
            rises += [max(left, right)] if halving in (19, 29) else []
        least = 1e3 * (noise + EPSILON * abs(values[low]))
        jumps += rises[1] > max(0.5 * rises[0], least)  # where it is smooth, it shrinks
        if jumps < k:
            return False
    return jumps > 2


def constant_by_rounding(function: Callable[[float], float], x: float) -> bool:
    """Tell whether a function that is constant around a point is so by rounding: further out it is all saw teeth.

    Stairs, such as those of floor, climb in one direction.

    >>> constant_by_rounding(lambda x: (1.0 - math.cos(x)) / x**2, 1e-8)
    True
    >>> constant_by_rounding(math.floor, 2.2), constant_by_rounding(lambda x: max(x, 1.0) ** 2, 0.3)
    (False, False)
    """
    here = _attempt(function, x)
    if not x or any(_attempt(function, x * by) != here for by in (0.98, 0.99, 1.01, 1.02)):
        return False
    start = next((z for z in (x * 2.0 ** (k / 8.0) for k in range(64)) if _attempt(function, z) != here), None)
    if start is None:
        return False
    places = [start * 2.0 ** (k / 32.0) for k in range(160)]
    values = [_attempt(function, z) for z in places]
    climbs = [b - a for a, b in pairwise(values) if b != a]
    turns = sum((a > 0.0) != (b > 0.0) for a, b in pairwise(climbs))
    steepest = max(range(159), key=lambda k: abs(values[k + 1] - values[k]))
    low, high = places[steepest : steepest + 2]
    for _ in range(30):
        middle = 0.5 * (low + high)
        left, right = (abs(_attempt(function, b) - _attempt(function, a)) for a, b in ((low, middle), (middle, high)))
        low, high = (low, middle) if left > right else (middle, high)
    jump = abs(_attempt(function, high) - _attempt(function, low))
    return turns > 6 and jump > 0.5 * abs(values[steepest + 1] - values[steepest])


def _steps(x: float, epsilon: float, ratio: float) -> list[float]:
    """Return steps from large to small, in a ratio that is no power of two: a periodic function fools few of them."""
    h, last = max(abs(x), 1.0) / (5.0 * math.sqrt(2.0)), math.sqrt(epsilon) * (min(abs(x), 1.0) or 1.0)
    last = max(last, sys.float_info.min)  # below it a smaller step may be the same one
    steps: list[float] = []
    while h >= last and x + h != x:
        fraction, exponent = math.frexp(h)
        steps.append(math.ldexp(round(1024.0 * fraction), exponent - 10))  # few bits: x + h is exact, in float32 too
        h /= ratio
    return steps


def _agreed(slopes: dict[float, float], sizes: dict[float, float], power: int) -> tuple[Estimate | None, float]:
    """Return the extrapolation to step 0 with the least bound, and its step; errors go by powers of step ** `power`.

    No step is believed alone: five in a row make an estimate, and its bound is at least what any smaller step
    disagrees by beyond its own rounding.
    """
    steps = list(slopes)
    once: dict[int, float] = {}
    twice: dict[int, float] = {}
    for k in range(1, len(steps)):
        left = (steps[k] / steps[k - 1]) ** power  # of the error
        once[k] = (slopes[steps[k]] - left * slopes[steps[k - 1]]) / (1.0 - left)
        if k > 1:
            left = (steps[k] / steps[k - 2]) ** power
            twice[k] = (once[k] - left * once[k - 1]) / (1.0 - left)
    noise = _noise([slopes[h] for h in steps], steps)
    ratio = steps[0] / steps[1] if len(steps) > 1 else _RATIO
    first, second = ratio**power, ratio ** (2 * power)
    grown = (first + 1.0) * (second + 1.0) / ((first - 1.0) * (second - 1.0))  # by extrapolating
    roundings = [grown * (sizes[h] + 2.0 * noise) / h for h in steps]
    best, best_step = None, 0.0
    least, most = math.inf, -math.inf  # where all smaller steps are, to their rounding
    for k in range(len(steps) - 1, 3, -1):
        neighbours = [once[k], once[k - 1], twice[k - 1], twice[k - 2]]
        spread = 3.0 * max(abs(twice[k] - other) for other in neighbours)
        contradicted = max(0.0, twice[k] - least, most - twice[k])
        bound = max(spread, 2.0 * contradicted) + roundings[k]
        if math.isfinite(bound) and (best is None or bound < best.bound):
            best, best_step = Estimate(twice[k], bound, DIFFERENCES), steps[k]
        if math.isfinite(twice[k]):
            least, most = min(least, twice[k] + roundings[k]), max(most, twice[k] - roundings[k])
    return best, best_step


def _noise(slopes: Sequence[float], steps: Sequence[float]) -> float:
    """Estimate how far off the values are from the smallest steps, where a smooth function has one slope.

    Slopes that change in one direction only show no noise but a bend. Noise is as large at every step: what the larger
    ones show beyond four times the median are kinks further away.
    """
    changes = [b - a for a, b in pairwise(slopes[-8:])]
    if all(c >= 0.0 for c in changes) or all(c <= 0.0 for c in changes):
        return 0.0
    seen = sorted(abs(c) * h for c, h in zip(changes, steps[-len(changes) :], strict=True))
    return min(seen[-1], 4.0 * seen[len(seen) // 2])


def many_digits(function: Callable[[Any, Any], Any], x: float) -> Estimate:
    """Return the derivative at `x` of `function(mp, x)`, which computes with the numbers of an mpmath context.

    Central differences too, but with a step of 1e-20 (relative below 1, absolute above, where sin has its period all
    the same) and so many digits that 50 are left: what the differences of two steps disagree by is far below a float's
    last place, which is what the bound amounts to.

    >>> many_digits(lambda mp, x: mp.exp(x), 0.0).value
    1.0
    """
    exponent = math.frexp(x)[1] if x else 0
    digits = max(0, 1 - exponent, exponent) // 3  # more, for a step far below 1 or far below x
    mp = context(2 * DIGITS + 8 * math.ceil(digits / 8))
    at = mp.mpf(x)
    h = mp.mpf(10) ** -20 * min(abs(at) or 1, 1)
    (high, low), (nearer, lower) = ((function(mp, at + s), function(mp, at - s)) for s in (h, h / 2))
    wide, narrow = (high - low) / (2 * h), (nearer - lower) / h
    value, noise = float(narrow), 8 * mp.eps * abs(mp.mpf(high)) / h
    return Estimate(value, float(2 * abs(wide - narrow) + noise) + EPSILON * abs(value) + _UNDERFLOW, MANY_DIGITS)


def complex_step_of_code(
    function: Callable[..., Any], x: float, differences: Estimate | None, *nudged: Callable[..., Any]
) -> Estimate | None:
    """Take the complex step through code that may not be analytic (a branch, abs, a number taken apart on the way).

    It is believed where `differences` agrees with it, or is None; None elsewhere. Steps of other lengths round
    otherwise, and `nudged` are the function beside the point by roundings: what they disagree by is in the claim.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy warns where it drops the imaginary part
            functions = zip((function, *(nudged or (function, function))), (1.0, 1.37, 1.83, 1.11), strict=False)
            estimate, *others = (complex_step(lambda z, f=f: complex(f(z)), x, s) for f, s in functions)
    except Exception:  # noqa: BLE001 # code of any kind may raise anything when a number is complex
        return None
    claimed = estimate.bound + 1e-12 * abs(estimate.value)
    agree = differences is None or abs(estimate.value - differences.value) <= claimed + differences.bound
    rounded = 8.0 * max(abs(other.value - estimate.value) for other in others)
    return Estimate(estimate.value, estimate.bound + rounded, COMPLEX_STEP) if agree else None


def refuse_edges(op: Op, operands: Sequence[float], i: int) -> None:
    """Raise NoDerivativeError where operand `i` is at its domain's edge or crosses a kink; along one it may move."""
    if i < len(op.domains) and operands[i] in op.domains[i].bounds:
        raise NoDerivativeError(f"at the edge of its domain {op.domains[i]}")
    if op is stop_gradient:
        raise NoDerivativeError("because it is constant on purpose; test f without it")
    if op.kink is None:
        return
    kink = op.kink(*operands)
    if math.isnan(kink):
        raise NoDerivativeError("where two kinks cross")
    if kink != 0.0:
        return
    little = 2.0**-20 * max(1.0, abs(operands[i]))
    beside = [(*operands[:i], operands[i] + step, *operands[i + 1 :]) for step in (-little, little)]
    if any(op.kink(*aside) != 0.0 for aside in beside):
        raise NoDerivativeError("at a kink")


def partial_of(op: Op, operands: Sequence[float], i: int) -> Estimate:
    """Return ∂op/∂operand `i` by the best oracle there is for it; raises NoDerivativeError at a kink or an edge."""
    refuse_edges(op, operands, i)

    def along(x: float) -> float:
        return op.on_floats(*operands[:i], x, *operands[i + 1 :])

    def along_complex(z: complex) -> complex:
        return on_complex(*map(complex, operands[:i]), z, *map(complex, operands[i + 1 :]))

    on_complex: Any = definition(op)
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
    """Return ∂op/∂operand `i` of a row of the table with 50 digits; None without mpmath, or for another operation."""
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
    """Tell whether right slope minus left slope stays as the step shrinks; where a function is smooth it shrinks too.

    A kink does so at every scale; a narrow bend only at steps wider than itself.
    """
    jumps: list[float] = []
    for step in (h, h / 8.0):
        low, high = _attempt(function, x - step), _attempt(function, x + step)
        jumps.append(abs((high - here) - (here - low)) / step)
    return jumps[1] > 0.5 * jumps[0] and jumps[1] > 8.0 * noise / h + 1e-6 * slope
