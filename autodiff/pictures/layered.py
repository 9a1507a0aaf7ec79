"""The picture by layers: a card for each with its shapes, and the norms of its numbers and of its δ."""

import math
from collections.abc import Callable, Iterable

from autodiff.pictures import legends, style
from autodiff.pictures.labels import titled
from autodiff.pictures.operations import Look, delta_tip, wrong_tip
from autodiff.pictures.scene import Edge, Node, Scene
from autodiff.pictures.style import beside, font, markup, pill, quoted, shorten
from autodiff.pictures.sweeping import State, Use
from autodiff.pictures.units import Link, Unit, Units, role_of, sums_of
from autodiff.value import Value
from autodiff.wording import say

_CARD = {"LR": 300.0, "TB": 190.0}  # points that a card takes with the gap behind it, along the flow


def layered(units: Units, state: State, look: Look, room: tuple[float, float]) -> Scene:
    """Draw every unit as a card, in as many rows as their room takes."""
    return _Layers(units, state, look, room).scene


class _Layers:
    """The scene in the making."""

    def __init__(self, units: Units, state: State, look: Look, room: tuple[float, float]) -> None:
        self.state, self.look, self.theme = state, look, look.theme
        self.root = units.root.nodes[0]
        self.goal = shorten(look.labels.name(self.root), 11) or "C"
        self.names = {unit: f"u{i}" for i, unit in enumerate(units.units)}
        self.outputs = units.outputs(look.labels)
        self.alarm = False
        self.scene = Scene(look.theme, {"rankdir": look.rankdir, "ranksep": "0.7", "nodesep": "0.4"})
        self.scale = style.Scale(size(self.gained(link, state.final_gain)) for link in units.links)
        self.rows = self.in_rows(units, max(2, int(room[look.rankdir == "TB"] / _CARD[look.rankdir])))
        self.scene.rows = [[] for _ in range(1 + max(self.rows.values()))]
        for unit in units.units:
            self.unit(unit)
        for link in units.links:
            self.link(link)
        self.scene.legend = self.legend()

    @staticmethod
    def in_rows(units: Units, most: int) -> dict[Unit, int]:
        """Return the row of each unit, about as many in each; leaves stand where they are used first."""
        computed = [unit for unit in units.units if unit.operations]
        length = math.ceil(len(computed) / max(1, math.ceil(len(computed) / most)))
        rows = {unit: i // length for i, unit in enumerate(computed)}
        for link in sorted(units.links, key=lambda link: rows[link.target]):
            rows.setdefault(link.source, rows[link.target])
        return dict.fromkeys(units.units, 0) | rows  # a leaf alone is used by nobody

    def unit(self, unit: Unit) -> None:
        theme, show = self.theme, self.look.show
        outputs = self.outputs[unit]
        values = [node.data for node in outputs] if unit.nodes else unit.constants
        sums = sums_of(unit) or outputs
        deltas = [self.state.deltas[node] for node in sums if node in self.state.deltas]
        role = role_of(unit, self.look.labels)
        title, subtitle = self.title(unit)
        rows = [f"<B>{markup(shorten(title))}</B>"]
        rows += [font(markup(each), theme.muted, 12) for each in subtitle]
        single = len(values) == 1
        symbol = "" if single else "‖a‖ " if unit.operations else "‖x‖ "
        size = values[0] if single else norm(values) / math.sqrt(unit.readers or 1)  # each reader reads all of them
        alarm = theme.tone(size) is theme.alarm
        wrong = self.state.wrong(unit.nodes)
        tip = [title, *subtitle]
        if not self.look.blank:
            rows.append(font(markup(f"{symbol}{show(size)}"), theme.alarm.ink if alarm else theme.ink))
            tip.append(say("tip.value" if single else "tip.norm", value=size))
        for kind, nodes in self.parameters(unit).items():
            grads = [self.state.deltas[node] for node in nodes if node in self.state.deltas]
            text = f"‖{kind}‖ {show(norm(node.data for node in nodes))}"
            if grads and self.look.direction != "forward":
                text += f", ‖∂{self.goal}/∂{kind}‖ {show(norm(grads))}"
            rows.append(font(markup(text), theme.parameter[1], 12))
        if unit.nodes and self.look.direction != "forward":
            delta = None if not deltas else deltas[0] if len(deltas) == 1 else norm(deltas)
            text = "δ –" if delta is None else f"δ {show(delta)}" if len(deltas) == 1 else f"‖δ‖ {show(delta)}"
            alarm = alarm or theme.tone(delta) is theme.alarm
            rows.append(pill(self.tones(len(deltas) > 1), text, delta))
            tip.append(delta_tip(None) if delta is None else say("tip.norm of δ", value=norm(deltas)))
        tip += wrong_tip(wrong, self.look.labels)
        alarm = alarm or bool(wrong)
        self.alarm = self.alarm or alarm
        paper, ink = (theme.alarm.paper, theme.alarm.ink) if alarm else theme.card(role)
        active = any(node in self.state.active for node in unit.nodes)
        table = "".join(f"<TR><TD>{row}</TD></TR>" for row in rows)
        label = f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{table}</TABLE>>'
        self.scene.rows[self.rows[unit]].append(self.names[unit])
        self.scene.nodes.append(Node(self.names[unit], label, {
            "shape": "box", "style": "rounded,filled", "margin": "0.12,0.06", "fillcolor": paper,
            "color": theme.active if active else ink, "penwidth": "3.5" if active else "1.5",
            "tooltip": quoted(*tip), "class": f"layer {role}",
        }))  # fmt: skip

    def tones(self, neutral: bool) -> style.Theme:
        """Return the theme, if `neutral` without hues: a norm has no sign to show."""
        theme = self.theme
        plain = theme.positive._replace(ink=theme.ink, paper=theme.zero.paper)
        return theme._replace(positive=plain) if neutral else theme

    def title(self, unit: Unit) -> tuple[str, list[str]]:
        """Return the title of a unit, and its shape: inputs → neurons, activation."""
        if not unit.operations:
            many = len(self.places(unit))
            return say("network.inputs", n=many), [say("network.values", n=many), *self.samples(unit, many)]
        if not unit.path:
            node = unit.nodes[0]
            return self.look.labels.name(node) or style.symbol(node.op.symbol), []
        sums = sums_of(unit)
        many = len(self.places(unit))
        symbols = dict.fromkeys(
            style.symbol(op.symbol) for op in {node.op: None for node in unit.operations} if op.name != "weighted_sum"
        )
        kind = " / ".join(symbols) if len(symbols) <= 3 else say("network.kinds", n=len(symbols))
        shape = f"{len(sums[0].operands) // 2} → {many} {kind or say('network.linear')}" if sums else f"{many} × {kind}"
        n = sum(map(len, self.parameters(unit).values()))
        parameters = [say("network.parameters", n=n)] * bool(n)
        return titled(unit.path), [shape.strip(), *parameters, *self.samples(unit, many)]

    def places(self, unit: Unit) -> set[object]:
        """Return the outputs of a unit, counting those of one label over many samples once."""
        if not unit.nodes:
            return set(range(unit.width))
        return {self.look.labels.full(node) or node for node in self.outputs[unit]}

    def samples(self, unit: Unit, many: int) -> list[str]:
        found = len(self.outputs[unit] if unit.nodes else unit.constants) // max(many * (unit.readers or 1), 1)
        return [say("network.samples", n=found)] * (found > 1)

    def parameters(self, unit: Unit) -> dict[str, list[Value]]:
        """Return the weights and the biases of a unit."""
        found: dict[str, list[Value]] = {}
        for node in unit.nodes if unit.operations else ():
            if self.look.labels.role(node) == "parameter":
                kind = "b" if self.look.labels.name(node).lower().startswith("b") else "w"
                found.setdefault(kind, []).append(node)
        return {kind: found[kind] for kind in ("w", "b") if kind in found}

    def link(self, link: Link) -> None:
        look = self.look
        source, target = self.names[link.source], self.names[link.target]
        row = self.rows[link.target]
        if self.rows[link.source] != row:
            title = self.title(link.source)[0]
            source = self.scene.repeated(source, row, [f"<B>{markup(shorten(title))}</B>"], title)
        width = len(self.places(link.source))
        if look.direction != "backward" or not link.uses:
            text = say("network.values", n=width)
            self.stroke(f"f{target[1:]}_{source[1:]}", source, target, text, {"class": "forward"})
        if look.direction != "forward" and link.uses:
            gained = self.gained(link, self.state.gain)
            number = size(gained)
            tone = self.tones(len(gained) > 1).tone(number)
            what = "‖δ·∂‖" if len(gained) > 1 else "δ·∂"
            text = f"{what} {'–' if number is None else look.show(number)}"
            self.stroke(f"b{target[1:]}_{source[1:]}", source, target, text, {
                "class": f"backward {tone.name}", "dir": "back", "color": tone.ink, "fontcolor": tone.ink,
                "style": tone.stroke, "penwidth": f"{self.scale.width(number):g}",
            })  # fmt: skip

    @staticmethod
    def gained(link: Link, gain: Callable[[Use], float | None]) -> dict[Value, float]:
        """Return the gain in δ through a link, by node of its source."""
        gained: dict[Value, float] = {}
        for use in link.uses:
            more = gain(use)
            if more is not None:
                gained[use.operand] = gained.get(use.operand, 0.0) + more
        return gained

    def stroke(self, name: str, source: str, target: str, text: str, attributes: dict[str, str]) -> None:
        self.scene.edges.append(Edge(name, source, target, beside(text), {"tooltip": quoted(text), **attributes}))

    def legend(self) -> str:
        theme = self.theme
        first = [legends.entry(font("<B>‖ ‖</B>", theme.ink, 12), say("legend.norm"))]
        if self.state.deltas and self.look.direction != "forward":
            first.append(legends.delta(theme, self.look.labels, self.root, "δ by layers"))
            first.append(legends.entry(font("<B>←</B>", theme.ink, 15), say("legend.handed back")))
        return legends.rows(theme, first + (legends.alarm_entry(theme) if self.alarm else []))


def size(gained: dict[Value, float]) -> float | None:
    """Return a single number itself, the norm of several, and None for none."""
    return None if not gained else next(iter(gained.values())) if len(gained) == 1 else norm(gained.values())


def norm(numbers: Iterable[float]) -> float:
    """Return the Euclidean norm."""
    return math.hypot(*numbers)
