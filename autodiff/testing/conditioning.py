"""Where derivatives can be compared at all: bounded, inside domains, away from kinks, and a little around as well."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any

from autodiff.backward import topological_order
from autodiff.ops import Op
from autodiff.propagation import propagate
from autodiff.value import Value

LIMIT = 1e3  # how large values and partials get, at the point and around it
ROOM = 2.0**-6  # how far around it, relative to operands above 1
STEEPEST = 1e4  # how large the sum of all paths from an input to a node gets


def admissible(op: Op, operands: Sequence[float], moving: Sequence[bool] | None = None) -> bool:
    """Whether value and partials of `op` are bounded at `operands` and a little around them, on one side of any kink.

    Only the operands that are `moving` (all of them, by default) are tried around the point: the others are constants.

    >>> from autodiff import OPS
    >>> admissible(OPS["log"], [1.0]), admissible(OPS["log"], [0.01]), admissible(OPS["abs"], [0.0])
    (True, False, False)
    """
    moving = [True] * len(operands) if moving is None else moving
    kink = _kink(op, operands)
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
    return True


def well_conditioned(root: Any) -> bool:
    """Whether all of a recorded graph is: every operation admissible, and the sum of all paths to every node bounded.

    That sum, Σ |∏ partials|, is what a relative error of one rounding in every input may amount to: the condition
    of the computation, with the cancellation that the derivative itself would hide.
    """
    for node in topological_order(root):
        if node.op is not None:
            operands = [x.data if isinstance(x, Value) else x for x in node.operands]
            if not admissible(node.op, operands, [isinstance(x, Value) for x in node.operands]):
                return False
    paths = propagate(root, partials=lambda node: [abs(p) for p in node.partials])
    return all(steepness <= STEEPEST for steepness in paths.values())


def repairs(op: Op, operands: Sequence[float]) -> Iterator[tuple[float, ...]]:
    """Give the operands, then what may help where they are not admissible: into the domains, apart, in order."""
    yield tuple(operands)
    inside = tuple(_into(x, *op.domains[i].bounds) if i < len(op.domains) else x for i, x in enumerate(operands))
    apart = tuple(x + 0.25 * (i + 1) for i, x in enumerate(inside))
    positive = tuple(abs(x) + 0.25 * (i + 1) for i, x in enumerate(operands))
    for tried in (inside, apart, positive, tuple(x / 8.0 for x in positive)):
        yield from permutations(tried) if len(tried) <= 3 else (tried, tuple(sorted(tried)))


def _into(x: float, low: float, high: float) -> float:
    """`x` itself where it is inside, else some number that is."""
    if low < x < high:
        return x
    if math.isfinite(high - low):
        return low + (high - low) * (0.5 + math.atan(x) / math.pi)
    return low + abs(x) + 0.25 if math.isfinite(low) else high - abs(x) - 0.25


def _around(operands: Sequence[float], moving: Sequence[bool]) -> Iterator[tuple[float, ...]]:
    yield tuple(operands)
    for i, x in enumerate(operands):
        if moving[i]:
            for step in (-ROOM, ROOM):
                yield (*operands[:i], x + step * max(1.0, abs(x)), *operands[i + 1 :])


def _kink(op: Op, operands: Sequence[float]) -> float:
    return 0.0 if op.kink is None else op.kink(*operands)
