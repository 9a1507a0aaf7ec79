"""Estimators in files: saved and loaded without code, and fits that a killed process loses nothing of."""

import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from autodiff import OPS
from models import (
    MLP,
    CheckpointError,
    LinearRegression,
    MLPClassifier,
    MLPRegressor,
    Perceptron,
)
from models.checkpoints import read_container, write_container
from models.schedules import cosine_decay, warmup

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*took all max_iter"),
    pytest.mark.filterwarnings("ignore:.*passes still made"),
    pytest.mark.filterwarnings("ignore:.*have slope 0"),
    pytest.mark.filterwarnings("ignore:.*has not come to the least-squares solution"),
]

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)
TEXT = np.array(["no", "yes"])[Y]
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 6}

FITTED = {
    "classifier": lambda: MLPClassifier(**SMALL, random_state=0).fit(X, Y),
    "text, Ops, schedules": lambda: MLPClassifier(
        hidden_layer_sizes=[3, 2], activation=("tanh", OPS["erf"]), learning_rate=warmup(cosine_decay(0.1, 100), 5),
        max_iter=5, early_stopping=True, class_weight={"no": 2}, random_state=np.random.default_rng(1),
    ).fit(X, TEXT),
    "regressor": lambda: MLPRegressor(**SMALL, loss="huber", random_state=np.random.RandomState(3)).fit(X, X[:, :2]),
    "three classes": lambda: MLPClassifier(**SMALL, random_state=np.random.MT19937(4)).fit(X, np.arange(40) % 3),
    "bytes": lambda: MLPClassifier(**SMALL, random_state=0).fit(X, np.array([b"no", b"\xff"])[np.arange(40) % 2]),
    "line": lambda: LinearRegression(epochs=5).fit(X, X[:, 0]),
    "perceptron": lambda: Perceptron(random_state=1, max_iter=3).fit(X, Y),
    "from a network": lambda: MLPClassifier.from_network(MLP(3, [4, 3], random_state=0)),
    "not fitted": lambda: MLPRegressor(alpha=0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", FITTED)
def test_a_saved_estimator_is_what_it_was_and_trains_on_alike(name, tmp_path):
    """Predictions, settings and another call of fit are the same to the last bit."""
    one = FITTED[name]()
    one.save(tmp_path / "file")
    two = type(one).load(tmp_path / "file")
    assert set(vars(two)) == set(one.__getstate__())
    plain = {key: value for key, value in one.get_params().items() if key != "random_state"}
    assert {key: two.get_params()[key] for key in plain} == plain
    if name == "not fitted":
        return
    assert one.predict(X).tolist() == two.predict(X).tolist()
    answers = one.predict(X)
    for model in (one, two):
        if getattr(model, "early_stopping", False):
            model.set_params(warm_start=True).fit(X, TEXT)
        else:
            model.partial_fit(X, answers)
    assert one.predict(X).tolist() == two.predict(X).tolist()
    assert np.ravel(one.loss_curve_).tolist() == np.ravel(two.loss_curve_).tolist()


def test_names_of_columns_are_saved(tmp_path):
    """A data frame's columns are checked after loading as before."""
    pandas = pytest.importorskip("pandas", reason="pandas is a development dependency")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    MLPClassifier(**SMALL, random_state=0).fit(frame, Y).save(tmp_path / "file")
    model = MLPClassifier.load(tmp_path / "file")
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["b", "a", "c"]])


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": lambda output, target: (output - target) ** 2},
        {"learning_rate": lambda step: 0.1},
        {"random_state": object()},
    ],
    ids=["loss", "learning_rate", "random_state"],
)
def test_what_only_code_could_restore_is_refused_by_name(settings, tmp_path):
    """Nothing is written then."""
    (name,) = settings
    with pytest.raises(CheckpointError, match=rf"cannot save MLPRegressor: {name}=.* would need its code"):
        MLPRegressor(**settings).save(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


class Mine(MLPClassifier):
    """A subclass of a user's, with a setting of its own."""

    def __init__(self, width=4, **others):
        super().__init__(hidden_layer_sizes=(width,), **others)
        self.width = width


def test_a_file_belongs_to_its_class(tmp_path):
    """Another class, another kind of file and another set of settings are refused; a subclass loads its own."""
    MLPClassifier(**SMALL).fit(X, Y).save(tmp_path / "file")
    for other in (MLPRegressor, Perceptron, Mine):
        with pytest.raises(CheckpointError, match=f"it holds a MLPClassifier, where {other.__name__} is wanted"):
            other.load(tmp_path / "file")
    write_container(tmp_path / "weights", "parameters", {"labels": []}, {})
    with pytest.raises(CheckpointError, match="it holds parameters, where estimator is wanted"):
        MLPClassifier.load(tmp_path / "weights")
    facts = {"class": "MLPClassifier", "settings": ["alpha"], "state": {}}
    write_container(tmp_path / "newer", "estimator", facts, {})
    with pytest.raises(CheckpointError, match="its settings must be those of this MLPClassifier"):
        MLPClassifier.load(tmp_path / "newer")
    Mine(width=5, max_iter=3).fit(X, Y).save(tmp_path / "mine")
    again = Mine.load(tmp_path / "mine")
    assert again.width == 5
    assert again.predict(X).shape == (40,)


@pytest.mark.parametrize(
    "value", [["op", "os.system"], ["loss", "eval"], ["generator", "os", 1], ["array", "object"], ["array", "V8", [1], [1]],
              ["nonsense"], ["scaling", ["dict", [["x", 1]]]], ["schedule", "os", 3], [], ["list", 3]],
)  # fmt: skip
def test_a_file_that_save_did_not_write_is_refused(value, tmp_path):
    """Names are looked up in tables, never imported; whatever else is in there is a CheckpointError."""
    model = MLPClassifier()
    settings = model._get_param_names()
    state = dict.fromkeys(settings) | {"activation": value}
    write_container(
        tmp_path / "file", "estimator", {"class": "MLPClassifier", "settings": settings, "state": state}, {}
    )
    with pytest.raises(CheckpointError, match="it is not what save wrote"):
        MLPClassifier.load(tmp_path / "file")


PROGRAM = """
import sys, warnings
import numpy as np
sys.path.insert(0, sys.argv[1])
import models
warnings.simplefilter("ignore")
random = np.random.default_rng(0)
X = random.normal(size=(60, 3))
y = {y}
model = models.{kind}({settings}).fit(X, y, checkpoint=sys.argv[2])
"""
LONG = "hidden_layer_sizes=(6,), batch_size=10, max_iter=900, n_iter_no_change=900, random_state=3"
KILLED = {
    "MLPClassifier": ("MLPClassifier", LONG, "X[:, 0] > 0"),
    "MLPRegressor": ("MLPRegressor", f"{LONG}, early_stopping=True", "X[:, 0]"),
    "LinearRegression": ("LinearRegression", "learning_rate=1e-4, epochs=30_000", "X @ [1.0, 2.0, 3.0] + random.normal(size=60)"),
    "Perceptron": ("Perceptron", "max_iter=900, random_state=3", "random.integers(3, size=60)"),
    "Perceptron, early": (
        "Perceptron", "max_iter=900, random_state=3, early_stopping=True, n_iter_no_change=600",
        "random.integers(2, size=60)",
    ),
    "Perceptron, a long cycle": (
        "Perceptron", "max_iter=1500, shuffle=False, learning_rate=0.1", "random.integers(2, size=60)"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KILLED)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
def test_a_fit_that_was_killed_loses_nothing(name, tmp_path):
    """SIGKILL at two moments, the same call again: all that is kept is that of a fit that nobody disturbed."""
    root = str(Path(__file__).resolve().parent.parent)
    kind, settings, y = KILLED[name]
    program = PROGRAM.format(kind=kind, settings=settings, y=y)
    path = tmp_path / "run"
    killed, size = 0, 0
    for wait in (0.0, 0.02):
        process = subprocess.Popen([sys.executable, "-c", program, root, str(path)])
        limit = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < limit:
            time.sleep(0.002)
            if path.exists() and path.stat().st_size > size > 0:
                break  # it has gone on from where it was
            size = size or (path.stat().st_size if path.exists() else 0)
        time.sleep(wait)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        size = path.stat().st_size
    assert killed >= 1
    resumed, whole = (learned_by(program, root, each) for each in (str(path), None))
    assert resumed == whole
    assert resumed["n_iter_"] > 100


def learned_by(program, root, checkpoint):
    """Run the program in this process; return what its model learned, as lists."""
    space = {}
    with warnings.catch_warnings():
        exec(program.replace("sys.argv[1]", repr(root)).replace("sys.argv[2]", repr(checkpoint)), space)
    learned = {name: x for name, x in vars(space["model"]).items() if name.endswith("_") and name != "diagnosis_"}
    return {name: [np.ravel(each).tolist() for each in x] if isinstance(x, (list, np.ndarray)) else x
            for name, x in learned.items()}  # fmt: skip


def test_a_perceptrons_checkpoint_belongs_to_its_run(tmp_path):
    """Other data, settings and fewer passes are refused, and a failure in the first pass bars no corrected call."""
    y = np.random.default_rng(1).integers(2, size=40)
    Perceptron(max_iter=5, random_state=0).fit(X, y, checkpoint=tmp_path / "run")
    for settings, data, what in (
        ({"learning_rate": 2.0}, X, "learning_rate was 1.0 and is 2.0"), ({}, X + 1, "data"),
        ({"random_state": 1}, X, "random_state was 0 and is 1"),
        ({"random_state": np.int64(1)}, X, "random_state was 0 and is 1"), ({"max_iter": 4}, X, "max_iter must be at least the 5"),
    ):  # fmt: skip
        with pytest.raises(CheckpointError, match=what):
            Perceptron(**{"max_iter": 5, "random_state": 0} | settings).fit(data, y, checkpoint=tmp_path / "run")
    longer = Perceptron(max_iter=9, random_state=0).fit(X, y, checkpoint=tmp_path / "run")
    assert longer.coef_.tolist() == Perceptron(max_iter=9, random_state=0).fit(X, y).coef_.tolist()
    facts, _ = read_container(tmp_path / "run", "passes")
    write_container(tmp_path / "other", "passes", facts | {"state": {}}, {})
    with pytest.raises(CheckpointError, match="it is not what fit wrote"):
        Perceptron(max_iter=5, random_state=0).fit(X, y, checkpoint=tmp_path / "other")
    huge = Perceptron(learning_rate=1e308)
    with pytest.raises(ValueError, match="no longer finite"):
        huge.fit([[1e10], [2e10], [3e10]], [0, 1, 0], checkpoint=tmp_path / "huge")
    huge.set_params(learning_rate=1.0, max_iter=2).fit(
        [[1e10], [2e10], [3e10]], [0, 1, 0], checkpoint=tmp_path / "huge"
    )
    with pytest.raises(ValueError, match="leaves none"):
        Perceptron(early_stopping=True, validation_fraction=0.99).fit(X, y, checkpoint=tmp_path / "held")
    assert not (tmp_path / "held").exists()


def test_least_squares_at_once_has_no_checkpoint(tmp_path):
    """It takes no steps between which a file could be written; a descent of other data is refused."""
    with pytest.raises(ValueError, match='checkpoint must be None with solver="lstsq", which takes no steps'):
        LinearRegression(solver="lstsq").fit(X, X[:, 0], checkpoint=tmp_path / "run")
    model = LinearRegression(epochs=5).fit(X, X[:, 0], checkpoint=tmp_path / "run")
    with pytest.raises(CheckpointError, match="data"):
        LinearRegression(epochs=5).fit(X, X[:, 1], checkpoint=tmp_path / "run")
    further = LinearRegression(epochs=9).fit(X, X[:, 0], checkpoint=tmp_path / "run")
    assert further.loss_curve_[:6] == model.loss_curve_
    assert further.coef_.tolist() == LinearRegression(epochs=9).fit(X, X[:, 0]).coef_.tolist()


def test_without_a_seed_a_checkpoint_still_holds_out_the_same_samples(tmp_path):
    """A second process draws nothing anew: fit resumes, and a finished file trains nothing more."""
    settings = {**SMALL, "early_stopping": True, "n_iter_no_change": 50}
    first = MLPClassifier(**settings | {"max_iter": 3}).fit(X, Y, checkpoint=tmp_path / "run")
    longer = MLPClassifier(**settings).fit(X, Y, checkpoint=tmp_path / "run")
    assert longer.loss_curve_[:3] == first.loss_curve_
    assert longer.n_iter_ == 6
    again = MLPClassifier(**settings).fit(X, Y, checkpoint=tmp_path / "run")
    assert again.loss_curve_ == longer.loss_curve_
    assert again.predict_proba(X).tolist() == longer.predict_proba(X).tolist()


@pytest.mark.parametrize(
    ("change", "what"),
    [({"alpha": 0.5}, "penalty"), ({"random_state": 4}, "random_state"), ({"hidden_layer_sizes": (5,)}, "parameters"),
     ({"learning_rate": 0.5}, "learning_rate")],
)  # fmt: skip
def test_a_checkpoint_of_another_fit_is_refused_and_the_model_stays(change, what, tmp_path):
    """Another penalty, seed, network or rate belongs to another run, as other data do."""
    settings = {**SMALL, "random_state": 3}
    model = MLPClassifier(**settings).fit(X, Y, checkpoint=tmp_path / "run")
    before = model.predict_proba(X).tolist()
    with pytest.raises(CheckpointError, match=what):
        model.set_params(**change).fit(X, Y, checkpoint=tmp_path / "run")
    with pytest.raises(CheckpointError, match="data"):
        MLPClassifier(**settings).fit(X + 1, 1 - Y, checkpoint=tmp_path / "run")
    assert model.predict_proba(X).tolist() == before
