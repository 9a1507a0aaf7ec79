"""Activations with their derivatives, and neurons as surfaces over the plane of two inputs (slide 12)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autodiff import Op, grad
from autodiff.wording import speaking
from models._checks import Array, interval, numbers, whole
from models.activations import Activation, activate, activation_by_name, activation_title, kink
from models.errors import say
from models.plots.style import Axes, Palette, blend, canvas, finished

_BESIDE = 1e-9  # how far from a kink the two sides are looked at


def activation_curve(
    activation: Activation, *, window: tuple[float, float] = (-5.0, 5.0), ax: Axes | None = None,
    language: str | None = None,
) -> Axes:  # fmt: skip
    """Draw an activation a = σ(z) and its derivative, which autodiff finds; at a jump the filled point is the value.

    `activation` is a name, an Op of one operand or None, as neurons take it. Words are in the `language` "en" or "es",
    by default that of `autodiff.set_language`.

    Raises ValueError for an unknown name and a window whose ends are not in order.

    >>> ax = activation_curve("sigmoid")
    >>> [line.get_label() for line in ax.lines[:2]], float(ax.lines[1].get_ydata().max().round(3))
    (['sigmoid', 'derivative'], 0.25)
    """
    op = activation_by_name(activation)
    low, high = interval("window", window)

    forward = partial(activate, op)
    ax, colours = canvas(ax)
    z = np.linspace(low, high, 400)
    kinks = _kinks(op, z)
    z = np.union1d(z, [k + step for k in kinks for step in (-_BESIDE, 0.0, _BESIDE)])
    apart = np.isin(z, kinks)  # a line must not join the two sides of a jump
    with speaking(language):
        title, derivative = activation_title(op), say("plots.derivative")
    curves = (forward, title, colours.positive, "-"), (grad(forward), derivative, colours.negative, "--")
    for function, name, colour, style in curves:
        heights = np.where(apart, np.nan, [float(function(at)) for at in z.tolist()])
        ax.plot(z, heights, style, color=colour, linewidth=2, label=name)
        for k in kinks:
            _jump(ax, function, k, colour, colours)
    ax.axhline(0.0, color=colours.grid, linewidth=0.8, zorder=0)
    ax.axvline(0.0, color=colours.grid, linewidth=0.8, zorder=0)
    return finished(ax, x="z", y="a = σ(z)", title=title, xlim=(low, high))


def activation_surface(
    activation: Activation, weights: ArrayLike, bias: float = 0.0, *, window: tuple[float, float] = (-3.0, 3.0),
    resolution: int = 61, ax: Axes | None = None, language: str | None = None,
) -> Axes:  # fmt: skip
    """Draw a neuron of two inputs as a surface: a = σ(w₁X₁ + w₂X₂ + b) over the plane (slide 8), z = 0 as a line.

    Grey is a = 0, blue above, orange below. `weights` is (2,); both inputs run over `window`. `ax` needs a third axis:
    `panels(2, projection="3d")` makes some. The title is in the `language` of `activation_curve`.

    Raises ValueError for other weights and for Axes of two dimensions.

    >>> ax = activation_surface("step", [4.0, 5.0], -6.0, window=(0, 1))
    >>> ax.get_xlabel(), ax.get_ylabel(), ax.get_zlabel()
    ('X₁', 'X₂', 'a')
    """
    op = activation_by_name(activation)
    w, b, edges = numbers("weights", weights), float(numbers("bias", bias)), interval("window", window)
    whole("resolution", resolution, least=2)
    if w.shape != (2,):
        raise ValueError(f"weights must be (2,), one for each axis of the plane, got {w.shape}")
    surface: Any
    surface, colours = canvas(ax, size=(4.2, 3.8), projection="3d")
    if not hasattr(surface, "plot_surface"):
        raise ValueError('ax must have three dimensions, got two; make it with axes(projection="3d")')
    from matplotlib.colors import LinearSegmentedColormap

    at = np.linspace(*edges, resolution)
    X1, X2 = np.meshgrid(at, at)
    z = w[0] * X1 + w[1] * X2 + b
    a = np.asarray(activate(op, z), dtype=np.float64)
    low, high = float(a.min()), float(a.max())
    largest = max(abs(low), abs(high)) or 1.0
    below, middle, above = (float(activate(op, at)) for at in (-_BESIDE, 0.0, _BESIDE))
    jumps = abs(above - below) > 1e-6
    surface.computed_zorder = False  # else the line is hidden by patches that are reckoned nearer
    ends = [blend(colour, colours.paper, 0.85) for colour in (colours.negative, colours.positive)]
    grey = blend(colours.muted, colours.paper, 0.25)
    cmap = LinearSegmentedColormap.from_list("orange to blue", [ends[0], grey, ends[1]])
    shades: dict[str, Any] = {"cmap": cmap, "vmin": -largest, "vmax": largest}
    shades |= {"linewidth": 0, "antialiased": False}
    for piece in (z <= 0, z > 0) if jumps else (np.full(z.shape, fill_value=True),):
        heights = np.where(piece, a, np.nan)
        surface.plot_surface(X1, X2, heights, rcount=resolution, ccount=resolution, zorder=1, **shades)
    line = _line_inside(w, b, edges)
    if line is not None:
        if jumps:
            from mpl_toolkits.mplot3d.art3d import Poly3DCollection

            corners = [(*line[0], below), (*line[1], below), (*line[1], above), (*line[0], above)]
            wall = blend(colours.positive, colours.paper, 0.35)
            surface.add_collection3d(Poly3DCollection([corners], facecolor=wall, zorder=1.5))
        surface.plot(*line.T, middle, color=colours.ink, linewidth=1.8, label="z = 0", zorder=2)
    surface.set_xlabel("X₁", labelpad=-6)
    surface.set_ylabel("X₂", labelpad=-6)
    surface.set_zlabel("a", labelpad=-8)
    surface.tick_params(pad=-3, labelsize="x-small")
    surface.set_zlim(low, high if high > low else low + 1.0)
    with speaking(language):
        surface.set_title(surface.get_title() or activation_title(op))
    surface.view_init(elev=26, azim=-125)
    surface.set_box_aspect(None, zoom=0.9)
    return surface


def _kinks(op: Op | None, z: Array) -> list[float]:
    """Return the kinks of the operation between the ends of z."""
    rule = partial(kink, op)
    between = [_root(rule, low, high) for low, high in pairwise(z.tolist()) if rule(low) * rule(high) < 0.0]
    return [at for at in z.tolist() if rule(at) == 0.0] + between


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function that changes sign is 0, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2.0
        if function(low) * function(middle) > 0.0:
            low = middle
        else:
            high = middle
    return round(high, 12) + 0.0


def _jump(ax: Axes, function: Any, k: float, colour: str, colours: Palette) -> None:
    """Mark a jump: the value at the place itself as a filled point, the limits it does not take hollow."""
    before, here, after = (float(function(at)) for at in (k - _BESIDE, k, k + _BESIDE))
    if abs(after - before) < 1e-6:
        return
    for limit in (before, after):
        if abs(limit - here) > 1e-6:
            ax.scatter([k], [limit], s=26, facecolor=colours.paper, edgecolor=colour, linewidth=1.4, zorder=4)
    ax.scatter([k], [here], s=26, color=colour, zorder=5)


def _line_inside(w: Array, b: float, edges: tuple[float, float]) -> Array | None:
    """Return the two ends of the piece of w·X + b = 0 inside the square; None where it does not cross."""
    low, high = edges
    ends = [(x, -(w[0] * x + b) / w[1]) for x in (low, high) if w[1]]
    ends += [(-(w[1] * y + b) / w[0], y) for y in (low, high) if w[0]]
    inside = sorted({(x, y) for x, y in ends if low <= x <= high and low <= y <= high})
    return np.array([inside[0], inside[-1]]) if len(inside) > 1 else None
