"""`fold`: a loop that hands a state on from step to step, which `compile` runs as a loop and never unrolls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from autodiff import grad_mode, nests
from autodiff.domains import is_array, unbox

Step = Callable[[Any, Any], Any]


class Series(NamedTuple):
    """The numbers that a fold goes through: a nest of sequences, each with one entry per step."""

    nest: Any  # None where there are none
    paths: list[str]
    sequences: list[Sequence[Any]]
    steps: int

    def at(self, t: int) -> Any:
        """Return what step `t` takes."""
        if self.nest is self.sequences:  # one sequence, as most are
            return self.sequences[0][t]
        entries = iter([sequence[t] for sequence in self.sequences])
        return nests.mapped(lambda _, __: next(entries), self.nest, "xs", is_series)


def fold(  # Any: carry, xs and the result are nests of numbers and Values
    step: Step, carry: Any, xs: Any = None, *, length: int | None = None, checkpoint: bool = False
) -> tuple[Any, Any]:
    """Return the last carry of `step(carry, x) -> (carry, y)` over the entries of `xs`, and all its y.

    The carry is a number, an array, or a nest of them (lists, tuples, dicts, dataclasses), of one form at every step.
    `xs` is a list or an array with one entry per step, or a tuple, dict or dataclass of such; without it, `step` is
    called `length` times with None. The y come in the same form: numbers, lists and arrays as a list with one entry per
    step, a tuple or dict as a tuple or dict of such lists; None stays None. Without any step they are an empty list.

    On Values and floats it is a plain loop. In a compiled function `step` is traced once, whatever the number of steps,
    and the program loops: what it counts or draws at random besides is that of one step. Either way each step has lists
    and arrays of its own for its carry, so that one that is changed in place changes no other. With `checkpoint` it
    keeps about 2√steps carries for the way back in place of all of them, and goes the steps between them again.

    Raises TypeError where `step` returns no pair or `xs` holds no sequences, ValueError where the carry changes its
    form or shape or the sequences differ in length.

    >>> from autodiff import Value, fold
    >>> rate = Value(0.5, "rate")
    >>> average, path = fold(lambda s, x: (s + rate * (x - s), s), 0.0, [4.0, 8.0, 6.0])
    >>> average.backward()
    >>> average.data, rate.grad, [float(f"{s:.1f}") for s in path]
    (5.5, 5.0, [0.0, 2.0, 5.0])
    """
    if not callable(step):
        raise TypeError(f"fold needs a function step(carry, x), got {type(step).__name__}")
    series = _series(xs, length)
    tracer = grad_mode.tracer() if grad_mode.contexts else None
    if tracer is not None and tracer.loops and series.steps:
        return tracer.fold(step, carry, series, checkpoint)
    found: list[list[Any]] = []
    paths: list[str] = []
    y: Any = None
    form, start = form_of(carry), carry
    number = form[1] == [("carry", ())]
    for t in range(series.steps):
        carry, y = pair(step(carry if number else nests.mapped(_own, carry), series.at(t)), form, t, start)
        own, entries = parts(y, "y")
        if t and own != paths:
            raise ValueError(f"fold: y must have one form at every step, got {own} at step {t} after {paths}")
        paths = own
        found.append(entries)
    return carry, gathered(y, map(list, zip(*found, strict=True))) if found else []


def pair(returned: Any, form: Any, t: int, start: Any) -> tuple[Any, Any]:  # Any: what a user's function returned
    """Return the carry and y that a step returned; TypeError or ValueError where they are none.

    The keys of dicts may have another order than in `start`, whose order the carry then has.
    """
    if not (nests.is_sequence(returned) and len(returned) == 2):
        is_number = hasattr(returned, "__truediv__") and getattr(returned, "shape", ()) == ()  # or its stand-in
        got = "one number" if is_number else type(returned).__name__
        raise TypeError(
            f"fold: step must return a pair (carry, y), got {got}; return (carry, None) where there is no y"
        )
    carry, y = returned
    own = form_of(carry)
    if own != form and dict(own[1]) == dict(form[1]) and _unordered(own[0]) == _unordered(form[0]):
        entries = dict(nests.leaves(carry, "carry"))
        carry = nests.mapped(lambda _, path: entries[path], start, "carry")
    elif own != form:
        paths, shapes = ([dict(x[1]) for x in (form, own)], [repr(x[0])[:80] for x in (form, own)])
        before, after = paths if paths[0] != paths[1] else shapes
        raise ValueError(
            f"fold: the carry must have one form and one shape at every step, got {after} from step {t} after "
            f"{before}; hand on what changes its length as y, or begin with the last form"
        )
    return carry, y


def _unordered(form: Any) -> Any:
    """Return the form of a nest without the order of its dicts' keys."""
    if not form:
        return form
    kind, keys, fixed, within = form
    held = list(zip(keys, map(_unordered, within), strict=True))
    return kind, dict(held) if issubclass(kind, dict) else held, fixed


