"""Code without structure: every node by itself, by the recipe of its operation.

Where hardly any two nodes belong together, arrays of nodes are of no use, and analysing a node costs more than running
it. A node is then a recipe and the places it works on, each an array of one number per row.
"""

# The classes of this module share their slots:
# pyright: reportPrivateUsage=false, reportUnknownLambdaType=false
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from autodiff.compiler.arrays.ir import POW, Code, Units, Var
from autodiff.compiler.backends.recipes import (
    BATCHED,
    BY_VALUE,
    KNOWN,
    NEEDS,
    Recipe,
    forward_recipe,
    itself,
    reverse_recipe,
)
from autodiff.compiler.trace.graph import Graph
from autodiff.compiler.trace.operations import DECIDE
from autodiff.ops import OPS, Op

Array = Any

_ADDED = frozenset(OPS[name] for name in ("add", "sub", "neg"))
_SUMMED = _ADDED | {OPS["mul"]}
_FEW = 500  # nodes: below this, arrays are made quickly enough
_PART = 100  # nodes between two looks at whether the answer is clear
_ALIKE = 5  # operands: this many per level and kind of node make arrays worth while
_KEPT = 1 << 40  # more than the readers that a node can have
_PENDING = -1  # stands for a δ that the next step writes


def is_unstructured(graph: Graph) -> bool:  # noqa: C901 # written out, as it is done for every node there is
    """Tell whether arrays of nodes of one kind at one level would hold hardly more than one each."""
    ops, operands, n = graph.ops, graph.operands, len(graph.ops)
    if n < _FEW:
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
        forward, self.kind = forward_recipe(op, kinds, tape.careful or (tape.decides and op is POW))
        self.wide = bool(self.kind & BATCHED)
        self.forward = tape.use(forward)
        self.hands: Sequence[tuple[int, int]] = ()  # each operand that receives a δ, and its bit
        self.reads: Sequence[int] = ()  # the operands that the reverse pass reads
        self.keeps = False  # whether it reads the result
        self.backs: dict[int, _Back] = {}
        if self.kind & NEEDS:
            first = self.back(tape, 0)
            self.hands = [(k, 1 << k) for k, _ in first.hands]
            self.reads, self.keeps = first.operands, first.result

    def back(self, tape: Tape, sums: int) -> _Back:
        """Return how δ is passed on where those operands have one already."""
        recipe = reverse_recipe(self.op, self.kinds, self.wide or tape.per_row, tape.careful, sums)
        found = self.backs[sums] = _Back(tape, recipe, len(self.kinds))
        return found


class _Back:
    """The reverse recipe of a form, unpacked for writing it many times."""

    def __init__(self, tape: Tape, recipe: Recipe, arity: int) -> None:
        self.which = tape.use(recipe) if recipe.steps else -1
        self.operands = [k for k in recipe.reads if k < arity]
        self.result = arity in recipe.reads
        self.delta = arity + 1 in recipe.reads
        self.results, self.hands, self.sums = recipe.results, recipe.hands, recipe.sums
        handed = [j for _, j in self.hands]
        # Rows with one more owner: δ was this node's already, and a result may be passed on twice.
        self.again = [j for k, j in enumerate(handed) if j < 0 or j in handed[:k]]


