"""Which engine runs: the Python that is read, or `_core.c`, which does the same faster.

The environment variable `AUTODIFF_PURE=1` chooses the Python; so does a platform for which nothing was compiled.
"""

import operator
import os
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

core: Any = None  # the extension, or None
if not os.environ.get("AUTODIFF_PURE"):
    with suppress(ImportError):
        core = import_module("autodiff._core")

engine = "Python" if core is None else "C"


def adopt(python: type, names: dict[str, Any], table: Mapping[str, Any], *more: Any) -> type:
    """Return the extension's type for a Python class, with all of that class that it does not have itself."""
    data = vars(python)["data"]
    names = {**vars(operator), **vars(python), **names, "data_get": data.fget, "data_set": data.fset}
    own: type = core.adopt(names, dict(table), *more)
    for name, attribute in vars(python).items():
        if name == "__doc__" or name not in vars(own):
            setattr(own, name, attribute)
    return own


def replace(namespace: dict[str, Any], *names: str) -> None:
    """Put the extension's functions of these names in the place of a module's own."""
    if core is not None:
        namespace.update({name: getattr(core, name) for name in names})
