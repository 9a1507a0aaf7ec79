"""The data of the stepper's page: nodes, their formulas and places, and the graph that computes itself there."""

from collections.abc import Sequence
from typing import Any

from autodiff.explanations.diagnosis import diagnose
from autodiff.explanations.explaining import definition, symbols
from autodiff.explanations.flow import Flow, evaluation_order, grad_of, same
from autodiff.explanations.formulas import Symbol, formula, partial_formulas
from autodiff.explanations.notation import Names, Tree, number, text
from autodiff.pictures import script, style
from autodiff.pictures.labels import Labels, titled
from autodiff.pictures.placing import CLUSTERED, FEW, placed
from autodiff.pictures.units import Units, alike, layers, natural, neurons, sums_of
from autodiff.value import Value
from autodiff.wording import say

_TITLE_LENGTH = 18  # characters of a title on a node
_LOCALS = 10  # local partials listed in the panel
_LOW, _HIGH = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"), str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SENTENCE = 300  # characters of a diagnosis
_SUMS, _SCALED = frozenset({"add", "total", "mean"}), frozenset({"mul", "div"})  # of samples
_LEAST = 3  # operations of a sample
_TEXTBOOK = frozenset({"sigmoid", "tanh"})  # their formulas hold everywhere, though their rules have cases


