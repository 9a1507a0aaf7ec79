"""Checks of data and settings that stand before any training: what is wrong, where, and what would be right.

Some wordings follow scikit-learn's own checks, which look for them ("Reshape your data", "contains NaN", …).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from numpy.typing import NDArray


class NotFittedError(ValueError, AttributeError):
    """Says that `fit` comes first. Where scikit-learn is loaded, its class of this name is raised instead."""


class DataConversionWarning(UserWarning):
    """Says that data were reshaped. Where scikit-learn is loaded, its class of this name is used instead."""


class ConvergenceWarning(UserWarning):
    """Says that training ended unfinished. Where scikit-learn is loaded, its class of this name is used instead."""


def loaded(own: type[Any]) -> type[Any]:
    """Give scikit-learn's exception or warning of the same name if the caller has loaded it, else our own.

    >>> issubclass(loaded(NotFittedError), ValueError)
    True
    """
    return getattr(sys.modules.get("sklearn.exceptions"), own.__name__, own)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line outside this package that led here: the user's, or that of a tool that called for them."""
    frame, level = sys._getframe(), 1
    package = __name__.partition(".")[0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def numbers(data: Any, name: str) -> NDArray[np.float64]:
    """Give `data` as an array of floats of any shape; TypeError or ValueError for what are not finite real numbers."""
    array = _array(data, name)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} has complex entries, take .real or .imag of them")
    if array.dtype.kind in "mM":
        raise TypeError(f"{name} has dates or durations ({array.dtype}): turn them into numbers, in a unit you choose")
    if array.dtype.kind not in "biuf":
        for at, entry in np.ndenumerate(array):
            if isinstance(entry, (str, bytes)):
                raise ValueError(  # noqa: TRY004 # scikit-learn's choice for text
                    f"{name} has text at {_place(at)}: {_plain(entry)!r}; every entry must be a number, encode text "
                    "first"
                )
            if _is_missing(entry):
                raise ValueError(
                    f"Input {name} contains NaN: {entry!r} at {_place(at)}; every entry must be a finite number"
                )
    try:
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} has entries that are not numbers: {error}") from error
    except OverflowError as error:
        raise ValueError(f"{name} has a whole number beyond the largest float, 1.8e308: scale it down") from error
    _refuse_not_finite(array, name)
    return array


def rows(data: Any, estimator: str) -> NDArray[np.float64]:
    """Give X as floats of shape (n_samples, n_features), at least one of each; `estimator` is named in errors.

    Raises ValueError or TypeError for what is not that, and TypeError for columns of which only some have text names.
    """
    X = _array(data, "X")
    if X.ndim < 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array instead: X must be (n_samples, n_features), and is {X.shape}. "
            "Reshape your data: X.reshape(-1, 1) for one feature, X.reshape(1, -1) for one sample"
        )
    if X.ndim > 2:
        raise ValueError(f"X must be (n_samples, n_features), and is {X.shape}: 2 dimensions, not {X.ndim}")
    for count, what in zip(X.shape, ("sample(s)", "feature(s)"), strict=True):
        if not count:
            raise ValueError(f"X has 0 {what} (shape={X.shape}) while a minimum of 1 is required by {estimator}")
    feature_names(data)
    return numbers(data, "X")


def feature_names(data: Any) -> NDArray[np.object_] | None:
    """Give the names of a data frame's columns where all are text; None where there are none.

    Raises TypeError when some are text and some are not.
    """
    columns = getattr(data, "columns", None)
    if columns is None or not len(columns):
        return None
    names = np.array(list(columns), dtype=object)
    texts = [isinstance(name, str) for name in names]
    if any(texts) and not all(texts):
        kinds = sorted({type(name).__name__ for name in names})
        raise TypeError(
            f"Feature names are only supported if all input features have string names, and they are {kinds}: "
            "rename the columns, X.columns = X.columns.astype(str)"
        )
    return names if all(texts) else None


