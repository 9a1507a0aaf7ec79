"""Linear algebra, statistics and iterations, as libraries write them; some cannot be recorded."""

import math

import numpy as np

from gradient_corpus import Case, draw, says, written

A, x0, R, DATA = draw(41, (3, 3), (3,), (4, 4), (6, 3))
SPD = A @ A.T + 2.0 * np.eye(3) + 0.3 * (A - A.T)


def quadratic(M, x):
    return x @ M @ x / 2.0


def quadratic_backward(M, x, wrong):
    dM, dx = np.outer(x, x) / 2.0, (M + M.T) @ x / 2.0
    if wrong == "symmetric M":
        dx = M @ x
    if wrong == "no half":
        dM = 2.0 * dM
    if wrong == "diagonal only":
        dM = np.diag(np.diag(dM))
    return {"dx sign": (dM, -dx), "twice": (2.0 * dM, 2.0 * dx), "M for x": (dM, 2.0 * dx)}.get(wrong, (dM, dx))


def gaussian(M, x):
    return 0.5 * x @ np.linalg.solve(M, x) + 0.5 * np.log(np.linalg.det(M))


def gaussian_backward(M, x, wrong):
    inverse = np.linalg.inv(M)
    u, v = inverse @ x, inverse.T @ x
    quad, logdet = -0.5 * np.outer(v, u), 0.5 * inverse.T
    if wrong == "transposed":
        return quad.T + logdet.T, 0.5 * (u + v)
    if wrong == "no logdet":
        logdet = 0.0
    if wrong == "no quadratic":
        quad = 0.0
    if wrong == "sign of quadratic":
        quad = -quad
    dx = u if wrong == "symmetric" else 0.5 * (u + v)
    return {
        "twice": (2.0 * (quad + logdet), 2.0 * dx),
        "sign": (-quad - logdet, -dx),
        "digits": ((quad + logdet) * (1.0 + 1e-5), dx * (1.0 + 1e-5)),
    }.get(wrong, (quad + logdet, dx))


def factorized(U, V):
    E = U @ V.T - R
    return np.sum(E**2) + 0.1 * np.sum(U**2) + 0.1 * np.sum(V**2)


def factorized_backward(U, V, wrong):
    E = U @ V.T - R
    dU, dV = 2.0 * E @ V + 0.2 * U, 2.0 * (E if wrong == "E not transposed" else E.T) @ U + 0.2 * V
    return {"no penalty on U": (dU - 0.2 * U, dV), "no two": (E @ V + 0.1 * U, E.T @ U + 0.1 * V), "exchanged": (dV, dU), "sign": (-dU, -dV), "penalty of V on U": (2.0 * E @ V + 0.2 * V, dV),
            "mean": (dU / 16.0, dV / 16.0), "columns exchanged": (dU[:, ::-1], dV), "row lost": (np.vstack([0.0 * dU[:1], dU[1:]]), dV)}.get(wrong, (dU, dV))  # fmt: skip


def normalized(x):
    n = np.sqrt(np.sum(x**2))
    u = x / n
    return np.sum(TARGET * u)


(TARGET,) = draw(42, (5,))


def normalized_backward(x, wrong):
    n = np.sqrt(np.sum(x**2))
    u = x / n
    d = (TARGET - u * np.sum(TARGET * u)) / n
    return {"norm constant": TARGET / n, "not divided": d * n, "plus": (TARGET + u * np.sum(TARGET * u)) / n, "sign": -d, "norm squared": d / n, "x for u": (TARGET - x * np.sum(TARGET * u)) / n,
            "reversed": d[::-1].copy(), "target": TARGET}.get(wrong, d)  # fmt: skip


def mixture(means, s):
    d = DATA[:, None, 0] - means[None, :]
    L = np.exp(-0.5 * (d / s) ** 2) / s
    total = L.sum(axis=1)
    return -np.sum(np.log(total))


def mixture_backward(means, s, wrong):
    d = DATA[:, None, 0] - means[None, :]
    L = np.exp(-0.5 * (d / s) ** 2) / s
    r = L / L.sum(axis=1, keepdims=True)
    if wrong == "hard assignment":
        r = np.eye(2)[r.argmax(axis=1)]
    if wrong == "no normalization":
        r = L
    dm = -np.sum(r * d / s**2, axis=0)
    ds = -np.sum(r * (d**2 / s**3 - (0.0 if wrong == "no 1/s" else 1.0 / s)))
    return {
        "sign of means": (-dm, ds),
        "mean": (dm / 6.0, ds / 6.0),
        "means exchanged": (dm[::-1].copy(), ds),
        "no s": (dm, 0.0),
        "s not squared": (dm * s, ds),
    }.get(wrong, (dm, ds))


def root(a):
    x = 1.0
    for _ in range(30):
        x = x - (x**3 + a * x - 5.0) / (3.0 * x**2 + a)
    return float(x) if isinstance(a, float) else x


def root_backward(a, wrong):
    x = root(float(a))
    g = -x / (3.0 * x**2 + a)
    return {
        "sign": -g,
        "twice": 2.0 * g,
        "value": x,
        "no x": -1.0 / (3.0 * x**2 + a),
        "digits": (root(a + 1e-5) - x) / 1e-5,
        "single": float(np.float32(g)),
    }.get(wrong, g)


