"""Sums over the positions of one product, taken apart: Σ over positions of Σ w·x reached the graph as one long sum.

`sum(v for row in image for v in row)` of a layer without an activation is merged with the sums of the layer, and a loop
may add every term to one total. Weights then repeat among the terms. The terms of each position become a sum of their
own again, so that all of them are one product; a weight that many inputs in a row share is taken out of their sum.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autodiff.compiler.trace.graph import Term

_WEIGHT, _INPUT = operator.itemgetter(1), operator.itemgetter(2)
_RUN = 4  # inputs of one weight in a row, at least


def repeated(linear: Sequence[Term]) -> Any:
    """Return what has more than one place among terms weight × input: the weight of a term, its input, or None."""
    return next((of for of in (_WEIGHT, _INPUT) if len(set(map(of, linear))) < len(linear)), None)


def parts(linear: Sequence[Term], of: Any) -> tuple[list[list[Term]], list[int], list[Term]] | None:
    """Return the sums that terms weight × input are made of, the weight of each or −1, and terms that stay as they are.

    `of`: what repeats. None where neither the terms of a position nor the inputs of a weight lie side by side.
    """
    runs = [list(run) for _, run in groupby(linear, of)]
    if of is _WEIGHT and min(map(len, runs)) >= _RUN:
        return [[(c, x, None) for c, _, x in run if x is not None] for run in runs], [run[0][1] for run in runs], []
    ends: dict[Any, int] = {}  # by what comes first, how many terms a position has
    start, seen = 0, set[Any]()
    for k, term in enumerate([*linear, linear[-1]]):
        x = of(term)
        if x in seen:
            first = of(linear[start])
            ends[first] = min(k - start, ends.get(first, k))
            start = k
            seen.clear()
        seen.add(x)
    rows: dict[Any, list[list[Term]]] = {}
    k = 0
    while k < len(linear):
        piece = list(linear[k : k + ends.get(of(linear[k]), 1)])
        rows.setdefault(tuple([(term[0], of(term)) for term in piece]), []).append(piece)
        k += len(piece)
    alone = [pieces for row, pieces in rows.items() if len(pieces) == 1 or len(row) == 1]
    inner = [piece for row, pieces in rows.items() if len(pieces) > 1 < len(row) for piece in pieces]
    return (inner, [-1] * len(inner), [t for pieces in alone for piece in pieces for t in piece]) if inner else None


def once(rest: Sequence[Term]) -> list[Term]:
    """Return terms that are no products of a weight and an input, those of one number alone added up."""
    alone: dict[int, float] = {}
    for c, x, other in rest:
        if other is None:
            alone[x] = alone.get(x, 0.0) + c
    return [*[(c, x, None) for x, c in alone.items()], *[term for term in rest if term[2] is not None]]
