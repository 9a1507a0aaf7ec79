"""A fold in a graph: one node for the loop, with the step's own graph, and one for each number that comes out.

The step is traced once, by a tracer within the function's, on stand-ins for the carry and for what the step takes.
Whatever else it uses, of the function around it or parameters, it captures: that is an operand of the loop too.
"""

# A tracer and one within it share their state:
# pyright: reportPrivateUsage=false
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from autodiff import folding, grad_mode, nests
from autodiff.compiler.trace.graph import CAPTURED, CARRY, Entry, Graph, Loop, X, entry
from autodiff.compiler.trace.refusals import Place
from autodiff.compiler.trace.simplify import live
from autodiff.compiler.trace.tracer import Traced, Tracer, trace
from autodiff.domains import is_array, unbox
from autodiff.errors import TraceError
from autodiff.ops import Op
from autodiff.value import Value


class _Leaf:
    """The place of a number or an array in a nest."""

    def __init__(self, shape: tuple[int, ...] | None) -> None:
        self.shape = shape


class Numbers:
    """A nest as its numbers, in order, and back."""

    def __init__(self, nest: Any, name: str) -> None:  # Any: what a user holds
        self.found: list[Any] = []
        self.labels: list[str] = []
        self._hollow = nests.mapped(self._taken, nest, name)

    def _taken(self, x: Any, path: str) -> _Leaf:
        x = unbox(x)
        self.found += list(x.flat) if is_array(x) else [x]
        at = [f"[{', '.join(map(str, i))}]" for i in np.ndindex(x.shape)] if is_array(x) else [""]
        self.labels += [path + each for each in at]
        return _Leaf(x.shape if is_array(x) else None)

    @property
    def is_number(self) -> bool:
        """Whether it is one number, in no container."""
        return isinstance(self._hollow, _Leaf) and self._hollow.shape is None

    def filled(self, new: Iterator[Any]) -> Any:
        """Return the nest with the numbers that `new` gives."""

        def leaf(x: _Leaf, _: str) -> Any:
            if x.shape is None:
                return next(new)
            array = np.empty(x.shape, dtype=object)
            for index in np.ndindex(x.shape):
                array[index] = next(new)
            return array

        return nests.mapped(leaf, self._hollow)


def _numbers_of(series: Any, first: Numbers) -> Sequence[Any]:
    """Return the numbers of xs, step by step; ValueError where its entries differ in form."""
    if series.nest is series.sequences:  # one sequence, as most are
        (sequence,) = series.sequences
        if is_array(sequence):
            return sequence.ravel().tolist()
        if first.is_number and {*map(type, sequence)} <= {float, int, Traced, Value}:
            return sequence
    numbers: list[Any] = []
    for t in range(series.steps):
        own = Numbers(series.at(t), "x")
        entries = dict(zip(own.labels, own.found, strict=True))
        if entries.keys() != set(first.labels):
            raise ValueError(
                "fold: in a compiled function xs must have entries of one form, got "
                f"{own.labels or series.at(t)} at step {t} after {first.labels or series.at(0)}; put a number in place "
                "of what is missing, and a mask of 0 and 1 beside it, for autodiff.where"
            )
        numbers += [entries[label] for label in first.labels]
    return numbers


