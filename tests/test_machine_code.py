"""`compile(f, backend="numba")`: the numbers of closed forms, of mpmath and of NumPy, and what is refused."""

import math
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import autodiff
from autodiff import OPS, Op, Value, compile, exp, log, pick, value_and_grad, where

numba = pytest.importorskip("numba", reason="its machine code is what is tested")
mpmath = pytest.importorskip("mpmath", reason="it knows the truth")

CLOSE = {"rtol": 1e-12, "atol": 1e-13}  # some dozens of roundings of numbers about one
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """A place of its own for texts and machine code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NUMBA_CACHE_DIR", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def price(S, K, r, sigma, T):
    spread = sigma * autodiff.sqrt(T)
    d1 = (log(S / K) + (r + sigma * sigma / 2.0) * T) / spread
    d2 = d1 - spread
    return S * normal(d1) - K * exp(-r * T) * normal(d2)


def normal(d):
    return 0.5 * (1.0 + autodiff.erf(d / math.sqrt(2.0)))


def truth(S, K, r, sigma, T):
    """The price and its five derivatives, as the textbooks have them."""
    cdf, root = np.vectorize(lambda d: 0.5 * math.erfc(-d / math.sqrt(2.0))), np.sqrt(T)
    d1 = (np.log(S / K) + (r + sigma**2 / 2.0) * T) / (sigma * root)
    d2, discount = d1 - sigma * root, np.exp(-r * T)
    density = np.exp(-(d1**2) / 2.0) / math.sqrt(2.0 * math.pi)
    theta = S * density * sigma / (2.0 * root) + r * K * discount * cdf(d2)
    strike = K * discount * cdf(d2)
    return S * cdf(d1) - strike, cdf(d1), -discount * cdf(d2), T * strike, S * density * root, theta


def options(n):
    rng = np.random.default_rng(n)
    ranges = ((50.0, 150.0), (50.0, 150.0), (0.0, 0.1), (0.1, 0.5), (0.1, 3.0))
    return [rng.uniform(low, high, n) for low, high in ranges]


@pytest.fixture(scope="module")
def program():
    return compile(price, backend="numba")


@pytest.mark.parametrize("n", [1, 7, 2000])
def test_options_have_the_greeks_of_the_textbook(program, n):
    """Of each row, for fewer rows than a tile and for several tiles; a call alone has the prices."""
    given = options(n)
    value, _, slopes = program.value_and_grad(*given, argnums=(0, 1, 2, 3, 4), reduce=None)
    for computed, known in zip([value, *slopes], truth(*given), strict=True):
        np.testing.assert_allclose(computed, known, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(program(*given), truth(*given)[0], rtol=1e-11, atol=1e-11)


def test_one_option_has_the_greeks_of_the_textbook(program):
    """One point, again and again, on floats and on other numbers."""
    given = 100.0, 110.0, 0.03, 0.2, 1.5
    known = [float(x) for x in truth(*map(np.float64, given))]
    for numbers in (given, given, tuple(map(np.float64, given)), (100, 110, 0.03, 0.2, 1.5)):
        value, gradient, slopes = program.value_and_grad(*numbers, argnums=(0, 1, 2, 3, 4))
        np.testing.assert_allclose([value, *slopes], known, **CLOSE)
        assert (type(value), gradient.shape) == (float, (0,))
    value, _, delta = program.value_and_grad(*given, argnums=0)
    assert delta == pytest.approx(known[1], rel=1e-12)
    assert program(*given) == pytest.approx(known[0], rel=1e-12)


def test_threads_share_the_rows():
    """Each row once, whoever computes it."""
    given = options(100_000)
    _, _, (delta,) = compile(price, backend="numba", threads=2).value_and_grad(*given, argnums=(0,), reduce=None)
    np.testing.assert_allclose(delta, truth(*given)[1], rtol=1e-11, atol=1e-11)


POINTS = {
    "exp": [*np.linspace(-745.0, 709.7, 4001), *np.linspace(-1.0, 1.0, 2001), 1e-300, -1e-17],
    "log": [*np.geomspace(5e-324, 1.7e308, 4001), *np.linspace(0.5, 2.0, 2001), 1.0 + 2.0**-52, 1.0 - 2.0**-53],
    "erf": [*np.linspace(-7.0, 7.0, 4001), *np.linspace(-1.0, 1.0, 2001), 1e-300, -1e-17],
}


@pytest.mark.parametrize(("name", "ulps"), [("exp", 1.0), ("log", 1.0), ("erf", 3.0)])
def test_what_is_written_out_is_right_to_the_last_digits(name, ulps):
    """Against 40 digits of mpmath; below the smallest normal number, to the spacing of numbers there."""
    points = np.array(POINTS[name])
    computed = compile(getattr(autodiff, name), backend="numba")(points)
    with mpmath.workdps(40):
        known = [getattr(mpmath, name)(mpmath.mpf(float(x))) for x in points]
        errors = [float(abs(mpmath.mpf(float(y)) - t)) / max(math.ulp(float(t)), 5e-324)
                  for y, t in zip(computed, known, strict=True)]  # fmt: skip
    assert max(errors) <= ulps, points[int(np.argmax(errors))]


@pytest.mark.parametrize("name", ["exp", "log", "erf"])
def test_edges_are_those_of_numpy(name):
    """Infinities, NaN, zeros of both signs, overflow: as IEEE 754 has them."""
    points = np.array([math.inf, -math.inf, math.nan, 0.0, -0.0, 710.0, -746.0, 1e308, -1e308])
    known = np.vectorize(math.erf) if name == "erf" else getattr(np, name)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(compile(getattr(autodiff, name), backend="numba")(points), known(points))


@pytest.mark.parametrize("part", range(8))
def test_every_row_of_the_table(part):
    """Values and partials are the table's own: a program of the sum of an eighth of the rows, each on its own operands."""
    rng = np.random.default_rng(part)
    names, places, columns = sorted(OPS)[part::8], {}, []
    for name in names:
        low, high = {"acosh": (1.2, 1.8)}.get(name, (0.2, 0.8))
        n = OPS[name].arity or 3
        places[name] = range(len(columns), len(columns) + n)
        columns += [rng.uniform(low, high, 3) for _ in range(n)]
        if name == "clip":
            columns[-2][:], columns[-1][:] = 0.3, 0.6
    X = np.array(columns).T

    program = compile(lambda x: sum(OPS[name](*[x[i] for i in places[name]]) for name in names), backend="numba")
    value, _, slope = program.value_and_grad(X, argnums=0, reduce=None)
    for row, x in enumerate(X):
        operands = {name: x[places[name]].tolist() for name in names}
        known = {name: OPS[name].on_floats(*operands[name]) for name in names}
        np.testing.assert_allclose(value[row], sum(known.values()), **CLOSE)
        for name in names:
            partials = OPS[name].partials_at(operands[name], known[name], [True] * len(operands[name]))
            np.testing.assert_allclose(slope[row, places[name]], partials, **CLOSE, err_msg=name)


