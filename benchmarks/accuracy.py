"""Measure how far every operation is from the truth and write docs/accuracy.md: `python -m benchmarks.accuracy`.

The truth is mpmath's: value and partials in closed form, written here, in 60 digits, or the definition that
`autodiff.testing` has, with its differences in 1,000. Points come from the whole domain: every power of two that a
float has, subnormals included, numbers of everyday size, and the last few floats before and after kinks, poles and
edges.
"""

# ruff: noqa: ARG005 # value and partials of one operation are written with the same arguments

from __future__ import annotations

import argparse
import math
import platform
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mpmath
import numpy as np

from autodiff import OPS, DomainError, Op
from autodiff.testing.definitions import definition
from website import spanish

mp = mpmath.mp.clone()
mp.dps = 60

TINY, HUGE = sys.float_info.min, sys.float_info.max
PAGE = Path(__file__).resolve().parent.parent / "docs" / "accuracy.md"


def hypot(a: Any, b: Any) -> Any:
    return mp.sqrt(a * a + b * b)


def logsumexp(*xs: Any) -> Any:
    *others, top = sorted(xs)
    return top + mp.log1p(mp.fsum(mp.exp(x - top) for x in others))


def products(xs: Sequence[Any]) -> list[Any]:
    n = len(xs) // 2
    return [*(w * x for w, x in zip(xs[:n], xs[n:-1], strict=True)), xs[-1]]


def angle(y: Any, x: Any) -> Any:
    """atan2, without a sum that cancels."""
    if abs(y) > abs(x):
        return mp.sign(y) * mp.pi / 2 - mp.atan(x / y)
    return mp.atan(y / x) + (0 if x > 0 else (1 if y >= 0 else -1) * mp.pi)


def quotient(a: Any, b: Any) -> Any:
    """The integer below a / b, exactly."""
    with mp.workprec(2400):  # bits that the largest float over the smallest has
        return mp.floor(a / b)


def remainder(a: Any, b: Any) -> Any:
    with mp.workprec(2400):
        return a - b * quotient(a, b)


def density(a: Any) -> Any:
    return mp.exp(-a * a / 2) / mp.sqrt(2 * mp.pi)


def erfc(a: Any) -> Any:
    return mp.erfc(a) if abs(a) < 1e6 else mp.mpf(2 if a < 0 else 0)


def mills(x: Any) -> Any:
    """(1 - Φ(x)) / φ(x); far out by its asymptotic series."""
    if x > 1e5:
        return mp.fsum((-1) ** k * mp.fac2(2 * k - 1) / x ** (2 * k + 1) for k in range(12))
    return mp.sqrt(mp.pi / 2) * mp.exp(x * x / 2) * mp.erfc(x / mp.sqrt(2))


def log_normal(a: Any) -> Any:
    if a < 0:
        return mp.log(mills(-a)) - a * a / 2 - mp.log(2 * mp.pi) / 2
    return mp.log1p(-density(a) * mills(a))


def hazard(a: Any) -> Any:
    return 1 / mills(-a) if a < 0 else density(a) / (1 - density(a) * mills(a))


def sinc_slope(a: Any) -> Any:
    return (mp.cospi(a) - mp.sincpi(a)) / a if abs(a) > 1e-20 else -(mp.pi**2) * a / 3


def log_where(a: Any, logarithm: Any) -> Any:
    return a * logarithm if a else zero()


def one(*_: Any) -> Any:
    return mp.mpf(1)


def zero(*_: Any) -> Any:
    return mp.mpf(0)


def power_by_exponent(a: Any, b: Any) -> Any:
    return mp.power(a, b) * mp.log(a)


