"""A program made for a number of rows: its buffers, and the function that fills them."""

# An instance reads the emitter that made it:
# pyright: reportPrivateUsage=false
from __future__ import annotations

import contextvars
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.axes import contiguous
from autodiff.compiler.arrays.ir import Units, Var
from autodiff.compiler.backends.kernels import Columns
from autodiff.compiler.backends.layout import lies_within

if TYPE_CHECKING:
    from autodiff.compiler.backends.numpy import Buffered

Array = Any

_PER_THREAD = np.lib.NumpyVersion(np.__version__) < "2.0.0"  # how NumPy 1 keeps its warning settings


class Instance:
    """A program made for a number of rows: its buffers, and `run`, which fills them."""

    def __init__(self, backend: Buffered, rows: int, flat: Array) -> None:
        self.backend = backend
        self.rows = rows
        self.flat = flat
        self.gradient = np.zeros(len(flat))
        self.results: dict[int, Array] = {}  # the arrays that calls have asked for, by Var
        self._scratch: dict[int, Array] = {}
        self._lookups: dict[Any, Columns] = {}
        self._loops: dict[int, Any] = {}  # those that run, by the Var of their numbers
        self._turned: dict[tuple[int, int], tuple[Array, Array]] = {}  # by the identity of the first, and how
        self.slots = [_rows_of(np.zeros(math.prod(units) * rows), 0, contiguous(units), units, rows, grain)
                      if batched else np.zeros((*units, *(1,) * bool(units)))
                      for units, batched, grain in backend.slots]  # fmt: skip
        for number in backend.layout.ones:
            self.slots[backend.slot[number]][-1] = 1.0
        self.run: Callable[..., None] = backend.make(self)  # warns as NumPy does: see without_warnings

    def array(self, var: Var) -> Array:
        """Return the memory of a Var: units × rows, or units × 1 where it is the same for all rows."""
        if var.number in self.backend._forwarded:
            home, start, strides, units = self.backend._forwarded[var.number]
            if home is not None:
                return self.strided(home, start, strides, units)
            return _strided(self.gradient, start, strides, units)[..., *([None] * bool(units))]
        if var.kind == ir.ROWS:
            return np.full((), float(self.rows))
        if var.number in self.backend.layout.static and var.kind == ir.APPLY:
            value = var.op.on_arrays(*[self.array(x) if x.__class__ is Var else x for x in var.args])
            return np.broadcast_to(value, (*var.units, *(1,) * bool(var.units)))
        if var.kind == ir.FLAT:
            return self.flat.reshape(-1, 1)
        if var.kind == ir.CONST:
            return var.info[..., None]
        if var.kind == ir.VIEW:
            start, strides = var.info
            return self.strided(var.args[0], start, strides, var.units)
        if var.kind == ir.EXPAND and var.args[0].__class__ is Var:
            inner = self.array(var.args[0])
            rows = (self.rows,) if var.batched else (1,) * bool(var.units)
            if not var.args[0].batched and var.args[0].units == ():
                return np.broadcast_to(inner, (*var.units, *rows))
            middle = (1,) * (len(var.units) - len(var.args[0].units))
            return np.broadcast_to(inner.reshape(*var.args[0].units, *middle, inner.shape[-1]), (*var.units, *rows))
        slot = self.slots[self.backend.slot[var.number]]
        return slot[:-1] if var.number in self.backend.layout.ones else slot

    def scratch(self, number: int, shape: Units) -> Array:
        """Return an array of the emitter's own, by number."""
        if number not in self._scratch:
            self._scratch[number] = np.empty(shape)
        return self._scratch[number]

    def columns_for(self, key: Any, keys: Array, units: Units) -> Columns:
        """Return the emitter's own search for columns, by its key."""
        if key not in self._lookups:
            self._lookups[key] = Columns(keys, (*units, self.rows))
        return self._lookups[key]

    def loop(self, fold: Var, back: Var | None) -> Any:
        """Return the loop that computes a Var, and then its δ."""
        if fold.number not in self._loops:
            self._loops[fold.number] = fold.info.running(self, fold, back)
        return self._loops[fold.number]

    def turned(self, array: Array, inner: int) -> Array:
        """Return units × rows with the rows before so many of the last units.

        Of one array it is always the same one, since NumPy looks for itself whether two of them overlap.
        """
        if self.rows == 1 or array.ndim == 0:
            return array
        if array.ndim == 1:  # one number for each row
            return array.reshape(-1, *(1,) * inner)
        return self._turned.setdefault((id(array), inner), (array, np.moveaxis(array, -1, -1 - inner)))[1]

    def matrix(self, var: Var) -> Array:
        """Return a Var of two axes, the same for all rows, as a matrix."""
        return self.array(var)[..., 0]

    def columns(self, var: Var) -> Array:
        """Return a Var that lies in one piece with its positions and rows as one axis."""
        return in_one_piece(self.array(var))

    def columns_and_ones(self, var: Var) -> Array:
        """Return an input of a matrix product likewise, with a row of ones at its end."""
        return in_one_piece(self.slots[self.backend.slot[var.number]])

    def block(self, start: int, m: int, n: int) -> Array:
        """Return a matrix that is contiguous in the flat array."""
        return self.flat[start : start + m * n].reshape(m, n)

    def filled(self, var: Var, value: float) -> Array:
        """Return a buffer filled with one number."""
        array = self.slots[self.backend.slot[var.number]]
        array.fill(value)
        return array

    def strided(self, var: Var, start: int, strides: Units, units: Units) -> Array:
        """Return some of the units of a Var, evenly spaced."""
        of = self.array(var)
        grain = self.backend.layout.grains.get(var.number, 1)
        if grain > 1:
            assert lies_within((start, strides, units), grain), "a view that is not evenly spaced"
            return _rows_of(in_one_piece(of, 1)[0], start, strides, units, self.rows, grain)
        if len(var.units) > 1:
            whole, of = of, of.reshape(-1, of.shape[-1])
            assert np.may_share_memory(whole, of), "a view of what does not lie in one piece"
        elif not var.units:
            return of
        step = of.strides[0]
        shape = (*units, of.shape[-1]) if var.batched or units else ()
        return as_strided(of[start:], shape, (*(s * step for s in strides), *of.strides[-1:])[: len(shape)])


