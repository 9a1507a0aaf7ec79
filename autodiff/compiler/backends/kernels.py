"""Operations of several NumPy calls for the fast code, into buffers that exist already."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import absolute, add, copysign, copyto, divide, exp, maximum, minimum, multiply, rint, subtract

Array = Any

_CELLS = 4096  # per unit
_END = 6  # beyond it erf is 1, to the last bit
# Numbers as arrays without axes: a ufunc takes them faster than floats, so that threads hold the lock for less time.
_PER_UNIT, _WIDTH, _LAST, _ONE, _THIRD = (np.array(x) for x in (float(_CELLS), 1 / _CELLS, float(_END), 1.0, 1 / 3))


@functools.cache
def _tables() -> tuple[Array, Array]:
    """Return erf and its slope at the ends of the cells."""
    at = [k / _CELLS for k in range(_END * _CELLS + 1)]
    return np.array([math.erf(x) for x in at]), np.array([2.0 / math.sqrt(math.pi) * math.exp(-x * x) for x in at])


class Erf:
    """erf of arrays: the value at the nearest of 24,577 points, and from there a fraction, as close as a cubic.

    With x = t + h, |h| ≤ 2⁻¹³: erf(x) = erf(t) + erf′(t) · h / (1 + t·h + (t² + 1)/3 · h²). The terms that the fraction
    leaves out begin with −erf′(t) · t/6 · h⁴, below 4e-17 · erf(x).
    """

    CALLS, BYTES = 20, 32  # NumPy calls; bytes of scratch per number

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._erf, self._slope = _tables()
        self._t, self._h, self._s = (np.empty(shape) for _ in range(3))
        self._k = np.empty(shape, dtype=np.intp)

    def __call__(self, x: Array, out: Array) -> None:
        """Write erf(x) into `out`, which must not be `x` itself."""
        t, h, s, k = self._t, self._h, self._s, self._k
        absolute(x, h)
        minimum(h, _LAST, out=h)  # NaN stays NaN
        multiply(h, _PER_UNIT, t)
        rint(t, t)
        copyto(k, t, casting="unsafe")
        multiply(t, _WIDTH, t)
        subtract(h, t, h)
        multiply(t, t, out)
        add(out, _ONE, out)
        multiply(out, _THIRD, out)
        multiply(out, h, out)
        add(out, t, out)
        multiply(out, h, out)
        add(out, _ONE, out)
        self._slope.take(k, out=s, mode="clip")
        multiply(s, h, s)
        divide(s, out, out)
        self._erf.take(k, out=s, mode="clip")
        add(out, s, out)
        copysign(out, x, out)


def exponentials(floor: Array, within: Array, x: Array, out: Array) -> None:
    """Write exp(x) into `out`, 0 where x is known to be −∞: there `floor` and `within` are 0, elsewhere −∞ and 1."""
    maximum(x, floor, out=out)
    exp(out, out)
    multiply(out, within, out)


def guarded_dot(a: Array, b: Array, out: Array) -> None:
    """Write `a @ b` into `out`, where a factor that is exactly 0 adds nothing, whatever the other one is."""
    np.dot(a, b, out=out)
    for i, j in np.argwhere(np.isnan(out)):
        used = (a[i] != 0.0) & (b[:, j] != 0.0)
        out[i, j] = a[i][used] @ b[used, j]


def outer_of_positions(times: Any, a: Array, b: Array, out: Array) -> None:
    """Write Σ over the positions of each row's a·bᵀ into `out`; `times` is the product of two numbers, None for `·`."""
    if times is None:
        np.einsum("mpr,npr->mnr", a, b, out=out)
    else:
        np.sum(times.on_arrays(a[:, None], b[None]), axis=2, out=out)


def product_of_steps(matrix: Array, x: Array, out: Array) -> Callable[[], Any]:
    """Return a function that writes the product of a matrix with the vectors of each step, (steps, n, rows)."""
    if out.shape[-1] == 1:
        return functools.partial(np.dot, x[..., 0], matrix.T, out[..., 0])
    return functools.partial(multiply if x.shape[1] == 1 else np.matmul, matrix, x, out)


def outer_of_steps(a: Array, b: Array, out: Array) -> Callable[[], Any]:
    """Return a function that writes Σ a·bᵀ over all steps and rows into `out`."""
    if a.shape[-1] == 1:
        return functools.partial(np.dot, a[..., 0].T, b[..., 0], out)
    each = np.empty((len(a), *out.shape))

    def run() -> None:
        np.matmul(a, b.transpose(0, 2, 1), each)
        add.reduce(each, 0, None, out)

    return run


class AddSorted:
    """Addition at places that repeat, the numbers in the order of their places; `add.at` where there are few rows."""

    def __init__(self, places: Array, rows: int) -> None:
        flat = places.ravel()
        self._order = np.argsort(flat, kind="stable")
        self._once, self._starts = np.unique(flat[self._order], return_index=True)
        self._places = places
        self._sorted = np.empty((flat.size, rows)) if rows >= FEW_ROWS else None
        self._sums = np.empty((self._once.size, rows))

    def __call__(self, out: Array, value: Array) -> None:
        """Add `value`, which has the shape of the places × rows, to `out`."""
        if self._sorted is None:
            add.at(out, self._places, value)
            return
        value.reshape(self._sorted.shape).take(self._order, 0, self._sorted, "clip")
        add.reduceat(self._sorted, self._starts, 0, None, self._sums)
        out[self._once] += self._sums


FEW_ROWS = 8


