"""δ of every node below a root, as the sweep forms it, and who handed what to whom. Nothing is written to any node."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from autodiff.value import Value


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one use of a node hands to its δ: δ of the consumer times the local partial.

    `consumer.operands[place]` is the node; `running` is the sum up to here, in the order of the sweep. A δ or a partial
    of exactly 0 hands on 0, whatever the other factor is.
    """

    consumer: Value
    place: int
    delta: float
    partial: float
    product: float
    running: float


def places(node: Value) -> range:
    """The places of the operands in the order in which the sweep hands δ to them: of two, the second comes first."""
    n = len(node.operands)
    return range(1, -1, -1) if n == 2 and node.op is not None and node.op.arity == 2 else range(n)


class Flow:
    """One sweep from `root`: `order` (operands first, first operands first, as `backward()` goes) and `delta`."""

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
        """Where each node is used, in the order in which the sweep comes by: the consumer and the operand's place."""
        uses: dict[Value, list[tuple[Value, int]]] = {node: [] for node in self.order}
        for node in reversed(self.order):
            operands = node.operands
            for place in places(node):
                if operands[place].__class__ is not float:
                    uses[operands[place]].append((node, place))
        return uses

    @cached_property
    def steepest(self) -> dict[Value, tuple[float, Value, int]]:
        """The last use on the path from the root with the largest |product| of partials, by node below the root.

        With the logarithm of that product first. Nodes that δ does not reach on any path are missing.
        """
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
        """The uses on that path, the root's first; empty where there is none."""
        uses: list[tuple[Value, int]] = []
        while node is not self.root and node in self.steepest:
            _, node, place = self.steepest[node]
            uses.append((node, place))
        uses.reverse()
        return uses

    def contributions(self, node: Value) -> tuple[Contribution, ...]:
        """The terms of the chain-rule sum at `node`; none at the root, whose δ is 1 by definition."""
        terms: list[Contribution] = []
        running = 0.0
        for consumer, place in self.consumers[node]:
            delta, partial = self.delta[consumer], consumer.partials[place]
            product = handed_on(delta, partial)
            running += product
            terms.append(Contribution(consumer, place, delta, partial, product, running))
        return tuple(terms)


def evaluation_order(root: Value) -> list[Value]:
    """Every node that `root` depends on, operands before what uses them, first operands first; `root` comes last."""
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
    """δ · partial as the sweep has it: 0 · ∞ is 0."""
    return delta * partial if delta and partial else 0.0


def grad_of(node: Value) -> float | None:
    """The number in `node.grad`; None when no sweep has reached it."""
    return float(getattr(node.grad, "data", node.grad)) if node.swept else None


def same(a: float, b: float, scale: float) -> bool:
    """Whether two sums of terms, of which the largest is `scale`, differ by no more than rounding."""
    return a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= 1e-9 * max(abs(a), abs(b), scale)
