"""The plots of the gallery and the README: each a function that draws it on light paper or dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from models import LinearRegression, MLPClassifier, Perceptron, datasets
from models.networks_1986 import error, learn_family_trees, symmetry_networks
from models.perceptron_rule import fires, one_pass
from models.plots import (
    activation_curve,
    activation_surface,
    axes,
    decision_regions,
    descent_contour,
    descent_curve,
    descent_path,
    hinton_diagram,
    loss_curves,
    neuron_line,
    panels,
    regression_line,
    write_gif,
)

DPI = 100
POINTS = ((1.0, 3.0), (2.0, 5.0), (3.0, 7.0), (4.0, 9.0))
ACTIVATIONS = ("step", "sigmoid", "tanh", "relu")


class Plot(NamedTuple):
    """A plot by its `title`, what it shows in a `caption`, and how it is made: `draw(dark)` gives the figure."""

    title: str
    caption: str
    draw: Callable[[bool], Any]
    suffix: str = ".svg"
    wide: bool = False


class Film(NamedTuple):
    """Figures one after the other: `draw(dark)` yields them, each shown for so many `seconds`."""

    title: str
    caption: str
    draw: Callable[[bool], Iterator[Any]]
    seconds: float


def cost(w: float, b: float = 1.0) -> float:
    """Return the course's mean squared error (ECM) of y = wx + b on its four points."""
    return sum((y - (w * x + b)) ** 2 for x, y in POINTS) / len(POINTS)


def descents(dark: bool) -> Any:
    """Gradient descent on a curve, α too small, right and too large."""
    for ax, (name, rate) in zip(
        panels(3, dark=dark), (("too small", 0.004), ("right", 0.05), ("too large", 0.138)), strict=True
    ):
        descent_curve(cost, descent_path(cost, 0.0, learning_rate=rate, steps=14), window=(-0.5, 4.5), ax=ax)
        ax.set_title(f"α = {rate}: {name}")
    return ax.figure


def contours(dark: bool) -> Any:
    """Plot the same over the contours of two weights."""
    settings = (("too small", 0.002, 40), ("right", 0.05, 120), ("too large", 0.128, 6))
    for ax, (name, rate, steps) in zip(panels(3, dark=dark), settings, strict=True):
        path = descent_path(cost, [0.0, 2.6], learning_rate=rate, steps=steps)
        descent_contour(cost, path, window=((-0.6, 3.9), (-0.4, 3.6)), ax=ax)
        ax.set_title(f"α = {rate}: {name}")
    return ax.figure


@cache
def descent_of_a_line() -> tuple[Any, Any, list[tuple[float, float]]]:
    """Points about y = 2x + 1, and (w, b) before the first step of sixty and after each."""
    x = np.linspace(0.0, 5.0, 14)
    y = 2.0 * x + 1.0 + np.random.default_rng(0).normal(0.0, 1.2, x.size)
    model, lines = LinearRegression(learning_rate=0.02), [(0.0, 0.0)]
    for _ in range(60):
        model.partial_fit(x[:, None], y)
        lines.append((float(model.coef_[0]), model.intercept_))
    return x, y, lines


def line(dark: bool) -> Any:
    """Plot a line while it learns."""
    x, y, lines = descent_of_a_line()
    shown = [lines[step] for step in (0, 1, 2, 3, 5, 8, 14, 60)]
    return regression_line(x, y, shown, ax=axes(dark=dark, size=(5.4, 3.6))).figure


@cache
def moons_network() -> tuple[datasets.Dataset, MLPClassifier]:
    """Train a network on the two moons, with samples held out."""
    data = datasets.moons(150, random_state=0)
    model = MLPClassifier(
        hidden_layer_sizes=(8,), activation="tanh", learning_rate=0.1, batch_size=20, tol=5e-4, early_stopping=True,
        n_iter_no_change=30, random_state=0,
    )  # fmt: skip
    return data, model.fit(data.X, data.y)


