"""A node: a number that remembers how it was computed.

>>> x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.5, "b")
>>> z = w * x + b
>>> z.backward()
>>> z.data, x.grad, w.grad, b.grad
(0.5, -3.0, 2.0, 1.0)
"""

# Value and the functions that record it share its slots:
# pyright: reportPrivateUsage=false
from __future__ import annotations

import functools
import math
import operator
import sys
from collections.abc import Callable, Sequence
from typing import Any

from autodiff import copying, grad_mode, held, native, ops, ufuncs
from autodiff.backward import UNSWEPT, fill, release, sweep, topological_order
from autodiff.domains import Number, is_array, number, unbox
from autodiff.methods import Infix, Methods, infix
from autodiff.naming import describe, plain
from autodiff.ops import ADD, MUL, NEG, OPS, WEIGHTED_SUM, Op, exp, log, relu, sigmoid, tanh
from autodiff.propagation import limit, notice_lost_limits, partials_as_values, propagate


def sides(op: Op) -> tuple[Infix[Value], Infix[Value]]:
    """Return an operator as a method of its left and of its right operand."""
    return infix(lambda left, right: binary(op, left, right)), infix(lambda right, left: binary(op, left, right))


def comparison(relation: Callable[[Any, Any], Any]) -> Infix[bool]:
    """Return the comparison as a method."""
    return infix(lambda self, other: compare(self, other, relation))


