"""Learning without derivatives: change weights at random, keep what lowers the cost (course slide 13).

It works on any cost, and that is its price: every trial is one evaluation of the cost, most trials fail, and the more
weights there are, the more trials it takes. ONE backward sweep costs about as much as one or two evaluations and gives
the slope of every weight at once. For the cost Σ (w − 1)² of n weights that start at 0, evaluations until it has
halved (median of 25 runs: one weight at a time, or all with the scale tuned to n), evaluations per improvement when
all are perturbed by deviations of 1/2 (exact: a noncentral χ² distribution), and sweeps of gradient descent:

| weights | halve, one (1/2) | halve, all (1/√n) | per improvement, all (1/2) | halve, backward sweeps (ε = 1/4) |
|---|---|---|---|---|
| 4 | 10 | 7 | 2.8 | 1 |
| 16 | 46 | 29 | 5.8 | 1 |
| 64 | 167 | 105 | 41 | 1 |
| 256 | 654 | 438 | 29,323 | 1 |

>>> from autodiff import Value, total
>>> w = [Value(0.0, f"w{i}") for i in range(4)]
>>> search = random_perturbation(w, lambda: total([(v - 1) ** 2 for v in w]), steps=200, scale=0.5, random_state=0)
>>> search.evaluations, search.cost_curve[0], search.cost_curve[-1] < 0.1
(201, 4.0, True)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from autodiff import Value, no_grad
from models._checks import Seed, parameter_list, positive, random_generator, whole, within
from models._values import plain


class Search(NamedTuple):
    """The record of a random search: the cost after each trial, and the numbers of evaluations and improvements."""

    cost_curve: list[float]  # the first is the cost before any trial
    evaluations: int
    improvements: int


def random_perturbation(  # Any: cost returns a Value or a number
    parameters: Iterable[Value], cost: Callable[[], Any], *, steps: int = 1000, scale: float = 0.1,
    perturb: Literal["one", "all"] = "one", until: float = -math.inf, random_state: Seed = None,
) -> Search:  # fmt: skip
    """Perturb one weight (or all), keep the change if the cost falls, otherwise take it back; `steps` times.

    `cost()` returns the cost, a Value or a number, of the parameters at the moment; it is evaluated once at the start
    and once per trial, without recording. A perturbation is normal with deviation `scale`, of one weight
    picked at random ("one") or of every weight ("all"). Stops early once the cost is at most `until`. `random_state`
    is that of `models.initialization.random_generator`.

    A cost of NaN is no improvement; when `cost` itself raises, the weights keep the best values so far. Raises
    ValueError or TypeError, before any trial, for a cost of NaN at the start, for settings out of range, for a
    `random_state` of another kind, and for bad parameters as an optimizer does.
    """
    weights = parameter_list(parameters)
    if not callable(cost):
        raise TypeError(f"cost must be a function that returns the cost, got {type(cost).__name__} {cost!r}")
    whole("steps", steps)
    positive("scale", scale)
    if perturb not in {"one", "all"}:
        raise ValueError(f"perturb must be one of one, all, got {perturb!r}")
    within("until", until, "a number, not NaN", -math.inf, math.inf, edges="[]")
    random = random_generator(random_state)
    best = _evaluate(cost)
    if math.isnan(best):
        raise ValueError("the cost must be a number at the start, got nan; no change could be seen to lower it")
    curve, improvements = [best], 0
    while len(curve) <= steps and best > until:
        changed = weights if perturb == "all" else [weights[random.integers(len(weights))]]
        before = [w.data for w in changed]
        kept = False
        try:
            for w, change in zip(changed, random.normal(0.0, scale, len(changed)).tolist(), strict=True):
                w.data += change
            trial = _evaluate(cost)
            kept = trial < best
        finally:
            if not kept:
                for w, data in zip(changed, before, strict=True):
                    w.data = data
        if kept:
            best = trial
            improvements += 1
        curve.append(best)
    return Search(curve, len(curve), improvements)


def _evaluate(cost: Callable[[], Any]) -> float:
    with no_grad():
        result = plain(cost())
    if isinstance(result, str) or not hasattr(result, "__float__"):
        raise TypeError(f"cost() must return a Value or a number, got {type(result).__name__} {result!r:.60}")
    return float(result)
