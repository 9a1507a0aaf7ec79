"""The arguments of a call with their nests taken apart: a program takes a sequence of numbers and arrays."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff import nests
from autodiff.domains import is_array
from autodiff.nests import is_sequence

_PLAIN = {float, int, np.ndarray}

if TYPE_CHECKING:
    from autodiff.compiler.cache import Cache


class Arguments:
    """The arguments of a call as leaves with names and axes, and the function of these leaves.

    A dict, dataclass or named tuple is a nest, and so is a list or tuple that holds one, or arrays of several shapes.
    Inside a nest, lists of numbers are rows, unless the argument is the same for all rows.
    """

    form: Hashable = None  # tells nests of different forms apart; None where all arguments are numbers and arrays
    _where: list[range] | None = None  # the leaves of each argument, and below its nest without them
    _hollow: list[Any]

    def __init__(self, cache: Cache, args: Sequence[Any], options: Mapping[str, Any]) -> None:
        count = len(args)
        self.passed = self.names = cache.names_of(count)
        self.leaves = args
        self.places: Sequence[int] = range(count)  # in the signature
        if options:
            self.passed = self.names = [*self.names, *options]
            self.leaves = [*args, *options.values()]
        self.axes = axes = cache.axes(len(self.leaves))
        self.static, self.f = cache.static, cache.f
        if len(axes) != len(self.leaves):
            raise ValueError(
                f"in_axes must have one entry per argument, got {len(axes)} for {len(self.leaves)} arguments"
            )
        if self.static or options:
            places = self.places = [*range(count), *map(cache.place_of, options)]
            for missing in self.static.difference(places):
                raise ValueError(
                    f"static_argnums must name arguments of the call, got {missing} for {len(places)} arguments"
                )
            self.axes = tuple([axes[place] if place < len(axes) else 0 for place in places])
            self.static = frozenset(i for i, place in enumerate(places) if place in cache.static)
        if options or not _PLAIN.issuperset(map(type, args)):
            told = [(x, False) if i in self.static else _told(x, axis)
                    for i, (x, axis) in enumerate(zip(self.leaves, self.axes, strict=True))]  # fmt: skip
            self.leaves = [x for x, _ in told]
            nested = {i for i, (_, nest) in enumerate(told) if nest}
            if options or nested:
                self._take_apart(nested, count, tuple(options))

    def _take_apart(self, nested: set[int], count: int, keywords: tuple[str, ...]) -> None:
        """Replace each nest by its leaves."""
        leaves: list[tuple[str, Any]] = []
        axes: list[int | None] = []
        static: list[int] = []
        where: list[range] = []
        hollow: list[Any] = []

        def taken(leaf: Any, path: str) -> float:
            leaves.append((path, leaf))
            return 0.0

        for i, (x, name, axis) in enumerate(zip(self.leaves, self.passed, self.axes, strict=True)):
            start = len(leaves)
            whole = _is_rows if axis is not None else nests.never
            static += [] if i not in self.static else [start]
            hollow.append(nests.mapped(taken, x, name, whole) if i in nested else taken(x, name))
            if len(leaves) == start and isinstance(x, (dict, list, tuple)):
                raise ValueError(f"{name} must hold at least one number, got {x!r}")
            where.append(range(start, len(leaves)))
            axes += [axis] * (len(leaves) - start)
        f, self._where, self._hollow = self.f, where, hollow

        def together(*leaves: Any) -> Any:
            left = iter(leaves)
            whole = [nests.replace(x, left) for x in hollow]
            return f(*whole[:count], **dict(zip(keywords, whole[count:], strict=True)))

        self.f, self.form = together, (keywords, tuple([nests.form(x) for x in hollow]))
        self.leaves, self.names = [x for _, x in leaves], [name for name, _ in leaves]
        self.axes, self.static = tuple(axes), frozenset(static)

    def leaves_of(self, i: int) -> Sequence[int]:
        """Return the positions of an argument's leaves."""
        return self._where[i] if self._where else [i]

    def together(self, i: int, leaves: Sequence[Any]) -> Any:
        """Return the nest of an argument, made of these leaves."""
        return nests.replace(self._hollow[i], iter(leaves)) if self._where else leaves[0]


def _told(x: Any, axis: int | None) -> tuple[Any, bool]:
    """Return an argument, a sequence of numbers as an array, and whether it is a nest."""
    if not is_sequence(x) or hasattr(x, "_fields"):
        return x, x is not None and nests.entries(x) is not None
    try:
        array = np.asarray(x)
        if array.dtype != object:
            return array, False
    except ValueError:  # ragged
        pass
    return x, nests.shape(x) is None and (axis is None or _holds_more(x))


def _is_rows(x: Any) -> bool:
    return is_sequence(x) and nests.shape(x) is not None and not _holds_more(x)


def _holds_more(x: Any, depth: int = nests.DEPTH) -> bool:
    """Tell whether a sequence holds anything but numbers and such sequences, which would be ragged rows."""
    return not depth or any(
        is_array(entry) or (_holds_more(entry, depth - 1) if is_sequence(entry) and not hasattr(entry, "_fields")
        else entry is not None and nests.entries(entry) is not None)
        for entry in x
    )  # fmt: skip
