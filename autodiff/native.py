"""Which engine runs: the Python that is read, or `_core.c`, which does the same faster.

The environment variable `AUTODIFF_PURE=1` chooses the Python; so does a platform for which nothing was compiled.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from typing import Any

core: Any = None  # the extension, or None
if not os.environ.get("AUTODIFF_PURE"):
    with suppress(ImportError):
        core = import_module("autodiff._core")

engine = "Python" if core is None else "C"


def replace(namespace: dict[str, Any], *names: str) -> None:
    """Put the extension's functions of these names in the place of a module's own."""
    if core is not None:
        namespace.update({name: getattr(core, name) for name in names})
