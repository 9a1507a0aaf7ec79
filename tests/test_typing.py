"""Types that editors see: truthful, and as precise as can be said."""

import ast
import importlib
import inspect
import re
import runpy
import sys
import types
import typing
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import models

EXAMPLES = Path(__file__).parent / "typing_examples.py"


def agrees(value, declared):
    """Whether a value is of a declared type, entries included; anything agrees with Any."""
    origin, inner = typing.get_origin(declared), typing.get_args(declared)
    if declared is typing.Any:
        return True
    if origin is tuple:
        return type(value) is tuple and len(value) == len(inner) and all(map(agrees, value, inner))
    if origin is list:
        return type(value) is list and all(agrees(entry, inner[0]) for entry in value)
    if origin is dict:
        return type(value) is dict and all(agrees(k, inner[0]) and agrees(v, inner[1]) for k, v in value.items())
    if origin in {np.ndarray, npt.NDArray}:  # the alias itself is the origin since NumPy 2.5
        dtype = inner[0] if origin is not np.ndarray else typing.get_args(inner[1])[0]
        return isinstance(value, np.ndarray) and (dtype is typing.Any or np.issubdtype(value.dtype, dtype))
    if origin is types.UnionType:
        return any(agrees(value, each) for each in inner)
    if origin is typing.Literal:
        return value in inner
    return type(value) is float if declared is float else isinstance(value, declared)


def test_what_editors_are_told_is_what_comes_out(monkeypatch):
    """Each `assert_type` of the examples holds for the value itself when the file is run."""
    checked = []

    def assert_type(value, declared):
        assert agrees(value, declared), f"{value!r} is declared {declared}"
        checked.append(declared)
        return value

    monkeypatch.setattr(typing, "assert_type", assert_type)
    runpy.run_path(str(EXAMPLES))
    assert len(checked) >= 20


def test_the_check_finds_a_wrong_type():
    """A float is no Value, an array of floats none of objects."""
    from autodiff import Value

    assert not agrees(2.0, Value)
    assert not agrees(2, float)
    assert not agrees((2.0, 3), tuple[float, float])
    assert not agrees(np.zeros(2, dtype=object), npt.NDArray[np.float64])


PUBLIC = ["autodiff", "autodiff.compiler", "autodiff.explanations", "autodiff.pictures", "autodiff.testing", "models"]
PUBLIC += ["autodiff.testing.laws", "models.plots"]
PUBLIC += [f"models.{path.stem}" for path in Path(models.__file__).parent.glob("[!_]*.py")]
PYTHONS_OWN = {"__getattr__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__deepcopy__", "__copy__"}


def exported(package):
    """Module and name of each function and class that a package offers, wherever it is defined."""
    module = importlib.import_module(package)
    own = [
        name for name, thing in vars(module).items() if getattr(thing, "__module__", "") == package and name[0] != "_"
    ]
    things = [getattr(module, name) for name in getattr(module, "__all__", own)]
    return {
        (thing.__module__, thing.__qualname__)
        for thing in things
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and thing.__module__.startswith(("autodiff", "models"))
    }


def annotations(function):
    """Line, name and annotation of every parameter, and of the result."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
    yield from ((each.lineno, each.arg, each.annotation) for each in every if each and each.annotation)
    if function.returns:
        yield function.returns.lineno, "result", function.returns


def bare_anys(source, names):
    """Line and name of each `Any` in the signatures of functions and methods, of those names, that has no reason.

    A reason is a comment `# Any: …` on a line where there is no other, or one in the signature that says its name.
    """
    tree, lines = ast.parse(source), source.splitlines()
    chosen = [node for node in tree.body if getattr(node, "name", None) in names]
    methods = [node for each in chosen if isinstance(each, ast.ClassDef) for node in each.body]
    overloaded = set()
    for node in [*chosen, *methods]:
        if not isinstance(node, ast.FunctionDef):
            continue
        private = node.name.startswith("_") and not node.name.endswith("__")
        decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
        if "overload" in decorators:
            overloaded.add(node.name)
        elif node.name in overloaded:  # nobody sees it
            continue
        if private or node.name in PYTHONS_OWN or "infix" in decorators:  # which gives the method another type
            continue
        first = node.body[0]
        end = max(first.lineno - (ast.unparse(first) != "..."), node.lineno)
        reasons = {k: lines[k - 1].partition("# Any: ")[2] for k in range(node.lineno, end + 1)}
        found = [(line, name) for line, name, type_ in annotations(node) if re.search(r"\bAny\b", ast.unparse(type_))]
        for line, name in found:
            alone = [at for at, _ in found].count(line) == 1
            if not (alone and reasons[line]) and not re.search(rf"\b{name}\b", " ".join(reasons.values())):
                yield line, name


@pytest.mark.parametrize("package", PUBLIC)
def test_any_in_a_public_signature_has_its_reason_beside_it(package):
    """A comment `# Any: …` in the lines of the signature says what each stands for and why that is no type."""
    by_module = {}
    for module, name in exported(package):
        by_module.setdefault(module, set()).add(name)
    for module, names in by_module.items():
        path = Path(sys.modules[module].__file__)
        assert list(bare_anys(path.read_text(encoding="utf-8"), names)) == [], path


def test_an_any_without_a_reason_is_found():
    """Among arguments, as a result, in a method, in an overload; not where a reason stands, which is for one alone."""
    source = """
def one(x: Any) -> int:
    return 1
def two(x: int) -> list[Any]:  # Any: whatever
    return []
class Three:
    def method(self) -> Any: ...
    def _private(self) -> Any: ...
    @overload
    def four(self, x: int) -> Any: ...  # Any: it depends
    def four(self, x: Any) -> Any: ...
def five(x: Any, y: Any) -> Any:  # Any: y is whatever; the result too
    return 1
def six(  # Any: z is whatever
    x: Any,  # Any: whatever
    y: Any, z: Any, *w: Any,
) -> Any:
    return 1
"""
    found = list(bare_anys(source, {"one", "two", "Three", "five", "six"}))
    assert found == [(2, "x"), (12, "x"), (16, "y"), (16, "w"), (17, "result"), (7, "result")]


@pytest.mark.parametrize("package", PUBLIC)
def test_help_shows_types_as_the_source_writes_them(package):
    """`ArrayLike`, and not the twenty types that it stands for: a public signature keeps its annotations as text."""
    for module, name in exported(package):
        thing = getattr(sys.modules[module], name)
        methods = [each for key, each in vars(thing).items() if key[0] != "_"] if inspect.isclass(thing) else [thing]
        for function in filter(inspect.isfunction, (getattr(each, "__func__", each) for each in methods)):
            shown = inspect.unwrap(function).__annotations__
            assert all(isinstance(each, str) for each in shown.values()), (name, shown)
