"""Array operations that NumPy does not have."""

import math

import numpy as np

from autodiff.compiler.backends.kernels import Erf, guarded_dot


def test_erf_is_good_to_two_ulps():
    """The table with its fraction against the C library, from denormals to infinity, on both sides."""
    x = np.concatenate([np.linspace(-7.0, 7.0, 20011), np.logspace(-320, 1, 500), [0.0, -0.0, np.inf, -np.inf, 1e300]])
    out = np.empty_like(x)
    with np.errstate(all="ignore"):
        Erf(x.shape)(x, out)
    wanted = np.array([math.erf(v) for v in x])
    assert np.all(np.abs(out - wanted) <= 4 * np.spacing(np.maximum(np.abs(wanted), 1e-300)))
    np.testing.assert_array_equal(np.signbit(out), np.signbit(x))
    with np.errstate(all="ignore"):
        Erf((1,))(np.array([np.nan]), out[:1])
    assert np.isnan(out[0])


def test_the_guarded_product_lets_zero_win():
    """0 · ∞ adds nothing; what is NaN by itself stays NaN; all else is the product."""
    a = np.array([[0.0, 1.0], [2.0, 0.0], [np.nan, 1.0]])
    b = np.array([[np.inf, 1.0, 0.0], [3.0, np.inf, 5.0]])
    out = np.empty((3, 3))
    with np.errstate(all="ignore"):
        guarded_dot(a, b, out)
    np.testing.assert_array_equal(out, [[3.0, np.inf, 5.0], [np.inf, 2.0, 0.0], [np.nan, np.nan, 5.0]])
