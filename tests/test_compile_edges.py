"""Programs at their edges: operands that stand several times, NaN that decides, what check finds, kinds of arguments."""

import collections
import copy
import dataclasses
import math
import os
import pickle
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from autodiff import (
    OPS,
    DomainError,
    TraceError,
    Value,
    atan2,
    clip,
    compile,
    exp,
    grad,
    log,
    logsumexp,
    maximum,
    mean,
    no_grad,
    relu,
    sin,
    softplus,
    sqrt,
    tanh,
    total,
    weighted_sum,
    where,
)

# The functions nest 300 steps of slope 1 + 0.01 cos h: an ulp each, some 1e-13 in all.
CLOSE = {"rtol": 1e-12, "atol": 1e-13}


def held_h(steps):
    """More than 500 nodes of which no two belong together, so that a batch runs from a tape."""

    def f(x, w):
        h = x * w
        for _ in range(steps):
            h = h + 0.01 * sin(h)
        return h

    return f


@pytest.mark.parametrize(
    "last",
    [
        lambda h, w: mean([h, h, h]), lambda h, w: mean([h, w, h, w, h]) * w, lambda h, w: total([h, h, h, h]) * h,
        lambda h, w: weighted_sum([h, h, h], [w, w, w]), lambda h, w: mean([h, h * w, h, h * w, h, w]) + h,
        lambda h, w: where(h > 0.0, h, h) * mean([w, w, w, h, h, h]), lambda h, w: logsumexp([h, h, w, w, h]),
    ],
)  # fmt: skip
def test_operands_that_stand_several_times_in_a_tape(last):
    """δ of one operand adds up in place while the step that hands it on still reads the share of the others."""
    long = held_h(300)
    w = Value(1.2, "w")
    f = lambda x: last(long(x, w), w)
    program = compile(f)
    x = np.array([0.5, -0.25, 1.5])
    _, gradient, by = program.value_and_grad(x, argnums=0)
    inputs = [Value(row) for row in x.tolist()]
    mean([f(row) for row in inputs]).backward()
    np.testing.assert_allclose(by, [row.grad for row in inputs], **CLOSE)
    np.testing.assert_allclose(gradient, [w.grad], **CLOSE)
    for row, slope in zip(x.tolist(), by.tolist(), strict=True):
        assert program.value_and_grad(row, argnums=0)[2] == pytest.approx(3.0 * slope, rel=1e-12)
    assert program.value_and_grad(x, reduce=None)[1].mean(axis=0) == pytest.approx(gradient, rel=1e-12)


@pytest.mark.parametrize("steps", [0, 300])
@pytest.mark.parametrize(
    "f",
    [
        lambda s, k: where((s > 0) & (k > 0), 2.0, 5.0), lambda s, k: where((s > 0) * (k < 1), 2.0, 5.0),
        lambda s, k: where((s > 0) == 0, 2.0, 5.0),
        lambda s, k: where(maximum(s > 0, k < 0), 2.0, 5.0), lambda s, k: where(1.0 - (s > 0), 2.0, 5.0) * k,
        lambda s, k: where(relu(s) + (s > 0) > 0, 2.0, 5.0) * k,
    ],
)  # fmt: skip
def test_comparisons_with_nan_that_decide(f, steps):
    """NaN is not above 0: the branch of a batch is that of a point, whatever stands between comparison and `where`."""
    long, w = held_h(steps), Value(0.7, "w")
    g = lambda s, k: f(s, k) * long(k, w)
    s, k = np.array([math.nan, 1.0, -1.0, math.nan, 0.0]), np.array([1.0, 1.0, 2.0, -1.0, 0.5])
    program = compile(g)
    batch, gradient = program.value_and_grad(s, k, reduce=None)
    points = [program.value_and_grad(*row) for row in zip(s.tolist(), k.tolist(), strict=True)]
    np.testing.assert_allclose(batch, [value for value, _ in points], **CLOSE)
    np.testing.assert_allclose(gradient, [slope for _, slope in points], **CLOSE)
    eager_rows = [g(Value(a), Value(b)).data for a, b in zip(s.tolist(), k.tolist(), strict=True)]
    np.testing.assert_allclose(batch, eager_rows, **CLOSE)


