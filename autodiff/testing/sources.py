"""Random expressions as Python source, built so that nothing about their point is delicate.

An expression grows from its point upward: each step puts one more operation on numbers that are already there, and
only an operation that is admissible on those numbers. So none has to be thrown away.
"""

from __future__ import annotations

import inspect
import linecache
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, wraps
from itertools import permutations
from typing import Any

import numpy as np

from autodiff import functions
from autodiff.ops import OPS, Op
from autodiff.testing.arguments import Layout
from autodiff.testing.conditioning import STEEPEST, admissible, repairs
from autodiff.testing.failures import sketch
from autodiff.value import Value

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "remainder": "%", "floor_divide": "//"}
_PREFIX = {"neg": "-", "pos": "+"}
_ON_SEQUENCES = ("total", "mean", "logsumexp", "weighted_sum")
_LARGEST = 4.0  # of the inputs that are drawn
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
    point: tuple[Any, ...]
    names: Mapping[str, Op] = field(default_factory=dict[str, Op])

    def __call__(self, *values: Any) -> Any:  # Any: values, result: Values, numbers or arrays
        """Run the source on as many numbers as it has inputs."""
        if len(values) != len(self.point):
            raise TypeError(f"this expression needs {len(self.point)} numbers, got {len(values)}:\n{self.source}")
        return _compiled(self.source, tuple(self.names.items()))(*values)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.on(None))

    def __repr__(self) -> str:
        return f"{self.source}\nf({', '.join(map(repr, self.point))})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # what Hypothesis and IPython print
        printer.text(repr(self))

    def on(self, names: Mapping[str, Any] | None) -> Callable[..., Any]:  # Any: names, result: of any arithmetic
        r"""Return the same as a plain function, its names bound to another library's: `{"sin": torch.sin, ...}`.

        With None they are autodiff's own.

        >>> f = Expression("def f(x):\n    return sin(x) * 2.0", (0.0,))
        >>> f.on({"sin": lambda x: x + 1.0})(3.0)
        8.0
        """
        return _defined(self.source, _own(tuple(self.names.items())) if names is None else names)

    def recorded(self) -> Any:  # Any: a Value, or a number where none was recorded
        """Record the graph at the point, sweep it and return its root. Leaves are labelled as in the source."""
        arguments = self.source[self.source.index("(") + 1 : self.source.index(")")].split(", ")

        values = [_labelled(name, x) for name, x in zip(arguments, self.point, strict=True)]
        root: Any = self(*values)
        root = root if isinstance(root, Value) else Value(root)
        root.backward()
        return root

    def sketch(self) -> str:
        """Return the graph at the point as text."""
        return sketch(self.recorded())

    def draw(self) -> Any:  # Any: a graphviz.Digraph, which is not loaded here
        """Return the graph at the point as a picture, a graphviz.Digraph."""
        from autodiff.pictures import draw

        return draw(self.recorded())


@dataclass(frozen=True, slots=True)
class Step:
    """One draw: which operation on which operands; numbers wrap around. A step that is not admissible is left out.

    The newest node is always an operand; the others are chosen among the nodes, newest first, inputs and `constant`, by
    four numbers below 16. The last of `operands` says whether they change places.
    """

    op: int
    operands: tuple[int, ...]
    constant: float

    @property
    def exponent(self) -> float:
        """A small one, as people write them: most powers are squares, and only whole ones take negative bases."""
        return (2.0, 3.0, 2.0, -1.0, 2.0, -2.0, 4.0, self.constant)[self.operands[0] % 8]


