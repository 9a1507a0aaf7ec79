"""Grading of a student's answer beside the right one: marks, with hints for a student, in two languages."""

# Answers of any kind, so there are no types to give:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from autodiff import nests
from autodiff.backward import topological_order
from autodiff.testing.arguments import Layout
from autodiff.testing.diagnosis import Hint, Part, by_numbers, chosen
from autodiff.testing.subjects import Tolerance, detached, of_numpy
from autodiff.testing.wording import phrase
from autodiff.value import Value
from autodiff.wording import language_of

_Problem = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Mark:
    """One part of an exercise: its name, whether it is right, what is said of it, and the hints as data."""

    name: str
    right: bool
    said: str
    hints: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Grade:
    """The marks of an exercise. Printed, or shown in a notebook, it is a line for each part."""

    marks: tuple[Mark, ...]
    language: str = "en"
    surplus: tuple[str, ...] = ()  # names of parts that were given and not asked for

    @property
    def passed(self) -> bool:
        """Whether every part is right."""
        return all(mark.right for mark in self.marks)

    @property
    def score(self) -> float:
        """The share of the parts that are right, from 0 to 1."""
        return sum(mark.right for mark in self.marks) / len(self.marks)

    def __repr__(self) -> str:
        lines = [f"{'✓' if mark.right else '✗'} {mark.name}: {mark.said}" for mark in self.marks]
        if len(lines) > 1:
            n = sum(mark.right for mark in self.marks)
            lines.append(phrase("so many right", self.language, n=n, size=len(lines)))
        lines += [f"· {name}: {phrase('surplus', self.language)}" for name in self.surplus]
        return "\n".join(lines)


def check_exercise(
    answer: Any,  # Any: whatever a student hands in
    truth: Any,  # Any: numbers or nests of them, or a function
    *,
    names: str | Sequence[str] = (),
    hints: Mapping[str, Any] | None = None,  # Any: wrong answers, in the form of the truth
    language: str | None = None,
    at: Sequence[Any] = (),  # Any: numbers, or nests of them
    rtol: float = 1e-6,
    atol: float = 1e-9,
) -> Grade:
    """Grade an answer, or a whole assignment: numbers, arrays, nests of them, or functions of the arguments `at`.

    `truth` has the parts of a dict, or of a sequence with `names` for each, or is one part. A part that is right to
    `rtol` of its size or to `atol` is marked so; of the others it is said what the numbers show (a sign, a factor, a
    transpose, another part's answer, …) and what the teacher knows: `hints` gives for a part a sentence, or pairs of a
    wrong answer and the sentence for it; a sentence is text, or a dict with one for each language. `language` is "en"
    or "es", by default that of `autodiff.set_language`.

    Nothing that is handed in raises: text, None, other shapes, NaN, functions that raise, Values are told kindly.
    Raises ValueError and TypeError for what the teacher gave.

    >>> check_exercise({"dw": 0.5, "db": "0.25"}, {"dw": -0.5, "db": 0.25})
    ✗ dw: the sign is wrong
    ✗ db: this is text, '0.25': write the number without quotes
    0 of 2 are right
    >>> check_exercise([2.0], [1.0], language="es", hints={"respuesta": "¿y el ½ de la fórmula?"}, names="respuesta")
    ✗ respuesta: 2 veces lo correcto en cada elemento: falta el ½ ante un cuadrado, o sobra un 2; ¿y el ½ de la fórmula?
    """
    language = language_of(language)
    _refuse_arguments(truth, at)
    Tolerance(rtol, atol)  # raises for what is none
    names = [names] if isinstance(names, str) else list(names)
    known: list[Any] = [truth(*at) if _is_function(truth) else truth]
    given: list[Any] = [_called(answer, at)]
    surplus: list[str] = []
    with contextlib.suppress(Exception):  # whatever was handed in
        surplus += _surplus(given[0], known[0], len(names))
    if isinstance(known[0], dict) and not names:
        names = [*map(str, known[0])]
        given, known = [_part_of(given[0], key, [*known[0]]) for key in known[0]], [*known[0].values()]
    elif len(names) > 1:
        if not isinstance(known[0], (list, tuple)) or len(known[0]) != len(names):
            raise ValueError(f"names must be as many as the parts of truth, got {len(names)} names for {truth!r}")
        given, known = [_part_of(given[0], k, range(len(names))) for k in range(len(names))], [*known[0]]
    names = names or [phrase("answer", language)]
    truths = [of_numpy(np.array(each) if nests.shape(each) else each) for each in known]
    layout = Layout(truths, names)
    _refuse_truth(known, layout, {} if hints is None else hints)
    problems: dict[str, _Problem] = {}
    parts: list[Part] = []
    read = (each for a, t, name in zip(given, truths, names, strict=True) for each in _read(a, t, name, at))
    for leaf, (name, found, problem) in zip(layout.leaves, read, strict=True):
        right = layout.flat[leaf.place].reshape(leaf.shape or ())
        if problem is not None:
            problems[name] = problem
        numbers = right if found is None else found
        bound = np.full(right.shape, atol)
        wrong = ~(np.abs(numbers - right) <= atol + rtol * np.abs(right))
        parts.append(Part(name, numbers, right, bound, np.zeros(right.shape), wrong, max(rtol, 1e-8)))
    of_numbers = chosen(by_numbers(parts, np.nan, {}))
    marks = [
        _marked(part, problems.get(part.name), of_numbers, (hints or {}).get(part.name), language, rtol)
        for part in parts
    ]
    misnamed = any(problem[0] == "no part" for problem in problems.values())
    return Grade(tuple(marks), language, () if misnamed else tuple(surplus))


