"""The check of somebody else's gradient: any code, from any library, against the best oracle its function allows."""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from autodiff.errors import NoDerivativeError
from autodiff.grad_mode import recording
from autodiff.propagation import propagate
from autodiff.testing.arguments import call, numbers_in, place, shaped
from autodiff.testing.blame import explanations
from autodiff.testing.duals import through_duals
from autodiff.testing.failures import wrong
from autodiff.testing.graphs import Graph
from autodiff.testing.oracles import (
    EPSILON,
    Estimate,
    central_differences,
    complex_step_of_code,
    sides_differ,
)
from autodiff.testing.partials import TINY, hint, refuse_edges_of
from autodiff.testing.reproductions import Program, reproduction
from autodiff.value import Value

Results = list[tuple[float, Estimate]]


def check_gradient(f: Callable[..., Any], points: Sequence[Any], gradient: Callable[..., Any], where: str) -> Results:
    """Check every number that `gradient` gives; what it found and what is true.

    Raises WrongDerivativeError for the first that is wrong, with what the others suggest.
    """
    points = [_of_numpy(point) for point in points]
    function = _Function(f, points, where)
    found = _flat(gradient(*copy.deepcopy(points)), points, gradient)
    truths = [function.derivative(i, number) for i, number in enumerate(found)]
    for i, (number, truth) in enumerate(zip(found, truths, strict=True)):
        if not function.agree(i, number, truth):
            raise wrong(
                f"{_name(gradient)}: its derivative by {place(i, points)} is wrong",
                operation=_name(gradient), operand=i + 1, at=function.shown(), point=function.point, found=number,
                truth=truth, source=_name(gradient), where=where, root=function.root,
                hint=hint(number, truth, i, [t.value for t in truths]).replace("the partial", "the derivative")
                .replace("operand", "input"),
                advice=explanations(function.root, function.inputs, found),
                reproduction=_again(f, points, gradient, None),
            )  # fmt: skip
    return list(zip(found, truths, strict=True))


def check_hessian(
    f: Callable[..., Any], points: Sequence[Any], gradient: Callable[..., Any], hessian: Callable[..., Any], where: str
) -> Results:
    """Check every second derivative that `hessian` gives, as a square matrix over all inputs."""
    points = [_of_numpy(point) for point in points]
    function = _Function(f, points, where)
    n = len(function.point)
    given = hessian(*copy.deepcopy(points))
    if given is None:
        raise TypeError(f"{_name(hessian)} returned None: give the second derivatives as a square matrix")
    matrix = np.asarray(_detached(given), dtype=np.float64)
    if matrix.size != n * n:
        raise TypeError(f"{_name(hessian)} gave {matrix.size} numbers where {n} inputs have {n} × {n}")
    results: Results = []
    for (i, j), found in np.ndenumerate(matrix.reshape(n, n)):
        truth = function.second(i, j, gradient)
        if not abs(found - truth.value) <= truth.bound + 1e-7 * abs(truth.value) + function.rounding(i, j):
            raise wrong(
                f"{_name(hessian)}: its second derivative by {place(i, points)} and {place(j, points)} is wrong",
                operation=_name(hessian), operand=i + 1, at=function.shown(), point=function.point, found=float(found),
                truth=truth, source=_name(hessian), where=where, root=function.root,
                reproduction=_again(f, points, gradient, hessian),
            )  # fmt: skip
        results.append((float(found), truth))
    return results


