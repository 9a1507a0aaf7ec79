"""The data of the stepper's page: nodes, edges, their places, and the sentences of each step."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from autodiff.explanations.explaining import definition, explain_in, largest, symbols
from autodiff.explanations.flow import Flow, handed_on
from autodiff.explanations.formulas import Symbol, partial_formulas
from autodiff.explanations.notation import Names, Tree, by, factor, joined, number, text
from autodiff.pictures import style
from autodiff.pictures.labels import Labels
from autodiff.pictures.placing import CLUSTERED, FEW, placed
from autodiff.value import Value

_TITLE_LENGTH = 18  # characters of a title on a node
_ROWS = 60  # contributions listed in the panel; the others are one sum
_LOCALS = 10  # local partials listed there
_TERMS = 4  # contributions written out in the formula above the graph
_LOW, _HIGH = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"), str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SENTENCE = 300  # characters of a diagnosis


tone = style.LIGHT.tone  # only the name is used: the page has the colours


class Steps:
    """The data of one page."""

    def __init__(self, flow: Flow, labels: Labels, learning_rate: float, digits: int, timeout: float) -> None:
        self.flow = flow
        self.labels = labels
        self.digits = digits
        self.rate = learning_rate
        self.timeout = timeout
        self.index = {node: i for i, node in enumerate(flow.order)}
        self.names = Names(flow.order, labels.full)
        chosen = [node for node in flow.order if labels.role(node) == "parameter"]
        self.parameters = dict.fromkeys(sorted(chosen, key=self._group))  # by neuron, each in order of evaluation

    def data(self) -> dict[str, Any]:
        """Return everything for JSON: shown numbers are text, so infinities and NaN need no exception."""
        titles = [self.title(node) for node in self.flow.order]
        shown = [self.node(node, title) for node, title in zip(self.flow.order, titles, strict=True)]
        self.scale = style.Scale(
            handed_on(self.flow.delta[node], partial) for node in self.flow.order for partial in node.partials
        )
        edges = [
            (i, place, self.index[x])
            for i, node in enumerate(self.flow.order)
            for place, x in enumerate(node.operands)
            if x.__class__ is not float
        ]
        return {
            "nodes": shown,
            "edges": [self._edge(*edge) for edge in edges],
            "layouts": [
                placed(self.flow.order, self.labels, shown, edges, rankdir, self.timeout) for rankdir in ("LR", "TB")
            ],
            "labelled": len(edges) <= FEW,
            "loss": {
                "name": self.names(self.flow.root),
                "title": self._called(self.flow.root),
                "value": self._show(self.flow.root.data),
            },
            "update": self.update(),
        }

    def _show(self, x: float) -> str:
        return style.show(x, self.digits)

    def title(self, node: Value) -> str:
        """Return the title of a node on the graph: its label, else its formula, else its name in formulas."""
        if self.labels.full(node).strip():
            grouped = len(self.flow.order) <= CLUSTERED  # the boxes around it show the rest of a dotted label
            return style.shorten(self.labels.name(node) if grouped else self.labels.full(node), _TITLE_LENGTH)
        written = definition(node, self.names)
        name = typeset(self.names(node))
        formula = f"{name} = {typeset(written)}" if written else name
        return formula if len(formula) <= _TITLE_LENGTH else name

    def _called(self, node: Value) -> str:
        return style.shorten(self.labels.full(node), _TITLE_LENGTH) or typeset(self.names(node))

    def _group(self, node: Value) -> list[list[str | int]]:
        """Return a key that sorts nodes by their boxes, layer2 before layer10."""
        return [
            [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", step)]
            for step in self.labels.path(node)[:-1]
        ]

    def node(self, node: Value, title: str) -> dict[str, Any]:
        """Return the data of one node, for its card and for the panel."""
        delta = self.flow.delta[node]
        told = explain_in(self.flow, node, names=self.names, limit=_TERMS)
        name = self.names(node)
        sides = [name, definition(node, self.names), definition(node, self.names, numbers=True)]
        equation = [side for side in sides if side is not None] + [number(node.data, self.digits)]
        forward = joined(dict.fromkeys(equation), "=")
        backward = told.tree()
        return {
            "title": title,
            "label": style.clean(self.labels.full(node)),
            "name": name,
            "kind": self.labels.role(node),
            "op": "" if node.op is None else style.clean(node.op.name),
            "symbol": "" if node.op is None else style.symbol(node.op.symbol),
            "value": self._show(node.data),
            "exactValue": repr(node.data),
            "valueTone": tone(node.data).name if not math.isfinite(node.data) else "plain",
            "delta": self._show(delta),
            "exactDelta": repr(delta),
            "tone": tone(delta).name,
            "forward": forward,
            "forwardText": text(forward),
            "backward": backward,
            "backwardText": text(backward),
            "terms": self.terms(told.contributions),
            "locals": self.local_partials(node),
            "notes": [_cut(sentence) for sentence in told.diagnosis],
            "updated": self.updated(node),
        }

    def terms(self, contributions: Sequence[Any]) -> list[dict[str, Any]]:
        """Return the rows of the chain-rule sum, with one row for those left out."""
        kept = largest(contributions, _ROWS)
        rows: list[dict[str, Any]] = [
            {
                "from": self.index[term.consumer],
                "place": term.place,
                "delta": self._show(term.delta),
                "partial": self._show(term.partial),
                "product": self._show(term.product),
                "running": self._show(term.running),
                "exactProduct": repr(term.product),
                "exactRunning": repr(term.running),
                "tone": tone(term.product).name,
            }
            for term in kept
        ]
        if len(kept) < len(contributions):
            listed = set(map(id, kept))
            rest = sum(term.product for term in contributions if id(term) not in listed)
            rows.append(
                {
                    "from": -1,
                    "count": len(contributions) - len(kept),
                    "product": self._show(rest),
                    "tone": tone(rest).name,
                }
            )
        return rows

    def local_partials(self, node: Value) -> list[Tree]:
        """Return the local partials by formula and number, ∂a/∂z = a·(1 − a) = 0.235; two for one used twice."""
        if node.op is None:
            return []
        me = self.names(node)
        rules = partial_formulas(node.op, symbols(node, self.names), Symbol(me, node.data), node.partials)
        lines: list[Tree] = []
        for x, rule, partial in zip(node.operands, rules, node.partials, strict=True):
            if x.__class__ is not float:
                comes_to = number(partial, self.digits)
                sides = [by(me, self.names(x)), *([rule] if rule and rule != comes_to else []), comes_to]
                lines.append(joined(sides, "="))
        return lines if len(lines) <= _LOCALS else [*lines[: _LOCALS - 1], ("mo", "…")]

    def updated(self, node: Value) -> list[Tree] | None:
        """Return the update of a parameter, w ← w − α·∂C/∂w, in symbols and in numbers."""
        if node not in self.parameters:
            return None
        name, becomes = self.names(node), ("mo", "←")
        step = joined([("mi", "α"), by(self.names(self.flow.root), name)], "·")
        numbers = joined([number(self.rate, self.digits), factor(self.flow.delta[node], self.digits)], "·")
        was, now = number(node.data, self.digits), number(self._stepped(node), self.digits)
        return [
            ("mrow", name, becomes, joined([name, step], "−")),
            ("mrow", name, becomes, joined([joined([was, numbers], "−"), now], "=")),
        ]

    def _stepped(self, node: Value) -> float:
        return node.data - self.rate * self.flow.delta[node]

    def update(self) -> dict[str, Any] | None:
        """Return the last step: every parameter before and after, and the resulting loss."""
        if not self.parameters:
            return None
        rows = [
            {
                "node": self.index[node],
                "old": self._show(node.data),
                "delta": self._show(self.flow.delta[node]),
                "new": self._show(self._stepped(node)),
                "exactNew": repr(self._stepped(node)),
                "tone": tone(self.flow.delta[node]).name,
            }
            for node in self.parameters
        ]
        after = self.loss_after()
        return {
            "rate": self._show(self.rate),
            "rows": rows,
            "before": self._show(self.flow.root.data),
            "after": None if after is None else self._show(after),
            "exactAfter": None if after is None else repr(after),
            "better": after is not None and after < self.flow.root.data,
        }

    def loss_after(self) -> float | None:
        """Return the root's value with the parameters updated; None if the operations cannot be repeated."""
        try:
            again = self._replay({})
            if not math.isclose(again, self.flow.root.data, rel_tol=1e-9):
                return None  # data changed after the graph was recorded
            return self._replay({node: self._stepped(node) for node in self.parameters})
        except (ArithmeticError, ValueError):
            return None

    def _replay(self, changed: dict[Value, float]) -> float:
        value: dict[Any, float] = {}
        for node in self.flow.order:
            if node.op is None:
                value[node] = changed.get(node, node.data)
            else:
                value[node] = node.op.on_floats(*[x if x.__class__ is float else value[x] for x in node.operands])
        return value[self.flow.root]

    def _edge(self, consumer: int, place: int, operand: int) -> dict[str, Any]:
        node = self.flow.order[consumer]
        partial = node.partials[place]
        product = handed_on(self.flow.delta[node], partial)
        return {
            "to": consumer,
            "from": operand,
            "partial": self._show(partial),
            "product": self._show(product),
            "tone": tone(product).name,
            "width": self.scale.width(product),
        }


def typeset(tree: Tree) -> str:
    """Return a formula as one line of text, typeset with small digits: v₃ = v₂²."""
    kind, *parts = tree
    if kind in {"msub", "msup"} and parts[1][0] == "mn" and parts[1][1].isdigit():
        return typeset(parts[0]) + parts[1][1].translate(_LOW if kind == "msub" else _HIGH)
    if kind == "mrow":
        return "".join(
            f" {part[1]} " if part[0] == "mo" and part[1] in "+−·=" and i else typeset(part)
            for i, part in enumerate(parts)
        )
    return text(tree)


def _cut(sentence: str) -> str:
    sentence = style.clean(sentence)
    return sentence if len(sentence) <= _SENTENCE else sentence[: _SENTENCE - 1] + "…"
