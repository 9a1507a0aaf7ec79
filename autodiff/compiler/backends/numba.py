"""Scalar loops over the rows, which numba makes machine code of: for few rows, and for code without structure.

The text is straight-line code for one row, and takes rows in tiles: the numbers of a tile lie in one array, each
argument and each result at its own place, so that the machine computes several rows at once. For that `exp`, `log` and
`erf` are written out below, without a call of a library. What is not finite is left to NumPy's careful version.
"""

# numba has no types to give:
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import hashlib
import importlib.util
import math
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from types import BuiltinFunctionType, ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.ir import Code, Var, Want, uses_of
from autodiff.compiler.backends.definitions import definitions
from autodiff.compiler.backends.lookups import Lookup, added_by, lookup_of
from autodiff.compiler.backends.numpy import made_from
from autodiff.compiler.trace.operations import BOOLEAN, SIGNS
from autodiff.forwards import MILLS
from autodiff.ops import OPS, Op

Array = NDArray[np.float64]

_DEEP = threading.Lock()
MOST = 4000  # operations that numba may be given: it takes 2 to 4 ms for each
_INLINE = 48  # calls of what is written out: more than these take long to compile as one piece
_FEW = 16  # outputs that are returned without an array
_WIDE = 8  # rows that a processor computes at once; their number in a tile is rounded up by copies of the last one
_TILE = 4096  # numbers of a tile that fit the cache of a core, beside what else is there
_LN2 = Decimal("0.693147180559945309417232121458176568075500134360255")
_HIGH = round(float(_LN2) * 2.0**32) / 2.0**32  # times a whole number below 2²⁰ it is exact


