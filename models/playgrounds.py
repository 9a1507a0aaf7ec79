"""playground: your own network in one HTML file that trains it, draws it and lets you change it while it learns."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike

from autodiff import Value
from autodiff.wording import LANGUAGES, language_of
from models import _checks as check
from models._checks import Array, Seed
from models._page_data import CLASSES, Recorded, data_set, data_sets, losses
from models.activations import ACTIVATIONS, activation_name
from models.errors import say
from models.losses import LOSSES, cross_entropy, l1, l2, loss_by_name
from models.mlp import MLP, Layer, Neuron
from models.optimizers import Adam, optimizer_by_name

if TYPE_CHECKING:
    from autodiff.pictures import WebPage

    class _Options(TypedDict, total=False):
        loss: str | Callable[[Any, Any], Any]
        optimizer: str
        learning_rate: float
        batch_size: int | None
        shuffle: bool
        penalty: str | None
        strength: float
        validation: Sequence[Any] | None
        random_state: Seed
        names: Sequence[str] | None
        title: str | None
        language: str | None


__all__ = ["playground"]

OPTIMIZERS = ("gd", "momentum", "adam")
PENALTIES = {"l1": l1, "l2": l2}
_PARTS = ("network", "data", "draw", "code", "steps", "state", "net", "results", "detail", "page")  # in this order
_FOLDER = resources.files("models") / "page"
_HEIGHT = 860  # pixels of the frame in a notebook
_MOST = 20_000  # numbers of the user's own data
_FAN = 10  # inputs of a neuron that the stepper shows
_TOLD = ("title", "name", "op", "symbol", "definition", "numbers", "locals")  # of a node of the stepper


@overload
def playground(
    model: MLP | Layer | Neuron, X: ArrayLike, y: ArrayLike, *, path: None = None, **options: Unpack[_Options]
) -> WebPage: ...
@overload
def playground(
    model: MLP | Layer | Neuron, X: ArrayLike, y: ArrayLike, *, path: str | os.PathLike[str],
    **options: Unpack[_Options],
) -> Path: ...  # fmt: skip
def playground(
    model: Any,  # Any: an MLP, a Layer or a Neuron, which callers may get wrong
    X: ArrayLike,
    y: ArrayLike,
    *,
    loss: str | Callable[[Any, Any], Any] = "squared_error",
    optimizer: str = "adam",
    learning_rate: float = 0.03,
    batch_size: int | None = None,
    shuffle: bool = True,
    penalty: str | None = None,
    strength: float = 0.01,
    validation: Sequence[Any] | None = None,
    random_state: Seed = None,
    names: Sequence[str] | None = None,
    title: str | None = None,
    language: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> WebPage | Path:
    """Return a page in which `model` learns `X` and `y` before your eyes; with a `path`, write it and return its path.

    The page is one file that works offline, on a phone too, and a notebook shows it. It starts from the parameters of
    `model`, an MLP, a Layer or a Neuron, and goes through the samples in the order of `models.training.train` with the
    same `random_state`: play, and its loss curve is that of `train`. Step size, batch size, optimizer, penalty, loss,
    activations, neurons and layers can be changed while it runs, every weight by a click; other data sets are there to
    try. Each neuron shows its own map of the inputs. `code` in the page writes the Python of the network as it stands,
    and "Show me this step" opens the stepper on one sample. The model itself is not changed.

    `X` is (n_samples,) or (n_samples, n_features), `y` (n_samples,) or (n_samples, n_targets); `loss`, `batch_size`,
    `shuffle` and `validation`, `(X, y)`, are those of `train`. `optimizer` is "gd", "momentum" or "adam". `penalty`
    is "l1" or "l2", of `strength`, over the weights without the biases; None for none. `names` are those of the
    features. `language` is "en" or "es", by default that of `set_language`, and the reader can switch.

    Raises TypeError for a model that is not made of layers of neurons and a loss that branches on numbers; ValueError
    for arguments out of range, data that the model does not fit, and an operation that a page cannot repeat;
    FileNotFoundError when the folder of `path` does not exist.

    >>> from models.datasets import moons
    >>> X, y, *_ = moons(100, noise=0.1, random_state=0)
    >>> page = playground(MLP(2, [4, 1], activation="tanh", random_state=0), X, y, loss="binary_cross_entropy")
    >>> page.html[:15], page.html.count("https:")
    ('<!doctype html>', 0)
    """
    from autodiff.pictures import WebPage, page_engine, stepper_parts

    layers = _layers(model)
    own = _own(layers, X, y, loss, validation, names)
    check.known("optimizer", optimizer, OPTIMIZERS)
    check.positive("learning_rate", learning_rate)
    check.not_negative("strength", strength)
    language = language_of(language)
    check.flag("shuffle", shuffle)
    if batch_size is not None:
        check.whole("batch_size", batch_size)
    if penalty is not None:
        check.known("penalty", penalty, PENALTIES)
    if title is not None and not isinstance(title, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"title must be text, got {type(title).__name__} {title!r}")
    sets = [own, *data_sets()]
    recorded = Recorded()
    operations = dict.fromkeys([*ACTIVATIONS.values(), *(layer.activation for layer in layers)])
    activations = [
        {"name": activation_name(op), "graph": op and recorded.activation(op), "own": op not in ACTIVATIONS.values()}
        for op in operations
    ]
    kinds = losses(recorded, loss_by_name(loss), sets)
    penalties = {name: recorded.penalty(each) for name, each in PENALTIES.items()}
    neurons = [recorded.neuron(n) for n in range(1, _FAN + 1)]
    graphs, engine = page_engine(recorded.roots)
    walk, told = stepper_parts(recorded.roots)
    data = {
        "model": {
            "sizes": [layers[0].n_inputs, *(len(layer.neurons) for layer in layers)],
            "activations": [list(operations).index(layer.activation) for layer in layers],
            "bias": [layer.neurons[0].bias is not None for layer in layers],
            "parameters": [p.data for layer in layers for p in layer.parameters()],
        },
        "graphs": graphs,
        "told": [[{name: node[name] for name in _TOLD if node[name]} for node in nodes] for nodes in told],
        "neurons": neurons,
        "walk": walk.html,
        "activations": activations,
        "losses": kinds,
        "penalties": penalties,
        "sets": sets,
        "random": _state(random_state),
        "seed": str(random_state) if isinstance(random_state, (int, np.integer)) else None,
        "constants": {name: getattr(Adam([Value(0.0)]), name) for name in ("beta1", "beta2", "epsilon")}
        | {"momentum": getattr(optimizer_by_name("momentum", [Value(0.0)]), "momentum", 0.0)},
        "settings": {
            "loss": own["loss"], "optimizer": optimizer, "rate": float(learning_rate), "batch": batch_size or 0,
            "shuffle": bool(shuffle), "penalty": penalty or "", "strength": float(strength),
        },
    }  # fmt: skip
    languages = (language, *LANGUAGES)
    words = {each: {**say.section("playground", each), "names": say.section("names", each)} for each in languages}
    page = WebPage.assembled(
        _FOLDER, "playground", [f"{part}.js" for part in _PARTS],
        title=title or "", data=data, words=words, height=_HEIGHT, first=engine, inner=walk,
    )  # fmt: skip
    page.title = page.title or words[language]["title"]
    return page if path is None else page.save(path)


def _layers(model: Any) -> list[Layer]:
    layers = [model] if isinstance(model, Layer) else list(getattr(model, "layers", []))
    if isinstance(model, Neuron):
        layer = Layer.__new__(Layer)
        layer.label, layer.neurons = "", [model]
        layers = [layer]
    if not layers or not all(isinstance(layer, Layer) for layer in layers):
        way = "pass its network()" if hasattr(model, "network") else "`autodiff.stepper` walks through any computation"
        raise TypeError(f"model must be an MLP, a Layer or a Neuron, got {type(model).__name__} {model!r:.60}; {way}")
    for i, layer in enumerate(layers, 1):
        for p in layer.parameters():
            if not math.isfinite(p.data):
                raise ValueError(
                    f"the parameters of model must be finite to train on from, got {p.data!r} in {p.label!r}; make the "
                    "model anew, or give it weights by load_weights"
                )
        if len({neuron.bias is None for neuron in layer.neurons}) > 1:
            raise ValueError(f"the neurons of a layer must all have a bias, or none, got both in layer {i}")
    return layers


def _own(layers: list[Layer], X: Any, y: Any, loss: Any, validation: Any, names: Any) -> dict[str, Any]:
    """Return the user's data as one of the page's sets."""
    function = loss_by_name(loss)
    inputs, targets = _samples(X, y, function, layers)
    width = layers[0].n_inputs
    found = data_set("own", inputs, targets, check.feature_names(X) if names is None else names, function in CLASSES)
    found["outputs"] = len(layers[-1].neurons)
    found["loss"] = getattr(function, "__name__", type(function).__name__)
    if len(found["names"]) != width:
        raise ValueError(f"names must be one for each of the {width} features, got {len(found['names'])}")
    if validation is not None:
        if not isinstance(validation, (tuple, list)) or len(validation) != 2:
            raise ValueError(f"validation must be (X, y), got {type(validation).__name__}")
        held_out, wanted = _samples(validation[0], validation[1], function, layers)
        found |= {"testX": held_out.ravel().tolist(), "testY": wanted.ravel().tolist()}
    return found


def _samples(X: Any, y: Any, loss: Any, layers: list[Layer]) -> tuple[Array, Array]:
    """Return inputs (n, n_inputs) and targets (n, n_targets) that fit the network; a class becomes a row of 0 and 1."""
    inputs = check.numbers("X", X)
    inputs = inputs[:, None] if inputs.ndim == 1 else inputs
    if inputs.ndim != 2 or 0 in inputs.shape or inputs.shape[1] != layers[0].n_inputs:
        raise ValueError(f"X must be (n_samples, {layers[0].n_inputs}) for this model, got {inputs.shape}")
    targets, outputs = check.targets(y, len(inputs), "playground"), len(layers[-1].neurons)
    if inputs.size + targets.size > _MOST:
        raise ValueError(
            f"X and y must hold at most {_MOST:,} numbers for a page, got {inputs.size + targets.size:,}; choose some "
            "of the samples"
        )
    if loss is cross_entropy and targets.ndim == 1:
        for target in np.unique(targets).tolist():
            loss([0.0] * outputs, target)
        targets = np.eye(outputs)[targets.astype(int)]
    targets = targets[:, None] if targets.ndim == 1 else targets
    if targets.shape[1] != outputs and loss in LOSSES.values():
        raise ValueError(f"y must have a column for each of the {outputs} outputs, got {targets.shape[1]}")
    if loss in CLASSES:
        for target in np.unique(targets, axis=0).tolist():
            loss([0.0] * outputs, target)
    return inputs, targets


def _state(random_state: Seed) -> dict[str, Any]:
    """Return the state of the generator that shuffles the samples, for the page to go on from it as NumPy would."""
    state: Any = check.random_generator(random_state).bit_generator.state
    if state["bit_generator"] != "PCG64":
        raise ValueError(
            f"random_state must be None, a seed or a generator of NumPy's PCG64 for a page to shuffle as it does, got "
            f"{state['bit_generator']}"
        )
    return {name: str(state["state"][name]) for name in ("state", "inc")} | {
        "half": state["uinteger"] if state["has_uint32"] else None
    }
