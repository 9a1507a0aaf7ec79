"""Neurons, layers and networks: what they compute, what their nodes are called, how their weights start."""

import copy
import math
import pickle

import numpy as np
import pytest

from autodiff import OPS, Op, Value, leaky_relu, no_grad, softmax, topological_order
from autodiff import sigmoid as sigmoid_op
from models.activations import ACTIVATIONS, activate, activation_by_name, slope
from models.initialization import INITIALIZATIONS, initial_weights, random_generator
from models.mlp import MLP, Layer, Neuron

GAUSSIAN = Op("gaussian", "e^-z²", lambda z: math.exp(-z * z), lambda z: np.exp(-z * z), (lambda z, r: -2.0 * z * r,))


def inner(root):
    return [node for node in topological_order(root) if node.op is not None]


# What they compute


@pytest.mark.parametrize("x", [[0.3, -0.7], (2, -1), np.array([-1.5, 0.25]), np.array([1, 2], dtype=np.int32)], ids=str)
def test_the_network_of_micrograd(x):
    """With micrograd's weights, MLP(2, [16, 16, 1]) gives its outputs and all its gradients."""
    nn = pytest.importorskip("micrograd.nn", reason="micrograd is a development dependency")
    theirs = nn.MLP(2, [16, 16, 1])
    for i, p in enumerate(theirs.parameters()):
        p.data += math.sin(i)  # biases too: theirs start at 0
    mlp = MLP(2, [16, 16, 1]).load_weights(
        [[[w.data for w in n.w] for n in layer.neurons] for layer in theirs.layers],
        [[n.b.data for n in layer.neurons] for layer in theirs.layers],
    )
    out, expected = mlp(x), theirs([float(each) for each in x])
    out.backward()
    expected.backward()
    assert out.data == pytest.approx(expected.data, rel=1e-12)
    assert [p.grad for p in mlp.parameters()] == pytest.approx([p.grad for p in theirs.parameters()], rel=1e-12)


def test_the_network_of_pytorch():
    """With PyTorch's weights, tanh then sigmoid give its outputs and gradients."""
    torch = pytest.importorskip("torch", reason="torch is a development dependency")
    torch.manual_seed(0)
    first, last = torch.nn.Linear(3, 4, dtype=torch.float64), torch.nn.Linear(4, 2, dtype=torch.float64)
    x = [0.5, -1.0, 2.0]
    theirs = torch.sigmoid(last(torch.tanh(first(torch.tensor(x, dtype=torch.float64)))))
    theirs.sum().backward()
    mlp = MLP(3, [4, 2], activation="tanh", output_activation="sigmoid")
    mlp.load_weights([first.weight.detach(), last.weight.detach()], [first.bias.detach(), last.bias.detach()])
    out = mlp(x)
    (out[0] + out[1]).backward()
    assert [a.data for a in out] == pytest.approx(theirs.tolist(), rel=1e-12)
    for layer, linear in zip(mlp.layers, (first, last), strict=True):
        assert [[w.grad for w in n.weights] for n in layer.neurons] == pytest.approx(
            linear.weight.grad.numpy(), rel=1e-12
        )
        assert [n.bias.grad for n in layer.neurons] == pytest.approx(linear.bias.grad.numpy(), rel=1e-12)


def test_study_sleep_mark_on_values():
    """The course's 2-3-1 sigmoid net without biases: mean squared errors along gradient descent at α = 1, and the prediction."""
    X = np.array([[2, 9], [1, 5], [3, 6]]) / [3, 9]
    y = [0.92, 1.0, 0.89]
    mlp = MLP(2, [3, 1], activation="sigmoid", output_activation="sigmoid", bias=False)
    mlp.load_weights([[[0.5, -0.5, 0.25], [0.1, 0.2, -0.3]], [0.4, -0.2, 0.3]], rows="inputs")
    curve = []
    for _ in range(1001):
        C = sum((t - mlp(x)) ** 2 for x, t in zip(X, y, strict=True)) / 2
        curve.append(C.data * 2 / 3)
        if len(curve) <= 1000:
            mlp.zero_grad()
            C.backward()
            for w in mlp.parameters():
                w.data -= w.grad
    assert [curve[0], curve[1], curve[1000]] == pytest.approx(
        [0.134787897465, 0.099436798016, 0.001784305295], abs=5e-13
    )
    assert mlp([0.5, 1.0]).data == pytest.approx(0.939368027852, abs=5e-13)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, GAUSSIAN, OPS["sin"], None], ids=str)
