"""Sums of different length as one: a causal mask, a triangle, a list that grows from step to step.

A triangle of products, such as each query with the keys up to its own, is computed as a square, so that its factors are
views. Shorter sums are filled up to the length of the longest: read on beyond the end where their terms go on evenly,
where a logsumexp adds −∞ and a factor of products is 0; or copied into rows of equal length. A zero times an infinity
beyond the end is NaN: the careful version of a program does not fill up, and is asked then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.compiler.arrays.axes import nest
from autodiff.compiler.arrays.ir import ADD, MUL
from autodiff.ops import OPS

if TYPE_CHECKING:
    from autodiff.compiler.arrays.group import Grouping

_EXP, _LSE = OPS["exp"], OPS["logsumexp"]
_KINDS = 3  # of lengths: fewer are as well computed one after another
_SQUARES = 4.0  # times as many products after adding those that a square lacks, at most
_WASTE = 2.5  # times as many terms after filling up, at most


def squared(grouping: Grouping, buckets: dict[Any, list[int]]) -> None:
    """Add to triangles and bands of products what they lack to be squares, and to operations on each of their numbers.

    Groups are then in the order of the columns, so that a softmax of each row sums along the first axis in memory.
    """
    kinds = min(_KINDS, grouping.few)
    squares: dict[int, Square] = {}  # by node
    for key, nodes in sorted(buckets.items(), key=lambda item: item[0][0]):
        graph, columns, whole, rows = grouping.graph, None, None, 0
        if 2 * len(nodes) >= kinds * (kinds + 1) and (key[1] is MUL or (key[1] == "sum" and key[2] is None)):
            columns = _columns_of(grouping, nodes, kinds)
        if columns is not None:
            if grouping.decides.isdisjoint(nodes) and graph.stopped.isdisjoint(nodes):
                rows = len(columns[0])
                whole = [x if x.__class__ is int else _like(grouping, nodes[0], chain(*zip(*x, strict=True)))
                         for column in columns for x in column]  # fmt: skip
        elif squares and (found := _follows(grouping, nodes, squares)) is not None:
            square, of, below = found
            rows = square.rows
            whole = [of[x] if x in of else _like(grouping, nodes[0], below(k, x)) for k, x in enumerate(square.nodes)]
        if whole is not None:
            buckets[key] = whole
            squares.update(dict.fromkeys(whole, Square(whole, set(whole) - set(nodes), rows)))
    for square in {id(square): square for square in squares.values()}.values():
        _whole_rows(grouping, buckets, square)


@dataclass(frozen=True)
class Square:
    """The nodes of a square column by column, those among them that were added, and the number of rows."""

    nodes: list[int]
    added: set[int]
    rows: int


# A square, the node of an operation on each of its nodes, and the operands of that operation on a node at a place.
Followed = tuple[Square, dict[int, int], Callable[[int, int], list[int]]]


def _columns_of(grouping: Grouping, nodes: list[int], kinds: int) -> list[list[Any]] | None:
    """Return the columns of a triangle or band, nodes and the factors of those that are missing; None of others."""
    rows: dict[Any, dict[Any, int]] = {}
    for i in nodes:
        factors = operands_of(grouping, i)
        if factors is None or len(factors) != 2 or not all(grouping.batched[x] for row in factors for x in row):
            return None
        rows.setdefault(tuple(factors[0]), {})[tuple(factors[1])] = i
    whole: list[list[Any]] = []  # by square, all that its rows are multiplied with
    of: dict[Any, list[Any]] = {}
    for row in rows.values():
        own = next((of[factor] for factor in row if factor in of), None)
        if own is None:
            whole.append(own := [])
        own += [factor for factor in row if factor not in of]
        of.update(dict.fromkeys([factor for factor in row if factor not in of], own))
    n = len(whole[0])
    if any(len(own) != n for own in whole) or len(rows) * n > _SQUARES * len(nodes):
        return None
    full = [(left, row, own) for own in whole for left, row in rows.items() if of[next(iter(row))] is own]
    parts = [[own.index(factor) if of[factor] is own else -1 for factor in row] for _, row, own in full]
    if len(set(map(tuple, parts))) < kinds or any(part != [*range(part[0], part[0] + len(part))] for part in parts):
        return None
    return [[row.get(own[k], (left, own[k])) for left, row, own in full] for k in range(n)]


def _follows(grouping: Grouping, nodes: list[int], squares: dict[int, Square]) -> Followed | None:
    """Return the square of which these are an operation on each number that was there, and each one's node.

    With them goes a function of a place there and a node, which returns the operands of the operation on it.
    """
    graph, of = grouping.graph, dict[int, int]()
    others: dict[int, list[int]] = {}  # of each column: a mask's for one
    square, places = None, dict[int, int]()
    for i in nodes:
        below = graph.below(i)
        inner = [x for x in below if x in squares]
        own = [x for x in below if x not in squares]
        if square is None and inner:
            square = squares[inner[0]]
            places = {x: k for k, x in enumerate(square.nodes)}
        if square is None or len(inner) != 1 or inner[0] not in places or graph.ops[i] is _LSE:
            return None
        if others.setdefault(places[inner[0]] // square.rows, own) != own:
            return None
        of[inner[0]] = i
    assert square is not None
    like = graph.below(nodes[0])
    at = next(k for k, x in enumerate(like) if x in squares)

    def below_of(place: int, x: int) -> list[int]:
        own = others[place // square.rows]
        return [*own[:at], x, *own[at:]]

    there = len(of) == len(nodes) == len(square.nodes) - len(square.added) and square.added.isdisjoint(of)
    alike = all([x in squares for x in graph.below(i)].index(True) == at for i in nodes)
    return (square, of, below_of) if there and alike and graph.stopped.isdisjoint(nodes) else None


def _whole_rows(grouping: Grouping, buckets: dict[Any, list[int]], square: Square) -> None:
    """Make a softmax of a part of each row one of all of it, −∞ added to the others; and sums with its shares.

    Rows that begin with the square, as those of a triangle do, are filled up when they are written (`filled`).
    """
    graph, level, size = grouping.graph, grouping.level, square.rows
    place = {x: k for k, x in enumerate(square.nodes)}
    rows = _rows_of(grouping, buckets, place, size)
    totals = {i: row for row, (i, _) in rows.items()}
    if len({level[i] for i in totals}) != 1 or all(own == {*range(len(own))} for _, own in rows.values()):
        return
    shares = _shares_of(grouping, totals, place)
    used = {*totals, *chain(*shares.values())}
    complete = len(rows) == size and len(shares) == sum(len(own) for _, own in rows.values())
    if not complete or not grouping.decides.isdisjoint(used) or not graph.stopped.isdisjoint(used):
        return
    grouping.own_graph()
    graph, like = grouping.graph, next(iter(shares.values()))
    masked, less, share = list[int](), list[int](), list[int]()
    for k, x in enumerate(square.nodes):
        i, own = rows[k % size]
        new = grouping.added(like[0], [(1.0, x, None)], batched=True, needs=grouping.needs[x])
        level[new] = level[i] - 1  # after the square, before the sums
        graph.sums[new] = [(1.0, x, None)], 0.0 if k // size in own else -math.inf
        difference, exponential = shares.get(k, (-1, -1))
        if k not in shares:
            difference = _like(grouping, like[0], graph.below(like[0]))
            exponential = _like(grouping, like[1], [difference])
        graph.sums[difference] = [(1.0, new, None), (-1.0, i, None)], 0.0
        masked.append(new)
        less.append(difference)
        share.append(exponential)
    for row, (i, _) in rows.items():
        graph.operands[i] = tuple(masked[row::size])
    for nodes in (masked, [rows[row][0] for row in range(size)], less, share):
        _bucket(grouping, buckets, nodes)
    _weighted(grouping, buckets, {x: k for k, x in enumerate(share)}, size)


def _rows_of(
    grouping: Grouping, buckets: dict[Any, list[int]], place: dict[int, int], size: int
) -> dict[int, tuple[int, set[int]]]:
    """Return by row of a square the logsumexp of a part of it, and the columns there; none where a row has two."""
    rows: dict[int, tuple[int, set[int]]] = {}
    for i in [i for key, nodes in buckets.items() if key[1] is _LSE for i in nodes]:
        at = [place.get(x, -1) for x in grouping.graph.operands[i]]
        if min(at) >= 0 and len({k % size for k in at}) == 1:
            if at[0] % size in rows:
                return {}
            rows[at[0] % size] = i, {k // size for k in at}
    return rows


def _shares_of(grouping: Grouping, lse: dict[int, int], place: dict[int, int]) -> dict[int, tuple[int, int]]:
    """Return, by place in a square, x − logsumexp and the exponential of that."""
    graph, less = grouping.graph, dict[int, int]()
    for i, (terms, constant) in graph.sums.items():
        scales = {x: c for c, x, b in terms if b is None}
        if len(terms) == 2 == len(scales) and not constant:
            x, total = sorted(scales, key=scales.__getitem__, reverse=True)
            if (scales[x], scales[total]) == (1.0, -1.0) and total in lse and place.get(x, -1) >= 0:
                less[i] = place[x]
    exps = [(xs[0], i) for i, xs in enumerate(graph.operands) if graph.ops[i] is _EXP and xs[0] in less]
    return {less[x]: (x, i) for x, i in exps} if len(exps) == len(less) else {}


def _weighted(grouping: Grouping, buckets: dict[Any, list[int]], place: dict[int, int], size: int) -> None:
    """Make sums of products with a part of a row of shares those with all of it: the others are 0."""
    graph, columns = grouping.graph, dict[Any, dict[int, int]]()  # by column and factor, the factors of all columns
    share = list(place)
    found: dict[int, tuple[int, dict[int, int]]] = {}  # by sum, its row and the factor of each column
    for i in [i for i, op in enumerate(graph.ops) if op is not None]:
        if i not in graph.sums and graph.ops[i] is not MUL:
            continue
        terms, constant = graph.sums.get(i) or ([(1.0, *graph.operands[i])], 0.0)
        pairs = [(a, b) if a in place else (b, a) for c, a, b in terms if b is not None and c == 1.0]
        at = [place.get(x, -1) for x, _ in pairs]
        if len(pairs) < len(terms) or constant or not at or min(at) < 0 or len({k % size for k in at}) > 1:
            continue
        own = {k // size: x for k, (_, x) in zip(at, pairs, strict=True)}
        whole = next((columns[each] for each in own.items() if each in columns), dict[int, int]())
        if any(whole.get(k, x) != x for k, x in own.items()) or i in graph.stopped or i in grouping.decides:
            return
        whole.update(own)
        columns.update(dict.fromkeys(own.items(), whole))
        found[i] = at[0] % size, whole
    n = len(share) // size
    same = (
        len({(grouping.level[i], grouping.batched[x]) for i, (_, whole) in found.items() for x in whole.values()}) == 1
    )
    if same and all(len(whole) == n for _, whole in found.values()):
        for i, (row, whole) in found.items():
            graph.sums[i] = [(1.0, share[k * size + row], whole[k]) for k in range(n)], 0.0
        _bucket(grouping, buckets, list(found))


def _bucket(grouping: Grouping, buckets: dict[Any, list[int]], nodes: list[int]) -> None:
    """Make a group of these nodes."""
    taken, (first, *_) = set(nodes), nodes
    for key, own in list(buckets.items()):
        if not taken.isdisjoint(own):
            buckets[key] = [i for i in own if i not in taken]
            if not buckets[key]:
                del buckets[key]
    kind = "sum" if first in grouping.graph.sums else grouping.graph.ops[first]
    buckets[grouping.level[first], kind, None, "whole", first, first, None, 0] = nodes


def _like(grouping: Grouping, i: int, below: Iterable[int]) -> int:
    """Append a node like this one, with other operands, to a graph that is the grouping's own."""
    grouping.own_graph()
    graph = grouping.graph
    grouping.level.append(grouping.level[i])
    grouping.batched.append(grouping.batched[i])
    grouping.needs.append(grouping.needs[i])
    new, left = graph.add(graph.ops[i]), iter(below)
    if i in graph.sums:
        terms, constant = graph.sums[i]
        graph.sums[new] = [(c, next(left), None if b is None else next(left)) for c, _, b in terms], constant
    else:
        graph.operands[new] = tuple(left)
    return new


