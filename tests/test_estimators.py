"""The multilayer perceptron estimators against PyTorch's steps, scikit-learn's accuracies and their own promises."""

import copy
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import autodiff
from autodiff import OPS
from models import MLPClassifier, MLPRegressor, _run
from models.errors import ConvergenceWarning, NotFittedError, shared
from models.optimizers import OPTIMIZERS, constant

pytestmark = pytest.mark.filterwarnings("ignore:.*took all max_iter")  # runs here are short on purpose


def rings(n=60, classes=2, seed=0):
    """Classes as rings around 0: no line separates them."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % classes
    angle, radius = random.uniform(0, 2 * np.pi, n), y + random.uniform(0.4, 0.8, n)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]), y


def wave(n=40, targets=1, seed=0):
    random = np.random.default_rng(seed)
    X = random.uniform(-2, 2, size=(n, 2))
    Y = np.column_stack([np.sin(X[:, 0]) + k * X[:, 1] for k in range(targets)])
    return X, Y[:, 0] if targets == 1 else Y


def frozen(x):
    """What can be compared to the last bit: arrays as lists, generators as their states, all the way down."""
    if isinstance(x, np.random.Generator):
        return frozen(x.bit_generator.state)
    if isinstance(x, dict):
        return {key: frozen(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [frozen(each) for each in x]
    return (x.dtype.str, x.tolist()) if isinstance(x, np.ndarray) else x


def weights_of(model):
    return [*model.coefs_, *model.intercepts_]


def assert_same_weights(a, b, tolerance=0.0):
    for ours, theirs in zip(weights_of(a), weights_of(b), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def by_torch(model, X, y, loss, epochs, weight=None):
    """The same network from the same weights, trained by PyTorch with plain gradient descent on all samples.

    Returns the best weights it came through and the losses.
    """
    torch = pytest.importorskip("torch", reason="PyTorch is a development dependency")
    W = [torch.tensor(w, requires_grad=True) for w in model.coefs_]
    b = [torch.tensor(v, requires_grad=True) for v in model.intercepts_]
    X = torch.tensor(X)
    weight = torch.ones(len(X), dtype=torch.float64) if weight is None else torch.tensor(weight)
    losses, passed = [], []
    for _ in range(epochs + 1):
        signal = X
        for w, v in zip(W[:-1], b[:-1], strict=True):
            signal = torch.tanh(signal @ w + v)
        each = loss(torch, signal @ W[-1] + b[-1], torch.tensor(y))
        cost = (weight * each).sum() / weight.sum() + model.alpha / 2 * sum((w**2).sum() for w in W)
        losses.append(cost.item())
        passed.append([p.detach().numpy().copy() for p in (*W, *b)])
        cost.backward()
        with torch.no_grad():
            for p in (*W, *b):
                p -= model.learning_rate * p.grad
                p.grad = None
    best = int(np.argmin(losses[:-1]))  # the weights to keep: the last ones too if all before them fell
    best += best == epochs - 1 and losses[-1] < losses[-2]
    return passed[best], losses[:-1]


def two_classes(torch, z, y):
    return torch.nn.functional.binary_cross_entropy_with_logits(z[:, 0], y.double(), reduction="none")


def many_classes(torch, z, y):
    return torch.nn.functional.cross_entropy(z, y.long(), reduction="none")


def per_target(name, scale=1.0):
    def loss(torch, z, y):
        return scale * getattr(torch.nn.functional, name)(z, y.reshape(z.shape), reduction="none").mean(dim=1)

    return loss


PLAIN = {
    "hidden_layer_sizes": (5, 3),
    "activation": "tanh",
    "standardize": False,
    "solver": "gd",
    "learning_rate": 0.2,
    "alpha": 0.01,
    "random_state": 0,
}


@pytest.mark.parametrize(
    ("model", "data", "loss"),
    [
        (MLPClassifier(**PLAIN), rings(30), two_classes),
        (MLPClassifier(**PLAIN), rings(30, 3), many_classes),
        (MLPRegressor(**PLAIN), wave(30), per_target("mse_loss")),
        (MLPRegressor(**PLAIN), wave(30, 3), per_target("mse_loss")),
        (MLPRegressor(**PLAIN, loss="half_squared_error"), wave(30, 3), per_target("mse_loss", 1.5)),
        (MLPRegressor(**PLAIN, loss="absolute_error"), wave(30, 2), per_target("l1_loss")),
        (MLPRegressor(**PLAIN, loss="huber"), wave(30, 2), per_target("huber_loss")),
    ],
    ids=["binary", "three classes", "one target", "three targets", "half squared", "absolute", "huber"],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_every_step_is_that_of_pytorch(model, data, loss, weighted):
    """Weights and losses of 20 epochs of gradient descent, penalty and sample weights included, to 1e-12."""
    X, y = data
    weight = np.arange(len(X)) % 3 + 0.5 if weighted else None
    one = copy.deepcopy(model).set_params(learning_rate=1e-300, max_iter=1).fit(X, y)  # leaves the first weights
    one.set_params(learning_rate=0.2)
    expected, losses = by_torch(one, X, y, loss, 20, weight)
    trained = copy.deepcopy(model).set_params(max_iter=20).fit(X, y, sample_weight=weight)
    assert trained.loss_curve_ == pytest.approx(losses, rel=1e-12)
    for ours, theirs in zip(weights_of(trained), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_weight_is_the_number_of_copies(classes):
    """Weights 0, 1, 2, … give what leaving out and repeating samples gives; of the classes, those with weight remain."""
    X, y = rings(24, classes)
    weight = np.arange(24) // 8
    settings = {"hidden_layer_sizes": (4,), "max_iter": 15, "learning_rate": 0.05, "random_state": 0}
    warnings.filterwarnings("ignore", ".*have slope 0")
    weighted = MLPClassifier(**settings).fit(X, y, sample_weight=weight)
    repeated = MLPClassifier(**settings).fit(X.repeat(weight, axis=0), y.repeat(weight))
    assert_same_weights(weighted, repeated, 1e-9)
    with pytest.raises(ValueError, match=r"2 classes or more, got one class in y: \[1\]"):
        MLPClassifier().fit(X, y, sample_weight=y == 1)


@pytest.mark.parametrize("solver", ["gd", "momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_partial_fits_are_the_epochs_of_a_fit(solver):
    """Ten epochs one by one, the optimizer's memory kept between them, are one fit of ten epochs, to the last bit."""
    X, y = rings(40)
    settings = {"hidden_layer_sizes": 4, "solver": solver, "batch_size": 16, "random_state": 3}
    whole, steps = MLPClassifier(**settings, max_iter=10).fit(X, y), MLPClassifier(**settings)
    for _ in range(10):
        steps = pickle.loads(pickle.dumps(steps.partial_fit(X, y, classes=[0, 1])))
    assert_same_weights(whole, steps)
    assert steps.loss_curve_ == whole.loss_curve_
    assert steps.n_iter_ == whole.n_iter_ == 10