def _refuse_arguments(truth: Any, at: Any) -> None:
    """Raise TypeError for arguments that a function of the teacher cannot be called with."""
    if not isinstance(at, (list, tuple)):
        raise TypeError(f"at must be a tuple of the arguments, got {at!r}; for one of them write at=({at!r},)")
    if _is_function(truth) and not at:
        raise TypeError("truth is a function, and at gives its arguments: it must hold one or more, got none")


def _refuse_truth(known: Sequence[Any], layout: Layout, hints: Any) -> None:  # Any: of any type, until here
    """Raise for what cannot be graded: truths that are no numbers, hints for parts that there are not."""
    if not isinstance(hints, Mapping):
        raise TypeError(f"hints must be a dict of wrong answers, by the name of a part, got {hints!r}")
    if not layout.leaves:
        raise TypeError(f"truth must be numbers, got {', '.join(map(repr, known)) or 'no part'}")
    if not np.isfinite(layout.flat).all():  # nothing that is handed in would be right
        raise ValueError(f"truth must be finite, got a NaN or an infinity in {', '.join(map(repr, known))}")
    asked = [leaf.name for leaf in layout.leaves]
    if unknown := [key for key in hints if key not in asked]:
        raise ValueError(f"hints must be for parts of truth ({', '.join(asked)}), got {', '.join(map(repr, unknown))}")
    if any(isinstance(x, (bool, np.bool_)) for each in known for _, x in nests.leaves(each, "")):
        raise TypeError(f"truth must be numbers, got a bool in {known!r}")


def _surplus(answer: Any, truth: Any, names: int, inside: str = "") -> Iterator[str]:
    """Yield the names of the parts of an answer that the truth does not have."""
    if isinstance(answer, dict) and isinstance(truth, dict):
        for key, x in answer.items():
            called = f"{inside}[{key!r}]" if inside else str(key)
            yield from _surplus(x, truth[key], 0, called) if key in truth else [called]
    elif names > 1 and isinstance(answer, (list, tuple)):
        yield from (f"[{k}]" for k in range(names, len(answer)))


def _marked(
    part: Part, problem: _Problem | None, of_numbers: Sequence[Hint], taught: Any, language: str, rtol: float
) -> Mark:
    if problem is not None and problem[0] not in ("a value", "another graph"):
        return Mark(part.name, right=False, said=phrase(problem[0], language, **problem[1]))
    note = [] if problem is None else [phrase(problem[0], language, **problem[1])]
    if not part.wrong.any():
        return Mark(part.name, right=True, said="; ".join([phrase("right", language), *note]))
    own = tuple(hint for hint in of_numbers if part.name in hint.of and hint.kind not in ("argument", "value"))
    rounded = _rounded(part)
    if rounded and not any(hint.kind not in ("digits", "single", "clipped") for hint in own):
        own, said = (), [phrase("rounded", language, digits=rounded, rtol=f"{rtol:g}")]
    else:
        words = {"digits": "more digits", "another": "of another part", "zero": "is zero"}
        said = [
            phrase(words[h.kind], language, **h.details) if h.kind in words else h.text(language).split(": ", 1)[1]
            for h in own[:1]
        ]
    if not said and not part.wrong.all():
        places = [f"[{', '.join(map(str, map(int, at)))}]" for at in np.argwhere(part.wrong)]
        few = ", ".join(places[:3]) + ", …" * (len(places) > 3)
        said = [phrase("wrong in", language, places=few, n=len(places), size=part.wrong.size)]
    said += [text for text in _taught(part, taught, language) if text not in said] + note
    return Mark(part.name, right=False, said="; ".join(said or [phrase("not yet", language)]), hints=own)


def _rounded(part: Part) -> int:
    """Return to how many digits the wrong numbers are the right ones, as they are written; 0 where they are not."""
    digits: list[int] = []
    for found, right in zip(part.found[part.wrong].tolist(), part.truth[part.wrong].tolist(), strict=True):
        _, written, exponent = Decimal(repr(found)).as_tuple()
        last, n = 10.0 ** int(exponent), len(written) - (written[0] == 0)
        off = abs(found - right) / last  # up to a half where it is rounded, up to 1 where further digits are cut off
        cut = n > 1 and abs(found) < abs(right) and found * right > 0.0
        digits.append(n if last < 1.0 and off < (1.0 if cut else 0.5) else 0)
    return min(digits, default=0)


