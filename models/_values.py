"""Values as plain numbers: what they hold, what messages call them, and setting many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autodiff import Value


def plain(x: Any) -> Any:
    """Return the number in a Value (a gradient is one after `backward(create_graph=True)`), anything else as it is."""
    return x.data if isinstance(x, Value) else x


def name_of(node: Value, parameters: Sequence[Value] = ()) -> str:
    """Name a node by its label, else by what made it; one of `parameters` without a label by its place there."""
    if node.label:
        return repr(node.label)
    if node.op is None:
        place = next((i for i, parameter in enumerate(parameters) if parameter is node), None)
        return f"a leaf of {node.data:g} without a label" if place is None else f"parameter {place}"
    shown = [(x.label or f"{x.data:g}") if isinstance(x, Value) else f"{x:g}" for x in node.operands[:4]]
    return f"{node.op.name}({', '.join(shown)}{', …' if len(node.operands) > 4 else ''})"


def assign(parameters: Sequence[Value], numbers: Sequence[float]) -> None:
    """Set all parameters to these numbers, or, interrupted, none of them."""
    before = [p.data for p in parameters]
    try:
        for parameter, number in zip(parameters, numbers, strict=True):
            parameter.data = number
    except BaseException:
        for parameter, number in zip(parameters, before, strict=True):
            parameter.data = number
        raise
