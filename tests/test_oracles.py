"""Derivatives of numbers alone: differences and the complex step, each with the error that it claims."""

import math

import pytest

from autodiff.testing.oracles import NoDerivativeError, central_differences, complex_step


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
