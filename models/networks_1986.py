"""The two networks of Rumelhart, Hinton & Williams, *Learning representations by back-propagating errors* (1986).

Equations (1) to (9) of the paper in NumPy, many runs side by side: every array has a leading axis of runs, each run
with a seed of its own. Units are logistic; a unit's bias is a weight from a unit that is always 1. What they learn
beside what the paper claims, with our figures: docs/networks-1986.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models import _checks as check
from models._checks import Array
from models.datasets import RELATIONS, family_trees
from models.mlp import MLP

Stop = Callable[[Array, Array], NDArray[np.bool_]]


def error(outputs: Array, targets: Array) -> Array:
    """Return E = ½ ΣΣ (y − d)², equation (3), over all cases and outputs of each run: shape (runs,)."""
    return 0.5 * ((outputs - targets) ** 2).sum(axis=(-2, -1))


def right(outputs: Array, targets: Array, *, margin: float = 0.0) -> NDArray[np.bool_]:
    """Return which cases are right in all their outputs: shape (runs, n_cases).

    An output is right above 0.5 + margin where its target is on, below 0.5 - margin where it is off. The paper's
    criterion for family trees, above 0.8 and below 0.2, is a margin of 0.3.

    >>> outputs, targets = np.array([[[0.9, 0.3]]]), np.array([[1.0, 0.0]])
    >>> right(outputs, targets), right(outputs, targets, margin=0.3)
    (array([[ True]]), array([[False]]))
    """
    return np.asarray(np.all(np.where(targets > 0.5, outputs - 0.5, 0.5 - outputs) > margin, axis=-1))


def solved(outputs: Array, targets: Array) -> NDArray[np.bool_]:
    """Return which runs have every case on the right side of 0.5: shape (runs,)."""
    return np.asarray(np.all(right(outputs, targets), axis=-1))


class Trained(NamedTuple):
    """The end of a training, for each run: after how many `sweeps`, and whether its condition was `reached`."""

    sweeps: NDArray[np.int64]
    reached: NDArray[np.bool_]


class Networks:
    """Layered networks of logistic units, one run for each of `seeds`: the same sizes, other initial weights.

    `sizes` counts units from the inputs to the outputs. Weights start at U(-scale, scale), biases too, unless
    `zero_biases`. `connections` has for each layer a matrix (n_out, n_in) of which connections exist, or None for all.

    `weights[l]` is (runs, n_out, n_in + 1): w_ji from unit i to unit j, and last the bias. `changes` has the same
    shapes and holds the last Δw, which momentum goes on from when training continues.

    Raises ValueError for sizes, a scale, seeds or connections that do not describe a network.

    >>> networks = Networks((2, 4, 1), seeds=range(3), scale=1.0)
    >>> networks.outputs([[0, 0], [0, 1]]).shape
    (3, 2, 1)
    """

    def __init__(
        self, sizes: Sequence[int], *, seeds: Sequence[int], scale: float, zero_biases: bool = False,
        connections: Sequence[ArrayLike | None] | None = None,
    ) -> None:  # fmt: skip
        self.sizes = tuple(sizes)
        if len(self.sizes) < 2:
            raise ValueError(f"sizes must name inputs and outputs at least, such as (6, 2, 1), got {sizes!r}")
        for size in self.sizes:
            check.whole("every one of sizes", size)
        check.positive("scale", scale)
        check.flag("zero_biases", zero_biases)
        if not isinstance(seeds, Iterable):
            raise TypeError(
                f"seeds must be whole numbers, one for each run, got {seeds!r}; write [{seeds!r}] for one run"
            )
        self.seeds = tuple(seeds)
        if not self.seeds:
            raise ValueError("seeds must have one whole number for each run, got none")
        shapes = [(m, n + 1) for n, m in zip(self.sizes, self.sizes[1:], strict=False)]
        self._masks = _masks(shapes, connections)
        self.weights = [np.empty((len(self.seeds), *shape)) for shape in shapes]
        for run, seed in enumerate(self.seeds):
            random = check.random_generator(seed)
            for weights, mask in zip(self.weights, self._masks, strict=True):
                weights[run] = random.uniform(-scale, scale, weights.shape[1:]) * mask
                weights[run, :, -1] *= not zero_biases
        self.changes = [np.zeros_like(weights) for weights in self.weights]

    def outputs(self, X: ArrayLike) -> Array:
        """Return the outputs for `X` (n_cases, n_inputs), or (runs, n_cases, n_inputs): (runs, n_cases, n_outputs)."""
        return _forward(self.weights, self._inputs(X))[-1][..., :-1]

    def gradients(self, X: ArrayLike, d: ArrayLike) -> list[Array]:
        """Return ∂E/∂w accumulated over all cases, equations (4) to (7): shapes as `weights`."""
        X = self._inputs(X)
        return _backward(self.weights, _forward(self.weights, X), self._targets(d, X), 0.0, self._masks)

    def train(
        self, X: ArrayLike, d: ArrayLike, *, learning_rate: float, momentum: float = 0.0, decay: float = 0.0,
        tolerance: float = 0.0, sweeps: int, until: Stop | None = None,
    ) -> Trained:  # fmt: skip
        """Sweep over all cases, changing every weight after each sweep by equation (9), in place.

        `Δw(t) = −ε ∂E/∂w(t) + α Δw(t−1)`, ε being `learning_rate` and α `momentum`; then every weight, biases too,
        is cut by the fraction `decay`. An output closer than `tolerance` to its target counts as without error.
        A run stops after `sweeps`, or before the sweep at which `until(outputs, targets)` is true of it.

        `X` is (n_cases, n_inputs) and `d` (n_cases, n_outputs), or with a leading axis if runs have cases of their
        own. Raises ValueError, before anything changes, for other shapes and for settings out of range.
        """
        X = self._inputs(X)
        d = self._targets(d, X)
        check.positive("learning_rate", learning_rate)
        check.whole("sweeps", sweeps)
        for name, value, above in (("momentum", momentum, 1.0), ("decay", decay, 1.0), ("tolerance", tolerance, 0.5)):
            check.within(name, value, f"0 or more and below {above:g}", 0.0, above)
        running = np.arange(len(self.seeds))
        done, reached = np.full(len(running), sweeps), np.zeros(len(running), dtype=bool)
        weights, changes = self.weights, self.changes
        sweep = 0
        while True:
            activities = _forward(weights, X)
            if until is not None:
                there = until(activities[-1][..., :-1], d)
                if there.any():
                    done[running[there]], reached[running[there]] = sweep, True
                    self._store(running[there], weights, changes, there)
                    left = ~there
                    running, weights, changes = running[left], [w[left] for w in weights], [c[left] for c in changes]
                    X, d = (each[left] if each.ndim == 3 else each for each in (X, d))
                    activities = [a[left] if a.ndim == 3 and len(a) == len(left) else a for a in activities]
            if sweep == sweeps or not len(running):
                break
            slopes = _backward(weights, activities, d, tolerance, self._masks)
            changes = [momentum * c - learning_rate * slope for c, slope in zip(changes, slopes, strict=True)]
            weights = [(w + change) * (1.0 - decay) for w, change in zip(weights, changes, strict=True)]
            sweep += 1
        self._store(running, weights, changes, np.ones(len(running), dtype=bool))
        return Trained(done, reached)

    def on_values(self, run: int = 0) -> MLP:
        """Return one run as an MLP on Values, to inspect and draw; absent connections become weights of 0.

        >>> network = symmetry_networks(seeds=[0])
        >>> float(network.outputs([[1, 0, 0, 0, 0, 1]])[0, 0, 0]) - network.on_values()([1, 0, 0, 0, 0, 1]).data < 1e-12
        True
        """
        if not -len(self.seeds) <= run < len(self.seeds):
            raise ValueError(f"run must be one of the {len(self.seeds)} there are, counted from 0, got {run}")
        n_inputs, *sizes = self.sizes
        mlp = MLP(n_inputs, sizes, activation=["sigmoid"] * len(sizes), initialization="zeros")
        return mlp.load_weights([w[run, :, :-1] for w in self.weights], [w[run, :, -1] for w in self.weights])

    def _store(self, runs: NDArray[Any], weights: list[Array], changes: list[Array], rows: NDArray[np.bool_]) -> None:
        for l in range(len(weights)):  # noqa: E741 # the course's l
            self.weights[l][runs], self.changes[l][runs] = weights[l][rows], changes[l][rows]

    def _inputs(self, X: Any) -> Array:
        return self._cases(X, "X", self.sizes[0], "inputs")

    def _targets(self, d: Any, X: Array) -> Array:
        d = self._cases(d, "d", self.sizes[-1], "outputs")
        if d.shape[-2] != X.shape[-2]:
            raise ValueError(f"d must have one row for each of the {X.shape[-2]} cases of X, got {d.shape[-2]}")
        return d

    def _cases(self, data: Any, name: str, width: int, what: str) -> Array:
        array = check.numbers(name, data)
        if array.ndim not in (2, 3) or array.shape[-1] != width or (array.ndim == 3 and len(array) != len(self.seeds)):
            raise ValueError(
                f"{name} must be (n_cases, {width}), one column for each of the {what}, or "
                f"({len(self.seeds)}, n_cases, {width}) with cases for each run, got {array.shape}"
            )
        return array


class Recipe(NamedTuple):
    """The training of the family trees: two learning rates and momenta, for the first 20 sweeps and for the rest."""

    scale: float
    learning_rates: tuple[float, float]
    momenta: tuple[float, float]
    decay: float
    tolerance: float
    sweeps: int


PAPER = Recipe(0.3, (0.005, 0.01), (0.5, 0.9), 0.002, 0.2, 1500)
RECIPE = Recipe(1.0, (0.025, 0.05), (0.5, 0.9), 0.001, 0.2, 3000)
STRICT_RECIPE = Recipe(1.0, (0.025, 0.05), (0.5, 0.9), 0.0003, 0.15, 3000)


class FamilyRuns(NamedTuple):
    """Networks that learnt the family trees, and which cases: `training` (runs, 100), `held_out` (runs, 4), indices."""

    networks: Networks
    training: NDArray[np.int64]
    held_out: NDArray[np.int64]

    def fraction_right(self, cases: NDArray[np.int64], *, margin: float = 0.0) -> Array:
        """Return for each run the fraction of `cases`, `training` or `held_out`, that is `right`: shape (runs,)."""
        data = family_trees()
        return right(self.networks.outputs(data.X[cases]), data.y[cases], margin=margin).mean(axis=1)


def symmetry_networks(*, seeds: Sequence[int], scale: float = 0.3, zero_biases: bool = False) -> Networks:
    """Return untrained networks for mirror symmetry: 6 inputs, 2 hidden units, 1 output; the rest is as in Networks.

    >>> from models.datasets import mirror_symmetry
    >>> data, networks = mirror_symmetry(), symmetry_networks(seeds=[0])
    >>> trained = networks.train(data.X, data.y[:, None], learning_rate=0.03, momentum=0.9, sweeps=5000, until=solved)
    >>> trained.reached
    array([ True])
    """
    return Networks((6, 2, 1), seeds=seeds, scale=scale, zero_biases=zero_biases)


def family_networks(*, seeds: Sequence[int], scale: float = 1.0) -> Networks:
    """Return untrained networks for the family trees: 24 + 12 inputs, 6 + 6 units, then 12, 6 and 24 outputs.

    Six units see the person alone and six the relation alone.

    >>> [w.shape for w in family_networks(seeds=[0]).weights]
    [(1, 12, 37), (1, 12, 13), (1, 6, 13), (1, 24, 7)]
    """
    people, relations = 24, len(RELATIONS)
    apart = np.zeros((12, people + relations), dtype=bool)
    apart[:6, :people] = apart[6:, people:] = True
    sizes = (people + relations, 12, 12, 6, people)
    return Networks(sizes, seeds=seeds, scale=scale, connections=[apart, None, None, None])


def learn_family_trees(*, seeds: Sequence[int], recipe: Recipe = RECIPE) -> FamilyRuns:
    """Train on 100 of the 104 cases, each run holding out four of its own: about 0.2 s per run of 3,000 sweeps.

    >>> runs = learn_family_trees(seeds=[0, 1], recipe=RECIPE._replace(sweeps=30))
    >>> runs.training.shape, runs.fraction_right(runs.held_out).shape
    ((2, 100), (2,))
    """
    data = family_trees()
    networks = family_networks(seeds=seeds, scale=recipe.scale)
    order = np.array([np.random.default_rng((1986, seed)).permutation(len(data.X)) for seed in networks.seeds])
    held_out, training = order[:, :4], order[:, 4:]
    warming = min(20, recipe.sweeps)
    swept = warming, recipe.sweeps - warming
    for rate, momentum, sweeps in zip(recipe.learning_rates, recipe.momenta, swept, strict=True):
        if sweeps:
            networks.train(
                data.X[training], data.y[training], learning_rate=rate, momentum=momentum, decay=recipe.decay,
                tolerance=recipe.tolerance, sweeps=sweeps,
            )  # fmt: skip
    return FamilyRuns(networks, training, held_out)


def _masks(shapes: list[tuple[int, int]], connections: Sequence[Any] | None) -> list[Any]:
    """Return for each layer 1.0, or a matrix with 0 where there is no weight; biases always exist."""
    masks: list[Any] = []
    if connections is not None and len(connections) != len(shapes):
        raise ValueError(f"connections must have one entry per layer, {len(shapes)}, got {len(connections)}")
    for shape, given in zip(shapes, connections or [None] * len(shapes), strict=True):
        if given is not None and np.shape(given) != (shape[0], shape[1] - 1):
            raise ValueError(f"connections must be {(shape[0], shape[1] - 1)} here, got {np.shape(given)}")
        masks.append(1.0 if given is None else np.column_stack([np.asarray(given, dtype=bool), np.ones(shape[0])]))
    return masks


def _forward(weights: list[Array], X: Array) -> list[Array]:
    """Return the activities of every layer, equations (1) and (2), with the unit that is always 1 as last column."""
    activities = [np.concatenate([X, np.ones((*X.shape[:-1], 1))], axis=-1)]
    for w in weights:
        x = activities[-1] @ w.swapaxes(1, 2)
        y = np.ones((*x.shape[:-1], x.shape[-1] + 1))
        np.tanh(x / 2, out=y[..., :-1])  # the logistic function is (1 + tanh(x/2)) / 2, and so never overflows
        y[..., :-1] += 1
        y[..., :-1] /= 2
        activities.append(y)
    return activities


def _backward(
    weights: list[Array], activities: list[Array], d: Array, tolerance: float, masks: list[Any]
) -> list[Array]:
    """Return ∂E/∂w for every layer, equations (4) to (7)."""
    slopes: list[Array] = []
    by_output = activities[-1][..., :-1] - d  # (4): ∂E/∂y
    if tolerance:
        by_output[np.abs(by_output) < tolerance] = 0.0
    for w, mask, below, above in reversed(list(zip(weights, masks, activities, activities[1:], strict=False))):
        y = above[..., :-1]
        by_input = by_output * y * (1.0 - y)  # (5): ∂E/∂x
        slopes.append(by_input.swapaxes(1, 2) @ below * mask)  # (6): ∂E/∂w, summed over the cases
        by_output = by_input @ w[..., :-1]  # (7): ∂E/∂y one layer below
    return slopes[::-1]
