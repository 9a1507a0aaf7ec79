"""NumPy's own functions on arrays of Values: values beside float arrays, gradients beside central differences."""

import math
import re
import statistics
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import autodiff
from autodiff import Value, anomalies, cos, grad, total

POINT = [0.3, 1.7, -0.9, 2.4, 0.8]
trapezoid = getattr(np, "trapezoid" if hasattr(np, "trapezoid") else "trapz")

FUNCTIONS = {
    "average": lambda a: np.average(a, weights=np.arange(1.0, 6.0)),
    "average by values": lambda a: np.average(a, weights=a * a),
    "clip": lambda a: np.clip(a, 0.0, 2.0),
    "convolve": lambda a: np.convolve(a, a[:2]),
    "correlate": lambda a: np.correlate(a, a[:2]),
    "cross": lambda a: np.cross(a[:3], a[2:]),
    "cumprod": np.cumprod,
    "cumsum": np.cumsum,
    "diag": lambda a: np.diag(a) @ a,
    "diff": np.diff,
    "dot": lambda a: np.dot(a, a),
    "einsum": lambda a: np.einsum("i,j->ij", a, a),
    "einsum, contracted": lambda a: np.einsum("ij,jk->ik", np.outer(a, a), np.outer(a, a)),
    "inner": lambda a: np.inner(a, a),
    "kron": lambda a: np.kron(a, a[:2]),
    "linspace": lambda a: np.linspace(a[0], a[1], 4),
    "matrix_power": lambda a: np.linalg.matrix_power(np.outer(a, a), 3),
    "max": np.max,
    "mean": np.mean,
    "median": np.median,
    "multi_dot": lambda a: np.linalg.multi_dot([np.outer(a, a), np.outer(a, a), a]),
    "nanmean": np.nanmean,
    "nanmedian": np.nanmedian,
    "nanpercentile": lambda a: np.nanpercentile(a, 30),
    "nanstd": np.nanstd,
    "nansum": np.nansum,
    "norm": np.linalg.norm,
    "norm 1": lambda a: np.linalg.norm(a, 1),
    "norm 3": lambda a: np.linalg.norm(a, 3),
    "norm inf": lambda a: np.linalg.norm(a, np.inf),
    "norm -inf": lambda a: np.linalg.norm(a, -np.inf),
    "norm 1/2": lambda a: np.linalg.norm(a, 0.5),
    "norm of rows": lambda a: np.linalg.norm(np.outer(a, a), axis=1),
    "norm of a matrix": lambda a: np.linalg.norm(np.outer(a, a), "fro"),
    "norm of a matrix, 1": lambda a: np.linalg.norm(np.outer(a, a), 1),
    "outer": lambda a: np.outer(a, a),
    "percentile": lambda a: np.percentile(a, 30),
    "percentile, upper": lambda a: np.percentile(a, 65),
    "percentiles": lambda a: np.percentile(a, [10, 30, 65, 90]),
    "poly1d": lambda a: np.poly1d(a)(2.0),
    "polyval": lambda a: np.polyval([1.0, 2.0, 3.0], a),
    "polyval by coefficients": lambda a: np.polyval(a, a[0]),
    "prod": np.prod,
    "ptp": np.ptp,
    "quantile": lambda a: np.quantile(a, [0.25, 0.6]),
    "select": lambda a: np.select([a > 0, a <= 0], [a, -2 * a]),
    "sinc": autodiff.sinc,
    "sinc by NumPy, not at 0": np.sinc,
    "sinc of one, by NumPy": lambda a: np.sinc(a[0]),
    "sort": np.sort,
    "std": lambda a: np.std(a, ddof=1),
    "tensordot": lambda a: np.tensordot(a, a, 1),
    "trace": lambda a: np.trace(np.outer(a, a)),
    "trapezoid": lambda a: trapezoid(a, dx=0.5),
    "vander": lambda a: np.vander(a, 3),
    "vdot": lambda a: np.vdot(a, a),
    "var": np.var,
    "where": lambda a: np.where(a > 0, a * a, a),
}


