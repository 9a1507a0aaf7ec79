"""Read the source of a chapter: Markdown with blocks for the two languages, code, exercises and a quiz.

+++                          what is said of the chapter as a whole, in TOML
es = "Capítulo 0 · …"
en = "Chapter 0 · …"
+++

::: es                       prose; each block in Spanish is followed by its twin in English
Texto.
:::
::: en
Text.
:::

::: es predict               a prediction: the next code cell answers it, and its output is folded
::: es quiz                  numbered questions, with `- [x] option → why` and `- [ ] option → why not`

```python                    a code cell, the same in both languages

```toml exercise NAME        an exercise: see `Exercise`
"""

from __future__ import annotations

import bz2
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("es", "en")
TEXT = Path(__file__).parent / "text"
SEALED = (
    Path(__file__).parent / "texts.sealed"
)  # what an installed course has instead: answers are not read by accident

_OPEN = re.compile(r"^::: (es|en)(?: (predict|quiz|alt \w+))?$")
_QUESTION = re.compile(r"^\d+\. (.*)$")
_OPTION = re.compile(r"^ +- \[(x| )\] (.*?) → (.*)$")


@dataclass(frozen=True)
class Prose:
    """A text in both languages; `kind` is "", "predict", "quiz", or "alt" and the name of a picture."""

    kind: str
    text: dict[str, str]


@dataclass(frozen=True)
class Code:
    """A code cell; of a folded one the reader sees the result, and the code on request."""

    source: str
    folded: bool = False


@dataclass(frozen=True)
class Exercise:
    """An exercise, from its TOML.

    `start` is the code that the student completes and `asks` the names it gives; `truth` is Python for the right
    answer, or for the tuple of them; `at` lists the arguments for answers that are functions; `probe` is a function
    that makes numbers of an answer; `given` is code for all of these; `solution` is code. Each language has `title`,
    `question`, two `hints` and `right`, what a right answer means. `wrong` lists answers as students give them, as
    Python, with the hint for each in both languages; those with `says` get the engine's own sentence, a part of which
    stands there.
    """

    name: str
    number: int
    data: dict[str, Any]

    @property
    def asks(self) -> list[str]:
        """The names that the student gives."""
        return list(self.data["asks"])

    @property
    def cell(self) -> str:
        """The code cell that the student gets."""
        return f'{self.data["start"].strip()}\n\ncheck("{self.name}", {", ".join(self.asks)})'


@dataclass(frozen=True)
class Option:
    """One of the answers to a question of the quiz, and why it is right or wrong."""

    right: bool
    text: str
    why: str


Block = Prose | Code | Exercise


@dataclass(frozen=True)
class Chapter:
    """A chapter: its number, what is said of it as a whole, its blocks, and the hash of its source."""

    path: Path
    about: dict[str, Any]
    blocks: tuple[Block, ...]
    digest: str

    @property
    def number(self) -> int:
        """The chapter's place in the course, from 0."""
        return int(self.path.name[:2])

    @property
    def name(self) -> int | str:
        """The name by which `start` knows the chapter: its number, or "exam"."""
        return self.number if self.path.name[:2].isdigit() else self.path.stem

    @property
    def exercises(self) -> list[Exercise]:
        """The exercises in their order."""
        return [block for block in self.blocks if isinstance(block, Exercise)]

    def pictures(self, language: str) -> dict[str, str]:
        """Return the pictures in words, by their names."""
        return {
            b.kind[4:]: " ".join(b.text[language].split())
            for b in self.blocks
            if isinstance(b, Prose) and b.kind.startswith("alt ")
        }

    def prose(self, language: str, *kinds: str) -> list[str]:
        """Return the texts in a language, in their order; with `kinds` those of these kinds alone."""
        return [b.text[language] for b in self.blocks if isinstance(b, Prose) and (not kinds or b.kind in kinds)]

    def quiz(self, language: str) -> list[tuple[str, list[Option]]]:
        """Return the questions in a language, each with its options."""
        questions: list[tuple[str, list[Option]]] = []
        for line in "\n".join(self.prose(language, "quiz")).splitlines():
            if found := _QUESTION.match(line):
                questions.append((found[1], []))
            elif found := _OPTION.match(line):
                questions[-1][1].append(Option(found[1] == "x", found[2], found[3]))
            elif line.strip():
                raise ValueError(f"a quiz must hold questions and options, got {line!r} in {self.path.name}")
        return questions


