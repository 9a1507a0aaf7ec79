"""How δ flows: sweeps, accumulation, depth, zeros and infinities (docs/design.md, section 4)."""

import asyncio
import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from work import steps

import autodiff
from autodiff import Value, grad, jvp, no_grad, sqrt, topological_order, where
from autodiff.propagation import propagate, push_forward


def test_the_course_neuron_has_the_courses_deltas():
    """δ at z is (a - y)·a(1 - a), at w δ·x, at b δ (course, backpropagation)."""
    x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.5, "b")
    z = w * x + b
    a = z.sigmoid()
    (((1.0 - a) ** 2) / 2).backward()
    delta = (a.data - 1.0) * a.data * (1.0 - a.data)
    assert z.grad == pytest.approx(delta, rel=1e-15)
    assert w.grad == pytest.approx(delta * 2.0, rel=1e-15)
    assert b.grad == z.grad


def test_a_second_sweep_adds_exactly_the_same_again():
    """Leaves double to the last bit and inner nodes stay, however the terms round."""
    x = Value(0.1)
    terms = [x * k for k in (0.1, 0.7, 1e16, -1e16, 3.3)]
    y = sum(terms, Value(0.0)).tanh() + x * x * x
    y.backward()
    once, inner = x.grad, [t.grad for t in terms]
    y.backward()
    assert x.grad == 2 * once
    assert [t.grad for t in terms] == inner
    y.backward()
    assert x.grad == 2 * once + once


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda y: y * y, 6.0),
        (lambda y: y + y, 2.0),
        (lambda y: y - y, 0.0),
        (lambda y: y / y, 0.0),
        (lambda y: y * y * y, 27.0),
    ],
)
def test_a_node_used_twice_is_counted_twice(f, slope):
    """Shared operands get the sum over their places."""
    y = Value(3.0)
    f(y).backward()
    assert y.grad == pytest.approx(slope, abs=1e-15)


def test_one_leaf_in_many_places():
    """∂/∂x of Σ k·x over a thousand places is Σ k."""
    x = Value(2.0)
    autodiff.total([k * x for k in range(1000)]).backward()
    assert x.grad == sum(range(1000))


def test_changing_data_afterwards_changes_no_recorded_derivative():
    """The partials are those of the moment of recording."""
    x, w = Value(2.0), Value(3.0)
    y = x * w
    x.data, w.data = 100.0, 200.0
    y.backward()
    assert (x.grad, w.grad) == (3.0, 2.0)


def test_second_derivatives_of_changed_data_are_refused():
    """They would need numbers that are gone: an error says so and names the leaf."""
    x = Value(2.0, "x")
    y = x**3
    x.data = 5.0
    with pytest.raises(RuntimeError, match=r"data of 'x' changed after pow\('x', 3\.0\) was recorded"):
        y.backward(create_graph=True)
    assert not x.swept


def test_inner_nodes_have_their_delta():
    """Every node keeps δ of the latest sweep; one that was not reached says so."""
    x = Value(2.0)
    inner = x * 3
    other = x * 5
    (inner * inner).backward()
    assert inner.grad == 12.0
    assert inner.swept
    assert not other.swept


def test_a_leaf_can_be_swept():
    """∂x/∂x = 1, and it accumulates like any other leaf."""
    x = Value(2.0)
    x.backward()
    x.backward()
    assert x.grad == 2.0


def test_zero_times_infinity_is_not_propagated():
    """√ at 0 has slope ∞; a δ or partial of exactly 0 beside it stays 0 and makes no NaN."""
    x = Value(0.0)
    (x.sqrt() * 0.0).backward()
    assert x.grad == 0.0
    x = Value(0.0)
    x.sqrt().backward()
    assert x.grad == math.inf
    x = Value(-1.0)
    (x.relu().sqrt()).backward()  # δ is infinite, the partial of relu 0
    assert x.grad == 0.0


def test_the_where_trap_is_none():
    """The branch not taken sends nothing back, though its slope is infinite; in second derivatives neither."""

    def f(x):
        return where(x > 0, autodiff.sqrt(x), x * x)

    x = Value(0.0)
    f(x).backward()
    assert x.grad == 0.0
    y = Value(0.0)
    where(y > 0, y**0.5, 3 * y).backward()
    assert y.grad == 3.0


