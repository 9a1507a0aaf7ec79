"""`compile`: a function written for one sample, traced once and run on whole batches."""

# A program, its calls and their answers are one thing in several classes:
# pyright: reportPrivateUsage=false
from __future__ import annotations

import builtins
import functools
import inspect
import math
import os
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autodiff.compiler.checking import refuse_domain, refuse_nan
from autodiff.compiler.code import Code
from autodiff.compiler.fast import Fast, Instance, without_warnings
from autodiff.compiler.graph import Graph
from autodiff.compiler.group import Grouping
from autodiff.compiler.point import Point
from autodiff.compiler.readable import Readable
from autodiff.compiler.reverse import backward
from autodiff.compiler.simplify import needed_nodes, share, sums_of_products
from autodiff.compiler.trace import TraceError, trace
from autodiff.value import Value

Array = NDArray[np.float64]
Reduce = Literal["mean", "sum"] | None

_compile = builtins.compile
_KEPT = 8  # programs for so many shapes, and buffers for so many numbers of rows, are kept


@dataclass(frozen=True, slots=True)
class _Want:
    """What a version of the program computes."""

    gradient: bool = False  # by the parameters
    argnums: tuple[int, ...] = ()  # by these arguments
    per_row: bool = False
    seeded: bool = False
    careful: bool = False

    @property
    def derivatives(self) -> bool:
        return self.gradient or bool(self.argnums)


