"""Mistakes in the chain rule, tried on a recorded function, to find which of them gives the numbers handed in.

The sweep is done again with one thing spoilt at a time: a variable treated as a constant, a path lost, a slope left out
or taken at another variable. This is how one gets from "your derivative by w is wrong" to "you forgot the slope of the
sigmoid".
"""

# Arrays of any shape and code of any kind, so there are no types to give:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false
import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from autodiff.ops import OPS
from autodiff.testing.diagnosis import Hint, Part, nice, why
from autodiff.testing.flows import by_flows, by_penalties
from autodiff.testing.recordings import BUDGET, SUMS, Chain, Group
from autodiff.testing.subjects import Subject
from autodiff.testing.syntax import known_around

_LARGEST = 10_000  # nodes
_CLEAR = ("nan", "sign", "transposed", "another", "single", "digits", "lagging")  # no other explanation is needed
_WEAK = ("path factor", "other operand")  # hints after which others are looked for
_FALLBACK = ("stale", "argument", "missing", "region", "absolute", "clipped", "permuted", "digits", "single")
PLAIN = (*SUMS, "sub", "neg", "pos")  # whose partials are constants
_Edges = list[tuple[int, int]]  # node and which operand
_Slope = Callable[[Any], Any]


def _sigmoid(z: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-z))


def _above(z: Any) -> Any:
    return 1.0 * (z > 0.0)


# For each activation: itself, its slope from the input z, and its slope from the output a, each with its formula.
_ACTIVATIONS: Mapping[str, tuple[_Slope, tuple[_Slope, str], tuple[_Slope, str]]] = {
    "sigmoid": (_sigmoid, (lambda z: _sigmoid(z) * _sigmoid(-z), "σ′({})"), (lambda a: a * (1.0 - a), "{0}·(1 − {0})")),
    "tanh": (np.tanh, (lambda z: 1.0 - np.tanh(z) ** 2, "tanh′({})"), (lambda a: 1.0 - a * a, "1 − {}²")),
    "relu": (lambda z: z * _above(z), (_above, "[{} > 0]"), (_above, "[{} > 0]")),
    "softplus": (lambda z: np.logaddexp(z, 0.0), (_sigmoid, "σ({})"), (lambda a: 1.0 - np.exp(-a), "1 − exp(−{})")),
    "exp": (np.exp, (np.exp, "exp({})"), (lambda a: a, "{}")),
}
_HALVES: Sequence[tuple[_Slope, str]] = (  # what is made of a·(1 − a) and of 1 − a²
    (lambda a: a, "{}"), (lambda a: 1.0 - a, "1 − {}"), (lambda a: a * a, "{}²"), (lambda a: 1.0 + a * a, "1 + {}²"),
    (lambda a: a * (1.0 + a), "{0}·(1 + {0})"),
)  # fmt: skip


def by_chain_rule(subject: Subject, gradient: Sequence[Part], names: Sequence[Any], told: Sequence[Hint]) -> list[Hint]:
    """Return hints from the graph: mistakes in its chain rule that give numbers which those `told` do not explain."""
    clear = {name for hint in told for name in hint.of if hint.kind in _CLEAR and hint.details.get("digits", 9) > 4}
    if all(part.name in clear for part in gradient if part.wrong.any()):
        return []
    truth = np.concatenate([part.truth.ravel() for part in gradient])
    chain = None
    for maxima in (False, True):
        with contextlib.suppress(Exception):  # not all code can be recorded
            chain = Chain(subject, maxima=maxima)
            if len(chain.order) > _LARGEST or chain.is_true(subject.here, truth):
                break
            chain = None
    if chain is None or len(chain.order) > _LARGEST:
        return by_slopes(gradient)
    trial = _Trial(subject, chain, gradient, names)
    mistakes = trial.slopes, trial.variables, trial.uses, trial.edges, trial.factors, trial.instead, trial.between
    with np.errstate(all="ignore"):
        by_penalties(trial)
        for tried in mistakes:
            tried()
            count = Counter(name for hint in trial.hints for name in hint.of if _is_strong(hint))
            trial.parts = [part for part in trial.parts if count[part.name] < 2]
        said = {name for hint in told for name in hint.of if hint.kind not in _FALLBACK}
        said |= {name for hint in trial.hints for name in hint.of if _is_strong(hint)}
        trial.parts = [part for part in trial.parts if part.name not in said]
        if trial.parts:
            by_flows(trial)
    return trial.hints


