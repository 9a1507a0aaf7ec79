"""The answers to exercises: graded beside the right one, told in the reader's language, and never read by accident."""

from __future__ import annotations

import ast
import copy
import html
import math
import re
import reprlib
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from types import BuiltinFunctionType, FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

import autodiff
from autodiff.testing import Grade, check_exercise
from lessons.chapters.source import LANGUAGES, Exercise, named
from lessons.chapters.wording import word

MARKS = (5, 3, 1)  # for an exercise solved at the first attempt, at the second, and later
_COLOURS = {True: "#1a7f5a", False: "#b35900", None: "#888"}


class Said:
    """The answer of `check`: lines of text, and a solution that is folded until the reader opens it."""

    def __init__(self, right: bool | None, lines: Sequence[str], summary: str = "", solution: str = "") -> None:
        self.right, self.lines, self.summary, self.solution = right, list(lines), summary, solution

    def __repr__(self) -> str:
        folded = [f"{self.summary}:\n{self.solution}"] if self.solution else []
        return "\n".join([*self.lines, *folded])

    def _repr_html_(self) -> str:
        style = f"border-left:4px solid {_COLOURS[self.right]};padding:.3em .8em"
        inner = "<br>".join(re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(line)) for line in self.lines)
        if self.solution:
            summary, code = html.escape(self.summary), html.escape(self.solution)
            inner += f"<details><summary>{summary}</summary><pre>{code}</pre></details>"
        return f'<div style="{style}">{inner}</div>'


class Check:
    """Check the answers to the exercises of a chapter: `check(name, answer, …)`; `check()` says how many are done.

    A right answer says so and asks the next question. A wrong one gets the hint that its mistake has, or the first of
    the exercise; then the second; then the solution, folded. An answer not yet given counts as no attempt. The exam
    says right or wrong and the marks, and has a hint for a known mistake once a single mark is left.
    """

    __slots__ = ("__weakref__",)

    def __init__(self, chapter: int | str, language: str) -> None:
        _ROOMS[self] = _Room(chapter, language)

    def __call__(self, *of: Any, **called: Any) -> Said:  # Any: a name, and whatever a student hands in
        """Check the answers to an exercise, in its order or called by their names."""
        return _ROOMS[self].answered(*of, **called) if of else _ROOMS[self].marks()

    def __dir__(self) -> list[str]:
        return []

    def __repr__(self) -> str:
        return str(_ROOMS[self].told("hidden"))

    def __getattr__(self, name: str) -> Said:
        if name.startswith("_"):
            raise AttributeError(name)  # what Python and notebooks ask of everything
        return _ROOMS[self].told("hidden")


_ROOMS: WeakKeyDictionary[Check, _Room] = WeakKeyDictionary()  # no attribute of `check` leads to the answers


