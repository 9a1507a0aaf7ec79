"""Laws that every row of the table obeys, and every expression made of rows."""

import copy
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autodiff import (
    OPS,
    DomainError,
    Value,
    clip,
    hypot,
    logsumexp,
    maximum,
    minimum,
    sign,
    softplus,
    sqrt,
    step,
    stop_gradient,
)
from autodiff.propagation import propagate
from autodiff.testing import expressions, gradcheck, laws, networks, numbers
from autodiff.testing.kinks import DECIDED, check_kinks

EPSILON = float(np.finfo(float).eps)
every_row = pytest.mark.parametrize("op", OPS.values(), ids=OPS)


def taken_apart(op, operands):
    """Value, partials and second partials of a row, as the engine records them."""
    values = [Value(x) for x in operands]
    result = op(*values)
    result.backward(create_graph=True)
    firsts, seconds = [x.grad for x in values], []
    for first in firsts:
        delta = propagate(first) if isinstance(first, Value) else {}
        seconds.append([float(delta.get(y, 0.0)) for y in values])
    return result.data, result.partials, [getattr(x, "data", x) for x in firsts], seconds


@every_row
@given(data=st.data())
def test_value_partials_and_second_partials_are_those_of_mpmath(op, data):
    """Value, ∂ and ∂² agree with the definition differentiated in 60 digits.

    At well conditioned points: the value to 8 ulps of the larger of the value and 1, since a sum may cancel; partials
    to 1e-12 of their size, or of 1, since rules such as 1 - tanh² cancel too; second partials, whose rules cancel
    twice and whose size at these points reaches 1e6, to 1e-9.
    """
    pytest.importorskip("mpmath", reason="mpmath is the oracle here")
    from benchmarks.accuracy import mp, truth

    operands = data.draw(numbers(op, max_operands=3))
    function, at = truth(op)[0], [mp.mpf(x) for x in operands]
    value, recorded, firsts, seconds = taken_apart(op, operands)
    scale = max(1.0, *map(abs, operands), abs(value))
    assert abs(value - function(*at)) <= 8 * EPSILON * scale
    n = len(operands)
    for i in range(n):
        once = [int(k == i) for k in range(n)]
        first = float(mp.diff(function, tuple(at), tuple(once))) if op is not stop_gradient else 0.0
        assert recorded[i] == pytest.approx(first, rel=1e-12, abs=1e-12), (operands, i)
        assert firsts[i] == pytest.approx(recorded[i], rel=1e-12, abs=1e-14)
        for j in range(i, n):
            twice = [o + int(k == j) for k, o in enumerate(once)]
            second = float(mp.diff(function, tuple(at), tuple(twice)))
            assert seconds[i][j] == pytest.approx(second, rel=1e-9, abs=1e-9), (operands, i, j)
            assert seconds[j][i] == pytest.approx(second, rel=1e-9, abs=1e-9), (operands, j, i)


@every_row
@given(data=st.data())
def test_gradcheck_finds_every_row_right_in_both_orders(op, data):
    """Complex step (or differences, for erf) knows the partials; differences know the second ones."""
    if op is stop_gradient:
        with pytest.raises(
            ValueError, match="has no derivative to check because it is constant on purpose; test f without it"
        ):
            gradcheck(lambda x: op(x) * x, 2.0)
        return
    report = gradcheck(op, *data.draw(numbers(op, max_operands=3)), order=2)
    assert report.error < 1e-6


@every_row
@given(data=st.data())
def test_arrays_compute_what_floats_compute(op, data):
    """NumPy's loops and libm differ in the last places only: 8 ulps of the result, or of 1 where a sum cancels.

    The partials, being the same text on both, to 1e-12 like the values they are made of.
    """
    rows = data.draw(st.lists(numbers(op, max_operands=1) if op.arity is None else numbers(op), min_size=1, max_size=5))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    values = op(*columns)
    slopes = op.partials_of(columns, values, [True] * len(columns))
    for k, row in enumerate(rows):
        value = op(*row)
        assert abs(values[k] - value) <= 8 * EPSILON * max(1.0, abs(value))
        for slope, expected in zip(slopes, op.partials_at(row, value, [True] * len(row)), strict=True):
            slope = np.broadcast_to(slope, values.shape)[k]
            assert slope == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", ["total", "mean", "logsumexp", "weighted_sum"])
