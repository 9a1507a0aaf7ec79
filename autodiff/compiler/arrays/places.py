"""Sums over the positions of one product, taken apart: Σ over positions of Σ w·x reached the graph as one long sum.

`sum(v for row in image for v in row)` of a layer without an activation is merged with the sums of the layer, and a loop
may add every term to one total. Weights then repeat among the terms. The terms of each position become a sum of their
own again, so that all of them are one product; a weight that many inputs in a row share is taken out of their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autodiff.compiler.trace.graph import Term

_RUN = 4  # inputs of one weight in a row, at least


def repeats(linear: Sequence[Term]) -> bool:
    """Tell whether a weight has more than one place among terms weight × input."""
    return len({w for _, w, _ in linear}) < len(linear)


def parts(linear: Sequence[Term]) -> tuple[list[list[Term]], list[int], list[Term]] | None:
    """Return the sums that terms weight × input are made of, the weight of each or −1, and terms that stay as they are.

    None where neither the weights of a position nor the inputs of a weight lie side by side.
    """
    runs = [list(run) for _, run in groupby(linear, lambda term: term[1])]
    if min(map(len, runs)) >= _RUN:
        return [[(c, x, None) for c, _, x in run if x is not None] for run in runs], [run[0][1] for run in runs], []
    ends: dict[Any, int] = {}  # by its first weight, how many terms a position has
    start, seen = 0, set[int]()
    for k, (_, w, _) in enumerate([*linear, linear[-1]]):
        if w in seen:
            first = linear[start][:2]
            ends[first] = min(k - start, ends.get(first, k))
            start = k
            seen.clear()
        seen.add(w)
    rows: dict[Any, list[list[Term]]] = {}
    k = 0
    while k < len(linear):
        piece = list(linear[k : k + ends.get(linear[k][:2], 1)])
        rows.setdefault(tuple([term[:2] for term in piece]), []).append(piece)
        k += len(piece)
    stay = [
        term for row, pieces in rows.items() if len(pieces) == 1 or len(row) == 1 for piece in pieces for term in piece
    ]
    inner = [piece for row, pieces in rows.items() if len(pieces) > 1 < len(row) for piece in pieces]
    return (inner, [-1] * len(inner), stay) if inner else None


def once(rest: Sequence[Term]) -> list[Term]:
    """Return terms that are no products of a weight and an input, those of one number alone added up."""
    alone: dict[int, float] = {}
    for c, x, other in rest:
        if other is None:
            alone[x] = alone.get(x, 0.0) + c
    return [*[(c, x, None) for x, c in alone.items()], *[term for term in rest if term[2] is not None]]
