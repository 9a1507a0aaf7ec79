"""The compiler's passes one by one: what each promises to the next, and what it leaves as it was."""

import contextlib
import itertools
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autodiff import (
    OPS,
    Op,
    Value,
    clip,
    erf,
    exp,
    grad_mode,
    leaky_relu,
    log,
    logsumexp,
    maximum,
    mean,
    no_grad,
    relu,
    sigmoid,
    sqrt,
    step,
    tanh,
    total,
    weighted_sum,
    where,
)
from autodiff.compiler import code as ir
from autodiff.compiler.code import Code, Var, contiguous
from autodiff.compiler.fast import Fast
from autodiff.compiler.graph import Graph
from autodiff.compiler.group import Grouping
from autodiff.compiler.instance import Instance
from autodiff.compiler.kernels import Erf, guarded_dot
from autodiff.compiler.point import Point
from autodiff.compiler.reverse import backward
from autodiff.compiler.simplify import live, needed_nodes, simplify, sums_of_products
from autodiff.compiler.tape import Tape
from autodiff.compiler.trace import TraceError, trace
from autodiff.compiler.versions import Version
from autodiff.testing import expressions

CLOSE = {"rtol": 1e-11, "atol": 1e-11}  # a few dozen roundings of numbers about one


def traced(f, *shapes):
    """A function's graph; shapes are () for a number, (n,) for n of them."""
    return trace(f, list(shapes), [f"x{i}" for i in range(len(shapes))], frozenset())


def computed(graph, *arguments):
    """What a graph says, node by node, on floats: the meaning that every pass must keep."""
    arguments = [np.ravel(a).tolist() for a in arguments]
    value = [0.0] * len(graph.ops)
    for i, op in enumerate(graph.ops):
        if i in graph.constants:
            value[i] = graph.constants[i]
        elif i in graph.parameters:
            value[i] = graph.parameters[i].data
        elif i in graph.inputs:
            value[i] = arguments[graph.inputs[i].argument][graph.inputs[i].entry]
        elif i in graph.sums:
            terms, constant = graph.sums[i]
            value[i] = constant + math.fsum(c * value[a] * (1.0 if b is None else value[b]) for c, a, b in terms)
        elif op is not None:
            value[i] = op.on_floats(*[value[x] for x in graph.operands[i]])
    return [value[x] for x in graph.outputs]


def nodes(graph, op):
    return [i for i, each in enumerate(graph.ops) if each is op and i not in graph.sums]


def well_formed(graph):
    """Operands before what is made of them, and not left out; leaves in exactly one table."""
    there = set()
    for i, op in enumerate(graph.ops):
        tables = (i in graph.constants) + (i in graph.parameters) + (i in graph.inputs)
        assert tables <= (op is None)
        if tables or op is not None:
            assert all(x < i and x in there for x in graph.below(i))
            there.add(i)
    assert there.issuperset(graph.outputs)
    assert there.issuperset(graph.labels)
    assert len(there) == graph.size
    return True


# Trace.


def test_a_trace_is_what_was_written():
    """One node per operation, operands in order, constants and leaves once, labels from the arguments."""
    w = Value(2.0, "w")
    graph = traced(lambda x, y: (x[1] - 3.0) * w / y + 3.0 * w, (2,), ())
    assert well_formed(graph)
    assert [op.name for op in graph.ops if op] == ["sub", "mul", "div", "mul", "add"]
    assert list(graph.constants.values()) == [3.0]
    assert list(graph.parameters.values()) == [w]
    assert [tuple(place) for place in graph.inputs.values()] == [(0, 0), (0, 1), (1, 0)]
    assert [graph.labels[i] for i in graph.inputs] == ["x0[0]", "x0[1]", "x1"]
    assert graph.labels[next(iter(graph.parameters))] == "w"
    assert computed(graph, [5.0, 7.0], 4.0) == [8.0]


def test_outputs_have_a_shape():
    """One number, sequences, arrays, constants among them."""
    for f, shape in (
        (lambda x: x, ()),
        (lambda x: [x, 1.0], (2,)),
        (lambda x: np.array([[x, x]]), (1, 2)),
        (lambda x: ((x,), [x]), (2, 1)),
        (lambda x: 2, ()),
    ):
        graph = traced(f, ())
        assert graph.shape == shape
        assert len(graph.outputs) == math.prod(shape)


def test_labels_given_inside_are_kept():
    """A name for an intermediate result stands in the graph, and no pass merges it away."""

    def f(x):
        z = x * 2.0 + 1.0
        z.label = "z"
        assert z.label == "z"
        return tanh(z + x)

    graph = traced(f, ())
    assert "z" in graph.labels.values()
    assert "z" in simplify(graph).labels.values()
    with pytest.raises(TypeError, match="a label must be text"):
        traced(lambda x: setattr(x * 2.0, "label", 3), ())


