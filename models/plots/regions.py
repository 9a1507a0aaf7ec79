"""Decision regions over the plane of two inputs, and the line of a neuron (slide 8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autodiff import no_grad
from models._checks import Array, labels, numbers, positive, rows, whole
from models._values import plain
from models.mlp import MLP, Layer, Neuron
from models.plots.style import MARKERS, Axes, blend, canvas, finished


def decision_regions(  # Any: a model is whatever has predict
    model: Any, X: ArrayLike, y: ArrayLike, *, names: Sequence[str] | None = None, margin: float = 0.5,
    resolution: int = 160, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Colour the plane by what a model decides there, with the samples on it and, for one neuron, its line.

    `model` is a classifier after `fit`, a function that returns a label for every row of (n, 2), or a network of
    `models.mlp`: one output decides between the two classes of `y`, above 0 or, after a sigmoid, above ½; of several
    the largest decides. `X` is (n, 2), an array or a data frame, `y` (n,) its labels; every class has a colour and a
    marker. `names` replaces the labels in the legend, in their order.
    The plane reaches `margin` beyond the samples; it is looked at in resolution × resolution places.

    Raises ValueError for data of other shapes and another number of names.

    >>> from models import Perceptron
    >>> from models.datasets import epic_night
    >>> night = epic_night()
    >>> ax = decision_regions(Perceptron(random_state=0).fit(night.X, night.y), night.X, night.y)
    >>> ax.lines[0].get_label()
    'X₁ + X₂ − 1 = 0'
    """
    inputs = rows(X, "decision_regions")
    if inputs.shape[1] != 2:
        raise ValueError(f"X must be (n_samples, 2), the two axes of the plane, got {inputs.shape}")
    answers = labels(y, len(inputs), "decision_regions")
    network = isinstance(model, (MLP, Layer, Neuron))
    decide = _by_outputs(model, np.unique(answers)) if network else getattr(model, "predict", model)
    if not callable(decide):
        raise TypeError(f"model must have predict, or be a function of rows, got {type(model).__name__}")
    whole("resolution", resolution, least=2)
    positive("margin", margin)
    low, high = inputs.min(axis=0) - margin, inputs.max(axis=0) + margin
    x1, x2 = (np.linspace(low[i], high[i], resolution) for i in (0, 1))
    places = np.column_stack([grid.ravel() for grid in np.meshgrid(x1, x2)])
    decided = np.asarray(decide(_like(X, places)))
    if decided.shape != (len(places),):
        raise ValueError(f"model must return one label for each of {len(places)} rows, got {decided.shape}")
    decided = labels(decided, None, "decision_regions", "what model returns")
    classes = np.unique(np.concatenate([answers, decided]))
    if names is not None and len(names) != len(classes):
        raise ValueError(f"names must have one entry for each of the {len(classes)} classes {classes.tolist()}")
    ax, colours = canvas(ax, size=(4.6, 4.0))
    # The class that stands for «yes» is blue, as what is above 0 is.
    palette = colours.series[1::-1] if len(classes) == 2 else colours.series
    colour = [palette[i % len(palette)] for i in range(len(classes))]
    heights, borders = _heights(model, _like(X, places), np.searchsorted(classes, decided), len(classes))
    heights = heights.reshape(resolution, resolution)
    paper = [blend(each, colours.paper, 0.2) for each in colour]
    ends = (-np.inf, np.inf) if len(borders) else (heights.min() - 1.0, heights.max() + 1.0)  # one class is everywhere
    ax.contourf(x1, x2, heights, levels=[ends[0], *borders, ends[1]], colors=paper, zorder=0)
    for i, name in enumerate(names or classes.tolist()):
        mine = answers == classes[i]
        ax.scatter(
            *inputs[mine].T, s=30, color=colour[i], marker=MARKERS[i % len(MARKERS)], edgecolor=colours.paper,
            linewidth=0.7, zorder=3, label=f"{name:g}" if isinstance(name, float) else str(name),
        )  # fmt: skip
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    coef = np.asarray(getattr(model, "coef_", ()))
    if coef.shape == (1, 2):
        neuron_line(coef[0], float(np.ravel(getattr(model, "intercept_", 0.0))[0]), ax=ax)
    elif len(np.unique(decided)) > 1:
        ax.contour(x1, x2, heights, levels=borders, colors=colours.ink, linewidths=1.2, zorder=2)
    return finished(ax, x="X₁", y="X₂")


