"""Neurons, layers and multilayer perceptrons on Values: each neuron can be inspected, drawn and explained.

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

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, Never, Self, TypedDict, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike

from autodiff import Op, Value, weighted_sum
from models import _checks as check
from models._checks import Array, Seed
from models.activations import (
    ACTIVATIONS,
    Activation,
    activate,
    activated,
    activation_by_name,
    activation_name,
    activations_per_layer,
)
from models.errors import SettingError
from models.initialization import initial_weights

__all__ = ["ACTIVATIONS", "MLP", "Layer", "Module", "Neuron", "activate", "activation_by_name"]

Output_co = TypeVar("Output_co", covariant=True)  # a Value from one neuron, a list of them from several
Several = Literal[2, 3, 4, 5, 6, 7, 8, 9, 10]
if TYPE_CHECKING:

    class _Start(TypedDict, total=False):
        initialization: str
        scale: float
        random_state: Seed
        bias: bool
        label: str

    class _Options(_Start, total=False):
        activation: Activation | Sequence[Activation]
        output_activation: Activation


class Module:
    """The base of neurons, layers and networks: parameters, and resetting their gradients."""

    def parameters(self) -> list[Value]:
        """Return the Values that training changes: layer by layer, neuron by neuron, the weights and then the bias."""
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Set the gradient of every parameter back to 0, as before each step of gradient descent."""
        for parameter in self.parameters():
            parameter.zero_grad()

    if not TYPE_CHECKING:  # who reads types knows

        def __getattr__(self, name: str) -> Any:
            """Tell where what estimators have is to be found."""
            here = {"fit": "train(model, X, y)", "predict": "[model(x) for x in X]"}.get(name)
            way_out = f"; a module is trained and called by {here}, or is an MLPClassifier" if here else ""
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}{way_out}", name=name, obj=self
            )


class Neuron(Module):
    """A neuron: z = Σ wᵢxᵢ + b as one node, a = σ(z) as another (course slides 5 and 12).

    `activation` is a name, any Op of one operand, or None (or "linear") for no activation, which makes it a linear
    regression. `initialization`, `scale` and `random_state` are those of `initial_weights`; the bias starts at 0, and
    with `bias=False` there is none. `label` is the prefix of all labels.

    Raises ValueError or TypeError for any other argument, before anything is made.

    >>> neuron = Neuron(2, "sigmoid", initialization="zeros")
    >>> neuron
    Neuron(2 → 1 sigmoid, 3 parameters)
    >>> neuron([1.0, 2.0]).data
    0.5
    """

    def __init__(
        self, n_inputs: int, activation: Activation = "relu", *, initialization: str = "he", scale: float = 1.0,
        random_state: Seed = None, bias: bool = True, label: str = "",
    ) -> None:  # fmt: skip
        n_inputs, op = check.whole("n_inputs", n_inputs), activation_by_name(activation)
        _check_options(bias, label)
        weights = initial_weights(initialization, n_inputs, 1, scale=scale, random_state=random_state)[0]
        self._make(weights.tolist(), op, bias, label)

    @classmethod
    def _of(cls, weights: list[float], op: Op | None, bias: bool, label: str) -> Self:
        """Make a neuron of a layer, whose arguments have been checked and whose weights have been drawn."""
        neuron = cls.__new__(cls)
        neuron._make(weights, op, bias, label)
        return neuron

    def _make(self, weights: list[float], op: Op | None, bias: bool, label: str) -> None:
        path = f"{label}." if label else ""
        self.label = label
        self.activation = op
        self.weights = [Value(w, f"{path}weight{i}") for i, w in enumerate(weights, 1)]
        self.bias = Value(0.0, f"{path}bias") if bias else None
        self._z, self._a = f"{path}z", f"{path}a"

    def __call__(self, x: Any) -> Value:  # Any: Values, numbers or arrays of them
        """Return a, a Value, for one sample of as many numbers or Values as there are weights."""
        return self.fire(check.sample(x, self.n_inputs, self))

    def fire(self, inputs: Sequence[Any]) -> Any:  # Any: inputs, result: Values, numbers or arrays
        """Return a for inputs that have been checked."""
        z = weighted_sum(self.weights, inputs, 0.0 if self.bias is None else self.bias)
        z.label = self._z
        if self.activation is None:
            return z
        a = activated(self.activation, z)
        a.label = self._a
        return a

    def parameters(self) -> list[Value]:
        """Return the weights, then the bias if there is one."""
        return [*self.weights] if self.bias is None else [*self.weights, self.bias]

    @property
    def n_inputs(self) -> int:
        """Return the number of inputs."""
        return len(self.weights)

    def __repr__(self) -> str:
        return f"Neuron({self.n_inputs} → 1 {activation_name(self.activation)}, {_count(self)})"