class Looping(Tracer):
    """A tracer that keeps folds as loops, and that traces their steps by others within it."""

    loops = True

    def __init__(self, around: Looping | None = None) -> None:
        super().__init__()
        self.around = around
        self.captured: list[int] = []  # their places in the graph around it
        self._captured_at: dict[int, int] = {}
        self.unrolls: TraceError | None = None  # what was raised where the steps must be traced one after another

    # What a step takes from outside.

    def record(self, op: Op, operands: Sequence[Any]) -> Traced:
        """Record one operation, in the trace of the step that runs."""
        foreign = any(x.__class__ is Traced and x.tracer is not self for x in operands)
        active = grad_mode.tracer() if foreign else self
        if active is not self and isinstance(active, Looping) and self._is_around(active):
            return active.record(op, operands)
        if foreign and self.open:
            operands = [self.stand_in(self.place_of(x)) if x.__class__ is Traced else x for x in operands]
        return super().record(op, operands)

    def _is_around(self, inner: Looping | None) -> bool:
        while inner is not None and inner is not self:
            inner = inner.around
        return inner is self

    def place_of(self, x: Any) -> int:
        """Return the place of a number, without copying it; what belongs to a trace around this one is captured."""
        if x.__class__ is Traced and x.tracer is not self:
            own: Any = x.tracer
            around = isinstance(own, Looping) and own.open and own._is_around(self)
            if self.around is None or not around:
                raise TraceError(
                    f"{x!r} belongs to another trace; it must not leave the function it was made in, nor the step of a "
                    "fold: hand it on in the carry, or return it as y"
                )
            return self._capture(self.around.place_of(x))
        return super().place_of(x)

    def _leaf(self, x: Value) -> int:
        if self.around is None:
            return super()._leaf(x)
        self._leaf_at[id(x)] = place = self._capture(self.around.place_of(x))
        return place

    def _capture(self, outer: int) -> int:
        assert self.around is not None
        graph = self.around.graph
        if outer in graph.constants:
            return self.constant(graph.constants[outer])
        place = self._captured_at.get(outer)
        if place is None:
            label = graph.labels.get(outer, "")
            self._captured_at[outer] = place = self.input(CAPTURED, len(self.captured), label).place
            self.captured.append(outer)
        return place

    def parameters_below(self, roots: Iterable[Any], stop: Iterable[Any]) -> list[Value]:
        """Return the parameters, as `Tracer`; where other numbers bring them in, the steps are traced one by one."""
        if self.around is None:
            return super().parameters_below(roots, stop)
        below, found = self.below(roots, stop), list[Value]()
        if any(place in below and argument != CAPTURED for place, (argument, _) in self.graph.inputs.items()):
            raise self._unrolled()
        for outer, place in self._captured_at.items():
            met = self.around.parameters_below([self.around.stand_in(outer)], ()) if place in below else []
            if met and self.around.place_of(met[0]) != outer:
                raise self._unrolled()
            found += met
        return found

    def error(self, x: Value, what: str, at: Place | None = None) -> TraceError:
        """Return the error that names the request and the way out, and the fold whose step it is in."""
        found = super().error(x, what, at)
        if self.around is not None and self.open:
            self.refused = found = TraceError(
                f"{found}. It is in the step of a fold, which is traced once for all steps"
            )
        return found

    # The loop.

    def fold(self, step: Callable[[Any, Any], Any], carry: Any, series: Any, checkpoint: bool) -> tuple[Any, Any]:
        """Record a fold as a loop; return what `folding.fold` promises, of stand-ins."""
        inner = Looping(self)
        start, first = Numbers(carry, "carry"), Numbers(series.at(0), "x")
        begin = [self.place_of(x) for x in start.found]
        places = [self.place_of(x) for x in _numbers_of(series, first)]
        with grad_mode.tracing(inner):
            try:
                taken = [
                    whole.filled(iter([inner.input(i, k, label) for k, label in enumerate(whole.labels)]))
                    for i, whole in ((CARRY, start), (X, first))
                ]
                after, y = folding.pair(step(*taken), folding.form_of(carry), 0, carry)
                names, leaves = folding.parts(y, "y")
                ys = [Numbers(leaf, name) for leaf, name in zip(leaves, names, strict=True)]
                numbers = [x for whole in (Numbers(after, "carry"), *ys) for x in whole.found]
                inner.graph.outputs = [inner.place_of(x) for x in numbers]
            finally:
                inner.open = False
        if inner.unrolls is not None:
            raise inner.unrolls
        graph = live(inner.without_copies())
        graph.shape = (len(numbers),)
        n, m = len(start.found), len(numbers) - len(start.found)
        loop = Loop(graph, n, len(first.found), m, len(inner.captured), series.steps, checkpoint)
        out = self._entries(loop, (*begin, *places, *inner.captured))
        columns, at = list[list[Any]](), n
        for whole in ys:
            count = len(whole.found)
            if whole.is_number:
                columns.append(out[at::m])
            else:
                columns.append([whole.filled(iter(out[k : k + count])) for k in range(at, len(out), m)])
            at += count
        return start.filled(iter(out)), folding.gathered(y, columns)

    def _entries(self, loop: Loop, operands: tuple[int, ...]) -> list[Traced]:
        graph = self.graph
        place = graph.add(loop, operands)  # pyright: ignore[reportArgumentType] # in the place of an operation
        new = range(place + 1, place + 1 + loop.size)
        for k in range(loop.size):
            graph.add(entry(k), (place,))  # pyright: ignore[reportArgumentType]
        if grad_mode.paused():
            graph.stopped.update((place, *new))
        return list(map(self.stand_in, new))

    def _partials(self, op: Any, place: int, depends: Any) -> Sequence[Any]:
        if not isinstance(op, (Loop, Entry)):
            return super()._partials(op, place, depends)
        raise self._unrolled()

    def _unrolled(self) -> TraceError:
        """Return the error that has the function traced again, without loops."""
        error = TraceError("a derivative is taken of a fold, inside the function")
        whole: Looping | None = self
        while whole is not None:
            whole.unrolls, whole = error, whole.around
        return error


def traced(
    f: Callable[..., Any], samples: Sequence[Any], names: Sequence[str], static: frozenset[int], *, loops: bool = True
) -> Graph:
    """Return what `f` computes of one sample as a Graph, its folds as loops.

    Where it takes derivatives of a fold itself, the steps are traced one after another.
    """
    if loops:
        tracer = Looping()
        try:
            graph = trace(f, samples, names, static, tracer)
            if tracer.unrolls is None:
                return graph
        except TraceError as error:
            if error is not tracer.unrolls:
                raise
    return trace(f, samples, names, static)