def test_no_grad_marks_what_is_stopped():
    """Nodes computed in no_grad, and only they."""

    def f(x):
        a = x * 2.0
        with no_grad():
            b = a + 1.0
        return b * a

    graph = traced(f, ())
    assert [graph.ops[i].name for i in graph.stopped] == ["add"]


def test_tracing_state_is_closed_on_every_way_out():
    """After a return, an error of the user's, a TraceError: nobody is traced."""
    for f in (lambda x: x, lambda x: 1 / 0, lambda x: float(x), lambda x: None):
        with contextlib.suppress(ZeroDivisionError, TraceError, TypeError):
            traced(f, ())
        assert grad_mode.contexts == 0
        assert grad_mode.tracer() is None


@given(expressions())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_passes_keep_the_meaning(f):
    """Traced, without dead code, as sums of products: each graph computes the function, and is well formed."""
    graph = traced(f, *[()] * len(f.point))
    wanted = float(f(*f.point))
    assert well_formed(graph)
    assert computed(graph, *f.point)[0] == wanted
    alive = live(graph)
    assert well_formed(alive)
    assert alive.size <= graph.size
    assert computed(alive, *f.point)[0] == wanted
    sums = sums_of_products(alive)
    assert well_formed(sums)
    np.testing.assert_allclose(computed(sums, *f.point)[0], wanted, **CLOSE)


# Simplify.


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: x + 0.0, 0), (lambda x: 0.0 + x, 0), (lambda x: x - 0.0, 0), (lambda x: 1.0 * x, 0), (lambda x: x * 1.0, 0),
        (lambda x: x / 1.0, 0), (lambda x: x**1.0, 0), (lambda x: +x, 0), (lambda x: Value(2.0) * 3.0 + 1.0, 0),
        (lambda x: exp(x) * exp(x), 2), (lambda x: (x * 2.0) + (x * 2.0), 2), (lambda x: (exp(x), log(x), x)[2], 0),
        (lambda x: x - x, 1), (lambda x: x * 0.0, 1), (lambda x: x / x, 1), (lambda x: 1.0 / x, 1),
    ],
)  # fmt: skip
def test_what_is_shared_and_dropped(f, expected):
    """Identities that hold for all numbers, equal computations, dead code; not those that NaN or infinity break."""
    graph = live(traced(f, ()))
    assert sum(op is not None for op in graph.ops) == expected
    wanted = f(Value(1.5))
    assert computed(graph, 1.5) == [wanted.data if isinstance(wanted, Value) else wanted]


def test_constants_outside_a_domain_are_left_to_the_batch():
    """log(-1) of constants is no reason to fail while simplifying: the batch has NaN there."""
    graph = traced(lambda x: where(x > 0.0, x, log(Value(-1.0))), ())
    assert len(nodes(graph, OPS["log"])) == 1


def test_signs_of_zero_are_told_apart():
    """atan2(0, x) and atan2(-0, x) differ by 2π for negative x: they are not equal computations."""
    graph = traced(lambda x: OPS["atan2"](0.0, x) - OPS["atan2"](-0.0, x), ())
    assert len(nodes(graph, OPS["atan2"])) == 2
    assert computed(graph, -1.0) == [2 * math.pi]


def test_dead_code_goes_and_arguments_stay():
    """What no output needs is gone; arguments are part of the call, used or not."""
    graph = live(traced(lambda x, y: (exp(x) * 3.0, x + 1.0)[1], (), ()))
    assert len(graph.inputs) == 2
    assert [op.name for op in graph.ops if op] == ["add"]
    assert sum(needed_nodes(graph)) == graph.size


def test_sums_of_products_whoever_wrote_them():
    """Σ wx + b by operators, by sum(), by weighted_sum, by total: the same terms."""
    w = [Value(1.0), Value(2.0), Value(3.0)]
    b = Value(0.5)
    forms = [
        lambda x: w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + b,
        lambda x: sum((v * y for v, y in zip(w, x, strict=True)), b),
        lambda x: weighted_sum(w, x, b),
        lambda x: b + total([v * y for v, y in zip(w, x, strict=True)]),
        lambda x: w[0] * x[0] - (-(w[1] * x[1])) + (w[2] * x[2] - (-b)),
    ]
    for f in forms:
        graph = simplify(traced(f, (3,)))
        (top,) = graph.outputs
        terms, constant = graph.sums[top]
        assert constant == 0.0
        found = {(c, frozenset({left, right} - {None})) for c, left, right in terms}
        places = {id(v): i for i, v in graph.parameters.items()}
        x = list(graph.inputs)
        assert found == {(1.0, frozenset({places[id(v)], i})) for v, i in zip(w, x, strict=True)} | {
            (1.0, frozenset({places[id(b)]}))
        }


