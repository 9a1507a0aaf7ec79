"""Gradients of any size along random directions, and functions of many numbers: Jacobians and their products."""

import re
import time

import numpy as np
import pytest

from autodiff.testing import WrongDerivativeError, gradcheck, jaccheck

sparse = pytest.importorskip("scipy.sparse", reason="SciPy is installed in continuous integration")
RNG = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def same_numbers():
    """Every test has the same numbers, whichever ran before it."""
    RNG.bit_generator.state = np.random.default_rng(6).bit_generator.state


def waves(x):
    return np.sum(np.sin(x) * np.arange(1.0, x.size + 1.0))


def slopes(x):
    return np.cos(x) * np.arange(1.0, x.size + 1.0)


def off_at(k, by):
    def gradient(x):
        wrong = slopes(x)
        wrong[k] += by
        return wrong

    return gradient


class Counted:
    """A function that counts its calls."""

    def __init__(self, f):
        self.f, self.called = f, []  # a list, which is not put back as numbers are

    def __call__(self, x):
        self.called.append(1)
        return self.f(x)

    @property
    def calls(self):
        return len(self.called)


def test_the_cost_does_not_grow_with_the_number_of_entries():
    """As many calls for a million numbers as for a thousand."""
    calls = []
    for n in (2_000, 200_000):
        f = Counted(waves)
        gradcheck(f, RNG.normal(size=n), gradient=slopes)
        calls.append(f.calls)
    assert calls[0] == calls[1] < 500


@pytest.mark.parametrize("plain", [False, True], ids=["complex numbers pass", "floats alone"])
@pytest.mark.parametrize("n", [300, 10_000, pytest.param(100_000, marks=pytest.mark.once)])
def test_one_wrong_entry_among_many_is_found(n, plain):
    """Right ones pass; the entry is named, with the number given and the true one; a thousandth of one entry is enough."""
    f = (lambda x: float(waves(np.array(x, dtype=float)))) if plain else waves
    x, k = RNG.normal(size=n), n // 3
    gradcheck(f, x, gradient=slopes)
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(f, x, gradient=off_at(k, 0.05 * k))
    assert caught.value.operand == k + 1
    assert caught.value.expected == pytest.approx(slopes(x)[k], rel=1e-6)
    assert f"by x[{k}]" in str(caught.value)


@pytest.mark.once
def test_a_million_entries_take_seconds():
    """Processor time of a right gradient, beside that of the function itself."""
    x = RNG.normal(size=1_000_000)
    start = time.process_time()
    waves(x)
    once = time.process_time() - start
    start = time.process_time()
    gradcheck(waves, x, gradient=slopes)
    assert time.process_time() - start < 500.0 * max(once, 0.01)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda x: 2.0 * slopes(x), "x: 2 times the right one"),
        (lambda x: -slopes(x), "x: the sign is wrong"),
        (lambda x: slopes(x) / 5000.0, "a mean in place of a sum"),
        (lambda x: np.roll(slopes(x), 1), "shifted by 1 along axis 0"),
        (lambda x: slopes(x)[::-1].copy(), "flipped along axis 0"),
        (lambda x: 0.0 * x, "0 everywhere"),
    ],
)
def test_a_mistake_of_all_of_many_entries_is_named(wrong, said):
    """It is undone, and gives the true slopes along every direction."""
    with pytest.raises(WrongDerivativeError, match=said):
        gradcheck(waves, RNG.normal(size=5000), gradient=wrong)


X, Y = RNG.normal(size=(32, 40)), RNG.normal(size=(32, 30))


def network(W1, b, W2):
    return np.sum((np.maximum(X @ W1 + b, 0.0) @ W2 - Y) ** 2) / 64.0


def backward(W1, b, W2):
    z = X @ W1 + b
    h = np.maximum(z, 0.0)
    d = (h @ W2 - Y) / 32.0
    dz = d @ W2.T * (z > 0.0)
    return X.T @ dz, dz.sum(axis=0), h.T @ d


