"""Strategies for Hypothesis: random expressions, functions and networks with a point, and points for what one has.

When a test fails, the graph of what was drawn for the minimal example is noted as text below its source.
"""

from __future__ import annotations

import inspect
import keyword
import math
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
from hypothesis import assume, note, reject
from hypothesis import strategies as st

from autodiff.errors import RenderError
from autodiff.ops import OPS, Op, stop_gradient
from autodiff.pictures import render
from autodiff.testing.arguments import numbers_in, shaped
from autodiff.testing.conditioning import admissible, repairs, smooth, well_conditioned
from autodiff.testing.matrix_code import matrix_expression
from autodiff.testing.perceptrons import ACTIVATIONS, Network, network
from autodiff.testing.sources import Expression, Step, grow, wrapped
from autodiff.value import Value

__tracebackhide__ = True  # of pytest: a test that fails shows its own line

# Wide enough for every row, narrow enough for exp(exp(x)); what is nearly 0 is 0, or derivatives would underflow.
_NUMBERS = st.floats(-4.0, 4.0).map(lambda x: x if abs(x) >= 1e-6 else 0.0)
_SIGNS = st.sampled_from((1.0, -1.0))  # Hypothesis draws many small positive numbers, and few negative ones
# As people write them, and such that they matter: x ** 2, 1 - x, but not x + 0.
_CONSTANTS = st.one_of(st.sampled_from((2.0, 3.0, -1.0, 0.5, 1.0, -2.0, 4.0)), _NUMBERS.map(lambda x: x or 0.75))
_ANY_NUMBER = (3, 1, 5)  # operands of a row that takes any number; weighted_sum takes odd ones


