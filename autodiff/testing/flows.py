"""Mistakes in what flows back through a whole layer: a factor forgotten or too many, a branch, a step of a loop.

They are tried last, on arguments that nothing else explains.
"""

# Arrays of any shape, so there are no types to give:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from autodiff.testing.diagnosis import Hint, Part, nice
from autodiff.testing.recordings import Chain

_WIDEST = 64  # numbers of a layer
_BRANCHES: Mapping[str, Sequence[tuple[str, tuple[float, ...]]]] = {
    "where": (("first branch", (0, 1, 0)), ("second branch", (0, 0, 1)), ("both branches", (0, 1, 1))),
    "clip": (("not clipped", (1, 0, 0)),),
    "maximum": (("first branch", (1, 0)), ("second branch", (0, 1)), ("spread", (1, 1))),
    "minimum": (("first branch", (1, 0)), ("second branch", (0, 1)), ("spread", (1, 1))),
}


def by_flows(trial: Any, known: Mapping[str, Any]) -> None:
    """Add hints to a trial; `known` is what the function sees around it, by name."""
    for tried in (_branches, _steps, _other_variables):
        tried(trial)
    explained = {name for hint in trial.hints for name in hint.of}
    trial.parts = [part for part in trial.parts if part.name not in explained]
    _layers(trial, known)


def _branches(trial: Any) -> None:
    """One branch everywhere, or all of them: of a condition, a clip or a maximum."""
    chain: Chain = trial.chain
    done: set[tuple[int, ...]] = set()
    for edges in trial.edge_sets:
        nodes = tuple(dict.fromkeys(i for i, _ in edges))
        name = chain.order[nodes[0]].op.name
        if nodes in done or chain.left <= 0 or any(chain.order[i].op.name != name for i in nodes):
            continue
        done.add(nodes)
        place = chain.described(nodes[-1])
        for which, row in _BRANCHES.get(name, ()):
            at = chain.at_inputs(chain.sweep(dict.fromkeys(nodes, row)))
            if which != "spread":
                trial.tell("branch", at, place=place, which=(which, {}))
                continue
            for part in trial.parts:
                rest = trial.of(part, trial.without(nodes))
                through = trial.of(part, at) - rest
                k = nice(float(np.vdot(through, part.found - rest) / (np.vdot(through, through) or 1.0)), part.digits)
                if k and np.count_nonzero(through) > 1 and part.alike(rest + k * through):
                    trial.hints.append(Hint("spread", (part.name,), {"place": place, "k": k}))


def _steps(trial: Any) -> None:
    """Factors of the step before or after in a loop: δ of one step times the variable of another."""
    chain: Chain = trial.chain
    coming = chain.coming()
    for part in trial.parts:
        table = [
            _products(chain, i, [use for use, _ in coming.get(i, ())]) for i in chain.inputs[trial.places[part.name]]
        ]
        n = min(map(len, table), default=0)
        if not 1 < n <= _WIDEST or any(len(each) != n for each in table):
            continue
        delta, factor = np.moveaxis(np.array(table), -1, 0).swapaxes(1, 2).reshape(2, n, *part.truth.shape)
        ends = [np.zeros(part.truth.shape), *_spread_over(chain, part)]
        for by in (1, -1):
            rolled = np.roll(factor, -by, axis=0)
            for end in ends:
                rolled[-1 if by == 1 else 0] = end
                if part.alike((delta * rolled).sum(0)):
                    trial.hints.append(Hint("step", (part.name,)))
                    break


def _products(chain: Chain, i: int, uses: Sequence[int]) -> list[tuple[float, float]]:
    """Return δ and the other factor of every product that a number is in, in their order; [] if it is in others."""
    found: list[tuple[float, float]] = []
    for use in uses:
        node = chain.order[use]
        if node.op is None or node.op.name != "mul" or chain.operands[use][0] == chain.operands[use][1]:
            return []
        k = chain.operands[use].index(i)
        found.append((chain.right[use], chain.partials[use][k]))
    return found


