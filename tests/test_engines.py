"""The compiled engine and the Values' loop: the same curves to 1e-9, the same errors, the same files."""

import warnings
from functools import partial

import numpy as np
import pytest

import autodiff
from autodiff import TraceError, Value, exp, log, relu, sqrt, where
from models import LinearRegression, MLPClassifier, MLPRegressor
from models.activations import ACTIVATIONS
from models.checkpoints import CheckpointError
from models.losses import LOSSES, binary_cross_entropy, cross_entropy, hinge, l1, l2, squared_error
from models.mlp import MLP
from models.optimizers import OPTIMIZERS, GradientDescent
from models.schedules import cosine_decay
from models.training import TrainingError, train

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(23, 3))
NUMBERS = np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] ** 2])
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
SHARES = RANDOM.dirichlet(np.ones(3), 23)
TARGETS = {
    "hinge": np.sign(NUMBERS), "binary_cross_entropy": NUMBERS > 0.5, "cross_entropy": CLASSES,
}  # fmt: skip
WEIGHTS = RANDOM.uniform(size=23) * (np.arange(23) % 5)  # every fifth is 0


def agree(one, other):
    """Two curves, or two models' weights, to 1e-9."""
    assert len(one) == len(other)
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def weights(model):
    return [p.data for p in model.parameters()]


def in_both(y, make=None, **settings):
    """Train the same network with both engines; give the histories and the networks."""
    runs = []
    for engine in ("compiled", "eager"):
        net = make() if make else MLP(3, [4, 3 if np.ndim(y) == 1 else len(y[0])], activation="tanh", random_state=1)
        optimizer = settings.get("optimizer", "adam")
        rate = None if callable(optimizer) else settings.get("learning_rate", 0.05)
        given = settings | {"learning_rate": rate, "epochs": settings.get("epochs", 4), "random_state": 2}
        if callable(optimizer):
            given["optimizer"] = optimizer(net.parameters())
        runs.append((train(net, X, y, engine=engine, **given), net))
    (compiled, one), (eager, other) = runs
    assert (compiled.n_iter, compiled.best_epoch, compiled.stopped) == (eager.n_iter, eager.best_epoch, eager.stopped)
    agree(compiled.loss_curve, eager.loss_curve)
    agree(compiled.validation_curve, eager.validation_curve)
    agree(weights(one), weights(other))
    return compiled


# The same numbers


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [*LOSSES, "of probabilities", "of shares", "custom"])
def test_the_losses_agree(loss, weighted):
    """Every loss, in batches with a remainder, with sample weights and a penalty, and on samples held out."""
    y = TARGETS.get(loss, NUMBERS)
    if loss == "of probabilities":
        loss, y = binary_cross_entropy, NUMBERS[:, :1] / 10 % 1
    elif loss == "of shares":
        loss, y = cross_entropy, SHARES
    elif loss == "custom":
        loss = lambda output, target: where(output[0] > target[0], (output[0] - target[0]) ** 2, relu(target[1]))
    held_out = (X[:9], y[:9], WEIGHTS[9:18]) if weighted else (X[:9], y[:9])
    history = in_both(
        y, loss=loss, batch_size=5, sample_weight=WEIGHTS if weighted else None, validation=held_out,
        penalty=partial(l2, strength=0.1) if weighted else None,
    )  # fmt: skip
    assert np.ptp(history.loss_curve) > 0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_optimizers_agree(name):
    """Every optimizer, with an l1 penalty, clipping and early stopping."""
    in_both(
        NUMBERS, optimizer=name, epochs=12, learning_rate=0.1, batch_size=6, penalty=partial(l1, strength=0.01),
        max_norm=0.5, validation=(X[:7] + 0.3, NUMBERS[:7]), patience=2, tol=0.01,
    )  # fmt: skip


