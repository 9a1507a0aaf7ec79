"""`pick` and `one_hot`: a row of a table by its place, for numbers, Values, and what has no number yet while it is traced."""

import contextlib
import copy
import functools
import itertools
import math
import pickle
import random
from collections import defaultdict, namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff
from autodiff import DomainError, TraceError, Value, grad, jvp, one_hot, parameters, pick, softmax
from autodiff import compile as compiled

RNG = np.random.default_rng(4)
NUMBERS = RNG.normal(size=(7, 3))
PLACES = np.array([0, 6, -1, -7, 3, 3, 2])


def values(array):
    return [values(part) for part in array] if np.ndim(array) else Value(float(array))


def gradient_in_order(program, gradient, table):
    place = {id(p): i for i, p in enumerate(program.parameters)}
    flat = np.ravel(np.array(table, dtype=object))
    return np.array([gradient[place[id(p)]] if id(p) in place else 0.0 for p in flat]).reshape(np.shape(table))


@pytest.mark.parametrize("i", [2, -5, 2.0, np.int64(2), np.float64(-5.0), np.array(2), Value(2.0, "i"), Value(-5.0)])
def test_a_place_of_any_kind_gives_python_s_own_row(i):
    """Whole numbers of every kind; the very row that the table has, whatever it holds."""
    table = values(NUMBERS)
    assert pick(table, i) is table[2]
    assert pick(NUMBERS, i).tolist() == NUMBERS[2].tolist()
    assert pick(list("abcdefg"), i) == "c"
    assert one_hot(i, 7) == np.eye(7)[2].tolist()


def test_delta_goes_to_the_row_that_is_picked():
    """As it would by table[i]; the place itself has no slope."""
    table, i = values(NUMBERS), Value(4.0)
    sum(v * v for v in pick(table, i)).backward()
    assert [v.grad for v in table[4]] == pytest.approx(2 * NUMBERS[4])
    assert not any(v.swept for k, row in enumerate(table) if k != 4 for v in row)
    assert not i.swept


TABLES = parameters({"emb": NUMBERS, "bias": [0.5, -1.0, 2.0]}, "model")


@pytest.mark.parametrize("i", [2, -5, 2.0, np.int64(2), np.float64(-5.0), np.array(2), Value(2.0, "i"), Value(-5.0)])
def test_a_table_of_parameters_is_indexed_by_a_number_of_any_kind(i):
    """Its own row and entry, whatever the number is of; δ goes there."""
    emb = TABLES["emb"]
    assert emb[i] is list(emb)[2]
    emb[i][1.0].backward()
    assert emb[2][1].grad == 1.0
    emb[2][1].zero_grad()
    assert grad(lambda x: x * x * emb[i][Value(0.0)])(3.0) == pytest.approx(6.0 * NUMBERS[2, 0])


def test_a_table_is_a_list_for_everything_else():
    """Values by numbers' own places, entries, length, slices, copies, pickles, errors of lists, names of its Values."""
    emb, bias = TABLES["emb"], TABLES["bias"]
    assert (isinstance(emb, list), len(emb), len(emb[0])) == (True, *NUMBERS.shape)
    np.testing.assert_array_equal([[v.data for v in row] for row in emb], NUMBERS)
    assert (emb[3][1].label, bias[-1].label, bias[1:][1.0]) == ("model['emb'][3][1]", "model['bias'][2]", bias[2])
    assert np.array(emb).shape == NUMBERS.shape
    for twin in (copy.deepcopy(emb), pickle.loads(pickle.dumps(emb))):
        assert twin[Value(1.0)][2.0].data == NUMBERS[1, 2]
        assert twin[1][2] is not emb[1][2]
    assert copy.copy(bias)[1.0] is bias[1]
    with pytest.raises(IndexError, match="list index out of range"):
        bias[3]
    with pytest.raises(DomainError, match="pick needs a whole number from -3 to 2, got 3"):
        bias[3.0]
    with pytest.raises(TypeError, match="pick: the index must be a whole number, got 'a'"):
        bias["a"]
    assert [type(x) for x in parameters((1.0, None, Value(2.0), np.array(3.0)))] == [Value, type(None), Value, Value]
    assert parameters(bias)[0] is bias[0]
    with pytest.raises(TypeError, match="a Value needs one real number, got str"):
        parameters([1.0, "a"])


