"""Array code in single assignment: the form between scalar nodes and the emitters.

A `Var` is one array. Its `units` are the shape of what it holds of one sample: () for one number, (m,) for a group of
m, (m, n) for a matrix. A batched Var has the rows as one more axis at the end; others are the same for all rows. Vars
support arithmetic, so the rules of the operation table can be called on them: that is how the backward pass is written.
"""

# Rules serve Vars, arrays and floats alike, so their lambdas are untyped:
# pyright: reportUnknownLambdaType=false
from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff.compiler.arrays.axes import Units, contiguous, places_of, strides_of
from autodiff.compiler.trace.operations import BOOLEAN, GUARDED, RELATIONS, equal_operand
from autodiff.errors import DomainError
from autodiff.ops import OPS, Op

ADD, SUB, MUL, DIV, POW, NEG = (OPS[name] for name in ("add", "sub", "mul", "div", "pow", "neg"))
MINIMUM, WHERE = OPS["minimum"], OPS["where"]
TOTALS = frozenset(OPS[name] for name in ("total", "mean", "weighted_sum"))  # their functions of floats work on Vars

# The kinds of Var, with the contents of `args` and `info`:
INPUT = "input"  # an argument of the program; info: its number
FLAT = "flat"  # all parameters, (n,)
CONST = "const"  # info: the array
VIEW = "view"  # of args[0]; info: (start, strides)
TAKE = "take"  # of args[0]; info: the positions, an array of this Var's units
PADDED = "padded"  # likewise, with one number in some places; info: the positions, −1 for those, and the number
CONCAT = "concat"  # of args, one after another, scalars and vectors
APPLY = "apply"  # `op` element by element; numbers and units () go with any units
MATMUL = "matmul"  # args[0] (m, n) @ args[1] (n,) or (n, positions), batched, + args[2] (m,) if there is one
MATMUL_T = "matmul_t"  # args[0].T (n, m) @ args[1] (m,) or (m, positions), batched
OUTER = "outer"  # args[0] (m,) @ args[1] (n,).T, summed over rows and positions: (m, n); batched: for each row
PICKED = "picked"  # the column of args[0] (m, n) whose number in info args[1], () or (positions,), equals; 0 for none
PLACED = "placed"  # args[0] (m,) or (m, positions) added up in the columns that args[1] finds, over the rows: (m, n)
STEPS = "steps"  # info of these three where positions are the first axis, as steps in time are
SUM = "sum"  # over the last axes of units, those that the result has not
MAX = "max"  # likewise
SUM_ROWS = "sum_rows"  # over the rows, and the last axes of units that the result has not
EXPAND = "expand"  # args[0], repeated for each of these units
ROWS = "rows"  # the number of rows
SCATTER = "scatter"  # zeros, and each of args added at its own place; info: for each (start, strides) or positions
FOLD = "fold"  # a loop from args, its carry, xs, and what it captures for each row and for all; info: its Steps
FOLD_BACK = (
    "fold_back"  # the δ of these from args[1], that of the loop args[0]; info: which of them, whether for each row
)
FOLD_SAME = "fold_same"  # and of the last, from args[0], the FOLD_BACK
SEED = "seed"  # the δ of the output that a call passes in, one per row


@dataclass(frozen=True, slots=True)
class Want:
    """The request that a version of the program answers."""

    gradient: bool = False  # derivatives by the parameters
    argnums: tuple[int, ...] = ()  # derivatives by these arguments
    per_row: bool = False  # the derivatives of each row, not their sum
    seeded: bool = False  # each call passes in the δ of every row's output
    careful: bool = False  # NaN and infinities come out as in the eager engine, at any cost: 0 · ∞ is 0

    @property
    def derivatives(self) -> bool:
        """Whether any derivative is asked for."""
        return self.gradient or bool(self.argnums)


