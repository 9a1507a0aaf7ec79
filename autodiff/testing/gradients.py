"""The check of somebody else's gradient: any code, from any library, against the best oracle its function allows."""

# Gradients of any library, nested and shaped in any way, so there are no types to give:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false
import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from autodiff import nests
from autodiff.errors import NoDerivativeError, WrongDerivativeError, WrongShapeError
from autodiff.propagation import propagate
from autodiff.testing.arguments import Leaf, name_of, refuse_overwriting
from autodiff.testing.diagnosis import Diagnosis, Hint, Part, by_directions, by_numbers, chosen, factors_of
from autodiff.testing.failures import wrong
from autodiff.testing.graphs import Graph
from autodiff.testing.mistakes import by_chain_rule
from autodiff.testing.oracles import DIFFERENCES, EPSILON, Estimate
from autodiff.testing.partials import HALF_THE_DIGITS, noise_of
from autodiff.testing.recordings import recorded
from autodiff.testing.reproductions import Program, reproduction
from autodiff.testing.subjects import Subject, refuse_chance, seeded, state_kept
from autodiff.testing.syntax import known_around
from autodiff.testing.wording import sentence
from autodiff.value import Value

__tracebackhide__ = True  # of pytest: a test that fails shows its own line

Results = list[tuple[float, Estimate]]
_FEW, _DIRECTIONS = 200, 8  # more numbers than so few are checked along so many directions, if nobody says otherwise
_PATIENCE = 4.0  # seconds for which every number is checked by itself where a direction has shown that one is wrong
_SHOWN = 3  # wrong numbers that a message shows
_NEARLY = 1e-11  # of what the numbers make together along a direction: wrong by more is worth a look
_CONFIRMED = 6  # wrong numbers for which every oracle is asked: after so many the first one is believed
_NUDGED = 4  # wrong numbers for which it is asked how far the truth itself moves by roundings
_CANCELLED = 16.0  # roundings of the paths whose sum is 0
_ROUNDINGS = 256.0  # of the largest derivative by an argument, which the smallest one may be off by


