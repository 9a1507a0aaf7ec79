"""A function of any kind, from any library, and all that can be told of its derivatives."""

# Code of any library, on numbers of any kind, so there are no types to give:
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
import contextlib
import copy
import math
import random
import sys
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autodiff import nests
from autodiff.errors import NoDerivativeError
from autodiff.grad_mode import recording
from autodiff.naming import describe
from autodiff.propagation import propagate
from autodiff.testing import oracles
from autodiff.testing.arguments import Layout, call, name_of, names_of, not_one_number, refuse_overwriting
from autodiff.testing.beside import Beside
from autodiff.testing.duals import through_duals
from autodiff.testing.graphs import Graph
from autodiff.testing.oracles import DIFFERENCES, EPSILON, Estimate
from autodiff.testing.partials import TINY, noise_of, path_sums, refuse_edges_of
from autodiff.testing.syntax import seen_around
from autodiff.value import Value

__tracebackhide__ = True  # of pytest: a test that fails shows its own line

_PRECISIONS = {"float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}
_RECORDED = 1000  # numbers among the arguments, beyond which a function is not recorded
_QUICK = 5e-3  # seconds that a function may take which is recorded: on Values arrays take a thousand times as long
_RATIOS = (1.6, 3.0)  # of steps, for few numbers and for many
_PATIENCE = 100_000  # operations, times numbers, of a function that is recorded though complex numbers know as well
_NOTHING = 1e-100  # a slope that is 0 to every oracle
_KINDS: dict[type, Any] = {float: np.float64, complex: np.complex128}


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far off a right derivative may be beyond what the oracle claims: by default half of its digits."""

    rtol: float | None = None
    atol: float = 0.0

    def __post_init__(self) -> None:
        for name, tolerance in (("rtol", self.rtol), ("atol", self.atol)):
            real = isinstance(tolerance, (float, int, np.number)) and not isinstance(tolerance, bool)
            if tolerance is not None and not (real and 0.0 <= tolerance < math.inf):
                raise ValueError(f"{name} must be a number from 0 up, got {tolerance!r}")

    def margin(self, truth: Estimate, epsilon: float = EPSILON) -> float:
        """Return the margin of a derivative that the oracle knows, of code that computes to `epsilon`."""
        relative = math.sqrt(epsilon) if self.rtol is None else self.rtol
        return truth.bound + relative * abs(truth.value) + self.atol + TINY


@dataclass(frozen=True, slots=True)
class Line:
    """A way through the point along which one differentiates: the number here, and the flat vector at any number."""

    start: float
    at: Callable[[Any], Any]
    size: float  # of the numbers that move along it, at least 1
    everywhere: bool = False  # whether all of them move


@contextlib.contextmanager
def generators_kept() -> Generator[None]:
    """Put the usual generators of random numbers back where they were."""
    torch: Any = sys.modules.get("torch")
    states = random.getstate(), np.random.get_state(), torch and torch.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        if torch:
            torch.set_rng_state(states[2])


@contextlib.contextmanager
def state_kept(*functions: Any) -> Generator[None]:
    """Put the attributes of the objects that functions see back as they were: layers keep what is passed through."""
    before: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for x in seen_around(*functions).values():
        held: dict[str, Any] = getattr(x, "__dict__", {})
        before.append((held, {key: y.copy() if isinstance(y, np.ndarray) else y for key, y in held.items()}))
    try:
        yield
    finally:
        for held, kept in before:
            if kept:
                held.clear()
                held.update(kept)


def seeded(f: Callable[..., Any], seed: int | None) -> Callable[..., Any]:
    """Return the function with `random`, `numpy.random` and `torch` seeded before each call; with None as it is."""
    if seed is None:
        return f
    whole: Any = seed
    if isinstance(seed, bool) or not isinstance(whole, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be a whole number from 0 to {2**32 - 1}, got {seed!r}")

    def again(*arguments: Any) -> Any:
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        if "torch" in sys.modules:
            sys.modules["torch"].manual_seed(seed)
        return f(*arguments)

    return again


class Subject:
    """A function at a point: its value, its graph if it can be recorded, and its derivatives by the best oracle."""

    def __init__(
        self, f: Callable[..., Any], points: Sequence[Any], where: str, tolerance: Tolerance, seed: int | None = None,
        *, recorded: bool = False,
    ) -> None:  # fmt: skip
        self.given, self.f, self.where, self.tolerance = f, seeded(f, seed), where, tolerance
        self.layout = Layout([of_numpy(point) for point in points], names_of(f, len(points)))
        self.flat = self.layout.flat
        self.on_values = recorded
        self.epsilon, self.seconds = EPSILON, 0.0  # the precision it computes in, and what a call takes
        self.trusted = False  # whether complex numbers were seen to know, along some direction
        self._nudges: list[Any] = []
        self._terms: dict[Any, float] = {}
        self.inputs: list[Value] = []
        self.root: Value | None = None
        self.graph: Graph | None = None
        if recorded:
            self._must_record()
        else:
            self._meet()

    def _must_record(self) -> None:
        """Record the graph that is to be checked."""
        self.root = root = call(self.f, self.layout, self.inputs)
        self.here = root.data
        for i, (x, given) in enumerate(zip(self.inputs, self.flat.tolist(), strict=True)):
            if x.data != given and not math.isnan(given):
                raise ValueError(
                    f"the function changes the data of {self.layout.which(i)} from {given!r} to {x.data!r}: what it "
                    f"recorded before that is of the old number, and what comes after of the new; compute with a new "
                    f"Value instead\n  {self.where}"
                )
        self.same_again()
        for node in Graph(root).order:
            if not math.isfinite(node.data):
                raise ValueError(f"there is no derivative to check: {describe(node)} is {node.data} {self.where}")
        self.noise = noise_of(propagate(root))

    def _meet(self) -> None:
        """Find its value, its precision, and its graph, if it can be recorded."""
        try:
            result = self.once()
        except (AttributeError, TypeError):  # such as x.sin(): written for Values alone
            self.on_values = True
            result = self.once()
        self.here = one_number(result)
        if not math.isfinite(self.here):
            raise ValueError(f"there is no derivative to check: the function is {self.here} {self.where}")
        start = time.process_time()
        self.epsilon = _PRECISIONS.get(str(getattr(result, "dtype", "")).removeprefix("torch."), EPSILON)
        self.value(self.through(self.flat.copy()), 0.0)
        self.seconds = time.process_time() - start
        self.same_again()
        beside = (self.value(self.through(self.flat * by), 0.0) for by in self.nudges())
        jitter = max((abs(y - self.here) for y in beside if math.isfinite(y)), default=0.0)
        if not jitter:
            self.epsilon = max(self.epsilon, self._precision())
        self.noise = max(4.0 * self.epsilon * abs(self.here), 2.0 * jitter)  # of its values
        if self.is_small:
            with state_kept(self.given):
                before = Beside.work
                if not self._takes_complex() or (Beside.work - before) * len(self.flat) < _PATIENCE:
                    self._record()

    @property
    def is_small(self) -> bool:
        """Whether it is small and quick enough to be recorded."""
        return len(self.flat) <= _RECORDED and self.seconds < _QUICK

    def once(self) -> Any:
        """Return what the function gives at the point itself, of whose arrays it gets copies."""
        if self.on_values:
            return self._result(self.flat)
        points = copy.deepcopy(self.layout.points)
        result = detached(self.f(*points))
        refuse_overwriting(name_of(self.given), self.layout, points, self.where)
        return result

    def same_again(self, *, later: bool = False) -> None:
        """Call it at the point once more, which refills what it caches; ValueError where it gives another value."""
        again = one_number(self.once())
        since = ", after calls at other points" if later else ""
        refuse_chance(self.here, again, self.where, math.sqrt(self.epsilon), since, seeded=self.given is not self.f)

    def along(self, i: int, flat: Any = None) -> Line:
        """Return the line along which number `i` alone moves; from another point where that is given."""
        start = self.flat if flat is None else flat

        def at(z: Any) -> Any:
            vector = start.astype(_KINDS.get(type(z), object))
            vector[i] = z
            return vector

        return Line(float(start[i]), at, max(1.0, abs(float(start[i]))))

    def toward(self, v: Any) -> Line:
        """Return the line along which all numbers move in a direction."""
        everywhere = bool(np.all(v))
        return Line(0.0, lambda z: self.flat.astype(_KINDS.get(type(z), object)) + z * v, 1.0, everywhere)

    def through(self, vector: Any) -> Line:
        """Return a line that stays at one point."""
        return Line(0.0, lambda _: vector, 1.0)

    def elsewhere(self) -> Any:
        """Another point, near by."""
        return self.flat + 0.0625 * next(self.layout.directions(1))

    def value(self, line: Line, z: float) -> float:
        """Its value along a line; NaN where it has none, or a complex one."""
        try:
            with np.errstate(all="ignore"):
                result = self._result(line.at(z))
            return math.nan if np.iscomplexobj(result) else float(result)
        except (ArithmeticError, ValueError, TypeError):  # TypeError: of code that met a complex number
            return math.nan

    def derivative(self, line: Line, found: float, which: str, *, quick: bool = False) -> Estimate:
        """Return the slope along a line by the first oracle that knows; another's where it contradicts `found`.

        A `quick` answer is that of the first. The other is believed where it contradicts the first as well, and claims
        no less. Raises NoDerivativeError where nobody knows.
        """
        first: Estimate | None = None
        vague: Estimate | None = None
        for truth in self._oracles(line, which):
            if truth is None:
                continue
            if not self.knows(truth, line, lambda z: self.value(line, z), self.here, self.noise):
                vague = vague or truth
                continue
            off = 0.0 if first is None else abs(first.value - truth.value) - first.bound
            better = first is None or (truth.bound <= first.bound and off > self.tolerance.margin(truth, self.epsilon))
            if better and self.is_right(found, truth):
                return truth
            first = first or truth
            if quick:
                break
        if first is None and vague:
            raise self.undecided(which, vague.bound, f"; {vague.oracle} says {vague.value:.6g}")
        if first is None:
            raise self._untold(which, self._way_out())
        return first

    def knows(self, truth: Estimate, line: Line, function: Callable[[float], float], here: float, noise: float) -> bool:
        """Whether an estimate of the slope of a function, of that value and noise, tells at least two digits."""
        digits = max(1e-2, math.sqrt(self.epsilon), self.tolerance.rtol or 0.0)
        if truth.bound <= max(digits * abs(truth.value), self.tolerance.atol):
            return True
        enough = 0.0
        if truth.oracle == DIFFERENCES and self.epsilon == EPSILON:
            if self.moves(line, function, here):
                noise = 0.0  # where the value hides the slope, one that is nothing beside it may be all there is
            else:
                enough = 1e4 * noise / line.size
        return truth.bound <= min(max(8.0 * self.least(line, function, here, noise), enough), 1e-2)

    def moves(self, line: Line, function: Callable[[float], float], here: float) -> bool:
        """Tell whether a function is constant on neither side, close by; on one side of a kink relu is."""
        return all(any(function(line.start + h * line.size) != here for h in (s, 0.1 * s)) for s in (-0.1, 0.1))

    def least(self, line: Line, function: Callable[[float], float], here: float, noise: float) -> float:
        """Return what is nothing beside the slopes of a function close by, or a rounding of its terms."""
        step = 0.01 * line.size
        usual = [abs(function(line.start + h) - here) / step for h in (-step, step)]
        largest = max(abs(here), *np.abs(self.flat))
        rounding = 128.0 * min(noise, self.epsilon * largest) / line.size
        close = max((u for u in usual if math.isfinite(u)), default=0.0)
        return max(1e-6, math.sqrt(self.epsilon)) * close + rounding + _NOTHING

    def _untold(self, which: str, why: str) -> NoDerivativeError:
        return NoDerivativeError(f"no oracle can tell the derivative by {which}: {why}\n  {self.where}")

    def undecided(self, which: str, rounding: float, but: str = "") -> NoDerivativeError:
        """Return the refusal of a derivative that roundings hide."""
        return NoDerivativeError(
            f"the derivative by {which} is not decidable here, because the rounding of the function's own terms "
            f"(± {rounding:.0e}) leaves fewer than half of its digits{but}; move the point, write function and "
            f"gradient so that less cancels, or say by rtol= or atol= how far off it may be\n  {self.where}"
        )

    def is_right(self, found: float, truth: Estimate, rounded: float = 0.0) -> bool:
        """Whether a derivative is true, to what the oracle claims, the tolerance and these roundings."""
        return abs(found - truth.value) <= rounded + self.tolerance.margin(truth, self.epsilon)

    def only_claimed(self, line: Line, found: float, truth: Estimate, rounded: float = 0.0) -> bool:
        """Whether a derivative agrees to what the oracle claims alone, not in half of the digits nor to rounding."""
        off = abs(found - truth.value) - rounded
        if off <= self.tolerance.margin(replace(truth, bound=0.0), self.epsilon):
            return False
        return off > self.least(line, lambda z: self.value(line, z), self.here, self.noise)

    def rounding(self, line: Line, truth: Estimate, *, nudged: bool = True) -> float:
        """Return how far off a right derivative may be by its values' noise and, `nudged`, by how roundings move it."""
        moved = 0.0
        for by in self.nudges() if nudged else ():
            beside = Line(line.start, lambda z, by=by: line.at(z) * by, line.size)
            with contextlib.suppress(NoDerivativeError):
                moved = max(moved, abs(self.derivative(beside, truth.value, "").value - truth.value))
        return max(2.0 * self.noise, 8.0 * moved)

    def _oracles(self, line: Line, which: str) -> Iterator[Estimate | None]:
        """All that know the slope, the best first.

        Complex and dual numbers take one side of a branch: differences on both sides say whether that is all.
        """
        by_complex: Estimate | None = None
        if self.graph:
            way = line.start, lambda z: dict(zip(self.inputs, line.at(z).tolist(), strict=True))
            by_complex = self.graph.by_complex_step(way)
            yield by_complex
            exact = self.graph.in_many_digits(way)
            yield exact
            if exact:
                return
        nudged = [lambda z, by=by: self._on_complex(line.at(z) * by) for by in self.nudges()]
        if self.trusted:
            yield oracles.complex_step_of_code(lambda z: self._on_complex(line.at(z)), line.start, None, *nudged)
        known: dict[float, float] = {}

        def value(z: float) -> float:
            if z not in known:
                known[z] = self.value(line, z)
            return known[z]

        ratio = _RATIOS[len(self.flat) > _RECORDED]
        apart = "" if self.graph else oracles.sides_differ(value, line.start, self.noise, self.epsilon, ratio)
        if apart:
            raise self._untold(which, f"{apart} there; move the point a little")
        differences = self.differences(value, line, self.noise)
        if not self.graph and differences:
            by_complex = oracles.complex_step_of_code(
                lambda z: self._on_complex(line.at(z)), line.start, differences, *nudged
            )
            self.trusted = self.trusted or (by_complex is not None and line.everywhere)
            yield by_complex
        if len(self.flat) > _RECORDED:
            yield differences
            return
        if by_complex is None:
            yield self._through_duals(line, differences)
            self._refuse_stairs(value, line, differences, which)
        yield differences

    def _refuse_stairs(self, value: Callable[[float], float], line: Line, found: Estimate | None, which: str) -> None:
        rounded = found and oracles.jumps_beside(value, line.start, found.value, self.noise)
        if rounded or (found and found.value == 0.0 and oracles.constant_by_rounding(value, line.start)):
            raise self._untold(which, "its values climb in stairs there, by rounding; move the point a little")

    def terms(self, i: int) -> float:
        """Return the sum of the sizes of all paths to a number, 0 if unknown: where they cancel, roundings are left."""
        self._terms = self._terms or (path_sums(self.root) if self.root is not None else {})
        return float(self._terms.get(self.inputs[i], 0.0)) if self._terms else 0.0

    def _through_duals(self, line: Line, differences: Estimate | None) -> Estimate | None:
        """Return the slope by dual numbers where differences do not contradict it, and what roundings move it by."""
        found = [through_duals(lambda z, b=b: self._result(line.at(z) * b), line.start) for b in (1.0, *self.nudges())]
        known = [dual for dual in found if dual]
        if len(known) < len(found):
            return None
        dual = replace(known[0], bound=max(d.bound + 8.0 * abs(d.value - known[0].value) for d in known))
        allowed = dual.bound + 1e-6 * abs(dual.value)
        apart = differences and abs(dual.value - differences.value) > allowed + differences.bound
        return None if apart else dual

    def differences(self, function: Callable[[float], float], line: Line, noise: float) -> Estimate | None:
        """Central differences, or a polynomial fitted to many values, if they can tell the slope."""
        x = line.start
        here = function(x)
        rounded = max(noise, 4.0 * self.epsilon * abs(here))

        def known(estimate: Estimate | None) -> Estimate | None:
            return estimate if estimate and self.knows(estimate, line, function, here, rounded) else None

        best: Estimate | None = None
        for ratio in reversed(_RATIOS) if len(self.flat) > _RECORDED else _RATIOS[:1]:
            try:
                estimate = known(oracles.central_differences(function, x, noise, self.epsilon, ratio))
            except NoDerivativeError:
                if self.epsilon == EPSILON:
                    return best
                break  # in half precision there are too few steps
            best = min((e for e in (best, estimate) if e), key=lambda e: e.bound, default=None)
            if best and best.bound <= math.sqrt(self.epsilon) * abs(best.value):
                break  # else more steps are left between rounding and the kinks of many numbers
        return best or known(oracles.fitted(function, x, noise))

    def _result(self, vector: Any) -> Any:
        if self.on_values and vector.dtype == np.float64:
            vector = np.array([*map(Value, vector.tolist()), None], dtype=object)
        result = detached(self.f(*self.layout.build(vector)))
        return result.reshape(-1)[0] if getattr(result, "shape", ()) and np.size(result) == 1 else result

    def _on_complex(self, vector: Any) -> complex:
        """Its value on complex numbers, which many functions cannot take."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy warns where it drops the imaginary part
            return complex(self._result(vector.view(Beside)))

    def _takes_complex(self) -> bool:
        try:
            return self._on_complex(self.flat + 2.0**-400 * 1j * next(self.layout.directions(1))).imag != 0.0
        except Exception:  # noqa: BLE001 # code of any kind may raise anything when a number is complex
            return False

    def _way_out(self) -> str:
        way = "move the point, or say by rtol= how far off it may be"
        if not self.on_values and not self._takes_complex():
            return (
                "its values are too rough for differences, and complex numbers, which would know better, are kept out "
                f"by something such as float(...), math or float32 in it: compute with NumPy throughout, {way}"
            )
        return f"its values are too rough for differences: {way}"

    def _record(self) -> None:
        """Run it on Values, if it can: then its graph is known, as long as it is the same function."""
        inputs: list[Value] = []
        try:
            with recording(on=True):
                root = call(self.f, self.layout, inputs)
        except Exception:  # noqa: BLE001 # code of another library may raise anything when it meets a Value
            return
        graph = Graph(root)
        noise = noise_of(propagate(root))
        self.inputs = inputs
        if not self.follows(graph, 2.0**-10, 2.0**-24, noise=noise):
            return
        for node in graph.inner:
            refuse_edges_of(node, self.where)
        self.root, self.graph = root, graph
        self.noise = max(4.0 * self.epsilon * abs(self.here), noise)

    def nudges(self) -> Sequence[Any]:
        """Return factors that move every number by two roundings, up or down."""
        self._nudges = self._nudges or [1.0 + 2.0 * EPSILON * np.sign(v) for v in self.layout.directions(3)]
        return self._nudges

    def follows(self, graph: Graph, *steps: float, noise: float | None = None) -> bool:
        """Tell whether a graph gives what the function does, at one of some steps along each of a few directions."""
        noise = self.noise if noise is None else noise

        def same(vector: Any) -> bool:
            own = self.value(self.through(vector), 0.0)
            recorded = graph.at(dict(zip(self.inputs, vector.tolist(), strict=True)))
            nowhere = math.isnan(own) and math.isnan(recorded)
            return nowhere or abs(own - recorded) <= 16.0 * (noise + self.epsilon * abs(own))

        ways = [sign * v for sign in (1.0, -1.0) for v in self.layout.directions(2)]
        return all(any(same(self.flat + h * v) for h in steps) for v in ways)

    def _precision(self) -> float:
        """How fine its values close by are: those of single or half precision have few bits, and use all of them."""
        lines = [self.along(i) for i in range(min(3, len(self.flat)))]
        steps = (-0.0271828, -0.0141421, 0.0173205, 0.0314159)
        moved = {self.value(line, line.start + h * line.size) for line in lines for h in steps}
        values = [y for y in moved if y and math.isfinite(y)]
        bits = max((math.frexp(y)[0].as_integer_ratio()[1].bit_length() - 1 for y in values), default=0)
        return 2.0 ** (1 - bits) if len(values) > 3 and 7 <= bits <= 24 else EPSILON


def refuse_chance(
    here: float, again: float, where: str, rtol: float = 1e-8, since: str = "", who: str = "", *, seeded: bool = False
) -> None:
    """Raise ValueError where a function, or the gradient named by `who`, gave two values at one point."""
    if not (abs(again - here) <= rtol * abs(here) or (math.isnan(here) and math.isnan(again)) or again == here):
        way = "fix the seed of what is random in it (seed=0 seeds random, numpy.random and torch before every call)"
        if seeded:  # and that was no help
            way = "seed= does not reach a Generator of its own: make it anew, with a seed, at every call"
        raise ValueError(
            f"{who or 'the function'} gives different values at one point: {here!r} and then {again!r}{since}, so "
            f"{'it is no derivative' if who else 'it has no derivative to check'}; {way}, and what it keeps "
            f"between calls\n  {where}"
        )


def one_number(result: Any) -> float:
    """Return the real number that a function returned."""
    try:
        array = None if isinstance(result, (list, tuple, dict, str)) else np.asarray(result)
        if array is not None and array.size == 1 and not np.iscomplexobj(array):
            return float(array.ravel()[0])
    except (TypeError, ValueError):
        pass
    raise not_one_number(result)


def of_numpy(point: Any) -> Any:
    """Return the point with arrays of NumPy in place of those of other libraries."""
    return nests.mapped(_array, point)


def _array(leaf: Any, _: str) -> Any:
    if isinstance(leaf, (np.ndarray, np.generic, Value)) or not hasattr(leaf, "shape"):
        return leaf
    try:
        array = np.asarray(detached(leaf))
        array = array if np.iscomplexobj(array) else array.astype(np.float64)
    except Exception as error:  # noqa: BLE001 # another library's object may raise anything
        raise TypeError(f"a point cannot be a {type(leaf).__name__} ({error}): give a NumPy array") from None
    return array if array.ndim else array.item()


def detached(x: Any) -> Any:
    """Return the number of a Value, a tensor of PyTorch without its graph, anything else as it is."""
    if isinstance(x, Value):
        return x.data
    return x.detach() if hasattr(x, "detach") else x