def grow(
    ops: Sequence[Op], numbers: Sequence[float], steps: Sequence[Step], leaves: int, kept: int
) -> Expression | None:
    """Return the expression that takes as many of the steps as are admissible; None when there is no first one.

    It begins with an operation on inputs at `numbers`, which are repaired to suit it. Inputs and constants are read
    at most `leaves` times. Only the last `kept` operations stay, on inputs at the numbers the others have led to, where
    that leaves as many inputs: so a fault that shows at some odd number shrinks to one operation there.
    """
    inner: list[_Node] = []
    inputs: list[_Node] = []
    most = leaves
    for step in steps:
        if not inner:
            inputs, inner = _begin(ops, numbers, step, leaves)
            leaves -= len(inner[0].operands) if inner else 0
            continue
        choices: list[Any] = [*reversed(inner), *inputs, step.constant]
        # The newest node is always among the operands: nothing is left unused. A quarter of the others are constants.
        picked = [inner[-1], *(step.constant if i >= 12 else choices[i % len(choices)] for i in step.operands[:4])]
        node, cost = _next_node(ops, step, picked, leaves)
        if node is not None:
            inner.append(node)
            leaves -= cost
    if not inner:
        return None
    inputs, inner = _cut(inputs, inner, kept, most)
    point = tuple(x.value for x in inputs)
    names = {op.name: op for op in (node.op for node in inner) if op is not None and OPS.get(op.name) is not op}
    return Expression(_written(inputs, inner), point, names)


def _cut(inputs: list[_Node], inner: list[_Node], kept: int, leaves: int) -> tuple[list[_Node], list[_Node]]:
    """Keep the last `kept` nodes and make their operands the inputs.

    Keep all if that changes the number of inputs, makes one larger than inputs are drawn, or reads inputs and constants
    more often than allowed.
    """
    last = inner[-kept:]
    read = [x for node in last for x in node.operands if x not in last]
    below = dict.fromkeys(x for x in read if isinstance(x, _Node))
    if kept >= len(inner) or len(below) != len(inputs) or len(read) > leaves:
        return inputs, inner
    if max(abs(old.value) for old in below) > _LARGEST:
        return inputs, inner
    now: dict[Any, _Node] = {old: _Node(None, (), old.value, 1.0) for old in below}
    for node in last:
        now[node] = _Node(node.op, tuple(now.get(x, x) for x in node.operands), node.value, node.steepness)
    return [now[old] for old in below], [now[node] for node in last]


def wrapped(f: Expression, around: str, loops: int, *, branch: bool) -> Expression:
    """Return the expression with a loop that applies `around`, and a branch that the point is well away from."""
    head, body = f.source.split("\n", 1)
    *lines, last = body.split("\n")
    if not loops and not branch:
        return f
    first = head[head.index("(") + 1 : head.index(")")].split(", ")[0]
    lines.append(last.replace("    return ", "    result = ", 1))
    if loops:
        lines += [f"    for _ in range({loops}):", f"        result = {around}(result)"]
    if branch:
        lines += [f"    if {first} > {f.point[0] - 1.0!r}:", "        result = 2.0 * result"]
    return Expression("\n".join([head, *lines, "    return result"]), f.point, f.names)


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    op: Op | None
    operands: tuple[Any, ...]
    value: float
    steepness: float  # at least |∂node/∂input| for every input


def _outcome(op: Op, operands: Sequence[Any]) -> tuple[float, float] | None:
    """Return value and steepness of one more node; None where it is not admissible."""
    moving = [isinstance(x, _Node) for x in operands]
    at = [x.value if isinstance(x, _Node) else x for x in operands]
    if not admissible(op, at, moving):
        return None
    value = op.on_floats(*at)
    partials = op.partials_at(at, value, moving)
    steepness = sum(abs(p) * x.steepness for p, x in zip(partials, operands, strict=True) if isinstance(x, _Node))
    return (value, steepness) if steepness <= STEEPEST else None


