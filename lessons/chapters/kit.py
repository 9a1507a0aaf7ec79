"""The tools that a notebook of the course imports: `say`, `show`, `slide` and `check`, in the reader's language.

>>> say, show, slide, check = start(0, "en")
>>> say(es="hola", en="hello")
'hello'
"""

from __future__ import annotations

import base64
import html
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import autodiff
from autodiff.testing import Grade, check_exercise
from lessons.chapters.source import LANGUAGES, Exercise, paths, read

WORDS = {
    "right": {"es": "¡Correcto!", "en": "Right!"},
    "wrong": {"es": "Todavía no.", "en": "Not yet."},
    "nothing": {
        "es": "Cambia los … por tu respuesta y ejecuta la celda.",
        "en": "Put your answer in place of … and run the cell.",
    },
    "next": {"es": "Sigue el ejercicio {k}: {title}.", "en": "Exercise {k} is next: {title}."},
    "end": {"es": "Era el último ejercicio de este capítulo.", "en": "That was the last exercise of this chapter."},
    "hint": {"es": "Pista: {hint}", "en": "Hint: {hint}"},
    "solution": {"es": "Ver la solución", "en": "Show the solution"},
    "unknown": {
        "es": "No hay un ejercicio {name!r} en este capítulo; hay {names}.",
        "en": "This chapter has no exercise {name!r}; it has {names}.",
    },
    "many": {
        "es": "Este ejercicio pide {n} respuestas, en este orden: {names}.",
        "en": "This exercise asks for {n} answers, in this order: {names}.",
    },
}


_COLOURS = {True: "#1a7f5a", False: "#b35900", None: "#888"}


class Shown:
    """A picture or a page with its description; a notebook shows it no wider than its column."""

    def __init__(self, inner: str, alt: str) -> None:
        self.inner, self.alt = inner, alt

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        return self.inner


class Said:
    """The answer of `check`: lines of text, and a solution that is folded until the reader opens it."""

    def __init__(self, right: bool | None, lines: Sequence[str], summary: str = "", solution: str = "") -> None:
        self.right, self.lines, self.summary, self.solution = right, list(lines), summary, solution

    def __repr__(self) -> str:
        folded = [f"{self.summary}:\n{self.solution}"] if self.solution else []
        return "\n".join([*self.lines, *folded])

    def _repr_html_(self) -> str:
        style = f"border-left:4px solid {_COLOURS[self.right]};padding:.3em .8em"
        inner = "<br>".join(html.escape(line) for line in self.lines)
        if self.solution:
            summary, code = html.escape(self.summary), html.escape(self.solution)
            inner += f"<details><summary>{summary}</summary><pre>{code}</pre></details>"
        return f'<div style="{style}">{inner}</div>'


class Kit(NamedTuple):
    """The tools of one notebook."""

    say: Any  # Any: functions, called by their names
    show: Any
    slide: Any
    check: Check


def start(chapter: int, language: str) -> Kit:
    """Return `say`, `show`, `slide` and `check` for a chapter, in a language."""
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, got {language!r}")

    def say(*, es: str, en: str) -> str:
        """Return the text in the reader's language."""
        return es if language == "es" else en

    pictures = read(_path(chapter)).pictures(language)

    def show(picture: Any, name: str) -> Shown:
        """Show a plot or a drawing, with the words that the chapter has for whoever does not see it."""
        alt = pictures[name]
        return Shown(_image(picture, html.escape(alt)), alt)

    def slide(shots: Mapping[str, Any], name: str) -> Shown:
        """Show pictures under a slider, each with its caption; without JavaScript the first is there."""
        alt = pictures[name]
        figures = [
            f"<figure style='margin:0'{' hidden' * (k > 0)}><figcaption>{html.escape(caption)}</figcaption>"
            f"{_image(shot, html.escape(f'{caption}. {alt}'))}</figure>"
            for k, (caption, shot) in enumerate(shots.items())
        ]
        turn = "this.parentNode.querySelectorAll('figure').forEach((f, k) =&gt; f.hidden = k != this.value)"
        bar = f'<input type="range" min="0" max="{len(shots) - 1}" value="0" aria-label="{html.escape(alt)}"'
        return Shown(f'<div>{bar} style="width:min(100%,24em)" oninput="{turn}">{"".join(figures)}</div>', alt)

    return Kit(say, show, slide, Check(chapter, language))


def _path(chapter: int) -> Path:
    return next(path for path in paths() if int(path.name[:2]) == chapter)


_FITTED = "max-width:100%;height:auto"


def _image(picture: Any, alt: str) -> str:
    """Return a plot or a drawing as HTML that says its words and fits its column, in whichever form is shorter."""
    if hasattr(picture, "pipe"):  # what `draw` returns
        picture.alt = html.unescape(alt)
        svg = picture._repr_mimebundle_()["image/svg+xml"]
        return svg[svg.index("<svg") :]
    from matplotlib import rc_context

    figure = getattr(picture, "figure", picture)
    text, file = io.StringIO(), io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "course", "path.simplify_threshold": 0.5}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    svg = text.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r"(\.\d\d)\d+", r"\1", re.sub(r"\s*\n\s*", " ", svg))
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{alt}" style="{_FITTED}" ', 1)
    data = base64.b64encode(file.getvalue()).decode()
    png = f'<img alt="{alt}" style="{_FITTED}" src="data:image/png;base64,{data}">'
    return min(svg, png, key=len)


