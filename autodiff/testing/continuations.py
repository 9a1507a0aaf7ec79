"""The rows of the table on complex numbers beside the real axis: what the complex step walks on.

A step of 1e-40 of its size along the imaginary axis leaves the real part as it is and gives the derivative without a
subtraction, so to the last few bits. Rows with branches continue the branch that the real part is on. `erf` alone is
missing: Python has no complex one.
"""

from __future__ import annotations

import cmath
import math
import operator
from collections.abc import Callable, Mapping
from itertools import starmap
from typing import Any

from autodiff.ops import OPS, Op

Continuation = Callable[..., complex]


def continuation(op: Op) -> Continuation | None:
    """Return the row on complex numbers; None for erf, and for operations that are not rows of the table.

    An operation that computes what a row computes is that row here, whatever its partials: those are under test.
    """
    row = OPS.get(op.name)
    return _CONTINUATIONS.get(op.name) if row is not None and row.forward is op.forward else None


def _pow(z: complex, w: complex) -> complex:
    a, b = z.real, w.real
    if a == 0.0:  # the slope at 0 exists for integers alone, and there Python multiplies
        return z ** int(b) if b == int(b) and b >= 0.0 and w.imag == 0.0 else complex(math.nan, math.nan)
    turn = b * math.atan2(z.imag, a) if a > 0.0 else b * -math.atan2(z.imag, -a)
    return math.pow(a, b) * cmath.exp(1j * (turn + (w.imag * math.log(a) if w.imag else 0.0)))


def _expm1(z: complex) -> complex:
    return complex(math.expm1(z.real), math.exp(z.real) * math.sin(z.imag))


def _log1p(z: complex) -> complex:
    return complex(math.log1p(z.real), math.atan2(z.imag, 1.0 + z.real))


def _atan2(z: complex, w: complex) -> complex:
    y, x = z.real, w.real
    if abs(x) >= abs(y):
        return cmath.atan(z / w) + (math.copysign(math.pi, y) if x < 0.0 else 0.0)
    return math.copysign(math.pi / 2.0, y) - cmath.atan(w / z)


def _hypot(z: complex, w: complex) -> complex:
    scale = max(abs(z.real), abs(w.real))
    return scale * cmath.sqrt((z / scale) ** 2 + (w / scale) ** 2)


def _sigmoid(z: complex) -> complex:
    if z.real >= 0.0:
        return 1.0 / (1.0 + cmath.exp(-z))
    return cmath.exp(z) / (1.0 + cmath.exp(z))


def _softplus(z: complex) -> complex:
    return z + _log1p(cmath.exp(-z)) if z.real > 0.0 else _log1p(cmath.exp(z))


def _clip(z: complex, low: complex, high: complex) -> complex:
    return low if z.real < low.real else high if z.real > high.real else z


def _logsumexp(*zs: complex) -> complex:
    top = max(z.real for z in zs)
    return top + cmath.log(sum(cmath.exp(z - top) for z in zs))


def _weighted_sum(*zs: complex) -> complex:
    n = len(zs) // 2
    return sum(starmap(operator.mul, zip(zs[:n], zs[n:-1], strict=True)), zs[-1])


def _sign(z: complex) -> complex:
    return complex((z.real > 0.0) - (z.real < 0.0))


def _abs(z: complex) -> complex:
    return z if z.real > 0.0 else -z


def _log2(z: complex) -> complex:
    return cmath.log(z) / math.log(2.0)


def _leaky_relu(z: complex, slope: complex) -> complex:
    return z if z.real > 0.0 else slope * z


def _relu(z: complex) -> complex:
    return _leaky_relu(z, 0j)


def _step(z: complex) -> complex:
    return complex(z.real > 0.0)


def _maximum(z: complex, w: complex) -> complex:
    return z if z.real >= w.real else w


def _minimum(z: complex, w: complex) -> complex:
    return z if z.real <= w.real else w


def _where(c: complex, z: complex, w: complex) -> complex:
    return z if c.real else w


def _total(*zs: complex) -> complex:
    return sum(zs, 0j)


def _mean(*zs: complex) -> complex:
    return _total(*zs) / len(zs)


_OPERATORS: Any = operator  # typed for objects of every kind; here they get complex numbers
_CONTINUATIONS: Mapping[str, Continuation] = {
    "add": _OPERATORS.add,
    "sub": _OPERATORS.sub,
    "mul": _OPERATORS.mul,
    "div": _OPERATORS.truediv,
    "pow": _pow,
    "pos": _OPERATORS.pos,
    "neg": _OPERATORS.neg,
    "abs": _abs,
    "sign": _sign,
    "exp": cmath.exp,
    "expm1": _expm1,
    "log": cmath.log,
    "log1p": _log1p,
    "log2": _log2,
    "log10": cmath.log10,
    "sqrt": cmath.sqrt,
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "asin": cmath.asin,
    "acos": cmath.acos,
    "atan": cmath.atan,
    "sinh": cmath.sinh,
    "cosh": cmath.cosh,
    "tanh": cmath.tanh,
    "asinh": cmath.asinh,
    "acosh": cmath.acosh,
    "atanh": cmath.atanh,
    "atan2": _atan2,
    "hypot": _hypot,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "step": _step,
    "maximum": _maximum,
    "minimum": _minimum,
    "clip": _clip,
    "where": _where,
    "total": _total,
    "mean": _mean,
    "logsumexp": _logsumexp,
    "weighted_sum": _weighted_sum,
}
