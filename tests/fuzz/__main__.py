"""The long run: `python -m tests.fuzz --cases 1000000 --seed 1`; a failing case is shrunk and printed."""

# ruff: noqa: T201 # a command: it prints

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
import warnings

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, Target

BATCH = 5_000  # Hypothesis slows down over very long runs: each batch starts anew, with a seed of its own
SECONDS = 20  # a case that takes longer hangs


def hung(*_: object) -> None:
    raise TimeoutError(f"a case took longer than {SECONDS} s")


def run(target: Target, cases: int, start: int, *, several: bool = False) -> int:
    """Run a target on so many cases and give how many there were; what it raises goes through, shrunk.

    With `several`, all findings of a batch are reported, as an ExceptionGroup, else the first.
    """
    done = 0

    def counted(data: bytes) -> None:
        nonlocal done
        done += 1
        signal.alarm(SECONDS)
        try:
            target(data)
        finally:
            signal.alarm(0)

    number = start
    while done < cases:
        number += 1
        batch = given(st.binary(min_size=48, max_size=128))(counted)
        batch = settings(
            max_examples=min(BATCH, cases - done),
            deadline=None,
            database=None,
            report_multiple_bugs=several,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )(batch)
        seed(number)(batch)()
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.fuzz")
    parser.add_argument("--cases", type=int, default=1_000_000, help="in all (default: 1,000,000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=TARGETS, help="this one alone")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, hung)
    warnings.simplefilter("error")
    chosen = {name: TARGETS[name] for name in ([options.target] if options.target else TARGETS)}
    shares = sum(share for _, share in chosen.values())
    total, findings, began = 0, 0, time.perf_counter()
    for name, (target, share) in chosen.items():
        since = time.perf_counter()
        try:
            done = run(target, round(options.cases * share / shares), options.seed * 1_000_000, several=True)
            print(f"{name:16} {done:>9,} cases  no finding  {time.perf_counter() - since:7.0f} s", flush=True)
            total += done
        except Exception:  # noqa: BLE001 # whatever comes out is the finding
            findings += 1
            print(f"{name:16} FOUND", traceback.format_exc(), sep="\n", flush=True)
    print(f"{total:,} cases in {time.perf_counter() - began:,.0f} s, {findings} findings")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
