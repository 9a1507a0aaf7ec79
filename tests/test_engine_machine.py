"""The engine driven as its users do, in any order, against a model that recomputes everything naively.

The model knows nothing of graphs that live: it keeps for every node what it was computed from and the numbers as they
were then, and finds a derivative by walking every path from the root to a leaf, each time anew.
"""

import copy
import math
import pickle
from contextlib import nullcontext

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from autodiff import OPS, Value, grad, no_grad, topological_order, weighted_sum

NUMBERS = st.floats(-2.0, 2.0).map(lambda x: x if abs(x) >= 1e-3 else 0.0)
# Every operation of the machine with its value and partials, written out here once more.
BINARY = {
    "add": (lambda a, b: a + b, lambda a, b: (1.0, 1.0)),
    "sub": (lambda a, b: a - b, lambda a, b: (1.0, -1.0)),
    "mul": (lambda a, b: a * b, lambda a, b: (b, a)),
    "hypot": (math.hypot, lambda a, b: (a / (math.hypot(a, b) or 1.0), b / (math.hypot(a, b) or 1.0))),
    "maximum": (max, lambda a, b: (0.5 * ((a > b) + (a >= b)), 0.5 * ((b > a) + (b >= a)))),
}
UNARY = {
    "tanh": (math.tanh, lambda a: 1.0 / math.cosh(a) ** 2),
    "sin": (math.sin, math.cos),
    "relu": (lambda a: max(a, 0.0), lambda a: float(a > 0.0)),
    "sigmoid": (lambda a: 1.0 / (1.0 + math.exp(-a)), lambda a: math.exp(-abs(a)) / (1.0 + math.exp(-abs(a))) ** 2),
}
LARGEST = 50.0  # beyond this a node is squashed, so that nothing overflows


class Model:
    """A node as the model knows it."""

    def __init__(self, data, operands=(), partials=()):
        self.data, self.operands, self.partials = data, operands, partials
        self.grad = 0.0  # of a leaf
        self.changed = False  # whether its data were assigned after others had been computed from it
        self.paths = 0.0  # the same with every partial's absolute value: what roundings are measured by

    def slopes(self, through=1.0, sizes=1.0):
        """(leaf, product of the partials along it, the same of absolute values) for every path."""
        if not self.operands:
            yield self, through, sizes
        for operand, partial in zip(self.operands, self.partials, strict=True):
            if isinstance(operand, Model):
                yield from operand.slopes(through * partial, sizes * abs(partial))

    def paths_below(self):
        return 1 + sum(x.paths_below() for x in self.operands if isinstance(x, Model))

    def is_stale(self):
        return self.changed or any(x.is_stale() for x in self.operands if isinstance(x, Model))

    def leaves(self):
        return {leaf for leaf, _, _ in self.slopes()}


