"""What every mode gives at the edges of operations: a section of docs/trust.md, by `python -m benchmarks.edges`.

A function of one number is asked for its value, its first and its second derivative by everything that can tell:
eager (backward, create_graph, grad, jvp, jacobian, hessian) and compiled (values, value_and_grad, grad and jvp of it,
hvp), one point at a time and as a batch.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from autodiff import OPS, Op, Value, compile, grad, hessian, hvp, jacobian, jvp, value_and_grad
from benchmarks.chains import (
    LEAST,
    MOST,
    NUDGE,
    RESULT,
    ROUNDED,
    VARIABLE,
    Chain,
    Step,
    Truth,
    UnknownError,
    drawn,
    steps_of,
    truth,
)
from website import spanish

PAGE = Path(__file__).resolve().parent.parent / "docs" / "trust.md"
POINTS = (0.0, -0.0, 0.5, 1.0, -1.0, 2.0, math.inf, -math.inf, math.nan, 1e3, -1e3, 1e308, -1e308, 5e-324)
RAISED = "raised"
EAGER, COMPILED = "eager", "compiled"
Function = Callable[[Any], Any]
Answers = dict[tuple[str, str], Any]


def asked(answer: Callable[[], Any]) -> Any:
    """A number, or that the question was refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return answer()
        except (ArithmeticError, ValueError, RuntimeError):
            return RAISED


def _swept(f: Function, x: float, *, create_graph: bool) -> tuple[float, float, float | None]:
    v = Value(x, "x")
    root = f(v)
    if not isinstance(root, Value):
        return root, 0.0, 0.0
    root.backward(create_graph=create_graph)
    slope = v.grad if v.swept else 0.0
    if not create_graph:
        return root.data, slope, None
    v.zero_grad()
    if math.isfinite(slope.data):
        slope.backward()
        return root.data, slope.data, v.grad if v.swept else 0.0
    return root.data, slope.data, None


class Modes:
    """The answers of all modes for one function: by order of the derivative, then by kind and mode."""

    def __init__(self, f: Function) -> None:
        self.f = f
        self.program = compile(f)
        self.gradient, self.second = compile(grad(f)), compile(grad(grad(f)))
        self.parameter = Value(0.0, "p")
        self.of_parameter = compile(lambda _: f(self.parameter))

    def at(self, points: Iterable[float]) -> Iterator[tuple[float, list[Answers]]]:
        """For each point: three dictionaries, of value, first and second derivative, by kind and mode."""
        points = list(points)
        ones = [1.0] * len(points)
        batches = {
            (0, "batch"): self.program(points),
            (1, "value_and_grad, batch"): self.program.value_and_grad(points, argnums=0, reduce=None)[2],
            (1, "compile(grad), batch"): self.gradient(points),
            (1, "jvp, batch"): self.program.jvp((points,), (ones,))[1],
            (2, "compile(grad(grad)), batch"): self.second(points),
            (2, "jvp of the gradient, batch"): self.gradient.jvp((points,), (ones,))[1],
            (2, "value_and_grad of the gradient, batch"): self.gradient.value_and_grad(points, argnums=0)[2],
        }
        batches[2, "value_and_grad of the gradient, batch"] *= len(points)  # of their mean
        for k, x in enumerate(points):
            found = self._eager(x)
            for (order, mode), batch in batches.items():
                found[order][COMPILED, mode] = float(batch[k])
            for order, mode, answer in self._one_by_one(x):
                found[order][COMPILED, mode] = answer
            yield x, found

    def _eager(self, x: float) -> list[Answers]:
        f = self.f
        found: list[Answers] = [{}, {}, {}]
        for mode, create_graph in (("backward", False), ("create_graph", True)):
            swept = asked(lambda c=create_graph: _swept(f, x, create_graph=c))
            for order in range(3):
                if swept != RAISED and swept[order] is not None:
                    found[order][EAGER, mode] = swept[order]
        both = asked(lambda: value_and_grad(f)(x))
        forward = asked(lambda: jvp(f, (x,), (1.0,)))
        for order in range(2):
            found[order][EAGER, "value_and_grad"] = both if both == RAISED else both[order]
            found[order][EAGER, "jvp"] = forward if forward == RAISED else forward[order]
        found[1][EAGER, "jacobian"] = asked(lambda: jacobian(f)(x))
        found[2][EAGER, "grad of grad"] = asked(lambda: grad(grad(f))(x))
        found[2][EAGER, "hessian"] = asked(lambda: hessian(f)(x))
        found[2][EAGER, "hvp"] = asked(lambda: hvp(f)(x, 1.0))
        found[2][EAGER, "jvp of grad"] = asked(lambda: jvp(grad(f), (x,), (1.0,))[1])
        return found

    def _one_by_one(self, x: float) -> Iterator[tuple[int, str, float]]:
        yield 0, "one row", float(self.program([x])[0])
        yield 0, "one point", self.program(x)
        yield 1, "value_and_grad, one point", self.program.value_and_grad(x, argnums=0)[2]
        yield 1, "jvp, one point", self.program.jvp((x,), (1.0,))[1]
        yield 1, "compile(grad), one row", float(self.gradient([x])[0])
        yield 1, "compile(grad), one point", self.gradient(x)
        yield 2, "compile(grad(grad)), one row", float(self.second([x])[0])
        yield 2, "compile(grad(grad)), one point", self.second(x)
        self.parameter.data = x
        _, slope = self.of_parameter.value_and_grad([0.0])
        yield 1, "value_and_grad, by a parameter", float(slope[0]) if len(slope) else 0.0
        yield 2, "hvp", float(self.of_parameter.hvp([0.0], vector=[1.0] * len(slope))[0]) if len(slope) else 0.0


