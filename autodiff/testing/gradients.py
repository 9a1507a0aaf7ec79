"""The check of somebody else's gradient: any code, from any library, against the best oracle its function allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.grad_mode import recording
from autodiff.propagation import propagate
from autodiff.testing.arguments import call, numbers_in, place, shaped
from autodiff.testing.blame import explanations
from autodiff.testing.duals import through_duals
from autodiff.testing.failures import wrong
from autodiff.testing.graphs import Graph
from autodiff.testing.oracles import EPSILON, Estimate, NoDerivativeError, central_differences, complex_step_of_code
from autodiff.testing.partials import TINY, hint, refuse_edges_of
from autodiff.testing.reproductions import Program, reproduction
from autodiff.value import Value

Results = list[tuple[float, Estimate]]


def check_gradient(f: Callable[..., Any], points: Sequence[Any], gradient: Callable[..., Any], where: str) -> Results:
    """Check every number that `gradient` gives; what it found and what is true.

    Raises WrongDerivativeError for the first that is wrong, with what the others suggest.
    """
    function = _Function(f, points, where)
    found = _flat(gradient(*points), points, gradient)
    truths = [function.derivative(i) for i in range(len(found))]
    for i, (number, truth) in enumerate(zip(found, truths, strict=True)):
        if not abs(number - truth.value) <= truth.bound + function.tolerance(i, truth.value):
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
    function = _Function(f, points, where)
    n = len(function.point)
    matrix = np.asarray(_detached(hessian(*points)), dtype=np.float64)
    if matrix.size != n * n:
        raise TypeError(f"{_name(hessian)} gave {matrix.size} numbers where {n} inputs have {n} × {n}")
    results: Results = []
    for (i, j), found in np.ndenumerate(matrix.reshape(n, n)):
        truth = function.second(i, j, gradient)
        if not abs(found - truth.value) <= truth.bound + 1e-7 * abs(truth.value) + function.tolerance(i, truth.value):
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
            result = _detached(f(*points))
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
        single = "32" in str(getattr(result, "dtype", ""))
        self.epsilon = float(np.finfo(np.float32).eps) if single else EPSILON
        self.inputs: list[Value] = []
        self.root: Value | None = None
        self.graph: Graph | None = None
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
        for i, x in enumerate(self.point):
            for h in (0.0, -(2.0**-10), 2.0**-10):
                moved = x + h * max(1.0, abs(x))
                own, recorded = self.value(i, moved), graph.at({inputs[i]: moved})
                nowhere = math.isnan(own) and math.isnan(recorded)  # outside the domain of both
                if not nowhere and not math.isclose(own, recorded, rel_tol=1e-9, abs_tol=1e-9):
                    return
        for node in graph.inner:
            refuse_edges_of(node, self.where)
        self.root, self.inputs, self.graph = root, inputs, graph
        self.paths = propagate(root, partials=lambda node: [abs(p) for p in node.partials])

    def value(self, i: int, x: float) -> float:
        """Its value when input `i` is `x`; NaN where it has none."""
        try:
            result = _detached(self._at(i, x, np.float64))
            return float(result)
        except (ArithmeticError, ValueError):
            return math.nan

    def derivative(self, i: int) -> Estimate:
        """∂f/∂input i from the first oracle that knows it."""

        def on_complex(z: complex) -> Any:
            return self._at(i, z, np.complex128)

        truth = self.graph.derivative(self.inputs[i]) if self.graph else None
        if truth is None:
            differences = self._differences(lambda x: self.value(i, x), i)
            truth = (
                complex_step_of_code(on_complex, self.point[i], differences)
                or through_duals(lambda z: self._at(i, z, np.object_), self.point[i])
                or differences
            )
        if truth is None:
            raise ValueError(
                f"no oracle can tell the derivative by {place(i, self.points)}; move the point\n  {self.where}"
            )
        return truth

    def second(self, i: int, j: int, gradient: Callable[..., Any]) -> Estimate:
        """∂²f/∂input i ∂input j: of the graph, or how fast the gradient, itself checked, changes."""
        truth = self.graph.second_in_many_digits(self.inputs[i], self.inputs[j]) if self.graph else None

        def slope(x: float) -> float:
            return _flat(gradient(*self._arguments(j, x, np.float64)), self.points, gradient)[i]

        truth = truth or self._differences(slope, j)
        if truth is None:
            both = f"{place(i, self.points)} and {place(j, self.points)}"
            raise ValueError(f"no oracle can tell the second derivative by {both}; move the point\n  {self.where}")
        return truth

    def tolerance(self, i: int, truth: float) -> float:
        """How far off a right answer may be by rounding: half of its digits, and what cancelling paths leave."""
        paths = self.paths.get(self.inputs[i], 0.0) if self.graph else abs(truth) + abs(self.here)
        return math.sqrt(self.epsilon) * abs(truth) + 1e4 * self.epsilon * (1.0 + paths) + TINY

    def shown(self) -> str:
        """The point as messages show it."""
        return f"({', '.join(map(repr, self.point))})"

    def _differences(self, function: Callable[[float], float], i: int) -> Estimate | None:
        try:
            estimate = central_differences(function, self.point[i], 4.0 * self.epsilon * abs(self.here))
        except NoDerivativeError:
            return None
        return estimate if estimate.bound <= 1e-3 * (1.0 + abs(estimate.value)) else None

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
    if isinstance(part, Value):
        return [part.data]
    return np.asarray(_detached(part), dtype=np.float64).ravel().tolist()


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