def test_a_table_is_indexed_by_what_has_no_number_yet():
    """Both indices of a row and column, in a batch, at a point, under grad and in a fold: NumPy's indexing, bincount's δ."""
    emb, bias = TABLES["emb"], TABLES["bias"]
    i, j, x = PLACES, np.arange(len(PLACES)) % 3, RNG.normal(size=len(PLACES))
    program = compiled(lambda i, j, x: emb[i][j] * x + bias[j], parameters=TABLES)
    np.testing.assert_allclose(program(i, j, x), NUMBERS[i, j] * x + np.array([0.5, -1.0, 2.0])[j], rtol=1e-14)
    _, gradient, by_x = program.value_and_grad(i, j, x, reduce="sum", argnums=2)
    expected = np.zeros_like(NUMBERS)
    np.add.at(expected, (i, j), x)
    np.testing.assert_allclose(gradient[: NUMBERS.size].reshape(NUMBERS.shape), expected, rtol=1e-14)
    np.testing.assert_allclose(gradient[NUMBERS.size :], np.bincount(j, minlength=3))
    np.testing.assert_allclose(by_x, NUMBERS[i, j])
    assert program(int(i[1]), 2, 3.0) == pytest.approx(NUMBERS[i[1], 2] * 3.0 + 2.0)
    slope = compiled(grad(lambda x, i: emb[i][0] * x * x))
    np.testing.assert_allclose(slope(x, i), 2.0 * NUMBERS[i, 0] * x)
    walk = compiled(lambda ks: autodiff.fold(lambda h, k: (0.5 * h + emb[k][1], None), 0.0, ks)[0])
    np.testing.assert_allclose(walk([[0, 2, -1]]), [0.25 * NUMBERS[0, 1] + 0.5 * NUMBERS[2, 1] + NUMBERS[-1, 1]])
    with pytest.raises(TraceError, match=r"where\(k < n, a, 0\.0\) for what a row leaves out"):
        compiled(lambda i: sum(bias[:i]))([0, 1])


def test_a_batch_picks_as_numpy_takes():
    """Rows of lists, tuples and arrays, numbers, nests; negative places from the end."""
    scalars = compiled(lambda i: pick(NUMBERS[:, 0].tolist(), i))
    np.testing.assert_allclose(scalars(PLACES), NUMBERS[PLACES, 0])
    for table in (
        values(NUMBERS),
        tuple(map(tuple, values(NUMBERS))),
        np.array(values(NUMBERS), dtype=object),
        NUMBERS,
    ):
        program = compiled(lambda i, table=table: list(pick(table, i)))
        np.testing.assert_allclose(program(PLACES), NUMBERS[PLACES], rtol=1e-15)
        np.testing.assert_allclose(program(PLACES.astype(float)), NUMBERS[PLACES], rtol=1e-15)
        assert program(-2) == pytest.approx(NUMBERS[5])
    nested = RNG.normal(size=(3, 2, 4))
    np.testing.assert_allclose(compiled(lambda i: pick(nested.tolist(), i))([2, -3]), nested[[2, 0]], rtol=1e-15)
    np.testing.assert_array_equal(compiled(lambda i: one_hot(i, 7))(PLACES), np.eye(7)[PLACES])


@pytest.mark.parametrize("careful", [False, True])
def test_value_and_gradient_are_those_of_jax(careful):
    """Embedding, a score for each class, and −log of the picked probability: jnp's own indexing under jax.grad."""
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    jax.config.update("jax_enable_x64", True)
    table, scores = values(NUMBERS), values(RNG.normal(size=(4, 3)))
    letters, targets = PLACES, np.array([0, 3, -1, 2, 2, 1, -4])

    def cost(letter, target):
        x = pick(table, letter)
        p = softmax([sum(w * v for w, v in zip(row, x, strict=True)) for row in scores])
        rest = autodiff.where(letter > 100.0, autodiff.log(letter - 100.0), 0.0) if careful else 0.0
        return -autodiff.log(pick(p, target)) + rest

    def in_jax(E, S):
        z = E[letters] @ S.T
        return (jax.nn.logsumexp(z, axis=1) - z[jnp.arange(len(letters)), targets]).mean()

    program = compiled(cost)
    value, gradient = program.value_and_grad(letters, targets)
    S = np.array([[w.data for w in row] for row in scores])
    expected, slopes = jax.value_and_grad(in_jax, (0, 1))(jnp.asarray(NUMBERS), jnp.asarray(S))
    assert value == pytest.approx(float(expected), rel=1e-12)
    for ours, theirs in zip((table, scores), slopes, strict=True):
        np.testing.assert_allclose(gradient_in_order(program, gradient, ours), theirs, rtol=1e-11, atol=1e-14)
    module = {}
    exec(program.source.replace("xp = np ", "import jax.numpy as xp "), module)
    flat = np.array([p.data for p in program.parameters])
    of_text, slopes_of_text = jax.jit(module["value_and_grad"])(flat, letters, targets)
    assert float(of_text) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(slopes_of_text, gradient, rtol=1e-10, atol=1e-14)


