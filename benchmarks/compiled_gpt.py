"""A small GPT, written as loops over Values, as PyTorch and JAX have it, and in NumPy by hand.

Embedding, RMS norm, causal attention with heads, squared ReLU and cross-entropy, over letters and those that follow;
names may be padded to one length, with a weight of 0 for what lies beyond their ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.compiled_positions import HAND, JAX, TORCH, as_values, jitted, steady, weights
from benchmarks.contenders import ALIVE, OURS, Contender

LETTERS, UNITS, HEADS = 27, 16, 4
SIZE = UNITS // HEADS  # of a head


def shapes(length: int) -> dict[str, tuple[int, int]]:
    """The matrices."""
    square = (UNITS, UNITS)
    return {
        "embedding": (UNITS, LETTERS), "place": (length, UNITS), "q": square, "k": square, "v": square, "o": square,
        "up": (4 * UNITS, UNITS), "down": (UNITS, 4 * UNITS), "letters": (LETTERS, UNITS),
    }  # fmt: skip


def names(rows: int, length: int, *, padded: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Letters (rows, length), those that follow, and the weights of the places: each row's sum to 1."""
    rng = np.random.default_rng(3)
    letters = rng.integers(0, LETTERS, size=(rows, length + 1)).astype(float)
    ends = rng.integers(3, length + 1, size=rows) if padded else np.full(rows, length)
    seen = (np.arange(length) < ends[:, None]) / ends[:, None]
    return letters[:, :-1].copy(), letters[:, 1:].copy(), seen


def split(flat: Any, length: int) -> dict[str, Any]:
    """The matrices of a flat array."""
    matrices, start = {}, 0
    for name, (m, n) in shapes(length).items():
        matrices[name], start = flat[start : start + m * n].reshape(m, n), start + m * n
    return matrices


def all_weights(length: int) -> np.ndarray:
    """Every weight, matrix by matrix."""
    return weights(sum(m * n for m, n in shapes(length).values()))


