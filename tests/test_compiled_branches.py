"""The branch that `where` does not take, and 0 · ∞: every compiled mode gives the numbers of what is taken."""

import math

import mpmath
import numpy as np
import pytest
from mpmath import mp

from autodiff import (
    DomainError,
    LostLimitWarning,
    Value,
    acos,
    acosh,
    asin,
    atanh,
    compile,
    exp,
    grad,
    hessian,
    hvp,
    hypot,
    jacobian,
    jvp,
    log,
    log1p,
    logsumexp,
    mean,
    sin,
    softmax,
    sqrt,
    tan,
    tanh,
    total,
    value_and_grad,
    where,
)

FORBIDDEN = -math.inf  # a logarithm of 0: a state that cannot be

# A function of one number, and points with what is taken there, as mpmath computes it.
BRANCHES = {
    "log": (lambda x: where(x > 0, log(x), x * x), {-1.5: lambda x: x * x, 0.0: lambda x: x * x, 2.0: mp.log}),
    "log1p": (lambda x: where(x > -1, log1p(x), x**3), {-2.0: lambda x: x**3, 0.5: mp.log1p}),
    "log of log": (
        lambda x: where(x > 1, log(log(x)), 2.0 * x),
        {0.5: lambda x: 2 * x, 1.0: lambda x: 2 * x, 3.0: lambda x: mp.log(mp.log(x))},
    ),
    "sqrt": (lambda x: where(x > 0, sqrt(x), x), {-1.0: lambda x: x, 4.0: mp.sqrt}),
    "sqrt at its edge": (lambda x: where(x > 0, sqrt(x), sin(x)), {0.0: mp.sin, 0.25: mp.sqrt}),
    "division": (
        lambda x: where(x != 0, sin(x) / x, 1.0 - x * x / 6.0),
        {0.0: lambda x: 1 - x * x / 6, 0.7: lambda x: mp.sin(x) / x},
    ),
    "reciprocal": (lambda x: where(x != 0, 1 / x, x * x), {0.0: lambda x: x * x, -2.0: lambda x: 1 / x}),
    "power": (lambda x: where(x > 0, x**0.5, x**3), {-2.0: lambda x: x**3, 4.0: mp.sqrt}),
    "power of both": (lambda x: where(x > 0, x**x, x), {-0.5: lambda x: x, 1.5: lambda x: x**x}),
    "exp": (lambda x: where(x < 700, exp(x), x * x), {1000.0: lambda x: x * x, 1.0: mp.exp}),
    "tan": (lambda x: where(x < math.inf, tan(x), 1 / x), {math.inf: lambda x: 0 * mp.sin(0), 0.5: mp.tan}),
    "acos": (lambda x: where(abs(x) <= 1, acos(x), x * x), {2.0: lambda x: x * x, -0.3: mp.acos}),
    "asin at its edge": (lambda x: where(abs(x) < 1, asin(x), x**3), {1.0: lambda x: x**3, 0.3: mp.asin}),
    "acosh": (lambda x: where(x >= 1, acosh(x), exp(x)), {-1.0: mp.exp, 2.0: mp.acosh}),
    "atanh": (lambda x: where(abs(x) < 1, atanh(x), sin(x)), {1.0: mp.sin, -3.0: mp.sin, 0.5: mp.atanh}),
    "hypot over 0": (
        lambda x: where(x != 0, x * x / hypot(x, x), sin(x)),
        {0.0: mp.sin, 3.0: lambda x: abs(x) / mp.sqrt(2)},
    ),
    "nested": (
        lambda x: where(x > 0, where(x > 1, log(x - 1), sqrt(x)), exp(x)),
        {-1.0: mp.exp, 0.25: mp.sqrt, 1.0: mp.sqrt, 3.0: lambda x: mp.log(x - 1)},
    ),
    "behind others": (
        lambda x: tanh(2.0 * where(x > 0, log(x), 1.0) * x) ** 2,
        {-0.5: lambda x: mp.tanh(2 * x) ** 2, 1.5: lambda x: mp.tanh(2 * mp.log(x) * x) ** 2},
    ),
    "logsumexp of what is forbidden": (
        lambda x: logsumexp([x, logsumexp([FORBIDDEN - x * x])]),
        {0.3: lambda x: x, -2.0: lambda x: x},
    ),
    "softmax, masked": (
        lambda x: softmax([x, 2.0 * x, where(x > 9, x, FORBIDDEN)])[0],
        {0.3: lambda x: 1 / (1 + mp.exp(x)), -1.0: lambda x: 1 / (1 + mp.exp(x))},
    ),
}


