"""Linear regression by gradient descent: the course's first model, and its neuron without an activation."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autodiff import Value, mean, weighted_sum


class LinearRegression:
    """Fit y = Xw + b by gradient descent on the mean squared error (ECM) over all samples and targets.

    `learning_rate` is α in `w ← w − α·∂C/∂w`, `epochs` the number of steps, each over all samples; weights start at
    zero. Too large an α diverges: for data as they come it is often far below 1 (standardised inputs take 0.1).

    After `fit`: `coef_` of shape (n_features,), or (n_targets, n_features) for a 2-D y; `intercept_`, a float or
    (n_targets,); `loss_curve_`, the loss before the first step and after each one.

    >>> model = LinearRegression(learning_rate=0.1, epochs=500).fit([[1], [2], [3], [4]], [3, 5, 7, 9])
    >>> model.coef_.round(6), round(model.intercept_, 5)
    (array([2.]), 1.0)
    """

    coef_: NDArray[np.float64]
    intercept_: Any
    loss_curve_: list[float]

    def __init__(self, *, learning_rate: float = 0.01, epochs: int = 1000) -> None:
        self.learning_rate = learning_rate
        self.epochs = epochs

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 # the field's name
        """Fit to `X` (n_samples, n_features) and `y` (n_samples,) or (n_samples, n_targets); give `self`.

        Raises ValueError for data of other shapes or that are not finite, a learning rate that is not above 0, and a
        loss that stops being finite; a model that was fitted before keeps what it had.
        """
        inputs, targets = _checked(X, y, self.learning_rate, self.epochs)
        names = [f"w{i}" for i in range(inputs.shape[1])]
        several = targets.ndim == 2
        columns = targets.reshape(len(targets), -1)
        weights = [[Value(0.0, f"target{k}.{name}") for name in names] for k in range(columns.shape[1])]
        biases = [Value(0.0, f"target{k}.b") for k in range(columns.shape[1])]
        parameters = [*(w for row in weights for w in row), *biases]
        curve: list[float] = []
        for epoch in range(self.epochs + 1):
            errors = [
                (weighted_sum(w, x, b) - t) ** 2
                for x, row in zip(inputs.tolist(), columns.tolist(), strict=True)
                for w, b, t in zip(weights, biases, row, strict=True)
            ]
            loss = mean(errors)
            if not np.isfinite(loss.data):
                raise ValueError(
                    f"the loss is {loss.data} after {epoch} steps: learning_rate={self.learning_rate} is too large "
                    "for these data; make it smaller, or standardise the inputs"
                )
            curve.append(loss.data)
            if epoch < self.epochs:
                for p in parameters:
                    p.grad = 0.0
                loss.backward()
                for p in parameters:
                    p.data -= self.learning_rate * p.grad
        coef = np.array([[w.data for w in row] for row in weights])
        intercept = np.array([b.data for b in biases])
        self.coef_, self.intercept_ = (coef, intercept) if several else (coef[0], intercept.tolist()[0])
        self.loss_curve_ = curve
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:  # noqa: N803 # the field's name
        """Predict for `X` (n_samples, n_features): (n_samples,), or (n_samples, n_targets) after a 2-D y."""
        if not hasattr(self, "coef_"):
            raise ValueError("this LinearRegression is not fitted yet: call fit(X, y) first")
        inputs = np.asarray(X, dtype=np.float64)
        if inputs.ndim != 2 or inputs.shape[1] != self.coef_.shape[-1]:
            raise ValueError(f"X must be (n_samples, {self.coef_.shape[-1]}), as in fit, and is {inputs.shape}")
        return inputs @ self.coef_.T + self.intercept_


def _checked(X: Any, y: Any, learning_rate: float, epochs: int) -> tuple[Any, Any]:  # noqa: N803
    if not learning_rate > 0 or not np.isfinite(learning_rate):
        raise ValueError(f"learning_rate must be a number above 0, got {learning_rate!r}")
    if not isinstance(epochs, int) or epochs < 0:
        raise ValueError(f"epochs must be a whole number, 0 or more, got {epochs!r}")
    inputs, targets = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if inputs.ndim != 2 or 0 in inputs.shape:
        raise ValueError(f"X must be (n_samples, n_features) with at least one of each, and is {inputs.shape}")
    if targets.ndim not in (1, 2) or len(targets) != len(inputs):
        raise ValueError(f"y must have one entry or row for each of the {len(inputs)} samples, and is {targets.shape}")
    for name, array in (("X", inputs), ("y", targets)):
        if not np.isfinite(array).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise ValueError(f"{name} has {array[where]} at {where}: every entry must be a finite number")
    return inputs, targets
