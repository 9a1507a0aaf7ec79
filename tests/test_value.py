"""What a node is: numbers in, comparisons, labels, errors (docs/design.md, section 4)."""

import gc
import math
import operator
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import autodiff
from autodiff import OPS, DomainError, Op, Value, no_grad
from autodiff.domains import Domain
from autodiff.naming import describe


@pytest.mark.parametrize(
    "number",
    [
        2,
        2.0,
        True,
        np.float64(2),
        np.float32(2),
        np.int32(2),
        np.bool_(True),
        Fraction(5, 2),
        Decimal("2.5"),
        np.array(1.0),
        np.array(3),
    ],
    ids=repr,
)
def test_one_real_number_of_any_kind_is_taken_as_a_float(number):
    """data is the plain Python float of the same size, whatever the number's type was."""
    value = Value(number)
    assert type(value.data) is float
    assert value.data == float(number)
    value.data = 0.0
    value.data = number
    assert type(value.data) is float


@pytest.mark.parametrize(
    ("what", "advice"),
    [
        ("3", r"one real number, got str; for text use Value\(float\('3'\)\)$"),
        ([1, 2], r"got list; make one Value per element, e\.g\. \[Value\(x\) for x in data\]$"),
        (np.ones(3), r"got ndarray; make one Value per element"),
        ({1: 2}, r"got dict; make one Value per element"),
        (1j, r"got complex; keep real and imaginary parts as two Values$"),
        (np.complex128(1j), r"got complex128; keep real and imaginary parts as two Values$"),
        (None, r"one real number, got None; is a `return` missing in the function it came from\?$"),
        (np.array(None), r"one real number, got None; is a `return` missing"),
        ([Value(1.0)], r"got list; its entries are Values already: take them one by one, "),
        (Decimal("sNaN"), r"one real number, got Decimal\('sNaN'\)$"),
        (np.timedelta64(1, "D"), r"one real number, got .*timedelta64\(1,'D'\)$"),
        (b"3", r"got bytes; for text use Value\(float\(b'3'\)\)$"),
        (np.ma.masked, r"one real number, got a masked entry of an array; leave it out$"),
        (Value(1.0), r"got \w+; it is a Value already: use it as it is, or its \.data for a constant$"),
        (Value(1.0) + 1, r"got \w+; it is a Value already: use it as it is, or its \.data for a constant$"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_anything_else_is_refused_with_advice(what, advice):
    """The constructor and the assignment of data raise the same TypeError, and nothing changes."""
    with pytest.raises(TypeError, match=advice):
        Value(what)
    value = Value(5.0)
    with pytest.raises(TypeError, match=advice):
        value.data = what
    assert value.data == 5.0


def test_an_integer_beyond_the_floats_is_refused():
    """A huge integer is an OverflowError that says how large is too large."""
    with pytest.raises(OverflowError, match=r"beyond the largest float, 1\.8e308; scale it down"):
        Value(10**400)


@pytest.mark.parametrize("label", [3, None, b"x", ["x"]])
def test_a_label_that_is_not_text_is_refused(label):
    """Both ways of giving a label check it."""
    with pytest.raises(TypeError, match=r"a label must be text, got .*; use str\(\.\.\.\)"):
        Value(1.0, label)
    value = Value(1.0, "kept")
    with pytest.raises(TypeError, match="a label must be text"):
        value.label = label
    assert value.label == "kept"


def test_comparisons_compare_data_and_give_a_bool():
    """Every relation, against Values and numbers of other types, is that of the data."""
    a, b = Value(2.0), Value(3.0)
    for relation in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
        for left, right in ((a, b), (b, a), (a, Value(2.0))):
            assert relation(left, right) is relation(left.data, right.data)
        for number in (2, 2.0, 2.5, np.float64(2), Fraction(5, 2), Decimal(3)):
            assert relation(a, number) is bool(relation(2.0, number))
            assert relation(number, a) is True or relation(number, a) is False
            assert bool(relation(number, a)) is bool(relation(number, 2.0))


def test_equality_with_other_things_is_false_and_order_an_error():
    """`==` never raises; `<` says that it cannot."""
    assert (Value(1.0) == "1") is False
    assert (Value(1.0) != None) is True  # noqa: E711 # the point is the operator
    with pytest.raises(TypeError, match="not supported between"):
        _ = Value(1.0) < "1"


def test_the_hash_is_the_objects_own():
    """Equal Values are different keys: a node is not its number."""
    a, b = Value(1.0), Value(1.0)
    assert a == b
    assert len({a, b}) == 2


def test_truth_is_that_of_the_number():
    """`if v` means `if v.data`, so 0 is false."""
    assert not Value(0.0)
    assert Value(-0.5)


def test_python_branches_follow_the_data():
    """The derivative is that of the branch that was taken."""

    def f(x):
        return x * x if x > 0 else -x

    assert autodiff.grad(f)(3.0) == 6.0
    assert autodiff.grad(f)(-3.0) == -1.0


@pytest.mark.parametrize("cut", [float, int, math.sin, math.exp, math.gamma])  # of which gamma has no row
def test_nothing_cuts_the_graph_silently(cut):
    """float(), int() and math's functions raise, naming the node, autodiff's functions and .data."""
    with pytest.raises(TypeError, match=rf"'w'.*autodiff\.{'exp' if cut is math.exp else 'sin'}\b.*v\.data"):
        cut(Value(2.0, "w"))


def test_numpy_cannot_take_the_number_either():
    """An array of floats made from Values raises as float() does."""
    with pytest.raises(TypeError, match=r"v\.data"):
        np.array([Value(1.0)], dtype=float)


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda p: p.log(), r"^log of -0\.5, outside \(0, ∞\), in 'loss\.p'$"),
        (lambda p: p.sqrt(), r"^sqrt of -0\.5, outside \[0, ∞\), in 'loss\.p'$"),
        (lambda p: p / 0, r"^div of -0\.5 and 0\.0, operand 2 outside \(-∞, ∞\) without 0, in operand 1 'loss\.p'$"),
        (lambda p: 1 / (p + 0.5), r"operand 2 outside .* in operand 2 add\('loss\.p', 0\.5\)$"),
        (lambda p: p**0.5, r"^pow of -0\.5 and 0\.5, needs a base above 0.*in operand 1 'loss\.p'$"),
        (
            lambda p: p ** Value(2.0),
            r"no derivative by operand 2, in .*; if that operand is meant to be constant, make it a",
        ),
        (lambda p: 0.0**p, r"^pow of 0\.0 and -0\.5, needs"),
        (lambda p: autodiff.acosh(p), r"^acosh of -0\.5, outside \[1, ∞\)"),
        (lambda p: autodiff.sin(p * math.inf), r"^sin of -inf, outside \(-∞, ∞\), in mul\('loss\.p', inf\)"),
        (lambda p: autodiff.clip(p, 1.0, 0.0), r"^clip of -0\.5 and 1\.0 and 0\.0, needs low ≤ high"),
    ],
)
def test_domain_errors_name_operation_value_and_label(compute, message):
    """Outside its domain an operation raises a DomainError, which is a ValueError."""
    with pytest.raises(DomainError, match=message) as caught:
        compute(Value(-0.5, "loss.p"))
    assert isinstance(caught.value, ValueError)