def test_a_neuron_is_one_weighted_sum_and_one_activation(activation):
    """z = Σ wᵢxᵢ + b and a = σ(z), as two nodes; without activation only the first."""
    neuron = Neuron(3, activation, random_state=0, label="n")
    x = [0.5, Value(-1.0, "x2"), 2]
    a = neuron(x)
    z = sum(w.data * v for w, v in zip(neuron.weights, [0.5, -1.0, 2.0], strict=True))
    linear = neuron.activation is None
    assert [node.label for node in inner(a)] == (["n.z"] if linear else ["n.a", "n.z"])
    assert inner(a)[-1].op is OPS["weighted_sum"]
    assert inner(a)[-1].data == pytest.approx(z)
    assert a.data == pytest.approx(activate(neuron.activation, z))
    a.backward()
    assert x[1].grad == pytest.approx(slope(neuron.activation, z, a.data) * neuron.weights[1].data)


def test_leaky_relu_is_that_of_autodiff():
    """By name, as the row of the table or as the function: the slope below 0 is the function's default."""
    for given in ("leaky_relu", leaky_relu, OPS["leaky_relu"]):
        neuron = Neuron(1, given, initialization="zeros")
        neuron.bias.data = -2.0
        a = neuron([1.0])
        a.backward()
        assert a.data == leaky_relu(-2.0) == -0.02
        assert neuron.bias.grad == leaky_relu(1.0) * 0.01 == slope(neuron.activation, -2.0, -0.02)


def test_one_output_is_a_value_and_several_are_a_list():
    """Layers and networks alike; a network may narrow to one neuron on its way."""
    assert isinstance(Layer(2, 1)([1.0, 2.0]), Value)
    assert isinstance(MLP(2, [3, 1])([1.0, 2.0]), Value)
    for model in (MLP(2, [1, 3]), Layer(2, 3)):
        outputs = model([1.0, 2.0])
        assert isinstance(outputs, list)
        assert [isinstance(a, Value) for a in outputs] == [True] * 3


def test_one_input_may_be_given_bare():
    """A network of one input takes a number or a Value as it is, and δ reaches that Value."""
    mlp = MLP(1, [2, 1], activation="tanh", random_state=1)
    x = Value(0.4, "x")
    mlp(x).backward()
    assert mlp(x).data == mlp(0.4).data == mlp([0.4]).data == mlp(np.array(0.4)).data
    (w1, w2), h = mlp.weights(), 1e-6
    f = lambda v: (w2 @ np.tanh(w1[:, 0] * v)).item()
    assert x.grad == pytest.approx((f(0.4 + h) - f(0.4 - h)) / (2 * h), rel=1e-8)


def test_inside_no_grad_nothing_is_recorded():
    """Prediction alone gives leaves, with their labels."""
    mlp = MLP(2, [2, 1], random_state=0)
    with no_grad():
        out = mlp([1.0, 2.0])
    assert out.operands == ()
    assert out.label == "layer2.neuron1.z"
    assert out.data == mlp([1.0, 2.0]).data


# Names, parameters, appearance


