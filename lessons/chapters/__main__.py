"""Make the notebooks and pages of the course, or tell which are old: `python -m lessons.chapters build|check [NAME …]`.

NAME is a part of the name of a chapter, or "exam"; pages are always made. `check` also prints, for each chapter,
its words in both languages, its predictions and its exercises.
"""

from __future__ import annotations

import sys

from lessons.chapters.notebooks import LANGUAGES, build, old, words
from lessons.chapters.pages import PAGES, place
from lessons.chapters.source import TEXT, Chapter, paths, read

USAGE = "python -m lessons.chapters build|check [NAME …]"


def main(action: str, wanted: list[str]) -> int:
    """Do it for the pages, and for the chapters whose names contain one of `wanted`, or all; return the exit code."""
    if action not in ("build", "check"):
        print(f"usage: {USAGE}")
        return 2
    failed = 0
    for chapter in map(read, [*paths(), TEXT / "exam.md"]):
        if not wanted or any(part in chapter.path.name for part in wanted):
            failed |= _do(action, chapter)
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
    if action == "check":
        count = {language: words(chapter, language) for language in LANGUAGES}
        predictions, wrong = (
            len(chapter.prose("en", "predict")),
            sum(len(e.data["wrong"]) for e in chapter.exercises),
        )
        print(
            f"{chapter.path.stem}: words {count['es']} es, {count['en']} en; {predictions} predictions, "
            f"{len(chapter.exercises)} exercises with {wrong} wrong answers, {len(chapter.quiz('en'))} questions"
        )
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "", sys.argv[2:]))