class _Room:
    """The exercises of a chapter, how often each was tried, and the marks of those that are done."""

    def __init__(self, chapter: int | str, language: str) -> None:
        self.language, self.exam = language, isinstance(chapter, str)
        self.exercises = {each.name: each for each in named(chapter).exercises}
        self.attempts: dict[str, int] = {}
        self.done: dict[str, int] = {}

    def answered(self, name: str, /, *answers: Any, **called: Any) -> Said:  # Any: whatever a student hands in
        if not isinstance(name, str) or name not in self.exercises:
            return self.told("unknown", name=name, names=", ".join(self.exercises))
        exercise = self.exercises[name]
        answers += tuple(called.pop(each) for each in exercise.asks if each in called)
        if called or len(answers) != len(exercise.asks):
            many = len(exercise.asks)
            return self.told("many" if many > 1 else "single", n=many, names=", ".join(exercise.asks))
        if looks := _peeks(answers):
            return self.told(looks)
        if any(_left_out(answer) for answer in answers) or _untouched(exercise, answers):
            return self.told("nothing")
        if misread := _misread(exercise, answers):
            return Said(False, [f"✗ {self.word('wrong')}", *(self.word(key, **details) for key, details in misread)])
        grade = graded(exercise, answers, self.language)
        if grade.passed:
            return self.right(exercise)
        nothing = check_exercise(None, 0.0, language=self.language).marks[0].said
        if all(mark.said == nothing or "ellipsis" in mark.said.lower() for mark in grade.marks):
            return self.told("nothing")
        not_yet = check_exercise(1.0, 3.7, language=self.language).marks[0].said
        if self.exam:
            return self.failed(exercise, answers, grade)
        return self.wrong(exercise, grade, {not_yet} | self.unsaid(exercise, answers, grade))

    def right(self, exercise: Exercise) -> Said:
        """Keep the marks; return praise, and the question that comes next."""
        name, words = exercise.name, exercise.data[self.language]
        self.done.setdefault(name, MARKS[min(self.attempts.get(name, 0), len(MARKS) - 1)])
        after = list(self.exercises.values())[exercise.number :]
        last = [self.marked() if self.exam else self.word("end")]
        if after and not self.exam:
            then = after[0].data[self.language]
            last = [self.word("next", k=after[0].number, title=then["title"]), " ".join(then["question"].split())]
        return Said(True, [f"✓ {self.word('right')} {words.get('right', '')}".strip(), *last])

    def failed(self, exercise: Exercise, answers: Sequence[Any], grade: Grade) -> Said:
        """Return that an answer in the exam is wrong; once a single mark is left, with the hint of its mistake."""
        unread = [m.said for m, read in zip(grade.marks, _read(exercise, answers), strict=True) if not read]
        told: list[str] = []
        if not unread:
            self.attempts[exercise.name] = attempt = self.attempts.get(exercise.name, 0) + 1
            if attempt >= len(MARKS) - 1:
                known = [wrong[self.language] for wrong in exercise.data["wrong"]]
                hints = [hint for hint in known if any(hint in mark.said for mark in grade.marks)]
                told = [self.word("left", n=MARKS[-1]), *hints[:1]]
        return Said(False, [f"✗ {self.word('wrong')}", *unread, *told])

    def unsaid(self, exercise: Exercise, answers: Sequence[Any], grade: Grade) -> set[str]:
        """Return what is not told: that a wrong answer is 0, and of what is tried which numbers of the trial are wrong.

        Nor how the trial of an object failed, which is no function of the student's.
        """
        zeros = {mark.said for mark in grade.marks if any(hint.kind == "zero" for hint in mark.hints)}
        if "probe" not in exercise.data:
            return zeros
        tried = zip(grade.marks, answers, _read(exercise, answers), strict=True)
        return zeros | {mark.said for mark, answer, read in tried if read or not callable(answer)}

    def wrong(self, exercise: Exercise, grade: Grade, unsaid: set[str]) -> Said:
        """Return the hint of this mistake or the first, at the next attempt the second, then the solution."""
        name, words = exercise.name, exercise.data[self.language]
        known = [wrong[self.language] for wrong in exercise.data["wrong"] if self.language in wrong]
        self.attempts[name] = attempt = self.attempts.get(name, 0) + 1
        lines = [f"✗ {self.word('wrong')}"]
        told = False
        for mark in grade.marks:
            taught = next((hint for hint in known if hint in mark.said), None)
            said = taught or ("" if mark.said in unsaid else mark.said)
            told = told or bool(said and not mark.right)
            if said and (not mark.right or len(grade.marks) > 1):
                line = f"{'✓' if mark.right else '✗'} {mark.name}: {said}" if len(grade.marks) > 1 else said
                lines.append(line)
        if attempt > 1 or not told:
            lines.append(self.word("hint", hint=words["hints"][min(attempt - 1, 1)]))
        if attempt < 3:
            return Said(False, lines)
        return Said(False, lines, self.word("solution"), exercise.data["solution"].strip())

    def marks(self) -> Said:
        """Return the marks of every exercise, and their sum."""
        lines = [
            self.word("mark" if name in self.done else "open", k=k, title=title, got=self.done.get(name), most=MARKS[0])
            for k, (name, exercise) in enumerate(self.exercises.items(), 1)
            for title in [exercise.data[self.language]["title"]]
        ]
        return Said(None, [*lines, self.marked()])

    def marked(self) -> str:
        return self.word("marks", got=sum(self.done.values()), most=MARKS[0] * len(self.exercises))

    def told(self, key: str, **details: Any) -> Said:
        return Said(None, [self.word(key, **details)])

    def word(self, key: str, **details: Any) -> str:
        return word(f"check.{key}", self.language, **details)


