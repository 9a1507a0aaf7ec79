"""Nothing wrong without a word: what the MLP estimators and `train` say of a training that went wrong, and as data."""

import io
import re
import sys
import warnings

import numpy as np
import pytest

from autodiff import Value, exp, total
from models import MLP, ConvergenceWarning, LinearRegression, MLPClassifier, MLPRegressor
from models._engines import Samples
from models.datasets import moons, xor
from models.diagnosis import constant_output_loss
from models.losses import absolute_error, binary_cross_entropy, cross_entropy, half_squared_error, huber, squared_error
from models.training import train

XOR = xor()


def findings(call):
    """Return the warnings of a call, as they would be shown."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    assert all(issubclass(each.category, ConvergenceWarning) for each in caught)
    assert all(each.filename == __file__ for each in caught)
    return result, [str(each.message) for each in caught]


def wide(scale=1000.0, n=80, seed=0):
    """Two classes in inputs of very different scales, far from 0."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, 3))
    return X * [scale, 1.0, 1 / scale] + [10 * scale, 0.0, 5.0], (X.sum(axis=1) > 0).astype(int)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("batch_size", ["auto", 20])
@pytest.mark.parametrize("n_iter_no_change", [4, 1000])
def test_the_weights_kept_are_those_of_the_lowest_loss(standardize, batch_size, n_iter_no_change):
    """Whether patience or max_iter ends it: one batch per epoch, its loss by NumPy is the lowest of the curve."""
    X, y = wide(30.0)[0], np.random.default_rng(7).integers(2, size=80)  # labels that nothing predicts
    model = MLPClassifier(
        hidden_layer_sizes=(8,), standardize=standardize, alpha=0.0, learning_rate=0.3, batch_size=batch_size,
        max_iter=40, n_iter_no_change=n_iter_no_change, random_state=1,
    )  # fmt: skip
    model, _ = findings(lambda: model.fit(X, y))
    assert model.loss_curve_[-1] > min(model.loss_curve_)  # else there would be nothing to choose
    loss = -np.mean(model.predict_log_proba(X)[np.arange(len(y)), y])
    if batch_size == "auto":
        assert loss == pytest.approx(min(model.loss_curve_), rel=1e-9)
    else:  # an epoch's loss is that of weights on the way
        last = MLPClassifier(**model.get_params() | {"max_iter": int(np.argmin(model.loss_curve_)) + 1})
        last, _ = findings(lambda: last.fit(X, y))
        assert loss == -np.mean(last.predict_log_proba(X)[np.arange(len(y)), y])


@pytest.mark.parametrize(("kind", "factor"), [(MLPClassifier, 1.0), (MLPRegressor, 250.0)])
def test_the_unit_of_the_data_does_not_matter(kind, factor):
    """Inputs (and targets) in other units give the same predictions: training is on deviations from the mean."""
    X, y = wide(1.0)
    X2, y2 = X * [1e6, 1e-3, 40.0] + [5e6, 0.0, -7.0], factor * y + (0 if kind is MLPClassifier else 1e4)
    settings = {"hidden_layer_sizes": (6,), "max_iter": 30, "random_state": 0}
    one, _ = findings(lambda: kind(**settings).fit(X, y))
    two, _ = findings(lambda: kind(**settings).fit(X2, factor * y + 1e4) if factor > 1 else kind(**settings).fit(X2, y))
    if kind is MLPClassifier:
        np.testing.assert_allclose(two.predict_proba(X2), one.predict_proba(X), rtol=1e-7, atol=1e-9)
        assert two.loss_curve_ == pytest.approx(one.loss_curve_, rel=1e-9)
    else:
        np.testing.assert_allclose((two.predict(X2) - 1e4) / factor, one.predict(X), rtol=1e-7, atol=1e-9)
        assert two.loss_curve_[:5] == pytest.approx([factor**2 * loss for loss in one.loss_curve_[:5]], rel=1e-7)
    assert len(y2) == len(y)


