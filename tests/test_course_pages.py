"""The written pages of the course and its exam: two languages that hold the same, made from their sources."""

import html
import json
import re

import pytest

pytest.importorskip("nbformat", reason="nbformat is a development dependency")

from lessons.chapters import kit
from lessons.chapters.notebooks import LANGUAGES, notebook, old, target
from lessons.chapters.pages import PAGES, chapters, place, table
from lessons.chapters.source import named
from lessons.chapters.wording import word

CHAPTERS = chapters()
EXAM = named("exam")

each_page = pytest.mark.parametrize("name", PAGES)
each_language = pytest.mark.parametrize("language", LANGUAGES)


def links(text):
    return re.findall(r"\]\(([^)]+)\)", text)


def numbers(text):
    return re.findall(r"\d+(?:\.\d+)?", re.sub(r"\]\([^)]*\)|\$\$.*?\$\$", "", text, flags=re.DOTALL))


@each_page
@each_language
def test_a_page_is_what_its_sources_give(name, language):
    """Made by the command from the files in lessons/chapters/text, and every link of it leads somewhere."""
    text = place(name, language).read_text(encoding="utf-8")
    assert text == PAGES[name](language), "run: python -m lessons.chapters build pages"
    for link in links(text):
        assert link.startswith("https://") or (place(name, language).parent / link).exists(), link


@each_page
def test_a_page_has_the_same_parts_in_both_languages(name):
    """As many headings, rows, formulas and points of a list; the same links and numbers, whatever their order."""
    es, en = (PAGES[name](language) for language in LANGUAGES)
    for mark in (r"^#+ ", r"^\|", r"^\$\$", r"^- ", r"^```"):
        assert len(re.findall(mark, es, re.MULTILINE)) == len(re.findall(mark, en, re.MULTILINE)), mark
    assert sorted(links(es)) == sorted(links(en))
    assert sorted(numbers(es)) == sorted(numbers(en))
    assert es != en


@each_language
def test_the_glossary_has_every_term_in_one_sentence(language):
    """In the order of a dictionary, with the other language's word, what it means, and the chapter that introduces it."""
    rows = [line.split(" | ") for line in PAGES["glossary"](language).splitlines() if line.startswith("| **")]
    terms = {term[language]: term for term in table("glossary")["term"]}
    assert [row[0].strip("|* ") for row in rows] == sorted(
        terms, key=lambda t: t.lower().translate(str.maketrans("áéíóú", "aeiou"))
    )
    for row in rows:
        term = terms[row[0].strip("|* ")]
        assert row[1].strip("*") == term["en" if language == "es" else "es"]
        means = term["means"][language]
        if re.match(r"[αδ\d]|[bz]\b|\W", means):
            assert row[2].startswith(means[:2]), "a symbol is no capital letter"
        else:
            assert row[2][0].isupper(), row[2]
        assert re.search(r"[^.…](\.|…)$", row[2]), "one full stop, and none after …"
        assert CHAPTERS[term["chapter"]].path.stem in row[3]


# What COURSE names, each by a piece of what the sheet says and a piece of what is right.
SLIPS = {
    "ECM's square": (r"- b)_2", r"- b)^2"),
    "three inputs, two": (r"W_3X_3 = b + W_1X_1 + W_2X_2", "W_3X_3 + b"),
    "no W₀": (r"y = W_1X_1 + W_2X_2", r"y = W_0 +"),
    "two derivatives as a product": (r"\frac{\partial C}{\partial w}\ \frac{\partial C}{\partial b}", r"\quad\text"),
    "X for a": (r"w^L X", r"w^L a^{L-1}"),
    "inverted": (r"\partial a^L} \rightarrow \text{deriva", r"\partial a^L} \rightarrow \text{deriva"),
    "½Σ called ECM": (r"\frac{1}{2}\sum_j", r"\frac{1}{2}\sum_j"),
    "lost indices": (r"\delta^L a_i^{L-1}", r"\delta_j^L a_i^{L-1}"),
    "chained": (r"\frac{\partial z^L}{\partial b^L} = 1", r"= \delta^L"),
    "z^{L−1} for z^L": (r"\frac{\partial z^{L-1}}{\partial a^{L-1}} \cdot", r"\frac{\partial z^L}{\partial a^{L-1}}"),
    "no transpose, no ⊙": (r"w^L \delta^L \cdot", r"(w^L)^{\mathsf T} \delta^L \odot"),
}


