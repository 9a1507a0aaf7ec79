"""What `autodiff.testing` offers for other people's code: blame, reproductions, strategies, laws and planted faults."""

import inspect
import linecache
import math
import operator
import pickle
import re
import sys
import threading
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

import autodiff
from autodiff import OPS, Domain, Op, Value, exp, log, sin
from autodiff.testing import (
    Expression,
    WrongDerivativeError,
    expressions,
    functions,
    gradcheck,
    laws,
    networks,
    numbers,
    points,
)
from autodiff.testing.definitions import installed
from autodiff.testing.faults import KINDS, caught, faults, survivors
from lessons.gradient_faults import PAGE, page

WRONG_TANH = replace(OPS["tanh"], partials=(lambda a, r: 1.0 - r,))
HALF = 0.5
FIND = settings(max_examples=300, database=None, derandomize=True, phases=[Phase.generate, Phase.shrink])


def wrong_cube(slope):
    return Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: slope * a * a,))


def down_and_up():
    def down(x, n=3):
        return up(x, n - 1) * HALF if n else x.data * x

    def up(x, n):
        return down(x + HALF, n)

    return down


def failure(*args, **options):
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(*args, **options)
    return caught.value


FAILING = {
    "an operation of a module": lambda: failure(WRONG_TANH, 0.5),
    "an operation with a closure": lambda: failure(wrong_cube(2.0), 2.0),
    "a row with a wrong rule, constants beside it": lambda: failure(
        lambda x: sin(replace(OPS["pow"], partials=(lambda a, b, r: a, OPS["pow"].partials[1]))(x, 2.5)), 3.0
    ),
    "any number of operands": lambda: failure(
        replace(OPS["mean"], partials=lambda xs, r: [1.0] * len(xs)), 1.0, 2.0, 4.0
    ),
    "a second derivative": lambda: failure(
        Op("grow", "g", math.exp, np.exp, (lambda a, r: math.exp(getattr(a, "data", a)),)), 0.5, order=2
    ),
    "what was not recorded": lambda: failure(lambda x: x * x.data * HALF, 3.0),
    "an expression": lambda: failure(Expression("def f(x, y):\n    return sin(x) * y", (0.5, 2.0)), 0.5, 2.0,
                                     gradient=lambda x, y: (x, y)),
    "an expression with an operation of one's own": lambda: failure(
        Expression("def f(x):\n    return cube(x) * 2.0", (2.0,), {"cube": wrong_cube(3.0)}), 2.0,
        gradient=lambda x: 13.0 * x),
    "an expression that calls it otherwise": lambda: failure(
        Expression("def f(x):\n    return c(x) * 2.0", (2.0,), {"c": wrong_cube(3.0)}), 2.0,
        gradient=lambda x: 13.0 * x),
    "an operation with a domain of its own": lambda: failure(
        Op("own", "o", math.sqrt, partials=(lambda a, r: r,), domains=(Domain("(0, ∞)", without=7.0),)), 4.0),
    "a wrong partial beside one that is not there": lambda: failure(
        Op("gate", "g", lambda a, b: a * max(b, 0.0), partials=(lambda a, b, r: 1.0, lambda a, b, r: a)), 3.0, 0.0),
    "functions that call each other": lambda: failure(down_and_up(), 0.5),
    "an array": lambda: failure(lambda W, x: np.tanh(W @ x).sum(), np.eye(2), [1.0, 2.0],
                                gradient=lambda W, x: (np.ones((2, 2)), x)),
    "a second derivative of somebody else's": lambda: failure(
        lambda x: x**3, 2.0, gradient=lambda x: 3 * x**2, hessian=lambda x: 6 * x + 1, order=2),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILING)
def test_a_failure_comes_with_a_program_that_fails_the_same_way(case):
    """As it stands, in an empty namespace: same sentence, same numbers.

    Their last digits aside: a BLAS adds up in another order where an array lies elsewhere in memory.
    """

    def told(error):
        text = str(error).split("\n  in gradcheck of")[0]
        return re.sub(r"\d+\.\d{9,}(e[+-]\d+)?", lambda number: f"{float(number[0]):.9g}", text)

    error = FAILING[case]()
    assert error.reproduction in "\n".join(line.removeprefix("    ") for line in str(error).splitlines())
    with pytest.raises(WrongDerivativeError) as again:
        exec(error.reproduction, {})
    assert told(again.value) == told(error)
    assert again.value.ratio == pytest.approx(error.ratio, nan_ok=True)


def test_a_function_without_source_is_named_in_the_program():
    """Nothing is made up where the source cannot be written out."""
    scope = {}
    exec("f = lambda x: x * x.data", scope)
    error = failure(scope["f"], 3.0)
    assert error.reproduction.startswith("# function <lambda> has no source to show")


