"""Points of any shape, as one flat vector of numbers and back."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff import nests
from autodiff.domains import number
from autodiff.value import Value
from autodiff.variables import parameter_names

__tracebackhide__ = True  # of pytest: a test that fails shows its own line

_LONGEST = 44  # characters of a point in a message


@dataclass(frozen=True, slots=True)
class Leaf:
    """A number (shape None) or an array among the arguments: its name in messages, and its place in the flat vector."""

    argument: int
    name: str
    shape: tuple[int, ...] | None
    start: int

    @property
    def size(self) -> int:
        """The count of its numbers."""
        return 1 if self.shape is None else int(np.prod(self.shape))

    @property
    def place(self) -> slice:
        """Its slice of the flat vector."""
        return slice(self.start, self.start + self.size)

    def index(self, i: int) -> str:
        """Index of number `i` of the flat vector, such as [0, 2]; "" for a plain number."""
        if not self.shape:
            return ""
        return f"[{', '.join(str(int(k)) for k in np.unravel_index(i - self.start, self.shape))}]"


class Layout:
    """The place of every number of some points in one flat vector, and the name that messages give it.

    Points are numbers, arrays, and nests of them (lists, dicts, dataclasses, …). Raises TypeError for anything else.

    >>> layout = Layout([{"W": np.ones((2, 1)), "b": 0.5}], ["net"])
    >>> layout.flat.tolist(), layout.name(1)
    ([1.0, 1.0, 0.5], "net['W'][1, 0]")
    """

    def __init__(self, points: Sequence[Any], names: Sequence[str] = ()) -> None:
        self.points = list(points)
        self.names = list(names) if len(names) == len(points) else [f"argument {n + 1}" for n in range(len(points))]
        self.leaves: list[Leaf] = []
        pieces: list[Any] = [np.zeros(0)]
        start = 0
        for n, (point, called) in enumerate(zip(points, self.names, strict=True)):
            for name, leaf in nests.leaves(point, called):
                self.leaves.append(Leaf(n, name, getattr(leaf, "shape", ()) or None, start))
                pieces.append(np.ravel(_real(leaf, name)))
                start += self.leaves[-1].size
        self.flat: Any = np.concatenate(pieces)

    def build(self, numbers: Any) -> list[Any]:
        """Return the arguments with their numbers replaced by those of a flat vector of any type, which arrays keep."""

        def part(leaf: Leaf) -> Any:
            if leaf.shape:
                return numbers[leaf.place].reshape(leaf.shape)
            x: Any = numbers[leaf.start]
            return x.item() if isinstance(x, np.generic) else x  # pyright: ignore[reportUnknownVariableType]

        return nests.replace(self.points, map(part, self.leaves))

    def leaf(self, i: int) -> Leaf:
        """Return the leaf that number `i` belongs to."""
        return next(leaf for leaf in self.leaves if i < leaf.start + leaf.size)

    def name(self, i: int) -> str:
        """Return number `i` as one writes it: `W[0, 1]`."""
        leaf = self.leaf(i)
        return f"{leaf.name}{leaf.index(i)}"

    def which(self, i: int) -> str:
        """Return what messages call number `i`: "input 2 of 3"; inside a nest or an array "input 2 of 6 (W[0, 1])"."""
        leaf = self.leaf(i)
        inside = f" ({self.name(i)})" if leaf.shape or leaf.name != self.names[leaf.argument] else ""
        return f"input {i + 1} of {len(self.flat)}{inside}"

    def directions(self, count: int) -> Iterator[Any]:
        """Random directions, the same ones every time: every number moves by about its size, or that of its array."""
        draw = np.random.default_rng(1986)
        sizes: Any = abs(self.flat)
        for leaf in self.leaves:
            usual = float(np.sqrt(np.mean(self.flat[leaf.place] ** 2))) if leaf.size else 0.0  # pyright: ignore[reportUnknownArgumentType]
            sizes[leaf.place] = np.maximum(sizes[leaf.place], usual or 1.0)
        for _ in range(count):
            signs = draw.integers(0, 2, len(self.flat)) * 2.0 - 1.0
            yield signs * draw.uniform(0.5, 1.0, len(self.flat)) * sizes


def names_of(f: Callable[..., Any], count: int) -> list[str]:
    """Return the names that the function gives its arguments; [] where it does not say."""
    named = parameter_names(f)
    return named[:count] if len(named) >= count else []


def name_of(f: Any) -> str:
    """Return what messages call a function."""
    return getattr(f, "name", None) or getattr(f, "__name__", None) or type(f).__name__


def refuse_no_functions(**given: Any) -> None:
    """Raise TypeError, naming it, for an argument that can be left out, with None, but else must be a function."""
    for name, x in given.items():
        if x is not None and not callable(x):
            raise TypeError(f"{name} must be a function, got {type(x).__name__} {shortened(x)}")


def refuse_calls(f: Any, count: int, **given: tuple[Any, str]) -> None:
    """Raise TypeError for a function that cannot be called with the points of `f` and the vectors it multiplies."""
    names = names_of(f, count) or [f"point {k + 1}" for k in range(count)]
    for name, (g, vector) in given.items():
        vectors = [f"{vector} of {x}" for x in names] if vector not in ("", "cotangent") and count > 1 else [vector]
        arguments = [*names, *filter(None, vectors)]
        try:
            signature = inspect.signature(g)
        except (TypeError, ValueError):  # it has none, such as None
            continue
        try:
            signature.bind(*arguments)
        except TypeError:
            many = f"{len(arguments)} argument{'s' * (len(arguments) > 1)}"
            said = f"{name} must take {many}, {', '.join(arguments)}: got {name_of(g)}{signature}"
            raise TypeError(said) from None


def refuse_overwriting(name: str, layout: Layout, points: Sequence[Any], where: str) -> None:
    """Raise ValueError where a function has changed the points that it was called with."""
    now = Layout(points, layout.names)
    if [(leaf.name, leaf.shape) for leaf in now.leaves] != [(leaf.name, leaf.shape) for leaf in layout.leaves]:
        raise ValueError(f"{name} changes the lists or dicts that it was called with; work on a copy\n  {where}")
    changed = np.flatnonzero(~np.isclose(now.flat, layout.flat, rtol=0.0, atol=0.0, equal_nan=True))
    if len(changed):
        i = int(changed[0])
        leaf = layout.leaf(i)
        raise ValueError(
            f"{name} changes {leaf.name}, which it was called with: {layout.name(i)} was {layout.flat[i]:.6g} and is "
            f"{now.flat[i]:.6g} after it; compute {leaf.name} * 2 in place of {leaf.name} *= 2, or work on a copy\n"
            f"  {where}"
        )


def shortened(x: Any) -> str:
    """Return a point on one line, only a few of its numbers where it is long."""
    array: Any = x
    text = " ".join(repr(x).split())
    if len(text) <= _LONGEST:
        return text
    if isinstance(x, np.ndarray):
        few = ", ".join(f"{y:.4g}" for y in array.ravel()[:3].tolist())
        return f"array({few}, …; {' × '.join(map(str, array.shape))})"
    return f"{text[:_LONGEST]}…"


def shaped(point: Any, element: Callable[[Any], Any]) -> Any:
    """Replace every number of a point by `element(number)`: lists stay lists, arrays become object arrays."""
    layout = Layout([point])
    return layout.build(np.array([*map(element, layout.flat.tolist()), None], dtype=object))[0]


def call(f: Callable[..., Any], points: Layout | Sequence[Any], inputs: list[Value]) -> Value:
    """Call `f` on Values shaped as the points, which are collected in `inputs`."""
    layout = points if isinstance(points, Layout) else Layout(points)
    values = np.array([*map(Value, layout.flat.tolist()), None], dtype=object)
    inputs += values[:-1].tolist()
    result = f(*layout.build(values))
    if isinstance(result, Value):
        return result
    try:
        return Value(result)  # a constant: its derivative is 0, and the function itself will tell whether that is true
    except TypeError:
        raise not_one_number(result) from None


def not_one_number(result: Any) -> TypeError:
    """Return the error to raise for a function that returns anything but one real number."""
    kind = "a complex number" if np.iscomplexobj(result) else type(result).__name__
    way_out = (
        "its real or imaginary part, or abs(...)"
        if np.iscomplexobj(result)
        else "one of its elements, or their total, or check it with jaccheck"
    )
    return TypeError(f"gradcheck checks functions that return ONE number, got {kind}: return {way_out}")


def numbers_in(points: Sequence[Any]) -> list[float]:
    """Return all numbers of all points, in order."""
    return Layout(points).flat.tolist()


def _real(leaf: Any, name: str) -> Any:
    """Return the numbers of a leaf as floats."""
    if np.iscomplexobj(leaf):
        raise TypeError(
            f"gradcheck checks derivatives by real numbers, and {name} is complex: make the real and the imaginary "
            "part arguments of their own"
        )
    if getattr(leaf, "shape", ()):
        return np.asarray([number(x) for x in leaf.ravel()] if leaf.dtype == object else leaf, dtype=np.float64)
    return number(leaf.data if isinstance(leaf, Value) else leaf)
