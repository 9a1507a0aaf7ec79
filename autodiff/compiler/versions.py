"""A function as it was traced for one shape of its arguments, and the versions of it that were made for arrays."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import held
from autodiff.compiler.code import Code
from autodiff.compiler.fast import Fast
from autodiff.compiler.graph import Graph
from autodiff.compiler.group import Grouping
from autodiff.compiler.reverse import backward
from autodiff.compiler.simplify import plain, sums_of_products
from autodiff.compiler.tape import Tape, is_unstructured
from autodiff.value import Value

Array = NDArray[np.float64]

KEPT = 8  # programs for so many shapes, and buffers for so many numbers of rows, are kept


@functools.cache
def _cache_of_a_core() -> int:
    """Bytes of the second-level cache where Linux tells: 1 MiB to 2 MiB, what blocks were measured with."""
    size = "/sys/devices/system/cpu/cpu0/cache/index2/size"
    try:  # pathlib would be half a megabyte of modules that nothing else here asks for
        with open(size, encoding="ascii") as file:  # noqa: PTH123
            found = int(file.read().strip().removesuffix("K")) << 10
    except (OSError, ValueError):
        found = 0
    return min(max(found, 2**20), 2**21)


@dataclass(frozen=True, slots=True)
class Want:
    """What a version of the program computes."""

    gradient: bool = False  # by the parameters
    argnums: tuple[int, ...] = ()  # by these arguments
    per_row: bool = False
    seeded: bool = False
    careful: bool = False

    @property
    def derivatives(self) -> bool:
        """Whether it computes any derivative."""
        return self.gradient or bool(self.argnums)


class Version:
    """One version of a traced function, made for arrays, with its buffers for each number of rows."""

    def __init__(self, fast: Fast | Tape, flat: Array) -> None:
        self.fast = fast
        self.flat = flat
        self.products = fast.code.matrix_products > 0
        per_row = max(self.fast.bytes_per_row(), 8)
        # As many rows as fit the cache. Products want enough of them; plain arithmetic as many as a call is worth, and
        # threads, which hand on the interpreter's lock at each call, more.
        core = _cache_of_a_core()
        most, least, cache = (1500, 400, 3 * 2**20) if self.products else (core // 32, 512, 6 * core)
        self.block = min(most, max(least, cache // per_row))
        self._instances: dict[int, dict[int, Any]] = {}  # by thread and rows

    def rows_at_once(self, rows: int, threads: int) -> int:
        """The rows of a block when there are so many in all: blocks alike share buffers, and go evenly on threads."""
        blocks = -(-rows // self.block)
        blocks += -blocks % threads * (blocks > 1)
        each = -(-rows // blocks)
        return each + 8 * (each % 512 == 0)  # BLAS is a tenth slower where rows of units lie a page apart

    def instance(self, rows: int, thread: int = 0) -> Any:
        """The buffers for so many rows, of one thread."""
        instances = self._instances.setdefault(thread, {})  # a thread's own: no other one changes it meanwhile
        found = instances.get(rows)
        if found is None:
            while len(instances) >= KEPT:
                instances.pop(next(iter(instances)))
            found = instances[rows] = self.fast.instance(rows, self.flat)
        return found


@dataclass
class Trace:
    """A function as it was traced for one shape of its arguments."""

    traced: int  # nodes, before any pass
    careful: Graph  # after constants, common subexpressions and dead code, with the chain rule's products guarded
    names: list[str]  # of the arguments
    shapes: list[Any]  # of one sample of each; None for a static one
    batched: list[bool]
    rows: list[bool]  # which have rows when it is called for a batch: at one point, none is batched
    order: list[int] = field(default_factory=list[int])  # the parameters' nodes, as they lie in the flat array
    versions: dict[Want, Version] = field(default_factory=dict[Want, Version])
    points: dict[Any, Any] = field(default_factory=dict[Any, Any])  # functions of floats, by what they give

    def __post_init__(self) -> None:
        self.sizes = [math.prod(shape) if shape else None for shape in self.shapes]
        self.shared = plain(self.careful)
        self.guards = self.shared is not self.careful  # whether derivatives are among what it computes
        self.unstructured = is_unstructured(self.shared)
        self.parameters: list[Value] = list(self.shared.parameters.values())
        self.flat = np.zeros(len(self.parameters))
        self._source: tuple[Array, list[int]] | None = None  # the training block, another program's, that has them all
        self._looked_for = -1  # as of which change of what blocks hold
        want = Want(gradient=self.shared.shape == ())
        if self.rows == self.batched or self.unstructured:
            self.version(want)
        else:  # one point: the order is that of a batch
            self._settle(self._forward(want, self.rows))

    @functools.cached_property
    def graph(self) -> Graph:
        """The nodes with their sums of products."""
        return sums_of_products(self.shared)

    @functools.cached_property
    def _careful_graph(self) -> Graph:
        return sums_of_products(self.careful) if self.guards else self.graph

    def code(self, want: Want, *, grouped: bool = True, rows: bool = False) -> Code:
        """The array code of a version; with `rows`, that for a batch, though it was traced for one point."""
        code, _ = self.grouping(want, grouped=grouped, batched=self.rows if rows else None)
        return code

    def _tape(self, want: Want) -> Tape:
        return Tape(
            self.careful if want.careful else self.shared, self.sizes, self.batched,
            gradient=want.gradient, argnums=want.argnums,
            per_row=want.per_row, seeded=want.seeded, careful=want.careful,
        )  # fmt: skip

    def grouping(self, want: Want, *, grouped: bool = True, batched: list[bool] | None = None) -> tuple[Code, Grouping]:
        """Array code, and how it came about."""
        grouping = self._forward(want, self.batched if batched is None else batched, grouped=grouped)
        code = grouping.code
        if not self.order:
            self._settle(grouping)
        if want.derivatives:
            backward(code, per_row=want.per_row or not grouped, seeded=want.seeded, careful=want.careful)
        return code, grouping

    def _forward(self, want: Want, batched: list[bool], *, grouped: bool = True) -> Grouping:
        grouping = Grouping(
            self._careful_graph if want.careful else self.graph, self.sizes, batched,
            parameters=want.gradient, arguments=frozenset(want.argnums), grouped=grouped, careful=want.careful,
            placed=list(self.graph.parameters) if self.unstructured else self.order,
        )  # fmt: skip
        grouping.run()
        return grouping

    def _settle(self, grouping: Grouping) -> None:
        """Take over how parameters lie in the flat array: the first code made decides."""
        places = {node: place for node, (array, place) in grouping.where.items() if array is grouping.flat}
        self.order = sorted(places, key=lambda node: places[node] or 0)
        self.parameters = [self.graph.parameters[node] for node in self.order]

    def version(self, want: Want) -> Version:
        """The version that computes this, made when it is first asked for."""
        found = self.versions.get(want)
        if found is None:
            made = self._tape(want) if self.unstructured else Fast(self.code(want))
            found = self.versions[want] = Version(made, self.flat)
        return found

    def read(self) -> None:
        """Take the parameters' numbers as they are now."""
        if self._looked_for != held.changes:
            self._looked_for, self._source = held.changes, held.source(self.parameters)
        if self._source is None:
            self.flat[:] = [p.data for p in self.parameters]
        else:
            array, places = self._source
            array.take(places, out=self.flat, mode="clip")