def test_sums_keep_coefficients_and_constants():
    """Means, differences, constants times and beside: all in one sum."""
    graph = simplify(traced(lambda x, y: mean([2.0 * x, 3.0 * y, 4.0 * (x * y), Value(6.0)]) - (5.0 - x), (), ()))
    (top,) = graph.outputs
    terms, constant = graph.sums[top]
    assert constant == -3.5
    assert sorted(c for c, _, _ in terms) == [0.5, 0.75, 1.0, 1.0]
    np.testing.assert_allclose(
        computed(graph, 0.3, -0.7), [(0.6 - 2.1 + 4 * 0.3 * -0.7 + 6) / 4 - (5 - 0.3)], rtol=1e-14
    )


def test_what_others_use_or_name_stays_a_node():
    """A sum with two readers, with a name, an output, one computed in no_grad: none is taken into another."""

    def named(x, y):
        z = x + y
        z.label = "z"
        return z + x * y

    def stopped(x, y):
        with no_grad():
            z = x + y
        return z + x

    for f in (lambda x, y: (x + y) * 2.0 + exp(x + y), named, lambda x, y: [x + y, (x + y) + x], stopped):
        graph = simplify(traced(f, (), ()))
        assert sum(op is OPS["add"] for op in graph.ops) >= 2
        assert np.allclose(
            computed(graph, 0.25, 0.5),
            np.ravel([float(getattr(v, "data", v)) for v in np.ravel(f(Value(0.25), Value(0.5)))]),
        )


def test_a_long_sum_is_one_sum_in_linear_time():
    """Ten thousand additions in a row are one node of ten thousand terms."""
    n = 10_000
    graph = simplify(traced(lambda x: sum(x[i % 5] * float(i) for i in range(n)), (5,)))
    (top,) = graph.outputs
    assert len(graph.sums[top][0]) == n  # 0 · x is one of them: it is NaN where x is
    assert sum(op is not None for op in graph.ops) <= 2


# Group.


def grouped(f, *shapes, batched=None, arguments=frozenset(), parameters=True, **options):
    graph = simplify(traced(f, *shapes))
    sizes = [math.prod(shape) if shape else None for shape in shapes]
    grouping = Grouping(
        graph, sizes, batched or [True] * len(shapes), parameters=parameters, arguments=frozenset(arguments), **options
    )
    return grouping.run(), grouping


def layers(*sizes, act=tanh, micrograd=False):
    """A network with parameters of its own; written as sums of products or with operators."""
    rng = np.random.default_rng(0)
    network = [
        [([Value(x) for x in rng.normal(size=n)], Value(rng.normal())) for _ in range(m)]
        for n, m in itertools.pairwise(sizes)
    ]

    def f(x):
        for layer in network:
            x = [
                act(sum((a * b for a, b in zip(w, x, strict=True)), b) if micrograd else weighted_sum(w, x, b))
                for w, b in layer
            ]
        return x[0] if len(x) == 1 else x

    return f, network


@pytest.mark.parametrize("micrograd", [True, False])
@pytest.mark.parametrize("sizes", [(2, 4, 1), (3, 3, 3, 2), (1, 5, 1), (8, 1), (2, 16, 16, 1)])
def test_each_layer_is_one_product(sizes, micrograd):
    """However it was written: weights a view of the flat array, rows [weights, bias] side by side, one array per layer."""
    f, network = layers(*sizes, micrograd=micrograd)
    code, _ = grouped(f, (sizes[0],))
    products = [v for v in code.vars if v.kind == ir.MATMUL]
    assert len(products) == code.matrix_products == len(sizes) - 1
    for product, layer in zip(products, network, strict=True):
        matrix, _, bias = product.args
        assert matrix.kind == bias.kind == ir.VIEW
        assert matrix.args[0].kind == bias.args[0].kind == ir.FLAT
        n = len(layer[0][0])
        assert matrix.units == (len(layer), n)
        flat = np.array([p.data for p in code.parameters])
        start = matrix.info[0]
        block = flat[start : start + len(layer) * (n + 1)].reshape(len(layer), n + 1)
        np.testing.assert_array_equal(block, [[*(p.data for p in w), b.data] for w, b in layer])
    assert len(code.parameters) == sum(m * (n + 1) for n, m in itertools.pairwise(sizes))


def test_parameters_are_each_in_the_flat_array_once():
    """Shared, unused by products, met twice: one place each, and every one has a place."""
    f, network = layers(3, 3)
    v = Value(2.0)
    code, _ = grouped(lambda x: f(f(x))[0] * v + v * v, (3,))
    wanted = {id(p) for w, b in network[0] for p in (*w, b)} | {id(v)}
    assert sorted(map(id, code.parameters)) == sorted(wanted)