def test_every_value_is_labelled_by_its_path():
    """Parameters in order, layer by layer and neuron by neuron, then z and a of each neuron."""
    mlp = MLP(2, [2, 1], activation="tanh", random_state=0)
    assert [p.label for p in mlp.parameters()] == [
        "layer1.neuron1.weight1", "layer1.neuron1.weight2", "layer1.neuron1.bias",
        "layer1.neuron2.weight1", "layer1.neuron2.weight2", "layer1.neuron2.bias",
        "layer2.neuron1.weight1", "layer2.neuron1.weight2", "layer2.neuron1.bias",
    ]  # fmt: skip
    assert {node.label for node in inner(mlp([1.0, 2.0]))} == {
        "layer1.neuron1.z", "layer1.neuron1.a", "layer1.neuron2.z", "layer1.neuron2.a", "layer2.neuron1.z",
    }  # fmt: skip
    named = MLP(1, [1], label="policy")
    assert [p.label for p in named.parameters()] == ["policy.layer1.neuron1.weight1", "policy.layer1.neuron1.bias"]
    assert [p.label for p in Layer(1, 1, label="out").parameters()] == ["out.neuron1.weight1", "out.neuron1.bias"]
    assert [p.label for p in Neuron(1).parameters()] == ["weight1", "bias"]


def test_errors_of_the_engine_name_the_neuron():
    """A weighted sum outside the activation's domain is found by its label."""
    layer = Layer(1, 1, OPS["log"], initialization="zeros", label="layer1")
    with pytest.raises(ValueError, match=r"log of 0.0, outside \(0, ∞\), in 'layer1.neuron1.z'"):
        layer([1.0])


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        (MLP(2, [16, 16, 1]), "MLP(2 → 16 relu → 16 relu → 1 linear, 337 parameters)"),
        (MLP(2, [3, 1], activation=["tanh", "sigmoid"], bias=False), "MLP(2 → 3 tanh → 1 sigmoid, 9 parameters)"),
        (Layer(3, 2, GAUSSIAN), "Layer(3 → 2 gaussian, 8 parameters)"),
        (Neuron(1, None, bias=False), "Neuron(1 → 1 linear, 1 parameter)"),
    ],
)
def test_the_repr_says_the_architecture(model, shown):
    """Widths, activations and the number of parameters, which is that of `parameters()`."""
    assert repr(model) == shown
    assert f" {len(model.parameters())} parameter" in shown


def test_without_bias():
    """No bias is made, and all-zero inputs give σ(0)."""
    mlp = MLP(2, [2, 1], activation="sigmoid", output_activation="sigmoid", bias=False, random_state=0)
    assert len(mlp.parameters()) == 6
    assert all(n.bias is None for layer in mlp.layers for n in layer.neurons)
    assert mlp.layers[0]([0.0, 0.0])[1].data == 0.5
    assert mlp.biases()[0].tolist() == [0.0, 0.0]


def test_zero_grad_forgets_every_gradient():
    """After it a second sweep gives the same gradients, not twice as much."""
    mlp = MLP(2, [3, 1], activation="tanh", random_state=0)
    mlp([1.0, 2.0]).backward()
    once = [p.grad for p in mlp.parameters()]
    mlp.zero_grad()
    assert not any(p.swept for p in mlp.parameters())
    mlp([1.0, 2.0]).backward()
    assert [p.grad for p in mlp.parameters()] == once
    assert any(once)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_a_copy_is_independent(clone):
    """It gives the same outputs, and changing it leaves the original as it was."""
    mlp = MLP(2, [3, 1], activation="leaky_relu", random_state=0)
    before = mlp([1.0, 2.0]).data
    other = clone(mlp)
    assert other([1.0, 2.0]).data == before
    assert other.activations == mlp.activations
    other.parameters()[-1].data += 1.0
    assert other([1.0, 2.0]).data == pytest.approx(before + 1.0)
    assert mlp([1.0, 2.0]).data == before


