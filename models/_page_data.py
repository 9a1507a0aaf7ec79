"""The data sets of the playground's page, and the graphs that it computes with."""

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff import Op, Value, topological_order, weighted_sum
from models import datasets
from models._checks import Array
from models.activations import activate
from models.losses import LOSSES, binary_cross_entropy, cross_entropy, hinge

CLASSES = (hinge, binary_cross_entropy, cross_entropy)  # losses whose targets are classes
_POINTS = 200  # samples of the data sets that are drawn


def data_set(
    name: str, X: Array, y: Array, names: Any, classes: bool, *, code: str = "", targets: Any = ()
) -> dict[str, Any]:
    y = y[:, None] if y.ndim == 1 else y
    two = np.unique(y).tolist() in ([0.0, 1.0], [-1.0, 1.0]) and y.shape[1] == 1
    several = y.shape[1] > 1 and bool((np.sort(y, axis=1)[:, -1] == 1.0).all() and (y.sum(axis=1) == 1.0).all())
    return {
        "name": name, "n": X.shape[1], "k": y.shape[1], "outputs": y.shape[1], "code": code,
        "X": X.ravel().tolist(), "y": y.ravel().tolist(),
        "names": [f"x{i}" for i in range(1, X.shape[1] + 1)] if names is None else [str(each) for each in names],
        "targets": list(map(str, targets)), "classes": bool(two or several or classes), "two": two,
    }  # fmt: skip


def data_sets() -> list[dict[str, Any]]:
    """Return the data sets to try: those of the course, and four tasks for curved borders."""
    found: list[dict[str, Any]] = []

    def drawn(name: str, X: Array, y: Array) -> None:
        found.append(data_set(name, X.round(4), y, None, True))

    moons = datasets.moons(_POINTS, 0.0, 0)
    drawn("moons", moons.X, moons.y)
    turn = np.linspace(0.0, 2.0 * np.pi, _POINTS // 2, endpoint=False)
    ring = np.column_stack([np.cos(turn), np.sin(turn)])
    y = np.repeat([0.0, 1.0], _POINTS // 2)
    drawn("circles", np.concatenate([ring, 0.45 * ring]), y)
    way = np.sqrt(np.linspace(0.03, 1.0, _POINTS // 2))
    arm = way[:, None] * np.column_stack([np.cos(3.5 * np.pi * way), np.sin(3.5 * np.pi * way)])
    drawn("spirals", np.concatenate([arm, -arm]), y)
    tables = datasets.xor, datasets.epic_night, datasets.exam_monday
    numbers = datasets.line_points, datasets.study_sleep_mark, datasets.apples_and_oranges, datasets.iris
    for function in (*tables, *numbers):
        data, classes, name = function(), function in tables, function.__name__
        X, y, code = data.X, data.y, f"from models.datasets import {name}\nX, y, *_ = {name}()\n"
        if X.max() > 5:
            X, code = _standard(X), code + "X = (X - X.mean(axis=0)) / X.std(axis=0)\n"
        if y.max() > 10:
            y, code = _standard(y), code + "y = (y - y.mean(axis=0)) / y.std(axis=0)\n"
        y = np.eye(3)[y.astype(int)] if function is datasets.iris else y
        targets = () if classes else data.target_names
        found.append(data_set(name, X, y, data.feature_names, classes, code=code, targets=targets))
    return found


def _standard(x: Array) -> Array:
    return (x - x.mean(axis=0)) / x.std(axis=0)


class Recorded:
    """The graphs that the page computes with: of each activation, loss and penalty, at places in one list."""

    def __init__(self) -> None:
        self.roots: list[Value] = []

    def activation(self, op: Op) -> int:
        """Record an activation of z."""
        return self._kept(activate(op, Value(0.5, "z")))

    def neuron(self, n: int) -> int:
        """Record the weighted sum of n inputs."""
        weights = [Value(0.5, f"w{i}") for i in range(n)]
        return self._kept(weighted_sum(weights, [Value(0.5, f"x{i}") for i in range(n)], Value(0.5, "b")))

    def penalty(self, function: Callable[..., Any]) -> int:
        """Record a penalty of strength 1 on one weight."""
        return self._kept(function([Value(0.5, "w")], 1.0))

    def loss(self, function: Callable[[Any, Any], Any], n: int, k: int) -> dict[str, Any]:
        """Record a loss of n outputs and k targets; its leaves, in order of evaluation, are named by their labels."""
        recordings = [self._recording(function, n, k, at) for at in (0.3, -0.7, 1.6)]
        if len({_structure(root) for root in recordings}) > 1:
            raise TypeError(
                f"a loss must be the same computation for every sample, got one that branches on numbers, "
                f"{getattr(function, '__name__', function)!r}; write it with autodiff.where, maximum or relu"
            )
        order = _order(recordings[0])
        places = {node.label: i for i, node in enumerate(order) if node.op is None}
        return {
            "graph": self._kept(recordings[0]),
            "outputs": [places.get(f"a{j}", -1) for j in range(n)],
            "targets": [places.get(f"y{j}", -1) for j in range(k)],
        }

    def _recording(self, function: Callable[[Any, Any], Any], n: int, k: int, at: float) -> Value:
        a = [Value(at + 0.1 * j, f"a{j}") for j in range(n)]
        y = [Value(1.0 - 0.5 * at * j, f"y{j}") for j in range(k)]
        root = function(a if n > 1 else a[0], y if k > 1 else y[0])
        if not isinstance(root, Value) or root.op is None:
            raise TypeError(f"a loss must compute a Value from output and target, got {type(root).__name__} {root!r}")
        return root

    def _kept(self, root: Value) -> int:
        self.roots.append(root)
        return len(self.roots) - 1


def _order(root: Value) -> list[Value]:
    return topological_order(root)[::-1]


def _structure(root: Value) -> tuple[Any, ...]:
    order = _order(root)
    place = {node: i for i, node in enumerate(order)}
    return tuple((node.op, tuple(place.get(x, -1) for x in node.operands)) for node in order)


def losses(recorded: Recorded, own: Callable[..., Any], sets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return every loss, with its graphs by numbers of outputs and targets, and the sets that it is for."""
    found: list[dict[str, Any]] = []
    for loss in dict.fromkeys([*LOSSES.values(), own]):
        graphs: dict[str, Any] = {}
        for place, data in enumerate(sets):
            n, k = data["outputs"], data["k"]
            of_classes = data["classes"] and (loss is cross_entropy) == (k > 1)
            fits = loss in LOSSES.values() and (of_classes if loss in CLASSES else n == k)
            if (fits or (loss is own and not place)) and f"{n},{k}" not in graphs:
                graphs[f"{n},{k}"] = recorded.loss(loss, n, k)
        name = getattr(loss, "__name__", type(loss).__name__)
        found.append({"name": name, "graphs": graphs, "classes": loss in CLASSES, "own": loss not in LOSSES.values()})
    return found
