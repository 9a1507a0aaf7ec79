"""Record what a function does to one sample: call it once with stand-ins, without computing any number.

A stand-in is a Value without a number. Whatever is computed from it, or from a parameter while the function runs,
becomes one more line of the Graph, unless it is there already. Whatever needs the number (`if x > 0:`, `float(x)`,
`.data`) raises TraceError, since the answer for one sample would be frozen into the program for all samples.
"""

# Stand-ins are Values and share their slots, their operators as type checkers see them,
# pyright: reportPrivateUsage=false, reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportIncompatibleVariableOverride=false, reportIncompatibleMethodOverride=false
# and their methods, whose docstrings are there:
# ruff: noqa: D102
from __future__ import annotations

import itertools
import math
import operator
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from numbers import Number
from typing import Any

import numpy as np

from autodiff import grad_mode, nests, ufuncs
from autodiff.compiler.trace import refusals
from autodiff.compiler.trace.graph import Form, Graph, Input
from autodiff.compiler.trace.operations import EITHER, GUARDED, RELATIONS
from autodiff.compiler.trace.simplify import shorter
from autodiff.compiler.trace.texts import Text, formatted
from autodiff.domains import is_array, number, unbox
from autodiff.errors import TraceError
from autodiff.naming import describe
from autodiff.ops import OPS, Op, hypot, where
from autodiff.propagation import limit
from autodiff.value import Value

_BITS = "taking bits (&, |, ^, <<, >>) of"
_POS, _DIV, _POW = OPS["pos"], OPS["div"], OPS["pow"]


def _sides(name: str) -> tuple[Any, Any]:
    """Return an operator as a method of its left and of its right operand."""
    op = OPS[name]

    def left(a: Any, b: Any) -> Any:
        return a.tracer.infix(op, a, b)

    def right(b: Any, a: Any) -> Any:
        return b.tracer.infix(op, a, b)

    return left, right


def _unary(name: str) -> Any:
    """Return an operation on one number as a method."""
    op = OPS[name]

    def method(a: Any) -> Any:
        return a.tracer.unary(op, a)

    return method


def _refusing(name: str, *, assigned: bool = False) -> Any:
    """Return a property that may not be read, nor assigned where a Value's may be."""

    def get(x: Any) -> Any:
        raise x.tracer.error(x, f"reading {name} of")

    def put(x: Any, _: Any) -> None:
        raise x.tracer.error(x, f"assigning {name} of")

    return property(get, put if assigned else None)