@pytest.mark.parametrize("loss", ["squared_error", "half_squared_error", "absolute_error", "huber"])
@pytest.mark.parametrize("targets", [1, 2])
def test_folded_weights_are_the_network_for_the_data_as_they_come(loss, targets):
    """coefs_ and network() are in the units of X and y, by NumPy's own arithmetic, the loss in those of one target.

    Of several targets it is in their deviations, and huber's threshold is one deviation.
    """
    random = np.random.default_rng(3)
    X = random.normal(size=(40, 2)) * [50.0, 0.1] + [300.0, 2.0]
    Y = np.column_stack([3 * X[:, 0] + 20 * X[:, 1], -X[:, 0]])[:, :targets]
    model = MLPRegressor(loss=loss, hidden_layer_sizes=(5,), activation="tanh", alpha=0.0, max_iter=60, random_state=0)
    model, _ = findings(lambda: model.fit(X, Y))
    hidden = np.tanh(X @ model.coefs_[0] + model.intercepts_[0])
    outputs = hidden @ model.coefs_[1] + model.intercepts_[1]
    np.testing.assert_allclose(model.predict(X).reshape(outputs.shape), outputs, rtol=1e-12)
    assert np.ravel(model.network()(X[0])[0].data if targets > 1 else model.network()(X[0]).data)[0] == pytest.approx(
        outputs[0, 0], rel=1e-9
    )
    error = np.abs(outputs - Y) / Y.std(axis=0)
    unit = Y.std() if targets == 1 else 1.0
    by_hand = (
        unit ** (1 if loss == "absolute_error" else 2)
        * {
            "squared_error": error**2,
            "half_squared_error": error**2 * targets / 2,
            "absolute_error": error,
            "huber": np.where(error <= 1, error**2 / 2, error - 0.5),
        }[loss].mean()
    )
    assert by_hand <= min(model.loss_curve_) * (1 + 1e-9)  # or the one after the last step, which was lower


def test_standardize_false_trains_on_the_data_themselves():
    """The first weights of a network without hidden layers, before any step to speak of, are what was drawn."""
    X, y = wide()
    settings = {"hidden_layer_sizes": (), "learning_rate": 1e-300, "max_iter": 1, "random_state": 5}
    plain, _ = findings(lambda: MLPClassifier(**settings, standardize=False).fit(X, y))
    scaled, _ = findings(lambda: MLPClassifier(**settings).fit(X, y))
    np.testing.assert_allclose(scaled.coefs_[0][:, 0] * X.std(axis=0), plain.coefs_[0][:, 0], rtol=1e-12)
    assert scaled.intercepts_[0][0] == pytest.approx(-X.mean(axis=0) @ scaled.coefs_[0][:, 0], rel=1e-9)


def test_dead_units_are_counted_and_told():
    """Inputs far from 0, taken as they are, leave ReLUs that are 0 on every sample, as NumPy counts them."""
    X, y = wide()
    model = MLPClassifier(hidden_layer_sizes=(24,), standardize=False, random_state=0)
    model, told = findings(lambda: model.fit(X, y))
    dead = int((X @ model.coefs_[0] + model.intercepts_[0] <= 0).all(axis=0).sum())
    assert dead >= 6
    assert model.diagnosis_.dead == (dead, 0)
    assert model.diagnosis_.units == (24, 1)
    assert any(f"{dead} of 24 relu units in layer 1 have slope 0 on every sample" in each for each in told)
    assert any("set standardize=True" in each for each in told)
    assert MLPClassifier(hidden_layer_sizes=(24,), random_state=0, tol=0.1).fit(X, y).diagnosis_.dead == (0, 0)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_inputs_that_are_all_the_same_are_told_as_such(kind):
    """One finding, not units that are dead because there is nothing to look at."""
    model, told = findings(lambda: kind(max_iter=40, random_state=0).fit(np.full((20, 3), 1e9), np.arange(20) % 2))
    assert list(model.diagnosis_.findings) == ["same inputs"]
    assert "every sample has the same inputs" in told[0]


def test_saturated_units_are_told_apart_from_dead_ones():
    """A tanh of a thousand has a slope of hardly anything: the unit is saturated."""
    X, y = wide()
    model = MLPClassifier(hidden_layer_sizes=(10,), activation="tanh", standardize=False, random_state=0)
    model, told = findings(lambda: model.fit(X, y))
    flat = (1 - np.tanh(X @ model.coefs_[0] + model.intercepts_[0]) ** 2).max(axis=0) <= 0.01
    assert model.diagnosis_.saturated == (int(flat.sum()), 0)
    assert flat.sum() >= 3
    assert any("tanh units in layer 1 have hardly any slope" in each for each in told)


