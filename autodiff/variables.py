"""One call of a user's function, with variables in place of the arguments to differentiate by."""

from __future__ import annotations

import inspect
import operator
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from autodiff import grad_mode, nests
from autodiff.backward import topological_order
from autodiff.domains import is_array, number, unbox
from autodiff.grad_mode import recording
from autodiff.nests import is_sequence
from autodiff.propagation import partials_as_values, propagate
from autodiff.value import Value, as_value

_open: set[Value] = set()  # the variables of all derivatives that are now being taken, in all threads
_open_lock = threading.Lock()


def being_varied(values: Iterable[Value]) -> bool:
    """Tell whether a function that is being differentiated runs with one of these as its variable."""
    return bool(_open) and not _open.isdisjoint(values)


@dataclass(frozen=True, slots=True)
class Request:
    """A function to differentiate, and the arguments to differentiate it by."""

    f: Callable[..., Any]
    by: tuple[int | str, ...]  # positions, or names
    several: bool
    has_aux: bool
    parameters: list[str]

    @classmethod
    def of(cls, f: Any, argnums: Any, argnames: Any, has_aux: bool) -> Request:
        """Check what a transform was called with; that of a program is that of its function of one sample."""
        f = getattr(f, "_sample", f)
        if not callable(f):
            raise TypeError(f"the first argument must be the function to differentiate, got {kind(f)}")
        asked: Any = argnames if argnums is None and argnames is not None else 0 if argnums is None else argnums
        several = is_sequence(asked)
        given: list[Any] = list(asked) if several else [asked]
        if not given:
            raise ValueError(f"there must be an argument to differentiate by, got {asked!r}")
        if argnums is not None or argnames is None:
            if any(isinstance(i, (bool, np.bool_, np.ndarray)) or not hasattr(i, "__index__") for i in given):
                raise TypeError(
                    f"argnums must be the position of an argument, or a tuple of positions, got {asked!r}; pass the "
                    "arguments of f to what is returned, as in grad(f)(x)"
                )
            given = list(map(operator.index, given))
        elif not all(isinstance(name, str) for name in given):
            raise TypeError(f"argnames must be the name of an argument, or a tuple of names, got {asked!r}")
        if argnums is not None and argnames is not None:
            raise ValueError("argnums and argnames must not be given both; argnames finds positional arguments too")
        return cls(f, tuple(given), several, has_aux, parameter_names(f))

    def places(self, count: int, options: dict[str, Any]) -> list[tuple[int | str, str]]:
        """Return where the arguments are in a call, by position or keyword, and what messages call them."""
        names = [*self.parameters, *(f"argument{i}" for i in range(len(self.parameters), count))][:count]
        places: list[int | str] = []
        for which in self.by:
            place: int | str | None = which if which in options else None
            if isinstance(which, int):
                keyword = self.parameters[which] if count <= which < len(self.parameters) else ""
                place = keyword if keyword in options else which % count if -count <= which < count else None
            elif place is None and which in names:
                place = names.index(which)
            if place is None:
                what, passed = "argnums" if isinstance(which, int) else "argnames", [*names, *options]
                raise ValueError(
                    f"{what} must choose arguments that the call passes, got {which!r}; "
                    f"it passes {', '.join(passed) or 'none'}"
                )
            places.append(place)
        if len(set(places)) < len(places):
            raise ValueError(f"each argument to differentiate by must be named once, got {self.by}")
        return [(place, place if isinstance(place, str) else names[place]) for place in places]


class Part(NamedTuple):
    """A leaf of a nest among all its numbers: how a message reaches it, which are its own, and their shape."""

    path: str
    where: slice
    shape: tuple[int, ...]

    def of(self, table: Any) -> Any:
        """Return its own numbers of those along the last axis, in its shape."""
        return table[..., self.where].reshape(table.shape[:-1] + self.shape)


@dataclass(frozen=True, slots=True)
class Form:
    """An argument or an answer: something of its form, and its leaves. Numbers in one shape are one leaf."""

    name: str
    like: Any
    parts: list[Part]

    @classmethod
    def of(cls, x: Any, name: str, parts: list[Part]) -> Form:
        """Return the form of `x`, whose leaves are `parts`."""
        block = nests.shape(x)
        if block is None:
            return cls(name, x, parts)
        where = slice(parts[0].where.start, parts[-1].where.stop) if parts else slice(0)
        return cls(name, 0.0, [Part(name, where, block)])

    def filled(self, finish: Callable[[Any], Any], table: Any) -> Any:
        """Return the same nest, each leaf the `finish` of its numbers of those along the last axis."""
        answers = [finish(part.of(table)) for part in self.parts]
        return answers[0] if self.like.__class__ is float else nests.replace(self.like, iter(answers))

    def rates(self, tangent: Any) -> list[Any]:
        """Return one rate of change for each number, from a tangent that must have this form."""
        whole = self.like.__class__ is float
        held: dict[str, Any] = {self.name: tangent} if whole else dict(nests.leaves(tangent, self.name))
        rates: list[Any] = []
        for part in self.parts:
            if part.path not in held:
                got = next((path for path in held if path.startswith(part.path)), "none")
                raise ValueError(f"the tangent of {self.name} must have its form, got {got} for {part.path}")
            given = held.pop(part.path)
            if nests.shape(given) != part.shape:
                got = nests.shape(given) or kind(given)
                raise ValueError(f"the tangent of {part.path} must have its shape, {part.shape}, got {got}")
            for _, leaf in nests.leaves(given, part.path):
                rates += [_checked(x, "a tangent must be made of numbers", part.path) for x in _flat(leaf)]
        if held:
            raise ValueError(f"the tangent of {self.name} must have its form, got one for {next(iter(held))} too")
        return rates