def test_of_a_network_the_wrong_argument_is_named_and_its_mistake():
    """2,000 weights of three arrays; one of them transposed, or summed in place of averaged."""
    weights = RNG.normal(size=(40, 30)) / 6.0, RNG.normal(size=30), RNG.normal(size=(30, 30)) / 6.0
    gradcheck(network, *weights, gradient=backward)
    with pytest.raises(WrongDerivativeError, match="W2: the right one transposed") as caught:
        gradcheck(network, *weights, gradient=lambda *w: (*backward(*w)[:2], backward(*w)[2].T))
    assert caught.value.diagnosis.right == {"W1": True, "b": True, "W2": False}
    with pytest.raises(WrongDerivativeError, match=r"b: 32 times .* the number of rows of X"):
        gradcheck(network, *weights, gradient=lambda *w: (backward(*w)[0], 32.0 * backward(*w)[1], backward(*w)[2]))


def test_a_kink_among_many_entries_is_named():
    """One zero among 5,000 numbers that a ReLU meets; the others keep away from it."""
    x = RNG.normal(size=5000)
    x += np.copysign(0.01, x)
    x[1234] = 0.0
    with pytest.raises(
        ValueError, match=r"by input 1235 of 5000 \(x\[1234\]\): its slopes on the left and on the right"
    ):
        gradcheck(lambda x: np.sum(np.maximum(x, 0.0)), x, gradient=lambda x: 1.0 * (x > 0.0))


def test_directions_are_chosen_by_number_and_by_the_user():
    """Up to 200 numbers each is checked by itself; `directions` says otherwise."""
    few = RNG.normal(size=20)
    calls = {}
    for directions in (None, 2, 0):
        f = Counted(lambda x: float(waves(np.array(x, dtype=float))))
        gradcheck(f, few, gradient=slopes, directions=directions)
        calls[directions] = f.calls
    assert calls[2] < calls[0] == calls[None]
    for wrong in (-1, 1.5):
        with pytest.raises(ValueError, match="directions must be a whole number from 0 up"):
            gradcheck(waves, few, gradient=slopes, directions=wrong)
    with pytest.raises(ValueError, match="with gradient="):
        gradcheck(lambda x: x * x, 1.0, directions=4)


A = RNG.normal(size=(3, 2))


def layer(x):
    return np.tanh(A @ x)


def jacobian(x):
    return (1.0 - np.tanh(A @ x) ** 2)[:, None] * A


def test_jacobians_are_checked_in_every_form():
    """As an array, a matrix, a sparse matrix, by its products from either side, and the engine's own."""
    x = np.array([0.3, -0.7])
    for J in (jacobian, lambda x: sparse.csr_matrix(jacobian(x)), lambda x: jacobian(x).tolist()):
        assert jaccheck(layer, x, jacobian=J).oracle == "complex step"
    jaccheck(layer, x, vjp=lambda x, u: jacobian(x).T @ u, jvp=lambda x, v: jacobian(x) @ v)
    jaccheck(layer, x)
    jaccheck(lambda x: np.asarray(layer(x), dtype=np.float64) + 0.0, x, jacobian=jacobian)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"jacobian": lambda x: -jacobian(x)}, r"of result\[0\]\n.*the sign is wrong"),
        ({"vjp": lambda x, u: A.T @ u}, r"of result\[0\]\n.*the slope of a = tanh\(.*\) is left out"),
        ({"jvp": lambda x, v: jacobian(x) @ v * 2.0}, r"of result\[0\]\n.*2 times the right one in every entry"),
        (
            {"pattern": np.eye(3, 2, dtype=bool)},
            r"the Jacobian of layer is not 0 outside the pattern: result\[0\] by x\[1\]",
        ),
    ],
)
def test_a_wrong_product_says_of_which_result(options, said):
    """And comes with a program that fails the same way."""
    with pytest.raises(WrongDerivativeError, match=said) as caught:
        jaccheck(layer, np.array([0.3, -0.7]), **options)
    assert "in jaccheck of layer at the point" in str(caught.value)
    assert caught.value.reproduction.splitlines()[-1].startswith("jaccheck(layer, np.array([0.3, -0.7]), ")
    with pytest.raises(WrongDerivativeError, match=said):
        exec(caught.value.reproduction, {})