STUCK = {"zeros": {"initialization": "zeros"}, "sigmoids": {"activation": "sigmoid", "random_state": 1}}


@pytest.mark.parametrize("how", STUCK)
def test_a_network_that_learned_nothing_says_so(how):
    """XOR at 0.693, the loss of predicting one half for every sample: of `train` and of the estimator."""
    net = MLP(2, [2, 1], **STUCK[how])
    history, told = findings(
        lambda: train(net, XOR.X, XOR.y, loss="binary_cross_entropy", optimizer="gd", learning_rate=0.05, epochs=100)
    )
    assert history.diagnosis.constant
    assert history.diagnosis.constant_loss == pytest.approx(np.log(2), rel=1e-12)
    assert any("no lower than that of one and the same output for every sample, 0.6931" in each for each in told)
    model = MLPClassifier(hidden_layer_sizes=(2,), **STUCK[how], solver="gd", learning_rate=0.05, alpha=0.0, tol=0)
    model, told = findings(lambda: model.fit(XOR.X, XOR.y))
    assert model.diagnosis_.constant
    assert any("nothing was learned from the inputs" in each for each in told)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_no_fit_that_learned_nothing_is_silent(activation, seed):
    """Inputs in euros and percent, taken as they are: as right as always saying one class is never without a word."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(60, 2)) * [1000.0, 0.01] + [5000.0, 0.0]
    y = (X[:, 0] - 5000 > 100_000 * X[:, 1]).astype(int)
    model = MLPClassifier(hidden_layer_sizes=(16,), activation=activation, standardize=False, random_state=seed)
    model, told = findings(lambda: model.fit(X, y))
    assert told or model.score(X, y) > np.bincount(y).max() / len(y) + 0.02


def test_a_network_that_learns_is_not_accused():
    """Moons to the end, without one word, warnings being errors."""
    data = moons(100, random_state=0)
    model = MLPClassifier(hidden_layer_sizes=(8,), activation="tanh", learning_rate=0.1, tol=0.01, random_state=0)
    model.fit(data.X, data.y)
    assert model.score(data.X, data.y) > 0.85
    assert not model.diagnosis_.findings
    assert not model.diagnosis_.constant


class Softmax:
    """A linear layer with a softmax of one's own making, as beginners write it."""

    def __init__(self):
        self.net = MLP(2, [3], random_state=0)

    def parameters(self):
        return self.net.parameters()

    def __call__(self, x):
        powers = [exp(z) for z in self.net(x)]
        whole = total(powers)
        return [p / whole for p in powers]


class OwnSigmoid:
    """A neuron with the engine's sigmoid, but no MLP."""

    def __init__(self):
        self.w = [Value(0.1, "w1"), Value(-0.2, "w2")]

    def parameters(self):
        return self.w

    def __call__(self, x):
        return (self.w[0] * x[0] + self.w[1] * x[1]).sigmoid()


@pytest.mark.parametrize(
    ("model", "loss", "name"),
    [
        (lambda: MLP(2, [2, 1], output_activation="sigmoid", random_state=0), "binary_cross_entropy", "sigmoid"),
        (OwnSigmoid, "binary_cross_entropy", "sigmoid"),
        (Softmax, "cross_entropy", "softmax"),
    ],
)
def test_a_sigmoid_or_softmax_twice_is_told_before_training(model, loss, name):
    """The loss applies it itself; the warning comes at once, and stands in the diagnosis."""
    history, told = findings(lambda: train(model(), XOR.X, XOR.y, loss=loss, epochs=2))
    assert history.diagnosis.squashed_twice == name
    assert len(told) == 1
    assert f"the output of the model is a {name} already, and {loss} applies one itself" in told[0]


@pytest.mark.parametrize(("loss", "outputs"), [("binary_cross_entropy", 1), ("cross_entropy", 2), ("squared_error", 1)])
def test_logits_and_other_losses_are_not_accused_of_a_sigmoid(loss, outputs):
    """A linear output is what the cross-entropies want; a sigmoid before a squared error is the course's."""
    output = "sigmoid" if loss == "squared_error" else None
    net = MLP(2, [3, outputs], activation="tanh", output_activation=output, random_state=0)
    history, told = findings(lambda: train(net, XOR.X, XOR.y, loss=loss, epochs=3))
    assert told == []
    assert history.diagnosis.squashed_twice == ""


