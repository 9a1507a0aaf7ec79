"""`gradcheck` never passes a gradient that is wrong, never accuses one that is right, and says so where nobody can tell."""

import cmath
import contextlib
import math
import warnings

import numpy as np
import pytest

from autodiff import NoDerivativeError, Op, Value, cos, grad, sin
from autodiff.testing import WrongDerivativeError, check_kinks, gradcheck, jaccheck

integrate = pytest.importorskip("scipy.integrate", reason="SciPy is installed in continuous integration")


def momentum(rate):
    w, v = 1.0, 0.0
    for _ in range(50):
        v = 0.9 * v - rate * (4.0 * w - 1.0)
        w = w + v
    return (2.0 * w - 0.5) ** 2


def layers(x):
    for _ in range(40):
        x = np.tanh(1.05 * x + 0.01)
    return x


def lorenz(s):
    x, y, z = 1.0, 1.0, 1.0
    for _ in range(200):
        x, y, z = x + 0.01 * s * (y - x), y + 0.01 * (x * (28.0 - z) - y), z + 0.01 * (x * y - 8.0 / 3.0 * z)
    return x


def newton(a):
    x = 1.0
    for _ in range(30):
        x = 0.5 * (x + a / x)
    return x


DEEP = [(momentum, 0.1), (layers, 0.3), (lorenz, 10.0), (newton, 7.0)]


@pytest.mark.parametrize(("f", "x"), DEEP, ids=["momentum", "tanh", "Lorenz", "Newton"])
@pytest.mark.parametrize("plain", [False, True], ids=["recorded", "floats alone"])
def test_depth_makes_no_tolerance_vacuous(f, x, plain):
    """However many steps, a gradient that is off in the sixth digit, of the wrong sign or 0 does not pass (complex step knows)."""
    truth = f(complex(x, 1e-30)).imag / 1e-30
    right = grad(f)(x)
    assert right == pytest.approx(truth, rel=1e-9)
    checked = (lambda x: float(f(float(x)))) if plain else f
    gradcheck(checked, x, gradient=lambda _: right)
    for wrong in (0.0, -right, right + 1e-3, *(() if plain else (right * (1.0 + 1e-6),))):  # differences claim less
        with pytest.raises((WrongDerivativeError, ValueError)):
            gradcheck(checked, x, gradient=lambda _, wrong=wrong: wrong)
    if not plain:
        gradcheck(f, x)


def logistic(x):
    for _ in range(60):
        x = 3.9 * x * (1.0 - x)
    return x


def chaos(x):
    y, z = 1.0, 1.05
    for _ in range(1300):
        x, y, z = x + 0.02 * 10.0 * (y - x), y + 0.02 * (x * (28.0 - z) - y), z + 0.02 * (x * y - 8.0 / 3.0 * z)
    return x


def powers(x):
    """(x - 1)⁷, multiplied out."""
    return x**7 - 7.0 * x**6 + 21.0 * x**5 - 35.0 * x**4 + 35.0 * x**3 - 21.0 * x**2 + 7.0 * x - 1.0


HOPELESS = {  # what it is, where, and its derivative
    "logistic map": (logistic, 0.3, 4.888e11),
    "Lorenz": (chaos, 1.0, 1.84e15),
    "1 - cos x": (lambda x: (1.0 - np.cos(x)) / x**2, 1e-6, -1e-6 / 12.0),
    "exp x - 1": (lambda x: (np.exp(x) - 1.0) / x, 1e-9, 0.5),
    "powers": (powers, 1.01, 7e-12),
}


@pytest.mark.parametrize("name", HOPELESS)
@pytest.mark.parametrize("plain", [False, True], ids=["as it is", "floats alone"])
def test_what_drowns_in_its_own_roundings_passes_nothing_wrong(name, plain):
    """Chaos and cancellation leave no digits: 0, the wrong sign and half of it too much are refused, one by one or in words."""
    f, x, right = HOPELESS[name]
    checked = (lambda x: f(float(x))) if plain else f
    for wrong in (0.0, -right, 1.5 * right):
        with pytest.raises((WrongDerivativeError, ValueError)):
            gradcheck(checked, x, gradient=lambda _, wrong=wrong: wrong)
    with contextlib.suppress(ValueError):  # to say that it cannot be told is no accusation
        gradcheck(checked, x, gradient=lambda _: right, rtol=1e-2)


@pytest.mark.parametrize("name", ["logistic map", "1 - cos x", "exp x - 1"])
def test_nor_along_directions_nor_of_many_numbers(name):
    """The same as one of 300 numbers, and as Jacobian, by a vector from either side."""
    f, x, right = HOPELESS[name]
    many = lambda v: f(v[0]) + np.sum(v[1:] ** 2)
    both = lambda x: np.array([f(x), 2.0 * f(x)])
    for wrong in (0.0, 1.5 * right):
        with pytest.raises((WrongDerivativeError, ValueError)):
            gradcheck(many, np.append(x, np.ones(300)), gradient=lambda v, wrong=wrong: np.append(wrong, 2.0 * v[1:]))
        for given in (
            {"jacobian": lambda _, wrong=wrong: np.array([wrong, 2.0 * wrong])},
            {"vjp": lambda _, u, wrong=wrong: (u[0] + 2.0 * u[1]) * wrong},
            {"jvp": lambda _, t, wrong=wrong: np.array([wrong * t, 2.0 * wrong * t])},
        ):
            with pytest.raises((WrongDerivativeError, ValueError)):
                jaccheck(both, x, **given)


def test_the_refusal_says_why():
    """And what to do; a tolerance wide enough is one way."""
    f, x, _ = HOPELESS["logistic map"]
    with pytest.raises(
        ValueError, match=r"not decidable here, because the rounding of .* fewer than half .*move the point"
    ):
        gradcheck(f, x, gradient=lambda _: 0.0)


def test_stairs_and_saw_teeth_of_rounding_are_seen():
    """Where floats alone come, and what cancels is one step wide, the slope of a step is not that of the function."""
    for f, x, right in (
        (lambda x: (math.exp(x) - 1.0) / x, 1e-12, 0.5),
        (lambda x: round(math.sin(x), 4), 0.5, math.cos(0.5)),
    ):
        with pytest.raises(ValueError, match="climb in stairs"):
            gradcheck(lambda x, f=f: f(float(x)), x, gradient=lambda _, right=right: right)
    gradcheck(lambda x: math.floor(float(x)) + float(x) ** 2, 2.2, gradient=lambda x: 2.0 * x)  # one step beside


def test_a_path_that_a_deep_sweep_loses_is_found(monkeypatch):
    """The recorded check has no tolerance that grows with depth either."""
    from autodiff.testing import checking

    honest = checking.propagate
    monkeypatch.setattr(
        checking, "propagate", lambda root, **o: {x: (1.0 + 1e-6) * d for x, d in honest(root, **o).items()}
    )
    with pytest.raises(WrongDerivativeError, match="lost or doubled a path"):
        gradcheck(momentum, 0.1)


