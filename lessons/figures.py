"""Every figure of docs/reference-figures.md as it comes out today, in words: one function for each."""

from __future__ import annotations

import statistics
import warnings
from functools import cache
from typing import Any

import numpy as np

from autodiff import Value, mean, step
from models import MLP, LinearRegression, Neuron, Perceptron, datasets
from models.backpropagation import backpropagate, collapse, gradients
from models.hierarchy import EPIC_NIGHT, MONDAY_EXAM, decide_all
from models.losses import half_squared_error, squared_error
from models.networks_1986 import (
    Networks,
    error,
    learn_family_trees,
    right,
    solved,
    symmetry_networks,
)
from models.perceptron_rule import fires, fires_above, learn, weighted_sums
from models.perturbation import random_perturbation
from models.training import train

SEEDS = range(200)


def numbers(values: Any, digits: int = 6) -> str:
    """Numbers, or rows of them, with commas between."""
    return ", ".join(f"{x:.{digits}f}" if digits else f"{x:g}" for x in np.ravel(values)).replace("-", "−")


def percent(x: float, digits: int) -> str:
    """Write a share as a percentage."""
    return f"{100 * x:.{digits}f} %"


def equal(apart: float) -> str:
    """Say how far two ways to one number are apart, in words where only rounding separates them."""
    return "equal to 1e-12" if apart < 1e-12 else f"apart by {apart:.1g}"


def line_descents() -> str:
    """Return the ECM before and after 50 steps, at three rates."""
    data = datasets.line_points()
    curves = [
        LinearRegression(learning_rate=rate, epochs=50).fit(data.X, data.y).loss_curve_ for rate in (1e-4, 0.1, 0.13)
    ]
    return "ECM " + ", ".join(f"{curve[0]:.0f} → {curve[-1]:.3g}" for curve in curves)


def ecm_at_zero() -> str:
    """Return the slopes of the ECM at w = b = 0."""
    data, w, b = datasets.line_points(), Value(0.0), Value(0.0)
    mean([squared_error(w * x + b, y) for x, y in zip(data.X[:, 0].tolist(), data.y.tolist(), strict=True)]).backward()
    return numbers([w.grad, b.grad], 0)


def line_fit() -> str:
    """Fit the line through the four points by gradient descent."""
    data = datasets.line_points()
    model = LinearRegression(learning_rate=0.1, epochs=1000).fit(data.X, data.y)
    return f"w = {model.coef_[0]:.9f}, b = {model.intercept_:.9f}"


def least_squares(rows: slice) -> str:
    """Gradient descent's answer on standardised inputs, back in the units of the data."""
    data = datasets.apples_and_oranges()
    middle, scale = data.X.mean(axis=0), data.X.std(axis=0)
    model = LinearRegression(learning_rate=0.1, epochs=1000).fit((data.X - middle) / scale, data.y)
    coef = model.coef_ / scale
    fit = np.column_stack([coef, model.intercept_ - coef @ middle])
    return numbers(fit[rows], 8)


def apples_loss(rate: float, epochs: int, *, standardised: bool = False) -> float:
    """Return the mean squared error on apples and oranges after so many epochs from zeros."""
    data = datasets.apples_and_oranges()
    X = (data.X - data.X.mean(axis=0)) / data.X.std(axis=0) if standardised else data.X
    return LinearRegression(learning_rate=rate, epochs=epochs).fit(X, data.y).loss_curve_[-1]


def neuron_is_regression() -> str:
    """Train a neuron without activation and LinearRegression alike."""
    data = datasets.apples_and_oranges()
    neuron = Neuron(3, None, initialization="zeros")
    train(neuron, data.X, data.y[:, 0], optimizer="gd", learning_rate=1e-5, epochs=100)
    model = LinearRegression(learning_rate=1e-5, epochs=100).fit(data.X, data.y[:, 0])
    apart = max(abs(w.data - c) for w, c in zip(neuron.weights, model.coef_.tolist(), strict=True))
    return f"{equal(apart)} after 100 steps"


def threshold_or_bias() -> str:
    """Decisions by a threshold and by a bias."""
    X = datasets.epic_night().X
    same = all((fires_above(X, [4, 5], t) == fires(X, [4, 5], -t)).all() for t in range(-1, 11))
    at = int(fires_above([[1, 0]], [4, 5], 4)[0])
    return f"the same decisions: {'yes' if same else 'no'}; at the threshold {at}"


def night() -> str:
    """Weighted sums and decisions of the «epic night»."""
    data = datasets.epic_night()
    return f"{numbers(weighted_sums(data.X, [4, 5], -6), 0)} → {numbers(fires(data.X, [4, 5], -6), 0)}"


