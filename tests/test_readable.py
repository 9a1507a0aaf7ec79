"""The readable text of a program, and what `explain` says of it."""

import importlib.util
import itertools
import math
import re
import subprocess
import sys
import tracemalloc
from typing import Any, cast

import numpy as np
import pytest
from stages import kept, want

from autodiff import (
    OPS,
    Op,
    Value,
    clip,
    compile,
    erf,
    exp,
    leaky_relu,
    log,
    logsumexp,
    maximum,
    mean,
    no_grad,
    parameters,
    relu,
    sigmoid,
    softmax,
    softplus,
    sqrt,
    step,
    tanh,
    total,
    weighted_sum,
    where,
)
from autodiff.compiler.backends.definitions import helpers_of
from autodiff.testing.faults import points_of
from models import MLP
from models.losses import cross_entropy, half_squared_error, l2

RNG = np.random.default_rng(0)


def network(*sizes, activation="sigmoid"):
    return MLP(2, list(sizes), activation=[activation] * len(sizes), random_state=0)


def cost_program(*sizes):
    mlp = network(*sizes)
    X = RNG.normal(size=(5, 2))
    y = RNG.normal(size=(5, sizes[-1])) if sizes[-1] > 1 else RNG.normal(size=5)

    def cost(x, y):
        return half_squared_error(mlp(x), y)

    return compile(cost).trace(X, y), X, y


def test_a_network_reads_as_the_courses_three_formulas():
    """δ^L = ∂C/∂a^L ⊙ σ′(z^L), δ^{l−1} = (w^l)ᵀ δ^l ⊙ σ′(z^{l−1}), ∂C/∂w^l = δ^l (a^{l−1})ᵀ, ∂C/∂b^l = δ^l."""
    program, _, _ = cost_program(3, 2)
    lines = [line.strip() for line in program.source.split("def value_and_grad")[1].splitlines()]
    formulas = [
        "z1 = W1 @ a0 + b1",
        "a1 = sigmoid(z1)",
        "z2 = W2 @ a1 + b2",
        "a2 = sigmoid(z2)",
        "C = ((yT - a2) ** 2).sum(axis=0) / 2.0",
        "delta2 = (a2 - yT) * a2 * (1.0 - a2)",
        "dW2 = delta2 @ a1.T",
        "db2 = delta2.sum(axis=-1, keepdims=True)",
        "delta1 = (W2.T @ delta2) * a1 * (1.0 - a1)",
        "dW1 = delta1 @ a0.T",
        "db1 = delta1.sum(axis=-1, keepdims=True)",
    ]
    assert [line for line in lines if line in formulas] == formulas
    assert [line for line in lines if line.startswith("#")] == [
        "# layer 1",
        "# layer 2",
        "# from the outputs to the cost",
        "# δ of layer 2, and what follows for its weights and biases",
        "# δ of layer 1, and what follows for its weights and biases",
    ]


def test_the_text_is_deterministic():
    """The same function gives the same text, letter for letter."""
    assert cost_program(3, 2)[0].source == cost_program(3, 2)[0].source


