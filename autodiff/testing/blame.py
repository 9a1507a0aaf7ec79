"""Which single mistake explains a wrong gradient: the chain rule is done again with one rule spoilt at a time.

This is how one gets from "your derivative by w is wrong" to "you forgot the derivative of the sigmoid".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from autodiff.backward import topological_order
from autodiff.naming import describe
from autodiff.propagation import propagate
from autodiff.value import Value

_MOST = 3  # explanations that are told
_LARGE = 200  # nodes, above which no single one is tried
_MISTAKES: dict[str, Callable[[Sequence[float], int], float]] = {
    "has the wrong sign": lambda partials, k: -partials[k],
    "is left out of the product": lambda _, __: 1.0,
    "is taken as 0, a lost path": lambda _, __: 0.0,
    "is doubled": lambda partials, k: 2.0 * partials[k],
    "is halved": lambda partials, k: 0.5 * partials[k],
    "is the one by the operand before it": lambda partials, k: partials[k - 1],
}


def explanations(root: Value | None, inputs: Sequence[Value], found: Sequence[float]) -> str:
    """Lines that name the mistakes with which the chain rule gives all the numbers found; "" where none does."""
    if root is None:
        return ""
    nodes = [node for node in topological_order(root) if node.op is not None]
    told: list[str] = []
    for wrong_in in (
        {},
        *({node: None} for node in nodes[:_LARGE]),
    ):  # first in all nodes of an operation, then in a single one
        places = {(node.op.name, k) for node in nodes if not wrong_in or node in wrong_in for k in _moving(node)}
        for name, k in sorted(places):
            for said, mistake in _MISTAKES.items():

                def partials(node: Any, k: int = k, name: str = name, mistake: Any = mistake) -> Sequence[float]:
                    hit = node.op.name == name and k < len(node.partials) and (not wrong_in or node in wrong_in)  # noqa: B023
                    return [mistake(node.partials, k) if hit and i == k else p for i, p in enumerate(node.partials)]

                delta = propagate(root, partials=partials)
                spoilt = [float(delta.get(x, 0.0)) for x in inputs]
                if all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9) for a, b in zip(spoilt, found, strict=True)):
                    where = f", at {describe(next(iter(wrong_in)))}" if wrong_in else ""
                    told.append(f"  the partial of {name} by operand {k + 1} {said}{where}")
        if told:
            break
    told = list(dict.fromkeys(told))
    return "".join(["  these numbers come out when\n", *(f"  {line}\n" for line in told[:_MOST])]) if told else ""


def _moving(node: Any) -> list[int]:
    return [k for k, x in enumerate(node.operands) if isinstance(x, Value)]
