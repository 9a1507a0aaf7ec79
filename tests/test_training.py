"""Training: the same numbers as plain NumPy, however often it is interrupted; and nothing lost when it fails."""

import copy
import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import Value, exp, log, no_grad, sqrt, total
from models._engines import ENGINES, Compiled
from models.checkpoints import CheckpointError, load_parameters, write_container
from models.losses import l1, l2, squared_error
from models.mlp import MLP
from models.optimizers import Adam, GradientDescent, cosine_decay, exponential_decay
from models.training import TrainingError, batch_loss, train

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(12, 2))
Y = np.sin(X[:, 0]) + X[:, 1] ** 2
X_HELD, Y_HELD = RANDOM.normal(size=(5, 2)), RANDOM.normal(size=5)


class Line:
    """y = w·x + b, from w = b = 0 or what is given."""

    def __init__(self, w=0.0, b=0.0):
        self.w, self.b = Value(w, "w"), Value(b, "b")

    def parameters(self):
        return [self.w, self.b]

    def __call__(self, x):
        return self.w * x + self.b


class Custom:
    """Any expression of one parameter."""

    def __init__(self, function, start=1.0):
        self.w, self.function = Value(start, "w"), function

    def parameters(self):
        return [self.w]

    def __call__(self, x):
        return self.function(self.w, x)


def names(folder):
    return [entry.name for entry in folder.iterdir()]


def weights(model):
    return [p.data for p in model.parameters()]


def bits(numbers):
    return np.asarray(numbers, dtype=np.float64).tobytes()


def outcome(model, history):
    """All that a run leaves, to the last bit."""
    return (
        bits(weights(model)),
        bits(history.loss_curve),
        bits(history.validation_curve),
        history.best_epoch,
        history.stopped,
    )


def least_mean_squares(x, y, w, *, epochs, batch_size, rate, seed, sample_weight):
    """Mini-batch gradient descent for a line, by hand: losses of the epochs and the final (w, b)."""
    random, curve = np.random.default_rng(seed), []
    for _ in range(epochs):
        order = random.permutation(len(x)) if batch_size < len(x) else np.arange(len(x))
        loss = 0.0
        for rows in np.split(order, range(batch_size, len(x), batch_size)):
            s = sample_weight[rows]
            if s.any():
                error = w[0] * x[rows] + w[1] - y[rows]
                loss += s @ error**2 / sample_weight.sum()
                w = w - rate * np.array([2 * s @ (error * x[rows]), 2 * s @ error]) / s.sum()
        curve.append(loss)
    return curve, w


@pytest.mark.parametrize("batch_size", [1, 5, 12, 100, None])
@pytest.mark.parametrize("weighted", [False, True])
def test_mini_batches_are_those_of_plain_numpy(batch_size, weighted):
    """Losses and weights of shuffled batches, a short last one and samples of weight 0 included."""
    x, sample_weight = X[:, 0], np.array([0, 1, 2, 0.5, 0, 0, 3, 1, 1, 0, 2, 1]) if weighted else np.ones(12)
    line = Line()
    history = train(
        line, x, Y, optimizer="gd", learning_rate=0.05, epochs=7, batch_size=batch_size, random_state=3,
        sample_weight=sample_weight if weighted else None,
    )  # fmt: skip
    curve, fit = least_mean_squares(
        x,
        Y,
        np.zeros(2),
        epochs=7,
        batch_size=min(batch_size or 12, 12),
        rate=0.05,
        seed=3,
        sample_weight=sample_weight,
    )
    assert history.loss_curve == pytest.approx(curve, rel=1e-12)
    assert weights(line) == pytest.approx(fit, rel=1e-12)
    assert (history.n_iter, history.stopped, history.validation_curve) == (7, "epochs", [])


@given(st.lists(st.integers(0, 3), min_size=4, max_size=4).filter(any))
def test_a_weight_is_a_repetition(counts):
    """A sample of weight n counts as n samples."""
    x, y = X[:4], Y[:4]
    one, other = (MLP(2, [2, 1], activation="tanh", random_state=0) for _ in range(2))
    a = train(one, x, y, epochs=4, learning_rate=0.1, sample_weight=counts)
    b = train(other, np.repeat(x, counts, axis=0), np.repeat(y, counts), epochs=4, learning_rate=0.1)
    assert a.loss_curve == pytest.approx(b.loss_curve, rel=1e-9)
    assert weights(one) == pytest.approx(weights(other), rel=1e-6)


def test_several_outputs_and_classes():
    """A 2-D y gives every loss a row of targets; a class index is a column of numbers."""
    net = MLP(2, [2], random_state=0)
    fit = np.linalg.lstsq(np.column_stack([X, np.ones(12)]), np.column_stack([Y, -Y]), rcond=None)[0]
    train(net, X, np.column_stack([Y, -Y]), optimizer="gd", learning_rate=0.5, epochs=300)
    assert net.weights()[0] == pytest.approx(fit[:2].T, abs=1e-6)
    net = MLP(2, [8, 3], activation="tanh", random_state=0)
    classes = np.digitize(X[:, 0], [-0.3, 0.3])
    history = train(net, X, classes, loss="cross_entropy", learning_rate=0.05, epochs=150, batch_size=4, random_state=0)
    assert history.loss_curve[-1] < 0.1 < history.loss_curve[0]
    assert [int(np.argmax([z.data for z in net(x)])) for x in X] == classes.tolist()


