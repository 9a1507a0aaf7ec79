"""How δ flows: the chain rule, node by node, in reverse topological order.

δ of a node is ∂(root)/∂(node). The root's own δ is 1; every node hands `δ · partial` down to each of its
operands, and an operand adds up what its consumers hand it. This works over anything that has operands and
partials; nothing here knows what a Value can do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from autodiff import native


class Node(Protocol):
    """A node as a sweep sees it: its `grad`, and its operands with the partials by them, in four slots.

    | node                  | `a`    | `b`      | `da`  | `db`                                    |
    |-----------------------|--------|----------|-------|-----------------------------------------|
    | leaf                  | 0.0    | 0.0      | 0.0   | 0.0                                     |
    | one operand x         | x      | 0.0      | ∂/∂x  | 0.0                                     |
    | two operands x, y     | x      | y        | ∂/∂x  | ∂/∂y                                    |
    | any number of them    | ()     | operands | 0.0   | partials                                |
    | weights, inputs, bias | inputs | weights  | bias  | partials by weights, then by the inputs |

    One or two operands lie flat, since a tuple per node would be one more object for Python's collector to walk over.
    More of them lie in the tuples `b` and `a`, with all partials in `db`. The last row is a weighted sum, which keeps
    the tuples it was made from, as the neurons of a layer share them: its `da` is a node whose partial is 1, and
    `db` ends with the weights where all inputs are constants.

    Constants are plain floats with partial 0, so "the partial is not 0" also says "there is a node to hand δ to".
    """

    op: Any  # None for a leaf
    a: Any
    b: Any
    da: Any
    db: Any
    grad: Any

    @property
    def operands(self) -> tuple[Any, ...]: ...  # noqa: D102

    @property
    def partials(self) -> tuple[float, ...]: ...  # noqa: D102


UNSWEPT = float("0")  # the grad of a node that no sweep has reached: equal to 0.0, yet an object of its own
_one_sweep_at_a_time = threading.RLock()  # threads that share leaves get the right sums


def topological_order(root: Any, stop: Iterable[Any] = ()) -> list[Any]:  # Any: root, stop, result: of Values
    """Return every node that `root` depends on, root first, each one before its operands.

    Iterative, so depth is no limit. Nodes in `stop` are listed, but not what they were computed from. Your own walk
    keeps the nodes it has seen in a set: a list takes one for another of the same number.

    >>> from autodiff import Value
    >>> x = Value(2.0, "x")
    >>> [node.label for node in topological_order(x * x)]
    ['', 'x']
    """
    if not hasattr(root, "operands"):
        raise TypeError(f"root must be the Value at the end of a computation, got {type(root).__name__} {root!r}")
    return walk(root, set(stop).__contains__)


def walk(root: Any, is_end: Callable[[Any], bool]) -> list[Any]:
    """Return the order of `topological_order`, without descending below nodes where `is_end(node)` holds."""
    seen: set[Any] = set()
    order: list[Any] = []
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if node is None:  # all that hangs below the next one is listed
            order.append(stack.pop())
        elif node not in seen:
            seen.add(node)
            stack += (node, None)
            if not is_end(node):
                stack += [x for x in node.operands if x.__class__ is not float and x not in seen]
    order.reverse()
    return order


def fill(node: Any, number: float, op: Any, a: Any, b: Any, da: Any, db: Any) -> Any:
    """Fill all slots of a new node, and return it."""
    node._number = number
    node.op = op
    node.a = a
    node.b = b
    node.da = da
    node.db = db
    node.grad = UNSWEPT
    return node


_released: list[Any] = []  # what is let go of by nodes that are being freed; empty when there are none


def release(node: Any) -> None:
    """Free what hangs below a node that is being freed, however deep, without a deep stack: the node's `__del__`.

    The first node frees, one by one, what it and the others let go of; those only add to the list.
    """
    try:
        below = node.a, node.b, node.da, node.grad
    except AttributeError:  # it was never filled: its number was refused
        return
    first = not _released
    if first:
        _released.append(None)  # until all is done: the list is not empty for the others
    _released.append(below)
    del below
    node.a = node.b = node.da = node.grad = 0.0
    if first:
        try:
            while len(_released) > 1:
                _released.pop()
        finally:
            _released.clear()


def sweep(root: Node) -> None:
    """Propagate δ from `root`: inner nodes get δ of this sweep, leaves add it to the `grad` they have.

    A leaf's total is formed first and added once, so a second sweep adds exactly the same again. A δ or a partial
    that is exactly 0 is not propagated: 0 · ∞ never makes a NaN. Interrupted, it leaves every leaf as it was.
    """
    leaves: list[tuple[Any, Any]] = []  # with the grad they had
    with _one_sweep_at_a_time:
        try:
            flow(root, leaves)
            totals = [(0.0 if before is None else before) + node.grad for node, before in leaves]
            for (node, _), total in zip(leaves, totals):  # noqa: B905 # one total per leaf
                node.grad = total
        except BaseException:
            for node, before in leaves:
                node.grad = before
            raise


def flow(root: Any, leaves: list[tuple[Any, Any]]) -> None:  # noqa: C901 # one loop, unrolled over the ways operands are stored
    """Set every `grad` below `root` to the δ of this sweep; add the leaves with the grad they had."""
    order = _zeroed(root, leaves)
    root.grad = 1.0
    for node in reversed(order):
        delta = node.grad
        if delta:
            partial = node.db
            if partial:
                if partial.__class__ is tuple:
                    partials = iter(partial)
                    for operand, each in zip(node.b, partials):  # noqa: B905 # strict costs time on every node
                        if each:
                            operand.grad += delta * each
                    if node.a:
                        for operand, each in zip(node.a, partials):  # noqa: B905 # goes on where that stopped
                            if each:
                                operand.grad += delta * each
                        node.da.grad += delta
                    continue
                node.b.grad += delta * partial
            partial = node.da
            if partial:
                node.a.grad += delta * partial


def _zeroed(root: Any, leaves: list[tuple[Any, Any]]) -> list[Any]:  # noqa: C901, PLR0912 # unrolled likewise
    """Set every `grad` below `root` to 0; return the inner nodes, operands first; add leaves with the grad they had.

    The 0.0 is an object of this sweep's own, so that as a grad it also says "met": a mark on the node is cheaper than a
    set of nodes. The walk goes down along first operands, and the others wait. When the turn of one that waits has
    come, all nodes below its consumer's path are complete: they leave the path, and are listed.
    """
    zero = float("0")
    order: list[Any] = []
    path: list[Any] = []  # from the root to where we are: nodes met and not listed yet
    waiting: list[tuple[Any, int]] = [(root, 0)]  # to go down from later, with the length of the path to the consumer
    walked: set[int] = set()  # groups of operands that are all met, by id: the neurons of a layer share their inputs
    while waiting:
        node, depth = waiting.pop()
        if node.grad is zero:
            continue
        while len(path) > depth:
            order.append(path.pop())
        while True:
            if node.op is None:
                leaves.append((node, node.grad))
                node.grad = zero
                break
            node.grad = zero
            path.append(node)
            first, second = node.a, node.b
            kind: Any = type(second)  # pyright: ignore[reportUnknownVariableType] # type() is quicker than .__class__ here
            if kind is tuple:
                depth = len(path)
                for group in (second, first):
                    if id(group) not in walked:
                        before = len(waiting)
                        for operand in group:
                            if type(operand) is not float and operand.grad is not zero:
                                if operand.op is None:
                                    leaves.append((operand, operand.grad))
                                    operand.grad = zero
                                else:
                                    waiting.append((operand, depth))
                        if len(waiting) == before:
                            walked.add(id(group))
                first = node.da
            elif kind is not float and second.grad is not zero:
                if second.op is None:
                    leaves.append((second, second.grad))
                    second.grad = zero
                else:
                    waiting.append((second, len(path)))
            if type(first) is float or first.grad is zero:
                break
            node = first
    path.reverse()
    return order + path if order else path


native.replace(globals(), "fill", "flow", "walk")  # this `flow` lists leaves only where a grad is no float
