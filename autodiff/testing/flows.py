"""Mistakes that take longer to try: in what flows back through a layer or a loop, or in one term of a sum alone.

Or it is another function that was differentiated: without a target, a mask, an activation. They are tried last, on
arguments that nothing else explains.
"""

# Arrays of any shape, so there are no types to give:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false
import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from autodiff.testing.diagnosis import Hint, nice, why
from autodiff.testing.recordings import BUDGET, SUMS, Chain, Group, recorded
from autodiff.testing.syntax import seen_around

_WIDEST = 64  # numbers of a layer
_Flow = tuple[str, dict[str, Any], Any]  # kind and details of a mistake, and the numbers that it makes
_TERMS = 6  # kinds of terms of a sum that are tried each by itself
_ALONE = 3  # things computed alike that are tried each by itself, too
_STARTS = 3  # values that a variable of a loop may begin with
_ANY = (1.0, -1.0, 2.0, 0.5)  # times that what another function gives may count
_BRANCHES: Mapping[str, Sequence[tuple[str, tuple[float, ...]]]] = {
    "where": (("first branch", (0, 1, 0)), ("second branch", (0, 0, 1)), ("both branches", (0, 1, 1))),
    "clip": (("not clipped", (1, 0, 0)),),
    "maximum": (("first branch", (1, 0)), ("second branch", (0, 1)), ("spread", (1, 1))),
    "minimum": (("first branch", (1, 0)), ("second branch", (0, 1)), ("spread", (1, 1))),
}


def by_flows(trial: Any) -> None:
    """Add hints to a trial."""
    for tried in (_branches, _steps, _other_variables, _layers, _loops, _replaced, _otherwise, _terms, _alone):
        trial.chain.left = BUDGET
        if trial.parts:
            tried(trial)
        trial.settle()


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
            if which == "spread":
                trial.counted("spread", trial.without(nodes), at, place=place)
            else:
                trial.tell("branch", at, place=place, which=(which, {}))
        if name in _BRANCHES and name != "clip":
            turned = {i: [*chain.partials[i][:-2], *chain.partials[i][:-3:-1]] for i in nodes}
            at = chain.at_inputs(chain.sweep(turned))
            trial.counted("other branch", trial.without(nodes), at, (1.0, -1.0), place=place)


def _steps(trial: Any) -> None:
    """Factors of the step before or after in a loop: δ of one step times the variable of another."""
    chain: Chain = trial.chain
    coming = chain.coming()
    for part in trial.parts:
        table = [_products(chain, i, [j for j, _ in coming.get(i, ())]) for i in chain.inputs[trial.places[part.name]]]
        n = min(map(len, table), default=0)
        if not 1 < n <= _WIDEST or any(len(each) != n for each in table):
            continue
        delta, factor = np.moveaxis(np.array(table), -1, 0).swapaxes(1, 2).reshape(2, n, *part.truth.shape)
        over = (numbers for group in chain.groups for numbers in _fitted(group.data, part.truth.size))
        ends = [np.zeros(part.truth.shape), *(numbers.reshape(part.truth.shape) for numbers in over)]
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


def by_penalties(trial: Any) -> None:
    """Try a term along one number that stands alone, such as a bias: by a constant of the function."""
    written = {x for node in trial.chain.order for x in node.operands if x.__class__ is float}
    constants = [*written, *(float(x) for x in trial.known.values() if np.ndim(x) == 0)]
    for part in trial.parts:
        if part.truth.size == 1 and part.at.all():
            c = float(np.ravel(part.found - part.truth)[0] / np.ravel(part.at)[0])
            if any(abs(abs(c) - by * abs(x)) <= 1e-9 * abs(c) for x in constants if x for by in (1.0, 2.0, 0.5)):
                extra = ("missing" if c < 0 else "extra", {})
                trial.hints.append(Hint("multiple", (part.name,), {"c": nice(c), "what": part.name, "extra": extra}))