def expressions(
    operations: Iterable[Op | str] | None = None, max_leaves: int = 8, inputs: int | None = None
) -> st.SearchStrategy[Expression]:
    """Return a strategy of random differentiable expressions, each with a point where it is well conditioned.

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


def numbers(
    op: Op | str, max_operands: int = 5, around: tuple[float, float] | None = None
) -> st.SearchStrategy[tuple[float, ...]]:
    """Return a strategy of operand tuples for `op`: inside its domain, away from kinks, value and partials bounded.

    An operation that takes any number of operands gets 1, 3 or 5 of them, at most `max_operands`. They are drawn from
    -4 to 4 (and moved from there into a domain beyond), or from `around`, the least and the largest one.

    >>> numbers("gamma")
    Traceback (most recent call last):
      ...
    ValueError: unknown operation 'gamma'; give an Op, or one of add, sub, mul, ...
    """
    (op,) = _operations([op])
    _at_least_one("max_operands", max_operands)
    counts = [n for n in _ANY_NUMBER if n <= max_operands] if op.arity is None else [op.arity]
    return _operands(op, counts, _drawn_from(around), around)


def functions(
    operations: Iterable[Op | str] | None = None, max_leaves: int = 8, inputs: int | None = None
) -> st.SearchStrategy[Callable[..., Any]]:  # Any: a function of numbers
    """Return a strategy of plain Python functions, with loops and branches around an expression.

    What tools take that want a function and no object: `inspect.getsource` shows it, and it has attributes `point`,
    a tuple of arguments where it is well conditioned, and `source`. Arguments and errors as of `expressions`.

    >>> functions(["exp", "mul"], max_leaves=0)
    Traceback (most recent call last):
      ...
    ValueError: max_leaves must be at least 1, got 0
    """
    return _functions(expressions(operations, max_leaves, inputs))


def points(
    f: Callable[..., Any],  # Any: f, like and the result have numbers, or nests of them
    *like: Any,
    around: tuple[float, float] | None = None,
) -> st.SearchStrategy[tuple[Any, ...]]:
    """Return a strategy of points (argument tuples) at which a function of Values is well conditioned.

    For your own functions: away from the kinks of what they record there, inside all domains, values and partials
    bounded. A function that does not compute with Values is tried around the point instead, 52 times along each input
    (along eight directions, where there are more): a kink, a jump, the edge of a domain or a slope above 1,000 there
    rules the point out. `like` says what the arguments look like, as examples of their shapes (numbers, sequences,
    arrays); by default each is one number. Points where `f` raises ArithmeticError or ValueError are not drawn. The
    numbers are from -4 to 4, moved up a little where that helps, or all from `around`, the least and the largest one:
    `points(lambda x: log(x - 100.0), around=(101.0, 110.0))`.

    Raises TypeError, at the call, when it cannot tell how many arguments `f` takes, and ValueError for an `around` that
    holds no number.

    >>> points(print)
    Traceback (most recent call last):
      ...
    TypeError: how many arguments does print take? Give an example of each: points(print, 1.0, [0.0, 0.0])
    """
    if not like:
        like = _examples(f)
    return _points(f, like, _drawn_from(around), around)


def networks(max_width: int = 3, max_layers: int = 3, max_samples: int = 3) -> st.SearchStrategy[Network]:
    """Return a strategy of small multilayer perceptrons with weights and data, each a loss of its parameters.

    A network is an expression with one argument, the list of all parameters: `gradcheck(network, *network.point)`.
    Hidden layers, inputs and outputs have up to `max_width` units, of tanh, sigmoid, softplus or ReLU, none of them at
    its kink; the loss is half the mean squared error over up to `max_samples` samples. They shrink to one unit.

    >>> networks(max_width=0)
    Traceback (most recent call last):
      ...
    ValueError: max_width must be at least 1, got 0
    """
    for name, number in (("max_width", max_width), ("max_layers", max_layers), ("max_samples", max_samples)):
        _at_least_one(name, number)
    return _networks(max_width, max_layers, max_samples)


def matrices(max_size: int = 3, max_steps: int = 4) -> st.SearchStrategy[Expression]:
    """Return a strategy of functions of a matrix and two vectors, written as with NumPy, each with a point.

    `f(W, x, b)` takes W of shape (m, n), x of shape (n,) and b of shape (m,), m and n at most `max_size`; up to
    `max_steps` operations follow on a product of W and x, before one number is made of them. At the point every
    operation is well conditioned. They run on arrays of Values as on any library with NumPy's operators.

    >>> matrices(max_size=0)
    Traceback (most recent call last):
      ...
    ValueError: max_size must be at least 1, got 0
    """
    _at_least_one("max_size", max_size)
    _at_least_one("max_steps", max_steps)
    return _matrices(max_size, max_steps)


class _Noted:
    """A note of an example: source, graph as text, path of its picture; written only where it is shown, on failure."""

    def __init__(self, expression: Expression) -> None:
        self.expression = expression

    def __repr__(self) -> str:
        try:
            return f"{self.expression}\n{self.expression.sketch()}\nits picture: {_pictured(self.expression)}"
        except Exception as error:  # noqa: BLE001 # an engine under test may fail in any way, and that is shown elsewhere
            return f"{self.expression}\n(its graph cannot be drawn: {type(error).__name__}: {error})"


def _pictured(expression: Expression) -> Path:
    """Write the graph as a picture into the folder for temporary files; as DOT where nothing can draw it."""
    folder = Path(tempfile.gettempdir()) / "autodiff-examples"
    folder.mkdir(exist_ok=True)
    file = folder / f"{zlib.crc32(repr(expression).encode()):08x}.svg"
    picture = expression.draw()
    try:
        return render(picture, file)
    except RenderError:
        return render(picture, file.with_suffix(".gv"))


@st.composite
def _expressions(draw: st.DrawFn, ops: Sequence[Op], max_leaves: int, most: int, inputs: int | None) -> Expression:
    # Steps first: shrinking deletes some of them, and what is left must keep its meaning.
    step = st.tuples(st.integers(0, len(ops) - 1), st.integers(0, 2**17 - 1), _CONSTANTS)
    drawn = draw(st.lists(step, min_size=1, max_size=2 * max_leaves))
    steps = [Step(op, (*(bits >> 4 * i + 1 & 15 for i in range(4)), bits & 1), c) for op, bits, c in drawn]
    count = draw(st.integers(1, min(3, most))) if inputs is None else inputs
    kept = draw(st.integers(1, 2 * max_leaves))
    numbers = [draw(_SIGNS) * _generic(draw(_NUMBERS), i) for i in range(count)]
    expression = grow(ops, numbers, steps, max_leaves, kept)
    assume(expression is not None)
    note(_Noted(cast("Expression", expression)))
    return cast("Expression", expression)


def _generic(x: float, i: int) -> float:
    """Return number `i` as drawn, with 0 and i + 1 exchanged: inputs shrink to 1, 2, 3.

    At 0, and where all are the same, too many faults make no difference, and graphs would stay large to show them.
    """
    return i + 1.0 if x == 0.0 else 0.0 if x == i + 1.0 else x


@st.composite
def _functions(draw: st.DrawFn, inner: st.SearchStrategy[Expression]) -> Callable[..., Any]:
    loops = draw(st.integers(0, 3))
    branch = draw(st.booleans())
    around = draw(st.sampled_from(("sin", "tanh", "atan", "asinh")))
    expression = wrapped(draw(inner), around, loops, branch=branch)
    function: Any = expression.on(None)
    function.point, function.source = expression.point, expression.source
    return function


@st.composite
def _points(
    draw: st.DrawFn, f: Callable[..., Any], like: Sequence[Any], drawn_from: st.SearchStrategy[float],
    around: tuple[float, float] | None,
) -> tuple[Any, ...]:  # fmt: skip
    drawn = [draw(drawn_from) for _ in numbers_in(like)]
    for numbers in _moved(drawn):
        if not _all_in(around, numbers):
            continue
        point = _point(like, numbers)
        try:
            result = f(*(shaped(argument, Value) for argument in point))
        except (ArithmeticError, ValueError):
            continue
        except (AttributeError, TypeError):  # code that does not compute with Values
            result = None
        if isinstance(result, Value):
            if well_conditioned(result):
                return point
        else:
            with np.errstate(all="ignore"):
                if smooth(lambda at: f(*_point(like, at)), numbers):
                    return point
    return reject()


def _point(like: Sequence[Any], numbers: Iterable[float]) -> tuple[Any, ...]:
    """Return the numbers in the shape of the examples."""
    count = iter(numbers)
    point = [shaped(example, lambda _: next(count)) for example in like]
    return tuple(x.astype(float) if hasattr(x, "astype") else x for x in point)


@st.composite
def _networks(draw: st.DrawFn, max_width: int, max_layers: int, max_samples: int) -> Network:
    width = st.integers(1, max_width)
    sizes = [draw(width), *draw(st.lists(width, min_size=1, max_size=max_layers))]
    activation = draw(st.sampled_from(ACTIVATIONS))
    samples = draw(st.integers(1, max_samples))
    count = sum((n + 1) * m for n, m in pairwise(sizes))
    parameters = [draw(_NUMBERS) / 2.0 for _ in range(count)]
    data = [draw(_NUMBERS) / 2.0 for _ in range(samples * (sizes[0] + sizes[-1]))]
    drawn = network(sizes, activation, parameters, data)
    assume(well_conditioned(drawn.recorded()))
    note(_Noted(drawn))
    return drawn


@st.composite
def _matrices(draw: st.DrawFn, max_size: int, max_steps: int) -> Expression:
    steps = draw(st.lists(st.integers(0, 2**16 - 1), min_size=2, max_size=max_steps + 2))
    m, n = draw(st.integers(1, max_size)), draw(st.integers(1, max_size))
    numbers = iter([draw(_SIGNS) * _generic(draw(_NUMBERS), i) / 2.0 for i in range(m * n + n + m)])
    W, x, b = (np.array([next(numbers) for _ in range(size)]) for size in (m * n, n, m))
    expression = matrix_expression(W.reshape(m, n), x, b, steps)
    assume(expression is not None)
    note(_Noted(cast("Expression", expression)))
    return cast("Expression", expression)


@st.composite
def _operands(
    draw: st.DrawFn, op: Op, counts: Sequence[int], drawn_from: st.SearchStrategy[float],
    around: tuple[float, float] | None,
) -> tuple[float, ...]:  # fmt: skip
    operands = tuple(draw(drawn_from) for _ in range(draw(st.sampled_from(counts))))
    for repaired in repairs(op, operands):
        if _all_in(around, repaired) and admissible(op, repaired):
            return repaired
    return reject()


def _drawn_from(around: tuple[float, float] | None) -> st.SearchStrategy[float]:
    if around is None:
        return _NUMBERS
    low, high = map(float, around)
    if not -math.inf < low <= high < math.inf:
        raise ValueError(f"around must be (low, high), the least and the largest number to draw, got {around!r}")
    return st.floats(low, high)


def _all_in(around: tuple[float, float] | None, numbers: Iterable[float]) -> bool:
    return around is None or all(around[0] <= x <= around[1] for x in numbers)


def _moved(numbers: Sequence[float]) -> Iterator[list[float]]:
    """Yield the numbers, then others that may be admissible: apart, above 0, near it."""
    yield list(numbers)
    yield [x + 0.25 * (i + 1) for i, x in enumerate(numbers)]
    yield [abs(x) + 0.25 * (i + 1) for i, x in enumerate(numbers)]
    yield [(abs(x) + 0.25 * (i + 1)) / 8.0 for i, x in enumerate(numbers)]


def _examples(f: Callable[..., Any]) -> tuple[Any, ...]:
    """Return an example of every argument of `f`: those that it is known to take, else one number each."""
    known = getattr(f, "point", None)
    if known is not None:
        return tuple(known)
    if isinstance(f, Op):
        return (0.0,) * (f.arity or 3)
    name = getattr(f, "__name__", type(f).__name__)
    unknown = f"how many arguments does {name} take? Give an example of each: points({name}, 1.0, [0.0, 0.0])"
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        raise TypeError(unknown) from None
    kinds = inspect.Parameter
    taken = [p for p in parameters if p.default is p.empty and p.kind not in (kinds.VAR_KEYWORD, kinds.KEYWORD_ONLY)]
    if not taken or any(p.kind is kinds.VAR_POSITIONAL for p in taken):
        raise TypeError(unknown)
    return (0.0,) * len(taken)


def _operations(operations: Any) -> list[Op]:
    if isinstance(operations, (str, Op)):
        raise TypeError(f"operations must be a sequence of them, got {operations!r}; write [{operations!r}]")
    ops: list[Op] = []
    told = [op for op in OPS.values() if op is not stop_gradient]  # whose slope is that of its value
    for op in told if operations is None else operations:
        if not isinstance(op, (str, Op)):
            raise TypeError(f"an operation must be an Op or the name of a row, got {type(op).__name__} {op!r}")
        if isinstance(op, str) and op not in OPS:
            raise ValueError(f"unknown operation {op!r}; give an Op, or one of {', '.join(OPS)}")
        ops.append(OPS[op] if isinstance(op, str) else op)
    for op in ops:
        if not op.name.isidentifier() or keyword.iskeyword(op.name):
            raise ValueError(f"the name of an Op must be an identifier to be drawn, got {op.name!r}; rename it")
    if not ops:
        raise ValueError("operations must hold at least one, got none")
    return ops


def _at_least_one(name: str, number: Any) -> None:
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"{name} must be an int, got {type(number).__name__} {number!r}")
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}")
