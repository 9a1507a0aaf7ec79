"""The fast emitter: array code as NumPy calls into buffers that are allocated once, for a fixed number of rows.

A group is stored units × rows, so that it is contiguous and a unit is a row of the array. All parameters are ONE flat
array, all their derivatives another; weight matrices are views of them. A layer's bias is folded into its matrix
product: its row of the flat array is [weights, bias], and the array of inputs has one more row, of ones. Buffers are
reused once nobody needs their contents.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.axes import Units, contiguous, places_of
from autodiff.compiler.arrays.ir import WHERE, Code, Var
from autodiff.compiler.backends import kernels
from autodiff.compiler.backends.buffers import Instance, in_one_piece, one_by_one
from autodiff.compiler.backends.layout import Layout, contraction_of, dot_of, ends_of
from autodiff.compiler.trace.operations import BOOLEAN, GUARDED, SIGNS
from autodiff.ops import OPS

Array = Any

_POW, _EXP = OPS["pow"], OPS["exp"]
_AS_THEY_ARE = frozenset({WHERE, OPS["erf"]})  # whose own buffers have the rows last
_GREATER = next(op for op in BOOLEAN if op.name == "greater")


def _maximum(a: Array, b: Array, out: Array) -> None:
    np.maximum(a, b, out=out)


def _minimum(a: Array, b: Array, out: Array) -> None:
    np.minimum(a, b, out=out)


def _copy_where(out: Array, a: Array, where: Array) -> None:
    np.copyto(out, a, where=where)


def _assign(out: Array, index: Array, value: Any) -> None:
    out[index] = value


def _add_once(out: Array, index: Array, value: Array) -> None:
    out[index] += value  # no place occurs twice: the same as add.at, ten times as fast


_MANY = 256  # numbers: fewer are repeated as fast
_FEW = 4096  # numbers: fewer are summed as fast as what they are products of
_FUNCTIONS: dict[str, Any] = {
    **{name: getattr(np, name) for name in (
        "add", "subtract", "multiply", "divide", "negative", "maximum", "minimum", "exp", "sqrt", "sign", "heaviside",
        "not_equal", "copyto", "dot", "take",
    )},
    "add_reduce": np.add.reduce, "maximum_reduce": np.maximum.reduce, "add_at": np.add.at, "copy_where": _copy_where,
    "guarded_dot": kernels.guarded_dot, "picked": kernels.picked, "power_half": kernels.power_half,
    "assign": _assign, "add_once": _add_once,
}  # fmt: skip
_SHIFTS = 32  # more additions than this cost more than one at scattered places
OUT_BY_NAME = {"maximum": _maximum, "minimum": _minimum}  # NumPy takes their `out` by name only


# Operations that are several calls, or another one, as their steps: the operands are a, b, c, the result is v.
_STEPS = {
    OPS["clip"]: ("maximum a b v", "minimum v c v"),
    OPS["sigmoid"]: ("negative a v", "exp v v", "add v 1.0 v", "divide 1.0 v v"),
    OPS["step"]: ("heaviside a 0.0 v",),
}
_LEAKY = "multiply a b v", "maximum a v v"  # with a slope between 0 and 1
_POWERS = {
    2.0: ("multiply a a v",),
    3.0: ("multiply a a v", "multiply v a v"),
    0.5: ("sqrt a v",),
    -1.0: ("divide 1.0 a v",),
}


class Buffered:
    """The Python text of a program, with all that an instance for a number of rows needs."""

    def __init__(self, code: Code, *, long: bool = False, per_row: bool = False) -> None:
        """Plan the text; with `per_row`, the gradient of each row goes where the caller wants it, if it can."""
        self.code = code
        self.layout = Layout(code, long=long)
        self.steps: list[tuple[str, ...]] = []  # a function and its arguments, by name
        self.arguments: list[str] = []
        self.bound: dict[str, Callable[[Instance], Any]] = {}  # the maker of what a name of the text stands for
        self.slots: list[tuple[Units, bool, int]] = []  # units, whether batched, and how many numbers lie together
        self.slot: dict[int, int] = {}  # by Var
        self.flops = 0  # per row; an exponential, a logarithm and the like count as one each
        self.scratch_bytes: dict[str, int] = {}  # bytes per row besides the slots, by name
        self._numbers: dict[str, str] = {}
        self._free: dict[tuple[Units, bool, int], list[int]] = {}
        self._written = np.zeros(len(code.parameters), dtype=bool)
        self._last = self._last_uses()
        self._ending: dict[int, list[int]] = {}  # by position: the Vars last used there
        for number, position in self._last.items():
            self._ending.setdefault(position, []).append(number)
        self._forwarded: dict[int, tuple[Var | None, int, Units, Units]] = {}  # results written where they belong
        self._columns_of: dict[Any, str] = {}  # by index and keys: the name of what finds the columns of a lookup
        self._filled: dict[int, Array] = {}  # the places of a SCATTER where results are written
        self._parts: dict[int, str] = {}  # products that are written into their places in the gradient of each row
        self._bounds: list[str] = []  # numbers that are finite if that gradient is
        self._plan_gradient()
        self.by_row = self._by_row() if per_row else None
        if self.by_row is not None:
            self._bind("squares", lambda _: kernels.squares)
            if sum(math.prod(units) for _, _, units in self.by_row.info) < self.by_row.size:  # before any part is there
                self._call("copyto", f"v{self.by_row.number}", self._number(0.0))
        self._plan_sums()
        for position, var in enumerate(self.layout.order):
            self._emit(var, position)
            self._release(position)
        self._made: dict[bool, Any] = {}

    @property
    def text(self) -> str:
        """The steps as Python source."""
        return self._text()

    def _text(self, *, few: bool = False) -> str:
        """Return the steps as Python source; where the gradient of each row has few numbers, it is summed itself."""
        lines = [line(*step) for step in self.steps if not few or step[0] != "squares"] or ["pass"]
        body = "\n        ".join(lines)
        given = list(self.arguments)
        if self.by_row is not None:
            given.append(f"v{self.by_row.number}")
            gradient = f"squares(v{self.by_row.number})"
            body += f"\n        return {gradient if few else ' + '.join(self._bounds) or 0.0}"
        return f"def make({', '.join(self.bound)}):\n    def run({', '.join(given)}):\n        {body}\n    return run\n"

    def make(self, instance: Instance) -> Callable[..., None]:
        """Return the steps as a function on the buffers of an instance."""
        bound = [make(instance) for make in self.bound.values()]
        if self.layout.long:
            return self._from_list(dict(zip(self.bound, bound, strict=True)))
        few = self.by_row is not None and self.by_row.size * instance.rows <= _FEW
        if few not in self._made:
            self._made[few] = made_from(self._text(few=few))
        return self._made[few](*bound)

    def _from_list(self, bound: dict[str, Any]) -> Callable[..., None]:
        given = set(self.arguments)
        literals = {"None": None, "'clip'": "clip"}

        def value(name: str) -> Any:
            return bound[name] if name in bound else literals[name] if name in literals else int(name)

        opening: list[tuple[Any, int]] = []
        steps: list[tuple[Any, tuple[Any, ...]]] = []
        for function, *names in self.steps:
            if len(names) == 2 and names[1] in given:  # the copy of an argument into its buffer
                opening.append((value(names[0]), self.arguments.index(names[1])))
            else:
                steps.append((OUT_BY_NAME.get(function) or bound[function], tuple([value(x) for x in names])))
        return one_by_one(opening, steps)

    def instance(self, rows: int, flat: Array) -> Instance:
        """Return the program, made for a number of rows."""
        return Instance(self, rows, flat)

    def bytes_per_row(self) -> int:
        """Return the memory that a row takes."""
        return 8 * sum(math.prod(units) for units, batched, _ in self.slots if batched) + sum(
            self.scratch_bytes.values()
        )

    @property
    def calls(self) -> int:
        """The number of NumPy calls per block; an operation of several steps counts as one, except erf."""
        of_numpy = [step[0] for step in self.steps if step[0] != "=" or ".dot(" in step[2]]  # not Python's arithmetic
        return sum(kernels.Erf.CALLS if function.startswith("erf") else 1 for function in of_numpy)

    # Memory.

    def _last_uses(self) -> dict[int, int]:
        last: dict[int, int] = {}
        for position, var in enumerate(self.layout.order):
            for x in (*self.layout.reads(var), var):
                last[self.layout.base(x).number] = position
            if var.op is _GREATER and (relu := self._relu_before(var)) is not None:
                last[relu.number] = position  # needed until its sign is taken
        for number in self.layout.kept:
            last[number] = len(self.layout.order)
        return last

    def _allocate(self, var: Var, *, alone: bool = False) -> None:
        units = var.units
        if var.number in self.layout.ones:
            units, alone = (units[0] + 1, *units[1:]), True
        key = (units, var.batched, self.layout.grains.get(var.number, 1))
        free = self._free.get(key)
        if free and not alone:
            self.slot[var.number] = free.pop()
            return
        self.slot[var.number] = len(self.slots)
        self.slots.append(key)
        if alone:
            self._last[var.number] = len(self.layout.order)  # never released

    def _release(self, position: int, only: set[int] | None = None) -> None:
        for number in [n for n in self._ending.get(position, ()) if only is None or n in only]:
            if number in self.slot and self._last[number] == position:
                self._free.setdefault(self.slots[self.slot[number]], []).append(self.slot[number])
                self._last[number] = -1

    # The gradient of the parameters: written straight into its place where possible.

    def _plan_gradient(self) -> None:
        gradient = self.code.gradient
        if gradient is None or gradient.__class__ is not Var or gradient.kind != ir.SCATTER or gradient.batched:
            return
        places = [(d, place) for d, place in zip(gradient.args, gradient.info, strict=True)
                  if d.__class__ is Var and place[1] is not None and self.layout.uses[d.number] == 1]  # fmt: skip
        sums = {d.args[0].number: (d, place) for d, place in places if d.kind == ir.SUM_ROWS}
        for delta, (start, _, units) in places:
            if delta.kind == ir.OUTER and delta.info is None and delta.args[1].number in self.layout.ones:
                self._plan_block(delta, start, units, *sums.get(delta.args[0].number, (None, None)))
        elsewhere = self.layout.fused.keys() | self.layout.static
        for delta, (start, strides, units) in places:
            region = places_of(start, strides, units).ravel()
            own = delta.number not in elsewhere and not delta.batched and delta.units == units
            in_place = delta.kind in {ir.OUTER, ir.PLACED, ir.SUM_ROWS, ir.APPLY} and strides == contiguous(units)
            if own and in_place and not self._written[region].any():
                self._written[region] = True
                self._forwarded[delta.number] = (None, start, strides, units)

    def _plan_block(self, outer: Var, start: int, units: Units, bias: Var | None, place: Any) -> None:
        """Compute the derivatives by weights and bias of a layer as one product, where they lie side by side."""
        m, n = units
        if bias is None or place[0] != start + n or place[2] != (m,) or (m > 1 and place[1] != (n + 1,)):
            return
        block = slice(start, start + m * (n + 1))
        if not self._written[block].any():
            self._written[block] = True
            self.layout.fused[outer.number] = self.layout.fused[bias.number] = outer.args[0]
            self._forwarded[outer.number] = (None, start, (n + 1, 1), (m, n + 1))

    def _plan_sums(self) -> None:
        """Compute the parts of an array in their places, where each place has one part."""
        for var in reversed(self.layout.order):  # parts of a part after it
            if var.kind != ir.SCATTER or var is self.code.gradient:
                continue
            if var.number not in self._forwarded:
                self._allocate(var, alone=True)
            regions = [places_of(*place).ravel() for place in var.info]
            times = np.bincount(np.concatenate(regions), minlength=max(var.size, 1))
            self._filled[var.number] = filled = np.zeros(len(times), dtype=bool)
            for delta, place, region in zip(var.args, var.info, regions, strict=True):
                if not (self._is_product(delta) or self._is_free(delta, var, place)) or delta.units != place[2]:
                    continue
                if delta.number not in self._forwarded and (times[region] == 1).all():
                    self._forwarded[delta.number] = (var, *place)
                    filled[region] = True

    def _is_product(self, delta: Any) -> bool:
        """Tell whether a δ is a contraction that is read once: those are written with any strides."""
        return (
            delta.__class__ is Var and self.layout.uses[delta.number] == 1
            and delta.number not in self.layout.terms and contraction_of(delta) is not None
        )  # fmt: skip

    def _is_free(self, x: Any, var: Var, place: Any) -> bool:
        """Tell whether a result may lie in a part of another array, in one piece as in a buffer of its own."""
        layout = self.layout
        return (
            x.__class__ is Var and x.kind in {ir.APPLY, ir.SCATTER} and place[1] == (1,) and x.batched and var.batched
            and x.number not in layout.kept | layout.static | layout.ones | layout.grains.keys()
            and var.number not in layout.grains
        )  # fmt: skip

    # The gradient of each row: the caller has the array, (parameters, rows).

    def _by_row(self) -> Var | None:
        """Return the gradient of each row, if each place in it has one part; note the products that lie there."""
        gradient = self.code.gradient
        if gradient.__class__ is not Var or gradient.kind != ir.SCATTER or not gradient.batched or self.layout.long:
            return None
        places = np.concatenate([places_of(*place).ravel() for place in gradient.info])
        if len(np.unique(places)) < len(places):
            return None
        parts = dict(zip([x.number if x.__class__ is Var else None for x in gradient.args], gradient.info, strict=True))
        for x, (start, strides, units) in zip(gradient.args, gradient.info, strict=True):
            outer = x.__class__ is Var and x.kind == ir.OUTER and len(x.args[0].units) == 1
            if not outer or self.layout.uses[x.number] > 1:
                continue
            m, n = units
            rows = strides == (n + 1, 1) or (m == 1 and strides is not None and strides[1] == 1)
            biased = rows and x.args[1].number in self.layout.ones
            if biased and self._has_biases(parts.get(x.args[0].number), start + n, m, n):
                self._parts[x.number] = self._part(start, contiguous((m, n + 1)), (m, n + 1))
                self._parts[x.args[0].number] = ""
            elif part := self._part(start, strides, units):
                self._parts[x.number] = part
        return gradient

    @staticmethod
    def _has_biases(place: Any, start: int, m: int, n: int) -> bool:
        """Tell whether the derivatives by biases lie after those by the weights, row by row."""
        return place is not None and (place[0], place[2]) == (start, (m,)) and (m == 1 or place[1] == (n + 1,))

    def _part(self, start: int, strides: Any, units: Units) -> str:
        """Return the text of a part of the gradient of each row; "" where it is not one slice."""
        name = f"v{self.code.gradient.number}"
        if not units:
            return f"{name}[{start}]"
        if len(units) == 1 and strides is not None and strides[0] > 0:
            return f"{name}[{start}:{start + (units[0] - 1) * strides[0] + 1}:{strides[0]}]"
        if strides != contiguous(units):
            return ""
        return f"{name}[{start}:{start + math.prod(units)}].reshape({', '.join(map(str, units))}, -1)"

    def _write_by_row(self, var: Var) -> None:
        """Append the copies of what is not computed in its place."""
        for x, place in zip(var.args, var.info, strict=True):
            if x.__class__ is Var and x.number in self._parts:
                continue
            name = self._name(x)
            if part := self._part(*place):
                self.steps.append(("=", part if part[-1] == "]" else f"{part}[...]", name))
            else:
                index = self._bind(f"at{len(self.bound)}", lambda _, place=place: places_of(*place).reshape(place[2]))
                self._call("assign", f"v{var.number}", index, name)
            self._bounds.append(self._squares(x))

    def _squares(self, x: Any) -> str:
        """Return the name of the sum of the squares of a Var, or a number, computed here."""
        name = self._name(x)
        if x.__class__ is not Var or (make := self.bound.get(name)) is None:  # an argument, as it was passed
            return f"float({name}.dot({name}))" if x.__class__ is Var else f"float({name})"
        total = f"sum{x.number}"
        if f"squares{x.number}" not in self.bound:
            self._bind(f"squares{x.number}", lambda instance: functools.partial(kernels.squares, make(instance)))
            self.steps.append(("squares", total, f"squares{x.number}"))
        return total

    # Text.

    def _name(self, x: Any) -> str:
        """Return the name of a Var or number in the text."""
        if x.__class__ is not Var:
            return self._number(x)
        copied = self.layout.long or x.number in self.layout.boxed
        if x.kind == ir.INPUT and (x.units == () or x.number in self.layout.wide) and not copied:
            return f"x{x.info}"
        if x.kind == ir.SEED and not copied:
            return "seed"
        if x.number in self.layout.scalars:  # an array without axes: a ufunc takes it in half the time of a float
            name = f"c{x.number}"
            if name not in self.bound:
                self._bind(name, lambda _: np.empty(()))
                self.steps.append(("=", f"{name}[()]", f"v{x.number}"))
            return name
        name = f"v{x.number}"
        if name not in self.bound:
            self.bound[name] = lambda instance: instance.array(x)
        return name

    def _number(self, x: float) -> str:
        """Return the name of a constant, an array without axes: a ufunc takes it twice as fast as a float."""
        name = self._numbers.setdefault(repr(x), f"number{len(self._numbers)}")
        return self._bind(name, lambda _: np.array(x))

    def _operand(self, x: Any) -> str:
        """Return the name of an operand of an elementwise operation, which broadcasts by itself."""
        if x.__class__ is Var and x.kind == ir.EXPAND and (x.args[0].__class__ is float or x.args[0].units == ()):
            return self._operand(x.args[0])
        return self._name(x)

    def _beside(self, x: Any, var: Var) -> str:
        """Return the name of an operand; constants are there for each row."""
        if x.__class__ is Var and x.kind == ir.CONST and x.units == var.units and var.batched and not self.layout.long:
            return self._full(var, f"full{x.number}", x.info[..., None])
        return self._operand(x)

    def _inside(self, var: Var) -> int:
        """Return how many of the last axes of units lie after the rows in memory."""
        grain, units = self.layout.grains.get(var.number, 1), var.units
        return next((k for k in range(1, len(units) + 1) if math.prod(units[-k:]) == grain > 1), 0)

    def _in_order(self, name: str, var: Var, x: Any = None) -> str:
        """Return the name of an operand with its axes in the order in which those of the result lie in memory."""
        if var.number not in self.layout.grains or var.op in _AS_THEY_ARE:
            return name
        inner = self._inside(var)
        if name not in self.bound:  # an argument of one number
            if x.batched:
                self.steps.append(("=", f"{name}_{inner}", f"{name}.reshape({', '.join(['-1', *'1' * inner])})"))
            return f"{name}_{inner}" if x.batched else name
        make = self.bound[name]
        return self._bind(f"{name}_{inner}", lambda instance: instance.turned(make(instance), inner))

    def _bind(self, name: str, make: Callable[[Instance], Any]) -> str:
        self.bound[name] = make
        return name

    def _call(self, function: str, *arguments: str) -> None:
        """Append one step: a function of NumPy, or one that is bound, and its arguments."""
        if function in _FUNCTIONS:
            self.bound.setdefault(function, lambda _: _FUNCTIONS[function])
        self.steps.append((function, *arguments))

    def _emit(self, var: Var, position: int) -> None:  # noqa: C901, PLR0912, PLR0915 # one case per kind
        kind, size = var.kind, var.size
        if kind in {ir.INPUT, ir.SEED}:
            name = "seed" if kind == ir.SEED else f"x{var.info}"
            self.arguments.append(name)
            boxed = self.layout.long or var.number in self.layout.boxed
            if (var.units or boxed) and var.number not in self.layout.wide:
                self._allocate(var, alone=True)
                self._call("copyto", self._name(var), name)
        elif kind == ir.EXPAND and var.args[0].__class__ is float:
            self._allocate(var, alone=True)
            value = var.args[0]
            self._bind(f"v{var.number}", lambda instance: instance.filled(var, value))
        elif kind in {ir.FLAT, ir.CONST, ir.VIEW, ir.EXPAND} or var.number in self.layout.static:
            pass  # views, and memory that exists already
        elif var.number in self.layout.scalars:
            self._scalar(var)
        elif kind in {ir.TAKE, ir.PADDED}:
            self._allocate(var)
            places = var.info if kind == ir.TAKE else var.info[0]
            index = self._bind(f"i{var.number}", lambda _: places)
            self._call("take", self._name(var.args[0]), index, "0", self._name(var), "'clip'")
            if kind == ir.PADDED:
                filled = self._bind(f"l{var.number}", lambda _: np.flatnonzero(places.ravel() < 0))
                self._call("assign", self._in_a_row(var), filled, self._number(var.info[1]))
        elif kind == ir.CONCAT:
            self._concat(var)
        elif kind == ir.APPLY:
            self._apply(var, position)
            self.flops += size * var.batched
        elif kind == ir.MATMUL:
            self._matmul(var)
            self.flops += (2 * var.args[0].size + sum(b.size for b in var.args[2:])) * math.prod(var.units[1:])
        elif kind == ir.MATMUL_T:
            self._allocate(var)
            matrix = self._bind(f"t{var.number}", lambda instance: instance.matrix(var.args[0]).T)
            if var.info == ir.STEPS:
                self._at_steps(var, lambda instance: instance.matrix(var.args[0]).T)
                return
            self._dot(matrix, self._columns(var.args[1]), self._columns(var), careful=var.info == "careful")
            self.flops += 2 * var.args[0].size * math.prod(var.units[1:])
        elif kind == ir.OUTER:
            (self._outer_of_steps if var.info == ir.STEPS else self._outer)(var)
            self.flops += 2 * size * math.prod(var.args[0].units[1:])
        elif kind in {ir.PICKED, ir.PLACED}:
            self._look_up(var)
        elif kind in {ir.SUM, ir.MAX}:
            self._reduce(var)
        elif kind == ir.SUM_ROWS:
            self._sum_rows(var)
        elif kind in {ir.FOLD, ir.FOLD_BACK, ir.FOLD_SAME}:
            self._fold(var)
        else:
            assert kind == ir.SCATTER  # the last kind
            self._scatter(var)

    def _fold(self, var: Var) -> None:
        """Append a loop, or its way back."""
        self._allocate(var, alone=True)
        fold = var if var.kind == ir.FOLD else var.args[0] if var.kind == ir.FOLD_BACK else var.args[0].args[0]
        back = next((v for v in self.layout.order if v.kind == ir.FOLD_BACK and v.args[0] is fold), None)
        if var is fold:
            self.scratch_bytes[f"fold{var.number}"] = var.info.prepare(back)
            self.flops += var.info.flops(back)
        name = self._bind(f"{var.kind}{var.number}", lambda instance: instance.loop(fold, back).way(var))
        self._call(name)

    def _scalar(self, var: Var) -> None:
        """Append one line of Python's own arithmetic."""
        if (factors := dot_of(var)) is not None:
            a, b = (self._bind(f"f{y.number}", lambda instance, y=y: instance.array(y)[:, 0]) for y in factors)
            self.bound.setdefault("dot", lambda _: np.dot)
            self.steps.append(("=", f"v{var.number}", f"float({a}.dot({b}))"))
            return
        xs = [
            f"v{x.number}" if x.__class__ is Var else repr(x) if math.isfinite(x) else self._number(x) for x in var.args
        ]
        self.steps.append(("=", f"v{var.number}", f"{xs[0]} {SIGNS[var.op]} {xs[1]}"))

    def _dot(self, a: str, b: str, out: str, *, careful: bool) -> None:
        self._call("guarded_dot" if careful else "dot", a, b, out)

    def _columns(self, var: Var) -> str:
        """Return the name of a Var with its positions and rows as one axis, as matrix products take it."""
        return self._bind(f"k{var.number}", lambda i: i.columns(var)) if len(var.units) > 1 else self._name(var)

    def _concat(self, var: Var) -> None:
        self._allocate(var, alone=True)
        start = 0
        for x in var.args:
            size = x.size if x.__class__ is Var else 1
            piece = f"p{var.number}_{start}"
            at = start
            if x.__class__ is Var or var.units == ():
                units = x.units if x.__class__ is Var else ()
                self._bind(piece, lambda i, at=at, units=units: i.strided(var, at, contiguous(units), units))
                self._call("copyto", piece, self._name(x))
            else:
                self._bind(piece, lambda instance, at=at, x=x: instance.strided(var, at, (), ()).fill(x))
            start += size

    def _matmul(self, var: Var) -> None:
        matrix, vector, *bias = var.args
        self._allocate(var)
        if vector.number in self.layout.ones and self.layout.augmented(var):
            m, n = matrix.units
            start = matrix.info[0]
            block = self._bind(f"m{var.number}", lambda instance: instance.block(start, m, n + 1))
            ones = self._bind(f"a{vector.number}", lambda instance: instance.columns_and_ones(vector))
            self._call("dot", block, ones, self._columns(var))
            return
        name = self._bind(f"m{var.number}", lambda instance: instance.matrix(matrix))
        if var.info == ir.STEPS:
            self._at_steps(var, lambda instance: instance.matrix(matrix))
        elif vector.number in self.layout.wide:  # rows @ W.T, copied from there to units × rows

            def scratch(instance: Instance) -> Array:
                return instance.scratch(var.number, (instance.rows, var.size))

            turned = self._bind(f"q{var.number}", scratch)
            self.scratch_bytes[turned] = 8 * var.size
            back = self._bind(f"u{var.number}", lambda instance: scratch(instance).T)
            self._bind(name, lambda instance: instance.matrix(matrix).T)
            self._call("dot", f"{self._name(vector)}.T", name, turned)
            self._call("copyto", self._name(var), back)  # quicker than adding the bias on the way
        else:
            self._call("dot", name, self._columns(vector), self._columns(var))
        for b in bias:
            beside = self._name(b)
            if len(var.units) > 1:
                beside = self._bind(f"e{var.number}", lambda instance, b=b: instance.array(b)[:, None])
            self._call("add", self._name(var), beside, self._name(var))

    def _at_steps(self, var: Var, matrix: Callable[[Instance], Array]) -> None:
        """Append a product of a matrix with the vectors of all steps, one after another in memory."""

        def make(instance: Instance) -> Any:
            return kernels.product_of_steps(matrix(instance), instance.array(var.args[1]), instance.array(var))

        self._call(self._bind(f"y{var.number}", make))

    def _outer_of_steps(self, var: Var) -> None:
        if var.number not in self._forwarded:
            self._allocate(var)

        def make(instance: Instance) -> Any:
            a, b = map(instance.array, var.args)
            if var.batched:
                turned = a.transpose(1, 0, 2), b.transpose(1, 0, 2)
                return functools.partial(kernels.outer_of_positions, None, *turned, instance.array(var))
            return kernels.outer_of_steps(a, b, instance.matrix(var))

        self._call(self._bind(f"y{var.number}", make))

    def _outer(self, var: Var) -> None:
        (rows, vector), size = var.args, var.size
        if var.batched:
            part = self._parts.get(var.number)
            out = f"v{var.number}" if part else ""
            if part:
                self.steps.append(("=", out, part))
                self._bounds.append(f"{self._squares(rows)} * {self._squares(vector)}")
            else:
                self._allocate(var)
                out = self._name(var)
            if len(rows.units) > 1:
                times = GUARDED if var.info else None
                outer = self._bind(f"g{var.number}", lambda _: functools.partial(kernels.outer_of_positions, times))
                self._call(outer, self._name(rows), self._name(vector), out)
                return
            a, b = self._bind(f"column{var.number}", lambda instance: instance.array(rows)[:, None]), self._name(vector)
            if part and rows.number in self._parts:  # the derivatives by the biases beside it
                b = self._bind(f"beside{vector.number}", lambda instance: instance.columns_and_ones(vector))
            if var.info is None and part:
                outer = self._bind(f"outer{var.number}", lambda instance: kernels.outer_of_rows(size, instance.rows))
                self._call(outer, a, b, out)
            elif var.info is None:
                self._call("multiply", a, b, out)
            else:
                product = self._bind(f"g{var.number}", lambda _: functools.partial(_into, GUARDED))
                self._call(product, a, b, out)
            return
        forwarded = self._forwarded.get(var.number)
        if forwarded is None:
            self._allocate(var)
        out = self._bind(f"o{var.number}", lambda instance: instance.matrix(var))
        if vector.number in self.layout.wide:
            self._call("dot", self._name(rows), f"{self._name(vector)}.T", out)
            return
        if var.number in self.layout.fused:
            transposed = self._bind(f"b{vector.number}", lambda instance: instance.columns_and_ones(vector).T)
        else:
            transposed = self._bind(f"d{vector.number}", lambda instance: instance.columns(vector).T)
        self._dot(self._columns(rows), transposed, out, careful=var.info == "careful")

    def _look_up(self, var: Var) -> None:
        """Copy columns of a matrix, or add up what belongs to each."""
        of, index = var.args
        key = index.number, var.info.tobytes()
        columns = self._columns_of.get(key)
        if columns is None:
            columns = self._columns_of[key] = f"columns{len(self._columns_of)}"
            self._bind(columns, lambda instance: instance.columns_for(key, var.info, index.units))
            self.scratch_bytes[columns] = kernels.Columns.BYTES * index.size
            self._call(columns, self._name(index))
        if var.kind == ir.PICKED:
            self._allocate(var)
            matrix = self._bind(f"m{var.number}", lambda instance: instance.matrix(of))
            self._call("picked", columns, matrix, self._name(var))
            return
        if var.number not in self._forwarded:
            self._allocate(var)
        placed = f"placed{var.number}"
        self._bind(placed, lambda i: kernels.Placed(i.columns_for(key, var.info, index.units), i.matrix(var)))
        self.scratch_bytes[placed] = 8 * of.size
        self.flops += of.size
        self._call(placed, self._name(of))

    def _reduce(self, var: Var) -> None:
        x = var.args[0]
        if var.number not in self._forwarded:
            self._allocate(var)
        self.flops += x.size * x.batched
        terms = self.layout.terms.get(var.number)
        grain = 1 if terms is None else self.layout.grains.get(terms.number, 1)
        if terms is not None and var.size % grain:
            self._reduce_all(var, terms, grain)
        elif terms is not None:
            n = terms.size // var.size
            rows = self._bind(f"j{var.number}", lambda instance: in_one_piece(instance.array(terms), n))
            out = self._bind(f"w{var.number}", lambda instance: in_one_piece(instance.array(var), 1)[0])
            self._sum_or_maximum(var, n, rows, out)
        elif var.kind == ir.SUM and len(x.units) == 1 and x.batched and x.kind != ir.EXPAND:
            ones = self._bind(f"ones{x.units[0]}", lambda _: np.ones(x.units[0]))
            self._call("dot", ones, self._name(x), self._name(var))
        elif (factors := dot_of(var)) is not None:
            a, b = (self._bind(f"f{y.number}", lambda instance, y=y: instance.array(y)[:, 0]) for y in factors)
            self._call("dot", a, b, self._name(var))
        elif (contraction := contraction_of(var)) is not None:
            first, second, order = contraction

            def contract(instance: Instance) -> Any:
                turned = *order, len(order)
                a, b = (instance.array(y).transpose(turned) for y in (first, second))
                return kernels.contraction_into(a, b, instance.array(var))

            self._call(self._bind(f"y{var.number}", contract))
        else:
            name, given = "add_reduce" if var.kind == ir.SUM else "maximum_reduce", self._name(x)
            axes = self._axes(len(var.units), len(x.units))
            whole = var.units == () and not x.batched  # one number for all rows, in a buffer with an axis of length 1
            out = self._bind(f"r{var.number}", lambda i: i.array(var).reshape(1)) if whole else self._name(var)
            self._call(name, given, axes, "None", out)

    def _reduce_all(self, var: Var, terms: Var, grain: int) -> None:
        """Sum all numbers of a row, or take their maximum, where those at positions lie together."""
        n, name = terms.size // grain, f"h{var.number}"

        def part(instance: Instance) -> Array:
            return instance.scratch(var.number, (instance.rows * grain,))

        rows = self._bind(f"j{var.number}", lambda instance: in_one_piece(instance.array(terms), n))
        if n > 1:
            self.scratch_bytes[name] = 8 * grain
            self._sum_or_maximum(var, n, rows, self._bind(name, part))
        each = self._bind(
            f"{name}t", lambda i: (part(i) if n > 1 else in_one_piece(i.array(terms), 1)).reshape(i.rows, grain).T
        )
        self._sum_or_maximum(var, grain, each, self._name(var))

    def _sum_or_maximum(self, var: Var, n: int, rows: str, out: str) -> None:
        if var.kind == ir.SUM:
            self._call("dot", self._bind(f"ones{n}", lambda _: np.ones(n)), rows, out)
        else:
            self._call("maximum_reduce", rows, "0", "None", out)

    def _axes(self, start: int, stop: int) -> str:
        """Return the name of the axes to reduce."""
        if stop - start == 1:
            return str(start)
        return self._bind(f"axes{start}_{stop}", lambda _: tuple(range(start, stop)))

    def _sum_rows(self, var: Var) -> None:
        x = var.args[0]
        self.flops += x.size
        if var.number in self.layout.fused:
            return
        if var.number not in self._forwarded:
            self._allocate(var)
        own, grain = x.number in self.slot and len(x.units) == len(var.units), self.layout.grains.get(x.number, 1)
        if own and grain > 1:

            def between(instance: Instance) -> Any:
                whole, out = (in_one_piece(instance.array(y), 1).reshape(-1, n, grain)
                              for y, n in ((x, instance.rows), (var, 1)))  # fmt: skip
                if instance.rows == 1:
                    return functools.partial(np.copyto, out, whole)
                return functools.partial(np.matmul, np.ones((1, instance.rows)), whole, out)

            self._call(self._bind(f"y{var.number}", between))
            return
        each = own and len(x.units) > 1
        if each or (len(x.units) <= 1 and x.kind != ir.EXPAND):
            ones = self._bind("ones", lambda instance: np.ones(instance.rows))
            self.scratch_bytes[ones] = 8
            out = self._bind(f"r{var.number}", lambda i: i.array(var).reshape(var.size if each else var.units))
            name = self._bind(f"j{x.number}", lambda i: in_one_piece(i.array(x), x.size)) if each else self._name(x)
            self._call("dot", name, ones, out)
        else:
            out = self._bind(f"r{var.number}", lambda instance: instance.array(var).reshape(var.units))
            self._call("add_reduce", self._name(x), self._axes(len(var.units), len(x.units) + 1), "None", out)

    def _scatter(self, var: Var) -> None:
        if var is self.by_row:
            self._write_by_row(var)
            return
        flat = var is self.code.gradient and not var.batched
        if flat:
            self._forwarded[var.number] = (None, 0, (1,), var.units)
        elif var.number not in self.slot and var.number not in self._forwarded:
            self._allocate(var, alone=True)
        places = [(x, place) for x, place in zip(var.args, var.info, strict=True) if not self._is_there(x, var, place)]
        written = self._written if flat else self._filled.get(var.number, np.zeros(max(var.size, 1), dtype=bool))
        if not flat and len(places) > 1 and not written.any() and (whole := self._covering(var, places)) is not None:
            delta, place = places.pop(whole)  # copied first, so that nothing has to be set to 0
            self._add_at(var, delta, place, fresh=True)
            written[...] = True
        if not written.all():
            times = written.astype(np.intp)
            for _, place in places:
                np.add.at(times, places_of(*place), 1)
            if not (times == 1).all():
                self._zero(var, written)
                written = np.ones_like(written)
        for delta, place in places:
            self._add_at(var, delta, place, fresh=not written[places_of(*place)].any())

    def _is_there(self, x: Any, var: Var, place: Any) -> bool:
        """Tell whether a part of an array is computed in its place."""
        if x.__class__ is not Var or x.number in self.layout.fused:
            return x.__class__ is Var
        home, *there = self._forwarded.get(x.number, (var,))
        if var is self.code.gradient:
            return home is None
        return home is var and len(there) > 0 and all(map(np.array_equal, there, place))  # a place may be a list

    def _in_a_row(self, var: Var) -> str:
        """Return the name of a Var with all its units along one axis."""
        if len(var.units) < 2:
            return self._name(var)
        return self._bind(f"z{var.number}", lambda instance: instance.strided(var, 0, (1,), (var.size,)))

    @staticmethod
    def _covering(var: Var, places: list[Any]) -> int | None:
        """Return which of the parts of a sum covers all of it, each place once."""
        sizes = [np.unique(places_of(*place)).size if math.prod(place[2]) == var.size else 0 for _, place in places]
        return sizes.index(var.size) if var.size in sizes else None

    def _zero(self, var: Var, written: Array) -> None:
        """Set the entries to 0 that are not written yet."""
        if not written.any():
            self._call("copyto", self._name(var), self._number(0.0))
            return
        rest = np.flatnonzero(~written)
        name = self._in_a_row(var)
        index = self._bind(f"l{var.number}", lambda _: rest)
        self._call("assign", name, index, self._number(0.0))

    def _add_at(self, var: Var, delta: Any, place: Any, *, fresh: bool) -> None:
        start, strides, units = place
        value = self._name(delta)
        positions = places_of(*place).reshape(units)
        once = np.unique(positions).size == positions.size
        if strides is not None and not once and self._add_shifted(var, delta, place, positions):
            return
        if strides is None or not once:  # scattered positions
            index = self._bind(f"at{len(self.bound)}", lambda _: positions)
            if not once and delta.__class__ is Var and delta.batched and delta.units == units:
                add = self._bind(f"q{len(self.bound)}", lambda instance: kernels.AddSorted(positions, instance.rows))
                self.scratch_bytes[add] = 8 * (positions.size + np.unique(positions).size)
                self._call(add, self._in_a_row(var), value)
                return
            function = "assign" if fresh and once else "add_once" if once else "add_at"
            self._call(function, self._in_a_row(var), index, value)
            return
        out = self._bind(f"s{len(self.bound)}", lambda instance: instance.strided(var, start, strides, units))
        if fresh:
            self._call("copyto", out, value)
        else:
            self._call("add", out, value, out)

    def _add_shifted(self, var: Var, delta: Any, place: Any, positions: Array) -> bool:
        """Add windows that overlap one shift after another: each covers a place once. Not where it takes many calls."""
        start, strides, units = place
        axes = range(len(units))
        shifts = [
            over for k in axes[1:] for over in itertools.combinations(axes, k)
            if np.unique(alone := positions[tuple([0 if a in over else slice(None) for a in axes])]).size == alone.size
        ]  # fmt: skip
        over = min(shifts, key=lambda over: math.prod([units[a] for a in over]), default=axes)
        if math.prod([units[a] for a in over]) > _SHIFTS or delta.__class__ is not Var or delta.units != units:
            return False
        rest = [a for a in axes if a not in over]
        for at in itertools.product(*[range(units[a]) for a in over]):
            fixed = dict(zip(over, at, strict=True))
            index = tuple([fixed.get(a, slice(None)) for a in axes])
            view = (
                start + sum(k * strides[a] for a, k in fixed.items()), tuple([strides[a] for a in rest]),
                tuple([units[a] for a in rest]),
            )  # fmt: skip
            out = self._bind(f"h{len(self.bound)}", lambda i, view=view: i.strided(var, *view))
            value = self._bind(f"h{len(self.bound)}", lambda i, index=index: i.array(delta)[index])
            self._call("add", out, value, out)
        return True

    def _apply(self, var: Var, position: int) -> None:  # noqa: C901, PLR0912 # one case per operation
        op = var.op
        names = [self._in_order(self._beside(x, var), var, x) for x in var.args] if op is not WHERE else []
        array: Any = op.function_of_arrays
        steps_alias = isinstance(array, np.ufunc) and not (
            op is _POW and var.args[1] is not None and _is_number(var.args[1], 3.0)
        )
        if var.number not in self._forwarded:
            if (steps_alias or op.name in {"sigmoid", "relu"}) and var.number not in self.layout.ones:
                reads = {self.layout.base(x).number for x in self.layout.reads(var)}
                own = var.units, var.batched, self.layout.grains.get(var.number, 1)
                same = {n for n in reads if n in self.slot and self.slots[self.slot[n]] == own}
                self._release(position, same)
            self._allocate(var)
        v = self._in_order(self._name(var), var)
        second: Any = var.args[-1]  # such as the exponent of a power or the slope of a leaky ReLU
        if op is _POW and second.__class__ is float and (steps := _POWERS.get(second)):
            careful = second == 0.5 and (self.code.careful or var.number in self.layout.decides)
            self._follow(("power_half a v",) if careful else steps, names, v)
        elif op is _EXP and (ends := ends_of(var)) is not None:
            self._exponentials(var, ends, names[0], v)
        elif op is _GREATER and self._by_sign(var):
            relu = self._relu_before(var)
            if relu is None:
                self._call("maximum", names[0], names[1], v)
            self._call("sign", v if relu is None else self._in_order(self._name(relu), var), v)
        elif op is WHERE:
            self._where(var, v)
        elif op in _STEPS:
            self._follow(_STEPS[op], names, v)
        elif op is OPS["relu"]:
            zeros = self._full(var, f"zeros{'_'.join(map(str, var.units))}", 0.0)
            self._call("maximum", names[0], self._in_order(zeros, var), v)
        elif op is OPS["leaky_relu"] and second.__class__ is float and 0.0 < second < 1.0:
            self._follow(_LEAKY, names, v)
        elif op is OPS["erf"]:
            shape = "_".join(map(str, var.units)) + "_rows" * var.batched  # all of one shape share their scratch
            erf = self._bind(f"erf{shape}", lambda instance: kernels.Erf(instance.array(var).shape))
            self.scratch_bytes[erf] = kernels.Erf.BYTES * var.size * var.batched
            self._call(erf, names[0], v)
        elif op is GUARDED or not isinstance(array, np.ufunc):
            self._call(self._bind(f"op{len(self.bound)}", lambda _: functools.partial(_into, op)), *names, v)
        else:
            function = array.__name__ if array.__name__ in OUT_BY_NAME else f"_{array.__name__}"
            self.bound.setdefault(function, lambda _: array)
            self._call(function, *names, v)

    def _exponentials(self, var: Var, ends: Var, x: str, v: str) -> None:
        """Append exp(x), where some x are −∞: NumPy takes ten times as long for those as for 0."""
        beyond, inner = ends.info[..., None] == -math.inf, self._inside(var)

        def make(instance: Instance) -> Any:
            shape = instance.array(var).shape
            if math.prod(shape) < 2 * _MANY:
                return np.exp
            numbers = (np.where(np.broadcast_to(beyond, shape), 0.0, other) for other in (-math.inf, 1.0))
            return functools.partial(
                kernels.exponentials, *map(np.ascontiguousarray, [instance.turned(each, inner) for each in numbers])
            )

        exponentials = self._bind(f"e{var.number}", make)
        self.scratch_bytes[exponentials] = 16 * var.size
        self._call(exponentials, x, v)

    def _follow(self, steps: Sequence[str], operands: Sequence[str], v: str) -> None:
        """Append the steps of an operation."""
        known = {**dict(zip("abc", operands, strict=False)), "v": v}
        for function, *names in map(str.split, steps):
            self._call(function, *[known.get(x) or self._number(float(x)) for x in names])

    def _full(self, var: Var, name: str, value: Any) -> str:
        """Return the name of numbers for each entry of a Var: NumPy takes them faster than it repeats them."""

        def make(instance: Instance) -> Array:
            shape = instance.array(var).shape
            if math.prod(shape) < _MANY:
                return np.asarray(value)
            inner = self._inside(var)
            in_memory = np.moveaxis(np.full(shape, value), -1, -1 - inner)
            return np.moveaxis(np.ascontiguousarray(in_memory), -1 - inner, -1)

        name += "_rows" * var.batched
        self.scratch_bytes[name] = 8 * var.size * var.batched
        return self._bind(name, make)

    def _by_sign(self, greater: Var) -> bool:
        """Tell whether to compute x > 0 as the quicker sign(relu(x)): not where a NaN would reach a comparison."""
        return _is_number(greater.args[1], 0.0) and not self.code.careful and greater.number not in self.layout.decides

    def _relu_before(self, greater: Var) -> Var | None:
        """Return the ReLU of x that is computed before x > 0, if there is one: its sign is quicker to get."""
        x = greater.args[0]
        if x.__class__ is not Var or not self._by_sign(greater):
            return None
        relu = self.layout.relus.get(x.number)
        return relu if relu is not None and relu.number < greater.number else None

    def _where(self, var: Var, v: str) -> None:
        condition, a, b = var.args
        boolean = self._bind(f"w{var.number}", lambda instance: np.empty_like(instance.array(var), dtype=bool))
        self.scratch_bytes[boolean] = var.size * var.batched
        if condition.__class__ is Var and condition.op in BOOLEAN:
            relation: Any = condition.op.function_of_arrays
            name = f"_{relation.__name__}"
            self.bound.setdefault(name, lambda _: relation)
            self._call(name, *map(self._name, condition.args), boolean)
        else:
            self._call("not_equal", self._name(condition), self._number(0.0), boolean)
        self._call("copyto", v, self._name(b))
        self._call("copy_where", v, self._name(a), boolean)


def _into(op: Any, *operands: Array) -> None:
    """Write the result of an operation that is not a ufunc into a buffer, the last of the operands."""
    np.copyto(operands[-1], op.on_arrays(*operands[:-1]))


def made_from(*lines: str) -> Any:
    """Return the function `make` that a text defines."""
    scope: dict[str, Any] = {}
    exec(compile("\n".join(lines), "<compiled by autodiff>", "exec"), scope)  # noqa: S102 # our own text
    return scope["make"]


def line(function: str, *names: str) -> str:
    """Return a step as a line of Python."""
    if function == "=":
        return f"{names[0]} = {names[1]}"
    if function == "squares":
        return f"{names[0]} = {names[1]}()"
    if function == "copyto":
        return f"{names[0]}[...] = {names[1]}"  # half the price of np.copyto, as the method is of np.dot
    if function == "assign":
        return f"{names[0]}[{names[1]}] = {names[2]}"
    if function in {"dot", "take"}:
        return f"{names[0]}.{function}({', '.join(names[1:])})"
    names = (*names[:-1], f"out={names[-1]}") if function in OUT_BY_NAME else names
    return f"{function}({', '.join(names)})"


def _is_number(x: Any, number: float) -> bool:
    return x.__class__ is float and x == number
