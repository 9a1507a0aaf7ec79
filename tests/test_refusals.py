"""Bad input that few people give, each refused by name and before anything changes; and answers that few people ask for."""

import math
import operator
import pickle
import sys

import numpy as np
import pytest

from autodiff import OPS, DomainError, Value, draw, exp, grad, weighted_sum
from models import LinearRegression, MLPClassifier, MLPRegressor, Perceptron
from models.losses import squared_error
from models.training import TrainingError, loss_and_gradients, train

X, Y = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]), np.array([0, 1, 1, 0])


def test_variables_of_a_function_without_signature_are_numbered_in_errors():
    """Some functions written in C, as operator.attrgetter's, do not say what they call their arguments."""

    class Silent:
        __signature__ = "nonsense"

        def __call__(self, x):
            return OPS["log"](x)

    with pytest.raises(DomainError, match="in 'argument0'"):
        grad(Silent())(-1.0)


def test_numpy_asks_a_value_whether_it_is_infinite():
    """np.isinf, isnan and isfinite answer with a bool."""
    assert [np.isinf(Value(x)) for x in (math.inf, -math.inf, 1.0, math.nan)] == [True, True, False, False]


def test_rows_of_the_table_stay_themselves_through_pickle():
    """A pickled graph refers to the rows by name."""
    assert all(pickle.loads(pickle.dumps(op)) is op for op in OPS.values())


@pytest.mark.parametrize("model", [LinearRegression(), MLPRegressor(), Perceptron(), MLPClassifier()], ids=repr)
@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        (X.astype("datetime64[s]"), Y, TypeError, "dates or durations"),
        (X[None], Y, ValueError, r"X must be \(n_samples, n_features\), got \(1, 4, 2\); X.reshape\(len\(X\), -1\)"),
        (X, Y[:3], ValueError, "3"),
        (X * 1j, Y, ValueError, "Complex data not supported"),
        (X, Y * 1j, ValueError, "Complex data not supported"),
        (X, None, ValueError, "y"),
    ],
    ids=["dates", "cube", "short", "complex X", "complex y", "no y"],
)
def test_data_that_are_none_are_refused_and_nothing_is_fitted(model, X, y, error, message):
    """By every estimator, with a message that names what is wrong."""
    with pytest.raises(error, match=message):
        model.fit(X, y)
    assert not model.__sklearn_is_fitted__()


def test_targets_of_another_shape_than_before_are_refused():
    """In score, and when a fit goes on from an earlier one."""
    line = LinearRegression(learning_rate=0.1, warm_start=True, epochs=2).fit(X, Y)
    with pytest.raises(ValueError, match="y has 2 targets and the model predicts 1"):
        line.score(X, np.column_stack([Y, Y]))
    with pytest.raises(ValueError, match=r"y must be \(n_samples, \) as before, got \(4, 2\)"):
        line.fit(X, np.column_stack([Y, Y]))
    with pytest.raises(ValueError, match="y must be"):
        LinearRegression().fit(X, np.zeros((4, 0)))


@pytest.mark.filterwarnings("ignore:MLPClassifier took all")
@pytest.mark.parametrize("model", [Perceptron(warm_start=True), MLPClassifier(warm_start=True, max_iter=1)], ids=repr)
def test_a_fit_that_goes_on_keeps_its_classes(model):
    """With warm_start, labels that were not there before are refused and the model stays as it was."""
    model.fit(X, Y)
    before = model.predict(X).tolist()
    with pytest.raises(ValueError, match=r"warm_start needs the classes of the last fit, \[0, 1\], got \[0, 2\]"):
        model.fit(X, Y * 2)
    assert model.predict(X).tolist() == before


def test_one_weight_for_all_samples_changes_nothing():
    """A number in place of an array of weights is that weight for every sample."""
    fitted = [LinearRegression(epochs=50).fit(X, Y, sample_weight=w).coef_.tolist() for w in (None, 2.0)]
    assert fitted[0] == pytest.approx(fitted[1], rel=1e-12)