def test_the_penalty_pulls_as_ridge_regression_does():
    """With l2 on the slope the minimum is the closed form, and the loss curve includes the penalty."""
    x, strength, line = X[:, 0], 0.6, Line()
    history = train(line, x, Y, optimizer="gd", learning_rate=0.3, epochs=300, penalty=lambda p: l2(p[:1], strength))
    cx, cy = x - x.mean(), Y - Y.mean()
    w = cx @ cy / (cx @ cx + strength * len(x) / 2)
    assert line.w.data == pytest.approx(w, rel=1e-9)
    ecm = np.mean((line.w.data * x + line.b.data - Y) ** 2)
    assert history.loss_curve[-1] == pytest.approx(ecm + strength / 2 * w**2, rel=1e-9)


def test_the_seed_decides_the_order_and_nothing_else_does():
    """Same seed, same bits; another seed, other batches; NumPy's global generator is left alone."""
    before = np.random.get_state()[1].tobytes()  # noqa: NPY002 # the one that must not change

    def run(seed):
        line = Line()
        return bits(train(line, X[:, 0], Y, epochs=3, batch_size=4, random_state=seed).loss_curve)

    assert run(5) == run(5) == run(np.random.default_rng(5)) != run(6)
    assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002


# Early stopping


def overfitting(patience=3, **settings):
    """A net whose validation loss falls and then rises."""
    net = MLP(2, [6, 1], activation="tanh", random_state=1)
    settings = {"learning_rate": 0.05, "epochs": 200, "batch_size": 4, "random_state": 2} | settings
    return net, train(net, X, Y, validation=(X_HELD, Y_HELD), patience=patience, **settings)


def validation_loss(net):
    with no_grad():
        return float(np.mean([(net(x).data - y) ** 2 for x, y in zip(X_HELD, Y_HELD, strict=True)]))


def test_early_stopping_restores_the_best_weights():
    """Stopped after `patience` epochs without a better validation loss; the weights are those of the best."""
    net, history = overfitting()
    best = int(np.argmin(history.validation_curve)) + 1
    assert history.stopped == "patience"
    assert (history.best_epoch, history.n_iter) == (best, best + 3)
    assert validation_loss(net) == pytest.approx(min(history.validation_curve), rel=1e-12)
    assert validation_loss(net) < history.validation_curve[-1]


def test_the_best_weights_are_restored_also_when_the_epochs_run_out():
    """Patience that was not used up still gives the best; without patience the last weights stay."""
    net, history = overfitting(patience=1000, epochs=40)
    assert history.stopped == "epochs"
    assert history.best_epoch < 40
    assert validation_loss(net) == pytest.approx(min(history.validation_curve), rel=1e-12)
    net, history = overfitting(patience=None, epochs=40)
    assert validation_loss(net) == pytest.approx(history.validation_curve[-1], rel=1e-12)


@pytest.mark.filterwarnings("ignore:.*nothing was learned")  # a patience that ends it at once, on purpose
@pytest.mark.filterwarnings("ignore:.*steps are too large")
def test_without_validation_the_training_loss_decides():
    """A rate that diverges: the full batch's best weights are exactly those that gave the lowest loss."""
    line = Line(w=3.0, b=0.1)
    history = train(line, X[:, 0], Y, optimizer="momentum", learning_rate=0.5, epochs=50, patience=4)
    assert history.stopped == "patience"
    assert history.n_iter == history.best_epoch + 4
    loss = np.mean([(line(x).data - y) ** 2 for x, y in zip(X[:, 0], Y, strict=True)])
    assert loss == pytest.approx(min(history.loss_curve), rel=1e-12)


@pytest.mark.filterwarnings("ignore:.*nothing was learned")  # a patience that ends it at once, on purpose
def test_tol_is_the_least_improvement_that_counts():
    """A loss that falls ever more slowly stops when an epoch gains less than tol, `patience` times in a row."""
    line = Line()
    history = train(line, X[:, 0], Y, optimizer="gd", learning_rate=0.1, epochs=1000, patience=2, tol=1e-4)
    gains = -np.diff(history.loss_curve)
    assert history.stopped == "patience"
    assert (gains[:-2] > 1e-4).all()
    assert (gains[-2:] < 1e-4).all()
    assert history.best_epoch == history.n_iter, "a small gain is still the best so far"
    flat = train(Custom(lambda w, x: 0 * w + x), X[:, 0], Y, epochs=50, patience=3)
    assert flat.n_iter == 4, "a loss that stays the same does not improve, with tol=0 too"


# Interrupted and resumed


SETTINGS = [
    {"optimizer": "adam", "batch_size": 5, "patience": 4, "validation": (X_HELD, Y_HELD)},
    {"optimizer": "nesterov", "batch_size": 7, "sample_weight": np.arange(12)},
    {"optimizer": "rmsprop", "batch_size": 4, "patience": 2, "tol": 0.05},
    {"optimizer": "gd", "patience": 3},
]