def test_activations_per_layer():
    """A list names one per layer, the last included; otherwise one for the hidden layers and one for the last."""
    mlp = MLP(1, [1, 1, 1], activation=["tanh", GAUSSIAN, "sigmoid"])
    assert mlp.activations == [OPS["tanh"], GAUSSIAN, sigmoid_op]
    assert MLP(1, [1, 1, 1], activation="tanh", output_activation="step").activations == [OPS["tanh"]] * 2 + [
        OPS["step"]
    ]
    assert MLP(1, [1, 1]).activations == [OPS["relu"], None]
    assert MLP(1, [1], activation="linear").activations == [None]


def test_a_layer_of_mixed_neurons_has_no_single_activation():
    """It still computes; only asking for THE activation fails, naming the layer."""
    mlp = MLP(1, [2, 1])
    mlp.layers[0].neurons[1].activation = OPS["tanh"]
    assert repr(mlp) == "MLP(1 → 2 relu/tanh → 1 linear, 7 parameters)"
    with pytest.raises(ValueError, match="layer1 must have one activation for this, got relu, tanh"):
        _ = mlp.activations


# How weights start

BOUNDS = {  # U(-bound, bound), for n inputs and m outputs
    "xavier_uniform": lambda n, m: math.sqrt(6) / math.sqrt(n + m),
    "he_uniform": lambda n, m: math.sqrt(6 / n),
    "lecun_uniform": lambda n, m: math.sqrt(3 / n),
    "uniform": lambda n, m: 1.0,
}
DEVIATIONS = {
    "xavier_normal": lambda n, m: math.sqrt(2 / (n + m)),
    "he_normal": lambda n, m: math.sqrt(2 / n),
    "lecun_normal": lambda n, m: 1 / math.sqrt(n),
}


@pytest.mark.parametrize("name", [*BOUNDS, *DEVIATIONS])
def test_the_distribution_is_that_of_the_paper(name):
    """20,000 weights pass a Kolmogorov–Smirnov test against it, and fail one against it made 5 % wider."""
    stats = pytest.importorskip("scipy.stats", reason="scipy is a development dependency")
    n, m = 200, 100
    w = initial_weights(name, n, m, random_state=0).ravel()

    def p_value(widen):
        if name in BOUNDS:
            bound = widen * BOUNDS[name](n, m)
            return stats.kstest(w, stats.uniform(-bound, 2 * bound).cdf).pvalue
        return stats.kstest(w, stats.norm(0, widen * DEVIATIONS[name](n, m)).cdf).pvalue

    assert p_value(1.0) > 0.01
    assert p_value(1.05) < 0.01


@pytest.mark.parametrize("name", BOUNDS)
def test_uniform_weights_fill_their_interval(name):
    """None is outside the bound, and the largest is close to it; needs no oracle but the papers' formulas."""
    w, bound = initial_weights(name, 50, 80, random_state=1), BOUNDS[name](50, 80)
    assert w.shape == (80, 50)
    assert 0.999 * bound < abs(w).max() <= bound


@pytest.mark.parametrize(
    ("name", "torch_name"),
    [
        ("xavier_uniform", "xavier_uniform_"),
        ("xavier_normal", "xavier_normal_"),
        ("he_uniform", "kaiming_uniform_"),
        ("he_normal", "kaiming_normal_"),
    ],
)
def test_the_spread_is_pytorchs(name, torch_name):
    """The deviation over 60,000 weights is that of torch.nn.init for ReLU, to a few standard errors."""
    torch = pytest.importorskip("torch", reason="torch is a development dependency")
    torch.manual_seed(0)
    options = {"nonlinearity": "relu"} if "kaiming" in torch_name else {}
    theirs = getattr(torch.nn.init, torch_name)(torch.empty(200, 300, dtype=torch.float64), **options)
    assert initial_weights(name, 300, 200, random_state=0).std() == pytest.approx(theirs.std().item(), rel=0.015)


