"""The perceptron estimator against the course's figures, Rosenblatt's rule by hand, and scikit-learn's."""

import tracemalloc
import warnings

import numpy as np
import pytest

from models import Perceptron
from models._sklearn_contract import held_out
from models.errors import ConvergenceWarning, shared

TABLE = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
AND, OR, XOR = [0, 0, 0, 1], [0, 1, 1, 1], [0, 1, 1, 0]


def three_corners(n=20):
    """Three clouds, each separable from the other two by a line."""
    random = np.random.default_rng(5)
    corners = np.array([[0, 4], [4, -4], [-4, -4]])
    return np.vstack([corner + random.uniform(-1, 1, size=(n, 2)) for corner in corners]), np.repeat(["a", "b", "c"], n)


def frozen(x):
    """What can be compared to the last bit: arrays as lists, generators as their states, all the way down."""
    if isinstance(x, np.random.Generator):
        return frozen(x.bit_generator.state)
    if isinstance(x, dict):
        return {key: frozen(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [frozen(each) for each in x]
    return (x.dtype.str, x.tolist()) if isinstance(x, np.ndarray) else x


def by_hand(X, y, passes):
    """Rosenblatt's rule in NumPy: weights with the bias last, and the mistakes of each pass."""
    w, mistakes = np.zeros(X.shape[1] + 1), []
    for _ in range(passes):
        mistakes.append(0)
        for x, target in zip(np.column_stack([X, np.ones(len(X))]), y, strict=True):
            error = float(target) - (w @ x > 0)
            w, mistakes[-1] = w + error * x, mistakes[-1] + bool(error)
        if not mistakes[-1]:
            break
    return w, mistakes


def test_and_is_learnt_as_in_the_reference():
    """From zeros, rate 1, rows 00, 01, 10, 11: six passes, the last one clean, w = (2, 1), b = -2."""
    model = Perceptron(shuffle=False).fit(TABLE, AND)
    assert model.coef_.tolist() == [[2.0, 1.0]]
    assert model.intercept_.tolist() == [-2.0]
    assert model.n_iter_ == 6
    assert model.loss_curve_ == by_hand(TABLE, AND, 10)[1]
    assert model.loss_curve_[-1] == 0 < min(model.loss_curve_[:-1])
    assert model.score(TABLE, AND) == 1.0


def test_the_threshold_is_minus_the_bias_and_decides_alike():
    """WX > threshold and WX + b > 0 are one decision; at exactly the threshold it is the first class."""
    model = Perceptron(shuffle=False).fit(TABLE, AND)
    assert model.threshold_.tolist() == [2.0]
    X = np.array([[1.0, 0.0], [0.5, 1.0], [0.5, 1.0000001], [0.0, 1.9]])
    assert model.decision_function(X)[:2].tolist() == [0.0, 0.0]
    assert model.predict(X).tolist() == (X @ model.coef_[0] > model.threshold_[0]).astype(int).tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("labels", [("no", "yes"), (-1, 1), (False, True)])
def test_labels_of_any_kind_come_back(labels):
    """The first class in sorted order is the perceptron's 0, the second its 1."""
    y = np.array(labels)[AND]
    model = Perceptron().fit(TABLE, y)
    assert model.classes_.tolist() == list(labels)
    assert model.predict(TABLE).tolist() == y.tolist()


def test_xor_gives_a_warning_instead_of_a_pretence():
    """In the rows' order the weights come round again, which is seen; mixed, all passes are made. Both say so."""
    with pytest.warns(shared(ConvergenceWarning), match=r"goes round in circles.*no line \(hyperplane\) separates"):
        model = Perceptron(shuffle=False).fit(TABLE, XOR)
    assert model.n_iter_ < 20
    assert by_hand(TABLE, XOR, 400)[1][-1] > 0
    with pytest.warns(shared(ConvergenceWarning), match=r"the last of 50 passes still made \d mistakes"):
        model = Perceptron(max_iter=50, random_state=0).fit(TABLE, XOR)
    assert model.score(TABLE, XOR) < 1


def test_of_several_classes_each_has_a_perceptron_against_the_rest():
    """coef_ has a row per class, learnt as that class against all others; the largest weighted sum decides."""
    X, y = three_corners()
    model = Perceptron(shuffle=False).fit(X, y)
    assert model.coef_.shape == (3, 2)
    for k, label in enumerate("abc"):
        # a clean perceptron is not changed by the passes that the others still need
        assert [*model.coef_[k], model.intercept_[k]] == pytest.approx(by_hand(X, y == label, 1000)[0], abs=1e-12)
    assert model.score(X, y) == 1.0
    assert (model.classes_[model.decision_function(X).argmax(axis=1)] == model.predict(X)).all()


def test_shuffled_rows_make_order_and_copies_irrelevant():
    """With shuffle, permuted rows and a weight in place of copies give the very same weights."""
    X, y = three_corners()
    first = Perceptron(random_state=1).fit(X, y)
    order = np.random.default_rng(0).permutation(len(y))
    weight = np.arange(len(y)) % 3 + 1
    assert (Perceptron(random_state=1).fit(X[order], y[order]).coef_ == first.coef_).all()
    weighted = Perceptron(random_state=1).fit(X, y, sample_weight=weight)
    assert (Perceptron(random_state=1).fit(X.repeat(weight, axis=0), y.repeat(weight)).coef_ == weighted.coef_).all()


def test_partial_fit_is_one_pass():
    """Six passes over AND by partial_fit are fit's six passes."""
    model = Perceptron(shuffle=False)
    for _ in range(6):
        model.partial_fit(TABLE, AND, classes=[0, 1])
    whole = Perceptron(shuffle=False).fit(TABLE, AND)
    assert (model.coef_ == whole.coef_).all()
    assert model.loss_curve_ == whole.loss_curve_
    with pytest.raises(ValueError, match=r"classes=\[0, 2\] is not the same as on the last call, \[0, 1\]"):
        model.partial_fit(TABLE, AND, classes=[0, 2])
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        Perceptron().partial_fit(TABLE, AND)


def test_warm_start_goes_on():
    """From weights that separate, the next fit is one clean pass; fits of one pass each add up to one fit."""
    model = Perceptron(shuffle=False, warm_start=True).fit(TABLE, AND)
    assert model.fit(TABLE, AND).loss_curve_[6:] == [0]
    steps = Perceptron(shuffle=False, warm_start=True, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", shared(ConvergenceWarning))
        for _ in range(6):
            steps.fit(TABLE, AND)
    assert steps.coef_.tolist() == [[2.0, 1.0]]


def test_early_stopping_keeps_the_weights_that_erred_least_on_rows_held_out():
    """On noisy classes training stops by itself, and the curve of held-out errors tells where."""
    random = np.random.default_rng(0)
    X = random.normal(size=(120, 2))
    y = (X[:, 0] + random.normal(scale=0.5, size=120) > 0).astype(int)
    scores = []
    for seed in range(10):
        with pytest.warns(shared(ConvergenceWarning), match=r"early_stopping ended it.*best weights were taken back"):
            model = Perceptron(early_stopping=True, validation_fraction=0.25, random_state=seed).fit(X, y)
        assert model.n_iter_ == len(model.validation_curve_) == len(model.loss_curve_) < model.max_iter
        assert int(np.argmin(model.validation_curve_)) == model.n_iter_ - 1 - model.n_iter_no_change
        scores.append(model.score(X, y))
    assert np.mean(scores) > 0.75


def test_of_equally_good_weights_the_latest_are_taken_back():
    """Passes by hand over the rows that were not held out: the weights are those of the last of the best passes."""
    random = np.random.default_rng(2)
    X = random.integers(-4, 5, size=(40, 2)).astype(float)
    y = (X[:, 0] + random.normal(scale=2, size=40) > 0).astype(int)
    model = Perceptron(shuffle=False, early_stopping=True, validation_fraction=0.2, random_state=0)
    with pytest.warns(shared(ConvergenceWarning)):
        model.fit(X, y)
    held = held_out(y, 0.2, np.random.default_rng(model._split), stratified=True)
    states = [by_hand(X[~held], y[~held], passes)[0] for passes in range(1, model.n_iter_ + 1)]
    errors = [np.mean((X[held] @ w[:2] + w[2] > 0) != y[held]) for w in states]
    assert model.validation_curve_ == errors
    best = [w.tolist() for w, error in zip(states, errors, strict=True) if error == min(errors)]
    assert best[0] != best[-1]  # else the data could not tell
    assert [*model.coef_[0], *model.intercept_] == best[-1]


@pytest.mark.parametrize("seed", range(4))
def test_early_stopping_on_xor_gives_a_warning_too(seed):
    """Three of the four rows can be learnt; the one held out then tells that something is amiss."""
    with pytest.warns(shared(ConvergenceWarning), match=r"held (out)?.*no line \(hyperplane\) separates"):
        model = Perceptron(early_stopping=True, random_state=seed).fit(TABLE, XOR)
    assert model.score(TABLE, XOR) < 1


def test_a_long_run_in_the_rows_order_remembers_one_state_only():
    """Weights that never come round again, rows of no common measure: 4,000 passes take no more memory than 400."""
    X = np.random.default_rng(0).normal(size=(12, 2))
    y = np.arange(12) % 2
    peaks = []
    for passes in (400, 4000):
        tracemalloc.start()
        with pytest.warns(shared(ConvergenceWarning)):
            outcome = Perceptron(shuffle=False, max_iter=passes).fit(X, y)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert outcome.n_iter_ == passes
    assert max(outcome.loss_curve_) < 256  # numbers that Python has ready, so that the curve takes 8 bytes a pass
    assert peaks[1] < peaks[0] + 4000 * 48


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_a_call_that_fails_changes_nothing(how):
    """Learnt, hidden and given: after a warm call whose weights overflow the model is what it was to the last bit."""
    X = TABLE + np.arange(2)
    given = np.random.default_rng(3)
    model = Perceptron(warm_start=True, random_state=given).fit(X, AND)
    model.set_params(learning_rate=1e308)
    before = frozen(vars(model))
    with pytest.raises(ValueError, match="weights are no longer finite"):
        getattr(model, how)(X * 1e300, OR if how == "partial_fit" else [1, 0, 0, 0])
    assert frozen(vars(model)) == before
    fresh = Perceptron(learning_rate=1e308, random_state=given)
    with pytest.raises(ValueError, match="weights are no longer finite"):
        fresh.fit(X * 1e300, AND)
    assert frozen(given) == before["random_state"]


def test_accuracy_beside_scikit_learn():
    """On iris' setosa against the rest both are perfect; on three classes ours is as good within 0.1."""
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is a development dependency")
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is a development dependency")
    X, y = datasets.load_iris(return_X_y=True)
    assert Perceptron(random_state=0).fit(X, y == 0).score(X, y == 0) == 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", shared(ConvergenceWarning))
        ours = np.mean([Perceptron(max_iter=100, random_state=s).fit(X, y).score(X, y) for s in range(5)])
    theirs = np.mean([linear_model.Perceptron(random_state=s).fit(X, y).score(X, y) for s in range(5)])
    assert ours > theirs - 0.1


@pytest.mark.parametrize(
    ("X", "y", "options", "message"),
    [
        ([[0.0], [np.nan]], [0, 1], {}, "X contains NaN: nan at row 1, column 0"),
        ([["a"], ["b"]], [0, 1], {}, r"got the text .*'a'.* at row 0, column 0"),
        (np.ones((0, 2)), [], {}, r"X has 0 sample\(s\)"),
        ([[0.0], [1.0]], [1, 1], {}, r"Perceptron needs samples of 2 classes or more, got one class in y: \[1\]"),
        ([[0.0], [1.0]], [0, 1, 1], {}, "y must have one entry or row per sample of X, 2, got 3"),
        ([[0.0], [1.0]], [0.5, 1.0], {}, "Unknown label type: continuous. .*got .*0.5.* in y"),
        ([[0.0], [1.0]], [0, "a"], {}, None),
        ([[0.0], [1.0]], [0, 1], {"learning_rate": 0}, "learning_rate must be a finite number above 0, got 0"),
        ([[0.0], [1.0]], [0, 1], {"learning_rate": np.nan}, "learning_rate must be a finite number above 0, got nan"),
        ([[0.0], [1.0]], [0, 1], {"max_iter": 0}, "max_iter must be a whole number, 1 or more, got 0"),
        ([[0.0], [1.0]], [0, 1], {"shuffle": "yes"}, "shuffle must be True or False, got 'yes'"),
        ([[0.0], [1.0]], [0, 1], {"early_stopping": True, "validation_fraction": 1.0}, "must be above 0 and below 1"),
        ([[0.0], [1.0]], [0, 1], {"random_state": "now"}, "random_state must be None, an int of 0 or more"),
        ([[1e308], [-1e308]], [1, 0], {"learning_rate": 1e10}, "weights are no longer finite after 1 passes"),
    ],
)
def test_bad_input_is_refused_and_a_fitted_model_keeps_what_it_had(X, y, options, message):
    """Each error says what is wrong and where; nothing of an earlier fit has changed."""
    model = Perceptron().fit(TABLE, AND)
    before = {name: value for name, value in vars(model).items() if name.endswith("_")}
    model.set_params(**options)
    if message is None:  # NumPy makes text of both: a class by the name of "0"
        y, message = np.array(y, dtype=object), "y mixes text and other labels"
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert all(getattr(model, name) is value for name, value in before.items())


@pytest.mark.parametrize("early_stopping", [False, True])
def test_fitting_takes_at_most_as_much_memory_as_twice_the_data(early_stopping):
    """The growth of what Python and NumPy hold, by tracemalloc, at its peak; predicting adds no more either."""
    random = np.random.default_rng(5)
    X = random.normal(size=(20_000, 30))
    model = Perceptron(max_iter=2, early_stopping=early_stopping, random_state=0)
    tracemalloc.start()
    try:
        with pytest.warns(ConvergenceWarning):
            model.fit(X, X[:, 0] + random.normal(size=20_000) > 0)
        held, peak = tracemalloc.get_traced_memory()
        assert peak < 2 * X.nbytes
        tracemalloc.reset_peak()
        model.predict(X)
        assert tracemalloc.get_traced_memory()[1] - held < X.nbytes
    finally:
        tracemalloc.stop()


def test_equal_rows_count_as_one_and_the_order_of_rows_does_not_matter():
    """More rows than are compared at once, every one four times: shuffled they give the same weights."""
    random = np.random.default_rng(6)
    X = np.tile(random.integers(0, 2, (3000, 15)).astype(float), (4, 1))
    y = X[:, 0] + X[:, 1] > X[:, 2] + 0.5
    first = Perceptron(random_state=0).fit(X, y)
    order = random.permutation(len(X))
    again = Perceptron(random_state=0).fit(X[order], y[order])
    assert (first.coef_ == again.coef_).all()
    unique, counts = np.unique(np.column_stack([X, y]), axis=0, return_counts=True)
    once = Perceptron(random_state=0).fit(unique[:, :-1], unique[:, -1] > 0, sample_weight=counts)
    assert (first.coef_ == once.coef_).all()


def test_scores_that_are_nan_are_not_silent():
    """At 1e154 products reach infinity, and infinity less infinity decides nothing: learning or deciding, it is said."""
    X = np.array([[1e154, 1e154], [-1e154, 1e154], [1e154, -1e154], [-1e154, -1e154]])
    model = Perceptron(learning_rate=1e154, max_iter=3, random_state=0)
    with pytest.raises(ValueError, match=r"NaN|no longer finite"):
        model.fit(X, [0, 1, 1, 0])
    fitted = Perceptron(max_iter=2, random_state=0).fit([[1e154, -1e154], [-1e154, 1e154]], [0, 1])
    with pytest.raises(ValueError, match=r"the weighted sum of row 1 is NaN: .*scale the inputs down"):
        fitted.predict([[1.0, 1.0], [1e200, 1e200]])


def test_verbose_prints_the_mistakes_of_passes(capsys):
    """2 those of every pass, 1 those of some ten and of the last, 0 none; as loss_curve_ has them."""
    said = {}
    for verbose in (0, 1, True, 2):
        with pytest.warns(ConvergenceWarning):
            model = Perceptron(max_iter=30, verbose=verbose, random_state=0).fit(TABLE, XOR)
        said[verbose] = capsys.readouterr().out.splitlines()
    lines = [f"pass {k}/30: {wrong} mistake{'s' * (wrong != 1)}" for k, wrong in enumerate(model.loss_curve_, 1)]
    assert said[2] == lines
    assert said[1] == lines[2::3]
    assert said[0] == []
    Perceptron(max_iter=30, verbose=1, shuffle=False).fit(TABLE, AND)
    assert capsys.readouterr().out.splitlines()[-1] == "pass 6/30: 0 mistakes"
    Perceptron(max_iter=30, verbose=2, random_state=0).partial_fit(TABLE, AND, classes=[0, 1])
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="verbose must be 0, 1 or 2, False or True, got 3"):
        Perceptron(verbose=3).fit(TABLE, AND)
