"""Loops in the text: lines that repeat from step to step become the body of a `for`.

Two lines are alike when they differ in names of their own and in whole numbers alone. A run of blocks of such lines is
a loop where each name is one of the same step, of the step before, of all steps alike, or of another loop's step, and
where each number is the same or grows evenly. What later lines read of single steps is kept in lists.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from textwrap import wrap
from typing import Any

import numpy as np

_TOKEN = re.compile(r'"[^"]*"|\d+\.\d*(?:e[-+]?\d+)?|\d+e[-+]?\d+|\d+|[^\W\d]\w*|.')
_STEPS = 3  # fewer are written one after another
_REPAIRS = 20  # of first steps, at most
_LINES = 200  # of a step, at most
_TRIES = 300_000  # lines that are looked at as steps of a loop, at most: a text is not worth minutes
_SHORT = 50  # an expression this short can be one of several on a line
_LONG = 120  # longer lines are broken
_FEW = 6  # items of a long line have lines of their own


@dataclass
class Statement:
    """An assignment on one line, the comments above it and that behind it."""

    tokens: list[str]
    above: list[str] = field(default_factory=list[str])
    behind: str = ""

    @property
    def target(self) -> str:
        """The name that is assigned; "" for several, or for none."""
        return self.tokens[0] if self.tokens[1:4] == [" ", "=", " "] else ""

    def key(self, assigned: set[str]) -> tuple[str, ...]:
        """Return what alike lines share."""
        return (*("·" if self.is_slot(k, assigned) else x for k, x in enumerate(self.tokens)), self.behind)

    def is_slot(self, k: int, assigned: set[str]) -> bool:
        """Tell whether alike lines may differ here: in a name that the text assigns, or in a whole number."""
        x = self.tokens[k]
        return x.isdecimal() or (x in assigned and (k == 0 or self.tokens[k - 1] != "."))


@dataclass
class Loop:
    """Steps of a text: blocks of as many lines each, of which the last may lack some."""

    blocks: list[list[Statement]]
    slots: list[list[Any]] = field(default_factory=list[list[Any]])  # of each line, the meaning of each of its slots
    first: dict[int, str] = field(default_factory=dict[int, str])  # by line, the name that comes before its first
    kept: set[int] = field(default_factory=set[int])  # the lines whose values are kept in a list
    begun: set[int] = field(default_factory=set[int])  # those of them whose list begins with what comes before

    def __post_init__(self) -> None:
        self.lines = len(self.blocks[0])
        self.steps = len(self.blocks)
        self.names = [
            min((block[j].target for block in self.blocks if j < len(block)), key=lambda x: (len(x), x))
            for j in range(self.lines)
        ]

    def element(self, j: int, i: int) -> str:
        """Return the text of the value of a line at a step."""
        if i < self.steps - 1:
            self.kept.add(j)
        if j not in self.kept:
            return self.names[j]
        return f"{self.names[j]}[{self.place(j, i) if i < self.steps - 1 else -1}]"

    def place(self, j: int, i: int) -> int:
        """Return where in its list the value of a line at a step is; −1 is the step before the first."""
        self.kept.add(j)
        if i < 0:
            self.begun.add(j)
        return i + (j in self.begun)


def rolled(
    forward: list[str], backward: list[str], alike: Sequence[str], take: Callable[[str], str]
) -> tuple[list[str], list[str]] | None:
    """Return the lines of both passes with loops, or None.

    `alike`: names of what is equal, the best of them first. `take` makes a name unlike all others.
    """
    text = Text([_statements(forward), _statements(backward)], alike, take)
    return text.lines() if text.loops else None


class Text:
    """Both passes as statements and loops."""

    def __init__(self, passes: list[list[Statement]], alike: Sequence[str], take: Callable[[str], str]) -> None:
        self.alike, self.take, self.t = alike, take, take("t")
        self.assigned = {s.target for each in passes for s in each} - {""} | {*alike}
        self.repairs = 0
        self._left = _TRIES
        self.letters: list[str] = []  # for things of a step, in sums over all of them
        self.loops: list[Loop] = []
        self.starts: dict[str, Statement] = {}  # what is before a first step, and has no line of its own
        self.where: dict[str, tuple[Loop, int, int]] = {}  # of each name in a loop: its line and step
        self.passes: list[list[Any]] = [self._found(each) for each in passes]

    def lines(self) -> tuple[list[str], list[str]]:
        """Return the lines of both passes."""
        self.reads = Counter([x for each in self.passes for part in each for s in _all(part) for x in s.tokens])
        single = {s.target: s for each in self.passes for s in each if isinstance(s, Statement) and not s.behind}
        for loop in self.loops:
            own = Counter([x for block in loop.blocks for s in block for x in s.tokens])
            again = Counter(loop.first.values())
            alike = {m[1] for row in loop.slots for m in row if m[0] == "same"}  # all steps read these by their names
            for x in ({*loop.first.values()} & single.keys()) - alike:
                if own[x] + 1 == self.reads[x] and again[x] == 1 and len("".join(single[x].tokens)) < _SHORT:
                    self.starts[x] = single[x]
        while True:  # until it is known which steps' values are read
            before = self._kept()
            forward, backward = [[line for part in each for line in self._written(part)] for each in self.passes]
            if before == self._kept():
                return forward, backward

    def _kept(self) -> list[Any]:
        """Return which lines' values are kept so far."""
        return [(sorted(loop.kept), sorted(loop.begun)) for loop in self.loops]

    # What repeats.

    def _found(self, statements: list[Statement]) -> list[Any]:
        """Return statements with loops in place of those that repeat."""
        n = len(statements)
        self._turn(statements)
        keys = [s.key(self.assigned) for s in statements]
        runs: list[tuple[int, int, int]] = []  # how many lines are saved, the first, and the lines of a step
        order = {key: k for k, key in enumerate(dict.fromkeys(keys))}
        numbers = np.array([order[key] for key in keys])
        for p in range(1, min(n // 2, _LINES) + 1):
            ends = np.flatnonzero(np.diff(numbers[:-p] == numbers[p:], prepend=False, append=False))
            runs += [
                (end - start, start, p)
                for start, end in ends.reshape(-1, 2).tolist()
                if end - start >= (_STEPS - 2) * p
            ]
        for saved, start, p in sorted(runs, key=lambda run: (-run[0], run[2])):
            repaired = self._repaired(statements, start, p, saved)
            if repaired is not None:
                return self._found(repaired)
            for first, count in _cuts(saved + p, p):
                loop = self._loop(statements[start + first : start + first + count], p)
                if loop is not None:
                    self.loops.append(loop)
                    for i, block in enumerate(loop.blocks):
                        self.where.update({s.target: (loop, j, i) for j, s in enumerate(block)})
                    before = self._found(statements[: start + first])
                    return [*before, loop, *self._found(statements[start + first + count :])]
        return list(statements)

    def _turn(self, statements: list[Statement]) -> None:
        """Turn sums of two round where those of other steps have the same summands in the other order."""
        keys = Counter([s.key(self.assigned) for s in statements])
        for s in statements:
            own = s.key(self.assigned)
            for left, right in _sums(s.tokens):
                words = [*s.tokens[:4], *s.tokens[slice(*right)], *" + ", *s.tokens[slice(*left)]]
                turned = Statement(words, s.above, s.behind)
                if keys[turned.key(self.assigned)] > keys[own]:
                    s.tokens = words
                    break

    def _repaired(self, statements: list[Statement], start: int, p: int, saved: int) -> Any:
        """Return the statements with a summand that the first step lacks as a 0 there, a line of its own; or None."""
        if start == 0 or start - 1 + p >= len(statements) or self.repairs == _REPAIRS:
            return None
        lone, whole = statements[start - 1], statements[start - 1 + p]
        split = _summand(whole, lone, self.assigned)
        if split is None or not lone.target:
            return None
        self.repairs += 1
        made = list(statements)
        for i in reversed(range(start - 1, start + saved + p, p)):
            s = made[i]
            name = self.take(f"{s.target}_next")
            if i == start - 1:
                summand, rest = ["0.0"], s.tokens[4:]
            else:
                (a, b), (c, d) = split
                summand, rest = s.tokens[a:b], s.tokens[c:d]
            own = Statement([s.target, *" = ", name, *" + ", *rest], [], s.behind)
            made[i : i + 1] = [Statement([name, *" = ", *summand], s.above), own]
            self.assigned.add(name)
        return made

    def _loop(self, statements: list[Statement], p: int) -> Loop | None:
        """Return a loop of these statements, p at each step; None where they are none."""
        self._left -= len(statements)
        if self._left < 0:
            return None
        loop = Loop([statements[k : k + p] for k in range(0, len(statements), p)])
        own: dict[str, tuple[int, int]] = {}
        for i, block in enumerate(loop.blocks):
            for j, s in enumerate(block):
                if not s.target or s.target in own:
                    return None
                own[s.target] = i, j
        carried = False
        for j in range(p):
            column = [block[j] for block in loop.blocks if j < len(block)]
            meanings: list[Any] = []
            for k in range(1, len(column[0].tokens)):
                if column[0].is_slot(k, self.assigned):
                    meaning = self._meaning([s.tokens[k] for s in column], j, own, loop)
                    if meaning is None:
                        return None
                    carried = carried or meaning[0] == "before"
                    meanings.append(meaning)
            loop.slots.append(meanings)
        return loop if carried and self._reaches(loop) else None

    def _meaning(self, values: list[str], j: int, own: dict[str, tuple[int, int]], loop: Loop) -> Any:
        """Return what a slot of a line means at each step, as a kind and its data; None where it means nothing."""
        first = values[0]
        if first.isdecimal():
            numbers = [int(x) if x.isdecimal() else None for x in values]
            line = _line(numbers)
            return line and (("same", first) if line[1] == 0 else ("index", *line))
        if all(x == first for x in values) and first not in own:
            return "same", first
        at = [own.get(x) for x in values]
        if at[0] is not None and at == [(i, at[0][1]) for i in range(len(values))]:
            return ("here", at[0][1]) if at[0][1] < j else None
        if (
            len(at) > 1
            and at[0] is None
            and at[1] is not None
            and at[1:] == [(i, at[1][1]) for i in range(len(at) - 1)]
        ):
            return ("before", at[1][1]) if self._begins(loop, at[1][1], first) else None
        found = [self.where.get(x) for x in values]
        other, line, _ = next((x for x in found if x is not None), (None, 0, 0))
        if other is None or own.keys() & set(values):
            return None
        places = [x[2] if x and x[0] is other and x[1] == line else None for x in found]
        early = other.first.get(line)
        places = [
            -1 if place is None and early and self._same(x, early) else place
            for x, place in zip(values, places, strict=True)
        ]
        along = _line(places)
        return along and ("step", other, line, *along)

    def _same(self, x: str, y: str) -> bool:
        return x == y or {x, y} <= set(self.alike)

    def _begins(self, loop: Loop, j: int, name: str) -> bool:
        """Note what a line's value is before the first step; tell whether it is the same wherever it is read."""
        early = loop.first.setdefault(j, name)
        if early != name and self._same(early, name):
            loop.first[j] = min(early, name, key=list(self.alike).index)
        return self._same(early, name)

    @staticmethod
    def _reaches(loop: Loop) -> bool:
        """Tell whether the lines that the last step lacks could be computed there."""
        missing = range(len(loop.blocks[-1]), loop.lines)
        i = loop.steps - 1
        for meaning in (m for j in missing for m in loop.slots[j]):
            if meaning[0] == "index" and (meaning[2] > 0 or meaning[1] + meaning[2] * i < 0):
                return False
            if meaning[0] == "step" and not 0 <= meaning[-2] + meaning[-1] * i < meaning[1].steps:
                return False
        return True

    # What is written.

    def _written(self, part: Any) -> Iterator[str]:
        if isinstance(part, Statement):
            if part.target in self.starts:
                return
            yield self._outside(part.tokens) + _behind(part)
            return
        loop: Loop = part
        for j in loop.first:
            if self._overwritten(loop, j):
                loop.place(j, -1)
        begins = {j: self._begin(name) for j, name in loop.first.items()}
        heads = [
            (loop.names[j], f"[{begins[j] if j in loop.begun else ''}]" if j in loop.kept else begins[j])
            for j in range(loop.lines) if j in loop.kept or j in begins
        ]  # fmt: skip
        yield f"{', '.join(name for name, _ in heads)} = {', '.join(value for _, value in heads)}"
        base = next((m[-2:] for row in loop.slots for m in row if m[0] == "index" and abs(m[2]) == 1), None)
        base = base or next(
            (m[-2:] for row in loop.slots for m in row if m[0] in {"step", "index"} and abs(m[-1]) == 1), None
        )
        start, step = base or (0, 1)
        start -= min(start, start + step * (loop.steps - 1), 0)
        end = start + step * (loop.steps - 1)
        along = f"range({f'{min(start, end)}, ' * (min(start, end) != 0)}{max(start, end) + 1})"
        yield f"for {self.t} in {along if step > 0 else f'reversed({along})'}:{_behind(loop.blocks[0][0])}"
        for j, (s, meanings) in enumerate(zip(loop.blocks[0], loop.slots, strict=True)):
            words, left = list(s.tokens), iter(meanings)
            for k in range(1, len(words)):
                if s.is_slot(k, self.assigned):
                    words[k] = self._inside(loop, j, next(left), start, step)
            expression = "".join(words[4:])
            line = f"{loop.names[j]}.append({expression})" if j in loop.kept else f"{loop.names[j]} = {expression}"
            yield f"    {line}{_behind(s) if j else s.behind}"

    def _begin(self, name: str) -> str:
        """Return the text of what is before the first step; what only that reads needs no name."""
        return self._outside(self.starts[name].tokens[4:]) if name in self.starts else self._single(name)

    def _overwritten(self, loop: Loop, j: int) -> bool:
        """Tell whether the value of the step before is read of what must be a list."""
        readers = [k for k, row in enumerate(loop.slots) for m in row if m[:2] == ("before", j)]
        return j in loop.kept or any(k > j for k in readers)

    def _inside(self, loop: Loop, j: int, meaning: Any, start: int, step: int) -> str:
        """Return the text of a slot in the body of a loop, whose t begins at a number and goes on by 1 or −1."""
        kind, *data = meaning
        if kind == "same":
            return self._single(data[0])
        if kind in {"here", "before"}:
            (line,) = data
            behind = f"[{-1 - (kind == 'before' and line < j)}]" if line in loop.kept else ""
            return f"{loop.names[line]}{behind}"
        *of, at, by = data
        by *= step
        at -= by * start
        if kind == "step":
            other, line = of
            low = min(at + by * start, at + by * (start + step * (loop.steps - 1)))
            other.kept.add(line)
            if low < 0:
                other.begun.add(line)
            at += line in other.begun
        text = self.t if by == 1 else f"{by} * {self.t}"
        text += f" {'+' if at > 0 else '-'} {abs(at)}" if at else ""
        return f"{of[0].names[of[1]]}[{text}]" if kind == "step" else text

    def _single(self, name: str) -> str:
        if name not in self.where:
            return name
        loop, j, i = self.where[name]
        return loop.element(j, i)

    def _outside(self, words: list[str]) -> str:
        """Return the text of a line, in which sums and lists of what all steps have are short."""
        if words[1:4] == [" ", "=", " "] and len(terms := _terms(words, 4, len(words))) >= _STEPS:
            return "".join(words[:4]) + " + ".join(self._series([words[a:b] for a, b in terms], "sum"))
        text, k = "", 0
        while k < len(words):
            end = _closing(words, k) if words[k] in {"(", "["} else k
            if end > k:
                items = _items(words[k + 1 : end])
                names = [x[0] for x in items if len(x) == 1 and x[0].isidentifier()]
                if words[k] == "[" and len(names) == len(items) > 1 and any(x in self.where for x in names):
                    text += self._listed(names)
                else:
                    text += words[k] + ", ".join(self._series(items, "*")).rstrip(" ") + words[end]
            else:
                text += self._single(words[k]) if k == 0 or words[k - 1] != "." else words[k]
            k = end + 1
        return text

    def _series(self, items: list[list[str]], way: str) -> list[str]:
        """Return the texts of items; those of several steps that are alike are one, `way` says for what."""
        texts, k = list[str](), 0
        keys = [Statement(x).key(self.assigned) for x in items]
        while k < len(items):
            end = k + 1
            while end < len(items) and keys[end] == keys[k]:
                end += 1
            for stop in range(end, k + _STEPS, -1):
                if (found := self._each(items[k:stop])) is not None:
                    texts.append(f"sum({found})" if way == "sum" else f"*({found})")
                    k = stop
                    break
            else:
                texts.append(self._outside(items[k]))
                k += 1
        return texts

    def _each(self, items: list[list[str]]) -> str | None:
        """Return what is alike of several steps as what a comprehension has in brackets; None of other things."""
        words, columns = list(items[0]), dict[str, str]()
        for k in range(len(words)):
            values = [x[k] for x in items]
            if len({*values}) > 1:
                column = None if values[0].isdecimal() else self._column(values)
                if column is None:
                    return None
                if len(columns) == len(self.letters):
                    self.letters.append(self.take("abcdefghij"[len(columns)]))
                words[k] = columns.setdefault(column, self.letters[len(columns)])
            elif k == 0 or words[k - 1] != ".":
                words[k] = self._single(words[k])
        along = f"{', '.join(columns.values())} in " + (
            f"zip({', '.join(columns)})" if len(columns) > 1 else "".join(columns)
        )
        return f"{''.join(words)} for {along}" if columns else None

    def _listed(self, names: list[str]) -> str:
        """Return the text of a list of several steps' values, and of others before and after them."""
        first = {early for loop in self.loops for early in loop.first.values()}
        inside = [k for k, x in enumerate(names) if x in self.where or x in first]
        before, steps, after = names[: inside[0]], names[inside[0] : inside[-1] + 1], names[inside[-1] + 1 :]
        for width in range(1, 5):
            columns = [self._column(steps[k::width]) for k in range(width)]
            parts = [x for x in columns if x]
            if len(steps) % width == 0 and len(parts) == width:
                whole = parts[0] if width == 1 else f"[x for step in zip({', '.join(parts)}) for x in step]"
                return f"[{', '.join([*before, f'*{whole}', *after])}]" if before or after else whole
        return f"[{', '.join(map(self._single, names))}]"

    def _column(self, names: list[str]) -> str | None:
        """Return a part of the list of a line that has its values at these steps."""
        found = [self.where.get(x) for x in names]
        loop, j, _ = next((x for x in found if x), (None, 0, 0))
        if loop is None:
            return None
        early = loop.first.get(j)
        places = [-1 if x == early else at[2] if at and at[0] is loop and at[1] == j else None
                  for x, at in zip(names, found, strict=True)]  # fmt: skip
        along = _line(places)
        if along is None or abs(along[1]) != 1:
            return None
        start, step = along
        low, high = sorted([start, start + step * (len(found) - 1)])
        first, last = loop.place(j, low), loop.place(j, high)
        total = loop.steps + (j in loop.begun)
        part = "" if (first, last) == (0, total - 1) else f"[{first or ''}:{last + 1 if last < total - 1 else ''}]"
        return loop.names[j] + part + "[::-1]" * (step < 0)


def _behind(s: Statement) -> str:
    """Return the comment behind a line, with that above it."""
    above = [line.removeprefix("# ").split(", and what follows")[0] for line in s.above if line]
    return "; ".join([*(f"  # {line}" for line in above[:1]), *s.behind.split("  # ")[1:]]) if above else s.behind


def _closing(words: list[str], k: int) -> int:
    """Return where the bracket that opens here closes."""
    depth = 0
    for end in range(k, len(words)):
        depth += (words[end] in {"(", "["}) - (words[end] in {")", "]"})
        if depth == 0:
            return end
    return k


def _items(words: list[str]) -> list[list[str]]:
    """Return what commas separate."""
    items, k = [list[str]()], 0
    while k < len(words):
        if words[k] == ",":
            items.append([])
            k += words[k + 1 : k + 2] == [" "]
        else:
            end = _closing(words, k) if words[k] in {"(", "["} else k
            items[-1] += words[k : end + 1]
            k = end
        k += 1
    return items


def _terms(words: list[str], start: int, stop: int) -> list[tuple[int, int]]:
    """Return where the terms of a sum are that begins with another one in brackets, and so on."""
    ends, k = [start - 3], start
    while k < stop:
        if words[k] in {"(", "["}:
            k = _closing(words, k)
        elif words[k] in {"+", "-"} and words[k - 1] == " " == words[k + 1]:
            if words[k] == "-":
                return [(start, stop)]
            ends.append(k)
        k += 1
    terms = [(a + 2 + (a < start), b - 1) for a, b in pairwise([*ends, stop + 1])]
    terms[0] = start, terms[0][1]
    first, last = terms[0]
    if words[first] == "(" and _closing(words, first) == last - 1:
        inner = _terms(words, first + 1, last - 1)
        terms = inner + terms[1:] if len(inner) > 1 else terms
    return terms


def _all(part: Any) -> list[Statement]:
    return [part] if isinstance(part, Statement) else [s for block in part.blocks for s in block]


def _line(numbers: Sequence[int | None]) -> tuple[int, int] | None:
    """Return the first of evenly spaced numbers and their step."""
    if len(numbers) < 2 or any(x is None for x in numbers):
        return None
    whole = [x for x in numbers if x is not None]
    steps = {b - a for a, b in pairwise(whole)}
    return (whole[0], steps.pop()) if len(steps) == 1 else None


def _cuts(lines: int, p: int) -> Iterator[tuple[int, int]]:
    """Return where steps of p lines may begin and end within a run, those first that leave out least."""
    found: list[tuple[int, int, int]] = []
    for first in range(2 * p):
        for behind in range(2 * p - first):
            count = lines - first - behind
            if count > (_STEPS - 1) * p and 2 * (-count % p) <= p:
                found.append((first + behind, first, count))
    yield from ((first, count) for _, first, count in sorted(found))


def _sums(words: list[str]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return where the summands are, if an assignment is of a sum of two."""
    depth, found = 0, list[int]()
    for k, word in enumerate(words):
        depth += word in {"(", "["}
        depth -= word in {")", "]"}
        if depth == 0 and word in {"+", "-"} and words[k - 1 : k + 2 : 2] == [" ", " "]:
            found.append(k)
    return [((4, k - 1), (k + 2, len(words))) for k in found if len(found) == 1 and words[k] == "+"]


def _summand(whole: Statement, lone: Statement, assigned: set[str]) -> Any:
    """Return where in a sum of two the summand is that the other lacks, and where that is which it has; or None."""
    wanted = lone.key(assigned)[1:]
    keys = whole.key(assigned)
    for sides in _sums(whole.tokens):
        for summand, rest in (sides, sides[::-1]):
            if (*keys[1:4], *keys[slice(*rest)], keys[-1]) == wanted:
                return summand, rest
    return None


def _statements(lines: Sequence[str]) -> list[Statement]:
    """Return the assignments of a text."""
    statements: list[Statement] = []
    above: list[str] = []
    for line in lines:
        if not line or line.startswith("#"):
            above.append(line)
            continue
        bare, _, comment = line.partition("  # ")
        statements.append(Statement(_TOKEN.findall(bare), above, f"  # {comment}" if comment else ""))
        above = []
    return statements


def broken(line: str) -> list[str]:
    """Return a line that is too long as several: what its longest brackets hold, or the terms of a sum, indented."""
    bare, _, comment = line.partition("  # ")
    indent = bare[: len(bare) - len(bare.lstrip())]
    if len(line) <= _LONG or bare[len(indent) :].startswith(("#", '"', "def ")):
        return [line]
    if comment and len(bare) <= _LONG:
        return [f"{indent}# {comment}", bare]
    bare, more = bare.removesuffix(","), "," * bare.endswith(",")
    start, end = _longest(bare, len(indent))
    before = re.match(r" *(?:[\w, ]+ = |return |[-+*/@] )?", bare).end()  # pyright: ignore[reportOptionalMemberAccess]
    if end - start < _SHORT or max(start - before, len(bare) - end) > _SHORT:  # not one pair of brackets, but a sum
        bare, start, end = f"{bare[:before]}({bare[before:]})", before, len(bare) + 1
    parts, comma = _parts(bare[start + 1 : end])
    while len(parts) == 1:
        start, end = _longest(bare, start + 1)
        if end - start < _SHORT:
            return [line]
        parts, comma = _parts(bare[start + 1 : end])
    inner = f"{indent}    "
    if len(inner) + end - start <= _LONG:
        rows = [" ".join(parts)]
    elif len(parts) > _FEW:
        rows = wrap("\0".join(part.replace(" ", "\1") for part in parts).replace("\0", " "), _LONG - len(inner),
                    break_long_words=False, break_on_hyphens=False)  # fmt: skip
    else:
        rows = [*parts[:-1], parts[-1] + "," * comma]
    head = f"{bare[: start + 1]}{f'  # {comment}' if comment else ''}"
    return [head, *(x for row in rows for x in broken(inner + row.replace("\1", " "))), f"{indent}{bare[end:]}{more}"]


def _longest(text: str, start: int) -> tuple[int, int]:
    return max(_brackets(text, start), key=lambda each: each[1] - each[0], default=(0, 0))


def _brackets(text: str, start: int) -> list[tuple[int, int]]:
    """Return where the outermost brackets open and close."""
    found, depth, first = list[tuple[int, int]](), 0, 0
    for k, c in enumerate(text[start:], start):
        if c in "([":
            first = first if depth else k
            depth += 1
        elif c in ")]":
            depth -= 1
            if depth == 0:
                found.append((first, k))
            elif depth < 0:
                break
    return found


def _parts(text: str) -> tuple[list[str], bool]:
    """Return what stands in brackets as parts for one line each, and whether commas are between them."""
    inside = [range(first, last) for first, last in _brackets(text, 0)]
    for between in (r"(?= for )", r"(?<=,)(?= )", r"(?= [+-] )", r"(?= [*/@] )"):
        cuts = [x.start() for x in re.finditer(between, text) if not any(x.start() in each for each in inside)]
        cuts = cuts[:1] if "for" in between else cuts
        if cuts:
            return [text[a:b].strip() for a, b in pairwise([0, *cuts, len(text)])], "," in between
    return [text], False