@pytest.mark.parametrize(("name", "factor"), [("he", 1.0), ("he_uniform", 1.0), ("xavier", 0.5), ("lecun", 0.5)])
def test_the_signal_through_relu_layers(name, factor):
    """The point of He et al.: 8 ReLU layers of 300 keep the mean square; the older rules halve it in each."""
    random = random_generator(0)
    signal = random.normal(size=(50, 300))
    for _ in range(8):
        signal = np.maximum(signal @ initial_weights(name, 300, 300, random_state=random).T, 0.0)
    assert np.mean(signal**2) ** (1 / 8) == pytest.approx(factor, rel=0.07)


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("he", "he_normal"),
        ("xavier", "xavier_uniform"),
        ("glorot", "xavier_uniform"),
        ("glorot_uniform", "xavier_uniform"),
        ("glorot_normal", "xavier_normal"),
        ("lecun", "lecun_normal"),
    ],
)
def test_short_names(short, full):
    """A short name draws the very numbers of the name it stands for."""
    assert (initial_weights(short, 3, 4, random_state=5) == initial_weights(full, 3, 4, random_state=5)).all()


@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_every_initialization_serves_a_network(name):
    """Biases start at 0; the scale multiplies every weight."""
    mlp, doubled = (MLP(3, [4, 2], initialization=name, scale=s, random_state=2) for s in (1.0, 2.0))
    for w, w2, b in zip(mlp.weights(), doubled.weights(), mlp.biases(), strict=True):
        assert w2 == pytest.approx(2 * w, rel=1e-15)
        assert (w == 0).all() == (name == "zeros")
        assert not b.any()


def test_weights_are_drawn_for_the_layer_as_a_whole():
    """Xavier's bound in a layer counts all its outputs, not one neuron's."""
    layer = Layer(2, 200, initialization="xavier", random_state=0)
    assert abs(layer.weights()).max() <= math.sqrt(6 / 202)
    assert (layer.weights() == initial_weights("xavier", 2, 200, random_state=0)).all()


