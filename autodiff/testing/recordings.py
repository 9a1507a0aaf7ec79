"""A function recorded once more, to look into it: with the names of its variables, and through what else cuts a graph.

Values pass through `float(...)`, `math` and arrays made by NumPy here: the code stays as it is, and sees stand-ins for
these names alone. What comes out is believed only where value and derivatives are those that the oracles know.
"""

# Arrays of any shape and code of any kind, so there are no types to give:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false
import contextlib
import math
import sys
import sysconfig
import types
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from autodiff.grad_mode import recording
from autodiff.ops import OPS
from autodiff.testing.graphs import Graph
from autodiff.testing.subjects import Subject
from autodiff.testing.syntax import names_in
from autodiff.value import Value

BUDGET = 2_000_000  # steps of sweeps, in all
SUMS = ("add", "total", "mean")
_MOST = 4096  # numbers of a variable
_WIDEST = 8  # operands of an operation that is looked into
_LIBRARY = (str(Path(__file__).parents[1]), "site-packages", sysconfig.get_paths()["stdlib"], "<frozen")
_INFIX = {"add": "+", "sub": "−", "mul": "·", "div": "/", "pow": "^"}
_ROWS = {name: name for name in ("maximum", "minimum", "erf", "clip")} | {"expit": "sigmoid", "logaddexp": "logsumexp"}


_MAXIMA: ContextVar[bool] = ContextVar("_MAXIMA", default=False)  # whether the largest of an array is recorded


class Tracked(np.ndarray[Any, Any]):
    """An array of Values that records what NumPy would decide by comparing, and takes the largest for a constant."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **options: Any) -> Any:
        """Compute it on plain arrays of objects, or by the row of the table."""
        plain = [_plain(x) for x in inputs]
        row = _ROWS.get(ufunc.__name__)
        if row and method == "__call__" and not out and not options:
            return _tracked(np.frompyfunc(OPS[row], len(plain), 1)(*plain))
        if out:
            options["out"] = tuple(map(_plain, out))
        if ufunc is np.maximum and method == "reduce" and _MAXIMA.get():
            axes = {key: options[key] for key in ("axis", "keepdims") if key in options}
            return _tracked(np.frompyfunc(OPS["maximum"], 2, 1, identity=None).reduce(*plain, **axes))
        result = getattr(ufunc, method)(*plain, **options)
        if ufunc is np.maximum and method == "reduce":  # subtracted for safety, and of no slope: see Chain.is_true
            if isinstance(result, Value):
                return result.data
            return np.frompyfunc(lambda x: getattr(x, "data", x), 1, 1)(result)
        return out[0] if out else _tracked(result)

    def __array_function__(self, function: Any, kinds: Any, arguments: Any, options: Any) -> Any:
        """Record `where`; hand on all else."""
        if function is np.where and len(arguments) == 3:
            chosen = np.frompyfunc(lambda c, a, b: OPS["where"](float(bool(c)), a, b), 3, 1)
            return _tracked(chosen(*map(_plain, arguments)))
        return _tracked(super().__array_function__(function, kinds, arguments, options))


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, Tracked) else x


def _tracked(result: Any) -> Any:
    return result.view(Tracked) if isinstance(result, np.ndarray) and result.dtype == object else result


class _AnyNumber(type):
    """The `float` of code that is recorded, which leaves a Value as it is."""

    def __call__(cls, x: Any = 0.0) -> Any:
        return x if isinstance(x, (Value, np.ndarray)) else float(x)

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, (float, Value))


class _Number(float, metaclass=_AnyNumber):
    """As a dtype, that of objects."""


def _loosened(f: Any, known: dict[int, Any]) -> Any:
    """Return the function, and all that it calls by name, with a `float` and a `math` that Values pass through."""
    if id(f) in _STANDING_IN:
        return _STANDING_IN[id(f)]
    if id(f) in known:
        return known[id(f)]
    if isinstance(f, types.MethodType):
        return types.MethodType(_loosened(f.__func__, known), f.__self__)
    if not isinstance(f, types.FunctionType):
        return f
    if any(part in f.__code__.co_filename for part in _LIBRARY) and not hasattr(f, "loosens"):
        return f
    scope = known.setdefault(id(f.__globals__), {**f.__globals__, "float": _Number})
    cells = tuple(types.CellType() for _ in f.__closure__ or ())
    twin = types.FunctionType(f.__code__, scope, f.__name__, f.__defaults__, cells)
    twin.__kwdefaults__ = f.__kwdefaults__
    known[id(f)] = twin
    for name in names_in(f.__code__):
        if name in f.__globals__:
            scope[name] = _loosened(f.__globals__[name], known)
    for cell, old in zip(cells, f.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # a cell that is empty still
            cell.cell_contents = _loosened(old.cell_contents, known)
    return twin


def _making(make: Any) -> Any:
    """Return a function of NumPy's that makes arrays, as one whose arrays take Values."""

    def made(*arguments: Any, **options: Any) -> Any:
        result = make(*arguments, **options)
        return _tracked(result.astype(object) if result.dtype.kind == "f" else result)

    return made


