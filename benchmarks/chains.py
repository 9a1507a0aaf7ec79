"""Compositions of rows of the table, as functions of one number, and what mathematics says of them in many digits."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from autodiff import OPS, Op, clip, stop_gradient
from autodiff.testing.definitions import context, definition

RESULT, VARIABLE = "·", "x"  # what an operand may be beside a number: the result so far, or the variable again
OTHERS = (0.5, 2.0, 0.25, 1.5)
LEAST, MOST = 1e-150, 1e150  # numbers on the way within these neither over- nor underflow, nor do products of two
RIGHT = 1e-9  # how far a derivative may be off, relative to the sum of its terms' absolute values
CANCELLED = 1e-5  # of RIGHT: what rules of partials may lose by cancelling
ROUNDED = (OPS["tanh"], OPS["sigmoid"])  # programs have their slopes, of their values, to a rounding of 1
NUDGE = 1e-12  # by how much results on the way are changed to learn how much their rounding matters


@dataclass(frozen=True)
class Step:
    """A row with its operands: the result so far, the variable itself, or numbers."""

    op: Op
    operands: tuple[str | float, ...]

    def __call__(self, result: Any, x: Any) -> Any:
        return self.op(*[result if o == RESULT else x if o == VARIABLE else o for o in self.operands])


@dataclass(frozen=True)
class Chain:
    """Steps one after the other; the first takes the variable."""

    steps: tuple[Step, ...]

    def __call__(self, x: Any) -> Any:
        result = x
        for step in self.steps:
            result = step(result, x)
        return result

    def __str__(self) -> str:
        text = VARIABLE
        for step in self.steps:
            shown = [text if o == RESULT else VARIABLE if o == VARIABLE else f"{o:g}" for o in step.operands]
            text = f"{step.op.name}({', '.join(shown)})"
        return text


@cache
def steps_of(op: Op) -> tuple[tuple[str, Step], ...]:
    """A row with the result so far as each operand in turn, and as all of them at once."""
    arity = op.arity or 3
    found: list[tuple[str, Step]] = []
    for i in range(arity):
        operands = (*OTHERS[:i], RESULT, *OTHERS[i : arity - 1])
        found.append((f"{op.name}, operand {i + 1}" if arity > 1 else op.name, Step(op, operands)))
    if arity > 1:
        found.append((f"{op.name}, all the same", Step(op, (RESULT,) * arity)))
    return tuple(found)


@cache
def further(op: Op) -> tuple[Step, ...]:
    """Return what may follow: as before, and with the variable itself beside the result."""
    own = [step for _, step in steps_of(op)]
    if op.arity == 2:
        own += [Step(op, (RESULT, VARIABLE)), Step(op, (VARIABLE, RESULT))]
    return tuple(own)


def pairs() -> Iterator[Chain]:
    """Every composition of two rows, by every operand."""
    for inner in OPS.values():
        for _, first in steps_of(inner):
            for outer in OPS.values():
                for second in further(outer):
                    yield Chain((first, second))


def drawn(length: int, count: int, seed: int = 0) -> Iterator[Chain]:
    """So many compositions of `length` rows; every row is as likely as any other."""
    draw = random.Random(f"{length} {seed}")  # the same ones every time
    rows = list(OPS.values())
    for _ in range(count):
        first = draw.choice(steps_of(draw.choice(rows)))[1]
        yield Chain((first, *(draw.choice(further(draw.choice(rows))) for _ in range(length - 1))))


class UnknownError(Exception):
    """Mathematics gives no answer here, or none that a float could be compared with."""


@dataclass(frozen=True)
class Truth:
    """Value, first and second derivative in many digits, None where there is none; and how far off rounding may be.

    `regular`: nothing on the way, no partial and no second partial, is infinite, over- or underflows, or has a kink.
    """

    answers: tuple[float | None, float | None, float | None]
    bounds: tuple[float, float, float]
    regular: bool

    def contradicts(self, order: int, answer: float) -> bool:
        """Whether a number differs from the truth by more than rounding explains."""
        truth = self.answers[order]
        return truth is not None and not (answer == truth or abs(answer - truth) <= self.bounds[order])


def truth(chain: Chain, x: float) -> Truth:
    """Return what 120 digits and more say of a chain at a finite number; raises UnknownError where they cannot say."""
    exponent = round(math.log10(abs(x))) if x else 0
    mp = context(120 + 2 * max(-exponent, 0) + 2 * max(exponent, 0))
    at = mp.mpf(x)
    h = mp.ldexp(min(abs(at) or 1, 1), -100)
    try:
        values = [_walked(mp, chain, at + k * h, ())[-1] for k in range(-2, 3)]
    except UnknownError:  # beside x there is nothing; of x alone the value
        return Truth((_as_float(_walked(mp, chain, at, ())[-1]), None, None), (math.inf,) * 3, regular=False)
    answers = _derivatives(mp, values, h)
    bounds = [0.0, 0.0, 0.0]
    try:
        sizes, regular = _sizes(mp, chain, at)
        for signs in ((1, -1, 1), (1, 1, -1), (-1, 1, 1)):
            nudged = _derivatives(mp, [_walked(mp, chain, at + k * h, signs)[-1] for k in range(-2, 3)], h)
            for order in range(3):
                if answers[order] is not None:
                    moved = math.inf if nudged[order] is None else float(abs(nudged[order] - answers[order]))
                    bounds[order] = max(bounds[order], moved)
        regular = regular and bounds[0] <= 1e-6 * max(abs(_as_float(values[2])), 1e-3)  # else a rounding may jump
        seen = mp.eps * 10**10 * max(abs(values[2]), 1)  # what differences of values can show
        bounds = [bound + _as_float(seen / h**order) for order, bound in enumerate(bounds)]
        bounds = [bound + RIGHT * size for bound, size in zip(bounds, sizes, strict=True)]
    except UnknownError:
        bounds, regular = [0.0 if a is None else RIGHT * abs(_as_float(a)) for a in answers], False
    floats: Any = tuple(None if a is None else _as_float(a) for a in answers)
    return Truth(floats, tuple(bounds), regular and None not in answers)  # pyright: ignore[reportArgumentType]


def _as_float(x: Any) -> float:
    try:
        return float(x)
    except OverflowError:
        return math.copysign(math.inf, x)


def _walked(mp: Any, chain: Chain, x: Any, nudges: Sequence[int]) -> list[Any]:
    """The variable, and the result of each step, which may be changed by a hair."""
    results = [x]
    for k, step in enumerate(chain.steps):
        operands = [results[-1] if o == RESULT else x if o == VARIABLE else mp.mpf(o) for o in step.operands]
        results.append(_computed(mp, step.op, operands))
        if nudges:
            results[-1] *= 1 + nudges[k % len(nudges)] * mp.mpf(NUDGE)
    return results


def _computed(mp: Any, op: Op, operands: Sequence[Any]) -> Any:
    if any(abs(x) > mp.mpf("1e320") for x in operands):  # no float; and the powers of such numbers fill the memory
        raise UnknownError
    if op is stop_gradient or (op is clip and operands[1] > operands[2]):  # by decree, and by domain
        raise UnknownError
    try:
        result = definition(op, mp)(*operands)  # pyright: ignore[reportOptionalCall] # every row has one
    except (ArithmeticError, ValueError):
        raise UnknownError from None
    if isinstance(result, mp.mpc) or not mp.isfinite(result):
        raise UnknownError
    return mp.mpf(result)


def _derivatives(mp: Any, values: Sequence[Any], h: Any) -> list[Any]:
    """Value, first and second derivative by differences from both sides; None where the two disagree."""
    a, b, c, d, e = values
    slopes, bends = ((c - b) / h, (d - c) / h), ((a - 2 * b + c) / h**2, (c - 2 * d + e) / h**2)
    jump = abs(d - b) > mp.mpf(10) ** -15 * max(abs(c), mp.mpf(10) ** -320)
    if jump and abs(d - c) > abs(e - d) * 4 + abs(c) * mp.mpf(10) ** -15:
        return [c, None, None]
    smooth = abs(slopes[0] - slopes[1]) <= mp.mpf(10) ** -12 * max(map(abs, slopes))
    if not smooth and abs(b - 2 * c + d) > mp.mpf(10) ** -12 * (abs(b - c) + abs(d - c)):
        return [c, None, None]
    first = (d - b) / (2 * h)
    if abs(d - b) < mp.eps * 10**10 * abs(c):
        first = mp.mpf(0)
    if not abs(bends[0] - bends[1]) <= mp.mpf(10) ** -12 * max(map(abs, bends)) + abs(first) * mp.mpf(10) ** -15:
        return [c, first, None]
    bend = b - 2 * c + d
    return [c, first, bend / h**2 if abs(bend) > mp.eps * 10**10 * abs(c) else mp.mpf(0)]


def _sizes(mp: Any, chain: Chain, x: Any) -> tuple[list[float], bool]:
    """The sums of the absolute values of all terms, for value and both derivatives; and whether all is regular."""
    results = _walked(mp, chain, x, ())
    seen = {VARIABLE: (abs(x), mp.mpf(1), mp.mpf(0))}
    here, regular = seen[VARIABLE], _in_range([x])
    for k, step in enumerate(chain.steps):
        moving = [i for i, o in enumerate(step.operands) if isinstance(o, str)]
        point = [results[k] if o == RESULT else x if o == VARIABLE else mp.mpf(o) for o in step.operands]
        jets = [here if step.operands[i] == RESULT else seen[VARIABLE] for i in moving]
        slopes, bends = _partials(mp, step.op, point, moving)
        regular = regular and _in_range([results[k + 1], *slopes, *(b for row in bends for b in row)])
        if step.op in ROUNDED:
            slopes = [abs(p) + CANCELLED for p in slopes]
        first = sum(abs(p) * jet[1] for p, jet in zip(slopes, jets, strict=True))
        second = sum(abs(p) * jet[2] for p, jet in zip(slopes, jets, strict=True))
        # A rule may compute a second partial as a difference of terms as large as the slopes' product over the result.
        r = abs(results[k + 1]) or 1
        for (i, p), (j, q) in product(enumerate(slopes), repeat=2):
            second += (abs(bends[i][j]) + CANCELLED * abs(p * q) / r) * jets[i][1] * jets[j][1]
        here = abs(results[k + 1]), first, second
        regular = regular and first * mp.ldexp(1, -100) < NUDGE  # else differences say nothing of what oscillates
    return [_as_float(size) for size in here], regular


def _in_range(numbers: Sequence[Any]) -> bool:
    return all(n == 0 or LEAST < abs(n) < MOST for n in numbers)


def _partials(mp: Any, op: Op, point: Sequence[Any], moving: Sequence[int]) -> tuple[list[Any], list[list[Any]]]:
    """First and second partials of a row by the operands that move; raises UnknownError at kinks and edges."""
    steps = {i: mp.ldexp(abs(point[i]) or 1, -100) for i in moving}

    def moved(changes: dict[int, int]) -> Any:
        return _computed(mp, op, [p + changes[i] * steps[i] if i in changes else p for i, p in enumerate(point)])

    slopes: list[Any] = []
    bends = [[mp.mpf(0)] * len(moving) for _ in moving]
    for a, i in enumerate(moving):
        _, slope, bend = _derivatives(mp, [moved({i: k}) for k in range(-2, 3)], steps[i])
        if slope is None or bend is None:
            raise UnknownError
        slopes.append(slope)
        bends[a][a] = bend
        for b, j in enumerate(moving[:a]):
            cross = moved({i: 1, j: 1}) - moved({i: 1, j: -1}) - moved({i: -1, j: 1}) + moved({i: -1, j: -1})
            bends[a][b] = bends[b][a] = cross / (4 * steps[i] * steps[j])
    return slopes, bends