def test_the_text_runs_on_its_own_with_numpy_alone(tmp_path):
    """Written to a file and imported where autodiff is not loaded, it gives what the fast program and the eager engine give."""
    program, X, y = cost_program(4, 1)
    path = tmp_path / "cost.py"
    path.write_text(program.source, encoding="utf-8")
    flat = np.array([p.data for p in program.parameters])
    np.savez(tmp_path / "data.npz", flat=flat, X=X, y=y)
    script = (
        "import sys, numpy as np; sys.path.insert(0, '.'); import cost\n"
        "d = np.load('data.npz'); v, g = cost.value_and_grad(d['flat'], d['X'], d['y'])\n"
        "np.savez('answer.npz', v=v, g=g, f=cost.forward(d['flat'], d['X'], d['y']))\n"
        "assert not {'autodiff', 'models', 'jax', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=tmp_path, check=True)
    answer = np.load(tmp_path / "answer.npz")
    value, gradient = program.value_and_grad(X, y)
    np.testing.assert_allclose(answer["v"], value, rtol=1e-13)
    np.testing.assert_allclose(answer["g"], gradient, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(answer["f"], program(X, y), rtol=1e-13)
    loss = mean([program.f(row, t) for row, t in zip(X.tolist(), y.tolist(), strict=True)])
    loss.backward()
    np.testing.assert_allclose(answer["v"], loss.data, rtol=1e-13)
    np.testing.assert_allclose(answer["g"], [p.grad for p in program.parameters], rtol=1e-12, atol=1e-15)


def loaded(text, tmp_path):
    path = tmp_path / "text.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("text", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recurrent():
    w, u, b = Value(0.4, "w"), Value(0.7, "u"), Value(-0.1, "b")

    def f(xs):
        h = 0.0
        for x in xs:
            h = tanh(w * x + u * h + b)
        return h * h

    return f, (RNG.normal(size=(6, 4)),)


def black_scholes():
    spot = Value(100.0, "spot")

    def f(strike, rate, sigma, time):
        d1 = (log(spot / strike) + (rate + sigma * sigma / 2) * time) / (sigma * sqrt(time))
        d2 = d1 - sigma * sqrt(time)
        normal = lambda x: 0.5 * (1.0 + erf(x * 0.5**0.5))
        return spot * normal(d1) - strike * exp(-rate * time) * normal(d2)

    n = 6
    return f, (RNG.uniform(80, 120, n), RNG.uniform(0, 0.1, n), RNG.uniform(0.1, 0.5, n), RNG.uniform(0.1, 2.0, n))


def classifier():
    mlp = MLP(4, [6, 3], activation="relu", random_state=1)
    return lambda x, y: cross_entropy(mlp(x), y) + l2(mlp.parameters(), 0.1), (
        RNG.normal(size=(8, 4)),
        np.eye(3)[RNG.integers(0, 3, 8)],
    )


def branches():
    w = [Value(v, f"w{i}") for i, v in enumerate([0.5, -1.0, 2.0])]
    return lambda x: where(x[0] > x[1], logsumexp([a * v for a, v in zip(w, x, strict=True)]), w[0] * x[2] ** 3), (
        RNG.normal(size=(9, 3)),
    )


def pixels():
    kernel = [Value(v) for v in RNG.normal(size=4)]

    def f(image):
        total = 0.0
        for i in range(2):
            for j in range(2):
                patch = [image[i, j], image[i, j + 1], image[i + 1, j], image[i + 1, j + 1]]
                total = total + sum(k * p for k, p in zip(kernel, patch, strict=True)).tanh()
        return total

    return f, (RNG.normal(size=(4, 3, 3)),)


def tied():
    """An autoencoder: the same weights forward and transposed."""
    weights = [[Value(v) for v in row] for row in RNG.normal(size=(3, 4))]
    biases = [Value(v) for v in RNG.normal(size=3)]

    def f(x):
        hidden = [tanh(weighted_sum(w, x, b)) for w, b in zip(weights, biases, strict=True)]
        back = [weighted_sum(column, hidden) for column in zip(*weights, strict=True)]
        return sum((a - b) ** 2 for a, b in zip(x, back, strict=True))

    return f, (RNG.normal(size=(5, 4)),)


def grid():
    """Sums along one axis of products, and the logarithms of sums of exponentials along it."""
    weights = [[Value(v) for v in row] for row in RNG.normal(size=(3, 4))]

    def f(x):
        scaled = [
            [w * each for w, each in zip(row, entries, strict=True)] for row, entries in zip(weights, x, strict=True)
        ]
        products = [sum(tanh(z) * exp(z) for z in row) for row in scaled]
        return sum(tanh(product) + logsumexp(row) ** 2 for product, row in zip(products, scaled, strict=True))

    return f, (RNG.normal(size=(6, 3, 4)),)


def stopped():
    """`no_grad` keeps numbers constant, sums of every kind included."""
    w = [Value(v) for v in RNG.normal(size=4)]

    def f(x):
        with no_grad():
            centred = [each - mean(list(x)) for each in x]
            scale = 1.0 + abs(weighted_sum(w, centred, w[0])) + logsumexp(list(x)) ** 2
            offset = total([scale, *w])
        return weighted_sum(w, centred, offset * w[1]) / scale

    return f, (RNG.normal(size=(5, 4)),)


FUNCTIONS = {f.__name__: f for f in (recurrent, black_scholes, classifier, branches, pixels, tied, grid, stopped)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_any_function_as_text(name, tmp_path):
    """Recurrent nets, Black–Scholes, penalties, branches, shared weights on images: the text gives the program's numbers."""
    f, arguments = FUNCTIONS[name]()
    program = compile(f)
    value, gradient = program.value_and_grad(*arguments)
    module = loaded(program.source, tmp_path)
    flat = np.array([p.data for p in program.parameters])
    text_value, text_gradient = module.value_and_grad(flat, *arguments)
    np.testing.assert_allclose(text_value, value, rtol=1e-12)
    np.testing.assert_allclose(text_gradient, gradient, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(module.forward(flat, *arguments), program(*arguments), rtol=1e-11, atol=1e-14)


def test_names_come_from_labels_and_never_collide(tmp_path):
    """Labels that are no identifiers, keywords, or the text's own names are bent, not trusted."""
    labels = ["lambda", "xp", "rows", "flat", "2nd", "a b", "a_b", "np", "x", 'q"""; import os', "σ"]
    names = ["exp", "log", "tanh", "sqrt", "sin", "cos", "sigmoid", "atan", "relu", "softplus", "erf"]
    leaves = [Value(1.0 + i, label) for i, label in enumerate(labels)]
    program = compile(
        lambda x: sum(OPS[name](v) * x ** (1 + i) for i, (name, v) in enumerate(zip(names, leaves, strict=True)))
    )
    x = np.array([0.5, -1.5])
    value, gradient = program.value_and_grad(x)
    assert "import os" not in program.source
    for name in ("lambda_", "_2nd", "a_b", "a_b_2", "x_2", "σ"):
        assert re.search(rf"^    {name} = flat\[\d+\]$", program.source, re.MULTILINE), name
    text_value, text_gradient = loaded(program.source, tmp_path).value_and_grad(
        np.array([p.data for p in program.parameters]), x
    )
    np.testing.assert_allclose(text_value, value, rtol=1e-14)
    np.testing.assert_allclose(text_gradient, gradient, rtol=1e-14)


def test_an_operation_of_ones_own_has_no_text():
    """A text that runs on its own cannot know a user's operation: the error says so."""
    cube = Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: 3.0 * a * a,))
    program = compile(lambda x: cube(x)).trace([1.0])
    with pytest.raises(TypeError, match=r"cube.*of your own.*use the program itself"):
        _ = program.source


def test_before_a_call_nothing_is_known():
    """Text and report need shapes, which a program learns from its arguments."""
    program = compile(lambda x: x * x)
    for ask in (lambda: program.source, program.explain, lambda: program.parameters):
        with pytest.raises(TypeError, match="call it, or trace"):
            ask()


def test_explain_counts_what_the_passes_did():
    """The 2-3-2 network: 17 parameters, 4 inputs and targets; a matrix product per layer, five with the backward pass."""
    program, _, _ = cost_program(3, 2)
    text = program.explain()
    assert "4 inputs, 17 parameters" in text
    assert "2 matrix products forward" in text
    assert "5 matrix products in all" in text  # W1 a0, W2 a1; δ2 a1ᵀ, W2ᵀ δ2, δ1 a0ᵀ
    nodes = int(text.split("trace")[1].split("nodes")[0].replace(",", ""))
    # 21 leaves and the constant 2; 5 neurons of 2 nodes; per output y − a and its square; their sum, halved
    assert nodes == 21 + 1 + 5 * 2 + 2 * 2 + 2
    assert [line.split()[0] for line in text.splitlines() if not line.startswith(" ")] == [
        "trace", "simplify", "group", "reverse", "emit", "one", "all",
    ]  # fmt: skip


def test_micrograds_way_gains_as_much_as_weighted_sum():
    """Sums of products become the same matrix products as one-node neurons."""
    mlp = network(3, 1)

    def by_hand(x):
        signal = list(x)
        for layer in mlp.layers:
            signal = [
                sum((w * s for w, s in zip(n.weights, signal, strict=True)), n.bias).sigmoid() for n in layer.neurons
            ]
        return signal[0]

    one, other = compile(by_hand).trace([[1.0, 2.0]]), compile(mlp).trace([[1.0, 2.0]])
    counts = [p.explain().split("group")[1].split("one row")[0] for p in (one, other)]
    assert counts[0] == counts[1]


def ran(program):
    names = {}
    exec(program.source, names)
    return names


def test_labels_that_python_reads_as_one_name_are_two():
    """Python normalises names (NFKC); digits that no name may hold are spelled out."""
    q, x = Value(0.3), np.array([0.3, -1.2, 2.0])
    for one, other in (("xₐ", "xa"), ("µ", "μ"), ("ﬁ", "fi"), ("ſ", "s"), ("x²", "x2"), ("½", "①"), ("w₁", "w1")):

        def f(x, one=one, other=other):
            z, y = tanh(q * x), exp(q * x * x)
            z.label, y.label = one, other
            return z * y + tanh(y) * z

        program = compile(f)
        value, gradient = program.value_and_grad(x)
        again, slope = ran(program)["value_and_grad"](np.array([0.3]), x)
        assert again == pytest.approx(value, rel=1e-14)
        assert slope == pytest.approx(gradient, rel=1e-12)


@pytest.mark.parametrize("name", ["flat", "rows", "xp", "np", "erf", "value", "gradient", "math", "lambda_", "xₐ"])
def test_arguments_may_be_called_anything(name):
    """The text has names of its own, which an argument does not hide."""
    f = eval(f"lambda {name}: {name}[0] * 2.0 + bell({name}[1])", {"bell": erf})
    program, x = compile(f), np.array([[1.0, 0.5], [2.0, 0.25]])
    np.testing.assert_allclose(program(x), ran(program)["forward"](np.zeros(0), x), rtol=1e-14)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: [[x, exp(x)], [x * x, 3.0 * x]], lambda x: [x * x], lambda x: [x * x, x * x],
        lambda x: [tanh(x), 1.0], lambda x: [1.0, 2.0],
    ],
)  # fmt: skip
def test_the_text_of_several_outputs_has_their_shape_and_no_gradient(f):
    """As the program, which refuses a gradient of several numbers."""
    program, x = compile(f), np.array([0.5, 1.5, 2.5])
    expected = program(x)
    names = ran(program)
    assert "value_and_grad" not in names
    got = names["forward"](np.zeros(0), x)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def assert_the_text_is_the_program(f, *args, close=1e-12):
    """Values and gradient of the text on NumPy, as numbers of double precision, are those of the program."""
    program = compile(f)
    value, gradient = program.value_and_grad(*args)
    names = ran(program)
    flat = np.array([p.data for p in program.parameters])
    rows = names["forward"](flat, *args)
    assert rows.dtype == np.float64
    np.testing.assert_allclose(rows, program(*args), rtol=close)
    text_value, text_gradient = names["value_and_grad"](flat, *args)
    np.testing.assert_allclose(text_value, value, rtol=close)
    np.testing.assert_allclose(text_gradient, gradient, rtol=close, atol=1e-15)
    return program