class Call:
    """One call of the user's function with variables in place of the arguments to differentiate by."""

    def __init__(
        self, request: Request, args: Sequence[Any], options: dict[str, Any], alongside: Sequence[Any] = ()
    ) -> None:
        lifted: list[Any] = list(args)
        named = dict(options)
        self.several = request.several
        self.variables: list[Value] = []
        self.arguments: list[Form] = []
        with recording(on=True):
            for place, name in request.places(len(args), options):
                if isinstance(place, int):
                    lifted[place] = self._lift(args[place], name)
                else:
                    named[place] = self._lift(options[place], name)
            with _open_lock:
                _open.update(self.variables)
            try:
                returned = request.f(*lifted, **named)
            finally:
                with _open_lock:
                    for variable in self.variables:
                        _open.discard(variable)
        self.has_aux, self.aux = request.has_aux, None
        if request.has_aux:
            if not (is_sequence(returned) and len(returned) == 2):
                raise TypeError(f"with has_aux the function must return (answer, aux), got {kind(returned)}")
            returned, self.aux = returned
        self.returned = returned
        self.output, self.outputs = _outputs(returned)
        # Someone goes on from here: a caller that passed Values, or an enclosing derivative.
        self.given_values = any(v.op for v in self.variables) or (len(alongside) > 0 and _values(alongside) != [])
        self.goes_on = self.given_values or grad_mode.tracer() is not None
        if _open and not self.goes_on:
            graphs = (topological_order(x) for x in [*self.outputs, *_values(self.aux)] if isinstance(x, Value))
            self.goes_on = any(node in _open for graph in graphs for node in graph)
        self.partials: Any = partials_as_values if self.goes_on else operator.attrgetter("partials")

    def _lift(self, x: Any, name: str) -> Any:
        """Return an argument with variables in place of its numbers, and note its form."""
        start = len(self.variables)
        parts: list[Part] = []

        def leaf(x: Any, path: str) -> Any:
            first = len(self.variables)
            if is_array(x):
                lifted: Any = np.empty(x.shape, dtype=object)
                for index in np.ndindex(x.shape):
                    lifted[index] = _variable(x[index], f"{path}[{', '.join(map(str, index))}]")
                self.variables += lifted.flat
            else:
                lifted = _variable(x, path)
                self.variables.append(lifted)
            parts.append(Part(path, slice(first, len(self.variables)), x.shape if is_array(x) else ()))
            return lifted

        lifted = nests.mapped(leaf, x, name)
        if len(self.variables) == start:
            raise ValueError(f"{name} must hold at least one number to differentiate by, got {x!r}")
        self.arguments.append(Form.of(x, name, parts))
        return lifted

    def one_output(self) -> Any:
        """Return the output of a function that must return one number, as a row of one."""
        block = nests.shape(self.returned)
        if block != ():
            got = kind(self.returned) + (f" of shape {block}" if block else "")
            aside = "; with has_aux=True, f returns (number, aux)" if is_sequence(self.returned) else ""
            raise TypeError(
                f"the function must return one number here, got {got}: use jacobian, or return one entry{aside}"
            )
        return self.outputs

    def gradient(self) -> Any:
        """Return the first derivatives as Values, to be differentiated again."""
        output = self.one_output()[0]
        with recording(on=True):
            delta = propagate(output, self.variables, partials_as_values) if isinstance(output, Value) else {}
            return in_a_row(delta.get(v, 0.0) for v in self.variables)

    def derivatives(self, outputs: Any) -> Any:
        """Return ∂output/∂variable, a row for each output and a column for each variable."""
        table = np.zeros((len(outputs), len(self.variables)), dtype=object)
        with recording(on=True):
            for row, output in zip(table, outputs, strict=True):
                if isinstance(output, Value):
                    delta = propagate(output, self.variables, self.partials)
                    row[:] = [delta.get(v, 0.0) for v in self.variables]
        return table

    def tangents(self, given: Sequence[Any]) -> list[Any]:
        """Return one rate of change per variable, checked against the arguments' shapes."""
        if len(given) != len(self.arguments):
            raise ValueError(f"there must be one tangent per argument, {len(self.arguments)}, got {len(given)}")
        return [rate for form, x in zip(self.arguments, given, strict=True) for rate in form.rates(x)]

    def one_or_all(self, answers: list[Any]) -> Any:
        """Return an answer for each argument in a tuple, where several were asked for, else the only one."""
        return tuple(answers) if self.several else answers[0]

    def by_argument(self, table: Any) -> Any:
        """Cut the last axis, the variables, into one answer per argument."""
        return self.one_or_all([form.filled(self.finish, table) for form in self.arguments])

    def by_both(self, form: Form, table: Any) -> Any:
        """Return derivatives, a row for each number of `form`: each leaf becomes one answer per argument."""
        return form.filled(lambda block: self.by_argument(np.moveaxis(block, 0, -1)), table.T)

    def finish(self, answer: Any) -> Any:
        """Return Values where someone goes on from them, else floats."""
        if self.given_values:
            answer = in_a_row(map(as_value, answer.flat)).reshape(answer.shape)
        if not (self.goes_on and any(isinstance(x, Value) for x in answer.flat)):
            plain = [x.data if isinstance(x, Value) else x for x in answer.flat]
            answer = np.array(plain, dtype=np.float64).reshape(answer.shape)
        return answer if answer.shape else answer.item()

    def with_aux(self, answer: Any) -> Any:
        """Return the answer, and what the function returned beside it if that was asked for."""
        return (answer, self.released_aux()) if self.has_aux else answer

    def released_aux(self) -> Any:
        """Return what the function returned beside its answer; Values in it become floats where nobody goes on."""

        def leaf(x: Any, _: str) -> Any:
            return self.finish(in_a_row(_flat(x)).reshape(x.shape if is_array(x) else ())) if _values(x) else x

        return nests.mapped(leaf, self.aux, "aux")