def test_arguments_without_entries_in_the_short_way():
    """The second call is as the first."""
    w = Value(2.0, "w")
    program = compile(lambda e, x: w * x + len(e))
    for rows in (5, 5, 4_000, 4_000):
        value, gradient = program.value_and_grad(np.ones((rows, 0)), np.ones(rows))
        assert (value, gradient.tolist()) == (2.0, [1.0])


def test_check_says_all_that_the_eager_engine_says():
    """Poles, bounds in the wrong order, slopes that do not exist, constants outside a domain; not infinite slopes."""
    w = Value(2.0, "w")
    for f, args, told in (
        (lambda x: x**-1, [[1.0, 0.0]], r"^row 1: pow of 0\.0 and -1\.0, needs a base above 0"),
        (lambda x, low, high: clip(x, low, high), [[1.0], [3.0], [2.0]], r"^row 0: clip of .*low ≤ high"),
        (lambda x: x**w, [[4.0, -2.0]], r"^row 1: pow of -2\.0 and 2\.0, no derivative by operand 2"),
        (lambda x: log(Value(-1.0)) * x, [[1.0]], r"^row 0: log of -1\.0, outside"),
        (lambda x: w * x / 0.0, [[1.0]], r"^row 0: div of 2\.0 and 0\.0, operand 2 outside"),
    ):
        program = compile(f)
        with pytest.raises(DomainError, match=told):
            program(*args, check=True)
        with pytest.raises(DomainError, match=told):
            program.value_and_grad(*args, check=True)
        with pytest.raises(DomainError, match=told.replace(r"row 0: ", "").replace("row 1: ", "")):
            program(*[column[-1] for column in args], check=True)
    assert compile(lambda x: sqrt(x) + exp(x))([0.0, 1000.0], check=True).tolist() == [1.0, math.inf]


def test_division_by_a_constant_0_is_ieee_arithmetic():
    """Forward, backward, where the branch is not taken, and in a derivative taken inside."""
    w = Value(2.0, "w")
    assert compile(lambda x: w * x / 0.0)([1.0, -2.0]).tolist() == [math.inf, -math.inf]
    assert compile(lambda x: x / -0.0).value_and_grad([1.0], argnums=0)[2].tolist() == [-math.inf]
    value, gradient = compile(lambda x: where(x > 0, w * x / 0.0, w * x)).value_and_grad([-1.0, -2.0])
    assert (value, gradient.tolist()) == (-3.0, [-1.5])
    assert compile(lambda x: grad(lambda t: t / 0.0)(x))([1.0]).tolist() == [math.inf]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (collections.namedtuple("A", "a b")(2, 1), collections.namedtuple("B", "a b")(2, 1)),
        (collections.namedtuple("A", "a b")(2, 1), (2, 1)), (np.float64(0.0), np.float64(-0.0)),
        (frozenset([1]), frozenset([True])), (dataclasses.make_dataclass("C", ["n"], frozen=True)(1),) * 2,
        (((1,),), ((True,),)), (1, 1.0), (1, True),
    ],
)  # fmt: skip
def test_static_arguments_of_one_key_are_told_apart(one, other):
    """Each has its own trace: the function may ask which it is."""
    if one is other:
        other = dataclasses.replace(one, n=True)
    program = compile(
        lambda x, c: x * (3.0 if repr(c) == repr(one) and type(c) is type(one) else 5.0), static_argnums=1
    )
    for _ in range(2):
        assert program([1.0], one).tolist() == [3.0]
        assert program([1.0], other).tolist() == [5.0]


def test_constants_of_nested_products_do_not_overflow():
    """They are multiplied together only where that is far from where floats end."""
    program = compile(lambda a: 1.0 - 1e200 * (1e200 * a))
    assert program([1e-300]).tolist() == [-1e100]
    assert program(1e-300) == -1e100
    assert compile(lambda a: 1e-200 * (1e-200 * a))([1e300]) == pytest.approx(1e-100)
    assert compile(lambda a: atan2(0.0, a) - atan2(-0.0, a))(-1.0) == pytest.approx(2 * math.pi)


