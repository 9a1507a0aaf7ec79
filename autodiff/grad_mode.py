"""The mode of recording, here and now: an operation makes a node, nothing (`no_grad`), or a line of a program.

Per thread and per task, and almost free while nobody has asked for anything but nodes.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from autodiff.native import core

_paused: ContextVar[bool] = ContextVar("paused", default=False)
_tracer: ContextVar[Any] = ContextVar("tracer", default=None)
_inlining: ContextVar[bool] = ContextVar("inlining", default=False)
contexts: int = 0  # how many are open in all threads: while it is 0 no operation needs to ask further
edges = False  # whether an infinite slope was recorded that no sweep has met: then one asks what 0 · ∞ lost
_lock = threading.Lock()


def _open(change: int) -> None:
    global contexts  # noqa: PLW0603 # read on every operation: a global is the fastest place there is
    with _lock:
        contexts += change
        if core is not None:
            core.contexts(contexts)


def paused() -> bool:
    """Return whether recording is off, here and now."""
    return contexts > 0 and _paused.get()


def tracer() -> Any:
    """Return the tracer that records the operations of this thread or task in place of the graph; None without one."""
    return _tracer.get() if contexts else None


@contextmanager
def no_grad() -> Generator[None]:
    """Compute without recording: every result is a leaf. For this thread or task alone.

    >>> from autodiff import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.data, y.operands
    (9.0, ())
    """
    with recording(on=False):
        yield


def recording(*, on: bool) -> AbstractContextManager[None]:
    """Switch recording on or off for this thread or task, and back."""
    return nullcontext() if paused() is not on else _set(_paused, not on)  # as it is already


def inlines() -> bool:
    """Return whether a program that is called is a part of what calls it: while that is traced, or run on Values."""
    return contexts > 0 and (_tracer.get() is not None or _inlining.get())


def inlining() -> AbstractContextManager[None]:
    """Let programs be parts of what calls them."""
    return _set(_inlining, True)


def tracing(by: Any) -> AbstractContextManager[None]:
    """Let `by.record(op, operands)` take what this thread or task computes on Values."""
    return _set(_tracer, by)


@contextmanager
def _set(variable: ContextVar[Any], mode: Any) -> Generator[None]:
    _open(1)
    token = variable.set(mode)
    try:
        yield
    finally:
        variable.reset(token)
        _open(-1)
