"""Every operation is right to a few ulps over the whole of its domain, and extremes never make a NaN."""

import math
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mpmath", reason="mpmath is the oracle here")

from autodiff import OPS, Op, Value, compile, erfc, grad, hypot, log_ndtr, logsumexp, softmax, stop_gradient
from benchmarks.accuracy import COLUMNS, GOAL, TRUTH, measure, mp, points, truth, ulps
from models.losses import binary_cross_entropy, cross_entropy

PAGE = (Path(__file__).parent.parent / "docs" / "accuracy.md").read_text(encoding="utf-8")
EDGES = {"asin", "acos", "acosh"}  # at 1 their slope is infinite
every_row = pytest.mark.parametrize("op", OPS.values(), ids=OPS)


@every_row
def test_value_and_partials_are_right_to_four_ulps(op):
    """On floats and arrays, at points other than those of the page; where numbers are subnormal see the page."""
    for column, worst in measure(op, 120, seed=1847).items():
        assert worst.normal <= GOAL, (column, worst.where)


@every_row
def test_compiled_slopes_are_right_to_four_ulps(op):
    """What `compile(grad(row))` gives at such points: a program regroups sums and products, and must keep the digits.

    Where an operand's last place changes a slope by more than 4 ulps, in that unit, as for the row itself.
    """

    def compiled(columns, _):
        return [compile(grad(op, argnums=i))(*columns) for i in range(len(columns))]

    worst = measure(op, 120, 1848, compiled)["partials, arrays"]
    assert worst.normal <= GOAL, worst.where


def test_the_slopes_of_the_bell_keep_their_digits_compiled_and_again():
    """Far out, where x² has lost 300 ulps: erfc′ and its derivative −2x · erfc′, and (log Φ)′′ = −h · (x + h)."""
    xs = np.array([-19.652186152140438, 3.9, 11.3, 25.1])
    once, twice = (compile(f)(xs) for f in (grad(erfc), grad(grad(erfc))))
    for x, a, b in zip(map(mp.mpf, xs.tolist()), once, twice, strict=True):
        slope = -2 / mp.sqrt(mp.pi) * mp.exp(-x * x)
        assert ulps(float(a), slope) <= GOAL
        assert ulps(float(b), -2 * x * slope) <= 2 * GOAL
        assert ulps(grad(grad(erfc))(float(x)), -2 * x * slope) <= 2 * GOAL
    for x, b in zip(map(mp.mpf, xs.tolist()), compile(grad(grad(log_ndtr)))(xs), strict=True):
        h = mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi) / mp.ncdf(x)
        assert float(b) == pytest.approx(float(-h * (x + h)), rel=1e-13 * max(1, float(x) ** 2))


@pytest.mark.parametrize(
    "name", sorted(TRUTH.keys() - {"stop_gradient", "remainder", "floor_divide", "erfc", "log_ndtr"})
)
def test_the_definition_alone_gives_the_closed_forms(monkeypatch, name):
    """A new row needs its definition alone: value and differences are the closed forms to 25 digits, at all sizes.

    Not where quotients have more digits than the step, nor where erfc and log Φ are beyond mpmath's own.
    """
    closed = TRUTH[name]
    sample = list(points(OPS[name], 6, seed=4))
    monkeypatch.delitem(TRUTH, name)
    for point in sample:
        at = [mp.mpf(x) for x in point]
        for f, derived in zip(closed, truth(OPS[name]), strict=True):
            try:
                expected = mp.mpf(f(*at))
            except (ZeroDivisionError, TypeError):  # there is none: an edge, a negative base
                continue
            if mp.isfinite(expected):
                assert abs(derived(*at) - expected) <= mp.mpf(10) ** -25 * abs(expected) + mp.mpf(10) ** -340, point


