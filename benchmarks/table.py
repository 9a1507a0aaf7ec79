"""Rows of text as an aligned table, for the terminal or for a Markdown file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

HEADINGS = ("work", "collector", "engine", "time", "ratio", "target", "met")
RIGHT = {"time", "ratio", "goal", "measured"}  # columns of figures


@dataclass
class Table:
    """Columns of text; the last, `met`, is "yes", "NO", or "" where there is nothing to meet."""

    headings: tuple[str, ...] = HEADINGS
    rows: list[tuple[str, ...]] = field(default_factory=list)
    figures: int = 0  # so many columns from the right hold figures, whatever they are called

    def add(self, *cells: str) -> None:
        """Append a row; missing cells at its end are empty."""
        self.rows.append((*cells, *[""] * (len(self.headings) - len(cells))))

    def text(self, *, markdown: bool = False) -> str:
        """Return the table as lines of equal width; in Markdown with bars around the cells."""
        rows = [self.headings, *self.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.headings))]
        rule = tuple("-" * width for width in widths)
        return "\n".join(self._line(row, widths, markdown=markdown) for row in (self.headings, rule, *self.rows))

    def _line(self, row: Sequence[str], widths: Sequence[int], *, markdown: bool) -> str:
        right = RIGHT.union(self.headings[len(self.headings) - self.figures :])
        cells = [cell.rjust(w) if h in right else cell.ljust(w)
                 for h, cell, w in zip(self.headings, row, widths, strict=True)]  # fmt: skip
        return f"| {' | '.join(cells)} |" if markdown else "  ".join(cells).rstrip()

    def report(self, header: str, *, markdown: bool, quick: bool) -> None:
        """Print what ran on what, the table, and how many targets were missed."""
        note = " (--quick: one round each, the figures mean little)" if quick else ""
        sys.stdout.write(f"{header}\n\n{self.text(markdown=markdown)}\n\n{self.missed} targets missed{note}.\n")

    @property
    def missed(self) -> int:
        """Count the targets that were missed."""
        return sum(row[-1] == "NO" for row in self.rows)
