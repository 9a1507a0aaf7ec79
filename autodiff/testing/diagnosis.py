"""Diagnosis of a wrong gradient, judged as a whole: argument by argument, and which single mistake gives its numbers.

A hint is given only where its mistake gives every number of an argument, to the oracle's digits, and changes one.
"""

# Arrays of any shape, so there are no types to give:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, permutations
from typing import Any

import numpy as np

from autodiff.testing.wording import phrase, sentence

_MOST = 3  # hints that are told of one argument
_EXPONENTS = {2.0: "half", 0.5: "two", 1.0 / 3.0: "three"}  # factors that formulas are full of
_Candidate = tuple[str, dict[str, Any], Any]  # kind and details of a hint, and the numbers it would give


@dataclass(frozen=True, slots=True)
class Hint:
    """One mistake that gives all numbers of some arguments: its kind, the arguments, and what its sentence tells."""

    kind: str
    of: tuple[str, ...]
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def text(self, language: str | None = None) -> str:
        """Return the hint as a sentence, in "en" or "es", by default that of `autodiff.set_language`."""
        return f"{', '.join(self.of)}: {sentence(self.kind, language, **self.details)}"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The look of a whole gradient: for each argument how many numbers are wrong, of how many; and the hints."""

    entries: Mapping[str, tuple[int, int]]
    hints: tuple[Hint, ...] = ()

    @property
    def right(self) -> dict[str, bool]:
        """Whether the derivative by each argument is right, by its name."""
        return {name: not wrong for name, (wrong, _) in self.entries.items()}

    @property
    def unexplained(self) -> tuple[str, ...]:
        """The arguments whose derivatives are wrong and which no hint explains."""
        explained = {name for hint in self.hints for name in hint.of}
        return tuple(name for name, right in self.right.items() if not right and name not in explained)

    def marks(self) -> str:
        """Return a ✓ or ✗ for each argument, and how many of its numbers are wrong where some are right."""
        parts = ((name, wrong, size) for name, (wrong, size) in self.entries.items())
        return "  ".join(
            f"{name} ✗ ({wrong} of {size})" if 0 < wrong < size else f"{name} {'✗' if wrong else '✓'}"
            for name, wrong, size in parts
        )

    def text(self, language: str | None = None) -> str:
        """Return the hints as sentences, one to a line; of several that explain the same argument all are told."""
        lines: list[str] = []
        told: set[tuple[str, ...]] = set()
        for hint in self.hints:
            lines.append((phrase("or", language) if hint.of in told else "") + hint.text(language))
            told.add(hint.of)
        if self.unexplained:
            lines.append(phrase("unexplained", language, of=", ".join(self.unexplained)))
        return "\n".join(lines)

    def __str__(self) -> str:
        return f"{self.marks()}\n{self.text()}"


@dataclass(frozen=True, slots=True)
class Part:
    """The derivative by one argument: what was found, what is right, how far numbers may be off, and the argument."""

    name: str
    found: Any
    truth: Any
    bound: Any
    at: Any
    wrong: Any
    digits: float

    def alike(self, candidate: Any) -> bool:
        """Whether a candidate explains every number that was found."""
        if np.shape(candidate) != self.found.shape or not np.isfinite(candidate).all():
            return False
        most = float(np.max(np.abs(self.truth), initial=0.0))
        allowed = 8.0 * self.bound + self.digits * np.abs(candidate) + 1e-13 * most
        changes = np.abs(candidate - self.truth) > self.bound + self.digits * np.abs(self.truth)
        off = np.abs(candidate - self.found)
        near = (off <= np.abs(self.truth - self.found)) | (off <= self.bound + self.digits * np.abs(candidate))
        return bool(changes.any()) and bool(np.all((off <= allowed) & near))  # and no further off than the truth is


def by_numbers(gradient: Sequence[Part], value: float, known: Mapping[str, Any]) -> list[Hint]:
    """Return hints that need nothing but the numbers; `known` is what the functions see around them, by name."""
    names = factors_of([(p.name, p.at) for p in gradient], known)
    hints: list[Hint] = []
    for part in gradient:
        if part.wrong.any():
            mistakes = _plain(part, gradient, value, names)
            found = [Hint(kind, (part.name,), details) for kind, details, numbers in mistakes if part.alike(numbers)]
            strong = [hint for hint in found if hint.kind != "permuted"] or found
            hints += _of_digits(part) if not strong else strong[: _MOST - 1]
    return merged(hints)


def by_directions(
    name: str, arrays: Mapping[str, tuple[Any, Sequence[Any]]], slopes: Sequence[float], names: Sequence[Any], at: Any
) -> list[Hint]:
    """Return hints on one of many arguments whose truth is known along some directions only.

    `arrays` are what was found by each argument, with the directions there, and `slopes` the true ones: a mistake that
    turns the right numbers into those found is undone, and gives the slopes again.
    """
    F, directions = arrays[name]
    size = float(np.linalg.norm(F)) or 1.0

    def alike(numbers: Sequence[float]) -> bool:
        return np.allclose(numbers, slopes, rtol=1e-6, atol=1e-7 * size)

    def along(array: Any) -> list[float]:
        return [float(np.vdot(array, v)) for v in directions]

    if not F.any():
        return [Hint("zero", (name,))]
    if alike(along(F)):  # too few numbers are wrong to be seen
        return []
    k = nice(along(F)[0] / slopes[0]) if slopes[0] else 0.0
    if k and alike([x / k for x in along(F)]):
        return [Hint("sign", (name,)) if k == -1.0 else Hint("factor", (name,), {"k": k, "why": why(k, names)})]
    for kind, details, array in _moved(F) if F.ndim else ():
        if alike(along(array)):
            undone = {**details, "by": -details["by"]} if "by" in details else details
            return [Hint(kind, (name,), undone)]
    for what, basis in ((name, at), (f"sign({name})", np.sign(at))):
        by = along(basis)
        c = (along(F)[0] - slopes[0]) / by[0] if by[0] else 0.0
        if c and alike([x - c * b for x, b in zip(along(F), by, strict=True)]):
            return [Hint("multiple", (name,), {"c": c, "what": what, "extra": ("missing" if c < 0 else "extra", {})})]
    others = (other for other, (array, _) in arrays.items() if other != name and array.shape == F.shape)
    return [Hint("another", (name,), {"other": other}) for other in others if alike(along(arrays[other][0]))]


def merged(hints: Iterable[Hint]) -> list[Hint]:
    """Return hints that say the same of several arguments as one."""
    together: dict[str, Hint] = {}
    for hint in hints:
        key = f"{hint.kind}{hint.details}"
        of = (*together[key].of, *hint.of) if key in together else hint.of
        together[key] = Hint(hint.kind, tuple(dict.fromkeys(of)), hint.details)
    return list(together.values())


def factors_of(arguments: Sequence[tuple[str, Any]], known: Mapping[str, Any]) -> list[tuple[float, tuple[str, Any]]]:
    """Return the numbers that a gradient may be multiplied by in error, each with what it is."""
    factors: list[tuple[float, tuple[str, Any]]] = []
    for name, x in {**dict(arguments), **known}.items():
        shape = np.shape(x)
        if not shape:
            factors.append((float(x), ("name", {"name": name})))
            continue
        said = ["rows", "columns"] if len(shape) == 2 else ["axis"] * len(shape) if len(shape) > 2 else ["numbers"]
        lengths = enumerate(zip(shape, said, strict=True))
        factors += [(float(n), (kind, {"name": name, "axis": k})) for k, (n, kind) in lengths]
        if len(shape) > 1:
            factors.append((float(np.prod(shape)), ("numbers", {"name": name})))
    return factors


def why(k: float, names: Sequence[tuple[float, tuple[str, Any]]]) -> Any:
    """Return the phrases that explain a factor; "" where nothing does."""
    half: list[Any] = [(_EXPONENTS[k], {})] if k in _EXPONENTS else []
    for by in (1.0,) if half else (1.0, 2.0, 0.5):
        for v, what in names if abs(k) != 1.0 else ():
            if v in (0.0, 1.0, -1.0) or not math.isfinite(v):
                continue
            if what[0] != "name" and (by != 1.0 or abs(k) in (2.0, 0.5)):
                continue  # a mean is by all of them; and a 2 is that of a square, not a length that happens to be 2
            kind = ("sum for mean", "mean for sum") if what[0] != "name" else ("factor too much", "factor missing")
            for ratio, said in zip((v, 1.0 / v), kind, strict=True):
                if math.isclose(abs(k), abs(by * ratio), rel_tol=1e-7):
                    return [*half, (said, {"what": what, "v": f"{v:.6g}"})]
    return half or ""


def nice(k: float, digits: float = 1e-8) -> float:
    """Write a number that is a simple fraction to its digits as that fraction; the fewer digits, the simpler."""
    if not math.isfinite(k):
        return k
    fraction = float(Fraction(k).limit_denominator(1000 if digits < 1e-6 else 12))
    return fraction if math.isclose(k, fraction, rel_tol=digits, abs_tol=digits) else k


def _plain(part: Part, gradient: Sequence[Part], value: float, names: Sequence[Any]) -> Iterator[_Candidate]:
    """Every mistake of an argument's numbers by themselves, with the numbers it gives."""
    T, F = part.truth, part.found
    if T.any():
        if np.max(np.abs(F)) <= 1e-9 * np.max(np.abs(T)):  # whatever the oracle's claim would allow
            yield "zero", {}, 0.0 * T
        yield "sign", {}, -T
        k = nice(float(np.vdot(T, F) / np.vdot(T, T)), part.digits)
        reason = why(k, names)
        if k not in (0.0, -1.0) and abs(k - 1.0) > 2e-3 and (T.size > 1 or reason):
            yield "factor", {"k": k, "why": reason}, k * T
    for other in gradient:
        if other is not part and other.truth.shape == T.shape:
            yield "another", {"other": other.name}, other.truth
    yield "argument", {"what": part.name}, part.at
    yield "value", {}, np.full(T.shape, value)
    if T.size > 1:
        yield from _terms(part)
        yield from _moved(T)
        yield from _lines(T, F)
        yield from _somewhere(part)


