"""The course's algebra of backpropagation, in NumPy, and the collapse of stacked linear layers (slides 11 and 15).

For layer l, with w^l of shape (n_outputs, n_inputs):

    z^l = w^l a^{l-1} + b^l,  a^l = σ(z^l)
    δ^L = ∂C/∂a^L ⊙ σ'(z^L)                      the error imputed to each neuron of the last layer
    δ^{l-1} = (w^l)ᵀ δ^l ⊙ σ'(z^{l-1})           one layer back
    ∂C/∂w^l = δ^l (a^{l-1})ᵀ,  ∂C/∂b^l = δ^l

σ' is the operation's own rule, the one that the graph uses. Arithmetic is that of IEEE 754: outside the domain of an
activation there are NaN and infinities where the graph raises.

>>> from models.mlp import MLP
>>> mlp = MLP(2, [1], output_activation="sigmoid").load_weights([[[4.0, 5.0]]], [[-6.0]])
>>> print(backpropagate(mlp, [1.0, 1.0], 1.0))
C = 0.00112461
layer 1: z = [3.], a = [0.95257413], δ = [-0.00214254]
  ∂C/∂w = [[-0.00214254 -0.00214254]]
  ∂C/∂b = [-0.00214254]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autodiff import Op, value_and_grad
from models._checks import Array
from models.activations import Activation, activate, activation_by_name, slope
from models.losses import half_squared_error, loss_by_name
from models.mlp import MLP


@dataclass(frozen=True)
class Backpropagation:
    """The results of one forward and one backward pass. In each tuple entry 0 is layer 1, entry -1 layer L.

    `z`, `a` and `delta` have shape (n_outputs,) for one sample, (n_samples, n_outputs) for a batch; `cost` is C, summed
    over the batch; `weight_gradients` (n_outputs, n_inputs) and `bias_gradients` (n_outputs,) are the derivatives of
    that sum, so divide by n_samples for those of the mean. A network without biases has ∂C/∂b too: that of a bias of 0.
    """

    cost: float
    z: tuple[Array, ...]
    a: tuple[Array, ...]
    delta: tuple[Array, ...]
    weight_gradients: tuple[Array, ...]
    bias_gradients: tuple[Array, ...]

    def __str__(self) -> str:
        lines = [f"C = {self.cost:.6g}"]
        for i, (z, a, delta) in enumerate(zip(self.z, self.a, self.delta, strict=True)):
            lines += [
                f"layer {i + 1}: z = {z}, a = {a}, δ = {delta}",
                f"  ∂C/∂w = {self.weight_gradients[i]}",
                f"  ∂C/∂b = {self.bias_gradients[i]}",
            ]
        return "\n".join(lines)


def backpropagate(
    mlp: MLP, x: ArrayLike, y: ArrayLike, *, loss: str | Callable[..., Any] = "half_squared_error"
) -> Backpropagation:  # Any: loss is of Values
    """Run the course's formulas for a network, as its weights are now, on one sample or on a batch.

    One sample: `x` of shape (n_inputs,), `y` what the loss takes as the target of one sample. A batch: `x` of shape
    (n_samples, n_inputs), `y` one target per row. The network is not changed, no Value is made for it. `loss` and what
    is raised are those of `gradients`.

    >>> mlp = MLP(2, [3, 1], activation="sigmoid", random_state=0)
    >>> result = backpropagate(mlp, [0.5, 1.0], 0.9)
    >>> mlp([0.5, 1.0]).data == result.a[-1][0], [w.shape for w in result.weight_gradients]
    (np.True_, [(3, 2), (1, 3)])
    """
    X = np.asarray(x, dtype=np.float64)
    if X.ndim not in (1, 2) or X.shape[-1] != mlp.n_inputs:
        raise ValueError(
            f"{mlp!r} takes one sample, x of shape ({mlp.n_inputs},), or a batch, (n_samples, {mlp.n_inputs}), got "
            f"{X.shape}"
        )
    parts = mlp.weights(), mlp.biases(), mlp.activations
    if X.ndim != 1:
        return gradients(*parts, X, y, loss=loss)
    targets: Any = [y]
    batch = gradients(*parts, X[np.newaxis], targets, loss=loss)
    z, a, delta = (tuple(rows[0] for rows in each) for each in (batch.z, batch.a, batch.delta))
    return Backpropagation(batch.cost, z, a, delta, batch.weight_gradients, batch.bias_gradients)


def forward(
    weights: Sequence[ArrayLike], biases: Sequence[ArrayLike] | None, activations: Sequence[Activation], X: ArrayLike
) -> tuple[list[Array], list[Array]]:
    """Return z^l and a^l for every layer, all samples at once: two lists of arrays (n_samples, n_outputs).

    One entry per layer in `weights` (n_outputs, n_inputs), in `biases` (n_outputs,), and in `activations`: a name, an
    Op or None. `biases` None means none. `X` is (n_samples, n_inputs).

    Raises ValueError for shapes that do not fit together, naming the layer.

    >>> z, a = forward([[[4.0, 5.0]]], [[-6.0]], ["step"], [[0, 0], [1, 0], [0, 1], [1, 1]])
    >>> z[-1].ravel(), a[-1].ravel()
    (array([-6., -2., -1.,  3.]), array([0., 0., 0., 1.]))
    """
    return _forward(weights, biases, activations, X)[-2:]


def gradients(  # Any: loss is of Values
    weights: Sequence[ArrayLike], biases: Sequence[ArrayLike] | None, activations: Sequence[Activation], X: ArrayLike,
    y: ArrayLike, *, loss: str | Callable[..., Any] = "half_squared_error",
) -> Backpropagation:  # fmt: skip
    """Backpropagate a batch through plain arrays, all samples at once: fast enough to train with.

    The network is given as to `forward`. `y` has one target per sample: for half_squared_error an array
    (n_samples, n_outputs), or (n_samples,) for one output. `loss` is a name in `models.losses.LOSSES` or a function
    `loss(output, target)` of one sample. For half_squared_error ∂C/∂a^L = a^L - y; for any other loss it is
    differentiated by `autodiff`, sample by sample, which is slower.

    Raises ValueError for shapes that do not fit together and for an unknown loss.

    >>> step = gradients([[[0.0]]], [[0.0]], ["linear"], [[1], [2], [3], [4]], [3, 5, 7, 9])
    >>> step.weight_gradients[0] / 4 * 2, step.bias_gradients[0] / 4 * 2  # those of the ECM
    (array([[-35.]]), array([-12.]))
    """
    matrices, ops, inputs, z, a = _forward(weights, biases, activations, X)
    cost, upstream = _cost_and_slope(a[-1], y, loss)
    deltas: list[Array] = []
    with np.errstate(all="ignore"):
        for l in reversed(range(len(matrices))):  # noqa: E741 # the course's l
            deltas.append(upstream * slope(ops[l], z[l], a[l]))
            upstream = deltas[-1] @ matrices[l]  # a sample is a row here, so (wᵀδ)ᵀ = δᵀw
        deltas.reverse()
        by_weight = tuple(delta.T @ below for delta, below in zip(deltas, [inputs, *a], strict=False))
    by_bias = tuple(delta.sum(axis=0) for delta in deltas)
    return Backpropagation(cost, tuple(z), tuple(a), tuple(deltas), by_weight, by_bias)


def collapse(mlp: MLP) -> tuple[Array, Array]:
    """Return the ONE linear regression (W, b) that equals a stack of linear layers (course slide 11).

    W = w^L ⋯ w² w¹ has shape (n_outputs, n_inputs), b (n_outputs,); `W @ x + b` equals `mlp(x)` for every x.

    Raises ValueError, naming the layer, if one has an activation: then there is no such W.

    >>> mlp = MLP(1, [1, 1], activation="linear").load_weights([[2.0], [3.0]], [[1.0], [5.0]])
    >>> collapse(mlp)
    (array([[6.]]), array([8.]))
    """
    if not isinstance(mlp, MLP):  # pyright: ignore[reportUnnecessaryIsInstance] # callers need not be typed
        raise TypeError(f"mlp must be an MLP, got {type(mlp).__name__} {mlp!r:.60}")
    for layer in mlp.layers:
        if layer.activation is not None:
            raise ValueError(
                f'only layers with activation="linear" collapse into one linear map, got {layer.activation.name} in '
                f"{layer.label}"
            )
    W, b = np.eye(mlp.n_inputs), np.zeros(mlp.n_inputs)
    for w, c in zip(mlp.weights(), mlp.biases(), strict=True):
        W, b = w @ W, w @ b + c
    return W, b


def _cost_and_slope(outputs: Array, y: Any, loss: str | Callable[..., Any]) -> tuple[float, Array]:
    """Return C summed over the samples, and ∂C/∂a^L of shape (n_samples, n_outputs)."""
    function = loss_by_name(loss)
    targets = np.asarray(y)
    if targets.dtype.kind not in "biuf":
        raise TypeError(f"y must be numbers, one target for each sample, got {y!r:.60}")
    if len(targets.shape) == 0 or len(targets) != len(outputs):
        raise ValueError(f"y must have one target for each of the {len(outputs)} samples, got {targets.shape}")
    one = outputs.shape[1] == 1
    if function is half_squared_error:
        if targets.shape != outputs.shape and not (one and targets.ndim == 1):
            raise ValueError(f"y must be {outputs.shape}, like the outputs, got {targets.shape}")
        errors = outputs - targets.reshape(outputs.shape)
        return 0.5 * float(np.vdot(errors, errors)), errors
    cost, slopes = 0.0, []
    derivative = value_and_grad(function)
    each_target = targets[:, 0] if one and targets.ndim > 1 else targets
    for row, target in zip(outputs.tolist(), each_target.tolist(), strict=True):
        each, by_output = derivative(row[0] if one else row, target)
        cost += each
        slopes.append(by_output)
    return cost, np.array(slopes).reshape(outputs.shape)


def _forward(
    weights: Any, biases: Any, activations: Any, X: Any
) -> tuple[list[Array], list[Op | None], Array, list[Array], list[Array]]:
    """Return weights, activations and inputs as they are computed with, and z and a of every layer."""
    matrices = [np.asarray(w, dtype=np.float64) for w in weights]
    vectors: list[Array | None] = [None] * len(matrices)
    if biases is not None:
        vectors = [np.asarray(b, dtype=np.float64) for b in biases]
    if isinstance(activations, (str, Op)) or not len(activations) == len(vectors) == len(matrices) > 0:
        raise ValueError(
            f"weights, biases and activations must have one entry per layer, got {len(matrices)}, {len(vectors)} "
            f"and {activations if isinstance(activations, (str, Op)) else len(activations)}"
        )
    inputs = np.asarray(X, dtype=np.float64)
    if inputs.ndim != 2:
        raise ValueError(f"X must be (n_samples, n_inputs), one row per sample, got {inputs.shape}")
    below = inputs.shape[1]
    for i, (w, b) in enumerate(zip(matrices, vectors, strict=True), 1):
        if w.ndim != 2 or w.shape[1] != below:
            raise ValueError(f"the weights of layer {i} must be (n_outputs, {below}), got {w.shape}")
        below = w.shape[0]
        if b is not None and b.shape != (below,):
            raise ValueError(f"the biases of layer {i} must be ({below},), one per neuron, got {b.shape}")
    ops, signal = [activation_by_name(each) for each in activations], inputs
    z: list[Array] = []
    a: list[Array] = []
    with np.errstate(all="ignore"):
        for w, b, activation in zip(matrices, vectors, ops, strict=True):
            z.append(signal @ w.T if b is None else signal @ w.T + b)
            signal = activate(activation, z[-1])
            a.append(signal)
    return matrices, ops, inputs, z, a
