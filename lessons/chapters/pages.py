"""The written pages of the course: glossary, questions, errata, slides, notes for teachers, solutions of the exam."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lessons.chapters.notebooks import NOTEBOOKS, notebook
from lessons.chapters.notebooks import questions as quiz
from lessons.chapters.source import TEXT, Chapter, Exercise, named, paths, read
from lessons.chapters.wording import word


def table(name: str) -> Any:
    """Return what a TOML file of the texts holds."""
    return tomllib.loads((TEXT / f"{name}.toml").read_text(encoding="utf-8"))


def chapters() -> dict[int, Chapter]:
    """Return all chapters by their numbers."""
    return {chapter.number: chapter for chapter in map(read, paths())}


def _link(chapter: Chapter, language: str, *, short: bool = False) -> str:
    title = chapter.about[language]
    return f"[{title.split(' · ')[0].lower() if short else title}]({chapter.path.stem}.ipynb)"


def _sentence(text: str) -> str:
    """Return a text as a sentence; a symbol at its beginning (δ, b, z) keeps its form.

    >>> [_sentence(each) for each in ("δ = ∂C/∂z", "z si es positiva", "a number", "uno, dos…")]
    ['δ = ∂C/∂z.', 'z si es positiva.', 'A number.', 'Uno, dos…']
    """
    first = re.split(r"\W", text, maxsplit=1)[0]
    symbol = not text[0].isascii() or (len(first) == 1 and first not in "aeouy")
    begun = text if symbol else text[0].upper() + text[1:]
    return begun if begun.endswith(("…", ".")) else f"{begun}."


def _cells(text: str) -> str:
    """Return a text that may stand in a table."""
    return text.replace("|", "\\|")


def glossary(language: str) -> str:
    """Return every term with its name in the other language, what it means and the chapter that introduces it."""
    other, known = "en" if language == "es" else "es", chapters()
    lines = [word("pages.glossary_head", language), "|---|---|---|---|"]
    for term in sorted(table("glossary")["term"], key=lambda term: _plain(term[language])):
        link = _link(known[term["chapter"]], language, short=True)
        lines.append(
            f"| **{term[language]}** | *{term[other]}* | {_cells(_sentence(term['means'][language]))} | {link} |"
        )
    return _page("glossary", language, "\n".join(lines))


def _plain(text: str) -> str:
    """Return a text as a dictionary orders it."""
    return text.lower().translate(str.maketrans("áéíóúüñ", "aeiouun"))


def errata(language: str) -> str:
    """Return the slips of the slides: what a sheet says, what is right, why, and the chapter."""
    known, parts = chapters(), []
    for k, slip in enumerate(table("errata")["slip"], 1):
        told, meant = (f"**{word(f'pages.{key}', language)}:**" for key in ("says", "right"))
        says, right = (slip.get(f"{key}_{language}", slip[key]) for key in ("says", "right"))
        parts.append(
            f"## {k}. {slip['where'][language]}\n\n"
            f"{told}\n\n$${says}$$\n\n{meant}\n\n$${right}$$\n\n"
            f"{slip[language]} ({_link(known[slip['chapter']], language, short=True)})"
        )
    return _page("errata", language, "\n\n".join(parts))


def cell_of(chapter: Chapter, section: int) -> int:
    """Return the number, from 1, of the notebook's cell in which a section begins; of section 0 the first cell."""
    cells = notebook(chapter, "en").cells
    return next((k for k, cell in enumerate(cells, 1) if f"## {section}. " in cell.source), 1) if section else 1


def slides(language: str) -> str:
    """Return the topics of the slides in their order, with chapter and cell; how long each takes; the credits."""
    known = chapters()
    lines = [word("pages.slides_head", language), "|---|---|---|---|"]
    for topic in table("slides")["topic"]:
        chapter = known[topic["chapter"]]
        others = [
            _link(each, language, short=True)
            for each in known.values()
            if each is not chapter
            and topic["es"] in each.about["slides"]
            and (topic["es"], each.number) not in _placed()
        ]
        cell = cell_of(chapter, topic["section"])
        lines.append(f"| {topic[language]} | {_link(chapter, language)} | {cell} | {', '.join(others)} |")
    lines += ["", f"## {word('pages.times', language)}", "", word("pages.times_head", language), "|---|---|---|---|"]
    for chapter in known.values():
        predictions = len(chapter.prose(language, "predict"))
        lines.append(
            f"| {_link(chapter, language)} | {chapter.about['minutes']} | {predictions} | {len(chapter.exercises)} |"
        )
    told = word("pages.credits_told", language, authors=word("pages.authors", language))
    sources, ours = word("pages.sources", language), word("pages.ours", language)
    lines += ["", f"## {word('pages.credits', language)}", "", told, "", sources, "", ours]
    return _page("slides", language, "\n".join(lines))


def _placed() -> set[tuple[str, int]]:
    return {(topic["es"], topic["chapter"]) for topic in table("slides")["topic"]}


def teachers(language: str) -> str:
    """Return for each chapter the minutes, what goes wrong, what to ask, and the solutions."""
    parts, notes = [], table("teachers")
    for number, chapter in chapters().items():
        minutes = f"{chapter.about['minutes']} {word('pages.minutes', language)}"
        part = [f"## {chapter.about[language]}", f"{minutes}. [{chapter.path.stem}]({chapter.path.stem}.ipynb)"]
        for key in ("wrong", "ask"):
            if said := notes.get(str(number), {}).get(language, {}).get(key):
                part += [f"**{word(f'pages.{key}', language)}**", "\n".join(f"- {each}" for each in said)]
        part += [_folded(chapter.exercises, language)]
        parts.append("\n\n".join(part))
    return _page("teachers", language, "\n\n".join(parts))


def _folded(exercises: list[Exercise], language: str) -> str:
    """Return the solutions of exercises, folded."""
    lines = [f"<details><summary>{word('pages.solutions', language)}</summary>", ""]
    for exercise in exercises:
        lines += [f"{exercise.number}. {exercise.data[language]['title']}", ""]
        lines += ["```python", exercise.data["solution"].strip(), "```", ""]
    return "\n".join([*lines, "</details>"])


def questions(language: str) -> str:
    """Return the questions of every chapter; an option unfolds why it is right, or why not."""
    parts: list[str] = []
    for chapter in chapters().values():
        answered = word("pages.questions_first", language, link=_link(chapter, language, short=True))
        parts.append(f"## {chapter.about[language]}\n\n{answered}\n{quiz(chapter, language)}")
    return _page("questions", language, "\n\n".join(parts))


def exam_solutions(language: str) -> str:
    """Return the answers of the exam, each with its reason and its chapter."""
    known = chapters()
    parts = [
        f"## {each.number}. {each.data[language]['title']}\n\n{each.data[language]['question'].strip()}\n\n"
        f"```python\n{each.data['solution'].strip()}\n```\n\n{each.data[language]['right']} "
        f"({_link(known[each.data['chapter']], language, short=True)})"
        for each in named("exam").exercises
    ]
    return _page("exam_solutions", language, "\n\n".join(parts))


def _page(name: str, language: str, body: str) -> str:
    return f"# {word(f'pages.{name}', language)}\n\n{word(f'pages.{name}_about', language)}\n\n{body}\n"


PAGES: dict[str, Callable[[str], str]] = {
    page.__name__: page for page in (glossary, questions, errata, slides, teachers, exam_solutions)
}


def place(name: str, language: str) -> Path:
    """Return where a page stands."""
    return NOTEBOOKS / language / f"{name}.md"
