"""The course's formulas in NumPy, against the graph's own derivatives (REFERENCE.md, sections 1, 2 and 5)."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autodiff import OPS, Op, topological_order, total
from models.backpropagation import backpropagate, collapse, forward, gradients
from models.losses import LOSSES, half_squared_error
from models.mlp import ACTIVATIONS, MLP

GAUSSIAN = Op("gaussian", "e^-z²", lambda z: math.exp(-z * z), lambda z: np.exp(-z * z), (lambda z, r: -2.0 * z * r,))
OTHERS = [GAUSSIAN, OPS["sin"], OPS["cos"], OPS["atan"], OPS["asinh"], OPS["erf"], OPS["abs"], OPS["expm1"]]


def close(ours, graphs):
    """Equal to 1e-12 of the largest entry: where terms of a sum cancel, so do their digits."""
    ours, graphs = np.asarray(ours), np.asarray(graphs)
    assert ours.shape == graphs.shape
    np.testing.assert_allclose(ours, graphs, rtol=1e-12, atol=1e-12 * max(np.abs(graphs).max(), 1e-300))


@st.composite
def networks(draw):
    """A network of 1 to 4 layers with any activations, its weights set so that no sum grows large."""
    n_inputs = draw(st.integers(1, 4))
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    activations = [draw(st.sampled_from([*ACTIVATIONS, *OTHERS])) for _ in sizes]
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    bias = draw(st.booleans())
    mlp = MLP(n_inputs, sizes, activation=activations, bias=bias)
    widths = [n_inputs, *sizes]
    mlp.load_weights(
        [random.uniform(-1, 1, (m, n)) / n for n, m in zip(widths, sizes, strict=False)],
        [random.uniform(-0.5, 0.5, m) for m in sizes] if bias else None,
    )
    return mlp, random


def away_from_kinks(mlp, z):
    """Whether rounding, which differs between a sum and a matrix product, cannot decide on which side of a kink z is."""
    return all(
        op is None or op.kink is None or (np.abs(each) > 1e-9).all()
        for op, each in zip(mlp.activations, z, strict=True)
    )


@given(networks())
def test_the_formulas_for_one_sample_are_the_graphs_derivatives(drawn):
    """z, a, δ = ∂C/∂z, ∂C/∂w and ∂C/∂b of every layer, for random networks, activations and data."""
    mlp, random = drawn
    x, y = random.uniform(-1, 1, mlp.n_inputs), random.uniform(-1, 1, len(mlp.layers[-1].neurons))
    result = backpropagate(mlp, x, y)
    assume(away_from_kinks(mlp, result.z))
    out = mlp(x)
    C = half_squared_error(out, y.tolist() if len(y) > 1 else y.item())
    mlp.zero_grad()
    C.backward()
    assert result.cost == pytest.approx(C.data, rel=1e-12)
    nodes = {node.label: node for node in topological_order(C)}
    for i, layer in enumerate(mlp.layers):
        ends = [f"layer{i + 1}.neuron{j + 1}" for j in range(len(layer.neurons))]
        last = "z" if layer.activation is None else "a"
        close(result.z[i], [nodes[f"{end}.z"].data for end in ends])
        close(result.a[i], [nodes[f"{end}.{last}"].data for end in ends])
        close(result.delta[i], [nodes[f"{end}.z"].grad for end in ends])
        close(result.weight_gradients[i], [[w.grad for w in neuron.weights] for neuron in layer.neurons])
        if layer.neurons[0].bias is not None:
            close(result.bias_gradients[i], [neuron.bias.grad for neuron in layer.neurons])


@given(networks(), st.integers(1, 6))
def test_the_formulas_for_a_batch_are_the_graphs_derivatives(drawn, n_samples):
    """∂C/∂w and ∂C/∂b of the cost summed over the samples, and each sample's δ as when it is alone."""
    mlp, random = drawn
    X = random.uniform(-1, 1, (n_samples, mlp.n_inputs))
    Y = random.uniform(-1, 1, (n_samples, len(mlp.layers[-1].neurons)))
    result = gradients(mlp.weights(), mlp.biases(), mlp.activations, X, Y)
    assume(away_from_kinks(mlp, result.z))
    C = total(half_squared_error(mlp(x), y if len(y) > 1 else y[0]) for x, y in zip(X, Y.tolist(), strict=True))
    mlp.zero_grad()
    C.backward()
    assert result.cost == pytest.approx(C.data, rel=1e-12)
    for i, layer in enumerate(mlp.layers):
        close(result.weight_gradients[i], [[w.grad for w in neuron.weights] for neuron in layer.neurons])
        if layer.neurons[0].bias is not None:
            close(result.bias_gradients[i], [neuron.bias.grad for neuron in layer.neurons])
        close(result.delta[i][0], backpropagate(mlp, X[0], Y[0]).delta[i])