@cache
def of_row(step: Step) -> list[tuple[float, list[Answers]]]:
    """Ask all modes of a row alone, once for the table and for what is said of it."""
    return list(Modes(Chain((step,))).at(POINTS))


def same(a: Any, b: Any, tolerance: float = 1e-9) -> bool:
    """Both refused, both NaN, the same infinity, or equal to rounding."""
    if RAISED in (a, b):
        return a == b
    return (a != a and b != b) or a == b or math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-12)


def differences(found: dict[tuple[str, str], Any]) -> list[tuple[str, Any]]:
    """The modes that give another answer than the first of their kind, and the kinds that contradict each other.

    Agreement: every eager mode gives one answer, or every one raises; every compiled mode gives one number. Where eager
    ones raise, compiled ones follow IEEE 754; elsewhere the two are one number.
    """
    kinds = {kind: [(m, a) for (k, m), a in found.items() if k == kind] for kind in (EAGER, COMPILED)}
    odd = [(mode, a) for answers in kinds.values() for mode, a in answers if not same(a, answers[0][1])]
    eager, compiled = kinds[EAGER][0][1], kinds[COMPILED][0][1]
    if not odd and eager != RAISED and not same(eager, compiled):
        odd.append(("eager and compiled", (eager, compiled)))
    return odd


def shown(found: dict[tuple[str, str], Any]) -> str:
    """One answer for the table: the eager one, and the compiled one where it is another."""
    first = {kind: next(a for (k, _), a in found.items() if k == kind) for kind in (EAGER, COMPILED)}
    text = {kind: a if a == RAISED else f"{a + 0.0:.4g}" for kind, a in first.items()}
    mark = " ≠" if differences(found) else ""
    if text[EAGER] == text[COMPILED]:
        return text[EAGER] + mark
    return f"{text[EAGER]} / {text[COMPILED]}{mark}"