class Affine:
    """A layer as frameworks write it: what forward keeps, backward reads."""

    def forward(self, x):
        self.x = x
        self.out = np.tanh(x)
        return np.sum(self.out**2)

    def backward(self):
        return 2.0 * self.out * (1.0 - self.out**2)


def test_a_backward_pass_reads_what_forward_kept_for_the_point():
    """`f` is called at the point just before the gradient, and last of all: the layer is left as it was."""
    layer, x = Affine(), np.array([0.3, -0.7, 1.1])
    gradcheck(layer.forward, x, gradient=lambda _: layer.backward())
    assert layer.x.tolist() == x.tolist()
    with pytest.raises(WrongDerivativeError):
        gradcheck(layer.forward, x, gradient=lambda _: layer.backward() * 1.001)


def test_a_gradient_that_ran_before_the_check_does_not_spoil_it():
    """Numbers left by another point are overwritten."""
    layer = Affine()
    layer.forward(np.array([5.0, 5.0]))
    gradcheck(lambda x: layer.forward(x), np.array([0.5, 0.6]), gradient=lambda _: layer.backward())


class Dropout:
    def __init__(self, draw):
        self.draw = draw

    def forward(self, x):
        self.mask = (self.draw(x.shape) > 0.5) / 0.5
        return np.sum(self.mask * x**2)

    def backward(self, x):
        return 2.0 * self.mask * x


def test_a_function_of_chance_is_told_so_and_not_accused():
    """Two values at one point: a ValueError that says what to do, with a gradient that is right for its own mask."""
    layer = Dropout(np.random.default_rng(0).random)
    with pytest.raises(ValueError, match=r"gives different values at one point: .* and then .*; fix the seed"):
        gradcheck(layer.forward, np.arange(1.0, 9.0), gradient=layer.backward)
    noisy = lambda x: x * float(np.random.default_rng().normal())
    with pytest.raises(ValueError, match="gives different values at one point"):
        gradcheck(noisy, 2.0)


def test_a_function_that_remembers_is_told_so():
    """One that returns something else after it was called elsewhere has no derivative to check."""
    seen = []

    def f(x):
        seen.append(float(np.sum(x)))
        return np.sum(x**2) + 0.1 * (len(set(seen)) - 1)

    with pytest.raises(ValueError, match="gives different values at one point"):
        gradcheck(lambda x: f(x.astype(float)), np.array([1.0, 2.0]), gradient=lambda x: 2.0 * x)


@pytest.mark.parametrize("library", ["numpy", "random", "torch"])
def test_a_seed_makes_chance_repeat_and_is_put_back(library):
    """The usual generators are seeded before every call, and go on afterwards as if nothing had been."""
    module = pytest.importorskip(library)
    if library == "random":
        draw = lambda shape: np.array([module.random() for _ in range(shape[0])])
    else:
        draw = lambda shape: np.asarray(module.random.rand(*shape) if library == "numpy" else module.rand(*shape))
    layer, x = Dropout(draw), np.arange(1.0, 9.0)
    draw(x.shape)
    state = {"numpy": lambda: np.random.get_state()[1].tolist(),  # noqa: NPY002
             "random": lambda: module.getstate(),
             "torch": lambda: module.get_rng_state().tolist()}[library]  # fmt: skip
    before = state()
    gradcheck(layer.forward, x, gradient=layer.backward, seed=3)
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(layer.forward, x, gradient=lambda x: layer.mask * x, seed=3)
    assert state() == before
    assert "seed=3" in caught.value.reproduction


@pytest.mark.parametrize("n", [2, 5, 16])
def test_rounding_residue_is_not_single_precision(n):
    """Σ(x - mean x) is 0 but for roundings: 0 is its gradient, 10⁻³ is not."""
    f = lambda x: np.sum(x - np.mean(x))
    x = np.linspace(0.1, 1.0, n)
    gradcheck(f, x, gradient=lambda x: 0.0 * x)
    for wrong in (1e-3, -1e-6, 1e-9):
        for g in (f, lambda x: float(f(x.astype(float)))):
            with pytest.raises((WrongDerivativeError, ValueError)):
                gradcheck(g, x, gradient=lambda x, wrong=wrong: wrong + 0.0 * x)


@pytest.mark.parametrize(
    ("f", "x", "gradient", "said"),
    [
        (lambda x: np.sum(x), np.array([1.0 + 2.0j]), lambda x: 1.0 + 0.0 * x, "x is complex: make the real and the imaginary part"),
        (lambda z: abs(z) ** 2, 1.0 + 2.0j, lambda z: 2.0 * z, "z is complex"),
        (lambda x: np.sum(x**2), np.array([1.0, 2.0]), lambda x: 2.0 * x + 0.1j, "gave complex numbers by x: .* its real part"),
        (lambda x, y: x * y, (1.0, 2.0), lambda x, y: (y, x + 0.5j), "gave complex numbers by y"),
        (lambda x: np.sum(x) * (1.0 + 1.0j), np.array([1.0]), lambda x: x, "ONE number, got a complex number: return its real"),
        (lambda x: cmath.exp(1j * x), 0.5, lambda x: 0.0, "ONE number, got a complex number"),
    ],
)  # fmt: skip
def test_complex_numbers_are_refused_in_words(f, x, gradient, said):
    """As input, as value, as gradient: none loses its imaginary part on the way."""
    with pytest.raises(TypeError, match=said):
        gradcheck(f, *(x if isinstance(x, tuple) else (x,)), gradient=gradient)


@pytest.mark.parametrize(
    ("x", "gradient", "said"),
    [
        (np.ones((2, 3)), lambda w: 2.0 * w.T, r"\(3, 2\) where w has \(2, 3\); the one is the other transposed"),
        (np.ones((2, 3)), lambda w: 2.0 * w.ravel(), r"\(6,\) where w has \(2, 3\)"),
        (np.ones(3), lambda w: 2.0 * w[None], r"\(1, 3\) where w has \(3,\); axes of length 1"),
        (np.ones((1, 3)), lambda w: 2.0 * w[0], r"\(3,\) where w has \(1, 3\)"),
        (np.ones((2, 3)), lambda w: (2.0 * w).tolist()[0], r"\(3,\) where w has \(2, 3\)"),
        (np.ones((2, 2, 3)), lambda w: 2.0 * w.transpose(1, 2, 0), r"\(2, 3, 2\) where w has \(2, 2, 3\)"),
        (np.ones(4), lambda w: 2.0, r"\(\) where w has \(4,\)"),
    ],
)  # fmt: skip
def test_a_gradient_of_another_shape_is_told_so(x, gradient, said):
    """Though flattened it fits; it is a TypeError, and a wrong derivative with a program that shows it again."""
    with pytest.raises(WrongDerivativeError, match=said) as caught:
        gradcheck(lambda w: np.sum(w**2), x, gradient=gradient)
    assert isinstance(caught.value, TypeError)
    with pytest.raises(TypeError, match=said):
        exec(caught.value.reproduction, {"np": np})