def truth(taken, x):
    """Value, first and second derivative of what is taken."""
    if math.isinf(x):
        return [0.0, 0.0, 0.0]
    with mpmath.workdps(50):
        return [float(mp.diff(taken, mp.mpf(x), n)) for n in range(3)]


def check(found, expected, what=""):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14, err_msg=what)


@pytest.fixture(params=BRANCHES, name="case")
def _case(request):
    f, points = BRANCHES[request.param]
    x = np.array(list(points))
    return f, x, np.array([truth(taken, each) for each, taken in points.items()]).T


def test_derivatives_taken_inside_a_program(case):
    """All of them, for a batch in which some rows take the one branch and some the other."""
    f, x, (values, slopes, curvatures) = case
    check(compile(f)(x), values)
    check(compile(grad(f))(x), slopes, "grad")
    check(compile(lambda x: list(value_and_grad(f)(x)))(x), np.stack([values, slopes], axis=1), "value_and_grad")
    check(compile(jacobian(f))(x), slopes, "jacobian")
    check(compile(jacobian(lambda x: [f(x), 2.0 * f(x)]))(x), np.stack([slopes, 2 * slopes], axis=1), "of two")
    check(compile(grad(grad(f)))(x), curvatures, "grad of grad")
    check(compile(hessian(f))(x), curvatures, "hessian")
    check(compile(hvp(f))(x, 3.0 + 0.0 * np.arange(len(x))), 3.0 * curvatures, "hvp")
    check(compile(lambda x: jvp(f, (x,), (2.0,))[1])(x), 2.0 * slopes, "jvp")
    check(compile(grad(lambda x: jvp(f, (x,), (2.0,))[1]))(x), 2.0 * curvatures, "grad of jvp")


def test_derivatives_of_a_program(case):
    """By arguments and by parameters, of each row, summed, weighted; forward, and the Hessian times a vector."""
    f, x, (values, slopes, curvatures) = case
    program, n = compile(f), len(x)
    every, _, by = program.value_and_grad(x, reduce=None, argnums=0)
    check(every, values)
    check(by, slopes)
    check(program.value_and_grad(x, argnums=(0,))[2][0], slopes / n)
    check(compile(grad(f)).value_and_grad(x, argnums=0, reduce="sum")[2], curvatures)
    for tangent in (np.ones(n), np.linspace(-1.0, 2.0, n)):
        check(program.jvp((x,), (tangent,)), [values, slopes * tangent])
        check(compile(grad(f)).jvp((x,), (tangent,)), [slopes, curvatures * tangent])
    shift = Value(0.0)
    shifted = compile(lambda x: f(x + shift))
    weights = np.arange(1.0, n + 1.0)
    check(shifted.value_and_grad(x)[0], values.mean())
    check(shifted.value_and_grad(x)[1], [slopes.mean()])
    check(shifted.value_and_grad(x, reduce=None)[1], slopes[:, None])
    check(shifted.value_and_grad(x, weights=weights)[1], [slopes @ weights / weights.sum()])
    check(shifted.value_and_grad(x, weights=weights, reduce=None)[1], (slopes * weights)[:, None])
    check(shifted.hvp(x, vector=[2.0], reduce=None), 2.0 * curvatures[:, None])
    check(shifted.hvp(x, vector=[2.0], weights=weights), [2.0 * curvatures @ weights / weights.sum()])
    check(compile(lambda x: grad(f)(x + shift)).value_and_grad(x)[1], [curvatures.mean()])
    with shifted.training(x):
        check(shifted.value_and_grad(x)[1], [slopes.mean()])
        check(shifted.hvp(x, vector=[1.0]), [curvatures.mean()])
    check(shifted.backward(x), values.mean())
    check(shift.grad, slopes.mean())