def _read(exercise: Exercise, answers: Sequence[Any]) -> list[bool]:
    """Tell of each answer whether it gives finite numbers, as many as are asked for."""
    at = evaluated(exercise, exercise.data.get("at", "[()]"))[0]
    probe = evaluated(exercise, exercise.data.get("probe", "None"))
    read = []
    for answer, truth in zip(answers, _as_answers(exercise, exercise.data["truth"]), strict=True):
        found = _value(probe, answer, copy.deepcopy(at))
        asked = truth(*at) if callable(truth) else truth
        try:
            numbers = np.asarray(found, dtype=float)
            read.append(
                not isinstance(found, (str, bytes))
                and bool(np.isfinite(numbers).all())
                and numbers.size == np.size(asked)
            )
        except Exception:  # noqa: BLE001 # whatever was handed in
            read.append(False)
    return read


_Misread = list[tuple[str, dict[str, Any]]]  # Any: details of a sentence


def _misread(exercise: Exercise, answers: Sequence[Any]) -> _Misread:
    """Return what is wrong with the kind of an answer, as names of texts with their details."""
    tried = "probe" in exercise.data or "at" in exercise.data
    models = _solved(exercise) if tried else _as_answers(exercise, exercise.data["truth"])
    found: _Misread = []
    for name, answer, model in zip(exercise.asks, answers, models, strict=True):
        if callable(model):
            found += _misreturned(exercise, name, answer, model)
        elif np.ndim(model) == 0:
            found += [(key, {"name": name, **details}) for key, details in _misnumbered(answer)]
        elif np.ndim(model) == 1:
            found += [(key, {"name": name, "n": len(model)}) for key in _misrowed(answer, len(model))]
        else:
            found += [(key, {"name": name}) for key in _mistabled(answer)]
    return found


def _is_text(answer: Any) -> bool:
    return issubclass(type(answer), (str, bytes))  # an object may raise when it is asked for its class


def _misnumbered(answer: Any) -> _Misread:
    """Return what is wrong with an answer that should be a number."""
    try:
        if _is_text(answer):
            number = re.fullmatch(r"\s*([-+]?\d*[.,]?\d+)\s*", answer) if isinstance(answer, str) else None
            return [("quoted", {"number": number[1].replace(",", ".")}) if number else ("text", {})]
        if isinstance(answer, (list, tuple, np.ndarray)):
            if _count(answer) != 1:
                return [("several" if _count(answer) else "number", {})]
            return _misnumbered(np.asarray(answer, dtype=object).reshape(-1)[0])
        if isinstance(answer, autodiff.Value):
            return [("value", {})]
        if isinstance(answer, (FunctionType, BuiltinFunctionType, type)):
            return [("function", {})]
        return [("number", {})] if isinstance(answer, (bool, np.bool_)) else [("nan", {})] * (not math.isfinite(answer))
    except Exception:  # noqa: BLE001 # whatever was handed in
        return [("number", {})]


def _misrowed(answer: Any, size: int) -> list[str]:
    """Return what is wrong with an answer that should be so many numbers."""
    try:
        if _is_text(answer):
            return ["text"]
        held = [] if isinstance(answer, (dict, set)) else list(answer)
        if any(map(_is_text, held)):
            return ["text"]
        numbers = [float(each.data if isinstance(each, autodiff.Value) else each) for each in held]
    except Exception:  # noqa: BLE001 # whatever was handed in
        return ["row"]
    return ["row"] if len(numbers) != size else ["nan"] * (not all(map(math.isfinite, numbers)))


def _mistabled(answer: Any) -> list[str]:
    """Return what is wrong with an answer that should be rows of numbers."""
    if _is_text(answer):
        return ["text"]
    try:
        numbers = np.asarray(answer, dtype=float)
    except Exception:  # noqa: BLE001 # whatever was handed in
        return ["table"]
    return ["table"] if not numbers.ndim else ["nan"] * (not np.isfinite(numbers).all())


def _misreturned(exercise: Exercise, name: str, answer: Any, model: Any) -> _Misread:
    """Return what is wrong with an answer that should be a function, once it is called as the exercise does."""
    if not callable(answer):
        return [("no function", {"name": name})]
    own, raised = _returned(exercise, answer)
    asked = _returned(exercise, model)[0]
    if any(each is None for each in own) and not any(each is None for each in asked):
        return [("no return", {"name": name})]
    if own and "probe" not in exercise.data and np.ndim(asked[-1]) < 2 and not _left_out(own[-1]):
        one, size = np.ndim(asked[-1]) == 0, np.size(asked[-1])
        if _count(own[-1]) != size:
            return [("returns many" if one else "returns row", {"name": name, "n": size})]
    if own and raised == "probe" and not any(each is ... for each in own):
        return [("returns", {"name": name, "value": reprlib.repr(own[-1])})]
    return []


