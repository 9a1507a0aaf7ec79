"""Write docs/operations.md, and its Spanish, from the table of operations itself: `python -m lessons.operations`."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from autodiff import OPS, ops
from website import spanish

HEAD = """# Operations

This page is made from `autodiff/ops.py` by `python -m lessons.operations`. `a`, `b`, … are the operands and `r` is
the result; partials are quoted from the rows themselves. `_pick(condition, x, y)` is x where the condition holds,
else y; the other named rules are explained below the table. Outside a domain the engine raises DomainError, and arrays
follow IEEE 754; quotients (`div`, `reciprocal`, `remainder`, `floor_divide`) of infinite operands have what arrays
have, a limit or NaN, as ∞ − ∞ has. At a kink the derivative is whatever the partial gives there. How accurate each
operation is: [accuracy.md](accuracy.md).

| operation | partial derivatives, one per operand | domain | kink where 0 |
|---|---|---|---|
"""


INLINE = {"_pick"}  # explained above the table


def rows() -> dict[str, ast.Call]:
    """Return the source of each row, by name."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(ops))) if isinstance(node, ast.Call)]
    return {ast.literal_eval(c.args[0]): c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "row"}


def text(rule: ast.expr) -> str:
    """Return a rule as one reads it: the body of a lambda, or a function's name."""
    return ast.unparse(rule.body if isinstance(rule, ast.Lambda) else rule).replace("|", "\\|")


def table() -> str:
    """Return the whole page."""
    lines: list[str] = []
    source = rows()
    for op in OPS.values():
        call = source[op.name]
        rules = call.args[4]
        partials = [text(r) for r in rules.elts] if isinstance(rules, ast.Tuple) else [text(rules)]
        domains = ", ".join(map(str, op.domains)) or (op.condition if "condition" in ast.unparse(call) else "")
        kink = next((text(k.value) for k in call.keywords if k.arg == "kink"), "")
        kink = {"_itself": "a"}.get(kink, kink)
        cells = (f"`{op.name}`", "; ".join(f"`{p}`" for p in partials), domains, f"`{kink}`" if kink else "")
        lines.append("| " + " | ".join(cells) + " |")
    page = HEAD + "\n".join(lines) + "\n"
    named = {name: rule for name, rule in vars(ops).items() if inspect.isfunction(rule) and name not in INLINE}
    shown = [name for name in named if re.search(rf"[`( ]{name}\b", page)]
    return (
        page
        + "\n"
        + "".join(
            f"- `{name}`: {' '.join((inspect.getdoc(named[name]) or '').split()).removeprefix('Return ')}\n"
            for name in shown
        )
    )


if __name__ == "__main__":
    Path("docs/operations.md").write_text(table(), encoding="utf-8")
    spanish.write("operations")
