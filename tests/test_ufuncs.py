"""NumPy on both sides of a Value (docs/design.md, section 4)."""

import math
import operator

import numpy as np
import pytest

import autodiff
from autodiff import OPS, Value

UFUNC_ROWS = [op for op in OPS.values() if isinstance(op.function_of_arrays, np.ufunc)]
POINTS = {"acosh": (1.5,), "log": (0.7,), "div": (0.3, 0.6), "pow": (0.3, 0.6)}


def point(op):
    return POINTS.get(op.name, (0.3, 0.6)[: op.arity])


@pytest.mark.parametrize("op", UFUNC_ROWS, ids=lambda op: op.name)
def test_the_ufunc_of_a_value_is_our_operation(op):
    """np.exp(v) and its like record the same node as autodiff.exp(v), in every operand."""
    for which in range(op.arity):
        operands = [Value(x) if i == which else np.float64(x) for i, x in enumerate(point(op))]
        result = op.function_of_arrays(*operands)
        assert isinstance(result, Value)
        assert result.op is op
        assert result.data == pytest.approx(float(op.function_of_arrays(*point(op))), rel=1e-15)


@pytest.mark.parametrize("op", UFUNC_ROWS, ids=lambda op: op.name)
def test_the_ufunc_of_an_array_of_values_goes_element_by_element(op):
    """np.exp([v, w]) is [np.exp(v), np.exp(w)], with their derivatives."""
    columns = [[Value(x), Value(x)] for x in point(op)]
    ufunc = op.function_of_arrays if any("O" in each for each in op.function_of_arrays.types) else op  # or NumPy cannot
    result = ufunc(*(np.array(c, dtype=object) for c in columns))
    assert result.shape == (2,)
    if op.name == "sign":  # NumPy compares objects here: numbers come out, whose derivative is 0 anyway
        assert result.tolist() == [1, 1]
        return
    for i in range(2):
        alone = op(*(c[i] for c in columns))
        assert result[i].data == pytest.approx(alone.data, rel=1e-15)
        for c in columns:
            c[i].grad = 0.0
        result[i].backward()
        got = [c[i].grad for c in columns]
        for c in columns:
            c[i].grad = 0.0
        alone.backward()
        assert got == pytest.approx([c[i].grad for c in columns], rel=1e-15)


@pytest.mark.parametrize(
    "number", [np.float64(2), np.float32(2), np.int32(2), np.uint8(2), np.bool_(True)], ids=lambda n: type(n).__name__
)
def test_numpy_scalars_on_either_side(number):
    """Both orders of + - * / give a Value with the constant as a float."""
    v = Value(3.0)
    n = float(number)
    for result, expected in (
        (number + v, n + 3), (v + number, 3 + n), (number - v, n - 3), (v - number, 3 - n), (number * v, n * 3),
        (v * number, 3 * n), (number / v, n / 3), (v / number, 3 / n), (number**v, n**3), (v**number, 3**n),
    ):  # fmt: skip
        assert isinstance(result, Value)
        assert result.data == pytest.approx(expected)


@pytest.mark.parametrize("kind", [np.float64, np.float16, np.longdouble, np.int8, np.uint64])
@pytest.mark.parametrize("relation", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne])
def test_comparisons_with_numpy_scalars(kind, relation):
    """As between the plain numbers, whichever is left: NumPy's own wide types too, which Python does not have."""
    for x in (1, 2, 3):
        assert relation(kind(x), Value(2.0)) == relation(x, 2.0)
        assert relation(Value(2.0), kind(x)) == relation(2.0, x)


@pytest.mark.parametrize(
    "array",
    [np.array([1.0, 2.0]), np.array([1, 2]), np.array([[1.0], [2.0]]), np.array([True, False])],
    ids=["floats", "integers", "column", "booleans"],
)
def test_an_array_and_a_value_give_an_array_of_values(array):
    """Whichever is left, with the array's shape and each element's own derivative."""
    v = Value(3.0)
    for result, expected in (
        (v * array, 3.0 * array),
        (array * v, 3.0 * array),
        (v - array, 3.0 - array * 1.0),
        (array - v, array * 1.0 - 3),
    ):
        assert result.dtype == object
        assert result.shape == array.shape
        assert [r.data for r in result.flat] == expected.ravel().tolist()
        assert all(isinstance(r, Value) for r in result.flat)


def test_autodiffs_functions_take_arrays_of_values():
    """autodiff.exp and maximum on object arrays, broadcasting included."""
    values = np.array([Value(1.0), Value(2.0)], dtype=object)
    assert [v.data for v in autodiff.exp(values)] == [np.exp(1.0), np.exp(2.0)]
    top = autodiff.maximum(values, 1.0)
    top[0].backward()
    assert values[0].grad == 0.5  # a tie, by the engine's own rule
    assert autodiff.maximum(values, np.ones((3, 1))).shape == (3, 2)


def test_matrix_products():
    """W @ x with Values on either side, on both, and dot, is the sum of products with the right derivatives."""
    w = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]], dtype=object)
    x = np.array([5.0, 6.0])
    y = w @ x
    assert [v.data for v in y] == [17.0, 39.0]
    y[1].backward()
    assert [v.grad for v in w.flat] == [0.0, 0.0, 5.0, 6.0]
    xs = np.array([Value(5.0), Value(6.0)], dtype=object)
    assert [v.data for v in np.array([[1.0, 2.0], [3.0, 4.0]]) @ xs] == [17.0, 39.0]
    assert [v.data for v in w @ xs] == [17.0, 39.0]
    assert np.dot(xs, xs).data == 61.0
    assert xs.sum().data == 11.0
    assert xs.mean().data == 5.5
    assert (xs**2).sum().data == 61.0