def _terms(part: Part) -> Iterator[_Candidate]:
    """Yield a term too many or too few, signs lost, numbers clipped."""
    T, F = part.truth, part.found
    c = float(np.mean(F - T))
    yield "offset", {"c": c}, T + c
    for name, basis in ((part.name, part.at), (f"sign({part.name})", np.sign(part.at))):
        if basis.any():
            c = float(np.vdot(basis, F - T) / np.vdot(basis, basis))
            yield "multiple", {"c": c, "what": name, "extra": ("missing" if c < 0 else "extra", {})}, T + c * basis
    yield "absolute", {}, np.abs(T)
    c = float(np.max(np.abs(F)))
    if c and np.sum(np.abs(T) > c) > 1:  # one number alone may be wrong by anything
        yield "clipped", {"c": c}, np.clip(T, -c, c)


def _moved(T: Any) -> Iterator[_Candidate]:
    """Yield the right numbers at other places: axes exchanged, turned round or shifted."""
    n = T.ndim
    for order in permutations(range(n)) if 1 < n < 5 else ():
        if order != tuple(range(n)) and tuple(T.shape[k] for k in order) == T.shape:
            yield "transposed" if n == 2 else "axes", {"order": str(order)}, T.transpose(order)
    for numbers in (T.ravel(order="F").reshape(T.shape), T.ravel().reshape(T.shape, order="F")):
        if n > 1 and not (n == 2 and np.array_equal(numbers, T.T)):
            yield "reshaped", {}, numbers
    for axes in (axes for count in range(1, n + 1) for axes in combinations(range(n), count)):
        yield "flipped", {"axis": ", ".join(map(str, axes))}, np.flip(T, axes)
    for axis in range(n):
        for by in (b for b in (1, -1, 2, -2) if abs(b) < T.shape[axis]):
            rolled = np.roll(T, by, axis)
            yield "shifted", {"by": by, "axis": axis}, rolled
            emptied = np.moveaxis(rolled.copy(), axis, 0)
            emptied[slice(0, by) if by > 0 else slice(by, None)] = 0.0
            if emptied.any():
                yield "shifted", {"by": by, "axis": axis}, np.moveaxis(emptied, 0, axis)


