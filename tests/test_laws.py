"""Laws that every row of the table obeys, and every expression made of rows."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import OPS, DomainError, Value, clip, hypot, logsumexp, maximum, minimum, sign, softplus, sqrt, step
from autodiff.backward import propagate, push_forward
from autodiff.testing import expressions, gradcheck, numbers
from autodiff.value import partials_as_values

EPSILON = float(np.finfo(float).eps)
every_row = pytest.mark.parametrize("op", OPS.values(), ids=OPS)


def taken_apart(op, operands):
    """Value, partials and second partials of a row, as the engine records them."""
    values = [Value(x) for x in operands]
    result = op(*values)
    firsts = propagate(result, partials=partials_as_values)
    seconds = []
    for x in values:
        first = firsts.get(x, 0.0)
        delta = propagate(first) if isinstance(first, Value) else {}
        seconds.append([float(delta.get(y, 0.0)) for y in values])
    firsts = [x.data if isinstance(x, Value) else x for x in (firsts.get(x, 0.0) for x in values)]
    return result.data, result.partials, firsts, seconds


def mpmath_functions(mp):
    """Every row in 50 digits, written from its definition; rows with branches by the branch of the point."""

    def weighted_sum(*xs):
        n = len(xs) // 2
        return sum(w * x for w, x in zip(xs[:n], xs[n:-1], strict=True)) + xs[-1]

    def atan2(a, b):  # mpmath's own branches on signs; this is the same function, differentiable off the axis
        return (
            mp.atan(a / b) + (0 if b > 0 else mp.sign(a) * mp.pi)
            if abs(b) > abs(a)
            else mp.sign(a) * mp.pi / 2 - mp.atan(b / a)
        )

    return {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "pow": lambda a, b: mp.power(a, b),
        "pos": lambda a: a,
        "neg": lambda a: -a,
        "abs": abs,
        "sign": mp.sign,
        "log2": lambda a: mp.log(a, 2),
        "log10": lambda a: mp.log(a, 10),
        "atan2": atan2,
        "hypot": lambda a, b: mp.sqrt(a * a + b * b),
        "sigmoid": lambda a: 1 / (1 + mp.exp(-a)),
        "softplus": lambda a: mp.log(1 + mp.exp(a)),
        "relu": lambda a: a if a > 0 else a * 0,
        "leaky_relu": lambda a, slope: a if a > 0 else a * slope,
        "step": lambda a: mp.mpf(a > 0),
        "maximum": max,
        "minimum": min,
        "clip": lambda a, low, high: min(max(a, low), high),
        "where": lambda c, a, b: a if c else b,
        "total": lambda *xs: sum(xs),
        "mean": lambda *xs: sum(xs) / len(xs),
        "logsumexp": lambda *xs: mp.log(sum(map(mp.exp, xs))),
        "weighted_sum": weighted_sum,
        **{
            name: getattr(mp, name)
            for name in (
                "exp",
                "expm1",
                "log",
                "log1p",
                "sqrt",
                "sin",
                "cos",
                "tan",
                "asin",
                "acos",
                "atan",
                "sinh",
                "cosh",
                "tanh",
                "asinh",
                "acosh",
                "atanh",
                "erf",
            )
        },
    }


@every_row
@given(data=st.data())
def test_value_partials_and_second_partials_are_those_of_mpmath(op, data):
    """Value, ∂ and ∂² agree with the definition differentiated in 50 digits.

    At well conditioned points: the value to 8 ulps of the larger of the value and 1, since a sum may cancel; partials
    to 1e-12 of their size, or of 1, since rules such as 1 - tanh² cancel too; second partials, whose rules cancel
    twice and whose size at these points reaches 1e6, to 1e-9.
    """
    mp = pytest.importorskip("mpmath", reason="mpmath is the oracle here").mp.clone()
    mp.dps = 50
    operands = data.draw(numbers(op, max_operands=3))
    function, at = mpmath_functions(mp)[op.name], [mp.mpf(x) for x in operands]
    value, recorded, firsts, seconds = taken_apart(op, operands)
    scale = max(1.0, *map(abs, operands), abs(value))
    assert abs(value - function(*at)) <= 8 * EPSILON * scale
    n = len(operands)
    for i in range(n):
        once = [int(k == i) for k in range(n)]
        first = float(mp.diff(function, tuple(at), tuple(once)))
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
    report = gradcheck(op, *data.draw(numbers(op)), order=2)
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


KINKS = [  # row, operands, value, partials: DESIGN.md section 4, and what follows from it
    ("relu", (0.0,), 0.0, (0.0,)),
    ("relu", (-0.0,), 0.0, (0.0,)),
    ("abs", (0.0,), 0.0, (0.0,)),
    ("abs", (-0.0,), 0.0, (0.0,)),
    ("step", (0.0,), 0.0, (0.0,)),
    ("step", (3.0,), 1.0, (0.0,)),
    ("sign", (0.0,), 0.0, (0.0,)),
    ("leaky_relu", (0.0, 0.01), 0.0, (0.01, 0.0)),
    ("maximum", (2.0, 2.0), 2.0, (0.5, 0.5)),
    ("minimum", (2.0, 2.0), 2.0, (0.5, 0.5)),
    ("maximum", (math.inf, math.inf), math.inf, (0.5, 0.5)),
    ("clip", (1.0, 1.0, 3.0), 1.0, (1.0, 0.0, 0.0)),
    ("clip", (3.0, 1.0, 3.0), 3.0, (1.0, 0.0, 0.0)),
    ("clip", (0.5, 1.0, 3.0), 1.0, (0.0, 1.0, 0.0)),
    ("clip", (3.5, 1.0, 3.0), 3.0, (0.0, 0.0, 1.0)),
    ("where", (0.0, 2.0, 3.0), 3.0, (0.0, 0.0, 1.0)),
    ("where", (-0.0, 2.0, 3.0), 3.0, (0.0, 0.0, 1.0)),
    ("pow", (0.0, 0.0), 1.0, (0.0, None)),
    ("pow", (3.0, 0.0), 1.0, (0.0, math.log(3.0))),
    ("pow", (0.0, 1.0), 0.0, (1.0, 0.0)),
    ("pow", (0.0, 2.0), 0.0, (0.0, 0.0)),
    ("pow", (0.0, 0.5), 0.0, (math.inf, 0.0)),
    ("pow", (-2.0, 3.0), -8.0, (12.0, None)),
    ("sqrt", (0.0,), 0.0, (math.inf,)),
    ("asin", (1.0,), math.pi / 2.0, (math.inf,)),
    ("acos", (-1.0,), math.pi, (-math.inf,)),
    ("acosh", (1.0,), 0.0, (math.inf,)),
    ("hypot", (0.0, 0.0), 0.0, (0.0, 0.0)),
    ("atan2", (0.0, 0.0), 0.0, (0.0, 0.0)),
]


@pytest.mark.parametrize(("name", "operands", "value", "partials"), KINKS)
def test_kinks_are_what_was_decided_in_all_three_arithmetics(name, operands, value, partials):
    """The same value and the same slope on floats, on arrays, and recorded; None: by that operand there is none."""
    op, wanted = OPS[name], [p is not None for p in partials]
    expected = [p or 0.0 for p in partials]
    assert op(*operands) == value
    assert list(op.partials_at(operands, value, wanted)) == pytest.approx(expected)
    arrays = [np.array([x, x]) for x in operands]
    assert op(*arrays) == pytest.approx([value, value])
    with np.errstate(all="ignore"):
        slopes = op.partials_of(arrays, op(*arrays), wanted)
        assert [float(np.ravel(s)[0]) for s in slopes] == pytest.approx(expected)
    values = [Value(x) if want else x for x, want in zip(operands, wanted, strict=True)]
    result = op(*values)
    assert result.data == value
    assert list(result.partials) == pytest.approx(expected)


def test_kinks_through_the_operators_and_functions():
    """What people type takes the same decisions as the rows."""
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
    direction = data.draw(st.tuples(*[st.floats(-2.0, 2.0)] * len(f.point)))
    values = [Value(x) for x in f.point]
    rate = push_forward(f(*values), dict(zip(values, direction, strict=True)))
    swept = sum(g * v for g, v in zip(gradient(f, f.point), direction, strict=True))
    largest = sum(p * abs(v) for p, v in zip(paths(f, f.point), direction, strict=True))
    assert abs(rate - swept) <= 100 * EPSILON * largest + 1e-290


@given(expressions(inputs=2), expressions(inputs=2), st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_the_gradient_is_linear(f, g, a, b):
    """∇(a·f + b·g) = a·∇f + b·∇g, where both are smooth; each keeps its own point."""
    xs, ys = [Value(x) for x in f.point], [Value(y) for y in g.point]
    (a * f(*xs) + b * g(*ys)).backward()
    expected = [a * d for d in gradient(f, f.point)] + [b * d for d in gradient(g, g.point)]
    largest = [abs(a) * p for p in paths(f, f.point)] + [abs(b) * p for p in paths(g, g.point)]
    for x, slope, scale in zip([*xs, *ys], expected, largest, strict=True):
        assert abs(x.grad - slope) <= 100 * EPSILON * scale + 1e-290


@given(expressions(inputs=1), st.sampled_from(["tanh", "atan", "sigmoid", "sin", "softplus", "asinh"]))
def test_the_chain_rule(f, name):
    """(g∘f)' = g'(f) · f', for an outer function that is defined everywhere."""
    (x,) = f.point
    outer, inner = OPS[name], f(x)
    (slope,) = gradient(outer, [inner])
    (chained,) = gradient(lambda v: outer(f(v)), f.point)
    assert abs(chained - slope * gradient(f, f.point)[0]) <= 100 * EPSILON * abs(slope) * paths(f, f.point)[0] + 1e-290