BEGIN, END = "<!-- edges: python -m benchmarks.edges -->\n\n", "\n<!-- end of edges -->\n"  # of what has Spanish too
HEAD = "## At the edges, in every mode"
INTRO = """
Made by `python -m benchmarks.edges`. Each entry is value, first and second derivative, as every mode gives them: eager
(`backward`, with `create_graph` too, `grad`, `jvp`, `jacobian`, `hessian`, `hvp`) and compiled (a program's values, its
`value_and_grad`, `jvp` and `hvp`, the programs of `grad(f)` and `grad(grad(f))`; one point, one row, and a batch).
Where the eager ones raise a DomainError the compiled ones follow IEEE 754, but for 0 · ∞ (below), and the entry is
*raised / what they give*. Other operands are 0.5, 2, 0.25, 1.5. `≠` marks an entry in which modes contradict each
other, {odd} of {count} numbers in the table: all are second derivatives, of ∞ − ∞, that a program cancels beforehand.

A δ or slope that is exactly 0 is not handed on, so 0 · ∞ counts as 0. That is right below what `where` does not take,
and need not be the limit elsewhere: d(acos(x)²)/dx at 1 is −2. `backward`, the functions of `grad`'s kind, and compiled
programs with `check=True` give a `LostLimitWarning` there, once for each line that asks; `anomalies(root)` and
`explain` name the operation (`tests/test_edges.py::test_a_lost_limit_is_told`). What 0 · ∞ drops depends on the
direction of the sweep, so where anything is infinite forward mode answers by the sweep backward.

For the same reason a program without `check=True` may have a derivative of 0 where the eager engine refuses one: the
second derivative of acos(x)² at 1 or of √x⁴ and of (√(x² + y²))² at 0, for which a slope is infinite (`hypot(x, y)`
has them), and the slope of log σ(x) at −800, where σ is 0. With `check=True` it raises what the eager engine raises
(`tests/test_edges.py::test_a_checked_program_refuses_the_second_derivatives_that_the_eager_engine_refuses`).

A second derivative is the derivative of the first as it is computed, so a kink's convention holds twice: |x|² and
relu(x)² have the second derivative 0 at 0, and max(x, 0)² has 2 · ½ · ½, as in PyTorch
(`tests/test_edges.py::test_squares_of_kinks_have_the_second_derivatives_of_pytorch`). Hypots computed
alike are one hypot at the origin; r · 2r, of two different ones, counts as 0 there, and is told.

A partial is one float. Where it over- or underflows, a term is lost, even if the product with its δ would be of
ordinary size: log(10²⁰⁰ x) has the second derivative 0 for −1/x², and 1 / (10⁻²⁰⁰ x) the slope −∞. Angles are
computed by scaled operands and keep theirs
(`tests/test_modes.py::test_the_second_derivative_of_an_angle_does_not_depend_on_the_size_of_its_operands`).

"""
COMPOSED = """
Compositions of rows, in all modes, as the same command counts them, at
{places}.

*True*: in every mode it is what mpmath says in 120 digits or more. *One answer*: all modes give the same number, or all
raise, where there is no derivative, mpmath cannot say, or a number on the way is infinite, over- or underflows, so that
another answer than the limit may come of it. *Wrong*: modes contradict each other, or mpmath where all on the way is of
ordinary size. *Differ*: modes contradict each other where mathematics alone does not say which is right, because

{why}

| | | tried | true | one answer | differ | wrong |
|---|---|---|---|---|---|---|
"""
COLUMNS = (0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e3, 1e308, 5e-324)
ORDERS = ("value", "first derivative", "second derivative")
PAIRS = TRIPLES = 800


def truths(chain: Chain, points: Iterable[float]) -> dict[float, Truth]:
    """Return what mathematics says, where it says something; 0 and −0 are one number to it."""
    found: dict[float, Truth] = {}
    for x in {*points}:
        if math.isfinite(x):
            with contextlib.suppress(UnknownError):
                found[x] = truth(chain, x)
    return found


# What a result on the way may be without being wrong: a zero or NaN of the other sign, or rounded a little otherwise.
FLIPPED = Op("flipped", "±", lambda a: -a if a == 0.0 or a != a else a, partials=(lambda *_: 1.0,))
NUDGED = tuple(
    Op("nudged", "≈", lambda a, k=k: k * a if abs(k * a) < math.inf else a, partials=(lambda *_: 1.0,))
    for k in (1.0 - NUDGE, 1.0 + NUDGE)
)


def excuse(chain: Chain, x: float, order: int) -> str:
    """Why modes may give different answers of this chain at a point; "" where they may not."""
    if order == 2 and strained(chain, x):
        return "a first or second partial on the way is infinite, over- or underflows"
    f: Function = {0: lambda f: f, 1: grad, 2: lambda f: grad(grad(f))}[order]
    answer = asked(lambda: f(chain)(x))
    for changes in (FLIPPED,), NUDGED:
        for change in changes:
            for k in range(1, len(chain.steps) + 1):
                other = Chain((*chain.steps[:k], Step(change, (RESULT,)), *chain.steps[k:]))
                if not same(answer, asked(lambda c=other: f(c)(x)), 1e-6):
                    return f"{'the sign of a zero or NaN' if change is FLIPPED else 'a rounding'} on the way decides"
    if math.isfinite(x) and strained(chain, x, partials=False):
        return "a value on the way over- or underflows"
    results = [
        asked(lambda k=k: Chain(chain.steps[: k + 1])(x)) for k, step in enumerate(chain.steps) if step.op in ROUNDED
    ]
    if any(r != RAISED and not 0.01 < abs(r) < 0.99 for r in results):
        return "programs have the slopes of tanh and sigmoid to a rounding of 1"
    powers = [(step.operands[0], chain.steps[:k]) for k, step in enumerate(chain.steps) if step.op.name == "pow"]
    bases = [x if base == VARIABLE else asked(lambda s=before: Chain(s)(x)) for base, before in powers]
    return "NumPy has (−∞)^½ = ∞ or NaN, by how many numbers there are" if -math.inf in bases else ""


