"""The check of one recorded operation: each of its partials against an oracle, by name.

A rule is taken as right when it agrees with the oracle to half of the digits of a float, √ε: a wrong formula is
wrong by far more. Where rounding alone may cost more than that (1 - tanh² for a tanh near 1), the rule is
computed again with its operands and result a few units in the last place away, and what that moves is allowed too.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

from autodiff.backward import topological_order
from autodiff.errors import NoDerivativeError
from autodiff.naming import plain
from autodiff.ops import Op, stop_gradient
from autodiff.propagation import propagate
from autodiff.testing import oracles
from autodiff.testing.failures import wrong
from autodiff.testing.graphs import Graph
from autodiff.testing.oracles import EPSILON, Estimate
from autodiff.testing.reproductions import Program, reproduction
from autodiff.value import Value

__tracebackhide__ = True  # of pytest: a test that fails shows its own line

_OPERANDS = 6  # that a message shows
HALF_THE_DIGITS = math.sqrt(EPSILON)
TINY = 1e-290  # below this, products of partials leave the normal floats


def check_partials(node: Any, where: str, root: Any, rtol: float = HALF_THE_DIGITS, atol: float = 0.0) -> list[float]:
    """Check every partial of a recorded node; return how far off each is, or may be; ValueError where there is none."""
    op, operands = node.op, tuple(map(plain, node.operands))
    wanted = [isinstance(x, Value) for x in node.operands]
    refuse_edges_of(node, where)
    margins: list[float] = []
    for i, (partial, want) in enumerate(zip(node.partials, wanted, strict=True)):
        if not want:
            margins.append(0.0)
            continue
        try:
            truth = oracles.partial_of(op, operands, i)
        except NoDerivativeError as error:
            raise _no_derivative(node, operands, f"by operand {i + 1}: {error}", where) from None
        if math.isinf(truth.value) and not math.isfinite(partial):
            raise _no_derivative(node, operands, f"by operand {i + 1}: it overflows there", where)
        rounding = 2.0 * _rounding(op, operands, node.data, i) + TINY
        margin = truth.bound + rtol * abs(truth.value) + atol + rounding
        if not abs(partial - truth.value) <= margin:
            judge = oracles.partial_in_many_digits(op, operands, i)  # the last word has whoever knows best
            if judge is not None and abs(partial - judge.value) <= margin:
                margins.append(abs(partial - judge.value) + judge.bound + rounding)
                continue
            others = [] if op.arity == 1 else [_estimate(op, operands, j) for j in range(len(operands))]
            raise wrong(
                f"{op.name}: its partial by operand {i + 1} is wrong", truth, partial,
                operation=op.name, operand=i + 1, at=_call(node, operands), point=operands,
                source="the rule", where=where, reproduction=_again(op, operands, wanted, 1),
                hint=hint(partial, truth, i, others), root=root, node=node,
            )  # fmt: skip
        margins.append(abs(partial - truth.value) + truth.bound + rounding)
    return margins


def path_sums(root: Value) -> dict[Any, float]:
    """Return for each node the sum of |∏ partials| over all paths from the root to it."""
    return propagate(root, partials=lambda node: [abs(p) for p in node.partials])


def noise_of(delta: Mapping[Any, float]) -> float:
    """Return what the rounding of every recorded operation amounts to in the root, to first order."""
    return 4.0 * EPSILON * sum(abs(node.data * d) for node, d in delta.items() if node.op is not None)


def second_allowance(root: Value, inputs: Sequence[Value]) -> list[list[float]]:
    """Return how far off each second derivative may be through cancellation within the rules.

    r(1 - r) has an absolute error of a rounding of 1 however small it is, and its derivative has too: at every node
    that counts with δ, and with the paths from its operands to both inputs.
    """
    order = topological_order(root)[::-1]
    delta = propagate(root)
    reach: list[dict[Any, float]] = []
    for x in inputs:
        paths: dict[Any, float] = {x: 1.0}
        for node in order:
            if node.op is not None:
                through = zip(node.operands, node.partials, strict=True)
                paths[node] = sum(abs(p) * paths.get(y, 0.0) for y, p in through if isinstance(y, Value))
        reach.append(paths)
    allowed = [[0.0] * len(inputs) for _ in inputs]
    for node in order:
        if node.op is None or not delta.get(node):
            continue
        at, op = tuple(map(plain, node.operands)), node.op
        own = [_rounding(op, at, node.data, i) if isinstance(x, Value) else 0.0 for i, x in enumerate(node.operands)]
        for i, first in enumerate(reach):
            steep = [(r, first.get(y, 0.0)) for r, y in zip(own, node.operands, strict=True) if isinstance(y, Value)]
            rounded = abs(delta[node]) * sum(rho * paths for rho, paths in steep)
            for j, second in enumerate(reach):
                more = 4.0 * rounded * sum(second.get(y, 0.0) for y in node.operands if isinstance(y, Value))
                allowed[i][j] += more
                allowed[j][i] += more
    return allowed


def check_second_partials(node: Any, where: str, root: Any) -> None:
    """Check that every partial of a recorded node, as a rule on Values, has the right derivative itself."""
    op, operands = node.op, tuple(map(plain, node.operands))
    wanted = [isinstance(x, Value) for x in node.operands]
    values: Any = [Value(x) if want else x for x, want in zip(operands, wanted, strict=True)]
    alone = Graph(op(*values))
    known: dict[tuple[int, int], Estimate | None] = {}
    for i, j in product(range(len(operands)), repeat=2):
        if not (wanted[i] and wanted[j]):
            continue
        noise = _rounding(op, operands, node.data, i)
        pair = min(i, j), max(i, j)
        if pair not in known:
            known[pair] = alone.second_in_many_digits(values[i], values[j])
        truth = known[pair]
        if truth is None:
            try:
                truth = _differences_of_the_rule(op, operands, i, j, noise)
            except NoDerivativeError as error:
                raise _no_derivative(node, operands, f"of second order by operand {j + 1}: {error}", where) from None
        try:
            second = _second_partial(op, operands, wanted, i, j)
            advice = ""
        except TypeError as error:
            second, advice = math.nan, f"  it computes on floats but not on Values: {error}\n"
        if math.isinf(truth.value) and not math.isfinite(second):
            raise _no_derivative(node, operands, f"of second order by operand {j + 1}: it overflows there", where)
        # The first partials are a condition of this check, and are themselves known to half of the digits only.
        scale = abs(truth.value) + abs(node.partials[i])
        if not abs(second - truth.value) <= truth.bound + HALF_THE_DIGITS * scale + 2.0 * noise + TINY:
            raise wrong(
                f"{op.name}: its partial by operand {i + 1} is right, but not the derivative of that by operand "
                f"{j + 1}", truth, second, operation=op.name, operand=i + 1, at=_call(node, operands), point=operands,
                source="the rule on Values", where=where, reproduction=_again(op, operands, wanted, 2),
                advice=f"{advice}  write the rule with operators and rows of the table, on operands and result\n",
                root=root, node=node,
            )  # fmt: skip


def _differences_of_the_rule(op: Op, operands: Sequence[float], i: int, j: int, noise: float) -> Estimate:
    only = [k == i for k in range(len(operands))]

    def rule(x: float) -> float:
        at = (*operands[:j], x, *operands[j + 1 :])
        return op.partials_at(at, op.on_floats(*at), only)[i]

    return oracles.central_differences(rule, operands[j], noise)


def _again(op: Op, operands: Sequence[float], wanted: Sequence[bool], order: int) -> Callable[[], str]:
    """Return a writer of the program that checks this operation alone; its constants stay constants."""

    def last(program: Program) -> str:
        program.imported("autodiff.testing", "gradcheck")
        called = program.text(op, op.name)
        if not all(wanted):
            names = [f"x{i + 1}" for i in range(len(operands))]
            taken = [name if want else program.text(x) for name, x, want in zip(names, operands, wanted, strict=True)]
            moving = [name for name, want in zip(names, wanted, strict=True) if want]
            called = f"lambda {', '.join(moving)}: {called}({', '.join(taken)})"
        at = [program.text(x) for x, want in zip(operands, wanted, strict=True) if want]
        return f"gradcheck({', '.join([called, *at])}{', order=2' * (order == 2)})"

    return reproduction(last)


def _second_partial(op: Op, operands: Sequence[float], wanted: Sequence[bool], i: int, j: int) -> float:
    values = [Value(x) if want else x for x, want in zip(operands, wanted, strict=True)]
    result: Any = op(*values)
    only = [k == i for k in range(len(operands))]
    partial = op.partials_of(values, result, only)[i]
    return float(propagate(partial).get(values[j], 0.0)) if isinstance(partial, Value) else 0.0


def refuse_edges_of(node: Any, where: str) -> None:
    """Raise ValueError, ending in `where`, for a node at a domain's edge or at a kink that no constant crosses."""
    operands = tuple(map(plain, node.operands))
    for i, x in enumerate(node.operands):
        if isinstance(x, Value):
            try:
                oracles.refuse_edges(node.op, operands, i)
            except NoDerivativeError as error:
                raise _no_derivative(node, operands, str(error), where) from None


