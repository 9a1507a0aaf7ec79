"""The written pages say what the code says."""

from pathlib import Path

from autodiff import OPS
from lessons.operations import table

ROOT = Path(__file__).parent.parent


def test_the_table_of_operations_is_the_table():
    """docs/operations.md is what `python -m lessons.operations` writes, with a line for every row."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert page == table(), "run: python -m lessons.operations"
    assert all(f"| `{name}` |" in page for name in OPS)
