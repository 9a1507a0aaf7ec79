"""One weight matrix at many positions: attention, convolutions and a small GPT, written as loops over Values.

Value and gradient of a batch: PyTorch and JAX have the arrays that a person writes, and NumPy by hand is the floor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from benchmarks.contenders import ALIVE, OURS, Contender

HAND, TORCH, JAX = "NumPy by hand, buffers", "PyTorch", "jax.jit"
TOKENS = WIDTH = 8
SIDE, CHANNELS = 28, 2


def batch(rows: int, *shape: int) -> np.ndarray:
    """Samples (rows, *shape)."""
    return np.random.default_rng(2).normal(size=(rows, *shape))


def weights(*shape: int) -> np.ndarray:
    """Weights of any shape, small enough for the sums that they are in."""
    return np.random.default_rng(1).normal(0.0, 0.3, size=shape)


def as_values(array: np.ndarray) -> Any:
    """Nested lists of Values."""
    from autodiff import Value

    return Value(float(array)) if array.ndim == 0 else [as_values(part) for part in array]


def steady(work: Callable[[], tuple[Any, Any]]) -> Contender:
    """A contender that computes the same each time: the value, and the gradient in the order of the weights."""

    def answers() -> list[float]:
        value, gradient = work()
        return [float(value), *np.ravel(gradient).tolist()]

    return Contender(work, answers)


def compiled(f: Callable[..., Any], parameters: Any, X: np.ndarray) -> Contender:
    """A function of one sample as `compile` runs it, while it trains."""
    import autodiff

    program = autodiff.compile(f)
    ALIVE.enter_context(program.training(X))
    place = {id(p): i for i, p in enumerate(program.parameters)}
    order = [place[id(p)] for p in np.ravel(np.array(parameters, dtype=object)).tolist()]

    def answers() -> list[float]:
        value, gradient = program.value_and_grad(X)
        return [value, *gradient[order].tolist()]

    return Contender(lambda: program.value_and_grad(X), answers)


# Attention: queries, keys, values and an output, without a mask; the cost is the sum of squares.


def attention(*, rows: int) -> Contender:
    """One head over tokens, as one writes it for Values."""
    from autodiff import softmax

    W = as_values(weights(4, WIDTH, WIDTH))

    def times(matrix: Any, x: Any) -> list[Any]:
        return [sum(w * v for w, v in zip(row, x, strict=True)) for row in matrix]

    def f(x: Any) -> Any:
        q, k, v = ([times(matrix, token) for token in x] for matrix in W[:3])
        cost: Any = 0.0
        for own in q:
            shares = softmax([sum(a * b for a, b in zip(own, other, strict=True)) / WIDTH**0.5 for other in k])
            mixed = [sum(p * token[j] for p, token in zip(shares, v, strict=True)) for j in range(WIDTH)]
            cost = cost + sum(y * y for y in times(W[3], mixed))
        return cost

    return compiled(f, W, batch(rows, TOKENS, WIDTH))


def rows_first(a: np.ndarray) -> np.ndarray:
    """Rows × first axis × second axis."""
    return a.transpose(2, 0, 1)


def turned(a: np.ndarray) -> np.ndarray:
    """Rows × second axis × first axis."""
    return a.transpose(2, 1, 0)


def attention_by_hand(*, rows: int) -> Contender:
    """Units × tokens × rows, every result into a buffer; products of two things of a row are one matmul each."""
    X, W = batch(rows, TOKENS, WIDTH), weights(4, WIDTH, WIDTH)
    T, D, n = TOKENS, WIDTH, min(rows, 500)
    Wqkv, Wo, gradient = W[:3].reshape(3 * D, D), W[3], np.empty((4 * D, D))
    x, qkv, mixed, y = (np.empty((k * D, T, n)) for k in (1, 3, 1, 1))
    d_qkv, d_mixed = np.empty((3 * D, T, n)), np.empty((D, T, n))
    s, p, ds = (np.empty((T, T, n)) for _ in range(3))
    top = np.empty((T, n))
    flat = {id(a): a.reshape(len(a), -1) for a in (x, qkv, mixed, y, d_qkv, d_mixed)}
    x2, qkv2, mixed2, y2, d_qkv2, d_mixed2 = flat.values()
    (q, k, v), (dq, dk, dv) = (a.reshape(3, D, T, n) for a in (qkv, d_qkv))
    per_block = np.empty((4 * D, D))
    scale, two = np.array(D**-0.5), np.array(2.0 / rows)
    matmul, multiply, subtract, divide, add = np.matmul, np.multiply, np.subtract, np.divide, np.add
    views = [
        (turned(q), rows_first(k), rows_first(s)), (rows_first(p), turned(v), turned(mixed)),
        (turned(d_mixed), rows_first(v), rows_first(ds)), (rows_first(d_mixed), rows_first(p), rows_first(dv)),
        (rows_first(k), turned(ds), rows_first(dq)), (rows_first(q), rows_first(ds), rows_first(dk)),
    ]  # fmt: skip
    scores, mix, d_shares, d_values, d_queries, d_keys = views

    def work() -> tuple[float, np.ndarray]:
        value = 0.0
        gradient.fill(0.0)
        for start in range(0, rows, n):
            x[...] = X[start : start + n].transpose(2, 1, 0)
            Wqkv.dot(x2, qkv2)
            matmul(*scores)
            multiply(s, scale, s)
            np.maximum.reduce(s, 1, None, top)
            subtract(s, top[:, None], s)
            np.exp(s, p)
            add.reduce(p, 1, None, top)
            divide(p, top[:, None], p)
            matmul(*mix)
            Wo.dot(mixed2, y2)
            value += float(np.vdot(y, y))
            multiply(y, two, y)
            y2.dot(mixed2.T, per_block[3 * D :])
            Wo.T.dot(y2, d_mixed2)
            matmul(*d_shares)
            matmul(*d_values)
            multiply(ds, p, s)
            add.reduce(s, 1, None, top)
            subtract(ds, top[:, None], ds)
            multiply(ds, p, ds)
            multiply(ds, scale, ds)
            matmul(*d_queries)
            matmul(*d_keys)
            d_qkv2.dot(x2.T, per_block[: 3 * D])
            add(gradient, per_block, gradient)
        return value / rows, gradient

    return steady(work)


def attention_in_torch(*, rows: int) -> Contender:
    """Batched products of tensors."""
    import torch

    X, W = torch.tensor(batch(rows, TOKENS, WIDTH)), torch.tensor(weights(4, WIDTH, WIDTH), requires_grad=True)

    def work() -> tuple[Any, Any]:
        W.grad = None
        q, k, v = (X @ matrix.T for matrix in W[:3])
        y = torch.softmax(q @ k.transpose(1, 2) * WIDTH**-0.5, dim=-1) @ v @ W[3].T
        value = (y * y).sum() / rows
        value.backward()
        return value.item(), W.grad

    return steady(work)


def jitted(loss: Callable[..., Any], W: np.ndarray, *data: Any) -> Contender:
    """Value and gradient in one `jax.jit`; the data are arguments, or XLA would compute with them beforehand."""
    import jax
    import jax.numpy as jnp

    both, parameters = jax.jit(jax.value_and_grad(loss)), jnp.asarray(W)

    def work() -> tuple[Any, Any]:
        value, gradient = both(parameters, *data)
        return value, gradient.block_until_ready()

    return steady(work)


def attention_in_jax(*, rows: int) -> Contender:
    """As in PyTorch."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def loss(W: Any, X: Any) -> Any:
        q, k, v = (X @ W[i].T for i in range(3))
        y = jax.nn.softmax(q @ k.transpose(0, 2, 1) * WIDTH**-0.5, axis=-1) @ v @ W[3].T
        return (y * y).sum() / rows

    return jitted(loss, weights(4, WIDTH, WIDTH), jnp.asarray(batch(rows, TOKENS, WIDTH)))