def test_copies_made_inside():
    """A copy would freeze the number, as reading `.data` would; what is unpickled is a constant, as all made inside."""
    w = Value(3.0, "w")
    kept = pickle.dumps(w)
    program = compile(lambda x: w * x * pickle.loads(kept))
    value, gradient = program.value_and_grad([1.0])
    assert program.parameters == [w]
    assert (value, gradient.tolist()) == (9.0, [3.0])
    for copied in (copy.copy, copy.deepcopy, lambda v: copy.deepcopy([v])[0], pickle.dumps):
        with pytest.raises(TraceError, match=r"copying 'w' while it is traced, at .*frozen into the program"):
            compile(lambda x, copied=copied: x * copied(w))([1.0])


def test_stand_ins_that_got_away_say_so():
    """In every operation, alone or beside a Value."""
    kept, w = [], Value(1.0)
    compile(lambda x: kept.append(x) or x)([1.0])
    (x,) = kept
    for use in (
        lambda: x > 0, lambda: w >= x, lambda: sorted([x, x]), lambda: max(x, 1.0), lambda: total([w, x]),
        lambda: mean([w, x]), lambda: weighted_sum([w], [x], 0.0), lambda: where(w, x, 1.0), lambda: logsumexp([w, x]),
        lambda: clip(w, x, 1.0), lambda: x + 1.0, lambda: w * x, lambda: exp(x),
    ):  # fmt: skip
        with pytest.raises(TraceError, match=r"(left|leave) the function it was traced in"):
            use()


def test_advice_fits_the_mistake():
    """What has nothing to do with rows is not explained by them; `&` of numbers is no operation."""
    for f in (
        lambda x: x @ 2,
        lambda x: ~x,
        lambda x: x + "a",
        lambda x: x & 3,
        lambda x: x | 2.0,
        lambda x: pow(x, 2, 3),
    ):
        with pytest.raises(TypeError) as caught:
            compile(f)([1.0])
        assert "one more axis" not in str(caught.value)
    for f in (lambda x: x[0], len, list):
        with pytest.raises(TypeError, match="ONE number in this call; a program's arguments have one more axis"):
            compile(f)([1.0])
    with pytest.raises(TraceError, match=r"use autodiff\.sin, which serves"):
        compile(lambda x: math.sin(x))([1.0])
    assert compile(lambda x: where((x > 0) & True, x, 0.0) + where((x > 0) | np.False_, x, 0.0))([1.0]).tolist() == [
        2.0
    ]


def test_kinds_of_arguments_that_are_easily_mistaken():
    """The first call and later ones say the same; whole numbers of any size and fractions are numbers."""
    product = compile(lambda x, y: x * y)
    for _ in range(3):
        assert product.value_and_grad(2.0, 3.0, argnums=())[2] == ()
        assert product.value_and_grad(2.0, 3.0, argnums=1)[2] == 2.0
        for wrong in (True, 1.0):
            with pytest.raises(TypeError, match="argnums must be the position of an argument"):
                product.value_and_grad(2.0, 3.0, argnums=wrong)
    double = compile(lambda x: 2.0 * x)
    assert double([10**30, Fraction(1, 4), Decimal("0.5")]).tolist() == [2e30, 0.5, 1.0]
    with pytest.raises(TypeError, match=r"jvp\(\(x,\), \(dx,\)\)"):
        double.jvp(3.0, 1.0)
    with pytest.raises(TypeError, match="must return one number to have a gradient"):
        compile(lambda x: [x, x]).hvp([1.0], vector=[])
    with pytest.raises(TypeError, match="static_argnums must be positions"):
        compile(exp, static_argnums=None)
    assert compile(lambda x, n: x**n, static_argnums=np.int64(1))([2.0], 3).tolist() == [8.0]
    assert math.isnan(compile(exp).value_and_grad([1.0] * 4, weights=[0.0, 1.0, 1.0, 1.0], reduce="sum")[0]) is False
    with pytest.raises(ValueError, match="finite sum above 0"):
        compile(exp).value_and_grad([1.0] * 4, weights=[1e308] * 4)


