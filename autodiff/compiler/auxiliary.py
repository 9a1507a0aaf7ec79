"""Programs of functions that return something beside their answer: (answer, aux)."""

# A program with aux is two programs, and reads what they know:
# pyright: reportPrivateUsage=false
from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autodiff import nests
from autodiff.compiler.cache import Settings
from autodiff.compiler.program import P, Program
from autodiff.domains import is_array
from autodiff.value import Value

_OURS = {"reduce", "argnums", "argnames", "weights", "check", "vector"}  # the others are arguments of the function


class _Part:
    """A part of what a function returns, under its name and signature."""

    def __init__(self, f: Callable[..., Any], part: Callable[[Any, Any], Any]) -> None:
        self.f, self.part = f, part
        functools.update_wrapper(self, f)

    def __call__(self, *args: Any, **options: Any) -> Any:
        returned = self.f(*args, **options)
        if not (nests.is_sequence(returned) and len(returned) == 2):
            raise TypeError(f"with has_aux the function must return (answer, aux), got {type(returned).__name__}")
        return self.part(*returned)


def _and_aux(method: Callable[..., Any], together: Callable[[Any, Any], Any]) -> Any:
    """Return the method of programs with aux: what the answer and aux are `together`."""

    @functools.wraps(method)
    def both(self: ProgramWithAux[...], *args: Any, **options: Any) -> Any:
        with self._cache.lock:
            answer = method(self, *args, **options)
            if method is Program.jvp:
                args, options = args[0] if args else options["primals"], {}
            return together(answer, self._aux(args, options))

    return both


class ProgramWithAux(Program[P]):
    """A program of a function that returns (answer, aux): derivatives are the answer's, and aux comes last.

    `value_and_grad` returns ((value, aux), gradient), as elsewhere. The Values in aux become floats, for a batch arrays
    of every row; all else stays as it was while the function was traced. It costs one more pass forward.
    """

    def __init__(self, f: Callable[P, Any], settings: Settings) -> None:  # Any: (answer, aux)
        super().__init__(_Part(f, lambda answer, _: answer), settings)
        self._written = f
        self._beside: Program[...] = Program(_Part(f, self._numbers), settings)
        self._form: Any = None

    def _numbers(self, _: Any, aux: Any) -> list[Any]:
        """Return the Values of aux in a row, and note where they belong."""
        found: list[Any] = []
        places: list[tuple[Any, range | None]] = []  # shape and place of each leaf, or itself

        def leaf(x: Any, _: str) -> float:
            entries = list(x.flat) if is_array(x) else [x]
            traced = any(isinstance(entry, Value) for entry in entries)
            place = range(len(found), len(found) + len(entries))
            places.append((getattr(x, "shape", ()), place) if traced else (x, None))
            found.extend(entries if traced else ())
            return 0.0

        self._form = nests.mapped(leaf, aux, "aux"), places
        return found or [0.0]

    def _aux(self, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
        self._form = None
        found = np.asarray(self._beside(*args, **{name: x for name, x in options.items() if name not in _OURS}))
        if found.dtype != object:  # else it is a part of what calls it
            trace = self._beside._cache.known()
            self._form = trace.aux = self._form or trace.aux  # as it was when this shape was traced
        hollow, places = self._form
        leaves = [x if at is None else found[..., at].reshape(found.shape[:-1] + x) for x, at in places]
        plain = [x if at is None or x.shape else x.item() for x, (_, at) in zip(leaves, places, strict=True)]
        return nests.replace(hollow, iter(plain))

    __call__ = _and_aux(Program.__call__, lambda answer, aux: (answer, aux))
    value_and_grad = _and_aux(Program.value_and_grad, lambda answer, aux: ((answer[0], aux), *answer[1:]))
    backward = _and_aux(Program.backward, lambda value, aux: (value, aux))
    hvp = _and_aux(Program.hvp, lambda product, aux: (product, aux))
    jvp = _and_aux(Program.jvp, lambda both, aux: (*both, aux))
