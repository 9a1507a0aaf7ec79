"""Random expressions as Python source, built so that nothing about their point is delicate.

An expression grows from its point upward: each step puts one more operation on numbers that are already there, and
only an operation that is admissible on those numbers. So none has to be thrown away.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import permutations
from typing import Any

import autodiff
from autodiff.ops import OPS, Op

LIMIT = 1e3  # how large values and partials get, at the point and around it
ROOM = 2.0**-6  # how far around it, relative to operands above 1
_STEEPEST = 1e4  # how large the sum of all paths from an input to a node gets
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}
_PREFIX = {"neg": "-", "pos": "+"}
_ON_SEQUENCES = ("total", "mean", "logsumexp")
_NAMES = "xyzuvwpqrst"


@dataclass(frozen=True, repr=False)
class Expression:
    r"""A differentiable function, a point where it is well conditioned, and the Python source of both.

    Calling it runs the source: on floats, Values or arrays. `names` holds operations the source uses that are not
    rows of the table.

    >>> f = Expression("def f(x, y):\n    return sin(x) * y", (0.0, 2.0))
    >>> f(*f.point), f
    (0.0, def f(x, y):
        return sin(x) * y
    f(0.0, 2.0))
    """

    source: str
    point: tuple[float, ...]
    names: Mapping[str, Op] = field(default_factory=dict[str, Op])

    def __call__(self, *values: Any) -> Any:
        """Compute it, on as many numbers as it has inputs."""
        if len(values) != len(self.point):
            raise TypeError(f"this expression takes {len(self.point)} numbers, got {len(values)}:\n{self.source}")
        return _compiled(self.source, tuple(self.names.items()))(*values)

    def __repr__(self) -> str:
        return f"{self.source}\nf({', '.join(map(repr, self.point))})"


@dataclass(frozen=True, slots=True)
class Step:
    """One draw: which operation on which operands; numbers wrap around. A step that is not admissible is left out.

    The newest node is always an operand; the others are chosen among the nodes, newest first, inputs and `constant`.
    """

    op: int
    operands: tuple[int, ...]
    constant: float


def grow(ops: Sequence[Op], numbers: Sequence[float], steps: Sequence[Step], leaves: int) -> Expression | None:
    """Give the expression that takes as many of the steps as are admissible; None when there is no first one.

    It begins with an operation on inputs at `numbers`, which are repaired to suit it. Inputs and constants are read
    at most `leaves` times.
    """
    inner: list[_Node] = []
    inputs: list[_Node] = []
    for step in steps:
        if not inner:
            inputs, inner = _begin(ops, numbers, step, leaves)
            leaves -= len(inner[0].operands) if inner else 0
            continue
        choices: list[Any] = [*reversed(inner), *inputs, step.constant]
        # The newest node is always among the operands: nothing is left unused.
        picked = [inner[-1], *(choices[i % len(choices)] for i in step.operands)]
        node, cost = _next_node(ops, step, picked, leaves)
        if node is not None:
            inner.append(node)
            leaves -= cost
    if not inner:
        return None
    point = tuple(x.value for x in inputs)
    names = {op.name: op for op in (node.op for node in inner) if op is not None and OPS.get(op.name) is not op}
    return Expression(_written(inputs, inner), point, names)


def admissible(op: Op, operands: Sequence[float], moving: Sequence[bool] | None = None) -> bool:
    """Whether value and partials of `op` are bounded at `operands` and a little around them, on one side of any kink.

    Only the operands that are `moving` (all of them, by default) are tried around the point: the others are constants.

    >>> admissible(OPS["log"], [1.0]), admissible(OPS["log"], [0.01]), admissible(OPS["abs"], [0.0])
    (True, False, False)
    """
    moving = [True] * len(operands) if moving is None else moving
    kink = _kink(op, operands)
    for at in _around(operands, moving):
        other = _kink(op, at)
        # A kink such as hypot's is never negative: there its distance counts.
        if other != kink and (other * kink <= 0.0 or abs(kink) < ROOM):
            return False
        try:
            value = op.on_floats(*at)
            partials = op.partials_at(at, value, moving)
        except (ArithmeticError, ValueError):
            return False
        if not max(map(abs, (value, *partials))) <= LIMIT:
            return False
    return True


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    op: Op | None
    operands: tuple[Any, ...]
    value: float
    steepness: float  # at least |∂node/∂input| for every input


def _outcome(op: Op, operands: Sequence[Any]) -> tuple[float, float] | None:
    """Value and steepness of one more node; None where it is not admissible."""
    moving = [isinstance(x, _Node) for x in operands]
    at = [x.value if isinstance(x, _Node) else x for x in operands]
    if not admissible(op, at, moving):
        return None
    value = op.on_floats(*at)
    partials = op.partials_at(at, value, moving)
    steepness = sum(abs(p) * x.steepness for p, x in zip(partials, operands, strict=True) if isinstance(x, _Node))
    return (value, steepness) if steepness <= _STEEPEST else None


def repairs(op: Op, operands: Sequence[float]) -> Iterator[tuple[float, ...]]:
    """Give the operands, then what may help where they are not admissible: into the domains, apart, in order."""
    yield tuple(operands)
    inside = tuple(_into(x, *op.domains[i].bounds) if i < len(op.domains) else x for i, x in enumerate(operands))
    apart = tuple(x + 0.25 * (i + 1) for i, x in enumerate(inside))
    positive = tuple(abs(x) + 0.25 * (i + 1) for i, x in enumerate(operands))
    for tried in (inside, apart, positive, tuple(x / 8.0 for x in positive)):
        yield from permutations(tried) if len(tried) <= 3 else (tried, tuple(sorted(tried)))


def _begin(ops: Sequence[Op], numbers: Sequence[float], step: Step, leaves: int) -> tuple[list[_Node], list[_Node]]:
    """The inputs, repaired to suit the step's operation, and that; nothing where it does not take so many."""
    op = ops[step.op % len(ops)]
    n = op.arity or max(1 if leaves < 3 else 3, len(numbers) + 1 - len(numbers) % 2)
    if not len(numbers) <= n <= leaves:
        return [], []
    operands = [*numbers, *(step.constant + 0.25 * i for i in range(n))][:n]
    for repaired in repairs(op, operands):
        inputs = [_Node(None, (), x, 1.0) for x in repaired[: len(numbers)]]
        taken = (*inputs, *repaired[len(numbers) :])
        outcome = _outcome(op, taken)
        if outcome:
            return inputs, [_Node(op, taken, *outcome)]
    return [], []


