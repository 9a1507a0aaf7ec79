"""Mutation testing of the core: `python -m tests.mutation` plants one fault at a time and asks whether a test fails.

Faults are made in the syntax tree: operators and comparisons exchanged, conditions negated, numbers off by one, statements
and `else` branches dropped, returned values lost, arguments and pairs exchanged, exceptions not caught. Left alone are
docstrings, annotations, names, the wording of messages, and order where it has no meaning: of exceptions to catch, of slots,
of what a symmetric function takes. Each mutant is tested in a forked process of its own, the
quickest tests first, up to the first failure; one that takes a minute hangs and counts as killed.

Survivors are listed with what was changed; docs/trust.md argues for each.
"""

# ruff: noqa: T201 # a command: it prints

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import gc
import importlib.abc
import importlib.machinery
import inspect
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

Job = tuple[str, Any]  # a description, and what of the code is changed

ROOT = Path(__file__).resolve().parent.parent
CORE = ("ops", "value", "backward", "propagation", "naming")
KILLERS = {  # quickest first; survival and copying are left out, being slow
    "ops": ("value", "accuracy", "refusals", "ufuncs", "transforms", "traceable_rules", "copying", "laws"),
    "value": (
        *("value", "ufuncs", "refusals", "transforms", "dropin", "traceable_rules", "compile", "compile_laws"),
        *("copying", "backward", "laws"),
    ),
    "backward": ("backward", "value", "transforms", "laws", "compile"),
    "propagation": ("backward", "value", "transforms", "compiled_derivatives", "laws"),
    "naming": ("value", "refusals", "explanations", "backward"),
}
SLOW = "not (million or hundred_thousand or torch or scipy or argnums_as_in_jax or copies or quadratic)"
OPTIONS = ["-x", "-q", "-p", "no:cacheprovider", "-k", SLOW, "-W", "ignore::pytest.PytestAssertRewriteWarning"]
SECONDS = 60  # of the processor's time: a busy machine kills nobody