# name: the value, then each partial, where a definition and its differences will not do, or would take long.
TRUTH: dict[str, tuple[Callable[..., Any], ...]] = {
    "pow": (mp.power, lambda a, b: b * mp.power(a, b) / a, power_by_exponent),
    "remainder": (remainder, one, lambda a, b: -quotient(a, b)),
    "floor_divide": (quotient, zero, zero),
    "cbrt": (lambda a: mp.sign(a) * mp.cbrt(abs(a)), lambda a: 1 / (3 * mp.cbrt(abs(a)) ** 2)),
    "exp": (mp.exp, mp.exp),
    "exp2": (lambda a: mp.power(2, a), lambda a: mp.log(2) * mp.power(2, a)),
    "expm1": (mp.expm1, mp.exp),
    "log": (mp.log, lambda a: 1 / a),
    "log1p": (mp.log1p, lambda a: 1 / (1 + a)),
    "log2": (lambda a: mp.log(a) / mp.log(2), lambda a: 1 / a / mp.log(2)),
    "log10": (mp.log10, lambda a: 1 / a / mp.log(10)),
    "sin": (mp.sin, mp.cos),
    "cos": (mp.cos, lambda a: -mp.sin(a)),
    "tan": (mp.tan, lambda a: 1 / mp.cos(a) ** 2),
    "sinc": (mp.sincpi, sinc_slope),
    "asin": (mp.asin, lambda a: 1 / mp.sqrt((1 - a) * (1 + a))),
    "acos": (mp.acos, lambda a: -1 / mp.sqrt((1 - a) * (1 + a))),
    "atan": (mp.atan, lambda a: 1 / (1 + a * a)),
    "sinh": (mp.sinh, mp.cosh),
    "cosh": (mp.cosh, mp.sinh),
    "tanh": (mp.tanh, lambda a: mp.sech(a) ** 2),
    "asinh": (mp.asinh, lambda a: 1 / hypot(a, 1)),
    "acosh": (mp.acosh, lambda a: 1 / mp.sqrt((a - 1) * (a + 1))),
    "atanh": (mp.atanh, lambda a: 1 / ((1 - a) * (1 + a))),
    "erf": (mp.erf, lambda a: 2 / mp.sqrt(mp.pi) * mp.exp(-a * a)),
    "erfc": (erfc, lambda a: -2 / mp.sqrt(mp.pi) * mp.exp(-a * a)),
    "log_ndtr": (log_normal, hazard),
    "atan2": (angle, lambda a, b: b / (a * a + b * b), lambda a, b: -a / (a * a + b * b)),
    "logaddexp": (logsumexp, *[lambda *xs, i=i: mp.exp(xs[i] - logsumexp(*xs)) for i in range(2)]),
    "xlogy": (lambda a, b: log_where(a, mp.log(b)), lambda a, b: mp.log(b), lambda a, b: a / b),
    "xlog1py": (lambda a, b: log_where(a, mp.log1p(b)), lambda a, b: mp.log1p(b), lambda a, b: a / (1 + b)),
    "sigmoid": (lambda a: 1 / (1 + mp.exp(-a)), lambda a: 1 / (1 + mp.exp(-a)) / (1 + mp.exp(a))),
    "softplus": (lambda a: max(a, 0) + mp.log1p(mp.exp(-abs(a))), lambda a: 1 / (1 + mp.exp(-a))),
    "clip": (
        lambda a, low, high: min(max(a, low), high),
        lambda a, low, high: mp.mpf(low <= a <= high),
        lambda a, low, high: mp.mpf(a < low),
        lambda a, low, high: mp.mpf(a > high),
    ),
    "stop_gradient": (lambda a: a, zero),
    "logsumexp": (logsumexp, *[lambda *xs, i=i: mp.exp(xs[i] - logsumexp(*xs)) for i in range(3)]),
}


def differences(value: Callable[..., Any], i: int) -> Callable[..., Any]:
    """The partial of `value` by operand i, from a difference so small that 40 digits are right."""

    def partial(*at: Any) -> Any:
        h = min(abs(at[i]) or mp.mpf(10) ** -330, 1) / mp.mpf(10) ** 40
        return (value(*at[:i], at[i] + h, *at[i + 1 :]) - value(*at[:i], at[i] - h, *at[i + 1 :])) / (2 * h)

    return partial


