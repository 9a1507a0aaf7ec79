"""The eager engine beside its peers, in one table: `python -m benchmarks.eager [--quick] [--markdown]`."""

from __future__ import annotations

import argparse
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engines import ITERATIVE, MICROGPT, MICROGRAD, OURS, PURE, PURE_WEIGHTED, WEIGHTED, XAD, version
from benchmarks.graphs import SHAPES
from benchmarks.process import Team, UnavailableError
from benchmarks.table import Table

Times = Mapping[str, "list[float] | UnavailableError"]
ON_OFF = {True: "on", False: "off"}


@dataclass(frozen=True)
class Plan:
    """The amount of measuring: rounds of each comparison, steps and nodes in a sample, sizes of graphs."""

    rounds: int
    demo_rounds: int
    demo_steps: int
    demo_samples: int
    nodes_per_sample: int
    sizes: tuple[int, ...]
    growth: tuple[int, ...]


FULL = Plan(
    rounds=9,
    demo_rounds=7,
    demo_steps=3,
    demo_samples=100,
    nodes_per_sample=100_000,
    sizes=(10_000, 100_000),
    growth=(1_000, 10_000, 100_000, 1_000_000),
)
QUICK = Plan(
    rounds=1,
    demo_rounds=1,
    demo_steps=1,
    demo_samples=20,
    nodes_per_sample=3_000,
    sizes=(3_000,),
    growth=(1_000, 10_000, 100_000),
)


@dataclass(frozen=True)
class Target:
    """The factor by which an engine must be faster than `peer`, and the one it aims at."""

    engine: str
    peer: str
    at_least: float
    stretch: float | None = None

    def __str__(self) -> str:
        wish = f" (stretch {self.stretch:g}×)" if self.stretch else ""
        return f"≥ {self.at_least:g}× {self.peer}{wish}"

    def verdict(self, ratio: float) -> str:
        """Judge a measured ratio."""
        if ratio < self.at_least:
            return "NO"
        return "yes, stretch too" if self.stretch and ratio >= self.stretch else "yes"


NATIVE = [Target(OURS, PURE, 8.0), Target(OURS, XAD, 5.0)]
GRAPH_TARGETS = {
    True: [*NATIVE, Target(PURE, MICROGPT, 1.6, 2.3), Target(PURE, ITERATIVE, 1.0), Target(PURE, MICROGRAD, 5.0)],
    False: [*NATIVE, Target(PURE, MICROGPT, 1.6, 2.3), Target(PURE, ITERATIVE, 1.0), Target(PURE, MICROGRAD, 2.0)],
}
DEMO_TARGETS = {
    True: [
        Target(OURS, MICROGRAD, 150.0), Target(WEIGHTED, MICROGRAD, 600.0), Target(PURE, MICROGRAD, 15.0),
        Target(PURE_WEIGHTED, MICROGRAD, 80.0),
    ],
    False: [Target(PURE, MICROGRAD, 2.0), Target(PURE_WEIGHTED, MICROGRAD, 9.0)],
}  # fmt: skip


def paired_ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """Median of the ratios round by round: what slows the machine for a whole round cancels."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def compare(  # one row of the plan
    table: Table, work: str, collector: str, times: Times, show: tuple[float, int, str], targets: list[Target]
) -> None:
    """Add a row per engine with its median time, then a row per target with the paired ratio."""
    unit, digits, name = show
    for engine, measured in times.items():
        if isinstance(measured, UnavailableError):
            cell = str(measured)
        else:
            cell = f"{statistics.median(measured) / unit:,.{digits}f} {name}"
        table.add(work, collector, engine, cell)
    for target in targets:
        fast, slow = times[target.engine], times[target.peer]
        if isinstance(fast, UnavailableError) or isinstance(slow, UnavailableError):
            table.add(work, collector, target.engine, "", "", str(target), "not measured")
        else:
            ratio = paired_ratio(slow, fast)
            table.add(work, collector, target.engine, "", f"{ratio:.2f}×", str(target), target.verdict(ratio))


def agree(answers: Mapping[str, list[float] | UnavailableError]) -> None:
    """Check that all who took part computed what the first did, to 1e-9, relative above 1. AssertionError if not."""
    taking_part = {engine: given for engine, given in answers.items() if not isinstance(given, UnavailableError)}
    first, expected = next(iter(taking_part.items()))
    for engine, numbers in taking_part.items():
        errors = [abs(a - b) / max(1.0, abs(b)) for a, b in zip(numbers, expected, strict=True)]
        if not all(error <= 1e-9 for error in errors):  # written so that NaN fails too
            raise AssertionError(f"{engine} differs from {first} by {max(errors):.3g}: its times would mean nothing")


def measure_graphs(table: Table, plan: Plan) -> None:
    """Forward, backward and freeing, per node."""
    for shape in SHAPES:
        for nodes in plan.sizes:
            with Team(OURS, PURE, XAD, MICROGPT, ITERATIVE, MICROGRAD) as team:
                agree(team.ask("probe", shape=shape, nodes=nodes))
                for collector, targets in GRAPH_TARGETS.items():
                    job = {"shape": shape, "nodes": nodes, "times": max(1, plan.nodes_per_sample // nodes)}
                    times = team.rounds(plan.rounds, "time", **job, collector=collector)
                    compare(table, f"{shape}, {nodes:,} nodes", ON_OFF[collector], times, (1.0, 0, "ns/node"), targets)


def measure_demo(table: Table, plan: Plan) -> None:
    """One training step of micrograd's demo."""
    with Team(OURS, WEIGHTED, PURE, PURE_WEIGHTED, MICROGPT, MICROGRAD) as team:
        agree(team.ask("three_steps", samples=plan.demo_samples))
        for collector, targets in DEMO_TARGETS.items():
            job = {"samples": plan.demo_samples, "times": plan.demo_steps, "collector": collector}
            times = team.rounds(plan.demo_rounds, "demo", **job)
            compare(table, "micrograd's demo, one step", ON_OFF[collector], times, (1e6, 1, "ms"), targets)


