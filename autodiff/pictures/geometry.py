"""The laid-out picture as numbers, for drawing it by other means than Graphviz."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from autodiff.backward import topological_order
from autodiff.errors import RenderError
from autodiff.pictures import rendering
from autodiff.pictures.rendering import HasSource
from autodiff.value import Value

Point = tuple[float, float]
_INCH = 72.0  # points


class Box(NamedTuple):
    """A rectangle by its centre, in points; y runs downward, as in SVG."""

    x: float
    y: float
    width: float
    height: float


class Curve(NamedTuple):
    """An edge: control points of cubic Béziers (1 + 3n of them) from tail to head, and the centre of its label.

    `tail` and `head` are the tips of the arrowheads at its ends, None for an end without one.
    """

    points: tuple[Point, ...]
    tail: Point | None = None
    head: Point | None = None
    label: Point | None = None

    def begun(self, dx: float, dy: float) -> Curve:
        """Return the curve with its beginning moved."""
        first, second, *rest = ((x + dx * (i < 2), y + dy * (i < 2)) for i, (x, y) in enumerate(self.points))
        return self._replace(points=(first, second, *rest), tail=self.tail and (self.tail[0] + dx, self.tail[1] + dy))


Alike = Sequence[tuple[str, Sequence[str]]]  # nodes that may change places, each with its edges, to the same heads


class Layout(NamedTuple):
    """A laid-out picture, in points; (0, 0) is its top left corner.

    `nodes` and `clusters` are boxes by their names in the DOT text, `edges` curves by their `id`; `labels` has the
    centre of each cluster's label, and under "" that of the picture's.
    """

    width: float
    height: float
    nodes: Mapping[str, Box]
    edges: Mapping[str, Curve]
    clusters: Mapping[str, Box]
    labels: Mapping[str, Point]

    def in_order(self, alike: Iterable[Alike], *, down: bool) -> Layout:
        """Return the layout with nodes that are alike in the order given, where they stand in one rank.

        Graphviz chooses an order of its own inside groups. A node and its edges take the places of another's.
        """
        nodes, edges = dict(self.nodes), dict(self.edges)
        for several in alike:
            ranks: dict[int, list[tuple[str, Sequence[str]]]] = {}
            for each in several:
                ranks.setdefault(round(self.nodes[each[0]][down]), []).append(each)
            for rank in ranks.values():
                places = sorted(rank, key=lambda each: self.nodes[each[0]][not down])
                for (name, own), (place, others) in zip(rank, places, strict=True):
                    box, there = self.nodes[name], self.nodes[place]
                    nodes[name] = box._replace(x=there.x, y=there.y)
                    longer = (box.height - there.height) / 2 if down else (box.width - there.width) / 2
                    for edge, other in zip(own, others, strict=True):
                        edges[edge] = self.edges[other].begun(*((0.0, longer) if down else (longer, 0.0)))
        return self._replace(nodes=nodes, edges=edges)

    def upended(self) -> Layout:
        """Return the layout upside down, with the titles of groups inside groups above what is in them, as before."""
        boxes = [*self.nodes.values(), *self.clusters.values()]
        foot = max(box.y + box.height / 2 for box in boxes)  # below it is the legend
        groups = self.clusters
        outermost = sorted(groups, key=lambda name: groups[name].height)
        titles = {name: self.labels[name][1] - groups[name].y + groups[name].height / 2 for name in outermost}
        rises = dict(zip(outermost, itertools.accumulate(2 * titles[name] for name in outermost), strict=True))
        down = max([0.0, *(rises[name] - foot + groups[name].y + groups[name].height / 2 for name in rises)])

        def up(point: Point | None) -> Any:
            return point and (point[0], foot - point[1] + down)

        nodes = {name: box._replace(y=foot - box.y + down) for name, box in self.nodes.items()}
        edges = {name: Curve(tuple(map(up, curve.points)), *map(up, curve[1:])) for name, curve in self.edges.items()}
        clusters = {name: box._replace(y=foot - box.y + down - rises[name]) for name, box in self.clusters.items()}
        labels = {name: (x, y + down) for name, (x, y) in self.labels.items()}
        for name, box in clusters.items():
            labels[name] = labels[name][0], box.y - box.height / 2 + titles[name]
        return Layout(self.width, self.height + down, nodes, edges, clusters, labels)

    def zoomed(self, by: float) -> Layout:
        """Return the layout with all lengths multiplied."""

        def at(point: Point | None) -> Any:
            return point and (point[0] * by, point[1] * by)

        def boxes(found: Mapping[str, Box]) -> dict[str, Box]:
            return {name: Box(*(length * by for length in box)) for name, box in found.items()}

        edges = {name: Curve(tuple(map(at, curve.points)), *map(at, curve[1:])) for name, curve in self.edges.items()}
        labels = {name: at(point) for name, point in self.labels.items()}
        return Layout(self.width * by, self.height * by, boxes(self.nodes), edges, boxes(self.clusters), labels)


def layout(picture: HasSource, *, timeout: float = rendering.TIMEOUT) -> Layout:
    """Lay out a picture of `draw` with the Graphviz that `render` would use, and return the positions.

    Edges without an `id` are left out. Raises RenderError when there is no Graphviz, or no layout within `timeout`
    seconds.

    >>> from autodiff import draw
    >>> x = Value(2.0, "x")
    >>> y = 3.0 * x
    >>> placed = layout(draw(y))
    >>> sorted(placed.nodes), sorted(placed.edges)
    (['n0', 'n0c0', 'n1'], ['c0_0', 'f0_1'])
    >>> placed.nodes["n1"].x < placed.nodes["n0"].x  # operands stand left of results
    True
    """
    made = rendering.image_of(picture, "json0", timeout)
    try:
        graph: dict[str, Any] = json.loads(made)
    except ValueError as error:
        raise RenderError(
            f"Graphviz must lay out in JSON, got other text ({error}); is its `dot` another program?"
        ) from error
    left, bottom, right, top = _numbers(graph["bb"])

    def down(text: str) -> Point:
        x, y = _numbers(text)
        return x - left, top - y

    objects: list[dict[str, Any]] = graph.get("objects", [])
    nodes = {
        each["name"]: Box(*down(each["pos"]), float(each["width"]) * _INCH, float(each["height"]) * _INCH)
        for each in objects
        if "pos" in each
    }
    clusters: dict[str, Box] = {}
    for each in objects:
        if each.get("bb"):
            x0, y0, x1, y1 = _numbers(each["bb"])
            clusters[each["name"]] = Box((x0 + x1) / 2 - left, top - (y0 + y1) / 2, x1 - x0, y1 - y0)
    edges: dict[str, Curve] = {}
    for each in graph.get("edges", []):
        if each.get("id") and each.get("pos"):
            ends: dict[str, Point] = {}
            points: list[Point] = []
            for part in each["pos"].split():
                if part[:2] in {"s,", "e,"}:
                    ends[part[0]] = down(part[2:])
                else:
                    points.append(down(part))
            at = down(each["lp"]) if "lp" in each else None
            edges[each["id"]] = Curve(tuple(points), ends.get("s"), ends.get("e"), at)
    labels = {each["name"]: down(each["lp"]) for each in objects if each["name"] in clusters and "lp" in each}
    if "lp" in graph:
        labels[""] = down(graph["lp"])
    return Layout(right - left, top - bottom, nodes, edges, clusters, labels)


def node_names(root: Value) -> dict[Value, str]:
    """Return the names of the nodes in `draw(..., detail="operations")`: "n0" is the root, topological order follows.

    The constant at place 1 of n4 is "n4c1". The edges there have the ids "c4_1" (from the constant), "f4_1" (forward,
    from the operand at place 1) and "b4_1" (the δ that flows back to it).

    >>> x = Value(2.0, "x")
    >>> [(name, node.label) for node, name in node_names(x * x).items()]
    [('n0', ''), ('n1', 'x')]
    """
    return {node: f"n{i}" for i, node in enumerate(topological_order(root))}


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]
