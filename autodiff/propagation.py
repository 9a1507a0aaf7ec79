"""The chain rule as functions that write nothing: δ by node, in either direction and in any arithmetic.

`sweep` in backward.py is the one of these that has to be fast. These are what derivatives of functions, derivatives of
derivatives and the tests of both are made from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from autodiff import grad_mode
from autodiff.backward import topological_order
from autodiff.errors import DomainError
from autodiff.naming import describe, plain

Partials = Callable[[Any], Sequence[Any]]


def _as_recorded(node: Any) -> Sequence[Any]:
    return node.partials


def propagate(root: Any, stop: Iterable[Any] = (), partials: Partials = _as_recorded) -> dict[Any, Any]:
    """Return δ by node: the same sweep as a function, which writes nothing and does not go below the nodes in `stop`.

    `partials(node)` says in which arithmetic: floats by default; Values make derivatives that can be
    differentiated again. Nodes that δ does not reach are missing from the answer. While a function is traced for
    `compile`, the derivatives become part of the program.
    """
    if (tracer := grad_mode.tracer()) is not None:
        return tracer.propagate(root, stop)
    ends = set(stop)
    delta: dict[Any, Any] = {root: 1.0}
    for node in topological_order(root, ends):
        if node in delta and node.op is not None and node not in ends:
            for operand, partial in zip(node.operands, partials(node), strict=True):
                if operand.__class__ is not float and _flows(delta[node], partial):
                    step = delta[node] * partial
                    delta[operand] = delta[operand] + step if operand in delta else step
    return delta


def push_forward(root: Any, tangents: dict[Any, Any], partials: Partials = _as_recorded) -> Any:
    """Return how fast `root` changes when the given nodes change at `tangents`: forward mode over the same graph."""
    if (tracer := grad_mode.tracer()) is not None:
        return tracer.push_forward(root, tangents)
    rate = dict(tangents)
    for node in reversed(topological_order(root, tangents)):
        if node not in rate and node.op is not None:
            for operand, partial in zip(node.operands, partials(node), strict=True):
                if operand.__class__ is not float and operand in rate and _flows(rate[operand], partial):
                    step = rate[operand] * partial
                    rate[node] = rate[node] + step if node in rate else step
    return rate.get(root, 0.0)


def _flows(delta: Any, partial: Any) -> bool:
    """Return whether `delta * partial` is to be handed on: neither is the constant 0, and it is not 0 · ∞.

    A Value that happens to be 0 does flow: its own derivative need not be 0.
    """
    return not (_stops(delta, partial) or _stops(partial, delta))


def _stops(factor: Any, other: Any) -> bool:
    return not factor and (factor.__class__ is float or abs(plain(other)) == math.inf)


def partials_as_values(node: Any) -> Sequence[Any]:
    """Return the partials of a recorded node as Values, for derivatives of derivatives."""
    op, operands = node.op, node.operands
    wanted = [x.__class__ is not float for x in operands]
    try:
        fresh = op.partials_of(operands, node, wanted)
    except DomainError as error:
        raise DomainError(f"{describe(node)} has no finite second derivative here: {error}") from None
    now = [op.on_floats(*map(plain, operands)), *map(plain, fresh)]
    for old, new in zip([plain(node), *node.partials], now, strict=True):
        if not (math.isclose(old, new, rel_tol=1e-12) or math.isnan(old)):
            changed = ", ".join(dict.fromkeys(describe(x) for x in operands if x.__class__ is not float))
            raise RuntimeError(
                f"the data of {changed} changed after {describe(node)} was recorded, so its second derivative is gone: "
                "compute the function again before create_graph"
            )
    return fresh