def _horner(x: str, coefficients: Sequence[float]) -> str:
    text = repr(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        text = f"({text} * {x} + {c!r})"
    return text


_ERF = [(-1) ** n * 2.0 / math.sqrt(math.pi) / (math.factorial(n) * (2 * n + 1)) for n in range(16)]
_MAGIC = 1.5 * 2.0**52  # added to a number, it leaves the nearest whole number in the last bits
_SCALAR = {
    "exp": f'''
def exp(x):
    """2ᵏ · eʳ with |r| ≤ ln 2 / 2, whose Taylor polynomial has degree 13."""
    x = -746.0 if x < -746.0 else 710.0 if x > 710.0 else x
    shifted = x * {1.0 / math.log(2.0)!r} + {_MAGIC!r}
    k = np.float64(shifted).view(np.int64) - {np.float64(_MAGIC).view(np.int64)}
    n = shifted - {_MAGIC!r}
    r = (x - n * {_HIGH!r}) - n * {float(_LN2 - Decimal(_HIGH))!r}
    half = k >> 1
    scale = np.int64((half + 1023) << 52).view(np.float64)
    other = np.int64((k - half + 1023) << 52).view(np.float64)
    return {_horner("r", [1.0 / math.factorial(n) for n in range(14)])} * scale * other
''',
    "log": f'''
def log(x):
    """k ln 2 + log(1 + f) with 1 + f from √½ to √2: f - s (f - 2t), where s + t = artanh(s) and s = f / (2 + f)."""
    tiny = x < {sys.float_info.min!r}
    bits = np.float64(x * {2.0**54!r} if tiny else x).view(np.int64)
    k = (bits - {np.float64(math.sqrt(0.5)).view(np.int64)}) >> 52
    f = np.int64(bits - (k << 52)).view(np.float64) - 1.0
    n = np.int64(k + {np.float64(_MAGIC).view(np.int64)}).view(np.float64) - {_MAGIC!r} - (54.0 if tiny else 0.0)
    s = f / (2.0 + f)
    z = s * s
    t = z * {_horner("z", [1.0 / (2 * n + 1) for n in range(1, 12)])}
    r = n * {_HIGH!r} + (f - (s * (f - 2.0 * t) - n * {float(_LN2 - Decimal(_HIGH))!r}))
    return r if 0.0 < x < math.inf else -math.inf if x == 0.0 else x if x > 0.0 else math.nan
''',
    "erf": f'''
def erf(x):
    """Taylor series near 0; beyond, 1 - erfc by the Mills ratio."""
    a = abs(x)
    z = x * x
    near = x * {_horner("z", _ERF)}
    y = {math.sqrt(2.0)!r} * a
    t = 1.0 - 10.0 / (y + 5.0)
    far = 1.0 - exp(-z) * {math.sqrt(2.0 / math.pi)!r} * {_horner("t", MILLS)} / (y + 1.0)
    return near if a < 0.75 else math.copysign(far, x)
''',
    "hazard": f"""
def hazard(x):
    t = 1.0 - 10.0 / (x + 5.0)
    return (x + 1.0) / {_horner("t", MILLS)}
""",
    "log_ndtr": f"""
def log_ndtr(a):
    x = abs(a)
    upper = 0.5 * math.erfc(x * {math.sqrt(0.5)!r})
    if x < 1.0:
        return math.log1p(-upper) if a > 0.0 else math.log(upper)
    return math.log1p(-upper) if a > 0.0 else -math.log(hazard(x)) - 0.5 * a * a - {0.5 * math.log(2.0 * math.pi)!r}
""",
    "select": "\ndef select(condition, a, b):\n    return a if condition else b\n",
    "place_of": """
def place_of(places, x):
    last = len(places) - 1
    k = np.intp(x if 0.0 <= x < last else last)
    return places[k] if k == x else -1
""",
    "lookup": """
def lookup(values, places, x, other):
    k = place_of(places, x)
    return values[k] if k >= 0 else other
""",
    "clip": """
def clip(a, low, high):
    b = low if a < low else a
    return high if b > high else b
""",
    "logsumexp": """
def logsumexp(xs):
    top = xs[0]
    for x in xs:
        top = x if x > top or x != x else top
    total = 0.0
    for x in xs:
        total += exp(x - top)
    return top if abs(top) == math.inf else top + math.log(total)
""",
    **{
        name: f"\ndef {name}(a):\n    return {text}\n"
        for name, text in {
            "cbrt": "np.cbrt(a)", "floor": "np.floor(a)", "ceil": "np.ceil(a)", "trunc": "np.trunc(a)",
            "round_": "np.rint(a)", "exp2": "np.exp2(a)", "square": "a * a", "reciprocal": "1.0 / a",
            "stop_gradient": "a", "pos": "a",
        }.items()
    },
    "remainder": "\ndef remainder(a, b):\n    return a % b\n",
    "floor_divide": "\ndef floor_divide(a, b):\n    return a // b\n",
    "total_of": """
def total_of(s, start, count):
    total = 0.0
    for i in range(count):
        total += s[start + i]
    return total
""",
}  # fmt: skip
_SUMMING = {"total_of", "product_of"}  # in any order, several at once
_OURS = ("exp", "log", "erf")  # whose namesakes in math the definitions call


def _written(name: str, given: dict[str, str]) -> dict[str, str]:
    """Return definitions after those that they call, which are ours where we have them."""
    found: dict[str, str] = {}
    for text in given.values():
        for other in re.findall(r"(?<![\w.])(\w+)\(", text):
            if other in _SCALAR and other not in given and other != name:
                found |= _written(other, {other: _SCALAR[other]})
    return found | given


def refuse_without_numba() -> None:
    """Raise ImportError where numba is missing."""
    if importlib.util.find_spec("numba") is None:
        raise ImportError('backend="numba" needs numba: pip install "delta-autodiff[numba]"')


class MachineText:
    """The straight-line code of a row, and what it calls."""

    indexed = True  # whether lookups are indices into arrays

    def __init__(self, code: Code, results: Sequence[Any], ours: Sequence[str] = _OURS) -> None:
        """Take the functions that are written out; beside these, one number is quicker by those of the system."""
        self.code, self.ours = code, ours
        self.before: list[str] = []  # the same for all rows
        self.lines: list[str] = []
        self.helpers: dict[str, str] = {}
        self.bound: dict[str, Any] = {}  # functions of operations that no row of the table has
        self.text: dict[int, str] = {}
        self.entries: dict[int, list[str]] = {}  # of what holds several numbers
        self.lookups: dict[int, Lookup] = {}
        self.scattered: dict[int, list[tuple[Any, Lookup]]] = {}  # δ at places that are found
        self._left: dict[int, list[int]] = {}  # the rest of its terms
        self._plain = set[int]()
        self.uses = uses_of(results, self._reads if self.indexed else lambda var: var.vars)
        if len(self.uses) > MOST:
            raise ValueError(
                f'backend="numba" must compile at most {MOST:,} operations, got {len(self.uses):,}, which would take '
                "numba minutes: leave the backend out, or compile a smaller part of the function"
            )

    def _reads(self, var: Var) -> list[Var]:
        """Return the operands of a Var; where it looks something up, without the entries and the comparisons."""
        if var.kind == ir.SCATTER:
            found, left = self.scattered[var.number], self._left[var.number] = added_by(var)
            given = [*(x for delta, lookup in found for x in (delta, lookup.index)), *(var.args[k] for k in left)]
            return [x for x in given if x.__class__ is Var]
        lookup = lookup_of(var, self._plain)
        if lookup is None:
            return var.vars
        self.lookups[var.number] = lookup
        return [x for x in (lookup.index, *lookup.rest) if x.__class__ is Var]

    def array_of(self, numbers: Sequence[Any]) -> str:
        """Return the name of an array of constants."""
        text = f"np.array({list(numbers)})".replace("nan", "math.nan").replace("inf", "math.inf")
        name = next((name for name, known in self.helpers.items() if known.endswith(f" = {text}")), None)
        name = name or f"k{len(self.helpers)}"
        self.helpers[name] = f"{name} = {text}"
        return name

    def places(self, entries: dict[int, int]) -> str:
        """Return the name of an array of the place for each key, −1 for none, as after the last of them."""
        self.helpers |= _written("lookup", {"lookup": _SCALAR["lookup"]})
        return self.array_of([entries.get(key, -1) for key in range(max(entries) + 2)])

    def additions(self, arrays: Sequence[tuple[int, Any]]) -> tuple[list[str], list[str]]:
        """Return the δ that are added to arrays of `out`, given with their first places, and the lines that do it."""
        deltas, lines = list[str](), list[str]()
        for first, x in arrays:
            for delta, lookup in self.scattered.get(x.number, []) if x.__class__ is Var else []:
                deltas.append(self.name(delta))
                lines += [
                    f"at = place_of({self.places(lookup.entries)}, {self.name(lookup.index)})",
                    "if at >= 0:", f"    out[at + {first}] += {deltas[-1]}",
                ]  # fmt: skip
        return deltas, lines

    def _lookup(self, var: Var, lookup: Lookup) -> str:
        keys, entries = list(lookup.entries), lookup.entries
        values = "flat"
        if entries[keys[0]].__class__ is float:
            values, entries = self.array_of([*entries.values()]), {key: k for k, key in enumerate(keys)}
        rest = [self.name(x) for x in lookup.rest]
        chain = var.op is OPS["where"]
        found = f"lookup({values}, {self.places(entries)}, {self.name(lookup.index)}, {rest[0] if chain else '0.0'})"
        return found if chain else " + ".join([found, *rest])

    def write(self, place: Callable[[Var, int | None], str]) -> None:
        """Write all lines; `place` is the text of an argument's number in a row."""
        for var in self.code.vars:
            if var.number in self.uses:
                self._emit(var, place)

    def name(self, x: Any) -> str:
        """Return the text of a number, or of a Var of one number."""
        if x.__class__ is Var:
            return self.text[x.number]
        return repr(x) if math.isfinite(x) and str(x)[0] != "-" else f"({x!r})" if math.isfinite(x) else (
            "math.nan" if math.isnan(x) else "math.inf" if x > 0 else "(-math.inf)"
        )  # fmt: skip

    def all_of(self, x: Any, size: int) -> list[str]:
        """Return the texts of all numbers of a result."""
        found = self.entries.get(x.number) if x.__class__ is Var else None
        return found or [self.name(x)] * size

    def _line(self, var: Var, text: str) -> None:
        self.text[var.number] = f"v{var.number}"
        (self.lines if var.batched else self.before).append(f"v{var.number} = {text}")

    def _emit(self, var: Var, place: Callable[[Var, int | None], str]) -> None:
        kind = var.kind
        if kind in {ir.INPUT, ir.SEED}:
            if var.units == ():
                self._line(var, place(var, None))
        elif kind == ir.VIEW:
            (of,), (start, _) = var.args, var.info
            self._line(var, f"flat[{start}]" if of.kind == ir.FLAT else place(of, start))
        elif kind == ir.CONCAT:
            self.text[var.number] = self.name(var.args[0])
        elif kind == ir.SCATTER:
            terms: dict[int, list[str]] = {}
            for k in self._left[var.number]:
                terms.setdefault(int(var.info[k][0]), []).append(self.name(var.args[k]))
            self.entries[var.number] = [" + ".join(terms.get(i, ["0.0"])) for i in range(var.size)]
        elif kind == ir.EXPAND:
            self.entries[var.number] = [self.name(var.args[0])] * var.size
        elif kind != ir.FLAT:
            lookup = self.lookups.get(var.number)
            self._line(var, self._expression(var) if lookup is None else self._lookup(var, lookup))

    def _expression(self, var: Var) -> str:
        op: Op = var.op
        xs = [self.name(x) for x in var.args]
        if op in SIGNS:
            plain = f"{xs[0]} {SIGNS[op]} {xs[1]}"
            return self._select(plain, "1.0", "0.0") if op in BOOLEAN else plain
        if op.name == "neg" and OPS["neg"] is op:
            return f"-{xs[0]}"
        if op is OPS["where"]:
            return self._select(f"{xs[0]} != 0.0", *xs[1:])
        if op is ir.POW:
            exponent = var.args[1]
            if exponent.__class__ is float and exponent in {2.0, 3.0}:
                return " * ".join([xs[0]] * int(exponent))
            return f"math.pow({', '.join(xs)})"
        if op in ir.TOTALS:
            n = len(xs) // 2
            products = [f"{w} * {x}" for w, x in zip(xs[:n], xs[n:], strict=False)]
            text = " + ".join([*products, xs[-1]] if op is OPS["weighted_sum"] else xs or ["0.0"])
            return f"({text}) / {len(xs)}.0" if op is OPS["mean"] else text
        given = ", ".join(xs)
        return f"{self._function(op)}({given if op.arity is not None else f'({given},)'})"

    def _select(self, *given: str) -> str:
        """Return a choice as a call, for numba takes the square of the time for branch upon branch."""
        self.helpers["select"] = _SCALAR["select"]
        return f"select({', '.join(given)})"

    def _function(self, op: Op) -> str:
        """Return the name of the function that computes an operation, which the text defines."""
        forward: Any = op.forward
        if OPS.get(op.name) is op and op.name in _SCALAR and (op.name in self.ours or op.name not in _OURS):
            self.helpers |= _written(op.name, {op.name: _SCALAR[op.name]})
            return op.name
        if isinstance(forward, BuiltinFunctionType) and forward.__module__ == "math":
            return f"math.{forward.__name__}"
        if forward.__module__.startswith("autodiff."):
            given = definitions(forward, op.name, known=_SCALAR)
            for other in self.ours:
                given = {name: text.replace(f"math.{other}(", f"{other}(") for name, text in given.items()}
            given = {name: text.replace("math.fmod(", "np.fmod(") for name, text in given.items()}
            self.helpers |= _written(op.name, given)
            return op.name
        name = f"operation{len(self.bound)}_{re.sub(r'[^a-zA-Z0-9]', '_', op.name)}"
        self.bound[name] = op
        return name


class Loops:
    """A maker of loops over rows out of code of single numbers."""

    by_row: Var | None = None  # as in Buffered

    def __init__(self, code: Code, sizes: Sequence[int | None], want: Want, *, shape: tuple[int, ...]) -> None:
        """Plan the loops; `shape` is that of the answer of one sample."""
        self.want, self.sizes = want, sizes
        self._given = code
        self._run: Any = None
        self.compiled: float | None = None  # the seconds that it took
        results = [*code.outputs, code.gradient, *code.input_gradients.values()]
        self._text = text = MachineText(code, results)
        inputs = [var for var in code.vars if var.kind == ir.INPUT]  # those that nothing depends on are passed too
        self._inputs: dict[str, Var] = {f"x{var.info}": var for var in sorted(inputs, key=lambda var: var.info)}
        seeds = [var for var in code.vars if var.kind == ir.SEED and var.number in text.uses]
        self.arguments = [*self._inputs, *(["seed"] if seeds else [])]
        self._slots: dict[int, int] = {}  # the first place of each argument in a tile
        self._places = 0
        for var in [*self._inputs.values(), *seeds]:
            if var.batched:
                self._slots[var.number] = self._places
                self._places += max(1, var.size)
        self.code = Code(careful=want.careful)  # only its results, as places
        self._plan(code, shape)
        self.tile = max(32, 1 << (_TILE // (self._places + len(self._rows) + len(self._sums) + 1)).bit_length() - 1)
        text.write(self._place)

    def _cell(self, place: int) -> str:
        """Return the text of a number of a row in a tile; an unsigned index is taken as it is."""
        return f"s[i + np.uintp({place * self.tile})]"

    def _place(self, var: Var, entry: int | None) -> str:
        slot = self._slots.get(var.number)
        if slot is not None:
            return self._cell(slot + (entry or 0))
        return f"x{var.info}" if entry is None else f"x{var.info}[{entry}]"

    def _plan(self, code: Code, shape: tuple[int, ...]) -> None:
        """Decide which results are written for each row, and which are summed over the rows."""
        self._rows: list[Any] = []  # a Var or number, or an entry of one: (Var, which, of how many)
        self._sums: list[tuple[int, Any]] = []  # with the place in the array of sums
        self._added: list[tuple[Any, str, int]] = []  # what is added at places of `out` or `sums`, and their first

        def rows(xs: Sequence[Any]) -> slice:
            first = len(self._rows)
            self._rows += xs
            if xs[0].__class__ is tuple:
                self._added.append((xs[0][0], "out", first))
            return slice(first, len(self._rows))

        def summed(xs: Sequence[Any], first: int) -> None:
            self._sums += enumerate(xs, first)
            self._added.append((xs[0][0], "sums", first))

        n = len(code.parameters)
        self.code.outputs = [rows(code.outputs[:1]).start if shape == () else rows(code.outputs)]
        if self.want.gradient and n and code.gradient is not None:
            entries = [(code.gradient, k, n) for k in range(n)]
            if self.want.per_row:
                self.code.gradient = rows(entries)
            else:
                summed(entries, 0)
        self.summed = n
        batched = {var.info: var.batched for var in self._inputs.values()}
        for i, x in code.input_gradients.items():
            if x.__class__ is float:
                self.code.input_gradients[i] = x
                continue
            size = self.sizes[i]
            entries = [(x, k, size or 1) for k in range(size or 1)]
            if batched.get(i) or self.want.per_row:
                self.code.input_gradients[i] = rows(entries).start if size is None else rows(entries)
            else:
                start = self.summed
                summed(entries, start)
                self.summed += len(entries)
                self.code.input_gradients[i] = (start, self.summed)

    def _entry(self, x: Any) -> str:
        return self._text.name(x) if x.__class__ is not tuple else self._text.all_of(x[0], x[2])[x[1]]

    def _signature(self) -> tuple[list[str], list[str]]:
        """Return the names of the arguments and their types."""
        types = [
            ("float64[:, ::1]" if var.units else "float64[::1]") if var.batched
            else "float64[::1]" if var.units else "float64"
            for var in self._inputs.values()
        ]  # fmt: skip
        types += ["float64[::1]"] * (len(self.arguments) - len(types) + len(self.others))
        return [*self.arguments, *self.others, "out", "first", "last"], [*types, "float64[:, ::1]", "intp", "intp"]

    @property
    def others(self) -> list[str]:
        """The names of what the loops take between the arguments and the place of the results."""
        return [name for name, used in (("flat", self._given.parameters), ("sums", self._sums)) if used]

    @property
    def forms(self) -> dict[str, Callable[[Any], Any]]:
        """By argument, how it is turned from units × rows into what the loops take."""
        forms: dict[str, Callable[[Any], Any]] = dict.fromkeys(self.arguments, _as_it_is)
        for name, var in self._inputs.items():
            if var.units:
                forms[name] = np.transpose if var.batched else np.ravel
        return forms

    def _results(self, base: int) -> tuple[list[str], list[str]]:
        """Return what is written in a tile from this place on, and the lines that bring it where it belongs."""
        text, written, lines = self._text, list[str](), list[str]()
        for k, run in _runs([*enumerate(map(self._entry, self._rows))]):
            cell = f"s[i + (np.uintp({base + len(written)}) + k) * tile]"
            lines += _each(len(run), [f"out[k + np.uintp({k}), first + start + i] = {cell}"])
            written += run
        total = " + ".join(written) or "0.0"
        for k, run in _runs([(k, self._entry(x)) for k, x in self._sums]):
            lines += [
                f"for k in range(np.uintp({len(run)})):",
                f"    sums[k + np.uintp({k})] += total_of(s, (np.uintp({base + len(written)}) + k) * tile, m)",
            ]
            written += run
        for x, into, place in self._added:
            for delta, lookup in text.scattered.get(x.number, []) if x.__class__ is Var else []:
                at, by = (f"s[i + np.uintp({(base + len(written) + k) * self.tile})]" for k in range(2))
                written += [text.name(lookup.index), text.name(delta)]
                entry = f"sums[at + {place}]" if into == "sums" else f"out[at + {place}, first + start + i]"
                lines += [
                    "for i in range(m):", f"    at = place_of({text.places(lookup.entries)}, {at})",
                    "    if at >= 0:", f"        {entry} += {by}",
                ]  # fmt: skip
                total += f" + {text.name(delta)}"
        written.append(total)
        lines.append(f"total += total_of(s, np.uintp({(base + len(written) - 1) * self.tile}), m)")
        return written, lines

    @property
    def source(self) -> str:
        """The text that numba compiles: it returns a number that is finite if all results are."""
        text = self._text
        names, types = self._signature()
        load, others = list[str](), list[str]()
        for name, var in [*self._inputs.items(), *(("seed", var) for var in self._given.vars if var.kind == ir.SEED)]:
            slot = self._slots.get(var.number)
            if slot is not None:
                others.append(f"{name}.shape[0] != rows" + f" or {name}.shape[1] != {var.size}" * bool(var.units))
                entry = f"{name}[start + i{', k' if var.units else ''}]"
                load += _each(max(1, var.size), [f"s[i + (np.uintp({slot}) + k) * tile] = {entry}"])
            elif var.units and name in names:
                others.append(f"len({name}) != {var.size}")
        base = self._places
        zeros = ["out[:, first:last] = 0.0"] if "0.0" in map(self._entry, self._rows) else []
        written, store = self._results(base)
        body = [*text.lines, *(f"{self._cell(base + k)} = {x}" for k, x in enumerate(written))]
        lines = [
            "first, rows = np.uintp(first), np.uintp(last - first)",
            *([f"if {' or '.join(others)}:", "    return math.nan"] if others else []),
            *text.before, *zeros, *(["sums[:] = 0.0"] if self._sums else []), "total = 0.0",
            f"s = np.empty({self.scratch})", f"tile = np.uintp({self.tile})",
            "for start in range(np.uintp(0), rows, tile):", "    m = min(tile, rows - start)",
            f"    wide = (m + np.uintp({_WIDE - 1})) // np.uintp({_WIDE}) * np.uintp({_WIDE})",
            *_indented([*load, *_each(base, ["s[i + k * tile] = s[k * tile + m - np.uintp(1)]"], "range(m, wide)")]),
            "    for i in range(wide):", *_indented(body, 2), *_indented(store),
            *(["for x in sums:", "    total += x"] if self._sums else []), "return total",
        ]  # fmt: skip
        helpers = text.helpers | {"total_of": _SCALAR["total_of"]}
        return module(names, types, lines, helpers, returns="float64", options="nogil=True, ")

    def run(self) -> Callable[..., float]:
        """Return the compiled loops."""
        if self._run is None:
            self._run, self.compiled = compiled(self.source, self._text.bound)
        return self._run

    def instance(self, rows: int, flat: Array) -> LoopsInstance:  # noqa: ARG002 # any number of rows
        """Return the loops with memory of their own."""
        return LoopsInstance(self, flat)

    @property
    def scratch(self) -> int:
        """The numbers of a tile."""
        added = sum(len(found) for found in self._text.scattered.values())
        return (self._places + len(self._rows) + len(self._sums) + 2 * added + 1) * self.tile

    @property
    def height(self) -> int:
        """The number of results for each row."""
        return len(self._rows)

    def bytes_per_row(self) -> int:
        """Return the memory that a row takes."""
        return 8 * (self._places + len(self._rows))

    @property
    def calls(self) -> int:
        """The number of calls for each block of rows: one."""
        return 1

    @property
    def flops(self) -> int:
        """The number of operations for each row."""
        return len(self._text.lines)


def result_of(out: Array, place: int | slice, shape: tuple[int, ...]) -> Array:
    """Return a result of all rows, of this shape, where the loops have written it or will."""
    return out[place].reshape(shape) if place.__class__ is int else out[place].T.reshape(shape)


class LoopsInstance:
    """Compiled loops with memory for what they sum over the rows."""

    def __init__(self, loops: Loops, flat: Array) -> None:
        self.results: dict[int, Array] = {}
        self.sums = np.zeros(loops.summed)
        self.gradient = self.sums[: len(flat)]
        self._compiled, self._forms = loops.run(), list(loops.forms.values())
        own = {"flat": flat, "sums": self.sums}
        self._others = [own[name] for name in loops.others]

    def run(self, *given: Any, out: Array, first: int, last: int) -> float:
        """Write the results of these rows into their columns of `out`; return a number that is finite if they are."""
        passed = [form(x) for form, x in zip(self._forms, given, strict=True)]
        try:
            total = self._compiled(*passed, *self._others, out, first, last)
        except TypeError:  # memory that is not in one piece, or may not be written
            total = self._compiled(*map(_copied, passed), *self._others, out, first, last)
        self._out = out[:, first:last]
        return total

    def array(self, x: Any) -> Any:
        """Return the numbers of a result: units × rows."""
        return self.sums[x[0] : x[1], None] if x.__class__ is tuple else self._out[x]


def _tuple(texts: Sequence[str]) -> str:
    return f"({', '.join(texts)},)"


def _as_it_is(x: Any) -> Any:
    return x


def _copied(x: Any) -> Any:
    return x if x.__class__ is float else np.array(x, order="C")


def _runs(texts: Sequence[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """Return what is not 0 as runs of texts whose places follow one another, each with its first place."""
    for _, run in groupby(enumerate(x for x in texts if x[1] != "0.0"), lambda each: each[1][0] - each[0]):
        places, found = zip(*[each for _, each in run], strict=True)
        yield places[0], list(found)


def _each(count: int, lines: Iterable[str], rows: str = "range(m)") -> list[str]:
    """Return a loop over so many places, and the rows of each."""
    if not count:
        return []
    return [f"for k in range(np.uintp({count})):", f"    for i in {rows}:", *_indented(lines, 2)]


def _indented(lines: Iterable[str], by: int = 1) -> list[str]:
    return [" " * 4 * by + each for each in lines]


def module(
    names: Sequence[str], types: Sequence[str], lines: Sequence[str], helpers: dict[str, str], *, returns: str = "",
    options: str = "",
) -> str:  # fmt: skip
    """Return the text of a module with the function `run` of these lines."""
    exact = 'error_model="numpy"'  # what is written out above counts on the order of its operations
    summing = '@njit(error_model="numpy", fastmath={"reassoc", "nsz"})'  # in any order, several at once
    calls = len(re.findall(rf"\b(?!select)({'|'.join(helpers)})\(", "\n".join(lines))) if helpers else 0
    helper = f"@njit(forceinline={calls <= _INLINE}, {exact})"
    fused = helper.replace("@njit(", '@njit(fastmath={"contract"}, ')  # a product and a sum are rounded once
    kinds = dict.fromkeys(_SUMMING, summing) | dict.fromkeys(_OURS, fused)
    kinds["select"] = f"@njit(forceinline=True, {exact})"
    return "\n".join([
        "import math", "", "import numpy as np", "from numba import njit", "",
        *[f"{kinds.get(name, helper)}\n{text.strip()}\n" if text.strip().startswith("def ")
          else f"{text.strip()}\n" for name, text in helpers.items()],
        f'@njit("{returns}({", ".join(types)},)", {options}cache=CACHED, {exact})',
        f"def run({', '.join(names)}):",
        *[f"    {line}" for line in lines],
    ]) + "\n"  # fmt: skip


def _folder() -> Path | None:
    """Return where texts and numba's machine code of them are kept; None where nothing can be written."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    try:  # a process may have no home
        base = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = base / "autodiff"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK) else None


@contextmanager
def _deep_enough() -> Generator[None]:
    """Let numba call itself as deeply as it does: twice for each branch of a text."""
    with _DEEP:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, 20 * MOST))
        try:
            yield
        finally:
            sys.setrecursionlimit(limit)


def compiled(text: str, operations: dict[str, Op]) -> tuple[Any, float]:
    """Return the function `run` of a text as machine code, from the disk where it was compiled before; the seconds."""
    numba: Any = importlib.import_module("numba")  # whose types need not be there where ours are checked
    refusal: Any = importlib.import_module("numba.core.errors").NumbaError
    name = f"autodiff_{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    folder = None if operations else _folder()
    module = ModuleType(name)
    file = name
    if folder is not None:
        path = folder / f"{name}.py"
        file = str(path)
        if not path.exists():  # in one step, since other processes may do the same
            with suppress(OSError), tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as new:
                new.write(text)
            Path(new.name).replace(path)
        sys.modules[name] = module  # where numba looks for it when it loads from the disk
    scope = vars(module)
    scope["CACHED"] = folder is not None
    scope |= {key: numba.njit(op.forward, error_model="numpy") for key, op in operations.items()}
    start = time.perf_counter()
    try:
        with _deep_enough():
            exec(compile(text, file, "exec"), scope)  # noqa: S102 # our own text
    except refusal as error:
        told = f" of {', '.join(op.name for op in operations.values())}" if operations else ""
        raise TypeError(
            f'backend="numba" cannot compile the function{told}: leave the backend out, or write `forward` with what '
            f"numba knows, got {str(error).strip().splitlines()[-1]}"
        ) from error
    return scope["run"], time.perf_counter() - start


class Machine:
    """A function of one point as machine code; it does what `floats.Point` does."""

    def __init__(self, code: Code, sizes: dict[int, int | None]) -> None:
        """Take the code of single numbers; `sizes` has the arguments that are passed."""
        self.code, self.sizes = code, sizes

    def function(
        self, argnums: Sequence[int], *, single: bool, gradient: bool, checked: bool = False
    ) -> Callable[..., Any]:
        """Return a function of the parameters and the arguments, as `floats.Point.function`."""
        code, n = self.code, len(self.code.parameters)
        given = [code.input_gradients.get(i, 0.0) for i in argnums]
        text = MachineText(code, [*code.outputs, *([code.gradient, *given] if gradient else [])], ours=())
        text.write(lambda var, entry: f"x{var.info}" if entry is None else f"x{var.info}[{entry}]")
        value = text.name(code.outputs[0])
        numbers: list[str] = []  # returned as they are
        places: list[str] = []  # and what becomes of each derivative by an argument
        written: list[str] = []  # into an array, first the derivatives by parameters
        added: list[tuple[int, Any]] = []  # the place of the first of an array in `out`
        if gradient:
            added.append((0, code.gradient))
            written += text.all_of(code.gradient, n) if n and code.gradient is not None else ["0.0"] * n
            for i, x in zip(argnums, given, strict=True):
                size = self.sizes[i]
                if size is None:
                    places.append("by" if single else f"by[{len(numbers)}]")
                    numbers.append(text.name(x))
                else:
                    places.append(f"out[{len(written)}:{len(written) + size}]")
                    added.append((len(written), x))
                    written += text.all_of(x, size)
        elif len(code.outputs) > _FEW:
            written += map(text.name, code.outputs)
        else:
            numbers += map(text.name, code.outputs[1:])
        deltas, additions = text.additions(added)
        lines = [*text.before, *text.lines]
        if gradient or checked:
            terms = [value, *numbers, *(x for x in written if x != "0.0"), *deltas]
            lines.append(f"if not math.isfinite({' + '.join(terms)}): raise ArithmeticError")
        lines += [*(f"out[{k}] = {x}" for k, x in enumerate(written) if x != "0.0"), *additions]
        lines.append(
            f"return {', '.join([value, *([_tuple(numbers)] if numbers and gradient and not single else numbers)])}"
        )
        array = "float64[::1]"
        arguments = {f"x{i}": "float64" if size is None else array for i, size in self.sizes.items()}
        passed = {**({"flat": array} if n else {}), **arguments, **({"out": array} if written else {})}
        machine, took = compiled(module(list(passed), list(passed.values()), lines, text.helpers), text.bound)
        call = ", ".join(f"array({x})" if of == array and x != "out" else x for x, of in passed.items())
        only = not written and array not in passed.values() and (bool(numbers) or not gradient)
        by = places if single else ["by"] if only else [_tuple(places)] if places else []
        answer = (
            ["found", f"out[:{n}]" if n else "NONE", *by] if gradient
            else ["out.tolist()" if written else "list(found)" if numbers else "[found]"]
        )  # fmt: skip
        run = made_from(
            "def make(compiled, array, zeros, NONE):",
            f"    def run({', '.join(['flat', *arguments])}):",
            *([f"        out = zeros({len(written)})"] if written else []),
            f"        found{', by' if numbers and gradient else ''} = compiled({call})",
            f"        return {', '.join(answer)}",
            "    return run",
        )(machine, np.array, np.zeros, np.zeros(0))
        # It returns the value, and the derivatives beside it; it takes what `float` takes, which is for the caller to
        # see to: numba's usual way in looks at each, for as long as all the rest takes.
        run.compiled, run.direct = took, next(iter(machine.overloads.values())).entry_point if only else None
        return run
