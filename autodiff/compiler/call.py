"""One call of a program: check the arguments, send the rows through in blocks, gather the results."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Collection, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from types import FunctionType, MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import nests
from autodiff.compiler.answers import Answer, Reduce
from autodiff.compiler.backends.buffers import without_warnings
from autodiff.compiler.backends.floats import Point
from autodiff.compiler.backends.numba import Machine
from autodiff.compiler.cache import Cache, without
from autodiff.compiler.checking import look_for_dropped, refuse_domain, refuse_nan
from autodiff.compiler.repeat import remember_point, remember_rows, request_of
from autodiff.compiler.specialise import Trace, Want
from autodiff.compiler.trace.graph import Form, Text
from autodiff.compiler.trace.lookup import chains_as_sums
from autodiff.compiler.trace.loops import traced
from autodiff.compiler.trace.simplify import live
from autodiff.domains import REALS, is_array, number
from autodiff.errors import TraceError
from autodiff.nests import is_sequence
from autodiff.value import Value
from autodiff.variables import being_varied

Array = NDArray[np.float64]
_NONE: Mapping[str, Any] = MappingProxyType({})


_PLAIN = {float, int, np.ndarray}


class Arguments:
    """The arguments of a call as leaves with names and axes, and the function of these leaves.

    A dict, dataclass or named tuple is a nest, and so is a list or tuple that holds one, or arrays of several shapes.
    Inside a nest, lists of numbers are rows, unless the argument is the same for all rows.
    """

    form: Hashable = None  # tells nests of different forms apart; None where all arguments are numbers and arrays
    _where: list[range] | None = None  # the leaves of each argument, and below its nest without them
    _hollow: list[Any]
    keywords: tuple[str, ...] = ()
    static: frozenset[int]  # leaves
    asked: tuple[int, ...] = ()  # the arguments that derivatives are by

    def __init__(self, cache: Cache, args: Sequence[Any], options: Mapping[str, Any]) -> None:
        count = len(args)
        self.passed = self.names = cache.names_of(count)
        self.leaves = args
        self.places: Sequence[int] = range(count)  # in the signature
        if options:
            self.passed = self.names = [*self.names, *options]
            self.leaves = [*args, *options.values()]
        self.axes = axes = cache.axes(len(self.leaves))
        self.static, self.f = cache.static, cache.f
        if len(axes) != len(self.leaves):
            raise ValueError(
                f"in_axes must have one entry per argument, got {len(axes)} for {len(self.leaves)} arguments"
            )
        if self.static or options:
            places = self.places = [*range(count), *map(cache.place_of, options)]
            for missing in self.static.difference(places):
                raise ValueError(
                    f"static_argnums must name arguments of the call, got {missing} for {len(places)} arguments"
                )
            self.axes = tuple([axes[place] if place < len(axes) else 0 for place in places])
            self.static = frozenset(i for i, place in enumerate(places) if place in cache.static)
        if options or not _PLAIN.issuperset(map(type, args)):
            self.static |= {i for i, x in enumerate(self.leaves) if _steers(x)}
            told = [(x, False) if i in self.static else _told(x, axis)
                    for i, (x, axis) in enumerate(zip(self.leaves, self.axes, strict=True))]  # fmt: skip
            self.leaves = [x for x, _ in told]
            nested = {i for i, (_, nest) in enumerate(told) if nest}
            if options or nested:
                self._take_apart(nested, count, tuple(options))

    def _take_apart(self, nested: set[int], count: int, keywords: tuple[str, ...]) -> None:
        """Replace each nest by its leaves."""
        leaves: list[tuple[str, Any]] = []
        axes: list[int | None] = []
        static: list[int] = []
        where: list[range] = []
        hollow: list[Any] = []

        def taken(leaf: Any, path: str) -> float:
            leaves.append((path, leaf))
            return 0.0

        for i, (x, name, axis) in enumerate(zip(self.leaves, self.passed, self.axes, strict=True)):
            start = len(leaves)
            whole = _is_rows if axis is not None else nests.never
            static += [] if i not in self.static else [start]
            hollow.append(nests.mapped(taken, x, name, whole) if i in nested else taken(x, name))
            if len(leaves) == start and isinstance(x, (dict, list, tuple)):
                raise ValueError(f"{name} must hold at least one number, got {x!r}")
            where.append(range(start, len(leaves)))
            axes += [axis] * (len(leaves) - start)
        f, self._where, self._hollow, self.keywords = self.f, where, hollow, keywords

        def together(*leaves: Any) -> Any:
            left = iter(leaves)
            whole = [nests.replace(x, left) for x in hollow]
            return f(*whole[:count], **dict(zip(keywords, whole[count:], strict=True)))

        self.f, self.form = together, (keywords, tuple([nests.form(x) for x in hollow]))
        self.leaves, self.names = [x for _, x in leaves], [name for name, _ in leaves]
        self.axes, self.static = tuple(axes), frozenset(static)

    def leaves_of(self, i: int) -> Sequence[int]:
        """Return the positions of an argument's leaves."""
        return self._where[i] if self._where else [i]

    def chosen(self, argnums: int | Sequence[int] | None, argnames: str | Sequence[str] | None) -> tuple[Any, Any]:
        """Return argnums, those of `argnames` where these are given, and the positions of the arguments they choose."""
        if argnames is not None:
            argnums = self._named(argnums, argnames)
        return argnums, self._positions(argnums)

    def _positions(self, argnums: int | Sequence[int] | None) -> tuple[int, ...]:
        if argnums is None:
            return ()
        given: list[Any] = list(argnums) if isinstance(argnums, (tuple, list)) else [argnums]
        count, places = len(self.passed), self.places
        for i in given:
            if isinstance(i, (bool, np.bool_, np.ndarray)) or not hasattr(i, "__index__"):
                raise TypeError(f"argnums must be the position of an argument, or several positions, got {argnums!r}")
            place = i + count if i < 0 else i
            if place not in places or self.static.issuperset(self.leaves_of(places.index(place))):
                raise ValueError(
                    "argnums must name arguments of the call that are not static, as flags, functions and indices are, "
                    f"got {argnums!r}"
                )
        return tuple(places.index(i + count if i < 0 else i) for i in given)

    def _named(self, argnums: Any, argnames: Any) -> int | tuple[int, ...]:
        """Return the positions of arguments chosen by name."""
        if argnums is not None:
            raise ValueError("argnums and argnames must not be given both; argnames finds positional arguments too")
        passed = self.passed
        names: list[Any] = list(argnames) if is_sequence(argnames) else [argnames]
        for name in names:
            if not isinstance(name, str):
                raise TypeError(f"argnames must be the name of an argument, or a tuple of names, got {argnames!r}")
            if name not in passed:
                raise ValueError(
                    f"argnames must choose arguments that the call passes, got {name!r}; it passes {', '.join(passed)}"
                )
        positions = tuple(self.places[passed.index(name)] for name in names)
        return positions[0] if isinstance(argnames, str) else positions

    def key(self, request: Hashable) -> Hashable:
        """Return by what the short way of a call like this one is found; None where there is none."""
        if self.static or self.form is None:
            return None if self.static else request
        found: list[Any] = []
        forms = tuple([without(x, found) for x in self._hollow])
        short = not any(self.keywords) and all(x.__class__ is float for x in found)
        return (forms, request) if short else None

    def text_of(self, argnums: Any, leaves: Sequence[str]) -> list[str]:
        """Return the text of the derivatives by arguments, those by leaves are given; none where none is asked."""
        return [] if argnums is None else [repr(self.by_argument(argnums, self.asked, list(map(Text, leaves))))]

    def by_argument(self, argnums: Any, chosen: Sequence[int], leaves: Sequence[Any]) -> Any:
        """Return derivatives by the leaves of the chosen arguments in the form of the arguments."""
        left = iter(leaves)
        found = [nests.replace(self._hollow[i], left) if self._where else next(left) for i in chosen]
        return tuple(found) if isinstance(argnums, (tuple, list)) else found[0]


