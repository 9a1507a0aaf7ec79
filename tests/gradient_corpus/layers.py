"""Layers with a forward and a backward pass, as classes and as functions, in NumPy."""

import numpy as np

from gradient_corpus import Case, draw, says, sigmoid, written

X, W, b, UP = draw(11, (4, 3), (3, 2), (2,), (4, 2))
SQUARE = draw(12, (3, 3), (3, 3), (3,), (3, 3))


class Linear:
    """What a framework calls Dense; the loss is the sum of the output times `up`."""

    def __init__(self, wrong="", up=UP):
        self.wrong, self.up = wrong, up

    def forward(self, X, W, b):
        self.X, self.W = X, W
        return np.sum(self.up * (X @ W + b))

    def backward(self, X, W, b):
        X, W, d, wrong = self.X, self.W, self.up, self.wrong
        dX, dW, db = d @ W.T, X.T @ d, d.sum(axis=0)
        if wrong == "W not transposed":
            dX = d @ W
        if wrong == "dW transposed":
            dW = dW.T
        if wrong == "X not transposed":
            dW = X @ d
        if wrong == "bias over the wrong axis":
            db = d.sum(axis=1)
        if wrong == "bias of one sample":
            db = d[-1]
        if wrong == "bias mean":
            db = d.mean(axis=0)
        if wrong == "dW mean":
            dW = dW / len(X)
        if wrong == "no dX":
            dX = np.zeros_like(X)
        if wrong == "dX and dW exchanged":
            dX, dW = dW, dX
        return (-dX, -dW, -db) if wrong == "sign" else (dX, dW, db)


def linear(points, up=UP):
    def make(wrong=""):
        layer = Linear(wrong, up)
        return layer.forward, layer.backward

    return make


def mlp(W1, b1, W2, b2):
    z1 = X @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2 + b2
    return np.sum((z2 - UP) ** 2) / (2.0 * len(X))


def mlp_backward(W1, b1, W2, b2, wrong):
    z1 = X @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2 + b2
    d2 = (z2 - UP) / len(X)
    if wrong == "not divided":
        d2 = d2 * len(X)
    if wrong == "two":
        d2 = d2 * 2.0
    if wrong == "sign":
        d2 = -d2
    dW2 = {"W2 with z1": z1, "W2 with slope": 1.0 - a1**2}.get(wrong, a1).T @ d2
    d1 = d2 @ W2.T
    slope = {"no slope": 1.0, "slope at z": 1.0 - z1**2, "sigmoid's slope": a1 * (1.0 - a1), "slope of slope": 1.0 - np.tanh(a1) ** 2,
             "plus": 1.0 + a1**2, "only a²": a1**2, "relu's slope": 1.0 * (z1 > 0.0)}.get(wrong, 1.0 - a1**2)  # fmt: skip
    if wrong == "slope before W2":
        d1 = d2 @ W2.T
        slope = 1.0 - a1**4
    d1 = d1 * slope
    db1 = d1.sum(axis=0)
    if wrong == "no slope in b1":
        db1 = (d2 @ W2.T).sum(axis=0)
    return X.T @ d1, db1, dW2, np.zeros_like(b2) if wrong == "no b2" else d2.sum(axis=0)


REG = 0.05
CLASSES = np.array([0, 2, 1, 2])


def two_layers(W1, b1, W2, b2):
    hidden = np.maximum(0.0, X @ W1 + b1)
    scores = hidden @ W2 + b2
    shifted = scores - scores.max(axis=1, keepdims=True)
    probs = np.exp(shifted) / np.sum(np.exp(shifted), axis=1, keepdims=True)
    data = -np.log(probs[range(4), CLASSES]).mean()
    return data + REG * np.sum(W1 * W1) + REG * np.sum(W2 * W2)


def two_layers_backward(W1, b1, W2, b2, wrong):
    z = X @ W1 + b1
    hidden = np.maximum(0.0, z)
    scores = hidden @ W2 + b2
    probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    d = probs.copy()
    if wrong != "labels not subtracted":
        d[range(4), CLASSES] -= 1.0
    if wrong != "not divided":
        d = d / 4.0
    reg = {"no penalty": 0.0, "penalty halved": REG}.get(wrong, 2.0 * REG)
    dW2 = (z if wrong == "W2 before relu" else hidden).T @ d + reg * W2
    dh = d @ W2.T
    if wrong != "no mask":
        dh = dh * (
            (dh > 0.0) if wrong == "mask of the gradient" else (z < 0.0) if wrong == "mask turned" else (z > 0.0)
        )
    db1, db2 = dh.sum(axis=0), d.sum(axis=0)
    if wrong == "penalty on b2":
        db2 = db2 + 2.0 * REG * b2
    if wrong == "b1 before the mask":
        db1 = (d @ W2.T).sum(axis=0)
    if wrong == "b2 mean":
        db2 = d.mean(axis=0)
    return X.T @ dh + (0.0 if wrong == "no penalty on W1" else reg) * W1, db1, dW2, db2


