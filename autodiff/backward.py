"""How δ flows: the chain rule, node by node, in reverse topological order.

δ of a node is ∂(root)/∂(node). The root's own δ is 1; every node hands `δ · partial` down to each of its
operands, and an operand adds up what its consumers hand it. This works over anything that has operands and
partials; nothing here knows what a Value can do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol


class Node(Protocol):
    """What a sweep needs of a node.

    One or two operands lie flat in `a` and `b`, with their partials in `da` and `db`, since a tuple per node would
    be one more object for Python's collector to walk over. More operands are tuples in `b` and `db`. Constants
    are plain floats with partial 0, so "the partial is not 0" also says "there is a node to hand δ to".

    A weighted sum keeps the tuples it was made from, which a layer's neurons share: the weights in `b`, the inputs in
    `a`. Its `db` are the partials by the weights and, unless all inputs are constants, by the inputs; `da` is not a
    partial but the bias, a node.
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


def topological_order(root: Any, stop: Iterable[Any] = ()) -> list[Any]:
    """Every node that `root` depends on, root first, each one before its operands.

    Iterative, so depth is no limit. Nodes in `stop` are listed, but not what they were computed from.

    >>> from autodiff import Value
    >>> x = Value(2.0, "x")
    >>> [node.label for node in topological_order(x * x)]
    ['', 'x']
    """
    return walk(root, set(stop).__contains__)


def walk(root: Any, is_end: Callable[[Any], bool]) -> list[Any]:
    """The order of `topological_order`, down to the nodes that `is_end` says it of."""
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


def sweep(root: Node) -> None:  # noqa: C901, PLR0912 # one loop, unrolled over the ways operands are stored
    """Propagate δ from `root`: inner nodes get δ of this sweep, leaves add it to the `grad` they have.

    A leaf's total is formed first and added once, so a second sweep adds exactly the same again. A δ or a partial
    that is exactly 0 is not propagated: 0 · ∞ never makes a NaN. Interrupted, it leaves every leaf as it was.
    """
    leaves: list[tuple[Any, Any]] = []  # with the grad they had
    with _one_sweep_at_a_time:
        try:
            order = _zeroed(root, leaves)
            root.grad = 1.0
            for node in reversed(order):
                delta = node.grad
                if delta:
                    partial = node.db
                    if partial:
                        if partial.__class__ is tuple:
                            partial = iter(partial)
                            for operand, each in zip(node.b, partial):  # noqa: B905 # strict costs time on every node
                                if each:
                                    operand.grad += delta * each
                            if node.a.__class__ is tuple:
                                for operand, each in zip(node.a, partial):  # noqa: B905 # goes on where that stopped
                                    if each:
                                        operand.grad += delta * each
                                node.da.grad += delta
                            continue
                        node.b.grad += delta * partial
                    partial = node.da
                    if partial:
                        node.a.grad += delta * partial
            totals = [(0.0 if before is None else before) + node.grad for node, before in leaves]
            for (node, _), total in zip(leaves, totals):  # noqa: B905 # one total per leaf
                node.grad = total
        except BaseException:
            for node, before in leaves:
                node.grad = before
            raise


def _zeroed(root: Any, leaves: list[tuple[Any, Any]]) -> list[Any]:  # noqa: C901, PLR0912, PLR0915 # unrolled likewise
    """Set every `grad` below `root` to 0; give the inner nodes, operands first, and leaves with the grad they had.

    The 0.0 is an object of this sweep's own, so as a grad it also says "met": a mark on the node is cheaper than a set
    of nodes. The walk goes down along first operands, and remembers the others for later. What it met below one that
    is still waiting is complete when that one's turn comes, and is listed in one go.
    """
    zero = float("0")
    order: list[Any] = []
    path: list[Any] = []  # from the root to where we are: nodes met and not listed yet
    waiting: list[Any] = []  # inner nodes to walk down from, the last one first,
    consumers: list[Any] = []  # and the node on the path that each is an operand of
    walked: set[int] = set()  # tuples of operands that are all met, by id: the neurons of a layer share their inputs

    def meet(operands: tuple[Any, ...], node: Any) -> None:
        before = len(waiting)
        for operand in operands:
            if type(operand) is not float and operand.grad is not zero:
                if operand.op is None:
                    leaves.append((operand, operand.grad))
                    operand.grad = zero
                else:
                    waiting.append(operand)
                    consumers.append(node)
        if len(waiting) == before:
            walked.add(id(operands))

    node = root
    if node.op is None:
        meet((node,), None)
        return order
    while True:
        node.grad = zero
        path.append(node)
        operand = node.b
        kind: Any = type(operand)  # pyright: ignore[reportUnknownVariableType] # type() is quicker than .__class__ here
        if kind is tuple:
            if id(operand) not in walked:
                meet(operand, node)
            operand = node.a
            if operand.__class__ is tuple:
                if id(operand) not in walked:
                    meet(operand, node)
                operand = node.da
        else:
            if kind is not float and operand.grad is not zero:
                if operand.op is None:
                    leaves.append((operand, operand.grad))
                    operand.grad = zero
                else:
                    waiting.append(operand)
                    consumers.append(node)
            operand = node.a
        if type(operand) is not float and operand.grad is not zero:
            if operand.op is not None:
                node = operand
                continue
            leaves.append((operand, operand.grad))
            operand.grad = zero
        while waiting:
            node = waiting.pop()
            consumer = consumers.pop()
            if node.grad is not zero:
                while path[-1] is not consumer:
                    order.append(path.pop())
                break
        else:
            path.reverse()
            return order + path if order else path
