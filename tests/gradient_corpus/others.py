"""Right gradients as other people write them, each with a mistake or two: activations, losses, layers, geometry, physics."""

import numpy as np

from gradient_corpus import Case, draw, says, sigmoid, written

X6, W6 = draw(71, 6, 6)
XL, UL = draw(72, (4, 5), (4, 5))
A4, B4 = draw(73, 4, 4)
(S0,) = draw(74, (3, 3))
S = S0 @ S0.T + np.eye(3)
SERIES, KERNEL, AFTER = draw(75, 9, 3, 7)
TARGET, GUESS = draw(76, 8, 8)
GUESS = 2.0 * GUESS + 0.03
DESIGN, START = draw(77, (12, 3), 3)
MASK = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0]) / 0.7
LABELS = 1.0 * (DESIGN[:, 0] > 0.1)


def case(name, f, gradient, points, mistakes, **options):
    """A case whose gradient takes a `wrong` that names its mistake."""
    return Case(name, written(f, gradient), points, mistakes, **options)


def gelu(x):
    return np.sum(W6 * 0.5 * x * (1.0 + np.tanh(0.7978845608 * (x + 0.044715 * x**3))))


def gelu_backward(x, wrong):
    t = np.tanh(0.7978845608 * (x + 0.044715 * x**3))
    inner = 0.7978845608 * (1.0 + (1.0 if wrong == "exponent" else 3.0) * 0.044715 * x**2)
    second = 0.0 if wrong == "second term" else 0.5 * x * (1.0 - t * t) * inner
    return W6 * (0.5 * (1.0 + t) + second)


def swish(x):
    return np.sum(W6 * x * sigmoid(x))


def swish_backward(x, wrong):
    s = sigmoid(x)
    return W6 * (s if wrong == "second term" else s + x * s * (1.0 - s))


def softplus(x):
    return np.sum(W6 * np.log(1.0 + np.exp(x)))


def softplus_backward(x, wrong):
    return (-W6 if wrong == "sign" else W6) * sigmoid(x)


def elu(x):
    return np.sum(W6 * np.where(x > 0.0, x, np.exp(x) - 1.0))


def elu_backward(x, wrong):
    return W6 * np.where(x > 0.0, 1.0, 0.0 if wrong == "dead" else np.exp(x))


def softsign(x):
    return np.sum(W6 * x / np.sqrt(1.0 + x * x))


def softsign_backward(x, wrong):
    return W6 / np.sqrt(1.0 + x * x) ** (1.0 if wrong == "root constant" else 3.0)


def huber(p):
    r = p - TARGET
    return np.sum(np.where(np.abs(r) < 1.0, 0.5 * r * r, np.abs(r) - 0.5))


def huber_backward(p, wrong):
    return p - TARGET if wrong == "no clip" else np.clip(p - TARGET, -1.0, 1.0)


def quantile(p):
    r = TARGET - p
    return np.sum(np.maximum(0.9 * r, -0.1 * r))


def quantile_backward(p, wrong):
    return np.where(p < TARGET, -0.9, 0.1) * (-1.0 if wrong == "sign" else 1.0)


def log_cosh(p):
    return np.mean(np.log(np.cosh(p - TARGET)))


def log_cosh_backward(p, wrong):
    return np.tanh(p - TARGET) / (1.0 if wrong == "sum" else 8.0)


def gauss(mu, s):
    return np.sum(0.5 * ((TARGET - mu) / np.exp(s)) ** 2 + s)


def gauss_backward(mu, s, wrong):
    r = (TARGET - mu) / np.exp(s)
    dmu = -np.sum(r) / np.exp(s)
    return (-dmu if wrong == "sign" else dmu), np.sum(1.0 - r * r)


def poisson(w):
    return np.sum(np.exp(DESIGN @ w) - LABELS * (DESIGN @ w))


def poisson_backward(w, wrong):
    return DESIGN.T @ ((LABELS - np.exp(DESIGN @ w)) if wrong == "sign" else (np.exp(DESIGN @ w) - LABELS))


def ridge(w):
    return np.mean((DESIGN @ w - LABELS) ** 2) + 0.3 * np.sum(w**2)


