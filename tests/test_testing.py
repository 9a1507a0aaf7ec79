"""`gradcheck` names what is wrong, the strategies draw what they promise, and neither needs more than it says."""

import ast
import dataclasses
import enum
import functools
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import autodiff
from autodiff import OPS, Op, Value, exp, log, relu, sin, topological_order, total
from autodiff.testing import Expression, check_kinks, checking, expressions, gradcheck, jaccheck, numbers

FAULTS = {
    "sign": lambda rules, i: lambda *at: -rules[i](*at),
    "factor 1.001": lambda rules, i: lambda *at: rules[i](*at) * 1.001,
    "swapped": lambda rules, i: rules[i - 1],
}
PLANTED = [  # one row of each arity, at a point where its partials differ
    ("tanh", (0.4,)),
    ("erf", (0.4,)),
    ("atan2", (0.6, 1.3)),
    ("pow", (0.6, 1.3)),
    ("leaky_relu", (-0.5, 0.2)),
    ("clip", (0.3, -1.0, 1.0)),
    ("where", (1.0, 0.3, 0.7)),
    ("logsumexp", (0.3, -0.2, 0.9)),
    ("weighted_sum", (0.3, -0.2, 0.9)),
]


def planted(op, fault, i, n=1):
    """The row, with a wrong partial by operand `i`; `n` is how many operands a row on any number of them will get."""
    if op.arity is None:
        right = op.partials
        rules = [lambda xs, r, k=k: right(xs, r)[k] for k in range(n)]
        wrong = FAULTS[fault](rules, i)
        return dataclasses.replace(
            op, partials=lambda xs, r: [wrong(xs, r) if k == i else p for k, p in enumerate(right(xs, r))]
        )
    return dataclasses.replace(
        op, partials=tuple(FAULTS[fault](op.partials, i) if k == i else rule for k, rule in enumerate(op.partials))
    )


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("name", "point"), PLANTED)
def test_a_planted_wrong_partial_is_named(name, point, fault):
    """Whatever operand it is planted in, deep in an expression too; a fault that changes nothing is no fault."""
    op = OPS[name]
    gradcheck(op, *point)
    right = op.partials_at(point, op(*point), [True] * len(point))
    for i in range(len(point)):
        wrong = planted(op, fault, i, len(point))
        if wrong.partials_at(point, op(*point), [True] * len(point)) == list(right) or (
            op.arity == 1 and fault == "swapped"
        ):
            continue
        for f in (wrong, lambda *xs, wrong=wrong: sin(3.0 * exp(wrong(*xs)) + xs[0])):
            with pytest.raises(AssertionError, match=rf"^{name}: its partial by operand {i + 1} is wrong"):
                gradcheck(f, *point)


@pytest.mark.parametrize("name", OPS)
@given(data=st.data())
@settings(max_examples=10)
def test_a_wrong_factor_is_caught_in_every_row_that_has_a_slope(name, data):
    """By a factor 1.001 in any partial that is not 0."""
    op = OPS[name]
    point = data.draw(numbers(op, max_operands=3))
    right = op.partials_at(point, op(*point), [True] * len(point))
    for i, partial in enumerate(right):
        if abs(partial) > 1e-6:
            with pytest.raises(AssertionError, match=rf"^{name}: its partial by operand {i + 1} is wrong"):
                gradcheck(planted(op, "factor 1.001", i, len(point)), *point)


def test_the_message_has_point_both_numbers_ratio_and_a_guess():
    """Everything needed to mend the rule stands in the message."""
    with pytest.raises(AssertionError) as caught:
        gradcheck(planted(OPS["sin"], "sign", 0), 0.0)
    message = str(caught.value)
    assert "sin(0.0)" in message
    assert "the rule gives -1.0" in message
    assert "complex step gives 1.0 (± " in message
    assert "ratio -1" in message
    assert "the sign is wrong" in message
    assert "in gradcheck of sin at the point (0.0,)" in message
    with pytest.raises(AssertionError, match=r"this is the partial by operand 1, are they swapped\?"):
        gradcheck(planted(OPS["hypot"], "swapped", 1), 3.0, 4.0)