def strained(chain: Chain, x: float, *, partials: bool = True) -> bool:
    """Whether a result on the way, or a first or second partial of it, is infinite, over- or underflows."""
    result, numbers = x, [x] if math.isfinite(x) else []
    for step in chain.steps:

        def row(at: Any, step: Any = step) -> Any:
            return step(at[0], at[1])

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                result, slopes = value_and_grad(row)([before := result, x])
                numbers.append(result)
                if partials:
                    numbers += [*slopes, *hessian(row)([before, x]).flat]
            except (ArithmeticError, ValueError):
                return partials
    return not all(n == 0.0 or LEAST < abs(n) < MOST for n in numbers)


def judged(chain: Chain, points: Iterable[float]) -> Iterator[tuple[float, int, str, Any]]:
    """For each point and order of derivative: "true", "one answer", why modes differ, or "wrong"; and the answers."""
    points = list(points)
    known = truths(chain, points)
    asked_for = set(map(repr, points))
    alone = len(chain.steps) == 1 and asked_for <= set(map(repr, POINTS))
    for x, answers in of_row(chain.steps[0]) if alone else Modes(chain).at(points):
        if repr(x) not in asked_for:
            continue
        for order, found in enumerate(answers):
            verdict = "one answer"
            told = known[x].answers[order] if x in known else None
            right = told is not None and not any(a == RAISED or known[x].contradicts(order, a) for a in found.values())
            if right:
                verdict = "true"
            elif differences(found):
                verdict = excuse(chain, x, order) or "wrong"
            elif told is not None and known[x].regular:
                verdict = "wrong"
            yield x, order, verdict, found


def compositions() -> str:
    """The section of the page that counts: rows alone, then drawn pairs and triples. What is wrong is printed."""
    alone = [Chain((step,)) for op in OPS.values() for _, step in steps_of(op)]
    groups = [(f"{len(alone)} rows alone", alone)]
    groups += [(f"{count:,} of {n} rows", drawn(n, count)) for n, count in ((2, PAIRS), (3, TRIPLES))]
    lines: list[str] = []
    reasons: Counter[str] = Counter()
    for name, chains in groups:
        tally: Counter[tuple[int, str]] = Counter()
        for chain in chains:
            for x, order, verdict, found in judged(chain, POINTS):
                kind = verdict if verdict in ("true", "one answer", "wrong") else "differ"
                reasons[verdict] += kind == "differ"
                tally[order, kind] += 1
                if kind == "wrong":
                    print(f"wrong: {ORDERS[order]} of {chain} at {x}: {found}")
        for order, each in enumerate(ORDERS):
            numbers = [tally[order, kind] for kind in ("true", "one answer", "differ", "wrong")]
            lines.append(f"| {name} | {each} | {' | '.join(f'{n:,}' for n in (sum(numbers), *numbers))} |")
    why = "\n".join(f"- {reason}: {n:,}" for reason, n in reasons.most_common() if n)
    places = ", ".join(f"{x:g}" for x in POINTS)
    return COMPOSED.format(places=places, why=why) + "\n".join(lines) + "\n"


def rows() -> Iterator[tuple[str, str, int, int]]:
    """Name, line of the table, how many numbers it has, and how many of them differ."""
    for op in OPS.values():
        for name, step in steps_of(op):
            cells, odd = [], 0
            answers = {repr(x): found for x, found in of_row(step)}
            for found in (answers[repr(x)] for x in COLUMNS):
                cells.append("; ".join(map(shown, found)))
                odd += sum(bool(differences(each)) for each in found)
            yield name, f"| {name} | " + " | ".join(cells) + " |", 3 * len(COLUMNS), odd


def section() -> str:
    lines = list(rows())
    head = f"| operation | {' | '.join(f'{x:g}' for x in COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}\n"
    intro = INTRO.format(odd=sum(n for *_, n in lines), count=f"{sum(n for _, _, n, _ in lines):,}")
    return HEAD + "\n" + intro + head + "\n".join(line for _, line, *_ in lines) + "\n"


def main() -> None:
    before, _, _ = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + section() + compositions() + END, encoding="utf-8")
    spanish.write("trust")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
