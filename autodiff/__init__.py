"""Scalar automatic differentiation: exact derivatives of the code you write, and pictures of how they came about.

>>> from autodiff import Value, grad
>>> x = Value(3.0, "x")
>>> y = x * x + 2 * x
>>> y.backward()
>>> y.data, x.grad
(15.0, 8.0)
>>> grad(lambda x: x * x + 2 * x)(3.0)
8.0
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autodiff.backward import topological_order
from autodiff.domains import Domain
from autodiff.errors import DomainError, NoDerivativeError, RenderError, TraceError, WrongDerivativeError
from autodiff.explanations import anomalies, explain
from autodiff.functions import leaky_relu, logsumexp, mean, softmax, total, weighted_sum
from autodiff.grad_mode import no_grad
from autodiff.ops import (
    OPS,
    Op,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    clip,
    cos,
    cosh,
    erf,
    exp,
    expm1,
    hypot,
    log,
    log1p,
    log2,
    log10,
    maximum,
    minimum,
    relu,
    sigmoid,
    sign,
    sin,
    sinh,
    softplus,
    sqrt,
    step,
    tan,
    tanh,
    where,
)
from autodiff.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad
from autodiff.value import Value

if TYPE_CHECKING:
    from autodiff.compiler import Program, compile
    from autodiff.pictures import draw, stepper

__version__ = "0.1.0"

__all__ = [
    "OPS",
    "Domain",
    "DomainError",
    "NoDerivativeError",
    "Op",
    "Program",
    "RenderError",
    "TraceError",
    "Value",
    "WrongDerivativeError",
    "acos",
    "acosh",
    "anomalies",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "clip",
    "compile",
    "cos",
    "cosh",
    "draw",
    "erf",
    "exp",
    "explain",
    "expm1",
    "grad",
    "hessian",
    "hvp",
    "hypot",
    "jacobian",
    "jvp",
    "leaky_relu",
    "log",
    "log1p",
    "log2",
    "log10",
    "logsumexp",
    "maximum",
    "mean",
    "minimum",
    "no_grad",
    "relu",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softmax",
    "softplus",
    "sqrt",
    "step",
    "stepper",
    "tan",
    "tanh",
    "topological_order",
    "total",
    "value_and_grad",
    "weighted_sum",
    "where",
]


_LOADED_WHEN_ASKED_FOR = {
    "Program": "autodiff.compiler",
    "compile": "autodiff.compiler",
    "draw": "autodiff.pictures",
    "stepper": "autodiff.pictures",
}


def __getattr__(name: str) -> Any:
    """Load the compiler and the pictures when they are first asked for: the engine alone is light."""
    if name in _LOADED_WHEN_ASKED_FOR:
        return getattr(import_module(_LOADED_WHEN_ASKED_FOR[name]), name)
    raise AttributeError(f"module 'autodiff' has no attribute {name!r}")
