"""The perceptron and Rosenblatt's rule, in plain arithmetic: no derivative, no library, exact for whole numbers.

A perceptron fires (gives 1) when its weighted sum is above a threshold, `WX > threshold`; written with a bias it fires
when `WX + b > 0`. With b = -threshold the two decide alike, and at exactly the threshold the answer is 0 (course slide
«El perceptrón»). Rosenblatt's rule (1958) looks at one row after the other and changes the weights only where the
answer was wrong: `w ← w + α·(y − ŷ)·x`, `b ← b + α·(y − ŷ)`.

The convergence theorem (Novikoff 1962): if some w*, b* separate the classes with margin γ, and R is the length of the
longest row, both measured with a constant input 1 added for the bias, then from zero weights the rule makes at most
(R/γ)² mistakes, whatever the order of the rows. If nothing separates them, as in XOR, it never ends.
"""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from operator import mul
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models import _checks as check
from models._checks import Array
from models.errors import ConvergenceWarning, say

__all__ = [
    "ConvergenceWarning", "Learned", "OneVsRest", "fires", "fires_above", "learn", "one_pass", "one_vs_rest",
    "weighted_sums",
]  # fmt: skip

_RULE = "Rosenblatt's rule"
_BEYOND = "weights times inputs are beyond the largest float; scale the inputs down"


class Learned(NamedTuple):
    """The end of Rosenblatt's rule: `weights` (n_features,), `bias`, and a record of the passes.

    `passes` counts passes over all rows, the last clean one included; `mistakes` the wrong answers in all of them,
    `last_mistakes` those of the last. `cycle` is the number of passes after which the weights come round again, or 0
    if that was not seen; `converged` is True when the last pass was clean.
    """

    weights: Array
    bias: float
    passes: int
    mistakes: int
    last_mistakes: int
    cycle: int

    @property
    def converged(self) -> bool:
        """Return whether the last pass made no mistake, so that more passes change nothing."""
        return self.last_mistakes == 0

    @property
    def problem(self) -> str:
        """Return what went wrong and what to do about it, as a sentence; "" when the rule has converged."""
        if self.converged:
            return ""
        before = say("phrases.passes", n=self.cycle)
        facts = {"passes": self.passes, "before": before, "mistakes": self.last_mistakes}
        return say("rule.cycle" if self.cycle else "rule.limit", **facts)


class OneVsRest(NamedTuple):
    """One perceptron per class, that class against the rest: `weights` (n_classes, n_features), `biases` (n_classes,).

    `classes` holds the labels, sorted; `learned` what the rule gave for each.
    """

    classes: NDArray[Any]
    weights: Array
    biases: Array
    learned: tuple[Learned, ...]

    def scores(self, X: ArrayLike) -> Array:
        """Return the weighted sum of every class, of shape (n_samples, n_classes)."""
        return np.column_stack([weighted_sums(X, w, b) for w, b in zip(self.weights, self.biases, strict=True)])

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # Any: labels of any kind
        """Return the class with the largest weighted sum for each row; the first of them in a tie."""
        return self.classes[self.scores(X).argmax(axis=1)]


def weighted_sums(X: ArrayLike, weights: Sequence[float] | Array, bias: float = 0.0) -> Array:
    """Return `WX + b` for every row of `X` (n_samples, n_features): the course's suma ponderada, of shape (n_samples,).

    Raises ValueError or TypeError for rows, weights or a bias that are not finite numbers or do not fit together.

    >>> weighted_sums([[0, 0], [1, 0], [0, 1], [1, 1]], [4, 5], -6)
    array([-6., -2., -1.,  3.])
    """
    X, w = _rows_and_weights(X, weights)
    b = _finite("bias", bias)
    blocks = (X[start : start + 512] for start in range(0, len(X), 512))  # lists take five times an array's memory
    return np.array([_weighted_sum(w, x) + b for block in blocks for x in block.tolist()])


def fires(X: ArrayLike, weights: Sequence[float] | Array, bias: float) -> NDArray[np.int64]:
    """Decide for every row: 1 where `WX + b > 0`, else 0.

    Raises as `weighted_sums`, and ValueError for a sum so large that it is NaN: that is neither above nor below.

    >>> fires([[0, 0], [1, 0], [0, 1], [1, 1]], [4, 5], -6)
    array([0, 0, 0, 1])
    """
    return _above(weighted_sums(X, weights, bias), 0.0)