class Check:
    """Check the answers to the exercises of a chapter: `check(name, answer, …)`.

    A right answer says so and names the next exercise. A wrong one gets the hint that its mistake has, or the first of
    the exercise; then the second; then the solution, folded. An answer not yet given counts as no attempt.
    """

    def __init__(self, chapter: int, language: str) -> None:
        self.language = language
        self.exercises = {each.name: each for each in read(_path(chapter)).exercises}
        self.attempts: dict[str, int] = {}

    def __call__(self, name: str, *answers: Any) -> Said:  # Any: whatever a student hands in
        """Check the answers to an exercise."""
        if name not in self.exercises:
            return Said(None, [self._word("unknown", name=name, names=", ".join(self.exercises))])
        exercise = self.exercises[name]
        if len(answers) != len(exercise.asks):
            return Said(None, [self._word("many", n=len(exercise.asks), names=", ".join(exercise.asks))])
        grade = graded(exercise, answers, self.language)
        words = exercise.data[self.language]
        if grade.passed:
            after = list(self.exercises.values())[exercise.number :]
            title = after[0].data[self.language]["title"] if after else ""
            last = self._word("next", k=exercise.number + 1, title=title) if after else self._word("end")
            return Said(True, [f"✓ {self._word('right')} {words.get('right', '')}".strip(), last])
        nothing = check_exercise(None, 0.0, language=self.language).marks[0].said
        empty = (mark.said == nothing or "ellipsis" in mark.said.lower() for mark in grade.marks)
        if any(_left_out(answer) for answer in answers) or all(empty):
            return Said(None, [self._word("nothing")])
        self.attempts[name] = attempt = self.attempts.get(name, 0) + 1
        known = [wrong[self.language] for wrong in exercise.data["wrong"] if self.language in wrong]
        not_yet = check_exercise(1.0, 3.7, language=self.language).marks[0].said
        lines = [f"✗ {self._word('wrong')}"]
        told = False
        for mark in grade.marks:
            taught = next((hint for hint in known if hint in mark.said), None)
            said = taught or ("" if mark.said == not_yet else mark.said)
            told = told or bool(said and not mark.right)
            if said and (not mark.right or len(grade.marks) > 1):
                line = f"{'✓' if mark.right else '✗'} {mark.name}: {said}" if len(grade.marks) > 1 else said
                lines.append(line)
        if attempt > 1 or not told:
            lines.append(self._word("hint", hint=words["hints"][min(attempt - 1, 1)]))
        if attempt < 3:
            return Said(False, lines)
        return Said(False, lines, self._word("solution"), exercise.data["solution"].strip())

    def _word(self, key: str, **details: Any) -> str:
        return WORDS[key][self.language].format(**details)


def graded(exercise: Exercise, answers: Sequence[Any], language: str) -> Grade:
    """Grade answers at every point that the exercise has; the first that fails is told."""
    known = [([*_tuple(exercise, wrong["answer"])], wrong) for wrong in exercise.data["wrong"] if language in wrong]
    truths, names = _tuple(exercise, exercise.data["truth"]), exercise.asks
    grade = Grade(())
    for at in evaluated(exercise, exercise.data.get("at", "[()]")):
        probe = evaluated(exercise, exercise.data.get("probe", "None"))
        given = [_Probed(probe, each) if probe else each for each in answers]
        values = [_value(probe, each, at) for each in answers]
        # The mistake that makes all parts of the answer is told before one that makes some of them.
        whole = [each for each in known if all(map(_same, values, [_value(probe, part, at) for part in each[0]]))]
        marks = []
        for k, name in enumerate(names):
            truth = truths[k](*at) if callable(truths[k]) else truths[k]
            hints = []
            for wrong, texts in whole or known:
                found = _value(probe, wrong[k], at)
                if not _same(found, truth):
                    hints.append((found, {each: texts[each] for each in LANGUAGES}))
            options: dict[str, Any] = {"rtol": exercise.data.get("rtol", 1e-6), "atol": exercise.data.get("atol", 1e-9)}
            marks += check_exercise(
                given[k], truth, names=name, hints={name: hints}, language=language, at=at, **options
            ).marks
        grade = Grade(tuple(marks), language)
        if not grade.passed:
            break
    return grade


def evaluated(exercise: Exercise, text: str) -> Any:
    """Return what a piece of Python in an exercise is."""
    names: dict[str, Any] = {"np": np, "math": math, **{name: getattr(autodiff, name) for name in autodiff.__all__}}
    exec(exercise.data.get("given", ""), names)  # noqa: S102 # the course's own text
    return eval(text, names)  # noqa: S307 # the course's own text


def _tuple(exercise: Exercise, text: str) -> tuple[Any, ...]:
    value = evaluated(exercise, text)
    return value if len(exercise.asks) > 1 else (value,)


class _Probed:
    """A student's object as a function that returns numbers."""

    def __init__(self, probe: Any, answer: Any) -> None:
        self.probe, self.answer = probe, answer

    def __call__(self, *at: Any) -> Any:
        return self.probe(self.answer, *at)


def _left_out(answer: Any) -> bool:
    """Tell whether an answer is still the … that the course put there, or a list with it."""
    return answer is ... or (type(answer) in (list, tuple) and any(_left_out(each) for each in answer))


def _value(probe: Any, answer: Any, at: Sequence[Any]) -> Any:
    """Return the numbers of an answer that the course itself gives; NaN where it raises."""
    try:
        if probe:
            return probe(answer, *at)
        return answer(*at) if callable(answer) else answer
    except Exception:  # noqa: BLE001 # a wrong answer may raise
        return math.nan


def _same(found: Any, truth: Any) -> bool:
    try:
        return bool(np.allclose(np.asarray(found, dtype=float), np.asarray(truth, dtype=float), rtol=1e-9))
    except Exception:  # noqa: BLE001 # whatever was handed in
        return False
