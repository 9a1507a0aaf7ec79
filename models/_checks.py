"""Checks of arguments, before anything changes: what the rule is, what was got, and the way out.

Every check takes the name that the caller knows, then the thing, and returns it in the form that the code works with.
Some wordings follow scikit-learn's own checks, which look for them ("Reshape your data", "contains NaN", …).
"""

from __future__ import annotations

import contextlib
import inspect
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from functools import wraps
from numbers import Real
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from autodiff import Value
from models._values import name_of
from models.errors import DataConversionWarning, NotFiniteError, SettingError, elsewhere, shared, table, warn

Array = NDArray[np.float64]
P = ParamSpec("P")
T = TypeVar("T")
Seed = (
    int | np.integer[Any] | np.random.Generator | np.random.BitGenerator | np.random.RandomState
    | np.random.SeedSequence | None
)  # fmt: skip
LayerShape = tuple[str, tuple[int, int], bool]  # label, (n_outputs, n_inputs), whether it has biases

_REAL = (float, int, np.integer, np.floating)


# Settings


def within(name: str, x: Any, rule: str, low: float, high: float, *, edges: str = "[)") -> float:
    """Return `x` as a float if it lies between `low` and `high`; `edges` tells which of the two it may equal.

    Raises SettingError for what is not a number, ValueError for a number outside, NaN included.
    """
    if not isinstance(x, Real) or isinstance(x, (bool, np.bool_)):
        raise SettingError(f"{name} must be {rule}, got {x!r}")
    plain = float(x)
    if not (low < plain < high or (plain == low and edges[0] == "[") or (plain == high and edges[1] == "]")):
        raise ValueError(f"{name} must be {rule}, got {x!r}")
    return plain


def _between(rule: str, low: float, high: float, edges: str = "[)") -> Callable[[str, Any], float]:
    """Return `within` as a check of name and number alone."""
    return lambda name, x: within(name, x, rule, low, high, edges=edges)


positive = _between("a finite number above 0", 0.0, math.inf, "()")
not_negative = _between("a finite number, 0 or more", 0.0, math.inf)
fraction = _between("0 or more and below 1", 0.0, 1.0)  # nothing, but not everything, as momentum is
share = _between("above 0 and below 1", 0.0, 1.0, "()")  # a true part, as the share of samples that is held out is


def whole(name: str, x: Any, least: int = 1, others: str = "") -> int:
    """Return `x` as an int; ValueError for what is not a whole number, `least` or more."""
    number = None
    if not isinstance(x, (bool, np.bool_)):
        with contextlib.suppress(TypeError):
            number = operator.index(x)
    if number is None or number < least:
        raise ValueError(f"{name} must be a whole number, {least} or more{others}, got {x!r}")
    return number


def flag(name: str, x: Any) -> bool:
    if not isinstance(x, (bool, np.bool_)):
        raise SettingError(f"{name} must be True or False, got {x!r}")
    return bool(x)


def verbosity(name: str, x: Any) -> int:
    """Return 0, 1 or 2; False and True are the first two."""
    if not isinstance(x, (int, np.integer, np.bool_)) or int(x) not in (0, 1, 2):
        raise SettingError(f"{name} must be 0, 1 or 2, False or True, got {x!r}")
    return int(x)


def known(name: str, x: Any, names: Iterable[str], others: str = "") -> str:
    """Return `x` if it is one of `names`, which the message lists."""
    if not isinstance(x, str) or x not in (names := tuple(names)):
        near = get_close_matches(str(x).lower(), names, 1, 0.75)
        meant = elsewhere("values", str(x).lower(), names) or next(iter(near), "")
        hint = f"; did you mean {meant!r}?" if meant else ""
        raise ValueError(f"{name} must be one of {', '.join(names)}{others}, got {x!r}{hint}")
    return x


def unknown_setting(owner: str, name: str, known: Sequence[str]) -> str:
    """Say that a setting is not known, and which may have been meant."""
    near = [*get_close_matches(name.lower(), known, 1, 0.75), *(each for each in known if each.startswith(f"{name}_"))]
    meant = elsewhere("settings", name.lower(), known) or next(iter(near), "")
    hint = f"did you mean {meant}?" if meant else f"it must be one of {', '.join(known)}"
    return f"{owner} has no setting {name!r}; {table('elsewhere')['absent'].get(name, hint)}"