@given(expressions(inputs=2))
def test_the_hessian_is_symmetric(f):
    """∂²f/∂x∂y = ∂²f/∂y∂x, to the rounding of the sum over all paths."""
    values = [Value(x) for x in f.point]
    firsts = propagate(f(*values), partials=partials_as_values)
    mixed, scale = [], 0.0
    for first, other in ((firsts.get(values[0], 0.0), values[1]), (firsts.get(values[1], 0.0), values[0])):
        mixed.append(float(propagate(first).get(other, 0.0)) if isinstance(first, Value) else 0.0)
        if isinstance(first, Value):
            absolute = propagate(first, partials=lambda node: [abs(p) for p in node.partials])
            scale = max(scale, absolute.get(other, 0.0))
    assert abs(mixed[0] - mixed[1]) <= 1e-10 * scale + 1e-290


@settings(derandomize=True)  # rare expressions still make the oracles, not the engine, raise a false alarm
@given(expressions())
def test_gradcheck_agrees_with_every_expression(f):
    """The recorded graph, its own complex step, and differences of the function tell the same."""
    gradcheck(f, *f.point)


@settings(derandomize=True)  # rare expressions still make the oracles, not the engine, raise a false alarm
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


@given(expressions())
def test_gradients_are_those_of_torch(f):
    """PyTorch's autograd, on the same source with the names bound to torch's functions, in float64."""
    torch = pytest.importorskip("torch", reason="PyTorch is an oracle, installed in continuous integration")
    scope = torch_names(torch)
    exec(f.source, scope)
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in f.point]
    result = scope["f"](*tensors)
    if result.requires_grad:  # not so for where(x, 2.0, 3.0), of which torch keeps nothing
        result.backward()
    slopes = gradient(f, f.point)
    assert result.item() == pytest.approx(f(*f.point), rel=1e-9, abs=1e-9)
    for tensor, slope, scale in zip(tensors, slopes, paths(f, f.point), strict=True):
        other = 0.0 if tensor.grad is None else tensor.grad.item()
        assert abs(other - slope) <= 1e-9 * scale + 1e-12


