"""`compile` beside its peers, in one table: `python -m benchmarks.compiled [--quick] [--markdown] [--only WORD]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Any

import autodiff
from benchmarks import compiled_black_scholes as black_scholes
from benchmarks import compiled_gpt
from benchmarks import compiled_positions as positions
from benchmarks import compiled_recurrent as nets
from benchmarks import compiled_tracing as before
from benchmarks.compiled_demo import HAND, JAX_FLAT, JAX_TREE, MICROGRAD, MLP, SUMS, TORCH_DECAY
from benchmarks.compiled_demo import TORCH as TORCH_NN
from benchmarks.compiled_digits import SKLEARN
from benchmarks.compiled_worker import ONE_CORE
from benchmarks.contenders import OURS
from benchmarks.eager import agree, cpu_model, paired_ratio
from benchmarks.process import Team
from benchmarks.table import Table

DEFAULT = "default"
TWO_CORES = 1.8  # so many times as fast must two processes be, for the machine to count as having two cores
HEADINGS = ("work", "threads", "contender", "time", "ratio", "target", "met")
PEERS = ("numpy", "torch", "jax", "scikit-learn", "scipy", "numba", "xad", "micrograd")
UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))


@dataclass(frozen=True)
class Plan:
    """The amount of measuring: rounds, samples in each, moons, options, sizes of networks and of graphs."""

    rounds: int
    samples: int
    moons: int
    options: int
    growth: Mapping[int, Sequence[int]]
    nodes: Sequence[int]
    rows: Sequence[int]  # of attention and of convolutions
    letters: int  # of the names of a GPT that is traced


JAX_HOLDS = 100_000_000  # numbers in a layer's array: XLA keeps several of them, of all rows

FULL = Plan(
    rounds=15,
    samples=7,
    moons=100,
    options=1_000_000,
    growth={16: (100, 1_000, 10_000, 100_000, 1_000_000), 64: (100, 1_000, 10_000, 100_000, 1_000_000),
            256: (100, 1_000, 10_000, 100_000, 1_000_000)},
    nodes=(1_000, 10_000, 100_000, 200_000),
    rows=(1, 3, 32, 1_000),
    letters=16,
)  # fmt: skip
QUICK = Plan(
    rounds=1, samples=1, moons=20, options=2_000, growth={16: (100, 2_000)}, nodes=(500,), rows=(3,), letters=3
)


@dataclass(frozen=True)
class Contest:
    """One piece of work, those who do it, ours first, and how many times slower than ours each other must be."""

    work: str
    title: str
    contenders: Sequence[str]
    targets: Mapping[str, float] = field(default_factory=dict[str, float])
    size: Mapping[str, Any] = field(default_factory=dict[str, Any])
    per: int = 1  # times are shown per so many
    limit: float = float("inf")  # ns, ours
    exact: list[float] | None = None  # what the answers are, from outside


DIGITS = Contest(
    "digits", "digits 64-32-10, a batch of 128", (OURS, HAND, "NumPy, naive", TORCH_NN, JAX_FLAT, JAX_TREE, SKLEARN),
    {HAND: 1 / 1.3, TORCH_NN: 5.0, JAX_FLAT: 1.2, JAX_TREE: 1.2, SKLEARN: 15.0},
)  # fmt: skip
ONE_OPTION = Contest(
    "one option",
    "Black–Scholes, one option",
    tuple(black_scholes.ONE),
    {black_scholes.XAD: 10.0, black_scholes.JAX: 10.0},
    limit=2_000.0,
)


def demo(moons: int, threads: str) -> Contest:
    """micrograd's demo; micrograd itself on one core only, since it is as slow on two."""
    contenders = (SUMS, MLP, HAND, "NumPy, naive", TORCH_NN, TORCH_DECAY, JAX_FLAT, JAX_TREE, MICROGRAD)
    targets = {HAND: 1 / 1.2, TORCH_NN: 15.0, TORCH_DECAY: 15.0, JAX_FLAT: 1.4, JAX_TREE: 2.0, MICROGRAD: 10_000.0}
    taking_part = contenders if threads == ONE_CORE else contenders[:-1]
    return Contest("demo", "micrograd's demo, a step", taking_part, targets, {"rows": moons})