def _sides(op: Op) -> tuple[Any, Any]:
    """Return an operator as a method of its left and of its right operand."""

    def left(a: Any, b: Any) -> Any:
        return a.code.apply(op, a, b)

    def right(b: Any, a: Any) -> Any:
        return b.code.apply(op, a, b)

    return left, right


class Var:
    """One array of the code; see the module's docstring."""

    __slots__ = ("args", "batched", "code", "info", "kind", "name", "needs", "number", "op", "units")

    def __init__(self, code: Code, kind: str, args: tuple[Any, ...], units: Units, batched: bool, info: Any) -> None:
        self.code = code
        self.kind = kind
        self.args = args
        self.units = units
        self.batched = batched
        self.info = info
        self.op: Any = None  # the row of an APPLY
        self.name = ""
        self.needs = False  # whether its δ is wanted
        self.number = len(code.vars)

    @property
    def size(self) -> int:
        """The number of scalars of one sample."""
        return math.prod(self.units)

    @property
    def vars(self) -> list[Var]:
        """The operands that are Vars."""
        return [x for x in self.args if isinstance(x, Var)]

    def record_operation(self, op: Op, operands: Sequence[Any]) -> Any:
        """Return the result of calling a row of the operation table on Vars."""
        return self.code.apply(op, *operands)

    __add__, __radd__ = _sides(ADD)
    __sub__, __rsub__ = _sides(SUB)
    __mul__, __rmul__ = _sides(MUL)
    __truediv__, __rtruediv__ = _sides(DIV)
    __pow__, __rpow__ = _sides(POW)
    __gt__, __lt__ = (_sides(RELATIONS[relation])[0] for relation in (operator.gt, operator.lt))
    __ge__, __le__ = (_sides(RELATIONS[relation])[0] for relation in (operator.ge, operator.le))
    __eq__, __ne__ = (_sides(RELATIONS[relation])[0] for relation in (operator.eq, operator.ne))
    __hash__ = object.__hash__

    def __neg__(self) -> Any:
        return self.code.apply(NEG, self)

    def __abs__(self) -> Any:
        return self.code.apply(OPS["abs"], self)

    def __and__(self, other: Any) -> Any:
        if isinstance(other, bool):
            return self if other else False
        return self.code.apply(MINIMUM, self, other)

    __rand__ = __and__

    def __bool__(self) -> bool:
        raise TypeError(
            "a rule of partials must not decide by a number with `if`; write it with autodiff.where, maximum or step, "
            "so that it works on arrays too"
        )