def test_shapes_that_mean_the_same_are_taken():
    """Nested lists, one number in a box, a tuple of one."""
    f = lambda w: np.sum(w**2)
    gradcheck(f, np.ones((2, 2)), gradient=lambda w: (2.0 * w).tolist())
    gradcheck(f, np.ones((2, 2)), gradient=lambda w: (2.0 * w,))
    gradcheck(lambda x: x * x, 3.0, gradient=lambda x: np.array([2.0 * x]))
    gradcheck(f, np.array([3.0]), gradient=lambda w: 6.0)


def test_points_are_dicts_and_nests():
    """A gradient has the nest of its point, and a missing key is named."""
    f = lambda net, x: np.sum(np.tanh(net["W"] @ x + net["b"][0]))

    def gradient(net, x):
        slope = 1.0 - np.tanh(net["W"] @ x + net["b"][0]) ** 2
        return {"W": np.outer(slope, x), "b": [slope]}, net["W"].T @ slope

    net = {"W": np.array([[0.5, -1.0], [0.25, 2.0]]), "b": [np.array([0.1, -0.2])]}
    gradcheck(f, net, np.array([0.3, 0.6]), gradient=gradient)
    gradcheck(f, net, np.array([0.3, 0.6]))
    with pytest.raises(WrongDerivativeError, match=r"net\['b'\]\[0\]"):
        gradcheck(
            f,
            net,
            np.array([0.3, 0.6]),
            gradient=lambda n, x: (gradient(n, x)[0] | {"b": [n["b"][0]]}, gradient(n, x)[1]),
        )
    with pytest.raises(TypeError, match=r"by net in the nest of the point, which holds \['W'\], \['b'\]: got \['W'\]"):
        gradcheck(f, net, np.array([0.3, 0.6]), gradient=lambda n, x: ({"W": n["W"]}, x))


def adjoint(tolerance):
    def f(k):
        return integrate.solve_ivp(lambda t, y: -k * y, (0, 1), [1.0], rtol=tolerance, atol=1e-9).y[0, -1]

    return f


def test_code_that_is_approximate_says_by_how_much():
    """A solver's own derivative is not the closed form to eight digits; to three it is, and 1 in 100 is still found."""
    right = lambda k: -math.exp(-k)
    with pytest.raises(WrongDerivativeError):
        gradcheck(adjoint(1e-4), 1.3, gradient=right)
    gradcheck(adjoint(1e-4), 1.3, gradient=right, rtol=1e-3)
    with pytest.raises(WrongDerivativeError, match=r"0\.98") as caught:
        gradcheck(adjoint(1e-4), 1.3, gradient=lambda k: 0.98 * right(k), rtol=1e-3)
    assert "rtol=0.001" in caught.value.reproduction
    gradcheck(lambda x: 1e-6 * np.sum(x), np.ones(3), gradient=lambda x: 0.0 * x, atol=1e-5)


@pytest.mark.parametrize(("kind", "rtol"), [(np.float32, None), (np.float16, 0.1)])
def test_low_precision_is_checked_to_half_of_its_own_digits(kind, rtol):
    """Inside a function that hands on doubles, and as the type of its value; of half precision few digits are left."""
    inside = lambda x: float(np.sum(np.sin(x.astype(kind)) * np.arange(1, 4).astype(kind)))
    for f in (inside, lambda x: kind(inside(x))):
        for x in np.random.default_rng(0).uniform(-1.0, 1.0, (5, 3)):
            right = np.cos(x) * np.arange(1, 4)
            gradcheck(f, x, gradient=lambda _, right=right: right, rtol=rtol)
            with pytest.raises(WrongDerivativeError):
                gradcheck(f, x, gradient=lambda _, right=right: 1.4 * right, rtol=rtol)


def test_the_tolerance_is_for_rules_of_one_s_own_too():
    """A partial that is right to six digits passes where that is asked for."""
    rough = Op("rough", "r", math.sin, np.sin, (lambda a, r: cos(a) * (1.0 + 1e-6),))
    with pytest.raises(WrongDerivativeError, match="rough: its partial by operand 1 is wrong"):
        gradcheck(lambda x: rough(x) * x, 0.5)
    gradcheck(lambda x: rough(x) * x, 0.5, rtol=1e-5)
    with pytest.raises(ValueError, match="rtol must be a number from 0 up, got -1"):
        gradcheck(sin, 0.5, rtol=-1)
    with pytest.raises(ValueError, match="atol must be a number from 0 up, got nan"):
        gradcheck(sin, 0.5, atol=math.nan)


def test_what_shuts_out_the_complex_step_is_named():
    """Values too rough for differences, and `float(...)` around them: moving the point would not help."""
    rough = lambda x: float(math.sin(x) + 1e-3 * math.sin(1e9 * x))
    with pytest.raises(ValueError, match=r"kept out by something such as float\(\.\.\.\), math or float32"):
        gradcheck(rough, 0.5, gradient=lambda x: math.cos(x))


def test_where_half_precision_hides_a_slope_the_message_names_rtol():
    """A sum of exponentials in float16 is known to a tenth, not to a hundredth: the refusal says what to say so by."""
    f = lambda x: np.exp(np.sum(np.asarray(x, dtype=np.float16), dtype=np.float16))
    gradient = lambda x: np.exp(np.sum(x)) * np.ones(8)
    x = np.linspace(0.5, 1.5, 8)
    with pytest.raises(ValueError, match="or say by rtol= how far off it may be"):
        gradcheck(f, x, gradient=gradient)
    gradcheck(f, x, gradient=gradient, rtol=0.1)


@pytest.mark.parametrize("engine", [float, np.float32, lambda x: np.array(x)])
def test_another_engine_s_value_at_a_kink_is_checked(engine):
    """relu(0) is 0: a value of 1 there is wrong, whatever the slope is, and a value elsewhere is not asked for."""

    def gradient(f, at):
        f(engine(at[0] + 0.5)), f(engine(at[0]))
        return [0.0]

    check_kinks("relu", lambda x: np.maximum(x, 0.0), gradient)
    with pytest.raises(AssertionError, match=r"^relu\(0.0\) is 1.0, and 0.0 was decided$"):
        check_kinks("relu", lambda x: np.maximum(x, 0.0) + 1.0, gradient)


def test_a_gradient_at_the_optimum_is_right():
    """Where residuals cancel, a right gradient has few digits, and the oracle's claim knows that."""
    A = np.random.default_rng(1).normal(size=(6, 3))
    best = np.array([1.0, 2.0, 3.0])
    f = lambda x: np.sum((A @ x - A @ best) ** 2)
    gradient = lambda x: 2.0 * A.T @ (A @ x - A @ best)
    for off in (1e-9, 1e-7, 1e-5):
        x = best + off * np.array([0.3, 0.5, -0.7])
        gradcheck(f, x, gradient=gradient)
        with pytest.raises(WrongDerivativeError):
            gradcheck(f, x, gradient=lambda x: 0.99 * gradient(x))