class Order:
    """A model whose parameters are listed in another order than they are met, one of them never, one not at all."""

    def __init__(self):
        self.listed = [Value(0.1 * i, f"p{i}") for i in range(7)]
        self.fixed = Value(2.0, "fixed")

    def parameters(self):
        return self.listed

    def __call__(self, x):
        b, w1, _, w0, w2, scale, _ = self.listed
        return ((w0 * x[0] + w1 * x[1] + w2 * x[2]) * self.fixed + b).tanh() * scale


@pytest.mark.parametrize("optimizer", ["adam", partial(GradientDescent, weight_decay=0.1, learning_rate=0.1)])
def test_parameters_in_any_order_and_not_all_met(optimizer):
    """Each gets its own gradient; one the loss does not depend on has gradient 0, and decays; others stay."""
    net = []
    in_both(NUMBERS[:, 0], make=lambda: net.append(Order()) or net[-1], optimizer=optimizer, batch_size=7,
        validation=(X[:5], NUMBERS[:5, 0]))  # fmt: skip
    decayed = 1.0 if optimizer == "adam" else 0.99 ** (4 * 4)  # four epochs of four batches
    assert weights(net[0])[6] == pytest.approx(0.1 * 6 * decayed, rel=1e-12)
    assert net[0].fixed.data == 2.0


@pytest.mark.parametrize("rows", [1, 300, 3000])
def test_batches_of_any_size_agree(rows):
    """One sample alone, and more than a block of the compiled program."""
    x = np.linspace(-1, 1, rows)
    curves = []
    for engine in ("compiled", "eager"):
        net = MLP(1, [2, 1], activation="sigmoid", random_state=0)
        curves.append(train(net, x[:, None], x**2, epochs=2, batch_size=2000, random_state=0, engine=engine).loss_curve)
    agree(*curves)


ESTIMATORS = [
    (MLPClassifier(), CLASSES),
    (MLPClassifier(activation="relu", solver="nesterov", learning_rate=0.1, alpha=0.1), CLASSES > 0),
    (MLPClassifier(early_stopping=True, validation_fraction=0.3, activation="tanh", batch_size=4), CLASSES > 0),
    (MLPRegressor(hidden_layer_sizes=(4, 3), max_norm=0.5, solver="adamw"), NUMBERS),
    (MLPRegressor(loss="half_squared_error", alpha=0), NUMBERS[:, 0]),
    (MLPRegressor(loss="absolute_error", activation="sigmoid", solver="rmsprop"), NUMBERS),
    (MLPRegressor(loss="huber", hidden_layer_sizes=()), NUMBERS),
    pytest.param(MLPRegressor(loss=lambda output, target: (output - target) ** 4), NUMBERS[:, 0], id="a quartic loss"),
    *(
        (
            MLPRegressor(hidden_layer_sizes=(4, 3), activation=name, shuffle=False, solver="gd", learning_rate=0.05),
            NUMBERS,
        )
        for name in sorted(ACTIVATIONS)
    ),
    (MLPRegressor(learning_rate=cosine_decay(0.02, steps=20), solver="momentum", warm_start=True), NUMBERS[:, 0]),
    (LinearRegression(), NUMBERS),
    (LinearRegression(learning_rate=0.05), NUMBERS[:, 0]),
]


@pytest.mark.parametrize(("estimator", "y"), ESTIMATORS, ids=lambda x: repr(x) if hasattr(x, "fit") else "")
@pytest.mark.parametrize("weighted", [False, True])
def test_the_estimators_agree(estimator, y, weighted):
    """Loss curves, and what fit and partial_fit leave for prediction."""
    fitted = []
    for engine in ("compiled", "eager"):
        model = type(estimator)(**estimator.get_params() | {"engine": engine})
        if "max_iter" in model.get_params():
            model.set_params(max_iter=6, random_state=0)
        else:
            model.set_params(epochs=6)
        sample_weight = WEIGHTS if weighted else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # six epochs are few
            model.fit(X, y, sample_weight=sample_weight)
        if not getattr(model, "early_stopping", False):
            model.partial_fit(X[:11], y[:11], sample_weight=np.arange(1, 12))
        fitted.append(model)
    compiled, eager = fitted
    agree(compiled.loss_curve_, eager.loss_curve_)
    agree(np.ravel(compiled.predict(X)), np.ravel(eager.predict(X)))
    assert compiled.engine == "compiled", "stored unchanged"