def test_a_function_below_a_notebook_s_magic_is_named_too(monkeypatch):
    """Text that Python cannot parse is no source, though the function in it ran."""
    cell = ["%matplotlib inline\n", "f = lambda x: x * x.data\n"]
    monkeypatch.setitem(linecache.cache, "<cell 1>", (sum(map(len, cell)), None, cell, "<cell 1>"))
    scope = {}
    exec(compile("\n" + cell[1], "<cell 1>", "exec"), scope)
    assert failure(scope["f"], 3.0).reproduction.startswith("# function <lambda> has no source to show")


def test_an_object_that_is_called_is_named_in_the_program():
    """One that holds more than numbers and text gets a place; the program says whose it is, and how it was called."""

    class Cut:
        def __init__(self):
            self.lock = threading.Lock()

        def __call__(self, x):
            return x * x.data

    shown = failure(Cut(), 3.0).reproduction
    assert shown.startswith("# Cut f has no source to show: put it in its place below\n")
    assert "\ndef f(x): ...  # put yours here: <" in shown
    assert shown.endswith("gradcheck(f, 3.0)")


def test_an_operation_of_a_module_is_imported_from_there(monkeypatch):
    """Where a row is found under its own name, the program takes it from there."""
    module = types.ModuleType("students_operations")
    module.cube = wrong_cube(2.0)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    shown = failure(module.cube, 2.0).reproduction
    assert shown == (
        "from autodiff.testing import gradcheck\nfrom students_operations import cube\n\ngradcheck(cube, 2.0)"
    )


def test_a_failure_has_fields_a_sketch_and_a_picture():
    """For tools and for eyes; and it survives a pickle, as parallel test runners need."""
    error = failure(lambda x, y: OPS["add"](WRONG_TANH(x), y), 0.5, 1.0)
    assert (error.operation, error.operand, error.point) == ("tanh", 1, (0.5,))
    assert error.found == 1.0 - math.tanh(0.5)
    assert error.expected == pytest.approx(1.0 - math.tanh(0.5) ** 2)
    assert error.ratio == error.found / error.expected
    assert error.oracle == "complex step"
    assert "tanh = 0.462117   δ 1   ← here" in error.sketch()
    assert "wrong by operand 1" in error.draw().source
    assert "wrong by operand 1" not in autodiff.draw(error.root).source
    unrecorded = failure(lambda x: x * x.data, 3.0).draw().source  # no node is at fault: all of them are shown
    assert "δ 3" in unrecorded
    assert "wrong by operand" not in unrecorded
    again = pickle.loads(pickle.dumps(failure(wrong_cube(2.0), 2.0)))
    assert again.ratio == pytest.approx(2 / 3)
    assert "gradcheck(cube, 2.0)" in str(again)


@pytest.mark.parametrize(
    ("gradient", "said"),
    [
        (lambda x, y: (-y * math.cos(x * y), -x * math.cos(x * y)), "x, y: the sign is wrong"),
        (lambda x, y: (x * math.cos(x * y), y * math.cos(x * y)), "x: this is the derivative by y: are the two swapped?"),
        (lambda x, y: (y, x), "x, y: the slope of sin((x · y)) is left out of the product"),
        (lambda x, y: (2 * y * math.cos(x * y), 2 * x * math.cos(x * y)), "x, y: 2 times the right one in every entry"),
        (lambda x, y: (y * math.cos(x * y), 0.0), "y: 0 everywhere: what flows back to it is lost"),
    ],
)  # fmt: skip
def test_a_student_s_mistake_is_named(gradient, said):
    """From the wrong numbers alone: what the chain rule gives with that one mistake is what was handed in."""
    assert said in str(failure(lambda x, y: sin(x * y), 0.3, 0.5, gradient=gradient))


def test_an_unexplained_mistake_is_left_unexplained():
    """No guess is better than a wrong one; and where nothing was recorded there is nothing to draw."""
    error = failure(math.gamma, 3.0, gradient=lambda x: 0.0)
    assert error.sketch() == ""
    with pytest.raises(ValueError, match="recorded no graph to draw"):
        error.draw()
    unexplained = failure(lambda x: sin(x) * x, 0.7, gradient=lambda x: 17.0).diagnosis
    assert (unexplained.hints, unexplained.unexplained) == ((), ("x",))