def line():
    w, b = Value(0.5, "w"), Value(-0.25, "b")
    return w, b, compile(lambda x, y: (w * x + b - y) ** 2, backend="numba")


def test_parameters_have_the_gradient_of_least_squares():
    """The mean, the sum, each row, weighted; in a training block; of rows that are not in one piece, or read-only."""
    w, b, program = line()
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(2, 300))
    X.setflags(write=False)
    residual = 0.5 * X - 0.25 - Y
    each = np.stack([2.0 * residual * X, 2.0 * residual], axis=1)
    value, gradient = program.value_and_grad(X, Y)
    order = [program.parameters.index(p) for p in (w, b)]
    np.testing.assert_allclose(value, np.mean(residual**2), **CLOSE)
    np.testing.assert_allclose(gradient[order], each.mean(axis=0), **CLOSE)
    np.testing.assert_allclose(
        program.value_and_grad(X[::3], Y[::3], reduce="sum")[1][order], each[::3].sum(axis=0), **CLOSE
    )
    np.testing.assert_allclose(program.value_and_grad(X, Y, reduce=None)[1][:, order], each, **CLOSE)
    weights = rng.uniform(size=300)
    weighted = program.value_and_grad(X, Y, weights=weights)[1][order]
    np.testing.assert_allclose(weighted, weights @ each / weights.sum(), **CLOSE)
    with program.training(X, Y) as flat:
        for _ in range(300):
            flat -= 0.3 * program.value_and_grad(X, Y)[1]
    np.testing.assert_allclose([w.data, b.data], np.polyfit(X, Y, 1), rtol=1e-9)
    value, gradient = program.value_and_grad(2.0, 3.0)
    residual = 2.0 * w.data + b.data - 3.0
    np.testing.assert_allclose([value, *gradient[order]], [residual**2, 4.0 * residual, 2.0 * residual], **CLOSE)