def torch_names(torch):
    def tensor(x):
        return torch.as_tensor(x, dtype=torch.float64)

    def lifted(function):
        return lambda *xs: function(*map(tensor, xs))

    def stacked(function):
        return lambda xs: function(torch.stack([tensor(x) for x in xs]))

    names = "exp expm1 log log1p log2 log10 sqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf atan2 hypot sigmoid sign maximum minimum"
    return {
        **{name: lifted(getattr(torch, name)) for name in names.split()},
        "softplus": lambda x: torch.logaddexp(tensor(x), tensor(0.0)),  # torch's own is linear from 20 on
        "relu": lifted(torch.relu),
        "leaky_relu": lifted(lambda x, slope: torch.where(x > 0, x, x * slope)),
        "step": lifted(lambda x: torch.sign(torch.relu(x))),
        "clip": lifted(lambda x, low, high: torch.maximum(torch.minimum(x, high), low)),
        "where": lifted(lambda c, a, b: torch.where(c != 0, a, b)),
        "total": stacked(torch.sum),
        "mean": stacked(torch.mean),
        "logsumexp": stacked(lambda xs: torch.logsumexp(xs, 0)),
        "weighted_sum": lambda ws, xs, b: sum((w * x for w, x in zip(ws, xs, strict=True)), start=tensor(0.0)) + b,
    }