class GradientCheck:
    """One check of a gradient, and of a Hessian, that somebody else wrote."""

    def __init__(self, subject: Subject, points: Sequence[Any], options: dict[str, Any], gradient: Any) -> None:
        self.subject, self.layout, self.where = subject, subject.layout, subject.where
        self.points, self.options = points, options
        self.given: Callable[..., Any] | None = gradient
        self.gradient = seeded(gradient, options.get("seed"))
        self.name = self.source = name_of(gradient)
        self.nudged = 0  # slopes of which it was asked how far they move by roundings
        self.curvatures: dict[tuple[int, int], Estimate | None] = {}

    def first(self) -> Results:
        """Check every number that the gradient gives, or of many what they make along random directions."""
        subject, n = self.subject, len(self.layout.flat)
        subject.value(subject.through(subject.elsewhere()), 0.0)  # what is kept of this must not be used
        found, again, grows = self._repeated(self.gradient, self.flat, self.name)
        if grows:
            raise self._accumulated(found, again)
        directions = self.options.get("directions")
        directions = (_DIRECTIONS if n > _FEW else 0) if directions is None else directions
        with state_kept(subject.given):
            results = self._along_directions(found, directions) if directions else self._by_entries(found)
        subject.same_again(later=True)
        if not self._close(found, again):
            self._refuse_chance(self.name, found, again)
        return results

    def _repeated(self, given: Callable[..., Any], flat: Callable[[Any], Any], name: str) -> tuple[Any, Any, bool]:
        """Return what it gives at the point at a first and a second call, and whether it is summed over calls.

        Before each of them the function is called at the point: that fills what a backward pass reads.
        """
        rows: list[Any] = []
        while len(rows) < 2 or (len(rows) == 2 and not self._close(*rows)):
            self.subject.same_again()
            points = copy.deepcopy(self.layout.points)
            rows.append(flat(given(*points)))
            refuse_overwriting(name, self.layout, points, self.where)
        grows = len(rows) > 2 and self._close(rows[1] - rows[0], rows[2] - rows[1])
        if len(rows) > 2 and not grows and not self._close(rows[1], rows[2]):
            self._refuse_chance(name, rows[1], rows[2])
        return rows[0], rows[1], grows

    def _refuse_chance(self, name: str, one: Any, other: Any) -> None:
        i = int(np.argmax(abs(other - one)))
        there = float(np.ravel(one)[i]), float(np.ravel(other)[i])
        refuse_chance(*there, self.where, who=name, seeded="seed" in self.options)

    def _close(self, one: Any, other: Any) -> bool:
        """Tell whether numbers are the same but for the rounding of another run."""
        rtol = max(1e-6, 16.0 * self.subject.epsilon, self.subject.tolerance.rtol or 0.0)
        least = 1e-9 * float(np.max(np.abs(one), initial=0.0, where=np.isfinite(one))) + self.subject.tolerance.atol
        return np.allclose(other, one, rtol=rtol, atol=least, equal_nan=True)

    def _accumulated(self, found: Any, again: Any) -> AssertionError:
        """Return the error for a gradient that adds to what it gave at the call before."""
        off = abs(again - found)
        i = int(np.argmax(off))
        self.known = {i: self.subject.derivative(self.subject.along(i), float(again[i]), self.layout.which(i))}
        parts_of = {leaf.name: off[leaf.place] for leaf in self.layout.leaves}
        entries = {name: (int(np.count_nonzero(each)), each.size) for name, each in parts_of.items()}
        details = {"first": float(found[i]), "second": float(again[i])}
        hint = Hint("accumulated", tuple(name for name, (changed, _) in entries.items() if changed), details)
        return self._error(Diagnosis(entries, (hint,)), again, self.known, [i])

    def _by_entries(self, given: Any) -> Results:
        subject, found = self.subject, given.tolist()
        truths: list[Estimate | None] = [None] * len(found)
        refused: Exception | None = None
        contradicted = 0
        for i, number in enumerate(found):
            try:
                truth = truths[i] = subject.derivative(
                    subject.along(i), number, self.layout.which(i), quick=contradicted >= _CONFIRMED
                )
                contradicted += not subject.is_right(number, truth)
            except NoDerivativeError as error:
                refused = refused or error
        known = [(i, found[i], truth) for i, truth in enumerate(truths) if truth is not None]
        wrong: list[int] = []
        rough: Any = None
        for i, number, truth in known:
            which, rounded = self.layout.which(i), self._residue(i, truth, truths)
            but = f": it is {truth.value!r}, got {number!r}"
            if subject.is_right(number, truth, rounded):
                if subject.only_claimed(subject.along(i), number, truth, rounded):
                    refused = refused or subject.undecided(which, truth.bound, but)
                continue
            off = abs(number - truth.value) - subject.tolerance.margin(truth, subject.epsilon)
            if not off <= (rounding := subject.rounding(subject.along(i), truth, nudged=len(wrong) < _NUDGED)):
                wrong.append(i)
                continue
            rough = self._roughness() if rough is None else rough
            if off <= min(4.0 * rough[i], 1e-2 * abs(truth.value), 2.0 * subject.noise):
                continue
            refused = refused or subject.undecided(which, rounding, but)
        self._refuse_contradicted(truths)
        if wrong:
            subject.same_again(later=True)
            with state_kept(subject.given, self.given):
                diagnosis = self._diagnosis(found, truths, wrong)
            raise self._error(diagnosis, found, truths, wrong)
        if refused:
            subject.same_again(later=True)
            raise refused
        return [(number, truth) for _, number, truth in known]

    def _refuse_contradicted(self, truths: Sequence[Estimate | None]) -> None:
        """Raise NoDerivativeError where a function's values, which alone were asked, deny what its operations say.

        So it is where a term is so large that the values climb in stairs, wider than any step.
        """
        subject = self.subject
        told = [(i, t) for i, t in enumerate(truths) if t is not None and t.oracle == DIFFERENCES]
        if not told or not subject.is_small:
            return
        try:
            with state_kept(subject.given):
                subject.inputs, result = recorded(subject, maxima=True)
                root: Any = result.item() if isinstance(result, np.ndarray) else result
                root.backward()
                noise = noise_of(propagate(root))
                if not subject.follows(Graph(root), 2.0**-10, 2.0**-24, noise=noise):
                    return
        except Exception:  # noqa: BLE001 # code that cannot be recorded may raise anything
            return
        for i, truth in told:
            slope, off = subject.inputs[i].grad, abs(subject.inputs[i].grad - truth.value)
            if 4.0 * truth.bound + 1e-3 * abs(slope) < off < 100.0 * noise:  # else its rows are wrong, not its terms
                said = f": its values climb by {truth.value:.6g} there, its operations say {slope:.6g}"
                raise subject.undecided(self.layout.which(i), off, said)

    def _along_directions(self, found: Any, count: int) -> Results:
        """Check what the gradient makes along random directions, of all numbers and of each argument.

        Where that is right to half of its digits, though not to nearly all, one number may be wrong by much: it is
        looked for, once.
        """
        subject = self.subject
        directions = self._calm(found, list(subject.layout.directions(count)))
        leaves = self.layout.leaves if len(self.layout.leaves) > 1 else []
        self.known: dict[int, Estimate] = {}
        results: Results = []
        cheap = len(found) * 100 * subject.seconds < _PATIENCE
        for v in (*directions, *(_only(directions[0], leaf.place) for leaf in leaves)):
            try:
                number, truth, right, nearly = self._slope(found, v)
            except NoDerivativeError:
                if cheap:
                    return self._by_entries(found)
                try:
                    number, truth, right, nearly = self._in_parts(found, v, slice(0, len(found)), self._parts())
                except NoDerivativeError:
                    i = self._halved(v, lambda d: len(self._slope(found, d)) == 0, slice(0, len(found)))
                    self._entry(found, i)
                    raise
            if not nearly and cheap:
                results = self._by_entries(found)  # which says more; if it finds nothing, so much is known
            elif right and not nearly and not self.known:
                i = self._halved(v, lambda d: not self._slope(found, d)[3], slice(0, len(found)))
                right = self._entry(found, i)
            if not right:
                raise self._wrong_at_large(found, directions)
            if not nearly and cheap:
                return results
            results.append((number, truth))
        return results

    def _parts(self) -> int:
        """Return how often a direction may be halved that crosses too many kinks."""
        return max(0, min(6, int(math.log2(1.0 + _PATIENCE / (20.0 * self.subject.seconds + 1e-9)))))

    def _in_parts(self, found: Any, v: Any, place: slice, halvings: int) -> tuple[float, Estimate, bool, bool]:
        """Return what `_slope` does of a direction whose parts alone are smooth enough."""
        middle = (place.start + place.stop) // 2
        told: list[tuple[float, Estimate, bool, bool]] = []
        for part in (slice(place.start, middle), slice(middle, place.stop)):
            alone = _only(v, part)
            try:
                told.append(self._slope(found, alone))
            except NoDerivativeError:
                if not halvings or part.stop - part.start < 2:
                    raise
                told.append(self._in_parts(found, alone, part, halvings - 1))
        return next((each for each in told if not each[2]), max(told, key=lambda each: each[1].bound))

    def _calm(self, found: Any, directions: list[Any]) -> list[Any]:
        """Return directions that cross no kink at 0 where others are too rough: each number moves by its own size.

        Of many numbers some are always close to a kink, as of |w| or relu(w). Numbers that are 0 would stand still.
        """
        subject, sizes = self.subject, abs(self.layout.flat)
        if len(found) <= _FEW or not sizes.all():
            return directions
        calm = [np.copysign(np.minimum(abs(v), sizes), v) for v in directions]

        def bound(v: Any) -> float:
            try:
                truth = subject.derivative(subject.toward(v), float(found @ v), "", quick=True)
            except NoDerivativeError:
                return math.inf
            return truth.bound / float(np.linalg.norm(found * v) or 1.0)

        rough = bound(directions[0])
        return calm if rough > 100.0 * _NEARLY and bound(calm[0]) < rough else directions

    def _entry(self, found: Any, i: int) -> bool:
        """Learn the truth of one number, and tell whether the gradient's is right; refuse where nobody knows."""
        subject, line, number = self.subject, self.subject.along(i), float(found[i])
        truth = self.known[i] = subject.derivative(line, number, self.layout.which(i))
        right = subject.is_right(number, truth)
        if right and subject.only_claimed(line, number, truth):
            raise subject.undecided(self.layout.which(i), truth.bound, f": it is {truth.value!r}, got {number!r}")
        return right

    def _slope(self, found: Any, v: Any) -> tuple[float, Estimate, bool, bool]:
        """Return the slope along a direction, found and true; whether half of the terms' digits agree, nearly all."""
        subject, line, number = self.subject, self.subject.toward(v), float(found @ v)
        truth = subject.derivative(line, number, "a random direction", quick=subject.trusted)
        off, together = abs(number - truth.value), float(np.linalg.norm(found * v))
        margin = subject.tolerance.margin(replace(truth, value=max(abs(truth.value), together)), subject.epsilon)
        noise = min(2.0 * subject.noise, 64.0 * EPSILON * abs(subject.here))
        nearly = off <= min(truth.bound, 100.0 * _NEARLY * together) + _NEARLY * together + noise
        rounding = truth.bound
        if off > margin:
            self.nudged += 1
            rounding = subject.rounding(line, truth, nudged=self.nudged <= _NUDGED)
        only_claimed = off <= margin and subject.only_claimed(line, number, truth, margin - truth.bound)
        if only_claimed or margin < off <= margin + rounding:
            raise subject.undecided("a random direction", rounding, f": it is {truth.value!r}, got {number!r}")
        return number, truth, off <= margin, nearly

    def _halved(self, v: Any, holds: Callable[[Any], bool], place: slice) -> int:
        """Find a number, among those in `place`, for which something holds along its part of a direction."""
        low, high = place.start, place.stop
        while high - low > 1:
            middle = (low + high) // 2
            try:
                left = holds(_only(v, slice(low, middle)))
            except NoDerivativeError:
                left = True
            low, high = (low, middle) if left else (middle, high)
        return low

    def _wrong_at_large(self, found: Any, directions: Sequence[Any]) -> AssertionError:
        """Which arguments are wrong, one number that is, found by halving, and which mistake gives all of them."""
        subject, layout = self.subject, self.layout
        few = directions[:3]
        parts_of = {leaf.name: leaf.place for leaf in layout.leaves}
        wrong = [name for name, place in parts_of.items() if not self._slope(found, _only(few[0], place))[2]]
        if not self.known:
            place = parts_of[wrong[0]] if wrong else slice(0, len(found))
            i = self._halved(few[0], lambda d: not self._slope(found, d)[2], place)
            self._entry(found, i)
        self._more(found, few[0])
        at = [i for i, truth in self.known.items() if not subject.is_right(float(found[i]), truth)] or [*self.known]
        i = at[0]
        wrong = wrong or [layout.leaf(i).name]
        arrays = {
            leaf.name: (found[leaf.place].reshape(leaf.shape or ()), [v[leaf.place] for v in few])
            for leaf in layout.leaves
        }
        given = [(leaf.name, layout.flat[leaf.place].reshape(leaf.shape or ())) for leaf in layout.leaves]
        names = factors_of(given, known_around(subject.given, self.given))
        hints: list[Hint] = []
        for name in wrong:
            slopes = [self._slope(found, _only(v, parts_of[name]))[1].value for v in few]
            hints += by_directions(name, arrays, slopes, names, dict(given)[name])
        sizes = {name: place.stop - place.start for name, place in parts_of.items()}
        diagnosis = Diagnosis({name: (n * (name in wrong), n) for name, n in sizes.items()}, chosen(hints))
        return self._error(diagnosis, found, self.known, at)

    def _more(self, found: Any, v: Any) -> None:
        """Find more numbers that are wrong, up to three, by halving what is left when the known ones are put right."""
        patient = 500 * self.subject.seconds * math.log2(len(found)) < _PATIENCE
        while patient and len(self.known) < _SHOWN:
            rest = np.array(found)
            rest[[*self.known]] = [truth.value for truth in self.known.values()]
            with contextlib.suppress(NoDerivativeError):
                if self._slope(rest, v)[3]:
                    return
                i = self._halved(v, lambda d, rest=rest: not self._slope(rest, d)[3], slice(0, len(found)))
                if i not in self.known and not self._entry(found, i):
                    continue
            return

    def _roughness(self) -> Any:
        """Return how far the gradient itself is off by roundings: second differences between points close by."""
        rows: list[Any] = []
        for v in self.layout.directions(2):
            for k in range(-3, 4):
                beside = self.layout.flat + 2.0**-17 * k * v
                self.subject.value(self.subject.through(beside), 0.0)
                with np.errstate(all="ignore"):
                    rows.append(self.flat(self.gradient(*self.layout.build(beside))))
        self.subject.same_again()
        return np.max(np.abs(np.diff(np.reshape(rows, (2, 7, -1)), 2, axis=1)), axis=(0, 1))

    def _residue(self, i: int, truth: Estimate, truths: Sequence[Any]) -> float:
        """Return some roundings of the largest derivative by the same argument.

        Or half a rounding of each term, where the derivative itself is exactly 0, as of x − x, or some of the sizes of
        all paths, where nothing but their roundings is left, as of n / n.
        """
        largest = max(abs(t.value) for t in truths[self.layout.leaf(i).place] if t is not None)
        residue = self.subject.noise / (8.0 * self.subject.along(i).size) if truth.value == 0.0 else 0.0
        cancelling = _CANCELLED * EPSILON * self.subject.terms(i)
        if abs(truth.value) <= cancelling <= HALF_THE_DIGITS:
            residue = max(residue, cancelling)
        return max(_ROUNDINGS * EPSILON * largest, residue)

    def second(self, hessian: Callable[..., Any]) -> Results:
        """Check every second derivative that `hessian` gives, as a square matrix over all inputs."""
        subject, n = self.subject, len(self.layout.flat)
        name = name_of(hessian)

        def numbers(given: Any) -> Any:
            if given is None:
                raise TypeError(f"{name} returned None: give the second derivatives as a square matrix")
            matrix = _real(given, name, "")
            if matrix.size != n * n:
                raise TypeError(f"{name} gave {matrix.size} numbers where {n} inputs have {n} × {n}")
            return matrix.reshape(n, n)

        matrix, again, grows = self._repeated(seeded(hessian, self.options.get("seed")), numbers, name)

        def margin(i: int, j: int, truth: Estimate) -> float:
            rounding = 2.0 * subject.noise / (subject.along(i).size * subject.along(j).size)
            return subject.tolerance.margin(truth, 1e-14) + rounding

        self.name = self.source = name
        more: dict[str, Any] = {"hessian": hessian, "order": 2}
        if grows:
            i, j = divmod(int(np.argmax(abs(again - matrix))), n)
            added = sentence("accumulated", "en", first=float(matrix[i, j]), second=float(again[i, j]))
            which = f"{self.layout.which(i)} and {self.layout.which(j)}"
            truth = self._slope_of(i, j, 0.0)
            error = f"{name}: its second derivative by {which} is wrong: {added}"
            raise self._own(error, i, float(again[i, j]), truth, **more)
        return self.compared(matrix, margin, [0.0] * n, **more)

    def compared(
        self, matrix: Any, margin: Callable[[int, int, Estimate], float], noise: Sequence[float],
        refuse: Callable[[str, int, int, float, Estimate], None] | None = None, **more: Any,
    ) -> Results:  # fmt: skip
        """Compare second derivatives with the true ones, in numbers whose rows have this noise."""
        results: Results = []
        for (i, j), each in np.ndenumerate(matrix):
            number, truth = float(each), self._slope_of(i, j, noise[i])
            if not abs(number - truth.value) <= margin(i, j, truth):
                what = f"second derivative by {self.layout.which(i)} and {self.layout.which(j)}"
                if refuse is not None:
                    refuse(f"the {what}", i, j, number, truth)
                raise self._own(f"{f'{self.name}: its' if more else 'the'} {what} is wrong", i, number, truth, **more)
            results.append((number, truth))
        return results

    def _own(self, sentence: str, i: int, found: float, truth: Estimate, **more: Any) -> WrongDerivativeError:
        """Return the error for one number."""
        return wrong(
            sentence, truth, found, operation=self.name, operand=i + 1, point=tuple(self.layout.flat.tolist()),
            source=self.source, where=self.where, root=self.subject.root, reproduction=self._again(**more),
        )  # fmt: skip

    def _slope_of(self, i: int, j: int, noise: float) -> Estimate:
        """∂²f/∂input i ∂input j: of the graph, or how fast the gradient, itself checked, changes."""
        subject, pair = self.subject, (min(i, j), max(i, j))
        if pair not in self.curvatures and subject.root is not None:
            self.curvatures[pair] = Graph(subject.root).second_in_many_digits(subject.inputs[i], subject.inputs[j])
        line = subject.along(j)

        def slope(x: float) -> float:
            with np.errstate(all="ignore"):
                return float(self.flat(self.gradient(*self.layout.build(line.at(x))))[i])

        truth = self.curvatures.get(pair) or subject.differences(slope, line, noise)
        if truth is None:
            by = f"{self.layout.which(i)} and {self.layout.which(j)}"
            raise NoDerivativeError(f"no oracle can tell the second derivative by {by}; move the point\n  {self.where}")
        return truth

    def flat(self, given: Any) -> Any:
        """Return all numbers of a gradient in the order of the inputs; TypeError for another shape than the points'."""
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
        """Yield the numbers of one part, whose nest and shapes must be those of the point."""
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

    def _error(self, diagnosis: Diagnosis, found: Any, truths: Any, at: Sequence[int]) -> AssertionError:
        """Return the error to raise: what is wrong, then a few of the numbers `at` which it is."""
        number, truth = float(found[at[0]]), truths[at[0]]
        wrong = [name for name, right in diagnosis.right.items() if not right]
        lines = [f"{self.name}: its derivative by {_listed(wrong)} is wrong"]
        lines += [diagnosis.marks()] if len(diagnosis.right) > 1 or len(at) < len(found) else []
        lines += [*diagnosis.text("en").splitlines()] if diagnosis.hints else []
        if diagnosis.unexplained and len(truths) < len(found):
            lines.append("of so many numbers few mistakes are tried; directions=0, or a smaller example, tries all")
        worst = sorted(at, key=lambda i: -abs(found[i] - truths[i].value))[:_SHOWN]
        for i in sorted(worst):
            t = truths[i]
            ratio = f"ratio {found[i] / t.value:.12g}" if t.value else "ratio none, the right one is 0"
            said = f"{self.name} gives {float(found[i])!r}, {t.oracle} {t.value!r} (± {t.bound:.0e}), {ratio}"
            lines.append(f"by {self.layout.name(i)}: {said}")
        return WrongDerivativeError(
            "\n  ".join([*lines, self.where]), self._again(), operation=self.name, operand=at[0] + 1,
            point=tuple(self.layout.flat.tolist()), found=number, expected=truth.value, oracle=truth.oracle,
            bound=truth.bound, root=self.subject.root, diagnosis=diagnosis,
        )  # fmt: skip

    def _diagnosis(self, found: Sequence[float], truths: Sequence[Any], at: Sequence[int]) -> Diagnosis:
        """Describe the gradient as a whole, and name the mistakes that give it."""
        subject, layout = self.subject, self.layout
        wrong = np.zeros(len(found), dtype=bool)
        wrong[list(at)] = True
        right = np.array([x if t is None else t.value for x, t in zip(found, truths, strict=True)], dtype=float)
        bounds = np.array([0.0 if t is None else t.bound for t in truths])
        digits = max(1e-8, math.sqrt(subject.epsilon), subject.tolerance.rtol or 0.0)
        arrays = np.array(found, dtype=float), right, bounds, layout.flat, wrong
        shaped = ([x[leaf.place].reshape(leaf.shape or ()) for x in arrays] for leaf in layout.leaves)
        named = zip(layout.leaves, shaped, strict=True)
        gradient = [Part(leaf.name, f, t, b, z, w, digits) for leaf, (f, t, b, z, w) in named]
        known = known_around(subject.given, self.given)
        hints = self._of_another_point(gradient, at) + by_numbers(gradient, subject.here, known)
        hints += by_chain_rule(subject, gradient, factors_of([(p.name, p.at) for p in gradient], known), hints)
        entries = {part.name: (int(part.wrong.sum()), part.wrong.size) for part in gradient}
        return Diagnosis(entries, chosen(hints))

    def _of_another_point(self, gradient: Sequence[Part], at: Sequence[int]) -> list[Hint]:
        """Whether the numbers belong to the point where the function was called before, or never change."""
        subject, beside = self.subject, self.subject.elsewhere()
        found = np.concatenate([part.found.ravel() for part in gradient])
        before = np.concatenate([part.truth.ravel() for part in gradient])
        names = tuple(part.name for part in gradient if part.wrong.any())
        there = (subject.derivative(subject.along(i, beside), math.nan, "").value for i in at)
        first = math.nan
        with contextlib.suppress(NoDerivativeError):
            first = next(there)
            rest = found[list(at[1:])]
            if math.isclose(found[at[0]], first, rel_tol=1e-6) and np.allclose(rest, list(there), rtol=1e-6):
                return [Hint("lagging", names)]
        moved = abs(first - before[at[0]]) > 1e-4 * abs(before[at[0]])
        try:
            subject.value(subject.through(beside), 0.0)
            again = self.flat(self.gradient(*self.layout.build(beside)))
            subject.same_again()
        except Exception:  # noqa: BLE001 # somebody else's code, at a point of our choice
            return []
        same = np.array_equal(again[list(at)], found[list(at)]) and len({*found[list(at)].tolist()}) > 1
        return [Hint("stale", names)] if same and moved else []

    def _again(self, **more: Any) -> Callable[[], str]:
        def last(program: Program) -> str:
            program.imported("autodiff.testing", "gradcheck")
            given = {"gradient": self.given, **more, **self.options} if self.given is not None else self.options
            arguments = [program.text(self.subject.given, "f"), *map(program.text, self.points)]
            arguments += [f"{key}={program.text(x, key[0])}" for key, x in given.items()]
            return f"gradcheck({', '.join(arguments)})"

        return reproduction(last)


def _only(v: Any, place: slice) -> Any:
    """Return a direction in which these numbers alone move."""
    part = np.zeros_like(v)
    part[place] = v[place]
    return part


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _real(part: Any, name: str, by: str) -> Any:
    """Return the real numbers of an array of any library, of Values, or of a list."""
    if isinstance(part, (list, tuple)):
        part = np.array([_real(x, name, by) for x in part])  # pyright: ignore[reportUnknownVariableType]
    part = part.data if isinstance(part, Value) else part.detach() if hasattr(part, "detach") else part
    part = part.toarray() if hasattr(part, "toarray") else np.asarray(part)
    if np.iscomplexobj(part):
        raise TypeError(f"{name} gave complex numbers{by}: a derivative by real numbers is real, return its real part")
    if part.dtype.kind in "US":
        raise TypeError(f"{name} must give numbers{by}, got text: {part.ravel()[0]!s:.40}")
    if part.dtype == object:
        return np.array([float(x.data if isinstance(x, Value) else x) for x in part.ravel()]).reshape(part.shape)
    return part.astype(np.float64)
