"""Reasons why a local partial is 0, small, large, infinite or NaN: sentences that name operation and operands."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from autodiff.explanations.formulas import row_name
from autodiff.naming import describe, plain
from autodiff.value import Value

_FLAT = 1e-2  # of its steepest slope: an activation with less counts as saturated
_STEEPEST = {"sigmoid": 0.25, "tanh": 1.0, "erf": 2.0 / math.sqrt(math.pi), "atan": 1.0, "softplus": 1.0}
_ROUNDS_TO_ZERO = "its slope there rounds to 0"


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
        at = f"{describe(consumer)} at {describe(x)} = {plain(x):.4g}"
        return f"saturated {consumer.op.name}: {at} has slope {partial:.3g}"
    return f"∂{describe(consumer)}/∂{describe(x)} = {partial:.3g}{_partner(consumer, place)}"


def saturated(node: Value) -> bool:
    """Tell whether a node is a sigmoid or the like on a flat part of its curve."""
    steepest = _STEEPEST.get(row_name(node.op)) if node.op is not None else None
    return steepest is not None and abs(node.partials[0]) < _FLAT * steepest


def why_zero(consumer: Value, place: int) -> str:
    """Return why the partial is exactly 0."""
    name, x = row_name(consumer.op), consumer.operands[place]
    me, at = describe(consumer), f"{describe(x)} = {plain(x):.4g}"
    rule = _ZEROS.get(name)
    said = rule(consumer, place) if rule else None
    if said:
        return said
    if name in _STEEPEST:
        return f"saturated {name}: {me} at {at}: {_ROUNDS_TO_ZERO}"
    return f"{consumer.op.name} is flat at {at}: its slope there is 0, in {me}"


def why_infinite(consumer: Value, place: int) -> str:
    """Return why the partial is infinite."""
    op, x = consumer.op, consumer.operands[place]
    at = f"{describe(x)} = {plain(x):.4g}"
    if place < len(op.domains) and plain(x) in op.domains[place].bounds:
        return f"domain edge: {op.name} at {at}, the end of {op.domains[place]}, has an infinite slope"
    if row_name(op) == "pow" and plain(consumer.operands[0]) == 0.0:
        return (
            f"domain edge: {op.name} with base 0 and exponent {plain(consumer.operands[1]):.4g} has an infinite slope"
        )
    if not all(math.isfinite(plain(y)) for y in consumer.operands):
        return f"{op.name} has an operand that is not finite: {_not_finite(consumer)}"
    return f"overflow: the slope of {op.name} at {at} is beyond the largest float, 1.8e308"


def why_nan(consumer: Value, place: int) -> str:
    """Return why the partial is NaN."""
    broken = _not_finite(consumer)
    if broken:
        return f"{consumer.op.name} has an operand that is not finite ({broken}), so its slope is NaN"
    return f"the rule of {consumer.op.name} gave NaN by operand {place + 1} of {describe(consumer)}"


def _not_finite(node: Value) -> str:
    broken = [x for x in node.operands if not math.isfinite(plain(x))]
    return ", ".join(f"{describe(x)} = {plain(x)}" if isinstance(x, Value) else f"the constant {x}" for x in broken[:3])


def _partner(consumer: Value, place: int) -> str:
    """Return the operand behind a partial: the other factor of a product, the divisor of a quotient."""
    operands = consumer.operands
    match row_name(consumer.op):
        case "mul":
            other = operands[1 - place]
        case "weighted_sum" if place < len(operands) - 1:
            other = operands[(place + len(operands) // 2) % (len(operands) - 1)]
        case "div":
            return f", since it divides by {describe(operands[1])}"
        case _:
            return ""
    return f", the other factor being {describe(other)}" if isinstance(other, Value) else ""


def _changed(consumer: Value, place: int) -> str:
    me, x = describe(consumer), describe(consumer.operands[place])
    return f"{me} was recorded with a slope of 0 by {x}, but the data of its operands changed after that"


def _zero_factor(consumer: Value, place: int) -> str:
    operands = consumer.operands
    n = len(operands) // 2
    other = operands[1 - place] if consumer.op.name == "mul" else operands[(place + n) % (2 * n)]
    if plain(other) != 0.0:
        return _changed(consumer, place)
    what = f"{describe(other)} = 0" if isinstance(other, Value) and (other.label or other.op) else "0"
    return f"{describe(consumer.operands[place])} is multiplied by {what}, in {describe(consumer)}"


def _where(consumer: Value, place: int) -> str:
    condition, *branches = consumer.operands
    if place == 0:
        return (
            f"{describe(condition)} is only the condition of where, in {describe(consumer)}: no δ flows to a condition"
        )
    holds = "holds" if plain(condition) else "does not hold"
    return f"masked by where: its condition {describe(condition)} {holds}, so it took {describe(branches[2 - place])}"


def _larger_or_smaller(consumer: Value, place: int) -> str:
    mine, other = consumer.operands[place], consumer.operands[1 - place]
    relation = ">" if consumer.op.name == "maximum" else "<"
    return (
        f"masked by {consumer.op.name}: it took {describe(other)}, "
        f"since {plain(other):.4g} {relation} {plain(mine):.4g}, in {describe(consumer)}"
    )


def _clip(consumer: Value, place: int) -> str:
    x, low, high = consumer.operands
    if place == 0:
        return f"masked by clip: {describe(x)} = {plain(x):.4g} lies outside [{plain(low):.4g}, {plain(high):.4g}]"
    return f"{describe(consumer.operands[place])} is a bound of clip that does not hold {describe(x)} back"


def _relu(consumer: Value, place: int) -> str:
    x = consumer.operands[place]
    if plain(x) > 0.0:
        return _changed(consumer, place)
    return f"dead ReLU: {describe(consumer)} at {describe(x)} = {plain(x):.4g} ≤ 0 has slope 0"


def _pow(consumer: Value, place: int) -> str | None:
    base, exponent = (plain(x) for x in consumer.operands)
    if place == 0 and exponent == 0.0:
        return f"the exponent of {describe(consumer)} is 0: a power 0 does not depend on its base"
    return f"the base of {describe(consumer)} is {base:.4g}, where the slope is 0" if base in {0.0, 1.0} else None


def _step(consumer: Value, _place: int) -> str:
    return f"{describe(consumer)} is a {consumer.op.name}: its slope is 0 everywhere, so nothing learns through it"


def _underflow(consumer: Value, place: int) -> str:
    x = consumer.operands[place]
    return f"underflow: {describe(consumer)} has a slope that rounds to 0 at {describe(x)} = {plain(x):.4g}"


_ZEROS: dict[str, Callable[[Any, int], str | None]] = {
    "relu": _relu, "step": _step, "sign": _step, "where": _where, "maximum": _larger_or_smaller,
    "minimum": _larger_or_smaller, "clip": _clip, "mul": _zero_factor, "weighted_sum": _zero_factor, "pow": _pow,
    "exp": _underflow, "expm1": _underflow, "logsumexp": _underflow, "div": _underflow,
}  # fmt: skip
