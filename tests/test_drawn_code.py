"""What the strategies draw is what people write, and what fails is told once, with a picture."""

import inspect
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from autodiff import Value, grad, topological_order
from autodiff.testing import check_kinks, expressions, gradcheck, kink_points, matrices, points
from autodiff.testing.conditioning import ROOM, smooth

OPTIONS = settings(
    max_examples=1000, database=None, derandomize=True, phases=[Phase.generate], deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.mark.parametrize(
    "pattern",
    [
        r"\b(\w+) \* \1\b", r"\b(\w+) - \1\b", r"\b[a-z]\w* \*\* 2\.0", r"\b[a-z]\w* \*\* 3\.0", r"1\.0 - [a-z]",
        r"[a-z] \* 2\.0|2\.0 \* [a-z]", r"n1.*\n.*n1.*n1",
    ],
)  # fmt: skip
def test_what_people_write_is_drawn(pattern):
    """Squares, x - x, small whole exponents, 1 - x, constants, shared subterms: each within 1,000 examples."""
    find(expressions(["add", "sub", "mul", "pow", "tanh"]), lambda f: re.search(pattern, f.source), settings=OPTIONS)


def test_squares_of_negative_numbers_are_drawn_often():
    """At least one example in fifty has an even power of a negative base: the square of a loss."""
    found = []

    def count(f):
        for node in topological_order(f(*map(Value, f.point))):
            if node.op is not None and node.op.name == "pow":
                base, exponent = node.operands
                if isinstance(base, Value) and base.data < 0.0 and exponent in (2.0, 4.0, -2.0):
                    found.append(f)
        return False

    with pytest.raises(Exception, match="No examples"):
        find(expressions(["add", "sub", "mul", "pow", "tanh", "relu"]), count, settings=OPTIONS)
    assert len(found) >= 20


@settings(max_examples=30)
@given(matrices())
def test_functions_of_matrices_are_checked_and_right(f):
    """They run on arrays of floats and of Values, and their gradients agree with the oracles."""
    W, x, b = f.point
    assert W.shape == (len(b), len(x))
    assert math.isfinite(f(*f.point))
    gradcheck(f, *f.point)


def test_functions_of_matrices_run_in_other_libraries():
    """Bound to JAX's names, the same source has JAX's derivatives."""
    jax = pytest.importorskip("jax", reason="JAX is installed in continuous integration")
    jax.config.update("jax_enable_x64", True)

    names = {"tanh": jax.numpy.tanh, "sin": jax.numpy.sin}

    @settings(max_examples=5)
    @given(matrices().filter(lambda f: not set(re.findall(r"(\w+)\(v\)", f.source)) - set(names)))
    def check(f):
        theirs = jax.grad(f.on(names), argnums=(0, 1, 2))
        gradcheck(f, *f.point, gradient=lambda *at: tuple(map(np.asarray, theirs(*at))))

    check()


OPAQUE = {
    "a kink": (lambda x: math.fabs(x), [0.0]),
    "a jump": (lambda x: float(int(x > 1.0)), [1.0]),
    "the edge of a domain": (lambda x: math.log(x), [0.0]),
    "a pole": (lambda x: 1.0 / math.sinh(x), [0.0]),
}


@pytest.mark.parametrize("case", OPAQUE)
@given(data=st.data())
def test_points_of_functions_that_cannot_be_recorded(case, data):
    """Python's own math shuts Values out; no point is drawn beside what has no derivative there."""
    f, bad = OPAQUE[case]
    (x,) = data.draw(points(f))
    assert all(abs(x - y) > ROOM / 2.0 for y in bad)
    assert math.isfinite(f(x))


@given(points(lambda X: float(np.sum(np.maximum(np.asarray(X, dtype=float), 0.0))), np.zeros((2, 3))))
def test_points_of_functions_of_arrays_that_cannot_be_recorded(point):
    """NumPy code on floats: every entry keeps away from its kink."""
    assert point[0].shape == (2, 3)
    assert np.min(np.abs(point[0])) > 1e-4


@pytest.mark.parametrize("offset", np.linspace(-0.9, 0.9, 19))
@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_a_kink_near_the_point_is_seen(offset, strength):
    """Wherever it lies within the room around the point, beside curvature of size 1."""
    at = 0.7 + offset * ROOM
    assert not smooth(lambda x: math.sin(x[0]) + strength * abs(x[0] - at), [0.7])


@given(st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_what_is_smooth_is_not_refused(x, y):
    """Steep, flat, linear and single-precision code passes."""
    for f in (
        lambda v: math.sin(3.0 * v[0]) * math.exp(v[1]),
        lambda v: math.tanh(5.0 * v[0] * v[1]),
        lambda v: 3.0 * v[0] - v[1],
        lambda v: 2.0,
        lambda v: np.float32(np.sin(np.float32(v[0]))),
    ):
        assert smooth(f, [x, y])


def test_a_name_that_is_missing_is_one_failure(capsys):
    """An error in the drawn source comes from one place: Hypothesis tells it once, and shrinks it to one operation."""
    told = []

    @settings(database=None, derandomize=True, max_examples=200, report_multiple_bugs=True)
    @given(expressions(["sin", "mul", "add", "exp"]))
    def check(f):
        told.append(f)
        f.on({"exp": math.exp})(*f.point)

    with pytest.raises(NameError, match="name 'sin' is not defined") as caught:  # no group of failures
        check()
    assert "return sin(" in caught.value.__notes__[0]
    assert len(told) < 1000


def test_what_fails_has_a_picture():
    """The note of the least failing example names a file, and it holds the graph."""

    @settings(database=None, derandomize=True)
    @given(expressions(["sin", "mul"]))
    def check(f):
        assert "sin" not in f.source

    with pytest.raises(AssertionError) as caught:
        check()
    (path,) = re.findall(r"its picture: (\S+)", "\n".join(caught.value.__notes__))
    assert "sin" in Path(path).read_text(encoding="utf-8")


def test_the_source_can_be_read():
    """`inspect` shows what was drawn, through the wrapper that gives errors one place."""
    f = find(expressions(["sin"]), lambda f: True, settings=OPTIONS)
    assert inspect.getsource(f.on(None)) == f.source
    assert inspect.signature(f.on(None)).parameters.keys() == {"x"}


def test_kinks_of_other_engines():
    """PyTorch decides as we do for relu, abs, maximum and clip's inside; a slope outside both sides is wrong anyway."""
    torch = pytest.importorskip("torch", reason="PyTorch is installed in continuous integration")

    def gradient(f, point):
        leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in point]
        f(*leaves).backward()
        return [x.grad.item() for x in leaves]

    def lifted(function):
        return lambda *xs: function(*(torch.as_tensor(x, dtype=torch.float64) for x in xs))

    for name in ("relu", "abs", "maximum", "minimum", "sign"):
        check_kinks(name, lifted(getattr(torch, name)), gradient)
    with pytest.raises(AssertionError, match=r"abs: its partial by operand 1 at abs\(0.0\) is 2.0"):
        check_kinks("abs", lifted(lambda x: torch.abs(x) + 2.0 * x), gradient, policy="any slope between")
    with pytest.raises(TypeError, match="need function and gradient"):
        check_kinks("abs", torch.abs)
    with pytest.raises(ValueError, match="policy must be"):
        check_kinks("abs", policy="left")
    with pytest.raises(ValueError, match="got 'relu6'; the rows are add"):
        kink_points("relu6")


def test_any_slope_between_is_allowed_where_asked():
    """relu'(0) may be ½ by mathematics, and is not what was decided."""

    def half(f, point):
        return [grad(f)(x) if x else 0.5 for x in point]

    check_kinks("relu", lambda x: x.relu(), half, policy="any slope between")
    with pytest.raises(AssertionError, match=r"0\.5, and 0\.0 was decided"):
        check_kinks("relu", lambda x: x.relu(), half)
