"""Gradient descent as a path: on the curve of a cost of one weight, on the contours of a cost of two (slide 1)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autodiff import DomainError, Value, grad, no_grad
from models._checks import Array, interval, numbers, positive, whole
from models.plots.style import Axes, Palette, blend, canvas, finished

_MARGIN = 0.12  # of the path's extent, on every side


def descent_path(  # Any: cost returns a Value or a number
    cost: Callable[..., Any], start: ArrayLike, *, learning_rate: float, steps: int
) -> Array:
    """Follow `w ← w − α·∂C/∂w` from `start`, the derivative by autodiff: every place on the way, the first included.

    `cost(w)` of one number gives (steps + 1,); `cost(w, b, …)`, one argument for each number in `start`, gives
    (steps + 1, n). A descent that leaves the finite numbers ends before, with fewer places.

    Raises ValueError for a start that is not finite, a learning rate that is not above 0, and steps below 1.

    >>> descent_path(lambda w: w ** 2, 4.0, learning_rate=0.25, steps=2)
    array([4., 2., 1.])
    >>> descent_path(lambda w, b: w ** 2 + b, [1.0, 0.0], learning_rate=0.5, steps=1).tolist()
    [[1.0, 0.0], [0.0, -0.5]]
    """
    positive("learning_rate", learning_rate)
    whole("steps", steps)
    place = numbers("start", start)
    if place.ndim > 1 or not place.size:
        raise ValueError(f"start must be one number, or one for each argument of the cost, got {place.shape}")
    slope = grad(cost, argnums=tuple(range(place.size)))
    path = [place]
    for _ in range(steps):
        gradient = np.reshape(slope(*np.atleast_1d(path[-1]).tolist()), place.shape)
        with np.errstate(over="ignore"):
            after = path[-1] - learning_rate * gradient
        if not np.isfinite(after).all():
            break
        path.append(after)
    return np.array(path)


def descent_curve(  # Any: cost returns a Value or a number
    cost: Callable[[Any], Any], path: ArrayLike, *, window: tuple[float, float] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw a descent on the curve of a cost of one weight: steps down in blue, steps up in orange.

    `path` (n,) is the way of the descent, as `descent_path` returns it, from the hollow point on. `window` is
    what is shown of w; by default all of the path.

    Where the cost is not a finite number there is a gap. Raises ValueError for a path or window of another shape, and
    for a cost that is finite nowhere.

    >>> ax = descent_curve(lambda w: w ** 2, [4.0, 2.0, 1.0])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('w', 'C')
    """
    places = _path(path, 1)
    low, high = _window(places, window)
    ax, colours = canvas(ax)
    at = np.linspace(low, high, 241)
    curve, heights = (np.array([_cost_at(cost, w) for w in each.tolist()]) for each in (at, places))
    ax.plot(at, curve, color=colours.muted, linewidth=1.5, zorder=1)
    _draw_path(ax, np.column_stack([places, heights]), heights, colours)
    bottom, top = _range(curve)
    heights_shown = bottom - 0.06 * (top - bottom), top + 0.04 * (top - bottom)
    return finished(ax, x=_names(cost, 1)[0], y="C", names=False, xlim=(low, high), ylim=heights_shown)


def descent_contour(  # Any: cost returns a Value or a number
    cost: Callable[[Any, Any], Any], path: ArrayLike, *,
    window: tuple[tuple[float, float], tuple[float, float]] | None = None, levels: int = 16, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw a descent over the contours of a cost of two weights: steps down in blue, steps up in orange.

    `path` (n, 2) is the way of the descent, as `descent_path` returns it, from the hollow point on. `window`
    is what is shown, ((low, high), (low, high)); by default all of the path. The levels lie closer where the cost is
    low.

    Where the cost is not a finite number there is a gap. Raises ValueError for a path or window of another shape, and
    for a cost that is finite nowhere.

    >>> ax = descent_contour(lambda w, b: w ** 2 + 3 * b ** 2, [[2.0, 1.0], [1.0, -0.5]])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('w', 'b')
    """
    places = _path(path, 2)
    whole("levels", levels)
    given = (None, None) if window is None else window
    if len(given) != 2:
        raise ValueError(f"window must be ((low, high), (low, high)), got {window!r}")
    (left, right), (bottom, top) = (_window(column, each) for column, each in zip(places.T, given, strict=True))
    ax, colours = canvas(ax, size=(5.2, 4.2))
    x, y = np.linspace(left, right, 81), np.linspace(bottom, top, 81)
    z = np.array([[_cost_at(cost, w, b) for w in x.tolist()] for b in y.tolist()])
    lowest, highest = _range(z)
    # Equal steps of the root: for a bowl, contours at equal distances from its lowest point.
    heights = lowest + (highest - lowest) * np.linspace(0.02, 1.0, levels) ** 2
    if np.nanmax(z) > np.nanmin(z):
        shades = [blend(colours.muted, colours.paper, share) for share in np.linspace(1.0, 0.35, levels)]
        ax.contour(x, y, z, levels=heights, colors=shades, linewidths=0.9, zorder=1)
    _draw_path(ax, places, np.array([_cost_at(cost, *place) for place in places.tolist()]), colours)
    w, b = _names(cost, 2)
    return finished(ax, x=w, y=b, names=False, xlim=(left, right), ylim=(bottom, top))


def _cost_at(cost: Callable[..., Any], *place: float) -> float:
    """Return the cost at a place, computed on Values as in `descent_path`; NaN where it is not finite or undefined."""
    try:
        with no_grad():
            found = cost(*map(Value, place))
    except DomainError:
        return np.nan
    height = found.data if isinstance(found, Value) else float(found)
    return height if np.isfinite(height) else np.nan


def _range(costs: Array) -> tuple[float, float]:
    """Return the lowest and the highest cost, with some room around a flat one."""
    if np.isnan(costs).all():
        raise ValueError("cost must be finite somewhere in the window, and is finite nowhere; pass another window=")
    low, high = float(np.nanmin(costs)), float(np.nanmax(costs))
    return (low, high) if low < high else (low - 1.0, high + 1.0)


def _draw_path(ax: Axes, points: Array, heights: Array, colours: Palette) -> None:
    from matplotlib.collections import LineCollection

    segments = np.stack([points[:-1], points[1:]], axis=1)
    by_step = [colours.negative if rise > 0 else colours.positive for rise in np.diff(heights)]
    ax.add_collection(LineCollection(list(segments), colors=by_step, linewidths=1.4, zorder=2), autolim=False)
    ax.scatter(*points[1:].T, s=16, c=by_step, zorder=3)
    ax.scatter(*points[:1].T, s=46, facecolor=colours.paper, edgecolor=colours.ink, linewidth=1.5, zorder=4)


def _path(path: Any, width: int) -> Array:
    places = numbers("path", path)
    if places.ndim != width or len(places) == 0 or (width == 2 and places.shape[1] != 2):
        shape = "(n,), one weight per place" if width == 1 else "(n, 2), two weights per place"
        raise ValueError(f"path must be {shape}, got {places.shape}")
    return places


def _window(places: Array, window: Any) -> tuple[float, float]:
    if window is not None:
        return interval("window", window)
    low, high = float(places.min()), float(places.max())
    margin = _MARGIN * (high - low) or 1.0
    return low - margin, high + margin


def _names(cost: Callable[..., Any], count: int) -> list[str]:
    """Return the names of the arguments of the cost."""
    usual = ["w", "b"][:count]
    try:
        names = list(inspect.signature(cost).parameters)
    except (TypeError, ValueError):
        return usual
    return names[:count] if len(names) >= count else usual
