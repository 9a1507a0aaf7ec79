"""One engine in a process of its own: it reads a job per line, as JSON, and answers each with a line of JSON.

A collector walks over every object of its process, so engines that shared one would pay for each other's garbage.
Every worker imports the same: NumPy, these modules, and its engine.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from benchmarks import demo, graphs
from benchmarks.engines import DEEPLY_RECURSIVE, OURS, XAD, load, with_deep_recursion


def pin_to_one_core() -> None:
    """Stay on the last core there is: moving between cores costs caches and adds noise."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def demo_step(engine: str) -> Callable[..., float]:
    """Return a timer of one training step, in nanoseconds; parameters are reset before it, outside the time."""

    def timed(*, samples: int, times: int, collector: bool) -> float:
        step, _, reset = demo.training(engine, samples)
        reset()
        return graphs.nanoseconds(step, times=times, collector=collector)

    return timed


def serve(engine: str) -> None:
    """Answer the jobs on standard input until it ends."""
    try:
        value = load(engine)
    except ImportError:
        reply({"missing": engine})
        return
    jobs: dict[str, Callable[..., Any]] = {
        "time": lambda times, **job: graphs.time_per_node(
            value, times=times * (10 if engine in (OURS, XAD) else 1), **job
        ),
        "bytes": lambda **job: graphs.bytes_per_node(value, **job),
        "probe": lambda **job: graphs.probe(value, **job),
    }
    if engine != XAD:  # whose tape records one graph, and knows no ReLU
        jobs |= {"demo": demo_step(engine), "three_steps": lambda samples: demo.three_steps(engine, samples)}
    for shape in graphs.SHAPES:  # warm up: the interpreter specialises what it has run a few times
        graphs.time_per_node(value, shape, 900, times=5, collector=True)
    reply({"ready": engine})
    for line in sys.stdin:
        job = json.loads(line)
        try:
            reply({"answer": jobs[job.pop("do")](**job)})
        except (RecursionError, MemoryError) as error:
            reply({"failed": type(error).__name__})


def reply(message: dict[str, Any]) -> None:
    """Write one line, at once."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    pin_to_one_core()
    name = sys.argv[1]
    if name in DEEPLY_RECURSIVE:
        with_deep_recursion(lambda: serve(name))
    else:
        serve(name)
