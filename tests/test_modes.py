"""One law for all modes: value, first and second derivative are the same number, whoever is asked, at the edges too.

What counts as agreement stands in `benchmarks.edges.differences`.
"""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import OPS, Op, Value
from benchmarks.edges import EAGER, HEAD, POINTS, RAISED, Modes, differences, functions_of, section

PAGE = Path(__file__).parent.parent / "docs" / "trust.md"
# Entries in which modes contradict each other: the function, the order of the derivative, and why.
KNOWN = {
    ("mean, all the same", 0): "eager sums overflow on the way; compile knows that the mean of x, x, x is x",
    ("logsumexp, operand 1", 1): "at an infinite result; a compiled reverse pass has its own softmax, NaN there",
    ("logsumexp, operand 2", 1): "as operand 1",
    ("logsumexp, operand 3", 1): "as operand 1",
    ("logsumexp, all the same", 1): "as operand 1; and at 1e308 log 3 is less than a rounding of the result",
    ("atan2, all the same", 2): "inf − inf where r² overflows or is 0; compile cancels the two slopes beforehand",
    ("hypot, all the same", 2): "inf − inf at the smallest subnormal number, in some orders of summation",
    ("logaddexp, all the same", 2): "NaN − NaN is 0 where compile cancels the two slopes beforehand",
}
UNARY = [op for op in OPS.values() if op.arity == 1]
ORDINARY = {x for x in POINTS if abs(x) <= 1.0 and abs(x) != 5e-324}


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_every_mode_gives_the_same_at_every_special_point(op):
    """Each row by each operand, and by all at once: 13 points, 3 orders, some 16 modes."""
    odd = {}
    for name, f in functions_of(op):
        for x, found in Modes(f).at(POINTS):
            for order, each in enumerate(found):
                if different := differences(each):
                    odd.setdefault((name, order), []).append((x, different))
    assert {key: told for key, told in odd.items() if key not in KNOWN} == {}


@settings(max_examples=20)
@given(ops=st.lists(st.sampled_from(UNARY), min_size=2, max_size=3))
def test_every_mode_gives_the_same_for_compositions(ops):
    """Value and slope at all special points; second derivatives where nothing over- or underflows on the way.

    Where a second derivative does not exist, modes that add in another order may say infinite, NaN, or raise.
    """

    def f(x):
        for op in ops:
            x = op(x)
        return x

    for x, (value, first, second) in Modes(f).at(POINTS):
        assert differences(value) == [], (x, ops)
        assert differences(first) == [], (x, ops)
        answers = [a for a in second.values() if a != RAISED]
        if x in ORDINARY and all(map(math.isfinite, answers)) and len(answers) == len(second):
            assert differences(second) == [], (x, ops)


def test_a_mode_that_contradicts_is_found():
    """A slope that one mode alone has wrong: an operation whose rule is another for Values than for floats."""
    wrong = Op("wrong", "w", lambda a: a * a, partials=(lambda a, r: 3.0 * a if isinstance(a, Value) else 2.0 * a,))
    found = {(EAGER, "backward"): 2.0, (EAGER, "jvp"): 3.0, ("compiled", "batch"): 2.0}
    assert differences(found) == [("jvp", 3.0)]
    assert differences({(EAGER, "grad"): RAISED, ("compiled", "batch"): math.nan}) == []
    assert differences({(EAGER, "grad"): 1.0, ("compiled", "batch"): math.nan}) != []
    with pytest.raises(RuntimeError, match="changed after"):
        wrong(Value(2.0)).backward(create_graph=True)


def test_the_table_in_the_page_is_todays():
    """docs/trust.md has what `python -m benchmarks.edges` writes."""
    page = PAGE.read_text(encoding="utf-8")
    assert page[page.index(HEAD) :] == section(), "run: python -m benchmarks.edges"