def test_a_saturated_entry_among_others_is_right():
    """softmax − y at a sample that is learnt: 1 − p has a rounding of 1, which its neighbours dwarf."""
    y = np.array([1.0, 0.0, 0.0, 0.0])

    def loss(z):
        return np.log(np.sum(np.exp(z))) - z @ y

    z = np.array([25.0, 1.0, 1.5, 24.0])
    gradcheck(loss, z, gradient=lambda z: np.exp(z) / np.sum(np.exp(z)) - y)


def test_a_value_of_the_function_may_be_a_constant():
    """Of Values or of floats."""
    gradcheck(lambda x: Value(3.0), 1.0, gradient=lambda x: 0.0)
    with pytest.raises(WrongDerivativeError):
        gradcheck(lambda x: 3.0, 1.0, gradient=lambda x: 1e-6)


def test_what_roundings_leave_of_a_vanishing_derivative_is_0():
    """As other engines sweep it: the parts of x − mean(x), or of n − n, cancel but for a rounding; more is no residue."""
    x = np.array([0.3, -1.7, 2.9])
    parts = np.full(3, 1.0 / 3.0)
    residue = 1.0 - (parts[0] + parts[1] + parts[2]) + 2.0**-52
    gradcheck(lambda x: np.sum(x - np.mean(x)), x, gradient=lambda x: np.full(3, residue))
    gradcheck(lambda x: np.tanh(x) ** 2 - np.tanh(x) ** 2, 0.7, gradient=lambda x: 1e-16)
    for wrong in (1e-3, 1e-9, 1e-13):
        with pytest.raises((WrongDerivativeError, ValueError)):
            gradcheck(lambda x: np.sum(x - np.mean(x)), x, gradient=lambda x, wrong=wrong: np.full(3, wrong))


def test_second_derivatives_by_a_vector_need_no_matrix_too():
    """`hvp=` with order=2 is a check of second derivatives; order=2 with neither says both ways."""
    cube = {"gradient": lambda x: 3.0 * x**2, "order": 2}
    report = gradcheck(lambda x: x**3, 2.0, hvp=lambda x, v: 6.0 * x * (1.0 + 1e-10) * v, **cube)
    assert 1e-11 < report.error < 1e-9  # of the products too
    with pytest.raises(WrongDerivativeError):
        gradcheck(lambda x: x**3, 2.0, hvp=lambda x, v: 3.0 * x * v, **cube)
    with pytest.raises(TypeError, match=r"hessian=h, order=2.*, or hvp=h"):
        gradcheck(lambda x: x**3, 2.0, **cube)
    with pytest.raises(TypeError, match="hessian=h, order=2"):
        gradcheck(lambda x: x**3, 2.0, gradient=cube["gradient"], hessian=lambda x: [[6.0 * x]])


@pytest.mark.parametrize("directions", ["a", -1, 1.5, True, math.nan])
def test_directions_are_a_whole_number(directions):
    """Anything else is refused in words."""
    with pytest.raises(ValueError, match="directions must be a whole number from 0 up, with gradient=, got"):
        gradcheck(lambda x: x**3, 2.0, gradient=lambda x: 3.0 * x**2, directions=directions)


def test_a_number_that_is_not_0_is_not_called_0():
    """However little the oracle claims: -7 where 10⁵ is right, by a solver, is wrong, not lost on the way."""
    rough = lambda x: float(1e5 * math.sin(float(x)) + 10.0 * math.sin(1e7 * float(x)))
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(rough, 0.1, gradient=lambda x: -7.0, rtol=0.01)
    assert "0 everywhere" not in str(caught.value)


def test_a_sum_in_a_slope_stands_in_brackets():
    """1 - (1.3 · x)² is another thing than 1 - 1.3 · x²."""
    f = lambda x: np.sum(np.tanh(1.3 * x))
    with pytest.raises(WrongDerivativeError, match=r"1 − \(1\.3 · x\)²"):
        gradcheck(f, np.array([0.3, 0.5, -0.2]), gradient=lambda x: 1.3 * (1.0 - (1.3 * x) ** 2))


def test_a_generator_of_one_s_own_is_not_advised_a_seed_again():
    """seed= was given and did not help: the advice is another one."""
    draw = np.random.default_rng(0)
    noisy = lambda x: x * draw.normal()
    with pytest.raises(ValueError, match="seed=0 seeds random"):
        gradcheck(noisy, 2.0, gradient=lambda x: 1.0)
    with pytest.raises(ValueError, match="seed= does not reach a Generator of its own") as caught:
        gradcheck(noisy, 2.0, gradient=lambda x: 1.0, seed=0)
    assert "seed=0" not in str(caught.value)


def test_half_a_penalty_is_told_before_a_term_along_w():
    """λ/2 · |w|² with the ½ taken twice: that is said first, and two constants are plural."""
    X = np.random.default_rng(0).normal(size=(20, 3))
    y = 1.0 * (X[:, 0] > 0.1)
    f = lambda w: np.mean(np.log(1.0 + np.exp(X @ w)) - y * (X @ w)) + 0.05 * np.sum(w**2)
    gradient = lambda w: X.T @ (1.0 / (1.0 + np.exp(-X @ w)) - y) / 20.0 + 0.05 * w
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(f, np.array([0.3, -0.5, 0.8]), gradient=gradient)
    first = caught.value.diagnosis.hints[0]
    assert (first.kind, first.details["k"]) == ("path factor", 0.5)
    with pytest.raises(WrongDerivativeError, match="are each treated as a constant"):
        gradcheck(lambda x: (1.0 - np.cos(x)) / x**2, 0.7, gradient=lambda x: 0.0)


@pytest.mark.parametrize("k", [0.0, -1.0, 2.0])
def test_a_slope_that_the_value_s_rounding_hides_is_refused(k):
    """1e8 + 1e-6 sin(x) in floats alone: differences claim 18 times the slope, which is no knowledge."""
    f = lambda x: 1e8 + 1e-6 * math.sin(float(x))
    with pytest.raises(ValueError, match="too rough for differences"):
        gradcheck(f, 0.3, gradient=lambda x: k * 1e-6 * math.cos(x))
    gradcheck(lambda x: 1e8 + 0.0 * float(x), 0.3, gradient=lambda x: 0.0)  # a constant has nothing to hide


@pytest.mark.parametrize("shape", [(1,), (1, 1)])
def test_one_number_in_an_array_is_one_number(shape):
    """A function that returns an array of one element is checked by complex numbers as any other."""
    f = lambda x: (x**2).reshape(shape)
    assert gradcheck(f, np.array([3.0]), gradient=lambda x: 2.0 * x).oracle == "complex step"
    with pytest.raises(WrongDerivativeError):
        gradcheck(f, np.array([3.0]), gradient=lambda x: x)


