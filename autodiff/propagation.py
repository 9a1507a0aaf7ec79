"""The chain rule as functions that write nothing: δ by node, in either direction and in any arithmetic.

`sweep` in backward.py is the one of these that has to be fast. These are what derivatives of functions, derivatives of
derivatives and the tests of both are made from.
"""

import math
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from autodiff import grad_mode
from autodiff.backward import topological_order, walk
from autodiff.errors import DomainError, LostLimitWarning
from autodiff.naming import describe, plain
from autodiff.ops import OPS, Op, hypot


def _infinite(_a: Any, _r: Any) -> float:
    return math.inf


# δ / hypot as both go to 0, by l'Hôpital's rule; its own slope there is not known, and nothing finite is made of it.
limit: Any = Op("limit", "lim", float, "numpy.positive", (_infinite,))

Partials = Callable[[Any], Sequence[Any]]


def _as_recorded(node: Any) -> Sequence[Any]:
    return node.partials


def propagate(root: Any, stop: Iterable[Any] = (), partials: Partials = _as_recorded) -> dict[Any, Any]:
    """Return δ by node: the same sweep as a function, which writes nothing and does not go below the nodes in `stop`.

    `partials(node)` says in which arithmetic: floats by default; Values make derivatives that can be
    differentiated again. Nodes that δ does not reach are missing from the answer. While a function is traced for
    `compile`, the derivatives become part of the program.
    """
    if (tracer := grad_mode.tracer()) is not None:
        return tracer.propagate(root, stop)
    ends = set(stop)
    delta: dict[Any, Any] = {root: 1.0}
    order = topological_order(root, ends)
    for node in order:
        if node in delta and node.op is not None and node not in ends:
            factor: Any = delta[node]
            slopes = partials(node)
            if node.op is hypot and factor.__class__ is not float and not plain(factor) and not plain(node):
                slopes, factor = node.operands, limit(_rate_at_tip(factor, node))
            for operand, partial in zip(node.operands, slopes, strict=True):
                if operand.__class__ is not float and _flows(factor, partial):
                    step: Any = factor * partial
                    delta[operand] = delta[operand] + step if operand in delta else step
    if grad_mode.edges:
        further = partials is partials_as_values  # else the derivative of a limit is not asked for, and is not lost
        notice_lost_limits([x for x in order if x not in ends and (further or x.op is not limit)], delta)
    return delta


def _rate_at_tip(delta: Any, node: Any) -> Any:
    """Return the derivative of δ by a hypot, where both are 0.

    Hypots computed alike are one. How others compare with it depends on the direction: that warns.
    """

    def is_tip(x: Any) -> bool:
        return x.op is hypot and not plain(x)

    tips = [x for x in walk(delta, is_tip) if is_tip(x)]
    rates = propagate(delta, tips, _partials_at_tip)
    met = [tip for tip in tips if tip in rates]
    alike = _alike([node, *met]) if any(tip is not node for tip in met) else {node: 0}
    if any(plain(rates[tip]) for tip in met if alike[tip] != alike[node]):
        warn_of_lost_limits([(node, 0)])
    return sum([rates[tip] for tip in met if alike[tip] == alike[node]], 0.0)


def _partials_at_tip(node: Any) -> Sequence[Any]:  # where limits are smooth functions times r = 0: none is lost
    return partials_as_values(node)


def _alike(roots: Sequence[Any]) -> dict[Any, int]:
    """Return a number for each node, which is that of every other one computed alike from the same leaves."""
    numbers: dict[Any, int] = {}
    known: dict[Any, int] = {}
    for root in roots:
        for x in reversed(topological_order(root, numbers)):
            if x not in numbers:
                parts = [o if o.__class__ is float else (numbers[o],) for o in x.operands]
                key = id(x) if x.op is None else (x.op, frozenset(parts) if x.op is hypot else tuple(parts))
                numbers[x] = known.setdefault(key, len(known))
    return numbers


def push_forward(root: Any, tangents: dict[Any, Any], partials: Partials = _as_recorded) -> Any:
    """Return how fast `root` changes when the given nodes change at `tangents`: forward mode over the same graph."""
    if (tracer := grad_mode.tracer()) is not None:
        return tracer.push_forward(root, tangents)
    rate = dict(tangents)
    dropped, zero = False, float("0")  # an object of its own
    for node in reversed(topological_order(root, tangents)):
        if node not in rate and node.op is not None:
            for operand, partial in zip(node.operands, partials(node), strict=True):
                if operand.__class__ is not float and operand in rate:
                    if _flows(rate[operand], partial):
                        step = rate[operand] * partial
                        rate[node] = rate[node] + step if rate.get(node, zero) is not zero else step
                    else:  # a rate of 0 goes on, to where it meets ∞ or NaN
                        rate.setdefault(node, zero)
                        dropped = dropped or not abs(plain(rate[operand])) + abs(plain(partial)) < math.inf
    answer = rate.get(root, 0.0)
    if abs(plain(answer)) < math.inf and not dropped and not grad_mode.edges:
        return answer
    # What 0 · ∞ drops depends on the direction: here there is one answer, that of the sweep backward, which also warns.
    delta = propagate(root, tangents, partials)
    return sum([delta[x] * t for x, t in tangents.items() if x in delta and _flows(delta[x], t)], 0.0)


