"""The check of somebody else's gradient: any code, from any library, against the best oracle its function allows."""

# Gradients of any library, nested and shaped in any way, so there are no types to give:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from autodiff import nests
from autodiff.errors import NoDerivativeError, WrongShapeError
from autodiff.testing.arguments import Leaf
from autodiff.testing.blame import explanations
from autodiff.testing.failures import wrong
from autodiff.testing.oracles import EPSILON, Estimate
from autodiff.testing.partials import hint
from autodiff.testing.reproductions import Program, reproduction
from autodiff.testing.subjects import Subject, seeded
from autodiff.value import Value

__tracebackhide__ = True  # of pytest: a test that fails shows its own line

Results = list[tuple[float, Estimate]]
_NUDGED = 4  # wrong numbers for which it is asked how far the truth itself moves by roundings
_ROUNDINGS = 256.0  # of the largest derivative by an argument, which the smallest one may be off by


class GradientCheck:
    """One check of a gradient, and of a Hessian, that somebody else wrote."""

    def __init__(
        self, subject: Subject, points: Sequence[Any], options: dict[str, Any], gradient: Callable[..., Any]
    ) -> None:
        self.subject, self.layout, self.where = subject, subject.layout, subject.where
        self.points, self.options, self.given = points, options, gradient
        self.gradient = seeded(gradient, options.get("seed"))
        self.name = name_of(gradient)

    def first(self) -> Results:
        """Check every number that the gradient gives; what it found and what is true.

        Raises WrongDerivativeError with what is wrong, and ValueError where that cannot be decided.
        """
        subject, n = self.subject, len(self.layout.flat)
        subject.same_again()  # which fills what a backward pass reads
        found = self.flat(self.gradient(*copy.deepcopy(self.layout.points))).tolist()
        truths: list[Estimate | None] = [None] * n
        refused: Exception | None = None
        for i in range(n):
            try:
                truths[i] = subject.derivative(subject.along(i), found[i], self.layout.which(i))
            except NoDerivativeError as error:
                refused = refused or error
        subject.same_again(later=True)
        known = [(i, found[i], truth) for i, truth in enumerate(truths) if truth is not None]
        wrong: list[int] = []
        for i, number, truth in known:
            if subject.is_right(number, truth) or self._is_rounding(i, number, truth, truths):
                continue
            off = abs(number - truth.value) - subject.tolerance.margin(truth, subject.epsilon)
            if not off <= (rounding := subject.rounding(subject.along(i), truth, nudged=len(wrong) < _NUDGED)):
                wrong.append(i)
                continue
            refused = refused or ValueError(
                f"the derivative by {self.layout.which(i)} is not decidable here, because the rounding of the "
                f"function's own terms (± {rounding:.0e}) leaves fewer than half of its digits: it is {truth.value!r}, "
                f"got {number!r}; move the point, write function and gradient so that less cancels, or give an atol\n"
                f"  {self.where}"
            )
        if wrong:
            raise self._wrong(found, truths, wrong)
        if refused:
            raise refused
        return [(number, truth) for _, number, truth in known]

    def _is_rounding(self, i: int, number: float, truth: Estimate, truths: Sequence[Any]) -> bool:
        """Whether it is off by no more than some roundings of the largest derivative by the same argument."""
        largest = max(abs(t.value) for t in truths[self.layout.leaf(i).place] if t is not None)
        return abs(number - truth.value) <= truth.bound + _ROUNDINGS * EPSILON * largest

    def second(self, hessian: Callable[..., Any]) -> Results:
        """Check every second derivative that `hessian` gives, as a square matrix over all inputs."""
        subject, n = self.subject, len(self.layout.flat)
        given = seeded(hessian, self.options.get("seed"))(*copy.deepcopy(self.layout.points))
        name = name_of(hessian)
        if given is None:
            raise TypeError(f"{name} returned None: give the second derivatives as a square matrix")
        matrix = _real(given, name, "")
        if matrix.size != n * n:
            raise TypeError(f"{name} gave {matrix.size} numbers where {n} inputs have {n} × {n}")
        results: Results = []
        for (i, j), number in np.ndenumerate(matrix.reshape(n, n)):
            truth = self._slope_of(i, j)
            rounding = 2.0 * subject.noise / (subject.along(i).size * subject.along(j).size)
            if not abs(number - truth.value) <= subject.tolerance.margin(truth, 1e-14) + rounding:
                both = f"{self.layout.which(i)} and {self.layout.which(j)}"
                raise wrong(
                    f"{name}: its second derivative by {both} is wrong",
                    operation=name, operand=i + 1, point=self.layout.flat.tolist(),
                    found=float(number), truth=truth, source=name, where=self.where, root=subject.root,
                    reproduction=self._again(hessian=hessian, order=2),
                )  # fmt: skip
            results.append((float(number), truth))
        return results

    def _slope_of(self, i: int, j: int) -> Estimate:
        """∂²f/∂input i ∂input j: of the graph, or how fast the gradient, itself checked, changes."""
        subject = self.subject
        known = subject.graph.second_in_many_digits(subject.inputs[i], subject.inputs[j]) if subject.graph else None
        line = subject.along(j)

        def slope(x: float) -> float:
            with np.errstate(all="ignore"):
                return float(self.flat(self.gradient(*self.layout.build(line.at(x))))[i])

        truth = known or subject.differences(slope, line, 0.0)
        if truth is None:
            both = f"{self.layout.which(i)} and {self.layout.which(j)}"
            raise NoDerivativeError(
                f"no oracle can tell the second derivative by {both}; move the point\n  {self.where}"
            )
        return truth

    def flat(self, given: Any) -> Any:
        """All numbers of a gradient in the order of the inputs.

        Raises TypeError, and WrongShapeError which is one, where its shape is not that of the points.
        """
        names, points = self.layout.names, self.layout.points
        parts: Any = given
        if len(points) == 1 and not (isinstance(given, tuple) and len(given) == 1):
            parts = (given,)
        if given is None:
            raise TypeError(f"the gradient returned None: does {self.name} end without a return?")
        if not isinstance(parts, (tuple, list)) or len(parts) != len(points):
            kind = f"{len(parts)} parts" if isinstance(parts, (tuple, list)) else type(given).__name__
            raise TypeError(
                f"{self.name} must give the derivatives by all arguments ({', '.join(names)}), got {kind}: "
                f"for {len(points)} points, give a tuple of as many"
            )
        leaves = iter(self.layout.leaves)
        matched = (self._matched(*each, leaves) for each in zip(points, parts, names, strict=True))
        return np.concatenate([np.zeros(0), *(np.ravel(numbers) for part in matched for numbers in part)])

    def _matched(self, point: Any, part: Any, name: str, leaves: Iterator[Leaf]) -> Iterator[Any]:
        """The numbers of one part, whose nest and shapes must be those of the point."""
        held = nests.entries(point)
        if held is not None and part is not None:
            given = dict(
                nests.entries(part) or [(f"[{k}]", x) for k, x in enumerate(_real(part, self.name, f" by {name}"))]
            )
            if given.keys() != dict(held).keys():
                raise TypeError(
                    f"{self.name} must give the derivatives by {name} in the nest of the point, which holds "
                    f"{', '.join(key for key, _ in held)}: got {', '.join(given)}"
                )
            for key, x in held:
                yield from self._matched(x, given[key], name + key, leaves)
            return
        leaf = next(leaves)
        if part is None:
            raise TypeError(f"the gradient returned None by {name}: give 0.0 where there is no slope")
        numbers = _real(part, self.name, f" by {name}")
        if numbers.shape != (leaf.shape or ()) and not numbers.size == leaf.size == 1:
            raise self._of_another_shape(name, numbers.shape, leaf)
        yield numbers

    def _of_another_shape(self, name: str, shape: tuple[int, ...], leaf: Leaf) -> WrongShapeError:
        right = leaf.shape or ()
        way = "the one is the other transposed" if shape == right[::-1] else "give one derivative by each number"
        if shape != right[::-1] and [n for n in shape if n != 1] == [n for n in right if n != 1]:
            way = "axes of length 1 count too (keepdims=True, reshape)"
        said = f"{shape} where {name} has {right}" if right else f"{shape} where {name} is one number"
        return WrongShapeError(
            f"{self.name}: its derivative by {name} has the wrong shape: {said}; {way}\n  {self.where}",
            self._again(), operation=self.name, operand=leaf.argument + 1, point=self.layout.flat.tolist(),
        )  # fmt: skip

    def _wrong(self, found: Any, truths: Sequence[Any], at: Sequence[int]) -> AssertionError:
        i = at[0]
        number, truth = found[i], truths[i]
        others = [t.value if t else float("nan") for t in truths]
        return wrong(
            f"{self.name}: its derivative by {self.layout.which(i)} is wrong",
            operation=self.name, operand=i + 1, at=f"({self.layout.shown()})", point=self.layout.flat.tolist(),
            found=number, truth=truth, source=self.name, where=self.where, root=self.subject.root,
            hint=hint(number, truth, i, others).replace("the partial", "the derivative").replace("operand", "input"),
            advice=explanations(self.subject.root, self.subject.inputs, found),
            reproduction=self._again(),
        )  # fmt: skip

    def _again(self, **more: Any) -> Callable[[], str]:
        def last(program: Program) -> str:
            program.imported("autodiff.testing", "gradcheck")
            given = {"gradient": self.given, **more, **self.options}
            arguments = [program.text(self.subject.given, "f"), *map(program.text, self.points)]
            arguments += [f"{key}={program.text(x, key[0])}" for key, x in given.items()]
            return f"gradcheck({', '.join(arguments)})"

        return reproduction(last)


def name_of(f: Any) -> str:
    """What messages call a function."""
    return getattr(f, "name", None) or getattr(f, "__name__", None) or type(f).__name__


def _real(part: Any, name: str, by: str) -> Any:
    """The real numbers of an array of any library, of Values, or of a list."""
    if isinstance(part, (list, tuple)):
        part = np.array([_real(x, name, by) for x in part])  # pyright: ignore[reportUnknownVariableType]
    part = part.data if isinstance(part, Value) else part.detach() if hasattr(part, "detach") else part
    part = part.toarray() if hasattr(part, "toarray") else np.asarray(part)
    if np.iscomplexobj(part):
        raise TypeError(f"{name} gave complex numbers{by}: a derivative by real numbers is real, return its real part")
    if part.dtype == object:
        return np.array([float(x.data if isinstance(x, Value) else x) for x in part.ravel()]).reshape(part.shape)
    return part.astype(np.float64)
