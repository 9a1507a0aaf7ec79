"""One contender in a process of its own: `python -m benchmarks.compiled_worker NAME WORK THREADS SIZE`.

It reads a job per line, as JSON, and answers each with a line of JSON. THREADS is "one core" or "default"; SIZE is
JSON too.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Callable
from time import perf_counter_ns, process_time_ns
from typing import Any

ONE_CORE = "one core"
SAMPLE = 2_000_000  # ns that a sample lasts at least, so that the clock does not count
LONG = 500_000_000  # ns; a call that takes longer is timed three times
LIMITS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")


def stay_on_one_core() -> None:
    """Before NumPy and its like are imported: they make their threads then."""
    os.environ.update({f"{name}_NUM_THREADS": "1" for name in LIMITS})
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


class Timer:
    """Times one call of `work`: by processor time on one core, where nothing waits, else by the wall clock."""

    def __init__(self, work: Callable[[], Any], *, one_core: bool) -> None:
        self._work = work
        self._clock = process_time_ns if one_core else perf_counter_ns
        once = self._sample(1)
        self._long = [once] if once > LONG else []
        if once < SAMPLE:
            once = min(self._sample(1) for _ in range(3))
        self._times = max(1, round(SAMPLE / max(once, 1.0)))

    def _sample(self, times: int) -> float:
        work = self._work
        start = self._clock()
        for _ in range(times):
            work()
        return (self._clock() - start) / times

    def __call__(self, *, samples: int) -> float:
        """Nanoseconds per call: the median of so many samples, or one sample where a call is long in itself."""
        if self._long:  # nobody asks for small differences of what takes so long: three calls are enough
            if len(self._long) < min(samples, 3):
                self._long.append(self._sample(1))
            return statistics.median(self._long)
        return statistics.median(self._sample(self._times) for _ in range(samples if self._times > 1 else 1))


def works() -> dict[str, Any]:
    """Return the contenders of each work by name; imported late, as the environment must be set first."""
    from benchmarks import (
        calls,
        compiled_black_scholes,
        compiled_demo,
        compiled_digits,
        compiled_gpt,
        compiled_positions,
        compiled_recurrent,
        compiled_tracing,
        options,
    )  # fmt: skip

    return {
        "demo": compiled_demo.CONTENDERS,
        "digits": compiled_digits.CONTENDERS,
        "one option": compiled_black_scholes.ONE,
        "options": compiled_black_scholes.MANY,
        "attention": compiled_positions.ATTENTION,
        "convolutions": compiled_positions.CONVOLUTIONS,
        "gpt": compiled_gpt.GPT,
        "padded": compiled_gpt.GPT,
        "recurrent": compiled_recurrent.NETS,
        "tracing": compiled_tracing.CONTENDERS,
        "peers": options.CONTENDERS,
        "calls": calls.CONTENDERS,
    }


def serve(name: str, work: str, threads: str, size: dict[str, Any]) -> None:
    """Answer the jobs on standard input until it ends."""
    try:
        contender = works()[work][name](**size)
    except ImportError:
        reply({"missing": name})
        return
    if work == "tracing":
        jobs: dict[str, Callable[..., Any]] = contender
    else:
        jobs = {"answers": contender.answers}
    reply({"ready": name})
    for line in sys.stdin:
        job = json.loads(line)
        do = job.pop("do")
        if do == "time" and do not in jobs:  # made late: answers come first, and warm up
            jobs[do] = Timer(contender.work, one_core=threads == ONE_CORE)
        try:
            reply({"answer": jobs[do](**job)})
        except MemoryError as error:
            reply({"failed": type(error).__name__})


def reply(message: dict[str, Any]) -> None:
    """Write one line, at once."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    name, work, threads, size = sys.argv[1:]
    if threads == ONE_CORE:
        stay_on_one_core()
    serve(name, work, threads, json.loads(size))