def started(path, settings, function=squared_error, **more):
    """A run from the same start, with a generator of an unusual kind."""
    net = MLP(2, [3, 1], activation="tanh", random_state=1)
    random = np.random.Generator(np.random.MT19937(7))
    settings = {"learning_rate": 0.05, "epochs": 9, "random_state": random, **settings, **more}
    return net, partial(train, net, X, Y, loss=function, checkpoint=path, **settings)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: s["optimizer"])
@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("engine", ENGINES)
def test_interrupted_anywhere_and_resumed_is_the_same_run(tmp_path, monkeypatch, settings, every, engine):
    """Stopped at any sample (compiled: batch) of any epoch, once or often, and resumed: the bits of a run in one go."""
    settings = settings | {"engine": engine}
    net, run = started(None, settings)
    whole = outcome(net, run())
    batch, calls, limit = Compiled.loss_and_gradient, 0, 0

    def count():
        nonlocal calls
        calls += 1
        if calls == limit:
            raise KeyboardInterrupt

    def loss(output, target):
        if engine == "eager":
            count()
        return squared_error(output, target)

    def counted_batch(self, rows):
        answer = batch(self, rows)
        count()
        return answer

    loss.__qualname__ = squared_error.__qualname__
    monkeypatch.setattr(Compiled, "loss_and_gradient", counted_batch)
    for step in (1, 13, 29, 47) if engine == "eager" else (1, 2, 5, 8):
        path, interruptions, calls, limit = tmp_path / str(step), 0, 0, step
        while True:
            net, run = started(path, settings, loss, checkpoint_every=every)
            try:
                history = run()
                break
            except KeyboardInterrupt:
                interruptions += 1
                calls, limit = 0, limit + (60 if engine == "eager" else 9)  # at last far enough to finish
        assert interruptions >= 1
        assert outcome(net, history) == whole
        assert names(tmp_path) == [path.name]
        path.unlink()


def test_more_epochs_go_on_from_a_finished_run(tmp_path):
    """Five epochs and then ten are the ten of one go; ten again is the same answer at once; fewer is an error."""
    for settings in SETTINGS:
        path = tmp_path / settings["optimizer"]
        net, run = started(None, settings, epochs=10)
        whole = outcome(net, run())
        for epochs in (5, 10, 10):
            net, run = started(path, settings, epochs=epochs)
            history = run()
        assert outcome(net, history) == whole
        net, run = started(path, settings, epochs=1)
        with pytest.raises(CheckpointError, match="cannot use '"):
            run()


SCRIPT = """
import json, sys, time
import numpy as np
from models.mlp import MLP
from models.training import train
path, limit = sys.argv[1], int(sys.argv[2])
random = np.random.default_rng(0)
X = random.normal(size=(40, 2)); y = np.sin(2 * X[:, 0]) * X[:, 1]
net = MLP(2, [4, 1], activation="tanh", random_state=3)
lived = 0
def report(end):
    global lived
    lived += 1
    print("epoch", flush=True)
    while lived == limit:  # no further in this life: it waits to be killed
        time.sleep(1)
history = train(net, X, y, optimizer="adam", learning_rate=0.03, epochs=60, batch_size=8, random_state=4,
    validation=(X[:10], y[:10] + 0.1), patience=50, checkpoint=path or None, callbacks=[report])
print(json.dumps([[p.data.hex() for p in net.parameters()], [x.hex() for x in history.loss_curve],
    [x.hex() for x in history.validation_curve], history.best_epoch, history.stopped]))
"""


def start(path, limit=0):
    return subprocess.Popen([sys.executable, "-c", SCRIPT, path, str(limit)], stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="SIGKILL is POSIX's")
def test_killed_at_random_moments_and_resumed_is_the_same_run(tmp_path):
    """A process killed with SIGKILL again and again, wherever it is, ends with the bits of one that lived.

    A life that may be cut short is at most 15 of the 60 epochs long, so there are at least three such lives.
    """
    *epochs, last = start("").communicate()[0].splitlines()
    whole = json.loads(last)
    assert len(epochs) == 60
    random, path = np.random.default_rng(), tmp_path / "run"
    for _ in range(6):
        process = start(str(path), limit=15)
        for _ in range(random.integers(1, 16)):
            if process.stdout.readline() != "epoch\n":  # the run is complete, and said so
                break
        time.sleep(random.uniform(0.0, 0.01))  # into the middle of whatever comes next
        process.kill()
        process.communicate()
    out = start(str(path)).communicate()[0]
    assert json.loads(out.splitlines()[-1]) == whole
    assert names(tmp_path) == ["run"], "what killed processes left is cleared away"


