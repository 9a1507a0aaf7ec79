"""The engine in the page, in a real browser: every row of the table, errors, operations of one's own, speed."""

import itertools
import json
import math
import random
import re
from importlib import resources

import pytest

from autodiff import OPS, DomainError, Op, Value, exp, tanh, topological_order, total, where
from autodiff.pictures.script import graph, rule, table
from models import MLP
from models.losses import half_squared_error

ENGINE = resources.files("autodiff.pictures").joinpath("page", "engine.js").read_text(encoding="utf-8")
SPECIAL = [
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -3.0, 2.5, 3.5, 1e-9, -1e-9, 30.0, -30.0, 710.0, -750.0, 1e200, -1e200, 1e-200,
    5e-324, math.inf, -math.inf, math.nan,
]  # fmt: skip
AT_POINTS = """(points) => points.map((point) => {
  const graph = new Graph({ ops: [...point.map(() => -1), 0], args: [...point.map(() => []), point.map((_, i) => i)], values: [...point, 0] }, RULES);
  graph.run();
  return [graph.values[point.length], [...graph.partials], graph.error && graph.error.message].map(told);
})"""
# Numbers go to the page and come back as text: infinities, NaN and -0 would not survive.
TOLD = "const told = (x) => Array.isArray(x) ? x.map(told) : typeof x === 'number' ? (Object.is(x, -0) ? '-0' : String(x)) : x;"


@pytest.fixture(scope="module")
def tab(chromium):
    """A tab of an empty page; `ask` defines the engine with these rules and calls a function there."""
    page = chromium.new_page()

    def ask(rules, function, argument=None):
        script = f"(argument) => {{ {rules}{ENGINE}{TOLD} return ({function})(argument); }}"
        return page.evaluate(script, argument)

    return ask


def points(op, n, seed):
    """A thousand points of a row: ordinary ones inside its domain, and all that floats can be."""
    draw = random.Random(seed)
    special = list(itertools.product(SPECIAL, repeat=n)) if n <= 2 else [draw.choices(SPECIAL, k=n) for _ in range(200)]
    chosen = [list(x) for x in draw.sample(special, min(300, len(special)))]
    while len(chosen) < 1000:
        point = [draw.choice([draw.uniform(-1, 1), draw.gauss(0, 3), draw.uniform(-40, 40)]) for _ in range(n)]
        for i, domain in enumerate(op.domains):
            low, high = domain.bounds
            if point[i] not in domain:
                point[i] = (
                    draw.uniform(max(low, -5.0), min(high, 5.0)) if high - low < math.inf else low + abs(point[i])
                )
        if op.name == "clip":
            point[1:] = sorted(point[1:])
        if op.name in {"pow", "xlogy"} and draw.random() < 0.9:
            point[op.name == "xlogy"] = abs(point[op.name == "xlogy"])
        chosen.append(point)
    return chosen


def python(op, point):
    """Value and partials of a row, or the words of its error."""
    try:
        value = op.on_floats(*point)
        return value, op.partials_at(point, value, [True] * len(point)), None
    except DomainError as error:
        return None, None, str(error).split(";")[0]  # what follows is advice on how to write it in Python


def close(ours, theirs, scale=0.0):
    """Equal to 1e-12, of the larger of the number and what it was added up from."""
    if math.isnan(ours) or math.isnan(theirs) or math.isinf(ours) or math.isinf(theirs):
        return ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    return abs(ours - theirs) <= 1e-12 * max(abs(theirs), scale) + 1e-300


@pytest.mark.parametrize("name", OPS)
def test_every_row_computes_in_the_page_what_it_computes_in_python(tab, name):
    """Value, partials and errors at a thousand points, ordinary and special, to 1e-12."""
    op = OPS[name]
    n = op.arity if op.arity is not None else 5
    chosen = points(op, n, name)
    rows = table([rule(op, n)])
    found = tab(rows, AT_POINTS, [[repr(x).replace("inf", "Infinity") for x in point] for point in chosen])
    wrong = []
    for point, (value, partials, error) in zip(chosen, found, strict=True):
        expected = python(op, point)
        value, partials = float(value), list(map(float, partials))
        if expected[2] is not None or error is not None:
            at_infinity = "no derivative" in (expected[2] or "") and math.inf in map(
                abs, point
            )  # the page has NaN there
            if error != expected[2] and not (at_infinity and any(map(math.isnan, partials))):
                wrong.append((point, (value, partials, error), expected))
            continue
        scale = max(map(abs, point)) if name in {"total", "mean", "weighted_sum", "remainder"} else 0.0
        if name == "pow" and math.isnan(point[0]) and point[1] == 0.0:
            partials = expected[1]  # NaN⁰ is 1 with slope 0, for which the traced rule has NaN
        if not close(value, expected[0], scale) or not all(map(close, partials, expected[1])):
            wrong.append((point, (value, partials), expected))
    assert wrong == []


RUN = """({ data, changes, step }) => {
  const graph = new Graph(data, RULES);
  for (const [i, x] of changes) graph.values[i] = x;
  graph.run();
  graph.sweep();
  for (let k = 0; k < step.times; k++) { graph.step(step.parameters, step.rate); graph.run(); graph.sweep(); }
  return { values: [...graph.values], deltas: [...graph.deltas], error: graph.error };
}"""


