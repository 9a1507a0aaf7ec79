"""One number out of a few: formulas, neurons, code on Values as in a first lesson."""

import math

import numpy as np

from autodiff import exp, log, sin, tanh
from gradient_corpus import Case, says, written


def sigma(z):
    return 1.0 / (1.0 + math.exp(-z))


def neuron(w, b):
    z = w * 2.0 + b
    a = z.sigmoid() if hasattr(z, "sigmoid") else sigma(z)
    return (a - 1.0) ** 2 / 2.0


def neuron_backward(w, b, wrong):
    z = w * 2.0 + b
    a = sigma(z)
    slope = {"no slope": 1.0, "slope at z": z * (1.0 - z), "tanh's slope": 1.0 - a * a, "only a": a,
             "slope at a": sigma(a) * (1.0 - sigma(a)), "only 1 - a": 1.0 - a}.get(wrong, a * (1.0 - a))  # fmt: skip
    delta = (a - 1.0) * slope
    if wrong == "sign":
        delta = -delta
    if wrong == "no half":
        delta = 2.0 * delta
    dw, db = delta * 2.0, delta
    if wrong == "swapped":
        dw, db = db, dw
    if wrong == "no bias":
        db = 0.0
    return dw, db


def chain(x):
    return sin(x * x) * exp(-x)


def chain_backward(x, wrong):
    u, v = math.sin(x * x), math.exp(-x)
    if wrong == "product of slopes":
        return math.cos(x * x) * 2.0 * x * -v
    if wrong == "second term":
        return math.cos(x * x) * 2.0 * x * v
    if wrong == "first term":
        return -u * v
    inner = {"inner slope": 1.0, "no two": x}.get(wrong, 2.0 * x)
    outer = {"no cos": u, "sine of x": math.cos(x)}.get(wrong, math.cos(x * x))
    return outer * inner * v - (-u * v if wrong == "plus" else u * v)


def cube(x):
    return x * x * x


def cube_backward(x, wrong):
    return {"one use": x * x, "two uses": 2.0 * x * x, "value": x**3, "exponent": 3.0 * x}.get(wrong, 3.0 * x * x)


def quotient(x, y):
    return (x - y) / (x + y)


def quotient_backward(x, y, wrong):
    bottom = x + y if wrong == "not squared" else (x + y) ** 2
    dx, dy = 2.0 * y / bottom, -2.0 * x / bottom
    if wrong == "sign of y":
        dy = -dy
    if wrong == "swapped":
        dx, dy = dy, dx
    if wrong == "denominator constant":
        dx, dy = 1.0 / (x + y), -1.0 / (x + y)
    if wrong == "numerator constant":
        dx = dy = -(x - y) / (x + y) ** 2
    return dx, dy


def shared(a, b):
    n = a * b
    return tanh(n) + log(n) * a


def shared_backward(a, b, wrong):
    n = a * b
    dn = 1.0 - math.tanh(n) ** 2
    other = a / n
    if wrong == "overwritten":
        dn = other
    elif wrong != "tanh only":
        dn += other
    direct = 0.0 if wrong == "direct path" else math.log(n)
    if wrong == "sign":
        dn, direct = -dn, -direct
    return dn * b + direct, dn * a


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rosenbrock_backward(x, wrong):
    g = np.zeros_like(x)
    r = x[1:] - x[:-1] ** 2
    left = -400.0 * x[:-1] * r
    if wrong != "no second term":
        left = left - 2.0 * (1.0 - x[:-1]) * (-1.0 if wrong == "sign of second" else 1.0)
    if wrong == "no inner two":
        left = left / 2.0 + (1.0 - x[:-1]) - 2.0 * (1.0 - x[:-1])
    g[:-1] += left
    if wrong == "overwritten":
        g[1:] = 200.0 * r
    elif wrong != "no right":
        g[1:] += 200.0 * r
    return {"reversed": g[::-1].copy(), "shifted": np.roll(g, 1), "sign": -g, "float32": g.astype(np.float32)}.get(
        wrong, g
    )


CASES = [
    Case("neuron", written(neuron, neuron_backward), (0.5, -0.5), {
        "no slope": says.LEFT_OUT, "slope at z": "taken at z, where a belongs", "tanh's slope": "slope of tanh",
        "slope at a": "taken at a, where z belongs", "only a": "a factor of it is missing",
        "only 1 - a": "a factor of it is missing", "sign": says.SIGN, "no half": says.TWICE, "swapped": says.SWAPPED, "no bias": "b: " + says.ZERO,
    }),
    Case("chain", written(chain, chain_backward), (0.7,), {
        "product of slopes": "", "second term": says.ONE_PATH, "first term": says.ONE_PATH, "inner slope": "slope|left out|other operand|uses|0.7",
        "no two": "the 2 of a square is missing", "no cos": r"back to x · x is result", "sine of x": "x is used in place of", "plus": "wrong sign",
    }),
    Case("cube", written(cube, cube_backward), (1.7,), {
        "one use": "1 of 3|uses|only the path|third|0.333|missing", "two uses": "path .* missing|only|0.667|counts",
        "value": "value of the function", "exponent": "factor x is missing",
    }),
    Case("quotient", written(quotient, quotient_backward), (1.3, 0.4), {
        "sign of y": "y: " + says.SIGN, "swapped": says.SWAPPED, "not squared": "a division by .* is missing", "denominator constant": says.ONE_PATH,
        "numerator constant": says.ONE_PATH,
    }),
    Case("shared", written(shared, shared_backward), (0.8, 1.1), {
        "overwritten": says.ONE_PATH, "tanh only": says.ONE_PATH, "direct path": says.ONE_PATH, "sign": says.SIGN,
    }),
    Case("rosenbrock", written(rosenbrock, rosenbrock_backward), (np.array([0.3, -0.4, 1.2, 0.7]),), {
        "no second term": says.ONE_PATH, "sign of second": "wrong sign", "no inner two": "counts 0.5 times|2 of a square", "overwritten": "0 |missing|=|only",
        "no right": says.ONE_PATH, "reversed": "flipped", "shifted": "shifted by 1", "sign": says.SIGN, "float32": "single precision",
    }),
]  # fmt: skip