def test_a_product_that_is_right_for_unit_vectors_alone_is_found():
    """A vjp must hold for every cotangent: one that takes the largest of it passes with e₀, e₁, e₂ and no other."""
    x = np.array([0.3, -0.7])
    with pytest.raises(WrongDerivativeError, match="of a random cotangent"):
        jaccheck(layer, x, vjp=lambda x, u: jacobian(x)[np.argmax(u)] * np.max(u))


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"vjp": lambda x, u: jacobian(x).sum(axis=0)}, "cotangent"),
        ({"jvp": lambda x, v: jacobian(x).sum(axis=1)}, "tangent"),
    ],
)
def test_a_product_that_forgets_its_vector_is_told_so(options, kind):
    """Not by a mistake inside the function: twice the vector gives the same. As data too."""
    with pytest.raises(WrongDerivativeError, match=f"{kind}: the product does not change with it") as caught:
        jaccheck(layer, np.array([0.3, -0.7]), **options)
    assert [hint.kind for hint in caught.value.diagnosis.hints] == ["unscaled"]
    assert "treated as a constant" not in str(caught.value)
    assert "no cambia con él" in caught.value.diagnosis.text("es")


def test_a_tangent_along_which_nobody_knows_is_told_so():
    """The number that moves is called by what it is."""
    with pytest.raises(
        ValueError, match=r"the derivative along it is not decidable here.* along (a random tangent|x\[0\])"
    ):
        jaccheck(lambda x: (1.0 - np.cos(x)) / x**2, np.array([1e-6]), jvp=lambda x, v: 0.0 * v)


def test_shapes_of_jacobians_are_compared():
    """A transposed one is told as that; several points want as many."""
    x = np.array([0.3, -0.7])
    with pytest.raises(
        TypeError, match=r"by x must have shape \(3, 2\), got \(2, 3\): the one is the other transposed"
    ):
        jaccheck(layer, x, jacobian=lambda x: jacobian(x).T)
    with pytest.raises(TypeError, match="must be a tuple of 2, one for each point, got ndarray"):
        jaccheck(lambda x, y: layer(x) * y, x, 2.0, jacobian=lambda x, y: jacobian(x))
    with pytest.raises(TypeError, match=r"must give the shape of the result, \(3,\): got \(2,\)"):
        jaccheck(layer, x, jvp=lambda x, v: v)
    with pytest.raises(ValueError, match=r"pattern must be a matrix of 3 × 2"):
        jaccheck(layer, x, pattern=np.ones((2, 3)))


def test_products_of_matrices_and_nests():
    """Cotangents and tangents in the shapes of results and points, dicts of them included."""
    X, W = RNG.normal(size=(5, 4)), RNG.normal(size=(4, 3))
    product = lambda X, W: np.sin(X @ W)
    vjp = lambda X, W, U: ((U * np.cos(X @ W)) @ W.T, X.T @ (U * np.cos(X @ W)))
    jvp = lambda X, W, dX, dW: np.cos(X @ W) * (dX @ W + X @ dW)
    jaccheck(product, X, W, vjp=vjp, jvp=jvp)
    with pytest.raises(WrongDerivativeError, match="W: 0 everywhere: what flows back to it is lost"):
        jaccheck(product, X, W, jvp=lambda X, W, dX, dW: np.cos(X @ W) * (dX @ W))
    with pytest.raises(WrongDerivativeError, match=r"X ✓  W ✗\n  W: the slope of sin"):
        jaccheck(product, X, W, vjp=lambda X, W, U: (vjp(X, W, U)[0], X.T @ U))
    jaccheck(
        lambda p: {"a": np.sin(p["x"]) * p["y"], "b": p["y"] ** 2}, {"x": np.array([0.3, 0.4]), "y": 2.0},
        vjp=lambda p, u: {"x": np.cos(p["x"]) * p["y"] * u["a"], "y": np.sin(p["x"]) @ u["a"] + 2.0 * p["y"] * u["b"]},
    )  # fmt: skip


