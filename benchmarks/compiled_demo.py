"""One step of micrograd's demo, done by all: 2-16-16-1, ReLU, 100 moons in one batch, hinge loss and L2, descent.

Some can do it for other widths of the hidden layers and other numbers of moons too. Parameters lie in micrograd's
order, neuron by neuron: its weights, then its bias.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks import demo
from benchmarks.contenders import ALIVE, OURS, Contender, blocks, trained
from benchmarks.demo import ALPHA, LEARNING_RATE

MLP = f"{OURS}, models.MLP"
SUMS = f"{OURS}, sums of products"
HAND, NAIVE = "NumPy by hand, buffers", "NumPy, naive"
TORCH = "PyTorch nn + SGD"
TORCH_DECAY = "PyTorch nn + SGD, weight_decay"
JAX_FLAT, JAX_TREE = "jax.jit, flat parameters", "jax.jit, pytree"
MICROGRAD = "micrograd"


def data(sizes: list[int], rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (rows, 2), classes (rows,) of -1 and 1, parameters: smaller ones for wider layers, as training needs."""
    points, classes = demo.moons(rows)
    start = np.array(demo.initial_parameters(sizes=sizes))
    return np.array(points), np.array(classes), start / np.sqrt(max(1.0, sizes[1] / 16.0))


def ours(hidden: int = 16, rows: int = 100, *, with_models: bool = False) -> Contender:
    """The step as a user of `compile` writes it."""
    import autodiff
    from autodiff import Value

    sizes = [2, hidden, hidden, 1]
    X, Y, start = data(sizes, rows)
    if with_models:
        import models
        from models.losses import hinge

        network: Any = models.MLP(sizes[0], sizes[1:])

        def loss(x: Any, y: Any) -> Any:
            return hinge(network(x), y) + ALPHA * sum(p * p for p in network.parameters())
    else:
        network = demo.MLP(Value, demo.Neuron, sizes)

        def loss(x: Any, y: Any) -> Any:
            return (1 + -y * network(x)).relu() + ALPHA * sum(p * p for p in network.parameters())

    program = autodiff.compile(loss)
    flat = ALIVE.enter_context(program.training(X, Y))
    place = {id(p): i for i, p in enumerate(program.parameters)}
    order = [place[id(p)] for p in network.parameters()]

    def work() -> float:
        nonlocal flat
        value, gradient = program.value_and_grad(X, Y)
        flat -= LEARNING_RATE * gradient
        return value

    def reset() -> None:
        flat[order] = start

    reset()
    return trained(work, lambda: flat[order], reset)


def by_hand(hidden: int = 16, rows: int = 100) -> Contender:
    """NumPy as one writes it who wants this very step fast: the floor.

    Units × batch, so that what one unit gives is contiguous; every result into a buffer that is there; parameters and
    their derivatives in one flat array each; biases folded into the products through a row of ones.
    """
    sizes = [2, hidden, hidden, 1]
    X, Y, start = data(sizes, rows)
    n = len(X)
    flat, gradient, scratch = np.empty(len(start)), np.empty(len(start)), np.empty(len(start))
    (W1, W2, W3), (G1, G2, G3) = blocks(flat, sizes), blocks(gradient, sizes)
    X1 = np.vstack([X.T, np.ones(n)])
    A1, A2 = np.ones((sizes[1] + 1, n)), np.ones((sizes[2] + 1, n))
    a1, a2 = A1[:-1], A2[:-1]
    X1T, A1T, A2T, W2T, w3 = X1.T, A1.T, A2.T, W2[:, :-1].T, W3[0, :-1].reshape(-1, 1)
    S, D1, D2 = np.empty(a1.shape), np.empty(a1.shape), np.empty(a2.shape)
    score, delta, minus_y, minus_y_n = np.empty((1, n)), np.empty((1, n)), -Y.reshape(1, n), -Y.reshape(1, n) / n
    ones = np.ones(n)
    maximum, multiply, add, subtract, sign = np.maximum, np.multiply, np.add, np.subtract, np.sign
    zero, one, two_alpha, rate = (np.array(x) for x in (0.0, 1.0, 2.0 * ALPHA, LEARNING_RATE))

    def work() -> float:
        W1.dot(X1, a1)  # the method is half the price of np.dot
        maximum(a1, zero, out=a1)
        W2.dot(A1, a2)
        maximum(a2, zero, out=a2)
        W3.dot(A2, score)
        multiply(score, minus_y, delta)
        add(delta, one, delta)
        maximum(delta, zero, out=delta)
        loss = float(delta[0].dot(ones)) / n + ALPHA * float(flat.dot(flat))
        sign(delta, delta)
        multiply(delta, minus_y_n, delta)
        delta.dot(A2T, G3)
        w3.dot(delta, D2)
        sign(a2, S)
        multiply(D2, S, D2)
        D2.dot(A1T, G2)
        W2T.dot(D2, D1)
        sign(a1, S)
        multiply(D1, S, D1)
        D1.dot(X1T, G1)
        multiply(flat, two_alpha, scratch)
        add(gradient, scratch, gradient)
        multiply(gradient, rate, scratch)
        subtract(flat, scratch, flat)
        return loss

    def reset() -> None:
        flat[:] = start

    reset()
    return trained(work, lambda: flat, reset)


