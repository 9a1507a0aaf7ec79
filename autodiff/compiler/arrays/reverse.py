"""The backward pass as array code: δ of every array from the δ of its consumers.

The rules of the operation table are called on Vars, so a derivative is written in one place, `ops.py`, for floats,
Values and arrays alike. Sums over the rows appear where an operand that is the same for all rows meets one that is not.
"""

# Slopes serve Vars, so their lambdas have no types to give:
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.axes import Units, contiguous, nest, places_of, strides_of
from autodiff.compiler.arrays.ir import ADD, DIV, MUL, POW, SUB, Code, Var, Want
from autodiff.compiler.arrays.recurrent import STEPS
from autodiff.compiler.trace.operations import GUARDED
from autodiff.compiler.trace.tracer import cosines, partials_of
from autodiff.ops import OPS, Op

# Slopes that cost less than the table's rules, which spend another exp or cosh to keep all digits of tiny ones: of the
# two activations that every network has, from their value `a` alone, as in the course, a(1 − a) and 1 − a², right to a
# rounding of 1; the bell of erf, right to x² roundings of itself, 1e-13 where it is smallest; and the cosine of hypot,
# NaN where r has not all its digits, so that the table's rule is asked.
SLOPES: dict[Op, Callable[..., list[Any]]] = {
    OPS["sigmoid"]: lambda _, a: [a * (1.0 - a)],
    OPS["tanh"]: lambda _, a: [1.0 - a * a],
    OPS["erf"]: lambda x, _: [2.0 / math.sqrt(math.pi) * OPS["exp"](-(x * x))],
    OPS["hypot"]: cosines,
}
_BY_VALUE = frozenset({OPS["sigmoid"], OPS["tanh"]})  # their slopes need nothing but their values