def test_only_its_own_leftovers_are_cleared_away(tmp_path):
    """The temporary file of a killed run goes; that of a run whose checkpoint has a longer name stays."""
    for name in (".run.0123abcd.tmp", ".run.b.0123abcd.tmp", ".run.tmp"):
        (tmp_path / name).touch()
    train(Line(), X[:, 0], Y, epochs=1, checkpoint=tmp_path / "run")
    assert sorted(names(tmp_path)) == [".run.b.0123abcd.tmp", ".run.tmp", "run"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"optimizer": "rmsprop"}, "optimizer was 'Adam' and is 'RMSProp'"),
        ({"learning_rate": 0.06}, "optimizer's learning_rate was 0.05 and is 0.06"),
        ({"learning_rate": exponential_decay(0.05, 0.9)}, "learning_rate was 0.05 and is "),
        ({"batch_size": 3}, "batch_size was 5 and is 3"),
        ({"loss": "huber"}, "loss was 'squared_error' and is 'huber'"),
        ({"random_state": 1}, "random_state was 0 and is 1"),
        ({"shuffle": False}, "shuffle was True and is False"),
        ({"engine": "eager"}, "engine was 'compiled' and is 'eager'"),
        ({"tol": 0.1}, "tol was 0.0 and is 0.1"),
        ({"patience": 3}, "patience was None and is 3"),
        ({"penalty": partial(l2, strength=0.1)}, r"penalty was None and is 'partial\(l2, strength=0.1\)'"),
        ({"max_norm": 2.0}, "max_norm was None and is 2.0"),
        (
            {"model": MLP(2, [1], output_activation="leaky_relu")},
            "model was 'MLP.* linear, .* and is 'MLP.* leaky_relu, ",
        ),
        ({"y": Y + 1e-16 + np.eye(12)[0]}, "data .*was"),
        ({"model": MLP(2, [2, 1])}, "holds 4 parameters, and the model has 9|holds 3 parameters, and the model has 9"),
        ({"model": MLP(2, [1], label="other")}, "'layer1.neuron1.weight1', and the model's is 'other.layer1"),
        ({"validation": (X, Y)}, "data .*was"),
    ],
    ids=lambda x: next(iter(x)) if isinstance(x, dict) else "",
)
def test_the_checkpoint_of_another_run_is_refused(tmp_path, change, match):
    """The message names the difference; model, optimizer, generator and file stay as they were."""
    path = tmp_path / "run"

    def run(**change):
        settings = {
            "model": MLP(2, [1], random_state=0), "X": X, "y": Y, "learning_rate": 0.05, "epochs": 3, "batch_size": 5,
            "random_state": 0,
        } | change  # fmt: skip
        return train(**settings, checkpoint=path)

    run()
    model = change.get("model") or MLP(2, [1], random_state=8)
    before, contents = weights(model), path.read_bytes()
    with pytest.raises(CheckpointError, match=match) as caught:
        run(**{"model": model} | change)
    assert str(path) in str(caught.value)
    assert weights(model) == before
    assert path.read_bytes() == contents
    with pytest.raises(CheckpointError, match="holds training run, where parameters is wanted"):
        load_parameters(path, model)


def weighed(strengths):
    """A penalty that holds an array too long to be shown whole."""
    return partial(weighed_squares, strengths=strengths)


def weighed_squares(parameters, strengths):
    return total([s * p * p for s, p in zip(strengths.tolist(), parameters, strict=True)])


@pytest.mark.parametrize(
    ("setting", "one", "other"),
    [
        ("learning_rate", cosine_decay(0.1, steps=10), exponential_decay(5.0, factor=0.9)),
        ("learning_rate", exponential_decay(0.1, factor=0.9), exponential_decay(0.1, factor=0.8)),
        ("penalty", partial(l2, strength=0.1), partial(l1, strength=0.1)),
        ("penalty", partial(l2, strength=0.1), partial(l2, strength=9.0)),
        ("penalty", weighed(np.full(2001, 0.1)), weighed(np.r_[np.full(1000, 0.1), 2.0, np.full(1000, 0.1)])),
    ],
)
def test_settings_of_one_kind_are_told_apart(tmp_path, setting, one, other):
    """Two schedules or partials that differ inside are two runs; the same ones made anew are one."""
    run = partial(train, X=np.ones((2, 2000)), y=[0.0, 1.0], checkpoint=tmp_path / "run")
    run(MLP(2000, [1], random_state=0), epochs=1, **{setting: one})
    assert run(MLP(2000, [1], random_state=0), epochs=2, **{setting: copy.deepcopy(one)}).n_iter == 2
    with pytest.raises(CheckpointError, match=rf"{setting} was "):
        run(MLP(2000, [1], random_state=0), epochs=3, **{setting: other})


def test_a_checkpoint_with_another_activation_is_refused(tmp_path):
    """Same shapes, same labels: only the model's own words tell that it is another function."""
    run = partial(train, X=X, y=Y, checkpoint=tmp_path / "run")
    run(MLP(2, [3, 1], activation="tanh", random_state=0), epochs=3)
    other = MLP(2, [3, 1], activation="relu", random_state=0)
    before = weights(other)
    with pytest.raises(CheckpointError, match=r"model was .*3 tanh.* and is .*3 relu"):
        run(other, epochs=6)
    assert weights(other) == before


def test_weights_in_a_repr_do_not_make_it_another_model(tmp_path):
    """A dataclass shows its numbers and its settings: trained on in the same process it is the same model still."""
    run = partial(train, X=X[:, 0], y=Y, learning_rate=0.1, checkpoint=tmp_path / "run")
    line = Shown(Value(0.5, "w"), slope=0.25)
    run(line, epochs=2)
    assert run(line, epochs=4).n_iter == 4
    assert run(Shown(Value(7.5, "w"), slope=0.25), epochs=4).n_iter == 4
    with pytest.raises(CheckpointError, match=r"slope=0.25\)\" and is .*slope=0.75\)\""):
        run(Shown(Value(0.5, "w"), slope=0.75), epochs=6)


