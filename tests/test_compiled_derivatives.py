"""Derivatives inside compiled functions, and derivatives of programs, against the eager engine and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff
from autodiff import OPS, Value, compile, exp, grad, hessian, hvp, jacobian, jvp, no_grad, sin, tanh
from autodiff.testing import numbers
from models import MLP

ROWS = np.random.default_rng(0).uniform(0.2, 1.5, size=(6, 3))


def tangle(x):
    return x[0] ** 2 * x[1] + sin(x[0] * x[2]) / x[1] + exp(-x[1] * x[2]) + 2.0


def several(x):
    return [x[0] * x[1], tanh(x[2]), 7.0]


DERIVATIVES = {
    "grad": grad(tangle),
    "hessian": hessian(tangle),
    "jacobian": jacobian(several),
    "jacobian of grad": jacobian(grad(tangle)),
    "grad of a sum of grad": grad(lambda x: grad(tangle)(x).sum()),
}


@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=DERIVATIVES)
def test_derivatives_of_functions_compile(derivative):
    """compile(grad(f)) gives for all rows what grad(f) gives for each."""
    np.testing.assert_allclose(compile(derivative)(ROWS), [derivative(x) for x in ROWS], rtol=1e-12, atol=1e-14)


def test_products_with_directions_compile():
    """Forward mode, and Hessians times vectors, with a direction of its own for each row."""
    directions = ROWS[::-1].copy()
    pairs = list(zip(ROWS, directions, strict=True))
    products = compile(hvp(tangle))(ROWS, directions)
    np.testing.assert_allclose(products, [hvp(tangle)(x, v) for x, v in pairs], rtol=1e-12)
    rates = compile(lambda x, v: jvp(tangle, (x,), (v,))[1])(ROWS, directions)
    np.testing.assert_allclose(rates, [jvp(tangle, (x,), (v,))[1] for x, v in pairs], rtol=1e-12)


@given(data=st.data(), name=st.sampled_from([name for name, op in OPS.items() if op.arity]))
def test_the_rules_of_all_operations_compile(data, name):
    """The partial by each operand of every row, at points inside its domain and away from its kinks."""
    op = OPS[name]
    points = [data.draw(numbers(op)) for _ in range(2)]
    for i in range(op.arity):
        slope = grad(op, argnums=i)
        with np.errstate(all="ignore"):
            compiled = compile(slope)(*map(np.array, zip(*points, strict=True)))
        np.testing.assert_allclose(compiled, [slope(*x) for x in points], rtol=1e-12, atol=1e-300)


def test_variables_are_not_confused():
    """Each derivative is by its own variable, though they stand for the same number."""
    x = np.linspace(-1.0, 2.0, 5)
    one = np.ones(5)
    for f, expected in (
        (lambda x: grad(lambda y: x * y)(x), x),
        (grad(lambda x: x * grad(lambda y: x + y)(1.0)), one),
        (grad(lambda x: x * grad(lambda y: x * y)(2.0)), 2.0 * x),
        (grad(lambda x: grad(lambda y: y * y)(x) * x), 4.0 * x),
        (lambda x: grad(lambda y: y * y)(3.0) * x, 6.0 * x),
        (lambda x: grad(lambda y: 1.0)(x) + x, x),
    ):
        np.testing.assert_allclose(compile(f)(x), expected, rtol=1e-15)


def test_what_no_grad_computes_is_constant():
    """As it is eagerly."""

    def f(x):
        with no_grad():
            still = x * x
        return still * x

    x = np.array([2.0, 3.0])
    np.testing.assert_allclose(compile(grad(f))(x), x**2)


def test_a_loss_of_a_derivative_trains():
    """As for a differential equation: (u' + u)² of u = tanh(wt + b), its gradient by w and b in closed form."""
    w, b = Value(0.7, "w"), Value(0.1, "b")
    t = np.linspace(0.0, 1.0, 7)

    def u(t):
        return tanh(w * t + b)

    program = compile(lambda t: (grad(u)(t) + u(t)) ** 2)
    loss, gradient = program.value_and_grad(t)
    a = np.tanh(0.7 * t + 0.1)
    s = 1.0 - a * a
    r = 0.7 * s + a
    by_b = 2.0 * r * (s - 0.7 * 2.0 * a * s)
    by_w = by_b * t + 2.0 * r * s
    assert loss == pytest.approx(np.mean(r**2), rel=1e-14)
    expected = {"w": by_w.mean(), "b": by_b.mean()}
    assert dict(zip([p.label for p in program.parameters], gradient, strict=True)) == pytest.approx(expected, rel=1e-12)


def test_a_number_that_is_none_cannot_be_differentiated_by():
    """The same message as eagerly."""
    with pytest.raises(TypeError, match="cannot differentiate by y: a Value needs one real number"):
        compile(lambda x: x * grad(lambda y: y)("3"))(1.0)


def network():
    mlp = MLP(2, [4, 1], activation="tanh", output_activation="sigmoid", random_state=0)
    random = np.random.default_rng(1)
    return mlp, random.normal(size=(9, 2)), random.uniform(size=9), random.normal(size=17)


def test_hvp_is_the_hessian_times_the_vector():
    """Against second derivatives of the mean taken on Values; sum, rows and weights are the mean of the rows' own."""
    mlp, X, Y, v = network()
    program = compile(lambda x, y: (mlp(x) - y) ** 2)
    product = program.hvp(X, Y, vector=v)
    parameters = program.parameters
    loss = autodiff.mean([(mlp(x) - y) ** 2 for x, y in zip(X.tolist(), Y.tolist(), strict=True)])
    loss.backward(create_graph=True)
    slope = sum(p.grad * d for p, d in zip(parameters, v, strict=True))
    for node in autodiff.topological_order(loss):
        node.zero_grad()
    slope.backward()
    expected = [p.grad for p in parameters]
    for node in autodiff.topological_order(slope):
        node.zero_grad()
    np.testing.assert_allclose(product, expected, rtol=1e-10, atol=1e-14)
    rows = program.hvp(X, Y, vector=v, reduce=None)
    assert rows.shape == (9, 17)
    np.testing.assert_allclose(rows.mean(axis=0), product, rtol=1e-12)
    np.testing.assert_allclose(program.hvp(X, Y, vector=v, reduce="sum"), rows.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(program.hvp(X, Y, vector=v, weights=Y), Y @ rows / Y.sum(), rtol=1e-12)


def test_hvp_of_a_quadratic_is_its_matrix():
    """Least squares: H = 2XᵀX/n; what is linear in the parameters has none, nor has what has no parameters."""
    X = ROWS
    w = [Value(x) for x in (0.5, -1.0, 2.0)]
    program = compile(lambda x, y: (sum(wi * xi for wi, xi in zip(w, x, strict=True)) - y) ** 2)
    H = np.array([program.hvp(X, X[:, 0], vector=v) for v in np.eye(3)])
    assert [p.data for p in program.parameters] == [0.5, -1.0, 2.0]
    np.testing.assert_allclose(H, 2.0 * X.T @ X / len(X), rtol=1e-13)
    assert compile(lambda x: 3.0 * w[0] * x).hvp([1.0, 2.0], vector=[1.0]).tolist() == [0.0]
    assert compile(lambda x: x * x).hvp([1.0, 2.0], vector=[]).shape == (0,)


def test_jvp_is_the_rate_of_every_row():
    """Against forward mode on Values, for one output, for several, with shared arguments and for one point."""
    mlp, X, Y, _ = network()
    f = lambda x, y: (mlp(x) - y) ** 2
    dX, dY = np.cos(X), np.sin(Y)
    values, rates = compile(f).jvp((X, Y), (dX, dY))
    expected = [jvp(f, (x, y), (dx, dy)) for x, y, dx, dy in zip(X, Y, dX, dY, strict=True)]
    np.testing.assert_allclose(np.column_stack([values, rates]), expected, rtol=1e-12)
    values, rates = compile(several).jvp((ROWS,), (np.ones((6, 3)),))
    np.testing.assert_allclose(values, [several(x) for x in ROWS], rtol=1e-15)
    np.testing.assert_allclose(rates, [jvp(several, (x,), (np.ones(3),))[1] for x in ROWS], rtol=1e-13)
    _, rates = compile(lambda x, s: x * s, in_axes=(0, None)).jvp((Y, 3.0), (np.zeros(9), 2.0))
    np.testing.assert_allclose(rates, 2.0 * Y, rtol=1e-15)
    assert compile(lambda x: x * x + 1.0).jvp((3.0,), (2.0,)) == (10.0, 12.0)


def test_jvp_of_a_program_takes_arguments_by_keyword_as_constants():
    """d·x² changes by 2dx for each step of x: d by rows, at one point, keyword-only, and the same for all rows."""
    x, d, one = np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.ones(2)
    for f in (lambda x, d: d * x**2, lambda x, *, d: d * x**2):
        values, rates = compile(f).jvp((x,), (one,), d=d)
        assert (values.tolist(), rates.tolist()) == ([3.0, 16.0], [6.0, 16.0])
        assert compile(f).jvp((3.0,), (1.0,), d=2.0) == (18.0, 12.0)
        assert compile(f, in_axes=(0, None)).jvp((x,), (one,), d=3.0)[1].tolist() == [6.0, 12.0]
    program = compile(lambda x, d: d * x**2)
    assert program.jvp((x, d), (one, one))[1].tolist() == [7.0, 20.0]  # and by position they change


def test_derivatives_of_programs_see_what_training_has_reached():
    """In a training block the flat array counts, for them too."""
    w = Value(1.0)
    program = compile(lambda x: x * w**3)
    x = np.array([1.0, 3.0])
    with program.training(x) as flat:
        flat[:] = 4.0
        assert program.jvp((x,), (np.ones(2),))[1].tolist() == [64.0, 64.0]
        flat[:] = 2.0
        assert program.hvp(x, vector=[1.0]).tolist() == [2.0 * 6.0 * 2.0]
        assert program.jvp((x,), (np.ones(2),))[1].tolist() == [8.0, 8.0]
    w.data = -1.0
    assert program.hvp(x, vector=[1.0]).tolist() == [-12.0]


def test_directions_that_do_not_fit_are_refused():
    """By length, by rows, by shape; and static arguments have none."""
    mlp, X, Y, v = network()
    program = compile(lambda x, y: (mlp(x) - y) ** 2)
    with pytest.raises(ValueError, match=r"the vector must be \(17,\), one entry per parameter, got \(1,\)"):
        program.hvp(X, Y, vector=[1.0])
    with pytest.raises(ValueError, match="one tangent per argument, got 1 for 2"):
        program.jvp((X, Y), (X,))
    with pytest.raises(ValueError, match="as many rows, got 3 in the tangent of x and 9 in x"):
        program.jvp((X, Y), (X[:3], Y))
    with pytest.raises(ValueError, match=r"the tangent of x must have its shape, \(2,\), got \(1,\)"):
        program.jvp((X, Y), (X[:, :1], Y))
    with pytest.raises(TypeError, match="static arguments"):
        compile(lambda x, k: x**k, static_argnums=1).jvp((1.0, 2), (1.0, 0))
    table = [1.0, 2.0, 3.0]
    power = compile(lambda x, n: x**3 * table[n])
    way = r"vary 'n', which is an index: write jvp\(\(x,\), \(dx,\), n=1\)\. indexing by"
    for _ in range(2):  # the second call finds the program of the first
        with pytest.raises(TypeError, match=way):
            power.jvp((2.0, 1), (1.0, 0.0))
    assert power.jvp((2.0,), (1.0,), n=1) == (16.0, 24.0)
    with pytest.raises(TypeError, match=r"vary 'n', which is an index: compile a function of the other ones alone\."):
        compile(lambda n, x: x**3 * table[n]).jvp((1, 2.0), (0.0, 1.0))
    assert math.isfinite(program.hvp(X, Y, vector=v).sum())


A = np.array([[2.0, -1.0, 0.5], [0.0, 1.0, 3.0], [1.0, 0.0, -2.0]])
QUADRATIC = compile(lambda x: sum(x[i] * A[i, j] * x[j] for i in range(3) for j in range(3)))
VECTOR = np.array([1.0, -2.0, 0.5])


@pytest.mark.parametrize("x", [VECTOR, VECTOR.tolist()], ids=["array", "list"])
def test_transforms_of_a_program_are_those_of_its_function(x):
    """Of one sample, whose closed forms they have, in the shapes that transforms give."""
    np.testing.assert_allclose(grad(QUADRATIC)(x), (A + A.T) @ VECTOR)
    np.testing.assert_allclose(hessian(QUADRATIC)(x), A + A.T)
    np.testing.assert_allclose(hvp(QUADRATIC)(x, VECTOR), (A + A.T) @ VECTOR)
    np.testing.assert_allclose(jvp(QUADRATIC, (x,), (VECTOR,)), [VECTOR @ A @ VECTOR, VECTOR @ (A + A.T) @ VECTOR])
    value, gradient = autodiff.value_and_grad(QUADRATIC)(x)
    np.testing.assert_allclose([value, *gradient], [VECTOR @ A @ VECTOR, *(A + A.T) @ VECTOR])


def test_transforms_of_programs_of_all_kinds():
    """Methods, static arguments, several outputs, aux, keywords, and derivatives by several arguments."""

    class Spring:
        def __init__(self):
            self.k = Value(3.0, "k")

        @compile
        def energy(self, x, n=2):
            return self.k * x**n

    assert hessian(Spring().energy)(2.0) == 6.0
    assert grad(compile(lambda x, n: x**n, static_argnums=1))(2.0, 3) == 12.0
    area = compile(lambda r, h: {"area": r * h, "sum": r + h})
    assert jacobian(area, argnums=(0, 1))(2.0, 5.0) == {"area": (5.0, 2.0), "sum": (1.0, 1.0)}
    assert grad(compile(lambda x: (x**3, {"x": x}), has_aux=True), has_aux=True)(2.0) == (12.0, {"x": 2.0})
    assert grad(compile(lambda r, h: r * h * h), argnames=("h", "r"))(2.0, h=5.0) == (20.0, 25.0)


def test_a_program_of_values_answers_in_values():
    """As its function does, row by row, also in its derivatives, which go on; jvp and hvp too."""
    w, x = Value(3.0, "w"), Value(2.0, "x")
    program = compile(lambda x, y: w * x * x + y)
    answer = program(x, 1.0)
    answer.backward()
    assert (answer.data, x.grad, w.grad) == (13.0, 12.0, 4.0)
    assert [v.data for v in program([x, 5.0], [1.0, 2.0])] == [13.0, 77.0]
    loss, gradient, slope = program.value_and_grad(np.array([x, 5.0]), [1.0, 2.0], argnums=0)
    assert [loss.data, gradient[0].data, slope[0].data, slope[1].data] == [45.0, 14.5, 6.0, 15.0]
    assert grad(lambda s: program.value_and_grad(s * 2.0, 1.0, argnums=0)[2])(5.0) == 12.0  # 2wx
    assert grad(lambda s: program.jvp((s, 1.0), (1.0, 0.0))[1])(5.0) == 6.0
    assert grad(lambda s: compile(lambda x: w**2 * x).hvp(s, vector=[1.0])[0])(5.0) == 2.0
    aux = compile(lambda x: (x * x, {"x": x}), has_aux=True)(x)
    assert aux[0].data == 4.0
    assert aux[1]["x"].data == 2.0
    with pytest.raises(TypeError, match=r"backward must get plain numbers, got a Value; call backward\(\) of what"):
        program.backward(x, 1.0)
    with pytest.raises(TypeError, match=r"x must be plain numbers, got a Value.*call the function itself, program\.f"):
        program(x, 1.0, check=True)


def test_the_variable_of_a_derivative_may_be_a_parameter():
    """A program inside a function that is differentiated: its parameters are no constants where they are varied."""
    assert grad(lambda w: compile(lambda x: w * x * x)(3.0))(2.0) == 9.0
    assert grad(lambda w: compile(lambda x: w**2 * x).value_and_grad(3.0)[1][0])(2.0) == 6.0
    assert hessian(lambda w: compile(lambda x: w**3 * x)([1.0, 2.0])[1])(2.0) == 24.0


def test_value_and_gradient_compile_together():
    """Each is an array of its own, for several arguments and of any shapes: (exp(x) y², …) in closed form."""
    x, y = np.array([0.0, 1.0]), np.array([2.0, 3.0])

    def f(x, y):
        return exp(x) * y**2

    value, (by_x, by_y) = compile(autodiff.value_and_grad(f, argnums=(0, 1)))(x, y)
    np.testing.assert_allclose([value, by_x, by_y], [np.exp(x) * y**2, np.exp(x) * y**2, 2.0 * np.exp(x) * y])
    value, slope = compile(autodiff.value_and_grad(f))(x, y)  # two rows, and not their transpose
    np.testing.assert_allclose([value, slope], [np.exp(x) * y**2] * 2)
    value, slope = compile(lambda x, y: jvp(f, (x, y), (1.0, 0.0)))(x, y)
    np.testing.assert_allclose([value, slope], [np.exp(x) * y**2] * 2)
    (xx, xy), (_, yy) = compile(hessian(f, argnums=(0, 1)))(x, y)
    np.testing.assert_allclose([xx, xy, yy], [np.exp(x) * y**2, 2.0 * np.exp(x) * y, 2.0 * np.exp(x)])
    together = compile(autodiff.value_and_grad(QUADRATIC))
    for batch in (np.array([VECTOR, 2.0 * VECTOR]), np.array([VECTOR])) * 2:
        value, gradient = together(batch)
        np.testing.assert_allclose(value, [x @ A @ x for x in batch])
        np.testing.assert_allclose(gradient, batch @ (A + A.T))
    for _ in range(2):
        assert compile(autodiff.value_and_grad(f, argnums=(0, 1)))(0.0, 3.0) == (9.0, (9.0, 6.0))


def test_answers_of_several_shapes_stay_apart():
    """A tuple whose entries are not of one shape is answered entry by entry; of one shape, as one array."""
    program = compile(lambda x: (x[0] + x[1], [x[0] ** 2, x[1] ** 2], {"first": x[0]}))
    for _ in range(2):
        total, squares, named = program([[1.0, 2.0], [3.0, 4.0]])
        assert (total.tolist(), squares.tolist()) == ([3.0, 7.0], [[1.0, 4.0], [9.0, 16.0]])
        assert named["first"].tolist() == [1.0, 3.0]
    assert compile(lambda x: (x, x * x))([2.0, 3.0]).tolist() == [[2.0, 4.0], [3.0, 9.0]]
    product = compile(grad(lambda p: p[0][0] * p[0][1] + p[1] ** 2))
    by_weights, by_bias = product([np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([5.0, 7.0])])
    assert (by_weights.tolist(), by_bias.tolist()) == ([[4.0, 3.0], [6.0, 5.0]], [10.0, 14.0])
    with pytest.raises(TypeError, match=r"entries of one shape, got a ragged list; return a tuple or a dict of them"):
        compile(lambda x: [x, [x]])([1.0])
    with pytest.raises(TypeError, match=r"must return Values or numbers, got str, at the answer\[1\]"):
        compile(lambda x: ([x, x], "x"))([1.0])
    with pytest.raises(
        TypeError, match=r"must return one number to have a gradient, got tuple; return \(number, tuple"
    ):
        program.value_and_grad([[1.0, 2.0]])
