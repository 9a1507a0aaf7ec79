"""Weights as Rumelhart, Hinton & Williams drew them in 1986: squares as large as the weights are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from models._checks import flag, numbers, positive
from models.plots.style import Axes, canvas

GREY, WHITE, BLACK = "#8f979e", "#ffffff", "#14181c"


def hinton_diagram(
    weights: ArrayLike, *, rows: Sequence[str] = (), columns: Sequence[str] = (), largest: float | None = None,
    paper: bool = True, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw a matrix of weights as squares: area by magnitude, white above 0, black below, on grey as in the paper.

    `weights` is (n_rows, n_columns), or (n,) for one row; `rows` and `columns` name them. The weight of magnitude
    `largest` fills its place, by default the largest there is; with one of its own, pictures can be compared.
    With `paper=False` they have the colours of the other pictures, blue above 0 and orange below.

    Raises ValueError for other shapes or numbers of names, for weights that are not finite or beyond `largest`.

    Source: Figs 1, 3 and 4 of the paper, Nature 323 (1986).

    >>> ax = hinton_diagram([[1.0, -2.0], [0.0, 4.0]], rows=["h1", "h2"])
    >>> len(ax.patches), [text.get_text() for text in ax.get_yticklabels()]
    (3, ['h1', 'h2'])
    """
    flag("paper", paper)
    w = np.atleast_2d(numbers("weights", weights))
    if w.ndim != 2 or not w.size:
        raise ValueError(f"weights must be (n_rows, n_columns) or (n,), got {np.shape(weights)}")
    for name, given, count in (("rows", rows, w.shape[0]), ("columns", columns, w.shape[1])):
        if len(given) not in {0, count}:
            raise ValueError(f"{name} must have one name for each of {count}, got {len(given)}")
    found = float(np.abs(w).max())
    largest = (found or 1.0) if largest is None else largest
    positive("largest", largest)
    if largest < found:
        raise ValueError(
            f"largest must be at least every weight's magnitude, got {largest!r} for weights up to {found:g}"
        )
    from matplotlib.patches import Rectangle

    wide, high = 0.42 * w.shape[1] + 1.1, 0.42 * w.shape[0] + 0.9
    ax, colours = canvas(ax, size=(max(wide, 2.0), max(high, 1.4)))
    above, below = (WHITE, BLACK) if paper else (colours.positive, colours.negative)
    for (row, column), weight in np.ndenumerate(w):
        if weight:
            side = 0.9 * float(np.sqrt(abs(weight) / largest))
            corner = (float(column) - side / 2, float(row) - side / 2)
            ax.add_patch(Rectangle(corner, side, side, facecolor=above if weight > 0 else below))
    ax.set(aspect="equal", xlim=(-0.6, w.shape[1] - 0.4), ylim=(w.shape[0] - 0.4, -0.6))
    if paper:
        ax.set_facecolor(GREY)
    turned = 90 if max(map(len, columns), default=0) > 5 else 0
    ax.set_xticks(range(len(columns)), columns, fontsize="small", rotation=turned)
    ax.set_yticks(range(len(rows)), rows, fontsize="small")
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax
