"""At the edges of domains: second derivatives where a slope is guarded, infinite results, and limits of 0 · ∞."""

import math
import warnings
from itertools import product

import numpy as np
import pytest

from autodiff import (
    OPS,
    DomainError,
    LostLimitWarning,
    Value,
    acos,
    acosh,
    anomalies,
    asin,
    atan2,
    compile,
    copysign,
    cos,
    erf,
    exp,
    explain,
    grad,
    hessian,
    hvp,
    hypot,
    jacobian,
    jvp,
    log,
    log1p,
    logaddexp,
    logsumexp,
    mean,
    sigmoid,
    sin,
    sqrt,
    value_and_grad,
    where,
)
from autodiff.propagation import passes_over


def test_smooth_functions_of_a_hypot_have_their_second_derivatives_at_the_origin():
    """r²/2 has the identity for a Hessian, cos(√2·|x|) a second derivative of −2: a guard hides neither."""
    assert hessian(lambda v: hypot(v[0], v[1]) ** 2 / 2)([0.0, 0.0]).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert grad(grad(lambda x: cos(hypot(x, x))))(0.0) == -2.0
    assert grad(grad(grad(lambda x: cos(hypot(x, 2.0 * x)))))(1e-9) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("f", "second"),
    [
        (lambda r: r**2, 2.0),
        (cos, -1.0),
        (lambda r: log1p(r**2), 2.0),
        (lambda r: r**3, 0.0),
    ],
)
def test_a_right_second_derivative_at_the_tip_warns_of_nothing(f, second):
    """By a gradient that is swept backward again, as by the Hessian."""
    a, b = Value(0.0), Value(0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f(hypot(a, b)).backward(create_graph=True)
        slope, a.grad, b.grad = a.grad, 0.0, 0.0
        slope.backward()
        assert (a.grad, b.grad) == (second, 0.0)
        assert hessian(lambda v: f(hypot(v[0], v[1])))([0.0, 0.0]).tolist() == [[second, 0.0], [0.0, second]]


def test_the_hessian_of_a_cone_at_its_tip_is_infinite():
    """No finite number may stand for what does not exist."""
    table = hessian(lambda v: hypot(v[0], v[1]))([0.0, 0.0])
    assert table[0, 0] == table[1, 1] == math.inf


def test_compiled_programs_have_the_same_hessians_at_the_origin():
    """In a batch, at one point, by a program's own hvp, and of a hypot of a hypot."""

    def f(v):
        return hypot(v[0], v[1]) ** 2 / 2

    def deeper(v):
        return hypot(hypot(v[0], v[1]), v[2]) ** 2 / 2

    batch = [[0.0, 0.0], [3.0, -4.0], [1e-320, 0.0], [0.0, 1e300]]
    assert compile(hessian(f))(batch) == pytest.approx(np.broadcast_to(np.eye(2), (4, 2, 2)), abs=1e-12)
    assert compile(hessian(deeper))([[0.0] * 3])[0].tolist() == np.eye(3).tolist()
    assert compile(lambda x, y: grad(grad(lambda x: cos(hypot(x, y))))(x))(0.0, 0.0) == -1.0
    cone = compile(hessian(lambda v: hypot(v[0], v[1])))([[0.0, 0.0]])[0]
    assert cone[0, 0] == cone[1, 1] == math.inf
    p, q = Value(0.0, "p"), Value(0.0, "q")
    program = compile(lambda x: x * f([p, q]))
    assert program.hvp([1.0, 3.0], vector=[1.0, -1.0]).tolist() == [2.0, -2.0]


SQUARES = {  # r², and r·sin r, in ways whose δ at one hypot is another; the Hessian at the origin is twice the identity
    "r · r": lambda a, b: hypot(a, b) * hypot(a, b),
    "r · r, turned": lambda a, b: hypot(a, b) * hypot(b, a),
    "r · sin r": lambda a, b: hypot(a, b) * sin(hypot(a, b)),
    "(r + r)²": lambda a, b: (hypot(a, b) + hypot(b, a)) ** 2 / 4,
}


@pytest.mark.parametrize("name", SQUARES)
def test_hypots_of_the_same_operands_are_one_at_the_origin(name):
    """However often it is written, in every mode; a quiet 0 would be wrong."""

    def f(v):
        return SQUARES[name](v[0], v[1])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hessian(f)([0.0, 0.0]).tolist() == [[2.0, 0.0], [0.0, 2.0]]
        assert hvp(f)([0.0, 0.0], [1.0, -1.0]).tolist() == [2.0, -2.0]
        assert jvp(grad(f), ([0.0, 0.0],), ([1.0, -1.0],))[1].tolist() == [2.0, -2.0]
        assert compile(hessian(f))([[0.0, 0.0], [3.0, 4.0]], check=True)[0].tolist() == [[2.0, 0.0], [0.0, 2.0]]


def test_hypots_computed_alike_are_one_at_the_origin():
    """The square of a distance whose coordinates are written twice, where the two points meet."""

    def f(v):
        x, y, z = v
        return hypot(x - y, 2.0 * z) * hypot(2.0 * z, x - y) / 2

    def nested(v):
        return hypot(hypot(v[0], v[1]), hypot(v[0], v[1])) ** 2 / 4

    expected = [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 4.0]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hessian(f)([3.0, 3.0, 0.0]).tolist() == expected
        assert hessian(nested)([0.0, 0.0]).tolist() == [[1.0, 0.0], [0.0, 1.0]]
        assert compile(hessian(nested))([[0.0, 0.0]], check=True)[0].tolist() == [[1.0, 0.0], [0.0, 1.0]]
        assert compile(hessian(f))([[3.0, 3.0, 0.0]], check=True)[0].tolist() == expected


def test_hypots_of_other_operands_lose_a_limit_at_the_origin_and_tell():
    """The second derivative of r·(2r), which is 4, rests on a ratio of two tips that no rule knows."""

    def f(x):
        return hypot(x, 0.0) * hypot(2.0 * x, 0.0)

    with pytest.warns(LostLimitWarning, match=r"0 · ∞ at hypot\("):
        grad(grad(f))(0.0)
    with pytest.warns(LostLimitWarning, match=r"0 · ∞ at hypot\("):
        compile(grad(grad(f)))([1.0, 0.0], check=True)
    assert compile(grad(grad(f)))([1.0, -3.0]) == pytest.approx([4.0, 4.0])
    for other in (lambda x, y, z: hypot(x, z), lambda x, y, z: hypot(z, y)):  # of one shape, and of another leaf
        with pytest.warns(LostLimitWarning) as told:
            hessian(lambda v, other=other: hypot(*v[:2]) * other(*v))([Value(0.0, name) for name in "xyz"])
        assert "0 · ∞ at hypot('x', 'y') by operand 1 and took" in str(told[0].message)


@pytest.mark.parametrize("scale", [1.0, 2.0, 0.5])
def test_a_hypot_of_hypots_has_slope_0_at_its_tip_in_programs_too(scale):
    """It is 2·|scale·x|, whose kink counts as 0: there l'Hôpital's rule meets ∞ · 0, which is not handed on either."""

    def f(x):
        r = hypot(scale * x, scale * x)
        return hypot(r, r)

    program = compile(grad(f))
    assert [grad(f)(0.0), program(0.0), *program([0.0])] == [0.0] * 3
    assert program([0.0, 1.0, -3.0]).tolist() == pytest.approx([0.0, 2.0 * scale, -2.0 * scale])


ALONG, ACROSS = np.outer([0.6, 0.8], [0.6, 0.8]), np.outer([-0.8, 0.6], [-0.8, 0.6])
AT_3_4 = {  # functions of (3, 4), which is 5 long, and their Hessians: f″(r) along it and f′(r)/r across it, and of the angle
    "r": (lambda a, b: hypot(a, b), ACROSS / 5.0),
    "r²/2": (lambda a, b: hypot(a, b) ** 2 / 2, np.eye(2)),
    "cos r": (lambda a, b: cos(hypot(a, b)), -math.cos(5.0) * ALONG - math.sin(5.0) / 5.0 * ACROSS),
    "angle": (lambda a, b: atan2(b, a), np.array([[24.0, 7.0], [7.0, -24.0]]) / 625.0),
}


@pytest.mark.parametrize("name", AT_3_4)
def test_guards_for_the_origin_disturb_no_other_point(name):
    """The fast version of a program, which is also its text, needs no careful one there: no 0 · ∞ is on the way."""
    f, expected = AT_3_4[name]
    program = compile(hessian(lambda v: f(v[0], v[1])))
    point = np.array([[3.0, 4.0]])
    np.testing.assert_allclose(program(point), [expected], rtol=1e-13, atol=1e-15)
    scope = {}
    exec(program.source, scope)  # the text is what is tested
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(scope["forward"](np.zeros(0), point), [expected], rtol=1e-13, atol=1e-15)


def test_an_infinite_logsumexp_has_slopes_in_every_mode():
    """A forbidden transition, log 0 = −∞, adds nothing: first and second derivatives are those of what is left."""

    def f(m):
        return logsumexp([m, logsumexp([-math.inf - m * m])])

    w = Value(0.3)
    f(w).backward(create_graph=True)
    assert w.grad.data == 1.0
    assert hessian(f)(0.3) == 0.0
    program = compile(f)
    assert compile(grad(f))([0.3]).tolist() == [1.0]
    assert program.value_and_grad([0.3, 2.0], argnums=0, reduce=None)[2].tolist() == [1.0, 1.0]
    assert program.value_and_grad(0.3, argnums=0)[2] == 1.0
    assert program.jvp(([0.3],), ([1.0],))[1].tolist() == [1.0]
    assert logaddexp(Value(-math.inf), Value(-math.inf)).partials == (0.5, 0.5)
    assert logaddexp(Value(math.inf), Value(3.0)).partials == (1.0, 0.0)


FAR = [  # a function of two numbers, a point with an infinite one, and the limit of its gradient there
    (atan2, (0.3, math.inf), (0.0, 0.0)),
    (atan2, (-0.3, -math.inf), (0.0, 0.0)),
    (atan2, (math.inf, 0.3), (0.0, 0.0)),
    (atan2, (-math.inf, 0.0), (0.0, 0.0)),
    (hypot, (0.3, math.inf), (0.0, 1.0)),
    (hypot, (-math.inf, 0.3), (-1.0, 0.0)),
    (hypot, (0.0, -math.inf), (0.0, -1.0)),
    (pow, (0.3, math.inf), (0.0, 0.0)),
    (pow, (0.0, math.inf), (0.0, 0.0)),
    (pow, (2.0, -math.inf), (0.0, 0.0)),
    (pow, (math.inf, -math.inf), (0.0, 0.0)),
    (pow, (math.inf, 0.0), (0.0, math.inf)),
]


@pytest.mark.parametrize(("op", "point", "limit"), FAR)
def test_slopes_far_away_are_their_limits(op, point, limit):
    """The angle of a far point turns no more, its distance grows as its coordinate does, and 0.3 ** ∞ stays 0."""

    def f(v):
        return op(v[0], v[1])

    a, b = map(Value, point)
    batch = np.array([point, (0.5, 2.0)])
    program = compile(f)
    ways = [op(a, b).partials, grad(f)(point), jacobian(f)(point), value_and_grad(f)(point)[1]]
    ways += [[jvp(f, (point,), (way,))[1] for way in np.eye(2)]]
    ways += [compile(grad(f))(batch)[0], compile(grad(f))(batch[:1])[0]]
    ways += [program.value_and_grad(batch, argnums=0, reduce=None)[2][0]]
    ways += [[program.jvp((batch,), (np.array([way, way]),))[1][0] for way in np.eye(2)]]
    for i in range(2):

        def one(x, i=i):
            return f([x if k == i else point[k] for k in range(2)])

        apart = [grad(one)(point[i]), compile(grad(one))(point[i]), compile(one).value_and_grad(point[i], argnums=0)[2]]
        apart += compile(grad(one))([point[i]]).tolist()
        assert [float(slope) for slope in apart] == [limit[i]] * 4
    for way in ways:
        assert np.array(way, dtype=float).tolist() == list(limit)
    if op is not pow:
        for second in (hessian(f)(point), compile(hessian(f))(batch)[0]):
            assert second.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_a_point_that_is_far_in_both_directions_has_no_slopes():
    """Which way it lies is not known, so neither is the limit."""
    for op in (atan2, hypot):
        assert np.isnan(grad(lambda v, op=op: op(v[0], v[1]))([math.inf, -math.inf])).all()


@pytest.mark.parametrize(("exponent", "slope"), [(0.3, 0.0), (-0.3, 0.0), (1e20, math.inf), (math.inf, math.inf)])
def test_the_slope_of_a_power_of_infinity_is_its_limit(exponent, slope):
    """Roots flatten, powers steepen."""
    assert grad(lambda x: x**exponent)(math.inf) == slope
    assert compile(grad(lambda x: x**exponent))([math.inf, 2.0])[0] == slope
    assert compile(grad(lambda x, b: x**b))([math.inf, 2.0], [exponent, 3.0])[0] == slope


@pytest.mark.parametrize("x", [-math.inf, math.inf, 1e308, -1e17, 0.5])
def test_slopes_of_a_logsumexp_add_up_to_1(x):
    """Equal operands share equally, however large or infinite: the limit, and what logaddexp has."""
    third, batch = pytest.approx([1 / 3] * 3, rel=1e-15), np.array([[x] * 3, [0.0] * 3])
    assert list(logsumexp([Value(x), Value(x), Value(x)]).partials) == third
    program = compile(logsumexp)
    assert program.value_and_grad(batch, argnums=0, reduce=None)[2][0].tolist() == third
    assert program.value_and_grad(batch[:1], argnums=0)[2][0].tolist() == third
    assert compile(grad(logsumexp))(batch)[0].tolist() == third
    assert grad(logsumexp)([x, 5.0, x]).tolist() == pytest.approx(
        [0.5, 0.0, 0.5] if x > 1e3 else [0.0, 1.0, 0.0] if x < -1e3 else grad(logsumexp)([0.5, 5.0, 0.5]).tolist()
    )


def test_a_mean_is_within_range_wherever_its_operands_are():
    """Their sum need not be: each mode divides first, where it overflows."""
    assert mean([1e308, 1e308, 1.2e308]) == mean([Value(1e308), 1e308, 1.2e308]) == pytest.approx(3.2 / 3 * 1e308)
    assert OPS["mean"](np.array([1e308, 1.0]), 1e308, 1e308).tolist() == pytest.approx([1e308, 2 / 3 * 1e308])
    assert compile(lambda x: mean([x, x, x]))([1e308, 1.0]).tolist() == pytest.approx([1e308, 1.0])
    assert mean([math.inf, 1.0]) == math.inf


@pytest.mark.parametrize("x", [0.5, 5.0, -15.0, 26.0])
def test_the_slope_of_erf_in_programs_is_off_by_no_more_than_its_exponent_is_rounded(x):
    """2/√π · exp(−x²) to x² roundings, which is quicker; the eager engine keeps all digits."""
    mp = pytest.importorskip("mpmath")
    with mp.workdps(40):
        exact = float(2 / mp.sqrt(mp.pi) * mp.exp(-(mp.mpf(x) ** 2)))
    program = compile(erf)
    found = [program.value_and_grad([x], argnums=0)[2][0], program.value_and_grad(x, argnums=0)[2]]
    assert found == pytest.approx([exact] * 2, rel=(x * x + 4.0) * 2.0**-53)
    assert grad(erf)(x) == pytest.approx(exact, rel=4 * 2.0**-52)


def test_forward_mode_answers_as_the_sweep_backward_where_numbers_are_infinite():
    """Backward, s / s hands 0 down to asin's infinite slope; cos(∞ − ∞) hands on a NaN, which forward cancels to 0."""

    def quotient(x):
        s = sigmoid(asin(x))
        return s / s

    warnings.simplefilter("ignore", LostLimitWarning)  # which quotient gives rightly
    cases = [
        (quotient, 1.0, 0.0),
        (lambda x: cos(x - x), math.inf, math.nan),
        (lambda x: cos(2.0 + (x - x)), math.inf, math.nan),
    ]
    for f, x, slope in cases:
        expected = pytest.approx(slope, nan_ok=True)
        assert [grad(f)(x), jvp(f, (x,), (1.0,))[1]] == [expected] * 2
        assert [compile(f).jvp(([x, 0.5],), ([1.0, 1.0],))[1][0], compile(f).jvp((x,), (1.0,))[1]] == [expected] * 2
        assert compile(lambda x, f=f: jvp(f, (x,), (1.0,))[1])([x])[0] == expected


def test_a_rate_that_cancels_while_tracing_hides_no_nan():
    """√(x − x) + x² has no slope anywhere, −∞ + ∞ beside 2x: forward mode within a program has 0 times it, unseen."""

    def f(x):
        return sqrt(x - x) + x * x

    within = compile(lambda x: jvp(f, (x,), (1.0,))[1])
    answers = [grad(f)(0.0), jvp(f, (0.0,), (1.0,))[1], compile(grad(f))(0.0), within(0.0), *within([0.0])]
    assert answers == [pytest.approx(math.nan, nan_ok=True)] * 5


def test_a_power_of_nan_with_exponent_0_is_1_and_its_slope_0_in_a_second_derivative_too():
    """C's pow(NaN, 0) is 1, whatever the base: nobody is told that data changed, where the exponent is a Value."""
    base, exponent = Value(math.nan, "base"), Value(0.0, "exponent")
    power = base**exponent
    assert power.data == math.pow(math.nan, 0.0) == 1.0
    power.backward(create_graph=True)
    assert base.grad == 0.0
    assert math.isnan(exponent.grad.data)


LOST = {  # functions with a limit of 0 · ∞ that is not 0, and where
    "acos²": (lambda x: acos(x) ** 2, 1.0),
    "cos √": (lambda x: cos(sqrt(x)), 0.0),
    "log(1 + exp)": (lambda x: log(1.0 + exp(x)), 1000.0),
}


@pytest.mark.parametrize("name", LOST)
def test_a_lost_limit_is_told(name):
    """backward, grad, value_and_grad and jvp warn at the caller's line, once; anomalies and explain name the operation."""
    f, x = LOST[name]
    for ask in (grad(f), value_and_grad(f), lambda x: jvp(f, (x,), (1.0,))):
        with pytest.warns(LostLimitWarning, match=r"met 0 · ∞ at \w+\('x'\) by operand 1 and took it for 0") as told:
            ask(x)
        assert [each.filename for each in told] == [__file__]
    v = Value(x, "v")
    root = f(v)
    assert "0 · ∞" in str(anomalies(root)[-1])
    assert "0 · ∞" in str(explain(v, of=root))
    if math.isfinite(root.data):
        with pytest.warns(LostLimitWarning, match=r"\('v'\)"):
            root.backward()


def test_a_lost_limit_is_told_with_create_graph_too():
    """Where a second derivative exists; where none does it is refused."""
    v = Value(1000.0, "v")
    with pytest.warns(LostLimitWarning, match=r"exp\('v'\)"):
        (1.0 / (1.0 + exp(v))).backward(create_graph=True)
    with pytest.raises(DomainError, match="no finite second derivative"):
        (acos(Value(1.0)) ** 2).backward(create_graph=True)


def test_a_program_that_is_checked_tells_too():
    """The first row in which 0 · ∞ counts as 0, as the eager engine tells it."""
    program = compile(lambda x: acos(x) ** 2)
    with pytest.warns(LostLimitWarning, match=r"acos\('x'\)"):
        program.value_and_grad([0.5, 1.0], argnums=0, check=True)


REFUSED = {  # second derivatives for which the eager engine needs a slope that is infinite
    "acos²": (lambda x: acos(x) ** 2, 1.0),
    "acosh²": (lambda x: acosh(x) ** 2, 1.0),
    "√x⁴": (lambda x: sqrt(x) ** 4, 0.0),
    "√(x⁴)": (lambda x: sqrt(x**4), 0.0),
    "(√(x² + x²))² / 2": (lambda x: sqrt(x * x + x * x) ** 2 / 2, 0.0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_checked_program_refuses_the_second_derivatives_that_the_eager_engine_refuses(name):
    """By whichever way they are asked for; unchecked it counts 0 · ∞ as 0, as docs/trust.md says."""
    f, x = REFUSED[name]
    twice, once = compile(grad(grad(f))), compile(grad(f))
    for ask in (lambda: grad(grad(f))(x), lambda: hessian(f)(x), lambda: twice([x], check=True),
                lambda: once.value_and_grad([x], argnums=0, check=True)):  # fmt: skip
        with pytest.raises(DomainError, match="has no finite second derivative"):
            ask()
    assert twice([x]).tolist() == [0.0]
    with pytest.warns(LostLimitWarning, match="0 · ∞ at "):  # of the first derivative, which exists
        once([x], check=True)


def test_a_checked_program_refuses_the_first_derivative_of_a_logarithm_of_0():
    """log(σ(−800)), whose slope is 1: the eager engine raises, an unchecked program has value −∞ and slope 0."""

    def f(x):
        return log(sigmoid(x))

    for ask in (lambda: grad(f)(-800.0), lambda: compile(grad(f))([-800.0], check=True),
                lambda: compile(f).value_and_grad([-800.0], argnums=0, check=True)):  # fmt: skip
        with pytest.raises(DomainError, match=r"log of 0\.0"):
            ask()
    value, _, slope = compile(f).value_and_grad([-800.0], argnums=0)
    assert (value, *slope) == (-math.inf, 0.0)


def test_nothing_is_told_where_nothing_is_lost():
    """A branch not taken, a constant factor 0, an infinite slope that arrives: 0 or ∞ is the answer."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert grad(lambda x: where(x > 0, sqrt(x), x))(0.0) == 1.0
        assert grad(lambda x: 0.0 * sqrt(x) + x)(0.0) == 1.0
        assert grad(sqrt)(0.0) == math.inf
        assert grad(lambda x: sqrt(x) * x)(4.0) == 3.0
        assert grad(lambda y: copysign(1.0, sqrt(y)) + y)(0.0) == 1.0
        assert anomalies(where(Value(1.0) > 0, Value(2.0), Value(0.0).sqrt())) == ()


def test_the_operands_that_a_row_may_pass_over_are_those_of_which_it_takes_one_or_a_step():
    """All others have a slope at almost every point: a 0 there is met on the way to a limit, which may be lost."""
    steps = [("sign", 0), ("floor", 0), ("ceil", 0), ("trunc", 0), ("round_", 0), ("step", 0), ("stop_gradient", 0),
             ("floor_divide", 0), ("floor_divide", 1), ("copysign", 1), ("remainder", 1)]  # fmt: skip
    choices = [("relu", 0), ("leaky_relu", 1), *product(("maximum", "minimum"), range(2))]
    choices += product(("clip", "where"), range(3))
    rows = [(op, i) for op in OPS.values() for i in range(op.arity or 3)]
    assert {(op.name, i) for op, i in rows if passes_over(op, i)} == {*steps, *choices}
    with pytest.warns(LostLimitWarning, match="sqrt"):
        grad(lambda x: copysign(sqrt(x), 1.0))(0.0)


@pytest.mark.parametrize(("ours", "theirs"), [("abs", "abs"), ("relu", "relu"), ("maximum", "maximum")])
def test_squares_of_kinks_have_the_second_derivatives_of_pytorch(ours, theirs):
    """The convention holds twice, once in each factor: |x|² and relu(x)² have 0 at 0, max(x, 0)² has 2 · ½ · ½."""
    torch = pytest.importorskip("torch", reason="PyTorch is a development dependency")
    ties = {"maximum": (0.0,)}.get(ours, ())
    x = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(getattr(torch, theirs)(x, *map(torch.tensor, ties)) ** 2, x, create_graph=True)
    (expected,) = torch.autograd.grad(slope, x)

    def f(x):
        return OPS[ours](x, *ties) ** 2

    assert [grad(grad(f))(0.0), compile(grad(grad(f)))(0.0), hessian(f)(0.0)] == [expected.item()] * 3
