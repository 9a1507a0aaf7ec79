"""Reasons why a local partial is 0, small, large, infinite or NaN: sentences that name operation and operands."""

import math
from collections.abc import Callable
from typing import Any

from autodiff.explanations.formulas import row_name
from autodiff.naming import describe, plain
from autodiff.value import Value
from autodiff.wording import say

_FLAT = 1e-2  # of its steepest slope: an activation with less counts as saturated
_STEEPEST = {"sigmoid": 0.25, "tanh": 1.0, "erf": 2.0 / math.sqrt(math.pi), "atan": 1.0, "softplus": 1.0}
_Reason = tuple[str, dict[str, Any]]  # the name of a sentence, and its details


def why(consumer: Value, place: int) -> str:
    """Return the reason for the size of ∂consumer/∂(operand at `place`)."""
    partial, x = consumer.partials[place], consumer.operands[place]
    me, of = describe(consumer), describe(x)
    if not math.isfinite(partial):
        kind, details = _broken(consumer, place)
    elif partial == 0.0:
        kind, details = _zero(consumer, place)
    elif saturated(consumer):
        kind, details = "saturated", {}
    else:
        return f"∂{me}/∂{of} = {partial:.3g}{_partner(consumer, place)}"
    return say(f"why.{kind}", op=consumer.op.name, me=me, of=of, x=plain(x), slope=partial, **details)


def saturated(node: Value) -> bool:
    """Tell whether a node is a sigmoid or the like on a flat part of its curve."""
    steepest = _STEEPEST.get(row_name(node.op)) if node.op is not None else None
    return steepest is not None and abs(node.partials[0]) < _FLAT * steepest


def _zero(consumer: Value, place: int) -> _Reason:
    """Return why the partial is exactly 0."""
    name = row_name(consumer.op)
    rule = _ZEROS.get(name, "rounds" if name in _STEEPEST else "flat")
    return (rule, {}) if isinstance(rule, str) else rule(consumer, place)


def _broken(consumer: Value, place: int) -> _Reason:
    """Return why the partial is infinite or NaN."""
    op, x = consumer.op, consumer.operands[place]
    broken = ", ".join([
        f"{describe(y)} = {plain(y)}" if isinstance(y, Value) else say("why.constant", x=y)
        for y in consumer.operands if not math.isfinite(plain(y))
    ][:3])  # fmt: skip
    if math.isnan(consumer.partials[place]):
        return ("operand NaN", {"broken": broken}) if broken else ("rule", {"n": place + 1})
    if place < len(op.domains) and plain(x) in op.domains[place].bounds:
        return "edge", {"domain": op.domains[place]}
    if row_name(op) == "pow" and plain(consumer.operands[0]) == 0.0:
        return "base 0", {"exponent": plain(consumer.operands[1])}
    return ("operand", {"broken": broken}) if broken else ("overflow", {})


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


def _zero_factor(consumer: Value, place: int) -> _Reason:
    operands = consumer.operands
    n = len(operands) // 2
    other = operands[1 - place] if consumer.op.name == "mul" else operands[(place + n) % (2 * n)]
    if plain(other) != 0.0:
        return "changed", {}
    what = f"{describe(other)} = 0" if isinstance(other, Value) and (other.label or other.op) else "0"
    return "times 0", {"what": what}


def _where(consumer: Value, place: int) -> _Reason:
    condition, *branches = consumer.operands
    holds = "holds" if plain(condition) else "does not hold"
    details = {"condition": describe(condition), "took": describe(branches[2 - place])} if place else {}
    return holds if place else "condition", details


def _larger_or_smaller(consumer: Value, place: int) -> _Reason:
    other, relation = consumer.operands[1 - place], ">" if consumer.op.name == "maximum" else "<"
    return "masked", {"other": describe(other), "y": plain(other), "relation": relation}


def _clip(consumer: Value, place: int) -> _Reason:
    x, low, high = consumer.operands
    return ("bound", {"held": describe(x)}) if place else ("outside", {"low": plain(low), "high": plain(high)})


def _pow(consumer: Value, place: int) -> _Reason:
    base, exponent = (plain(x) for x in consumer.operands)
    if place == 0 and exponent == 0.0:
        return "exponent 0", {}
    return "base" if base in {0.0, 1.0} else "flat", {"base": base}


_ZEROS: dict[str, str | Callable[[Any, int], _Reason]] = {
    "relu": lambda consumer, place: ("changed" if plain(consumer.operands[place]) > 0.0 else "dead", {}),
    "step": "step", "sign": "step", "where": _where, "maximum": _larger_or_smaller,
    "minimum": _larger_or_smaller, "clip": _clip, "mul": _zero_factor, "weighted_sum": _zero_factor, "pow": _pow,
    "exp": "underflow", "expm1": "underflow", "logsumexp": "underflow", "div": "underflow",
}  # fmt: skip
