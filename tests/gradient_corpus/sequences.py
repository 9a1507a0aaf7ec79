"""What runs over steps: recurrent cells, attention, unrolled optimizers, differential equations."""

import numpy as np

from gradient_corpus import Case, draw, says, sigmoid, written

XS, UP = draw(31, (4, 2), (3,))


def rnn(Wx, Wh, h0):
    h = h0
    for x in XS:
        h = np.tanh(Wx @ x + Wh @ h)
    return np.sum(UP * h)


def rnn_backward(Wx, Wh, h0, wrong):
    hs = [h0]
    for x in XS:
        hs.append(np.tanh(Wx @ x + Wh @ hs[-1]))
    dWx, dWh, dh = np.zeros_like(Wx), np.zeros_like(Wh), UP.copy()
    for t in range(len(XS) - 1, -1, -1):
        dz = dh * (
            1.0
            if wrong == "no slope"
            else 1.0 - hs[t] ** 2
            if wrong == "slope of the step before"
            else 1.0 - hs[t + 1] ** 2
        )
        if wrong == "dWx overwritten":
            dWx = np.outer(dz, XS[t])
        else:
            dWx += np.outer(dz, XS[t])
        dWh += np.outer(dz, hs[t + 1] if wrong == "state after" else hs[t])
        dh = (Wh @ dz) if wrong == "Wh not transposed" else Wh.T @ dz
        if wrong == "truncated":
            break
    return {"sign": (-dWx, -dWh, -dh), "mean": (dWx / 4.0, dWh / 4.0, dh / 4.0), "dWh transposed": (dWx, dWh.T, dh), "no h0": (dWx, dWh, 0.0 * h0),
            "h0 from the end": (dWx, dWh, UP * (1.0 - hs[-1] ** 2))}.get(wrong, (dWx, dWh, dh))  # fmt: skip


def lstm(x, h, c, Wi, Wf, Wo, Wg):
    v = np.concatenate([x, h])
    i = sigmoid(Wi @ v)
    f = sigmoid(Wf @ v)
    o = sigmoid(Wo @ v)
    g = np.tanh(Wg @ v)
    cell = f * c + i * g
    th = np.tanh(cell)
    out = o * th
    return np.sum(UP * out) + 0.5 * np.sum(cell**2)


def lstm_backward(x, h, c, Wi, Wf, Wo, Wg, wrong):
    v = np.concatenate([x, h])
    i, f, o, g = sigmoid(Wi @ v), sigmoid(Wf @ v), sigmoid(Wo @ v), np.tanh(Wg @ v)
    cell = f * c + i * g
    th = np.tanh(cell)
    dcell = UP * o * (1.0 if wrong == "no tanh slope" else 1.0 - th**2)
    if wrong != "cell path":
        dcell = dcell + cell
    if wrong == "output path":
        dcell = cell
    di, df, do, dg = dcell * g, dcell * c, UP * th, dcell * i
    if wrong == "gates exchanged":
        di, df = df, di
    if wrong == "output with cell":
        do = UP * cell
    if wrong == "forget with new cell":
        df = dcell * cell
    zi, zf, zo = di * i * (1.0 - i), df * f * (1.0 - f), do * o * (1.0 - o)
    zg = dg * (g * (1.0 - g) if wrong == "sigmoid's slope for g" else 1.0 - g**2)
    if wrong == "no slope of f":
        zf = df
    if wrong == "only i":
        zi = di * i
    dv = Wi.T @ zi + Wf.T @ zf + Wo.T @ zo + Wg.T @ zg
    if wrong == "v from one gate":
        dv = Wg.T @ zg
    if wrong == "v without o":
        dv = dv - Wo.T @ zo
    dc = dcell if wrong == "carry without f" else dcell * f
    return dv[:2], dv[2:], dc, np.outer(zi, v), np.outer(zf, v), np.outer(zo, v), np.outer(zg, v)


def attention(Q, K, V):
    S = Q @ K.T / np.sqrt(2.0)
    E = np.exp(S)
    P = E / E.sum(axis=1, keepdims=True)
    O = P @ V
    return np.sum(OUT * O)


(OUT,) = draw(32, (3, 2))


def attention_backward(Q, K, V, wrong):
    S = Q @ K.T / np.sqrt(2.0)
    P = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)
    dV = (S if wrong == "V with scores" else P).T @ OUT
    dP = OUT @ V.T
    dS = P * (dP - np.sum(dP * P, axis=1, keepdims=True))
    if wrong == "diagonal":
        dS = dP * P * (1.0 - P)
    if wrong == "sum constant":
        dS = dP * P
    if wrong == "no softmax":
        dS = dP
    dS = dS / (1.0 if wrong == "no scale" else 2.0 if wrong == "scale squared" else np.sqrt(2.0))
    dQ, dK = dS @ K, dS.T @ Q
    if wrong == "K not transposed":
        dK = dS @ Q
    if wrong == "P not transposed":
        dV = P @ OUT
    if wrong == "Q and K exchanged":
        dQ, dK = dK, dQ
    return (dQ, dK, 0.0 * V) if wrong == "no V" else (dQ, dK, dV)


def momentum(rate, w0):
    w, v = w0, 0.0 * w0
    for _ in range(8):
        v = 0.9 * v - rate * (np.array([4.0, 1.0, 2.0]) * w - 1.0)
        w = w + v
    return np.sum((2.0 * w - 0.5) ** 2)


