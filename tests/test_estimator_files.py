"""Estimators in files: saved and loaded without code, and fits that a killed process loses nothing of."""

import signal
import subprocess
import sys
import textwrap
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
from models.checkpoints import write_container
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
from models import MLPClassifier, MLPRegressor
warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(60, 3))
settings = {settings}
model = {kind}(hidden_layer_sizes=(6,), batch_size=10, max_iter=150, n_iter_no_change=150, **settings)
model.fit(X, X[:, 0] > 0 if {classify} else X[:, 0], checkpoint=sys.argv[2])
"""


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("MLPClassifier", {"random_state": 3}), ("MLPRegressor", {"random_state": 3, "early_stopping": True})],
)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
def test_a_fit_that_was_killed_loses_nothing(kind, settings, tmp_path):
    """SIGKILL at three moments, the same call again: weights and curves are those of a fit that nobody disturbed."""
    root = str(Path(__file__).resolve().parent.parent)
    program = textwrap.dedent(PROGRAM).format(kind=kind, settings=settings, classify=kind == "MLPClassifier")
    path = tmp_path / "run"
    killed = 0
    for wait in (0.05, 0.1, 0.15):
        process = subprocess.Popen([sys.executable, "-c", program, root, str(path)])
        limit = time.monotonic() + 60
        while not path.exists() and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.005)
        time.sleep(wait)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
    assert killed
    data = np.random.default_rng(0).normal(size=(60, 3))
    y = data[:, 0] > 0 if kind == "MLPClassifier" else data[:, 0]
    make = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[kind]
    same = {"hidden_layer_sizes": (6,), "batch_size": 10, "max_iter": 150, "n_iter_no_change": 150, **settings}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        resumed, whole = make(**same).fit(data, y, checkpoint=path), make(**same).fit(data, y)
    assert resumed.loss_curve_ == whole.loss_curve_
    assert resumed.validation_curve_ == whole.validation_curve_
    for ours, theirs in zip(resumed.coefs_ + resumed.intercepts_, whole.coefs_ + whole.intercepts_, strict=True):
        np.testing.assert_array_equal(ours, theirs)


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
