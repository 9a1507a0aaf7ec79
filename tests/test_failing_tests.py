"""A gradient test that fails fits on a screen and shows the reader's own code, in pytest and in unittest."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autodiff import OPS
from autodiff.testing import WrongDerivativeError, gradcheck

ROOT = Path(__file__).parent.parent
SCREEN = 24  # lines of a terminal since the VT100

# Each body is a test that must fail; what they need from around them stands in BEFORE.
BEFORE = """
import numpy as np
from hypothesis import given, settings, strategies as st
from autodiff import Op, Value, exp, sin
from autodiff.testing import check_kinks, gradcheck, laws

def loss(x):
    return float(np.sum(np.tanh(x) ** 2))

def gradient(x):
    return 2 * np.tanh(x)

cube = Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: 2 * a * a,))
"""
FAILING = {
    "gradient": "gradcheck(loss, np.array([0.3, -0.7, 1.1]), gradient=gradient)",
    "long_point": "gradcheck(loss, np.linspace(0.1, 2.0, 50), gradient=gradient)",
    "shape": "gradcheck(loss, np.array([0.3, -0.7, 1.1]), gradient=lambda x: 1.0)",
    "hessian": "gradcheck(lambda x: x**3, 2.0, gradient=lambda x: 3 * x**2, hessian=lambda x: 5 * x, order=2)",
    "operation": "gradcheck(lambda x: sin(cube(x)), 2.0)",
    "kink": "gradcheck(lambda x: abs(x), 0.0)",
    "kink_of_a_gradient": "gradcheck(abs, 0.0, gradient=lambda x: 1.0)",
    "not_a_number": "gradcheck(lambda x: [x, x], 2.0)",
    "complex_point": "gradcheck(loss, 1j, gradient=gradient)",
    "tolerance": "gradcheck(loss, 1.0, gradient=gradient, rtol=-1.0)",
    "law": "laws.chain_rule(sin, exp, at=(1.0,), gradient=lambda f, at: [f(*at)])",
    "decision": "check_kinks('relu', lambda x: max(x, 0.0), lambda f, at: [1.0])",
}


MORE = """
@settings(database=None)
@given(x=st.floats(0.5, 2.0))
def test_drawn(x):
    gradcheck(cube, x)

def broken(x):
    return x[7]

def test_of_their_own():
    gradcheck(broken, np.ones(2), gradient=gradient)
"""


def run(tmp_path, text, *arguments):
    """What a test runner prints of a file, in a process of its own, as a user's would."""
    (tmp_path / "test_theirs.py").write_text(BEFORE + text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-m", *arguments, "test_theirs.py"], capture_output=True, encoding="utf-8",
        check=False, cwd=tmp_path, env={**{k: v for k, v in os.environ.items() if k != "CI"}, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


PYTEST = ("pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "--color=no")


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What pytest prints of each failure, under its name."""
    text = "".join(f"\ndef test_{name}():\n    {body}\n" for name, body in FAILING.items()) + MORE
    output = run(tmp_path_factory.mktemp("failures"), text, *PYTEST)
    parts = re.split(r"^_+ test_(\w+) _+$", output.split("short test summary")[0], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", FAILING)
def test_pytest_shows_the_test_and_what_is_wrong_and_no_frame_of_the_library(printed, name):
    """Of whatever a check raises: the line of the test, the message, no code of ours, and a screen at most."""
    shown = printed[name]
    assert f">       {FAILING[name]}" in shown or f">   {FAILING[name]}" in shown
    assert "\nE   " in shown
    assert not re.search(r"autodiff/testing/\w+\.py:\d+", shown.replace("\\", "/")), shown
    assert shown.count("\n") <= SCREEN, shown


def test_a_failure_of_three_numbers_fits_on_a_screen(tmp_path):
    """All that pytest prints, its own headings and summary included (it was 66 lines with the library's frames)."""
    output = run(tmp_path, f"\ndef test_it():\n    {FAILING['gradient']}\n", *PYTEST, "-q")
    assert len(output.splitlines()) <= SCREEN, output
    assert "reproduce it with" in output


def test_a_drawn_example_is_shown_without_a_frame_of_the_library(printed):
    """A property that fails shows the least example, and no code of ours."""
    output = printed["drawn"].replace("\\", "/")
    assert ">       gradcheck(cube, x)" in output
    assert "x=1.0" in output
    assert not re.search(r"autodiff/testing/\w+\.py:\d+", output), output


def test_what_the_users_own_code_raises_is_shown_where_it_raises(printed):
    """Of a mistake in the function under test pytest shows that function, not our frames between."""
    output = printed["of_their_own"].replace("\\", "/")
    assert ">       return x[7]" in output or ">   return x[7]" in output
    assert not re.search(r"autodiff/testing/\w+\.py:\d+", output), output


def test_unittest_counts_a_failure_and_ends_in_the_message(tmp_path):
    """A wrong gradient is a failure of unittest, also within a subTest, and no error; it goes on with the next one."""
    body = (
        "\nimport unittest\n\nclass Gradients(unittest.TestCase):\n    def test_many(self):\n"
        "        for n in (1, 2, 3):\n            with self.subTest(n=n):\n"
        "                gradcheck(loss, np.ones(n), gradient=gradient)\n"
        "    def test_right(self):\n        gradcheck(lambda x: x * x, 2.0)\n"
    )
    output = run(tmp_path, body, "unittest")
    assert "Ran 2 tests" in output
    assert "FAILED (failures=3)" in output
    assert output.count("WrongDerivativeError: gradient") == 3
    assert "errors=" not in output
    frames = re.findall(r"testing[/\\]\w+\.py", output)
    assert len(frames) == 3, frames  # the line of gradcheck that raises, once each, and not the way to it


def loss(x):
    return float(np.sum(np.tanh(x) ** 2))


def half(x):
    return np.tanh(x) * (1 - np.tanh(x) ** 2)


def off_by_one(x):
    return half(x)[1:]


@pytest.mark.parametrize(("n", "gradient"), [(3, half), (200, half), (20_000, off_by_one)])
def test_a_message_does_not_grow_with_the_point(n, gradient):
    """However many numbers a point has, the message is short; the program that fails again holds all of them."""
    point = np.random.default_rng(0).normal(size=n)
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(loss, point, gradient=gradient)
    message, program = str(caught.value), caught.value.reproduction
    assert len(message) < 1000
    assert len(message.splitlines()) < 16
    assert max(map(len, message.splitlines())) <= 160
    assert set(map(repr, point.tolist())) <= set(re.findall(r"-?\d+\.\d+(?:e-?\d+)?", program))
    assert (program.splitlines()[-1] in message) == (n == 3)
    if n <= 200:
        with pytest.raises(WrongDerivativeError, match="derivative by"):
            exec(compile(program, "<program>", "exec"), {})


def test_an_operation_on_many_operands_is_shown_by_a_few_of_them():
    """A wrong partial of an operation on 300 operands shows the first, and how many there are."""
    twice = replace(OPS["total"], name="twice", partials=lambda xs, r: [2.0] * len(xs))
    with pytest.raises(WrongDerivativeError, match=r"(?m)^  at twice\(0\.0, 1\.0, .*, … 300 of them\)$") as caught:
        gradcheck(lambda xs: twice(*xs), np.arange(300.0))
    assert len(str(caught.value)) < 1000
    assert len(caught.value.reproduction) > 1000
