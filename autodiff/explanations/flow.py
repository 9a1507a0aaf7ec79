"""δ of every node below a root as the sweep forms it, with its contributions, and the paths. No node is written to."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from autodiff.value import Value

MANY = 10**18  # paths; more are not counted


@dataclass(frozen=True, slots=True)
class Contribution:
    """The contribution of one use of a node to its δ: δ of the consumer times the local partial.

    `consumer.operands[place]` is the node; `running` is the sum up to this use, in the order of the sweep. A δ or a
    partial of exactly 0 contributes 0, whatever the other factor is.
    """

    consumer: Value
    place: int
    delta: float
    partial: float
    product: float
    running: float


class Use(NamedTuple):
    """One use of a node: `consumer.operands[place]`, with the local partial there; one step of a path."""

    operand: Value
    consumer: Value
    place: int
    partial: float


def uses(node: Value) -> Iterator[Use]:
    """Yield the uses of a node's operands that are Values."""
    for place, (x, partial) in enumerate(zip(node.operands, node.partials, strict=True)):
        if x.__class__ is not float:
            yield Use(x, node, place, partial)


def places(node: Value) -> range:
    """Return the places of the operands in the order in which the sweep reaches them: of two, the second first."""
    n = len(node.operands)
    return range(1, -1, -1) if n == 2 and node.op is not None and node.op.arity == 2 else range(n)


class Flow:
    """One sweep from `root`: `order`, operands before their consumers as in `backward()`, and `delta` by node."""

    def __init__(self, root: Value) -> None:
        self.root = root
        self.order = evaluation_order(root)
        self.delta: dict[Value, float] = dict.fromkeys(self.order, 0.0)
        self.delta[root] = 1.0
        for node in reversed(self.order):
            if delta := self.delta[node]:
                operands, partials = node.operands, node.partials
                for place in places(node):
                    if partials[place]:
                        self.delta[operands[place]] += delta * partials[place]

    @cached_property
    def consumers(self) -> dict[Value, list[tuple[Value, int]]]:
        """The uses of each node in the order of the sweep: consumer and place of the operand."""
        uses: dict[Value, list[tuple[Value, int]]] = {node: [] for node in self.order}
        for node in reversed(self.order):
            operands = node.operands
            for place in places(node):
                if operands[place].__class__ is not float:
                    uses[operands[place]].append((node, place))
        return uses

    @cached_property
    def steepest(self) -> dict[Value, tuple[float, Value, int]]:
        """Return, by node, log |product| of the partials on the steepest path from the root, and the last use there."""
        best: dict[Value, tuple[float, Value, int]] = {}
        for node in reversed(self.order):
            if node is not self.root and node not in best:
                continue
            so_far = best[node][0] if node in best else 0.0
            for place, partial in enumerate(node.partials):
                if partial:
                    operand = node.operands[place]
                    here = so_far + (math.log(abs(partial)) if math.isfinite(partial) else math.inf)
                    if operand not in best or here > best[operand][0]:
                        best[operand] = (here, node, place)
        return best

    def steepest_path(self, node: Value) -> list[tuple[Value, int]]:
        """Return the uses on the steepest path from the root to `node`, the root's first; empty if there is none."""
        uses: list[tuple[Value, int]] = []
        while node is not self.root and node in self.steepest:
            _, node, place = self.steepest[node]
            uses.append((node, place))
        uses.reverse()
        return uses

    def contributions(self, node: Value) -> tuple[Contribution, ...]:
        """Return the terms of the chain-rule sum at `node`; none at the root, whose δ is 1 by definition."""
        terms: list[Contribution] = []
        running = 0.0
        for consumer, place in self.consumers[node]:
            delta, partial = self.delta[consumer], consumer.partials[place]
            product = handed_on(delta, partial)
            running += product
            terms.append(Contribution(consumer, place, delta, partial, product, running))
        return tuple(terms)


def evaluation_order(root: Value) -> list[Value]:
    """Return every node that `root` depends on, operands before consumers and first operands first; `root` is last."""
    seen: set[Value] = set()
    order: list[Value] = []
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if node is None:
            order.append(stack.pop())
        elif node not in seen:
            seen.add(node)
            stack += (node, None)
            stack += [x for x in reversed(node.operands) if x.__class__ is not float and x not in seen]
    return order


def handed_on(delta: float, partial: float) -> float:
    """Return δ · partial as the sweep computes it: an exact 0 is not handed on, so 0 · ∞ is 0."""
    return delta * partial if delta and partial else 0.0


def grad_of(node: Value) -> float | None:
    """Return the number in `node.grad`, also if that is a Value; None if no sweep has reached it, as in PyTorch."""
    grad: Any = node.grad.data if isinstance(node.grad, Value) else node.grad
    if not node.swept or grad is None:
        return None
    try:
        return float(grad)
    except (TypeError, ValueError):
        name = node.label or (node.op.name if node.op is not None else repr(node.data))
        raise TypeError(f"grad of {name} must be a number, got {grad!r}; assign 0.0, or call zero_grad()") from None


def same(a: float, b: float, scale: float) -> bool:
    """Tell whether two sums differ by no more than rounding, if their largest term is `scale`."""
    return a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= 1e-9 * max(abs(a), abs(b), scale)


class Paths:
    """All paths from `top` to `leaf` along which δ flows; `count` is their number, at most MANY.

    There can be more of them than atoms in the world, so each is made on demand: the best continuation from every node
    is known, and the search always follows the best.
    """

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
    above: _Chain | None


def _listed(chain: _Chain | None) -> tuple[Use, ...]:
    uses: list[Use] = []
    while chain is not None:
        uses.append(chain.use)
        chain = chain.above
    return tuple(reversed(uses))


def _log(partial: float) -> float:
    return math.log(abs(partial)) if math.isfinite(partial) else math.inf
