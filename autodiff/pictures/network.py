"""The network diagram of the course: a circle for each neuron, in columns, and weights as strokes between them."""

import math
from collections.abc import Iterable, Sequence
from itertools import starmap
from typing import NamedTuple

from autodiff.pictures import legends, strokes, style
from autodiff.pictures.geometry import Box, Curve, Layout
from autodiff.pictures.labels import titled
from autodiff.pictures.operations import Look, delta_tip, wrong_tip
from autodiff.pictures.scene import Edge, Node, Scene
from autodiff.pictures.style import font, markup, quoted, shorten
from autodiff.pictures.sweeping import State
from autodiff.pictures.units import Link, Unit, Units, alike, ranks, role_of, sums_of
from autodiff.wording import say

_LABELLED = 24  # links; with more there is no room for their numbers and for two strokes each
_LABELLED_ROWS = 9
_NUMBERED = 120  # links; with more, none of their numbers is written, since looking for places takes seconds
_MARGIN = 8.0
_AROUND = 29.0, 90.0  # points of the margins and, below, the legend
_SMALLEST = 34.0  # points of a unit
_HEAD = 44.0  # points above the columns, for their names
_ARROW, _SMALL_ARROW = 7.0, 4.5  # points; smaller if there are many strokes
_CHARACTER, _BOLD = 0.6, 0.68  # largest widths in ems of the characters of numbers and names
_LEAST = 6  # points of the smallest text


class Numbers(NamedTuple):
    """The numbers and names that a unit shows."""

    values: list[float]
    delta: float | None
    samples: int


class _Line(NamedTuple):
    """A line of text in a unit."""

    text: str
    color: str
    size: int
    bold: bool = False

    def markup(self) -> str:
        written = markup(self.text)
        return font(f"<B>{written}</B>" if self.bold else written, self.color, self.size)


class _Numbered(NamedTuple):
    """A stroke that waits for its numbers: its place among the edges, and the side for them."""

    edge: int
    lines: list[str]
    color: str
    side: float
    width: float


def network(units: Units, state: State, look: Look, max_neurons: int | None, room: tuple[float, float]) -> Scene:
    """Draw units in columns, at most `max_neurons` of each, as close as the numbers between them and the room allow."""
    made = _Network(units, state, look, max_neurons, room, spread=1.0)
    for spread in (1.3, 1.7):
        if made.hidden and not made.dense:
            made = _Network(units, state, look, max_neurons, room, spread=spread)
    return made.scene