@pytest.fixture
def traces(monkeypatch):
    """What was compiled."""
    made = []
    monkeypatch.setattr(autodiff, "compile", lambda f, own=autodiff.compile: made.append(f) or own(f))
    return made


def test_networks_of_the_same_settings_compile_once(traces):
    """A trace serves every later fit, of whatever estimator, until a setting differs; weights are those of eager."""
    X, y = rings(40)  # 11 units: no other test here has traced them
    model = MLPClassifier(hidden_layer_sizes=11, random_state=0)
    plain = MLPClassifier(hidden_layer_sizes=11, random_state=0, engine="eager")
    for counted, settings in ((1, {}), (1, {"learning_rate": 0.1}), (2, {"alpha": 0.5}), (2, {}), (3, {"alpha": 0.0})):
        for each in (model, plain):
            each.set_params(**settings).partial_fit(X, y, classes=[0, 1])
        assert len(traces) == counted
    assert_same_weights(model, plain, 1e-9)
    twin = copy.deepcopy(model).partial_fit(X, y)
    assert_same_weights(twin, model.partial_fit(X, y))
    model.fit(X, y).partial_fit(X, y)
    assert_same_weights(MLPClassifier(**model.get_params()).fit(X, y).partial_fit(X, y), model)
    assert len(traces) == 3
    model.partial_fit(X, y, sample_weight=y + 1.0)
    assert len(traces) == 4
    MLPRegressor(hidden_layer_sizes=11, alpha=0.0).partial_fit(X, y)
    assert len(traces) == 5