class Tape:
    """A graph as steps on numbered places, with all that an instance for a number of rows needs."""

    direct: Sequence[Var] = ()  # as in Buffered: results written where the caller wants them

    def __init__(
        self, graph: Graph, sizes: Sequence[int | None], batched: Sequence[bool], *, gradient: bool,
        argnums: Sequence[int], per_row: bool, seeded: bool, careful: bool,
    ) -> None:  # fmt: skip
        """Write the tape; the arguments are those of Grouping and of `backward`."""
        self.graph, self.sizes = graph, sizes
        self.per_row, self.careful = per_row, careful
        self.decides = not DECIDE.isdisjoint(graph.ops)  # whether a NaN may go unseen
        self.recipes: list[tuple[Recipe, list[int]]] = []  # with the rows of their temporaries
        self.which: list[int] = []  # the recipe of every step,
        self.where: list[int] = []  # and the places of all steps, one after another
        self.rows: list[bool] = []  # whether each array of one number has rows; their places follow the blocks
        self.blocks: list[tuple[Units, bool]] = []
        self.arguments: list[str] = []
        self.opening: list[tuple[int, int]] = []  # each block that holds an argument, and which
        self._free: tuple[list[int], list[int]] = [], []
        self._temporaries: tuple[list[int], list[int]] = [], []
        self._owners: dict[int, int] = {}  # the owners of a row, where it has several
        self._start = 0  # the place of the first row
        n = len(graph.ops)
        self._kind, self._at = [0] * n, [0] * n
        self._forms: list[_Form | None] = [None] * n
        self._left = [0] * n  # the readers of each node still to come, plus _KEPT if the reverse pass reads it
        self._copy, self._add, self._dot = (
            self.use(Recipe(itself, [lambda _, f=f: f], results=[False] * n))
            for f, n in ((np.copyto, 2), (np.add, 3), (np.dot, 3))
        )
        self._place_leaves(sizes, batched, argnums, gradient=gradient)
        self.zero, self.one = self._block((), batched=False), self._block((), batched=True)
        seed = self._argument("seed", (), batched=True) if seeded else self.one
        self._write_forward()
        self.code = Code(careful=careful)  # only its results, as places
        self.code.outputs = [self._at[graph.outputs[0]] if graph.shape == () else [self._at[x] for x in graph.outputs]]
        if gradient or argnums:
            self._write_reverse(seed, gradient=gradient, argnums=argnums)

    def instance(self, rows: int, flat: Array) -> TapeInstance:
        """Return the tape, made for a number of rows."""
        return TapeInstance(self, rows, flat)

    def bytes_per_row(self) -> int:
        """Return the memory that a row takes."""
        return 8 * (sum(self.rows) + sum(math.prod(units) for units, batched in self.blocks if batched))

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
        mine: list[int] = []
        for wide in recipe.temporaries:
            pool = self._temporaries[wide]
            k = sum(self.rows[row - self._start] == wide for row in mine)
            if k == len(pool):
                pool.append(self._row(wide))
            mine.append(pool[k])
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

    def _row(self, wide: bool) -> int:
        free = self._free[wide]
        if free:
            return free.pop()
        self.rows.append(wide)
        return self._start + len(self.rows) - 1

    def _drop(self, row: int) -> None:
        """Take an owner from a row, and free it when there is none left."""
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
        for leaves in (graph.parameters, graph.parameters, graph.constants):  # the second block is their gradient
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
        self.where += places

    def _write_forward(self) -> None:  # noqa: C901, PLR0912 # likewise
        graph, kind, at, free = self.graph, self._kind, self._at, self._free
        constants, stopped, start = graph.constants, graph.stopped, self._start
        forms, which, where = self._forms, self.which.append, self.where.append
        left = self._left = list(graph.uses)
        for x in graph.outputs:
            left[x] += 1
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
            pool = free[form.wide]
            row = at[i] = pool.pop() if pool else self._row(form.wide)
            which(form.forward)
            for x in xs:
                where(at[x])
            where(row)
            kind[i] = form.kind
            if form.kind & NEEDS:
                if i in stopped:
                    kind[i] -= NEEDS
                else:
                    forms[i] = form
                    if form.keeps:
                        left[i] += _KEPT
                    for k in form.reads:
                        left[xs[k]] |= _KEPT
            for x in xs:
                left[x] -= 1
                if not left[x] and at[x] >= start:
                    free[kind[x] & BATCHED].append(at[x])

    def _write_reverse(  # noqa: C901, PLR0912 # likewise
        self, seed: int, *, gradient: bool, argnums: Sequence[int]
    ) -> None:
        graph, kind, at, left, free, start = self.graph, self._kind, self._at, self._left, self._free, self._start
        forms, owners, which, where = self._forms, self._owners, self.which.append, self.where.append
        into = {x: at[x] + len(graph.parameters) for x in graph.parameters} if gradient and not self.per_row else {}
        narrow: list[Any] = [None] * len(at)  # by node: the row with the part of δ that is the same for all rows
        wide: list[Any] = [None] * len(at)  # and the row with the other part
        (output,) = graph.outputs
        wide[output] = seed
        for i in range(len(at) - 1, -1, -1):
            if not kind[i] & NEEDS:
                continue
            side = self.per_row or bool(kind[i] & BATCHED)
            if not side:
                narrow[i], wide[i] = self._summed(wide[i], narrow[i], into.get(i)), None
            deltas = wide if side else narrow
            form, delta = forms[i], deltas[i]
            if form is None or delta is None:
                continue
            xs, pool = graph.operands[i], free[side]
            sums = 0
            for k, bit in form.hands:
                if deltas[xs[k]] is None:
                    deltas[xs[k]] = _PENDING  # so that an operand that occurs twice gets a sum
                else:
                    sums |= bit
            back = form.backs.get(sums) or form.back(self, sums)
            if back.which >= 0:
                which(back.which)
                for k in back.operands:
                    where(at[xs[k]])
                if back.result:
                    where(at[i])
                if back.delta:
                    where(delta)
            made: list[int] = []
            for _ in back.results:
                row = pool.pop() if pool else self._row(side)
                where(row)
                made.append(row)
            made.append(delta)
            for j in back.again:
                owners[made[j]] = owners.get(made[j], 1) + 1
            for k, j in back.hands:
                deltas[xs[k]] = made[j]
            if back.sums:
                self._write_sums(deltas, [xs[k] for k in back.sums], made, pool, side=side)
            if delta in owners:  # `_drop` written out, to save most calls
                self._drop(delta)
            elif delta >= start:
                pool.append(delta)
            if left[i] >= _KEPT and i != output:
                free[kind[i] & BATCHED].append(at[i])
        found = [
            self.zero if (d := w if w is not None else n) is None else d for w, n in zip(wide, narrow, strict=True)
        ]
        if gradient and graph.parameters:
            self.code.gradient = [into[x] if into else found[x] for x in graph.parameters]
        self._take_over(found, argnums)

    def _take_over(self, found: list[int], argnums: Sequence[int]) -> None:
        """Make the places of δ results of the code, for the entries of arguments."""
        for i in argnums:
            entries = [found[x] for x, place in self.graph.inputs.items() if place.argument == i]
            if entries:
                self.code.input_gradients[i] = entries if self.sizes[i] is not None else entries[0]

    def _write_sums(self, deltas: list[Any], nodes: list[int], made: list[int], pool: list[int], *, side: bool) -> None:
        """Write the places before and after of what a step adds to δ of nodes: in place, if no other one owns the row.

        `made`: the rows of this step, which further sums read, though they may have no owner.
        """
        late: list[int] = []
        for x in nodes:
            before = after = deltas[x]
            if before in made or before < self._start or before in self._owners:
                after = deltas[x] = pool.pop() if pool else self._row(side)
                if before in made:
                    late.append(before)
                else:
                    self._drop(before)
            self.where += before, after
        for row in late:
            self._drop(row)

    def _summed(self, wide: int | None, narrow: int | None, into: int | None) -> int | None:
        """Write the sum of a δ to be summed over the rows and one that is not; return its row."""
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


