"""Paths from a node down to one it depends on, largest |product of partials| first.

There can be more of them than atoms in the world, so each is made on demand: the best continuation from every node is
known, and the search always follows the best.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from autodiff.explanations.flow import evaluation_order
from autodiff.value import Value

MANY = 10**18  # paths; more are not counted


class Use(NamedTuple):
    """One step of a path: from `consumer` down to `consumer.operands[place]`."""

    consumer: Value
    place: int
    partial: float


class Paths:
    """All paths from `top` to `leaf` along which δ flows; `count` is their number, at most MANY."""

    def __init__(self, top: Value, leaf: Value) -> None:
        self.top, self.leaf = top, leaf
        self._best: dict[Value, float] = {leaf: 0.0}  # the logarithm of the largest |product| from here to the leaf
        count: dict[Value, int] = {leaf: 1}
        for node in evaluation_order(top):
            if node is leaf:
                continue
            uses = [use for use in _uses(node) if use.consumer.operands[use.place] in self._best]
            if uses:
                self._best[node] = max(self._through(use) for use in uses)
                count[node] = min(MANY, sum(count[use.consumer.operands[use.place]] for use in uses))
        self.count = count.get(top, 0)

    def __iter__(self) -> Iterator[tuple[Use, ...]]:
        """Yield each path as its uses from top to leaf, the largest |product| first."""
        if self.top not in self._best:
            return
        tie = itertools.count()  # of equal paths the first one found
        heap: list[tuple[float, int, float, _Chain | None, Value]] = [(0.0, next(tie), 0.0, None, self.top)]
        while heap:
            _, _, so_far, chain, node = heapq.heappop(heap)
            while node is not self.leaf:  # down the best way; the others wait
                uses = [use for use in _uses(node) if use.consumer.operands[use.place] in self._best]
                best = max(range(len(uses)), key=lambda i: self._through(uses[i]))
                for i, use in enumerate(uses):
                    if i != best:
                        rank = so_far + self._through(use)
                        below = so_far + _log(use.partial)
                        entry = (-rank, next(tie), below, _Chain(use, chain), use.consumer.operands[use.place])
                        heapq.heappush(heap, entry)
                use = uses[best]
                so_far, chain, node = so_far + _log(use.partial), _Chain(use, chain), use.consumer.operands[use.place]
            yield _listed(chain)

    def _through(self, use: Use) -> float:
        return _log(use.partial) + self._best[use.consumer.operands[use.place]]


class _Chain(NamedTuple):
    use: Use
    above: _Chain | None


def _listed(chain: _Chain | None) -> tuple[Use, ...]:
    uses: list[Use] = []
    while chain is not None:
        uses.append(chain.use)
        chain = chain.above
    return tuple(reversed(uses))


def _uses(node: Value) -> Iterator[Use]:
    for place, partial in enumerate(node.partials):
        if partial:
            yield Use(node, place, partial)


def _log(partial: float) -> float:
    return math.log(abs(partial)) if math.isfinite(partial) else math.inf