def test_nodes_that_differ_do_not_share_a_group():
    """By operation, by level, by whether a δ is wanted, by a constant that rules by value, by no_grad."""

    def f(x):
        with no_grad():
            stopped = [tanh(v) for v in x]
        return sum([*(tanh(v) for v in x), *(exp(v) for v in x), *(v**2 for v in x), *(v**3 for v in x), *stopped])

    _, grouping = grouped(f, (9,))
    assert grouping.groups == 5 + 1
    shared, _ = grouped(lambda x, y: sum(tanh(v) for v in [*x, *y]), (9,), (9,), batched=[True, False], arguments={0})
    assert sum(v.op is OPS["tanh"] for v in shared.vars) == 2


def test_placed_parameters_keep_their_place():
    """A second version of a program lays them out as the first one did."""
    f, _ = layers(2, 3, 1)
    graph = simplify(traced(f, (2,)))
    order = list(graph.parameters)[::-1]
    code = Grouping(graph, [2], [True], parameters=True, arguments=frozenset(), placed=order).run()
    assert code.parameters == [graph.parameters[i] for i in order]


# Code.


def test_equal_vars_are_made_once_and_identities_are_used():
    """The code's own simplifications, each with its value for NaN in the forward pass."""
    code = Code()
    x = code.new(ir.INPUT, (), (), batched=True, info=0)
    y = code.new(ir.INPUT, (), (), batched=True, info=1)
    assert x + y is x + y
    assert x + 0.0 is x
    assert 0.0 + x is x
    assert x - 0.0 is x
    assert x * 1.0 is x
    assert (0.0 - x).op is OPS["neg"]
    assert OPS["neg"](-x) is x
    assert (x * -1.0).op is OPS["neg"]
    assert (x + (-y)).op is OPS["sub"]
    assert ((-x) + y).args == (y, x)
    assert x - (-y) is x + y
    assert x**1.0 is x
    assert x**0.0 == 1.0
    assert (0.0 * x).__class__ is Var
    assert (x + x).args == (2.0, x)
    assert contiguous((2, 3, 4)) == (12, 4, 1)
    with pytest.raises(TypeError, match=r"must not decide by a number with `if`.*autodiff\.where"):
        bool(x > 0.0)


def test_a_rule_that_decides_by_if_is_refused_by_name():
    """An Op of the user's whose partial uses `if` cannot serve arrays: the error says how to write it."""
    bad = Op("bad", "bad", abs, np.abs, (lambda a, r: 1.0 if a > 0.0 else -1.0,))
    code, _ = grouped(lambda x: bad(x), (), arguments={0})
    with pytest.raises(TypeError, match=r"must not decide by a number with `if`"):
        backward(code)


# Reverse and fast.


def run(code, flat, *arguments, seeds=None):
    """A code with one output on these arguments: values, gradient, derivatives by arguments, all copied."""
    fast = Fast(code)
    n = len(arguments[0])
    instance = Instance(fast, n, np.array(flat, dtype=float))
    given = [a if a.ndim == 1 else a.reshape(n, -1).T for a in map(np.asarray, arguments)]
    for _ in range(2):  # the second run finds the buffers used
        instance.run(*given, *([] if seeds is None else [np.asarray(seeds)]))
    by = {i: result(instance, code.input_gradients.get(i, 0.0), np.shape(a)) for i, a in enumerate(given)}
    return result(instance, code.outputs[0], n), instance.gradient.copy(), by


def result(instance, x, shape):
    """What a code gives, units × rows: a number, or what is the same for all rows, is spread over them."""
    return np.broadcast_to(x if isinstance(x, float) else instance.array(x), shape).copy()


def differences(f, x, step=1e-6):
    """Central differences by every entry of x."""
    slopes = np.empty_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        slopes[i] = (f(up) - f(down)) / (2 * step)
    return slopes


def test_the_reverse_pass_agrees_with_differences():
    """δ by parameters and inputs of a network, against differences of the forward pass alone."""
    f, _ = layers(3, 4, 4, 1)
    code, _ = grouped(lambda x: f(x) ** 2, (3,), arguments={0})
    flat = np.array([p.data for p in code.parameters])
    backward(code)
    X = np.random.default_rng(1).normal(size=(5, 3))
    forward, _ = grouped(lambda x: f(x) ** 2, (3,))
    value = lambda flat, X: float(run(forward, flat, X)[0].sum())
    _, gradient, by = run(code, flat, X)
    # Differences with a step of 1e-6 are good to about 1e-9: rounding 1e-16 / 1e-6 and the third derivative times 1e-12.
    np.testing.assert_allclose(gradient, differences(lambda p: value(p, X), flat), atol=1e-7)
    np.testing.assert_allclose(by[0].T, differences(lambda x: value(flat, x), X), atol=1e-7)


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.parametrize("careful", [False, True])
def test_versions_of_the_reverse_pass_agree(per_row, seeded, careful):
    """Summed or by rows, with seeds or without, careful or not: the same numbers wherever all are finite."""
    f, _ = layers(2, 3, 1, act=relu)
    h = lambda x: where(x[0] > 0.0, f(x) + x[1], sqrt(abs(x[1]) + 1.0) * f(x))
    code, _ = grouped(h, (2,), arguments={0}, careful=careful)
    backward(code, per_row=per_row, seeded=seeded, careful=careful)
    X = np.random.default_rng(2).normal(size=(6, 2))
    seeds = np.linspace(1.0, 2.0, 6) if seeded else None
    flat = [p.data for p in code.parameters]
    plain, _ = grouped(h, (2,), arguments={0})
    backward(plain, per_row=True)
    fast = Fast(plain)
    instance = Instance(fast, 6, np.array(flat))
    instance.run(X.T)
    rows, by = instance.array(plain.gradient).T, instance.array(plain.input_gradients[0]).T
    scale = np.ones(6) if seeds is None else seeds
    fast = Fast(code)
    instance = Instance(fast, 6, np.array(flat))
    for _ in range(2):
        instance.run(X.T, *([seeds] if seeded else []))
        if per_row:
            np.testing.assert_allclose(instance.array(code.gradient).T, rows * scale[:, None], **CLOSE)
        else:
            np.testing.assert_allclose(instance.gradient, scale @ rows, **CLOSE)
        np.testing.assert_allclose(instance.array(code.input_gradients[0]).T, by * scale[:, None], **CLOSE)