def options(n: int, threads: str) -> Contest:
    """Black–Scholes for many options; on one core numba's parallel loop is left out, it would be its other one."""
    several = threads == DEFAULT
    of = black_scholes
    contenders = [OURS, of.TORCH, of.JAX, of.NUMBA_PARALLEL if several else of.NUMBA, of.NAIVE]
    targets = {of.TORCH: 1.5, of.JAX: 1.5, of.NUMBA: 1.0, of.NUMBA_PARALLEL: 1.0}
    return Contest("options", f"Black–Scholes, {n:,} options, each", contenders, targets, {"n": n}, n)


def at_positions(work: str, rows: int) -> Contest:
    """Value and gradient of a batch, one weight matrix at many positions."""
    title, contenders, floor = {
        "attention": ("attention, 8 tokens × 8 units, four matrices", positions.ATTENTION, 1.5),
        "convolutions": ("two 3×3 convolutions, 1→2→2 on 28×28", positions.CONVOLUTIONS, 2.0),
        "gpt": ("a small GPT, 7 letters, 4,048 weights", compiled_gpt.GPT, 1.5),
        "padded": ("the same, names padded to 16 letters", compiled_gpt.GPT, 1.6),
    }[work]
    targets = {positions.HAND: 1 / floor, positions.TORCH: 1.0, positions.JAX: 1.0}
    size = {"rows": rows, **({"length": 16, "padded": True} if work == "padded" else {})}
    return Contest(work, f"{title}, {rows:,} rows", tuple(contenders), targets, size)


def recurrent(net: str, rows: int) -> Contest:
    """Value and gradient of a batch, step after step."""
    title = f"{net.upper()} of {nets.UNITS} units, {nets.STEPS} steps, {rows:,} rows"
    targets = {nets.TORCH: 1.0, **({nets.JAX: 1.0} if net == "lstm" and rows >= 32 else {})}
    return Contest("recurrent", title, tuple(nets.NETS), targets, {"net": net, "rows": rows})


@contextmanager
def team(contest: Contest, threads: str) -> Iterator[Team]:
    """The processes of a contest."""
    arguments = [contest.work, threads, json.dumps(dict(contest.size))]
    with Team(*contest.contenders, module="benchmarks.compiled_worker", arguments=arguments) as workers:
        yield workers


def shown(nanoseconds: float) -> str:
    """A time with its unit, three digits or more."""
    size, name = next(((s, n) for s, n in UNITS if nanoseconds >= s), UNITS[-1])
    x = nanoseconds / size
    return f"{x:,.{0 if x >= 100 else 1 if x >= 10 else 2}f} {name}"


def hold(contest: Contest, threads: str, plan: Plan, table: Table) -> dict[str, list[float]]:
    """Check, time and tabulate one contest; give the times, ns per piece, round by round, of those who took part."""
    sys.stderr.write(f"{contest.title}, {threads}\n")  # so that one sees how far it is
    with team(contest, threads) as workers:
        known = {} if contest.exact is None else {"what is known": contest.exact}
        agree({**known, **workers.ask("answers")})
        measured = workers.rounds(plan.rounds, "time", samples=plan.samples)
    took_part = {n: [t / contest.per for t in times] for n, times in measured.items() if isinstance(times, list)}
    ours = next(took_part[n] for n in contest.contenders if n in took_part)  # the first that is installed
    for name in contest.contenders:
        target = contest.targets.get(name)
        goal = "" if target is None else f"≥ {target:,g}×" if target >= 1.0 else f"ours ≤ {1 / target:.2g}× this"
        times = took_part.get(name)
        if times is None:
            table.add(contest.title, threads, name, str(measured[name]), "", goal, "not measured" if goal else "")
            continue
        cell = f"{shown(statistics.median(times))} (min {shown(min(times))})"
        ratio, met = "", ""
        if times is not ours:
            value = paired_ratio(times, ours)
            ratio = f"{value:,.0f}×" if value >= 1000 else f"{value:.2f}×"
            met = "" if target is None else "yes" if value >= target else "NO"
        elif contest.limit < float("inf"):
            goal = f"≤ {shown(contest.limit)}"
            met = "yes" if statistics.median(times) <= contest.limit else "NO"
        table.add(contest.title, threads, name, cell, ratio, goal, met)
    for row in table.rows[-len(contest.contenders) :]:
        sys.stderr.write("  ".join(row[2:]).rstrip() + "\n")
    return took_part


