"""Random programs with positions: tokens, windows, steps in time, images, samples; written as people write them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff import OPS, Value, logsumexp, maximum, mean, minimum, pick, sigmoid, softmax, tanh, where
from tests.draws.cases import Case, Spec

UNARY = ["tanh", "relu", "sigmoid", "sin", "exp", "abs", "softplus"]
SYMBOLS = 5  # rows of a table of embeddings

# Steps of a random program, on lists of vectors of numbers: (vectors, others, weights) → vectors. `weights` makes new
# parameters, or takes those of an earlier step where weights are tied.


def linear(xs, _, weights, *, bias, rows):
    """One weight matrix at every position."""
    w = [[weights(f"W[{r}][{c}]") for c in range(len(xs[0]))] for r in range(rows)]
    b = [weights(f"b[{r}]") if bias else 0.0 for r in range(rows)]
    return [
        [sum((v * x for v, x in zip(row, vector, strict=True)), c) for row, c in zip(w, b, strict=True)]
        for vector in xs
    ]


def windows(xs, _, weights, *, width, stride, rows):
    """One weight matrix on every window of neighbours."""
    width = min(width, len(xs))
    w = [[[weights() for _ in xs[0]] for _ in range(width)] for _ in range(rows)]
    return [
        [sum(w[r][k][j] * xs[t + k][j] for k in range(width) for j in range(len(xs[0]))) for r in range(rows)]
        for t in range(0, len(xs) - width + 1, stride)
    ]


def later(xs, _, weights):
    """Weights of three numbers over each row from the second position on, and the first position beside them."""
    w = [weights() for _ in range(3)]
    inner = [[w[0] * row[x] + w[1] * row[x + 1] + w[2] * row[x + 2] for x in range(1, len(row) - 2)] for row in xs]
    return [[each + row[0] for each in own] for own, row in zip(inner, xs, strict=True)]


def bordered(xs, _, weights, *, width, rows, bias):
    """One weight matrix on every window of neighbours, without what lies beyond the first and the last position."""
    w = [[[weights() for _ in xs[0]] for _ in range(width)] for _ in range(rows)]
    b = [weights() if bias else 0.0 for _ in range(rows)]
    return [
        [
            sum(
                (w[r][k][j] * xs[t + k - width // 2][j] for k in range(width) for j in range(len(xs[0]))
                 if 0 <= t + k - width // 2 < len(xs)), b[r],
            )
            for r in range(rows)
        ]
        for t in range(len(xs))
    ]  # fmt: skip


def pictured(xs, _, weights, *, height, width, rows, stride, channels):
    """The same over both axes of images: one, or the first half of the positions and the second."""
    n = len(xs) // channels
    images = [xs[c * n : (c + 1) * n] for c in range(channels)]
    w = [[[[weights() for _ in range(width)] for _ in range(height)] for _ in images] for _ in range(rows)]
    return [
        [
            sum(
                w[r][c][a][b] * image[i + a - height // 2][j + b - width // 2]
                for c, image in enumerate(images) for a in range(height) for b in range(width)
                if 0 <= i + a - height // 2 < n and 0 <= j + b - width // 2 < len(xs[0])
            )
            for j in range(0, len(xs[0]), stride)
        ]
        for r in range(rows) for i in range(0, n, stride)
    ]  # fmt: skip


def pierced(xs, _, weights, *, rows):
    """One weight matrix on every window of neighbours, of which every second one leaves out its middle."""
    w = [[[weights() for _ in xs[0]] for _ in range(3)] for _ in range(rows)]
    return [
        [
            sum(v * x for k in range(3) if k != 1 or t % 2 for v, x in zip(row[k], xs[t + k], strict=True))
            for row in w
        ]
        for t in range(len(xs) - 2)
    ]  # fmt: skip


def elementwise(xs, _, weights, *, op):
    """An operation on every number."""
    return [[OPS[op](x * 0.5) for x in vector] for vector in xs]


def scaled(xs, _, weights):
    """A gain and a shift for every unit, the same at each position."""
    gains, shifts = ([weights() for _ in xs[0]] for _ in range(2))
    return [[g * x + s for g, x, s in zip(gains, vector, shifts, strict=True)] for vector in xs]


def normed(xs, _, weights):
    """Divided by the root of the mean square, position by position."""
    out = []
    for vector in xs:
        size = (sum(x * x for x in vector) * (1.0 / len(vector)) + 0.1) ** -0.5
        out.append([x * size for x in vector])
    return out


def attended(xs, others, weights, *, causal, mean):
    """Each position takes a weighted sum of others: by softmax of products, or by the products themselves."""
    ys = next((o for o in others if len(o[0]) == len(xs[0])), xs)
    out = []
    for t, x in enumerate(xs):
        seen = ys[: t + 1] if causal and len(ys) >= len(xs) else ys
        scores = [sum(a * b for a, b in zip(x, y, strict=True)) * 0.3 for y in seen]
        shares = [s * (1.0 / len(seen)) for s in scores] if mean else softmax(scores)
        out.append([sum(p * y[j] for p, y in zip(shares, seen, strict=True)) for j in range(len(xs[0]))])
    return out


def crossed(xs, *_):
    """Gram matrix of the positions."""
    return [[sum(a * b for a, b in zip(x, y, strict=True)) for y in xs] for x in xs]


def turned(xs, *_):
    """Units become positions."""
    return [list(column) for column in zip(*xs, strict=True)]


def folded(xs, *_):
    """Two halves of each vector become two positions, as heads do."""
    half = len(xs[0]) // 2
    return [part for x in xs for part in (x[:half], x[half : 2 * half])] if half else xs


def some(xs, _, weights, *, start, step, back):
    """A part of the positions, forward or backward."""
    part = xs[start % len(xs) :: step]
    return part[::-1] if back else part


def joined(xs, others, _):
    """With an earlier result of as many units beside it, and shifted by a position."""
    ys = next((o for o in others if len(o[0]) == len(xs[0])), xs)
    return xs + ys[:4]


def added(xs, others, _):
    """A residue: an earlier result of this shape, or its own neighbour."""
    ys = next((o for o in others if (len(o), len(o[0])) == (len(xs), len(xs[0]))), xs[1:] + xs[:1])
    return [[a + b for a, b in zip(x, y, strict=True)] for x, y in zip(xs, ys, strict=True)]


def masked(xs, *_):
    """Where a number is above its neighbour's, itself, else the larger of a tenth and the neighbour."""
    return [
        [where(a > b, a, maximum(0.1, b)) for a, b in zip(x, y, strict=True)]
        for x, y in zip(xs, xs[1:] + xs[:1], strict=True)
    ]


