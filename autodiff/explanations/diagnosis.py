"""Remarks on a gradient, in words: why it is 0, tiny, huge, infinite or NaN, or unused."""

import math
from collections import Counter
from collections.abc import Callable, Iterator

from autodiff.backward import topological_order
from autodiff.explanations.flow import Contribution, Flow
from autodiff.explanations.origins import lost, overflow
from autodiff.explanations.reasons import saturated, why
from autodiff.naming import describe
from autodiff.propagation import lost_limits
from autodiff.value import Value
from autodiff.wording import say

TINY, HUGE = 1e-6, 1e6  # |δ| below or above these gets a remark
_SHOWN = 4  # causes listed one by one
_NOTABLE = 10.0  # a factor that shrinks or stretches δ at least this much is named


def diagnose(flow: Flow, node: Value) -> tuple[str, ...]:
    """Return remarks on δ of a node; none if nothing stands out."""
    if node not in flow.delta:
        namesakes = any(node.label and other.label == node.label for other in flow.order)
        said = say("remark.unused", root=describe(flow.root), node=describe(node))
        return (said + (say("remark.namesake", label=node.label) if namesakes else ""),)
    delta = flow.delta[node]
    if node is flow.root:
        return ()
    lost_here = [
        lost(consumer)
        for consumer, i in lost_limits(flow.order[::-1], flow.delta)
        if node in topological_order(consumer.operands[i])
    ]
    if lost_here and math.isfinite(delta):
        return (say("remark.δ", delta=f"{delta:.4g}", why=_list(Counter(lost_here))),)
    if not math.isfinite(delta):
        broken = _origins(flow, node, lambda delta: not math.isfinite(delta), _broken)
        return (say("remark.δ", delta=delta, why=_list(broken)),)
    if delta == 0.0:
        terms = [term for term in flow.contributions(node) if term.product]
        if terms:
            shown = " + ".join([*(f"{term.product:.4g}" for term in terms[:_SHOWN]), *["…"] * (len(terms) > _SHOWN)])
            return (say("remark.cancel", count=len(terms), shown=shown),)
        return (say("remark.blocked", why=_list(_origins(flow, node, lambda delta: delta == 0.0, _blocked))),)
    if abs(delta) < TINY or abs(delta) > HUGE:
        return (_size(flow, node, delta),)
    flat = [why(term.consumer, term.place) for term in flow.contributions(node) if saturated(term.consumer)]
    return (_list(Counter(flat)),) if flat else ()


def _size(flow: Flow, node: Value, delta: float) -> str:
    """Name the factors on the steepest path that make δ tiny or huge."""
    path = flow.steepest_path(node)
    small = abs(delta) < TINY
    size = "tiny" if small else "huge"
    said = say(f"remark.{size}", delta=delta, n=len(path))
    sizes = [(abs(consumer.partials[place]), consumer, place) for consumer, place in path]
    steep = [each for each in sizes if (each[0] < 1 / _NOTABLE if small else each[0] > _NOTABLE)]
    if not steep:
        return said + say(f"remark.{size} steps", n=sum(each[0] != 1.0 and (each[0] < 1.0) == small for each in sizes))
    steep.sort(key=lambda each: each[0], reverse=not small)
    reasons = Counter(why(consumer, place) for _, consumer, place in steep[:_SHOWN])
    more = say("remark.more factors", n=len(steep) - _SHOWN) if len(steep) > _SHOWN else ""
    return f"{said}; {_list(reasons)}{more}"


def _origins(
    flow: Flow, node: Value, spread: Callable[[float], bool], cause: Callable[[Flow, Contribution], str | None]
) -> Counter[str]:
    """Climb from a node through consumers whose δ is of the same kind to the uses where that began."""
    found: Counter[str] = Counter()
    seen, stack = {node}, [node]
    while stack:
        below = stack.pop()
        for term in flow.contributions(below):
            said = cause(flow, term)
            if said:
                found[said] += 1
            elif spread(term.delta) and term.consumer not in seen:
                seen.add(term.consumer)
                stack.append(term.consumer)
    if not found:
        found.update(_sums(flow, seen))
    return found


def _blocked(flow: Flow, term: Contribution) -> str | None:
    """Return why a use passes on 0 although δ arrives there; None if it does not."""
    if term.delta == 0.0:
        if any(each.product for each in flow.contributions(term.consumer)):
            return say("remark.cancels", node=describe(term.consumer))
        return None
    if term.partial == 0.0:
        return why(term.consumer, term.place)
    return say("remark.underflow", delta=term.delta, partial=term.partial, node=describe(term.consumer))


def _broken(_flow: Flow, term: Contribution) -> str | None:
    """Return why a use passes on an infinity or NaN although a finite δ arrives there; None if it does not."""
    if not math.isfinite(term.delta) or math.isfinite(term.product):
        return None
    if not math.isfinite(term.partial):
        return why(term.consumer, term.place)
    return overflow(term.delta, term.partial, term.consumer)


def _sums(flow: Flow, nodes: set[Value]) -> Iterator[str]:
    for node in nodes:
        terms = flow.contributions(node)
        if terms and all(math.isfinite(term.product) for term in terms) and not math.isfinite(flow.delta[node]):
            yield say("remark.sum overflows", node=describe(node))


def _list(reasons: Counter[str]) -> str:
    shown = [said + (say("remark.times", n=n) if n > 1 else "") for said, n in list(reasons.items())[:_SHOWN]]
    more = len(reasons) - len(shown)
    return "; ".join(shown) + (say("remark.more places", n=more) if more > 0 else "")
