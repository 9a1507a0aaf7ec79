"""Lookups in large tables: Σ wₖ · (x = k) is one column of a matrix, and no product with ones and zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.compiler.trace.graph import Graph
from autodiff.compiler.trace.operations import EQUAL

MANY = 64  # entries: a matrix product with fewer is as quick, and is one for all the positions of a network


def index_of(graph: Graph, nodes: Sequence[int | None]) -> tuple[int, Any] | None:
    """Return the node that all these compare with numbers, and those numbers, increasing; None of other nodes."""
    if len(nodes) < MANY:
        return None
    constants, x = graph.constants, -1
    keys: list[float] = []
    for i in nodes:
        if i is None or graph.ops[i] is not EQUAL:
            return None
        of, key = graph.operands[i]
        if key not in constants or x not in (-1, of) or (keys and constants[key] <= keys[-1]):
            return None
        x = of
        keys.append(constants[key])
    return x, np.array(keys)


def indices_of(graph: Graph, positions: Sequence[Sequence[int | None]]) -> tuple[list[int], Any] | None:
    """Return the index that each position compares with the same numbers, and those numbers; None of other nodes."""
    found = [index_of(graph, nodes) for nodes in positions]
    pairs = [pair for pair in found if pair is not None and np.array_equal(pair[1], (found[0] or pair)[1])]
    return ([x for x, _ in pairs], pairs[0][1]) if pairs and len(pairs) == len(found) else None


def counted(graph: Graph, i: int) -> tuple[int, Any, int] | None:
    """Return the node whose number a sum of constants is looked up by, the keys, and where these terms begin."""
    terms, _ = graph.sums[i]
    if len(terms) < MANY:
        return None
    alone = [k for k, (_, x, other) in enumerate(terms) if other is None and graph.ops[x] is EQUAL]
    if not alone or alone != list(range(alone[0], alone[0] + len(alone))):
        return None
    found = index_of(graph, [terms[k][1] for k in alone])
    return None if found is None else (*found, alone[0])