@pytest.mark.parametrize("x", [0.01, 0.2041174991826003, 0.42, 0.7, 2.3751899538746217, 3.3932452209476875])
def test_what_terms_leave_that_cancel_is_no_mistake(x):
    """n / n by the reverse mode: 1/n - n/n² times a large slope is a rounding of that slope, and the derivative is 0."""

    def gradient(x):
        p = x**3
        n = p**2
        return (1.0 / n - n / n**2) * 2.0 * p * 3.0 * x**2

    f = lambda x: (x**3) ** 2 / (x**3) ** 2
    gradcheck(f, x, gradient=gradient)
    gradcheck(lambda x: x / x, x, gradient=lambda x: 1.0 / x - x / x**2)
    with pytest.raises(WrongDerivativeError):
        gradcheck(f, x, gradient=lambda x: 1e-10 / x)


def test_a_missing_exponent_is_not_taken_for_a_mean():
    """x³ of 6 numbers without its 3 is 2/6 of the right one, and of no mean; a mean for a sum is still told so."""
    x = np.linspace(0.5, 2.0, 6)
    with pytest.raises(WrongDerivativeError, match="the 3 of a cube is missing") as caught:
        gradcheck(lambda x: np.sum(x**3), x, gradient=lambda x: x**2)
    assert "a mean" not in str(caught.value)
    with pytest.raises(WrongDerivativeError, match="6 is how many numbers x holds; a mean in place of a sum"):
        gradcheck(lambda x: np.sum(np.exp(x)), x, gradient=lambda x: np.exp(x) / 6.0)


@pytest.mark.parametrize("options", [{"rtol": "1e-3"}, {"atol": "0"}, {"rtol": True}])
def test_a_tolerance_is_a_number(options):
    """Text is refused in words."""
    with pytest.raises(ValueError, match="must be a number from 0 up, got"):
        gradcheck(lambda x: x, 2.0, gradient=lambda x: 1.0, **options)


class Layer:
    """A layer that adds to its gradients, as many do, and forgets to zero them."""

    def __init__(self, left=0.0):
        self.dw = np.full(3, left)

    def gradient(self, w):
        self.dw += 2.0 * w
        return self.dw


@pytest.mark.parametrize("left", [0.0, 5.0])
@pytest.mark.parametrize("times", [1, 2000])
def test_a_gradient_that_adds_up_over_calls_is_told_so(left, times):
    """Right at the first call or not, at any size: it gives more at every call."""
    layer = Layer()
    layer.dw = np.full(3 * times, left)
    with pytest.raises(
        WrongDerivativeError, match=r"at one call and .* at the next: what is added up \(\+=\)"
    ) as raised:
        gradcheck(lambda w: np.sum(w**2), np.tile([0.5, -1.0, 2.0], times), gradient=layer.gradient)
    assert [hint.kind for hint in raised.value.diagnosis.hints] == ["accumulated"]


def test_a_tensor_s_gradient_that_is_not_zeroed_is_told_so():
    """PyTorch adds up what backward finds."""
    torch = pytest.importorskip("torch", reason="PyTorch is installed in continuous integration")
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)

    def gradient(_):
        (x**2).sum().backward()
        return x.grad

    with pytest.raises(WrongDerivativeError, match=r"4 at one call and 8 at the next"):
        gradcheck(lambda x: np.sum(x**2), np.array([1.0, 2.0]), gradient=gradient)


def test_second_derivatives_and_products_that_add_up_are_told_so():
    """hessian=, hvp=, vjp= and jvp= too."""
    x, kept = np.array([0.5, -1.0]), {"hessian": np.zeros((2, 2)), "product": np.zeros(2)}

    def hessian(_):
        kept["hessian"] += 2.0 * np.eye(2)
        return kept["hessian"]

    def product(_, v):
        kept["product"] += 2.0 * v
        return kept["product"]

    def slope(x):
        return 2.0 * x

    for check in (
        lambda: gradcheck(lambda x: np.sum(x**2), x, gradient=slope, hessian=hessian, order=2),
        lambda: gradcheck(lambda x: np.sum(x**2), x, gradient=slope, hvp=product),
        lambda: jaccheck(slope, x, jvp=product),
        lambda: jaccheck(slope, x, vjp=product),
    ):
        with pytest.raises(WrongDerivativeError, match="what is added up"):
            check()


def test_a_gradient_of_chance_is_told_so():
    """A mask drawn anew at every call is no derivative, whichever numbers it gives."""
    rng = np.random.default_rng(3)
    with pytest.raises(ValueError, match=r"mask gives different values at one point: .* it is no derivative"):

        def mask(x):
            return 2.0 * x * (rng.random(x.shape) < 0.5)

        gradcheck(lambda x: np.sum(x**2), np.arange(1.0, 20.0), gradient=mask)


@pytest.mark.parametrize("whose", ["f", "gradient"])
def test_an_argument_that_is_overwritten_is_told(whose):
    """Whoever calls such a function finds other numbers in their array afterwards."""

    def f(x):
        if whose == "f":
            x -= x.max()
        return np.log(np.exp(x).sum()) - 2.0 * x.max()

    def gradient(x):
        if whose == "gradient":
            x -= x.max()
        return np.exp(x) / np.exp(x).sum() - 2.0 * (x == x.max())

    with pytest.raises(ValueError, match=rf"{whose} changes x, which it was called with: x\[0\] was 0.5 and is -1.5"):
        gradcheck(f, np.array([0.5, 2.0, 1.0]), gradient=gradient)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: (1.0 - math.cos(x)) / x**2, 1e-8),
        (lambda x: (math.exp(x) - 1.0) / x, -1e-17),
        (lambda x: (x - math.sin(x)) / x**3, 1e-9),
        (lambda x: (math.sqrt(1.0 + x * x) - 1.0) / x**2, 1e-9),
    ],
)
def test_a_value_that_rounding_holds_still_decides_nothing(f, x):
    """All digits of a difference are lost there: neither 0 nor the right slope is passed, and neither is called wrong."""
    for gradient in (lambda _: 0.0, lambda x: -x / 12.0, lambda _: 0.5):
        with pytest.raises(ValueError, match="by rounding"):
            gradcheck(f, x, gradient=gradient)


@pytest.mark.parametrize(
    "f", [lambda x: float(math.floor(x)), lambda x: max(x, 5.0) ** 2, lambda x: math.copysign(2.0, x)], ids="123"
)
def test_a_value_that_is_constant_by_itself_has_the_slope_0(f):
    """Stairs, a flat side and a sign are constant for a reason."""
    gradcheck(lambda x: f(float(x)), 2.2, gradient=lambda x: 0.0)