@each_language
def test_all_questions_stand_on_one_page(language):
    """Ten of each chapter under its name, which links to it; every option folded, with its reason."""
    parts = PAGES["questions"](language).split("\n## ")[1:]
    for chapter, part in zip(CHAPTERS.values(), parts, strict=True):
        assert part.startswith(chapter.about[language])
        assert f"({chapter.path.stem}.ipynb)" in part
        quiz = chapter.quiz(language)
        assert re.findall(r"^\*\*(\d+)\.\*\* (.*)$", part, re.MULTILINE) == [
            (str(k), question) for k, (question, _) in enumerate(quiz, 1)
        ]
        folded = [html.unescape(each) for each in re.findall(r"<details><summary>(.*?)</details>", part)]
        options = [option for _, options in quiz for option in options]
        for option, seen in zip(options, folded, strict=True):
            assert re.fullmatch(rf"[a-d]\) {re.escape(option.text)}</summary>\S+ {re.escape(option.why)}", seen), seen


@each_language
def test_the_errata_have_every_slip(language):
    """What the sheet says, what is right, a reason in whole sentences, and a chapter that tells of it."""
    parts = PAGES["errata"](language).split("\n## ")[1:]
    for name, (says, right) in SLIPS.items():
        found = [
            part
            for part in parts
            for written, correct in [re.findall(r"\$\$(.*?)\$\$", part)]
            if says in written and right in correct
        ]
        assert found, name
    for part in parts:
        assert len(part.rsplit("$$", 1)[1].split()) > 12, part
    for slip in table("errata")["slip"]:
        told = " ".join(CHAPTERS[slip["chapter"]].prose(language))
        assert re.search("lámina|diapositiva|sheet|slide", told), slip["where"]


@each_language
def test_every_topic_of_the_slides_has_a_chapter_and_a_cell(language):
    """Every name in the chapters' heads is in the page; the cell of the notebook begins the section."""
    page = PAGES["slides"](language)
    topics = table("slides")["topic"]
    known = {topic["es"]: topic[language] for topic in topics}
    for chapter in CHAPTERS.values():
        for name in chapter.about["slides"]:
            rows = [line for line in page.splitlines() if line.startswith(f"| {known[name]} |")]
            assert any(chapter.path.stem in row for row in rows), name
        assert f"| {chapter.about['minutes']} |" in page
    for topic in topics:
        cells = json.loads(target(CHAPTERS[topic["chapter"]], language).read_text(encoding="utf-8"))["cells"]
        row = next(
            line
            for line in page.splitlines()
            if line.startswith(f"| {topic[language]} |") and CHAPTERS[topic["chapter"]].path.stem in line
        )
        cell = "".join(cells[int(row.split(" | ")[2]) - 1]["source"])
        assert not topic["section"] or f"## {topic['section']}. " in cell, topic
    for credited in (
        "Goodfellow",
        "dair-ai",
        "Aakash",
        "codifibits",
        "DotCSV",
        "Mario Ezra Aragón",
        "Villaseñor Pineda",
    ):
        assert credited in page


@each_language
def test_teachers_find_what_goes_wrong_and_what_to_ask(language):
    """Two of each or more in every chapter, the minutes, and the solution of every exercise."""
    notes, page = table("teachers"), PAGES["teachers"](language)
    for number, chapter in CHAPTERS.items():
        said = notes[str(number)][language]
        assert min(len(said["wrong"]), len(said["ask"])) >= 2
        assert len(said["wrong"]) == len(notes[str(number)]["es"]["wrong"])
        assert all(text in page for text in [*said["wrong"], *said["ask"]])
        assert all(exercise.data["solution"].strip() in page for exercise in chapter.exercises)


