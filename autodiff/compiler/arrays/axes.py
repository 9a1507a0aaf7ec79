"""Lists of places as nests of arithmetic progressions: the axes that an array has for each of its operands.

The places of a group's operands in an array are often start + Σ strideₖ · iₖ, over a few indices iₖ. Such an operand is
a view of the array, with a stride for each axis; a stride of 0 spreads a number over an axis. Tokens, windows and steps
in time are axes of this kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

Units = tuple[int, ...]  # the shape of what an array holds of one sample

MOST = 8  # axes: more than this gain nothing over a copy

Nest = tuple[Units, Units]  # the sizes of the axes, and their strides


def nest(places: Any) -> Nest | None:
    """Return the axes of a list of places, as few as there are; None where it has none or a stride is negative.

    >>> nest([4, 5, 6, 7]), nest([0, 0, 3, 3, 6, 6]), nest([0, 1, 2, 5, 6, 7, 0, 1, 2, 5, 6, 7])
    (((4,), (1,)), ((3, 2), (3, 0)), ((2, 2, 3), (0, 5, 1)))
    >>> nest([0, 1, 3, 4, 8])
    """
    left = np.asarray(places, dtype=np.intp)
    sizes: list[int] = []
    strides: list[int] = []
    while len(left) > 1:
        steps = np.diff(left)
        stride = int(steps[0])
        breaks = np.flatnonzero(steps != stride) + 1
        size = int(np.gcd.reduce(breaks, initial=len(left)))
        if size == 1 or stride < 0 or len(sizes) == MOST:
            return None
        sizes.insert(0, size)
        strides.insert(0, stride)
        left = left[::size]
    return (tuple(sizes), tuple(strides)) if sizes else ((1,), (1,))


def contiguous(units: Units) -> Units:
    """Return the strides of units in C order."""
    return tuple(math.prod(units[i + 1 :]) for i in range(len(units)))


def ends(sizes: Units) -> set[int]:
    """Return how many entries lie in an axis and those after it, for each axis."""
    return {int(x) for x in np.multiply.accumulate(sizes[::-1])}


def shape_of(cuts: Iterable[int]) -> Units | None:
    """Return the sizes of axes that end at all these numbers of entries; None where one does not divide the next.

    >>> shape_of({3, 6, 24}), shape_of({2, 3, 6})
    ((4, 2, 3), None)
    """
    inside, sizes = 1, list[int]()
    for end in sorted(cuts):
        if end % inside:
            return None
        if end > 1:
            sizes.insert(0, end // inside)
        inside = end
    return tuple(sizes) or (1,)


def refined(own: Nest, sizes: Units) -> Units:
    """Return the strides of a nest for axes that are finer than its own.

    >>> refined(((2, 12), (100, 1)), (2, 3, 4))
    (100, 4, 1)
    """
    axes = list(zip(*own, strict=True))
    inside, stride = axes.pop()
    strides: list[int] = []
    for size in reversed(sizes):
        if inside == 1 and axes:
            inside, stride = axes.pop()
        strides.insert(0, stride)
        inside, stride = inside // size, stride * size
    return tuple([s if n > 1 else c for s, n, c in zip(strides, sizes, contiguous(sizes), strict=True)])


def strides_of(places: Any, units: Units) -> Units | None:
    """Return the strides of places for exactly these axes; None where they are not evenly spaced, or backward."""
    own = nest(places)
    cuts = ends(units) | ends(own[0]) if own else set[int]()
    return refined(own, units) if own and shape_of(cuts) == (tuple(n for n in units if n > 1) or (1,)) else None


def places_of(start: Any, strides: Units | None, units: Sequence[int]) -> Any:
    """Return the places of a view in its array, in its own shape; `start` holds them where there are no strides."""
    if strides is None:
        return np.asarray(start)
    at = np.full((), start)
    for stride, size in zip(strides, units, strict=True):
        at = at[..., None] + stride * np.arange(size)
    return at
