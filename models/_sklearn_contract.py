"""The contract of scikit-learn's estimators, kept without importing scikit-learn.

Hyperparameters are the fields of a class, one line each; the keywords of `__init__` are made of them, and it stores
them unchanged. What `fit` learns ends in an underscore. Tags, errors and warnings are scikit-learn's own classes where
the caller has it loaded.
"""

from __future__ import annotations

import copy
import inspect
import os
import sys
from dataclasses import dataclass
from functools import wraps
from typing import Any, Self, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from models import _checks as check
from models._checks import Array
from models.errors import NotFittedError, SettingError, shared

T = TypeVar("T")

_ROUTED_METHODS = ("fit", "partial_fit", "score")
_NO_METADATA = {"self", "X", "y", "checkpoint"}


@dataclass_transform(kw_only_default=True, eq_default=False)
def hyperparameters(cls: type[T]) -> type[T]:
    """Make an estimator's keyword-only `__init__` from its annotated defaults; it refuses other names in its words."""
    made: Any = dataclass(kw_only=True, eq=False, repr=False)(cls)
    store = made.__init__

    @wraps(store)
    def init(self: Any, *places: Any, **settings: Any) -> None:
        if places:
            raise TypeError(
                f"{type(self).__name__} takes its settings by keyword, got {len(places)} positional arguments; "
                f"write {next(iter(_parameters(made)))}=..."
            )
        for name in settings:
            if name not in _parameters(made):
                raise TypeError(check.unknown_setting(type(self).__name__, name, list(_parameters(made))))
        store(self, **settings)

    made.__init__ = init
    return made


class Routed:
    """Requests of `sample_weight` and `classes`, as scikit-learn asks for with `enable_metadata_routing=True`.

    A request says that a method of this estimator, inside a pipeline or a search, wants what the outer call was passed
    under that name; scikit-learn's own classes hold it, and `clone` carries it along.
    """

    _metadata_request: Any

    def get_metadata_routing(self) -> Any:
        """Return scikit-learn's MetadataRequest; RuntimeError where scikit-learn is not loaded."""
        if hasattr(self, "_metadata_request"):
            return self._metadata_request
        routing = sys.modules.get("sklearn.utils.metadata_routing")
        if routing is None:
            raise RuntimeError("scikit-learn is not loaded, and requests are made of its own classes; import sklearn")
        request = routing.MetadataRequest(owner=self)
        for method in (each for each in _ROUTED_METHODS if hasattr(self, each)):
            for name in self._metadata_of(method):
                getattr(request, method).add_request(param=name, alias=None)
        return request

    def set_fit_request(self, **requests: bool | str | None) -> Self:
        """Request metadata for `fit`, as `set_fit_request(sample_weight=True)`, or under another name to look it up by.

        False means never; None means not requested, and an error where it is passed all the same. Raises TypeError
        for a name that the method does not take.
        """
        return self._set_request("fit", requests)

    def set_partial_fit_request(self, **requests: bool | str | None) -> Self:
        """Request metadata for `partial_fit`, as `set_fit_request` does."""
        return self._set_request("partial_fit", requests)

    def set_score_request(self, **requests: bool | str | None) -> Self:
        """Request metadata for `score`, as `set_fit_request` does."""
        return self._set_request("score", requests)

    def _metadata_of(self, method: str) -> list[str]:
        return [name for name in inspect.signature(getattr(type(self), method)).parameters if name not in _NO_METADATA]

    def _set_request(self, method: str, requests: dict[str, bool | str | None]) -> Self:
        known = self._metadata_of(method)
        strangers = sorted(set(requests) - set(known))
        if strangers:
            raise TypeError(f"{method} of {type(self).__name__} takes no {strangers[0]!r} to request, only {known}")
        routing = self.get_metadata_routing()
        for name, alias in requests.items():
            getattr(routing, method).add_request(param=name, alias=alias)
        self._metadata_request = routing
        return self