def test_sums_of_what_lies_scattered():
    """Sums along an axis of numbers copied together: their δ is spread over all of them, on every call anew."""

    def f(x, y):
        one = tanh(x) + exp(x) + OPS["sin"](x) + OPS["cos"](x)
        two = tanh(y) + exp(y) + OPS["sin"](y) + OPS["cos"](y)
        return OPS["sin"](one) * two

    code, _ = grouped(f, (), (), arguments={0, 1})
    assert any(v.kind == ir.SUM and len(v.units) == 1 for v in code.vars)
    backward(code)
    x, y = np.array([0.3, -0.4, 1.0]), np.array([0.1, 0.2, -0.3])
    s, t = (np.tanh(a) + np.exp(a) + np.sin(a) + np.cos(a) for a in (x, y))
    ds, dt = (1 - np.tanh(a) ** 2 + np.exp(a) + np.cos(a) - np.sin(a) for a in (x, y))
    values, _, by = run(code, [], x, y)
    np.testing.assert_allclose(values, np.sin(s) * t, **CLOSE)
    np.testing.assert_allclose(by[0], np.cos(s) * ds * t, **CLOSE)
    np.testing.assert_allclose(by[1], np.sin(s) * dt, **CLOSE)


def test_views_of_what_is_spread():
    """A view of an expansion looks at what it expands: at the same numbers, and with no memory of its own."""
    code = Code()
    x = code.new(ir.INPUT, (), (3,), batched=True, info=0)
    spread = code.expand(x, (3, 4))
    flat = code.view(spread, 0, (1,), (12,))
    assert flat.kind == ir.TAKE
    np.testing.assert_array_equal(flat.info, np.repeat([0, 1, 2], 4))
    one = code.view(spread, 7, (), ())
    assert (one.kind, one.args, one.info) == (ir.VIEW, (x,), (1, ()))
    np.testing.assert_array_equal(code.view(spread, 1, (4,), (3,)).info, [0, 1, 2])