def _through_layers(trial: Any) -> Iterator[tuple[str, Any, Any, Any, Any]]:
    """Yield every layer: its name, its nodes, δ of it, the derivatives without it, and its own by all inputs."""
    chain: Chain = trial.chain
    shapes = {group.nodes: group.data.shape for group in trial.arrays}
    right = np.array(chain.right)
    for place, nodes in trial.layers():
        delta = right[list(nodes)].reshape(shapes.get(nodes, -1))
        if len(nodes) > _WIDEST or chain.left <= 0 or not trial.parts or not delta.any():
            continue
        rest = trial.without(nodes)
        rows = np.array([chain.at_inputs(chain.sweep(seeds={i: 1.0})) for i in nodes])
        whole = rest + delta.ravel() @ rows
        if np.allclose(whole, trial.right, rtol=1e-9, atol=1e-12 * np.abs(trial.right).max()):
            yield place, nodes, delta, rest, rows  # else one of them depends on another


def _variables(trial: Any) -> list[tuple[str, Any]]:
    around = ((name, np.asarray(x)) for name, x in trial.known.items())
    arrays = [(name, x.astype(float)) for name, x in around if x.dtype.kind in "fiub" and x.size <= _WIDEST]
    return [(group.name, group.data) for group in trial.chain.groups] + arrays


def _layers(trial: Any) -> None:
    """Try what flows back through a layer times another variable, or without it as a factor, or with it in place."""
    variables = _variables(trial)
    square = [(name, M) for name, M in variables if M.ndim == 2 and M.shape[0] == M.shape[1] > 1]
    matrices = [(name, M) for name, M in square if np.linalg.matrix_rank(M) == len(M)]
    for place, nodes, delta, rest, rows in _through_layers(trial):
        scales = _scales(variables, trial.chain.data[list(nodes)])
        tried = [(kind, details, by * delta.ravel()) for kind, details, by in scales]
        tried += _products_of(matrices, delta)
        numbers = rest + np.reshape([flow for *_, flow in tried], (-1, len(nodes))) @ rows
        for part in tuple(trial.parts):
            off = np.abs(numbers[:, trial.places[part.name]] - part.found.ravel()).max(axis=1)
            for k in np.flatnonzero(off <= 1e-5 * np.abs(part.found).max()):
                if part.alike(trial.of(part, numbers[k])):
                    kind, details, _ = tried[k]
                    trial.hints.append(Hint(kind, (part.name,), {"place": place, **details}))
                    break
        trial.settle()


def _alone(trial: Any) -> None:
    """Try a variable, some number of times, in place of what flows back to a layer."""
    variables = _variables(trial)
    for place, nodes, _, rest, rows in _through_layers(trial):
        times = () if len(nodes) > 1 else _ANY  # one number is some number of times any other
        for name, v in ((name, v) for name, data in variables for v in _fitted(data, len(nodes))):
            trial.counted("for", rest, rest + v @ rows, times, place=place, what=name)
        trial.settle()


def _scales(variables: Sequence[tuple[str, Any]], layer: Any) -> Iterator[_Flow]:
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


def _products_of(matrices: Sequence[tuple[str, Any]], delta: Any) -> Iterator[_Flow]:
    """Yield δ of a layer as it is without a matrix that it was multiplied by, and with it transposed."""
    for name, matrix in matrices:
        for axis in (0, delta.ndim - 1) if delta.ndim else ():
            for M in (matrix, matrix.T) if delta.shape[axis] == len(matrix) else ():
                before = np.tensordot(np.linalg.inv(M.T), delta, (1, axis))
                yield "no matrix", {"what": name}, np.moveaxis(before, 0, axis).ravel()
                yield "matrix turned", {"what": name}, np.moveaxis(np.tensordot(M, before, 1), 0, axis).ravel()


def _loops(trial: Any) -> None:
    """Try mistakes that are made in every step of a loop: a path lost, a factor of another variable or step."""
    chain: Chain = trial.chain
    variables: dict[tuple[int, ...], Group] = {group.nodes: group for group in chain.loops}
    for group in chain.loops:
        for nodes in chain.places(group.nodes):
            data = chain.data[list(nodes)].reshape(group.data.shape)
            variables.setdefault(nodes, Group(chain.described(nodes[-1]), data, nodes))
    rows = {nodes: range(len(chain.operands[nodes[0]])) for nodes in variables}
    sets = [[(i, k) for i in nodes if chain.operands[i][k] >= 0] for nodes, ks in rows.items() for k in ks]
    sets = sorted(filter(None, sets), key=lambda edges: -edges[0][0])
    usual = trial.edge_sets
    trial.edge_sets = sets + _ways(chain)
    trial.slopes()
    trial.edges()
    for group in chain.loops:
        trial.scaled(trial.without(group.nodes), ("constant", {"place": group.name}), group.name)
    for tried in (_exchanged, _times):
        chain.left = BUDGET
        for edges in sets if not trial.hints else ():
            tried(trial, edges, [*variables.values()])
    trial.edge_sets = usual + sets