def in_page(tab, root, changes=(), **step):
    """Values and δ of a graph as the page computes it, with other numbers in some leaves."""
    order = topological_order(root)[::-1]
    data, rules = graph(order)
    place = {node: i for i, node in enumerate(order)}
    changes = [[place[node], x] for node, x in changes]
    step = {"times": 0, "rate": 0.0, **step, "parameters": [place[p] for p in step.get("parameters", ())]}
    found = tab(rules, RUN, {"data": json.loads(json.dumps(data)), "changes": changes, "step": step})
    return order, found


def test_a_networks_values_and_deltas_follow_its_numbers(tab):
    """With another input and another weight: what Python has for them, node by node, to 1e-12."""
    mlp = MLP(2, [3, 2], activation="tanh", random_state=0)
    x = [Value(0.5, "x1"), Value(-1.0, "x2")]
    order, found = in_page(tab, half_squared_error(mlp(x), [1.0, 0.0]), [(x[1], 2.0), (mlp.parameters()[0], -0.75)])
    mlp.parameters()[0].data = -0.75
    again = half_squared_error(mlp([x[0], Value(2.0, "x2")]), [1.0, 0.0])
    nodes = topological_order(again)[::-1]
    for node in nodes:
        node.zero_grad()
    again.backward()
    assert len(nodes) == len(order)
    for i, node in enumerate(nodes):
        assert close(found["values"][i], node.data)
        assert close(found["deltas"][i], node.grad, 1e-3)


def test_descent_in_the_page_is_descent_in_python(tab):
    """Forty steps of w ← w − α·∂C/∂w: parameters and loss as in Python, to 1e-12."""
    mlp = MLP(2, [4, 1], activation="sigmoid", random_state=1)
    samples = [([0.0, 1.0], 1.0), ([1.0, 1.0], 0.0), ([1.0, 0.0], 1.0)]

    def loss():
        return total([half_squared_error(mlp(x), y) for x, y in samples])

    _, found = in_page(tab, loss(), parameters=mlp.parameters(), times=40, rate=0.5)
    for _ in range(40):
        mlp.zero_grad()
        loss().backward()
        for p in mlp.parameters():
            p.data -= 0.5 * p.grad
    for i, node in enumerate(topological_order(loss())[::-1]):
        assert close(found["values"][i], node.data)


def test_nothing_is_handed_on_over_a_partial_of_zero(tab):
    """0 · ∞ is dropped: behind an infinite slope a masked branch gets δ = 0, not NaN."""
    x = Value(4.0, "x")
    y = where(x > 1.0, x * 3.0, x.sqrt()) + 0.0 * x.sqrt()
    order, found = in_page(tab, y, [(x, 0.0)])
    assert found["error"] is None
    assert found["deltas"][order.index(x)] == 3.0


def test_an_operation_of_ones_own_computes_there_too(tab):
    """A user's row, of several operands and of any number, by its own functions; its name is text."""
    bump = Op("</script>bump", "∩", lambda a: exp(-a * a), partials=(lambda a, r: -2.0 * a * r,))
    longest = Op("longest", "‖", lambda *xs: total([x * x for x in xs]), partials=lambda xs, r: [2.0 * x for x in xs])
    x, y = Value(0.5, "x"), Value(1.5, "y")
    z = longest(bump(x), y, bump(x * y))
    order, found = in_page(tab, z)
    z.backward()
    assert close(found["values"][order.index(z)], z.data)
    assert close(found["deltas"][order.index(x)], x.grad)
    assert "</script>" not in graph(order)[1]


@pytest.mark.parametrize(
    ("forward", "why"),
    [
        (lambda a: a if a > 0.0 else 0.1 * a, "it decides by `if`, where autodiff.where is meant"),
        (lambda a: math.exp(a), "it makes a float, as functions of `math` do"),
    ],
)
def test_an_operation_that_cannot_be_written_is_refused_in_words(forward, why):
    """The error names the operation, says why, and what to write instead."""
    mine = Op("mine", "m", forward, partials=(lambda a, r: 1.0,))
    with pytest.raises(ValueError, match=f"got 'mine': {re.escape(why)}.*; write its functions so"):
        rule(mine, 1)


def test_twenty_thousand_operations_take_less_than_ten_milliseconds(tab):
    """Forward and backward through a network of 20,000 operations: the quickest of 30 runs, as the machine is shared."""
    draw = random.Random(0)
    layer = [Value(draw.uniform(-1, 1), f"x{i}") for i in range(20)]
    weights = [Value(draw.uniform(-0.3, 0.3)) for _ in range(400)]
    for _ in range(24):
        sums = [total([w * x for w, x in zip(weights[20 * j : 20 * j + 20], layer, strict=True)]) for j in range(20)]
        layer = [tanh(z) for z in sums]
        for _ in range(20):
            layer = [a * 0.9 + 0.1 for a in layer]
    data, rules = graph(topological_order(total(layer))[::-1])
    assert sum(op >= 0 for op in data["ops"]) > 20_000
    took = tab(rules, """(data) => {
      const graph = new Graph(data, RULES);
      const took = [];
      for (let k = 0; k < 30; k++) { const start = performance.now(); graph.run(); graph.sweep(); took.push(performance.now() - start); }
      return took;
    }""", data)  # fmt: skip
    assert min(took) < 10.0