def learning_line(dark: bool) -> Iterator[Any]:
    """Animate the line of `line`: its first steps, then ever fewer."""
    x, y, lines = descent_of_a_line()
    for step in (*range(5), 7, 10, 20, 60):
        ax = regression_line(x, y, lines[: step + 1][-6:], ax=axes(dark=dark, size=(5.4, 3.6)))
        ax.set(ylim=(-0.6, 11.6), title=f"step {step}")
        yield ax.figure


def learning_neuron(dark: bool) -> Iterator[Any]:
    """Rosenblatt's rule on the «epic night»: its line after every mistake."""
    night = datasets.epic_night()
    weights, bias = [0.0, 0.0], 0.0
    rows = list(zip(night.X[[0, 2, 1, 3]].tolist(), night.y[[0, 2, 1, 3]].tolist(), strict=True))
    mistakes = 0
    for x, target in rows * 6:
        weights, bias, wrong = one_pass([x], [target], weights, bias)
        mistakes += wrong
        if wrong and any(weights):
            ax = axes(dark=dark, size=(4.4, 3.8))
            now = partial(fires, weights=weights, bias=bias)
            decision_regions(now, night.X, night.y, names=["no", "epic night"], ax=ax)
            neuron_line(weights, bias, ax=ax)
            ax.set(xlabel="video games", ylabel="pizza", title=f"mistake {mistakes}")
            yield ax.figure


@cache
def bending() -> list[tuple[int, float, MLPClassifier]]:
    """Return the network as it was after so many epochs on the two moons, and its share of right answers."""
    data = datasets.moons(150, random_state=0)
    model = MLPClassifier(hidden_layer_sizes=(8,), activation="tanh", learning_rate=0.05, random_state=3)
    kept: list[tuple[int, float, MLPClassifier]] = []
    for epoch in range(1, 81):
        model.partial_fit(data.X, data.y, classes=[0.0, 1.0])
        if epoch in {1, 8, 16, 20, 25, 30, 40, 50, 60, 80}:
            kept.append((epoch, model.score(data.X, data.y), deepcopy(model)))
    return kept


def learning_network(dark: bool) -> Iterator[Any]:
    """Animate a border that bends while a network learns."""
    data = datasets.moons(150, random_state=0)
    for epoch, score, model in bending():
        ax = axes(dark=dark, size=(4.4, 3.8))
        decision_regions(model, data.X, data.y, names=data.target_names, resolution=100, ax=ax)
        ax.set_title(f"epoch {epoch}: {score:.0%} right")
        yield ax.figure


def regions(dark: bool) -> Any:
    """Plot what a neuron decides, and what a network does."""
    night, (moons, network) = datasets.epic_night(), moons_network()
    neuron = Perceptron(shuffle=False).fit(night.X, night.y)
    left, right = panels(2, dark=dark, size=(4.4, 3.8))
    decision_regions(neuron, night.X, night.y, names=["no", "epic night"], ax=left)
    left.set(xlabel="video games", ylabel="pizza", title="a neuron")
    decision_regions(network, moons.X, moons.y, names=moons.target_names, ax=right).set_title("a network 2-8-1")
    return right.figure


def activations(dark: bool) -> Any:
    """Plot the four activations with their derivatives."""
    for ax, name in zip(panels(4, dark=dark, size=(3.0, 2.7)), ACTIVATIONS, strict=True):
        activation_curve(name, ax=ax)
    return ax.figure


def surfaces(dark: bool) -> Any:
    """Plot the neuron of the «epic night» with each of them."""
    for ax, name in zip(panels(4, dark=dark, size=(3.0, 2.9), projection="3d"), ACTIVATIONS, strict=True):
        activation_surface(name, [4.0, 5.0], -6.0, window=(-0.5, 1.5), ax=ax)
    return ax.figure


def losses(dark: bool) -> Any:
    """Training and validation, epoch by epoch."""
    return loss_curves(moons_network()[1], ax=axes(dark=dark, size=(5.4, 3.2))).figure


@cache
def symmetry_weights() -> Any:
    """Return the weights that the hidden units of the 1986 paper's first network learn."""
    data, networks = datasets.mirror_symmetry(), symmetry_networks(seeds=[0])
    networks.train(
        data.X, data.y[:, None], learning_rate=0.03, momentum=0.9, sweeps=6000, until=lambda o, d: error(o, d) < 0.1
    )
    return networks.weights[0][0]


