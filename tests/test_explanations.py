"""explain and anomalies: chain-rule sums that come to the gradient itself, paths, and diagnoses that name the culprit."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import (
    OPS,
    Op,
    Value,
    acosh,
    anomalies,
    clip,
    exp,
    explain,
    log,
    maximum,
    minimum,
    sqrt,
    step,
    total,
    weighted_sum,
    where,
)
from autodiff.testing import expressions
from models import MLP
from models.losses import half_squared_error


def graph(expression):
    """The expression's graph at its point, swept: its root and every node below, inputs too."""
    inputs = [Value(x, f"x{i}") for i, x in enumerate(expression.point)]
    root = expression(*inputs)
    if not isinstance(root, Value):
        root = root + Value(0.0)
    root.backward()
    nodes, stack = set(), [root]
    while stack:
        node = stack.pop()
        if node not in nodes:
            nodes.add(node)
            stack += [x for x in node.operands if isinstance(x, Value)]
    return root, nodes


@given(expressions())
def test_contributions_add_up_to_the_gradient_bit_for_bit(expression):
    """At every node the running sum ends in the very `grad` that backward() left, and grad is not touched."""
    root, nodes = graph(expression)
    before = {node: node.grad for node in nodes}
    for node in nodes - {root}:
        told = explain(node, of=root)
        assert told.contributions[-1].running == told.delta == node.grad
        assert told.grad_agrees
        for term in told.contributions:
            assert term.consumer.operands[term.place] is node
            assert term.partial == term.consumer.partials[term.place]
            assert term.delta == term.consumer.grad
            assert term.product == term.delta * term.partial
        uses = sum(x is node for other in nodes for x in other.operands)
        assert len(told.contributions) == uses
    assert {node: node.grad for node in nodes} == before


def all_paths(top, leaf):
    """Every path by recursion, as (consumer, place) pairs: the definition itself."""
    if top is leaf:
        return [()]
    return [
        ((top, place), *rest)
        for place, (x, partial) in enumerate(zip(top.operands, top.partials, strict=True))
        if isinstance(x, Value) and partial
        for rest in all_paths(x, leaf)
    ]


@given(expressions(), st.integers(1, 4))
def test_paths_are_all_there_are_and_the_largest_come_first(expression, limit):
    """Against enumeration by recursion: the same paths, sorted by |product|; what is left out is summed."""
    root, nodes = graph(expression)
    for leaf in nodes:
        wanted = all_paths(root, leaf)
        products = [math.prod((c.partials[p] for c, p in path), start=1.0) for path in wanted]
        told = explain(root, to=leaf, limit=limit)
        found = [tuple((use.consumer, use.place) for use in path.uses) for path in told.contributions]
        assert len(set(found)) == len(found) == min(limit, len(wanted))
        assert set(found) <= set(wanted)
        assert len(found) + told.n_rest == len(wanted)
        largest = sorted(map(abs, products), reverse=True)[:limit]
        assert [abs(path.product) for path in told.contributions] == pytest.approx(largest, rel=1e-9)
        scale = max(map(abs, products), default=0.0)
        assert math.fsum(p.product for p in told.contributions) + told.rest == pytest.approx(
            told.delta, abs=1e-12 * scale
        )
        assert told.delta == pytest.approx(math.fsum(products), rel=1e-9, abs=1e-9 * scale)
        assert all(path.nodes[0] is root and path.nodes[-1] is leaf for path in told.contributions if path.uses)


def test_paths_through_a_node_start_with_its_delta():
    """∂C/∂w through one of two neurons is that neuron's share; the shares of both are all of it."""
    w = Value(2.0, "w")
    a, b = w * 3.0, w * w
    C = (a * a + 5.0 * b) * 0.5
    C.backward()
    through = [explain(node, of=C, to=w) for node in (a, b)]
    assert [told.delta for told in through] == [a.grad * 3.0, b.grad * 4.0]
    assert sum(told.delta for told in through) == w.grad
    assert [told.grad_agrees for told in through] == [None, None]


