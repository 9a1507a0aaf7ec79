"""Random long formulas without structure: each node an operation on any two before it, or on the last few."""

from __future__ import annotations

import random
from typing import Any

from autodiff import Value, exp, maximum, relu, sin, tanh, where
from tests.draws.cases import Case, Spec

KINDS = {
    "sin": lambda a, b: sin(a * b), "tanh": lambda a, b: tanh(a + b), "squares": lambda a, b: tanh(a * b + a * a),
    "relu": lambda a, b: relu(a - b), "exp": lambda a, b: exp(-a * a), "quotient": lambda a, b: a / (1.5 + b * b),
    "maximum": maximum, "where": lambda a, b: where(a > b, a * 0.3, b), "power": lambda a, b: 0.1 * a**3 - 0.2 * b**2,
}  # fmt: skip


def drawn(source: Any) -> Spec:
    """A long formula as plain numbers and words."""
    return {
        "nodes": source.randint(150, 800), "inputs": source.randint(1, 3), "parameters": source.randint(0, 4),
        "kinds": source.sample(list(KINDS), source.randint(2, len(KINDS))), "shared": source.random() < 0.3,
        "seed": source.randint(0, 2**16),
    }  # fmt: skip


def build(spec: Spec) -> Case | None:
    """A function of (x, y), some numbers and one more, of so many nodes; None where nothing is left."""
    if not spec["kinds"] or spec["inputs"] < 1 or spec["parameters"] < 0 or spec["nodes"] < 1:
        return None
    draw = random.Random(spec["seed"])
    w = [Value(draw.uniform(-1.0, 1.0), f"w{k}") for k in range(spec["parameters"])]
    plan = [(draw.choice(spec["kinds"]), draw.random(), draw.random()) for _ in range(spec["nodes"])]

    def f(x, y):
        every = [*x, y, *w]
        total = sum((p * y for p in w), y + x[0])
        for kind, a, b in plan:
            every.append(KINDS[kind](every[-1 - int(a * min(6, len(every)))], every[int(b * len(every))]))
        return sum(every[::-40], total * 0.1)  # slopes of the first nodes would vanish on the way through all others

    return Case(
        f, w, {"x": (spec["inputs"],), "y": ()}, shared=("y",) if spec["shared"] else (), spec=spec,
        kinds=(*spec["kinds"], "500 nodes and more" if spec["nodes"] >= 500 else "150 to 499 nodes",
               *(["shared"] if spec["shared"] else [])),
    )  # fmt: skip
