"""The one module of argument checks, and the exceptions and warnings of `models`."""

import inspect
import math
import pickle
import sys
import types

import numpy as np
import pytest

import models
from autodiff import Value
from models import MLPClassifier, MLPRegressor, Perceptron, _checks, errors
from models.optimizers import GradientDescent, RMSProp
from models.perturbation import random_perturbation


@pytest.mark.parametrize(
    ("check", "inside", "outside"),
    [
        (_checks.positive, [1e-308, 1, np.float32(2.0)], [0, -1, math.inf, math.nan]),
        (_checks.not_negative, [0, 0.0, 1], [-1e-308, math.inf, math.nan]),
        (_checks.fraction, [0, 0.5, 1 - 2**-53], [-0.1, 1, 1.5, math.nan]),
        (_checks.share, [0.5, 1 - 2**-53], [0, 1, 1.5, math.nan]),
    ],
)
def test_the_ends_of_every_range(check, inside, outside):
    """Momentum may be 0 and validation_fraction may not: each has its own check, and neither may be 1."""
    for x in inside:
        assert check("x", x) == x
        assert type(check("x", x)) is float
    for x in outside:
        with pytest.raises(ValueError, match=r"^x must be .*, got "):
            check("x", x)


@pytest.mark.parametrize("check", [_checks.positive, _checks.not_negative, _checks.fraction, _checks.share])
@pytest.mark.parametrize("x", ["0.5", None, [0.5], True, np.True_, 0.5j])
def test_a_setting_of_the_wrong_kind_is_a_type_error_and_a_value_error(check, x):
    """As scikit-learn's InvalidParameterError is: whoever catches either catches it."""
    for kind in (TypeError, ValueError, models.SettingError):
        with pytest.raises(kind, match=r"^x must be .*, got "):
            check("x", x)


@pytest.mark.parametrize("x", [0, -1, 1.0, "1", None, True, np.True_])
def test_what_is_not_a_whole_number(x):
    """One wording wherever things are counted: networks, schedules, estimators, searches."""
    for call in (
        lambda: _checks.whole("n", x),
        lambda: models.MLP(x, [1]),
        lambda: random_perturbation([Value(0.0)], lambda: 0.0, steps=x),
        lambda: MLPRegressor(max_iter=x).fit([[1.0], [2.0]], [1.0, 2.0]),
    ):
        with pytest.raises(ValueError, match=r" must be a whole number, 1 or more, got "):
            call()


def test_no_momentum_and_nothing_held_out():
    """0 of momentum and of smoothing are settings that mean something; 0 of a validation share does not."""
    w = [Value(1.0, "w"), Value(0.0, "b")]
    assert GradientDescent(w, momentum=0).momentum == 0
    assert RMSProp(w, smoothing=0).smoothing == 0
    for model in (MLPClassifier(validation_fraction=0), Perceptron(validation_fraction=0)):
        with pytest.raises(ValueError, match="validation_fraction must be above 0 and below 1, got 0"):
            model.fit([[0.0], [1.0]], [0, 1])


CLASSES = [each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == "models.errors"]


def test_every_exception_and_warning_stands_in_one_module_and_in_its_drawing():
    """All come from `models`; the drawing in the docstring has each below its bases."""
    drawing = errors.__doc__.split("Other arguments")[0]
    lines = drawing.splitlines()
    assert len(CLASSES) >= 7
    for each in CLASSES:
        assert getattr(models, each.__name__) is each
        assert each.__name__ in models.__all__
        at = next(i for i, line in enumerate(lines) if f"─ {each.__name__} " in line)
        depth = lines[at].index("─ ")
        above = next(line for line in reversed(lines[:at]) if line.strip("│ ") and _depth(line) < depth)
        for base in each.__bases__:
            assert base.__name__ in above, (each, above)
    for path in ("training", "checkpoints", "perceptron_rule"):
        assert not [
            each
            for each in vars(__import__(f"models.{path}", fromlist=["_"])).values()
            if isinstance(each, type) and issubclass(each, (Exception, Warning)) and each.__module__ == f"models.{path}"
        ]


def _depth(line):
    return line.index("─ ") if "─ " in line else 0


@pytest.mark.parametrize("own", [models.NotFittedError, models.ConvergenceWarning, models.DataConversionWarning])
def test_what_is_raised_beside_scikit_learn_is_both_its_class_and_ours(monkeypatch, own):
    """`except` for either catches it, and it can be sent to another process; with no scikit-learn it is ours alone."""
    theirs = type(own.__name__, own.__bases__, {})
    monkeypatch.setitem(sys.modules, "sklearn.exceptions", types.SimpleNamespace(**{own.__name__: theirs}))
    raised = errors.shared(own)
    assert issubclass(raised, own)
    assert issubclass(raised, theirs)
    assert raised.__name__ == own.__name__
    again = pickle.loads(pickle.dumps(raised("told")))
    assert type(again) is raised
    assert again.args == ("told",)
    monkeypatch.delitem(sys.modules, "sklearn.exceptions")
    assert errors.shared(own) is own


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor, Perceptron, models.LinearRegression])
def test_hyperparameters_are_keywords_with_their_defaults_and_stored_unchanged(estimator):
    """What `inspect` and an editor see of `__init__` is what the fields say; nothing may be passed by place."""
    parameters = inspect.signature(estimator).parameters
    assert set(parameters) == set(estimator().get_params(deep=False))
    assert {each.kind for each in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert all(getattr(estimator(), name) == each.default for name, each in parameters.items())
    marks = {name: object() for name in parameters}
    assert all(getattr(estimator(**marks), name) is mark for name, mark in marks.items())
    with pytest.raises(TypeError, match="positional"):
        estimator(1)