# -- the exam ----------------------------------------------------------------------------------------------------------


@each_language
def test_the_exam_is_twenty_questions_of_five_marks(language):
    """All right at the first attempt is 100; the notebook is that of its source, and holds no solution."""
    check = kit.start("exam", language).check
    assert len(EXAM.exercises) == 20
    for exercise in EXAM.exercises:
        given = {}
        exec(f"{exercise.data['start']}\n{exercise.data['solution']}", given)
        said = check(exercise.name, *(given[name] for name in exercise.asks))
        assert said.right is True, f"{exercise.name}: {said}"
    assert "100" in check().lines[-1]
    assert not old(EXAM, language), "run: python -m lessons.chapters build exam"
    text = target(EXAM, language).read_text(encoding="utf-8")
    for exercise in EXAM.exercises:
        assert json.dumps(exercise.data[language]["right"], ensure_ascii=False)[1:-1] not in text
    assert "5.0" not in [line.strip() for line in text.splitlines()]


@each_language
@pytest.mark.parametrize("exercise", EXAM.exercises, ids=lambda exercise: exercise.name)
def test_the_exam_names_a_mistake_once_a_single_mark_is_left(exercise, language):
    """Three or more mistakes for each question: at the first attempt told wrong and nothing else, at the second by name.

    Never another mistake's name, never a solution; text costs no attempt.
    """
    wrongs = exercise.data["wrong"]
    assert len(wrongs) >= 3
    assert {"title", "question", "right"} == set(exercise.data[language])
    for wrong in wrongs:
        check = kit.start("exam", language).check
        answer = kit.evaluated(exercise, wrong["answer"])
        answers = answer if len(exercise.asks) > 1 else (answer,)
        bare, left = f"✗ {word('check.wrong', language)}", word("check.left", language, n=1)
        said = [check(exercise.name, *answers) for _ in range(4)]
        assert [each.lines for each in said] == [[bare], *[[bare, left, wrong[language]]] * 3], wrong
        assert not any(each.solution or each.right for each in said)
    check = kit.start("exam", language).check
    assert check(exercise.name, *["text"] * len(exercise.asks)).right is False
    right = kit.evaluated(exercise, exercise.data["truth"])
    if "probe" not in exercise.data:
        check(exercise.name, *(right if len(exercise.asks) > 1 else (right,)))
        assert check().lines[exercise.number - 1].split(": ")[1][0] == "5"


def test_a_mistake_that_the_exam_does_not_know_gets_no_hint():
    """Only that one mark is left; the right answer still earns it."""
    check = kit.start("exam", "en").check
    for _ in range(2):
        said = check("mse", 1234.5)
    assert said.lines == [f"✗ {word('check.wrong', 'en')}", word("check.left", "en", n=1)]
    assert check("mse", 14 / 3).right is True
    assert sum(line.endswith(": 1 of 5") for line in check().lines) == 1


def test_the_exam_is_on_every_chapter():
    """One question or more on each, in their order; the page of solutions says which."""
    asked = [exercise.data["chapter"] for exercise in EXAM.exercises]
    assert asked == sorted(asked)
    assert set(asked) == set(CHAPTERS)
    parts = PAGES["exam_solutions"]("en").split("\n## ")[1:]
    assert all(CHAPTERS[number].path.stem in part for number, part in zip(asked, parts, strict=True))


def test_both_languages_of_the_exam_ask_the_same():
    """The same numbers and formulas in every question."""
    for exercise in EXAM.exercises:
        es, en = (exercise.data[language]["question"] for language in LANGUAGES)
        assert re.findall(r"\$[^$]+\$", es) == re.findall(r"\$[^$]+\$", en), exercise.name
        assert sorted(numbers(es)) == sorted(numbers(en)), exercise.name


def test_a_notebook_has_the_marks_cell_last():
    """The exam ends with the sum of the marks."""
    assert notebook(EXAM, "en").cells[-1].source == "check()"