def special(v):
    return float(sum(math.lgamma(float(x)) for x in v) - math.lgamma(float(sum(v))))


def digamma(x):
    from scipy.special import digamma

    return digamma(x)


def special_backward(v, wrong):
    first, second = digamma(v), digamma(np.sum(v))
    return {"no total": first, "sign of total": first + second, "sign": second - first, "mean": (first - second) / 4.0, "shifted": np.roll(first - second, 1), "reversed": (first - second)[::-1].copy(),
            "no first": 0.0 * first - second, "offset": first - second + 1.0, "float32": (first - second).astype(np.float32)}.get(wrong, first - second)  # fmt: skip


def stale(wrong=""):
    """A model whose backward pass keeps what it should not."""
    kept = {}

    def forward(w):
        if wrong == "lagging" and "w" in kept:
            kept["used"] = kept["w"]
        kept["w"] = np.array(w, dtype=float)
        return np.sum(np.sin(w) * TARGET)

    def backward(w):
        at = {"lagging": kept.get("used", w), "first point": np.array([0.1, 0.2, 0.3, 0.4, 0.5])}.get(wrong, w)
        return np.cos(at) * TARGET

    return lambda w: forward(np.array(w, dtype=float)), backward


def kernel(x, scale):
    D = (x[:, None] - x[None, :]) ** 2
    K = np.exp(-D / (2.0 * scale**2))
    return np.sum(R * K)


def kernel_backward(x, scale, wrong):
    diff = x[:, None] - x[None, :]
    D = diff**2
    K = np.exp(-D / (2.0 * scale**2))
    G = R * K
    left = -(G * diff).sum(axis=1) / scale**2
    right = (G * diff).sum(axis=0) / scale**2
    dx = (
        left
        if wrong == "rows only"
        else right
        if wrong == "columns only"
        else left - right
        if wrong == "sign of columns"
        else left + right
    )
    ds = np.sum(G * D) / (scale**2 if wrong == "scale squared" else scale**3)
    return {"sign": (-dx, -ds), "mean": (dx / 4.0, ds), "no scale": (dx, 0.0), "no diagonal": (2.0 * left, ds)}.get(
        wrong, (dx, ds)
    )


CASES = [
    Case("quadratic form", written(quadratic, quadratic_backward), (SPD, x0), {
        "symmetric M": "", "no half": says.TWICE, "diagonal only": "0 off the diagonal", "dx sign": "x: " + says.SIGN, "twice": says.TWICE, "M for x": says.TWICE,
    }),
    Case("gaussian", written(gaussian, gaussian_backward), (SPD, x0), {
        "transposed": says.TRANSPOSED, "no logdet": "", "no quadratic": "", "sign of quadratic": "", "symmetric": "", "twice": says.TWICE, "sign": says.SIGN, "digits": "right to . digits only",
    }, records=False),
    Case("matrix factorization", written(factorized, factorized_backward), draw(43, (4, 2), (4, 2)), {
        "E not transposed": "E is transposed", "no penalty on U": "U: .*is missing, of a penalty", "no two": says.HALF, "exchanged": says.SWAPPED, "sign": says.SIGN, "penalty of V on U": "V is used in place of U", "mean": says.MEAN, "columns exchanged": "flipped|exchanged|shifted",
        "row lost": "0 in row 0",
    }),
    Case("normalized", written(normalized, normalized_backward), draw(44, (5,)), {
        "norm constant": "n is treated as a constant", "not divided": "left out|factor", "plus": "wrong sign", "sign": says.SIGN, "norm squared": "over n", "x for u": "a term along x", "reversed": "flipped", "target": "left out of the product altogether",
    }),
    Case("mixture", written(mixture, mixture_backward), (np.array([-0.5, 0.8]), 0.7), {
        "hard assignment": "", "no normalization": says.LEFT_OUT, "no 1/s": says.ONE_PATH, "sign of means": "means: " + says.SIGN, "mean": says.MEAN, "means exchanged": "flipped|order", "no s": says.ZERO, "s not squared": "0.7 times|factor s|left out",
    }),
    Case("root", written(root, root_backward), (1.3,), {
        "sign": says.SIGN, "twice": says.TWICE, "value": "value of the function", "no x": "left out|factor", "digits": "digits only", "single": "single precision",
    }),
    Case("beta function", written(special, special_backward), (np.array([0.7, 1.9, 2.5, 1.2]),), {
        "no total": "same number", "sign of total": "same number", "sign": says.SIGN, "mean": says.MEAN, "shifted": "shifted by 1", "reversed": "flipped", "no first": "", "offset": "off by the same number, 1", "float32": "single precision",
    }, records=False, needs="scipy"),
    Case("stale", stale, draw(45, (5,)), {"lagging": "point before", "first point": "stale cache"}, records=False),
    Case("kernel", written(kernel, kernel_backward), (draw(46, (4,))[0], 0.9), {
        "rows only": says.ONE_PATH, "columns only": says.ONE_PATH, "sign of columns": "wrong sign", "scale squared": "0.9 times|left out|factor scale", "sign": says.SIGN, "mean": says.MEAN, "no scale": says.ZERO, "no diagonal": "",
    }),
]  # fmt: skip
