"""The steps of a fold as machine code: loops over the arrays of a step, within the loop over the steps, by numba.

Each function serves one row, and as many steps as it is given carries for: a segment between two checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.axes import contiguous
from autodiff.compiler.arrays.ir import Code, Var
from autodiff.compiler.backends.numba import MachineText, compiled, module

_PRODUCT = """
def product_of(a, start, down, across, x, out):
    for i in range(len(out)):
        total = out[i]
        for k in range(len(x)):
            total += a[start + i * down + k * across] * x[k]
        out[i] = total
"""
_TURNED = """
def turned_product_of(a, start, down, across, x, out):
    for i in range(len(x)):
        for k in range(len(out)):
            out[k] += a[start + i * down + k * across] * x[i]
"""
_STORED = frozenset({ir.APPLY, ir.CONCAT, ir.TAKE, ir.MATMUL, ir.MATMUL_T, ir.SUM, ir.MAX, ir.SUM_ROWS, ir.SCATTER})
_ARRAYS = {ir.INPUT: ("carries[t, {}]", "xs[t, {}]", "beside[{}]", "d[{}]", "", "dys[t, {}]"), ir.FLAT: ("p[{}]",)}


class _Text(MachineText):
    """The lines of one step of one row: a loop for each array."""

    indexed = False

    def __init__(self, code: Code, results: Sequence[Any]) -> None:
        super().__init__(code, results)
        self.opening: list[str] = []  # the memory of arrays
        self._index: Sequence[str] = ()  # of the entry that is being written
        self._known = {x.number for x in (code.gradient, *code.input_gradients.values()) if x.__class__ is Var}
        for var in code.vars:
            if var.number in self.uses:
                self._step(var)

    def name(self, x: Any) -> str:
        """Return the text of an operand at the entry that is being written."""
        if x.__class__ is not Var:
            return super().name(x)
        return self.entry(x, self._index[: len(x.units)])

    def entry(self, x: Any, index: Sequence[str]) -> str:
        """Return the text of one entry of a Var."""
        if x.__class__ is not Var:
            return super().name(x)
        index = [i if n > 1 else "0" for i, n in zip(index, x.units, strict=True)]
        if x.kind == ir.EXPAND:
            inner = x.args[0]
            return self.entry(inner, index[: len(inner.units)] if inner.__class__ is Var else ())
        if x.kind == ir.OUTER and not _is_stored(x):
            a, b = x.args
            return f"{self.entry(a, index[:1])} * {self.entry(b, index[1:])}"
        if x.kind == ir.VIEW:
            start, strides = x.info
            return self.at(x.args[0], _sum(start, strides, index))
        return self.at(x, _sum(0, contiguous(x.units), index))

    def at(self, x: Var, place: str) -> str:
        """Return the text of the number at a place of an array."""
        if x.kind in _ARRAYS:
            return _ARRAYS[x.kind][x.info or 0].format(place)
        if x.kind == ir.VIEW:
            start, strides = x.info
            if strides == contiguous(x.units):
                return self.at(x.args[0], f"{start} + {place}")
            if len(x.units) == 1:
                return self.at(x.args[0], f"{start} + {strides[0]} * ({place})")
            raise NotImplementedError(x.kind)
        if x.kind == ir.EXPAND:
            inner = x.args[0]
            if inner.__class__ is not Var or inner.units == ():
                return self.entry(inner, ())
            return self.at(inner, f"({place}) // {x.size // inner.size}")
        if x.kind == ir.CONST:
            numbers = ", ".join([super(_Text, self).name(float(number)) for number in x.info.ravel()])
            self.helpers[f"k{x.number}"] = f"k{x.number} = np.array([{numbers}])"
            return f"k{x.number}[{place}]"
        if x.kind == ir.ROWS:
            return "1.0"
        if not _is_stored(x):
            raise NotImplementedError(x.kind)
        return f"v{x.number}[{place}]" if x.units else f"v{x.number}"

    # Lines.

    def _step(self, var: Var) -> None:
        kind = var.kind
        added = kind == ir.SCATTER and var.number in self._known and self.uses[var.number] == 1  # where it belongs
        if not _is_stored(var) or added:
            return
        once = var.number < self.code.forward and not var.batched
        lines = self.before if once else self.lines
        if var.units:
            self.opening.append(f"v{var.number} = np.zeros({var.size})")
        if kind == ir.APPLY:
            lines += self._each(var, var.units, lambda: self._expression(var))
        elif kind in {ir.MATMUL, ir.MATMUL_T}:
            self._product(var, lines)
        elif kind in {ir.SUM, ir.MAX, ir.SUM_ROWS}:
            lines += self._reduced(var, var.args[0].units if var.args[0].__class__ is Var else ())
        elif kind == ir.OUTER:
            units = var.args[0].units
            lines += self._reduced(var, (*var.units, *(units[:-1] if var.info == ir.STEPS else units[1:])))
        elif kind == ir.CONCAT:
            start = 0
            for x in var.args:
                units = x.units if x.__class__ is Var else ()
                lines += self.loop(units, lambda index, x=x, start=start, units=units: [
                    f"{self.at(var, _sum(start, contiguous(units), index))} = {self.entry(x, index)}"])  # fmt: skip
                start += math.prod(units)
        elif kind == ir.TAKE:
            self.helpers[f"k{var.number}"] = f"k{var.number} = np.array({var.info.ravel().tolist()})"
            place = _sum(0, contiguous(var.units), _indices(var.units))
            lines += self._each(var, var.units, lambda: self.at(var.args[0], f"k{var.number}[{place}]"))
        else:
            lines += [
                f"v{var.number}{'[:]' * bool(var.units)} = 0.0",
                *self.added(var, lambda place: self.at(var, place)),
            ]

    def _each(self, var: Var, units: Sequence[int], text: Callable[[], str]) -> list[str]:
        def line(index: Sequence[str]) -> list[str]:
            self._index = index
            return [f"{self.entry(var, index) if var.units else f'v{var.number}'} = {text()}"]

        return self.loop(units, line)

    @staticmethod
    def loop(units: Sequence[int], body: Callable[[Sequence[str]], list[str]]) -> list[str]:
        """Return a loop over all entries of arrays of these units."""
        index = _indices(units)
        lines = [f"{'    ' * k}for i{k} in range({n}):" for k, n in enumerate(units)]
        return [*lines, *(f"{'    ' * len(units)}{line}" for line in body(index))]

    def _reduced(self, var: Var, units: Sequence[int]) -> list[str]:
        """Return a loop that sums, or takes the maximum, over the axes that the result has not."""
        of, kept = var.args, len(var.units)
        rest = [f"i{k}" for k in range(kept, len(units))]

        def body(index: Sequence[str]) -> list[str]:
            own = self.entry(var, index)
            if var.kind == ir.OUTER:
                orders = [[*rest, i] if var.info == ir.STEPS else [i, *rest] for i in index]
                text = " * ".join([self.entry(x, order) for x, order in zip(of, orders, strict=True)])
            else:
                text = self.entry(of[0], [*index, *rest])
            loops = [
                f"{'    ' * k}for {i} in range({n}):" for k, (i, n) in enumerate(zip(rest, units[kept:], strict=True))
            ]
            more = f"{text} if {text} > {own} else {own}" if var.kind == ir.MAX else f"{own} + {text}"
            first = "-math.inf" if var.kind == ir.MAX else "0.0"
            return [f"{own} = {first}", *loops, f"{'    ' * len(rest)}{own} = {more}"]

        return self.loop(var.units, body)

    def _product(self, var: Var, lines: list[str]) -> None:
        matrix, x, *bias = var.args
        if len(var.units) > 1 or matrix.kind != ir.VIEW or matrix.args[0].kind != ir.FLAT or len(bias) > 1:
            raise NotImplementedError(var.kind)
        start, (down, across) = matrix.info
        lines += self._each(var, var.units, lambda: self.name(bias[0]) if bias else "0.0")
        self.opening.append(f"w{var.number} = np.zeros({x.size})")
        lines += self.loop(x.units, lambda index: [f"w{var.number}[i0] = {self.entry(x, index)}"])
        name, text = ("product_of", _PRODUCT) if var.kind == ir.MATMUL else ("turned_product_of", _TURNED)
        self.helpers[name] = text
        lines.append(f"{name}(p, {start}, {down}, {across}, w{var.number}, v{var.number})")

    def added(self, var: Any, target: Callable[[str], str]) -> list[str]:
        """Return the lines that add the parts of a δ where they belong, or one number to all of `target`'s."""
        lines: list[str] = []
        if var.kind != ir.SCATTER:
            place = _sum(0, contiguous(var.units), _indices(var.units))
            return self.loop(var.units, lambda index: [f"{target(place)} += {self.entry(var, index)}"])
        for k, (delta, (start, strides, units)) in enumerate(zip(var.args, var.info, strict=True)):
            place = _sum(start, strides, _indices(units)) if strides is not None else ""
            if strides is None:
                key = f"k{var.number}_{k}"
                self.helpers[key] = f"{key} = np.array({start.ravel().tolist()})"
                place = f"{key}[{_sum(0, contiguous(units), _indices(units))}]"
            own = delta if delta.__class__ is Var and delta.units else None
            if own is not None and own.units != units:
                raise NotImplementedError(var.kind)
            term = self.entry(delta, _indices(units) if own is not None else ())
            lines += self.loop(units, lambda _, place=place, term=term: [f"{target(place)} += {term}"])
        return lines