class _StandIn:
    """A module some of whose names are others; the rest is looked up when asked for, for NumPy loads parts late."""

    def __init__(self, module: Any, names: Mapping[str, Any]) -> None:
        self.__dict__.update(names)
        self.__module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__module, name)


# What the code that is recorded sees in place of these modules; all others, NumPy's own code too, see the real ones.
_MADE = ("zeros", "ones", "empty", "full", "zeros_like", "ones_like", "empty_like", "full_like", "array", "asarray")
_STANDING_IN: Mapping[int, Any] = {
    id(math): _StandIn(math, {name: op for name, op in OPS.items() if hasattr(math, name)}),
    id(np): _StandIn(np, {name: _making(getattr(np, name)) for name in _MADE} | {"float64": _Number}),
    id(float): _Number,
}


@dataclass(frozen=True, slots=True)
class Group:
    """A variable of the function: its name, its numbers, and which nodes of the chain they are (-1: constants)."""

    name: str
    data: Any
    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """The variables that were met: those of each call that returned, and what each line assigned, again and again."""

    variables: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    assigned: dict[tuple[int, str, Any, int], list[Any]] = field(default_factory=dict[Any, list[Any]])


def recorded(
    subject: Subject, *, maxima: bool = False, instead: Mapping[int, Any] | None = None, seen: Seen | None = None
) -> tuple[list[Any], Any]:
    """Return the Values of all inputs, and what the function gives of them; `instead` of what it sees, by its id."""
    values: list[Any] = [Value(x) for x in subject.layout.flat.tolist()]
    arguments = subject.layout.build(np.array([*values, None], dtype=object))
    token = _MAXIMA.set(maxima)
    try:
        with recording(on=True), _named(seen) if seen else contextlib.nullcontext():
            return values, _loosened(subject.given, dict(instead or {}))(*map(_tracked, arguments))
    finally:
        _MAXIMA.reset(token)