def test_one_point(case):
    """On floats, where an operation outside its domain raises, arrays take over."""
    f, x, truths = case
    shift = Value(0.0)
    program, sloping, twice, shifted = (
        compile(f),
        compile(grad(f)),
        compile(hessian(f)),
        compile(lambda x: f(x + shift)),
    )
    for at, value, slope, curvature in zip(x.tolist(), *truths.tolist(), strict=True):
        check([program(at), sloping(at), twice(at)], [value, slope, curvature])
        check(program.value_and_grad(at, argnums=0)[2], slope)
        check(program.jvp((at,), (3.0,)), [value, 3.0 * slope])
        check(sloping.value_and_grad(at, argnums=0)[2], curvature)
        check(sloping.jvp((at,), (3.0,)), [slope, 3.0 * curvature])
        check(shifted.value_and_grad(at)[1], [slope])
        check(shifted.hvp(at, vector=[2.0]), [2.0 * curvature])


def test_many_inputs_and_layers():
    """A layer whose neurons each take their own branch: gradients by weights and inputs, and their Hessian's product."""
    weights = [[Value(0.5), Value(-1.0)], [Value(2.0), Value(1.0)], [Value(-1.0), Value(0.25)]]

    def f(x):
        sums = [total([w * xi for w, xi in zip(row, x, strict=True)]) for row in weights]
        return mean([where(z > 0, sqrt(z), z * z) for z in sums])

    X = np.array([[1.0, 2.0], [-1.0, 0.5], [2.0, -3.0]])
    W = np.array([[w.data for w in row] for row in weights])
    Z = X @ W.T
    slope = np.where(Z > 0, 0.5 / np.sqrt(np.abs(Z)), 2 * Z) / 3
    curvature = np.where(Z > 0, -0.25 / np.abs(Z) ** 1.5, 2.0) / 3
    check(compile(grad(f))(X), slope @ W)
    check(compile(hessian(f))(X), np.einsum("ni,ij,ik->njk", curvature, W, W))
    program = compile(f)
    place = {id(w): (i, j) for i, row in enumerate(weights) for j, w in enumerate(row)}
    order = [place[id(p)] for p in program.trace(X).parameters]
    v = np.arange(1.0, 7.0)
    V = np.zeros((3, 2))
    for (i, j), each in zip(order, v, strict=True):
        V[i, j] = each
    expected = np.einsum("ni,nj->nij", curvature * (X @ V.T), X).mean(axis=0)
    check(program.hvp(X, vector=v), [expected[at] for at in order])


def test_code_without_structure():
    """Long code of which hardly two operations belong together runs as a tape, by the same rule."""

    def f(x):
        h = where(x > 0, sqrt(x), x)
        for k in range(120):
            h = where(h > 10.0 + k, log(h - 10.0 - k), h) + 1e-3 * tanh(h) / (1.0 + k)
        return h

    x = np.array([-1.0, 0.0, 2.0, 9.0])

    def numeric(at, orders):
        with mpmath.workdps(40):

            def plain(x):
                h = mp.sqrt(x) if at > 0 else x
                for k in range(120):
                    h = h + mp.mpf(1e-3) * mp.tanh(h) / (1 + k)
                return h

            return [float(mp.diff(plain, mp.mpf(at), n)) for n in range(orders)]

    expected = np.array([numeric(at, 3) for at in x.tolist()]).T
    program = compile(f)
    check(program.value_and_grad(x, argnums=0, reduce="sum")[2], expected[1])
    check(compile(grad(f))(x), expected[1])
    check(compile(grad(f)).value_and_grad(x, argnums=0, reduce="sum")[2], expected[2])
    check(program.jvp((x,), (np.ones(4),)), expected[:2])
    assert "hardly any two belong together" in program.explain()


def test_a_decision_by_a_derivative_sees_no_nan():
    """A NaN of 0 · ∞ would compare as "no" and leave no trace: what a comparison depends on is guarded at once."""
    h, _ = BRANCHES["sqrt"]
    steep = compile(lambda x: where(grad(h)(x) > 0.5, 1.0, 2.0))
    assert steep([-1.0, 4.0, 0.25]).tolist() == [1.0, 2.0, 1.0]
    assert [steep(x) for x in (-1.0, 4.0, 0.25)] == [1.0, 2.0, 1.0]
    by = compile(lambda x: where(grad(h)(x) > 0.5, 3.0 * x, x)).value_and_grad([-1.0, 4.0], argnums=0, reduce="sum")[2]
    assert by.tolist() == [3.0, 1.0]
    scope = {}
    exec(steep.source, scope)
    with np.errstate(invalid="ignore"):
        assert scope["forward"](np.zeros(0), np.array([-1.0, 4.0, 0.25])).tolist() == [1.0, 2.0, 1.0]