def test_arguments_may_be_arrays_and_the_same_for_all_rows():
    """δ of an array has its shape; of what all rows share it is the sum over the rows."""
    rng = np.random.default_rng(2)
    X, v = rng.normal(size=(50, 3)), rng.normal(size=3)
    program = compile(lambda x, v: exp(sum(x * v)), in_axes=(0, None), backend="numba")
    known = np.exp(X @ v)
    value, _, (dX, dv) = program.value_and_grad(X, v, argnums=(0, 1), reduce="sum")
    np.testing.assert_allclose(value, known.sum(), **CLOSE)
    np.testing.assert_allclose(dX, known[:, None] * v, **CLOSE)
    np.testing.assert_allclose(dv, known @ X, **CLOSE)
    point = compile(lambda x: exp(sum(x * v)), in_axes=None, backend="numba")
    one, _, (dx,) = point.value_and_grad(X[0], argnums=(0,))
    np.testing.assert_allclose([one, *dx], [known[0], *(known[0] * v)], **CLOSE)


def test_arguments_that_nothing_depends_on():
    """They are passed like the others, and have a derivative of 0."""
    program = compile(lambda x, y, zs: x * x, in_axes=(0, 0, None), backend="numba")
    X, zs = np.array([1.0, 2.0]), np.ones(3)
    for _ in range(3):
        value, _, (dx, dy, dz) = program.value_and_grad(X, X, zs, argnums=(0, 1, 2), reduce=None)
        assert (value.tolist(), dx.tolist(), dy.tolist(), dz.tolist()) == (
            [1.0, 4.0],
            [2.0, 4.0],
            [0.0, 0.0],
            [[0.0] * 3] * 2,
        )
        assert program(X, X, zs).tolist() == [1.0, 4.0]


