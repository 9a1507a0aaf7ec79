"""Sums of different length as one: a causal mask, a triangle, a list that grows from step to step.

Shorter sums are filled up to the length of the longest. One factor of a product is copied into rows of equal length,
with zeros at their ends; the other one is read on beyond the end where it goes on evenly, so that it stays a view. A
zero times an infinity beyond the end is NaN: the careful version of a program does not fill up, and is asked then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.compiler.arrays.ir import MUL
from autodiff.ops import OPS

if TYPE_CHECKING:
    from autodiff.compiler.arrays.group import Grouping

_LSE = OPS["logsumexp"]
_KINDS = 3  # of lengths: fewer are as well computed one after another
_WASTE = 2.5  # times as many terms after filling up, at most


def evened(grouping: Grouping, buckets: dict[Any, list[int]]) -> list[list[int]]:
    """Take nodes that are alike except for their length out of their groups; return them as groups of their own."""
    graph = grouping.graph
    alike: dict[Any, dict[int, int]] = {}  # the length of each node, by what they share
    for nodes in buckets.values():
        for i in nodes:
            if graph.ops[i] is _LSE or (i in graph.sums and len(graph.sums[i][0]) > 1):
                _note(grouping, i, alike)
    alike = {key: nodes for key, nodes in alike.items() if len(set(nodes.values())) >= _KINDS}
    if alike:
        shared = {key[:2] for key in alike}
        for i, op in enumerate(graph.ops):  # products are sums of one term
            if op is MUL and i not in graph.sums and (grouping.level[i], "sum") in shared:
                _note(grouping, i, alike)
    hidden = graph.deciding() if alike else set[int]()
    found = [
        list(nodes) for nodes in alike.values()
        if len(nodes) * max(nodes.values()) <= _WASTE * sum(nodes.values()) and hidden.isdisjoint(nodes)
        and len(set(nodes.values())) >= _KINDS
    ]  # fmt: skip
    taken = {i for nodes in found for i in nodes}
    if taken:
        for key, nodes in list(buckets.items()):
            buckets[key] = [i for i in nodes if i not in taken]
            if not buckets[key]:
                del buckets[key]
    return found


def _note(grouping: Grouping, i: int, alike: dict[Any, dict[int, int]]) -> None:
    """Note the length of a node, by its level and by what its terms are made of."""
    graph, level = grouping.graph, grouping.level
    rows = operands_of(grouping, i)
    if rows is not None and all(grouping.batched[x] for row in rows for x in row):
        made = tuple([(graph.ops[row[0]], level[row[0]]) for row in rows])
        key = level[i], "sum" if len(rows) == 2 else _LSE, made, grouping.needs[i], i in graph.stopped
        alike.setdefault(key, {})[i] = len(rows[0])


def operands_of(grouping: Grouping, i: int) -> list[Sequence[int]] | None:
    """Return the left and the right factors of a sum, or the operands of a logsumexp; None of anything else."""
    graph = grouping.graph
    if graph.ops[i] is _LSE:
        return [graph.operands[i]]
    if i not in graph.sums:
        return [[x] for x in graph.operands[i]]
    terms, constant = graph.sums[i]
    if constant or any(c != 1.0 or b is None for c, _, b in terms):
        return None
    return [[a for _, a, _ in terms], [b for _, _, b in terms if b is not None]]


def filled(grouping: Grouping, nodes: list[int]) -> tuple[list[int], Any, int] | None:
    """Return nodes in a good order, their terms filled up, (nodes, n) in any axes, and n; None where copies are needed.

    The terms of a sum are one array: the product of its factors.
    """
    where = grouping.where
    factors: list[tuple[Any, list[list[int]]]] = []
    for rows in zip(*[operands_of(grouping, i) or () for i in nodes], strict=True):
        found = [[where.get(x, (None, None)) for x in row] for row in rows]
        home, place = found[0][0]
        if place is None or any(h is not home for row in found for h, _ in row):
            return None
        factors.append((home, [[at for _, at in row if at is not None] for row in found]))
    n = max(map(len, factors[0][1]))
    whole = [_read_on(rows, n, home.size) for home, rows in factors]
    masked = 1 if len(factors) == 2 and whole[0] is not None and whole[1] is None else 0
    home, rows = factors[masked]
    sources = [_masked(grouping, home, rows, n, 0.0 if len(factors) == 2 else -math.inf)]
    if len(factors) == 2:
        home, rows = factors[1 - masked]
        sources.append((home, np.array(whole[1 - masked] or [[*row, *[row[-1]] * (n - len(row))] for row in rows])))
    order = grouping.order_of([places for _, places in sources])
    views = grouping.aligned([(home, places[order].ravel()) for home, places in sources], n)
    terms = views[0] if len(views) == 1 else grouping.code.apply(MUL, *views)
    return [nodes[k] for k in order.tolist()], terms, n


def _masked(grouping: Grouping, home: Any, rows: list[list[int]], n: int, value: float) -> tuple[Any, Any]:
    """Return an array in which each row goes on with `value`, and the places there: a copy, unless it does already."""
    along = np.arange(n)
    if value == 0.0 and all(
        grouping.ends.get((home.number, row[0])) == (row[-1], n) and row == list(range(row[0], row[-1] + 1))
        for row in rows
    ):
        return home, np.array([row[0] for row in rows])[:, None] + along
    kinds = {row: k for k, row in enumerate(dict.fromkeys(map(tuple, rows)))}
    at = np.array([[*row, *[-1] * (n - len(row))] for row in kinds])
    return grouping.code.padded(home, at, value), np.array([kinds[tuple(row)] for row in rows])[:, None] * n + along


def _read_on(rows: list[list[int]], n: int, size: int) -> list[list[int]] | None:
    """Return rows of places, each read on to the length of the longest that begins where it does; else None."""
    longest = {row[0]: row for row in sorted(rows, key=len)}
    whole = [longest[row[0]] for row in rows]
    if all(len(full) == n and full[: len(row)] == row for full, row in zip(whole, rows, strict=True)) and size:
        return whole
    return None