def test_plain_numbers_get_the_same_errors():
    """autodiff's functions on floats keep the domains too."""
    with pytest.raises(DomainError, match=r"^log of -1\.0, outside \(0, ∞\)$"):
        autodiff.log(-1.0)


def test_overflow_is_infinite_and_not_an_error():
    """Where IEEE arithmetic has an infinity, so does the engine."""
    assert Value(1000.0).exp().data == math.inf
    assert autodiff.sinh(Value(-1000.0)).data == -math.inf
    assert (Value(10.0) ** 400).data == math.inf


@pytest.mark.parametrize(
    ("write", "row"),
    [
        (operator.add, "add"),
        (operator.sub, "sub"),
        (operator.mul, "mul"),
        (operator.truediv, "div"),
        (operator.pow, "pow"),
    ],
)
def test_operators_are_the_rows_of_the_table(write, row):
    """An operator, however it is written out for speed, records what its row would: value, operands, partials."""
    x, y = Value(0.7), Value(-3.5 if row != "pow" else 3.5)
    for a, b in ((x, y), (x, 2.5), (2.5, y), (x, x)):
        quick, general = write(a, b), OPS[row](a, b)
        assert (quick.op, quick.data, quick.partials) == (general.op, general.data, general.partials)
        assert all(p is q or p == q for p, q in zip(quick.operands, general.operands, strict=True))
    for quick, general in (
        (-x, OPS["neg"](x)),
        (+x, OPS["pos"](x)),
        (abs(y), OPS["abs"](y)),
        (x.tanh(), OPS["tanh"](x)),
    ):
        assert (quick.op, quick.data, quick.partials, quick.operands) == (
            general.op,
            general.data,
            general.partials,
            general.operands,
        )