class Reverse:
    """The writer of a backward pass."""

    def __init__(self, code: Code, want: Want) -> None:
        self.code = code
        self.times = GUARDED if want.careful else MUL
        self.careful = "careful" if want.careful else None
        self.per_row, self.seeded = want.per_row, want.seeded
        self._handed: dict[int, list[tuple[Any, Any]]] = {}  # by Var: δ and its place there, None for all of it
        self._slopes: dict[int, Any] = {}  # of what all steps compute, by Var
        self._steps: dict[int, list[tuple[Var, Var]]] = {}  # δ and inputs of products step by step, by their matrix

    def run(self, seeds: Sequence[Any] = ()) -> None:
        """Write δ of every Var that needs one; those of parameters and arguments become results of the code.

        `seeds`: the δ of each output; by default there is one number, with 1 or what a call passes in.
        """
        code = self.code
        forward = list(code.vars)
        code.forward = len(forward)
        for k, output in enumerate(code.outputs):
            if output.__class__ is not Var:
                continue
            seed = code.new(ir.SEED, (), (), batched=True) if self.seeded else 1.0
            seed = seeds[k] if seeds else seed
            if not output.batched and not self.per_row:  # the same number for every row
                seed = code.sum_rows(seed)
            self._hand(output, seed)
        self._find_steps(forward)
        for var in reversed(forward):
            if var.kind == ir.FLAT:
                self._over_steps()
            if not var.needs or var.number not in self._handed:
                continue
            delta = self._delta(var)
            if var.kind == ir.FLAT:
                code.gradient = delta
            elif var.kind == ir.INPUT:
                code.input_gradients[var.info] = code.own(delta)
            elif not (delta.__class__ is float and delta == 0.0):  # it may have cancelled out
                code.deltas[var.number] = delta
                self._spread(var, delta)

    def _find_steps(self, forward: Sequence[Var]) -> None:
        """Find matrices that are applied step by step, and compute the slopes of what each step does at once."""
        matrices = [v.args[0] for v in forward if v.kind == ir.MATMUL and len(v.args) == 2 and len(v.units) == 1]
        flat = [x.number for x in matrices if x.kind == ir.VIEW and x.args[0].kind == ir.FLAT and x.needs]
        products = Counter(flat if not (self.careful or self.per_row) else [])
        self._steps = {number: [] for number, n in products.items() if n >= STEPS}
        alike: dict[Any, list[Var]] = {}
        for var in forward if self._steps and not self.code.stepwise else ():
            if var.op in _BY_VALUE and var.needs and var.batched and len(var.units) == 1:
                alike.setdefault((var.op, var.units), []).append(var)
        for (op, (n,)), each in alike.items():
            if len(each) >= STEPS:
                (slopes,) = SLOPES[op](None, self.code.joined(each))
                for k, var in enumerate(each):
                    self._slopes[var.number] = self.code.view(slopes, k * n, (1,), (n,))

    def _over_steps(self) -> None:
        """Hand on the derivatives by matrices that are applied step by step: one product over all steps for each."""
        for number, pairs in self._steps.items():
            if pairs:
                matrix = self.code.vars[number]
                both = [self.code.joined(each) for each in zip(*reversed(pairs), strict=True)]
                self.code.deltas[number] = outer = self.code.new(ir.OUTER, both, matrix.units, info=ir.STEPS)
                self._spread(matrix, outer)

    def _hand(self, to: Any, delta: Any, place: Any = None) -> None:
        if to.__class__ is Var and to.needs and not (delta.__class__ is float and delta == 0.0):
            self._handed.setdefault(to.number, []).append((delta, place))

    def _delta(self, var: Var) -> Any:
        """Add up what the consumers passed on."""
        handed = self._handed.pop(var.number)
        if all(place is None for _, place in handed):
            total = handed[0][0]
            for delta, _ in handed[1:]:
                total = self.code.apply(ADD, total, delta)
            return self.code.expand(total, var.units)
        if var.kind == ir.MATMUL and var.info == ir.STEPS and (joined := self._each_step(var, handed)) is not None:
            return joined
        places = [(0, contiguous(var.units), var.units) if place is None else place for _, place in handed]
        deltas = [delta for delta, _ in handed]
        batched = any(d.__class__ is Var and d.batched for d in deltas)
        return self.code.new(ir.SCATTER, deltas, var.units, batched=batched, info=places, key=id(places))

    def _each_step(self, var: Var, handed: Sequence[Any]) -> Var | None:
        """Return δ of all steps, where each of them has its own from one consumer."""
        n = var.units[1]
        steps = {place: delta for delta, place in handed if delta.__class__ is Var and delta.units == (n,)}
        own = [(k * n, (1,), (n,)) for k in range(var.units[0])]
        return self.code.joined([steps[place] for place in own]) if len(handed) == len(own) and all(
            place in steps for place in own) else None  # fmt: skip

    def _spread(self, var: Var, delta: Any) -> None:  # noqa: C901 # one case per kind
        """Pass δ on to the operands of a Var."""
        code, kind = self.code, var.kind
        if kind == ir.APPLY:
            self._spread_operation(var, delta)
        elif kind == ir.VIEW:
            self._spread_view(var, delta)
        elif kind == ir.TAKE:
            self._hand(var.args[0], delta, (var.info, None, var.units))
        elif kind == ir.PADDED:
            self._spread_padded(var, delta)
        elif kind in {ir.CONCAT, ir.SCATTER}:  # of the forward pass: one place for each
            units = [x.units if x.__class__ is Var else () for x in var.args]
            starts = accumulate(map(math.prod, units), initial=0)
            places = var.info or [(start, contiguous(own), own) for start, own in zip(starts, units, strict=False)]
            for x, place in zip(var.args, places, strict=True):
                part = delta if var.units == () else code.view(delta, *place)
                self._hand(x, self._over_rows(part, x, var))
        elif kind == ir.EXPAND:
            self._hand(var.args[0], self._over_rows(self._unexpanded(delta, var), var.args[0], var))
        elif kind == ir.SUM:
            self._hand(var.args[0], code.expand(delta, var.args[0].units))
        elif kind == ir.PICKED:
            matrix, index = var.args
            if matrix.needs:
                code.deltas[var.number] = whole = self._whole(delta, var)
                key = var.info.tobytes()
                self._hand(matrix, code.new(ir.PLACED, (whole, index), matrix.units, info=var.info, key=key))
        elif kind == ir.FOLD:
            self._spread_fold(var, delta)
        else:
            assert kind == ir.MATMUL  # ir.MAX cancels out, CONST and the like need no δ
            self._spread_product(var, delta)

    def _spread_product(self, var: Var, delta: Any) -> None:
        """Pass δ on to the matrix, the inputs and the bias of a product, over all its positions."""
        code = self.code
        matrix, vector, *bias = var.args
        how = var.info or self.careful
        code.deltas[var.number] = whole = self._whole(delta, var)
        if matrix.number in self._steps and len(var.args) == 2 and len(var.units) == 1:
            self._steps[matrix.number].append((whole, vector))
        elif matrix.needs:
            outer = code.new(ir.OUTER, (whole, vector), matrix.units, batched=self.per_row, info=how)
            self._hand(matrix, outer)
        if vector.needs:
            self._hand(vector, code.new(ir.MATMUL_T, (matrix, whole), vector.units, batched=True, info=how))
        positions = var.units[1:]
        for b in bias:
            each = code.sum_units(whole, *positions) if positions and self.per_row else whole
            self._hand(b, each if self.per_row else code.sum_rows(whole, len(positions)))

    def _spread_fold(self, var: Var, delta: Any) -> None:
        """Pass δ on to what a loop begins with, goes through, and captures."""
        code = self.code
        wanted = tuple([x.__class__ is Var and x.needs for x in var.args])
        sizes = [x.size for x, want in zip(var.args[:3], wanted, strict=False) if want]
        if delta.__class__ is float:
            delta = code.new(ir.EXPAND, (delta,), var.units)
        delta = code.expand(delta, var.units)
        batched = var.batched or delta.batched
        info = wanted, self.per_row
        back = code.new(ir.FOLD_BACK, (var, delta, *var.args), (sum(sizes),), batched=batched, info=info)
        start = 0
        for x, want in zip(var.args[:3], wanted, strict=False):
            if want:
                self._hand(x, self._over_rows(code.view(back, start, (1,), x.units), x, var))
                start += x.size
        if wanted[3]:
            same = var.args[3]
            self._hand(same, code.new(ir.FOLD_SAME, (back,), same.units, batched=batched and self.per_row))

    def _spread_view(self, var: Var, delta: Any) -> None:
        """Pass δ on to the places of a view: summed over the axes along which it repeats them."""
        start, strides = var.info
        again = [k for k, n in enumerate(var.units) if n > 1 and strides[k] == 0]
        kept = [k for k in range(len(var.units)) if k not in again]
        units = tuple([var.units[k] for k in kept])
        if again and delta.__class__ is Var:
            delta = self.code.expand(delta, var.units)
            turned, own = [*kept, *again], contiguous(var.units)
            shape = tuple([var.units[k] for k in turned])
            delta = self.code.view(delta, 0, tuple([own[k] for k in turned]), shape)
        if again:
            delta = self.code.sum_units(delta, math.prod([var.units[k] for k in again]), len(again))
        self._hand_at(var.args[0], delta, start, tuple([strides[k] for k in kept]), units)

    def _hand_at(self, of: Var, delta: Any, start: int, strides: Units, units: Units) -> None:
        """Pass δ on to places of an array: as δ of all of it, its axes turned back, where it was read in full."""
        solid = strides == contiguous(units)
        number = delta.__class__ is float or delta.units == ()
        if of.kind != ir.FLAT and math.prod(units) == of.size and not (of.kind == ir.INPUT and (number or not solid)):
            places = places_of(start, strides, units).ravel()
            inverse = np.argsort(places)
            once = np.array_equal(places[inverse], np.arange(of.size))  # windows may lie over one another
            if once and number:
                return self._hand(of, delta)
            own = contiguous(of.units) if solid else strides_of(inverse, of.units)
            if once and own is not None:
                turned = self.code.view(self.code.expand(delta, units), 0, own, of.units)
                return self._hand(of, self.code.relaid(turned))
        return self._hand(of, delta, (start, strides, units))

    def _spread_padded(self, var: Var, delta: Any) -> None:
        """Pass δ on to the places of a copy that is filled up."""
        code, of = self.code, var.args[0]
        flat = var.info[0].ravel()
        copied = np.flatnonzero(flat >= 0)
        places, back = flat[copied], np.full(of.size, -1)
        back[places] = copied
        delta = code.expand(delta, var.units)
        own = nest(back)
        if len(places) == of.size and own is not None and len(own[0]) > 1 and delta.batched:  # within a border
            self._hand(of, code.solid(code.view(delta, int(back[0]), own[1], own[0]), of.units))
        elif len(places) == of.size and back.min() >= 0:  # each once
            self._hand(of, code.gather(delta, back.reshape(of.units)))
        else:
            self._hand(of, code.gather(delta, copied), (places, None, places.shape))

    def _spread_operation(self, var: Var, delta: Any) -> None:
        op = var.op
        assert op is not None  # an ir.APPLY has one
        if self.careful is None and op is MUL and var.args[0] is var.args[1]:  # 2δx once, not δx twice
            self._hand(var.args[0], self.code.apply(MUL, self.code.apply(MUL, 2.0, delta), var.args[0]))
            return
        if self.careful is None and op is DIV and var.args[1].__class__ is Var:
            self._spread_quotient(var, delta)
            return
        wanted = [x.__class__ is Var and x.needs for x in var.args]
        b = var.args[-1]
        if var.number in self._slopes:
            slopes: Sequence[Any] = [self._slopes[var.number]]
        elif op in SLOPES and self.careful is None:
            slopes = SLOPES[op](*var.args, var)
        elif op is POW and b.__class__ is float and 0.0 < abs(b) < math.inf and (b - 1.0) + 1.0 == b:
            # The rule's way without its cases.
            x = var.args[0]
            slopes = [0.5 / var if b == 0.5 else b * (var / x if b < 0.0 else x ** (b - 1.0)), 0.0]
        else:
            slopes = partials_of(op, var.args, var, wanted)
        for x, partial, want in zip(var.args, slopes, wanted, strict=True):
            if want:
                self._hand(x, self._reduced(self.code.apply(self.times, delta, partial), x, var))

    def _spread_quotient(self, var: Var, delta: Any) -> None:
        """Pass on δ/b for a and −δ/b · a/b for b: one division, where the partials would take one each."""
        code, (a, b) = self.code, var.args
        if a.__class__ is Var and a.needs and delta.__class__ is Var and _is_total(a, b):
            # Shares of a sum: each one's δ less the mean of all of them, over the sum.
            mean = self._reduced(code.apply(MUL, delta, var), b, var)
            mean = mean if mean.units == b.units else code.expand(mean, b.units)
            self._hand(a, self._over_rows(code.apply(DIV, code.apply(SUB, delta, mean), b), a, var))
            return
        share = code.apply(DIV, delta, b)
        self._hand(a, self._reduced(share, a, var))
        self._hand(b, -self._reduced(code.apply(MUL, share, var), b, var))

    def _whole(self, delta: Any, var: Var) -> Var:
        """Return δ as an array with all its rows, as matrix products need it."""
        if not (delta.__class__ is Var and delta.units == var.units and delta.batched):
            delta = self.code.new(ir.EXPAND, (delta,), var.units, batched=True)
        return self.code.solid(delta, var.units) if len(var.units) > 1 else delta

    def _reduced(self, delta: Any, x: Any, var: Var) -> Any:
        """Return the δ of an operand that is spread over more units or rows than it has itself."""
        if x.__class__ is not Var or not x.needs:
            return 0.0
        if x.units != var.units:  # () or with axes of one entry
            whole = self.code.expand(delta, var.units)
            kept = [k for k, n in enumerate(x.units) if n == var.units[k]]
            summed = [k for k in range(len(var.units)) if k not in kept]
            delta = self.code.sum_units(
                self.code.turned(whole, [*kept, *summed]), math.prod([var.units[k] for k in summed]), len(summed)
            )
            if kept != sorted(range(len(kept))):  # the axes of one entry are not the last ones
                delta = self.code.view(delta, 0, contiguous(x.units), x.units)
        return self._over_rows(delta, x, var)

    def _over_rows(self, delta: Any, x: Any, var: Var) -> Any:
        """Return Σ of δ over the rows for an operand that is the same for all of them."""
        if x.__class__ is Var and not x.batched and var.batched and not self.per_row:
            return self.code.sum_rows(delta)
        return delta

    def _unexpanded(self, delta: Any, var: Var) -> Any:
        """Return Σ of δ over the units that an expansion added."""
        x = var.args[0]
        added = var.units[len(x.units) :]
        return self.code.sum_units(delta, math.prod(added), len(added)) if added else delta


