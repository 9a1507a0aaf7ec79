"""Random programs as people write them: a few draws of each kind; `python -m tests.draws` makes thousands of the same."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, note, reject, settings
from hypothesis import strategies as st

from tests.draws import PROGRAMS
from tests.draws.laws import Undecided, check

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize("name", PROGRAMS)
@given(source=st.randoms(use_true_random=False), rows=st.integers(1, 9))
@settings(suppress_health_check=list(HealthCheck))
def test_a_random_program_computes_what_values_compute(name, part, source, rows):
    """Values and derivatives of every kind, in every way of asking, and by the text, are those of Values, row by row."""
    spec = PROGRAMS[name].drawn(source)
    note(f"build({spec})")
    case = PROGRAMS[name].build(spec)
    assume(case is not None)
    try:
        check(case, rows)
    except Undecided:
        reject()


FOUND = [  # by the command
    ("positions", {"shape": [2, 3], "steps": [["quadratic", {}], ["gated", {"gates": 3, "start": "zero", "bias": True, "beside": True, "backward": False}]], "last": "sum", "tied": True}),
    ("positions", {"shape": [1, 2], "steps": [["dilated", {"dilation": 1, "rows": 1, "border": True}]], "last": "mean"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "spec"), FOUND, ids=range(len(FOUND)))
def test_what_was_found_once_stays_right(name, spec):
    """δ of windows that lie over one another, the gradient of each row by weights that meet zeros alone."""
    check(PROGRAMS[name].build(spec), 3)


def test_the_command_draws_and_counts():
    """Exit code 0 and "0 failures" where nothing fails."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.draws", "--draws", "5", "--jax", "0", "--numba", "0"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "5 draws" in done.stdout
    assert "0 failures" in done.stdout