def without_warnings(run: Callable[..., Any]) -> Callable[..., Any]:
    """Return `run` with IEEE arithmetic and no warnings.

    NumPy keeps its warning settings in a context variable, so a context of the function's own costs a hundredth of
    entering `errstate` every time.
    """
    context = contextvars.copy_context()
    context.run(np.seterr, all="ignore")
    if _PER_THREAD or context.run(np.geterr) == np.geterr():
        return np.errstate(all="ignore")(run)
    return functools.partial(context.run, run)


def one_by_one(
    opening: Sequence[tuple[Array, int]], steps: Iterable[tuple[Any, tuple[Any, ...]]]
) -> Callable[..., None]:
    """Return a run that copies arguments to where they belong, and then calls functions, each with its arguments."""
    copy, steps = np.copyto, list(steps)

    def run(*args: Any) -> None:
        for buffer, i in opening:
            copy(buffer, args[i])
        for function, given in steps:
            function(*given)

    return run


def in_one_piece(array: Array, n: int | None = None) -> Array:
    """Return an array as a matrix of n rows, as many as there are where None, in its order in memory; not a copy."""
    rows = array.strides[-1]
    inside = [k for k, step in enumerate(array.strides) if 0 < step < rows]  # they lie together for each row
    outside = [k for k in range(array.ndim - 1) if k not in inside]
    flat = array.transpose(*outside, array.ndim - 1, *inside).reshape(len(array) if n is None else n, -1)
    assert np.may_share_memory(flat, array), "an array that does not lie in one piece"
    return flat


def _rows_of(flat: Array, start: int, strides: Units, units: Units, rows: int, grain: int) -> Array:
    """Return units × rows in memory in which each `grain` numbers of a row lie together."""
    steps = [s if s % grain else s * rows for s in strides]
    at = start // grain * rows * grain + start % grain
    reach = sum((n - 1) * s for s, n in zip((*steps, grain), (*units, rows), strict=True))
    assert at + reach < max(flat.size, 1), "a view that leaves its array"
    return as_strided(flat[at:], (*units, rows), tuple([s * flat.itemsize for s in (*steps, grain)]))


def _strided(of: Array, start: int, strides: Units, units: Units) -> Array:
    return as_strided(of[start:], units, tuple(s * of.itemsize for s in strides))