class Engine(RuleBasedStateMachine):
    """Bundles hold pairs: the Value, and what the model knows of it."""

    nodes = Bundle("nodes")

    def __init__(self):
        super().__init__()
        self.known = []  # every pair that was not dropped, and its graph

    def keep(self, value, model):
        self.known.append((value, model))
        return value, model

    @rule(target=nodes, x=NUMBERS)
    def leaf(self, x):
        return self.keep(Value(x), Model(x))

    @rule(target=nodes, name=st.sampled_from(sorted(UNARY)), a=nodes, recording=st.booleans())
    def unary(self, name, a, recording):
        (value, model), (forward, slope) = a, UNARY[name]
        with nullcontext() if recording else no_grad():
            new = OPS[name](value)
        result = forward(model.data)
        return self.keep(new, Model(result, (model,), (slope(model.data),)) if recording else Model(result))

    @rule(target=nodes, name=st.sampled_from(sorted(BINARY)), a=nodes, b=nodes, recording=st.booleans())
    def binary(self, name, a, b, recording):
        (x, p), (y, q) = a, b
        if p.paths_below() + q.paths_below() > 200:
            return self.unary("tanh", a, False)
        forward, slopes = BINARY[name]
        with nullcontext() if recording else no_grad():
            new = OPS[name](x, y)
        result = forward(p.data, q.data)
        model = Model(result, (p, q), slopes(p.data, q.data)) if recording else Model(result)
        return self.keep(new, model) if abs(result) <= LARGEST else self.unary("tanh", (new, model), recording)

    @rule(target=nodes, a=nodes, x=NUMBERS)
    def with_a_constant(self, a, x):
        value, model = a
        new = x * value - x
        return self.keep(new, Model(x * model.data - x, (model,), (x,)))

    @rule(target=nodes, a=nodes, b=nodes, x=NUMBERS, bias=nodes)
    def neuron(self, a, b, x, bias):
        (v, p), (w, q), (c, r) = a, b, bias
        if p.paths_below() + q.paths_below() + r.paths_below() > 200:
            return a
        new = weighted_sum([v, w], [x, v], c)
        model = Model(p.data * x + q.data * p.data + r.data, (p, q, p, r), (x, p.data, q.data, 1.0))
        return self.keep(new, model) if abs(model.data) <= LARGEST else self.unary("tanh", (new, model), True)

    @rule(root=nodes, times=st.integers(1, 2))
    def sweep(self, root, times):
        value, model = root
        for _ in range(times):
            value.backward()
            for leaf, slope, size in list(model.slopes()):
                leaf.grad += slope
                leaf.paths += size
        assert value.grad == 1.0 or not model.operands

    @rule(root=nodes)
    def sweep_with_graph(self, root):
        """Gradients that are Values have the same numbers; what was computed from data that changed since is refused."""
        value, model = root
        leaves = {id(m): v for v, m in self.known if not m.operands}
        inputs = [leaves[id(leaf)] for leaf in model.leaves() if id(leaf) in leaves]
        if not inputs or not model.operands:
            return
        before = {x: x.grad for x in inputs}
        everywhere = {node: node.grad for node in topological_order(value)}
        for x in inputs:
            x.zero_grad()
        refused = ""
        try:
            value.backward(create_graph=True)
        except RuntimeError as error:
            refused = str(error)
            for x, delta in before.items():
                x.grad = delta
        if refused:
            assert "changed after" in refused
            assert model.is_stale()
            return
        slopes = {}
        for leaf, slope, size in model.slopes():
            total, sizes = slopes.get(id(leaf), (0.0, 0.0))
            slopes[id(leaf)] = total + slope, sizes + size
        for leaf in model.leaves():
            if id(leaf) in leaves:
                total, sizes = slopes[id(leaf)]
                assert abs(leaves[id(leaf)].grad.data - total) <= 1e-9 * sizes + 1e-12
        for node, delta in everywhere.items():
            node.grad = delta
        for x, delta in before.items():
            x.grad = delta

    @rule(a=nodes, x=NUMBERS)
    def change_data(self, a, x):
        """Earlier nodes keep their derivative; later ones use the new number."""
        value, model = a
        value.data = x
        model.data = x
        model.changed = True

    @rule(a=nodes)
    def zero(self, a):
        value, model = a
        value.zero_grad()
        assert value.grad == 0.0
        assert not value.swept
        if not model.operands:
            model.grad = model.paths = 0.0

    @rule(target=nodes, a=nodes, how=st.sampled_from(["copy", "deepcopy", "pickle"]))
    def duplicate(self, a, how):
        """A copy is another graph with the same numbers, gradients included; sweeping it leaves this one alone."""
        value, model = a
        if how == "copy":
            new = copy.copy(value)
            twin = Model(model.data, model.operands, model.partials)
            twin.grad, twin.paths = model.grad, model.paths
        else:
            new = copy.deepcopy(value) if how == "deepcopy" else pickle.loads(pickle.dumps(value))
            twin = copy.deepcopy(model)
        return self.keep(new, twin)

    @rule(a=consumes(nodes))
    def drop(self, a):
        """Forget a node; those computed from it live on, and it is freed with them."""
        self.known = [(value, model) for value, model in self.known if value is not a[0]]

    @rule(a=nodes, x=NUMBERS)
    def nested_derivatives(self, a, x):
        """Derivatives of functions, of any order, in the middle of it all; they write to nobody's grad."""
        value, _ = a
        grads = [(v, v.grad) for v, _ in self.known]
        c = value.data
        assert abs(grad(lambda t: t.sin() * c)(x) - math.cos(x) * c) <= 1e-12 * (1.0 + abs(c))
        assert abs(grad(grad(lambda t: t**3 * c))(x) - 6.0 * x * c) <= 1e-12 * (1.0 + abs(c))
        inner = grad(lambda t: t * grad(lambda u: t * u * u)(x))(x)  # t · 2tx: 4tx, and no confusion of t with u
        assert abs(inner - 4.0 * x * x) <= 1e-12 * (1.0 + x * x)
        assert all(v.grad == g for v, g in grads)

    @precondition(lambda self: self.known)
    @invariant()
    def numbers_and_gradients_are_the_model_s(self):
        for value, model in self.known:
            assert abs(value.data - model.data) <= 1e-12 * (1.0 + abs(model.data))
            if not model.operands:
                assert abs(value.grad - model.grad) <= 1e-12 * model.paths + 1e-15, (value, model.grad)


Engine.TestCase.settings = settings(settings.default, stateful_step_count=25, deadline=None)
TestEngine = Engine.TestCase


def test_a_machine_whose_engine_loses_a_path_finds_out(monkeypatch):
    """The model is no copy of the engine: an engine that doubles what it adds is found in a few steps."""
    honest = Value.backward

    def forgetful(self, **options):
        honest(self, **options)
        for node in topological_order(self):
            if node.op is None and len(topological_order(self)) > 2:
                node.grad *= 2.0

    monkeypatch.setattr(Value, "backward", forgetful)
    options = settings(max_examples=200, stateful_step_count=20, deadline=None, database=None, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Engine, settings=options)