STEPS = {
    "clip": lambda x: clip(x, -0.5, 0.5), "sigmoid": sigmoid, "relu": relu, "leaky": lambda x: leaky_relu(x, 0.1),
    "leaky 1": lambda x: leaky_relu(x, 1.0), "leaky -": lambda x: leaky_relu(x, -0.5), "step": step, "erf": erf, "square": lambda x: x**2, "cube": lambda x: x**3,
    "root": lambda x: (x + 3.0) ** 0.5, "inverse": lambda x: (x + 3.0) ** -1.0, "other power": lambda x: (x + 3.0) ** 1.7, "positive": lambda x: (x > 0.0) * x,
    "where": lambda x: where(x > 0.0, x, -x), "where number": lambda x: where(x, 1.0 + x, 2.0 + x), "maximum": lambda x: maximum(x, -x * 0.5),
    "in place": lambda x: exp(tanh(exp(tanh(x)))), "kept": lambda x: exp(x) * (exp(x) + tanh(exp(x))), "lse": lambda x: logsumexp([x, 2.0 * x, x - 1.0]),
    "lse 1": lambda x: logsumexp([x]), "relu twice": lambda x: relu(x) + (x > 0.0) * exp(x) + relu(-x),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_each_form_the_emitter_knows(name):
    """Alone, on a group of ten, and in a program long enough for the list of steps: as the eager engine has it."""
    f = STEPS[name]
    x = np.array([-2.0, -0.7, -0.1, 0.3, 0.5, 1.4])
    if name in {"where", "where number", "maximum", "leaky", "relu", "relu twice", "positive"}:
        x = np.append(x, 0.0)
    wanted, slopes = [], []
    for each in x.tolist():
        leaf = Value(each)
        out = f(leaf)
        out.backward()
        wanted.append(out.data)
        slopes.append(leaf.grad)
    wanted, slopes = np.array(wanted), np.array(slopes)
    code, _ = grouped(f, (), arguments={0})
    backward(code)
    values, _, by = run(code, [], x)
    np.testing.assert_allclose(np.broadcast_to(values, x.shape), wanted, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(np.broadcast_to(by[0], x.shape), slopes, rtol=1e-13, atol=1e-15)
    code, _ = grouped(lambda v: sum(f(each) * float(k + 1) for k, each in enumerate(v)), (10,), arguments={0})
    backward(code)
    X = np.repeat(x[:, None], 10, axis=1)
    values, _, by = run(code, [], X)
    np.testing.assert_allclose(values, wanted * 55.0, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(by[0], np.outer(np.arange(1.0, 11.0), slopes), rtol=1e-12, atol=1e-13)


def test_long_programs_run_from_a_list():
    """Above a thousand arrays there is no text: the same steps, one after another."""

    def f(x, y):
        h = x
        for k in range(300):
            h = OPS["sin"](h * (1.0 + 0.001 * k) + y)
            h = where(h > 0.3, h * h, clip(h, -0.5, 2.0))
        return relu(h) + (h > 0.0) * y

    code, _ = grouped(f, (), (), arguments={0, 1})
    backward(code, seeded=True)
    fast = Fast(code)
    assert fast.layout.long
    x, y, seeds = np.array([0.3, -0.4, 1.0]), np.array([0.1, 0.2, -0.3]), np.array([1.0, 2.0, -1.0])
    values, _, by = run(code, [], x, y, seeds=seeds)
    for i in range(3):
        a, b = Value(x[i]), Value(y[i])
        out = f(a, b)
        out.backward()
        np.testing.assert_allclose(values[i], out.data, **CLOSE)
        np.testing.assert_allclose([by[0][i], by[1][i]], [a.grad * seeds[i], b.grad * seeds[i]], **CLOSE)


@pytest.mark.parametrize("width", [15, 16])
def test_wide_arguments_are_read_as_they_come(width):
    """From sixteen numbers on, where products alone read them; not where anything else does."""
    f, _ = layers(width, 4, 1)
    code, _ = grouped(f, (width,))
    backward(code)
    assert bool(Fast(code).layout.wide) == (width >= 16)
    other, _ = grouped(lambda x: f(x) + x[0], (width,))
    backward(other)
    assert not Fast(other).layout.wide


def test_buffers_are_used_again_and_results_are_not():
    """A long chain of elementwise steps needs a few buffers; what the program gives keeps its own."""

    def f(x):
        for _ in range(60):
            x = tanh(x)
        return x

    code, _ = grouped(f, ())
    assert len(Fast(code).slots) <= 3
    outputs, _ = grouped(lambda x: [tanh(x), tanh(tanh(x)), tanh(tanh(tanh(x)))], ())
    fast = Fast(outputs)
    instance = Instance(fast, 2, np.zeros(0))
    instance.run(np.array([0.5, 1.0]))
    t = np.tanh([0.5, 1.0])
    np.testing.assert_allclose(instance.array(outputs.outputs[0]), [t, np.tanh(t), np.tanh(np.tanh(t))], rtol=1e-15)


def test_names_of_the_text_never_meet():
    """Constants and inputs of products once had one name: a constant was then an array."""
    w = [Value(0.5), Value(-1.0), Value(2.0)]
    f = lambda x, y: tanh(weighted_sum(w, x) + 0.3) * 0.5 + x[1] * 0.3 * y + sqrt(y + 1.1) * 7.0 + 11.0 * x[2]
    code, _ = grouped(f, (3,), (), arguments={0, 1})
    backward(code)
    fast = Fast(code)
    assert len(fast.bound) == len(set(fast.bound))
    X, y = np.random.default_rng(4).uniform(size=(4, 3)), np.array([0.1, 0.2, 0.3, 0.4])
    values, gradient, _ = run(code, [p.data for p in code.parameters], X, y)
    z = np.tanh(X @ [0.5, -1.0, 2.0] + 0.3)
    np.testing.assert_allclose(values, z * 0.5 + X[:, 1] * 0.3 * y + np.sqrt(y + 1.1) * 7.0 + 11.0 * X[:, 2], **CLOSE)
    order = [w.index(p) for p in code.parameters]
    np.testing.assert_allclose(gradient, ((0.5 * (1 - z**2)) @ X)[order], **CLOSE)


def test_a_quotient_takes_one_more_division_for_both_its_derivatives():
    """∂(a/b) is δ/b and −δ/b · a/b: two divisions in all."""
    code, _ = grouped(lambda a, b: a / b, (), (), arguments=(0, 1))
    backward(code, per_row=True)
    assert sum(v.op is OPS["div"] for v in code.vars) == 2
    a, b = np.array([1.0, -3.0, 0.5]), np.array([2.0, 0.25, -4.0])
    _, _, by = run(code, [], a, b)
    np.testing.assert_allclose(by[0], 1 / b, rtol=1e-15)
    np.testing.assert_allclose(by[1], -a / b**2, rtol=1e-15)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_blocks_are_alike(threads):
    """They go evenly on threads, none is much larger than the most, and rows of units do not lie pages apart."""
    code, _ = grouped(exp, ())
    version = Version(Fast(code), np.zeros(0))
    version.block = 1500
    for rows in (1, 511, 512, 1500, 1501, 3000, 10_000, 100_003, 2**20):
        each = version.rows_at_once(rows, threads)
        blocks = -(-rows // each)
        assert each <= version.block + 8
        assert blocks == 1 or (each % 512 and blocks % threads == 0)


# Kernels.


def test_erf_is_good_to_two_ulps():
    """The table with its fraction against the C library, from denormals to infinity, on both sides."""
    x = np.concatenate([np.linspace(-7.0, 7.0, 20011), np.logspace(-320, 1, 500), [0.0, -0.0, np.inf, -np.inf, 1e300]])
    out = np.empty_like(x)
    with np.errstate(all="ignore"):
        Erf(x.shape)(x, out)
    wanted = np.array([math.erf(v) for v in x])
    assert np.all(np.abs(out - wanted) <= 4 * np.spacing(np.maximum(np.abs(wanted), 1e-300)))
    np.testing.assert_array_equal(np.signbit(out), np.signbit(x))
    with np.errstate(all="ignore"):
        Erf((1,))(np.array([np.nan]), out[:1])
    assert np.isnan(out[0])


def test_the_guarded_product_lets_zero_win():
    """0 · ∞ adds nothing; what is NaN by itself stays NaN; all else is the product."""
    a = np.array([[0.0, 1.0], [2.0, 0.0], [np.nan, 1.0]])
    b = np.array([[np.inf, 1.0, 0.0], [3.0, np.inf, 5.0]])
    out = np.empty((3, 3))
    with np.errstate(all="ignore"):
        guarded_dot(a, b, out)
    np.testing.assert_array_equal(out, [[3.0, np.inf, 5.0], [np.inf, 2.0, 0.0], [np.nan, np.nan, 5.0]])


# Point.


def point(f, *shapes, arguments=()):
    graph = simplify(traced(f, *shapes))
    sizes = [math.prod(shape) if shape else None for shape in shapes]
    code = Grouping(
        graph, sizes, [False] * len(shapes), parameters=True, arguments=frozenset(arguments), grouped=False
    ).run()
    if len(code.outputs) == 1:
        backward(code, per_row=True)
    return Point(code, [f"x{i}" for i in range(len(shapes))]), [p.data for p in code.parameters]


@given(expressions())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_straight_line_code_is_the_function(f):
    """On floats: value and derivatives of the eager engine."""
    k = len(f.point)
    made, flat = point(f, *[()] * k, arguments=range(k))
    value, gradient, by = made.function(tuple(range(k)), single=False, gradient=True)(flat, *f.point)
    leaves = [Value(x) for x in f.point]
    out = f(*leaves)
    out.backward()
    np.testing.assert_allclose(value, out.data, **CLOSE)
    np.testing.assert_allclose(by, [leaf.grad for leaf in leaves], **CLOSE)
    assert len(gradient) == 0


def test_one_argument_or_several_arrays_or_numbers():
    """`single` gives the derivative itself, otherwise a tuple; arrays come back as lists; unreached ones as 0."""
    f = lambda x, v, u: x * v[0] * v[1]
    for arguments, single, wanted in (
        ((0,), True, 6.0),
        ((0,), False, (6.0,)),
        ((1, 0), False, ([15.0, 10.0], 6.0)),
        ((2,), True, 0.0),
        ((), False, None),
    ):
        made, flat = point(f, (), (2,), (2,), arguments=arguments)
        answer = made.function(arguments, single=single, gradient=True)(flat, 5.0, [2.0, 3.0], [1.0, 1.0])
        assert answer[0] == 30.0
        assert (answer[2] if wanted is not None else None) == wanted
    made, _ = point(lambda v: v[0] * 3.0, (1,), arguments={0})
    assert made.function((0,), single=True, gradient=True)([], [2.0])[2] == [3.0]
    made, _ = point(lambda v: v[0] * v[0], (1,), arguments={0})
    assert made.function((0,), single=True, gradient=True)([], [2.0])[2] == [4.0]


def test_points_beyond_floats_are_handed_back():
    """An overflow, an edge, a result that is not finite: ArithmeticError or ValueError, for arrays to answer."""
    for f, x in (
        (exp, 1000.0),
        (log, 0.0),
        (log, -1.0),
        (lambda x: 1.0 / x, 0.0),
        (sqrt, 0.0),
        (lambda x: x * 1e308, 1e308),
    ):
        made, flat = point(f, (), arguments={0})
        with pytest.raises((ArithmeticError, ValueError)):
            made.function((0,), single=True, gradient=True)(flat, x)


def test_deep_expressions_do_not_exhaust_the_parser():
    """Two thousand nested operations, and a sum of as many terms."""

    def deep(x):
        for _ in range(2000):
            x = tanh(x * 1.01)
        return x

    for f in (deep, lambda x: sum(exp(x * float(-k)) for k in range(2000))):
        made, flat = point(f, (), arguments={0})
        value, _, slope = made.function((0,), single=True, gradient=True)(flat, 0.7)
        leaf = Value(0.7)
        out = f(leaf)
        out.backward()
        np.testing.assert_allclose([value, slope], [out.data, leaf.grad], rtol=1e-10)


# The whole chain, on random programs that mix everything.


@given(st.integers(0, 2**32 - 1))
@settings(suppress_health_check=[HealthCheck.too_slow], derandomize=True)  # rounding might one day decide a maximum
def test_random_programs_agree_with_the_eager_engine(seed):
    """Layers of both styles, conditions, reductions, repeats, no_grad: forward and reverse, row by row."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 6)), int(rng.integers(0, 5))
    weights = [Value(x) for x in rng.uniform(-1, 1, size=k)]
    plan = rng.integers(0, 2**31, size=int(rng.integers(2, 20))).tolist()

    def f(x, y):
        pool = [*x, y, *weights, 0.5, -1.0, 0.0]
        for word in plan:
            pick = lambda j, word=word: pool[-1 - (word >> j) % min(len(pool), 9)]
            a, b, c = pick(3), pick(7), pick(11)
            kind = word % 11
            if kind == 0:
                pool += [
                    tanh(weighted_sum([a, b, 0.5][: 1 + word % 3], list(pool[:3])[: 1 + word % 3], c)) for _ in range(2)
                ]
            elif kind == 1:
                pool += [relu(b * x[0] + y * c + 0.1), relu(c * x[0] + y * b + 0.1)]
            elif kind == 2:
                pool.append(where((y > 0.2) & (x[0] < 0.8), a, OPS["sin"](b)))
            elif kind == 3:
                pool.append(tanh(logsumexp([a, b, a, y])))
            elif kind == 4:
                with no_grad():
                    stopped = tanh(a + y)
                pool.append(stopped * b)
            elif kind == 5:
                pool.append(maximum(a, b) - clip(c, -0.5, 0.5))
            elif kind == 6:
                pool.append((y > 0.0) * 0.5 + tanh(a - b))
            elif kind == 7:
                pool.append(mean([tanh(a), b * 0.3, y]))
            elif kind == 8:
                pool.append(tanh(a) ** (word % 4) + y)
            elif kind == 9:
                pool += [sigmoid(v) for v in pool[-12:]]
            else:
                pool.append(a / (1.5 + b * b) - c)
        return sum(pool[-3:], 0.0) + y

    code, _ = grouped(f, (n,), (), arguments={0, 1})
    backward(code, per_row=True)
    graph = live(traced(f, (n,), ()))
    tape = Tape(
        graph, [n, None], [True, True], gradient=True, argnums=(0, 1), per_row=True, seeded=False, careful=False
    )
    X, Y = rng.uniform(-1, 1, size=(3, n)), rng.uniform(-1, 1, size=3)
    for fast, parameters in ((Fast(code), code.parameters), (tape, list(graph.parameters.values()))):
        instance = fast.instance(3, np.array([p.data for p in parameters]))
        for _ in range(2):
            instance.run(X.T, Y)
        by = fast.code.input_gradients
        for i in range(3):
            x, y = [Value(v) for v in X[i]], Value(Y[i])
            for w in weights:
                w.zero_grad()
            out = f(x, y)
            out.backward()
            np.testing.assert_allclose(result(instance, fast.code.outputs[0], 3)[i], out.data, **CLOSE)
            np.testing.assert_allclose(result(instance, by.get(0, 0.0), (n, 3))[:, i], [v.grad for v in x], **CLOSE)
            np.testing.assert_allclose(result(instance, by.get(1, 0.0), 3)[i], y.grad, **CLOSE)
            gradient = 0.0 if fast.code.gradient is None else fast.code.gradient
            wanted = [p.grad for p in parameters]
            np.testing.assert_allclose(result(instance, gradient, (len(wanted), 3))[:, i], wanted, **CLOSE)


def test_graphs_by_hand():
    """`below` gives the operands, or the factors of a sum's terms in order."""
    graph = Graph()
    a, b = graph.add(), graph.add()
    node = graph.add(OPS["add"], (a, b))
    assert graph.below(node) == [a, b]
    graph.sums[node] = [(2.0, a, None), (1.0, b, a)], 0.5
    assert graph.below(node) == [a, b, a]