@pytest.mark.once
def test_large_products_are_checked_along_directions():
    """A hundred thousand numbers in and out; one that is wrong is found by halving."""
    f = lambda x: 2.0 * np.sin(x)
    jaccheck(f, RNG.normal(size=100_000), vjp=lambda x, u: 2.0 * np.cos(x) * u)
    with pytest.raises(WrongDerivativeError):
        jaccheck(f, RNG.normal(size=100_000), vjp=lambda x, u: 2.0 * np.sin(x) * u)
    with pytest.raises(WrongDerivativeError, match=r"of result\[77\] along a random tangent"):
        jaccheck(f, RNG.normal(size=10_000), jvp=lambda x, v: 2.0 * np.cos(x) * v + (np.arange(10_000) == 77))


def test_a_sparse_pattern_is_held():
    """A band: with its side diagonal the pattern is right, without it a missing entry is named."""
    band = lambda x: x**2 + np.r_[0.0, np.sin(x[:-1])]
    x, pattern = RNG.normal(size=40), np.eye(40, dtype=bool) | np.eye(40, k=-1, dtype=bool)
    jaccheck(band, x, pattern=pattern)
    jaccheck(band, x, pattern=sparse.csr_matrix(pattern))
    with pytest.raises(WrongDerivativeError, match=r"is not 0 outside the pattern: result\[1\] by x\[0\] is"):
        jaccheck(band, x, pattern=np.eye(40, dtype=bool))


def test_hessians_times_vectors_are_checked():
    """Against how fast the gradient, itself checked, changes along the vector."""
    H = A.T @ A
    options = {"gradient": lambda x: H @ x + 4.0 * x**3}
    f = lambda x: x @ H @ x / 2.0 + np.sum(x**4)
    gradcheck(f, np.array([0.3, 0.6]), hvp=lambda x, v: H @ v + 12.0 * x**2 * v, **options)
    with pytest.raises(WrongDerivativeError, match=r"its derivative by x is wrong, of result\[0\]"):
        gradcheck(f, np.array([0.3, 0.6]), hvp=lambda x, v: H @ v + 12.0 * x * v, **options)
    with pytest.raises(TypeError, match="come with gradient="):
        gradcheck(f, np.array([0.3, 0.6]), hvp=lambda x, v: v)


@pytest.mark.parametrize("n", [1_000, 20_000])
def test_up_to_three_wrong_numbers_of_many_are_told(n):
    """Each is found by halving once those before are put right, and no right one is among them."""
    x, bad = RNG.normal(size=n), [17, 400, 401, 977]

    def gradient(x):
        g = np.cos(x)
        g[bad] += 0.5
        return g

    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(lambda x: np.sum(np.sin(x)), x, gradient=gradient, directions=4)
    told = re.findall(r"by x\[(\d+)\]: ", str(caught.value))
    assert len(told) == 3
    assert {*map(int, told)} <= {*bad}


def scales_apart(x):
    return {"logits": np.sin(x), "energy": 1e9 * np.sum(x**2)}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (
            {"vjp": lambda x, u: 2e9 * x * u["energy"] + np.cos(x) * u["logits"]},
            {"vjp": lambda x, u: 2e9 * x * u["energy"]},
        ),
        (
            {"jvp": lambda x, v: {"logits": np.cos(x) * v, "energy": 2e9 * x @ v}},
            {"jvp": lambda x, v: {"logits": 0.0 * v, "energy": 2e9 * x @ v}},
        ),
        (
            {"jacobian": lambda x: np.vstack([np.diag(np.cos(x)), 2e9 * x])},
            {"jacobian": lambda x: np.vstack([np.diag(np.cos(x) + 1e-6), 2e9 * x])},
        ),
    ],
    ids=["vjp", "jvp", "jacobian"],
)
@pytest.mark.parametrize("n", [15, 40])
def test_large_results_hide_no_small_ones(right, wrong, n):
    """Slopes of 1 beside slopes of 1e9: each number of a result has its own scale."""
    x = np.linspace(0.1, 1.0, n)
    jaccheck(scales_apart, x, **right)
    if n == 15 or "jacobian" not in wrong:  # a millionth of 1,640 entries is beyond a sum
        with pytest.raises(WrongDerivativeError):
            jaccheck(scales_apart, x, **wrong)


