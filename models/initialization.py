"""How the weights of a layer start: by name, as the papers give it.

Every rule balances the size of what flows through a layer of `n_inputs` and `n_outputs` neurons:

- Xavier (Glorot & Bengio 2010): Var(w) = 2 / (n_inputs + n_outputs), equation 12; its uniform form is equation 16.
- He (He et al. 2015): Var(w) = 2 / n_inputs, equation 10, for ReLU, which silences half of its inputs.
- LeCun (LeCun et al. 1998, "Efficient BackProp"): Var(w) = 1 / n_inputs, equation 16.
- uniform: U(-1, 1) whatever the sizes, times `scale`. zeros: all weights equal, so neurons of a layer stay equal.

A short name is the distribution of its paper: "xavier" (also "glorot") is uniform, "he" and "lecun" are normal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from models import _checks as check
from models._checks import Array, Seed, random_generator

__all__ = ["INITIALIZATIONS", "initial_weights", "random_generator"]

Rule = Callable[[np.random.Generator, int, int], Array]


def _uniform(random: np.random.Generator, n: int, m: int, bound: float) -> Array:
    return random.uniform(-bound, bound, (m, n))


def _normal(random: np.random.Generator, n: int, m: int, deviation: float) -> Array:
    return random.normal(0.0, deviation, (m, n))


# Each rule takes the generator, n inputs and m outputs. A uniform bound is √3 times the deviation it stands for.
_RULES: dict[str, Rule] = {
    "xavier_uniform": lambda random, n, m: _uniform(random, n, m, math.sqrt(6.0 / (n + m))),
    "xavier_normal": lambda random, n, m: _normal(random, n, m, math.sqrt(2.0 / (n + m))),
    "he_uniform": lambda random, n, m: _uniform(random, n, m, math.sqrt(6.0 / n)),
    "he_normal": lambda random, n, m: _normal(random, n, m, math.sqrt(2.0 / n)),
    "lecun_uniform": lambda random, n, m: _uniform(random, n, m, math.sqrt(3.0 / n)),
    "lecun_normal": lambda random, n, m: _normal(random, n, m, math.sqrt(1.0 / n)),
    "uniform": lambda random, n, m: _uniform(random, n, m, 1.0),
    "zeros": lambda random, n, m: np.zeros((m, n)),  # noqa: ARG005 # called as the others are
}
_OTHER_NAMES = {
    **dict.fromkeys(("xavier", "glorot", "glorot_uniform"), "xavier_uniform"), "glorot_normal": "xavier_normal",
    "he": "he_normal", "lecun": "lecun_normal",
}  # fmt: skip

INITIALIZATIONS: Mapping[str, Rule] = MappingProxyType(_RULES | {name: _RULES[n] for name, n in _OTHER_NAMES.items()})


def initial_weights(
    name: str, n_inputs: int, n_outputs: int, *, scale: float = 1.0, random_state: Seed = None
) -> Array:
    """Draw the weights of a layer: shape (n_outputs, n_inputs).

    `name` is a key of INITIALIZATIONS; `scale` multiplies every weight, so that "uniform" gives U(-scale, scale).
    `random_state` is a seed, a `numpy.random.Generator`, or None for new weights each time.

    Raises ValueError for an unknown name and a scale that is not above 0; otherwise as `random_generator`.

    >>> initial_weights("xavier", 3, 2, random_state=0).shape
    (2, 3)
    >>> abs(initial_weights("uniform", 50, 50, scale=0.3, random_state=0)).max() < 0.3
    np.True_
    """
    check.known("initialization", name, INITIALIZATIONS)
    check.positive("scale", scale)
    return scale * INITIALIZATIONS[name](check.random_generator(random_state), n_inputs, n_outputs)