def _like(X: Any, places: Array) -> Any:
    """Return places as the kind of table that X is, with the names of its columns."""
    return type(X)(places, columns=list(X.columns)) if hasattr(X, "iloc") else places


def _by_outputs(network: MLP | Layer | Neuron, classes: NDArray[Any]) -> Callable[[Array], NDArray[Any]]:
    """Return what a network of Values decides for every row."""

    def decide(places: Array) -> NDArray[Any]:
        with no_grad():
            outputs: list[Any] = [network(row) for row in np.asarray(places).tolist()]
        scores = np.array([[plain(a) for a in (each if isinstance(each, list) else [each])] for each in outputs])
        last: Any = getattr(network, "layers", [network])[-1]
        above = 0.5 if scores.shape[1] == 1 and getattr(last.activation, "name", "") == "sigmoid" else 0.0
        chosen = (scores[:, 0] > above).astype(int) if scores.shape[1] == 1 else scores.argmax(axis=1)
        if len(classes) != max(2, scores.shape[1]):
            raise ValueError(
                f"y must have as many classes as the network tells apart, {max(2, scores.shape[1])}, got {len(classes)}"
            )
        return classes[chosen]

    return decide


def neuron_line(weights: ArrayLike, bias: float, *, ax: Axes | None = None) -> Axes:
    """Draw where a neuron of two inputs changes its mind, w₁X₁ + w₂X₂ + b = 0, and an arrow w to the side it fires on.

    The arrow has the direction of the weights, at right angles to the line, and starts where the line is closest to
    the middle of the Axes. `weights` is (2,), not both 0.

    Raises ValueError for other weights.

    >>> ax = neuron_line([4.0, 5.0], -6.0)
    >>> ax.lines[0].get_label()
    '4X₁ + 5X₂ − 6 = 0'
    """
    w, b = numbers("weights", weights), float(numbers("bias", bias))
    if w.shape != (2,) or not w.any():
        raise ValueError(f"weights must be (2,) and not both 0, which have no line, got {weights!r}")
    new = ax is None
    ax, colours = canvas(ax, size=(4.6, 4.0))
    if new:
        ax.set(xlim=(-0.5, 1.5), ylim=(-0.5, 1.5))
    left, right, bottom, top = *ax.get_xlim(), *ax.get_ylim()
    middle = np.array([(left + right) / 2, (bottom + top) / 2])
    foot = middle - w * (w @ middle + b) / (w @ w)
    tip = foot + 0.16 * min(right - left, top - bottom) * w / np.hypot(*w)
    text = f"{_term(w[0], 'X₁', first=True)} {_term(w[1], 'X₂')} {_term(b, '')} = 0"
    ax.axline(tuple(foot), tuple(foot + np.array([-w[1], w[0]])), color=colours.ink, linewidth=1.8, label=text)
    arrow = {"arrowstyle": "-|>", "color": colours.ink, "lw": 1.6}
    ax.annotate("", xy=tuple(tip), xytext=tuple(foot), arrowprops=arrow)
    return finished(ax, x="X₁", y="X₂", names=new)


def _heights(model: Any, places: Array, decided: NDArray[np.intp], n_classes: int) -> tuple[Array, list[float]]:
    """Return heights whose contours at the borders part the classes: the smooth score of two, else the index."""
    score = getattr(model, "decision_function", None)
    if n_classes == 2 and score is not None:
        heights = np.asarray(score(places), dtype=np.float64)
        if np.array_equal(heights > 0, decided == 1) and np.isfinite(heights).all():
            return heights, [0.0]
    return decided.astype(np.float64), [i + 0.5 for i in range(n_classes - 1)]


def _term(number: float, name: str, *, first: bool = False) -> str:
    sign = "−" if number < 0 else "" if first else "+"
    size = f"{abs(number):.3g}"
    return f"{sign}{'' if first else ' '}{'' if size == '1' and name else size}{name}"