@pytest.mark.parametrize(
    ("f", "point", "gradient", "oracle"),
    [
        (lambda x: x**3 + exp(x), (2.0,), lambda x: 3 * x**2 + math.exp(x), "complex step"),
        (lambda x: np.sin(x) * x, (2.0,), lambda x: math.cos(x) * x + math.sin(x), "complex step"),
        (lambda x: autodiff.erf(x), (0.5,), lambda x: 2 / math.sqrt(math.pi) * math.exp(-x * x), "mpmath"),
        (lambda x: math.gamma(x), (3.0,), lambda x: 2 * (1.5 - 0.5772156649015329), "central differences"),
        (lambda x: float(np.real(np.exp(1j * x))), (0.5,), lambda x: -math.sin(0.5), "central differences"),
        (lambda xs: np.linalg.det(xs), (np.array([[2.0, 1.0], [0.5, 3.0]]),),
         lambda xs: np.array([[3.0, -0.5], [-1.0, 2.0]]), "complex step"),
        (lambda xs: sum(x * x for x in xs), ([1.0, 2.0, 3.0],), lambda xs: [2.0, 4.0, 6.0], "complex step"),
        (lambda x: np.float32(x) ** 2, (3.0,), lambda x: 6.0, "central differences"),
    ],
)  # fmt: skip
def test_somebody_else_s_gradient_is_checked_by_the_best_oracle(f, point, gradient, oracle):
    """autodiff's functions, NumPy's, math's, LAPACK's; a fault of 1 in 100 is found in each."""
    assert gradcheck(f, *point, gradient=gradient).oracle == oracle

    def wrong(*xs):
        return np.multiply(1.01, gradient(*xs))

    assert "ratio 1.01" in str(failure(f, *point, gradient=wrong))


def masked_log(xs):
    return autodiff.where(xs > 0.0, log(xs), 0.0).sum()


@pytest.mark.parametrize(
    ("f", "point", "gradient", "oracle"),
    [
        (masked_log, np.array([-1.0, 2.0]), lambda xs: np.array([0.0, 0.5]), "central differences"),
        (lambda x: x * getattr(x, "data", x), 3.0, lambda x: 2.0 * x, "complex step"),
        (math.log, 0.0005, lambda x: 1.0 / x, "central differences"),
        (lambda x: wrong_cube(17.0)(autodiff.hypot(x, np.array([3.0, 0.0])).sum()), 4.0,
         lambda x: 3.0 * 9.0**2 * (4.0 / 5.0 + 1.0), "central differences"),
    ],
    ids=["outside a domain where it is masked", "what a Value takes for a constant", "near an edge", "beside an array"],
)  # fmt: skip
def test_code_that_is_another_function_on_values_is_taken_as_it_is_on_numbers(f, point, gradient, oracle):
    """Its graph is not believed, and the others tell; a gradient may come as Values, and a wrong one is found."""
    assert gradcheck(f, point, gradient=gradient).oracle == oracle
    if isinstance(point, float):
        assert gradcheck(f, point, gradient=lambda x: Value(gradient(x))).oracle == oracle
    assert failure(f, point, gradient=lambda x: 1.01 * gradient(x)).ratio == pytest.approx(1.01)


def test_somebody_else_s_gradient_at_a_kink_is_neither_right_nor_wrong():
    """No oracle can tell, of first order or of second, and the message says by which input or operation."""
    for f, x, said in (
        (abs, 0.0, r"^abs\(0\.0\) has no derivative to check at a kink"),
        (autodiff.relu, 0.0, r"^relu\(0\.0\) has no derivative to check at a kink"),
        (autodiff.sqrt, 0.0, r"^sqrt\(0\.0\) has no derivative to check at the edge of its domain"),
        (lambda x: abs(x) * getattr(x, "data", 1.0), 0.0, "no oracle can tell the derivative by input 1 of 1"),
    ):
        for slope in (-1.0, 0.0, 1.0):
            with pytest.raises(ValueError, match=said):
                gradcheck(f, x, gradient=lambda _, slope=slope: slope)
    with pytest.raises(ValueError, match=r"derivative by input 1 of 1: its slopes on the left and on the right differ"):
        gradcheck(math.fabs, 0.0, gradient=lambda x: 0.0)
    with pytest.raises(ValueError, match=r"the second derivative by input 1 of 1 and input 1 of 1; move the point"):
        gradcheck(
            lambda x: math.fabs(x) * x, 0.0, gradient=lambda x: 2.0 * math.fabs(x), hessian=lambda x: 0.0, order=2
        )


def test_somebody_else_s_hessian_is_checked():
    """Of one argument and of several, from the graph or from the gradient."""
    mpmath = pytest.importorskip("mpmath")
    report = gradcheck(
        lambda x, y: x * x * y, 2.0, 3.0, order=2,
        gradient=lambda x, y: (2 * x * y, x * x), hessian=lambda x, y: [[2 * y, 2 * x], [2 * x, 0.0]],
    )  # fmt: skip
    assert report.oracle == "mpmath"
    gamma = gradcheck(
        lambda x: math.lgamma(x), 1.0, order=2, gradient=lambda x: float(mpmath.digamma(x)),
        hessian=lambda x: math.pi**2 / 6,
    )  # fmt: skip
    assert gamma.oracle == "central differences"


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"hessian": abs}, TypeError, "come with gradient="),
        ({"gradient": abs, "order": 2}, TypeError, "need both"),
        ({"gradient": lambda x: [1.0, 2.0]}, TypeError, r"the wrong shape: \(2,\) where x is one number"),
        ({"gradient": abs, "hessian": lambda x: [1.0, 2.0], "order": 2}, TypeError, "gave 2 numbers where 1 inputs have 1 × 1"),
    ],
)  # fmt: skip
def test_bad_gradients_are_refused(options, error, said):
    """By shape, before anything is compared."""
    with pytest.raises(error, match=said):
        gradcheck(lambda x: 0.5 * x * x, 1.0, **options)
    with pytest.raises(TypeError, match="for 2 points, give a tuple of as many"):
        gradcheck(lambda x, y: x * y, 1.0, 2.0, gradient=lambda x, y: 3.0)
    with pytest.raises(TypeError, match="ONE number, got list"):
        gradcheck(lambda x: [x], 1.0, gradient=abs)
    with pytest.raises(ValueError, match="the function is inf"):
        gradcheck(lambda x: math.inf, 1.0, gradient=abs)