def test_random_state_decides_the_weights_and_numpys_own_is_left_alone():
    """An int or a Generator repeats a network, None does not; layers differ; the global state does not move."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002 # it is what must not change
    same = [MLP(2, [3, 3], random_state=s).weights() for s in (3, np.int64(3), np.random.default_rng(3))]
    assert all((w == same[0][i]).all() for each in same for i, w in enumerate(each))
    assert (MLP(2, [3]).weights()[0] != MLP(2, [3]).weights()[0]).any()
    assert (MLP(3, [3, 3], random_state=3).weights()[0] != MLP(3, [3, 3], random_state=3).weights()[1]).any()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


# Known weights


def test_known_weights_by_rows_of_outputs_or_of_inputs():
    """Both give the same network, which gives back what was loaded, transposed or not."""
    w1, w2, b1, b2 = (
        np.arange(6.0).reshape(3, 2),
        np.array([[7.0, 8.0, 9.0]]),
        np.array([1.0, 2.0, 3.0]),
        np.array([4.0]),
    )
    mlp, other = MLP(2, [3, 1]), MLP(2, [3, 1])
    assert mlp.load_weights([w1, w2], [b1, b2]) is mlp
    other.load_weights([w1.T.tolist(), w2.T.tolist()], [b1.tolist(), [4]], rows="inputs")
    for net in (mlp, other):
        assert [w.tolist() for w in net.weights()] == [w1.tolist(), w2.tolist()]
        assert [b.tolist() for b in net.biases()] == [[1.0, 2.0, 3.0], [4.0]]
    assert mlp([1.0, -1.0]).data == (w2 @ np.maximum(w1 @ [1.0, -1.0] + b1, 0.0) + b2).item()


def test_biases_that_are_not_given_stay():
    """And zeros are accepted where there are none, so that networks can be copied into each other."""
    mlp = MLP(1, [1]).load_weights([[1.0]], [[5.0]]).load_weights([[2.0]])
    assert mlp.biases()[0].tolist() == [5.0]
    free = MLP(1, [1], bias=False, random_state=0)
    assert MLP(1, [1], bias=False).load_weights(free.weights(), free.biases()).weights() == free.weights()


@pytest.mark.parametrize(
    ("weights", "biases", "rows", "message"),
    [
        ([np.ones((3, 2))], None, "outputs", "weights must have one entry per layer, 2, got 1"),
        (None, None, "outputs", "weights must have one entry per layer, 2, got None"),
        (3.0, None, "outputs", r"weights must have one entry per layer, 2, got 3\.0"),
        ([np.ones((3, 2)), np.ones(3)], [np.ones(3)], "outputs", "biases must have one entry per layer, 2, got 1"),
        (
            [np.ones((2, 3)), np.ones(3)],
            None,
            "outputs",
            r'layer1 must be \(3, 2\), rows are outputs, got \(2, 3\); if its rows are inputs, pass rows="inputs"',
        ),
        (
            [np.ones((3, 2)), np.ones((3, 1))],
            None,
            "inputs",
            r"layer1 must be \(2, 3\), rows are inputs, got \(3, 2\); if its rows are outputs",
        ),
        ([np.ones((3, 2)), np.ones(4)], None, "outputs", r"layer2 must be \(1, 3\), rows are outputs, got \(4,\)$"),
        (
            [np.ones((3, 2)), [1, 2, math.nan]],
            None,
            "outputs",
            "weights of layer2 must be finite numbers, got nan",
        ),
        (
            [np.ones((3, 2)), np.ones(3)],
            [np.ones(3), [1, 2]],
            "outputs",
            r"biases of layer2 must be \(1,\), got \(2,\)",
        ),
        (
            [np.ones((3, 2)), np.ones(3)],
            [np.ones(3), [math.inf]],
            "outputs",
            "biases of layer2 must be finite numbers, got inf",
        ),
        ([np.ones((3, 2)), np.ones(3)], None, "columns", 'rows must be "outputs" or "inputs", got \'columns\''),
    ],
)
def test_weights_that_do_not_fit_change_nothing(weights, biases, rows, message):
    """The error names the layer, the shape it takes and the shape it got; no parameter moved."""
    mlp = MLP(2, [3, 1], random_state=0)
    before = [p.data for p in mlp.parameters()]
    with pytest.raises(ValueError, match=message):
        mlp.load_weights(weights, biases, rows=rows)
    assert [p.data for p in mlp.parameters()] == before


def test_a_network_without_biases_takes_none():
    """Other biases than 0 are refused before any weight is set."""
    mlp = MLP(1, [1], bias=False, random_state=0)
    before = mlp.weights()[0][0, 0]
    with pytest.raises(ValueError, match=r"layer1 was made with bias=False and cannot take the biases \[3.\]"):
        mlp.load_weights([[2.0]], [[3.0]])
    assert mlp.weights()[0][0, 0] == before


# Bad input


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MLP(0, [1]), ValueError, "n_inputs must be a whole number, 1 or more, got 0"),
        (lambda: MLP(2, [3, -1]), ValueError, r"sizes\[1\] must be a whole number, 1 or more, got -1"),
        (lambda: MLP(2, [3, 1.0]), ValueError, r"sizes\[1\] must be a whole number, 1 or more, got 1.0"),
        (lambda: MLP(2, [True]), ValueError, r"sizes\[0\] must be a whole number, 1 or more, got True"),
        (lambda: MLP("2", [1]), ValueError, "n_inputs must be a whole number, 1 or more, got '2'"),
        (lambda: MLP(2, []), ValueError, "sizes must have at least one layer"),
        (lambda: MLP(2, 3), TypeError, r"sizes must be a sequence, .* such as \[16, 16, 1\], got 3"),
        (lambda: MLP(2, "31"), TypeError, "sizes must be a sequence"),
        (lambda: MLP(2, 3, 1), TypeError, r"sizes must be one sequence, .* got 3, 1; write the list \[3, 1\]"),
        (lambda: MLP(2, [3, 1], "tanh"), TypeError, r"sizes must be one sequence, .* pass 'tanh' by name"),
        (lambda: Layer(2, 0), ValueError, "n_outputs must be a whole number, 1 or more, got 0"),
        (lambda: Neuron(-3), ValueError, "n_inputs must be a whole number, 1 or more, got -3"),
        (
            lambda: MLP(2, [1, 1], activation="reLU"),
            ValueError,
            r"activation must be one of linear, step, sigmoid, tanh, relu, leaky_relu, softplus,",
        ),
        (lambda: MLP(2, [1], output_activation="swish"), ValueError, "activation must be one of .*, got 'swish'"),
        (
            lambda: MLP(2, [1, 1], activation=["tanh"]),
            ValueError,
            "activation must have one entry per layer, 2, got 1",
        ),
        (
            lambda: MLP(2, [1], activation=["tanh"], output_activation="tanh"),
            ValueError,
            "output_activation must be left out when activation has one entry per layer, the last for the output",
        ),
        (lambda: Neuron(2, math.tanh), TypeError, "an Op of one operand or None, got <built-in function tanh>"),
        (lambda: Neuron(2, OPS["maximum"]), TypeError, "an Op of one operand or None, got <Op maximum>"),
        (lambda: Neuron(2, softmax), TypeError, "softmax belongs to the loss: cross_entropy"),
        (
            lambda: MLP(2, [1], initialization="kaiming"),
            ValueError,
            r"initialization must be one of .*he_normal.*zeros.*, got 'kaiming'",
        ),
        (lambda: MLP(2, [1], initialization=None), ValueError, "initialization must be one of .*, got None"),
        (
            lambda: MLP(2, [1], initialization="uniform", scale=0.0),
            ValueError,
            "scale must be a finite number above 0, got 0.0",
        ),
        (lambda: MLP(2, [1], scale=math.nan), ValueError, "scale must be a finite number above 0, got nan"),
        (
            lambda: MLP(2, [1], random_state=-1),
            ValueError,
            "random_state must be None, an int of 0 or more, or a generator, got int -1",
        ),
        (
            lambda: MLP(2, [1], random_state=0.5),
            TypeError,
            "random_state must be None, an int of 0 or more, or a generator, got float 0.5",
        ),
        (lambda: MLP(2, [1], bias=0.5), TypeError, "bias must be True or False, got 0.5"),
        (lambda: MLP(2, [1], label=3), TypeError, "label must be text, got 3"),
    ],
)
def test_bad_arguments_are_refused(make, error, message):
    """Each error names the argument, what it was, and what is known."""
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "bad",
    [{"activation": ["tanh", "swish"]}, {"bias": None}, {"label": None}, {"scale": -1}, {"initialization": "none"}],
    ids=str,
)
def test_a_refused_network_draws_no_random_numbers(bad):
    """The caller's generator is where it was."""
    random = np.random.default_rng(0)
    with pytest.raises((ValueError, TypeError)):
        MLP(2, [3, 1], random_state=random, **bad)
    assert random.random() == np.random.default_rng(0).random()


