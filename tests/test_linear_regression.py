"""Linear regression against the course's figures and the least-squares solution (REFERENCE.md, sections 1, 3, 5)."""

import re
import tracemalloc
import warnings

import numpy as np
import pytest

from autodiff import hessian, set_language, value_and_grad
from models import MLP, ConvergenceWarning, LinearRegression, MLPRegressor, Neuron, TrainingError
from models.datasets import apples_and_oranges, line_points
from models.training import train

APPLES = [-0.3875742381, 0.8477568429, 0.6981781791, -1.6376129989]
ORANGES = [-0.2851581309, 0.7940066372, 0.9249753216, -2.2182793922]


def least_squares(X, y):
    return np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0].T


def test_the_data_have_the_least_squares_fit_of_the_reference():
    """NumPy's solution for apples and oranges, and its mean squared error."""
    X, y, *_ = apples_and_oranges()
    fit = least_squares(X, y)
    assert fit == pytest.approx(np.array([APPLES, ORANGES]), abs=5e-11)
    assert np.mean((np.column_stack([X, np.ones(5)]) @ fit.T - y) ** 2) == pytest.approx(0.4831212221, abs=5e-11)


@pytest.mark.parametrize(("epochs", "loss"), [(0, 8327.1), (1, 5767.995018), (100, 153.936620), (1000, 4.382344)])
def test_the_loss_falls_as_in_the_reference(epochs, loss):
    """Gradient descent from zeros at α = 1e-5, mean over all ten errors."""
    X, y, *_ = apples_and_oranges()
    model = LinearRegression(learning_rate=1e-5, epochs=epochs).fit(X, y)
    assert model.loss_curve_[-1] == pytest.approx(loss, abs=5e-7)
    assert len(model.loss_curve_) == epochs + 1


def test_standardised_inputs_reach_the_optimum():
    """α = 0.1 on standardised inputs is at the least-squares answer within 1,000 epochs."""
    X, y, *_ = apples_and_oranges()
    mean, scale = X.mean(axis=0), X.std(axis=0)
    model = LinearRegression(learning_rate=0.1, epochs=1000).fit((X - mean) / scale, y)
    weights = model.coef_ / scale
    assert weights == pytest.approx(np.array([APPLES[:3], ORANGES[:3]]), abs=1e-6)
    assert model.intercept_ - weights @ mean == pytest.approx(np.array([APPLES[3], ORANGES[3]]), abs=1e-4)
    assert model.loss_curve_[-1] == pytest.approx(0.4831212221, abs=1e-8)
    assert model.predict((X - mean) / scale) == pytest.approx(X @ weights.T + model.intercept_ - weights @ mean)


@pytest.mark.parametrize(("rate", "stable"), [(1.1e-4, True), (1.13e-4, False)])
def test_the_largest_stable_learning_rate(rate, stable):
    """Below α = 1.117e-4 the loss keeps falling, above it grows."""
    X, y, *_ = apples_and_oranges()
    curve = LinearRegression(learning_rate=rate, epochs=400).fit(X, y).loss_curve_
    assert (curve[-1] < curve[-100]) is stable


@pytest.mark.parametrize("rate", [1e-4, 0.1, 0.115, 0.13])
def test_every_step_of_the_descent_has_its_closed_form(rate):
    """Along each axis of the ECM's bowl the distance to its bottom shrinks by 1 − αλ a step: crawls, falls or grows.

    λ are the eigenvalues of its second derivative, here 16.7 and 0.3, which makes 2/16.7 = 0.12 the largest α.
    """
    X, y, *_ = line_points()
    A = np.column_stack([X, np.ones(4)])
    curvature, axes = np.linalg.eigh(2 * A.T @ A / 4)
    start = axes.T @ -np.array([2.0, 1.0])  # from w = b = 0 to w = 2, b = 1
    steps = np.arange(61)[:, None]
    expected = (curvature / 2 * (start * (1 - rate * curvature) ** steps) ** 2).sum(axis=1)
    curve = LinearRegression(learning_rate=rate, epochs=60).fit(X, y).loss_curve_
    assert curve == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert (curve[-1] > curve[0]) == (rate > 2 / curvature.max()) == (rate == 0.13)
    assert (0.8 * curve[0] < curve[-1] < curve[0]) == (rate == 1e-4)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shift", [0.0, 100.0, 1e6])