def _no_derivative(node: Any, operands: Sequence[float], problem: str, where: str) -> ValueError:
    return ValueError(
        f"{_call(node, operands)} has no derivative to check {problem}"
        f"{'' if node.op is stop_gradient else '; move the point a little'}\n  {where}"
    )


def _rounding(op: Op, operands: Sequence[float], result: float, i: int) -> float:
    """Return how far partial `i` moves when operands and result move by four units in the last place.

    Between four and eight units away from the point: a rule such as clip's asks whether operand and result are equal,
    and its jump off that is no rounding.
    """
    only = [k == i for k in range(len(operands))]

    def rule(*at: float) -> float:
        try:
            return op.partials_at(at[:-1], at[-1], only)[i]
        except (ArithmeticError, ValueError, TypeError):  # off the reals: (-1.0) ** 1.0000000000000009 is complex
            return math.nan

    at = (*operands, result)
    moved = 0.0
    for k, x in enumerate(at):
        for ulps in (-4.0, 4.0):
            near, far = (rule(*at[:k], x * (1.0 + n * ulps * EPSILON), *at[k + 1 :]) for n in (1.0, 2.0))
            moved += abs(far - near) if math.isfinite(far - near) else 0.0
    return moved


def _estimate(op: Op, operands: Sequence[float], i: int) -> float:
    try:
        return oracles.partial_of(op, operands, i).value
    except ValueError:
        return math.nan


def hint(found: float, truth: Estimate, i: int, others: Sequence[float]) -> str:
    """Guess from the numbers what went wrong: the sign, or the derivative by another operand; "" for neither."""
    if truth.value and math.isclose(found, -truth.value, rel_tol=1e-6):
        return ": the sign is wrong"
    for j, other in enumerate(others):
        if j != i and other and math.isclose(found, other, rel_tol=1e-6):
            return f": this is the partial by operand {j + 1}, are they swapped?"
    return ""


def _call(node: Any, operands: Sequence[float]) -> str:
    label = f", node {node.label!r}" if node.label else ""
    shown = ", ".join(map(repr, operands[:_OPERANDS])) + (f", … {len(operands)} of them" * (len(operands) > _OPERANDS))
    return f"{node.op.name}({shown}){label}"