def test_what_estimators_have_and_modules_lack_is_told_where_to_find():
    """Any other attribute is missed in Python's own words."""
    net = MLP(2, [1])
    with pytest.raises(
        AttributeError, match=r"'MLP' object has no attribute 'fit'; .* by train\(model, X, y\), or is an"
    ):
        net.fit([[0.0, 1.0]], [1.0])
    with pytest.raises(AttributeError, match=r"'MLP' object has no attribute 'layer'$"):
        net.layer
    assert not hasattr(net, "predict")


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([1.0], ValueError, r"MLP\(2 → 1 linear, 3 parameters\) takes 2 inputs, got 1"),
        ([1.0, 2.0, 3.0], ValueError, "takes 2 inputs, got 3"),
        (
            [[0.0, 1.0], (1.0, 0.0), [1.0, 1.0]],
            TypeError,
            "numbers and Values, got list among them; call it for each row",
        ),
        (5.0, ValueError, "takes 2 inputs, got 1"),
        (
            np.ones((100, 2)),
            ValueError,
            r"takes one sample of shape \(2,\) per call, got an array \(100, 2\); call it for each row",
        ),
        (["1", 2.0], TypeError, "one real number, got str; for text"),
        ([[1.0, 2.0], [3.0, 4.0]], TypeError, "numbers and Values, got list among them"),
        ({"a": 1.0, "b": 2.0}, TypeError, "got a dict; give its values in the order of the inputs"),
        ({0: 5.0, 1: 6.0}, TypeError, "got a dict; give its values"),
        (b"12", TypeError, "a sequence of numbers and Values, got bytes b'12'"),
        ("12", TypeError, "a sequence of numbers and Values, got str '12'"),
        ({1.0, 2.0}, TypeError, "got a set; give a list, which has an order"),
        ({0: 5.0, 1: 6.0}.keys(), TypeError, "got a dict_keys; give a list, which has an order"),
        (
            [np.ones(3), np.ones(3)],
            TypeError,
            "entries of one sample must be numbers and Values, got ndarray among them",
        ),
    ],
)
def test_bad_samples_are_refused(x, error, message):
    """Another width says both numbers; a batch says that a call takes one sample."""
    with pytest.raises(error, match=message):
        MLP(2, [1])(x)