class Value(Methods):
    """One real number and, if it was computed, the operation, operands and local partials that made it.

    `data` is the number, a float; `grad` is δ = ∂(root)/∂(this) after `root.backward()`; `label` names the node in
    pictures and errors, and dots in it group nodes (`layer1.neuron2.z`). All three can be assigned.
    Comparisons compare `data`, so `v in [u]` holds for another Value of the same number; the hash is the object's own,
    and sets and dictionaries tell nodes apart.

    Raises TypeError for anything that is not one real number, and for a label that is not text.
    """

    __slots__ = ("_label", "_number", "a", "b", "da", "db", "grad", "op")

    op: Any  # an Op, or None for a leaf: who asks for its name knows which
    a: Any  # what lies in these four is told in backward.py, at Node
    b: Any
    da: Any
    db: Any
    grad: Any  # a float; a Value after `backward(create_graph=True)`; and None may be assigned
    _number: float
    _label: str

    def __init__(self, data: Number, label: str = "") -> None:
        self.label = label
        fill(self, number(data), None, 0.0, 0.0, 0.0, 0.0)
        if grad_mode.contexts and (tracer := grad_mode.tracer()) is not None:
            tracer.born(self)

    @property
    def data(self) -> float:
        """The number itself. Assigning it changes no derivative recorded before."""
        if grad_mode.contexts and (tracer := grad_mode.tracer()) is not None:
            tracer.refuse(self, "reading .data of")
        try:
            return self._number
        except AttributeError:  # a training block holds it
            return held.current(self)

    @data.setter
    def data(self, data: Number) -> None:
        if grad_mode.contexts and (tracer := grad_mode.tracer()) is not None:
            tracer.refuse(self, "assigning .data of")
        if held.places:
            held.assign(self, number(data))
        else:
            self._number = number(data)
        held.assigned += 1  # afterwards: what another thread read in between is then read anew

    @property
    def label(self) -> str:
        """The name in pictures and errors; "" for none."""
        try:
            return self._label
        except AttributeError:  # recorded nodes are not given one: it would cost every node time
            return ""

    @label.setter
    def label(self, label: str) -> None:
        if not isinstance(label, str):  # pyright: ignore[reportUnnecessaryIsInstance] # callers need not be typed
            raise TypeError(f"a label must be text, got {type(label).__name__} {label!r}; use str(...)")
        self._label = label

    @property
    def operands(self) -> tuple[Any, ...]:  # Any: Values, and floats for constants
        """The operands it was computed from, in order: Values, and plain floats for constants. Empty for a leaf."""
        if self.op is None:
            return ()
        if self.b.__class__ is not tuple:
            return (self.a, self.b)[: self.op.arity]
        return (*self.b, *self.a, self.da) if self.a else self.b

    @property
    def partials(self) -> tuple[float, ...]:
        """∂(this)/∂(operand) for each operand, as computed when it was recorded; 0 for a constant."""
        if self.op is None:
            return ()
        if self.b.__class__ is not tuple:
            return (self.da, self.db)[: self.op.arity]
        return (*self.db, *(0.0,) * (2 * len(self.b) - len(self.db)), 1.0) if self.a else self.db

    @property
    def swept(self) -> bool:
        """Whether a sweep has reached this node, or its grad was assigned: this tells "δ is 0" from "not yet"."""
        return self.grad is not UNSWEPT and self.grad is not None

    def backward(self, *, create_graph: bool = False) -> None:
        """Set δ = ∂(this)/∂(node) in the `grad` of every node below this one; leaves add it to the grad they have.

        With `create_graph` the gradients are Values, which can be differentiated again. They refer to the graph
        and the graph to them, so call `zero_grad` of every node of `topological_order(root)` when you are done, or
        memory waits for the collector.

        Raises ValueError when this node is infinite or NaN.
        """
        if not abs(self.data) < math.inf:
            raise ValueError(
                f"backward must start from a finite number, got {describe(self) if self.label or self.op else 'a Value'} = {self.data}: "
                "every gradient would be infinite or NaN; anomalies(root) names the first operand that is not finite"
            )
        if not create_graph:
            sweep(self)
            if grad_mode.edges:
                order = [x for x in topological_order(self) if x.op is not limit]  # which is one, and loses none
                notice_lost_limits(order, {node: node.grad for node in order})
            return
        delta = propagate(self, partials=partials_as_values)
        for node in topological_order(self):
            own = delta.get(node, 0.0)
            node.grad = as_value(node.grad + own if node.op is None and node.swept else own)

    def zero_grad(self) -> None:
        """Forget δ: set the grad back to 0, "not yet swept"."""
        self.grad = UNSWEPT

    # The two operators that every network is made of fill their node here, as `unary` does its own: a call of `fill` in
    # each would make a chain of them 7 % slower.
    @infix
    def __add__(self, other: Any) -> Value:
        if other.__class__ is not Value or grad_mode.contexts:
            return binary(ADD, self, other)
        try:
            z = self._number + other._number
        except AttributeError:  # a training block holds one of them
            return binary(ADD, self, other)
        new = blank()
        new._number = z
        new.op = ADD
        new.a = self
        new.b = other
        new.da = new.db = 1.0
        new.grad = UNSWEPT
        return new

    @infix
    def __mul__(self, other: Any) -> Value:
        if other.__class__ is not Value or grad_mode.contexts:
            return binary(MUL, self, other)
        try:
            x, y = self._number, other._number
        except AttributeError:
            return binary(MUL, self, other)
        new = blank()
        new._number = x * y
        new.op = MUL
        new.a = self
        new.b = other
        new.da = y
        new.db = x
        new.grad = UNSWEPT
        return new

    @infix
    def __pow__(self, other: Any, modulus: object = None) -> Value:
        if modulus is not None:
            raise TypeError(f"pow of a Value takes no modulus, got {modulus!r}; write a ** b % c")
        return binary(ops.POW, self, other)

    def __neg__(self) -> Value:
        try:
            return unary(NEG, self) if grad_mode.contexts else fill(blank(), -self._number, NEG, self, 0.0, -1.0, 0.0)
        except AttributeError:
            return unary(NEG, self)

    # fmt: off
    _, __radd__ = sides(ADD)
    __sub__, __rsub__ = sides(ops.SUB)
    _, __rmul__ = sides(MUL)
    __truediv__, __rtruediv__ = sides(ops.DIV)
    _, __rpow__ = sides(ops.POW)
    def __pos__(self) -> Value: return unary(ops.POS, self)
    def __abs__(self) -> Value: return unary(ops.ABS, self)

    def __eq__(self, other: object) -> bool: return compare(self, other, operator.eq)
    def __ne__(self, other: object) -> bool: return compare(self, other, operator.ne)
    __lt__, __le__ = comparison(operator.lt), comparison(operator.le)
    __gt__, __ge__ = comparison(operator.gt), comparison(operator.ge)
    def __bool__(self) -> bool: return bool(compare(self, 0.0, operator.ne))  # which a stand-in refuses
    __hash__ = object.__hash__

    # Those that every network uses; the others are in Methods.
    def exp(self) -> Value: return unary(exp, self)
    def log(self) -> Value: return unary(log, self)
    def tanh(self) -> Value: return unary(tanh, self)
    def relu(self) -> Value: return unary(relu, self)
    def sigmoid(self) -> Value: return unary(sigmoid, self)
    # fmt: on

    def __repr__(self) -> str:
        grad = f", grad={self.grad!r}" if self.swept else ""
        return f"Value({plain(self)!r}{f', label={self.label!r}' if self.label else ''}{grad})"

    def __format__(self, spec: str) -> str:
        return format(plain(self), spec) if spec else repr(self)

    __array_ufunc__ = ufuncs.array_ufunc
    __deepcopy__ = copying.deep
    __reduce_ex__ = copying.reduce