@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor, LinearRegression])
def test_estimators_compile_unless_told_otherwise(make, monkeypatch):
    """The default makes a program; with `engine="eager"` none is made, though the curve is the same."""
    made = []
    compile = autodiff.compile
    monkeypatch.setattr(autodiff, "compile", lambda f, **options: made.append(f) or compile(f, **options))
    few = {"epochs": 2} if make is LinearRegression else {"max_iter": 2, "tol": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two epochs are few
        make(engine="eager", **few).fit(X, CLASSES > 0)
        assert not made
        make(**few).fit(X, CLASSES > 0)
    assert len(made) == 1


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_what_is_not_among_the_parameters_is_the_users(engine):
    """A Value that the model uses and does not list is read anew for every batch, and never written."""

    class Model:
        def __init__(self):
            self.w, self.temperature = Value(0.1, "w"), Value(1.0, "t")

        def parameters(self):
            return [self.w]

        def __call__(self, x):
            return self.w * x * self.temperature

    model = Model()

    def cool(_):
        model.temperature.data /= 2

    history = train(model, [1.0, 2.0], [1.0, 2.0], validation=([1.0], [1.0]), epochs=3, optimizer="gd",
        learning_rate=1e-300, callbacks=[cool], engine=engine)  # fmt: skip
    agree(history.validation_curve, [(1 - 0.1 * t) ** 2 for t in (1.0, 0.5, 0.25)])
    agree(history.loss_curve, [2.5 * (1 - 0.1 * t) ** 2 for t in (1.0, 0.5, 0.25)])
    assert model.temperature.data == 0.125


# Where the numbers end


@pytest.mark.parametrize("engine", ["compiled", "eager"])
@pytest.mark.parametrize(
    ("function", "node", "problem"),
    [
        (lambda w, x: exp(w * x), "exp(1001)", r"the loss became inf, first seen in exp\(1001\)"),
        (lambda w, x: log(5.0 - w * x), "sub(5.0, 1001.0)", r"log of -996\.0, outside"),
        (lambda w, x: sqrt(w * x - 1001.0), "sub(1001, 1001)", r"the gradient became inf, first seen in δ of"),
    ],
    ids=["loss", "domain", "gradient"],
)
def test_what_is_not_finite_is_named_alike(engine, function, node, problem):
    """Epoch, batch and node, though arrays meet it first; the parameters are those before that epoch."""
    w = Value(1.0, "w")

    class Model:
        def parameters(self):
            return [w]

        def __call__(self, x):
            return function(w, x)

    start = 1002.0 if "gradient" in problem else 0.1
    with pytest.raises(TrainingError, match=f"epoch 1, batch 2: .*{problem}") as caught:
        train(Model(), [start, 1001.0], [0.0, 0.0], batch_size=1, shuffle=False, epochs=3, loss=lambda a, y: a - y,
            learning_rate=1e-300, optimizer="gd", engine=engine)  # fmt: skip
    assert (caught.value.epoch, caught.value.batch) == (1, 2)
    assert caught.value.node == node
    assert w.data == 1.0


@pytest.mark.parametrize("engine", ["compiled", "eager"])
@pytest.mark.parametrize("width", [1, 2])
def test_a_diverging_network_tells_the_same(engine, width):
    """Message, node and parameters of both engines are one."""
    told = []
    for each in ("eager", engine):
        net = MLP(3, [4, width], activation="relu", random_state=0)
        with pytest.raises(TrainingError) as caught:
            train(net, X, NUMBERS[:, :width] * 1e3, optimizer="gd", learning_rate=10.0, batch_size=6, random_state=0,
                engine=each)  # fmt: skip
        told.append((caught.value.node, caught.value.epoch, caught.value.batch, weights(net)))
    assert told[0][:3] == told[1][:3]
    agree(told[0][3], told[1][3])


@pytest.mark.parametrize("engine", ["compiled", "eager"])
@pytest.mark.parametrize(
    ("loss", "y", "match"),
    [
        (hinge, [1.0, 0.0], r"hinge: a target must be \+1 or -1, got 0\.0; for classes 0 and 1 use 2 \* y - 1"),
        (binary_cross_entropy, [0.5, 1.5], r"binary_cross_entropy: a target must lie from 0 to 1, got 1\.5"),
        (cross_entropy, [0, 3], r"cross_entropy: a class must be a whole number from 0 to 2, got 3\.0"),
        (cross_entropy, [0, 0.5], r"cross_entropy: a class must be a whole number from 0 to 2, got 0\.5"),
        (
            cross_entropy,
            [[0.5, 0.5, 0.0], [0.5, 0.6, 0.0]],
            r"cross_entropy: probabilities must lie from 0 to 1 and add up to 1, got \[0\.5, 0\.6, 0\.0\]",
        ),
        (
            squared_error,
            [[0.0, 1.0]] * 2,
            "squared_error: there must be one target per output, got 3 outputs and 2 targets",
        ),
    ],
)
@pytest.mark.parametrize("held_out", [False, True])
def test_bad_targets_are_refused_by_both(engine, loss, y, match, held_out):
    """Whichever sample has them, of those to train on or held out: ValueError, and nothing is changed."""
    net = MLP(3, [3 if loss in {cross_entropy, squared_error} else 1], random_state=0)
    before, data = weights(net), (X[:2], y)
    good = (X[:1], y[:1])
    with pytest.raises(ValueError, match=match):
        train(net, *(good if held_out else data), validation=data if held_out else None, loss=loss, batch_size=1,
            engine=engine, epochs=2)  # fmt: skip
    assert weights(net) == before


# What cannot be compiled


def test_what_cannot_be_traced_says_how_to_train_it():
    """Branches on numbers, .data, and a loss that asks what its target is: TraceError that names the other engine."""
    line = MLP(3, [1], random_state=0)
    branch = lambda a, y: a - y if a > y else y - a
    frozen = lambda a, y: (a - y) ** 2 * a.data
    penalty = lambda p: p[0] * p[0].data
    for settings in ({"loss": branch}, {"loss": frozen}, {"penalty": penalty}):
        before = weights(line)
        with pytest.raises(TraceError, match=r'engine="eager" trains it as it is'):
            train(line, X, NUMBERS[:, 0], **settings)
        assert weights(line) == before
        assert train(line, X, NUMBERS[:, 0], **settings, engine="eager", epochs=1).n_iter == 1
    with pytest.raises(TraceError, match=r'TypeError: cross_entropy: a class index .*engine="eager"'):
        train(MLP(3, [3]), X, CLASSES, loss=lambda a, y: cross_entropy(a, y))
    with pytest.raises(TraceError, match=r'engine="eager"'):
        MLPRegressor(loss=branch).fit(X, NUMBERS[:, 0])


def test_what_the_functions_raise_on_values_passes_through():
    """The error is the user's own, as with the Values' loop; the same for a model that gives nothing."""

    def broken(output, target):
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        train(MLP(3, [1]), X, NUMBERS[:, 0], loss=broken)
    with pytest.raises(
        TypeError,
        match=r"the loss must be computed from the model's Values, got 1\.0, which remembers no computation; do not",
    ):
        train(MLP(3, [1]), X, NUMBERS[:, 0], loss=lambda output, target: 1.0)


@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor, LinearRegression])
def test_an_unknown_engine_is_refused_by_fit(make):
    """As every hyperparameter: stored as it is, checked by fit."""
    model = make(engine="warp")
    assert model.engine == "warp"
    with pytest.raises(ValueError, match=r"engine must be one of .*compiled.*eager.*, got 'warp'"):
        model.fit(X, CLASSES)
    with pytest.raises(ValueError, match=r"engine must be one of .*compiled.*eager.*, got 'warp'"):
        train(MLP(3, [1]), X, NUMBERS[:, 0], engine="warp")