@pytest.mark.parametrize(
    ("output", "loss", "targets", "says"),
    [
        ("sigmoid", "squared_error", [0, 100], "lies between 0 and 1, and the targets reach from 0 to 100; scale the"),
        ("tanh", "absolute_error", [-1, 2], "lies between -1 and 1, and the targets reach from -1 to 2; scale the"),
        ("relu", "half_squared_error", [-2, 5], "is 0 or more, and the targets reach from -2 to 5; scale the targets"),
        ("sigmoid", "hinge", [-1, 1], "lies between 0 and 1, and the targets reach from -1 to 1; scale the targets"),
        ("tanh", "binary_cross_entropy", [0, 1], "binary_cross_entropy makes a sigmoid of any number itself; leave"),
        ("sigmoid", "cross_entropy", [0, 1], "cross_entropy makes a softmax of any number itself; leave the output"),
        ("tanh", "squared_error", [-1, 1], ""),
        ("relu", "squared_error", [0, 7], ""),
        ("leaky_relu", "squared_error", [-5, 7], ""),
    ],
)
def test_targets_that_the_output_cannot_reach_are_told_before_training(output, loss, targets, says):
    """The range of the last activation is named, and nothing else is blamed; what it can reach is not accused."""
    net = MLP(2, [3, 2 if loss == "cross_entropy" else 1], activation="tanh", output_activation=output, random_state=0)
    history, told = findings(lambda: train(net, XOR.X, [*targets, *targets], loss=loss, epochs=60))
    assert ("out of reach" in history.diagnosis.findings) == bool(says)
    if says:
        assert says in told[0]
        assert not history.diagnosis.findings.keys() & {"constant", "still", "dead"}


def test_a_few_samples_that_are_learned_say_nothing_about_dead_units():
    """Two samples, both right: many units are off on both, which is no reason to look for outliers."""
    model, told = findings(lambda: MLPClassifier(random_state=0).fit([[1.0], [2.0]], [0, 1]))
    assert model.diagnosis_.dead[0] >= 25
    assert model.score([[1.0], [2.0]], [0, 1]) == 1.0
    assert told == []


def test_steps_that_are_too_large_are_told():
    """A loss that ends far above its lowest: the best weights are kept, and the rate is named."""
    X, y = wide(1.0)
    model = MLPRegressor(hidden_layer_sizes=(20,), learning_rate=1.5, max_iter=60, n_iter_no_change=60, random_state=0)
    model, told = findings(lambda: model.fit(X, y))
    assert model.diagnosis_.exploding is (model.loss_curve_[-1] >= 2 * min(model.loss_curve_))
    assert any("make learning_rate smaller" in each for each in told)
    assert np.mean((model.predict(X) - y) ** 2) <= min(model.loss_curve_)


def test_overfitting_is_not_blamed_on_the_learning_rate():
    """Validation loss that rises while the training loss falls: no word of smaller steps or of scaling."""
    random = np.random.default_rng(0)
    X, y = random.normal(size=(60, 30)), random.integers(2, size=60)
    model = MLPClassifier(
        early_stopping=True, max_iter=30, n_iter_no_change=29, validation_fraction=0.3, random_state=0
    )
    model, told = findings(lambda: model.fit(X, y))
    assert model.validation_curve_[-1] > min(model.validation_curve_)
    (text,) = [each for each in told if "took all" in each]
    assert "it overfits; raise alpha, or use fewer hidden units" in text
    assert "learning_rate" not in text


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [squared_error, half_squared_error, absolute_error, huber])
def test_the_loss_of_the_best_constant_output(loss, weighted):
    """No constant output, tried on a fine grid, has a lower loss, and one comes close."""
    random = np.random.default_rng(1)
    y, w = random.normal(size=15), random.uniform(0.5, 2.0, 15) if weighted else None
    tried = [np.average([loss(c, t) for t in y.tolist()], weights=w) for c in np.linspace(-3, 3, 6001).tolist()]
    assert constant_output_loss(loss, Samples(np.zeros((15, 1)), y, w)) == pytest.approx(min(tried), rel=1e-3)