def _is_stored(x: Var) -> bool:
    """Tell whether an array has memory of its own; a product of vectors is written where it belongs."""
    return x.kind in _STORED or (x.kind == ir.OUTER and len(x.args[0].units) > 1)


def _indices(units: Sequence[int]) -> list[str]:
    return [f"i{k}" for k in range(len(units))]


def _sum(start: Any, strides: Sequence[int], index: Sequence[str]) -> str:
    terms = [i if s == 1 else f"{s} * {i}" for s, i in zip(strides, index, strict=True) if s and i != "0"]
    return " + ".join([*([str(int(start))] if start or not terms else []), *terms])


_ROW = {"p": "float64[::1]", "beside": "float64[::1]", "xs": "float64[:, ::1]", "carries": "float64[:, ::1]"}


def there(code: Code, carry: int, y: int) -> Callable[..., None] | None:
    """Return the function that goes steps, `run(p, beside, xs, carries, ys)`; None where it cannot be written."""
    try:
        text = _Text(code, code.outputs)
        (output,) = code.outputs
        whole = output.__class__ is Var and len(output.units) == 1
        first, second = (text.entry(output, [k] if whole else ()) for k in ("k", f"({carry} + k)"))
        lines = [
            *text.opening, *text.before, "for t in range(len(carries) - 1):", *_inside(text.lines),
            *([f"    for k in range({carry}):", f"        carries[t + 1, k] = {first}"] if carry else []),
            *([f"    for k in range({y}):", f"        ys[t, k] = {second}"] if y else []),
        ]  # fmt: skip
    except NotImplementedError:
        return None
    types = {**_ROW, "ys": "float64[:, ::1]"}
    return _run(types, lines, text)


