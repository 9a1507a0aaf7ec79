"""A function traced for one shape of its arguments, and the versions of it that were made for arrays."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autodiff import held
from autodiff.compiler.arrays.group import Grouping
from autodiff.compiler.arrays.ir import FOLD, MATMUL, STEPS, Code, Want
from autodiff.compiler.arrays.recurrent import with_states
from autodiff.compiler.arrays.reverse import backward
from autodiff.compiler.backends import Backend, Instance
from autodiff.compiler.backends.loops import steps_of
from autodiff.compiler.backends.numba import Loops
from autodiff.compiler.backends.numpy import Buffered
from autodiff.compiler.backends.tape import Tape, is_unstructured
from autodiff.compiler.trace.graph import Graph, has_loops
from autodiff.compiler.trace.simplify import resolved, sums_of_products
from autodiff.value import Value

Array = NDArray[np.float64]

LARGE = 8000  # operands: from here on the text of one point on floats takes half a second to compile
KEPT = 8  # how many shapes keep their programs, and how many numbers of rows their buffers


@functools.cache
def _cache_of_a_core() -> int:
    """Return the bytes of the second-level cache, as Linux tells, within 1 to 2 MiB, where blocks were measured."""
    size = "/sys/devices/system/cpu/cpu0/cache/index2/size"
    try:  # pathlib would load half a megabyte of modules that nothing else here needs
        with open(size, encoding="ascii") as file:  # noqa: PTH123
            found = int(file.read().strip().removesuffix("K")) << 10
    except (OSError, ValueError):
        found = 0
    return min(max(found, 2**20), 2**21)


class Version:
    """One version of a traced function, made for arrays, with its buffers for each number of rows."""

    def __init__(self, backend: Backend, flat: Array) -> None:
        self.backend = backend
        self.flat = flat
        self.products = backend.code.matrix_products > 0
        per_row = max(self.backend.bytes_per_row(), 8)
        # A block has as many rows as fit the cache. Products need a good number of columns; plain arithmetic as many
        # as make a call worth while, and threads, which pass on the interpreter's lock at each call, need more.
        core = _cache_of_a_core()
        products = [v for v in backend.code.vars if v.kind == MATMUL]
        positions = min([math.prod(v.units[1:]) for v in products], default=1)
        most, least, cache = (
            (1500, max(8, 400 // positions), 3 * 2**20) if self.products else (core // 32, 512, 6 * core)
        )
        steps = any(v.info == STEPS for v in products)
        if steps and per_row < 2**16:  # many calls on little of what is kept for the way back
            least, cache = 8, 12 * 2**20
        if any(v.kind == FOLD for v in backend.code.vars):
            least, cache = 1, 16 * cache
        self.block = min(most, max(least, cache // per_row))
        self._instances: dict[int, dict[int, Instance]] = {}  # by thread and rows

    def rows_at_once(self, rows: int, threads: int) -> int:
        """Return the rows of each block: equal blocks share buffers and spread evenly over threads."""
        blocks = -(-rows // self.block)
        blocks += -blocks % threads * (blocks > 1)
        each = -(-rows // blocks)
        return each + 8 * (each % 512 == 0)  # BLAS is a tenth slower where units lie whole pages apart

    def instance(self, rows: int, thread: int = 0) -> Instance:
        """Return the buffers of one thread for this many rows."""
        instances = self._instances.setdefault(thread, {})  # this thread's own: no other one changes it meanwhile
        found = instances.get(rows)
        if found is None:
            while len(instances) >= KEPT:
                instances.pop(next(iter(instances)))
            found = instances[rows] = self.backend.instance(rows, self.flat)
        return found


class Block(NamedTuple):
    """The parameters that a training block holds, in an array."""

    parameters: list[Value]
    flat: Array


@dataclass
class Trace:
    """A function traced for one shape of its arguments."""

    traced: int  # nodes, before any pass
    careful: Graph  # after constants, common subexpressions and dead code; products of the chain rule are guarded
    names: list[str]  # of the arguments
    shapes: list[Any]  # of one sample of each argument; None for a static one
    batched: list[bool]
    rows: list[bool]  # which arguments have rows in a batch; at one point, none is batched
    order: list[int] = field(default_factory=list[int])  # the parameters' nodes, in the order of the flat array
    versions: dict[Want, Version] = field(default_factory=dict[Want, Version])
    points: dict[Any, Any] = field(default_factory=dict[Any, Any])  # functions of floats, by what they return
    aux: Any = None  # where the numbers of aux belong, if this is of those
    numba: bool = False  # whether loops are made, which numba compiles
    placed: bool = False  # whether the parameters of the graph have the order that the flat array shall have
    unrolled: Callable[[], Trace] | None = None  # traces anew, the steps of folds one after another

    def __post_init__(self) -> None:
        self.sizes = [math.prod(shape) if shape else None for shape in self.shapes]
        self.shared = resolved(self.careful, careful=False)
        self.careful = resolved(self.careful, careful=True)
        self.guards = self.shared is not self.careful  # whether the function itself takes derivatives
        self.loops = has_loops(self.shared)
        self._steps_of = functools.partial(steps_of, machine=self.numba)
        self.numba = self.numba and not self.loops  # which are in loops of their own
        self.unstructured = is_unstructured(self.shared)
        many = not self.unstructured and not self.numba and sum(map(len, self.shared.operands)) > LARGE
        self.large = self.loops or many  # one point is not for floats
        self.parameters: list[Value] = list(self.shared.parameters.values())
        if self.placed:
            self.order = list(self.shared.parameters)
        self.flat = np.zeros(len(self.parameters))
        self._source: tuple[Array, list[int]] | None = None  # another program's training block that holds them all
        self._mixed = False  # whether training blocks hold some of them
        self._looked_for = -1  # the state of `held` that `_source` belongs to
        self._last: bytes | None = None  # what was read then, once the array was shown
        self.shown = False  # whether a training block has had the array
        self._read = -1  # the count of assignments at which the numbers of `flat` were read from the Values
        want = Want(gradient=self.shared.shape == ())
        if not self.numba and (self.rows == self.batched or self.unstructured):
            self.version(want)
        else:  # one point has the order of a batch
            self._settle(self.forward(want, self.rows))

    @functools.cached_property
    def graph(self) -> Graph:
        """The nodes, with sums of products."""
        return sums_of_products(self.shared, self.rows)

    @functools.cached_property
    def _careful_graph(self) -> Graph:
        return sums_of_products(self.careful, self.rows) if self.guards else self.graph

    def text_code(self, want: Want, parameters: Sequence[Value], *, loops: bool = False) -> Code:
        """Return the array code of a batch whose flat array has these parameters, in this order.

        `loops`: as the body of a loop has it, with zeros that are multiplied for further arguments.
        """
        graph, zeros = with_states(self.graph, len(self.sizes)) if loops else (self.graph, [])
        place = {id(p): node for node, p in graph.parameters.items()}
        parameters = list(dict.fromkeys([*parameters, *graph.parameters.values()]))
        new = [p for p in parameters if id(p) not in place]
        place |= {id(p): len(graph.ops) + k for k, p in enumerate(new)}
        grouping = Grouping(
            replace(
                graph, ops=[*graph.ops, *[None] * len(new)], operands=[*graph.operands, *[()] * len(new)],
                parameters={place[id(p)]: p for p in parameters},
            ),
            [*self.sizes, *zeros], [*self.rows, *[True] * len(zeros)], want, grouped=True,
            placed=[place[id(p)] for p in parameters], steps_of=self._steps_of, few=2,
        )  # fmt: skip
        grouping.code.stepwise = loops
        grouping.run()
        if want.derivatives:
            backward(grouping.code, want)
        return grouping.code

    def code(self, want: Want, *, grouped: bool = True, rows: bool = False) -> Code:
        """Return the array code of a version; with `rows`, the one for a batch even where one point was traced."""
        return self.grouping(want, grouped=grouped, batched=self.rows if rows else self.batched).code

    def grouping(self, want: Want, *, grouped: bool = True, batched: list[bool] | None = None) -> Grouping:
        """Return the grouping that has made array code, with its reverse pass."""
        grouping = self.forward(want, batched or self.batched, grouped=grouped)
        if not self.order:
            self._settle(grouping)
        if want.derivatives:
            backward(grouping.code, want if grouped else replace(want, per_row=True))
        return grouping

    def forward(self, want: Want, batched: list[bool], *, grouped: bool = True) -> Grouping:
        """Return a grouping that has made the array code, without its reverse pass."""
        grouping = Grouping(
            self._careful_graph if want.careful else self.graph, self.sizes, batched, want, grouped=grouped,
            placed=list(self.graph.parameters) if self.unstructured else self.order, steps_of=self._steps_of,
        )  # fmt: skip
        grouping.run()
        return grouping

    def _settle(self, grouping: Grouping) -> None:
        """Take over the order of the flat array from the first code that is made."""
        places = {node: place for node, (array, place) in grouping.where.items() if array is grouping.flat}
        self.order = sorted(places, key=lambda node: places[node] or 0)
        self.parameters = [self.graph.parameters[node] for node in self.order]

    def version(self, want: Want) -> Version:
        """Return the version that computes this; it is made when first asked for."""
        found = self.versions.get(want)
        if found is None:
            made: Backend
            if self.numba and not want.careful:
                made = Loops(self.code(want, grouped=False), self.sizes, want, shape=self.shared.shape)
            elif self.unstructured:
                made = Tape(self.careful if want.careful else self.shared, self.sizes, self.batched, want)
            else:
                made = Buffered(self.code(want), per_row=want.per_row)
            found = self.versions[want] = Version(made, self.flat)
        return found

    def follows(self, order: list[Value]) -> bool:
        """Tell whether the parameters are these, in this order."""
        own = self.parameters
        return own is order or (len(own) == len(order) and all(map(operator.is_, own, order)))

    def read(self) -> None:
        """Copy the parameters' current numbers into the flat array."""
        if self._looked_for != held.changes:
            self._looked_for, self._source = held.changes, held.source(self.parameters)
            self._mixed = any(id(p) in held.places for p in self.parameters) if held.places else False
            self._read = -1
        if self._source is None:
            now = held.assignments()
            # A block has given the array away, so whoever has it may have changed it since.
            if now != self._read or self._mixed or (self._last is not None and self.flat.tobytes() != self._last):
                self._read = now
                self.flat[:] = [p.data for p in self.parameters]
                self._last = self.flat.tobytes() if self.shown else None
        else:
            array, places = self._source
            array.take(places, out=self.flat, mode="clip")