def naive(hidden: int = 16, rows: int = 100) -> Contender:
    """NumPy as one writes it at first: expressions, one array per matrix and per bias."""
    sizes = [2, hidden, hidden, 1]
    X, Y, start = data(sizes, rows)
    n = len(X)
    W: list[Any] = []
    b: list[Any] = []

    def work() -> float:
        z1 = X @ W[0].T + b[0]
        a1 = np.maximum(z1, 0.0)
        z2 = a1 @ W[1].T + b[1]
        a2 = np.maximum(z2, 0.0)
        score = (a2 @ W[2].T + b[2])[:, 0]
        margin = 1.0 - Y * score
        loss = np.maximum(margin, 0.0).mean() + ALPHA * sum((p * p).sum() for p in (*W, *b))
        d3 = (np.where(margin > 0.0, -Y, 0.0) / n)[:, None]
        d2 = (d3 @ W[2]) * (z2 > 0.0)
        d1 = (d2 @ W[1]) * (z1 > 0.0)
        for i, (d, a) in enumerate(((d1, X), (d2, a1), (d3, a2))):
            W[i] = W[i] - LEARNING_RATE * (d.T @ a + 2.0 * ALPHA * W[i])
            b[i] = b[i] - LEARNING_RATE * (d.sum(axis=0) + 2.0 * ALPHA * b[i])
        return loss

    def reset() -> None:
        W[:] = [block[:, :-1].copy() for block in blocks(start, sizes)]
        b[:] = [block[:, -1].copy() for block in blocks(start, sizes)]

    def read() -> Any:
        return np.concatenate([np.column_stack([w, c]).ravel() for w, c in zip(W, b, strict=True)])

    reset()
    return trained(work, read, reset)


def torch_nn(hidden: int = 16, rows: int = 100, *, weight_decay: bool = False) -> Contender:
    """PyTorch's modules and optimizer; L2 in the loss, or left to the optimizer, and so out of the loss it gives."""
    import torch

    sizes = [2, hidden, hidden, 1]
    X, Y, start = data(sizes, rows)
    X, Y = torch.tensor(X), torch.tensor(Y)
    nn = torch.nn
    network = nn.Sequential(
        nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)
    ).double()  # fmt: skip
    decay = 2.0 * ALPHA if weight_decay else 0.0
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE, weight_decay=decay)

    def work() -> float:
        score = network(X)[:, 0]
        loss = torch.relu(1.0 - Y * score).mean()
        if not weight_decay:
            loss = loss + ALPHA * sum((p * p).sum() for p in network.parameters())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    linear = [network[i] for i in (0, 2, 4)]

    def reset() -> None:
        with torch.no_grad():
            for layer, block in zip(linear, blocks(start, sizes), strict=True):
                layer.weight.copy_(torch.tensor(block[:, :-1]))
                layer.bias.copy_(torch.tensor(block[:, -1]))

    def read() -> Any:
        with torch.no_grad():
            return torch.cat([torch.cat([x.weight, x.bias[:, None]], 1).ravel() for x in linear]).numpy()

    def whole() -> float:
        penalty = ALPHA * float(read() @ read()) if weight_decay else 0.0
        return penalty + work()

    reset()
    return Contender(work, trained(whole, read, reset).answers)


def jax_jit(hidden: int = 16, rows: int = 100, *, flat: bool) -> Contender:
    """The whole step in one `jax.jit`; parameters as one array, or as the usual tree of matrices and biases."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    sizes = [2, hidden, hidden, 1]
    X, Y, start = data(sizes, rows)
    X, Y = jnp.asarray(X), jnp.asarray(Y)

    def score(layers: Any, a: Any) -> Any:
        for W, b in layers[:-1]:
            a = jax.nn.relu(a @ W.T + b)
        W, b = layers[-1]
        return (a @ W.T + b)[:, 0]

    def loss(parameters: Any) -> Any:
        layers = [(block[:, :-1], block[:, -1]) for block in blocks(parameters, sizes)] if flat else parameters
        squares = (parameters * parameters).sum() if flat else sum((p * p).sum() for p in jax.tree.leaves(parameters))
        return jnp.maximum(0.0, 1.0 - Y * score(layers, X)).mean() + ALPHA * squares

    @jax.jit
    def step(parameters: Any) -> Any:
        value, gradient = jax.value_and_grad(loss)(parameters)
        return value, jax.tree.map(lambda p, g: p - LEARNING_RATE * g, parameters, gradient)

    now: Any = None

    def work() -> Any:
        nonlocal now
        value, now = step(now)
        return value.block_until_ready()

    def reset() -> None:
        nonlocal now
        tree = [(jnp.asarray(block[:, :-1]), jnp.asarray(block[:, -1])) for block in blocks(start, sizes)]
        now = jnp.asarray(start) if flat else tree

    def read() -> Any:
        return np.asarray(now) if flat else np.concatenate([np.column_stack(layer).ravel() for layer in now])

    reset()
    return trained(work, read, reset)


def micrograd(rows: int = 100) -> Contender:
    """micrograd as it is, on its own `nn.MLP`."""
    return trained(*demo.training(demo.MICROGRAD, rows))


CONTENDERS: dict[str, Callable[..., Contender]] = {
    SUMS: ours,
    MLP: partial(ours, with_models=True),
    HAND: by_hand,
    NAIVE: naive,
    TORCH: torch_nn,
    TORCH_DECAY: partial(torch_nn, weight_decay=True),
    JAX_FLAT: partial(jax_jit, flat=True),
    JAX_TREE: partial(jax_jit, flat=False),
    MICROGRAD: micrograd,
}
