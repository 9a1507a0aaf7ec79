"""Write the table of planted faults into docs/gradient-testing.md: `python -m lessons.gradient_faults`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from autodiff import OPS
from autodiff.testing.faults import KINDS, OPERANDS, caught_by, faults
from website import spanish

PAGE = Path(__file__).parent.parent / "docs" / "gradient-testing.md"
START, END = "<!-- planted faults: python -m lessons.gradient_faults -->\n", "<!-- end of planted faults -->\n"


def table() -> str:
    """Return a line for every partial of every row: caught / planted, by kind of fault."""
    lines = [f"| operation | operand | {' | '.join(KINDS)} |", "|---" * (2 + len(KINDS)) + "|"]
    planted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    by_kinks = 0
    told = [op for op in OPS.values() if op.name != "stop_gradient"]  # whose slope is that of its value
    for op in told:
        who = [(fault, caught_by(fault)) for fault in faults(op)]
        by_kinks += sum(by == "kinks" for _, by in who)
        for operand in range(1, (op.arity or OPERANDS) + 1):
            cells: list[str] = []
            for kind in KINDS:
                here = [by for fault, by in who if fault.operand == operand and fault.kind == kind]
                caught = sum(by != "" for by in here)
                planted[kind] += len(here)
                found[kind] += caught
                cells.append(f"{caught}/{len(here)}" if here else "–")
            lines.append(f"| `{op.name}` | {operand} | {' | '.join(cells)} |")
    total = [f"**{found[kind]}/{planted[kind]}**" for kind in KINDS]
    lines.append(f"| **all {len(told)}** |  | {' | '.join(total)} |")
    return (
        f"{found.total()} of {planted.total()} planted faults are caught: {found.total() - by_kinks} by `gradcheck`, "
        f"{by_kinks} by `check_kinks` alone.\n\n" + "\n".join(lines) + "\n"
    )


def page(text: str) -> str:
    """Return the page with the table as it is now."""
    before, rest = text.split(START)
    return before + START + "\n" + table() + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    spanish.write("gradient-testing")