def test_the_place_has_no_slope_and_higher_derivatives_pass():
    """∂/∂i is 0; derivatives by what the table holds are those of the row, by every mode."""
    program = compiled(lambda i, x: pick([1.0, x, x * x], i) * x)
    _, _, (by_place, by_x) = program.value_and_grad([1, 2], [3.0, 3.0], reduce="sum", argnums=(0, 1))
    assert by_place.tolist() == [0.0, 0.0]
    assert by_x == pytest.approx([6.0, 27.0])
    assert grad(grad(lambda x: pick([1.0, x, x**3], -1)))(2.0) == pytest.approx(12.0)
    assert jvp(lambda x: pick([1.0, x, x**3], 2.0), (2.0,), (1.0,)) == pytest.approx((8.0, 12.0))
    assert compiled(grad(lambda x, i: pick([x, x * x, x**3], i)))([2.0, 2.0], [1, 2]) == pytest.approx([4.0, 12.0])


@pytest.mark.parametrize("i", [7, -8, 2.5, math.nan, math.inf, Value(7.0, "letter")])
def test_a_number_outside_the_table_is_told(i):
    """By the bounds, what was got, and the label of a Value."""
    with pytest.raises(DomainError, match=r"^(pick|one_hot) needs a whole number from -7 to 6, got ") as caught:
        pick(NUMBERS, i)
    assert ("in 'letter'" in str(caught.value)) == isinstance(i, Value)
    with pytest.raises(DomainError, match="one_hot needs"):
        one_hot(i, 7)


def test_a_row_outside_the_table_is_nan_and_check_names_it():
    """Its neighbours are not; neither the value nor the gradient of such a batch looks finite."""
    program = compiled(lambda i: sum(pick(values(NUMBERS), i)))
    outside = [0, 7, -8, 2.5, 6]
    assert np.isnan(program(outside)).tolist() == [False, True, True, True, False]
    assert math.isnan(program(7.0))
    with pytest.raises(DomainError, match=r"^row 1: pick needs a whole number from -7 to 6, got 7, in 'i'$"):
        program(outside, check=True)
    hot = compiled(lambda i: one_hot(i, 2))([0, 2])
    np.testing.assert_array_equal(hot, [[1.0, 0.0], [math.nan, math.nan]])


@pytest.mark.parametrize(
    ("table", "i", "error", "said"),
    [
        ({"a": 1.0}, 0, TypeError, "pick needs a list or an array of rows, got dict; list"),
        ("abc", 0, TypeError, "got str"),
        (iter([1.0]), 0, TypeError, "got list_iterator"),
        (3.0, 0, TypeError, "got float"),
        ([], 0, ValueError, "pick needs one place or more, got 0"),
        ([1.0], "0", TypeError, "pick: the index must be a whole number, got '0'"),
        ([1.0], [0], TypeError, r"pick needs one whole number, got list; pick one by one: \[pick\(…\) for k in i\]"),
        ([1.0], np.array([0, 0]), TypeError, "got ndarray"),
        ([1.0], None, TypeError, "needs one real number, got None"),
        ([1.0], 0j, TypeError, "got complex"),
    ],
)
def test_what_is_no_table_or_no_place_is_refused(table, i, error, said):
    """Each with what was got and the way out."""
    with pytest.raises(error, match=said):
        pick(table, i)
    with pytest.raises(TypeError, match=r"one_hot: n must be a whole number, got 2\.5"):
        one_hot(i, 2.5)