def test_fits_in_two_threads_do_not_meet():
    """Each has a network of its own while it trains, though the settings are the same."""
    X, y = rings(60)
    settings = {"hidden_layer_sizes": 5, "max_iter": 60, "n_iter_no_change": 60}
    alone = [MLPClassifier(**settings, random_state=seed).fit(X, y) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: MLPClassifier(**settings, random_state=seed).fit(X, y), range(4)))
    for one, other in zip(alone, together, strict=True):
        assert_same_weights(one, other)


def test_a_loss_of_ones_own_is_traced_at_every_partial_fit():
    """The numbers it reads may have changed in the meantime."""
    X, y = wave()
    factor = [1.0]
    model = MLPRegressor(
        hidden_layer_sizes=3, loss=lambda output, target: factor[0] * (output - target) ** 2, solver="gd"
    )
    model.partial_fit(X, y)
    before, factor[0] = weights_of(model), 0.0
    model.set_params(alpha=0.0).partial_fit(X, y)
    assert_same_weights(model, copy.deepcopy(model).partial_fit(X, y))
    assert all(np.array_equal(a, b) for a, b in zip(before, weights_of(model), strict=True))


def test_a_warm_start_goes_on_from_the_last_weights():
    """Without memory in the optimizer, 5 + 5 epochs are 10; a cold fit starts anew."""
    X, y = wave()
    settings = {"hidden_layer_sizes": (4,), "solver": "gd", "random_state": 1}
    warm = MLPRegressor(**settings, max_iter=5, warm_start=True).fit(X, y)
    first = copy.deepcopy(warm.coefs_)
    warm.fit(X, y)
    whole = MLPRegressor(**settings, max_iter=10).fit(X, y)
    assert_same_weights(warm, whole)
    assert warm.loss_curve_ == whole.loss_curve_
    cold = MLPRegressor(**settings, max_iter=5).fit(X, y).fit(X, y)
    assert all((a == b).all() for a, b in zip(cold.coefs_, first, strict=True))
    warm.set_params(hidden_layer_sizes=(5,))
    with pytest.raises(ValueError, match="leave hidden_layer_sizes, activation and the number of targets as they were"):
        warm.fit(X, y)


def test_early_stopping_takes_the_best_weights_back():
    """The weights are those of a run that ends at the epoch with the lowest validation loss."""
    X, y = rings(60, seed=4)
    flipped = np.where(np.arange(60) % 7 == 0, 1 - y, y)  # noise that can only be learnt by heart
    settings = {
        "hidden_layer_sizes": (12,),
        "learning_rate": 0.1,
        "early_stopping": True,
        "validation_fraction": 0.3,
        "random_state": 0,
    }
    model = MLPClassifier(**settings).fit(X, flipped)
    best = int(np.argmin(model.validation_curve_)) + 1
    assert len(model.validation_curve_) == len(model.loss_curve_) == model.n_iter_
    assert best < model.n_iter_ < model.max_iter
    assert model.best_loss_ == min(model.validation_curve_)
    assert_same_weights(model, MLPClassifier(**settings, max_iter=best).fit(X, flipped))


@pytest.mark.filterwarnings("ignore:.*nothing was learned")  # a patience that ends it at once, on purpose
def test_training_stops_when_the_loss_no_longer_falls():
    """A flat loss stops after n_iter_no_change epochs without a warning; one that still falls gives the warning."""
    X, y = wave()
    still = MLPRegressor(hidden_layer_sizes=(), tol=1e6, n_iter_no_change=4).fit(X, y)
    assert still.n_iter_ == 5
    with pytest.warns(shared(ConvergenceWarning), match="MLPRegressor took all max_iter=3 epochs"):
        MLPRegressor(max_iter=3).fit(X, y)


def test_the_same_seed_gives_the_same_model():
    """random_state decides first weights, order and split; NumPy's generators old and new will do too."""
    X, y = rings()
    make = lambda state: MLPClassifier(max_iter=3, batch_size=16, random_state=state).fit(X, y)
    assert_same_weights(make(5), make(5))
    assert_same_weights(make(np.random.default_rng(5)), make(np.random.default_rng(5)))
    assert_same_weights(make(np.random.RandomState(5)), make(np.random.RandomState(5)))
    assert not np.array_equal(make(5).coefs_[0], make(6).coefs_[0])