@dataclass
class Shown:
    """Its repr holds the weight as it is now."""

    w: Value
    slope: float

    def parameters(self):
        return [self.w]

    def __call__(self, x):
        return self.w * x * self.slope


def test_a_first_epoch_that_fails_does_not_bar_the_corrected_call(tmp_path):
    """Targets the loss refuses, and a diverging rate: the file of this call goes, as nothing was completed."""
    net, path = MLP(2, [1], random_state=0), tmp_path / "run"
    with pytest.raises(ValueError, match="target"):
        train(net, X, Y * 3, loss="binary_cross_entropy", checkpoint=path)
    with pytest.raises(TrainingError):
        train(net, X, Y, penalty=lambda p: exp(p[0] * 0 + 1000.0), checkpoint=path)
    assert names(tmp_path) == []
    assert train(net, X, Y > 0, loss="binary_cross_entropy", checkpoint=path, epochs=2).n_iter == 2


def test_what_an_earlier_call_wrote_or_completed_stays_when_an_epoch_fails(tmp_path):
    """An error in epoch 2, an interrupt in epoch 1, and an error in the run that takes that up: the file stays."""

    def loss(output, target):
        nonlocal calls
        calls += 1
        if calls == limit:
            raise error
        return squared_error(output, target)

    for i, errors in ((20, [RuntimeError]), (5, [KeyboardInterrupt, RuntimeError])):
        limit = i
        for error in errors:
            calls = 0
            with pytest.raises(error):
                train(Line(), X[:, 0], Y, loss=loss, checkpoint=tmp_path / str(i), engine="eager")
            assert (tmp_path / str(i)).exists()


def test_a_damaged_checkpoint_changes_nothing(tmp_path):
    """Cut, flipped, or well-formed with a state that the optimizer or generator refuses: an error before anything."""
    from models.checkpoints import read_container

    path, line = tmp_path / "run", Line()
    run = partial(train, X=X[:, 0], y=Y, learning_rate=0.1, batch_size=5, random_state=0, checkpoint=path, epochs=3)
    run(line)
    data = path.read_bytes()
    facts, arrays = read_container(path, "training run")
    broken = [
        facts | {"generator": {"bit_generator": "MT19937"}},
        facts | {"optimizer": {}},
        facts | {"optimizer": facts["optimizer"] | {"steps": -1}},
        facts | {"waited": "2"},
        facts | {"waited": -1},
        facts | {"best_epoch": 4},
        facts | {"best_epoch": None},
        {name: fact for name, fact in facts.items() if name != "best_epoch"},
    ]
    contents = [(each, arrays) for each in broken]
    contents += [(facts, arrays | {name: arrays[name] * np.nan}) for name in ("weights", "best_weights", "loss_curve")]
    optimizer = Adam(line.parameters(), learning_rate=0.1)
    before = weights(line), repr(optimizer.state())
    for i in range(len(contents) + 2):
        if i < len(contents):
            write_container(path, "training run", *contents[i])
        else:
            path.write_bytes([data[:-9], data[:-9] + b"x" + data[-8:]][i - len(contents)])
        with pytest.raises(CheckpointError, match="cannot use"):
            run(line, optimizer=optimizer, learning_rate=None)
        assert (weights(line), repr(optimizer.state())) == before


def test_a_checkpoint_that_cannot_be_written_stops_before_training(tmp_path):
    """No such folder: an error before the first epoch, with the parameters as they were."""
    line = Line()
    with pytest.raises(CheckpointError, match="No such file or directory"):
        train(line, X[:, 0], Y, checkpoint=tmp_path / "none" / "run")
    assert weights(line) == [0.0, 0.0]


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    """The disk fills up after two epochs: a clear error, the file of epoch 2, and a run that can go on from it."""
    path, line = tmp_path / "run", Line()
    run = partial(train, X=X[:, 0], y=Y, learning_rate=0.1, epochs=5, checkpoint=path)

    def fill(end):
        if end.epoch == 3:
            monkeypatch.setattr(os, "fsync", full)

    def full(_):
        raise OSError(28, "No space left on device")

    with pytest.raises(CheckpointError, match="No space left"):
        run(line, callbacks=[fill])
    monkeypatch.undo()
    assert names(tmp_path) == ["run"]
    resumed, whole = Line(), Line()
    assert outcome(resumed, run(resumed)) == outcome(whole, run(whole, checkpoint=None))


# When arithmetic ends


def test_divergence_names_epoch_batch_and_node_and_keeps_the_last_good_weights():
    """Too large a rate: the error says where; the weights are those after the last complete epoch."""
    line, kept = Line(), [[0.0, 0.0]]
    optimizer = GradientDescent(line.parameters(), learning_rate=1e60)
    with pytest.raises(
        TrainingError, match=r"epoch \d+, batch [12]: .*; the parameters are those after epoch"
    ) as caught:
        train(
            line, X[:, 0], Y, optimizer=optimizer, batch_size=6, random_state=0,
            callbacks=[lambda end: kept.append(weights(end.model))],
        )  # fmt: skip
    error = caught.value
    assert error.epoch == len(kept)
    assert error.history.n_iter == len(kept) - 1 >= 1
    assert weights(line) == kept[-1]
    assert np.isfinite(kept[-1]).all()
    assert optimizer.steps == 2 * error.history.n_iter


