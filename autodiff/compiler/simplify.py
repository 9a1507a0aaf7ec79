"""Make a traced graph smaller without changing what it computes.

While tracing, constants are folded and operations that do nothing dropped. Then what no output needs is left out, and
trees of additions become sums of products, so that a neuron written `w1 * x1 + w2 * x2 + b` is the same one node as
`weighted_sum`. Sums add their terms in another order than the code did: equal to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autodiff.compiler.graph import Graph, Term
from autodiff.domains import DomainError
from autodiff.ops import OPS, Op

_ADD, _SUB, _MUL, _DIV, _POW = (OPS[name] for name in ("add", "sub", "mul", "div", "pow"))
_NEG, _POS, _TOTAL, _MEAN, _WEIGHTED = (OPS[name] for name in ("neg", "pos", "total", "mean", "weighted_sum"))
_SHORT = 256  # sums longer than this are copied into no other sum: nested ones would take quadratic time
_SUMS = frozenset({_ADD, _SUB, _NEG, _TOTAL, _MEAN, _WEIGHTED})


def simplify(graph: Graph) -> Graph:
    """Give the same computation with fewer nodes, its trees of additions as sums of products.

    >>> from autodiff.compiler.trace import trace
    >>> graph = simplify(trace(lambda x, y: 2.0 * x + x * y + 1.0 * y, [(), ()], ["x", "y"], frozenset()))
    >>> [len(terms) for terms, _ in graph.sums.values()]
    [3]
    """
    return sums_of_products(live(graph))


def shorter(op: Op, xs: tuple[int, ...], constants: dict[int, float], constant: Callable[[float], int]) -> int | None:
    """The place of something simpler that is equal, if there is one."""
    if op is _POS:
        return xs[0]
    if len(xs) == 2:
        a, b = constants.get(xs[0]), constants.get(xs[1])
        if (op is _ADD and a == 0.0) or (op is _MUL and a == 1.0):
            return xs[1]
        if (op in {_ADD, _SUB} and b == 0.0) or (op in {_MUL, _DIV, _POW} and b == 1.0):
            return xs[0]
    if xs and all(x in constants for x in xs):
        try:
            return constant(op.on_floats(*[constants[x] for x in xs]))
        except DomainError:  # computed in the batch instead, where it is a NaN
            return None
    return None


def needed_nodes(graph: Graph) -> list[bool]:
    """Which nodes an output needs; arguments are, used or not."""
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
    """Leave out what no output needs."""
    needed = needed_nodes(graph)
    if all(needed):
        return graph
    new = Graph(shape=graph.shape)
    at = [-1] * len(graph.ops)
    for i, wanted in enumerate(needed):
        if not wanted:
            continue
        at[i] = place = new.add(graph.ops[i])
        if i in graph.sums:
            terms, constant = graph.sums[i]
            new.sums[place] = [Term(c, at[a], None if b is None else at[b]) for c, a, b in terms], constant
        else:
            new.operands[place] = tuple([at[x] for x in graph.operands[i]])
        if i in graph.stopped:
            new.stopped.add(place)
    for table, source in (
        (new.constants, graph.constants),
        (new.parameters, graph.parameters),
        (new.inputs, graph.inputs),
        (new.labels, graph.labels),
    ):
        table.update({at[i]: x for i, x in source.items() if at[i] >= 0})  # type: ignore[arg-type]
    new.outputs = [at[x] for x in graph.outputs]
    return new


def sums_of_products(graph: Graph) -> Graph:  # noqa: C901 # one case per kind of summand
    """Take trees of additions, whose inner nodes nobody else uses, as one sum of products each."""
    needed = needed_nodes(graph)
    uses = [0] * len(graph.ops)
    for operands, wanted in zip(graph.operands, needed, strict=True):
        if wanted:
            for x in operands:
                uses[x] += 1
    for x in graph.outputs:
        uses[x] += 2  # an output is wanted for itself
    for x in graph.labels:
        uses[x] += 2  # so is what somebody gave a name
    constants = graph.constants
    sums: dict[int, tuple[list[Term], float]] = {}

    def taken(x: int, scale: float, *, owner: bool = False) -> tuple[list[Term], float]:
        """What a summand is made of; the list is the caller's own, and a long one is taken over, never copied."""
        if x in constants:
            return [], scale * constants[x]
        if x in sums and uses[x] == 1 and (owner or len(sums[x][0]) <= _SHORT) and (scale == 1.0 or few_products(x)):
            terms, constant = sums.pop(x)
            return (terms if scale == 1.0 else [Term(scale * c, a, b) for c, a, b in terms]), scale * constant
        if graph.ops[x] is _MUL and uses[x] == 1 and x not in graph.stopped:
            a, b = graph.operands[x]
            return [_product(scale, a, b, constants)], 0.0
        return [Term(scale, x, None)], 0.0

    def few_products(x: int) -> bool:
        """Whether a sum can be scaled term by term; many weights times inputs are better left one matrix product."""
        return sum(b is not None for _, _, b in sums[x][0]) < 2

    for i, op in enumerate(graph.ops):
        if op not in _SUMS or not needed[i] or i in graph.stopped:
            continue
        xs = graph.operands[i]
        if op is _WEIGHTED:
            n = len(xs) // 2
            terms = [
                _product(1.0, w, x, constants)
                for w, x in zip(xs[:n], xs[n:-1], strict=True)
                if not (w in constants and x in constants)
            ]
            constant = sum(constants[w] * constants[x] for w, x in zip(xs[:n], xs[n:-1], strict=True)
                           if w in constants and x in constants)  # fmt: skip
            more, shift = taken(xs[-1], 1.0)
            terms += more
            sums[i] = terms, constant + shift
            continue
        scales = {_SUB: (1.0, -1.0), _NEG: (-1.0,)}.get(op, (1.0 if op is not _MEAN else 1.0 / len(xs),) * len(xs))
        terms, constant = taken(xs[0], scales[0], owner=scales[0] == 1.0) if xs else ([], 0.0)
        for x, scale in zip(xs[1:], scales[1:], strict=True):
            more, shift = taken(x, scale)
            terms += more
            constant += shift
        sums[i] = terms, constant
    graph.sums = sums
    return live(graph)


def _product(scale: float, a: int, b: int, constants: dict[int, float]) -> Term:
    """One product as a term, a constant factor in its coefficient."""
    if a in constants:
        return Term(scale * constants[a], b, None)
    if b in constants:
        return Term(scale * constants[b], a, None)
    return Term(scale, a, b)