def test_a_node_is_named_by_its_label():
    """The user's own name for the node stands beside the operation."""

    def f(x):
        z = planted(OPS["exp"], "sign", 0)(x)
        z.label = "layer.z"
        return z * 2.0

    with pytest.raises(AssertionError, match=r"exp\(0\.5\), node 'layer\.z'"):
        gradcheck(f, 0.5)


def test_what_was_not_recorded_is_found():
    """A function that uses the plain number on the way has a slope that the graph does not know."""
    with pytest.raises(AssertionError, match="computes something that was not recorded"):
        gradcheck(lambda x: x * x.data, 3.0)
    with pytest.raises(AssertionError, match="input 1 of 1"):
        gradcheck(lambda x: x.data**2, 3.0)
    assert gradcheck(lambda x: 5.0, 3.0).error == 0.0


@pytest.mark.parametrize(
    ("partial", "said"),
    [
        (lambda a, r: math.exp(getattr(a, "data", a)), "is right, but not the derivative of that by operand 1"),
        (lambda a, r: math.exp(a), r"is right, but not the derivative(.|\n)*computes on floats but not on Values"),
    ],
)
def test_a_rule_that_cannot_be_differentiated_is_named_in_second_order(partial, said):
    """Right numbers that cut the graph pass first order and are caught in second."""
    op = Op("grow", "g", math.exp, np.exp, (partial,))
    gradcheck(op, 0.5)
    with pytest.raises(AssertionError, match=f"^grow: its partial by operand 1 {said}"):
        gradcheck(lambda x: x * op(x), 0.5, order=2)


def test_right_functions_pass():
    """Numbers, sequences, arrays, operations, constants; the report says who knew."""
    assert gradcheck(OPS["tanh"], 0.3).oracle == "complex step"
    assert gradcheck(OPS["erf"], 0.3).oracle == "mpmath"
    report = gradcheck(
        lambda w, x, b: sum(w @ x) + b[0] * b[1][0],
        np.array([[1.0, 2.0], [3.0, 4.0]]),
        np.array([0.5, -0.5]),
        [2.0, [3.0]],
        order=2,
    )
    assert report.error <= 1e-9
    assert report.bound < 1e-6
    assert gradcheck(lambda xs: log(total([x * x for x in xs])), [1, 2.5, np.float32(3)]).error < 1e-15
    cube = Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: 3 * a * a,))
    assert gradcheck(cube, -1.5).oracle == "dual numbers"
    assert gradcheck(cube, -1.5, order=2).oracle == "central differences"


@pytest.mark.parametrize("x", [0.0, 1e-10, 18.0, -18.0, 40.0, -700.0])
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "erf", "sin", "asinh", "atan"])
def test_saturated_and_tiny_points_raise_no_false_alarm(name, x):
    """Rules that cancel by rounding are not called wrong."""
    gradcheck(OPS[name], x)


SAME = Op("same", "≡", lambda a: a, partials=(lambda a, r: 1.0,))  # no row: 50 digits do not know it


def test_a_sweep_that_doubles_a_path_is_found(monkeypatch):
    """Right partials, added up wrongly: that is said, and no operation is blamed."""
    honest = checking.propagate
    monkeypatch.setattr(
        checking, "propagate", lambda root, **options: {x: 2.0 * d for x, d in honest(root, **options).items()}
    )
    with pytest.raises(
        AssertionError, match=r"^the derivative by input 1 of 2 is wrong, .* lost or doubled a path(.|\n)*ratio 2"
    ):
        gradcheck(lambda x, y: x * sin(y), 3.0, 2.0)


def test_what_was_not_recorded_is_found_in_second_order():
    """x² - 2x with a factor cut has the right slope at 2, by chance, and loses its second derivative."""
    cut = lambda x: SAME(x) * x.data - 2.0 * x.data
    gradcheck(cut, 2.0)
    with pytest.raises(AssertionError, match=r"^the second derivative by input 1 of 1 and input 1 of 1 is wrong"):
        gradcheck(cut, 2.0, order=2)


def test_a_function_may_leave_its_domain_next_to_the_point():
    """A graph that leaves the number on purpose raises no false alarm."""
    report = gradcheck(log, 0.003)
    assert report.oracle == "complex step"
    assert report.error < 1e-13


