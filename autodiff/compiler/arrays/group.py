"""From scalars to arrays: nodes of one shape at one level become one array, and layers become matrix products.

Two nodes belong together when they apply the same operation, at the same distance from the leaves, to the same kinds of
operands. A group of sums Σ wᵢxᵢ whose weights are the same for all rows, and which take the same inputs in the same
order, is ONE matrix product. Sums with the same weights on other inputs are further columns of it, its positions; an
operand is a view with an axis for each loop that it came from (`axes`), and sums of different length are filled up
(`ragged`). Parameters lie in the flat array in the order of the products, row by row with the bias at the end, so that
a weight matrix is a view and needs no copying.
"""

from __future__ import annotations

import functools
import math
import operator
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, groupby
from typing import Any

import numpy as np

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.axes import Units, contiguous, ends, nest, places_of, refined, shape_of
from autodiff.compiler.arrays.borders import framed, windows
from autodiff.compiler.arrays.ir import ADD, DIV, MUL, SUB, Code, Var, Want
from autodiff.compiler.arrays.labels import common_label
from autodiff.compiler.arrays.places import once, parts, repeated
from autodiff.compiler.arrays.ragged import evened, filled, operands_of, squared
from autodiff.compiler.arrays.recurrent import hoisted
from autodiff.compiler.trace.graph import Entry, Graph, Loop, Term
from autodiff.compiler.trace.lookup import counted, indices_of
from autodiff.ops import OPS, Op, log

_EXP, _LSE = OPS["exp"], OPS["logsumexp"]
_BY_VALUE = frozenset(OPS.values()) - {OPS[name] for name in ("add", "sub", "mul", "div", "maximum", "minimum")}
_GATHER = 8  # smaller groups are not worth gathering scattered operands for
_SHARED = ("shared", "")  # the kinds of a term that is a weight alone
_BEFORE = 10**9  # levels: what is multiplied with 0 comes before all else, and all else has its level without it
_REDUCE = 4  # this many terms of one kind are summed along an axis
_SCALES = 3  # sums with more sets of coefficients than this are one group, its coefficients an array
_COPIES = 3  # more runs of operands than this for each array are not copied together: the group falls apart

Column = Sequence[int]