@pytest.mark.parametrize("collinear", [0.0, 0.95])
def test_the_rate_that_fits_the_data_is_the_best_stable_one(shift, weighted, collinear):
    """On standardised inputs it is 2/(λ + μ) of the cost's own second derivative, by autodiff, and at most 1.9/λ.

    2.02/λ diverges. Every step lowers the loss, whatever the shift.
    """
    random = np.random.default_rng(0)
    X, Y = random.normal(shift, 1.0, (20, 2)), random.normal(size=(20, 2))
    X[:, 1] += collinear / (1 - collinear) * (X[:, 0] - shift)
    weight = np.arange(20) % 3 if weighted else np.ones(20)
    mean = np.average(X, axis=0, weights=weight)
    given, X = X, (X - mean) / np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))

    def cost(w):
        return sum(
            s * (w[3 * k] * x[0] + w[3 * k + 1] * x[1] + w[3 * k + 2] - y[k]) ** 2
            for s, x, y in zip((weight / weight.sum()).tolist(), X.tolist(), Y.tolist(), strict=True)
            for k in range(2)
        ) / 2  # fmt: skip

    curvatures = np.linalg.eigvalsh(hessian(cost)(np.zeros(6)))
    steepest = curvatures.max()
    rate = min(2 / (steepest + curvatures.min()), 1.9 / steepest)
    assert (rate == 1.9 / steepest) == bool(collinear)
    model = LinearRegression(epochs=60, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 60 steps are too few for collinear columns
        model.fit(given, Y, sample_weight=weight)
    assert model.learning_rate_ == pytest.approx(rate, rel=1e-6)
    assert (np.diff(model.loss_curve_) <= 1e-12).all()
    curve = LinearRegression(learning_rate=2.02 / steepest, epochs=600).fit(X, Y, sample_weight=weight).loss_curve_
    assert curve[-1] > curve[-100]


UNSCALED = {
    "areas": (np.array([[50.0], [80.0], [100.0], [150.0], [200.0]]), lambda X: 50 + 2 * X[:, 0]),
    "years": (np.arange(2000.0, 2021.0)[:, None], lambda X: 100 + 5 * (X[:, 0] - 2000)),
    "huge": (np.array([[1e200], [2e200], [4e200]]), lambda X: 3.0 + X[:, 0] / 1e200),
    "tiny": (np.array([[1e-200], [2e-200], [4e-200]]), lambda X: 3.0 + X[:, 0] * 1e200),
    "units": (np.random.default_rng(1).normal(size=(50, 3)) * [1e-6, 1.0, 1e8] + [1.0, 1e3, 1e9],
              lambda X: (X - [1.0, 1e3, 1e9]) @ [1e6, -2.0, 3e-8] + 7.0),
    "a constant column": (np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]]), lambda X: 2.0 * X[:, 0] + 1.0),
}  # fmt: skip


@pytest.mark.parametrize("solver", ["gd", "lstsq"])
@pytest.mark.parametrize("case", UNSCALED)
def test_by_default_data_of_any_units_are_fitted(case, solver):
    """Offsets and scales from 1e-200 to 1e200: predictions on the line to 1e-6, R² = 1, and no warning."""
    X, line = UNSCALED[case]
    y = line(X)
    model = LinearRegression(solver=solver).fit(X, y)
    assert model.predict(X) == pytest.approx(y, rel=1e-6, abs=1e-6)
    assert model.score(X, y) == pytest.approx(1.0, abs=1e-9)