def test_rows_of_different_lengths_are_refused_while_tracing():
    """A stand-in may pick any of them, so all must have one shape; numbers may pick from a ragged table."""
    ragged = [[1.0], [2.0, 3.0]]
    assert pick(ragged, 1) == [2.0, 3.0]
    with pytest.raises(ValueError, match=r"pick needs rows of one length, got lengths of \[1, 2\]; fill the shorter"):
        compiled(lambda i: pick(ragged, i)[0])([0.0])


TABLE = values(NUMBERS[:, 0])
BY_INDEX = {
    "list": lambda i: TABLE[i],
    "text": lambda i: "abc"[i],
    "array of Values": lambda i: np.array(TABLE)[i],
    "array of numbers": lambda i: NUMBERS[i, 0],
    "row of an argument": lambda i: np.array([i, i])[i],
    "dict": lambda i: {0: 1.0, 1: 2.0}[i],
    "dict inside": lambda i: {0: {0: 1.0}}[0][i],
    "np.take": lambda i: np.take(NUMBERS[:, 0], i),
    "int": lambda i: TABLE[int(i)],
    "range": lambda i: sum(1.0 for _ in range(i)),
    "slice": lambda i: sum(TABLE[:i]),
    "slice of an array": lambda i: sum(NUMBERS[:i, 0]),
    "length": lambda i: sum([1.0] * i),
    "dict.get": lambda i: {0: 1.0}.get(i, 2.0),
    "defaultdict": lambda i: defaultdict(float, {0: 1.0})[i],
    "in a set": lambda i: 1.0 if i in {0, 2} else 2.0,
    "in a dict": lambda i: float(i in {0: 1.0}),
    "islice": lambda i: sum(itertools.islice(TABLE, i)),
    "zeros": lambda i: sum(np.zeros(i)),
    "library": lambda i: TABLE[random.randrange(i)],
    "assigned": lambda i: np.zeros(3).__setitem__(i, 1.0),
}


@pytest.mark.parametrize("name", BY_INDEX)
def test_an_index_that_has_no_number_yet_is_told_of_pick(name):
    """By the name of the argument, the user's line, and the way out; never by what Python or NumPy say of indices."""
    with pytest.raises(TraceError, match=r"^(indexing by|int\(\) of|looking up) 'i' while it is traced, at ") as caught:
        compiled(BY_INDEX[name])([0.0, 1.0])
    assert "autodiff.pick(" in str(caught.value)
    assert "static_argnums" in str(caught.value)
    assert f"{__file__}:{BY_INDEX[name].__code__.co_firstlineno}" in str(caught.value)


def test_indices_by_the_array_are_told_to_be_picked_one_by_one():
    """NumPy takes whole arrays of indices; a stand-in for each has no number yet."""
    indices = [[0, 1], [2, 2]]
    with pytest.raises(IndexError, match=r"\[autodiff\.pick\(table, i\) for i in indices\]"):
        compiled(lambda ks: sum(np.array(TABLE)[ks]))(indices)
    for f in (lambda i: np.choose(i, TABLE), lambda i: np.take_along_axis(NUMBERS[:, 0], i, 0)):
        with pytest.raises((IndexError, TypeError), match=r"\[autodiff\.pick\(table, i\) for i in indices\]"):
            compiled(f)([0.0, 1.0])
    found = compiled(lambda indices: sum(pick(TABLE, i) for i in indices))(indices)
    np.testing.assert_allclose(found, NUMBERS[indices, 0].sum(axis=1), rtol=1e-14)


def test_a_name_or_a_key_that_is_missing_stays_what_it_is():
    """An error of the function's own has nothing to do with stand-ins."""
    with pytest.raises(KeyError, match="b"):
        compiled(lambda i: {"a": 1.0}["b"] * i)([0.0])
    with pytest.raises(IndexError, match="by name, pass a dict of columns"):
        compiled(lambda i: NUMBERS["weight"][0] * i)([0.0])


def test_an_error_of_another_line_than_the_refusal_stays_what_it_is():
    """A function that asks for a number, does without, and fails for another reason tells that reason."""

    def f(x):
        with contextlib.suppress(TypeError):
            float(x)
        return TABLE[50] * x

    with pytest.raises(IndexError, match="list index out of range"):
        compiled(f)([0.0])


