"""The perceptron as scikit-learn's estimator: Rosenblatt's rule, one neuron for two classes, one per class for more."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models import _checks as check
from models import _saving, checkpoints
from models._checks import Array, Seed
from models._engines import Samples
from models._sklearn_contract import Classifier, Drawing, hyperparameters
from models.checkpoints import FilePath
from models.errors import CheckpointError, ConvergenceWarning, say, shared, warn
from models.perceptron_rule import Passes, repeat, weighted_sums


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
    - `class_weight`: what steps at rows of each class are multiplied by besides, as in MLPClassifier.
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
    class_weight: Any = None
    warm_start: bool = False
    verbose: bool | int = False
    random_state: Seed = None

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, *, checkpoint: FilePath | None = None
    ) -> Self:
        """Learn from `X` (n_samples, n_features) and labels `y` (n_samples,); return `self`.

        `sample_weight` (n_samples,) multiplies the steps; a weight of 0 is the row left out. `checkpoint` is as in
        MLPClassifier, written between passes.
        """
        if problem := self._problem(self._learn(X, y, sample_weight, checkpoint=checkpoint)):
            warn(problem, shared(ConvergenceWarning))
        return self

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Go once over these rows, from where the model is; `classes` names all labels at the first call.

        Raises as `fit`, and ValueError for other features or classes than before and with `early_stopping`.
        """
        self._learn(X, y, sample_weight, classes, partial=True)
        return self

    def decision_function(self, X: ArrayLike) -> Array:
        """Return the weighted sums WX + b: (n_samples,) for two classes, else (n_samples, n_classes).

        Raises ValueError for a sum that is NaN, as those of numbers beyond 1e154 may be: it would decide nothing.
        """
        scores = _scores(self._inputs_as_fitted(X), np.column_stack([self.coef_, self.intercept_]))
        if np.isnan(scores).any():
            row = int(np.isnan(scores).any(axis=1).argmax())
            raise ValueError(
                f"the weighted sum of row {row} is NaN: weights times inputs are beyond the largest float; scale the "
                "inputs down, and fit again"
            )
        return scores[:, 0] if len(self.coef_) == 1 else scores

    def _learn(
        self, X: Any, y: Any, sample_weight: Any, classes: Any = None, *, partial: bool = False,
        checkpoint: FilePath | None = None,
    ) -> _State:  # fmt: skip
        """Check everything, learn, and keep the outcome, interrupted that of complete passes; a failure keeps none."""
        check.positive("learning_rate", self.learning_rate)
        self._check_drawing(partial=partial)
        resumed, limit = self._resumes(partial=partial), 1 if partial else self.max_iter
        inputs, y, importance, classes = self._classified(X, y, sample_weight, classes, partial=partial)
        random, source = self._generator(resumed=resumed)
        if self.shuffle:
            inputs, y, importance = _merged(inputs, y, importance)
        start = np.zeros((1 if len(classes) == 2 else len(classes), inputs.shape[1] + 1))
        if resumed:
            start[:, :-1], start[:, -1] = self.coef_, self.intercept_
        now = _State(Passes.start(start), start, [], self._split if resumed else None, {})
        samples = Samples(inputs, y.astype(np.float64), importance)
        now, save, remove = self._file(checkpoint, now, samples, random, limit)
        earlier = (self.loss_curve_, self.validation_curve_) if resumed else ([], [])

        def keep(neurons: Array) -> None:
            curve = earlier[0] + now.passes.mistakes
            self._keep(
                X, inputs.shape[1],
                coef_=neurons[:, :-1], intercept_=neurons[:, -1], threshold_=-neurons[:, -1],
                loss_curve_=curve, validation_curve_=earlier[1] + now.errors, n_iter_=len(curve),
                classes_=classes, _random=random, _split=now.split,
            )  # fmt: skip
            self._bring_up(source)

        try:
            held, split = self._hold_out(y, random, now.split)
            now = now._replace(split=split, generator=now.generator or random.bit_generator.state)
            random.bit_generator.state = now.generator
            for after in self._passes(now, inputs, y, importance, held, random, limit):
                now = after
                save(now)
            neurons = now.passes.neurons if not held.any() else now.best
            wrong = _error(inputs, y, importance, neurons) if held.any() else 0.0
            keep(neurons)
        except KeyboardInterrupt:
            if now.passes.mistakes:
                random.bit_generator.state = now.generator
                keep(now.passes.neurons)
            raise
        except Exception:
            if not now.passes.mistakes:  # a failure must not bar the corrected call
                remove()
            raise
        return now._replace(wrong=wrong)

    def _file(
        self, path: FilePath | None, now: _State, samples: Samples, random: np.random.Generator, limit: int
    ) -> tuple[_State, Callable[[_State], None], Callable[[], None]]:
        """Return the state in the file, or `now`, what writes a state there by the clock, and what removes the file."""
        if path is None:
            return now, lambda now: None, lambda: None  # noqa: ARG005
        own = ("learning_rate", "shuffle", "early_stopping", "validation_fraction", "n_iter_no_change")
        identity: dict[str, Any] = {"estimator": type(self).__name__, "data (as a checksum)": samples.digest}
        identity["random_state"] = self._seed(random)
        identity |= {name: checkpoints.describe(getattr(self, name)) for name in own}
        found, written = _saving.resume(path, "passes", identity), -math.inf

        def save(now: _State) -> None:
            nonlocal written
            if self._ended(now, limit) or time.monotonic() - written >= checkpoints.SECONDS:
                state = now._asdict() | {"passes": now.passes._asdict()}
                _saving.write(path, "passes", {"identity": identity}, state)
                written = time.monotonic()

        if found is None:
            save(now)
        else:
            try:
                now = _State(**{**found, "passes": Passes(**found["passes"])})
            except (TypeError, KeyError) as error:
                raise CheckpointError(f"cannot use {os.fspath(path)!r}: it is not what fit wrote: {error}") from error
        if len(now.passes.mistakes) > limit:
            raise CheckpointError(
                f"cannot use {os.fspath(path)!r}: max_iter must be at least the {len(now.passes.mistakes)} passes that "
                f"it has behind it, got {limit}"
            )
        return now, save, partial(Path(path).unlink, missing_ok=True)

    def _passes(
        self, now: _State, inputs: Array, y: NDArray[np.intp], importance: Array, held: NDArray[np.bool_],
        random: np.random.Generator, limit: int,
    ) -> Iterator[_State]:  # fmt: skip
        """Yield the state after each pass over the rows that are not held out, and print some of them."""
        validation = (inputs[held], y[held], importance[held]) if held.any() else None
        classes = [1] if len(now.best) == 1 else range(len(now.best))
        targets = [(y == each).astype(float) for each in classes]  # what each perceptron should say
        told = 1 if self.verbose == 2 else max(1, math.ceil(limit / 10))
        if self._ended(now, limit):
            return
        for passes in repeat(
            now.passes, inputs, targets, importance, self.learning_rate, limit, random if self.shuffle else None,
            np.flatnonzero(~held) if held.any() else None,
        ):  # fmt: skip
            errors, best = now.errors, now.best
            if validation is not None:
                errors = [*errors, _error(*validation, passes.neurons)]
                best = passes.neurons if errors[-1] <= min(errors) else best
            now = now._replace(passes=passes, errors=errors, best=best, generator=random.bit_generator.state)
            done, ended = len(passes.mistakes), self._ended(now, limit)
            if self.verbose and limit > 1 and (ended or done % told == 0):
                line = f"{say('live.pass')} {done}/{limit}: {say('phrases.mistakes', n=passes.mistakes[-1])}"
                print(line + (say("live.wrong", share=errors[-1]) if errors else ""), flush=True)  # noqa: T201
            yield now
            if ended:
                break

    def _stopped(self, now: _State) -> bool:
        """Return whether as many passes as are waited for brought no fewer mistakes on the rows held out."""
        return bool(now.errors) and len(now.errors) - int(np.argmin(now.errors)) > self.n_iter_no_change

    def _ended(self, now: _State, limit: int) -> bool:
        return now.passes.ended or self._stopped(now) or len(now.passes.mistakes) == limit

    def _problem(self, now: _State) -> str:
        """Say what is wrong with the weights that were kept; "" if nothing is."""
        mistakes, cycle = now.passes.mistakes[-1], now.passes.cycle
        if not mistakes and not now.wrong:
            return ""
        kind = "clean" if not mistakes else "cycle" if cycle else "stopped" if self._stopped(now) else "limit"
        return say(
            f"perceptron.{kind}", done=len(now.passes.mistakes), mistakes=say("phrases.mistakes", n=mistakes),
            cycle=cycle, wrong=now.wrong, patience=self.n_iter_no_change, limit=self.max_iter,
        )  # fmt: skip


class _State(NamedTuple):
    passes: Passes
    best: Array  # on the rows held out
    errors: list[float]  # the share of the rows held out that were wrong, after each pass
    split: int | None  # the seed of what is held out
    generator: Mapping[str, Any]  # its state after the last pass
    wrong: float = 0.0  # with early_stopping, the share of all rows that the weights decide wrongly


def _scores(inputs: Array, neurons: Array) -> Array:
    return np.column_stack([weighted_sums(inputs, w, b) for *w, b in neurons.tolist()])


def _error(inputs: Array, y: NDArray[np.intp], importance: Array, neurons: Array) -> float:
    """Return the weighted share of rows that are decided wrongly."""
    scores = _scores(inputs, neurons)
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
