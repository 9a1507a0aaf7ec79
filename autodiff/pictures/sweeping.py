"""How far δ has come: what a picture shows of a sweep that is over, and of each step of one that is under way."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NamedTuple

from autodiff.value import Value


class Use(NamedTuple):
    """One use of a node: `consumer.operands[place]`, with the local partial there."""

    operand: Value
    consumer: Value
    place: int
    partial: float


def uses(node: Value) -> Iterator[Use]:
    """The operands of a node that are Values."""
    for place, (x, partial) in enumerate(zip(node.operands, node.partials, strict=True)):
        if x.__class__ is not float:
            yield Use(x, node, place, partial)


@dataclass(frozen=True)
class State:
    """δ by node, as far as it has come.

    `handed` holds the nodes that have handed δ on, None when all that have one did; `growing` those whose δ is a
    part of the sum still; `active` those that hand on just now; `outcome` is what δ will be, for which room is left.
    """

    deltas: Mapping[Value, float]
    handed: Container[Value] | None = None
    growing: Container[Value] = ()
    active: Container[Value] = ()
    outcome: Mapping[Value, float] = field(default_factory=dict[Value, float])

    def wrong(self, nodes: Iterable[Value]) -> list[Value]:
        """Those of the nodes whose value or δ is infinite or NaN."""
        return [node for node in nodes if not (isfinite(node.data) and isfinite(self.deltas.get(node, 0.0)))]

    def gain(self, use: Use) -> float | None:
        """What δ of the operand gains by this use; None while nothing flows there."""
        delta = self.deltas.get(use.consumer)
        if delta is None or (self.handed is not None and use.consumer not in self.handed):
            return None
        return _handed_on(delta, use.partial)

    def final_gain(self, use: Use) -> float | None:
        """What δ of the operand gains by this use once the sweep is over; None where that is not known."""
        delta = (self.outcome or self.deltas).get(use.consumer)
        return None if delta is None else _handed_on(delta, use.partial)


def _handed_on(delta: float, partial: float) -> float:
    return delta * partial if delta and partial else 0.0  # exactly 0 is not handed on: no 0 · ∞


def recorded(nodes: Iterable[Value]) -> State:
    """δ as the nodes hold it in `grad`."""
    return State({node: delta for node in nodes if (delta := delta_of(node)) is not None})


def steps(nodes: Sequence[Value], batches: Iterable[Sequence[Value]]) -> Iterator[State]:
    """The states of a sweep from `nodes[0]`, computed here: before it, after the seed, and as each batch hands on.

    `nodes` stand in topological order; so do the batches, which together hold every operation once.
    """
    waiting = dict.fromkeys(nodes, 0)
    for node in nodes:
        for use in uses(node):
            waiting[use.operand] += 1
    yield State({}, handed=())
    deltas = {nodes[0]: 1.0}
    handed: set[Value] = set()
    yield State(dict(deltas), handed=(), active={nodes[0]})
    for batch in batches:
        for node in batch:
            handed.add(node)
            for use in uses(node):
                waiting[use.operand] -= 1
                deltas[use.operand] = deltas.get(use.operand, 0.0) + _handed_on(deltas[node], use.partial)
        growing = {node for node in deltas if waiting[node]}
        yield State(dict(deltas), set(handed), growing, set(batch))
    yield State(dict(deltas), set(handed))


def delta_of(node: Value) -> float | None:
    """δ as a number, also where it is a Value itself; None when not yet swept (None is how PyTorch says that)."""
    delta: Any = node.grad.data if isinstance(node.grad, Value) else node.grad
    if not node.swept or delta is None:
        return None
    try:
        return float(delta)
    except (TypeError, ValueError):
        name = node.label or (node.op.name if node.op is not None else repr(node.data))
        raise TypeError(f"grad of {name} is {delta!r}, not a number: assign 0.0, or call zero_grad()") from None
