"""The words of a diagnosis, from `words/`: a sentence for each kind of mistake, with room for details."""

# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
from collections.abc import Mapping
from typing import Any

from autodiff.wording import Texts, speaking

_say = Texts("autodiff.testing")


def phrase(kind: str, language: str | None, /, **details: Any) -> str:
    """Return a part of a sentence."""
    return _told("phrases", kind, language, details)


def sentence(kind: str, language: str | None, /, **details: Any) -> str:
    """Return the sentence for a kind of mistake; details that are phrases themselves are worded first.

    >>> sentence("sign", "en"), sentence("factor", "es", k=0.5, why=("two", {}))
    ('the sign is wrong', '0.5 veces lo correcto en cada elemento: falta el 2 de un cuadrado, o sobra un ½')
    """
    return _told("sentences", kind, language, details)


def _told(section: str, kind: str, language: str | None, details: Mapping[str, Any]) -> str:
    with speaking(language):
        return _say(f"{section}.{kind}", **{key: _worded(x) for key, x in details.items()})


def _worded(detail: Any) -> Any:
    """Return a detail as text: a pair of kind and details is a phrase, a list several of them, a hint its sentence."""
    if isinstance(detail, tuple):
        kind, details = detail
        return phrase(kind, None, **details)
    if hasattr(detail, "kind"):
        return sentence(detail.kind, None, **detail.details)
    if isinstance(detail, list):
        return f", {phrase('or', None)}".join(_worded(x).removeprefix(": " * (k > 0)) for k, x in enumerate(detail))
    return f"{detail:.6g}" if isinstance(detail, float) else detail