def test_a_schedule_is_a_learning_rate():
    """A constant schedule is the number; activations may be Ops, one per hidden layer."""
    X, y = rings()
    settings = {"hidden_layer_sizes": (4, 3), "max_iter": 3, "random_state": 0}
    number = MLPClassifier(**settings, activation="relu", learning_rate=0.05).fit(X, y)
    schedule = MLPClassifier(**settings, activation=["relu", OPS["relu"]], learning_rate=constant(0.05)).fit(X, y)
    assert_same_weights(number, schedule)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_network_of_values_gives_what_the_estimator_gives(classes):
    """network() is an MLP whose outputs are the decision function; probabilities are its softmax or sigmoid."""
    X, y = rings(20, classes)
    model = MLPClassifier(hidden_layer_sizes=(4, 3), activation=["tanh", "relu"], max_iter=3, random_state=0).fit(X, y)
    outputs = [model.network()(x) for x in X]
    scores = np.array([[v.data for v in (out if isinstance(out, list) else [out])] for out in outputs])
    np.testing.assert_allclose(model.decision_function(X), scores[:, 0] if classes == 2 else scores, rtol=1e-12)
    logits = np.hstack([0 * scores, scores]) if classes == 2 else scores
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(expected), rtol=1e-9)


def test_certain_probabilities_are_finite():
    """Logits of thousands neither overflow nor make a logarithm of 0."""
    model = MLPClassifier(hidden_layer_sizes=(), max_iter=1).fit([[0.0], [1.0]], [0, 1])
    model.coefs_, model.intercepts_ = [np.array([[1.0]])], [np.array([0.0])]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.predict_proba([[5000.0], [-5000.0]]).tolist() == [[0.0, 1.0], [1.0, 0.0]]
        assert model.predict_log_proba([[5000.0], [-5000.0]]).tolist() == [[-5000.0, 0.0], [0.0, -5000.0]]


def test_accuracies_beside_scikit_learn():
    """On iris and on moons, by the mean of four seeds, as good as scikit-learn's network of that size, within 0.02."""
    sklearn = pytest.importorskip("sklearn", reason="scikit-learn is a development dependency")
    from sklearn.datasets import load_iris, make_moons
    from sklearn.neural_network import MLPClassifier as Theirs

    for X, y in (load_iris(return_X_y=True), make_moons(120, noise=0.1, random_state=0)):
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        same = {"hidden_layer_sizes": (8,), "batch_size": 30, "max_iter": 40}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
            ours = [MLPClassifier(**same, learning_rate=0.05, random_state=s).fit(X, y).score(X, y) for s in range(4)]
            theirs = [Theirs(**same, learning_rate_init=0.05, random_state=s).fit(X, y).score(X, y) for s in range(4)]
        assert np.mean(ours) > 0.95
        assert np.mean(ours) >= np.mean(theirs) - 0.02