@pytest.mark.parametrize(
    ("f", "x", "order", "said"),
    [
        (Op("bend", "b", lambda a: a * abs(a), partials=(lambda a, r: 2.0 * abs(a),)), 0.0, 2,
         r"^bend\(0\.0\) has no derivative to check of second order by operand 1: .*a kink"),
        (lambda x: SAME(x) * x if x > 2.0 else 4.0 * SAME(x) - 4.0, 2.0, 2,
         r"^no oracle can tell the second derivative by input 1 of 1 and input 1 of 1; move the point"),
        (lambda x: SAME(x) + abs(x.data - 2.0), 2.0, 1, r"^no oracle can tell the derivative by input 1 of 1: its slopes .* differ there; move the point"),
    ],
    ids=["an operation", "a branch", "what was not recorded"],
)  # fmt: skip
def test_where_no_oracle_can_tell_it_says_so(f, x, order, said):
    """A kink of the function, or of its slope: a ValueError, not a verdict."""
    with pytest.raises(ValueError, match=said):
        gradcheck(f, x, order=order)


@pytest.mark.parametrize(
    ("f", "x", "said"),
    [
        (relu, 0.0, "at a kink"),
        (abs, 0.0, "at a kink"),
        (lambda x: autodiff.maximum(x, 2.0), 2.0, "at a kink"),
        (autodiff.sqrt, 0.0, "at the edge of its domain"),
        (lambda x: x**0.5, 0.0, "the edge of a domain"),
        (Op("hinge", "h", lambda a: max(a, 0.0), partials=(lambda a, r: autodiff.step(a),)), 0.0, "a kink"),
        (log, -1.0, "log of -1.0"),
    ],
)
def test_where_there_is_no_derivative_it_says_so(f, x, said):
    """A ValueError that names the operation: never a false alarm."""
    with pytest.raises(ValueError, match=said):
        gradcheck(f, x)


def test_a_constant_condition_is_no_kink():
    """`where(0.0, …)` with a plain number is crossed by nobody."""
    gradcheck(lambda a, b: autodiff.where(0.0, a, b), 1.0, 2.0, order=2)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: gradcheck(sin), TypeError, "needs the point"),
        (lambda: gradcheck(sin, 1.0, order=3), ValueError, "order must be 1 or 2, got 3"),
        (lambda: gradcheck(lambda x: [x], 1.0), TypeError, "ONE number, got list"),
        (lambda: gradcheck(sin, "1"), TypeError, "one real number"),
        (lambda: gradcheck(3, 1.0), TypeError, "^f must be a function, got int 3$"),
        (lambda: gradcheck(sin, 1.0, gradient=3), TypeError, "^gradient must be a function, got int 3$"),
        (lambda: jaccheck(3, 1.0), TypeError, "^f must be a function, got int 3$"),
        (lambda: jaccheck(sin, 1.0, vjp="u"), TypeError, "^vjp must be a function, got str 'u'$"),
        (
            lambda: check_kinks(math.sin),
            ValueError,
            "op must be an Op or the name of a row, got <built-in function sin>",
        ),
        (lambda: expressions("exp"), TypeError, r"\['exp'\]"),
        (lambda: expressions(["gamma"]), ValueError, "unknown operation 'gamma'"),
        (lambda: expressions([3]), TypeError, "got int 3"),
        (lambda: expressions([]), ValueError, "at least one"),
        (lambda: expressions(max_leaves=0), ValueError, "max_leaves must be at least 1, got 0"),
        (lambda: expressions(max_leaves=2.0), TypeError, "max_leaves must be an int, got float"),
        (lambda: expressions(inputs=0), ValueError, "inputs must be at least 1"),
        (lambda: expressions(["add"], max_leaves=1), ValueError, "none of add takes 1 to 1 operands"),
        (lambda: expressions(["exp"], inputs=2), ValueError, "none of exp takes 2 to 8 operands"),
        (
            lambda: expressions([Op("a b", "?", abs, partials=(abs,))]),
            ValueError,
            "must be an identifier to be drawn, got 'a b'",
        ),
        (lambda: numbers("gamma"), ValueError, "unknown operation 'gamma'"),
        (lambda: numbers("total", max_operands=0), ValueError, "max_operands must be at least 1"),
        (lambda: Expression("def f(x):\n    return x", (1.0,))(1.0, 2.0), TypeError, "needs 1 numbers, got 2"),
    ],
)
def test_bad_arguments_are_refused_at_the_call(call, error, said):
    """Each with a message that says what to give instead."""
    with pytest.raises(error, match=said):
        call()


