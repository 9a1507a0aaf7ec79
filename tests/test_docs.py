"""The written pages say what the code says."""

import re
from pathlib import Path

from autodiff import OPS, draw
from lessons.demo import neuron
from lessons.operations import table

ROOT = Path(__file__).parent.parent


def test_the_table_of_operations_is_the_table():
    """docs/operations.md is what `python -m lessons.operations` writes, with a line for every row."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert page == table(), "run: python -m lessons.operations"
    assert all(f"| `{name}` |" in page for name in OPS)


def test_the_picture_in_the_readme_is_the_one_its_code_draws():
    """Every text in docs/neuron.svg is what `draw` writes today for the neuron of the README and the demo."""
    committed = (ROOT / "docs" / "neuron.svg").read_text(encoding="utf-8")
    drawn = draw(neuron()).pipe("svg").decode()
    texts = re.compile(r"<text[^>]*>([^<]*)</text>")
    assert sorted(texts.findall(committed)) == sorted(texts.findall(drawn))
