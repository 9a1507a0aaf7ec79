"""Checks of what neurons, layers and networks are given: sizes, options, one sample, known weights."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Mapping, Sequence, Sized
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LayerShape = tuple[str, tuple[int, int], bool]  # label, (n_outputs, n_inputs), whether it has biases

_REAL = (float, int, np.integer, np.floating)


def size(n: Any, what: str) -> int:
    """Give `n` as an int; ValueError for what is not a whole number above 0."""
    try:
        whole = 0 if isinstance(n, bool) else operator.index(n)
    except TypeError:
        whole = 0
    if whole < 1:
        raise ValueError(f"{what} must be a whole number above 0, got {n!r}")
    return whole


def sizes(given: Any) -> list[int]:
    """Give the number of neurons of each layer, at least one layer; TypeError for what is not a sequence."""
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        raise TypeError(f"sizes is a sequence, the number of neurons of each layer, such as [16, 16, 1], got {given!r}")
    widths = [size(n, f"sizes[{i}]") for i, n in enumerate(given)]
    if not widths:
        raise ValueError("sizes is empty: a network has at least one layer, such as [1]")
    return widths


def options(bias: Any, label: Any) -> None:
    """Raise TypeError for a `bias` that is not True or False and a `label` that is not text."""
    if not isinstance(bias, (bool, np.bool_)):
        raise TypeError(f"bias must be True or False, got {bias!r}: load_weights sets biases to numbers")
    if not isinstance(label, str):
        raise TypeError(f"label must be text, got {label!r}")


def sample(x: Any, n_inputs: int, module: Any) -> list[Any]:
    """Give one sample as a list of `n_inputs` numbers and Values; `module` is named in errors.

    Raises TypeError for what has names or no order instead of places (a mapping, a table, a set), for text and for
    arrays among the entries, ValueError for an array of more than one dimension and for another number of entries.
    """
    inputs = list(x) if isinstance(x, (list, tuple)) else _listed(x, n_inputs, module)
    kinds = set(map(type, inputs))
    if any(issubclass(kind, np.ndarray) for kind in kinds) and any(map(np.ndim, inputs)):
        raise TypeError(f"{module!r}: the entries of one sample are numbers and Values, and one is an array")
    if len(inputs) != n_inputs:
        raise ValueError(f"{module!r} takes {n_inputs} inputs, got {len(inputs)}")
    if kinds != {float} and all(issubclass(kind, _REAL) for kind in kinds):
        with contextlib.suppress(OverflowError):  # an integer beyond all floats: the engine says so better
            return list(map(float, inputs))  # once here, and not again in every neuron of the first layer
    return inputs


def _listed(x: Any, n_inputs: int, module: Any) -> list[Any]:
    kind = type(x).__name__
    if isinstance(x, np.ndarray):
        if x.ndim > 1:
            one = f"one sample of shape ({n_inputs},) per call"
            raise ValueError(f"{module!r} takes {one}, and x is {x.shape}: call it for each row")
        x = x.tolist()  # plain numbers: far faster than NumPy's one by one
    elif isinstance(x, (Mapping, AbstractSet)):
        advice = "its values in the order of the inputs" if isinstance(x, Mapping) else "a list, which has an order"
        raise TypeError(f"{module!r} takes one sample, a sequence of numbers and Values, got a {kind}: give {advice}")
    elif isinstance(x, (str, bytes, bytearray)):  # going over bytes gives whole numbers
        raise TypeError(f"{module!r} takes one sample, a sequence of numbers and Values, got {kind} {x[:40]!r}")
    elif hasattr(x, "columns"):  # to go over a table is to go over the names of its columns, not over its numbers
        raise TypeError(f"{module!r} takes one sample per call, got a {kind}: call it for each row of x.to_numpy()")
    try:
        return list(x)
    except TypeError:
        return [x]  # a single number or Value, for those who take one input


def known_weights(
    weights: Any, biases: Any, rows: str, layers: Sequence[LayerShape]
) -> tuple[list[Array], list[Array | None]]:
    """Give the weights (n_outputs, n_inputs) and the biases (n_outputs,) of every layer, None for biases None.

    Raises ValueError for other numbers of layers, other shapes, entries that are not finite, and biases other than 0
    for a layer without.
    """
    if rows not in ("outputs", "inputs"):
        raise ValueError(f'rows must be "outputs" or "inputs", got {rows!r}')
    for name, given in (("weights", weights), ("biases", biases)):
        if given is None and name == "biases":
            continue
        n = len(given) if isinstance(given, Sized) else repr(given)
        if n != len(layers):
            raise ValueError(f"{name} must have one entry per layer, {len(layers)}, and has {n}")
    matrices = [_matrix(w, shape, rows, label) for w, (label, shape, _) in zip(weights, layers, strict=True)]
    if biases is None:
        return matrices, [None] * len(layers)
    return matrices, [_vector(b, m, has, label) for b, (label, (m, _), has) in zip(biases, layers, strict=True)]


def _matrix(given: Any, shape: tuple[int, int], rows: str, label: str) -> Array:
    array = np.asarray(given, dtype=np.float64)
    vector_will_do = shape[0] == 1 and array.shape == shape[1:]
    weights = array.reshape(shape) if vector_will_do else array.T if rows == "inputs" else array
    if weights.shape != shape:
        wanted, other = (shape, "inputs") if rows == "outputs" else (shape[::-1], "outputs")
        hint = f'; if its rows are {other}, pass rows="{other}"' * (array.shape == wanted[::-1])
        raise ValueError(f"the weights of {label} must be {wanted}, rows are {rows}, and are {array.shape}{hint}")
    return _finite(weights, f"the weights of {label}")


def _vector(given: Any, n_outputs: int, has_bias: bool, label: str) -> Array:
    biases = np.asarray(given, dtype=np.float64)
    if biases.shape != (n_outputs,):
        raise ValueError(f"the biases of {label} must be ({n_outputs},), and are {biases.shape}")
    if not has_bias and biases.any():
        raise ValueError(f"{label} was made with bias=False and cannot take the biases {biases}")
    return _finite(biases, f"the biases of {label}")


def _finite(array: Array, what: str) -> Array:
    if not np.isfinite(array).all():
        raise ValueError(f"{what} must be finite numbers, and one is {array[~np.isfinite(array)][0]}")
    return array
