"""Gradients as students and libraries write them, right and wrong: what `gradcheck` is held to.

`CASES` holds functions with a right backward pass each and the mistakes that can be planted in it. The words that
a diagnosis must find for a mistake stand beside it, as a pattern; "" where none is asked for.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Case:
    """A function, points, and `make(wrong)`: function and gradient with the mistake of that name, "" for none."""

    name: str
    make: Callable
    points: tuple
    mistakes: Mapping[str, str]
    records: bool = True  # whether it computes with Values
    needs: str = ""  # a library that is not installed everywhere


def written(f, backward):
    """`make` for a pair of functions, the second of which takes the name of a mistake last."""
    return lambda wrong="": (f, lambda *points: backward(*points, wrong))


def opaque(f):
    """The same function as one of floats alone: no Values, no complex numbers pass through it."""
    return functools.wraps(f)(
        lambda *points: float(f(*(np.array(x, dtype=float) if np.ndim(x) else float(x) for x in points)))
    )


def draw(seed, *shapes):
    """Arrays of normal numbers, the same ones every time."""
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=shape) for shape in shapes)


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def all_cases():
    """Every case of the corpus."""
    from gradient_corpus import layers, losses, numerics, others, scalars, sequences

    return [case for module in (scalars, losses, layers, sequences, numerics, others) for case in module.CASES]