HONEST = {
    "complex step": (lambda x: np.sum(np.exp(np.sin(x))), lambda x: np.cos(x) * np.exp(np.sin(x)), 1e-12),
    "floats alone": (
        lambda x: sum(math.exp(math.sin(float(y))) for y in x), lambda x: np.cos(x) * np.exp(np.sin(x)), 1e-6
    ),
    "float32": (
        lambda x: np.sum(np.sin(x.astype(np.float32))).astype(np.float32), np.cos, 1e-2
    ),
}  # fmt: skip


@pytest.mark.parametrize(("style", "size"), [*((style, 3) for style in HONEST), ("complex step", 400)])
def test_the_bound_of_a_report_is_honest(style, size):
    """It covers what the exact gradient is off by, is as small as the oracle is good, and the error is what was planted.

    Along directions the planted error is one of the sum, of the same relative size.
    """
    f, gradient, most = HONEST[style]
    x = np.linspace(0.2, 1.2, size)
    exact = gradcheck(f, x, gradient=gradient)
    assert exact.error <= exact.bound + 1e-14 <= most
    off = gradcheck(f, x, gradient=lambda x: gradient(x) * (1.0 + 2e-9), rtol=1e-3)
    assert off.error <= exact.bound + 4e-9 * max(1.0, np.abs(gradient(x)).max())
    if style == "complex step":
        assert off.error >= 1e-10


def test_a_report_s_bound_is_that_of_its_weakest_number():
    """One argument in floats alone weakens what the others' oracle claims."""
    strong = gradcheck(lambda x: np.sin(x), 0.7, gradient=np.cos)
    both = gradcheck(lambda x, y: np.sin(x) + math.exp(y.real), 0.7, 0.3, gradient=lambda x, y: (np.cos(x), np.exp(y)))
    assert strong.oracle == "complex step"
    assert both.oracle == "central differences"
    assert strong.bound < both.bound < 1e-6


@pytest.mark.parametrize("size", [3, 2000])
def test_an_oracle_that_another_one_contradicts_is_not_believed(size):
    """Code that is another function on complex numbers: differences on both sides have the last word, at any size."""

    def f(x):
        return np.sum(x**2) + (1e-5 * np.sum(x) if np.iscomplexobj(x) else 0.0)

    x = np.linspace(0.5, 1.5, size)
    assert gradcheck(f, x, gradient=lambda x: 2.0 * x).error < 1e-9
    with pytest.raises(WrongDerivativeError):
        gradcheck(f, x, gradient=lambda x: 2.0 * x + 1e-5)


def softmax_score(s):
    e = np.exp(s - s.max())
    p = e / e.sum()
    return p @ np.arange(4.0)


def softmax_diagonal(s):
    p = np.exp(s - s.max()) / np.exp(s - s.max()).sum()
    return np.arange(4.0) * p * (1.0 - p)


class Normalised:
    """A layer whose methods call their object `layer`, and keep its variance."""

    def forward(layer, x):
        layer.var = x.var()
        return np.sum(np.sin(x) / np.sqrt(layer.var + 1e-5))

    def backward(layer, x):
        return np.cos(x) / np.sqrt(layer.var + 1e-5)


NORMALISED = Normalised()


@pytest.mark.parametrize(
    ("f", "gradient", "said"),
    [
        (softmax_score, softmax_diagonal, "the cross terms are missing"),
        (NORMALISED.forward, NORMALISED.backward, "self.var is treated as a constant"),
        (lambda x: np.sum((x * x - 2.0) ** 2) / 2.0, lambda x: 2.0 * x, r"the slope of .* \^ 2 is left out"),
        (lambda x: np.sum(np.log1p(np.exp(x * x))), lambda x: 2.0 * x, r"the slope of a = softplus\(.*\) is left out"),
    ],
    ids=["softmax of a vector", "variance of an object", "square", "log1p of exp"],
)
def test_more_mistakes_are_named(f, gradient, said):
    """As they were met in gradients that nobody had tried this on."""
    with pytest.raises(WrongDerivativeError, match=said):
        gradcheck(f, np.array([0.5, -1.3, 2.1, 0.9]), gradient=gradient)


WEIGHTS = np.array([0.7, 1.9, 0.4, 2.6])
TARGETS = np.array([0.3, 0.8, -1.1, 0.2])
SCALES = np.array([1.2, 0.5])


def soft(x):
    return np.exp(x) / np.exp(x).sum()


def huber_loss(x):
    return np.sum(np.where(np.abs(x) < 1.0, 0.5 * x * x, np.abs(x) - 0.5))


def weighted_squares(x):
    r = np.sin(x) - TARGETS
    return np.sum(WEIGHTS * r * r) / 2.0


def scaled_norm(x):
    rows = x.reshape(2, 2)
    size = np.sqrt((rows * rows).mean(axis=1, keepdims=True))
    return np.sum(np.exp(SCALES * rows / size))


def scaled_norm_without_its_scale(x):
    rows = x.reshape(2, 2)
    size = np.sqrt((rows * rows).mean(axis=1, keepdims=True))
    d = np.exp(SCALES * rows / size)
    return (d / size - rows * (d * rows).mean(axis=1, keepdims=True) / size**3).ravel()


def cross_entropy(x):
    p = soft(np.sin(x))
    return -np.sum(np.array([0.0, 1.0, 0.0, 0.0]) * np.log(p))


def cross_entropy_with_a_slope(x):
    p = soft(np.sin(x))
    return (p - np.array([0.0, 1.0, 0.0, 0.0])) * p * (1.0 - p) * np.cos(x)


def pooled(x):
    return np.sum(np.tanh(x.reshape(2, 2).max(axis=1)))


def unpooled(x):
    return np.repeat(1.0 - np.tanh(x.reshape(2, 2).max(axis=1)) ** 2, 2)


def recurrent(x):
    h = np.zeros(2)
    for step in TARGETS:
        h = np.tanh(x.reshape(2, 2) @ h + step)
    return np.sum(h * h) / 2.0


def back_through_time(x, slope=0, factor=0, last=4):
    """The derivative of `recurrent`, with a slope or a factor of another step, or of the last steps alone."""
    W, hs = x.reshape(2, 2), [np.zeros(2)]
    for step in TARGETS:
        hs.append(np.tanh(W @ hs[-1] + step))
    dW, d = np.zeros((2, 2)), hs[-1]
    for t in range(3, 3 - last, -1):
        dz = d * (1.0 - hs[t + 1 + slope] ** 2)
        dW += np.outer(dz, hs[t + factor])
        d = W.T @ dz
    return dW.ravel()


def gated(x):
    h = np.zeros(2)
    for step in TARGETS:
        z = 1.0 / (1.0 + np.exp(-x[:2] * step))
        h = (1.0 - z) * h + z * np.sin(x[2:] * step)
    return np.sum(h * h)


