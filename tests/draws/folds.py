"""Random folds: steps of random expressions, with carries and sequences of every form, and loops within loops."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from autodiff import Value, cos, exp, fold, maximum, sigmoid, sin, softplus, tanh, where
from tests.draws.cases import Case, Spec

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


def expression(seed, numbers):
    """A few operations on some of these numbers."""
    draw = random.Random(seed)
    x = draw.choice(numbers)
    for _ in range(draw.randint(1, 4)):
        x = draw.choice(UNARY)(x) if draw.random() < 0.4 else draw.choice(BINARY)(x, draw.choice(numbers))
    return x


STARTS = ["a", "constant", "parameter", "computed"]


def drawn(source: Any) -> Spec:
    """A fold as plain numbers and words."""
    size = source.randint(1, 3)
    seed = lambda: source.randint(0, 2**31)
    return {
        "steps": source.randint(0, 6) if source.random() < 0.75 else source.randint(7, 40),
        "width": source.randint(0, 2),
        "form": source.choice(["list", "array", "tuple", "numbers"]),
        "checkpoint": source.random() < 0.5,
        "parameters": source.randint(0, 3),
        "carry": source.choice(SHAPES),
        "y": source.choice([None, *SHAPES]),
        "starts": [source.choice(STARTS) for _ in range(size)],
        "recipes": [seed() for _ in range(size)],
        "ys": [seed() for _ in range(2)],
        "inner": seed() if source.random() < 0.2 else 0,
        "after": seed() if source.random() < 0.2 else 0,
        "product": source.random() < 0.3,
        "affine": source.random() < 0.25,
        "net": source.random() < 0.2,
        "backward": source.random() < 0.2,
        "shared": source.random() < 0.15,
    }


def build(spec: Spec) -> Case | None:
    """A function of (a, xs), one number and `steps` × `width` of them, with a fold in it; None where nothing is left.

    `inner` begins a fold within the step, `after` a second fold over what the first one returns; where it is long, a
    step halves the carry, as filters and decays do, so that slopes do not grow with the number of steps.
    """
    steps, width, size = spec["steps"], spec["width"], len(spec["starts"])
    if not size or size != len(spec["recipes"]) or not spec["ys"] or width < 0 or spec["parameters"] < 0:
        return None
    rng = np.random.default_rng(spec["recipes"][0])
    w = [Value(float(x), f"w{k}") for k, x in enumerate(rng.uniform(-1.0, 1.0, spec["parameters"]))]
    net = [[Value(float(x), f"v{k}_{j}") for j, x in enumerate(row)] for k, row in enumerate(
        rng.uniform(-0.6, 0.6, (size, size + width + 1)))] if spec["net"] else []  # fmt: skip
    shrinks = 0.5 if steps > 6 else 1.0

    def sequence(xs):
        if not width:
            return None
        rows = [list(x) for x in xs][:: -1 if spec["backward"] else 1]
        if spec["form"] == "array":
            array = np.empty((len(rows), width), dtype=object)
            for index in np.ndindex(array.shape):
                array[index] = rows[index[0]][index[1]]
            return array
        if spec["form"] == "tuple":
            return tuple([row[k] for row in rows] for k in range(width))
        return [row[0] for row in rows] if spec["form"] == "numbers" else rows

    def f(a, xs):
        computed = sin(a) * 0.7
        begin = {"a": a, "constant": 0.3, "parameter": w[0] if w else 0.1, "computed": computed}
        outside = [computed, a, 0.5, *w]

        def step(carry, x):
            found = [*flat(carry), *(flat(x) if x is not None else ()), *outside]
            new = [expression(recipe, found) for recipe in spec["recipes"]]
            if spec["affine"]:  # as filters and averages are: what is handed on goes in as a sum of products
                c, others = flat(carry), [*(flat(x) if x is not None else ()), *outside]
                slope = 1.2 if spec["recipes"][0] % 3 == 0 and steps <= 12 else 0.9
                new = [
                    slope * tanh(expression(recipe, others)) * c[k] + tanh(expression(recipe + 1, others))
                    - (0.3 * c[(k + 1) % size] if size > 1 else 0.0)
                    for k, recipe in enumerate(spec["recipes"])
                ]  # fmt: skip
            elif net:  # Elman's, of all that is handed on and comes in
                joint = [*(flat(x) if x is not None else ()), *flat(carry)]
                joint = joint if spec["recipes"][0] % 2 else joint[::-1]
                new = [tanh(sum((a * b for a, b in zip(row, joint, strict=False)), row[-1])) for row in net]
            elif spec["product"] and len(w) > 1:  # a layer
                row = found[:3]
                new = [tanh(sum((w[(k + j) % len(w)] * r for j, r in enumerate(row)), new[k])) for k in range(size)]
            if spec["inner"] and not spec["affine"]:
                turn = lambda c, _: (c * 0.5 + expression(spec["inner"], [c, *found]) * 0.1, c)
                last, path = fold(turn, new[0], None, length=3)
                new[0] = tanh(last + path[1])
            ys = [expression(recipe, [*new, *found]) for recipe in spec["ys"]]
            new = nest(spec["carry"], new if spec["affine"] else [shrinks * tanh(v) for v in new])
            return new, None if spec["y"] is None else nest(spec["y"], ys)

        start = nest(spec["carry"], [begin[of] for of in spec["starts"]])
        xs = sequence(xs)
        length = None if xs is not None and len(flat(xs)) else steps
        carry, ys = fold(step, start, xs, length=length, checkpoint=spec["checkpoint"])
        if spec["after"]:
            again = lambda c, y: (
                0.5 * c + tanh(expression(spec["after"], [c, a, *(flat(y) if y is not None else ())])),
                c,
            )
            of_ys = ys if isinstance(ys, list) and ys and spec["y"] is not None else None
            last, path = fold(again, flat(carry)[0], of_ys, length=None if of_ys else 3)
            carry, ys = [last, *flat(carry)], path
        shares = (
            [0.1 * (k + 1) / max(1.0, 0.2 * steps) * y for k, y in enumerate(flat(ys)[:20])] if ys is not None else []
        )
        return sum(shares, sum(flat(carry), 0.0)) + tanh(a)

    kinds = [
        f"carry: {spec['carry']}", f"y: {spec['y']}", f"xs: {spec['form'] if width else None}",
        "no steps" if steps == 0 else "1 to 6 steps" if steps < 7 else "7 to 40 steps",
        *(word for word in ("checkpoint", "inner", "after", "product", "affine", "net", "backward", "shared") if spec[word]),
    ]  # fmt: skip
    return Case(
        f, [*w, *(p for row in net for p in row)], {"a": (), "xs": (steps, max(width, 1))}, shared=("xs",) if spec["shared"] else (), kinds=tuple(kinds),
        spread=1.0, spec=spec,
    )  # fmt: skip