def _returned(exercise: Exercise, function: Any) -> tuple[list[Any], str]:
    """Return what a function returns where an exercise calls it, and who raised: "", "function" or "probe"."""
    returned: list[Any] = []
    raised = ""

    def watched(*of: Any) -> Any:
        nonlocal raised
        raised = "function"
        returned.append(function(*of))
        raised = ""
        return returned[-1]

    probe = evaluated(exercise, exercise.data.get("probe", "None"))
    at = evaluated(exercise, exercise.data.get("at", "[()]"))[0]
    try:
        probe(watched, *copy.deepcopy(at)) if probe else watched(*copy.deepcopy(at))
    except (Exception, SystemExit):  # noqa: BLE001 # whatever was handed in
        raised = raised or "probe"
    return returned, raised


def _solved(exercise: Exercise) -> list[Any]:
    """Return the answers that the solution of an exercise gives."""
    names = _namespace(exercise)
    exec(f"{exercise.data['start']}\n{exercise.data['solution']}", names)  # noqa: S102 # the course's own text
    return [names[name] for name in exercise.asks]


def _untouched(exercise: Exercise, answers: Sequence[Any]) -> bool:
    """Tell whether an answer is a function as the course has put it there, with its …."""
    names = _namespace(exercise)
    if "..." not in exercise.data["start"]:
        return False
    try:
        exec(exercise.data["start"], names)  # noqa: S102 # the course's own text
    except Exception:  # noqa: BLE001 # arithmetic with …
        return False
    given = [(_code_of(answer), _code_of(names.get(name))) for name, answer in zip(exercise.asks, answers, strict=True)]
    return any(
        own is not None
        and there is not None
        and (own.co_code, own.co_consts, own.co_names) == (there.co_code, there.co_consts, there.co_names)
        for own, there in given
    )


def _count(answer: Any, deep: int = 0) -> int:
    """Count the numbers in lists, ragged ones too."""
    if isinstance(answer, np.ndarray):
        return int(answer.size)
    if deep < 9 and type(answer) in (list, tuple):
        return sum(_count(each, deep + 1) for each in answer)
    return len(answer) if type(answer) in (set, dict) else 1


_FRAMES = {
    "_getframe", "currentframe", "f_back", "f_locals", "get_referents", "get_objects", "import_module", "__import__",
    "__globals__", "_ROOMS",
}  # fmt: skip
_START = ("lessons.chapters.kit", {"start", "pieces"})  # what notebooks of the course import


def _peeks(answers: Sequence[Any]) -> str:
    """Return "peeks" where the cell, or a function that was handed in, looks for the answers where the course has them.

    And "peeked" where an earlier cell of the notebook did.
    """
    names = {name for each in answers if (code := _code_of(each)) is not None for name in _names_in(code)}
    shell: Any = sys.modules.get("IPython")
    shell = shell.get_ipython() if shell else None
    try:
        cells = [str(cell) for cell in shell.user_ns["In"]] if shell else []
    except (AttributeError, KeyError, TypeError):  # another kind of shell
        cells = []
    if _looks(names) or any(map(_cell_looks, cells[-1:])):
        return "peeks"
    return "peeked" if any(map(_cell_looks, cells[:-1])) else ""


def _looks(names: Iterable[str]) -> bool:
    return any(name in _FRAMES or "lessons.chapters" in name for name in names)