def test_more_paths_than_atoms_are_no_burden():
    """2²⁰⁰ paths: the first three come at once, the others are one sum."""
    x = Value(1.0, "x")
    y = x
    for _ in range(200):
        y = y * 0.5 + y * 0.25
    told = explain(y, to=x, limit=3)
    assert [math.log2(p.product) for p in told.contributions] == pytest.approx([-200.0, -201.0, -201.0])
    assert told.delta == pytest.approx(0.75**200)
    assert told.rest == pytest.approx(told.delta)
    assert "more than 1e+18 paths" in str(told)


def test_depth_is_no_limit():
    """A chain of 30,000 nodes is explained by consumer and by path."""
    x = Value(1.0, "x")
    y = x
    for _ in range(30_000):
        y = y + 1.0
    assert explain(x, of=y).delta == 1.0
    assert len(explain(y, to=x).contributions[0].uses) == 30_000
    assert len(str(explain(y, to=x))) < 500


def test_the_neuron_of_the_readme_is_told_in_full():
    """Text and LaTeX name labels, symbols and numbers."""
    x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.5, "b")
    z = w * x + b
    z.label = "z"
    a = z.sigmoid()
    a.label = "a"
    a.backward()
    told = explain(z, of=a)
    assert "a = σ(z): δ(a) · ∂a/∂z = 1 · 0.235 = 0.235" in str(told)
    assert told.latex == (
        r"\frac{\partial a}{\partial z}=\delta _{a}\cdot \frac{\partial a}{\partial z}=1\cdot 0.235=0.235"
    )
    assert told._repr_latex_() == f"$\\displaystyle {told.latex}$"


def test_a_grad_that_is_not_of_this_root_is_told():
    """A stale or accumulated grad is said to disagree, an unswept one to say nothing."""
    x = Value(3.0, "x")
    y = x * x
    assert explain(x, of=y).grad_agrees is None
    y.backward()
    y.backward()
    told = explain(x, of=y)
    assert told.delta == 6.0
    assert told.grad_agrees is False
    assert "x.grad is 12.0" in str(told)


def test_without_a_root_the_error_says_what_to_give():
    """A node cannot know its consumers; the message names the way out."""
    x = Value(1.0, "x")
    with pytest.raises(TypeError, match=r"explain\(node, of=root\) shows ∂root/∂'x'"):
        explain(x)
    with pytest.raises(TypeError, match="node must be a Value, got float"):
        explain(1.0, of=x)
    with pytest.raises(TypeError, match="of must be a Value, got str"):
        explain(x, of="C")
    with pytest.raises(ValueError, match="limit must be a whole number"):
        explain(x, of=x, limit=0)
    with pytest.raises(TypeError, match="root must be the Value"):
        anomalies(3.0)


def test_many_consumers_are_shown_largest_first_and_the_rest_is_summed():
    """Text shows `limit` terms and one line for the others; the data has all."""
    x = Value(2.0, "x")
    y = total([k * x for k in range(1, 41)])
    told = explain(x, of=y, limit=4)
    assert len(told.contributions) == 40
    assert told.delta == 820.0
    shown = str(told)
    assert shown.count("δ(") == 4
    assert f"36 more, smaller: together {820 - 40 - 39 - 38 - 37}" in shown


