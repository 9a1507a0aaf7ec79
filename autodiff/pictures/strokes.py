"""The ways of strokes between the units of a network diagram, and free places for their numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from autodiff.pictures.geometry import Box, Point


def course(a: Box, b: Box, *, straight: bool, shift: float) -> tuple[Point, Point, Point, Point]:
    """Control points of the way between two units; past what lies between in a bow."""
    dx, dy = b.x - a.x, b.y - a.y
    length = math.hypot(dx, dy) or 1.0
    bow = 0.0 if straight else 0.25 * length
    ux, uy = -dy / length * bow, -abs(dx) / length * bow
    one, two = (a.x + dx / 3 + ux, a.y + dy / 3 + uy), (b.x - dx / 3 + ux, b.y - dy / 3 + uy)
    start, end = _edge_of(a, one), _edge_of(b, two)
    if straight:
        one, two = towards(start, end, math.dist(start, end) / 3), towards(end, start, math.dist(start, end) / 3)
    side = -dy / length * shift, dx / length * shift
    first, second, third, fourth = ((x + side[0], y + side[1]) for x, y in (start, one, two, end))
    return first, second, third, fourth


class Places:
    """Where there is room for numbers: not on what is `taken` already."""

    def __init__(self, taken: Iterable[Box]) -> None:
        self.taken = list(taken)

    def free(self, points: Sequence[Point], width: float, side: float) -> Point:
        """A place on a curve for its number, or beside it, as far as possible from the others."""
        (x0, y0), (x1, y1) = points[0], points[-1]
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        aside = -(y1 - y0) / length * side * (width / 2 - 1), (x1 - x0) / length * side * 6.0
        best: tuple[float, Box] | None = None
        for t in (0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.78):
            x, y = _bezier(points, t)
            box = Box(x + aside[0], y + aside[1], width, 14.0)
            cost = sum(_overlap(box, other) for other in self.taken)
            if best is None or cost < best[0]:
                best = cost, box
            if not cost:
                break
        assert best is not None  # there are candidates
        self.taken.append(best[1])
        return best[1].x, best[1].y


def _edge_of(box: Box, towards: Point) -> Point:
    """Where the way from a unit's centre leaves it."""
    dx, dy = towards[0] - box.x, towards[1] - box.y
    if box.width == box.height:
        reach = (box.width / 2 + 1) / (math.hypot(dx, dy) or 1.0)
    else:
        reach = min(each for each in (_ratio(box.width / 2 + 1, dx), _ratio(box.height / 2 + 1, dy)))
    return box.x + dx * reach, box.y + dy * reach


def _ratio(a: float, b: float) -> float:
    return a / abs(b) if b else math.inf


def towards(a: Point, b: Point, by: float) -> Point:
    """The point so far from `a` on the way to `b`."""
    length = math.hypot(b[0] - a[0], b[1] - a[1]) or 1.0
    return a[0] + (b[0] - a[0]) / length * by, a[1] + (b[1] - a[1]) / length * by


def _bezier(points: Sequence[Point], t: float) -> Point:
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    x, y = (sum(w * p[i] for w, p in zip(weights, points, strict=True)) for i in (0, 1))
    return x, y


def _overlap(a: Box, b: Box) -> float:
    x = (a.width + b.width) / 2 - abs(a.x - b.x)
    y = (a.height + b.height) / 2 - abs(a.y - b.y)
    return x * y if x > 0 and y > 0 else 0.0
