"""The pictures of the docs are the ones that the command draws."""

import html
import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from lessons import pictures

DOCS = Path(__file__).parent.parent / "docs"

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(
        not (shutil.which("dot") or importlib.util.find_spec("pygraphviz")), reason="neither pygraphviz nor dot is here"
    ),
]


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


@pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="Playwright drives the browser")
def test_the_docs_have_the_screens_that_the_command_takes(tmp_path):
    """The same files of one size, small enough; letters differ by machine, nine tenths of the pixels do not."""
    Image = pytest.importorskip("PIL.Image", reason="Pillow reads the screens")
    taken = pictures.screens(tmp_path)
    names = [f"playground{end}" for end in (".png", "-dark.png", ".webp")]
    assert {path.name for path in taken} == {
        pictures.named(each, language) for each in names for language in ("en", "es")
    }
    for path in taken:
        here, there = (np.asarray(Image.open(each).convert("L"), dtype=float) for each in (path, DOCS / path.name))
        assert here.shape == there.shape, f"{path.name} is old: python -m lessons.pictures"
        assert (np.abs(here - there) < 24).mean() > 0.9, f"{path.name} is old: python -m lessons.pictures"
        assert path.stat().st_size < (600_000 if path.suffix == ".webp" else pictures.MAX_BYTES)
