"""Losses and regressions, in NumPy."""

import numpy as np

from gradient_corpus import Case, draw, says, sigmoid, written

X, W, b, Y = draw(1, (5, 3), (3,), (1,), (5,))
X = 2.0 * X
LABELS = (Y > 0.0).astype(float)
LAM = 0.3


def ridge(w):
    r = X @ w - Y
    return np.sum(r**2) / (2.0 * len(Y)) + LAM * np.sum(w**2) / 2.0


def ridge_backward(w, wrong):
    r = X @ w - Y
    if wrong == "residual turned":
        r = -r
    data = X.T @ r / len(Y)
    data = {"not divided": data * len(Y), "two": 2.0 * data}.get(wrong, data)
    penalty = {"no penalty": 0.0 * w, "penalty doubled": 2.0 * LAM * w, "L1": LAM * np.sign(w), "no lambda": w}.get(
        wrong, LAM * w
    )
    g = data + penalty
    return {"sign": -g, "mean": g / len(w), "only penalty": penalty, "twice": 2.0 * g}.get(wrong, g)


def logistic(w, b):
    z = X @ w + b
    p = sigmoid(z)
    return -np.mean(LABELS * np.log(p) + (1.0 - LABELS) * np.log(1.0 - p))


def logistic_backward(w, b, wrong):
    z = X @ w + b
    p = sigmoid(z)
    n = len(LABELS)
    dz = {"no labels": p, "slope twice": (p - LABELS) * p * (1.0 - p), "sign": LABELS - p, "probability of z": z - LABELS,
          "only positives": -LABELS * (1.0 - p), "no slope": (p - LABELS) / (p * (1.0 - p))}.get(wrong, p - LABELS)  # fmt: skip
    dz = dz if wrong == "not divided" else dz / n
    return X.T @ dz, np.array([0.0]) if wrong == "no bias" else np.array(
        [dz.sum() if wrong != "bias mean" else dz.mean()]
    )


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


CLASSES = np.array([0, 2, 1, 1, 3])
HOT = np.eye(4)[CLASSES]


def crossentropy(z):
    p = softmax(z)
    return -np.mean(np.log(p[np.arange(5), CLASSES]))


def crossentropy_backward(z, wrong):
    p = softmax(z)
    d = p.copy()
    if wrong == "labels not subtracted":
        return d / 5.0
    d[np.arange(5), CLASSES] -= 1.0
    if wrong == "own class only":
        d = np.where(HOT > 0.0, d, 0.0)
    if wrong == "diagonal":
        d = -HOT * (1.0 - p)
    if wrong == "slope twice":
        d = d * p * (1.0 - p)
    if wrong == "clipped":
        return np.clip(d / 5.0, -0.1, 0.1)
    if wrong == "rows exchanged":
        d = d[[1, 0, 2, 3, 4]]
    return {
        "not divided": d,
        "by classes too": d / 20.0,
        "sign": -d / 5.0,
        "float32": (d / 5.0).astype(np.float32),
    }.get(wrong, d / 5.0)


def hinge(w):
    margins = 1.0 - (2.0 * LABELS - 1.0) * (X @ w)
    return np.mean(np.maximum(0.0, margins)) + 0.1 * np.sum(w**2)


def hinge_backward(w, wrong):
    y = 2.0 * LABELS - 1.0
    margins = 1.0 - y * (X @ w)
    active = np.ones(5) if wrong == "no mask" else (margins < 0.0) if wrong == "mask turned" else margins > 0.0
    y = np.ones(5) if wrong == "no labels" else y
    data = -(X.T @ (active * y)) / (1.0 if wrong == "not divided" else 5.0)
    data = -data if wrong == "sign of data" else data
    return data + {"no penalty": 0.0, "penalty halved": 0.1}.get(wrong, 0.2) * w


def huber(p):
    r = p - Y
    small = np.abs(r) <= 1.0
    return np.sum(np.where(small, 0.5 * r**2, np.abs(r) - 0.5))


def huber_backward(p, wrong):
    r = p - Y
    g = np.where(np.abs(r) <= 1.0, r, np.sign(r))
    if wrong == "no clipping":
        g = r
    if wrong == "sign lost":
        g = np.where(np.abs(r) <= 1.0, r, 1.0)
    if wrong == "absolute":
        g = np.abs(g)
    return {"sign": -g, "mean": g / 5.0, "twice": 2.0 * g}.get(wrong, g)


def cosine(u, v):
    return u @ v / (np.sqrt(u @ u) * np.sqrt(v @ v))


