"""Code without structure: every node by itself, its steps copied from a recipe of its operation.

Where hardly any two nodes belong together, arrays of nodes are of no use, and thinking about each node costs more than
running it. A node is then a recipe and the places it works on, each an array of one number per row.
"""

# A tape is made and read by what stands beside it here:
# pyright: reportPrivateUsage=false, reportUnknownLambdaType=false
from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from autodiff.compiler.code import Code, Units, Var
from autodiff.compiler.graph import Graph
from autodiff.compiler.recipes import BATCHED, BY_VALUE, KNOWN, NEEDS, Recipe, forward_recipe, reverse_recipe
from autodiff.ops import OPS, Op

Array = Any

_ADDED = frozenset(OPS[name] for name in ("add", "sub", "neg"))
_SUMMED = _ADDED | {OPS["mul"]}
_FEW = 500  # nodes, for which arrays are made quickly enough
_ALIKE = 5  # operands; so many at one level, of one kind of node, are on average worth making arrays of
_KEPT = 1 << 40  # more than can read a node


def is_unstructured(graph: Graph) -> bool:
    """Whether arrays of nodes of one kind at one level would hold hardly more than one each."""
    ops = graph.ops
    if len(ops) < _FEW:
        return False
    uses = Counter(chain.from_iterable(graph.operands))
    number = {op: k for k, op in enumerate(dict.fromkeys(ops))}
    operations = len(number)
    summed = [op in _SUMMED for op in ops]
    level: list[int] = []
    kinds: set[int] = set()  # levels and operations
    for op, xs in zip(ops, graph.operands, strict=True):
        own = 0
        if op in _ADDED:  # a tree of additions is one sum, at one level
            for x in xs:
                at = level[x] if summed[x] and uses[x] == 1 else level[x] + 1
                if at > own:  # noqa: PLR1730 # a call less
                    own = at
        elif op is not None:
            for x in xs:
                if level[x] > own:  # noqa: PLR1730
                    own = level[x]
            own += 1
        level.append(own)
        kinds.add(own * operations + number[op])
    return uses.total() < _ALIKE * len(kinds)


class _Form:
    """What all nodes share that are the same operation on operands of the same kinds."""

    def __init__(self, tape: Tape, op: Op, kinds: tuple[Any, ...]) -> None:
        forward, self.kind = forward_recipe(op, kinds, tape.careful)
        self.wide = bool(self.kind & BATCHED)
        self.forward = tape.use(forward)
        self.results: Sequence[bool] = ()
        self.hands: Sequence[tuple[int, int]] = ()
        self.again: list[int] = []
        self.reads: list[int] = []
        self.keeps = False
        self.reverse = -1
        if self.kind & NEEDS:
            reverse = reverse_recipe(op, kinds, self.wide or tape.per_row, tape.careful)
            self.reverse = tape.use(reverse)
            self.results, self.hands = reverse.results, reverse.hands
            self.reads = [k for k in reverse.reads if k < len(kinds)]
            self.keeps = len(kinds) in reverse.reads
            results = [result for _, result in self.hands]
            # One owner more than those that a row has by itself: δ was this node's, a result is handed on twice.
            self.again = [j for k, j in enumerate(results) if j < 0 or j in results[:k]]


