"""How operations and their partials write themselves down."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import OPS, Op
from autodiff.explanations.formulas import Symbol, formula, partial_formulas
from autodiff.testing import numbers


def read(tree):
    """A formula on one line, by a reader of its own."""
    kind, *parts = tree
    if kind in {"mi", "mn", "mtext", "mo"}:
        return {"·": " · ", "+": " + ", "−": "-", ",": ", "}.get(parts[0], parts[0]) if kind == "mo" else parts[0]
    if kind == "mrow":
        return "".join(" - " if part == ("mo", "−") and k else read(part) for k, part in enumerate(parts))
    inner = [read(part) for part in parts]
    if kind == "mfrac":
        return "/".join(f"({each})" if " " in each else each for each in inner)
    return f"√({inner[0]})" if kind == "msqrt" else f"{inner[0]}^{inner[1]}"


@pytest.mark.parametrize("name", OPS)
@settings(max_examples=15)
@given(data=st.data())
def test_the_formula_of_every_partial_comes_to_the_partial(name, data):
    """Every row writes itself down, and the LaTeX-free text computed by Python's own eval is the partial."""
    op = OPS[name]
    point = data.draw(numbers(op))
    result = op(*point)
    names = [f"x{i}" for i in range(len(point))]
    symbols = [Symbol(("mi", n), x) for n, x in zip(names, point, strict=True)]
    partials = [float(p) for p in op.partials_of(point, result)]
    written = partial_formulas(op, symbols, Symbol(("mi", "r"), result), partials)
    assert None not in written
    assert formula(op, symbols) is not None
    for tree, partial in zip(written, partials, strict=True):
        value = evaluated(tree, {**dict(zip(names, point, strict=True)), "r": result})
        # constants are shown to four digits
        assert value == pytest.approx(partial, rel=2e-3, abs=1e-3)


def evaluated(tree, names):
    """The number that a formula tree means, by a reader of its own."""
    kind, *parts = tree
    if kind == "mi":
        return names[parts[0]] if parts[0] in names else {"e": math.e}[parts[0]]
    if kind == "mn":
        return float(parts[0])
    if kind == "msci":
        return float(parts[0]) * 10.0 ** int(parts[1])
    if kind == "mfrac":
        return evaluated(parts[0], names) / evaluated(parts[1], names)
    if kind == "msup":
        return evaluated(parts[0], names) ** evaluated(parts[1], names)
    if kind == "msqrt":
        return math.sqrt(evaluated(parts[0], names))
    assert kind == "mrow"
    return evaluated_row(parts, names)


def evaluated_row(parts, names):
    """A row: brackets, sums, products, and functions by their names."""
    if len(parts) == 2 and parts[0][0] == "mi" and parts[0][1] not in names:
        word = parts[0][1]
        word = {"σ": "sigmoid", "max": "maximum", "min": "minimum"}.get(word, word)
        inner = parts[1][2]
        arguments = [evaluated(p, names) for p in inner[1:] if p != ("mo", ",")] if inner[0] == "mrow" else []
        if ("mo", ",") not in inner:
            arguments = [evaluated(inner, names)]
        return OPS[word](*arguments)
    if parts[0] == ("mo", "|"):
        return abs(evaluated(parts[1], names))
    if parts[0] == ("mo", "("):
        assert parts[-1] == ("mo", ")")
        return evaluated(parts[1], names)
    terms, sign = [], 1.0
    current = None
    for part in parts:
        if part in {("mo", "+"), ("mo", "−")}:
            if current is not None:
                terms.append(sign * current)
            current, sign = None, 1.0 if part[1] == "+" else -1.0
        elif part != ("mo", "·"):
            value = evaluated(part, names)
            current = value if current is None else current * value
    return sum(terms) + sign * current


@pytest.mark.parametrize(
    ("name", "operands", "written"),
    [
        ("mul", (2.0, 3.0), ["x1", "x0"]),
        ("div", (2.0, 4.0), ["1/x1", "-r/x1"]),
        ("sigmoid", (0.5,), ["r · (1 - r)"]),
        ("tanh", (0.5,), ["1 - r^2"]),
        ("exp", (0.5,), ["r"]),
        ("log", (0.5,), ["1/x0"]),
        ("relu", (0.5,), ["1"]),
        ("sqrt", (4.0,), ["0.5/r"]),
        ("weighted_sum", (2.0, 3.0, 5.0), ["x1", "x0", "1"]),
    ],
)
def test_partials_read_as_in_a_textbook(name, operands, written):
    """The course's own way to write them: a(1 − a), x, 1/x."""
    op = OPS[name]
    symbols = [Symbol(("mi", f"x{i}"), x) for i, x in enumerate(operands)]
    result = op(*operands)
    partials = op.partials_of(operands, result)
    trees = partial_formulas(op, symbols, Symbol(("mi", "r"), result), partials)
    assert [read(tree) for tree in trees] == written


@pytest.mark.parametrize(
    ("name", "operands", "written"),
    [
        ("logsumexp", range(10), "lse(x0, x1, x2, …, x9)"),
        ("total", range(10), "x0 + x1 + x2 + … + x8 + x9"),
        ("mean", range(3), "(x0 + x1 + x2)/3"),
        ("weighted_sum", range(5), "x0 · x2 + x1 · x3 + x4"),
    ],
)
def test_long_formulas_leave_the_middle_out(name, operands, written):
    """As one writes sums by hand; a sum of no products and no bias is 0."""
    symbols = [Symbol(("mi", f"x{i}"), float(i)) for i in operands]
    assert read(formula(OPS[name], symbols)) == written
    assert read(formula(OPS["weighted_sum"], [Symbol(("mn", "0"), 0.0)])) == "0"


@pytest.mark.parametrize(
    ("rule", "written"),
    [
        (lambda a, r: 2.0**a, "2^x"),
        (lambda a, r: +a, "x"),
        (lambda a, r: a if a <= 3.0 else 3.0, "x"),
        (lambda a, r: 3.0 if a <= 1.0 else a**2 / 4.0, "x^2/4"),
    ],
)
def test_rules_of_ones_own_write_down_every_operator_they_use(rule, written):
    """A number on the left of a power, a plus sign, the branch that is taken at the point."""
    (tree,) = partial_formulas(
        Op("own", "o", abs, partials=(rule,)), [Symbol(("mi", "x"), 3.0)], Symbol(("mi", "r"), 3.0), [rule(3.0, 3.0)]
    )
    assert read(tree) == written


def test_an_operation_of_ones_own_writes_itself_down():
    """A row that somebody adds needs nothing more for its formulas."""
    cube = Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: 3 * a * a,))
    x = Symbol(("mi", "x"), 2.0)
    (tree,) = partial_formulas(cube, [x], Symbol(("mi", "y"), 8.0), [12.0])
    assert read(tree) == "3 · x · x"
    assert partial_formulas(cube, [x], Symbol(("mi", "y"), 8.0), [13.0]) == [None]  # not what was recorded
