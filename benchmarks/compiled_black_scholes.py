"""The Black–Scholes price of a European call and its five derivatives (the Greeks), by all: one option, and many.

S, K, r, σ, T: spot, strike, interest rate, volatility, years to expiry. `price` is written once; its functions of one
number come from the engine that is asked.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from benchmarks.contenders import ALIVE, OURS, Contender

NAIVE, TORCH, JAX, XAD = "NumPy, straight-line", "PyTorch", "jax.jit", "XAD"
NUMBA = "numba, derivatives by hand"
NUMBA_PARALLEL = "numba, by hand, parallel"
ONE_THREAD, TWO_THREADS = f"{OURS}, threads=1", f"{OURS}, threads=2"
TWO_PROCESSES = "two processes, half each"
ARGUMENTS = (0, 1, 2, 3, 4)
ONE_OPTION = (100.0, 110.0, 0.03, 0.2, 1.5)
SHOWN = 1000  # of many options, so many are compared number by number, and all of them by their sums


def price(S: Any, K: Any, r: Any, sigma: Any, T: Any, *, of: Any) -> Any:
    """Price of the call; `of` is a module with log, exp, sqrt and erf."""
    spread = sigma * of.sqrt(T)
    d1 = (of.log(S / K) + (r + sigma * sigma / 2.0) * T) / spread
    d2 = d1 - spread
    return S * _normal(d1, of) - K * of.exp(-r * T) * _normal(d2, of)


def _normal(d: Any, of: Any) -> Any:
    return 0.5 * (1.0 + of.erf(d / math.sqrt(2.0)))


def greeks(of: Any) -> Callable[..., tuple[Any, ...]]:
    """Price and its derivatives by hand, as the textbooks have them: delta, dual delta, rho, vega, minus theta."""
    log, exp, sqrt, erf = of.log, of.exp, of.sqrt, of.erf
    half, scale = math.sqrt(0.5), 1.0 / math.sqrt(2.0 * math.pi)

    def by_hand(S, K, r, sigma, T):  # type: ignore[no-untyped-def] # numba reads it
        root = sqrt(T)
        spread = sigma * root
        d1 = (log(S / K) + (r + 0.5 * sigma * sigma) * T) / spread
        d2 = d1 - spread
        n1 = 0.5 + 0.5 * erf(d1 * half)
        n2 = 0.5 + 0.5 * erf(d2 * half)
        discount = exp(-r * T)
        strike = K * discount * n2
        density = S * exp(-0.5 * d1 * d1) * scale
        theta = 0.5 * density * sigma / root + r * strike
        return S * n1 - strike, n1, -discount * n2, T * strike, density * root, theta

    return by_hand


def options(n: int) -> list[np.ndarray]:
    """n options around the money."""
    rng = np.random.default_rng(0)
    ranges = ((50.0, 150.0), (50.0, 150.0), (0.0, 0.1), (0.1, 0.5), (0.1, 3.0))
    return [rng.uniform(low, high, n) for low, high in ranges]


def _flat(answer: Any) -> list[float]:
    """Price and derivatives, of one option or many, as a list to compare."""
    value, *derivatives = answer
    columns = [np.asarray(x, dtype=np.float64).ravel() for x in (value, *derivatives)]
    return [float(x) for column in columns for x in (*column[:SHOWN], column.mean())]


def contender(work: Callable[[], Any], flat: Callable[[Any], Any] = lambda answer: answer) -> Contender:
    """Work whose result is its own answer."""
    return Contender(work, lambda: _flat(flat(work())))


def ours(n: int = 1, threads: int | None = None, part: slice = slice(None)) -> Contender:
    """The program of the price of one option."""
    import autodiff

    program = autodiff.compile(partial(price, of=autodiff), threads=threads)
    if n == 1:
        return contender(lambda: program.value_and_grad(*ONE_OPTION, argnums=ARGUMENTS), lambda x: (x[0], *x[2]))
    S, K, r, sigma, T = (x[part] for x in options(n))
    return contender(
        lambda: program.value_and_grad(S, K, r, sigma, T, argnums=ARGUMENTS, reduce=None), lambda x: (x[0], *x[2])
    )


def two_processes(n: int) -> Contender:
    """Measure what two cores of this machine can do: one thread in each of two processes, half of the options each."""
    half = n // 2
    context = multiprocessing.get_context("spawn")  # the first process has threads of libraries by now
    here, there = context.Pipe()
    context.Process(target=_answer, args=(there, n, slice(half, None)), daemon=True).start()
    first = ours(n, 1, slice(half))

    def work(*, whole: bool = False) -> Any:
        here.send(whole)
        value, _, derivatives = first.work()
        second = here.recv()
        if whole:
            return [np.concatenate(pair) for pair in zip((value, *derivatives), second, strict=True)]
        return None

    return Contender(work, lambda: _flat(work(whole=True)))


def _answer(asked: Any, n: int, part: slice) -> None:
    own = ours(n, 1, part)
    with suppress(EOFError):  # until nobody asks any more
        while True:
            whole = asked.recv()
            value, _, derivatives = own.work()
            asked.send((value, *derivatives) if whole else None)


class _Array:
    """NumPy with SciPy's erf."""

    def __init__(self) -> None:
        from scipy.special import erf

        self.erf, self.exp, self.log, self.sqrt = erf, np.exp, np.log, np.sqrt


