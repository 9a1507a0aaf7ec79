"""A compiled program at one point: floats in, floats out."""

import numpy as np
import pytest

from autodiff import Value, compile, exp, tanh


@pytest.mark.parametrize(
    ("argnums", "derivatives"),
    [(0, 6.0), ((0,), (6.0,)), ((1, 0), ([15.0, 10.0], 6.0)), (2, [0.0, 0.0]), (None, None)],
    ids=str,
)
def test_one_argument_or_several_arrays_or_numbers(argnums, derivatives):
    """A number for `argnums` gives the derivative itself, several a tuple; arrays have their shape, unreached ones 0."""
    program = compile(lambda x, v, u: x * v[0] * v[1], in_axes=(None, None, None))
    value, _, *by = program.value_and_grad(5.0, [2.0, 3.0], [1.0, 1.0], argnums=argnums)
    assert value == 30.0
    if argnums is None:
        assert by == []
    elif isinstance(argnums, int):
        np.testing.assert_array_equal(by[0], derivatives)
    else:
        assert all(np.array_equal(found, wanted) for found, wanted in zip(by[0], derivatives, strict=True))


def test_deep_expressions_do_not_exhaust_the_parser():
    """Two thousand nested operations, and a sum of as many terms."""

    def deep(x):
        for _ in range(2000):
            x = tanh(x * 1.01)
        return x

    for f in (deep, lambda x: sum(exp(x * float(-k)) for k in range(2000))):
        value, _, slope = compile(f, in_axes=(None,)).value_and_grad(0.7, argnums=0)
        leaf = Value(0.7)
        out = f(leaf)
        out.backward()
        np.testing.assert_allclose([value, slope], [out.data, leaf.grad], rtol=1e-10)