def test_targets_whose_squares_are_no_floats_are_refused_by_the_descent():
    """Its cost would be 0 from the first step on; least squares take them, and constants are no such targets."""
    X = np.arange(5.0)[:, None]
    for y in (1e-200 * X[:, 0], np.column_stack([X[:, 0], 1e-160 * X[:, 0]])):
        with pytest.raises(ValueError, match=r'square that floats can hold, got 1\.41e-.*; .* or set solver="lstsq"'):
            LinearRegression().fit(X, y)
    assert LinearRegression(solver="lstsq").fit(X, 1e-200 * X[:, 0]).coef_ == pytest.approx([1e-200], rel=1e-12, abs=0)
    assert LinearRegression().fit(X, np.full(5, 1e-200)).predict(X) == pytest.approx(1e-200, rel=1e-9, abs=0)


def test_areas_have_the_slope_and_intercept_that_they_were_made_with():
    """y = 2x + 50 from five unscaled areas, and a warm start that goes on from there stays there."""
    X, line = UNSCALED["areas"]
    model = LinearRegression(warm_start=True).fit(X, line(X))
    assert [*model.coef_, model.intercept_] == pytest.approx([2.0, 50.0], rel=1e-9)
    assert model.loss_curve_[0] == pytest.approx(np.mean(line(X) ** 2), rel=1e-12)  # of zero weights, as ever
    assert [*model.fit(X, line(X)).coef_, model.intercept_] == pytest.approx([2.0, 50.0], rel=1e-9)
    assert model.loss_curve_[0] < 1e-9


def test_steps_that_have_not_arrived_are_compared_with_least_squares():
    """Two columns that are nearly one: the warning tells how far predictions are from NumPy's least squares."""
    random = np.random.default_rng(2)
    x = random.normal(size=200)
    X = np.column_stack([x, x + 0.05 * random.normal(size=200)]) + 100.0
    y = 20.0 * (X[:, 0] - X[:, 1]) + random.normal(size=200)
    with pytest.warns(
        ConvergenceWarning, match=r'after 500 steps: .* off by .*; set solver="lstsq", or raise epochs'
    ) as caught:
        model = LinearRegression(epochs=500).fit(X, y)
    fit = np.column_stack([X, np.ones(200)]) @ least_squares(X, y)
    off = np.sqrt(np.mean((model.predict(X) - fit) ** 2)) / y.std()
    assert f"off by {off:.2g} of the spread" in str(caught[0].message)
    assert LinearRegression().fit(X, y).predict(X) == pytest.approx(fit, abs=0.01 * y.std())


@pytest.mark.parametrize("epochs", [0, 1])
def test_hardly_any_steps_are_compared_with_least_squares_too(epochs):
    """Two axes of different curvature need more; a partial fit is one step by intention."""
    x = np.random.default_rng(2).normal(size=50)
    X = np.column_stack([x, 0.5 * x + np.arange(50.0) % 3])
    with pytest.warns(ConvergenceWarning, match=f"not come to the least-squares solution after {epochs} steps"):
        LinearRegression(epochs=epochs).fit(X, x)
    LinearRegression().partial_fit(X, x)


def test_a_rate_of_ones_own_is_compared_with_least_squares_too():
    """Areas and prices, y = 50 + 2x: the warning has the distance, by hand; who sets the steps too asked for them."""
    X, y = np.array([[50.0], [80], [100], [150], [200]]), np.array([150.0, 210, 250, 350, 450])
    with pytest.warns(ConvergenceWarning, match='after 10000 steps: .*; set learning_rate="auto"') as caught:
        model = LinearRegression(learning_rate=1e-5).fit(X, y)
    off = np.sqrt(np.mean((model.predict(X) - y) ** 2)) / y.std()
    assert f"off by {off:.2g} of the spread of y, and weights on scaled inputs by {2.344 / 2 - 1:.2g}" in str(
        caught[0].message
    )
    LinearRegression(learning_rate=1e-5, epochs=100).fit(X, y)
    assert LinearRegression().fit(X, y).coef_ == pytest.approx([2.0], rel=1e-6)