def naive(n: int = 1) -> Contender:
    """The derivatives by hand as plain NumPy expressions over all options at once."""
    by_hand, arguments = greeks(_Array()), options(n)
    return contender(lambda: by_hand(*arguments))


def torch(n: int = 1) -> Contender:
    """The price on tensors, `backward()` of the sum."""
    import torch

    given = ONE_OPTION if n == 1 else options(n)
    arguments = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in given]

    def work() -> Any:
        value = price(*arguments, of=torch)
        return value.detach(), *torch.autograd.grad(value if n == 1 else value.sum(), arguments)

    return contender(work)


def jax(n: int = 1) -> Contender:
    """`jax.jit` of price and derivatives: called with floats for one option, on device arrays for many."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    class Of:
        erf, exp, log, sqrt = staticmethod(jax.scipy.special.erf), jnp.exp, jnp.log, jnp.sqrt

    one = jax.value_and_grad(partial(price, of=Of), argnums=ARGUMENTS)
    arguments: Any = ONE_OPTION if n == 1 else [jnp.asarray(x) for x in options(n)]
    program = jax.jit(one if n == 1 else jax.vmap(one))
    return contender(lambda: jax.block_until_ready(program(*arguments)), lambda x: (x[0], *x[1]))


def xad() -> Contender:
    """XAD, one option: one tape, recorded anew each time."""
    import xad.adj_1st as adjoint
    import xad.math

    tape = ALIVE.enter_context(adjoint.Tape())

    def work() -> Any:
        tape.clearAll()
        arguments = [adjoint.Real(x) for x in ONE_OPTION]
        for x in arguments:
            tape.registerInput(x)
        tape.newRecording()
        value = price(*arguments, of=xad.math)
        tape.registerOutput(value)
        value.setDerivative(1.0)
        tape.computeAdjoints()
        return value.getValue(), *[x.getDerivative() for x in arguments]

    return contender(work)


def numba(n: int = 1, *, parallel: bool = False) -> Contender:
    """Loops with the derivatives written by hand, compiled by LLVM: what no engine has to beat for one option."""
    import numba
    from numba import njit

    one = njit(greeks(math))
    if n == 1:
        one(*ONE_OPTION)
        return contender(lambda: one(*ONE_OPTION))
    arguments = options(n)

    @njit(parallel=parallel)
    def many(S: Any, K: Any, r: Any, sigma: Any, T: Any) -> Any:
        value, by_S, by_K = np.empty_like(S), np.empty_like(S), np.empty_like(S)
        by_r, by_sigma, by_T = np.empty_like(S), np.empty_like(S), np.empty_like(S)
        for i in numba.prange(len(S)):
            value[i], by_S[i], by_K[i], by_r[i], by_sigma[i], by_T[i] = one(S[i], K[i], r[i], sigma[i], T[i])
        return value, by_S, by_K, by_r, by_sigma, by_T

    return contender(lambda: many(*arguments))


ONE: dict[str, Callable[..., Contender]] = {OURS: ours, XAD: xad, JAX: jax, TORCH: torch, NUMBA: numba}
MANY: dict[str, Callable[..., Contender]] = {
    OURS: ours, TORCH: torch, JAX: jax, NUMBA: numba, NUMBA_PARALLEL: partial(numba, parallel=True), NAIVE: naive,
    ONE_THREAD: partial(ours, threads=1), TWO_THREADS: partial(ours, threads=2), TWO_PROCESSES: two_processes,
}  # fmt: skip