@given(data=st.data())
def test_rows_on_any_number_of_operands_agree_on_arrays(name, data):
    """Three operands and five: the array forward adds in the same order, so to a few ulps of the largest term."""
    op, operands = OPS[name], data.draw(numbers(name))
    arrays = [np.array([x, x]) for x in operands]
    value = op(*operands)
    assert op(*arrays) == pytest.approx([value, value], rel=1e-14, abs=1e-13)
    slopes = op.partials_of(arrays, op(*arrays), [True] * len(arrays))
    expected = op.partials_at(operands, value, [True] * len(operands))
    assert [np.ravel(s)[0] for s in slopes] == pytest.approx(expected, rel=1e-12, abs=1e-14)


@every_row
def test_kinks_are_what_was_decided_in_all_three_arithmetics(op):
    """The same value and the same slope on floats, on arrays, and recorded."""
    check_kinks(op)


def test_another_value_at_a_kink_is_found():
    """The message has the point, the number, and what was decided."""
    with pytest.raises(AssertionError, match=r"^relu\(0\.0\) is 1\.0 on floats, and 0\.0 was decided$"):
        check_kinks(replace(OPS["relu"], forward=lambda a: max(a, 0.0) + 1.0))


def test_every_row_with_a_kink_has_a_decision():
    """docs/design.md, section 4, and what follows from it."""
    assert {op.name for op in OPS.values() if op.kink is not None} <= {kink.name for kink in DECIDED}


def test_kinks_through_the_operators_and_functions():
    """Functions and operators decide at kinks as the rows do."""
    for f, slope in [
        (abs, 0.0),
        (sign, 0.0),
        (step, 0.0),
        (lambda x: x.relu(), 0.0),
        (lambda x: x**0, 0.0),
        (lambda x: maximum(x, 0.0), 0.5),
        (lambda x: minimum(0.0, x), 0.5),
        (lambda x: clip(x, 0.0, 1.0), 1.0),
        (lambda x: hypot(x, 0.0), 0.0),
        (sqrt, math.inf),
    ]:
        x = Value(0.0)
        f(x).backward()
        assert x.grad == slope


@pytest.mark.parametrize(
    ("name", "operands"),
    [
        ("div", (1.0, 0.0)),
        ("pow", (-2.0, 0.5)),
        ("pow", (0.0, -1.0)),
        ("log", (0.0,)),
        ("log", (-0.5,)),
        ("log1p", (-1.0,)),
        ("log2", (-1.0,)),
        ("log10", (0.0,)),
        ("sqrt", (-1e-300,)),
        ("sin", (math.inf,)),
        ("cos", (-math.inf,)),
        ("tan", (math.inf,)),
        ("asin", (1.0 + EPSILON,)),
        ("acos", (-1.5,)),
        ("acosh", (0.5,)),
        ("atanh", (1.0,)),
        ("clip", (0.0, 2.0, 1.0)),
    ],
)
def test_outside_the_domain_is_an_error_that_names_operation_label_and_value(name, operands):
    """On floats and on Values; arrays follow IEEE and give NaN or an infinity, or clip's NumPy answer."""
    op = OPS[name]
    with pytest.raises(DomainError, match=f"^{name} of "):
        op(*operands)
    with pytest.raises(DomainError, match=r"'loss\.p'") as caught:
        op(Value(operands[0], "loss.p"), *operands[1:])
    assert all(repr(x) in str(caught.value) for x in operands)
    if name != "clip":
        assert not np.isfinite(op(*[np.array([x]) for x in operands])).any()


@pytest.mark.parametrize(
    "op",
    [op for op in OPS.values() if any(d.interval != "(-∞, ∞)" or d.without is not None for d in op.domains)],
    ids=repr,
)
def test_the_domain_in_the_row_is_where_the_forward_computes(op):
    """Each edge: what the row calls inside computes, what it calls outside raises."""
    for i, domain in enumerate(op.domains):
        edges = [*domain.bounds, domain.without]
        for edge in (e for e in edges if e is not None and math.isfinite(e)):
            for x in (edge, math.nextafter(edge, -math.inf), math.nextafter(edge, math.inf)):
                operands = [0.5] * len(op.domains)
                operands[i] = x
                if x in domain:
                    assert not math.isnan(op(*operands))
                else:
                    with pytest.raises(DomainError, match=op.name):
                        op(*operands)


EXTREMES = [0.0, -0.0, 5e-324, 1e-300, 1.0, 36.0, 710.0, -745.0, 800.0, -800.0, 1e308, -1e308, math.inf, -math.inf]