def test_rows_of_any_layout_again_and_again():
    """Matrices, their columns, read-only memory, arguments of three axes: the same numbers each time."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(6, 2, 3))
    program = compile(lambda x, y: exp(sum(x.ravel())) * y, backend="numba")
    frozen = X.copy()
    frozen.setflags(write=False)
    for _ in range(3):
        for given in (X, frozen, np.asfortranarray(X)):
            _, _, (dX, dy) = program.value_and_grad(given, given[:, 0, 1], argnums=(0, 1), reduce=None)
            known = np.exp(X.sum(axis=(1, 2)))
            np.testing.assert_allclose(dy, known, **CLOSE)
            np.testing.assert_allclose(dX, np.broadcast_to((known * X[:, 0, 1])[:, None, None], X.shape), **CLOSE)


def test_several_answers():
    """Lists, and answers with names."""
    X = np.linspace(0.1, 1.0, 5)
    program = compile(lambda x: {"sine": autodiff.sin(x), "both": [x, x * x]}, backend="numba")
    found = program(X)
    np.testing.assert_allclose(found["sine"], np.sin(X), **CLOSE)
    np.testing.assert_allclose(found["both"], np.stack([X, X * X], 1), **CLOSE)
    assert program(0.5)["both"].tolist() == [0.5, 0.25]


def test_a_branch_that_is_not_taken_hands_nothing_on():
    """Where the fast loop has NaN, 0 · ∞ is 0 all the same."""
    program = compile(lambda x: where(x > 0.0, log(x), x), backend="numba")
    value, _, (slope,) = program.value_and_grad([-1.0, 0.0, 2.0], argnums=(0,), reduce=None)
    np.testing.assert_allclose(value, [-1.0, 0.0, math.log(2.0)], **CLOSE)
    np.testing.assert_allclose(slope, [1.0, 1.0, 0.5], **CLOSE)
    assert program.value_and_grad(-1.0, argnums=0)[2] == 1.0


def test_an_operation_of_the_users_own():
    """numba compiles its `forward`; where it cannot, the error names the operation."""
    cube = Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: 3.0 * a * a,))
    value, _, (slope,) = compile(cube, backend="numba").value_and_grad([1.0, 2.0], argnums=(0,), reduce=None)
    np.testing.assert_allclose([value, slope], [[1.0, 8.0], [3.0, 12.0]], **CLOSE)
    odd = Op("odd", "?", lambda a: float(Decimal(a)), np.positive, partials=(lambda a, r: 1.0,))
    with pytest.raises(TypeError, match=r'backend="numba" cannot compile .* odd'):
        compile(odd, backend="numba")([1.0, 2.0])


def test_code_without_structure():
    """Hundreds of different operations, one after another, against the same in NumPy."""

    def f(x, of):
        for k in range(400):
            x = [of.sin, of.cos, of.tanh][k % 3](x) + 0.01 * k * x if k % 2 else x * (1.0 - 0.001 * k)
        return x

    X = np.linspace(-1.0, 1.0, 11)
    program = compile(lambda x: f(x, autodiff), backend="numba")
    np.testing.assert_allclose(program(X), f(X, np), rtol=1e-9)


def test_a_table_of_tables_has_the_gradients_of_each_row():
    """Each row's derivatives stand at the places that it looks up, however large the table is."""
    numbers = 0.1 * np.arange(240.0).reshape(80, 3)
    table = autodiff.parameters(numbers)
    program = compile(lambda i, j: pick(pick(table, i), j) ** 2, parameters=table, backend="numba")
    i, j = np.array([0, 79, -1, 5, 5]), np.array([1, 2, -3, 0, 0])
    expected = np.zeros((5, 80, 3))
    expected[range(5), i, j] = 2.0 * numbers[i, j]
    values, gradients = program.value_and_grad(i, j, reduce=None)
    np.testing.assert_allclose(values, numbers[i, j] ** 2, **CLOSE)
    np.testing.assert_allclose(gradients, expected.reshape(5, 240), **CLOSE)
    np.testing.assert_allclose(program.value_and_grad(i, j, reduce="sum")[1], expected.sum(0).ravel(), **CLOSE)
    for k in range(5):
        value, gradient = program.value_and_grad(int(i[k]), int(j[k]))
        np.testing.assert_allclose([value, *gradient], [values[k], *expected[k].ravel()], **CLOSE)


