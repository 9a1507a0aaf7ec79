"""Operations that only compiled programs have: comparisons as numbers, and products of the chain rule."""

# Rules serve floats, arrays and Vars alike, so their lambdas are untyped:
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.ops import OPS, Op


def _relation(name: str, symbol: str, compare: Callable[[float, float], bool], array: Any) -> Op:
    def never(*_: Any) -> float:
        return 0.0

    return Op(name, symbol, lambda a, b: float(compare(a, b)), array, (never, never), kink=lambda a, b: a - b)


# While tracing, a comparison becomes a number: 1 where it holds and 0 elsewhere.
RELATIONS = {
    operator.gt: _relation("greater", ">", operator.gt, np.greater),
    operator.ge: _relation("greater_equal", "≥", operator.ge, np.greater_equal),
    operator.lt: _relation("less", "<", operator.lt, np.less),
    operator.le: _relation("less_equal", "≤", operator.le, np.less_equal),
    operator.eq: _relation("equal", "=", operator.eq, np.equal),
    operator.ne: _relation("not_equal", "≠", operator.ne, np.not_equal),
}
BOOLEAN = frozenset(RELATIONS.values())
EQUAL = RELATIONS[operator.eq]
SIGNS = {OPS[name]: sign for name, sign in (("add", "+"), ("sub", "-"), ("mul", "*"), ("div", "/"))} | dict(
    zip(RELATIONS.values(), (">", ">=", "<", "<=", "==", "!="), strict=True)  # as Python writes them
)
HIDDEN = {  # the operand whose NaN does not show
    OPS["where"]: 0,
    OPS["copysign"]: 1,
}
DECIDE = BOOLEAN | HIDDEN.keys()  # their results hide a NaN among the operands


def _guarded(a: float, b: float) -> float:
    return 0.0 if a == 0.0 or b == 0.0 else a * b


def _guarded_array(a: Any, b: Any) -> Any:
    return np.where(np.equal(a, 0.0) | np.equal(b, 0.0), 0.0, np.multiply(a, b))


def _kept(a: float, b: float, x: float) -> float:
    return 0.0 if (a == 0.0 or b == 0.0) and math.isnan(a * b) else x


def _kept_array(a: Any, b: Any, x: Any) -> Any:
    return np.where((np.equal(a, 0.0) | np.equal(b, 0.0)) & np.isnan(np.multiply(a, b)), 0.0, x)


# δ · partial as the eager sweep computes it: a factor that is exactly 0 passes nothing on, so 0 · ∞ is 0, with
# derivative 0. It costs more than a product, so only the careful version of a program computes it. That version runs
# when the fast one, which `simplify.plain` makes, returns a number that is not finite.
GUARDED = Op(
    "guarded_mul", "·", _guarded, _guarded_array, (lambda a, b, _: KEPT(a, b, b), lambda a, b, _: KEPT(a, b, a))
)
# x, or 0 where the guarded product of a and b drops 0 · ∞.
KEPT = Op(
    "kept", "kept", _kept, _kept_array,
    (lambda *_: 0.0, lambda *_: 0.0, lambda a, b, *_: KEPT(a, b, 1.0)),
)  # fmt: skip
# Two ways to one number: the fast version of a program goes the first, which gives NaN where it ends; the careful one,
# and whatever decides, goes the second. `simplify.resolved` takes one of them, so no program computes both.
EITHER = Op("either", "or", lambda _, b: b, lambda _, b: b, (lambda *_: 1.0, lambda *_: 1.0))  # each along its own way
_NEUTRAL_BEFORE = {OPS["add"]: 0.0, OPS["mul"]: 1.0, GUARDED: 1.0}
_NEUTRAL_AFTER = {**_NEUTRAL_BEFORE, OPS["sub"]: 0.0, OPS["div"]: 1.0, OPS["pow"]: 1.0}


def equal_operand(op: Op, a: float | None, b: float | None) -> int | None:
    """Return which of two operands equals the result since the other one is neutral; an operand not known is None."""
    if a is not None and a == _NEUTRAL_BEFORE.get(op):
        return 1
    return 0 if b is not None and b == _NEUTRAL_AFTER.get(op) else None
