"""`Program`: a function written for one sample, as `compile` has traced it, run on whole batches."""

# A program looks into those of its derivatives:
# pyright: reportPrivateUsage=false

from __future__ import annotations

import copy
import functools
import inspect
import math
import operator
import sys
import types
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Concatenate, Generic, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autodiff import grad_mode, held, nests
from autodiff.compiler import inlining
from autodiff.compiler.backends.text import Readable
from autodiff.compiler.cache import Cache, Settings
from autodiff.compiler.call import Call, Reduce
from autodiff.compiler.repeat import remember_rows, request_of
from autodiff.compiler.specialise import Block, Trace, Want
from autodiff.compiler.trace.graph import Loop
from autodiff.domains import unbox
from autodiff.errors import TraceError
from autodiff.propagation import propagate
from autodiff.signatures import A, B, Batch, C, D, P, Q
from autodiff.transforms import jvp
from autodiff.value import Value

Array = NDArray[np.float64]
_LONGEST = 20_000  # nodes of folds in a text
_SHORT_TEXT = 40  # lines: a longer text is written with loops too


class Program(Generic[P]):
    """A function of one sample as array code for many; made by `compile`.

    Calls take the arguments of the function with one more axis in front, the rows. Called with plain numbers alone, a
    program computes one point on Python floats, and returns floats. A program keeps buffers, so calls from several
    threads wait for each other: give each thread a program of its own to run them side by side.
    """

    binds: Literal["object", "class", "nothing"] = "object"  # what a method gets first
    _sample = property(lambda self: self._written)  # the function that `grad(program)` and the like are of
    _instance: Any = None  # the object that a method is bound to

    def __init__(self, f: Callable[P, Any], settings: Settings) -> None:  # Any: f returns answers of whatever form
        self.f: Callable[..., Any] = f
        self._settings = settings
        self._cache = Cache(f, settings)
        self._written: Callable[..., Any] = f  # as it was given to `compile`
        self._bound: dict[int, Program[...]] = {}  # by the identity of the object
        functools.update_wrapper(self, f, assigned=("__module__", "__name__", "__qualname__", "__doc__"), updated=())

    def __repr__(self) -> str:
        latest = self._cache.latest
        known = "not traced yet" if latest is None else f"{len(latest.parameters)} parameters"
        return f"<Program {_name(self.f)}, {known}>"

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or pickle keeps: the function and how it is called. The new program traces anew."""
        return {"f": self._written, "settings": self._settings}

    def __reduce__(self) -> Any:
        """Reduce to its name where it has taken the place of its function, as a decorator does; else to its state."""
        if self._instance is not None:
            return getattr, (self._instance, self.f.__name__)
        if _stands_for_its_function(self):
            return self.f.__qualname__
        return _new, (type(self),), self.__getstate__()

    def __copy__(self) -> Program[P]:
        new = _new(type(self))
        new.__setstate__(self.__getstate__())
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Program[P]:
        memo[id(self)] = new = _new(type(self))
        new.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return new

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["f"], state["settings"])

    # Methods.

    @overload
    def __get__(self, instance: None, owner: object = None) -> Program[P]: ...
    @overload
    def __get__(self: Program[Concatenate[A, Q]], instance: A, owner: object = None) -> Program[Q]: ...
    def __get__(self, instance: Any, owner: object = None) -> Program[...]:
        """Return the program of a method, bound to its object as functions are; each object has traces of its own."""
        if self.binds == "class":
            instance = instance.__class__ if owner is None else owner
        if instance is None or self.binds == "nothing":
            return self
        method = types.MethodType(self._written, instance)
        kept = self._bound.get(id(instance))
        if kept is None:
            try:
                key = id(instance)
                f: Callable[..., Any] = _Method(method, weakref.ref(instance, lambda _: self._bound.pop(key, None)))
            except TypeError:  # it has slots, and lives as long as the program
                f = method
            kept = self._bound[id(instance)] = type(self)(f, self._settings)
        bound: Program[...] = _new(type(self))
        vars(bound).update(vars(kept), _instance=instance, _written=method)
        return bound

    # Calls.

    # For rows the arguments have one more axis than `f` declares: each of the first four may be as declared or a batch,
    # and the others are as declared. Options of a program beside them end what can be told of the arguments: nothing
    # may stand between the two halves of a ParamSpec.
    @overload
    def __call__(self, *args: P.args, **options: P.kwargs) -> Any: ...  # Any: an array of rows, or one float
    @overload
    def __call__(
        self: Program[Concatenate[A, Q]], a: A | Batch, /, *args: Q.args, **options: Q.kwargs
    ) -> Any: ...  # Any: an array of rows, or one float
    @overload
    def __call__(
        self: Program[Concatenate[A, B, Q]], a: A | Batch, b: B | Batch, /, *args: Q.args, **options: Q.kwargs
    ) -> Any: ...  # Any: an array of rows, or one float
    @overload
    def __call__(
        self: Program[Concatenate[A, B, C, Q]], a: A | Batch, b: B | Batch, c: C | Batch, /, *args: Q.args,
        **options: Q.kwargs,
    ) -> Any: ...  # fmt: skip # Any: an array of rows, or one float
    @overload
    def __call__(
        self: Program[Concatenate[A, B, C, D, ...]], a: A | Batch, b: B | Batch, c: C | Batch, d: D | Batch, /,
        *args: Any, **options: Any,
    ) -> Any: ...  # fmt: skip # Any: args and options are the arguments from the fifth on; the result as above
    @overload
    def __call__(self, *args: Any, check: bool, **options: Any) -> Any: ...  # Any: args, options, result: as above
    def __call__(self, *args: Any, check: bool = False, **options: Any) -> Any:
        """Return f of every row: (n, *shape of one output); a single number as a float.

        With `check`, raises DomainError that names the first row where an operand leaves its operation's domain, and
        ValueError that names the first row with NaN.
        """
        if grad_mode.contexts and grad_mode.inlines():
            return inlining.called(self._cache, args, options, check)
        cache = self._cache
        if options:
            args, options = cache.in_places(args, options)
        if not check and not options:
            try:
                answer = cache.recent_call(*args)
            except TypeError:  # another number of arguments, or of another kind
                answer = NotImplemented
            if answer is NotImplemented:
                answer = cache.again("call", args)
            if answer is not NotImplemented:
                return answer
        try:
            with self._cache.lock:
                return self._compute(args, options, check)
        except TypeError:
            inlining.raise_unless_of_values(self._cache, check, args, options)
        with grad_mode.inlining():
            return inlining.called(self._cache, args, options, check)

    def _compute(self, args: Sequence[Any], options: Mapping[str, Any], check: bool) -> Any:
        call = Call(self._cache, args, options)
        shape, form = call.trace.shared.shape, call.trace.shared.form
        if call.point:
            if check:
                call.check(Want())
            answer = call.point_values(repeat=not check and not options)
            if form is not None:
                return form.filled(np.array(answer))
            return answer[0] if shape == () else np.array(answer).reshape(shape)
        call.read(check)
        answer = call.run(Want())
        if not answer.finite:
            answer = call.run(Want(careful=True))
        elif not check and not options:
            remember_rows(call, "call", Want(), None, None, weighted=False)
        out = answer.values
        out = out.reshape(call.rows, *shape) if call.has_rows else out.reshape(shape)
        return out if form is None else form.filled(out)

    @overload
    def value_and_grad(
        self, *args: Any, argnums: int | Sequence[int], reduce: Reduce = "mean", weights: ArrayLike | None = None,
        check: bool = False, **options: Any,
    ) -> tuple[Any, Array, Any]: ...  # fmt: skip # Any: args, options: a batch; result: rows, and the form of args
    @overload
    def value_and_grad(
        self, *args: Any, argnames: str | Sequence[str], reduce: Reduce = "mean", weights: ArrayLike | None = None,
        check: bool = False, **options: Any,
    ) -> tuple[Any, Array, Any]: ...  # fmt: skip # Any: args, options, result: as above
    @overload
    def value_and_grad(
        self, *args: Any, reduce: None, argnums: None = None, argnames: None = None, weights: ArrayLike | None = None,
        check: bool = False, **options: Any,
    ) -> tuple[Array, Array]: ...  # fmt: skip # Any: args and options are a batch
    @overload
    def value_and_grad(
        self,
        *args: Any,
        reduce: Literal["mean", "sum"],
        weights: ArrayLike | None = None,
        check: bool = False,
        **options: Any,
    ) -> tuple[float, Array]: ...  # Any: args and options are a batch
    @overload
    def value_and_grad(
        self, *args: Any, check: bool, **options: Any
    ) -> tuple[float, Array]: ...  # Any: args, options: a batch
    @overload
    def value_and_grad(  # Any: args and options are a batch
        self, *args: Any, weights: ArrayLike, **options: Any
    ) -> tuple[float, Array]: ...
    @overload
    def value_and_grad(self, *args: P.args, **options: P.kwargs) -> tuple[float, Array]: ...
    @overload
    def value_and_grad(
        self: Program[Concatenate[A, Q]], a: A | Batch, /, *args: Q.args, **options: Q.kwargs
    ) -> tuple[float, Array]: ...
    @overload
    def value_and_grad(
        self: Program[Concatenate[A, B, Q]], a: A | Batch, b: B | Batch, /, *args: Q.args, **options: Q.kwargs
    ) -> tuple[float, Array]: ...
    @overload
    def value_and_grad(
        self: Program[Concatenate[A, B, C, Q]], a: A | Batch, b: B | Batch, c: C | Batch, /, *args: Q.args,
        **options: Q.kwargs,
    ) -> tuple[float, Array]: ...  # fmt: skip
    @overload
    def value_and_grad(
        self: Program[Concatenate[A, B, C, D, ...]], a: A | Batch, b: B | Batch, c: C | Batch, d: D | Batch, /,
        *args: Any, **options: Any,
    ) -> tuple[float, Array]: ...  # fmt: skip # Any: args and options are the arguments from the fifth on
    def value_and_grad(
        self, *args: Any, reduce: Reduce = "mean", argnums: int | Sequence[int] | None = None,
        argnames: str | Sequence[str] | None = None, weights: ArrayLike | None = None, check: bool = False,
        **options: Any,
    ) -> Any:  # fmt: skip
        """Return the mean of f over the rows, and its derivatives: `(value, gradient)`.

        `gradient` has one entry per parameter, in the order of `parameters`. `argnums` adds a third entry, δ at the
        input: the derivatives by those arguments, in the arguments' own shapes, rows included (a tuple for several);
        `argnames` chooses them by name. `reduce="sum"` returns the sum over the rows; `reduce=None` the value of each
        row, (n,), and the gradient of each row, (n, parameters). `weights` (n,) makes the mean, or sum, a weighted one.

        Raises TypeError when f returns more than one number, ValueError for arguments of wrong rank or length, and with
        `check` what a call raises.
        """
        cache = self._cache
        if grad_mode.contexts and grad_mode.inlines():
            return inlining.value_and_grad(cache, args, options, reduce, argnums, argnames, weights, check)
        if options:
            args, options = cache.in_places(args, options)
        if argnames is not None:
            argnums, argnames = cache.positions(argnums, argnames, len(args))
        asked, reduced, quick = cache.recent
        short = not (check or argnames is not None or options)
        if short and argnums is asked and reduce is reduced and weights is None:
            try:
                answer = quick(*args)
                if answer is not NotImplemented:
                    return answer
            except TypeError:  # another number of arguments, or of another kind
                pass
        if short:
            answer = cache.again(request_of(argnums, reduce, weights), args, weights)
            if answer is not NotImplemented:
                return answer
        try:
            with cache.lock:
                return Call(cache, args, options).value_and_grad(reduce, argnums, argnames, weights, check)
        except TypeError:
            inlining.raise_unless_of_values(cache, check, args, options, weights)
        with grad_mode.inlining():
            return inlining.value_and_grad(cache, args, options, reduce, argnums, argnames, weights, check)

    def backward(  # Any: args and options are a batch
        self, *args: Any, reduce: Reduce = "mean", weights: ArrayLike | None = None, **options: Any
    ) -> float:
        """Add the derivatives to the `grad` of the parameters, as `backward()` of the mean would; return the value.

        Raises ValueError, and changes nothing, when the value is infinite or NaN.
        """
        if reduce is None:
            raise ValueError("reduce must be 'mean' or 'sum' in backward, which adds up the rows, got None")
        if grad_mode.inlines():
            raise TraceError("backward would write into grad once, while a function is traced; use value_and_grad")
        with self._cache.lock:
            compute: Callable[..., Any] = Program.value_and_grad
            value, gradient = compute(self, *args, reduce=reduce, weights=weights, **options)
            parameters = self.parameters
        if isinstance(value, Value):
            raise TypeError("backward must get plain numbers, got a Value; call backward() of what the program returns")
        if not math.isfinite(value):
            raise ValueError(
                f"backward from {value}: every gradient would be infinite or NaN; look for the row with check=True in "
                "value_and_grad"
            )
        for p, g in zip(parameters, gradient.tolist(), strict=True):
            p.grad = (p.grad if p.swept else 0.0) + g
        return value

    def jvp(  # Any: primals, tangents, options are batches; the result is two arrays, or floats
        self, primals: Sequence[Any], tangents: Sequence[Any], **options: Any
    ) -> tuple[Any, Any]:
        """Return f of every row, and its rate when the arguments change at the rates `tangents` (forward mode).

        There is one tangent per argument, of its shape; arguments by keyword are constants. Raises ValueError where
        shapes differ, TypeError for a program with static arguments.

        >>> from autodiff import compile
        >>> compile(lambda x, y: x * y).jvp(([1.0, 2.0], [3.0, 4.0]), ([1.0, 1.0], [0.0, 0.5]))
        (array([3., 8.]), array([3., 5.]))
        """
        if self._settings.static:
            raise TypeError("jvp needs a program without static arguments; compile a function of the other ones alone")
        if not (hasattr(primals, "__len__") and hasattr(tangents, "__len__")):
            raise TypeError("jvp needs a sequence of arguments and one of their tangents; write jvp((x,), (dx,))")
        if len(primals) != len(tangents):
            raise ValueError(f"jvp needs one tangent per argument, got {len(tangents)} for {len(primals)} arguments")
        if grad_mode.inlines():
            return inlining.jvp(self._cache, primals, tangents, options)
        with self._cache.lock:
            n = len(primals)
            key = ("jvp", n, *options)
            own = self._cache.derived.get(key)
            if own is None:
                every, names = self._cache.axes(n + len(options)), self._cache.names_of(n)
                axes = every[:n] if options else every
                places = map(self._cache.place_of, options)
                constant = [every[place] if place < len(every) else 0 for place in places]

                def both_of(*args: Any) -> dict[str, Any]:
                    constants = dict(zip(options, args[2 * n :], strict=True))
                    both = jvp(self.f, args[:n], args[n : 2 * n], has_aux=False, **constants)
                    values, rates = nests.mapped(lambda x, _: x, both)  # lists are arrays, as in all answers
                    return {"values": values, "rates": rates}

                own = Program(both_of, self._settings._replace(in_axes=(*axes, *axes, *constant)))
                own._cache.names = [*names, *(f"the tangent of {name}" for name in names), *options]
                self._cache.derived[key] = own
            try:
                both = own(*primals, *tangents, *options.values())
            except TraceError as error:
                if told := _constant_instead(own._cache.names[:n], primals, own._cache.indices):
                    raise TraceError(f"{told}. {error}") from error
                raise
        return both["values"], both["rates"]

    def hvp(  # Any: args and options are a batch
        self, *args: Any, vector: ArrayLike, reduce: Reduce = "mean", weights: ArrayLike | None = None, **options: Any
    ) -> Array:
        """Return H·v: the Hessian, by the parameters, of the value of `value_and_grad`, times a vector.

        `vector` has one entry per parameter, in the order of `parameters`, and so has the answer; with `reduce=None`
        there is one for each row, (n, parameters). Raises ValueError for another length, and whatever `value_and_grad`
        raises.

        >>> from autodiff import compile
        >>> w = Value(3.0)
        >>> compile(lambda x: x * w**3).hvp([1.0, 2.0], vector=[1.0])   # the mean of x · 6w
        array([27.])
        """
        args, options = self._cache.in_places(args, options)
        if options:
            raise TypeError(
                f"hvp must get arguments by position or in their places, got {', '.join(options)} by keyword"
            )
        if grad_mode.inlines():
            return inlining.hvp(self._cache, args, vector, reduce, weights)
        try:
            return self._product(args, vector, reduce, weights)
        except TypeError:
            inlining.raise_unless_of_values(self._cache, False, args, vector, weights)
        with grad_mode.inlining():
            return inlining.hvp(self._cache, args, vector, reduce, weights)

    def _product(self, args: Sequence[Any], vector: Any, reduce: Reduce, weights: ArrayLike | None) -> Array:
        with self._cache.lock:
            Call(self._cache, args).one_number()
            parameters = self.parameters
            v = np.asarray(vector, dtype=np.float64)
            inlining.refuse_vector(v.shape, len(parameters))
            kind = len(args), *map(id, parameters)
            own = self._cache.derived.get(kind)
            if own is None:

                def along(*args: Any) -> Any:
                    delta = propagate(unbox(self.f(*args[:-1])), parameters)
                    return sum([delta[p] * x for p, x in zip(parameters, args[-1], strict=True) if p in delta], 0.0)

                axes = (*self._cache.axes(len(args)), None)
                own = self._cache.derived[kind] = Program(along, self._settings._replace(in_axes=axes))
            _, gradient, _ = own.value_and_grad(*args, v, argnums=(), reduce=reduce, weights=weights)
            place = {id(p): i for i, p in enumerate(parameters)}
            product = np.zeros((*gradient.shape[:-1], len(parameters)))
            product[..., [place[id(p)] for p in own.parameters]] = gradient
        return product

    @contextmanager
    def training(self, *args: Any, **options: Any) -> Generator[Array]:  # Any: args, options: a batch
        """Keep the parameters in one flat array, in the order of `parameters`, while the block lasts; return the array.

        Changing the array in place is a step of training. Meanwhile whoever reads a parameter (by `data`, in an
        expression, in another program) reads the array, and assigning `data` writes into it. When the block ends,
        however it ends, the Values have their numbers to themselves again; the next block with these shapes fills the
        same array, so keep a copy of it, if any. `args` is a batch (or one row), from which the program learns the
        shapes; it may be left out if the program was called before. Calls with other shapes are welcome in the block:
        their gradients have the order of the array.

        Raises TypeError where no shapes are known, RuntimeError where a parameter is in another block already.
        """
        if args or options:
            self.trace(*args, **options)
        if self._cache.latest is None:
            raise TypeError(
                "training needs the shapes of the arguments; pass it a batch, or call the program once before"
            )
        if self._cache.training is not None:
            raise RuntimeError("this program is training already; end that block first")
        block: Trace | Block = self._cache.latest
        fixed = self._cache.fixed
        if fixed is None or block.follows(fixed):
            block.shown = True
        else:
            block = Block(fixed, np.zeros(len(fixed)))
        try:
            held.hold(block.parameters, block.flat)
            self._cache.training = block
            self._cache.forget()
            yield block.flat
        finally:
            try:
                self._release(block)
            except BaseException:  # interrupted: finish all the same
                self._release(block)
                raise

    def _release(self, block: Trace | Block) -> None:
        held.release(block.parameters, block.flat)
        self._cache.forget()
        self._cache.training = None

    def write_back(self) -> None:
        """Do nothing: the parameters show by themselves what a training block has reached."""

    # Properties.

    @property
    def threads(self) -> int | None:
        """How many threads may share the blocks of a large batch; None for as many as there are processors."""
        return self._settings.threads

    @property
    def parameters(self) -> list[Value]:
        """The Values that the function met, in the order of the flat array and of gradients.

        The order is the same for one point and for batches of any size. It is that of the latest call: arguments of
        another shape, or other static ones, may lead to another. Those given to `compile` as `parameters` keep theirs,
        and so do those of a training block while it lasts.
        """
        cache = self._cache
        order = cache.order if cache.latest is not None or cache.met is None else cache.met
        return list(cache.known().parameters if order is None else order)

    @property
    def source(self) -> str:
        """The forward and backward pass as Python that a person could have written; it runs with NumPy alone.

        The steps of a fold are written one after another where they are few; where they are many, the text has a loop
        there and one back.
        """
        trace = self._cache.known()
        if trace.loops and trace.unrolled is not None:
            steps = sum(op.steps * op.graph.size for op in list[Any](trace.shared.ops) if isinstance(op, Loop))
            trace = trace if steps > _LONGEST else trace.unrolled()
        shape = trace.shared.shape
        wanted, named = Want(gradient=shape == ()), (_name(self.f), trace.names, trace.shapes, shape)
        plain = Readable(trace.text_code(wanted, self.parameters), *named)
        if plain.source.count("\n") <= _SHORT_TEXT:
            return plain.source
        loops = Readable(trace.text_code(wanted, self.parameters, loops=True), *named, like=plain)
        return min(plain.source, loops.source, key=lambda text: text.count("\n"))

    def explain(self) -> str:
        """Return what each pass did, as text: nodes, groups, matrix products, and the cost of one row."""
        from autodiff.compiler.report import report

        return report(self._cache.known(), self._cache.settings.backend)

    def pool(self) -> ThreadPoolExecutor:
        """Return the threads of this program."""
        return self._cache.pool()

    def trace(self, *args: Any, **options: Any) -> Program[P]:  # Any: args, options: a batch
        """Trace for arguments of these shapes, without computing anything; return the program itself."""
        with self._cache.lock:
            Call(self._cache, args, options)
        return self


def _new(cls: type[Program[P]]) -> Program[P]:
    return cls.__new__(cls)


class _Method:
    """A method of an object that it does not keep alive, under the method's name and signature."""

    def __init__(self, method: types.MethodType, instance: Callable[[], Any]) -> None:
        self.function, self.instance = method.__func__, instance
        for name in functools.WRAPPER_ASSIGNMENTS:
            if hasattr(method, name):
                setattr(self, name, getattr(method, name))
        self.__signature__ = inspect.signature(method)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.function(self.instance(), *args, **options)


def _stands_for_its_function(program: Program[...]) -> bool:
    name = getattr(program.f, "__qualname__", "")
    try:
        return operator.attrgetter(name)(sys.modules[program.f.__module__]) is program
    except (AttributeError, KeyError, TypeError):
        return False


def _name(f: Any) -> str:
    name = getattr(f, "__name__", type(f).__name__)
    return "f" if name == "<lambda>" else name


def _constant_instead(names: Sequence[str], primals: Sequence[Any], indices: set[str]) -> str:
    """Return how to give `jvp` the last arguments as constants, which an index is computed from; "" without such."""
    places = [k for k, name in enumerate(names) if name in indices]
    if not places:
        return ""
    varied = names[: places[0]]
    if not varied or len(places) < len(names) - len(varied):  # an argument after it would have no place
        way = "compile a function of the other ones alone"
    else:
        constants = ", ".join([f"{names[k]}={primals[k]!r}" for k in places])
        way = f"write jvp(({', '.join(varied)},), ({', '.join([f'd{name}' for name in varied])},), {constants})"
    return f"jvp must not vary {names[places[0]]!r}, which is an index: {way}"


__all__ = ["Program", "TraceError"]