def back(code: Code, sizes: Sequence[int], wanted: Sequence[bool]) -> Callable[..., None] | None:
    """Return the function that goes steps back, `run(p, beside, xs, carries, d, dys, by_xs, by_beside, by_p)`.

    `d` holds the δ of the carry, before and afterwards; the last two are added up.
    """
    carry = sizes[0]
    results = [code.gradient, *code.input_gradients.values()]
    try:
        text = _Text(code, results)
        by = [code.input_gradients.get(i, 0.0) for i in range(3)]
        body = list(text.lines)
        into = {0: "e[{}]", 1: "by_xs[t, {}]", 2: "by_beside[{}]"}
        body.append("e[:] = 0.0")
        for i, x in enumerate(by):
            if sizes[i] and (wanted[i] or i == 0) and x.__class__ is Var:
                body += text.added(x, into[i].format)
            elif sizes[i] and (wanted[i] or i == 0) and x:
                body += text.loop((sizes[i],), lambda _, i=i, x=x: [f"{into[i].format('i0')} += {text.entry(x, ())}"])
        if wanted[3] and code.gradient is not None:
            body += text.added(code.gradient, "by_p[{}]".format)
        body += [f"for k in range({carry}):", "    d[k] = e[k]"] if carry else []
        lines = [
            *text.opening, f"e = np.zeros({max(carry, 1)})", *text.before,
            "for t in range(len(carries) - 2, -1, -1):",
            *_inside(body),
        ]  # fmt: skip
    except NotImplementedError:
        return None
    types = {**_ROW, "d": "float64[::1]", "dys": "float64[:, ::1]", "by_xs": "float64[:, ::1]"}
    types |= {"by_beside": "float64[::1]", "by_p": "float64[::1]"}
    return _run(types, lines, text)


def _run(types: dict[str, str], lines: Sequence[str], text: _Text) -> Callable[..., None]:
    """Return the function of these arguments and lines as machine code."""
    names, kinds = list(types), list(types.values())
    run, _ = compiled(module(names, kinds, lines, text.helpers, returns="void", options="nogil=True, "), text.bound)
    return run


def _inside(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]
