"""Operations that read better with a signature of their own: sequences in, defaults named.

The others are rows of the table and are called as they stand: `autodiff.exp`, `autodiff.maximum`, …
"""

# Numbers alone are also numbers and Values: of the overloads the first that fits is meant.
# pyright: reportOverlappingOverload=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Iterable
from operator import mul
from typing import Any, overload

from autodiff import grad_mode
from autodiff.backward import fill
from autodiff.domains import Array, Number
from autodiff.ops import OPS, exp
from autodiff.value import Value, blank, node

WEIGHTED_SUM = OPS["weighted_sum"]


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
    try:  # the usual case, recorded in one go: weights and bias are Values, inputs are all Values or all floats
        w, b = [v._number for v in ws], bias._number
        constant = xs[0].__class__ is float and set(map(type, xs)) == {float}
        x = xs if constant else [v._number for v in xs]
        z = sum(map(mul, w, x), b)
    except (AttributeError, TypeError, IndexError):
        return WEIGHTED_SUM(*ws, *xs, bias)
    if grad_mode.contexts:
        partials = (*x, *((0.0,) * len(w) if constant else w), 1.0)
        return node(z, WEIGHTED_SUM, (), (*ws, *xs, bias), 0.0, partials)
    return fill(blank(), z, WEIGHTED_SUM, xs, ws, bias, x if constant else (*x, *w))


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