def _taught(part: Part, taught: Any, language: str) -> Iterator[str]:
    """Yield what the teacher has to say of a wrong answer."""
    for known in [taught] if isinstance(taught, (str, dict)) else taught or ():
        wrong, text = (part.found, known) if isinstance(known, (str, dict)) else known
        with np.errstate(all="ignore"):
            if np.shape(wrong) == part.found.shape and np.allclose(wrong, part.found, rtol=1e-6, atol=1e-9):
                yield text[language] if isinstance(text, dict) else text


class _Gone:
    """The place of a part that is not there, though others are, or of a function that raised: what is said of it."""

    def __init__(self, said: str, **details: str) -> None:
        self.problem: _Problem = said, details


def _called(answer: Any, at: Sequence[Any]) -> Any:
    """Return what a function that was handed in returns; anything else as it is."""
    if not _is_function(answer):
        return answer
    try:
        return answer(*at)
    except (Exception, SystemExit) as error:  # noqa: BLE001 # a student's function may raise anything, and may call exit()
        return _Gone("raises", error=f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": "))


def _part_of(answer: Any, key: Any, keys: Sequence[Any]) -> Any:
    """One part of what was handed in; None where there is none."""
    if type(answer) is _Gone:
        return answer
    try:
        return answer[key]
    except Exception:  # noqa: BLE001 # whatever was handed in
        return _missing(answer, key, keys)


def _missing(answer: Any, key: Any, keys: Sequence[Any]) -> Any:
    """Return what stands for a part that an answer does not have; None where it was not given yet."""
    kind = type(answer)
    if issubclass(kind, dict):
        held = [str(other) for other in answer if other not in keys]
        return _Gone("no part", name=str(key), held=", ".join(held)) if held else None
    later = issubclass(kind, (list, tuple)) and isinstance(key, int)
    if later or answer is None or answer is Ellipsis:
        return None
    return _Gone("other kind", name=str(key), kind=kind.__name__)


def _is_function(x: Any) -> bool:
    return callable(x) and not hasattr(type(x), "shape")


def _read(answer: Any, truth: Any, name: str, at: Sequence[Any]) -> Iterator[tuple[str, Any, _Problem | None]]:
    """For each number or array of the truth its name, what was given for it, and what keeps it from being compared."""
    answer = _called(answer, at)
    if type(answer) is _Gone:
        yield from ((leaf, None, answer.problem) for leaf, _ in nests.leaves(truth, name))
        return
    held = nests.entries(truth)
    if held is not None:
        plain = isinstance(truth, (list, tuple))
        given: dict[str, Any] | None = None
        with contextlib.suppress(Exception):  # whatever was handed in
            given = None if plain else dict(nests.entries(answer) or ())
        for k, (key, inner) in enumerate(held):
            keys = [name for name, _ in held]
            if given is None:
                part = _part_of(answer, k, range(len(held)))
            else:
                part = given[key] if key in given else _missing(given or answer, key, keys)
            yield from _read(part, inner, name + key, at)
        return
    try:
        found, problem = _numbers(answer, truth)
    except Exception:  # noqa: BLE001 # whatever was handed in
        found, problem = None, ("unreadable", {"kind": type(answer).__name__})
    yield name, found, problem


def _numbers(answer: Any, truth: Any) -> tuple[Any, _Problem | None]:
    """Return the numbers that were given, or None; and what is to be said of them, if anything."""
    if answer is None or answer is Ellipsis:
        return None, ("nothing", {})
    if any(np.asarray(detached(x)).dtype.kind == "b" for _, x in nests.leaves(answer, "")):
        return None, ("bool", {})
    if isinstance(answer, (str, bytes)):
        return None, _of_text(answer if isinstance(answer, str) else answer.decode(errors="replace"))
    shape = np.shape(truth.data if isinstance(truth, Value) else truth)
    note: _Problem | None = None
    if isinstance(answer, Value):
        own = not isinstance(truth, Value) or any(node is answer for node in topological_order(truth))
        note = ("a value" if own else "another graph", {"data": f"{answer.data:.6g}"})
        asked = truth.data if isinstance(truth, Value) else truth
        if answer.swept and shape == () and answer.data != asked and np.isclose(float(answer.grad), asked, rtol=1e-6):
            return None, ("its grad", {})
    array = np.asarray(detached(answer))
    if array.dtype == object:
        array = np.array([float(getattr(x, "data", x)) for x in array.ravel()]).reshape(array.shape)
    if array.dtype.kind in "US":
        return None, _of_text(str(array.ravel()[0]))
    if np.iscomplexobj(array):
        return None, ("complex", {})
    array = array.astype(np.float64)
    if array.shape != shape and not array.size == int(np.prod(shape)) == 1:
        turned = ("turned", {}) if array.shape == shape[::-1] else ("reshape", {})
        return None, ("shape", {"got": str(array.shape), "asked": str(shape), "turned": turned})
    array = array.reshape(shape)
    return (array, note) if np.isfinite(array).all() else (None, ("nan", {}))


def _of_text(text: str) -> _Problem:
    try:
        float(text)
    except ValueError:
        return "text", {"text": repr(text[:40])}
    return "number as text", {"text": repr(text[:40])}