W = [[Value(1.5 + i - j, f"w{i}{j}") for j in (1, 2)] for i in (1, 2)]
P, Q = Value(0.5, "p"), Value(-0.3, "q")


@pytest.mark.parametrize(
    "f",
    [
        lambda x: sum(relu(sum(u * where(v > 0, 1.0, 0.0) for u, v in zip(r, x, strict=False))) for r in W),
        lambda x: sum(clip(sum(u * (v > 0) for u, v in zip(r, x, strict=False)), -1.0, 1.0) for r in W),
        lambda x: sum(relu(tanh(P * x[0]) - x[j]) + relu(exp(Q * x[1]) - x[j]) for j in range(4)),
        lambda x: sum(relu(tanh(P * x[i]) - tanh(Q * x[j])) for i in range(3) for j in range(3)),
        lambda x: P * ((x[0] > 0) + (x[1] > 0)) * ((x[2] > 0) + (x[1] > 0.3)),
        lambda x: P * ((x[0] > 0) - (x[1] > 0)) * ((x[2] > 0) - (x[1] > 0.3)),
        lambda x: P * sum(tanh(1.0 * ((x[i] > 0) + (x[j] > 0))) for i in range(3) for j in range(3)),
        lambda x: P * (exp(x[0] > 0) + tanh(x[1] > 0)),
        lambda x: P * sigmoid(x[0] > 0) + exp(x[1] > 0),
        lambda x: (x[0] > 0) * (x[1] > 0) * P,
        lambda x: where((x[0] > 0) * (x[1] > 0), P, x[2] > 0),
        lambda x: where(x[0] > 0, x[1] > 0, x[2] > 0) + 0.0 * P,
        lambda x: -(x[0] > 0) + P * ((x[0] > 0) == (x[1] > 0)),
        lambda x: P * maximum(x[0] > 0, x[1] > 0) ** 2,
        lambda x: x[0] < P,
    ],
)  # fmt: skip
def test_comparisons_are_numbers_in_the_text(f):
    """True + True is True, half precision is what functions of truth values are computed in: neither is meant."""
    assert_the_text_is_the_program(f, np.random.default_rng(3).normal(size=(9, 4)))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: clip(P * x[0], -0.2, 0.4) + clip(x[1], P, 1.0), lambda x: leaky_relu(P * x[0], 0.1) * x[1],
        lambda x: softplus(1e3 * P * x[0]) + softplus(-1e3 * P * x[0]), lambda x: step(P * x[0]) + P * relu(x[1]),
        lambda x: erf(P * x[0]) * erf(7.0 * Q * x[1]), lambda x: logsumexp([1e3 * x[0], 1e3 * x[1] + P, Q]),
        lambda x: mean([P * x[0], sigmoid(Q * x[1])]) + sqrt(abs(P * x[2])),
    ],
)  # fmt: skip
def test_what_the_text_defines_itself(f):
    """The functions that array libraries do not have, on both sides of where they change, and far out."""
    assert_the_text_is_the_program(f, np.random.default_rng(5).normal(size=(40, 3)), close=1e-11)