def test_the_loss_of_the_best_constant_logits():
    """The entropy of the labels' shares; a loss that is not known has None."""
    y = np.array([0.0, 0.0, 0.0, 1.0])
    samples = Samples(np.zeros((4, 1)), y)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert constant_output_loss(binary_cross_entropy, samples) == pytest.approx(entropy, rel=1e-12)
    assert constant_output_loss(cross_entropy, samples) == pytest.approx(entropy, rel=1e-12)
    assert constant_output_loss(lambda output, target: (output - target) ** 4, samples) is None


ROWS = np.random.default_rng(0).normal(size=(300, 4))


@pytest.mark.parametrize("unit", [1e-6, 1.0, 100.0, 1e6])
@pytest.mark.parametrize("loss", ["huber", "absolute_error"])
def test_robust_losses_learn_targets_of_any_unit(loss, unit):
    """R² of a plane is near 1 whatever the unit of y, and the loss of the best constant is known."""
    y = ROWS @ [1.0, 2.0, 3.0, 4.0] * unit
    model, told = findings(lambda: MLPRegressor(loss=loss, random_state=0).fit(ROWS, y))
    assert model.score(ROWS, y) > 0.98
    assert not [each for each in told if "nothing was learned" in each]
    error = np.abs(np.median(y) - y) / y.std()
    near = {"huber": np.where(error <= 1, error**2 / 2, error - 0.5) * y.std(), "absolute_error": error}[loss].mean()
    assert model.diagnosis_.constant_loss == pytest.approx(near * y.std(), rel=0.02)


def test_targets_of_different_units_are_all_learned():
    """A target of a million times the other's unit takes nothing from it; a constant one gets its constant exactly."""
    Y = np.column_stack([1e6 * ROWS[:, 0], np.tanh(2 * ROWS[:, 1]), np.full(300, 0.1)])
    model, _ = findings(lambda: MLPRegressor(random_state=0).fit(ROWS, Y))
    predicted = model.predict(ROWS)
    left = ((predicted - Y)[:, :2] ** 2).sum(axis=0) / ((Y - Y.mean(axis=0))[:, :2] ** 2).sum(axis=0)
    assert (left < 0.05).all()
    assert (predicted[:, 2] == 0.1).all()


TOO_SMALL = [
    (MLPClassifier, {"learning_rate": 1e-6}),
    (MLPClassifier, {"learning_rate": 1e-9}),
    (MLPClassifier, {"learning_rate": 1e-4, "solver": "gd"}),
    (MLPClassifier, {"learning_rate": 1e-6, "engine": "eager", "hidden_layer_sizes": (5,)}),
    (MLPRegressor, {"learning_rate": 1e-6}),
]


@pytest.mark.parametrize(("kind", "settings"), TOO_SMALL)
def test_steps_that_are_too_small_are_told(kind, settings):
    """As wrong as at the first step, though scikit-learn's logistic regression finds the plane: the rate is named."""
    y = ROWS[:, 0] > 0 if kind is MLPClassifier else ROWS @ [1.0, 2.0, 3.0, 4.0]
    model, told = findings(lambda: kind(**settings, random_state=0).fit(ROWS, y))
    assert model.score(ROWS, y) < 0.6
    assert model.diagnosis_.slow
    assert list(model.diagnosis_.findings) == ["slow"]
    assert "steps are too small; make learning_rate larger" in told[0]
    assert "no gradient" not in told[0]


