"""The answer of a call: values and derivatives, gathered from the blocks of rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from autodiff.compiler.arrays.ir import Var
from autodiff.compiler.backends import Backend
from autodiff.compiler.backends.numba import Loops, result_of
from autodiff.compiler.specialise import Want

if TYPE_CHECKING:
    from autodiff.compiler.call import Call

Array = NDArray[np.float64]
Reduce = Literal["mean", "sum"] | None


class Answer:
    """Values and derivatives, gathered from the blocks."""

    def __init__(self, call: Call, want: Want, backend: Backend, *, summed: bool) -> None:
        """Set up for the results of `backend`; `summed` asks for the sum of the values, not for each of them."""
        rows, code, n = call.rows, backend.code, len(call.trace.parameters)
        self.finite = True  # a sum that overflows counts as infinite, which costs time and nothing else
        self._by_row = backend.by_row
        there = self._by_row is not None
        self.gradient = np.empty((n, rows)).T if there else np.zeros((rows, n) if want.per_row else n)
        self._gradient_per_row = code.gradient if want.per_row and not there else None
        # Loops write what there is for each row into one piece of memory, and name it by its place there.
        self._out = out = np.empty((backend.height, rows)) if isinstance(backend, Loops) else None
        written = {int, slice} if out is not None else set[type]()
        if out is not None and code.gradient.__class__ in written:
            self.gradient, self._gradient_per_row = result_of(out, code.gradient, (rows, n)), None
        self._summed = code.outputs[0] if summed else None
        self._totals: dict[int, float] = {}  # by block, since threads finish in any order
        self._copied: list[tuple[Any, Array]] = []
        self._added: list[tuple[Any, Array]] = []
        self._argnums, self._per_row = want.argnums, want.per_row
        argnums = list(dict.fromkeys(want.argnums))
        results: list[tuple[Any, bool, tuple[int, ...]]] = []  # each with whether it has rows, and its shape
        for i in argnums:
            shape = (rows,) * (want.per_row and not call.batched[i]) + call.args[i].shape
            results.append((code.input_gradients.get(i, 0.0), call.batched[i] or want.per_row, shape))
        if not summed:
            results.append((code.outputs[0], True, (rows, *call.trace.shared.shape)))
        # One piece of memory for all results: the system provides it in larger pages, in half the time.
        memory = np.empty(sum([0 if x.__class__ in written else math.prod(shape) for x, _, shape in results]))
        places: list[Array] = []
        for x, each, shape in results:
            size = math.prod(shape)
            if out is not None and x.__class__ in written:
                places.append(result_of(out, x, shape))
                continue
            place, memory = memory[:size].reshape(shape), memory[size:]
            places.append(place)
            if not each:
                place[...] = 0.0
                self._added.append((x, place))
            elif size:
                self._copied.append((x, place))
        self._sums = [place for _, place in self._added] + [self.gradient] * (not want.per_row)
        self._inputs = dict(zip(argnums, places, strict=False))
        self.values = places[-1] if not summed else np.empty(0)

    def written(self, start: int, stop: int) -> dict[str, Any]:
        """Return what a run takes by name: where it writes results of these rows by itself."""
        if self._out is not None:
            return {"out": self._out, "first": start, "last": stop}
        return {} if self._by_row is None else {f"v{self._by_row.number}": self.gradient.T[:, start:stop]}

    def store(self, instance: Any, start: int, stop: int, weights: Array, total: float | None) -> None:
        """Take over the results of a block; `total` is a number that is finite if what the run has written is."""
        if total is not None:
            self._note(total)
        if self._summed is not None:
            values = fetch(instance, self._summed)
            if np.shape(values) != weights.shape:
                values = np.broadcast_to(values, weights.shape)
            self._totals[start] = total = float(values.dot(weights))
            self._note(total)
        for x, place in self._copied:
            part = place[start:stop]
            size = math.prod(part.shape[1:])
            part[...] = np.broadcast_to(fetch(instance, x), (size, stop - start)).T.reshape(part.shape)
            self._check(part)
        if self._gradient_per_row is not None:
            self.gradient[start:stop] = fetch(instance, self._gradient_per_row).T
            self._check(self.gradient[start:stop])
        elif not self._per_row and self.gradient.size:
            self.gradient += instance.gradient
        for x, place in self._added:
            delta = np.broadcast_to(fetch(instance, x), (max(1, place.size), 1))[: place.size]
            np.add(place, delta.reshape(place.shape), out=place)

    def end(self) -> None:
        """Check the sums: an infinity or NaN survives addition."""
        for place in self._sums:
            self._check(place)

    def _check(self, part: Array) -> None:
        """Look for an infinity or NaN while the block is in the cache."""
        self._note(np.add.reduce(part, axis=None))

    def _note(self, total: float) -> None:
        if not math.isfinite(total):
            self.finite = False  # never set back to True, since threads share it

    def by_row(self) -> Array:
        """Return all that there is for each row, (rows, …): values, gradient, derivatives by arguments."""
        parts = [self.values, self.gradient, *self._inputs.values()]
        return np.concatenate(
            [x.reshape(len(self.values), -1) for x in parts if x.shape[:1] == self.values.shape[:1]], 1
        )

    def finish(self, rows: int, reduce: Reduce, seeds: Array | None) -> tuple[Any, Array, list[Any]]:
        """Return value, gradient and the derivatives by arguments."""
        with np.errstate(all="ignore"):
            scale = 1.0 / rows if reduce == "mean" and seeds is None else 1.0
            value: Any = self.values
            if reduce is not None:
                value = sum(self._totals[start] for start in sorted(self._totals)) * scale
            elif seeds is not None:
                value = self.values * seeds
            if scale != 1.0:
                self.gradient *= scale
                for x in self._inputs.values():
                    np.multiply(x, scale, out=x)
        return value, self.gradient, [x if x.ndim else float(x) for x in (self._inputs[i] for i in self._argnums)]


def fetch(instance: Any, x: Any) -> Any:
    """Return the numbers of a result: units × rows."""
    if isinstance(x, float):
        return x
    if x.__class__ is not Var:  # the places of a tape
        return instance.array(x)
    if x.number not in instance.results:
        instance.results[x.number] = instance.array(x)
    return instance.results[x.number]
