"""Mutation testing of the core: `python -m tests.mutation` plants one fault at a time and asks whether a test fails.

Faults are made in the syntax tree: operators and comparisons exchanged, conditions negated, numbers off by one, statements
and `else` branches dropped, returned values lost, arguments and pairs exchanged, exceptions not caught. Left alone are
docstrings, annotations, names and the wording of messages. Each mutant is tested in a forked process of its own, the
quickest tests first, up to the first failure; one that takes a minute hangs and counts as killed.

Survivors are listed with what was changed; docs/trust.md argues for each.
"""

# ruff: noqa: T201 # a command: it prints

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.machinery
import json
import os
import random
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CORE = ("ops", "value", "backward")
KILLERS = {  # quickest first; survival and copying are left out, being slow
    "ops": ("value", "accuracy", "refusals", "ufuncs", "transforms", "traceable_rules", "laws"),
    "value": (
        *("value", "ufuncs", "refusals", "transforms", "dropin", "traceable_rules", "compile", "compile_laws"),
        *("backward", "laws"),
    ),
    "backward": ("backward", "value", "transforms", "laws", "compile"),
}
SLOW = "not (million or hundred_thousand or torch or scipy or argnums_as_in_jax or copies or quadratic)"
SECONDS = 120  # of the processor's time: a busy machine kills nobody

SWAPS: dict[type[Any], type[Any]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def variants(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Every fault that can be planted at this node: what it is, and the node that takes its place."""
    again = copy.deepcopy

    def swapped(**fields: Any) -> ast.AST:
        new = again(node)
        for name, value in fields.items():
            setattr(new, name, value)
        return new

    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in SWAPS:
            yield f"{type(op).__name__} → {SWAPS[type(op)].__name__}", swapped(op=SWAPS[type(op)]())
        case ast.Compare(ops=ops):
            for i, op in enumerate(ops):
                new = [*ops[:i], SWAPS[type(op)](), *ops[i + 1 :]]
                yield f"{type(op).__name__} → {type(new[i]).__name__}", swapped(ops=new)
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
            yield f"without {type(node.op).__name__}", operand
        case ast.Constant(value=bool(x)):
            yield f"{x} → {not x}", ast.Constant(not x)
        case ast.Constant(value=int(x) | float(x)):
            yield f"{x} → {x + 1}", ast.Constant(x + 1)
        case ast.Break():
            yield "break → continue", ast.Continue()
        case ast.Continue():
            yield "continue → break", ast.Break()
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "returns None", ast.Return(ast.Constant(None))
        case ast.Call(args=[first, second, *rest]) if ast.dump(first) != ast.dump(second):
            if not any(isinstance(x, ast.Starred) for x in (first, second)):
                yield "arguments exchanged", swapped(args=[second, first, *rest])
        case ast.Tuple(elts=[first, second, *rest], ctx=ast.Load()) if ast.dump(first) != ast.dump(second):
            yield "pair exchanged", swapped(elts=[second, first, *rest])
        case ast.ExceptHandler(type=ast.expr()):
            yield "not caught", swapped(type=ast.Tuple([], ast.Load()))
        case ast.For():
            yield "no iteration", swapped(iter=ast.Tuple([], ast.Load()))
        case _:
            pass
    if isinstance(node, (ast.If, ast.IfExp, ast.While)) and not isinstance(node.test, ast.Constant):
        yield "condition negated", swapped(test=ast.UnaryOp(ast.Not(), again(node.test)))
    if isinstance(node, ast.If) and node.orelse:
        yield "without else", swapped(orelse=[])
    if (isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)) or isinstance(
        node, (ast.Assign, ast.AugAssign, ast.Raise, ast.Delete)
    ):
        yield "dropped", ast.Pass()


def places(tree: ast.Module) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Where faults go: parent, field, index. Not into annotations, messages, or what only types need."""
    queue: list[ast.AST] = [tree]
    while queue:
        parent = queue.pop(0)
        for field, value in ast.iter_fields(parent):
            if field in {"annotation", "returns", "decorator_list", "type_params"}:
                continue
            for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr):
                    continue
                if isinstance(child, ast.ClassDef) and any(ast.unparse(b) == "Protocol" for b in child.bases):
                    continue
                if isinstance(child, ast.Assign) and "Callable" in ast.unparse(child.value):  # the name of a type
                    continue
                yield parent, field, i
                if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call):
                    continue  # the wording is not mutated, the raise itself is
                queue.append(child)