@pytest.mark.parametrize(
    ("function", "node", "problem"),
    [
        (lambda w, x: exp(w * 1000.0) * x, "exp(1000)", "the loss became"),
        (lambda w, x: labelled(w * 1e200, "big") * 1e200, "mul(big, 1e+200)", "the loss became"),
        (lambda w, x: labelled(w * 1e300, "big") * 1e300 + x, "mul(big, 1e+300)", "the loss became"),
        (lambda w, x: sqrt(w - 1.0), "sub(w, 1)", "the gradient became -inf"),
    ],
)
def test_the_first_infinite_node_is_named(function, node, problem):
    """By its label or by what made it, with the operands' labels; infinite gradients too."""
    model = Custom(function)
    with pytest.raises(TrainingError, match=rf"epoch 1, batch 1: {problem}.*first seen in ") as caught:
        train(model, [1.0, 2.0], [1.0, 1.0])
    assert caught.value.node == node
    assert (caught.value.epoch, caught.value.batch) == (1, 1)
    assert weights(model) == [1.0]


def labelled(value, label):
    value.label = label
    return value


def test_a_domain_error_stops_training_like_a_divergence():
    """A step makes an operand negative: epoch and batch are named, with the engine's own words for operation and label."""
    model = Custom(lambda w, x: log(labelled(w * x, "p")))
    with pytest.raises(TrainingError, match=r"epoch 2, batch 1: log of -.*outside \(0, ∞\), in 'p'; .* after epoch 1"):
        train(model, [1.0], [-1.0], loss=lambda a, t: a, optimizer="gd", learning_rate=1.5)
    assert weights(model) == [-0.5], "after epoch 1"


def test_a_domain_error_names_its_operand_or_operation():
    """`node` is the operand's label, what made it, or the operation at its number."""
    found = []
    for operand in (lambda w: labelled(w - 5, "p"), lambda w: w - 5, lambda w: w, lambda w: labelled(w, "")):
        with pytest.raises(TrainingError) as caught:
            train(Custom(lambda w, x, operand=operand: log(operand(w)) * x, -1.0), [1.0], [1.0])
        found.append(caught.value.node)
    assert found == ["'p'", "sub('w', 5.0)", "'w'", "log of -1.0"]


def test_a_refused_step_names_its_parameter():
    """A finite gradient and a rate that makes too much of it: the label, or the parameter's number."""
    for label, node in (("w", "'w'"), ("", "parameter 0")):
        model = Custom(lambda w, x: w * x, 0.0)
        model.w.label = label
        with pytest.raises(TrainingError, match="epoch 1, batch 1: the step would make") as caught:
            train(model, [1e100], [-1e10], loss=lambda a, t: a * t, optimizer="gd", learning_rate=1e300)
        assert caught.value.node == node
        assert weights(model) == [0.0]


@pytest.mark.parametrize("rate", [-1.0, np.nan, np.inf])
def test_a_schedule_that_gives_no_rate_is_not_called_a_divergence(rate):
    """The optimizer's own message passes through, without advice on divergence; the last complete epoch stands."""
    line, reached = Line(), []
    with pytest.raises(ValueError, match=rf"learning_rate\(3\) must be .*got {rate}$") as caught:
        train(
            line, X[:, 0], Y, batch_size=6, random_state=0, learning_rate=lambda step: 0.1 if step < 3 else rate,
            callbacks=[lambda end: reached.append(weights(end.model))],
        )  # fmt: skip
    assert not isinstance(caught.value, TrainingError)
    assert [weights(line)] == reached


def test_the_mean_loss_of_an_epoch_must_be_finite():
    """Batches near the largest float have a finite mean; what makes a loss NaN never lets it into the history."""
    huge = lambda output, target: output * 0.0 + 1.5e308
    assert train(Line(), X[:, 0], Y, loss=huge, epochs=1, batch_size=1).loss_curve == pytest.approx(
        [1.5e308], rel=1e-12
    )
    reached = []
    with pytest.raises(TrainingError, match="the loss became nan"):
        train(
            Line(), X[:, 0], Y, loss=lambda output, target: output * 0.0 + (math.nan if reached else 1.0), epochs=3,
            engine="eager", callbacks=[reached.append],
        )  # fmt: skip
    assert [end.epoch for end in reached] == [1]


def test_weights_of_any_size_train_the_same():
    """Only the ratio of weights counts: large ones, and those below the smallest normal float, train the same."""
    ratio, results = np.array([4.0] * 11 + [1.0]), []
    for scale in (1.0, 2.0**1017, 2.0**-1074):
        line, weight = Line(), (ratio * scale).tolist()
        validation = (X_HELD[:, 0], Y_HELD, weight[-5:])
        history = train(line, X[:, 0], Y, sample_weight=weight, validation=validation, epochs=3, batch_size=5,
            random_state=0)  # fmt: skip
        results.append(outcome(line, history))
    assert results[0] == results[1] == results[2]
    assert np.isfinite(history.loss_curve).all()
    assert batch_loss(lambda x: x, squared_error, [1.0, 2.0], [0.0, 0.0], [1e308, 1e308]) == 2.5