@pytest.mark.parametrize("x", EXTREMES)
@pytest.mark.parametrize(
    "name", ["sigmoid", "softplus", "tanh", "erf", "atan", "relu", "exp", "expm1", "abs", "step", "sign", "asinh"]
)
def test_no_nan_comes_out_of_extremes(name, x):
    """Value and slope are numbers (perhaps infinite) on floats, arrays and Values, and the three agree."""
    op = OPS[name]
    value = op(x)
    (slope,) = op.partials_at([x], value, [True])
    assert not math.isnan(value)
    assert not math.isnan(slope)
    with np.errstate(all="ignore"):
        array = op(np.array([x]))
        (slopes,) = op.partials_of([np.array([x])], array, [True])
        assert array == pytest.approx([value], rel=1e-14, abs=1e-300)
        assert np.ravel(slopes)[0] == pytest.approx(slope, rel=1e-12, abs=1e-300)
    assert op(Value(x)).partials[0] == slope


@pytest.mark.parametrize(
    "xs",
    [
        (1e308, 1e308),
        (-1e308, 1e308),
        (-1e308, -1e308),
        (1000.0, -1000.0),
        (-800.0, -800.0),
        (math.inf, 1.0),
        (-math.inf, 1.0),
        (-math.inf, -math.inf),
        (math.inf, math.inf),
    ],
)
def test_logsumexp_takes_any_numbers(xs):
    """As NumPy's logaddexp, without NaN; slopes are a softmax and add up to 1.

    Beyond 1e15 the logarithm of a few terms is less than the last place of the value, and e^(x - value) knows each
    slope to be between 0 and 1 only.
    """
    value = logsumexp(xs)
    with np.errstate(all="ignore"):
        assert value == np.logaddexp(*xs)
    if math.isfinite(value):
        partials = logsumexp([Value(x) for x in xs]).partials
        assert all(0.0 <= p <= 1.0 for p in partials)
        assert abs(value) > 1e15 or sum(partials) == pytest.approx(1.0, rel=1e-12)


@given(st.floats(-1e308, 1e308))
def test_sigmoid_and_softplus_keep_their_identities_everywhere(x):
    """σ(x) + σ(-x) = 1, and softplus(x) - softplus(-x) = x, to rounding."""
    assert OPS["sigmoid"](x) + OPS["sigmoid"](-x) == pytest.approx(1.0, abs=4 * EPSILON)
    assert softplus(x) - softplus(-x) == pytest.approx(x, rel=8 * EPSILON, abs=8 * EPSILON)


def gradient(f, point):
    """∂f/∂input for every input, by a sweep of fresh Values."""
    values = [Value(x) for x in point]
    result = f(*values)
    result.backward()
    return [x.grad for x in values]


def paths(f, point):
    """Σ over all paths of |∏ partials|: sums in another order differ by this times a few ε per operation."""
    values = [Value(x) for x in point]
    delta = propagate(f(*values), partials=lambda node: [abs(p) for p in node.partials])
    return [delta.get(x, 0.0) for x in values]


@given(expressions(), st.data())
def test_forward_mode_is_reverse_mode(f, data):
    """<∇f, v> is the rate of change along v: the same products, summed in another order."""
    laws.forward_equals_reverse(f, direction=data.draw(st.tuples(*[st.floats(-2.0, 2.0)] * len(f.point))))


