"""One row is all that an operation is: everything else that knows of operations follows from the table."""

import ast
import math
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, find, settings

import autodiff
from autodiff import OPS, Op, Value, draw, topological_order
from autodiff.forwards import Ieee
from autodiff.testing import expressions
from benchmarks.accuracy import mp, truth
from lessons.operations import rows

ROOT = Path(__file__).parent.parent
# Rows that are reached by operators and by functions with a signature of their own, not by their own name.
OPERATORS = {
    "add": "x + y",
    "sub": "x - y",
    "mul": "x * y",
    "div": "x / y",
    "pow": "x ** y",
    "pos": "+x",
    "neg": "-x",
    "remainder": "x % y",
    "floor_divide": "x // y",
    "abs": "abs(x)",
}
FUNCTIONS = {
    "leaky_relu": "leaky_relu(x, y)", "total": "total([x, y])", "mean": "mean([x, y])",
    "logsumexp": "logsumexp([x, y])", "weighted_sum": "weighted_sum([x], [y], z)",
}  # fmt: skip
SHOWN = {"*": "×", "-": "−", "/": "÷", "**": "xⁿ", "abs": "|x|", "Σwx": "Σ wx"}
every_row = pytest.mark.parametrize("op", OPS.values(), ids=OPS)


def operands(op):
    """Values inside every domain, off the kinks, in the order that clip wants."""
    return [Value(x) for x in (1.25 if op.name == "acosh" else 0.75, 0.5, 2.5, 0.25, 1.5)[: op.arity or 5]]


@every_row
def test_a_row_is_a_function_of_the_package(op):
    """It is exported under its name, or an operator or a function of that name records it."""
    if op.name in OPERATORS | FUNCTIONS:
        x, y, z = Value(0.75), Value(2.0), Value(3.0)
        node = eval((OPERATORS | FUNCTIONS)[op.name], {**vars(autodiff), "x": x, "y": y, "z": z})
        assert node.op is op
        assert getattr(autodiff, op.name, None) is not op
    else:
        assert op.name in autodiff.__all__
        assert getattr(autodiff, op.name) is op


def test_every_row_in_the_source_is_in_the_table():
    """A name that is given twice would take the place of an operation without a word."""
    tree = ast.parse((ROOT / "autodiff" / "ops.py").read_text(encoding="utf-8"))
    written = [
        ast.literal_eval(n.value.args[0])
        for n in tree.body
        if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call) and ast.unparse(n.value.func) == "row"
    ]
    assert written == list(OPS) == list(rows())


def test_all_that_is_exported_is_there():
    """`__all__` and `dir` name what `from autodiff import …` finds, each once; the lazy names too."""
    assert len(autodiff.__all__) == len(set(autodiff.__all__))
    assert set(autodiff.__all__) <= set(dir(autodiff))
    for name in autodiff.__all__:
        assert getattr(autodiff, name) is not None


@every_row
def test_a_row_stands_in_the_pages(op):
    """docs/operations.md and docs/accuracy.md have a line for it; the commands write both from the table."""
    for page in ("operations", "accuracy"):
        assert re.search(
            rf"^\| `{op.name}` \|", (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"), re.MULTILINE
        ), page


@every_row
def test_a_row_has_its_truth(op):
    """Value and partials in mpmath, which accuracy is measured against."""
    xs = [x.data for x in operands(op)]
    value, *partials = truth(op)
    assert float(value(*map(mp.mpf, xs))) == pytest.approx(op(*xs), rel=1e-14)
    assert len(partials) == (op.arity or len(partials))


@every_row
def test_numpys_function_is_the_row(op):
    """The ufunc of a row's arrays, called with Values, records that row."""
    if isinstance(op.function_of_arrays, np.ufunc):
        assert op.function_of_arrays(*operands(op)).op is op


@every_row
def test_a_method_of_a_rows_name_is_the_row(op):
    """v.exp() records what exp(v) does; operations whose result depends on nothing else are methods."""
    first, *others = operands(op)
    method = getattr(first, op.name, None)
    if method is not None and op.name not in {"real", "imag"}:
        assert method(*others).op is op


@every_row
def test_expressions_draw_a_row(op):
    """Hypothesis' strategies know every row: an expression of it alone runs, and records it."""
    quick = settings(max_examples=20, phases=[Phase.generate], deadline=None, database=None)
    drawn = find(expressions([op], max_leaves=5), lambda _: True, settings=quick)
    assert op in {node.op for node in topological_order(drawn(*map(Value, drawn.point)))}


@every_row
def test_a_row_is_drawn(op):
    """A picture shows the operation by its symbol."""
    node = op(*operands(op))
    assert SHOWN.get(op.symbol, op.symbol) in draw(node).source
    assert topological_order(node)[0].op is op


def test_an_operation_of_ones_own_has_numpys_limits_at_edges():
    """Where its function of floats raises, its function of arrays is asked: values, and the slopes made of them."""
    inner = Op("inner", "l", lambda a: math.log(float(a)), "numpy.log", (lambda a, r: 1.0 / a,))
    outer = Op("outer", "x·l", lambda a: a and a * math.log(a), partials=(lambda a, r: inner(a) + 1.0,))
    assert [inner.on_ieee(x) for x in (0.0, -1.0)] == pytest.approx([-math.inf, math.nan], nan_ok=True)
    assert outer.partials_at([0.0], 0.0, [True]) == [-math.inf]


EDGES = (0.0, -0.0, 0.5, 1.0, -1.0, 3.0, -3.5, math.inf, -math.inf, math.nan, 1e3, -1e3, 1e308, -1e308, 5e-324)


@every_row
def test_floats_have_numpys_limits_at_edges(op):
    """The IEEE arithmetic that floats have at edges gives what NumPy gives on arrays: values and slopes, NaN included."""
    for xs in product(EDGES if op.arity in {1, 2} else EDGES[:2] + EDGES[4:10], repeat=op.arity or 3):
        value, arrays = op.on_ieee(*xs), [np.array([x]) for x in xs]
        expected = op.on_arrays(*arrays)
        with np.errstate(all="ignore"):
            slopes = op.partials_of(arrays, expected)
        found = [value, *op.partials_of([Ieee(x) for x in xs], Ieee(value))]
        for one, other in zip(found, [expected, *slopes], strict=True):
            assert float(one) == pytest.approx(float(np.ravel(other)[0]), rel=1e-12, abs=0.0, nan_ok=True), xs