@pytest.mark.parametrize("data", [math.inf, -math.inf, math.nan])
def test_a_sweep_from_no_number_is_refused(data):
    """backward on an infinite or NaN root names the root and touches no gradient."""
    x = Value(data, "C")
    y = x * 2
    y.label = "loss"
    with pytest.raises(ValueError, match=r"got 'loss' = .*would be infinite or NaN; anomalies\(root\) names the first"):
        y.backward()
    assert not x.swept


def test_topological_order_puts_every_node_before_its_operands():
    """Root first, each node once, leaves included."""
    x, w = Value(2.0), Value(3.0)
    a = x * w
    b = autodiff.total([a, a, x]) + w
    order = topological_order(b)
    assert order[0] is b
    assert len(order) == len(set(order)) == 5
    place = {node: i for i, node in enumerate(order)}
    assert all(place[n] < place[o] for n in order for o in n.operands)


def test_a_million_deep_chain_sweeps_and_is_freed():
    """Depth is no limit to recording, sweeping and freeing."""
    x = Value(1.0)
    y = x
    for _ in range(1_000_000):
        y = y + 1e-6
    y.backward()
    assert x.grad == 1.0
    assert y.data == pytest.approx(2.0)
    del y


def test_a_sum_of_a_hundred_thousand_values():
    """Python's sum makes a chain, total one node: the same gradient."""
    values = [Value(1.0) for _ in range(100_000)]
    sum(values).backward()
    assert {v.grad for v in values} == {1.0}
    autodiff.total(values).backward()
    assert {v.grad for v in values} == {2.0}


def test_an_interrupted_sweep_leaves_leaves_as_they_were():
    """No leaf keeps half a gradient, whatever stops the sweep half way."""
    x = Value(2.0)
    (x * 3).backward()
    y = x * x + x
    y.operands[0].da = "broken"  # as if something had gone wrong in the middle of the sweep
    with pytest.raises(TypeError):
        y.backward()
    assert x.grad == 3.0


def test_grad_set_to_none_counts_as_not_swept():
    """The habit from PyTorch: `p.grad = None` before a sweep, which then starts from 0."""
    a, b = Value(1.0), Value(2.0)
    (a * b).backward()
    a.grad = b.grad = None
    assert not b.swept
    (a * b).backward()
    assert (a.grad, b.grad) == (2.0, 1.0)
    b.grad = None
    (a * b).backward(create_graph=True)
    assert (a.grad.data, b.grad.data) == (4.0, 1.0)


def test_a_grad_that_is_no_number_changes_no_other_leaf():
    """Totals are formed before the first is written."""
    a, b = Value(1.0), Value(2.0)
    b.grad = "nonsense"
    with pytest.raises(TypeError):
        (a * b).backward()
    assert not a.swept
    assert b.grad == "nonsense"


def test_create_graph_leaves_gradients_that_are_values():
    """f = x³y: ∂f/∂x = 3x²y can be swept again, ∂²f/∂x² = 6xy and ∂²f/∂x∂y = 3x²."""
    x, y = Value(2.0), Value(5.0)
    (x**3 * y).backward(create_graph=True)
    slope = x.grad
    assert isinstance(slope, Value)
    assert slope.data == 60.0
    x.zero_grad()
    y.zero_grad()
    slope.backward()
    assert (x.grad, y.grad) == (60.0, 12.0)


def test_create_graph_keeps_slopes_that_happen_to_be_zero():
    """At the minimum of (x - 1)²/2 δ is 0, and its derivative still 1."""
    x = Value(1.0)
    ((x - 1.0) ** 2 / 2).backward(create_graph=True)
    slope = x.grad
    assert slope.data == 0.0
    x.zero_grad()
    slope.backward()
    assert x.grad == 1.0