@given(expressions(), expressions(), st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_the_gradient_is_linear(f, g, a, b):
    """∇(a·f + b·g) = a·∇f + b·∇g, where both are smooth; each keeps its own point."""
    laws.linearity(f, g, a=a, b=b)


@given(expressions(), expressions())
def test_the_product_rule(f, g):
    """∇(f·g) = g·∇f + f·∇g."""
    laws.product_rule(f, g)


@given(expressions(), st.sampled_from(["tanh", "atan", "sigmoid", "sin", "softplus", "asinh"]))
def test_the_chain_rule(f, name):
    """(g∘f)' = g'(f) · f', for an outer function that is defined everywhere."""
    laws.chain_rule(OPS[name], f)


@given(expressions(inputs=2))
def test_the_hessian_is_symmetric(f):
    """∂²f/∂x∂y = ∂²f/∂y∂x, to the rounding of the sum over all paths."""
    laws.symmetric_hessian(f)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(expressions())
def test_compiled_expressions_are_the_eager_ones(f):
    """In a batch and at one point."""
    laws.compiled_equals_eager(f)


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(networks())
def test_compiled_networks_are_the_eager_ones(network):
    """By every parameter, in a batch of parameters."""
    laws.compiled_equals_eager(network)


@given(expressions())
def test_names_mean_nothing(f):
    """Labels change no bit, and arguments in another order only their place."""
    laws.relabelling(f)


@given(expressions(), st.integers(0, 10))
def test_operands_change_places(f, seed):
    """Of sums, products, maxima, means."""
    laws.operand_order(f, seed=seed)


@given(expressions())
def test_gradcheck_agrees_with_every_expression(f):
    """The recorded graph, its own complex step, and differences of the function tell the same."""
    gradcheck(f, *f.point)


@given(expressions(max_leaves=5))
def test_gradcheck_agrees_in_second_order(f):
    """Second derivatives through `create_graph` are the slopes of the first."""
    gradcheck(f, *f.point, order=2)


@given(expressions())
def test_create_graph_gives_the_gradient_itself(f):
    """Gradients as Values have the data of gradients as floats."""
    values = [Value(x) for x in f.point]
    f(*values).backward(create_graph=True)
    for x, slope, scale in zip(values, gradient(f, f.point), paths(f, f.point), strict=True):
        assert abs(x.grad.data - slope) <= 100 * EPSILON * scale + 1e-290
        x.grad = 0.0


@given(expressions())
def test_a_second_sweep_adds_exactly_the_same(f):
    """Bit for bit: leaves double."""
    values = [Value(x) for x in f.point]
    result = f(*values)
    result.backward()
    once = [x.grad for x in values]
    result.backward()
    assert [x.grad for x in values] == [2.0 * g for g in once]


@given(expressions(), st.sampled_from([copy.deepcopy, lambda graph: pickle.loads(pickle.dumps(graph))]))
def test_copies_have_the_values_and_gradients_of_the_original(f, duplicate):
    """Bit for bit, and the original's gradients stay as they are."""
    values = [Value(x) for x in f.point]
    result = f(*values)
    twins, twin = duplicate((values, result))
    result.backward()
    twin.backward()
    assert twin.data == result.data
    assert [x.grad for x in twins] == [x.grad for x in values] == gradient(f, f.point)


@given(expressions(), st.integers(1, 4))
def test_expressions_compute_the_same_on_floats_values_and_arrays(f, n):
    """To the accumulated rounding of at most 32 operations whose sensitivity at the point is at most 1e4."""
    value = f(*f.point)
    assert f(*map(Value, f.point)).data == pytest.approx(value, rel=1e-9, abs=1e-9)
    assert np.broadcast_to(f(*[np.full(n, x) for x in f.point]), n) == pytest.approx([value] * n, rel=1e-9, abs=1e-9)


@given(a=st.floats(1e-3, 1e6))
def test_a_kink_is_0_where_the_pieces_meet_and_nowhere_else(a):
    """maximum and minimum at a = b, clip at either bound: the rows say so, and gradcheck keeps away from there."""
    for name in ("maximum", "minimum"):
        assert OPS[name].kink(a, a) == 0.0
        assert OPS[name].kink(a, -a) != 0.0
    low, high = -a, 2.0 * a
    assert OPS["clip"].kink(low, low, high) == OPS["clip"].kink(high, low, high) == 0.0
    assert OPS["clip"].kink(-low, low, high) != 0.0
    assert OPS["clip"].kink(-high, low, high) != 0.0
    turn = OPS["atan2"].kink  # jumps by 2π across the negative axis, and has no angle at the origin
    assert turn(0.0, -a) == turn(0.0, 0.0) == 0.0
    assert turn(0.0, a) != 0.0
    assert turn(a, 0.0) != 0.0


@pytest.mark.parametrize("k", [1.0, 1e-300, 1e300, 5e-324])
def test_hypots_slopes_are_the_direction_and_0_at_the_origin(k):
    """(1, 0) along the first axis, whatever the distance; 0 at the origin, where there is none."""
    slope = OPS["hypot"].partials
    for a, b in [(k, 0.0), (0.0, k), (-k, 0.0), (0.0, 0.0)]:
        direction = np.sign([a, b])
        r = abs(a) + abs(b)
        assert [rule(a, b, r) for rule in slope] == direction.tolist()
        ends = np.array([a]), np.array([b]), np.array([r])
        np.testing.assert_array_equal([rule(*ends)[0] for rule in slope], direction)