def diagnoses():
    """Each fault, planted: the node that is asked about, the root, and what must be said of it."""
    x, y, c = Value(-3.0, "x"), Value(2.0, "y"), Value(0.0, "c")
    big, zero, one, tiny = Value(1000.0, "big"), Value(0.0, "zero"), Value(1.0, "one"), Value(1e-9, "tiny")
    relu = x.relu()
    relu.label = "hidden"
    yield "dead ReLU", x, relu * 5.0, ["0 on every path", "dead ReLU: 'hidden'", "'x' = -3"]
    yield "saturated", y * 10, None, None
    sigmoid = (y * 10.0).sigmoid()
    sigmoid.label = "a"
    yield "saturated sigmoid", y, sigmoid, ["tiny", "saturated sigmoid: 'a'", "2.06e-09"]
    yield "saturated tanh", big, big.tanh() * 3.0, ["saturated tanh", "'big' = 1000", "rounds to 0"]
    yield "saturated, not tiny", y, (y * 4.0).sigmoid() * 100.0, []
    eight = Value(8.0, "eight")
    yield "saturated itself", eight, eight.sigmoid() * 100.0, ["saturated sigmoid", "'eight' = 8", "0.000335"]
    yield "step", y, step(y), ["step", "slope is 0 everywhere"]
    yield "unused", Value(1.0, "lonely"), y * y, ["unused", "'lonely'"]
    yield "namesake", Value(2.0, "y"), y * y, ["unused", "another Value labelled 'y'", "w.data -= "]
    yield "masked", x, where(c, x, y), ["masked by where", "'c' does not hold", "took 'y'"]
    yield "taken", y, where(y, x, y * 0.0), ["only the condition of where", "took 'x'"]
    yield "maximum", x, maximum(x, y), ["masked by maximum", "took 'y'", "2 > -3"]
    yield "minimum", y, minimum(x, y), ["masked by minimum", "took 'x'", "-3 < 2"]
    yield "clip", x, clip(x, -1.0, 1.0), ["masked by clip", "'x' = -3", "[-1, 1]"]
    yield "cancel", y, y - y, ["2 contributions cancel", "-1 + 1 = 0"]
    yield "times zero", y, y * zero, ["'y' is multiplied by 'zero' = 0"]
    yield "domain edge", zero, sqrt(zero), ["domain edge: sqrt at 'zero' = 0", "[0, ∞)"]
    yield "edge of acosh", one, acosh(one), ["domain edge: acosh at 'one' = 1"]
    yield "power", zero, zero**0.5, ["domain edge: pow with base 0 and exponent 0.5"]
    yield "underflow", y, (y * 1e-200) * 1e-200, ["0 on every path: underflow: 1e-200 · 1e-200 rounds to 0, at "]
    yield "base of a power", tiny, (tiny**200.0) * 2.0, ["pow is flat at 'tiny' = 1e-09"]
    z = Value(0.0, "z")
    yield "overflow of a sum", z, total([z * 1e308, z * 1e308]), ["contributions to δ of 'z' add up to more than"]
    once = z * 1.0
    once.label = "once"
    yield "overflow of a sum above", z, total([once * 1e308, once * 1e308]), ["contributions to δ of 'once' add up to"]
    yield "overflow of a product", y, (y * 1e200) * 1e200, ["inf: overflow: δ 1e+200 · 1e+200 is beyond the largest"]
    twice = y * 2.0
    twice.label = "twice"
    yield "cancel above", y, twice - twice, ["0 on every path: the contributions to δ of 'twice' cancel"]
    odd = Op("odd", "o", lambda a: a, partials=(lambda a, r: math.nan,))
    yield "a rule that gives NaN", y, odd(y), ["δ is nan: the rule of odd gave NaN by operand 1 of "]
    yield (
        "a large factor",
        y,
        weighted_sum([Value(1e8, "vast"), y], [y, c], 1.0),
        ["huge", "the other factor being 'vast'"],
    )
    was_zero, was_dead = Value(0.0, "was zero"), Value(-1.0, "was dead")
    changed, alive = y * was_zero, was_dead.relu()
    changed.label, alive.label = "p", "r"
    was_zero.data = was_dead.data = 7.0
    yield (
        "a factor changed since",
        y,
        changed,
        ["'p' was recorded with a slope of 0 by 'y', but the data of its operands changed"],
    )
    yield "a ReLU changed since", was_dead, alive, ["'r' was recorded with a slope of 0 by 'was dead', but the data of"]
    yield "huge", tiny, log(tiny), ["huge, 1e+09", "'tiny'"]
    yield "nan", big, exp(big) - exp(big), ["nan"]
    chain = y
    for _ in range(30):
        chain = chain * 0.5
    yield "vanishing", y, chain, ["tiny", "30 factors, 30 of them below 1", "vanishes"]
    chain = y
    for _ in range(30):
        chain = chain * 2.0
    yield "exploding", y, chain, ["huge", "30 factors, 30 of them above 1", "explodes"]
    yield "healthy", y, y * y, []


