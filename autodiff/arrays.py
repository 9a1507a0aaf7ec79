"""How the operations compute on arrays for which one function of NumPy will not do."""

# NumPy calls what it does not know the type of unknown:
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
import math
from functools import reduce
from typing import Any

import numpy as np

from autodiff import forwards
from autodiff.forwards import INVERSE_ROOT_2PI, LOG_ROOT_2PI, bell, hazard


def sigmoid(a: Any) -> Any:
    e = np.exp(-np.abs(a))
    return np.where(a >= 0.0, 1.0, e) / (1.0 + e)


def softplus(a: Any) -> Any:
    return np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a)))


def relu(a: Any) -> Any:
    return np.maximum(a, 0.0)


def leaky_relu(a: Any, slope: Any) -> Any:
    return np.where(a > 0.0, a, slope * a)


def step(a: Any) -> Any:
    return np.heaviside(a, 0.0)


def stop_gradient(a: Any) -> Any:
    return +a


def total(*xs: Any) -> Any:
    return reduce(np.add, xs, 0.0)


def mean(*xs: Any) -> Any:
    r = total(*xs) / len(xs)
    return np.where(np.isinf(r), total(*[x / len(xs) for x in xs]), r)


def logsumexp(*xs: Any) -> Any:
    return reduce(np.logaddexp, xs)


def xlogy(a: Any, b: Any) -> Any:
    return np.where(a == 0.0, _zero_but_for_nan(b), a * np.log(b))


def xlog1py(a: Any, b: Any) -> Any:
    return np.where(a == 0.0, _zero_but_for_nan(b), a * np.log1p(b))


def _zero_but_for_nan(b: Any) -> Any:
    return np.where(np.isnan(b), b, 0.0)


def sinc(a: Any) -> Any:
    turn = np.fmod(a, 2.0)
    half = np.rint(turn)
    sine = np.sin(math.pi * (turn - half)) * (1.0 - 2.0 * np.abs(np.fmod(half, 2.0)))
    return np.where(a == 0.0, 1.0, sine / (math.pi * a) + 0.0)


def log_ndtr(a: Any) -> Any:
    x = np.abs(a)
    steep = hazard(x)
    left = -np.log(steep) - 0.5 * x * x - LOG_ROOT_2PI
    right = np.log1p(-INVERSE_ROOT_2PI * bell(np.minimum(x, 40.0), 0.5, np.exp, np.rint) / steep)
    return np.where(x < 1.0, _log_ndtr_near(np.clip(a, -1.0, 1.0)), np.where(a < 0.0, left, right))


erf = np.vectorize(math.erf, otypes=[float])
erfc = np.vectorize(math.erfc, otypes=[float])
_log_ndtr_near = np.vectorize(forwards.log_ndtr, otypes=[float])