@pytest.mark.parametrize("stand_in", [None, types.ModuleType("mpmath")], ids=["missing", "a stand-in"])
def test_without_mpmath_the_others_know(monkeypatch, stand_in):
    """An optional oracle: the same checks pass and fail without it, and the report says who knew instead."""
    with monkeypatch.context() as missing:
        missing.setitem(sys.modules, "mpmath", stand_in)
        installed.cache_clear()
        try:
            assert gradcheck(autodiff.erf, 0.5).oracle == "dual numbers"
            assert gradcheck(autodiff.tanh, 0.5, order=2).oracle == "central differences"
            assert failure(lambda x: autodiff.erf(x) * x, 0.5, gradient=lambda x: 0.5).oracle == "dual numbers"
        finally:
            installed.cache_clear()


def test_a_computation_that_is_another_one_in_50_digits_is_left_to_others():
    """Rounding takes x away from x + 10¹⁶, 50 digits do not: of either order, they do not speak for the floats."""
    pytest.importorskip("mpmath")
    report = gradcheck(lambda x: autodiff.erf(x) + ((x + 1e16) - 1e16), 0.5, order=2)
    assert report.oracle == "central differences"
    assert report.error < 1e-8


def test_a_row_that_mpmath_has_no_truth_of_is_left_to_other_oracles(monkeypatch):
    """No KeyError from inside: as of an operation of one's own, dual numbers and differences know."""
    pytest.importorskip("mpmath")
    from autodiff.testing import definitions

    for known in ("_in_many_digits", "_on_complex_numbers"):
        rows = getattr(definitions, known)
        monkeypatch.setattr(
            definitions, known, lambda *mp, rows=rows: {k: f for k, f in rows(*mp).items() if k != "tanh"}
        )
    assert gradcheck(lambda x: x.tanh() * x, 0.5).error < 1e-9
    gradcheck(lambda x: x.tanh() * x, 0.5, order=2)


# The strategies.


@given(f=functions())
def test_functions_are_plain_python_with_source_and_point(f):
    """What inspect sees runs as it stands, and the graph of it is well conditioned, loops and branches included."""
    assert inspect.isfunction(f)
    assert inspect.getsource(f) == f.source
    scope = {}
    exec(f"from autodiff import *\n{f.source}", scope)
    assert scope["f"](*f.point) == f(*f.point)
    gradcheck(f, *f.point)


@given(network=networks())
def test_networks_are_losses_of_their_parameters(network):
    """The same number as the network computed layer by layer in NumPy, and a gradient that is right."""
    (parameters,) = network.point
    forward = {"tanh": np.tanh, "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "softplus": lambda z: np.log1p(np.exp(z)),
               "relu": lambda z: np.maximum(z, 0.0)}[network.activation]  # fmt: skip
    H, start = np.array(network.X), 0
    for k, (n, m) in enumerate(zip(network.sizes, network.sizes[1:], strict=False)):
        layer = np.array(parameters[start : start + (n + 1) * m]).reshape(m, n + 1)
        start += layer.size
        H = H @ layer[:, :-1].T + layer[:, -1]
        H = forward(H) if k < len(network.sizes) - 2 else H
    assert start == len(parameters)
    assert network(parameters) == pytest.approx(((H - np.array(network.Y)) ** 2).sum() / 2 / len(H), abs=1e-12)
    gradcheck(network, parameters)


def domain(x, y):
    return log(x - 1.0) * autodiff.sqrt(y) / x


@given(data=st.data())
def test_points_suit_the_function(data):
    """Inside domains, away from kinks, in the shapes asked for."""
    x, y = data.draw(points(domain))
    assert x > 1.0
    assert y > 0.0
    gradcheck(domain, x, y, order=2)
    weights, bias = data.draw(points(lambda w, b: sum(autodiff.relu(v) for v in w) + b[0], np.zeros(3), [0.0]))
    assert weights.dtype == np.float64
    assert weights.shape == (3,)
    assert np.abs(weights).min() > 1e-3
    assert isinstance(bias, list)
    (a,) = data.draw(points(OPS["log"]))
    assert a > 0.0
    assert len(data.draw(points(Expression("def f(x, y):\n    return x * y", (1.0, 2.0))))) == 2