class TapeInstance:
    """A tape made for a number of rows: its buffers, and `run`, which fills them."""

    def __init__(self, tape: Tape, rows: int, flat: Array) -> None:
        self.backend = tape
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
        wide = list(shapes.new((sum(tape.rows),), batched=True))
        if all(tape.rows):
            things += wide
        else:
            narrow = np.zeros(len(tape.rows) - len(wide))
            both = iter(wide), (narrow[k, ...] for k in range(len(narrow)))
            things += [next(both[not batched]) for batched in tape.rows]
        self._things, thing = things, things.__getitem__
        opening = [(blocks[block], i) for block, i in tape.opening]
        made = [
            recipe.make(*[make(shapes) for make in recipe.fixed], *map(thing, temporaries))
            for recipe, temporaries in tape.recipes
        ]
        functions = [made[which] for which in tape.which]
        everything = tuple(map(thing, tape.where))
        sizes = [recipe.size for recipe, _ in tape.recipes]
        ends = accumulate([sizes[which] for which in tape.which], initial=0)
        given = [everything[start:end] for start, end in pairwise(ends)]
        copy = np.copyto

        def run(*args: Any) -> None:
            for buffer, i in opening:
                copy(buffer, args[i])
            for function, arguments in zip(functions, given, strict=True):
                function(*arguments)

        self.run: Callable[..., None] = run  # warns as NumPy does: see without_warnings

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
