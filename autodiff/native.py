"""Which engine runs: the Python that is read, or `_core.c`, which does the same faster.

The environment variable `AUTODIFF_PURE=1` chooses the Python; so does a platform for which nothing was compiled.
"""

from __future__ import annotations

import os
from typing import Any

core: Any = None  # the extension, or None
if not os.environ.get("AUTODIFF_PURE"):
    try:
        from autodiff import _core as core  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
    except ImportError:
        pass

engine = "Python" if core is None else "C"


def replace(namespace: dict[str, Any], *names: str) -> None:
    """Put the extension's functions of these names in the place of a module's own."""
    if core is not None:
        namespace.update({name: getattr(core, name) for name in names})
