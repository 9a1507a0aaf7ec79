"""Is this derivative right? And if not: which operation, by which operand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff.errors import NoDerivativeError, WrongDerivativeError
from autodiff.grad_mode import recording
from autodiff.propagation import partials_as_values, propagate
from autodiff.testing import partials as rules
from autodiff.testing.arguments import call, name_of, refuse_calls, refuse_no_functions, shortened
from autodiff.testing.gradients import GradientCheck, Results
from autodiff.testing.graphs import Graph
from autodiff.testing.oracles import EPSILON, ORACLES, Estimate
from autodiff.testing.partials import HALF_THE_DIGITS, TINY, noise_of, path_sums
from autodiff.testing.subjects import Subject, Tolerance, generators_kept
from autodiff.value import Value

__tracebackhide__ = True  # of pytest: a test that fails shows its own line

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


def weakest(reports: Sequence[Report]) -> Report:
    """Return the report of several checks: the weakest oracle, the largest bound and the largest error."""
    return Report(
        oracle=max((report.oracle for report in reports), key=ORACLES.index, default=ORACLES[0]),
        bound=max((report.bound for report in reports), default=0.0),
        error=max((report.error for report in reports), default=0.0),
    )


def gradcheck(
    f: Callable[..., Any],  # Any: points, f and its gradient, hessian and hvp have numbers, or nests of them
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
    does not grow with them; `directions` says how many, 0 that every number is checked, which takes long (of 1,000 of
    them a minute). If one is wrong, halving finds up to three that are.

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
    refuse_no_functions(f=f, gradient=gradient, hessian=hessian, hvp=hvp)
    _refuse_arguments(points, order, gradient, hessian, hvp, directions)
    refuse_calls(f, len(points), gradient=(gradient, ""), hessian=(hessian, ""), hvp=(hvp, "vector"))
    tolerance = Tolerance(rtol, atol)
    options: dict[str, Any] = {"rtol": rtol, "atol": atol or None, "seed": seed, "directions": directions}
    options = {key: given for key, given in options.items() if given is not None}
    where = f"in gradcheck of {name_of(f)} at the point ({', '.join(map(shortened, points))}{',' * (len(points) == 1)})"
    more: list[Report] = []
    try:
        with generators_kept(), recording(on=True):
            if gradient is not None:
                check = GradientCheck(Subject(f, points, where, tolerance, seed), points, options, gradient)
                results = check.first() + (check.second(hessian) if hessian is not None else [])
                if hvp is not None:
                    from autodiff.testing.vectors import jaccheck  # which is made of checks such as this one

                    kept = {key: x for key, x in options.items() if key != "directions"}
                    more.append(jaccheck(gradient, *points, jvp=hvp, **kept))
            else:
                if order == 2:
                    options["order"] = 2
                check = _SweepCheck(Subject(f, points, where, tolerance, seed, recorded=True), points, options)
                results = check.first() + (check.own_second() if order == 2 else [])
    except WrongDerivativeError as error:
        raise error.with_traceback(None)  # noqa: B904 # unittest shows one frame of ours, not the way to it
    sized = [(found, truth, max(1.0, abs(truth.value))) for found, truth in results]
    reports = [Report(t.oracle, t.bound / size, abs(found - t.value) / size) for found, t, size in sized]
    report = weakest([*reports, *more])
    loose = max(report.bound, report.error)
    if gradient is not None and loose > max(1e-2, math.sqrt(check.subject.epsilon), rtol or 0.0, atol):
        raise check.subject.undecided("one of the inputs", loose)  # own rules are right one by one, whatever cancels
    return report


def _refuse_arguments(points: Any, order: int, gradient: Any, hessian: Any, hvp: Any, directions: Any) -> None:
    """Raise for arguments of gradcheck that do not go together."""
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}; gradcheck knows first and second derivatives")
    if not points:
        raise TypeError("gradcheck needs the point as well: gradcheck(f, 2.0) for a function of one number")
    if gradient is None and (hessian is not None or hvp is not None):
        raise TypeError("hessian= and hvp= come with gradient=: to check autodiff's second derivatives, use order=2")
    if (hessian is not None) > (order == 2) or (gradient is not None and order == 2 and hessian is hvp):
        raise TypeError(
            "somebody else's second derivatives need both: gradcheck(f, x, gradient=g, hessian=h, order=2), or hvp=h"
        )
    whole = isinstance(directions, (int, np.integer)) and not isinstance(directions, bool) and directions >= 0
    if directions is not None and (gradient is None or not whole):
        raise ValueError(
            f"directions must be a whole number from 0 up, with gradient=, got {directions!r}; 0 checks every number"
        )


class _SweepCheck(GradientCheck):
    """The check of what a function's own graph gives: every operation by itself, then the sums over all paths."""

    def __init__(self, subject: Subject, points: Sequence[Any], options: dict[str, Any]) -> None:
        super().__init__(subject, points, options, self._swept)
        self.given, self.name, self.source = None, name_of(subject.given), "the sweep"
        self.root: Any = subject.root
        self.graph = Graph(self.root)

    def first(self) -> Results:
        """Check every operation's partials, then the sum over all paths, and that the function follows its graph."""
        subject = self.subject
        rtol, atol = subject.tolerance.rtol, subject.tolerance.atol
        rtol = HALF_THE_DIGITS if rtol is None else rtol
        margins = {n: rules.check_partials(n, self.where, self.root, rtol, atol) for n in reversed(self.graph.inner)}
        delta = propagate(self.root)
        allowed = self._rounded(delta, margins)
        follows = subject.follows(self.graph, 2.0**-3) and subject.follows(self.graph, 2.0**-8)
        results: Results = []
        for i, x in enumerate(subject.inputs):
            found = float(delta.get(x, 0.0))
            margin = allowed[i] + rtol * abs(found) + atol + TINY
            truth = self.graph.derivative(x)
            if truth is not None and not abs(found - truth.value) <= truth.bound + margin:
                judge = self.graph.in_many_digits(x)  # the last word has whoever knows best
                if judge is None or not abs(found - judge.value) <= judge.bound + margin:
                    what = f"the derivative by {self.layout.which(i)}"
                    self._refuse_overflow(what, found, truth)
                    problem = "though every operation's partial is right: the sweep lost or doubled a path"
                    raise self._own(f"{what} is wrong, {problem}", i, found, truth)
                truth = judge
            if truth is None or not follows:
                truth = self._of_the_function(i, found, margin, truth)
            results.append((found, truth))
        return results

    def _of_the_function(self, i: int, found: float, margin: float, truth: Estimate | None) -> Estimate:
        """Return the derivative of the function itself, whatever it recorded, where its graph does not speak for it.

        A function that climbs in stairs follows its graph all the same, at the smallest steps that could tell.
        """
        which = self.layout.which(i)
        try:
            own = self.subject.derivative(self.subject.along(i), found, which)
        except NoDerivativeError:
            if truth is None or not self.subject.follows(self.graph, 2.0**-26):
                raise
            return truth
        off = own.value - found
        if abs(off) <= own.bound + margin or not self._shows(i, off):
            return truth or own
        problem = (
            "though every recorded operation's partial is right: the function computes something that was not recorded "
            "(v.data, float, a branch)"
        )
        raise self._own(f"the derivative by {which} is wrong, {problem}", i, found, own)

    def _shows(self, i: int, slope: float) -> bool:
        """Tell whether function and graph part by a slope at the smallest steps that can show it."""
        subject, line, leaf = self.subject, self.subject.along(i), self.subject.inputs[i]
        least = max(2.0**-26 * line.size, 64.0 * (subject.noise + _ROUNDINGS * abs(subject.here)) / abs(slope))
        h = min(line.size / 8.0, least)
        low, high = (subject.value(line, x) - self.graph.at({leaf: x}) for x in (line.start - h, line.start + h))
        return not abs((high - low) / (2.0 * h) - slope) > 0.5 * abs(slope)

    def _rounded(self, delta: Mapping[Any, float], margins: Mapping[Any, Sequence[float]]) -> list[float]:
        """Return how far off the sweep may be, by moving each partial by its margin, up or down as `_nudged` does."""
        number = {node: k for k, node in enumerate(margins)}
        allowed = [0.0] * len(self.subject.inputs)
        for mask in (0, *(1 << bit for bit in range(len(number).bit_length()))):

            def partials(node: Any, mask: int = mask) -> list[float]:
                sign = -1.0 if number[node] & mask else 1.0
                return [p + sign * m for p, m in zip(node.partials, margins[node], strict=True)]

            moved = propagate(self.root, partials=partials)
            apart = [abs(float(moved.get(x, 0.0)) - float(delta.get(x, 0.0))) for x in self.subject.inputs]
            allowed = [max(largest, 8.0 * off) for largest, off in zip(allowed, apart, strict=True)]
        return allowed

    def own_second(self) -> Results:
        """Check every operation's second partials, then the whole matrix."""
        for node in reversed(self.graph.inner):
            rules.check_second_partials(node, self.where, self.root)
        inputs = self.subject.inputs
        gradient = propagate(self.root, partials=partials_as_values)
        firsts: list[Any] = [gradient.get(x, 0.0) for x in inputs]
        swept = [propagate(first) if isinstance(first, Value) else {} for first in firsts]
        # Below: what the rounding of the first derivative's own operations may amount to, and half of the digits
        # of the sum of all its paths, taken without their signs.
        paths = [path_sums(first) if isinstance(first, Value) else {} for first in firsts]
        roundings = rules.second_allowance(self.root, inputs)

        def margin(i: int, j: int, truth: Estimate) -> float:
            return truth.bound + HALF_THE_DIGITS * paths[i].get(inputs[j], 0.0) + roundings[i][j] + TINY

        def refuse(what: str, i: int, j: int, found: float, truth: Estimate) -> None:
            self._refuse_overflow(what, found, truth)
            self._refuse_cancellation(what, firsts[i], inputs[j], abs(found - truth.value))

        matrix = np.array([[float(second.get(y, 0.0)) for y in inputs] for second in swept])
        return self.compared(matrix.reshape(len(inputs), -1), margin, [noise_of(each) for each in swept], refuse)

    def _refuse_overflow(self, what: str, found: float, truth: Estimate) -> None:
        """Raise ValueError where the right derivative is no float, and the sweep did not find one either."""
        if not math.isfinite(truth.value) and not math.isfinite(found):
            raise ValueError(f"{what} overflows there: it is beyond the largest float\n  {self.where}")

    def _refuse_cancellation(self, what: str, first: Any, y: Value, off: float) -> None:
        """Raise ValueError where a second derivative is off by no more than all roundings amount to, signs left out."""
        try:
            second = propagate(first, partials=partials_as_values).get(y, 0.0) if isinstance(first, Value) else 0.0
            rounded = noise_of(propagate(second)) if isinstance(second, Value) else 0.0
        except (ArithmeticError, RuntimeError, TypeError, ValueError):  # a rule without a third derivative
            return
        if off <= rounded:
            raise ValueError(
                f"{what} is ill-conditioned there: by cancellation it may be off by {rounded:.0e} from roundings "
                f"alone; move the point, or write the function so that nothing cancels\n  {self.where}"
            )

    def _swept(self, *points: Any) -> Any:
        """Return the gradient by a sweep, in the shape of the points."""
        inputs: list[Value] = []
        delta = propagate(call(self.subject.f, points, inputs))
        return tuple(self.layout.build(np.array([float(delta.get(x, 0.0)) for x in inputs])))
