"""Black–Scholes with five derivatives by `compile` and its peers, from one option to a million, in one table.

`python -m benchmarks.options [--quick] [--markdown]`
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import statistics
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks import compiled_black_scholes as black_scholes
from benchmarks.compiled import HEADINGS, QUICK, Contest, header, hold, shown
from benchmarks.compiled_black_scholes import ARGUMENTS, ONE_OPTION, contender, greeks, options, price
from benchmarks.compiled_worker import ONE_CORE
from benchmarks.contenders import ALIVE, Contender
from benchmarks.eager import paired_ratio
from benchmarks.table import Table

NUMBA, NUMPY = 'compile(…, backend="numba")', "compile(…)"
SYMPY, CASADI, PYTENSOR, HEYOKA = "sympy, cse, numba", "casadi, buffers", "pytensor", "heyoka, cfunc"
JAX, BY_HAND = black_scholes.JAX, black_scholes.NUMBA
VERSIONS = ("numpy", "numba", "sympy", "casadi", "pytensor", "heyoka", "jax", "mpmath")
FEW = 1000  # so many options at most are computed by mpmath too
ROUNDS, SAMPLES = 15, 7
GOALS = {1: 450.0, 10: 2_000.0, FEW: 60_000.0}  # ns a call


def arguments(n: int) -> Any:
    """Python floats for one option, else arrays; calls name each, as one writes them."""
    return ONE_OPTION if n == 1 else options(n)


def ours(n: int, backend: str) -> Contender:
    """The program of the price, with one of our backends."""
    import autodiff

    if backend == "numba":
        import numba  # noqa: F401 # a peer that is not there is told by ImportError, before anything is compiled
    program = autodiff.compile(partial(price, of=autodiff), backend=backend, threads=1)
    S, K, r, sigma, T = arguments(n)
    if n == 1:
        return contender(lambda: program.value_and_grad(S, K, r, sigma, T, argnums=ARGUMENTS), lambda x: (x[0], *x[2]))
    return contender(
        lambda: program.value_and_grad(S, K, r, sigma, T, argnums=ARGUMENTS, reduce=None), lambda x: (x[0], *x[2])
    )


def in_loops(one: Callable[..., Any], n: int) -> Contender:
    """A function of one option that numba compiles; of many, called in a loop that numba compiles too."""
    import numba

    function: Any = numba.njit(one)
    S, K, r, sigma, T = arguments(n)
    if n == 1:
        return contender(lambda: function(S, K, r, sigma, T))

    @numba.njit
    def many(S: Any, K: Any, r: Any, sigma: Any, T: Any) -> Any:
        found = np.empty((6, len(S)))
        for i in range(len(S)):
            found[0, i], found[1, i], found[2, i], found[3, i], found[4, i], found[5, i] = function(
                S[i], K[i], r[i], sigma[i], T[i]
            )
        return found

    return contender(lambda: many(S, K, r, sigma, T))


def sympy(n: int) -> Contender:
    """The price as an expression, differentiated, common subexpressions taken out, compiled by numba."""
    import numba  # noqa: F401 # as in `ours`
    import sympy

    symbols = sympy.symbols("S K r sigma T")
    value = price(*symbols, of=sympy)
    every = (value, *[value.diff(x) for x in symbols])
    return in_loops(sympy.lambdify(symbols, every, modules="math", cse=True), n)


def casadi(n: int) -> Contender:
    """An SX function with buffers: numbers are put in and taken out where it reads and writes them."""
    import casadi

    symbols = casadi.SX.sym("x", 5)
    value = price(*[symbols[i] for i in range(5)], of=casadi)
    one = casadi.Function("options", [symbols], [casadi.vertcat(value, casadi.gradient(value, symbols))], {"cse": True})
    given = np.array(arguments(n)).T.ravel()  # the numbers of an option side by side
    found = np.zeros(6 * n)
    function = one.map(n) if n > 1 else one
    buffer, run = function.buffer()
    ALIVE.callback(lambda *_: None, function, buffer, given)  # `run` knows no more than where they are
    buffer.set_arg(0, memoryview(given))
    buffer.set_res(0, memoryview(found))
    if n > 1:
        return contender(run, lambda _: found.reshape(n, 6).T)
    put, taken = struct.Struct("5d").pack_into, struct.Struct("6d").unpack

    def work() -> Any:
        put(given, 0, *ONE_OPTION)
        run()
        return taken(found)

    return contender(work)


def pytensor(n: int) -> Contender:
    """`pytensor.function`, which compiles through numba; of several options without a look at what it is given."""
    import pytensor
    import pytensor.tensor as pt

    inputs = [(pt.dvector if n > 1 else pt.dscalar)(name) for name in ("S", "K", "r", "sigma", "T")]
    value = price(*inputs, of=pt)
    function = pytensor.function(inputs, [value, *pytensor.grad(value.sum(), inputs)], trust_input=n > 1)
    S, K, r, sigma, T = arguments(n)
    return contender(lambda: function(S, K, r, sigma, T))


def heyoka(n: int) -> Contender:
    """A compiled function: of many options it writes into an array that is there, several of them at once."""
    import heyoka

    variables = heyoka.make_vars("S", "K", "r", "sigma", "T")
    value = price(*variables, of=heyoka)
    function = heyoka.cfunc([value, *[heyoka.diff(value, x) for x in variables]], vars=list(variables))
    if n > 1:
        given = np.array(options(n))
        return contender(lambda: function(given))
    given, found = np.zeros(5), np.zeros(6)
    put, taken = struct.Struct("5d").pack_into, struct.Struct("6d").unpack

    def work() -> Any:
        put(given, 0, *ONE_OPTION)
        function(given, outputs=found)
        return taken(found)

    return contender(work)


CONTENDERS: dict[str, Callable[..., Contender]] = {
    NUMBA: partial(ours, backend="numba"), NUMPY: partial(ours, backend="auto"), SYMPY: sympy, CASADI: casadi,
    PYTENSOR: pytensor, HEYOKA: heyoka, JAX: black_scholes.jax, BY_HAND: lambda n: in_loops(greeks(math), n),
}  # fmt: skip


def exact(n: int) -> list[float]:
    """What all must compute, by mpmath at 50 digits: the price, and its derivatives by the textbook."""
    import mpmath

    def one(*numbers: float) -> list[float]:
        with mpmath.workdps(50):
            S, K, r, sigma, T = map(mpmath.mpf, numbers)
            spread = sigma * mpmath.sqrt(T)
            d1 = (mpmath.log(S / K) + (r + sigma**2 / 2) * T) / spread
            above, below = mpmath.ncdf(d1), mpmath.ncdf(d1 - spread)
            discount, density = mpmath.exp(-r * T), S * mpmath.npdf(d1)
            strike = K * discount * below
            theta = density * sigma / (2 * mpmath.sqrt(T)) + r * strike
            found = S * above - strike, above, -discount * below, T * strike, density * mpmath.sqrt(T), theta
            return [float(x) for x in found]

    every = [one(*numbers) for numbers in (zip(*options(n), strict=True) if n > 1 else [ONE_OPTION])]
    return contender(lambda: np.array(every).T).answers()


def _count(n: int) -> str:
    return f"{n:,} option{'s' * (n > 1)}"


def measure(n: int, rounds: int, samples: int, table: Table) -> dict[str, list[float]]:
    """Check all and time them: ns a call, round by round, of those who took part."""
    known = exact(n) if n <= FEW and importlib.util.find_spec("mpmath") else None
    contest = Contest("peers", _count(n), tuple(CONTENDERS), size={"n": n}, exact=known)
    return hold(contest, ONE_CORE, replace(QUICK, rounds=rounds, samples=samples), table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the times of all side by side, and the targets. The exit status is 0 where one is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.options", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each: a smoke test, not a measurement")
    parser.add_argument("--markdown", action="store_true", help="tables to paste into benchmarks/README.md")
    given = parser.parse_args(arguments)
    first = header(VERSIONS)
    rows = (1, 10, FEW, 2_000 if given.quick else 1_000_000)
    long = Table(HEADINGS)
    times = {n: measure(n, *((1, 1) if given.quick else (ROUNDS, SAMPLES)), long) for n in rows}
    told = {(work, name): cell.split(" (")[0] for work, _, name, cell, *_ in long.rows}
    table = Table(("contender", *map(_count, rows)), figures=len(rows))
    for name in CONTENDERS:
        table.add(name, *[told[_count(n), name] for n in rows])
    targets = Table(("a call of the numba backend", "goal", "measured", "met"))
    *few, many = [by for by in times.values() if NUMBA in by] or [{}]
    for (n, goal), by in zip(GOALS.items(), few, strict=False):
        time = statistics.median(by[NUMBA])
        targets.add(_count(n), f"≤ {shown(goal)}", shown(time), _met(time <= goal))
    for name in [name for name in many if name not in {NUMBA, NUMPY}]:
        ratio, most = 1 / paired_ratio(many[name], many[NUMBA]), 1.5 if name == HEYOKA else 1.0
        targets.add(f"{_count(rows[-1])}, beside {name}", f"≤ {most:g}×", f"{ratio:.2f}×", _met(ratio <= most))
    sys.stdout.write(f"{first}\n\n{table.text(markdown=given.markdown)}\n\n")
    targets.report("Processor time of one core. Targets:", markdown=given.markdown, quick=given.quick)
    return 0


def _met(met: bool) -> str:
    return "yes" if met else "NO"


if __name__ == "__main__":
    raise SystemExit(main())