@pytest.mark.parametrize("name", OPS)
def test_every_row_has_a_text_of_its_own(name):
    """The function of arrays that a row names stands in the text as it is written: values and slopes are the program's."""
    op = OPS[name]
    points, shift = np.array(points_of(op)), Value(0.0)

    def f(x):
        with no_grad():
            still = op(*x)
        return op(*[xi + shift for xi in x]) + still

    program = compile(f)
    scope, expected = ran(program.trace(points)), program(points)
    np.testing.assert_allclose(scope["forward"](np.zeros(1), points), expected, rtol=1e-12)
    value, gradient = scope["value_and_grad"](np.zeros(1), points)
    np.testing.assert_allclose(value, expected.mean(), rtol=1e-12)
    np.testing.assert_allclose(gradient, program.value_and_grad(points)[1], rtol=1e-11)


def test_a_definition_is_written_for_any_array_library():
    """No types, `xp` for NumPy, numbers for constants of its module, and what it calls before it."""
    rows = [Op("mine", "m", math.sin, function, (lambda a, r: r,)) for function in (_twice, np.vectorize(math.gamma))]
    texts = [helpers_of(op) for op in rows]
    assert texts[0] == {
        "_WEIGHTS": "_WEIGHTS = (1.0, 2.0)",
        "_scaled": "def _scaled(a, by, most):\n    return xp.minimum(a * by, most) + sum(_WEIGHTS)",
        "mine": "def mine(a):\n    total = _scaled(xp.abs(a), 0.25, float('inf'))\n    return total",
    }
    assert texts[1] == {"mine": "mine = np.vectorize(math.gamma, otypes=[float])"}


_QUARTER, _ENDLESS, _WEIGHTS = 0.25, math.inf, (1.0, 2.0)


def _scaled(a: Any, by: float, most: float) -> Any:
    return np.minimum(a * by, most) + sum(_WEIGHTS)


def _twice(a: Any) -> Any:
    total = cast("Any", _scaled(np.abs(a), _QUARTER, _ENDLESS))  # not the package's function of that name
    return total  # noqa: RET504 # a name of its own


def test_users_brackets_stay_in_the_text():
    """Floats do not associate: what fits in the order that was written must not overflow in another."""
    big, small = np.array([1e200, 2.0]), np.array([1e-200, 2.0])
    for f, args in (
        (lambda x, y, z: P * (x * (y / z)), (big, big, big)), (lambda x, y, z: P * (x * (y * z)), (small, small, big)),
        (lambda x, y, z: P * (x - (y - z)), (big, big, small)), (lambda x, y, z: P * (x / (y / z)), (big, big, big)),
    ):  # fmt: skip
        program = compile(f)
        expected = program(*args)
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(ran(program)["forward"](np.array([0.5]), *args), expected, rtol=1e-15)


@pytest.mark.parametrize("sizes", [(2, 1), (1,), (3, 2, 1), (1, 1, 1), (1, 2)])
def test_narrow_layers_read_like_wide_ones(sizes):
    """XOR's network and its like: a neuron with two inputs is a matrix product too, one with one input a product."""
    program, X, y = cost_program(*sizes)
    text = program.source.split("def value_and_grad")[1]
    last = len(sizes)
    into = dict(enumerate((2, *sizes[:-1]), 1))
    for k in range(1, last + 1):
        times = "*" if into[k] == sizes[k - 1] == 1 else "@"
        below = f"a{k - 1}" if into[k] > 1 or times == "*" else f"a{k - 1}[None]"
        assert f"    # layer {k}\n    z{k} = W{k} {times} {below} + b{k}\n" in text
        assert f"# δ of layer {k}, and what follows for its weights and biases\n    delta{k} = " in text
    assert text.count("# layer") == text.count("# δ of layer") == last
    assert_the_text_is_the_program(program.f, X, y)


def test_the_xor_network_reads_as_the_courses_formulas():
    """2-2-1 with sigmoid and half squared error."""
    program, _, _ = cost_program(2, 1)
    lines = [line.strip() for line in program.source.split("def value_and_grad")[1].splitlines()]
    for formula in (
        "z2 = W2 @ a1 + b2", "a2 = sigmoid(z2[0])", "C = (y - a2) ** 2 / 2.0",
        "delta2 = ((a2 - y) * a2 * (1.0 - a2))[None]", "dW2 = delta2 @ a1.T",
        "delta1 = (W2.T @ delta2) * a1 * (1.0 - a1)", "dW1 = delta1 @ a0.T",
    ):  # fmt: skip
        assert formula in lines
    assert "2 matrix products forward" in program.explain()


def test_whole_numbers_do_not_wrap_round_in_the_text():
    """Small integers and lists are converted, as the program does it."""
    X = np.random.default_rng(1).integers(0, 255, (3, 4), dtype=np.uint8)
    f = lambda x, y: half_squared_error(P * sum(v * v for v in x), y)
    program = assert_the_text_is_the_program(f, X, np.array([1, 2, 3]))
    names = ran(program)
    np.testing.assert_allclose(
        names["forward"](np.array([0.5]), X.tolist(), [1, 2, 3]), program(X, [1.0, 2.0, 3.0]), rtol=1e-13
    )


