"""equations: the course's formulas with numbers and LaTeX, each line against the graph and the textbook."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import Op
from models import MLP, equations
from models.losses import cross_entropy, half_squared_error


@settings(max_examples=20)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.booleans(), st.integers(0, 1000))
def test_every_line_is_the_graphs_derivative(sizes, bias, seed):
    """δ^l, ∂C/∂w^l and ∂C/∂b^l are what backward() leaves in the nodes labelled so; the network's own grads stay."""
    mlp = MLP(3, sizes, activation="tanh", output_activation="sigmoid", bias=bias, random_state=seed)
    x = np.random.default_rng(seed).uniform(-1, 1, 3)
    y = [0.5] * sizes[-1] if sizes[-1] > 1 else 0.5
    mlp.parameters()[0].grad = 42.0
    told = equations(mlp, x, y)
    assert mlp.parameters()[0].grad == 42.0
    assert not any(p.swept for p in mlp.parameters()[1:])
    mlp.zero_grad()
    half_squared_error(mlp(x), y).backward()
    names = [(line.name, line.layer) for line in told.lines]
    kinds = ["δ", "∂C/∂w", "∂C/∂b"] if bias else ["δ", "∂C/∂w"]
    assert names == [(kind, l) for l in range(len(sizes), 0, -1) for kind in kinds]
    for line in told.lines:
        neurons = mlp.layers[line.layer - 1].neurons
        if line.name == "∂C/∂w":
            wanted = [[w.grad for w in neuron.weights] for neuron in neurons]
        elif bias:  # δ = ∂C/∂z is what a bias has
            wanted = [neuron.bias.grad for neuron in neurons]
        else:
            continue
        np.testing.assert_allclose(line.value, wanted, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(line.graph, wanted, rtol=1e-9, atol=1e-15)


def numbers(latex):
    """Every pmatrix in a line as an array."""
    blocks = re.findall(r"\\begin\{pmatrix\} (.*?) \\end\{pmatrix\}", latex)
    return [
        np.array(
            [
                [float(re.sub(r" \\times 10\^\{(-?\d+)\}", r"e\1", x)) for x in row.split(" & ")]
                for row in block.split(r" \\ ")
            ]
        )
        for block in blocks
    ]


def test_the_numbers_in_the_latex_satisfy_the_equation():
    """Read back from the LaTeX, each right-hand side computed by NumPy is the last matrix: to the digits shown."""
    mlp = MLP(2, [3, 2], activation="sigmoid", output_activation="sigmoid", random_state=1)
    told = equations(mlp, [0.5, -1.0], [1.0, 0.0], digits=12)
    last, by_w, by_b, hidden, by_w1, _ = (numbers(line.latex) for line in told.lines)
    np.testing.assert_allclose(last[0] * last[1], last[2], rtol=1e-10)
    np.testing.assert_allclose(by_w[0] @ by_w[1], by_w[2], rtol=1e-10)
    np.testing.assert_allclose(by_b[0], last[2], rtol=1e-10)
    np.testing.assert_allclose((hidden[0] @ hidden[1]) * hidden[2], hidden[3], rtol=1e-10)
    np.testing.assert_allclose(by_w1[0] @ by_w1[1], by_w1[2], rtol=1e-10)
    np.testing.assert_allclose(hidden[0], mlp.layers[1].weights().T, rtol=1e-10)
    a, y = told.result.a[-1], np.array([1.0, 0.0])
    np.testing.assert_allclose(last[0].ravel(), a - y, rtol=1e-10)  # ∂C/∂a = a − y
    np.testing.assert_allclose(last[1].ravel(), a * (1 - a), rtol=1e-10)  # σ' = a(1 − a)


def test_the_symbols_are_the_courses():
    """The four formulas, as the slides write them."""
    mlp = MLP(2, [3, 1], activation="sigmoid", output_activation="sigmoid", random_state=1)
    told = equations(mlp, [0.5, -1.0], 1.0)
    symbols = [line.latex.split(r" = \begin{pmatrix}")[0] for line in told.lines]
    assert symbols == [
        r"\delta^{2} = \frac{\partial C}{\partial a^{2}} \odot \sigma'(z^{2})",
        r"\frac{\partial C}{\partial w^{2}} = \delta^{2} (a^{1})^{\mathsf T}",
        r"\frac{\partial C}{\partial b^{2}} = \delta^{2}",
        r"\delta^{1} = (w^{2})^{\mathsf T} \delta^{2} \odot \sigma'(z^{1})",
        r"\frac{\partial C}{\partial w^{1}} = \delta^{1} (a^{0})^{\mathsf T}",
        r"\frac{\partial C}{\partial b^{1}} = \delta^{1}",
    ]
    assert told.latex.count("&=") == 6
    assert told._repr_latex_().startswith("$\\displaystyle \\begin{aligned}")


@pytest.mark.parametrize("sizes", [[1], [3, 1], [12, 9, 2]])
def test_the_latex_compiles(sizes):
    """Every entry and every symbol by matplotlib's parser; environments open and close; large matrices are cut short."""
    mathtext = pytest.importorskip("matplotlib.mathtext")
    mlp = MLP(8, sizes, activation="tanh", random_state=0)
    told = equations(mlp, [1e-7, 1, 2, 3, 4, 5, 6, 7], [0.5] * sizes[-1] if sizes[-1] > 1 else 0.5)
    for line in told.lines:
        pieces = re.split(r"\\(?:begin|end)\{pmatrix\}| & | \\\\ ", line.latex)
        for piece in filter(str.strip, pieces):
            # matplotlib knows neither the sans-serif letter by this name nor an index on nothing
            mathtext.MathTextParser("path").parse(f"${piece.replace('mathsf T', 'mathsf{T}')}$")
        assert line.latex.count(r"\begin{pmatrix}") == line.latex.count(r"\end{pmatrix}")
        assert all(block.count(r" \\ ") < 6 for block in line.latex.split(r"\begin{pmatrix}"))
        assert len(str(line)) < 1_500
    assert (r"\ddots" in told.latex) == (max(sizes) > 6)


def test_any_loss_will_do():
    """Cross-entropy of logits: ∂C/∂a^L is softmax(z) minus the target's one."""
    mlp = MLP(2, [3], random_state=0)
    told = equations(mlp, [1.0, 2.0], 2, loss="cross_entropy")
    z = told.result.z[0]
    np.testing.assert_allclose(told.lines[0].value, np.exp(z) / np.exp(z).sum() - [0, 0, 1], rtol=1e-12)
    assert told.result.cost == pytest.approx(cross_entropy(z, 2))


def test_a_loss_that_does_not_ask_the_network_has_no_slopes():
    """A constant: every derivative is 0, by the formulas and by the graph."""
    told = equations(
        MLP(2, [2, 1], activation="tanh", random_state=0), [1.0, 2.0], 0.0, loss=lambda output, target: 3.0
    )
    assert told.result.cost == 3.0
    for line in told.lines:
        assert not np.any(line.value)
        assert not np.any(line.graph)


def test_infinite_derivatives_are_written_as_such():
    """√ of a loss of 0 has an infinite slope: ∞ in LaTeX, and 0 · ∞ = 0 where nothing is handed on."""
    mlp = MLP(1, [1], output_activation="linear", random_state=0).load_weights([[[0.0]]], [[0.0]])
    for sign, shown in ((1.0, r"\infty"), (-1.0, r"-\infty")):
        told = equations(mlp, [1.0], 0.0, loss=lambda output, target, sign=sign: sign * output**0.5)
        assert told.lines[0].value.tolist() == [sign * np.inf]
        assert rf"\begin{{pmatrix}} {shown} \end{{pmatrix}}" in told.lines[0].latex


def test_a_formula_that_disagrees_with_the_graph_is_not_shown():
    """An operation whose partial differs between floats and arrays is caught, and named by layer."""
    wrong = Op(
        "wrong", "w", lambda z: 2.0 * z, lambda z: 2.0 * z, (lambda z, r: 2.0 if isinstance(z, float) else 2.001,)
    )
    mlp = MLP(2, [2, 1], activation=wrong, random_state=0)
    with pytest.raises(ArithmeticError, match=r"δ of layer 1 is .* by the course's formula and"):
        equations(mlp, [1.0, 2.0], 0.0)


def test_bad_arguments_are_refused():
    """A batch, no sample at all, something that is not a network, numbers of digits that are none."""
    mlp = MLP(2, [1], random_state=0)
    with pytest.raises(ValueError, match="ONE sample"):
        equations(mlp, np.zeros((3, 2)), np.zeros(3))
    for no_sample in ("ab", None, 3.0):
        with pytest.raises(TypeError, match="x must be one sample, a sequence of 2 numbers, got"):
            equations(mlp, no_sample, 1.0)
    with pytest.raises(TypeError, match="equations takes an MLP, got Layer"):
        equations(mlp.layers[0], [0.0, 0.0], 1.0)
    with pytest.raises(ValueError, match="digits must be a whole number, 1 or more, got 0"):
        equations(mlp, [0.0, 0.0], 1.0, digits=0)
    with pytest.raises(ValueError, match="max_size must be a whole number, 3 or more, got 2"):
        equations(mlp, [0.0, 0.0], 1.0, max_size=2)