SWAPS: dict[type[Any], type[Any]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
SYMMETRIC = {"hypot", "isclose", "_flows"}


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
            other = x + 1 if x + 1 != x else 2 * x
            yield f"{x} → {other}", ast.Constant(other)
        case ast.Break():
            yield "break → continue", ast.Continue()
        case ast.Continue():
            yield "continue → break", ast.Break()
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "returns None", ast.Return(ast.Constant(None))
        case ast.Call(args=[first, second, *rest]) if ast.dump(first) != ast.dump(second):
            symmetric = ast.unparse(node.func).rpartition(".")[2] in SYMMETRIC
            if not symmetric and not any(isinstance(x, ast.Starred) for x in (first, second)):
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
                if isinstance(parent, ast.ExceptHandler) and field == "type":
                    continue
                if isinstance(child, ast.Assign) and ast.unparse(child.targets) == "__slots__":
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


def spot(code: CodeType) -> tuple[Any, ...]:
    """What tells one function's code from another's in the same file."""
    return code.co_name, code.co_firstlineno, tuple(code.co_positions())


def changed(original: CodeType, mutant: CodeType) -> list[tuple[CodeType, CodeType]] | None:
    """The functions whose code differs; None where it is what a module or class does when it is imported."""
    if original == mutant:
        return []
    inner = [[x for x in code.co_consts if inspect.iscode(x)] for code in (original, mutant)]
    if len(inner[0]) != len(inner[1]):
        return None
    found = []
    if original.co_flags & inspect.CO_NEWLOCALS:
        if original.co_freevars != mutant.co_freevars:
            return None
        found.append((original, mutant))
    elif own(original) != own(mutant):
        return None
    for one, other in zip(*inner, strict=True):
        more = changed(one, other)
        if more is None:
            return None
        found += more
    return found


def own(code: CodeType) -> str:
    return repr((code.co_code, code.co_names, [x for x in code.co_consts if not inspect.iscode(x)]))


def forked(check: Callable[[], int], seconds: int) -> bool:
    """Whether `check`, in a process of its own, gives something other than 0, raises, or takes too long."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            status = check()
        finally:
            os._exit(min(status, 100))
    _, status = os.waitpid(child, 0)
    return status != 0


def shared(jobs: Sequence[Any], workers: int, work: Callable[[Any], None]) -> None:
    """Do the work in so many processes."""
    children = []
    for share in range(workers):
        child = os.fork()
        if child == 0:
            os.setsid()  # a share of the machine of its own, where sessions share it
            try:
                for job in jobs[share::workers]:
                    work(job)
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def import_and_test(module: str, code: CodeType | None) -> int:
    """For faults in what a module does when it is imported: pytest's verdict where it is imported so."""
    import pytest

    if code is not None:
        sys.meta_path.insert(0, Planted(module, code))
    for name in KILLERS[module]:  # one at a time: most mutants die before the last ones are imported
        if status := int(pytest.main([*OPTIONS, f"tests/test_{name}.py"])):
            return status
    return 0


class Server:
    """A pytest plugin: when all tests are collected, faults in functions are planted in place, each in a fork.

    Each test runs once before, without a fault, to learn how long it takes and which lines of the core it reaches; a
    fault is then tried on the tests that reach its function, quickest first.
    """

    def __init__(self, module: str, jobs: Sequence[Job], workers: int, note: Callable[[str, bool], None]) -> None:
        self.jobs, self.workers, self.note = jobs, workers, note
        self.path = str(ROOT / "autodiff" / f"{module}.py")

    def pytest_runtestloop(self, session: Any) -> bool:
        live: defaultdict[Any, list[FunctionType]] = defaultdict(list)
        for x in gc.get_objects():
            if isinstance(x, FunctionType) and x.__code__.co_filename == self.path:
                live[spot(x.__code__)].append(x)
        with tempfile.TemporaryDirectory() as folder:
            notes = Path(folder) / "notes.json"
            if forked(partial(self.plain, session, notes), 600):
                raise SystemExit(f"the tests of {self.path} fail without any fault")
            took, reached = json.loads(notes.read_text(encoding="utf-8"))

        def work(job: Job) -> None:
            description, pairs = job
            lines = {str(line) for original, _ in pairs for _, _, line in original.co_lines() if line}
            chosen = set().union(*(reached.get(line, ()) for line in lines))
            items = sorted((x for x in session.items if x.nodeid in chosen), key=lambda x: took[x.nodeid])
            limit = 10 + round(2 * sum(took[x.nodeid] for x in items))
            self.note(description, forked(partial(self.faulty, session, items, pairs, live), limit))

        shared(self.jobs, self.workers, work)
        return True

    def plain(self, session: Any, notes: Path) -> int:
        import coverage

        watch, took = coverage.Coverage(data_file=None, config_file=False, include=[self.path]), {}
        watch.start()
        for item in session.items:
            watch.switch_context(item.nodeid)
            before = time.process_time()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            took[item.nodeid] = time.process_time() - before
        watch.stop()
        notes.write_text(json.dumps([took, watch.get_data().contexts_by_lineno(self.path)]), encoding="utf-8")
        return int(session.testsfailed)

    def faulty(self, session: Any, items: Sequence[Any], pairs: Any, live: Mapping[Any, Any]) -> int:
        for original, mutant in pairs:
            for function in live[spot(original)]:
                function.__code__ = mutant
        for item in items:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            if session.testsfailed:
                return 1
        return 0


def try_all(module: str, jobs: Sequence[tuple[str, CodeType]], workers: int, note: Callable[[str, bool], None]) -> int:
    """Try each of the faults of a module, and note what came of it; 0 if that could be done."""
    import pytest

    path = ROOT / "autodiff" / f"{module}.py"
    plain = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    split = [(description, code, changed(plain, code)) for description, code in jobs]
    shared(
        [(description, code) for description, code, pairs in split if pairs is None],
        workers,
        lambda job: note(job[0], forked(partial(import_and_test, module, job[1]), SECONDS)),
    )
    server = Server(module, [(d, pairs) for d, _, pairs in split if pairs is not None], workers, note)
    return int(pytest.main([*OPTIONS, *(f"tests/test_{name}.py" for name in KILLERS[module])], plugins=[server]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], prog="python -m tests.mutation")
    parser.add_argument("--modules", nargs="+", default=CORE, choices=CORE)
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default: 2)")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "mutation.jsonl")
    parser.add_argument("--every", type=int, default=1, help="only every n-th mutant")
    parser.add_argument("--go-on", action="store_true", help="keep what --out holds already, and do the rest")
    parser.add_argument("--again", type=Path, help="only the survivors in this file")
    options = parser.parse_args()
    options.out.parent.mkdir(exist_ok=True)
    if not options.go_on:
        options.out.unlink(missing_ok=True)
    done = {description for description, _ in read(options.out)}
    wanted = {description for description, dead in read(options.again) if not dead} if options.again else None
    os.chdir(ROOT)
    os.environ["HYPOTHESIS_PROFILE"] = "brief"
    import hypothesis  # noqa: F401 # once, before forking, what every process needs
    import mpmath  # noqa: F401
    import numpy as np  # noqa: F401

    def note(description: str, dead: bool) -> None:
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps([description, dead]) + "\n")

    for module in options.modules:
        jobs = []
        for description, tree in mutants(module):
            with contextlib.suppress(SyntaxError, ValueError, TypeError):  # `continue` outside a loop
                jobs.append((description, compile(tree, str(ROOT / "autodiff" / f"{module}.py"), "exec")))
        jobs = [job for job in jobs[:: options.every] if job[0] not in done and (not wanted or job[0] in wanted)]
        random.Random(1986).shuffle(jobs)
        if forked(partial(try_all, module, jobs, options.jobs, note), 3600):
            raise SystemExit(f"the tests of {module}.py fail without any fault")
    found = read(options.out)
    survivors = sorted(description for description, dead in found if not dead)
    print(*survivors, sep="\n")
    dead = len(found) - len(survivors)
    print(f"{len(found)} mutants, {dead} killed ({dead / max(len(found), 1):.1%}), {len(survivors)} survived")


def read(path: Path) -> list[tuple[str, bool]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
