"""The formula of an operation and of its partials, read off the row of the table.

The rules of a row are written on plain operators and sibling operations, so called with symbols in place of numbers
they write themselves down. A symbol carries its number too: a rule that asks `a > 0` takes the branch that was taken.

>>> from autodiff.ops import OPS
>>> from autodiff.explanations.notation import text
>>> z, a = Symbol(("mi", "z"), 0.0), Symbol(("mi", "a"), 0.5)
>>> text(partial_formulas(OPS["sigmoid"], [z], a, [0.25])[0])
'a · (1 - a)'
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from autodiff.explanations.flow import same
from autodiff.explanations.notation import Tree, factor, in_brackets, joined, number
from autodiff.ops import OPS, Op

SUM, PRODUCT, POWER, ATOM = range(4)  # how tightly the outermost operation of a formula binds
_MANY = 8  # terms of a sum from where the middle ones are left out
_SIGNS = {"add": "+", "sub": "−"}
_WORDS = {"sigmoid": "σ", "maximum": "max", "minimum": "min", "logsumexp": "lse"}


class Symbol:
    """A formula that stands for a number: arithmetic on it gives the longer formula and the number it comes to."""

    def __init__(self, tree: Tree, value: float, binds: int = ATOM) -> None:
        self.tree = tree
        self.value = value
        self.binds = binds

    def within(self, binds: int) -> Tree:
        """The tree as part of something that binds as tightly as `binds`: in brackets where it must be."""
        return self.tree if self.binds >= binds else in_brackets(self.tree)

    # fmt: off
    def __add__(self, other: Any) -> Any: return _sum(self, _symbol(other), "+")
    def __radd__(self, other: Any) -> Any: return _sum(_symbol(other), self, "+")
    def __sub__(self, other: Any) -> Any: return _sum(self, _symbol(other), "−")
    def __rsub__(self, other: Any) -> Any: return _sum(_symbol(other), self, "−")
    def __mul__(self, other: Any) -> Any: return _product(self, _symbol(other))
    def __rmul__(self, other: Any) -> Any: return _product(_symbol(other), self)
    def __truediv__(self, other: Any) -> Any: return _quotient(self, _symbol(other))
    def __rtruediv__(self, other: Any) -> Any: return _quotient(_symbol(other), self)
    def __pow__(self, other: Any) -> Any: return _power(self, _symbol(other))
    def __rpow__(self, other: Any) -> Any: return _power(_symbol(other), self)
    def __neg__(self) -> Any: return Symbol(("mrow", ("mo", "−"), self.within(PRODUCT)), -self.value, SUM)
    def __pos__(self) -> Any: return self
    def __eq__(self, other: object) -> bool: return self.value == _plain(other)
    def __ne__(self, other: object) -> bool: return self.value != _plain(other)
    def __lt__(self, other: Any) -> bool: return self.value < _plain(other)
    def __le__(self, other: Any) -> bool: return self.value <= _plain(other)
    def __gt__(self, other: Any) -> bool: return self.value > _plain(other)
    def __ge__(self, other: Any) -> bool: return self.value >= _plain(other)
    __hash__ = object.__hash__
    # fmt: on

    @staticmethod
    def record_operation(op: Op, operands: Sequence[Any]) -> Any:
        """What `exp(x)` of a symbol gives: this is where a row calls its siblings."""
        return applied(op, [_symbol(x) for x in operands])


def applied(op: Op, operands: Sequence[Symbol]) -> Symbol:
    """The formula of `op` on symbols: infix, root, power and sum where it has such a sign, else as a function."""
    first, last = operands[0] if operands else _symbol(0.0), operands[-1] if operands else _symbol(0.0)
    match row_name(op):
        case "add" | "sub":
            return _sum(first, last, _SIGNS[op.name])
        case "mul":
            return _product(first, last)
        case "div":
            return _quotient(first, last)
        case "pow":
            return _power(first, last)
        case "neg":
            return -first
        case "pos":
            return first
        case _:
            return _function(op, operands)


def _function(op: Op, operands: Sequence[Symbol]) -> Symbol:
    value = op.on_floats(*(x.value for x in operands))
    tight = ATOM
    match row_name(op):
        case "total":
            tree, tight = _long_sum([x.within(PRODUCT) for x in operands]), SUM
        case "mean":
            tree = ("mfrac", _long_sum([x.within(PRODUCT) for x in operands]), ("mn", str(len(operands))))
        case "weighted_sum":
            n = len(operands) // 2
            pairs = zip(operands[:n], operands[n:-1], strict=True)
            products = [joined([w.within(PRODUCT), x.within(PRODUCT)], "·") for w, x in pairs]
            bias = [operands[-1].within(SUM)] if operands[-1].tree != ("mn", "0") else []
            tree, tight = _long_sum([*products, *bias]), SUM
        case "sqrt":
            tree = ("msqrt", operands[0].tree)
        case "exp":
            tree, tight = ("msup", ("mi", "e"), operands[0].tree), POWER
        case "abs":
            tree = ("mrow", ("mo", "|"), operands[0].tree, ("mo", "|"))
        case _:
            word = _WORDS.get(row_name(op), op.name)
            arguments = [x.tree for x in operands]
            if len(arguments) > _MANY:
                arguments = [*arguments[:3], ("mo", "…"), arguments[-1]]
            tree = ("mrow", ("mi", word), in_brackets(joined(arguments, ",")))
    return Symbol(tree, value, tight)


def row_name(op: Op) -> str:
    """The name of a row of the table; "" for an operation of somebody's own, whatever it is called."""
    return op.name if OPS.get(op.name) is op else ""


