"""One law for all modes: value, first and second derivative are the same number, whoever is asked, at the edges too.

And they are the number that mpmath finds, wherever all on the way is of ordinary size. What counts as agreement stands
in `benchmarks.edges`; operands, points and the numbers of many digits come from `benchmarks.chains`.
"""

import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import OPS, Op, Value, atan2
from benchmarks.chains import Chain, Step, further, steps_of, truth
from benchmarks.edges import COMPOSED, EAGER, HEAD, POINTS, RAISED, Modes, differences, excuse, judged, section

PAGE = Path(__file__).parent.parent / "docs" / "trust.md"
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
POINTS_EACH = 6 if THOROUGH else 3  # of 14
# 1e308 and 5e-324 take mpmath 800 digits, so of a row alone they are asked at length only; compositions draw them.
ALONE = POINTS if THOROUGH else tuple(x for x in POINTS if not 1e3 < abs(x) < math.inf and abs(x) != 5e-324)
FIRST = st.sampled_from([step for op in OPS.values() for _, step in steps_of(op)])
FURTHER = st.sampled_from([step for op in OPS.values() for step in further(op)])
SOME_POINTS = st.lists(st.sampled_from(POINTS), min_size=POINTS_EACH, max_size=POINTS_EACH, unique_by=repr)


def wrong(chain, points):
    """Whatever breaks the law at these points: where, in which derivative, and what each mode gives."""
    return [(x, order, found) for x, order, verdict, found in judged(chain, points) if verdict == "wrong"]


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_every_mode_gives_the_truth_at_every_special_point(op):
    """Each row by each operand, and by all at once: value and two derivatives, in some 25 modes."""
    assert [(name, found) for name, step in steps_of(op) if (found := wrong(Chain((step,)), ALONE))] == []


@pytest.mark.parametrize("size", [1e300, 1e200, 1e155, 1e-155, 1e-200, 1e-300])
def test_the_second_derivative_of_an_angle_does_not_depend_on_the_size_of_its_operands(size):
    """It is 1/(1 + x²), and −2x/(1 + x²)², though second partials of atan2 at 1e200 are 1e-400, which is no float."""
    for x, found in Modes(lambda x: atan2(size * x, size)).at([1.0, 0.25, -3.0]):
        expected = math.atan2(x, 1.0), 1.0 / (1.0 + x * x), -2.0 * x / (1.0 + x * x) ** 2
        for order, answers in enumerate(found):
            assert {mode: a for mode, a in answers.items() if a != pytest.approx(expected[order], rel=1e-14)} == {}


@given(first=FIRST, second=FURTHER, points=SOME_POINTS)
def test_compositions_of_two_rows(first, second, points):
    """The second row may take the variable again, beside the first one's result."""
    chain = Chain((first, second))
    assert wrong(chain, points) == [], chain


@given(first=FIRST, others=st.tuples(FURTHER, FURTHER), points=SOME_POINTS)
def test_compositions_of_three_rows(first, others, points):
    """Likewise."""
    chain = Chain((first, *others))
    assert wrong(chain, points) == [], chain


def test_a_mode_that_contradicts_is_found():
    """A slope that one mode alone has wrong: an operation whose rule is another for Values than for floats."""
    wrong = Op("wrong", "w", lambda a: a * a, partials=(lambda a, r: 3.0 * a if isinstance(a, Value) else 2.0 * a,))
    found = {(EAGER, "backward"): 2.0, (EAGER, "jvp"): 3.0, ("compiled", "batch"): 2.0}
    assert differences(found) == [("jvp", 3.0)]
    assert differences({(EAGER, "grad"): RAISED, ("compiled", "batch"): math.nan}) == []
    assert differences({(EAGER, "grad"): 1.0, ("compiled", "batch"): math.nan}) != []
    with pytest.raises(RuntimeError, match="changed after"):
        wrong(Value(2.0)).backward(create_graph=True)


@pytest.mark.parametrize("order", [1, 2])
def test_a_rule_that_is_wrong_in_every_mode_is_found(order):
    """Modes that agree prove nothing: mpmath knows the sine's slope, and its second derivative where the first is right."""
    cos = OPS["cos"]
    detached = Op("detached", "c", math.cos, "numpy.cos", partials=(lambda a, r: 0.0,))
    rule = {1: lambda a, r: 1.000001 * cos(a), 2: lambda a, r: detached(a)}[order]
    step = Step(Op("sin", "sin", OPS["sin"].forward, "numpy.sin", (rule,)), ("·",))
    assert {at for _, at, _ in wrong(Chain((step,)), [0.5])} == {*range(order, 3)}


def test_the_truth_is_known_in_closed_form():
    """exp(sin x) has the slope cos x · exp(sin x), and (cos² x − sin x) exp(sin x) for a second derivative."""
    at = truth(Chain((Step(OPS["sin"], ("·",)), Step(OPS["exp"], ("·",)))), 0.5)
    e, c, s = math.exp(math.sin(0.5)), math.cos(0.5), math.sin(0.5)
    assert at.answers == pytest.approx((e, c * e, (c * c - s) * e), rel=1e-15)
    assert at.regular
    kink = truth(Chain((Step(OPS["relu"], ("·",)),)), 0.0)
    assert kink.answers == (0.0, None, None)
    assert not kink.regular


def test_only_numbers_out_of_the_ordinary_excuse_a_difference():
    """A kink, a tie or an infinite slope that all modes know does not."""
    for name, x, order in (("relu", 0.0, 1), ("abs", 0.0, 2), ("exp", 2.0, 2), ("sqrt", 0.0, 1), ("exp", 1e3, 1)):
        known = name == "exp" and order == 1
        assert bool(excuse(Chain((Step(OPS[name], ("·",)),)), x, order)) == known, name
    assert "partial" in excuse(Chain((Step(OPS["sqrt"], ("·",)),)), 0.0, 2)
    zero = Step(OPS["mul"], (0.0, "·"))
    assert "sign" in excuse(Chain((zero, Step(OPS["atan2"], ("·", -1.0)))), 1.0, 0)
    assert "rounding" in excuse(Chain((Step(OPS["mul"], (0.5, "·")), Step(OPS["acosh"], ("·",)))), 2.0, 0)


def test_the_tables_in_the_page_are_todays():
    """docs/trust.md has what `python -m benchmarks.edges` writes; of its compositions, that nothing was wrong."""
    page = PAGE.read_text(encoding="utf-8")
    of_rows, _, composed = page[page.index(HEAD) :].partition(COMPOSED.split("{", maxsplit=1)[0])
    assert of_rows == section(), "run: python -m benchmarks.edges"
    lines = [line.split("|") for line in composed.splitlines() if "derivative |" in line or "| value |" in line]
    assert len(lines) == 9
    assert {line[-2].strip() for line in lines} == {"0"}