def fires_above(X: ArrayLike, weights: Sequence[float] | Array, threshold: float) -> NDArray[np.int64]:
    """Decide for every row by a threshold: 1 where `WX > threshold`, else 0; the same as `fires` with -threshold.

    Raises as `fires`.

    >>> fires_above([[0, 0], [1, 0], [0, 1], [1, 1]], [4, 5], threshold=6)
    array([0, 0, 0, 1])
    >>> fires_above([[1, 0]], [4, 5], threshold=4)  # at exactly the threshold
    array([0])
    """
    limit = _finite("threshold", threshold)
    return _above(weighted_sums(X, weights), limit)


def one_pass(
    X: Sequence[Sequence[float]], y: Sequence[float], weights: list[float], bias: float, *, learning_rate: float = 1.0,
    sample_weight: Sequence[float] | None = None,
) -> tuple[list[float], float, int]:  # fmt: skip
    """Go once over the rows in their order; return new weights, new bias and the number of mistakes.

    Lists in and out, nothing checked and nothing changed in place: the step that `learn` repeats, to watch it or to
    shuffle between passes. `y` is 0 or 1; a row's `sample_weight` multiplies its step,
    and a row of weight 0 counts for nothing.

    >>> one_pass([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1], [0.0, 0.0], 0.0)
    ([1.0, 1.0], 1.0, 1)
    """
    mistakes = 0
    steps = [learning_rate] * len(y) if sample_weight is None else [learning_rate * s for s in sample_weight]
    for x, target, step in zip(X, y, steps, strict=True):
        error = target - (_weighted_sum(weights, x) + bias > 0)
        if error and step:
            mistakes += 1
            weights = [w + step * error * each for w, each in zip(weights, x, strict=True)]
            bias += step * error
    return weights, bias, mistakes


