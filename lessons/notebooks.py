"""Run the lessons of the course and write them as notebooks beside their sources: `python -m lessons.notebooks`.

A lesson is a Python file in the percent format: it runs as it is, and Jupyter with jupytext opens it as it is. The
notebooks are the same with what every cell shows. Without arguments all are written, else those named.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

COURSE = Path(__file__).parent / "course"


def sources() -> list[Path]:
    """Return the lessons in their order."""
    return sorted(COURSE.glob("[0-9]*.py"))


def notebook(source: Path) -> Any:
    """Turn a lesson into a notebook, not yet run; the same cells have the same identifiers every time."""
    import jupytext

    made: Any = jupytext.read(source, fmt="py:percent")
    made.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for i, cell in enumerate(made.cells, 1):
        cell.id = f"cell-{i:02}"
        cell.metadata = {}
    return made


def run(source: Path) -> Path:
    """Run a lesson in a fresh kernel and write it beside its source; an error in a cell is an error here."""
    import nbformat
    from nbclient import NotebookClient

    made = notebook(source)
    NotebookClient(made, timeout=120, kernel_name="python3", record_timing=False).execute()
    made.metadata.pop("language_info", None)  # the version of this very Python
    target = source.with_suffix(".ipynb")
    target.write_text(nbformat.writes(made) + "\n", encoding="utf-8")
    return target


def main(wanted: Sequence[str]) -> Iterator[Path]:
    """Write the lessons whose file names contain one of `wanted`, or all."""
    return (run(source) for source in sources() if not wanted or any(part in source.name for part in wanted))


if __name__ == "__main__":
    for path in main(sys.argv[1:]):
        print(
            f"wrote {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path} "
            f"({path.stat().st_size / 1000:.0f} kB)"
        )
