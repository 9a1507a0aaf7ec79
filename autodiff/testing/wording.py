"""The words of a diagnosis, by language, from `words/`: a sentence for each kind of mistake, with room for details."""

# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_WORDS = Path(__file__).parent / "words"
LANGUAGES = tuple(sorted(file.stem for file in _WORDS.glob("*.toml")))


def phrase(kind: str, language: str, /, **details: Any) -> str:
    """Return a part of a sentence."""
    return _told("phrases", kind, language, details)


def sentence(kind: str, language: str, /, **details: Any) -> str:
    """Return the sentence for a kind of mistake; details that are phrases themselves are worded first.

    >>> sentence("sign", "en"), sentence("factor", "es", k=0.5, why=("two", {}))
    ('the sign is wrong', '0.5 veces lo correcto en cada elemento: falta el 2 de un cuadrado, o sobra un ½')
    """
    return _told("sentences", kind, language, details)


def _told(table: str, kind: str, language: str, details: Mapping[str, Any]) -> str:
    return _words(language)[table][kind].format(**{key: _worded(x, language) for key, x in details.items()})


@cache
def _words(language: str) -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((_WORDS / f"{language}.toml").read_text(encoding="utf-8"))


def _worded(detail: Any, language: str) -> Any:
    """Return a detail as text: a pair of kind and details is a phrase, a list several of them, all else as it is."""
    if isinstance(detail, tuple):
        kind, details = detail
        return phrase(kind, language, **details)
    if isinstance(detail, list):
        return "".join(_worded(each, language) for each in detail)
    return f"{detail:.6g}" if isinstance(detail, float) else detail