def ungated(x, wrong=""):
    """The derivative of `gated`, with the gate for what is carried, the h of another step, or a sign in every step."""
    hs, zs = [np.zeros(2)], []
    for step in TARGETS:
        zs.append(1.0 / (1.0 + np.exp(-x[:2] * step)))
        hs.append((1.0 - zs[-1]) * hs[-1] + zs[-1] * np.sin(x[2:] * step))
    d, by_gate, by_other = 2.0 * hs[-1], np.zeros(2), np.zeros(2)
    for t in range(3, -1, -1):
        before, z, step = hs[t + (wrong == "h")], zs[t], TARGETS[t]
        by_gate += d * (np.sin(x[2:] * step) - before) * z * (1.0 - z) * step
        by_other += d * z * np.cos(x[2:] * step) * step
        d = {"gate": d * z, "sign": -d * (1.0 - z), "carry": 0.0 * d}.get(wrong, d * (1.0 - z))
    return np.concatenate([by_gate, by_other])


def masked(x):
    r = (np.sin(x) - TARGETS) * MASK
    return np.sum(r * r) / np.sum(MASK)


def labelled(x):
    return -sum(np.log(soft(x * step))[label] for step, label in zip(TARGETS, LABELS, strict=True))


def unlabelled(x, labels):
    slopes = [(soft(x * step) - np.eye(4)[label]) * step for step, label in zip(TARGETS, labels, strict=True)]
    return np.sum(slopes, axis=0)


def entropic(x):
    p = soft(x)
    return np.sum(WEIGHTS * p) + 0.1 * np.sum(p * np.log(p))


def by_entropy(x, diagonal):
    p = soft(x)
    d = np.log(p) + 1.0
    return p * (WEIGHTS - WEIGHTS @ p) + 0.1 * (p * d if diagonal else p * (d - d @ p))


MASK = np.array([1.0, 0.0, 1.0, 1.0])
LABELS = [0, 2, 1, 3]


@pytest.mark.parametrize(
    ("f", "gradient", "said"),
    [
        (huber_loss, lambda x: x, "is that of the first branch everywhere"),
        (lambda x: np.sum(np.clip(x, -1.0, 1.0) * WEIGHTS), lambda x: WEIGHTS, "what is not clipped|is left out"),
        (weighted_squares, lambda x: (np.sin(x) - TARGETS) * np.cos(x), "the factor WEIGHTS is missing"),
        (weighted_squares, lambda x: WEIGHTS * np.sin(x) * np.cos(x), "is used in place of r"),
        (scaled_norm, scaled_norm_without_its_scale, "the factor SCALES is missing"),
        (cross_entropy, cross_entropy_with_a_slope, r"is multiplied by p·\(1 − p\): a factor too many"),
        (pooled, unpooled, "to all that it is the largest of, 1 times to each"),
        (pooled, lambda x: unpooled(x) / 2.0, "to all that it is the largest of, 0.5 times to each"),
        (recurrent, lambda x: back_through_time(x, slope=-1), "the slope of .* is taken at the step before"),
        (recurrent, lambda x: back_through_time(x, factor=1), "from the step before it or after it: off by one"),
        (recurrent, lambda x: back_through_time(x, last=2), "the last 2 of its uses are counted|the first 2 of its"),
        (gated, lambda x: ungated(x, "gate"), "z is used in place of 1 − z"),
        (gated, lambda x: ungated(x, "h"), "h of another step is used in place of h"),
        (gated, lambda x: ungated(x, "sign"), "has the wrong sign"),
        (gated, lambda x: ungated(x, "carry"), "back to h is missing|h is treated as a constant"),
        (
            masked,
            lambda x: 2.0 * (np.sin(x) - TARGETS) * np.cos(x) / 3.0,
            r"it would be right with sin\(x\) − 0.\d in place of r",
        ),
        (labelled, lambda x: unlabelled(x, [2, 1, 3, 3]), "LABELS shifted by 1 along axis 0"),
        (entropic, lambda x: by_entropy(x, diagonal=True), "in the term .* alone,"),
    ],
    ids=[
        "branch",
        "clip",
        "weights",
        "targets",
        "scale",
        "slope",
        "all",
        "mean",
        "slope step",
        "step",
        "cut",
        "gate",
        "h",
        "sign",
        "carry",
        "mask",
        "labels",
        "term",
    ],
)
def test_what_is_forgotten_of_a_layer_is_named(f, gradient, said):
    """A factor, a target, a branch or a step of a loop: each as a formula worked out by hand would have it."""
    with pytest.raises(WrongDerivativeError, match=said):
        gradcheck(f, np.array([0.5, -1.3, 2.1, 0.9]), gradient=gradient)


def test_the_right_ones_of_these_pass():
    """So what is named is what was spoilt."""
    at = np.array([0.5, -1.3, 2.1, 0.9])
    gradcheck(recurrent, at, gradient=back_through_time)
    gradcheck(gated, at, gradient=ungated)
    gradcheck(masked, at, gradient=lambda x: 2.0 * (np.sin(x) - TARGETS) * np.cos(x) * MASK / 3.0)
    gradcheck(labelled, at, gradient=lambda x: unlabelled(x, LABELS))
    gradcheck(entropic, at, gradient=lambda x: by_entropy(x, diagonal=False))
    gradcheck(huber_loss, at, gradient=lambda x: np.clip(x, -1.0, 1.0))
    gradcheck(weighted_squares, at, gradient=lambda x: WEIGHTS * (np.sin(x) - TARGETS) * np.cos(x))


@pytest.mark.parametrize(("large", "x"), [(1e16, 0.5), (1e16, 3.7), (1e17, 0.4)])
@pytest.mark.parametrize("more", [0.0, 1.0])
def test_stairs_wider_than_any_step_are_refused(large, x, more):
    """Adding and subtracting 1e16 leaves stairs of width 2, level where one stands: nothing passes, nor is it wrong."""

    def f(x):
        x = float(x)
        return (x + large) - large + more * math.sin(x)

    for slope in (0.0, 1.0, 1.0 + more * math.cos(x), more * math.cos(x)):
        with pytest.raises(NoDerivativeError, match="not decidable here"):
            gradcheck(f, x, gradient=lambda _, slope=slope: slope)


def test_what_is_found_by_comparing_is_no_contradiction():
    """Bisection computes with constants alone, and yet its root moves; floor is level by what it is."""

    def root(a):
        a, low, high = float(a), 0.0, 4.0
        for _ in range(60):
            middle = (low + high) / 2.0
            low, high = (middle, high) if middle**3 < a else (low, middle)
        return low

    gradcheck(root, 2.2, gradient=lambda a: a ** (-2.0 / 3.0) / 3.0)
    gradcheck(lambda x: math.floor(float(x)) + float(x), 2.2, gradient=lambda _: 1.0)


