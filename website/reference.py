"""The reference: a page for each package, from its signatures and docstrings, and an example for every name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from autodiff import OPS, Op, grad

# Of modules without `__all__`, what serves the others.
HELPERS = {"activated", "activation_name", "activation_title", "curves", "elsewhere", "in_notebook", "restored"}
HELPERS |= {"told", "warn"}
EXAMPLES = Path(__file__).parent / "examples.md"


class Page(NamedTuple):
    """A page: its title, what it is about, and the modules whose public names it has."""

    title: str
    modules: tuple[str, ...]


PAGES = {
    "autodiff": Page("autodiff", ("autodiff",)),
    "operations": Page("Operations, one by one", ("autodiff.ops", "autodiff.functions")),
    "explanations": Page("autodiff.explanations", ("autodiff.explanations",)),
    "pictures": Page("autodiff.pictures", ("autodiff.pictures",)),
    "testing": Page("autodiff.testing", ("autodiff.testing", "autodiff.testing.laws", "autodiff.testing.faults")),
    "models": Page("models", ("models",)),
    "training": Page(
        "Training",
        (
            "models.training", "models.losses", "models.optimizers", "models.activations", "models.initialization",
            "models.live",
        ),
    ),
    "data": Page("Data and plots", ("models.datasets", "models.plots")),
    "course": Page(
        "What the course computes",
        ("models.backpropagation", "models.perturbation", "models.hierarchy", "models.networks_1986"),
    ),
    "errors": Page("Errors and warnings", ("autodiff.errors", "models.errors")),
}  # fmt: skip


def names(module: str) -> Iterator[tuple[str, Any]]:
    """Return the public names of a module, each with its object: those of `__all__`, or else what is defined there.

    An operation stands in one place, beside its siblings, and so do exceptions.
    """
    loaded = import_module(module)
    for name in getattr(loaded, "__all__", None) or [name for name in vars(loaded) if not name.startswith("_")]:
        thing = getattr(loaded, name)
        home = getattr(thing, "__module__", module)
        operation = isinstance(thing, Op) or home == "autodiff.functions"
        error = isinstance(thing, type) and issubclass(thing, Exception)
        defined = home == module and (inspect.isfunction(thing) or isinstance(thing, type))
        if not hasattr(loaded, "__all__") and not defined:
            continue
        if (operation and module == "autodiff") or (error and not module.endswith("errors")):
            continue
        if (module == "autodiff.ops" and not operation) or name in HELPERS:
            continue
        yield name, thing


def examples() -> dict[str, str]:
    """Return what website/examples.md has, by name: examples of what has none in its docstring."""
    parts = re.split(r"^## ", EXAMPLES.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0].strip(): part.partition("\n")[2].strip() for part in parts}


def markdown(name: str) -> str:
    """Return a page of the reference as Markdown."""
    page, more = PAGES[name], examples()
    parts = [f"# {page.title}"]
    for module in page.modules:
        loaded = import_module(module)
        if len(page.modules) > 1:
            parts.append(f"## {module}")
        parts.append(prose(loaded.__doc__ or ""))
        for each, thing in names(module):
            parts += entry(module, each, thing, more.get(f"{module}.{each}", more.get(f"autodiff.{each}", "")))
    return "\n\n".join(filter(None, parts)) + "\n"


def entry(module: str, name: str, thing: Any, example: str) -> Iterator[str]:
    """Return a name's part of the page: heading, signature, docstring, example, and a class's methods."""
    yield f"### {name} {{ #{module}.{name} }}"
    if isinstance(thing, Op):
        yield from operation(name, thing)
        return
    documented = inspect.isfunction(thing) or isinstance(thing, type)
    if documented:
        yield signature(name, thing)
    yield prose(inspect.getdoc(thing) or "") if documented else f"`{name}` is `{thing!r:.60}`."
    yield example
    if isinstance(thing, type) and not issubclass(thing, Exception):
        for method, function in vars(thing).items():
            plain = getattr(function, "__func__", function)
            if not method.startswith("_") and inspect.isfunction(plain) and plain.__doc__:
                yield f"#### {name}.{method} {{ #{module}.{name}.{method} }}"
                yield signature(f"{name}.{method}", plain)
                yield prose(inspect.getdoc(plain) or "")


def signature(name: str, thing: Any) -> str:
    """Return a signature as a block, a parameter on each line where it is long."""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    whole = f"{name}{found}"
    whole = _bare(whole if len(_bare(whole)) <= 88 else _wrapped(name, found))
    return f"```python\n{whole}\n```"


def _bare(text: str) -> str:
    """Return a signature as it is written: annotations without quotes, functions by their names."""
    text = re.sub(r"ForwardRef\('([^']*)'\)", r"\1", text)
    text = re.sub(r"(: |-> )'([^'\n]*?)'(?=[,)\n =]|$)", r"\1\2", text)
    text = re.sub(r"<function (?:[\w.<>]*\.)?(\w+) at 0x\w+>", r"\1", text)
    text = re.sub(r"\*\w+: '?Never'?", "*", text)
    return re.sub(r"<factory>", "...", text)


def _wrapped(name: str, found: inspect.Signature) -> str:
    kinds, star = [], False
    for parameter in found.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            kinds.append("    *,")
        star = star or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        kinds.append(f"    {parameter},")
    end = "" if found.return_annotation is found.empty else f" -> {found.return_annotation}"
    return f"{name}(\n" + "\n".join(kinds) + f"\n){end}"


def prose(docstring: str) -> str:
    """Return a docstring as Markdown: its examples in blocks."""
    lines, block = [], False
    for line in inspect.cleandoc(docstring).splitlines():
        if line.startswith(">>>") and not block:
            lines += ["", "```python"] if lines and lines[-1] else ["```python"]
            block = True
        elif block and not line.strip():
            lines.append("```")
            block = False
        lines.append(line)
    text = "\n".join([*lines, "```"] if block else lines)
    return re.sub(r"(?<![/`(])docs/([\w-]+)\.md", r"[\1](../\1.md)", text)


POINTS = {1: ((0.5,), (1.5,), (2.5,)), 2: ((0.5, 1.25), (2.5, 1.25)), 3: ((1.0, 0.5, 2.5), (0.5, -1.0, 1.0))}


def operation(name: str, op: Op) -> Iterator[str]:
    """Return what a row of the table says, and its value and derivatives at a point, computed now."""
    yield f"Symbol `{op.symbol}`; its partials, domain and kink stand in [the table](../operations.md)."
    for point in POINTS.get(op.arity or 0, ()):
        try:
            value, slopes = op(*point), grad(op, argnums=tuple(range(len(point))))(*point)
        except (ArithmeticError, ValueError):  # outside its domain
            continue
        written = ", ".join(map(repr, point))
        by, given = ("", slopes[0]) if len(point) == 1 else (f", argnums={tuple(range(len(point)))}", slopes)
        lines = [
            f">>> from autodiff import grad, {name}", f">>> {name}({written})", repr(value),
            f">>> grad({name}{by})({written})", repr(given),
        ]  # fmt: skip
        yield "\n".join(["```python", *lines, "```"])
        return


__all__ = ["OPS", "PAGES", "examples", "markdown", "names"]