def form_of(carry: Any) -> tuple[Any, list[tuple[str, Any]]]:
    """Return the form of a nest and the shape of each leaf, by its path."""
    return nests.form(carry), [(path, getattr(leaf, "shape", ())) for path, leaf in nests.leaves(carry, "carry")]


def parts(y: Any, name: str) -> tuple[list[str], list[Any]]:
    """Return the paths and the leaves of a nest in which lists and arrays are leaves."""
    paths: list[str] = []
    found: list[Any] = []

    def leaf(x: Any, path: str) -> None:
        paths.append(path)
        found.append(x)

    nests.mapped(leaf, y, name, is_series)
    return paths, found


def gathered(y: Any, columns: Iterable[list[Any]]) -> Any:
    """Return the y of all steps in the form of one: `columns` has for each of its leaves those of all steps."""
    each = iter(columns)
    return nests.mapped(lambda _, __: next(each), y, "y", is_series)


def is_series(x: Any) -> bool:
    """Tell whether something is one thing at every step, or a sequence of steps: a list or an array."""
    return isinstance(x, list) or is_array(x)


def _own(x: Any, _: str) -> Any:
    return x.copy() if is_array(x) else x


def _series(xs: Any, length: Any) -> Series:
    paths, sequences = parts(xs, "xs")
    lengths: dict[str, int] = {}
    for k, (path, x) in enumerate(zip(paths, sequences, strict=True)):
        x = unbox(x)  # noqa: PLW2901 # an array of one thing is that thing
        if hasattr(x, "tracer"):  # a stand-in, of one number of a row
            raise TypeError(
                f"fold: {path} must be a list or an array with one entry per step, got one number of a row; the "
                "program takes an array with one axis as a batch of numbers: pass one series as a batch of one, "
                "x[None], or say compile(…, in_axes=None)"
            )
        if isinstance(x, (str, Mapping)) or not (hasattr(x, "__len__") and hasattr(x, "__getitem__")):
            raise TypeError(
                f"fold: {path} must be a list or an array with one entry per step, got {type(x).__name__}; list(...) "  # pyright: ignore[reportUnknownArgumentType]
                "makes one, and a tuple or dict is a nest of sequences"
            )
        sequences[k] = x.tolist() if getattr(x, "ndim", 0) == 1 and x.dtype.kind == "f" else x
        lengths[path] = len(x)
    if length is not None:
        if isinstance(length, bool) or not hasattr(length, "__index__") or length.__index__() < 0:
            raise ValueError(f"fold: length must be a whole number, 0 or more, got {length!r}")
        lengths["length"] = length.__index__()
    if not lengths:
        raise TypeError("fold needs xs, a list or an array with one entry per step, or length, the number of steps")
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{n} in {path}" for path, n in lengths.items())
        raise ValueError(f"fold: all of xs must have one entry per step, got {told}")
    nest = sequences if is_series(xs) else xs
    return Series(nest, paths, sequences, next(iter(lengths.values())))
