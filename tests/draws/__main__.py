"""The long run: `python -m tests.draws --programs positions --draws 5000 --seed 1`; what fails is printed, shrunk.

Draw `k` of a run has seed `1000000 * seed + k`, whatever else is drawn: `--only` draws that one alone.
"""

# ruff: noqa: T201 # a command: it prints

from __future__ import annotations

import argparse
import gc
import random
import sys
import time
import traceback
from collections import Counter

from tests.draws import PROGRAMS
from tests.draws.cases import Spec, shrunk
from tests.draws.laws import Counts, Undecided, check


class Run:
    """The draws of one kind of program."""

    def __init__(self, name: str, jax: float, numba: float) -> None:
        self.module, self.shares = PROGRAMS[name], {"jax": jax, "numba": numba}
        self.counts, self.kinds, self.undecided = Counts(), Counter[str](), Counter[str]()
        self.failures: list[str] = []
        self.done = 0

    def draw(self, seed: int) -> None:
        """Draw, build and compare the program of a seed."""
        source = random.Random(seed)
        case = None
        while case is None:
            spec = self.module.drawn(source)
            case = self.module.build(spec)
        rows = source.randint(1, 9)
        options = {name: source.random() < share for name, share in self.shares.items()}
        self.done += 1
        try:
            check(case, rows, self.counts, **options)
        except Undecided as reason:
            self.undecided[str(reason)] += 1
        except Exception as error:  # noqa: BLE001 # whatever comes out is the finding
            self.failures.append(self.told(seed, spec, rows, options, error))
            print(self.failures[-1], flush=True)
        else:
            self.kinds.update(case.kinds)

    def told(self, seed: int, spec: Spec, rows: int, options: dict[str, bool], error: Exception) -> str:
        """The least program that fails, and how."""
        found = [error]

        def fails(spec: Spec) -> bool:
            try:
                case = self.module.build(spec)
            except Exception:  # noqa: BLE001 # this is no program
                return False
            try:
                if case is not None:
                    check(case, spec_rows[0], **options)
            except Undecided:
                return False
            except Exception as own:  # noqa: BLE001 # the same finding, or another one on the way
                found[0] = own
                return True
            return False

        spec_rows = [rows]
        least = shrunk(spec, fails)
        for fewer in range(1, rows):
            spec_rows[0] = fewer
            if fails(least):
                break
        else:
            spec_rows[0] = rows
        told = "".join(traceback.format_exception(found[0])[-6:])
        return f"FAILED seed {seed}, {spec_rows[0]} rows, {options}:\n  build({least})\n{told}"

    def report(self, seconds: float) -> str:
        width = max(map(len, self.counts.done), default=0)
        of = ", ".join(f"{name} {n:,}" for name, n in sorted(self.kinds.items(), key=lambda x: -x[1]))
        lines = [
            f"{self.done:,} draws, {sum(self.undecided.values()):,} undecided {dict(self.undecided)}",
            f"with {of}",
        ]
        lines += [
            f"{name:{width}}  {n:>7,} compared, worst {self.counts.worst.get(name, 0.0):.1e}"
            for name, n in self.counts.done.items()
        ]
        return "\n".join([*lines, f"{seconds:,.0f} s of processor time, {len(self.failures)} failures"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], prog="python -m tests.draws")
    parser.add_argument("--programs", choices=PROGRAMS, default="positions")
    parser.add_argument("--draws", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the seed of one draw")
    parser.add_argument(
        "--jax", type=float, default=0.02, help="share of draws whose text runs under JAX too (default: 0.02)"
    )
    parser.add_argument("--numba", type=float, default=0.0025, help='share of draws that run with backend="numba" too')
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so much processor time")
    options = parser.parse_args()
    run, began = Run(options.programs, options.jax, options.numba), time.process_time()
    seeds = (
        [options.only]
        if options.only is not None
        else range(1000000 * options.seed, 1000000 * options.seed + options.draws)
    )
    for seed in seeds:
        run.draw(seed)
        if run.done % 500 == 0:
            print(f"{run.done:,} draws, {len(run.failures)} failures, {time.process_time() - began:,.0f} s", flush=True)
            gc.collect()
        if time.process_time() - began > options.seconds:
            break
    print(run.report(time.process_time() - began))
    sys.exit(bool(run.failures))


if __name__ == "__main__":
    main()
