"""Data that are no data: each estimator says what is wrong and where, and stays as it was."""

import numpy as np
import pytest

from models import LinearRegression, MLPClassifier, MLPRegressor, Perceptron

pytestmark = pytest.mark.filterwarnings("ignore:.*took all max_iter", "ignore:.*still made")

X, Y = [[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 1.0]], [0, 1, 1, 0]
HUGE = 10**400
ESTIMATORS = [
    LinearRegression(learning_rate=0.1, epochs=2),
    Perceptron(max_iter=2),
    MLPClassifier(hidden_layer_sizes=(2,), max_iter=1),
    MLPRegressor(hidden_layer_sizes=(2,), max_iter=1),
]
CLASSIFIERS = ESTIMATORS[1:3]


class NAType:
    """What pandas calls its missing value; here without pandas."""

    def __repr__(self):
        return "<NA>"


def text(*labels):
    return np.array(labels, dtype=object)


# What is wrong with X, then with y, for all of them; then with labels, for classifiers.
BAD_X = [
    (None, r"X must be an array, a list of numbers or rows, or a data frame, got None"),
    ({"a": [1, 2, 3, 4]}, r"X must be .* a data frame, got a dict"),
    ({1.0, 2.0}, r"X must be .* a data frame, got a set"),
    ((row for row in X), r"X must be .* a data frame, got a generator"),
    ("0110", r"X must be .* a data frame, got '0110'"),
    (5.0, r"X must be \(n_samples, n_features\), got \(\)"),
    ([0.0, 1.0, 2.0, 3.0], r"Expected 2D array, got 1D array.*Reshape your data"),
    (np.ones((4, 2, 2)), r"X must be \(n_samples, n_features\), got \(4, 2, 2\)"),
    ([[1.0], [1.0, 2.0]], r"X is not an array, its rows differ in length"),
    (np.ones((0, 2)), r"X has 0 sample\(s\) \(shape=\(0, 2\)\) while a minimum of 1 is required"),
    (np.ones((4, 0)), r"X has 0 feature\(s\)"),
    ([*X[:3], [np.nan, 1.0]], r"X contains NaN: nan at row 3, column 0"),
    ([*X[:3], [1.0, -np.inf]], r"X contains infinity: -inf at row 3, column 1"),
    ([*X[:3], [1.0, None]], r"X contains NaN: None at row 3, column 1"),
    ([*X[:3], [NAType(), 1.0]], r"X contains NaN: <NA> at row 3, column 0"),
    ([["0", "1"]] * 4, r"every entry of X must be a number, got the text '0' at row 0, column 0; encode text first"),
    ([*X[:3], [1, HUGE]], r"X has a whole number beyond the largest float"),
    (np.array(X) * 1j, r"X has complex entries"),
    (np.zeros((4, 2), dtype="M8[s]"), r"X has dates or durations \(datetime64\[s\]\)"),
    (np.ma.masked_greater(X, 2.5), r"X has masked entries; fill them, X\.filled"),
]
BAD_Y = [
    (None, r"requires y to be passed, but the target y is None"),
    ([0, 1], r"y must have one entry or row per sample of X, 4, got 2"),
    ([0, 1, np.nan, 1], r"y contains NaN: nan at position 2"),
    ([0, 1, None, 1], r"y contains NaN: None at position 2"),
    ([0, 1, np.inf, 1], r"y contains infinity: inf at position 2"),
    (np.array(Y) * 1j, r"y (has|is) complex"),
    ({0, 1}, r"y must be an array.* got a set"),
    (np.ones((4, 1, 1)), r"y (must|should) be .*\(4, 1, 1\)"),
    (np.ma.masked_equal(Y, 1), r"y has masked entries"),
    ([object()] * 4, r"every entry of y must be a number"),
]
BAD_LABELS = [
    ([1, 1, 1, 1], r"needs samples of 2 classes or more, got one class in y: \[1\]"),
    ([0.5, 1.0, 2.0, 3.0], r"Unknown label type: continuous. .* takes class labels .*got 0\.5 in y"),
    (text("a", "b", None, "b"), r"y contains NaN: None at position 2; leave out such samples"),
    (text("a", "b", np.nan, "b"), r"y contains NaN: nan at position 2"),
    (text("a", "b", NAType(), "b"), r"y contains NaN: <NA> at position 2"),
    (text("a", "b", 3, "b"), r"y mixes text and other labels"),
]


def state(model):
    return {
        name: value.tobytes() if isinstance(value, np.ndarray) else repr(value) for name, value in vars(model).items()
    }


def refuse(estimator, data, targets, message):
    """`fit` on a new and on a fitted model, and `partial_fit`: the error, and no attribute that is new or another."""
    new, fitted = (type(estimator)(**estimator.get_params()) for _ in range(2))
    fitted.fit(X, Y)
    for model, method in ((new, "fit"), (fitted, "fit"), (fitted, "partial_fit")):
        before = state(model)
        if method == "partial_fit" and "one class" in message:
            continue  # the classes were named before: one of them is enough here
        with pytest.raises((ValueError, TypeError), match=message):
            getattr(model, method)(data, targets)
        assert state(model) == before


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(("data", "message"), BAD_X)
def test_inputs_that_are_none_are_refused(estimator, data, message):
    """Every kind of X that no model can learn from, and nothing learnt or forgotten."""
    refuse(estimator, data, Y, message)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(("targets", "message"), BAD_Y)
def test_targets_that_are_none_are_refused(estimator, targets, message):
    """Every kind of y that no model can learn."""
    refuse(estimator, X, targets, message)


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(("targets", "message"), BAD_LABELS)
def test_labels_that_are_none_are_refused(estimator, targets, message):
    """One class, fractions, missing labels and mixed ones."""
    refuse(estimator, X, targets, message)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_data_of_another_width_are_refused(estimator):
    """After a fit with two columns one with three is refused, by name and number, in every method that takes X."""
    model = type(estimator)(**estimator.get_params()).fit(X, Y)
    wide = np.ones((4, 3))
    for call in (lambda: model.predict(wide), lambda: model.score(wide, Y), lambda: model.partial_fit(wide, Y)):
        with pytest.raises(ValueError, match=r"X has 3 features, but \w+ is expecting 2 features as input"):
            call()


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_masks_that_hide_nothing_are_no_matter(estimator):
    """A masked array without a masked entry is the array."""
    model = type(estimator)(**estimator.get_params())
    if "random_state" in model.get_params():
        model.set_params(random_state=0)
    plain = model.fit(X, Y).predict(X).tolist()
    assert model.fit(np.ma.array(X), np.ma.array(Y)).predict(X).tolist() == plain