def _begin(ops: Sequence[Op], numbers: Sequence[float], step: Step, leaves: int) -> tuple[list[_Node], list[_Node]]:
    """Return the inputs, repaired to suit the step's operation, and its node; nothing where it takes other numbers."""
    op = ops[step.op % len(ops)]
    n = op.arity or max(1 if leaves < 3 else 3, len(numbers) + 1 - len(numbers) % 2)
    if not len(numbers) <= n <= leaves:
        return [], []
    more = [step.operands[i % 4] for i in range(n - len(numbers))]
    places = [*range(len(numbers)), *(k // 4 % len(numbers) if k % 4 == 1 else None for k in more)]  # None: a constant
    power = op is OPS["pow"] and len(numbers) == 1 and step.operands[1] % 4 != 3  # as in most code: x ** 2.0
    if power:
        places = [0, None]
    elif step.operands[-1]:
        places.reverse()
    drawn = [step.constant + 0.25 * i if place is None else numbers[place] for i, place in enumerate(places)]
    if power:
        drawn[1] = step.exponent
    repaired = list(repairs(op, drawn))
    as_written = [tuple(y if p is None else x for p, x, y in zip(places, r, drawn, strict=True)) for r in repaired]
    for numbers_there in (*as_written, *repaired):  # constants change only where nothing else helps
        at = {place: x for place, x in zip(places, numbers_there, strict=True) if place is not None}
        if all(place is None or at[place] == x for place, x in zip(places, numbers_there, strict=True)):
            inputs = [_Node(None, (), at[i], 1.0) for i in range(len(numbers))]
            taken = tuple(x if place is None else inputs[place] for place, x in zip(places, numbers_there, strict=True))
            outcome = _outcome(op, taken)
            if outcome:
                return inputs, [_Node(op, taken, *outcome)]
    return [], []


def _next_node(ops: Sequence[Op], step: Step, picked: Sequence[Any], leaves: int) -> tuple[_Node | None, int]:
    """Make one more node on the operands picked, and count how often it reads an input or a constant."""
    op = ops[step.op % len(ops)]
    n = op.arity or (3 if step.operands[0] % 3 else 5)  # the rows on any number of operands take odd numbers
    if op is OPS["pow"] and step.operands[1] % 4 != 3:
        taken = [picked[0], step.exponent]
    else:
        taken = picked[:n][:: -1 if step.operands[-1] else 1]
    cost = sum(not isinstance(x, _Node) or x.op is None for x in taken)
    if n <= len(picked) and cost <= leaves:
        for ordered in permutations(taken) if n == 3 else (taken,):
            outcome = _outcome(op, ordered)
            if outcome:
                return _Node(op, tuple(ordered), *outcome), cost
    return None, 0


def _written(inputs: Sequence[_Node], inner: Sequence[_Node]) -> str:
    """Return the source: a node that is used more than once gets a line of its own, so that it stays one node."""
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
    if op is OPS["weighted_sum"]:
        n = len(operands) // 2
        weights, values = ", ".join(operands[:n]), ", ".join(operands[n:-1])
        return f"weighted_sum([{weights}], [{values}], {operands[-1]})"
    if OPS.get(op.name) is op and op.name in _ON_SEQUENCES:
        return f"{op.name}([{', '.join(operands)}])"
    return f"{op.name}({', '.join(operands)})"


def _labelled(name: str, point: Any) -> Any:
    """Make Values in the shape of an argument, labelled as one writes them: x, or p[3]."""
    layout = Layout([point], [name])
    labelled = [Value(x, layout.name(i)) for i, x in enumerate(layout.flat.tolist())]
    return layout.build(np.array([*labelled, None], dtype=object))[0]


@cache
def _compiled(source: str, names: tuple[tuple[str, Op], ...]) -> Callable[..., Any]:
    return _defined(source, _own(names))


def _own(names: tuple[tuple[str, Op], ...]) -> dict[str, Any]:
    return {**OPS, **{name: getattr(functions, name) for name in _ON_SEQUENCES}, **dict(names)}


def _defined(source: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the function `f` of this source, which Python's tools can show: `inspect.getsource` finds it.

    What the source itself raises (a name that is not there) comes from one place, whatever was drawn: Hypothesis takes
    errors from two places for two failures, and would shrink each of thousands.
    """
    file = f"<expression {hash(source):x}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope: dict[str, Any] = dict(names)
    exec(compile(source, file, "exec"), scope)  # noqa: S102 # text this module has just written
    drawn: Any = scope["f"]

    @wraps(drawn)
    def f(*arguments: Any) -> Any:
        try:
            return drawn(*arguments)
        except Exception as error:
            innermost: Any = error.__traceback__
            while innermost.tb_next is not None:
                innermost = innermost.tb_next
            if innermost.tb_frame.f_code is not drawn.__code__:
                raise
            error.add_note(f"in line {innermost.tb_lineno} of\n{source}")
            raise error.with_traceback(None)  # noqa: B904 # the same error, and from here

    return f