def momentum_backward(rate, w0, wrong):
    ws, v = [w0], 0.0 * w0
    A = np.array([4.0, 1.0, 2.0])
    for _ in range(8):
        v = 0.9 * v - rate * (A * ws[-1] - 1.0)
        ws.append(ws[-1] + v)
    dw, dv, dr = 4.0 * (2.0 * ws[-1] - 0.5), 0.0 * w0, 0.0
    if wrong == "no two":
        dw = dw / 2.0
    for w in reversed(ws[:-1]):
        dv = dw if wrong == "no momentum" else dv + dw
        dr = dr - np.sum(dv * ((A * w) if wrong == "no one" else A * w - 1.0))
        if wrong != "w path":
            dw = dw - rate * A * dv
        dv = 0.9 * dv
        if wrong == "last step only":
            break
    return {
        "rate sign": (-dr, dw),
        "mean": (dr, dw / 3.0),
        "w0 constant": (dr, 0.0 * w0),
        "float32": (float(np.float32(dr)), dw.astype(np.float32)),
    }.get(wrong, (dr, dw))


def euler(theta, y0):
    a, k = theta[0], theta[1]
    y = y0
    for _ in range(20):
        y = y + 0.05 * (a * np.sin(y) - k * y)
    return np.sum(y**2) / 2.0


def euler_backward(theta, y0, wrong):
    a, k = theta
    ys = [y0]
    for _ in range(20):
        ys.append(ys[-1] + 0.05 * (a * np.sin(ys[-1]) - k * ys[-1]))
    lam = ys[-1] * (2.0 if wrong == "two" else 1.0)
    da = dk = 0.0
    for y in reversed(ys[:-1]):
        step = 1.0 if wrong == "no step size" else 0.05
        da += step * np.sum(lam * (np.cos(y) if wrong == "cos for sin" else np.sin(y)))
        dk -= step * np.sum(lam * y) * (-1.0 if wrong == "sign of k" else 1.0)
        inner = a * np.cos(y) - k
        if wrong == "no damping":
            inner = a * np.cos(y)
        if wrong == "no sine":
            inner = -k
        if wrong == "adjoint constant":
            inner = 0.0
        lam = lam - 0.05 * inner * lam if wrong == "adjoint sign" else lam + 0.05 * inner * lam
    return {
        "theta exchanged": (np.array([dk, da]), lam),
        "no y0": (np.array([da, dk]), 0.0 * y0),
        "y0 at the end": (np.array([da, dk]), ys[-1]),
    }.get(wrong, (np.array([da, dk]), lam))


CASES = [
    Case("rnn", written(rnn, rnn_backward), draw(33, (3, 2), (3, 3), (3,)), {
        "no slope": says.LEFT_OUT, "slope of the step before": "", "dWx overwritten": "uses is counted|=", "state after": "off by one", "Wh not transposed": "Wh.T is used in place of Wh",
        "truncated": says.ONE_PATH + "|uses", "sign": says.SIGN, "mean": says.MEAN, "dWh transposed": says.TRANSPOSED, "no h0": says.ZERO, "h0 from the end": "h0: .*left out of the product altogether",
    }),
    Case("lstm", written(lstm, lstm_backward), draw(34, (2,), (3,), (3,), (3, 5), (3, 5), (3, 5), (3, 5)), {
        "no tanh slope": "left out", "cell path": says.ONE_PATH, "output path": says.ONE_PATH, "gates exchanged": "c is used in place of g", "output with cell": "Wo.*cell is used in place of th",
        "forget with new cell": "Wf.*cell is used in place of c", "sigmoid's slope for g": "Wg.*slope of sigmoid|factor of it", "no slope of f": "Wf.*" + says.LEFT_OUT, "only i": "Wi.*factor of it",
        "v from one gate": says.ONE_PATH, "v without o": says.ONE_PATH, "carry without f": "c: .*left out|c: .*f",
    }),
    Case("attention", written(attention, attention_backward), draw(35, (3, 2), (3, 2), (3, 2)), {
        "V with scores": "V: S is used in place of P", "diagonal": "cross terms", "sum constant": says.CONSTANT, "no softmax": "left out of the product altogether", "no scale": "1.41421 times|left out", "scale squared": "0.707107 times",
        "K not transposed": "K: .*S is transposed", "P not transposed": "V: P.T is used", "Q and K exchanged": says.SWAPPED, "no V": says.ZERO,
    }),
    Case("momentum", written(momentum, momentum_backward), (0.1, draw(36, (3,))[0]), {
        "no two": says.HALF, "no momentum": says.CONSTANT, "no one": r"2 · w is used in place of \(2 · w\) − 1", "w path": says.CONSTANT, "last step only": "does a loop back end too early", "rate sign": "rate: " + says.SIGN, "mean": says.MEAN, "w0 constant": says.ZERO, "float32": "single precision",
    }),
    Case("euler", written(euler, euler_backward), (np.array([0.7, 0.3]), draw(37, (3,))[0]), {
        "two": says.TWICE, "no step size": "20 times", "cos for sin": "", "sign of k": "sign|region|by a factor of -1", "no damping": says.ONE_PATH, "no sine": says.ONE_PATH, "adjoint constant": "y0: the path .* is missing", "adjoint sign": "y0: what flows back through y has the wrong sign",
        "theta exchanged": "another order|flipped|shifted", "no y0": says.ZERO, "y0 at the end": "path .* missing",
    }),
]  # fmt: skip