@pytest.mark.parametrize("number", [0.1, 0.7, 1e200, 3.3e-200])
@pytest.mark.parametrize("solver", ["gd", "lstsq"])
def test_inputs_that_are_all_one_number_have_the_mean(number, solver):
    """However the mean of seven equal numbers is rounded: the answer is that of NumPy, without a warning."""
    y = np.arange(7.0) ** 2
    model = LinearRegression(solver=solver).fit(np.full((7, 1), number), y)
    assert model.predict([[number]]) == pytest.approx([np.mean(y)], rel=1e-9)


@pytest.mark.parametrize("solver", ["gd", "lstsq"])
def test_weights_that_no_float_holds_are_refused(solver):
    """In units of 1e-308 they are infinite; what was fitted before stays."""
    X = np.random.default_rng(0).normal(size=(30, 2)) * [1.0, 1e-308]
    model = LinearRegression(solver=solver).fit(X * [1.0, 1e308], X[:, 0])
    before = model.coef_.tolist()
    with pytest.raises(ValueError, match=r"weights must be finite, got .*inf.* for column 1 of X, .*; scale X to"):
        model.fit(X, X[:, 0] + X[:, 1] * 1e308 * 3)
    assert model.coef_.tolist() == before


@pytest.mark.parametrize("apart", [1e-2, 1e-3, 1e-6])
def test_weights_of_columns_that_are_nearly_one_are_compared_with_least_squares(apart):
    """y = x₁ + 2x₂ with x₂ ≈ x₁: predictions arrive at once, weights do not; the warning says how far off they are."""
    random = np.random.default_rng(3)
    x = random.normal(size=200)
    X = np.column_stack([x, x + apart * random.normal(size=200)])
    y = X @ [1.0, 2.0]
    with pytest.warns(ConvergenceWarning, match='weights on scaled inputs by .*; set solver="lstsq"') as caught:
        model = LinearRegression().fit(X, y)
    assert model.predict(X) == pytest.approx(y, abs=1e-2 * y.std())
    off = np.abs((model.coef_ - [1.0, 2.0]) * X.std(axis=0)).max() / (2.0 * X[:, 1].std())
    assert f"scaled inputs by {off:.2g} of the largest" in str(caught[0].message)
    assert LinearRegression(solver="lstsq").fit(X, y).coef_ == pytest.approx([1.0, 2.0], rel=1e-8)
    same = X[:, [0, 0]]  # has no weights of its own to come to
    assert LinearRegression().fit(same, y).coef_ == pytest.approx(
        LinearRegression(solver="lstsq").fit(same, y).coef_, rel=1e-6
    )


@pytest.mark.parametrize("name", ["diabetes", "iris", "wine", "linnerud"])
def test_by_default_the_weights_of_ordinary_data_are_those_of_scikit_learn(name):
    """Data as they come in their units, one target or three: the weights of its LinearRegression, without a warning."""
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is a development dependency")
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is a development dependency")
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True, **{"scaled": False} if name == "diabetes" else {})
    ours, theirs = LinearRegression().fit(X, y), linear_model.LinearRegression().fit(X, y)
    assert (ours.coef_ * X.std(axis=0)) == pytest.approx(theirs.coef_ * X.std(axis=0), abs=1e-4 * np.std(y))
    assert ours.predict(X) == pytest.approx(theirs.predict(X), abs=1e-5 * np.std(y))
    assert ours.n_iter_ < ours.epochs  # the cost fell no further


@pytest.mark.parametrize("weighted", [False, True])
def test_least_squares_are_those_of_numpy_and_scikit_learn(weighted):
    """Two targets, more rows than a block; of many solutions one that predicts the same."""
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is a development dependency")
    random = np.random.default_rng(3)
    X, Y = random.normal(size=(9000, 4)) * [1.0, 1e2, 1e-2, 1.0] + 5.0, random.normal(size=(9000, 2))
    weight = random.integers(0, 4, 9000) if weighted else np.ones(9000)
    ours = LinearRegression(solver="lstsq").fit(X, Y, sample_weight=weight)
    theirs = linear_model.LinearRegression().fit(X, Y, sample_weight=weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-7)
    errors = np.average((ours.predict(X) - Y) ** 2, axis=0, weights=weight)
    assert ours.loss_curve_ == pytest.approx([errors.mean()], rel=1e-9)
    assert ours.n_iter_ == 0
    with pytest.raises(ValueError, match=r'partial_fit must have solver="gd".*got \'lstsq\''):
        ours.partial_fit(X, Y)