class _Function:
    """A function of any kind, and all that can be told of its derivatives."""

    def __init__(self, f: Callable[..., Any], points: Sequence[Any], where: str) -> None:
        self.f, self.points, self.where = f, points, where
        self.point = numbers_in(points)
        self.on_values = False
        try:
            result = _detached(f(*copy.deepcopy(points)))
        except (AttributeError, TypeError):  # such as x.sin(): written for Values alone
            self.on_values = True
            result = _detached(self._at(0, self.point[0], np.float64))
        try:
            self.here = float(result)
        except (TypeError, ValueError):
            raise TypeError(
                f"gradcheck checks functions that return ONE number, got {type(result).__name__}: "
                "return one of its elements, or their total"
            ) from None
        if not math.isfinite(self.here):
            raise ValueError(f"there is no derivative to check: the function is {self.here} {where}")
        single = "32" in str(getattr(result, "dtype", "")) or self._computes_in_single_precision()
        self.epsilon = float(np.finfo(np.float32).eps) if single else EPSILON
        self.inputs: list[Value] = []
        self.root: Value | None = None
        self.graph: Graph | None = None
        self.paths: dict[Any, float] = {}
        self.noise = 4.0 * self.epsilon * abs(self.here)  # of its values
        self._record()

    def _record(self) -> None:
        """Run it on Values, if it can: then its graph is known, as long as it is the same function."""
        inputs: list[Value] = []
        try:
            with recording(on=True):
                root = call(self.f, self.points, inputs)
        except Exception:  # noqa: BLE001 # code of another library may raise anything when it meets a Value
            return
        graph = Graph(root)
        paths = propagate(root, partials=lambda node: [abs(p) for p in node.partials])
        noise = 4.0 * self.epsilon * sum(paths.get(node, 0.0) * abs(node.data) for node in graph.inner)
        for i, x in enumerate(self.point):
            for h in (0.0, -(2.0**-10), 2.0**-10):
                moved = x + h * max(1.0, abs(x))
                own, recorded = self.value(i, moved), graph.at({inputs[i]: moved})
                nowhere = math.isnan(own) and math.isnan(recorded)  # outside the domain of both
                if not nowhere and not math.isclose(own, recorded, rel_tol=1e-9, abs_tol=16.0 * noise):
                    return
        for node in graph.inner:
            refuse_edges_of(node, self.where)
        self.root, self.inputs, self.graph, self.paths = root, inputs, graph, paths
        self.noise = max(self.noise, noise)

    def _computes_in_single_precision(self) -> bool:
        """Whether all its values close by are float32, which of double precision next to none would be."""
        steps = (-0.0271828, -0.0141421, 0.0173205, 0.0314159)
        moved = (self.value(i, x + h * max(1.0, abs(x))) for i, x in enumerate(self.point[:3]) for h in steps)
        values = {y for y in moved if math.isfinite(y)}
        with np.errstate(all="ignore"):
            return len(values) > 2 and all(float(np.float32(y)) == y for y in values)

    def value(self, i: int, x: float) -> float:
        """Its value when input `i` is `x`; NaN where it has none, or a complex one."""
        try:
            with np.errstate(all="ignore"):
                result = _detached(self._at(i, x, np.float64))
            return math.nan if np.iscomplexobj(result) else float(result)
        except (ArithmeticError, ValueError, TypeError):  # TypeError: of code that met a complex number
            return math.nan

    def derivative(self, i: int, found: float) -> Estimate:
        """∂f/∂input i from the first oracle that knows it; another one where that contradicts what was `found`.

        The other is believed where it contradicts the first as well.
        """
        first: Estimate | None = None
        for truth in self._oracles(i):
            if truth is None:
                continue
            if self.agree(i, found, truth) and not (first and self.agree(i, first.value, truth, first.bound)):
                return truth
            first = first or truth
        if first is None:
            raise ValueError(
                f"no oracle can tell the derivative by {place(i, self.points)}; move the point\n  {self.where}"
            )
        return first

    def agree(self, i: int, number: float, truth: Estimate, bound: float = 0.0) -> bool:
        """Whether a derivative by input `i` is true, to half of its digits, what the oracle claims, and rounding."""
        margin = truth.bound + bound + math.sqrt(self.epsilon) * abs(truth.value) + self.rounding(i)
        return abs(number - truth.value) <= margin

    def rounding(self, i: int, *more: int) -> float:
        """What the rounding of the function's own terms may make of a right derivative by input `i`, and `more`.

        What cancels among the paths, where they are known, and the noise of the values over the scale of the inputs.
        """
        paths = self.paths.get(self.inputs[i], 0.0) if self.graph else 0.0
        unit = math.prod(max(1.0, abs(self.point[k])) for k in more)
        noise = 16.0 * self.noise / max(1.0, abs(self.point[i]))
        return (1e4 * self.epsilon * paths + noise) / unit + TINY

    def _oracles(self, i: int) -> Iterator[Estimate | None]:
        """All that know ∂f/∂input i, the best first.

        Complex and dual numbers take one side of a branch: differences on both sides say whether that is all.
        """
        if self.graph:
            leaf = self.inputs[i]
            yield self.graph.by_complex_step(leaf)
            exact = self.graph.in_many_digits(leaf)
            yield exact
            if exact:
                return

        def along(x: float) -> float:
            return self.value(i, x)

        def on_complex(z: complex) -> Any:
            return self._at(i, z, np.complex128)

        if not self.graph and sides_differ(along, self.point[i], self.noise, self.epsilon):
            return
        differences = self._differences(along, i, self.noise)
        if not self.graph:
            yield complex_step_of_code(on_complex, self.point[i], differences)
        dual = through_duals(lambda z: self._at(i, z, np.object_), self.point[i])
        yield dual if dual and dual.bound <= 1e-3 * abs(dual.value) + self.noise else None
        yield differences

    def second(self, i: int, j: int, gradient: Callable[..., Any]) -> Estimate:
        """∂²f/∂input i ∂input j: of the graph, or how fast the gradient, itself checked, changes."""
        truth = self.graph.second_in_many_digits(self.inputs[i], self.inputs[j]) if self.graph else None

        def slope(x: float) -> float:
            with np.errstate(all="ignore"):
                return _flat(gradient(*self._arguments(j, x, np.float64)), self.points, gradient)[i]

        truth = truth or self._differences(slope, j, 0.0)
        if truth is None:
            both = f"{place(i, self.points)} and {place(j, self.points)}"
            raise ValueError(f"no oracle can tell the second derivative by {both}; move the point\n  {self.where}")
        return truth

    def shown(self) -> str:
        """The point as messages show it."""
        return f"({', '.join(map(repr, self.point))})"

    def _differences(self, function: Callable[[float], float], i: int, noise: float) -> Estimate | None:
        """Central differences, if they can tell three digits of the slope, or of the slopes close by."""
        x = self.point[i]
        try:
            estimate = central_differences(function, x, noise, self.epsilon)
        except NoDerivativeError:
            return None
        step = 0.01 * max(1.0, abs(x))
        here, *beside = map(function, (x, x - step, x + step))
        slopes = [abs(y - here) / step for y in beside if math.isfinite(y - here)]
        least = 1e4 * (noise + self.epsilon * abs(here)) / max(1.0, abs(x))
        enough = 1e-3 * max([abs(estimate.value), *slopes]) + least
        return estimate if estimate.bound <= enough else None

    def _at(self, i: int, x: Any, kind: type[np.generic]) -> Any:
        arguments = self._arguments(i, x, kind)
        if self.on_values and kind is np.float64:
            return self.f(*(shaped(argument, Value) for argument in arguments))
        return self.f(*arguments)

    def _arguments(self, i: int, x: Any, kind: type[np.generic]) -> list[Any]:
        """The points with `x` in place of input `i`; arrays of this kind."""
        numbers = iter([*self.point[:i], x, *self.point[i + 1 :]])
        arguments = [shaped(point, lambda _: next(numbers)) for point in self.points]
        return [a.astype(kind) if isinstance(a, np.ndarray) else a for a in arguments]


