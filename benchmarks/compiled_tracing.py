"""Measure what precedes a compiled run (tracing, passes, buffers), and how much memory the run then takes."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from time import process_time_ns
from typing import Any

import numpy as np

from benchmarks import compiled_gpt, demo
from benchmarks.compiled_digits import SIZES, data, one_hot

Job = Callable[..., Any]
NETWORK, CHAIN, THICKET, DIGITS, GPT, MEMORY = "network", "chain", "thicket", "digits", "small GPT", "memory"


def network(nodes: int) -> tuple[Any, list[Any]]:
    """A function of one point with about so many nodes, micrograd's way: 2-H-H-1; and a batch for it."""
    from autodiff import Value

    hidden = max(1, round((nodes / 2.0) ** 0.5 - 1.5))
    mlp = demo.MLP(Value, demo.Neuron, [2, hidden, hidden, 1])
    points, _ = demo.moons(4)
    rng = np.random.default_rng(0)
    for p in mlp.parameters():
        p.data = rng.uniform(-1.0, 1.0) / hidden
    return mlp, [np.array(points)]


def chain(nodes: int) -> tuple[Any, list[Any]]:
    """One path through all nodes, x ← tanh(x * w + b) over and over, from one number per row."""
    from autodiff import Value

    w, b = Value(0.9), Value(0.1)

    def f(x: Any) -> Any:
        for _ in range(nodes // 3):
            x = (x * w + b).tanh()
        return x

    return f, [np.linspace(0.5, 1.0, 4)]


def thicket(nodes: int) -> tuple[Any, list[Any]]:
    """No structure at all: sin of a sum, difference or product of two of the latest twenty, drawn at random."""
    from autodiff import Value

    rng = np.random.default_rng(0)
    choices = rng.integers(0, 20, (nodes // 2, 2)).tolist()
    kinds = rng.integers(0, 3, nodes // 2).tolist()
    w = [Value(x) for x in rng.uniform(-1.0, 1.0, 19)]

    def f(x: Any) -> Any:
        latest = [x, *w]
        for k, ((i, j), kind) in enumerate(zip(choices, kinds, strict=True)):
            a, b = latest[i], latest[j]
            latest[k % 20] = (a + b if kind == 0 else a - b if kind == 1 else a * b).sin()
        return sum(latest)

    return f, [np.linspace(0.5, 1.0, 4)]


def digits() -> tuple[Any, list[Any]]:
    """The digits network with its loss, and a batch."""
    from autodiff import logsumexp
    from models import MLP

    X, Y, _ = data()
    mlp = MLP(SIZES[0], SIZES[1:], activation="tanh")

    def loss(x: Any, target: Any) -> Any:
        z = mlp(x)
        return logsumexp(z) - sum(t * zi for t, zi in zip(target, z, strict=True))

    return loss, [X[0], one_hot(Y[0])]


def recorded(f: Any, batch: list[Any]) -> int:
    """Count the nodes that the eager engine records for one sample, without leaves."""
    from autodiff import topological_order

    root = f(*[x[0].tolist() for x in batch])
    return sum(bool(node.operands) for node in topological_order(root))


def tracing(f: Any, batch: list[Any]) -> dict[str, Job]:
    """Jobs: count the nodes; time the first call less a later one, in ns; count the traces of two calls."""
    import autodiff

    def first() -> float:
        gc.collect()
        program = autodiff.compile(f)
        start = process_time_ns()
        program.value_and_grad(*batch)
        middle = process_time_ns()
        program.value_and_grad(*batch)
        return (middle - start) - (process_time_ns() - middle)

    def traces() -> int:
        calls = 0

        def counted(*args: Any) -> Any:
            nonlocal calls
            calls += 1
            return f(*args)

        program = autodiff.compile(counted)
        program.value_and_grad(*batch)
        before = calls
        program.value_and_grad(*batch)
        return calls - before

    return {
        "time": first,
        "nodes": lambda: recorded(f, batch),
        "retraces": traces,
        "bytes": lambda: sum(memory_of(f, batch)),
        "kept": lambda: memory_of(f, batch)[0],
    }


def memory_of(f: Any, batch: list[Any]) -> tuple[int, int]:
    """Return the memory that a program holds after its first call, and what it took on the way besides, in bytes."""
    import autodiff

    gc.collect()
    tracemalloc.start()
    program = autodiff.compile(f)
    program.value_and_grad(*batch)
    gc.collect()
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept, most - kept


def gpt(length: int) -> tuple[Any, list[Any]]:
    """A GPT of one layer on names padded to so many letters."""
    f, _ = compiled_gpt.model(length, padded=True)
    return f, list(compiled_gpt.names(3, length, padded=True))


def memory(hidden: int, rows: int) -> dict[str, Job]:
    """Jobs: the most memory that making and running the program takes, beyond its arguments, in bytes; its nodes."""
    from autodiff import Value

    mlp = demo.MLP(Value, demo.Neuron, [2, hidden, hidden, 1])
    points, _ = demo.moons(rows)
    batch = np.array(points)
    del points

    return {"bytes": lambda: sum(memory_of(mlp, [batch])), "nodes": lambda: recorded(mlp, [batch])}


CONTENDERS: dict[str, Callable[..., dict[str, Job]]] = {
    NETWORK: lambda nodes: tracing(*network(nodes)),
    CHAIN: lambda nodes: tracing(*chain(nodes)),
    THICKET: lambda nodes: tracing(*thicket(nodes)),
    DIGITS: lambda: tracing(*digits()),
    GPT: lambda length: tracing(*gpt(length)),
    MEMORY: memory,
}
