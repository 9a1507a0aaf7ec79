"""Is this derivative right? And if not: which operation, by which operand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff.errors import NoDerivativeError
from autodiff.grad_mode import recording
from autodiff.naming import describe
from autodiff.propagation import partials_as_values, propagate
from autodiff.testing.allowances import noise_of, path_sums, second_allowance
from autodiff.testing.arguments import Layout, call, names_of, shortened
from autodiff.testing.duals import through_duals
from autodiff.testing.failures import wrong
from autodiff.testing.gradients import GradientCheck, name_of
from autodiff.testing.graphs import Graph
from autodiff.testing.oracles import EPSILON, ORACLES, Estimate, central_differences
from autodiff.testing.partials import HALF_THE_DIGITS, TINY, check_partials, check_second_partials
from autodiff.testing.reproductions import Program, reproduction
from autodiff.testing.subjects import Subject, Tolerance, generators_kept, refuse_chance, seeded
from autodiff.value import Value

__tracebackhide__ = True  # of pytest: a test that fails shows its own line

Results = list[tuple[float, Estimate]]
_ROUNDINGS = 16.0 * EPSILON  # of a value that is computed in two ways


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check that passed.

    `oracle` is who knew the derivative (the weakest, where several were asked); `bound` the largest error that it
    claims for itself, and `error` the largest difference found: relative for derivatives above 1 in size, absolute
    below.
    """

    oracle: str
    bound: float
    error: float


