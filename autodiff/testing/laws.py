"""Laws that derivatives obey whatever the function: checks that need no oracle.

Each takes functions and the points `at` which they are differentiated (a tuple of arguments; by default the function's
own `point`, which those drawn by a strategy have), and raises AssertionError with both numbers where it is broken. The
laws of the gradient alone take `gradient=`, a function of (f, point) that gives the derivatives of f as a flat
list: the implementation under test, by default autodiff's.

Both sides of a law are sums of the same products, taken in another order. So they may differ by some roundings of
Σ |∏ partials| over all paths, and that is what they are compared to.

>>> from autodiff import sin
>>> product_rule(sin, lambda x: x * x, at=(2.0,), at_g=(2.0,))
>>> linearity(sin, lambda x: x * x, at=(2.0,), at_g=(3.0,), a=2.0, b=-1.0)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import autodiff
from autodiff.backward import topological_order
from autodiff.ops import OPS, Op
from autodiff.propagation import partials_as_values, propagate, push_forward
from autodiff.testing.arguments import call, numbers_in
from autodiff.testing.oracles import EPSILON
from autodiff.testing.partials import path_sums
from autodiff.testing.subjects import detached
from autodiff.value import Value

__tracebackhide__ = True  # of pytest: a test that fails shows its own line

Function = Callable[..., Any]
At = tuple[Any, ...]  # Any: numbers, or nests of them
Gradient = Callable[[Function, At], Sequence[float]]

ORDERLESS = ("add", "mul", "maximum", "minimum", "hypot", "total", "mean", "logsumexp")  # operands change places
_ROUNDINGS = 100.0 * EPSILON  # of at most some dozens of operations
_TINY = 1e-290


def gradient_of(f: Function, at: At) -> list[float]:
    """Return the derivatives of `f` by all numbers of its arguments, in order, by a sweep.

    >>> gradient_of(lambda x, y: x * y, (2.0, 3.0))
    [3.0, 2.0]
    """
    inputs: list[Value] = []
    call(f, at, inputs).backward()
    return [float(x.grad) for x in inputs]


def linearity(
    f: Function, g: Function, at: At | None = None, at_g: At | None = None, *, a: float = 2.0, b: float = -3.0,
    gradient: Gradient = gradient_of,
) -> None:  # fmt: skip
    """Check ∇(a·f + b·g) = a·∇f + b·∇g, each at its own point."""
    at, at_g = _point(f, at), _point(g, at_g)
    both = gradient(lambda *xs: a * f(*xs[: len(at)]) + b * g(*xs[len(at) :]), at + at_g)
    apart = [a * d for d in gradient(f, at)] + [b * d for d in gradient(g, at_g)]
    scale = [abs(a) * p for p in _paths(f, at)] + [abs(b) * p for p in _paths(g, at_g)]
    _equal("linearity", ("∇(a·f + b·g)", both), ("a·∇f + b·∇g", apart), scale)


def product_rule(
    f: Function, g: Function, at: At | None = None, at_g: At | None = None, *, gradient: Gradient = gradient_of
) -> None:
    """Check ∇(f·g) = g·∇f + f·∇g, each at its own point."""
    at, at_g = _point(f, at), _point(g, at_g)
    u, v = float(detached(f(*at))), float(detached(g(*at_g)))
    both = gradient(lambda *xs: f(*xs[: len(at)]) * g(*xs[len(at) :]), at + at_g)
    apart = [v * d for d in gradient(f, at)] + [u * d for d in gradient(g, at_g)]
    scale = [abs(v) * p for p in _paths(f, at)] + [abs(u) * p for p in _paths(g, at_g)]
    _equal("the product rule", ("∇(f·g)", both), ("g·∇f + f·∇g", apart), scale)


def chain_rule(outer: Function, f: Function, at: At | None = None, *, gradient: Gradient = gradient_of) -> None:
    """Check ∇(outer∘f) = outer′(f) · ∇f, for a function `outer` of one number."""
    at = _point(f, at)
    (slope,) = gradient(outer, (float(detached(f(*at))),))
    chained = gradient(lambda *xs: outer(f(*xs)), at)
    scale = [abs(slope) * p for p in _paths(f, at)]
    _equal("the chain rule", ("∇(g∘f)", chained), ("g′(f)·∇f", [slope * d for d in gradient(f, at)]), scale)


def symmetric_hessian(f: Function, at: At | None = None) -> None:
    """Check ∂²f/∂x∂y = ∂²f/∂y∂x for all pairs of inputs, each computed in its own order."""
    inputs: list[Value] = []
    firsts = propagate(call(f, _point(f, at), inputs), partials=partials_as_values)
    matrix: list[list[float]] = []
    scale: list[list[float]] = []
    for x in inputs:
        first = firsts.get(x, 0.0)
        second, paths = (propagate(first), path_sums(first)) if isinstance(first, Value) else ({}, {})
        matrix.append([float(second.get(y, 0.0)) for y in inputs])
        scale.append([paths.get(y, 0.0) for y in inputs])
    for i in range(len(inputs)):
        for j in range(i):
            larger = 1e6 * max(scale[i][j], scale[j][i])  # rules such as 1 - tanh² cancel first
            sides = (f"∂²/∂{i + 1}∂{j + 1}", [matrix[i][j]]), (f"∂²/∂{j + 1}∂{i + 1}", [matrix[j][i]])
            _equal("the symmetry of second derivatives", *sides, [larger * 1e-2])


def forward_equals_reverse(f: Function, at: At | None = None, direction: Sequence[float] | None = None) -> None:
    """Check that the rate of change along a direction (all ones by default) is ⟨∇f, direction⟩."""
    at = _point(f, at)
    inputs: list[Value] = []
    root = call(f, at, inputs)
    direction = [1.0] * len(inputs) if direction is None else direction
    if len(direction) != len(inputs):
        raise ValueError(f"the direction must have one number per input, {len(inputs)}, got {len(direction)}")
    rate = float(push_forward(root, dict(zip(inputs, direction, strict=True))))
    swept = sum(d * v for d, v in zip(gradient_of(f, at), direction, strict=True))
    scale = sum(p * abs(v) for p, v in zip(_paths(f, at), direction, strict=True))
    _equal("forward mode = reverse mode", ("forward", [rate]), ("reverse", [swept]), [scale])


def compiled_equals_eager(f: Function, at: At | None = None, rows: int = 2) -> None:
    """Check that `autodiff.compile(f)` gives value and derivatives of the eager engine, on every row of a batch.

    The batch holds the point so many times. Where all arguments are numbers, it is also called with one point. What
    cannot be compiled (a branch on a Value) raises autodiff.compiler.TraceError, as ever.
    """
    at = _point(f, at)
    slopes, value = gradient_of(f, at), float(detached(f(*at)))
    scale = [1e3 * (1.0 + p) for p in _paths(f, at)]
    size = [1e3 * (1.0 + abs(value))]
    program: Any = autodiff.compile(f)
    where = tuple(range(len(at)))
    batch = [np.array([x] * rows, dtype=np.float64) for x in at]
    values, _, by = program.value_and_grad(*batch, reduce=None, argnums=where)
    for k in range(rows):
        compiled = [x for part in by for x in np.asarray(part)[k].ravel().tolist()]
        _equal("compiled = eager, a batch", ("compiled", compiled), ("eager", slopes), scale)
        _equal("compiled = eager, a batch", ("compiled", [float(values[k])]), ("eager", [value]), size)
    if all(isinstance(x, (int, float)) for x in at):
        alone, _, by = program.value_and_grad(*at, argnums=where)
        _equal("compiled = eager, one point", ("compiled", list(by)), ("eager", slopes), scale)
        _equal("compiled = eager, one point", ("compiled", [alone]), ("eager", [value]), size)


def relabelling(f: Function, at: At | None = None, *, gradient: Gradient = gradient_of) -> None:
    """Check that names mean nothing: labels change no bit, and arguments in another order only their place.

    `f` is also called with its arguments reversed, as a function of them in that order.
    """
    at = _point(f, at)
    inputs: list[Value] = []
    root = call(f, at, inputs)
    for i, node in enumerate(topological_order(root)):
        node.label = f"some.{i}"
    root.backward()
    plain = gradient_of(f, at)
    _equal("invariance to labels", ("labelled", [float(x.grad) for x in inputs]), ("not", plain), [0.0] * len(plain))
    turned = gradient(lambda *xs: f(*reversed(xs)), at[::-1])
    sizes = [len(numbers_in([x])) for x in at]
    expected: list[float] = []
    for i in reversed(range(len(at))):
        expected += gradient(f, at)[sum(sizes[:i]) : sum(sizes[: i + 1])]
    _equal("invariance to the order of arguments", ("reversed", turned), ("as they are", expected), [0.0] * len(turned))


def operand_order(f: Function, at: At | None = None, seed: int = 0) -> None:
    """Check that operands of sums, products, maxima, … can change places: the graph is rebuilt with them shuffled.

    The rows in question are `ORDERLESS`, and weighted_sum, whose products change places.
    """
    inputs: list[Value] = []
    root = call(f, _point(f, at), inputs)
    scale = path_sums(root)
    rebuilt: dict[Any, Any] = {}
    draw = random.Random(seed)  # noqa: S311 # an order, no secret
    for node in reversed(topological_order(root)):
        operands = [rebuilt.get(x, x) for x in node.operands]
        rebuilt[node] = node.op(*_shuffled(node.op, operands, draw)) if node.op is not None else Value(node.data)
    once, again = propagate(root), propagate(rebuilt[root])
    values = [float(once.get(x, 0.0)) for x in inputs], [float(again.get(rebuilt.get(x), 0.0)) for x in inputs]
    # The values of sums differ by a rounding too, and slopes with them.
    larger = [1e3 * scale.get(x, 0.0) for x in inputs]
    _equal("invariance to the order of operands", ("as recorded", values[0]), ("shuffled", values[1]), larger)
    size = 1e3 * (1.0 + abs(root.data) + sum(scale.values()))
    _equal("invariance to the order of operands", ("value", [root.data]), ("shuffled", [rebuilt[root].data]), [size])


def _shuffled(op: Op, operands: list[Any], draw: random.Random) -> list[Any]:
    if op is OPS["weighted_sum"]:
        n = len(operands) // 2
        order = draw.sample(range(n), n)
        return [*(operands[i] for i in order), *(operands[n + i] for i in order), operands[-1]]
    return draw.sample(operands, len(operands)) if op.name in ORDERLESS else operands


def _point(f: Function, at: At | None) -> At:
    at = getattr(f, "point", None) if at is None else at
    if not isinstance(at, tuple):
        raise TypeError(f"at must be a tuple of arguments, got {at!r}; write at=(2.0,) for one")
    return at  # pyright: ignore[reportUnknownVariableType]


def _paths(f: Function, at: At) -> list[float]:
    """Return Σ |∏ partials| by every input; if `f` does not take Values, large enough that half the digits agree."""
    inputs: list[Value] = []
    try:
        sums = path_sums(call(f, at, inputs))
    except Exception:  # noqa: BLE001 # code of another library may raise anything when it meets a Value
        return [1e6] * len(numbers_in(at))
    return [sums.get(x, 0.0) for x in inputs]


def _equal(
    law: str, left: tuple[str, Sequence[float]], right: tuple[str, Sequence[float]], scale: Sequence[float]
) -> None:
    """Compare two sides, each with its name, to some roundings of `scale`."""
    if not len(left[1]) == len(right[1]) == len(scale):
        raise AssertionError(f"{law} is broken: {left[0]} has {len(left[1])} derivatives, {right[0]} {len(right[1])}")
    for i, (a, b, largest) in enumerate(zip(left[1], right[1], scale, strict=True)):
        if not abs(a - b) <= _ROUNDINGS * largest + _TINY:
            raise AssertionError(
                f"{law} is broken at input {i + 1} of {len(scale)}\n  {left[0]} gives {a!r}\n  {right[0]} gives {b!r}\n"
                f"  they may differ by {_ROUNDINGS * largest + _TINY:.0e}"
            )
