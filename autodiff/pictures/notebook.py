"""The display of a Value in a notebook."""

import sys
from collections.abc import Iterable
from typing import Any

from autodiff.pictures.graph import draw


def bundle(value: Any, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None) -> dict[str, Any]:
    """Return what Jupyter shows for a Value: its repr, and its graph where a picture can be made and shown."""
    text = {"text/plain": repr(value)}
    if not _shows_pictures():
        return text
    return {**draw(value)._repr_mimebundle_(include, exclude), **text}  # pyright: ignore[reportPrivateUsage]


def _shows_pictures() -> bool:
    """Tell whether this IPython, if it is one, shows more than text."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is None or "image/svg+xml" in shell.display_formatter.active_types
