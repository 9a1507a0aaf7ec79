"""A recorded graph as a whole: its value at other inputs, and its derivatives by other arithmetics.

The nodes say which operations were computed on what; their partials, which are under test, are never looked at.
"""

import math
from collections.abc import Callable, Mapping
from itertools import count, product
from typing import Any

from autodiff.backward import topological_order
from autodiff.testing.definitions import DIGITS, context, definition, installed
from autodiff.testing.oracles import EPSILON, MANY_DIGITS, Estimate, complex_step, many_digits, underflows

_TINY = 1e-300


class Graph:
    """A recorded computation that can be repeated in any arithmetic."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.order = topological_order(root)[::-1]
        self.inner = [node for node in self.order if node.op is not None]

    def at(self, changed: Mapping[Any, float]) -> float:
        """Return the root's value when these leaves have other numbers; NaN where it is not defined."""
        try:
            return self._replayed({node: node.op.on_floats for node in self.inner}, lambda x: x, changed)
        except (ArithmeticError, ValueError):
            return math.nan

    def derivative(self, way: Any) -> Estimate | None:
        """Return the slope along a way by the complex step, else with 50 digits; None if some operation has neither."""
        return self.by_complex_step(way) or self.in_many_digits(way)

    def by_complex_step(self, way: Any) -> Estimate | None:
        """Return the slope along a way by the complex step: ∂root/∂leaf for a leaf.

        A way is a leaf, or a pair: the number where one is, and a function from numbers to those of the leaves.

        Its claim has two parts: the rounding of the last operations, and what came of all others, which is found
        by repeating the computation with every result moved by a few units in the last place, up and down.
        """
        start, at = _started(way)
        functions: dict[Any, Any] = {node: definition(node.op) for node in self.inner}
        if None in functions.values():
            return None

        def step(check: Callable[[Any, Any], Any]) -> Estimate:
            return complex_step(lambda z: self._replayed(functions, complex, at(z), check), start)

        try:
            estimate = step(self._without_underflow)
            masks = (0, *(1 << bit for bit in range(len(self.inner).bit_length())))
            moved = max(abs(step(_nudged(mask)).value - estimate.value) for mask in masks)
        except (ArithmeticError, ValueError):
            return None
        bound = estimate.bound + 8.0 * moved
        return Estimate(estimate.value, bound, estimate.oracle) if math.isfinite(bound) else None

    def in_many_digits(self, way: Any) -> Estimate | None:
        """Return the slope along a way with 50 digits; None without mpmath, or if some node is no row of the table."""
        if not self._defined():
            return None
        start, at = _started(way)
        try:
            return many_digits(lambda mp, x: self._in(mp, at(x)), start)
        except (ArithmeticError, ValueError, TypeError):
            return None

    def second_in_many_digits(self, x: Any, y: Any) -> Estimate | None:
        """Return ∂²root/∂x∂y with 50 digits, by differences of differences; None as above."""
        if not self._defined():
            return None
        exponents = [math.frexp(leaf.data)[1] for leaf in (x, y) if leaf.data]
        digits = sum(max(0, 1 - 2 * e, e) for e in exponents) / 3
        mp = context(2 * DIGITS + 16 * math.ceil(digits / 16))
        try:
            wide, narrow = (self._second(mp, x, y, mp.mpf(10) ** -15 / k) for k in (1, 2))
            value = float(narrow)
            h, k = (mp.mpf(10) ** -15 * min(abs(mp.mpf(leaf.data)) or 1, 1) for leaf in (x, y))
            noise = 64 * mp.eps * abs(self._in(mp, {})) / (h * k)
            bound = float(2 * abs(wide - narrow) + noise) + EPSILON * abs(value) + _TINY
        except (ArithmeticError, ValueError, TypeError):
            return None
        return Estimate(value, bound, MANY_DIGITS)

    def _second(self, mp: Any, x: Any, y: Any, step: Any) -> Any:
        a, b = mp.mpf(x.data), mp.mpf(y.data)
        h, k = step * min(abs(a) or 1, 1), step * min(abs(b) or 1, 1)
        if x is y:
            return (self._in(mp, {x: a + h}) - 2 * self._in(mp, {x: a}) + self._in(mp, {x: a - h})) / (h * h)
        corners = (s * t * self._in(mp, {x: a + s * h, y: b + t * k}) for s, t in product((1, -1), repeat=2))
        return sum(corners) / (4 * h * k)

    def _defined(self) -> bool:
        return installed() and all(definition(node.op, context(2 * DIGITS)) is not None for node in self.inner)

    def _in(self, mp: Any, changed: Mapping[Any, Any]) -> Any:
        functions = {node: definition(node.op, mp) for node in self.inner}
        return self._replayed(functions, mp.mpf, changed, self._as_recorded)

    @staticmethod
    def _as_recorded(node: Any, result: Any) -> Any:
        """Return a result equal to the node's own, or raise: on complex numbers, say, 0 ** x is another function."""
        if not math.isclose(float(result.real), node.data, rel_tol=1e-6, abs_tol=1e-9):
            raise ValueError(f"{node.op.name} is another function in this arithmetic")
        return result

    def _without_underflow(self, node: Any, result: complex) -> complex:
        if underflows(result):
            raise ValueError(f"the slope beside {node.op.name} is lost")
        return self._as_recorded(node, result)

    def _replayed(
        self, functions: Mapping[Any, Any], lift: Callable[[float], Any], changed: Mapping[Any, Any],
        check: Callable[[Any, Any], Any] = lambda _, result: result,
    ) -> Any:  # fmt: skip
        at: dict[Any, Any] = {}
        for node in self.order:
            if node in changed:
                at[node] = lift(changed[node]) if changed[node].__class__ is float else changed[node]
            elif node in functions:
                operands = [lift(x) if x.__class__ is float else at[x] for x in node.operands]
                at[node] = check(node, functions[node](*operands))
            else:
                at[node] = lift(node.data)
        return at[self.root]


def _started(way: Any) -> tuple[float, Callable[[Any], Mapping[Any, Any]]]:
    return way if isinstance(way, tuple) else (way.data, lambda z: {way: z})  # pyright: ignore[reportUnknownVariableType]


def _nudged(mask: int) -> Callable[[Any, Any], Any]:
    """Move every result by two units in the last place, up where its number has no bit of `mask`, else down.

    With the masks 0, 1, 2, 4, … any two results are moved alike once and apart once: what cancels in one run does not
    in another.
    """
    counter = count(1)
    return lambda _, result: result * (1.0 + (-2.0 if next(counter) & mask else 2.0) * EPSILON)
