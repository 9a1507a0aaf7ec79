"""A fold as a loop: the array code of one step, run again and again; one row of few numbers on Python floats.

The way back goes through the steps from the last to the first, with the carry that each began with: it computes the
step again, then its δ. The carries are kept from the way there, all of them or, with `checkpoint`, every √steps-th.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.group import Grouping
from autodiff.compiler.arrays.ir import Code, Var, Want
from autodiff.compiler.arrays.reverse import backward
from autodiff.compiler.backends import machine
from autodiff.compiler.backends.floats import Point
from autodiff.compiler.backends.numpy import Buffered, made_from
from autodiff.compiler.trace.graph import CAPTURED, Graph, Input, Loop, has_loops
from autodiff.compiler.trace.operations import GUARDED
from autodiff.compiler.trace.simplify import resolved, sums_of_products

Array = Any
_SEED = 3  # the argument of a step, on the way back, that is the δ of what comes out of it
_NUMBERS = 2**15  # of carries at once, where they are not kept
_CALL = 12  # float operations that cost as much as a NumPy call


def steps_of(loop: Loop, varying: tuple[bool, ...], *, careful: bool, machine: bool = False) -> Steps:
    """Return the code of a loop's step; `varying`: whether each number that it captures has rows.

    With `machine`, numba compiles the loop, where it can.
    """
    key = varying, careful
    if key not in loop.made:
        loop.made[key] = Steps(loop, varying, careful=careful, machine=machine)
    return loop.made[key]


class Named(NamedTuple):
    """A number that a step captures, by its name in a text."""

    label: str


class Steps:
    """The code of one step, there and back."""

    def __init__(self, loop: Loop, varying: tuple[bool, ...], *, careful: bool, machine: bool) -> None:
        self.loop, self.careful = loop, careful
        self._nested = has_loops(loop.graph)
        self._machine = machine and not careful and not self._nested
        graph = resolved(loop.graph, careful=careful or GUARDED in loop.graph.ops)
        inputs: dict[int, Input] = {}
        same: dict[int, Any] = {}
        rows = itertools.accumulate(varying, initial=0)
        place = list(rows)
        for node, (argument, k) in graph.inputs.items():
            if argument != CAPTURED or varying[k]:
                inputs[node] = Input(argument, k if argument != CAPTURED else place[k])
            else:
                same[node] = k
        self.varying = place[-1]
        self.graph: Graph = sums_of_products(replace(graph, inputs=inputs, parameters=same))
        self.sizes = [loop.carry, loop.x, self.varying]
        first = self._grouping(Want(careful=careful))
        places = {node: at for node, (home, at) in first.where.items() if home is first.flat}
        self._placed = sorted(places, key=lambda node: places[node] or 0)
        self.order: list[int] = [same[node] for node in self._placed]
        self.same = len(self.order)  # without those that the step does not need after all
        self.there = Buffered(first.code)
        self._back: dict[Any, Buffered] = {}
        self._floats: dict[Any, Any] = {}
        self._machines: dict[Any, Any] = {}

    def _grouping(self, want: Want, *, grouped: bool = True) -> Grouping:
        grouping = Grouping(
            self.graph, self.sizes, [True] * 3, want, grouped=grouped, placed=getattr(self, "_placed", ()),
            steps_of=steps_of,
        )  # fmt: skip
        grouping.code.again = True
        grouping.run()
        return grouping

    def _reverse(self, wanted: tuple[bool, ...], *, per_row: bool, grouped: bool = True) -> Code:
        """Return the code of the way back through one step: the δ of what it takes, from the δ of what comes out."""
        argnums = tuple([i for i in range(3) if wanted[i] or i == 0])
        want = Want(wanted[3], argnums, per_row=per_row, careful=self.careful)
        code = self._grouping(want, grouped=grouped).code
        n = self.loop.carry + self.loop.y
        seed = code.new(ir.INPUT, (), (n,), batched=True, info=_SEED)
        if grouped:
            (output,) = code.outputs
            alike = output.__class__ is Var and output.units == (n,)
            seeds = [seed if alike else code.sum_units(seed, n)]
        else:
            seeds = [code.view(seed, k, (), ()) for k in range(n)]
        backward(code, want, seeds)
        code.outputs = []
        return code

    def back(self, wanted: tuple[bool, ...], per_row: bool) -> Buffered:
        """Return the way back through one step as NumPy calls."""
        key = wanted, per_row
        if key not in self._back:
            self._back[key] = Buffered(self._reverse(wanted, per_row=per_row))
        return self._back[key]

    def floats(self, wanted: tuple[bool, ...] | None) -> Any:
        """Return all steps as a function of floats, there or back; None where that is no quicker than NumPy's calls."""
        if self.careful or self._nested:
            return None
        if wanted not in self._floats:
            calls = self.there if wanted is None else self.back(wanted, per_row=False)
            if calls.flops > _CALL * calls.calls:
                self._floats[wanted] = None
            elif wanted is None:
                self._floats[wanted] = _there(self, self._grouping(Want(), grouped=False).code)
            else:
                self._floats[wanted] = _back(self, self._reverse(wanted, per_row=True, grouped=False), wanted)
        return self._floats[wanted]

    def machine(self, wanted: tuple[bool, ...] | None) -> Any:
        """Return all steps as machine code, there or back; None where numba is not asked, or cannot."""
        if not self._machine:
            return None
        if wanted not in self._machines:
            sizes = [*self.sizes, self.loop.y]
            if wanted is None:
                self._machines[wanted] = machine.there(self.there.code, self.loop.carry, self.loop.y)
            else:
                self._machines[wanted] = machine.back(self._reverse(wanted, per_row=False), sizes, wanted)
        return self._machines[wanted]

    # What the program around it asks.

    @property
    def segment(self) -> int:
        """How many steps go between two carries that are kept."""
        return math.isqrt(self.loop.steps - 1) + 1 if self.loop.checkpoint else self.loop.steps

    def prepare(self, back: Var | None) -> int:
        """Make the code for this way back, and return the bytes that a row takes."""
        loop = self.loop
        per_row = self.there.bytes_per_row() + 8 * (loop.carry + loop.y)
        if back is None:
            return per_row + 16 * loop.carry
        kept = self.segment + -(-loop.steps // self.segment) + 1
        return per_row + self.back(*back.info).bytes_per_row() + 8 * loop.carry * kept

    def flops(self, back: Var | None) -> int:
        """Return the floating-point operations for each row."""
        return self.loop.steps * (self.there.flops + (self.back(*back.info).flops if back is not None else 0))

    def readable(self) -> Code:
        """Return the code of a step for a text: its parameters have the names of what is captured."""
        code, labels = self._grouping(Want()).code, self.graph.labels
        code.parameters = [Named(labels.get(node, "")) for node in self._placed]
        return code

    def running(self, instance: Any, fold: Var, back: Var | None) -> Running:
        """Return the loop on the buffers of an instance."""
        return Running(self, instance, fold, back)


class Running:
    """A loop that runs, with its buffers."""

    def __init__(self, steps: Steps, instance: Any, fold: Var, back: Var | None) -> None:
        self.steps = steps
        self._instance, self._back = instance, back
        self._info: Any = None if back is None else back.info  # which δ are asked for, and whether for each row
        self._given = [instance.array(x) if x.__class__ is Var else x for x in fold.args]
        self._out = instance.array(fold)
        self.rows = self._out.shape[-1]
        self._wanted = self._info and self._info[0]
        self._carries: list[Any] | None = None  # as floats, from the way there
        self._others: _Arrays | _Machines | None = None
        self._fast = steps.machine(None) is not None and (not self._wanted or steps.machine(self._wanted) is not None)
        self._small = self.rows == 1 and not self._fast and steps.floats(None) is not None
        self._there = steps.floats(None) if self._small else None
        self._returns = steps.floats(self._wanted) if self._small and self._wanted and not self._info[1] else None
        self._same = np.zeros(steps.same)

    def way(self, var: Var) -> Callable[[], None]:
        """Return the function that computes a Var: the numbers of the loop, their δ, or that of what is captured."""
        if var.kind == ir.FOLD:
            return self._forward
        target = self._instance.array(var)
        if var.kind == ir.FOLD_BACK:
            delta = self._instance.array(var.args[1])
            return lambda: self._backward(delta, target)

        def same() -> None:
            target[...] = self._same.reshape(target.shape)

        return same

    def _lists(self) -> tuple[list[float], list[Any], list[float], list[float]]:
        """Return carry, xs by component, and what is captured, as floats."""
        loop, sizes = self.steps.loop, (self.steps.loop.carry, 0, self.steps.varying, self.steps.same)
        given: list[list[float]] = [
            [x] * n if x.__class__ is float else x.ravel().tolist() for x, n in zip(self._given, sizes, strict=True)
        ]
        carry, _, varying, same = given
        xs = self._given[1]
        if not loop.x:
            columns: list[Any] = [range(loop.steps)]
        elif xs.__class__ is not float:
            columns = xs.reshape(loop.steps, loop.x).T.tolist()
        else:
            columns = [[xs] * loop.steps] * loop.x
        return carry, columns, varying, same

    def _forward(self) -> None:
        self._carries = None
        if self._there is not None:
            carry, columns, varying, same = self._lists()
            kept: list[Any] = []
            ys: list[float] = []
            try:
                last = self._there(same, varying, carry, columns, kept.append, ys.extend)
            except (ArithmeticError, ValueError):  # arrays have the answer
                pass
            else:
                self._out[:, 0] = [*last, *ys]
                self._carries = kept
                return
        self._arrays().forward(self._given, self._out, keep=self._wanted is not None)

    def _backward(self, delta: Array, target: Array) -> None:
        loop = self.steps.loop
        if self._carries is not None and self._returns is not None:
            _, columns, varying, same = self._lists()
            given = delta.ravel().tolist()
            ys = given[loop.carry :]
            dys = [ys[k :: loop.y][::-1] for k in range(loop.y)]
            reverse = [column[::-1] for column in columns]
            try:
                parts, gradient = self._returns(
                    same, varying, given[: loop.carry], self._carries[::-1], reverse, dys
                )  # fmt: skip
            except (ArithmeticError, ValueError):
                pass
            else:
                target[:, 0] = parts
                self._same = np.array(gradient)
                return
        arrays = self._arrays()
        if self._carries is not None:  # floats went there, and end on the way back
            arrays.forward(self._given, self._out.copy(), keep=True)
        self._same = arrays.backward(self._given, delta, target)

    def _arrays(self) -> _Arrays | _Machines:
        if self._others is None:
            rows = self._instance.rows if self._back is not None and self._back.batched else self.rows
            kind = _Machines if self._fast else _Arrays
            self._others = kind(self.steps, self.rows, rows, self._info)
        return self._others


def _spread(x: Any, shape: tuple[int, ...]) -> Array:
    """Return what was given as steps × numbers × rows, or numbers × rows."""
    return np.broadcast_to(x if x.__class__ is float else x.reshape(*shape[:-1], -1), shape)


def _prepared(steps: Steps, given: Sequence[Any], rows: int, flat: Array) -> tuple[Array, Array, Array]:
    """Return the carry, xs, and what is captured for each row; write what is captured for all of them."""
    loop = steps.loop
    flat[:] = given[3] if given[3].__class__ is float else given[3].ravel()
    carry = _spread(given[0], (loop.carry, rows)) if loop.carry else np.zeros((0, rows))
    xs = _spread(given[1], (loop.steps, loop.x, rows)) if loop.x else np.zeros((loop.steps, 0, rows))
    varying = _spread(given[2], (steps.varying, rows)) if steps.varying else np.zeros((0, rows))
    return carry, xs, varying


class _Arrays:
    """The steps of a loop as NumPy calls, for a number of rows there, and back."""

    def __init__(self, steps: Steps, rows: int, rows_back: int, info: Any) -> None:
        loop = steps.loop
        self.steps, self.rows, self.rows_back = steps, rows, rows_back
        self._flat = np.zeros(steps.same)
        self._there = steps.there.instance(rows, self._flat)
        self.info = info
        self._length = steps.segment if info is not None else min(loop.steps, 64)
        self._work = np.zeros((self._length + 1, loop.carry, rows))
        self._starts = np.zeros((-(-loop.steps // self._length) if info is not None else 0, loop.carry, rows))
        if info is not None:
            self._back = steps.back(*info)
            self._return = self._back.instance(rows_back, self._flat)
            self._seed = np.zeros((loop.carry + loop.y, rows_back))

    def _segment(self, start: int, xs: Array, varying: Array, ys: Array | None) -> int:
        """Go the steps of one segment, from the first carry in the work space; return how many they are."""
        code, loop = self.steps.there.code, self.steps.loop
        names = self.steps.there.arguments
        run, n = self._there.run, min(self._length, loop.steps - start)
        (output,) = code.outputs
        out = self._there.array(output) if output.__class__ is Var else np.asarray(output)
        out = np.broadcast_to(out, (loop.carry + loop.y, self.rows))
        carry, y = out[: loop.carry], out[loop.carry :]
        work = list(self._work[: n + 1])
        sources = {"x0": work, "x1": xs[start : start + n], "x2": itertools.repeat(varying)}
        given = zip(*[sources[name] for name in names], strict=False) if names else itertools.repeat((), n)
        into = itertools.repeat(None) if ys is None or not loop.y else ys[start : start + n]
        for after, arguments, place in zip(work[1:], given, into, strict=False):
            run(*arguments)
            after[...] = carry
            if place is not None:
                place[...] = y
        return n

    def forward(self, given: Sequence[Any], out: Array, *, keep: bool) -> None:
        """Go all steps, and write what comes out of them."""
        loop = self.steps.loop
        carry, xs, varying = _prepared(self.steps, given, self.rows, self._flat)
        ys = out[loop.carry :].reshape(loop.steps, loop.y, self.rows)
        self._work[0] = carry
        n = 0
        for k, start in enumerate(range(0, loop.steps, self._length)):
            if start:
                self._work[0] = self._work[n]
            if keep:
                self._starts[k] = self._work[0]
            n = self._segment(start, xs, varying, ys)
        out[: loop.carry] = self._work[n]

    def backward(self, given: Sequence[Any], delta: Array, target: Array) -> Array:
        """Go all steps back, and write the δ of what they take; return that of what they capture for all rows."""
        loop, steps, rows = self.steps.loop, self.steps, self.rows_back
        (wanted, per_row), code, back = self.info, self._back.code, self._return
        _, xs, varying = _prepared(self.steps, given, self.rows, self._flat)
        delta = np.broadcast_to(delta, (loop.size, rows))
        ys = delta[loop.carry :].reshape(loop.steps, loop.y, rows)
        sizes = [n * want for n, want in zip((loop.carry, loop.steps * loop.x, steps.varying), wanted, strict=False)]
        ends = list(itertools.accumulate(sizes, initial=0))
        first, through, captured = (target[a:b] for a, b in itertools.pairwise(ends))
        through = through.reshape(loop.steps, -1, rows) if sizes[1] else None
        captured[...] = 0.0
        same = np.zeros((steps.same, rows) if per_row else steps.same)
        seed = self._seed
        d_carry, d_y = seed[: loop.carry], seed[loop.carry :]
        d_carry[...] = delta[: loop.carry]
        by = [code.input_gradients.get(i, 0.0) for i in range(3)]
        found = [back.array(x) if x.__class__ is Var else np.asarray(x) for x in by]
        found = [x[:, None] if x.ndim == 1 and v.__class__ is Var and v.units else x
                 for x, v in zip(found, by, strict=True)]  # fmt: skip
        own = back.array(code.gradient) if per_row and code.gradient is not None else back.gradient
        names, run = self._back.arguments, back.run
        has_same = bool(wanted[3]) and code.gradient is not None
        starts = range(0, loop.steps, self._length)
        for k, start in reversed(list(enumerate(starts))):
            n = min(self._length, loop.steps - start)
            if start != starts[-1]:
                self._work[0] = self._starts[k]
                self._segment(start, xs, varying, None)
            for t in range(n - 1, -1, -1):
                d_y[...] = ys[start + t]
                here = {"x0": self._work[t], "x1": xs[start + t], "x2": varying, "x3": seed}
                run(*[np.broadcast_to(x := here[name], (len(x), rows)) for name in names])
                d_carry[...] = found[0]
                if through is not None:
                    through[start + t] = found[1]
                if sizes[2]:
                    captured += found[2]
                if has_same:
                    same += own
        first[...] = d_carry if sizes[0] else 0.0
        return same


class _Machines:
    """The steps of a loop as machine code, row by row."""

    def __init__(self, steps: Steps, rows: int, rows_back: int, info: Any) -> None:
        loop = steps.loop
        self.steps, self.rows, self.rows_back, self.info = steps, rows, rows_back, info
        self._flat = np.zeros(steps.same)
        self._length = steps.segment if info is not None else min(loop.steps, _NUMBERS // max(1, loop.carry) + 1)
        self._starts = range(0, loop.steps, self._length)
        self._work = np.zeros((self._length + 1, loop.carry))
        self._kept = np.zeros((rows, len(self._starts), loop.carry))
        self._ys = np.zeros((loop.steps, loop.y))
        self._at: tuple[int, int] | None = None  # the row and the segment in the work space

    def _segment(self, k: int, row: int, xs: Array, beside: Array) -> None:
        start = self._starts[k]
        part = xs[start : start + self._length]
        self._work[0] = self._kept[row, k]
        run = self.steps.machine(None)
        run(self._flat, beside, part, self._work[: len(part) + 1], self._ys[start : start + self._length])
        self._at = row, k

    def forward(self, given: Sequence[Any], out: Array, *, keep: bool) -> None:
        """Go all steps of each row, and write what comes out of them; the carries are kept at any rate."""
        del keep
        loop = self.steps.loop
        carry, xs, varying = _prepared(self.steps, given, self.rows, self._flat)
        for row in range(self.rows):
            series, beside = (np.array(x[..., row], order="C") for x in (xs, varying))
            last = carry[:, row]
            for k, start in enumerate(self._starts):
                self._kept[row, k] = last
                self._segment(k, row, series, beside)
                last = self._work[min(self._length, loop.steps - start)]
            out[: loop.carry, row] = last
            out[loop.carry :, row] = self._ys.ravel()

    def backward(self, given: Sequence[Any], delta: Array, target: Array) -> Array:
        """Go all steps back, as `_Arrays.backward`."""
        loop, steps, rows = self.steps.loop, self.steps, self.rows_back
        wanted, per_row = self.info
        run = steps.machine(wanted)
        _, xs, varying = _prepared(steps, given, self.rows, self._flat)
        delta = np.broadcast_to(delta, (loop.size, rows))
        same = np.zeros((steps.same, rows) if per_row else steps.same)
        for row in range(rows):
            own = row if self.rows > 1 else 0
            series, beside = (np.array(x[..., own], order="C") for x in (xs, varying))
            dys = np.array(delta[loop.carry :, row]).reshape(loop.steps, loop.y)
            d = np.zeros(loop.carry + loop.y)
            d[: loop.carry] = delta[: loop.carry, row]
            by_xs, by_beside, by_same = np.zeros_like(series), np.zeros(steps.varying), np.zeros(steps.same)
            for k in range(len(self._starts) - 1, -1, -1):
                if self._at != (own, k):
                    self._segment(k, own, series, beside)
                part = slice(self._starts[k], self._starts[k] + self._length)
                carries = self._work[: len(series[part]) + 1]
                run(self._flat, beside, series[part], carries, d, dys[part], by_xs[part], by_beside, by_same)
            parts = [d[: loop.carry], by_xs.ravel(), by_beside]
            target[:, row] = np.concatenate([x for x, want in zip(parts, wanted, strict=False) if want] or [d[:0]])
            if per_row:
                same[:, row] = by_same
            else:
                same += by_same
        return same


class _Text(Point):
    """A step on floats, in which each number has a name: c0, x1, …, and its δ a text of its own."""

    def __init__(self, code: Code) -> None:
        self.parts: dict[int, list[str]] = {}
        super().__init__(code, [])

    def _emit(self, var: Var) -> None:
        if var.kind == ir.FLAT:
            self._text[var.number] = "p"
        elif var.kind == ir.INPUT:
            self._text[var.number] = "cxbd"[var.info]
        elif var.kind == ir.VIEW and var.args[0].kind in {ir.FLAT, ir.INPUT}:
            self._text[var.number] = f"{self._text[var.args[0].number]}{var.info[0]}"
        elif var.kind == ir.EXPAND:
            self.parts[var.number] = [self.name(var.args[0])] * var.size
        else:
            super()._emit(var)

    def _scatter(self, var: Var) -> None:
        terms: dict[int, list[str]] = {}
        for delta, (start, _, _) in zip(var.args, var.info, strict=True):
            terms.setdefault(int(start), []).append(self.name(delta))
        self.parts[var.number] = [" + ".join(terms.get(i, ["0.0"])) for i in range(var.size)]

    def parts_of(self, x: Any, n: int) -> list[str]:
        """Return the texts of n numbers: of a Var that holds them, or of one for all of them."""
        if x.__class__ is Var and x.number in self.parts:
            return self.parts[x.number]
        return [self.name(x)] * n if x is not None else ["0.0"] * n

    def function(self, *lines: str) -> Callable[..., Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the function `run` of these lines."""
        body = "\n    ".join(lines)
        return made_from(f"def make({', '.join(self.bound)}):\n    {body}\n    return run\n")(**self.bound)


def _names(letter: str, n: int) -> list[str]:
    return [f"{letter}{k}" for k in range(n)]


def _unpacked(letter: str, n: int, of: str) -> list[str]:
    return [f"    {', '.join(_names(letter, n))}, = {of}"] if n else []


def _together(texts: Sequence[str]) -> str:
    return f"({', '.join(texts)}{',' * (len(texts) == 1)})"


def _there(steps: Steps, code: Code) -> Callable[..., Any]:
    """Return a function of floats that goes all steps: `run(p, b, c, columns, keep, add)`."""
    loop, text = steps.loop, _Text(code)
    values = list(map(text.name, code.outputs))
    carry, xs = _names("c", loop.carry), _names("x", loop.x) or ["_"]
    return text.function(
        "def run(p, b, c, columns, keep, add):",
        *_unpacked("p", steps.same, "p"), *_unpacked("b", steps.varying, "b"), *_unpacked("c", loop.carry, "c"),
        f"    for {', '.join(xs)}, in zip(*columns):",
        f"        keep({_together(carry)})",
        *(f"        {line}" for line in text.lines),
        *([f"        add({_together(values[loop.carry :])})"] if loop.y else []),
        *([f"        {', '.join(carry)}, = {_together(values[: loop.carry])}"] if carry else []),
        f"    return {_together(carry)}",
    )  # fmt: skip


def _back(steps: Steps, code: Code, wanted: tuple[bool, ...]) -> Callable[..., Any]:
    """Return a function of floats that goes all steps back: `run(p, b, d, carries, columns, dys)`."""
    loop, text = steps.loop, _Text(code)
    n, m = loop.carry, loop.y
    by = [text.parts_of(code.input_gradients.get(i, 0.0), size) for i, size in enumerate(steps.sizes)]
    same = text.parts_of(code.gradient, steps.same) if wanted[3] else []
    carry, xs, d = _names("c", n), _names("x", loop.x) or ["_"], _names("d", n)
    sums = [*(_names("sb", steps.varying) if wanted[2] else []), *(_names("sp", steps.same) if wanted[3] else [])]
    terms = [*(by[2] if wanted[2] else []), *same]
    dys = [f"d{n + k}" for k in range(m)]
    answer = [
        *(["*d"] if wanted[0] else []), *(["*gx[::-1]"] if wanted[1] else []),
        *(_names("sb", steps.varying) if wanted[2] else []),
    ]  # fmt: skip
    body = [
        *(f"        {line}" for line in text.lines),
        *(f"        {name} += {term}" for name, term in zip(sums, terms, strict=True) if term != "0.0"),
        *([f"        add({_together(by[1][::-1])})"] if wanted[1] and loop.x else []),
        *([f"        {', '.join(d)}, = {_together(by[0])}"] if d else []),
    ]
    return text.function(
        "def run(p, b, d, carries, columns, dys):",
        *_unpacked("p", steps.same, "p"), *_unpacked("b", steps.varying, "b"), *_unpacked("d", n, "d"),
        *([f"    {' = '.join(sums)} = 0.0"] if sums else []),
        "    gx = []",
        "    add = gx.extend",
        f"    for {_together(carry)}, {', '.join([*xs, *dys])} in zip(carries, *columns, *dys):"
        if carry else f"    for {', '.join([*xs, *dys])}, in zip(*columns, *dys):",
        *(body or ["        pass"]),
        f"    d = {_together(d)}",
        f"    return [{', '.join(answer)}], [{', '.join(_names('sp', steps.same) if wanted[3] else [])}]",
    )  # fmt: skip
