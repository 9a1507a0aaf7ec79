"""Neurons, layers of them, and multilayer perceptrons, on Values: each neuron can be looked at, drawn and explained.

>>> mlp = MLP(2, [16, 16, 1], random_state=0)
>>> mlp
MLP(2 → 16 relu → 16 relu → 1 linear, 337 parameters)
>>> score = mlp([1.0, -2.0])
>>> score.backward()
>>> score.label, mlp.parameters()[0].label
('layer3.neuron1.z', 'layer1.neuron1.weight1')

Labels are dotted paths that count from 1, as the course does: `layer1.neuron2.weight3`, `layer1.neuron2.bias`, its
weighted sum `layer1.neuron2.z` and, where it has an activation, `layer1.neuron2.a`.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from autodiff import OPS, Op, Value, leaky_relu, softmax, weighted_sum
from models.initialization import initial_weights, random_generator

Activation = str | Op | None  # as callers write it
Array = NDArray[np.float64]

ACTIVATIONS: Mapping[str, Op | None] = MappingProxyType(
    {"linear": None, **{n: OPS[n] for n in ("step", "sigmoid", "tanh", "relu", "leaky_relu", "softplus")}}
)
_CONSTANTS: Mapping[Op, tuple[float, ...]] = {OPS["leaky_relu"]: (0.01,)}  # operands after z: the slope below 0


def activation_by_name(activation: Any) -> Op | None:
    """Give the operation a name stands for: a key of ACTIVATIONS, any Op of one operand, None for none.

    Raises ValueError for an unknown name, TypeError for what is neither a name nor an Op of one operand.

    >>> activation_by_name("tanh"), activation_by_name("linear")
    (<Op tanh>, None)
    """
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise ValueError(f"unknown activation: {activation!r} (must be one of {list(ACTIVATIONS)}, an Op or None)")
        return ACTIVATIONS[activation]
    if activation is leaky_relu:
        return OPS["leaky_relu"]
    if activation is None or (isinstance(activation, Op) and (activation.arity == 1 or activation in _CONSTANTS)):
        return activation
    hint = "; softmax belongs to the loss: cross_entropy takes the outputs as they are" * (activation is softmax)
    known = f"one of {list(ACTIVATIONS)}, an Op of one operand or None"
    raise TypeError(f"an activation is {known}, got {activation!r}{hint}")


def activate(activation: Op | None, z: Any) -> Any:
    """Give a = σ(z), for a number, a Value or an array."""
    return z if activation is None else activation(z, *_CONSTANTS.get(activation, ()))


def slope(activation: Op | None, z: Any, a: Any) -> Any:
    """Give σ'(z) by the operation's own rule, for a number, a Value or an array; `a` is σ(z).

    >>> slope(activation_by_name("sigmoid"), 0.0, 0.5)
    0.25
    """
    if activation is None:
        return 1.0
    constants = _CONSTANTS.get(activation, ())
    return activation.partials_of((z, *constants), a, [True] + [False] * len(constants))[0]


class Module:
    """What neurons, layers and networks have in common: parameters, and forgetting their δ."""

    def parameters(self) -> list[Value]:
        """The Values that training changes: layer by layer, neuron by neuron, the weights and then the bias."""
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Set the gradient of every parameter back to 0, as before each step of gradient descent."""
        for parameter in self.parameters():
            parameter.zero_grad()


class Neuron(Module):
    """A neuron: z = Σ wᵢxᵢ + b as one node, a = σ(z) as another (course slides 5 and 12).

    `activation` is a name, any Op of one operand, or None (or "linear") for no activation: then it is a linear
    regression. `initialization`, `scale` and `random_state` are those of `initial_weights`; the bias starts at 0, and
    with `bias=False` there is none. `label` is put before the labels of all it makes.

    Raises ValueError or TypeError, before anything is made, for what is none of these.

    >>> neuron = Neuron(2, "sigmoid", initialization="zeros")
    >>> neuron
    Neuron(2 → 1 sigmoid, 3 parameters)
    >>> neuron([1.0, 2.0]).data
    0.5
    """

    def __init__(
        self,
        n_inputs: int,
        activation: Activation = "relu",
        *,
        initialization: str = "he",
        scale: float = 1.0,
        random_state: Any = None,
        bias: bool = True,
        label: str = "",
    ) -> None:
        n_inputs = _size(n_inputs, "n_inputs")
        self.activation: Op | None = activation_by_name(activation)
        _check_options(bias, label)
        weights = initial_weights(initialization, n_inputs, 1, scale=scale, random_state=random_state)[0]
        path = f"{label}." if label else ""
        self.label = label
        self.weights = [Value(w, f"{path}weight{i}") for i, w in enumerate(weights.tolist(), 1)]
        self.bias = Value(0.0, f"{path}bias") if bias else None
        self._z, self._a = f"{path}z", f"{path}a"

    def __call__(self, x: Any) -> Any:
        """Give a, a Value, for one sample: as many numbers or Values as there are weights."""
        return self.fire(_inputs(x, self))

    def fire(self, inputs: Sequence[Any]) -> Any:
        """As calling it, for inputs that were checked already."""
        z = weighted_sum(self.weights, inputs, 0.0 if self.bias is None else self.bias)
        z.label = self._z
        if self.activation is None:
            return z
        a = activate(self.activation, z)
        a.label = self._a
        return a

    def parameters(self) -> list[Value]:
        """The weights, then the bias if there is one."""
        return self.weights if self.bias is None else [*self.weights, self.bias]

    @property
    def n_inputs(self) -> int:
        """How many inputs it takes."""
        return len(self.weights)

    def __repr__(self) -> str:
        return f"Neuron({self.n_inputs} → 1 {_name(self.activation)}, {_count(self)})"