def test_steps_of_train_that_are_too_small_are_told_and_change_nothing():
    """Weights and the last batch's gradients are as training left them, as a run of other words shows."""
    nets = [MLP(4, [5, 1], random_state=0) for _ in range(2)]
    y, rest = ROWS[:, 0] * 3, {"optimizer": "gd", "engine": "eager", "epochs": 30}
    history, _ = findings(lambda: train(nets[0], ROWS[:40], y[:40], learning_rate=1e-9, **rest))
    assert history.diagnosis.slow
    for _ in range(2):  # runs too short to be judged
        findings(lambda: train(nets[1], ROWS[:40], y[:40], learning_rate=1e-9, **rest | {"epochs": 15}))
    assert [p.data for p in nets[0].parameters()] == [p.data for p in nets[1].parameters()]
    assert [p.grad for p in nets[0].parameters()] == [p.grad for p in nets[1].parameters()]


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_fit_that_goes_on_from_its_end_is_not_called_slow(kind):
    """Its loss hardly falls, as there is hardly anything left to learn; nor is a fit of mere noise."""
    y = ROWS[:, 0] > 0 if kind is MLPClassifier else ROWS[:, 0]
    model = kind(hidden_layer_sizes=(8,), warm_start=True, random_state=0, alpha=0.1)
    for _ in range(4):
        model, _ = findings(lambda: model.fit(ROWS, y))
        assert not model.diagnosis_.slow
    noise = np.random.default_rng(1).integers(2, size=300)
    model, _ = findings(lambda: kind(hidden_layer_sizes=(2,), random_state=0).fit(ROWS, noise))
    assert not model.diagnosis_.slow


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"activation": "step"}, "step units in layer 1 have slope 0 for any input, so that no gradient reaches"),
        ({"initialization": "zeros"}, "relu units in layer 1 have only weights of 0, and slope 0 there: they learn no"),
        ({"alpha": 1e6}, r"the penalty on the weights outweighs the loss, .* make the penalty \(alpha\) smaller"),
    ],
)
def test_units_that_are_dead_by_a_setting_are_not_blamed_on_the_data(kind, settings, says):
    """The activation, the first weights or the penalty is named, not outliers in normally distributed inputs."""
    model, told = findings(lambda: kind(**settings, random_state=0).fit(ROWS, ROWS[:, 0] > 0))
    assert model.diagnosis_.dead[0] + model.diagnosis_.constant > 0
    assert any(re.search(says, each) for each in told)
    assert not any("outliers" in each and "slope" in each for each in told)


@pytest.mark.parametrize("alpha", [0.0, 0.01])
@pytest.mark.parametrize("number", [0.0, 0.1, 1e6])
def test_constant_targets_are_learned_without_an_accusation(number, alpha):
    """The prediction is the number itself, and no unit, slope or gradient is blamed."""
    model, told = findings(lambda: MLPRegressor(alpha=alpha, random_state=0).fit(ROWS, np.full(300, number)))
    assert (model.predict(ROWS) == number).all()
    assert not model.diagnosis_.findings
    assert not any("slope" in each or "gradient" in each for each in told)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_inputs_too_small_for_their_weights_are_refused(kind):
    """In units of 1e-308 the weights would be infinite; the column is named."""
    X = ROWS * [1.0, 1.0, 1e-308, 1.0]
    with pytest.raises(ValueError, match=r"every column of X must be 1e-290 or more, got .* in column 2; scale X"):
        kind().fit(X, ROWS[:, 0] > 0)


@pytest.mark.parametrize(("verbose", "lines"), [(False, 0), (0, 0), (True, 10), (1, 10), (2, 20)])
def test_verbose_prints_where_there_is_no_terminal(verbose, lines, monkeypatch, capsys):
    """A notebook and a pipe get some ten lines, or one for every epoch, at once."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    X, y = wide()
    findings(lambda: MLPClassifier(max_iter=20, n_iter_no_change=50, verbose=verbose, random_state=0).fit(X, y))
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == lines
    if lines:
        assert printed[-1].startswith("epoch 20/20: loss ")


def test_verbose_of_a_linear_regression_prints_its_steps(monkeypatch, capsys):
    """The losses printed are those of the curve, before each step."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    model = LinearRegression(learning_rate=0.05, epochs=30, verbose=2).fit([[1.0], [2.0], [4.0]], [3.0, 5.0, 9.0])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"epoch {i}/30: loss {loss:.6g}" for i, loss in enumerate(model.loss_curve_[:-1], 1)]
    LinearRegression(learning_rate=0.05, epochs=30, verbose=1).fit([[1.0], [2.0], [4.0]], [3.0, 5.0, 9.0])
    assert len(capsys.readouterr().out.splitlines()) == 10


@pytest.mark.parametrize("verbose", [3, -1, "yes", None])
def test_other_verbosities_are_refused(verbose):
    """0, 1 or 2, False or True."""
    with pytest.raises(ValueError, match="verbose must be 0, 1 or 2, False or True, got"):
        MLPClassifier(verbose=verbose).fit(*wide())