def test_unknown_operands_leave_python_its_say():
    """An operator with something foreign is Python's TypeError, so that the other type may define it."""

    class Other:
        def __radd__(self, left):
            return "mine"

    assert Value(1.0) + Other() == "mine"
    with pytest.raises(TypeError, match="unsupported operand type"):
        _ = Value(1.0) + object.__new__(type("Thing", (), {}))


@pytest.mark.parametrize(
    ("wrong", "advice"), [("1", "for text"), (1j, "two Values"), ([1], "one Value per"), (None, "return")]
)
def test_operators_say_what_to_use_in_place_of_what_is_no_number(wrong, advice):
    """Python's own kinds of things that are no numbers, on either side."""
    v = Value(1.0)
    for operation in (lambda: v + wrong, lambda: wrong - v, lambda: v**wrong):
        with pytest.raises(TypeError, match=f"a Value needs one real number, got .*{advice}"):
            operation()


def test_the_wrong_number_of_operands_is_refused():
    """An operation says how many operands it takes."""
    with pytest.raises(TypeError, match="hypot takes 2 operands, got 1"):
        autodiff.hypot(Value(1.0))
    with pytest.raises(TypeError, match=r"exp takes 1 operand, got 2$"):
        autodiff.exp(Value(1.0), 2.0)
    with pytest.raises(TypeError, match=r"round_ takes 1 operand, got 2; round\(v, digits\)"):
        autodiff.round_(Value(1.0), 2)
    with pytest.raises(TypeError, match=r"pow of a Value takes no modulus, got 3; write a \*\* b % c"):
        pow(Value(2.0), 2, 3)
    assert pow(Value(2.0), 3).data == 8.0


@pytest.mark.parametrize("root", [3, [Value(1.0)], None])
def test_only_what_ends_a_computation_has_an_order(root):
    """The message says what was got instead."""
    with pytest.raises(
        TypeError, match=f"root must be the Value at the end of a computation, got {type(root).__name__} "
    ):
        autodiff.topological_order(root)


@pytest.mark.parametrize("interval", ["(1,", "", "(2, 1)", "(a, b)", "1, 2", "(0, 1", "[0, nan]", "(0, 1, 2)", 3, None])
def test_a_domain_that_is_no_interval_is_refused(interval):
    """When it is made, and not when the first operand is compared with it."""
    kind = ValueError if isinstance(interval, str) else TypeError
    with pytest.raises(kind, match=r"must be an interval such as '\(0, ∞\)' or '\[-1, 1\]', got "):
        autodiff.Domain(interval)
    assert 3.0 in autodiff.Domain("(-∞, 3]")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: autodiff.mean([]), "mean needs at least one value, got none"),
        (lambda: autodiff.softmax([]), "softmax needs at least one value"),
        (lambda: autodiff.logsumexp(iter([])), "logsumexp needs at least one value"),
        (lambda: OPS["weighted_sum"](Value(1.0), 2.0), "needs as many inputs as weights, and a bias"),
        (lambda: OPS["mean"](), "mean of nothing, needs at least one operand"),
        (lambda: autodiff.weighted_sum([Value(1.0)], [1.0, 2.0]), "one input per weight, got 1 weights and 2 inputs"),
    ],
)
def test_sequences_that_make_no_sense_are_refused(call, message):
    """Empty means and unequal lengths are ValueErrors that say what was given."""
    with pytest.raises(ValueError, match=message):
        call()


def test_an_empty_sum_is_zero():
    """Like Python's own sum."""
    assert autodiff.total([]) == 0.0
    assert autodiff.weighted_sum([], [], 2.0) == 2.0


