"""The progress of δ: the state of a finished sweep, and of each step of one under way."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan

from autodiff.explanations.flow import Use, grad_of, handed_on, uses
from autodiff.value import Value


@dataclass(frozen=True)
class State:
    """δ by node, as far as it has come.

    `handed` holds the nodes that have passed δ on, None if all have; `growing` those whose δ is still a part of the
    sum; `active` those that pass it on now; `outcome` the final δ, for which room is left.
    """

    deltas: Mapping[Value, float]
    handed: Container[Value] | None = None
    growing: Container[Value] = ()
    active: Container[Value] = ()
    outcome: Mapping[Value, float] = field(default_factory=dict[Value, float])

    def wrong(self, nodes: Iterable[Value]) -> list[Value]:
        """Return the nodes whose value or δ is infinite or NaN."""
        return [node for node in nodes if not (isfinite(node.data) and isfinite(self.deltas.get(node, 0.0)))]

    def gain(self, use: Use) -> float | None:
        """Return the gain in δ of the operand by this use; None while nothing flows there."""
        delta = self.deltas.get(use.consumer)
        if delta is None or (self.handed is not None and use.consumer not in self.handed):
            return None
        return handed_on(delta, use.partial)

    def final_gain(self, use: Use) -> float | None:
        """Return the gain in δ of the operand by this use at the end of the sweep; None if that is not known."""
        delta = (self.outcome or self.deltas).get(use.consumer)
        return None if delta is None else handed_on(delta, use.partial)

    def summed(self, nodes: Iterable[Value], edges: Iterable[Use]) -> set[Value]:
        """Return the leaves whose δ is not what these edges hand them, as after a second sweep without `zero_grad`."""
        if self.handed is not None:
            return set()
        gains: dict[Value, list[float]] = {}
        for use in edges:
            gains.setdefault(use.operand, []).append(self.gain(use) or 0.0)
        return {
            node
            for node in nodes
            if node.op is None and node in gains and isfinite(delta := self.deltas.get(node, nan))
            if abs(delta - sum(gains[node])) > 1e-9 * (abs(delta) + sum(map(abs, gains[node])))
        }


def recorded(nodes: Iterable[Value]) -> State:
    """Return the state in which δ is what the nodes hold in `grad`."""
    return State({node: delta for node in nodes if (delta := grad_of(node)) is not None})


def steps(nodes: Sequence[Value], batches: Iterable[Sequence[Value]]) -> Iterator[State]:
    """Yield the states of a sweep down the ordered `nodes`: before it, after the seed, and after each batch."""
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
                deltas[use.operand] = deltas.get(use.operand, 0.0) + handed_on(deltas[node], use.partial)
        growing = {node for node in deltas if waiting[node]}
        yield State(dict(deltas), set(handed), growing, set(batch))
    yield State(dict(deltas), set(handed))
