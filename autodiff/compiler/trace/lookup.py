"""Lookups: chains of `where` become Σ wₖ · (x = k); of a large table that is one column of a matrix, and no product."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from autodiff.compiler.trace.graph import Graph, Loop
from autodiff.compiler.trace.operations import EITHER, EQUAL
from autodiff.ops import OPS

_WHERE = OPS["where"]
FEW = 8  # entries of a chain: where with fewer is as quick
MANY = 64  # entries: a matrix product with fewer is as quick, and is one for all the positions of a network


def index_of(graph: Graph, nodes: Sequence[int | None]) -> tuple[int, Any] | None:
    """Return the node that all these compare with numbers, and those numbers, increasing; None of other nodes."""
    if len(nodes) < MANY:
        return None
    constants, x = graph.constants, -1
    keys: list[float] = []
    for i in nodes:
        if i is None or graph.ops[i] is not EQUAL:
            return None
        of, key = graph.operands[i]
        if key not in constants or x not in (-1, of) or (keys and constants[key] <= keys[-1]):
            return None
        x = of
        keys.append(constants[key])
    return x, np.array(keys)


def indices_of(graph: Graph, positions: Sequence[Sequence[int | None]]) -> tuple[list[int], Any] | None:
    """Return the index that each position compares with the same numbers, and those numbers; None of other nodes."""
    found = [index_of(graph, nodes) for nodes in positions]
    pairs = [pair for pair in found if pair is not None and np.array_equal(pair[1], (found[0] or pair)[1])]
    return ([x for x, _ in pairs], pairs[0][1]) if pairs and len(pairs) == len(found) else None


def counted(graph: Graph, i: int) -> tuple[int, Any, int] | None:
    """Return the node whose number a sum of constants is looked up by, the keys, and where these terms begin."""
    terms, _ = graph.sums[i]
    if len(terms) < MANY:
        return None
    alone = [k for k, (_, x, other) in enumerate(terms) if other is None and graph.ops[x] is EQUAL]
    if not alone or alone != list(range(alone[0], alone[0] + len(alone))):
        return None
    found = index_of(graph, [terms[k][1] for k in alone])
    return None if found is None else (*found, alone[0])


class _Chain(NamedTuple):
    """A chain of `where(x == k, a, …)`: x, the conditions and entries by increasing k, and what stands at its end."""

    x: int
    conditions: tuple[int, ...]
    entries: tuple[int, ...]
    rest: int


def chains_as_sums(graph: Graph) -> Graph:
    """Return the graph with chains of `where(x == k, a, …)`, and sums of such, as sums of products in the fast version.

    The entries are the same for all rows, so that a product with 0 is 0; where one of them is not finite, the careful
    version has the chain.
    """
    chains = dict(_chains(graph))
    if not chains:
        return graph
    source, ops, operands = list[int](), list[Any](), list[tuple[int, ...]]()
    stopped = set[int]()

    def put(op: Any, xs: tuple[int, ...], stop: bool) -> int:
        ops.append(op)
        operands.append(xs)
        stopped.update([len(ops) - 1] if stop else ())
        return len(ops) - 1

    zero = put(None, (), False)
    hits: dict[tuple[tuple[int, ...], bool], int] = {}
    for i, op in enumerate(graph.ops):
        stop = i in graph.stopped
        place = put(op, tuple([source[x] for x in graph.operands[i]]), stop)
        if (chain := chains.get(i)) is not None:
            conditions = tuple([source[x] for x in chain.conditions])
            found = put(OPS["weighted_sum"], (*[source[x] for x in chain.entries], *conditions, zero), stop)
            if graph.constants.get(chain.rest) != 0.0:
                key = conditions, stop
                if key not in hits:
                    hits[key] = put(OPS["total"], conditions, stop)
                found = put(_WHERE, (hits[key], found, source[chain.rest]), stop)
            place = put(EITHER, (found, place), stop)
        source.append(place)

    def those(table: dict[int, Any]) -> dict[int, Any]:
        return {source[i]: x for i, x in table.items()}

    return replace(
        graph, ops=ops, operands=operands, constants={zero: 0.0} | those(graph.constants), inputs=those(graph.inputs),
        parameters=those(graph.parameters), labels=those(graph.labels), stopped=stopped,
        outputs=[source[x] for x in graph.outputs],
    )  # fmt: skip


def _chains(graph: Graph) -> Iterator[tuple[int, _Chain]]:
    """Return the chains that are worth a sum, by the outermost of their nodes."""
    ops, operands, constants = graph.ops, graph.operands, graph.constants
    steps = _steps(graph) if _WHERE in ops and EQUAL in ops else {}
    inner, found = set[int](), dict[int, _Chain]()
    for i in sorted(steps, reverse=True):
        if i in inner:
            continue
        x, entries, node = steps[i][0], dict[float, tuple[int, int]](), i
        while (step := steps.get(node)) is not None and step[0] == x and step[1] not in entries:
            if (node in graph.stopped) != (i in graph.stopped):
                break
            if graph.uses[node] == 1:
                inner.add(node)
            condition, entry, rest = operands[node]
            entries[step[1]] = condition, entry
            node = rest
        pairs = [pair for _, pair in sorted(entries.items())]
        found[i] = _Chain(x, tuple([c for c, _ in pairs]), tuple([a for _, a in pairs]), node)
    lone = Counter([chain.x for chain in found.values() if constants.get(chain.rest) == 0.0])
    for i, chain in found.items():
        if len(chain.entries) >= FEW or (constants.get(chain.rest) == 0.0 and lone[chain.x] >= FEW):
            yield i, chain


def _steps(graph: Graph) -> dict[int, tuple[int, float]]:
    """Return each `where(x == k, a, …)` whose a is the same for all rows, with x and k."""
    ops, operands, constants = graph.ops, graph.operands, graph.constants
    found, shared = dict[int, tuple[int, float]](), list[bool]()
    for i, op in enumerate(ops):
        xs = operands[i]
        computed = op is not None and not isinstance(op, Loop)
        shared.append(all(shared[x] for x in xs) if computed else i in graph.parameters or _plain(i, graph))
        if op is _WHERE and ops[xs[0]] is EQUAL and shared[xs[1]]:
            x, key = operands[xs[0]]
            if key in constants:
                found[i] = x, constants[key]
    return found


def _plain(i: int, graph: Graph) -> bool:
    """Tell whether a leaf is a constant that a product with 0 takes nothing from."""
    x = graph.constants.get(i, math.nan)
    return math.isfinite(x) and (x != 0.0 or math.copysign(1.0, x) > 0.0)