class Layer(Module):
    """A layer: `n_outputs` neurons that all see the same `n_inputs` inputs. Otherwise as Neuron.

    >>> layer = Layer(3, 2, "tanh", bias=False, random_state=0)
    >>> layer
    Layer(3 → 2 tanh, 6 parameters)
    >>> [a.label for a in layer([1.0, 2.0, 3.0])]
    ['neuron1.a', 'neuron2.a']
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        activation: Activation = "relu",
        *,
        initialization: str = "he",
        scale: float = 1.0,
        random_state: Any = None,
        bias: bool = True,
        label: str = "",
    ) -> None:
        n_inputs, n_outputs = _size(n_inputs, "n_inputs"), _size(n_outputs, "n_outputs")
        op = activation_by_name(activation)
        _check_options(bias, label)
        # Drawn for the layer as a whole: how large weights may be depends on its number of outputs too.
        random = random_generator(random_state)
        weights = initial_weights(initialization, n_inputs, n_outputs, scale=scale, random_state=random)
        path = f"{label}." if label else ""
        self.label = label
        self.neurons = [
            Neuron(n_inputs, op, initialization="zeros", random_state=random, bias=bias, label=f"{path}neuron{j}")
            for j in range(1, n_outputs + 1)
        ]
        _assign(self, weights, None)

    def __call__(self, x: Any) -> Any:
        """Give the output for one sample: a Value if there is one neuron, else a list of them."""
        outputs = self.fire(_inputs(x, self))
        return outputs if len(outputs) > 1 else outputs[0]

    def fire(self, inputs: Sequence[Any]) -> list[Any]:
        """Give the outputs as a list, for inputs that were checked already."""
        return [neuron.fire(inputs) for neuron in self.neurons]

    def parameters(self) -> list[Value]:
        """Neuron by neuron: the weights, then the bias."""
        return [p for neuron in self.neurons for p in neuron.parameters()]

    @property
    def n_inputs(self) -> int:
        """How many inputs it takes."""
        return self.neurons[0].n_inputs

    @property
    def activation(self) -> Op | None:
        """The activation of its neurons; ValueError if somebody gave them different ones."""
        if len({neuron.activation for neuron in self.neurons}) > 1:
            names = ", ".join(_name(neuron.activation) for neuron in self.neurons)
            raise ValueError(f"{self.label or 'this layer'} has no single activation: its neurons have {names}")
        return self.neurons[0].activation

    def weights(self) -> Array:
        """The weights now, as an array of shape (n_outputs, n_inputs): a copy."""
        return np.array([[w.data for w in neuron.weights] for neuron in self.neurons])

    def biases(self) -> Array:
        """The biases now, as an array of shape (n_outputs,): a copy. Zeros where there are none."""
        return np.array([0.0 if neuron.bias is None else neuron.bias.data for neuron in self.neurons])

    def __repr__(self) -> str:
        return f"Layer({self.n_inputs} → {_stage(self)}, {_count(self)})"


class MLP(Module):
    """A multilayer perceptron: layers of `sizes` neurons, each fed by the one before, the first by `n_inputs` inputs.

    `activation` is that of the hidden layers, `output_activation` that of the last (linear by default, as in
    micrograd); or `activation` is a sequence with one entry per layer, the last included. The other arguments are
    those of Neuron.

    Called on one sample (a sequence or array of numbers and Values) it gives a Value if the last layer has one
    neuron, else a list of them.

    Raises ValueError or TypeError, before anything is made, for sizes that are not whole numbers above 0 and names
    that are not known.

    >>> mlp = MLP(2, [3, 2], activation="tanh", output_activation="sigmoid", random_state=0)
    >>> mlp
    MLP(2 → 3 tanh → 2 sigmoid, 17 parameters)
    >>> [a.label for a in mlp([0.5, -0.5])]
    ['layer2.neuron1.a', 'layer2.neuron2.a']
    >>> [w.shape for w in mlp.weights()]
    [(3, 2), (2, 3)]
    """

    def __init__(
        self,
        n_inputs: int,
        sizes: Sequence[int],
        *,
        activation: Activation | Sequence[Activation] = "relu",
        output_activation: Activation = None,
        initialization: str = "he",
        scale: float = 1.0,
        random_state: Any = None,
        bias: bool = True,
        label: str = "",
    ) -> None:
        widths = [_size(n_inputs, "n_inputs"), *_sizes(sizes)]
        activations = _activations(activation, output_activation, len(widths) - 1)
        _check_options(bias, label)
        random = random_generator(random_state)
        path = f"{label}." if label else ""
        self.label = label
        start: dict[str, Any] = {"initialization": initialization, "scale": scale, "random_state": random}
        self.layers = [
            Layer(n, m, op, **start, bias=bias, label=f"{path}layer{i}")
            for i, (n, m, op) in enumerate(zip(widths, widths[1:], activations, strict=False), 1)
        ]

    def __call__(self, x: Any) -> Any:
        """Give the output for one sample: a Value if the last layer has one neuron, else a list of them."""
        signal = _inputs(x, self)
        for layer in self.layers:
            signal = layer.fire(signal)
        return signal if len(signal) > 1 else signal[0]

    def parameters(self) -> list[Value]:
        """Layer by layer, neuron by neuron: the weights, then the bias."""
        return [p for layer in self.layers for p in layer.parameters()]

    @property
    def n_inputs(self) -> int:
        """How many inputs it takes."""
        return self.layers[0].n_inputs

    @property
    def activations(self) -> list[Op | None]:
        """The activation of each layer; None for linear."""
        return [layer.activation for layer in self.layers]

    def weights(self) -> list[Array]:
        """The weights now: for each layer an array of shape (n_outputs, n_inputs), the course's w^l. Copies."""
        return [layer.weights() for layer in self.layers]

    def biases(self) -> list[Array]:
        """The biases now: for each layer an array of shape (n_outputs,). Copies; zeros where there are none."""
        return [layer.biases() for layer in self.layers]

    def load_weights(
        self,
        weights: Sequence[Any],
        biases: Sequence[Any] | None = None,
        *,
        rows: Literal["outputs", "inputs"] = "outputs",
    ) -> Self:
        """Set the weights and, if given, the biases of every layer to known numbers; give the network itself.

        `weights` has one matrix per layer, of shape (n_outputs, n_inputs) as in the course's z = w a + b, or
        (n_inputs, n_outputs) with `rows="inputs"`; for a layer of one neuron a vector will do. `biases` has one
        vector of n_outputs per layer; None leaves the biases as they are.

        Raises ValueError for other numbers of layers, other shapes, entries that are not finite, and biases other
        than 0 for a network made with `bias=False`: then nothing has changed.

        >>> mlp = MLP(2, [1]).load_weights([[4.0, 5.0]], [[-6.0]])
        >>> mlp([1.0, 1.0]).data
        3.0
        """
        if rows not in ("outputs", "inputs"):
            raise ValueError(f'rows must be "outputs" or "inputs", got {rows!r}')
        for name, given in (("weights", weights), ("biases", biases)):
            if given is not None and len(given) != len(self.layers):
                raise ValueError(f"{name} must have one entry per layer, {len(self.layers)}, and has {len(given)}")
        matrices = [_matrix(w, layer, rows) for w, layer in zip(weights, self.layers, strict=True)]
        vectors = [None if biases is None else _vector(biases[i], layer) for i, layer in enumerate(self.layers)]
        for layer, matrix, vector in zip(self.layers, matrices, vectors, strict=True):
            _assign(layer, matrix, vector)
        return self

    def __repr__(self) -> str:
        return f"MLP({self.n_inputs} → {' → '.join(map(_stage, self.layers))}, {_count(self)})"


