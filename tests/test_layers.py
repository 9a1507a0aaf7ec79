"""Imports run one way (docs/design.md, section 2), and importing the engine is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What a module of `autodiff` may import, lowest first: only what stands above it in this list.
ORDER = [
    "native", "wording", "errors", "domains", "nests", "forwards", "arrays", "ops", "grad_mode", "held", "backward", "advice", "naming", "propagation", "copying", "ufuncs", "methods",
    "value", "functions", "folding", "signatures", "variables", "transforms", "compiler", "explanations", "pictures", "testing",
]  # fmt: skip


def imports(path):
    """The modules that a file imports at its top level or inside functions, as dotted names; for types alone is no matter."""
    tree = ast.parse(path.read_text())
    tree.body = [
        node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            yield node.module
            if node.module == "autodiff":
                yield from (f"autodiff.{alias.name}" for alias in node.names)


def room(module):
    """autodiff.pictures.graph belongs to the room "pictures"."""
    parts = module.split(".")
    return parts[1] if parts[0] == "autodiff" and len(parts) > 1 and parts[1] in ORDER else None


MODULES = sorted(p for p in (ROOT / "autodiff").rglob("*.py") if p != ROOT / "autodiff" / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_downward(path):
    """A module imports only rooms below its own; a Value in Jupyter and an error's picture look up, when asked."""
    own = path.relative_to(ROOT / "autodiff").parts[0].removesuffix(".py")
    assert own in ORDER, f"{own} is a new room: give it a place in the order"
    rooms = {room(m) for m in imports(path)} - {None, own}
    rooms -= {"methods": {"pictures"}, "errors": {"testing"}}.get(own, set())
    assert {r for r in rooms if ORDER.index(r) > ORDER.index(own)} == set()
    assert not any(m.split(".")[0] == "models" for m in imports(path))


LONG = {"_expression"}  # of the readable text: one case per kind of array


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_function_is_longer_than_a_screen(path):
    """A function has at most 60 lines, beside its docstring, in which each documented option costs one."""
    functions = [
        x for x in ast.walk(ast.parse(path.read_text())) if isinstance(x, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    for f in functions:
        told = f.body[0].end_lineno - f.body[0].lineno + 1 if ast.get_docstring(f) else 0
        assert f.end_lineno - f.lineno + 1 - told <= 60 or f.name in LONG, f"{f.name} is too long; part it"


def test_models_use_only_what_autodiff_makes_public():
    """models/ imports names from `autodiff` and its public packages, never from the modules inside."""
    public = {"autodiff", "autodiff.testing", "autodiff.pictures", "autodiff.compiler", "autodiff.wording"}
    for path in (ROOT / "models").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "autodiff":
                assert node.module in public, f"{path} reaches into {node.module}"
                assert all(not alias.name.startswith("_") for alias in node.names), path


def test_no_module_is_named_like_a_public_function():
    """autodiff.draw stays the function whatever is imported."""
    import autodiff

    modules = {p.stem for p in MODULES} | {p.parent.name for p in MODULES}
    assert modules.isdisjoint(set(autodiff.__all__) | {"render", "gradcheck", "expressions"})


def run(code):
    return subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code], capture_output=True, text=True, check=False, cwd=ROOT.parent
    )


@pytest.mark.parametrize(
    "heavy", ["graphviz", "pygraphviz", "hypothesis", "matplotlib", "scipy", "torch", "sklearn", "tqdm"]
)
def test_importing_the_engine_and_the_models_is_light(heavy):
    """Optional packages are loaded only when they are used; imports give no warning."""
    done = run(f"import sys, autodiff, models; sys.exit({heavy!r} in sys.modules)")
    assert done.returncode == 0, done.stderr


def test_draw_is_there_when_asked_for():
    """The lazy name is found, others are an AttributeError."""
    done = run("import autodiff; assert callable(autodiff.draw); autodiff.nothing")
    assert "module 'autodiff' has no attribute 'nothing'" in done.stderr
    done = run("import autodiff; autodiff.vmap")
    assert "module 'autodiff' has no attribute 'vmap'; here it is compile(f), called on rows" in done.stderr


