"""The check of functions of many numbers: Jacobians, and what multiplies them by a vector from either side."""

# Arrays of any library and nests of them, so there are no types to give:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false
from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from autodiff import nests
from autodiff.errors import WrongDerivativeError
from autodiff.testing.arguments import Layout, name_of, names_of, refuse_calls, refuse_no_functions, shortened
from autodiff.testing.checking import Report, gradcheck, weakest
from autodiff.testing.diagnosis import Diagnosis, Hint
from autodiff.testing.failures import retold
from autodiff.testing.reproductions import Program, reproduction
from autodiff.testing.subjects import detached, of_numpy
from autodiff.value import Value

__tracebackhide__ = True  # of pytest: a test that fails shows its own line

_ROWS = 12  # numbers of a result, up to which each is checked by itself
_ENTRIES = 1000  # of a Jacobian, up to which it is compared number by number
_COLUMN = 100  # numbers of a result, up to which each is compared along a tangent: they are computed together
_ALIKE = 8.0  # sizes of derivatives whose ratio is less are summed as they are
_COTANGENTS = 4  # random vectors, where there are more
_RECORDED = 1000  # numbers among the arguments, beyond which no graph is recorded


def jaccheck(
    f: Callable[..., Any],  # Any: f, points, jacobian, vjp, jvp have numbers, or nests of them
    *points: Any,
    jacobian: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    jvp: Callable[..., Any] | None = None,
    pattern: Any = None,  # Any: True, or what NumPy makes an array of
    **options: Any,  # Any: those of gradcheck
) -> Report:
    """Check the derivatives of a function that returns an array, or a nest of arrays and numbers.

    `jacobian(*points)` gives all of them, an array of the shape of the result followed by that of the point, or a
    matrix, which may be sparse; for several points a tuple. `vjp(*points, cotangent)` gives the cotangent, in the shape
    of the result, times the Jacobian, in the shape of the points; `jvp(*points, *tangents)` the Jacobian times the
    tangents, in the shape of the result. Any of them can be given, and random vectors are drawn; with none, the
    function's own graph is checked. `pattern`, a matrix of results by inputs, says where the Jacobian may not be 0.
    `options` are those of `gradcheck`: rtol, atol, seed, directions.

    Raises what `gradcheck` raises.

    >>> A = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> jaccheck(lambda x: np.sin(A @ x), np.ones(2), vjp=lambda x, u: A.T @ (u * np.cos(A @ x))).oracle
    'complex step'
    """
    refuse_no_functions(f=f, jacobian=jacobian, vjp=vjp, jvp=jvp)
    refuse_calls(f, len(points), jacobian=(jacobian, ""), vjp=(vjp, "cotangent"), jvp=(jvp, "tangent"))
    points = tuple(of_numpy(point) for point in points)
    result = of_numpy(f(*copy.deepcopy(points)))
    check = _VectorCheck(f, points, options, _layout_of(result, f))
    given = {"jacobian": jacobian, "vjp": vjp, "jvp": jvp, "pattern": pattern}
    check.program = check.again({key: x for key, x in given.items() if x is not None})
    reports: list[Report] = []
    if jacobian is not None:
        most = max(_ROWS, _ENTRIES // max(1, len(check.layout.flat)))
        try:
            reports += check.rows(lambda u: lambda *at: check.times(jacobian(*at), u), name_of(jacobian), most)
        except WrongDerivativeError:
            check.transposed(jacobian, name_of(jacobian))
            raise
    if vjp is not None:
        try:
            reports += check.rows(lambda u: lambda *at: vjp(*at, check.shaped(u.copy())), name_of(vjp))
        except WrongDerivativeError as error:
            if all(hint.kind not in ("accumulated", "unscaled", "crooked") for hint in error.diagnosis.hints):
                check.transposed(check.by_rows(vjp), name_of(vjp))
            raise
    if jvp is not None:
        reports += check.columns(jvp)
    if pattern is not None:
        reports += check.zeros(pattern)
    if all(x is None for x in given.values()):
        reports += check.rows(None, name_of(f))
    return weakest(reports)


def _layout_of(result: Any, f: Callable[..., Any]) -> Layout:
    """Return how the numbers of a result lie in it. Raises TypeError where they are none, or complex."""
    if result is None:
        raise TypeError(
            f"jaccheck needs a function that returns numbers, got None: does {name_of(f)} end without a return?"
        )
    if any(np.iscomplexobj(leaf) for _, leaf in nests.leaves(result, "")):
        raise TypeError(
            f"jaccheck needs a function that returns real numbers, got complex ones from {name_of(f)}: "
            "return the real and the imaginary part side by side"
        )
    return Layout([result], ["result"])


class _VectorCheck:
    """One check of a function of many numbers, as checks of functions that return one."""

    def __init__(self, f: Callable[..., Any], points: Sequence[Any], options: dict[str, Any], results: Layout) -> None:
        self.f, self.points, self.options, self.results = f, points, options, results
        self.layout = Layout(points, names_of(f, len(points)))
        self.size = len(results.flat)
        self.where = f"in jaccheck of {name_of(f)} at the point ({', '.join(map(shortened, points))})"
        self.program: Callable[[], str] = lambda: ""

    def shaped(self, u: Any) -> Any:
        """Return a vector in the shape of the result."""
        return self.results.build(u)[0]

    def cotangents(self, most: int) -> Iterator[tuple[Any, str]]:
        """Vectors to multiply the Jacobian by, and their names: units where the result is small; random ones too.

        Of more numbers than `most` a random vector takes each in its own scale, lest the large ones hide the small, and
        there is one for each part of a nest.
        """
        units = self.size if self.size <= most else 0
        for k in range(units):
            yield np.eye(self.size)[k], f"of {self.results.name(k)}"
        scales = np.ones(self.size) if units else self.scales()
        yield from ((u / scales, "of a random cotangent") for u in _random(self.size, 2 if units else _COTANGENTS))
        parts = self.results.leaves if not units and 1 < len(self.results.leaves) <= _ROWS else []
        for leaf in parts:
            (u,) = _random(leaf.size, 1)
            alone = np.zeros(self.size)
            alone[leaf.place] = u / scales[leaf.place]
            yield alone, f"of a random cotangent of {leaf.name}"

    def scales(self) -> Any:
        """Return a power of two for each number of the result, about the size of its slopes; 1 if all are alike."""
        steepest = np.zeros(self.size)
        for v in self.layout.directions(2):
            along = self._along(v)
            with np.errstate(all="ignore"):
                steepest = np.fmax(steepest, abs(along(1.0 + 2.0**-12) - along(1.0 - 2.0**-12)) * 2.0**11)
        steepest = np.maximum(steepest, 1e-4 * abs(self.results.flat))  # of a smaller one there is nothing to see
        some = steepest[np.isfinite(steepest) & (steepest > 0.0)]
        if not some.size or some.max() <= _ALIKE * some.min():
            return np.ones(self.size)
        usual = float(np.exp(np.mean(np.log(some))))
        return np.exp2(np.rint(np.log2(np.where(np.isfinite(steepest) & (steepest > 0.0), steepest, usual))))

    def rows(self, gradient_for: Callable[..., Any] | None, name: str, most: int = _ROWS) -> Iterator[Report]:
        """Check a cotangent times the Jacobian, for each cotangent; of up to `most` results for each by itself."""
        for u, which in self.cotangents(most):
            options = dict(self.options)
            if gradient_for is not None:
                options["gradient"] = _called(gradient_for(u), name)
            check = partial(gradcheck, _projected(self.f, u), *self.points, **options)

            try:
                product = (lambda u: gradient_for(u)(*copy.deepcopy(self.points))) if gradient_for else (lambda u: u)
                yield self.told(check, which, "cotangent", u, product)
            except WrongDerivativeError as error:
                unclear = gradient_for is not None and not {hint.kind for hint in error.diagnosis.hints} - {"digits"}
                if not unclear or not 1 < np.count_nonzero(u) <= _ENTRIES:
                    raise
                raise self._of_one(gradient_for, name, u) or error from None

    def _of_one(self, gradient_for: Any, name: str, u: Any) -> WrongDerivativeError | None:
        """Return the error of one result among those that a cotangent adds up, found by halving it."""
        places, found = np.flatnonzero(u), None
        while len(places) > 1:
            for half in (places[: len(places) // 2], places[len(places) // 2 :]):
                alone = np.zeros(self.size)
                alone[half] = 1.0 if len(half) == 1 else u[half]
                which = f"of {self.results.name(int(half[0]))}" if len(half) == 1 else "of a random cotangent"
                options = {**self.options, "gradient": _called(gradient_for(alone), name)}
                check = partial(gradcheck, _projected(self.f, alone), *self.points, **options)
                try:
                    self.told(check, which, "", alone, lambda u: u)
                except WrongDerivativeError as error:
                    places, found = half, error
                    break
            else:
                return None
        return found

    def _known_by_columns(self, jvp: Callable[..., Any]) -> None:
        """Raise what is wrong with a product with tangents as with a Jacobian, whose columns it gives."""
        n = len(self.layout.flat)
        if n * self.size > _ENTRIES:
            return

        def jacobian(*at: Any) -> Any:
            units = (self.layout.build(v) for v in np.eye(n))
            return np.stack([_numbers(of_numpy(jvp(*copy.deepcopy(at), *v))) for v in units], axis=1)

        self.transposed(jacobian, name_of(jvp))
        for _ in self.rows(lambda u: lambda *at: self._shaped_as_points(jacobian(*at).T @ u), name_of(jvp), _ENTRIES):
            pass

    def transposed(self, jacobian: Callable[..., Any], name: str) -> None:
        """Raise WrongDerivativeError where a matrix of all derivatives, one argument's, is right when transposed."""
        n = len(self.layout.flat)
        if n != self.size or len(self.layout.leaves) > 1 or n * n > _ENTRIES:
            return
        try:
            matrix = np.reshape(jacobian(*copy.deepcopy(self.points)), (n, n))
            for _ in self.rows(lambda u: lambda *_: self._shaped_as_points(matrix @ u), name, _ENTRIES):
                pass
        except Exception:  # noqa: BLE001 # somebody else's code; and what it gives is wrong in another way
            return
        i, j = divmod(int(np.argmax(abs(matrix - matrix.T))), n)
        argument = self.layout.leaves[0].name
        hint = Hint("transposed", (argument,), {})
        said = f"{name} gives {float(matrix[i, j])!r}, where {float(matrix[j, i])!r} is right"
        message = (
            f"{name}: the Jacobian is wrong\n  {hint.text('en')}\n  {self.results.name(i)} by {self.layout.name(j)}: "
            f"{said}\n  {self.where}"
        )
        raise WrongDerivativeError(
            message, self.program, operation=name, operand=j + 1, point=tuple(self.layout.flat.tolist()),
            found=float(matrix[i, j]), expected=float(matrix[j, i]),
            diagnosis=Diagnosis({argument: (int(np.sum(matrix != matrix.T)), n * n)}, (hint,)),
        )  # fmt: skip

    def by_rows(self, vjp: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that gives the Jacobian by products with unit cotangents."""
        return lambda *at: np.stack([np.ravel(_numbers(vjp(*at, self.shaped(u)))) for u in np.eye(self.size)])

    def _tangents(self) -> Iterator[Any]:
        """Vectors to multiply the Jacobian by: random ones; units where they are few, so that no column hides another.

        Of more numbers, up to a limit, two random ones in which each moves as much as the results move by it.
        """
        n = len(self.layout.flat)
        directions = list(self.layout.directions(2))
        yield from directions
        sizes = abs(directions[0])
        if n <= _ROWS:
            yield from np.diag(sizes)
        elif n <= _RECORDED:
            steepest = np.zeros(n)
            rows = self.scales()
            for k in range(n):
                along = self._along(np.where(np.arange(n) == k, sizes, 0.0))
                with np.errstate(all="ignore"):
                    steepest[k] = np.max(abs(along(1.0 + 2.0**-12) - along(1.0)) / rows) * 2.0**12
            usual = np.isfinite(steepest) & (steepest > 0.0)
            scales = np.exp2(-np.rint(np.log2(np.where(usual, steepest, 1.0))))
            yield from (v * scales for v in directions if usual.any() and np.ptp(scales[usual]) > 0.0)

    def columns(self, jvp: Callable[..., Any]) -> Iterator[Report]:
        """Check the Jacobian times a tangent, for random ones."""
        scales = np.ones(self.size) if self.size <= _COLUMN else self.scales()
        for v in self._tangents():

            def product(v: Any) -> Any:
                return jvp(*copy.deepcopy(self.points), *self.layout.build(v.copy()))

            product(v)  # a second call gives the same, or it is found that it does not
            answer = Layout([of_numpy(product(v))], ["result"])
            if [leaf.shape for leaf in answer.leaves] != [leaf.shape for leaf in self.results.leaves]:
                shapes = ", ".join(str(leaf.shape or ()) for leaf in answer.leaves)
                raise TypeError(f"{name_of(jvp)} must give the shape of the result, {self._shape()}: got {shapes}")
            along = self._along(v)
            places = [slice(k, k + 1) for k in range(self.size)] if self.size <= _COLUMN else [slice(0, self.size)]
            while places:
                place = places.pop()
                one = place.stop - place.start == 1
                moving = np.flatnonzero(v)
                tangent = f"along {self.layout.name(int(moving[0]))}" if len(moving) == 1 else "along a random tangent"
                which = f"of {self.results.name(place.start)} {tangent}" if one else tangent
                u = next(_random(place.stop - place.start, 1)) / scales[place]
                slope = float(u @ answer.flat[place])
                value = _called(lambda t, u=u, place=place, along=along: u @ along(t)[place], name_of(self.f))
                given = _called(lambda _, slope=slope: slope, name_of(jvp))
                try:
                    check = partial(gradcheck, value, 1.0, gradient=given, **self.options)
                    yield self.told(check, which, "tangent", v, product)
                except WrongDerivativeError as error:
                    if one:
                        if not error.diagnosis.hints:
                            self._known_by_columns(jvp)
                        raise
                    middle = (place.start + place.stop) // 2
                    places += [slice(middle, place.stop), slice(place.start, middle)]

    def _along(self, v: Any) -> Callable[[Any], Any]:
        """All numbers of the result along a tangent, each computed once; at 1 it is the point itself."""
        known: dict[Any, Any] = {}

        def along(t: Any) -> Any:
            if t not in known:
                if not isinstance(t, (float, complex)) and len(self.layout.flat) > _RECORDED:
                    raise TypeError("so many numbers are not worth recording")
                kind = type(t) if isinstance(t, (float, complex)) else object
                known[t] = _numbers(self.f(*self.layout.build(self.layout.flat.astype(kind) + (t - 1.0) * v)))
            return known[t]

        return along

    def zeros(self, pattern: Any) -> Iterator[Report]:
        """Check that the Jacobian is 0 wherever the pattern is."""
        allowed = np.asarray(pattern.toarray() if hasattr(pattern, "toarray") else pattern, dtype=bool)
        n = len(self.layout.flat)
        if allowed.shape != (self.size, n):
            raise ValueError(f"pattern must be a matrix of {self.size} × {n}, results by inputs, got {allowed.shape}")
        for k in range(self.size):
            outside = np.flatnonzero(~allowed[k])

            def there(x: Any, k: int = k, outside: Any = outside) -> Any:
                flat = self.layout.flat.astype(x.dtype)
                flat[outside] = x
                return _numbers(self.f(*self.layout.build(flat)))[k]

            if not len(outside):
                continue
            try:
                options: dict[str, Any] = {"directions": 2, **self.options}
                yield gradcheck(there, self.layout.flat[outside], gradient=np.zeros_like, **options)
            except WrongDerivativeError as error:
                entry = f"{self.results.name(k)} by {self.layout.name(int(outside[error.operand - 1]))}"
                said = f"{entry} is {error.expected!r} ({error.oracle}, ± {error.bound:.0e})"
                message = f"the Jacobian of {name_of(self.f)} is not 0 outside the pattern: {said}\n  {self.where}"
                raise retold(error, message, self.program) from None

    def times(self, jacobian: Any, u: Any) -> Any:
        """Return a cotangent times a Jacobian, in the shape of the points."""
        several = len(self.points) > 1
        if several and not (isinstance(jacobian, (tuple, list)) and len(jacobian) == len(self.points)):
            raise TypeError(
                f"the Jacobian must be a tuple of {len(self.points)}, one for each point, got {type(jacobian).__name__}"
            )
        products: list[Any] = []
        for leaf, part in zip(self.layout.leaves, self._parts(jacobian if several else [jacobian]), strict=True):
            shape = tuple(getattr(part, "shape", np.shape(part)))
            right = {(self.size, leaf.size), (*self._shape(), *(leaf.shape or ()))}
            if shape not in right:
                said = " or ".join(map(str, sorted(right, key=len)))
                turned = ": the one is the other transposed" if shape[::-1] in right else ""
                raise TypeError(f"the Jacobian by {leaf.name} must have shape {said}, got {shape}{turned}")
            matrix = part if hasattr(part, "toarray") else np.reshape(part, (self.size, leaf.size))
            products.append(np.ravel(matrix.T @ u))
        return self._shaped_as_points(np.concatenate(products))

    def _shaped_as_points(self, flat: Any) -> Any:
        shaped = self.layout.build(flat)
        return tuple(shaped) if len(self.points) > 1 else shaped[0]

    def _parts(self, jacobians: Sequence[Any]) -> Iterator[Any]:
        """Yield the Jacobians by each number or array, where points are nests."""
        for point, jacobian in zip(self.points, jacobians, strict=True):
            single = nests.entries(point) is None
            yield from [jacobian] if single else [x for _, x in nests.leaves(jacobian, "")]

    def _shape(self) -> tuple[int, ...]:
        shapes = [leaf.shape or () for leaf in self.results.leaves]
        return shapes[0] if len(shapes) == 1 else (self.size,)

    def again(self, given: dict[str, Any]) -> Callable[[], str]:
        """Return a program that checks the same."""

        def last(program: Program) -> str:
            program.imported("autodiff.testing", "jaccheck")
            arguments = [program.text(self.f, "f"), *map(program.text, self.points)]
            arguments += [f"{key}={program.text(x, key)}" for key, x in {**given, **self.options}.items()]
            return f"jaccheck({', '.join(arguments)})"

        return reproduction(last)

    def told(self, check: Callable[[], Report], which: str, kind: str, vector: Any, product: Any) -> Report:
        """Run a check whose errors say which derivative it is, and whether a product with a vector is none of it."""
        try:
            return check()
        except (WrongDerivativeError, ValueError) as error:
            head, *lines = str(error.args[0]).split("\n")
            lines = [self.where if line.startswith("  in gradcheck of") else line.strip() for line in lines]
            head = head.replace("by input 1 of 1 ", "along it ") if kind == "tangent" else head
            if isinstance(error, WrongDerivativeError):
                fields, hints = error._fields, self._not_linear(kind, vector, product)  # pyright: ignore[reportPrivateUsage]
                if hints or kind == "tangent":  # else what it computes with the tangent would be spoken of
                    fields["diagnosis"] = replace(error.diagnosis, hints=hints)
                    numbers = [line for line in lines if line.startswith(("by ", self.where[:12]))]
                    marks = [error.diagnosis.marks()] * (len(error.diagnosis.right) > 1)
                    lines = [*marks, *(hint.text("en") for hint in hints), *numbers]
                raise retold(error, "\n  ".join([f"{head}, {which}", *lines]), self.program) from None
            raise type(error)("\n  ".join([f"{head}, {which}", *lines])) from None

    def _not_linear(self, kind: str, vector: Any, product: Callable[[Any], Any]) -> tuple[Hint, ...]:
        """Return the hint that what should be a product with a vector does not grow with it."""
        if not kind:
            return ()
        try:
            once, again, twice = (_numbers(of_numpy(product(k * vector))).copy() for k in (1.0, 1.0, 2.0))
        except Exception:  # noqa: BLE001 # somebody else's code, with a vector of our choice
            return ()
        if not np.isfinite(once).all():  # what is told is that, and not that it is crooked
            return ()
        if not np.allclose(once, again, rtol=1e-6):
            i = int(np.argmax(abs(again - once)))
            return (Hint("accumulated", (kind,), {"first": float(once[i]), "second": float(again[i])}),)
        if np.allclose(twice, 2.0 * once, rtol=1e-6, atol=0.0):
            return ()
        return (Hint("unscaled" if np.allclose(twice, once, rtol=1e-6) else "crooked", (kind,)),)


def _random(size: int, count: int) -> Iterator[Any]:
    """Yield random vectors, the same ones every time."""
    draw = np.random.default_rng(1986)
    for _ in range(count):
        yield draw.uniform(0.5, 1.0, size) * draw.choice([-1.0, 1.0], size)


def _numbers(result: Any) -> Any:
    """All numbers of a result as one vector, Values and complex numbers too."""
    kept = result if isinstance(result, Value) else detached(result)
    return np.concatenate([np.ravel(np.asarray(x)) for _, x in nests.leaves(kept, "")])


def _projected(f: Callable[..., Any], u: Any) -> Callable[..., Any]:
    """Return a vector times a function's result, under its name and with its parameters."""

    def projected(*at: Any) -> Any:
        return u @ _numbers(f(*at))

    named: Any = _called(projected, name_of(f))
    named.loosens = True  # see recordings.py
    with contextlib.suppress(TypeError, ValueError):
        named.__signature__ = inspect.signature(f)
    return named


def _called(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    function.__name__ = name
    return function
