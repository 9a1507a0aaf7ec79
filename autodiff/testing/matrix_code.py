"""Expressions of matrices and vectors, as people write them with NumPy: a product, operations elementwise, one number.

Like expressions of numbers they grow from their point upward, and take only what is admissible there.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.ops import OPS
from autodiff.testing.arguments import shaped
from autodiff.testing.conditioning import well_conditioned
from autodiff.testing.sources import Expression
from autodiff.value import Value

_ELEMENTWISE = ("tanh", "sin", "exp", "sigmoid", "sqrt", "log", "softplus", "atan")
_PRODUCTS = ("W @ x", "x @ W.T", "(W * x).sum(axis=1)")
_STEPS = (
    *(f"{name}(v)" for name in _ELEMENTWISE), "v + b", "v * b", "b - v", "v ** 2", "v - v.mean()", "v / (1.0 + v * v)",
)  # fmt: skip
_LAST = ("v.sum()", "v @ v", "v.mean()", "v @ b", "(v * v).sum() / 2.0", "v[0]")


def matrix_expression(
    W: np.ndarray[Any, Any], x: np.ndarray[Any, Any], b: np.ndarray[Any, Any], choices: Sequence[int]
) -> Expression | None:
    """Return an expression of W (m × n), x (n) and b (m) that takes as many of the chosen steps as are admissible.

    The first number chooses the product and the last what makes one number of it; None where that is not admissible.

    >>> print(matrix_expression(np.eye(2), np.ones(2), np.ones(2), [0, 0, 1]).source)
    def f(W, x, b):
        v = W @ x
        v = tanh(v)
        return v @ v
    """
    names = {name: OPS[name] for name in _ELEMENTWISE}
    values = [shaped(each, Value) for each in (W, x, b)]
    lines = [f"v = {_PRODUCTS[choices[0] % len(_PRODUCTS)]}"]
    v = _evaluated(lines[0][4:], None, values, names)
    for choice in choices[1:-1]:
        step = _STEPS[choice % len(_STEPS)]
        later = _evaluated(step, v, values, names)
        if later is not None:
            v = later
            lines.append(f"v = {step}")
    last = _LAST[choices[-1] % len(_LAST)]
    if _evaluated(last, v, values, names) is None:
        return None
    source = "\n    ".join(["def f(W, x, b):", *lines, f"return {last}"])
    return Expression(source, (W, x, b))


def _evaluated(text: str, v: Any, values: Sequence[Any], names: dict[str, Any]) -> Any:
    """Evaluate a line on Values; None where a number in it is not well conditioned."""
    W, x, b = values
    try:
        result = eval(text, dict(names), {"W": W, "x": x, "b": b, "v": v})  # noqa: S307 # one of the lines above
    except (ArithmeticError, ValueError):
        return None
    numbers: list[Any] = np.ravel(result).tolist()
    return result if all(map(well_conditioned, numbers)) else None