@pytest.mark.parametrize(
    ("node", "root", "said"), [pytest.param(*each[1:], id=each[0]) for each in diagnoses() if each[3] is not None]
)
def test_a_planted_fault_is_named(node, root, said):
    """The diagnosis names the kind of fault, the operation and the labels; of a healthy gradient it says nothing."""
    diagnosis = " ".join(explain(node, of=root).diagnosis)
    for words in said:
        assert words in diagnosis
    if not said:
        assert diagnosis == ""


def test_the_cause_is_found_far_above():
    """A bias deep below a dead ReLU names that ReLU, not its own healthy consumer; a batch's causes are counted."""
    mlp = MLP(2, [3, 1], activation="relu", random_state=0)
    for neuron in mlp.layers[0].neurons:
        neuron.bias.data = -100.0
    C = total([half_squared_error(mlp([k, 1.0]), 1.0) for k in range(3)])
    (said,) = explain(mlp.layers[0].neurons[0].weights[0], of=C).diagnosis
    assert said.count("dead ReLU: 'layer1.neuron1.a'") == 3
    C = total([(Value(-1.0, "x") * mlp.layers[0].neurons[0].weights[0] - 10.0).relu() for _ in range(5)])
    (said,) = explain(mlp.layers[0].neurons[0].weights[0], of=C).diagnosis
    assert "(5 times)" in said


def test_anomalies_are_where_a_value_broke_first():
    """Forward: the node that overflowed, not those that only inherit; said to be harmless where the root is finite."""
    x = Value(1000.0, "x")
    e = exp(x)
    e.label = "e"
    masked = where(Value(0.0), e * 2.0, Value(3.0))
    broken = e - e + Value(1.0)
    (found,) = [each for each in anomalies(broken) if each.direction == "forward"]
    assert found.node is e
    assert found.value == math.inf
    assert "exp of 'x' = 1000 overflows" in str(found)
    (found,) = anomalies(masked)
    assert found.node is e
    assert "is finite all the same" in str(found)
    nan = Value(math.nan, "missing")
    assert [each.node for each in anomalies(nan * 2.0 + x) if each.direction == "forward"] == [nan]
    assert "it was given so" in str(anomalies(nan)[0])
    y = Value(1.0, "y")
    assert "constants is not finite" in str(anomalies(y * math.inf)[0])


def test_anomalies_are_where_a_delta_broke_first():
    """Backward: infinite partial, overflow of a product, overflow of a sum; the one nearest the root alone."""
    x = Value(0.0, "x")
    inner = x * 2.0
    root = sqrt(inner) * 3.0
    (found,) = anomalies(root)
    assert (found.direction, found.node, found.value) == ("backward", inner, math.inf)
    assert "domain edge: sqrt" in str(found)
    y = Value(1e-300, "y")
    (found,) = anomalies(y * 1e200 * 1e200)
    assert (found.node, found.value) == (y, math.inf)
    assert "overflow: δ 1e+200 · 1e+200" in str(found)
    assert anomalies(y * 1e200 * 1e100) == ()
    z = Value(0.0, "z")
    (found,) = anomalies(total([z * 1e308, z * 1e308]))
    assert found.node is z
    assert found.consumer is None
    assert anomalies(x * 3.0) == ()


@given(expressions())
def test_a_healthy_graph_has_no_anomalies(expression):
    """Where values and partials are bounded there is nothing to report."""
    root, _ = graph(expression)
    assert anomalies(root) == ()


def test_an_operation_of_ones_own_may_be_called_like_a_row():
    """What is known of the rows of the table is not said of somebody's own `clip` on one operand."""
    own = Op("clip", "c", lambda a: a * 0.0, partials=(lambda a, r: 0.0 * a,))
    x = Value(3.0, "x")
    told = explain(x, of=own(x) + 1.0)
    assert told.diagnosis == ("δ is 0 on every path: clip is flat at 'x' = 3: its slope there is 0, in clip('x')",)
    assert "v1 = clip(x)" in str(told)