@every_row
def test_the_page_has_a_row_for_every_operation_and_all_figures_reach_the_goal(op):
    """docs/accuracy.md is what the command writes when it finds nothing above the goal."""
    (row,) = re.findall(rf"^\| `{op.name}` \|(.*)\|$", PAGE, re.MULTILINE)
    figures = [float(cell) for cell in row.split("|")]
    assert len(figures) == len(COLUMNS) + 1
    assert max(figures[:-1]) <= GOAL
    assert f"at most {GOAL:g} ulps, is met for every operation" in PAGE


@every_row
def test_the_truths_partials_are_the_derivatives_of_its_values(op):
    """The oracle's closed forms, differentiated by mpmath: two independent ways to the same 15 digits."""
    if op is stop_gradient:
        return  # which is not the slope of its value, on purpose
    value, *partials = truth(op)
    ordinary = (p for p in points(op, 400, seed=2) if all(1e-3 < abs(x) < 20.0 for x in p))
    for _, point in zip(range(4), ordinary, strict=False):
        at = [mp.mpf(x) for x in point]
        for i, partial in enumerate(partials):
            if (op.name == "pow" and i and point[0] < 0.0) or (op.name in EDGES and abs(point[0]) == 1.0):
                continue  # there is no derivative, or an infinite one
            order = tuple(int(j == i) for j in range(len(point)))
            numerical, closed = mp.diff(value, tuple(at), order, h=mp.mpf(10) ** -40), partial(*at)
            assert abs(numerical - closed) <= mp.mpf(10) ** -12 * max(1, abs(closed)), (point, i)


def test_a_slope_that_loses_its_digits_is_caught():
    """1 - tanh² is the textbook's, and is wrong by more than a million ulps where tanh is close to 1."""
    textbook = Op("tanh", "tanh", math.tanh, np.tanh, (lambda a, r: 1.0 - r * r,))
    worst = measure(textbook, 200)
    assert worst["partials, floats"].normal > 1e6
    assert worst["partials, arrays"].normal > 1e6
    assert worst["value, floats"].normal <= GOAL


@pytest.mark.parametrize(
    ("got", "exact", "error"),
    [
        (1.0, "1", 0.0),
        (1.0 + 2.0**-52, "1", 1.0),
        (math.inf, "1e309", 0.0),
        (math.inf, "1.7e308", pytest.approx(2.0**53 - 1.7e308 / 2.0**971, rel=1e-9)),
        (-math.inf, "1e309", math.inf),
        (math.nan, "1", math.inf),
        (0.0, "5e-324", pytest.approx(1.012, rel=1e-3)),
        (0.0, "0", 0.0),
    ],
)
def test_what_an_ulp_is(got, exact, error):
    """The unit of the last place of the exact number; overflow is right only where rounding gives infinity."""
    measured = ulps(got, mp.mpf(exact))
    assert measured == error or (error == math.inf and measured > 2.0**52)


HUGE = 1.7976931348623157e308
EXTREMES = [0.0, -0.0, 5e-324, -5e-324, 1e-308, 1.0, -1.0, 37.0, -37.0, 709.8, -745.2, 1e17, 1e154, -1e154, HUGE, -HUGE]


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "tanh", "erf", "atan", "asinh", "exp", "expm1"])
def test_rows_of_one_operand_make_no_nan_of_any_finite_number(name):
    """Value and slope on floats, on arrays and recorded: numbers, perhaps infinite where the truth overflows."""
    op = OPS[name]
    with np.errstate(all="ignore"):
        arrays = op(np.array(EXTREMES))
        (slopes,) = op.partials_of([np.array(EXTREMES)], arrays)
    assert not np.isnan(arrays).any()
    assert not np.isnan(slopes).any()
    for x in EXTREMES:
        recorded = op(Value(x))
        assert not math.isnan(recorded.data)
        assert not math.isnan(recorded.partials[0])
    if name in {"sigmoid", "softplus", "tanh"}:
        assert ((slopes >= 0.0) & (slopes <= 1.0)).all()


