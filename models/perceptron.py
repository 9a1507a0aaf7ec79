"""The perceptron as scikit-learn's estimator: Rosenblatt's rule, one neuron for two classes, one per class for more."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models import _checks as check
from models._sklearn_contract import Classifier, Drawing, hyperparameters
from models.errors import ConvergenceWarning, shared, warn
from models.perceptron_rule import pass_in_blocks, weighted_sums

Array = NDArray[np.float64]


class _Learned:
    """The attributes that `fit` leaves."""

    coef_: Array
    intercept_: Array
    threshold_: Array
    loss_curve_: list[int]
    validation_curve_: list[float]
    n_iter_: int


@hyperparameters
class Perceptron(_Learned, Drawing, Classifier):
    """Classify by the sign of WX + b, learnt by Rosenblatt's rule: only a mistake changes the weights.

    `w ← w + α·(y − ŷ)·x`, `b ← b + α·(y − ŷ)` from zeros, row after row, until a pass over all rows is clean or
    `max_iter` passes are done. At exactly the threshold the answer is the first class. Of more than two classes each
    has a perceptron that tells it from the rest, and the largest weighted sum decides.

    - `learning_rate`: α, a number above 0.
    - `shuffle`: True mixes the rows before every pass, drawn from `random_state` (None, a seed or a generator). Their
      order in X then does not matter, and equal rows count as one whose step is as many times larger. False takes
      the rows as they come, as the course does, and stops early when the weights come round again.
    - `early_stopping`: hold out a share `validation_fraction` of the rows, stop when `n_iter_no_change` passes
      brought no fewer mistakes on them, and take the best weights back, of equally good ones the latest. A warm start
      on the same data holds out the same rows.
    - `warm_start`: `fit` goes on from the weights of the last one.
    - `verbose`: 1 or True prints the mistakes of some ten passes of `max_iter` and of the last, 2 those of every pass.

    After `fit`: `classes_`; `coef_` (1, n_features) for two classes, else (n_classes, n_features); `intercept_` and
    `threshold_` = −`intercept_`, one per row of `coef_`; `loss_curve_`, the mistakes of each pass, added up over the
    perceptrons; `validation_curve_`, the share of held-out rows that were wrong; `n_iter_`, the passes.

    Gives a ConvergenceWarning when the last pass still made mistakes, as on XOR, which no line separates, and with
    `early_stopping` also when the weights taken back decide any row wrongly. Raises
    ValueError, before anything is trained or changed, for settings and data that are none of these.

    There is no `engine` to choose: the rule follows no gradient, so there is nothing to compile.

    Source: Rosenblatt 1958; course slides «El perceptrón» and «Noche épica».

    >>> model = Perceptron(shuffle=False).fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1])
    >>> model.coef_, model.intercept_, model.threshold_, model.n_iter_
    (array([[2., 1.]]), array([-2.]), array([2.]), 6)
    """

    learning_rate: float = 1.0
    max_iter: int = 1000
    shuffle: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 5
    warm_start: bool = False
    verbose: bool | int = False
    random_state: Any = None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # Any: arrays, lists, frames
        """Learn from `X` (n_samples, n_features) and labels `y` (n_samples,); return `self`.

        `sample_weight` (n_samples,) multiplies the steps; a weight of 0 is the row left out.
        """
        resumed = self.warm_start and self.__sklearn_is_fitted__()
        inputs, labels, importance = self._checked(X, y, sample_weight, resumed=resumed)
        classes = check.several_classes(np.unique(labels[importance > 0]), type(self).__name__)
        if resumed and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start needs the classes of the last fit, {self.classes_.tolist()}, got {classes.tolist()}"
            )
        outcome = self._learn(X, inputs, labels, importance, classes, resumed=resumed, passes=self.max_iter)
        if outcome.mistakes[-1] or outcome.wrong:
            warn(self._problem(outcome), shared(ConvergenceWarning))
        return self

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Self:  # Any: arrays, lists, frames
        """Go once over these rows, from where the model is; `classes` names all labels at the first call.

        Raises as `fit`, and ValueError for other features or classes than before and with `early_stopping`.
        """
        if self.early_stopping:
            raise ValueError(
                "partial_fit sees its rows once and cannot stop early: set early_stopping=False, or call fit"
            )
        resumed = self.__sklearn_is_fitted__()
        inputs, labels, importance = self._checked(X, y, sample_weight, resumed=resumed)
        classes = self._classes_of_partial_fit(classes)
        self._learn(X, inputs, labels, importance, classes, resumed=resumed, passes=1)
        return self

    def decision_function(self, X: Any) -> Array:  # Any: arrays, lists or frames, as NumPy takes them
        """Return the weighted sums WX + b: (n_samples,) for two classes, else (n_samples, n_classes).

        Raises ValueError for a sum that is NaN, as those of numbers beyond 1e154 may be: it would decide nothing.
        """
        scores = _scores(self._inputs_as_fitted(X), self.coef_.tolist(), self.intercept_.tolist())
        if np.isnan(scores).any():
            row = int(np.isnan(scores).any(axis=1).argmax())
            raise ValueError(
                f"the weighted sum of row {row} is NaN: weights times inputs are beyond the largest float; scale the "
                "inputs down, and fit again"
            )
        return scores[:, 0] if len(self.coef_) == 1 else scores

    def _checked(self, X: Any, y: Any, sample_weight: Any, *, resumed: bool) -> tuple[Array, NDArray[Any], Array]:
        check.positive("learning_rate", self.learning_rate)
        check.whole("max_iter", self.max_iter)
        check.whole("n_iter_no_change", self.n_iter_no_change)
        check.share("validation_fraction", self.validation_fraction)
        check.verbosity("verbose", self.verbose)
        for name in ("shuffle", "early_stopping", "warm_start"):
            check.flag(name, getattr(self, name))
        inputs = self._inputs_as_fitted(X) if resumed else check.rows(X, type(self).__name__)
        labels = check.labels(y, len(inputs), type(self).__name__)
        return inputs, labels, check.weights(sample_weight, len(inputs))

    def _learn(
        self, X: Any, inputs: Array, labels: NDArray[Any], importance: Array, classes: NDArray[Any],
        *, resumed: bool, passes: int,
    ) -> _Outcome:  # fmt: skip
        """Learn from checked data, and keep the outcome only when all went well.

        KeyboardInterrupt keeps that of the complete passes, if there are any.
        """
        seen = importance > 0
        if not seen.all():
            inputs, labels, importance = inputs[seen], labels[seen], importance[seen]
        y = self._indices(labels, classes)
        random, source = self._generator(resumed=resumed)
        if self.shuffle:
            inputs, y, importance = _merged(inputs, y, importance)
        held, split = self._hold_out(y, random, resumed=resumed)
        n_neurons = 1 if len(classes) == 2 else len(classes)
        start = list(zip(self.coef_.tolist(), self.intercept_.tolist(), strict=True)) if resumed else None
        passed = self._repeat(
            start or [([0.0] * inputs.shape[1], 0.0)] * n_neurons,
            (inputs[~held], y[~held], importance[~held]) if held.any() else (inputs, y, importance),
            (inputs[held], y[held], importance[held]) if held.any() else None,
            random if self.shuffle else None,
            passes,
        )
        earlier = (self.loss_curve_, self.validation_curve_) if resumed else ([], [])

        def keep(outcome: _Outcome) -> None:
            intercept = np.array([b for _, b in outcome.neurons])
            curve = earlier[0] + outcome.mistakes
            self._keep(
                X, inputs.shape[1],
                coef_=np.array([w for w, _ in outcome.neurons]),
                intercept_=intercept,
                threshold_=-intercept,
                loss_curve_=curve,
                validation_curve_=earlier[1] + outcome.validation,
                n_iter_=len(curve),
                classes_=classes,
                _random=random,
                _split=split,
            )  # fmt: skip
            self._bring_up(source)

        outcome = _Outcome([], [], [])
        try:
            for outcome in self._told(passed, passes):  # noqa: B007 # the latest is wanted, wherever it is interrupted
                pass
            if held.any():
                outcome = outcome._replace(wrong=_error((inputs, y, importance), outcome.neurons))
            keep(outcome)
        except KeyboardInterrupt:
            if outcome.mistakes:
                random.bit_generator.state = outcome.position or random.bit_generator.state
                keep(outcome)
            raise
        return outcome

    def _told(self, outcomes: Iterator[_Outcome], passes: int) -> Iterator[_Outcome]:
        """Give the outcomes on, and print those of some passes, or of all; the last one comes twice."""
        every = 1 if self.verbose == 2 else max(1, math.ceil(passes / 10))
        told = before = 0
        for outcome in outcomes:
            done = len(outcome.mistakes)
            if self.verbose and passes > 1 and done > told and (done == before or done % every == 0):
                held_out = f", {outcome.validation[-1]:.1%} wrong of the rows held out" if outcome.validation else ""
                print(f"pass {done}/{passes}: {outcome.mistakes[-1]} mistakes{held_out}", flush=True)  # noqa: T201
                told = done
            before = done
            yield outcome

    def _repeat(
        self, neurons: list[Any], train: Any, validation: Any, random: np.random.Generator | None, passes: int
    ) -> Iterator[_Outcome]:
        """Pass over the rows until a pass is clean, the weights come round again, or validation stops improving.

        Gives the outcome after each pass, and in the end the one to keep.
        """
        inputs, y, importance = train
        classes = [1] if len(neurons) == 1 else range(len(neurons))
        targets = [(y == each).astype(float) for each in classes]  # what each perceptron should say
        steps, order = self.learning_rate * importance, np.arange(len(inputs))
        clean = [False] * len(neurons)  # which have decided every row rightly: they do so in any order
        with np.errstate(over="ignore"):
            lengths = np.sqrt(np.einsum("ij,ij->i", inputs, inputs) + 1.0)
        mistakes: list[int] = []
        errors: list[float] = []
        best, best_at, stopped, position = neurons, 0, False, None
        remembered, remembered_at = neurons, 0  # Brent's way to see a cycle, as in models.perceptron_rule
        for done in range(1, passes + 1):
            if random is not None:
                order = order[random.permutation(len(order))]
            with np.errstate(over="ignore", invalid="ignore"):
                moved = [
                    (np.array(w), b, 0) if finished
                    else pass_in_blocks(inputs, lengths, each, order, steps, np.array(w), b)
                    for (w, b), each, finished in zip(neurons, targets, clean, strict=True)
                ]  # fmt: skip
            neurons = [(w.tolist(), b) for w, b, _ in moved]
            clean = [not wrong for *_, wrong in moved]
            mistakes = [*mistakes, sum(wrong for *_, wrong in moved)]
            self._refuse_infinity(neurons, done)
            if validation is not None:
                errors = [*errors, _error(validation, neurons)]
                if errors[-1] <= min(errors):
                    best = neurons
                if errors[-1] < min(errors[:-1], default=np.inf):
                    best_at = done
                stopped = done - best_at >= self.n_iter_no_change
            position = random and random.bit_generator.state
            yield _Outcome(neurons, mistakes, errors, position)
            if stopped or not mistakes[-1]:
                break
            if random is None and validation is None:
                if neurons == remembered:
                    yield _Outcome(neurons, mistakes, errors, position, cycle=done - remembered_at)
                    return
                if done & (done - 1) == 0:
                    remembered, remembered_at = neurons, done
        yield _Outcome(neurons if validation is None else best, mistakes, errors, position, stopped=stopped)

    def _refuse_infinity(self, neurons: list[Any], done: int) -> None:
        if not all(math.isfinite(x) for w, b in neurons for x in (*w, b)):
            raise ValueError(
                f"the weights are no longer finite after {done} passes: learning_rate={self.learning_rate} is too "
                "large for these data; make it smaller, or standardise the inputs"
            )

    def _problem(self, outcome: _Outcome) -> str:
        if not outcome.mistakes[-1]:
            return (
                f"the last of {len(outcome.mistakes)} passes was clean, but of all rows, with those held out, the "
                f"weights taken back decide {outcome.wrong:.1%} wrongly: perhaps no line (hyperplane) separates the "
                "classes (use MLPClassifier, or give it another feature), or too few rows are left to learn from"
            )
        start = f"the last of {len(outcome.mistakes)} passes still made {outcome.mistakes[-1]} mistakes: "
        if outcome.cycle:
            return (
                f"{start}the weights are again those of {outcome.cycle} passes before and the rule goes round in "
                "circles, as no line (hyperplane) separates the classes; use MLPClassifier, or give it another feature"
            )
        if outcome.stopped:
            return (
                f"{start}early_stopping ended it, as {self.n_iter_no_change} passes brought no fewer on the rows held "
                "out, and the best weights were taken back; perhaps no line (hyperplane) separates the classes (use "
                "MLPClassifier, or give it another feature)"
            )
        return (
            f"{start}either no line (hyperplane) separates the classes, and the rule never ends (use MLPClassifier, or "
            f"give it another feature), or it needs more than max_iter={self.max_iter} passes"
        )


class _Outcome(NamedTuple):
    neurons: list[tuple[list[float], float]]
    mistakes: list[int]
    validation: list[float]
    position: Any = None  # of the generator after the last pass; None where nothing is shuffled
    cycle: int = 0  # after so many passes the weights came round again; 0 if they did not
    stopped: bool = False  # by the rows held out
    wrong: float = 0.0  # with early_stopping, the share of all rows that the weights decide wrongly


def _scores(inputs: Array, weights: list[list[float]], biases: list[float]) -> Array:
    return np.column_stack([weighted_sums(inputs, w, b) for w, b in zip(weights, biases, strict=True)])


def _error(validation: Any, neurons: list[Any]) -> float:
    """Return the weighted share of rows that are decided wrongly."""
    inputs, y, importance = validation
    scores = _scores(inputs, [w for w, _ in neurons], [b for _, b in neurons])
    decided = scores[:, 0] > 0 if scores.shape[1] == 1 else scores.argmax(axis=1)
    return float(np.average(decided != y, weights=importance))


def _merged(inputs: Array, y: NDArray[Any], importance: Array) -> tuple[Array, NDArray[Any], Array]:
    """Merge equal rows into one with the sum of their weights, in an order that does not depend on theirs."""
    order = np.argsort(inputs[:, 0])
    first = inputs[order, 0]
    if not (first[1:] > first[:-1]).all():  # the first column does not tell all rows apart
        order = np.lexsort((y, *inputs.T[::-1]))
    new = np.ones(len(order), dtype=bool)
    for start in range(1, len(order), 4096):
        these, before = order[start : start + 4096], order[start - 1 : start + 4095][: len(order) - start]
        new[start : start + 4096] = (inputs[these] != inputs[before]).any(axis=1) | (y[these] != y[before])
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.cumsum(new) - 1
    kept = order[new]
    steps: Any = np.bincount(place, weights=importance)
    return inputs[kept], y[kept], steps