def test_constants_stay_plain_floats_in_their_place():
    """Operands are kept in the order they were written, numbers as floats."""
    x = Value(2.0, "x")
    assert (3 - x).operands == (3.0, x)
    assert type((3 - x).operands[0]) is float
    assert (3 - x).partials == (0.0, -1.0)
    assert [isinstance(o, Value) or type(o) for o in autodiff.weighted_sum([x, 1], [2, x], 0).operands] == [
        True,
        float,
        float,
        True,
        float,
    ]
    assert x.operands == x.partials == ()


def test_a_weighted_sum_is_its_row_of_the_table():
    """Recorded in one go or by the row, of Values, floats or both, it is the same node."""
    w, x, b = [Value(0.5), Value(-2.0)], [Value(3.0), Value(0.25)], Value(0.1)
    for weights, inputs, bias in ((w, x, b), (w, [3.0, 0.25], b), (w, [3, x[1]], b), ([0.5, w[1]], x, 1), ([], [], b)):
        quick = autodiff.weighted_sum(iter(weights), inputs, bias)
        general = OPS["weighted_sum"](*weights, *inputs, bias)
        assert (quick.op, quick.data, quick.partials) == (general.op, general.data, general.partials)
        assert all(p is q or p == q for p, q in zip(quick.operands, general.operands, strict=True))
        assert {type(p) for p in quick.operands} <= {float, type(b)}
    assert autodiff.weighted_sum([0.5, 2.0], [1.0, 3.0], 1.0) == 7.5
    with no_grad():
        assert autodiff.weighted_sum(w, x, b).op is None


def test_repr_tells_swept_from_unswept():
    """grad is shown once there is one."""
    x = Value(2.0, "x")
    assert repr(x) == "Value(2.0, label='x')"
    assert not x.swept
    (x * 0.0).backward()
    assert x.swept
    assert repr(x) == "Value(2.0, label='x', grad=0.0)"
    x.zero_grad()
    assert x.grad == 0.0
    assert not x.swept


def test_format_shows_the_number():
    """An f-string with a format is that of the data; without, the repr."""
    assert f"{Value(1 / 3):.3f}" == "0.333"
    assert f"{Value(2.0)}" == "Value(2.0)"


def test_no_grad_records_nothing_and_nests():
    """Inside no_grad results are leaves, also for n-ary and NumPy forms; afterwards recording is back."""
    x = Value(2.0)
    with no_grad():
        with no_grad():
            assert (x * x).operands == ()
        for leaf in (x + 1, x.exp(), autodiff.total([x, x]), np.exp(x), -x, abs(x)):
            assert leaf.op is None
    assert (x * x).operands == (x, x)


def test_no_grad_ends_with_an_exception():
    """An error inside leaves recording on."""
    with pytest.raises(RuntimeError, match="mine"), no_grad():
        raise RuntimeError("mine")
    assert (Value(2.0) * 2).op is not None


def test_a_graph_leaves_nothing_to_the_collector():
    """No reference cycles: what is dropped is freed at once."""
    gc.collect()
    gc.disable()
    try:
        x = Value(0.5, "x")
        loss = autodiff.total([(x * w).tanh() + autodiff.weighted_sum([x, w], [w, x], 1) for w in (x, x + 1, 2.0)]) ** 2
        loss.backward()
        autodiff.hessian(lambda a: a[0] * a[1].exp())([1.0, 2.0])
        with pytest.raises(DomainError):
            (x - 1).log()
        del loss
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_rule_that_gives_too_few_partials_is_refused():
    """A gradient must not be lost for a rule that is too short; numbers of other types become floats."""
    x, y = Value(2.0), Value(3.0)
    short = Op("short", "f", lambda *xs: sum(xs), partials=lambda xs, r: [1.0])
    rule = r"^short: its rule of partials must return one number per operand, 2, got \[1\.0\]"
    with pytest.raises(TypeError, match=rule):
        short(x, y)
    for op in (
        Op("one", "f", lambda a: np.float32(a), partials=(lambda a, r: np.float32(1),)),
        Op("many", "f", lambda *xs: np.float32(sum(xs)), partials=lambda xs, r: [np.float32(1)] * len(xs)),
    ):
        z = op(x)
        assert (type(z.data), type(z.partials[0])) == (float, float)
    with pytest.raises(TypeError, match="Op 'f' needs a forward function, and partials"):
        Op("f", "f", math.sin)


NO_NUMBERS = [None, "3", [1.0], 1j, np.complex64(1j), np.ones(1), np.ones(2), Value(2.0), 10**400]