class _Version:
    """One version of a traced function, made for arrays, with its buffers for each number of rows."""

    def __init__(self, code: Code, flat: Array) -> None:
        self.fast = Fast(code)
        self.flat = flat
        self.products = code.matrix_products > 0
        per_row = max(self.fast.bytes_per_row(), 8)
        # As many rows as fit the cache; products want enough of them, plain arithmetic as many as a call is worth.
        self.block = min(1024, max(256, 2**22 // per_row)) if self.products else min(16384, max(512, 2**22 // per_row))
        self._instances: dict[int, dict[int, Instance]] = {}  # by thread and rows

    def instance(self, rows: int, thread: int = 0) -> Instance:
        """The buffers for so many rows, of one thread."""
        instances = self._instances.setdefault(thread, {})  # a thread's own: no other one changes it meanwhile
        found = instances.get(rows)
        if found is None:
            while len(instances) >= _KEPT:
                instances.pop(next(iter(instances)))
            found = instances[rows] = Instance(self.fast, rows, self.flat)
        return found


@dataclass
class _Trace:
    """A function as it was traced for one shape of its arguments."""

    traced: int  # nodes, before any pass
    shared: int  # after constants, common subexpressions and dead code
    graph: Graph
    names: list[str]  # of the arguments
    shapes: list[Any]  # of one sample of each; None for a static one
    batched: list[bool]
    order: list[int] = field(default_factory=list[int])  # the parameters' nodes, as they lie in the flat array
    versions: dict[_Want, _Version] = field(default_factory=dict[_Want, _Version])

    def __post_init__(self) -> None:
        self.sizes = [math.prod(shape) if shape else None for shape in self.shapes]
        self.parameters: list[Value] = []
        self.flat = np.zeros(len(self.graph.parameters))
        self.version(_Want(gradient=self.graph.shape == ()))

    def code(self, want: _Want, *, grouped: bool = True) -> Code:
        """The array code of a version."""
        code, _ = self.grouping(want, grouped=grouped)
        return code

    def grouping(self, want: _Want, *, grouped: bool = True) -> tuple[Code, Grouping]:
        grouping = Grouping(
            self.graph, self.sizes, self.batched, parameters=want.gradient, arguments=frozenset(want.argnums),
            grouped=grouped, careful=want.careful, placed=self.order,
        )  # fmt: skip
        code = grouping.run()
        if not self.order:  # the first version made decides how parameters lie in the flat array
            places = {node: place for node, (array, place) in grouping.where.items() if array is grouping.flat}
            self.order = sorted(places, key=lambda node: places[node] or 0)
            self.parameters = [self.graph.parameters[node] for node in self.order]
        if want.derivatives:
            backward(code, per_row=want.per_row or not grouped, seeded=want.seeded, careful=want.careful)
        return code, grouping

    def version(self, want: _Want) -> _Version:
        found = self.versions.get(want)
        if found is None:
            found = self.versions[want] = _Version(self.code(want), self.flat)
        return found

    def read(self) -> None:
        """Take the parameters' numbers as they are now."""
        self.flat[:] = [p.data for p in self.parameters]


class Program:
    """A function of one sample as array code for many; made by `compile`.

    Calls take the same arguments with one more axis in front, the rows. Called with plain numbers alone, it computes
    one point on Python floats, and answers with floats. A program keeps buffers, so calls from several threads wait
    for each other: give each thread a program of its own to have them run side by side.
    """

    def __init__(
        self, f: Callable[..., Any], in_axes: int | Sequence[int | None] | None, static_argnums: Sequence[int],
        threads: int | None,
    ) -> None:  # fmt: skip
        self.f = f
        self.in_axes = in_axes
        self.static_argnums = frozenset(static_argnums)
        self.threads = threads
        self._traces: dict[Any, _Trace] = {}
        self._latest: _Trace | None = None
        self._training: _Trace | None = None
        self._quick: dict[Any, Any] = {}  # by what is asked: the short way for a call like the last one
        self._names = _argument_names(f)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.RLock()  # two threads may call a program, whose buffers serve one call at a time
        functools.update_wrapper(self, f, assigned=("__module__", "__name__", "__qualname__", "__doc__"), updated=())

    def __repr__(self) -> str:
        if self._latest is None:
            return f"<Program {_name(self.f)}, not traced yet>"
        return f"<Program {_name(self.f)}, {len(self._latest.parameters)} parameters>"

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled or copied: the function and how it is called. The new program traces anew."""
        if self._training is not None:
            raise RuntimeError("a program is copied after its training block, when the parameters have their numbers")
        return {"f": self.f, "in_axes": self.in_axes, "static_argnums": self.static_argnums, "threads": self.threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["f"], state["in_axes"], tuple(state["static_argnums"]), state["threads"])

    # Calls.

    def __call__(self, *args: Any, check: bool = False) -> Any:
        """Give f of every row: (n, *shape of one output); one number as a float.

        With `check`, DomainError names the first row where an operand leaves its operation's domain, and ValueError the
        first row with NaN.
        """
        with self._lock:
            return self._compute(args, check)

    def _compute(self, args: Sequence[Any], check: bool) -> Any:
        call = _Call(self, args)
        shape = call.trace.graph.shape
        if call.point:
            if check:
                call.check()
            answer = call.point_values()
            return answer[0] if shape == () else np.array(answer).reshape(shape)
        call.read(check)
        out = np.empty((call.rows, max(1, math.prod(shape)))) if shape else np.empty(call.rows)
        call.run(_Want(), lambda instance, start, stop: _store(instance, out[start:stop]))
        if not np.isfinite(out).all():
            call.run(_Want(careful=True), lambda instance, start, stop: _store(instance, out[start:stop]))
        return out.reshape(call.rows, *shape) if call.has_rows else out.reshape(shape)

    def value_and_grad(
        self, *args: Any, reduce: Reduce = "mean", argnums: int | Sequence[int] | None = None, weights: Any = None,
        check: bool = False,
    ) -> Any:  # fmt: skip
        """Give the mean of f over the rows, and its derivatives: `(value, gradient)`.

        `gradient` has one entry per parameter, in the order of `parameters`. With `argnums`, a third entry: the
        derivatives by those arguments, of the arguments' own shape, one row each: δ at the input (a tuple for several).
        `reduce="sum"`: the sum over the rows. `reduce=None`: the value of each row, (n,), and the gradient of each row,
        (n, parameters). `weights` (n,) makes the mean, or sum, a weighted one.

        Raises TypeError when f gives more than one number, ValueError for arguments of wrong rank or length; `check` as
        in a call.
        """
        quick = None
        if weights is None and not check and argnums.__class__ is not list:
            rows = len(args[0]) if argnums is None and args and args[0].__class__ is np.ndarray and args[0].ndim else 0
            quick = self._quick.get((argnums, reduce, rows))
        if quick is not None:
            try:
                answer = quick(*args)
            except TypeError:  # another number of arguments: let the long way say what is wrong
                answer = NotImplemented
            if answer is not NotImplemented:
                return answer
        with self._lock:
            call = _Call(self, args)
            return call.value_and_grad(reduce, argnums, weights, check)

    def backward(self, *args: Any, reduce: Reduce = "mean", weights: Any = None) -> float:
        """Add the derivatives to the `grad` of the parameters, as `backward()` of the mean would; give the value.

        Raises ValueError, and changes nothing, when the value is infinite or NaN.
        """
        if reduce is None:
            raise ValueError("backward adds up the rows: reduce must be 'mean' or 'sum'")
        with self._lock:
            value, gradient = self.value_and_grad(*args, reduce=reduce, weights=weights)
            parameters = self.parameters
        if not math.isfinite(value):
            raise ValueError(
                f"backward from {value}: every gradient would be infinite or NaN; look for the row with check=True in "
                "value_and_grad"
            )
        for p, g in zip(parameters, gradient.tolist(), strict=True):
            p.grad = (p.grad if p.swept else 0.0) + g
        return value

    @contextmanager
    def training(self, *args: Any) -> Generator[Array]:
        """Keep the parameters in one flat array, in the order of `parameters`, while the block lasts; give it.

        Calls within the block compute with what the array holds, so changing it in place is a step of training. When
        the block ends, however it ends, the numbers are written back to the Values. `args` is a batch (or one row),
        from which the program learns the shapes; it may be left out if the program was called before.
        """
        if args:
            self.trace(*args)
        if self._latest is None:
            raise TypeError(
                "training needs the shapes of the arguments: give it a batch, or call the program once before"
            )
        if self._training is not None:
            raise RuntimeError("this program is training already: end that block first")
        trace = self._latest
        trace.read()
        self._training = trace
        try:
            yield trace.flat
        finally:
            self._training = None
            for p, x in zip(trace.parameters, trace.flat.tolist(), strict=True):
                p.data = x

    # What it is.

    @property
    def parameters(self) -> list[Value]:
        """The Values the function met, in the order of the flat array and of gradients."""
        return list(self._known().parameters)

    @property
    def source(self) -> str:
        """Forward and backward pass as Python that a person could have written; it runs with NumPy alone."""
        trace = self._known()
        return Readable(trace.code(_Want(gradient=True)), _name(self.f), trace.names, trace.shapes).source

    def explain(self) -> str:
        """What each pass did: nodes, groups, matrix products, and what one row costs."""
        from autodiff.compiler.report import report

        return report(self._known(), _Want(gradient=True))

    def trace(self, *args: Any) -> Program:
        """Trace for arguments of these shapes, without computing anything; give the program itself."""
        with self._lock:
            _Call(self, args)
        return self

    def _known(self) -> _Trace:
        if self._latest is None:
            raise TypeError(
                "this program has not seen its arguments yet, and knows no shapes: call it, or trace(...) it, once "
                "before"
            )
        return self._latest

    def _threads(self) -> int:
        if self.threads:
            return self.threads
        affinity = getattr(os, "sched_getaffinity", None)  # what this process may use, where the system tells
        return len(affinity(0)) if affinity else os.cpu_count() or 1

    def pool(self) -> ThreadPoolExecutor:
        """The threads of this program."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads(), thread_name_prefix="autodiff")
        return self._pool


class _Call:
    """One call: its arguments checked, the program for their shapes, and how the rows go through it."""

    def __init__(self, program: Program, args: Sequence[Any]) -> None:
        self.program = program
        names = program._names
        self.names = [*names[: len(args)], *(f"argument{i}" for i in range(len(names), len(args)))]
        axes = program.in_axes
        if not isinstance(axes, (list, tuple)):
            axes = [axes] * len(args)
        if len(axes) != len(args):
            raise ValueError(f"in_axes has {len(axes)} entries, and the call {len(args)} arguments")
        self.args: list[Any] = []
        self.batched: list[bool] = []
        static = program.static_argnums
        for i, (x, axis) in enumerate(zip(args, axes, strict=True)):
            self.args.append(x if i in static else _array(x, self.names[i]))
            self.batched.append(axis is not None and i not in static)
        plain = [i for i in range(len(args)) if i not in static]
        self.point = all(self.args[i].ndim == 0 or not self.batched[i] for i in plain)
        if self.point:
            self.batched = [False] * len(args)
        self.has_rows = any(self.batched)
        self.rows = self._count_rows()
        samples = [x if i in static else x.shape[self.batched[i] :] for i, x in enumerate(self.args)]
        self.trace = self._traced(samples)

    def _count_rows(self) -> int:
        rows = 0 if self.has_rows else 1
        first = ""
        for x, batched, name in zip(self.args, self.batched, self.names, strict=True):
            if not batched:
                continue
            if x.ndim == 0:
                raise ValueError(
                    f"{name} is one number, and other arguments have rows: give it one entry per row, or say that it "
                    "is the same for all with in_axes=None at its place"
                )
            if first and len(x) != rows:
                raise ValueError(f"{name} has {len(x)} rows, and {first} has {rows}: all must have as many")
            first, rows = first or name, len(x)
            if rows == 0:
                raise ValueError(f"{name} has no rows: give at least one")
        return rows

    def _traced(self, samples: list[Any]) -> _Trace:
        program = self.program
        static = program.static_argnums
        # 1, 1.0 and True are equal, and may steer the function differently.
        key = (
            tuple([((x.__class__, x) if i in static else tuple(x)) for i, x in enumerate(samples)]),
            tuple(self.batched),
        )
        try:
            found = program._traces.get(key)
        except TypeError as error:
            raise TypeError(f"a static argument must be hashable: {error}") from None
        if found is None:
            if program._training is not None:
                raise ValueError("the shapes changed within a training block: end it first, and begin another")
            for i in static:
                if i >= len(samples):
                    raise ValueError(f"static_argnums names argument {i}, and the call has {len(samples)}")
            graph = trace(program.f, samples, self.names, static)
            shared = share(graph)
            traced, after = len(graph.ops), sum(needed_nodes(shared))
            shapes = [None if i in static else tuple(x) for i, x in enumerate(samples)]
            found = _Trace(traced, after, sums_of_products(shared), self.names, shapes, self.batched)
            while len(program._traces) >= _KEPT:
                program._traces.pop(next(iter(program._traces)))
            program._traces[key] = found
            program._quick.clear()
        if program._training is not None and found is not program._training:
            raise ValueError("the shapes differ from those of the training block: end it first, and begin another")
        program._latest = found
        return found

    def check(self) -> None:
        """Refuse NaN among the arguments, and operands outside their domain."""
        static = self.program.static_argnums
        for i, x in enumerate(self.args):
            if i not in static:
                refuse_nan(x, self.names[i], rows=self.batched[i])
        code = self.trace.code(_Want(), grouped=False)
        refuse_domain(code, self)

    def read(self, check: bool) -> None:
        """Take over the parameters' numbers, except while training, when the flat array has them."""
        if self.program._training is None:
            self.trace.read()
        if check:
            self.check()

    def blocks(self, start: int, stop: int) -> list[Any]:
        """The arguments of these rows as the program takes them: units × rows."""
        passed: list[Any] = []
        for i, x in enumerate(self.args):
            if i in self.program.static_argnums or not self._is_used(i):
                continue
            if not self.batched[i]:
                passed.append(x.reshape(-1, 1) if x.ndim else float(x))
            elif x.ndim == 1:
                passed.append(x[start:stop])
            else:
                passed.append(x[start:stop].reshape(stop - start, -1).T)
        return passed

    def _is_used(self, i: int) -> bool:
        return self.args[i].size > 0

    def run(self, want: _Want, store: Callable[[Instance, int, int], None], seeds: Array | None = None) -> None:
        """Send the rows through a version of the program, block by block, and hand each block's buffers to `store`."""
        version = self.trace.version(want)
        rows, block = self.rows, version.block

        def go(starts: Sequence[int], thread: int) -> None:
            for start in starts:
                stop = min(start + block, rows)
                instance = version.instance(stop - start, thread)
                passed = self.blocks(start, stop)
                if seeds is not None and "seed" in version.fast.arguments:  # else nothing depends on it
                    passed.append(seeds[start:stop])
                instance.run(*passed)
                store(instance, start, stop)

        starts = range(0, rows, block)
        adds_up = (want.gradient and bool(self.trace.parameters)) or not all(self.batched[i] for i in want.argnums)
        threads = 1 if version.products or adds_up else self.program._threads()
        if threads > 1 and len(starts) >= 2 * threads:
            parts = [starts[t::threads] for t in range(threads)]
            list(self.program.pool().map(go, parts, range(threads)))
        else:
            go(starts, 0)

    def value_and_grad(self, reduce: Reduce, argnums: int | Sequence[int] | None, weights: Any, check: bool) -> Any:
        """See Program."""
        if reduce not in {"mean", "sum", None}:
            raise ValueError(f"reduce must be 'mean', 'sum' or None, got {reduce!r}")
        if self.trace.graph.shape != ():
            raise TypeError(
                f"derivatives are of one number, and the function gives an array of shape {self.trace.graph.shape}: "
                "let it return one entry, or their sum"
            )
        by = self._argnums(argnums)
        if self.point and weights is None:
            return self._at_point(reduce, argnums, by, check)
        seeds = None if weights is None else self._seeds(reduce, weights)
        self.read(check)
        want = _Want(gradient=True, argnums=by, per_row=reduce is None, seeded=seeds is not None)
        answer = self._derivatives(want, seeds)
        if argnums is None and seeds is None and not check:
            self._remember_batch(reduce)
        if not answer.finite:
            answer = self._derivatives(_Want(True, by, want.per_row, want.seeded, careful=True), seeds)
        return answer.finish(self, reduce, seeds, by, single=isinstance(argnums, int), asked=argnums is not None)

    def _derivatives(self, want: _Want, seeds: Array | None) -> _Answer:
        answer = _Answer(self, want)
        self.run(want, answer.store, seeds)
        return answer

    def _argnums(self, argnums: int | Sequence[int] | None) -> tuple[int, ...]:
        if argnums is None:
            return ()
        given: list[Any] = list(argnums) if isinstance(argnums, (tuple, list)) else [argnums]
        for i in given:
            if type(i) is not int:
                raise TypeError(f"argnums is the position of an argument, or a tuple of positions, got {argnums!r}")
            if not -len(self.args) <= i < len(self.args) or i % len(self.args) in self.program.static_argnums:
                raise ValueError(f"argnums={argnums!r} asks for an argument that is not there, or is static")
        return tuple(i % len(self.args) for i in given)

    def _seeds(self, reduce: Reduce, weights: Any) -> Array:
        seeds = _array(weights, "weights")
        if seeds.shape != (self.rows,):
            raise ValueError(f"weights must be ({self.rows},), one per row, and is {seeds.shape}")
        if reduce != "mean":
            return seeds
        total = seeds.sum()
        if not total > 0.0 or not np.isfinite(total):
            raise ValueError(f"the weights of a mean must add up to more than 0, and add up to {total}")
        return seeds / total

    # One point.

    def point_values(self) -> list[float]:
        """Give all outputs of f at one point."""
        found = self._point_function((), single=False, gradient=False)
        try:
            return found(*self._point_arguments())
        except (ArithmeticError, ValueError):
            self.read(check=False)
            out = np.empty((1, max(1, math.prod(self.trace.graph.shape))))
            self.run(_Want(careful=True), lambda instance, _, __: _store(instance, out))
            return out[0].tolist()

    def _point_arguments(self) -> list[Any]:
        static = self.program.static_argnums
        if self.program._training is not None:
            parameters = self.trace.flat.tolist()
        else:
            parameters = [p.data for p in self.trace.parameters]
        return [
            parameters,
            *(x.ravel().tolist() if x.ndim else float(x) for i, x in enumerate(self.args) if i not in static),
        ]

    def _point_function(self, by: tuple[int, ...], *, single: bool, gradient: bool) -> Any:
        key = "point", by, single, gradient
        found = self.trace.versions.get(key)  # type: ignore[call-overload]
        if found is None:
            code = self.trace.code(_Want(gradient=gradient, argnums=by), grouped=False)
            names = [f"x{i}" for i in range(len(self.args)) if i not in self.program.static_argnums]
            found = Point(code, names).function(by, single=single, gradient=gradient)
            self.trace.versions[key] = found  # type: ignore[index]
        return found

    def _at_point(self, reduce: Reduce, argnums: Any, by: tuple[int, ...], check: bool) -> Any:
        if check:
            self.read(check=True)
        single = isinstance(argnums, int)
        function = self._point_function(by, single=single, gradient=True)
        numbers = all(x.ndim == 0 for i, x in enumerate(self.args) if i not in self.program.static_argnums)
        try:
            value, gradient, *rest = function(*self._point_arguments())
        except (ArithmeticError, ValueError):
            self.read(check=False)
            answer = self._derivatives(_Want(True, by, careful=True), None)
            value, gradient, *rest = answer.finish(self, "sum", None, by, single=single, asked=argnums is not None)
            return (value, gradient.reshape(1, -1) if reduce is None else gradient, *rest)
        if numbers and not self.program.static_argnums:
            self._remember_point(argnums, reduce, function)
        by_arguments: list[Any] = rest if single else list(rest[0]) if rest else []
        answers = [_filled(g, self.args[i].shape) if self.args[i].ndim else g
                   for i, g in zip(by, by_arguments, strict=True)]  # fmt: skip
        gradient: Array = np.asarray(gradient)
        if reduce is None:
            gradient = gradient.reshape(1, -1)
        return (value, gradient, *([answers[0]] if single else [tuple(answers)] if argnums is not None else []))

    def _remember_point(self, argnums: Any, reduce: Reduce, function: Any) -> None:
        """Take calls with floats alone the short way from now on."""
        trace, count, program = self.trace, len(self.args), self.program
        parameters = trace.parameters

        def quick(*args: Any) -> Any:
            for x in args:
                if x.__class__ is not float:
                    return NotImplemented
            if len(args) != count or program._training is not None:
                return NotImplemented
            try:
                if not parameters:
                    return function(None, *args)
                value, gradient, *rest = function([p.data for p in parameters], *args)
            except (ArithmeticError, ValueError):
                return NotImplemented
            program._latest = trace  # whose order the gradient has
            return value, np.array(gradient), *rest

        if reduce is not None and argnums.__class__ is not list:
            program._quick[argnums, reduce, 0] = quick

    def _remember_batch(self, reduce: Reduce) -> None:
        """Take calls with arrays of these shapes, for the parameters' gradient, the short way from now on."""
        key = None, reduce, self.rows
        version = self.trace.version(_Want(gradient=True))
        static = self.program.static_argnums
        if key in self.program._quick or len(self.program._quick) >= _KEPT:
            return
        if self.rows > version.block or static or not all(self.batched) or reduce is None:
            return
        instance = version.instance(self.rows)
        (output,) = instance.fast.code.outputs
        values = _fetch(instance, output)
        if np.shape(values) != (self.rows,):
            return
        trace, program = self.trace, self.program
        transposed = all(x.ndim <= 2 for x in self.args)
        names = [f"x{i}" for i in range(len(self.args))]
        checks = " or ".join(
            f"{x}.__class__ is not ndarray or {x}.shape != s{x} or {x}.dtype is not dtype" for x in names
        )
        passed = [
            f"{x}.T" if transposed or self.args[i].ndim < 2 else f"{x}.reshape(rows, -1).T" for i, x in enumerate(names)
        ]
        bound: dict[str, Any] = {
            "lock": program._lock, "quietly": without_warnings, "ndarray": np.ndarray, "dtype": np.dtype(np.float64),
            "program": program, "trace": trace, "run": instance.steps, "values": values,
            "gradient": instance.gradient, "ones": np.ones(self.rows), "dot": np.dot, "multiply": np.multiply,
            "scale": np.array(1.0 / self.rows if reduce == "mean" else 1.0), "isfinite": math.isfinite,
            "rows": self.rows, **{f"s{x}": given.shape for x, given in zip(names, self.args, strict=True)},
        }  # fmt: skip
        text = f"""def make({", ".join(bound)}):
    def compute({", ".join(names)}):
        run({", ".join(passed)})
        value = float(dot(values, ones)) * float_scale
        answer = multiply(gradient, scale)
        return value, answer, isfinite(dot(answer, answer) + value)
    compute = quietly(compute)
    def quick({", ".join(f"{x}=None" for x in names)}):
        if {checks}:
            return NotImplemented
        with lock:
            if program._training is not trace:
                if program._training is not None:
                    return NotImplemented
                trace.read()
            value, answer, finite = compute({", ".join(names)})
        if not finite:
            return NotImplemented
        program._latest = trace
        return value, answer
    return quick"""
        text = text.replace("float_scale", repr(1.0 / self.rows if reduce == "mean" else 1.0))
        scope: dict[str, Any] = {}
        exec(_compile(text, "<a call compiled by autodiff>", "exec"), scope)  # noqa: S102 # our own text
        program._quick[key] = scope["make"](**bound)


class _Answer:
    """Value and derivatives, gathered from the blocks."""

    def __init__(self, call: _Call, want: _Want) -> None:
        self.want = want
        self.values = np.empty(call.rows)
        n = len(call.trace.parameters)
        self.gradient = np.zeros((call.rows, n) if want.per_row else n)
        self.inputs = {i: np.empty_like(call.args[i], dtype=np.float64) if call.batched[i] else
                       np.zeros((call.rows, *call.args[i].shape) if want.per_row else call.args[i].shape)
                       for i in want.argnums}  # fmt: skip
        self.batched = call.batched
        self.finite = True  # a sum that overflows counts as not, which costs time and nothing else

    def store(self, instance: Instance, start: int, stop: int) -> None:
        """Take over what a block gave."""
        code = instance.fast.code
        _store(instance, self.values[start:stop])
        self._check(self.values[start:stop])
        gradient = code.gradient
        if gradient is not None:
            if self.want.per_row:
                self.gradient[start:stop] = _fetch(instance, gradient).T
                self._check(self.gradient[start:stop])
            else:
                self.gradient += instance.gradient
                self._check(instance.gradient)
        for i, out in self.inputs.items():
            delta = _fetch(instance, code.input_gradients.get(i, 0.0))
            if not out.size:
                continue
            if self.batched[i] or self.want.per_row:
                part = out[start:stop]
                size = max(1, math.prod(part.shape[1:]))
                part[...] = np.broadcast_to(delta, (size, stop - start)).T.reshape(part.shape)
                self._check(part)
            else:
                out[...] += np.broadcast_to(delta, (max(1, out.size), 1))[: out.size].reshape(out.shape)
                self._check(out)

    def _check(self, part: Array) -> None:
        """Look for what is not finite while the block is in the cache."""
        if self.finite:
            with np.errstate(all="ignore"):
                if not math.isfinite(np.add.reduce(part, axis=None)):
                    self.finite = False  # and never True again: threads share it

    def finish(
        self, call: _Call, reduce: Reduce, seeds: Array | None, by: Sequence[int], *, single: bool, asked: bool
    ) -> Any:
        """Value, gradient and, where asked for, the derivatives by arguments."""
        with np.errstate(all="ignore"):
            return self._finish(call, reduce, seeds, by, single=single, asked=asked)

    def _finish(
        self, call: _Call, reduce: Reduce, seeds: Array | None, by: Sequence[int], *, single: bool, asked: bool
    ) -> Any:
        value: Any = self.values
        scale = 1.0
        if seeds is not None:
            value = self.values * seeds if reduce is None else float(np.dot(self.values, seeds))
        elif reduce is not None:
            scale = 1.0 / call.rows if reduce == "mean" else 1.0
            value = float(np.dot(self.values, np.ones(call.rows))) * scale  # as the short way does, to the last bit
        if scale != 1.0:
            self.gradient *= scale
            for x in self.inputs.values():
                np.multiply(x, scale, out=x)
        inputs = tuple([self.inputs[i] if self.inputs[i].ndim else float(self.inputs[i]) for i in by])
        if call.point and reduce is not None:
            value = float(value)
        return (value, self.gradient, *([inputs[0]] if single else [inputs] if asked else []))


def _fetch(instance: Instance, x: Any) -> Any:
    """The numbers of a result: units × rows."""
    return x if isinstance(x, float) else instance.array(x)


def _filled(x: Any, shape: tuple[int, ...]) -> Array:
    """An array of this shape from a list of its numbers, or from one number for all of them."""
    return np.full(shape, x) if isinstance(x, float) else np.array(x).reshape(shape)


def _store(instance: Instance, out: Array) -> None:
    """Write the outputs of a block, rows first."""
    (output,) = instance.fast.code.outputs
    value = _fetch(instance, output)
    if out.ndim == 1:
        out[:] = value
    else:
        out[:] = np.broadcast_to(value, (out.shape[1], len(out))).T


def _array(x: Any, name: str) -> Array:
    if isinstance(x, Value):
        raise TypeError(
            f"{name} is a Value, and a program takes plain numbers: pass its .data, or call the function itself"
        )
    if np.ma.is_masked(x):
        raise ValueError(f"{name} is masked in places: leave such rows out, or fill them in")
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"{name} is ragged: {error}") from None
    if array.dtype.kind not in "fiub":
        kind = f"{array.dtype} entries"
        if array.dtype == object:
            kinds = {("Value" if isinstance(entry, Value) else type(entry).__name__) for entry in array.flat}
            kind = f"entries of type {', '.join(sorted(kinds))}"
        raise TypeError(f"{name} must be numbers, and has {kind}")
    return array.astype(np.float64, copy=False)


def _name(f: Any) -> str:
    name = getattr(f, "__name__", type(f).__name__)
    return "f" if name == "<lambda>" else name


def _argument_names(f: Any) -> list[str]:
    try:
        parameters = inspect.signature(f).parameters.values()
        names = [p.name for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    except (TypeError, ValueError):  # some callables have no signature
        names = []
    return names


def compile(  # the builtin is for text
    f: Callable[..., Any], *, in_axes: int | Sequence[int | None] | None = 0, static_argnums: int | Sequence[int] = (),
    threads: int | None = None,
) -> Program:  # fmt: skip
    """Make a program of `f`, a function written for ONE sample: it runs on whole batches, as array code.

    `f` takes numbers and arrays of numbers and is called once with stand-ins for them, when the shapes are first seen.
    Leaf Values that it meets on the way are the program's parameters. `in_axes` is 0 for arguments with rows and None
    for those that are the same for all rows, for each argument or for all. Arguments in `static_argnums` are passed as
    they are and may steer `f`; another one traces anew. `threads`: how many may share the blocks of a large batch
    (None: as many as there are processors).

    `f` must do the same whatever its numbers are. Deciding by a number raises TraceError: use `where`. What else it
    does on the side (printing, drawing random numbers, counting) it does once, while it is traced, and the outcome is
    frozen.

    >>> from autodiff import Value, compile
    >>> w, b = Value(2.0, "w"), Value(1.0, "b")
    >>> program = compile(lambda x, y: (w * x + b - y) ** 2)
    >>> program([1.0, 2.0], [3.0, 6.0])
    array([0., 1.])
    >>> program.value_and_grad([1.0, 2.0], [3.0, 6.0])
    (0.5, array([-2., -1.]))
    """
    if not callable(f):
        raise TypeError(f"compile takes a function of one sample, got {type(f).__name__}")
    static = [static_argnums] if isinstance(static_argnums, int) else list(static_argnums)
    if any(type(i) is not int or i < 0 for i in static):
        raise TypeError(f"static_argnums are positions of arguments, 0 or more, got {static_argnums!r}")
    for axis in in_axes if isinstance(in_axes, (list, tuple)) else [in_axes]:
        if axis is not None and axis != 0:
            raise ValueError(
                f"in_axes are 0 (the first axis is the rows) or None (the same for all rows), got {axis!r}"
            )
    if threads is not None and (type(threads) is not int or threads < 1):
        raise ValueError(f"threads is a whole number above 0, or None, got {threads!r}")
    return Program(f, in_axes if not isinstance(in_axes, list) else tuple(in_axes), static, threads)


__all__ = ["Program", "TraceError", "compile"]