class Code:
    """A list of Vars, each computed from earlier ones; equal Vars are made once."""

    def __init__(self, *, careful: bool = False) -> None:
        self.careful = careful  # as in Want
        self.vars: list[Var] = []
        self.outputs: list[Any] = []  # Vars and numbers that the function returns
        self.gradient: Any = None  # by all parameters, (n,)
        self.input_gradients: dict[int, Any] = {}  # by argument
        self.deltas: dict[int, Any] = {}  # δ of forward Vars, by number
        self.forward = 0  # the number of `vars` in the forward pass
        self.parameters: list[Any] = []  # the Values, in the order they have in the flat array
        self.matrix_products = 0
        self.again = False  # whether the outputs are operands of a next step, which may decide by them
        self.stepwise = False  # whether steps that repeat are written one by one, as those of a loop
        self._known: dict[Any, Var] = {}

    def new(
        self, kind: str, args: Sequence[Any] = (), units: Units = (), *, batched: bool = False, info: Any = None,
        op: Op | None = None, key: Any = None,
    ) -> Var:  # fmt: skip
        """Return a Var of this kind; an equal one that is there already, if there is one."""
        args = tuple(args)
        key = kind, op, _same(args), units, info if key is None else key
        known = self._known.get(key)
        if known is None:
            known = Var(self, kind, args, units, batched, info)
            known.op = op
            known.needs = any(x.needs for x in known.vars)
            self.vars.append(known)
            self._known[key] = known
        return known

    def known(self, op: Op, *args: Any) -> Var | None:
        """Return the result of this operation, if there is one with these units already."""
        units = max((x.units for x in args if x.__class__ is Var), key=len)
        return self._known.get((APPLY, op, _same(args), units, None))

    def apply(self, op: Op, *args: Any) -> Any:
        """Return the operation element by element, or something shorter that is equal."""
        args = tuple([float(x) if x.__class__ is not Var else x for x in args])
        shorter = _shorter(self, op, args)
        if shorter is not None:
            return shorter
        order = self._order_of_memory(args)
        if order is not None:
            result = self._each(op, [self.laid(x, order) for x in args])
            return self.turned(result, [order.index(k) for k in range(len(order))])
        return self._each(op, args)

    def _each(self, op: Op, args: Sequence[Any]) -> Var:
        xs = [x for x in args if x.__class__ is Var]
        units = max((x.units for x in xs), key=len)
        if len(units) > 1:
            units = tuple(max(sizes) for sizes in zip(*[x.units for x in xs if x.units], strict=True))
        return self.new(APPLY, args, units, batched=any(x.batched for x in xs), op=op)

    @staticmethod
    def _order_of_memory(args: Sequence[Any]) -> list[int] | None:
        """Return the order in which axes lie in memory, that of the first operand which has them all; else None."""
        for x in args:
            if x.__class__ is Var and x.kind == VIEW and x.batched and len(x.units) > 1 and min(x.info[1]) > 0:
                strides: Units = x.info[1]
                order = sorted(range(len(strides)), key=lambda k: -strides[k])
                return order if order != sorted(order) else None
        return None

    def turned(self, x: Any, order: Sequence[int]) -> Any:
        """Return an array with its axes in another order, a view; what has none as it is."""
        if x.__class__ is not Var or len(x.units) < 2:
            return x
        units, own = (tuple([of[k] for k in order]) for of in (x.units, contiguous(x.units)))
        if x.kind == CONST:
            return self.const(x.info.transpose(order).ravel().tolist(), units)
        return self.view(x, 0, own, units)

    def laid(self, x: Any, order: Sequence[int]) -> Any:
        """Return an array with its axes in another order, which it has in memory if it can be computed in any."""
        if x.__class__ is Var and len(x.units) > 1 and list(order) != sorted(order):
            if x.op in BOOLEAN and not x.needs:
                return self._each(x.op, [self.laid(y, order) for y in x.args])
            if x.kind == SUM and _is_product(x.args[0]):
                terms = x.args[0]
                axes = len(terms.units) - len(x.units)
                whole = self.turned(terms, [*order, *range(len(x.units), len(terms.units))])
                return self.sum_units(whole, math.prod(terms.units[-axes:]), axes)
        return self.turned(x, order)

    def relaid(self, x: Any) -> Any:
        """Return a view of all of an array as an array in one piece, if it can be computed like that; else as it is."""
        of = x.args[0] if x.__class__ is Var and x.kind == VIEW else None
        if of is None or of.size != x.size or len(of.units) < 2 or not (of.op in BOOLEAN or of.kind == SUM):
            return x
        start, strides = x.info
        places: Any = places_of(start, strides, x.units).ravel()
        own = strides_of(np.argsort(places), of.units) if np.unique(places).size == of.size else None
        if own is None:
            return x
        order = sorted(range(len(own)), key=lambda k: -own[k])
        laid = self.laid(of, order)
        solid = tuple([own[k] for k in order]) == contiguous(laid.units) and laid.kind != VIEW
        return self.view(laid, 0, contiguous(x.units), x.units) if solid else x

    def const(self, values: Sequence[float], units: Units) -> Any:
        """Return these numbers as a Var, or as one float if they are all the same."""
        if len(set(values)) == 1 and (values[0] != 0.0 or len(set(map(repr, values))) == 1):  # 0 and −0 compare equal
            return float(values[0])
        array = np.array(values, dtype=np.float64).reshape(units)
        return self.new(CONST, (), units, info=array, key=(array.tobytes(), units))

    def view(self, of: Any, start: int, strides: Units, units: Units) -> Any:
        """Return some of the scalars of a Var, evenly spaced, without copying them."""
        if of.__class__ is float:
            return of
        if units == of.units and start == 0 and strides == contiguous(units) and of.kind != FLAT:
            return of
        if of.kind == EXPAND and of.args[0].units == ():
            return self.expand(of.args[0], units)
        if of.kind == EXPAND and of.args[0].units != of.units:  # it has no memory: look at the Var it repeats
            inner = of.args[0]
            return self.gather(inner, places_of(start, strides, units) // (of.size // inner.size))
        if of.kind == VIEW and (of.args[0].kind != FLAT or (len(of.units) > 1 and of.info[1] != contiguous(of.units))):
            whole = places_of(of.info[0], of.info[1], of.units).ravel()
            return self.gather(of.args[0], whole[places_of(start, strides, units)])
        return self.new(VIEW, (of,), units, batched=of.batched, info=(start, strides))

    def gather(self, of: Any, places: Any) -> Any:
        """Return the scalars of a Var at these places, in their shape: a view, or a copy where they are irregular."""
        units = places.shape
        strides = strides_of(places.ravel(), units)
        if strides is not None:
            return self.view(of, int(places.flat[0]), strides, units)
        of = of if len(of.units) < 2 else self.view(of, 0, (1,), (of.size,))
        return self.new(TAKE, (of,), units, batched=of.batched, info=places, key=(places.tobytes(), units))

    def padded(self, of: Var, places: Any, value: float) -> Var:
        """Return the scalars of a Var at these places, and `value` where there is a −1 for a place."""
        of = of if len(of.units) < 2 else self.view(of, 0, (1,), (of.size,))
        key = places.tobytes(), value
        return self.new(PADDED, (of,), places.shape, batched=of.batched, info=(places, value), key=key)

    def solid(self, x: Any, units: Units) -> Any:
        """Return a batched Var in one piece of memory, in this shape of as many units: a copy where it is a view."""
        x = self.relaid(x)
        of = x.args[0] if x.kind == VIEW and x.info[1] == contiguous(x.units) else x
        spread = of.kind == EXPAND and of.args[0].__class__ is Var
        if not x.batched or spread or of.kind == VIEW or (of.kind == INPUT and not of.units):
            return self.new(CONCAT, (x,), units, batched=True, key="solid")
        return self.view(x, 0, contiguous(units), units)

    def expand(self, x: Any, units: Units) -> Any:
        """Return a number or Var, repeated for each of these units."""
        if x.__class__ is float or x.units == units:
            return x
        return self.new(EXPAND, (x,), units, batched=x.batched)

    def joined(self, pieces: Sequence[Any], *, biased: bool = False) -> Var:
        """Return vectors of all steps, or all of them, as (steps, n): a part of an array that has them already.

        `biased`: with a 1 at the end of each.
        """
        *steps, n = pieces[0].units
        if steps and not biased:
            return pieces[0]
        count, width = *(steps or [len(pieces)]), n + biased
        for var in self.vars:
            if var.kind == SCATTER and len(var.units) == 2 and not steps and not biased and once(var.info):
                at = {id(x): place for x, place in zip(var.args, var.info, strict=True)}
                start, *_ = at.get(id(pieces[0]), (0,))
                if all(at.get(id(x)) == (start + k * var.units[1], (1,), (n,)) for k, x in enumerate(pieces)):
                    return self.view(var, start, contiguous(var.units), (count, n))
        places: list[Any] = [(k * width, (1,), (n,)) for k in range(count)]
        if steps:
            places = [(0, (width, 1), (count, n))]
        if biased:
            pieces, places = [*pieces, 1.0], [*places, (n, (width,), (count,))]
        return self.new(SCATTER, pieces, (count, width), batched=True, info=places, key=tuple(places))

    def own(self, x: Any) -> Any:
        """Return a result in memory of its own, where it would be an argument itself."""
        if x.__class__ is Var and x.units == () and x.kind in {INPUT, SEED, ROWS}:
            return self.new(CONCAT, (x,), batched=x.batched, key="own")
        return x

    def sum_units(self, x: Any, n: int, axes: int = 1) -> Any:
        """Return Σ over the last axes of units, which hold `n` numbers."""
        if x.__class__ is float:
            return x * n
        units = x.units[: len(x.units) - axes]
        inner: Any = x.args[0] if x.kind == EXPAND else None
        if inner.__class__ is Var and inner.units == units[: len(inner.units)] and len(inner.units) < len(x.units):
            return self.expand(self.apply(MUL, float(n), inner), units)
        return self.new(SUM, (x,), units, batched=x.batched)

    def sum_rows(self, x: Any, axes: int = 0) -> Any:
        """Return Σ over the rows, and over the last axes of units."""
        if x.__class__ is Var and x.batched:
            return self.new(SUM_ROWS, (x,), x.units[: len(x.units) - axes])
        return self.apply(MUL, x, self.new(ROWS))


def once(places: Sequence[Any]) -> bool:
    """Tell whether no two of these places have a number in common."""
    return np.bincount(np.concatenate([places_of(*place).ravel() for place in places])).max() == 1


def uses_of(results: Sequence[Any], reads: Callable[[Var], Sequence[Var]]) -> Counter[int]:
    """Return how often each Var that these results need is read, by number; a result counts as read here."""
    waiting = [x for x in results if x.__class__ is Var]
    uses, seen = Counter([x.number for x in waiting]), set[int]()
    while waiting:
        var = waiting.pop()
        if var.number not in seen:
            seen.add(var.number)
            below = reads(var)
            uses.update([x.number for x in below])
            waiting += below
    return uses


def _same(args: Sequence[Any]) -> tuple[Any, ...]:
    """Return a key of operands: 0 and −0 compare equal."""
    return tuple([x or repr(x) if x.__class__ is float else id(x) for x in args])


def _shorter(code: Code, op: Op, args: Sequence[Any]) -> Any:
    """Return something simpler that equals the operation, or None."""
    if all(x.__class__ is float for x in args):
        try:
            return op.on_floats(*args)
        except DomainError:
            return math.nan
    if len(args) == 2 and op.arity == 2:
        return _shorter_binary(code, op, *args)
    if op is WHERE:
        condition, a, b = args
        numbers = a.__class__ is float and b.__class__ is float and sorted((a, b)) == [0.0, 1.0]
        if numbers and condition.__class__ is Var and condition.op in BOOLEAN:
            return condition if a else code.apply(SUB, 1.0, condition)
    if op is NEG and args[0].op is NEG:
        return args[0].args[0]
    if op is NEG and args[0].op is SUB:
        return code.apply(SUB, args[0].args[1], args[0].args[0])
    return None


_NOT_EQUAL, _GREATER, _RELU = RELATIONS[operator.ne], RELATIONS[operator.gt], OPS["relu"]


def _shorter_binary(code: Code, op: Op, a: Any, b: Any) -> Any:
    x, y = (a if a.__class__ is float else None), (b if b.__class__ is float else None)
    if x is None and y is None:
        return _shorter_of_vars(code, op, a, b)
    if (same := equal_operand(op, x, y)) is not None:
        return (a, b)[same]
    if op is MUL or op is GUARDED:
        return _shorter_scale(code, op, x, b) if y is None else _shorter_scale(code, op, y, a, left=False)
    if op is SUB and x == 0.0:
        return code.apply(NEG, b)
    if op is POW and y == 0.0:
        return 1.0
    return a if op is _NOT_EQUAL and y == 0.0 and a.op in BOOLEAN else None


def _shorter_scale(code: Code, op: Op, x: Any, b: Var, *, left: bool = True) -> Any:
    """Return x · b in a simpler form, or None; `left`: whether the number comes first."""
    inner: Any = b.args[0] if b.args else None
    if x == 0.0 and code.forward:  # a partial or δ that is exactly 0 is not passed on
        return 0.0
    if x == -1.0:
        return code.apply(NEG, b)
    if left and b.op is op and inner.__class__ is float and _is_ordinary(x * inner):
        return code.apply(op, x * inner, b.args[1])
    if left and b.op is op and inner.__class__ is Var and inner.kind in {ROWS, EXPAND} and not inner.batched:
        return code.apply(op, code.apply(op, x, inner), b.args[1])
    if op is MUL and code.forward:
        scale, of = _scaled(b)
        if scale != 1.0 and _is_ordinary(x * scale):
            return code.apply(MUL, x * scale, of)
    if left and b.op is DIV and inner.__class__ is float and _is_ordinary(x * inner):
        return code.apply(DIV, x * inner, b.args[1])
    if left and b.kind == EXPAND and inner.__class__ is Var:
        return code.expand(code.apply(op, x, inner), b.units)
    if left and b.kind == VIEW and inner.size < b.size:
        return code.view(code.apply(op, x, inner), b.info[0], b.info[1], b.units)
    return None


def _shorter_of_vars(code: Code, op: Op, a: Var, b: Var) -> Any:
    if op is ADD:
        if a is b:
            return code.apply(MUL, 2.0, a)
        if b.op is NEG:
            return code.apply(SUB, a, b.args[0])
        if a.op is NEG:
            return code.apply(SUB, b, a.args[0])
    if op is SUB and b.op is NEG:
        return code.apply(ADD, a, b.args[0])
    return _shorter_product(code, a, b) if op is MUL and code.forward else None


def _shorter_product(code: Code, a: Var, b: Var) -> Any:
    """Return a product of the backward pass in a simpler form, or None."""
    if a.op in _SCALES and b.op in _SCALES:  # collect the constants of a chain of slopes
        (p, x), (q, y) = _scaled(a), _scaled(b)
        if p != 1.0 and q != 1.0 and _is_ordinary(p * q):
            return code.apply(MUL, p * q, code.apply(MUL, x, y))
    if b.op is DIV and b.args[0].__class__ is float and b.args[0] == 1.0:
        return code.apply(DIV, a, b.args[1])
    if a.op is DIV and (quotient := code.known(DIV, b, a.args[1])) is not None:  # (a / s) b = a (b / s)
        return code.apply(MUL, a.args[0], quotient)
    if b.op is MUL and b.args[0].__class__ is float and a.units == b.units:  # constants are collected in front
        return code.apply(MUL, b.args[0], code.apply(MUL, a, b.args[1]))
    if b.op is _GREATER and b.args[1].__class__ is float and b.args[1] == 0.0:
        return a if _has_factor(a, code.known(_RELU, b.args[0])) else None  # a ReLU is 0 where its slope is

    return None


def _has_factor(x: Any, factor: Var | None) -> bool:
    """Tell whether a product has this factor."""
    return factor is not None and (x is factor or (x.__class__ is Var and x.op is MUL and any(
        _has_factor(y, factor) for y in x.args)))  # fmt: skip


def _is_product(x: Any) -> bool:
    """Tell whether terms are products that a sum of them never writes down."""
    of = x.args[0] if x.kind == VIEW else x
    return of.__class__ is Var and of.op is MUL and all(y.__class__ is Var and y.batched for y in of.args)


def _is_ordinary(x: float) -> bool:
    """Tell whether a product of constants is far from the ends of the floats."""
    return 1e-100 < abs(x) < 1e100


_SCALES = (MUL, NEG)


def _scaled(x: Var) -> tuple[float, Any]:
    """Return a Var as a constant times another Var."""
    if x.op is NEG:
        return -1.0, x.args[0]
    if x.op is MUL and x.args[0].__class__ is float:
        return x.args[0], x.args[1]
    if x.op is MUL and x.args[1].__class__ is float:
        return x.args[1], x.args[0]
    return 1.0, x
