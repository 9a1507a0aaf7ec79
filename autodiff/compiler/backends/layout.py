"""The memory of a program: which arrays are shared, fused, kept as one number, or used as they are passed in."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import accumulate
from typing import Any

import numpy as np

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.axes import Units, contiguous, places_of
from autodiff.compiler.arrays.ir import MUL, WHERE, Code, Var, uses_of
from autodiff.compiler.trace.operations import BOOLEAN, HIDDEN
from autodiff.ops import OPS

_IN_ONE_PIECE = frozenset({ir.APPLY, ir.MATMUL, ir.MATMUL_T, ir.SUM, ir.CONCAT, ir.TAKE, ir.PADDED})
_GRAINED = frozenset({ir.APPLY, ir.MATMUL, ir.MATMUL_T, ir.SUM, ir.MAX, ir.CONCAT, ir.SCATTER, ir.INPUT})
LONG = 1000  # more steps than this run from a list: compiling them takes Python longer than running them
WIDE = 16  # with this many inputs, the first layer reads the rows as passed, without copying
PLAIN = frozenset({ir.ADD, ir.SUB, ir.MUL})  # single numbers do these in Python's own arithmetic
RELU = OPS["relu"]


def dot_of(var: Var) -> list[Var] | None:
    """Return the two vectors of a scalar product: a sum of products that is the same for all rows; else None."""
    x: Any = var.args[0] if var.kind == ir.SUM else None
    if x.__class__ is not Var or x.op is not MUL or x.batched or len(x.units) != 1:
        return None
    return list(x.args) if all(y.__class__ is Var and y.units == x.units for y in x.args) else None


def contraction_of(var: Var) -> tuple[Var, Var, Units] | None:
    """Return the factors of a sum of products along some of its axes, and the order of these; else None."""
    x: Any = var.args[0] if var.kind == ir.SUM else None
    product: Any = x.args[0] if x.__class__ is Var and x.kind == ir.VIEW else x
    if product.__class__ is not Var or product.op is not MUL or len(x.units) < 2 or len(product.units) != len(x.units):
        return None
    order = tuple(range(len(x.units)))
    if x is not product:  # axes in another order
        own = list(zip(contiguous(product.units), product.units, strict=True))
        if x.info[0] != 0 or sorted(own) != sorted(zip(x.info[1], x.units, strict=True)) or 1 in x.units:
            return None
        order = tuple([own.index(axis) for axis in zip(x.info[1], x.units, strict=True)])
    a, b = product.args
    alike = all(y.__class__ is Var and y.batched and y.units == product.units for y in (a, b))
    return (a, b, order) if alike else None


def terms_of(var: Var) -> Var | None:
    """Return the array in one piece of which a sum or maximum takes the first axes in memory.

    Not of a product whose factors repeat numbers, which has more terms than both together: that is a contraction.
    """
    x: Any = var.args[0] if var.kind in {ir.SUM, ir.MAX} else None
    of = x.args[0] if x.__class__ is Var and x.kind == ir.VIEW else x
    if of.__class__ is not Var or not of.batched or of.size != x.size or of.kind not in _IN_ONE_PIECE:
        return None
    if of.op is MUL and any(repeats(y) for y in of.args):
        return None
    start, strides = x.info if x is not of else (0, contiguous(x.units))
    kept = len(var.units)
    rest = tuple([s * var.size for s in contiguous(x.units[kept:])])
    wanted = [s for s, n in zip((*contiguous(var.units), *rest), x.units, strict=True) if n > 1]
    return of if start == 0 and wanted == [s for s, n in zip(strides, x.units, strict=True) if n > 1] else None


def matrices_of(var: Var) -> tuple[Var, Var] | None:
    """Return the factors of a sum of products that is a matrix product for each row; else None."""
    a, b, order = contraction_of(var) or (var, var, ())
    alone = [[k for k in order if x.kind == ir.VIEW and x.info[1][k] == 0 and x.units[k] > 1] for x in (a, b)]
    return (a, b) if [len(axes) for axes in alone] == [1, 1] and len(order) - len(var.units) == 1 else None


def lies_within(place: Any, grain: int) -> bool:
    """Tell whether a view stays evenly spaced in an array of which each `grain` numbers lie together for a row."""
    start, strides, units = place
    if strides is None:  # in no order
        return False
    inner = sum((n - 1) * s for s, n in zip(strides, units, strict=True) if s % grain)
    return start % grain + inner < grain


def ends_of(var: Var) -> Var | None:
    """Return the constant of 0 and −∞ that was added to what an exponential is taken of, less its maximum; or None."""
    less: Any = var.args[0]
    of: Any = less.args[0] if less.__class__ is Var and less.op is ir.SUB else None
    ends: Any = of.args[1] if of.__class__ is Var and of.op is ir.ADD else None
    constant = ends.__class__ is Var and ends.kind == ir.CONST and ends.units == var.units
    return ends if constant and set(ends.info.flat) == {0.0, -math.inf} else None


def _ends(units: Units) -> list[int]:
    """Return how many numbers the last axes hold, however many they are; not all of them."""
    return [math.prod(units[k:]) for k in range(min(1, len(units) - 1), len(units))]


def repeats(x: Any) -> bool:
    """Tell whether an operand has the same numbers several times."""
    return x.__class__ is not Var or x.kind == ir.EXPAND or (x.kind == ir.VIEW and 0 in x.info[1])


class Layout:
    """The place of every Var: which need buffers, which are views, and which fused forms the emitter uses."""

    def __init__(self, code: Code, *, long: bool = False) -> None:
        self.code = code
        results = [*code.outputs, code.gradient, *code.input_gradients.values()]
        self.terms = self._terms(results)
        self.kept = {self.base(x).number for x in results if x.__class__ is Var}
        self.uses = uses_of(results, self.reads)
        self.order = [v for v in code.vars if v.number in self.uses or v.kind == ir.INPUT]
        self.readers = defaultdict[int, list[Var]](list)
        for var in self.order:
            for x in self.reads(var):
                self.readers[x.number].append(var)
        self.long = long or len(self.order) > LONG
        self.decides = self._decides()
        self.wide: set[int] = set() if self.long else self._wide()
        self.boxed: set[int] = set() if self.long else self._boxed(results)
        self.relus = {v.args[0].number: v for v in self.order if v.op is RELU and v.args[0].__class__ is Var}
        self.static = self._static()
        self.scalars: set[int] = set() if self.long else self._scalars(results)
        self.grains = self._grains()
        self.fused: dict[int, Var] = {}  # OUTER and SUM_ROWS, by number, that are one product with a row of ones
        self.ones = self._with_ones()

    def _terms(self, results: list[Any]) -> dict[int, Var]:
        """Return what sums along first axes add up, by number; a sum of sums that nobody else reads, all of it."""
        uses = Counter(x.number for v in self.code.vars for x in v.vars)
        uses.update(x.number for x in results if x.__class__ is Var)
        terms: dict[int, Var] = {}
        for var in self.code.vars:
            if (of := terms_of(var)) is not None and dot_of(var) is None:
                alone = of.kind == var.kind and var.units == () and uses[of.number] == 1
                terms[var.number] = terms.get(of.number, of) if alone else of
        return terms

    def reads(self, var: Var) -> list[Var]:
        """Return the Vars that are read when this one is computed."""
        if (of := self.terms.get(var.number)) is not None:
            return [of]
        if (factors := dot_of(var)) is not None:
            return factors
        if (contraction := contraction_of(var)) is not None:
            return list(contraction[:2])
        if var.op is WHERE and isinstance(var.args[0], Var) and var.args[0].op in BOOLEAN:
            return [x for x in (*var.args[0].args, *var.args[1:]) if isinstance(x, Var)]
        return var.vars

    def _decides(self) -> set[int]:
        """Return the numbers of the Vars that comparisons and conditions depend on, where a NaN may go unseen."""
        found: set[int] = set()
        if self.code.again and any(v.op in BOOLEAN or v.op in HIDDEN for v in self.order):
            found = {self.base(x).number for x in self.code.outputs if x.__class__ is Var}
        for var in reversed(self.order):
            if var.number in found or var.op in BOOLEAN or var.kind == ir.FOLD:
                found |= {x.number for x in self.reads(var)}
            elif var.op in HIDDEN:
                condition = var.args[HIDDEN[var.op]]
                direct = condition.__class__ is Var and condition.op in BOOLEAN  # it is computed again in place
                found |= {x.number for x in (condition.args if direct else [condition]) if x.__class__ is Var}
        return found

    def _wide(self) -> set[int]:
        """Return the arguments of many numbers that only matrix products read: those take the rows as passed."""
        return {
            v.number for v in self.order
            if v.kind == ir.INPUT and v.batched and v.size >= WIDE
            and self.readers[v.number] and v.number not in self.kept
            and all((u.kind == ir.MATMUL and u.args[1] is v and u.size > 1)
                    or (u.kind == ir.OUTER and u.args[1] is v and not u.batched and u.info is None)
                    for u in self.readers[v.number])
        }  # fmt: skip

    def _boxed(self, results: list[Any]) -> set[int]:
        """Return the arguments of one number that are read as larger arrays: those get a buffer after all."""
        spread = {v.number: v.args[0].number for v in self.order
                  if v.kind in {ir.EXPAND, ir.VIEW} and v.args[0].__class__ is Var
                  and v.args[0].kind in {ir.INPUT, ir.SEED} and v.args[0].units == ()}  # fmt: skip
        read = [x for v in self.order for x in self.reads(v) if v.kind != ir.APPLY or v.op is WHERE]
        return {spread[x.number] for x in (*read, *results) if x.__class__ is Var and x.number in spread}

    def _static(self) -> set[int]:
        """Return the Vars that no call changes: made of constants and the number of rows."""
        static: set[int] = set()
        for var in self.order:
            fixed = var.kind in {ir.CONST, ir.ROWS} or (var.kind in {ir.APPLY, ir.EXPAND} and not var.batched)
            if fixed and all(x.number in static for x in var.vars):
                static.add(var.number)
        return static

    def _scalars(self, results: list[Any]) -> set[int]:
        """Return the single numbers, the same for all rows, that only arithmetic reads: Python's floats are quicker."""
        wanted = self.kept | {x.number for x in results if x.__class__ is Var}
        scalars: set[int] = set()
        for var in self.order:
            if var.units != () or var.batched or var.number in self.static or var.number in wanted:
                continue
            simple = dot_of(var) is not None or (
                var.kind == ir.APPLY and var.op in PLAIN and all(x.number in scalars for x in var.vars)
            )
            read = self.readers[var.number]
            users = [u for r in read for u in (self.readers[r.number] if r.kind == ir.EXPAND else [r])]
            if simple and all(u.kind == ir.APPLY and u.op is not WHERE for u in users):
                scalars.add(var.number)
        return scalars

    def _grains(self) -> dict[int, int]:
        """Return how many numbers of one row lie together, by array: its positions; where there is none, one.

        BLAS then takes products of two things of a row as they lie. All that one product of all positions reads and
        writes has its columns in the same order.
        """
        products = [] if self.long else [v for v in self.order if matrices_of(v) is not None]
        touched = [self.base(x) for v in products for x in (v, *(matrices_of(v) or ()))]
        sizes = {n for x in touched for n in _ends(x.units)}
        possible = {
            v.number: sizes.intersection(_ends(v.units)) for v in self.order
            if v.batched and v.units and v.number not in self.wide
            and (v.kind in _GRAINED or (v.kind == ir.EXPAND and v.args[0].__class__ is float))
        }  # fmt: skip
        for var in self.order:
            self._restrict(var, possible)
        ties, before = [pair for v in self.order for pair in self._tied(v)], -1
        while before != (before := sum(map(len, possible.values()))):
            for a, b in ties:
                both = possible.get(a.number, set[int]()) & possible.get(b.number, set[int]())
                possible[a.number] = possible[b.number] = both
        grains = {number: max(own) for number, own in possible.items() if own}
        return grains if any(x.number in grains for x in touched) else {}

    def _tied(self, var: Var) -> list[tuple[Var, Var]]:
        """Return the arrays whose columns must be in the same order because of this one."""
        if var.kind in {ir.MATMUL, ir.MATMUL_T} and len(var.units) > 1 and var.info != ir.STEPS:
            return [(self.base(var.args[1]), var)]
        if var.kind == ir.OUTER and len(var.args[0].units) > 1 and var.info != ir.STEPS:
            return [(self.base(var.args[0]), self.base(var.args[1]))]
        return [(self.terms[var.number], var)] if var.number in self.terms and var.units else []

    def _restrict(self, var: Var, possible: dict[int, set[int]]) -> None:
        """Take out how many numbers cannot lie together in an array because of this one."""
        of: Any = var.args[0] if var.args else var
        home = self.base(var)
        if var.kind == ir.VIEW and home.number in possible:
            place = (*var.info, var.units) if of is home else (0, None, ())
            possible[home.number] = {n for n in possible[home.number] if lies_within(place, n)}
        elif var.kind in {ir.TAKE, ir.PADDED} or (
            var.kind in {ir.SUM, ir.MAX} and var.number not in self.terms and contraction_of(var) is None
        ):
            possible.pop(self.base(of).number, None)
        elif var.kind in {ir.MATMUL, ir.MATMUL_T, ir.OUTER}:
            rows = var.info == ir.STEPS or (var.kind == ir.OUTER and var.batched)  # are its columns
            for x in (var, *var.vars):
                if rows or len(x.units) == 1:
                    possible.pop(self.base(x).number, None)
        elif var.kind in {ir.SCATTER, ir.CONCAT} and var.number in possible:
            own = [x.units if x.__class__ is Var else () for x in var.args]
            starts = accumulate(map(math.prod, own), initial=0)
            places: list[Any] = var.info if var.kind == ir.SCATTER else [
                (start, contiguous(units), units) for start, units in zip(starts, own, strict=False)
            ]  # fmt: skip
            times = np.bincount(np.concatenate([places_of(*place).ravel() for place in places]))
            once = len(times) == var.size and min(times) == max(times) == 1 and var is not self.code.gradient
            possible[var.number] = {
                n for n in possible[var.number] if once and all(lies_within(place, n) for place in places)
            }

    @staticmethod
    def base(var: Var) -> Var:
        """Return the Var whose memory this one uses."""
        while var.kind in {ir.VIEW, ir.EXPAND} and isinstance(var.args[0], Var):
            var = var.args[0]
        return var

    def _with_ones(self) -> set[int]:
        """Return the inputs of matrix products that get a row of ones, since weights and biases lie side by side."""
        ones: set[int] = set()
        for var in self.order:
            if var.kind == ir.MATMUL and var.args[1].number not in self.wide and self.augmented(var):
                ones.add(var.args[1].number)
        return ones

    @staticmethod
    def augmented(var: Var) -> bool:
        """Tell whether [weights, bias] are the rows of one block of the flat array."""
        matrix, vector, *bias = var.args
        if not bias or matrix.kind != ir.VIEW or bias[0].kind != ir.VIEW:
            return False
        if matrix.args[0].kind != ir.FLAT or bias[0].args[0].kind != ir.FLAT:
            return False
        m, n = matrix.units
        start, strides = matrix.info
        stride = (n + 1,) if m > 1 else bias[0].info[1]
        rows = strides == (n + 1, 1) or (m == 1 and (strides[1] == 1 or n == 1))
        owns = vector.kind in {ir.APPLY, ir.MATMUL, ir.CONCAT, ir.TAKE} or (vector.kind == ir.INPUT and vector.batched)
        return rows and bias[0].info == (start + n, stride) and owns and vector.units[0] == n and vector.batched