def test_infinities_stay_in_the_rows_that_hold_them():
    """Against NumPy's indexing: constants, and numbers that are computed, whose slopes are those of the row alone."""
    constants = np.array([[-np.inf, 1.0], [2.0, np.nan], [0.5, np.inf], [0.0, -0.25]])
    program = compiled(lambda i: pick(constants, i))
    np.testing.assert_array_equal(program([0, 1, 2, 3, -4]), constants[[0, 1, 2, 3, 0]])
    scope = {}
    program.trace([0.0])
    exec(program.source, scope)
    np.testing.assert_array_equal(scope["forward"](np.zeros(0), np.arange(4.0)), constants)
    w = Value(2.0, "w")

    def surprise(i, p, q):
        return -pick([autodiff.log(p), autodiff.log(q), w * q], i)

    P, Q, chosen = np.array([0.0, 0.25, 0.0]), np.array([1.0, 0.75, 0.5]), np.array([1, 0, 2])
    with np.errstate(divide="ignore"):
        expected = -np.array([np.log(P), np.log(Q), 2.0 * Q])[chosen, np.arange(3)]
    program = compiled(surprise)
    np.testing.assert_allclose(program(chosen, P, Q), expected, rtol=1e-15)
    value, gradient, slopes = program.value_and_grad(chosen, P, Q, reduce="sum", argnums=(1, 2))
    assert value == pytest.approx(expected.sum())
    assert gradient == pytest.approx([-0.5])
    np.testing.assert_allclose(slopes, [[0.0, -4.0, 0.0], [-1.0, 0.0, -2.0]])
    assert compiled(lambda i, p: pick([autodiff.log(p), 5.0], i) > 4.0)([1, 1], [0.0, 1.0]).tolist() == [1.0, 1.0]
    assert program(1.0, 0.0, 1.0) == 0.0


def test_a_chain_of_where_is_a_lookup():
    """Values and slopes of both are those of NumPy's indexing."""
    table, places = values(NUMBERS[:3, 0]), np.array([2, 0, 1, 1])
    a, b, c = table
    chain = compiled(lambda i, x: x * autodiff.where(i == 0, a, autodiff.where(i == 1, b, c)))
    lookup = compiled(lambda i, x: x * pick(table, i))
    x = np.array([1.0, 2.0, 3.0, 4.0])
    for program in (chain, lookup):
        value, gradient = program.value_and_grad(places, x, reduce="sum")
        assert value == pytest.approx((x * NUMBERS[places, 0]).sum())
        expected = np.bincount(places, weights=x)
        np.testing.assert_allclose(gradient_in_order(program, gradient, table), expected, rtol=1e-15)


ENTRIES = ["parameter", "constant", "computed", "zero", "infinite", "of the row"]


@st.composite
def chains(draw):
    """Return keys in any order, some twice, the kinds of their entries, where the chain ends, and indices."""
    keys = draw(st.permutations([*range(12), -1.0, 0.5, -0.0, 3]))[: draw(st.sampled_from([16, 12, 8, 3]))]
    common = draw(st.sampled_from([ENTRIES, ENTRIES[:3], ENTRIES[:1]]))
    kinds = draw(st.lists(st.sampled_from(common), min_size=len(keys), max_size=len(keys)))
    indices = draw(
        st.lists(st.sampled_from([*map(float, range(13)), -1.0, 0.5, 2.5, math.inf]), min_size=1, max_size=9)
    )
    return keys, kinds, draw(st.sampled_from(["zero", "constant", "parameter", "of the row", "infinite"])), indices


