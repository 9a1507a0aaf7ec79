"""Points where derivatives can be compared: bounded, inside domains, away from kinks, and a little around as well."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, permutations
from typing import Any

import numpy as np

from autodiff.backward import topological_order
from autodiff.ops import Op
from autodiff.testing.oracles import EPSILON
from autodiff.testing.partials import path_sums
from autodiff.value import Value

LIMIT = 1e3  # how large values and partials get, at the point and around it
ROOM = 2.0**-6  # how far around it, relative to operands above 1
_AXES, _GRID = 8, 5  # how many directions, and steps on each side, a function that cannot be recorded is tried along
SATURATED = 1e-6  # a partial so small beside the value, as of tanh at 10: half of its digits may be rounded away
STEEPEST = 1e4  # how large the sum of all paths from an input to a node gets


def admissible(op: Op, operands: Sequence[float], moving: Sequence[bool] | None = None) -> bool:
    """Tell whether value and partials of `op` are bounded at and around `operands`, on one side of any kink.

    No partial is nearly lost beside the value either, as where tanh is saturated. Only the operands that are `moving`
    (all of them, by default) are tried around the point: the others are constants.

    >>> from autodiff import OPS
    >>> admissible(OPS["log"], [1.0]), admissible(OPS["log"], [0.01]), admissible(OPS["abs"], [0.0])
    (True, False, False)
    """
    moving = [True] * len(operands) if moving is None else moving
    kink = _kink(op, operands)
    if math.isnan(kink) or (kink == 0.0 and any(_kink(op, at) != 0.0 for at in _around(operands, moving, 2.0**-20))):
        return False
    for at in _around(operands, moving):
        other = _kink(op, at)
        # A kink such as hypot's is never negative: there its distance counts.
        if other != kink and (other * kink <= 0.0 or abs(kink) < ROOM):
            return False
        try:
            value = op.on_floats(*at)
            partials = op.partials_at(at, value, moving)
        except (ArithmeticError, ValueError):
            return False
        if not max(map(abs, (value, *partials))) <= LIMIT:
            return False
        if any(0.0 < abs(p) < SATURATED * abs(value) for p in partials):
            return False
    return True


def well_conditioned(root: Any) -> bool:
    """Tell whether every operation of a graph is admissible, and the sum of all paths to every node bounded.

    That sum, Σ |∏ partials|, is what a relative error of one rounding in every input may amount to: the condition
    of the computation, with the cancellation that the derivative itself would hide.
    """
    for node in topological_order(root):
        if node.op is not None:
            operands = [x.data if isinstance(x, Value) else x for x in node.operands]
            if not admissible(node.op, operands, [isinstance(x, Value) for x in node.operands]):
                return False
    return all(steepness <= STEEPEST for steepness in path_sums(root).values())


def smooth(function: Callable[[list[float]], Any], point: Sequence[float]) -> bool:
    """Tell whether a function known only by its numbers looks smooth and bounded at `point` and around it.

    Along every axis, or along eight random directions where there are more, the function is computed on two grids, one
    four times as fine. Second differences of what is smooth shrink by 16, of a kink by 4 on the whole (8 where it lies
    well between the finer steps), of a jump not at all.

    >>> smooth(lambda x: abs(x[0]), [1.0]), smooth(lambda x: abs(x[0]), [0.01])
    (True, False)
    """
    draw = random.Random(len(point))  # noqa: S311 # directions, no secret
    axes = [[float(i == j) for j in range(len(point))] for i in range(len(point))]
    if len(axes) > _AXES:
        axes = [[draw.uniform(-1.0, 1.0) for _ in point] for _ in range(_AXES)]
    room = ROOM * max(1.0, *map(abs, point)) if point else 0.0
    return all(
        _smooth_along(lambda t, axis=axis: function([x + t * a for x, a in zip(point, axis, strict=True)]), room)
        for axis in axes
    )


def _smooth_along(f: Callable[[float], Any], room: float) -> bool:
    bends: list[float] = []
    values: list[float] = []
    epsilon = EPSILON
    for n in (_GRID, 4 * _GRID):
        try:
            results = [f(room * k / n) for k in range(-n, n + 1)]
            values = [float(y) for y in results]
        except (ArithmeticError, ValueError):
            return False
        epsilon = float(np.finfo(getattr(results[0], "dtype", np.float64)).eps)
        steepest = max(abs(b - a) for a, b in pairwise(values)) * n / room
        if not max(steepest, *map(abs, values)) <= LIMIT:  # NaN is not
            return False
        bends.append(max(abs(a - 2.0 * b + c) for a, b, c in zip(values, values[1:], values[2:], strict=False)))
    rounding = 64.0 * epsilon * (1.0 + max(map(abs, values)))
    return bends[1] <= max(bends[0] / 10.0, rounding)


def repairs(op: Op, operands: Sequence[float]) -> Iterator[tuple[float, ...]]:
    """Yield the operands, then others that may be admissible: moved into the domains, apart, in another order."""
    yield tuple(operands)
    inside = tuple(_into(x, *op.domains[i].bounds) if i < len(op.domains) else x for i, x in enumerate(operands))
    apart = tuple(x + 0.25 * (i + 1) for i, x in enumerate(inside))
    positive = tuple(abs(x) + 0.25 * (i + 1) for i, x in enumerate(operands))
    for tried in (inside, apart, positive, tuple(x / 8.0 for x in positive)):
        yield from permutations(tried) if len(tried) <= 3 else (tried, tuple(sorted(tried)))


def _into(x: float, low: float, high: float) -> float:
    """Return `x` itself where it is inside, else some number that is."""
    if low < x < high:
        return x
    if math.isfinite(high - low):
        return low + (high - low) * (0.5 + math.atan(x) / math.pi)
    return low + abs(x) + 0.25 if math.isfinite(low) else high - abs(x) - 0.25


def _around(operands: Sequence[float], moving: Sequence[bool], room: float = ROOM) -> Iterator[tuple[float, ...]]:
    yield tuple(operands)
    for i, x in enumerate(operands):
        if moving[i]:
            for step in (-room, room):
                yield (*operands[:i], x + step * max(1.0, abs(x)), *operands[i + 1 :])


def _kink(op: Op, operands: Sequence[float]) -> float:
    return 0.0 if op.kink is None else op.kink(*operands)