def test_a_hidden_package_does_not_hide_what_is_wrong(monkeypatch):
    """`sys.modules[name] = None` is Python's own way to hide a package; the program to reproduce looks through it all."""
    monkeypatch.setitem(sys.modules, "a_package_that_is_hidden", None)
    wrong = Op("wrong", "?", lambda a: a * a, partials=(lambda a, r: a,))
    with pytest.raises(AssertionError, match="wrong: its partial by operand 1 is wrong") as caught:
        gradcheck(wrong, 3.0)
    assert "reproduce it with" in str(caught.value)


def rows_in(expression):
    graph = topological_order(expression(*map(Value, expression.point)))
    return [node.op.name for node in graph if node.op is not None]


@given(expressions(max_leaves=6))
def test_expressions_keep_what_they_promise(f):
    """Finite and bounded, away from kinks, leaves counted, source that runs as it stands."""
    values = [Value(x) for x in f.point]
    for node in topological_order(f(*values)):
        if node.op is None:
            continue
        operands = [getattr(x, "data", x) for x in node.operands]
        assert abs(node.data) <= 1e3
        assert all(abs(p) <= 1e3 for p in node.partials)
        if node.op.kink is not None and any(node.partials):
            assert node.op.kink(*operands) != 0.0 or node.op is OPS["where"]
    names = {"x", "y", "z"}
    leaves = [
        n
        for n in ast.walk(ast.parse(f.source))
        if isinstance(n, ast.Constant) or (isinstance(n, ast.Name) and n.id in names)
    ]
    assert len(leaves) <= 6
    scope = {}
    exec(f"from autodiff import *\n{f.source}", scope)
    assert scope["f"](*f.point) == f(*f.point)
    assert repr(f) == f"{f.source}\nf({', '.join(map(repr, f.point))})"


@given(
    expressions(["sin", OPS["mul"], Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: 3 * a * a,))], inputs=2)
)
def test_expressions_use_the_operations_and_inputs_asked_for(f):
    """Operations of one's own too."""
    assert set(rows_in(f)) <= {"sin", "mul", "cube"}
    assert len(f.point) == 2


def test_every_row_is_drawn():
    """A thousand expressions leave no row out."""
    seen = set()

    @settings(max_examples=1000, database=None, phases=[Phase.generate], derandomize=True)
    @given(expressions())
    def draw(f):
        seen.update(rows_in(f))

    draw()
    assert seen == set(OPS) - {"stop_gradient"}  # whose slope no oracle knows


@pytest.mark.parametrize("name", ["tanh", "log", "where", "logsumexp"])
def test_the_least_expression_with_a_row_is_that_row(name):
    """Shrinking takes everything else away."""
    least = find(
        expressions(),
        lambda f: name in rows_in(f),
        # The same draws in every run: from some starts a ladder of n + n is left, which no pass of the shrinker takes away.
        settings=settings(max_examples=3000, database=None, phases=[Phase.generate, Phase.shrink], derandomize=True),
    )
    assert rows_in(least) in ([name], ["add", name])  # where x + 0.0 gives what the row's own start does not
    assert len(least.source.splitlines()) <= 3


def test_a_failure_shrinks_to_the_least_graph():
    """A fault in tanh, met in large expressions, is shown in a tiny one."""
    wrong = planted(OPS["tanh"], "factor 1.001", 0)

    def fails(f):
        try:
            gradcheck(f, *f.point)
        except AssertionError:
            return True
        return False

    least = find(
        expressions(["add", "mul", "sin", wrong]),
        fails,
        settings=settings(max_examples=1000, database=None, phases=[Phase.generate, Phase.shrink]),
    )
    assert least.source == "def f(x):\n    return tanh(x)"


def test_gradcheck_works_without_hypothesis_and_the_strategies_say_what_to_install():
    """Hypothesis is an extra: its absence is met only by those who ask for strategies."""
    code = """
import sys
sys.modules["hypothesis"] = None
import autodiff
from autodiff.testing import gradcheck
gradcheck(autodiff.tanh, 0.5, order=2)
try:
    from autodiff.testing import expressions
except ImportError as error:
    print(error)
"""
    answer = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "delta-autodiff[testing]"' in answer.stdout


