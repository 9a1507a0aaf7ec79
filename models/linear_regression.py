"""Linear regression by gradient descent: the course's first model, and its neuron without an activation."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autodiff import Value, weighted_sum
from models import _checks as check
from models._engines import ENGINES, EVERY, Samples, Task, engine_by_name
from models._sklearn_contract import Regressor, hyperparameters
from models.errors import TrainingError
from models.losses import squared_error


class _Learned:
    """The attributes that `fit` leaves."""

    coef_: NDArray[np.float64]
    intercept_: Any
    loss_curve_: list[float]
    n_iter_: int
    learning_rate_: float


@hyperparameters
class LinearRegression(_Learned, Regressor):
    """Fit y = Xw + b by gradient descent on the mean squared error (ECM) over all samples and targets.

    `learning_rate` is α in `w ← w − α·∂C/∂w`, `epochs` the number of steps, each over all samples; weights start at
    zero, or with `warm_start` where the last fit ended. Too large an α diverges: for data as they come it is often
    far below 1 (standardised inputs take 0.1). "auto" takes half of the largest that does not, 1/λ of the steepest
    curvature λ of the cost: every step lowers it, whatever the data. Nothing is drawn at random. `engine` is
    "compiled", array code of the traced loss, or "eager", a graph of Values at every step: the same numbers but for
    the last digits, slower.

    After `fit`: `coef_` of shape (n_features,), or (n_targets, n_features) for a 2-D y; `intercept_`, a float or
    (n_targets,); `loss_curve_`, the loss before the first step and after each one; `n_iter_`, the number of steps;
    `learning_rate_`, the α of the last one.

    Source: course slides «Regresión lineal» and «Función de costo (ECM)».

    >>> model = LinearRegression(learning_rate=0.1, epochs=500).fit([[1], [2], [3], [4]], [3, 5, 7, 9])
    >>> model.coef_.round(6), round(model.intercept_, 5)
    (array([2.]), 1.0)
    """

    learning_rate: float | str = "auto"
    epochs: int = 1000
    warm_start: bool = False
    engine: str = "compiled"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # Any: arrays, lists, frames
        """Fit to `X` (n_samples, n_features) and `y` (n_samples,) or (n_samples, n_targets); return `self`.

        `sample_weight` (n_samples,) makes the loss Σ sᵢ·errorᵢ / Σ sᵢ: a weight of 2 is the sample twice.

        Raises ValueError for data of other shapes or that are not finite, a learning rate that is not above 0, and a
        loss that stops being finite; a model that was fitted before keeps what it had.
        """
        check.whole("epochs", self.epochs, least=0)
        check.flag("warm_start", self.warm_start)
        resumed = self.warm_start and self.__sklearn_is_fitted__()
        self._descend(X, y, sample_weight, self.epochs, resumed=resumed, curve=[])
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # Any: arrays, lists, frames
        """Take one step on these samples, from where the model is; the first call starts from zero weights.

        `loss_curve_` gains the loss of these samples after the step, and at the first call the loss before it too.
        Raises as `fit`, and ValueError for another number of features or targets than before.
        """
        resumed = self.__sklearn_is_fitted__()
        self._descend(X, y, sample_weight, 1, resumed=resumed, curve=list(self.loss_curve_) if resumed else [])
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:  # Any: arrays, lists or frames, as NumPy takes them
        """Predict for `X` (n_samples, n_features): (n_samples,), or (n_samples, n_targets) after a 2-D y."""
        return self._inputs_as_fitted(X) @ self.coef_.T + self.intercept_

    def _descend(self, X: Any, y: Any, sample_weight: Any, steps: int, *, resumed: bool, curve: list[float]) -> None:
        """Check everything, take `steps` of gradient descent, and keep the outcome only when all went well.

        KeyboardInterrupt keeps that of the complete steps, if there are any.
        """
        check.known("engine", self.engine, ENGINES)
        auto = isinstance(self.learning_rate, str) and self.learning_rate == "auto"
        if not auto:
            check.positive("learning_rate ('auto' for one that fits the data)", self.learning_rate)
        inputs = self._inputs_as_fitted(X) if resumed else check.rows(X, type(self).__name__)
        targets = check.targets(y, len(inputs), type(self).__name__)
        importance = check.weights(sample_weight, len(inputs))
        columns = targets.reshape(len(targets), -1)
        rate: Any = _steady_rate(inputs, importance, columns.shape[1]) if auto else self.learning_rate
        coef, intercept = np.zeros((columns.shape[1], inputs.shape[1])), np.zeros(columns.shape[1])
        if resumed:
            if targets.shape[1:] != self.coef_.shape[:-1]:
                raise ValueError(
                    f"y must be (n_samples, {str(self.coef_.shape[:-1])[1:]} as before, got {targets.shape}"
                )
            coef, intercept = np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_)
        weights = [[Value(w, f"target{k}.w{i}") for i, w in enumerate(row)] for k, row in enumerate(coef.tolist())]
        biases = [Value(b, f"target{k}.b") for k, b in enumerate(intercept.tolist())]
        parameters = [*(w for row in weights for w in row), *biases]
        importance = None if sample_weight is None else importance / importance.max()
        task = Task(
            lambda x: [weighted_sum(w, x, b) for w, b in zip(weights, biases, strict=True)],
            parameters, squared_error, Samples(inputs, columns, importance),
        )  # fmt: skip

        def keep(reached: NDArray[np.float64], losses: list[float]) -> None:
            coef, intercept = reached[: -columns.shape[1]].reshape(columns.shape[1], -1), reached[-columns.shape[1] :]
            several = targets.ndim == 2
            self._keep(
                X, inputs.shape[1],
                coef_=coef if several else coef[0],
                intercept_=intercept if several else intercept.tolist()[0],
                learning_rate_=float(rate),
                n_iter_=len(losses) - 1 + (self.n_iter_ if curve else 0),
                loss_curve_=curve + (losses[1:] if curve else losses),
            )  # fmt: skip

        losses: list[float] = []
        with engine_by_name(self.engine, task) as engine:
            reached = engine.weights.copy(), 0  # the latest whose loss is known, and how many losses that makes
            try:
                for step in range(steps + 1):
                    loss, gradient = engine.loss_and_gradient(EVERY)
                    losses.append(loss)
                    reached = engine.weights.copy(), len(losses)
                    if step < steps:
                        engine.weights -= rate * gradient
                keep(reached[0], losses)
            except TrainingError as error:
                cause = f"learning_rate={rate} is too large for these data; make it smaller, or standardise the inputs"
                cause = "the numbers in y are too large; scale them down" if auto else cause
                raise ValueError(f"{error}, after {len(losses)} steps: {cause}") from error
            except KeyboardInterrupt:
                if reached[1] > 1:
                    keep(reached[0], losses[: reached[1]])
                raise


def _steady_rate(inputs: NDArray[np.float64], importance: NDArray[np.float64], n_targets: int) -> float:
    """1/λ, where λ is the largest eigenvalue of the second derivative of the mean squared error."""
    shares = np.sqrt(importance / importance.max())
    steepest = np.linalg.norm(np.column_stack([inputs, np.ones(len(inputs))]) * shares[:, None], 2)
    rate = float(n_targets * (shares @ shares) / 2 / steepest / steepest)
    if not rate > 0:
        raise ValueError(f"the squares of X must be finite, got numbers up to {abs(inputs).max():.3g}; scale them down")
    return rate
