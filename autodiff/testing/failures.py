"""The report of a wrong derivative: by name, with numbers, as a program that shows it again, and its graph as text."""

import copy
from collections.abc import Callable
from typing import Any

from autodiff.backward import topological_order
from autodiff.errors import WrongDerivativeError, restored
from autodiff.propagation import propagate
from autodiff.testing.oracles import Estimate
from autodiff.value import Value

_DRAWN = "\0"
_MOST = 60  # lines; more than that nobody reads, and there is draw()
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


def sketch(root: Value, mark: Any = None) -> str:
    """Draw what `root` was computed from as a tree of text: values forward, δ backward, partials at the branches.

    A node that is used twice is drawn once and has a name of its own. Leaves without a label are called x1, x2, …
    `mark` is pointed at.

    >>> from autodiff import sin
    >>> x = Value(0.0, "x")
    >>> print(sketch(sin(x) * x + 2.0))
    add = 2   δ 1
    ├─ 1 · mul = 0   δ 1
    │  ├─ 0 · sin = 0   δ 0
    │  │  └─ 1 · x = 0   δ 0
    │  └─ 0 · x, see above
    └─ 2
    """
    delta = propagate(root)
    uses: dict[Any, int] = {}
    for node in topological_order(root):
        for x in node.operands:
            uses[x] = uses.get(x, 0) + 1
    called: dict[Any, str] = {}
    leaves: dict[Any, str] = {}
    lines: list[str] = []
    # What is still to be drawn: the node, what stands before it on its line, and on the lines below it.
    stack: list[tuple[Any, str, str]] = [(root, "", "")]
    while stack:
        node, before, below = stack.pop()
        if len(lines) == _MOST:
            lines.append(f"… and more: {len(uses) + 1} nodes in all")
            break
        if node.__class__ is float:
            lines.append(f"{before}{node:.6g}")
            continue
        if node in called and called[node].endswith(_DRAWN):
            lines.append(f"{before}{called[node].removesuffix(_DRAWN)}, see above")
            continue
        if node.op is None:
            name = leaves.setdefault(node, node.label or f"x{len(leaves) + 1}")
        else:
            own = node.label or (f"n{len(called) + 1}" if uses.get(node, 0) > 1 else "")
            name = f"{own} = {node.op.name}" if own else node.op.name
        pointer = "   ← here" if node is mark else ""
        lines.append(f"{before}{name} = {node.data:.6g}   δ {float(delta.get(node, 0.0)):.6g}{pointer}")
        if uses.get(node, 0) > 1:
            called[node] = name.split(" = ")[0] + _DRAWN
        branches: list[tuple[Any, str, str]] = []
        for i, (operand, partial) in enumerate(zip(node.operands, node.partials, strict=True)):
            last = i == len(node.operands) - 1
            slope = "" if operand.__class__ is float else f"{partial:.4g} · "
            branches.append((operand, f"{below}{'└' if last else '├'}─ {slope}", f"{below}{' ' if last else '│'}  "))
        stack += reversed(branches)
    return "\n".join(lines)