def gradcheck(
    f: Callable[..., Any],  # Any: numbers, or nests of them
    *points: Any,
    order: int = 1,
    gradient: Callable[..., Any] | None = None,
    hessian: Callable[..., Any] | None = None,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int | None = None,
    directions: int | None = None,
    hvp: Callable[..., Any] | None = None,
) -> Report:
    """Check the derivative of `f` at a point, and with `order=2` the second derivative too.

    `f` takes Values, one per point, and returns ONE; an `Op` will do. A point is a number, or a sequence or array of
    numbers: then `f` gets a list, or an object array, of Values. Every operation that `f` records is checked by itself;
    the sum over all paths is checked too, and that `f` follows the graph it recorded, which finds what the graph does
    not know of, such as `v.data` used on the way.

    With `gradient=g` it is somebody else's gradient that is checked: `g(*points)` gives the derivatives of `f` in the
    shape of the point, or for several points a tuple of them. `f` may then be any code, on floats and arrays. With
    `hessian=h` as well, `h` gives the second derivatives as a square matrix over all numbers of all points, in order;
    with `hvp=h`, `h(*points, *vectors)` gives them times a vector, in the shape of the points: random ones are tried.

    A derivative is right when it agrees to what the oracle claims plus `rtol` of its size plus `atol`. By default
    `rtol` is half of the digits in which `f` computes; code that is approximate by nature (an iterative solver, an
    adjoint of a differential equation) says by how much. `seed` seeds `random`, `numpy.random` and `torch` before
    every call, and leaves them as they were.

    Of more than 200 numbers it is what the gradient makes along 8 random directions that is checked, at a cost that
    does not grow with them; `directions` says how many, 0 that every number is checked. If one is wrong, halving finds
    a number that is.

    The oracle is the first of these that knows: the complex step, mpmath with 50 digits (if installed), dual numbers,
    central differences extrapolated to step 0. See docs/gradient-testing.md for what each claims.

    Raises WrongDerivativeError, an AssertionError, naming the operation and the operand whose partial is wrong, the
    point, both numbers and their ratio, with a program that reproduces it; ValueError where there is no derivative to
    check (a kink, the edge of a domain, a number that is not finite, a function that gives two values at one point) or
    rounding leaves too few digits to decide; TypeError when `f` returns anything but one real number, and
    WrongShapeError, which is one, when a gradient has another shape than the point.

    >>> from autodiff import Op, exp
    >>> gradcheck(lambda x, y: x * exp(-y), 2.0, 0.5, order=2).error < 1e-12
    True
    >>> gradcheck(lambda x: x ** 3, 2.0, gradient=lambda x: 3 * x ** 2).oracle
    'complex step'
    >>> cube = Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: 2 * a * a,))
    >>> gradcheck(cube, 2.0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
      ...
    autodiff.errors.WrongDerivativeError: cube: its partial by operand 1 is wrong
      at cube(2.0)
      the rule gives 8.0
      complex step gives 12.0 (± ...)
      ratio 0.666666666667
      in gradcheck of cube at the point (2.0,)
      reproduce it with
        from autodiff import Op
        from autodiff.testing import gradcheck
    ...
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}; gradcheck knows first and second derivatives")
    if not points:
        raise TypeError("gradcheck needs the point as well: gradcheck(f, 2.0) for a function of one number")
    if gradient is None and (hessian is not None or hvp is not None):
        raise TypeError(
            "hessian= and hvp= come with gradient=: to check autodiff's own second derivatives, use order=2"
        )
    if gradient is not None and (order == 2) != (hessian is not None):
        raise TypeError("somebody else's second derivatives need both: gradcheck(f, x, gradient=g, hessian=h, order=2)")
    if directions is not None and (gradient is None or directions < 0 or directions != int(directions)):
        raise ValueError(
            f"directions must be a whole number from 0 up, with gradient=, got {directions!r}; 0 checks every number"
        )
    tolerance = Tolerance(rtol, atol)
    options: dict[str, Any] = {"rtol": rtol, "atol": atol or None, "seed": seed, "directions": directions}
    options = {key: given for key, given in options.items() if given is not None}
    where = f"in gradcheck of {name_of(f)} at the point ({', '.join(map(shortened, points))}{',' * (len(points) == 1)})"
    with generators_kept(), recording(on=True):
        if gradient is not None:
            check = GradientCheck(Subject(f, points, where, tolerance, seed), points, options, gradient)
            results = check.first() + (check.second(hessian) if hessian is not None else [])
            if hvp is not None:
                from autodiff.testing.vectors import jaccheck  # which is made of checks such as this one

                jaccheck(gradient, *points, jvp=hvp, **{key: x for key, x in options.items() if key != "directions"})
        else:
            results = _Check(f, points, order, where, tolerance, options).results()
    return Report(
        oracle=max((truth.oracle for _, truth in results), key=ORACLES.index, default=ORACLES[0]),
        bound=max((truth.bound / max(1.0, abs(truth.value)) for _, truth in results), default=0.0),
        error=max((abs(found - truth.value) / max(1.0, abs(truth.value)) for found, truth in results), default=0.0),
    )


class _Check:
    """One check of a function that records its operations."""

    def __init__(
        self,
        f: Callable[..., Any],
        points: Sequence[Any],
        order: int,
        where: str,
        tolerance: Tolerance,
        options: dict[str, Any],
    ) -> None:
        self.given, self.points, self.order, self.where, self.options = f, points, order, where, options
        self.f, self.tolerance = seeded(f, options.get("seed")), tolerance
        self.layout = Layout(points, names_of(f, len(points)))
        self.inputs: list[Value] = []
        self.root = call(self.f, self.layout, self.inputs)
        for i, (x, given) in enumerate(zip(self.inputs, self.layout.flat.tolist(), strict=True)):
            if x.data != given and not math.isnan(given):
                raise ValueError(
                    f"the function changes the data of {self.which(i)} from {given!r} to {x.data!r}: what it recorded "
                    f"before that is of the old number, and what comes after of the new; compute with a new Value "
                    f"instead\n  {where}"
                )
        self.graph = Graph(self.root)
        refuse_chance(self.root.data, self.value(self.layout.flat), where)

    def results(self) -> Results:
        """Check the derivatives, and return each as found with the true one: all first, then all second."""
        for node in self.graph.order:
            if not math.isfinite(node.data):
                raise ValueError(f"there is no derivative to check: {describe(node)} is {node.data} {self.where}")
        return self.first() + (self.second() if self.order == 2 else [])

    def first(self) -> Results:
        """Check every operation's partials, then the sum over all paths."""
        rtol, atol = self.tolerance.rtol, self.tolerance.atol
        rtol = HALF_THE_DIGITS if rtol is None else rtol
        margins = {n: check_partials(n, self.where, self.root, rtol, atol) for n in reversed(self.graph.inner)}
        delta = propagate(self.root)
        allowed = self.rounded(delta, margins)
        noise = noise_of(delta)
        results: Results = []
        for i, x in enumerate(self.inputs):
            found = float(delta.get(x, 0.0))
            margin = allowed[i] + rtol * abs(found) + atol + TINY
            truth = self.graph.derivative(x)
            if truth is not None and not abs(found - truth.value) <= truth.bound + margin:
                judge = self.graph.in_many_digits(x)  # the last word has whoever knows best
                if judge is None or not abs(found - judge.value) <= judge.bound + margin:
                    self.refuse_overflow(f"derivative by {self.which(i)}", found, truth)
                    problem = "though every operation's partial is right: the sweep lost or doubled a path"
                    raise self._wrong(f"the derivative by {self.which(i)} is wrong, {problem}", i, found, truth)
                truth = judge
            if truth is None or not (self.follows(i, 2.0**-3, noise) and self.follows(i, 2.0**-8, noise)):
                self.refuse_decisions(i, noise)
                hidden = self.unrecorded(i, noise)
                other = self.from_the_function(i, noise)
                right = other is None or abs(found - other.value) <= other.bound + margin
                if hidden is not None and abs(hidden.value) > 4.0 * hidden.bound + margin:
                    if right or other is None:
                        other = Estimate(found + hidden.value, hidden.bound + margin, hidden.oracle)
                elif right or other is None or self.follows(i, 2.0**-26, noise):
                    truth = truth or other
                    other = None
                if other is not None:
                    problem = (
                        "though every recorded operation's partial is right: the function computes something that was "
                        "not recorded (v.data, float, a branch)"
                    )
                    raise self._wrong(f"the derivative by {self.which(i)} is wrong, {problem}", i, found, other)
            if truth is None:
                raise ValueError(
                    f"no oracle can tell the derivative by {self.which(i)}; move the point\n  {self.where}"
                )
            results.append((found, truth))
        return results

    def rounded(self, delta: Mapping[Any, float], margins: Mapping[Any, Sequence[float]]) -> list[float]:
        """Return how far off the sweep may be when each partial may be off by its margin, by moving them up and down.

        With the masks 0, 1, 2, 4, … any two nodes are moved alike once and apart once.
        """
        number = {node: k for k, node in enumerate(margins)}
        allowed = [0.0] * len(self.inputs)
        for mask in (0, *(1 << bit for bit in range(len(number).bit_length()))):

            def partials(node: Any, mask: int = mask) -> list[float]:
                sign = -1.0 if number[node] & mask else 1.0
                return [p + sign * m for p, m in zip(node.partials, margins[node], strict=True)]

            moved = propagate(self.root, partials=partials)
            apart = [abs(float(moved.get(x, 0.0)) - float(delta.get(x, 0.0))) for x in self.inputs]
            allowed = [max(largest, 8.0 * off) for largest, off in zip(allowed, apart, strict=True)]
        return allowed

    def second(self) -> Results:
        """Check every operation's second partials, then the whole matrix."""
        for node in reversed(self.graph.inner):
            check_second_partials(node, self.where, self.root)
        results: Results = []
        gradient = propagate(self.root, partials=partials_as_values)
        roundings = second_allowance(self.root, self.inputs)
        known: dict[tuple[int, int], Estimate | None] = {}
        for i, x in enumerate(self.inputs):
            first = gradient.get(x, 0.0)
            second = propagate(first) if isinstance(first, Value) else {}
            # Below: what the rounding of the first derivative's own operations may amount to, and half of the digits
            # of the sum of all its paths, taken without their signs.
            noise, paths = (noise_of(second), path_sums(first)) if isinstance(first, Value) else (0.0, {})
            for j, y in enumerate(self.inputs):
                found = float(second.get(y, 0.0))
                pair = min(i, j), max(i, j)
                if pair not in known:
                    known[pair] = self.graph.second_in_many_digits(x, y)
                truth = known[pair] or _differences(lambda at, i=i: self.slope(at, i), j, self.inputs, noise)
                both = f"{self.which(i)} and {self.which(j)}"
                if truth is None:
                    raise ValueError(
                        f"no oracle can tell the second derivative by {both}; move the point\n  {self.where}"
                    )
                margin = truth.bound + HALF_THE_DIGITS * paths.get(y, 0.0) + roundings[i][j] + TINY
                if not abs(found - truth.value) <= margin:
                    self.refuse_overflow(f"second derivative by {both}", found, truth)
                    self.refuse_cancellation(f"second derivative by {both}", first, y, abs(found - truth.value))
                    raise self._wrong(f"the second derivative by {both} is wrong", i, found, truth)
                results.append((found, truth))
        return results

    def value(self, at: Sequence[float]) -> float:
        """Return `f` at other inputs."""
        return call(self.f, self.layout, [], at).data

    def slope(self, at: Sequence[float], i: int) -> float:
        """Return ∂f/∂input i at other inputs."""
        return self.value_and_slope(at, i)[1]

    def follows(self, i: int, step: float, noise: float) -> bool:
        """Tell whether `f` and its recorded graph agree as input `i` moves; both must leave a domain together."""
        point = [x.data for x in self.inputs]
        for h in (-step * max(1.0, abs(point[i])), step * max(1.0, abs(point[i]))):
            graph = self.graph.at({self.inputs[i]: point[i] + h})
            try:
                own = self.value([*point[:i], point[i] + h, *point[i + 1 :]])
            except (ArithmeticError, ValueError):
                own = math.nan
            same = own == graph or (math.isnan(own) and math.isnan(graph))
            if not same and not abs(own - graph) <= noise + _ROUNDINGS * (abs(own) + abs(graph)):
                return False
        return True

    def unrecorded(self, i: int, noise: float) -> Estimate | None:
        """Return the slope of `f` minus its recorded graph as input `i` moves; None where that is not smooth."""
        x = self.inputs[i]
        others = [y.data for y in self.inputs]
        rounding = noise + _ROUNDINGS * abs(self.root.data)

        def difference(at: float) -> float:
            return self.value([*others[:i], at, *others[i + 1 :]]) - self.graph.at({x: at})

        try:
            estimate = central_differences(difference, x.data, rounding)
            # Stairs climb at large steps too: what cuts the graph does so at the smallest that can still show it.
            scale = max(1.0, abs(x.data))
            h = min(scale / 8.0, max(2.0**-26 * scale, 64.0 * rounding / (abs(estimate.value) or 1.0)))
            near = (difference(x.data + h) - difference(x.data - h)) / (2.0 * h)
        except (NoDerivativeError, ArithmeticError, ValueError):
            return None
        return estimate if abs(near - estimate.value) <= 0.5 * abs(estimate.value) else None

    def refuse_decisions(self, i: int, noise: float) -> None:
        """Raise ValueError where `f` decides by input `i` at the point itself: a jump, or another slope on each side.

        Both stay as the sides come closer; what is smooth shrinks.
        """
        point = [x.data for x in self.inputs]
        jumps: list[float] = []
        bends: list[float] = []
        for step in (2.0**-20, 2.0**-23):
            h = step * max(1.0, abs(point[i]))
            try:
                sides = [self.value_and_slope([*point[:i], point[i] + s, *point[i + 1 :]], i) for s in (-h, h)]
            except (ArithmeticError, ValueError):
                return
            (low, left), (high, right) = sides
            rounding = 16.0 * (noise + EPSILON * (abs(low) + abs(high)))
            jump, bend = max(abs(high - self.root.data), abs(self.root.data - low)), abs(right - left)
            jumps.append(jump if jump > rounding + 1e-9 * (abs(low) + abs(high)) else 0.0)
            bends.append(bend if bend > 1e-6 * (abs(left) + abs(right)) else 0.0)
        for shown, (wide, narrow) in (("its value jumps", jumps), ("its slope jumps", bends)):
            if narrow > 0.5 * wide:
                raise ValueError(
                    f"there is no derivative to check by {self.which(i)}: the function decides by its number there, "
                    f"and {shown} at {point[i]!r}; move the point a little\n  {self.where}"
                )

    def refuse_overflow(self, what: str, found: float, truth: Estimate) -> None:
        """Raise ValueError where the right derivative is no float, and the sweep did not find one either."""
        if not math.isfinite(truth.value) and not math.isfinite(found):
            raise ValueError(f"the {what} overflows there: it is beyond the largest float\n  {self.where}")

    def refuse_cancellation(self, what: str, first: Any, y: Value, off: float) -> None:
        """Raise ValueError where a second derivative is off by no more than roundings on the way to it amount to.

        They are those of all operations, of `f` and of both sweeps, added up without their signs.
        """
        try:
            second = propagate(first, partials=partials_as_values).get(y, 0.0) if isinstance(first, Value) else 0.0
            rounded = noise_of(propagate(second)) if isinstance(second, Value) else 0.0
        except (ArithmeticError, RuntimeError, TypeError, ValueError):  # a rule without a third derivative
            return
        if off <= rounded:
            raise ValueError(
                f"the {what} is ill-conditioned there: by cancellation it may be off by {rounded:.0e} from roundings "
                f"alone; move the point, or write the function so that nothing cancels\n  {self.where}"
            )

    def value_and_slope(self, at: Sequence[float], i: int) -> tuple[float, float]:
        """Return `f` and ∂f/∂input i at other inputs, as recorded there."""
        again: list[Value] = []
        root = call(self.f, self.layout, again, at)
        return root.data, float(propagate(root).get(again[i], 0.0))

    def from_the_function(self, i: int, noise: float) -> Estimate | None:
        """Estimate the derivative of `f` itself by dual numbers or differences, whatever it recorded."""
        point = [x.data for x in self.inputs]
        dual = through_duals(lambda z: self._on([*point[:i], z, *point[i + 1 :]]), point[i])
        return dual or _differences(self.value, i, self.inputs, noise)

    def _on(self, at: Sequence[Any]) -> Any:
        return self.f(*self.layout.build(np.array([*at, None], dtype=object)))

    def which(self, i: int) -> str:
        """Return what messages call input `i`, such as "input 2 of 3 (y)"."""
        return self.layout.which(i)

    def _wrong(self, sentence: str, i: int, found: float, truth: Estimate) -> AssertionError:
        def last(program: Program) -> str:
            program.imported("autodiff.testing", "gradcheck")
            given = {**({"order": 2} if self.order == 2 else {}), **self.options}
            arguments = [program.text(self.given), *map(program.text, self.points)]
            return f"gradcheck({', '.join([*arguments, *(f'{key}={x!r}' for key, x in given.items())])})"

        return wrong(
            sentence, operation=name_of(self.given),
            operand=i + 1, point=[x.data for x in self.inputs], found=found, truth=truth, source="the sweep",
            where=self.where, reproduction=reproduction(last), root=self.root,
        )  # fmt: skip


def _differences(
    function: Callable[[Sequence[float]], float], i: int, inputs: Sequence[Value], noise: float
) -> Estimate | None:
    """Return ∂function/∂input i; None where the function is not smooth enough around the point."""
    point = [x.data for x in inputs]
    try:
        estimate = central_differences(lambda x: function([*point[:i], x, *point[i + 1 :]]), point[i], noise)
    except NoDerivativeError:
        return None
    return estimate if estimate.bound <= 1e-3 * (1.0 + abs(estimate.value)) else None