def _assign(layer: Layer, weights: Array, biases: Array | None) -> None:
    for neuron, row in zip(layer.neurons, weights.tolist(), strict=True):
        for weight, w in zip(neuron.weights, row, strict=True):
            weight.data = w
    if biases is not None:
        for neuron, b in zip(layer.neurons, biases.tolist(), strict=True):
            if neuron.bias is not None:
                neuron.bias.data = b


def _matrix(given: Any, layer: Layer, rows: str) -> Array:
    array = np.asarray(given, dtype=np.float64)
    shape = (len(layer.neurons), layer.n_inputs)
    vector_will_do = shape[0] == 1 and array.shape == shape[1:]
    matrix = array.reshape(shape) if vector_will_do else array.T if rows == "inputs" else array
    if matrix.shape != shape:
        wanted, other = (shape, "inputs") if rows == "outputs" else (shape[::-1], "outputs")
        hint = f'; if its rows are {other}, pass rows="{other}"' * (array.shape == wanted[::-1])
        raise ValueError(f"the weights of {layer.label} must be {wanted}, rows are {rows}, and are {array.shape}{hint}")
    return _finite(matrix, f"the weights of {layer.label}")


def _vector(given: Any, layer: Layer) -> Array:
    vector = np.asarray(given, dtype=np.float64)
    if vector.shape != (len(layer.neurons),):
        raise ValueError(f"the biases of {layer.label} must be ({len(layer.neurons)},), and are {vector.shape}")
    if layer.neurons[0].bias is None and vector.any():
        raise ValueError(f"{layer.label} was made with bias=False and cannot take the biases {vector}")
    return _finite(vector, f"the biases of {layer.label}")