@pytest.mark.parametrize(
    ("gone", "error", "said"),
    [
        ("hypothesis", ImportError, r'^autodiff\.testing\.points draws with Hypothesis: pip install "delta-autodiff\[testing\]"'),
        ("autodiff.testing.perceptrons", ModuleNotFoundError, r"autodiff\.testing\.perceptrons"),
    ],
)  # fmt: skip
def test_only_hypothesis_is_asked_for_where_it_is_missing(monkeypatch, gone, error, said):
    """Anything else that cannot be imported is named as it is."""
    with monkeypatch.context() as without:
        without.delitem(sys.modules, "autodiff.testing.strategies")
        without.delattr(autodiff.testing, "strategies")
        without.setitem(sys.modules, gone, None)
        with pytest.raises(error, match=said):
            _ = autodiff.testing.points
    with pytest.raises(AttributeError, match=r"module 'autodiff\.testing' has no attribute 'point'"):
        _ = autodiff.testing.point


def test_importing_the_engine_does_not_load_hypothesis():
    """`gradcheck` does not mind it either."""
    code = "import sys, autodiff.testing; print('hypothesis' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("f", "point"), [(lambda a: a * a, math.inf), (lambda a: a.exp(), 800.0), (lambda a: 1 / a.exp(), 800.0)]
)
def test_numbers_that_are_not_finite_are_refused(f, point):
    """There is no derivative to check, and the message says which number it is."""
    with pytest.raises(ValueError, match=r"there is no derivative to check: .* is inf in gradcheck of"):
        gradcheck(f, point)


def test_a_kink_that_the_operand_moves_along_is_none():
    """atan2(0, x) is π for every x below 0: constant there, though the jump lies along that very axis."""
    assert gradcheck(lambda x: autodiff.atan2(0.0, x) + x, -0.335).error == 0.0
    with pytest.raises(ValueError, match="at a kink"):
        gradcheck(lambda y: autodiff.atan2(y, -0.335), 0.0)


@pytest.mark.parametrize("exponent", [1.0, 2, 3.0, -1, -2.0])
@pytest.mark.parametrize("order", [1, 2])
def test_whole_powers_of_negative_numbers_are_checked(exponent, order):
    """Next to a whole exponent a negative base has no real power: the check does not stumble over it."""
    assert gradcheck(lambda x: x**exponent, -1.5, order=order).error < 1e-6


def test_an_operation_that_differs_on_complex_numbers_leaves_it_to_others():
    """0 ** x is 0 for every x above 0, and nothing of the kind on complex numbers."""
    f = lambda x: autodiff.hypot(autodiff.sign(x + 0.0**x), autodiff.sign(x + 0.0**x)) * x
    assert gradcheck(f, 4.0).oracle == "mpmath"


@pytest.mark.parametrize(
    ("f", "truth"),
    [
        (lambda a: a * a + Value(1e6 + 5.0 * a.data), 9.0),
        (lambda a: a * a + Value(1e8 + 500.0 * a.data), 504.0),
        (lambda a: a * a + Value(1000.0 + 0.005 * a.data), 4.005),
        (lambda a: 0.0 * a if a == 2.0 else a * a - 4.0, 4.0),
    ],
    ids=["5 in a million", "500 in 1e8", "0.005 in a thousand", "decided at the very point"],
)
def test_a_cut_is_found_beside_a_large_value(f, truth):
    """At steps so small that a value's roundings are larger, nothing shows; at large ones it does."""
    with pytest.raises(AssertionError, match="computes something that was not recorded") as caught:
        gradcheck(f, 2.0)
    assert math.isclose(caught.value.expected, truth, rel_tol=1e-6)
    assert abs(caught.value.expected - truth) <= caught.value.bound


def shifted_logsumexp(*xs):
    top = max(x.data for x in xs)
    return log(total([exp(x - top) for x in xs])) + top