def model(length: int, *, padded: bool) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the cost of a name, token by token, with lists of keys and values that grow, and its weights."""
    from autodiff import logsumexp, relu, softmax

    W = {name: as_values(matrix) for name, matrix in split(all_weights(length), length).items()}

    def times(matrix: Any, x: Any) -> list[Any]:
        return [sum(w * v for w, v in zip(row, x, strict=True)) for row in matrix]

    def normed(x: Any) -> list[Any]:
        scale = (sum(v * v for v in x) / len(x) + 1e-5) ** -0.5
        return [v * scale for v in x]

    def f(letters: Any, following: Any, seen: Any = None) -> Any:
        keys: list[Any] = []
        values: list[Any] = []
        cost: Any = 0.0
        for t, (letter, target) in enumerate(zip(letters, following, strict=True)):
            here = [sum(W["embedding"][j][a] * (letter == a) for a in range(LETTERS)) for j in range(UNITS)]
            x = normed([a + b for a, b in zip(here, W["place"][t], strict=True)])
            y = normed(x)
            q = times(W["q"], y)
            keys.append(times(W["k"], y))
            values.append(times(W["v"], y))
            heads: list[Any] = []
            for h in range(0, UNITS, SIZE):
                part = slice(h, h + SIZE)
                scores = [sum(a * b for a, b in zip(q[part], k[part], strict=True)) / SIZE**0.5 for k in keys]
                shares = softmax(scores)
                heads += [sum(p * v[j] for p, v in zip(shares, values, strict=True)) for j in range(h, h + SIZE)]
            x = [a + b for a, b in zip(times(W["o"], heads), x, strict=True)]
            up = [relu(v) ** 2 for v in times(W["up"], normed(x))]
            x = [a + b for a, b in zip(times(W["down"], up), x, strict=True)]
            z = times(W["letters"], x)
            wrong = logsumexp(z) - sum(v * (target == a) for a, v in enumerate(z))
            cost = cost + (wrong * seen[t] if padded else wrong)
        return cost if padded else cost / length

    return f if padded else lambda letters, following: f(letters, following), W  # noqa: PLW0108 # compile counts the arguments


def gpt(*, rows: int, length: int = 7, padded: bool = False) -> Contender:
    """The same model, compiled."""
    import autodiff

    f, W = model(length, padded=padded)
    batch = names(rows, length, padded=padded)
    given = batch if padded else batch[:2]
    program = autodiff.compile(f)
    ALIVE.enter_context(program.training(*given))
    place = {id(p): i for i, p in enumerate(program.parameters)}
    order = [place[id(p)] for name in shapes(length) for row in W[name] for p in row]

    def answers() -> list[float]:
        value, gradient = program.value_and_grad(*given)
        return [value, *gradient[order].tolist()]

    return Contender(lambda: program.value_and_grad(*given), answers)


class Norm:
    """An RMS norm over units of (units, positions, rows), and its δ, into buffers."""

    def __init__(self, x: np.ndarray, out: np.ndarray) -> None:
        self.x, self.out = x, out
        self.flat = [a.reshape(UNITS, -1) for a in (x, out)]
        self.product, self.root, self.mean = np.empty_like(self.flat[0]), *np.empty((2, self.flat[0].shape[1]))
        self.ones, self.shares = np.ones(UNITS), np.full(UNITS, 1.0 / UNITS)

    def forward(self) -> None:
        x, out = self.flat
        np.multiply(x, x, self.product)
        self.shares.dot(self.product, self.root)
        np.add(self.root, 1e-5, self.root)
        np.power(self.root, -0.5, self.root)
        np.multiply(x, self.root, out)

    def backward(self, delta: np.ndarray) -> None:
        """Replace δ of the result by δ of what is normed."""
        _, out = self.flat
        np.multiply(delta, out, self.product)
        self.shares.dot(self.product, self.mean)
        np.multiply(out, self.mean, self.product)
        np.subtract(delta, self.product, delta)
        np.multiply(delta, self.root, delta)


def gpt_by_hand(*, rows: int, length: int = 7, padded: bool = False) -> Contender:
    """Units × positions × rows, every result into a buffer; the scores of later positions are masked."""
    T, n, H, S = length, rows, HEADS, SIZE
    letters, following, seen = (np.ascontiguousarray(a.T) for a in names(rows, length, padded=padded))
    flat, gradient = all_weights(length), np.empty(sum(a * b for a, b in shapes(length).values()))
    W, g = split(flat, length), split(gradient, length)
    qkv_at = UNITS * LETTERS + length * UNITS
    Wqkv, g_qkv = (a[qkv_at : qkv_at + 3 * UNITS**2].reshape(-1, UNITS) for a in (flat, gradient))
    each = np.arange(float(LETTERS))[:, None, None]
    given, wanted, logits, shares = (np.empty((LETTERS, T, n)) for _ in range(4))
    h, x, y, heads, x2, z, x3, dx, dz = (np.empty((UNITS, T, n)) for _ in range(9))
    qkv, d_qkv = np.empty((2, 3 * UNITS, T, n))
    up, w = np.empty((2, 4 * UNITS, T, n))
    s, ds, product = np.empty((3, T, H, T, n))  # for each key: by head and query
    by_place = np.empty((UNITS, T))
    top, total = np.empty((2, H, T, n))
    best, sums = np.empty((2, T, n))
    mask = np.where(np.arange(T)[:, None] > np.arange(T), -np.inf, 0.0)[:, None, :, None] + np.zeros((T, H, T, n))
    last, first, middle = Norm(h, x), Norm(x, y), Norm(x2, z)
    (q, k, v), (dq, dk, dv) = (a.reshape(3, H, S, T, n) for a in (qkv, d_qkv))
    by_query, by_key = (
        (lambda a: a.transpose(3, 0, 2, 1)),
        (lambda a: a.transpose(3, 0, 1, 2)),
    )  # of (head, unit, place)
    scores, d_scores = (a.transpose(3, 1, 2, 0) for a in (s, ds))  # rows, head, query, key
    d_heads = dz.reshape(H, S, T, n)
    products = [
        (by_query(q), by_key(k), scores), (scores, by_query(v), by_query(heads.reshape(H, S, T, n))),
        (by_query(d_heads), by_key(v), d_scores), (by_key(d_heads), scores, by_key(dv)),
        (by_key(k), d_scores.swapaxes(2, 3), by_key(dq)), (by_key(q), d_scores, by_key(dk)),
    ]  # fmt: skip
    score, mix, back_to_shares, to_values, to_queries, to_keys = products
    two = [a.reshape(len(a), -1) for a in (given, h, y, qkv, heads, x2, z, up, w, x3, logits, dx, dz, d_qkv)]
    given2, h2, y2, qkv2, heads2, x22, z2, up2, w2, x32, logits2, dx2, dz2, d_qkv2 = two
    s2, total2, shares2 = (a.reshape(a.shape[0], -1) for a in (s, total.reshape(1, -1), shares))
    ones, ones_of_letters, ones_of_rows = np.ones(T), np.ones(LETTERS), np.ones(n)
    scale, rate = np.array(S**-0.5), seen / rows
    matmul, multiply, subtract, divide, add = np.matmul, np.multiply, np.subtract, np.divide, np.add
    half = W["embedding"], W["o"], W["up"], W["down"], W["letters"]
    embedding, output, upward, downward, last_one = half

    def work() -> tuple[float, np.ndarray]:
        np.equal(letters, each, given)
        np.equal(following, each, wanted)
        embedding.dot(given2, h2)
        add(h, W["place"].T[..., None], h)
        last.forward()
        first.forward()
        Wqkv.dot(y2, qkv2)
        matmul(*score)
        multiply(s, scale, s)
        add(s, mask, s)
        np.maximum.reduce(s, 0, None, top)
        subtract(s, top, s)
        np.exp(s, s)
        ones.dot(s2, total2[0])
        divide(s, total, s)
        matmul(*mix)
        output.dot(heads2, x22)
        add(x2, x, x2)
        middle.forward()
        upward.dot(z2, up2)
        np.maximum(up, 0.0, up)
        multiply(up, up, w)
        downward.dot(w2, x32)
        add(x3, x2, x3)
        last_one.dot(x32, logits2)
        np.maximum.reduce(logits, 0, None, best)
        subtract(logits, best, logits)
        np.exp(logits, shares)
        ones_of_letters.dot(shares2, sums.reshape(-1))
        divide(shares, sums, shares)
        np.log(sums, sums)
        multiply(logits, wanted, logits)
        ones_of_letters.dot(logits2, best.reshape(-1))
        subtract(sums, best, sums)
        value = float(np.vdot(sums, rate))
        subtract(shares, wanted, logits)
        multiply(logits, rate, logits)
        logits2.dot(x32.T, g["letters"])
        last_one.T.dot(logits2, dx2)
        dx2.dot(w2.T, g["down"])
        downward.T.dot(dx2, w2)
        multiply(w, up, w)
        multiply(w, 2.0, w)
        w2.dot(z2.T, g["up"])
        upward.T.dot(w2, dz2)
        middle.backward(dz2)
        add(dx, dz, dx)
        dx2.dot(heads2.T, g["o"])
        output.T.dot(dx2, dz2)
        matmul(*back_to_shares)
        matmul(*to_values)
        multiply(ds, s, product)
        ones.dot(product.reshape(T, -1), total2[0])
        subtract(ds, total, ds)
        multiply(ds, s, ds)
        multiply(ds, scale, ds)
        matmul(*to_queries)
        matmul(*to_keys)
        d_qkv2.dot(y2.T, g_qkv)
        Wqkv.T.dot(d_qkv2, dz2)
        first.backward(dz2)
        add(dx, dz, dx)
        last.backward(dx2)
        dx.dot(ones_of_rows, by_place)
        g["place"][...] = by_place.T
        dx2.dot(given2.T, g["embedding"])
        return value, gradient

    return steady(work)


def gpt_in_torch(*, rows: int, length: int = 7, padded: bool = False) -> Contender:
    """Tensors (rows, positions, units), and a mask."""
    import torch

    *both, seen = names(rows, length, padded=padded)
    (X, Y), seen = (torch.tensor(x, dtype=torch.long) for x in both), torch.tensor(seen)
    flat, mask = torch.tensor(all_weights(length), requires_grad=True), torch.ones(length, length).tril() == 0.0

    def normed(x: Any) -> Any:
        return x * ((x * x).mean(-1, keepdim=True) + 1e-5) ** -0.5

    def work() -> tuple[Any, Any]:
        flat.grad = None
        W = split(flat, length)
        x = normed(W["embedding"].T[X] + W["place"])
        y = normed(x)
        q, k, v = ((y @ W[n].T).reshape(rows, length, HEADS, -1).transpose(1, 2) for n in "qkv")
        scores = (q @ k.transpose(2, 3) * (HEADS / UNITS) ** 0.5).masked_fill(mask, -torch.inf)
        heads = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(rows, length, UNITS)
        x = heads @ W["o"].T + x
        x = torch.relu(normed(x) @ W["up"].T) ** 2 @ W["down"].T + x
        z = x @ W["letters"].T
        wrong = torch.nn.functional.cross_entropy(z.reshape(-1, LETTERS), Y.reshape(-1), reduction="none")
        value = (wrong * seen.reshape(-1)).sum() / rows
        value.backward()
        return value.item(), flat.grad

    return steady(work)


def gpt_in_jax(*, rows: int, length: int = 7, padded: bool = False) -> Contender:
    """As in PyTorch."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    *both, seen = names(rows, length, padded=padded)
    mask = jnp.tril(jnp.ones((length, length))) == 0.0

    def normed(x: Any) -> Any:
        return x * ((x * x).mean(-1, keepdims=True) + 1e-5) ** -0.5

    def loss(flat: Any, X: Any, Y: Any, seen: Any) -> Any:
        W = split(flat, length)
        x = normed(W["embedding"].T[X] + W["place"])
        y = normed(x)
        q, k, v = ((y @ W[n].T).reshape(rows, length, HEADS, -1).transpose(0, 2, 1, 3) for n in "qkv")
        scores = jnp.where(mask, -jnp.inf, q @ k.transpose(0, 1, 3, 2) * (HEADS / UNITS) ** 0.5)
        heads = (jax.nn.softmax(scores, -1) @ v).transpose(0, 2, 1, 3).reshape(rows, length, UNITS)
        x = heads @ W["o"].T + x
        x = jax.nn.relu(normed(x) @ W["up"].T) ** 2 @ W["down"].T + x
        z = x @ W["letters"].T
        chosen = jnp.take_along_axis(z, Y[..., None], axis=-1)[..., 0]
        return ((jax.nn.logsumexp(z, axis=-1) - chosen) * seen).sum() / rows

    return jitted(loss, all_weights(length), *(jnp.asarray(x, dtype=int) for x in both), jnp.asarray(seen))


GPT: dict[str, Callable[..., Contender]] = {OURS: gpt, HAND: gpt_by_hand, TORCH: gpt_in_torch, JAX: gpt_in_jax}
