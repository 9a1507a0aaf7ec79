"""Operations that read better with a signature of their own: sequences in, defaults named.

The others are rows of the table and are called as they stand: `autodiff.exp`, `autodiff.maximum`, …
"""

# Numbers alone are also numbers and Values: of the overloads the first that fits is meant.
# pyright: reportOverlappingOverload=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# A Value's number is read while it is traced, which `data` refuses:
# pyright: reportPrivateUsage=false
from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from autodiff import nests
from autodiff.domains import Array, Number, number, unbox
from autodiff.errors import DomainError
from autodiff.ops import OPS, WEIGHTED_SUM, exp
from autodiff.value import Value, neuron

if TYPE_CHECKING:  # the engine alone does without
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

Row = TypeVar("Row")
_MANY = 64  # places: with more, a sum of ones and zeros takes longer than to look whether the number is one of them


@overload
def leaky_relu(x: Number, slope: Number = 0.01) -> float: ...
@overload
def leaky_relu(x: Value | Number, slope: Value | Number = 0.01) -> Value: ...
@overload
def leaky_relu(x: Array | Value | Number, slope: Array | Value | Number = 0.01) -> Array: ...
def leaky_relu(x: Any, slope: Any = 0.01) -> Any:
    """Return `x` where it is positive, `slope * x` elsewhere; the derivative at 0 is `slope`.

    >>> leaky_relu(-2.0), leaky_relu(-2.0, slope=0.5)
    (-0.02, -1.0)
    """
    return OPS["leaky_relu"](x, slope)


@overload
def total(values: Iterable[Number]) -> float: ...
@overload
def total(values: Iterable[Value | Number]) -> Value: ...
@overload
def total(values: Iterable[Array | Value | Number]) -> Array: ...
def total(values: Iterable[Any]) -> Any:
    """Return the sum of `values` as ONE node, however many they are.

    >>> total([1.0, 2.0, 3.5])
    6.5
    """
    return OPS["total"](*_all(values, "total"))


@overload
def mean(values: Iterable[Number]) -> float: ...
@overload
def mean(values: Iterable[Value | Number]) -> Value: ...
@overload
def mean(values: Iterable[Array | Value | Number]) -> Array: ...
def mean(values: Iterable[Any]) -> Any:
    """Return the mean of `values` as one node; ValueError when there are none.

    >>> mean([1.0, 2.0, 6.0])
    3.0
    """
    return OPS["mean"](*_some(values, "mean"))


@overload
def logsumexp(values: Iterable[Number]) -> float: ...
@overload
def logsumexp(values: Iterable[Value | Number]) -> Value: ...
@overload
def logsumexp(values: Iterable[Array | Value | Number]) -> Array: ...
def logsumexp(values: Iterable[Any]) -> Any:
    """Return log Σ exp(x) as one node, without overflow; ValueError when there are no values.

    >>> logsumexp([1000.0, 1000.0])
    1000.6931471805599
    """
    return OPS["logsumexp"](*_some(values, "logsumexp"))


@overload
def softmax(values: Iterable[Number]) -> list[float]: ...
@overload
def softmax(values: Iterable[Value | Number]) -> list[Value]: ...
@overload
def softmax(values: Iterable[Array | Value | Number]) -> list[Array]: ...
def softmax(values: Iterable[Any]) -> list[Any]:
    """Return exp(x) / Σ exp(x) for every x: numbers above 0 that add up to 1; ValueError when there are none.

    Written exp(x - logsumexp), so it neither overflows nor needs a derivative of its own.

    >>> softmax([0.0, 0.0])
    [0.5, 0.5]
    """
    values = _some(values, "softmax")
    scale = OPS["logsumexp"](*values)
    return [exp(x - scale) for x in values]