def exactly(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with as many digits as the difference of two numbers of any size takes."""

    def precise(*at: Any) -> Any:
        with mp.workdps(1000):
            return function(*at)

    return precise


def truth(op: Op) -> tuple[Callable[..., Any], ...]:
    """The value, then each partial: of `TRUTH`, or else the definition of `autodiff.testing` and its differences."""
    if op.name in TRUTH:
        return TRUTH[op.name]
    value = definition(op, mp)
    if value is None:
        raise LookupError(f"the truth must be known, got {op.name}; define it in autodiff/testing/definitions.py")
    arity = op.arity or OPERANDS.get(op.name, 3)
    return tuple(map(exactly, (value, *(differences(value, i) for i in range(arity)))))


# Sums cancel, and no libm has them: their error is counted in ulps of their largest term, so that it says how good the
# arithmetic is, not how ill-conditioned the point.
TERMS: dict[str, Callable[..., Sequence[Any]]] = {
    "total": lambda *xs: xs,
    "mean": lambda *xs: xs,
    "logsumexp": lambda *xs: xs,
    "logaddexp": lambda *xs: xs,
    "weighted_sum": lambda *xs: products(xs),
}
OPERANDS = {"weighted_sum": 5}  # of operations on any number: two weights, two inputs, a bias
SUMS = TERMS.keys() - {"logsumexp", "logaddexp"}  # these overflow where the sum of their terms does

# By how many ulps the exact partial changes when an operand changes in its last place: the error is counted in that.
CONDITIONED: dict[str, Callable[..., Any]] = {
    "logsumexp": lambda slope, *xs: max(map(abs, xs)),
    "sinc": lambda slope, a: max(1, 1 / abs(a)) / abs(slope) if abs(a) > 0.5 else 1,  # it has zeros of its own
}

# Where operands are interesting beside everywhere: kinks, poles, edges, and where a result over- or underflows.
SPECIAL: dict[str, Sequence[float]] = {
    "exp": (709.78, -745.13, -708.39),
    "expm1": (709.78, -37.0),
    "log": (1.0,),
    "log2": (1.0, 2.0),
    "log10": (1.0, 10.0),
    "log1p": (-1.0,),
    "exp2": (1024.0, -1022.0, -1074.0),
    "sinc": (0.5, 1.0, -2.0, 1.4302966531242028),
    "erfc": (0.0, 26.5, 27.2, -5.9),
    "log_ndtr": (1.0, -1.0, 5.0, -5.0, 38.4, -37.5),
    "reciprocal": (1.0,),
    "xlogy": (1.0,),
    "xlog1py": (-1.0,),
    "sin": (math.pi, 2 * math.pi),
    "cos": (math.pi / 2,),
    "tan": (math.pi / 2, math.pi),
    "asin": (1.0, -1.0, 0.5),
    "acos": (1.0, -1.0, 0.5),
    "acosh": (1.0,),
    "atanh": (1.0, -1.0),
    "sinh": (710.47, -710.47),
    "cosh": (710.47, -710.47),
    "tanh": (0.7, 19.06, 355.0, 372.5, 710.47),
    "erf": (5.9, 26.5, 27.2),
    "sigmoid": (0.85, 36.7, -36.7, 709.78, -709.78, -745.13, 745.13),
    "softplus": (36.7, -36.7, 709.78, -745.13),
    "atan": (1e154, 1e161),
    "asinh": (1e154,),
}


def sizes(generator: random.Random, name: str) -> float:
    """One operand: from all floats, from everyday numbers, or from beside a special one."""
    kind = generator.random()
    if kind < 0.35:
        return math.ldexp(generator.uniform(1.0, 2.0), generator.randint(-1074, 1023)) * generator.choice((1, -1))
    if kind < 0.75:
        return generator.choice((generator.uniform(-3.0, 3.0), generator.uniform(-40.0, 40.0), generator.gauss(0, 300)))
    if kind < 0.8:
        return generator.randint(-24, 24) / 8.0
    x = generator.choice((0.0, 1.0, -1.0, HUGE, -HUGE, TINY, *SPECIAL.get(name, ())))
    return x + generator.randint(-4, 4) * math.ulp(x) if generator.random() < 0.5 else x * generator.uniform(0.9, 1.1)


def points(op: Op, count: int, seed: int = 1986) -> Iterator[tuple[float, ...]]:
    """`count` points of the domain, off the kinks."""
    generator, arity = random.Random(f"{op.name} {seed}"), len(truth(op)) - 1
    while count:
        point = tuple(sizes(generator, op.name) for _ in range(arity))
        if arity == 2 and generator.random() < 0.3:  # of one size, where the two interact
            point = (point[0], point[0] * generator.uniform(-2.0, 2.0))
        if op.name == "exp2" and point[0] >= 1024.0:  # an infinite result cannot tell its slope, which may be finite
            continue
        if op.name == "clip":
            point = (point[0], *sorted(point[1:]))
        if op.name == "pow" and generator.random() < 0.7:  # a result that neither over- nor underflows
            base = abs(point[0]) or 1.0
            point = (base, generator.uniform(-740.0, 709.0) / (math.log(base) or 1.0))
        if not all(map(math.isfinite, point)) or (op.kink is not None and op.kink(*point) == 0.0):
            continue
        if op.name in SUMS and mp.fsum(map(abs, TERMS[op.name](*map(mp.mpf, point)))) > HUGE:
            continue
        try:
            op(*point)
        except DomainError:
            continue
        count -= 1
        yield point


def ulps(got: float, exact: Any, terms: Sequence[Any] = ()) -> float:
    """|got - exact| in units of the last place of `exact`, or of the largest of the terms it is a sum of."""
    if math.isnan(got):
        return math.inf
    largest = max(map(abs, (exact, *terms)))
    exponent = min(max(int(mp.frexp(largest)[1]) - 1, -1022), 1023)
    if math.isinf(got):
        if got * exact > 0 and largest >= mp.mpf(HUGE) + mp.ldexp(1, 970):  # it rounds to infinity
            return 0.0
        got = mp.ldexp(math.copysign(1, got), 1024)
    return float(abs(got - exact) / mp.ldexp(1, exponent - 52))


@dataclass
class Worst:
    """The largest errors of one operation: where numbers are normal, and where one underflows; with their points."""

    normal: float = 0.0
    subnormal: float = 0.0
    where: tuple[float, ...] = field(default=())

    def note(self, error: float, point: tuple[float, ...], *, underflow: bool) -> None:
        if underflow:
            self.subnormal = max(self.subnormal, error)
        elif error > self.normal:
            self.normal, self.where = error, point


COLUMNS = ("value, floats", "value, arrays", "partials, floats", "partials, arrays")


def measure(op: Op, count: int, seed: int = 1986, partials_of: Callable[..., Any] | None = None) -> dict[str, Worst]:
    """The worst errors over `count` points, per column; `partials_of`, for those of arrays, by default the row's."""
    worst = {column: Worst() for column in COLUMNS}
    sample = list(points(op, count, seed))
    columns = [np.array(column) for column in zip(*sample, strict=True)]
    arrays = op(*columns)
    with np.errstate(all="ignore"):
        slopes = [np.broadcast_to(s, arrays.shape) for s in (partials_of or op.partials_of)(columns, arrays)]
    value, *partials = truth(op)
    for k, point in enumerate(sample):
        at = [mp.mpf(x) for x in point]
        exact, terms = value(*at), TERMS.get(op.name, lambda *_: ())(*at)
        got = op(*point)
        tiny = 0 < abs(exact) < TINY
        worst["value, floats"].note(ulps(got, exact, terms), point, underflow=tiny)
        worst["value, arrays"].note(ulps(float(arrays[k]), exact, terms), point, underflow=tiny)
        for i, partial in enumerate(partials):
            wanted = [j == i for j in range(len(point))]
            try:
                on_floats = op.partials_at(point, got, wanted)[i]
                exact_slope = mp.mpf(partial(*at))
            except (DomainError, ZeroDivisionError, TypeError):  # there is none: an edge, a negative base
                continue
            if not mp.isfinite(exact_slope):
                continue
            small = tiny or 0 < abs(exact_slope) < TINY
            inherent = float(max(1, CONDITIONED.get(op.name, zero)(exact_slope, *at) if exact_slope else 1))
            for column, slope in (("partials, floats", on_floats), ("partials, arrays", float(slopes[i][k]))):
                worst[column].note(ulps(slope, exact_slope) / inherent, point, underflow=small)
    return worst


GOAL = 4.0

HEAD = """# Accuracy

Made by `python -m benchmarks.accuracy{options}`: {count:,} points for each operation, {points:,} in all, against mpmath
with 60 digits; Python {python}, NumPy {numpy}, {machine}. Arrays are computed by NumPy's own loops, whose last digits
depend on the processor.

Each entry is the largest error found, in ulps: units in the last place of the true number, rounded to a float. 0 is
exact, and ½ is the best that rounding allows. Points come from the whole domain: every power of two that a float can
hold, numbers of everyday size, and the last few floats before and after kinks, poles, edges and the places where a
result over- or underflows; at the kinks themselves the derivative is a convention ([operations.md](operations.md)). An
overflow counts as right when it gives ±∞ exactly where the true number rounds to ±∞. The last column covers points
where the result, or the partial itself, is subnormal or underflows to 0.

| operation | {columns} | all four, where a number is subnormal |
|---|{rules}---|
"""

FOOT = """
The goal, at most {goal:g} ulps, is {met} for every operation wherever numbers are normal.

How to read it:

- **Sums** (`total`, `mean`, `weighted_sum`, `logsumexp`, `logaddexp`) may cancel, so their error is counted in ulps of
  the largest term, not of what remains. Terms are added from left to right, as NumPy does; where their sizes add up to
  more than the largest float, intermediate sums may overflow (`logsumexp` and `logaddexp` never do).
- **Slopes of `logsumexp`** are e^(x − r). Changing x in its last place changes them by |x| ulps, so their error is
  counted in that unit: an entry of 1 means one ulp for operands up to 1, and 1,000 ulps for operands of 1,000.
  `logaddexp` keeps what rounding takes from a − b, so its slopes are counted as all others are.
- **Slopes of `sinc`** cross 0 near every half-integer beyond ½. There they are counted in ulps of what moving a by its
  last place changes in them, and of 1 / |a|: beside such a zero no more can be known of one.
- **Subnormal results** have fewer digits, and a partial made from one has no more: `pow` with an exponent of 10¹⁸
  multiplies a result that has two digits left. Such results are below 2.2·10⁻³⁰⁸.
- **Near 1, tanh and σ** keep their slopes: 1 − tanh² and σ(1 − σ) have no digits left there (σ(40) is 1), so the rows
  use 1 / cosh² and σ(a)·σ(−a). `erf` splits a² so that e^(−a²) keeps its digits, `hypot` and `atan2` scale by a power
  of two, `pow` goes by r / a where b − 1 would be rounded. """


def shown(error: float) -> str:
    return (
        "0"
        if error == 0.0
        else f"{error:.2g}"
        if error < 100
        else f"{error:.0e}".replace("e+0", "e").replace("e+", "e")
    )


def page(count: int, options: str, seed: int) -> tuple[str, list[str]]:
    """The page, and what misses the goal."""
    lines, missed, done = [], [], 0
    for op in OPS.values():
        worst = measure(op, count, seed)
        done += count
        subnormal = max(each.subnormal for each in worst.values())
        cells = [f"`{op.name}`", *(shown(worst[column].normal) for column in COLUMNS), shown(subnormal)]
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1])
        missed += [f"{op.name}: {c} {w.normal:.3g} at {w.where}" for c, w in worst.items() if not w.normal <= GOAL]
    head = HEAD.format(
        options=options,
        count=count,
        points=done,
        python=platform.python_version(),
        numpy=np.__version__,
        machine=f"{platform.system()} on {platform.machine()}",
        columns=" | ".join(COLUMNS),
        rules="---|" * len(COLUMNS),
    )
    met = "met" if not missed else "missed (" + "; ".join(missed) + ")"
    return head + "\n".join(lines) + "\n" + FOOT.format(goal=GOAL, met=met), missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.accuracy")
    parser.add_argument("--points", type=int, default=4000, help="per operation (default: 4000)")
    parser.add_argument("--seed", type=int, default=1986)
    options = parser.parse_args()
    given = " ".join(sys.argv[1:])
    text, missed = page(options.points, f" {given}" if given else "", options.seed)
    PAGE.write_text(text, encoding="utf-8")
    spanish.write("accuracy")
    print(f"wrote {PAGE}")
    if missed:
        raise SystemExit("above the goal: " + "; ".join(missed))


if __name__ == "__main__":
    main()
