"""Derivatives of numbers alone: differences and the complex step, each with the error that it claims."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autodiff import OPS
from autodiff.testing import numbers
from autodiff.testing.oracles import (
    NoDerivativeError,
    central_differences,
    complex_step,
    complex_step_of_code,
    many_digits,
    partial_in_many_digits,
    partial_of,
    sides_differ,
)


def test_the_oracles_keep_their_bounds():
    """The true error is within the claimed one, against derivatives known in closed form."""
    for f, slope, x in [
        (math.exp, math.exp, 1.0),
        (math.log, lambda x: 1 / x, 1e-6),
        (math.sin, math.cos, 100.0),
        (math.atan, lambda x: 1 / (1 + x * x), 3.0),
        (lambda x: x**9, lambda x: 9 * x**8, -2.0),
    ]:
        estimate = central_differences(f, x)
        assert abs(estimate.value - slope(x)) <= estimate.bound <= 1e-6 * max(1.0, abs(slope(x)))
    estimate = complex_step(lambda z: z**9, -2.0)
    assert abs(estimate.value - 9 * 256) <= estimate.bound < 1e-10
    narrow = central_differences(lambda x: 1.0 / math.hypot(x, 0.004), 0.0)  # even: every difference is 0
    assert narrow.value == 0.0
    with pytest.raises(NoDerivativeError, match="a kink"):
        central_differences(abs, 0.0)


@given(
    data=st.data(), name=st.sampled_from(sorted(set(OPS) - {"erf", "stop_gradient"}))
)  # the one is not asked, the other has no truth
def test_the_complex_step_keeps_its_claim_on_rows(data, name):
    """Against 50 digits, at every point the strategy draws."""
    pytest.importorskip("mpmath")
    op = OPS[name]
    at = data.draw(numbers(op, max_operands=3))
    for i in range(len(at)):
        claimed, truth = partial_of(op, at, i), partial_in_many_digits(op, at, i)
        assert abs(claimed.value - truth.value) <= claimed.bound + truth.bound


@example(x=-5e-324, name="sigmoid")  # where halves of a step are the step again
@example(x=1e-310, name="sin")
@given(x=st.floats(-3.0, 3.0), name=st.sampled_from(["sin", "exp", "atan", "erf", "sigmoid"]))
def test_differences_keep_their_claim(x, name):
    """Against 50 digits."""
    pytest.importorskip("mpmath")
    estimate, truth = central_differences(OPS[name].on_floats, x), partial_in_many_digits(OPS[name], (x,), 0)
    assert abs(estimate.value - truth.value) <= estimate.bound + truth.bound


def test_the_complex_step_is_not_believed_where_code_is_not_analytic():
    """Its answer must be that of the differences; where no step is small enough it claims nothing."""
    differences = central_differences(abs, 2.0)
    assert complex_step_of_code(abs, 2.0, differences) is None
    assert complex_step_of_code(lambda z: z * z, 2.0, central_differences(lambda x: x * x, 2.0)).value == 4.0
    assert math.isnan(complex_step(lambda z: 1 / z, 1e-300).value)
    assert many_digits(lambda mp, x: mp.log(x), 1e-300).value == pytest.approx(1e300)


def test_sides_differ_at_kinks_alone():
    """Not where a function merely bends, nor where its values are noisy."""
    smooth = (math.sin, lambda x: x * abs(x), lambda x: (math.sin(x) + 1e4) - 1e4, lambda x: math.sin(1e5 * x))
    for x in np.linspace(-2.0, 2.0, 81):
        assert not any(sides_differ(f, float(x)) for f in smooth)
        assert sides_differ(lambda z, x=x: 1e-12 * max(z, x), float(x))


def bump(a):
    return math.exp(-(((a - 1) / 1e-4) ** 2))


FAMILY = {
    "sin(50 x)": (lambda x: math.sin(50 * x), lambda x: 50 * math.cos(50 * x), -3.0, 3.0),
    "sin(1/x)": (lambda x: math.sin(1 / x), lambda x: -math.cos(1 / x) / x**2, 0.003, 1.0),
    "a period of 1/64": (lambda x: math.cos(128 * math.pi * x) + x,
                         lambda x: 1 - 128 * math.pi * math.sin(128 * math.pi * x), -1.0, 1.0),
    "a narrow bump": (bump, lambda x: -2e8 * (x - 1) * bump(x), 0.9997, 1.0003),
    "noise": (lambda x: (math.sin(x) + 1e4) - 1e4, math.cos, -3.0, 3.0),
    "1e-20 sin(3 x)": (lambda x: 1e-20 * math.sin(3 * x), lambda x: 3e-20 * math.cos(3 * x), -2.0, 2.0),
    "x sin(30/x)": (lambda x: x * math.sin(30 / x), lambda x: math.sin(30 / x) - 30 / x * math.cos(30 / x), 0.05, 2.0),
    "a root near 0": (math.sqrt, lambda x: 0.5 / math.sqrt(x), 1e-6, 1e-3),
}  # fmt: skip


@pytest.mark.parametrize("case", FAMILY)
def test_differences_keep_their_claim_where_functions_are_not_tame(case):
    """Periods, narrow features and noise at 400 points each, against the closed form; and the claim is worth something."""
    f, slope, low, high = FAMILY[case]
    at = np.random.default_rng(0).uniform(low, high, 400).tolist()
    found = [(central_differences(f, x), slope(x)) for x in at]
    assert [(estimate, truth) for estimate, truth in found if not abs(estimate.value - truth) <= estimate.bound] == []
    assert np.median([estimate.bound / (abs(truth) + 1e-300) for estimate, truth in found]) < 1e-7


@pytest.mark.parametrize("x", [1e31, 1e-31, 1e300, 3.0, 0.0])
def test_many_digits_have_a_step_within_the_period(x):
    """At 10³¹ a relative step would be many periods of the sine."""
    pytest.importorskip("mpmath")
    estimate = many_digits(lambda mp, at: mp.sin(at), x)
    assert abs(estimate.value - math.cos(x)) <= estimate.bound + 1e-16
