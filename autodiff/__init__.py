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

from autodiff import ops
from autodiff.backward import topological_order as topological_order
from autodiff.domains import Domain as Domain
from autodiff.errors import (
    DomainError as DomainError,
    LostLimitWarning as LostLimitWarning,
    NoDerivativeError as NoDerivativeError,
    RenderError as RenderError,
    TraceError as TraceError,
    WrongDerivativeError as WrongDerivativeError,
    WrongShapeError as WrongShapeError,
)
from autodiff.folding import fold as fold
from autodiff.functions import (
    leaky_relu as leaky_relu,
    logsumexp as logsumexp,
    mean as mean,
    one_hot as one_hot,
    pad as pad,
    parameters as parameters,
    pick as pick,
    softmax as softmax,
    total as total,
    weighted_sum as weighted_sum,
)
from autodiff.grad_mode import no_grad as no_grad
from autodiff.native import engine as engine
from autodiff.ops import *
from autodiff.value import Value as Value

if TYPE_CHECKING:
    from autodiff.compiler import Program as Program, compile as compile
    from autodiff.explanations import anomalies as anomalies, explain as explain
    from autodiff.pictures import animate as animate, draw as draw, stepper as stepper
    from autodiff.transforms import (
        grad as grad,
        hessian as hessian,
        hvp as hvp,
        jacobian as jacobian,
        jvp as jvp,
        value_and_grad as value_and_grad,
    )
    from autodiff.wording import set_language as set_language

__version__ = "1.0.0rc1"

_LOADED_WHEN_ASKED_FOR = {
    "Program": "autodiff.compiler",
    "animate": "autodiff.pictures",
    "anomalies": "autodiff.explanations",
    "compile": "autodiff.compiler",
    "draw": "autodiff.pictures",
    "explain": "autodiff.explanations",
    "grad": "autodiff.transforms",
    "hessian": "autodiff.transforms",
    "hvp": "autodiff.transforms",
    "jacobian": "autodiff.transforms",
    "jvp": "autodiff.transforms",
    "set_language": "autodiff.wording",
    "stepper": "autodiff.pictures",
    "value_and_grad": "autodiff.transforms",
}

_KNOWN_ELSEWHERE_AS = {  # by JAX's and PyTorch's names: what does that here
    "Tensor": "Value(3.0), or np.array of Values",
    "checkpoint": "fold(step, carry, xs, checkpoint=True)",
    "jacfwd": "jacobian(f)",
    "jacrev": "jacobian(f)",
    "jit": "compile(f)",
    "tensor": "Value(3.0), or np.array of Values",
    "vjp": "grad(f) or jacobian(f)",
    "vmap": "compile(f), called on rows",
}

if not TYPE_CHECKING:  # type checkers go by the imports above, where the star stands for the rows of the table
    __all__ = ["Domain", "DomainError", "LostLimitWarning", "NoDerivativeError", "RenderError", "TraceError", "Value"]
    __all__ += ["WrongDerivativeError", "WrongShapeError", "fold", "leaky_relu", "logsumexp", "mean", "no_grad"]
    __all__ += ["one_hot", "pad", "parameters", "pick", "softmax", "topological_order", "total", "weighted_sum"]
    __all__ += ops.__all__
    __all__ += list(_LOADED_WHEN_ASKED_FOR)


def __getattr__(name: str) -> Any:
    """Load what lies above the engine when it is first asked for: the engine alone is light."""
    if name not in _LOADED_WHEN_ASKED_FOR:
        here = f"; here it is {_KNOWN_ELSEWHERE_AS[name]}" if name in _KNOWN_ELSEWHERE_AS else ""
        raise AttributeError(f"module 'autodiff' has no attribute {name!r}{here}")
    loaded = globals()[name] = getattr(import_module(_LOADED_WHEN_ASKED_FOR[name]), name)
    return loaded


def __dir__() -> list[str]:
    return sorted({*globals(), *_LOADED_WHEN_ASKED_FOR})
