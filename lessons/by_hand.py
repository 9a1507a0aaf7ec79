"""The networks of the 1986 paper by hand, in NumPy alone: the reference that `models.networks_1986` is compared with.

`python -m lessons.by_hand` trains two hundred networks at each setting, one after another, and writes how they fared to
lessons/by_hand.json, in a minute or two. Nothing is shared with `models`: other code, other weights to start from. The
tests read the file, and train a few networks anew to see that it is right.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FILE = Path(__file__).with_suffix(".json")
RUNS = 200


class Setting(NamedTuple):
    """A network, what it learns and how: `margin` is how close to its target every output must come."""

    units: tuple[int, ...]
    patterns: Array
    targets: Array
    rate: float
    scale: float
    margin: float
    sweeps: int
    zero_biases: bool = False


class Run(NamedTuple):
    """The end of one network's training: the sweeps it took, or None; E and the weights it ended with."""

    sweeps: int | None
    E: float
    weights: list[Array]


def bits(n: int) -> Array:
    """Return every pattern of n bits, one to a row."""
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(float)


MIRRORED = (bits(6) == bits(6)[:, ::-1]).all(axis=1, keepdims=True).astype(float)
DIFFERENT = (bits(2)[:, :1] != bits(2)[:, 1:]).astype(float)
SYMMETRY = Setting((6, 2, 1), bits(6), MIRRORED, rate=0.1, scale=0.3, margin=0.5, sweeps=30_000)
SETTINGS = {
    "symmetry, ε 0.1": SYMMETRY,
    "symmetry, ε 0.1, biases start at 0": SYMMETRY._replace(zero_biases=True),
    "symmetry, ε 0.03": SYMMETRY._replace(rate=0.03),
    "XOR, 2-4-1": Setting((2, 4, 1), bits(2), DIFFERENT, rate=0.5, scale=1.0, margin=0.1, sweeps=10_000),
    "XOR, 2-2-1": Setting((2, 2, 1), bits(2), DIFFERENT, rate=0.5, scale=1.0, margin=0.1, sweeps=10_000),
}


def trained(setting: Setting, seed: int, until: Callable[[Array], bool] | None = None) -> Run:
    """Train one network by the paper's equations (1) to (9), α 0.9, until its patterns are learnt, or `until` holds."""
    random, layers = np.random.default_rng(seed), []
    for inputs, units in pairwise(setting.units):
        w, b = (random.uniform(-setting.scale, setting.scale, shape) for shape in ((units, inputs), units))
        layers.append((w, b * (not setting.zero_biases), np.zeros_like(w), np.zeros_like(b)))
    learnt = until or (lambda outputs: bool((abs(outputs - setting.targets) < setting.margin).all()))
    sweep = 0
    while True:
        signals = [setting.patterns]
        for w, b, _, _ in layers:
            signals.append(1.0 / (1.0 + np.exp(-(signals[-1] @ w.T + b))))
        missing = signals[-1] - setting.targets
        done = learnt(signals[-1])
        if done or sweep == setting.sweeps:
            return Run(sweep if done else None, float(0.5 * (missing**2).sum()), [w for w, *_ in layers])
        delta = missing * signals[-1] * (1.0 - signals[-1])
        for (w, b, change_of_w, change_of_b), below in zip(layers[::-1], signals[-2::-1], strict=True):
            change_of_w[:] = 0.9 * change_of_w - setting.rate * (delta.T @ below)
            change_of_b[:] = 0.9 * change_of_b - setting.rate * delta.sum(axis=0)
            delta = delta @ w * below * (1.0 - below)
            w[:] += change_of_w
            b[:] += change_of_b
        sweep += 1


def summary(runs: Iterable[Run]) -> dict[str, Any]:
    """Summarise runs at one setting; how sure the median is comes from drawing as many of them, a thousand times."""
    runs = list(runs)
    sweeps = sorted(run.sweeps for run in runs if run.sweeps is not None)
    medians = np.median(np.random.default_rng(1986).choice(sweeps, (1000, len(sweeps))), axis=1)
    return {
        "runs": len(runs), "solved": len(sweeps),
        "median": float(np.median(sweeps)), "error of the median": float(medians.std().round(1)),
        "quickest": sweeps[0], "slowest": sweeps[-1],
        "E of the others": sorted({round(run.E, 2) for run in runs if run.sweeps is None}),
    }  # fmt: skip


def magnitudes() -> dict[str, Any]:
    """Measure the hidden weights at ε 0.03 once E < 0.1: as multiples of the smallest, and how well mirrored."""
    setting = SETTINGS["symmetry, ε 0.03"]

    def close(outputs: Array) -> bool:
        return bool(0.5 * ((outputs - setting.targets) ** 2).sum() < 0.1)

    hidden = np.array([run.weights[0] for run in (trained(setting, seed, close) for seed in range(RUNS)) if run.sweeps])
    sizes = np.sort(abs(hidden[:, :, :3]), axis=2)
    largest = abs(hidden).max(axis=2, keepdims=True)
    return {
        "magnitudes": np.median(sizes / sizes[:, :, :1], axis=(0, 1)).round(3).tolist(),
        "mirror error": float((abs(hidden + hidden[:, :, ::-1]) / largest).max().round(6)),
    }


if __name__ == "__main__":
    found: dict[str, Any] = {
        name: summary(trained(setting, seed) for seed in range(RUNS)) for name, setting in SETTINGS.items()
    }
    found["symmetry, ε 0.03, E < 0.1"] = magnitudes()
    FILE.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