def rosenblatt() -> str:
    """Rosenblatt's rule on AND."""
    learned = learn([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1])
    return f"{learned.passes} passes, w = ({numbers(learned.weights, 0)}), b = {numbers(learned.bias, 0)}"


def xor_warning() -> str:
    """Report what the perceptron does on XOR."""
    data = datasets.xor()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = Perceptron(shuffle=False).fit(data.X, data.y)
    return f"{type(caught[0].message).__name__} after {model.n_iter_} passes" if caught else "no warning"


def exam() -> str:
    """Ask the hierarchy about every weekend."""
    data = datasets.exam_monday()
    same = decide_all(MONDAY_EXAM, data.X)[:, -1] == data.y
    return f"{same.sum()} of {len(same)} weekends right, «{EPIC_NIGHT.name}» among {len(MONDAY_EXAM)} neurons"


def collapsed() -> str:
    """Three linear layers beside the one they collapse into."""
    X = np.random.default_rng(0).normal(size=(50, 3))
    apart: list[float] = []
    for activation in ("linear", "tanh"):
        mlp = MLP(3, [4, 4, 1], activation=activation, random_state=0)
        W, b = collapse(MLP(3, [4, 4, 1], activation="linear", random_state=0))
        apart.append(max(abs(mlp(x).data - y) for x, y in zip(X, (X @ W.T + b)[:, 0], strict=True)))
    return f"{equal(apart[0])}; with tanh apart by up to {apart[1]:.1f}"


def activations() -> str:
    """Slopes of the course's four activations at 0."""
    z = Value(0.0, "z")
    slopes: list[float] = []
    for a in (step(z), z.sigmoid(), z.tanh(), z.relu()):
        z.zero_grad()
        a.backward()
        slopes.append(z.grad)
    return f"σ′(0) = {numbers(slopes, 0)}"


def perturbations() -> str:
    """Count what halving the cost takes without derivatives."""
    counts: list[str] = []
    for n in (4, 16, 64, 256):
        runs = [halve(n, seed) for seed in range(25)]
        counts.append(f"{statistics.median(runs):.0f}")
    return f"{', '.join(counts)} evaluations; backprop 1 sweep each"


def halve(n: int, seed: int) -> int:
    """Count the evaluations until Σ (w − 1)² of n weights at 0 has halved."""
    weights = [Value(0.0) for _ in range(n)]
    return random_perturbation(
        weights,
        lambda: sum((w.data - 1.0) ** 2 for w in weights),
        steps=20_000,
        scale=0.5,
        until=n / 2,
        random_state=seed,
    ).evaluations


def one_neuron() -> str:
    """δ of the README's neuron."""
    x, w, b = Value(2.0), Value(-3.0), Value(6.5)
    z = w * x + b
    ((1.0 - z.sigmoid()) ** 2 / 2).backward()
    return f"δ = {numbers(z.grad, 10)}, and w gets 2δ = {numbers(w.grad, 10)}"


def formulas() -> str:
    """∂C/∂w by the course's formulas beside the graph's."""
    mlp = MLP(2, [3, 2], activation="tanh", output_activation="sigmoid", random_state=0)
    half_squared_error(mlp([0.5, 1.0]), [0.9, 0.1]).backward()
    by_formula = backpropagate(mlp, [0.5, 1.0], [0.9, 0.1])
    apart = [
        abs(weight.grad - g)
        for layer, rows in zip(mlp.layers, by_formula.weight_gradients, strict=True)
        for neuron, row in zip(layer.neurons, rows.tolist(), strict=True)
        for weight, g in zip(neuron.weights, row, strict=True)
    ]
    return f"{equal(max(apart))} (2-3-2, tanh and sigmoid)"


@cache
def xor_runs(hidden: int) -> Any:
    """Two hundred runs on XOR."""
    data, networks = datasets.xor(), Networks((2, hidden, 1), seeds=SEEDS, scale=1.0)
    near: Any = lambda outputs, targets: right(outputs, targets, margin=0.4).all(axis=1)  # noqa: E731
    trained = networks.train(data.X, data.y[:, None], learning_rate=0.5, momentum=0.9, sweeps=10_000, until=near)
    return trained, error(networks.outputs(data.X), data.y[:, None])


def xor_four() -> str:
    """Count the runs that four hidden units solve."""
    trained, _ = xor_runs(4)
    return f"{trained.reached.sum()} of 200, median {np.median(trained.sweeps[trained.reached]):.0f}"


def xor_two() -> str:
    """Count the runs that two hidden units solve, and say where the others get stuck."""
    trained, E = xor_runs(2)
    early = (trained.sweeps[trained.reached] <= 300).sum()
    stuck = np.unique(E[~trained.reached].round(2)).tolist()
    return f"{trained.reached.sum()} of 200 ({early} within 300 sweeps), the rest at E = {numbers(stuck, 2)}"