class BatchNorm:
    """In training mode, with running statistics, as in course assignments."""

    eps = 1e-5

    def __init__(self, wrong=""):
        self.wrong = wrong
        self.running_mean = np.zeros(3)
        (self.up,) = draw(13, (4, 3))

    def forward(self, X, gamma, beta):
        self.X = X
        self.mu = X.mean(axis=0)
        self.xc = X - self.mu
        self.var = np.mean(self.xc**2, axis=0)
        self.std = np.sqrt(self.var + self.eps)
        self.xhat = self.xc / self.std
        self.gamma = gamma
        return np.sum(self.up * (gamma * self.xhat + beta))

    def backward(self, X, gamma, beta):
        wrong, N = self.wrong, len(self.X)
        dgamma = np.sum(self.up * self.xhat, axis=0)
        dbeta = self.up.sum(axis=0)
        dxhat = self.up if wrong == "no gamma" else self.up * self.gamma
        dvar = np.sum(dxhat * self.xc, axis=0) * -0.5 / self.std**3
        if wrong == "sign of dvar":
            dvar = -dvar
        if wrong == "dvar not halved":
            dvar = 2.0 * dvar
        if wrong == "variance constant":
            dvar = 0.0 * dvar
        dmu = -np.sum(dxhat / self.std, axis=0)
        if wrong == "mean constant":
            dmu = 0.0 * dmu
        if wrong == "statistics constant":
            dmu, dvar = 0.0, 0.0
        dX = dxhat / self.std + dvar * 2.0 * self.xc / N + dmu / N
        if wrong == "no division by N":
            dX = dxhat / self.std + dvar * 2.0 * self.xc + dmu
        if wrong == "no division by std":
            dX = dX * self.std
        if wrong == "no epsilon":
            std = np.sqrt(self.var)
            dX = (dxhat - dxhat.mean(axis=0) - self.xc / std * np.mean(dxhat * self.xc / std, axis=0)) / std
        if wrong == "dgamma with X":
            dgamma = np.sum(self.up * self.X, axis=0)
        if wrong == "dgamma not normalized":
            dgamma = np.sum(self.up * self.xc, axis=0)
        if wrong == "dbeta mean":
            dbeta = self.up.mean(axis=0)
        if wrong == "gamma and beta exchanged":
            dgamma, dbeta = dbeta, dgamma
        return dX, dgamma, dbeta


def batchnorm(wrong=""):
    layer = BatchNorm(wrong)
    return layer.forward, layer.backward


def layernorm(x, g):
    mean = x.mean(axis=1, keepdims=True)
    var = x.var(axis=1, keepdims=True)
    normed = (x - mean) / np.sqrt(var + 1e-5)
    return np.sum(UPN * normed * g)


(UPN,) = draw(14, (4, 3))


def layernorm_backward(x, g, wrong):
    axis = 0 if wrong == "batch axis" else 1
    mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    std = np.sqrt(var + 1e-5)
    normed = (x - mean) / std
    d = UPN * (1.0 if wrong == "no gain" else g)
    first = d.mean(axis=axis, keepdims=True)
    second = normed * np.mean(d * normed, axis=axis, keepdims=True)
    if wrong == "mean constant":
        first = 0.0
    if wrong == "variance constant":
        second = 0.0
    dx = (d - first - second) / std
    dg = np.sum(UPN * (x if wrong == "gain with x" else normed), axis=0)
    return dx * std if wrong == "no std" else -dx if wrong == "sign" else dx, dg / 4.0 if wrong == "gain mean" else dg


def convolve(x, w):
    out = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            out[i, j] = np.sum(x[i : i + 3, j : j + 3] * w)
    return np.sum(CONV * out)


(CONV,) = draw(15, (3, 3))