class Layer(Module, Generic[Output_co]):
    """A layer of `n_outputs` neurons that all see the same `n_inputs` inputs; the rest is as in Neuron.

    >>> layer = Layer(3, 2, "tanh", bias=False, random_state=0)
    >>> layer
    Layer(3 → 2 tanh, 6 parameters)
    >>> [a.label for a in layer([1.0, 2.0, 3.0])]
    ['neuron1.a', 'neuron2.a']
    """

    @overload
    def __init__(
        self: Layer[Value], n_inputs: int, n_outputs: Literal[1], activation: Activation = ..., **start: Unpack[_Start]
    ) -> None: ...
    @overload
    def __init__(
        self: Layer[list[Value]], n_inputs: int, n_outputs: Several, activation: Activation = ...,
        **start: Unpack[_Start],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(  # Any: self for a number of outputs that no type knows
        self: Layer[Value | Any], n_inputs: int, n_outputs: int, activation: Activation = ..., **start: Unpack[_Start]
    ) -> None: ...
    def __init__(
        self, n_inputs: int, n_outputs: int, activation: Activation = "relu", *, initialization: str = "he",
        scale: float = 1.0, random_state: Seed = None, bias: bool = True, label: str = "",
    ) -> None:  # fmt: skip
        n_inputs, n_outputs = check.whole("n_inputs", n_inputs), check.whole("n_outputs", n_outputs)
        op = activation_by_name(activation)
        _check_options(bias, label)
        # Drawn for the layer as a whole: how large weights may be depends on its number of outputs too.
        weights = initial_weights(initialization, n_inputs, n_outputs, scale=scale, random_state=random_state)
        path = f"{label}." if label else ""
        self.label = label
        self.neurons = [Neuron._of(row, op, bias, f"{path}neuron{j}") for j, row in enumerate(weights.tolist(), 1)]

    def __call__(self, x: Any) -> Output_co:  # Any: Values, numbers or arrays of them
        """Return the output for one sample: a Value if there is one neuron, else a list of them."""
        outputs: Any = self.fire(check.sample(x, self.n_inputs, self))
        return outputs if len(outputs) > 1 else outputs[0]

    def fire(self, inputs: Sequence[Any]) -> list[Any]:  # Any: inputs, result: Values, numbers or arrays
        """Return the outputs as a list, for inputs that have been checked."""
        inputs = tuple(inputs)  # a tuple is taken as it is by every neuron, a list is copied by every one
        return [neuron.fire(inputs) for neuron in self.neurons]

    def parameters(self) -> list[Value]:
        """Return the parameters neuron by neuron: the weights, then the bias."""
        return [p for neuron in self.neurons for p in neuron.parameters()]

    @property
    def n_inputs(self) -> int:
        """Return the number of inputs."""
        return self.neurons[0].n_inputs

    @property
    def activation(self) -> Op | None:
        """Return the activation of the neurons; ValueError if they were given different ones."""
        if len({neuron.activation for neuron in self.neurons}) > 1:
            names = ", ".join(activation_name(neuron.activation) for neuron in self.neurons)
            raise ValueError(f"{self.label or 'this layer'} must have one activation for this, got {names}")
        return self.neurons[0].activation

    def weights(self) -> Array:
        """Return a copy of the weights as an array of shape (n_outputs, n_inputs)."""
        return np.array([[w.data for w in neuron.weights] for neuron in self.neurons])

    def biases(self) -> Array:
        """Return a copy of the biases as an array of shape (n_outputs,); zeros where there are none."""
        return np.array([0.0 if neuron.bias is None else neuron.bias.data for neuron in self.neurons])

    def __repr__(self) -> str:
        return f"Layer({self.n_inputs} → {_stage(self)}, {_count(self)})"


class MLP(Module, Generic[Output_co]):
    """A multilayer perceptron: layers of `sizes` neurons, each fed by the one before, the first by `n_inputs` inputs.

    `activation` is that of the hidden layers, `output_activation` that of the last (linear by default, as in
    micrograd); or `activation` is a sequence with one entry per layer, the last included. The other arguments are
    those of Neuron.

    Called on one sample (a sequence or array of numbers and Values) it returns a Value if the last layer has one
    neuron, else a list of them. Type checkers know which if `sizes` is a tuple, `(3, 1)`: a list's last entry has no
    type of its own.

    Raises ValueError or TypeError, before anything is made, for sizes that are not whole numbers above 0 and for
    unknown names.

    >>> mlp = MLP(2, [3, 2], activation="tanh", output_activation="sigmoid", random_state=0)
    >>> mlp
    MLP(2 → 3 tanh → 2 sigmoid, 17 parameters)
    >>> [a.label for a in mlp([0.5, -0.5])]
    ['layer2.neuron1.a', 'layer2.neuron2.a']
    >>> [w.shape for w in mlp.weights()]
    [(3, 2), (2, 3)]
    """

    programs: dict[Any, Any] | None = None  # traced by training, kept where the same network is trained often

    @overload
    def __init__(
        self: MLP[Value], n_inputs: int, sizes: tuple[*tuple[int, ...], Literal[1]], **options: Unpack[_Options]
    ) -> None: ...
    @overload
    def __init__(
        self: MLP[list[Value]], n_inputs: int, sizes: tuple[*tuple[int, ...], Several], **options: Unpack[_Options]
    ) -> None: ...
    @overload
    def __init__(  # Any: self returns a list of Values, if the last of `sizes` is not 1
        self: MLP[Value | Any], n_inputs: int, sizes: Sequence[int], **options: Unpack[_Options]
    ) -> None: ...
    def __init__(
        self, n_inputs: int, sizes: Sequence[int], *more: Never, activation: Activation | Sequence[Activation] = "relu",
        output_activation: Activation = None, initialization: str = "he", scale: float = 1.0, random_state: Seed = None,
        bias: bool = True, label: str = "",
    ) -> None:  # fmt: skip
        widths = [check.whole("n_inputs", n_inputs), *check.sizes(sizes, *more)]
        activations = activations_per_layer(activation, output_activation, len(widths) - 1)
        _check_options(bias, label)
        random = check.random_generator(random_state)
        path = f"{label}." if label else ""
        self.label = label
        start: dict[str, Any] = {"initialization": initialization, "scale": scale, "random_state": random}
        self.layers = [
            Layer(n, m, op, **start, bias=bias, label=f"{path}layer{i}")
            for i, (n, m, op) in enumerate(zip(widths, widths[1:], activations, strict=False), 1)
        ]

    def __call__(self, x: Any) -> Output_co:  # Any: Values, numbers or arrays of them
        """Return the output for one sample: a Value if the last layer has one neuron, else a list of them."""
        signal: Any = check.sample(x, self.n_inputs, self)
        for layer in self.layers:
            signal = layer.fire(signal)
        return signal if len(signal) > 1 else signal[0]

    def parameters(self) -> list[Value]:
        """Return the parameters layer by layer, neuron by neuron: the weights, then the bias."""
        return [p for layer in self.layers for p in layer.parameters()]

    @property
    def n_inputs(self) -> int:
        """Return the number of inputs."""
        return self.layers[0].n_inputs

    @property
    def activations(self) -> list[Op | None]:
        """Return the activation of each layer; None for linear."""
        return [layer.activation for layer in self.layers]

    def weights(self) -> list[Array]:
        """Return copies of the weights, an array of shape (n_outputs, n_inputs) per layer, the course's w^l."""
        return [layer.weights() for layer in self.layers]

    def biases(self) -> list[Array]:
        """Return copies of the biases, an array of shape (n_outputs,) per layer; zeros where there are none."""
        return [layer.biases() for layer in self.layers]

    def load_weights(
        self, weights: Sequence[ArrayLike], biases: Sequence[ArrayLike] | None = None, *,
        rows: Literal["outputs", "inputs"] = "outputs",
    ) -> Self:  # fmt: skip
        """Set the weights and, if given, the biases of every layer to known numbers; return the network itself.

        `weights` has one matrix per layer, of shape (n_outputs, n_inputs) as in the course's z = w a + b, or
        (n_inputs, n_outputs) with `rows="inputs"`; for a layer of one neuron a vector will do. `biases` has one
        vector of n_outputs per layer; None leaves the biases as they are.

        Raises ValueError for other numbers of layers, other shapes, entries that are not finite, and biases other
        than 0 for a network made with `bias=False`: then nothing has changed.

        >>> mlp = MLP(2, [1]).load_weights([[4.0, 5.0]], [[-6.0]])
        >>> mlp([1.0, 1.0]).data
        3.0
        """
        shapes = [(at.label, (len(at.neurons), at.n_inputs), at.neurons[0].bias is not None) for at in self.layers]
        matrices, vectors = check.known_weights(weights, biases, rows, shapes)
        for layer, matrix, vector in zip(self.layers, matrices, vectors, strict=True):
            parameters = [w for neuron in layer.neurons for w in neuron.weights]
            numbers = matrix.ravel().tolist()
            if vector is not None and layer.neurons[0].bias is not None:
                parameters += [neuron.bias for neuron in layer.neurons if neuron.bias is not None]
                numbers += vector.tolist()
            for parameter, number in zip(parameters, numbers, strict=True):
                parameter.data = number
        return self

    def __repr__(self) -> str:
        return f"MLP({self.n_inputs} → {' → '.join(map(_stage, self.layers))}, {_count(self)})"


def _check_options(bias: Any, label: Any) -> None:
    if not isinstance(bias, (bool, np.bool_)):
        raise SettingError(f"bias must be True or False, got {bias!r}; load_weights sets biases to numbers")
    if not isinstance(label, str):
        raise SettingError(f"label must be text, got {label!r}")


def _stage(layer: Layer) -> str:
    names = dict.fromkeys(activation_name(neuron.activation) for neuron in layer.neurons)
    return f"{len(layer.neurons)} {'/'.join(names)}"


def _count(module: Module) -> str:
    n = len(module.parameters())
    return f"{n} parameter{'s' * (n != 1)}"
