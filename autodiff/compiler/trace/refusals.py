"""Words for what a trace refuses: the user's line, what was asked of a stand-in there, and what to write instead."""

from __future__ import annotations

import ast
import dis
import itertools
import linecache
import os
import re
import sys
from collections.abc import Sequence
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from autodiff.errors import TraceError
from autodiff.ops import OPS

_PASSED_OVER = {"autodiff", "copy", "numpy"}  # errors name the line that called into these packages
_STANDARD = (os.path.dirname(os.__file__) + os.sep, "<frozen")  # noqa: PTH120 # where libraries are: pathlib is slow
_INSTALLED = re.compile(r"[\\/](site|dist)-packages[\\/]")
_INTEGERS = re.compile(  # as NumPy and pandas say
    r"of integer \(or boolean\) type|must be an integer array|Cannot cast .*'O'\) to dtype\('int|non-integer key|"
    "Location based indexing can only have|only integer scalar arrays can be converted to a scalar index"
)
_OPERANDS = re.compile("unsupported operand|not supported between|can only concatenate|not callable")  # as of a Value
_BY_NAME = re.compile("only integers, slices|list indices must be .*, not str")
_ONE_NUMBER = re.compile(  # as Python and NumPy say
    r"'Traced'.* (not (iterable|subscriptable)|has no len)|for @: 'Traced' and 'Traced'|"
    r"must be an iterable, not Traced|non-iterable Traced|not subscriptable: 'Traced'"
)

ASKED = "computing outside autodiff with"  # by a library that takes numbers alone
REFUSED_ANYWAY = {"indexing by", "int() of", "float() of"}  # of Values too: a function may go on without
_LAST = (
    "mark what all rows share and only steers the function as static (static_argnums), or call the function itself, "
    "eagerly (program.f)"
)
_OTHERWISE = "autodiff.where(condition, a, b), maximum, clip or step, autodiff's functions in place of math's"
_PLACE = (
    "autodiff.pick(table, i) for the row of a list or an array at the place i, a whole number, negative from the end"
)
_LENGTH = (
    "a loop or a list as long as the longest row needs, and autodiff.where(k < n, a, 0.0) for what a row leaves out, "
    "since autodiff.pad fills sequences up and autodiff.fold goes through them; autodiff.pick(table, i) is a row"
)
_EXTREME = (
    "autodiff.maximum(a, b) and minimum(a, b), of more numbers functools.reduce(autodiff.maximum, xs), and "
    "autodiff.where(b > a, 1.0, 0.0) for the place of the larger"
)
_SEARCH = (
    "autodiff.total([k * (x == i) for k, x in enumerate(table)]) for the place of a number, "
    "autodiff.total([x == i for x in table]) for how often it is there, autodiff.pick(table, i) where i is the place"
)
_BOTH = "(x > a) & (x < b), which is 1 where both hold, (x < a) | (x > b), and x == 0 for not x, in autodiff.where"
_AMONG = "autodiff.where((i == a) | (i == b), 1.0, 0.0) for i in (a, b), autodiff.pick(table, i) for one entry of many"
_EQUAL = "autodiff.where(i == k, a, b), autodiff.pick(table, i) for one entry of many"
_TEXT = "what the program returns for texts (has_aux=True passes numbers through beside the answer)"
_COUNT = (
    "autodiff.total([x == k for x in xs]) for how often the number k is there, and a list, or a dict by what all rows "
    "share, in place of keys that are numbers"
)
_FINITE = "abs(x) < math.inf, which is 1 where x is finite, in autodiff.where"
_CLOSE = "abs(x - y) < 1e-9, which is 1 where it holds, in autodiff.where"
_INT = f"autodiff.trunc(x) for the number, floor(x) or round(x) likewise, {_PLACE}"
_STORED = "[autodiff.where(i == k, new, old) for k, old in enumerate(xs)] for a list with another entry at the place i"
_ENTRIES = "[autodiff.where(v > 0.0, v, 0.0) for v in xs], entry by entry, as a whole array asks for its truth values"
_BOXES = "the number as it is, without float(), np.array(xs) without a dtype, np.zeros(n, dtype=object) for stand-ins"


def _by_name(*rows: tuple[str, str]) -> dict[str, str]:
    return {name: way for names, way in rows for name in names.split()}


