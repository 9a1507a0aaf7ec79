"""What `gradcheck` claims, against dual numbers of 60 digits that are written here and share nothing with it."""

import math
import random
from types import SimpleNamespace

import numpy as np
import pytest

from autodiff import NoDerivativeError
from autodiff.testing import gradcheck

mpmath = pytest.importorskip("mpmath", reason="mpmath is installed in continuous integration")
MP = mpmath.MPContext()
MP.dps = 60


class Dual:
    """A number and its slope, of 60 digits each: rules from any textbook, on numbers that do not round."""

    def __init__(self, value, slope=0):
        self.value, self.slope = MP.mpf(value), MP.mpf(slope)

    def __add__(self, other):
        other = dual(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __mul__(self, other):
        other = dual(other)
        return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)

    def __truediv__(self, other):
        other = dual(other)
        quotient = self.value / other.value
        return Dual(quotient, (self.slope - quotient * other.slope) / other.value)

    def __pow__(self, n):
        return Dual(self.value**n, n * self.value ** (n - 1) * self.slope)

    def __neg__(self):
        return Dual(-self.value, -self.slope)

    def __sub__(self, other):
        return self + -dual(other)

    def __rsub__(self, other):
        return dual(other) - self

    def __rtruediv__(self, other):
        return dual(other) / self

    __radd__, __rmul__ = __add__, __mul__


def dual(x):
    return x if isinstance(x, Dual) else Dual(x)


def lifted(value, slope):
    """A function of one number on dual numbers."""
    return lambda x: Dual(value(x.value), slope(x.value) * x.slope)


EXACT = SimpleNamespace(
    exp=lifted(MP.exp, MP.exp),
    log=lifted(MP.log, lambda x: 1 / x),
    sin=lifted(MP.sin, MP.cos),
    cos=lifted(MP.cos, lambda x: -MP.sin(x)),
    tanh=lifted(MP.tanh, lambda x: 1 - MP.tanh(x) ** 2),
    sqrt=lifted(MP.sqrt, lambda x: 1 / (2 * MP.sqrt(x))),
)


def neuron(m, w, x, b):
    return (1 / (1 + m.exp(-(w * x + b))) - 0.25) ** 2 / 2


def cross_entropy(m, a, b, c):
    return m.log(m.exp(a) + m.exp(b) + m.exp(c)) - b


def pendulum(m, angle, speed, pull):
    for _ in range(25):
        angle, speed = angle + 0.05 * speed, speed - 0.05 * pull * m.sin(angle)
    return speed**2 / 2 + pull * (1 - m.cos(angle))


def distance(m, x, y, z):
    return m.sqrt((x - 1) ** 2 + (y + 2) ** 2 + (z - 0.5) ** 2)


def well(m, r, depth, width):
    return depth * ((width / (2 + r**2)) ** 6 - (width / (2 + r**2)) ** 3)


def cancelling(m, x, y, z):
    return (m.exp(x) - m.exp(x - 1e-4 * y)) * 1e4 + z


def recurrence(m, w, u, x):
    h = 0 * w
    for k in range(12):
        h = m.tanh(w * h + u * (0.1 * k) + x)
    return h**3


def far(m, x, y, z):
    return 1e-9 * m.sin(x) + 1e-9 * y * z


FUNCTIONS = (neuron, cross_entropy, pendulum, distance, well, cancelling, recurrence, far)
STYLES = {
    "as written": lambda f: lambda *at: f(np, *at),
    "complex numbers, no Values": lambda f: lambda *at: f(np, *(x + np.zeros(()) for x in map(_no_value, at))),
    "floats alone": lambda f: lambda *at: f(math, *map(float, at)),
}


def _no_value(x):
    if not isinstance(x, (float, complex, np.number)):
        raise TypeError("numbers of NumPy alone")
    return x


def truth(f, at, i):
    return float(f(EXACT, *(Dual(x, k == i) for k, x in enumerate(at))).slope)


def points(f, count):
    draw = random.Random(f.__name__)
    return [tuple(draw.uniform(-1.5, 1.5) for _ in range(3)) for _ in range(count)]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_the_claimed_bound_holds_and_the_margin_ends_where_it_says(f, style):
    """The true gradient is within the claim; off by more than the claim and half of the digits nothing passes.

    Off by a quarter of half the digits it is still right.
    """
    given, decided = STYLES[style](f), 0
    for at in points(f, 6):
        true = [truth(f, at, i) for i in range(3)]
        try:
            report = gradcheck(given, *at, gradient=lambda *_, true=true: tuple(true))
        except NoDerivativeError:  # where too few digits are left
            continue
        decided += 1
        assert report.error <= report.bound + 4e-16
        i = max(range(3), key=lambda k: abs(true[k]))
        half = 2.0**-26 * abs(true[i])
        assert report.bound * max(1.0, abs(true[i])) <= 1e-2
        for sign in (-1.0, 1.0):
            close = [x + sign * 0.25 * half * (k == i) for k, x in enumerate(true)]
            gradcheck(given, *at, gradient=lambda *_, close=close: tuple(close))
            off = 1.5 * (half + report.bound * max(1.0, abs(true[i])) + 1e-12 * max(map(abs, true)))
            wrong = [x + sign * off * (k == i) for k, x in enumerate(true)]
            with pytest.raises((AssertionError, NoDerivativeError)):
                gradcheck(given, *at, gradient=lambda *_, wrong=wrong: tuple(wrong))
    assert decided >= 4
