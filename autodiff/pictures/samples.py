"""Samples within one graph: the terms of a loss that are alike and share nothing but leaves."""

from collections.abc import Sequence
from typing import Any

from autodiff.explanations.flow import evaluation_order
from autodiff.value import Value

_SUMS, _SCALED = frozenset({"add", "total", "mean"}), frozenset({"mul", "div"})
_LEAST = 3  # operations of a sample


def samples(root: Value) -> list[list[Value]]:
    """Return the nodes of each sample in order of evaluation, its loss last; none if `root` is not a sum over samples.

    Leaves that all samples share, the parameters, belong to none of them but are listed with each.

    >>> w = Value(0.5, "w")
    >>> len(samples(((w * 2.0 - 1.0) ** 2 + (w * 3.0 - 1.0) ** 2) / 2)), samples(w * w)
    (2, [])
    """
    found = [evaluation_order(term) for term in _terms(root)]
    return found if len(found) > 1 and _alike(found) else []


def _terms(root: Value) -> list[Value]:
    terms: list[Value] = []
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        values = [x for x in node.operands if x.__class__ is not float]
        name = "" if node.op is None else node.op.name
        if name in _SUMS or (name in _SCALED and len(values) == 1):
            waiting += reversed(values)
        else:
            terms.append(node)
    return terms


def _alike(found: Sequence[list[Value]]) -> bool:
    signatures = {signature(nodes) for nodes in found}
    leaves = [{node for node in nodes if node.op is None} for nodes in found]
    inner = [node for nodes in found for node in nodes if node.op is not None]
    return (
        len(signatures) == 1
        and len(inner) >= _LEAST * len(found)
        and len(inner) == len(set(inner))
        and any(all(leaf in others for others in leaves) for leaf in leaves[0])
    )


def signature(nodes: Sequence[Value]) -> tuple[Any, ...]:
    """Return what two graphs have in common if one is drawn as the other: operations, and the places of operands."""
    place = {node: i for i, node in enumerate(nodes)}
    return tuple((node.op, tuple(place.get(x, -1) for x in node.operands)) for node in nodes)