class Tape:
    """A graph as steps on numbered places, and what it takes to make them for a number of rows."""

    direct: Sequence[Var] = ()  # what Fast has: results that are written where the caller wants them

    def __init__(
        self, graph: Graph, sizes: Sequence[int | None], batched: Sequence[bool], *, gradient: bool,
        argnums: Sequence[int], per_row: bool, seeded: bool, careful: bool,
    ) -> None:  # fmt: skip
        """The arguments are those of Grouping and of `backward`."""
        self.graph, self.sizes = graph, sizes
        self.per_row, self.careful = per_row, careful
        self.recipes: list[tuple[Recipe, list[int]]] = []  # and the rows of their temporaries
        self.which: list[int] = []  # recipe after recipe,
        self.where: list[tuple[int, ...]] = []  # and the places that it works on
        self.rows: list[bool] = []  # whether each array of one number has rows; they lie behind the blocks
        self.blocks: list[tuple[Units, bool]] = []
        self.arguments: list[str] = []
        self.opening: list[tuple[int, int]] = []  # a block, and the argument that it takes over
        self._free: tuple[list[int], list[int]] = [], []
        self._owners: dict[int, int] = {}  # how many hold a row, if it is not one
        self._start = 0  # of the rows
        n = len(graph.ops)
        self._kind, self._at = [0] * n, [0] * n
        self._forms: list[_Form | None] = [None] * n
        self._left = [0] * n  # who has still to read a node; _KEPT if the reverse pass has
        self._copy, self._add, self._dot = (
            self.use(Recipe([(lambda _, f=f: f, tuple)])) for f in (np.copyto, np.add, np.dot)
        )
        self._place_leaves(sizes, batched, argnums, gradient=gradient)
        self.zero, self.one = self._block((), batched=False), self._block((), batched=True)
        seed = self._argument("seed", (), batched=True) if seeded else self.one
        self._write_forward()
        self.code = Code(careful=careful)  # its results alone, as places
        self.code.outputs = [self._at[graph.outputs[0]] if graph.shape == () else [self._at[x] for x in graph.outputs]]
        if gradient or argnums:
            self._write_reverse(seed, gradient=gradient, argnums=argnums)

    def instance(self, rows: int, flat: Array) -> TapeInstance:
        """The tape made for a number of rows."""
        return TapeInstance(self, rows, flat)

    def bytes_per_row(self) -> int:
        """How much memory a row takes."""
        return 8 * (sum(self.rows) + sum(math.prod(units) for units, batched in self.blocks if batched))

    @property
    def steps(self) -> list[bool]:
        """Whether each call gives a number per row."""
        return [
            row >= self._start and self.rows[row - self._start]
            for which, (*_, row) in zip(self.which, self.where, strict=True)
            for _ in self.recipes[which][0].steps
        ]

    @property
    def flops(self) -> int:
        """How many numbers are computed per row."""
        return sum(self.steps)

    def use(self, recipe: Recipe) -> int:
        """Take a recipe up, with temporaries that all its nodes share."""
        self.recipes.append((recipe, list(map(self._row, recipe.temporaries))))
        return len(self.recipes) - 1

    # Places.

    def _block(self, units: Units, *, batched: bool) -> int:
        start = self._start
        self.blocks.append((units, batched))
        self._start += math.prod(units)
        return start

    def _argument(self, name: str, units: Units, *, batched: bool) -> int:
        self.opening.append((len(self.blocks), len(self.arguments)))
        self.arguments.append(name)
        return self._block(units, batched=batched)

    def _row(self, wide: bool) -> int:
        free = self._free[wide]
        if free:
            return free.pop()
        self.rows.append(wide)
        return self._start + len(self.rows) - 1

    def _drop(self, row: int) -> None:
        """One owner less; a row that has none is free."""
        if row in self._owners:
            self._owners[row] -= 1
            if self._owners[row] == 1:
                del self._owners[row]
        elif row >= self._start:
            self._free[self.rows[row - self._start]].append(row)

    def _place_leaves(
        self, sizes: Sequence[int | None], batched: Sequence[bool], argnums: Sequence[int], *, gradient: bool
    ) -> None:
        graph, at, kind = self.graph, self._at, self._kind
        for leaves in (graph.parameters, graph.parameters, graph.constants):  # the second one is their gradient
            start = self._block((len(leaves),), batched=False)
            for k, node in enumerate(leaves):
                at[node] = start + k
        for node in graph.parameters:
            at[node] -= len(graph.parameters)
            kind[node] = KNOWN | NEEDS * gradient
        starts: dict[int, int] = {}
        used = {place.argument for place in graph.inputs.values()}
        for i in sorted(used):
            size = sizes[i]
            starts[i] = self._argument(f"x{i}", () if size is None else (size,), batched=batched[i])
        for node, place in graph.inputs.items():
            at[node] = starts[place.argument] + place.entry
            kind[node] = KNOWN | BATCHED * batched[place.argument] | NEEDS * (place.argument in argnums)

    # Steps.

    def _write(self, recipe: int, *places: int) -> None:
        self.which.append(recipe)
        self.where.append(places)

    def _write_forward(self) -> None:  # noqa: C901 # written out, as it is done for every node there is
        graph, kind, at, left, free = self.graph, self._kind, self._at, self._left, self._free
        constants, start, which, where = graph.constants, self._start, self.which.append, self.where.append
        kind_of, place_of = kind.__getitem__, at.__getitem__
        for x in chain(chain.from_iterable(graph.operands), graph.outputs):
            left[x] += 1
        forms: dict[Any, _Form] = {}
        for i, (op, xs) in enumerate(zip(graph.ops, graph.operands, strict=True)):
            if op is None:
                continue
            key = (op, *map(kind_of, xs))
            if 0 in key and op in BY_VALUE:  # by its text too, since 0 and −0 are equal
                key = (op, *[kind[x] or (constants[x], repr(constants[x])) for x in xs])
            form = forms.get(key)
            if form is None:
                form = forms[key] = _Form(self, op, key[1:])
            row = at[i] = free[form.wide].pop() if free[form.wide] else self._row(form.wide)
            which(form.forward)
            where((*map(place_of, xs), row))
            kind[i] = form.kind
            if form.kind & NEEDS:
                if i in graph.stopped:
                    kind[i] -= NEEDS
                else:
                    self._forms[i] = form
                    if form.keeps:
                        left[i] += _KEPT
                    for k in form.reads:
                        left[xs[k]] |= _KEPT
            for x in xs:
                left[x] -= 1
                if not left[x] and at[x] >= start:
                    free[kind[x] & BATCHED].append(at[x])

    def _write_reverse(  # noqa: C901 # likewise
        self, seed: int, *, gradient: bool, argnums: Sequence[int]
    ) -> None:
        graph, kind, at, left, free = self.graph, self._kind, self._at, self._left, self._free
        owners, which, where = self._owners, self.which.append, self.where.append
        place_of = at.__getitem__
        into = {x: at[x] + len(graph.parameters) for x in graph.parameters} if gradient and not self.per_row else {}
        narrow: list[Any] = [None] * len(at)  # the row with δ of each node, as far as it is the same for all rows
        wide: list[Any] = [None] * len(at)  # as far as it is not
        (output,) = graph.outputs
        wide[output] = seed
        for i in range(len(at) - 1, -1, -1):
            if not kind[i] & NEEDS:
                continue
            side = self.per_row or bool(kind[i] & BATCHED)
            if not side:
                narrow[i], wide[i] = self._summed(wide[i], narrow[i], into.get(i)), None
            deltas = wide if side else narrow
            form, delta = self._forms[i], deltas[i]
            if form is None or delta is None:
                continue
            xs, pool = graph.operands[i], free[side]
            made = [pool.pop() if pool else self._row(side) for _ in form.results]
            which(form.reverse)
            where((*map(place_of, xs), at[i], delta, *made))
            made.append(delta)
            for j in form.again:
                owners[made[j]] = owners.get(made[j], 1) + 1
            for k, j in form.hands:
                x, row = xs[k], made[j]
                if deltas[x] is None:
                    deltas[x] = row
                else:
                    deltas[x] = self._sum(deltas[x], row, wide=side)
            self._drop(delta)
            if left[i] >= _KEPT and i != output:
                free[kind[i] & BATCHED].append(at[i])
        found = [
            self.zero if (d := w if w is not None else n) is None else d for w, n in zip(wide, narrow, strict=True)
        ]
        if gradient and graph.parameters:
            self.code.gradient = [into[x] if into else found[x] for x in graph.parameters]
        for i in argnums:
            entries = [found[x] for x, place in graph.inputs.items() if place.argument == i]
            if entries:
                self.code.input_gradients[i] = entries if self.sizes[i] is not None else entries[0]

    def _summed(self, wide: int | None, narrow: int | None, into: int | None) -> int | None:
        """What is to be summed over the rows, and what is not, together."""
        if wide is None:
            if into is not None and narrow is not None:
                self._write(self._copy, into, narrow)
            return narrow
        row = self._row(False) if into is None else into
        self._write(self._dot, wide, self.one, row)
        self._drop(wide)
        if narrow is not None:
            self._write(self._add, row, narrow, row)
            self._drop(narrow)
        return row

    def _sum(self, a: int, b: int, *, wide: bool) -> int:
        """Both rows added up, in the first one if nobody else has it."""
        row = a if a >= self._start and a not in self._owners else self._row(wide)
        self._write(self._add, a, b, row)
        if row != a:
            self._drop(a)
        self._drop(b)
        return row


