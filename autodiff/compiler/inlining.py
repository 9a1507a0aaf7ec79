"""Programs inside other functions: called, or differentiated, while one is traced, of which they become a part.

Numbers alone are one point, and arrays have rows, as in any call; answers are stand-ins, or arrays of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import grad_mode, nests
from autodiff.backward import topological_order
from autodiff.compiler.answers import Reduce
from autodiff.compiler.cache import Cache
from autodiff.compiler.call import Arguments, count_rows, refuse_reduce, refuse_several, warn_of_nothing
from autodiff.compiler.trace.tracer import taken_apart
from autodiff.domains import is_array, unbox
from autodiff.errors import TraceError
from autodiff.naming import describe
from autodiff.nests import is_sequence
from autodiff.ops import OPS
from autodiff.propagation import partials_as_values, propagate
from autodiff.transforms import jvp as jvp_of
from autodiff.value import Value
from autodiff.variables import being_varied

Objects = NDArray[np.object_]


class Rows(Arguments):
    """The arguments of a call as arrays of numbers and stand-ins, row by row."""

    def __init__(self, cache: Cache, args: Sequence[Any], options: Mapping[str, Any]) -> None:
        super().__init__(cache, args, options)
        self.cache = cache
        self.symbols = [_symbols(x, i in self.static) for i, x in enumerate(self.leaves)]
        varying = [axis is not None and i not in self.static for i, axis in enumerate(self.axes)]
        self.has_rows = any(varies and x.ndim for x, varies in zip(self.symbols, varying, strict=True))
        self.batched = [varies and self.has_rows for varies in varying]
        self.count = count_rows(self.symbols, self.batched, self.names)

    def row(self, k: int) -> list[Any]:
        """Return the leaves of one row."""
        rows = [x[k] if each else x for x, each in zip(self.symbols, self.batched, strict=True)]
        return [x[()] if is_array(x) and not x.ndim else x for x in map(unbox, rows)]

    def stacked(self, answers: Sequence[Any]) -> Any:
        """Return the answers for all rows together, in their form."""
        apart = [taken_apart(answer) for answer in answers]
        outputs = np.empty((len(apart), len(apart[0][0])), dtype=object)
        for k, (flat, _, _) in enumerate(apart):
            outputs[k] = flat
        _, shape, form = apart[0]
        found = outputs if self.has_rows else outputs[0]
        if form is not None:
            return form.filled(found)
        found = found.reshape((*found.shape[:-1], *shape))
        return found if found.ndim else found[()]


class Differentiated(Rows):
    """A call whose answers are differentiated, by the parameters and by the arguments that stand in its way."""

    def __init__(
        self, cache: Cache, args: Sequence[Any], options: Mapping[str, Any], reduce: Reduce, weights: Any
    ) -> None:
        super().__init__(cache, args, options)
        refuse_reduce(reduce)
        self.reduce = reduce
        for i, x in enumerate(self.symbols):
            if i not in self.static:
                self.symbols[i] = _each(lambda entry, i=i: _variable(entry, self.names[i]), x)
        self.variables = [x for i, array in enumerate(self.symbols) if i not in self.static for x in array.flat]
        apart = [taken_apart(self.f(*self.row(k))) for k in range(self.count)]
        refuse_several(*apart[0][1:])
        self.values = [flat[0] for flat, _, _ in apart]
        self.met = _leaves_below(self.values, self.variables)
        self.order = self._order()
        scales = self._scales(weights)
        self.value = (
            np.array([x if c is None else c * x for x, c in zip(self.values, scales, strict=True)], dtype=object)
            if reduce is None
            else sum([c * x for x, c in zip(self.values[1:], scales[1:], strict=True)], scales[0] * self.values[0])
        )
        self.roots = [self.value] if reduce is not None else self.values

    def _order(self) -> list[Value]:
        """Return the parameters in the order of gradients: that of the program, where it has one."""
        cache = self.cache
        order = cache.order
        if order is None:
            order = cache.met if cache.latest is None else cache.latest.parameters
        if order is None:
            cache.met = order = self.met
        known = {id(p) for p in order}
        new = next((p for p in self.met if id(p) not in known), None)
        if new is not None and cache.fixed is None and grad_mode.tracer() is not None:
            raise ValueError(
                f"a program must meet the same Values inside another one as in its latest call, and {describe(new)} is "
                "new; name them all, compile(…, parameters=…)"
            )
        return order

    def _scales(self, weights: Any) -> list[Any]:
        n = self.count
        if weights is None:
            return [None if self.reduce is None else 1.0 if self.reduce == "sum" else 1.0 / n] * n
        found = _symbols(weights, static=False)
        if found.shape != (n,):
            raise ValueError(f"weights must be ({n},), one per row, got {found.shape}")
        given = list(found)
        return [w / sum(given) for w in given] if self.reduce == "mean" else given

    def delta(self, root: Any) -> dict[Any, Any]:
        """Return δ of the parameters and of the arguments."""
        return propagate(root, [*self.variables, *self.met], partials_as_values) if isinstance(root, Value) else {}

    def in_order(self, deltas: Sequence[Mapping[Any, Any]]) -> Objects:
        """Return the derivatives by the parameters: of each row, or their sum."""
        found = np.array([[delta.get(p, 0.0) for p in self.order] for delta in deltas], dtype=object)
        found = found.reshape(len(deltas), len(self.order))
        return found[0] if self.reduce is not None else found

    def by_leaf(self, i: int, deltas: Sequence[Mapping[Any, Any]]) -> Any:
        """Return the derivatives by a leaf of the arguments, in its shape."""
        x = self.symbols[i]
        if self.reduce is None and self.batched[i]:  # of each row by itself
            found = np.array([_each(deltas[k].get, x[k : k + 1])[0] for k in range(self.count)], dtype=object)
        else:
            each = [_each(delta.get, x) for delta in deltas]
            found = each[0] if self.reduce is not None or not self.has_rows else np.array(each, dtype=object)
        found = _each(lambda d: 0.0 if d is None else d, np.asarray(found, dtype=object))
        return found if found.ndim else found[()]


def called(cache: Cache, args: Sequence[Any], options: Mapping[str, Any], check: bool) -> Any:
    """Return the answer of a program for every row."""
    _refuse_check(check)
    rows = Rows(cache, args, options)
    return rows.stacked([rows.f(*rows.row(k)) for k in range(rows.count)])


def value_and_grad(
    cache: Cache, args: Sequence[Any], options: Mapping[str, Any], reduce: Reduce, argnums: Any, argnames: Any,
    weights: Any, check: bool,
) -> Any:  # fmt: skip
    """Return what `Program.value_and_grad` promises."""
    _refuse_check(check)
    call = Differentiated(cache, args, options, reduce, weights)
    argnums, chosen = call.chosen(argnums, argnames)
    warn_of_nothing(cache, argnums, call.order)
    deltas = list(map(call.delta, call.roots))
    gradient = call.in_order(deltas)
    if argnums is None:
        return call.value, gradient
    leaves = [call.by_leaf(i, deltas) for k in chosen for i in call.leaves_of(k)]
    return call.value, gradient, call.by_argument(argnums, chosen, leaves)


def hvp(cache: Cache, args: Sequence[Any], vector: Any, reduce: Reduce, weights: Any) -> Any:
    """Return what `Program.hvp` promises."""
    call = Differentiated(cache, args, {}, reduce, weights)
    v = _symbols(vector, static=False)
    refuse_vector(v.shape, len(call.order))
    slopes = [sum([delta[p] * x for p, x in zip(call.order, v, strict=True) if p in delta], 0.0)
              for delta in map(call.delta, call.roots)]  # fmt: skip
    return call.in_order(list(map(call.delta, slopes)))


def jvp(cache: Cache, primals: Sequence[Any], tangents: Sequence[Any], options: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return what `Program.jvp` promises."""
    rows, rates = Rows(cache, primals, options), Rows(cache, tangents, {})
    n = len(rates.symbols)
    both: list[tuple[Any, Any]] = []
    for k in range(rows.count):
        leaves = rows.row(k)

        def of_primals(*given: Any, rest: Sequence[Any] = leaves[n:]) -> Any:
            return rows.f(*given, *rest)

        both.append(jvp_of(of_primals, leaves[:n], rates.row(k)))
    return rows.stacked([value for value, _ in both]), rows.stacked([rate for _, rate in both])