@pytest.mark.parametrize("f", [print, lambda *xs: xs[0], dict, lambda: 3.0])
def test_points_ask_when_they_cannot_tell(f):
    """How many arguments, that is; an example of each helps."""
    with pytest.raises(TypeError, match="Give an example of each"):
        points(f)


@pytest.mark.parametrize(
    ("name", "rules", "least"),
    [
        ("tanh", (lambda a, r: 1.0 + r,), "def f(x):\n    return tanh(x)"),
        ("exp", (lambda a, r: a,), "def f(x):\n    return exp(x)"),
        ("sub", (lambda a, b, r: 1.0, lambda a, b, r: 1.0), "def f(x, y):\n    return sub(x, y)"),
        ("mul", (lambda a, b, r: a, lambda a, b, r: b), "def f(x, y):\n    return mul(x, y)"),
    ],
)  # fmt: skip
def test_a_planted_fault_shrinks_to_its_operation_alone(name, rules, least):
    """One node, its operands inputs, each number the simplest one that fails."""
    wrong = replace(OPS[name], partials=rules)

    def fails(f):
        try:
            gradcheck(f, *f.point)
        except WrongDerivativeError as error:
            return error.operation == name
        return False

    # Two inputs are asked for where the operation takes two: x - 1.0 would be smaller, and its fault another one.
    drawn = expressions(["add", "sin", "cos", wrong], inputs=len(rules))
    found = find(drawn, fails, settings=FIND)
    assert found.source == least
    assert all(x == int(x) and abs(x) <= 2.0 for x in found.point)


def test_a_network_with_a_planted_fault_shrinks_to_one_hidden_unit():
    """The least network with a hidden layer: one input, one unit, one output, one sample."""

    def fails(network):
        try:
            gradcheck(network, *network.point, gradient=lambda p: [0.0] * len(p))
        except WrongDerivativeError:
            return len(network.sizes) > 2
        return False

    least = find(networks(), fails, settings=FIND)
    assert least.sizes == (1, 1, 1)
    assert len(least.X) == 1


def test_a_failing_test_shows_source_and_graph():
    """The note below the minimal example: the source, and the graph as text."""

    @settings(FIND, max_examples=200)
    @given(expressions(["tanh", "add"]))
    def test(f):
        assert "tanh" not in f.source

    with pytest.raises(AssertionError) as caught:
        test()
    shown = "\n".join(caught.value.__notes__)
    assert "def f(x):\n    return tanh(x)\nf(1.0)\ntanh = 0.761594   δ 1\n└─ 0.42 · x = 1   δ 0.419974" in shown


def test_a_graph_that_cannot_be_drawn_hides_no_failure(monkeypatch):
    """The note gives the source all the same, and says what went wrong below it."""

    def broken(self):
        raise RuntimeError("no ink")

    monkeypatch.setattr(Expression, "sketch", broken)

    @settings(FIND)
    @given(expressions(["tanh"]))
    def test(f):
        assert "tanh" not in f.source

    with pytest.raises(AssertionError) as caught:
        test()
    assert "f(1.0)\n(its graph cannot be drawn: RuntimeError: no ink)" in "\n".join(caught.value.__notes__)


def test_an_operation_that_is_well_conditioned_nowhere_is_never_drawn():
    """Larger than the strategies' limit at every point: Hypothesis says that there is no example."""
    vast = Op("vast", "V", lambda a: 1e9 + a, partials=(lambda a, r: 1.0,))
    for drawn in (numbers(vast), expressions([vast])):
        with pytest.raises(Unsatisfiable):
            find(drawn, lambda _: True, settings=settings(FIND, max_examples=20))


def test_an_expression_is_drawn_and_sketched():
    """Leaves are called as in the source."""
    f = Expression("def f(x, y):\n    n1 = sin(x)\n    return n1 * y + n1", (0.5, 2.0))
    assert "sin" in f.draw().source
    assert "δ 2.633" in f.draw().source
    assert f.sketch() == (
        "add = 1.43828   δ 1\n"
        "├─ 1 · mul = 0.958851   δ 1\n"
        "│  ├─ 2 · n1 = sin = 0.479426   δ 3\n"
        "│  │  └─ 0.8776 · x = 0.5   δ 2.63275\n"
        "│  └─ 0.4794 · y = 2   δ 0.479426\n"
        "└─ 1 · n1, see above"
    )


# Laws and faults.