# A new node whose slots are still empty, quicker than object.__new__(Value) and than any `__init__`.
blank: Any = functools.partial(object.__new__, Value)


def node(data: float, op: Any, a: Any, b: Any, da: float, db: Any) -> Value:
    """Record a node; or, inside `no_grad`, a leaf that knows nothing of its origin."""
    contexts = grad_mode.contexts
    if contexts and (tracer := grad_mode.tracer()) is not None:
        return tracer.record(op, b if b.__class__ is tuple else (a, b)[: op.arity])
    if data.__class__ is not float or da.__class__ is not float:  # a user's operation may give another number
        data, da = op.as_float(data, "forward"), op.as_float(da)
    if db.__class__ is not float and db.__class__ is not tuple:
        db = op.as_float(db)
    if contexts and grad_mode.paused():
        op, a, b, da, db = None, 0.0, 0.0, 0.0, 0.0
    return fill(blank(), data, op, a, b, da, db)


def unary(op: Op, a: Value) -> Any:
    """Record an operation on one Value."""
    try:
        x = a._number
    except AttributeError:  # a training block holds it
        x = held.current(a)
    try:
        result = op.forward(x)
        partial = op.partials[0](x, result)
    except (ArithmeticError, ValueError):
        return at_edge(op, (a,))
    if grad_mode.contexts or type(result) is not float or type(partial) is not float:
        return node(result, op, a, 0.0, partial, 0.0)
    if not (
        (1e-100 < partial < 1e100 or -1e100 < partial < -1e-100 or op.kink)
        and (1e-100 < result < 1e100 or -1e100 < result < -1e-100 or result == 0.0)
    ):
        ufuncs.settle()
    new = blank()
    new._number = result
    new.op = op
    new.a = a
    new.da = partial
    new.b = new.db = 0.0
    new.grad = UNSWEPT
    return new


def binary(op: Op, a: Any, b: Any) -> Any:
    """Record an operation on two operands, of which one is a Value; NotImplemented beside anything but numbers and arrays."""
    try:
        x = a._number if isinstance(a, Value) else a if a.__class__ is float else number(a)
        y = b._number if isinstance(b, Value) else b if b.__class__ is float else number(b)
    except (TypeError, AttributeError):  # not a number, one that is being traced, or one that a training block holds
        if is_array(a) or is_array(b):
            return ufuncs.elementwise(op, (a, b))
        inner = unbox(a), unbox(b)
        if inner[0] is not a or inner[1] is not b:
            return binary(op, *inner)
        try:
            x, y = [held.current(x) if isinstance(x, Value) else number(x) for x in inner]
        except (TypeError, AttributeError):
            for x in inner:
                if x.__class__.__module__ == "builtins":
                    number(x)  # which says what to use in place of text, None, a list
            return NotImplemented
    a = a if isinstance(a, Value) else x
    b = b if isinstance(b, Value) else y
    try:
        result = op.forward(x, y)
        da, db = op.partials
        p = 0.0 if a.__class__ is float else da(x, y, result)
        q = 0.0 if b.__class__ is float else db(x, y, result)
        if not (op is MUL or op is ADD or op is ops.SUB or (  # their partials are there without computing anything
            1e-100 < abs(x or 1.0) < 1e100 and 1e-100 < abs(y or 1.0) < 1e100
            and result.__class__ is float and 1e-100 < abs(result or 1.0) < 1e100
        )):  # fmt: skip
            ufuncs.settle()
        return node(result, op, a, b, p, q)
    except (ArithmeticError, ValueError):
        return at_edge(op, (a, b))