def _steers(x: Any) -> bool:
    """Tell whether an argument by itself is no number of a row, and thus static."""
    return x is None or isinstance(x, (bool, np.bool_, str)) or (callable(x) and not isinstance(x, (type, Value)))


def _is_hashed(argnums: Any) -> bool:
    """Tell whether a short way may be found by these argnums."""
    return argnums.__class__ in {int, tuple, type(None)}


def _parts(starts: Sequence[int], threads: int) -> list[Sequence[int]]:
    """Return neighbouring blocks for each thread: two that fill one page of fresh memory obstruct each other."""
    each = -(-len(starts) // threads)
    return [starts[k : k + each] for k in range(0, len(starts), each)]


class Call(Arguments):
    """One call: its checked arguments, the trace for their shapes, and the way of the rows through it."""

    def __init__(self, cache: Cache, args: Sequence[Any], options: Mapping[str, Any] = _NONE) -> None:
        super().__init__(cache, args, options)
        self.cache, static = cache, self.static
        self.args: list[Any] = [x if i in static else _array(x, self.names[i]) for i, x in enumerate(self.leaves)]
        rows = self.batched = [axis is not None and i not in static for i, axis in enumerate(self.axes)]
        plain = [i for i in range(len(self.args)) if i not in static]
        self.point = all(self.args[i].ndim == 0 or not self.batched[i] for i in plain)
        if self.point:
            self.batched = [False] * len(self.args)
        if cache.indices:
            self._fix({i for i, name in enumerate(self.names) if name in cache.indices})
        self.has_rows = any(self.batched)
        self.rows = count_rows(self.args, self.batched, self.names)
        self.trace = self._traced(rows)

    def _fix(self, indices: Collection[int]) -> bool:
        """Take whole numbers that are the same for all rows as static, which an index is computed from.

        Return whether all of these are such.
        """
        given, alone = self.leaves, set(self.passed)  # not inside a nest
        fixed = {i for i in indices if isinstance(given[i], (int, np.integer)) and self.names[i] in alone}
        fixed = {i for i in fixed if not self.batched[i] and i not in self.static}
        self.static |= fixed
        self.args = [int(given[i]) if i in fixed else x for i, x in enumerate(self.args)]
        self.cache.indices.update([self.names[i] for i in fixed])
        return bool(fixed) and len(fixed) == len(indices)

    def _traced(self, rows: list[bool]) -> Trace:
        """Return the trace for these arguments; what an index is computed from becomes static, if it can be."""
        cache, static = self.cache, self.static
        samples = [x if i in static else x.shape[self.batched[i] :] for i, x in enumerate(self.args)]
        key = (
            self.form and _exact(self.form),
            tuple([(_exact(x) if i in static else tuple(x)) for i, x in enumerate(samples)]),
            tuple(self.batched),
        )
        try:
            found = cache.traces.get(key)
        except TypeError as error:
            raise TypeError(f"a static argument must be hashable: {error}; a tuple does for a list") from None
        if found is None:
            new = functools.partial(_new_trace, self.f, cache, samples, self.names, static, self.batched, rows)
            try:
                found = new(loops=True)
            except TraceError as error:
                if self._fix(error.indices):
                    return self._traced(rows)
                raise
            found.unrolled = functools.partial(new, loops=False)
            cache.keep(key, found)
        else:
            cache.traces[key] = cache.traces.pop(key)  # the latest to be asked for
        cache.latest = found
        if being_varied(found.parameters):
            raise TypeError("a parameter must not be what a derivative is being taken by; call program.f instead")
        return found

    def check(self, want: Want) -> None:
        """Refuse NaN among the arguments, and operands outside their domain; warn where `want` drops 0 · ∞."""
        for i, x in enumerate(self.args):
            if i not in self.static:
                refuse_nan(x, self.names[i], rows=self.batched[i])
        refuse_domain(self, leaves=want.derivatives)
        if want.derivatives or self.trace.guards:
            look_for_dropped(self, want)

    def part(self, start: int, stop: int) -> Call:
        """Return the call of these rows alone."""
        part = copy.copy(self)
        part.args = [x[start:stop] if batched else x for x, batched in zip(self.args, self.batched, strict=True)]
        part.rows = stop - start
        return part

    def read(self, check: bool, want: Want = Want()) -> None:  # noqa: B008 # frozen
        """Take over the parameters' numbers, except while training, when the flat array has them already."""
        if self.cache.training is not self.trace:
            self.trace.read()
        if check:
            self.check(want)

    def blocks(self, start: int, stop: int) -> list[Any]:
        """Return the arguments of these rows as the program takes them: units × rows."""
        passed: list[Any] = []
        for i, x in enumerate(self.args):
            if i in self.static or not x.size:  # what is empty is not used
                continue
            if not self.batched[i]:
                passed.append(x.reshape(-1, 1) if x.ndim else float(x))
            elif x.ndim == 1:
                passed.append(x[start:stop])
            else:
                passed.append(x[start:stop].reshape(stop - start, -1).T)
        return passed

    def run(self, want: Want, reduce: Reduce = None, seeds: Array | None = None) -> Answer:
        """Send the rows through a version of the program, block by block, and return the gathered answer."""
        version = self.trace.version(want)
        answer = Answer(self, want, version.backend, summed=reduce is not None)
        adds_up = (want.gradient and bool(self.trace.parameters)) or not all(self.batched[i] for i in want.argnums)
        threads = 1 if version.products or adds_up else self.cache.thread_count()
        rows = self.rows
        if rows < 2 * threads * version.block:
            threads = 1
        block = version.rows_at_once(rows, threads)
        seeded = "seed" in version.backend.arguments  # otherwise nothing depends on it
        ones = np.ones(block)

        def go(starts: Sequence[int], thread: int) -> None:
            for start in starts:
                stop = min(start + block, rows)
                instance = version.instance(stop - start, thread)
                weights = ones[: stop - start] if seeds is None else seeds[start:stop]
                given = self.blocks(start, stop)
                if seeded:
                    given.append(weights)
                total = instance.run(*given, **answer.written(start, stop))
                answer.store(instance, start, stop, weights, total)
            answer.end()

        starts = range(0, rows, block)
        if threads > 1:
            pool = self.cache.pool()
            for part in [pool.submit(without_warnings(go), part, t) for t, part in enumerate(_parts(starts, threads))]:
                part.result()
        else:
            without_warnings(go)(starts, 0)
        return answer

    def value_and_grad(
        self, reduce: Reduce, argnums: int | Sequence[int] | None, argnames: str | Sequence[str] | None, weights: Any,
        check: bool,
    ) -> Any:  # fmt: skip
        """Return what `Program.value_and_grad` promises."""
        argnums, chosen = self.chosen(argnums, argnames)
        self.asked = chosen
        by = tuple([leaf for i in chosen for leaf in self.leaves_of(i)])
        refuse_reduce(reduce)
        self.one_number()
        warn_of_nothing(self.cache, argnums, self.cache.order or self.trace.parameters)
        compute = self._at_point if self.point and weights is None else self._of_rows
        value, gradient, inputs = compute(reduce, argnums, by, weights, check)
        gradient = self.cache.in_order(self.trace, gradient)
        if argnums is None:
            return value, gradient
        return value, gradient, self.by_argument(argnums, chosen, inputs)

    def _of_rows(
        self, reduce: Reduce, argnums: Any, by: tuple[int, ...], weights: Any, check: bool
    ) -> tuple[Any, Array, list[Any]]:
        seeds = None if weights is None else self._seeds(reduce, weights)
        want = Want(gradient=True, argnums=by, per_row=reduce is None, seeded=seeds is not None)
        self.read(check, want)
        answer = self.run(want, reduce, seeds)
        if not answer.finite:
            answer = self.run(replace(want, careful=True), reduce, seeds)
        elif not check and _is_hashed(argnums):
            request = request_of(argnums, reduce, weights)
            remember_rows(self, request, want, reduce, argnums, weighted=weights is not None)
        return answer.finish(self.rows, reduce, seeds)

    @property
    def is_plain(self) -> bool:
        """Whether all arguments are single numbers."""
        return not self.static and bool(self.args) and all(x.ndim == 0 for x in self.args)

    def one_number(self) -> None:
        """Raise TypeError for a function of several outputs, which has no gradient."""
        refuse_several(self.trace.shared.shape, self.trace.shared.form)

    def _seeds(self, reduce: Reduce, weights: Any) -> Array:
        seeds = _array(weights, "weights")
        if seeds.shape != (self.rows,):
            raise ValueError(f"weights must be ({self.rows},), one per row, got {seeds.shape}")
        if reduce != "mean":
            return seeds
        with np.errstate(over="ignore"):
            total = seeds.sum()
        if not total > 0.0 or not np.isfinite(total):
            raise ValueError(f"the weights of a mean must have a finite sum above 0, got {total}")
        return seeds / total

    # One point.

    def point_values(self, *, repeat: bool) -> list[float]:
        """Return all outputs of f at one point; with `repeat` the next call like this one takes the short way."""
        if self.trace.large:
            return self._on_arrays(Want(), None).values.ravel().tolist()
        found = self._point_function((), single=False, gradient=False)
        try:
            values = found(*self._point_arguments())
        except (ArithmeticError, ValueError):
            return self._on_arrays(Want(careful=True), None).values.ravel().tolist()
        if repeat and self.is_plain:
            remember_point(self, "call", found, gradient=False)
        return values

    def _on_arrays(self, want: Want, reduce: Reduce) -> Answer:
        """Return what arrays of one row have at the point: where floats end, or are many."""
        self.read(check=False)
        answer = self.run(want, reduce)
        return answer if answer.finite or want.careful else self.run(replace(want, careful=True), reduce)

    def _point_arguments(self) -> list[Any]:
        if self.cache.training is self.trace:
            parameters = self.trace.flat.tolist()
        else:
            parameters = [p.data for p in self.trace.parameters]
        return [
            parameters,
            *(x.ravel().tolist() if x.ndim else float(x) for i, x in enumerate(self.args) if i not in self.static),
        ]

    def _point_function(self, by: tuple[int, ...], *, single: bool, gradient: bool) -> Any:
        key = by, single, gradient
        found = self.trace.points.get(key)
        if found is None:
            code = self.trace.code(Want(gradient=gradient, argnums=by), grouped=False)
            names = [f"x{i}" for i in range(len(self.args)) if i not in self.static]
            sizes = {i: size for i, size in enumerate(self.trace.sizes) if i not in self.static}
            made = Machine(code, sizes) if self.trace.numba else Point(code, names)
            found = made.function(by, single=single, gradient=gradient, checked=self.trace.guards)
            self.trace.points[key] = found
        return found

    def _at_point(
        self, reduce: Reduce, argnums: Any, by: tuple[int, ...], _: None, check: bool
    ) -> tuple[Any, Array, list[Any]]:
        if check:
            self.read(check=True, want=Want(gradient=True, argnums=by))
        plain = not self.static and self.form is None
        single = plain and argnums is not None and not isinstance(argnums, (tuple, list))
        function: Any = None
        found: Any = None
        if not self.trace.large:
            function = self._point_function(by, single=single, gradient=True)
            with suppress(ArithmeticError, ValueError):
                found = function(*self._point_arguments())
        if found is None:
            want = Want(True, by, careful=not self.trace.large)
            value, gradient, inputs = self._on_arrays(want, "sum").finish(1, "sum", None)
        else:
            value, gradient, *rest = found
            if self.is_plain and _is_hashed(argnums) and argnums != ():
                remember_point(self, request_of(argnums, reduce, None), function, argnums, gradient=True, reduce=reduce)
            gradient = np.asarray(gradient, dtype=np.float64)
            inputs = [
                _filled(x, self.args[i].shape) for i, x in zip(by, rest if single or not rest else rest[0], strict=True)
            ]
        if reduce is None:  # as for each of one row
            value, gradient = np.array([value]), gradient.reshape(1, -1)
        return value, gradient, inputs


def _new_trace(
    f: Any, cache: Cache, samples: list[Any], names: Sequence[str], static: frozenset[int], batched: list[bool],
    rows: list[bool], *, loops: bool,
) -> Trace:  # fmt: skip
    """Trace a function for these shapes; without `loops`, the steps of folds one after another."""
    graph = traced(f, samples, names, static, loops=loops)
    machine = cache.settings.backend == "numba"
    if not machine:  # whose code has branches
        graph = chains_as_sums(graph)
    shapes = [None if i in static else tuple(x) for i, x in enumerate(samples)]
    if cache.fixed is not None:
        place = {id(p): k for k, p in enumerate(cache.fixed)}
        known = sorted(graph.parameters.items(), key=lambda item: place.get(id(item[1]), len(place)))
        graph.parameters = dict(known)
    return Trace(
        len(graph.ops) + graph.repeated, live(graph), list(names), shapes, batched, rows,
        numba=machine, placed=cache.fixed is not None,
    )  # fmt: skip


def refuse_reduce(reduce: Any) -> None:
    """Raise ValueError for what is no way to reduce rows."""
    if reduce not in ("mean", "sum", None):  # not a set, so that values without a hash are refused too
        raise ValueError(f"reduce must be 'mean', 'sum' or None, got {reduce!r}")


def warn_of_nothing(cache: Cache, argnums: Any, parameters: Sequence[Value]) -> None:
    """Warn, once for each program, of a gradient by no parameters where no argument is chosen either."""
    if argnums is None and not parameters and not cache.told:
        cache.told = True
        warnings.warn(
            "value_and_grad differentiates by parameters, Values from outside the function, and it met none: its "
            "gradient is empty; argnums=0 adds the derivatives by the first argument",
            UserWarning, stacklevel=4,
        )  # fmt: skip


def refuse_several(shape: tuple[int, ...], form: Form | None) -> None:
    """Raise TypeError for several outputs, which have no gradient."""
    if form is not None:
        kind = type(form.hollow).__name__
        raise TypeError(
            f"the function must return one number to have a gradient, got {kind}; return (number, {kind}) with "
            "has_aux=True"
        )
    if shape != ():
        raise TypeError(
            f"the function must return one number to have a gradient, got shape {shape}; let it return one entry, or "
            "the sum"
        )


_BY_ITSELF = "pass it as an argument of its own, or in a dataclass field with metadata={'static': True}"
_CONVERTED = {  # by the kind of an array's entries
    **dict.fromkeys("US", "x.astype(float) makes numbers of texts that hold them"),
    "c": "x.real and x.imag are two arguments",
    "V": "a dict of columns, {name: x[name] for name in x.dtype.names}, has names too",
}


def _is_inside(name: str) -> bool:
    """Tell whether an argument's name is that of a part of one."""
    return "[" in name or "." in name


def count_rows(args: Sequence[Any], batched: Sequence[bool], names: Sequence[str]) -> int:
    """Return the rows of a call, 1 without any."""
    rows = 0 if any(batched) else 1
    first = ""
    for x, has_rows, name in zip(args, batched, names, strict=True):
        if not has_rows:
            continue
        if x.ndim == 0:
            way = "write in_axes=None at its place, or static_argnums where it steers the function as an int"
            raise ValueError(
                f"{name} must have one entry per row, as others have, got one number; where it is the same for all "
                f"rows, {_BY_ITSELF if _is_inside(name) else way}"
            )
        if first and len(x) != rows:
            nest = name[: name.rfind("[")]
            together = name.endswith("]") and first.startswith(f"{nest}[") and not name.endswith("']")
            way = f"; where these are rows of {nest} with several lengths, pad them, as autodiff.pad does"
            raise ValueError(
                f"all arguments must have as many rows, got {len(x)} in {name} and {rows} in {first}{way * together}"
            )
        first, rows = first or name, len(x)
        if rows == 0:
            raise ValueError(f"{name} must have at least one row, got none")
    return rows


def _exact(x: Any, depth: int = 8) -> Any:
    """Return a key for a static argument that tells 1, 1.0 and True apart, and 0.0 and −0.0, which are equal.

    The key includes the parts of the argument that can be hashed, a few levels down, since objects may hold each other.
    """
    inner: Any = ""
    if callable(x) and isinstance(type(x).__eq__, FunctionType) and not is_dataclass(x):
        return _Same(x)
    if depth and isinstance(x, (tuple, frozenset)):
        inner = (tuple if isinstance(x, tuple) else frozenset)([_exact(part, depth - 1) for part in x])  # pyright: ignore[reportUnknownVariableType]
    elif depth and is_dataclass(x) and not isinstance(x, type):
        parts = [getattr(x, field.name, None) for field in fields(x)]
        inner = tuple([_exact(part, depth - 1) if _can_be_hashed(part) else "" for part in parts])
    elif isinstance(x, (float, complex, np.inexact)):
        inner = repr(complex(x))  # pyright: ignore[reportUnknownArgumentType]
    return type(x), x, inner  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


class _Same:
    """A key that only this very object has: models that call themselves equal may hold other Values."""

    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.x is other.x

    def __hash__(self) -> int:
        return id(self.x)


def _can_be_hashed(x: Any) -> bool:
    try:
        hash(x)
    except TypeError:
        return False
    return True


def _filled(x: Any, shape: tuple[int, ...]) -> Any:
    """Return an array of this shape from a list of its numbers, or from one number for all entries; () is a number."""
    return x if not shape else np.full(shape, x) if isinstance(x, float) else np.array(x).reshape(shape)


def _array(x: Any, name: str) -> Array:
    if isinstance(x, Value):
        raise TypeError(
            f"{name} must be plain numbers, got a Value; pass its .data, or call the function itself, program.f"
        )
    if isinstance(x, type):
        raise TypeError(
            f"{name} must be numbers, got the class {x.__name__}; where that is the first argument of a class method, "
            "write @compile above @classmethod, since from Python 3.13 on @classmethod binds functions alone"
        )
    if np.ma.is_masked(x):
        raise ValueError(f"{name} must have no masked entries; leave such rows out, or fill them in")
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError(
            f"{name} must have rows of one shape, got ragged ones; pad them, as autodiff.pad does ({error})"
        ) from None
    if array.dtype == object and array.size and all(isinstance(e, REALS) for e in array.flat):
        array = np.array([number(e) for e in array.flat]).reshape(array.shape)  # integers of any size, fractions
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be numbers, got {_kind(x, name, array)}")
    if array.dtype == np.float64:
        return array
    with np.errstate(over="ignore"):  # longer floats may not fit
        return array.astype(np.float64)


def _kind(x: Any, name: str, array: Any) -> str:
    """Return what an argument is that is no array of numbers, and the way out."""
    kind = f"{array.dtype} entries"
    way = "what only steers the function goes into static_argnums"
    if _is_inside(name):
        way = f"where it only steers the function, {_BY_ITSELF}"
    if array.ndim:
        way = _CONVERTED.get(array.dtype.kind, way)
    if array.dtype == object:
        kinds = {("Value" if isinstance(entry, Value) else type(entry).__name__) for entry in array.flat}
        kind = f"entries of type {', '.join(sorted(kinds))}"
    if name == "self":
        way = "call a compiled method on its object, as obj.method(…)"
    elif array.dtype == object and not array.ndim and hasattr(x, "__iter__"):
        way = "list(…) makes rows of it"
    return f"{kind}; {way}"


def _told(x: Any, axis: int | None) -> tuple[Any, bool]:
    """Return an argument, a sequence of numbers as an array, and whether it is a nest."""
    if not is_sequence(x) or hasattr(x, "_fields"):
        return x, x is not None and nests.entries(x) is not None
    try:
        array = np.asarray(x)
        if array.dtype != object:
            return array, False
    except ValueError:  # ragged
        pass
    return x, nests.shape(x) is None and (axis is None or _holds_more(x))


def _is_rows(x: Any) -> bool:
    return is_sequence(x) and nests.shape(x) is not None and not _holds_more(x)


def _holds_more(x: Any, depth: int = nests.DEPTH) -> bool:
    """Tell whether a sequence holds anything but numbers and such sequences, which would be ragged rows."""
    return not depth or any(
        is_array(entry) or (_holds_more(entry, depth - 1) if is_sequence(entry) and not hasattr(entry, "_fields")
        else entry is not None and nests.entries(entry) is not None)
        for entry in x
    )  # fmt: skip