TARGETS = {  # per loss: outputs of the network, and targets of three samples
    "binary_cross_entropy": (1, [0.0, 1.0, 0.25]),
    "hinge": (1, [1.0, -1.0, 1.0]),
    "cross_entropy": (3, [0, 2, 1]),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss):
    """The formulas hold with ∂C/∂a^L of any loss, by name or as the function."""
    random = np.random.default_rng(0)
    n_outputs, y = TARGETS.get(loss, (2, random.uniform(-1, 1, (3, 2)).tolist()))
    mlp, X = MLP(2, [4, n_outputs], activation="tanh", random_state=1), random.uniform(-1, 1, (3, 2))
    C = total(LOSSES[loss](mlp(x), t) for x, t in zip(X, y, strict=True))
    C.backward()
    for given_loss in (loss, LOSSES[loss]):
        result = backpropagate(mlp, X, y, loss=given_loss)
        assert result.cost == pytest.approx(C.data, rel=1e-12)
        for i, layer in enumerate(mlp.layers):
            close(result.weight_gradients[i], [[w.grad for w in neuron.weights] for neuron in layer.neurons])
            close(result.bias_gradients[i], [neuron.bias.grad for neuron in layer.neurons])


def test_the_sigmoid_by_hand():
    """One neuron, worked on paper: δ = (a - y) a (1 - a), ∂C/∂w = δ x, ∂C/∂b = δ."""
    mlp = MLP(2, [1], output_activation="sigmoid").load_weights([[math.log(3), 0.0]], [[0.0]])
    result = backpropagate(mlp, [1.0, 2.0], 0.5)  # σ(log 3) = 3/4
    assert result.a[0] == pytest.approx([0.75], rel=1e-15)
    assert result.cost == pytest.approx(1 / 32, rel=1e-14)
    assert result.delta[0] == pytest.approx([0.25 * 0.75 * 0.25], rel=1e-14)
    assert result.weight_gradients[0] == pytest.approx(np.array([[0.046875, 0.09375]]), rel=1e-14)
    assert result.bias_gradients[0] == pytest.approx([0.046875], rel=1e-14)


def test_study_sleep_mark_by_the_formulas():
    """The course's golden run in NumPy: 2-3-1, sigmoid, no biases, α = 1 on C summed over the three rows."""
    X, y = np.array([[2, 9], [1, 5], [3, 6]]) / [3, 9], np.array([0.92, 1.0, 0.89])
    weights = [np.array([[0.5, 0.1], [-0.5, 0.2], [0.25, -0.3]]), np.array([[0.4, -0.2, 0.3]])]
    curve = []
    for _ in range(1001):
        result = gradients(weights, None, ["sigmoid", "sigmoid"], X, y)
        curve.append(result.cost * 2 / 3)
        if len(curve) <= 1000:
            weights = [w - dw for w, dw in zip(weights, result.weight_gradients, strict=True)]
    assert [curve[0], curve[1], curve[1000]] == pytest.approx(
        [0.134787897465, 0.099436798016, 0.001784305295], abs=5e-13
    )
    _, a = forward(weights, None, ["sigmoid", "sigmoid"], [[0.5, 1.0]])
    assert a[-1].item() == pytest.approx(0.939368027852, abs=5e-13)


def test_the_network_is_not_changed():
    """Neither data nor gradients of its parameters."""
    mlp = MLP(2, [3, 1], random_state=0)
    before = [p.data for p in mlp.parameters()]
    backpropagate(mlp, np.ones((4, 2)), np.ones(4))
    assert [p.data for p in mlp.parameters()] == before
    assert not any(p.swept for p in mlp.parameters())


def test_the_result_reads_as_the_course_writes_it():
    """C, then z, a, δ and the two gradients of each layer, counted from 1."""
    mlp = MLP(1, [1, 1], activation="linear").load_weights([[2.0], [3.0]], [[1.0], [0.0]])
    assert str(backpropagate(mlp, [1.0], 8.0)).splitlines() == [
        "C = 0.5",
        "layer 1: z = [3.], a = [3.], δ = [3.]",
        "  ∂C/∂w = [[3.]]",
        "  ∂C/∂b = [3.]",
        "layer 2: z = [9.], a = [9.], δ = [1.]",
        "  ∂C/∂w = [[3.]]",
        "  ∂C/∂b = [1.]",
    ]


# The collapse of stacked linear layers


