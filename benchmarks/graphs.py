"""Graphs of +, * and tanh in two shapes, as deep or as wide as asked, built from any engine's Value."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from time import process_time_ns
from typing import Any


def chain(value: Any, nodes: int) -> Any:
    """One path through all nodes: x ← tanh(x * w + b), over and over. As deep as it has nodes."""
    x, w, b = value(0.3), value(0.9), value(0.1)
    for _ in range(nodes // 3):
        x = (x * w + b).tanh()
    for _ in range(nodes % 3):
        x = x + b  # += is a new node too, but reads as if it were not
    return x


def wide(value: Any, nodes: int) -> Any:
    """Many terms tanh(x * w + b) side by side, added up pair by pair: 4 nodes per term, log2(nodes) deep."""
    inputs = [value(0.01 * i) for i in range(16)]
    w, b = value(0.9), value(0.1)
    terms = [(inputs[i % 16] * w + b).tanh() for i in range(nodes // 4)]
    while len(terms) > 1:
        odd = terms[-1:] if len(terms) % 2 else []
        terms = [left + right for left, right in zip(terms[::2], terms[1::2], strict=False)] + odd
    return terms[0]


SHAPES: dict[str, Callable[[Any, int], Any]] = {"chain": chain, "wide": wide}


def nanoseconds(work: Callable[[], object], *, times: int, collector: bool) -> float:
    """Mean processor time of one call of `work`, the collector as Python starts it or switched off.

    Processor time, since the work is one thread that never waits: what else runs on the machine is not counted.

    A mean of `times` calls, not a median: the collector's full passes are rare and long, and belong to the bill. So
    does freeing what only the collector can free: a collection ends the sample, less the time that one takes when
    there is nothing to free. Whoever switches the collector off has to ask for it, sooner or later.
    """
    gc.collect()
    spent = -_billed(gc.collect)
    if not collector:
        gc.disable()
    try:
        for _ in range(times):
            spent += _billed(work)
        spent += _billed(gc.collect)
    finally:
        gc.enable()
    return spent / times


def _billed(work: Callable[[], object]) -> int:
    start = process_time_ns()
    work()
    return process_time_ns() - start


def time_per_node(value: Any, shape: str, nodes: int, *, times: int, collector: bool) -> float:
    """Nanoseconds per node for forward, backward and freeing."""
    build = SHAPES[shape]

    def work() -> None:
        build(value, nodes).backward()  # nobody keeps the root, so the graph is freed inside the time

    return nanoseconds(work, times=times, collector=collector) / nodes


def bytes_per_node(value: Any, shape: str, nodes: int) -> float:
    """Memory that a swept graph holds, per node."""
    SHAPES[shape](value, 100).backward()  # what is allocated once and for all is not the graph's
    gc.collect()
    tracemalloc.start()
    root = SHAPES[shape](value, nodes)
    root.backward()
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del root
    return held / nodes


def probe(value: Any, shape: str, nodes: int) -> list[float]:
    """Value of the root and δ of each leaf, with which engines prove that they compute the same graph."""
    leaves: list[Any] = []

    def leaf(data: float) -> Any:
        leaves.append(value(data))
        return leaves[-1]

    root = SHAPES[shape](leaf, nodes)
    root.backward()
    return [float(root.data), *(float(x.grad) for x in leaves)]
