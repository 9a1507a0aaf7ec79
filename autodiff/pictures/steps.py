"""What the stepper's page knows of a graph: nodes, edges, where they stand, and what each step has to say. Data only."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from autodiff.explanations.explaining import definition, explain_in, largest, symbols
from autodiff.explanations.flow import Flow
from autodiff.explanations.formulas import Symbol, partial_formulas
from autodiff.explanations.notation import Names, Tree, by, factor, joined, number, text
from autodiff.pictures import style
from autodiff.pictures.geometry import Curve, layout
from autodiff.value import Value

_PARAMETER = re.compile(r"(w|W|b|weight|bias|theta|θ|β)_?\d*")
_CHARACTER, _HEIGHT = 7.6, 62.0  # points: width of a character, height of a node
_TITLE_LENGTH = 18  # characters of a title on a node
_ROWS = 60  # contributions that the panel lists; the others are one sum
_TERMS = 4  # contributions that the formula above the graph writes out
_FEW = 60  # edges, up to where labels beside them have room
_MANY = 300  # edges, from where a layout that is nearly as good in half the time is the better one
_CLUSTERED = 500  # nodes, up to where boxes around layers and neurons are laid out in good time
_SENTENCE = 300  # characters of a diagnosis


class Steps:
    """The data of one page."""

    def __init__(
        self, flow: Flow, parameters: Sequence[Value] | None, learning_rate: float, digits: int, timeout: float
    ) -> None:
        self.flow = flow
        self.digits = digits
        self.rate = learning_rate
        self.index = {node: i for i, node in enumerate(flow.order)}
        self.names = Names(flow.order)
        leaves = [node for node in flow.order if node.op is None]
        if parameters is None:
            parameters = [leaf for leaf in leaves if _PARAMETER.fullmatch(leaf.label.rsplit(".", 1)[-1])]
        self.parameters = dict.fromkeys(parameters)
        self.timeout = timeout

    def data(self) -> dict[str, Any]:
        """Everything, as JSON can hold it: numbers that are shown are text, so infinities and NaN are no exception."""
        titles = [self.title(node) for node in self.flow.order]
        shown = [self.node(node, title) for node, title in zip(self.flow.order, titles, strict=True)]
        edges = [
            (i, place, self.index[x])
            for i, node in enumerate(self.flow.order)
            for place, x in enumerate(node.operands)
            if x.__class__ is not float
        ]
        placed = layout(SimpleNamespace(source=self.dot(shown, edges)), timeout=self.timeout)
        for i, each in enumerate(shown):
            each["box"] = [round(x, 1) for x in placed.nodes[f"n{i}"]]
        partials = {(i, place): node.partials[place] for i, node in enumerate(self.flow.order) for place in range(len(node.operands))}
        return {
            "size": [round(placed.width, 1), round(placed.height, 1)],
            "nodes": shown,
            "edges": [self.edge(*edge, partials[edge[:2]], placed.edges.get(f"e{edge[0]}_{edge[1]}")) for edge in edges],
            "groups": [
                [round(x, 1) for x in placed.clusters[name]] + [style.shorten(label)]
                for name, label in self.groups.items()
                if name in placed.clusters
            ],
            "labelled": len(edges) <= _FEW,
            "loss": {"name": self.names(self.flow.root), "title": titles[-1], "value": self.show(self.flow.root.data)},
            "update": self.update(),
        }

    def show(self, x: float) -> str:
        return style.show(x, self.digits)

    def title(self, node: Value) -> str:
        """What a node is called on the graph: its label, else its formula, else its name in formulas."""
        if node.label.strip():
            return style.shorten(node.label, _TITLE_LENGTH)
        written = definition(node, self.names)
        formula = text(written).replace(" - ", " − ") if written else ""
        return formula if 0 < len(formula) <= _TITLE_LENGTH else text(self.names(node))

    def kind(self, node: Value) -> str:
        if node in self.parameters:
            return "parameter"
        return "input" if node.op is None else "operation"

    def node(self, node: Value, title: str) -> dict[str, Any]:
        """One node: what its card shows, and what the panel says of it."""
        delta = self.flow.delta[node]
        told = explain_in(self.flow, node, names=self.names, limit=_TERMS)
        name = self.names(node)
        sides = [name, definition(node, self.names), definition(node, self.names, numbers=True)]
        equation = [side for side in sides if side is not None] + [number(node.data, self.digits)]
        forward = joined(dict.fromkeys(equation), "=")
        backward = told.tree()
        return {
            "title": title,
            "label": style.clean(node.label),
            "name": name,
            "kind": self.kind(node),
            "op": "" if node.op is None else style.clean(node.op.name),
            "symbol": "" if node.op is None else style.symbol(node.op.symbol),
            "value": self.show(node.data),
            "exactValue": repr(node.data),
            "valueTone": style.tone(node.data).name if not math.isfinite(node.data) else "plain",
            "delta": self.show(delta),
            "exactDelta": repr(delta),
            "tone": style.tone(delta).name,
            "forward": forward,
            "forwardText": text(forward),
            "backward": backward,
            "backwardText": text(backward),
            "terms": self.terms(told.contributions),
            "locals": self.locals(node),
            "notes": [_cut(sentence) for sentence in told.diagnosis],
            "updated": self.updated(node),
        }

    def terms(self, contributions: Sequence[Any]) -> list[dict[str, Any]]:
        """The rows of the chain-rule sum, and one for those that are too many to list."""
        kept = largest(contributions, _ROWS)
        rows: list[dict[str, Any]] = [
            {
                "from": self.index[term.consumer],
                "place": term.place,
                "delta": self.show(term.delta),
                "partial": self.show(term.partial),
                "product": self.show(term.product),
                "running": self.show(term.running),
                "exactProduct": repr(term.product),
                "exactRunning": repr(term.running),
                "tone": style.tone(term.product).name,
            }
            for term in kept
        ]
        if len(kept) < len(contributions):
            listed = set(map(id, kept))
            rest = sum(term.product for term in contributions if id(term) not in listed)
            rows.append({"from": -1, "count": len(contributions) - len(kept), "product": self.show(rest), "tone": style.tone(rest).name})
        return rows

    def locals(self, node: Value) -> list[Tree]:
        """The local partials by formula and number: ∂a/∂z = a·(1 − a) = 0.235. For an operand in two places, two."""
        if node.op is None:
            return []
        me = self.names(node)
        rules = partial_formulas(node.op, symbols(node, self.names), Symbol(me, node.data), node.partials)
        lines: list[Tree] = []
        for x, rule, partial in zip(node.operands, rules, node.partials, strict=True):
            if x.__class__ is not float and len(lines) < _ROWS:
                comes_to = number(partial, self.digits)
                sides = [by(me, self.names(x)), *([rule] if rule and rule != comes_to else []), comes_to]
                lines.append(joined(sides, "="))
        return lines

    def updated(self, node: Value) -> Tree | None:
        """W ← w − α·∂C/∂w, with its numbers, of a parameter."""
        if node not in self.parameters:
            return None
        name, gradient = self.names(node), self.flow.delta[node]
        rule = joined([name, ("mrow", ("mi", "α"), ("mo", "·"), by(self.names(self.flow.root), name))], "−")
        numbers = joined(
            [number(node.data, self.digits), joined([number(self.rate, self.digits), factor(gradient, self.digits)], "·")], "−"
        )
        return ("mrow", name, ("mo", "←"), joined([rule, numbers, number(self.stepped(node), self.digits)], "="))

    def stepped(self, node: Value) -> float:
        return node.data - self.rate * self.flow.delta[node]

    def update(self) -> dict[str, Any] | None:
        """The last step: every parameter before and after, and the loss that comes of it."""
        if not self.parameters:
            return None
        rows = [
            {
                "node": self.index[node],
                "old": self.show(node.data),
                "delta": self.show(self.flow.delta[node]),
                "new": self.show(self.stepped(node)),
                "exactNew": repr(self.stepped(node)),
                "tone": style.tone(self.flow.delta[node]).name,
            }
            for node in self.parameters
        ]
        after = self.loss_after()
        return {
            "rate": self.show(self.rate),
            "rows": rows,
            "before": self.show(self.flow.root.data),
            "after": None if after is None else self.show(after),
            "exactAfter": None if after is None else repr(after),
            "better": after is not None and after < self.flow.root.data,
        }

    def loss_after(self) -> float | None:
        """The root's value with the parameters updated; None where the same operations cannot be done again."""
        try:
            again = self.replay({})
            if not math.isclose(again, self.flow.root.data, rel_tol=1e-9):
                return None  # data was changed since the graph was recorded
            return self.replay({node: self.stepped(node) for node in self.parameters})
        except (ArithmeticError, ValueError):
            return None

    def replay(self, changed: dict[Value, float]) -> float:
        value: dict[Any, float] = {}
        for node in self.flow.order:
            if node.op is None:
                value[node] = changed.get(node, node.data)
            else:
                value[node] = node.op.on_floats(*[x if x.__class__ is float else value[x] for x in node.operands])
        return value[self.flow.root]

    def edge(self, consumer: int, place: int, operand: int, partial: float, curve: Curve | None) -> dict[str, Any]:
        delta = self.flow.delta[self.flow.order[consumer]]
        product = delta * partial if delta and partial else 0.0
        points = [[round(x, 1), round(y, 1)] for x, y in curve.points] if curve else []
        ends = [curve.tail, curve.head, curve.label] if curve else [None] * 3
        return {
            "to": consumer,
            "place": place,
            "from": operand,
            "partial": self.show(partial),
            "product": self.show(product),
            "tone": style.tone(product).name,
            "width": style.width(product),
            "points": points,
            "ends": [[round(end[0], 1), round(end[1], 1)] if end else None for end in ends],
        }

    def dot(self, shown: list[dict[str, Any]], edges: list[tuple[int, int, int]]) -> str:
        """The graph for Graphviz to place: boxes of the size of their cards, nothing else."""
        lines = ["digraph {", "rankdir=LR", 'node [shape=box, fixedsize=true, label=""]', "edge [dir=both, arrowsize=0.8]"]
        fan = max((len(node.operands) for node in self.flow.order), default=0)
        lines.append(f"graph [nodesep=0.25, ranksep={min(0.55 + 0.05 * fan, 2.2):.2f}]")
        if len(edges) > _MANY:
            lines.append("graph [nslimit=2, nslimit1=2, mclimit=0.3]")
        for i, each in enumerate(shown):
            longest = max(len(each["title"]), len(each["value"]) + 1, len(each["delta"]) + 3)
            width = max(72.0, longest * _CHARACTER + (44.0 if each["symbol"] else 22.0))
            lines.append(f"n{i} [width={width / 72:.3f}, height={_HEIGHT / 72:.3f}]")
        label = 'label="000000000\\n000000000", fontsize=11, ' if len(edges) <= _FEW else ""
        lines += [f'n{x} -> n{i} [{label}id="e{i}_{place}"]' for i, place, x in edges]
        self.groups: dict[str, str] = {}
        if len(shown) <= _CLUSTERED:
            lines += self.clusters()
        return "\n".join([*lines, "}"])

    def clusters(self) -> list[str]:
        """A box for every dotted prefix that at least two nodes share, one inside the other."""
        members: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        for i, node in enumerate(self.flow.order):
            members[tuple(style.clean(node.label).split(".")[:-1])].append(i)
        return self._cluster((), members, [])

    def _cluster(self, prefix: tuple[str, ...], members: dict[tuple[str, ...], list[int]], lines: list[str]) -> list[str]:
        for path in sorted({other[: len(prefix) + 1] for other in members if other[: len(prefix)] == prefix != other}):
            name = f"cluster_{len(self.groups)}"
            self.groups[name] = path[-1]
            lines.append(f"subgraph {name} {{ margin=14")
            lines += [f"n{i}" for i in members.get(path, [])]
            if len(path) < 2:  # layer and neuron: deeper boxes would be all frames
                self._cluster(path, members, lines)
            else:
                lines += [f"n{i}" for deeper in members if deeper[: len(path)] == path != deeper for i in members[deeper]]
            lines.append("}")
        return lines


def _cut(sentence: str) -> str:
    sentence = style.clean(sentence)
    return sentence if len(sentence) <= _SENTENCE else sentence[: _SENTENCE - 1] + "…"