def pass_in_blocks(
    rows: Array, lengths: Array, y: Array, steps: Array,
    weights: Array, bias: float,
) -> tuple[Array, float, int]:  # fmt: skip
    """Go once over the rows in their order; return what `one_pass` does, bit for bit, on arrays.

    `lengths` are those of the rows with a 1 for the bias, `steps` what the change at each row is multiplied by.

    Until the next mistake nothing changes, so one product decides about many rows. It adds in another order: either sum
    of n products is within n ε |w| |x| of the true one. Where a sum is not clear of 0 by twice that, or is NaN, it is
    added up once more as `one_pass` does. Raises ValueError where finite weights give NaN.
    """
    sides = np.where(y > 0, 1.0, -1.0)
    doubt = 2.0 * (rows.shape[1] + 4) * np.finfo(float).eps * lengths
    mistakes, start, size = 0, 0, 32
    length = math.sqrt(weights @ weights + bias * bias)
    while start < len(rows):
        block = slice(start, start + size)
        margins = rows[block] @ weights
        margins += bias
        margins *= sides[block]
        unclear = ~(margins > doubt[block] * length)
        first = int(unclear.argmax())
        if not unclear[first]:
            start, size = start + size, 2 * size
            continue
        place = start + first
        start, size = place + 1, max(16, min(size // 2, 2 * first))
        error = float(sides[place])
        if not margins[first] < -doubt[place] * length:
            total = _weighted_sum(weights.tolist(), rows[place].tolist()) + bias
            if math.isnan(total) and np.isfinite(weights).all():
                raise ValueError(f"a weighted sum became NaN while learning: {_BEYOND}")
            error = float(y[place]) - (total > 0)
        if error and (step := float(steps[place])):
            mistakes += 1
            weights = weights + step * error * rows[place]
            bias += step * error
            length += abs(step) * float(lengths[place])  # no shorter than it is
            if not mistakes % 64:
                length = math.sqrt(weights @ weights + bias * bias)
    return weights, bias, mistakes


def learn(
    X: ArrayLike, y: ArrayLike, *, learning_rate: float = 1.0, max_passes: int = 1000,
    weights: ArrayLike | None = None, bias: float = 0.0, sample_weight: ArrayLike | None = None, warn: bool = True,
) -> Learned:  # fmt: skip
    """Repeat Rosenblatt's rule over the rows until a pass is clean, the weights come round again, or max_passes.

    `X` is (n_samples, n_features), `y` (n_samples,) of 0 and 1; it starts from `weights` and `bias`, zeros by default.
    Unless it converged, a ConvergenceWarning says what to do; with `warn=False` read `.problem` instead.

    Raises ValueError or TypeError for data of other shapes or kinds, and a learning rate that is not above 0.

    >>> learned = learn([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1])
    >>> learned.weights, learned.bias, learned.passes, learned.converged
    (array([2., 1.]), -2.0, 6, True)
    """
    X, y = _checked(X, y, learning_rate, max_passes)
    if wrong := [label for label in np.unique(y).tolist() if label not in (0, 1)]:
        raise ValueError(
            f"y must be 0 or 1, the answer of the perceptron, got {wrong[0]!r}; "
            "one_vs_rest takes any labels, and more than two"
        )
    learned = _learned(X, y == 1, learning_rate, max_passes, weights, bias, sample_weight)
    if warn and not learned.converged:
        warnings.warn(learned.problem, ConvergenceWarning, stacklevel=2)
    return learned


def one_vs_rest(
    X: ArrayLike, y: ArrayLike, *, learning_rate: float = 1.0, max_passes: int = 1000,
    sample_weight: ArrayLike | None = None, warn: bool = True,
) -> OneVsRest:  # fmt: skip
    """Learn one perceptron per class of `y`, that class against all others; the rest is as in `learn`.

    `y` holds labels of any kind that can be sorted, of two classes or more.

    >>> three = one_vs_rest([[0, 0], [0, 4], [4, 0]], ["low", "up", "right"])
    >>> three.predict([[0, 0], [1, 9], [9, 1]]).tolist()
    ['low', 'up', 'right']
    """
    X, y = _checked(X, y, learning_rate, max_passes)
    classes = check.several_classes(np.unique(check.labels(y, len(X), _RULE)), _RULE)
    learned = tuple(_learned(X, y == c, learning_rate, max_passes, None, 0.0, sample_weight) for c in classes)
    unfinished = [(c, one) for c, one in zip(classes.tolist(), learned, strict=True) if not one.converged]
    if warn and unfinished:
        label, first = unfinished[0]
        names = ", ".join(repr(c) for c, _ in unfinished)
        facts = {"count": len(unfinished), "all": len(classes), "names": names, "label": label}
        warnings.warn(say("rule.rest", problem=first.problem, **facts), ConvergenceWarning, stacklevel=2)
    weights, biases = np.array([one.weights for one in learned]), np.array([one.bias for one in learned])
    return OneVsRest(classes, weights, biases, learned)


class Passes(NamedTuple):
    """Rosenblatt's rule after some passes, for one neuron or several that do not know of each other.

    `neurons` (n_neurons, n_features + 1) are the weights, the bias last; `mistakes` those of every pass, `wrong` those
    of the last by neuron. `aside` are the neurons after `at` passes, to see a cycle by; `cycle` is its length, or 0.
    """

    neurons: Array
    wrong: NDArray[np.int64]
    mistakes: list[int]
    aside: Array
    at: int = 0
    cycle: int = 0

    @classmethod
    def start(cls, neurons: Array) -> Self:
        return cls(neurons, np.ones(len(neurons), dtype=np.int64), [], neurons)

    @property
    def ended(self) -> bool:
        """Return whether more passes change nothing, or only what was there before."""
        return not self.wrong.any() or self.cycle > 0


def repeat(
    now: Passes, rows: Array, targets: list[Array], importance: Array,
    learning_rate: float, limit: int, random: np.random.Generator | None = None,
    among: NDArray[np.intp] | None = None,
) -> Iterator[Passes]:  # fmt: skip
    """Go on from `now` until a pass is clean, the weights come round again, or `limit` passes are done: yield each.

    `targets` has an array of 0 and 1 for every neuron; `among` are the places of the rows to go over, and then no cycle
    is looked for. `random` draws the order of every pass; without it rows come as
    they are, and a cycle is seen by Brent's way: compare with ONE state, remembered anew at passes 1, 2, 4, 8, … The
    rule knows nothing but its weights, so a state that comes back will come back for ever.
    """
    cycles, all_of = among is None and random is None, np.arange(len(rows)) if among is None else among
    order, steps, n = all_of, learning_rate * importance, len(all_of)
    with np.errstate(over="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows) + 1.0)
    listed = rows.tolist() if rows.size <= 100_000 and lengths.max() < 1e100 else []  # whose sums are never NaN
    while len(now.mistakes) < limit and not now.ended:
        if random is not None:
            order = all_of[random.permutation(n)]
        neurons, wrong = now.neurons.copy(), np.zeros_like(now.wrong)
        active = np.flatnonzero(now.wrong)  # the others have decided every row rightly: they do so in any order
        plain = [k for k in active if listed and 8.0 * now.wrong[k] > n * (0.3 + 0.03 * rows.shape[1])]  # in µs
        for k in plain:
            w, b, wrong[k] = one_pass(
                [listed[i] for i in order.tolist()], targets[k][order].tolist(), neurons[k, :-1].tolist(),
                float(neurons[k, -1]), sample_weight=steps[order].tolist(),
            )  # fmt: skip
            neurons[k] = *w, b
        for start in range(0, n, 4096):
            places = order[start : start + 4096]
            chunk, sizes = rows[places], lengths[places]
            for k in set(active) - set(plain):
                each = targets[k][places], steps[places], neurons[k, :-1], float(neurons[k, -1])
                with np.errstate(over="ignore", invalid="ignore"):
                    neurons[k, :-1], neurons[k, -1], more = pass_in_blocks(chunk, sizes, *each)
                wrong[k] += more
        done = len(now.mistakes) + 1
        if not np.isfinite(neurons).all():
            raise ValueError(
                f"the weights are no longer finite after {done} passes: learning_rate={learning_rate} is too large "
                "for these data; make it smaller, or standardise the inputs"
            )
        now = now._replace(neurons=neurons, wrong=wrong, mistakes=[*now.mistakes, int(wrong.sum())])
        if cycles and wrong.any() and np.array_equal(neurons, now.aside):
            now = now._replace(cycle=done - now.at)
        elif cycles and done & (done - 1) == 0:
            now = now._replace(aside=neurons, at=done)
        yield now


def _learned(
    X: Array, on: NDArray[np.bool_], learning_rate: float, max_passes: int, weights: Any, bias: float,
    sample_weight: Any,
) -> Learned:  # fmt: skip
    _, w = _rows_and_weights(X, np.zeros(X.shape[1]) if weights is None else weights)
    start, steps = Passes.start(np.array([[*w, _finite("bias", bias)]])), check.weights(sample_weight, len(X))
    (end,) = deque(repeat(start, X, [on.astype(float)], steps, learning_rate, max_passes), maxlen=1)
    w, b = end.neurons[0, :-1], float(end.neurons[0, -1])
    return Learned(w, b, len(end.mistakes), sum(end.mistakes), end.mistakes[-1], end.cycle)


def _weighted_sum(weights: Sequence[float], x: Sequence[float]) -> float:
    # One way to add up, for learning and deciding alike: a row that was right while learning stays right.
    return sum(map(mul, weights, x))


def _above(sums: Array, limit: float) -> NDArray[np.int64]:
    if np.isnan(sums).any():
        row = int(np.isnan(sums).argmax())
        raise ValueError(f"the weighted sum of row {row} is NaN: {_BEYOND}")
    return (sums > limit).astype(np.int64)


_finite = partial(check.within, rule="a finite number", low=-math.inf, high=math.inf, edges="()")


def _rows_and_weights(X: Any, weights: Any) -> tuple[Array, list[float]]:
    X, w = check.rows(X, "the perceptron"), check.numbers("weights", weights)
    if w.shape != X.shape[1:]:
        raise ValueError(f"weights must be ({X.shape[1]},), one for each feature of X, got {w.shape}")
    return X, w.tolist()


def _checked(X: Any, y: Any, learning_rate: float, max_passes: int) -> tuple[Array, NDArray[Any]]:
    check.positive("learning_rate", learning_rate)
    check.whole("max_passes", max_passes)
    X = check.rows(X, _RULE)
    return X, check.labels(y, len(X), _RULE)