def test_large_second_derivatives_hide_no_small_ones():
    """One curvature of 1e9 among 14 of 1, times a vector."""
    s = np.where(np.arange(15) == 3, 1e9, 1.0)
    options = {"gradient": lambda x: s * np.cos(x), "order": 2}
    x = np.linspace(0.1, 1.0, 15)
    gradcheck(lambda x: np.sum(s * np.sin(x)), x, hvp=lambda x, v: -s * np.sin(x) * v, **options)
    with pytest.raises(WrongDerivativeError):
        gradcheck(
            lambda x: np.sum(s * np.sin(x)), x, hvp=lambda x, v: -np.where(s > 1.0, s, 0.0) * np.sin(x) * v, **options
        )


def test_the_graph_of_a_function_of_one_number_is_checked():
    """jaccheck with no derivative given: one number is a result as well."""
    assert jaccheck(lambda a: a * a, 2.0).error < 1e-12
    assert jaccheck(lambda a, b: [a * b, a], 2.0, 3.0).error < 1e-12


@pytest.mark.parametrize("n", [3_000, pytest.param(30_000, marks=pytest.mark.once)])
def test_many_numbers_of_which_some_are_close_to_a_kink_are_checked(n):
    """|w|, relu(w) and the lasso by their derivatives in closed form; without the sign, or off in one entry, they fail."""
    rng = np.random.default_rng(n)
    A, w = rng.normal(size=n), rng.normal(size=n)
    relu = lambda w: np.sum(np.maximum(w, 0.0) * A)
    lasso = lambda w: 0.5 * np.sum((w - A) ** 2) + 0.3 * np.sum(np.abs(w))
    gradcheck(relu, w, gradient=lambda w: (w > 0.0) * A)
    gradcheck(lambda w: np.sum(np.abs(w)), w, gradient=np.sign)
    gradcheck(lasso, w, gradient=lambda w: w - A + 0.3 * np.sign(w))
    for f, wrong in (
        (relu, lambda w: (w > 0.0) * A + (np.arange(n) == n // 3)),
        (relu, lambda w: (w > -0.1) * A),
        (lasso, lambda w: w - A + 0.3),
    ):
        with pytest.raises(WrongDerivativeError):
            gradcheck(f, w, gradient=wrong)


def relu_network(weights, penalty=1e-3, samples=200, *, opaque=False):
    """Softmax cross-entropy of 8 inputs, hidden ReLUs and 4 classes, with an L1 penalty: loss, gradient, parameters."""
    hidden = weights // 12
    X, labels = RNG.normal(size=(samples, 8)), RNG.integers(0, 4, samples)
    parameters = RNG.normal(size=(8, hidden)), 0.1 * RNG.normal(size=hidden), RNG.normal(size=(hidden, 4)), np.zeros(4)
    parameters[2][:] /= np.sqrt(hidden)

    def passed(W1, b1, W2, b2):
        z = X @ W1 + b1
        s = np.maximum(z, 0.0) @ W2 + b2
        s = s - s.max(axis=1, keepdims=True)
        return z, s, np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)

    def loss(W1, b1, W2, b2):
        _, s, _ = passed(W1, b1, W2, b2)
        entropy = np.mean(np.log(np.exp(s).sum(axis=1)) - s[np.arange(samples), labels])
        value = entropy + penalty * (np.abs(W1).sum() + np.abs(W2).sum())
        return float(value) if opaque else value

    def gradient(W1, b1, W2, b2):
        z, _, p = passed(W1, b1, W2, b2)
        delta2 = (p - np.eye(4)[labels]) / samples
        delta1 = (delta2 @ W2.T) * (z > 0.0)
        dW2 = np.maximum(z, 0.0).T @ delta2 + penalty * np.sign(W2)
        return X.T @ delta1 + penalty * np.sign(W1), delta1.sum(axis=0), dW2, delta2.sum(axis=0)

    return loss, gradient, parameters


def test_a_network_of_relus_and_absolute_values_is_decided():
    """Of 4,992 weights some are always close to a kink, and 8,000 ReLUs too: the right gradient passes all the same.

    One entry that is 0, and a forgotten penalty, are found.
    """
    loss, gradient, parameters = relu_network(5_000, samples=20)
    assert gradcheck(loss, *parameters, gradient=gradient).error < 1e-12

    def one_lost(W1, b1, W2, b2):
        dW1, *others = gradient(W1, b1, W2, b2)
        dW1[3, 113] = 0.0
        return (dW1, *others)

    with pytest.raises(WrongDerivativeError, match=r"by W1\[3, 113\]: one_lost gives 0.0"):
        gradcheck(loss, *parameters, gradient=one_lost)

    def unpenalised(W1, b1, W2, b2):
        dW1, db1, dW2, db2 = gradient(W1, b1, W2, b2)
        return dW1 - 1e-3 * np.sign(W1), db1, dW2, db2

    with pytest.raises(WrongDerivativeError, match=r"W1 ✗  b1 ✓  W2 ✓  b2 ✓\n.*a term along sign\(W1\) is missing"):
        gradcheck(loss, *parameters, gradient=unpenalised)


def test_so_it_is_in_floats_alone():
    """Steps between rounding and the next kink are fine enough to tell half of the digits."""
    loss, gradient, parameters = relu_network(3_000, samples=50, opaque=True)
    assert gradcheck(loss, *parameters, gradient=gradient).error < 1e-7
    with pytest.raises(WrongDerivativeError, match=r" ✓  .* ✗  .* ✓  .* ✓"):
        gradcheck(loss, *parameters, gradient=lambda *at: [(1.0 + (k == 1)) * x for k, x in enumerate(gradient(*at))])


def test_a_network_of_500_weights_takes_seconds():
    """Its graph would have 100,000 operations, and is not repeated for every direction (it took 39 s)."""
    loss, gradient, parameters = relu_network(500, penalty=0.0)
    start = time.process_time()
    assert gradcheck(loss, *parameters, gradient=gradient).error < 1e-12
    assert time.process_time() - start < 10.0


def test_what_is_real_by_definition_keeps_its_complex_step():
    """|x|, the norm, the variance and log(1 + exp(x)) are continued beside the real numbers, at machine precision."""

    def f(x):
        return (
            np.abs(x).sum() + np.linalg.norm(x) + x.var() + np.logaddexp(0.0, x).sum() + x.reshape(-1, 10).std(0).sum()
        )

    def gradient(x):
        rows = x.reshape(-1, 10)
        spread = ((rows - rows.mean(0)) / (len(rows) * rows.std(0))).ravel()
        smooth = x / np.linalg.norm(x) + 2.0 * (x - x.mean()) / x.size + 1.0 / (1.0 + np.exp(-x))
        return np.sign(x) + smooth + spread

    report = gradcheck(f, RNG.normal(size=20_000), gradient=gradient)
    assert report.oracle == "complex step"
    assert report.error < 1e-12


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"vjp": lambda u: u}, r"vjp must take 2 arguments, x, cotangent: got <lambda>\(u\)"),
        ({"jvp": lambda t: t}, r"jvp must take 2 arguments, x, tangent: got <lambda>\(t\)"),
        ({"jacobian": lambda x, u: u}, r"jacobian must take 1 argument, x: got <lambda>\(x, u\)"),
    ],
)
def test_a_function_of_other_arguments_is_told_which_it_gets(given, message):
    """Before it is called: Python would name neither jaccheck's argument nor what it passes."""
    with pytest.raises(TypeError, match=message):
        jaccheck(lambda x: x**2, np.ones(3), **given)