def _next_node(ops: Sequence[Op], step: Step, picked: Sequence[Any], leaves: int) -> tuple[_Node | None, int]:
    """One more node on the operands picked, and how often it reads an input or a constant."""
    op = ops[step.op % len(ops)]
    n = op.arity or (3 if step.operands[0] % 3 else 5)  # the rows on any number of operands take odd numbers
    taken = picked[:n][:: 1 if step.operands[-1] % 2 else -1]
    cost = sum(not isinstance(x, _Node) or x.op is None for x in taken)
    if n <= len(picked) and cost <= leaves:
        for ordered in permutations(taken) if n == 3 else (taken,):
            outcome = _outcome(op, ordered)
            if outcome:
                return _Node(op, tuple(ordered), *outcome), cost
    return None, 0


def _into(x: float, low: float, high: float) -> float:
    """`x` itself where it is inside, else some number that is."""
    if low < x < high:
        return x
    if math.isfinite(high - low):
        return low + (high - low) * (0.5 + math.atan(x) / math.pi)
    return low + abs(x) + 0.25 if math.isfinite(low) else high - abs(x) - 0.25


def _around(operands: Sequence[float], moving: Sequence[bool]) -> Iterator[tuple[float, ...]]:
    yield tuple(operands)
    for i, x in enumerate(operands):
        if moving[i]:
            for step in (-ROOM, ROOM):
                yield (*operands[:i], x + step * max(1.0, abs(x)), *operands[i + 1 :])


def _kink(op: Op, operands: Sequence[float]) -> float:
    return 0.0 if op.kink is None else op.kink(*operands)


def _written(inputs: Sequence[_Node], inner: Sequence[_Node]) -> str:
    """The source: a node that is used more than once gets a line of its own, so that it stays one node."""
    names = _NAMES[: len(inputs)] if len(inputs) <= len(_NAMES) else [f"x{i + 1}" for i in range(len(inputs))]
    text: dict[_Node, str] = dict(zip(inputs, names, strict=True))
    uses = Counter(x for node in inner for x in node.operands if isinstance(x, _Node))
    lines: list[str] = []
    for node in inner:
        written = _call(node, text)
        if uses[node] > 1:
            text[node] = f"n{len(lines) + 1}"
            lines.append(f"    {text[node]} = {written}\n")
        else:
            text[node] = written
    return f"def f({', '.join(names)}):\n{''.join(lines)}    return {text[inner[-1]]}"


def _is_operator(op: Op | None) -> bool:
    return op is not None and OPS.get(op.name) is op and (op.name in _INFIX or op.name in _PREFIX)


def _call(node: _Node, text: Mapping[_Node, str]) -> str:
    op: Any = node.op
    operands = [text[x] if isinstance(x, _Node) else repr(x) for x in node.operands]
    if _is_operator(op):  # its operands stand in brackets where they are operators themselves, or negative
        bracketed = [
            f"({y})" if y[0] in "+-" or (isinstance(x, _Node) and _is_operator(x.op) and not y.isidentifier()) else y
            for x, y in zip(node.operands, operands, strict=True)
        ]
        return f" {_INFIX[op.name]} ".join(bracketed) if op.name in _INFIX else _PREFIX[op.name] + bracketed[0]
    if OPS.get(op.name) is op and op.name in _ON_SEQUENCES:
        return f"{op.name}([{', '.join(operands)}])"
    if op is OPS["weighted_sum"]:
        n = len(operands) // 2
        weights, values = ", ".join(operands[:n]), ", ".join(operands[n:-1])
        return f"weighted_sum([{weights}], [{values}], {operands[-1]})"
    return f"{op.name}({', '.join(operands)})"


@cache
def _compiled(source: str, names: tuple[tuple[str, Op], ...]) -> Callable[..., Any]:
    scope: dict[str, Any] = {name: getattr(autodiff, name) for name in autodiff.__all__ if name != "draw"}
    scope |= dict(names)
    exec(compile(source, "<expression>", "exec"), scope)  # noqa: S102 # text this module has just written
    return scope["f"]
