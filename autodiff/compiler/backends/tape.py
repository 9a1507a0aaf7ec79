"""Code without structure: every node by itself, by the recipe of its operation.

Where hardly any two nodes belong together, arrays of nodes are of no use, and analysing a node costs more than running
it. A node is then a recipe and the places it works on, each an array of one number per row.
"""

# The classes of this module share their slots:
# pyright: reportPrivateUsage=false, reportUnknownLambdaType=false
from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from autodiff.compiler.arrays.ir import POW, Code, Units, Var, Want
from autodiff.compiler.backends.buffers import one_by_one
from autodiff.compiler.backends.recipes import BATCHED, BY_VALUE, KNOWN, NEEDS, Recipe, forward_of, itself, reverse_of
from autodiff.compiler.trace.graph import Graph, has_loops
from autodiff.compiler.trace.operations import DECIDE
from autodiff.ops import OPS, Op

Array = Any

_ADDED = frozenset(OPS[name] for name in ("add", "sub", "neg"))
_SUMMED = _ADDED | {OPS["mul"]}
_FEW = 500  # nodes: below this, arrays are made quickly enough
_PART = 100  # nodes between two looks at whether the answer is clear
_ALIKE = 5  # operands: this many per level and kind of node make arrays worth while
_PENDING = -1  # stands for a δ that the next step writes


def is_unstructured(graph: Graph) -> bool:  # noqa: C901 # written out, as it is done for every node there is
    """Tell whether arrays of nodes of one kind at one level would hold hardly more than one each."""
    ops, operands, n = graph.ops, graph.operands, len(graph.ops)
    if n < _FEW or has_loops(graph):
        return False
    levels: dict[Any, set[int]] = {op: set() for op in dict.fromkeys(ops)}  # by operation: the levels it occurs at
    put = {op: found.add for op, found in levels.items()}
    inner = [op in _SUMMED and uses == 1 for op, uses in zip(ops, graph.uses, strict=True)]
    most = sum(map(len, operands)) / _ALIKE
    level: list[int] = []
    kinds, still = 0, n - ops.count(None)
    for start in range(0, n, _PART):
        part = ops[start : start + _PART]
        for op, xs in zip(part, operands[start : start + _PART], strict=True):
            own = 0
            if op is None:
                level.append(0)
                continue
            if op in _ADDED:  # a tree of additions is one sum, at one level
                for x in xs:
                    at = level[x] if inner[x] else level[x] + 1
                    if at > own:  # noqa: PLR1730 # a call less
                        own = at
            else:
                for x in xs:
                    if level[x] > own:  # noqa: PLR1730
                        own = level[x]
                own += 1
            level.append(own)
            put[op](own)
        kinds = sum(map(len, levels.values()))
        still -= len(part) - part.count(None)
        if kinds > most or kinds + still <= most:  # whatever the remaining nodes are
            break
    return kinds > most


class _Form:
    """Everything that nodes of one operation share on operands of the same kinds."""

    def __init__(self, tape: Tape, op: Op, kinds: tuple[Any, ...]) -> None:
        self.op, self.kinds = op, kinds
        forward, self.kind = forward_of(op, kinds, tape.want.careful or (tape.decides and op is POW))
        self.wide = bool(self.kind & BATCHED)
        self.forward = tape.use(forward)
        self.backs: dict[int, tuple[int, Recipe]] = {}
        hands = self.back(tape, 0)[1].hands if self.kind & NEEDS else ()
        self.hands = [(k, 1 << k) for k, _ in hands]  # each operand that receives a δ, and its bit

    def back(self, tape: Tape, sums: int) -> tuple[int, Recipe]:
        """Return how δ is passed on where those operands have one already."""
        recipe = reverse_of(self.op, self.kinds, self.wide or tape.want.per_row, tape.want.careful, sums)
        found = self.backs[sums] = tape.use(recipe) if recipe.steps else -1, recipe
        return found


