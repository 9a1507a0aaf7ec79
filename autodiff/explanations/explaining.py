"""explain: the chain-rule sum at one node, by consumer or by path, as text, as LaTeX and as data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from autodiff.explanations.diagnosis import diagnose
from autodiff.explanations.flow import MANY, Contribution, Flow, Paths, Use, evaluation_order, grad_of, handed_on, same
from autodiff.explanations.formulas import Symbol, formula, number_symbol
from autodiff.explanations.notation import Names, Tree, bullets, by, factor, joined, latex, number, text
from autodiff.naming import describe
from autodiff.value import Value
from autodiff.wording import language_of, say, speaking

_PATH_LENGTH = 12  # factors of a path written out
_LINE_LENGTH = 60  # characters of a consumer's formula; longer ones are left out


@dataclass(frozen=True, slots=True)
class Path:
    """One way down from a node to one of those it depends on.

    `nodes` are those on the way and `uses` the steps between them. `product` is `start`, the δ of the first node (1 at
    the root), times the partials of all uses.
    """

    nodes: tuple[Value, ...]
    uses: tuple[Use, ...]
    start: float
    product: float


@dataclass(frozen=True)
class Explanation:
    """The derivation of δ of `node`, ∂root/∂node. Printed it is text; `latex` is for math mode and shown by Jupyter.

    `delta` is computed afresh by a sweep from `root`. `contributions` are its terms: a Contribution for each consumer,
    in the order of the sweep; or, for `explain(..., to=...)`, the largest Paths, largest first, with `n_rest` others
    that add up to `rest`. `grad_agrees` tells whether `node.grad` holds that δ: None if it is not swept or, with
    paths, need not. `diagnosis` holds remarks, in most cases none.
    """

    root: Value
    node: Value
    delta: float
    contributions: tuple[Contribution, ...] | tuple[Path, ...]
    diagnosis: tuple[str, ...]
    grad_agrees: bool | None
    n_rest: int = 0
    rest: float = 0.0
    through: Value | None = None
    limit: int = field(default=10, repr=False)
    names: Names = field(repr=False, kw_only=True)
    language: str = field(default_factory=language_of, repr=False, kw_only=True)  # of text and remarks

    def __str__(self) -> str:
        with speaking(self.language):
            return "\n".join(_Text(self).lines())

    @property
    def latex(self) -> str:
        """The sum as one line of LaTeX: symbols, then numbers, then δ."""
        return latex(self.tree())

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"

    def _repr_markdown_(self) -> str:
        """Return the formula with the remarks below it, as Jupyter shows them."""
        return f"$$\\displaystyle {self.latex}$$\n\n{bullets(self.diagnosis)}"

    def tree(self) -> Tree:
        """Return the sum as a formula: ∂root/∂node = Σ symbols = Σ numbers = δ."""
        head = by(self.names(self.root), self.names(self.node))
        result = number(self.delta)
        if not self.contributions:
            return joined([head, result], "=")
        shown = largest(self.contributions, self.limit)
        symbols, numbers = [self._symbols(term) for term in shown], [self._numbers(term) for term in shown]
        if len(shown) < len(self.contributions) or self.n_rest:
            symbols.append(("mo", "…"))
            numbers.append(factor(self._remainder(shown)))
        return joined([head, joined(symbols, "+"), joined(numbers, "+"), result], "=")

    def _symbols(self, term: Contribution | Path) -> Tree:
        name = self.names
        if isinstance(term, Contribution):
            return ("mrow", delta_of(name(term.consumer)), ("mo", "·"), by(name(term.consumer), name(self.node)))
        start = [] if self.through is None or self.through is self.root else [delta_of(name(self.through))]
        pairs = itertools.pairwise(term.nodes)
        factors = [*start, *(by(name(a), name(b)) for a, b in pairs)]
        return joined(_shortened(factors) or [("mn", "1")], "·")

    def _numbers(self, term: Contribution | Path) -> Tree:
        if isinstance(term, Contribution):
            return joined([factor(term.delta), factor(term.partial)], "·")
        start = [] if self.through is None or self.through is self.root else [factor(term.start)]
        return joined(_shortened([*start, *(factor(use.partial) for use in term.uses)]) or [("mn", "1")], "·")

    def _remainder(self, shown: Sequence[Any]) -> float:
        listed = {id(term) for term in shown}
        return math.fsum(term.product for term in self.contributions if id(term) not in listed) + self.rest


def explain(
    node: Value, *, of: Value | None = None, to: Value | None = None, limit: int = 10, language: str | None = None
) -> Explanation:
    """Explain a gradient: its chain-rule sum, checked against `grad`, with remarks in words.

    A gradient gets a remark if it is 0, below 1e-6 or above 1e6, infinite or NaN, if it comes through a saturated
    activation, or if C was not computed from w at all.

    `explain(w, of=C)` shows ∂C/∂w by consumer: for each use of w, δ of the consumer times the local partial.
    `explain(C, to=w)` shows the same derivative by path, the `limit` largest first and the rest in one sum;
    `explain(z, of=C, to=w)` shows only the paths from C to w that lead through z. Nothing is swept or changed: `C`
    need not be swept, and may be NaN. Text and remarks are in the `language` "en" or "es", by default that of
    `set_language`.

    Raises TypeError when neither `of` nor `to` is given: a node knows what it was computed from, not what was
    computed from it. Raises ValueError for a `limit` below 1.

    >>> from autodiff import Value
    >>> x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.5, "b")
    >>> z = w * x + b
    >>> z.label = "z"
    >>> C = z * z
    >>> C.label = "C"
    >>> C.backward()
    >>> print(explain(z, of=C))
    ∂C/∂z = 1.0, z.grad agrees
      C = z · z: δ(C) · ∂C/∂z = 1 · 0.5 = 0.5
      C = z · z: δ(C) · ∂C/∂z = 1 · 0.5 = 0.5, in sum 1
    >>> print(explain(C, to=w))
    ∂C/∂w = 2.0 by path (2 paths), w.grad agrees
      C → z → v1 → w: 0.5 · 1 · 2 = 1
      C → z → v1 → w: 0.5 · 1 · 2 = 1
    >>> print(explain(Value(1.0, "unused"), of=C))
    ∂C/∂unused = 0.0
      unused: 'C' was not computed from 'unused', so ∂'C'/∂'unused' is 0
    """
    for name, given in {"node": node, "of": of, "to": to}.items():
        if not (given is None and name != "node") and not isinstance(given, Value):
            raise TypeError(f"{name} must be a Value, got {type(given).__name__} {given!r}")
    if limit.__class__ is not int or limit < 1:
        raise ValueError(f"limit must be a whole number of terms to show, 1 or more, got {limit!r}")
    if to is not None:
        with speaking(language):
            return _by_path(node, to, of or node, limit)
    if of is None:
        me = describe(node)
        raise TypeError(
            f"explain({me}) must be told a result, as a node does not know its consumers, got neither `of` nor `to`; "
            f"explain(node, of=root) shows ∂root/∂{me}, where root is what you called backward() on; "
            f"explain(node, to=leaf) shows ∂{me}/∂leaf by path"
        )
    with speaking(language):
        return explain_in(Flow(of), node, limit=limit)


def explain_in(flow: Flow, node: Value, *, names: Names | None = None, limit: int = 10) -> Explanation:
    """Return `explain(node, of=flow.root)` from a flow that exists already."""
    known = node in flow.delta
    delta = flow.delta[node] if known else 0.0
    terms = flow.contributions(node) if known else ()
    names = names or Names(flow.order if known else [*flow.order, node])
    agrees = _agrees(node, delta, terms) if known else None
    return Explanation(flow.root, node, delta, terms, diagnose(flow, node), agrees, limit=limit, names=names)


def _by_path(through: Value, leaf: Value, root: Value, limit: int) -> Explanation:
    flow = Flow(root)
    start = flow.delta.get(through, 0.0)
    total = handed_on(start, Flow(through).delta.get(leaf, 0.0))
    paths = Paths(through, leaf) if start else None
    shown: list[Path] = []
    for uses in itertools.islice(paths or (), limit):
        product = start
        for use in uses:
            product = handed_on(product, use.partial)
        nodes = (*(use.consumer for use in uses), leaf)
        shown.append(Path(nodes, uses, start, product))
    n_rest = (paths.count if paths else 0) - len(shown)
    rest = total - math.fsum(path.product for path in shown) if n_rest else 0.0
    names = Names(evaluation_order(root)) if leaf in flow.delta else Names([*flow.order, leaf])
    agrees = _agrees(leaf, total, shown) if through is root else None
    return Explanation(
        root, leaf, total, tuple(shown), diagnose(flow, leaf), agrees, n_rest, rest, through, limit, names=names
    )


def _agrees(node: Value, delta: float, terms: Sequence[Contribution] | Sequence[Path]) -> bool | None:
    grad = grad_of(node)
    return None if grad is None else same(grad, delta, max((abs(term.product) for term in terms), default=0.0))


def largest(terms: Sequence[Any], limit: int) -> list[Any]:
    """Return the `limit` terms with the largest |product|, in their own order."""
    if len(terms) <= limit:
        return list(terms)

    def size(i: int) -> float:
        return -math.inf if math.isnan(terms[i].product) else -abs(terms[i].product)

    kept = sorted(sorted(range(len(terms)), key=size)[:limit])
    return [terms[i] for i in kept]


def delta_of(name: Tree) -> Tree:
    """Return δ with a name as its index."""
    return ("msub", ("mi", "δ"), name)


def _shortened(factors: list[Tree]) -> list[Tree]:
    half = _PATH_LENGTH // 2
    return factors if len(factors) <= _PATH_LENGTH else [*factors[:half], ("mo", "…"), *factors[-half:]]


def definition(node: Value, names: Callable[[Value], Tree], *, numbers: bool = False) -> Tree | None:
    """Return the right-hand side of `node = …`, in names or in numbers; None for a leaf and if it cannot be written."""
    return formula(node.op, symbols(node, names, numbers=numbers)) if node.op is not None else None


def symbols(node: Value, names: Callable[[Value], Tree], *, numbers: bool = False) -> list[Symbol]:
    """Return the operands of a node as symbols: constants as numbers, Values by name or, if asked, as numbers too."""
    return [
        number_symbol(float(getattr(x, "data", x))) if numbers or x.__class__ is float else Symbol(names(x), x.data)
        for x in node.operands
    ]


class _Text:
    """The writer of an explanation as text."""

    def __init__(self, explanation: Explanation) -> None:
        self.e = explanation

    def name(self, node: Value) -> str:
        return text(self.e.names(node))

    def lines(self) -> list[str]:
        e = self.e
        said = [self.head()]
        shown = largest(e.contributions, e.limit)
        whole = len(shown) == len(e.contributions)
        said += [f"  {self.line(term, i, whole)}" for i, term in enumerate(shown)]
        n_rest = len(e.contributions) - len(shown) + e.n_rest
        if n_rest:
            count = say("explain.many", n=MANY) if n_rest > MANY // 2 else f"{n_rest:,}"
            said.append("  " + say("explain.rest", count=count, rest=e._remainder(shown)))  # pyright: ignore[reportPrivateUsage]
        return said + [f"  {sentence}" for sentence in e.diagnosis]

    def head(self) -> str:
        e = self.e
        said = f"∂{self.name(e.root)}/∂{self.name(e.node)} = {e.delta!r}"
        if e.through is not None:
            n = len(e.contributions) + e.n_rest
            count = say("explain.many", n=MANY) if n >= MANY else f"{n:,}"
            through = "" if e.through is e.root else say("explain.through", node=self.name(e.through))
            said += say("explain.paths", n=n, count=count, through=through)
        if e.node is e.root:
            return said + say("explain.root")
        if e.grad_agrees is None:
            return said
        agrees = "agrees" if e.grad_agrees else "differs"
        return said + say(f"explain.{agrees}", node=self.name(e.node), grad=grad_of(e.node))

    def line(self, term: Contribution | Path, i: int, whole: bool) -> str:
        e = self.e
        if isinstance(term, Path):
            way = [self.name(node) for node in term.nodes]
            half = _PATH_LENGTH // 2
            way = way if len(way) <= _PATH_LENGTH else [*way[:half], "…", *way[-half:]]
            return f"{' → '.join(way)}: {text(e._numbers(term))} = {term.product:.4g}"  # pyright: ignore[reportPrivateUsage]
        written = definition(term.consumer, e.names)
        consumer = self.name(term.consumer)
        made = f"{consumer} = {text(written)}" if written else consumer
        made = made if len(made) <= _LINE_LENGTH else consumer
        factors = f"{term.delta:.4g} · {text(factor(term.partial))}"
        running = say("explain.running", running=term.running) if whole and i else ""
        return f"{made}: δ({consumer}) · ∂{consumer}/∂{self.name(e.node)} = {factors} = {term.product:.4g}{running}"
