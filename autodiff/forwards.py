"""How the operations compute for which one call of `math` or NumPy will not do, on floats and on arrays."""

from __future__ import annotations

import math
from functools import reduce
from operator import mul
from typing import Any, cast

import numpy as np


def sign(a: float) -> float:
    return a if a != a else float((a > 0.0) - (a < 0.0))


def step(a: float) -> float:
    return 0.0 if a <= 0.0 else 1.0 if a > 0.0 else a


def sigmoid(a: float) -> float:
    e = math.exp(-abs(a))  # at most 1: neither side overflows
    return (1.0 if a >= 0.0 else e) / (1.0 + e)


def sigmoid_array(a: Any) -> Any:
    e = np.exp(-np.abs(a))
    return np.where(a >= 0.0, 1.0, e) / (1.0 + e)


def sech_squared(a: float) -> float:
    e = math.exp(-2.0 * abs(a))
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


def softplus(a: float) -> float:
    return (0.0 if a <= 0.0 else a) + math.log1p(math.exp(-abs(a)))


def softplus_array(a: Any) -> Any:
    return np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a)))


def leaky_relu(a: float, slope: float) -> float:
    return a if a > 0.0 else a * slope


def leaky_relu_array(a: Any, slope: Any) -> Any:
    return cast("Any", np.where(a > 0.0, a, slope * a))


def clip(a: float, low: float, high: float) -> float:
    if low > high:
        raise ValueError
    return (low if a < low else high if a > high else a) if low <= high else math.nan


def logsumexp(*xs: float) -> float:
    *others, top = sorted(xs)
    if math.isinf(top):
        return top if not any(map(math.isnan, others)) else math.nan
    return top + math.log1p(sum(math.exp(x - top) for x in others))  # 1 + the others: log1p keeps what is small


def total_array(*xs: Any) -> Any:
    return reduce(np.add, xs, 0.0)


def mean_array(*xs: Any) -> Any:
    return reduce(np.add, xs, 0.0) / len(xs)


def weighted_sum(*operands: Any) -> Any:  # the weights, as many inputs, the bias
    n, odd = divmod(len(operands), 2)
    if not odd:
        raise ValueError
    return sum(map(mul, operands[:n], operands[n:-1]), operands[-1])


erf_array = np.vectorize(math.erf, otypes=[float])