def test_scores_are_those_of_scikit_learn():
    """R² (uniform mean over targets, a constant target included) and accuracy, weighted or not."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is a development dependency")
    X, y = wave(30, 3)
    y[:, 2] = 1.0
    weight = np.arange(30) % 4
    model = MLPRegressor(max_iter=5, random_state=0).fit(X, y)
    assert model.score(X, y) == pytest.approx(metrics.r2_score(y, model.predict(X)))
    assert model.score(X, y, weight) == pytest.approx(metrics.r2_score(y, model.predict(X), sample_weight=weight))
    X, y = rings(30, 3)
    model = MLPClassifier(max_iter=2, random_state=0).fit(X, y)
    assert model.score(X, y, weight) == pytest.approx(metrics.accuracy_score(y, model.predict(X), sample_weight=weight))


DATA = ([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]], [0, 1, 1])
BAD = [
    ([[0.0, np.nan], [1, 0], [2, 1]], DATA[1], {}, "X contains NaN: nan at row 0, column 1"),
    ([["0", "1"], ["1", "0"], ["2", "x"]], DATA[1], {}, r"got the text .*'0'.* at row 0, column 0"),
    ([[0.0, 1.0], [1.0]], DATA[1][:2], {}, "X is not an array, its rows differ in length"),
    (np.ones((0, 2)), [], {}, r"X has 0 sample\(s\)"),
    ([0.0, 1.0, 2.0], DATA[1], {}, "Expected 2D array, got 1D array.*Reshape your data"),
    (DATA[0], [0, 1], {}, "y must have one entry or row per sample of X, 3, got 2"),
    (DATA[0], None, {}, "requires y to be passed, but the target y is None"),
    (DATA[0], [0, 1, np.nan], {}, "y contains NaN: nan at position 2"),
    *[(*DATA, {"hidden_layer_sizes": x}, f"1 or more, or a sequence of them, got {x!r}") for x in (3.5, None, "a")],
    (*DATA, {"hidden_layer_sizes": (4, 0)}, "hidden_layer_sizes must be a whole number, 1 or more, got 0"),
    (*DATA, {"hidden_layer_sizes": ((1, 2), 3)}, r"hidden_layer_sizes must be a whole number, 1 or more, got \(1, 2\)"),
    (
        *DATA,
        {"hidden_layer_sizes": -1},
        "^hidden_layer_sizes must be a whole number, 1 or more, or a sequence of them, got -1",
    ),
    (
        *DATA,
        {"activation": "swish"},
        r"activation must be one of linear, step, sigmoid, tanh, relu, leaky_relu,",
    ),
    (*DATA, {"activation": ["relu", "tanh"]}, "activation must have one entry per hidden layer, 1, got 2"),
    (*DATA, {"initialization": "ones"}, "initialization must be one of .* he,.* got 'ones'"),
    (*DATA, {"solver": "lbfgs"}, f"solver must be one of {', '.join(OPTIMIZERS)}, got 'lbfgs'"),
    (*DATA, {"learning_rate": 0}, "learning_rate must be a finite number above 0, got 0"),
    (*DATA, {"learning_rate": -0.1}, "learning_rate must be a finite number above 0, got -0.1"),
    (*DATA, {"learning_rate": float("nan")}, "learning_rate must be a finite number above 0, got nan"),
    (*DATA, {"alpha": -1}, "alpha must be a finite number, 0 or more, got -1"),
    (*DATA, {"batch_size": 0}, "batch_size .*must be a whole number, 1 or more, got 0"),
    (*DATA, {"max_iter": 0}, "max_iter must be a whole number, 1 or more, got 0"),
    (*DATA, {"tol": float("nan")}, "tol must be a finite number, 0 or more, got nan"),
    (*DATA, {"early_stopping": True, "validation_fraction": 0.99}, "leaves none of 3 samples to train on"),
    (*DATA, {"validation_fraction": 0}, "validation_fraction must be above 0 and below 1"),
    (*DATA, {"n_iter_no_change": 1.5}, "n_iter_no_change must be a whole number"),
    (*DATA, {"random_state": -1}, "random_state must be None, an int of 0 or more"),
]


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(("X", "y", "options", "message"), BAD)
def test_bad_input_is_refused_and_a_fitted_model_keeps_what_it_had(kind, X, y, options, message):
    """Each error says what is wrong and where, names known alternatives, and leaves an earlier fit as it was."""
    model = kind(max_iter=2).fit(*DATA)
    before = {name: value for name, value in vars(model).items() if name.endswith("_")}
    model.set_params(**options)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert {name for name in vars(model) if name.endswith("_")} == set(before)
    assert all(getattr(model, name) is value for name, value in before.items())


@pytest.mark.parametrize(
    ("model", "y", "message"),
    [
        (MLPClassifier(), [1, 1, 1], r"needs samples of 2 classes or more, got one class in y: \[1\]"),
        (MLPClassifier(), ["a", 1, 1], "y mixes text and other labels"),
        (MLPClassifier(), [0.5, 1.0, 2.0], "Unknown label type: continuous. .*got .*0.5.* in y"),
        (MLPClassifier(), [[0, 1], [1, 0], [1, 1]], r"y should be a 1d array of class labels, got .* \(3, 2\)"),
        (MLPRegressor(), ["a", "b", "c"], r"got the text .*'a'.* at position 0"),
        (
            MLPRegressor(loss="cross_entropy"),
            [0, 1, 1],
            "loss must be one of squared_error, half_squared_error, absolute_error, huber",
        ),
        (
            MLPRegressor(solver="gd", learning_rate=1e200),
            [0, 1, 1],
            "training stopped in epoch [12], batch [01].*learning_rate=1e\\+200 smaller",
        ),
    ],
)
def test_what_only_one_of_them_refuses(model, y, message):
    """Targets of the other kind, losses of the other kind, and a loss that stops being finite."""
    with pytest.raises(ValueError, match=message):
        model.fit(DATA[0], y)
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": OPS["log"], "hidden_layer_sizes": (3,)}, r"epoch 1, batch 1: log of -.* outside \(0, ∞\)"),
        ({"learning_rate": lambda step: 0.1 if step < 2 else -1}, r"learning_rate\(2\) must be .*got -1"),
    ],
    ids=["domain", "schedule"],
)
def test_what_stopped_training_is_said_and_not_guessed(options, message):
    """An operand outside its domain and a schedule that gives nonsense are named; no smaller rate is advised."""
    with pytest.raises(ValueError, match=message) as caught:
        MLPRegressor(**options, random_state=0).fit(*wave())
    assert "smaller" not in str(caught.value)
    assert "finite number: make" not in str(caught.value)


@pytest.mark.filterwarnings("default:.*took all max_iter")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"learning_rate": 0.55, "max_iter": 8, "standardize": False},
            r"the loss rose after epoch \d+, whose weights are kept: .* make learning_rate smaller",
        ),
        ({"max_iter": 10}, "too few to see whether the loss has stopped falling.*n_iter_no_change=10 more"),
        ({"max_iter": 11, "tol": 0}, r"the loss still fell by more than tol=0 .*raise max_iter or learning_rate"),
    ],
    ids=["risen", "few", "fell"],
)
def test_the_warning_says_where_the_loss_was_going(options, message):
    """A curve that rises asks for a smaller rate, one that falls for more epochs, a short one for enough of them."""
    X, y = [[1.0], [2.0]], [1.0, 2.0]
    settings = {"hidden_layer_sizes": (), "solver": "gd", "learning_rate": 0.01, "random_state": 0}
    with pytest.warns(shared(ConvergenceWarning), match=message) as caught:
        model = MLPRegressor(**settings | options).fit(X, y)
    assert (model.loss_curve_[-1] > min(model.loss_curve_)) is ("learning_rate" in options)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_warning_made_an_error_leaves_a_fitted_model(kind):
    """Under -W error the ConvergenceWarning comes after everything is kept."""
    quiet = kind(max_iter=2, random_state=0).fit(*DATA)
    model = kind(max_iter=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(shared(ConvergenceWarning)):
            model.fit(*DATA)
    assert set(vars(model)) == set(vars(quiet))
    assert model.predict(DATA[0]).tolist() == quiet.predict(DATA[0]).tolist()


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_call_that_fails_changes_nothing(kind, how):
    """Learnt, hidden and given: after a warm call that diverges the model is what it was to the last bit."""
    X, y = rings(30)
    given = np.random.default_rng(3)
    settings = {
        "standardize": False,
        "warm_start": True,
        "max_iter": 3,
        "batch_size": 8,
        "early_stopping": how == "fit",
    }
    model = kind(**settings, hidden_layer_sizes=(3,), random_state=given).fit(X, y)
    assert [name for name, x in vars(model).items() if x is given] == ["random_state"]
    before = frozen(vars(model))
    with pytest.raises(ValueError, match=r"training stopped in epoch 1.* is as it was"):
        getattr(model, how)(X * 1e300, y)
    assert frozen(vars(model)) == before
    with pytest.raises(ValueError, match="training stopped in epoch 1"):
        kind(**settings, random_state=given).fit(X * 1e300, y)
    assert frozen(given) == before["random_state"]


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState, np.random.PCG64])
def test_a_generator_that_was_passed_moves_on(make):
    """Two fits with one generator differ from each other, and are the two of another that starts alike."""
    X, y = rings(20)
    one, two = make(4), make(4)
    models = [MLPClassifier(max_iter=1, random_state=state).fit(X, y) for state in (one, one, two, two)]
    assert_same_weights(models[0], models[2])
    assert_same_weights(models[1], models[3])
    assert not np.array_equal(models[0].coefs_[0], models[1].coefs_[0])


@pytest.fixture
def calls(monkeypatch):
    """The task and the options of every call the estimators have executed."""
    noted = []

    def spy(task, *others, **options):
        noted.append({"task": task, **options})
        return execute(task, *others, **options)

    execute = _run.execute
    monkeypatch.setattr(_run, "execute", spy)
    return noted


def test_classifiers_hold_out_by_class_and_regressors_do_not(calls):
    """Of 3 + 27 labels a third held out is 1 + 9 with every seed for the one, and varies for the other."""
    X, y = wave(30)[0], np.repeat([0, 1], [3, 27])
    for kind in (MLPClassifier, MLPRegressor):
        calls.clear()
        for seed in range(8):
            kind(early_stopping=True, validation_fraction=1 / 3, max_iter=1, random_state=seed).fit(X, y)
        rare = [int((call["task"].held_out.targets == call["task"].held_out.targets.min()).sum()) for call in calls]
        assert (set(rare) == {1}) is (kind is MLPClassifier)


def test_a_warm_start_holds_out_the_same_samples(calls):
    """Training rows are never validated on later; a new fit without warm_start draws anew."""
    X, y = rings(40)
    model = MLPClassifier(early_stopping=True, max_iter=2, warm_start=True).fit(X, y).fit(X, y)
    model.set_params(warm_start=False).fit(X, y)
    first, second, third = (call["task"].held_out.inputs.tolist() for call in calls)
    assert first == second != third


def test_settings_reach_the_training(calls):
    """verbose and max_norm are passed on; by default nothing is shown and nothing clipped."""
    X, y = rings(20)
    MLPClassifier(max_iter=1).fit(X, y)
    MLPClassifier(max_iter=1, verbose=True, max_norm=0.5).fit(X, y)
    MLPClassifier(max_iter=1, verbose=2).fit(X, y)
    assert [(call["progress"], call["max_norm"]) for call in calls] == [(0, None), (1, 0.5), (2, None)]
    with pytest.raises(ValueError, match=r"max_norm .*must be a finite number above 0, got 0"):
        MLPClassifier(max_norm=0).fit(X, y)


def test_without_shuffle_batches_come_in_the_samples_order():
    """One epoch in batches of ten is a partial fit of ten after the other; with shuffle it is not."""
    X, y = rings(40)
    settings = {
        "hidden_layer_sizes": (3,),
        "standardize": False,
        "solver": "momentum",
        "max_iter": 1,
        "random_state": 0,
    }
    steps = MLPClassifier(**settings)
    for start in range(0, 40, 10):
        steps.partial_fit(X[start : start + 10], y[start : start + 10], classes=[0, 1])
    assert_same_weights(MLPClassifier(**settings, batch_size=10, shuffle=False).fit(X, y), steps)
    assert not np.array_equal(MLPClassifier(**settings, batch_size=10).fit(X, y).coefs_[0], steps.coefs_[0])


def test_labels_of_samples_left_out_are_not_looked_at():
    """A label of weight 0 need not be among the classes; labels of another kind are refused all the same."""
    X, y = DATA
    some = MLPClassifier(random_state=0).partial_fit(X, [0, 1, 7], classes=[0, 1], sample_weight=[1, 1, 0])
    assert_same_weights(some, MLPClassifier(random_state=0).partial_fit(X[:2], y[:2], classes=[0, 1]))
    with pytest.raises(ValueError, match=r"labels \[0, 1\] that are not among the classes \['0', '1'\]"):
        MLPClassifier().partial_fit(X, y, classes=["0", "1"], sample_weight=[1, 1, 0])


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([0, 1, np.nan], "classes contains NaN"),
        ([0, 1, 0.5], "got .*0.5.* in classes"),
        ([0, "1"], "classes mixes text"),
    ],
)
def test_classes_are_checked_as_labels_are(classes, message):
    """Values that could never be labels are no classes either."""
    with pytest.raises(ValueError, match=message):
        MLPClassifier().partial_fit(*DATA, classes=classes)


def test_a_loss_that_remembers_nothing_is_refused():
    """A plain number would leave the penalty alone to be trained; a Value for some samples is enough."""
    with pytest.raises(TypeError, match=r"loss=<function .* got 1.0, which remembers no computation"):
        MLPRegressor(loss=lambda output, target: 1.0).fit(*DATA)
    MLPRegressor(loss=lambda output, target: output**2 if target else 0.0, max_iter=2, engine="eager").fit(*DATA)


def test_methods_after_fit_check_their_input():
    """Not fitted, another width, other classes, early stopping in partial_fit: each is refused by name."""
    with pytest.raises(shared(NotFittedError), match=r"this MLPClassifier is not fitted yet; call fit\(X, y\) first"):
        MLPClassifier().predict_proba([[1.0]])
    model = MLPClassifier(max_iter=1).fit(*DATA)
    with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is expecting 2 features as input"):
        model.predict([[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match=r"y has labels \[7\] that are not among the classes \[0, 1\]"):
        model.partial_fit(DATA[0], [0, 1, 7])
    with pytest.raises(ValueError, match="cannot stop early; set early_stopping=False"):
        model.set_params(early_stopping=True).partial_fit(*DATA)
