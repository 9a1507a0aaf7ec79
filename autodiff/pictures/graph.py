"""The graph of a Value as a picture: nodes with value and δ, edges with local partials, and δ flowing back.

Nothing here draws pixels: the result is DOT text, the same for the same graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args

from autodiff.backward import topological_order
from autodiff.pictures import style
from autodiff.pictures.geometry import node_names
from autodiff.pictures.picture import Picture
from autodiff.pictures.style import INK, LEAF_PAPER, LEAF_STROKE, MUTED, PAPER, STROKE, markup, quoted, shorten
from autodiff.value import Value

Direction = Literal["forward", "backward", "both"]
RankDir = Literal["LR", "TB"]
MAX_DIGITS = 17  # enough to tell any two floats apart

_MANY = 300  # edges, from where a layout that is nearly as good in half the time is the better one
_HASTE = {"nslimit": "2", "nslimit1": "2", "mclimit": "0.3"}


class Edge(NamedTuple):
    """One use of a node: `consumer.operands[place]`, with the local partial there."""

    operand: Value
    consumer: Value
    place: int
    partial: float


def draw(
    root: Value,
    *,
    direction: Direction | None = None,
    rankdir: RankDir = "LR",
    digits: int = 4,
    max_nodes: int = 2_000,
) -> Picture:
    """Draw what `root` was computed from, and how δ flows back through it: a `graphviz.Digraph`.

    A node shows its label, operation, value and δ (`grad`; "δ –" in a dashed frame while no sweep has reached it).
    Grey edges lead forward, from operand to result, with the local partial ∂result/∂operand. Coloured edges lead
    backward with what δ gains there, δ·∂: blue above 0, orange below, wider the larger it is. Constants are small
    and grey; what is infinite or NaN is crimson.

    `direction` chooses the edges: "forward", "backward" or "both" (by default both, once there is a δ to show);
    `rankdir` is "LR" or "TB", left to right or top down; `digits` is how many significant digits numbers have.

    Raises TypeError when `root` is not a Value, ValueError for an unknown option and for a graph of more than
    `max_nodes` nodes, constants included.

    >>> x = Value(3.0, "x")
    >>> y = x * x
    >>> y.backward()
    >>> picture = draw(y)
    >>> picture.source.count("->")  # x is used twice, and δ flows back twice
    4
    """
    if not isinstance(root, Value):  # pyright: ignore[reportUnnecessaryIsInstance] # callers need not be typed
        raise TypeError(
            f"draw takes the Value at the end of a computation, got {type(root).__name__}: "
            "several results can be drawn through their total(...), or one by one"
        )
    if direction is not None:
        _check("direction", direction, get_args(Direction))
    _check("rankdir", rankdir, get_args(RankDir))
    _check("digits", digits, range(1, MAX_DIGITS + 1))
    nodes = topological_order(root)
    size = len(nodes) + sum(x.__class__ is float for node in nodes for x in node.operands)
    if size > max_nodes:
        raise ValueError(
            f"the graph has {size:,} nodes, more than max_nodes={max_nodes:,}: "
            "draw a smaller part, such as one of the operands, or raise max_nodes"
        )
    return _Drawing(nodes, direction, rankdir, digits).picture


class _Drawing:
    """One picture while it is made."""

    def __init__(self, nodes: list[Value], direction: Direction | None, rankdir: RankDir, digits: int) -> None:
        self.digits = digits
        self.names = node_names(nodes[0])
        edges = [edge for node in nodes for edge in _edges(node)]
        if direction is None:
            direction = "both" if any(_delta(edge.consumer) is not None for edge in edges) else "forward"
        self.direction: Direction = direction
        fan = max((len(node.operands) for node in nodes), default=0)  # many edges at one node need room to bend
        self.picture = Picture(
            graph_attr={"rankdir": rankdir, "bgcolor": PAPER, "fontname": style.FONT, "fontsize": "11",
                        "fontcolor": MUTED, "pad": "0.2", "nodesep": "0.3", "tooltip": " ",
                        "ranksep": f"{min(0.4 + 0.06 * fan, 2.0):.2f}", **(_HASTE if len(edges) > _MANY else {})},
            node_attr={"shape": "box", "style": "rounded,filled", "fontname": style.FONT, "fontsize": "13",
                       "fontcolor": INK, "margin": "0.08,0.04", "height": "0.3", "width": "0.3"},
            edge_attr={"fontname": style.FONT, "fontsize": "11", "fontcolor": MUTED, "color": STROKE,
                       "arrowsize": "0.7"},
        )  # fmt: skip
        self.dot: Any = self.picture  # graphviz has no types of its own
        for node in nodes:
            self.node(node)
        for edge in edges:
            if direction != "backward":
                self.forward(edge)
            if direction != "forward":
                self.backward(edge)
        if direction != "forward" and any(node.swept for node in nodes):
            self.legend()

    def show(self, number: float) -> str:
        return style.show(number, self.digits)

    def node(self, node: Value) -> None:
        """Draw a node, and the constants it takes: small, one for each use."""
        name, delta = self.names[node], _delta(node)
        leaf = node.op is None
        wrong = style.tone(node.data) is style.ALARM or style.tone(delta) is style.ALARM
        color = style.ALARM.ink if wrong else LEAF_STROKE if leaf else MUTED
        fill = style.ALARM.paper if wrong else LEAF_PAPER if leaf else PAPER
        tip = [node.label] * bool(node.label.strip()) + ([] if node.op is None else [f"operation: {node.op.name}"])
        tip += [f"value: {node.data!r}", "δ: not yet swept" if delta is None else f"δ: {delta!r}"]
        kind = f"{'leaf' if leaf else 'operation'} {style.tone(delta).name}"
        self.dot.node(
            name, f"<{self.card(node, delta)}>", color=color, fillcolor=fill, tooltip=quoted(*tip),
            penwidth="2" if wrong else "1.2", **{"class": kind},
        )  # fmt: skip
        if self.direction == "backward":
            return  # δ does not flow to constants
        for place, x in enumerate(node.operands):
            if x.__class__ is float:
                ink = style.ALARM.ink if style.tone(x) is style.ALARM else MUTED
                constant, kind = f"{name}c{place}", {"class": "constant"}
                tie = f"c{name[1:]}_{place}"
                self.dot.node(
                    constant, self.show(x), shape="plaintext", style="", fontsize="11", fontcolor=ink,
                    tooltip=quoted(f"constant: {x!r}"), margin="0.04", height="0.2", width="0.2", **kind,
                )  # fmt: skip
                self.dot.edge(constant, name, id=tie, arrowsize="0.5", style="dotted", tooltip=" ", **kind)

    def card(self, node: Value, delta: float | None) -> str:
        """The table inside a node: the operation's symbol, then label, value and δ below each other."""
        label = shorten(node.label)
        rows = [f"<B>{markup(label)}</B>"] if label else []
        alarm = style.tone(node.data) is style.ALARM
        rows.append(_font(self.show(node.data), style.ALARM.ink if alarm else INK))
        tone = style.tone(delta)
        rows.append(
            f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2" STYLE="rounded,{tone.stroke}" '
            f'COLOR="{tone.ink}" BGCOLOR="{tone.paper}"><TR><TD>'
            f"{_font('δ –' if delta is None else f'δ {self.show(delta)}', tone.ink, 12)}</TD></TR></TABLE>"
        )
        cells = [f"<TD>{row}</TD>" for row in rows]
        if node.op is not None:
            symbol = _font(markup(style.symbol(node.op.symbol)), MUTED, 17)
            cells[0] = f'<TD ROWSPAN="{len(rows)}" CELLPADDING="5">{symbol}</TD>{cells[0]}'
        table = "".join(f"<TR>{cell}</TR>" for cell in cells)
        return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{table}</TABLE>'

    def forward(self, edge: Edge) -> None:
        wrong = style.tone(edge.partial) is style.ALARM
        ink = {"color": style.ALARM.ink, "fontcolor": style.ALARM.ink} if wrong else {}
        tip = f"∂{_call(edge.consumer)}/∂{_call(edge.operand)} = {edge.partial!r}"
        self.edge(edge, f"∂ {self.show(edge.partial)}", tip, "forward", **ink)

    def backward(self, edge: Edge) -> None:
        """Draw what δ of the operand gains through this edge, in a second stroke against the first."""
        delta = _delta(edge.consumer)
        gain = None if delta is None else delta * edge.partial if delta and edge.partial else 0.0
        tone = style.tone(gain)
        label = "δ·∂ –" if gain is None else f"δ·∂ {self.show(gain)}"
        tip = f"to δ of {_call(edge.operand)}: δ of {_call(edge.consumer)} × {edge.partial!r}"
        self.edge(
            edge, label, tip if gain is None else f"{tip} = {gain!r}", f"backward {tone.name}",
            dir="back", color=tone.ink, fontcolor=tone.ink, style=tone.stroke, penwidth=f"{style.width(gain):g}",
        )  # fmt: skip

    def edge(self, edge: Edge, label: str, tip: str, kind: str, **attributes: str) -> None:
        tip = quoted(tip)
        attributes |= {"tooltip": tip, "labeltooltip": tip, "class": kind}
        attributes["id"] = f"{kind[0]}{self.names[edge.consumer][1:]}_{edge.place}"
        clear = f'<<TABLE BORDER="0" CELLPADDING="3"><TR><TD>{label}</TD></TR></TABLE>>'  # of its own stroke
        self.dot.edge(self.names[edge.operand], self.names[edge.consumer], clear, **attributes)

    def legend(self) -> None:
        """Say what the strokes mean, below the picture."""
        entries = {
            STROKE: ("→", "value, with ∂result/∂operand"),
            style.POSITIVE.ink: ("←", "δ·∂ above 0"),
            style.NEGATIVE.ink: ("←", "δ·∂ below 0"),
        }
        cells = "".join(
            f"<TD>{_font(f'<B>{arrow}</B>', ink, 15)}</TD><TD>{text}   </TD>"
            for ink, (arrow, text) in entries.items()
            if arrow == "←" or self.direction == "both"
        )
        row = f"<TR>{cells}<TD>wider: larger |δ·∂|</TD></TR>"
        table = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="2" CELLPADDING="1">{row}</TABLE>'
        self.dot.attr(label=f"<{table}>", labelloc="b", labeljust="c")


