"""The benchmarks run, and compare engines that compute the same."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_quick_benchmark_prints_its_table():
    """Every engine has its rows, and the run stops unless all agree on gradients and trained weights to 1e-9."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.eager", "--quick"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    for engine in ("delta-autodiff, weighted_sum", "microgpt style, iterative sort", "micrograd"):
        assert engine in done.stdout
    assert "B/node" in done.stdout
    assert "targets missed" in done.stdout
    assert "not installed" not in done.stdout
