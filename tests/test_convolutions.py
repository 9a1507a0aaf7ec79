"""Convolutions as people write them, loops over Values: what is computed, in how many calls, and how it reads."""

import re

import numpy as np
import pytest
from stages import kept, want

from autodiff import Value, compile, logsumexp, mean, relu, tanh, total

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def weights(*shape, seed=0):
    """Nested lists of Values."""

    def nest(a):
        return [nest(x) for x in a] if a.ndim else Value(float(a))

    return nest(np.random.default_rng(seed).normal(0.0, 0.4, size=shape))


def windows(images, kernels):
    """The sums of 3 × 3 windows over all channels."""
    places = range(len(images[0]) - 2)
    return [
        [[sum(kernel[c][i][j] * image[y + i][x + j]
              for c, image in enumerate(images) for i in range(3) for j in range(3)) for x in places] for y in places]
        for kernel in kernels
    ]  # fmt: skip


def flat(images):
    return [v for image in images for row in image for v in row]


def added(images, kernels, *, by_tap):
    """The sum of all windows in one loop, which adds each product to one number."""
    acc, places, taps = 0.0, range(len(images[0]) - 2), range(3)
    for kernel in kernels:
        for c, image in enumerate(images):
            for a in taps if by_tap else places:
                for b in taps if by_tap else places:
                    for p in places if by_tap else taps:
                        for q in places if by_tap else taps:
                            i, j, y, x = (a, b, p, q) if by_tap else (p, q, a, b)
                            acc = acc + kernel[c][i][j] * image[y + i][x + j]
    return acc


def cross_entropy(numbers):
    return logsumexp(numbers) - numbers[1]


head = weights(3, 32, seed=5)
LINEAR = {  # what is done with the outputs of a convolution without an activation
    "sum": lambda h, k: sum(flat(windows(h, k))),
    "sum of sums": lambda h, k: sum(sum(sum(row) for row in image) for image in windows(h, k)),
    "total": lambda h, k: total([total([total(row) for row in image]) for image in windows(h, k)]),
    "mean": lambda h, k: mean(flat(windows(h, k))),
    "divided": lambda h, k: sum(flat(windows(h, k))) / 32,
    "each channel": lambda h, k: sum(sum(flat([image])) ** 2 for image in windows(h, k)),
    "each row": lambda h, k: sum(tanh(sum(row)) for image in windows(h, k) for row in image),
    "squares": lambda h, k: sum(v * v for v in flat(windows(h, k))),
    "by position": lambda h, k: added(h, k, by_tap=False),
    "by tap": lambda h, k: added(h, k, by_tap=True),
    "dense": lambda h, k: sum(w * v for w, v in zip(head[0], flat(windows(h, k)), strict=True)),
    "classes": lambda h, k: cross_entropy(
        [sum(w * v for w, v in zip(row, flat(windows(h, k)), strict=True)) for row in head]
    ),
}


@pytest.mark.parametrize("last", LINEAR)
def test_a_layer_without_an_activation_is_one_product(last):
    """Sums of its outputs, in any loops, are not one long sum: few NumPy calls, and no arrays of indices in the text."""
    first, second = weights(2, 1, 3, 3, seed=1), weights(2, 2, 3, 3, seed=2)
    f = lambda x: LINEAR[last]([[list(map(relu, row)) for row in image] for image in windows([x], first)], second)
    X = np.random.default_rng(3).normal(size=(4, 8, 8))
    program = compile(f, threads=1)
    value, gradient = program.value_and_grad(X)
    for p in program.parameters:
        p.zero_grad()
    outputs = [f(x) for x in X.tolist()]
    mean(outputs).backward()
    np.testing.assert_allclose(value, np.mean([y.data for y in outputs]), **CLOSE)
    np.testing.assert_allclose(gradient, [p.grad for p in program.parameters], **CLOSE)
    assert kept(program).version(want(kept(program), gradient=True)).backend.calls <= 40
    assert not re.search(r"(\d+, ){9}", program.source)