def _flat(given: Any, points: Sequence[Any], gradient: Callable[..., Any]) -> list[float]:
    """All numbers of a gradient in the order of the inputs; TypeError where its shape is not that of the points."""
    if given is None:
        raise TypeError(f"the gradient returned None: does {_name(gradient)} end without a return?")
    parts: Any = (given,) if len(points) == 1 else given
    if not isinstance(parts, (tuple, list)) or len(parts) != len(points):  # pyright: ignore[reportUnknownArgumentType]
        raise TypeError(
            f"{_name(gradient)} gave {type(given).__name__}: for {len(points)} points, give a tuple of as many"
        )
    flat: list[float] = []
    for n, point in enumerate(points):
        numbers = _leaves(parts[n])
        size = len(numbers_in([point]))
        if len(numbers) != size:
            raise TypeError(
                f"{_name(gradient)} gave {len(numbers)} derivatives by argument {n + 1}, which has {size} numbers"
            )
        flat += numbers
    return flat


def _leaves(part: Any) -> list[float]:
    if isinstance(part, (tuple, list)):
        items: list[Any] = [*part]
        return [x for item in items for x in _leaves(item)]
    if part is None:
        raise TypeError("the gradient returned None for some number: give 0.0 where there is no slope")
    if isinstance(part, Value):
        return [part.data]
    return np.asarray(_detached(part), dtype=np.float64).ravel().tolist()


def _of_numpy(point: Any) -> Any:
    """A point of another library as an array of NumPy; any other as it is."""
    if isinstance(point, (list, tuple)):
        items: list[Any] = [*point]
        arrays = [_of_numpy(x) for x in items]
        return point if all(map(operator.is_, items, arrays)) else arrays  # pyright: ignore[reportUnknownVariableType]
    if isinstance(point, (np.ndarray, np.generic, Value)) or not hasattr(point, "shape"):
        return point  # pyright: ignore[reportUnknownVariableType]
    try:
        array = np.asarray(_detached(point), dtype=np.float64)
    except Exception as error:  # noqa: BLE001 # another library's object may raise anything
        raise TypeError(f"a point cannot be a {type(point).__name__} ({error}): give a NumPy array") from None
    return array if array.ndim else float(array)


def _detached(x: Any) -> Any:
    """The number of a Value, a tensor of PyTorch without its graph, anything else as it is."""
    if isinstance(x, Value):
        return x.data
    return x.detach() if hasattr(x, "detach") else x


def _name(f: Any) -> str:
    return getattr(f, "name", None) or getattr(f, "__name__", None) or type(f).__name__


def _again(f: Any, points: Sequence[Any], gradient: Any, hessian: Any) -> Callable[[], str]:
    def last(program: Program) -> str:
        program.imported("autodiff.testing", "gradcheck")
        arguments = [program.text(f, "f"), *map(program.text, points), f"gradient={program.text(gradient, 'g')}"]
        if hessian is not None:
            arguments += [f"hessian={program.text(hessian, 'h')}", "order=2"]
        return f"gradcheck({', '.join(arguments)})"

    return reproduction(last)
