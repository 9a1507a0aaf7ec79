"""Windows of a grid as slices of it: how a readable text takes them, and how it adds up what belongs to them."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from autodiff.compiler.arrays.axes import Units


@dataclass(frozen=True)
class Axis:
    """One axis of a grid, and the axes of the view that go along it."""

    size: int
    first: int  # where the view begins
    step: int  # between the numbers of a slice
    count: int  # how many it has
    place: int  # the axis of the view that is the slice, −1 for none
    tap: int  # the axis of the view that moves the slice, −1 for none
    shift: int  # by how much it does so
    taps: int  # how often

    @property
    def span(self) -> int:
        """The numbers from the first of a slice to its last."""
        return self.step * (self.count - 1) + 1

    @property
    def overlaps(self) -> bool:
        """Whether slices have numbers in common, or lie between one another's."""
        (inner, n), (outer, _) = sorted([(self.step, self.count), (self.shift, self.taps)])
        return self.tap >= 0 and outer <= inner * (n - 1)


def windows(size: int, start: int, strides: Units, units: Units) -> list[Axis] | None:
    """Return the axes of the grid that a view of `size` numbers takes windows of; None of other views.

    >>> [(axis.size, axis.taps, axis.count) for axis in windows(49, 0, (7, 1, 14, 2), (3, 3, 3, 3))]
    [(7, 3, 3), (7, 3, 3)]
    >>> windows(49, 0, (7, 1), (7, 7))
    """
    order = sorted([k for k, n in enumerate(units) if n > 1], key=lambda k: strides[k])
    block = itertools.accumulate([units[k] for k in order], operator.mul, initial=1)
    if not order or strides[order[0]] < 1 or all(strides[k] == own for k, own in zip(order, block, strict=False)):
        return None
    found: list[Axis] = []
    inside, own, extent = 1, list[int](), 1  # of the axis that is being found
    for k in [*order, -1]:
        step = size if k < 0 else strides[k]
        if step % inside:
            return None
        length = step // inside
        first = start // inside % length
        if k < 0 or (own and first + extent <= length):
            axis = _axis(own, [strides[m] // inside for m in own], units, length, first)
            if axis is None or first + extent > length:
                return None
            found.insert(0, axis)
            inside, own, extent = step, [], 1
        if k >= 0:
            own.append(k)
            extent += strides[k] // inside * (units[k] - 1)
    return found if any(axis.tap >= 0 for axis in found) else None


def _axis(own: Sequence[int], steps: Sequence[int], units: Units, length: int, first: int) -> Axis | None:
    """Return an axis of a grid from the one or two axes of the view that go along it."""
    if len(own) == 1:
        return Axis(length, first, steps[0], units[own[0]], own[0], -1, 0, 1)
    if len(own) != 2:
        return None
    tap, place = sorted((0, 1), key=lambda m: (units[own[m]], own[m]))
    return Axis(length, first, steps[place], units[own[place]], own[place], own[tap], steps[tap], units[own[tap]])


def order_of(grid: Sequence[Axis]) -> tuple[list[int], list[int]]:
    """Return the axes of a view that move the slices, in the order of the view, and those that are the slices."""
    return sorted(axis.tap for axis in grid if axis.tap >= 0), [axis.place for axis in grid]


def _loops(grid: Sequence[Axis], letters: dict[int, str]) -> str:
    """Return the text of the loops over all shifts."""
    taps = {axis.tap: axis.taps for axis in grid}
    order = sorted(letters)
    counts = ", ".join(str(taps[tap]) for tap in order)
    return f"for {', '.join(letters[tap] for tap in order)} in {'range' if len(order) == 1 else 'np.ndindex'}({counts})"


def _plus(letter: str, times: int, number: int) -> str:
    """Return the text of times · letter + number."""
    text = letter if times == 1 else f"{times} * {letter}"
    return f"{text} + {number}" if number else text


def taken(source: str, grid: Sequence[Axis], units: Units, letters: dict[int, str], shape: Units) -> str:
    """Return the text of windows of an array that has the axes of its grid, in this shape."""
    slices: list[str] = []
    for axis in grid:
        end = axis.first + axis.span
        step = f":{axis.step}" if axis.step > 1 else ""
        if axis.tap >= 0:
            begin, stop = _plus(letters[axis.tap], axis.shift, axis.first), _plus(letters[axis.tap], axis.shift, end)
            slices.append(f"{begin} : {stop}" + (f" : {axis.step}" if step else ""))
        else:
            whole = axis.first == 0 and end == axis.size
            slices.append((":" if whole else f"{axis.first or ''}:{end}") + step)
    while slices[-1] == ":":
        slices.pop()
    moved, places = order_of(grid)
    kept = [k for k, n in enumerate(units) if n > 1]
    at = kept.index(moved[0])
    beside = kept[:at] == places[:at] and kept[at : at + len(moved)] == moved and kept[at + len(moved) :] == places[at:]
    text = f"xp.stack([{source}[{', '.join(slices)}] {_loops(grid, letters)}]{f', axis={at}' if beside and at else ''})"
    if beside:
        return f"{text}.reshape({', '.join(map(str, shape))}, -1)"
    own = [*moved, *places]
    sizes = ", ".join([str(units[k]) for k in own])
    turned = ", ".join([*[str(own.index(k)) for k in kept], str(len(own))])
    return f"{text}.reshape({sizes}, -1).transpose({turned}).reshape({', '.join(map(str, shape))}, -1)"


def added(source: str, grid: Sequence[Axis], units: Units, letters: dict[int, str]) -> str | None:
    """Return the text of a sum of windows, each at its place in the grid; `source` has the axes of the view, and rows.

    None where the slices are not in the order of the grid.
    """
    moved, places = order_of(grid)
    if places != sorted(places) or any(n == 1 for n in units):
        return None
    index = ", ".join([letters[k] if k in moved else ":" for k in range(max(moved) + 1)])
    around: list[str] = []
    for axis in grid:
        end = axis.size - axis.first - axis.span
        if axis.tap >= 0:
            before = _plus(letters[axis.tap], axis.shift, axis.first)
            times = f"{axis.shift} * " * (axis.shift > 1)
            around.append(f"({before}, {end} - {times}{letters[axis.tap]})")
        else:
            around.append(f"({axis.first}, {end})")
    return f"sum(xp.pad({source}[{index}], ({', '.join(around)}, (0, 0))) {_loops(grid, letters)})"


def spaced(source: str, grid: Sequence[Axis]) -> str:
    """Return the text of an array with zeros between the numbers of slices whose steps are larger than 1."""
    for axis in grid:
        if axis.step > 1:
            between = f"np.arange(1, {axis.count})"
            between = between if axis.step == 2 else f"np.repeat({between}, {axis.step - 1})"
            source = f"xp.insert({source}, {between}, 0.0, axis={axis.place})"
    return source


def shape_of(grid: Sequence[Axis]) -> Units:
    """Return the shape of a grid."""
    return tuple([axis.size for axis in grid])


def letters_for(grid: Sequence[Axis], taken: set[str]) -> dict[int, str]:
    """Return names that are free for the loops over shifts, by the axis of the view."""
    free = itertools.filterfalse(taken.__contains__, ["i", "j", "k", "m", "p", "q", "r", "s", *"abcdefgh"])
    return {tap: next(free) for tap in order_of(grid)[0]}
