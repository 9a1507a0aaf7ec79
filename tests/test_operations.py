"""Operations that are more than one call of `math`: rounding and remainders, logarithms of probabilities, constants on purpose."""

import math

import numpy as np
import pytest

from autodiff import OPS, DomainError, Value, compile, draw, explain, grad, hessian, jvp, stop_gradient, value_and_grad

ROUNDING = {"floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round_": np.rint}
NUMBERS = [
    0.0,
    -0.0,
    0.2,
    -0.2,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    7.3,
    -7.3,
    1e16,
    -1e300,
    5e-324,
    math.inf,
    -math.inf,
    math.nan,
]


def same(a, b):
    """Equal to the bit: NaN is NaN, and 0 is not −0."""
    return np.array(a).tobytes() == np.array(b).tobytes() or (a != a and b != b)


@pytest.mark.parametrize("name", ROUNDING)
def test_rounding_is_numpys_and_has_slope_0(name):
    """Values equal NumPy's to the sign of zero; the slope is 0 on every step and, as decided, at every jump."""
    for x in NUMBERS:
        v = OPS[name](Value(x))
        assert same(v.data, ROUNDING[name](x)), x
        assert v.partials == (0.0,)
    assert [same(a, b) for a, b in zip(OPS[name](np.array(NUMBERS)), ROUNDING[name](np.array(NUMBERS)), strict=True)]


def test_pythons_own_rounding_records_the_operation():
    """math.floor(v), math.ceil(v), math.trunc(v) and round(v) are nodes; round(v, 2) is np.round's, halves to even."""
    v = Value(-2.345, "v")
    for rounded, name in (
        (math.floor(v), "floor"),
        (math.ceil(v), "ceil"),
        (math.trunc(v), "trunc"),
        (round(v), "round_"),
    ):
        assert rounded.op is OPS[name]
        assert rounded.data == ROUNDING[name](-2.345)
    for x in (2.675, -0.125, 0.375, 1234.5):
        for digits in (1, 2, -2, 0):
            assert round(Value(x), digits).data == np.round(x, digits)
    assert grad(lambda x: round(x, 1) * x)(2.34) == 2.3
    assert compile(lambda x: math.floor(x) + round(x, 1))([2.34, -0.5]).tolist() == [4.3, -1.5]


