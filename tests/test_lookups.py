"""`pick` and `one_hot`: a row of a table by its place, for numbers, Values, and what has no number yet while it is traced."""

import math

import numpy as np
import pytest

import autodiff
from autodiff import DomainError, TraceError, Value, grad, jvp, one_hot, pick, softmax
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
        ([1.0], "0", TypeError, r"pick needs one whole number, got str; pick one by one: \[pick\(…\) for k in i\]"),
        ([1.0], [0], TypeError, "got list"),
        ([1.0], np.array([0, 0]), TypeError, "got ndarray"),
        ([1.0], None, TypeError, "needs one real number, got None"),
        ([1.0], 0j, TypeError, "got complex"),
    ],
)
def test_what_is_no_table_or_no_place_is_refused(table, i, error, said):
    """Each with what was got and the way out."""
    with pytest.raises(error, match=said):
        pick(table, i)


def test_rows_of_different_lengths_are_refused_while_tracing():
    """A stand-in may pick any of them, so all must have one shape; numbers may pick from a ragged table."""
    ragged = [[1.0], [2.0, 3.0]]
    assert pick(ragged, 1) == [2.0, 3.0]
    with pytest.raises(ValueError, match=r"pick needs rows of one length, got lengths of \[1, 2\]; fill the shorter"):
        compiled(lambda i: pick(ragged, i)[0])([0.0])
    with pytest.raises(TraceError, match="indexing by"):
        compiled(lambda i: ragged[i][0])([0.0])