# Two convolutions of 3 × 3, one channel → two → two, each followed by a ReLU; the cost is the sum.


def convolutions(*, rows: int) -> Contender:
    """Loops over channels, places and taps, as one writes them for Values."""
    from autodiff import relu

    kernels = as_values(weights(CHANNELS + CHANNELS**2, 3, 3))
    first, second = [kernels[:CHANNELS]], [kernels[(d + 1) * CHANNELS :][:CHANNELS] for d in range(CHANNELS)]

    def layer(images: Any, by_channel: Any) -> Any:
        places = range(len(images[0]) - 2)
        return [
            [[relu(sum(by_channel[d][c][a][b] * image[i + a][j + b]
                       for d, image in enumerate(images) for a in range(3) for b in range(3)))
              for j in places] for i in places] for c in range(CHANNELS)
        ]  # fmt: skip

    def f(x: Any) -> Any:
        return sum(v for image in layer(layer([x], first), second) for row in image for v in row)

    return compiled(f, kernels, batch(rows, SIDE, SIDE))


class Windows:
    """The 3 × 3 windows of images (height, channels, width, rows): three shifted copies, overlapping matrices."""

    def __init__(self, height: int, channels: int, width: int, rows: int) -> None:
        self.shifted = np.zeros((height, 3, channels, width - 2, rows))
        step = self.shifted.strides
        size = 9 * channels, (width - 2) * rows
        self.matrices = as_strided(self.shifted, (height - 2, *size), (step[0], step[2], step[4]))
        self.turned = self.matrices.transpose(0, 2, 1)


