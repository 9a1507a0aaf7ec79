"""anomalies: the sources of NaN and infinity, forward and backward."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from autodiff.explanations.flow import Flow, handed_on
from autodiff.explanations.notation import bullets
from autodiff.explanations.reasons import why
from autodiff.naming import describe, plain
from autodiff.propagation import lost_limits
from autodiff.value import Value
from autodiff.wording import language_of, say, speaking


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
    language: str = field(default_factory=language_of, repr=False)  # of the reason

    def __str__(self) -> str:
        with speaking(self.language):
            return say(f"anomaly.{self.direction}", node=describe(self.node), value=self.value, why=self.reason)


class Anomalies(tuple[Anomaly, ...]):  # noqa: SLOT001 # a tuple has no slot for the language
    """The places found, as a tuple; printed, and in a notebook, a line each."""

    language = "en"

    def __str__(self) -> str:
        with speaking(self.language):
            return "\n".join(map(str, self)) or say("anomaly.none")

    def _repr_markdown_(self) -> str:
        return bullets(self or [self])


def anomalies(root: Value, *, language: str | None = None) -> Anomalies:
    """Return the places where a NaN or infinity appeared, those of the forward pass first, then those of δ.

    Each pass is listed in its own order, so `anomalies(root)[0]` came first; an empty tuple means that everything is
    finite. Places where 0 · ∞ counted as 0, and hid what the limit is, come last. Consequences of a listed place are
    not listed. Nothing is swept or changed. `language` is "en" or "es", by default that of `set_language`.

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
    with speaking(language):
        found = Anomalies((*_forward(flow), *_backward(flow), *_lost(flow)))
        found.language = language_of()
    return found


def _lost(flow: Flow) -> list[Anomaly]:
    return [
        Anomaly("backward", node.operands[i], flow.delta.get(node.operands[i], 0.0), node, lost(node))
        for node, i in lost_limits(flow.order[::-1], flow.delta)
    ]


def lost(node: Value) -> str:
    """Return what to say of a node at which 0 · ∞ counted as 0."""
    return say("anomaly.lost", node=describe(node))


def _forward(flow: Flow) -> list[Anomaly]:
    masked = say("anomaly.masked", root=describe(flow.root)) if math.isfinite(flow.root.data) else ""
    found: list[Anomaly] = []
    for node in flow.order:
        if math.isfinite(node.data) or any(isinstance(x, Value) and not math.isfinite(x.data) for x in node.operands):
            continue
        found.append(Anomaly("forward", node, node.data, None, _why_value(node) + masked))
    return found


def _why_value(node: Value) -> str:
    if node.op is None:
        return say("anomaly.given")
    at = ", ".join(f"{describe(x)} = {plain(x):.4g}" if isinstance(x, Value) else f"{x:.4g}" for x in node.operands[:4])
    at += ", …" * (len(node.operands) > 4)
    broken = any(not math.isfinite(plain(x)) for x in node.operands)
    kind = "constants" if broken else "overflows" if math.isinf(node.data) else "no number"
    return say(f"anomaly.{kind}", op=node.op.name, at=at)


def _backward(flow: Flow) -> list[Anomaly]:
    found: list[Anomaly] = []
    told: set[tuple[Value, Value]] = set()
    for node in reversed(flow.order):
        terms = [(flow.delta[node], partial, x) for x, partial in zip(node.operands, node.partials, strict=True)]
        for place, (delta, partial, x) in enumerate(terms):
            if not math.isfinite(delta) or math.isfinite(handed_on(delta, partial)) or (node, x) in told:
                continue
            told.add((node, x))
            reason = why(node, place) if not math.isfinite(partial) else overflow(delta, partial, node)
            found.append(Anomaly("backward", x, flow.delta[x], node, reason))
    return found or [
        Anomaly("backward", node, flow.delta[node], None, say("anomaly.sum overflows"))
        for node in reversed(flow.order)
        if not math.isfinite(flow.delta[node]) and all(math.isfinite(t.product) for t in flow.contributions(node))
    ]


def overflow(delta: float, partial: float, node: Value) -> str:
    """Return what to say of a node whose δ · ∂ is too large."""
    return say("anomaly.overflow", delta=delta, partial=partial, node=describe(node))