def evened(grouping: Grouping, buckets: dict[Any, list[int]]) -> list[list[int]]:
    """Take nodes that are alike except for their length out of their groups; return them as groups of their own."""
    graph, kinds = grouping.graph, min(_KINDS, grouping.few)
    alike: dict[Any, dict[int, int]] = {}  # the length of each node, by what they share
    for nodes in buckets.values():
        for i in nodes:
            if graph.ops[i] is _LSE or (i in graph.sums and len(graph.sums[i][0]) > 1):
                _note(grouping, i, alike)
    alike = {
        key: nodes
        for key, nodes in alike.items()
        if len(set(nodes.values())) >= (_KINDS if kinds == _KINDS else kinds - 1)
    }
    if alike:
        shared = {key[:2] for key in alike}
        for i, op in enumerate(graph.ops):  # products are sums of one term
            one = len(graph.sums[i][0]) == 1 if i in graph.sums else op is MUL
            if one and (grouping.level[i], "sum") in shared:
                _note(grouping, i, alike)
    found = [
        list(nodes) for nodes in alike.values()
        if len(nodes) * max(nodes.values()) <= _WASTE * sum(nodes.values()) and grouping.decides.isdisjoint(nodes)
        and len(set(nodes.values())) >= kinds
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
    factors: list[tuple[Any, list[list[int]]]] = []
    for rows in zip(*[operands_of(grouping, i) or () for i in nodes], strict=True):
        found = grouping.together(list(chain.from_iterable(rows)))
        if found is None:
            return None
        places = iter(found[1])
        factors.append((found[0], [list(islice(places, len(row))) for row in rows]))
    n = max(map(len, factors[0][1]))
    if len(factors) == 1 and (masked := _with_ends(grouping, nodes, *factors[0], n)) is not None:
        return masked
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


def _with_ends(
    grouping: Grouping, nodes: list[int], home: Any, rows: list[list[int]], n: int
) -> tuple[list[int], Any, int] | None:
    """Return the operands of logsumexps read on beyond their ends, where −∞ is added; None where there is no view."""
    whole = _evenly(rows, n, home.size)
    if whole is None:
        return None
    order = grouping.order_of([whole])
    if nest(whole[order].ravel()) is None:
        return None
    (view,) = grouping.aligned([(home, whole[order].ravel())], n)
    lengths = np.array([len(row) for row in rows])[order]
    ends = np.where(np.arange(n) < lengths[:, None], 0.0, -math.inf).reshape(view.units)
    terms = grouping.code.apply(ADD, view, grouping.code.const(ends.ravel().tolist(), view.units))
    return [nodes[k] for k in order.tolist()], terms, n


def _masked(grouping: Grouping, home: Any, rows: list[list[int]], n: int, value: float) -> tuple[Any, Any]:
    """Return an array in which each row goes on with `value`, and the places there: a copy, unless it does already."""
    whole, zeros = _evenly(rows, n, home.size), grouping.zeros.get(home.number, set[int]())
    if (
        value == 0.0
        and whole is not None
        and all(zeros.issuperset(full[len(row) :]) for full, row in zip(whole.tolist(), rows, strict=True))
    ):
        return home, whole
    along = np.arange(n)
    kinds = {row: k for k, row in enumerate(dict.fromkeys(map(tuple, rows)))}
    at = np.array([[*row, *[-1] * (n - len(row))] for row in kinds])
    return grouping.code.padded(home, at, value), np.array([kinds[tuple(row)] for row in rows])[:, None] * n + along


def _evenly(rows: list[list[int]], n: int, size: int) -> Any:
    """Return rows of places, all with one step, read on to n places each; None where they have none or end before."""
    longest = max(rows, key=len)
    step = longest[1] - longest[0]
    whole = np.array([row[0] for row in rows])[:, None] + step * np.arange(n)
    alike = step > 0 and whole.max() < size
    alike = alike and all(full[: len(row)] == row for full, row in zip(whole.tolist(), rows, strict=True))
    return whole if alike else None


def _read_on(rows: list[list[int]], n: int, size: int) -> list[list[int]] | None:
    """Return rows of places, each read on to the length of the longest that begins where it does; else None."""
    longest = {row[0]: row for row in sorted(rows, key=len)}
    whole = [longest[row[0]] for row in rows]
    if all(len(full) == n and full[: len(row)] == row for full, row in zip(whole, rows, strict=True)) and size:
        return whole
    return None