def convolutions_by_hand(*, rows: int) -> Contender:
    """One matmul per layer on overlapping matrices; δ of the input is the same on padded δ, with the taps flipped."""
    X, W, n = batch(rows, SIDE, SIDE), weights(CHANNELS + CHANNELS**2, 3, 3), min(rows, 16 if rows < 100 else 32)
    C, H = CHANNELS, SIDE
    first = W[:C].reshape(C, 9)
    per_tap = W[C:].reshape(C, C, 3, 3)  # from, to, row, column
    second = np.ascontiguousarray(per_tap.transpose(1, 2, 3, 0).reshape(C, 9 * C))
    flipped = np.ascontiguousarray(per_tap[:, :, ::-1, ::-1].transpose(0, 2, 3, 1).reshape(C, 9 * C))
    made: dict[int, Any] = {}

    def buffers(n: int) -> Any:
        shapes = [(H - 2, C, (H - 2) * n), (H - 2, C, (H - 2) * n), (H - 4, C, (H - 4) * n), (H - 4, C, (H - 4) * n)]
        windows = Windows(H, 1, H, n), Windows(H - 2, C, H - 2, n), Windows(H, C, H, n)
        return (*windows, *map(np.empty, shapes), np.empty((H - 4, C, 9 * C)), np.empty((H - 2, C, 9)))

    def work() -> tuple[float, np.ndarray]:
        value, one, two = 0.0, np.zeros((C, 9)), np.zeros((C, 9 * C))
        for start in range(0, rows, n):
            x = X[start : start + n].transpose(1, 2, 0)
            size = x.shape[-1]
            if size not in made:
                made[size] = buffers(size)
            images, hidden, padded, a, da, z, dz, each_two, each_one = made[size]
            for b in range(3):
                images.shifted[:, b, 0] = x[:, b : b + H - 2]
            np.matmul(first, images.matrices, a)
            np.maximum(a, 0.0, out=a)
            wide = a.reshape(H - 2, C, H - 2, size)
            for b in range(3):
                hidden.shifted[:, b] = wide[:, :, b : b + H - 4]
            np.matmul(second, hidden.matrices, z)
            np.maximum(z, 0.0, out=z)
            value += float(z.sum())
            np.sign(z, dz)
            two += np.matmul(dz, hidden.turned, each_two).sum(axis=0)
            delta = dz.reshape(H - 4, C, H - 4, size)
            for b in range(3):
                padded.shifted[2 : H - 2, b, :, 2 - b : H - 2 - b] = delta
            np.matmul(flipped, padded.matrices, da)
            np.sign(a, a)
            np.multiply(da, a, da)
            one += np.matmul(da, images.turned, each_one).sum(axis=0)
        second_taps = two.reshape(C, 3, 3, C).transpose(3, 0, 1, 2)
        return value / rows, np.concatenate([one.ravel(), second_taps.ravel()]) / rows

    return steady(work)


def convolutions_in_torch(*, rows: int) -> Contender:
    """conv2d."""
    import torch

    X, W = torch.tensor(batch(rows, 1, SIDE, SIDE)), torch.tensor(weights(6, 3, 3), requires_grad=True)

    def work() -> tuple[Any, Any]:
        W.grad = None
        h = torch.relu(torch.conv2d(X, W[:CHANNELS, None]))
        second = W[CHANNELS:].reshape(CHANNELS, CHANNELS, 3, 3).transpose(0, 1)
        value = torch.relu(torch.conv2d(h, second)).sum() / rows
        value.backward()
        return value.item(), W.grad

    return steady(work)


def convolutions_in_jax(*, rows: int) -> Contender:
    """lax.conv."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def convolved(x: Any, w: Any) -> Any:
        return jax.nn.relu(jax.lax.conv(x, w, (1, 1), "VALID"))

    def loss(W: Any, X: Any) -> Any:
        second = W[CHANNELS:].reshape(CHANNELS, CHANNELS, 3, 3).transpose(1, 0, 2, 3)
        return convolved(convolved(X, W[:CHANNELS, None]), second).sum() / rows

    return jitted(loss, weights(6, 3, 3), jnp.asarray(batch(rows, 1, SIDE, SIDE)))


ATTENTION: dict[str, Callable[..., Contender]] = {
    OURS: attention, HAND: attention_by_hand, TORCH: attention_in_torch, JAX: attention_in_jax,
}  # fmt: skip
CONVOLUTIONS: dict[str, Callable[..., Contender]] = {
    OURS: convolutions, HAND: convolutions_by_hand, TORCH: convolutions_in_torch, JAX: convolutions_in_jax,
}  # fmt: skip
