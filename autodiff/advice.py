"""Advice for code that asked a Value for its number: what to write at that place instead."""

import ast
import builtins
import dis
import inspect
import linecache
import sys
from collections.abc import Iterator
from typing import Any

from autodiff import ops
from autodiff.ops import OPS

_OF_ARRAYS = "an array of floats cannot hold a Value: make it with dtype=object, or write v.data for the plain number"
# NumPy's functions that put numbers into an array; its others compute with them.
_STORING = {
    "array", "asarray", "asanyarray", "ascontiguousarray", "astype", "copyto", "fill", "full", "full_like", "place",
    "put", "putmask", "__setitem__",
}  # fmt: skip
_OF_FORMATS = "'%.2f' % v takes plain numbers alone: write f'{v:.2f}', or v.data"
_OF_STATISTICS = "use autodiff.mean or autodiff.total in place of statistics' functions, or v.data for the plain number"
_OF_MATH = "use autodiff.sin(v), autodiff.exp(v), … in place of math's functions"
# What is called otherwise here.
_INSTEAD = {
    "fabs": "abs(v)", "fmod": "v % w (remainder, with the sign of w)", "pow": "v ** w", "fsum": "autodiff.total",
    "degrees": "autodiff.rad2deg", "radians": "autodiff.deg2rad",
}  # fmt: skip


def way_out() -> str:
    """Return what to write instead, at the place that asked the Value: three calls up from here."""
    frame: Any = inspect.currentframe()
    for _ in range(3):
        frame = frame.f_back
    home = _home(frame)
    if home == "statistics":  # it is written in Python itself, as a part of NumPy is
        return _OF_STATISTICS
    if home == "numpy":
        while _home(frame.f_back) == home:
            frame = frame.f_back
        name = frame.f_code.co_name
        if name == "__call__":  # of an object that NumPy made, such as np.vectorize(f)
            name = type(frame.f_locals["self"]).__name__
        return _of_numpy(name, frame.f_globals["__name__"])
    # A method that is written in Python, as v.__float__() is, was called within the instruction.
    *_, step = (each for each in dis.get_instructions(frame.f_code) if each.offset <= frame.f_lasti)
    if step.opname.startswith("STORE_S"):  # a[0] = v, a[:] = [v]
        return _OF_ARRAYS
    if step.opname == "BINARY_OP":  # of floats and a Value the other operators do not ask for a float
        return _OF_FORMATS
    called = dict(_called(frame, step.positions))
    if any(map(_is_numpys, called.values())):
        name, f = [*called.items()][-1]
        modules = [x.__name__ for x in called.values() if inspect.ismodule(x)]
        first = next(iter(called.values()))
        return _of_numpy(getattr(f, "__name__", name), modules[-1] if modules else type(first).__module__)
    name = next((f.__name__ for f in called.values() if getattr(f, "__module__", None) == "math"), "")
    row = OPS.get(name)
    own = f"autodiff.{name}" if row is not None and getattr(ops, name, None) is row else _INSTEAD.get(name)
    advice = f"use {own} in place of math.{name}" if own else _OF_MATH
    return f"{advice}, or v.data where the plain number is meant"


def _home(frame: Any) -> str:
    """Return the package whose code runs there."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] if frame is not None else ""


def _of_numpy(name: str, module: str) -> str:
    if name in _STORING:
        return _OF_ARRAYS
    name = name.lstrip("_")
    if not callable(getattr(sys.modules["numpy"], name, None)):  # it is in a part of NumPy, such as np.random
        name = ".".join([*(part for part in module.split(".")[1:] if not part.startswith("_")), name])
    return f"np.{name} computes with floats alone: pass v.data, or write it for Values as docs/numpy.md does"


def _is_numpys(x: Any) -> bool:
    names = (getattr(x, "__module__", None), getattr(x, "__name__", None), type(x).__module__)
    return any(str(name).partition(".")[0] == "numpy" for name in names)


def _called(frame: Any, place: Any) -> Iterator[tuple[str, Any]]:
    """Yield what the source names on the way to the function that is called: for `np.zeros(2).fill(v)` np first."""
    if place is None or place.lineno is None or place.lineno != place.end_lineno:
        return
    line = linecache.getline(frame.f_code.co_filename, place.lineno, frame.f_globals).encode()
    try:
        tree: Any = ast.parse(line[place.col_offset : place.end_col_offset].decode(), mode="eval").body
    except (SyntaxError, UnicodeDecodeError):
        return
    names: list[str] = []
    while not isinstance(tree, ast.Name):
        if isinstance(tree, ast.Attribute):
            names.append(tree.attr)
        tree = getattr(tree, "func", None) or getattr(tree, "value", None)
        if not isinstance(tree, ast.expr):
            return
    found: Any = {**vars(builtins), **frame.f_globals, **frame.f_locals}.get(tree.id)
    yield tree.id, found
    for name in reversed(names):
        found = inspect.getattr_static(found, name, None)  # which runs no code of the user's
        yield name, found
