"""`compile`: from scalars back to matrices.

A function written for one sample is traced once, on stand-ins, and becomes a program for whole batches. A call goes
through these in one direction: `program`, the public names → `call`, which checks arguments and sends the rows through
→ `specialise`, which makes a version for what is asked. A version comes from `trace` (tracer → simplify), `arrays`
(group, with matrix products → reverse, both on the form in `ir`; `axes` finds loops in places, `ragged` evens sums) and
`backends` (`numpy` for batches, `floats` for one sample, `numba` for machine code, `text` for people and other array
libraries). A function without structure goes from `trace` straight to a `tape`, written from `recipes`. A fold is one
node, whose step has code of its own, in `loops` or `machine`. `repeat` is the short way of a call like an earlier one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

import numpy as np

from autodiff.compiler.auxiliary import ProgramWithAux
from autodiff.compiler.backends.numba import refuse_without_numba
from autodiff.compiler.cache import Settings
from autodiff.compiler.program import P, Program
from autodiff.domains import unbox
from autodiff.errors import TraceError
from autodiff.naming import describe
from autodiff.nests import entries, leaves
from autodiff.value import Value


@overload
def compile(
    f: Callable[P, Any], *, in_axes: int | Sequence[int | None] | None = 0, static_argnums: int | Sequence[int] = (),
    threads: int | None = None, has_aux: bool = False, traces: int = 32,
    backend: Literal["auto", "numba"] = "auto", parameters: Any = None,
) -> Program[P]: ...  # fmt: skip # Any: parameters, a nest; f returns numbers, nests of them, or (these, aux)
@overload
def compile(
    *, in_axes: int | Sequence[int | None] | None = 0, static_argnums: int | Sequence[int] = (),
    threads: int | None = None, has_aux: bool = False, traces: int = 32,
    backend: Literal["auto", "numba"] = "auto", parameters: Any = None,
) -> Callable[[Callable[P, Any]], Program[P]]: ...  # fmt: skip # Any: parameters and what f returns, as above
def compile(  # shadows the builtin, which is for text
    f: Any = ..., *, in_axes: int | Sequence[int | None] | None = 0, static_argnums: int | Sequence[int] = (),
    threads: int | None = None, has_aux: bool = False, traces: int = 32,
    backend: Literal["auto", "numba"] = "auto", parameters: Any = None,
) -> Any:  # fmt: skip # Any: as above
    """Return a program of `f`, a function written for ONE sample, that runs on whole batches as array code.

    `f` takes numbers, arrays, and nests of them (dicts, dataclasses, named tuples), returns numbers in one shape or
    nests of them, and is called once with stand-ins for the numbers, when the shapes are first seen. Leaf Values that
    it meets on the way are the program's parameters. `in_axes` is 0 for arguments with rows and None for those that
    are the same for all rows, for each argument or for all. Arguments in `static_argnums` are passed as they are and
    may steer `f`, and so are flags, texts, None, functions and models; another one traces anew. `traces`: how many of
    them are kept, those that were asked for last. `threads`: how many may share the blocks of a large batch (None: as
    many as there are processors). With `has_aux`, `f` returns (answer, aux), and every answer of the program has aux
    beside it: `value_and_grad` returns ((value, aux), gradient). `backend="numba"` makes scalar loops of `f` that
    numba compiles, for few rows and for code without structure. `parameters`: the Values to differentiate by and to
    train, a list or a nest, in the order of gradients, whichever of them a call meets; all others are constants. By
    default they are those that `f` meets.

    `f` must do the same whatever its numbers are. Deciding by a number raises TraceError: use `where`. What else it
    does on the side (printing, drawing random numbers, counting) it does once, while it is traced, and the outcome is
    frozen.

    Without `f` it is a decorator with these options: `@compile(static_argnums=1)`.

    >>> from autodiff import Value, compile
    >>> w, b = Value(2.0, "w"), Value(1.0, "b")
    >>> program = compile(lambda x, y: (w * x + b - y) ** 2)
    >>> program([1.0, 2.0], [3.0, 6.0])
    array([0., 1.])
    >>> program.value_and_grad([1.0, 2.0], [3.0, 6.0])
    (0.5, array([-2., -1.]))
    """
    again: Callable[..., Any] = functools.partial(
        compile, in_axes=in_axes, static_argnums=static_argnums, threads=threads, has_aux=has_aux, traces=traces,
        backend=backend, parameters=parameters,
    )  # fmt: skip
    if f is ...:
        return again
    if isinstance(f, (classmethod, staticmethod)):
        inner: Callable[..., Any] = f.__func__  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        program: Any = again(inner)
        program.binds = "class" if isinstance(f, classmethod) else "nothing"
        return program
    _refuse_others(f)
    static = _checked(in_axes, static_argnums, threads, traces, backend)
    fixed = None if parameters is None else _leaves(parameters)
    axes = in_axes if not isinstance(in_axes, list) else tuple(in_axes)
    kind: type[Program[...]] = ProgramWithAux if has_aux else Program
    return kind(f, Settings(axes, static, threads, traces, backend, fixed))


def _refuse_others(f: Any) -> None:
    """Raise TypeError for what is no function of a sample."""
    if not callable(f):
        way = "; compile the method that it calls" if isinstance(f, property) else ""
        raise TypeError(f"compile needs a function of one sample, got {type(f).__name__}{way}")
    if inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f):
        raise TypeError(
            "compile needs a function that returns numbers, got one that is awaited (async def); compile a plain "
            "function, and await what brings its arguments before the call"
        )


def _checked(in_axes: Any, static_argnums: Any, threads: Any, traces: Any, backend: Any) -> tuple[int, ...]:
    """Return the static positions; TypeError, ValueError or ImportError for an option that `compile` cannot take."""
    many = isinstance(static_argnums, (tuple, list, set, frozenset, range))
    static: list[Any] = list(static_argnums) if many else [static_argnums]  # pyright: ignore[reportUnknownArgumentType]
    if any(isinstance(i, bool) or not isinstance(i, (int, np.integer)) or i < 0 for i in static):
        raise TypeError(f"static_argnums must be positions of arguments, 0 or more, got {static_argnums!r}")
    for axis in in_axes if isinstance(in_axes, (list, tuple)) else [in_axes]:  # pyright: ignore[reportUnknownVariableType]
        if axis is not None and axis != 0:
            raise ValueError(
                f"in_axes must be 0 (the first axis is the rows) or None (the same for all rows), got {axis!r}"
            )
    if threads is not None and (type(threads) is not int or threads < 1):
        raise ValueError(f"threads must be a whole number above 0, or None, got {threads!r}")
    if type(traces) is not int or traces < 1:
        raise ValueError(f"traces must be a whole number above 0, got {traces!r}")
    if backend not in ("auto", "numba"):
        raise ValueError(f"backend must be 'auto' (NumPy) or 'numba', got {backend!r}")
    if backend == "numba":
        refuse_without_numba()
    return tuple(map(int, static))


def _leaves(parameters: Any) -> tuple[Value, ...]:
    """Return the parameters; TypeError or ValueError for what cannot be one."""
    if isinstance(parameters, (str, Value)) or (entries(parameters) is None and not hasattr(parameters, "__iter__")):
        raise TypeError(f"parameters must be Values, such as model.parameters(), got {type(parameters).__name__}")
    nest = parameters if entries(parameters) is not None else list(parameters)
    found: list[Any] = []
    seen = set[int]()
    for path, leaf in leaves(nest, "parameters"):
        p = unbox(leaf)
        if not isinstance(p, Value):
            raise TypeError(f"parameters must be Values, got {type(p).__name__} {p!r:.60} in {path}")
        found.append(p)
        if p.op is not None:
            raise ValueError(f"parameters must be leaves, got {describe(p)}, which was computed from others")
        if id(p) in seen:
            raise ValueError(f"parameters must be there once each, got {describe(p)} twice")
        seen.add(id(p))
    return tuple(found)


__all__ = ["Program", "TraceError", "compile"]