def _lines(T: Any, F: Any) -> Iterator[_Candidate]:
    """Rows or columns exchanged, or each spread over all; or the same numbers in any other order."""
    for axis in range(T.ndim):
        length = T.shape[axis]
        mean = np.broadcast_to(T.mean(axis, keepdims=True), T.shape)
        for numbers in (mean, mean * length) if length > 1 else ():
            yield "summed", {"axis": axis}, numbers
        order = _order(np.moveaxis(T, axis, 0), np.moveaxis(F, axis, 0))
        if order and T.ndim == 2:
            lines = ("rows of it" if axis == 0 else "columns of it", {})
            yield "exchanged", {"lines": lines, "order": str(order)}, np.take(T, order, axis)
    yield "permuted", {}, np.sort(T, axis=None)[np.argsort(np.argsort(F, axis=None))].reshape(T.shape)


def _somewhere(part: Part) -> Iterator[_Candidate]:
    """Right in some entries, and wrong by one factor in the others: where those are."""
    T, F, mask = part.truth, part.found, part.wrong
    if not T[mask].any() or not T[~mask].any():
        return
    k = nice(float(np.vdot(T[mask], F[mask]) / np.vdot(T[mask], T[mask])), part.digits)
    spoilt = np.where(mask, k * T, T)
    first = str([int(i) for i in np.argwhere(mask)[0]])
    where: Any = ("some", {"n": int(mask.sum()), "size": mask.size, "k": first})
    for axis, kind in enumerate(("row", "column") if T.ndim == 2 else ()):
        lines = np.flatnonzero(mask.any(1 - axis))
        if len(lines) == 1 and mask.take(lines[0], axis).all():
            where = (kind, {"k": int(lines[0])})
    if T.ndim == 2 and T.shape[0] == T.shape[1]:
        eye = np.eye(len(T), dtype=bool)
        where = ("diagonal", {}) if (mask == eye).all() else ("off diagonal", {}) if (mask == ~eye).all() else where
    for kind, side in (("negative", part.at < 0.0), ("positive", part.at > 0.0)):
        if (mask == side)[T != 0.0].all():
            where = (kind, {"name": part.name})
    if mask.sum() == 1:
        where = ("entry", {"k": first})
    if k == 0.0:
        yield "missing", {"where": where}, spoilt
    elif mask.sum() > 1 or k in (-1.0, 2.0, 0.5):
        yield "region", {"where": where, "k": k}, spoilt