_FLOATED = _by_name(  # by the function that is called with a number
    ("fsum", "autodiff.total(xs), or sum(xs)"),
    ("mean fmean", "autodiff.mean(xs)"),
    ("fabs", "abs(x)"),
    ("pow float_power", "x ** y"),
    ("fmod modf", "x % y, or x - autodiff.trunc(x) for what is behind the point"),
    ("dist", "autodiff.hypot of the differences"),
    ("ldexp", "x * 2**k"),
    ("remainder", "x - y * round(x / y)"),
    ("degrees radians", "x * (180.0 / math.pi) for degrees, x * (math.pi / 180.0) for radians"),
    ("log", "autodiff.log(x), and autodiff.log(x) / math.log(b) to the base b"),
    ("heaviside", "autodiff.step(x), or autodiff.where(x > 0.0, 1.0, 0.0)"),
    ("isnan", "x != x, which is 1 where x is NaN, in autodiff.where"),
    ("isfinite isinf", _FINITE),
    ("isclose allclose", _CLOSE),
    ("complex", "two numbers for the real and the imaginary part, autodiff.hypot(a, b) for its size"),
    ("Decimal Fraction", "the number as it is, a float in every row"),
    ("Value", "the number as it is, a Value already"),
    ("dump dumps", _TEXT),
    ("array asarray astype float64 float full at __setitem__", _BOXES),
)
_CALLED = _by_name(
    ("range arange linspace islice repeat zeros ones full empty eye tile reshape normal uniform fold", _LENGTH),
    ("max min sorted sort argmax argmin argsort amax amin nlargest nsmallest median percentile quantile ptp", _EXTREME),
    ("index count remove searchsorted bisect bisect_left bisect_right digitize isin count_nonzero", _SEARCH),
    ("__getitem__ __setitem__ __delitem__ pop insert take choose itemgetter getitem enumerate", _PLACE),
    ("chr hex bin oct bytes bytearray", _TEXT),
    ("any all array_equal logical_and logical_or logical_not", _BOTH),
    ("int", _INT),
)
_HASHED = _by_name(
    ("Counter set frozenset add discard remove update fromkeys hash unique", _COUNT),
    ("get pop setdefault dict", ""),
)
_ATTRIBUTES = _by_name(  # of Python's numbers, arrays and tensors, which stand-ins have not
    ("is_integer", "autodiff.floor(x) == x, which is 1 where x is whole, in autodiff.where"),
    ("bit_length", "autodiff.total([i >= 2**k for k in range(n)]), n bits at most"),
    ("hex to_bytes", _TEXT),
    ("detach", "autodiff.stop_gradient(x)"),
    ("numpy cpu", "the number as it is"),
)
_STATEMENTS = {  # by the word that a line begins with
    "while": "as many steps as any row needs, each x = autodiff.where(x > end, step(x), x), by autodiff.fold for many",
    "assert": "a test of the arguments before the call; program(…, check=True) names a row outside a domain",
    "case": _EQUAL,
}
_DERIVATIVE = "autodiff.grad(f)(x) inside, or program.value_and_grad(…, argnums=0), for derivatives by an argument"
_WAYS_OUT = {  # by what is asked, where the expression tells nothing better
    "indexing by": _PLACE,
    "int() of": _INT,
    "formatting": _TEXT,
    "deciding by the text of": f"{_EQUAL}, {_TEXT}",
    "copying": "the number as it is: no operation changes it, so that nothing needs a copy",
    "pickling": "what the program returns, which can be pickled, as the program itself can",
    "pow with a modulus of": "a ** b % c",
    "reading .data of": "the number as it is; what the program returns has its number in every row",
    "reading .grad of": _DERIVATIVE,
    "backward() from": _DERIVATIVE,
    "looking up": f"autodiff.pick(list(table.values()), i), where i is the place in the table, {_AMONG}",
    "inverting (~)": "x == 0, which is 1 where the condition x does not hold",
    "taking bits (&, |, ^, <<, >>) of": "i % 2 for i & 1, i // 2**k for i >> k, i * 2**k for i << k, and &, | and ^ of "
    "conditions alone, such as (x > 0.0) & (y > 0.0)",
}