def test_create_graph_through_nodes_of_many_operands():
    """Constants among the operands of a weighted sum, a mean and a logsumexp are no obstacle."""

    def f(w):
        return (
            autodiff.weighted_sum([w, 2.0], [3.0, w], 1.0) ** 2
            + autodiff.mean([w, 4.0]) ** 2
            + autodiff.logsumexp([w, 0.5])
        )

    p = 1 / (1 + math.exp(0.5 - 0.3))
    assert autodiff.hessian(f)(0.3) == pytest.approx(2 * 25.0 + 0.5 + p * (1 - p), rel=1e-14)


def test_create_graph_accumulates_in_leaves():
    """As a plain sweep does, and inner nodes show the latest."""
    x = Value(3.0)
    inner = x * 1.0
    y = inner * inner
    y.backward()
    y.backward(create_graph=True)
    assert x.grad.data == 12.0
    assert inner.grad.data == 6.0


def test_threads_that_share_a_leaf_add_up():
    """Eight threads sweep graphs of their own into one leaf: the sum is right."""
    x = Value(1.0)

    def work():
        for _ in range(200):
            (x * 3 + x).backward()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert x.grad == 8 * 200 * 4.0


def test_no_grad_is_for_one_thread():
    """While one thread is inside no_grad another records."""
    inside, checked = threading.Event(), threading.Event()

    def paused():
        with no_grad():
            inside.set()
            assert checked.wait(60)

    thread = threading.Thread(target=paused)
    thread.start()
    assert inside.wait(60)
    try:
        assert (Value(2.0) * 2).op is not None
    finally:
        checked.set()
        thread.join()


def test_no_grad_is_for_one_task():
    """An asyncio task inside no_grad does not pause its neighbour."""

    async def paused(entered, leave):
        with no_grad():
            entered.set()
            await leave.wait()
            return (Value(2.0) * 2).op

    async def main():
        entered, leave = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(paused(entered, leave))
        await entered.wait()
        recorded = (Value(2.0) * 2).op
        leave.set()
        return recorded, await task

    recorded, silent = asyncio.run(main())
    assert recorded is not None
    assert silent is None


@given(st.data())
def test_sweeps_in_place_and_as_a_function_agree(data):
    """δ written on the nodes of any graph is δ by `propagate`, which sorts by another algorithm.

    Operands come in tuples that consumers share, some of them among each other's ancestors.
    """
    nodes = [Value(x) for x in (0.5, -0.25, 0.75)]
    tuples = [tuple(nodes), (0.5, -1.0, 2.0)]
    which = st.integers(0, 10**6)

    def some(things):
        return things[-1 - data.draw(which) % min(len(things), 3)]

    for _ in range(data.draw(st.integers(1, 20))):
        kind = data.draw(st.sampled_from("+*σΣw"))
        if kind == "+":
            new = some(nodes) + some(nodes)
        elif kind == "*":
            new = some(nodes) * data.draw(st.sampled_from([some(nodes), -0.5]))
        elif kind == "σ":
            new = some(nodes).sigmoid()
        elif kind == "Σ":
            new = autodiff.mean(some(tuples)) + some(nodes)
        else:
            new = autodiff.weighted_sum(some(tuples), some(tuples), data.draw(st.sampled_from([some(nodes), 1.0])))
        if isinstance(new, Value):
            nodes.append(new.tanh() if abs(new.data) > 1 else new)
            tuples.append((nodes[-1], some(nodes), some(nodes)))
    root = autodiff.total(nodes[-3:])
    root.backward()
    delta = propagate(root)
    order = topological_order(root)
    top = max(map(abs, delta.values()))
    assert [n.grad for n in order] == pytest.approx([delta.get(n, 0.0) for n in order], rel=1e-9, abs=1e-12 * top)
    assert all(n.swept for n in order)


def test_a_bias_computed_from_the_inputs_it_is_added_to():
    """z = w·x + (v·x) with one tuple x of inner nodes: δ at x waits for both, and reaches the leaf as w + v."""
    leaf, w, v = Value(1.0), Value(2.0), Value(3.0)
    inputs = (leaf * 1.0,)
    autodiff.weighted_sum((w,), inputs, autodiff.weighted_sum((v,), inputs, Value(0.0))).backward()
    assert (leaf.grad, w.grad, v.grad) == (5.0, 1.0, 1.0)