class Traced(Value):
    """A stand-in for the number at one place of the Graph, which its `tracer` records."""

    __slots__ = ("place", "tracer")
    __init__ = object.__init__  # pyright: ignore[reportAssignmentType] # quick, and filled in by the tracer

    op: None = None  # shadows Value's slot: no operation made it
    place: int
    tracer: Tracer

    # fmt: off
    __add__, __radd__ = _sides("add")
    __sub__, __rsub__ = _sides("sub")
    __mul__, __rmul__ = _sides("mul")
    __truediv__, __rtruediv__ = _sides("div")
    __rpow__ = _sides("pow")[1]
    __neg__, __pos__, __abs__ = map(_unary, ("neg", "pos", "abs"))
    exp, log, sqrt, sin, cos, tanh, relu, sigmoid = map(
        _unary, ("exp", "log", "sqrt", "sin", "cos", "tanh", "relu", "sigmoid")
    )

    def __pow__(self, other: Any, modulus: object = None) -> Any:
        if modulus is not None:
            raise self.tracer.error(self, "pow with a modulus of")
        return self.tracer.infix(_POW, self, other)

    def __and__(self, other: Any) -> Any: return self.tracer.both(OPS["minimum"], self, other)
    def __or__(self, other: Any) -> Any: return self.tracer.both(OPS["maximum"], self, other)
    def __xor__(self, other: Any) -> Any: return self.tracer.both(RELATIONS[operator.ne], self, other)
    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __bool__(self) -> bool: raise self.tracer.error(self, "deciding (if, while, and, or, max, min, sorted) by")
    def __float__(self) -> float: raise self.tracer.error(self, "float() of")
    def as_integer_ratio(self) -> Any: raise self.tracer.error(self, "float() of")
    def __int__(self) -> int: raise self.tracer.error(self, "int() of")
    def __index__(self) -> int: raise self.tracer.error(self, "indexing by")
    def __invert__(self) -> Any: raise self.tracer.error(self, "inverting (~)")
    def __lshift__(self, other: Any) -> Any: raise self.tracer.error(self, _BITS)
    __rshift__ = __rlshift__ = __rrshift__ = __lshift__
    def __copy__(self) -> Any: raise self.tracer.error(self, "copying")
    def __deepcopy__(self, memo: Any) -> Any: raise self.tracer.error(self, "copying")
    def __reduce_ex__(self, protocol: Any) -> Any: raise self.tracer.error(self, "pickling")
    def zero_grad(self) -> None: raise self.tracer.error(self, "zero_grad() of")
    def __repr__(self) -> str: return Text.of(self, f"<traced {self.label or 'number'}>")
    # fmt: on

    def __hash__(self) -> int:
        # A set or dict of numbers would never find this one, and neither `in` nor `get` would say so.
        if self.tracer.open and not refusals.is_passed_over(sys._getframe(1)):  # pyright: ignore[reportPrivateUsage]
            raise self.tracer.error(self, "looking up")
        return object.__hash__(self)

    def __format__(self, spec: str) -> str:
        return formatted(self, repr(self), spec, sys._getframe(1))  # pyright: ignore[reportPrivateUsage]

    def __eq__(self, other: object) -> Any:
        return self.tracer.compare(self, other, operator.eq)

    def __ne__(self, other: object) -> Any:
        return self.tracer.compare(self, other, operator.ne)

    def backward(self, *, create_graph: bool = False) -> None:  # noqa: ARG002 # as Value's
        raise self.tracer.error(self, "backward() from")

    @property
    def label(self) -> str:
        return self.tracer.graph.labels.get(self.place, "")

    @label.setter
    def label(self, label: str) -> None:
        if not isinstance(label, str):  # pyright: ignore[reportUnnecessaryIsInstance] # as Value.label
            raise TypeError(f"a label must be text, got {type(label).__name__} {label!r}: use str(...)")
        self.tracer.graph.labels.setdefault(self.place, label)

    @property
    def _number(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        if not self.tracer.open:
            raise self.tracer.error(self, "using")
        raise AttributeError  # so that the caller asks the tracer instead

    data = _refusing(".data", assigned=True)
    grad = _refusing(".grad", assigned=True)
    operands, partials = _refusing(".operands"), _refusing(".partials")

    def record_operation(  # pyright: ignore[reportIncompatibleMethodOverride] # called on an operand, as Value's is
        self, op: Op, operands: Sequence[Any]
    ) -> Any:
        """Record the operation; return an array of stand-ins where an operand is an array."""
        if len(operands) == 1:
            return self.tracer.unary(op, self)
        if any(map(is_array, operands)):
            return ufuncs.elementwise(op, operands)
        return self.tracer.record(op, operands)


_blank: Any = Traced  # called without arguments, and filled in


class Tracer:
    """The recorder of one trace: it writes what the function computes into `graph`."""

    loops = False  # whether a fold stays a loop; else its steps are traced one after another

    def __init__(self) -> None:
        self.graph = Graph()
        self.open = True
        self.refused: TraceError | None = None  # what was refused last, which C code may have passed over
        self.refused_at: tuple[str, int] | None = None  # the user's line
        self.swallowed: TraceError | None = None  # what was refused where a Value would have answered
        self._constant_at: dict[float | str, int] = {}
        # The place of every operation so far: plain numbers, so that the garbage collector has nothing to follow.
        self._known: defaultdict[Op, dict[tuple[int, ...], int]] = defaultdict(dict)
        self._known_stopped: defaultdict[Op, dict[tuple[int, ...], int]] = defaultdict(dict)
        self._leaf_at: dict[int, int] = {}  # by identity, since Values compare by their data
        self._born: list[Value] = []  # kept alive, so that no later Value reuses one of their ids
        self._tips: list[bool] = []  # which of the first nodes are a hypot or depend on one
        self._copies: list[int] = []  # places that repeat another one, as variables to differentiate by

    # The operations that networks are full of are written out, without the loop over operands.

    def infix(self, op: Op, a: Any, b: Any) -> Any:
        """Return the result of an operator between two things."""
        if self.open:
            kind = a.__class__
            x = y = None
            if kind is Traced and a.tracer is self:
                x = a.place
            elif kind is Value and (x := self._leaf_at.get(id(a))) is None:
                x = self._leaf(a)
            kind = b.__class__
            if kind is Traced and b.tracer is self:
                y = b.place
            elif kind is Value and (y := self._leaf_at.get(id(b))) is None:
                y = self._leaf(b)
            if x is not None and y is not None:
                return self._written(op, (x, y))
        if is_array(a) or is_array(b):
            return ufuncs.elementwise(op, (a, b))
        try:
            return self.record(op, (unbox(a), unbox(b)))
        except TraceError:
            raise
        except TypeError:
            return NotImplemented

    def both(self, op: Op, a: Any, b: Any) -> Any:
        """Return `&`, `|` or `^` of two conditions; TraceError for a number's bits, NotImplemented for other things."""
        if b.__class__ is bool or isinstance(b, (Value, np.bool_)) or is_array(b):
            return self.infix(op, a, b)
        if isinstance(b, (int, np.integer)):
            raise self.error(a, _BITS)
        return NotImplemented

    def unary(self, op: Op, a: Traced) -> Traced:
        """Return the result of an operation on one number."""
        return self._written(op, (a.place,)) if self.open else self.record(op, (a,))

    def record(self, op: Op, operands: Sequence[Any]) -> Traced:
        """Record one operation, unless it is there already or something shorter equals it."""
        places: list[int] = []
        for x in operands:
            if x.__class__ is Traced and x.tracer is not self:
                raise TraceError(f"{x!r} belongs to another trace; it must not leave the function it was made in")
            places.append(self.place_of(x))
        if not self.open:
            raise TraceError(
                "a stand-in must not leave the function it was traced in; compute with what the program returns"
            )
        if op is hypot:  # the same number either way, and one tip
            places.sort()
        return self._written(op, tuple(places))

    def _written(self, op: Op, xs: tuple[int, ...]) -> Traced:
        graph = self.graph
        stopped = grad_mode.contexts > 1 and grad_mode.paused()  # this trace is always one of them
        known = self._known_stopped[op] if stopped else self._known[op]
        place = known.get(xs)
        if place is None and not stopped:
            constants = graph.constants
            if op is _POS or (xs and (xs[0] in constants or xs[-1] in constants)):  # otherwise it cannot be shortened
                n = len(graph.ops)
                place = shorter(op, xs, constants, self.constant)
                if place is not None:
                    graph.repeated -= len(graph.ops) - n  # a constant that folding made counts as a node itself
        if place is None:
            known[xs] = place = len(graph.ops)
            graph.ops.append(op)
            graph.operands.append(xs)
            if stopped:
                graph.stopped.add(place)
        else:
            graph.repeated += 1
        new = _blank()  # `stand_in` written out, to save a call
        new.tracer = self
        new.place = place
        return new

    def stand_in(self, place: int) -> Traced:
        """Return a new stand-in for the number at `place`."""
        new = _blank()
        new.tracer = self
        new.place = place
        return new

    def constant(self, x: float) -> int:
        """Return the place of a constant."""
        key = x or repr(x)  # 0 and −0 compare equal
        place = self._constant_at.get(key)
        if place is None:
            self._constant_at[key] = place = self.graph.add()
            self.graph.constants[place] = x
        return place

    def input(self, argument: int, index: int, label: str) -> Traced:
        """Return a stand-in for one number of an argument."""
        place = self.graph.add()
        self.graph.inputs[place] = Input(argument, index)
        self.graph.labels[place] = label
        return self.stand_in(place)

    def _leaf(self, x: Value) -> int:
        if x.op is not None:
            raise TraceError(
                f"the function uses {describe(x)}, which was computed outside it: compute it inside, so that it is "
                "part of the program, or pass its .data for a constant"
            )
        graph = self.graph
        self._leaf_at[id(x)] = place = graph.add()
        graph.parameters[place] = x
        if label := x.label:
            graph.labels[place] = label
        return place

    def born(self, x: Value) -> None:
        """Take a Value made inside the function as a constant: nobody outside could train it."""
        self._born.append(x)
        self._leaf_at[id(x)] = self.constant(x._number)

    def compare(self, a: Any, b: Any, relation: Any) -> Any:
        """Return a comparison as a number, 1 or 0, for use with `where`; TypeError for a number that is not real."""
        found = self.infix(RELATIONS[relation], a, b)
        if found is NotImplemented and isinstance(b, Number):
            raise TypeError(f"what is compared while {a!r} is traced must be real, got {b!r}; compare with a float")
        return found

    # Derivatives taken inside the function, by `grad` and the like.

    def variable(self, x: Any, name: str) -> Traced:
        """Return a stand-in that equals x, as a variable to differentiate by."""
        try:
            place = self.graph.add(_POS, (self.place_of(x),))
        except TraceError:
            raise
        except TypeError as error:
            raise TypeError(f"cannot differentiate by {name}: {error}") from None
        self._copies.append(place)
        return self.stand_in(place)

    def place_of(self, x: Any) -> int:
        """Return the place of a number, without copying it."""
        if x.__class__ is Traced:
            return x.place
        if not isinstance(x, Value):
            return self.constant(x if x.__class__ is float else number(x))
        known = self._leaf_at.get(id(x))
        return self._leaf(x) if known is None else known

    def propagate(self, root: Any, stop: Iterable[Any], *, limits: bool = True) -> dict[Any, Any]:
        """Record the chain rule backward from `root`; return δ of the nodes in `stop`."""
        graph, ends = self.graph, {self.place_of(x): x for x in stop}
        delta: dict[int, Any] = {self.place_of(root): 1.0}
        depends = self._depend(ends, self.place_of(root), near=not limits)
        for place in reversed(depends):
            op, xs = graph.ops[place], graph.operands[place]
            if place not in delta or place in ends or op is None or place in graph.stopped:
                continue
            steps = [self._product(delta[place], partial) for partial in self._partials(op, place, depends)]
            if limits and op is hypot and delta[place].__class__ is Traced:
                steps = self._at_tip(delta[place], place, steps)
            for x, step in zip(xs, steps, strict=True):
                if x in depends and (step.__class__ is not float or step):
                    delta[x] = delta[x] + step if x in delta else step
        return {x: delta[place] for place, x in ends.items() if place in delta}

    def _at_tip(self, delta: Traced, place: int, steps: Sequence[Any]) -> list[Any]:
        """Return what a hypot hands on; where it and δ are both 0, by l'Hôpital's rule, as `propagation.propagate`.

        Of a δ that depends on another hypot alone nothing is known there: the fast version asks for the careful one.
        """
        r = self.stand_in(place)
        rate = self.propagate(delta, [r], limits=False).get(r, 0.0)
        lone = rate.__class__ is float and rate == 0.0
        if lone and not self._has_tips(delta.place):
            return list(steps)
        operands = [self.stand_in(x) for x in self.graph.operands[place]]
        fast = [self._product(delta, cosine) for cosine in cosines(operands[0], operands[1], r)]
        careful: list[Any] = list(steps)
        if not lone:
            tip: Any = (r == 0.0) & (delta == 0.0)
            limits = [self._product(limit(rate), x) for x in operands]
            careful = [where(tip, x, step) for x, step in zip(limits, steps, strict=True)]
        return [self.either(a, b) for a, b in zip(fast, careful, strict=True)]

    def _has_tips(self, place: int) -> bool:
        """Return whether a node is a hypot or depends on one; each node is looked at once."""
        ops, operands, known = self.graph.ops, self.graph.operands, self._tips
        for i in range(len(known), place + 1):
            known.append(ops[i] is hypot or any(known[x] for x in operands[i]))
        return known[place]

    def parameters_below(self, roots: Iterable[Any], stop: Iterable[Any]) -> list[Value]:
        """Return the parameters that these numbers depend on, other than by the nodes in `stop`, in the order met."""
        below = self.below(roots, stop)
        return [x for place, x in self.graph.parameters.items() if place in below]

    def below(self, roots: Iterable[Any], stop: Iterable[Any]) -> set[int]:
        """Return the places of what these numbers depend on, other than by the nodes in `stop`, and of themselves."""
        ends = {self.place_of(x) for x in stop}
        found, waiting = set(ends), [self.place_of(x) for x in roots]
        while waiting:
            place = waiting.pop()
            if place not in found:
                found.add(place)
                waiting += self.graph.operands[place]
        return found - ends

    def push_forward(self, root: Any, tangents: Mapping[Any, Any]) -> Any:
        """Record the chain rule forward; return the rate of `root` when the given nodes change at `tangents`."""
        graph, rate = self.graph, {self.place_of(x): tangent for x, tangent in tangents.items()}
        linear, cancelled, end = True, False, self.place_of(root)
        for place in (depends := self._depend(rate, end)):
            op = graph.ops[place]
            if place in rate or op is None or place in graph.stopped:
                continue
            for x, partial in zip(graph.operands[place], self._partials(op, place, depends), strict=True):
                linear = linear and (partial.__class__ is float or x not in rate)
                step = self._product(rate.get(x, 0.0), partial)
                if step.__class__ is not float or step:
                    total = rate[place] + step if place in rate else step
                    cancelled = cancelled or (total.__class__ is float and not total)
                    rate[place] = total
                elif x in rate:  # a rate of 0 goes on, to where it meets ∞ or NaN
                    rate.setdefault(place, 0.0)
        if linear:
            return rate.get(end, 0.0)
        # Where 0 · ∞ is dropped, the answer is that of the sweep backward, as in `propagation.push_forward`.
        delta, fast = self.propagate(root, tangents), rate.get(end, 0.0)
        careful = sum([self._product(delta[x], tangents[x]) for x in delta], 0.0)
        # Below constant rates that cancelled there is no product in which a NaN would show.
        return careful if cancelled or fast.__class__ is float else self.either(fast, careful)

    def either(self, fast: Any, careful: Any) -> Any:
        """Record a number that the fast and the careful version of the program compute in different ways."""
        return self.record(EITHER, (fast, careful))

    def _depend(self, ends: Collection[int], last: int, *, near: bool = False) -> dict[int, None]:
        """Return the nodes up to `last` that depend on those in `ends`, or are among them, in order.

        With `near`, only those that `last` depends on: found going down from it, where not all nodes can be looked at.
        """
        first = min(ends, default=last + 1)
        places: Iterable[int] = range(first, last + 1)
        if near:
            waiting, below = [last], set[int]()
            while waiting:
                place = waiting.pop()
                if place >= first and place not in below:
                    below.add(place)
                    waiting += self.graph.operands[place]
            places = sorted(below)
        found: dict[int, None] = {}
        for place in places:
            if place in ends or not found.keys().isdisjoint(self.graph.operands[place]):
                found[place] = None
        return found

    def _partials(self, op: Op, place: int, depends: Container[int]) -> Sequence[Any]:
        if op is EITHER:  # the derivative of each way belongs to it
            return [self.either(1.0, 0.0), self.either(0.0, 1.0)]
        constants, xs = self.graph.constants, self.graph.operands[place]
        operands = [constants[x] if x in constants else self.stand_in(x) for x in xs]
        return partials_of(op, operands, self.stand_in(place), [x in depends for x in xs])

    def _product(self, delta: Any, partial: Any) -> Any:
        """Record a product of the chain rule; return a constant 0 where a factor is one."""
        numbers = [x for x in (delta, partial) if x.__class__ is float]
        if 0.0 in numbers:
            return 0.0
        return delta * partial if len(numbers) == 2 else self.record(GUARDED, (delta, partial))

    def without_copies(self) -> Graph:
        """Return the graph without the variables that were differentiated by."""
        graph = self.graph
        if self._copies:
            source = list(range(len(graph.ops)))
            for place in self._copies:
                source[place] = source[graph.operands[place][0]]
            graph.operands = [tuple([source[x] for x in xs]) for xs in graph.operands]
            graph.outputs = [source[x] for x in graph.outputs]
        return graph

    def refuse(self, x: Value, what: str) -> None:
        """Raise TraceError for a Value whose number is asked for."""
        raise self.error(x, what)

    def users_place(self) -> refusals.Place:
        """Return the place in the user's code that Python is at."""
        return refusals.users_place(sys._getframe(1), _called.__code__)  # pyright: ignore[reportPrivateUsage]

    def error(self, x: Value, what: str, at: refusals.Place | None = None) -> TraceError:
        """Return the error that names the request, its line in the user's code, and the way out."""
        if not self.open:
            return TraceError(f"{what} {x!r}: it left the function it was traced in, and has no number")
        at = self.users_place() if at is None else at
        self.refused_at = at.file, at.line
        self.refused = TraceError(refusals.refusal(what, f"{x.label!r}" if x.label else "a number", at))
        if what == "indexing by":
            below = self.below([x], [])
            if below.isdisjoint(self.graph.parameters):
                self.refused.indices = frozenset(
                    [source.argument for i, source in self.graph.inputs.items() if i in below]
                )
        if what not in refusals.REFUSED_ANYWAY:
            self.swallowed = self.refused  # raised in the end, should the function go on without
        return self.refused


def trace(
    f: Callable[..., Any], samples: Sequence[Any], names: Sequence[str], static: frozenset[int],
    tracer: Tracer | None = None,
) -> Graph:  # fmt: skip
    """Return what `f` computes of one sample as a Graph.

    `samples` holds the shape of one sample of each argument, or the argument itself where its position is in `static`.
    A number becomes a stand-in, an array becomes an array of them.

    Raises TraceError where `f` needs a number, TypeError where it returns anything but numbers in one shape.

    >>> trace(lambda x: x * x + 1.0, [()], ["x"], frozenset()).operands
    [(), (0, 0), (), (1, 2)]
    """
    tracer = Tracer() if tracer is None else tracer
    arguments: list[Any] = []
    for i, (sample, name) in enumerate(zip(samples, names, strict=True)):
        if i in static:
            arguments.append(sample)
        elif sample == ():
            arguments.append(tracer.input(i, 0, name))
        else:
            stand_ins = np.empty(sample, dtype=object)
            for k, index in enumerate(itertools.product(*map(range, sample))):
                stand_ins[index] = tracer.input(i, k, f"{name}[{', '.join(map(str, index))}]")
            arguments.append(stand_ins)
    with grad_mode.tracing(tracer), grad_mode.recording(on=True):  # a no_grad around the call does not belong to f
        try:
            returned = _called(tracer, f, arguments, names)
            flat, shape, form = taken_apart(returned)
            if not flat:
                raise TypeError(f"the function must return at least one number, got {returned!r}")
            graph = tracer.graph
            graph.outputs = [tracer.record(_POS, (x,)).place if x.__class__ is not Traced else x.place for x in flat]
            graph.shape, graph.form = shape, form
        finally:
            tracer.open = False
    return tracer.without_copies()


def _called(tracer: Tracer, f: Callable[..., Any], arguments: Sequence[Any], names: Sequence[str]) -> Any:
    try:
        returned = f(*arguments)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        if tracer.refused is not None and error is not tracer.refused and tracer.refused_at in refusals.lines(error):
            raise tracer.refused from None
        if isinstance(error, KeyError) and error.args[0].__class__ is Traced:  # pandas looks at it, and gives up
            raise tracer.error(error.args[0], "looking up", refusals.raised_at(error)) from None
        message = refusals.told(error, arguments, names, Traced)
        if message is None:
            raise
        kind = next((each for each in (AttributeError, IndexError) if isinstance(error, each)), TraceError)
        raise kind(message) from error
    if tracer.swallowed is not None:
        raise tracer.swallowed
    return returned


def cosines(a: Any, b: Any, r: Any) -> list[Any]:
    """Return the partials of r = hypot(a, b) without its rules' cost; NaN where r has not all its digits."""
    r = OPS["where"](r < 1e-290, math.nan, r)  # pyright: ignore[reportUnknownVariableType] # where serves any kind
    return [a / r, b / r]


def partials_of(op: Op, operands: Sequence[Any], result: Any, wanted: Sequence[bool]) -> Sequence[Any]:
    """Return the partials by the rules of the table; constants follow IEEE arithmetic too: 1/0 is infinite."""
    if op is _DIV and operands[1].__class__ is float and operands[1] == 0.0:
        return [math.copysign(math.inf, operands[1]), 0.0]
    return op.partials_of(operands, result, wanted)


def taken_apart(returned: Any) -> tuple[list[Any], tuple[int, ...], Form | None]:
    """Return what a function returned as a flat list, its shape, and its form where that is not one shape."""
    if not _is_nest(returned):
        return *_flat(returned), None
    parts: list[tuple[list[Any], tuple[int, ...]]] = []

    def leaf(x: Any, path: str) -> float:
        try:
            parts.append(_flat(x))
        except TypeError as error:
            raise TypeError(f"{error}, at {path}") from None
        return 0.0

    hollow = nests.mapped(leaf, returned, "the answer", lambda x: nests.is_sequence(x) and not _is_nest(x))
    flat = [x for part, _ in parts for x in part]
    return flat, (len(flat),), Form(hollow, [shape for _, shape in parts])


def _is_nest(x: Any) -> bool:
    """Tell whether something that a function returned is more than one array: it has names, or entries stay apart."""
    if isinstance(x, (float, Value)):
        return False
    if not nests.is_sequence(x):
        return bool(nests.entries(x))
    apart = hasattr(x, "_fields") or isinstance(x, (nests.Apart, nests.ApartList))
    return apart or (isinstance(x, tuple) and nests.shape(x) is None) or any(map(_is_nest, x))


def _flat(x: Any) -> tuple[list[Any], tuple[int, ...]]:
    """Return what a function returned as a flat list, and its shape."""
    x = unbox(x)
    if isinstance(x, Value):
        return [x], ()
    if is_array(x):
        return [_entry(e) for e in x.flat], x.shape
    if isinstance(x, (list, tuple)):
        parts = [_flat(entry) for entry in x]  # pyright: ignore[reportUnknownVariableType]
        shapes = {shape for _, shape in parts}
        if len(shapes) > 1:
            raise TypeError(
                "the function must return entries of one shape, got a ragged list; return a tuple or a dict of them"
            )
        return [e for part, _ in parts for e in part], (len(parts), *(shapes.pop() if shapes else ()))
    return [_entry(x)], ()


def _entry(x: Any) -> Any:
    x = unbox(x)
    try:
        return x if isinstance(x, Value) else number(x)
    except TypeError:
        way = "; list(…) makes an answer of it" if isinstance(x, Iterable) and not isinstance(x, (str, bytes)) else ""
        way = "; is a `return` missing?" if x is None else way
        raise TypeError(f"the function must return Values or numbers, got {type(x).__name__}{way}") from None