class Place(NamedTuple):
    """A line of the user's, and the expression in it that Python was at, as far as the source is known."""

    file: str
    line: int
    text: str = ""
    opcode: str = ""

    @property
    def words(self) -> str:
        """Return where it is, as messages say it."""
        return f"at {self.file}:{self.line}" if self.file else f"in {self.text.split('(')[0]}"


def way_out(what: str, place: Place) -> str:
    """Return what to write instead of an expression that asks for the number of a stand-in."""
    found = None
    if what in REFUSED_ANYWAY or what in {"looking up", "reading .data of", ASKED} or what.startswith("deciding ("):
        try:
            expression = ast.parse(f"({place.text.strip()})", mode="eval").body
        except (SyntaxError, ValueError):  # a statement, or no source
            expression = None
        found = _instead_of(expression, what, place)
    return f"{found or _WAYS_OUT.get(what, _OTHERWISE)}, {_LAST}"


def refusal(what: str, name: str, place: Place) -> str:
    """Return the sentence of a TraceError: what was asked of which number, where, the rule and the way out."""
    line = linecache.getline(place.file, place.line).strip()
    return (
        f"{what} {name} while it is traced, {place.words}{f': {line}' if line else ''}. The answer would be frozen "
        f"into the program for every row: use {way_out(what, place)}"
    )


def _instead_of(expression: ast.expr | None, what: str, place: Place) -> str | None:  # noqa: C901, PLR0912 # one case per kind
    """Return what to write for an expression; None where its kind tells nothing."""
    statement = linecache.getline(place.file, place.line).split(maxsplit=1)[:1] if what.startswith("deciding") else []
    if statement and statement[0] in _STATEMENTS:
        return _STATEMENTS[statement[0]]
    match expression:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name) as f):
            called = ast.unparse(f)
            if what == "looking up":
                return _HASHED.get(name, f"{called}.__wrapped__, where a cache keeps the results of {called}")
            tables = (_FLOATED, _CALLED) if what in {"float() of", "reading .data of", ASKED} else (_CALLED, _FLOATED)
            known = next((table[name] for table in tables if name in table), None)
            if known is not None and not (known is _SEARCH and what == "indexing by"):  # operator.index(i)
                return known
            if what == "indexing by":
                return f"autodiff.pick([{called}(…, k) for k in range(n)], i), a table of {called}"
            return f"autodiff.{name}, which serves numbers of every kind" if name in OPS else None
        case ast.Dict() | ast.Set() | ast.DictComp() | ast.SetComp() if what == "looking up":
            return _COUNT
        case ast.Subscript(slice=ast.Slice()):
            return _LENGTH
        case ast.Subscript() if place.opcode == "STORE_SUBSCR":
            return _BOXES if what == "float() of" else _STORED
        case ast.BinOp(op=ast.Mult()) if what == "indexing by":
            return _LENGTH
        case ast.BinOp(op=ast.Mod()) if not what.startswith("deciding"):
            return _TEXT
        case ast.Compare(ops=[ast.In() | ast.NotIn()]):
            return _AMONG
        case ast.Compare() if place.opcode == "COMPARE_OP":  # and not the `if` after it
            return _ENTRIES
        case ast.Compare(ops=[ast.Eq() | ast.NotEq()]):
            return _EQUAL
        case ast.Compare(ops=[_, _, *_]) | ast.UnaryOp(op=ast.Not()) | ast.BoolOp():
            return _BOTH
        case _:
            return None


def told(error: Exception, arguments: Sequence[Any], names: Sequence[str], number: type) -> str | None:
    """Return the message of an error of Python's or NumPy's that stand-ins have caused; None of others.

    `number` is the class of stand-ins.
    """
    more = _added(error, arguments, names, number)
    said, at = str(error), raised_at(error)
    if more is not None or isinstance(error, TraceError) or _OPERANDS.search(said):
        return None if more is None else f"{said}{more}"
    if missing := re.search(r"'Traced' object has no attribute '(\w+)'", said):
        way = _ATTRIBUTES.get(missing[1])
        return f"{said} while it is traced, {at.words}; use {way}, {_LAST}" if way else None
    if (
        "Traced" in said
        or "derivative rule for a Value" in said
        or "<traced" in said
        or ("Rational instance" in said and "Fraction(" in at.text)
    ):
        return f"{refusal(ASKED, 'a number', at)}. Python says: {said}"
    return None


