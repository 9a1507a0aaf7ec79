"""Derivatives of functions, against closed forms, SciPy and each other."""

import math
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff
from autodiff import Value, grad, hessian, hvp, jacobian, jvp, no_grad, value_and_grad

finite = st.floats(-3, 3, allow_subnormal=False)


def rosenbrock(x):
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def test_first_to_fourth_derivative_of_a_polynomial():
    """d^k/dx^k x⁴ at 2: 32, 48, 48, 24."""
    f = lambda x: x**4  # the point is a plain lambda
    found = []
    for _ in range(4):
        f = grad(f)
        found.append(f(2.0))
    assert found == [32.0, 48.0, 48.0, 24.0]


@given(finite)
def test_the_fourth_derivative_of_sine_is_sine(x):
    """Exact to rounding, at any point."""
    assert grad(grad(grad(grad(autodiff.sin))))(x) == pytest.approx(math.sin(x), abs=1e-14)


def test_shapes_and_types():
    """A number gives a float, a sequence or array a float64 array of its shape."""
    assert type(grad(lambda x: x * x)(3)) is float
    for x in ([1.0, 2.0], (1, 2), np.array([1.0, 2.0]), np.array([1, 2])):
        g = grad(lambda x: x[0] * x[1])(x)
        assert g.dtype == np.float64
        assert g.tolist() == [2.0, 1.0]
    nested = grad(lambda x: x[0][0] * x[1][2])([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert nested.tolist() == [[6.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    assert grad(lambda x: (x @ x.T).trace())(np.ones((2, 3))).shape == (2, 3)
    assert hessian(lambda x: x * x)(np.array(3.0)) == 2.0
    assert hessian(lambda x: (x**2).sum())(np.ones((2, 3))).shape == (2, 3, 2, 3)
    assert jacobian(lambda x: [[x[0], x[1]], [x[1], 1.0]])([1.0, 2.0]).shape == (2, 2, 2)
    assert jacobian(lambda x: 3 * x)(2.0) == 3.0
    value, gradient = value_and_grad(lambda x: x * x)(3.0)
    assert (value, gradient) == (9.0, 6.0)
    assert type(value) is float


def test_sequences_arrive_as_what_they_were():
    """A list stays a list, a tuple a tuple, a namedtuple itself, an array an array, other arguments untouched."""
    Point = namedtuple("Point", "x y")
    marker = object()

    def f(a, b, c, d, other, *, flag):
        assert (type(a), type(b), type(c), type(d)) == (list, tuple, Point, np.ndarray)
        assert other is marker
        assert flag == "kept"
        return a[0] + 2 * b[0] + 3 * c.y + 4 * d[1]

    gradients = grad(f, argnums=(0, 1, 2, 3))([1.0], (1.0,), Point(1.0, 2.0), np.ones(2), marker, flag="kept")
    assert [np.asarray(g).tolist() for g in gradients] == [[1.0], [2.0], [0.0, 3.0], [0.0, 4.0]]


def test_argnums_choose_arguments():
    """One position, several, or counted from the end; the others stay plain numbers."""

    def f(x, y, z):
        return x * y**2 * z**3

    assert grad(f, 1)(2.0, 3.0, 1.0) == 12.0
    assert grad(f, -1)(2.0, 3.0, 1.0) == 54.0
    assert grad(f, (2, 0))(2.0, 3.0, 1.0) == (54.0, 9.0)
    assert grad(lambda x, n: x**n)(2.0, 3) == 12.0
    table = hessian(f, (0, 1))(2.0, 3.0, 1.0)
    assert table == ((0.0, 6.0), (6.0, 4.0))


def test_directions_may_have_the_shapes_of_several_arguments():
    """A number and a list side by side: the rate is Σ ∂f · direction; a Value among them makes it one."""
    f = lambda x, ys: x * (ys[0] + ys[1])
    assert jvp(f, (2.0, [1.0, 3.0]), (1.0, [0.5, 0.0])) == (8.0, 5.0)
    assert grad(lambda v: jvp(f, (2.0, [1.0, 3.0]), (1.0, [v * v, 0.0]))[1])(3.0) == 12.0


def test_a_function_that_ignores_its_argument_has_gradient_zero():
    """A plain number is a constant."""
    assert grad(lambda x: 5.0)(1.0) == 0.0
    assert grad(lambda x: Value(5.0))([1.0, 2.0]).tolist() == [0.0, 0.0]
    assert hessian(lambda x: x[0])([1.0, 2.0]).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert hvp(lambda x: x[0])([1.0, 2.0], [1.0, 1.0]).tolist() == [0.0, 0.0]
    assert jvp(lambda x: 5.0, (1.0,), (1.0,)) == (5.0, 0.0)


def test_nobodys_grad_is_touched():
    """Transforms leave no trace in Values that the function uses."""
    w = Value(3.0)
    assert grad(lambda x: w * x * x)(2.0) == 12.0
    hessian(lambda x: w * x * x)(2.0)
    assert not w.swept


# Perturbation confusion: an inner derivative must not see the outer variable as its own.


def test_inner_derivative_by_another_variable():
    """d/dx [x · d/dy (x + y)] = 1, and with x·y inside it is 2x."""
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(3.0) == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6.0


def test_inner_derivative_at_the_outer_variable_itself():
    """d/dx [d/dy (y²x) at y = x] = d/dx 2x² = 4x: both ways of x are followed."""
    assert grad(lambda x: grad(lambda y: y * y * x)(x))(3.0) == 12.0


@pytest.mark.parametrize("outer", ["grad", "jvp"])
@pytest.mark.parametrize("inner", ["grad", "jvp"])
def test_forward_and_reverse_nest_without_confusion(outer, inner):
    """The same in all four combinations of forward and reverse mode."""
    one = (lambda f, x: grad(f)(x)) if inner == "grad" else (lambda f, x: jvp(f, (x,), (1.0,))[1])
    two = (lambda f, x: grad(f)(x)) if outer == "grad" else (lambda f, x: jvp(f, (x,), (1.0,))[1])
    assert two(lambda x: x * one(lambda y: x + y, 1.0), 3.0) == 1.0
    assert two(lambda x: x * one(lambda y: x * y, 2.0), 3.0) == 6.0
    assert two(lambda x: one(lambda y: y * y * x, x), 3.0) == 12.0
    assert two(lambda x: one(lambda y: autodiff.sin(y) * x, x * x), 0.5) == pytest.approx(
        math.cos(0.25) - 0.5 * math.sin(0.25) * 2 * 0.5, rel=1e-14
    )


def test_three_levels_deep():
    """d/dx x·d/dy y·d/dz (x·y·z) = d/dx (x · 2xy) at y: 4xy."""
    inner = lambda x, y: y * grad(lambda z: x * y * z)(7.0)
    middle = lambda x: x * grad(lambda y: inner(x, y))(5.0)
    assert grad(middle)(3.0) == pytest.approx(4 * 3.0 * 5.0)


def test_a_hessian_through_an_inner_gradient():
    """Gradient-norm penalties: hessian of |∇f|² for f = Σx⁴/12 is diag of d²/dx² (x³/3)² = 10x⁴/3."""
    f = lambda x: (x**4).sum() / 12
    norm = lambda x: (grad(f)(x) ** 2).sum()
    x = np.array([1.0, 2.0])
    assert hessian(norm)(x) == pytest.approx(np.diag(10 * x**4 / 3), rel=1e-14)


def test_hessian_is_jacobian_of_gradient():
    """Two routes to the same matrix, rounding included."""
    x = np.array([0.3, -0.4, 1.2])
    assert np.array_equal(hessian(rosenbrock)(x), jacobian(grad(rosenbrock))(x))


def test_a_nested_derivative_in_another_thread():
    """The outer variable is known in every thread: d/dx x·d/dy (xy²) at y = 2 is d/dx 4x²."""

    def f(x):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: grad(lambda y: x * y * y)(2.0)).result() * x

    assert grad(f)(3.0) == 24.0


def test_empty_outputs_have_empty_derivatives():
    """No outputs: an array of that shape."""
    assert jacobian(lambda x: [])(np.ones(3)).shape == (0, 3)
    assert jacobian(lambda x: [])(2.0).shape == (0,)


@pytest.mark.parametrize("argnums", [0, 1, -1, (0,), (1, 0)])
def test_argnums_as_in_jax(argnums):
    """The same gradients, Hessians and structures as JAX for the same argnums; jvp too."""
    jax = pytest.importorskip("jax", reason="JAX is a development dependency")
    jax.config.update("jax_enable_x64", True)

    def f(x, y):
        return (x * x * y).sum() * y[0] + x[1] ** 3

    x, y = np.array([0.5, -1.5]), np.array([2.0, 0.25])
    ours = [grad(f, argnums)(x, y), hessian(f, argnums)(x, y), jvp(f, (x, y), (y, x))]
    theirs = [jax.grad(f, argnums)(x, y), jax.hessian(f, argnums)(x, y), jax.jvp(f, (x, y), (y, x))]
    leaves, structure = jax.tree_util.tree_flatten(ours)
    expected, wanted = jax.tree_util.tree_flatten(theirs)
    assert structure == wanted
    for a, b in zip(leaves, expected, strict=True):
        assert np.shape(a) == b.shape
        assert a == pytest.approx(np.asarray(b), rel=1e-13)


def test_values_in_give_values_out():
    """The answer is part of the caller's graph."""
    v = Value(3.0, "v")
    slope = grad(lambda x: x**3)(v)
    assert slope.data == 27.0
    slope.backward()
    assert v.grad == 18.0


def test_an_answer_that_depends_on_no_outer_variable_is_a_float():
    """Inside another transform, an unrelated derivative is a plain number."""

    def f(x):
        inner = grad(lambda y: y**3)(2.0)
        assert type(inner) is float
        return x * inner

    assert grad(f)(1.0) == 12.0


def test_no_grad_does_not_stop_a_transform():
    """A derivative was asked for, so it is recorded, and no_grad goes on afterwards."""
    with no_grad():
        assert grad(lambda x: x * x)(3.0) == 6.0
        assert hessian(lambda x: x**3)(3.0) == 18.0
        assert (Value(2.0) * 2).op is None


@given(st.lists(finite, min_size=3, max_size=3), st.lists(finite, min_size=3, max_size=3))
def test_forward_and_reverse_agree(x, v):
    """jvp is the gradient times the direction, and hvp the Hessian times it, to rounding."""

    def f(x):
        return autodiff.sin(x[0] * x[1]) * autodiff.exp(x[2]) + autodiff.hypot(x[0] + 4, x[2]) / (x[1] ** 2 + 1)

    _, rate = jvp(f, (x,), (v,))
    assert rate == pytest.approx(float(grad(f)(x) @ np.array(v)), rel=1e-12, abs=1e-12)
    assert hvp(f)(x, v) == pytest.approx(hessian(f)(x) @ np.array(v), rel=1e-11, abs=1e-11)


def test_jvp_of_several_outputs():
    """One rate per output, in the output's shape."""
    value, rate = jvp(lambda x, y: [x * y, x + y, 1.0], (3.0, 4.0), (1.0, 0.5))
    assert value.tolist() == [12.0, 7.0, 1.0]
    assert rate.tolist() == [5.5, 1.5, 0.0]


def test_jvp_takes_arguments_by_keyword_as_constants():
    """d·x² changes by 2dx for each step of x, whatever d is, beside has_aux and nests too."""
    assert jvp(lambda x, *, d: d * x**2, (3.0,), (1.0,), d=2.0) == (18.0, 12.0)
    assert jvp(lambda x, d: (d["d"] * x**2, "aux"), (3.0,), (1.0,), has_aux=True, d={"d": 2.0}) == (18.0, 12.0, "aux")
    with pytest.raises(TypeError, match="unexpected keyword argument 'k'"):
        jvp(lambda x: x, (3.0,), (1.0,), k=2.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: grad(lambda x: (x, x))(1.0),
            TypeError,
            r"must return one number here, got tuple of shape \(2,\): use jacobian, .*; with has_aux=True, f returns",
        ),
        (lambda: grad(lambda x: x)(np.ones(2)), TypeError, r"got ndarray of shape \(2,\): use jacobian, or .* entry$"),
        (lambda: hessian(lambda x: [x])(1.0), TypeError, r"got list of shape \(1,\)"),
        (lambda: grad(lambda x: {"a": x})(1.0), TypeError, "must return one number here, got dict: use jacobian"),
        (lambda: grad(lambda x: "a")(1.0), TypeError, "must return Values or numbers, got str in the answer$"),
        (
            lambda: grad(lambda x: None)(1.0),
            TypeError,
            "must return Values or numbers, got None; is a `return` missing",
        ),
        (lambda: jacobian(lambda x: [x, {"b": "c"}])(1.0), TypeError, r"numbers, got str in the answer\[1\]\['b'\]$"),
        (lambda: grad(3), TypeError, "first argument must be the function to differentiate, got int"),
        (
            lambda: grad(lambda x: x, "x"),
            TypeError,
            "argnums must be the position of an argument, or a tuple of positions, got 'x'",
        ),
        (lambda: grad(lambda x: x, True), TypeError, "argnums must be the position"),
        *(
            (
                lambda call=call: call(lambda x: x[0], np.array([1.0, 2.0])),
                TypeError,
                r"got array.*as in grad\(f\)\(x\)",
            )
            for call in (grad, hessian, jacobian, lambda f, x: hvp(f, x, x))
        ),
        (lambda: grad(lambda x: x, (0, 1.0)), TypeError, "argnums must be the position"),
        (lambda: grad(lambda x: x, ()), ValueError, r"there must be an argument to differentiate by, got \(\)"),
        (
            lambda: grad(lambda x: x, 1)(1.0),
            ValueError,
            "argnums must choose arguments that the call passes, got 1; it passes x",
        ),
        (lambda: grad(lambda x: x)(), ValueError, "must choose arguments that the call passes, got 0; it passes none"),
        (lambda: grad(lambda x, y: x, (0, -2))(1.0, 2.0), ValueError, r"must be named once, got \(0, -2\)"),
        (lambda: grad(lambda x: x, argnames=0), TypeError, "argnames must be the name of an argument, .*, got 0"),
        (lambda: grad(lambda x: x, argnames=("x", 1)), TypeError, r"argnames must be .*, got \('x', 1\)"),
        (lambda: grad(lambda x: x, 0, "x"), ValueError, "argnums and argnames must not be given both"),
        (
            lambda: grad(lambda x, y=1.0, *, z=2.0: x, argnames="y")(1.0, z=3.0),
            ValueError,
            "argnames must choose arguments that the call passes, got 'y'; it passes x, z",
        ),
        (lambda: grad(lambda x, y: x, argnames=("x", "x"))(1.0, 2.0), ValueError, "must be named once"),
        (lambda: grad(lambda x: x)("1"), TypeError, "cannot differentiate by x: a Value .* one real number"),
        (
            lambda: jvp(lambda x: x, 1.0, 1.0),
            TypeError,
            "primals must be a tuple with one entry per argument, got float",
        ),
        (lambda: jvp(lambda x: x, (), ()), ValueError, r"there must be an argument to differentiate by, got \(\)"),
        (lambda: jvp(lambda x: x, (1.0,), ([1.0],)), ValueError, r"of x must have its shape, \(\), got \(1,\)"),
        (lambda: jvp(lambda x: x, (1.0,), (1.0, 2.0)), ValueError, "must be one tangent per argument, 1, got 2"),
        (lambda: hvp(lambda x: x[0])([1.0, 2.0], [1.0]), ValueError, r"of x must have its shape, \(2,\), got \(1,\)"),
        (lambda: hvp(lambda x, y: x * y, (0, 1))(1.0, 2.0, 3.0), TypeError, "v must be a tuple .*, got float"),
        (lambda: grad(lambda x: x, has_aux=True)(1.0), TypeError, r"must return \(answer, aux\), got Value"),
        (lambda: grad(lambda x: (x, x, x), has_aux=True)(1.0), TypeError, r"return \(answer, aux\), got tuple"),
        (
            lambda: grad(lambda p: autodiff.log(p[1]))([1.0, -2.0]),
            autodiff.DomainError,
            r"log of -2\.0, outside \(0, ∞\), in 'p\[1\]'",
        ),
    ],
)
def test_bad_calls_say_what_is_wrong(call, error, message):
    """Each misuse has its message, naming the parameter where there is one."""
    with pytest.raises(error, match=message):
        call()


def test_scipy_minimises_rosenbrock():
    """value_and_grad, hessian and hvp fit scipy.optimize.minimize as they are, and agree with SciPy's own forms."""
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is a development dependency")
    start = [-1.2, 1.0, 2.0]
    quasi = optimize.minimize(value_and_grad(rosenbrock), start, jac=True, method="BFGS", tol=1e-10)
    newton = optimize.minimize(
        value_and_grad(rosenbrock), start, jac=True, hess=hessian(rosenbrock), method="trust-exact", tol=1e-10
    )
    free = optimize.minimize(
        value_and_grad(rosenbrock), start, jac=True, hessp=hvp(rosenbrock), method="trust-ncg", tol=1e-10
    )
    for result in (quasi, newton, free):
        assert result.x == pytest.approx([1.0, 1.0, 1.0], abs=1e-6)
    x = np.array([0.3, -0.4, 1.2])
    assert grad(rosenbrock)(x) == pytest.approx(optimize.rosen_der(x), rel=1e-13)
    assert hessian(rosenbrock)(x) == pytest.approx(optimize.rosen_hess(x), rel=1e-13)


def test_scipy_fits_a_logistic_regression():
    """The optimum is where the gradient, written by hand in NumPy, vanishes."""
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is a development dependency")
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 3))
    target = (features @ [1.0, -2.0, 0.5] + rng.normal(size=40) > 0).astype(float)

    def loss(w):
        z = features @ w
        return autodiff.mean(autodiff.softplus(z) - target * z) + 0.01 * (w @ w)

    result = optimize.minimize(
        value_and_grad(loss), np.zeros(3), jac=True, hess=hessian(loss), method="trust-exact", tol=1e-10
    )
    p = 1 / (1 + np.exp(-features @ result.x))
    assert features.T @ (p - target) / 40 + 0.02 * result.x == pytest.approx(np.zeros(3), abs=1e-8)


