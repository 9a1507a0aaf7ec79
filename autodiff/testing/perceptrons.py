"""Small multilayer perceptrons as expressions: the loss over a few samples, as a function of all parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from autodiff.testing.sources import Expression

ACTIVATIONS = ("tanh", "sigmoid", "softplus", "relu")


@dataclass(frozen=True, repr=False)
class Network(Expression):
    """A loss as a function of one list, all parameters of a network: layer by layer, unit by unit, bias last.

    `sizes` are the widths of the layers, inputs first; hidden layers have the `activation`, the last one is linear.
    `X` and `Y` are the samples.
    """

    sizes: tuple[int, ...] = ()
    activation: str = "tanh"
    X: tuple[tuple[float, ...], ...] = ()
    Y: tuple[tuple[float, ...], ...] = ()


def network(sizes: Sequence[int], activation: str, parameters: Sequence[float], data: Sequence[float]) -> Network:
    """Return the network with these parameters; `data` holds the inputs of a sample, its targets, the next sample.

    >>> print(network([2, 1], "tanh", [0.5, -1.0, 0.25], [1.0, 2.0, 0.0]).source)
    def f(p):
        loss = 0.0
        for h, y in [((1.0, 2.0), (0.0,))]:
            h = [weighted_sum(p[0:2], h, p[2])]
            loss = loss + total([(a - b) ** 2 for a, b in zip(h, y)])
        return loss / 2.0
    """
    n, m = sizes[0], sizes[-1]
    samples = [tuple(data[i : i + n + m]) for i in range(0, len(data), n + m)]
    X, Y = tuple(s[:n] for s in samples), tuple(s[n:] for s in samples)
    body = "\n".join(f"        h = [{', '.join(units)}]" for units in _layers(sizes, activation))
    source = (
        f"def f(p):\n    loss = 0.0\n    for h, y in {list(zip(X, Y, strict=True))!r}:\n{body}\n"
        "        loss = loss + total([(a - b) ** 2 for a, b in zip(h, y)])\n"
        f"    return loss / {2.0 * len(samples)!r}"
    )
    return Network(source, (list(parameters),), sizes=tuple(sizes), activation=activation, X=X, Y=Y)


def _layers(sizes: Sequence[int], activation: str) -> Iterator[list[str]]:
    """Return the source of every unit, layer by layer."""
    pairs = list(pairwise(sizes))
    size, start = sum((n + 1) * m for n, m in pairs), 0
    for n, m in pairs:
        hidden = start + (n + 1) * m < size
        units: list[str] = []
        for unit in range(start, start + (n + 1) * m, n + 1):
            z = f"weighted_sum(p[{unit}:{unit + n}], h, p[{unit + n}])"
            units.append(f"{activation}({z})" if hidden else z)
        start += (n + 1) * m
        yield units
