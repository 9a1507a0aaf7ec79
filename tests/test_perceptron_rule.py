"""The perceptron: its two ways to decide, Rosenblatt's rule, its convergence theorem, and where it must give up."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.datasets import epic_night, iris, xor
from models.perceptron_rule import (
    ConvergenceWarning,
    fires,
    fires_above,
    learn,
    one_pass,
    one_vs_rest,
    pass_in_blocks,
    weighted_sums,
)

AND = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1]
whole = st.integers(-10, 10)
finite = st.floats(-1e6, 1e6)


@st.composite
def separated(draw):
    """Whole-number rows, and a whole-number plane that none of them lies on, with both sides taken."""
    d = draw(st.integers(1, 4))
    rows = np.array(draw(st.lists(st.tuples(*[whole] * d), min_size=2, max_size=12)))
    plane, offset = np.array(draw(st.tuples(*[whole] * d))), draw(whole)
    scores = rows @ plane + offset
    assume((scores > 0).any() and (scores < 0).any() and (scores != 0).all())
    return rows, plane, offset


def test_the_weighted_sums_of_epic_night_and_their_step_is_and():
    """With w = (4, 5), b = -6 the slide's rows 00, 10, 01, 11 sum to -6, -2, -1, 3, and only the last fires."""
    data = epic_night()
    assert data.X.tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]
    assert weighted_sums(data.X, [4, 5], -6).tolist() == [-6, -2, -1, 3]
    assert fires(data.X, [4, 5], -6).tolist() == [0, 0, 0, 1] == data.y.tolist()


@given(arrays(np.float64, (5, 3), elements=finite), arrays(np.float64, 3, elements=finite), finite)
def test_a_threshold_is_a_bias_with_the_other_sign(X, w, threshold):
    """WX > threshold and WX + b > 0 with b = -threshold decide alike, whatever the numbers."""
    assert fires_above(X, w, threshold).tolist() == fires(X, w, -threshold).tolist()


@given(st.lists(whole, min_size=3, max_size=3), st.lists(whole, min_size=3, max_size=3))
def test_at_exactly_the_threshold_the_answer_is_0(x, w):
    """A sum equal to the threshold does not fire, and the smallest step above it does."""
    threshold = float(np.dot(x, w))
    assert fires_above([x], w, threshold).tolist() == [0]
    assert fires([x], w, -threshold).tolist() == [0]
    assert fires_above([x], w, np.nextafter(threshold, -np.inf)).tolist() == [1]


def test_rosenblatts_rule_learns_and_in_six_passes():
    """From zeros, rate 1, rows 00, 01, 10, 11: six passes, the last clean, end at w = (2, 1), b = -2."""
    learned = learn(*AND)
    assert (learned.weights.tolist(), learned.bias, learned.passes) == ([2.0, 1.0], -2.0, 6)
    assert learned.converged
    assert learned.last_mistakes == 0
    assert learned.problem == ""


def test_the_passes_by_hand():
    """The first three passes on AND, worked out by hand on paper."""
    w, b, mistakes = one_pass(*AND, [0.0, 0.0], 0.0)
    assert (w, b, mistakes) == ([1.0, 1.0], 1.0, 1)
    w, b, mistakes = one_pass(*AND, w, b)
    assert (w, b, mistakes) == ([2.0, 1.0], 0.0, 3)
    w, b, mistakes = one_pass(*AND, w, b)
    assert (w, b, mistakes) == ([2.0, 1.0], -1.0, 3)


def test_epic_night_is_learnt_from_zeros():
    """The learnt perceptron decides the whole truth table, whatever the order of its rows."""
    data = epic_night()
    learned = learn(data.X, data.y)
    assert learned.converged
    assert fires(data.X, learned.weights, learned.bias).tolist() == data.y.tolist()