def centred(xs, *_):
    """Less the mean over the positions."""
    means = [sum(column) * (1.0 / len(xs)) for column in zip(*xs, strict=True)]
    return [[x - m for x, m in zip(vector, means, strict=True)] for vector in xs]


def stepped(xs, _, weights):
    """A recurrent net: each step's state depends on the last one's."""
    n = len(xs[0])
    w = [[weights() for _ in range(n)] for _ in range(n)]
    state, out = xs[0], []
    for x in xs:
        state = [
            OPS["tanh"](sum(v * s for v, s in zip(row, state, strict=True)) + a) for row, a in zip(w, x, strict=True)
        ]
        out.append(state)
    return out


def gated(xs, _, weights, *, gates, start, bias, beside, backward):
    """A recurrent net whose step takes one weighted sum of its input and of the last state, for each of its gates.

    `start`: the first state is 0, a number of its own, or an input. `beside`: a second net takes the states.
    """
    n, width = 2 if gates < 3 else 3, len(xs[0])
    rows = [[[weights() for _ in range(width + n + bias)] for _ in range(n)] for _ in range(gates)]
    second = [[weights() for _ in range(2 * n)] for _ in range(n)]
    state = {"zero": [0.0] * n, "own": [weights() for _ in range(n)], "input": (xs[0] * n)[:n]}[start]
    other, out = [0.0] * n, []
    for x in xs[::-1] if backward else xs:
        sums = [
            [sum((w * v for w, v in zip(row, [*x, *state], strict=False)), row[-1] if bias else 0.0) for row in gate]
            for gate in rows
        ]
        new = [OPS["tanh"](z) for z in sums[0]]
        if gates == 1:
            new = [a * (0.5 + OPS["sigmoid"](z)) for a, z in zip(new, sums[0], strict=True)]
        if gates > 1:
            keep = [OPS["sigmoid"](z) for z in sums[1]]
            new = [k * h + (1.0 - k) * a for k, h, a in zip(keep, state, new, strict=True)]
        if gates > 2:
            new = [OPS["relu"](z) * a for z, a in zip(sums[2], new, strict=True)]
        state = new
        if beside:
            other = [OPS["tanh"](sum(w * v for w, v in zip(row, [*state, *other], strict=True))) for row in second]
        out.append([a + b for a, b in zip(state, other, strict=True)] if beside else state)
    return out