def test_a_vjp_may_overwrite_its_cotangent():
    """As much code does (`dout *= mask`): it gets a copy each time."""

    def vjp(x, cotangent):
        cotangent *= 2.0 * x
        return cotangent

    jaccheck(lambda x: x**2, np.array([0.3, -0.7]), vjp=vjp)


def tall(spoil=lambda J: J):
    """A function of 4 numbers whose effects are of sizes from 1e4 to 1e-8 on 20 results, and its spoilt Jacobian."""
    A = RNG.normal(size=(20, 4)) * np.array([1e4, 1.0, 1e-4, 1e-8])

    def f(x):
        return np.tanh(1e-4 * (A @ x))

    def jacobian(x):
        return spoil((1.0 - f(x) ** 2)[:, None] * 1e-4 * A)

    return f, jacobian, RNG.normal(size=4)


def without_column(J):
    J[:, 3] = 0.0
    return J


def without_one(J):
    J[7, 2] = 0.0
    return J


PRODUCTS = {
    "jacobian": lambda jacobian: jacobian,
    "vjp": lambda jacobian: lambda x, cotangent: cotangent @ jacobian(x),
    "jvp": lambda jacobian: lambda x, tangent: jacobian(x) @ tangent,
}


@pytest.mark.parametrize("way", PRODUCTS)
@pytest.mark.parametrize(("spoil", "entry"), [(without_column, r"x\[3\]"), (without_one, r"x\[2\]")])
def test_no_column_hides_a_smaller_one(way, spoil, entry):
    """A column of 1e-12 of the others, and one entry of 80, are found by any of the three, and told as what they are."""
    f, jacobian, x = tall()
    jaccheck(f, x, **{way: PRODUCTS[way](jacobian)})
    f, jacobian, x = tall(spoil)
    with pytest.raises(WrongDerivativeError, match=rf"(by|along) {entry}") as raised:
        jaccheck(f, x, **{way: PRODUCTS[way](jacobian)})
    assert "rtol=" not in str(raised.value)
    assert spoil is without_one or raised.value.found == 0.0