def _edges(node: Value) -> Iterator[Edge]:
    for place, (x, partial) in enumerate(zip(node.operands, node.partials, strict=True)):
        if x.__class__ is not float:
            yield Edge(x, node, place, partial)


def _delta(node: Value) -> float | None:
    """δ as a number, also where it is a Value itself; None when not yet swept (None is how PyTorch says that)."""
    delta = node.grad.data if isinstance(node.grad, Value) else node.grad
    if not node.swept or delta is None:
        return None
    try:
        return float(delta)
    except (TypeError, ValueError):
        raise TypeError(f"grad of {_call(node)} is {delta!r}, not a number: assign 0.0, or call zero_grad()") from None


def _call(node: Value) -> str:
    """A node as tooltips name it: by label, else by operation, else by value."""
    return shorten(node.label) or (f"({node.op.name})" if node.op is not None else repr(node.data))


def _font(text: str, color: str, size: int = 13) -> str:
    return f'<FONT COLOR="{color}" POINT-SIZE="{size}">{text}</FONT>'


def _check(option: str, value: Any, known: Any) -> None:
    if value not in [each for each in known if each.__class__ is value.__class__]:  # 4.0 and True are no digits
        raise ValueError(f"unknown {option} {value!r}: it must be one of {', '.join(map(repr, known))}")
