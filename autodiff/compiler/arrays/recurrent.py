"""Recurrences: what a step does not take from the step before is one product for all steps.

A sum W·[x; h] of each step, whose h depends on that of the step before and whose x does not, is split: W·x and the bias
become nodes of their own, which stand at one level, so that they are grouped into one product for all steps.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autodiff.compiler.arrays.ir import MUL
from autodiff.compiler.trace.graph import Graph, Input
from autodiff.compiler.trace.lookup import index_of

if TYPE_CHECKING:
    from autodiff.compiler.arrays.group import Grouping
    from autodiff.compiler.trace.graph import Term

STEPS = 3  # fewer are as well computed one after another

Apart = dict[
    int, tuple[int, list[int], Any]
]  # by sum: the layer it is a step of, the terms to split off, their weights


def hoisted(grouping: Grouping, inputs: list[Any]) -> None:
    """Split the sums of recurrences; `inputs`: of each sum, those of its terms weight × input, which come first."""
    graph = grouping.graph
    alike: defaultdict[Any, list[int]] = defaultdict(list)  # sums by their weights
    for i in graph.sums:
        if inputs[i]:
            alike[tuple([term[:2] for term in graph.sums[i][0][: len(inputs[i])]])].append(i)
    level, layers = grouping.level, dict[Any, int]()  # neurons with the same inputs are one layer
    steps = {
        row: (layers.setdefault((inputs[nodes[0]], inputs[nodes[-1]]), len(layers)), nodes)
        for row, nodes in alike.items() if len(row) > 1 and len({level[i] for i in nodes}) >= STEPS
    }  # fmt: skip
    after: list[int] = _after(graph, {i: layer for layer, nodes in steps.values() for i in nodes}) if steps else []

    def is_after(x: int, layer: int) -> bool:
        return bool(after[x] >> layer & 1)

    apart: Apart = {}
    for row, (layer, nodes) in steps.items():
        columns = [k for k in range(len(row)) if not any(is_after(inputs[i][k], layer) for i in nodes)]
        if 0 < len(columns) < len(row):
            own = tuple([row[k] for k in columns])
            apart.update(dict.fromkeys(nodes, (layer, columns, own)))
            first = [i for i in alike.get(own, []) if not is_after(i, layer)]  # steps whose state is a constant
            apart.update(dict.fromkeys(first, (layer, [*range(len(columns))], own)))
    if apart:
        _split(grouping, apart, inputs)


def with_states(graph: Graph, arguments: int) -> tuple[Graph, list[int | None]]:
    """Return a graph whose products with constants 0 read them from further arguments, as later steps read a state.

    So the text of the first step is that of the others. `arguments`: how many there are already. Returned with it: how
    many zeros each of the further arguments has, None for a single number.
    """
    zeros: list[int | None] = []
    made = replace(
        graph, ops=[*graph.ops], operands=[*graph.operands], sums=dict(graph.sums), inputs=dict(graph.inputs)
    )

    def zero(size: int | None, entry: int) -> int:
        """Return a node of an argument of so many zeros."""
        if size not in zeros:
            zeros.append(size)
        found = Input(arguments + zeros.index(size), entry)
        if found not in nodes:
            nodes[found] = made.add()
            made.inputs[nodes[found]] = found
        return nodes[found]

    nodes: dict[Input, int] = {}
    for i, (terms, constant) in graph.sums.items():
        scaled = [k for k, (c, _, b) in enumerate(terms) if c == 0.0 and b is None]
        weights = [k for k in scaled if terms[k][1] in graph.parameters]
        if scaled:
            own = list(terms)
            for k in scaled:
                alone = k not in weights or len(weights) == 1
                own[k] = 1.0, terms[k][1], zero(None, 0) if alone else zero(len(weights), weights.index(k))
            made.sums[i] = own, constant
    for i, op in enumerate(graph.ops):
        if op is MUL and any(graph.constants.get(x) == 0.0 for x in graph.operands[i]):
            made.operands[i] = tuple([zero(None, 0) if graph.constants.get(x) == 0.0 else x for x in graph.operands[i]])
    return made, zeros


def _after(graph: Graph, layer_of: dict[int, int]) -> list[int]:
    """Return the layers that each node depends on, itself included, as bits."""
    after = [0] * len(graph.ops)
    for i, op in enumerate(graph.ops):
        if op is not None:
            found = 1 << layer_of[i] if i in layer_of else 0
            for x in graph.below(i):
                found |= after[x]
            after[i] = found
    return after


def _split(grouping: Grouping, apart: Apart, inputs: list[Any]) -> None:
    """Add a node for the terms that each of these sums splits off, all of a layer's at one level."""
    given, level, needs = grouping.graph, grouping.level, grouping.needs
    graph = replace(given, ops=[*given.ops], operands=[*given.operands], sums=dict(given.sums))
    biases: dict[Any, set[Term]] = {}  # that all steps of a neuron have
    for i, (_, _, row) in apart.items():
        terms = graph.sums[i][0][len(inputs[i]) :]
        own = {term for term in terms if term[0] == 1.0 and term[2] is None and not grouping.batched[term[1]]}
        biases[row] = biases.get(row, own) & own
    parts: dict[int, int] = {}
    left: list[Any] = []
    for i, (_, columns, row) in sorted(apart.items()):
        terms, constant = graph.sums[i]
        bias = min(biases[row], default=None)
        off = [*[terms[k] for k in columns], *([bias] if bias else [])]
        linear = [k for k in range(len(inputs[i])) if k not in columns]
        rest = terms[len(inputs[i]) :]
        if bias:
            rest.remove(bias)
        parts[i] = new = graph.add(graph.ops[i])
        graph.sums[new] = off, 0.0
        graph.sums[i] = [*[terms[k] for k in linear], *rest, (1.0, new, None)], constant
        left.append((i, tuple([inputs[i][k] for k in linear]), new, tuple([inputs[i][k] for k in columns])))
    levels = _levels(graph, level, {i: (apart[i][0], part) for i, part in parts.items()})
    if levels is None:
        return
    grouping.graph, grouping.level = graph, levels
    grouping.steps.update(
        part for part in parts.values() if index_of(graph, [x for _, _, x in graph.sums[part][0] if x]) is None
    )
    grouping.batched += [True] * len(parts)
    needs += [any(needs[x] for x in graph.below(part)) for part in parts.values()]
    inputs += [None] * len(parts)
    for i, own, new, split in left:
        inputs[i], inputs[new] = own, split
        if len(graph.sums[i][0]) > len(own) + 1:
            grouping.arrange(i)


def _levels(graph: Graph, level: list[int], parts: dict[int, tuple[int, int]]) -> list[int] | None:
    """Return the levels of nodes, those of the parts of a layer alike; None where those depend on one another."""
    levels, floor = [*level, *[0] * len(parts)], dict[int, int]()
    below = [None if op is None else graph.below(i) for i, op in enumerate(graph.ops)]
    order = sorted(range(len(level)), key=level.__getitem__)
    for _ in range(len({layer for layer, _ in parts.values()}) + 1):
        before = dict(floor)
        for i in order:
            if i in parts:
                layer, part = parts[i]
                lowest = 1 + max([levels[x] for x in below[part] or ()])
                levels[part] = floor[layer] = max(floor.get(layer, 0), lowest)
            if (own := below[i]) is not None and levels[i] >= 0:
                levels[i] = 1 + max([levels[x] for x in own], default=0)
        if floor == before:
            return levels
    return None
