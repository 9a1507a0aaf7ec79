"""Rows of text as an aligned table, for the terminal or for a Markdown file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

HEADINGS = ("work", "collector", "engine", "time", "ratio", "target", "met")


@dataclass
class Table:
    """Seven columns of text; `met` is "yes", "NO", or "" where there is nothing to meet."""

    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """Append a row; missing cells at its end are empty."""
        self.rows.append((*cells, *[""] * (len(HEADINGS) - len(cells))))

    def text(self, *, markdown: bool = False) -> str:
        """Give the table as lines of equal width. Markdown has bars around the cells."""
        rows = [HEADINGS, *self.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
        rule = tuple("-" * width for width in widths)
        lines = [_line(row, widths, markdown=markdown) for row in (HEADINGS, rule, *self.rows)]
        return "\n".join(lines)

    @property
    def missed(self) -> int:
        """How many targets were not met."""
        return sum(row[-1] == "NO" for row in self.rows)


def _line(row: Sequence[str], widths: Sequence[int], *, markdown: bool) -> str:
    cells = [cell.rjust(w) if h in {"time", "ratio"} else cell.ljust(w)
             for h, cell, w in zip(HEADINGS, row, widths, strict=True)]  # fmt: skip
    return f"| {' | '.join(cells)} |" if markdown else "  ".join(cells).rstrip()