@given(separated())
def test_the_convergence_theorem(case):
    """Data with margin γ and radius R, both with a constant 1 added, cost at most (R/γ)² mistakes; exact integers."""
    rows, plane, offset = case
    y = (rows @ plane + offset > 0).astype(int)
    augmented, separator = np.column_stack([rows, np.ones(len(rows), dtype=int)]), np.append(plane, offset)
    radius_squared = int((augmented**2).sum(axis=1).max())
    unnormalised_margin = int(abs(augmented @ separator).min())
    length_squared = int((separator**2).sum())
    bound = radius_squared * length_squared / unnormalised_margin**2
    learned = learn(rows, y, max_passes=int(bound) + 1)
    assert learned.converged
    assert learned.mistakes <= bound
    assert fires(rows, learned.weights, learned.bias).tolist() == y.tolist()


def test_the_bound_of_the_theorem_is_not_idle():
    """On one row on each side of the origin the bound is within a factor of what the rule needs: it can fail."""
    learned = learn([[1.0], [-1.0]], [1, 0])
    assert 1 <= learned.mistakes <= 2  # R² = 2, γ = 1 for w* = (1, 0)


@given(separated(), st.sampled_from([0.5, 2.0, 1024.0]))
def test_the_learning_rate_only_scales_the_weights(case, rate):
    """From zeros, α multiplies weights and bias and changes no decision (powers of two, so without rounding)."""
    rows, plane, offset = case
    y = (rows @ plane + offset > 0).astype(int)
    one, other = learn(rows, y, max_passes=10**5), learn(rows, y, learning_rate=rate, max_passes=10**5)
    assert (one.passes, one.mistakes) == (other.passes, other.mistakes)
    assert (one.weights * rate).tolist() == other.weights.tolist()


@pytest.mark.parametrize("rate", [1.0, 0.1, 3.0])
def test_xor_gives_a_warning_that_says_what_to_do(rate):
    """XOR goes round in circles: that is seen long before max_passes, and said."""
    data = xor()
    with pytest.warns(ConvergenceWarning, match=r"round in circles.*No line.*XOR.*MLP") as caught:
        learned = learn(data.X, data.y, learning_rate=rate, max_passes=10**6)
    assert caught[0].filename == __file__
    assert issubclass(ConvergenceWarning, UserWarning)
    assert not learned.converged
    assert learned.passes < 100
    assert 0 < learned.last_mistakes <= 4


def test_a_cycle_that_was_found_is_a_cycle():
    """Going on for `cycle` passes from the weights it ended with comes back to the very same weights."""
    data = xor()
    learned = learn(data.X, data.y, warn=False)
    w, b = learned.weights.tolist(), learned.bias
    for _ in range(learned.cycle):
        w, b, mistakes = one_pass(data.X.tolist(), data.y.tolist(), w, b)
        assert mistakes
    assert (w, b) == (learned.weights.tolist(), learned.bias)


@given(separated())
def test_no_cycle_is_seen_where_there_is_none(case):
    """Separable data never give the warning, however the search for cycles falls."""
    rows, plane, offset = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert learn(rows, rows @ plane + offset > 0, max_passes=10**5).cycle == 0


def test_too_few_passes_give_a_warning_that_says_so():
    """AND needs six passes: five leave it unfinished, and the message names the way out."""
    with pytest.warns(ConvergenceWarning, match=r"pass 5 still made \d mistakes.*max_passes"):
        assert learn(*AND, max_passes=5).cycle == 0


def test_training_goes_on_from_given_weights():
    """Two passes, then the rest from there, end where six passes end."""
    start = learn(*AND, max_passes=2, warn=False)
    rest = learn(*AND, weights=start.weights, bias=start.bias)
    assert (rest.weights.tolist(), rest.bias, rest.passes) == ([2.0, 1.0], -2.0, 4)


def test_a_row_of_weight_0_is_as_if_it_were_not_there():
    """XOR without one of its rows is separable."""
    data = xor()
    learned = learn(data.X, data.y, sample_weight=[1, 1, 1, 0])
    assert learned.converged
    assert fires(data.X[:3], learned.weights, learned.bias).tolist() == [0, 1, 1]
    same = learn(data.X[:3], data.y[:3])
    assert (same.weights.tolist(), same.bias) == (learned.weights.tolist(), learned.bias)


def test_sample_weights_scale_the_steps():
    """Weight 2 for all rows is learning rate 2."""
    double, rate = learn(*AND, sample_weight=[2, 2, 2, 2]), learn(*AND, learning_rate=2)
    assert (double.weights.tolist(), double.bias) == (rate.weights.tolist(), rate.bias)