def raise_unless_of_values(cache: Cache, check: bool, *given: Any) -> None:
    """Raise the error of a call again, unless a Value is among its arguments, or it varies a parameter."""
    leaves = [x for _, x in nests.leaves(given, "")]
    values = any(isinstance(x, Value) for leaf in leaves for x in (leaf.flat if is_array(leaf) else [leaf]))
    if check or not (values or (cache.latest is not None and being_varied(cache.latest.parameters))):
        raise  # noqa: PLE0704 # what is being handled


def _refuse_check(check: bool) -> None:
    if check:
        raise TraceError("check belongs to the call of the outer program, check=True, which looks at this one too")


def refuse_vector(shape: tuple[int, ...], n: int) -> None:
    """Raise ValueError for a vector that has not one entry per parameter."""
    if shape != (n,):
        raise ValueError(f"the vector must be ({n},), one entry per parameter, got {shape}")


def _symbols(x: Any, static: bool) -> Any:
    """Return an argument as an array of numbers and stand-ins."""
    if static:
        return x
    if is_array(x):
        return x.astype(object)
    one = np.empty((), dtype=object)
    one[()] = x
    return np.array(x, dtype=object) if is_sequence(x) else one


def _each(f: Callable[[Any], Any], x: Any) -> Objects:
    """Return what a function makes of each entry of an array."""
    found = np.empty(x.shape, dtype=object)
    for k, entry in enumerate(x.flat):
        found.flat[k] = f(entry)
    return found


def _variable(x: Any, name: str) -> Any:
    """Return a node of its own that equals x, at which differentiation ends."""
    tracer = grad_mode.tracer()
    return tracer.variable(x, name) if tracer is not None else OPS["pos"](x) if isinstance(x, Value) else Value(x)


def _leaves_below(roots: Sequence[Any], stop: Sequence[Any]) -> list[Value]:
    """Return the leaf Values that these depend on, other than by the nodes in `stop`."""
    if (tracer := grad_mode.tracer()) is not None:
        return tracer.parameters_below(roots, stop)
    ends = set(stop)
    found = [x for root in roots if isinstance(root, Value) for x in topological_order(root, ends)]
    return [x for x in dict.fromkeys(found) if x.op is None and x not in ends]
