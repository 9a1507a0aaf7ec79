"""A fold as a loop: the array code of one step, run again and again; one row of few numbers on Python floats.

What a step computes without the carry, all steps compute at once, side by side as rows are. What is left of a step goes
from one to the next: there the carry, back its δ alone. With the δ of all carries, the other derivatives are one
product for all steps again. The carries are kept from the way there, all of them or, with `checkpoint`, every
√steps-th.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.group import Grouping
from autodiff.compiler.arrays.ir import APPLY, Code, Var, Want
from autodiff.compiler.arrays.parts import MADE, affine, components, parted
from autodiff.compiler.arrays.reverse import backward
from autodiff.compiler.backends import machine
from autodiff.compiler.backends.floats import Point
from autodiff.compiler.backends.numpy import Buffered, made_from
from autodiff.compiler.trace.graph import CAPTURED, Graph, Input, Loop, has_loops
from autodiff.compiler.trace.operations import GUARDED
from autodiff.compiler.trace.simplify import live, resolved, sums_of_products
from autodiff.ops import OPS, Op

Array = Any
_CARRY, _X, _BESIDE, _DELTA, _DELTA_Y = 0, 1, 2, 3, 5  # arguments of a step; on the way back, the δ of what comes out
_NUMBERS = 2**15  # of carries at once, where they are not kept
_CALL = 12  # float operations that cost as much as a NumPy call
_AT_ONCE = 2**20  # bytes that many steps take at once, and with checkpoints
_AT_ONCE_CHECKED = 2**18
_AT_ONCE_LINEAR = 2**21  # a recurrence in blocks is the quicker the longer it is
_GROWTH = 1e3  # of the products of slopes in a block: three digits of sixteen
_FEW = 8  # fewer steps than these are computed one after another


def steps_of(loop: Loop, varying: tuple[bool, ...], *, careful: bool, machine: bool = False) -> Steps:
    """Return the code of a loop's step; `varying`: whether each number that it captures has rows.

    With `machine`, numba compiles the loop, where it can.
    """
    key = varying, careful
    if key not in loop.made:
        loop.made[key] = Steps(loop, varying, careful=careful, machine=machine)
    return loop.made[key]


def _serves_arrays(op: Op | None) -> bool:
    """Tell whether an operation is sure to serve many steps at once: one of a user's own may be for one number."""
    return op is None or op.array is not None or OPS.get(op.name) is op


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
        self._chains: dict[bool, Chain | None] = {}
        self._machines: dict[Any, Any] = {}

    def _grouping(self, want: Want, *, grouped: bool = True, outputs: int | None = None) -> Grouping:
        graph = self.graph
        if outputs is not None:
            graph = replace(graph, outputs=graph.outputs[:outputs], shape=(outputs,))
            graph = replace(live(graph), parameters=graph.parameters)
        grouping = Grouping(
            graph, self.sizes, [True] * 3, want, grouped=grouped, placed=getattr(self, "_placed", ()),
            steps_of=steps_of,
        )  # fmt: skip
        grouping.code.again = True
        grouping.run()
        return grouping

    def _reverse(self, wanted: tuple[bool, ...], *, per_row: bool, grouped: bool = True, carry: bool = True) -> Code:
        """Return the code of the way back through one step: the δ of what it takes, from the δ of what comes out."""
        argnums = tuple([i for i in range(3) if (wanted[i] if i else carry)])
        want = Want(wanted[3], argnums, per_row=per_row, careful=self.careful)
        grouping = self._grouping(want, grouped=grouped)
        code, numbers, n = grouping.code, self.graph.outputs, self.loop.carry
        pieces = [(numbers[:n], _DELTA), (numbers[n:], _DELTA_Y)]
        pieces = [(own, code.new(ir.INPUT, (), (len(own),), batched=True, info=i)) for own, i in pieces if own]
        if grouped:
            code.outputs = [grouping.ref(own, (len(own),)) for own, _ in pieces]
            seeds = [
                seed if output.__class__ is Var and output.units == seed.units else code.sum_units(seed, seed.size)
                for output, (_, seed) in zip(code.outputs, pieces, strict=True)
            ]
        else:
            seeds = [code.view(seed, k, (), ()) for own, seed in pieces for k in range(len(own))]
        backward(code, want, seeds)
        code.outputs = []
        return code

    def back(self, wanted: tuple[bool, ...], per_row: bool, *, carry: bool = True) -> Buffered:
        """Return the way back through one step as NumPy calls, with the δ of its carry or without."""
        key = wanted, per_row, carry
        if key not in self._back:
            self._back[key] = Buffered(self._reverse(wanted, per_row=per_row, carry=carry))
        return self._back[key]

    def chain(self, *, back: bool) -> Chain | None:
        """Return what goes from step to step, the carry or its δ; None where all of a step goes one after another."""
        if back not in self._chains:
            alone = self.careful or self._nested or not all(map(_serves_arrays, self.graph.ops))
            self._chains[back] = None if alone else Chain(self, back=back)
        return self._chains[back]

    def carried(self, *, back: bool, grouped: bool) -> tuple[Code, list[Any]]:
        """Return code of the next carry alone, or of its δ on the way back, and its results."""
        n = self.loop.carry
        if back:
            code = self._reverse((True, False, False, False), per_row=True, grouped=grouped)
            result = code.input_gradients.get(_CARRY, 0.0)
            return code, [result] if grouped else components(code, result, n)
        code = self._grouping(Want(), grouped=grouped, outputs=n).code
        return code, code.outputs

    @property
    def is_small(self) -> bool:
        """Whether Python's floats are quicker than NumPy's calls, for one row."""
        return self.there.flops <= _CALL * self.there.calls

    def machine(self, wanted: tuple[bool, ...] | None) -> Any:
        """Return all steps as machine code, there or back; None where numba is not asked, or cannot."""
        if not self._machine:
            return None
        if wanted not in self._machines:
            if wanted is None:
                self._machines[wanted] = machine.there(self.there.code, self.loop.carry, self.loop.y)
            else:
                self._machines[wanted] = machine.back(self._reverse(wanted, per_row=False), self.sizes, wanted)
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

    def readable_back(self, wanted: tuple[bool, ...]) -> tuple[Code, list[int]]:
        """Return the code of the way back through a step for a text, and how many δ of each kind it returns."""
        code = self._reverse(wanted, per_row=True)
        by = [
            *[code.input_gradients.get(i, 0.0) for i in range(3)],
            code.gradient if code.gradient is not None else 0.0,
        ]
        parts = [n * (wanted[i] or i == _CARRY) for i, n in enumerate((*self.sizes, self.same))]
        given = [code.expand(x, (n,)) if x.__class__ is Var else code.new(ir.EXPAND, (x,), (n,), batched=True)
                 for x, n in zip(by, parts, strict=True) if n]  # fmt: skip
        code.outputs, code.gradient = [code.new(ir.CONCAT, given, (sum(parts),), batched=True)], None
        code.parameters = self.readable().parameters
        return code, parts

    def running(self, instance: Any, fold: Var, back: Var | None) -> Running:
        """Return the loop on the buffers of an instance."""
        return Running(self, instance, fold, back)


