"""Is this derivative right? And if not: which operation, by which operand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff.backward import propagate, topological_order
from autodiff.grad_mode import recording
from autodiff.testing.oracles import (
    COMPLEX_STEP,
    DIFFERENCES,
    EPSILON,
    Estimate,
    NoDerivativeError,
    central_differences,
    derivative_of_graph,
)
from autodiff.testing.partials import HALF_THE_DIGITS, TINY, check_partials, check_second_partials, comparison
from autodiff.value import Value, describe, partials_as_values


@dataclass(frozen=True, slots=True)
class Report:
    """What a check that passed has to say.

    `oracle` is who knew the derivative; `bound` the largest error that oracle claims for itself, and `error` the
    largest difference found: relative for derivatives above 1 in size, absolute below.
    """

    oracle: str
    bound: float
    error: float


def gradcheck(f: Callable[..., Any], *points: Any, order: int = 1) -> Report:
    """Check the derivative of `f` at a point, and with `order=2` the second derivative too.

    `f` takes Values, one per point, and returns ONE; an `Op` will do. A point is a number, or a sequence or array of
    numbers: then `f` gets a list, or an object array, of Values. Every operation that `f` records is checked by itself,
    the sum over all paths is checked against the recorded graph on complex numbers where its operations allow it, and
    against central differences of `f` itself, which also finds what the graph does not know of, such as `v.data`
    used on the way.

    Raises AssertionError naming the operation and the operand whose partial is wrong, the point, both numbers and
    their ratio; ValueError where there is no derivative to check (a kink, the edge of a domain, a number that is not
    finite); TypeError when `f` returns anything but one number.

    >>> from autodiff import Op, exp
    >>> gradcheck(lambda x, y: x * exp(-y), 2.0, 0.5, order=2).oracle
    'central differences'
    >>> cube = Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: 2 * a * a,))
    >>> gradcheck(cube, 2.0)
    Traceback (most recent call last):
      ...
    AssertionError: cube: its partial by operand 1 is wrong
      at cube(2.0)
      the rule gives 8.0
      central differences gives 12.0 (± 2e-13)
      ratio 0.666666666667
      in gradcheck of cube at the point (2.0,)
    """
    if order not in (1, 2):
        raise ValueError(f"order is 1 or 2, got {order!r}: gradcheck knows first and second derivatives")
    if not points:
        raise TypeError("gradcheck needs the point as well: gradcheck(f, 2.0) for a function of one number")
    name = getattr(f, "name", None) or getattr(f, "__name__", None) or type(f).__name__
    where = f"in gradcheck of {name} at the point ({', '.join(map(repr, points))}{',' * (len(points) == 1)})"
    with recording(on=True):
        inputs: list[Value] = []
        root = _call(f, points, inputs)
        for node in reversed(topological_order(root)):
            if not math.isfinite(node.data):
                raise ValueError(f"there is no derivative to check: {describe(node)} is {node.data} {where}")
        results = _check_first(f, points, root, inputs, where)
        if order == 2:
            results += _check_second(f, points, root, inputs, where)
    return Report(
        oracle=DIFFERENCES if any(truth.oracle == DIFFERENCES for _, truth in results) else COMPLEX_STEP,
        bound=max((truth.bound / max(1.0, abs(truth.value)) for _, truth in results), default=0.0),
        error=max((abs(found - truth.value) / max(1.0, abs(truth.value)) for found, truth in results), default=0.0),
    )


def _check_first(
    f: Callable[..., Any], points: Sequence[Any], root: Value, inputs: Sequence[Value], where: str
) -> list[tuple[float, Estimate]]:
    margins = {node: check_partials(node, where) for node in topological_order(root) if node.op is not None}
    delta = propagate(root)
    allowed = _allowance(root, delta, margins)
    noise = _noise(delta)
    results: list[tuple[float, Estimate]] = []
    for i, x in enumerate(inputs):
        found, margin = float(delta.get(x, 0.0)), allowed.get(x, 0.0) + TINY
        truth = derivative_of_graph(root, x)
        if truth is not None and not abs(found - truth.value) <= truth.bound + margin:
            raise AssertionError(
                f"the derivative by {_which(i, inputs)} is wrong, though every operation's partial is right: "
                f"the sweep lost or doubled a path\n{comparison(_at(inputs), found, truth, 'the sweep')}\n  {where}"
            )
        differences = _differences(lambda at: _call(f, points, [], at).data, i, inputs, noise)
        if differences is not None and not abs(found - differences.value) <= differences.bound + margin:
            raise AssertionError(
                f"the derivative by {_which(i, inputs)} is wrong, though every recorded operation's partial is right: "
                "the function computes something that was not recorded (v.data, float, a branch)\n"
                f"{comparison(_at(inputs), found, differences, 'the sweep')}\n  {where}"
            )
        truth = truth or differences
        if truth is None:
            raise ValueError(f"no oracle can tell the derivative by {_which(i, inputs)}; move the point\n  {where}")
        results.append((found, truth))
    return results


def _check_second(
    f: Callable[..., Any], points: Sequence[Any], root: Value, inputs: Sequence[Value], where: str
) -> list[tuple[float, Estimate]]:
    for node in topological_order(root):
        if node.op is not None:
            check_second_partials(node, where)
    results: list[tuple[float, Estimate]] = []
    gradient = propagate(root, partials=partials_as_values)
    for i, x in enumerate(inputs):
        first = gradient.get(x, 0.0)
        second = propagate(first) if isinstance(first, Value) else {}

        def derivative(at: Sequence[float], i: int = i) -> float:
            again: list[Value] = []
            return float(propagate(_call(f, points, again, at)).get(again[i], 0.0))

        # Below: what the rounding of the first derivative's own operations may amount to, and half of the digits of
        # the sum of all its paths, taken without their signs.
        noise, paths = (_noise(second), _paths(first)) if isinstance(first, Value) else (0.0, {})
        for j, y in enumerate(inputs):
            found = float(second.get(y, 0.0))
            truth = _differences(derivative, j, inputs, noise)
            if truth is None:
                raise ValueError(
                    f"no oracle can tell the second derivative by {_which(i, inputs)} and {_which(j, inputs)}; "
                    f"move the point\n  {where}"
                )
            if not abs(found - truth.value) <= truth.bound + HALF_THE_DIGITS * paths.get(y, 0.0) + TINY:
                raise AssertionError(
                    f"the second derivative by {_which(i, inputs)} and {_which(j, inputs)} is wrong\n"
                    f"{comparison(_at(inputs), found, truth, 'the sweep')}\n  {where}"
                )
            results.append((found, truth))
    return results


def _call(
    f: Callable[..., Any], points: Sequence[Any], inputs: list[Value], at: Sequence[float] | None = None
) -> Value:
    """Call `f` on Values shaped as the points, which are collected in `inputs`; `at` replaces their numbers."""

    def values(point: Any) -> Any:
        if isinstance(point, (list, tuple)):
            return [values(x) for x in point]  # pyright: ignore[reportUnknownVariableType]
        shape: tuple[int, ...] = getattr(point, "shape", ())
        if isinstance(point, np.ndarray) and shape:
            array = np.empty(shape, dtype=object)
            for index in np.ndindex(shape):
                array[index] = values(point[index])
            return array
        inputs.append(Value(point if at is None else at[len(inputs)]))
        return inputs[-1]

    result = f(*map(values, points))
    if isinstance(result, Value):
        return result
    try:
        return Value(result)  # a constant: its derivative is 0, and differences will tell whether that is true
    except TypeError:
        raise TypeError(
            f"gradcheck checks functions that return ONE number, got {type(result).__name__}: "
            "return one of its elements, or their total"
        ) from None


def _differences(
    function: Callable[[Sequence[float]], float], i: int, inputs: Sequence[Value], noise: float
) -> Estimate | None:
    """∂function/∂input i; None where the function is not smooth enough around the point."""
    point = [x.data for x in inputs]
    try:
        estimate = central_differences(lambda x: function([*point[:i], x, *point[i + 1 :]]), point[i], noise)
    except NoDerivativeError:
        return None
    return estimate if estimate.bound <= 1e-3 * (1.0 + abs(estimate.value)) else None


def _allowance(root: Value, delta: Mapping[Any, float], margins: Mapping[Any, Sequence[float]]) -> dict[Any, float]:
    """How far off δ may be at each node, when each partial may be off by its margin: the sweep, for errors."""
    allowed: dict[Any, float] = {root: 0.0}
    for node in topological_order(root):
        if node in margins and node in allowed:
            for operand, partial, margin in zip(node.operands, node.partials, margins[node], strict=True):
                if isinstance(operand, Value):
                    more = allowed[node] * (abs(partial) + margin) + abs(delta.get(node, 0.0)) * margin
                    allowed[operand] = allowed.get(operand, 0.0) + more
    return allowed


def _paths(root: Value) -> dict[Any, float]:
    """The sum over all paths of |∏ partials|."""
    return propagate(root, partials=lambda node: [abs(p) for p in node.partials])


def _noise(delta: Mapping[Any, float]) -> float:
    """What the rounding of every recorded operation amounts to in the root, to first order."""
    return 4.0 * EPSILON * sum(abs(node.data * d) for node, d in delta.items() if node.op is not None)


def _which(i: int, inputs: Sequence[Value]) -> str:
    return f"input {i + 1} of {len(inputs)}"


def _at(inputs: Sequence[Value]) -> str:
    return f"({', '.join(repr(x.data) for x in inputs)})"
