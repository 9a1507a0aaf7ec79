"""Derivatives of plain Python functions: `grad`, `value_and_grad`, `jacobian`, `hessian`, `hvp`, `jvp`.

A function takes numbers, sequences or arrays of numbers, and is called with Values in their place: a number becomes
a Value, a list or tuple the same of Values, an array an array of Values. Answers are floats, or float64 arrays.

>>> from autodiff import exp
>>> grad(lambda x: x * exp(x))(0.0)
1.0
>>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
array([[10.,  6.],
       [ 6.,  0.]])

They nest, and give Values when given Values: `grad(grad(f))` is f″. Inside another transform, an answer that depends
on the outer variable is a Value too, so that the outer one can go on; derivatives by different variables never mix.
Nothing is written to anybody's `.grad`.
"""

from __future__ import annotations

import functools
import inspect
import operator
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from autodiff import grad_mode
from autodiff.backward import topological_order
from autodiff.domains import is_array, number, unbox
from autodiff.grad_mode import recording
from autodiff.propagation import partials_as_values, propagate, push_forward
from autodiff.value import Value, as_value

Function = Callable[..., Any]
ArgNums = int | Sequence[int]

_open: set[Value] = set()  # the variables of all derivatives that are now being taken, in all threads
_open_lock = threading.Lock()


def grad(f: Function, argnums: ArgNums = 0) -> Function:
    """Give the gradient of `f`, a function of numbers that returns one number.

    `argnums` says by which arguments: a position, or several (then the answer is a tuple). The gradient has the shape
    of its argument: a float for a number, a float64 array for a sequence or array. What `f` takes from elsewhere (a
    Value of yours, a model's weights) is constant here: pass it as an argument, or pass Values to get Values back.

    Raises TypeError when `f` returns anything but one number, or `argnums` is no position; ValueError when a call has
    no argument there.

    >>> grad(lambda w, b: (2.0 * w + b - 1.0) ** 2, argnums=(0, 1))(3.0, 1.0)
    (24.0, 12.0)
    """
    both = value_and_grad(f, argnums)
    return _named_after(f, lambda *args, **options: both(*args, **options)[1])


def value_and_grad(f: Function, argnums: ArgNums = 0) -> Function:
    """Give a function that returns value and gradient of `f` together; otherwise as `grad`.

    It is what `scipy.optimize.minimize(..., jac=True)` wants.

    >>> value_and_grad(lambda x: (x ** 2).sum())(np.array([1.0, 2.0]))
    (5.0, array([2., 4.]))
    """
    argnums = _checked(f, argnums)

    def both(*args: Any, **options: Any) -> Any:
        call = _Call(f, argnums, args, options)
        return call.finish(call.one_output()), call.by_argument(call.derivatives(call.outputs))

    return _named_after(f, both)


def jacobian(f: Function, argnums: ArgNums = 0) -> Function:
    """Give ∂output/∂input of a function that returns a number, or a sequence or array of numbers.

    Its shape is the output's followed by the input's; otherwise as `grad`.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1], 7.0])([2.0, 3.0])
    array([[3., 2.],
           [1., 1.],
           [0., 0.]])
    """
    argnums = _checked(f, argnums)

    def matrix(*args: Any, **options: Any) -> Any:
        call = _Call(f, argnums, args, options)
        return call.by_argument(call.derivatives(call.outputs))

    return _named_after(f, matrix)


def hessian(f: Function, argnums: ArgNums = 0) -> Function:
    """Give the second derivatives of `f`, a function that returns one number.

    The shape is the argument's twice over: a float for a number, (n, n) for n numbers. For several `argnums` it is a
    tuple of tuples of such blocks. Otherwise as `grad`.

    >>> hessian(lambda x: x ** 3)(2.0)
    12.0
    """
    argnums = _checked(f, argnums)

    def matrix(*args: Any, **options: Any) -> Any:
        call = _Call(f, argnums, args, options)
        table = call.derivatives(call.gradient())
        blocks = [call.by_argument(table[part].reshape(*shape, len(call.variables))) for part, shape in call.parts]
        return tuple(blocks) if call.several else blocks[0]

    return _named_after(f, matrix)