def as_values(numbers):
    return np.array([Value(x) for x in numbers], dtype=object)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients_are_those_of_float_arrays(name):
    """Of the sum of cosines of the results, so that every one of them counts differently."""
    f = FUNCTIONS[name]

    def on_floats(numbers):
        return float(np.sum(np.cos(f(np.array(numbers)))))

    a = as_values(POINT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        root = total(map(cos, np.ravel(f(a))))
    root.backward()
    assert root.data == pytest.approx(on_floats(POINT), rel=1e-12)
    h = 1e-6
    for i, x in enumerate(a):
        up, down = list(POINT), list(POINT)
        up[i] += h
        down[i] -= h
        assert x.grad == pytest.approx((on_floats(up) - on_floats(down)) / (2 * h), rel=1e-6, abs=1e-7)


def test_a_value_answers_as_a_numpy_number_does():
    """Type, shape and parts: np.float64's own answers are the oracle, but for the type, which is that of an object."""
    v, x = Value(0.5), np.float64(0.5)
    for name in ("shape", "ndim", "size", "imag"):
        assert getattr(v, name) == getattr(x, name)
    assert v.real is v
    assert v.conjugate() is v
    assert v.item() == x.item()
    assert v.dtype == np.array([v]).dtype == object
    assert (np.shape(v), np.ndim(v), np.size(v)) == ((), 0, 1)


SPECIAL = [
    0.0,
    -0.0,
    1e200,
    -1e200,
    1e308,
    1e-200,
    5e-324,
    1.0,
    -0.5,
    1000.0,
    -745.0,
    2.0,
    math.inf,
    -math.inf,
    math.nan,
]
WHOLE = {"gcd", "lcm"}  # of whole numbers; before NumPy 2.2 the remainder by NaN keeps them busy for ever
UFUNCS = sorted(
    {
        u.__name__: u
        for u in vars(np).values()
        if isinstance(u, np.ufunc) and u.nin <= 2 and u.signature is None and u.__name__ not in WHOLE
    }.items()
)


@pytest.mark.parametrize(("name", "ufunc"), UFUNCS, ids=[name for name, _ in UFUNCS])
def test_no_flag_of_a_partial_is_taken_for_one_of_the_result(name, ufunc):
    """NumPy raises FloatingPointError of an array of Values only where it does of the same array of floats."""
    points = [(p,) for p in SPECIAL] if ufunc.nin == 1 else [(p, q) for p in SPECIAL for q in SPECIAL]
    for point in points:
        with np.errstate(all="raise"):
            try:
                ufunc(*(as_values([p]) for p in point))
            except FloatingPointError:
                with pytest.raises(FloatingPointError):
                    ufunc(*(np.array([p]) for p in point))
            except (TypeError, ValueError, ArithmeticError, AttributeError):
                pass  # outside a domain, or no rule


NUMPY = (Path(__file__).parent.parent / "docs" / "numpy.md").read_text(encoding="utf-8")
TABLE = NUMPY[NUMPY.index("| of arrays of Values |") : NUMPY.index("Here `plain")]
PAIRS = [
    (refused, instead)
    for line in TABLE.splitlines()[2:]
    for refused, instead in zip(*(re.findall("`(.*?)`", cell) for cell in line.strip("|").split(" | ")), strict=False)
]


@pytest.mark.parametrize(("refused", "instead"), PAIRS)
def test_what_the_page_writes_in_place_of_a_refused_ufunc_gives_what_numpy_gives_of_floats(refused, instead):
    """The ufunc of arrays of Values raises, as the table says; the expression beside it is that of float arrays."""
    plain = np.vectorize(lambda x: x.data if isinstance(x, Value) else x, otypes=[float])
    numbers = {"a": np.array([0.5, -2.25, 7.0, -0.0]), "b": np.array([2.0, 0.75, -3.0, 1.0])}
    scope = {"np": np, "autodiff": autodiff, "plain": plain, "h": 0.25, "n": np.array([1, -2, 0, 3])}
    values = {name: as_values(x) for name, x in numbers.items()}
    if "**b" in instead:
        numbers["a"], values["a"] = abs(numbers["a"]), abs(values["a"])
    with pytest.raises((TypeError, AttributeError)):
        eval(refused, scope | values)
    expected = eval(refused, scope | numbers)
    found = eval(instead, scope | values)
    for x, y in zip(*(each if isinstance(each, tuple) else (each,) for each in (expected, found)), strict=True):
        assert plain(y) == pytest.approx(np.asarray(x, dtype=float), rel=1e-15, abs=1e-15)


def test_what_the_page_writes_in_place_of_linalg_gives_what_numpy_gives_of_floats():
    """NumPy refuses matrices of Values in the words that the page quotes; the page's functions give its results."""
    plain = np.vectorize(lambda x: x.data if isinstance(x, Value) else x, otypes=[float])
    definitions = re.findall(r"^>>> (def .*\n(?:\.\.\. .*\n)+)", NUMPY, re.MULTILINE)
    scope = {"np": np, "plain": plain}
    exec("".join(each.replace("... ", "") for each in definitions), scope)
    rows = re.findall(r"^\| `(np\.linalg.*?)` \| (.*?) \| `(.*?)` \|$", NUMPY, re.MULTILINE)
    assert len(rows) >= 7
    numbers = {"A": np.array([[1.0, 2.0, 0.5], [3.0, 1.0, 1.0], [0.5, 2.0, 4.0]]), "b": np.array([1.0, -2.0, 3.0])}
    values = {name: np.vectorize(Value, otypes=[object])(x) for name, x in numbers.items()}
    for refused, says, instead in rows:
        words = re.sub(r"'(\w+)'", r"'\1(_m)?'", re.escape(says))  # NumPy 2.0 says 'lstsq_m'
        with pytest.raises(TypeError, match=words):
            eval(refused, scope | values)
        expected, found = eval(refused, scope | numbers), eval(instead, scope | values)
        for x, y in zip(*(each if isinstance(each, tuple) else (each,) for each in (expected, found)), strict=True):
            np.testing.assert_allclose(plain(y), x, rtol=1e-11)  # a condition of 5, squared by the normal equations


def test_ufuncs_without_a_loop_for_objects_stand_in_the_table():
    """Of those that compute with real numbers: NumPy's own list of loops says which they are."""
    of_bits = {"bitwise_count", "ldexp", "isnat"}
    missing = {
        u.__name__
        for u in vars(np).values()
        if isinstance(u, np.ufunc) and not any("O" in each for each in u.types) and any("d" in each for each in u.types)
    }
    assert {name for name in missing - of_bits if f"np.{name}(" not in TABLE} == set()
    assert len(PAIRS) >= 15


def test_the_sign_of_an_array_of_values_is_plain_numbers():
    """NumPy compares; the derivative is 0 everywhere."""
    assert np.sign(as_values([-0.5, 0.0, 2.0])).tolist() == [-1, 0, 1]


V = Value(2.0, "v")
GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("cut", "way_out"),
    [
        (lambda: np.zeros(2).__setitem__(0, V), "dtype=object"),
        (lambda: np.zeros(2).fill(V), "dtype=object"),
        (lambda: np.array([V], dtype=float), "dtype=object"),
        (lambda: np.array([V, V]).astype(float), "dtype=object"),
        (lambda: np.full(2, V, dtype=float), "dtype=object"),
        (lambda: np.gradient(np.array([V, V, V])), r"np\.gradient computes with floats alone: pass v\.data, or"),
        (lambda: np.interp(V, [0.0, 3.0], [1.0, 2.0]), r"np\.interp computes with floats alone"),
        (lambda: np.i0(V), r"np\.i0 computes with floats alone"),
        (lambda: np.roots([V, V, V]), r"np\.roots computes with floats alone"),
        (lambda: np.arange(0.0, V), r"np\.arange computes with floats alone"),
        (lambda: np.float64(V), r"np\.float64 computes with floats alone"),
        (lambda: np.vectorize(math.sqrt)(np.array([V])), r"np\.vectorize computes with floats alone"),
        (lambda: np.random.normal(V, 1.0), r"np\.random\.normal computes with floats alone"),  # noqa: NPY002
        (lambda: np.random.default_rng().normal(V, 1.0), r"np\.random\.normal computes with floats alone"),
        (lambda: GENERATOR.uniform(V, 1.0), r"np\.random\.uniform computes with floats alone"),
        (
            lambda: "%.2f" % V,  # noqa: UP031
            r"f'\{v:.2f\}'",
        ),
        (
            lambda: "%s is %.1f" % ("v", V),  # noqa: UP031
            r"f'\{v:.2f\}'",
        ),
        (lambda: statistics.mean([V, V]), "autodiff.mean or autodiff.total"),
        (lambda: statistics.fmean([V, V]), "autodiff.mean or autodiff.total"),
        (lambda: statistics.stdev([V, V]), "autodiff.mean or autodiff.total"),
        (lambda: math.sin(V), r"use autodiff\.sin in place of math\.sin, or v\.data"),
        (lambda: math.cbrt(math.cos(1.0) + V * math.pi), r"use autodiff\.cbrt in place of math\.cbrt, or v\.data"),
        (lambda: math.fmod(V, 2.0), r"use v % w \(remainder, .*\) in place of math\.fmod, or v\.data"),
        (lambda: math.gamma(V), r"use autodiff\.sin\(v\), .*, or v\.data"),
        (lambda: float(V), r"v\.data"),
        (lambda: V.__float__(), r"v\.data"),
        (lambda: V.__int__(), r"v\.data"),
        (lambda: V.as_integer_ratio(), r"v\.data"),
    ],
)
def test_where_a_number_would_leave_the_graph_the_message_knows_the_way_out(cut, way_out):
    """What asked for the number is told by the code that was running: an array, a format, statistics, or math."""
    with pytest.raises(TypeError, match=rf"would cut the graph without a word: .*{way_out}"):
        cut()


