"""Write the Spanish of what commands write in English, from its sentences in spanish.toml: `python -m website.spanish`.

A sentence stands there once, its numbers and names as `{}`. One that has no Spanish is a KeyError that quotes it.
"""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from autodiff import OPS

DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = r"<!-- [^>]*python -m [\w.]+ -->\n", "<!-- end of "
WHOLE = ("operations", "accuracy", "reference-figures")
WRITTEN = (*WHOLE, "gradient-testing", "trust")  # of the last two, what stands between two comments
WIDTH = 140


@cache
def sentences() -> list[tuple[re.Pattern[str], str]]:
    """Return every sentence, as a pattern whose groups are its numbers and names, with its Spanish."""
    pairs = tomllib.loads((Path(__file__).parent / "spanish.toml").read_text(encoding="utf-8"))["sentence"]
    known = [(" ".join(pair["en"].split()), " ".join(pair.get("es", pair["en"]).split())) for pair in pairs]
    return [(re.compile("(.*?)".join(map(re.escape, english.split("{}")))), spanish) for english, spanish in known]


def said(text: str) -> str:
    """Return a sentence in Spanish; what has no word outside of code is the same in both languages.

    >>> said("`exp(a)`; 3e-5, inf")
    '`exp(a)`; 3e-5, inf'
    """
    text = " ".join(text.split())
    for pattern, spanish in sentences():
        if found := pattern.fullmatch(text):
            return spanish.format(*found.groups()) if found.groups() else spanish
    text = re.sub(r"\braised\b", "error", text)  # in the table of edges
    if re.search(r"[A-Za-z]{3}", re.sub(r"`[^`]*`|\b(?:error|inf|nan)\b", "", text)) and text not in OPS:
        raise KeyError(f"no Spanish in website/spanish.toml for: {text}")
    return text


def translated(text: str) -> str:
    """Return Markdown in Spanish: headings, paragraphs, items and cells, each by its sentence."""

    def blocks() -> Iterator[str]:
        for block in re.split(r"\n\n+", text.strip()):
            if block.startswith("|"):
                rows = [re.split(r"(?<!\\) ?\| ?", line)[1:-1] for line in block.split("\n")]
                yield "\n".join("|---" * len(row) + "|" if "---" in row[0] else
                                f"| {' | '.join(map(said, row))} |" for row in rows)  # fmt: skip
            elif block.startswith("#"):
                mark, title = block.split(" ", 1)
                yield f"{mark} {said(title)}"
            elif block.startswith("- "):
                items = re.split(r"\n(?=- )", block)
                yield "\n".join("- " + filled(said(item[2:]), "  ") for item in items)
            else:
                yield filled(said(block))

    return "\n\n".join(blocks()) + "\n"


def filled(text: str, indent: str = "") -> str:
    """Return a paragraph in lines as wide as those of the other pages."""
    return "\n".join(
        textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    )


def page(name: str) -> str:
    """Return docs/NAME.es.md as it should be: all of it, or with its parts between two comments made anew."""
    english = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    if name in WHOLE:
        return translated(english)
    part = re.compile(rf"({BEGIN})(.*?)(?={END})", re.DOTALL)
    made = iter(translated(found[2]) for found in part.finditer(english))
    return part.sub(lambda m: f"{m[1]}\n{next(made)}\n", (DOCS / f"{name}.es.md").read_text(encoding="utf-8"))


def write(name: str) -> None:
    """Write docs/NAME.es.md."""
    text = page(name)
    (DOCS / f"{name}.es.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for each in WRITTEN:
        write(each)