def _added(error: Exception, arguments: Sequence[Any], names: Sequence[str], number: type) -> str | None:
    """Return what to add to an error that tells of rows, indices or arrays."""
    said = str(error)
    if _BY_NAME.search(said):
        return (
            ": a row of an array or table is entered by position; to enter it by a number of the row, use "
            "autodiff.pick(table, i); to enter it by name, pass a dict of columns, such as dict(frame)"
        )
    if _INTEGERS.search(said):
        return (
            f": while it is traced, {raised_at(error).words}, an index has no number yet; look rows up one by one, "
            "[autodiff.pick(table, i) for i in indices]"
        )
    rows = {name: x for name, x in zip(names, arguments, strict=True) if x.__class__ in (number, np.ndarray)}
    at = raised_at(error)
    shape = "tuple index out of range" in said and re.search(r"\.shape\[[^]]*\]$", at.text)
    missing = re.search(r"'Traced' object has no attribute '(\w+)'", said)
    if rows and (shape or _ONE_NUMBER.search(said) or (missing and hasattr(np.ndarray, missing[1]))):
        kinds = [
            f"one row of {name} {'is ONE number' if x.__class__ is number else f'has shape {np.shape(x)}'}"
            for name, x in rows.items()
        ]
        return (
            f": {' and '.join(kinds)} in this call; a program's arguments have one more axis in front than the "
            "function's, the rows"
        )
    if "dtype('O')" in said or "not supported for the input types" in said or "should be boolean" in said:
        return (
            f": an array of stand-ins has no numbers while it is traced, {at.words}; use {_BOXES}, {_ENTRIES}, {_LAST}"
        )
    return None


def lines(error: BaseException) -> list[tuple[str, int]]:
    """Return the lines that an error came through."""
    at, found = error.__traceback__, list[tuple[str, int]]()
    while at is not None:
        found.append((at.tb_frame.f_code.co_filename, at.tb_lineno))
        at = at.tb_next
    return found


def raised_at(error: BaseException) -> Place:
    """Return the user's place that an error came from: the innermost outside libraries."""
    at, found = error.__traceback__, None
    while at is not None:
        if found is None or not (is_passed_over(at.tb_frame) or is_library(at.tb_frame.f_code.co_filename)):
            found = at
        at = at.tb_next
    return Place("", 0) if found is None else _place(found.tb_frame.f_code, found.tb_lineno, found.tb_lasti)


def is_passed_over(frame: Any) -> bool:
    """Tell whether a frame is one of this package's or of one that works for it."""
    return str(frame.f_globals.get("__name__", "")).split(".")[0] in _PASSED_OVER


def users_place(frame: Any, outermost: CodeType) -> Place:  # Any: a frame
    """Return the user's place: the innermost outside autodiff and libraries, down from `outermost`."""
    found = None
    while frame is not None and frame.f_code is not outermost:
        if not is_passed_over(frame):
            found = found or frame
            if not is_library(frame.f_code.co_filename):
                break
        frame = frame.f_back
    else:
        if found is None:  # the function itself is one of a library
            f = None if frame is None else frame.f_locals.get("f")
            return Place("", 0, f"{getattr(f, '__name__', 'the function')}(x)")
        frame = found
    return _place(frame.f_code, frame.f_lineno, frame.f_lasti)


def is_library(file: str) -> bool:
    """Tell whether a file is one of Python's own or of an installed package."""
    return file.startswith(_STANDARD) or _INSTALLED.search(file) is not None


def _place(code: CodeType, line: int, instruction: int) -> Place:
    first, last, start, end = next(itertools.islice(code.co_positions(), instruction // 2, None), (None,) * 4)
    opcode, text = dis.opname[code.co_code[instruction]], ""
    if sys.version_info >= (3, 13) and code.co_code[instruction + 1] & 16:  # the `if` is part of the comparison
        opcode = opcode.replace("COMPARE_OP", "")
    if first is not None and last is not None and start is not None and end is not None:
        source = [linecache.getline(code.co_filename, n).encode() for n in range(first, last + 1)]
        source[-1] = source[-1][:end]
        text = b"".join([source[0][start:], *source[1:]]).decode(errors="ignore")
    return Place(code.co_filename, line, text, opcode)