@cache
def _cell_looks(cell: str) -> bool:
    """Tell whether a cell reaches for frames, the course's modules or its files; one with magics is not read."""
    names: list[str] = []
    try:
        nodes = [*ast.walk(ast.parse(cell))]
    except (SyntaxError, ValueError):
        return False
    for node in nodes:
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
            if isinstance(node.value, ast.Name) and node.value.id == "check":
                return True
        elif isinstance(node, ast.Name):
            names.append(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            inner = [each.name for each in node.names]
            module = getattr(node, "module", None) or ""
            names += (
                []
                if module == _START[0] and {*inner} <= _START[1]
                else [module, *(f"{module}.{each}" for each in inner), *inner]
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.append(node.value.replace("/", "."))
    return _looks(names)


def _code_of(answer: Any) -> Any:
    try:
        return getattr(answer, "__code__", None)
    except Exception:  # noqa: BLE001 # whatever was handed in
        return None


def _names_in(code: Any) -> list[str]:
    """Return the names and texts that a function uses, and those inside it."""
    inner = [each for each in code.co_consts if hasattr(each, "co_names")]
    texts = [each.replace("/", ".") for each in code.co_consts if isinstance(each, str)]
    return [*code.co_names, *texts, *(name for each in inner for name in _names_in(each))]


def graded(exercise: Exercise, answers: Sequence[Any], language: str) -> Grade:
    """Grade answers at every point that the exercise has; the first that fails is told."""
    known = [
        ([*_as_answers(exercise, wrong["answer"])], wrong) for wrong in exercise.data["wrong"] if language in wrong
    ]
    truths, names = _as_answers(exercise, exercise.data["truth"]), exercise.asks
    grade = Grade(())
    for at in evaluated(exercise, exercise.data.get("at", "[()]")):
        probe = evaluated(exercise, exercise.data.get("probe", "None"))
        given = [_Probed(probe, each) if probe else each for each in answers]
        values = [_value(probe, each, copy.deepcopy(at)) for each in answers]  # a function may change what it is given
        # The mistake that makes all parts of the answer is told before one that makes some of them.
        whole = [each for each in known if all(map(_is_same, values, [_value(probe, part, at) for part in each[0]]))]
        marks = []
        for k, name in enumerate(names):
            truth = truths[k](*at) if callable(truths[k]) else truths[k]
            hints = []
            for wrong, texts in whole or known:
                found = _value(probe, wrong[k], at)
                if not _is_same(found, truth):
                    hints.append((found, {each: texts[each] for each in LANGUAGES}))
            options: dict[str, Any] = {"rtol": exercise.data.get("rtol", 1e-6), "atol": exercise.data.get("atol", 1e-9)}
            marks += check_exercise(
                given[k], truth, names=name, hints={name: hints}, language=language, at=copy.deepcopy(at), **options
            ).marks
        grade = Grade(tuple(marks), language)
        if not grade.passed:
            break
    return grade


def evaluated(exercise: Exercise, text: str) -> Any:
    """Return what a piece of Python in an exercise is."""
    return eval(text, _namespace(exercise))  # noqa: S307 # the course's own text


def _namespace(exercise: Exercise) -> dict[str, Any]:
    """Return what the code of an exercise may use: NumPy, math, the engine, and what is given."""
    names: dict[str, Any] = {"np": np, "math": math, **{name: getattr(autodiff, name) for name in autodiff.__all__}}
    exec(exercise.data.get("given", ""), names)  # noqa: S102 # the course's own text
    return names


def _as_answers(exercise: Exercise, text: str) -> tuple[Any, ...]:
    value = evaluated(exercise, text)
    return value if len(exercise.asks) > 1 else (value,)


class _Probed:
    """A student's object as a function that returns numbers."""

    def __init__(self, probe: Any, answer: Any) -> None:
        self.probe, self.answer = probe, answer

    def __call__(self, *at: Any) -> Any:
        return self.probe(self.answer, *at)


def _left_out(answer: Any, deep: int = 0) -> bool:
    """Tell whether an answer is still the … that the course put there, or a list with it."""
    return answer is ... or (deep < 9 and type(answer) in (list, tuple) and any(_left_out(x, deep + 1) for x in answer))


def _value(probe: Any, answer: Any, at: Sequence[Any]) -> Any:
    """Return the numbers of an answer that the course itself gives; NaN where it raises."""
    try:
        if probe:
            return probe(answer, *at)
        return answer(*at) if callable(answer) else answer
    except (Exception, SystemExit):  # noqa: BLE001 # a wrong answer may raise
        return math.nan


def _is_same(found: Any, truth: Any) -> bool:
    try:
        return bool(np.allclose(np.asarray(found, dtype=float), np.asarray(truth, dtype=float), rtol=1e-9))
    except Exception:  # noqa: BLE001 # whatever was handed in
        return False