HOSTILE = [
    "", " ", "$", "\\", "{", "}", "^_#%&~", "w_1", "a b", "'\"", "</script><script>alert(1)</script>", "line\nbreak",
    "\u202eabc", "\u200f", "δ", "ñandú", "שלום", "x" * 10_000, "\\input{/etc/passwd}", "\ud800", "\x00", "w'", "w''", "a^b^c", "{{", "}}$$", "emoji 🙂",
]  # fmt: skip


@pytest.mark.parametrize("label", HOSTILE, ids=map(str, range(len(HOSTILE))))
def test_latex_compiles_whatever_the_label(label):
    """matplotlib's parser of LaTeX takes it, and the text stays short and on its lines."""
    mathtext = pytest.importorskip("matplotlib.mathtext")
    x = Value(2.0, label)
    y = sqrt(x * x + 1.0)
    y.label = label
    for told in (explain(x, of=y), explain(y, to=x)):
        known = told.latex.replace(r"\&", "+")  # the one escape of LaTeX that matplotlib does not know
        mathtext.MathTextParser("path").parse(f"${known}$")
        assert str(told).count("\n") < 8
        assert len(str(told)) < 2_000


def test_a_notebook_shows_the_formula_and_the_diagnosis_as_text():
    """Markdown: the formula displayed, each sentence an item in which a label is text, not markup."""
    x = Value(-1.0, "<b>$x$</b> [a](b)")
    first, empty, item = explain(x, of=x.relu())._repr_markdown_().split("\n")
    assert first.startswith("$$\\displaystyle \\frac")
    assert first.endswith("$$")
    assert empty == ""
    assert item.startswith("- δ is 0 on every path: dead ReLU")
    assert r"\<b\>\$x\$\</b\> \[a\]\(b\)" in item


@pytest.mark.parametrize("name", OPS)
def test_latex_compiles_for_every_row(name):
    """The explanation of each operation is LaTeX that compiles."""
    mathtext = pytest.importorskip("matplotlib.mathtext")
    op = OPS[name]
    values = [Value(0.75, f"x{i}") for i in range(op.arity or 5)]
    if op.name == "acosh":
        values[0].data = 1.5
    node = op(*values)
    for x in values:
        told = explain(x, of=node * -1e-30)
        mathtext.MathTextParser("path").parse(f"${told.latex}$")


def test_a_neuron_is_written_with_the_courses_indices():
    """The weight by which neuron 2 of layer 1 takes input 3 is w with 23 below and 1 above."""
    mlp = MLP(3, [2, 1], random_state=0)
    root = mlp([1.0, 2.0, 3.0])
    told = explain(mlp.layers[0].neurons[1].weights[2], of=root)
    assert r"{\partial w_{23}^{1}}" in told.latex
    assert r"{\partial z_{2}^{1}}" in told.latex


def test_fractions_of_paths_are_exact_where_they_can_be():
    """Products of powers of two by path are the exact rational numbers."""
    x = Value(2.0, "x")
    y = (x * 0.5) * (x * 0.25)
    told = explain(y, to=x)
    assert sum(Fraction(p.product) for p in told.contributions) == Fraction(1, 2)
    assert [n.label for n in itertools.chain(*(p.nodes[-1:] for p in told.contributions))] == ["x", "x"]


def test_the_way_from_a_node_to_itself_is_empty():
    """∂C/∂C is 1 by one path of no steps; through a node, what is left is that node's δ."""
    x = Value(3.0, "x")
    y = x * x
    z = y * 2.0
    told = explain(z, to=z)
    assert (told.delta, len(told.contributions), told.contributions[0].nodes) == (1.0, 1, (z,))
    assert "∂v2/∂v2 = 1.0 by path (1 path), by definition" in str(told)
    assert explain(y, of=z, to=y).delta == 2.0
    assert explain(x, to=z).delta == 0.0
    assert explain(x, to=z).contributions == ()
