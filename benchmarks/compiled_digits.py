"""One step of training on handwritten digits (64-32-10, tanh, softmax cross-entropy, batches of 128), done by all.

Every step takes the next batch. Parameters lie neuron by neuron: its weights, then its bias.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import cycle, pairwise
from typing import Any

import numpy as np

from benchmarks.contenders import ALIVE, OURS, Contender, blocks, trained

HAND, NAIVE = "NumPy by hand, buffers", "NumPy, naive"
TORCH = "PyTorch nn + SGD"
JAX_FLAT, JAX_TREE = "jax.jit, flat parameters", "jax.jit, pytree"
SKLEARN = "scikit-learn partial_fit"

SIZES = [64, 32, 10]
BATCH = 128
LEARNING_RATE = 0.1


def data() -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Batches of images (128, 64) in [0, 1], of their classes (128,), and parameters (2410,)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        rng = np.random.default_rng(0)
        images, classes = rng.integers(0, 17, (1797, 64)).astype(np.float64), rng.integers(0, 10, 1797)
    else:
        images, classes = load_digits(return_X_y=True)
    stops = range(BATCH, len(images) + 1, BATCH)
    X = [images[stop - BATCH : stop] / 16.0 for stop in stops]
    Y = [classes[stop - BATCH : stop] for stop in stops]
    rng = np.random.default_rng(1)
    parts = [rng.uniform(-1.0, 1.0, n_out * (n_in + 1)) / np.sqrt(n_in) for n_in, n_out in pairwise(SIZES)]
    return X, Y, np.concatenate(parts)


def one_hot(classes: np.ndarray) -> np.ndarray:
    """A row per sample: 1 at its class, else 0."""
    return np.eye(SIZES[-1])[classes]


def ours() -> Contender:
    """The step as a user of `compile` writes it: one sample, on Values."""
    import autodiff
    from autodiff import logsumexp
    from models import MLP

    X, Y, start = data()
    T = [one_hot(y) for y in Y]
    network = MLP(SIZES[0], SIZES[1:], activation="tanh")

    def loss(x: Any, target: Any) -> Any:
        z = network(x)
        return logsumexp(z) - sum(t * zi for t, zi in zip(target, z, strict=True))

    program = autodiff.compile(loss)
    flat = ALIVE.enter_context(program.training(X[0], T[0]))
    place = {id(p): i for i, p in enumerate(program.parameters)}
    order = [place[id(p)] for p in network.parameters()]
    batches: Any = None

    def work() -> float:
        nonlocal flat
        x, target = next(batches)
        value, gradient = program.value_and_grad(x, target)
        flat -= LEARNING_RATE * gradient
        return value

    def reset() -> None:
        nonlocal batches
        flat[order] = start
        batches = cycle(zip(X, T, strict=True))

    reset()
    return trained(work, lambda: flat[order], reset)


def by_hand() -> Contender:
    """NumPy as one writes it who wants this very step fast: the floor.

    Units × batch, every result into a buffer that is there, flat parameters and derivatives, biases folded into the
    products through a row of ones. The images are prepared once and for all: with their ones, and in two layouts, since
    BLAS is slowest where its second factor is a transpose.
    """
    X, Y, start = data()
    rows = [np.column_stack([x, np.ones(BATCH)]) for x in X]
    inputs = [np.ascontiguousarray(x.T) for x in rows]
    targets = [np.ascontiguousarray(one_hot(y).T) for y in Y]
    _, hidden, classes = SIZES
    flat, gradient = np.empty(len(start)), np.empty(len(start))
    (W1, W2), (G1, G2) = blocks(flat, SIZES), blocks(gradient, SIZES)
    A = np.ones((hidden + 1, BATCH))
    a, AT, W2T = A[:-1], A.T, W2[:, :-1].T
    Z, P = np.empty((classes, BATCH)), np.empty((classes, BATCH))
    D, S = np.empty((hidden, BATCH)), np.empty((hidden, BATCH))
    row, ones, ones_classes = np.empty(BATCH), np.ones(BATCH), np.ones(classes)
    one, inverse, rate = np.array(1.0), np.array(1.0 / BATCH), np.array(LEARNING_RATE)
    tanh, exp, log, maximum = np.tanh, np.exp, np.log, np.maximum.reduce
    multiply, subtract, divide = np.multiply, np.subtract, np.divide
    batches: Any = None

    def work() -> float:
        X1, X1T, target = next(batches)
        W1.dot(X1, a)  # the method is half the price of np.dot
        tanh(a, a)
        W2.dot(A, Z)
        maximum(Z, 0, None, row)
        subtract(Z, row, Z)
        exp(Z, P)
        ones_classes.dot(P, row)
        divide(P, row, P)
        log(row, row)
        loss = (float(row.dot(ones)) - float(np.vdot(Z, target))) / BATCH
        subtract(P, target, P)
        multiply(P, inverse, P)
        P.dot(AT, G2)
        W2T.dot(P, D)
        multiply(a, a, S)
        subtract(one, S, S)
        multiply(D, S, D)
        D.dot(X1T, G1)
        multiply(gradient, rate, gradient)
        subtract(flat, gradient, flat)
        return loss

    def reset() -> None:
        nonlocal batches
        flat[:] = start
        batches = cycle(zip(inputs, rows, targets, strict=True))

    reset()
    return trained(work, lambda: flat, reset)


def naive() -> Contender:
    """NumPy as one writes it at first: expressions, one array per matrix and per bias."""
    X, Y, start = data()
    T = [one_hot(y) for y in Y]
    W: list[Any] = []
    b: list[Any] = []
    batches: Any = None

    def work() -> float:
        x, target = next(batches)
        a = np.tanh(x @ W[0].T + b[0])
        z = a @ W[1].T + b[1]
        z = z - z.max(axis=1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=1, keepdims=True)
        loss = (np.log(total).sum() - (z * target).sum()) / BATCH
        d2 = (e / total - target) / BATCH
        d1 = (d2 @ W[1]) * (1.0 - a * a)
        for i, (d, inputs) in enumerate(((d1, x), (d2, a))):
            W[i] = W[i] - LEARNING_RATE * d.T @ inputs
            b[i] = b[i] - LEARNING_RATE * d.sum(axis=0)
        return loss

    def reset() -> None:
        nonlocal batches
        W[:] = [block[:, :-1].copy() for block in blocks(start, SIZES)]
        b[:] = [block[:, -1].copy() for block in blocks(start, SIZES)]
        batches = cycle(zip(X, T, strict=True))

    reset()
    return trained(work, lambda: _joined(W, b), reset)


def _joined(W: Any, b: Any) -> np.ndarray:
    return np.concatenate([np.column_stack([w, c]).ravel() for w, c in zip(W, b, strict=True)])


def torch_nn() -> Contender:
    """PyTorch's modules, loss and optimizer."""
    import torch

    X, Y, start = data()
    pairs = [(torch.tensor(x), torch.tensor(y)) for x, y in zip(X, Y, strict=True)]
    nn = torch.nn
    network = nn.Sequential(nn.Linear(SIZES[0], SIZES[1]), nn.Tanh(), nn.Linear(SIZES[1], SIZES[2])).double()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    linear = [network[0], network[2]]
    batches: Any = None

    def work() -> float:
        x, y = next(batches)
        loss = criterion(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def reset() -> None:
        nonlocal batches
        batches = cycle(pairs)
        with torch.no_grad():
            for layer, block in zip(linear, blocks(start, SIZES), strict=True):
                layer.weight.copy_(torch.tensor(block[:, :-1]))
                layer.bias.copy_(torch.tensor(block[:, -1]))

    def read() -> Any:
        return _joined([x.weight.detach().numpy() for x in linear], [x.bias.detach().numpy() for x in linear])

    reset()
    return trained(work, read, reset)


def jax_jit(*, flat: bool) -> Contender:
    """The whole step in one `jax.jit`; parameters as one array, or as the usual tree of matrices and biases."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    X, Y, start = data()
    pairs = [(jnp.asarray(x), jnp.asarray(one_hot(y))) for x, y in zip(X, Y, strict=True)]

    def loss(parameters: Any, x: Any, target: Any) -> Any:
        layers = [(block[:, :-1], block[:, -1]) for block in blocks(parameters, SIZES)] if flat else parameters
        (W1, b1), (W2, b2) = layers
        z = jnp.tanh(x @ W1.T + b1) @ W2.T + b2
        return (jax.nn.logsumexp(z, axis=1) - (z * target).sum(axis=1)).mean()

    @jax.jit
    def step(parameters: Any, x: Any, target: Any) -> Any:
        value, gradient = jax.value_and_grad(loss)(parameters, x, target)
        return value, jax.tree.map(lambda p, g: p - LEARNING_RATE * g, parameters, gradient)

    now: Any = None
    batches: Any = None

    def work() -> Any:
        nonlocal now
        value, now = step(now, *next(batches))
        return value.block_until_ready()

    def reset() -> None:
        nonlocal now, batches
        batches = cycle(pairs)
        tree = [(jnp.asarray(block[:, :-1]), jnp.asarray(block[:, -1])) for block in blocks(start, SIZES)]
        now = jnp.asarray(start) if flat else tree

    reset()
    return trained(work, lambda: np.asarray(now) if flat else _joined(*zip(*now, strict=True)), reset)


def sklearn() -> Contender:
    """MLPClassifier.partial_fit with the same batches and plain gradient descent: no momentum, no L2."""
    from sklearn.neural_network import MLPClassifier

    X, Y, start = data()
    network = MLPClassifier(
        (SIZES[1],), activation="tanh", solver="sgd", alpha=0.0, batch_size=BATCH, learning_rate_init=LEARNING_RATE,
        momentum=0.0, nesterovs_momentum=False, shuffle=False, random_state=0,
    )  # fmt: skip
    network.partial_fit(X[0], Y[0], classes=np.arange(SIZES[-1]))
    batches: Any = None

    def work() -> float:
        network.partial_fit(*next(batches))
        return network.loss_

    def reset() -> None:
        nonlocal batches
        batches = cycle(zip(X, Y, strict=True))
        for W, b, block in zip(network.coefs_, network.intercepts_, blocks(start, SIZES), strict=True):
            W[:], b[:] = block[:, :-1].T, block[:, -1]

    reset()
    return trained(work, lambda: _joined([W.T for W in network.coefs_], network.intercepts_), reset)


CONTENDERS: dict[str, Callable[..., Contender]] = {
    OURS: ours,
    HAND: by_hand,
    NAIVE: naive,
    TORCH: torch_nn,
    JAX_FLAT: partial(jax_jit, flat=True),
    JAX_TREE: partial(jax_jit, flat=False),
    SKLEARN: sklearn,
}
