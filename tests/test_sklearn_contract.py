"""The estimators keep scikit-learn's contract: its own checks, and the tools that rely on it."""

import subprocess
import sys
import warnings
from collections import Counter

import numpy as np
import pytest

from lessons.reference_figures import ESTIMATORS
from models import LinearRegression, MLPClassifier, MLPRegressor, Perceptron
from models.errors import NotFittedError

REASON = "scikit-learn is a development dependency"
sklearn = pytest.importorskip("sklearn", reason=REASON)

from sklearn.base import clone, is_classifier, is_regressor  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.exceptions import NotFittedError as TheirNotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

# scikit-learn skips this one itself unless SciPy was told, by an environment variable, to take arrays of others.
SKIPPED_BY_SKLEARN = {"check_array_api_input"}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_no_check_of_scikit_learn_fails(estimator):
    """check_estimator runs more than fifty checks: none fails, none is expected to fail, and only its own skip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks provoke warnings and judge themselves which are right
        results = check_estimator(estimator, on_skip=None, on_fail=None)
    counts = Counter(result["status"] for result in results)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] not in {"passed", "skipped"}}
    assert failed == {}
    assert {r["check_name"] for r in results if r["status"] == "skipped"} <= SKIPPED_BY_SKLEARN
    assert counts["passed"] > 50


def test_a_failure_would_be_seen():
    """The same call reports a fault: a classifier that forgets to say how many features it saw."""

    class Forgetful(Perceptron):
        def fit(self, X, y, sample_weight=None):
            super().fit(X, y, sample_weight)
            self.n_features_in_ = 0
            return self

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(Forgetful(max_iter=5), on_skip=None, on_fail=None)
    assert "check_n_features_in" in {r["check_name"] for r in results if r["status"] == "failed"}


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_hyperparameters_are_stored_unchanged_and_cloned(estimator):
    """Every keyword comes back as the object it was; a clone has the parameters and nothing learnt."""
    values = {name: object() for name in estimator.get_params()}
    assert all(value is values[name] for name, value in type(estimator)(**values).get_params().items())
    copied = clone(estimator.fit([[0.0], [1.0]], [0, 1]))
    assert copied.get_params() == estimator.get_params()
    assert not [name for name in vars(copied) if name.endswith("_")]
    with pytest.raises(ValueError, match=r"Invalid parameter 'depth' for .*Valid parameters are: \["):
        copied.set_params(depth=3)
    with pytest.raises(TypeError, match="positional argument"):
        type(estimator)(0.1)


def test_set_params_sets_all_or_nothing():
    """A nested name that leads nowhere is refused like any other, before the names that are right are set."""
    model = MLPRegressor(random_state=0)
    for wrong in ({"solver__x": 1}, {"depth": 1}, {"loss__x": 1}):
        with pytest.raises(ValueError, match=r"Invalid parameter '.*' for MLPRegressor"):
            model.set_params(alpha=5, **wrong)
        assert model.get_params() == MLPRegressor(random_state=0).get_params()
    nested = MLPRegressor(activation=Perceptron())
    with pytest.raises(ValueError, match=r"Invalid parameter 'activation__x' .*'learning_rate'"):
        nested.set_params(alpha=5, activation__max_iter=3, activation__x=1)
    assert (nested.alpha, nested.activation.max_iter) == (MLPRegressor().alpha, 1000)
    assert nested.set_params(activation__max_iter=3, alpha=5).activation.max_iter == 3


def test_warnings_point_at_the_users_line():
    """However deep the check is: a column of labels, names of columns, training that ended unfinished."""
    pandas = pytest.importorskip("pandas", reason="pandas is a development dependency")
    frame = pandas.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for model in (Perceptron(max_iter=1), MLPClassifier(max_iter=1), MLPRegressor(max_iter=1)):
            model.fit(frame, [[0], [1], [0], [1]])
            model.predict(frame.to_numpy())
            model.score(frame.to_numpy(), [[0], [1], [0], [1]])
    assert len(caught) > 10
    assert {warning.filename for warning in caught} == {__file__}


def test_repr_shows_what_was_set():
    """Defaults are left out, as scikit-learn does."""
    assert repr(MLPClassifier()) == "MLPClassifier()"
    assert repr(Perceptron(max_iter=5, random_state=None)) == "Perceptron(max_iter=5)"
    assert repr(LinearRegression(learning_rate=np.ones(2))) == "LinearRegression(learning_rate=array([1., 1.]))"


def test_pipelines_searches_and_cross_validation():
    """Scaled iris in a pipeline: cross-validated, and a grid search over a nested parameter picks the rate that learns."""
    X, y = load_iris(return_X_y=True)
    network = MLPClassifier(hidden_layer_sizes=(6,), batch_size=32, max_iter=15, random_state=0)
    pipeline = make_pipeline(StandardScaler(), network)
    search = GridSearchCV(pipeline, {"mlpclassifier__learning_rate": [1e-6, 0.05]}, cv=3)
    assert search.fit(X, y).best_params_ == {"mlpclassifier__learning_rate": 0.05}
    assert search.best_score_ > 0.9
    assert cross_val_score(make_pipeline(StandardScaler(), Perceptron(max_iter=50, random_state=0)), X, y).mean() > 0.8
    regression = make_pipeline(StandardScaler(), LinearRegression(learning_rate=0.1, epochs=50))
    assert cross_val_score(regression, X[:, :3], X[:, 3], cv=3, scoring="r2").shape == (3,)
    assert is_classifier(network)
    assert is_regressor(MLPRegressor())


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_data_frames(estimator):
    """Names of columns are kept, checked and warned about; a Series of targets and of weights will do."""
    pandas = pytest.importorskip("pandas", reason="pandas is a development dependency")
    frame = pandas.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]}, index=[7, 3, 5, 1])
    y = pandas.Series([0, 0, 1, 1], index=frame.index)
    model = clone(estimator).set_params(**({"random_state": 0} if "random_state" in estimator.get_params() else {}))
    plain = clone(model).fit(frame.to_numpy(), y.to_numpy())
    model.fit(frame, y, sample_weight=pandas.Series(np.ones(4), index=frame.index))
    assert model.feature_names_in_.tolist() == ["a", "b"]
    assert not hasattr(plain, "feature_names_in_")
    np.testing.assert_allclose(model.predict(frame), plain.predict(frame.to_numpy()))
    with pytest.raises(ValueError, match=r"should match those that were passed during fit; .*same order, \['a', 'b'\]"):
        model.predict(frame[["b", "a"]])
    with pytest.raises(ValueError, match=r"unseen at fit time: \['c'\]; seen at fit time, yet now missing: \['b'\]"):
        model.predict(frame.rename(columns={"b": "c"}))
    with pytest.warns(UserWarning, match="X does not have valid feature names, but .* was fitted with feature names"):
        model.predict(frame.to_numpy())
    with pytest.warns(UserWarning, match="X has feature names, but .* was fitted without feature names"):
        plain.predict(frame)
    before = dict(vars(model))
    with pytest.raises(TypeError, match="Feature names are only supported if all input features have string names"):
        model.fit(frame.rename(columns={"b": 1}), y)
    assert all(value is before[name] for name, value in vars(model).items())
    assert not hasattr(model.fit(frame.to_numpy(), y), "feature_names_in_")


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_metadata_routing(estimator):
    """Weights reach `fit` and `score` of the clones of a search in which they were requested, under any name; else not."""
    seen = []

    class Spy(type(estimator)):
        __init__ = type(estimator).__init__

        def fit(self, X, y, sample_weight=None):
            seen.append(("fit", None if sample_weight is None else sorted(set(sample_weight))))
            return super().fit(X, y, sample_weight)

        def score(self, X, y, sample_weight=None):
            seen.append(("score", None if sample_weight is None else sorted(set(sample_weight))))
            return super().score(X, y, sample_weight)

    X, y = np.arange(12.0)[:, None] % 4, np.arange(12) % 2
    grid = {name: [2] for name in ("epochs", "max_iter") if name in estimator.get_params()}
    with sklearn.config_context(enable_metadata_routing=True):
        spy = Spy(**estimator.get_params()).set_fit_request(sample_weight="importance")
        for wanted, given in (("importance", [3.0]), (False, None)):
            seen.clear()
            spy.set_score_request(sample_weight=wanted)
            GridSearchCV(spy, grid, cv=2).fit(X, y, importance=np.full(12, 3.0))
            assert all(each == (("fit", [3.0]) if each[0] == "fit" else ("score", given)) for each in seen)
            assert {name for name, _ in seen} == {"fit", "score"}
        make_pipeline(StandardScaler(), spy).fit(X, y, importance=np.full(12, 5.0))
        assert seen[-1] == ("fit", [5.0])
        with pytest.raises((TypeError, ValueError), match=r"sample_weight.*not (explicitly )?set as requested"):
            GridSearchCV(Spy(), grid, cv=2).fit(X, y, sample_weight=np.ones(12))
        assert clone(spy).get_metadata_routing().fit.requests == {"sample_weight": "importance"}
        assert Spy().get_metadata_routing().score.requests == {"sample_weight": None}
        if hasattr(estimator, "partial_fit"):
            asked = Spy().set_partial_fit_request(sample_weight="importance").get_metadata_routing()
            assert asked.partial_fit.requests["sample_weight"] == "importance"
            assert asked.fit.requests == {"sample_weight": None}
        with pytest.raises(TypeError, match=r"fit of Spy takes no 'weight' to request, only \['sample_weight'\]"):
            spy.set_fit_request(weight=True)


def test_text_labels_and_columns_of_labels():
    """pandas' text comes back as text; a column is flattened, with scikit-learn's own warning."""
    pandas = pytest.importorskip("pandas", reason="pandas is a development dependency")
    X = [[0.0], [1.0], [2.0], [3.0]]
    model = Perceptron().fit(X, pandas.Series(["low", "low", "high", "high"]))
    assert model.predict(X).tolist() == ["low", "low", "high", "high"]
    with pytest.warns(
        sklearn.exceptions.DataConversionWarning, match="A column-vector y was passed when a 1d array was expected"
    ):
        Perceptron().fit(X, [[0], [0], [1], [1]])


def test_exceptions_are_scikit_learns_where_it_is_loaded():
    """Here its NotFittedError and ConvergenceWarning are raised, which its tools look for."""
    with pytest.raises(TheirNotFittedError):
        LinearRegression().predict([[1.0]])
    with pytest.warns(ConvergenceWarning):
        Perceptron(max_iter=2).fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])


def test_nothing_of_scikit_learn_is_needed():
    """In a process that never loads it all four fit, predict, score and copy; errors are our own classes."""
    code = """
import sys, warnings, copy
from models import LinearRegression, MLPClassifier, MLPRegressor, Perceptron
from models.errors import NotFittedError
warnings.simplefilter("ignore")
X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
for kind in (LinearRegression, MLPClassifier, MLPRegressor, Perceptron):
    model = kind().set_params(**({"max_iter": 2} if "max_iter" in kind().get_params() else {}))
    try:
        model.predict(X)
    except NotFittedError:
        pass
    copy.deepcopy(model.fit(X, y)).score(X, y)
try:
    model.__sklearn_tags__()
except RuntimeError as error:
    assert "import sklearn" in str(error)
try:
    model.set_fit_request(sample_weight=True)
except RuntimeError as error:
    assert "import sklearn" in str(error)
else:
    sys.exit("requests are scikit-learn's")
sys.exit("sklearn" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert issubclass(NotFittedError, (ValueError, AttributeError))