# The Values while and after compiled training


class Schedule:
    """A rate that raises at one step, counted from the start."""

    def __init__(self, at, error):
        self.at, self.error = at, error

    def __call__(self, step):
        if step == self.at:
            raise self.error
        return 0.1

    def __repr__(self):
        return "Schedule()"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_whatever_ends_it_the_values_are_those_of_the_last_complete_epoch(engine, error):
    """An error in the second of three batches of epoch 3."""
    outcomes = []
    for at, epochs in ((8, 9), (None, 2)):
        net = MLP(3, [1], random_state=0)
        optimizer = GradientDescent(net.parameters(), learning_rate=Schedule(at, error))
        try:
            train(net, X, NUMBERS[:, 0], optimizer=optimizer, epochs=epochs, batch_size=9, random_state=0,
                engine=engine)  # fmt: skip
        except error:
            assert at
        outcomes.append((weights(net), optimizer.steps))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_callbacks_see_the_model_and_may_set_its_parameters(engine):
    """The next epoch starts from the parameters that a callback has set."""
    net = MLP(3, [1], random_state=0)
    seen = []

    def halve(end):
        seen.append(weights(end.model))
        for p in end.model.parameters():
            p.data /= 2

    train(net, X, NUMBERS[:, 0], optimizer="gd", learning_rate=1e-300, epochs=3, callbacks=[halve], engine=engine)
    agree(seen[1], np.array(seen[0]) / 2)
    agree(weights(net), np.array(seen[0]) / 8)


