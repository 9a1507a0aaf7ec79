"""A drawn program: what it is made from, its function of one sample, and the arguments it takes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autodiff import Value

Spec = dict[str, Any]  # of numbers, booleans, words, and lists and dicts of them


@dataclass
class Case:
    """A function of one sample, with the shape of one sample of each argument."""

    f: Callable[..., Any]
    parameters: list[Value]
    shapes: dict[str, tuple[int, ...]]
    whole: dict[str, int] = field(default_factory=dict)  # arguments that are places in a table of so many rows
    shared: tuple[str, ...] = ()  # arguments that are the same for all rows
    kinds: tuple[str, ...] = ()  # the structures in it, for the count
    spread: float = 0.7  # standard deviation of the numbers
    dtype: str = "int64"  # of places
    also: Callable[[Case], str] | None = None  # a law of this kind of program alone; returns its name
    spec: Spec = field(default_factory=dict)

    @property
    def in_axes(self) -> tuple[int | None, ...]:
        return tuple(None if name in self.shared else 0 for name in self.shapes)

    @property
    def smooth(self) -> tuple[int, ...]:
        """The positions of the arguments that have derivatives."""
        return tuple(i for i, name in enumerate(self.shapes) if name not in self.whole)

    def arguments(self, rows: int) -> list[Any]:
        """Numbers for so many rows, the same ones every time."""
        rng = np.random.default_rng(rows)
        found = []
        for name, shape in self.shapes.items():
            size = shape if name in self.shared else (rows, *shape)
            n = self.whole.get(name)
            least = 0 if self.dtype.startswith("u") else -(n or 0)
            found.append(
                rng.normal(0.0, self.spread, size) if n is None else rng.integers(least, n, size).astype(self.dtype)
            )
        return found

    def row(self, arguments: list[Any], i: int) -> list[Any]:
        """One row of each argument; places are whole numbers, whatever their type in arrays."""
        rows = [x if name in self.shared else x[i] for name, x in zip(self.shapes, arguments, strict=True)]
        return [x.astype(int) if name in self.whole else x for name, x in zip(self.shapes, rows, strict=True)]


def simpler(spec: Any) -> Iterator[Any]:
    """Specs with one thing left out, or one number less."""
    if isinstance(spec, bool):
        yield from [False] * spec
    elif isinstance(spec, int):
        yield from {0, spec // 2, spec - 1} if spec > 0 else ()
    elif isinstance(spec, list):
        yield from (spec[:k] + spec[k + 1 :] for k in range(len(spec)))
    if isinstance(spec, (list, dict)):
        for key, part in list(enumerate(spec)) if isinstance(spec, list) else spec.items():
            for less in simpler(part):
                changed = copy.copy(spec)
                changed[key] = less
                yield changed


def shrunk(spec: Spec, fails: Callable[[Spec], bool], tries: int = 300) -> Spec:
    """The simplest spec found that fails too."""
    going = True
    while going:
        going = False
        for less in simpler(spec):
            tries -= 1
            if tries < 0:
                return spec
            if fails(less):
                spec, going = less, True
                break
    return spec
