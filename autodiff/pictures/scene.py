"""A picture before it is DOT text: nodes, edges and groups, possibly pinned to places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from autodiff.pictures.geometry import Layout, Point
from autodiff.pictures.legends import ROW
from autodiff.pictures.picture import Picture
from autodiff.pictures.style import FONT, Theme, markup, shorten

Attributes = Mapping[str, str]
Path = tuple[str, ...]


class Node(NamedTuple):
    """A node in the group `path`."""

    name: str
    label: str
    attributes: Attributes
    path: Path = ()


class Edge(NamedTuple):
    """An edge between two nodes, by name; `id` distinguishes edges between the same two."""

    id: str
    tail: str
    head: str
    label: str
    attributes: Attributes


@dataclass
class Scene:
    """Everything in a picture. `legend` is the label below it, `caption` a line above a pinned one."""

    theme: Theme
    graph: Attributes = field(default_factory=dict[str, str])
    nodes: list[Node] = field(default_factory=list[Node])
    edges: list[Edge] = field(default_factory=list[Edge])
    legend: str = ""
    caption: str = ""
    pins: Layout | None = None

    def picture(self) -> Picture:
        """Return the scene as DOT text."""
        theme = self.theme
        pins = self.pins
        graph = {"bgcolor": theme.paper, "fontname": FONT, "fontsize": "11", "fontcolor": theme.muted, "pad": "0.2",
                 "tooltip": " ", **self.graph, **({} if pins is None else _pinned_graph(pins))}  # fmt: skip
        dot: Any = Picture(
            graph_attr=graph,
            node_attr={"fontname": FONT, "fontsize": "13", "fontcolor": theme.ink, "height": "0.3", "width": "0.3"},
            edge_attr={"fontname": FONT, "fontsize": "11", "fontcolor": theme.muted, "color": theme.stroke,
                       "arrowsize": "0.7"},
        )  # fmt: skip
        inside: dict[Path, list[Node]] = {(): []}
        for node in self.nodes:
            for depth in range(len(node.path)):
                inside.setdefault(node.path[: depth + 1], [])
            inside[node.path].append(node)
        self._fill(dot, (), inside, _children(inside), {path: f"cluster_{i}" for i, path in enumerate(inside)})
        for edge in self.edges:
            attributes = {**edge.attributes, **self.pinned_edge(edge.id)}
            dot.edge(edge.tail, edge.head, edge.label or None, id=edge.id, **attributes)
        if pins is not None:
            for name, label, pos in self.around(pins):
                dot.node(name, label, shape="plaintext", pos=pos, tooltip=" ", **{"class": name})
        if self.legend and (pins is None or "" in pins.labels):
            dot.attr(label=f"<{self.legend}>", labelloc="b", labeljust="c")
        return dot

    def pinned_node(self, name: str) -> dict[str, str]:
        """Return the attributes that pin a node to its place, if it has one."""
        if self.pins is None or name not in self.pins.nodes:
            return {}
        box, height = self.pins.nodes[name], self.pins.height
        size = {"width": f"{box.width / 72:.4f}", "height": f"{box.height / 72:.4f}"}
        return {"pos": _at((box.x, box.y), height), **size}

    def pinned_edge(self, name: str) -> dict[str, str]:
        """Return the attributes that pin an edge to its place, if it has one."""
        if self.pins is None or name not in self.pins.edges:
            return {}
        curve, height = self.pins.edges[name], self.pins.height
        ends = [f"{end},{_at(tip, height)}" for end, tip in (("s", curve.tail), ("e", curve.head)) if tip is not None]
        pos = " ".join([*ends, *(_at(point, height) for point in curve.points)])
        return {"pos": pos} | ({} if curve.label is None else {"lp": _at(curve.label, height)})

    def around(self, pins: Layout) -> Iterator[tuple[str, str, str]]:
        """Yield caption and legend of a pinned picture: name, label and place of each."""
        if self.legend and "" not in pins.labels:
            yield "legend", f"<{self.legend}>", f"{pins.width / 2:.2f},{-16 - 14 * self.legend.count(ROW)}"
        if self.caption:
            yield "caption", f"<{self.caption}>", f"{pins.width / 2:.2f},{pins.height + 20:.2f}"

    def _fill(
        self,
        dot: Any,
        path: Path,
        inside: Mapping[Path, Sequence[Node]],
        children: Mapping[Path, Sequence[Path]],
        names: Mapping[Path, str],
    ) -> None:
        for node in inside[path]:
            dot.node(node.name, node.label, id=node.name, **{**node.attributes, **self.pinned_node(node.name)})
        for child in children.get(path, ()):
            name, theme = names[child], self.theme
            depth = min(len(child), len(theme.groups)) - 1
            graph = {
                "label": f"<{markup(shorten(child[-1]))}>", "id": name, "class": "group", "style": "rounded,filled",
                "fillcolor": theme.groups[depth], "color": theme.group_stroke, "fontsize": "12", "labeljust": "l",
                "margin": "10", "tooltip": " ",
            }  # fmt: skip
            if self.pins is not None and name in self.pins.clusters:
                graph |= _pinned_group(name, self.pins)
            with dot.subgraph(name=name, graph_attr=graph) as group:
                self._fill(group, child, inside, children, names)


def _children(paths: Mapping[Path, Any]) -> dict[Path, list[Path]]:
    below: dict[Path, list[Path]] = {}
    for path in paths:
        if path:
            below.setdefault(path[:-1], []).append(path)
    return below


def _at(point: Point, height: float) -> str:
    return f"{point[0]:.2f},{height - point[1]:.2f}"  # in DOT y runs upward


def _pinned_graph(pins: Layout) -> dict[str, str]:
    graph = {"layout": "nop2", "bb": f"0,0,{pins.width:.2f},{pins.height:.2f}"}
    return graph | ({"lp": _at(pins.labels[""], pins.height)} if "" in pins.labels else {})


def _pinned_group(name: str, pins: Layout) -> dict[str, str]:
    box = pins.clusters[name]
    low = _at((box.x - box.width / 2, box.y + box.height / 2), pins.height)
    high = _at((box.x + box.width / 2, box.y - box.height / 2), pins.height)
    return {"bb": f"{low},{high}"} | ({"lp": _at(pins.labels[name], pins.height)} if name in pins.labels else {})