def _of_digits(part: Part) -> list[Hint]:
    """Return the hint for a derivative that is nearly right, or is no number."""
    if not np.isfinite(part.found).all():
        return [Hint("nan", (part.name,))]
    size = np.abs(part.truth)
    off = float(np.max(np.abs(part.found - part.truth) / np.maximum(size, 1e-3 * np.max(size) + 1e-300)))
    if off < 1e-6 and np.all(np.float32(part.found) == part.found):
        return [Hint("single", (part.name,))]
    if off < 2e-3:
        digits = math.floor(-math.log10(off))
        return [Hint("digits", (part.name,), {"digits": digits, "rtol": f"1e-{digits - 1}"})]
    return []


def _order(right: Any, found: Any) -> list[int] | None:
    """Return the order in which the lines of one stand in the other; None where they are not the same lines."""
    order: list[int] = []
    for line in found:
        same = [k for k, other in enumerate(right) if k not in order and np.allclose(line, other, rtol=1e-8, atol=0.0)]
        if not same:
            return None
        order.append(same[0])
    return order


_RANKS = (
    "nan", "accumulated", "lagging", "sign", "transposed", "another", "value", "zero", "path half", "multiple",
    "offset", "axes", "flipped", "shifted", "exchanged", "slope", "left out", "constant", "constants", "turned",
    "times", "over", "diagonal", "wrong axis", "instead", "one path", "one use", "some uses", "axis", "branch",
    "spread", "other branch", "slope step", "step", "early", "surplus", "forgotten", "in place", "no matrix",
    "matrix turned", "replaced", "otherwise", "within", "for", "clipped", "stale", "argument", "path sign", "lost",
    "summed", "reshaped", "path factor", "missing", "left out of it", "other operand", "single", "absolute",
    "permuted", "some path factor", "factor", "digits", "region", "unscaled", "crooked",
)  # fmt: skip


def chosen(hints: Iterable[Hint]) -> tuple[Hint, ...]:
    """Return the hints that are told: those that explain most arguments first, and few of one argument."""

    def rank(hint: Hint) -> tuple[int, int, int]:
        shortest = len(str(hint.details["place"])) if _kind(hint) == "path half" else 0
        return -len(hint.of), _RANKS.index(_kind(hint)), shortest

    ranked = sorted(merged(hints), key=rank)
    halves: set[str] = set()  # arguments for which one path is told: the others along it say the same
    told: dict[str, int] = {}
    otherwise: set[str] = set()  # arguments of which more is known than that a multiple of x, or all of it, is off
    kept: list[Hint] = []
    for hint in ranked:
        fallback = _RANKS.index(_kind(hint)) >= _RANKS.index("other operand")
        fallback &= _kind(hint) != "factor" or not otherwise.isdisjoint(hint.of)
        if all(told.get(name, 0) >= (1 if fallback else _MOST) for name in hint.of):
            continue
        if _kind(hint) == "path half":
            if halves.issuperset(hint.of):
                continue
            halves.update(hint.of)
        kept.append(hint)
        otherwise.update(hint.of if hint.kind != "multiple" else ())
        for name in hint.of:
            told[name] = told.get(name, 0) + 1
    return tuple(kept)


def _kind(hint: Hint) -> str:
    """Its kind, or that of another one as good: where its factor is explained, or its slope is not."""
    if hint.kind == "factor" and hint.details.get("why"):
        return "sign"
    if hint.kind == "region" and hint.details["where"][0] not in ("some", "entry"):
        return "missing"
    if hint.kind == "path factor" and hint.details["k"] in (2.0, 0.5) and hint.details["why"]:
        return "path half"  # says more than that a term along w is off
    if hint.kind == "path factor" and not hint.details["why"] and hint.details["k"] not in (2.0, 0.5):
        return "some path factor"
    return "left out of it" if hint.kind == "left out" and not hint.details["slope"] else hint.kind