@pytest.mark.parametrize("returned", NO_NUMBERS, ids=lambda x: f"{type(x).__name__} {x!r:.12}")
def test_a_rule_that_returns_no_number_is_refused(returned):
    """Not read, as `float("3")` would; the message names the operation and what came, whatever the number of operands."""
    x = Value(2.0)
    for n in (1, 2, 3):
        op = Op("own", "f", lambda *xs: 1.0, partials=(lambda *at: returned,) * n)
        with pytest.raises(TypeError, match=r"^own: a rule of its partials must return a number, got "):
            op(*[x] * n)
        with pytest.raises(TypeError, match=r"^own: a rule of its partials must return a number"):
            op.partials_at([2.0] * n, 1.0, [True] * n)
        own = Op("own", "f", lambda *xs: returned, partials=(lambda *at: 1.0,) * n)
        said = f"^own: forward must return a number, got {re.escape(repr(returned)[:60])}"
        for operands in ([x] * n, [2.0] * n):
            with pytest.raises(TypeError, match=said):
                own(*operands)
        with no_grad(), pytest.raises(TypeError, match=said):
            own(*[x] * n)
    for whole in (returned, np.array(1.0), (1.0,)):
        all_of_them = Op("own", "f", lambda *xs: 1.0, partials=lambda xs, r, whole=whole: whole)
        with pytest.raises(TypeError, match=r"^own: its rule of partials must return one number per operand, 3, got "):
            all_of_them(x, x, x)


def test_a_rule_may_return_any_real_number():
    """NaN and infinity too, and the kinds that Python and NumPy have; what is kept is a float."""
    for number in (math.nan, -math.inf, 3, True, Fraction(1, 2), Decimal("0.5"), np.float32(0.5), np.array(0.5)):
        for n in (1, 2, 3):
            own = Op("own", "f", lambda *xs: number, partials=(lambda *at: number,) * n)
            y = own(*[Value(2.0)] * n)
            for kept in (y.data, *y.partials, own(*[2.0] * n)):
                assert type(kept) is float
                assert kept == float(number) or math.isnan(number)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": 3}, "Op 3: name must be text, got 3"),
        ({"symbol": None}, "Op 'f': symbol must be text, got None"),
        ({"array": 3}, "Op 'f': array must be a function, or text: .*, got 3"),
        ({"domains": Domain("(0, ∞)")}, "Op 'f': domains must be a tuple of Domains, got Domain"),
        ({"domains": ("(0, ∞)",)}, "Op 'f': domains must be a tuple of Domains, got "),
        ({"kink": 3}, "Op 'f': kink must be a function of the operands, got 3"),
    ],
)
def test_an_operation_is_checked_when_it_is_made(given, said):
    """Not when it first meets an array or an edge, far from the line that is wrong."""
    settings = {"name": "f", "symbol": "f", "forward": math.sin, "partials": (lambda a, r: 1.0,)}
    with pytest.raises(TypeError, match=said):
        Op(**(settings | given))


def test_a_number_in_a_0d_array_is_that_number():
    """NumPy gives 0-d arrays where a number is meant, of Values too: np.where, np.tensordot."""
    v = Value(3.0)
    box = np.array(v, dtype=object)
    assert autodiff.exp(box).operands == (v,)
    assert autodiff.maximum(v, box).data == autodiff.maximum(box, 1.0).data == 3.0
    assert autodiff.mean([box, v, 3.0]).data == 3.0
    assert (v * box).data == (box * v).data == 9.0
    assert autodiff.grad(lambda x: np.where(x > 0, x * x, -x))(3.0) == 6.0
    assert autodiff.grad(lambda x: np.tensordot(x, x, 1))(np.array([1.0, 2.0])).tolist() == [2.0, 4.0]


@pytest.mark.parametrize(
    "call", [autodiff.mean, autodiff.total, autodiff.softmax, autodiff.logsumexp, lambda v: autodiff.weighted_sum(v, v)]
)
def test_one_value_where_several_are_meant_is_refused(call):
    """The message says that a sequence is wanted."""
    with pytest.raises(TypeError, match=r"needs a sequence of Values and numbers, got one (Value|float); put it in "):
        call(Value(3.0))
    with pytest.raises(
        TypeError, match=r"needs a sequence of Values and numbers, got one Model; give its parameters\(\)"
    ):
        call(type("Model", (), {"parameters": list})())