def test_names_of_groups_are_what_their_labels_share():
    """w1, w2, w3 are W; two sums with names of their own lend the name of neither to both."""
    weights = [Value(0.1 * i, f"w{i}") for i in (1, 2, 3)]
    text = compile(lambda x: weighted_sum(weights, x) ** 2).trace(np.ones((2, 3))).source
    assert "    W = flat[0:3].reshape(1, 3)\n" in text
    assert "    dW = delta1 @ a0.T\n" in text

    def f(x):
        alpha, beta = weighted_sum(weights, x), weighted_sum(weights[::-1], x)
        alpha.label, beta.label = "alpha", "beta"
        return sigmoid(alpha) * sigmoid(beta)

    assert not {"alpha", "beta"} & set(re.findall(r"\w+", compile(f).trace(np.ones((2, 3))).source))


@pytest.mark.parametrize(
    ("labels", "lines"),
    [
        (("hidden.z0", "hidden.z1"), ["hidden_z = W @ a0", "# layer 1"]),
        (("layer1.neuron1.z", "layer2.neuron1.z"), ["z1 = W @ a0", "a1 = xp.tanh(z1)"]),
        (("z1", "z2"), ["z = W @ a0", "a = xp.tanh(z)", "# δ of layer 1, and what follows for its weights and biases"]),
        (("neuron1.z", "neuron2.z"), ["z = W @ a0", "a = xp.tanh(z)"]),
        (("h1", "speed"), ["z1 = W @ a0"]), (("2020", "2021"), ["z1 = W @ a0"]),
    ],
)  # fmt: skip
def test_names_of_weighted_sums(labels, lines):
    """What all members of the group share, and no name where they share none."""
    weights = [[Value(0.1 * i + 0.3 * j, f"w{i}{j}") for j in (1, 2)] for i in (1, 2)]

    def f(x):
        sums = [weighted_sum(w, x) for w in weights]
        for z, label in zip(sums, labels, strict=True):
            z.label = label
        return sum(tanh(z) ** 2 for z in sums)

    program = assert_the_text_is_the_program(f, np.random.default_rng(0).normal(size=(4, 2)))
    text = [line.strip() for line in program.source.splitlines()]
    assert [line for line in lines if line in text] == lines
    assert "# layer" not in text
    assert "# δ" not in text


def test_labelled_layers_beside_others():
    """A layer without a label takes a number that no label has; labels of other kinds stay what they are."""
    W1, W2 = ([[Value(0.1 * i + 0.2 * j) for j in range(2)] for i in range(2)] for _ in range(2))

    def f(x):
        first = [weighted_sum(w, x) for w in W1]
        for i, z in enumerate(first, 1):
            z.label = f"layer1.neuron{i}.z"
        return sum(weighted_sum(w, [tanh(z) for z in first]) ** 2 for w in W2)

    text = assert_the_text_is_the_program(f, RNG.normal(size=(4, 2))).source
    assert "# layer 1\n    z1 = W1 @ a0\n" in text
    assert "# layer 2\n    z2 = W2 @ a1\n" in text


def test_a_neuron_with_one_input():
    """The course's first one: z = wx + b, a = σ(z), δ."""
    w, b = Value(0.6, "w"), Value(0.9, "b")

    def f(x, y):
        z = w * x + b
        z.label = "z"
        return half_squared_error(sigmoid(z), y)

    program = assert_the_text_is_the_program(f, np.array([1.0, 2.0]), np.array([0.0, 1.0]))
    text = program.source.split("def value_and_grad")[1]
    for line in (
        "z = w * x + b\n",
        "a = sigmoid(z)\n",
        "# δ\n    delta = (a - y) * a * (1.0 - a)\n",
        "dw = (delta * x).sum()\n",
    ):
        assert f"    {line}" in text


def test_a_network_that_is_applied_twice():
    """Both times the formulas, layer by layer; derivatives of shared weights are sums."""
    mlp = network(2, 2)
    f = lambda x, y: sum((a - b) ** 2 for a, b in zip(mlp(x), mlp(y), strict=True))
    program = assert_the_text_is_the_program(f, RNG.normal(size=(5, 2)), RNG.normal(size=(5, 2)))
    lines = [line.strip() for line in program.source.split("def value_and_grad")[1].splitlines()]
    for line in (
        "# layer 1", "z1 = W1 @ a0 + b1", "z1_2 = W1 @ a0_2 + b1", "a1 = sigmoid(z1)",
        "a1_2 = sigmoid(z1_2)", "z2_2 = W2 @ a1_2 + b2", "# δ of layer 1, and what follows for its weights and biases",
        "delta1 = (W2.T @ delta2) * a1 * (1.0 - a1)", "delta1_2 = (W2.T @ delta2_2) * a1_2 * (1.0 - a1_2)",
        "dW1 = (delta1_2 @ a0_2.T) + (delta1 @ a0.T)",
    ):  # fmt: skip
        assert line in lines


