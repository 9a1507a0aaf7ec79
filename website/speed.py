"""Write the README's table of speed, in both languages, from benchmarks/README.md: `python -m website.speed`."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = {"en": ROOT / "README.md", "es": ROOT / "README.es.md"}
BEGIN, END = "<!-- speed: python -m website.speed -->", "<!-- end of speed -->"
HEADS = {
    "en": ("| one core, processor time | here | peers |", "wins"),
    "es": ("| un núcleo, tiempo de procesador | aquí | otros |", "gana"),
}
PEERS = {"NumPy by hand, buffers": "NumPy by hand", "jax.jit, flat parameters": "JAX", "PyTorch nn + SGD": "PyTorch"}
NUMBA = "numba, derivatives by hand"
# What is compared, by the first words of its rows: (row, column that must hold, ours, {peer's row: its short name}).
WORK = (
    (
        "chain, 10,000 nodes", "on", ("delta-autodiff", "delta-autodiff, in Python"),
        {"microgpt style": "microgpt style", "micrograd": "micrograd", "XAD": "XAD (C++)"},
        {"en": "a node recorded, swept and freed", "es": "registrar, barrer y liberar un nodo"},
    ),
    (
        "micrograd's demo, a step", "one core", ("autodiff.compile, sums of products",),
        {**PEERS, "micrograd": "micrograd"},
        {"en": "a step of micrograd's demo, compiled", "es": "un paso de la demo de micrograd, compilado"},
    ),
    (
        "digits 64-32-10, a batch of 128", "one core", ("autodiff.compile",),
        {**PEERS, "scikit-learn partial_fit": "scikit-learn"},
        {"en": "a batch of digits, 64-32-10", "es": "un lote de dígitos, 64-32-10"},
    ),
    (
        "Black–Scholes, one option", "one core", ("autodiff.compile",),
        {NUMBA: NUMBA, "XAD": "XAD (C++)", "jax.jit": "JAX", "PyTorch": "PyTorch"},
        {"en": "one option and its five derivatives", "es": "una opción y sus cinco derivadas"},
    ),
    (
        "Black–Scholes, 1,000,000 options, each", "one core", ("autodiff.compile",),
        {NUMBA: NUMBA, "jax.jit": "JAX", "PyTorch": "PyTorch"},
        {"en": "one of a million options", "es": "una entre un millón de opciones"},
    ),
)  # fmt: skip
UNITS = {"ns": 1.0, "ns/node": 1.0, "µs": 1e3, "ms": 1e6, "s": 1e9}
SPANISH = {"NumPy by hand": "NumPy a mano", NUMBA: "numba, derivadas a mano"}


def times() -> dict[tuple[str, str, str], str]:
    """Return the time of every row of benchmarks/README.md, by work, column and engine."""
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    found: dict[tuple[str, str, str], str] = {}
    for line in re.findall(r"^\| .* \|$", text, re.MULTILINE):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > 3 and (time := re.match(r"[\d.,]+ (?:ns/node|ns|µs|ms|s)\b", cells[3])):
            found.setdefault((cells[0], cells[1], cells[2]), time[0])
    return found


def nanoseconds(time: str) -> float:
    """Return a time in nanoseconds.

    >>> nanoseconds("1,340.3 ms")
    1340300000.0
    """
    number, unit = time.split()
    return float(number.replace(",", "")) * UNITS[unit]


def table(language: str) -> str:
    """Return the table; a peer that is quicker stands in bold."""
    known = times()
    head, wins = HEADS[language]
    lines = [head, "|---|---|---|"]
    for work, column, ours, peers, named in WORK:
        here = [known[work, column, engine] for engine in ours if (work, column, engine) in known]
        best = min(map(nanoseconds, here))
        told: list[str] = []
        for row, short in peers.items():
            if (work, column, row) in known:
                time = known[work, column, row]
                name = SPANISH.get(short, short) if language == "es" else short
                told.append(f"**{name} {time}: {wins}**" if nanoseconds(time) < best else f"{name} {time}")
        both = f"{here[0]} (C), {here[1]} (Python)" if len(here) > 1 else here[0]
        lines.append(f"| {named[language]} | {both} | {', '.join(told)} |")
    return "\n".join(lines).replace("/node", "")


def written(text: str, language: str) -> str:
    """Return the text of a README with today's table between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table(language)}\n\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Write both."""
    for language, path in FILES.items():
        path.write_text(written(path.read_text(encoding="utf-8"), language), encoding="utf-8")


if __name__ == "__main__":
    main()
