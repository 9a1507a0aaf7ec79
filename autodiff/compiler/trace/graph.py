"""A traced function as plain lists: each node's operation and the earlier nodes it is applied to."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from autodiff import nests
from autodiff.compiler.trace.operations import BOOLEAN, HIDDEN
from autodiff.ops import Op

# One term of a sum: coefficient · left · right, or coefficient · left where right is None. There are very many of them:
# plain tuples of numbers cost a fifth of named ones, and the garbage collector stops tracking them.
Term = tuple[float, int, int | None]


class Input(NamedTuple):
    """The origin of a leaf: an argument of the function, and an entry of it in C order."""

    argument: int
    entry: int


class Form(NamedTuple):
    """The nest that a function returned, with 0 in place of its leaves, and their shapes in order."""

    hollow: Any
    shapes: Sequence[tuple[int, ...]]

    def filled(self, outputs: Any) -> Any:
        """Return the nest with its leaves from an array (…, outputs)."""
        ends = np.cumsum([0, *map(math.prod, self.shapes)])
        leaves = [outputs[..., start:end].reshape((*outputs.shape[:-1], *shape))
                  for start, end, shape in zip(ends, ends[1:], self.shapes, strict=False)]  # fmt: skip
        return nests.replace(self.hollow, iter([x if x.ndim else x.item() for x in leaves]))

    def text(self, one: str, several: str) -> str | None:
        """Return the nest as Python text where it has plain containers alone; else None.

        A leaf of one number is `one`, with its place; of more `several`, with the places of its ends and its shape.
        """
        ends = np.cumsum([0, *map(math.prod, self.shapes)]).tolist()
        leaves = [Text(several.format(start, end, str(shape)[1:-1]) if shape else one.format(start))
                  for start, end, shape in zip(ends, ends[1:], self.shapes, strict=False)]  # fmt: skip
        return repr(nests.replace(self.hollow, iter(leaves))) if _is_plain(self.hollow) else None


class Text(str):
    """A text that stands for itself where containers are written."""

    __slots__ = ()
    __repr__ = str.__str__


def _is_plain(x: Any) -> bool:
    held = nests.entries(x)
    if held is None or x.__class__ not in {tuple, list, dict}:
        return held is None
    names = all(key.__class__ in {str, int} for key in x) if isinstance(x, dict) else True  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return names and all(_is_plain(entry) for _, entry in held)


@dataclass
class Graph:
    """Nodes by number; operands precede the nodes computed from them.

    A leaf has `ops[i] is None` and is listed in `constants`, `parameters` or `inputs`; a place listed in none of them
    was left out. A node in `sums` is Σ of its terms plus a constant, in place of an operation and operands. `stopped`
    nodes pass no δ on (they were made in `no_grad`).
    """

    ops: list[Op | None] = field(default_factory=list[Op | None])
    operands: list[tuple[int, ...]] = field(default_factory=list[tuple[int, ...]])
    constants: dict[int, float] = field(default_factory=dict[int, float])
    parameters: dict[int, Any] = field(default_factory=dict[int, Any])  # Values by node number, in the order met
    inputs: dict[int, Input] = field(default_factory=dict[int, Input])
    labels: dict[int, str] = field(default_factory=dict[int, str])
    stopped: set[int] = field(default_factory=set[int])
    sums: dict[int, tuple[list[Term], float]] = field(default_factory=dict[int, tuple[list[Term], float]])
    outputs: list[int] = field(default_factory=list[int])
    shape: tuple[int, ...] = ()  # of the output of one sample
    form: Form | None = None  # where the outputs have names
    repeated: int = 0  # operations that repeated a node which was there already

    def add(self, op: Op | None = None, operands: tuple[int, ...] = ()) -> int:
        """Append a node and return its number."""
        self.ops.append(op)
        self.operands.append(operands)
        return len(self.ops) - 1

    def below(self, i: int) -> list[int]:
        """Return the nodes that node `i` is computed from, in order."""
        if i not in self.sums:
            return list(self.operands[i])
        return [x for _, a, b in self.sums[i][0] for x in (a, b) if x is not None]

    def deciding(self) -> set[int]:
        """Return the nodes that comparisons, conditions of `where` and signs depend on, where a NaN may go unseen."""
        found: set[int] = set()
        for i in range(len(self.ops) - 1, -1, -1):
            op: Any = self.ops[i]
            if op is not None and (i in found or op in BOOLEAN or isinstance(op, Loop)):
                found.update(self.below(i))
            elif op in HIDDEN:
                found.add(self.operands[i][HIDDEN[op]])
        return found

    @property
    def size(self) -> int:
        """The number of nodes."""
        computed = len(self.ops) - self.ops.count(None)
        return computed + len(self.constants) + len(self.parameters) + len(self.inputs)

    @cached_property
    def uses(self) -> list[int]:
        """The number of times each node is an operand, once the graph is complete."""
        total = sum(map(len, self.operands))
        found = np.fromiter(chain.from_iterable(self.operands), dtype=np.intp, count=total)
        return np.bincount(found, minlength=len(self.ops)).tolist()


CARRY, X, CAPTURED = range(3)  # the arguments of a step's graph


@dataclass(eq=False)
class Loop:
    """A fold, in the place of a node's operation; its operands are the carry, xs, step by step, and the captured."""

    graph: Graph  # of one step: its outputs are the next carry and y
    carry: int  # how many numbers these are,
    x: int
    y: int
    captured: int
    steps: int
    checkpoint: bool
    made: dict[Any, Any] = field(default_factory=dict[Any, Any])  # its array code, by what it is for
    name = "fold"
    symbol = "↻"
    arity = None

    @property
    def size(self) -> int:
        """How many numbers come out."""
        return self.carry + self.steps * self.y

    def parts(self, operands: Sequence[int]) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
        """Return the operands that are the carry, xs, and captured."""
        end = self.carry + self.steps * self.x
        return operands[: self.carry], operands[self.carry : end], operands[end:]


@dataclass(eq=False, frozen=True)
class Entry:
    """One of the numbers that come out of a loop, in the place of a node's operation."""

    place: int
    name = "entry"
    symbol = "[]"
    arity = 1


entry = functools.cache(Entry)  # those of all loops are the same


def has_loops(graph: Graph) -> bool:
    """Tell whether a graph has a fold in it."""
    return any(isinstance(op, Loop) for op in graph.ops)
