"""The pictures of the docs are the ones that the command draws."""

import html
import importlib.util
import re
import shutil
from pathlib import Path

import pytest

from lessons import pictures

DOCS = Path(__file__).parent.parent / "docs"

pytestmark = pytest.mark.skipif(
    not (shutil.which("dot") or importlib.util.find_spec("pygraphviz")), reason="neither pygraphviz nor dot is here"
)


def texts(svg):
    """What an SVG says, in the order in which it says it; where things stand differs between versions of Graphviz."""
    return sorted(html.unescape(text) for text in re.findall(r">([^<>\n]+)</text>", svg))


def test_the_docs_have_what_the_command_draws(tmp_path):
    """The same files, each with the same words and numbers and small enough for a README."""
    drawn = pictures.write_all(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in drawn)
    for path in drawn:
        there = DOCS / path.name
        assert texts(path.read_text(encoding="utf-8")) == texts(there.read_text(encoding="utf-8")), (
            f"{there.name} is old: python -m lessons.pictures"
        )
        assert there.stat().st_size < pictures.MAX_BYTES
