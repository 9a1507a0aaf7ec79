"""Make the notebooks and pages of the course, tell which are old, or count what is in it.

`python -m lessons.chapters build|check|figures [NAME …]`; NAME is a part of the name of a chapter, or "exam". Pages are
always made. `figures` prints a table: words in both languages, predictions, exercises, wrong answers with a hint of
their own in both languages, and questions.
"""

from __future__ import annotations

import sys

from lessons.chapters.notebooks import LANGUAGES, build, old, words
from lessons.chapters.pages import PAGES, place
from lessons.chapters.source import TEXT, Chapter, paths, read

USAGE = "python -m lessons.chapters build|check|figures [NAME …]"


def main(action: str, wanted: list[str]) -> int:
    """Do it for the pages, and for the chapters whose names contain one of `wanted`, or all; return the exit code."""
    if action not in ("build", "check", "figures"):
        print(f"usage: {USAGE}")
        return 2
    chapters = [
        chapter
        for chapter in map(read, [*paths(), TEXT / "exam.md"])
        if not wanted or any(part in chapter.path.name for part in wanted)
    ]
    if action == "figures":
        print("\n".join(figures(chapters)))
        return 0
    failed = max((_do(action, chapter) for chapter in chapters), default=0)
    for name, page in PAGES.items():
        for language in LANGUAGES:
            path, text = place(name, language), page(language)
            if action == "build":
                path.write_text(text, encoding="utf-8")
            elif not path.exists() or path.read_text(encoding="utf-8") != text:
                failed = 1
                print(
                    f"{language}/{path.name} is not what its sources give; run: python -m lessons.chapters build pages"
                )
    return failed


def _do(action: str, chapter: Chapter) -> int:
    failed = 0
    for language in LANGUAGES:
        if action == "build":
            path = build(chapter, language)
            print(f"wrote {language}/{path.name} ({path.stat().st_size / 1000:.0f} kB)")
        elif reason := old(chapter, language):
            failed = 1
            print(f"{reason}; run: python -m lessons.chapters build {chapter.path.stem}")
    return failed


def figures(chapters: list[Chapter]) -> list[str]:
    """Return the rows of a table of what the chapters hold, and their sum, as Markdown."""
    columns = [f"{what} {language}" for what in ("words", "hints") for language in LANGUAGES]
    names = [*columns[:2], "predictions", "exercises", *columns[2:], "questions"]
    counts = [
        [
            *(words(chapter, language) for language in LANGUAGES),
            len(chapter.prose("en", "predict")),
            len(chapter.exercises),
            *(
                sum(language in wrong or "says" in wrong for each in chapter.exercises for wrong in each.data["wrong"])
                for language in LANGUAGES
            ),
            len(chapter.quiz("en")),
        ]
        for chapter in chapters
    ]
    rows = [
        *([chapter.path.stem, *count] for chapter, count in zip(chapters, counts, strict=True)),
        ["sum", *map(sum, zip(*counts, strict=True))],
    ]
    head = [f"| chapter | {' | '.join(names)} |", f"|{'---|' * (1 + len(names))}"]
    return head + [
        f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in row)} |" for row in rows
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "", sys.argv[2:]))