class Grouping:
    """The writer of the forward pass of a graph as array code."""

    def __init__(
        self, graph: Graph, sizes: Sequence[int | None], batched: Sequence[bool], want: Want, *, grouped: bool = True,
        placed: Column = (), steps_of: Callable[..., Any] | None = None, few: int = _REDUCE,
    ) -> None:  # fmt: skip
        """Prepare to write `graph`.

        `sizes`: how many numbers each argument has, None for a single number and for a static argument. `batched`:
        whether it has rows. `grouped=False`: one Var per node. `placed`: parameters in the order that the flat array
        has already. `steps_of` makes the code of a loop's step. `few`: so many terms are summed along an axis
        where several sums have them.
        """
        self.graph = self.given = graph
        self.steps_of = steps_of
        self.code = Code(careful=want.careful)
        self.grouped = grouped
        self.few = few
        self.careful = want.careful
        self.per_row = want.per_row
        self.where: dict[int, tuple[Var, int | None]] = {}  # each node's array and its place there
        self.flat = self.code.new(ir.FLAT, (), (len(graph.parameters),))
        self.flat.needs = want.gradient
        self.groups = 0
        self.frames: dict[int, Any] = {}  # by their first node, groups that reach over a border: their rows and parts
        self.steps: set[int] = set()  # nodes at steps in time that do not depend on the steps before
        self.left_out: dict[int, list[Term]] = {}  # by sum: its weights whose input is 0, as beyond a border
        self.zeros: dict[int, set[int]] = {}  # by array: places that hold 0, since the rows of a softmax end before
        self.exponentials: dict[int, Any] = {}  # of a logsumexp: those and their sum, its place there, how many
        n = len(graph.ops)
        self.level = [0] * n  # the distance from the leaves
        self.batched = [False] * n
        self.needs = [False] * n
        for i, size in enumerate(sizes):
            if i in {place.argument for place in graph.inputs.values()}:
                var = self.code.new(ir.INPUT, (), () if size is None else (size,), batched=batched[i], info=i)
                var.needs = i in want.argnums
        inputs = {var.info: var for var in self.code.vars if var.kind == ir.INPUT}
        for node, place in graph.inputs.items():
            var = inputs[place.argument]
            self.where[node] = var, None if sizes[place.argument] is None else place.entry
            self.batched[node], self.needs[node] = var.batched, var.needs
        for node in graph.parameters:
            self.needs[node] = want.gradient
        self._place(placed)

    @functools.cached_property
    def decides(self) -> set[int]:
        """The nodes that something depends on in which a NaN may go unseen."""
        return self.given.deciding()

    def run(self) -> Code:
        """Write the whole forward pass."""
        for group, positions in self._groups():
            self.groups += 1
            self._lower(group, positions)
        graph, code = self.graph, self.code
        code.outputs = [self.single(x) for x in graph.outputs] if not self.grouped else [code.own(self._output())]
        self._place(list(graph.parameters))
        return code

    def _output(self) -> Any:
        outputs = self.graph.outputs
        return self.single(outputs[0]) if self.graph.shape == () else self.ref(outputs, (len(outputs),))

    def _groups(self) -> list[tuple[list[int], int]]:  # one case per kind of node
        """Return the computed nodes in groups of one shape, in an order in which they can be computed.

        With each goes the number of positions at which it applies one weight matrix; 0 where its sums differ in length.
        """
        keys = self._arranged()
        graph, level = self.graph, self.level
        shared_inputs = Counter([(level[i], keys[i]) for i in graph.sums])
        buckets: dict[Any, list[int]] = {}
        for i, op in enumerate(graph.ops):
            if op is None:
                continue
            if not self.grouped:
                key: Any = i
            elif isinstance(op, (Loop, Entry)):
                key = (level[i], graph.operands[i] if isinstance(op, Entry) else i, None)
            elif i in graph.sums:
                inputs = keys[i]
                shared = bool(inputs) and shared_inputs[level[i], inputs] > 1
                product = shared or self._are_a_layer(inputs)
                rest = graph.sums[i][0][len(inputs) if product else 0 :]
                kinds = tuple(map(self._kinds, rest))
                scales = tuple([c for c, _, _ in rest]) if len(rest) < _REDUCE else ()
                table = counted(graph, i)
                table = table and (table[0], table[1].tobytes(), table[2])
                zeros = len(self.left_out.get(i, ()))
                key = (level[i], "sum", inputs if product else None, kinds, scales, self.needs[i], table, zeros)
            else:
                operands = graph.operands[i]
                kinds = tuple([graph.constants.get(x, "") if op in _BY_VALUE else "" for x in operands])
                key = (level[i], op, tuple([self._kind(x) for x in operands]), kinds, self.needs[i], i in graph.stopped)
            buckets.setdefault(key, []).append(i)
        if not self.grouped:
            return [(nodes, 1) for nodes in buckets.values()]
        buckets = _of_any_scale(buckets)
        if not self.careful:
            squared(self, buckets)
        uneven = [] if self.careful else [(nodes, 0) for nodes in evened(self, buckets)]
        lifted = self._lifted(buckets)
        groups = (lifted if self.careful else framed(self, lifted)) + uneven
        if self.left_out:  # what was multiplied with 0 may be needed no longer
            needed = self._needed()
            groups = [(nodes, n) for nodes, n in groups if not needed.isdisjoint(nodes)]
        return sorted(groups, key=lambda group: (self.level[group[0][0]], group[0][0]))

    def _needed(self) -> set[int]:
        """Return the nodes that the outputs depend on, in any order: added sums come after what reads them."""
        found, waiting = set[int](), list(self.graph.outputs)
        while waiting:
            x = waiting.pop()
            if x not in found:
                found.add(x)
                waiting += self.graph.below(x) if self.graph.ops[x] is not None else ()
        return found

    def _arranged(self) -> list[Any]:
        """Find the level of each node, its kind, and of each sum, whose terms are put in order, the inputs."""
        graph = self.graph
        level, batched, needs = self.level, self.batched, self.needs
        inputs: list[Any] = [None] * len(graph.ops)
        has_zero = self.grouped and not self.careful and 0.0 in graph.constants.values()
        for i, op in enumerate(graph.ops):
            if op is None:
                continue
            below = graph.below(i)
            level[i] = 1 + max(map(level.__getitem__, below), default=0)
            batched[i] = any(map(batched.__getitem__, below))
            needs[i] = any(map(needs.__getitem__, below)) and i not in graph.stopped
            if i in graph.sums and self.grouped:
                inputs[i] = self.arrange(i)
                if i in self.left_out:
                    level[i] = 1 + max(map(level.__getitem__, self.graph.below(i)))
                if not self.careful and len(inputs[i]) > _REDUCE:
                    self._take_apart(i, inputs)
            if has_zero and not batched[i] and self.zero_weights((1.0, i, None)):
                level[i] = 1 + max([level[x] for x in below if level[x] < 0], default=-_BEFORE)
        if self.grouped and not self.careful:
            hoisted(self, inputs)
        return inputs

    def _take_apart(self, i: int, inputs: list[Any]) -> None:
        """Make a node of what each position, or each weight, adds to a sum in which weights or inputs repeat."""
        terms, constant = self.graph.sums[i]
        n = len(inputs[i])
        again = repeated(terms[:n])
        found = parts(terms[:n], again) if again and i not in self.decides else None
        if found is None:
            return
        inner, weights, stay = found
        batched, needs = self.batched[i], self.needs[i]
        made: dict[Any, int] = {}  # what several weights share is added up once
        for part in inner:
            if tuple(part) not in made:
                made[tuple(part)] = self.added(i, part, batched=batched, needs=needs)
        nodes = [made[tuple(part)] for part in inner]
        own = [(1.0, x if w < 0 else w, None if w < 0 else x) for x, w in zip(nodes, weights, strict=True)]
        self.graph.sums[i] = [*stay, *own, *once(terms[n:])], constant
        self.level[i] = 1 + max([self.level[x] for x in self.graph.below(i)])
        inputs += [self.arrange(x) for x in made.values()]
        inputs[i] = self.arrange(i)
        if weights[0] >= 0:
            self._take_apart(i, inputs)

    def own_graph(self) -> None:
        """Change a copy of the graph from now on: other versions of the program have the same one."""
        if self.graph is self.given:
            self.graph = replace(
                self.given, ops=[*self.given.ops], operands=[*self.given.operands], sums=dict(self.given.sums)
            )

    def added(self, like: int, terms: list[Term], *, batched: bool, needs: bool) -> int:
        """Append a sum of these terms, made like another node, to a graph that is the grouping's own."""
        self.own_graph()
        new = self.graph.add(self.graph.ops[like])
        self.graph.sums[new] = terms, 0.0
        self.level.append(1 + max([self.level[x] for x in self.graph.below(new)]))
        self.batched.append(batched)
        self.needs.append(needs)
        return new

    def _lifted(self, buckets: dict[Any, list[int]]) -> list[tuple[list[int], int]]:
        """Return the groups, those that apply one weight matrix to several inputs as one: its rows × positions."""
        groups: list[tuple[list[int], int]] = []
        alike: dict[Any, list[dict[Any, int]]] = {}
        for key, nodes in buckets.items():
            n = len(key[2]) if key[1] == "sum" and key[2] else 0
            rows = {tuple([(c, w) for c, w, _ in self.graph.sums[i][0][:n]]): i for i in nodes} if n else {}
            if len(rows) == len(nodes):
                alike.setdefault((key[0], n, key[3:], frozenset(rows), nodes[0] in self.steps), []).append(rows)
            else:
                groups.append((nodes, 1))
        return groups + [([rows[row] for row in each[0] for rows in each], len(each)) for each in alike.values()]

    def _are_a_layer(self, inputs: Column) -> bool:
        """Tell whether one sum over these inputs is worth a matrix product: three, or two that are one array anyway."""
        if len(inputs) != 2 or inputs[0] == inputs[1]:
            return len(inputs) >= 3
        ops, level, entries = self.graph.ops, self.level, self.graph.inputs
        a, b = inputs
        if a in entries and b in entries:
            return entries[a].argument == entries[b].argument
        return ops[a] is not None and ops[a] is ops[b] and level[a] == level[b]

    def _kind(self, x: int | None) -> str:
        if x is None:
            return ""
        return "constant" if x in self.graph.constants else "batched" if self.batched[x] else "shared"

    def is_linear(self, term: Term) -> bool:
        """Tell whether a term is weight × input: one factor the same for all rows, the other not."""
        _, left, right = term
        return right is not None and not self.batched[left] and self.batched[right]

    def rest(self, i: int) -> tuple[Term, ...]:
        """Return the terms of a sum that are no products of a weight and an input."""
        return tuple([term for term in self.graph.sums[i][0] if not self.is_linear(term)])

    def arrange(self, i: int) -> tuple[int, ...]:
        """Put the terms weight × input first in a sum, weights first in each; return their inputs."""
        terms, constant = self.graph.sums[i]
        batched = self.batched
        linear: list[Term] = []
        rest: list[Term] = []
        inputs: list[int] = []
        for term in terms:
            scale, a, b = term
            if b is None or batched[a] == batched[b]:
                rest.append(term)
            else:
                linear.append(term if batched[b] else (scale, b, a))
                inputs.append(b if batched[b] else a)
        if linear and not self.careful and (zeros := [term for term in rest if self.zero_weights(term)]):
            self.left_out[i] = zeros
            self.own_graph()
            rest = [term for term in rest if not self.zero_weights(term)]
        rest.sort(key=self._kinds)
        self.graph.sums[i] = linear + rest, constant
        return tuple(inputs)

    def zero_weights(self, term: Term) -> list[int]:
        """Return the weights that a term multiplies with the constant 0, as beyond a border; none of other terms."""
        scale, x, other = term
        graph = self.graph
        if other is not None or self.batched[x]:
            return []
        if x in graph.sums:
            terms, constant = graph.sums[x]
            each = [self.zero_weights(inner) for inner in terms]
            return [w for weights in each for w in weights] if constant == 0.0 and all(each) else []
        if graph.ops[x] is MUL and any(graph.constants.get(y) == 0.0 for y in graph.operands[x]):
            return [y for y in graph.operands[x] if y not in graph.constants and graph.ops[y] is None]
        return [x] if scale == 0.0 and graph.ops[x] is None else []

    def put_back(self, nodes: list[int]) -> None:
        """Put weights whose input is 0 back into sums that are no windows of a grid: infinity times 0 is NaN."""
        for i in nodes:
            if i in self.left_out:
                terms, constant = self.graph.sums[i]
                n = sum(map(self.is_linear, terms))
                rest = sorted([*terms[n:], *self.left_out.pop(i)], key=self._kinds)
                self.graph.sums[i] = [*terms[:n], *rest], constant

    def _lower(self, nodes: list[int], positions: int = 1) -> None:  # noqa: C901 # one case per kind of group
        graph = self.graph
        if isinstance(graph.ops[nodes[0]], (Loop, Entry)):
            self._loop(nodes)
            return
        if nodes[0] in self.frames:
            self._lower_framed(nodes, positions)
            return
        if positions == 0 and (even := filled(self, nodes)) is not None:
            nodes, terms, n = even
            sums = graph.ops[nodes[0]] is not _LSE
            self._settle(nodes, self.code.sum_units(terms, n, _axes_of(terms.units, n)) if sums
                         else self._log_of_sums(nodes, terms, n))  # fmt: skip
            return
        if graph.ops[nodes[0]] is _EXP and self.exponentials and self._are_quotients(nodes):
            return
        parts = self._by_scale(nodes) or self._shifted(nodes) if positions == 1 < len(nodes) else []
        parts = parts or ([nodes] if len(nodes) == 1 else self._parts(nodes, positions))
        if len(parts) > 1:
            for part in parts:
                self._lower(part)
            return
        (nodes,) = parts
        op = graph.ops[nodes[0]]
        assert op is not None  # groups have no leaves
        if nodes[0] in graph.sums:
            result = self._sum(nodes, positions)
            steps = positions if nodes[0] in self.steps else 1  # one after another
            nodes = [i for k in range(steps) for i in nodes[k::steps]]
        elif op is _LSE and self.grouped and not self.careful and self.decides.isdisjoint(nodes):
            result = self._logsumexp(nodes)
        elif op.arity is None and len(nodes) > 1:
            for i in nodes:
                self._lower([i])
            return
        else:
            operands = self.columns(list(map(list, zip(*[graph.operands[i] for i in nodes], strict=True))))
            # A sum made in `no_grad` is not among the sums of products.
            result = op.forward(*operands) if op in ir.TOTALS else self.code.apply(op, *operands)
        self._settle(nodes, result)

    def _loop(self, nodes: list[int]) -> None:
        """Write a loop, or note where the numbers are that come out of it."""
        graph, ops = self.graph, list[Any](self.graph.ops)
        if isinstance(ops[nodes[0]], Entry):
            home, _ = self.where[graph.operands[nodes[0]][0]]
            self.where.update({i: (home, ops[i].place) for i in nodes})
            return
        (i,) = nodes
        loop: Loop = ops[i]
        carry, xs, captured = loop.parts(graph.operands[i])
        assert self.steps_of is not None
        steps = self.steps_of(loop, tuple([self.batched[x] for x in captured]), careful=self.careful)
        varying = [x for x in captured if self.batched[x]]
        same: list[int] = [captured[k] for k in steps.order]  # as its own products have them
        args: list[Any] = [self._vector(part) if part else 0.0 for part in (carry, xs, varying, same)]
        batched = any(x.batched for x in args if x.__class__ is Var)
        var = self.code.new(ir.FOLD, args, (loop.size,), batched=batched, info=steps)
        var.needs = self.needs[i]
        self.where[i] = var, None

    def _lower_framed(self, nodes: list[int], positions: int) -> None:
        """Write a group that reaches over a border as one product, or each of its parts."""
        window = windows(self, nodes, positions)
        if window is not None:
            self._settle(nodes, self._sum(nodes, positions, window))
        else:
            for part in self.frames.pop(nodes[0])[1]:
                for _, x, _ in chain.from_iterable([self.left_out.get(i, ()) for i in part[0]]):
                    self._lower_late(x)
                self.put_back(part[0])
                self._lower(*part)

    def _lower_late(self, x: int) -> None:
        """Write what no group has, since a weight times 0 looked as if nothing needed it."""
        if self.graph.ops[x] is not None and x not in self.where:
            for below in self.graph.below(x):
                self._lower_late(below)
            self._lower([x])

    def _are_quotients(self, nodes: list[int]) -> bool:
        """Write exp(x − logsumexp(…, x, …)) as exponential over sum, which are there, if nodes are most of them."""
        graph, places = self.graph, list[int]()
        pair: Any = None
        for (inner,) in (graph.operands[i] for i in nodes):
            terms, constant = graph.sums.get(inner, ([], 0.0))
            if constant or sorted([(c, b) for c, _, b in terms], key=str) != [(-1.0, None), (1.0, None)]:
                return False
            (_, lse, _), (_, x, _) = sorted(terms, key=operator.itemgetter(0))
            own, k, n = self.exponentials.get(lse, (None, 0, 0))
            pair = pair or own
            if own is None or own is not pair or x not in graph.operands[lse]:
                return False
            places.append(k * n + graph.operands[lse].index(x))
        each, total = pair
        if 2 * len(nodes) < each.size or nodes[0] in graph.stopped:
            return False
        over = self.code.expand(total, (*total.units, *(1,) * (len(each.units) - len(total.units))))
        home, at = _home(self.code.apply(DIV, each, over if total.units else total))
        self.where.update({i: (home, int(at[place])) for i, place in zip(nodes, places, strict=True)})
        for lse, (own, k, n) in self.exponentials.items():
            if own is pair:
                self.zeros.setdefault(home.number, set()).update(
                    at[k * n + len(graph.operands[lse]) : k * n + n].tolist()
                )
        return True

    def _parts(self, nodes: list[int], positions: int) -> list[list[int]]:
        """Return the parts of a group that are worth an array each, ordered so that most operands are views."""
        graph = self.graph
        if positions > 1:
            linear = [list(filter(self.is_linear, graph.sums[i][0])) for i in nodes[:positions]]
            n, inputs = len(linear[0]), [x for terms in linear for _, _, x in terms if x is not None]
            columns = [x for k in range(n) for x in inputs[k::n]]
            runs = 0 if nodes[0] in self.steps or self.together(inputs) else len(self._runs(columns))
            whole = runs == 0 or (not self.careful and _COPIES * runs <= min(len(columns), _COPIES * _COPIES * n))
            return [nodes] if whole else [nodes[k::positions] for k in range(positions)]
        if positions == 0:
            by_length: dict[Any, list[int]] = {}
            for i in nodes:
                length = len((operands_of(self, i) or [()])[0])
                by_length.setdefault((graph.ops[i] is MUL, length), []).append(i)
            return list(by_length.values())
        nodes = self._ordered(nodes)
        if nodes[0] in graph.sums and any(map(self.is_linear, graph.sums[nodes[0]][0])):
            return [nodes]
        operands = [tuple(graph.below(i)) for i in nodes]
        apart: dict[Any, list[int]] = {}  # by the arrays that hold their operands
        turns, last = 0, None
        for i, xs in zip(nodes, operands, strict=True):
            homes = tuple([id(self.where[x][0]) if x in self.where else None for x in xs])
            apart.setdefault(homes, []).append(i)
            turns, last = turns + (homes != last), homes
        parts = list(apart.values())
        if nodes[0] in graph.sums:
            few = turns <= _COPIES * len(parts) or min(map(len, parts)) < _GATHER
            return [nodes] if few else parts
        if len(set(map(len, operands))) == 1:
            if len(nodes) >= _GATHER:  # few copies of neighbours cost less than a group more
                return [nodes] if turns <= _COPIES * len(parts) else parts
            if all(map(self._is_cheap, zip(*operands, strict=True))):
                return [nodes]
        return parts if 1 < len(parts) < len(nodes) else [[i] for i in nodes]

    def _by_scale(self, nodes: list[int]) -> list[list[int]]:
        """Return short sums with different coefficients by these; none where their terms lie in one array each.

        Their terms are put in the order of places there.
        """
        sums, apart = self.graph.sums, dict[Any, list[int]]()
        for i in nodes if nodes[0] in sums else ():
            apart.setdefault(tuple([c for c, _, _ in sums[i][0]]), []).append(i)
        n = len(sums[nodes[0]][0]) if len(apart) > 1 else 0
        if not 1 < n < _REDUCE or any(map(self.is_linear, sums[nodes[0]][0])):
            return []
        if all(b is None and self.where.get(x, (x, None))[1] is not None for i in nodes for _, x, b in sums[i][0]):
            self.own_graph()
            sums = self.graph.sums
            for i in nodes:
                sums[i] = sorted(sums[i][0], key=self._place_of), sums[i][1]
            if all(self.together([sums[i][0][k][1] for i in nodes]) for k in range(n)):
                return []
        return list(apart.values())

    def _shifted(self, nodes: list[int]) -> list[list[int]]:
        """Return nodes by the distance of their operands in one array, if these are views only so: left, right."""
        columns = [*zip(*[self.graph.below(i) for i in nodes], strict=False)]
        found = [self.together(column) for column in columns] if len(columns) == 2 else []
        (home, a), (other, b) = [each or (None, []) for each in found] if found else [(None, [0])] * 2
        if home is None or home is not other or (nest(a) and nest(b)) or len(nodes) < _GATHER:
            return []
        apart: dict[int, list[int]] = {}
        for k, distance in enumerate(np.subtract(b, a).tolist()):
            apart.setdefault(distance, []).append(k)
        views = 1 < len(apart) <= _COPIES and all(nest([a[k] for k in own]) for own in apart.values())
        return [[nodes[k] for k in own] for own in apart.values()] if views else []

    def _place_of(self, term: Term) -> tuple[int, int]:
        home, place = self.where[term[1]]
        return home.number, place or 0

    def _settle(self, nodes: list[int], result: Any) -> None:
        """Remember which array holds these nodes."""
        one = len(nodes) == 1
        if (
            result.__class__ is float
            or (result.units != () if one else result.size != len(nodes))
            or nodes[0] in self.graph.stopped
        ):
            # a number, a broadcast, or an array that other nodes share: give these nodes an array of their own
            alone = one or (result.__class__ is not float and result.size == len(nodes))
            array = result if alone else self.code.expand(result, (len(nodes),))
            if array.__class__ is float:
                array = self.code.new(ir.CONCAT, (array,) * len(nodes), (len(nodes),) if not one else ())
            if nodes[0] in self.graph.stopped:
                array = self.code.new(ir.CONCAT, (array,), array.units, batched=array.batched, key="stopped")
                array.needs = False
            result = array
        home, places = _home(result)
        for place, node in zip([None] if one else places.tolist(), nodes, strict=True):
            self.where[node] = home, place
        labels = self.graph.labels
        label = common_label([labels.get(i, "") for i in nodes]) if nodes[0] in labels else ""
        if result.kind == ir.VIEW and result.args[0].size == 1:  # a layer of one neuron
            result = result.args[0]
        result.name = result.name or label

    def together(self, nodes: Column) -> tuple[Var, list[int]] | None:
        """Return the array of several that holds all of these nodes, and their places there; None where none does."""
        found = [self.where.get(x, (None, None)) for x in nodes]
        home, first = found[0]
        if home is None or first is None or any(own is not home for own, _ in found):
            return None
        return home, [place for _, place in found if place is not None]

    def _ordered(self, nodes: list[int]) -> list[int]:
        """Return the nodes of a group in the order in which most operands are views: as they are, or by operand."""
        graph = self.graph
        if nodes[0] in graph.sums:
            rows = [[x for _, a, b in graph.sums[i][0] for x in (a, b) if x is not None] for i in nodes]
        else:
            rows = [graph.operands[i] for i in nodes]
        if len({len(row) for row in rows}) > 1:
            return nodes
        columns = [np.array(found[1]) for column in zip(*rows, strict=True) if (found := self.together(column))]
        return [nodes[k] for k in self.order_of(columns).tolist()] if columns else nodes

    @staticmethod
    def order_of(columns: Sequence[Any]) -> Any:
        """Return the order of nodes in which the places of their operands have the fewest axes."""
        orders = [np.arange(len(columns[0]))]
        costs = [sum(_axes(column.ravel()) for column in columns)]
        if costs[0] > len(columns):
            keys = [column.reshape(len(column), -1)[:, 0] for column in columns[:2]]
            orders += [np.lexsort(by) for by in (keys[::-1], keys)]
            costs += [sum(_axes(column[order].ravel()) for column in columns) for order in orders[1:]]
        return orders[costs.index(min(costs))]

    def _sum(self, nodes: list[int], positions: int, window: Var | None = None) -> Any:
        """Return Σ over the terms of each node: a matrix product, sums along an axis, the rest one by one."""
        graph, code = self.graph, self.code
        rows = [graph.sums[i][0] for i in nodes]
        found: Any = 0.0
        if self.grouped and (table := counted(graph, nodes[0])) is not None:
            x, keys, start = table
            scales = np.array([[c for c, _, _ in row[start : start + len(keys)]] for row in rows])
            matrix = code.new(ir.CONST, (), scales.shape, info=scales, key=(scales.tobytes(), scales.shape))
            found = self._picked(matrix, [x], keys)
            rows = [row[:start] + row[start + len(keys) :] for row in rows]
        first = rows[0]
        n = sum(map(self.is_linear, first)) if self.grouped else 0
        alike = (
            n >= 3 or window is not None or len({tuple([x for _, _, x in row[:n]]) for row in rows}) == 1
        )  # otherwise not one group
        total: Any = 0.0
        if (
            n
            and (alike or positions > 1)
            and (len(nodes) > 1 or self._are_a_layer([x for _, _, x in rows[0][:n] if x is not None]))
        ):
            total, used = self._product(rows, n, positions, window, steps=positions > 1 and nodes[0] in self.steps)
            rows = [[t for k, t in enumerate(row[n:], n) if k != used] for row in rows]
        total = self._add(total, found)
        start = 0
        while start < len(rows[0]):
            kind = self._kinds(rows[0][start])
            stop = start
            while stop < len(rows[0]) and self._kinds(rows[0][stop]) == kind:
                stop += 1
            alike = [row[start:stop] for row in rows]
            enough = len(alike[0]) >= _REDUCE or (len(alike[0]) > 1 and self._lie_together(alike))
            if enough and self.grouped:
                for part in self._by_home(alike[0]) if len(rows) == 1 else [alike]:
                    total = self._add(total, self._along(part))
            else:
                for k in range(start, stop):
                    total = self._plus(total, [row[k] for row in rows])
            start = stop
        constants = [graph.sums[i][1] for i in nodes]
        if any(constants):
            units = () if len(nodes) == 1 else total.units if total.__class__ is Var and total.units else (len(nodes),)
            total = total + code.const(constants, units)
        return total

    def _by_home(self, terms: list[Term]) -> list[list[list[Term]]]:
        """Return the terms of one sum in parts, by coefficient and by the arrays that hold them, if those are long."""
        apart: dict[Any, list[Term]] = {}
        for term in terms:
            factors = [x for x in term[1:] if x is not None]
            homes = [self.flat if x in self.graph.parameters else self.where.get(x, (None,))[0] for x in factors]
            apart.setdefault((term[0], *map(id, homes)), []).append(term)
        parts = list(apart.values())
        return [[part] for part in parts] if min(map(len, parts)) >= _REDUCE else [[terms]]

    def _lie_together(self, rows: list[list[Term]]) -> bool:
        """Tell whether the factors of sums are arrays already, so that summing along an axis copies nothing."""
        terms = list(chain.from_iterable(rows))
        columns = [[a for _, a, _ in terms], [b for _, _, b in terms if b is not None]]
        if len(rows) > 1:  # if so few are worth an axis
            alike = len({c for c, _, _ in terms}) == 1 and self.batched[columns[0][0]]
            return alike and len(rows[0]) >= self.few and all(self.together(c) is not None for c in columns if c)
        return all(len(set(c)) == len(c) and self._is_cheap(c) for c in columns if c)

    def _kinds(self, term: Term) -> tuple[str, str]:
        _, left, right = term
        return self._kind(left), self._kind(right)

    def _plus(self, total: Any, terms: Sequence[Term]) -> Any:
        """Return the sum so far plus one more term of each node."""
        code = self.code
        scales, lefts, rights = (list(x) for x in zip(*terms, strict=True))
        factors = self.columns([lefts] if rights[0] is None else [lefts, rights])
        term = factors[0] if rights[0] is None else code.apply(MUL, *factors)
        units = term.units if term.__class__ is Var and term.units else (len(terms),)
        scale = code.const(scales, () if len(terms) == 1 else units)
        if scale.__class__ is float and scale == -1.0:
            return self._add(total, term, SUB)
        return self._add(total, code.apply(MUL, scale, term))

    def _add(self, total: Any, term: Any, op: Op = ADD) -> Any:
        """Return the sum of two arrays of the same nodes, whatever axes each has."""
        if total.__class__ is Var and term.__class__ is Var and total.units and term.units:
            if len(total.units) > len(term.units) == 1 and term.kind == ir.VIEW and term.args[0] is self.flat:
                start, (stride,) = term.info  # a parameter for each position: with its axes
                strides = tuple([stride * own for own in contiguous(total.units)])
                term = self.code.view(self.flat, start, strides, total.units)
            total = self.code.view(total, 0, contiguous(term.units), term.units)
        return self.code.apply(op, total, term)

    def _along(self, rows: list[list[Term]]) -> Any:
        """Return Σ of many terms of one kind, along an axis."""
        code, n = self.code, len(rows[0])
        scales, lefts, rights = (list(x) for x in zip(*chain.from_iterable(rows), strict=True))
        factors = self.columns([lefts] if rights[0] is None else [lefts, rights], n)
        product = factors[0] if rights[0] is None else code.apply(MUL, *factors)
        units = (
            product.units if product.__class__ is Var and product.units else (n,) if len(rows) == 1 else (len(rows), n)
        )
        axes = _axes_of(units, n)
        scale = code.const(scales, units)
        if scale.__class__ is not float:
            return code.sum_units(code.apply(MUL, scale, product), n, axes)
        return code.apply(MUL, scale, code.sum_units(code.expand(product, units), n, axes))

    def _product(
        self, rows: list[list[Term]], n: int, positions: int, window: Var | None, *, steps: bool
    ) -> tuple[Any, int]:
        """Return the matrix product of weights and inputs, and which further term of each row became its bias.

        `window`: the inputs, where those of the rows do not count.
        """
        code = self.code
        inputs = [[x for _, _, x in row[:n] if x is not None] for row in rows[:positions]]  # at each position
        everywhere = [rows[k:][::positions] for k in range(positions)]  # at each position
        rows = everywhere[0]
        m = len(rows)
        scales, weights, _ = zip(*[t for row in rows for t in row[:n]], strict=True)
        indices = None if self.per_row or window is not None else indices_of(self.graph, inputs)
        if indices is not None:
            matrix = code.apply(MUL, code.const(scales, (m, n)), code.expand(self.ref(weights, (m, n)), (m, n)))
            return self._picked(matrix, *indices), -1
        used = next((k for k, t in enumerate(rows[0]) if k >= n and self._kinds(t) == _SHARED and t[0] == 1.0
                     and all(row[k] == (1.0, rows[r][k][1], None) for at in everywhere for r, row in enumerate(at))),
                    -1)  # fmt: skip
        if used >= 0:
            self._place([x for row in rows for _, x, _ in (*row[:n], row[used])])
        if steps:
            return self._product_of_steps(rows, inputs, [] if used < 0 else [row[used] for row in rows]), used
        matrix = code.expand(self.ref(weights, (m, n)), (m, n))
        scale = code.const(scales, (m, n))
        matrix = code.apply(MUL, scale, matrix)
        bias = () if used < 0 else (self._vector([row[used][1] for row in rows]),)
        units = (n,) if positions == 1 else (n, positions)
        if window is not None:
            vector = window
        elif positions == 1:
            vector = code.expand(self.ref(inputs[0], units), units)
            if not vector.batched:  # batched in name only, such as x ** 0
                vector = code.new(ir.EXPAND, (vector,), units, batched=True)
        else:
            (vector,) = self.columns([[*chain(*zip(*inputs, strict=True))]], positions)
            vector = code.solid(vector, units)
        code.matrix_products += 1
        product = code.new(ir.MATMUL, (matrix, vector, *bias), (m, *units[1:]), batched=True)
        return (product if m > 1 else code.view(product, 0, (1,) * (positions > 1), units[1:])), used

    def _picked(self, matrix: Var, indices: Column, keys: Any) -> Any:
        """Return the columns of a matrix where a key equals the index, of each position."""
        code, (m, _), n = self.code, matrix.units, len(indices)
        units = (n,) * (n > 1)
        index = self.ref(indices, units)
        if index.__class__ is float or not index.batched or index.units != units:
            index = code.new(ir.EXPAND, (index,), units, batched=True)
        found = code.new(ir.PICKED, (matrix, index), (m, *units), batched=True, info=keys, key=keys.tobytes())
        return found if m > 1 else code.view(found, 0, (1,) * (n > 1), units)

    def _product_of_steps(self, rows: list[list[Term]], inputs: list[list[int]], biases: list[Term]) -> Var:
        """Return the product of one matrix with the inputs of all steps, (steps, rows of weights), and their bias."""
        code, n, steps = self.code, len(inputs[0]), len(inputs)
        terms = [[*row[:n], *biases[r : r + 1]] for r, row in enumerate(rows)]
        shape = len(rows), len(terms[0])
        scales, weights, _ = zip(*chain(*terms), strict=True)
        matrix = code.apply(MUL, code.const(scales, shape), code.expand(self.ref(weights, shape), shape))
        found = self.together([*chain(*inputs)])
        pieces = ([code.gather(found[0], np.array(found[1]).reshape(steps, n))] if found
                  else [code.expand(self.ref(x, (n,)), (n,)) for x in inputs])  # fmt: skip
        code.matrix_products += 1
        vector = code.joined(pieces, biased=bool(biases))
        return code.new(ir.MATMUL, (matrix, vector), (steps, len(rows)), batched=True, info=ir.STEPS)

    def _logsumexp(self, nodes: list[int]) -> Any:
        code, n = self.code, len(self.graph.operands[nodes[0]])
        units = (n,) if len(nodes) == 1 else (len(nodes), n)
        (x,) = self.columns([[x for i in nodes for x in self.graph.operands[i]]], n)
        if n == 1:
            return x
        return self._log_of_sums(nodes, code.expand(x, x.units if x.__class__ is Var and x.units else units), n)

    def _log_of_sums(self, nodes: list[int], x: Var, n: int) -> Any:
        """Return log Σ exp over the last axes, which hold n numbers of each node; remember the exponentials."""
        code, axes = self.code, _axes_of(x.units, n)
        top = code.new(ir.MAX, (x,), x.units[:-axes], batched=x.batched)
        top.needs = False  # it cancels
        top_again = code.expand(top, (*top.units, *(1,) * axes)) if top.units else top
        each = code.apply(_EXP, x - top_again)
        total = code.sum_units(each, n, axes)
        if total.kind == ir.SUM:
            both = each, total
            self.exponentials.update({node: (both, k, n) for k, node in enumerate(nodes)})
        return top + log(total)  # pyright: ignore[reportUnknownVariableType] # log serves any kind

    # Operands.

    def columns(self, columns: Sequence[Column], inner: int = 1) -> list[Any]:
        """Return operands of each node of a group as arrays with the same axes, or none; views where possible.

        The last axes hold `inner` entries.
        """
        size = len(columns[0])
        if size == 1:
            return [self.single(nodes[0]) for nodes in columns]
        sources: list[Any] = []
        for nodes in columns:
            self._place(nodes)
            sources.append((len(set(nodes)) > 1 and self.together(nodes)) or nodes)
        return self.aligned(sources, inner)

    def aligned(self, sources: Sequence[Any], inner: int) -> list[Any]:
        """Return arrays, each with its places, as views with the same axes; nodes by themselves as `ref` has them."""
        cuts, nests = {inner}, list[Any]()
        for source in sources:
            own = nest(source[1]) if source.__class__ is tuple else None
            cuts.add(len(source[1]) if source.__class__ is tuple else len(source))
            if own and shape_of(cuts | ends(own[0])) is None:
                own = None
            cuts |= ends(own[0]) if own else set()
            nests.append(own)
        units = shape_of(cuts) or ()
        homes = [
            source[0] for source, own in zip(sources, nests, strict=True)
            if own == (units, (1,)) and (source[0].size,) == units
        ]  # fmt: skip
        if inner == 1 and len({home.units for home in homes}) == 1:
            units = homes[0].units  # as they lie already
        return [
            self.code.view(source[0], int(source[1][0]), refined(own, units), units)
            if own
            else self.code.gather(source[0], np.array(source[1]).reshape(units))
            if source.__class__ is tuple
            else self.ref(source, units)
            for source, own in zip(sources, nests, strict=True)
        ]

    def single(self, node: int) -> Any:
        """Return one node."""
        if node in self.graph.constants:
            return self.graph.constants[node]
        if node in self.graph.parameters:
            self._place([node])
        array, place = self.where[node]
        return array if place is None else self.code.view(array, place, (), ())

    def ref(self, nodes: Column, units: Units) -> Any:
        """Return these nodes as one array: a number, a view, or a copy."""
        graph, code = self.graph, self.code
        if all(x in graph.constants for x in nodes):
            return code.const([graph.constants[x] for x in nodes], units)
        if len(set(nodes)) == 1:
            return self.single(nodes[0])
        self._place(nodes)
        if (found := self.together(nodes)) is not None:
            return code.gather(found[0], np.array(found[1]).reshape(units))
        return self._concat(nodes, units)

    def _concat(self, nodes: Column, units: Units) -> Any:
        """Copy pieces together: runs of neighbours in one array, numbers, single nodes."""
        pieces: list[Any] = []
        for found in self._runs(nodes):
            home, place = self.where.get(found[0], (None, None))
            n = (len(found),) * (len(found) > 1)
            pieces.append(self.single(found[0]) if place is None else self.code.view(home, place, (1,) * len(n), n))
        batched = any(x.batched for x in pieces if x.__class__ is Var)
        whole = self.code.new(ir.CONCAT, pieces, (len(nodes),), batched=batched)
        return whole if len(units) == 1 else self.code.view(whole, 0, contiguous(units), units)

    def _runs(self, nodes: Column) -> list[list[int]]:
        """Return nodes as runs of neighbours in one array."""

        def run_of(item: tuple[int, int]) -> Any:
            """Return what neighbours in one array share."""
            home, place = self.where.get(item[1], (None, None))
            return item if place is None else (id(home), place - item[0])

        return [[x for _, x in run] for _, run in groupby(enumerate(nodes), run_of)]

    def _vector(self, nodes: Column) -> Any:
        """Return these nodes as an array of one axis, even if they are all the same."""
        array, place = self.where.get(nodes[0], (None, None))
        if len(nodes) == 1 and array is not None and place is not None:
            return self.code.view(array, place, (1,), (1,))
        return self.code.expand(self.ref(nodes, (len(nodes),)), (len(nodes),))

    def _place(self, nodes: Column) -> None:
        """Assign places in the flat array to the parameters among these that have none, in this order."""
        where, parameters, placed = self.where, self.graph.parameters, self.code.parameters
        for x in nodes:
            if x in parameters and x not in where:
                where[x] = self.flat, len(placed)
                placed.append(parameters[x])

    def _is_cheap(self, nodes: Column) -> bool:
        """Tell whether these nodes form an array already."""
        constants, parameters = self.graph.constants, self.graph.parameters
        if len(set(nodes)) == 1 or all(x in constants for x in nodes) or all(x in parameters for x in nodes):
            return True
        found = self.together(nodes)
        return found is not None and nest(found[1]) is not None


