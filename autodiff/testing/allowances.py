"""What roundings may amount to in a derivative: how far off it may be though everything is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autodiff.backward import topological_order
from autodiff.propagation import propagate
from autodiff.testing.oracles import EPSILON
from autodiff.testing.partials import roundings
from autodiff.value import Value


def path_sums(root: Value) -> dict[Any, float]:
    """Return for each node the sum of |∏ partials| over all paths from the root to it."""
    return propagate(root, partials=lambda node: [abs(p) for p in node.partials])


def noise_of(delta: Mapping[Any, float]) -> float:
    """Return what the rounding of every recorded operation amounts to in the root, to first order."""
    return 4.0 * EPSILON * sum(abs(node.data * d) for node, d in delta.items() if node.op is not None)


def second_allowance(root: Value, inputs: Sequence[Value]) -> list[list[float]]:
    """Return how far off each second derivative may be through cancellation within the rules.

    r(1 - r) has an absolute error of a rounding of 1 however small it is, and its derivative has too: at every node
    that counts with δ, and with the paths from its operands to both inputs.
    """
    order = topological_order(root)[::-1]
    delta = propagate(root)
    reach: list[dict[Any, float]] = []
    for x in inputs:
        paths: dict[Any, float] = {x: 1.0}
        for node in order:
            if node.op is not None:
                through = zip(node.operands, node.partials, strict=True)
                paths[node] = sum(abs(p) * paths.get(y, 0.0) for y, p in through if isinstance(y, Value))
        reach.append(paths)
    allowed = [[0.0] * len(inputs) for _ in inputs]
    for node in order:
        if node.op is None or not delta.get(node):
            continue
        own = roundings(node)
        for i, first in enumerate(reach):
            steep = [
                (rho, first.get(y, 0.0)) for rho, y in zip(own, node.operands, strict=True) if isinstance(y, Value)
            ]
            rounded = abs(delta[node]) * sum(rho * paths for rho, paths in steep)
            for j, second in enumerate(reach):
                more = 4.0 * rounded * sum(second.get(y, 0.0) for y in node.operands if isinstance(y, Value))
                allowed[i][j] += more
                allowed[j][i] += more
    return allowed