class TapeInstance:
    """A tape made for a number of rows: its buffers, and `run`, which fills them."""

    def __init__(self, tape: Tape, rows: int, flat: Array) -> None:
        self.fast = tape
        self.rows = rows
        self.gradient = np.zeros(len(flat))
        shapes = _Shapes(rows)
        blocks = [shapes.new(*block) for block in tape.blocks]
        blocks[:2] = flat[:, None], self.gradient[:, None]
        blocks[2][:, 0] = list(tape.graph.constants.values())
        things: list[Any] = []
        for block, (units, batched) in zip(blocks, tape.blocks, strict=True):
            things.extend([block] if not units else block if batched else [x[0, ...] for x in block])
        things[tape.one].fill(1.0)
        wide = iter(shapes.new((sum(tape.rows),), batched=True))
        narrow = np.zeros(len(tape.rows) - sum(tape.rows))
        alone = (narrow[k, ...] for k in range(len(narrow)))
        things += [next(wide if batched else alone) for batched in tape.rows]
        self._things, thing = things, things.__getitem__
        opening = [(blocks[block], i) for block, i in tape.opening]
        recipes = [
            ([(make(shapes), pick) for make, pick in recipe.steps],
             (*[make(shapes) for make in recipe.fixed], *map(thing, temporaries)))
            for recipe, temporaries in tape.recipes
        ]  # fmt: skip
        functions: list[Any] = []
        given: list[tuple[Any, ...]] = []  # apart, since tuples of arrays alone are nothing to the garbage collector
        for which, where in zip(tape.which, tape.where, strict=True):
            steps, shared = recipes[which]
            things_there = (*shared, *map(thing, where))
            for function, pick in steps:
                functions.append(function)
                given.append(pick(things_there))
        copy = np.copyto

        def run(*args: Any) -> None:
            for buffer, i in opening:
                copy(buffer, args[i])
            for function, arguments in zip(functions, given, strict=True):
                function(*arguments)

        self.run: Callable[..., None] = run  # warns as NumPy does: see without_warnings

    def array(self, places: int | list[int]) -> Array:
        """The numbers at a place, or at several: units × rows, or units × 1 where they are the same for all rows."""
        if isinstance(places, int):
            return self._things[places]
        found = np.stack(np.broadcast_arrays(*[self._things[x] for x in places]))
        return found if found.ndim == 2 else found[:, None]


class _Shapes(NamedTuple):
    """What a recipe asks of an instance: arrays of the shape of a Var."""

    rows: int

    def new(self, units: Units, batched: bool) -> Array:
        return np.zeros((*units, self.rows) if batched else (*units, *(1,) * bool(units)))

    def array(self, var: Var) -> Array:
        return self.new(var.units, var.batched)