@overload
def weighted_sum(weights: Iterable[Number], inputs: Iterable[Number], bias: Number = 0.0) -> float: ...
@overload
def weighted_sum(
    weights: Iterable[Value | Number], inputs: Iterable[Value | Number], bias: Value | Number = 0.0
) -> Value: ...
@overload
def weighted_sum(
    weights: Iterable[Array | Value | Number],
    inputs: Iterable[Array | Value | Number],
    bias: Array | Value | Number = 0.0,
) -> Array: ...
def weighted_sum(weights: Iterable[Any], inputs: Iterable[Any], bias: Any = 0.0) -> Any:
    """Return z = Σ wᵢxᵢ + b, a whole neuron as ONE node (course slide «La neurona, suma ponderada»).

    Numbers and Values mix freely. ValueError when weights and inputs differ in number.

    >>> weighted_sum([4.0, 5.0], [1.0, 0.0], bias=-6.0)
    -2.0
    """
    ws: Any = weights if weights.__class__ is tuple else _all(weights, "weighted_sum")  # tuples are kept as they are
    xs: Any = inputs if inputs.__class__ is tuple else _all(inputs, "weighted_sum")
    if len(ws) != len(xs):
        raise ValueError(f"weighted_sum needs one input per weight, got {len(ws)} weights and {len(xs)} inputs")
    result = neuron(ws, xs, bias)  # the usual case, recorded in one go
    return WEIGHTED_SUM(*ws, *xs, bias) if result is NotImplemented else result


def pick(table: Sequence[Row], i: Any) -> Row:  # Any: a number, or a Value that holds one
    """Return `table[i]`, also where `i` is an argument of a compiled function, which has no number yet.

    `i` is a whole number, negative from the end as in Python. Rows are numbers, Values, or lists and arrays of them,
    all of one shape; δ goes to the row that is picked, whatever the others hold: −∞ and NaN stay where they are. A
    compiled program takes each row times 1 or 0 and adds them up, and computes again by `where` what that leaves
    infinite or NaN; from tables of 64 rows or more it copies the row.

    Raises DomainError for a number that is no place in the table; in a batch the answer of that row is NaN, and
    `check=True` says which row it is. TypeError for what is no table or no number, ValueError for an empty table.

    >>> pick([[1.0, 2.0], [3.0, 4.0]], -1)
    [3.0, 4.0]
    >>> from autodiff import compile
    >>> compile(lambda i: pick([5.0, 6.0, 7.0], i) ** 2)([0, 2, -1])
    array([25., 49., 49.])
    """
    rows = _rows(table)
    places, within = _places(i, len(rows), "pick")
    return rows[places] if isinstance(places, int) else _mixed(rows, places, within)


class Table(list[Any]):  # Any: Values, or rows of them
    """A list that is indexed by numbers and Values too, also by those that have no number yet: as `pick` does it.

    >>> table = parameters([1.0, 4.0, 9.0])
    >>> type(table).__name__, table[Value(2.0)].data
    ('Table', 9.0)
    """

    __slots__ = ()

    def __getitem__(self, i: Any) -> Any:  # Any: an int, a slice, a number or a Value; an entry, or a table
        if isinstance(i, slice):
            return Table(super().__getitem__(i))
        return pick(self, i) if isinstance(i, Value) or not hasattr(i, "__index__") else super().__getitem__(i)


def parameters(nest: Any, label: str = "") -> Any:  # Any: nest and result are what a user holds
    """Return the same nest with Values for its numbers, and tables for its lists and arrays: `table[i]` is `pick`.

    Numbers, arrays, Values, and lists, tuples, dicts, dataclasses of them. Values stay what they are; of numbers new
    ones are made, labelled `label[2][0]` where there is a label. A table is a list that may be indexed by a number, a
    Value or an argument of a compiled function, as `pick` is called, and by ints and slices as every list. Raises
    TypeError for what is no number.

    >>> from autodiff import compile
    >>> emb = parameters([[0.5, 1.0], [2.0, 3.0]], "emb")
    >>> emb[1][0].label
    'emb[1][0]'
    >>> compile(lambda i, j: emb[i][j] ** 2)([0, 1, -1], [1, 0, 1])
    array([1., 4., 9.])
    """

    def leaf(x: Any, path: str) -> Any:
        x = unbox(x)
        if isinstance(x, list) or getattr(x, "ndim", 0):
            return Table([nests.mapped(leaf, entry, f"{path}[{k}]", _is_list) for k, entry in enumerate(x)])
        return x if isinstance(x, Value) else Value(number(x), path if label else "")

    return nests.mapped(leaf, nest, label or "parameters", _is_list)