def record(op: Op, operands: Sequence[Any]) -> Any:
    """Record any operation: compute value and partials now, keep constants as floats, go through arrays by element."""
    if op.arity == 1:
        return unary(op, operands[0])
    if op.arity == 2 and (result := binary(op, *operands)) is not NotImplemented:
        return result
    try:
        data = [x if x.__class__ is float else x._number for x in operands]
    except AttributeError:  # something that is neither, or one that a training block holds
        if any(map(is_array, operands)):
            return ufuncs.elementwise(op, operands)
        if (tracer := grad_mode.tracer()) is not None:
            return tracer.record(op, operands)
        operands = tuple([x if isinstance(x, Value) else number(x) for x in map(unbox, operands)])
        data = list(map(plain, operands))
    try:
        result = op.forward(*data)
        partials = op.partials_of(data, result)
    except (ArithmeticError, ValueError):
        return at_edge(op, operands)
    if type(result) is not float or not -1e100 < result < 1e100:
        ufuncs.settle()
    if set(map(type, partials)) != {float}:
        partials = [p if p.__class__ is float else op.as_float(p) for p in partials]
    if float in set(map(type, operands)):
        partials = [0.0 if x.__class__ is float else p for p, x in zip(partials, operands, strict=True)]
    return node(result, op, (), operands, 0.0, tuple(partials))


def at_edge(op: Op, operands: Sequence[Any]) -> Any:
    """Record at an edge of the domain, where a slope may be infinite, or raise a DomainError that names the operands."""
    if (tracer := grad_mode.tracer()) is not None:
        return tracer.record(op, operands)
    data = [plain(x) for x in operands]
    names = [describe(x) if isinstance(x, Value) and (x.label or x.op) else "" for x in operands]
    result = op.on_floats(*data, names=names)
    wanted = [isinstance(x, Value) and not grad_mode.paused() for x in operands]
    partials = op.partials_at(data, result, wanted, names)
    ufuncs.settle()
    if math.inf in map(abs, partials):
        grad_mode.edges = True
    if len(operands) > 2 or op.arity is None:
        return node(result, op, (), tuple(operands), 0.0, tuple(partials))
    a, b, da, db = *(*operands, 0.0)[:2], *(*partials, 0.0)[:2]  # the second of each is 0 where there is one operand
    return node(result, op, a, b, da, db)


def neuron(weights: tuple[Any, ...], inputs: tuple[Any, ...], bias: Any) -> Any:
    """Record a weighted sum in one go: weights and bias are Values, inputs all Values or all floats; else NotImplemented."""
    try:
        w, b = [v._number for v in weights], bias._number
        constant = inputs[0].__class__ is float and set(map(type, inputs)) == {float}
        x = inputs if constant else [v._number for v in inputs]
        z = sum(map(operator.mul, w, x), b)
    except (AttributeError, TypeError, IndexError):
        return NotImplemented
    if grad_mode.contexts:
        partials = (*x, *((0.0,) * len(w) if constant else w), 1.0)
        return node(z, WEIGHTED_SUM, (), (*weights, *inputs, bias), 0.0, partials)
    return fill(blank(), z, WEIGHTED_SUM, inputs, weights, bias, x if constant else (*x, *w))


def as_value(x: Any) -> Value:
    """Return a Value as it is, and a float as a constant Value."""
    return x if isinstance(x, Value) else Value(x)


def compare(a: Value, b: Any, relation: Callable[[Any, Any], Any]) -> Any:
    """Compare the number of a Value with another; anything else is left to `b`, or to Python to refuse."""
    if grad_mode.contexts and (tracer := grad_mode.tracer()) is not None:
        return tracer.compare(a, b, relation)
    x, y = plain(a), b
    if isinstance(b, Value):
        y = plain(b)
    elif b.__class__ is not float:
        try:
            number(b)
        except OverflowError:
            pass  # Python compares floats with integers of any size
        except TypeError:
            return NotImplemented
    result = relation(x, y)
    if not result and (x != x or y != y):  # noqa: PLR0124 # NaN
        ufuncs.settle()
    return bool(result)


if native.core is not None:  # it makes the same class, whose slots and operators are its own
    own = native.adopt(Value, {**globals(), "settle": ufuncs.settle, "current": held.current}, OPS, (Methods,), UNSWEPT)
    globals().update(Value=own, blank=functools.partial(object.__new__, own))
    native.replace(globals(), "unary", "binary", "record", "neuron")
if sys.platform == "emscripten":  # a browser's stack is too small for what Python does by itself elsewhere
    Value.__del__ = release
Value.record_operation = staticmethod(record)  # what an Op with a Value among its operands calls
