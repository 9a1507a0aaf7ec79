"""A picture before it is DOT text: nodes, edges and groups, possibly pinned to places."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from autodiff.pictures.geometry import Alike, Layout, Point, layout
from autodiff.pictures.legends import ROW
from autodiff.pictures.picture import Picture
from autodiff.pictures.rendering import Source
from autodiff.pictures.strokes import clear
from autodiff.pictures.style import FONT, Theme, font, markup, quoted, shorten
from autodiff.wording import say

_INCH, _ENDLESS = 72.0, 1e6  # points
_LENGTHS = frozenset({"fontsize", "penwidth", "arrowsize", "width", "height", "margin", "nodesep", "ranksep"})
_LENGTH = re.compile(r'(POINT-SIZE|WIDTH|HEIGHT|CELLPADDING)="(\d+)"')  # quotes in a user's text are entities

_TAG = re.compile("<[^>]*>")

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
    zoom: float = 1.0  # of everything in it
    rows: list[list[str]] = field(default_factory=list[list[str]])  # names of nodes in a row, one above the other
    alike: list[Alike] = field(default_factory=list[Alike])  # nodes that stand in this order, left to right
    legend: str = ""
    caption: str = ""
    pins: Layout | None = None

    def fitted(self, zoom: float, width: float | None, height: float | None) -> "Scene":
        """Return the scene with all its lengths `zoom` times as long, to be scaled down where it exceeds its room."""
        graph = dict(self.graph)
        if width or height:
            graph["size"] = ",".join(f"{(side or _ENDLESS) / _INCH:.4f}" for side in (width, height))
        if zoom == 1.0:
            return replace(self, graph=graph)

        def longer(each: Any) -> Any:
            return each._replace(label=_longer(each.label, zoom), attributes=_zoomed(each.attributes, zoom))

        nodes, edges = list(map(longer, self.nodes)), list(map(longer, self.edges))
        pins = None if self.pins is None else self.pins.zoomed(zoom)
        legend, graph = _longer(self.legend, zoom), _zoomed(graph, zoom)
        return replace(self, graph=graph, nodes=nodes, edges=edges, legend=legend, zoom=zoom, pins=pins)

    def repeated(self, name: str, row: int, lines: Sequence[str], called: str) -> str:
        """Return the name of a node in a row where it does not stand: a small dashed card of these lines there."""
        name += f"r{row}"
        if name not in self.rows[row]:
            self.rows[row].insert(0, name)
            self.nodes.append(Node(name, f"<{font('<BR/>'.join(lines), self.theme.muted, 12)}>", {
                "shape": "box", "style": "rounded,dashed", "margin": "0.08,0.04", "color": self.theme.muted,
                "tooltip": quoted(called, say("tip.repeated")), "class": "repeated",
            }))  # fmt: skip
        return name

    def placed(self, timeout: float) -> Layout:
        """Return Graphviz's places for everything, with the numbers of edges clear of lines where there is room."""
        if self.pins is not None:
            return self.pins
        sizes = {edge.id: (6.6 * self.zoom * len(_TAG.sub("", edge.label)), 9.0 * self.zoom) for edge in self.edges}
        found = layout(Source(self.picture().source), timeout=timeout)
        if self.graph.get("rankdir") == "LR":
            found = self._inputs_first(found).in_order(self.alike, down=False)
        return clear(found, sizes)

    def _inputs_first(self, found: Layout) -> Layout:
        """Return the layout of a single neuron upside down where its inputs stand below its parameters."""
        kinds = ("leaf input", "leaf parameter")
        inputs, parameters = (
            [found.nodes[node.name].y for node in self.nodes if node.attributes["class"].startswith(kind)]
            for kind in kinds
        )
        groups = sorted({node.path for node in self.nodes if node.path})
        single = all(inner[: len(outer)] == outer for outer, inner in itertools.pairwise(groups))
        if not (inputs and parameters and groups and single):
            return found
        return found.upended() if sum(inputs) / len(inputs) > sum(parameters) / len(parameters) else found

    def picture(self) -> Picture:
        """Return the scene as DOT text."""
        theme = self.theme
        pins = self.pins
        graph = {"bgcolor": theme.paper, "fontname": FONT, "fontsize": "11", "fontcolor": theme.muted, "pad": "0.2",
                 "tooltip": " ", **self.graph, **({} if pins is None else _pinned_graph(pins))}  # fmt: skip
        node = {"fontname": FONT, "fontsize": "13", "fontcolor": theme.ink, "height": "0.3", "width": "0.3"}
        edge = {"fontname": FONT, "fontsize": "11", "fontcolor": theme.muted, "color": theme.stroke, "arrowsize": "0.7"}
        dot: Any = Picture(graph_attr=graph, node_attr=_zoomed(node, self.zoom), edge_attr=_zoomed(edge, self.zoom))
        if pins is None and len(self.rows) > 1:
            self._in_rows(dot)
        inside: dict[Path, list[Node]] = {(): []}
        for node in self.nodes:
            for depth in range(len(node.path)):
                inside.setdefault(node.path[: depth + 1], [])
            inside[node.path].append(node)
        if self.graph.get("rankdir") == "TB":  # Graphviz turns the order of a rank round in LR
            inside = {path: each[::-1] for path, each in reversed(inside.items())}
        self._fill(dot, (), inside, _children(inside), {path: f"cluster_{i}" for i, path in enumerate(inside)})
        for edge in self.edges:
            attributes = {**edge.attributes, **self.pinned_edge(edge.id)}
            dot.edge(edge.tail, edge.head, edge.label or None, id=edge.id, **attributes)
        for name, label, pos in () if pins is None else self.around(pins):
            dot.node(name, label, shape="plaintext", pos=pos, tooltip=" ", **{"class": name})
        if self.legend and (pins is None or "" in pins.labels):
            dot.attr(label=f"<{self.legend}>", labelloc="b", labeljust="c")
        if pins is None and any(edge.label for edge in self.edges):
            dot.place(self._placed_source)
        return dot

    def _placed_source(self, timeout: float) -> str:
        return replace(self, pins=self.placed(timeout)).picture().source

    def _in_rows(self, dot: Any) -> None:
        """Put the rows above each other, in boxes without a frame, which Graphviz stacks from below as they come."""
        upward = self.graph["rankdir"] == "LR"
        for i, row in sorted(enumerate(self.rows), reverse=upward):
            with dot.subgraph(name=f"cluster_row{i}", graph_attr={"peripheries": "0", "label": ""}) as group:
                for name in row:
                    group.node(name)

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
            below = self.zoom * (-16 - 14 * self.legend.count(ROW))
            yield "legend", f"<{self.legend}>", f"{pins.width / 2:.2f},{below:.2f}"
        if self.caption:
            yield "caption", f"<{self.caption}>", f"{pins.width / 2:.2f},{pins.height + 20:.2f}"

    def _fill(
        self, dot: Any, path: Path, inside: Mapping[Path, Sequence[Node]], children: Mapping[Path, Sequence[Path]],
        names: Mapping[Path, str],
    ) -> None:  # fmt: skip
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
            graph = _zoomed(graph, self.zoom)
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


def _zoomed(attributes: Attributes, zoom: float) -> dict[str, str]:
    return {
        key: ",".join(f"{float(each) * zoom:.4g}" for each in value.split(",")) if key in _LENGTHS else value
        for key, value in attributes.items()
    }


def _longer(label: str, zoom: float) -> str:
    return _LENGTH.sub(lambda found: f'{found[1]}="{round(float(found[2]) * zoom) or 1}"', label)


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