class Chain:
    """A recorded function whose chain rule can be done again with something spoilt."""

    def __init__(self, subject: Subject, *, maxima: bool = False) -> None:
        met, layout = Seen(), subject.layout
        values, root = recorded(subject, maxima=maxima, seen=met)
        self.maxima = maxima
        seen = [("result" if x is root and name.endswith("(…)") else name, x) for name, x in met.variables]
        root = root.item() if isinstance(root, np.ndarray) else root
        self.order = Graph(root).order
        self.number = {node: i for i, node in enumerate(self.order)}
        self.operands = [[self.number.get(x, -1) for x in node.operands] for node in self.order]
        self.partials = [list(node.partials) for node in self.order]
        self.data = np.array([node.data for node in self.order])
        self.inputs = [self.number.get(x, -1) for x in values]
        self.value = self.data[-1]
        self.edges = sum(map(len, self.operands))
        self.left = BUDGET
        self.seeds: Mapping[int, float] = {len(self.order) - 1: 1.0}
        self.reach: list[int] = []  # for each node, those below it, as bits
        self.names: dict[int, str] = {}
        for leaf in layout.leaves:
            self.names |= {i: leaf.name for i in self.inputs[leaf.place] if i >= 0}
        self.arguments = [
            Group(leaf.name, layout.flat[leaf.place].reshape(leaf.shape or ()), tuple(self.inputs[leaf.place]))
            for leaf in layout.leaves
        ]
        self.kinds = self._kinds()
        self.sums = {i for i, node in enumerate(self.order) if node.op is not None and node.op.name in SUMS}
        self.loops = self._loops(met)
        self.groups: list[Group] = self.arguments + self._groups(seen)
        self.local = self._local()
        self.right = self.sweep()

    def is_true(self, value: float, truth: Any) -> bool:
        """Whether the chain is that of the function: it gives its value and its derivatives."""
        close = np.isclose(self.at_inputs(self.right), truth, rtol=1e-6, atol=1e-9 * float(np.max(np.abs(truth))))
        return math.isclose(self.value, value, rel_tol=1e-6, abs_tol=1e-12) and bool(close.all())

    def sweep(
        self, instead: Mapping[int, Sequence[float]] | None = None, scale: Mapping[int, float] | None = None,
        seeds: Mapping[int, float] | None = None, stop: frozenset[int] = frozenset(),
    ) -> list[float]:  # fmt: skip
        """δ of every node: with other partials of some nodes, δ scaled at some, from other seeds, not beyond `stop`."""
        self.left -= self.edges
        delta = [0.0] * len(self.order)
        for i, d in (self.seeds if seeds is None else seeds).items():
            delta[i] = d
        instead, scale = instead or {}, scale or {}
        for i in range(len(delta) - 1, -1, -1):
            d = delta[i]
            if d and i not in stop:
                if i in scale:
                    d *= scale[i]
                for j, p in zip(self.operands[i], instead[i] if i in instead else self.partials[i], strict=True):
                    if j >= 0 and p:
                        delta[j] += d * p
        return delta

    def at_inputs(self, delta: Sequence[float]) -> Any:
        """Return the derivatives by all inputs."""
        return np.array([delta[i] if i >= 0 else 0.0 for i in self.inputs])

    def otherwise(self, alias: Mapping[int, int]) -> Any:
        """Return the derivatives of another function: where some nodes are one of their own operands, and no more."""
        data, changed, partials = self.data.tolist(), set(alias), dict[int, Sequence[float]]()
        for i in range(min(alias), len(self.order)):
            operands, op = self.operands[i], self.order[i].op
            if op is None or not (i in alias or changed.intersection(operands)):
                continue
            numbers = [x if j < 0 else data[j] for x, j in zip(self.order[i].operands, operands, strict=True)]
            if i in alias:
                data[i], partials[i] = numbers[alias[i]], [float(k == alias[i]) for k in range(len(operands))]
            else:
                changed.add(i)
                data[i] = op.on_floats(*numbers)
                partials[i] = op.partials_at(numbers, data[i], [j >= 0 for j in operands])
        self.left -= 4 * self.edges
        return self.at_inputs(self.sweep(partials))

    def places(self, nodes: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """Yield the nodes at each place of the expression that computes these ones, down to other variables."""
        waiting = [nodes]
        while waiting:
            nodes = waiting.pop()
            rows = [self.operands[i] for i in nodes]
            if len({self.order[i].op for i in nodes}) > 1 or len({*map(len, rows)}) > 1:
                continue
            yield nodes
            below = zip(*rows, strict=True) if len(rows[0]) <= _WIDEST else ()
            waiting += [j for j in below if min(j) >= 0 and not any(i in self.names for i in j)]

    def coming(self) -> dict[int, list[tuple[int, float]]]:
        """Return what comes back to every node: from which others, and how much."""
        coming: dict[int, list[tuple[int, float]]] = {}
        for i, (operands, partials) in enumerate(zip(self.operands, self.partials, strict=True)):
            for j, p in zip(operands, partials, strict=True):
                coming.setdefault(j, []).append((i, self.right[i] * p))
        return coming

    def depends(self, later: Group, earlier: Group, least: int = 1) -> bool:
        """Whether the first number of a variable was computed from another one, from so many numbers of it at least."""
        mask = sum(1 << i for i in set(earlier.nodes))
        return later.nodes[0] not in earlier.nodes and (self._below(later.nodes[0]) & mask).bit_count() >= least

    def _below(self, i: int) -> int:
        """Return a node and those below it, as bits."""
        for k in range(len(self.reach), len(self.order)):
            below = 1 << k
            for j in self.operands[k]:
                below |= self.reach[j] if j >= 0 else 0
            self.reach.append(below)
        return self.reach[i]

    def in_order(self, nodes: tuple[int, ...], group: Group) -> tuple[int, ...]:
        """Return nodes in the order of the numbers of a variable that each of them was computed from; () if of none."""
        mask, ordered = sum(1 << i for i in group.nodes), dict[int, int]()
        for i in nodes:
            alone = self._below(i) & mask
            if alone.bit_count() != 1:
                return ()
            ordered[alone.bit_length() - 1] = i
        return tuple(ordered[j] for j in group.nodes) if len(ordered) == len(nodes) == len(group.nodes) else ()

    def _loops(self, met: Seen) -> list[Group]:
        """Return the variables that one line assigned several times, each with all its numbers, a row for every time.

        Their nodes get its name; of several names that of the outermost function.
        """
        found: dict[tuple[int, ...], Group] = {}
        for (_, name, *_), many in sorted(met.assigned.items(), key=lambda item: item[0][0]):
            rows = [tuple(map(self._number_of, np.ravel(np.asarray(a, dtype=object)))) for a in many]
            rows = [row for row in dict.fromkeys(rows) if row and min(row) >= 0]
            for i in (i for row in rows for i in row if self.order[i].op is not None):
                self.names.setdefault(i, name)
            nodes = tuple(i for row in rows for i in row)
            if len(rows) > 1 and len({*map(len, rows)}) == 1 and len(nodes) <= _MOST:
                found.setdefault(nodes, Group(name, self.data[list(nodes)].reshape(len(rows), -1), nodes))
        return [*found.values()]

    def _number_of(self, x: Any) -> int:
        return self.number.get(x, -1) if isinstance(x, Value) else -1

    def _groups(self, seen: Sequence[tuple[str, Any]]) -> list[Group]:
        """Return the variables that were seen; of several names for the same nodes the last, outermost one."""
        groups: dict[tuple[int, ...], Group] = {}
        taken = {group.nodes for group in self.arguments}
        for name, x in seen:
            flat: Any = np.empty(0)
            with contextlib.suppress(ValueError, TypeError):
                flat = np.asarray(x, dtype=object)
            numbers = [y.data if isinstance(y, Value) else y for y in flat.ravel().tolist()]
            if not 0 < len(numbers) <= _MOST or not all(isinstance(y, (float, int)) for y in numbers):
                continue
            nodes = tuple(map(self._number_of, flat.ravel().tolist()))
            key = nodes if max(nodes) >= 0 else (-1, len(groups))
            if key not in taken:
                groups[key] = Group(name, np.array(numbers, dtype=float).reshape(flat.shape), nodes)
        for group in groups.values():
            for i in group.nodes if group.name else ():
                if i >= 0 and self.order[i].op is not None:
                    self.names[i] = group.name
        named = [replace(g, name=g.name or self.described(max(g.nodes))) for g in groups.values()]
        for group in (*named, *self.arguments):  # and what they were made of, one operation before
            for k in range(2):
                inner = [self.operands[i][k] if i >= 0 and k < len(self.operands[i]) else -1 for i in group.nodes]
                nodes = tuple(inner)
                if min(nodes, default=-1) < 0 or nodes in taken or nodes in groups or group.nodes[0] in self.sums:
                    continue
                groups[nodes] = Group(self.described(nodes[0]), self.data[inner].reshape(group.data.shape), nodes)
                named.append(groups[nodes])
        return named

    def _local(self) -> list[Any]:
        """Return what a node is in itself: its operation and its constants, the same in every step of a loop."""
        few = {i for group in self.arguments if len(group.nodes) <= 4 for i in group.nodes}
        return [
            node.op and (node.op.name, *(x if x.__class__ is float else j if j in few else None
                         for x, j in zip(node.operands[:3], self.operands[i][:3], strict=True)))
            for i, node in enumerate(self.order)
        ]  # fmt: skip

    def _kinds(self) -> list[Any]:
        """Return a number for every node, the same for nodes computed in the same way, as those of one array are."""
        numbers: dict[Any, int] = {}
        kinds: list[int] = []
        terms: dict[int, frozenset[int]] = {}
        for i, node in enumerate(self.order):
            inner = [kinds[j] if j >= 0 else -1 for j in self.operands[i]]
            if node.op is None:
                key: Any = ("leaf", self.names.get(i, i))
            elif node.op.name in SUMS:
                of = frozenset(t for k in inner for t in terms.get(k, frozenset([k])))
                key = ("sum", of)
            else:
                key = (node.op.name, *inner)
            kinds.append(numbers.setdefault(key, len(numbers)))
            if key[0] == "sum":
                terms[kinds[-1]] = key[1]
        return kinds

    def described(self, i: int) -> str:
        """Return what messages call a node: the variable that holds it, or the expression that made it."""
        text = self._written(i, 3)
        return text[1:-1] if text.startswith("(") else text

    def _written(self, i: int, depth: int) -> str:
        if i < 0 or i in self.names:
            return self.names.get(i, "…")
        node = self.order[i]
        if depth == 0 or node.op is None:
            return "…"
        if node.op.name in SUMS:
            terms = list(self._terms(i))
            kinds = {self.kinds[t] if t >= 0 else -1: t for t in terms}
            if len(kinds) < len(terms):
                return f"sum({' + '.join(self._written(t, depth - 1) for t in list(kinds.values())[:2])})"
        inner = [
            f"{x:.4g}" if x.__class__ is float else self._written(j, depth - 1)
            for x, j in zip(node.operands[:3], self.operands[i][:3], strict=True)
        ]
        if node.op.name in _INFIX and len(inner) == 2:
            return f"({inner[0]} {_INFIX[node.op.name]} {inner[1]})"
        return f"{node.op.name}({', '.join(inner)})"

    def _terms(self, i: int) -> Iterator[int]:
        for j in self.operands[i]:
            if j >= 0 and self.kinds[j] == self.kinds[i] and j not in self.names:
                yield from self._terms(j)
            else:
                yield j


@contextlib.contextmanager
def _named(seen: Seen) -> Generator[None]:
    """Collect the variables of every function that runs meanwhile, but those of libraries, and what it returns."""
    depth = 0

    def enter(frame: Any, _event: str, _argument: Any) -> Any:
        nonlocal depth
        if any(part in frame.f_code.co_filename for part in _LIBRARY):
            return None
        depth += 1
        held: dict[str, Any] = {}
        line, here = 0, depth

        def look(frame: Any, event: str, returned: Any) -> Any:
            nonlocal line, depth
            for name, x in frame.f_locals.items():
                if held.get(name) is not x and isinstance(x, (Value, np.ndarray)):
                    key = here, name, frame.f_code, line
                    seen.assigned.setdefault(key, []).append(x if isinstance(x, Value) else x.copy())
                held[name] = x
            line = frame.f_lineno
            if event == "return":
                depth = here - 1
                _returned(frame, returned, seen.variables)
            return look

        return look

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(before)


def _returned(frame: Any, returned: Any, seen: list[tuple[str, Any]]) -> None:
    for name, x in frame.f_locals.items():
        first = (*frame.f_code.co_varnames, "")[0]  # self, whatever it is called
        if name == first and getattr(x, "__dict__", None):
            seen.extend((f"self.{key}", y) for key, y in vars(x).items())
        elif not name.startswith("."):
            seen.append((name, x))
    seen.append(("" if frame.f_code.co_name.startswith("<") else f"{frame.f_code.co_name}(…)", returned))