def named(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function refuse keywords it does not know with the one that may have been meant."""
    known = list(inspect.signature(function).parameters)

    @wraps(function)
    def call(*places: P.args, **settings: P.kwargs) -> T:
        for name in settings:
            if name not in known:
                raise TypeError(unknown_setting(function.__name__, name, known))
        return function(*places, **settings)

    return call


def random_generator(random_state: Seed) -> np.random.Generator:
    """Return the generator that `random_state` stands for: a seed, a generator (used as it is), or None for a new one.

    The same seed gives the same numbers; NumPy's global random state is neither read nor changed. A RandomState, as
    older code holds, seeds a Generator. Raises SettingError for anything else, ValueError for an int below 0.

    >>> random_generator(7).random() == random_generator(7).random()
    True
    """
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31, size=4))
    try:
        if isinstance(random_state, (bool, np.bool_, str, bytes)):
            raise TypeError  # noqa: TRY301 # NumPy would take True for 1
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        shown = getattr(random_state, "__name__", None) or repr(random_state)
        raise (ValueError if isinstance(random_state, (int, np.integer)) else SettingError)(
            f"random_state must be None, an int of 0 or more, or a generator, got {type(random_state).__name__} "
            f"{shown:.60}; numpy.random.default_rng(seed) makes a generator"
        ) from error


def interval(name: str, x: Any) -> tuple[float, float]:
    """Return (low, high) as floats; ValueError for other shapes and for ends that are not in that order."""
    edges = numbers(name, x)
    if edges.shape != (2,) or not edges[0] < edges[1]:
        raise ValueError(f"{name} must be (low, high), the lower first, got {x!r}")
    return float(edges[0]), float(edges[1])


# Parameters


def values(name: str, parameters: Any) -> list[Value]:
    """Return a list of Values; TypeError for what is none."""
    if isinstance(parameters, Value) or not hasattr(type(parameters), "__iter__"):
        way = "put it in [ ]" if isinstance(parameters, Value) else "give those of a model, model.parameters()"
        raise TypeError(f"{name} must be a list of Values, got one {type(parameters).__name__}; {way}")
    parameters = list(parameters)
    for i, p in enumerate(parameters):
        if not isinstance(p, Value):
            raise TypeError(f"{name} must be Values, got {type(p).__name__} {p!r} at {i}")
    return parameters


def parameter_list(parameters: Iterable[Value]) -> list[Value]:
    """Return Values that can be optimized: leaves, each once."""
    parameters = values("parameters", parameters)
    if not parameters:
        raise ValueError("parameters is empty; there is nothing to optimize")
    seen: dict[int, int] = {}
    for i, p in enumerate(parameters):
        if p.operands:
            raise ValueError(f"{name_of(p)} was computed from others; optimize the Values it came from")
        if id(p) in seen:
            raise ValueError(f"{name_of(p, parameters)} is given twice, at {seen[id(p)]} and at {i}")
        seen[id(p)] = i
    return parameters


def refuse_not_finite(parameters: Sequence[Value], array: Array, problem: str) -> None:
    """Raise NotFiniteError for an entry that is not finite; `problem` has places for {name} and {value}."""
    if not math.isfinite(array @ array) and not np.isfinite(array).all():  # squares that overflow are finite still
        i = int(np.flatnonzero(~np.isfinite(array))[0])
        name = name_of(parameters[i], parameters)
        raise NotFiniteError(problem.format(name=name, value=array[i]) + "; nothing was changed", name)


# Data


def numbers(name: str, data: Any) -> Array:
    """Return `data` as an array of floats of any shape; TypeError or ValueError unless all are finite real numbers.

    Data that are such an array already are returned as they are, not copied.
    """
    array = _array(name, data)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} has complex entries; take .real or .imag of them")
    if array.dtype.kind in "mM":
        raise TypeError(f"{name} has dates or durations ({array.dtype}); turn them into numbers, in a unit you choose")
    if array.dtype.kind not in "biuf":
        for at, entry in np.ndenumerate(array):
            if isinstance(entry, (str, bytes)):
                raise ValueError(  # noqa: TRY004 # scikit-learn's choice for text
                    f"every entry of {name} must be a number, got the text {_scalar(entry)!r} at {_place(at)}; encode "
                    "text first"
                )
            if _is_missing(entry):
                raise ValueError(
                    f"Input {name} contains NaN: {entry!r} at {_place(at)}; every entry must be a finite number"
                )
    try:
        array = array.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"every entry of {name} must be a number: {error}") from error
    except OverflowError as error:
        raise ValueError(f"{name} has a whole number beyond the largest float, 1.8e308; scale it down") from error
    _refuse_infinite(name, array)
    return array


def rows(data: Any, estimator: str) -> Array:
    """Return X as floats of shape (n_samples, n_features), at least one of each; `estimator` is named in errors."""
    X = _array("X", data)
    if X.ndim < 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array instead: X must be (n_samples, n_features), got {X.shape}. "
            "Reshape your data: X.reshape(-1, 1) for one feature, X.reshape(1, -1) for one sample"
        )
    if X.ndim > 2:
        raise ValueError(
            f"X must be (n_samples, n_features), got {X.shape}; X.reshape(len(X), -1) makes a row of each sample"
        )
    for count, what in zip(X.shape, ("sample(s)", "feature(s)"), strict=True):
        if not count:
            raise ValueError(f"X has 0 {what} (shape={X.shape}) while a minimum of 1 is required by {estimator}")
    feature_names(data)
    return numbers("X", data)


def feature_names(data: Any) -> NDArray[np.object_] | None:
    """Return the names of a data frame's columns where all are text, None where none are; TypeError for a mixture."""
    columns = getattr(data, "columns", None)
    if columns is None or not len(columns):
        return None
    names = np.array(list(columns), dtype=object)
    texts = [isinstance(name, str) for name in names]
    if any(texts) and not all(texts):
        kinds = sorted({type(name).__name__ for name in names})
        raise TypeError(
            f"Feature names are only supported if all input features have string names, got {kinds}; "
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


def targets(y: Any, n_samples: int, estimator: str) -> Array:
    """Return the targets of a regression, (n_samples,) or (n_samples, n_targets), as floats."""
    _refuse_none(y, estimator)
    array = numbers("y", y)
    if array.ndim not in (1, 2) or 0 in array.shape[1:]:
        raise ValueError(f"y must be (n_samples,) or (n_samples, n_targets), got {array.shape}")
    _same_length("y", len(array), n_samples)
    return array


def labels(y: Any, n_samples: int | None, estimator: str, name: str = "y") -> NDArray[Any]:
    """Return the class labels (n_samples,) as they are: whole numbers, booleans or text; of any length for None.

    A column (n_samples, 1) is flattened with a DataConversionWarning. Raises ValueError for other shapes, for
    numbers with fractions (a regression's target), for NaN, and for labels that do not compare with each other.
    """
    _refuse_none(y, estimator)
    kinds = (AbstractSet, list, tuple)
    several = [each for each in y if isinstance(each, kinds)] if isinstance(y, (list, tuple, np.ndarray)) else []
    if any(isinstance(each, AbstractSet) for each in several) or len({len(each) for each in several}) > 1:
        raise ValueError(
            f"{name} should be a 1d array of class labels, got several labels per sample, such as {several[0]!r:.40}; "
            "sklearn.preprocessing.MultiLabelBinarizer makes a column of each label, and "
            "sklearn.multiclass.OneVsRestClassifier(...) a classifier per column"
        )
    array = _array(name, y)
    if array.dtype.kind in "US" and not hasattr(y, "dtype"):
        _unmixed(name, np.array(y, dtype=object).ravel())  # NumPy has made text of the numbers in a list with text
    if array.ndim == 2 and array.shape[1] == 1:
        warn(
            f"A column-vector {name} was passed when a 1d array was expected: it is flattened, pass {name}.ravel()",
            shared(DataConversionWarning),
        )
        array = array.ravel()
    if array.ndim != 1:
        raise ValueError(
            f"{name} should be a 1d array of class labels, got an array of shape {array.shape}"
            + _way_to_labels(name, array)
        )
    if n_samples is not None:
        _same_length(name, len(array), n_samples)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} is complex; class labels are whole numbers or text")
    if array.dtype.kind == "O":
        array = _unmixed(name, array)
    if array.dtype.kind == "f":
        _refuse_infinite(name, array)
        if (array != np.round(array)).any():
            fraction = _scalar(array[array != np.round(array)][0])
            raise ValueError(
                f"Unknown label type: continuous. {estimator} takes class labels (whole numbers or text), got "
                f"{fraction!r} in {name}; numbers with fractions are for a regressor"
            )
    return array


def _way_to_labels(name: str, array: NDArray[Any]) -> str:
    """Say what to do with labels in several columns of zeros and ones."""
    if array.ndim != 2 or array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        return ""
    if (array.sum(axis=1) == 1).all():
        return f"; its rows are one-hot, pass the index of each class, {name}.argmax(axis=1)"
    return (
        "; its rows name several classes each, which takes one classifier per column: "
        "sklearn.multiclass.OneVsRestClassifier(...)"
    )


def learning_rate(x: Any) -> None:
    """Refuse what is neither a number above 0 nor a schedule."""
    if isinstance(x, str):
        raise SettingError(
            f"learning_rate must be a finite number above 0 or a schedule, got {x!r}; models.schedules makes some, "
            "such as exponential_decay(0.01, factor=0.999)"
        )
    if not callable(x):
        positive("learning_rate", x)


def weights(sample_weight: Any, n_samples: int) -> Array:
    """Return one weight ≥ 0 per sample, not all of them zero; ones for None. The array is the caller's to change."""
    if sample_weight is None:
        return np.ones(n_samples)
    array = np.array(numbers("sample_weight", sample_weight))
    if array.ndim == 0:
        array = np.full(n_samples, float(array))
    if array.shape != (n_samples,):
        raise ValueError(f"sample_weight must be ({n_samples},), one weight per sample, got {array.shape}")
    if (array < 0).any():
        raise ValueError(f"no sample_weight may be below zero, got {array.min()}")
    if not array.any():
        raise ValueError("Sample weights must contain at least one non-zero number; there is nothing to learn from")
    with np.errstate(over="ignore"):
        if not np.isfinite(array.sum()):  # means divide by it
            raise ValueError(f"sample_weight adds up to infinity; divide all weights by the largest, {array.max()}")
    return array


def several_classes(classes: NDArray[Any], estimator: str) -> NDArray[Any]:
    """Return `classes`; ValueError when there is only one to choose from."""
    if len(classes) < 2:
        raise ValueError(f"{estimator} needs samples of 2 classes or more, got one class in y: {classes.tolist()}")
    return classes


# Networks


def sizes(given: Any, *more: Any) -> list[int]:
    """Return the number of neurons of each layer, at least one layer; TypeError for what is not one sequence."""
    if more:
        got = [given, *more]
        loose = all(isinstance(n, int) for n in got)
        way_out = f"write the list {got}" if loose else f"pass {', '.join(map(repr, more))} by name"
        raise TypeError(f"sizes must be one sequence, and what follows it has a name, got {repr(got)[1:-1]}; {way_out}")
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        raise TypeError(
            f"sizes must be a sequence, the number of neurons of each layer, such as [16, 16, 1], got {given!r}"
        )
    widths = [whole(f"sizes[{i}]", n) for i, n in enumerate(given)]
    if not widths:
        raise ValueError("sizes must have at least one layer, such as [1], got none")
    return widths


def sample(x: Any, n_inputs: int, module: Any) -> list[Any]:
    """Return one sample as a list of `n_inputs` numbers and Values; `module` is named in errors."""
    inputs = list(x) if isinstance(x, (list, tuple)) else _listed(x, n_inputs, module)
    kinds = set(map(type, inputs))
    nested = any(issubclass(kind, (np.ndarray, list, tuple)) for kind in kinds)
    if nested and (rows := [row for row in inputs if np.shape(row) != ()]):
        raise TypeError(
            f"{module!r}: the entries of one sample must be numbers and Values, got {type(rows[0]).__name__} among "
            "them; call it for each row"
        )
    if len(inputs) != n_inputs:
        raise ValueError(f"{module!r} takes {n_inputs} inputs, got {len(inputs)}")
    if kinds != {float} and all(issubclass(kind, _REAL) for kind in kinds):
        with contextlib.suppress(OverflowError):  # an integer beyond all floats: the engine says so better
            return list(map(float, inputs))  # once here, and not again in every neuron of the first layer
    return inputs


def known_weights(
    weights: Any, biases: Any, rows: str, layers: Sequence[LayerShape]
) -> tuple[list[Array], list[Array | None]]:
    """Return the weights (n_outputs, n_inputs) and the biases (n_outputs,) of every layer, None for biases None."""
    if rows not in ("outputs", "inputs"):
        raise ValueError(f'rows must be "outputs" or "inputs", got {rows!r}')
    for name, given in (("weights", weights), ("biases", biases)):
        if given is None and name == "biases":
            continue
        n = len(given) if isinstance(given, Sized) else repr(given)
        if n != len(layers):
            raise ValueError(f"{name} must have one entry per layer, {len(layers)}, got {n}")
    matrices, vectors = [], []
    for i, (label, shape, has_bias) in enumerate(layers):
        array = np.asarray(weights[i], dtype=np.float64)
        vector_will_do = shape[0] == 1 and array.shape == shape[1:]
        matrix = array.reshape(shape) if vector_will_do else array.T if rows == "inputs" else array
        if matrix.shape != shape:
            wanted, other = (shape, "inputs") if rows == "outputs" else (shape[::-1], "outputs")
            hint = f'; if its rows are {other}, pass rows="{other}"' * (array.shape == wanted[::-1])
            raise ValueError(f"the weights of {label} must be {wanted}, rows are {rows}, got {array.shape}{hint}")
        vector = None if biases is None else np.asarray(biases[i], dtype=np.float64)
        if vector is not None and vector.shape != shape[:1]:
            raise ValueError(f"the biases of {label} must be ({shape[0]},), got {vector.shape}")
        if vector is not None and not has_bias and vector.any():
            raise ValueError(f"{label} was made with bias=False and cannot take the biases {vector}")
        matrices.append(_finite(f"the weights of {label}", matrix))
        vectors.append(None if vector is None else _finite(f"the biases of {label}", vector))
    return matrices, vectors


def _finite(name: str, array: Array) -> Array:
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite numbers, got {array[~np.isfinite(array)][0]}")
    return array


def _listed(x: Any, n_inputs: int, module: Any) -> list[Any]:
    kind = type(x).__name__
    if isinstance(x, np.ndarray):
        if x.ndim > 1:
            one = f"one sample of shape ({n_inputs},) per call"
            raise ValueError(f"{module!r} takes {one}, got an array {x.shape}; call it for each row")
        x = x.tolist()  # plain numbers: far faster than NumPy's one by one
    elif isinstance(x, (Mapping, AbstractSet)):
        advice = "its values in the order of the inputs" if isinstance(x, Mapping) else "a list, which has an order"
        raise TypeError(f"{module!r} takes one sample, a sequence of numbers and Values, got a {kind}; give {advice}")
    elif isinstance(x, (str, bytes, bytearray)):  # going over bytes gives whole numbers
        raise TypeError(f"{module!r} takes one sample, a sequence of numbers and Values, got {kind} {x[:40]!r}")
    elif hasattr(x, "columns"):  # to go over a table is to go over the names of its columns, not over its numbers
        raise TypeError(f"{module!r} takes one sample per call, got a {kind}; call it for each row of x.to_numpy()")
    try:
        return list(x)
    except TypeError:
        return [x]  # a single number or Value, for those who take one input


def _unmixed(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return labels of dtype object: text as it is, all else as numbers; ValueError where they are mixed."""
    missing = next((i for i, label in enumerate(array) if _is_missing(label)), None)
    if missing is not None:
        raise ValueError(f"Input {name} contains NaN: {array[missing]!r} at position {missing}; leave out such samples")
    kinds = {str if isinstance(label, str) else bytes if isinstance(label, bytes) else object for label in array}
    if len(kinds) > 1:
        raise ValueError(f"{name} mixes text and other labels; make all of them text, or all of them numbers")
    if not kinds <= {object}:
        return array
    if all(isinstance(label, (bool, int)) for label in array):
        return np.array(array.tolist())
    return numbers(name, array)


def _array(name: str, data: Any) -> NDArray[Any]:
    if hasattr(data, "toarray") and hasattr(data, "nnz"):
        raise TypeError(f"Sparse data was passed for {name}, but dense data is required; use {name}.toarray()")
    if data is None or isinstance(data, (str, bytes, Mapping, AbstractSet, Iterator)):
        shown = repr(data) if data is None or isinstance(data, (str, bytes)) else f"a {type(data).__name__}"
        raise TypeError(f"{name} must be an array, a list of numbers or rows, or a data frame, got {shown:.60}")
    if np.ma.is_masked(data):
        raise ValueError(f"{name} has masked entries; fill them, {name}.filled(...), or leave out such samples")
    try:
        return np.asarray(data)
    except ValueError as error:
        raise ValueError(f"{name} is not an array, its rows differ in length or kind: {error}") from error


def _refuse_infinite(name: str, array: NDArray[Any]) -> None:
    if not np.isfinite(array).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        what = "NaN" if np.isnan(array[at]) else "infinity"
        raise ValueError(
            f"Input {name} contains {what}: {array[at]} at {_place(at)}; every entry must be a finite number"
        )


def _refuse_none(y: Any, estimator: str) -> None:
    if y is None:
        raise ValueError(f"{estimator} requires y to be passed, but the target y is None")


def _same_length(name: str, length: int, n_samples: int) -> None:
    if length != n_samples:
        raise ValueError(f"{name} must have one entry or row per sample of X, {n_samples}, got {length}")


def _is_missing(entry: Any) -> bool:
    if isinstance(entry, float):
        return entry != entry  # noqa: PLR0124 # NaN is what differs from itself
    return entry is None or type(entry).__name__ in {"NAType", "NaTType"}  # pandas' own, which need not be loaded


def _scalar(entry: Any) -> Any:
    """Return a scalar of NumPy as Python shows it."""
    return entry.item() if isinstance(entry, np.generic) else entry


def _place(at: tuple[int, ...]) -> str:
    return f"row {at[0]}, column {at[1]}" if len(at) == 2 else f"position {at[0] if len(at) == 1 else at}"