def measure_threads(table: Table, plan: Plan) -> None:
    """Many options with one thread and with two, in those rounds in which the machine gave two processes two cores."""
    n, one, two, both = plan.options, black_scholes.ONE_THREAD, black_scholes.TWO_THREADS, black_scholes.TWO_PROCESSES
    contest = Contest("options", f"Black–Scholes, {n:,} options, each", (two, one, both), size={"n": n})
    sys.stderr.write(f"{contest.title}, threads\n")
    with team(contest, DEFAULT) as workers:
        agree(workers.ask("answers"))
        measured = workers.rounds(3 * plan.rounds, "time", samples=3)
    times = {name: [t / n for t in measured[name]] for name in contest.contenders}
    alone = statistics.median(times[one])  # not that round's own, which would choose rounds where it is slow
    given = [i for i, time in enumerate(times[both]) if alone >= TWO_CORES * time]
    title = f"{contest.title}: {len(given)} of {len(times[one])} rounds"
    for name in contest.contenders:
        kept = [times[name][i] for i in given] or times[name]
        ratio = paired_ratio(kept, [times[two][i] for i in given] or times[two])
        goal, met = (
            ("≥ 1.7×", "not measured" if not given else "yes" if ratio >= 1.7 else "NO") if name == one else ("", "")
        )
        cell = f"{shown(statistics.median(kept))} (min {shown(min(kept))})"
        table.add(title, DEFAULT, name, cell, f"{ratio:.2f}×" if name != two else "", goal, met)


