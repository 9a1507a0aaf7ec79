"""The language of pictures, pages, explanations, warnings and hints: a table of texts for each language.

A package keeps its texts in `words/en.toml`, `words/es.toml`, … and says one by its key, `say("roles.input")`.
Exceptions are in English, but those of a training that stops being finite.

>>> set_language("es")
>>> say("roles.input"), language_of()
('entrada', 'es')
>>> with speaking("en"):
...     say("roles.input")
'input'
>>> set_language(None)
"""

from __future__ import annotations

import tomllib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["LANGUAGES", "Texts", "language_of", "set_language", "speaking"]

LANGUAGES = ("en", "es")

_default = {"language": LANGUAGES[0]}  # of the process
_spoken: ContextVar[str] = ContextVar("language")  # inside `speaking`


def set_language(language: str | None) -> None:
    """Set the language of whatever is shown or said from now on, in every thread: "en" or "es"; None is English.

    `language=` of a single call comes first. Raises ValueError for another language, naming those there are.
    """
    _default["language"] = LANGUAGES[0] if language is None else language_of(language)


def language_of(language: str | None = None) -> str:
    """Return a language after a check; for None the one in force. Raises ValueError, naming those there are."""
    if language is None:
        return _spoken.get(_default["language"])
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, got {language!r}")
    return language


@contextmanager
def speaking(language: str | None) -> Generator[None]:
    """Say everything inside in a language, in this thread alone; None leaves the one in force."""
    token = _spoken.set(language_of(language))
    try:
        yield
    finally:
        _spoken.reset(token)


class Texts:
    """The texts of a package, called with a key: section and name, with a dot between.

    Braces in a text are places for details, as in Python's `str.format`. A text with a plural is a table of `one` and
    `other`, of which the detail `n` chooses.

    >>> Texts("autodiff")("summary.nodes", n=1200)
    '1,200 nodes'
    """

    def __init__(self, package: str) -> None:
        self.package = package

    def __call__(self, key: str, /, **details: Any) -> str:
        """Return a text in the language in force, with its details."""
        section, name = key.split(".", 1)
        text = self.section(section)[name]
        if not isinstance(text, str):
            text = text["one" if details["n"] == 1 else "other"]
        return text.format(**details)

    def section(self, name: str, language: str | None = None) -> Mapping[str, Any]:
        """Return all texts of a section, by name, with their braces: for a page that fills them itself."""
        return _table(self.package, language_of(language))[name]


@cache
def _table(package: str, language: str) -> Mapping[str, Mapping[str, Any]]:
    file = resources.files(package).joinpath("words", f"{language}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


say = Texts("autodiff")