@cache
def symmetry_runs(rate: float, zero_biases: bool) -> Any:
    """Two hundred runs on mirror symmetry, until solved."""
    data, networks = datasets.mirror_symmetry(), symmetry_networks(seeds=SEEDS, zero_biases=zero_biases)
    X, d = data.X, data.y[:, None]
    first = networks.train(X, d, learning_rate=rate, momentum=0.9, sweeps=30_000, until=solved)
    return networks, first, X, d


def symmetry(rate: float, *, zero_biases: bool = False) -> str:
    """Count the runs that were solved, and say how fast."""
    _, first, *_ = symmetry_runs(rate, zero_biases)
    sweeps = first.sweeps[first.reached]
    return f"{len(sweeps)} of 200, median {np.median(sweeps):,.0f} ({sweeps.min():,}–{sweeps.max():,})"


def symmetry_stuck() -> str:
    """Say where the other runs get stuck."""
    networks, first, X, d = symmetry_runs(0.1, False)
    outputs = networks.outputs(X)[~first.reached]
    E = np.unique(error(outputs, d).round(1)).tolist()
    return f"E = {numbers(E, 1)}, {numbers(np.unique(right(outputs, d).sum(axis=1)), 0)} of 64"


@cache
def symmetry_weights() -> Any:
    """Hidden weights of the solved runs, once E < 0.1."""
    networks, first, X, d = symmetry_runs(0.03, False)
    below: Any = lambda outputs, targets: error(outputs, targets) < 0.1  # noqa: E731
    then = networks.train(X, d, learning_rate=0.03, momentum=0.9, sweeps=5_000, until=below)
    return networks.weights[0][then.reached & first.reached][:, :, :6]


def mirror() -> str:
    """Measure how far from mirrored they are."""
    hidden = symmetry_weights()
    return f"{percent((abs(hidden + hidden[:, :, ::-1]).max(axis=2) / abs(hidden).max(axis=2)).max(), 2)} at most"


def magnitudes() -> str:
    """In what ratios they stand."""
    sizes = np.sort(abs(symmetry_weights()[:, :, :3]), axis=2)
    ratios = sizes / sizes[:, :, :1]
    middle = np.median(ratios, axis=(0, 1))
    papers = np.isclose(ratios, np.broadcast_to([1, 2, 4], ratios.shape), rtol=0.05).all(axis=(1, 2)).sum()
    return (
        f"median 1 : {middle[1]:.2f} : {middle[2]:.2f}; within 5 % of 1 : 2 : 4 in {papers} of {len(ratios)}, "
        f"of 2 : 3 : 4 in the other {len(ratios) - papers}"
    )


def family_data() -> str:
    """Count what there is to learn about the two families."""
    data = datasets.family_trees()
    return f"{len(data.X)} cases, {data.y.sum():.0f} triples"


def family(recipe: Any = None, *, runs: int = 100, margin: float = 0.0) -> str:
    """Measure what was learnt of it."""
    learned = learn_family_trees(seeds=range(runs), **({} if recipe is None else {"recipe": recipe}))
    training, held_out = (learned.fraction_right(c, margin=margin) for c in (learned.training, learned.held_out))
    return (
        f"{percent(training.mean(), 1)} of training cases, {percent(held_out.mean(), 0)} of held-out ones, "
        f"all four right in {(held_out == 1).sum()} of {runs} runs"
    )


def golden_run() -> str:
    """Solve the second exercise from given weights, at α = 1 on the sum of half squares."""
    data = datasets.study_sleep_mark()
    sigmoids = ["sigmoid"] * 2
    weights = [np.array([[0.5, 0.1], [-0.5, 0.2], [0.25, -0.3]]), np.array([[0.4, -0.2, 0.3]])]
    errors: list[float] = []
    for done in range(1001):
        result = gradients(weights, None, sigmoids, data.X, data.y)
        errors += [2 * result.cost / 3] if done in {0, 1, 1000} else []
        weights = [w - g for w, g in zip(weights, result.weight_gradients, strict=True)] if done < 1000 else weights
    mark = gradients(weights, None, sigmoids, [[0.5, 1.0]], [0.0]).a[-1][0, 0]
    return f"{numbers(errors, 12)}; {mark:.12f}"


def stable_rate() -> float:
    """Halve the interval between a rate at which the loss still falls after long, and one at which it grows."""
    falls, grows = 1e-4, 1.3e-4
    while grows - falls > 1e-8:
        rate = (falls + grows) / 2
        data = datasets.apples_and_oranges()
        curve = LinearRegression(learning_rate=rate, epochs=1500).fit(data.X, data.y).loss_curve_
        falls, grows = (rate, grows) if curve[-1] < curve[-100] else (falls, rate)
    return falls