@given(st.integers(1, 4), st.lists(st.integers(1, 4), min_size=1, max_size=4), st.booleans(), st.integers(0, 2**32))
def test_stacked_linear_layers_are_one_linear_map(n_inputs, sizes, bias, seed):
    """W x + b equals the stacked network's output for random networks and inputs."""
    random = np.random.default_rng(seed)
    mlp = MLP(n_inputs, sizes, activation=None, bias=bias, random_state=random)
    if bias:
        mlp.load_weights(mlp.weights(), [random.normal(size=m) for m in sizes])
    x = random.normal(size=n_inputs)
    W, b = collapse(mlp)
    out = mlp(x)
    stacked = np.array([a.data for a in (out if isinstance(out, list) else [out])])
    assert W.shape == (sizes[-1], n_inputs)
    np.testing.assert_allclose(W @ x + b, stacked, rtol=1e-10, atol=1e-12)


def test_an_activation_breaks_the_collapse():
    """The error names layer and activation; and indeed three points of such a network are on no line."""
    mlp = MLP(1, [2, 1], activation="tanh", random_state=0)
    with pytest.raises(
        ValueError, match='only layers with activation="linear" collapse into one linear map, got tanh in layer1'
    ):
        collapse(mlp)
    with pytest.raises(TypeError, match="mlp must be an MLP, got int 3"):
        collapse(3)
    low, middle, high = (mlp([x]).data for x in (0.0, 3.0, 6.0))
    assert abs(high - 2 * middle + low) > 0.1 * abs(high)
    with pytest.raises(
        ValueError, match='only layers with activation="linear" collapse into one linear map, got sigmoid in layer2'
    ):
        collapse(MLP(1, [2, 1], activation="linear", output_activation="sigmoid"))


# Bad input

W, B, A, X, Y = (
    [np.ones((3, 2)), np.ones((1, 3))],
    [np.ones(3), np.ones(1)],
    ["tanh", None],
    np.ones((5, 2)),
    np.ones(5),
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((W, B, A, np.ones(2), Y), r"X must be \(n_samples, n_inputs\), one row per sample, got \(2,\)"),
        ((W, B, A, np.ones((5, 3)), Y), r"the weights of layer 1 must be \(n_outputs, 3\), got \(3, 2\)"),
        (([W[0], W[1].T], B, A, X, Y), r"the weights of layer 2 must be \(n_outputs, 3\), got \(3, 1\)"),
        (
            (W, [np.ones(3), np.ones(2)], A, X, Y),
            r"the biases of layer 2 must be \(1,\), one per neuron, got \(2,\)",
        ),
        ((W, B[:1], A, X, Y), "weights, biases and activations must have one entry per layer, got 2, 1 and 2"),
        ((W, B, "tanh", X, Y), "weights, biases and activations must have one entry per layer, got 2, 2 and tanh"),
        (([], [], [], X, Y), "weights, biases and activations must have one entry per layer, got 0, 0 and 0"),
        ((W, B, ["tanh", "swish"], X, Y), "activation must be one of .*, got 'swish'"),
        ((W, B, A, X, np.ones(4)), r"y must have one target for each of the 5 samples, got \(4,\)"),
        ((W, B, A, X, 1.0), r"y must have one target for each of the 5 samples, got \(\)"),
        ((W, B, A, X, np.ones((5, 2))), r"y must be \(5, 1\), like the outputs, got \(5, 2\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(arguments, message):
    """The error names the layer or the argument, what it takes and what it got."""
    with pytest.raises(ValueError, match=message):
        gradients(*arguments)


def test_an_unknown_loss_is_refused():
    """The message lists the known ones."""
    with pytest.raises(ValueError, match=r"loss must be one of .*half_squared_error.*, got 'mse'"):
        gradients(W, B, A, X, Y, loss="mse")


def test_one_target_vector_must_have_one_entry_per_output():
    """For one sample too."""
    with pytest.raises(ValueError, match=r"y must be \(1, 2\), like the outputs, got \(1, 3\)"):
        backpropagate(MLP(2, [2]), [1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match=r"y must be numbers, one target for each sample, got \[None\]"):
        backpropagate(MLP(2, [1]), [1.0, 2.0], None)


@pytest.mark.parametrize("x", [[1.0], 1.0, [], [[1.0, 2.0, 3.0]], np.ones((1, 1, 2))])
def test_a_sample_of_another_width_is_the_samples_fault(x):
    """The error says what the network takes and what x is, and nothing of weights."""
    with pytest.raises(
        ValueError,
        match=r"MLP\(2 → 1 linear, 3 parameters\) takes one sample, x of shape \(2,\), or a batch, \(n_samples, 2\), got \(",
    ):
        backpropagate(MLP(2, [1]), x, 1.0)