def test_assignment_into_an_array_of_floats_names_the_type_of_objects():
    """As a statement, in a slice, and in code that has no source."""
    array, names = np.zeros(2), {"array": np.zeros(2), "V": V}
    with pytest.raises(TypeError, match="dtype=object"):
        array[0] = V
    with pytest.raises(TypeError, match="dtype=object"):
        array[:] = [V, V]
    for code in ("array[0] = V", "array[0:1] = V"):
        with pytest.raises(TypeError, match="dtype=object"):
            exec(code, names)
    assert array.tolist() == [0.0, 0.0]


def test_backward_from_what_is_not_finite_names_who_finds_the_cause():
    """The function that it names finds it."""
    x = Value(math.inf, "x")
    root = x - x
    with pytest.raises(
        ValueError, match=r"must start from a finite number, got sub\('x', 'x'\) = nan: .* anomalies\(root\)"
    ):
        root.backward()
    assert anomalies(root)


def test_a_function_without_a_rule_says_the_same_of_arrays_as_of_one_value():
    """np.fmod asks the elements of an array themselves."""
    for operand in (V, np.array([V])):
        with pytest.raises(TypeError, match=r"np\.fmod has no derivative rule for a Value: use autodiff's functions"):
            np.fmod(operand, 2.0)
    with pytest.raises(TypeError, match=r"np\.matmul has no .*: it is one number, write \*; .* with in_axes=None"):
        autodiff.compile(lambda w: np.ones((2, 2)) @ w)([1.0, 2.0])


