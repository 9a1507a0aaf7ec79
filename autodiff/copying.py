"""Copying and pickling graphs of any depth.

Python's own ways recurse from a node into its operands and die a thousand nodes down. Here a graph is handed over
leaves first, so that whatever a node refers to is already there.
"""

import copy
import threading
import weakref
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

from autodiff import grad_mode
from autodiff.backward import fill, walk
from autodiff.naming import plain

_thread = threading.local()  # `pickling`: a weak reference to the _Pickling that goes on


def deep(node: Any, memo: dict[int, Any]) -> Any:
    """Return a copy of the whole graph below the node; shared nodes stay shared."""
    nodes = _below(node, lambda x: id(x) in memo)
    for old in nodes:
        cls, data, label, op, a, b, da, *rest = _fields(old)
        memo[id(old)] = _restore(cls, data, label, op, *(_copied(x, memo) for x in (a, b, da)), *rest)
    for old in nodes:  # once all nodes are there: what a user's subclass adds may point back at them
        for name, attribute in {**getattr(old, "__dict__", {}), **_own_slots(old)}.items():
            setattr(memo[id(old)], name, copy.deepcopy(attribute, memo))
    return memo[id(node)]


def reduce(node: Any, _protocol: Any) -> Any:
    """Take a node apart for pickle and `copy.copy`: its ancestors first, leaves before the nodes computed from them."""
    known = getattr(_thread, "pickling", lambda: None)() or _Pickling()
    _thread.pickling = weakref.ref(known)
    ancestors = None if node.op is None or node in known.nodes else _Ancestors(node, known)
    return _restore_after, (ancestors, *_fields(node)), (getattr(node, "__dict__", None), _own_slots(node))


class _Pickling:
    """The nodes that one pickle holds already, or will before they are referred to.

    Several nodes of one graph are so handed over once. It lives as long as the pickler, which remembers all it has
    seen, and with it the ancestors that refer to this.
    """

    def __init__(self) -> None:
        self.nodes: set[Any] = set()


class _Ancestors:
    """The list of a node's ancestors, as it stands in a pickle."""

    def __init__(self, node: Any, known: _Pickling) -> None:
        self.node, self.known = node, known

    def __reduce__(self) -> Any:
        return list, (), None, self._hand_over()

    def _hand_over(self) -> Iterator[Any]:
        known = self.known.nodes
        for ancestor in _below(self.node, known.__contains__):
            known.add(ancestor)
            if ancestor is not self.node:
                yield ancestor


def _below(node: Any, known: Callable[[Any], bool]) -> list[Any]:
    """Return the node and its ancestors, operands first, without those that are known."""
    return [x for x in reversed(walk(node, known)) if not known(x)]


def _fields(node: Any) -> tuple[Any, ...]:
    """Return all fields of a node. A grad that is itself a Value refers back to the graph, so its number is kept."""
    if (tracer := grad_mode.tracer()) is not None:
        tracer.refuse(node, "copying")
    grad = getattr(node.grad, "data", node.grad) if node.swept else None
    return node.__class__, plain(node), node.label, node.op, node.a, node.b, node.da, node.db, grad


def _restore(cls: Any, data: float, label: str, op: Any, a: Any, b: Any, da: Any, db: Any, grad: Any) -> Any:
    node = fill(object.__new__(cls), data, op, a, b, da, db)
    node.label = label
    if grad is not None:
        node.grad = grad
    if op is None and (tracer := grad_mode.tracer()) is not None:
        tracer.born(node)
    return node


def _restore_after(_ancestors: Any, *fields: Any) -> Any:
    return _restore(*fields)


def _copied(operand: Any, memo: dict[int, Any]) -> Any:
    if operand.__class__ is tuple:
        return tuple(_copied(x, memo) for x in operand)
    return operand if operand.__class__ is float else memo[id(operand)]


def _own_slots(node: Any) -> dict[str, Any]:
    """Return what a user's subclass of Value keeps in slots of its own."""
    names: list[str] = []
    for cls in takewhile(lambda cls: "record_operation" not in vars(cls), type(node).__mro__):  # up to Value itself
        slots = vars(cls).get("__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    return {name: getattr(node, name) for name in names if not name.startswith("__") and hasattr(node, name)}