def _is_strong(hint: Hint) -> bool:
    """Whether a hint says enough for others to be left untried."""
    return hint.kind not in _WEAK or bool(hint.details.get("why"))


def by_slopes(gradient: Sequence[Part]) -> list[Hint]:
    """Return hints for code that cannot be recorded, taken as an activation of each entry of an argument."""
    hints: list[Hint] = []
    for part in gradient:
        z = part.at
        for name, (act, (slope, _), __) in _ACTIVATIONS.items() if part.wrong.any() and part.wrong.size > 1 else ():
            with np.errstate(all="ignore"):
                for wrong, kind, details in _wrong_slopes(name, z, act(z), part.name, f"{name}({part.name})", ()):
                    if slope(z).all() and part.alike(part.truth / slope(z) * wrong):
                        hints.append(Hint(kind, (part.name,), details))
    return hints


def _held(name: str) -> str:
    """Return a name as a factor or a base: in brackets, where it is made of several."""
    return f"({name})" if " " in name else name


def _wrong_slopes(name: str, z: Any, y: Any, at_z: str, at_y: str, groups: Sequence[Group]) -> Iterator[Any]:
    """Every wrong slope of an activation y of z: its numbers, and the hint that it is."""
    _, (slope, written), (from_output, formula) = _ACTIVATIONS[name]
    at_y = at_y if at_y.isidentifier() else "a"
    right = written.format(at_z) if name == "relu" else formula.format(_held(at_y))
    place = f"{at_y} = {name}({at_z})"

    def hint(wrong: str, reason: tuple[str, dict[str, str]]) -> tuple[str, dict[str, Any]]:
        return "slope", {"place": place, "wrong": wrong, "right": right, "reason": reason}

    tried = [(np.ones_like(z), "left out", {"place": place, "slope": f": {right}"})]
    tried.append((slope(y), *hint(written.format(at_y), ("at another", {"at": at_y, "there": at_z}))))
    tried.append((from_output(z), *hint(formula.format(_held(at_z)), ("at another", {"at": at_z, "there": at_y}))))
    for v, at in ((y, at_y), (z, at_z)) if name in ("sigmoid", "tanh") else ():
        tried += [(half(v), *hint(text.format(_held(at)), ("half of it", {}))) for half, text in _HALVES]
    for other, (_, (its, text), (its_output, its_formula)) in _ACTIVATIONS.items():
        tried.append((its(z), *hint(text.format(at_z), ("of another", {"name": other}))))
        tried.append((its_output(y), *hint(its_formula.format(_held(at_y)), ("of another", {"name": other}))))
    for group in groups:
        there = ("at another", {"at": group.name, "there": at_y})
        tried.append((from_output(group.data.reshape(z.shape)), *hint(formula.format(_held(group.name)), there)))
        tried.append((slope(group.data.reshape(z.shape)), *hint(written.format(group.name), there)))
    done = [slope(z)]
    for wrong, *told in tried:
        if np.any(wrong) and not any(np.allclose(wrong, other, rtol=1e-9, atol=0.0) for other in done):
            done.append(wrong)
            yield wrong, *told