def growth(build, n):
    """How much more work 40n nodes are than 4n, for what 4n are more than n: 12 where each costs the same."""
    small, middle, large = (steps(lambda n=n: build(n)) for n in (n, 4 * n, 40 * n))
    return (large - middle) / (middle - small)


def deep(n):
    x = y = Value(1.0)
    for _ in range(n):
        y = -(y * x + x)  # δ stays ±1: one that shrank to 0 would not be handed on
    return y


def broad(n):
    x, w = Value(0.5), Value(0.9)
    return sum([(x * w).tanh() for _ in range(n)], Value(0.0))


def shared(n):
    """A ladder of diamonds: 2ⁿ paths from top to bottom over 2n nodes."""
    y = Value(0.5)
    for _ in range(n):
        y = y * 0.5 + y * 0.25
    return y


def many_operands(n):
    """One node with as many operands as all others together."""
    x = Value(0.5)
    return autodiff.total([x * 0.1 for _ in range(n)])


def neurons(n):
    """Layers of four neurons that share the tuple of their inputs."""
    weights, layer = (Value(0.5), Value(0.25), Value(0.75), Value(-0.5)), (1.0, 2.0, 3.0, 4.0)
    for _ in range(n):
        layer = tuple([autodiff.weighted_sum(weights, layer, weights[0]) for _ in range(4)])
    return autodiff.total(layer)


@pytest.mark.pure
@pytest.mark.parametrize("graph", [deep, broad, shared, many_operands, neurons])
def test_work_grows_in_proportion_to_nodes(graph):
    """Ten times the nodes are ten times the steps, to record and to sweep: no quadratic surprise."""
    assert growth(graph, 10) == pytest.approx(12.0, rel=0.01)
    assert growth(lambda n: graph(n).backward(), 10) == pytest.approx(12.0, rel=0.01)
    assert growth(lambda n: graph(n).backward(create_graph=True), 10) == pytest.approx(12.0, rel=0.01)


def test_a_quadratic_surprise_would_be_seen():
    """The measure is one: it tells n² from n."""
    assert growth(lambda n: [i * j for i in range(n) for j in range(i)], 20) > 100


def test_what_is_constant_meets_no_infinite_slope_in_either_mode():
    """√ has an infinite slope at 0, and what is multiplied by a constant 0 hands nothing on, backward or forward."""

    def f(x):
        return 0.0 * sqrt(x) + x

    x = Value(0.0)
    assert propagate(f(x))[x] == grad(f)(0.0) == 1.0
    assert jvp(f, [0.0], [1.0]) == (0.0, 1.0)


@pytest.mark.parametrize("still", [0.0, Value(0.0)])
def test_what_does_not_change_changes_nothing_through_an_infinite_slope(still):
    """A tangent of 0 times the infinite slope of √ at 0 is 0, also where the tangent is itself a Value."""
    x = Value(0.0)
    assert push_forward(sqrt(x), {x: still}) == 0.0


@pytest.mark.parametrize("too_few", [lambda node: node.partials[:1], lambda node: (*node.partials, 1.0)])
def test_a_rule_with_a_partial_too_few_or_too_many_is_refused(too_few):
    """In both directions: an operand without a partial is no operand with the partial 0."""
    x = Value(2.0)
    y = x * x
    with pytest.raises(ValueError, match="zip"):
        propagate(y, partials=too_few)
    with pytest.raises(ValueError, match="zip"):
        push_forward(y, {x: 1.0}, too_few)


@pytest.mark.pure
def test_a_tuple_of_inputs_that_neurons_share_is_walked_over_once():
    """Sweeping over neurons that share the tuple takes less work than where each has its own of the same inputs."""
    inputs, weights, bias = [Value(1.0) for _ in range(20)], (Value(0.5),) * 20, Value(0.0)

    def work(tuples):
        root = autodiff.total([autodiff.weighted_sum(weights, each, bias) for each in tuples])
        return steps(root.backward)

    assert work([tuple(inputs)] * 10) < work([tuple(inputs) for _ in range(10)])