def test_comparisons_with_arrays_give_arrays_of_bools():
    """Element by element, whichever is left."""
    v = Value(1.5)
    assert (np.array([1.0, 2.0]) < v).tolist() == [True, False]
    assert (v < np.array([1.0, 2.0])).tolist() == [False, True]
    assert (v < np.array([1.0, 2.0])).dtype == bool
    assert (v == np.array([1.5, 2.0])).tolist() == [True, False]
    assert (np.array([1.0, 2.0], dtype=np.longdouble) <= v).tolist() == [True, False]
    assert np.isnan(Value(float("nan")))
    assert np.isfinite(v)


@pytest.mark.parametrize(
    ("function", "expected"), [(np.fabs, 3.0), (np.degrees, 540.0 / math.pi), (np.radians, math.pi / 60.0)]
)
def test_ufuncs_that_are_compositions(function, expected):
    """Some have no row of their own and are written with those that have."""
    assert function(Value(3.0)).data == pytest.approx(expected)
    assert np.logaddexp(Value(1.0), 2.0).data == pytest.approx(np.logaddexp(1.0, 2.0))
    assert np.clip(Value(3.0), 0.0, 1.0).data == 1.0


METHODS = {  # the functions of NumPy and of Python that an operation's method must agree with
    "expm1": np.expm1, "log1p": np.log1p, "log2": np.log2, "log10": np.log10, "sqrt": np.sqrt, "sin": np.sin,
    "cos": np.cos, "tan": np.tan, "arcsin": np.arcsin, "asin": np.arcsin, "arccos": np.arccos, "acos": np.arccos,
    "arctan": np.arctan, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "arcsinh": np.arcsinh,
    "asinh": np.arcsinh, "arccosh": lambda x: np.arccosh(x + 1.0), "acosh": lambda x: np.arccosh(x + 1.0),
    "arctanh": np.arctanh, "atanh": np.arctanh, "erf": math.erf, "softplus": lambda x: np.logaddexp(x, 0.0),
    "step": lambda x: np.heaviside(x, 0.0), "sign": np.sign, "fabs": np.fabs, "conjugate": np.conjugate,
    "leaky_relu": lambda x: x if x > 0.0 else 0.01 * x, "arctan2": np.arctan2, "atan2": math.atan2, "hypot": np.hypot,
    "maximum": np.maximum, "minimum": np.minimum, "clip": np.clip,
}  # fmt: skip
TWO, THREE = {"arctan2", "atan2", "hypot", "maximum", "minimum"}, {"clip"}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("x", [0.3, 0.7])
def test_an_operations_method_is_the_function_of_that_name(name, x):
    """`v.arctan2(0.6)` is what NumPy or Python computes, and its slope is their difference quotient."""
    others = (0.6,) if name in TWO else (0.2, 0.6) if name in THREE else ()
    shift = 1.0 if "acosh" in name or "arccosh" in name else 0.0
    v = Value(x)
    result = getattr(v + shift, name)(*others)
    result.backward()
    assert result.data == pytest.approx(METHODS[name](x, *others), rel=1e-14)
    difference = METHODS[name](x + 1e-6, *others) - METHODS[name](x - 1e-6, *others)
    assert v.grad == pytest.approx(difference / 2e-6, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda v: np.spacing(v),
            r"np\.spacing has no derivative rule for a Value: use autodiff's functions, or v\.data",
        ),
        (lambda v: np.nextafter(v, 1.0), r"np\.nextafter has no derivative rule"),
        (lambda v: np.matmul(np.ones((2, 2)), v), r"np\.matmul has no derivative rule"),
        (lambda v: np.add.accumulate(v), r"np\.add\.accumulate has no derivative rule"),
        (lambda v: np.add(v, 1.0, where=False), r"np\.add of a Value takes no option 'where'"),
        (
            lambda v: np.add(np.ones(2), v, out=np.ones(2)),
            r"array of float64 cannot hold Values.*a = a \+ v.*astype\(object\)",
        ),
        (lambda v: v.clip(0.0, 1.0, out=np.ones(1)), r"clip of a Value cannot write into `out`"),
    ],
)
def test_what_numpy_cannot_do_is_said(call, message):
    """An unknown ufunc, option or target is a TypeError with the way out; the graph is never lost."""
    with pytest.raises(TypeError, match=message):
        call(Value(2.0))


def test_in_place_on_arrays():
    """`a += v` works on an array of objects, and refuses one of floats without changing it."""
    v = Value(2.0)
    floats = np.ones(2)
    with pytest.raises(TypeError, match="cannot hold Values"):
        floats += v
    assert floats.tolist() == [1.0, 1.0]
    objects = np.ones(2).astype(object)
    objects += v
    assert [x.data for x in objects] == [3.0, 3.0]
    assert np.multiply.outer(np.array([1.0, 2.0]), v)[1].data == 4.0


def test_infinities_in_arrays_of_values_are_answers_without_warnings():
    """Python's floats leave the processor's flags up, and NumPy would warn of them after the whole array."""
    values = np.array([Value(1e300), Value(math.inf)], dtype=object)
    assert [v.data for v in np.multiply(Value(1e300), np.array([1e300, 2.0]))] == [math.inf, 2e300]
    assert all(math.isnan(v.data) for v in Value(math.inf) - np.array([math.inf, math.inf]))
    assert [v.data for v in OPS["hypot"](values, 1e308)] == [pytest.approx(1e308), math.inf]
    assert [v.data for v in OPS["sinh"](values)] == [math.inf, math.inf]
