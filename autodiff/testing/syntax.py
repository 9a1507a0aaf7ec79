"""The syntax tree of a function that was met at run time, and what it sees around it."""

import ast
import contextlib
import linecache
import types
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

Syntax = ast.Lambda | ast.FunctionDef
_NUMBERS: Any = (float, int, np.ndarray)


def syntax_of(function: types.FunctionType) -> Syntax | None:
    """Parse a function into a fresh syntax tree without annotations and decorators; None where there is no source.

    Of several lambdas in a line it is the one whose code stands at the same columns.
    """
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    # What has no width belongs to the call and not to the text.
    places = [(line, column) for line, last, column, end in code.co_positions() if (line, column) != (last, end)]
    places = [(line, column) for line, column in places if line and column is not None]
    found = [node for node in _functions("".join(lines)) if _is_of(node, code, places)]
    if not places:  # Python 3.12 tells no place of a constant that is returned
        found = [node for node in found if not isinstance(node, ast.Lambda) or _does(_code(node)) == _does(code)]
    if not found:
        return None
    best = max(found, key=lambda node: (node.lineno, node.col_offset))  # the innermost that holds them all
    again: Any = ast.parse(ast.unparse(best)).body[0]
    syntax: Any = again.value if isinstance(best, ast.Lambda) else again
    for argument in ast.walk(syntax.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    if isinstance(syntax, ast.FunctionDef):
        syntax.decorator_list, syntax.returns = [], None
    return syntax


def surroundings(function: types.FunctionType) -> dict[str, Any]:
    """Return the names that a function sees around it: its module's globals, and over them its closure."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    held: dict[str, Any] = {}
    for name, cell in cells:
        with contextlib.suppress(ValueError):  # an empty one, of a name that is bound later
            held[name] = cell.cell_contents
    return {**function.__globals__, **held}


def seen_around(*functions: Any, depth: int = 2) -> dict[str, Any]:
    """Return what functions use, by name, and `self`; for functions and not classes or modules, what those use."""
    seen: dict[str, Any] = {}
    for given in functions:
        function = getattr(given, "__func__", given)
        around = {"self": given if function is given else given.__self__}
        if isinstance(function, types.FunctionType):
            names = {*names_in(function.__code__), *function.__code__.co_freevars}
            around |= {key: x for key, x in surroundings(function).items() if key in names}
        for key, x in around.items():
            if isinstance(x, (types.FunctionType, types.MethodType)):
                seen |= seen_around(x, depth=depth - 1) if depth and x is not given else {}
            elif not isinstance(x, (type, types.ModuleType)):
                seen[key] = x
    return seen


def known_around(*functions: Any) -> dict[str, Any]:
    """Return the numbers and arrays that functions see: in closures, globals they name, attributes of objects."""
    seen: dict[str, Any] = {}
    for name, x in seen_around(*functions).items():
        held: dict[str, Any] = {name: x} | {f"{name}.{key}": y for key, y in getattr(x, "__dict__", {}).items()}
        seen |= {key: y for key, y in held.items() if isinstance(y, _NUMBERS) and y.__class__ is not bool}
    return seen


def names_in(code: types.CodeType) -> Iterator[str]:
    """Yield the names that code looks up, and the code inside it."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from names_in(inner)


def _code(node: ast.Lambda) -> types.CodeType:
    """Return the code of a lambda without free variables."""
    outer = compile(ast.Expression(node), "a lambda", "eval")
    return next(each for each in outer.co_consts if isinstance(each, types.CodeType))


def _does(code: types.CodeType) -> tuple[bytes, tuple[Any, ...]]:
    return code.co_code, code.co_consts[-1:]


@lru_cache(maxsize=8)
def _functions(source: str) -> Sequence[Syntax]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ()
    return [node for node in ast.walk(tree) if isinstance(node, (ast.Lambda, ast.FunctionDef))]


def _is_of(node: Syntax, code: types.CodeType, places: Sequence[tuple[int, int]]) -> bool:
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    if names != list(code.co_varnames[: code.co_argcount]) or getattr(node, "name", "<lambda>") != code.co_name:
        return False
    start, end = (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    return first <= code.co_firstlineno <= end[0] and all(start <= place <= end for place in places)