@pytest.mark.parametrize("units", [1.0, [1.0, 1e2, 1e-3, 1.0, 5.0, 1e4], [1.0, 1e100, 1e-200, 1.0, 1.0, 1e30]])
@pytest.mark.parametrize("kind", ["wide", "a column twice", "a constant column"])
def test_of_many_least_squares_solutions_the_one_of_the_smallest_weights_is_taken(kind, units):
    """The weights of NumPy on centred data, as scikit-learn takes them; of units too far apart, a fit without error."""
    random = np.random.default_rng(5)
    X = (random.normal(size=(4 if kind == "wide" else 20, 6)) + 3.0) * units
    X[:, 0] = X[:, 3] if kind == "a column twice" else 7.0 if kind == "a constant column" else X[:, 0]
    y = (X / units) @ random.normal(size=(6, 2))
    ours = LinearRegression(solver="lstsq").fit(X, y)
    assert ours.predict(X) == pytest.approx(y, abs=1e-9)
    if np.max(units) < 1e6:
        centred = X - X.mean(axis=0)
        smallest = np.linalg.lstsq(centred, y - y.mean(axis=0), rcond=1e-13)[0].T
        np.testing.assert_allclose(ours.coef_ * X.std(axis=0), smallest * X.std(axis=0), atol=1e-7)
        np.testing.assert_allclose(np.delete(ours.coef_, 2, axis=1), np.delete(smallest, 2, axis=1), atol=1e-6)


def test_of_many_least_squares_solutions_scikit_learn_takes_the_same_one():
    """Ten samples of thirty features, two targets: weights and intercepts of its LinearRegression."""
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is a development dependency")
    random = np.random.default_rng(6)
    X, y = random.normal(size=(10, 30)) * random.uniform(0.2, 5.0, 30) + 2.0, random.normal(size=(10, 2))
    ours, theirs = LinearRegression(solver="lstsq").fit(X, y), linear_model.LinearRegression().fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-10)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-10)


@pytest.mark.parametrize("solver", ["gd", "lstsq"])
def test_fitting_takes_at_most_as_much_memory_as_twice_the_data(solver):
    """The growth of what Python and NumPy hold, by tracemalloc, at its peak: below one and a half times X."""
    random = np.random.default_rng(4)
    X, y = random.normal(size=(50_000, 20)), random.normal(size=50_000)
    model = LinearRegression(solver=solver, epochs=50)
    tracemalloc.start()
    try:
        model.fit(X, y)
        assert tracemalloc.get_traced_memory()[1] < 1.5 * X.nbytes
    finally:
        tracemalloc.stop()


def test_a_neuron_without_activation_is_a_linear_regression():
    """Trained alike from zeros, the neuron's weights and bias are those of LinearRegression, step by step."""
    X, y, *_ = apples_and_oranges()
    neuron = Neuron(3, None, initialization="zeros")
    for step in range(1, 6):
        train(neuron, X, y[:, 0], optimizer="gd", learning_rate=1e-5, epochs=1)
        line = LinearRegression(learning_rate=1e-5, epochs=step).fit(X, y[:, 0])
        assert [w.data for w in neuron.weights] == pytest.approx(line.coef_, rel=1e-12)
        assert neuron.bias.data == pytest.approx(line.intercept_, rel=1e-12)
    assert [neuron(x).data for x in X] == pytest.approx(line.predict(X), rel=1e-12)


