"""`check=True`: find the first row that the eager engine would refuse to compute, and raise what it raises."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from autodiff import grad_mode
from autodiff.compiler.specialise import Want
from autodiff.compiler.trace.graph import Graph
from autodiff.compiler.trace.operations import BOOLEAN
from autodiff.domains import unbox
from autodiff.errors import DomainError, LostLimitWarning
from autodiff.ops import OPS, Op
from autodiff.propagation import propagate
from autodiff.value import Value

Array = Any
ROWS = 4096  # that are looked at together
CLIP, POW = OPS["clip"], OPS["pow"]


def refuse_nan(x: Array, name: str, *, rows: bool) -> None:
    """Raise ValueError that names the first row of an argument with NaN."""
    bad = np.isnan(x)
    if not bad.any():
        return
    at = tuple(int(i) for i in np.argwhere(bad)[0])
    where = f"row {at[0]} of {name}" if rows else name
    inside = at[1:] if rows else at
    raise ValueError(f"{where} is NaN{f' at {list(inside)}' if inside else ''}: leave such rows out, or fill them in")


def refuse_domain(call: Any, *, leaves: bool) -> None:
    """Raise DomainError for the first row with an operand outside its domain; it names operation and label.

    The nodes are computed as arrays, a block of rows at a time; the eager engine then computes the rows in doubt, and
    its error says the rest. Where the function takes derivatives itself, an infinite slope on the way is no error,
    unless `leaves` ask for the derivative of that too.
    """
    call.read(check=False)
    graph: Graph = call.trace.careful
    leaves = leaves or not call.trace.guards  # which have names for an error
    if call.trace.loops:  # each row by itself
        for row in range(call.rows):
            _compute_eagerly(call, row, leaves=leaves)
        return
    if any(map(math.isnan, graph.constants.values())):
        _compute_eagerly(call, 0, leaves=leaves)  # which refuses a constant that is NaN as outside a domain
    wanted = _wanted_slopes(graph)
    for start in range(0, call.rows, ROWS):
        stop = min(start + ROWS, call.rows)
        for row, problem in _rows_in_doubt(graph, wanted, call, start, stop):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LostLimitWarning)  # told later, by `look_for_dropped`
                _compute_eagerly(call, row, leaves=leaves)
            if not call.trace.guards:
                raise DomainError(f"{_where(call, row)}{problem}")


def look_for_dropped(call: Any, want: Want) -> None:
    """Have the eager engine differentiate the first row in which 0 · ∞ is dropped: it warns as it does for Values.

    There the fast version of the program has NaN and the careful one a number, though where 0 is the limit too.
    """
    each = Want(want.gradient, want.argnums, per_row=want.derivatives)
    for start in range(0, call.rows, ROWS):
        part = call.part(start, min(start + ROWS, call.rows))
        fast = part.run(each)
        if fast.finite:
            continue
        lost = np.isnan(fast.by_row()) & ~np.isnan(part.run(replace(each, careful=True)).by_row())
        for row in np.flatnonzero(lost.any(axis=1)).tolist():
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error", LostLimitWarning)
                    _differentiate_eagerly(call, start + row, want)
            except LostLimitWarning:
                _differentiate_eagerly(call, start + row, want)  # now as the user's filters have it
                return


def _differentiate_eagerly(call: Any, row: int, want: Want) -> None:
    value = unbox(_compute_eagerly(call, row, leaves=want.derivatives))  # else no further derivatives are asked for
    if want.derivatives and isinstance(value, Value):
        propagate(value)


def _where(call: Any, row: int) -> str:
    return f"row {row}: " if call.has_rows else ""


def _compute_eagerly(call: Any, row: int, *, leaves: bool = True) -> Any:
    """Return what the eager engine computes of a row, given as Values or numbers; an error names the row."""
    try:
        with grad_mode.inlining():
            return call.f(*[_sample(call, i, row, leaves) for i in range(len(call.args))])
    except DomainError as error:
        raise DomainError(f"{_where(call, row)}{error}") from None


def _sample(call: Any, i: int, row: int, leaves: bool) -> Any:
    """Return one row of an argument, as the function would take it eagerly."""
    x = call.args[i]
    if i in call.static:
        return x
    one = x[row] if call.batched[i] else x
    if not leaves:
        return float(one) if np.ndim(one) == 0 else one
    name = call.names[i]
    if np.ndim(one) == 0:
        return Value(float(one), name)
    array = np.empty(one.shape, dtype=object)
    for index in np.ndindex(one.shape):
        array[index] = Value(float(one[index]), f"{name}[{', '.join(map(str, index))}]")
    return array


def _wanted_slopes(graph: Graph) -> dict[int, list[bool]]:
    """Tell by which operands of each node the eager engine needs a slope: not by plain numbers, nor within no_grad."""
    plain, wanted = set(graph.constants), dict[int, list[bool]]()
    for i, (op, xs) in enumerate(zip(graph.ops, graph.operands, strict=True)):
        if op is not None:
            wanted[i] = [i not in graph.stopped and x not in plain for x in xs]
            if op in BOOLEAN or plain.issuperset(xs):
                plain.add(i)
    return wanted


def _rows_in_doubt(
    graph: Graph, wanted: dict[int, list[bool]], call: Any, start: int, stop: int
) -> Iterator[tuple[int, str]]:
    found: dict[int, Any] = {**graph.constants, **{i: p.data for i, p in graph.parameters.items()}}
    for i, (argument, entry) in graph.inputs.items():
        x = call.args[argument]
        rows = x[start:stop] if call.batched[argument] else x[None]
        found[i] = rows.reshape(len(rows), -1)[:, entry]
    doubts: dict[int, int] = {}  # by row, the first node
    with np.errstate(all="ignore"):
        for i, slopes in wanted.items():
            op: Any = graph.ops[i]
            operands = [np.broadcast_to(found[x], (stop - start,)) for x in graph.operands[i]]
            found[i] = value = np.broadcast_to(1.0 * op.on_arrays(*operands), (stop - start,))  # not a truth value
            bad = _outside(op, operands, value) | _refused(op, operands, value, slopes)
            for row in np.flatnonzero(bad).tolist():
                doubts.setdefault(row, i)
    for row, i in sorted(doubts.items()):
        at = [float(np.broadcast_to(found[x], (stop - start,))[row]) for x in graph.operands[i]]
        op = graph.ops[i]
        told = at if len(at) < 4 else [x for x in at if not math.isfinite(x)] or at[:3]  # of a long sum
        yield start + row, f"{op.name} of {' and '.join(map(repr, told))} is not a real number"


def _refused(op: Op, operands: list[Array], value: Array, wanted: list[bool]) -> Array:
    """Find the rows where the operation or its partial raises, one at a time wherever that is possible."""
    bad = np.zeros(value.shape, dtype=bool)
    if op.arity is None or op in BOOLEAN:  # sums and comparisons accept everything
        return bad
    doubt = bad
    for slope in op.partials_of(operands, value, wanted):
        doubt = doubt | np.isnan(slope)
    if not op.domains or OPS.get(op.name) is not op:  # the others' domains are intervals
        doubt = doubt | ~np.isfinite(value)
    if op is CLIP:
        doubt = doubt | (operands[1] > operands[2])
    for x in operands:
        doubt = doubt & ~np.isnan(x)
    rows = np.flatnonzero(doubt)
    if not len(rows):
        return bad
    points, which = np.unique([x[rows] for x in operands], axis=1, return_inverse=True)
    refused = np.zeros(points.shape[1], dtype=bool)
    for k, at in enumerate(points.T.tolist()):
        try:
            op.partials_at(at, op.on_floats(*at), wanted)
        except DomainError:
            refused[k] = True
    bad[rows] = refused[which.ravel()]
    return bad


def _outside(op: Op, operands: list[Any], value: Any) -> Any:
    """Find the rows where an operand is outside its domain, or numbers give a NaN."""
    bad: Any = np.isnan(value) & (op is not POW)  # which is asked in any case, since NumPy has NaN for (−∞)^½
    for x in operands:
        bad = bad & ~np.isnan(x)
    for x, domain in zip(operands, op.domains, strict=False):
        low, high = domain.bounds
        below = np.less(x, low) if domain.interval[0] == "[" else np.less_equal(x, low)
        above = np.greater(x, high) if domain.interval[-1] == "]" else np.greater_equal(x, high)
        infinite = np.isinf(x)
        outside = (below & ~(infinite & (low == -math.inf))) | (above & ~(infinite & (high == math.inf)))
        bad = bad | outside | (np.equal(x, domain.without) if domain.without is not None else False)
    return bad
