"""Planted faults: wrong partials of every kind people write, to see whether a check catches them.

A check that has never failed proves little. `faults(op)` gives an operation once for every way to spoil one of its
partials; `survivors(op)` says which of them a check lets pass. The table of docs/gradient-testing.md comes from here.

>>> from autodiff import OPS
>>> [fault.how for fault in faults(OPS["exp"])]
['-(r)', '1.001 · (r)', '0.0', '(r) + 1.0']
>>> survivors(OPS["exp"])
[]
"""

# Functions of numbers of any kind, so their lambdas have no types to give:
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

import ast
import copy
import math
import random
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autodiff.ops import Op
from autodiff.testing.checking import gradcheck
from autodiff.testing.conditioning import admissible, repairs
from autodiff.testing.kinks import DECIDED, check_kinks
from autodiff.testing.syntax import surroundings, syntax_of

KINDS = ("sign", "factor 1.001", "swapped operands", "missing term", "added term", "wrong kink")
OPERANDS = 3  # that a row on any number of operands is given
_POINTS = 24
_SHIFT = 0.5


@dataclass(frozen=True, slots=True)
class Fault:
    """An operation with one wrong partial: by which operand (counted from 1), of which kind, and what it became."""

    op: Op
    operand: int
    kind: str
    how: str

    def __repr__(self) -> str:
        return f"{self.op.name}, partial by operand {self.operand}, {self.kind}: {self.how}"


def faults(op: Op) -> list[Fault]:
    """Return every fault of every partial of `op` that changes a number at a point or at a decided kink.

    Signs, factors and exchanged operands are planted around the rule; missing terms and kinks inside, in its syntax
    tree: each operator gives way to one of its sides, each call to one of its arguments, each comparison to its
    neighbour. For a rule that has no source only the first are planted.
    """
    places = [*points_of(op), *(kink.operands for kink in DECIDED if kink.name == op.name)]
    n = op.arity or OPERANDS
    found: list[Fault] = []
    seen: set[tuple[int, str]] = set()
    for i in range(n):
        for kind, how, rule in _spoilt(op, i, n):
            wrong = _with_rule(op, i, rule)
            if (i, how) not in seen and _changes(op, wrong, i, places):
                seen.add((i, how))
                found.append(Fault(wrong, i + 1, kind, how))
    return found


def caught(fault: Fault, check: Callable[..., object] = gradcheck) -> bool:
    """Tell whether a check or the decided kinks find a fault.

    The check is called as check(op, *point) at well conditioned points.
    """
    return caught_by(fault, check) != ""


def caught_by(fault: Fault, check: Callable[..., object] = gradcheck) -> str:
    """Return what catches a fault: "check", "kinks", or "" for neither."""
    for point in points_of(fault.op):
        try:
            check(fault.op, *point)
        except Exception:  # noqa: BLE001 # a rule that breaks down is found as well
            return "check"
    try:
        check_kinks(fault.op)
    except Exception:  # noqa: BLE001 # likewise
        return "kinks"
    return ""


def survivors(op: Op, check: Callable[..., object] = gradcheck) -> list[Fault]:
    """Return the faults of `op` that a check lets pass; it must let the operation itself pass.

    >>> from autodiff import OPS
    >>> len(survivors(OPS["exp"], check=lambda op, x: None))  # a check that checks nothing
    4
    """
    for point in points_of(op):
        check(op, *point)
    return [fault for fault in faults(op) if not caught(fault, check)]


def points_of(op: Op) -> list[tuple[float, ...]]:
    """Return points where `op` is well conditioned, the same ones every time."""
    draw = random.Random(op.name).uniform  # noqa: S311 # a sample, no secret
    n = op.arity or OPERANDS
    points: list[tuple[float, ...]] = []
    for _ in range(_POINTS):
        drawn = [draw(-4.0, 4.0) for _ in range(n)]
        point = next((p for p in repairs(op, drawn) if admissible(op, p)), None)
        if point is not None:
            points.append(point)
    return points


