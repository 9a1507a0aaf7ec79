"""anomalies: the sources of NaN and infinity, forward and backward."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from autodiff.explanations.flow import Flow, handed_on
from autodiff.explanations.notation import bullets
from autodiff.explanations.reasons import why
from autodiff.naming import describe, plain
from autodiff.propagation import lost_limits
from autodiff.value import Value


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A place where a NaN or an infinity appeared although everything it was computed from was finite.

    Forward, `node` is the node with that value. Backward, `node` is the one with that δ, and `consumer` the one it came
    from (None if finite contributions added up to more than the largest float).
    """

    direction: Literal["forward", "backward"]
    node: Value
    value: float
    consumer: Value | None
    reason: str

    def __str__(self) -> str:
        what = describe(self.node) if self.direction == "forward" else f"δ of {describe(self.node)}"
        return f"{self.direction}: {what} is {self.value}: {self.reason}"


class Anomalies(tuple[Anomaly, ...]):
    """The places found, as a tuple; printed, and in a notebook, a line each."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "every value and every δ is finite"

    def _repr_markdown_(self) -> str:
        return bullets(self or [self])


def anomalies(root: Value) -> Anomalies:
    """Return the places where a NaN or infinity appeared, those of the forward pass first, then those of δ.

    Each pass is listed in its own order, so `anomalies(root)[0]` came first; an empty tuple means that everything is
    finite. Places where 0 · ∞ counted as 0, and hid what the limit is, come last. Consequences of a listed place are
    not listed. Nothing is swept or changed.

    >>> from autodiff import Value, sqrt
    >>> x = Value(0.0, "x")
    >>> y = sqrt(x) * 3.0
    >>> for each in anomalies(y):
    ...     print(each)
    backward: δ of 'x' is inf: domain edge: sqrt at 'x' = 0, the end of [0, ∞), has an infinite slope
    """
    if not isinstance(root, Value):  # pyright: ignore[reportUnnecessaryIsInstance] # callers need not be typed
        raise TypeError(f"root must be the Value at the end of a computation, got {type(root).__name__} {root!r}")
    flow = Flow(root)
    return Anomalies((*_forward(flow), *_backward(flow), *_lost(flow)))


def _lost(flow: Flow) -> list[Anomaly]:
    return [
        Anomaly("backward", node.operands[i], flow.delta.get(node.operands[i], 0.0), node, lost(node))
        for node, i in lost_limits(flow.order[::-1], flow.delta)
    ]


def lost(node: Value) -> str:
    """Return what to say of a node at which 0 · ∞ counted as 0."""
    return f"0 · ∞ at {describe(node)} counts as 0, which need not be its limit"


def _forward(flow: Flow) -> list[Anomaly]:
    masked = "" if not math.isfinite(flow.root.data) else f" ({describe(flow.root)} is finite all the same)"
    found: list[Anomaly] = []
    for node in flow.order:
        if math.isfinite(node.data) or any(isinstance(x, Value) and not math.isfinite(x.data) for x in node.operands):
            continue
        found.append(Anomaly("forward", node, node.data, None, _why_value(node) + masked))
    return found


def _why_value(node: Value) -> str:
    if node.op is None:
        return "it was given so"
    at = ", ".join(f"{describe(x)} = {plain(x):.4g}" if isinstance(x, Value) else f"{x:.4g}" for x in node.operands[:4])
    at += ", …" * (len(node.operands) > 4)
    if any(not math.isfinite(plain(x)) for x in node.operands):
        return f"{node.op.name} of {at}: one of these constants is not finite"
    return f"{node.op.name} of {at} {'overflows' if math.isinf(node.data) else 'is no number'}"


def _backward(flow: Flow) -> list[Anomaly]:
    found: list[Anomaly] = []
    told: set[tuple[Value, Value]] = set()
    for node in reversed(flow.order):
        terms = [(flow.delta[node], partial, x) for x, partial in zip(node.operands, node.partials, strict=True)]
        for place, (delta, partial, x) in enumerate(terms):
            if not math.isfinite(delta) or math.isfinite(handed_on(delta, partial)) or (node, x) in told:
                continue
            told.add((node, x))
            reason = why(node, place) if not math.isfinite(partial) else _overflow(delta, partial, node)
            found.append(Anomaly("backward", x, flow.delta[x], node, reason))
    return found or [
        Anomaly("backward", node, flow.delta[node], None, "its contributions add up to more than the largest float")
        for node in reversed(flow.order)
        if not math.isfinite(flow.delta[node]) and all(math.isfinite(t.product) for t in flow.contributions(node))
    ]


def _overflow(delta: float, partial: float, node: Value) -> str:
    return f"overflow: δ {delta:.3g} · {partial:.3g} is beyond the largest float, at {describe(node)}"