@pytest.mark.parametrize(
    ("law", "said"),
    [
        (lambda: laws.linearity(sin, exp, (1.0,), (2.0,), gradient=lambda f, p: [abs(g) for g in laws.gradient_of(f, p)]), "linearity"),
        (lambda: laws.product_rule(sin, exp, (1.0,), (2.0,), gradient=lambda f, p: [1.0] * len(p)), "the product rule"),
        (lambda: laws.chain_rule(exp, sin, (1.0,), gradient=lambda f, p: [f(*p)]), "the chain rule"),
        (lambda: laws.relabelling(lambda x, y: x * y, (1.0, 2.0), gradient=lambda f, p: [p[0]] * 2), "the order of arguments"),
        (lambda: laws.operand_order(lambda x, y: replace(OPS["add"], partials=(lambda a, b, r: 1.0, lambda a, b, r: a))(x, y), (3.0, 2.0), seed=0), "the order of operands"),
        (lambda: laws.symmetric_hessian(lambda x, y: replace(OPS["mul"], partials=(lambda a, b, r: b, lambda a, b, r: 2.0 * a))(x, y), (3.0, 2.0)), "the symmetry of second derivatives"),
    ],
)  # fmt: skip
def test_a_broken_law_is_reported_with_both_numbers(law, said):
    """An implementation that breaks it is planted for each."""
    with pytest.raises(AssertionError, match=rf"{said} is broken at input \d+ of \d+\n  .* gives .*\n  .* gives "):
        law()


def test_forward_mode_that_differs_is_found(monkeypatch):
    """A push forward that forgets a path."""
    monkeypatch.setattr(laws, "push_forward", lambda root, tangents: 1.0)
    with pytest.raises(AssertionError, match="forward mode = reverse mode is broken"):
        laws.forward_equals_reverse(lambda x: x * x, (3.0,))


def test_a_compiled_program_that_differs_is_found(monkeypatch):
    """A compiler that compiles another function, a thousandth off."""
    honest = autodiff.compile
    monkeypatch.setattr(autodiff, "compile", lambda f: honest(lambda x: 1.001 * f(x)))
    with pytest.raises(AssertionError, match="compiled = eager, a batch is broken"):
        laws.compiled_equals_eager(lambda x: x * x, (3.0,))


def test_a_gradient_of_another_length_breaks_a_law():
    """The message says how many derivatives each side has."""
    with pytest.raises(AssertionError, match=r"linearity is broken: .* has 3 derivatives, .* 2$"):
        laws.linearity(sin, exp, (1.0,), (2.0,), gradient=lambda f, p: [1.0] * (2 * len(p) - 1))


def test_laws_want_a_point():
    """The function's own, or one that is given; directions as long as it."""
    with pytest.raises(TypeError, match=r"at=\(2\.0,\)"):
        laws.symmetric_hessian(sin)
    with pytest.raises(ValueError, match="the direction must have one number per input, 1, got 2"):
        laws.forward_equals_reverse(sin, (1.0,), [1.0, 2.0])


def test_every_planted_fault_in_every_partial_of_every_row_is_caught():
    """No survivor, and the page has the table as it is: docs/gradient-testing.md."""
    told = [op for op in OPS.values() if op.name != "stop_gradient"]  # whose slope is that of its value
    planted = [fault for op in told for fault in faults(op)]
    assert [fault for fault in planted if not caught(fault)] == []
    partials = {(fault.op.name, fault.operand) for fault in planted}
    assert partials == {(op.name, i) for op in told for i in range(1, (op.arity or 3) + 1)}
    assert {fault.kind for fault in planted} == set(KINDS)
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "run: python -m lessons.gradient_faults"


def test_faults_are_planted_around_a_rule_without_source():
    """d√(a² + 1)/da is a over the result, a function of Python's own: its sign and its size can be spoilt."""
    arm = Op("arm", "⌐", lambda a: math.hypot(a, 1.0), partials=(operator.truediv,))
    planted = faults(arm)
    assert {(fault.kind, str(fault)) for fault in planted if fault.kind == "sign"} == {
        ("sign", "arm, partial by operand 1, sign: -(truediv)")
    }
    assert not {"swapped operands", "wrong kink"} & {fault.kind for fault in planted}  # these are found in the source
    assert all(map(caught, planted))


def test_a_check_that_checks_nothing_lets_faults_survive():
    """The proof by planted faults fails for a check that checks nothing."""
    left = survivors(OPS["sin"], check=lambda op, x: None)
    assert len(left) == len(faults(OPS["sin"])) > 3
    with pytest.raises(WrongDerivativeError):
        survivors(WRONG_TANH)