def paths() -> list[Path]:
    """Return the sources of all chapters in their order."""
    return sorted(TEXT.glob("[0-9][0-9]_*.md"))


def sealed(folder: Path = TEXT) -> bytes:
    """Return the sources of chapters and exam packed, as the wheel has them."""
    packed = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}
    return bz2.compress(json.dumps(packed, ensure_ascii=False).encode())


def named(name: int | str) -> Chapter:
    """Return a chapter by its number, or the exam by its name, from its source or from the packed ones."""
    start = f"{name:02}_" if isinstance(name, int) else f"{name}."
    if SEALED.exists():
        texts = json.loads(bz2.decompress(SEALED.read_bytes()))
        return next(parsed(TEXT / key, text) for key, text in texts.items() if key.startswith(start))
    return next(read(path) for path in TEXT.glob("*.md") if path.name.startswith(start))


def read(path: Path) -> Chapter:
    """Read a chapter; raise ValueError, with the line, for what is not in the form above."""
    return parsed(path, path.read_text(encoding="utf-8"))


@cache
def parsed(path: Path, text: str) -> Chapter:
    """Return the chapter of a text that stands, or stood, at `path`."""
    if not text.startswith("+++\n") or "\n+++\n" not in text:
        raise ValueError(f"{path.name} must begin with what is said of the chapter, between two lines +++")
    head, body = text[4:].split("\n+++\n", 1)
    first = head.count("\n") + 4
    blocks: list[Block] = []
    waiting: tuple[str, str] | None = None
    for line, opening, inner in _blocks(path.name, body, first):
        where = f"{path.name}, line {line}"
        if found := _OPEN.match(opening):
            language, kind = found[1], found[2] or ""
            if (waiting is None) != (language == "es") or (waiting and waiting[0] != kind):
                raise ValueError(f"{where}: ::: es must be followed by ::: en of the same kind, got {opening!r}")
            if waiting is None:
                waiting = kind, inner
            else:
                blocks.append(Prose(kind, {"es": waiting[1], "en": inner}))
                waiting = None
            continue
        if waiting is not None:
            raise ValueError(f"{where}: ::: es must be followed by ::: en, got {opening!r}")
        if opening in ("```python", "```python folded"):
            blocks.append(Code(inner, folded=opening.endswith("folded")))
        elif opening.startswith("```toml exercise "):
            number = 1 + sum(isinstance(each, Exercise) for each in blocks)
            try:
                blocks.append(Exercise(opening.split()[2], number, tomllib.loads(inner)))
            except tomllib.TOMLDecodeError as error:
                raise ValueError(f"{where}: {error}, counted from there") from error
        else:
            raise ValueError(f"{where}: a block must open with ::: es, ::: en, ```python or ```toml, got {opening!r}")
    return Chapter(path, tomllib.loads(head), tuple(blocks), hashlib.sha256(text.encode()).hexdigest()[:16])


def _blocks(name: str, body: str, first: int) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the opening and the inside of every block."""
    lines = iter(enumerate(body.splitlines(), first))
    for number, opening in lines:
        if not opening.strip():
            continue
        closing = ":::" if opening.startswith(":::") else "```"
        inner: list[str] = []
        for _, line in lines:
            if line == closing:
                break
            inner.append(line)
        else:
            raise ValueError(f"{name}, line {number}: the block {opening!r} is never closed")
        yield number, opening, "\n".join(inner).strip("\n")