def formula(op: Op, operands: Sequence[Symbol]) -> Tree | None:
    """The right-hand side of `node = …`; None where it cannot be written."""
    try:
        return applied(op, operands).tree
    except (ArithmeticError, ValueError, TypeError):
        return None


def partial_formulas(
    op: Op, operands: Sequence[Symbol], result: Symbol, partials: Sequence[float]
) -> list[Tree | None]:
    """∂(result)/∂(operand) by operand, as the row has it; None where it does not come to the partial that was recorded.

    It does not where an operand's data was changed since then, and at an edge of the domain.
    """
    if op.arity is None:
        rules = _tried(lambda: op.partials(operands, result)) or [None] * len(operands)
    else:
        rules = [_tried(lambda rule=rule: rule(*operands, result)) for rule in op.partials]
        textbook = _textbook(op, result)
        if textbook is not None and same(textbook.value, partials[0], 0.0):
            rules = [textbook]
    return [
        written.tree if written and same(written.value, partial, 0.0) else None
        for written, partial in zip(map(_symbol_or_none, rules), partials, strict=True)
    ]


def _textbook(op: Op, result: Symbol) -> Symbol | None:
    """The slope of an activation as the course writes it, from its value.

    The table's own rule is equal, and keeps more digits where the activation saturates: there it is what is shown.
    """
    if op is OPS["sigmoid"]:
        return result * (1.0 - result)
    return 1.0 - result**2 if op is OPS["tanh"] else None


def _tried(rule: Callable[[], Any]) -> Any:
    try:
        return rule()
    except (ArithmeticError, ValueError, TypeError):  # an edge of the domain, or a rule that needs true numbers
        return None


def _symbol_or_none(x: Any) -> Symbol | None:
    return None if x is None else _symbol(x)


def _symbol(x: Any) -> Symbol:
    if isinstance(x, Symbol):
        return x
    value = float(x)
    return Symbol(number(value), value, SUM if value < 0.0 else ATOM)


def _plain(x: Any) -> float:
    return x.value if isinstance(x, Symbol) else x


def _is(x: Symbol, tree: str) -> bool:
    return x.tree == ("mn", tree)


def _sum(a: Symbol, b: Symbol, sign: str) -> Symbol:
    value = a.value + b.value if sign == "+" else a.value - b.value
    if a.tree[0] == b.tree[0] == "mn":
        return _symbol(value)
    right = b.within(PRODUCT if sign == "−" or b.tree[:2] == ("mrow", ("mo", "−")) else SUM)
    return Symbol(("mrow", *_parts(a), ("mo", sign), right), value, SUM)


def _parts(a: Symbol) -> Sequence[Tree]:
    return a.tree[1:] if a.tree[0] == "mrow" and a.binds == SUM else (a.tree,)


def _product(a: Symbol, b: Symbol) -> Symbol:
    value = a.value * b.value
    for one, other in ((a, b), (b, a)):
        if _is(one, "1"):
            return Symbol(other.tree, value, other.binds)
    if a.tree == b.tree and a.tree[0] != "mn":
        return Symbol(("msup", a.within(ATOM), ("mn", "2")), value, POWER)
    return Symbol(("mrow", a.within(PRODUCT), ("mo", "·"), b.within(PRODUCT)), value, PRODUCT)


def _quotient(a: Symbol, b: Symbol) -> Symbol:
    if _is(b, "1"):
        return a
    return Symbol(("mfrac", a.tree, b.tree), a.value / b.value, POWER)


def _power(a: Symbol, b: Symbol) -> Symbol:
    value = math.pow(a.value, b.value)
    if _is(b, "1"):
        return Symbol(a.tree, value, a.binds)
    return Symbol(("msup", a.within(ATOM), b.tree), value, POWER)


def _long_sum(terms: Sequence[Tree]) -> Tree:
    if not terms:
        return ("mn", "0")
    if len(terms) > _MANY:
        terms = [*terms[:3], ("mo", "…"), *terms[-2:]]
    return joined(terms, "+")


def number_symbol(x: float, digits: int = 4) -> Symbol:
    """A number that stands in a formula for itself: negative ones get brackets where a name would not."""
    return Symbol(factor(x, digits), x)