def test_a_dropped_product_has_no_derivative_of_any_order():
    """0 · ∞ is 0 as a constant is: no slope of √ at 0 comes back with the next derivative."""
    f = lambda x: sqrt(x) ** 2.0
    with pytest.warns(LostLimitWarning):
        assert grad(f)(0.0) == compile(grad(f))([0.0])[0] == 0.0
    assert compile(hessian(f))([0.0, 4.0]).tolist() == [0.0, 0.0]
    assert compile(grad(grad(grad(f))))([0.0, 4.0]).tolist() == [0.0, 0.0]


def test_finite_numbers_cost_nothing():
    """The fast program of a derivative is made of plain products, as many as the function's own text needs."""
    program = compile(lambda x: [exp(2.0 * x), grad(lambda t: exp(2.0 * t))(x)])
    program([1.0])
    assert program.source.count("xp.exp") == 1  # the same exponential, once
    assert "guarded" not in program.source


class TestCheck:
    """`check=True` has the eager engine differentiate the first row that loses 0 · ∞, so it warns as on Values."""

    @staticmethod
    def met(f, call):
        """The first argument of every row that the eager engine was asked for, and the answer."""
        rows = []

        def watched(x):
            if type(x) is Value:  # and no stand-in, as while it is traced
                rows.append(x.data)
            return f(x)

        answer = call(compile(watched))
        return rows, answer

    @pytest.mark.parametrize(
        "call",
        [
            lambda p: p.value_and_grad([3.0, 0.0, 4.0, 0.0], argnums=0, reduce="sum", check=True)[2].tolist()[1],
            lambda p: p.value_and_grad([3.0] * 5000 + [0.0], argnums=0, reduce=None, check=True)[2].tolist()[-1],
            lambda p: p.value_and_grad(0.0, argnums=0, check=True)[2],
        ],
    )
    def test_the_first_row_that_loses_a_product(self, call):
        """√x² at 0, in a batch, beyond the first rows looked at, at one point."""
        with pytest.warns(LostLimitWarning, match=r"sqrt\('x'\)"):
            rows, slope = self.met(lambda x: sqrt(x) ** 2.0, call)
        assert {*rows} == {0.0}
        assert slope == 0.0

    def test_derivatives_by_parameters_leave_their_grad_alone(self):
        """A sweep would write into it."""
        w = Value(1.0)
        with pytest.warns(LostLimitWarning):
            rows, _ = self.met(lambda x: sqrt(w * x) ** 2.0, lambda p: p.value_and_grad([4.0, 0.0], check=True))
        assert {*rows} == {0.0}
        assert not w.swept

    def test_a_derivative_taken_inside(self):
        """A lost limit is told, as grad of a number tells it; the derivative of that derivative is refused."""
        slope = compile(grad(lambda x: sqrt(x) ** 2.0))
        assert slope([1.0, 0.0]).tolist() == [1.0, 0.0]
        with pytest.warns(LostLimitWarning, match=r"sqrt\('x'\)"):
            slope([1.0, 0.0], check=True)
        with pytest.raises(DomainError, match=r"^row 1: sqrt.* has no finite second derivative"):
            slope.value_and_grad([1.0, 0.0], argnums=0, check=True)
        with pytest.raises(DomainError, match=r"^row 2: log of -1.0, outside"):  # whatever rows in doubt come before
            compile(grad(lambda x: log(x + 1.0) ** 2 + sqrt(x * x) ** 2))([1.0, 0.0, -2.0], check=True)
        assert slope([1.0, 4.0], check=True).tolist() == [1.0, 1.0]

    @pytest.mark.parametrize("f", [sqrt, lambda x: x * x, lambda x: exp(1000.0 * (x + 1.0))])
    def test_nothing_is_lost_elsewhere(self, f):
        """A slope that is infinite is an answer, and so is a finite one: no row is computed twice."""
        rows, _ = self.met(f, lambda p: p.value_and_grad([1.0, 0.0], argnums=0, check=True))
        assert not rows
