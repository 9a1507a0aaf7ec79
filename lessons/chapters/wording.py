"""What the course says beside its chapters: in exercises, notebooks, written pages and pages to play with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autodiff.wording import Texts, speaking

_say = Texts("lessons.chapters")


def word(key: str, language: str, **details: Any) -> str:
    """Return a text in a language, by its section and name, with its details.

    >>> word("check.next", "en", k=2, title="A step")
    'Exercise 2 is next: A step.'
    """
    with speaking(language):
        return _say(key, **details)


def section(name: str, language: str) -> Mapping[str, Any]:
    """Return all texts of a section in a language: those of a page to play with."""
    return _say.section(name, language)
