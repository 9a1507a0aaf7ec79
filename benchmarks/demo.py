"""micrograd's demo: an MLP 2-16-16-1 with ReLU on 100 moons, hinge loss and L2, one full training step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.engines import MICROGRAD, PURE_WEIGHTED, WEIGHTED, load

SIZES = [2, 16, 16, 1]
ALPHA = 1e-4
LEARNING_RATE = 0.1


def moons(n: int = 100, noise: float = 0.1, seed: int = 1337) -> tuple[list[list[float]], list[float]]:
    """Two interleaving half circles: n points in the plane, and for each its class, -1 or 1."""
    rng = np.random.default_rng(seed)
    angle = np.pi * rng.random(n)
    lower = np.arange(n) % 2
    x = np.where(lower, 1.0 - np.cos(angle), np.cos(angle))
    y = np.where(lower, 0.5 - np.sin(angle), np.sin(angle))
    points = np.column_stack([x, y]) + noise * rng.standard_normal((n, 2))
    return points.tolist(), (2.0 * lower - 1.0).tolist()


def initial_parameters(seed: int = 1337, sizes: Sequence[int] = SIZES) -> list[float]:
    """Weights uniform in (-1, 1) and biases 0, neuron by neuron in the order of `parameters()`."""
    rng = np.random.default_rng(seed)
    layers = pairwise(sizes)
    return [x for n_in, n_out in layers for _ in range(n_out) for x in (*rng.uniform(-1.0, 1.0, n_in).tolist(), 0.0)]


class Neuron:
    """A neuron as micrograd writes it: a sum of products, one node for each + and each *."""

    def __init__(self, value: Any, n_in: int, *, nonlinear: bool) -> None:
        self.w: Sequence[Any] = [value(0.0) for _ in range(n_in)]
        self.b = value(0.0)
        self.nonlinear = nonlinear

    def __call__(self, x: Sequence[Any]) -> Any:
        activation = sum((wi * xi for wi, xi in zip(self.w, x, strict=False)), self.b)
        return activation.relu() if self.nonlinear else activation


class WeightedNeuron(Neuron):
    """A neuron as this package can write it: its weighted sum is one node.

    Weights and inputs are tuples, which `weighted_sum` keeps as they are; lists it would have to copy.
    """

    def __init__(self, value: Any, n_in: int, *, nonlinear: bool) -> None:
        from autodiff import weighted_sum

        super().__init__(value, n_in, nonlinear=nonlinear)
        self.w = tuple(self.w)
        self.weighted_sum = weighted_sum

    def __call__(self, x: Sequence[Any]) -> Any:
        activation = self.weighted_sum(self.w, x, self.b)
        return activation.relu() if self.nonlinear else activation


class MLP:
    """Layers of neurons, for the engines that bring none of their own."""

    def __init__(self, value: Any, neuron: type[Neuron], sizes: Sequence[int] = SIZES) -> None:
        last = len(sizes) - 2
        self.layers = [
            [neuron(value, sizes[i], nonlinear=i != last) for _ in range(sizes[i + 1])] for i in range(last + 1)
        ]

    def __call__(self, x: Sequence[Any]) -> Any:
        for layer in self.layers:
            x = tuple([neuron(x) for neuron in layer])
        return x[0]

    def parameters(self) -> list[Any]:
        """Weights and bias of each neuron, layer by layer: micrograd's order."""
        return [p for layer in self.layers for neuron in layer for p in (*neuron.w, neuron.b)]

    def zero_grad(self) -> None:
        """Set every parameter's gradient to 0, as micrograd does."""
        for p in self.parameters():
            p.grad = 0


def training(
    engine: str, samples: int = 100
) -> tuple[Callable[[], float], Callable[[], list[float]], Callable[[], None]]:
    """Return three functions: one training step, which returns the loss; read the parameters; reset them."""
    value = load(engine)
    if engine == MICROGRAD:
        from micrograd import nn

        model = nn.MLP(SIZES[0], SIZES[1:])
    else:
        model = MLP(value, WeightedNeuron if engine in (WEIGHTED, PURE_WEIGHTED) else Neuron)
    points, classes = moons(samples)
    start = initial_parameters()

    def step() -> float:
        inputs = [tuple(map(value, point)) for point in points]
        scores = list(map(model, inputs))
        losses = [(1 + -y * score).relu() for y, score in zip(classes, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        loss = data_loss + ALPHA * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= LEARNING_RATE * p.grad
        return float(loss.data)

    def read() -> list[float]:
        return [float(p.data) for p in model.parameters()]

    def reset() -> None:
        for p, x in zip(model.parameters(), start, strict=True):
            p.data = x

    reset()
    return step, read, reset


def three_steps(engine: str, samples: int = 100) -> list[float]:
    """Three losses and the parameters after them: what all engines must agree on."""
    step, read, reset = training(engine, samples)
    reset()
    return [step() for _ in range(3)] + read()