@pytest.mark.parametrize("batch_size", [5, None])
def test_max_norm_bounds_the_gradient_of_every_step(batch_size):
    """As plain NumPy clips: gradients longer than max_norm are scaled to it, shorter ones stay."""
    line, w, random, x, lengths = Line(3.0), np.array([3.0, 0.0]), np.random.default_rng(2), X[:, 0], []
    train(line, x, Y, optimizer="gd", learning_rate=0.2, epochs=12, batch_size=batch_size, random_state=2, max_norm=1.5)
    for _ in range(12):
        order = random.permutation(12) if batch_size else np.arange(12)
        for rows in np.split(order, range(batch_size or 12, 12, batch_size or 12)):
            error = w[0] * x[rows] + w[1] - Y[rows]
            g = 2 * np.array([error @ x[rows], error.sum()]) / len(rows)
            lengths.append(np.hypot(*g))
            w = w - 0.2 * g * min(1.0, 1.5 / lengths[-1])
    assert min(lengths) < 1.5 < max(lengths)
    assert weights(line) == pytest.approx(w, rel=1e-9)


def test_the_first_infinite_node_of_the_validation_is_named():
    """From the leaves up, as in training; a loss that is a plain number has no node."""
    for function, node in (
        (lambda w, x: labelled(exp(w * x), "top") * 2.0, "'top'"),
        (lambda w, x: exp(w * x) * 2.0, "exp(1000)"),
        (lambda w, x: w * x if x < 9 else float("inf"), ""),
    ):
        with pytest.raises(TrainingError, match="epoch 1, validation: the validation loss became inf") as caught:
            train(Custom(function), [0.0, 1.0], [0.0, 1.0], validation=([1000.0], [0.0]), learning_rate=1e-9,
                loss=lambda a, t: a - t, engine="compiled" if node else "eager")  # fmt: skip
        assert caught.value.node == node