@pytest.mark.parametrize(
    "make", [lambda: MLP(2, [1]), lambda: Layer(2, 1), lambda: Neuron(2)], ids=["MLP", "Layer", "Neuron"]
)
def test_a_table_is_refused_and_its_rows_are_samples(make):
    """The names of a data frame's columns, numbers by default, are never taken for inputs; a row of it, a Series, is one."""
    pd = pytest.importorskip("pandas", reason="pandas is a development dependency")
    model = make()
    for frame in (
        pd.DataFrame([[5.0, 6.0], [7.0, 8.0]]),
        pd.DataFrame([[5.0, 6.0]]),
        pd.DataFrame({"a": [5.0], "b": [6.0]}),
    ):
        with pytest.raises(
            TypeError,
            match=r", 3 parameters\) takes one sample per call, got a DataFrame; call it for each row of x\.to_numpy\(\)",
        ):
            model(frame)
        assert model(frame.iloc[0]).data == model([5.0, 6.0]).data


@pytest.mark.parametrize("bias", [True, False])
def test_the_list_of_parameters_is_the_callers_own(bias):
    """Changing it changes no network, as `parameters() + …` or a filter in place would."""
    for model in (Neuron(2, bias=bias), Layer(2, 1, bias=bias), MLP(2, [1], bias=bias)):
        before = model([1.0, 2.0]).data
        model.parameters().clear()
        assert len(model.parameters()) == 2 + bias
        assert model([1.0, 2.0]).data == before


def test_whole_numbers_are_inputs_as_floats_are():
    """Inputs and known outputs alike, in a list, a tuple or an array."""
    mlp = MLP(2, [3, 1], activation="tanh", random_state=0)
    expected = mlp([1.0, -2.0]).data
    for x in ([1, -2], (1, -2), np.array([1, -2]), [np.int64(1), -2.0], [True, np.float32(-2)], range(1, -3, -3)):
        assert mlp(x).data == expected
    with pytest.raises(OverflowError, match="beyond the largest float"):
        mlp([10**400, 1])


def test_an_activation_is_found_by_name_op_or_none():
    """`activation_by_name` gives back what needs no looking up."""
    assert activation_by_name("sigmoid") is OPS["sigmoid"]
    assert activation_by_name(GAUSSIAN) is GAUSSIAN
    assert activation_by_name("linear") is activation_by_name(None) is None