def ridge_backward(w, wrong):
    slope = DESIGN.T @ (DESIGN @ w - LABELS) / 6.0
    return slope if wrong == "no penalty" else slope + 0.6 * w


def conv(x, k):
    return np.sum(AFTER * np.array([np.sum(x[i : i + 3] * k) for i in range(7)]))


def conv_backward(x, k, wrong):
    dx, dk = np.zeros_like(x), np.zeros_like(k)
    for i in range(7):
        dx[i : i + 3] = AFTER[i] * k + (0.0 if wrong == "overwritten" else dx[i : i + 3])
        dk += AFTER[i] * x[i : i + 3]
    return dx, dk[::-1] if wrong == "reversed" else dk


def pooled(x):
    return np.sum(AFTER[:3] * x.reshape(3, 3).mean(1))


def pooled_backward(_x, wrong):
    return np.repeat(AFTER[:3], 3) / (1.0 if wrong == "sum" else 3.0)


def cosine(a, b):
    return a @ b / np.sqrt(a @ a) / np.sqrt(b @ b)


def cosine_backward(a, b, wrong):
    n, s = np.sqrt(a @ a) * np.sqrt(b @ b), cosine(a, b)
    da, db = b / n - s * a / (a @ a), a / n - s * b / (b @ b)
    return (db, da) if wrong == "swapped" else (da, db)


def distance(a, b):
    return np.sqrt(np.sum((a - b) ** 2))


def distance_backward(a, b, wrong):
    d = (a - b) / distance(a, b)
    return d, d if wrong == "sign of b" else -d


def log_det(s):
    return np.log(np.linalg.det(s))


def log_det_backward(s, wrong):
    return np.linalg.inv(s).T * (0.5 if wrong == "half" else 1.0)


def quadratic(x):
    return x @ S0[:3, :3] @ x


def quadratic_backward(x, wrong):
    return 2.0 * S0 @ x if wrong == "as if symmetric" else (S0 + S0.T) @ x


def layer_norm(x):
    centred = x - x.mean(1, keepdims=True)
    return np.sum(UL * centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5))


def layer_norm_backward(x, wrong):
    centred = x - x.mean(1, keepdims=True)
    sd = np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
    xhat = centred / sd
    through = 0.0 if wrong == "variance" else xhat * (UL * xhat).mean(1, keepdims=True)
    return (UL - UL.mean(1, keepdims=True) - through) / sd


def rms_norm(x):
    return np.sum(UL * x / np.sqrt(np.mean(x**2, axis=1, keepdims=True)))


def rms_norm_backward(x, wrong):
    r = np.sqrt(np.mean(x**2, axis=1, keepdims=True))
    return UL / r - (0.0 if wrong == "norm" else x * np.mean(UL * x, axis=1, keepdims=True) / r**3)


def log_softmax(x):
    return np.sum(UL * (x - np.log(np.sum(np.exp(x), axis=1, keepdims=True))))


def log_softmax_backward(x, wrong):
    p = np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True)
    return UL - p * (1.0 if wrong == "no sum" else np.sum(UL, axis=1, keepdims=True))


def dropout(x, w):
    return np.sum((x * MASK) @ w) ** 2


def dropout_backward(x, w, wrong):
    s = 2.0 * np.sum((x * MASK) @ w)
    return s * w.sum(1) * (1.0 if wrong == "no mask" else MASK), s * np.outer(x * MASK, np.ones(2))


def gate(w, u, b):
    h = 0.2
    for x in SERIES[:5]:
        z = sigmoid(w * x + u * h + b)
        h = (1.0 - z) * h + z * np.tanh(x + h)
    return h**2


def gate_backward(w, u, b, wrong):
    hs, zs = [0.2], []
    for x in SERIES[:5]:
        zs.append(sigmoid(w * x + u * hs[-1] + b))
        hs.append((1.0 - zs[-1]) * hs[-1] + zs[-1] * np.tanh(x + hs[-1]))
    d, dw, du, db = 2.0 * hs[-1], 0.0, 0.0, 0.0
    for x, h, z in reversed(list(zip(SERIES[:5], hs[:-1], zs, strict=True))):
        n = np.tanh(x + h)
        dz = d * (n - h) * z * (1.0 - z)
        dw, du, db = dw + dz * x, du + dz * h, db + dz
        d = d * (1.0 - z) + d * z * (1.0 - n * n) + (0.0 if wrong == "gate's path" else dz * u)
    return dw, du, db