def test_compiler_and_pictures_are_loaded_when_asked_for():
    """`import autodiff` brings the engine alone; the lazy names are the real ones."""
    code = """if True:
        import sys, autodiff
        assert not {"autodiff.compiler", "autodiff.pictures"} & set(sys.modules)
        from autodiff import compile, draw
        from autodiff.compiler import compile as real
        assert compile is real
        from autodiff.pictures import draw as real
        assert draw is real
    """
    done = run(code)
    assert done.returncode == 0, done.stderr


WITHOUT_NUMPY = """if True:
    import math, sys

    class Refuse:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] == "numpy":
                raise ModuleNotFoundError("No module named 'numpy'", name="numpy")

    sys.meta_path.insert(0, Refuse())
    from autodiff import OPS, DomainError, Value, anomalies, draw, exp, explain, no_grad, softmax, stepper, weighted_sum
"""


def test_the_engine_works_in_an_interpreter_without_numpy():
    """Values, `backward` of both orders, `explain` and `draw`: the chain rule by hand is the oracle."""
    done = run(
        WITHOUT_NUMPY
        + """
    x, w = Value(2.0, "x"), Value(-3.0, "w")
    z = weighted_sum([w], [x], bias=7.0) * exp(x)
    z.label = "z"
    z.backward(create_graph=True)
    assert math.isclose(x.grad.data, math.exp(2.0) * (1.0 - 3.0)), x.grad
    slope = x.grad
    x.zero_grad()
    slope.backward()
    assert math.isclose(x.grad, math.exp(2.0) * (1.0 - 2 * 3.0)), x.grad
    assert "z" in draw(z).source
    assert "∂z/∂w" in str(explain(w, of=z))
    assert anomalies(z) == ()
    assert [p.data for p in softmax([Value(0.0), Value(0.0)])] == [0.5, 0.5]
    """
    )
    assert done.returncode == 0, done.stderr


def test_the_stepper_is_the_same_without_numpy():
    """The page of a graph with every row of the table, rules included, is that of an interpreter that has NumPy."""
    code = """
    from autodiff import OPS, Value, total
    rows = [op(*[Value(0.5 + 0.25 * i) for i in range(op.arity or 3)]) for op in OPS.values() if op.name != "acosh"]
    import hashlib
    from autodiff import stepper
    print(hashlib.sha256(stepper(total([x for x in rows if abs(x.data) < 1e300]), max_nodes=5000).html.encode()).hexdigest())
    print(len(rows), "numpy" in sys.modules)
    """
    without, having = run(WITHOUT_NUMPY + code), run("if True:\n    import sys, numpy" + code)
    assert without.returncode == having.returncode == 0, without.stderr + having.stderr
    assert without.stdout.splitlines()[0] == having.stdout.splitlines()[0]
    assert without.stdout.splitlines()[1].endswith("False")


def test_every_operation_has_its_limits_without_numpy():
    """At edges, where Python's functions raise, values and slopes are those of IEEE 754 all the same."""
    done = run(
        WITHOUT_NUMPY
        + """
    assert exp(1000.0) == math.inf
    root = Value(0.0).sqrt()
    assert root.partials == (math.inf,)
    for op in OPS.values():
        for edge in (0.0, 1.0, -1.0, 1000.0, math.inf, math.nan):
            try:
                assert op(*[Value(edge)] * (op.arity or 3)).op is op
            except DomainError:
                pass
    assert "numpy" not in sys.modules
    """
    )
    assert done.returncode == 0, done.stderr


def test_numpy_is_loaded_with_the_first_array():
    """`import autodiff` and what needs no array leave it alone; with an array everything is as ever."""
    done = run("""if True:
        import sys
        from autodiff import Value, draw, exp, explain
        (Value(2.0) * exp(1.0)).backward()
        assert "numpy" not in sys.modules
        import numpy as np
        v = Value(3.0)
        assert (np.array([1.0, 2.0]) * v)[1].data == 6.0
        assert (v * np.array([1.0, 2.0]))[1].data == 6.0
        assert exp(np.array([0.0, 1.0]))[0] == 1.0
        assert np.exp(v).operands == (v,)
        assert Value(np.array(2.0)).data == Value(np.float32(2.0)).data == Value(np.int64(2)).data == 2.0
    """)
    assert done.returncode == 0, done.stderr
