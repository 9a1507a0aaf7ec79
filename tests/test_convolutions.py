"""Convolutions as people write them, loops over Values: what is computed, in how many calls, and how it reads."""

import itertools
import re

import numpy as np
import pytest
from stages import kept, want

from autodiff import Value, compile, logsumexp, maximum, mean, relu, tanh, total

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def weights(*shape, seed=0):
    """Nested lists of Values."""

    def nest(a):
        return [nest(x) for x in a] if a.ndim else Value(float(a))

    return nest(np.random.default_rng(seed).normal(0.0, 0.4, size=shape))


def windows(images, kernels, *, border="", stride=1, biases=None):
    """The sums of 3 × 3 windows over all channels; beyond the border are zeros, or nothing is added, or no windows."""
    if border == "zeros":
        wide = [0.0] * (len(images[0]) + 2)
        images = [[wide, *([0.0, *row, 0.0] for row in image), wide] for image in images]
    n, taps = len(images[0]), range(3)
    first = -1 if border == "left out" else 0
    places = range(first, n - 2 - first, stride)
    return [
        [[sum(kernel[c][i][j] * image[y + i][x + j] for c, image in enumerate(images) for i in taps for j in taps
              if 0 <= y + i < n and 0 <= x + j < n) + (biases[k] if biases else 0.0)
          for x in places] for y in places]
        for k, kernel in enumerate(kernels)
    ]  # fmt: skip