def measure_growth(table: Table, plan: Plan, threads: str) -> None:
    """Time per sample of training steps, by width and rows; it must not grow with the rows."""
    for hidden, every in plan.growth.items():
        best: list[float] = []
        for rows in every if threads == ONE_CORE else every[::2]:
            few = replace(plan, rounds=max(1, plan.rounds // 4), samples=1 if rows >= 100_000 else plan.samples)
            title = f"2-{hidden}-{hidden}-1, {rows:,} rows, each"
            target = {JAX_FLAT: 1 / 1.2} if hidden >= 64 else {}
            contenders = (SUMS, JAX_FLAT) if hidden * rows <= JAX_HOLDS else (SUMS,)
            contest = Contest("demo", title, contenders, target, {"hidden": hidden, "rows": rows}, rows)
            times = hold(contest, threads, few, table)[SUMS]
            if JAX_FLAT not in contenders:
                table.add(title, threads, JAX_FLAT, "not measured: its arrays would take ten GB", "", "", "")
            if best:
                ratio = statistics.median(times) / min(best)
                met = "yes" if ratio <= 1.1 else "NO"
                table.add(title, threads, f"{SUMS}, against fewer rows", "", f"{ratio:.2f}×", "≤ 1.1×", met)
            best.append(statistics.median(times))


def measure_tracing(table: Table, plan: Plan) -> None:
    """Return the extra time of the first call over a later one, per node."""
    with team(Contest("tracing", "", (before.DIGITS,)), ONE_CORE) as workers:
        worker = workers.workers[before.DIGITS]
        spent = statistics.median(worker.ask("time") for _ in range(min(plan.rounds, 5)))
        met = "yes" if spent <= 50e6 else "NO"
        table.add("digits: trace and compile", ONE_CORE, OURS, shown(spent), "", "≤ 50 ms", met)
        again = worker.ask("retraces")
        met = "yes" if again == 0 else "NO"
        table.add("digits: traces in a second call", ONE_CORE, OURS, str(again), "", "0", met)
    with team(Contest("tracing", "", (before.GPT,), size={"length": plan.letters}), ONE_CORE) as workers:
        worker = workers.workers[before.GPT]
        count = worker.ask("nodes")
        spent = statistics.median(worker.ask("time") for _ in range(min(plan.rounds, 5)))
        work, met = f"{before.GPT}, {count:,} nodes", "yes" if spent <= 500e6 else "NO"
        table.add(f"{work}: trace and compile", ONE_CORE, OURS, shown(spent), "", "≤ 500 ms", met)
        for job, when in (("kept", "afterwards"), ("bytes", "at most")):
            held = worker.ask(job) / count
            met = "yes" if held <= 200 else "NO"
            table.add(f"{work}: memory {when}, each", ONE_CORE, OURS, f"{held:,.0f} bytes", "", "≤ 200 bytes", met)
    for shape in (before.NETWORK, before.CHAIN, before.THICKET):
        smallest = 0.0
        for nodes in plan.nodes:
            with team(Contest("tracing", "", (shape,), size={"nodes": nodes}), ONE_CORE) as workers:
                worker = workers.workers[shape]
                count = worker.ask("nodes")
                times = 1 if nodes >= 100_000 else min(plan.rounds, 5)
                spent = statistics.median(worker.ask("time") for _ in range(times)) / count
            met = "yes" if spent <= 5_000 else "NO"
            smallest = smallest or spent
            work = f"{shape}, {count:,} nodes: trace and compile, each"
            table.add(work, ONE_CORE, OURS, shown(spent), f"{spent / smallest:.2f}×", "≤ 5 µs", met)


def measure_memory(table: Table, plan: Plan) -> None:
    """The most memory that a program takes beyond its arguments, from few rows to many."""
    (narrow, sizes), *wider = plan.growth.items()
    for hidden, rows in [*((narrow, rows) for rows in sizes), *((hidden, 10_000) for hidden, _ in wider)]:
        contest = Contest("tracing", "", (before.MEMORY,), size={"hidden": hidden, "rows": rows})
        with team(contest, ONE_CORE) as workers:
            worker = workers.workers[before.MEMORY]
            peak, nodes = worker.ask("bytes"), worker.ask("nodes")
        everything = 8 * nodes * rows
        work = f"2-{hidden}-{hidden}-1, {rows:,} rows: memory at most"
        met = ("yes" if peak <= everything / 10 else "NO") if rows >= 10_000 else ""
        goal = "≤ a tenth of nodes × rows" if met else ""
        table.add(work, ONE_CORE, OURS, f"{peak / 1e6:,.1f} MB", f"{everything / peak:.2f}×", goal, met)


def header(peers: Sequence[str] = PEERS) -> str:
    """Say what ran, and on what."""
    versions = ", ".join([f"delta-autodiff {autodiff.__version__}", *(f"{name} {_version(name)}" for name in peers)])
    load = f"load average {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    cores = f"{os.cpu_count()} cores"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python} · {cpu_model()} · {cores} · {versions} · float64 · {load}"


def _version(name: str) -> str:
    try:
        return installed(name)
    except PackageNotFoundError:
        return "not installed"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything, print the table. The exit status is 0 even where a target is missed: the table says so."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compiled", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each: a smoke test, not a measurement")
    parser.add_argument("--markdown", action="store_true", help="a table to paste into benchmarks/README.md")
    parts = ("demo", "digits", "options", "positions", "recurrent", "tracing", "growth")
    parser.add_argument("--only", choices=parts, action="append", help="this part alone; may be repeated")
    given = parser.parse_args(arguments)
    plan, table, wanted, first = QUICK if given.quick else FULL, Table(HEADINGS), given.only or parts, header()
    for threads in (ONE_CORE,) if given.quick else (ONE_CORE, DEFAULT):
        if "demo" in wanted:
            hold(demo(plan.moons, threads), threads, plan, table)
        if "digits" in wanted:
            hold(DIGITS, threads, plan, table)
        if "options" in wanted:
            hold(ONE_OPTION, threads, plan, table)
            hold(options(plan.options, threads), threads, plan, table)
    if "positions" in wanted:
        for work in ("attention", "convolutions", "gpt", "padded"):
            for rows in plan.rows:
                hold(at_positions(work, rows), ONE_CORE, plan, table)
    if "recurrent" in wanted:
        for net in nets.GATES:
            for rows in plan.rows:
                hold(recurrent(net, rows), ONE_CORE, plan, table)
    if "growth" in wanted:
        for threads in (ONE_CORE,) if given.quick else (ONE_CORE, DEFAULT):
            measure_growth(table, plan, threads)
    if "options" in wanted and not given.quick:
        measure_threads(table, plan)
    if "tracing" in wanted:
        measure_tracing(table, plan)
        measure_memory(table, plan)
    table.report(first, markdown=given.markdown, quick=given.quick)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