class _Trial:
    """All mistakes tried on one chain, and the hints that came of it."""

    def __init__(self, subject: Subject, chain: Chain, gradient: Sequence[Part], names: Sequence[Any]) -> None:
        self.subject, self.chain, self.names, self.known = subject, chain, names, known_around(subject.given)
        self.parts = [part for part in gradient if part.wrong.any()]
        starts = np.cumsum([0, *(part.truth.size for part in gradient)])
        self.places = {p.name: slice(a, b) for p, a, b in zip(gradient, starts[:-1], starts[1:], strict=True)}
        self.right = chain.at_inputs(chain.right)
        self.hints: list[Hint] = []
        self.edge_sets = self._edge_sets()
        self.arrays = [g for g in chain.groups if min(g.nodes, default=-1) >= 0]

    def _edge_sets(self) -> list[_Edges]:
        """Return the edges by what their nodes are: computed in the same way, or the same step of a loop."""
        chain = self.chain
        sets: dict[Any, _Edges] = {}
        for i, operands in enumerate(chain.operands):
            for k, j in enumerate(operands):
                if j >= 0 and not (i in chain.sums and chain.kinds[i] == chain.kinds[j]):
                    any_place = i in chain.sums or chain.order[i].op.arity is None or operands.count(j) > 1
                    place = -1 if any_place else k
                    for key in (
                        (chain.kinds[i], place, chain.kinds[j]),
                        (chain.local[i], k if place < 0 and i in chain.sums else place),
                    ):
                        sets.setdefault(key, []).append((i, k))
        different = {tuple(edges): edges for edges in sets.values()}
        return sorted(different.values(), key=lambda edges: -edges[0][0])

    def layers(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return nodes that are computed alike, such as the entries of an array, each with what messages call them."""
        chain = self.chain
        found = {group.nodes: group.name for group in self.arrays}
        for edges in self.edge_sets:
            for nodes in (tuple(i for i, _ in edges), tuple(chain.operands[i][k] for i, k in edges)):
                if len({chain.kinds[i] for i in nodes}) == 1:
                    nodes = tuple(dict.fromkeys(nodes))  # noqa: PLW2901 # each once
                    alike = (chain.in_order(nodes, g) for g in self.arrays if len({*g.nodes}) == len(nodes) > 1)
                    nodes = next(filter(None, alike), nodes)  # noqa: PLW2901
                    found.setdefault(nodes, chain.described(nodes[0]))
        return [(name, nodes) for nodes, name in found.items()]

    def settle(self) -> None:
        """Leave what a hint explains."""
        explained = {name for hint in self.hints for name in hint.of if _is_strong(hint)}
        self.parts = [part for part in self.parts if part.name not in explained]

    def tell(self, kind: str, at_inputs: Any, **details: Any) -> None:
        """Add a hint for every argument whose numbers a mistake gives."""
        of = [part.name for part in self.parts if part.alike(self.of(part, at_inputs))]
        if of:
            self.hints.append(Hint(kind, tuple(of), details))

    def counted(self, kind: str, rest: Any, at_inputs: Any, times: Sequence[float] = (), **details: Any) -> None:
        """Add a hint for every argument whose numbers are the rest, and some number of times what goes beyond it."""
        for part in self.parts:
            others = self.of(part, rest)
            through = self.of(part, at_inputs) - others
            k = nice(float(np.vdot(through, part.found - others) / (np.vdot(through, through) or 1.0)), part.digits)
            fits = (k in times) if times else (k and np.count_nonzero(through) > 1)
            if fits and part.alike(others + k * through):
                said = "" if k == 1.0 else ("times", {"k": k})
                self.hints.append(Hint(kind, (part.name,), {**details, "k": k, "times": said}))

    def of(self, part: Part, at_inputs: Any) -> Any:
        """Return the numbers of one argument."""
        return at_inputs[self.places[part.name]].reshape(part.truth.shape)

    def swept(self, edges: _Edges, partial: Callable[[int, int], float]) -> Any:
        """Return the derivatives with other partials at some edges; a rule that breaks down gives NaN."""
        instead: dict[int, list[float]] = {}
        for i, k in edges if self.chain.left > 0 and self.parts else ():
            row = instead.setdefault(i, list(self.chain.partials[i]))
            try:
                row[k] = float(partial(i, k))
            except (ArithmeticError, ValueError, TypeError):
                row[k] = math.nan
        return self.chain.at_inputs(self.chain.sweep(instead)) if instead else self.right

    def without(self, nodes: Sequence[int]) -> Any:
        """Return the derivatives with nothing flowing back through some nodes."""
        return self.chain.at_inputs(self.chain.sweep(scale=dict.fromkeys(nodes, 0.0)))

    def scaled(self, without: Any, lost: tuple[str, dict[str, Any]], place: Any) -> None:
        """Try what flows through a place not at all, negatively or some other number of times: how often is found."""
        for part in self.parts:
            rest = self.of(part, without)
            through = self.of(part, self.right) - rest
            if not np.any(through):
                continue
            k = nice(float(np.vdot(through, part.found - rest) / np.vdot(through, through)), part.digits)
            if abs(k - 1.0) < 1e-3 or not part.alike(rest + k * through):
                continue
            reason = why(k, self.names)
            everything = float(np.max(np.abs(rest))) <= 1e-12 * float(np.max(np.abs(through)))
            if k == 0.0:
                self.hints.append(Hint(lost[0], (part.name,), lost[1]))
            elif not everything and (k in (-1.0, 2.0, 0.5) or reason or np.count_nonzero(through) > 1):
                kind, details = ("path sign", {}) if k == -1.0 else ("path factor", {"k": k, "why": reason})
                self.hints.append(Hint(kind, (part.name,), {"place": place, **details}))

    def variables(self) -> None:
        """Each variable treated as a constant, or its path counted wrongly; if none explains anything, two of them."""
        chain = self.chain
        inner: list[tuple[str, list[int]]] = []
        for group in chain.groups[len(chain.arguments) :]:
            nodes = [i for i in group.nodes if 0 <= i < len(chain.order) - 1 and chain.order[i].op is not None]
            if nodes and chain.left > 0:
                inner.append((group.name, nodes))
                self.scaled(self.without(nodes), ("constant", {"place": group.name}), group.name)
        for (one, nodes), (other, more) in combinations(inner[:20], 2) if not self.hints else ():
            if chain.left > BUDGET / 2:
                both = [one, ("and", {}), other]
                self.scaled(self.without([*nodes, *more]), ("constants", {"place": both}), both)

    def edges(self) -> None:
        """Each step of the chain rule left out, lost, or done with the other operand's partial."""
        chain = self.chain

        def others(i: int, k: int) -> float:
            at = [x if x.__class__ is float else x.data for x in chain.order[i].operands]
            return chain.order[i].op.partials_at(at, chain.data[i], [True, True])[1 - k]

        for edges in self.edge_sets:
            i, k = edges[0]
            op = chain.order[i].op
            place = chain.described(i)
            lost = {"place": place, "operand": chain.described(chain.operands[i][k])}
            self.scaled(self.swept(edges, lambda _, __: 0.0), ("lost", lost), place)
            largest = op.name in ("maximum", "minimum") and min(chain.operands[i]) >= 0  # of two: see `by_flows`
            if op.name not in (*PLAIN, *_ACTIVATIONS) and not largest:
                self.tell("left out", self.swept(edges, lambda _, __: 1.0), place=place, slope="")
            power = op.name == "pow" and chain.order[i].operands[1].__class__ is float
            if power:  # (…)² / 2 has the slope (…): 1 is left where that is forgotten
                exponent = chain.order[i].operands[1]
                self.tell("left out", self.swept(edges, lambda _, __, n=exponent: n), place=place, slope="")
            if op.arity == 2 and op.name != "add":
                self.tell("other operand", self.swept(edges, others), place=place)

    def slopes(self) -> None:
        """Try the slope of an activation: of another one, taken at another variable, or one factor of it only."""
        chain = self.chain
        for name, z, y, edges in self._activations():
            zs, ys = chain.data[list(z)], chain.data[list(y)]
            right = _ACTIVATIONS[name][1][0](zs)
            alike = [g for g in chain.groups if g.data.size == len(zs) > 1 and g.nodes not in (z, y)]
            at_z, at_y = chain.described(z[0]), chain.described(y[0])
            for wrong, kind, details in _wrong_slopes(name, zs, ys, at_z, at_y, alike):
                if edges:
                    at = dict(zip(y, wrong.tolist(), strict=True))
                    self.tell(kind, self.swept(edges, lambda i, _, at=at: at[i]), **details)
                elif right.all() and chain.left > 0:
                    delta = chain.sweep(scale=dict(zip(y, (wrong / right).tolist(), strict=True)))
                    self.tell(kind, chain.at_inputs(delta), **details)

    def _activations(self) -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...], _Edges]]:
        """Every activation: its name, nodes of input and output, and the edges between where it is one operation."""
        chain = self.chain
        found: set[tuple[int, ...]] = set()
        for every in self.edge_sets:
            edges = [(i, k) for i, k in every if chain.right[i]]  # of the others nothing can be told
            array = next((g.nodes for g in self.arrays if {*g.nodes} == {i for i, _ in edges}), None)
            edges.sort(key=lambda edge, order=array: order.index(edge[0]) if order else 0)
            z, y = tuple(chain.operands[i][k] for i, k in edges), tuple(i for i, _ in edges)
            name = chain.order[y[0]].op.name if y and y not in found else ""
            if name == "maximum" and np.array_equal(chain.data[list(y)], np.maximum(chain.data[list(z)], 0.0)):
                name = "relu"
            if name in _ACTIVATIONS and len(set(y)) == len(y):
                found.add(y)
                yield name, z, y, edges
            if name == "log1p" and len(set(y)) == len(y) and all(chain.order[i].op is OPS["exp"] for i in z):
                found.add(y)
                yield "softplus", tuple(chain.operands[i][0] for i in z), y, []
        for a in self.arrays:
            images = {name: act(a.data.ravel()) for name, (act, *_) in _ACTIVATIONS.items()}
            for b in self.arrays:
                if a is b or len(a.nodes) != len(b.nodes) or not chain.depends(b, a):
                    continue
                values = b.data.ravel()
                seen = [(i, j) for i, j in zip(a.nodes, b.nodes, strict=True) if chain.right[j]]
                z, y = tuple(i for i, _ in seen), tuple(j for _, j in seen)
                for name, image in images.items() if y and y not in found else ():
                    if abs(image[0] - values[0]) < 1e-9 and np.allclose(image, values, rtol=1e-12, atol=1e-14):
                        yield name, z, y, []

    def instead(self) -> None:
        """Try a product, or the slope of an operation, with another variable of the same shape as its factor."""
        chain = self.chain
        for edges in self.edge_sets:
            i, _ = edges[0]
            op = chain.order[i].op
            product = op.name == "mul"
            power = op.name == "pow" and chain.order[i].operands[1].__class__ is float
            if not product and not power and (op.arity != 1 or op.name in PLAIN):
                continue
            nodes = tuple(dict.fromkeys(chain.operands[i][1 - k if product else k] for i, k in edges))
            if min(nodes) < 0:
                continue
            holding = (g for g in chain.groups if {_factor(chain, j, g) if product else j for j in nodes} <= {*g.nodes})
            numbers = chain.data[list(nodes)]
            alone = Group(chain.described(nodes[0]), numbers if len(nodes) > 1 else numbers[0], nodes)
            group = next((g for g in chain.groups if {*nodes} <= {*g.nodes}), None) or next(holding, alone)
            index = {node: n for n, node in enumerate(group.nodes)}
            turned = (("{}, flipped,", np.flip(group.data)), ("{}.T", group.data.T))[: group.data.ndim]
            for other in (*chain.groups, *(Group(text.format(group.name), data, ()) for text, data in turned)):
                if other is group or other.data.shape != group.data.shape:
                    continue
                data = other.data.ravel().tolist()

                def factor(i: int, k: int, data: Any = data, index: Any = index, group: Any = group) -> float:
                    j = chain.operands[i][1 - k]
                    inner = _factor(chain, j, group)
                    return data[index[j]] if inner == j else chain.data[j] * data[index[inner]] / chain.data[inner]

                def slope(i: int, k: int, data: Any = data, index: Any = index, op: Any = op) -> float:
                    at = (data[index[chain.operands[i][k]]], *chain.order[i].operands[1:])
                    return op.partials_at(at, op.on_floats(*at), [k == 0 for k in range(len(at))])[0]

                details = {"place": group.name, "other": other.name, "where": chain.described(i)}
                self.tell("instead", self.swept(edges, factor if product else slope), **details)

    def factors(self) -> None:
        """Try the right derivative times a variable, or over it."""
        for group in self.chain.groups if self.parts else ():
            for part in self.parts if group.data.all() else ():
                with contextlib.suppress(ValueError):  # of another shape
                    array = np.broadcast_to(group.data, part.truth.shape)
                    for kind, numbers in (("times", part.truth * array), ("over", part.truth / array)):
                        if part.alike(numbers):
                            self.hints.append(Hint(kind, (part.name,), {"what": group.name}))

    def between(self) -> None:
        """Try what flows back from one variable to another: transposed, without the cross terms, or as it came."""
        chain = self.chain
        right = np.array(chain.right)
        for group in self.arrays:
            if group.data.ndim == 2 and group.data.shape[0] == group.data.shape[1] > 1 and chain.left > 0:
                nodes = np.array(group.nodes).reshape(group.data.shape)
                seeds = dict(zip(nodes.ravel().tolist(), right[nodes.T].ravel().tolist(), strict=True))
                through = chain.at_inputs(chain.sweep(seeds=seeds))
                self.tell("turned", self.without(group.nodes) + through, place=group.name)
        few = [g for g in self.arrays if 1 < len(g.nodes) <= 64 and len({*g.nodes}) == len(g.nodes)]
        for b in few:
            for a in few:
                if len(a.nodes) != len(b.nodes) or chain.left <= 0 or not chain.depends(b, a, least=2):
                    continue
                rows = [chain.sweep(seeds={j: 1.0}, stop=frozenset(a.nodes)) for j in b.nodes]
                diagonal = [row[i] for row, i in zip(rows, a.nodes, strict=True)]
                through = right[list(b.nodes)]
                rest = self.without(b.nodes)
                flows: list[tuple[Any, str, dict[str, str]]] = [
                    (through * diagonal, "diagonal", {"place": b.name, "operand": a.name}),
                    (through, "left out", {"place": f"{b.name} by {a.name}", "slope": " altogether"}),
                ]
                y = b.data  # a softmax: each entry by its own slope, less what all of its row flow back together
                if y.ndim == 2 and any(np.allclose(y.sum(axis), 1.0) for axis in (0, 1)):
                    d = through.reshape(y.shape)
                    flows += [(np.ravel(y * (d - (d * y).sum(axis, keepdims=True))), "wrong axis", {"place": b.name})
                              for axis in (0, 1, None)]  # fmt: skip
                for flow, kind, details in flows:
                    seeds = dict(zip(a.nodes, flow.tolist(), strict=True))
                    self.tell(kind, rest + chain.at_inputs(chain.sweep(seeds=seeds)), **details)

    def uses(self) -> None:
        """Of several uses of an argument, or of a variable, one only."""
        chain = self.chain
        coming = chain.coming()
        for part in self.parts:
            steps = [coming.get(i, []) if i >= 0 else [] for i in chain.inputs[self.places[part.name]]]
            n = max(map(len, steps))
            rows = [[each[k][1] if -len(each) <= k < len(each) else 0.0 for each in steps] for k in (*range(n), -1)]
            by_sample = (self._by_row(g, steps) for g in chain.groups if g.data.ndim == 2)
            tables = [rows, *(table for table in by_sample if table)] if 1 < n <= 64 else []
            if any(part.alike(np.reshape(row, part.truth.shape)) for table in tables for row in table):
                self.hints.append(Hint("one use", (part.name,), {"n": n}))
            users = [i for each in steps for i, _ in each]
            loop = len({chain.local[i][0] for i in users}) == 1 and all(len({*each}) == len(each) for each in steps)
            for rows, k, which in self._cut(tables, n) if loop else ():
                if part.alike(np.reshape(rows, part.truth.shape)):
                    self.hints.append(Hint("some uses", (part.name,), {"which": (which, {"k": k})}))
                    break
            across = [np.sum(table[:n], axis=1) for table in tables if n == len(steps)]
            if any(part.alike(np.reshape(x, part.truth.shape)) for x in (*across, *(x[::-1] for x in across))):
                self.hints.append(Hint("axis", (part.name,)))
        for group in chain.groups:
            uses = [(i, j) for j in group.nodes if j >= 0 for i, _ in coming.get(j, ())]
            kinds = {chain.kinds[i]: i for i, _ in uses}
            for kind, first in kinds.items() if 1 < len(kinds) < 8 else ():
                kept = {j for i, j in uses if chain.kinds[i] == kind}
                lost = {(i, k) for i, j in uses if j in kept and chain.kinds[i] != kind
                        for k, x in enumerate(chain.operands[i]) if x == j}  # fmt: skip
                self.tell("one path", self.swept(sorted(lost), lambda _, __: 0.0), place=chain.described(first))

    def _cut(self, tables: Sequence[Any], n: int) -> Iterator[tuple[Any, int, str]]:
        """Yield what comes to each number by the first uses only, and by the last."""
        for table in tables:
            count = n if table is tables[0] else len(table)
            for k in range(2, count):
                yield np.sum(table[count - k : count], axis=0), k, "last"
                yield np.sum(table[:k], axis=0), k, "first"

    def _by_row(self, group: Group, steps: Sequence[Sequence[tuple[int, float]]]) -> list[list[float]]:
        """Return what comes to each number by a group's rows, such as samples; [] where it comes from elsewhere."""
        rows, columns = group.data.shape
        at = {i: n // columns for n, i in enumerate(group.nodes)}
        if not all(i in at for each in steps for i, _ in each):
            return []
        return [[sum(d for i, d in each if at[i] == row) for each in steps] for row in range(rows)]


def _factor(chain: Chain, j: int, group: Group) -> int:
    """Return the node of a group that node `j` is, or is a multiple of; -2 where there is none."""
    if j in group.nodes:
        return j
    inside = [k for k in chain.operands[j] if k in group.nodes] if chain.order[j].op is OPS["mul"] else []
    return inside[0] if len(inside) == 1 else -2
