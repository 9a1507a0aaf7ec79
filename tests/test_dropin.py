"""Scripts written for micrograd's Value or a microgpt-style one run with only the import changed."""

import math
import random

import pytest

import autodiff
from autodiff import Value

micrograd_engine = pytest.importorskip("micrograd.engine", reason="micrograd is a development dependency")
micrograd_nn = pytest.importorskip("micrograd.nn", reason="micrograd is a development dependency")


def expression(number):
    """A long expression with every operation micrograd has, constants on both sides and += among them."""
    a = number(-4.0)
    b = number(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g = 7 - g / 3 + 2**2 * g
    g.backward()
    return g.data, a.grad, b.grad


def test_a_micrograd_expression():
    """The same value and gradients."""
    assert expression(Value) == pytest.approx(expression(micrograd_engine.Value), rel=1e-9)


def train(number):
    """micrograd's own network, loss and training loop, over the given Value."""
    random.seed(1337)
    names = vars(micrograd_nn)
    theirs, names["Value"] = names["Value"], number
    try:
        model = micrograd_nn.MLP(2, [8, 8, 1])
        points = [(random.uniform(-1, 1), random.uniform(-1, 1)) for _ in range(20)]
        signs = [1 if x * y > 0 else -1 for x, y in points]
        losses = []
        for k in range(5):
            scores = [model(list(map(number, p))) for p in points]
            data_loss = sum((1 + -s * score).relu() for s, score in zip(signs, scores, strict=True)) * (
                1.0 / len(points)
            )
            loss = data_loss + 1e-4 * sum(p * p for p in model.parameters())
            model.zero_grad()
            loss.backward()
            for p in model.parameters():
                p.data -= (1.0 - 0.9 * k / 100) * p.grad
            losses.append(loss.data)
        return losses + [p.data for p in model.parameters()]
    finally:
        names["Value"] = theirs


def test_micrograds_network_trains_to_the_same_weights():
    """Five steps of its demo give the same losses and all the same weights."""
    assert train(Value) == pytest.approx(train(micrograd_engine.Value), rel=1e-9, abs=1e-12)


class TupleValue:
    """A Value in microgpt's style, written here as the reference: local gradients as data, one backward loop."""

    def __init__(self, data, children=(), local_grads=()):
        self.data, self.grad, self.children, self.local_grads = data, 0, children, local_grads

    def __add__(self, other):
        other = other if isinstance(other, TupleValue) else TupleValue(other)
        return TupleValue(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, TupleValue) else TupleValue(other)
        return TupleValue(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, n):
        return TupleValue(self.data**n, (self,), (n * self.data ** (n - 1),))

    def log(self):
        return TupleValue(math.log(self.data), (self,), (1 / self.data,))

    def exp(self):
        return TupleValue(math.exp(self.data), (self,), (math.exp(self.data),))

    def relu(self):
        return TupleValue(max(0, self.data), (self,), (float(self.data > 0),))

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-other)

    def __truediv__(self, other):
        return self * other**-1

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other):
        return other + (-self)

    def __rtruediv__(self, other):
        return other * self**-1

    def backward(self):
        order, seen = [], set()

        def visit(v):
            if v not in seen:
                seen.add(v)
                for child in v.children:
                    visit(child)
                order.append(v)

        visit(self)
        self.grad = 1
        for v in reversed(order):
            for child, local in zip(v.children, v.local_grads, strict=True):
                child.grad += local * v.grad


def language_model(number):
    """One step of a tiny character model as microgpt writes them: rmsnorm, softmax, cross-entropy, Adam."""
    rng = random.Random(42)
    make = lambda rows, columns: [[number(rng.gauss(0, 0.5)) for _ in range(columns)] for _ in range(rows)]
    embedding, hidden, head = make(5, 4), make(8, 4), make(5, 8)
    linear = lambda x, w: [sum(wi * xi for wi, xi in zip(row, x, strict=True)) for row in w]

    def softmax(logits):
        top = max(v.data for v in logits)
        exps = [(v - top).exp() for v in logits]
        scale = sum(exps)
        return [e / scale for e in exps]

    def rmsnorm(x):
        scale = (sum(xi * xi for xi in x) / len(x) + 1e-5) ** -0.5
        return [xi * scale for xi in x]

    losses = []
    for now, following in ((0, 1), (1, 2), (2, 4)):
        x = rmsnorm(embedding[now])
        x = [v.relu() for v in linear(x, hidden)]
        losses.append(-softmax(linear(x, head))[following].log())
    loss = (1 / len(losses)) * sum(losses)
    loss.backward()
    parameters = [p for matrix in (embedding, hidden, head) for row in matrix for p in row]
    for p in parameters:
        p.data -= 0.01 * (0.1 * p.grad / (1 - 0.9)) / ((0.01 * p.grad**2 / (1 - 0.99)) ** 0.5 + 1e-8)
        gradient, p.grad = p.grad, 0
        losses.append(gradient)
    return [loss.data] + [p.data for p in parameters] + [float(g) for g in losses[3:]]


def test_a_microgpt_style_model():
    """The same loss, gradients and updated parameters."""
    assert language_model(Value) == pytest.approx(language_model(TupleValue), rel=1e-9, abs=1e-12)


def test_gradients_can_be_assigned_and_reset():
    """`p.grad = 0` before a sweep, as the habit is; the sweep then starts from there."""
    p = Value(2.0)
    (p * 3).backward()
    p.grad = 0
    (p * 5).backward()
    assert p.grad == 5.0
    assert autodiff.total([p, p]).data == 4.0