def test_masked_arrays_do_not_cut_the_graph():
    """NumPy's masked arrays give Values, never plain numbers."""
    x = Value(2.0)
    assert np.ma.exp(x).operands == (x,)
    product = np.ma.array([1.0, 2.0]) * Value(2.0)
    assert product.dtype == object


def test_a_users_operation_works_like_a_built_in_one():
    """One Op(...) gives floats, arrays, Values and derivatives of any order."""
    cube = Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: 3 * a * a,))
    x = Value(2.0)
    y = cube(x)
    y.backward()
    assert (y.data, x.grad) == (8.0, 12.0)
    assert cube(2.0) == 8.0
    assert cube(np.array([1.0, 2.0])).tolist() == [1.0, 8.0]
    assert autodiff.grad(autodiff.grad(autodiff.grad(cube)))(5.0) == 6.0
    assert repr(cube) == "<Op cube>"


def test_an_operation_of_three_operands_at_an_edge_keeps_all_three():
    """Where a rule divides by 0 the arrays' arithmetic gives the slope; operands and partials stay in their places."""
    op = Op(
        "ratio",
        "ratio",
        lambda a, b, c: a + b * c,
        partials=(lambda a, b, c, r: 1.0 / (c - c), lambda a, b, c, r: c, lambda a, b, c, r: b),
    )
    a, b, c = Value(1.0), Value(2.0), Value(3.0)
    result = op(a, b, c)
    assert result.operands == (a, b, c)
    assert result.partials == (math.inf, 3.0, 2.0)
    result = op(a, 2.0, c)
    assert result.operands == (a, 2.0, c)
    assert result.partials == (math.inf, 0.0, 2.0)


def test_a_domain_error_names_the_operand_that_is_outside_and_no_other():
    """Where both have labels, only the one that broke the rule; where it has none, whatever helps to find the place."""
    with pytest.raises(DomainError, match=r"in operand 2 'low'$") as caught:
        Value(1.5, "high") / Value(0.0, "low")
    assert "high" not in str(caught.value)
    with pytest.raises(DomainError, match=r"in operand 1 'high'$"):
        Value(1.5, "high") / 0.0


def test_partials_are_floats_whatever_a_rule_gives():
    """Integers and NumPy scalars from a user's rule become floats, in either place."""
    op = Op(
        "twist", "twist", lambda a, b: int(a) + int(b), partials=(lambda a, b, r: np.float64(2.0), lambda a, b, r: 3)
    )
    result = op(Value(1.0), Value(2.0))
    assert result.partials == (2.0, 3.0)
    assert [type(x) for x in (result.data, *result.partials)] == [float, float, float]


def test_a_weighted_sum_recorded_while_recording_is_off_elsewhere_has_all_its_partials():
    """grad records inside no_grad; inputs that are numbers have partial 0."""
    kept = []

    def f(w):
        kept.append(autodiff.weighted_sum([w, w], [2.0, 3.0], w))
        return kept[-1]

    with no_grad():
        assert autodiff.grad(f)(5.0) == 6.0
    assert kept[0].partials == (2.0, 3.0, 0.0, 0.0, 1.0)
    assert kept[0].operands[2:4] == (2.0, 3.0)


@pytest.mark.parametrize("exponent", [2.0**53 - 2.0, 2.0**53, 2.0**53 + 2.0, 2.0**60])
def test_even_powers_of_minus_one_fall_however_large_they_are(exponent):
    """d/da aᵇ = b·aᵇ⁻¹ = -b at a = -1 for even b, also where b - 1 is no float."""
    assert list(OPS["pow"].partials_at((-1.0, exponent), 1.0, [True, False])) == [-exponent, 0.0]


def test_a_constant_among_many_operands_has_partial_0():
    """Of a sum, a clip, a choice: what is a plain number takes no δ."""
    x = Value(0.5)
    for made, partials in [
        (autodiff.total([x, 2.0, x]), (1.0, 0.0, 1.0)),
        (autodiff.clip(x, 0.75, 1.0), (0.0, 0.0, 0.0)),
        (autodiff.where(1.0, 3.0, x), (0.0, 0.0, 0.0)),
    ]:
        assert made.partials == partials
        made.backward()