class _Text(Point):
    """The carry or its δ from step to step, on floats: c0 is the name of what is handed on, m1 of what is made."""

    def _emit(self, var: Var) -> None:
        if var.kind in {ir.FLAT, ir.INPUT}:
            self._text[var.number] = "p" if var.kind == ir.FLAT else "m" if var.info == MADE else "c"
        elif var.kind == ir.VIEW and var.args[0].kind in {ir.FLAT, ir.INPUT}:
            self._text[var.number] = f"{self._text[var.args[0].number]}{var.info[0]}"
        else:
            super()._emit(var)

    def looped(self) -> Callable[..., None]:
        """Return the function `run(p, c, columns, keep)` that goes all steps, and keeps what it hands on."""
        used = {text for text in self._text.values() if text[0] == "p" and text[1:].isdigit()}
        made = [f"m{k}" for k in range(self.code.vars[0].size)]
        after = list(map(self.name, self.code.outputs))
        handed = "".join([f"c{k}, " for k in range(len(after))])
        lines = [
            "def run(p, c, columns, keep):",
            *[f"    {name} = p[{name[1:]}]" for name in sorted(used)],
            f"    {handed} = c",
            f"    for {', '.join(made) or '_'}, in zip(*columns):",
            *[f"        {line}" for line in self.lines],
            f"        {handed} = c = {', '.join(after)},",
            "        keep(c)",
        ]
        body = "\n    ".join(lines)
        return made_from(f"def make({', '.join(self.bound)}):\n    {body}\n    return run\n")(**self.bound)