@pytest.mark.parametrize("a", [7.3, -7.3, 6.0, 0.0, -0.5, 1e300, math.inf, math.nan])
@pytest.mark.parametrize("b", [2.0, -2.0, 0.3, -1e-3, math.inf, -math.inf, math.nan])
def test_remainders_are_numpys(a, b):
    """Values of %, // and divmod with a Value on either side or both, and their derivatives 1 and −⌊a/b⌋."""
    with np.errstate(all="ignore"):
        quotient, remainder = np.floor_divide(a, b), np.remainder(a, b)
    for x, y in ((Value(a), b), (a, Value(b)), (Value(a), Value(b))):
        assert same((x % y).data, remainder)
        assert same((x // y).data, quotient)
        assert [same(v.data, n) for v, n in zip(divmod(x, y), (quotient, remainder), strict=True)] == [True, True]
    x, y = Value(a), Value(b)
    assert (x // y).partials == (0.0, 0.0)
    assert (x % y).partials[0] == 1.0
    assert same((x % y).partials[1], -quotient)


def test_division_by_zero_names_the_operand():
    """As Python's numbers raise: outside the domain; arrays have NumPy's NaN."""
    with pytest.raises(DomainError, match=r"remainder of 3.0 and 0.0, operand 2 outside .* in operand 1 'angle'"):
        Value(3.0, "angle") % 0.0
    with pytest.raises(DomainError, match="floor_divide"):
        1.0 // Value(0.0)
    assert np.isnan(OPS["remainder"](np.array([1.0]), 0.0)[0])


def test_numpys_functions_of_remainders_and_rounding():
    """np.remainder, np.floor_divide, np.divmod, np.mod, np.rint and their like on Values and arrays of Values."""
    v, array = Value(7.3), np.array([Value(7.3), Value(-0.5)])
    assert [x.data for x in np.divmod(v, 2.0)] == [3.0, 7.3 % 2.0]
    whole, rest = np.divmod(v, np.array([2.0, 5.0]))
    assert [[x.data for x in each] for each in (whole, rest)] == [[3.0, 1.0], [7.3 % 2.0, 7.3 % 5.0]]
    assert np.mod(v, 2.0).op is np.remainder(v, 2.0).op is OPS["remainder"]
    assert [x.data for x in array % 2.0] == [7.3 % 2.0, 1.5]
    assert [x.data for x in array // 2.0] == [3.0, -1.0]
    assert [x.data for x in np.floor(array)] == [7.0, -1.0]
    assert [x.op.name for x in (np.rint(array)[0], np.cbrt(array)[0], np.exp2(array)[0], np.deg2rad(array)[0])] == [
        "round_",
        "cbrt",
        "exp2",
        "deg2rad",
    ]
    assert np.degrees(v).data == np.degrees(7.3)
    assert np.radians(v).data == np.radians(7.3)
    assert np.copysign(2.0, Value(-0.0)).data == -2.0


EDGES = (
    0.0,
    -0.0,
    0.5,
    1.0,
    -1.0,
    2.5,
    -3.0,
    30.0,
    -30.0,
    1e3,
    -1e3,
    1e200,
    -1e200,
    5e-324,
    math.inf,
    -math.inf,
    math.nan,
)


@pytest.mark.parametrize("name", ["cbrt", "exp2", "erfc", "log_ndtr", "xlogy", "xlog1py"])
def test_special_functions_are_scipys_at_their_edges(name):
    """0 and −0, far tails, overflow, infinities and NaN, on floats where they are real and on arrays."""
    special = pytest.importorskip("scipy.special", reason="SciPy is the oracle here")
    function, op = getattr(special, name), OPS[name]
    points = [(a,) for a in EDGES] if op.arity == 1 else [(a, b) for a in EDGES for b in EDGES]
    for point in points:
        expected = float(function(*point))
        assert float(op(*[np.array([x]) for x in point])[0]) == pytest.approx(expected, rel=4e-15, nan_ok=True), point
        try:
            assert op(*point) == pytest.approx(expected, rel=4e-15, nan_ok=True), point
        except DomainError:
            assert not math.isfinite(expected), point


def test_a_gaussian_tail_is_exact_where_the_probability_is_0():
    """log Φ(−40) by mpmath to 20 digits, where Φ is 0 in floats; its first slope is −a + 1/−a + …, its second −1 + 1/a² − …."""
    log_ndtr = OPS["log_ndtr"]
    assert log_ndtr(-40.0) == pytest.approx(-804.60844201375378, rel=1e-15)
    for a in (-1e3, -1e8, -1e150):
        value, slope = value_and_grad(log_ndtr)(a)
        assert value == pytest.approx(-a * a / 2, rel=1e-4)
        assert slope == pytest.approx(-a - 1 / a, rel=1e-11)
        assert hessian(log_ndtr)(a) == pytest.approx(-1.0, rel=2e-6)


SECONDS = {  # closed forms of second derivatives
    "cbrt": (0.7, -2.0 / 9.0 * 0.7 ** (-5 / 3)),
    "exp2": (0.3, math.log(2.0) ** 2 * 2.0**0.3),
    "square": (-3.0, 2.0),
    "reciprocal": (2.0, 0.25),
    "erfc": (0.6, 4 * 0.6 / math.sqrt(math.pi) * math.exp(-0.36)),
    "log_ndtr": (0.0, -2.0 / math.pi),
    "sinc": (0.0, -(math.pi**2) / 3.0),
    "deg2rad": (30.0, 0.0),
    "floor": (1.5, 0.0),
}


def test_the_decimals_of_round_are_a_whole_number_that_a_float_can_scale_by():
    """np.round's by value; what is refused says what must be."""
    v = Value(2.5)
    for digits in (-308, -1, 0, 1, np.int64(2), True):
        assert round(v, digits).data == np.round(2.5, digits)
    for digits in ("a", "", 1.5, v):
        with pytest.raises(TypeError, match="decimals must be an integer, got"):
            round(v, digits)
    for digits in (400, -309):
        with pytest.raises(ValueError, match=f"decimals must be between -308 and 308, got {digits}"):
            round(v, digits)


@pytest.mark.parametrize("name", SECONDS)
def test_second_derivatives_in_closed_form(name):
    """Eager, compiled one point at a time and as a batch."""
    x, expected = SECONDS[name]
    op = OPS[name]
    assert grad(grad(op))(x) == pytest.approx(expected, rel=1e-12)
    assert compile(grad(grad(op)))([x, x]) == pytest.approx(expected, rel=1e-12)
    assert compile(grad(op)).jvp(([x],), ([1.0],))[1][0] == pytest.approx(expected, rel=1e-12)


def test_mixed_second_derivatives_of_logarithms():
    """∂²(a log b)/∂a∂b = 1/b, at a = 0 too: what keeps 0 · log 0 at 0 does not get in the way."""
    for name, b, expected in (("xlogy", 0.25, 4.0), ("xlog1py", -0.75, 4.0)):
        table = hessian(lambda v, op=OPS[name]: op(v[0], v[1]))([0.0, b])
        assert table[0, 1] == pytest.approx(expected)
        assert table[1, 0] == pytest.approx(expected)
    assert OPS["xlogy"](Value(0.0), 0.0).data == 0.0
    with pytest.raises(DomainError, match="above 0"):
        OPS["xlogy"](1.0, 0.0)


@pytest.mark.parametrize("name", ["xlogy", "xlog1py"])
@pytest.mark.parametrize("b", [-0.5, -2.0, 0.0, -1.0, 3.0, math.inf, math.nan])
def test_a_logarithms_factor_0_makes_0_of_any_number_in_every_arithmetic(name, b):
    """As SciPy's, 0 but for NaN; where the logarithm has no value, its slope by the factor is 0, as PyTorch has it."""
    torch, special = pytest.importorskip("torch"), pytest.importorskip("scipy.special")
    op = OPS[name]
    expected = getattr(special, name)(0.0, b)
    for x in (
        op(0.0, b),
        op(np.zeros(1), b)[0],
        op(Value(0.0), b).data,
        op(0.0, Value(b)).data,
        compile(op)([0.0], [b])[0],
    ):
        assert same(x, expected)
    factor = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    torch.xlogy(factor, torch.tensor(b + (name == "xlog1py"), dtype=torch.float64)).backward()
    if b + (name == "xlog1py"):  # PyTorch has 0 for the infinite slope at the edge, too
        assert op(Value(0.0), Value(b)).partials[0] == pytest.approx(factor.grad.item(), nan_ok=True)
        assert compile(grad(op))([0.0], [b])[0] == pytest.approx(factor.grad.item(), nan_ok=True)


def test_copysign_follows_abs():
    """|a| with the sign of b: its slope is ±1, 0 at the kink a = 0, and none by b."""
    copysign = OPS["copysign"]
    for a, b in ((3.0, -0.0), (-3.0, -0.0), (3.0, 2.0), (-3.0, 2.0), (0.0, -1.0)):
        node = copysign(Value(a), Value(b))
        assert same(node.data, np.copysign(a, b))
        assert node.partials == (np.sign(a) * np.copysign(1.0, b), 0.0)


def test_a_stopped_gradient_is_a_constant_of_the_same_number():
    """In both directions, in second derivatives and compiled: d(c·x)/dx = c where c = stop_gradient(x), not 2x."""

    def f(x):
        return stop_gradient(x) * x * x

    x = Value(3.0, "x")
    stopped = stop_gradient(x)
    assert (stopped.data, stopped.operands, stopped.partials) == (3.0, (x,), (0.0,))
    root = stopped * x * x
    root.backward()
    assert x.grad == 18.0
    assert (grad(f)(3.0), grad(grad(f))(3.0), jvp(f, (3.0,), (1.0,))) == (18.0, 6.0, (27.0, 18.0))
    assert compile(f).value_and_grad([3.0, 1.0], argnums=0, reduce=None)[2].tolist() == [18.0, 2.0]
    assert compile(grad(grad(f)))([3.0]).tolist() == [6.0]
    assert "stop" in draw(root).source
    assert "stop" in str(explain(x, of=root))
    assert stop_gradient(np.array([1.0, 2.0])).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_a_nan_among_the_operands_gives_what_arrays_have(op):
    """On floats and Values as in NumPy's loops: NaN, or a number where the NaN has no say; never an error."""
    operands = [0.5] * (op.arity or 5)
    for i in range(len(operands)):
        point = [*operands[:i], math.nan, *operands[i + 1 :]]
        expected = float(op(*[np.array([x]) for x in point])[0])
        assert op(*point) == pytest.approx(expected, nan_ok=True)
        assert op(*map(Value, point)).data == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("op", [OPS[name] for name in ("div", "remainder", "floor_divide")], ids=str)
@pytest.mark.parametrize(
    "point", [(math.inf, 2.0), (-math.inf, -2.0), (3.0, math.inf), (-3.0, math.inf), (math.inf, math.inf)]
)
def test_quotients_of_infinite_operands_have_what_arrays_have(op, point):
    """A limit or NaN, and no error, as docs/operations.md says: NumPy's loops are the oracle."""
    expected = float(op(*[np.array([x]) for x in point])[0])
    assert op(*point) == pytest.approx(expected, nan_ok=True)
    assert op(*map(Value, point)).data == pytest.approx(expected, nan_ok=True)


ADDED = ["cbrt", "exp2", "square", "reciprocal", "erfc", "log_ndtr", "sinc", "floor", "ceil", "trunc", "round_",
         "remainder", "floor_divide", "deg2rad", "rad2deg", "copysign", "xlogy", "xlog1py", "logaddexp", "stop_gradient"]  # fmt: skip


@pytest.mark.parametrize("library", ["numpy", "jax.numpy"])
@pytest.mark.parametrize("name", ADDED)
def test_the_text_of_a_program_knows_the_operation(name, library):
    """The readable text runs by itself, value and gradient, under NumPy and under JAX in double precision."""
    if library == "jax.numpy":
        jax = pytest.importorskip("jax")
        jax.config.update("jax_enable_x64", True)
    op, w = OPS[name], Value(0.8, "w")
    program = compile(lambda x, y: op(*(w * x, y)[: op.arity]))
    x, y = np.array([0.3, 1.7, 2.9]), np.array([0.45, 2.2, 0.7])
    value, gradient = program.value_and_grad(x, y)
    scope = {}
    exec(program.source.replace("xp = np ", f"import {library} as xp "), scope)
    found, slope = scope["value_and_grad"](np.array([0.8]), x, y)
    assert float(found) == pytest.approx(value, rel=1e-13)
    assert np.asarray(slope) == pytest.approx(gradient, rel=1e-12)