def _times(trial: Any, edges: Sequence[tuple[int, int]], variables: Sequence[Group]) -> None:
    """Try what counts wrongly in every step, which is no multiple of what is right; and a factor of every step."""
    partials, place = trial.chain.partials, trial.chain.described(edges[-1][0])
    tried: list[tuple[str, dict[str, Any], Any]] = [("path sign", {}, np.full(len(edges), -1.0))]
    tried += [("path factor", {"k": by, "why": why(by, ())}, np.full(len(edges), by)) for by in (2.0, 0.5)]
    for group in variables:
        if group.data.size == len(edges) and group.data.all():
            tried += [("surplus", {"what": group.name}, group.data.ravel())]
            tried += [("forgotten", {"what": group.name}, 1.0 / group.data.ravel())]
    for kind, details, by in tried:
        at = dict(zip((i for i, _ in edges), by.tolist(), strict=True))

        def times(i: int, k: int, at: Any = at) -> float:
            return at[i] * partials[i][k]

        trial.tell(kind, trial.swept(edges, times), place=place, **details)


def _exchanged(trial: Any, edges: Sequence[tuple[int, int]], variables: Sequence[Group]) -> None:
    """Try another variable, or the same of another step, in place of a factor, or where a slope is taken."""
    chain: Chain = trial.chain
    i, k = edges[-1]
    op = chain.order[i].op
    if op.name != "mul" and op.arity != 1:
        return
    place, where = chain.described(chain.operands[i][1 - k if op.name == "mul" else k]), chain.described(i)
    for name, when, data in _in_step(variables, chain.groups, len(edges)):
        at = {i: x for (i, _), x in zip(edges, data.tolist(), strict=True)}

        def partial(i: int, _: int, at: Any = at) -> float:
            return at[i] if op.name == "mul" else op.partials_at((at[i],), op.on_floats(at[i]), [True])[0]

        numbers = trial.swept(edges, partial)
        if op.name == "mul":
            other = ("of another step", {"name": name}) if name == place else name
            trial.tell("instead", numbers, place=place, other=other, where=where)
        elif name == place:
            trial.tell("slope step", numbers, place=where, when=(when, {}))


def _in_step(variables: Any, groups: Any, size: int) -> Iterator[tuple[str, str, Any]]:
    """Yield what the variables of a loop are at so many places: in the same step, and in the one before and after."""
    for group in variables:
        width = group.data.shape[1]
        more = len(group.data) - size // width
        if size % width or abs(more) > 1:
            continue
        starts = [np.zeros(width), *(g.data.ravel() for g in groups if g.data.size == width)]
        for start in starts[:_STARTS]:
            padded = np.concatenate([start, group.data.ravel(), start])
            for k in range(0, padded.size - size + 1, width):
                yield group.name, "before" if k <= width * max(0, more) else "after", padded[k : k + size]


def _ways(chain: Chain) -> list[list[tuple[int, int]]]:
    """Return the edges by which a variable of a loop goes into products and sums with another one, in every step."""
    ways: dict[Any, list[tuple[int, int]]] = {}
    coming = chain.coming()
    for group in chain.loops:
        for i in group.nodes:
            for use, _ in coming.get(i, ()):
                beside = tuple(chain.names.get(j, "") for j in chain.operands[use])
                key = group.name, beside, chain.order[use].op.name
                ways.setdefault(key, []).append((use, chain.operands[use].index(i)))
    return [*ways.values()]