def symmetry(dark: bool) -> Any:
    """Plot the weights of the first network, as the paper draws them."""
    ax = axes(dark=dark, size=(4.6, 1.7))
    return hinton_diagram(symmetry_weights(), rows=["unit 1", "unit 2"], columns=[*"123456", "bias"], ax=ax).figure


@cache
def family_weights() -> Any:
    """From the 24 people to the six units that see them, in the second network."""
    return learn_family_trees(seeds=[0]).networks.weights[0][0, :6, :24]


def families(dark: bool) -> Any:
    """Plot the weights of the second network, English family on the left, Italian on the right."""
    people = datasets.family_trees().target_names
    for ax, half, name in zip(
        panels(2, dark=dark, size=(4.6, 3.3)), (slice(0, 12), slice(12, 24)), ("English", "Italian"), strict=True
    ):
        rows = [f"unit {i}" for i in range(1, 7)]
        hinton_diagram(family_weights()[:, half], rows=rows, columns=people[half], ax=ax).set_title(name)
    return ax.figure


PLOTS: Mapping[str, Plot] = MappingProxyType({
    "descents": Plot(
        "Gradient descent",
        "w ← w − α·∂C/∂w on the cost of y = wx + 1, from the hollow point. Steps down are blue, steps up orange.",
        descents,
        wide=True,
    ),
    "contours": Plot(
        "Down a valley",
        "The same with both weights of y = wx + b: contours of equal cost, steep across the valley, flat along it.",
        contours,
        wide=True,
    ),
    "line": Plot(
        "Linear regression",
        "A line while it learns, and its residuals: above the line blue, below it orange.",
        line,
    ),
    "regions": Plot(
        "Who decides what, where",
        "A neuron parts the plane by a line; its weights are the arrow. A network bends the border.",
        regions,
        wide=True,
    ),
    "activations": Plot(
        "Activation functions",
        "Each with its derivative, found by autodiff. At a jump the filled point is the value.",
        activations,
        wide=True,
    ),
    "surfaces": Plot(
        "The same over the plane",
        "The neuron of the «epic night», w = (4, 5), b = −6, with each activation. The line is z = 0.",
        surfaces,
        ".png",
        wide=True,
    ),
    "losses": Plot("Training", "The loss on the samples it learns from, and on those held out.", losses),
    "symmetry": Plot(
        "1986: mirror symmetry",
        "Two hidden units that tell whether six bits mirror each other: white excites, black inhibits, the area is the "
        "weight. Equal and opposite about the middle, 1 : 2 : 4.",
        symmetry,
    ),
    "families": Plot(
        "1986: family trees",
        "What six units have learnt to see in 24 people. Nobody told them that there are two families.",
        families,
        wide=True,
    ),
})  # fmt: skip

FILMS: Mapping[str, Film] = MappingProxyType({
    "learning-line": Film("A line learns", "Gradient descent from w = b = 0, step by step.", learning_line, 0.4),
    "learning-neuron": Film(
        "A neuron learns", "Rosenblatt's rule on the «epic night»: the line moves at every mistake, ten times.",
        learning_neuron, 1.0,
    ),
    "learning-network": Film(
        "A network learns", "The border of a 2-8-1 network bends until it has the two moons.", learning_network, 0.4
    ),
})  # fmt: skip


def save_film(film: Film, path: Path, *, dark: bool = False) -> tuple[Path, Path]:
    """Write a film as GIF, and its last figure as PNG beside it for those who want no motion."""
    figures = list(film.draw(dark))
    still = path.with_suffix(".png")
    figures[-1].savefig(still, dpi=DPI, pil_kwargs={"optimize": True})
    return write_gif(figures, path, seconds=film.seconds), still


def save(plot: Plot, path: Path, *, dark: bool = False) -> Path:
    """Write a plot, the same bytes each time for the same matplotlib."""
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": path.stem}):
        plain = (
            {"metadata": {"Date": None}}
            if path.suffix == ".svg"
            else {"dpi": 1.5 * DPI, "pil_kwargs": {"optimize": True}}
        )
        plot.draw(dark).savefig(path, **plain)
    return path
