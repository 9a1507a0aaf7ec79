"""The engines that are compared, each behind the name it has in the tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

OURS = "delta-autodiff"
WEIGHTED = "delta-autodiff, weighted_sum"
MICROGPT = "microgpt style"
ITERATIVE = "microgpt style, iterative sort"
DEEPLY_RECURSIVE = (MICROGRAD := "micrograd", MICROGPT)


def load(name: str) -> Any:
    """Import the engine called `name` and give its Value class. ImportError when it is not installed."""
    # Imported here and not above: the process of one engine must not carry the objects of another.
    if name in (OURS, WEIGHTED):
        from autodiff import Value

        return Value
    if name in (MICROGPT, ITERATIVE):
        from benchmarks.microgpt_style import Value as MicrogptValue

        if name == ITERATIVE:
            MicrogptValue._topological_order = MicrogptValue.sort_iteratively
        return MicrogptValue
    if name == MICROGRAD:
        from micrograd.engine import Value as MicrogradValue

        MicrogradValue.tanh = _micrograd_tanh
        return MicrogradValue
    raise ValueError(f"unknown engine: {name!r} (must be one of {[OURS, WEIGHTED, MICROGPT, ITERATIVE, MICROGRAD]})")


def version(name: str) -> str:
    """Return the version of the package behind an engine, "" for the one that is part of the benchmarks."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed(OURS if name == WEIGHTED else name)
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


def with_deep_recursion(work: Callable[[], None]) -> None:
    """Run `work` where 300,000 nested calls are possible: what a recursive sort needs for a long chain."""
    import sys
    import threading

    sys.setrecursionlimit(300_000)
    threading.stack_size(512 * 1024 * 1024)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
