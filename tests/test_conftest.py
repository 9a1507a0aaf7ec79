"""What tests/conftest.py promises about every run, in one process and in several."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONFTEST = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
XDIST = pytest.mark.skipif("xdist" not in sys.modules, reason="pytest-xdist is not here")


def run(folder, tests, *arguments, limit=None, **environment):
    """Run `tests`, texts by file name, under the suite's conftest; return pytest's exit status and output."""
    conftest = re.sub(r"^LIMIT = .*", f"LIMIT = {limit}", CONFTEST, flags=re.MULTILINE) if limit else CONFTEST
    for name, text in {
        "pytest.ini": "[pytest]\n",
        "conftest.py": conftest,
        **tests,
    }.items():  # no other folder's settings
        (folder / name).write_text(text, encoding="utf-8")
    ours = ("CI", "FAIL_ON_SKIP", "HYPOTHESIS_PROFILE", "PYTEST_ADDOPTS")
    inherited = {k: v for k, v in os.environ.items() if k not in ours and not k.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"--rootdir={folder}", *arguments, folder],
        capture_output=True, text=True, check=False, cwd=folder, env=inherited | environment,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


SKIPS = {
    "test_a_module.py": "import pytest\npytest.importorskip('no_such_module')\n",
    "test_another.py": "import pytest\npytest.importorskip('no_such_module')\n",
    "test_a_function.py": "import pytest\ndef test_left_out(): pytest.skip('today')\ndef test_run(): pass\n",
}


SLOW = """
import subprocess, sys, time
import pytest

BURN = "import time\\nwhile time.process_time() < 0.3: pass"

def burn():
    end = time.process_time() + 0.3
    while time.process_time() < end: pass

@pytest.fixture
def burnt(): burn()

def test_in_itself(): burn()
def test_in_its_fixture(burnt): pass
def test_in_a_child(): subprocess.run([sys.executable, "-c", BURN], check=True)
def test_only_waits(): time.sleep(0.3)
@pytest.mark.slow(reason="the loop is the point")
def test_with_a_reason(): burn()
"""


@pytest.mark.parametrize(
    ("processes", "rules"),
    [([], {"FAIL_ON_SKIP"}), ([], {"CI"}), pytest.param(["--numprocesses=2"], {"FAIL_ON_SKIP", "CI"}, marks=XDIST)],
    ids=["skips", "slow", "both, in two processes"],
)
def test_what_was_left_out_and_what_is_slow_fails_the_run(tmp_path, processes, rules):
    """FAIL_ON_SKIP counts and names whole modules and single tests.

    CI limits the processor time of a test, its fixtures and its children, not its waiting, unless it has a reason.
    """
    tests = (SKIPS if "FAIL_ON_SKIP" in rules else {}) | ({"test_times.py": SLOW} if "CI" in rules else {})
    status, output = run(tmp_path, tests, *processes, limit=0.08, **dict.fromkeys(rules, "true"))
    assert status == 1
    skips = re.findall(r"FAIL_ON_SKIP: 3 skipped: (.*)", output)
    assert len(skips) == ("FAIL_ON_SKIP" in rules)
    for said in skips:
        for name in ("test_a_module.py", "test_another.py", "test_a_function.py::test_left_out"):
            assert name in said
    slow = re.findall(r"slower than 0.24 s without a slow\(reason=...\): (.*)", output)
    assert len(slow) == ("CI" in rules)
    for said in slow:
        assert set(re.findall(r"::(\w+)", said)) == {"test_in_itself", "test_in_its_fixture", "test_in_a_child"}


def test_elsewhere_neither_rule_holds(tmp_path):
    """Where an oracle is absent its tests are skipped, and a machine may be slow."""
    assert run(tmp_path, SKIPS | {"test_times.py": SLOW}, "-k", "left_out or in_itself", limit=0.08)[0] == 0


def test_a_machine_of_half_the_speed_passes_and_is_told_what_is_slow(tmp_path):
    """A test above the limit and below its threefold is named, and CI does not fail by it."""
    status, output = run(tmp_path, {"test_times.py": SLOW}, "-k", "in_itself or reason", limit=0.25, CI="true")
    assert status == 0
    [told] = re.findall(r"more than 0.25 s of processor time, with no slow\(reason=...\): (.*)", output)
    assert re.findall(r"::(\w+)", told) == ["test_in_itself"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@pytest.mark.parametrize('x', [object()], ids=repr)", "must hold no address, got .*object object at 0x"),
        ("@pytest.mark.slow\n@pytest.mark.parametrize('x', [1])", "slow must have a reason, got none for .*test_it"),
    ],
    ids=["an id with an address", "slow without a reason"],
)
def test_what_would_break_a_run_later_is_refused_at_once(tmp_path, text, said):
    """Before any test runs, naming the test and the way out."""
    status, output = run(tmp_path, {"test_it.py": f"import pytest\n{text}\ndef test_it(x): pass\n"})
    assert status == pytest.ExitCode.USAGE_ERROR
    assert re.search(said, output)


LAW = """
from hypothesis import given, strategies as st

def code(i):
    return compile("def f(x):\\n    return nothing_of_that_name", f"drawn {i}", "exec")

@given(st.integers(0, 1000))
def test_law(i):
    space = {}
    exec(code(i), space)
    space["f"](i)
"""


def test_a_law_that_fails_is_reported_once(tmp_path):
    """A name missing from every drawn program, each with a file of its own, is one failure and not one for each."""
    status, output = run(tmp_path, {"test_law.py": LAW})
    assert status == 1
    assert (
        output.count("NameError: name 'nothing_of_that_name' is not defined") <= 2
    )  # in the traceback, in the summary
    assert "i=0" in output
    assert "more exception" not in output
    assert "Explanation" not in output


WARNINGS = {
    "somebody.py": "import warnings\ndef announce(level): warnings.warn('gone next year', DeprecationWarning, level)\n"
    "def complain(level): warnings.warn('look', UserWarning, level)\n",
    "test_it.py": """
import pytest, somebody

@pytest.mark.parametrize("level", [1, 2])
def test_announced(level): somebody.announce(level)
def test_theirs(): somebody.complain(1)
def test_ours(): somebody.complain(2)
""",
}


EVERYTHING = {"test_announced[1]", "test_announced[2]", "test_theirs", "test_ours"}


@pytest.mark.parametrize(
    ("arguments", "failing"),
    [([], {"test_ours"}), pytest.param(["-Werror", "--numprocesses=1"], EVERYTHING, marks=XDIST)],
    ids=["a user's", "continuous integration's"],
)
def test_what_others_announce_fails_in_continuous_integration_alone(tmp_path, arguments, failing):
    """A user's run fails by warnings that our own code causes, and not by a package that deprecates something."""
    _, output = run(tmp_path, WARNINGS, f"--config-file={ROOT / 'pyproject.toml'}", *arguments)
    assert set(re.findall(r"^FAILED .*::(\S+)", output, re.MULTILINE)) == failing
