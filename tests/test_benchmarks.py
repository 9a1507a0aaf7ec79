"""The benchmarks run, and compare engines that compute the same."""

import functools
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import autodiff
from benchmarks import calls, folds, limits, options
from benchmarks.compiled import HEADINGS, QUICK, Contest, hold
from benchmarks.compiled_black_scholes import XAD
from benchmarks.compiled_worker import ONE_CORE
from benchmarks.contenders import OURS
from benchmarks.eager import agree
from benchmarks.process import UnavailableError
from benchmarks.table import Table

ROOT = Path(__file__).parent.parent


def test_the_limits_of_docs_trust_are_those_of_this_engine():
    """The processor time of a node of a chain, within a factor of 4; both languages have the same figures."""
    tables = [
        re.findall(r"^\| \w+ (\| 1[0,]+ \| [\d.]+ \| .*)$", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE)
        for page in ("trust.md", "trust.es.md")
    ]  # fmt: skip
    assert tables[0] == tables[1]
    assert len(tables[0]) == 6
    nodes, _, _, *times = (float(cell.replace(",", "")) for cell in tables[0][1].strip("| ").split(" | "))
    if autodiff.engine == "C":
        found = json.loads(limits.python(limits.GRAPH, int(nodes), "chain"))
        assert 0.25 < 1e6 * sum(found[what] for what in ("build", "sweep", "free")) / nodes / sum(times) < 4.0


def quick(module, *arguments):
    """Return what a benchmark prints in its quick run, which must end well."""
    command = [sys.executable, "-m", module, "--quick", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.once
@pytest.mark.slow(reason="micrograd takes a second for a step of its demo, and needs five")
def test_the_quick_benchmark_prints_its_table():
    """Every engine has its rows, and the run stops unless all agree on gradients and trained weights to 1e-9."""
    printed = quick("benchmarks.eager")
    for engine in ("delta-autodiff, weighted_sum", "microgpt style, iterative sort", "micrograd"):
        assert engine in printed
    assert "B/node" in printed
    assert "targets missed" in printed
    absent = {line for line in printed.splitlines() if "not installed" in line}
    assert all("XAD" in line or (autodiff.engine != "C" and "delta-autodiff" in line) for line in absent), absent
    assert not any("in Python" in line for line in absent)


@pytest.mark.once
@pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="Playwright drives the browser")
def test_the_pages_are_measured_in_a_browser():
    """Every page has its row: kilobytes, and milliseconds of script that are no more than a moment."""
    printed = quick("benchmarks.pages")
    rows = re.findall(r"^(?:playground|stepper): .*?  +(\d+) +([\d.]+)", printed, re.MULTILINE)
    assert len(rows) == 6
    for kilobytes, milliseconds in rows:
        assert 50 < int(kilobytes) < 500
        assert 0.0 < float(milliseconds) < 1000.0


PEERS = ("PyTorch", "jax.jit")
PARTS = {
    "demo": ("demo, a step", "sums of products", "models.MLP", "by hand, buffers", "NumPy, naive", *PEERS, "micrograd"),
    "digits": ("digits 64-32-10", "flat parameters", "pytree", "scikit-learn", *PEERS),
    "options": ("one option", "options, each", "XAD", "numba", "straight-line", *PEERS),
    "positions": ("attention", "convolutions", "a small GPT", "by hand, buffers", *PEERS),
    "recurrent": ("RNN of 16 units", "LSTM of", "GRU of", *PEERS),
    "growth": ("rows, each", "against fewer rows", "jax.jit"),
    "tracing": ("nodes: trace", "memory at most"),
}


@pytest.mark.once
@pytest.mark.slow(reason="up to nine processes, of which five load PyTorch, JAX or scikit-learn")
@pytest.mark.parametrize("part", PARTS)
def test_the_quick_benchmark_of_compile_prints_its_table(part):
    """Every contender has its row, installed or not, and the run stops unless all agree on values and derivatives."""
    printed = quick("benchmarks.compiled", "--only", part)
    for work_or_contender in PARTS[part]:
        assert work_or_contender in printed
    assert "targets missed" in printed


@pytest.mark.once
@pytest.mark.slow(reason="a process for each peer, of which three compile")
def test_options_by_all_peers_stand_in_one_table():
    """Every peer has its row, installed or not, and the run stops unless all compute what mpmath does."""
    printed = quick("benchmarks.options")
    for name in options.CONTENDERS:
        row = re.search(rf"^{re.escape(name)}  .*$", printed, re.MULTILINE)
        assert row, name
        assert len(re.findall(r"\d (?:ns|µs|ms)(?: |$)|not installed", row[0])) == 4, row[0]
    assert "targets missed" in printed


def test_greeks_to_fifty_digits_are_the_derivatives_of_the_price():
    """What the peers are compared with is what mpmath finds by differences, with digits to spare."""
    mpmath = pytest.importorskip("mpmath")
    value, *derivatives = options.exact(1)[::2]
    with mpmath.workdps(50):
        price = functools.partial(options.price, of=mpmath)
        assert abs(value - price(*options.ONE_OPTION)) < 1e-13
        for i, derivative in enumerate(derivatives):
            orders = tuple(int(k == i) for k in range(5))
            assert abs(derivative - mpmath.diff(price, options.ONE_OPTION, orders)) < 1e-13


@pytest.mark.once
@pytest.mark.slow(reason="twelve processes")
def test_all_forms_of_a_call_stand_in_one_table():
    """The run stops unless all forms find the same value and gradient, and by hand in NumPy as well."""
    printed = quick("benchmarks.calls")
    for form in calls.CONTENDERS:
        assert re.search(rf"  {re.escape(form)}  +[\d.,]+ (?:ns|µs|ms)", printed), form


@pytest.mark.once
@pytest.mark.slow(reason="numba and JAX compile four models")
def test_loops_with_a_state_stand_in_one_table():
    """Every model has its rows, and the run stops unless all engines find the same value and gradient."""
    printed = quick("benchmarks.folds")
    for work in folds.MODELS:
        rows = 4 if "LSTM" in work else 3  # the one that is written by hand as well
        assert len(re.findall(rf"^{re.escape(work)}.*  ", printed, re.MULTILINE)) == rows, work


def test_contenders_that_differ_stop_the_benchmark():
    """A wrong gradient in one contender, or a number that is not one, is an error that names it."""
    agree({"ours": [1.0, 2000.0], "theirs": [1.0, 2000.0 + 1e-7], "absent": UnavailableError("not installed")})
    for wrong in (2.0, float("nan")):  # max() would lose the NaN
        with pytest.raises(AssertionError, match="theirs differs from ours"):
            agree({"ours": [1.0, 1.0], "theirs": [1.0, wrong]})


def test_what_is_not_installed_has_a_row_that_says_so(tmp_path, monkeypatch):
    """An absent peer neither stops the others nor counts as beaten."""
    (tmp_path / "xad.py").write_text("raise ImportError('as if it were not there')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    table = Table(HEADINGS)
    contest = Contest("one option", "one option", (OURS, XAD), {XAD: 10.0})
    assert list(hold(contest, ONE_CORE, QUICK, table)) == [OURS]
    _, theirs = table.rows
    assert theirs[2:] == (XAD, "not installed", "", "≥ 10×", "not measured")
