"""The parts of a contender: work to be timed, and numbers that prove all do the same work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

OURS = "autodiff.compile"
ALIVE = ExitStack()  # training blocks that last as long as the process


@dataclass
class Contender:
    """`work()` is what is timed; `answers()` starts from the beginning and gives what all must agree on."""

    work: Callable[[], Any]
    answers: Callable[[], list[float]]


def trained(work: Callable[[], Any], read: Callable[[], Iterable[float]], reset: Callable[[], None]) -> Contender:
    """A contender that trains: two losses and the parameters after them are its answers; then it starts anew."""

    def answers() -> list[float]:
        reset()
        numbers = [float(work()) for _ in range(2)] + [float(x) for x in read()]
        reset()
        return numbers

    return Contender(work, answers)


def blocks(flat: Any, sizes: Sequence[int]) -> list[Any]:
    """Each layer's part of a flat array, as (units, inputs + 1): its rows are [weights, bias]."""
    parts: list[Any] = []
    start = 0
    for n_in, n_out in pairwise(sizes):
        stop = start + n_out * (n_in + 1)
        parts.append(flat[start:stop].reshape(n_out, n_in + 1))
        start = stop
    return parts
