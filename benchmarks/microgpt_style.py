"""An opponent for the benchmarks: a scalar Value that keeps its local gradients as data.

The design is that of Karpathy's microgpt, written anew: each node holds a tuple of children and a tuple of local
gradients, a recursive function sorts the graph, and ONE loop applies the chain rule. `sort_iteratively` is a faster
sort than its model has, for a second, stronger opponent.
"""

from __future__ import annotations

import math
from typing import TypeAlias

Number: TypeAlias = "Value | float"


class Value:
    """A number, its gradient, and how it was computed."""

    __slots__ = ("_children", "_local_grads", "data", "grad")

    def __init__(self, data: float, children: tuple[Value, ...] = (), local_grads: tuple[float, ...] = ()) -> None:
        self.data = data
        self.grad = 0.0
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other: Number) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __sub__(self, other: Number) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data - other.data, (self, other), (1.0, -1.0))

    def __mul__(self, other: Number) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __truediv__(self, other: Number) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        result = self.data / other.data
        return Value(result, (self, other), (1.0 / other.data, -result / other.data))

    def __pow__(self, exponent: float) -> Value:
        return Value(self.data**exponent, (self,), (exponent * self.data ** (exponent - 1.0),))

    def __neg__(self) -> Value:
        return Value(-self.data, (self,), (-1.0,))

    def __radd__(self, other: float) -> Value:
        return self + other

    def __rsub__(self, other: float) -> Value:
        return Value(other) - self

    def __rmul__(self, other: float) -> Value:
        return self * other

    def __rtruediv__(self, other: float) -> Value:
        return Value(other) / self

    def __rpow__(self, base: float) -> Value:
        result = base**self.data
        return Value(result, (self,), (result * math.log(base),))

    def tanh(self) -> Value:
        """Hyperbolic tangent."""
        result = math.tanh(self.data)
        return Value(result, (self,), (1.0 - result * result,))

    def relu(self) -> Value:
        """The number where it is positive, else 0; the derivative at 0 is 0."""
        return Value(self.data, (self,), (1.0,)) if self.data > 0.0 else Value(0.0, (self,), (0.0,))

    def exp(self) -> Value:
        """Exponential."""
        result = math.exp(self.data)
        return Value(result, (self,), (result,))

    def log(self) -> Value:
        """Natural logarithm; ValueError for a number that is not positive."""
        return Value(math.log(self.data), (self,), (1.0 / self.data,))

    def backward(self) -> None:
        """Add ∂(self)/∂(node) to the `grad` of every node that this one depends on."""
        order = self._topological_order()
        self.grad = 1.0
        for node in reversed(order):
            delta = node.grad
            for child, local_grad in zip(node._children, node._local_grads):  # noqa: B905 # strict costs time per node
                child.grad += local_grad * delta

    def _topological_order(self) -> list[Value]:
        """Operands first, by recursion, as in its model."""
        order: list[Value] = []
        seen: set[Value] = set()

        def visit(node: Value) -> None:
            if node not in seen:
                seen.add(node)
                for child in node._children:
                    visit(child)
                order.append(node)

        visit(self)
        return order

    def sort_iteratively(self) -> list[Value]:
        """Operands first. A node goes on the stack twice: the second time, below a None, all it needs is listed."""
        order: list[Value] = []
        seen: set[Value] = set()
        stack: list[Value | None] = [self]
        pop, push, see, append = stack.pop, stack.append, seen.add, order.append
        while stack:
            node = pop()
            if node is None:
                append(pop())  # type: ignore[arg-type] # a node lies below every None
            elif node not in seen:
                see(node)
                if node._children:
                    push(node)
                    push(None)
                    for child in node._children:
                        if child not in seen:
                            push(child)
                else:
                    append(node)
        return order