def _is_list(x: Any) -> bool:
    return isinstance(x, list)


def one_hot(i: Any, n: int) -> list[Any]:  # Any: i and result are numbers, or Values
    """Return n numbers, 1 at the whole number `i`, negative from the end, and 0 elsewhere; errors as for `pick`.

    >>> one_hot(1, 3)
    [0.0, 1.0, 0.0]
    """
    if not hasattr(n, "__index__"):
        raise TypeError(f"one_hot: n must be a whole number, got {n!r}")
    places, within = _places(i, n, "one_hot")
    return [float(k == places) for k in range(n)] if isinstance(places, int) else [each + within for each in places]


def pad(sequences: Sequence[ArrayLike], value: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sequences of several lengths as one array, filled up with `value`, and its mask: 1 in them, 0 beyond.

    A program has one shape: called on both arrays, it serves all lengths, and multiplies the share of each place by the
    mask. The entries of the sequences are numbers or arrays of one shape. Raises ValueError for other shapes, and for
    none; TypeError for a text or None.

    >>> numbers, mask = pad([[1.0, 2.0, 3.0], [4.0]])
    >>> numbers
    array([[1., 2., 3.],
           [4., 0., 0.]])
    >>> mask
    array([[1., 1., 1.],
           [1., 0., 0.]])
    """
    import numpy as np

    if not hasattr(sequences, "__len__"):
        raise TypeError(f"pad needs a list of sequences, got {type(sequences).__name__}; list(...) makes one")
    for k, x in enumerate(sequences):
        for place, entry in np.ndenumerate(np.asarray(x, dtype=object)) if np.asarray(x).dtype.kind in "OSU" else ():
            if entry is None or isinstance(entry, (str, bytes)):  # NumPy makes NaN of None, and reads texts
                at = "".join([f"[{j}]" for j in (k, *place)])
                raise TypeError(f"pad needs numbers, got {entry!r} at sequences{at}; leave it out, or write a number")
    rows = [np.asarray(x, dtype=np.float64) for x in sequences]
    shapes = {row.shape[1:] for row in rows if row.size}
    if len(shapes) != 1 or not all(row.ndim for row in rows):
        found = "none with an entry" if not shapes else f"shapes {sorted({row.shape for row in rows})}"
        raise ValueError(
            f"pad needs sequences of numbers, or of arrays in one shape, got {found}; one must have entries"
        )
    longest = max(map(len, rows))
    filled = np.full((len(rows), longest, *shapes.pop()), value, dtype=np.float64)
    mask = np.zeros((len(rows), longest))
    for k, row in enumerate(rows):
        filled[k, : len(row)] = row if row.size else value
        mask[k, : len(row)] = 1.0
    return filled, mask


def _rows(table: Any) -> Sequence[Any]:
    if isinstance(table, (str, Mapping)) or not hasattr(table, "__getitem__") or not hasattr(table, "__len__"):
        way = "list(table.values())" if isinstance(table, Mapping) else "list(...)"
        raise TypeError(f"pick needs a list or an array of rows, got {type(table).__name__}; {way} makes one")
    return table


def _places(i: Any, n: int, name: str) -> tuple[Any, Any]:
    """Return a number as a place; a stand-in as 1 or 0 for each place, and 0, or NaN outside."""
    if isinstance(i, str):
        raise TypeError(f"{name}: the index must be a whole number, got {i!r}")
    if getattr(i, "ndim", 0) or isinstance(i, (list, tuple)):
        raise TypeError(
            f"{name} needs one whole number, got {type(i).__name__}; pick one by one: [{name}(…) for k in i]"
        )
    if n < 1:
        raise ValueError(f"{name} needs one place or more, got {n}")
    if not hasattr(i == 0, "record_operation"):  # it has a number
        found = i.data if isinstance(i, Value) else number(i)
        if found not in range(-n, n):
            where = f", in {i.label!r}" if getattr(i, "label", "") else ""
            raise DomainError(f"{name} needs a whole number from {-n} to {n - 1}, got {found:g}{where}")
        return int(found) % n, 0.0
    from_start = OPS["where"](i < 0.0, i + float(n), i)
    here = [from_start == k for k in range(n)]
    few = n < _MANY  # for those, the sum is one call where the places are one array anyway
    nearest = from_start if few else OPS["clip"](OPS["floor"](from_start), 0.0, n - 1.0)
    inside = 2.0 * (OPS["total"](*here) if few else nearest == from_start) - 1.0
    inside.label = f"{name} from {-n} to {n - 1}"
    return here, OPS["log"](inside)


def _mixed(rows: Sequence[Any], places: Sequence[Any], within: Any) -> Any:
    """Return Σ place · row, number by number."""
    if of_no_numbers := [row for row in rows if isinstance(row, (str, bytes, Mapping))]:
        kind = type(of_no_numbers[0]).__name__
        raise TypeError(f"pick by a stand-in needs rows of numbers, got {kind}; pick from its numbers, one by one")
    lengths = {len(row) if hasattr(row, "__len__") else -1 for row in rows}
    if len(lengths) > 1:
        raise ValueError(f"pick needs rows of one length, got lengths of {sorted(lengths)}; fill the shorter ones up")
    if lengths == {-1}:
        return _picked(rows, places, within)
    mixed = [_mixed(column, places, within) for column in zip(*rows, strict=True)]
    if isinstance(rows[0], list):
        return Table(mixed) if isinstance(rows[0], Table) else mixed
    import numpy as np

    if hasattr(rows[0], "dtype"):
        return np.array(mixed, dtype=object)
    return type(rows[0])(*mixed) if hasattr(rows[0], "_fields") else tuple(mixed)


def _picked(numbers: Sequence[Any], places: Sequence[Any], within: Any) -> Any:
    """Return Σ place · number, without 0 · ∞."""
    where, total = OPS["where"], OPS["total"]
    entries: list[Any] = [x if hasattr(x, "record_operation") else number(x) for x in map(unbox, numbers)]
    known = [isinstance(x, float) for x in entries]
    infinite = [k for k, x in enumerate(entries) if known[k] and not math.isfinite(x)]
    finite = [0.0 if k in infinite else x for k, x in enumerate(entries)]
    found = weighted_sum(tuple(finite), tuple(places), within)
    if any(not known[k] and _may_be_infinite(x) for k, x in enumerate(entries)):
        # Computed again in this way where the product is not finite.
        chosen = [where(place, x, 0.0) for x, place in zip(finite, places, strict=True)]
        found = within.tracer.either(found, total(*chosen) + within)
    for k in infinite:
        found = where(places[k], entries[k], found)
    return found


def _may_be_infinite(x: Value) -> bool:
    """Tell whether a number is yet to be computed; parameters are numbers, and finite ones are expected to stay so."""
    return x.__class__ is not Value or not math.isfinite(getattr(x, "_number", 0.0))


def _all(values: Iterable[Any], name: str) -> tuple[Any, ...]:
    if not hasattr(type(values), "__iter__"):
        way = "give its parameters()" if hasattr(values, "parameters") else "put it in [ ]"
        raise TypeError(f"{name} needs a sequence of Values and numbers, got one {type(values).__name__}; {way}")
    return tuple(values)


def _some(values: Iterable[Any], name: str) -> tuple[Any, ...]:
    values = _all(values, name)
    if not values:
        raise ValueError(f"{name} needs at least one value, got none")
    return values
