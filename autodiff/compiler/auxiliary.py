"""Programs of functions that return something beside their answer: (answer, aux)."""

# A program with aux is two programs, reads what they know, and returns more:
# pyright: reportPrivateUsage=false, reportIncompatibleMethodOverride=false
from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autodiff import nests
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


class ProgramWithAux(Program[P]):
    """A program of a function that returns (answer, aux): derivatives are the answer's, and aux comes last.

    `value_and_grad` returns ((value, aux), gradient), as elsewhere. The Values in aux become floats, for a batch arrays
    of every row; all else stays as it was while the function was traced. It costs one more pass forward.
    """

    def __init__(self, f: Callable[P, Any], *settings: Any) -> None:  # Any: (answer, aux); as those of Program
        super().__init__(_Part(f, lambda answer, _: answer), *settings)
        self._whole = f
        self._beside: Program[...] = Program(_Part(f, self._numbers), *settings)
        self._form: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "f": self._whole}

    def _numbers(self, _: Any, aux: Any) -> list[Any]:
        """Return the Values of aux in a row, and note where they belong."""
        found: list[Any] = []
        places: list[tuple[Any, range | None]] = []  # shape and place of each leaf, or itself

        def leaf(x: Any, _: str) -> float:
            entries = list(x.flat) if is_array(x) else [x]
            traced = any(isinstance(entry, Value) for entry in entries)
            places.append(
                (getattr(x, "shape", ()), range(len(found), len(found) + len(entries))) if traced else (x, None)
            )
            found.extend(entries if traced else ())
            return 0.0

        self._form = nests.mapped(leaf, aux, "aux"), places
        return found or [0.0]

    def _with_aux(self, answer: Any, args: Sequence[Any], options: Mapping[str, Any]) -> tuple[Any, Any]:
        self._form = None
        found = np.asarray(self._beside(*args, **{name: x for name, x in options.items() if name not in _OURS}))
        trace = self._beside._known()
        hollow, places = trace.aux = self._form or trace.aux  # as it was when this shape was traced
        leaves = [x if at is None else found[..., at].reshape(found.shape[:-1] + x) for x, at in places]
        plain = [x if at is None or x.shape else x.item() for x, (_, at) in zip(leaves, places, strict=True)]
        return answer, nests.replace(hollow, iter(plain))

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Return (answer, aux)."""
        with self._lock:
            return self._with_aux(super().__call__(*args, **options), args, options)

    def value_and_grad(self, *args: Any, **options: Any) -> Any:
        """Return ((value, aux), gradient), and derivatives by arguments where they are asked for."""
        with self._lock:
            compute: Any = super().value_and_grad
            value, *derivatives = compute(*args, **options)
            return self._with_aux(value, args, options), *derivatives

    def backward(self, *args: Any, **options: Any) -> Any:
        """Return (value, aux), once the derivatives are added to the `grad` of the parameters."""
        with self._lock:
            return self._with_aux(super().backward(*args, **options), args, options)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """Return (answer, rate, aux)."""
        with self._lock:
            both, aux = self._with_aux(super().jvp(primals, tangents), primals, {})
            return *both, aux

    def hvp(self, *args: Any, **options: Any) -> Any:
        """Return (H·v, aux)."""
        with self._lock:
            return self._with_aux(super().hvp(*args, **options), args, options)
