"""Random folds: a step drawn from a seed, and what goes into it, for laws about loops."""

import random

import numpy as np

from autodiff import Value, cos, exp, fold, maximum, sigmoid, sin, softplus, tanh, where

UNARY = [sin, cos, tanh, sigmoid, softplus, lambda a: exp(-a * a), lambda a: -a, lambda a: a * 0.5]
BINARY = [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / (1.5 + b * b),
    lambda a, b: maximum(a, b), lambda a, b: where(a > b, a, b * 0.3), lambda a, b: where(b < 0.2, sin(a), a * b),
]  # fmt: skip
SHAPES = ["number", "list", "tuple", "dict", "array"]


def nest(kind, numbers):
    """These numbers as a nest of a kind."""
    if kind == "number" and len(numbers) == 1:
        return numbers[0]
    if kind == "dict":
        return {"first": numbers[0], "rest": list(numbers[1:])}
    if kind == "array":
        array = np.empty(len(numbers), dtype=object)
        array[:] = numbers
        return array
    return tuple(numbers) if kind == "tuple" else list(numbers)


def flat(x):
    """The numbers of a nest, in order."""
    if isinstance(x, dict):
        return [e for entry in x.values() for e in flat(entry)]
    return [e for entry in x for e in flat(entry)] if isinstance(x, (list, tuple, np.ndarray)) else [x]


class RandomFold:
    """A function of (a, xs), one number and `steps` × `width` of them, with a fold in it and `parameters`."""

    def __init__(self, seed, depth=1):
        draw = self.draw = random.Random(seed)
        self.steps, self.width = draw.choice([1, 2, 3, 5, 8, 13]), draw.randint(0, 2)
        self.size, self.checkpoint = draw.randint(1, 3), draw.random() < 0.5
        self.parameters = [Value(draw.uniform(-1.0, 1.0), f"w{k}") for k in range(draw.randint(0, 3))]
        self.kind, self.y = draw.choice(SHAPES), draw.choice([None, *SHAPES])
        self.starts = [draw.choice(["a", "constant", "parameter", "computed"]) for _ in range(self.size)]
        self.recipes = [draw.getrandbits(64) for _ in range(self.size + 3)]
        self.inner = draw.random() < 0.25 and depth > 0
        self.product = draw.random() < 0.3 and len(self.parameters) > 1

    def expression(self, seed, numbers):
        draw = random.Random(seed)
        x = draw.choice(numbers)
        for _ in range(draw.randint(1, 4)):
            x = draw.choice(UNARY)(x) if draw.random() < 0.4 else draw.choice(BINARY)(x, draw.choice(numbers))
        return x

    def __call__(self, a, xs):
        w, computed = self.parameters, sin(a) * 0.7
        begin = {"a": a, "constant": 0.3, "parameter": w[0] if w else 0.1, "computed": computed}
        outside = [computed, a, 0.5, *w]

        def step(carry, x):
            numbers = [*flat(carry), *(flat(x) if x is not None else ()), *outside]
            new = [self.expression(recipe, numbers) for recipe in self.recipes[: self.size]]
            if self.product:  # a layer
                row = numbers[:3]
                new = [
                    tanh(sum((w[(k + j) % len(w)] * r for j, r in enumerate(row)), new[k])) for k in range(self.size)
                ]
            if self.inner:
                turn = lambda c, _: (c * 0.5 + self.expression(self.recipes[-1], [c, *numbers]) * 0.1, c)
                last, path = fold(turn, new[0], None, length=3)
                new[0] = tanh(last + path[1])
            ys = [self.expression(recipe, [*new, *numbers]) for recipe in self.recipes[self.size : self.size + 2]]
            return nest(self.kind, [tanh(x) for x in new]), None if self.y is None else nest(self.y, ys)

        series = list(xs) if self.width else None
        length = None if self.width else self.steps
        start = nest(self.kind, [begin[of] for of in self.starts])
        carry, ys = fold(step, start, series, length=length, checkpoint=self.checkpoint)
        shares = [0.1 * (k + 1) * y for k, y in enumerate(flat(ys))] if ys is not None else []
        return sum(shares, sum(flat(carry), 0.0)) + tanh(a)

    def arguments(self, rows):
        rng = np.random.default_rng(self.draw.getrandbits(32))
        return rng.normal(size=rows), rng.normal(size=(rows, self.steps, max(self.width, 1)))

    def eagerly(self, a, xs):
        """Value, gradient by the parameters, by a, by xs, of one row."""
        for w in self.parameters:
            w.grad = 0.0
        x = Value(float(a))
        table = np.empty(xs.shape, dtype=object)
        for index in np.ndindex(xs.shape):
            table[index] = Value(float(xs[index]))
        value = self(x, table)
        value.backward()
        grads = np.array([t.grad if t.swept else 0.0 for t in table.flat]).reshape(xs.shape)
        return value.data, {w.label: w.grad for w in self.parameters}, x.grad, grads