def _spread_over(chain: Chain, part: Part) -> Iterator[Any]:
    """Yield the variables that fit an argument's rows or columns."""
    for group in chain.groups:
        for numbers in _fitted(group.data, part.truth.size):
            yield numbers.reshape(part.truth.shape)


def _fitted(data: Any, size: int) -> list[Any]:
    """Return numbers as so many: as they are, or each row, or each column, of an array of that size."""
    if data.size == size:
        return [data.ravel()]
    n = size // data.size if data.size else 0
    return [np.tile(data.ravel(), n), np.repeat(data.ravel(), n)] if 1 < data.size == size / (n or 1) else []


def _other_variables(trial: Any) -> None:
    """Try the derivative by a variable inside: a loop backwards that ends a step too early."""
    chain: Chain = trial.chain
    for part in trial.parts:
        for place, nodes in trial.layers():
            if len(nodes) == part.truth.size and set(nodes).isdisjoint(chain.inputs):
                numbers = np.array([chain.right[i] for i in nodes]).reshape(part.truth.shape)
                if part.alike(numbers) and (part.truth.size > 1 or nice(float(numbers), 1e-6) != numbers):
                    trial.hints.append(Hint("early", (part.name,), {"place": place}))
                    break


def _layers(trial: Any, known: Mapping[str, Any]) -> None:
    """Try what flows back through a layer times another variable, or without it as a factor, or with it in place."""
    chain: Chain = trial.chain
    variables = [(group.name, group.data) for group in chain.groups]
    around = ((name, np.asarray(x)) for name, x in known.items())
    variables += [(name, x.astype(float)) for name, x in around if x.dtype.kind in "fiub" and x.size <= _WIDEST]
    right = np.array(chain.right)
    for place, nodes in trial.layers():
        delta = right[list(nodes)]
        if len(nodes) > _WIDEST or chain.left <= 0 or not trial.parts or not delta.any():
            continue
        rest = trial.without(nodes)
        rows = np.array([chain.at_inputs(chain.sweep(seeds={i: 1.0})) for i in nodes])
        if not np.allclose(rest + delta @ rows, trial.right, rtol=1e-9, atol=1e-12 * np.abs(trial.right).max()):
            continue  # one of them depends on another
        tried = list(_scales(variables, chain.data[list(nodes)]))
        numbers = rest + (np.reshape([scale for *_, scale in tried], (-1, len(nodes))) * delta) @ rows
        for part in tuple(trial.parts):
            off = np.abs(numbers[:, trial.places[part.name]] - part.found.ravel()).max(axis=1)
            for k in np.flatnonzero(off <= 1e-5 * np.abs(part.found).max()):
                if part.alike(trial.of(part, numbers[k])):
                    kind, details, _ = tried[k]
                    trial.hints.append(Hint(kind, (part.name,), {"place": place, **details}))
                    break
        count = {name for hint in trial.hints for name in hint.of}
        trial.parts = [part for part in trial.parts if part.name not in count]


def _scales(variables: Sequence[tuple[str, Any]], layer: Any) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield kind and details of a mistake, and what it multiplies δ of a layer by."""
    for name, data in variables:
        held = f"({name})" if " " in name else name
        for v in _fitted(data, layer.size):
            if np.ptp(v) == 0.0 and (v.size > 1 or v[0] == nice(float(v[0]), 1e-6)):
                continue  # a constant factor is told as one
            yield "forgotten", {"what": name}, 1.0 / v
            yield "in place", {"other": name}, v / layer
            yield "surplus", {"what": held}, v
            yield "surplus", {"what": f"{held}·(1 − {held})"}, v * (1.0 - v)
            yield "surplus", {"what": f"(1 − {held}²)"}, 1.0 - v * v
            yield "surplus", {"what": f"[{name} > 0]"}, 1.0 * (v > 0.0)