class Callable:
    def __init__(self, parameters):
        self.listed = parameters

    def parameters(self):
        return self.listed

    def __call__(self, x):
        return x


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ([], ValueError, r"<test_refusals\.Callable object"),
        ([Value(1.0), 2.0], TypeError, r"parameters must be Values, got float 2\.0 at 1"),
    ],
)
def test_a_model_with_nothing_to_train_is_refused(parameters, error, message):
    """No parameters, or something among them that is not a Value."""
    with pytest.raises(error, match=message):
        train(Callable(parameters), [1.0], [1.0])


def test_a_parameter_without_label_is_named_by_its_number():
    """And a constant leaf by its value."""
    w, far = Value(0.0), Value(800.0)
    model = Callable([w])
    model.__class__ = type(
        "Model", (Callable,), {"__call__": lambda self, x: weighted_sum([self.listed[0]], [x], 0.0) + exp(far)}
    )
    with pytest.raises(TrainingError, match=r"exp\(800\)"):
        train(model, [1.0], [1.0], epochs=1)
    far.data = math.inf
    model.__class__ = type("Model", (Callable,), {"__call__": lambda self, x: self.listed[0] * x + far})
    with pytest.raises(TrainingError, match=r"first seen in a leaf of inf without a label = inf"):
        train(model, [1.0], [1.0], epochs=1)
    model.listed.append(far)
    with pytest.raises(TrainingError, match=r"first seen in parameter 1 = inf"):
        batch = [1.0], [1.0]
        loss_and_gradients(model, model.listed, squared_error, *batch)


def test_a_domain_left_by_every_sample_is_named():
    """By the model, whose outputs nobody can then count, or by a loss of one's own."""
    model = Callable([Value(1.0, "w")])
    model.__class__ = type("Model", (Callable,), {"__call__": lambda self, x: OPS["log"](self.listed[0] * x)})
    with pytest.raises(TrainingError, match=r"log of -2"):
        train(model, [-2.0, -3.0], [1.0, -1.0], loss="hinge")
    with pytest.raises(ValueError, match=r"log of .*; this MLPRegressor is as it was$"):
        MLPRegressor(loss=lambda output, target: OPS["log"](output - 1e9)).fit(X, Y)


def test_one_pass_cannot_stop_early():
    """partial_fit of a perceptron sees its rows once, and says what to call instead."""
    with pytest.raises(ValueError, match=r"cannot stop early; set early_stopping=False, or call fit"):
        Perceptron(early_stopping=True).partial_fit(X, Y, classes=[0, 1])


def test_hyperparameters_of_hyperparameters_are_told_when_asked_for():
    """As scikit-learn has it: `name__inner`, unless deep=False; set the same way."""
    model = Perceptron(random_state=Perceptron(max_iter=7))
    assert model.get_params()["random_state__max_iter"] == 7
    assert not any("__" in name for name in model.get_params(deep=False))
    assert model.set_params(random_state__max_iter=8).random_state.max_iter == 8


def test_what_scikit_learn_alone_can_say_asks_for_it(monkeypatch):
    """Its tags and requests are made of its own classes, which are not imported for them."""
    for module in ("sklearn.utils", "sklearn.utils.metadata_routing"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    for call in (Perceptron().__sklearn_tags__, Perceptron().get_metadata_routing):
        with pytest.raises(RuntimeError, match=r"scikit-learn is not loaded.*; import sklearn"):
            call()


def test_a_picture_can_be_shown_at_once(tmp_path, monkeypatch):
    """view=True hands the image to graphviz's own viewer."""
    shown = []
    monkeypatch.setattr("graphviz.view", shown.append)
    path = draw(Value(1.0) * 2.0).render(outfile=tmp_path / "picture.svg", view=True)
    assert [str(x) for x in shown] == [path]
    assert operator.contains((tmp_path / "picture.svg").read_text(), "<svg")
