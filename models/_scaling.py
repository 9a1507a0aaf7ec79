"""Standardised data for training, and networks for the data as they come: a change of units that folds into weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models._engines import Samples
from models.losses import absolute_error, half_squared_error, huber, squared_error

Array = NDArray[np.float64]

# The power of the targets' unit by which a loss grows.
_POWERS: dict[Any, int] = {squared_error: 2, half_squared_error: 2, absolute_error: 1, huber: 2}


class Scaling(NamedTuple):
    """The scaling of data to the numbers a network is trained on: x = (X − center) / spread, y likewise."""

    x_center: Array
    x_spread: Array
    y_center: Array
    y_spread: float

    @classmethod
    def of(
        cls, samples: Samples, n_outputs: int, loss: Callable[[Any, Any], Any] | None, *, standardize: bool = True
    ) -> Self:
        """Return the scaling by mean and standard deviation, of targets only where `loss` is known to allow it.

        Without `standardize`, the one that changes nothing.
        """
        inputs, targets, weights = samples
        n = inputs.shape[1]
        center, spread = mean_and_spread(inputs, weights) if standardize else (np.zeros(n), np.ones(n))
        y_center, y_spread = np.zeros(n_outputs), 1.0
        if standardize and loss in _POWERS:
            columns = targets.reshape(len(targets), -1)
            y_center, spreads = mean_and_spread(columns, weights)
            spreads = spreads[columns.max(axis=0) > columns.min(axis=0)]
            if len(spreads):  # one for all targets: the loss stays what it is
                y_spread = float(spreads.max() * np.sqrt(np.mean((spreads / spreads.max()) ** 2)))
            if not 1e-150 < y_spread ** (_POWERS[loss] / 2) < 1e150:
                raise ValueError(
                    f"the deviation of y must have a square that floats can hold, got {y_spread:.3g}; scale y to "
                    "numbers near 1"
                )
        return cls(center, spread, y_center, y_spread)

    def scaled(self, samples: Samples, *, in_place: bool = False) -> Samples:
        """Return samples as the network is trained on them; `in_place` where their inputs may be overwritten."""
        inputs, targets, weights = samples
        if self.x_center.any() or (self.x_spread != 1).any():
            inputs = np.subtract(inputs, self.x_center, out=inputs if in_place else None)
            inputs /= self.x_spread
        if self.y_center.any() or self.y_spread != 1.0:
            targets = (targets - (self.y_center if targets.ndim > 1 else self.y_center[0])) / self.y_spread
        return Samples(np.ascontiguousarray(inputs), targets, weights)

    def loss(self, loss: Callable[[Any, Any], Any]) -> tuple[float, Callable[[Any, Any], Any]]:
        """Return the loss for scaled targets, after the factor that makes it the loss of the targets themselves."""
        if self.y_spread == 1.0:
            return 1.0, loss
        return self.y_spread ** _POWERS[loss], partial(huber, delta=1.0 / self.y_spread) if loss is huber else loss

    def folded(self, weights: list[Array], biases: list[Array]) -> tuple[list[Array], list[Array]]:
        """Return weights (n_inputs, n_outputs) and biases of the network that takes and gives the data themselves."""
        weights, biases = [*weights], [*biases]
        weights[0] = weights[0] / self.x_spread[:, None]
        biases[0] = biases[0] - self.x_center @ weights[0]
        weights[-1], biases[-1] = weights[-1] * self.y_spread, biases[-1] * self.y_spread + self.y_center
        return weights, biases

    def unfolded(self, weights: list[Array], biases: list[Array]) -> tuple[list[Array], list[Array]]:
        """Return the weights and biases of which `folded` makes these."""
        weights, biases = [*weights], [*biases]
        weights[-1], biases[-1] = weights[-1] / self.y_spread, (biases[-1] - self.y_center) / self.y_spread
        biases[0] = biases[0] + self.x_center @ weights[0]
        weights[0] = weights[0] * self.x_spread[:, None]
        return weights, biases


def mean_and_spread(columns: Array, weights: Array | None) -> tuple[Array, Array]:
    """Return mean and standard deviation of every column, the latter 1 where a column is constant.

    Neither overflows nor vanishes while the numbers are finite.

    >>> mean_and_spread(np.array([[1.0, 5.0], [3.0, 5.0]]), None)
    (array([2., 5.]), array([1., 1.]))
    """
    share = np.full(len(columns), 1.0 / len(columns)) if weights is None else weights / weights.sum()
    step = max(1, 1_000_000 // len(columns))  # columns at once: a copy of all is as large as the data
    parts = [_mean_and_spread(columns[:, j : j + step], share) for j in range(0, columns.shape[1], step)]
    return np.concatenate([mean for mean, _ in parts]), np.concatenate([spread for _, spread in parts])


def _mean_and_spread(columns: Array, share: Array) -> tuple[Array, Array]:
    largest = np.maximum(columns.max(axis=0), -columns.min(axis=0))
    exponent = np.frexp(largest)[1]
    apart = np.ldexp(columns, -exponent)  # at most 1, and exact
    mean = share @ apart
    apart -= mean
    spread = np.sqrt(np.einsum("i,ij,ij->j", share, apart, apart))
    spread[spread <= 1e-14] = 0.0  # what rounding the mean of equal numbers leaves
    return np.ldexp(mean, exponent), np.where(spread > 0, np.ldexp(spread, exponent), 1.0)