def in_a_row(items: Iterable[Any]) -> Any:
    """Return an object array of these."""
    items = list(items)
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _variable(x: Any, name: str) -> Value:
    """Return a variable of the value of `x`, a number or Value."""
    if (tracer := grad_mode.tracer()) is not None:
        return tracer.variable(x, name)
    if isinstance(x, Value):
        variable = +x  # a node of its own, so that this derivative stops here and an outer one goes on
        variable.label = x.label or name
        return variable
    try:
        return Value(x, name)
    except TypeError as error:
        rule, _, advice = str(error).partition("; ")
        advice = _way_out(x) or advice
        raise TypeError(f"cannot differentiate by {name}: {rule}{advice and '; '}{advice}") from None


def _way_out(x: Any) -> str:
    """Return how to pass what holds numbers, or no number, in another way; "" where one number is meant."""
    if isinstance(x, (str, bytes)):
        return "pass text as an argument of its own, or in a dataclass field with metadata={'static': True}"
    if isinstance(x, type) or not hasattr(x, "__iter__") or getattr(x, "ndim", 1) == 0:
        return ""
    ways = {"to_numpy": ".to_numpy()", "numpy": ".numpy()", "keys": "dict(…)"}
    way = next((way for name, way in ways.items() if hasattr(x, name)), "list(…)")
    return f"arrays, dicts, lists, tuples and dataclasses may hold numbers: convert it by {way}"


def _outputs(returned: Any) -> tuple[Form, Any]:
    """Return the form of what the function returned, and its numbers in a row."""
    numbers: list[Any] = []
    parts: list[Part] = []

    def leaf(x: Any, path: str) -> None:
        start = len(numbers)
        numbers.extend(_checked(entry, "the function must return Values or numbers", path) for entry in _flat(x))
        parts.append(Part(path, slice(start, len(numbers)), x.shape if is_array(x) else ()))

    if returned is None:
        raise TypeError("the function must return Values or numbers, got None; is a `return` missing?")
    nests.mapped(leaf, returned, "the answer")
    return Form.of(returned, "the answer", parts), in_a_row(numbers)


def _checked(x: Any, rule: str, path: str) -> Any:
    try:
        return x if isinstance(x, Value) else number(x)
    except TypeError:
        raise TypeError(f"{rule}, got {kind(x)}{path and f' in {path}'}") from None


def _flat(x: Any) -> Any:
    """Return the numbers of a leaf."""
    x = unbox(x)
    return x.flat if is_array(x) else [x]


def _values(x: Any) -> list[Value]:
    """Return the Values that a nest holds."""
    return [v for _, leaf in nests.leaves(x, "aux") for v in _flat(leaf) if isinstance(v, Value)]


def kind(x: Any) -> str:
    """Return what a message calls this kind of thing."""
    return "None" if x is None else type(x).__name__


def parameter_names(f: Callable[..., Any], *, keyword_only: bool = False) -> list[str]:
    """Return what the function calls its positional parameters, or those that are passed by keyword only."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):  # some callables written in C have no signature
        return []
    p = inspect.Parameter
    kinds = {p.KEYWORD_ONLY} if keyword_only else {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}
    return [p.name for p in parameters if p.kind in kinds]