class Tape:
    """A graph as steps on numbered places, with all that an instance for a number of rows needs.

    A step is written for values, each computed once; a place is given to a value for the time from the step that
    computes it to the last one that reads it.
    """

    by_row: Var | None = None  # as in Buffered

    def __init__(self, graph: Graph, sizes: Sequence[int | None], batched: Sequence[bool], want: Want) -> None:
        """Write the tape; the arguments are those of Grouping."""
        self.graph, self.sizes, self.want = graph, sizes, want
        self.decides = not DECIDE.isdisjoint(graph.ops)  # whether a NaN may go unseen
        self.recipes: list[tuple[Recipe, list[tuple[bool, int]]]] = []  # with their temporaries
        self.spare = [0, 0]  # temporaries of one number for all rows, and of one per row
        self.which = array("q")  # the recipe of every step,
        self.where = array("q")  # and the places of all steps, one after another
        self.rows: list[bool] = []  # whether each value, or place, of one number has rows; they follow the blocks
        self.blocks: list[tuple[Units, bool]] = []
        self.arguments: list[str] = []
        self.opening: list[tuple[int, int]] = []  # each block that holds an argument, and which
        self._start = 0  # the place of the first value
        n = len(graph.ops)
        self._kind, self._at = [0] * n, [0] * n
        self._forms: list[_Form | None] = [None] * n
        self._copy, self._add, self._dot = (
            self.use(Recipe(itself, [lambda _, f=f: f], results=[False] * n))
            for f, n in ((np.copyto, 2), (np.add, 3), (np.dot, 3))
        )
        self._place_leaves(sizes, batched, want)
        self.zero, self.one = self._block((), batched=False), self._block((), batched=True)
        seed = self._argument("seed", (), batched=True) if want.seeded else self.one
        self._write_forward()
        outputs = [self._at[x] for x in graph.outputs]
        into, found = self._write_reverse(seed) if want.derivatives else ({}, {})
        place = self._settle([*outputs, *found.values()])
        found = {x: place(delta) for x, delta in found.items()}
        self.code = Code(careful=want.careful)  # only its results, as places
        self.code.outputs = [place(outputs[0]) if graph.shape == () else [place(x) for x in outputs]]
        if want.gradient and graph.parameters:
            self.code.gradient = [into[x] if into else found[x] for x in graph.parameters]
        for i in want.argnums:
            entries = [found[x] for x, leaf in graph.inputs.items() if leaf.argument == i]
            if entries:
                self.code.input_gradients[i] = entries if sizes[i] is not None else entries[0]

    def instance(self, rows: int, flat: Array) -> TapeInstance:
        """Return the tape, made for a number of rows."""
        return TapeInstance(self, rows, flat)

    def bytes_per_row(self) -> int:
        """Return the memory that a row takes."""
        blocks = sum(math.prod(units) for units, batched in self.blocks if batched)
        return 8 * (sum(self.rows) + blocks + self.spare[True])

    @property
    def steps(self) -> list[bool]:
        """For each call, whether it computes a number per row."""
        ends = accumulate([self.recipes[which][0].size for which in self.which])
        last = [self.where[end - 1] - self._start for end in ends]
        return [
            row >= 0 and self.rows[row]
            for row, which in zip(last, self.which, strict=True)
            for _ in range(self.recipes[which][0].steps)
        ]

    @property
    def calls(self) -> int:
        """The number of NumPy calls per block."""
        return len(self.opening) + len(self.steps)

    @property
    def flops(self) -> int:
        """The number of results per row, sums over the rows included."""
        return sum(self.steps) + self.which.count(self._dot)

    def use(self, recipe: Recipe) -> int:
        """Add a recipe and return its number; all recipes share temporaries, which last no longer than a step."""
        counts = [0, 0]
        mine: list[tuple[bool, int]] = []
        for wide in recipe.temporaries:
            mine.append((wide, counts[wide]))
            counts[wide] += 1
        self.spare = list(map(max, self.spare, counts))
        self.recipes.append((recipe, mine))
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

    def _value(self, wide: bool) -> int:
        self.rows.append(wide)
        return self._start + len(self.rows) - 1

    def _settle(self, results: Sequence[int]) -> Callable[[int], int]:
        """Assign every value a place, which is free again once nobody reads it; return the function that tells it."""
        start, wide = self._start, np.array(self.rows, dtype=bool)
        where, which = (np.frombuffer(x, dtype=np.int64) for x in (self.where, self.which))
        sizes, adds = (
            np.array(x, dtype=np.int64)[which]
            for x in zip(*[(recipe.size, bool(recipe.sums)) for recipe, _ in self.recipes], strict=True)
        )
        ends = np.cumsum(sizes)
        opens = np.repeat(ends - sizes, sizes)  # by reading and writing: what is read for the last time before is free
        last_of = ends[adds > 0] - 1
        opens[last_of] = last_of  # what a step adds up last is written after all is read
        at = np.flatnonzero(where >= start)
        values = where[at] - start
        born, last = np.zeros((2, len(wide)), dtype=np.int64)
        born[values[::-1]], last[values] = at[::-1], at
        kept = np.zeros(len(wide), dtype=bool)
        kept[[x - start for x in results if x >= start]] = True
        source, place, self.rows = np.arange(len(wide)), np.zeros(len(wide), dtype=np.int64), []
        for batched in (False, True):
            mine = np.flatnonzero(wide == batched)
            ending = np.zeros(len(where) + 1, dtype=bool)
            ending[1:][last[mine[~kept[mine]]]] = True
            dead = np.cumsum(ending)[opens[born[mine]]]  # how many are free before each is born
            turn = np.arange(1, len(mine) + 1)
            again = turn + np.minimum.accumulate(np.minimum(dead - turn, 0))  # how many take a place that was free
            taken = np.diff(again, prepend=0) > 0
            source[mine[taken]] = where[ending[1:]][: np.count_nonzero(taken)] - start  # free for the longest time
            fresh = mine[~taken]
            place[fresh] = start + len(self.rows) + np.arange(len(fresh))
            self.rows += [batched] * len(fresh)
        while ((first := source[source]) != source).any():
            source = first
        every = np.concatenate([np.arange(start), place[source]])
        self.where = array("q", every[where].tobytes())
        return lambda x: int(every[x])

    def _place_leaves(self, sizes: Sequence[int | None], batched: Sequence[bool], want: Want) -> None:
        graph, at, kind = self.graph, self._at, self._kind
        for leaves in (graph.parameters, graph.parameters, graph.constants):  # the second block is their gradient
            start = self._block((len(leaves),), batched=False)
            for k, node in enumerate(leaves):
                at[node] = start + k
        for node in graph.parameters:
            at[node] -= len(graph.parameters)
            kind[node] = KNOWN | NEEDS * want.gradient
        starts: dict[int, int] = {}
        used = {place.argument for place in graph.inputs.values()}
        for i in sorted(used):
            size = sizes[i]
            starts[i] = self._argument(f"x{i}", () if size is None else (size,), batched=batched[i])
        for node, place in graph.inputs.items():
            at[node] = starts[place.argument] + place.entry
            kind[node] = KNOWN | BATCHED * batched[place.argument] | NEEDS * (place.argument in want.argnums)

    # Steps.

    def _write(self, recipe: int, *places: int) -> None:
        self.which.append(recipe)
        self.where.extend(places)

    def _write_forward(self) -> None:
        graph, kind, at = self.graph, self._kind, self._at
        constants, stopped, rows, start = graph.constants, graph.stopped, self.rows, self._start
        forms, which, where = self._forms, self.which.append, self.where.append
        known: dict[Any, _Form] = {}
        for i, (op, xs) in enumerate(zip(graph.ops, graph.operands, strict=True)):
            if op is None:
                continue
            key = (op, kind[xs[0]], kind[xs[1]]) if len(xs) == 2 else (op, *[kind[x] for x in xs])
            if op in BY_VALUE and 0 in key:  # by repr too, since 0 and −0 compare equal
                key = (op, *[kind[x] or (constants[x], repr(constants[x])) for x in xs])
            form = known.get(key)
            if form is None:
                form = known[key] = _Form(self, op, key[1:])
            which(form.forward)
            for x in xs:
                where(at[x])
            at[i] = start + len(rows)
            where(at[i])
            rows.append(form.wide)
            kind[i] = form.kind
            if form.kind & NEEDS:
                if i in stopped:
                    kind[i] -= NEEDS
                else:
                    forms[i] = form

    def _write_reverse(  # noqa: C901, PLR0912 # written out, as it is done for every node there is
        self, seed: int
    ) -> tuple[dict[int, int], dict[int, int]]:
        """Write the reverse pass; return the places for δ of parameters, by node, and the values of δ of leaves."""
        graph, kind, at, per_row = self.graph, self._kind, self._at, self.want.per_row
        rows, start, where = self.rows, self._start, self.where.append
        into: dict[int, int] = {}
        if self.want.gradient and not per_row:
            into = {x: at[x] + len(graph.parameters) for x in graph.parameters}
        narrow: list[Any] = [None] * len(at)  # by node: the part of δ that is the same for all rows
        wide: list[Any] = [None] * len(at)  # and the other part
        (output,) = graph.outputs
        wide[output] = seed
        for i in range(len(at) - 1, -1, -1):
            if not kind[i] & NEEDS:
                continue
            side = per_row or bool(kind[i] & BATCHED)
            if not side:
                narrow[i], wide[i] = self._summed(wide[i], narrow[i], into.get(i)), None
            deltas = wide if side else narrow
            form, delta = self._forms[i], deltas[i]
            if form is None or delta is None:
                continue
            xs, sums = graph.operands[i], 0
            for k, bit in form.hands:
                if deltas[xs[k]] is None:
                    deltas[xs[k]] = _PENDING  # so that an operand that occurs twice gets a sum
                else:
                    sums |= bit
            which, recipe = form.backs.get(sums) or form.back(self, sums)
            first, n = start + len(rows), len(xs)
            if which >= 0:
                self.which.append(which)
                for k in recipe.reads:
                    where(at[xs[k]] if k < n else at[i] if k == n else delta)
            for _ in recipe.results:
                where(start + len(rows))
                rows.append(side)
            for k, j in recipe.hands:
                deltas[xs[k]] = delta if j < 0 else first + j
            for k in recipe.sums:
                where(deltas[xs[k]])
                where(start + len(rows))
                deltas[xs[k]] = start + len(rows)
                rows.append(side)
        leaves = (*graph.parameters, *graph.inputs)
        return into, {x: next((d for d in (wide[x], narrow[x]) if d is not None), self.zero) for x in leaves}

    def _summed(self, wide: int | None, narrow: int | None, into: int | None) -> int | None:
        """Write the sum of a δ to be summed over the rows and one that is not; return it."""
        if wide is None:
            if into is not None and narrow is not None:
                self._write(self._copy, into, narrow)
            return narrow
        total = self._value(False) if into is None else into
        self._write(self._dot, wide, self.one, total)
        if narrow is not None:
            self._write(self._add, total, narrow, total)
        return total


