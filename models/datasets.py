"""The course's data, as NumPy arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Dataset(NamedTuple):
    """Inputs `X` of shape (n_samples, n_features), targets `y`, and what the columns are called."""

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]


def apples_and_oranges() -> Dataset:
    """Give the course's first exercise: yields of two fruits from the weather of five regions.

    X is (5, 3): temperature (°F), rainfall (mm), humidity (%); y is (5, 2): apples, oranges (tons per hectare).

    >>> data = apples_and_oranges()
    >>> data.X.shape, data.y.shape, data.target_names
    ((5, 3), (5, 2), ('apples', 'oranges'))
    """
    return Dataset(
        np.array([[73, 67, 43], [91, 88, 64], [87, 134, 58], [102, 43, 37], [69, 96, 70]], dtype=np.float64),
        np.array([[56, 70], [81, 101], [119, 133], [22, 37], [103, 119]], dtype=np.float64),
        ("temperature", "rainfall", "humidity"),
        ("apples", "oranges"),
    )
