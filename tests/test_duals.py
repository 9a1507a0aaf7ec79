"""Dual numbers, on floats and through code: derivatives with the error that they may have."""

import math

import numpy as np
import pytest

import autodiff
from autodiff import Op
from autodiff.testing import gradcheck
from autodiff.testing.duals import Dual, through_duals

HALF = 0.5


WRONG_CUBE = Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: 17.0 * a * a,))


def test_dual_numbers_run_through_code_and_know_their_error():
    """Branches, comparisons, methods, NumPy's functions, operations of one's own; never the rules under test."""

    def f(x):
        y = np.tanh(x) if x > 0 else -x
        return abs(y - 2) ** 2 / (1 + x.exp()) + WRONG_CUBE(x) - (+x)

    estimate = through_duals(f, 0.7)
    truth = gradcheck(lambda x: abs(x.tanh() - 2) ** 2 / (1 + x.exp()) + x * x * x - x, 0.7)
    slope = autodiff.grad(lambda x: abs(x.tanh() - 2) ** 2 / (1 + x.exp()) + x * x * x - x)(0.7)
    assert abs(estimate.value - slope) <= estimate.bound + 1e-13
    assert estimate.bound < 1e-8
    assert truth.error < 1e-12
    assert through_duals(math.sin, 0.5) is None
    assert through_duals(lambda x: 3.0, 0.5).value == 0.0
    assert (Dual(2.0) == 2.0, Dual(2.0) < 3.0, Dual(2.0) >= Dual(3.0), bool(Dual(0.0))) == (True, True, False, False)


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda x: 3.0 - x, lambda x: -1.0),
        (lambda x: 3.0 / x, lambda x: -3.0 / x**2),
        (lambda x: 2.0**x, lambda x: math.log(2.0) * 2.0**x),
        (lambda x: -x * x.log(), lambda x: -math.log(x) - 1.0),
        (lambda x: (x - 1.0).relu() + x.relu(), lambda x: 1.0 + (x > 1.0)),
        (lambda x: x.sigmoid(), lambda x: math.exp(-x) / (1.0 + math.exp(-x)) ** 2),
        (lambda x: x if x <= 1.0 else x * x, lambda x: 1.0 if x <= 1.0 else 2.0 * x),
        (lambda x: (x * np.array([1.0, 2.0]) - np.ones(2) / x).sum(), lambda x: 3.0 + 2.0 / x**2),
    ],
    ids=["minus", "over", "base", "log", "relu", "sigmoid", "branch", "arrays"],
)  # fmt: skip
@pytest.mark.parametrize("x", [0.7, 1.0 + HALF])
def test_dual_numbers_know_every_operator_on_either_side(f, slope, x):
    """Against the closed form of the derivative, within the error that is claimed."""
    estimate = through_duals(f, x)
    assert abs(estimate.value - slope(x)) <= estimate.bound + 1e-14


def test_dual_numbers_leave_kinks_and_whole_arrays_to_others():
    """Where an operation has no derivative there is none to carry along, and operations take them one by one."""
    assert through_duals(abs, 0.0) is None
    assert through_duals(lambda x: autodiff.hypot(x, np.array([3.0, 4.0])).sum(), 1.0) is None