def _spoilt(op: Op, i: int, n: int) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Yield kind, description and rule, as rule(*operands, result), of every fault planted in partial `i`."""

    def right(*at: Any, k: int = i) -> Any:
        return op.partials_of(at[:-1], at[-1], [j == k for j in range(len(at) - 1)])[k]

    rule = op.partials if op.arity is None else op.partials[i]
    text = _text(rule)
    yield "sign", f"-({text})", lambda *at: -right(*at)
    yield "factor 1.001", f"1.001 · ({text})", lambda *at: 1.001 * right(*at)
    for j in range(n):
        if j != i:
            names = f"operands {i + 1} and {j + 1} exchanged"
            yield "swapped operands", names, lambda *at, j=j: right(*_exchanged(at, i, j))
            yield "swapped operands", f"the rule of operand {j + 1}", lambda *at, j=j: right(*at, k=j)
    yield "missing term", "0.0", lambda *_: 0.0
    yield "added term", f"({text}) + 1.0", lambda *at: right(*at) + 1.0
    for kind, how, other in _rewritten(rule):
        if op.arity is None:
            yield kind, how, lambda *at, other=other: other(at[:-1], at[-1])[i]
        else:
            yield kind, how, other
    if op.kink is not None:
        kink: Any = op.kink
        yield "wrong kink", "another slope at the kink", lambda *at: right(*at) + 0.25 * (kink(*at[:-1]) == 0.0)
        yield "wrong kink", f"moved by {_SHIFT}", lambda *at: right(*at[:i], at[i] + _SHIFT, *at[i + 1 :])


def _exchanged(at: Sequence[Any], i: int, j: int) -> list[Any]:
    exchanged = list(at)
    exchanged[i], exchanged[j] = at[j], at[i]
    return exchanged


def _with_rule(op: Op, i: int, rule: Callable[..., Any]) -> Op:
    """Return the operation with another rule by operand `i`."""
    if op.arity is None:
        rules = op.partials
        return replace(op, partials=lambda xs, r: [rule(*xs, r) if k == i else p for k, p in enumerate(rules(xs, r))])
    return replace(op, partials=tuple(rule if k == i else each for k, each in enumerate(op.partials)))


def _changes(right: Op, wrong: Op, i: int, places: Sequence[Sequence[float]]) -> bool:
    """Tell whether partial `i` of two operations differs somewhere; False for a rule that cannot run at all."""
    differs = False
    for at in places:
        only = [k == i for k in range(len(at))]
        value = right.on_floats(*at)
        try:
            expected = right.partials_at(at, value, only)[i]
        except (ArithmeticError, ValueError):
            continue
        try:
            found = wrong.partials_at(at, value, only)[i]
        except (ArithmeticError, ValueError):
            differs = True
        except (IndexError, TypeError):
            return False
        else:
            differs = differs or not math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-9)
    return differs


def _text(rule: Callable[..., Any]) -> str:
    syntax = syntax_of(rule) if isinstance(rule, types.FunctionType) else None
    if isinstance(syntax, ast.Lambda):
        return ast.unparse(syntax.body)
    return getattr(rule, "__name__", "its rule")


def _rewritten(rule: Callable[..., Any]) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Yield the rule with one node of its syntax tree replaced, in every way there is."""
    syntax = syntax_of(rule) if isinstance(rule, types.FunctionType) else None
    if syntax is None:
        return
    scope = surroundings(rule)  # pyright: ignore[reportArgumentType]
    body = syntax.body if isinstance(syntax, ast.Lambda) else syntax
    for place, node in enumerate(ast.walk(body)):
        for kind, other in _instead(node):
            again = copy.deepcopy(syntax)
            inside: Any = again.body if isinstance(again, ast.Lambda) else again
            target = list(ast.walk(inside))[place]
            changed: Any = _Replaced(target, other).visit(again)
            lines: list[Any] = [changed.body] if isinstance(syntax, ast.Lambda) else changed.body
            lines = lines if isinstance(syntax, ast.Lambda) or not ast.get_docstring(changed) else lines[1:]
            yield kind, "; ".join(map(ast.unparse, lines)), _compiled(changed, scope)


def _instead(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield what may replace a node of the syntax tree, each with the kind of fault it makes."""
    if isinstance(node, ast.BinOp):
        yield "missing term", node.left
        yield "missing term", node.right
    elif isinstance(node, ast.Call):
        for argument in node.args:
            if not isinstance(argument, ast.Starred):
                yield "missing term", argument
    elif isinstance(node, ast.Compare) and not isinstance(node.ops[0], (ast.Is, ast.IsNot)):  # these ask for a type
        neighbours: dict[type[ast.cmpop], ast.cmpop] = {
            ast.Gt: ast.GtE(), ast.GtE: ast.Gt(), ast.Lt: ast.LtE(), ast.LtE: ast.Lt(),
            ast.Eq: ast.NotEq(), ast.NotEq: ast.Eq(),
        }  # fmt: skip
        first, *others = node.ops
        yield "wrong kink", ast.Compare(node.left, [neighbours.get(type(first), first), *others], node.comparators)
        moved = ast.BinOp(node.left, ast.Add(), ast.Constant(_SHIFT))
        yield "wrong kink", ast.Compare(moved, node.ops, node.comparators)


class _Replaced(ast.NodeTransformer):
    def __init__(self, target: ast.AST, other: ast.expr) -> None:
        self.target, self.other = target, other

    def visit(self, node: ast.AST) -> Any:
        return self.other if node is self.target else self.generic_visit(node)


def _compiled(syntax: ast.Lambda | ast.FunctionDef, scope: dict[str, Any]) -> Callable[..., Any]:
    names = dict(scope)
    if isinstance(syntax, ast.FunctionDef):
        exec(compile(ast.unparse(syntax), "<planted>", "exec"), names)  # noqa: S102 # a rule of one's own, rewritten
        return names[syntax.name]
    return eval(ast.unparse(syntax), names)  # noqa: S307 # likewise