@compile
def decorated(x):
    """A program under its function's own name."""
    return 2.0 * x


def test_a_decorated_function_is_pickled_by_its_name():
    """The name stands for the program; a copy is a program of its own."""
    assert pickle.loads(pickle.dumps(decorated)) is decorated
    for other in (copy.copy(decorated), copy.deepcopy(decorated)):
        assert other is not decorated
        assert other([1.0]).tolist() == [2.0]


FORK = """
import os, signal
import numpy as np
from autodiff import compile, sin
program, x = compile(lambda x: sin(x) * x, threads=2), np.linspace(0.0, 1.0, 400_000)
expected = program(x)
child = os.fork()
if not child:
    signal.alarm(60)  # it would wait for ever
    os._exit(0 if np.array_equal(program(x), expected) else 1)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_fork_has_threads_of_its_own():
    """A child has none of its parent's; it makes its own instead of waiting for theirs. Other libraries mind forks."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True)


def test_check_takes_comparisons_as_numbers():
    """No alarm and no miss where they are added up, negated, or go through a function; slopes only where asked for."""
    x, y = np.array([1.0, 1.0]), np.array([1.0, -1.0])
    for f in (
        lambda x, y: where((x > 0.0) & (y > 0.0), x, y), lambda x, y: -(x > 0) + x, lambda x, y: (x > 0.0) - (y > 0.0),
        lambda x, y: maximum(x > 0.0, y > 0.0) * x, lambda x, y: softplus(x > 0) * y, lambda x, y: tanh(x > 0) * y,
        lambda x, y: 1.0 - where(x > 0, y > 3, y > 0.5), lambda x, y: log((x > 0.0) + (y > 0.0) - 0.5) + x,
        lambda x, y: -x ** where(x > 0.0, 2.0, 3.0), lambda x, y: (y - 3.0) ** ((y > 0.0) + 2.0),
    ):  # fmt: skip
        program = compile(f)
        eager = [f(Value(a), Value(b)) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
        expected = [v.data if isinstance(v, Value) else float(v) for v in eager]
        np.testing.assert_allclose(program(x, y, check=True), expected, **CLOSE)
        np.testing.assert_allclose(program.value_and_grad(x, y, check=True)[0], np.mean(expected), **CLOSE)
    with pytest.raises(DomainError, match=r"row 0: div of 1\.0 and 0\.0"):
        compile(lambda x, y: x / ((x > 0.0) + (y > 0.0) - 2.0))(x, y, check=True)

    def stopped(x):
        with no_grad():
            k = (-2.0) ** x
        return k * x

    def plain_inside(x):
        with no_grad():
            z = 1.0 * (x < 5.0)
        return x**z

    def on_both_sides(x):
        with no_grad():
            z = x**2.0 + (-2.0) ** (x * x)
        return z + (-2.0) ** (x * x)

    assert compile(stopped)([2.0], check=True).tolist() == [8.0]
    assert compile(plain_inside)([-1.2], check=True).tolist() == [-1.2]
    assert compile(lambda x: abs(x) ** 0.5 + x**0.5)([4.0, -math.inf], check=True).tolist() == [4.0, math.inf]
    with pytest.raises(DomainError, match=r"row 0: pow of -2\.0 and 4\.0, no derivative by operand 2"):
        compile(on_both_sides)([2.0], check=True)


def test_check_asks_about_each_point_once(monkeypatch):
    """However many rows have an infinity, where that is legitimate."""
    asked = []
    on_floats = type(OPS["pow"]).on_floats
    monkeypatch.setattr(
        type(OPS["pow"]), "on_floats", lambda *args, **names: asked.append(1) or on_floats(*args, **names)
    )
    program = compile(lambda x: total([tanh(exp(x * k) ** 2) for k in range(1, 9)]))
    assert program(np.full(20_000, 900.0), check=True).tolist() == [8.0] * 20_000
    assert len(asked) < 100


@pytest.mark.parametrize("n", [2, 3, 12])
def test_infinities_in_what_decides(n):
    """logsumexp and powers of ½ are exact there, since nothing would show that they are not."""
    wide = np.full((4, n), 0.5)
    wide[0, 0], wide[1], wide[2, 1] = math.inf, -math.inf, -math.inf
    for f in (
        lambda x: where(logsumexp(list(x)) > 1.0, x[0] * 2.0, 3.0), lambda x: where(logsumexp(list(x)) < 1.0, 1.0, 2.0),
        lambda x: where(x[0] ** 0.5 > 1.0, 1.0, 2.0), lambda x: 1.0 / x[1] ** 0.5,
        lambda x: total([where(logsumexp([e, 1.0]) > 1.5, 1.0, 2.0) for e in x]),
    ):  # fmt: skip
        batch = compile(f)(wide)
        np.testing.assert_array_equal(batch, [compile(f, in_axes=None)(row) for row in wide])
        for row, value in zip(wide.tolist(), batch.tolist(), strict=True):
            eager = f([Value(e) for e in row])
            assert value == (eager.data if isinstance(eager, Value) else eager)


def test_static_arguments_of_all_hashable_kinds():
    """Any hashable argument may be static; the key looks inside those that compare by their parts."""

    @dataclasses.dataclass(eq=False)
    class ByIdentity:
        parts: list

    @dataclasses.dataclass(frozen=True)
    class WithCache:
        n: int
        cache: dict = dataclasses.field(default_factory=dict, compare=False, hash=False)
        late: int = dataclasses.field(init=False, compare=False)

    @dataclasses.dataclass(eq=False)
    class Linked:
        next: object = None

    loop = Linked()
    loop.next = loop
    program = compile(lambda x, c: 2.0 * x, static_argnums=1)
    for c in (ByIdentity([1]), loop, WithCache(1), WithCache, None, "text", 1j):
        assert program([1.0, 2.0], c).tolist() == [2.0, 4.0]
    sign = compile(lambda x, c: x * math.copysign(1.0, c.imag), static_argnums=1)
    assert [sign([1.0], complex(0.0, s)).tolist() for s in (0.0, -0.0)] == [[1.0], [-1.0]]

    @dataclasses.dataclass(frozen=True)
    class Tagged:
        n: int
        tag: int = dataclasses.field(default=0, compare=False)

    scaled = compile(lambda x, c: x * (1.0 if c.tag == 0 else 2.0), static_argnums=1)
    assert [scaled([1.0], Tagged(1, tag)).tolist() for tag in (0, 1, 0)] == [[1.0], [2.0], [1.0]]


def test_derivatives_by_one_number_that_all_rows_share():
    """An argument of one entry, as a plain number would be."""
    v = [Value(0.1), Value(0.2)]
    f = lambda x, y: x + sum(tanh((y[0] if np.ndim(y) else y) * a) for a in v)
    program = compile(f, in_axes=(0, None))
    x = np.ones(3)
    for reduce in ("mean", "sum", None):
        array = program.value_and_grad(x, np.array([0.5]), argnums=1, reduce=reduce)
        plain = program.value_and_grad(x, 0.5, argnums=1, reduce=reduce)
        np.testing.assert_allclose(np.ravel(array[2]), np.ravel(plain[2]), rtol=1e-14)
    assert program.value_and_grad(x, np.array([0.5]), argnums=1)[2] == pytest.approx([0.29776], rel=1e-4)


def by_hand(W, b, X, y):
    """The gradient of (W₂ tanh(W₁ x + b₁) + b₂ − y)² for each row, by layer: the matrices with their biases beside."""
    hidden = np.tanh(X @ W[0].T + b[0])
    delta = 2.0 * (hidden @ W[1].T + b[1] - y[:, None])
    with_ones = lambda x: np.column_stack([x, np.ones(len(x))])
    back = delta @ W[1] * (1.0 - hidden**2)
    return [d[:, :, None] * with_ones(x)[:, None, :] for d, x in ((back, X), (delta, hidden))]


@pytest.mark.parametrize("rows", [1, 3, 40, 600, 4000], ids=str)
@pytest.mark.parametrize("units", [1, 5], ids=str)
def test_the_gradient_of_each_row_is_its_own(rows, units):
    """One layer after another against NumPy: in one block and in several, with weights, and again by the short way."""
    rng = np.random.default_rng(rows)
    shapes = [(units, 3), (1, units)]
    W, b = [rng.normal(size=s) for s in shapes], [rng.normal(size=s[0]) for s in shapes]
    parameters = [[[Value(x) for x in row] + [Value(bias)] for row, bias in zip(*layer, strict=True)]
                  for layer in zip(W, b, strict=True)]  # fmt: skip

    def loss(x, y):
        for layer, activation in zip(parameters, (tanh, lambda z: z), strict=True):
            x = [activation(sum(w * v for w, v in zip(row, x, strict=False)) + row[-1]) for row in layer]
        return (x[0] - y) ** 2

    program = compile(loss, parameters=parameters)
    for k in range(3):
        X, y = rng.normal(size=(rows, 3)), rng.normal(size=rows)
        weights = rng.uniform(1.0, 2.0, size=rows) if k else None
        expected = np.concatenate([g.reshape(rows, -1) for g in by_hand(W, b, X, y)], axis=1)
        for _ in range(2):
            _, gradient = program.value_and_grad(X, y, reduce=None, weights=weights)
            np.testing.assert_allclose(gradient, expected * (weights[:, None] if k else 1.0), rtol=1e-9, atol=1e-12)
            assert gradient.shape == (rows, len(program.parameters))
        assert gradient.flags.writeable
        kept = gradient.copy()
        program.value_and_grad(X + 1.0, y, reduce=None, weights=weights)
        np.testing.assert_array_equal(gradient, kept)  # no later call writes into it


def test_the_gradients_of_rows_that_overflow():
    """A product of δ and x may be infinite where both are finite; the rows beside it keep their numbers."""
    w, v = Value(1e-200, "w"), Value(1e-200, "v")
    program = compile(lambda x: 1e200 * tanh(w * x[0] + v * x[1]))
    for big, expected in ((1e150, math.inf), (1e100, 1e100)):
        X = np.array([[1.0, 2.0], [big, 0.0], [3.0, 4.0]] * 20)
        for _ in range(3):
            _, gradient = program.value_and_grad(X, reduce=None)
            place = {id(p): k for k, p in enumerate(program.parameters)}
            slopes = gradient[:, [place[id(w)], place[id(v)]]] / 1e200
            np.testing.assert_allclose(slopes, [[1.0, 2.0], [expected, 0.0], [3.0, 4.0]] * 20)


def test_the_gradient_of_each_row_by_what_is_used_twice_or_not_at_all():
    """A matrix in two layers adds up; a parameter that a shape does not meet has 0."""
    rng = np.random.default_rng(3)
    M, unused, X = rng.normal(size=(2, 2)), Value(1.0), rng.normal(size=(50, 2))
    W = [[Value(x) for x in row] for row in M]
    twice = lambda x: [sum(w * v for w, v in zip(row, x, strict=True)) for row in W]
    program = compile(lambda x: twice(twice(x))[0], parameters=[W, unused])
    _, gradient = program.value_and_grad(X, reduce=None)
    first = np.array([1.0, 0.0])
    expected = first[:, None] * (X @ M.T)[:, None, :] + (first @ M)[:, None] * X[:, None, :]
    np.testing.assert_allclose(gradient, np.column_stack([expected.reshape(50, 4), np.zeros(50)]))


def test_a_call_in_any_form_answers_alike():
    """By keyword, by name, in dicts, with other kinds of numbers, again and again: w x² y and its slopes by hand."""
    w = Value(3.0, "w")
    flat = compile(lambda x, y: w * x * x * y)
    nested = compile(lambda of, y: w * of["x"]["x"] * of["x"]["x"] * y)
    x, y, weights = np.array([1.0, 2.0, 4.0]), np.array([3.0, 5.0, 6.0]), np.array([1.0, 2.0, 5.0])
    kinds = [np.asarray, np.ndarray.tolist, np.float32, np.int64, np.uint8, lambda a: np.repeat(a, 2)[::2]]
    for k in range(3):  # the first call of a form finds the short way, which the others take
        w.data = float(k + 1)
        value, by_w, by_x, by_y = w.data * x * x * y, x * x * y, 2.0 * w.data * x * y, w.data * x * x
        for kind in kinds:
            a, b = kind(x), kind(y)
            np.testing.assert_allclose([flat(a, b), flat(a, y=b), flat(y=b, x=a)], [value] * 3)
            np.testing.assert_allclose([nested({"x": {"x": a}}, b), nested({"x": {"x": a}}, y=b)], [value] * 2)
            for options in ({"argnames": "y"}, {"argnums": 1}, {"argnums": -1}):
                each, gradient, slope = flat.value_and_grad(a, b, reduce=None, **options)
                np.testing.assert_allclose([each, gradient[:, 0], slope], [value, by_w, by_y])
            mean, gradient, (slope, dx) = flat.value_and_grad(a, y=b, argnames=["y", "x"], weights=kind(weights))
            np.testing.assert_allclose([mean, *gradient], [value @ weights / 8.0, by_w @ weights / 8.0])
            np.testing.assert_allclose([dx, slope], [by_x * weights / 8.0, by_y * weights / 8.0])
            total, _, of = nested.value_and_grad({"x": {"x": a}}, b, argnums=0, reduce="sum")
            assert total == pytest.approx(value.sum())
            np.testing.assert_allclose(of["x"]["x"], by_x)
            _, _, (slope, of) = nested.value_and_grad({"x": {"x": a}}, b, argnums=(1, 0), weights=weights)
            np.testing.assert_allclose([of["x"]["x"], slope], [by_x * weights / 8.0, by_y * weights / 8.0])
        one = {"x": {"x": 2.0}}
        assert flat(2.0, y=5) == nested(one, 5.0) == 20.0 * w.data
        assert flat.value_and_grad(2.0, y=5.0, argnames="x")[2] == 20.0 * w.data
        assert nested.value_and_grad(one, 5, argnums=(0, 1))[2] == ({"x": {"x": 20.0 * w.data}}, 4.0 * w.data)
        assert nested.value_and_grad(one, 5.0, argnums=0)[2] == {"x": {"x": 20.0 * w.data}}
        each, gradient, slope = flat.value_and_grad(2.0, 5.0, reduce=None, argnums=0)
        assert (each.tolist(), gradient.tolist(), slope) == ([20.0 * w.data], [[20.0]], 20.0 * w.data)
        for wrong in ({"x": {"x": x}, "more": 1.0}, {"x": {"z": x}}, {"x": x}):
            with pytest.raises((KeyError, ValueError, TypeError)):
                nested(wrong, y[:2])


def test_a_short_way_is_for_the_very_form_it_was_made_for():
    """Other keys, another order of them, a leaf that is an array, another class of dict: each by itself."""
    program = compile(lambda p: sum(x * (k + 1.0) for k, x in enumerate(p.values())))
    for _ in range(2):
        assert program({"a": 1.0, "b": 2.0}) == 5.0
        assert program({"b": 1.0, "a": 3.0}) == 7.0
        assert program({"a": 1.0, "b": 2.0, "c": 3.0}) == 14.0
        assert program({"a": [1.0, 2.0], "b": np.array([2.0, 4.0])}).tolist() == [5.0, 10.0]
        assert program({"a": np.array([1.0]), "b": np.array([2.0])}).tolist() == [5.0]
        assert program(collections.OrderedDict(b=1.0, a=3.0)) == 7.0