def convolve_backward(x, w, wrong):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(3):
        for j in range(3):
            kernel = w[::-1, ::-1] if wrong == "flipped kernel" else w
            if wrong == "overwritten":
                dx[i : i + 3, j : j + 3] = CONV[i, j] * kernel
            else:
                dx[i : i + 3, j : j + 3] += CONV[i, j] * kernel
            if wrong == "dw overwritten":
                dw = CONV[i, j] * x[i : i + 3, j : j + 3]
            else:
                dw += CONV[i, j] * x[i : i + 3, j : j + 3]
    return {
        "dw flipped": (dx, dw[::-1, ::-1]), "dw transposed": (dx, dw.T), "dx shifted": (np.roll(dx, 1, axis=1), dw),
        "dw mean": (dx, dw / 9.0), "no dx": (0.0 * dx, dw), "sign": (-dx, -dw), "dx edge": (np.pad(dx[1:-1, 1:-1], 1), dw),
    }.get(wrong, (dx, dw))  # fmt: skip


def pooled(x):
    blocks = x.reshape(2, 2, 2, 2)
    return np.sum(POOL * blocks.mean(axis=(1, 3)))


(POOL,) = draw(16, (2, 2))


def pooled_backward(x, wrong):
    d = np.repeat(np.repeat(POOL, 2, axis=0), 2, axis=1) / 4.0
    if wrong == "tiled":
        d = np.tile(POOL, (2, 2)) / 4.0
    if wrong == "first only":
        d = np.where(np.arange(16).reshape(4, 4) % 2 == 0, d, 0.0)
    return {"not divided": 4.0 * d, "transposed": d.T, "by eight": d / 2.0}.get(wrong, d)


class Dropout:
    def __init__(self, wrong=""):
        self.wrong = wrong

    def forward(self, x):
        self.mask = (np.random.default_rng(7).random(x.shape) < 0.6) / 0.6
        self.out = x * self.mask
        return np.sum(self.out**2) / 2.0

    def backward(self, x):
        d = self.out * self.mask
        return {"no scale": d * 0.6, "no mask": self.out / 0.6 + (self.mask == 0.0) * x, "sign": -d, "scale left out twice": d * 0.36,
                "mask turned": x * (self.mask == 0.0)}.get(self.wrong, d)  # fmt: skip


def dropout(wrong=""):
    layer = Dropout(wrong)
    return layer.forward, layer.backward


TOKENS = np.array([0, 2, 2, 1])


def embedded(table, w):
    return np.sum(np.tanh(table[TOKENS] @ w) ** 2)


def embedded_backward(table, w, wrong):
    rows = table[TOKENS]
    a = np.tanh(rows @ w)
    d = 2.0 * a * ({"no slope": 1.0}.get(wrong, 1.0 - a**2))
    dt = np.zeros_like(table)
    if wrong == "overwritten":
        dt[TOKENS] = d[:, None] * w
    else:
        np.add.at(dt, TOKENS, d[:, None] * w)
    if wrong == "rows shifted":
        dt = np.roll(dt, 1, axis=0)
    return dt / (4.0 if wrong == "mean" else 1.0), rows.T @ (d if wrong != "no two" else d / 2.0)


def relu_layer(x):
    a = np.where(x > 0.0, x, 0.1 * x)
    return np.sum(LEAK * a)


(LEAK,) = draw(17, (8,))


def relu_layer_backward(x, wrong):
    slope = np.where(x > 0.0, 1.0, 0.1)
    return LEAK * {
        "no leak": (x > 0.0) * 1.0,
        "no mask": 1.0 + 0.0 * x,
        "leak everywhere": 0.1 + 0.0 * x,
        "turned": np.where(x > 0.0, 0.1, 1.0),
    }.get(wrong, slope)


def elementwise(x):
    from scipy.special import expit

    return float(np.sum(LEAK * expit(np.asarray(x, dtype=float))))


def elementwise_backward(x, wrong):
    s = sigmoid(x)
    return LEAK * {"slope at x": x * (1.0 - x), "no slope": 1.0, "tanh's slope": 1.0 - s * s, "slope at s": sigmoid(s) * (1.0 - sigmoid(s)),
                   "only s": s}.get(wrong, s * (1.0 - s))  # fmt: skip


