"""The course of training: a regression line with its residuals, and curves of the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autodiff.wording import speaking
from models._checks import flag, numbers
from models.errors import say
from models.plots.style import Axes, blend, canvas, finished


def regression_line(X: ArrayLike, y: ArrayLike, lines: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """Draw points, a line y = wx + b with the residual of every point, and fading behind it the lines before.

    `X` is (n,) or (n, 1), `y` (n,). `lines` is (w, b), or a sequence of them in the order in which they were learnt:
    the last one is drawn in full. A residual y − (wx + b) is blue above 0 and orange below.

    Raises ValueError for other shapes and for what is not finite.

    >>> ax = regression_line([1, 2, 3, 4], [3, 5, 7, 9], [(0, 0), (1.5, 0.5), (2, 1)])
    >>> ax.lines[-1].get_label()
    'y = 2x + 1'
    """
    x, targets, history = numbers("X", X), numbers("y", y), np.atleast_2d(numbers("lines", lines))
    if x.ndim == 2 and x.shape[1] == 1:
        x = x[:, 0]
    if x.ndim != 1 or targets.shape != x.shape or not x.size:
        raise ValueError(f"X must be (n,) or (n, 1) and y (n,), and they are {np.shape(X)} and {np.shape(y)}")
    if history.ndim != 2 or history.shape[1] != 2 or not len(history):
        raise ValueError(f"lines must be (w, b) or a sequence of such pairs, got {np.shape(lines)}")
    ax, colours = canvas(ax)
    margin = 0.08 * float(np.ptp(x)) or 1.0
    ends = np.array([x.min() - margin, x.max() + margin])
    w, b = history[-1].tolist()
    for share, (slope, intercept) in zip(np.linspace(0.12, 0.5, len(history) - 1), history[:-1].tolist(), strict=True):
        ax.plot(ends, slope * ends + intercept, color=blend(colours.muted, colours.paper, share), linewidth=1, zorder=1)
    fitted = w * x + b
    sign = [colours.positive if r > 0 else colours.negative for r in targets - fitted]
    ax.vlines(x, fitted, targets, colors=sign, linewidth=2.2, zorder=2)
    ax.scatter(x, targets, s=34, color=colours.ink, zorder=4)
    text = f"y = {w:.3g}x {'−' if b < 0 else '+'} {abs(b):.3g}".replace("-", "−")
    ax.plot(ends, w * ends + b, color=colours.ink, linewidth=2, zorder=3, label=text)
    return finished(ax, x="x", y="y", xlim=ends.tolist())


def loss_curves(  # Any: a History, or curves by name
    curves: Any, *, log: bool = False, ax: Axes | None = None, language: str | None = None
) -> Axes:
    """Draw how the loss went, epoch by epoch, and mark the lowest loss of the validation.

    `curves` is an estimator after `fit` or the `History` of `models.training.train` (both have a loss curve, perhaps a
    validation curve), one sequence of numbers, or a mapping from names to sequences. An epoch's loss that is NaN or
    infinite leaves a gap. Epochs count from 1, or from 0 for a LinearRegression, whose curve begins with the loss
    before the first step. `log` makes the vertical axis logarithmic. Words are in the `language` "en" or "es", by
    default that of `autodiff.set_language`.

    Raises ValueError for curves without numbers, and for `log` with none above 0.

    >>> ax = loss_curves({"training": [4.0, 2.0, 1.0], "validation": [5.0, 3.0, 3.5]})
    >>> [line.get_label() for line in ax.lines]
    ['training', 'validation', 'best: epoch 2']
    """
    flag("log", log)
    named = {name: _curve(curve, name) for name, curve in _named(curves).items()}
    if log and not any((curve > 0).any() for curve in named.values()):
        raise ValueError("log=True needs losses above 0, and there are none")
    first = getattr(curves, "n_iter_", 0) - len(named["training"]) + 1 if hasattr(curves, "loss_curve_") else 1
    with speaking(language):
        ax, colours = canvas(ax)
        for i, (name, curve) in enumerate(named.items()):
            epochs = np.arange(first, first + len(curve))
            look: dict[str, Any] = {"linestyle": ("-", "--", ":", "-.")[i % 4], "marker": "o" * (len(curve) == 1)}
            label = name if isinstance(curves, Mapping) else say(f"plots.{name}")
            ax.plot(epochs, curve, color=colours.series[i % len(colours.series)], label=label, **look)
        held_out = named.get("validation")
        if held_out is not None and np.isfinite(held_out).any():
            best = int(np.nanargmin(held_out))
            mark: dict[str, Any] = {"marker": "o", "markersize": 7, "linestyle": "none", "zorder": 4}
            text = say("plots.best", epoch=best + first)
            mark |= {"color": colours.ink, "markerfacecolor": colours.paper}
            ax.plot([best + first], [held_out[best]], label=text, **mark)
        if log:
            ax.set_yscale("log")
        ax.grid(axis="y", color=colours.grid, linewidth=0.7)
        ax.set_axisbelow(True)
        return finished(ax, x=say("plots.epoch"), y=say("plots.loss"))


def _named(curves: Any) -> Mapping[str, Any]:
    if isinstance(curves, Mapping):
        found: Mapping[str, Any] = curves
    else:
        suffix = "_" if hasattr(curves, "loss_curve_") else ""
        training = getattr(curves, f"loss_curve{suffix}", None)
        if training is None:
            return {"loss": curves}
        validation = getattr(curves, f"validation_curve{suffix}", None)
        found = {"training": training} | ({"validation": validation} if validation else {})
    if not found:
        raise ValueError("curves must have at least one name with its losses, got none")
    return found


def _curve(curve: Any, name: str) -> NDArray[np.float64]:
    try:
        losses = np.array([float(loss) for loss in curve])
    except (TypeError, ValueError):
        raise TypeError(
            f"{name}: a curve must be a sequence of numbers, got {type(curve).__name__}; pass an estimator after fit, "
            "a History, a sequence, or a mapping from names to sequences"
        ) from None
    losses[~np.isfinite(losses)] = np.nan
    if not np.isfinite(losses).any():
        raise ValueError(f"{name}: a curve must have a finite loss, got none")
    return losses
