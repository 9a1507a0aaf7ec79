"""Standardised data for training, and networks for the data as they come: a change of units that folds into weights."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models._checks import Array
from models._engines import Samples
from models.losses import absolute_error, half_squared_error, huber, squared_error

# The power of the targets' unit by which a loss grows.
_POWERS: dict[Any, int] = {squared_error: 2, half_squared_error: 2, absolute_error: 1, huber: 2}


class Scaling(NamedTuple):
    """The scaling of data to the numbers a network is trained on: x = (X − center) / spread, y likewise."""

    x_center: Array
    x_spread: Array
    y_center: Array
    y_spread: Array  # of each target

    @classmethod
    def of(cls, samples: Samples, n_outputs: int, loss: Any, *, standardize: bool = True) -> Self:
        """Return the scaling by mean and standard deviation, of targets only where `loss` is known to allow it.

        Without `standardize`, the one that changes nothing. Raises ValueError for units that leave no room in floats.
        """
        inputs, targets, weights = samples
        n = inputs.shape[1]
        center, spread = mean_and_spread(inputs, weights) if standardize else (np.zeros(n), np.ones(n))
        if spread.min() < 1e-290:  # weights are divided by it
            raise ValueError(
                f"the deviation of every column of X must be 1e-290 or more, got {spread.min():.3g} in column "
                f"{spread.argmin()}; scale X to numbers near 1"
            )
        y_center, y_spread = np.zeros(n_outputs), np.ones(n_outputs)
        if standardize and loss in _POWERS:
            y_center, y_spread = mean_and_spread(targets.reshape(len(targets), -1), weights)
            for deviation in y_spread.tolist():
                if not 1e-150 < deviation ** (_POWERS[loss] / 2) < 1e150:
                    raise ValueError(
                        f"the deviation of y must have a square that floats can hold, got {deviation:.3g}; scale y to "
                        "numbers near 1"
                    )
        return cls(center, spread, y_center, y_spread)

    def scaled(self, samples: Samples, *, in_place: bool = False) -> Samples:
        """Return samples as the network is trained on them; `in_place` where their inputs may be overwritten."""
        inputs, targets, weights = samples
        if self.x_center.any() or (self.x_spread != 1).any():
            inputs = np.subtract(inputs, self.x_center, out=inputs if in_place else None)
            inputs /= self.x_spread
        if self.y_center.any() or (self.y_spread != 1).any():
            columns = (targets.reshape(len(targets), -1) - self.y_center) / self.y_spread
            targets = columns.reshape(targets.shape)
        return Samples(np.ascontiguousarray(inputs), targets, weights)

    def unit(self, loss: Callable[[Any, Any], Any]) -> float:
        """Return what makes a loss of scaled targets that of y itself; 1 for several targets, each in its own unit."""
        spreads = np.ravel(self.y_spread)  # a number in files of older versions
        return float(spreads[0]) ** _POWERS[loss] if len(spreads) == 1 and spreads[0] != 1 else 1.0

    def constants(self, targets: Array) -> NDArray[np.bool_]:
        """Return which targets are the same number on every sample, and scaled to 0."""
        return (targets.reshape(len(targets), -1) == self.y_center).all(axis=0)

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
    same = apart.max(axis=0) == apart.min(axis=0)
    mean = np.where(same, apart[0], share @ apart)  # of equal numbers without rounding
    apart -= mean
    spread = np.sqrt(np.einsum("i,ij,ij->j", share, apart, apart))
    spread[spread <= 1e-14] = 0.0  # what rounding the mean of equal numbers leaves
    return np.ldexp(mean, exponent), np.where(spread > 0, np.ldexp(spread, exponent), 1.0)