def test_a_checkpoint_belongs_to_its_engine(tmp_path):
    """The last digits differ, so a run is taken up by the engine that began it."""
    run = partial(train, X=X, y=NUMBERS[:, 0], checkpoint=tmp_path / "run")
    run(MLP(3, [1], random_state=0), epochs=2)
    with pytest.raises(CheckpointError, match="engine was 'compiled' and is 'eager'"):
        run(MLP(3, [1], random_state=0), epochs=4, engine="eager")
    assert run(MLP(3, [1], random_state=0), epochs=4).n_iter == 4


def test_training_takes_few_calls_of_the_model():
    """However many epochs, samples and batches there are, the model is called as often."""
    counts = []
    for epochs in (1, 30):
        net, calls = MLP(3, [2], random_state=0), []

        class Counted:
            parameters = net.parameters

            def __call__(self, x, net=net, calls=calls):
                calls.append(1)
                return net(x)

        train(Counted(), X, NUMBERS, epochs=epochs, batch_size=4, validation=(X, NUMBERS))
        counts.append(len(calls))
    assert counts[0] == counts[1] <= 4


def test_the_best_weights_or_the_last():
    """`restore_best=False` stops early and keeps what the last epoch left."""
    last = []
    net = MLP(3, [8, 1], random_state=0)
    settings = {"learning_rate": 0.3, "validation": (X[:4], -NUMBERS[:4, 0]), "patience": 3, "random_state": 0}
    history = train(
        net, X, NUMBERS[:, 0], restore_best=False, callbacks=[lambda e: last.append(weights(e.model))], **settings
    )
    assert weights(net) == last[-1]
    best = MLP(3, [8, 1], random_state=0)
    train(best, X, NUMBERS[:, 0], **settings)
    assert weights(best) == last[history.best_epoch - 1]
    assert history.best_epoch < history.n_iter