class Chain:
    """The part of a fold that goes from step to step, apart from what all steps compute at once."""

    def __init__(self, steps: Steps, *, back: bool) -> None:
        self.handed = _DELTA if back else _CARRY
        self.size = steps.loop.carry
        self._steps, self._back = steps, back
        self.linear: tuple[Buffered, Any, Any] | None = None  # the slope and the rest, of one number
        self.floats: tuple[Buffered, Callable[..., None]] | None = None
        if steps.is_small and self.size:
            self._on_floats(*steps.carried(back=back, grouped=False))

    @functools.cached_property
    def arrays(self) -> tuple[Buffered, Buffered]:
        """The calls that all steps make at once, and those that each makes with their results and what it is handed."""
        code, results = self._steps.carried(back=self._back, grouped=True)
        made, rest = parted(code, results, self.handed)
        return self._buffered(code, made), Buffered(rest)

    def bytes_per_row(self) -> int:
        """Return the memory that a row of what all steps compute at once takes."""
        first = (self.linear or self.floats or self.arrays)[0] if self.size else None
        return first.bytes_per_row() + 8 * sum(x.size for x in first.code.outputs) if first else 0

    @staticmethod
    def _buffered(code: Code, results: list[Any]) -> Buffered:
        code.outputs, code.gradient, code.input_gradients = results, None, {}
        return Buffered(code)

    def _on_floats(self, code: Code, results: list[Any]) -> None:
        """Write what goes from step to step for floats: as it is, or as a linear map where that is less."""
        ways = [parted(code, results, self.handed)]
        slopes = affine(code, results, self.handed)
        if slopes is not None and self.size == 1:
            slope, rest = slopes[0].get(0, 0.0), slopes[0].get(None, 0.0)
            self.linear = self._buffered(code, [x for x in (slope, rest) if x.__class__ is Var]), slope, rest
            return
        if slopes is not None:
            given = next(v for v in code.vars if v.kind == ir.INPUT and v.info == self.handed)
            numbers = [code.view(given, k, (), ()) for k in range(self.size)]
            sums = [_product(code, of, numbers) for of in slopes]
            ways.append(parted(code, sums, self.handed))
        made, rest = min(ways, key=lambda way: way[1].vars[0].size + sum(v.kind == APPLY for v in way[1].vars))
        self.floats = self._buffered(code, made), _Text(rest, []).looped()


def _product(code: Code, slopes: dict[int | None, Any], numbers: Sequence[Var]) -> Any:
    total: Any = slopes.get(None, 0.0)
    for k, slope in slopes.items():
        if k is not None:
            term = code.apply(ir.MUL, slope, numbers[k])
            total = code.apply(ir.ADD, total, term) if Var in {total.__class__, term.__class__} else total + term
    return total