class TapeInstance:
    """A tape made for a number of rows: its buffers, and `run`, which fills them."""

    def __init__(self, tape: Tape, rows: int, flat: Array) -> None:
        self.backend = tape
        self.rows = rows
        self.gradient = np.zeros(len(flat))
        shapes = _Shapes(rows)
        blocks = [shapes.new(*block) for block in tape.blocks]
        blocks[:2] = flat[:, None], self.gradient[:, None]
        spare = [[shapes.new((), batched=bool(wide)) for _ in range(n)] for wide, n in enumerate(tape.spare)]
        blocks[2][:, 0] = list(tape.graph.constants.values())
        things: list[Any] = []
        for block, (units, batched) in zip(blocks, tape.blocks, strict=True):
            things.extend([block] if not units else block if batched else [x[0, ...] for x in block])
        things[tape.one].fill(1.0)
        things += [shapes.new((), batched=batched) for batched in tape.rows]
        self._things, thing = things, things.__getitem__
        opening = [(blocks[block], i) for block, i in tape.opening]
        made = [
            recipe.make(*[make(shapes) for make in recipe.fixed], *[spare[wide][k] for wide, k in temporaries])
            for recipe, temporaries in tape.recipes
        ]
        functions = [made[which] for which in tape.which]
        everything = tuple(map(thing, tape.where))
        sizes = [recipe.size for recipe, _ in tape.recipes]
        ends = accumulate([sizes[which] for which in tape.which], initial=0)
        given = [everything[start:end] for start, end in pairwise(ends)]
        self.run = one_by_one(opening, zip(functions, given, strict=True))  # warns as NumPy does: see without_warnings

    def array(self, places: int | list[int]) -> Array:
        """Return the numbers at one or several places: units × rows, or units × 1 where all rows have the same."""
        if isinstance(places, int):
            return self._things[places]
        found = np.stack(np.broadcast_arrays(*[self._things[x] for x in places]))
        return found if found.ndim == 2 else found[:, None]


class _Shapes(NamedTuple):
    """The part of an instance that recipes need: arrays of the shape of a Var."""

    rows: int

    def new(self, units: Units, batched: bool) -> Array:
        return np.zeros((*units, self.rows) if batched else (*units, *(1,) * bool(units)))

    def array(self, var: Var) -> Array:
        return self.new(var.units, var.batched)
