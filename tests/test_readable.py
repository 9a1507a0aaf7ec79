"""The readable text of a program, and what `explain` says of it."""

import importlib.util
import re
import subprocess
import sys

import numpy as np
import pytest

from autodiff import (
    OPS,
    Op,
    Value,
    compile,
    erf,
    exp,
    log,
    logsumexp,
    mean,
    no_grad,
    sqrt,
    tanh,
    total,
    weighted_sum,
    where,
)
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
    """What `no_grad` keeps constant: sums of every kind among it."""
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
