"""Make a traced graph smaller without changing what it computes.

While tracing, constants are folded and operations that do nothing are dropped. Then nodes that no output needs are left
out, and trees of additions become sums of products, so that a neuron written `w1 * x1 + w2 * x2 + b` is the same single
node as `weighted_sum`. Sums add their terms in another order than the code does: equal to rounding.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from autodiff.compiler.trace.graph import Graph, Term
from autodiff.compiler.trace.lookup import index_of
from autodiff.compiler.trace.operations import EITHER, GUARDED, KEPT, equal_operand
from autodiff.errors import DomainError
from autodiff.ops import OPS, Op

_ADD, _SUB, _MUL = (OPS[name] for name in ("add", "sub", "mul"))
_NEG, _POS, _TOTAL, _MEAN, _WEIGHTED = (OPS[name] for name in ("neg", "pos", "total", "mean", "weighted_sum"))
_SHORT = 256  # longer sums are not copied into others: nested ones would take quadratic time
_ALIKE = 4  # times as many terms, at most, as the next sum has: otherwise several have been added up already
_SUMS = frozenset({_ADD, _SUB, _NEG, _TOTAL, _MEAN, _WEIGHTED})
Inner = tuple[int, int, int]  # where its terms begin and end in a sum, and its number
_SCALES = {_ADD: (1.0, 1.0), _SUB: (1.0, -1.0), _NEG: (-1.0,)}


def shorter(op: Op, xs: tuple[int, ...], constants: dict[int, float], constant: Callable[[float], int]) -> int | None:
    """Return the place of something simpler that is equal; None where there is none."""
    if op is _POS:
        return xs[0]
    if len(xs) == 2:
        equal = equal_operand(op, constants.get(xs[0]), constants.get(xs[1]))
        if equal is not None:
            return xs[equal]
    if xs and op is not EITHER and all(x in constants for x in xs):
        try:
            return constant(op.on_floats(*[constants[x] for x in xs]))
        except DomainError:  # left to the batch, which computes NaN
            return None
    return None


def needed_nodes(graph: Graph) -> list[bool]:
    """Return for each node whether an output needs it; arguments are always needed."""
    needed = [False] * len(graph.ops)
    for x in (*graph.outputs, *graph.inputs):
        needed[x] = True
    operands, sums = graph.operands, graph.sums
    for i in range(len(graph.ops) - 1, -1, -1):
        if needed[i]:
            for x in graph.below(i) if i in sums else operands[i]:
                needed[x] = True
    return needed


def live(graph: Graph) -> Graph:
    """Leave out nodes that no output needs; their places stay, empty."""
    needed = needed_nodes(graph)
    if all(needed):
        return graph

    def those(table: dict[int, Any]) -> dict[int, Any]:
        return {i: x for i, x in table.items() if needed[i]}

    return Graph(
        ops=[op if wanted else None for op, wanted in zip(graph.ops, needed, strict=True)],
        operands=[xs if wanted else () for xs, wanted in zip(graph.operands, needed, strict=True)],
        constants=those(graph.constants), parameters=those(graph.parameters), inputs=graph.inputs,
        labels=those(graph.labels), stopped={i for i in graph.stopped if needed[i]}, sums=those(graph.sums),
        outputs=graph.outputs, shape=graph.shape, form=graph.form,
    )  # fmt: skip


def resolved(graph: Graph, *, careful: bool) -> Graph:  # noqa: C901 # one case per kind of node
    """Return the same computation as the fast or the careful version of a program has it.

    The fast one has plain products in the chain rule, where 0 · ∞ is NaN: that shows in the answer, and the careful one
    is computed then. Nodes that a comparison depends on, where it would not show, are careful in both. Equal nodes are
    merged: the chain rule often repeats a product of the function.
    """
    if EITHER not in graph.ops and (careful or GUARDED not in graph.ops):
        return graph
    deciding = set(range(len(graph.ops))) if careful else graph.deciding()
    ops, operands, constants = list(graph.ops), list(graph.operands), dict(graph.constants)
    labels = dict(graph.labels)
    source = list(range(len(ops)))  # the node that has the number of each one
    known: dict[Any, int] = {}
    zero = next((i for i, x in constants.items() if x == 0.0), None)
    for i, op in enumerate(ops):
        if op is None:
            continue
        operands[i] = xs = tuple([source[x] for x in operands[i]])
        ones = [x for x in xs if constants.get(x) == 1.0]
        if op is EITHER:
            source[i] = xs[i in deciding]
        elif op is GUARDED and zero is not None and any(constants.get(x) == 0.0 for x in xs):
            source[i] = zero
        elif op is GUARDED and ones:
            source[i] = xs[xs[0] == ones[0]]
        elif op is KEPT and i not in deciding:
            source[i] = xs[2]
        elif i not in graph.stopped:
            if op is GUARDED and i not in deciding:
                ops[i] = _MUL
            source[i] = known.setdefault((ops[i], xs), i)
        if source[i] != i and i in labels:
            labels.setdefault(source[i], labels[i])
    return live(replace(graph, ops=ops, operands=operands, labels=labels, outputs=[source[x] for x in graph.outputs]))


def sums_of_products(graph: Graph, batched: Sequence[bool] = ()) -> Graph:
    """Turn each tree of additions, whose inner nodes nobody else uses, into one sum of products.

    Sums that apply one set of weights at several places stay apart: they are one product. `batched` tells which
    arguments have rows; by default all do.
    """
    made = _Sums(graph, batched).run()
    return live(made) if graph.constants else made  # only constants, now coefficients, can have become unused


class _Sums:
    """The maker of sums of products."""

    def __init__(self, graph: Graph, batched: Sequence[bool]) -> None:
        self.graph = graph
        self.batched = batched
        self.uses = list(graph.uses)
        for x in chain(graph.outputs, graph.labels):  # outputs and labelled nodes must stay visible
            self.uses[x] += 2
        self.sums: dict[int, tuple[list[Term], float]] = {}
        self.left = list(graph.ops)  # without the nodes that became part of a sum
        self.inside: dict[int, list[Inner]] = {}  # by sum: the sums that became part of it

    def run(self) -> Graph:  # noqa: C901, PLR0912 # one case per kind of summand
        """Return the graph with its sums."""
        ops, operands, stopped, inside = self.graph.ops, self.graph.operands, self.graph.stopped, self.inside
        sums, left, uses, constants = self.sums, self.left, self.uses, self.graph.constants
        for i, op in enumerate(ops):
            if op not in _SUMS or i in stopped:
                continue
            xs = operands[i]
            if op is _ADD and uses[a := xs[0]] == 1 and a in sums:  # one more product: most of a network is like this
                b = xs[1]
                if uses[b] == 1 and ops[b] is _MUL and b not in stopped and constants.keys().isdisjoint(operands[b]):
                    factor, other = operands[b]
                    sums[i] = sums.pop(a)
                    sums[i][0].append((1.0, factor, other))
                    left[a] = left[b] = None
                    if a in inside:
                        inside[i] = inside.pop(a)
                    continue
            terms: list[Term] = []
            constant = 0.0
            if op is _WEIGHTED:
                constant = _weighted(terms, xs, constants)
                if index_of(self.graph, xs[len(xs) // 2 : -1]):
                    uses[i] += 2  # the lookup stays apart, so that two of them never mix
                scales, xs = (1.0,), xs[-1:]
            else:
                scales = _SCALES.get(op) or (1.0 if op is _TOTAL else 1.0 / len(xs),) * len(xs)
                if xs and scales[0] == 1.0 and uses[xs[0]] == 1 and xs[0] in sums:  # of any length: continued
                    terms, constant = sums.pop(xs[0])
                    left[xs[0]] = None
                    if xs[0] in inside:
                        inside[i] = inside.pop(xs[0])
                    if len(xs) > 1 and xs[1] in sums and len(terms) <= _ALIKE * len(sums[xs[1]][0]):
                        inside.setdefault(i, []).append((0, len(terms), xs[0]))
                    scales, xs = scales[1:], xs[1:]
            for x, scale in zip(xs, scales, strict=True):
                constant += self._add(i, terms, x, scale)
            sums[i] = terms, constant
        for i in list(inside):
            self._keep_apart(i)
        return replace(self.graph, ops=left, sums=sums)

    def _add(self, i: int, terms: list[Term], x: int, scale: float) -> float:
        """Append the terms of a summand of node `i`, and return its constant."""
        graph, sums, constants = self.graph, self.sums, self.graph.constants
        if x in constants:
            return scale * constants[x]
        if self.uses[x] == 1 and graph.ops[x] is _MUL and x not in graph.stopped:
            a, b = graph.operands[x]
            a, b = (b, a) if b in constants else (a, b)
            if a not in constants or (constants[a], graph.ops[b]) not in self._scaled_apart:
                terms.append(_product(scale, a, b, constants))
                self.left[x] = None
                return 0.0
        inner, constant = sums[x] if self.uses[x] == 1 and x in sums else ([], 0.0)
        if len(inner) > _SHORT:
            self._keep_apart(x)
        # Many weights times inputs are not scaled term by term: they stay one matrix product.
        if 0 < len(inner) <= _SHORT and (scale == 1.0 or sum(b is not None for _, _, b in inner) < 2):
            del sums[x]
            self.left[x] = None
            start = len(terms)
            found = [(start + a, start + b, y) for a, b, y in self.inside.pop(x, ())]
            self.inside.setdefault(i, []).extend([*found, (start, start + len(inner), x)])
            terms += inner if scale == 1.0 else [(scale * c, a, b) for c, a, b in inner]
            return scale * constant
        terms.append((scale, x, None))
        return 0.0

    @functools.cached_property
    def _scaled_apart(self) -> set[Any]:
        """The constants, and what they scale, of products that are nodes of their own as several read them."""
        graph, constants = self.graph, self.graph.constants
        return {
            (constants[a], graph.ops[b])
            for op, xs, uses in zip(graph.ops, graph.operands, self.uses, strict=True) if op is _MUL and uses > 1
            for a, b in (xs, xs[::-1]) if constants.get(a, 0.0) != 0.0
        }  # fmt: skip

    @functools.cached_property
    def _varies(self) -> list[bool]:
        """Whether each node depends on an argument that has rows."""
        graph, varies = self.graph, [False] * len(self.graph.ops)
        for x, place in graph.inputs.items():
            varies[x] = not self.batched or self.batched[place.argument]
        for i, op in enumerate(graph.ops):
            if op is not None:
                varies[i] = any(map(varies.__getitem__, graph.operands[i]))
        return varies

    def _keep_apart(self, i: int) -> None:
        """Make sums of their own again of those that became part of one, if several have the same weights.

        So do sums that have some of these weights, as those at the border of a picture have.
        """
        terms, found = self.sums[i][0], self.inside.pop(i, [])
        rows = [(row, own) for own in found if len(row := self._weights(terms, own)) > 1] if len(found) > 1 else []
        # A sum that is one of these and a bias is inside twice, with the same products.
        again = Counter([row for row, _ in {(row, self._first(terms, own)) for row, own in rows}])
        whole = {weight: set(row) for row, n in again.items() if n > 1 for weight in row}
        rows.sort(key=lambda own: (again[own[0]] == 1, -len(own[0])))
        taken, apart = bytearray(len(terms)), list[Inner]()
        for row, (start, stop, x) in rows:
            if whole.get(row[0], set()).issuperset(row) and not any(taken[start:stop]):
                taken[start:stop] = b"1" * (stop - start)
                apart.append((start, stop, x))
        for start, stop, x in sorted(apart, reverse=True):
            self.sums[x], self.left[x] = (terms[start:stop], 0.0), self.graph.ops[x]
            terms[start:stop] = [(1.0, x, None)]

    @staticmethod
    def _first(terms: Sequence[Term], inner: Inner) -> int:
        """Return the place of the first product of a sum in another."""
        return next(k for k in range(*inner[:2]) if terms[k][2] is not None)

    def _weights(self, terms: Sequence[Term], inner: Inner) -> tuple[tuple[float, int], ...]:
        """Return the coefficients and weights of what varies in a sum, in order; none where a weight repeats."""
        row, varies = dict[int, float](), self._varies
        for k in range(*inner[:2]):
            c, a, b = terms[k]
            if b is not None and varies[a] != varies[b]:
                weight = b if varies[a] else a
                if weight in row:
                    return ()
                row[weight] = c
        return tuple([(c, w) for w, c in row.items()])


def _weighted(terms: list[Term], xs: tuple[int, ...], constants: dict[int, float]) -> float:
    """Append the products of a weighted sum, and return those of constants."""
    n, constant = len(xs) // 2, 0.0
    for w, x in zip(xs[:n], xs[n:-1], strict=True):
        if w in constants and x in constants:
            constant += constants[w] * constants[x]
        else:
            terms.append(_product(1.0, w, x, constants))
    return constant


def _product(scale: float, a: int, b: int, constants: dict[int, float]) -> Term:
    """Return a product as a term, with a constant factor in its coefficient."""
    if a in constants:
        return scale * constants[a], b, None
    if b in constants:
        return scale * constants[b], a, None
    return scale, a, b