@pytest.mark.parametrize(
    ("f", "point"),
    [
        (shifted_logsumexp, (1.0, 2.0, 2.0)),
        (lambda x: sin(x) / x if x != 0.0 else 0.0 * x + 1.0, (0.0,)),
        (lambda x: x * x if x > 2.0 else 4.0 * x - 4.0, (2.0,)),
        (lambda x: x if x > 30.0 else log(1.0 + exp(x)), (30.0,)),
        (lambda x: 1e8 * x if x > 1.0 + 2.0**-9 else 3.0 * x, (1.0,)),
        (lambda x: 1e8 * x if x > 1.00001 else 3.0 * x, (1.0,)),
        (lambda x: x * x * int(x.data * 1000.0) / 1000.0, (2.0005,)),
    ],
    ids=[
        "a shift that cancels",
        "a hole filled",
        "smooth",
        "equal to rounding",
        "a branch near",
        "a branch nearer",
        "stairs",
    ],
)
def test_a_branch_or_a_number_that_changes_no_slope_passes(f, point):
    """Code outside the recorded graph is no fault unless it changes the derivative at the point."""
    assert gradcheck(f, *point).error < 1e-9


@pytest.mark.parametrize(
    ("f", "point", "said"),
    [
        (lambda x: x if x > 0.0 else -x, (0.0,), "by input 1 of 1: its slopes on the left and on the right differ there"),
        (lambda x: x * 0.0 + 1.0 if x >= 1.0 else x * 0.0, (1.0,), "by input 1 of 1: its value jumps there"),
        (max, (1.0, 1.0), "by input 1 of 2: its slopes on the left and on the right differ"),
        (lambda x, y: x * 2.0 + (y if y > 3.0 else 0.5 * y + 1.5), (1.0, 3.0), "by input 2 of 2: its slopes on the left and on the right differ"),
        (lambda x: x * 0.0 if x == 1.0 else x, (1.0,), "its value jumps there"),
    ],
    ids=["kink", "jump", "max", "second input", "a point taken out"],
)  # fmt: skip
def test_a_branch_decided_at_the_point_has_no_derivative(f, point, said):
    """Python's own `if` makes a kink as `abs` does, and is refused as that is."""
    with pytest.raises(ValueError, match=r"no oracle can tell the derivative by .* there; move the point") as caught:
        gradcheck(f, *point)
    assert re.search(said, str(caught.value))


def test_a_function_that_changes_its_input_is_told_so():
    """The row that met the old number is not blamed."""

    def f(w, x):
        y = w * x
        w.data = w.data - 0.1
        return y * w

    with pytest.raises(ValueError, match=r"^the function changes the data of input 1 of 2 from 2\.0 to 1\.9: "):
        gradcheck(f, 2.0, 3.0)


@pytest.mark.parametrize(
    ("f", "x", "order", "said"),
    [
        (lambda x: 1.0 / x, 1e-300, 1, r"^div\(1\.0, 1e-300\) has no derivative to check by operand 2: it overflows there"),
        (lambda x: 1.0 / x, 1e-150, 2, r"^div\(1\.0, 1e-150\) has .* of second order by operand 2: it overflows there"),
        (lambda x: (1.0 / x) * (1.0 / x), 1e-120, 1, "^the derivative by input 1 of 1 overflows there"),
        (lambda x: (1.0 / x) * (1.0 / x), 1e-80, 2, "^the second derivative by input 1 of 1 and input 1 of 1 overflows there"),
    ],
)  # fmt: skip
def test_a_derivative_beyond_the_floats_is_no_verdict(f, x, order, said):
    """Infinite by the rule and by the oracle: neither right nor wrong."""
    pytest.importorskip("mpmath")
    with pytest.raises(ValueError, match=said):
        gradcheck(f, x, order=order)


@pytest.mark.parametrize("exponent", range(1, 12))
def test_cancellation_is_not_called_a_wrong_derivative(exponent):
    """(1 - cos x) / x² loses all digits of its second derivative near 0, though every rule is right."""
    x = 10.0**-exponent
    for f in (lambda x: (1.0 - autodiff.cos(x)) / x**2, lambda x: log(1.0 + x) / x):
        gradcheck(f, x)
        try:
            gradcheck(f, x, order=2)
        except ValueError:
            assert exponent >= 5
    if exponent == 5:
        with pytest.raises(ValueError, match=r"the second derivative .* is ill-conditioned there: by cancellation"):
            gradcheck(lambda x: (1.0 - autodiff.cos(x)) / x**2, x, order=2)


FACTORS = {"k": 2.0, "all": [1.0, math.inf]}
WEIGHT = Value(2.0, "w")