def placed(xs, _, weights):
    """One weight matrix, and a bias of each position's own."""
    w = [[weights() for _ in xs[0]] for _ in range(3)]
    return [[sum(v * x for v, x in zip(row, vector, strict=True)) + weights() for row in w] for vector in xs]


def alternating(xs, _, weights):
    """The same weights at every position, with other signs at every second one."""
    w = [[weights() for _ in xs[0]] for _ in range(2)]
    out = []
    for t, vector in enumerate(xs):
        sums = [row[0] * vector[0] for row in w]
        for j in range(1, len(vector)):
            sums = [
                s - row[j] * vector[j] if (t + j) % 2 else s + row[j] * vector[j]
                for s, row in zip(sums, w, strict=True)
            ]
        out.append(sums)
    return out


def paired(xs, *_):
    """Products of positions that are chosen without a pattern, some of them several times."""
    n = len(xs)
    pairs = [(0, 1), (0, 2), (1, 4), (3, 0), (5, 2), (0, 5), (2, 3), (4, 1), (1, 5)]
    return [[a * b for a, b in zip(xs[i % n], xs[j % n], strict=True)] for i, j in dict.fromkeys(pairs)]


def grown(xs, *_):
    """Sums over ever more positions, of products that begin anew at each."""
    return [[sum(xs[u][j] * xs[t - u][j] for u in range(t + 1)) for j in range(len(xs[0]))] for t in range(len(xs))]


def partly(xs, *_):
    """Shares among the first few of each vector, all of them used somewhere, and only some in a weighted sum."""
    out = []
    for t, x in enumerate(xs):
        shares = softmax(x[: t + 1])
        used = shares[: t + 1 if t < len(x) else t - len(x) + 2]
        out.append([sum(p * v for p, v in zip(used, x, strict=False)), sum(p * (p + 1.0) for p in shares)])
    return out


def all_but_one(xs, *_):
    """Shares among the first few of each vector, of which the last one is left out of a weighted sum."""
    out = []
    for t, x in enumerate(xs):
        shares = softmax(x[: t + 1])
        used = shares[:-1] if len(shares) > 1 else shares
        out.append([sum(p * v for p, v in zip(used, x, strict=False)), sum(shares)])
    return out


def rectified(xs, *_):
    """ReLU, and squared."""
    return [[OPS["relu"](x) ** 2 for x in vector] for vector in xs]


def dilated(xs, _, weights, *, dilation, rows, border):
    """A convolution whose taps lie apart, with zeros around the border, or without what lies beyond it."""
    w = [[[weights() for _ in xs[0]] for _ in range(3)] for _ in range(rows)]
    zeros = [[0.0] * len(xs[0])] * dilation
    padded = zeros + xs + zeros if border else xs
    n = len(padded) - 2 * dilation
    if n < 1:
        return xs
    return [
        [
            sum(v * x for k in range(3) for v, x in zip(row[k], padded[t + k * dilation], strict=True))
            for row in w
        ]
        for t in range(n)
    ]  # fmt: skip


