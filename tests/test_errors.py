"""Exceptions have one home, names that stay, and pickles that outlive a move."""

import ast
import builtins
import importlib
import pickle
from pathlib import Path

import pytest

import autodiff
from autodiff import errors
from autodiff.testing import gradcheck

PACKAGE = Path(autodiff.__file__).parent
CLASSES = {
    name: thing for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, Exception)
}
OLD_HOMES = {
    "DomainError": ["autodiff.domains", "autodiff"],
    "TraceError": ["autodiff.compiler.trace", "autodiff.compiler", "autodiff"],
    "RenderError": ["autodiff.pictures.rendering", "autodiff.pictures"],
    "NoDerivativeError": ["autodiff.testing.oracles"],
    "WrongDerivativeError": ["autodiff.testing.failures", "autodiff.testing"],
}


def test_every_exception_class_of_the_package_lives_in_one_module():
    """No other module of autodiff defines a class that derives from an exception or a warning."""
    known = {
        name for name, thing in vars(builtins).items() if isinstance(thing, type) and issubclass(thing, BaseException)
    }
    for path in PACKAGE.rglob("*.py"):
        if path.name == "errors.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                assert bases.isdisjoint(known | set(CLASSES)), f"{path}: class {node.name}"


@pytest.mark.parametrize("name", CLASSES)
def test_every_exception_is_public_and_stands_in_the_drawing(name):
    """It can be imported from autodiff, and the module's docstring draws it below a base of its own."""
    assert getattr(autodiff, name) is CLASSES[name]
    assert name in autodiff.__all__
    drawn = errors.__doc__.splitlines()
    at = next(i for i, line in enumerate(drawn) if f"── {name} " in line)
    above = next(line for line in reversed(drawn[:at]) if "──" in line and line.index("──") < drawn[at].index("──"))
    base = above.partition("── ")[2].split()[0]
    assert CLASSES[name].__bases__[0] is (CLASSES.get(base) or getattr(builtins, base))


@pytest.mark.parametrize(("name", "home"), [(name, home) for name, homes in OLD_HOMES.items() for home in homes])
def test_exceptions_are_found_where_they_used_to_be(name, home):
    """The old import works, and so does a pickle that names the old place."""
    assert getattr(importlib.import_module(home), name) is CLASSES[name]
    if name != "WrongDerivativeError":
        error = pickle.loads(f"c{home}\n{name}\n(V why\ntR.".encode())
        assert type(error) is CLASSES[name]
        assert error.args == (" why",)


@pytest.mark.parametrize("name", CLASSES)
def test_exceptions_survive_pickling(name):
    """Type and message come back, also those of an error that holds a graph."""
    error = CLASSES[name]("why") if name != "WrongDerivativeError" else wrong_derivative()
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)


def wrong_derivative():
    cube = autodiff.Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: 2.0 * a * a,))
    with pytest.raises(errors.WrongDerivativeError) as caught:
        gradcheck(cube, 2.0)
    return caught.value


def test_a_pickled_wrong_derivative_from_before_the_move_is_read():
    """Such pickles call a function of autodiff.testing.failures."""
    fields = {"operation": "cube", "operand": 1, "point": (2.0,), "found": 8.0, "expected": 12.0, "oracle": "complex step",
              "bound": 1e-15, "root": None, "node": None}  # fmt: skip
    old = pickle.dumps(("it is wrong", "print()", fields), protocol=0)
    error = pickle.loads(b"cautodiff.testing.failures\n_restored\n" + old[:-1] + b"R.")
    assert isinstance(error, errors.WrongDerivativeError)
    assert error.ratio == 8.0 / 12.0
