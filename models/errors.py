"""Every exception and warning class of `models`, and which to catch for what.

    Exception
    ├── CheckpointError            a file of weights or of a training run cannot be written, read or used here
    ├── ArithmeticError
    │   └── TrainingError          a loss, gradient or parameter stopped being finite while training
    ├── ValueError
    │   └── NotFiniteError         a gradient is infinite or NaN, or a step would make a parameter so
    ├── ValueError, AttributeError
    │   └── NotFittedError         an estimator was asked for what only `fit` gives it
    └── TypeError, ValueError
        └── SettingError           a setting of the wrong kind, such as text where a number belongs

    UserWarning
    ├── ConvergenceWarning         training ended, and what it learned may not be what was wanted
    └── DataConversionWarning      data were reshaped to what a method takes

Other arguments of the wrong kind raise a plain TypeError, those with a wrong value a plain ValueError, before anything
has changed. All names can be imported from `models`; those of the engine are drawn in the same way in
`autodiff.errors`. Where scikit-learn is loaded, what is raised or warned is also its class of the same name, so that
`except` and warning filters for either catch it.

>>> from models import MLPRegressor, NotFittedError
>>> try:
...     MLPRegressor().predict([[1.0]])
... except NotFittedError as error:
...     print(error)
this MLPRegressor is not fitted yet; call fit(X, y) first
"""

from __future__ import annotations

import sys
import tomllib
import warnings
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from autodiff.wording import Texts

say = Texts("models")


class CheckpointError(Exception):
    """A file of weights or of a training run that cannot be written or read, or belongs to something else."""


class TrainingError(ArithmeticError):
    """Training stopped where arithmetic ends; the parameters are those after the last complete epoch.

    `epoch` and `batch` count from 1 (batch 0: the validation samples, or the epoch as a whole); `history` is that of
    the complete epochs. `node` names where the first infinite or NaN number appeared, or the operand outside its
    domain: by its label, else by operation and operands ("" if the loss was not computed from Values).
    """

    def __init__(  # Any: history is a History, of a module that imports this one
        self, problem: str, *, node: str = "", epoch: int = 0, batch: int = 0, history: Any = None
    ) -> None:
        super().__init__(problem)
        self.node, self.epoch, self.batch, self.history = node, epoch, batch, history


class NotFiniteError(ValueError):
    """A gradient is not finite, or the step would make a parameter so; `node` names the parameter."""

    def __init__(self, problem: str, node: str = "") -> None:
        super().__init__(problem)
        self.node = node


class NotFittedError(ValueError, AttributeError):
    """An estimator was used before `fit`."""


class SettingError(TypeError, ValueError):
    """A setting of the wrong kind; a TypeError and a ValueError, as scikit-learn's InvalidParameterError is."""


class ConvergenceWarning(UserWarning):
    """Training ended unfinished, or what it reached is suspicious; the message says what to do."""


class DataConversionWarning(UserWarning):
    """Data were reshaped to what a method takes."""


def shared(own: type[Any]) -> type[Any]:  # Any: own, result: of scikit-learn's
    """Return `own`, or where the caller has loaded scikit-learn a class that is also its class of the same name.

    >>> issubclass(shared(NotFittedError), NotFittedError)
    True
    """
    theirs = getattr(sys.modules.get("sklearn.exceptions"), own.__name__, None)
    return own if theirs is None else _both(own, theirs)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line outside this package that led here: the user's, or that of a tool acting for them."""
    frame, level = sys._getframe(), 1
    package = __name__.partition(".")[0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def elsewhere(kind: str, name: str, known: Iterable[str]) -> str:
    """Return which of the `known` names other libraries call `name`, "" for none; `kind` is "settings" or "values"."""
    return next((own for own, others in table("elsewhere")[kind].items() if name in others and own in known), "")


@cache
def table(name: str) -> dict[str, Any]:  # Any: what TOML holds
    """Return the table of that name in the folder `data`."""
    return tomllib.loads(resources.files("models").joinpath("data", f"{name}.toml").read_text(encoding="utf-8"))


@cache
def _both(own: type[Any], theirs: type[Any]) -> type[Any]:
    def reduce(self: Any) -> Any:  # a class made here cannot be found by its name in another process
        return _remade, (own, self.args)

    names = {"__module__": own.__module__, "__doc__": own.__doc__, "__reduce__": reduce}
    return type(own.__name__, (own, theirs), names)


def _remade(own: type[Any], args: tuple[Any, ...]) -> Any:
    return shared(own)(*args)