def same_features(estimator: Any, data: Any, width: int) -> None:
    """Compare width and column names of `data` with those of the fit: ValueError, or a warning where names lack."""
    kind = type(estimator).__name__
    then, now = getattr(estimator, "feature_names_in_", None), feature_names(data)
    if then is not None and now is not None and list(then) != list(now):
        unseen, missing = sorted(set(now) - set(then)), sorted(set(then) - set(now))
        parts = [f"unseen at fit time: {unseen[:5]}"] if unseen else []
        parts += [f"seen at fit time, yet now missing: {missing[:5]}"] if missing else []
        raise ValueError(
            "The feature names should match those that were passed during fit; "
            + ("; ".join(parts) or f"they must be in the same order, {list(then)[:5]}")
        )
    if width != estimator.n_features_in_:
        expected = estimator.n_features_in_
        raise ValueError(f"X has {width} features, but {kind} is expecting {expected} features as input")
    if then is None and now is not None:
        warn(f"X has feature names, but {kind} was fitted without feature names")
    if then is not None and now is None:
        warn(f"X does not have valid feature names, but {kind} was fitted with feature names")


def targets(y: Any, n_samples: int, estimator: str) -> NDArray[np.float64]:
    """Give the targets of a regression, (n_samples,) or (n_samples, n_targets), as floats."""
    _refuse_none(y, estimator)
    array = numbers(y, "y")
    if array.ndim not in (1, 2) or 0 in array.shape[1:]:
        raise ValueError(f"y must be (n_samples,) or (n_samples, n_targets), and is {array.shape}")
    _same_length(len(array), n_samples, "y")
    return array


def labels(y: Any, n_samples: int | None, estimator: str, name: str = "y") -> NDArray[Any]:
    """Give the class labels (n_samples,) as they are: whole numbers, booleans or text; of any length for None.

    A column (n_samples, 1) is flattened with a DataConversionWarning. Raises ValueError for other shapes, for
    numbers with fractions (a regression's target), for NaN, and for labels that do not compare with each other.
    """
    _refuse_none(y, estimator)
    array = _array(y, name)
    if array.dtype.kind in "US" and not hasattr(y, "dtype"):
        _unmixed(np.array(y, dtype=object).ravel(), name)  # NumPy has made text of the numbers in a list with text
    if array.ndim == 2 and array.shape[1] == 1:
        warn(
            f"A column-vector {name} was passed when a 1d array was expected: it is flattened, pass {name}.ravel()",
            loaded(DataConversionWarning),
        )
        array = array.ravel()
    if array.ndim != 1:
        raise ValueError(f"{name} should be a 1d array of class labels, got an array of shape {array.shape}")
    if n_samples is not None:
        _same_length(len(array), n_samples, name)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} is complex, and class labels are whole numbers or text")
    if array.dtype.kind == "O":
        array = _unmixed(array, name)
    if array.dtype.kind == "f":
        _refuse_not_finite(array, name)
        if (array != np.round(array)).any():
            fraction = _plain(array[array != np.round(array)][0])
            raise ValueError(
                f"Unknown label type: continuous. {name} has {fraction!r}, and {estimator} takes class labels "
                "(whole numbers or text); numbers with fractions are for a regressor"
            )
    return array


def weights(sample_weight: Any, n_samples: int) -> NDArray[np.float64]:
    """Give one weight ≥ 0 per sample, not all of them zero; ones for None."""
    if sample_weight is None:
        return np.ones(n_samples)
    array = numbers(sample_weight, "sample_weight")
    if array.ndim == 0:
        array = np.full(n_samples, float(array))
    if array.shape != (n_samples,):
        raise ValueError(f"sample_weight must be ({n_samples},), one weight per sample, and is {array.shape}")
    if (array < 0).any():
        raise ValueError(f"sample_weight has {array.min()} and no weight may be below zero")
    if not array.any():
        raise ValueError("Sample weights must contain at least one non-zero number: there is nothing to learn from")
    with np.errstate(over="ignore"):
        if not np.isfinite(array.sum()):  # means divide by it
            raise ValueError(f"sample_weight adds up to infinity: divide all weights by the largest, {array.max()}")
    return array


def several_classes(classes: NDArray[Any], estimator: str) -> NDArray[Any]:
    """Give `classes` back; ValueError when there is only one to choose from."""
    if len(classes) < 2:
        raise ValueError(f"{estimator} needs samples of 2 classes or more, and y has one class: {classes.tolist()}")
    return classes


def positive(value: Any, name: str) -> None:
    """Raise ValueError unless `value` is a finite number above 0."""
    if not _is_number(value) or not 0 < value < np.inf:
        raise ValueError(f"{name} must be a number above 0, got {value!r}")


