"""The long run: `python -m tests.fuzz --cases 1000000 --seed 1`; a failing case is printed.

By Hypothesis, which shrinks what it finds, or with `--guided` by libFuzzer (`pip install atheris`), which looks for bytes
that reach new branches and is several times as fast.
"""

# ruff: noqa: T201 # a command: it prints

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, Target

BATCH = 5_000  # Hypothesis slows down over very long runs: each batch starts anew, with a seed of its own
SECONDS = 20  # a case that takes longer hangs
BYTES = 48, 128


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
        batch = given(st.binary(min_size=BYTES[0], max_size=BYTES[1]))(counted)
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


def by_hypothesis(name: str, cases: int, start: int) -> tuple[int, str]:
    """How many cases there were, and what was found."""
    try:
        return run(TARGETS[name][0], cases, start * 1_000_000, several=True), ""
    except Exception:  # noqa: BLE001 # whatever comes out is the finding
        return 0, traceback.format_exc()


def by_libfuzzer(name: str, cases: int, start: int) -> tuple[int, str]:
    """The same in a process of its own: libFuzzer ends the one it runs in."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.guided", name, f"-runs={cases}", f"-seed={start}", f"-timeout={SECONDS}",
             f"-max_len={BYTES[1]}", "-len_control=0", "-rss_limit_mb=4096", f"-artifact_prefix={folder}/"],
            capture_output=True, text=True, check=False, start_new_session=True,
        )  # fmt: skip
    counted = re.search(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
    if done.returncode or counted is None:
        return 0, done.stdout + done.stderr[-5000:]
    return int(counted.group(1)), ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], prog="python -m tests.fuzz")
    parser.add_argument("--cases", type=int, default=1_000_000, help="in all (default: 1,000,000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=TARGETS, help="this one alone")
    parser.add_argument("--guided", action="store_true", help="by libFuzzer, through atheris")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time, with --guided (default: 1)")
    options = parser.parse_args()
    if options.jobs > 1 and not options.guided:
        parser.error("--jobs goes with --guided: Hypothesis runs in this process")
    signal.signal(signal.SIGALRM, hung)
    warnings.simplefilter("error")
    chosen = {name: TARGETS[name] for name in ([options.target] if options.target else TARGETS)}
    shares = sum(share for _, share in chosen.values())
    fuzz = by_libfuzzer if options.guided else by_hypothesis

    def fuzzed(name: str) -> tuple[int, str]:
        done, found = fuzz(name, round(options.cases * chosen[name][1] / shares), options.seed)
        print(f"{name:16} {'FOUND' if found else f'{done:>9,} cases, no finding'}", found, flush=True)
        return done, found

    began = time.perf_counter()
    if options.jobs > 1:
        with ThreadPoolExecutor(options.jobs) as pool:
            outcomes = list(pool.map(fuzzed, chosen))
    else:
        outcomes = list(map(fuzzed, chosen))
    findings = sum(bool(found) for _, found in outcomes)
    total = sum(done for done, _ in outcomes)
    print(f"{total:,} cases in {time.perf_counter() - began:,.0f} s, {findings} findings")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