def test_the_gradient_of_the_mean_squared_error():
    """At w = b = 0 for (1,3), (2,5), (3,7), (4,9): ∂w = -35, ∂b = -12."""
    points = [(1, 3), (2, 5), (3, 7), (4, 9)]
    error = lambda w, b: sum((y - (w * x + b)) ** 2 for x, y in points) / len(points)
    assert value_and_grad(error, (0, 1))(0.0, 0.0) == (41.0, (-35.0, -12.0))


def test_one_target_gives_a_vector_and_a_float():
    """The line through the reference's points is y = 2x + 1."""
    model = LinearRegression(learning_rate=0.1, epochs=1000).fit([[1], [2], [3], [4]], [3, 5, 7, 9])
    assert model.coef_ == pytest.approx([2.0], abs=1e-8)
    assert model.intercept_ == pytest.approx(1.0, abs=1e-8)
    assert model.predict([[10.0]]) == pytest.approx([21.0])


@pytest.mark.parametrize(
    ("X", "y", "options", "message"),
    [
        ([[1.0], [np.nan]], [1, 2], {}, r"X contains NaN: nan at row 1, column 0; every entry must be a finite number"),
        ([[1.0], [2.0]], [1, np.inf], {}, r"y contains infinity: inf at position 1"),
        ([1.0, 2.0], [1, 2], {}, r"X must be \(n_samples, n_features\).*got \(2,\)"),
        (np.ones((0, 2)), [], {}, r"X has 0 sample\(s\) \(shape=\(0, 2\)\) while a minimum of 1 is required"),
        ([[1.0], [2.0]], [1, 2, 3], {}, r"y must have one entry or row per sample of X, 2, got 3"),
        (
            [[1.0]],
            [1.0],
            {"learning_rate": 0},
            r"learning_rate \('auto' for one that fits the data\) must be a finite number above 0, got 0",
        ),
        ([[1.0]], [1.0], {"learning_rate": np.nan}, r"learning_rate .*must be a finite number above 0, got nan"),
        ([[1.0]], [1.0], {"learning_rate": "fast"}, r"learning_rate .*must be a finite number above 0, got 'fast'"),
        (
            [[1.0], [2.0]],
            [1e200, 2e200],
            {},
            r"the loss became inf, .* after 0 steps: the numbers in y are too large; scale",
        ),
        ([[1.0]], [1.0], {"solver": "qr"}, r"solver must be one of gd, lstsq, got 'qr'"),
        (
            [[1.0], [2.0], [3.0]],
            [1e200, 2e200, -1e200],
            {"solver": "lstsq"},
            r"the squared errors must be finite.* y down",
        ),
        ([[1.0]], [1.0], {"epochs": -1}, r"epochs must be a whole number, 0 or more, got -1"),
        (
            [[1e3], [2e3]],
            [1.0, 2.0],
            {"learning_rate": 1.0},
            r"(loss|gradient) became inf, .* steps: learning_rate=1\.0 is too large for these data; set .*\"auto\", or make",
        ),
    ],
)
def test_bad_input_is_refused_and_a_fitted_model_keeps_what_it_had(X, y, options, message):
    """Each error says what is wrong and where; coef_ of an earlier fit stays."""
    model = LinearRegression(epochs=1000).fit([[1.0], [2.0]], [1.0, 2.0])
    before = model.coef_.copy()
    for name, value in options.items():
        setattr(model, name, value)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert model.coef_ == before


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ("became", "steps", "learning.rate")), ("es", ("llegó a", "pasos", "tasa de aprendizaje"))],
)
def test_a_divergence_is_told_in_the_language_in_force(language, words):
    """Of least squares and of training: the classes stay, no sentence of the other language is left."""
    set_language(language)
    try:
        with pytest.raises(ValueError, match=words[1]) as line:
            LinearRegression(learning_rate=1.0, epochs=1000).fit([[1e3], [2e3]], [1.0, 2.0])
        with pytest.raises(TrainingError, match=words[2]) as trained:
            train(MLP(1, [1]), [[1e3], [2e3]], [1.0, 2.0], optimizer="gd", learning_rate=1.0, epochs=1000)
        with pytest.raises(ValueError, match=words[2]) as fitted:
            MLPRegressor(solver="gd", learning_rate=1e6, activation="relu").fit([[1e3], [2e3]], [1e5, 2e5])
    finally:
        set_language(None)
    for error in (line, trained, fitted):
        assert words[0] in str(error.value)
        assert ("became" in str(error.value)) == (language == "en")
        assert not (language == "es" and re.search(r"\b(the|steps|epoch|batch|first|loss)\b", str(error.value)))