class _Network:
    """The scene in the making."""

    def __init__(
        self, units: Units, state: State, look: Look, max_neurons: int | None, room: tuple[float, float], spread: float
    ) -> None:
        self.spread = spread  # of the space between units
        self.state, self.look, self.theme = state, look, look.theme
        self.outputs = units.outputs(look.labels)
        self.root = units.root.nodes[0]
        self.rank = ranks(units)
        self.scene = Scene(look.theme, {"splines": "true"})
        columns: list[list[Unit]] = [[] for _ in range(max(self.rank.values()) + 1)]
        for unit in units.units:
            columns[self.rank[unit]].append(unit)
        self.more = self.averaged = 0
        self.alarm = False
        self.columns = [self.shorten_column(column, max_neurons) for column in columns]
        self.rows = max(map(len, self.columns))
        self.size = 66.0 if self.rows <= 5 else 60.0 if self.rows <= 9 else 46.0 if self.rows <= 20 else 34.0
        self.room = room[0] - _AROUND[0], room[1] - _AROUND[1]
        self.names = {unit: f"u{i}" for i, unit in enumerate(units.units)}
        self.boxes: dict[str, Box] = {}
        self.curves: dict[str, Curve] = {}
        shown = {unit for column in self.columns for unit in column if unit is not None}
        self.links = [link for link in units.links if {link.source, link.target} <= shown]
        self.dense = len(self.links) > _LABELLED or self.rows > _LABELLED_ROWS
        self.share = 0.5 if self.dense else 0.7  # of the scale's widths
        self.scale = style.Scale(map(self.shown_at_last, self.links))
        self.hidden = False  # whether some number found no place beside its stroke
        self.width, self.height = self.place()
        for i, column in enumerate(self.columns):
            self.column(i, column, columns[i])
        self.waiting: list[_Numbered] = []
        for link in sorted(self.links, key=self.strength):
            self.link(link)
        self.number_strokes()
        self.scene.pins = Layout(self.width, self.height, self.boxes, self.curves, {}, {})
        self.scene.legend = self.legend()

    def shorten_column(self, column: list[Unit], most: int | None) -> list[Unit | None]:
        """Leave out the middle of a long column; None stands for it."""
        if most is None or len(column) <= most:
            return list(column)
        last = max(most // 3, 1)
        first = max(most - last, 1)
        self.more = max(self.more, len(column))
        return [*column[:first], None, *column[len(column) - last :]]

    def place(self) -> tuple[float, float]:
        """Place every unit; return width and height of the whole."""
        down = self.look.rankdir == "TB"
        along, across = self.room[down], self.room[not down] - (130.0 if down else _HEAD) - _MARGIN
        gaps = max(len(self.columns) - 1, 1)
        closest = 1.6 if self.dense else 3.0  # that columns come to each other, in sizes of a unit
        self.size = max(min(self.size, along / (closest * gaps + 2.0), across / (1.2 * self.rows)), _SMALLEST)
        pitch = min(self.size * (1.28 if self.dense else 1.5 * self.spread), max(across / self.rows, 1.2 * self.size))
        height = self.rows * pitch
        gap = (200.0 * self.spread if not self.dense else min(max(150.0, height * 0.42), 330.0)) + self.size
        gap = max(min(gap, (along - 2 * self.size) / gaps), closest * self.size)
        for i, column in enumerate(self.columns):
            along = self.size + i * gap
            for j, unit in enumerate(column):
                across = (j + 0.5 + (self.rows - len(column)) / 2) * pitch
                name = f"more{i}" if unit is None else self.names[unit]
                circle = unit is None or self.round(unit)
                width, tall = (self.size, self.size) if circle else (max(self.size * 1.5, 80.0), max(self.size, 60.0))
                x, y = (across + 130.0, along) if down else (along, across + _HEAD)
                self.boxes[name] = Box(x, y, width, tall)
        length = 2 * self.size + (len(self.columns) - 1) * gap
        return (height + 130.0 + _MARGIN, length) if down else (length, height + _HEAD + _MARGIN)

    def round(self, unit: Unit) -> bool:
        """Tell whether a unit is drawn as a circle, as neurons and inputs are; a loss is a card."""
        role = role_of(unit, self.look.labels)
        return role == "input" or (role == "operation" and bool(unit.path))

    def numbers(self, unit: Unit) -> Numbers:
        """Return the outputs of a unit and its δ, summed over samples: that of its weighted sum, if it has one."""
        outputs = self.outputs[unit]
        sums = sums_of(unit)
        sums = alike(sums, self.look.labels) if sums else outputs
        found = [self.state.deltas[node] for node in sums if node in self.state.deltas]
        values = [node.data for node in outputs] if unit.nodes else unit.constants
        samples = len(values) // (1 if unit.nodes else unit.readers)
        values = values[:1] if len({*values}) == 1 else values
        if self.look.blank and role_of(unit, self.look.labels) != "parameter":
            values = []
        return Numbers(values, sum(found) if found else None, samples)

    def column(self, i: int, column: Sequence[Unit | None], whole: Sequence[Unit]) -> None:
        """Draw the units of a column, and their name above them."""
        for unit in column:
            if unit is not None:
                self.unit(unit)
        if None in column:
            left = len(whole) - len(column) + 1
            text = f"{font('⋮', self.theme.muted, 18)}<BR/>{font(say('network.more', n=left), self.theme.muted, 10)}"
            look = {"shape": "plaintext", "class": "more", "tooltip": " "}
            self.scene.nodes.append(Node(f"more{i}", f"<{text}>", look))
        title, subtitle = self.title(whole)
        if title:
            text = f"<B>{markup(title)}</B><BR/>{font(markup(subtitle), self.theme.muted, 11)}"
            first = self.boxes[f"more{i}" if column[0] is None else self.names[column[0]]]
            at = (58.0, first.y) if self.look.rankdir == "TB" else (first.x, 20.0)
            self.boxes[f"column{i}"] = Box(*at, 100.0, 30.0)
            look = {"shape": "plaintext", "class": "column", "tooltip": " "}
            self.scene.nodes.append(Node(f"column{i}", f"<{text}>", look))

    def title(self, column: Sequence[Unit]) -> tuple[str, str]:
        """Return what the units of a column have in common, and their number."""
        many = len(column)
        if all(role_of(unit, self.look.labels) == "input" for unit in column):
            return say("network.inputs", n=many), (f"{many}" if many > 1 else "")
        above = {unit.path[:-1] for unit in column}
        operations = (node for unit in column for node in unit.operations if node.op.name != "weighted_sum")
        symbols = dict.fromkeys(style.symbol(node.op.symbol) for node in operations)
        if len(above) != 1 or not (path := above.pop()):
            return "", ""
        if not any(unit.operations for unit in column):
            return titled(path), ""
        kind = " / ".join(symbols) or say("network.linear")
        return titled(path), f"{many} × {kind}" if len(symbols) <= 2 else say("network.neurons", n=many)

    def unit(self, unit: Unit) -> None:
        theme, state = self.theme, self.state
        numbers = self.numbers(unit)
        delta, circle = numbers.delta, self.round(unit)
        tone = theme.tone(delta)
        leaf = not unit.operations
        role = role_of(unit, self.look.labels)
        paper, ink = theme.card(role)
        if not leaf:
            paper, ink = theme.operation[0] if delta is None else tone.paper, tone.ink
        wrong = state.wrong(unit.nodes)
        if wrong or theme.alarm in {*map(theme.tone, numbers.values), tone}:
            self.alarm = True
            paper, ink = theme.alarm.paper, theme.alarm.ink
        active = any(node in state.active for node in unit.nodes)
        name = self.name(unit)
        small = self.size < 50
        lines: list[_Line] = []
        if name and (not small or not circle):
            lines.append(_Line(shorten(name, 12), theme.muted if circle else theme.ink, 9 if circle else 12, bold=True))
        size = 8 if small and circle else 11
        if numbers.values:
            lines.append(_Line(self.value_text(numbers), theme.ink, size))
        if unit.nodes and self.look.direction != "forward":
            growing = " +…" if any(node in state.growing for node in unit.nodes) else ""
            shown = "δ –" if delta is None else f"δ {self.look.brief(delta)}{growing}"
            lines.append(_Line(shown, tone.ink, size))
        rows = [line.markup() for line in (_fitted(lines, self.size / 2) if circle else lines)]
        tip = [titled(unit.path) or name or say("network.result")]
        if numbers.samples > 1:
            low, high = min(numbers.values), max(numbers.values)
            tip += [say("network.samples", n=numbers.samples), say("tip.values", low=low, high=high)]
        else:
            tip += [say("tip.value", value=each) for each in numbers.values]
        tip += [delta_tip(delta)] * bool(unit.nodes)
        corners = "" if circle or role == "parameter" else "rounded,"
        tip += wrong_tip(wrong, self.look.labels)
        dashed = ",dashed" if not leaf and delta is None else ""
        self.scene.nodes.append(Node(self.names[unit], f"<{'<BR/>'.join(rows)}>", {
            "shape": "circle" if circle else "box", "style": f"{corners}filled{dashed}",
            "fixedsize": "true", "fillcolor": paper, "color": theme.active if active else ink, "tooltip": quoted(*tip),
            "penwidth": "3.5" if active else "1.5", "class": f"unit {role} {tone.name}", "margin": "0",
        }))  # fmt: skip

    def name(self, unit: Unit) -> str:
        if unit.path:
            return titled(unit.path[-1:])
        if unit.key[0] == "constants":
            return f"x{unit.key[-1] + 1}"
        return self.look.labels.name(unit.nodes[0]) if unit.nodes else ""

    def value_text(self, numbers: Numbers) -> str:
        brief, values = self.look.brief, numbers.values
        if len(values) <= 1:
            return brief(values[0]) if values else ""
        self.averaged = max(self.averaged, numbers.samples)
        return f"⌀ {brief(sum(values) / len(values))}"

    def strength(self, link: Link) -> float:
        """Return the strength of a stroke: the strongest are drawn last, above the others."""
        number = self.gain(link)
        number = _one(link.weights) if number is None else number
        return 0.0 if number is None else abs(number) if math.isfinite(number) else math.inf

    def gain(self, link: Link, *, at_last: bool = False) -> float | None:
        gains = map(self.state.final_gain if at_last else self.state.gain, link.uses)
        found = [gain for gain in gains if gain is not None]
        return sum(found) if found else None

    def shown_at_last(self, link: Link) -> float | None:
        """Return the number that the width of a link shows at the end of the sweep: its weight, or its δ·w."""
        return _one(link.weights) if self.look.direction == "forward" else self.gain(link, at_last=True)

    def link(self, link: Link) -> None:
        """Draw a link between two units: the weight forward, and δ·w backward in a second stroke."""
        look, theme = self.look, self.theme
        weight, gain = _one(link.weights), self.gain(link)
        goal = look.labels.full(self.root) or "C"
        factor = "w" if self.weighted(link) else "∂"
        one = say("tip.weight", value=weight) if factor == "w" else f"{say('legend.partial')}: {weight!r}"
        tip = [say("tip.uses", n=len(link.weights)) if weight is None else one]
        grads = [delta for p in link.parameters if (delta := self.state.deltas.get(p)) is not None]
        tip += [f"∂{goal}/∂w: {sum(grads)!r}"] * bool(grads) + ([] if gain is None else [f"δ·{factor}: {gain!r}"])
        more = f"∂{shorten(goal, 3)}/∂w {look.brief(sum(grads))}" if grads and look.direction != "forward" else ""
        flows = bool(link.uses) and look.direction != "forward"
        if look.direction == "forward":
            tone = theme.tone(weight) if weight is not None else theme.zero
            self.stroke(link, "f", 0.0, weight, tone.ink, tip, width=self.scale.width(weight))
        elif self.dense:
            ink, width = (theme.stroke, 0.8) if gain is None else (theme.tone(gain).ink, self.scale.width(gain))
            back = flows and (gain is not None or look.direction == "backward")
            if flows:  # in a film the other stroke has its place too
                self.course(link, "f" if back else "b", 0.0, width)
            self.stroke(link, "b" if back else "f", 0.0, gain if back else weight, ink, tip, width=width)
        else:
            if look.direction == "both" or not flows:
                alarm = theme.tone(weight) is theme.alarm
                ink = theme.alarm.ink if alarm else theme.stroke
                self.stroke(link, "f", -3.5 * flows, weight, ink, tip, width=1.0, more=more)
            if flows:
                tone = theme.tone(gain)
                shift = 3.5 * (look.direction == "both")
                self.stroke(link, "b", shift, gain, tone.ink, tip, width=self.scale.width(gain), dash=tone.stroke)

    def stroke(
        self, link: Link, kind: str, shift: float, number: float | None, ink: str, tip: list[str],
        *, width: float, dash: str = "solid", more: str = "",
    ) -> None:  # fmt: skip
        width *= self.share
        name, arrow = self.course(link, kind, shift, width), _SMALL_ARROW if self.dense else _ARROW
        if not self.dense or len(self.links) <= _NUMBERED:
            factor = "w" if self.weighted(link) else "∂"
            what = "" if self.dense else f"{factor} " if kind == "f" else f"δ·{factor} "
            lines = [f"{what}{'–' if number is None else self.look.brief(number)}", *([more] if more else [])]
            color = self.theme.muted if ink == self.theme.stroke else ink
            side = math.copysign(1.0, shift or -1.0)
            self.waiting.append(_Numbered(len(self.scene.edges), lines, color, side, width))
        self.scene.edges.append(Edge(name, self.names[link.source], self.names[link.target], "", {
            "color": ink + ("c0" if self.dense else ""), "penwidth": f"{width:.2f}", "style": dash,
            "dir": "forward" if kind == "f" else "back", "arrowsize": f"{arrow / 10.0:g}", "tooltip": quoted(*tip),
            "class": "forward" if kind == "f" else f"backward {'unswept' if dash == 'dashed' else 'swept'}",
        }))  # fmt: skip

    def course(self, link: Link, kind: str, shift: float, width: float) -> str:
        """Place a stroke, and return its name."""
        source, target = self.names[link.source], self.names[link.target]
        name = f"{kind}{target}_{source}"
        arrow = _SMALL_ARROW if self.dense else _ARROW
        ends = (0.0, arrow) if kind == "f" else (arrow, 0.0)
        straight = abs(self.rank[link.target] - self.rank[link.source]) == 1
        start, *bend, end = strokes.course(self.boxes[source], self.boxes[target], straight=straight, shift=shift)
        start = strokes.towards(start, bend[0], 1.4 * width * (kind == "b"))  # the outline of an arrowhead sticks out
        end = strokes.towards(end, bend[-1], 1.4 * width * (kind == "f"))
        inner = strokes.towards(start, bend[0], ends[0]), *bend, strokes.towards(end, bend[-1], ends[1])
        self.curves[name] = Curve(inner, start if ends[0] else None, end if ends[1] else None)
        return name

    def number_strokes(self) -> None:
        """Write the numbers beside their strokes, each in a free place if there is one."""
        if not self.waiting:
            self.hidden = self.dense
            return
        drawn = ((self.curves[edge.id].points, float(edge.attributes["penwidth"])) for edge in self.scene.edges)
        ways = list(starmap(strokes.Way, drawn))
        places = strokes.Places(self.boxes.values(), strokes.Points(ways))
        for place, lines, color, side, _ in sorted(self.waiting, key=lambda each: -each.width):
            edge = self.scene.edges[place]
            for shown in (lines, lines[:1])[: len(lines)]:
                size = max(map(len, shown)) * 10 * _CHARACTER + 2, 13.0 * len(shown)
                at = places.free(ways[place], size, side, *([(1.0,)] if self.dense else ()))  # whose it is, is seen
                if at is not None:
                    rows = "".join(f"<TR><TD>{font(markup(line), color, 10)}</TD></TR>" for line in shown)
                    label = f'<<TABLE BORDER="0" CELLPADDING="0" CELLSPACING="0">{rows}</TABLE>>'
                    self.scene.edges[place] = edge._replace(label=label)
                    self.curves[edge.id] = self.curves[edge.id]._replace(label=at)
                    break
                self.hidden = True

    def weighted(self, link: Link) -> bool:
        """Tell whether a link is a weight, not just a use."""
        return all(use.consumer.op.name == "weighted_sum" for use in link.uses)

    def legend(self) -> str:
        theme, look = self.theme, self.look
        leaves: list[style.Role] = [role_of(unit, look.labels) for unit in self.outputs if not unit.operations]
        first = [legends.swatch(theme, role) for role in dict.fromkeys(leaves)]
        swept = bool(self.state.deltas)
        weighted = any(map(self.weighted, self.links))
        factor, meaning = ("w", "legend.weight") if weighted else ("∂", "legend.partial")
        if look.direction == "forward":
            second = legends.strokes(theme, [factor], self.scale, look.brief, backward=False, share=self.share)
        else:
            if swept:
                by = "δ by neurons" if weighted else "δ"
                first.append(legends.delta(theme, look.labels, self.root, by))
            gains = [(self.weighted(link), gain) for link in self.links if (gain := self.gain(link)) is not None]
            what = [f"δ·{'w' if each else '∂'}" for each in sorted({each for each, _ in gains}, reverse=True)]
            zero = any(gain == 0.0 for _, gain in gains)
            back = legends.strokes(theme, what or [f"δ·{factor}"], self.scale, look.brief, share=self.share, zero=zero)
            film = bool(self.state.outcome)  # whose first steps are forward
            grey = film or any(edge.attributes["class"] == "forward" for edge in self.scene.edges)
            plain = [legends.entry(font("<B>→</B>", theme.stroke, 15), say(meaning))] if grey else []
            second = [*plain, *(back if swept else [])]
        if self.averaged:
            mean = say("legend.mean, δ in sum" if swept else "legend.mean", n=self.averaged)
            first.append(legends.entry(font("⌀", theme.ink, 12), mean))
        second += legends.alarm_entry(theme) if self.alarm else []
        message = legends.pointing("strokes") if self.hidden else []
        if self.more:
            message += [f"<TD>{say('legend.left out', n=self.more)}</TD>"]
        return legends.rows(theme, first, second, message)


def _fitted(lines: Sequence[_Line], radius: float) -> list[_Line]:
    """Return the lines of text inside a circle, each as large as its height in the circle allows."""
    top = -sum(line.size * 1.2 for line in lines) / 2
    fitted: list[_Line] = []
    for line in lines:
        height = line.size * 1.2
        furthest = max(abs(top), abs(top + height)) - 0.2 * line.size  # the ends of the letters
        room = 2 * math.sqrt(max(radius**2 - furthest**2, 0.0)) - 5
        em = _BOLD if line.bold else _CHARACTER
        fitted.append(line._replace(size=max(min(line.size, int(room / (em * len(line.text)))), _LEAST)))
        top += height
    return fitted


def _one(numbers: Iterable[float]) -> float | None:
    """Return the number that all of them equal; None if they differ."""
    found = {*numbers}
    return found.pop() if len(found) == 1 else None