class Colour(enum.IntEnum):
    RED = 3


class Model:
    """Holds numbers alone, and reads the global dict."""

    def __init__(self, k):
        self.k, self.name = k, "model"

    def loss(self, x):
        return x * x.data * self.k * FACTORS["k"]

    __call__ = loss


def decorated(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args)

    return wrapper


def of_no_module():
    """A class and a wrapped function that cannot be imported."""

    class Local:
        factor = 2.0

        def __init__(self, k):
            self.k = k

        def __call__(self, x: Value) -> Value:
            return x * x.data * self.k * FACTORS["k"]

    @decorated
    def cut(x):
        return x * x.data

    return cut, Local(np.array([3.0, 1.0])[0])


def scaled(k, x):
    return k * x * x.data


MODEL = Model(np.float64(3.0))
TWISTED = []
TWISTED.append(TWISTED)


def by_exec(source):
    scope = {}
    exec(source, scope)
    return scope["f"]


WRITTEN = {
    "a dict": lambda x: x * x.data * FACTORS["k"],
    "a Value": lambda x: x * x.data * WEIGHT,
    "a number of a kind of its own": lambda x: x * x.data * Colour.RED,
    "a bound method": MODEL.loss,
    "an instance in a lambda": lambda x: MODEL.loss(x),
    "an object that is called": MODEL,
    "a partial": functools.partial(scaled, 2.0),
    "a wrapped function": of_no_module()[0],
    "an object of a local class": of_no_module()[1],
    "an operation named by a keyword": Op("lambda", "λ", lambda a: a * a, partials=(lambda a, r: a,)),
    "an operation whose name is none": Op("a-1 b", "λ", lambda a: a * a, partials=(lambda a, r: a,)),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_what_a_function_uses_is_written_out(case):
    """The program fails the same way in an empty namespace."""
    with pytest.raises(AssertionError) as caught:
        gradcheck(WRITTEN[case], 3.0)
    program = caught.value.reproduction
    assert "no source" not in program
    with pytest.raises(AssertionError) as again:
        exec(program, {})
    assert (again.value.found, again.value.expected) == (caught.value.found, caught.value.expected)


class Held:
    """Not numbers alone."""

    def __init__(self):
        self.other = MODEL

    def loss(self, x):
        return x * x.data * self.other.k


HELD = Held()
PLACES = {
    "a lambda made by exec": (by_exec("f = lambda x: x * x.data"), 3.0, {}),
    "a function made by exec": (by_exec("def f(x): return x * x.data"), 3.0, {}),
    "an instance that holds another": (lambda x: HELD.loss(x), 3.0, {}),
    "a method of it": (HELD.loss, 3.0, {}),
    "a list that holds itself": (lambda x: x * x.data * len(TWISTED), 3.0, {}),
    "gradients, and an array": (
        by_exec("f = lambda x: (x * x).sum()"), np.array([1.0, 2.0], np.float32), {"gradient": by_exec("f = lambda x: x")},
    ),
    "an operation": (Op("cube", "³", by_exec("f = lambda a: a ** 3"), partials=(by_exec("f = lambda a, r: a"),)), 2.0, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", PLACES)
def test_what_has_no_source_gets_a_place_in_a_program_that_python_can_read(case):
    """With every import it needs: it runs up to where the missing part is used."""
    f, point, more = PLACES[case]
    with pytest.raises(AssertionError) as caught:
        gradcheck(f, point, **more)
    program = caught.value.reproduction
    ast.parse(program)
    assert "has no source to show: put it in its place below\n" in program
    assert "...  # put yours here: " in program
    with pytest.raises((TypeError, AttributeError)):  # not a NameError
        exec(program, {})


def test_functions_of_other_libraries_get_a_place():
    """A module of PyTorch, a function that JAX compiled."""
    torch, jax = pytest.importorskip("torch"), pytest.importorskip("jax")
    linear = torch.nn.Linear(2, 1).double()
    compiled = jax.jit(lambda x: (x * x).sum())
    for f in (lambda x: linear(torch.as_tensor(x)).sum(), lambda x: float(compiled(x)), compiled):
        with pytest.raises(AssertionError) as caught:
            gradcheck(f, np.array([1.0, 2.0]), gradient=lambda x: 7.0 * x)
        ast.parse(caught.value.reproduction)
