"""The picture of every operation: nodes with value and δ, edges with local partials, and δ flowing back."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from autodiff.pictures import legends, style
from autodiff.pictures.effort import FAR, Extent, arranged, haste, ranks_crossed, ranksep
from autodiff.pictures.labels import Labels, titled
from autodiff.pictures.scene import Edge, Node, Scene
from autodiff.pictures.style import Role, Theme, beside, font, markup, pill, quoted, shorten
from autodiff.pictures.sweeping import State, Use, uses
from autodiff.value import Value
from autodiff.wording import say

Direction = Literal["forward", "backward", "both"]
RankDir = Literal["LR", "TB"]

_MOST_ROWS = 40
_AROUND = 60.0, 100.0  # points of the margins, the legend and what the estimate may be wrong by
_CROWD = 500  # edges; with more, their numbers are in tooltips alone, since placing them is most of the layout


class Look(NamedTuple):
    """The look of a picture, the same for all details."""

    theme: Theme
    show: Callable[[float], str]
    brief: Callable[[float], str]  # where room is scarce
    direction: Direction
    rankdir: RankDir
    labels: Labels
    blank: bool = False  # whether there are weights alone, without a sample


def operations(nodes: Sequence[Value], state: State, look: Look, rows: Mapping[Value, int]) -> Scene:
    """Draw all `nodes`, in topological order, as they are in `state`, each in its row, and small in others."""
    return _Operations(nodes, state, look, rows).scene


class Arrangement(NamedTuple):
    """The row of each node, and the approximate size of the picture."""

    rows: Mapping[Value, int]
    width: float
    height: float


def arrangement(
    nodes: Sequence[Value], state: State, look: Look, room: tuple[float, float], aspect: float | None
) -> Arrangement:
    """Return the fewest rows that exceed the room least, or come nearest to an aspect; one where there are groups."""
    edges = [use for node in nodes for use in uses(node)]
    down, strokes = look.rankdir == "TB", 2 if look.direction == "both" else 1
    cards = {node: _extent(node, state, look) for node in nodes}
    widest = 6.2 * (4 + max((len(look.show(use.partial)) for use in edges), default=0))
    lane = Extent(22.0, 0.75 * (widest + 22.0) * strokes) if down else Extent(widest + 6.0, 48.0 * strokes)
    if down:
        cards = {node: Extent(card.across, card.along + 22.0) for node, card in cards.items()}
    best: Arrangement | None = None
    least: float = math.inf
    count, most = 1, 1 if any(len(look.labels.path(node)) > 1 for node in nodes) else min(len(nodes), _MOST_ROWS)
    while least and count <= most:
        rows, (along, across) = arranged(nodes, edges, cards, lane, count)
        width, height = (across, along) if down else (along, across)
        found = Arrangement(rows, width + _AROUND[0], height + _AROUND[1])
        excess = max(found.width / room[0], found.height / room[1], 1.0)
        misfit = abs(math.log(found.width / found.height / aspect if aspect else excess))
        if best is None or misfit < least:
            best, least = found, misfit
        count += 1
    assert best is not None  # there is one row at least
    return best


def _extent(node: Value, state: State, look: Look) -> Extent:
    """Return the approximate size of a card."""
    name, delta = shorten(look.labels.name(node)), state.outcome.get(node, state.deltas.get(node, 0.0))
    widest = max(8.0 * len(name), 7.6 * len(look.show(node.data)), 7.2 * len(look.show(delta)) + 28.0)
    symbol = 10.0 * len(style.symbol(node.op.symbol)) + 14.0 if node.op is not None else 0.0
    return Extent(widest + symbol + 20.0, 70.0 if name else 50.0)


class _Operations:
    """The scene in the making."""

    def __init__(self, nodes: Sequence[Value], state: State, look: Look, rows: Mapping[Value, int]) -> None:
        self.state, self.look, self.theme, self.show, self.rows = state, look, look.theme, look.show, rows
        self.names = {node: f"n{i}" for i, node in enumerate(nodes)}
        self.paths = _groups(nodes, look.labels)
        self.roles: set[Role] = set()
        edges = [use for node in nodes for use in uses(node)]
        self.crowded = len(edges) > _CROWD or ranks_crossed(edges) > FAR
        room = {"nodesep": "0.3", "ranksep": f"{ranksep(nodes):.2f}"}
        self.scene = Scene(look.theme, {"rankdir": look.rankdir, **room, **haste(edges)})
        self.scale = style.Scale(map(state.final_gain, edges))
        self.scene.rows = [[] for _ in range(1 + max(rows.values()))]
        self.marks = self.marked({use.operand for use in edges if rows[use.operand] != rows[use.consumer]})
        self.summed = state.summed(nodes, edges)
        for node in nodes:
            self.node(node)
        for use in edges:
            if look.direction != "backward":
                self.forward(use)
            if look.direction != "forward":
                self.backward(use)
        kinds = {"forward": "f", "backward": "b", "both": "fb"}[look.direction]
        self.scene.alike = [
            [
                (self.names[x], [f"{kind}{self.names[use.consumer][1:]}_{use.place}" for use in own for kind in kinds])
                for x, own in several
            ]
            for several in look.labels.alike(edges)
            if len({rows[node] for x, own in several for node in (x, *(use.consumer for use in own))}) == 1
        ]
        if not edges and "constant" not in self.roles:
            return
        self.scene.legend = self.legend()

    def marked(self, repeated: Collection[Value]) -> dict[Value, str]:
        """Return the names under which other rows repeat those nodes: with a number, where a name is no other's."""
        count = Counter(map(self.look.labels.name, self.names))
        marks: dict[Value, str] = {}
        number = 0
        operands_first = [*self.names][::-1]
        for node in sorted(operands_first, key=self.rows.__getitem__):
            if node in repeated:
                name = self.look.labels.name(node)
                number += count[name] > 1 or not name
                own = name and count[name] == 1
                circled = chr(0x245F + number) if number <= 20 else f"({number})"
                marks[node] = shorten(name) if own else f"{shorten(name)} {circled}".strip()
        return marks

    def node(self, node: Value) -> None:
        """Draw a node, and its constants: small, one for each use."""
        theme, labels = self.theme, self.look.labels
        name, delta, role = self.names[node], self.state.deltas.get(node), labels.role(node)
        self.roles.add(role)
        alarm = theme.alarm in {theme.tone(node.data), theme.tone(delta)}
        fill, color = (theme.alarm.paper, theme.alarm.ink) if alarm else theme.card(role)
        active = node in self.state.active
        label = labels.full(node)
        tip = [label] * bool(label.strip())
        tip += [say(f"roles.{role}") + (f": {node.op.name}" if node.op is not None else "")]
        tip += [say("tip.value", value=node.data), delta_tip(delta)]
        self.scene.rows[self.rows[node]].append(name)
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
        self.scene.rows[self.rows[node]].append(f"{name}c{place}")
        self.scene.nodes.append(Node(f"{name}c{place}", f"<{markup(self.show(x))}>", {
            "shape": "plaintext", "fontsize": "12", "fontcolor": ink, "margin": "0.04", "height": "0.2",
            "width": "0.2", "tooltip": quoted(f"{say('roles.constant')}: {x!r}"), "class": "constant",
        }, self.paths[node]))  # fmt: skip
        self.scene.edges.append(Edge(f"c{name[1:]}_{place}", f"{name}c{place}", name, "", {
            "arrowsize": "0.5", "style": "dotted", "tooltip": " ", "class": "constant",
        }))  # fmt: skip

    def card(self, node: Value, delta: float | None) -> str:
        """Return the table inside a node: the operation's symbol, then name, value and δ below each other."""
        theme = self.theme
        name = self.marks.get(node) or shorten(self.look.labels.name(node))
        rows = [f"<B>{markup(name)}</B>"] if name else []
        alarm = theme.tone(node.data) is theme.alarm
        rows.append(font(markup(self.show(node.data)), theme.alarm.ink if alarm else theme.ink))
        room = len(f"δ {self.show(self.state.outcome[node])}") if node in self.state.outcome else 0
        more = " +…" if node in self.state.growing else " Σ" * (node in self.summed)
        rows.append(pill(theme, "δ –" if delta is None else f"δ {self.show(delta)}{more}", delta, room=room))
        cells = [f"<TD>{row}</TD>" for row in rows]
        if node.op is not None:
            symbol = font(markup(style.symbol(node.op.symbol)), theme.muted, 17)
            cells[0] = f'<TD ROWSPAN="{len(rows)}" CELLPADDING="5">{symbol}</TD>{cells[0]}'
        table = "".join(f"<TR>{cell}</TR>" for cell in cells)
        return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{table}</TABLE>'

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
        tip = say("tip.gain", operand=operand, consumer=consumer, partial=use.partial)
        self.edge(
            use, label, tip if gain is None else f"{tip} = {gain!r}", f"backward {tone.name}",
            dir="back", color=tone.ink, fontcolor=tone.ink, style=tone.stroke, penwidth=f"{self.scale.width(gain):g}",
        )  # fmt: skip

    def edge(self, use: Use, label: str, tip: str, kind: str, **attributes: str) -> None:
        tip = quoted(tip)
        attributes |= {"tooltip": tip, "labeltooltip": tip, "class": kind}
        clear = "" if self.crowded else beside(label)
        consumer, group = self.names[use.consumer], self.paths[use.consumer]
        if group and group != self.paths[use.operand]:  # so that groups stand beside each other, with their own leaves
            attributes["minlen"] = "2"
        name = f"{kind[0]}{consumer[1:]}_{use.place}"
        self.scene.edges.append(Edge(name, self.end(use), consumer, clear, attributes))

    def end(self, use: Use) -> str:
        """Return the name of an operand in the row of its consumer, where it is repeated if it stands in another."""
        name, row = self.names[use.operand], self.rows[use.consumer]
        if self.rows[use.operand] == row:
            return name
        lines = f"<B>{markup(self.marks[use.operand])}</B>", markup(self.show(use.operand.data))
        return self.scene.repeated(name, row, lines, self.look.labels.call(use.operand))

    def legend(self) -> str:
        """Return the legend, limited to what is in the picture."""
        theme, direction, entry = self.theme, self.look.direction, legends.entry
        kinds: tuple[Role, ...] = ("input", "parameter")
        first = [legends.swatch(theme, role) for role in kinds if role in self.roles]
        if "constant" in self.roles and direction != "backward":
            first.append(entry(font("3", theme.muted, 12), say("roles.constant")))
        if direction != "backward":
            value = say("legend.value" if self.crowded else "legend.value with partial")
            first.append(entry(font("<B>→</B>", theme.stroke, 15), value))
        first += legends.pointing("edges") if self.crowded else []
        second: list[str] = []
        if direction != "forward" and self.state.deltas:
            zero = any(edge.attributes["class"] == "backward zero" for edge in self.scene.edges)
            second = legends.strokes(theme, ["δ·∂"], self.scale, self.look.brief, zero=zero)
            second += [entry(font("Σ", theme.ink, 12), say("legend.several sweeps"))] * bool(self.summed)
        things = [*self.scene.nodes, *self.scene.edges]
        alarm = any(theme.alarm.ink in thing.attributes.values() for thing in things)
        return legends.rows(theme, first, second + (legends.alarm_entry(theme) if alarm else []))


def _groups(nodes: Sequence[Value], labels: Labels) -> dict[Value, tuple[str, ...]]:
    """Return the group of each node: that of its dotted label, or for an operation without a label its consumers'."""
    groups: dict[Value, tuple[str, ...]] = {}
    around: dict[Value, set[tuple[str, ...]]] = {}
    for node in nodes:
        path = labels.path(node)
        found = around.get(node, set())
        own = tuple(titled([step]) for step in path[:-1])
        groups[node] = own if path or node.op is None else next(iter(found)) if len(found) == 1 else ()
        for use in uses(node):
            around.setdefault(use.operand, set()).add(groups[node])
    return groups


def delta_tip(delta: float | None) -> str:
    """Return δ for a tooltip."""
    return say("tip.not swept") if delta is None else f"δ: {delta!r}"


def wrong_tip(wrong: Sequence[Value], labels: Labels) -> list[str]:
    """Return the line of a tooltip that names what is infinite or NaN, if anything is."""
    return [f"{say('legend.alarm')}: {', '.join(map(labels.call, wrong[:5]))}"] * bool(wrong)