def _of_any_scale(buckets: dict[Any, list[int]]) -> dict[Any, list[int]]:
    """Join short sums that differ in their coefficients alone, as turns by an angle of each position do."""
    alike: dict[Any, list[Any]] = {}
    for key in buckets:
        alike.setdefault((*key[:4], *key[5:]) if key[1] == "sum" and key[4] else key, []).append(key)
    joined: dict[Any, list[int]] = {}
    for keys in alike.values():
        if len(keys) > _SCALES:
            first = (*keys[0][:4], (), *keys[0][5:])
            joined[first] = sorted(chain.from_iterable(map(buckets.__getitem__, keys)))
        else:
            joined.update({key: buckets[key] for key in keys})
    return joined


def _home(result: Var) -> tuple[Var, Any]:
    """Return the array in one piece that holds a result, and the places there."""
    if result.kind == ir.VIEW and len(result.units) > 1:
        return result.args[0], places_of(result.info[0], result.info[1], result.units).ravel()
    return result, np.arange(result.size)


def _axes_of(units: Units, n: int) -> int:
    """Return how many of the last axes hold n numbers."""
    return next(k for k in range(1, len(units) + 1) if math.prod(units[-k:]) == n)


def _axes(places: Any) -> int:
    """Return the number of axes of a list of places; many where it is irregular."""
    own = nest(places)
    return 100 if own is None else len(own[0])