def test_one_operand_whose_rule_gives_an_integer_has_a_float_as_partial():
    """As for two operands; the value too."""
    result = Op("next", "next", lambda a: int(a) + 1, partials=(lambda a, r: 1,))(Value(1.0))
    assert [(x, type(x)) for x in (result.data, *result.partials)] == [(2.0, float), (1.0, float)]
    result = Op("next", "next", lambda a: a + 1.0, partials=(lambda a, r: np.float64(1.0),))(Value(1.0))
    assert [(x, type(x)) for x in (result.data, *result.partials)] == [(2.0, float), (1.0, float)]


def test_an_operation_on_any_number_of_operands_at_an_edge_has_one_partial_each():
    """With one operand, with two, with three."""

    def rule(xs, r):
        if type(xs[0]) is float:
            raise ZeroDivisionError
        return [x * 0.0 + 2.0 for x in xs]

    op = Op("edgy", "edgy", lambda *xs: sum(xs), partials=rule)
    for n in (1, 2, 3):
        xs = [Value(float(i)) for i in range(n)]
        assert op(*xs).operands == tuple(xs)
        assert op(*xs).partials == (2.0,) * n


def test_operations_take_numbers_of_any_kind_without_a_value_among_them():
    """Integers, fractions and NumPy scalars give a float."""
    for answer, wanted in [
        (OPS["exp"](1), math.e),
        (OPS["hypot"](3, np.float32(4.0)), 5.0),
        (OPS["add"](Fraction(1, 2), True), 1.5),
    ]:
        assert answer == pytest.approx(wanted)
        assert type(answer) is float


def test_a_notebook_is_given_the_text_beside_the_picture():
    """What Jupyter asks for."""
    x = Value(1.5, "x")
    assert x._repr_mimebundle_()["text/plain"] == repr(x)


@pytest.mark.parametrize(("forward", "slope"), [(lambda x: 1, lambda x, r: 0.0), (lambda x: 1.0, lambda x, r: 0)])
def test_a_users_operation_may_give_integers_and_the_graph_has_floats(forward, slope):
    """Result and slope are floats in the graph, whichever of the two was none."""
    y = Op("one", "1", forward, None, (slope,))(Value(2.0))
    assert (type(y.data), type(y.partials[0])) == (float, float)


def test_all_values_are_of_one_class():
    """What is written by hand and what is computed: attributes are read twice as quickly so."""
    x = Value(2.0)
    assert type(x) is type(x * x) is type(-x) is type(autodiff.total([x, x, x]))


def test_operands_lie_as_the_table_in_node_says():
    """One operand or two lie flat, beside no operand the partial is 0, and more of them are tuples."""
    x, edge = Value(4.0, "x"), Value(0.0)
    zero = 0.0
    with autodiff.no_grad():
        unrecorded = x * x
    for leaf in (x, unrecorded):
        assert (leaf.op, leaf.a, leaf.b, leaf.da, leaf.db) == (None, zero, zero, zero, zero)
    for one in (-x, x.exp(), edge.sqrt()):
        assert (one.b, one.db) == (zero, zero)
    assert ((x**2.0).db, (2.0**x).da, (edge**0.5).db) == (zero, zero, zero)
    for two in (x * x, x / x, edge ** Value(0.5)):
        assert isinstance(two.a, Value)
        assert isinstance(two.b, Value)
    for many in (autodiff.total([x]), autodiff.total([x, x]), OPS["clip"](x, 1.0, 5.0), autodiff.logsumexp([x, x])):
        assert (many.a, many.da) == ((), zero)
        assert many.b.__class__ is many.db.__class__ is tuple


def test_messages_name_numbers_labels_and_what_was_computed():
    """A number as Python writes it, a Value by its label or number, a result by its first four operands."""
    a, b = Value(2.0, "a"), Value(3.0)
    assert [describe(x) for x in (2.5, a, b)] == ["2.5", "'a'", "3.0"]
    assert describe(a * b) == "mul('a', 3.0)"
    assert describe(autodiff.total([a, b, a, b])) == "total('a', 3.0, 'a', 3.0)"
    assert describe(autodiff.total([a, b, a, b, a])) == "total('a', 3.0, 'a', 3.0, …)"