def test_a_validation_loss_that_is_not_finite_undoes_the_epoch():
    """The epoch counts as complete with its validation alone."""
    model = Custom(lambda w, x: exp(w * x))
    with pytest.raises(TrainingError, match="epoch 1, validation: the validation loss became inf"):
        train(model, [0.0, 1.0], [1.0, 2.0], validation=([1000.0], [0.0]))
    assert weights(model) == [1.0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_puts_everything_back_to_the_last_complete_epoch(error):
    """Parameters, optimizer and generator are those after epoch 2, and what was raised passes through."""
    calls = 0

    def loss(output, target):
        nonlocal calls
        calls += 1
        if calls == 30:  # in the second batch of the third epoch
            raise error
        return squared_error(output, target)

    def run(epochs, loss):
        line, random = Line(), np.random.default_rng(1)
        optimizer = Adam(line.parameters(), learning_rate=0.1)
        stopped = False
        try:
            train(line, X[:, 0], Y, loss=loss, optimizer=optimizer, epochs=epochs, batch_size=5, random_state=random,
                engine="eager")  # fmt: skip # the loss is called for every sample
        except error:
            stopped = True
        return stopped, weights(line), repr(optimizer.state()), random.bit_generator.state

    assert run(9, loss) == (True, *run(2, squared_error)[1:])


# Callbacks and the bar


def test_callbacks_see_every_epoch_and_can_stop():
    """Each is called after each epoch, also when another one stops; only True stops."""
    seen, more = [], []

    def stop(end):
        seen.append((end.epoch, end.loss, end.validation_loss, end.history.n_iter, end.model, end.optimizer.steps))
        return np.bool_(end.epoch == 3)

    line = Line()
    history = train(
        line,
        X[:, 0],
        Y,
        validation=(X_HELD[:, 0], Y_HELD),
        epochs=10,
        callbacks=[stop, lambda end: more.append(1) or 7],
    )
    assert (history.stopped, history.n_iter, len(more)) == ("callback", 3, 3)
    expected = zip(history.loss_curve, history.validation_curve, strict=True)
    assert seen == [(i, loss, held, i, line, i) for i, (loss, held) in enumerate(expected, 1)]


def test_a_run_stopped_by_a_callback_goes_on_when_resumed(tmp_path):
    """As when time is up: the next run ends as one without the callback; what a callback changes is in the file."""
    path = tmp_path / "run"

    def halve(end):
        end.optimizer.learning_rate /= 2
        return end.epoch in stops

    results = []
    for stops, file in (((), None), ((2, 5), path)):
        for _ in range(len(stops) + 1):
            line = Line()
            history = train(
                line, X[:, 0], Y, learning_rate=0.4, epochs=7, callbacks=[halve], checkpoint=file, checkpoint_every=3
            )
        results.append(outcome(line, history))
    assert results[0] == results[1]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_is_for_terminals(monkeypatch):
    """A bar on a terminal, with epochs and loss; nothing in a pipe, without tqdm, or unasked."""
    pytest.importorskip("tqdm", reason="tqdm is an optional dependency")

    def shown(stream, **settings):
        monkeypatch.setattr(sys, "stderr", stream)
        train(Line(), X[:, 0], Y, epochs=3, **settings)
        return stream.getvalue()

    assert "3/3" in shown(Terminal(), progress=True)
    assert shown(Terminal()) == ""
    assert shown(io.StringIO(), progress=True) == ""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert shown(Terminal(), progress=True) == ""
    monkeypatch.setattr(sys, "stderr", None)
    train(Line(), X[:, 0], Y, epochs=1, progress=True)


# Bad input


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"X": [1.0, np.nan], "y": [1, 2]}, "X contains NaN"),
        ({"X": ["a", "b"], "y": [1, 2]}, "every entry of X must be a number, got the text"),
        ({"X": [], "y": []}, "X must be"),
        (
            {"X": np.ones((2, 2, 2))},
            r"X must be \(n_samples,\) or \(n_samples, n_features\), at least one of each, got \(2, 2, 2\)",
        ),
        ({"y": Y[:3]}, "y must have one entry or row per sample of X, 12, got 3"),
        ({"y": np.where(Y > 0, np.inf, Y)}, "y contains infinity"),
        ({"epochs": -1}, "epochs must be a whole number, 0 or more, got -1"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
        ({"batch_size": 0}, "batch_size must be a whole number, 1 or more, got 0"),
        ({"batch_size": True}, "batch_size must be"),
        ({"patience": 0}, "patience must be"),
        ({"max_norm": 0.0}, "max_norm must be a finite number above 0, got 0.0"),
        ({"max_norm": np.inf}, "max_norm must be"),
        ({"max_norm": "1"}, "max_norm must be"),
        ({"tol": -1.0}, "tol must be"),
        ({"tol": np.nan}, "tol must be"),
        ({"checkpoint_every": None}, "checkpoint_every must be"),
        ({"checkpoint_every": 0}, "checkpoint_every must be"),
        ({"shuffle": 3}, "shuffle must be True or False"),
        ({"progress": "yes"}, "progress must be 0, 1 or 2, False or True, got 'yes'"),
        ({"loss": "mse"}, "loss must be one of .*squared_error.*, got 'mse'"),
        ({"optimizer": "sgd"}, "optimizer must be one of .*adam.*, got 'sgd'"),
        ({"optimizer": 3}, "optimizer must be a name or an Optimizer, got int 3"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": np.nan}, "learning_rate"),
        (
            {"optimizer": Adam([Value(1.0)]), "learning_rate": 0.1},
            r"Adam\(learning_rate=0\.001, beta1=0\.9, beta2=0\.999, epsilon=1e-08\) of 1 parameters has a learning",
        ),
        (
            {"optimizer": Adam([Value(1.0)])},
            r"Adam\(learning_rate=0\.001, beta1=0\.9, beta2=0\.999, epsilon=1e-08\) of 1 parameters must have the",
        ),
        ({"random_state": -1}, "random_state must be"),
        ({"sample_weight": [1.0]}, "sample_weight must be"),
        ({"sample_weight": -np.ones(12)}, "no sample_weight may be below zero"),
        ({"sample_weight": np.zeros(12)}, "non-zero"),
        ({"sample_weight": [1e308] * 11 + [1e307]}, "sample_weight"),
        ({"validation": (X[:, 0], Y[:2])}, "validation: y must have one entry or row per sample of X, 12, got 2"),
        (
            {"validation": (X, Y)},
            r"validation: one sample of X must have the shape of those to train on, \(\), got \(2,\)",
        ),
        ({"validation": 0.1}, r"validation must be \(X, y\)"),
        ({"callbacks": [print, 3]}, "callbacks and penalty must be functions, got int 3"),
        ({"callbacks": print}, "callbacks must be a sequence of functions, got builtin_function_or_method"),
        ({"penalty": 0.1}, r"callbacks and penalty must be functions, got float 0\.1"),
        ({"model": lambda x: x}, r"a model must be callable on one sample and have parameters\(\), got function"),
        ({"model": MLP}, r"a model must be callable on one sample and have parameters\(\), got type"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_trained(tmp_path, change, match):
    """A ValueError or TypeError that names the argument and the value; no parameter changes, no file appears."""
    line = Line()
    arguments = {"model": line, "X": X[:, 0], "y": Y, "checkpoint": tmp_path / "run"} | change
    with pytest.raises((ValueError, TypeError), match=match):
        train(**arguments)
    assert weights(line) == [0.0, 0.0]
    assert names(tmp_path) == []


def test_a_loss_that_remembers_nothing_is_refused():
    """A model on plain numbers, or training inside no_grad: an error, not a run that never learns."""
    with pytest.raises(TypeError, match="remembers no computation"):
        train(Custom(lambda w, x: w.data * x), [1.0], [2.0])
    with no_grad(), pytest.raises(TypeError, match="outside no_grad"):
        train(Line(), [1.0], [2.0])


def test_no_epochs_change_nothing():
    """epochs=0 is a run with an empty history."""
    line = Line(3.0)
    history = train(line, [1.0], [2.0], epochs=0, patience=2)
    assert (history.n_iter, history.best_epoch, history.stopped, weights(line)) == (0, 0, "epochs", [3.0, 0.0])
