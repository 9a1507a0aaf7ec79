"""The engines that are compared, each behind the name it has in the tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

OURS = "delta-autodiff"
WEIGHTED = "delta-autodiff, weighted_sum"
PURE = "delta-autodiff, in Python"
PURE_WEIGHTED = "delta-autodiff, in Python, weighted_sum"
OWN = (OURS, WEIGHTED, PURE, PURE_WEIGHTED)
XAD = "XAD"
MICROGPT = "microgpt style"
ITERATIVE = "microgpt style, iterative sort"
DEEPLY_RECURSIVE = (MICROGRAD := "micrograd", MICROGPT)


def load(name: str) -> Any:
    """Import the engine called `name` and give its Value class. ImportError when it is not installed."""
    # Imported here and not above: the process of one engine must not carry the objects of another.
    if name in OWN:
        from autodiff import Value, engine

        if engine == "C" or name in (PURE, PURE_WEIGHTED):
            return Value
        raise ImportError(name)  # there was no compiler
    if name == XAD:
        return _xad()
    if name in (MICROGPT, ITERATIVE):
        from benchmarks.microgpt_style import Value as MicrogptValue

        if name == ITERATIVE:
            MicrogptValue._topological_order = MicrogptValue.sort_iteratively
        return MicrogptValue
    if name == MICROGRAD:
        from micrograd.engine import Value as MicrogradValue

        MicrogradValue.tanh = _micrograd_tanh
        return MicrogradValue
    raise ValueError(f"unknown engine: {name!r} (must be one of {[*OWN, MICROGPT, ITERATIVE, MICROGRAD, XAD]})")


def version(name: str) -> str:
    """Return the version of the package behind an engine, "" for the one that is part of the benchmarks."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed(OURS if name in OWN else name.lower())
    except PackageNotFoundError:
        return "" if name in (MICROGPT, ITERATIVE) else "not installed"


def _micrograd_tanh(self: Any) -> Any:
    """Hyperbolic tangent, which the released micrograd lacks, as its own `relu` is written: a closure on the node."""
    t = math.tanh(self.data)
    out = type(self)(t, (self,), "tanh")

    def _backward() -> None:
        self.grad += (1 - t * t) * out.grad

    out._backward = _backward
    return out


def _xad() -> Callable[[float], Any]:
    """Return XAD's number, a C++ tape behind Python, with the names that the others have for what it can do.

    A leaf that follows a sweep begins a new recording: the tape is one, and is recorded anew.
    """
    import xad.adj_1st as adjoint
    import xad.math

    tape = adjoint.Tape()
    tape.activate()
    swept = False

    def backward(root: Any) -> None:
        nonlocal swept
        tape.registerOutput(root)
        root.setDerivative(1.0)
        tape.computeAdjoints()
        swept = True

    def leaf(data: float) -> Any:
        nonlocal swept
        if swept:
            tape.clearAll()
            swept = False
        x = adjoint.Real(data)
        tape.registerInput(x)
        tape.newRecording()  # from the last leaf on
        return x

    adjoint.Real.tanh = lambda x: xad.math.tanh(x)  # noqa: PLW0108 # a builtin would not be a method
    adjoint.Real.backward = backward
    adjoint.Real.data = property(adjoint.Real.getValue)
    adjoint.Real.grad = property(adjoint.Real.getDerivative)
    return leaf


def with_deep_recursion(work: Callable[[], None]) -> None:
    """Run `work` where 300,000 nested calls are possible: what a recursive sort needs for a long chain."""
    import sys
    import threading

    sys.setrecursionlimit(300_000)
    threading.stack_size(512 * 1024 * 1024)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