def test_positions_may_be_any_integers():
    """As NumPy gives them; a bool is none."""
    f = lambda x, y: x * y
    assert grad(f, argnums=np.int64(1))(2.0, 3.0) == 2.0
    assert grad(f, argnums=(np.int64(1), 0))(2.0, 3.0) == (2.0, 3.0)
    for wrong in (True, 1.0, "0", (0, True)):
        with pytest.raises(TypeError, match="argnums must be the position of an argument"):
            grad(f, argnums=wrong)


def test_derivatives_of_values_are_values_also_where_they_are_constant():
    """A caller that passed Values can go on from what comes back."""
    one = grad(lambda x: x)(Value(2.0))
    assert isinstance(one, Value)
    assert one.data == 1.0
    table = jacobian(lambda x: [3.0 * x, 2.0])(Value(1.0))
    assert [type(x) for x in table] == [type(one)] * 2
    assert grad(grad(lambda x: x))(2.0) == 0.0


def test_what_stands_beside_the_answer_is_told_where_it_stands():
    """An entry that is no number is named, with the way to return it all the same."""
    with pytest.raises(TypeError, match=r"must return Values or numbers, got str in the answer\[1\]"):
        grad(lambda x: (x * x, "aux"))(1.0)
    with pytest.raises(
        TypeError, match=r"one number here, got tuple: .*; with has_aux=True, f returns \(number, aux\)"
    ):
        grad(lambda x: (x, (x, x)))(1.0)
    with pytest.raises(TypeError, match="one number here, got list"):
        grad(lambda x: [None])(1.0)


@pytest.mark.parametrize("given", ["a", None, {1.0}])
@pytest.mark.parametrize("call", [lambda f, v: hvp(f)(1.0, v), lambda f, v: jvp(f, (1.0,), (v,))])
def test_tangents_that_are_no_numbers_are_told_as_tangents(call, given):
    """Not as what the function returned."""
    with pytest.raises((TypeError, ValueError), match=r"tangent (must be made of numbers|of x must have its shape), "):
        call(lambda x: x * x, given)


def test_a_product_without_its_vector_says_the_order():
    """A call with the point alone names the transform and the two arguments, not a function inside it."""
    product = hvp(lambda x: x**3)
    with pytest.raises(
        TypeError, match=r"^hvp needs the point and then the vector, hvp\(f\)\(x, v\), got 1 by position$"
    ):
        product(1.0)
    assert product(2.0, 3.0) == 36.0