def test_a_lookup_beside_others_has_the_derivatives_of_numpys_index():
    """Two tables by one index, one by two indices, constants, a chain of `where` with a computed end, empty tiles' ends."""
    rng = np.random.default_rng(5)
    p, q, c = rng.normal(size=(3, 12))
    weights = autodiff.parameters([*p, *q])
    first, second = weights[:12], weights[12:]

    def f(i, j, x):
        chain = x
        for k in range(2, 12):
            chain = where(i == k, second[k], chain)
        return pick(first, i) * pick(first, j) * pick(list(c), j) + chain * x

    n = 101
    i, j, x = rng.integers(0, 12, n), rng.integers(-12, 12, n), rng.normal(size=n)
    program = compile(f, parameters=weights, backend="numba")
    end = np.where(i >= 2, q[i], x)
    expected = np.zeros((n, 24))
    np.add.at(expected, (range(n), i), p[j] * c[j])
    np.add.at(expected, (range(n), j % 12), p[i] * c[j])
    expected[range(n), 12 + i] = np.where(i >= 2, x, 0.0)
    for _ in range(2):
        values, gradients, slope = program.value_and_grad(i, j, x, argnums=2, reduce=None)
        np.testing.assert_allclose(values, p[i] * p[j] * c[j] + end * x, **CLOSE)
        np.testing.assert_allclose(gradients, expected, **CLOSE)
        np.testing.assert_allclose(slope, np.where(i >= 2, q[i], 2.0 * x), **CLOSE)
        np.testing.assert_allclose(program.value_and_grad(i, j, x)[1], expected.mean(axis=0), **CLOSE)
    for wrong in (12.0, -13.0, 0.5, math.nan):
        assert math.isnan(program(np.array([wrong, 0.0]), np.array([0, 0]), np.ones(2))[0])


def test_an_entry_that_is_not_picked_may_be_infinite():
    """δ goes to the picked entry alone, and the others' infinities stay where they are."""
    table = autodiff.parameters([1.5, -math.inf, *[2.0] * 8, math.inf])
    program = compile(lambda i: pick(table, i) ** 2, parameters=table, backend="numba")
    values, gradients = program.value_and_grad([0, 2, 0], reduce=None)
    np.testing.assert_array_equal(values, [2.25, 4.0, 2.25])
    np.testing.assert_array_equal(gradients, [[3.0 * (k == 0) for k in range(11)], [4.0 * (k == 2) for k in range(11)],
                                              [3.0 * (k == 0) for k in range(11)]])  # fmt: skip
    value, gradient = program.value_and_grad(2)
    assert (value, gradient.tolist()) == (4.0, [4.0 * (k == 2) for k in range(11)])


def test_choices_upon_choices_are_compiled_within_the_usual_depth():
    """numba goes twice into itself for each branch, and 300 of `where` are none; the depth is as before afterwards."""
    depth = sys.getrecursionlimit()

    def f(x, of):
        for k in range(300):
            x = of(x > 0.01 * k, 0.99 * x, x + 0.01)
        return x

    X = np.linspace(-1.0, 3.0, 9)
    np.testing.assert_allclose(compile(lambda x: f(x, where), backend="numba")(X), f(X, np.where), rtol=1e-9)
    assert sys.getrecursionlimit() == depth


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_batches_of_several_blocks_add_up_to_the_gradient_of_all_rows(reduce):
    """More rows than one block has, called again: Σ x cos(w x) by w, over all rows."""
    w = Value(2.0, "w")
    program, X = compile(lambda x: autodiff.sin(x * w), backend="numba"), np.linspace(0.0, 1.0, 70_001)
    for _ in range(3):
        value, slopes = program.value_and_grad(X, reduce=reduce)
        n = 1.0 if reduce == "sum" else len(X)
        np.testing.assert_allclose([value, slopes[0]], [np.sin(2.0 * X).sum() / n, (X * np.cos(2.0 * X)).sum() / n])


def test_what_cannot_be_is_refused(monkeypatch):
    """Too many operations; numba absent; a backend that there is not."""
    with pytest.raises(ValueError, match="at most 4,000 operations"):
        compile(lambda x: autodiff.total([autodiff.sin(k * x) for k in range(5000)]), backend="numba")([1.0])
    with pytest.raises(ValueError, match="backend must be 'auto'"):
        compile(exp, backend="cuda")
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match=r"delta-autodiff\[numba\]"):
        compile(exp, backend="numba")


def test_explain_tells_the_time_and_what_numba_would_be_for():
    """The seconds of all that was compiled; without the backend, a word where it would be quicker."""
    program = compile(price, backend="numba")
    assert "one loop over the rows" in program.trace(*options(3)).explain()
    assert "not compiled yet" in program.explain()
    for count, argnums in enumerate((None, (0, 1), 2), start=1):
        program.value_and_grad(*options(3), argnums=argnums)
        assert re.search(rf"; {count} compiled so far, in \d+\.\d s\n", program.explain())
    assert 'backend="numba" would' in compile(price).trace(*options(3)).explain()


