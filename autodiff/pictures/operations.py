"""The picture of every operation: nodes with value and δ, edges with local partials, and δ flowing back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from autodiff.pictures import legends, style
from autodiff.pictures.effort import FAR, haste, ranks_crossed, ranksep
from autodiff.pictures.labels import Labels
from autodiff.pictures.scene import Edge, Node, Scene
from autodiff.pictures.style import Role, Theme, font, markup, pill, quoted, shorten
from autodiff.pictures.sweeping import State, Use, uses
from autodiff.value import Value

Direction = Literal["forward", "backward", "both"]
RankDir = Literal["LR", "TB"]

_CROWD = 500  # edges; with more, their numbers are in tooltips alone, since placing them is most of the layout


class Look(NamedTuple):
    """The look of a picture, the same for all details."""

    theme: Theme
    show: Callable[[float], str]
    brief: Callable[[float], str]  # where room is scarce
    direction: Direction
    rankdir: RankDir
    labels: Labels


def operations(nodes: Sequence[Value], state: State, look: Look) -> Scene:
    """Draw all `nodes`, given in topological order, as they are in `state`."""
    return _Operations(nodes, state, look).scene


class _Operations:
    """The scene in the making."""

    def __init__(self, nodes: Sequence[Value], state: State, look: Look) -> None:
        self.state, self.look, self.theme, self.show = state, look, look.theme, look.show
        self.names = {node: f"n{i}" for i, node in enumerate(nodes)}
        self.paths = _groups(nodes, look.labels)
        self.roles: set[Role] = set()
        edges = [use for node in nodes for use in uses(node)]
        self.crowded = len(edges) > _CROWD or ranks_crossed(edges) > FAR
        room = {"nodesep": "0.3", "ranksep": f"{ranksep(nodes):.2f}"}
        self.scene = Scene(look.theme, {"rankdir": look.rankdir, **room, **haste(edges)})
        self.scale = style.Scale(map(state.final_gain, edges))
        for node in nodes:
            self.node(node)
        for use in edges:
            if look.direction != "backward":
                self.forward(use)
            if look.direction != "forward":
                self.backward(use)
        if not edges and "constant" not in self.roles:
            return
        alarm = any(self.theme.alarm.ink in edge.attributes.values() for edge in self.scene.edges) or any(
            self.theme.alarm.ink in node.attributes.values() for node in self.scene.nodes
        )
        self.scene.legend = legends.of_operations(
            look.theme, look.direction, self.roles, state, self.scale, look.brief, alarm=alarm, crowded=self.crowded
        )

    def node(self, node: Value) -> None:
        """Draw a node, and its constants: small, one for each use."""
        theme, labels = self.theme, self.look.labels
        name, delta, role = self.names[node], self.state.deltas.get(node), labels.role(node)
        self.roles.add(role)
        alarm = theme.alarm in {theme.tone(node.data), theme.tone(delta)}
        fill, color = (theme.alarm.paper, theme.alarm.ink) if alarm else theme.card(role)
        active = node in self.state.active
        label = labels.full(node)
        tip = [label] * bool(label.strip()) + [f"operation: {node.op.name}" if node.op is not None else role]
        tip += [f"value: {node.data!r}", "δ: not yet swept" if delta is None else f"δ: {delta!r}"]
        self.scene.nodes.append(Node(name, f"<{self.card(node, delta)}>", {
            "shape": "box", "style": "filled" if role == "parameter" else "rounded,filled", "margin": "0.08,0.04",
            "color": theme.active if active else color, "fillcolor": fill, "tooltip": quoted(*tip),
            "penwidth": "3.5" if active else "2" if alarm else "1.3",
            "class": f"{'leaf' if node.op is None else 'operation'} {role} {theme.tone(delta).name}",
        }, self.paths[node]))  # fmt: skip
        if self.look.direction == "backward":
            return  # δ does not flow to constants
        for place, x in enumerate(node.operands):
            if x.__class__ is float:
                self.constant(node, place, x)

    def constant(self, node: Value, place: int, x: float) -> None:
        theme, name = self.theme, self.names[node]
        self.roles.add("constant")
        ink = theme.alarm.ink if theme.tone(x) is theme.alarm else theme.muted
        self.scene.nodes.append(Node(f"{name}c{place}", f"<{markup(self.show(x))}>", {
            "shape": "plaintext", "fontsize": "12", "fontcolor": ink, "margin": "0.04", "height": "0.2",
            "width": "0.2", "tooltip": quoted(f"constant: {x!r}"), "class": "constant",
        }, self.paths[node]))  # fmt: skip
        self.scene.edges.append(Edge(f"c{name[1:]}_{place}", f"{name}c{place}", name, "", {
            "arrowsize": "0.5", "style": "dotted", "tooltip": " ", "class": "constant",
        }))  # fmt: skip

    def card(self, node: Value, delta: float | None) -> str:
        """Return the table inside a node: the operation's symbol, then name, value and δ below each other."""
        theme = self.theme
        name = shorten(self.look.labels.name(node))
        rows = [f"<B>{markup(name)}</B>"] if name else []
        alarm = theme.tone(node.data) is theme.alarm
        rows.append(font(markup(self.show(node.data)), theme.alarm.ink if alarm else theme.ink))
        room = len(f"δ {self.show(self.state.outcome[node])}") if node in self.state.outcome else 0
        rows.append(pill(theme, self.delta_text(node, delta), delta, room=room))
        cells = [f"<TD>{row}</TD>" for row in rows]
        if node.op is not None:
            symbol = font(markup(style.symbol(node.op.symbol)), theme.muted, 17)
            cells[0] = f'<TD ROWSPAN="{len(rows)}" CELLPADDING="5">{symbol}</TD>{cells[0]}'
        table = "".join(f"<TR>{cell}</TR>" for cell in cells)
        return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{table}</TABLE>'

    def delta_text(self, node: Value, delta: float | None) -> str:
        if delta is None:
            return "δ –"
        return f"δ {self.show(delta)}{' +…' if node in self.state.growing else ''}"

    def forward(self, use: Use) -> None:
        alarm = self.theme.tone(use.partial) is self.theme.alarm
        ink = {"color": self.theme.alarm.ink, "fontcolor": self.theme.alarm.ink} if alarm else {}
        tip = f"∂{self.look.labels.call(use.consumer)}/∂{self.look.labels.call(use.operand)} = {use.partial!r}"
        self.edge(use, f"∂ {self.show(use.partial)}", tip, "forward", **ink)

    def backward(self, use: Use) -> None:
        """Draw the gain in δ of the operand through this edge, as a second stroke against the first."""
        gain = self.state.gain(use)
        tone = self.theme.tone(gain)
        label = "δ·∂ –" if gain is None else f"δ·∂ {self.show(gain)}"
        operand, consumer = map(self.look.labels.call, (use.operand, use.consumer))
        tip = f"to δ of {operand}: δ of {consumer} × {use.partial!r}"
        self.edge(
            use, label, tip if gain is None else f"{tip} = {gain!r}", f"backward {tone.name}",
            dir="back", color=tone.ink, fontcolor=tone.ink, style=tone.stroke, penwidth=f"{self.scale.width(gain):g}",
        )  # fmt: skip

    def edge(self, use: Use, label: str, tip: str, kind: str, **attributes: str) -> None:
        tip = quoted(tip)
        attributes |= {"tooltip": tip, "labeltooltip": tip, "class": kind}
        clear = (
            "" if self.crowded else f'<<TABLE BORDER="0" CELLPADDING="3"><TR><TD>{markup(label)}</TD></TR></TABLE>>'
        )  # of its own stroke
        consumer, group = self.names[use.consumer], self.paths[use.consumer]
        if group and group != self.paths[use.operand]:  # so that groups stand beside each other, with their own leaves
            attributes["minlen"] = "2"
        self.scene.edges.append(
            Edge(f"{kind[0]}{consumer[1:]}_{use.place}", self.names[use.operand], consumer, clear, attributes)
        )


def _groups(nodes: Sequence[Value], labels: Labels) -> dict[Value, tuple[str, ...]]:
    """Return the group of each node: that of its dotted label, or for an operation without a label its consumers'."""
    groups: dict[Value, tuple[str, ...]] = {}
    around: dict[Value, set[tuple[str, ...]]] = {}
    for node in nodes:
        path = labels.path(node)
        found = around.get(node, set())
        groups[node] = path[:-1] if path or node.op is None else next(iter(found)) if len(found) == 1 else ()
        for use in uses(node):
            around.setdefault(use.operand, set()).add(groups[node])
    return groups
