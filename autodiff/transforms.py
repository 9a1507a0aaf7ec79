"""Derivatives of plain Python functions: `grad`, `value_and_grad`, `jacobian`, `hessian`, `hvp`, `jvp`.

A function takes numbers, arrays, and nests of both: dicts, dataclasses, named tuples, lists and tuples. It is called
with Values in place of the numbers, everything else as it was. Answers are floats, or float64 arrays.

>>> from autodiff import exp
>>> grad(lambda x: x * exp(x))(0.0)
1.0
>>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
array([[10.,  6.],
       [ 6.,  0.]])
>>> grad(lambda p: (p["w"] * 2.0 + p["b"] - 1.0) ** 2)({"w": 3.0, "b": 1.0})
{'w': 24.0, 'b': 12.0}

They nest, and return Values when given Values: `grad(grad(f))` is f″. Inside another transform, an answer that depends
on the outer variable is a Value too, so that the outer one can go on; derivatives by different variables never mix.
Nothing is written to anybody's `.grad`. More in docs/derivatives.md.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

import numpy as np

from autodiff import grad_mode, nests
from autodiff.nests import is_sequence
from autodiff.propagation import push_forward
from autodiff.signatures import (
    Derivative,
    Differentiable,
    Function,
    Gradient,
    Hessian,
    P,
    Product,
    ValueAndGradient,
    WithAux,
)
from autodiff.value import Value
from autodiff.variables import Call, Request, in_a_row, kind

ArgNums = int | Sequence[int]
ArgNames = str | Sequence[str]


@overload
def grad(f: Differentiable[P]) -> Gradient[P]: ...
@overload
def grad(f: Differentiable[P], *, has_aux: Literal[True]) -> WithAux[P]: ...
@overload
def grad(f: Function, argnums: ArgNums, *, has_aux: bool = False) -> Function: ...
@overload
def grad(f: Function, *, argnames: ArgNames, has_aux: bool = False) -> Function: ...
def grad(
    f: Function, argnums: ArgNums | None = None, argnames: ArgNames | None = None, *, has_aux: bool = False
) -> Any:
    """Return the gradient of `f`, a function that returns one number, as a function of the same arguments.

    The gradient has the shape of its argument: a float for a number, a float64 array for an array or a sequence in one
    shape, and for any other nest the same nest with derivatives in place of its numbers. `argnums` chooses the
    argument, the first by default: a position, or several (then the answer is a tuple). `argnames` chooses by name,
    also among arguments passed by keyword. With `has_aux`, `f` returns (number, aux), and the answer is (gradient,
    aux). What `f` takes from elsewhere (a Value of yours, a model's weights) is constant here: pass it as an argument,
    or pass Values to get Values back.

    Raises TypeError when `f` returns anything but one number, for an argument that holds no numbers, and for `argnums`
    that are no positions; ValueError when a call has no such argument, or an empty one.

    >>> grad(lambda w, b: (2.0 * w + b - 1.0) ** 2, argnums=(0, 1))(3.0, 1.0)
    (24.0, 12.0)
    >>> grad(lambda x, scale: scale * x * x, argnames="scale")(3.0, scale=0.5)
    9.0
    """
    request = Request.of(f, argnums, argnames, has_aux)
    return _of_calls(request, lambda call: call.with_aux(call.by_argument(call.derivatives(call.one_output())[0])))


@overload
def value_and_grad(f: Differentiable[P]) -> ValueAndGradient[P]: ...
@overload
def value_and_grad(f: Differentiable[P], *, has_aux: Literal[True]) -> WithAux[P]: ...
@overload
def value_and_grad(f: Function, argnums: ArgNums, *, has_aux: bool = False) -> Function: ...
@overload
def value_and_grad(f: Function, *, argnames: ArgNames, has_aux: bool = False) -> Function: ...
def value_and_grad(
    f: Function, argnums: ArgNums | None = None, argnames: ArgNames | None = None, *, has_aux: bool = False
) -> Any:
    """Return a function that computes value and gradient of `f` together; otherwise as `grad`.

    `scipy.optimize.minimize(..., jac=True)` takes it as it is. With `has_aux` the answer is ((value, aux), gradient).

    >>> value_and_grad(lambda x: (x ** 2).sum())(np.array([1.0, 2.0]))
    (5.0, array([2., 4.]))
    """

    def both(call: Call) -> Any:
        value = call.finish(call.one_output().reshape(()))
        return call.with_aux(value), call.by_argument(call.derivatives(call.outputs)[0])

    return _of_calls(Request.of(f, argnums, argnames, has_aux), both)


@overload
def jacobian(f: Differentiable[P]) -> Derivative[P, Any]: ...  # Any: of whatever form
@overload
def jacobian(f: Differentiable[P], *, has_aux: Literal[True]) -> WithAux[P]: ...
@overload
def jacobian(f: Function, argnums: ArgNums, *, has_aux: bool = False) -> Function: ...
@overload
def jacobian(f: Function, *, argnames: ArgNames, has_aux: bool = False) -> Function: ...
def jacobian(
    f: Function, argnums: ArgNums | None = None, argnames: ArgNames | None = None, *, has_aux: bool = False
) -> Any:
    """Return ∂output/∂input of a function that returns numbers: one, an array or sequence of them, or a nest.

    The shape is the output's followed by the input's; where they are nests, the output's nest holds the input's.
    Otherwise as `grad`; with `has_aux` the answer is (jacobian, aux).

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1], 7.0])([2.0, 3.0])
    array([[3., 2.],
           [1., 1.],
           [0., 0.]])
    >>> jacobian(lambda p: {"area": p["a"] * p["b"]})({"a": 2.0, "b": 3.0})
    {'area': {'a': 3.0, 'b': 2.0}}
    """
    request = Request.of(f, argnums, argnames, has_aux)
    return _of_calls(request, lambda call: call.with_aux(call.by_both(call.output, call.derivatives(call.outputs))))


@overload
def hessian(f: Differentiable[P]) -> Hessian[P]: ...
@overload
def hessian(f: Differentiable[P], *, has_aux: Literal[True]) -> WithAux[P]: ...
@overload
def hessian(f: Function, argnums: ArgNums, *, has_aux: bool = False) -> Function: ...
@overload
def hessian(f: Function, *, argnames: ArgNames, has_aux: bool = False) -> Function: ...
def hessian(
    f: Function, argnums: ArgNums | None = None, argnames: ArgNames | None = None, *, has_aux: bool = False
) -> Any:
    """Return the second derivatives of `f`, a function that returns one number.

    The shape is the argument's twice over: a float for a number, (n, n) for n numbers, and for a nest a nest of nests.
    For several `argnums` it is a tuple of tuples of such blocks. Otherwise as `grad`; with `has_aux` the answer is
    (hessian, aux).

    >>> hessian(lambda x: x ** 3)(2.0)
    12.0
    """

    def matrix(call: Call) -> Any:
        table = call.derivatives(call.gradient())
        return call.with_aux(call.one_or_all([call.by_both(form, table) for form in call.arguments]))

    return _of_calls(Request.of(f, argnums, argnames, has_aux), matrix)


@overload
def hvp(f: Differentiable[P]) -> Product[P]: ...
@overload
def hvp(f: Differentiable[P], *, has_aux: Literal[True]) -> WithAux[P]: ...
@overload
def hvp(f: Function, argnums: ArgNums, *, has_aux: bool = False) -> Function: ...
@overload
def hvp(f: Function, *, argnames: ArgNames, has_aux: bool = False) -> Function: ...
def hvp(f: Function, argnums: ArgNums | None = None, argnames: ArgNames | None = None, *, has_aux: bool = False) -> Any:
    """Return (x, v, ...) ↦ H(x)·v, the Hessian of `f` times a vector, for the cost of two sweeps.

    `v` comes second and has the shape of the argument that `argnums` or `argnames` chooses (for several: a tuple); the
    other arguments of `f` follow. That is the `hessp` of `scipy.optimize.minimize`. Otherwise as `hessian`; ValueError
    when the shapes differ.

    >>> hvp(lambda x: x[0] ** 2 * x[1])([3.0, 5.0], [1.0, 0.0])
    array([10.,  6.])
    """
    request = Request.of(f, argnums, argnames, has_aux)

    def product(*every: Any, **options: Any) -> Any:
        if len(every) < 2:
            raise TypeError(f"hvp needs the point and then the vector, hvp(f)(x, v), got {len(every)} by position")
        x, v, *args = every
        if request.several and not is_sequence(v):
            raise TypeError(f"v must be a tuple with one entry per argument to differentiate by, got {kind(v)}")
        directions = v if request.several else (v,)
        call = Call(request, (x, *args), options, alongside=directions)
        slope = np.dot(call.gradient(), call.tangents(directions))
        return call.with_aux(call.by_argument(call.derivatives(in_a_row([slope]))[0]))

    return _named_after(f, product)


@overload
def jvp(
    f: Function, primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: Literal[True], **options: Any
) -> tuple[Any, Any, Any]: ...  # Any: primals, tangents, options and result have whatever form f has
@overload
def jvp(
    f: Function, primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: Literal[False] = False, **options: Any
) -> tuple[Any, Any]: ...  # Any: primals, tangents, options and result as above
def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False, **options: Any) -> Any:
    """Return f(*primals), and how fast it changes when its arguments change at `tangents` (forward mode).

    One tangent per argument, of its shape; arguments of `f` by keyword are constants. With `has_aux`, `f` returns
    (answer, aux) and aux comes third. Raises TypeError when `primals` or `tangents` is no sequence, ValueError when
    shapes differ.

    >>> jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 0.5))
    (12.0, 5.5)
    """
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not is_sequence(given):
            raise TypeError(f"{name} must be a tuple with one entry per argument, got {kind(given)}")
    request = Request.of(f, tuple(range(len(primals))), None, has_aux)
    call = Call(request, primals, options, alongside=tangents)
    at = dict(zip(call.variables, call.tangents(tangents), strict=True))
    rates = in_a_row(push_forward(x, at, call.partials) if isinstance(x, Value) else 0.0 for x in call.outputs)
    value, rate = (call.output.filled(call.finish, found) for found in (call.outputs, rates))
    answer = (value, rate, call.released_aux()) if has_aux else (value, rate)
    return nests.apart(answer) if grad_mode.inlines() else answer


def _of_calls(request: Request, answer: Callable[[Call], Any]) -> Function:
    """Return the function of the same arguments that answers from one call of the user's."""
    return _named_after(request.f, lambda *args, **options: answer(Call(request, args, options)))


def _named_after(f: Function, derivative: Function) -> Function:
    def told(*args: Any, **options: Any) -> Any:
        answer = derivative(*args, **options)
        return nests.apart(answer) if grad_mode.contexts and grad_mode.inlines() else answer

    return functools.wraps(f, assigned=("__module__", "__name__", "__qualname__"), updated=())(told)