def _is_total(a: Var, b: Var) -> bool:
    """Tell whether `b`, with axes of one entry, holds for each number of `a` the sum that this number is in."""
    total = b.args[0] if b.kind in {ir.EXPAND, ir.VIEW} else b
    if total.__class__ is not Var or total.kind != ir.SUM or total.batched != a.batched or b.size != total.size:
        return False  # what is spread already has its sums taken back elsewhere
    of, each = total.args[0], np.arange(total.size)
    if of is not a and not (of.kind == ir.VIEW and of.args[0] is a and of.size == a.size):
        return False
    owner = np.empty(a.size, dtype=np.intp)
    owner[_places(of, a).reshape(total.size, -1)] = each[:, None]
    spread = (
        _places(b, total)
        if b.kind == ir.VIEW
        else each.reshape((*total.units, *(1,) * (len(b.units) - len(total.units))))
    )
    return np.array_equal(np.broadcast_to(spread, a.units).ravel(), owner)


def _places(view: Var, of: Var) -> Any:
    """Return the places of a view in its array; of the array itself, all of them."""
    if view is of:
        return np.arange(of.size)
    start, strides = view.info
    return places_of(start, strides, view.units)


def backward(code: Code, want: Want, seeds: Sequence[Any] = ()) -> None:
    """Append the backward pass of a code with one output, or with the δ of each one."""
    Reverse(code, want).run(seeds)