def attention(tokens, heads, *, causal, biased, label="{head}W{name}[{i}][{j}]", size=4):
    """Attention over tokens, number by number, with the cost Σ of squares; and the same in NumPy, by the parameters."""
    values = {}

    def matrix(name, head, m, n):
        where = {"head": f"head{head}." if heads > 1 and name != "o" else "", "name": name}
        rows = [[Value(RNG.normal() / 2, label.format(**where, i=i, j=j)) for j in range(n)] for i in range(m)]
        biases = [Value(RNG.normal() / 2, f"b{name}{head}[{i}]") for i in range(m)] if biased else [0.0] * m
        values[name, head] = rows, biases
        return lambda x: [weighted_sum(w, list(x), b) for w, b in zip(rows, biases, strict=True)]

    parts = [[matrix(name, head, size, size) for name in "qkv"] for head in range(heads)]
    last = matrix("o", heads, size, size * heads)

    def f(x):
        mixed = [[] for _ in x]
        for part in parts:
            queries, keys, given = ([linear(token) for token in x] for linear in part)
            for i, query in enumerate(queries):
                n = i + 1 if causal else len(keys)
                shares = softmax([weighted_sum(query, key) / size**0.5 for key in keys[:n]])
                mixed[i] += [
                    sum(p * v for p, v in zip(shares, each, strict=True)) for each in zip(*given[:n], strict=True)
                ]
        return sum(sum(v * v for v in last(each)) for each in mixed)

    def by_hand(X):
        numbers = {k: [np.array([float(x) for x in np.ravel(y)]) for y in both] for k, both in data().items()}
        apply = lambda x, key: x @ numbers[key][0].reshape(size, -1).T + numbers[key][1]
        mixed = []
        for head in range(heads):
            q, k, v = (apply(X, (name, head)) for name in "qkv")
            scores = np.exp(q @ k.transpose(0, 2, 1) / size**0.5)
            scores = np.tril(scores) if causal else scores
            mixed.append(scores / scores.sum(axis=-1, keepdims=True) @ v)
        return (apply(np.concatenate(mixed, axis=-1), ("o", heads)) ** 2).sum(axis=(1, 2))

    def data():
        number = lambda x: x.data if isinstance(x, Value) else x
        return {
            k: ([[number(x) for x in row] for row in rows], [number(x) for x in b]) for k, (rows, b) in values.items()
        }

    return f, by_hand, RNG.normal(size=(5, tokens, size))


@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 5, 8, 16])
def test_attention_is_sixty_lines_for_any_number_of_tokens(tokens):
    """One head or several, causal or not, with biases or without: Q, K, V by name, no tables of places."""
    cases = itertools.product((1, 2, 4), (False, True), (False, True)) if tokens < 8 else [(1, 0, 1), (2, 1, 0)]
    for heads, causal, biased in cases:
        f, by_hand, X = attention(tokens, heads, causal=causal, biased=biased)
        program = compile(f).trace(X)
        text = program.source
        assert len(text.splitlines()) <= 45
        assert "    Q, K, V = " in text
        assert not re.search(r"\bat\(|spread|overlapped|np\.array\(\[", text)
        assert all((f"    {name} = " in text) == (tokens > 1) for name in ("scores", "weights"))
        names, flat = ran(program), np.array([p.data for p in program.parameters])
        np.testing.assert_allclose(names["forward"](flat, X), by_hand(X), rtol=1e-11)
        for batch in (X, X[:1]):
            value, gradient = program.value_and_grad(batch)
            text_value, text_gradient = names["value_and_grad"](flat, batch)
            np.testing.assert_allclose(text_value, value, rtol=1e-12)
            np.testing.assert_allclose(text_gradient, gradient, rtol=1e-11, atol=1e-12 * np.abs(gradient).max())


@pytest.mark.parametrize(
    ("label", "names"),
    [
        ("W{name}[{i}][{j}]", "Q, K, V"), ("layers[0].attn.w{name}[{i}][{j}]", "Q, K, V"),
        ("{head}W_{name}uery[{i}][{j}]", "query, kuery, vuery"), ("{head}{name}[{i}][{j}]", ""),
        ("Q{head}weight{name}[{i}][{j}]", ""),
    ],
)  # fmt: skip
def test_names_of_products_follow_from_the_labels_of_their_matrices(label, names):
    """The letter or word after a W, at the end of a dotted or bracketed label, of one head or of two."""
    for heads in (1, 2) if "{head}" in label else (1,):
        f, by_hand, X = attention(3, heads, causal=False, biased=False, label=label)
        program = compile(f).trace(X)
        assert ("".join(re.findall(r"    (\w+, \w+, \w+) = ", program.source))) == names
        flat = np.array([p.data for p in program.parameters])
        np.testing.assert_allclose(ran(program)["forward"](flat, X), by_hand(X), rtol=1e-11)


CELLS = {"rnn": ("h",), "gru": ("h", "z", "r"), "lstm": ("g", "i", "f", "o")}