def _finite(array: Array, what: str) -> Array:
    if not np.isfinite(array).all():
        raise ValueError(f"{what} must be finite numbers, and one is {array[~np.isfinite(array)][0]}")
    return array


def _inputs(x: Any, module: Neuron | Layer | MLP) -> list[Any]:
    """One sample as a list of numbers and Values, as many as the module takes."""
    if isinstance(x, np.ndarray):
        if x.ndim > 1:
            one = f"one sample of shape ({module.n_inputs},) per call"
            raise ValueError(f"{module!r} takes {one}, and x is {x.shape}: call it for each row")
        x = x.tolist()  # plain floats: far faster than NumPy's one by one
    try:
        inputs = list(x)
    except TypeError:
        inputs = [x]  # a single number or Value, for those who take one input
    if any(isinstance(entry, np.ndarray) and entry.ndim for entry in inputs):
        raise TypeError(f"{module!r}: the entries of one sample are numbers and Values, and one is an array")
    if len(inputs) != module.n_inputs:
        raise ValueError(f"{module!r} takes {module.n_inputs} inputs, got {len(inputs)}")
    return inputs


def _size(n: Any, what: str) -> int:
    try:
        size = 0 if isinstance(n, bool) else operator.index(n)
    except TypeError:
        size = 0
    if size < 1:
        raise ValueError(f"{what} must be a whole number above 0, got {n!r}")
    return size


def _sizes(sizes: Any) -> list[int]:
    if isinstance(sizes, (str, bytes)) or not hasattr(sizes, "__iter__"):
        raise TypeError(f"sizes is a sequence, the number of neurons of each layer, such as [16, 16, 1], got {sizes!r}")
    widths = [_size(n, f"sizes[{i}]") for i, n in enumerate(sizes)]
    if not widths:
        raise ValueError("sizes is empty: a network has at least one layer, such as [1]")
    return widths


def _activations(activation: Any, output_activation: Any, n_layers: int) -> list[Op | None]:
    if not isinstance(activation, (list, tuple)):
        return [activation_by_name(activation)] * (n_layers - 1) + [activation_by_name(output_activation)]
    if output_activation is not None:
        raise ValueError("output_activation is the last entry of activation when that has one per layer: give only one")
    if len(activation) != n_layers:
        raise ValueError(f"activation must have one entry per layer, {n_layers}, and has {len(activation)}")
    return [activation_by_name(each) for each in activation]


def _check_options(bias: Any, label: Any) -> None:
    if not isinstance(bias, (bool, np.bool_)):
        raise TypeError(f"bias must be True or False, got {bias!r}: load_weights sets biases to numbers")
    if not isinstance(label, str):
        raise TypeError(f"label must be text, got {label!r}")


def _name(activation: Op | None) -> str:
    return "linear" if activation is None else activation.name


def _stage(layer: Layer) -> str:
    names = dict.fromkeys(_name(neuron.activation) for neuron in layer.neurons)
    return f"{len(layer.neurons)} {'/'.join(names)}"


def _count(module: Module) -> str:
    n = len(module.parameters())
    return f"{n} parameter{'s' * (n != 1)}"
