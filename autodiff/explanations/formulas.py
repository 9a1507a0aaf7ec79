"""The formula of an operation and of its partials, read off the row of the table.

The rules of a row use plain operators and sibling operations, so called with symbols in place of numbers they write
themselves down. A symbol carries its number too, so that a rule that asks `a > 0` takes the branch it took before.

>>> from autodiff.ops import OPS
>>> from autodiff.explanations.notation import text
>>> z, a = Symbol(("mi", "z"), 0.0), Symbol(("mi", "a"), 0.5)
>>> text(partial_formulas(OPS["sigmoid"], [z], a, [0.25])[0])
'a · (1 - a)'
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from autodiff.explanations.flow import same
from autodiff.explanations.notation import Tree, factor, in_brackets, joined, number
from autodiff.ops import OPS, Op

SUM, PRODUCT, POWER, ATOM = range(4)  # binding strength of the outermost operation of a formula
_MANY = 8  # terms; of longer sums the middle ones are left out
_SIGNS = {"add": "+", "sub": "−"}
_WORDS = {"sigmoid": "σ", "maximum": "max", "minimum": "min", "logsumexp": "lse"}


class Symbol:
    """A formula with its number: arithmetic on it builds the longer formula and computes its number."""

    def __init__(self, tree: Tree, value: float, binds: int = ATOM) -> None:
        self.tree = tree
        self.value = value
        self.binds = binds

    def within(self, binds: int) -> Tree:
        """Return the tree as part of a formula that binds as tightly as `binds`, in brackets where needed."""
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
    def __abs__(self) -> Any: return applied(OPS["abs"], [self])
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
        """Return the formula of `op` on symbols: rows arrive here when they call their siblings."""
        return applied(op, [_symbol(x) for x in operands])


def applied(op: Op, operands: Sequence[Symbol]) -> Symbol:
    """Return the formula of `op` on symbols: with its sign (infix, root, power, sum), else as a function."""
    first, last = operands[0] if operands else _symbol(0.0), operands[-1] if operands else _symbol(0.0)
    match row_name(op):
        case "add" | "sub":
            return _sum(first, last, _SIGNS[op.name])
        case "mul":
            return _product(first, last, squared=False)  # x·x has two partials, x² only one
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
    """Return the name of a row of the table; "" for a user's own operation, whatever its name."""
    return op.name if OPS.get(op.name) is op else ""


def formula(op: Op, operands: Sequence[Symbol]) -> Tree | None:
    """Return the right-hand side of `node = …`; None if it cannot be written."""
    try:
        return applied(op, operands).tree
    except (ArithmeticError, ValueError, TypeError):
        return None


def partial_formulas(op: Op, operands: Sequence[Symbol], result: Symbol, slopes: Sequence[float]) -> list[Tree | None]:
    """Return ∂(result)/∂(operand) by operand as formulas of the row; None for one that misses the recorded partial."""
    if op.arity is None:
        rules = _tried(lambda: op.partials(operands, result)) or [None] * len(operands)
    else:
        rules = [_tried(lambda rule=rule: rule(*operands, result)) for rule in op.partials]
        textbook = _textbook(op, result)
        if textbook is not None and same(textbook.value, slopes[0], 0.0):
            rules = [textbook]
    written = (None if rule is None else _symbol(rule) for rule in rules)
    return [s.tree if s and same(s.value, p, 0.0) else None for s, p in zip(written, slopes, strict=True)]


def _textbook(op: Op, result: Symbol) -> Symbol | None:
    """Return an activation's slope by its value, as the course writes it; near saturation the rule is shown."""
    if op is OPS["sigmoid"]:
        return result * (1.0 - result)
    return 1.0 - result**2 if op is OPS["tanh"] else None


def _tried(rule: Callable[[], Any]) -> Any:
    try:
        return rule()
    except (ArithmeticError, ValueError, TypeError):  # an edge of the domain, or a rule that needs plain numbers
        return None


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


def _product(a: Symbol, b: Symbol, *, squared: bool = True) -> Symbol:
    value = a.value * b.value
    for one, other in ((a, b), (b, a)):
        if _is(one, "1"):
            return Symbol(other.tree, value, other.binds)
    if squared and a.tree == b.tree and a.tree[0] != "mn":
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
    """Return a number as a symbol of its own: negative ones get brackets where a name would not."""
    return Symbol(factor(x, digits), x)
