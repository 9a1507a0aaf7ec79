"""Arguments as people hold them: numbers and arrays inside dicts, dataclasses, named tuples, lists and tuples.

Whatever is none of these is a leaf. None holds nothing and stays None. A dataclass field marked
`field(metadata={"static": True})` is no part of the nest: it keeps what it has.

>>> params = {"w": [1.0, 2.0], "b": 0.5}
>>> leaves(params, "params")
[("params['w'][0]", 1.0), ("params['w'][1]", 2.0), ("params['b']", 0.5)]
>>> replace(params, iter([10.0, 20.0, 5.0]))
{'w': [10.0, 20.0], 'b': 5.0}
"""

import copy
from collections.abc import Callable, Hashable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from autodiff.domains import is_array


class Apart(tuple[Any, ...]):
    """A tuple of answers that stay apart, even of one shape; a copy of it is a plain tuple."""

    __slots__ = ()
    _make = staticmethod(tuple[Any, ...])


class ApartList(list[Any]):
    """The same of a list."""

    _make = staticmethod(list[Any])


def apart(x: Any) -> Any:  # Any: what a derivative returns
    """Return a nest with its tuples and lists as answers that stay apart."""
    held = entries(x)
    if not held:
        return x
    kind: Any = {tuple: Apart, list: ApartList}.get(x.__class__)
    new = [apart(entry) for _, entry in held]
    return _filled(x, new) if kind is None else kind(new)


Leaf = Callable[[Any, str], Any]
Whole = Callable[[Any], bool]

DEPTH = 200  # containers within containers; Python's own limit may have been raised to where memory ends


def never(_: Any) -> bool:  # Any: whatever is asked about
    """Tell that no container is a leaf."""
    return False


def is_sequence(x: Any) -> bool:  # Any: callers pass whatever a user gave
    """Tell whether `x` is a list or tuple, as arguments, entries and positions come."""
    return isinstance(x, (list, tuple))


def entries(x: Any) -> list[tuple[str, Any]] | None:  # Any: what a user holds
    """Return what a container holds, each with how Python reaches it (`['w']`, `[2]`, `.b`); None for a leaf."""
    if x.__class__ is float:  # as most are
        return None
    if is_sequence(x):
        names = getattr(x, "_fields", None)
        return (
            [(f".{name}", x[i]) for i, name in enumerate(names)] if names else [(f"[{i}]", e) for i, e in enumerate(x)]
        )
    if isinstance(x, dict):
        return [(f"[{key!r}]", entry) for key, entry in x.items()]  # pyright: ignore[reportUnknownVariableType]
    if is_dataclass(x) and not isinstance(x, type):
        return [(f".{name}", getattr(x, name)) for name in _moving(x)]
    return [] if x is None else None


def mapped(leaf: Leaf, x: Any, path: str = "", whole: Whole = never) -> Any:  # Any: what a user holds
    """Return the same nest with `leaf(entry, path)` in place of each leaf; a leaf's path begins with `path`.

    Containers of which `whole` holds are leaves too. The others are copied, never changed, and their
    constructors are not run, but for those of lists and tuples.
    """
    try:
        return _mapped(leaf, x, path, whole, DEPTH)
    except RecursionError:
        raise ValueError(f"{path or 'the nest'} must be nested less deeply, and must not hold itself") from None


def leaves(x: Any, path: str) -> list[tuple[str, Any]]:  # Any: what a user holds
    """Return the leaves in order, each after its path."""
    found: list[tuple[str, Any]] = []
    mapped(lambda entry, at: found.append((at, entry)), x, path)
    return found


def replace(x: Any, new: Iterator[Any]) -> Any:  # Any: what a user holds, and the same again
    """Return the same nest with the leaves that `new` gives."""
    return mapped(lambda _, __: next(new), x)


def shape(x: Any, depth: int = DEPTH) -> tuple[int, ...] | None:  # Any: what a user holds
    """Return the shape of a number, an array, or a list or tuple of such in one shape; None for any other nest.

    >>> shape([[1.0, 2.0], (3.0, 4.0)]), shape([[1.0], [2.0, 3.0]]), shape({"w": 1.0})
    ((2, 2), None, None)
    """
    if is_array(x):
        return x.shape
    if x.__class__ is float:
        return ()
    if not is_sequence(x) or hasattr(x, "_fields"):
        return () if entries(x) is None else None
    if not depth:
        return None  # and `mapped` says it
    shapes = {shape(entry, depth - 1) for entry in x} if len(x) else {()}
    inner = shapes.pop()
    return None if shapes or inner is None else (len(x), *inner)


def form(x: Any) -> Hashable:  # Any: what a user holds
    """Return what tells nests of another form apart: containers, how they are entered, and static fields."""
    held = entries(x)
    if held is None:
        return ()
    fixed = [getattr(x, f.name) for f in fields(x) if f.metadata.get("static")] if is_dataclass(x) else []
    kind: Any = type(x)  # pyright: ignore[reportUnknownVariableType]
    return kind, tuple([step for step, _ in held]), tuple(fixed), tuple([form(entry) for _, entry in held])


def _moving(x: Any) -> list[str]:
    return [field.name for field in fields(x) if not field.metadata.get("static")]


def _mapped(leaf: Leaf, x: Any, path: str, whole: Whole, depth: int) -> Any:
    held = None if whole(x) else entries(x)
    if held is None:
        return leaf(x, path)
    if not depth:
        raise RecursionError
    return _filled(x, [_mapped(leaf, entry, path + step, whole, depth - 1) for step, entry in held])


def _filled(x: Any, new: list[Any]) -> Any:
    """Return the same container with other entries."""
    if is_sequence(x):
        return x._make(new) if hasattr(x, "_make") else type(x)(new)
    twin = copy.copy(x)
    if isinstance(x, dict):
        keys: list[Any] = list(x)  # pyright: ignore[reportUnknownArgumentType]
        for key, entry in zip(keys, new, strict=True):
            twin[key] = entry  # a Counter's `update` would add
    elif x is not None:
        for name, entry in zip(_moving(x), new, strict=True):
            object.__setattr__(twin, name, entry)  # a frozen one as well
    return twin