@pytest.mark.parametrize("backend", ["auto", "numba"])
def test_explain_counts_nothing_by_row_where_there_are_none(backend):
    """x³ and its derivative are no 0 operations for a row: at one point there is no row to count for; of rows there is."""
    program = compile(lambda x: x * x * x, backend=backend)
    assert not re.search(
        r"\brows?  |blocks of|operations in each", program.trace(2.0).explain().replace("all rows", "")
    )
    said = program.trace([2.0, 3.0]).explain()
    assert int(re.search(r"one row +about (\d+) floating-point", said)[1]) >= 2
    assert "in blocks of" in said


def test_another_process_loads_the_machine_code(tmp_path):
    """The second one compiles nothing: numba counts its hits."""
    text = (
        "from autodiff import compile, tanh\n"
        "import numba\n"
        "from numba.core import event\n"
        "with event.install_recorder('numba:compile') as found:\n"
        "    print(compile(lambda x: tanh(x) * x, backend='numba')([0.5, 1.0]), len(found.buffer))\n"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    first, second = (
        subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, env=environment, check=True).stdout
        for _ in range(2)
    )
    assert first.split("]")[0] == second.split("]")[0]
    assert int(first.split()[-1]) > int(second.split()[-1]) == 0


def test_without_a_folder_it_compiles_all_the_same(monkeypatch, tmp_path):
    """Where nothing can be written, machine code lasts as long as the process."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert compile(lambda x: x * 3.0 + 0.125, backend="numba")([1.0, 2.0]).tolist() == [3.125, 6.125]


def test_the_value_is_that_of_the_rows_of_this_call():
    """Mean, sum, weighted: of rows whose numbers are others each time, against NumPy."""
    program = compile(lambda x, y: x * x * y, backend="numba")
    rng = np.random.default_rng(3)
    for _ in range(3):
        x, y, w = rng.uniform(0.1, 1.0, size=(3, 11))
        for options, share in (
            ({}, np.full(11, 1 / 11)),
            ({"reduce": "sum"}, np.ones(11)),
            ({"weights": w}, w / w.sum()),
            ({"weights": w, "reduce": "sum"}, w),
        ):
            value, gradient, (dx, dy) = program.value_and_grad(x, y, argnums=(0, 1), **options)
            np.testing.assert_allclose(value, (x * x * y) @ share, **CLOSE)
            np.testing.assert_allclose([dx, dy], [2.0 * x * y * share, x * x * share], **CLOSE)
            assert gradient.shape == (0,)
        each, _, dy = program.value_and_grad(x, y, argnums=1, reduce=None, weights=w)
        np.testing.assert_allclose([each, dy], [x * x * y * w, x * x * w], **CLOSE)


def test_a_call_unlike_the_one_before_is_looked_at_anew():
    """Other lengths, other kinds of numbers, arguments that do not fit: each answered as it is by itself."""
    program = compile(lambda x, y: x * x * y, backend="numba")
    x, y = np.linspace(1.0, 2.0, 10), np.linspace(3.0, 4.0, 10)
    for _ in range(2):
        given = [
            (x, y), (x[:4], y[:4]), (x[::2], y[::2]), (x.astype(np.float32), y), (np.arange(10), y), (list(x), list(y)),
            (x.byteswap().view(x.dtype.newbyteorder()), y),
        ]  # fmt: skip
        for a, b in given:
            value, _, (dx, dy) = program.value_and_grad(a, b, argnums=(0, 1), reduce=None)
            a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
            np.testing.assert_allclose([value, dx, dy], [a * a * b, 2.0 * a * b, a * a], **CLOSE)
        masked = np.ma.array(x, mask=x > 1.5)
        for wrong in ((x, y[:9]), (x[:9], y), (x.reshape(5, 2), y), (x + 1j, y), ("ab", y), (masked, y)):
            with pytest.raises((ValueError, TypeError, autodiff.TraceError)):
                program.value_and_grad(*wrong, argnums=(0, 1), reduce=None)
    one = 3.0, 2.0
    for numbers in (one, (3, 2), (np.float32(3.0), True + 1), (np.array(3.0), 2.0), (Fraction(3), 2.0)):
        value, _, (dx, dy) = program.value_and_grad(*numbers, argnums=(0, 1))
        assert (value, dx, dy) == (18.0, 12.0, 9.0)
        assert program(*numbers) == 18.0
        assert program.value_and_grad(*numbers, argnums=1)[2] == 9.0
    for wrong in (("3", 2.0), (3.0, None), (3.0, 2.0, 1.0), (3j, 2.0)):
        with pytest.raises((TypeError, autodiff.TraceError)):
            program.value_and_grad(*wrong, argnums=(0, 1))
        with pytest.raises((TypeError, autodiff.TraceError)):
            program(*wrong)
    value, _, slope = program.value_and_grad(3.0, autodiff.Value(2.0), argnums=1)
    assert (value.data, slope.data, program(3.0, autodiff.Value(2.0)).data) == (18.0, 9.0, 18.0)
    with pytest.raises(TypeError, match="argnums must be the position"):
        program.value_and_grad(3.0, 2.0, argnums=True)


def test_what_fills_a_tile_up_is_a_row_of_the_batch():
    """An operation that refuses numbers below 0 is not asked about any but those that are given."""

    def forward(a):
        if not a > 0.0:
            raise ValueError
        return math.sqrt(a)

    root = Op("guarded root", "√", forward, partials=(lambda a, r: 0.5 / r,))
    program = compile(root, backend="numba")
    for n in (1, 3, 9, 1003):
        x = np.linspace(1.0, 2.0, n)
        for _ in range(3):
            np.testing.assert_allclose(program(x), np.sqrt(x), **CLOSE)


def test_threads_may_call_one_program_at_once():
    """Each gets the answer to its own rows, whoever calls meanwhile."""
    program = compile(price, backend="numba", threads=1)
    batches = [[row + 0.01 * k for row in options(5_000)] for k in range(4)]
    program.value_and_grad(*batches[0], argnums=(0,), reduce=None)

    def deltas(given):
        return [program.value_and_grad(*given, argnums=(0,), reduce=None)[2][0] for _ in range(20)]

    with ThreadPoolExecutor(4) as pool:
        for found, given in zip(pool.map(deltas, batches), batches, strict=True):
            for delta in found:
                np.testing.assert_allclose(delta, truth(*given)[1], rtol=1e-11, atol=1e-11)


def test_answers_in_a_form_by_machine_code():
    """Value and gradients together, and more outputs than are returned one by one: each against its closed form."""
    together = compile(value_and_grad(lambda x, y: exp(x) * y**2, argnums=(0, 1)), backend="numba")
    many = compile(lambda p: {"powers": [p["x"] ** k for k in range(20)], "pair": (p["x"], [p["y"]])}, backend="numba")
    x, y = np.array([0.0, 1.0, 2.0]), np.array([2.0, 3.0, -1.0])
    for _ in range(3):
        value, (dx, dy) = together(x, y)
        np.testing.assert_allclose([value, dx, dy], [np.exp(x) * y**2, np.exp(x) * y**2, 2.0 * np.exp(x) * y], **CLOSE)
        assert together(0.0, 3.0) == (9.0, (9.0, 6.0))
        found = many({"x": x, "y": y})
        np.testing.assert_allclose(found["powers"], x[:, None] ** np.arange(20), **CLOSE)
        np.testing.assert_array_equal(found["pair"][1], y[:, None])
        point = many({"x": 2.0, "y": 3.0})
        assert point["powers"].tolist() == [2.0**k for k in range(20)]
        assert (point["pair"][0], point["pair"][1].tolist()) == (2.0, [3.0])