@pytest.mark.parametrize("way", PRODUCTS)
def test_a_transposed_square_jacobian_is_told_as_that(way):
    """By its columns or rows alone nobody would see it."""
    M = RNG.normal(size=(4, 4))

    def transposed(x):
        return (np.cos(M @ x)[:, None] * M).T

    with pytest.raises(WrongDerivativeError, match="x: the right one transposed"):
        jaccheck(lambda x: np.sin(M @ x), RNG.normal(size=4), **{way: PRODUCTS[way](transposed)})


def test_what_is_wrong_with_a_jvp_is_told_of_the_arguments():
    """Not of the tangent, and of nothing that is computed with it."""
    A = RNG.normal(size=(3, 4))

    def f(x):
        return np.sin(A @ x)

    def jvp(x, tangent):
        return -np.cos(A @ x) * (A @ tangent)

    with pytest.raises(WrongDerivativeError, match="x: the sign is wrong") as raised:
        jaccheck(f, RNG.normal(size=4), jvp=jvp)
    assert "tangent" not in str(raised.value).split("reproduce")[0]

    def diagonal(x, v):
        return -np.sin(x) * v

    with pytest.raises(WrongDerivativeError) as raised:
        gradcheck(
            lambda x: np.sum(np.sin(x)) + x[0] * x[1], RNG.normal(size=3),
            gradient=lambda x: np.cos(x) + np.array([x[1], x[0], 0.0]), hvp=diagonal,
        )  # fmt: skip
    assert "tangent" not in str(raised.value).split("reproduce")[0]


def test_of_many_numbers_the_message_says_what_was_not_tried():
    """A slope left out is named among few numbers; among many, where it is not looked for, the message says so."""
    f = lambda x: np.sum(np.tanh(x) ** 2)
    gradient = lambda x: 2.0 * np.tanh(x)  # without the slope of tanh
    for n, said in ((20, "tanh"), (30_000, "directions=0, or a smaller example, tries all")):
        with pytest.raises(WrongDerivativeError, match=said):
            gradcheck(f, RNG.normal(size=n), gradient=gradient)
