"""A failure as a program of its own: the source of functions, operations and points, as far as Python can tell it.

What can be imported is imported; a row of the table is looked up there; any other function is written out, with what
it uses from around it, and so is an operation, rule by rule. What has no source gets a place to put it in: the program
is always one that Python can read.
"""

import ast
import builtins
import inspect
import keyword
import math
import re
import sys
import textwrap
import types
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

import numpy as np

import autodiff
from autodiff.domains import Domain
from autodiff.ops import OPS, Op
from autodiff.testing.syntax import surroundings, syntax_of
from autodiff.value import Value


class Program:
    r"""Source that grows: `text(thing)` gives what denotes it, after the imports and definitions it needs.

    >>> program = Program()
    >>> program.written(f"print({program.text(OPS['sin'])}({program.text(0.0)}))")
    'from autodiff import OPS\n\nprint(OPS["sin"](0.0))'
    """

    def __init__(self) -> None:
        self._modules: set[str] = set()
        self._imports: dict[str, list[str]] = {}
        self._definitions: list[str] = []
        self._names: dict[str, Any] = {}
        self._missing: list[str] = []
        self._within: list[Any] = []  # the containers that are being written

    def written(self, last: str) -> str:
        """Return the whole program, with `last` as its last lines."""
        imports = sorted(self._modules)
        imports += [f"from {m} import {', '.join(sorted(set(names)))}" for m, names in sorted(self._imports.items())]
        missing = "\n".join(f"# {each} has no source to show: put it in its place below" for each in self._missing)
        blocks = ["\n".join(line for line in (missing, *imports) if line), *self._definitions, last]
        return "\n\n".join(block for block in blocks if block)

    def imported(self, module: str, name: str) -> str:
        """Have a name imported."""
        thing = getattr(sys.modules[module], name)
        alias = self._free(name, thing)
        self._imports.setdefault(module, []).append(f"{name} as {alias}" if alias != name else name)
        self._names[alias] = thing
        return alias

    def text(self, thing: Any, name: str = "f") -> str:
        """Return the source that denotes a thing; if it needs a definition, it is called `name`."""
        if thing is None or isinstance(thing, (int, str, float, complex, np.generic)):
            return _number(thing)
        for known, other in self._names.items():
            if other is thing:
                return known
        if isinstance(thing, (list, tuple, np.ndarray)) or type(thing) is dict:
            if len(self._within) == 50 or any(thing is each for each in self._within):
                raise RecursionError  # what holds itself; Python's own limit may have been raised out of reach
            self._within.append(thing)
            try:
                return self._container(thing, name)
            finally:
                self._within.pop()
        if isinstance(thing, types.ModuleType):
            return self._module(thing, name)
        if isinstance(thing, Domain):
            without = "" if thing.without is None else f", without={thing.without!r}"
            return f'{self.imported("autodiff", "Domain")}("{thing.interval}"{without})'
        if isinstance(thing, Op):
            return self._operation(thing)
        return self._code(thing, name)

    def _container(self, thing: Any, name: str) -> str:
        kind = thing.__class__
        if issubclass(kind, np.ndarray):
            self._modules.add("import numpy as np")
            usual = str(thing.dtype) in {"bool", "object", "float64", "int64"}
            return f"np.array({self.text(thing.tolist())}{'' if usual else f', dtype={str(thing.dtype)!r}'})"
        if issubclass(kind, dict):
            return f"{{{', '.join(f'{self.text(key)}: {self.text(value, name)}' for key, value in thing.items())}}}"
        inner = ", ".join(self.text(x, name) for x in thing)
        return f"[{inner}]" if issubclass(kind, list) else f"({inner}{',' * (len(thing) == 1)})"

    def _code(self, thing: Any, name: str) -> str:
        place = _importable(thing)
        if place:
            return self.imported(*place)
        if hasattr(thing, "source") and hasattr(thing, "names"):
            return self._expression(thing, name)
        if isinstance(thing, types.FunctionType):
            return self._function(thing, name)
        if isinstance(thing, partial):
            return self._partial(thing)
        if isinstance(thing, types.MethodType) and not isinstance(thing.__self__, type):
            return f"{self.text(thing.__self__, 'model')}.{thing.__name__}"
        if isinstance(thing, Value) and thing.op is None:
            label = f", {thing.label!r}" if thing.label else ""
            return f"{self.imported('autodiff', 'Value')}({self.text(thing.data)}{label})"
        if isinstance(thing, type) and thing.__module__ != "builtins":
            return self._class(thing, name)
        if _is_plain_object(thing):
            return self._object(thing, name)
        return self._place(thing, name)

    def _partial(self, thing: Any) -> str:
        named = [f"{key}={self.text(value, key)}" for key, value in thing.keywords.items()]
        arguments = [self.text(thing.func), *map(self.text, thing.args), *named]
        return f"{self.imported('functools', 'partial')}({', '.join(arguments)})"

    def _object(self, thing: Any, name: str) -> str:
        """Define an instance without its `__init__`, from its class and its attributes, and return its name."""
        kind = self.text(type(thing), type(thing).__name__)
        name = self._free(name, thing)
        self._defined(name, thing, "")
        held = [f"{name}.{key} = {self.text(value, key)}" for key, value in thing.__dict__.items()]
        self._definitions.append("\n".join([f"{name} = {kind}.__new__({kind})", *held]))
        return name

    def _class(self, kind: type, name: str) -> str:
        try:
            syntax: Any = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
        except (OSError, TypeError, SyntaxError):
            return self._place(kind, name)
        methods = [each for each in vars(kind).values() if isinstance(each, types.FunctionType)]
        around = dict(vars(sys.modules[kind.__module__])) if kind.__module__ in sys.modules else {}
        around |= {name: each for method in methods for name, each in surroundings(method).items()}
        syntax.name = self._free(kind.__name__, kind)
        self._names[syntax.name] = kind
        inside = {a.arg for a in ast.walk(syntax) if isinstance(a, ast.arg)} | {kind.__name__}
        syntax = self._resolved(syntax, {name: each for name, each in around.items() if name not in inside})
        return self._defined(syntax.name, kind, ast.unparse(syntax))

    def _resolved(self, syntax: Any, around: Mapping[str, Any]) -> Any:
        """Define everything the syntax uses from its surroundings, and return it with the names these have there."""
        renamed: dict[str, str] = {}
        for used in {n.id: None for n in ast.walk(syntax) if isinstance(n, ast.Name)}:
            if used in around:
                written = self.text(around[used], used)
                name = self._free(used, around[used])
                if written.isidentifier():
                    name = written
                elif name not in self._names:
                    self._defined(name, around[used], f"{name} = {written}")
                renamed[used] = name
        for node in ast.walk(syntax):
            if isinstance(node, ast.Name):
                node.id = renamed.get(node.id, node.id)
        return syntax

    def _place(self, thing: Any, name: str) -> str:
        """Leave a place for what has no source: a function that does nothing, or a name for anything else."""
        own = getattr(thing, "__name__", None)
        own = own if isinstance(own, str) else ""
        name = self._free(own if own.isidentifier() else name, thing)
        self._missing.append(f"{type(thing).__name__} {own or name}")
        what = f"put yours here: {' '.join(repr(thing).split())[:80]}"
        if isinstance(thing, type):
            return self._defined(name, thing, f"class {name}: ...  # {what}")
        if callable(thing):
            return self._defined(name, thing, f"def {name}({_parameters(thing)}): ...  # {what}")
        return self._defined(name, thing, f"{name} = ...  # {what}")

    def _free(self, name: str, thing: Any) -> str:
        """Return a name that nothing else has here, and that is neither a builtin nor a keyword."""
        name = re.sub(r"\W", "_", name)
        name = f"{name}_" if keyword.iskeyword(name) else name if name.isidentifier() else f"_{name}"
        while (name in self._names and self._names[name] is not thing) or hasattr(builtins, name):
            name += "_"
        return name

    def _defined(self, name: str, thing: Any, source: str) -> str:
        self._names[name] = thing
        self._definitions.extend([source] if source else [])
        return name

    def _module(self, module: types.ModuleType, name: str) -> str:
        alias = self._free(name, module)
        self._modules.add(f"import {module.__name__} as {alias}" if alias != module.__name__ else f"import {alias}")
        self._names[alias] = module
        return alias

    def _operation(self, op: Op) -> str:
        if OPS.get(op.name) is op:
            return f'{self.imported("autodiff", "OPS")}["{op.name}"]'
        modules: list[Any] = [*sys.modules.values()]  # None for a package that is hidden
        for module in (m for m in modules if isinstance(m, types.ModuleType) and m.__name__ != "__main__"):
            if vars(module).get(op.name) is op:  # getattr would wake lazy modules
                return self.imported(module.__name__, op.name)
        row = OPS.get(op.name)
        same = (each.name for each in fields(Op) if each.name != "partials")
        if row is not None and all(getattr(op, name) == getattr(row, name) for name in same):
            replace, rules = self.imported("dataclasses", "replace"), self.text(op.partials, "rule")
            name = self._free(op.name, op)
            return self._defined(name, op, f"{name} = {replace}({self.text(row)}, partials={rules})")
        constructor = self.imported("autodiff", "Op")
        arguments = [repr(op.name), repr(op.symbol)]
        for field in fields(Op)[2:]:
            given = getattr(op, field.name)
            if field.init and field.name != "condition" and given is not None and given != ():
                arguments.append(f"{field.name}={self.text(given, field.name)}")
        name = self._free(op.name, op)
        inner = "".join(f"    {argument},\n" for argument in arguments)
        return self._defined(name, op, f"{name} = {constructor}(\n{inner})")

    def _expression(self, expression: Any, name: str) -> str:
        used = {node.id for node in ast.walk(ast.parse(expression.source)) if isinstance(node, ast.Name)}
        for each in sorted(used):
            if each in expression.names:
                written = self.text(expression.names[each], each)
                if written != each:
                    self._defined(each, expression.names[each], f"{each} = {written}")
            elif each in OPS and hasattr(autodiff, each):
                self.imported("autodiff", each)
        name = self._free(name, expression)
        return self._defined(name, expression, expression.source.replace("def f(", f"def {name}(", 1))

    def _function(self, function: types.FunctionType, name: str) -> str:
        syntax = syntax_of(function)
        if syntax is None:
            return self._place(function, name)
        if isinstance(syntax, ast.FunctionDef):  # named before its body is written, which may call it
            syntax.name = self._free(function.__name__, function)
            self._names[syntax.name] = function
        parameters = {a.arg for a in ast.walk(syntax.args) if isinstance(a, ast.arg)}
        around = surroundings(function)
        syntax = self._resolved(syntax, {name: each for name, each in around.items() if name not in parameters})
        defaults = iter([*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()])
        for default in (syntax.args.defaults, syntax.args.kw_defaults):
            default[:] = [d and ast.parse(self.text(next(defaults)), mode="eval").body for d in default]
        if isinstance(syntax, ast.Lambda):
            return ast.unparse(syntax)
        return self._defined(syntax.name, function, ast.unparse(syntax))


