"""What Hypothesis draws: random expressions with a point, and operands for one operation."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Sequence
from typing import Any, cast

from hypothesis import assume, reject
from hypothesis import strategies as st

from autodiff.ops import OPS, Op
from autodiff.testing.sources import Expression, Step, admissible, grow, repairs

# Wide enough for every row, narrow enough for exp(exp(x)); what is nearly 0 is 0, or derivatives would underflow.
_NUMBERS = st.floats(-4.0, 4.0).map(lambda x: x if abs(x) >= 1e-6 else 0.0)
_ANY_NUMBER = (3, 1, 5)  # operands of a row that takes any number; weighted_sum takes odd ones


def expressions(
    operations: Iterable[Op | str] | None = None, max_leaves: int = 8, inputs: int | None = None
) -> st.SearchStrategy[Expression]:
    """Give a strategy of random differentiable expressions, each with a point where it is well conditioned.

    Away from kinks, inside every domain, values and partials of each operation at most 1,000. `operations` are rows of
    the table, their names, or operations of your own: all rows by default. `max_leaves` is how often an input or a
    constant is read at most, `inputs` how many arguments there are: 1 to 3 by default, never more than the first
    operation has operands. They shrink to one operation.

    Raises TypeError and ValueError, at the call, for what is no operation, for one whose name cannot be written in
    Python, and when none of them fits `max_leaves` and `inputs`.

    >>> expressions(["exp", "mul"], max_leaves=0)
    Traceback (most recent call last):
      ...
    ValueError: max_leaves must be at least 1, got 0
    """
    ops = _operations(operations)
    _at_least_one("max_leaves", max_leaves)
    if inputs is not None:
        _at_least_one("inputs", inputs)
    # Rows on any number of operands are given odd ones here.
    most = max((n for n in (op.arity or max_leaves - (max_leaves + 1) % 2 for op in ops) if n <= max_leaves), default=0)
    if most < (inputs or 1):
        raise ValueError(
            f"none of {', '.join(op.name for op in ops)} takes {inputs or 1} to {max_leaves} operands: "
            "allow more leaves, fewer inputs or more operations"
        )
    return _expressions(ops, max_leaves, most, inputs)


def numbers(op: Op | str, max_operands: int = 5) -> st.SearchStrategy[tuple[float, ...]]:
    """Give a strategy of operand tuples for `op`: inside its domain, away from kinks, value and partials bounded.

    An operation that takes any number of operands gets 1, 3 or 5 of them, at most `max_operands`.

    >>> numbers("cbrt")
    Traceback (most recent call last):
      ...
    ValueError: unknown operation 'cbrt': give an Op, or one of add, sub, mul, ...
    """
    (op,) = _operations([op])
    _at_least_one("max_operands", max_operands)
    counts = [n for n in _ANY_NUMBER if n <= max_operands] if op.arity is None else [op.arity]
    return _operands(op, counts)


@st.composite
def _expressions(draw: st.DrawFn, ops: Sequence[Op], max_leaves: int, most: int, inputs: int | None) -> Expression:
    # Steps first: shrinking deletes some of them, and what is left must keep its meaning.
    step = st.tuples(st.integers(0, len(ops) - 1), st.integers(0, 16**4 - 1), _NUMBERS)
    drawn = draw(st.lists(step, min_size=1, max_size=2 * max_leaves))
    steps = [Step(op, tuple(digits // 16**i % 16 for i in range(4)), constant) for op, digits, constant in drawn]
    count = draw(st.integers(1, min(3, most))) if inputs is None else inputs
    expression = grow(ops, [draw(_NUMBERS) for _ in range(count)], steps, max_leaves)
    assume(expression is not None)
    return cast("Expression", expression)


@st.composite
def _operands(draw: st.DrawFn, op: Op, counts: Sequence[int]) -> tuple[float, ...]:
    operands = tuple(draw(_NUMBERS) for _ in range(draw(st.sampled_from(counts))))
    for repaired in repairs(op, operands):
        if admissible(op, repaired):
            return repaired
    return reject()


def _operations(operations: Any) -> list[Op]:
    if isinstance(operations, (str, Op)):
        raise TypeError(f"operations is a sequence of them: [{operations!r}] for this one alone")
    ops: list[Op] = []
    for op in OPS.values() if operations is None else operations:
        if not isinstance(op, (str, Op)):
            raise TypeError(f"an operation is an Op or the name of a row, got {type(op).__name__} {op!r}")
        if isinstance(op, str) and op not in OPS:
            raise ValueError(f"unknown operation {op!r}: give an Op, or one of {', '.join(OPS)}")
        ops.append(OPS[op] if isinstance(op, str) else op)
    for op in ops:
        if not op.name.isidentifier() or keyword.iskeyword(op.name):
            raise ValueError(f"{op.name!r} is no name of a function in Python: give the Op an identifier as name")
    if not ops:
        raise ValueError("no operations to make expressions of: give at least one")
    return ops


def _at_least_one(name: str, number: Any) -> None:
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"{name} is an int, got {type(number).__name__} {number!r}")
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}")
