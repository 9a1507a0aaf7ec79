"""Reasons why a local partial is 0, small, large, infinite or NaN: sentences that name operation and operands."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from autodiff.explanations.formulas import row_name
from autodiff.naming import describe, plain
from autodiff.value import Value
from autodiff.wording import say

_FLAT = 1e-2  # of its steepest slope: an activation with less counts as saturated
_STEEPEST = {"sigmoid": 0.25, "tanh": 1.0, "erf": 2.0 / math.sqrt(math.pi), "atan": 1.0, "softplus": 1.0}


def why(consumer: Value, place: int) -> str:
    """Return the reason for the size of ∂consumer/∂(operand at `place`)."""
    partial = consumer.partials[place]
    if math.isnan(partial):
        return why_nan(consumer, place)
    if math.isinf(partial):
        return why_infinite(consumer, place)
    if partial == 0.0:
        return why_zero(consumer, place)
    x = consumer.operands[place]
    if saturated(consumer):
        return say("why.saturated", **_facts(consumer, place))
    return f"∂{describe(consumer)}/∂{describe(x)} = {partial:.3g}{_partner(consumer, place)}"


def _facts(consumer: Value, place: int) -> dict[str, Any]:
    """Return what the sentences about a partial have places for."""
    x = consumer.operands[place]
    op, me, of = consumer.op.name, describe(consumer), describe(x)
    return {"op": op, "me": me, "of": of, "x": plain(x), "slope": consumer.partials[place]}


def saturated(node: Value) -> bool:
    """Tell whether a node is a sigmoid or the like on a flat part of its curve."""
    steepest = _STEEPEST.get(row_name(node.op)) if node.op is not None else None
    return steepest is not None and abs(node.partials[0]) < _FLAT * steepest


def why_zero(consumer: Value, place: int) -> str:
    """Return why the partial is exactly 0."""
    name = row_name(consumer.op)
    rule = _ZEROS.get(name)
    said = rule(consumer, place) if rule else None
    if said:
        return said
    return say("why.rounds" if name in _STEEPEST else "why.flat", **_facts(consumer, place))


def why_infinite(consumer: Value, place: int) -> str:
    """Return why the partial is infinite."""
    op, x, facts = consumer.op, consumer.operands[place], _facts(consumer, place)
    if place < len(op.domains) and plain(x) in op.domains[place].bounds:
        return say("why.edge", domain=op.domains[place], **facts)
    if row_name(op) == "pow" and plain(consumer.operands[0]) == 0.0:
        return say("why.base 0", exponent=plain(consumer.operands[1]), **facts)
    if not all(math.isfinite(plain(y)) for y in consumer.operands):
        return say("why.operand", broken=_not_finite(consumer), **facts)
    return say("why.overflow", **facts)


def why_nan(consumer: Value, place: int) -> str:
    """Return why the partial is NaN."""
    broken = _not_finite(consumer)
    if broken:
        return say("why.operand NaN", broken=broken, **_facts(consumer, place))
    return say("why.rule", n=place + 1, **_facts(consumer, place))


def _not_finite(node: Value) -> str:
    broken = [x for x in node.operands if not math.isfinite(plain(x))]
    return ", ".join(
        f"{describe(x)} = {plain(x)}" if isinstance(x, Value) else say("why.constant", x=x) for x in broken[:3]
    )


def _partner(consumer: Value, place: int) -> str:
    """Return the operand behind a partial: the other factor of a product, the divisor of a quotient."""
    operands = consumer.operands
    match row_name(consumer.op):
        case "mul":
            other = operands[1 - place]
        case "weighted_sum" if place < len(operands) - 1:
            other = operands[(place + len(operands) // 2) % (len(operands) - 1)]
        case "div":
            return say("why.divides", by=describe(operands[1]))
        case _:
            return ""
    return say("why.factor", other=describe(other)) if isinstance(other, Value) else ""


def _changed(consumer: Value, place: int) -> str:
    return say("why.changed", **_facts(consumer, place))


def _zero_factor(consumer: Value, place: int) -> str:
    operands = consumer.operands
    n = len(operands) // 2
    other = operands[1 - place] if consumer.op.name == "mul" else operands[(place + n) % (2 * n)]
    if plain(other) != 0.0:
        return _changed(consumer, place)
    what = f"{describe(other)} = 0" if isinstance(other, Value) and (other.label or other.op) else "0"
    return say("why.times 0", what=what, **_facts(consumer, place))


def _where(consumer: Value, place: int) -> str:
    condition, *branches = consumer.operands
    if place == 0:
        return say("why.condition", **_facts(consumer, place))
    holds = "holds" if plain(condition) else "does not hold"
    return say(f"why.{holds}", condition=describe(condition), took=describe(branches[2 - place]))


def _larger_or_smaller(consumer: Value, place: int) -> str:
    other, relation = consumer.operands[1 - place], ">" if consumer.op.name == "maximum" else "<"
    details = {"other": describe(other), "y": plain(other), "relation": relation}
    return say("why.masked", **details, **_facts(consumer, place))


def _clip(consumer: Value, place: int) -> str:
    x, low, high = consumer.operands
    if place == 0:
        return say("why.outside", low=plain(low), high=plain(high), **_facts(consumer, 0))
    return say("why.bound", bound=describe(consumer.operands[place]), of=describe(x))


def _relu(consumer: Value, place: int) -> str:
    x = consumer.operands[place]
    if plain(x) > 0.0:
        return _changed(consumer, place)
    return say("why.dead", **_facts(consumer, place))


def _pow(consumer: Value, place: int) -> str | None:
    base, exponent = (plain(x) for x in consumer.operands)
    if place == 0 and exponent == 0.0:
        return say("why.exponent 0", me=describe(consumer))
    return say("why.base", me=describe(consumer), base=base) if base in {0.0, 1.0} else None


def _step(consumer: Value, place: int) -> str:
    return say("why.step", **_facts(consumer, place))


def _underflow(consumer: Value, place: int) -> str:
    return say("why.underflow", **_facts(consumer, place))


_ZEROS: dict[str, Callable[[Any, int], str | None]] = {
    "relu": _relu, "step": _step, "sign": _step, "where": _where, "maximum": _larger_or_smaller,
    "minimum": _larger_or_smaller, "clip": _clip, "mul": _zero_factor, "weighted_sum": _zero_factor, "pow": _pow,
    "exp": _underflow, "expm1": _underflow, "logsumexp": _underflow, "div": _underflow,
}  # fmt: skip