@cache
def passes_over(op: Op, i: int) -> bool:
    """Return whether a row of the table may leave operand `i` without influence: then what lies below adds nothing.

    So it is where a partial is 0 at points that are nothing special, and for `where`, whose condition is 0 or not.
    """
    if OPS.get(op.name) is not op or op.arity is None:
        return False
    import random  # asked for where a limit was lost, and slow to load

    generator = random.Random(0)  # noqa: S311 # the same points every time
    for _ in range(64):
        point = [generator.uniform(-3.0, 3.0) for _ in range(op.arity)]
        try:
            if op.partials_of(point, op.forward(*point))[i] == 0.0:
                return True
        except (ArithmeticError, ValueError):  # outside its domain
            continue
    return op.name == "where"


def lost_limits(order: Sequence[Any], delta: Mapping[Any, Any]) -> list[tuple[Any, int]]:
    """Return the places, a node and the number of an operand, where 0 · ∞ counts as 0 and another limit may be lost.

    `order` has the root first. Where an operation does not take an operand, as `where` does not, nothing is lost below.
    """
    found: list[tuple[Any, int]] = []
    taken = {order[0]} if order else set[Any]()
    for node in order:
        if node not in taken or node.op is None:
            continue
        factor = abs(plain(delta.get(node, 0.0)))
        for i, (operand, partial) in enumerate(zip(node.operands, node.partials, strict=True)):
            masked = node.op.name == "mul" and float in (node.operands[0].__class__, node.operands[1].__class__)
            if operand.__class__ is float or (partial == 0.0 and (masked or passes_over(node.op, i))):
                continue
            taken.add(operand)
            if (factor == 0.0 and abs(partial) == math.inf) or (factor == math.inf and partial == 0.0):
                found.append((node, i))
    return found


def notice_lost_limits(order: Sequence[Any], delta: Mapping[Any, Any]) -> None:
    """Warn of lost limits, at the user's line that asked for the derivative; asked for when an edge was recorded."""
    # Until the graph whose edge it is comes, the question stays open.
    grad_mode.edges = not any(math.inf in map(abs, node.partials) for node in order)
    if places := lost_limits(order, delta):
        warn_of_lost_limits(places)


def warn_of_lost_limits(places: Sequence[tuple[Any, int]]) -> None:
    """Warn at the user's line that 0 · ∞ counts as 0 at these places, which are a node and the number of an operand."""
    node, i = places[0]
    frame, level = sys._getframe(), 1  # pyright: ignore[reportPrivateUsage]
    while frame is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] == "autodiff":
        frame, level = frame.f_back, level + 1
    more = f", and {len(places) - 1} more" if len(places) > 1 else ""
    warnings.warn(
        f"a derivative met 0 · ∞ at {describe(node)} by operand {i + 1}{more} and took it for 0, which need not be its "
        "limit: write the function without that edge, or move the point; anomalies(root) lists all places",
        LostLimitWarning,
        stacklevel=level,
    )


def _flows(delta: Any, partial: Any) -> bool:
    """Return whether `delta * partial` is to be handed on: neither is the constant 0, and it is not 0 · ∞ or 0 · NaN.

    A Value that happens to be 0 does flow: its own derivative need not be 0.
    """
    return not (_stops(delta, partial) or _stops(partial, delta))


def _stops(factor: Any, other: Any) -> bool:
    return not factor and (factor.__class__ is float or not abs(plain(other)) < math.inf)


def partials_as_values(node: Any) -> Sequence[Any]:
    """Return the partials of a recorded node as Values, for derivatives of derivatives."""
    op, operands = node.op, node.operands
    wanted = [x.__class__ is not float for x in operands]
    try:
        fresh = op.partials_of(operands, node, wanted)
    except DomainError as error:
        raise DomainError(f"{describe(node)} has no finite second derivative here: {error}") from None
    now = [op.on_floats(*map(plain, operands)), *map(plain, fresh)]
    for old, new in zip([plain(node), *node.partials], now, strict=True):
        if not (math.isclose(old, new, rel_tol=1e-12) or math.isnan(old)):
            changed = ", ".join(dict.fromkeys(describe(x) for x in operands if x.__class__ is not float))
            raise RuntimeError(
                f"the data of {changed} changed after {describe(node)} was recorded, so its second derivative is gone: "
                "compute the function again before create_graph"
            )
    return fresh