def test_prediction_needs_a_fit_and_the_same_width():
    """Both are ValueErrors that say what to do."""
    with pytest.raises(ValueError, match=r"this LinearRegression is not fitted yet; call fit\(X, y\) first"):
        LinearRegression().predict([[1.0]])
    with pytest.raises(ValueError, match=r"X has 2 features, but LinearRegression is expecting 1 features as input"):
        LinearRegression(epochs=1).fit([[1.0]], [1.0]).predict([[1.0, 2.0]])


def test_a_weight_is_the_number_of_copies():
    """Weights 0, 1, 2, … give what leaving out and repeating samples gives, and least squares its weighted fit."""
    random = np.random.default_rng(3)
    X, y, weight = random.normal(size=(12, 2)), random.normal(size=12), np.arange(12) % 4
    weighted = LinearRegression(learning_rate=0.1, epochs=800).fit(X, y, sample_weight=weight)
    repeated = LinearRegression(learning_rate=0.1, epochs=800).fit(X.repeat(weight, axis=0), y.repeat(weight))
    assert weighted.coef_ == pytest.approx(repeated.coef_, rel=1e-12)
    assert weighted.loss_curve_ == pytest.approx(repeated.loss_curve_, rel=1e-12)
    root = np.sqrt(weight)
    solution = np.linalg.lstsq(np.column_stack([X, np.ones(12)]) * root[:, None], y * root, rcond=None)[0]
    assert [*weighted.coef_, weighted.intercept_] == pytest.approx(solution, abs=1e-9)


def test_weights_near_the_largest_number():
    """Only their proportions count, also for two targets; a sum that is infinite is refused before anything."""
    X, y, model = [[1.0], [2.0]], [[3.0, 1.0], [5.0, 0.0]], LinearRegression(learning_rate=0.1, epochs=100)
    plain = model.fit(X, y, sample_weight=[1.0, 1.0]).coef_
    assert (model.fit(X, y, sample_weight=[8e307] * 2).coef_ == plain).all()
    assert model.score(X, [[9e9, 1.0], [5.0, 0.0]], [8e307] * 2) == model.score(X, [[9e9, 1.0], [5.0, 0.0]])
    with pytest.raises(
        ValueError, match=r"sample_weight adds up to infinity; divide all weights by the largest, 1e\+308"
    ):
        model.fit(X, y, sample_weight=[1e308] * 2)


def test_going_on_is_the_same_as_going_further():
    """Two warm fits of 20 epochs, one fit of 40, and forty partial fits end with the same weights and losses."""
    X, y, *_ = apples_and_oranges()
    whole = LinearRegression(learning_rate=1e-5, epochs=40).fit(X, y)
    warm = LinearRegression(learning_rate=1e-5, epochs=20, warm_start=True).fit(X, y)
    assert warm.loss_curve_ == whole.loss_curve_[:21]
    warm.fit(X, y)
    step_by_step = LinearRegression(learning_rate=1e-5)
    for _ in range(40):
        step_by_step.partial_fit(X, y)
    for model in (warm, step_by_step):
        assert (model.coef_ == whole.coef_).all()
        assert (model.intercept_ == whole.intercept_).all()
    assert warm.loss_curve_ == whole.loss_curve_[20:]
    assert step_by_step.loss_curve_ == whole.loss_curve_
    assert step_by_step.n_iter_ == whole.n_iter_ == 40