def _recurrence(slope: Array, rest: Array, start: Array) -> Array | None:
    """Return all h of h' = slope · h + rest, steps × rows, from the first one; None where products of slopes grow.

    Blocks of steps go side by side from 0, and then each from the end of the one before. Roundings stay those of the
    plain loop but for the largest product of the slopes from the beginning of a block, and a factor of √steps.
    """
    steps, rows = slope.shape
    one = rows == 1  # Python's floats go from block to block, quicker than arrays of one number: shorter blocks
    length = math.isqrt(steps - 1) // (4 if one else 1) + 1
    blocks = -(-steps // length)
    a, b = np.ones((blocks * length, rows)), np.zeros((blocks * length, rows))
    a[:steps], b[:steps] = slope, rest
    a, b = (np.array(x.reshape(blocks, length, rows).transpose(1, 0, 2), order="C") for x in (a, b))
    product = np.empty((blocks, rows))
    for own, before, then, after in zip(a[:-1], b[:-1], a[1:], b[1:], strict=True):
        np.multiply(then, before, product)
        np.add(after, product, after)
        np.multiply(then, own, then)
    if not max(a.max(), -a.min()) <= _GROWTH:
        return None
    ends = zip(*[x[-1, :, 0].tolist() if one else x[-1] for x in (a, b)], strict=True)
    h, begin = float(start[0]) if one else start, list[Any]()
    for through, added in ends:
        begin.append(h)
        h = through * h + added
    a *= np.array(begin).reshape(blocks, rows)
    a += b
    return a.transpose(1, 0, 2).reshape(-1, rows)[:steps]


class Running:
    """A loop that runs, with its buffers."""

    def __init__(self, steps: Steps, instance: Any, fold: Var, back: Var | None) -> None:
        self.steps = steps
        self._instance, self._back = instance, back
        self._info: Any = None if back is None else back.info  # which δ are asked for, and whether for each row
        self._given = [instance.array(x) if x.__class__ is Var else x for x in fold.args]
        self._out = instance.array(fold)
        self.rows = self._out.shape[-1]
        wanted = self._info and self._info[0]
        self._others: _Arrays | _Machines | None = None
        self._fast = steps.machine(None) is not None and (not wanted or steps.machine(wanted) is not None)
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

    def _forward(self) -> None:
        self._arrays().forward(self._given, self._out, keep=self._info is not None)

    def _backward(self, delta: Array, target: Array) -> None:
        self._same = self._arrays().backward(self._given, delta, target)

    def _arrays(self) -> _Arrays | _Machines:
        if self._others is None:
            rows = self._instance.rows if self._back is not None and self._back.batched else self.rows
            kind = _Machines if self._fast else _Arrays
            self._others = kind(self.steps, self.rows, rows, self._info)
        return self._others


def _spread(x: Any, shape: tuple[int, ...]) -> Array:
    """Return what was given as steps × numbers × rows, or numbers × rows."""
    return _broad(x, shape) if x.__class__ is float else _broad(x.reshape(*shape[:-1], -1), shape)


def _broad(x: Any, shape: tuple[int, ...]) -> Array:
    """Return `np.broadcast_to`, which costs as much as an operation on a thousand numbers, where it is needed."""
    return x if getattr(x, "shape", None) == shape else np.broadcast_to(x, shape)


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
        self.steps, self.rows, self.rows_back, self.info = steps, rows, rows_back, info
        self._flat = np.zeros(steps.same)
        self._length = steps.segment if info is not None else min(loop.steps, 2**14)
        self._instances: dict[Any, Any] = {}
        self._forth, self._forth_at_once = self._chain(rows, steps.there, back=False)
        if info is not None:
            self._back, self._back_at_once = self._chain(rows_back, steps.back(*info), back=True)
            self._rest = steps.back(*info, carry=self._back is None)
        else:
            self._length = self._forth_at_once if self._forth is not None else min(loop.steps, 64)
        self._work = np.zeros((self._length + 1, loop.carry, rows))
        self._starts = np.zeros((-(-loop.steps // self._length) if info is not None else 0, loop.carry, rows))

    def _chain(self, rows: int, calls: Buffered, *, back: bool) -> tuple[Chain | None, int]:
        """Return what goes from step to step, if many steps may compute the rest at once, and how many these are."""
        most = _AT_ONCE_CHECKED if self.steps.loop.checkpoint else _AT_ONCE
        if most < _FEW * rows * calls.bytes_per_row() or self._length < _FEW:
            return None, 1
        chain = self.steps.chain(back=back)
        if chain is None:
            return None, 1
        if chain.linear is not None and not self.steps.loop.checkpoint:
            most = _AT_ONCE_LINEAR
        width = calls.bytes_per_row() + chain.bytes_per_row()
        return chain, max(1, min(self._length, most // (rows * width)))

    # One code, for some steps at once.

    def _instance(self, calls: Buffered, rows: int) -> Any:
        key = id(calls), rows
        if key not in self._instances:
            self._instances[key] = calls.instance(rows, self._flat)
        return self._instances[key]

    def _run(self, calls: Buffered, given: dict[int, Array], steps: int, rows: int) -> Any:
        """Run a code for some steps at once, side by side; return its instance."""
        instance = self._instance(calls, steps * rows)
        arguments = [given[int(name[1:])] for name in calls.arguments]
        whole = [_broad(x, (steps, x.shape[-2], rows)).transpose(1, 0, 2) for x in arguments]
        instance.run(*[x.reshape(len(x), -1) for x in whole])
        return instance

    @staticmethod
    def _found(instance: Any, x: Any, size: int, steps: int) -> Array:
        """Return a result of an instance as steps × numbers × rows."""
        array = instance.array(x) if x.__class__ is Var else np.full((), x)
        units = x.units if x.__class__ is Var else ()
        array = array[..., None] if array.ndim == len(units) else array
        whole = _broad(array, (*(units or (size,)), instance.rows))
        return whole.reshape(size, steps, instance.rows // steps).transpose(1, 0, 2)

    def _go(self, chain: Chain, given: dict[int, Array], line: Array, *, turned: bool) -> None:
        """Go from `line[0]`, the first carry or the δ of the last one, to all others; `turned`: from the last step."""
        n, rows = len(line) - 1, line.shape[-1]
        order = slice(None, None, -1 if turned else 1)
        if not chain.size:
            return
        if chain.linear is not None:
            first, *results = chain.linear
            made = self._run(first, given, n, rows)
            slope, rest = (self._found(made, x, 1, n)[order, 0] for x in results)
            if (whole := _recurrence(slope, rest, line[0, 0])) is not None:
                line[1:, 0] = whole
                return
            for before, after, a, b in zip(line[:-1, 0], line[1:, 0], slope, rest, strict=True):
                after[...] = a * before + b
            return
        if chain.floats is not None and rows == 1:
            made, kept = self._made(chain.floats[0], given, n, rows)[order], list[Any]()
            columns = made[:, :, 0].T.tolist() or [range(n)]
            with suppress(ArithmeticError, ValueError):  # arrays have the answer
                chain.floats[1](self._flat.tolist(), line[0, :, 0].tolist(), columns, kept.append)
                line[1:, :, 0] = kept
                return
        first, rest = chain.arrays
        by = {chain.handed: line[:-1], MADE: self._made(first, given, n, rows)[order]}
        own = self._instance(rest, rows)
        found = self._found(own, rest.code.outputs[0], chain.size, 1)[0]
        for *arguments, after in zip(*[by[int(name[1:])] for name in rest.arguments], line[1:], strict=True):
            own.run(*arguments)
            after[...] = found

    def _made(self, first: Buffered, given: dict[int, Array], steps: int, rows: int) -> Array:
        """Return what all steps compute at once, as steps × numbers × rows."""
        instance = self._run(first, given, steps, rows)
        parts = [self._found(instance, x, x.size, steps) for x in first.code.outputs]
        return np.concatenate(parts, axis=1) if parts else np.zeros((steps, 0, rows))

    # The loop.

    def _segment(self, start: int, xs: Array, varying: Array, ys: Array | None) -> int:
        """Go the steps of one segment, from the first carry in the work space; return how many they are."""
        loop, there = self.steps.loop, self.steps.there
        total = min(self._length, loop.steps - start)
        (output,) = there.code.outputs
        for begin in range(0, total, self._forth_at_once):
            n = min(self._forth_at_once, total - begin)
            line = self._work[begin : begin + n + 1]
            at = slice(start + begin, start + begin + n)
            given = {_CARRY: line[:-1], _X: xs[at], _BESIDE: varying}
            if self._forth is not None:
                self._go(self._forth, given, line, turned=False)
            if self._forth is None or (ys is not None and loop.y):
                out = self._found(self._run(there, given, n, self.rows), output, loop.carry + loop.y, n)
                if self._forth is None:
                    line[1:] = out[:, : loop.carry]
                if ys is not None:
                    ys[at] = out[:, loop.carry :]
        return total

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
        (wanted, per_row), code = self.info, self._rest.code
        _, xs, varying = _prepared(self.steps, given, self.rows, self._flat)
        delta = np.broadcast_to(delta, (loop.size, rows))
        ys = delta[loop.carry :].reshape(loop.steps, loop.y, rows)
        sizes = [n * want for n, want in zip((loop.carry, loop.steps * loop.x, steps.varying), wanted, strict=False)]
        ends = list(itertools.accumulate(sizes, initial=0))
        first, through, captured = (target[a:b] for a, b in itertools.pairwise(ends))
        through = through.reshape(loop.steps, -1, rows)
        captured[...] = 0.0
        same = np.zeros((steps.same, rows) if per_row else steps.same)
        line = np.zeros((self._back_at_once + 1, loop.carry, rows))
        line[0] = delta[: loop.carry]
        by = [code.input_gradients.get(i, 0.0) for i in range(3)]
        starts = range(0, loop.steps, self._length)
        for k, start in reversed(list(enumerate(starts))):
            total = min(self._length, loop.steps - start)
            if start != starts[-1]:
                self._work[0] = self._starts[k]
                self._segment(start, xs, varying, None)
            for end in range(total, 0, -self._back_at_once):
                n = min(self._back_at_once, end)
                at = slice(start + end - n, start + end)
                here = {_CARRY: self._work[end - n : end], _X: xs[at], _BESIDE: varying, _DELTA_Y: ys[at]}
                own = line[: n + 1]
                if self._back is not None:
                    self._go(self._back, {**here, _DELTA: own[1:]}, own, turned=True)
                instance = self._run(self._rest, {**here, _DELTA: own[-2::-1]}, n, rows)
                if self._back is None:
                    own[1:] = self._found(instance, by[0], loop.carry, n)
                if sizes[1]:
                    through[at] = self._found(instance, by[1], loop.x, n)
                if sizes[2]:
                    captured += self._found(instance, by[2], steps.varying, n).sum(0)
                if wanted[3] and code.gradient is not None and per_row:
                    same += self._found(instance, code.gradient, steps.same, n).sum(0)
                elif wanted[3] and code.gradient is not None:
                    same += instance.gradient
                line[0] = own[n]
        first[...] = line[0] if sizes[0] else 0.0
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
            d = np.array(delta[: loop.carry, row])
            by_xs, by_beside, by_same = np.zeros_like(series), np.zeros(steps.varying), np.zeros(steps.same)
            for k in range(len(self._starts) - 1, -1, -1):
                if self._at != (own, k):
                    self._segment(k, own, series, beside)
                part = slice(self._starts[k], self._starts[k] + self._length)
                carries = self._work[: len(series[part]) + 1]
                run(self._flat, beside, series[part], carries, d, dys[part], by_xs[part], by_beside, by_same)
            parts = [d, by_xs.ravel(), by_beside]
            target[:, row] = np.concatenate([x for x, want in zip(parts, wanted, strict=False) if want] or [d[:0]])
            if per_row:
                same[:, row] = by_same
            else:
                same += by_same
        return same
