"""The report of a wrong derivative: by name, with numbers, and as a program that shows it again."""

import copy
from collections.abc import Callable
from typing import Any

from autodiff.backward import topological_order
from autodiff.errors import WrongDerivativeError, restored
from autodiff.testing.oracles import Estimate

_restored = restored  # pickles written before 0.2 call it here


def drawn(error: WrongDerivativeError) -> Any:
    """Return the graph that an error recorded as a picture, the node at fault labelled as such."""
    from autodiff.pictures import draw

    if error.root is None:
        raise ValueError(f"{error.operation} recorded no graph to draw: it does not compute with Values")
    label = "" if error.node is None else error.node.label
    if error.node is not None:
        error.node.label = f"{label} (wrong by operand {error.operand})".strip()
    try:
        twin = copy.deepcopy(error.root)  # whose leaves can be swept into: yours may hold gradients
    finally:
        if error.node is not None:
            error.node.label = label
    for node in topological_order(twin):
        node.zero_grad()
    twin.backward()
    return draw(twin)


def retold(error: WrongDerivativeError, message: str, reproduction: Callable[[], str]) -> WrongDerivativeError:
    """Return the same error with another message, of a check that was made of others."""
    return type(error)(message, reproduction, **error._fields)  # pyright: ignore[reportPrivateUsage]


def wrong(
    sentence: str, truth: Estimate, found: float, *, source: str, where: str, reproduction: Callable[[], str],
    at: str = "", hint: str = "", advice: str = "", **fields: Any,
) -> WrongDerivativeError:  # fmt: skip
    """Make the error to raise: what is wrong, both numbers and their ratio, a line each, and how to see it again."""
    place = f"  at {at}\n" if at else ""
    ratio = f"{found / truth.value:.12g}" if truth.value else "none, the right one is 0"
    return WrongDerivativeError(
        f"{sentence}\n{place}  {source} gives {found!r}\n"
        f"  {truth.oracle} gives {truth.value!r} (± {truth.bound:.0e})\n  ratio {ratio}{hint}\n{advice}  {where}",
        reproduction, found=found, expected=truth.value, oracle=truth.oracle, bound=truth.bound, **fields,
    )  # fmt: skip
