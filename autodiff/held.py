"""Numbers that lie in an array for a while: those of the parameters that a training block holds.

A held Value has nothing in its `_number`. A reader of that slot meets an AttributeError and asks `current`, so the
array is read when its numbers are wanted, and Values that nobody holds cost nothing.
"""

import threading
from collections.abc import Sequence
from typing import Any

from autodiff import native

places: dict[int, tuple[Any, Any, int]] = {}  # by identity: the Value, the array that has its number, and where
_lock = threading.RLock()  # collecting garbage may end a block at any moment, also while the lock is held
changes: int = 0  # the number of times that anything was held or released
assigned: int = 0  # and that `data` of any Value was assigned


def hold(values: Sequence[Any], array: Any) -> None:
    """Move the numbers of these Values into `array` until `release`; RuntimeError where another array holds one."""
    global changes  # noqa: PLW0603 # compared at every call of a program
    with _lock:
        taken = next((x for x in values if id(x) in places), None) if places else None
        if taken is not None:
            raise RuntimeError(
                f"a parameter must be in one training block at a time, and {taken.label or 'one without a label'!r} is "
                "in another: end that one first, or go on within it, where other programs see its numbers and .data "
                "can be assigned"
            )
        array[:] = [x.data for x in values]
        changes += 1
        places.update({id(x): (x, array, i) for i, x in enumerate(values)})  # no signal comes between: all or none
        for x in values:
            del x._number


def release(values: Sequence[Any], array: Any) -> None:
    """Move the numbers that `array` holds back to these Values; a second call does nothing."""
    global changes  # noqa: PLW0603 # likewise
    with _lock:
        if not values or places.get(id(values[0]), (None, None))[1] is not array:
            return
        changes += 1
        for x, number in zip(values, array.tolist(), strict=True):
            x._number = number
        for x in reversed(values):  # the first one last: while it is there, there is something left to do
            places.pop(id(x), None)


def assignments() -> int:
    """Return how often `data` of any Value was assigned: numbers read before are those of now if it is the same."""
    return assigned


def current(x: Any) -> float:
    """Return the number of a Value, wherever it lies; AttributeError for a stand-in, which has none."""
    place = places.get(id(x))
    return x._number if place is None else place[1].item(place[2])


def assign(x: Any, number: float) -> None:
    """Set the number of a Value, wherever it lies."""
    place = places.get(id(x))
    if place is None:
        x._number = number
    else:
        place[1][place[2]] = number


def source(values: Sequence[Any]) -> tuple[Any, list[int]] | None:
    """Return the array that holds all these Values, and their places in it; None where there is no such array."""
    found = [places.get(id(x)) for x in values] if places else []
    if not found or found[0] is None or any(place is None or place[1] is not found[0][1] for place in found):
        return None
    return found[0][1], [place[2] for place in found if place]


native.replace(globals(), "assignments")