def pooled(images):
    """Means of 2 × 2 squares."""
    return [
        [[(a[x] + a[x + 1] + b[x] + b[x + 1]) / 4 for x in range(0, len(a), 2)]
         for a, b in zip(image[::2], image[1::2], strict=True)]
        for image in images
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


def beside_values(f, X):
    """The program of f, its value and gradient, which are those of Values, and f of each row."""
    program = compile(f, threads=1)
    value, gradient = program.value_and_grad(X)
    for p in program.parameters:
        p.zero_grad()
    outputs = [f(x) for x in X.tolist()]
    mean(outputs).backward()
    np.testing.assert_allclose(value, np.mean([y.data for y in outputs]), **CLOSE)
    np.testing.assert_allclose(gradient, [p.grad for p in program.parameters], **CLOSE)
    return program, value, gradient, [y.data for y in outputs]


@pytest.mark.parametrize("last", LINEAR)
def test_a_layer_without_an_activation_is_one_product(last):
    """Sums of its outputs, in any loops, are not one long sum: few NumPy calls, and no arrays of indices in the text."""
    first, second = weights(2, 1, 3, 3, seed=1), weights(2, 2, 3, 3, seed=2)
    f = lambda x: LINEAR[last]([[list(map(relu, row)) for row in image] for image in windows([x], first)], second)
    X = np.random.default_rng(3).normal(size=(4, 8, 8))
    program, *_ = beside_values(f, X)
    assert kept(program).version(want(kept(program), gradient=True)).backend.calls <= 40
    assert not re.search(r"(\d+, ){9}", program.source)


def network(size, channels=(1, 2, 2), *, pool=False, classes=False, dense=False, bias=False, tied=False, **how):
    """A function of an image: two convolutions, each with a relu; perhaps a dense layer and cross-entropy."""
    kernels = [weights(n, m, 3, 3, seed=k) for k, (m, n) in enumerate(itertools.pairwise(channels))]
    biases = [weights(n, seed=3 + k) if bias else None for k, n in enumerate(channels[1:])]
    biases = biases[:1] * len(biases) if tied else biases
    units = {}

    def f(x):
        maps = x if channels[0] > 1 else [x]
        for k, (kernel, b) in enumerate(zip(kernels, biases, strict=True)):
            maps = [[list(map(relu, row)) for row in image] for image in windows(maps, kernel, biases=b, **how)]
            maps = pooled(maps) if pool and k == 0 else maps
        numbers = flat(maps)
        if not (dense or classes):
            return sum(numbers)
        if not units:
            units["w"], units["b"] = weights(3, len(numbers), seed=7), weights(3, seed=8)
        z = [sum(w * v for w, v in zip(row, numbers, strict=True)) + b for row, b in zip(*units.values(), strict=True)]
        return cross_entropy(z) if classes else sum(v * v for v in z)

    f([[[0.5] * size] * size] * channels[0] if channels[0] > 1 else [[0.5] * size] * size)  # makes all its weights
    return f, (size, size) if channels[0] == 1 else (channels[0], size, size)


KINDS = {
    "plain": network(8),
    "of the benchmark": network(28),
    "one channel": network(8, (1, 1, 1)),
    "three channels": network(7, (3, 4, 2)),
    "bias": network(8, bias=True),
    "one bias for both": network(8, bias=True, tied=True),
    "zeros at the border": network(6, border="zeros"),
    "zeros at the border, bias": network(6, border="zeros", bias=True),
    "left out at the border": network(6, border="left out"),
    "left out at the border, bias": network(6, border="left out", bias=True),
    "zeros, as wide as the kernel": network(3, border="zeros", bias=True),
    "left out, as wide as the kernel": network(3, border="left out", bias=True),
    "stride 2": network(15, stride=2),
    "stride 2, bias": network(15, stride=2, bias=True),
    "pooled": network(10, pool=True, bias=True),
    "dense": network(8, dense=True, bias=True),
    "classes": network(8, classes=True, bias=True),
}


def test_maximum_pooling_reads_as_slices_and_a_stack():
    """The δ of squares that fill an image are put together as the squares were taken, without tables of places."""
    kernel = weights(2, 1, 3, 3, seed=3)

    def f(x):
        maps = [[list(map(relu, row)) for row in image] for image in windows([x], kernel, biases=None)]
        return sum(
            maximum(maximum(a[k], a[k + 1]), maximum(b[k], b[k + 1])) ** 2
            for image in maps for a, b in zip(image[::2], image[1::2], strict=True) for k in range(0, len(a), 2)
        )  # fmt: skip

    X = np.random.default_rng(3).normal(0.0, 0.7, size=(3, 10, 10))
    program, value, gradient, outputs = beside_values(f, X)
    module, parameters = {}, np.array([p.data for p in program.parameters])
    exec(program.source, module)
    np.testing.assert_allclose(module["forward"](parameters, X), outputs, **CLOSE)
    written = module["value_and_grad"](parameters, X)
    np.testing.assert_allclose(written[0], value, **CLOSE)
    np.testing.assert_allclose(written[1], gradient, **CLOSE)
    assert not re.search(r"\bat\(|spread", program.source)
    assert len(program.source.splitlines()) <= 50


@pytest.mark.parametrize("kind", KINDS)
def test_a_convolution_reads_in_forty_lines(kind):
    """The whole text, forward and backward, of any kind, on lines of 120 at most; what comes after takes a few more."""
    f, shape = KINDS[kind]
    X = np.random.default_rng(3).normal(0.0, 0.7, size=(3, *shape))
    program, value, gradient, outputs = beside_values(f, X)
    module = {}
    exec(program.source, module)
    parameters = np.array([p.data for p in program.parameters])
    np.testing.assert_allclose(module["forward"](parameters, X), outputs, **CLOSE)
    written = module["value_and_grad"](parameters, X)
    np.testing.assert_allclose(written[0], value, **CLOSE)
    np.testing.assert_allclose(written[1], gradient, **CLOSE)
    assert len(program.source.splitlines()) <= {"pooled": 43, "dense": 44, "classes": 48}.get(kind, 40)
    assert not re.search(r"(\d+, ){9}", program.source)
    assert max(map(len, program.source.splitlines())) <= 120


@pytest.mark.parametrize("kind", ["three channels", "zeros at the border, bias", "stride 2", "classes"])
def test_the_text_of_a_convolution_under_jax(kind):
    """The text as it is, compiled by XLA, computes what NumPy computes."""
    jax = pytest.importorskip("jax")
    f, shape = KINDS[kind]
    X = np.random.default_rng(3).normal(0.0, 0.7, size=(3, *shape))
    program = compile(f, threads=1)
    value, gradient = program.value_and_grad(X)
    module, before = {}, jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        exec(program.source.replace("xp = np ", "import jax.numpy as xp "), module)
        written = jax.jit(module["value_and_grad"])(np.array([p.data for p in program.parameters]), X)
    finally:
        jax.config.update("jax_enable_x64", before)
    np.testing.assert_allclose(float(written[0]), value, **CLOSE)
    np.testing.assert_allclose(np.asarray(written[1]), gradient, **CLOSE)


def test_an_infinite_weight_meets_the_zeros_at_the_border():
    """∞ · 0 is NaN, also where the 0 is one that stands for what lies beyond a picture."""
    f, shape = network(6, border="zeros")
    program = compile(f)
    X = np.random.default_rng(3).normal(size=(2, *shape))
    program(X)
    program.parameters[0].data = np.inf
    assert [np.isnan(y) for y in program(X)] == [np.isnan(f(x).data) for x in X.tolist()]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("columns", [(0, 1), (0, 1, 2), (1, 0, 2), (0, 1, 2, 3), (1, 0, 2, 3)])
def test_zeros_around_a_small_or_shuffled_picture(columns, tied):
    """Sums that are no windows of one grid have the weights back that meet a zero, and these are computed."""
    kernel = weights(3, 3)
    if tied:  # symmetric, so that one weight meets several zeros
        kernel = [row[1:] + row[1:2] for row in (*kernel[1:], kernel[1])]
    height, width = 4, len(columns)

    def f(x):
        beyond = [0.0] * (width + 2)
        wide = [beyond, *([0.0, *(row[k] for k in columns), 0.0] for row in x), beyond]
        return sum(tanh(sum(kernel[a][b] * wide[i + a][j + b] for a in range(3) for b in range(3)))
                   for i in range(height) for j in range(width))  # fmt: skip

    program = compile(f, threads=1)
    X = np.random.default_rng(3).normal(size=(2, height, width))
    value, gradient = program.value_and_grad(X)
    outputs = [f(x) for x in X.tolist()]
    mean(outputs).backward()
    np.testing.assert_allclose(value, np.mean([y.data for y in outputs]), **CLOSE)
    np.testing.assert_allclose(gradient, [p.grad for p in program.parameters], **CLOSE)


def test_zeros_at_the_border_cost_no_products():
    """As many calls of NumPy as where the sums leave out what lies beyond the border."""
    calls = []
    for border in ("zeros", "left out"):
        f, shape = network(6, border=border, bias=True)
        program = compile(f, threads=1)
        program.value_and_grad(np.zeros((2, *shape)))
        calls.append(kept(program).version(want(kept(program), gradient=True)).backend.calls)
    assert calls[0] == calls[1] < 40
