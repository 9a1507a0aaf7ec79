"""All that a program keeps between its calls: what it was made from, its traces, its short ways, its threads."""

from __future__ import annotations

import itertools
import operator
import os
import threading
import warnings
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from autodiff.compiler.specialise import Block, Trace
from autodiff.naming import describe
from autodiff.nests import is_sequence
from autodiff.value import Value
from autodiff.variables import parameter_names

_SHORT_WAYS = 16  # each keeps buffers for its number of rows
_EXACT = "?bBhHiIlLqQefd"  # kinds of numbers in arrays that floats hold, or round
MOST_NODES = 5_000_000  # of the traces that are kept: about 1 GB


class Settings(NamedTuple):
    """The options of `compile`."""

    in_axes: int | Sequence[int | None] | None = 0
    static: Collection[int] = ()  # positions of arguments
    threads: int | None = None
    traces: int = 32  # how many are kept
    backend: str = "auto"
    parameters: tuple[Value, ...] | None = None  # in this order, whichever a trace meets


class Cache:
    """The private state of one program, which its calls share."""

    def __init__(self, f: Callable[..., Any], settings: Settings) -> None:
        self.f = f
        self.settings = settings
        self.in_axes = settings.in_axes
        self.static = frozenset(settings.static)
        self.threads = settings.threads
        self.kept = settings.traces  # at most
        self.names = parameter_names(f)
        self.keyword_only = parameter_names(f, keyword_only=True)
        self.traces: dict[Any, Trace] = {}
        self._forgotten: set[int] | None = set()  # hashes of keys; None once it was told that they come back
        self.latest: Trace | None = None
        self.indices: set[str] = set()  # arguments that are static where they are whole numbers, the same for all rows
        self.told = False  # whether the warning of a gradient by nothing was given
        self.met: list[Value] | None = None  # the parameters, where the program was a part of others alone
        self.fixed = list(settings.parameters) if settings.parameters is not None else None
        self.training: Trace | Block | None = None
        self.derived: dict[Any, Any] = {}  # programs of its derivatives
        self.forget()
        self.lock = threading.RLock()  # several threads may call a program, whose buffers serve one call at a time
        self._pool: ThreadPoolExecutor | None = None
        self._pool_of = 0  # the process that owns the threads: a fork has none of them

    def known(self) -> Trace:
        """Return the trace of the latest call; TypeError before any."""
        if self.latest is None:
            raise TypeError(
                "this program needs the shapes of its arguments, and has not seen any yet; call it, or trace(...) "
                "it, first"
            )
        return self.latest

    @property
    def order(self) -> list[Value] | None:
        """The parameters in the order of gradients, where something else than the trace of a call decides it."""
        return self.fixed if self.fixed is not None or self.training is None else self.training.parameters

    def in_order(self, trace: Trace, gradient: Any) -> Any:
        """Return the derivatives by the parameters of a trace in the order of all gradients; 0 for others."""
        order = self.order
        if order is None or trace.follows(order):
            return gradient
        places = {id(p): k for k, p in enumerate(order)}
        if self.fixed is None:
            new = next((p for p in trace.parameters if id(p) not in places), None)
            if new is not None:
                raise ValueError(
                    f"a training block must begin with all parameters, and {describe(new)} was not met then; name them "
                    "all, compile(…, parameters=…)"
                )
        kept = [k for k, p in enumerate(trace.parameters) if id(p) in places]
        found = np.zeros((*gradient.shape[:-1], len(order)))
        found[..., [places[id(trace.parameters[k])] for k in kept]] = gradient[..., kept]
        return found

    def keep(self, key: Any, trace: Trace) -> None:
        """Remember a new trace, and forget the one that was not asked for longest where there are many."""
        nodes = trace.traced + sum([each.traced for each in self.traces.values()])
        while self.traces and (len(self.traces) >= self.kept or nodes > MOST_NODES):
            nodes -= next(iter(self.traces.values())).traced
            gone = next(iter(self.traces))
            del self.traces[gone]
            if self._forgotten is not None:
                self._forgotten.add(hash(gone))
        self.traces[key] = trace
        self.forget()
        if self._forgotten and (self.indices or hash(key) in self._forgotten):
            self._forgotten = None
            shapes = ", ".join(f"{name} {shape}" for name, shape in zip(trace.names, trace.shapes, strict=True))
            name = getattr(self.f, "__name__", type(self.f).__name__)
            warnings.warn(
                f"{name} is traced again, with {shapes} in one row, and others are forgotten: more than "
                f"{len(self.traces)} shapes or static arguments take turns; bring them to fewer, as "
                "autodiff.pad does, or compile(…, traces=…) more",
                RuntimeWarning, stacklevel=2,
            )  # fmt: skip

    def forget(self) -> None:
        """Drop the short ways, where traces or the order of gradients are others from now on."""
        self.quick: dict[Any, Any] = {}  # by the request and the rows: the short way for a call like an earlier one
        # Those that were taken last: of a plain call; of value_and_grad without weights, after its argnums and reduce,
        # which are told by their identity.
        self.recent_call: Callable[..., Any] = _none_yet
        self.recent: tuple[Any, Any, Callable[..., Any]] = None, "mean", _none_yet

    def remember(self, request: Hashable, rows: int, quick: Callable[..., Any]) -> None:
        """Keep a short way; few programs are asked for as many different things as there is room for."""
        while len(self.quick) >= _SHORT_WAYS:
            del self.quick[next(iter(self.quick))]
        self.quick[request, rows] = quick
        self._take(request, quick)

    def _take(self, request: Any, quick: Callable[..., Any]) -> None:
        """Try this short way first from now on."""
        if request == "call":
            self.recent_call = quick
        elif not request[-1]:
            self.recent = request[1], request[2], quick

    def repeated(self, request: Hashable, args: Sequence[Any]) -> Any:  # Any: an answer, or NotImplemented
        """Return the answer by the short way for as many rows, if there is one and the call is like that one."""
        rows = len(args[0]) if args and args[0].__class__ is np.ndarray and args[0].ndim else 0
        try:
            quick = self.quick[request, rows]
            answer = quick(*args)
        except (KeyError, TypeError):  # none yet; a request without a hash, or another number of arguments
            return NotImplemented
        if answer is not NotImplemented:
            self._take(request, quick)
        return answer

    def again(self, request: Hashable, args: tuple[Any, ...], weights: Any = None) -> Any:  # Any: as of `repeated`
        """Return the answer by the short way, also of other kinds of numbers, and of dicts."""
        answer = self.repeated(request, args if weights is None else (*args, weights))
        if answer is not NotImplemented:
            return answer
        leaves: list[Any] = []
        forms = tuple([without(x, leaves) for x in args])
        key = (forms, request) if any(forms) else request
        if all(known != key for known, _ in self.quick):
            return NotImplemented
        if weights is not None:
            leaves.append(weights)
        found = list(map(_plain, leaves))
        if key is request and all(map(operator.is_, found, leaves)):
            return NotImplemented  # as it was before
        return self.repeated(key, found)

    def in_places(self, args: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call, those by keyword in their places as far as there is no gap, and the rest."""
        rest = dict(options)
        for name in self.names[len(args) :]:
            if name not in rest:
                break
            args = (*args, rest.pop(name))
        return args, rest

    def positions(self, argnums: Any, argnames: Any, count: int) -> tuple[Any, Any]:
        """Return argnums and argnames; for names of arguments that are passed by position, these positions and None."""
        names = self.names[:count]
        if argnums is None and argnames.__class__ is str and argnames in names:
            return names.index(argnames), None
        if argnums is None and is_sequence(argnames) and all(name in names for name in argnames):
            return tuple([names.index(name) for name in argnames]), None
        return argnums, argnames

    def axes(self, count: int) -> tuple[int | None, ...]:
        """Return `in_axes` with one entry for each of this many arguments."""
        return (self.in_axes,) * count if self.in_axes is None or isinstance(self.in_axes, int) else tuple(self.in_axes)

    def names_of(self, count: int) -> list[str]:
        """Return the names of this many arguments."""
        return [*self.names[:count], *(f"argument{i}" for i in range(len(self.names), count))]

    def place_of(self, name: str) -> int:
        """Return the position of a keyword argument in in_axes and static_argnums; keyword-only ones come last."""
        every = [*self.names, *self.keyword_only]
        return every.index(name) if name in every else len(every)

    def thread_count(self) -> int:
        """Return how many threads may share the blocks of a batch."""
        if self.threads:
            return self.threads
        affinity = getattr(os, "sched_getaffinity", None)  # the processors this process may use, where the system tells
        return len(affinity(0)) if affinity else os.cpu_count() or 1

    def pool(self) -> ThreadPoolExecutor:
        """Return the threads of this program."""
        if self._pool is None or self._pool_of != os.getpid():
            threads = self.thread_count()
            self._pool_of = os.getpid()
            self._pool = ThreadPoolExecutor(threads, thread_name_prefix="autodiff", initializer=_cores_apart(threads))
        return self._pool


def without(x: Any, leaves: list[Any]) -> Any:
    """Return a dict of dicts without its leaves, which go into a list; None for a leaf, as all else is."""
    if x.__class__ is not dict:
        leaves.append(x)
        return None
    return tuple(x), tuple([without(entry, leaves) for entry in x.values()])


def _plain(x: Any) -> Any:
    """Return a list, or an array of other numbers, as an array of floats; all else as it is."""
    if x.__class__ is list:
        with suppress(ValueError):  # ragged
            x = np.asarray(x)
    if x.__class__ is np.ndarray and x.ndim and x.dtype.char in _EXACT:
        return x.astype(np.float64, copy=False)
    return x


def _none_yet(*_: Any) -> Any:
    return NotImplemented


def _cores_apart(threads: int) -> Callable[[], None]:
    """Return what each of this many threads does first: keep to cores of its own.

    Threads pass the interpreter's lock to and fro, and a system that resumes a thread where it was woken, as Linux
    does, would have all of them on one core.
    """
    if not hasattr(os, "sched_setaffinity"):
        return lambda: None
    cores, turn = sorted(os.sched_getaffinity(0)), itertools.count()

    def settle() -> None:
        with suppress(OSError):  # where this is not allowed, threads are only slower
            os.sched_setaffinity(0, cores[next(turn) :: threads] or cores)  # 0 means this thread alone

    return settle
