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


def test_the_command_draws_and_counts():
    """Exit code 0 and "0 failures" where nothing fails."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.draws", "--draws", "5", "--jax", "0", "--numba", "0"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "5 draws" in done.stdout
    assert "0 failures" in done.stdout
