"""How far the tests reach in: a test holds on to what is public, and to the inside of one module at most, the one it tests.

Counted from the syntax trees of all files under tests/, helpers included. Inside are:

- modules with a leading underscore in their dotted name;
- modules of a package whose `__init__` says what is public (`autodiff.ops`, `autodiff.compiler.arrays.group`), except those that
  the documentation tells users to import;
- names with one leading underscore, whether imported, used as attributes or written as strings for
  `monkeypatch.setattr`. Such a name counts for the module that defines it.
"""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = "autodiff", "models"
DOCUMENTED = {"autodiff.errors", "autodiff.testing.laws", "autodiff.testing.faults", "autodiff.testing.kinks"}
OTHERS = {"_prev", "_op", "_replace"}  # micrograd's names and the standard library's, which are documented
DOTTED = re.compile(rf"({'|'.join(PACKAGES)})(\.\w+)+")  # as monkeypatch.setattr takes it
PRIVATE = re.compile(r"_[a-z]\w*[a-z0-9]|_[a-z]")  # not a dunder, and not IPython's _repr_html_


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


SOURCES = {module_of(path): path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))}
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def exporting():
    """The packages that say themselves what is public."""
    return {
        module_of(path.parent / "__init__.py")
        for name in PACKAGES
        for path in (ROOT / name).rglob("__init__.py")
        if "__all__" in path.read_text(encoding="utf-8")
    }


EXPORTING = exporting() - {"models"}  # whose modules are public: models.losses, models.datasets


def is_inside(module):
    if module not in SOURCES or module in DOCUMENTED or module in PACKAGES:
        return False
    private = any(part.startswith("_") for part in module.split("."))
    return private or (
        module not in EXPORTING and any(module.startswith(f"{package}.") for package in EXPORTING - {"autodiff"})
    )


def defined(tree):
    """The private names that a file defines, functions, classes, variables and attributes."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
            case _:
                pass
    return {name for name in names if PRIVATE.fullmatch(name)}


@functools.cache  # and not on import, which every worker of every run waits for
def owners():
    """The modules that define each private name."""
    found = {}
    for module, path in SOURCES.items():
        for private in defined(parsed(path)) - OTHERS:
            found.setdefault(private, []).append(module)
    return found


def reached(tree):
    """What a test file reaches into: module -> the lines and names."""
    found, names, own = {}, [], defined(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                charged = [(alias.name, alias.name) for alias in aliases if is_inside(alias.name)]
            case ast.ImportFrom(module=module, names=aliases) if module:
                charged = [
                    (f"{module}.{alias.name}" if is_inside(f"{module}.{alias.name}") else module, alias.name)
                    for alias in aliases
                    if is_inside(f"{module}.{alias.name}")
                    or is_inside(module)
                    or (module in SOURCES and PRIVATE.fullmatch(alias.name))
                ]
            case ast.Constant(value=str(text)) if DOTTED.fullmatch(text):
                homes = [text.rsplit(".", k)[0] for k in range(text.count("."))]
                charged = [(home, text) for home in homes if is_inside(home) and text not in SOURCES]
            case ast.Attribute(attr=name) | ast.Constant(value=str(name)) if name in owners() and name not in own:
                names.append((node.lineno, name))
                continue
            case _:
                continue
        for module, name in charged:
            found.setdefault(module, []).append(f"line {node.lineno}: {name}")
    for line, name in names:  # where several modules have the name, one that is reached into anyway
        module = next((owner for owner in owners()[name] if owner in found), owners()[name][0])
        found.setdefault(module, []).append(f"line {line}: {name}")
    return found


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT / "tests")))
def test_a_test_file_reaches_inside_one_module_at_most(path):
    """Whoever moves the inside of a module has one test file to change."""
    found = reached(parsed(path))
    assert len(found) <= 1, "\n".join(f"{module}: {', '.join(lines)}" for module, lines in sorted(found.items()))