def test_operations_of_three_operands_go_element_by_element():
    """An array among the operands of clip gives an array of Values, in any place, each with its slope."""
    x = Value(1.0)
    clipped = OPS["clip"](x, np.array([0.0, 2.0]), 3.0)
    assert [y.data for y in clipped] == [1.0, 2.0]
    autodiff.total(clipped).backward()
    assert x.grad == 1.0


def test_constants_among_many_operands_have_no_slope():
    """Nothing flows to a plain number, however many operands there are."""
    x = Value(2.0)
    assert autodiff.total([x, 3.0, x]).partials == (1.0, 0.0, 1.0)


def test_a_second_derivative_that_is_infinite_is_refused_by_name():
    """√x at 0: the slope is infinite, and its slope is no number at all."""
    y = autodiff.sqrt(Value(0.0, "x"))
    with pytest.raises(DomainError, match=r"^sqrt\('x'\) has no finite second derivative here: "):
        y.backward(create_graph=True)


@pytest.mark.parametrize(("name", "operands"), [("mul", (2.0, 3.0)), ("total", (2.0, 3.0))])
def test_partials_are_wanted_or_not_for_every_operand(name, operands):
    """One answer too few is refused, not taken for a partial that nobody wants."""
    op = OPS[name]
    assert op.partials_of(operands, op(*operands), [True, False])[1] == 0.0
    with pytest.raises(ValueError, match="zip"):
        op.partials_of(operands, op(*operands), [True])


def test_integers_of_any_size_can_be_compared_with():
    """As Python does with floats: what is larger than every float is larger."""
    v = Value(1.0)
    assert v < 10**400
    assert v > -(10**400)
    assert v != 10**400
    assert v not in [10**400, -(10**400)]


@pytest.mark.parametrize("number", [10**400, Fraction(-(10**400)), Decimal("1e400"), np.longdouble("1e4000")])
def test_numbers_beyond_the_floats_are_refused_whatever_they_are(number):
    """An infinity is a number that was meant to be one; this was not."""
    with pytest.raises(OverflowError, match="beyond the largest float"):
        Value(number)
    assert Value(Decimal("-Infinity")).data == -math.inf


def test_micrograds_names_for_operands_and_operation():
    """What scripts that draw its graphs look at."""
    a, b = Value(2.0), Value(3.0)
    assert ((a * b)._prev, (a * b)._op) == ({a, b}, "*")
    assert ((a + 1.0)._prev, (a + a)._prev, a._prev, a._op) == ({a}, {a}, set(), "")


def test_a_mistake_in_a_users_operation_is_shown():
    """The DomainError says where, and what was raised is its cause; a row of the table has no other cause to tell."""
    mine = Op("mine", "m", lambda a: float(int("x")), partials=(lambda a, r: 1.0,))
    with pytest.raises(DomainError, match=r"mine of 1\.0") as caught:
        mine(Value(1.0))
    assert "invalid literal" in str(caught.value.__cause__)
    with pytest.raises(DomainError) as caught:
        autodiff.log(-1.0)
    assert caught.value.__cause__ is None
    with pytest.raises(TypeError, match="a rule per operand"):
        Op("mine", "m", math.sin, partials=(1.0,))


def test_arrays_of_what_are_no_numbers_are_refused():
    """NumPy would turn text, complex numbers and dates into floats, some of them with a warning."""
    for wrong in (["1"], [b"1"], [1j], np.array(["2020-01-01"], dtype="M8[D]")):
        with pytest.raises(TypeError, match=r"operations need arrays of real numbers, got .*; convert it first"):
            autodiff.exp(np.asarray(wrong))
        with pytest.raises(TypeError, match="operations need arrays of real numbers"):
            autodiff.maximum(1.0, np.asarray(wrong))
    np.testing.assert_array_equal(autodiff.maximum(np.array([1, 2]), Fraction(3, 2)), [1.5, 2.0])
    np.testing.assert_array_equal(autodiff.relu(np.array([True, False])), [1.0, 0.0])


def test_the_power_0_has_slope_0_of_nan_too():
    """Its value is 1 whatever the base, on floats, on arrays and recorded."""
    v = Value(math.nan)
    y = v**0
    y.backward()
    assert (y.data, v.grad) == (1.0, 0.0)
    assert OPS["pow"].partials_of([np.array([math.nan, 2.0]), 0.0], np.ones(2))[0] == 0.0