def test_a_number_cannot_be_written_into():
    """`out=` of a Value is refused; an array of Values takes the results."""
    x, y = Value(1.0), Value(2.0)
    with pytest.raises(TypeError, match=r"np\.add cannot write into a Value: use what it returns"):
        np.add(x, y, out=y)
    assert (y.data, y.op) == (2.0, None)
    out = np.array([None, None])
    np.add(x, as_values([1.0, 2.0]), out=out, where=[True, False])
    assert out[0].data == 2.0
    assert out[1] is None


def test_reductions_of_one_value_are_that_value():
    """As of a number: np.sum(0.5) is 0.5."""
    v = Value(0.5, "v")
    for reduction in (np.sum, np.prod, np.max, np.min, np.mean):
        assert grad(lambda x, f=reduction: 2.0 * f(x))(v.data) == 2.0, reduction


@pytest.mark.parametrize("spread", [np.std, np.var])
def test_the_spread_of_one_value_needs_an_array(spread):
    """NumPy writes into what it is given, from some release on; the spread of an array of one Value is 0, as of a number."""
    said = r"np\.multiply cannot write into a Value: .*need an array: np\.std\(\[v\]\)"
    refused = np.lib.NumpyVersion(np.__version__) >= "2.1.0"
    with pytest.raises(TypeError, match=said) if refused else nullcontext():
        assert spread(Value(0.5)).data == 0.0
    assert spread([Value(0.5)]).data == spread([0.5]) == 0.0


def test_a_ufunc_of_another_package_is_called_by_its_own_name():
    """SciPy's erf is not NumPy's."""
    special = pytest.importorskip("scipy.special")
    with pytest.raises(TypeError, match=r"^erf has no derivative rule for a Value"):
        special.erf(Value(0.5))
