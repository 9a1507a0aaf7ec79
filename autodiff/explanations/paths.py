"""Paths from a node down to one it depends on, largest |product of partials| first.

There can be more of them than atoms in the world, so each is made on demand: the best continuation from every node is
known, and the search always follows the best.
"""

import heapq
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from autodiff.explanations.flow import Use, evaluation_order, uses
from autodiff.value import Value

MANY = 10**18  # paths; more are not counted


class Paths:
    """All paths from `top` to `leaf` along which δ flows; `count` is their number, at most MANY."""

    def __init__(self, top: Value, leaf: Value) -> None:
        self.top, self.leaf = top, leaf
        self._best: dict[Value, float] = {leaf: 0.0}  # the logarithm of the largest |product| from here to the leaf
        count: dict[Value, int] = {leaf: 1}
        for node in evaluation_order(top):
            if node is leaf:
                continue
            if ways := self._ways(node):
                self._best[node] = max(map(self._through, ways))
                count[node] = min(MANY, sum(count[use.operand] for use in ways))
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
                ways = self._ways(node)
                best = max(ways, key=self._through)  # the first of several
                for use in (each for each in ways if each is not best):
                    below = so_far + _log(use.partial)
                    entry = (-so_far - self._through(use), next(tie), below, _Chain(use, chain), use.operand)
                    heapq.heappush(heap, entry)
                so_far, chain, node = so_far + _log(best.partial), _Chain(best, chain), best.operand
            yield _listed(chain)

    def _ways(self, node: Value) -> list[Use]:
        return [use for use in uses(node) if use.partial and use.operand in self._best]

    def _through(self, use: Use) -> float:
        return _log(use.partial) + self._best[use.operand]


class _Chain(NamedTuple):
    use: Use
    above: "_Chain | None"


def _listed(chain: _Chain | None) -> tuple[Use, ...]:
    uses: list[Use] = []
    while chain is not None:
        uses.append(chain.use)
        chain = chain.above
    return tuple(reversed(uses))


def _log(partial: float) -> float:
    return math.log(abs(partial)) if math.isfinite(partial) else math.inf