def _replaced(trial: Any) -> None:
    """Try another function: one in which an operation, a factor or a target is forgotten."""
    chain: Chain = trial.chain
    done: set[tuple[tuple[int, int], ...]] = set()
    usual, alone = trial.edge_sets, [[edge] for edges in trial.edge_sets if len(edges) <= _ALONE for edge in edges]
    trial.edge_sets = alone
    trial.edges()
    for edges in [*usual, *alone] if not trial.hints else ():
        op, (i, k) = chain.order[edges[0][0]].op, edges[0]
        if op.name in ("neg", "pos") or (op.name == "where" and k == 0) or tuple(edges) in done or chain.left <= 0:
            continue
        done.add(tuple(edges))
        nodes = [i for i, _ in edges]
        with contextlib.suppress(ArithmeticError, ValueError):
            details = {"place": chain.described(i), "other": chain.described(chain.operands[i][k])}
            trial.counted("replaced", trial.without(nodes), chain.otherwise(dict(edges)), _ANY, **details)
    trial.edge_sets = usual


def _otherwise(trial: Any) -> None:
    """Try other arrays in place of those that the function sees: no target, no mask, labels of another step."""
    lists = {name: x for name, x in seen_around(trial.subject.given).items() if isinstance(x, list)}
    for name, x in {**trial.known, **lists}.items():
        for what, other in _other_arrays(np.asarray(x)) if np.size(x) > 1 else ():
            with contextlib.suppress(Exception):  # with other numbers in it, code of any kind may raise anything
                instead = {id(x): other.tolist() if isinstance(x, list) else other}
                values, root = recorded(trial.subject, maxima=trial.chain.maxima, instead=instead)
                (root.item() if isinstance(root, np.ndarray) else root).backward()
                at = np.array([value.grad for value in values])
                trial.tell("otherwise", at, what=(what[0], {"name": name, **what[1]}))
                trial.settle()
                if not trial.parts:
                    return


def _other_arrays(x: Any) -> Iterator[tuple[tuple[str, dict[str, Any]], Any]]:
    if x.dtype.kind == "f":
        yield ("nothing for", {}), np.zeros_like(x)
        yield ("one for", {}), np.ones_like(x)
        yield ("negative for", {}), -x
        yield ("complement for", {}), 1.0 - x
    for axis in range(x.ndim):
        n = x.shape[axis]
        for by in (-1, 1):
            there = np.arange(n) + by
            inside = np.expand_dims((there >= 0) & (there < n), tuple(k for k in range(x.ndim) if k != axis))
            shifted = np.take(x, there % n, axis)
            for moved in (shifted, np.take(x, np.clip(there, 0, n - 1), axis), np.where(inside, shifted, 0)):
                yield ("rolled for", {"by": by, "axis": axis}), moved
        yield ("flipped for", {"axis": axis}), np.flip(x, axis)
    if x.ndim == 2 and x.shape[0] == x.shape[1]:
        yield ("turned for", {}), x.T


def _terms(trial: Any) -> None:
    """Try every mistake in one term of the sum that the function is, with the other terms right."""
    chain: Chain = trial.chain
    terms: dict[int, list[int]] = {}
    waiting, met = [len(chain.order) - 1], set[int]()
    while waiting:
        i = waiting.pop()
        op = chain.order[i].op
        scaled = op is not None and op.name in ("mul", "div") and min(chain.operands[i]) < 0
        if i in met:
            continue
        met.add(i)
        if op is not None and (scaled or op.name in (*SUMS, "sub", "neg", "pos")):
            waiting += [j for j in chain.operands[i] if j >= 0]
        else:
            terms.setdefault(chain.kinds[i], []).append(i)
    if not 1 < len(terms) <= _TERMS:
        return
    at_top = chain.sweep(stop=frozenset(i for nodes in terms.values() for i in nodes))
    whole = chain.seeds, chain.right
    for nodes in terms.values():
        chain.seeds = {i: at_top[i] for i in nodes}
        chain.right = chain.sweep()
        alone = copy.copy(trial)
        alone.right, alone.hints, alone.parts = chain.at_inputs(chain.right), [], []
        for part in trial.parts:
            truth = trial.of(part, alone.right)
            if truth.any():
                bound = part.bound + 1e-12 * float(np.max(np.abs(part.truth)))
                alone.parts.append(replace(part, found=part.found - part.truth + truth, truth=truth, bound=bound))
        for tried in (alone.slopes, alone.variables, alone.edges, alone.instead, alone.between):
            tried()
            if alone.hints:
                break
        place = chain.described(nodes[0])
        trial.hints += [Hint("within", hint.of, {"place": place, "said": hint}) for hint in alone.hints
                        if hint.kind != "path factor" or hint.details["why"]]  # fmt: skip
    chain.seeds, chain.right = whole
