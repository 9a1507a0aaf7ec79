"""What every mode gives at the edges of operations: a section of docs/trust.md, by `python -m benchmarks.edges`.

A function of one number is asked for its value, its first and its second derivative by everything that can tell:
eager (backward, create_graph, grad, jvp, jacobian, hessian) and compiled (values, value_and_grad, grad and jvp of it,
hvp), one point at a time and as a batch.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from autodiff import OPS, Op, Value, compile, grad, hessian, jacobian, jvp, value_and_grad

PAGE = Path(__file__).resolve().parent.parent / "docs" / "trust.md"
POINTS = (0.0, -0.0, 0.5, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e3, -1e3, 1e308, -1e308, 5e-324)
OTHERS = (0.5, 2.0, 0.25, 1.5)  # what the other operands are
RAISED = "raised"
EAGER, COMPILED = "eager", "compiled"
Function = Callable[[Any], Any]


def functions_of(op: Op) -> Iterator[tuple[str, Function]]:
    """The operation as functions of one operand each, and of all at once where there are several."""
    arity = op.arity or 3
    for i in range(arity):
        others = OTHERS[:i], OTHERS[i : arity - 1]
        yield f"{op.name}, operand {i + 1}" if arity > 1 else op.name, lambda x, o=others: op(*o[0], x, *o[1])
    if arity > 1:
        yield f"{op.name}, all the same", lambda x: op(*[x] * arity)


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

    def at(self, points: Iterable[float]) -> Iterator[tuple[float, list[dict[tuple[str, str], Any]]]]:
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
        }
        for k, x in enumerate(points):
            found: list[dict[tuple[str, str], Any]] = [{}, {}, {}]
            for mode, create_graph in (("backward", False), ("create_graph", True)):
                swept = asked(lambda c=create_graph: _swept(self.f, x, create_graph=c))
                for order in range(3):
                    if swept != RAISED and swept[order] is not None:
                        found[order][EAGER, mode] = swept[order]
            both = asked(lambda: value_and_grad(self.f)(x))
            forward = asked(lambda: jvp(self.f, (x,), (1.0,)))
            for order in range(2):
                found[order][EAGER, "value_and_grad"] = both if both == RAISED else both[order]
                found[order][EAGER, "jvp"] = forward if forward == RAISED else forward[order]
            found[1][EAGER, "jacobian"] = asked(lambda: jacobian(self.f)(x))
            found[2][EAGER, "grad of grad"] = asked(lambda: grad(grad(self.f))(x))
            found[2][EAGER, "hessian"] = asked(lambda: hessian(self.f)(x))
            for (order, mode), batch in batches.items():
                found[order][COMPILED, mode] = float(batch[k])
            found[0][COMPILED, "one point"] = float(self.program([x])[0])
            found[1][COMPILED, "compile(grad), one point"] = float(self.gradient([x])[0])
            found[2][COMPILED, "compile(grad(grad)), one point"] = float(self.second([x])[0])
            self.parameter.data = x
            found[2][COMPILED, "hvp"] = asked(lambda: float(self.of_parameter.hvp([0.0], vector=[1.0])[0]))
            yield x, found


def same(a: Any, b: Any) -> bool:
    """Both refused, both NaN, the same infinity, or equal to rounding."""
    if RAISED in (a, b):
        return a == b
    return (a != a and b != b) or a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


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


HEAD = "## At the edges, in every mode"
INTRO = """
Made by `python -m benchmarks.edges`. Each entry is value, first and second derivative, as every mode gives them: eager
(`backward`, with `create_graph` too, `grad`, `jvp`, `jacobian`, `hessian`) and compiled (a program's values, its
`value_and_grad`, `jvp` and `hvp`, the programs of `grad(f)` and `grad(grad(f))`, one point and a batch). Where the
eager ones raise a DomainError the compiled ones follow IEEE 754, and the entry is *raised / what they give*. Other
operands are 0.5, 2, 0.25, 1.5. `≠` marks an entry in which modes contradict each other: {odd} of {count} numbers in the
table, for the reasons in `tests/test_modes.py`.

A δ or slope that is exactly 0 is not handed on, so 0 · ∞ counts as 0. That is right below what `where` does not take,
and need not be the limit elsewhere: d(acos(x)²)/dx at 1 is −2. `backward`, the functions of `grad`'s kind, and compiled
programs with `check=True` give a `LostLimitWarning` there, once for each line that asks; `anomalies(root)` and
`explain` name the operation (`tests/test_edges.py::test_a_lost_limit_is_told`).

"""
COLUMNS = (0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e3, 1e308, 5e-324)


def rows() -> Iterator[tuple[str, str, int, int]]:
    """Name, line of the table, how many numbers it has, and how many of them differ."""
    for op in OPS.values():
        for name, f in functions_of(op):
            cells, odd = [], 0
            for _, found in Modes(f).at(COLUMNS):
                cells.append("; ".join(map(shown, found)))
                odd += sum(bool(differences(each)) for each in found)
            yield name, f"| {name} | " + " | ".join(cells) + " |", 3 * len(COLUMNS), odd


def section() -> str:
    lines = list(rows())
    head = f"| operation | {' | '.join(f'{x:g}' for x in COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}\n"
    intro = INTRO.format(odd=sum(n for *_, n in lines), count=f"{sum(n for _, _, n, _ in lines):,}")
    return HEAD + "\n" + intro + head + "\n".join(line for _, line, *_ in lines) + "\n"


def main() -> None:
    before, _, _ = PAGE.read_text(encoding="utf-8").partition(HEAD)
    PAGE.write_text(before.rstrip() + "\n\n" + section(), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