def not_negative(value: Any, name: str) -> None:
    """Raise ValueError unless `value` is a finite number, 0 or more."""
    if not _is_number(value) or not 0 <= value < np.inf:
        raise ValueError(f"{name} must be a number, 0 or more, got {value!r}")


def fraction(value: Any, name: str) -> None:
    """Raise ValueError unless `value` is strictly between 0 and 1."""
    if not _is_number(value) or not 0 < value < 1:
        raise ValueError(f"{name} must be between 0 and 1, both excluded, got {value!r}")


def whole(value: Any, name: str, least: int = 1) -> None:
    """Raise ValueError unless `value` is a whole number, `least` or more."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number, {least} or more, got {value!r}")


def flag(value: Any, name: str) -> None:
    """Raise ValueError unless `value` is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, got {value!r}")  # noqa: TRY004 # a setting out of range


def known(value: Any, name: str, names: Iterable[str]) -> None:
    """Raise ValueError unless `value` is one of `names`, which the message lists."""
    if not isinstance(value, str) or value not in (names := tuple(names)):
        raise ValueError(f"unknown {name}: {value!r} (must be one of {list(names)})")


def generator(random_state: Any) -> np.random.Generator:
    """Give a generator for None (fresh), a seed, a Generator (used as it is) or NumPy's older RandomState."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31, size=4))
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"random_state must be None, a seed of 0 or more, or a generator, got {random_state!r}"
        ) from error


def _unmixed(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Labels of dtype object: text as it is, all else as numbers; ValueError where they are mixed."""
    missing = next((i for i, label in enumerate(array) if _is_missing(label)), None)
    if missing is not None:
        raise ValueError(f"Input {name} contains NaN: {array[missing]!r} at position {missing}; leave out such samples")
    kinds = {str if isinstance(label, str) else bytes if isinstance(label, bytes) else object for label in array}
    if len(kinds) > 1:
        raise ValueError(f"{name} mixes text and other labels: make all of them text, or all of them numbers")
    if not kinds <= {object}:
        return array
    if all(isinstance(label, (bool, int)) for label in array):
        return np.array(array.tolist())
    return numbers(array, name)


def _array(data: Any, name: str) -> NDArray[Any]:
    if hasattr(data, "toarray") and hasattr(data, "nnz"):
        raise TypeError(f"Sparse data was passed for {name}, but dense data is required: use {name}.toarray()")
    if data is None or isinstance(data, (str, bytes, Mapping, AbstractSet, Iterator)):
        shown = repr(data) if data is None or isinstance(data, (str, bytes)) else f"a {type(data).__name__}"
        raise TypeError(f"{name} must be an array, a list of numbers or rows, or a data frame, got {shown:.60}")
    if np.ma.is_masked(data):
        raise ValueError(f"{name} has masked entries: fill them, {name}.filled(...), or leave out such samples")
    try:
        return np.asarray(data)
    except ValueError as error:
        raise ValueError(f"{name} is not an array, its rows differ in length or kind: {error}") from error


def _refuse_not_finite(array: NDArray[Any], name: str) -> None:
    wrong = ~np.isfinite(array)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        what = "NaN" if np.isnan(array[at]) else "infinity"
        raise ValueError(
            f"Input {name} contains {what}: {array[at]} at {_place(at)}; every entry must be a finite number"
        )


def _refuse_none(y: Any, estimator: str) -> None:
    if y is None:
        raise ValueError(f"{estimator} requires y to be passed, but the target y is None")


def _same_length(length: int, n_samples: int, name: str) -> None:
    if length != n_samples:
        raise ValueError(
            f"X has {n_samples} samples and {name} has {length}: one entry or row of {name} for each sample"
        )


def _is_missing(entry: Any) -> bool:
    if isinstance(entry, float):
        return entry != entry  # noqa: PLR0124 # NaN is what differs from itself
    return entry is None or type(entry).__name__ in {"NAType", "NaTType"}  # pandas' own, which need not be loaded


def _plain(scalar: Any) -> Any:
    """A scalar of NumPy as Python shows it."""
    return scalar.item() if isinstance(scalar, np.generic) else scalar


def _place(at: tuple[int, ...]) -> str:
    return f"row {at[0]}, column {at[1]}" if len(at) == 2 else f"position {at[0] if len(at) == 1 else at}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