class Estimator(Routed):
    """The base of every estimator: parameters by name, a repr that names them, and checks of X."""

    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    warm_start: bool

    _kind = ""
    _read: Any = staticmethod(check.targets)

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return sorted(_parameters(cls))

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # scikit-learn's signature
        """Return the hyperparameters by name; with `deep` also those of parameters that have some of their own."""
        params = {name: getattr(self, name) for name in self._get_param_names()}
        if deep:
            for name, value in list(params.items()):
                if _has_params(value):
                    params |= {f"{name}__{inner}": own for inner, own in value.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set hyperparameters by name, which `fit` checks; ValueError for a name there is not, and nothing is set.

        `name__inner` sets `inner` of a hyperparameter that has some of its own.
        """
        names = self._get_param_names()
        nested: dict[str, dict[str, Any]] = {}
        for key, value in params.items():
            name, dots, inner = key.partition("__")
            owner: Any = params.get(name, getattr(self, name, None))
            own = names if not dots else list(owner.get_params()) if _has_params(owner) else []
            if name not in names or (inner if dots else name) not in own:
                whose = f"{type(self).__name__}, whose {name} is {owner!r}" if name in names else type(self).__name__
                near = "" if dots else f"; {check.unknown_setting(type(self).__name__, name, names).partition('; ')[2]}"
                raise ValueError(f"Invalid parameter {key!r} for {whose}. Valid parameters are: {own or names}{near}")
            if dots:
                nested.setdefault(name, {})[inner] = value
        for name in params.keys() & set(names):
            setattr(self, name, params[name])
        for name, values in nested.items():
            getattr(self, name).set_params(**values)
        return self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the estimator, settings and all that `fit` learned, to a file in the format of `models.checkpoints`.

        The file holds data, no code: `load` runs nothing from it. An older file is replaced in one step. Raises
        CheckpointError for a setting that only code could restore, such as a loss of your own, and when writing fails.

        >>> import os, tempfile
        >>> from models import LinearRegression
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "line")
        ...     LinearRegression().fit([[1.0], [2.0]], [3.0, 5.0]).save(path)
        ...     LinearRegression.load(path).predict([[3.0]]).round(4)
        array([7.])
        """
        from models import _saving  # it knows what every estimator may hold

        state: dict[str, Any] = self.__getstate__()  # pyright: ignore[reportAssignmentType] # a dict, without slots
        _saving.save(path, self, state, self._get_param_names())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the estimator that `save` wrote; CheckpointError for a damaged file or one of another class."""
        from models import _saving

        estimator = cls.__new__(cls)
        estimator.__dict__ |= _saving.load(path, cls.__name__, cls._get_param_names())
        return estimator

    def __repr__(self) -> str:
        own = [(name, getattr(self, name), each.default) for name, each in _parameters(type(self)).items()]
        shown = [f"{name}={value!r}" for name, value, default in own if not _same(value, default)]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of what this takes: dense numbers, with a target."""
        utils = sys.modules.get("sklearn.utils")
        if utils is None:
            raise RuntimeError("scikit-learn is not loaded, and its tags are made of its own classes; import sklearn")
        classifier = self._kind == "classifier"
        return utils.Tags(
            estimator_type=self._kind,
            target_tags=utils.TargetTags(required=True, multi_output=not classifier),
            classifier_tags=utils.ClassifierTags() if classifier else None,
            regressor_tags=None if classifier else utils.RegressorTags(),
            input_tags=utils.InputTags(),
        )

    def _refuse_unfitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise shared(NotFittedError)(f"this {type(self).__name__} is not fitted yet; call fit(X, y) first")

    def _inputs_as_fitted(self, X: Any) -> Array:
        """Return X as floats for a method that follows `fit`, with the columns that `fit` saw."""
        self._refuse_unfitted()
        inputs = check.rows(X, type(self).__name__)
        check.same_features(self, X, inputs.shape[1])
        return inputs

    def _resumes(self, *, partial: bool) -> bool:
        """Return whether a fit goes on from the last one."""
        return self.__sklearn_is_fitted__() and (partial or self.warm_start)

    def _data(self, X: Any, y: Any, sample_weight: Any, *, resumed: bool) -> tuple[Array, Any, Array]:
        """Return the checked X, targets or labels, and weights of a call of fit."""
        inputs = self._inputs_as_fitted(X) if resumed else check.rows(X, type(self).__name__)
        y = self._read(y, len(inputs), type(self).__name__)
        return inputs, y, check.weights(sample_weight, len(inputs))

    def _keep(self, X: Any, width: int, **learned: Any) -> None:
        """Keep what a fit learned, and width and names of the columns of X: in one assignment, all or nothing."""
        kept = {name: value for name, value in vars(self).items() if name != "feature_names_in_"}
        names = check.feature_names(X)
        columns = {"n_features_in_": width} if names is None else {"n_features_in_": width, "feature_names_in_": names}
        self.__dict__ = kept | learned | columns


class Regressor(Estimator):
    """An estimator of numbers."""

    _kind = _estimator_type = "regressor"

    def predict(self, X: Any) -> Array:
        """Predict the targets."""
        raise NotImplementedError

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)², the mean over the targets; 1 is best, 0 is as good as the mean.

        A target that does not vary scores 1 if predicted exactly, else 0.
        """
        predicted = self.predict(X)
        predicted = predicted.reshape(len(predicted), -1)
        actual = check.targets(y, len(predicted), type(self).__name__).reshape(len(predicted), -1)
        if actual.shape != predicted.shape:
            raise ValueError(f"y has {actual.shape[1]} targets and the model predicts {predicted.shape[1]}")
        exponent = -np.frexp(np.abs(actual).max(axis=0))[1]  # squares of numbers near 1 are finite; no quotient changes
        actual, predicted = np.ldexp(actual, exponent), np.ldexp(predicted, exponent)
        weight = check.weights(sample_weight, len(predicted))[:, None]
        weight /= weight.max()  # sums of large weights times large errors stay finite
        residual = (weight * (actual - predicted) ** 2).sum(axis=0)
        spread = (weight * (actual - np.average(actual, axis=0, weights=weight[:, 0])) ** 2).sum(axis=0)
        flat = np.where(residual == 0, 1.0, 0.0)
        return float(np.mean(np.where(spread > 0, 1 - residual / np.where(spread > 0, spread, 1), flat)))


class Classifier(Estimator):
    """An estimator of class labels; `classes_` has them sorted."""

    _kind = _estimator_type = "classifier"
    _read = staticmethod(check.labels)
    classes_: NDArray[Any]
    class_weight: Any

    def decision_function(self, X: Any) -> Array:
        """Return the scores that decide the class."""
        raise NotImplementedError

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict labels: for two classes the second where the score is above 0, at exactly 0 the first.

        For more classes, the one with the highest score.
        """
        self._refuse_unfitted()
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy, the (weighted) share of labels that are right."""
        predicted = self.predict(X)
        actual = check.labels(y, len(predicted), type(self).__name__)
        return float(np.average(actual == predicted, weights=check.weights(sample_weight, len(predicted))))

    def _seen(
        self, inputs: Array, labels: NDArray[Any], importance: Array, classes: NDArray[Any]
    ) -> tuple[Array, NDArray[np.intp], Array]:
        """Return the samples that have a weight, the indices of their classes, and their weights by `class_weight`."""
        seen = importance > 0  # labels of samples left out need not be among the classes
        if not seen.all():
            inputs, labels, importance = inputs[seen], labels[seen], importance[seen]
        y = self._indices(labels, classes)
        if self.class_weight is None:
            return inputs, y, importance
        importance = check.weights(importance * self._class_factors(y, importance, classes)[y], len(y))
        seen = importance > 0
        return (inputs, y, importance) if seen.all() else (inputs[seen], y[seen], importance[seen])

    def _class_factors(self, y: NDArray[np.intp], importance: Array, classes: NDArray[Any]) -> Array:
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            shares = np.bincount(y, weights=importance, minlength=len(classes))
            return shares.sum() / len(classes) / np.where(shares > 0, shares, 1.0)
        if not isinstance(self.class_weight, dict):
            raise SettingError(
                f'class_weight must be None, "balanced" or a dict from labels to numbers, got {self.class_weight!r}'
            )
        factors, known = np.ones(len(classes)), classes.tolist()
        for label, factor in self.class_weight.items():
            if label not in known:
                raise ValueError(f"class_weight must name classes of y, {known}, got {label!r}")
            factors[known.index(label)] = check.not_negative(f"class_weight of {label!r}", factor)
        return factors

    def _indices(self, y: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.intp]:
        """Return the index of every label in the sorted `classes`; ValueError for a label that is not among them."""
        strangers = sorted(set(y.tolist()) - set(classes.tolist()))
        if strangers:
            raise ValueError(f"y has labels {strangers[:5]} that are not among the classes {classes.tolist()}")
        return np.searchsorted(classes, y)

    def _classified(
        self, X: Any, y: Any, sample_weight: Any, classes: Any, *, partial: bool
    ) -> tuple[Array, NDArray[np.intp], Array, NDArray[Any]]:
        """Return the samples of a fit that have a weight: inputs, indices of classes, weights; and the classes."""
        resumed = self._resumes(partial=partial)
        inputs, labels, importance = self._data(X, y, sample_weight, resumed=resumed)
        if partial:
            classes = self._classes_of_partial_fit(classes)
        else:
            classes = self._classes_of_fit(labels, importance, resumed=resumed)
        return *self._seen(inputs, labels, importance, classes), classes

    def _classes_of_fit(self, y: NDArray[Any], importance: Array, *, resumed: bool) -> NDArray[Any]:
        """Return the classes of the samples that have a weight, two or more, when resumed those of the last fit."""
        classes = check.several_classes(np.unique(y[importance > 0]), type(self).__name__)
        if resumed and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start needs the classes of the last fit, {self.classes_.tolist()}, got {classes.tolist()}"
            )
        return classes

    def _classes_of_partial_fit(self, classes: Any) -> NDArray[Any]:
        """Return the classes of a `partial_fit`: passed at the first call, the same in every later one."""
        fitted = self.__sklearn_is_fitted__()
        if classes is None:
            if not fitted:
                raise ValueError("classes must be passed on the first call to partial_fit: all labels there will be")
            return self.classes_
        wanted = np.unique(check.labels(classes, None, type(self).__name__, "classes"))
        if fitted and not np.array_equal(wanted, self.classes_):
            raise ValueError(f"classes={wanted.tolist()} is not the same as on the last call, {self.classes_.tolist()}")
        return check.several_classes(wanted, type(self).__name__)


class Drawing(Estimator):
    """An estimator that draws at random and may hold samples out; its generators move only when a call succeeds."""

    max_iter: int
    shuffle: bool
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    verbose: bool | int
    random_state: Any

    _random: np.random.Generator
    _split: int | None  # the seed of what is held out

    def _check_drawing(self, *, partial: bool) -> None:
        """Check the settings above; with `partial`, that nothing is to be held out of the samples of one call."""
        check.whole("max_iter", self.max_iter)
        check.whole("n_iter_no_change", self.n_iter_no_change)
        check.share("validation_fraction", self.validation_fraction)
        for name in ("shuffle", "early_stopping", "warm_start"):
            check.flag(name, getattr(self, name))
        check.verbosity("verbose", self.verbose)
        if partial and self.early_stopping:
            raise ValueError(
                "partial_fit sees its samples once and cannot stop early; set early_stopping=False, or call fit"
            )

    def _generator(self, *, resumed: bool) -> tuple[np.random.Generator, Any]:
        """Return a generator for one call, and the copy of `random_state` that it draws from, for `_bring_up`."""
        if resumed:
            return copy.deepcopy(self._random), None
        given = self.random_state
        drawn_from = isinstance(given, (np.random.Generator, np.random.RandomState, np.random.BitGenerator))
        source = copy.deepcopy(given) if drawn_from else given
        return check.random_generator(source), source

    def _seed(self, random: np.random.Generator) -> int | str:
        """Return what a checkpoint compares: the seed, else the kind of generator."""
        given = self.random_state
        return int(given) if isinstance(given, (int, np.integer)) else type(random.bit_generator).__name__

    def _hold_out(
        self, y: NDArray[Any], random: np.random.Generator, split: int | None
    ) -> tuple[NDArray[np.bool_], int | None]:
        """Return which samples to hold out, and the seed that draws the same ones when training resumes."""
        if not self.early_stopping:
            return np.zeros(len(y), dtype=bool), split
        split = int(random.integers(2**63)) if split is None else split
        draw, stratified = np.random.default_rng(split), self._kind == "classifier"
        return held_out(y, self.validation_fraction, draw, stratified=stratified), split

    def _bring_up(self, source: Any) -> None:
        """Advance a generator that the user passed to where its copy is, after a call that succeeded."""
        if isinstance(source, np.random.RandomState):
            self.random_state.set_state(source.get_state())
        elif isinstance(source, np.random.Generator):
            self.random_state.bit_generator.state = source.bit_generator.state
        elif isinstance(source, np.random.BitGenerator):
            self.random_state.state = source.state


def held_out(y: NDArray[Any], fraction: float, random: np.random.Generator, *, stratified: bool) -> NDArray[np.bool_]:
    """Mark the samples held out, drawn at random, each class in proportion to within one; ValueError for too few."""
    n, wanted = len(y), int(np.ceil(fraction * len(y)))
    if wanted >= n:
        raise ValueError(f"early_stopping with validation_fraction={fraction} leaves none of {n} samples to train on")
    classes, place, counts = np.unique(y if stratified else np.zeros(n), return_inverse=True, return_counts=True)
    if wanted > n - len(classes):
        raise ValueError(
            f"early_stopping with validation_fraction={fraction} holds out {wanted} of {n} samples, and leaves none to "
            f"train on of some of the {len(classes)} classes; make it smaller, or use more samples"
        )
    shares = wanted * counts / n
    quota = shares.astype(int)
    while quota.sum() < wanted:  # what rounding down left over goes to classes drawn by what they lack
        lacking = np.where(quota < counts - 1, np.maximum(shares - quota, 1e-9), 0.0)
        quota[random.choice(len(classes), p=lacking / lacking.sum())] += 1
    held = np.zeros(n, dtype=bool)
    for k, size in enumerate(quota):
        held[random.permutation(np.flatnonzero(place.ravel() == k))[:size]] = True
    return held


def _parameters(estimator: type[Any]) -> dict[str, inspect.Parameter]:
    """Return what `__init__` names; what a subclass takes as **kw and hands on is not its own, for scikit-learn too."""
    _, *named = inspect.signature(estimator.__init__).parameters.values()
    return {each.name: each for each in named if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)}


def _has_params(value: Any) -> bool:
    return hasattr(value, "get_params") and not isinstance(value, type)


def _same(value: Any, default: Any) -> bool:
    try:
        return value is default or bool(value == default)
    except ValueError:  # arrays compare entry by entry
        return False