def energy(x, v):
    return 0.5 * np.sum(v**2) + np.sum(1.0 / np.abs(np.diff(np.sort(x))))


def energy_backward(x, v, wrong):
    order = np.argsort(x)
    gaps = 1.0 / np.diff(x[order]) ** 2
    dx = np.zeros_like(x)
    dx[order[:-1]] += gaps
    dx[order[1:]] -= gaps
    return (-dx if wrong == "sign" else dx), v


def leapfrog(x, v):
    for _ in range(10):
        v = v - 0.1 * np.sin(x)
        x = x + 0.1 * v
    return x * v


def leapfrog_backward(x, v, wrong):
    angles = []
    for _ in range(10):
        angles.append(x)
        v = v - 0.1 * np.sin(x)
        x = x + 0.1 * v
    dx, dv = v, x
    for angle in reversed(angles):
        dv = dv + 0.1 * dx
        dx = dx - (0.0 if wrong == "force" else 0.1 * np.cos(angle) * dv)
    return dx, dv


CASES = [
    case(
        "gelu",
        gelu,
        gelu_backward,
        (X6,),
        {"exponent": r"counts 0\.333333 times: the 3 of a cube is missing", "second term": says.ONE_PATH},
    ),
    case("swish", swish, swish_backward, (X6,), {"second term": says.ONE_PATH}),
    case("softplus", softplus, softplus_backward, (X6,), {"sign": says.SIGN}),
    case("elu", elu, elu_backward, (X6,), {"dead": "0 where x is negative"}, records=False),
    case("softsign", softsign, softsign_backward, (X6,), {"root constant": says.CONSTANT}),
    case("huber of residuals", huber, huber_backward, (GUESS,), {"no clip": "first branch everywhere"}, records=False),
    case("quantile", quantile, quantile_backward, (GUESS,), {"sign": says.SIGN}),
    case("log cosh", log_cosh, log_cosh_backward, (GUESS,), {"sum": says.SUM}),
    case("Gauss", gauss, gauss_backward, (0.2, 0.4), {"sign": says.SIGN}),
    case("Poisson regression", poisson, poisson_backward, (START,), {"sign": says.SIGN}),
    case("ridge of labels", ridge, ridge_backward, (START,), {"no penalty": says.PENALTY}),
    case(
        "convolution of a series",
        conv,
        conv_backward,
        (SERIES, KERNEL),
        {"overwritten": says.ONE_PATH, "reversed": "flipped"},
    ),
    case("pooled means", pooled, pooled_backward, (SERIES,), {"sum": says.LEFT_OUT}),
    case("cosine of two", cosine, cosine_backward, (A4, B4), {"swapped": says.SWAPPED}),
    case("distance", distance, distance_backward, (A4, B4), {"sign of b": "b: " + says.SIGN}),
    case("log det", log_det, log_det_backward, (S,), {"half": r"0\.5 times"}, records=False),
    case("form without symmetry", quadratic, quadratic_backward, (START,), {"as if symmetric": ""}),
    case("layer norm by rows", layer_norm, layer_norm_backward, (XL,), {"variance": says.CONSTANT}),
    case("rms norm", rms_norm, rms_norm_backward, (XL,), {"norm": says.CONSTANT}),
    case("log softmax", log_softmax, log_softmax_backward, (XL,), {"no sum": ""}),
    case("dropped inputs", dropout, dropout_backward, (X6, XL.ravel()[:12].reshape(6, 2)), {"no mask": says.LEFT_OUT}),
    case("gated cell", gate, gate_backward, (0.5, -0.4, 0.1), {"gate's path": says.ONE_PATH}),
    case("energy of sorted bodies", energy, energy_backward, (A4, B4), {"sign": "x: " + says.SIGN}, records=False),
    case("leapfrog", leapfrog, leapfrog_backward, (0.7, -0.3), {"force": says.ONE_PATH}),
]