def test_the_page_runs():
    """docs/gradient-testing.md, every example in it."""
    import doctest

    results = doctest.testfile(str(Path(PAGE)), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert results.attempted > 10
    assert results.failed == 0


# Somebody else's gradient, at every scale and at every kind of point.


def single(x):
    jnp = pytest.importorskip("jax.numpy", reason="JAX is installed in continuous integration")
    return jnp.mean(jnp.tanh(jnp.asarray(x, dtype=jnp.float32)) * 1e-3)


@pytest.mark.parametrize(
    ("f", "point", "gradient"),
    [
        (lambda x: 1e-14 * x**2, 1.0, lambda x: 2e-14 * x),
        (lambda x: 1e-20 * np.sum(x**2), np.array([1.0, 2.0]), lambda x: 2e-20 * x),
        (lambda x: 1e-15 * math.pow(x, 3.0), 1.0, lambda x: 3e-15 * x * x),
        (single, np.array([0.3, 0.7, -1.2]), lambda x: 1e-3 / 3 / np.cosh(x) ** 2),
    ],
    ids=["a graph", "an array", "differences", "single precision"],
)  # fmt: skip
@pytest.mark.parametrize("factor", [-1.0, 0.0, 1.01, 2.5])
def test_a_small_gradient_is_checked_as_a_large_one(f, point, gradient, factor):
    """The tolerance is relative to the derivative, not to 1."""
    gradcheck(f, point, gradient=gradient)
    failure(f, point, gradient=lambda x: factor * gradient(x))


@pytest.mark.parametrize("cube", [lambda x: x**3, lambda x: math.pow(x, 3.0)], ids=["a graph", "differences"])
def test_a_small_hessian_is_checked_as_a_large_one(cube):
    """Of the graph, and as differences of the gradient."""
    options = {"gradient": lambda x: 3e-15 * x * x, "order": 2}
    gradcheck(lambda x: 1e-15 * cube(x), 1.0, hessian=lambda x: 6e-15 * x, **options)
    failure(lambda x: 1e-15 * cube(x), 1.0, hessian=lambda x: -6e-15 * x, **options)


@pytest.mark.parametrize(
    ("f", "gradient"),
    [
        (lambda x: 1 / (1 + np.exp(-x)), lambda x: (1 - 1 / (1 + np.exp(-x))) / (1 + np.exp(-x))),
        (lambda x: -log(autodiff.sigmoid(x)), lambda x: 1 / (1 + math.exp(-x)) - 1.0),
    ],
)  # fmt: skip
def test_what_cancels_in_a_right_gradient_is_no_mistake(f, gradient):
    """1 - a where a is nearly 1 has a rounding of 1: what is off by more than that is wrong, and 0 cannot be told."""
    for x in (20.0, 30.0):
        gradcheck(f, x, gradient=gradient)
        failure(f, x, gradient=lambda x: -gradient(x))
        failure(f, x, gradient=lambda x: 1.02 * gradient(x) if x < 25.0 else 2.0 * gradient(x))
    with pytest.raises(ValueError, match=r"not decidable here, because the rounding .* write function and gradient"):
        gradcheck(f, 40.0, gradient=lambda x: 0.0)


@pytest.mark.parametrize("scale", [1.0, 1e-12])
@pytest.mark.parametrize(
    ("f", "point"),
    [
        (lambda x: np.sum(np.where(x > 0, x, 0.0)), [0.0, 1.0]),
        (lambda x: np.sum(np.where(x >= 0, x, 0.0)), [0.0, 1.0]),
        (lambda x: np.sum(np.maximum(x, 0.0)), [0.0, 1.0]),
        (np.max, [1.0, 1.0]),
        (lambda x: 1.0 * (x[0] > 0) + x[1], [0.0, 1.0]),
        (lambda x: x[0] + x[1] if x[0] >= 0 else math.nan, [0.0, 1.0]),
    ],
    ids=["where >", "where >=", "maximum", "a tie", "a jump", "an edge"],
)  # fmt: skip
def test_a_branch_at_the_point_is_not_judged_by_one_side(f, point, scale):
    """Whatever the gradient claims there, and however small the function is."""
    for slopes in ([0.0, 1.0], [1.0, 1.0], [0.5, 1.0]):
        with pytest.raises(ValueError, match="no oracle can tell the derivative by input 1 of 2"):
            gradcheck(lambda x: scale * f(x), np.array(point), gradient=lambda x, s=slopes: scale * np.array(s))


def test_a_power_near_the_edge_of_its_domain_is_checked():
    """A negative base gives a complex number, which is no value of the function."""
    for f in (lambda x: x**0.5, lambda x: float(x) ** 0.5, lambda x: float(float(x) ** 0.5)):
        gradcheck(f, 1e-4, gradient=lambda x: 0.5 * x**-0.5)
        failure(f, 1e-4, gradient=lambda x: 0.51 * x**-0.5)


@pytest.mark.parametrize(
    ("f", "x", "gradient"),
    [
        (lambda x: np.log(np.exp(-(x**2) / 2)), 37.0, lambda x: -x),
        (lambda x: np.log(np.exp(-(float(x) ** 2) / 2)), 37.0, lambda x: -x),
        (lambda x: -log(autodiff.sigmoid(x)), -690.0, lambda x: -1 / (1 + math.exp(x))),
    ],
)  # fmt: skip
def test_a_slope_that_underflows_beside_the_real_axis_is_not_taken_for_0(f, x, gradient):
    """Neither in a graph nor in code."""
    gradcheck(f, x, gradient=gradient)
    failure(f, x, gradient=lambda x: 0.0)


def bump(a):
    return math.exp(-(((a - 1) / 1e-4) ** 2))


def test_a_feature_narrower_than_the_first_steps_is_seen():
    """Flat from afar, steep at the point: a rule that says 0 is wrong there, and the right one is right."""
    right = Op("n", "n", bump, partials=(lambda a, r: -2e8 * (a - 1) * r,))
    gradcheck(right, 1.00005)
    assert failure(replace(right, partials=(lambda a, r: 0.0,)), 1.00005).expected == pytest.approx(-7788.0, rel=1e-5)


def test_the_point_stays_as_it_was():
    """A function, a gradient and a Hessian that compute in place get copies, and whoever gives them is told."""

    def f(x):
        x -= 1.0
        return np.sum(x**2)

    def gradient(x):
        x -= 1.0
        return 2.0 * x

    def hessian(x):
        x *= 0.0
        return 2.0 * np.eye(2)

    point, inside = np.array([3.0, 4.0]), [np.array([3.0, 4.0])]
    for check in (
        lambda: gradcheck(f, point, gradient=lambda x: 2.0 * (x - 1.0)),
        lambda: gradcheck(lambda x: np.sum((x - 1.0) ** 2), point, gradient=gradient),
        lambda: gradcheck(lambda x: np.sum(x**2), point, gradient=lambda x: 2.0 * x, hessian=hessian, order=2),
        lambda: gradcheck(lambda xs: f(xs[0]), inside, gradient=lambda xs: [2.0 * (xs[0] - 1.0)]),
    ):
        with pytest.raises(ValueError, match="which it was called with"):
            check()
    assert [*point, *inside[0]] == [3.0, 4.0, 3.0, 4.0]


@pytest.mark.parametrize("library", ["torch", "jax.numpy"])
def test_points_of_other_libraries_become_arrays(library):
    """One number or many, with a gradient of their own or without."""
    made = pytest.importorskip(library, reason=f"{library} is installed in continuous integration")
    array = getattr(made, "tensor", None) or made.array
    options = {"requires_grad": True} if library == "torch" else {}
    for point in (array([1.0, 2.0], **options), array(0.5, **options), [array(0.5, **options)]):
        gradcheck(lambda x: np.sum(np.sin(x)), point, gradient=np.cos)
        failure(lambda x: np.sum(np.sin(x)), point, gradient=np.sin)


def test_a_point_that_is_no_array_is_refused():
    """With the way out."""

    class Odd:
        shape = (2,)

    with pytest.raises(TypeError, match=r"a point cannot be a Odd .*: give a NumPy array"):
        gradcheck(np.sum, Odd(), gradient=lambda x: x)


def test_a_gradient_of_none_is_said_to_be_none():
    """A forgotten return, of the gradient, of a part of it or of the Hessian."""
    with pytest.raises(TypeError, match="the gradient returned None"):
        gradcheck(lambda x: x * x, 2.0, gradient=lambda x: None)
    with pytest.raises(TypeError, match="the gradient returned None"):
        gradcheck(lambda x, y: x * y, 2.0, 3.0, gradient=lambda x, y: (None, x))
    with pytest.raises(TypeError, match="the gradient returned None"):
        gradcheck(lambda x: x[0] * x[1], [2.0, 3.0], gradient=lambda x: [None, 2.0])
    with pytest.raises(TypeError, match="returned None: give the second derivatives"):
        gradcheck(lambda x: x * x, 2.0, gradient=lambda x: 2 * x, hessian=lambda x: None, order=2)


@given(data=st.data())
def test_points_and_operands_are_drawn_where_they_are_asked_for(data):
    """A domain far from 0, which the numbers around 0 never reach."""
    (x,) = data.draw(points(lambda x: log(x - 100.0), around=(101.0, 110.0)))
    assert 101.0 <= x <= 110.0
    a, b = data.draw(numbers("mul", around=(20.0, 30.0)))
    assert 20.0 <= min(a, b) <= max(a, b) <= 30.0


@pytest.mark.parametrize("around", [(2.0, 1.0), (0.0, math.inf), (math.nan, 1.0)])
def test_a_range_without_numbers_is_refused(around):
    """At the call."""
    with pytest.raises(ValueError, match=r"around must be \(low, high\)"):
        points(sin, around=around)
    with pytest.raises(ValueError, match=r"around must be \(low, high\)"):
        numbers("sin", around=around)


def test_single_precision_inside_is_noticed_by_the_values():
    """JAX computes in it by default, whatever type the result is handed on as."""
    weights = np.array([1.0, 2.0, 3.0], dtype=np.float32)

    def f(x):
        return float(np.sum(np.tanh(x.astype(np.float32)) * weights))

    for point in np.random.default_rng(0).normal(size=(20, 3)):
        gradcheck(f, point, gradient=lambda x: weights / np.cosh(x) ** 2)
        failure(f, point, gradient=lambda x: 1.02 * weights / np.cosh(x) ** 2)