def mutants(module: str) -> Iterator[tuple[str, ast.Module]]:
    """Each fault of a module, as a description and the whole tree with that fault."""
    tree = ast.parse((ROOT / "autodiff" / f"{module}.py").read_text(encoding="utf-8"))
    for parent, field, i in list(places(tree)):
        child = getattr(parent, field) if i is None else getattr(parent, field)[i]
        for kind, new in variants(child):
            line = getattr(child, "lineno", getattr(parent, "lineno", 0))
            before = " ".join(ast.unparse(child).split())
            for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
                if hasattr(child, name):
                    setattr(new, name, getattr(child, name))
            _put(parent, field, i, new)
            yield f"{module}.py:{line}: {kind}: {before[:110]}", ast.fix_missing_locations(tree)
            _put(parent, field, i, child)


def _put(parent: ast.AST, field: str, i: int | None, node: ast.AST) -> None:
    if i is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[i] = node


class Planted(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module of the core its mutant's code when it is imported."""

    def __init__(self, module: str, code: Any) -> None:
        self.name, self.code = f"autodiff.{module}", code

    def find_spec(self, fullname: str, *_: Any) -> Any:
        if fullname == self.name:
            path = ROOT / "autodiff" / f"{fullname.partition('.')[2]}.py"
            return importlib.machinery.ModuleSpec(fullname, self, origin=str(path))
        return None

    def exec_module(self, module: Any) -> None:
        module.__file__ = module.__spec__.origin
        exec(self.code, vars(module))  # the mutant is our own code


def killed(module: str, code: Any) -> bool:
    """Whether a test fails, in a forked process."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            sys.meta_path.insert(0, Planted(module, code))
            os.environ["HYPOTHESIS_PROFILE"] = "brief"
            import pytest

            rewriting = "ignore::pytest.PytestAssertRewriteWarning"  # Hypothesis is there already
            options = ["-x", "-q", "-p", "no:cacheprovider", "-W", rewriting, "-k", SLOW]
            for name in KILLERS[module]:  # one at a time: most mutants die before the last ones are imported
                status = int(pytest.main([*options, f"tests/test_{name}.py"]))
                if status:
                    break
        finally:
            os._exit(min(status, 100))
    _, status = os.waitpid(child, 0)
    return status != 0


def work(jobs: list[tuple[str, str, Any]], out: Path, share: int, shares: int) -> None:
    for i, (description, module, code) in enumerate(jobs):
        if i % shares == share:
            verdict = killed(module, code)
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps([description, verdict]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], prog="python -m tests.mutation")
    parser.add_argument("--modules", nargs="+", default=CORE, choices=CORE)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "mutation.jsonl")
    parser.add_argument("--every", type=int, default=1, help="only every n-th mutant")
    parser.add_argument("--go-on", action="store_true", help="keep what --out holds already, and do the rest")
    parser.add_argument("--again", type=Path, help="only the survivors in this file")
    options = parser.parse_args()
    jobs: list[tuple[str, str, Any]] = []
    for module in options.modules:
        for description, tree in mutants(module):
            try:
                code = compile(tree, f"{module}.py", "exec")
            except (SyntaxError, ValueError, TypeError):  # `continue` outside a loop
                continue
            jobs.append((description, module, code))
    jobs = jobs[:: options.every]
    if options.again:
        lines = [json.loads(line) for line in options.again.read_text(encoding="utf-8").splitlines()]
        survived = {description for description, verdict in lines if not verdict}
        jobs = [job for job in jobs if job[0] in survived]
    options.out.parent.mkdir(exist_ok=True)
    if options.go_on:
        done = {json.loads(line)[0] for line in options.out.read_text(encoding="utf-8").splitlines()}
        jobs = [job for job in jobs if job[0] not in done]
    else:
        options.out.unlink(missing_ok=True)
    os.chdir(ROOT)
    import hypothesis  # noqa: F401 # once, before forking, what every process needs
    import mpmath  # noqa: F401
    import numpy as np  # noqa: F401
    import pytest  # noqa: F401

    for module in [] if options.go_on else options.modules:
        if killed(module, compile((ROOT / "autodiff" / f"{module}.py").read_text(encoding="utf-8"), module, "exec")):
            raise SystemExit(f"the tests of {module}.py fail without any fault")
    random.Random(1986).shuffle(jobs)  # so that a run cut short is a fair sample
    workers = []
    for share in range(options.jobs):
        worker = os.fork()
        if worker == 0:
            os.setsid()
            work(jobs, options.out, share, options.jobs)
            os._exit(0)
        workers.append(worker)
    for worker in workers:
        os.waitpid(worker, 0)
    found = [json.loads(line) for line in options.out.read_text(encoding="utf-8").splitlines()]
    survivors = sorted(description for description, verdict in found if not verdict)
    print(*survivors, sep="\n")
    dead = len(found) - len(survivors)
    print(f"{len(found)} mutants, {dead} killed ({dead / max(len(found), 1):.1%}), {len(survivors)} survived")


if __name__ == "__main__":
    main()