def cosine_backward(u, v, wrong):
    nu, nv = np.sqrt(u @ u), np.sqrt(v @ v)
    c = u @ v / (nu * nv)
    du, dv = v / (nu * nv) - c * u / nu**2, u / (nu * nv) - c * v / nv**2
    if wrong == "norms constant":
        du, dv = v / (nu * nv), u / (nu * nv)
    if wrong == "norm of u constant":
        du = v / (nu * nv)
    if wrong == "swapped":
        du, dv = dv, du
    if wrong == "plus":
        du = v / (nu * nv) + c * u / nu**2
    if wrong == "sign":
        du, dv = -du, -dv
    return (du, 0.0 * v) if wrong == "no v" else (du, dv)


def divergence(z):
    p = softmax(z)
    return np.sum(p * (np.log(p) - np.log(0.25)))


def divergence_backward(z, wrong):
    p = softmax(z)
    g = np.log(p) - np.log(0.25) + 1.0
    if wrong == "no one":  # changes nothing through the softmax: right
        g = g - 1.0
    if wrong == "diagonal":
        return g * p * (1.0 - p)
    if wrong == "sum constant":
        return g * p
    if wrong == "no log path":
        g = np.log(p) - np.log(0.25)
        return p * (g - 0.0)
    d = p * (g - np.sum(g * p, axis=1, keepdims=True))
    if wrong == "wrong axis":
        d = p * (g - np.sum(g * p, axis=0, keepdims=True))
    return {"sign": -d, "mean": d / 5.0, "transposed order": d.T.reshape(d.shape)}.get(wrong, d)


def logcosh(p):
    r = p - Y
    return np.mean(np.log(np.cosh(r)))


def logcosh_backward(p, wrong):
    r = p - Y
    g = {"no tanh": r, "slope of tanh": 1.0 - np.tanh(r) ** 2, "tanh of p": np.tanh(p)}.get(wrong, np.tanh(r))
    return {"not divided": g, "sign": -g / 5.0, "one entry": np.r_[0.0, g[1:]] / 5.0}.get(wrong, g / 5.0)


CASES = [
    Case("ridge", written(ridge, ridge_backward), (W,), {
        "residual turned": "wrong sign|off by", "not divided": "counts 5 times|5 is", "two": "counts 2 times", "no penalty": says.PENALTY,
        "penalty doubled": "one too many|counts 2 times", "L1": "", "no lambda": "one too many|LAM", "sign": says.SIGN,
        "mean": says.MEAN, "only penalty": says.ONE_PATH, "twice": says.TWICE,
    }),
    Case("logistic", written(logistic, logistic_backward), (W, b), {
        "no labels": "LABELS, which is forgotten", "slope twice": r"p·\(1 − p\): a factor too many", "sign": says.SIGN, "probability of z": "", "only positives": says.ONE_PATH, "no slope": says.LEFT_OUT,
        "not divided": says.SUM, "no bias": "b: " + says.ZERO, "bias mean": "b: .*" + says.MEAN,
    }),
    Case("crossentropy", written(crossentropy, crossentropy_backward), draw(2, (5, 4)), {
        "labels not subtracted": says.ONE_PATH, "own class only": "cross terms|0 in|" + says.CONSTANT, "diagonal": "cross terms|0 in", "slope twice": r"p·\(1 − p\): a factor too many", "clipped": "clipped at 0.1",
        "rows exchanged": "exchanged", "not divided": says.SUM, "by classes too": says.MEAN, "sign": says.SIGN, "float32": "single precision",
    }),
    Case("hinge", written(hinge, hinge_backward), (-2.0 * W,), {
        "no mask": says.LEFT_OUT, "mask turned": "other operand", "no labels": "left out", "not divided": "counts 5 times", "sign of data": "wrong sign",
        "no penalty": says.PENALTY, "penalty halved": "is missing, of a penalty|counts 0.5",
    }),
    Case("huber", written(huber, huber_backward), (2.0 * Y[::-1].copy(),), {
        "no clipping": "first branch everywhere", "sign lost": "slope of abs", "absolute": "signs are lost", "sign": says.SIGN, "mean": says.MEAN, "twice": says.TWICE,
    }),
    Case("cosine", written(cosine, cosine_backward), draw(3, (4,), (4,)), {
        "norms constant": says.CONSTANT, "norm of u constant": says.CONSTANT, "swapped": says.SWAPPED, "plus": "wrong sign", "sign": says.SIGN, "no v": says.ZERO,
    }),
    Case("divergence", written(divergence, divergence_backward), draw(4, (5, 4)), {
        "diagonal": "cross terms", "sum constant": says.CONSTANT, "no log path": "", "wrong axis": "cross terms of p have in common is summed over the wrong axis", "sign": says.SIGN, "mean": says.MEAN,
        "transposed order": "reshape in place of a transpose",
    }),
    Case("logcosh", written(logcosh, logcosh_backward), (Y[::-1].copy(),), {
        "no tanh": "what flows back to r is r", "slope of tanh": "", "tanh of p": "right with p in place of r", "not divided": says.SUM, "sign": says.SIGN,
        "one entry": r"0 in entry \[0\]",
    }),
]  # fmt: skip
