"""The definitions that a readable text may begin with: pure functions of the array library `xp`.

An operation is defined by the function of arrays that its row names, as it is written, with `xp` for NumPy.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import re
from collections.abc import Container
from textwrap import fill
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from autodiff.compiler.trace.operations import GUARDED, KEPT
from autodiff.forwards import MILLS
from autodiff.ops import OPS, Op

# Definitions that no row provides: how arrays are joined, and an operation that every array library can compute.
HELPERS = {
    "erf": '''
def erf(z):
    """Taylor series (Abramowitz and Stegun 7.1.5) near 0, continued fraction (7.1.14) far from it."""
    near, far = xp.minimum(xp.abs(z), 2.0), xp.maximum(xp.abs(z), 2.0)
    term = series = near
    for n in range(1, 50):
        term = -term * near * near / n
        series = series + term / (2 * n + 1)
    fraction = far
    for n in range(100, 0, -1):
        fraction = far + 0.5 * n / fraction
    tail = 1.0 - xp.exp(-far * far) / (fraction * math.sqrt(math.pi))
    return xp.sign(z) * xp.where(xp.abs(z) < 2.0, 2.0 / math.sqrt(math.pi) * series, tail)
''',
    "hazard": f'''
HAZARD = (
{fill(", ".join(map(repr, reversed(MILLS))), 110, initial_indent="    ", subsequent_indent="    ")},
)


def hazard(x):
    """The normal density at x >= 0 over what the distribution holds beyond; a polynomial in (x - 5) / (x + 5)."""
    total = 0.0
    for c in HAZARD:
        total = total * (1.0 - 10.0 / (x + 5.0)) + c
    return (x + 1.0) / total
''',
    "erfc": """
def erfc(z):
    tail = math.sqrt(2.0 / math.pi) * xp.exp(-z * z) / hazard(math.sqrt(2.0) * xp.abs(z))
    return xp.where(z < 0.0, 2.0 - tail, tail)
""",
    "log_ndtr": """
def log_ndtr(z):
    log_density, h = -0.5 * z * z - 0.5 * math.log(2.0 * math.pi), hazard(xp.abs(z))
    return xp.where(z < 0.0, log_density - xp.log(h), xp.log1p(-xp.exp(log_density) / h))
""",
    "stack": '''
def stack(rows, *pieces):
    """Put numbers, rows and groups of rows under one another."""
    pieces = [xp.atleast_2d(xp.asarray(piece)) for piece in pieces]
    return xp.concatenate([xp.broadcast_to(piece, (len(piece), rows)) for piece in pieces])
''',
    "spread": '''
def spread(size, rows, *pieces):
    """Add arrays up in an array of `size` units, each at its own positions."""
    total = xp.zeros((size, rows))
    for array, positions in pieces:
        array, places = xp.broadcast_to(array, (*np.shape(positions), rows)), xp.asarray(positions)
        if hasattr(total, "at"):  # arrays of JAX do not change
            total = total.at[places].add(array)
        else:
            np.add.at(total, places, array)
    return total
''',
    "filled": '''
def filled(array, positions, number):
    """Return the rows at these positions, and `number` where there is none, for rows of equal length."""
    positions = np.array(positions)
    return xp.where(positions[..., None] < 0, number, array[positions])
''',
    "columns": '''
def columns(x, keys):
    """Return the places of numbers among increasing keys, and whether they are there."""
    places = xp.clip(xp.searchsorted(keys, x), 0, len(keys) - 1)
    return places, xp.asarray(keys)[places] == x
''',
    "picked": '''
def picked(matrix, x, keys):
    """Return the column of each row, that of the key which equals x; 0 where there is none."""
    places, found = columns(x, keys)
    return xp.where(found, matrix[:, places], 0.0)
''',
    "placed": '''
def placed(delta, x, keys):
    """Return the sums of what belongs to each column."""
    places, found = columns(x, keys)
    parts = xp.where(found, delta, 0.0).reshape(len(delta), -1).T
    return spread(len(keys), len(delta), (parts, places.ravel())).T
''',
    "at": '''
def at(start, strides, shape):
    """Return the positions of a block in the flat array."""
    return start + sum(s * i for s, i in zip(strides, np.indices(shape), strict=True))
''',
}


def written(name: str) -> dict[str, str]:
    """Return one of HELPERS, after those that it calls."""
    found: dict[str, str] = {}
    for other in re.findall(r"(?<![.\w])(\w+)\(", HELPERS[name]):
        found |= written(other) if other in HELPERS and other != name else {}
    return found | {name: HELPERS[name]}


def helpers_of(op: Op) -> dict[str, str]:
    """Return the definitions that a call of a row needs, by name, its own last; none where `xp` has the function."""
    if op.name in HELPERS:
        return written(op.name)
    return {} if str(op.array).startswith("numpy.") else definitions(op.function_of_arrays, op.name)


@functools.cache
def reserved() -> frozenset[str]:
    """Return the names that no variable of a readable text may have."""
    rows = [op for op in (*OPS.values(), GUARDED, KEPT) if op.array is not None]
    return frozenset(HELPERS).union(*map(helpers_of, rows))


def definitions(function: Any, name: str, known: Container[str] = ()) -> dict[str, str]:
    """Return the texts of a function under this name, and of those that it calls but for those that are `known`."""
    if isinstance(function, np.vectorize):
        one: Any = function.pyfunc
        if isinstance(one, BuiltinFunctionType):
            return {name: f"{name} = np.vectorize({one.__module__}.{one.__name__}, otypes=[float])"}
        inner = f"{name}_of_one"
        return definitions(one, inner) | {name: f"{name} = np.vectorize({inner}, otypes=[float])"}
    assert isinstance(function, FunctionType), "a row has a function of NumPy's, a vectorized one, or one of Python"
    (tree,) = ast.parse(inspect.getsource(function)).body
    portable = _Portable(function, known)
    tree = portable.visit(tree)
    tree.name = name
    return portable.found | {name: ast.unparse(ast.fix_missing_locations(tree))}


class _Portable(ast.NodeTransformer):
    """A rewriter of functions for any array library: no types, numbers for constants, `found` for what they call."""

    def __init__(self, function: FunctionType, known: Container[str]) -> None:
        self.known = known
        own = function.__code__.co_varnames
        self.scope = {name: thing for name, thing in function.__globals__.items() if name not in own}
        self.found: dict[str, str] = {}

    def visit_arg(self, node: ast.arg) -> Any:
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Name) and node.func.id == "cast":
            return self.visit(node.args[1])
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> Any:
        thing = self.scope.get(node.id)
        if thing is np:
            return ast.Name("xp")
        if isinstance(thing, (float, int)):
            return ast.Constant(thing) if math.isfinite(thing) else ast.parse(f'float("{thing}")', mode="eval").body
        if isinstance(thing, (FunctionType, np.vectorize)) and thing.__module__ != "functools":
            self.found |= {} if node.id in self.known else definitions(thing, node.id, self.known)
        if isinstance(thing, tuple):
            self.found[node.id] = f"{node.id} = {thing!r}"
        assert not isinstance(thing, ModuleType) or thing is math
        return node