def unrolled(cell, steps, *, start=0.0, size=4, inputs=3):
    """A recurrent net over steps, number by number, and the same in NumPy for a batch, given the parameters' numbers."""
    weights, biases = {}, {}
    for gate in CELLS[cell]:
        weights[gate] = [
            [Value(RNG.normal() / 2, f"W{gate}[{i}][{j}]") for j in range(inputs + size)] for i in range(size)
        ]
        biases[gate] = [Value(RNG.normal() / 2, f"b{gate}[{i}]") for i in range(size)]
    last = [Value(RNG.normal(), f"wy[{i}]") for i in range(size)]

    def step(apply, act, x, h, c):
        """Both nets, by their equations; lists of numbers or arrays."""
        if cell == "rnn":
            return act("tanh", apply("h", x, h)), c
        if cell == "gru":
            z, r = (act("sigmoid", apply(gate, x, h)) for gate in "zr")
            new = act("tanh", apply("h", x, [a * b for a, b in zip(r, h, strict=True)]))
            return [(1.0 - a) * n + a * b for a, n, b in zip(z, new, h, strict=True)], c
        i, f, o = (act("sigmoid", apply(gate, x, h)) for gate in "ifo")
        new = act("tanh", apply("g", x, h))
        c = [a * b + d * n for a, b, d, n in zip(f, c, i, new, strict=True)]
        return [a * b for a, b in zip(o, act("tanh", c), strict=True)], c

    def f(xs):
        h = c = [start] * size
        for x in xs:
            h, c = step(
                lambda gate, x, h: [weighted_sum(w, [*x, *h], b) for w, b in zip(weights[gate], biases[gate], strict=True)],
                lambda name, xs: [OPS[name](x) for x in xs], x, h, c,
            )  # fmt: skip
        return weighted_sum(last, h) ** 2

    def by_hand(X):
        """The answers of all rows."""
        numbers = lambda rows: np.array([[float(x.data) for x in row] for row in rows])
        h = c = [np.full(len(X), start)] * size
        acts = {"tanh": np.tanh, "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x))}
        for t in range(steps):
            h, c = step(
                lambda gate, x, h: list(numbers(weights[gate]) @ np.array([*x, *h]) + numbers([biases[gate]]).T),
                lambda name, xs: [acts[name](x) for x in xs], X[:, t].T, h, c,
            )  # fmt: skip
        return (numbers([last])[0] @ np.array(h)) ** 2

    return f, by_hand, RNG.normal(size=(5, steps, inputs))


@pytest.mark.parametrize("cell", CELLS)
def test_a_recurrent_net_reads_as_a_loop(cell):
    """The text of 4, 5 or 20 steps is as long as that of 12, and at most 60 lines; the first step is in the loop."""
    lines = set()
    for steps in (4, 5, 12, 20):
        f, by_hand, X = unrolled(cell, steps)
        program = compile(f).trace(X)
        lines.add(len(program.source.splitlines()))
        assert f"for t in range({steps}):" in program.source
        names, flat = ran(program), np.array([p.data for p in program.parameters])
        np.testing.assert_allclose(names["forward"](flat, X), by_hand(X), rtol=1e-11)
        value, gradient = program.value_and_grad(X)
        text_value, text_gradient = names["value_and_grad"](flat, X)
        np.testing.assert_allclose(text_value, value, rtol=1e-12)
        np.testing.assert_allclose(text_gradient, gradient, rtol=1e-11, atol=1e-12 * np.abs(gradient).max())
    assert len(lines) == 1
    assert lines.pop() <= 60


def beside_program(f, *X):
    """Return the text of a function after comparing it with eager Values, in value and gradient, row by row."""
    program = compile(f).trace(*X)
    names, flat = ran(program), np.array([p.data for p in program.parameters])
    costs, sums = [], np.zeros(len(flat))
    for row in zip(*X, strict=True):
        cost, gradients = value_and_grad_of(f, program.parameters, row)
        costs.append(cost)
        sums += gradients
    np.testing.assert_allclose(names["forward"](flat, *X), costs, rtol=1e-11)
    value, gradient = names["value_and_grad"](flat, *X)
    np.testing.assert_allclose(value, np.mean(costs), rtol=1e-11)
    np.testing.assert_allclose(gradient, sums / len(costs), rtol=1e-10, atol=1e-11 * np.abs(sums).max())
    return program.source


def value_and_grad_of(f, parameters, row):
    """Return what one sample costs and its gradient, from eager Values alone."""
    for p in parameters:
        p.grad = 0.0
    cost = f(*[x.tolist() for x in row])
    cost.backward()
    return cost.data, np.array([p.grad for p in parameters])


@pytest.mark.parametrize(
    ("cell", "lines"), [("rnn", (34, 40, 41)), ("gru", (50, 64, 85)), ("lstm", (46, 57, 69))]
)  # fmt: skip
def test_a_recurrent_net_of_few_steps_is_short(cell, lines):
    """One, two and three steps are no loop, or hardly one: their text is bounded, and computes what Values do."""
    for steps, most in zip((1, 2, 3), lines, strict=True):
        f, _, X = unrolled(cell, steps)
        text = beside_program(f, X)
        assert len(text.splitlines()) <= most
        assert max(map(len, text.splitlines())) <= 120


def test_weights_side_by_side_are_an_hstack():
    """Two matrices of one step read as such, not as a table of places in the flat array."""
    f, _, X = unrolled("gru", 1)
    assert not re.search(r"(\d+, ){9}", beside_program(f, X))


def test_a_learned_start_and_two_directions_are_bounded():
    """A first state of parameters, and a net that goes both ways along the steps."""
    parts = [
        ([[Value(RNG.normal() / 2, f"{name}[{i}][{j}]") for j in range(3 + 4)] for i in range(4)],
         [Value(RNG.normal(), f"{name}0[{i}]") for i in range(4)])
        for name in "UV"
    ]  # fmt: skip

    def last(part, xs, start):
        weights, h = part[0], start
        for x in xs:
            h = [OPS["tanh"](weighted_sum(w, [*x, *h])) for w in weights]
        return h

    X = RNG.normal(size=(3, 6, 3))
    learned = beside_program(lambda xs: sum(v * v for v in last(parts[0], xs, parts[0][1])), X)
    assert len(learned.splitlines()) <= 45
    both = beside_program(
        lambda xs: sum(v * v for part, way in zip(parts, (xs, xs[::-1]), strict=True)
                       for v in last(part, way, [0.0] * 4)), X,
    )  # fmt: skip
    assert len(both.splitlines()) <= 90
    assert max(map(len, both.splitlines())) <= 120


@pytest.mark.parametrize(("cell", "start"), [("rnn", 0.25), ("gru", 0.0), ("lstm", 0.0)])
def test_a_loop_runs_under_jax_jit(cell, start):
    """JAX differentiates the forward pass of the text as its backward pass does, whatever the first state."""
    jax = pytest.importorskip("jax", reason="jax is not installed")
    f, by_hand, X = unrolled(cell, 5, start=start)
    program = compile(f).trace(X)
    module, flat = {}, np.array([p.data for p in program.parameters])
    exec(program.source.replace("xp = np ", "import jax.numpy as xp "), module)
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        value, gradient = jax.jit(module["value_and_grad"])(flat, X)
        own = jax.jit(jax.grad(lambda flat: module["forward"](flat, X).mean()))(flat)
    finally:
        jax.config.update("jax_enable_x64", before)
    np.testing.assert_allclose(value, by_hand(X).mean(), rtol=1e-11)
    np.testing.assert_allclose(gradient, own, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(gradient, program.value_and_grad(X)[1], rtol=1e-10, atol=1e-13)


def test_one_activation_per_neuron_belongs_to_its_layer():
    """The cost begins after them."""
    last = [Value(0.1 * i, f"w{i}") for i in range(4)]
    f = lambda x: tanh(weighted_sum(last[:2], x)) * sigmoid(weighted_sum(last[2:], x))
    text = assert_the_text_is_the_program(f, RNG.normal(size=(5, 2))).source.split("def value_and_grad")[1]
    assert text.index("xp.tanh(z1[0])") < text.index("sigmoid(z1[1])") < text.index("# from the outputs to the cost")


def test_the_text_after_a_point_is_that_of_a_batch():
    """Whichever call came last, or first."""
    f = lambda x, y: (tanh(P * x) * Q - y) ** 2
    program, alone = compile(f).trace([1.0], [2.0]), compile(f)
    source = program.source
    program.value_and_grad(0.5, 2.0)
    alone(0.5, 2.0)
    assert program.source == alone.source == source
    assert "rows = len(x)" in source


def test_a_functions_name_cannot_become_code():
    """It stands in the text's own descriptions, whatever it is."""

    def f(x):
        return P * x

    f.__name__ = '"""\nimport nothing_of_the_kind\n"""'
    program = compile(f).trace(np.ones(2))
    assert ran(program)["forward"](np.array([0.5]), np.ones(2)).tolist() == [0.5, 0.5]
    debug = Value(2.0, "__debug__")
    assert ran(compile(lambda x: debug * x).trace(np.ones(2)))["forward"](np.array([2.0]), np.ones(2)).tolist() == [
        2,
        2,
    ]


def figures(program):
    """The numbers of `explain`: calls, floating-point operations, bytes of a row, bytes for all rows."""
    pattern = (
        r"emit +about ([\d,]+) .*\n.* ([\d,]+) floating-point operations, ([\d,]+) bytes\nall rows +([\d,]+) bytes"
    )
    return [int(x.replace(",", "")) for x in re.search(pattern, program.explain()).groups()]


@pytest.mark.parametrize(("filters", "places", "border"), [(1, 2, 1), (1, 3, 1), (2, 1, 1), (2, 3, 1), (2, 2, 0)])
def test_the_text_of_a_sum_of_windows_has_a_bias_that_counts_in_itself(filters, places, border):
    """Its derivative is a number, not an array: Σ over windows of the inputs by W, rows × places by each bias."""
    n = places + 1 - 2 * border
    W, b = parameters(np.arange(2.0 * filters).reshape(filters, 2), "W"), parameters(np.ones(filters), "b")

    def f(x):
        there = [(t, [k for k in range(2) if 0 <= t + k - border < n]) for t in range(places)]
        return sum(sum(W[o][k] * x[t + k - border] for k in ks) + b[o] for t, ks in there for o in range(filters))

    X = np.arange(3.0 * n).reshape(3, n)
    program = compile(f)
    program.value_and_grad(X)
    text = {}
    exec(program.source, text)
    _, found = text["value_and_grad"](np.array([p.data for p in program.parameters]), X)
    padded = np.pad(X, ((0, 0), (border, border)))
    by_w = [padded[:, k : k + places].sum() / 3.0 for k in range(2)]
    slopes = {id(p): slope for p, slope in zip(program.parameters, found, strict=True)}
    for o in range(filters):
        for p, slope in zip([*W[o], b[o]], [*by_w, places], strict=True):
            assert slopes.get(id(p), 0.0) == pytest.approx(slope)  # a weight that only meets the border is none


def test_explains_figures_counted_by_hand():
    """2-3-2 with sigmoid and half squared error."""
    program, _, _ = cost_program(3, 2)
    calls, operations, _, everything = figures(program)
    forward = 2 * 6 + 3 + 3 + 2 * 6 + 2 + 2 + (2 + 2 + 2 + 1)  # products, biases, sigmoids; y − a, its square, Σ, half
    deltas = (2 + 2 * (2 + 1)) + (2 * 6 + 3 * (2 + 2))  # a − y, and a(1 − a) times that; W₂ᵀδ₂ likewise
    weights = 2 * 6 + 2 + 2 * 6 + 3  # δaᵀ over the rows, and the biases' sums
    assert operations == pytest.approx(
        forward + deltas + weights, abs=6
    )  # a row's mean, powers: by the way they are written
    assert everything == 8 * 2 * 17
    steps = (
        kept(program).version(want(kept(program), gradient=True)).backend.text.split("def run")[1].splitlines()[1:-1]
    )
    assert calls == len(steps)
    bell = compile(lambda x: P * erf(x)).trace(np.ones(2))
    assert figures(bell)[0] == figures(compile(lambda x: P * exp(x)).trace(np.ones(2)))[0] + 19  # erf takes twenty


@pytest.mark.parametrize(
    "f",
    [
        lambda x: P * erf(x[0]) + erf(Q * x[1]), lambda x: where(x[0] > 0, P * x[0], x[1]), lambda x: softplus(P * x[0]),
        lambda x: sum(tanh(weighted_sum([*r, P, Q], x)) for r in W * 8), lambda x: [P * x[0], x[1] * x[2]],
    ],
)  # fmt: skip
def test_explains_bytes_are_those_that_are_taken(f):
    """The bytes of 4,000 more rows, by tracemalloc."""
    program = compile(f).trace(np.ones((3, 4)))
    trace = kept(program)
    fast = trace.version(want(trace, gradient=trace.shared.shape == ())).backend

    def once(rows):
        tracemalloc.start()
        instance = fast.instance(rows, trace.flat)
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert instance.rows == rows
        return size

    def taken(rows):
        return min(once(rows) for _ in range(3))  # what others happen to take meanwhile only adds

    once(100)
    assert figures(program)[2] == pytest.approx((taken(5_000) - taken(1_000)) / 4_000, rel=0.01)


def test_explain_of_several_outputs_has_no_backward_pass():
    """There is none: derivatives are of one number."""
    text = compile(network(3, 2)).trace(np.ones((2, 2))).explain()
    assert "reverse" not in text
    assert "2 matrix products forward" in text
