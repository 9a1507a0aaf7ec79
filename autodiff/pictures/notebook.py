"""How a Value shows itself in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from autodiff.pictures.graph import draw


def bundle(value: Any, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None) -> dict[str, Any]:
    """What Jupyter shows for a Value: its repr, and the picture of its graph where there is one to be had.

    A terminal, a graph too large to read and a machine without Graphviz get the text alone; never an exception.
    """
    text = {"text/plain": repr(value)}
    if not _shows_pictures():
        return text
    try:
        return {**draw(value)._repr_mimebundle_(include, exclude), **text}  # pyright: ignore[reportPrivateUsage]
    except ValueError:  # too many nodes
        return text


def _shows_pictures() -> bool:
    """Whether this IPython, if it is one, shows more than text."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is None or "image/svg+xml" in shell.display_formatter.active_types