def hvp(f: Function, argnums: ArgNums = 0) -> Function:
    """Give (x, v, ...) ↦ H(x)·v, the Hessian of `f` times a vector, for the cost of two sweeps.

    `v` comes second and has the shape of the argument that `argnums` names (for several: a tuple); the other arguments
    of `f` follow. That is the `hessp` of `scipy.optimize.minimize`. ValueError when the shapes differ.

    >>> hvp(lambda x: x[0] ** 2 * x[1])([3.0, 5.0], [1.0, 0.0])
    array([10.,  6.])
    """
    argnums = _checked(f, argnums)

    def product(x: Any, v: Any, *args: Any, **options: Any) -> Any:
        call = _Call(f, argnums, (x, *args), options, alongside=v)
        vector = call.tangents(v if call.several else (v,))
        slope = np.dot(call.gradient(), vector) if len(vector) else 0.0
        return call.by_argument(call.derivatives(_flatten(slope)))

    return product


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Give f(*primals), and how fast it changes when its arguments change at `tangents` (forward mode).

    One tangent per argument, of its shape. TypeError when these are no sequences, ValueError when shapes differ.

    >>> jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 0.5))
    (12.0, 5.5)
    """
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not is_sequence(given):
            raise TypeError(f"jvp takes {name} as a tuple with one entry per argument, got {type(given).__name__}")
    call = _Call(f, _checked(f, tuple(range(len(primals)))), tuple(primals), {}, alongside=tangents)
    at = dict(zip(call.variables, call.tangents(tangents), strict=True))
    rates = [push_forward(x, at, call.partials) if isinstance(x, Value) else 0.0 for x in call.outputs.flat]
    return call.finish(call.outputs), call.finish(_objects(rates).reshape(call.outputs.shape))


class _Call:
    """One call of the user's function with variables in place of the arguments that `argnums` names."""

    def __init__(self, f: Function, argnums: ArgNums, args: Any, options: Any, alongside: Any = ()) -> None:
        names = _parameter_names(f, len(args))
        lifted = list(args)
        self.several = not isinstance(argnums, int)
        self.variables: list[Value] = []
        self.parts: list[tuple[slice, tuple[int, ...]]] = []  # of the variables: which are whose, and in what shape
        with recording(on=True):
            for i in _positions(argnums, len(args)):
                start = len(self.variables)
                lifted[i], shape = _lift(args[i], names[i], self.variables)
                self.parts.append((slice(start, len(self.variables)), shape))
            with _open_lock:
                _open.update(self.variables)
            try:
                self.returned = f(*lifted, **options)
            finally:
                with _open_lock:
                    for variable in self.variables:
                        _open.discard(variable)
        self.outputs = _outputs(self.returned)
        # Someone goes on from here: a caller that passed Values, or an enclosing derivative.
        directions = _directions(alongside).flat
        self.given_values = any(v.op for v in self.variables) or any(isinstance(x, Value) for x in directions)
        self.goes_on = self.given_values or grad_mode.tracer() is not None
        if _open and not self.goes_on:
            graphs = (topological_order(x) for x in self.outputs.flat if isinstance(x, Value))
            self.goes_on = any(node in _open for graph in graphs for node in graph)
        self.partials: Any = partials_as_values if self.goes_on else operator.attrgetter("partials")

    def one_output(self) -> Any:
        """The output of a function that must return one number."""
        if self.outputs.shape:
            raise TypeError(
                f"the function must return one number here, and returned a {type(self.returned).__name__} of shape "
                f"{self.outputs.shape}: use jacobian, or return one entry"
            )
        return self.outputs

    def gradient(self) -> Any:
        """The first derivatives as Values, to be differentiated again."""
        output = self.one_output()[()]
        with recording(on=True):
            delta = propagate(output, self.variables, partials_as_values) if isinstance(output, Value) else {}
            return _objects([delta.get(v, 0.0) for v in self.variables])

    def derivatives(self, outputs: Any) -> Any:
        """∂output/∂variable as an array of the outputs' shape, with one more axis for the variables."""
        table = np.zeros((outputs.size, len(self.variables)), dtype=object)
        with recording(on=True):
            for row, output in zip(table, outputs.flat, strict=True):
                if isinstance(output, Value):
                    delta = propagate(output, self.variables, self.partials)
                    row[:] = [delta.get(v, 0.0) for v in self.variables]
        return table.reshape(*outputs.shape, len(self.variables))

    def tangents(self, given: Sequence[Any]) -> list[Any]:
        """One rate of change per variable, checked against the arguments' shapes."""
        arrays = [_directions(x) for x in given]
        shapes, wanted = [x.shape for x in arrays], [shape for _, shape in self.parts]
        if shapes != wanted:
            raise ValueError(f"the tangents must have the shapes of their arguments, {wanted}, and have {shapes}")
        return [x for array in arrays for x in array.flat]

    def by_argument(self, table: Any) -> Any:
        """Cut the last axis, the variables, into one answer per argument."""
        answers = [self.finish(table[..., part].reshape(table.shape[:-1] + shape)) for part, shape in self.parts]
        return tuple(answers) if self.several else answers[0]

    def finish(self, answer: Any) -> Any:
        """Values where someone goes on from them, else floats."""
        if self.given_values:
            answer = _objects(map(as_value, answer.flat)).reshape(answer.shape)
        if not (self.goes_on and any(isinstance(x, Value) for x in answer.flat)):
            plain = [x.data if isinstance(x, Value) else x for x in answer.flat]
            answer = np.array(plain, dtype=np.float64).reshape(answer.shape)
        return answer if answer.shape else answer.item()


