"""How large a graph may grow, and what importing costs: run `python -m benchmarks.limits`.

Each size is measured in a process of its own: bytes per node from the peak of the process, processor time for building,
sweeping and freeing. Imports are the median of several processes, beside NumPy's own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from typing import Any

GRAPH = """
import gc, json, resource, sys, time
from autodiff import Value
nodes, wide = int(sys.argv[1]), sys.argv[2] == "wide"
gc.disable()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
before = peak()
x = Value(1.0)
start = time.process_time()
if wide:
    from autodiff import total
    y = total([x * 0.5 for _ in range(nodes)])
else:
    y = x
    for _ in range(nodes // 2):
        y = y * 0.5 + x
built = time.process_time()
y.backward()
swept = time.process_time()
slope = x.grad
end = time.process_time()
del y
freed = time.process_time()
assert abs(slope - (nodes / 2 if wide else 2.0)) < 1e-6, slope
print(json.dumps({"bytes": peak() - before, "build": built - start, "sweep": swept - built, "free": freed - end}))
"""

IMPORT = """
import time
start = time.process_time()
import numpy
middle = time.process_time()
import autodiff
print(middle - start, time.process_time() - middle)
"""


def python(code: str, *arguments: Any) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.limits")
    parser.add_argument("--most", type=int, default=10_000_000, help="nodes of the largest graph (default: 10,000,000)")
    parser.add_argument("--runs", type=int, default=15, help="processes that import (default: 15)")
    options = parser.parse_args()
    print("| graph | nodes | memory, GiB | bytes per node | build, µs per node | sweep | free |")
    print("|---|---|---|---|---|---|---|")
    for kind in ("chain", "wide"):
        for nodes in (n for n in (10**5, 10**6, 10**7, 10**8) if n <= options.most):
            found = json.loads(python(GRAPH, nodes, kind))
            times = " | ".join(f"{1e6 * found[what] / nodes:.2f}" for what in ("build", "sweep", "free"))
            size = found["bytes"]
            print(f"| {kind} | {nodes:,} | {size / 2**30:.2f} | {size / nodes:.0f} | {times} |", flush=True)
    python(IMPORT)  # so that bytecode is there
    pairs = [tuple(map(float, python(IMPORT).split())) for _ in range(options.runs)]
    numpys, ours = (1e3 * statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"\nimport numpy: {numpys:.0f} ms; autodiff beyond that: {ours:.0f} ms; processor time, {options.runs} runs")


if __name__ == "__main__":
    main()
