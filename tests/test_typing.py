"""Types that editors see: truthful, and as precise as can be said."""

import runpy
import types
import typing
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parent / "typing_examples.py"


def agrees(value, declared):
    """Whether a value is of a declared type, entries included; anything agrees with Any."""
    origin, inner = typing.get_origin(declared), typing.get_args(declared)
    if declared is typing.Any:
        return True
    if origin is tuple:
        return type(value) is tuple and len(value) == len(inner) and all(map(agrees, value, inner))
    if origin is list:
        return type(value) is list and all(agrees(entry, inner[0]) for entry in value)
    if origin is dict:
        return type(value) is dict and all(agrees(k, inner[0]) and agrees(v, inner[1]) for k, v in value.items())
    if origin is np.ndarray:
        (dtype,) = typing.get_args(inner[1])
        return isinstance(value, np.ndarray) and (dtype is typing.Any or np.issubdtype(value.dtype, dtype))
    if origin is types.UnionType:
        return any(agrees(value, each) for each in inner)
    if origin is typing.Literal:
        return value in inner
    return type(value) is float if declared is float else isinstance(value, declared)


def test_what_editors_are_told_is_what_comes_out(monkeypatch):
    """Each `assert_type` of the examples holds for the value itself when the file is run."""
    checked = []

    def assert_type(value, declared):
        assert agrees(value, declared), f"{value!r} is declared {declared}"
        checked.append(declared)
        return value

    monkeypatch.setattr(typing, "assert_type", assert_type)
    runpy.run_path(str(EXAMPLES))
    assert len(checked) >= 20


def test_the_check_finds_a_wrong_type():
    """A float is no Value, an array of floats none of objects."""
    from autodiff import Value

    assert not agrees(2.0, Value)
    assert not agrees(2, float)
    assert not agrees((2.0, 3), tuple[float, float])
    assert not agrees(np.zeros(2, dtype=object), np.typing.NDArray[np.float64])