@pytest.mark.parametrize(
    "pair", [(-3.5e-190, 3.4e90), (4.3e-87, 2.2e-307), (1e-100, 1e200), (-1e-40, 1e181), (3e80, 4e-220)], ids=str
)
def test_slopes_of_far_apart_operands_keep_their_digits(pair):
    """Those of hypot, x/r, and of atan2, x/r², in mpmath's digits: a share of 1e-280 is a normal number, and so is told."""
    for x, y in (pair, pair[::-1]):
        a, b = mp.mpf(x), mp.mpf(y)
        for name, slopes in (
            ("hypot", (a / mp.hypot(a, b), b / mp.hypot(a, b))),
            ("atan2", (b / (a * a + b * b), -a / (a * a + b * b))),
        ):
            for got, exact in zip(OPS[name].partials_of((x, y), OPS[name](x, y)), slopes, strict=True):
                if abs(exact) > 1e-300:
                    assert ulps(got, exact) <= GOAL, (name, x, y)


@pytest.mark.parametrize("pair", list(product(EXTREMES, repeat=2)), ids=str)
def test_rows_of_two_operands_make_no_nan_of_finite_numbers(pair):
    """hypot, logsumexp, softmax, cross-entropy: numbers with slopes of at most 1, on floats and arrays; pow if defined."""
    for f in (hypot, lambda a, b: logsumexp([a, b]), lambda a, b: cross_entropy([a, b], 0)):
        a, b = Value(pair[0]), Value(pair[1])
        result = f(a, b)
        if abs(pair[0] - pair[1]) == math.inf and f is not hypot and result.data == math.inf:
            continue  # logits further apart than the largest float: documented
        assert not math.isnan(result.data)
        if math.isfinite(result.data):
            result.backward()
            assert abs(a.grad) <= 1.0 + 1e-12
            assert abs(b.grad) <= 1.0 + 1e-12
    assert all(0.0 <= p <= 1.0 for p in softmax(pair))
    for y in (0, 1):
        assert 0.0 <= binary_cross_entropy(pair[0], y) <= HUGE
    columns = [np.array([x]) for x in pair]
    for name in ("hypot", "logsumexp"):
        assert not np.isnan(OPS[name](*columns)).any()
    a, b = pair
    if a >= 0.0 and not (a == 0.0 and b < 0.0):  # where a power is defined for any exponent
        powers = OPS["pow"](*columns)
        assert not np.isnan(powers).any()
        assert powers[0] == pytest.approx(OPS["pow"](a, b), rel=1e-15)
        slopes = OPS["pow"].partials_at(pair, OPS["pow"](a, b), [True, a > 0.0])
        assert not any(map(math.isnan, slopes))


@pytest.mark.parametrize("scale", [2.0**-1074, 2.0**-1060, 2.0**-1000, 1.0, 2.0**1020])
def test_the_slopes_of_hypot_and_atan2_do_not_depend_on_the_size_of_the_numbers(scale):
    """(3, 4) has a hypotenuse of 5 from the smallest floats to the largest; the angle's slope is 4/25 over the scale."""
    a, b = 3.0 * scale, 4.0 * scale
    assert list(OPS["hypot"].partials_at((a, b), 5.0 * scale, [True, True])) == pytest.approx([0.6, 0.8], rel=1e-15)
    diagonal = OPS["hypot"].partials_at((scale, -scale), math.hypot(scale, scale), [True, True])
    assert list(diagonal) == pytest.approx([math.sqrt(0.5), -math.sqrt(0.5)], rel=1e-15)
    turning = OPS["atan2"].partials_at((a, b), math.atan2(a, b), [True, True])
    exact = [
        4.0 / 25.0 / scale if scale > 2.0**-1024 else math.inf,
        -3.0 / 25.0 / scale if scale > 2.0**-1024 else -math.inf,
    ]
    assert list(turning) == pytest.approx(exact, rel=1e-15)
