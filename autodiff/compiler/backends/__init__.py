"""Array code, or a graph, as something that runs or that is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autodiff.compiler.arrays.ir import Code, Var

Array = NDArray[np.float64]


class Instance(Protocol):
    """A program made for a number of rows: its buffers, and the function that fills them."""

    gradient: Array  # by the parameters, summed over the rows
    run: Callable[..., Any]  # takes the arguments, units × rows, and by name the place of `by_row`

    def array(self, x: Any, /) -> Any:  # Any: a Var or places
        """Return the numbers of a result of the code, units × rows."""
        ...


class Backend(Protocol):
    """A maker of programs for batches out of a traced function."""

    code: Code  # its results
    arguments: list[str]  # those that a run takes, x0, x1, … and seed

    @property
    def by_row(self) -> Var | None:
        """The gradient of each row, if a run takes an array for it, (parameters, rows).

        It then returns a number that is finite if what it has written there is.
        """
        ...

    @property
    def calls(self) -> int:
        """The number of NumPy calls for each block of rows."""
        ...

    @property
    def flops(self) -> int:
        """The number of floating-point operations for each row."""
        ...

    def instance(self, rows: int, flat: Array) -> Instance:
        """Return the program, made for a number of rows; `flat` holds the parameters."""
        ...

    def bytes_per_row(self) -> int:
        """Return the memory that a row takes."""
        ...