CASES = [
    Case("linear", linear(None), (X, W, b), {
        "bias of one sample": "uses is counted", "bias mean": "b: .*" + says.MEAN, "dW mean": "W: .*" + says.MEAN, "no dX": "X: " + says.ZERO, "sign": says.SIGN,
    }),
    Case("linear of a square", linear(None, SQUARE[3]), SQUARE[:3], {
        "W not transposed": "transposed|in place of", "dW transposed": "W: .*" + says.TRANSPOSED, "X not transposed": "transposed|in place of",
        "bias over the wrong axis": "wrong axis", "dX and dW exchanged": says.SWAPPED,
    }),
    Case("mlp", written(mlp, mlp_backward), draw(18, (3, 5), (5,), (5, 2), (2,)), {
        "not divided": says.SUM, "two": says.TWICE, "sign": says.SIGN, "W2 with z1": "W2: z1 is used in place of a1", "W2 with slope": "",
        "no slope": "W1, b1: .*" + says.LEFT_OUT, "slope at z": "taken at z1, where a1 belongs", "sigmoid's slope": "slope of sigmoid|factor of it",
        "slope of slope": "taken at a1, where z1 belongs", "plus": "factor of it", "only a²": "factor of it", "relu's slope": "slope of relu",
        "slope before W2": "", "no slope in b1": "b1: .*" + says.LEFT_OUT, "no b2": "b2: " + says.ZERO,
    }),
    Case("two layers", written(two_layers, two_layers_backward), draw(19, (3, 5), (5,), (5, 3), (3,)), {
        "labels not subtracted": says.ONE_PATH, "not divided": "counts 4 times|" + says.SUM, "no penalty": says.PENALTY, "penalty halved": says.PENALTY,
        "W2 before relu": "in place of", "no mask": says.LEFT_OUT, "mask of the gradient": "", "mask turned": "other operand", "penalty on b2": "one too many",
        "b1 before the mask": "b1: .*" + says.LEFT_OUT, "b2 mean": says.MEAN, "no penalty on W1": "W1: .*is missing, of a penalty",
    }),
    Case("batchnorm", batchnorm, draw(20, (4, 3), (3,), (3,)), {
        "no gamma": "left out|gamma", "sign of dvar": "wrong sign", "dvar not halved": "counts 2 times", "variance constant": "X: .*var is treated",
        "mean constant": "X: .*mu is treated", "statistics constant": "treated as a constant", "no division by N": "counts 4 times|sum in place",
        "no division by std": "left out|std", "no epsilon": r"self.var in place of self.var \+ 1e-05", "dgamma with X": "gamma: X is used in place of .*xhat",
        "dgamma not normalized": "gamma: .*xc is used in place of .*xhat", "dbeta mean": "beta: .*" + says.MEAN, "gamma and beta exchanged": says.SWAPPED,
    }),
    Case("layernorm", written(layernorm, layernorm_backward), draw(21, (4, 3), (3,)), {
        "batch axis": "", "no gain": "left out|in place", "mean constant": "mean is treated|only the path|path .* missing", "variance constant": "var is treated", "gain with x": "x is used in place of normed",
        "no std": "a division by", "sign": says.SIGN, "gain mean": says.MEAN,
    }),
    Case("convolution", written(convolve, convolve_backward), draw(22, (5, 5), (3, 3)), {
        "flipped kernel": "w, flipped, is used in place of w", "overwritten": "uses is counted", "dw overwritten": "uses is counted", "dw flipped": "flipped along axis 0, 1", "dw transposed": says.TRANSPOSED,
        "dx shifted": "shifted by 1 along axis 1", "dw mean": "0.111111 times", "no dx": says.ZERO, "sign": says.SIGN, "dx edge": "missing there",
    }),
    Case("average pooling", written(pooled, pooled_backward), draw(23, (4, 4)), {
        "tiled": "another order", "first only": "missing there", "not divided": "4 times", "transposed": says.TRANSPOSED, "by eight": "0.5 times",
    }),
    Case("dropout", dropout, draw(24, (6,)), {
        "no scale": "0.6 times|left out|counts", "no mask": "x in place of self.out", "sign": says.SIGN, "scale left out twice": "0.36 times|left out", "mask turned": "",
    }),
    Case("embedding", written(embedded, embedded_backward), draw(25, (3, 4), (4,)), {
        "overwritten": "row 2|=", "no slope": says.LEFT_OUT, "rows shifted": "shifted|exchanged", "mean": "0.25 times", "no two": says.HALF,
    }),
    Case("leaky relu", written(relu_layer, relu_layer_backward), (np.array([0.3, -0.7, 1.2, -0.1, 0.5, -2.0, 0.9, -0.4]),), {
        "no leak": "missing there|path", "no mask": "negative|left out", "leak everywhere": "positive|0.1 times", "turned": "other branch",
    }),
    Case("elementwise of SciPy", written(elementwise, elementwise_backward), (np.array([0.3, -0.7, 1.2, -0.1, 0.5, 2.0, -1.1, 0.8]),), {
        "slope at x": "taken at x", "no slope": says.LEFT_OUT, "tanh's slope": "slope of tanh", "slope at s": "taken at", "only s": "factor of it",
    }, records=False, needs="scipy"),
]  # fmt: skip