class Steps:
    """The data of one page."""

    def __init__(self, flow: Flow, labels: Labels, digits: int, timeout: float, losses: Sequence[Value] = ()) -> None:
        self.flow = flow
        self.labels = labels
        self.digits = digits
        self.timeout = timeout
        self.index = {node: i for i, node in enumerate(flow.order)}
        self.samples = [Flow(loss).order for loss in losses] or samples(flow.root)
        self.sample = self._sample_of()
        self.names = Names(flow.order, labels.full)
        chosen = [node for node in flow.order if labels.role(node) == "parameter"]
        # By neuron, each in order of evaluation.
        self.parameters = sorted(chosen, key=lambda node: [*map(natural, labels.path(node)[:-1])])
        try:
            self.graph, self.rules = script.graph(flow.order)
            self.frozen = ""
        except ValueError as error:  # an operation of the user's own, whose name comes last
            self.graph, self.rules = script.graph(flow.order, rules=False)
            self.frozen = say("stepper.frozen", name=error.args[-1])

    def _sample_of(self) -> dict[Value, int]:
        """Return the sample that a node belongs to, counted from 1; shared ones belong to none."""
        found: dict[Value, int] = {}
        for k, nodes in enumerate(self.samples, 1):
            for node in nodes:
                found[node] = 0 if node in found else k
        return found

    def data(self) -> dict[str, Any]:
        """Return everything for JSON; of numbers only those of leaves, values and partials as recorded."""
        order = self.flow.order
        shown = [self.node(node) for node in order]
        layouts, views = self._views(shown)
        return {
            "nodes": shown,
            "graph": self.graph,
            "frozen": style.clean(self.frozen),
            "layouts": layouts,
            "views": views,
            "folds": [self._folded(grouped) for grouped in (neurons, layers)] if len(self.flow.order) > 1 else [],
            "labelled": FEW,
            "digits": self.digits,
            "loss": {"name": self.name(self.flow.root), "title": self._called(self.flow.root)},
            "parameters": [self.index[node] for node in self.parameters],
        }

    def _views(self, shown: list[dict[str, Any]]) -> tuple[list[Any], list[dict[str, Any]]]:
        """Return the layouts, two for each shape of graph, and the views: everything, and each sample."""
        layouts: list[Any] = []
        place: dict[Any, int] = {}
        views: list[dict[str, Any]] = []
        for order in [self.flow.order, *self.samples]:
            key = signature(order)
            if key not in place:
                place[key] = len(layouts)
                layouts.append(self._layouts(order, shown))
            views.append({"nodes": [self.index[node] for node in order], "layout": place[key]})
        return layouts, views

    def _layouts(self, order: Sequence[Value], shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
        at = {node: i for i, node in enumerate(order)}
        edges = [
            (i, place, at[x])
            for i, node in enumerate(order)
            for place, x in enumerate(node.operands)
            if x.__class__ is not float
        ]
        cards = [shown[self.index[node]] for node in order]
        return [placed(order, self.labels, cards, edges, rankdir, self.timeout) for rankdir in ("LR", "TB")]

    def _folded(self, grouped: Any) -> dict[str, Any]:
        """Return the units of a zoom level: their names, their outputs, and the unit of every node, -1 for none."""
        units: Units = grouped(list(reversed(self.flow.order)), self.labels)
        several = [unit for unit in units.units if unit.path and len(unit.nodes) > 1]
        unit_of = {node: k for k, unit in enumerate(several) for node in unit.nodes}
        outputs = units.outputs(self.labels)
        return {
            "titles": [style.shorten(titled(unit.path), _TITLE_LENGTH) for unit in several],
            "outputs": [sorted(self.index[node] for node in outputs[unit]) for unit in several],
            "sums": [sorted(self.index[node] for node in alike(sums_of(unit), self.labels)) for unit in several],
            "of": [unit_of.get(node, -1) for node in self.flow.order],
        }

    def name(self, node: Value) -> Tree:
        """Return the name of a node in formulas, with the sample that it belongs to."""
        sample = self.sample.get(node, 0)
        return ("msample", self.names(node), str(sample)) if sample else self.names(node)

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

    def node(self, node: Value) -> dict[str, Any]:
        """Return the data of one node, for its card and for the panel; numbers in formulas are places to fill."""
        held = grad_of(node) if node.op is None else None
        delta = self.flow.delta[node]
        return {
            "title": self.title(node),
            "label": style.clean(self.labels.full(node)),
            "name": self.name(node),
            "sample": self.sample.get(node, 0),
            "kind": self.labels.role(node),
            "op": "" if node.op is None else style.clean(node.op.name),
            "symbol": "" if node.op is None else style.symbol(node.op.symbol),
            "value": style.show(node.data, self.digits),
            "delta": style.show(delta, self.digits),
            "definition": definition(node, self.name),
            "numbers": None if node.op is None else formula(node.op, self._slots(node)),
            "locals": self.local_partials(node),
            "notes": [style.shorten(sentence, _SENTENCE) for sentence in diagnose(self.flow, node)],
            "held": None if held is None or same(held, delta, 0.0) else repr(held),
        }

    def _slots(self, node: Value) -> list[Symbol]:
        """Return the operands as numbers that the page fills in: those of nodes, and inputs that can be changed."""
        constants = self.graph["args"][self.index[node]]
        return [
            Symbol(("mval", place), float(getattr(x, "data", x)))
            if x.__class__ is not float or place in self.graph["inputs"]
            else Symbol(number(x), x)
            for x, place in zip(node.operands, constants, strict=True)
        ]

    def local_partials(self, node: Value) -> list[Any]:
        """Return place and formula of the local partials (None: a mere number), and whether it holds everywhere."""
        if node.op is None:
            return []
        rules = partial_formulas(node.op, symbols(node, self.name), Symbol(self.name(node), node.data), node.partials)
        exponent = node.op.name == "pow" and node.operands[1].__class__ is float
        everywhere = node.op.name in _TEXTBOOK or exponent or not script.has_cases(node.op, len(node.operands))
        lines = [
            [place, rule if rule and rule != number(partial, 4) else None, everywhere]
            for place, (x, rule, partial) in enumerate(zip(node.operands, rules, node.partials, strict=True))
            if x.__class__ is not float
        ]
        return lines if len(lines) <= _LOCALS else lines[: _LOCALS - 1]


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
    if kind in {"mfrac", "msup", "msqrt"}:
        return text((kind, *(("mi", typeset(part)) for part in parts)))
    return text(tree)


def samples(root: Value) -> list[list[Value]]:
    """Return the nodes of each sample in order of evaluation, its loss last; none if `root` is not a sum over samples.

    Leaves that all samples share, the parameters, belong to none of them but are listed with each.

    >>> w = Value(0.5, "w")
    >>> len(samples(((w * 2.0 - 1.0) ** 2 + (w * 3.0 - 1.0) ** 2) / 2)), samples(w * w)
    (2, [])
    """
    found = [evaluation_order(term) for term in _terms(root)]
    return found if len(found) > 1 and _alike(found) else []


def _terms(root: Value) -> list[Value]:
    terms: list[Value] = []
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        values = [x for x in node.operands if x.__class__ is not float]
        name = "" if node.op is None else node.op.name
        if name in _SUMS or (name in _SCALED and len(values) == 1):
            waiting += reversed(values)
        else:
            terms.append(node)
    return terms


def _alike(found: Sequence[list[Value]]) -> bool:
    signatures = {signature(nodes) for nodes in found}
    leaves = [{node for node in nodes if node.op is None} for nodes in found]
    inner = [node for nodes in found for node in nodes if node.op is not None]
    return (
        len(signatures) == 1
        and len(inner) >= _LEAST * len(found)
        and len(inner) == len(set(inner))
        and any(all(leaf in others for others in leaves) for leaf in leaves[0])
    )


def signature(nodes: Sequence[Value]) -> tuple[Any, ...]:
    """Return what two graphs have in common if one is drawn as the other: operations, and the places of operands."""
    place = {node: i for i, node in enumerate(nodes)}
    return tuple((node.op, tuple(place.get(x, -1) for x in node.operands)) for node in nodes)
