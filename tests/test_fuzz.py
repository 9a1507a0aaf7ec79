"""The fuzzing targets, each for a moment; `python -m tests.fuzz` runs them at length (docs/trust.md)."""

import html
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import Value, acos, sqrt
from autodiff.pictures import placing
from models import checkpoints
from tests.fuzz import targets
from tests.fuzz.__main__ import run
from tests.fuzz.source import Source
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(min_size=48, max_size=128))
def test_nothing_undocumented_comes_out(name, data):
    """Any bytes give an answer or an exception that the documentation names."""
    target, _ = TARGETS[name]
    target(data)


@pytest.mark.parametrize("name", ["operators", "transforms"])
def test_a_lost_limit_that_is_told_is_an_answer(monkeypatch, name):
    """√0 squared, and 0 · ∞ in the derivative of x₀ · √x: the warning is documented, and no finding."""
    x = Value(0.0)
    monkeypatch.setattr(targets, "program", lambda _: [sqrt(x) ** 2])
    monkeypatch.setattr(targets, "UNARY", [lambda x: acos(x * 0.0 + 1.0) ** 2])
    TARGETS[name][0](bytes(48))


def test_a_source_that_is_empty_makes_the_first_choice_every_time():
    """Shrinking to fewer and smaller bytes therefore shrinks the case."""
    source = Source(b"")
    assert (source.below(7), source.choice("abc"), source.text(), source.bytes(9)) == (0, "a", "", b"")


def shorter(self, label):
    self._label = label[:9]


def test_a_planted_fault_is_found(monkeypatch):
    """A label cut after nine characters breaks the promise that it comes back."""
    monkeypatch.setattr(Value, "label", property(Value.label.fget, shorter))
    with pytest.raises(AssertionError):
        run(TARGETS["labels"][0], 500, 0)


DUMPS = json.dumps


@pytest.mark.parametrize(
    ("where", "name", "fault"),
    [
        (html, "escape", str),  # the title
        (json, "dumps", lambda data, **_: Unescaped(DUMPS(data))),  # the labels
        (placing, "_dot", lambda order, labels, *_: ("".join(map(labels.full, order)), {})),
    ],
    ids=["title", "labels", "DOT"],
)
def test_a_page_that_does_not_escape_is_found(monkeypatch, where, name, fault):
    """Where text gets into the page as it is, or into what Graphviz is given, the target sees it."""
    monkeypatch.setattr(where, name, fault)
    with pytest.raises((AssertionError, ValueError)):
        run(TARGETS["html"][0], 500, 0)


class Unescaped(str):  # noqa: SLOT000
    """JSON that nobody makes harmless."""

    def replace(self, *_):
        return self


def test_a_file_whose_checksum_nobody_checks_is_found(monkeypatch):
    """Without checksums a damaged file loads as something else, and the target sees it."""

    class Digest:
        def __init__(self, contents=b""):
            self.contents = contents

        def digest(self):
            return Anything()

        def hexdigest(self):
            return Anything()

    class Anything:
        def __ne__(self, other):
            return False

    monkeypatch.setattr(checkpoints, "hashlib", SimpleNamespace(sha256=Digest))
    with pytest.raises(AssertionError):
        run(TARGETS["checkpoint"][0], 500, 0)


def test_the_command_runs_and_counts_its_cases():
    """Exit code 0 and "0 findings" where nothing is found."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--cases", "300", "--target", "labels"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "300 cases" in done.stdout
    assert "0 findings" in done.stdout
