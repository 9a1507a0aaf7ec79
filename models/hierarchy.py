"""Neurons that feed neurons (course slide 10, «Conocimiento jerarquizado»): small decisions make larger ones.

A hierarchy is data: perceptrons with names, each with one weight for every fact or earlier perceptron it listens to.
Video games and pizza make an epic night; that and other facts make a good mark in Monday's exam, or undo it.

>>> weekend = {"video games": 1, "pizza": 1, "studied": 1, "attended class": 0, "early to bed": 1}
>>> decide(MONDAY_EXAM, weekend)
{'epic night': 1.0, 'prepared': 1.0, 'rested': 0.0, 'good mark': 0.0}
>>> decide(MONDAY_EXAM, {**weekend, "pizza": 0})["good mark"]
1.0
>>> print(explain(MONDAY_EXAM, weekend)[-1])
good mark: 2·prepared + 2·rested − 3 = 2·1 + 2·0 − 3 = −1, not above 0 → 0
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autodiff import Value, step, weighted_sum
from autodiff.wording import speaking
from models._checks import numbers
from models.errors import say


class Unit(NamedTuple):
    """A perceptron with a name: `weights` by the name of what it listens to, and a bias. It fires when z > 0."""

    name: str
    weights: Mapping[str, float]
    bias: float


def _unit(name: str, bias: float, **weights: float) -> Unit:
    return Unit(name, MappingProxyType({key.replace("_", " "): w for key, w in weights.items()}), bias)


EPIC_NIGHT = _unit("epic night", -6.0, video_games=4.0, pizza=5.0)

MONDAY_EXAM: tuple[Unit, ...] = (
    EPIC_NIGHT,
    _unit("prepared", -1.0, studied=2.0, attended_class=2.0),
    _unit("rested", -1.0, early_to_bed=2.0, epic_night=-2.0),
    _unit("good mark", -3.0, prepared=2.0, rested=2.0),
)

# What one neuron cannot decide, three can (course slide 9).
XOR: tuple[Unit, ...] = (
    _unit("or", -1.0, x1=2.0, x2=2.0),
    _unit("both", -3.0, x1=2.0, x2=2.0),
    Unit("x1 xor x2", MappingProxyType({"or": 2.0, "both": -2.0}), -1.0),
)


def facts_of(units: Iterable[Unit]) -> tuple[str, ...]:
    """Return the names of the facts that a hierarchy needs, in the order in which they are first met.

    Raises ValueError for two units of one name, and for a unit that listens to itself or to a later one.

    >>> facts_of(MONDAY_EXAM)
    ('video games', 'pizza', 'studied', 'attended class', 'early to bed')
    """
    units = tuple(units)
    later = [unit.name for unit in units]
    twice = sorted({name for name in later if later.count(name) > 1})
    if twice:
        raise ValueError(f"every unit must have a name of its own, got two called {twice[0]!r}")
    facts: dict[str, None] = {}
    known: set[str] = set()
    for unit in units:
        for name in unit.weights:
            if name in later and name not in known:
                when = "by itself" if name == unit.name else "later"
                raise ValueError(
                    f"{unit.name!r} listens to {name!r}, which is decided {when}: "
                    "put every unit after those that feed it"
                )
            if name not in known:
                facts[name] = None
        known.add(unit.name)
    return tuple(facts)


def decide(units: Iterable[Unit], facts: Mapping[str, Any]) -> dict[str, Any]:  # Any: facts, result: numbers or arrays
    """Return the answer of every unit by name: 1.0 where its weighted sum is above 0, else 0.0.

    `facts` maps every name of `facts_of(units)`, perhaps others too, to a number or Value. With a Value among them the
    answers are Values labelled `<name>.z` and `<name>.a` (spaces become underscores), which `autodiff.draw` draws.

    Raises ValueError for a fact that is missing or no finite number, or that a unit of the hierarchy decides;
    otherwise as `facts_of`.

    >>> decide([EPIC_NIGHT], {"video games": 1, "pizza": 0})
    {'epic night': 0.0}
    """
    return {name: answer for name, (_, answer) in _run(tuple(units), facts).items()}


def decide_all(units: Iterable[Unit], X: ArrayLike) -> NDArray[np.float64]:
    """Decide for every row of `X` (n_samples, n_facts), columns as in `facts_of`: (n_samples, n_units).

    >>> decide_all(XOR, [[0, 0], [0, 1], [1, 0], [1, 1]])[:, -1]
    array([0., 1., 1., 0.])
    """
    units = tuple(units)
    facts = facts_of(units)
    X = numbers("X", X)
    if X.ndim != 2 or X.shape[1] != len(facts):
        raise ValueError(f"X must be (n_samples, {len(facts)}), one column for each of {facts}, got {X.shape}")
    answers = [list(decide(units, dict(zip(facts, row, strict=True))).values()) for row in X.tolist()]
    return np.array(answers).reshape(len(X), len(units))


def explain(  # Any: facts are True, False or a number each
    units: Iterable[Unit], facts: Mapping[str, Any], *, language: str | None = None
) -> list[str]:
    """Explain every answer in one line each: formula, numbers, weighted sum, decision.

    `language` is "en" or "es", by default that of `autodiff.set_language`.

    >>> explain([EPIC_NIGHT], {"video games": 1, "pizza": 0})
    ['epic night: 4·video games + 5·pizza − 6 = 4·1 + 5·0 − 6 = −2, not above 0 → 0']
    """
    units = tuple(units)
    answers = _run(units, facts)
    known = {name: _number(x) for name, x in facts.items()} | {name: _number(a) for name, (_, a) in answers.items()}
    with speaking(language):
        return [
            f"{unit.name}: {_sum(unit, {})} = {_sum(unit, known)} = {_signed(_number(answers[unit.name][0]))}, "
            f"{say('phrases.fires' if known[unit.name] else 'phrases.rests')}"
            for unit in units
        ]


def _run(units: Sequence[Unit], facts: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return weighted sum and answer of every unit, by name."""
    needed = facts_of(units)
    missing = [name for name in needed if name not in facts]
    if missing:
        raise ValueError(f"facts must say 0 or 1 for each of {list(needed)}, got none for {missing}")
    decided = [unit.name for unit in units if unit.name in facts]
    if decided:
        raise ValueError(
            f"facts must not say what the hierarchy decides, got {decided}; leave out the fact, or the unit"
        )
    for name in needed:
        x = facts[name]
        if not hasattr(x, "__float__") or not math.isfinite(_number(x)):
            raise ValueError(f"the fact {name!r} must be a finite number, such as 0 or 1, or a Value, got {x!r}")
    signals = dict(facts)
    answers: dict[str, tuple[Any, Any]] = {}
    for unit in units:
        z = weighted_sum(unit.weights.values(), [signals[name] for name in unit.weights], unit.bias)
        a = step(z)
        for node, suffix in ((z, "z"), (a, "a")):
            if isinstance(node, Value):
                node.label = f"{unit.name.replace(' ', '_')}.{suffix}"
        signals[unit.name] = a
        answers[unit.name] = z, a
    return answers


def _sum(unit: Unit, known: Mapping[str, float]) -> str:
    terms = [(w, f"·{_signed(known[name]) if name in known else name}") for name, w in unit.weights.items()]
    if unit.bias or not terms:
        terms.append((unit.bias, ""))
    first, *others = [(w < 0, f"{abs(w):g}{factor}") for w, factor in terms]
    return "−" * first[0] + first[1] + "".join(f" {'−' if below else '+'} {term}" for below, term in others)


def _signed(x: float) -> str:
    return f"{x:g}".replace("-", "−")


def _number(x: Any) -> float:
    return x.data if isinstance(x, Value) else float(x)