class Columns:
    """The columns of a matrix that numbers name, for each position and row; a lookup and its δ share the search."""

    BYTES = 17  # of scratch per number

    def __init__(self, keys: Array, shape: tuple[int, ...]) -> None:
        self._keys = keys
        self._first: Array = np.array(keys[0])
        self._even = all(np.diff(keys) == 1.0)
        self._nearest = np.empty(shape)
        self._none = np.empty(shape, dtype=bool)
        self.at = np.empty(shape, dtype=np.intp)
        self.missing: Array | None = None  # where no key equals the number, in a row

    def __call__(self, x: Array) -> None:
        """Find the columns of `x`."""
        if self._even:
            subtract(x, self._first, self._nearest)
            copyto(self.at, self._nearest, casting="unsafe")  # NaN becomes some number
        else:
            self.at[...] = self._keys.searchsorted(x)
        maximum(self.at, 0, out=self.at)
        minimum(self.at, len(self._keys) - 1, out=self.at)
        self._keys.take(self.at, out=self._nearest, mode="clip")
        np.not_equal(self._nearest, x, self._none)
        self.missing = np.flatnonzero(self._none) if self._none.any() else None


def picked(columns: Columns, matrix: Array, out: Array) -> None:
    """Write those columns of a matrix into `out`, one after another; 0 where there is none."""
    if matrix.flags.c_contiguous:
        matrix.take(columns.at, 1, out, "clip")
    else:
        out[...] = matrix[:, columns.at]
    if columns.missing is not None:
        out.reshape(len(out), -1)[:, columns.missing] = 0.0


class Placed:
    """The sum of what belongs to each column of a matrix, over positions and rows."""

    def __init__(self, columns: Columns, out: Array) -> None:
        self._columns, self._out = columns, out
        self._flat = out.reshape(-1)  # a copy where it does not lie in one piece
        self._apart = None if np.may_share_memory(self._flat, out) else self._flat.reshape(out.shape)
        axes = tuple(range(1, 1 + columns.at.ndim))
        self._starts: Array = np.expand_dims(np.arange(len(out)) * out.shape[1], axes)
        self._places = np.empty((len(out), *columns.at.shape), dtype=np.intp)

    def __call__(self, delta: Array) -> None:
        """Write the sums of `delta`, as long as `out`, into `out`."""
        if self._columns.missing is not None:
            delta = delta.reshape(len(delta), -1).copy()
            delta[:, self._columns.missing] = 0.0
        add(self._starts, self._columns.at, self._places)
        self._flat.fill(0.0)
        add.at(self._flat, self._places.reshape(-1), delta.reshape(-1))
        if self._apart is not None:
            copyto(self._out, self._apart)


def contraction_into(a: Array, b: Array, out: Array) -> Callable[[], Any]:
    """Return a function that writes Σ a·b into `out`, over the last axes of units, those that `out` has not.

    The arrays are units × rows; an axis along which a factor is the same has stride 0. A matrix product for each row is
    faster than einsum, except where the axis to sum over lies innermost in both and there are many rows.
    """
    axes, summed = range(a.ndim - 1), range(out.ndim - 1, a.ndim - 1)
    left, right = ({k for k in axes if x.strides[k] == 0} for x in (b, a))  # the axes of one factor alone
    left, right = left - right - {*summed}, right - left - {*summed}
    both = [k for k in axes if k not in {*left, *right, *summed}]
    a, b = (x[tuple([0 if k in gone else slice(None) for k in axes])] for x, gone in ((a, right), (b, left)))
    of_a, of_b = ([k for k in axes if k not in gone] for gone in (right, left))
    innermost = all(
        x.strides[of.index(k)] == x.shape[-1] * x.itemsize for x, of in ((a, of_a), (b, of_b)) for k in summed
    )
    if len(left) == len(right) == len(summed) == 1 and not (innermost and a.shape[-1] >= 64):
        end = a.ndim - 1, b.ndim - 1, out.ndim - 1
        orders = [*both, *left, *summed], [*both, *summed, *right], [*both, *left, *right]
        places = [[own.index(k) for k in order] for own, order in zip((of_a, of_b, list(axes)), orders, strict=True)]
        turned = [x.transpose(last, *at) for x, last, at in zip((a, b, out), end, places, strict=True)]
        return functools.partial(np.matmul, *turned)
    letters = ["".join(chr(ord("a") + k) for k in of) + "z" for of in (of_a, of_b, range(out.ndim - 1))]
    return functools.partial(np.einsum, f"{letters[0]},{letters[1]}->{letters[2]}", a, b, out=out)


def power_half(x: Array, out: Array) -> None:
    """Write x ** 0.5 into `out`: √x, except at −∞, where it is ∞, and at −0, where it is 0."""
    infinite = np.equal(x, -math.inf)
    np.sqrt(x, out)
    add(out, 0.0, out)
    copyto(out, math.inf, where=infinite)


def outer_of_rows(size: int, rows: int) -> Callable[..., Any]:
    """Return what multiplies a column by a row for each of the rows: copies are written faster than products."""
    return _copied_and_multiplied if rows <= _MANY_ROWS and size * rows > _FEW else np.multiply


def _copied_and_multiplied(a: Array, b: Array, out: Array) -> None:
    out[...] = b
    np.multiply(out, a, out)


_MANY_ROWS, _FEW = 500, 2000
_ALONE = 8192  # numbers: BLAS has several threads add up more than these, which takes longer to start


def squares(array: Array) -> float:
    """Return the sum of the squares, which is infinite or NaN if a number is, or could be one as a factor."""
    flat = array.ravel()
    return float(flat.dot(flat) if flat.size <= _ALONE else np.einsum("i,i->", flat, flat))
