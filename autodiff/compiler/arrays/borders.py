"""Windows that reach over the border of a grid: zeros around the grid stand for what their sums leave out.

A convolution with `if 0 <= i < n` has sums of fewer terms at the border. Their products with parts of the weights are
one with the others: what they leave out becomes a place outside the grid, and the windows of the larger grid are a
view. A zero times an infinite weight is NaN: the careful version does not do so, and is asked then.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.compiler.arrays.axes import nest

if TYPE_CHECKING:
    from autodiff.compiler.arrays.group import Grouping
    from autodiff.compiler.arrays.ir import Var

Group = tuple[list[int], int]  # nodes, rows of weights × positions, and the number of positions

_WASTE = 2.5  # times as many terms after filling up, at most
_LARGEST = 4  # times as many places with the border, at most


def framed(grouping: Grouping, groups: list[Group]) -> list[Group]:
    """Join the groups that apply a part of each row of weights to that which applies all of them."""
    graph, whole = grouping.graph, dict[Any, list[Any]]()  # by a weight and level: the rows of a group and its parts
    result: list[Group] = []
    inside: list[Group] = []
    made: list[list[Any]] = []
    lengths = Counter(
        level for level, _ in {(grouping.level[i], len(graph.sums[i][0])) for (i, *_), _ in groups if i in graph.sums}
    )
    for nodes, positions in sorted(groups, key=lambda group: -len(graph.sums.get(group[0][0], ((),))[0])):
        rows = _rows(grouping, nodes, positions) if lengths[grouping.level[nodes[0]]] > 1 else []
        found = whole.get((grouping.level[nodes[0]], *next(iter(rows[0])))) if rows else None
        if rows and found is not None and (order := _order(grouping, found, nodes, positions, rows)) is not None:
            found[1].append((nodes, positions, order))
        elif rows and found is None and grouping.left_out.keys().isdisjoint(nodes):
            own = [rows, [(nodes, positions, list(range(len(rows))))]]
            made.append(own)
            whole.update({(grouping.level[nodes[0]], *weight): own for row in rows for weight in row})
        else:
            result.append((nodes, positions))
    for rows, parts in made:
        total = sum(positions for _, positions, _ in parts)
        terms = sum(len(graph.sums[i][0]) for nodes, _, _ in parts for i in nodes)
        if len(parts) == 1 or len(rows) * len(rows[0]) * total > _WASTE * terms:
            result += [part[:2] for part in parts]
            continue
        columns = [[nodes[r * n + k] for r in order] for nodes, n, order in parts for k in range(n)]
        joined = [i for row in zip(*sorted(columns), strict=True) for i in row]
        grouping.frames[joined[0]] = rows, [part[:2] for part in parts]
        inside.append((joined, total))
    for nodes, _ in result:
        grouping.put_back(nodes)
    return result + inside


def _rows(grouping: Grouping, nodes: list[int], positions: int) -> list[dict[Any, int]]:
    """Return the weights of each row of a group of products, each with its place; none of other groups."""
    graph = grouping.graph
    if not positions or nodes[0] not in graph.sums or nodes[0] in grouping.steps:
        return []
    rows = [[t[:2] for t in graph.sums[i][0] if grouping.is_linear(t)] for i in nodes[::positions]]
    each = [{weight: k for k, weight in enumerate(row)} for row in rows]
    once = len({weight for row in each for weight in row}) == sum(map(len, rows)) > 0
    return each if once and grouping.decides.isdisjoint(nodes) else []


def _order(grouping: Grouping, found: list[Any], nodes: list[int], positions: int, rows: Any) -> list[int] | None:
    """Return which row of a group has a part of each row of a larger one, and all else of it; None of others."""
    full, ((like, times, _), *_) = found
    of = {weight: r for r, row in enumerate(full) for weight in row}
    order = [{of.get(weight, -1) for weight in row} for row in rows]
    if len(full) != len(rows) or sorted(map(sorted, order)) != [[r] for r in range(len(full))]:
        return None
    if len({tuple([full[min(r)][weight] for weight in row]) for r, row in zip(order, rows, strict=True)}) > 1:
        return None  # one input would be at several places of a window
    rest = [
        {(grouping.rest(i), grouping.graph.sums[i][1]) for i in group[r * n : (r + 1) * n]}
        for group, n in ((like, times), (nodes, positions)) for r in range(len(full))
    ]  # fmt: skip
    back = [min(r) for r in order]
    weights = [{w for _, w in row} for row in full]
    for k, r in enumerate(back):
        zeros = [t for i in nodes[k * positions : (k + 1) * positions] for t in grouping.left_out.get(i, ())]
        if not weights[r].issuperset([w for term in zeros for w in grouping.zero_weights(term)]):
            return None
    alike = all(len(rest[r]) == 1 and rest[len(full) + k] == rest[r] for k, r in enumerate(back))
    return [back.index(r) for r in range(len(full))] if alike else None


def windows(grouping: Grouping, nodes: list[int], positions: int) -> Var | None:
    """Return the inputs of each position of a joined group, weights × positions; None where they are no windows.

    The sums of the group have all weights afterwards, whose other factors are no longer looked at.
    """
    graph, (full, *_) = grouping.graph, grouping.frames[nodes[0]][0]
    sums = [[t for t in graph.sums[i][0] if grouping.is_linear(t)] for i in nodes]
    inputs = [x for terms in sums[:positions] for _, _, x in terms if x is not None]
    if (found := grouping.together(inputs)) is None:
        return None
    home, places = found
    at, left = np.full((len(full), positions), -1), iter(places)
    for p, terms in enumerate(sums[:positions]):
        for c, w, _ in terms:
            at[full[c, w], p] = next(left)
    there = np.flatnonzero((at >= 0).all(axis=0))[:1]
    order = np.argsort(at[:, there].sum(axis=1), kind="stable")  # weights by the places of their inputs: taps go on
    if (grid := frame(at[order], home.size)) is None:
        return None
    graph = grouping.graph = replace(graph, sums=dict(graph.sums))
    for r, row in enumerate(grouping.frames[nodes[0]][0]):
        own = list(row)
        weights = [own[k] for k in order]
        for i in nodes[r * positions : (r + 1) * positions]:
            terms, constant = graph.sums[i]
            anything = next(t[2] for t in terms if grouping.is_linear(t))
            rest = [t for t in terms if not grouping.is_linear(t)]
            graph.sums[i] = [*[(c, w, anything) for c, w in weights], *rest], constant
    around, views = grid
    (view,) = grouping.aligned([(grouping.code.padded(home, around, 0.0), views.ravel())], positions)
    return grouping.code.solid(view, at.shape)


def frame(at: Any, size: int) -> tuple[Any, Any] | None:
    """Return a grid with a border around it, as places in the array, −1 where there is none, and windows of that grid.

    `at`: the place of each term of a window, by position, −1 where it is left out. None where they are no windows.
    """
    there = at >= 0
    whole = np.flatnonzero(there.all(axis=0))
    own = nest(at[:, whole[0]]) if len(whole) else None
    parts = {column.tobytes(): p for p, column in enumerate(there.T)}.values()
    nests = [nest(at[there[:, p], p]) for p in parts]  # a window as wide as the grid is one axis, its parts are two
    steps = list[int]()
    for step in sorted({1, *(step for each in nests if each for step in each[1])} - {0}, reverse=True):
        if not steps or steps[-1] % step == 0:  # others are several steps of a smaller one, as of dilated windows
            steps.append(step)
    coordinates, taps = _digits(at, steps), _digits(at[:, whole[:1]], steps)
    if own is None:
        return None
    taps = taps - taps[:, :1]
    first: Any = there.argmax(axis=0)
    windows = (coordinates[:, first, np.arange(at.shape[1])] - taps[:, first, 0])[:, None] + taps
    low = windows.min(axis=(1, 2))
    shape = tuple((windows.max(axis=(1, 2)) - low + 1).tolist())
    if (windows != coordinates)[:, there].any() or math.prod(shape) > _LARGEST * size:
        return None
    grid, places = np.full(shape, -1), _digits(np.arange(size), steps) - low[:, None]
    inside = ((places >= 0) & (places < np.array(shape)[:, None])).all(axis=0)
    grid[tuple(places[:, inside])] = np.flatnonzero(inside)
    views = np.ravel_multi_index(tuple(windows - low[:, None, None]), shape)
    return (grid, views) if np.array_equal(grid.ravel()[views], at) else None


def _digits(places: Any, steps: Sequence[int]) -> Any:
    """Return places as coordinates, one for each of these steps, each a multiple of the next."""
    coordinates: list[Any] = []
    for step in steps:
        coordinates.append(places // step)
        places = places % step
    return np.stack(coordinates)