@given(
    chains(),
    st.sampled_from(["chain", "sum", "decided", "twice", "stopped", "partly stopped"]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=40, deadline=None)
def test_chains_of_where_are_what_they_are_eagerly(chain, form, seed):
    """Value, gradient and derivative by the row of any chain: the first that matches, else its end, as Values have it."""
    keys, kinds, end, indices = chain
    rng = np.random.default_rng(seed)
    weights, last = values(rng.normal(size=len(keys))), Value(1.5, "last")
    xs = rng.normal(size=len(indices))

    def entry(kind, k, x):
        own = {"parameter": weights[k], "constant": 0.25 * k - 1.0, "zero": -0.0, "infinite": math.inf}
        return own[kind] if kind in own else autodiff.exp(weights[k]) if kind == "computed" else weights[k] * x

    def nested(i, x):
        found = {"zero": 0.0, "constant": 2.0, "parameter": last, "of the row": last * x, "infinite": -math.inf}[end]
        for k in reversed(range(len(keys))):
            with autodiff.no_grad() if form == "partly stopped" and k > 5 else contextlib.nullcontext():
                found = autodiff.where(i == keys[k], entry(kinds[k], k, x), found)
        return found

    def f(i, x):
        if form == "sum":
            found = sum(autodiff.where(i == key, entry(kinds[k], k, x), 0.0) for k, key in enumerate(keys))
        elif form == "decided":
            found = autodiff.where(nested(i, x) > 0.1, x * last, nested(i, x))
        elif form == "twice":
            inner = nested(i, x)
            found = autodiff.where(i == 20.0, last, inner) + 2.0 * inner
        elif form == "stopped":
            with autodiff.no_grad():
                found = nested(i, x)
        else:
            found = nested(i, x)
        return found + last * x

    program = compiled(f, parameters=[*weights, last])
    expected, slopes = [], []
    for i, x in zip(indices, xs.tolist(), strict=True):
        for w in (*weights, last):
            w.zero_grad()
        at = Value(x)
        result = f(i, at)
        if math.isfinite(result.data):  # backward refuses others
            result.backward()
        expected.append(result.data)
        slopes.append([w.grad or 0.0 for w in (*weights, last, at)])
    finite = np.isfinite(expected)
    near = {"rtol": 1e-12, "atol": 1e-13}
    np.testing.assert_allclose(program(indices, xs), expected, **near)
    value, gradient, by_x = program.value_and_grad(indices, xs, argnums=1, reduce=None)
    np.testing.assert_allclose(value, expected, **near)
    np.testing.assert_allclose(np.column_stack([gradient, by_x])[finite], np.array(slopes)[finite], **near)
    np.testing.assert_allclose([program(i, x) for i, x in zip(indices, xs.tolist(), strict=True)], expected, **near)
    if finite[0]:
        point = program.value_and_grad(indices[0], float(xs[0]), argnums=1)
        np.testing.assert_allclose([*point[1], point[2]], slopes[0], **near)
    if finite.all():
        summed, total, _ = program.value_and_grad(indices, xs, argnums=1, reduce="sum")
        np.testing.assert_allclose([summed, *total], [sum(expected), *np.sum(slopes, axis=0)[:-1]], **near)
        scope = {}
        exec(program.source, scope)
        flat = np.array([p.data for p in program.parameters])
        np.testing.assert_allclose(scope["forward"](flat, np.array(indices), xs), expected, **near)


def test_a_chain_costs_a_row_what_a_lookup_costs():
    """Neither operations nor bytes of one row grow with the chain, nor with a sum of such terms."""
    costs = set()
    for n in (100, 1000):
        table = values(RNG.normal(size=n))
        nested = compiled(
            lambda i, table=table: functools.reduce(
                lambda rest, k: autodiff.where(i == k, table[k], rest), reversed(range(len(table))), 0.5
            )
        )
        summed = compiled(lambda i, t=table: sum(autodiff.where(i == k, w, 0.0) for k, w in enumerate(t)))
        for program in (nested, summed):
            program.value_and_grad([0, 3])
            (line,) = [line for line in program.explain().splitlines() if line.startswith("one row")]
            costs.add((program is nested, line))
        at = np.append(RNG.integers(0, n, 50), n)
        expected = np.append([table[k].data for k in at[:-1]], 0.5)
        np.testing.assert_allclose(nested(at), expected, rtol=1e-15)
        np.testing.assert_allclose(summed(at), [*expected[:-1], 0.0], rtol=1e-15)
    assert len(costs) == 2


KINDS = ["parameters", "constants", "some of each", "computed", "tied to the outputs"]


@given(st.sampled_from(KINDS), st.integers(64, 80), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_a_large_table_is_looked_up_as_numpy_indexes(kind, rows, columns, places, seed):
    """Value and gradient of a batch, a point and each row, by NumPy's indexing under jax.grad, Values, and the text."""
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    jax.config.update("jax_enable_x64", True)
    rng = np.random.default_rng(seed)
    numbers, v = rng.normal(size=(rows, columns)), rng.normal(size=columns)
    ids = rng.integers(-rows, rows, (5, places))
    trained = {"constants": np.zeros(rows, bool), "some of each": np.arange(rows) % 9 > 0}.get(
        kind, np.ones(rows, bool)
    )
    leaves = [values(row) if own else row.tolist() for row, own in zip(numbers, trained, strict=True)]

    def cost(ids):
        table = [[autodiff.exp(x) for x in row] for row in leaves] if kind == "computed" else leaves
        found = [pick(table, i) for i in ids]
        h = [autodiff.tanh(sum((1 + t) * x[j] for t, x in enumerate(found))) for j in range(columns)]
        out = sum(a * b for a, b in zip(v.tolist(), h, strict=True))
        if kind == "tied to the outputs":
            out += autodiff.logsumexp([sum(w * x for w, x in zip(row, h, strict=True)) for row in table])
        return out

    def in_jax(numbers):
        table = jnp.exp(numbers) if kind == "computed" else numbers
        h = jnp.tanh((table[ids] * (1 + jnp.arange(places))[:, None]).sum(axis=1))
        out = h @ v
        return (out + jax.nn.logsumexp(h @ table.T, axis=1) if kind == "tied to the outputs" else out).mean()

    expected, slopes = jax.jit(jax.value_and_grad(in_jax))(jnp.asarray(numbers))
    slopes = np.where(trained[:, None], slopes, 0.0)
    program = compiled(cost)
    value, gradient = program.value_and_grad(ids)
    by_row, gradients = program.value_and_grad(ids, reduce=None)
    in_rows = gradients.mean(axis=0) if len(gradient) else gradient
    near = {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose([value, by_row.mean(), program(ids).mean()], float(expected), **near)
    for found in (gradient, in_rows):
        np.testing.assert_allclose(gradient_in_order(program, found, leaves), slopes, **near)
    np.testing.assert_allclose(program.value_and_grad(ids[:1])[1], gradients[0], **near)
    if len(gradient):
        direction = rng.normal(size=len(gradient))
        flat = np.array([p.data for p in program.parameters])
        for library, jit in (("np", lambda f: f), ("jax.numpy", jax.jit)):
            module = {"jax": jax}
            exec(program.source.replace("xp = np ", f"xp = {library} "), module)
            of_text, of_parameters = jit(module["value_and_grad"])(flat, ids)
            np.testing.assert_allclose(float(of_text), value, **near)
            np.testing.assert_allclose(of_parameters, gradient, **near)
        slope = jax.grad(lambda flat: module["forward"](flat, ids).mean())
        bent = jax.jit(lambda at, along: jax.jvp(slope, (at,), (along,))[1])(flat, direction)
        np.testing.assert_allclose(program.hvp(ids, vector=direction), bent, rtol=1e-8, atol=1e-9)
    eager = [cost(row.tolist()) for row in ids]
    np.testing.assert_allclose([getattr(x, "data", x) for x in eager], by_row, **near)
    if len(gradient):
        sum(eager).backward()
        leaf = [[getattr(x, "grad", 0.0) or 0.0 for x in row] for row in leaves]
        np.testing.assert_allclose(np.array(leaf) / len(ids), slopes, **near)


def test_a_row_of_a_batch_costs_the_same_for_tables_of_any_length():
    """A lookup reads its row alone: neither operations nor bytes of one row grow with the table."""
    costs = set()
    for rows in (100, 1000):
        table = values(RNG.normal(size=(rows, 3)))
        program = compiled(lambda i, table=table: sum(v * v for v in pick(table, i)))
        program.value_and_grad([0, -1])
        (line,) = [line for line in program.explain().splitlines() if line.startswith("one row")]
        costs.add(line)
    assert len(costs) == 1


@pytest.mark.parametrize("keys", [np.arange(-5.0, 95.0), np.cumsum(np.linspace(0.25, 1.0, 100))])
def test_sums_of_comparisons_are_lookups_by_any_numbers(keys):
    """Σ wₖ (x = k) is 0 where no k equals x, infinite and NaN x among them; slopes by np.bincount."""
    weights, scales = values(RNG.normal(size=100)), RNG.normal(size=100)
    program = compiled(
        lambda x: sum((w + c) * (x == k) for w, c, k in zip(weights, scales, keys.tolist(), strict=True))
    )
    constant = compiled(lambda x: sum(c * (x == k) for c, k in zip(scales, keys.tolist(), strict=True)))
    at = RNG.integers(0, 100, 40)
    x = np.concatenate([keys[at], [math.inf, -math.inf, 1e-20, keys[3] + 1e-9]])
    for again in (x, x[::-1]):
        found = np.concatenate([[w.data for w in weights] + scales, [0.0]])[
            [*at, *[-1] * 4] if again is x else [*[-1] * 4, *at[::-1]]
        ]
        np.testing.assert_allclose(program(again), found, rtol=1e-14)
        value, gradient = program.value_and_grad(again, reduce="sum")
        expected = np.bincount(at, minlength=100)
        np.testing.assert_allclose(gradient_in_order(program, gradient, weights), expected, rtol=1e-14)
        assert value == pytest.approx(found.sum())
    np.testing.assert_allclose(constant(x), [*scales[at], 0.0, 0.0, 0.0, 0.0], rtol=1e-14)


def test_large_tables_serve_points_large_batches_and_training():
    """One point costs no text of all entries; blocks of rows add up; steps in a block of training are NumPy's."""
    numbers = RNG.normal(size=(500, 20))
    table = values(numbers)
    program = compiled(lambda i: sum(v * v for v in pick(table, i)))
    assert program(-3) == pytest.approx((numbers[-3] ** 2).sum())
    value, gradient = program.value_and_grad(7)
    expected = np.zeros_like(numbers)
    expected[7] = 2.0 * numbers[7]
    np.testing.assert_allclose(gradient_in_order(program, gradient, table), expected, rtol=1e-14)
    assert math.isnan(program(500.0))
    ids = RNG.integers(0, 500, 150_000)
    value, gradient = program.value_and_grad(ids)
    times = np.bincount(ids, minlength=500)[:, None] / len(ids)
    assert value == pytest.approx((times * numbers**2).sum())
    np.testing.assert_allclose(gradient_in_order(program, gradient, table), 2.0 * times * numbers, rtol=1e-10)
    with program.training(ids[:50]) as flat:
        for _ in range(3):
            flat -= 0.5 * program.value_and_grad(ids[:50])[1]
    times = np.bincount(ids[:50], minlength=500)[:, None] / 50
    np.testing.assert_allclose([[v.data for v in row] for row in table], numbers * (1.0 - times) ** 3, rtol=1e-12)


@pytest.mark.parametrize(("held", "then"), [([0, 1], 1), ([0, 1], [0, 1, 2]), ([[0, 1]], [[0, 1, 2]])], ids=repr)
def test_a_lookup_is_traced_anew_in_a_training_block(held, then):
    """One point, more rows and another length: their derivatives are 2 T[i] / n at each index."""
    table = parameters([1.0, 2.0, 3.0])
    program = compiled(
        lambda i: autodiff.total([pick(table, k) ** 2 for k in (i if hasattr(i, "__len__") else [i])]), parameters=table
    )
    with program.training(held):
        value, slopes = program.value_and_grad(then)
    i = np.ravel(then)
    rows = len(i) if np.ndim(then) == 1 else 1
    assert value == pytest.approx(np.sum((i + 1.0) ** 2) / rows)
    np.testing.assert_allclose(slopes, np.bincount(i, 2.0 * (i + 1.0), 3) / rows)


def test_rows_of_a_table_may_be_records_and_not_texts():
    """A named tuple keeps its names; texts and dicts have no numbers to add up; a dict's numbers are its values."""
    point = namedtuple("point", "x y")
    rows = [point(1.0, 2.0), point(3.0, 5.0)]
    np.testing.assert_allclose(compiled(lambda i: pick(rows, i).y)([0, 1, -1]), [2.0, 5.0, 5.0])
    for table, said in ((["a", "b"], "rows of numbers, got str"), ([{"a": 1.0}], "rows of numbers, got dict"),
                        ({5: 1.0}, r"got dict; list\(table.values\(\)\) makes one")):  # fmt: skip
        with pytest.raises(TypeError, match=said):
            compiled(lambda i, table=table: pick(table, i))([0])