def measure_growth(table: Table, plan: Plan) -> None:
    """Return how the time per node grows with the graph: slowest size over fastest."""
    for engine, collector, bound in ((OURS, True, 1.5), (PURE, True, 2.0), (PURE, False, 1.3)):
        with Team(engine) as team:
            if problem := team.workers[engine].problem:  # there was no compiler
                table.add("chain, of any size", ON_OFF[collector], engine, problem)
                continue
            by_size: dict[int, list[float]] = {nodes: [] for nodes in plan.growth}
            for _ in range(plan.demo_rounds):
                for nodes, measured in by_size.items():
                    times = max(1, plan.nodes_per_sample // nodes)
                    job = {"shape": "chain", "nodes": nodes, "times": times, "collector": collector}
                    measured.append(team.workers[engine].ask("time", **job))
        work = f"chain, {plan.growth[0]:,} to {plan.growth[-1]:,} nodes"
        for nodes, measured in by_size.items():
            table.add(work, ON_OFF[collector], f"{engine}, {nodes:,}", f"{statistics.median(measured):,.0f} ns/node")
        spread = statistics.median(max(sizes) / min(sizes) for sizes in zip(*by_size.values(), strict=True))
        met = "yes" if spread <= bound else "NO"
        table.add(work, ON_OFF[collector], engine, "", f"{spread:.2f}×", f"slowest ≤ {bound:g}× fastest", met)


def measure_memory(table: Table) -> None:
    """Bytes that a swept graph holds per node."""
    work = "memory of a swept chain"
    answers: dict[str, float | UnavailableError] = {}
    for engine, nodes in ((OURS, 1_000_000), (PURE, 10_000), (MICROGPT, 10_000), (MICROGRAD, 10_000)):
        with Team(engine) as team:  # a slab of C that lay ready is 1 of some 100
            answers |= team.ask("bytes", shape="chain", nodes=nodes)
    for engine, held in answers.items():
        table.add(work, "on", engine, str(held) if isinstance(held, UnavailableError) else f"{held:.0f} B/node")
    pure, theirs, ours = answers[PURE], answers[MICROGRAD], answers[OURS]
    if isinstance(theirs, UnavailableError) or isinstance(pure, UnavailableError):
        table.add(work, "on", PURE, "", "", f"≤ ⅓ of {MICROGRAD}", "not measured")
    else:
        met = "yes" if 3.0 * pure <= theirs else "NO"
        table.add(work, "on", PURE, "", f"{theirs / pure:.2f}×", f"≤ ⅓ of {MICROGRAD}", met)
    if not isinstance(ours, UnavailableError):
        table.add(work, "on", OURS, "", "", "≤ 112 B/node", "yes" if ours <= 112 else "NO")


def header() -> str:
    """Say what ran, and on what."""
    versions = ", ".join(f"{name} {version(name)}" for name in (OURS, MICROGRAD, "numpy"))
    return f"{platform.python_implementation()} {platform.python_version()} · {cpu_model()} · {versions}"


def cpu_model() -> str:
    """The processor's name; Linux keeps it where `platform` does not look."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything, print the table. The exit status is 0 even where a target is missed: the table says so."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eager", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each: a smoke test, not a measurement")
    parser.add_argument("--markdown", action="store_true", help="a table to paste into benchmarks/README.md")
    options = parser.parse_args(arguments)
    plan, table = QUICK if options.quick else FULL, Table()
    measure_graphs(table, plan)
    measure_demo(table, plan)
    measure_growth(table, plan)
    measure_memory(table)
    table.report(header(), markdown=options.markdown, quick=options.quick)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
