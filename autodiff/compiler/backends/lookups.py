"""Lookups in code of single numbers: sums of entries times (x == k), chains of `where`, and δ · (x == k) back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.ir import ADD, MUL, WHERE, Var
from autodiff.compiler.trace.operations import EQUAL

_FEW = 8  # entries: fewer are as quick one by one
_MOST = 2**16  # the largest key that an array of places is made for


@dataclass
class Lookup:
    """An entry that is the same for all rows, chosen by the number of an index."""

    index: Var
    entries: dict[int, Any] = field(default_factory=dict[int, Any])  # numbers, or places in the flat array, by key
    rest: list[Any] = field(default_factory=list[Any])  # what is added, or the one that stands for other keys


def key_of(x: Any) -> tuple[Var, int] | None:
    """Return the index and the whole number that a comparison compares; None of all else."""
    if x.__class__ is not Var or x.op is not EQUAL or x.units:
        return None
    index, key = x.args
    if index.__class__ is not Var or key.__class__ is not float or not 0.0 <= key < _MOST:
        return None
    return (index, int(key)) if key.is_integer() else None


def lookup_of(var: Var, plain: set[int]) -> Lookup | None:
    """Return what a Var looks up; the sums that look nothing up are added to `plain`, so that none is seen twice."""
    if var.op is WHERE:
        found = _chain(var)
    elif var.op is ADD and var.number not in plain:
        found = _sum(var, plain)
    else:
        return None
    if found is None or len(found.entries) < _FEW:
        return None
    numbers = {x.__class__ is float for x in found.entries.values()}
    if len(numbers) > 1:
        return None
    if not numbers.pop():
        found.entries = {key: int(x.info[0]) for key, x in found.entries.items()}
    return found


def _chain(node: Any) -> Lookup | None:
    found: Lookup | None = None
    while node.__class__ is Var and node.op is WHERE and (pair := key_of(node.args[0])) is not None:
        index, key = pair
        found = found or Lookup(index)
        if index is not found.index or key in found.entries or not _is_shared(node.args[1]):
            break
        found.entries[key] = node.args[1]
        node = node.args[2]
    if found is not None:
        found.rest = [node]
    return found


def _sum(var: Var, plain: set[int]) -> Lookup | None:
    found: Lookup | None = None
    rest, waiting, inner = list[Any](), [var], list[int]()
    while waiting:
        x: Any = waiting.pop()
        if x.__class__ is Var and x.op is ADD and x.units == ():
            inner.append(x.number)
            waiting += reversed(x.args)
            continue
        pair, entry = split(x)
        if pair is None or not _is_shared(entry):
            rest.append(x)
            continue
        index, key = pair
        found = found or Lookup(index)
        if index is found.index and key not in found.entries:
            found.entries[key] = entry
        else:
            rest.append(x)
    if found is None or len(found.entries) < _FEW:
        plain.update(inner)
        return None
    found.rest = rest
    return found


def split(x: Any) -> tuple[tuple[Var, int] | None, Any]:
    """Return a product as the comparison in it and the other factor."""
    if (pair := key_of(x)) is not None:
        return pair, 1.0
    if x.__class__ is Var and x.op is MUL and x.units == ():
        for a, b in (x.args, x.args[::-1]):
            if (pair := key_of(a)) is not None:
                return pair, b
    return None, None


def _is_shared(x: Any) -> bool:
    """Tell whether an entry is a number or a parameter."""
    return x.__class__ is float or (
        x.__class__ is Var and x.kind == ir.VIEW and x.units == () and x.args[0].kind == ir.FLAT
    )


def added_by(var: Var) -> tuple[list[tuple[Any, Lookup]], list[int]]:
    """Return each δ that a SCATTER adds at the place an index finds; and which of its terms are left."""
    found: dict[Any, tuple[Any, Lookup]] = {}
    members: dict[Any, list[int]] = {}
    left = list[int]()
    for k, (delta, (start, _, units)) in enumerate(zip(var.args, var.info, strict=True)):
        pair, other = split(delta)
        if pair is not None and units == ():
            index, key = pair
            both = id(other) if other.__class__ is Var else other, index.number
            places = found.setdefault(both, (other, Lookup(index)))[1].entries
            if key not in places:
                places[key] = int(start)
                members.setdefault(both, []).append(k)
                continue
        left.append(k)
    for both in [both for both, (_, lookup) in found.items() if len(lookup.entries) < _FEW]:
        left += members[both]
        del found[both]
    return list(found.values()), sorted(left)