def pooled(xs, _, weights, *, width, stride, by):
    """The largest, or the mean, of every window of neighbours."""
    width = min(width, len(xs))
    out = []
    for t in range(0, len(xs) - width + 1, stride):
        vector = []
        for j in range(len(xs[0])):
            part = [xs[t + k][j] for k in range(width)]
            if by == "mean":
                vector.append(sum(part) / width)
            else:
                largest = part[0]
                for x in part[1:]:
                    largest = maximum(largest, x)
                vector.append(largest)
        out.append(vector)
    return out


def tiled(xs, *_, by):
    """Pools of 2 × 2 of the positions and units, as of an image."""
    return [
        [
            sum(xs[2 * i + a][2 * j + b] for a in (0, 1) for b in (0, 1)) * 0.25 if by == "mean"
            else maximum(maximum(xs[2 * i][2 * j], xs[2 * i][2 * j + 1]), maximum(xs[2 * i + 1][2 * j], xs[2 * i + 1][2 * j + 1]))
            for j in range(len(xs[0]) // 2)
        ]
        for i in range(len(xs) // 2)
    ] if len(xs) > 1 and len(xs[0]) > 1 else xs  # fmt: skip


def banded(xs, _, weights, *, reach, causal, mask):
    """Attention to the neighbours, the others left out, or with a score that makes their share 0."""
    out = []
    for t, x in enumerate(xs):
        near = [u for u in range(len(xs)) if abs(t - u) <= reach and (u <= t or not causal)]
        score = lambda u, x=x: sum(a * b for a, b in zip(x, xs[u], strict=True)) * 0.3
        if mask:
            shares = softmax([score(u) if u in near else -1e9 for u in range(len(xs))])
            out.append([sum(p * y[j] for p, y in zip(shares, xs, strict=True)) for j in range(len(x))])
        else:
            shares = softmax([score(u) for u in near])
            out.append([sum(p * xs[u][j] for p, u in zip(shares, near, strict=True)) for j in range(len(x))])
    return out


def headed(xs, _, weights, *, heads, causal, output, joint):
    """Attention of several heads, each with queries, keys and values of its own matrices or parts of one, then joined."""
    n = max(1, len(xs[0]) // heads)
    times = lambda m, x: [sum(a * b for a, b in zip(row, x, strict=True)) for row in m]
    matrix = lambda name, rows, columns: [[weights(f"{name}[{r}][{c}]") for c in range(columns)] for r in range(rows)]
    if joint:
        every = [[times(m, x) for x in xs] for m in (matrix(f"attn.w{name}", n * heads, len(xs[0])) for name in "qkv")]
        parts = [[[x[h * n : h * n + n] for x in of] for of in every] for h in range(heads)]
    else:
        parts = [[[times(m, x) for x in xs] for m in (matrix(f"{name}{h}", n, len(xs[0])) for name in "QKV")]
                 for h in range(heads)]  # fmt: skip
    joined = [[] for _ in xs]
    for q, k, v in parts:
        for t in range(len(xs)):
            seen = t + 1 if causal else len(xs)
            scores = [sum(a * b for a, b in zip(q[t], k[u], strict=True)) / math.sqrt(n) for u in range(seen)]
            shares = softmax(scores)
            joined[t] = joined[t] + [sum(shares[u] * v[u][j] for u in range(seen)) for j in range(n)]
    if not output:
        return joined
    last = matrix("attn.wo", len(xs[0]), len(joined[0]))
    return [times(last, x) for x in joined]


def queried(xs, _, weights, *, queries):
    """Cross attention of queries that are parameters."""
    asked = [[weights() for _ in xs[0]] for _ in range(queries)]
    out = []
    for q in asked:
        shares = softmax([sum(a * b for a, b in zip(q, x, strict=True)) for x in xs])
        out.append([sum(p * x[j] for p, x in zip(shares, xs, strict=True)) for j in range(len(xs[0]))])
    return out


def cumulated(xs, *_, by):
    """Running sums, means, maxima, or an exponential average, over the positions."""
    out, so_far = [xs[0]], xs[0]
    for t, x in enumerate(xs[1:], 2):
        if by == "max":
            so_far = [maximum(a, b) for a, b in zip(so_far, x, strict=True)]
        elif by == "average":
            so_far = [0.8 * a + 0.2 * b for a, b in zip(so_far, x, strict=True)]
        else:
            so_far = [a + b for a, b in zip(so_far, x, strict=True)]
        out.append([a / t for a in so_far] if by == "mean" else so_far)
    return out


def softened(xs, *_, axis, log):
    """Softmax, or its logarithm, along the units or along the positions."""
    rows = xs if axis else [list(column) for column in zip(*xs, strict=True)]
    out = []
    for row in rows:
        if log:
            z = logsumexp(row)
            out.append([x - z for x in row])
        else:
            out.append(softmax(row))
    return out if axis else [list(column) for column in zip(*out, strict=True)]


def standardised(xs, _, weights, *, axis, affine):
    """Less the mean, divided by the standard deviation, along the units or along the positions."""
    rows = xs if axis else [list(column) for column in zip(*xs, strict=True)]
    out = []
    for row in rows:
        m = sum(row) / len(row)
        deviation = (sum((x - m) ** 2 for x in row) / len(row) + 0.1) ** 0.5
        out.append([(x - m) / deviation for x in row])
    out = out if axis else [list(column) for column in zip(*out, strict=True)]
    if affine:
        gains = [weights() for _ in out[0]]
        out = [[g * x for g, x in zip(gains, vector, strict=True)] for vector in out]
    return out


def outer(xs, *_):
    """Outer products of each position and the next."""
    n = min(3, len(xs[0]))
    return [[a * b for a in x[:n] for b in y[:n]] for x, y in zip(xs, xs[1:] + xs[:1], strict=True)]


def distant(xs, *_, kernel):
    """Of each pair of positions its distance, or a Gaussian of it; without a kernel a ragged triangle."""
    squared = lambda x, y: sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
    if kernel:
        return [[OPS["exp"](-0.5 * squared(x, y)) for y in xs] for x in xs]
    pairs = [squared(xs[i], xs[j]) for i in range(len(xs)) for j in range(i)]
    return [pairs] if pairs else xs


def lower(xs, _, weights):
    """A triangular matrix of weights over the positions."""
    rows = [[weights() for _ in range(t + 1)] for t in range(len(xs))]
    return [
        [sum(w * xs[u][j] for u, w in enumerate(row)) for j in range(len(xs[0]))]
        for row in rows
    ]  # fmt: skip


def quadratic(xs, _, weights):
    """x · M · x of every position, beside its neighbour's x · M · y."""
    n = len(xs[0])
    m = [[weights() for _ in range(n)] for _ in range(n)]
    form = lambda x, y: sum(x[i] * m[i][j] * y[j] for i in range(n) for j in range(n))
    return [[form(x, x), form(x, y)] for x, y in zip(xs, xs[1:] + xs[:1], strict=True)]


def reduced(xs, *_, by):
    """One number for each position."""
    if by == "mean":
        return [[mean(x)] for x in xs]
    if by == "logsumexp":
        return [[logsumexp(x)] for x in xs]
    if by == "smallest":
        out = []
        for x in xs:
            least = x[0]
            for v in x[1:]:
                least = minimum(least, v)
            out.append([least])
        return out
    return [[sum(x)] for x in xs]


def remembering(xs, _, weights, *, units):
    """An LSTM."""
    gates = [[[weights() for _ in range(len(xs[0]) + units + 1)] for _ in range(units)] for _ in range(4)]
    h, c, out = [0.0] * units, [0.0] * units, []
    for x in xs:
        joint = [*x, *h, 1.0]
        i, f, o, g = ([sum(w * v for w, v in zip(row, joint, strict=True)) for row in gate] for gate in gates)
        c = [sigmoid(a) * old + sigmoid(b) * tanh(new) for a, old, b, new in zip(f, c, i, g, strict=True)]
        h = [sigmoid(a) * tanh(cell) for a, cell in zip(o, c, strict=True)]
        out.append(h)
    return out


def unrolled(xs, _, weights, *, cell):
    """A GRU, or Elman's net, of two units, whose last state alone goes on."""
    n = 2
    u, w = (
        [[[weights() for _ in range(m)] for _ in range(n)] for _ in range(3 if cell == "gru" else 1)]
        for m in (len(xs[0]), n)
    )
    b = [weights() for _ in range(n)]
    times = lambda m, v: [sum(a * x for a, x in zip(row, v, strict=True)) for row in m]
    h = [0.0] * n
    for x in xs:
        ux = [times(m, x) for m in u]
        if cell == "gru":
            z, r = ([sigmoid(p + q) for p, q in zip(ux[k], times(w[k], h), strict=True)] for k in (0, 1))
            new = [
                tanh(p + q + c)
                for p, q, c in zip(ux[2], times(w[2], [a * s for a, s in zip(r, h, strict=True)]), b, strict=True)
            ]
            h = [(1 - a) * old + a * v for a, old, v in zip(z, h, new, strict=True)]
        else:
            h = [tanh(p + q + c) for p, q, c in zip(ux[0], times(w[0], h), b, strict=True)]
    return [h]  # fmt: skip


def chosen(xs, *_):
    """`where` by what another position says: its own number, its neighbour's, or nothing."""
    return [
        [where(y[0] > 0.1, a, where(y[0] < -0.4, b * b, 0.0)) for a, b in zip(x, y, strict=True)]
        for x, y in zip(xs, xs[1:] + xs[:1], strict=True)
    ]


def blocked(xs, *_, size):
    """Reshaped: neighbours joined into one longer vector."""
    return [
        [v for x in xs[t : t + size] for v in x] for t in range(0, len(xs) - size + 1, size)
    ] if len(xs) >= size else xs  # fmt: skip


BOTH = [False, True]
STEPS = {  # each with the choices of its options
    linear: {"bias": BOTH, "rows": [1, 2, 3, 4, 5]},
    windows: {"width": [1, 2, 3], "stride": [1, 2], "rows": [1, 2, 3]},
    elementwise: {"op": UNARY},
    attended: {"causal": BOTH, "mean": BOTH},
    gated: {"gates": [1, 2, 3], "start": ["zero", "own", "input"], "bias": BOTH, "beside": BOTH, "backward": BOTH},
    pierced: {"rows": [1, 2, 3]},
    bordered: {"width": [2, 3, 4, 5], "rows": [1, 2, 3], "bias": BOTH},
    pictured: {"height": [1, 2, 3], "width": [1, 2, 3], "rows": [1, 2, 3], "stride": [1, 2], "channels": [1, 2]},
    some: {"start": [0, 1, 2], "step": [1, 2], "back": BOTH},
    dilated: {"dilation": [1, 2], "rows": [1, 2], "border": BOTH},
    pooled: {"width": [2, 3], "stride": [1, 2, 3], "by": ["mean", "max"]},
    tiled: {"by": ["mean", "max"]},
    banded: {"reach": [1, 2], "causal": BOTH, "mask": BOTH},
    headed: {"heads": [1, 2, 3], "causal": BOTH, "output": BOTH, "joint": BOTH},
    queried: {"queries": [1, 2, 3]},
    cumulated: {"by": ["sum", "mean", "max", "average"]},
    softened: {"axis": [0, 1], "log": BOTH},
    standardised: {"axis": [0, 1], "affine": BOTH},
    distant: {"kernel": BOTH},
    reduced: {"by": ["sum", "mean", "logsumexp", "smallest"]},
    remembering: {"units": [1, 2, 3]},
    unrolled: {"cell": ["gru", "elman"]},
    blocked: {"size": [2, 3]},
    **{step: {} for step in (
        scaled, later, normed, rectified, crossed, turned, folded, joined, added, masked, centred, stepped, placed, alternating,
        paired, grown, partly, all_but_one, outer, lower, quadratic, chosen,
    )},
}  # fmt: skip
NAMED = {step.__name__: step for step in STEPS}
LAST = ["sum", "squares", "softmax", "mean", "one"]


def drawn(random: Any) -> Spec:
    """A program as plain numbers and words: the shape of a sample, steps with their options, and what comes last."""
    steps = []
    for _ in range(random.randint(1, 4)):
        step = random.choice(list(STEPS))
        steps.append([step.__name__, {name: random.choice(of) for name, of in STEPS[step].items()}])
    return {
        "shape": [random.randint(1, 7), random.randint(1, 5)],
        "steps": steps,
        "last": random.choice(LAST),
        "tied": random.random() < 0.3,
        "shared": random.random() < 0.15,
        "ids": random.random() < 0.15,
        "seed": random.randint(0, 2**16),
    }


def made(shape, steps, last="squares", *, tied=False, shared=False, ids=False, seed=0) -> Case | None:
    """The program of a spec; None where it grows too large.

    The sample is (positions, units) numbers; with `ids` a place in a table of embeddings for each position too. With
    `shared`, the weights of the first step that has any are an argument, the same for all rows.
    """
    rng = np.random.default_rng(seed)
    parameters, every = [], []

    def weights(label=None):
        if tied and len(parameters) > 8 and len(every) % 3 == 0:
            every.append(parameters[len(every) % len(parameters)])
        else:
            every.append(Value(float(rng.normal(0.0, 0.6)), label or f"p{len(parameters)}"))
            parameters.append(every[-1])
        return every[-1]

    if min(shape) < 1:
        return None
    shapes = {"x": tuple(shape)}
    plan, size, earlier, given = [], shape, [], None
    for name, options in steps:  # once on numbers, to make the parameters
        before, found = len(every), [[0.1] * size[1] for _ in range(size[0])]
        probe = NAMED[name](found, earlier, weights, **options)
        earlier.insert(0, found)
        size = len(probe), len(probe[0]) if probe else 0
        if not 0 < size[0] * size[1] <= 100 or len(every) > 150 or any(len(x) != size[1] for x in probe):
            return None
        own = every[before:]
        if shared and own and given is None:
            shapes["w"], given = (len(own),), len(plan)
            gone = {id(p) for p in own}
            parameters[:] = [p for p in parameters if id(p) not in gone]
        plan.append((NAMED[name], options, own))
    if given is not None:
        again = {id(p) for k, (*_, own) in enumerate(plan) if k != given for p in own}
        parameters += [p for p in plan[given][2] if id(p) in again and all(p is not q for q in parameters)]
    table = [[weights() for _ in range(shape[1])] for _ in range(SYMBOLS)] if ids else []
    if ids:
        shapes["ids"] = (shape[0],)

    def f(x, *others):
        xs, before = [list(row) for row in x], []
        if ids:
            look = lambda i: table[i] if type(i) is int else pick(table, i)
            xs = [[a + b for a, b in zip(row, look(i), strict=True)] for row, i in zip(xs, others[-1], strict=True)]
        for k, (step, options, own) in enumerate(plan):
            left = iter(others[0] if k == given else own)
            before.insert(0, xs)
            xs = step(xs, before[1:], lambda _=None, left=left: next(left), **options)
        numbers = [v for vector in xs for v in vector]
        if last == "softmax":
            return softmax(numbers)[0] * 3.0 + 0.0 * sum(numbers[:1])
        if last == "mean":
            return mean(numbers)
        if last == "one":
            return numbers[-1]
        return sum(v * v for v in numbers) * 0.1 if last == "squares" else sum(numbers) * 0.1

    names = ["x", *(["w"] if given is not None else []), *(["ids"] if ids else [])]
    kinds = [name for name, _ in steps] + [
        word for word in ("tied", "shared", "ids") if {"tied": tied, "shared": given is not None, "ids": ids}[word]
    ]
    return Case(
        named(f, names), parameters, shapes, whole={"ids": SYMBOLS} if ids else {}, shared=("w",) * (given is not None),
        kinds=(*dict.fromkeys(kinds), f"last: {last}"), spec={"shape": shape, "steps": steps, "last": last, "tied": tied, "shared": shared, "ids": ids, "seed": seed},
    )  # fmt: skip


def named(f, names):
    """The function with arguments of these names, which programs take by keyword too."""
    scope = {"f": f}
    exec(f"def program({', '.join(names)}):\n    return f({', '.join(names)})", scope)
    return scope["program"]


def build(spec: Spec) -> Case | None:
    return made(**spec)