def _objects(items: Iterable[Any]) -> Any:
    items = list(items)
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _lift(x: Any, name: str, variables: list[Value]) -> tuple[Any, tuple[int, ...]]:
    """Put variables in place of the numbers of an argument, and give the argument's shape."""
    if is_array(x):
        lifted = np.empty(x.shape, dtype=object)
        for index in np.ndindex(x.shape):
            lifted[index], _ = _lift(x[index], f"{name}[{', '.join(map(str, index))}]", variables)
        return lifted, x.shape
    if is_sequence(x):
        pieces = [_lift(entry, f"{name}[{i}]", variables) for i, entry in enumerate(x)]
        shapes = {shape for _, shape in pieces}
        if len(shapes) > 1:
            raise ValueError(f"{name} is ragged: its entries have the shapes {sorted(shapes)}, and must all have one")
        lifted = [entry for entry, _ in pieces]
        same = type(x)(*lifted) if hasattr(x, "_fields") else type(x)(lifted)  # a namedtuple takes its fields
        return same, (len(x), *(shapes.pop() if shapes else ()))
    if (tracer := grad_mode.tracer()) is not None:
        variable = tracer.variable(x, name)
    elif isinstance(x, Value):
        variable = +x  # a node of its own, so that this derivative stops here and an outer one goes on
        variable.label = x.label or name
    else:
        try:
            variable = Value(x, name)
        except TypeError as error:
            raise TypeError(f"cannot differentiate by {name}: {error}") from None
    variables.append(variable)
    return variable, ()


def _flatten(x: Any, *, deep: bool = False) -> Any:
    """What a function returned as an array of Values and floats; `deep` does not ask that shapes agree."""
    x = unbox(x)
    if isinstance(x, Value):
        array = np.empty((), dtype=object)
        array[()] = x
        return array
    if is_array(x):
        return _objects(_entry(e) for e in x.flat).reshape(x.shape)
    if is_sequence(x):
        parts = [_flatten(entry, deep=deep) for entry in x]
        if len({part.shape for part in parts}) <= 1:
            shape = (len(parts), *(parts[0].shape if parts else ()))
            return _objects(e for part in parts for e in part.flat).reshape(shape)
        if deep:
            return _objects(e for part in parts for e in part.flat)
        raise TypeError(f"the function returned a ragged {type(x).__name__}: its entries must all have one shape")
    return np.array(_entry(x), dtype=object)


def is_sequence(x: Any) -> bool:
    """Whether `x` is a list or tuple of arguments or entries."""
    return isinstance(x, (list, tuple))


def _outputs(returned: Any) -> Any:
    """What the function returned, as `_flatten` gives it."""
    try:
        return _flatten(returned)
    except TypeError as error:
        if is_sequence(returned):
            raise TypeError(
                f"the function returned a {type(returned).__name__}, and a derivative is of one number, or with "
                f"jacobian of numbers in one shape: {error}"
            ) from None
        raise


def _directions(given: Any) -> Any:
    """Tangents, of any shapes, as one array."""
    try:
        return _flatten(given, deep=True)
    except TypeError:
        raise TypeError(f"tangents are numbers, in the shapes of the arguments they belong to, got {given!r}") from None


def _entry(x: Any) -> Any:
    try:
        return x if isinstance(x, Value) else number(x)
    except TypeError:
        kind = "None: is a `return` missing?" if x is None else type(x).__name__
        raise TypeError(f"the function must return Values or numbers, and returned {kind}") from None


def _checked(f: Any, argnums: Any) -> ArgNums:
    if not callable(f):
        raise TypeError(f"the first argument is the function to differentiate, got {type(f).__name__}")
    given: Any = argnums if is_sequence(argnums) else [argnums]
    try:
        positions = [operator.index(i) for i in given]
    except TypeError:
        positions = []
    if len(positions) < len(given) or any(isinstance(i, (bool, np.bool_)) for i in given):
        raise TypeError(f"argnums is the position of an argument, or a tuple of positions, got {argnums!r}")
    return tuple(positions) if is_sequence(argnums) else positions[0]


def _positions(argnums: ArgNums, count: int) -> list[int]:
    given = [argnums] if isinstance(argnums, int) else list(argnums)
    for i in given:
        if not -count <= i < count:
            raise ValueError(
                f"argnums={argnums} asks for an argument that is not there: the call has {count} positional"
            )
    positions = [i % count for i in given]
    if len(set(positions)) < len(positions):
        raise ValueError(f"argnums={argnums} names an argument twice")
    return positions


def _parameter_names(f: Function, count: int) -> list[str]:
    """What to call the variables in errors: as the function's own parameters."""
    try:
        parameters = inspect.signature(f).parameters.values()
        names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):  # some callables written in C have no signature
        names = []
    return [*names, *(f"argument{i}" for i in range(len(names), count))][:count]


def _named_after(f: Function, derivative: Function) -> Function:
    return functools.wraps(f, assigned=("__module__", "__name__", "__qualname__"), updated=())(derivative)