def _importable(thing: Any) -> tuple[str, str] | None:
    """Return the module and name that a function or class can be imported by; None if there are none."""
    module = getattr(thing, "__module__", None)
    name = getattr(thing, "__qualname__", None)
    if module in (None, "__main__") or module not in sys.modules or not isinstance(name, str):
        return None
    return (module, name) if getattr(sys.modules[module], name, None) is thing else None


def _number(x: Any) -> str:
    plain: Any = getattr(x, "item", lambda: x)()
    for kind in (bool, int, float, str):
        if isinstance(plain, kind):
            plain = kind(plain)  # of a kind of its own, such as an enumeration's, it may show otherwise
            break
    return f'float("{plain}")' if isinstance(plain, float) and not math.isfinite(plain) else repr(plain)


def _parameters(function: Any) -> str:
    try:
        names = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return "*arguments"
    simple = all(p.kind is p.POSITIONAL_OR_KEYWORD and p.name.isidentifier() for p in names)
    return ", ".join(p.name for p in names) if simple else "*arguments"


def _is_plain_object(thing: Any) -> bool:
    """Tell whether an instance of a user's class holds only numbers, text, arrays, Values and lists of them."""
    kind = thing.__class__
    simple = kind.__module__ != "builtins" and kind.__new__ is object.__new__ and "__slots__" not in vars(kind)
    if kind is type or kind is Value or not simple or not hasattr(thing, "__dict__"):
        return False
    left: list[Any] = [*thing.__dict__.values()]
    seen = 0
    while left:
        each, seen = left.pop(), seen + 1
        if type(each) is dict:
            left += [*each, *each.values()]
        elif type(each) in {list, tuple}:
            left += each
        elif not (each is None or isinstance(each, (int, float, str, np.generic, np.ndarray, Value))) or seen > 200:
            return False
    return "__setattr__" not in vars(kind)


def reproduction(last: Callable[[Program], str]) -> Callable[[], str]:
    """Return a function that writes the program ending in `last(program)`: few failures are ever read."""

    def write() -> str:
        program = Program()
        try:
            return program.written(last(program))
        except RecursionError:  # what holds itself, or is nested too deeply to write
            program = _Places()
            return program.written(last(program))

    return write


class _Places(Program):
    """Leaves a place for everything but plain numbers."""

    def text(self, thing: Any, name: str = "f") -> str:
        known = next((each for each, other in self._names.items() if other is thing), None)
        plain = thing is None or isinstance(thing, (int, str, float, complex, np.generic))
        return known or (_number(thing) if plain else self._place(thing, name))
