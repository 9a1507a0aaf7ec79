"""An engine as strangers write them, sixty lines, and five mistakes that people make in one: each must be found.

The engine and its mistakes are the test's own; what is under test are the strategies, which have to draw the code that
shows a mistake, `gradcheck(gradient=…)`, which has to see it, and `check_kinks`, for what no oracle can tell.
"""

import math
import random

import pytest
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample

from autodiff import Value, topological_order
from autodiff.testing import WrongDerivativeError, check_kinks, expressions, gradcheck

OPERATIONS = ["add", "sub", "mul", "pow", "tanh", "relu"]
FAULTS = ["shared node", "pow with a negative base", "tanh of x", "sign of sub", "relu at 0"]


class Node:
    """A number that remembers what it was computed from; `fault` says which mistake this engine makes."""

    fault = None

    def __init__(self, data, parents=(), slopes=()):
        self.data, self.parents, self.slopes, self.grad = data, parents, slopes, 0.0

    @staticmethod
    def of(x):
        return x if isinstance(x, Node) else Node(x)

    def __add__(self, other):
        other = Node.of(other)
        return Node(self.data + other.data, (self, other), (1.0, 1.0))

    def __sub__(self, other):
        other = Node.of(other)
        return Node(self.data - other.data, (self, other), (1.0, 1.0 if Node.fault == "sign of sub" else -1.0))

    def __mul__(self, other):
        other = Node.of(other)
        return Node(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, other):
        exponent = other.data if isinstance(other, Node) else other
        base = abs(self.data) if Node.fault == "pow with a negative base" else self.data
        slopes = [exponent * base ** (exponent - 1.0)]
        if isinstance(other, Node):
            slopes.append(self.data**exponent * math.log(self.data))
        return Node(self.data**exponent, (self, other)[: len(slopes)], slopes)

    def __rpow__(self, base):
        result = base**self.data
        return Node(result, (self,), (result * math.log(base),))

    def __rsub__(self, other):
        return Node(other) - self

    __radd__, __rmul__ = __add__, __mul__

    def tanh(self):
        t = math.tanh(self.data)
        return Node(t, (self,), (1.0 - (self.data if Node.fault == "tanh of x" else t) ** 2,))

    def relu(self):
        positive = self.data >= 0.0 if Node.fault == "relu at 0" else self.data > 0.0
        return Node(max(self.data, 0.0), (self,), (1.0 if positive else 0.0,))

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if node not in seen:
                seen.add(node)
                for parent in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for parent, slope in zip(node.parents, node.slopes, strict=True):
                step = node.grad * slope
                parent.grad = step if Node.fault == "shared node" else parent.grad + step


NAMES = {"tanh": lambda x: Node.of(x).tanh(), "relu": lambda x: Node.of(x).relu()}


def gradient(f, point):
    """Their derivatives of `f` by all inputs, as `laws` and `check_kinks` ask for them."""
    inputs = [Node(x) for x in point]
    Node.of(f(*inputs)).backward()
    return [x.grad for x in inputs]


def is_wrong(f):
    """Whether gradcheck says so of their gradient of what was drawn."""

    def theirs(*point):
        slopes = gradient(f.on(NAMES), point)
        return slopes[0] if len(slopes) == 1 else tuple(slopes)

    try:
        gradcheck(f, *f.point, gradient=theirs)
    except WrongDerivativeError:
        return True
    return False


def operations_in(f):
    return sum(node.op is not None for node in topological_order(f(*map(Value, f.point))))


def least(number):
    """The least expression among 300 on which they are wrong; NoSuchExample where there is none."""
    options = settings(
        max_examples=300, database=None, phases=[Phase.generate, Phase.shrink], deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    return find(expressions(OPERATIONS, max_leaves=6), is_wrong, settings=options, random=random.Random(number))


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("fault", FAULTS[:-1])
def test_a_mistake_is_found_and_shrinks_to_two_operations(fault, number, monkeypatch):
    """300 examples show it, from any of five seeds; what is left of the expression is at most two operations."""
    monkeypatch.setattr(Node, "fault", fault)
    assert operations_in(least(number)) <= 2


def test_a_mistake_at_a_kink_is_found_by_the_kink_check(monkeypatch):
    """relu'(0) = 1 is a matter of policy: no oracle can tell, and `check_kinks` does."""
    check_kinks("relu", NAMES["relu"], gradient)
    monkeypatch.setattr(Node, "fault", "relu at 0")
    with pytest.raises(
        AssertionError, match=r"relu: its partial by operand 1 at relu\(0.0\) is 1.0, and 0.0 was decided"
    ):
        check_kinks("relu", NAMES["relu"], gradient)
    check_kinks("relu", NAMES["relu"], gradient, policy="any slope between")


def test_the_engine_without_a_mistake_passes(monkeypatch):
    """No false alarm in 300 examples."""
    monkeypatch.setattr(Node, "fault", None)
    with pytest.raises(NoSuchExample):
        least(0)