def test_one_vs_rest_decides_among_three():
    """Three corners of a triangle, each separable from the rest: every row gets its own label back."""
    X, y = np.array([[0, 0], [1, 0], [0, 9], [1, 9], [9, 0], [9, 1]]), np.array(list("aabbcc"))
    three = one_vs_rest(X, y)
    assert three.classes.tolist() == ["a", "b", "c"]
    assert three.weights.shape == (3, 2)
    assert three.predict(X).tolist() == y.tolist()
    for c, learned in zip(three.classes, three.learned, strict=True):
        alone = learn(X, y == c)
        assert (alone.weights.tolist(), alone.bias) == (learned.weights.tolist(), learned.bias)


def test_one_vs_rest_names_the_classes_that_no_line_separates():
    """Of the irises setosa stands apart, and versicolor between the others: the warning names who did not converge."""
    data = iris()
    with pytest.warns(ConvergenceWarning, match=r"2 of 3 classes did not converge \(1\.0, 2\.0\)"):
        three = one_vs_rest(data.X, data.y, max_passes=20)
    assert [one.converged for one in three.learned] == [True, False, False]
    setosa = data.y == 0
    assert ((three.scores(data.X)[:, 0] > 0) == setosa).all()


def test_agrees_with_scikit_learns_perceptron_pass_by_pass():
    """Without shuffling, scikit-learn's Perceptron makes the same steps on rows that are never exactly at 0."""
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is a development dependency")
    random = np.random.default_rng(3)
    X = random.normal(size=(40, 3))
    y = (X @ [1.0, -2.0, 0.5] + 0.1 > 0).astype(int)
    start = np.array([[0.1, 0.2, 0.3]])
    theirs = linear_model.Perceptron(shuffle=False, max_iter=4, tol=None)
    theirs.fit(X, y, coef_init=start.copy(), intercept_init=[0.05])
    ours = learn(X, y, weights=start[0], bias=0.05, max_passes=4, warn=False)
    np.testing.assert_allclose(ours.weights, theirs.coef_[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.bias, theirs.intercept_[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("X", "y", "options", "message"),
    [
        (AND[0], [0, 0, 1], {}, "y must have one entry or row per sample of X, 4, got 3"),
        (
            AND[0],
            [0, 0, 0, 2],
            {},
            "y must be 0 or 1, the answer of the perceptron, got 2; one_vs_rest takes any labels, and more than",
        ),
        (
            AND[0],
            [-1, -1, -1, 1],
            {},
            "y must be 0 or 1, the answer of the perceptron, got -1; one_vs_rest takes any labels, and more than",
        ),
        ([[0, np.nan]], [0], {}, "NaN.*row 0, column 1"),
        ([["a", "b"]], [0], {}, "text"),
        (np.empty((0, 2)), [], {}, "0 sample"),
        ([1, 2], [0, 1], {}, r"n_samples, n_features"),
        (*AND, {"learning_rate": 0}, "learning_rate must be a finite number above 0, got 0"),
        (*AND, {"learning_rate": float("nan")}, "learning_rate.*nan"),
        (*AND, {"max_passes": 0}, "max_passes.*got 0"),
        (*AND, {"weights": [1, 2, 3]}, r"weights must be \(2,\).*\(3,\)"),
        (*AND, {"sample_weight": [1, 2]}, r"sample_weight must be \(4,\)"),
        ([[1e308], [-1e308]], [1, 0], {"learning_rate": 1e10}, "learning_rate=10000000000.0 is too large"),
    ],
)
def test_bad_input_says_what_is_wrong(X, y, options, message):
    """Data that nothing can be learnt from are refused, with their name and value."""
    with pytest.raises(ValueError, match=message):
        learn(X, y, **options)


def test_one_class_is_nothing_to_choose_from():
    """One-versus-rest of one class has no rest."""
    with pytest.raises(ValueError, match="one class"):
        one_vs_rest([[1.0], [2.0]], ["a", "a"])


def test_weights_that_do_not_fit_the_rows_are_refused():
    """A weighted sum needs one weight per feature."""
    with pytest.raises(ValueError, match=r"weights must be \(2,\)"):
        weighted_sums([[1, 2]], [1, 2, 3])


@pytest.mark.parametrize(("decide", "name"), [(fires, "bias"), (fires_above, "threshold"), (weighted_sums, "bias")])
def test_a_bias_or_threshold_is_one_finite_number(decide, name):
    """NaN is neither above nor below: refused, and not answered with 0."""
    with pytest.raises(ValueError, match=f"{name} must be a finite number, got nan"):
        decide([[1, 0]], [4, 5], float("nan"))
    for wrong, shown in (("a", "'a'"), ([6], r"\[6\]")):
        with pytest.raises(TypeError, match=f"{name} must be a finite number, got {shown}"):
            decide([[1, 0]], [4, 5], wrong)
    with pytest.raises(ValueError, match="weights contains NaN"):
        decide([[1, 0]], [4, np.nan], 6)


@pytest.mark.parametrize("decide", [fires, fires_above])
def test_a_sum_beyond_the_largest_float_is_not_decided(decide):
    """∞ − ∞ is NaN, and the row where it came up is named; an infinite sum alone is above every threshold."""
    with pytest.raises(ValueError, match="the weighted sum of row 1 is NaN"):
        decide([[1, 1], [1e308, 1e308]], [10, -10], 0)
    assert decide([[1e308, 0.0]], [10, -10], 0).tolist() == [1]


def test_learning_starts_from_a_bias_that_is_a_number():
    """A start that is no finite number is refused, as for the weights."""
    with pytest.raises(TypeError, match="bias must be a finite number, got 'a'"):
        learn(*AND, bias="a")
    with pytest.raises(ValueError, match="bias must be a finite number, got nan"):
        learn(*AND, bias=float("nan"))


DRAW = np.random.default_rng(11)
TABLES = {
    "numbers of every size": DRAW.normal(size=(300, 7)) * 10.0 ** DRAW.uniform(-8, 8, (300, 7)),
    "whole numbers, sums of exactly 0": DRAW.integers(-2, 3, (400, 3)).astype(float),
    "grey levels": DRAW.integers(0, 17, (500, 20)).astype(float),
    "sums that cancel": np.repeat(DRAW.normal(size=(300, 1)), 6, axis=1) * [1.0, -1.0, 0.1, -0.1, 0.3, -0.3],
    "near the largest": DRAW.normal(size=(60, 3)) * 1e150,
    "near the smallest": DRAW.normal(size=(60, 3)) * 1e-160,
    "one row": np.ones((1, 2)),
    "separable, clean after a few passes": np.vstack([DRAW.normal(4.0, 1.0, (2000, 2)), DRAW.normal(-4.0, 1.0, (2000, 2))]),
}  # fmt: skip


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", TABLES)
def test_a_pass_in_blocks_is_rosenblatts_pass_bit_for_bit(name, weighted):
    """Ten passes in shuffled orders: the weights, the bias and the mistakes of the plain loop, to the last bit."""
    X = TABLES[name]
    y = (X @ np.linspace(-1.0, 1.0, X.shape[1]) + DRAW.normal(size=len(X)) * X.std() * 0.1 > 0).astype(float)
    if name.startswith("separable"):
        y = (X[:, 0] + X[:, 1] > 0).astype(float)
    share = DRAW.integers(0, 3, len(X)).astype(float) if weighted else np.ones(len(X))
    with np.errstate(over="ignore"):
        lengths = np.sqrt((X**2).sum(axis=1) + 1.0)
    plain, blocks = ([0.0] * X.shape[1], 0.0), (np.zeros(X.shape[1]), 0.0)
    for _ in range(10):
        order = DRAW.permutation(len(X))
        rows = X[order].tolist()
        *plain, mistakes = one_pass(
            rows, y[order].tolist(), *plain, learning_rate=0.3, sample_weight=share[order].tolist()
        )
        with np.errstate(over="ignore", invalid="ignore"):
            *blocks, wrong = pass_in_blocks(X[order], lengths[order], y[order], 0.3 * share[order], *blocks)
        assert (blocks[0].tolist(), blocks[1], wrong) == (*plain, mistakes)
