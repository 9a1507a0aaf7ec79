"""Points of any shape, as a flat list of numbers and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from autodiff.value import Value


def shaped(point: Any, element: Callable[[Any], Any]) -> Any:
    """The point with every number replaced by `element(number)`: lists stay lists, arrays become object arrays."""
    if isinstance(point, (list, tuple)):
        return [shaped(x, element) for x in point]  # pyright: ignore[reportUnknownVariableType]
    shape: tuple[int, ...] = getattr(point, "shape", ())
    if isinstance(point, np.ndarray) and shape:
        array = np.empty(shape, dtype=object)
        for index in np.ndindex(shape):
            array[index] = shaped(point[index], element)
        return array
    return element(point)


def call(f: Callable[..., Any], points: Sequence[Any], inputs: list[Value], at: Sequence[float] | None = None) -> Value:
    """Call `f` on Values shaped as the points, which are collected in `inputs`; `at` replaces their numbers."""

    def value(x: Any) -> Value:
        inputs.append(Value(x if at is None else at[len(inputs)]))
        return inputs[-1]

    result = f(*(shaped(point, value) for point in points))
    if isinstance(result, Value):
        return result
    try:
        return Value(result)  # a constant: its derivative is 0, and the function itself will tell whether that is true
    except TypeError:
        raise TypeError(
            f"gradcheck checks functions that return ONE number, got {type(result).__name__}: "
            "return one of its elements, or their total"
        ) from None


def numbers_in(points: Sequence[Any]) -> list[float]:
    """All numbers of all points, in order."""
    flat: list[float] = []
    for point in points:
        shaped(point, lambda x: flat.append(float(x)))
    return flat


def place(i: int, points: Sequence[Any]) -> str:
    """Number `i` of all points as messages call it; inside a sequence or array with argument and index."""
    places = [(n, path) for n, point in enumerate(points) for path in _paths(point)]
    n, path = places[i]
    inside = f" (argument {n + 1}, {path})" if path else ""
    return f"input {i + 1} of {len(places)}{inside}"


def _paths(point: Any) -> Iterator[str]:
    shape: tuple[int, ...] = getattr(point, "shape", ())
    if shape:
        yield from (f"[{', '.join(map(str, index))}]" for index in np.ndindex(shape))
    elif isinstance(point, (list, tuple)):
        for k, x in enumerate(point):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            yield from (f"[{k}]{path}" for path in _paths(x))
    else:
        yield ""