def test_a_penalty_on_a_bias_alone_is_named():
    """One number cannot show a pattern, but 0.3 · b is the penalty that the function puts on w."""

    def loss(w, b):
        return np.sum((WEIGHTS * w + b - TARGETS) ** 2) + 0.15 * w * w

    def gradient(w, b):
        r = WEIGHTS * w + b - TARGETS
        return 2.0 * WEIGHTS @ r + 0.3 * w, 2.0 * np.sum(r) + 0.3 * b

    with pytest.raises(WrongDerivativeError, match=r"b: off by 0.3 · b: a term along b is one too many"):
        gradcheck(loss, 0.4, -0.7, gradient=gradient)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_matrix_forgotten_or_not_transposed_on_the_way_back_is_named(transposed):
    """Of a graph's neighbours, say, which every layer is multiplied by."""
    A = np.array([[0.5, 0.5, 0.0], [0.1, 0.6, 0.3], [0.0, 0.7, 0.3]])

    def layers(W):
        H = np.tanh(X @ W)
        return np.sum((A @ H) ** 2)

    def gradient(W):
        H = np.tanh(X @ W)
        D = 2.0 * A @ H
        return X.T @ ((A @ D if transposed else D) * (1.0 - H * H))

    X = np.array([[0.3, -0.8], [0.5, 0.1], [-0.2, 0.9]])
    said = "A and its transpose are exchanged" if transposed else "is not multiplied by the matrix A"
    with pytest.raises(WrongDerivativeError, match=said):
        gradcheck(layers, np.array([[0.4, -0.3, 0.8], [0.7, 0.2, -0.5]]), gradient=gradient)


@pytest.mark.parametrize("wrong", [0.5, 2.0])
def test_a_2_is_not_taken_for_the_length_of_an_array_of_2(wrong):
    """The 2 of a square is in every formula; that two numbers are held by w explains nothing."""
    with pytest.raises(WrongDerivativeError) as raised:
        gradcheck(
            lambda w, b: np.sum((w + b) ** 2), np.array([0.3, -0.8]), 0.5,
            gradient=lambda w, b: (2.0 * (w + b), wrong * 2.0 * np.sum(w + b)),
        )  # fmt: skip
    assert "how many numbers" not in str(raised.value)


def test_a_kernel_that_is_not_flipped_on_the_way_back_is_named():
    """np.convolve both ways, where one of them is a correlation."""

    def f(x, k):
        return np.sum(np.tanh(np.convolve(x, k, "valid")))

    def gradient(x, k):
        d = 1.0 - np.tanh(np.convolve(x, k, "valid")) ** 2
        return np.convolve(d, k, "full"), np.convolve(x, d[::-1], "valid")[::-1]

    with pytest.raises(WrongDerivativeError, match="x: k, flipped, is used in place of k"):
        gradcheck(f, np.array([0.5, -1.3, 2.1, 0.9, 0.2]), np.array([0.3, -1.2, 0.8]), gradient=gradient)


@pytest.mark.parametrize(
    ("of", "bad"), [("gradient", math.nan), ("gradient", math.inf), ("hvp", math.nan), ("vjp", math.nan)]
)
def test_a_number_that_is_none_is_told_without_a_warning_and_is_no_sum_over_calls(of, bad):
    """A NaN is not called a lost `zero_grad`, and NumPy's warnings about tolerances do not reach the user."""
    x = np.array([1.0, 2.0])
    with warnings.catch_warnings(), pytest.raises(WrongDerivativeError) as caught:
        warnings.simplefilter("error")
        if of == "gradient":
            gradcheck(lambda x: x @ x, x, gradient=lambda x: np.array([bad, 2.0 * x[1]]))
        elif of == "hvp":
            gradcheck(lambda x: x @ x, x, gradient=lambda x: 2.0 * x, order=2, hvp=lambda x, v: np.full(2, bad))
        else:
            jaccheck(lambda x: x * x, x, vjp=lambda x, u: np.full(2, bad))
    assert all(hint.kind == "nan" for hint in caught.value.diagnosis.hints)


def test_a_gradient_that_is_text_is_refused_in_words():
    """It names the function and the argument, in place of what NumPy says of a string."""
    with pytest.raises(TypeError, match="as_text must give numbers by x, got text: 3"):

        def as_text(x):
            return ["3.0", 1.0]

        gradcheck(lambda x: x @ x, np.array([1.0, 2.0]), gradient=as_text)


def test_a_rough_oracle_does_not_make_a_hint_of_what_is_further_off_than_the_truth():
    """In float32, 1.001 times the gradient is no constant that is added: that is further off at 0.3 than the truth."""
    x = np.array([0.3, 1.7, 2.2], dtype=np.float32)
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(lambda x: np.sum(np.float32(x) ** 2 / np.float32(2)), x, gradient=lambda x: x * np.float32(1.001))
    assert "offset" not in [hint.kind for hint in caught.value.diagnosis.hints]


@pytest.mark.parametrize("seed", ["a", -1, 1.5, True, 2**32])
def test_a_seed_that_no_generator_takes_is_refused_in_words(seed):
    """At once, and not by NumPy within a check."""
    with pytest.raises(ValueError, match="seed must be a whole number from 0 to 4294967295, got"):
        gradcheck(lambda x: x * x, 1.5, gradient=lambda x: 2.0 * x, seed=seed)


def test_a_function_of_many_numbers_that_returns_none_or_complex_ones_is_told_so():
    """By its name, with the way out."""
    x = np.array([1.0, 2.0])

    def forgets(x):
        x @ x

    def turns(x):
        return 1j * x

    with pytest.raises(TypeError, match="got None: does forgets end without a return"):
        jaccheck(forgets, x, jacobian=lambda x: x)
    with pytest.raises(TypeError, match="got complex ones from turns: return the real and the imaginary part"):
        jaccheck(turns, x, jacobian=lambda x: np.eye(2))


@pytest.mark.parametrize("given", [0.0, [0.0, 1.0], "a", None])
def test_what_is_no_list_of_slopes_at_a_kink_is_refused_in_words(given):
    """One derivative for each operand."""
    with pytest.raises(
        TypeError, match=r"gradient must return a flat list of derivatives, one by each operand \(1\), got"
    ):
        check_kinks("relu", lambda x: max(x, 0.0), lambda f, at: given)


def test_a_factor_is_told_beside_a_term_along_the_point():
    """Of a sum of squares the gradient is along x: a hundredth of it may be that factor, and not a penalty alone."""
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(lambda x: np.sum(x**2), np.array([0.1, 3.0, -5.0]), gradient=lambda x: 0.01 * 2.0 * x)
    assert "0.01 times the right one in every entry" in caught.value.diagnosis.text("en")


def test_a_clipped_gradient_is_named():
    """It is no stale one, though what is clipped does not change with the point."""
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(lambda x: np.sum(x**2), np.array([0.1, 3.0, -5.0]), gradient=lambda x: np.clip(2.0 * x, -1.0, 1.0))
    assert caught.value.diagnosis.hints[0].kind == "clipped"
