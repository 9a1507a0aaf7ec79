"""The courses of strokes between the units of a network diagram, and free places for their numbers."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from autodiff.pictures.geometry import Box, Layout, Point

_CELL = 16.0  # points


def course(a: Box, b: Box, *, straight: bool, shift: float) -> tuple[Point, Point, Point, Point]:
    """Return control points from one unit to another, in a bow around whatever lies between."""
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


class Way:
    """A stroke along cubic Béziers (1 + 3n control points) as a dense row of points."""

    def __init__(self, points: Sequence[Point], width: float) -> None:
        self.points = [points[0]]
        for at in range(0, len(points) - 3, 3):
            n = max(8, int(math.dist(points[at], points[at + 3]) / 4))
            self.points += [_bezier(points[at : at + 4], k / n) for k in range(1, n + 1)]
        self.width = width


class Points:
    """The points of strokes by the cells that they lie in, so that only those near a place are looked at."""

    def __init__(self, ways: Iterable[Way]) -> None:
        self._cells: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
        self._furthest = 0.0  # that any stroke reaches beyond its points
        for way in ways:
            reach = way.width / 2 + 0.5
            self._furthest = max(self._furthest, reach)
            for x, y in way.points:
                self._cells.setdefault((int(x // _CELL), int(y // _CELL)), []).append((x, y, reach))

    def meet(self, box: Box) -> bool:
        """Return whether a stroke meets a box."""
        wide, tall = box.width / 2, box.height / 2
        columns, rows = (
            range(int((at - half - self._furthest) // _CELL), int((at + half + self._furthest) // _CELL) + 1)
            for at, half in ((box.x, wide), (box.y, tall))
        )
        for cell in itertools.product(columns, rows):
            for x, y, reach in self._cells.get(cell, ()):
                if abs(x - box.x) < wide + reach and abs(y - box.y) < tall + reach:
                    return True
        return False


class Places:
    """Free places for numbers, clear of units, strokes and other numbers."""

    def __init__(self, units: Iterable[Box], points: Points) -> None:
        self.taken = list(units)
        self.points = points

    def free(
        self, way: Way, size: tuple[float, float], side: float, off: Sequence[float] = (1.0, 7.0, 16.0)
    ) -> Point | None:
        """Return a free place for a text near a stroke's middle, at one of the distances `off`; None without one."""
        width, height = size
        last = len(way.points) - 1
        for away in off:
            for t in sorted(range(last // 8, last - last // 8), key=lambda t: abs(t - last / 2)):
                (x0, y0), (x, y), (x1, y1) = way.points[t - 1], way.points[t], way.points[t + 1]
                length = math.hypot(x1 - x0, y1 - y0) or 1.0
                nx, ny = -(y1 - y0) / length * side, (x1 - x0) / length * side
                by = abs(nx) * width / 2 + abs(ny) * height / 2 + way.width / 2 + away
                box = Box(x + nx * by, y + ny * by, width, height)
                if self.clear(box):
                    self.taken.append(box)
                    return box.x, box.y
        return None

    def clear(self, box: Box) -> bool:
        """Return whether nothing is there."""
        return not (self.points.meet(box) or any(_overlap(box, other) for other in self.taken))


def clear(at: Layout, sizes: Mapping[str, tuple[float, float]]) -> Layout:
    """Return a layout with numbers of edges and titles of groups off lines, borders and each other, if possible."""
    ways = {name: Way(curve.points, 2.0) for name, curve in at.edges.items()}
    sides = (side for box in at.clusters.values() for side in _sides(box))
    places = Places(at.nodes.values(), Points([*ways.values(), *sides]))
    titles = dict(at.labels)
    for name, group in at.clusters.items():
        if name in titles:
            (x, y), left, right = titles[name], group.x - group.width / 2, group.x + group.width / 2
            width = 2 * (x - left)
            steps = (Box(left + width / 2 + 12.0 * k, y, width - 8.0, 9.0) for k in range(int((right - x) / 12.0)))
            places.taken.append(next(filter(places.clear, steps), Box(x, y, width, 9.0)))
            titles[name] = places.taken[-1].x, y
    edges = dict(at.edges)
    own = {name: Box(*label, *sizes[name]) for name, curve in edges.items() if (label := curve.label) and name in sizes}
    for name, box in own.items():
        others = [other for key, other in own.items() if key != name]
        free = Places([*places.taken, *others], places.points)
        if not free.clear(box):
            x, y = free.free(ways[name], sizes[name], 1.0) or free.free(ways[name], sizes[name], -1.0) or box[:2]
            edges[name], own[name] = edges[name]._replace(label=(x, y)), box._replace(x=x, y=y)
    return at._replace(edges=edges, labels=titles)


def _sides(box: Box) -> Iterator[Way]:
    left, right = box.x - box.width / 2, box.x + box.width / 2
    top, bottom = box.y - box.height / 2, box.y + box.height / 2
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    for one, other in zip(corners, [*corners[1:], corners[0]], strict=True):
        yield Way([one, one, other, other], 1.0)


def _edge_of(box: Box, towards: Point) -> Point:
    """Return the point where a line from a unit's centre leaves the unit."""
    dx, dy = towards[0] - box.x, towards[1] - box.y
    if box.width == box.height:
        reach = (box.width / 2 + 1) / (math.hypot(dx, dy) or 1.0)
    else:
        reach = min(each for each in (_ratio(box.width / 2 + 1, dx), _ratio(box.height / 2 + 1, dy)))
    return box.x + dx * reach, box.y + dy * reach


def _ratio(a: float, b: float) -> float:
    return a / abs(b) if b else math.inf


def towards(a: Point, b: Point, by: float) -> Point:
    """Return the point at the distance `by` from `a` towards `b`."""
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
