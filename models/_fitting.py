"""How the two multilayer perceptron estimators are fitted: settings, the network, training, and what is kept of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, starmap
from typing import Any, Self

import numpy as np

from autodiff import DomainError, Value
from models import _checks as check
from models._checks import Array, Seed
from models._engines import ENGINES, Samples, Task
from models._run import History, fitted
from models._scaling import Scaling
from models._sklearn_contract import Drawing, hyperparameters
from models.activations import ACTIVATIONS, activation_by_name
from models.checkpoints import FilePath
from models.diagnosis import Diagnosis, diagnose
from models.errors import ConvergenceWarning, TrainingError, say, shared, warn
from models.initialization import initial_weights
from models.losses import l2
from models.mlp import MLP, activate
from models.optimizers import OPTIMIZERS, Optimizer, optimizer_by_name

# The networks trained last, with their compiled losses: a fit of another such network has nothing to trace.
_TRACED: list[tuple[Any, MLP, Any]] = []

_BLOCK = 4096  # rows that are predicted at once: hidden layers of all rows would take many times the data's memory


class _Learned:
    """The attributes that `fit` leaves."""

    coefs_: list[Array]
    intercepts_: list[Array]
    loss_curve_: list[float]
    validation_curve_: list[float]
    best_loss_: float
    n_iter_: int
    n_layers_: int
    n_outputs_: int
    out_activation_: str
    diagnosis_: Diagnosis

    _activations: list[Any]
    _optimizer: tuple[str, dict[str, Any]]
    _several: bool
    _scaling: Scaling | None  # None for an estimator made from a network
    _trained: tuple[list[Array], list[Array]] | None  # the weights before they were folded for X as it comes


@hyperparameters
class MLPEstimator(_Learned, Drawing):
    """The two estimators' common part: settings, the network, and how it is trained."""

    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: Any = "relu"
    initialization: str = "xavier"
    standardize: bool = True
    solver: str = "adam"
    learning_rate: float | Callable[[int], float] = 0.005
    alpha: float = 0.0001
    max_norm: float | None = None
    batch_size: int | str = "auto"
    max_iter: int = 200
    shuffle: bool = True
    tol: float = 1e-4
    n_iter_no_change: int = 10
    early_stopping: bool = False
    validation_fraction: float = 0.1
    warm_start: bool = False
    verbose: bool | int = False
    random_state: Seed = None
    engine: str = "compiled"

    def network(self) -> MLP:
        """Return a copy of the trained network as a `models.mlp.MLP` of Values, to draw, explain or train on.

        It takes X as it comes; its outputs are the logits of a classifier, the predictions of a regressor. Raises
        NotFittedError before fit.
        """
        self._refuse_unfitted()
        sizes = [len(b) for b in self.intercepts_]
        mlp = MLP(self.n_features_in_, sizes, activation=self._activations, initialization="zeros")
        return mlp.load_weights(self.coefs_, self.intercepts_, rows="inputs")

    @classmethod
    def _of_network(cls, network: MLP, settings: dict[str, Any], **learned: Any) -> Self:
        """Make a fitted estimator of a network with linear outputs."""
        *hidden_sizes, _ = widths(network)
        if own := settings.keys() & {"hidden_layer_sizes", "activation"}:
            raise TypeError(f"{own.pop()} must be left out, the network has its own")
        *hidden, output = network.activations
        if output is not None:
            raise ValueError(
                f"the outputs of the network must be linear, got {output.name}; make it with output_activation=None, "
                f"as {cls.__name__} applies its own"
            )
        known = {op: name for name, op in ACTIVATIONS.items()}
        names = tuple(known.get(op, op) for op in hidden)
        settings["activation"] = names if len(set(hidden)) > 1 else next(iter(names), "relu")
        model = cls(hidden_layer_sizes=tuple(hidden_sizes), **settings)
        model._check_settings()
        model.__dict__ |= model._outcome(network, None, [], []) | learned | {
            "n_features_in_": network.n_inputs,
            "_random": check.random_generator(model.random_state),
            "_split": None,
            "_optimizer": ("", {}),
        }  # fmt: skip
        return model

    def _outputs(self, X: Any) -> Array:
        """Return the network's outputs (n_samples, n_outputs), in NumPy."""
        inputs = self._inputs_as_fitted(X)
        outputs = np.empty((len(inputs), self.n_outputs_))
        for start in range(0, len(inputs), _BLOCK):
            signal = inputs[start : start + _BLOCK]
            for weights, biases, activation in zip(self.coefs_, self.intercepts_, self._activations, strict=True):
                signal = activate(activation, signal @ weights + biases)
            outputs[start : start + _BLOCK] = signal
        return outputs

    def _check_settings(self, *, partial: bool = False) -> None:
        self._check_drawing(partial=partial)
        check.known("solver", self.solver, OPTIMIZERS)
        check.known("engine", self.engine, ENGINES)
        check.not_negative("alpha", self.alpha)
        if self.max_norm is not None:
            check.positive("max_norm (None for gradients of any length)", self.max_norm)
        check.not_negative("tol", self.tol)
        check.flag("standardize", self.standardize)
        check.learning_rate(self.learning_rate)
        if self.batch_size != "auto":
            check.whole("batch_size ('auto' for all samples, 200 at most)", self.batch_size)

    def _sizes(self) -> list[int]:
        given: Any = self.hidden_layer_sizes
        given = given.tolist() if isinstance(given, np.ndarray) else given
        if isinstance(given, str) or not isinstance(given, Iterable):
            return [check.whole("hidden_layer_sizes", given, others=", or a sequence of them")]
        return [check.whole("every entry of hidden_layer_sizes", size) for size in given]

    def _refuse_other_network(self, network: MLP) -> None:
        """Raise ValueError when settings or targets ask for another network than the one whose training resumes."""
        asked = [(*w.shape, op) for w, op in zip(network.weights(), network.activations, strict=True)]
        own = [(*w.T.shape, op) for w, op in zip(self.coefs_, self._activations, strict=True)]
        if asked != own:
            raise ValueError(
                f"settings and y must ask for the network that was trained, {self.network()!r}, got {network!r}; leave "
                "hidden_layer_sizes, activation and the number of targets as they were, or fit anew without warm_start"
            )

    def _new_optimizer(self, network: MLP, *, resumed: bool) -> Optimizer:
        optimizer = optimizer_by_name(self.solver, network.parameters(), learning_rate=self.learning_rate)
        if resumed and self._optimizer[0] == self.solver:
            own = optimizer.state()
            rate = {name: own[name] for name in own if name == "learning_rate"}  # as set now, not at the last call
            kept = {name: value for name, value in self._optimizer[1].items() if name != "learning_rate"}
            optimizer.load_state(kept | rate)
        return optimizer

    def _start(
        self, n_inputs: int, n_outputs: int, scaling: Scaling, random: np.random.Generator, *, resumed: bool
    ) -> tuple[Any, MLP, _Penalty | None]:
        """Return the network to train and its penalty, after the settings by which another fit may train them again."""
        hidden, activation = self._sizes(), self.activation
        if not isinstance(activation, (list, tuple)):
            activation = [activation] * len(hidden)
        elif len(activation) != len(hidden):
            raise ValueError(f"activation must have one entry per hidden layer, {len(hidden)}, got {len(activation)}")
        activation = [activation_by_name(each) for each in activation]
        settings = n_inputs, hidden, n_outputs, activation, self.alpha
        place = next((i for i, (own, *_) in enumerate(_TRACED) if own == settings), None)
        if place is not None:
            _, network, penalty = _TRACED.pop(place)  # nobody else's while it is trained
        else:
            network = MLP(n_inputs, [*hidden, n_outputs], activation=[*activation, None], initialization="zeros")
            weights = [w for layer in network.layers for neuron in layer.neurons for w in neuron.weights]
            penalty = _Penalty(weights, self.alpha) if self.alpha else None
        if resumed:
            self._refuse_other_network(network)
            network.load_weights(*self._inner(scaling), rows="inputs")
        else:
            first = [initial_weights(self.initialization, w.shape[1], len(w), random_state=random)
                     for w in network.weights()]  # fmt: skip
            network.load_weights(first, [np.zeros(len(w)) for w in first])
        return settings, network, penalty

    def _inner(self, scaling: Scaling) -> tuple[list[Array], list[Array]]:
        """Return the weights and biases to train on: to the last bit those of the last call, if they still count."""
        if self._trained is not None:
            folded, kept = scaling.folded(*self._trained), (self.coefs_, self.intercepts_)
            pairs = (zip(*both, strict=True) for both in zip(folded, kept, strict=True))
            if all(starmap(np.array_equal, chain.from_iterable(pairs))):
                return self._trained
        return scaling.unfolded(self.coefs_, self.intercepts_)

    def _divided(
        self, samples: Samples, random: np.random.Generator, checkpoint: FilePath | None, *, resumed: bool
    ) -> tuple[Samples, Samples | None, int | None]:
        """Return the samples to train on, those held out, and the seed that draws the same again."""
        if checkpoint is not None and self.random_state is None:  # the next process must hold out the same
            random = np.random.default_rng(zlib.crc32(np.ascontiguousarray(samples.inputs).data))
        held, split = self._hold_out(samples.targets, random, self._split if resumed else None)
        if not held.any():
            return samples, None, split
        return samples.batch(np.flatnonzero(~held)), samples.batch(np.flatnonzero(held)), split

    def _learn(
        self, X: Any, samples: Samples, n_outputs: int, loss: Callable[[Any, Any], Any],
        *, partial: bool = False, checkpoint: FilePath | None = None, **learned: Any,
    ) -> Self:  # fmt: skip
        """Train on checked data, keep the outcome, interrupted that of complete epochs, and warn of what is odd."""
        n_inputs, resumed = samples.inputs.shape[1], self._resumes(partial=partial)
        random, source = self._generator(resumed=resumed)
        samples, held_out, split = self._divided(_seen(samples), random, checkpoint, resumed=resumed)
        own_loss = callable(getattr(self, "loss", None))  # it may depend on what its author changes between calls
        scaling = self._scaling if resumed else None
        if scaling is None:
            scaling = Scaling.of(samples, n_outputs, None if own_loss else loss, standardize=self.standardize)
        settings, network, penalty = self._start(n_inputs, n_outputs, scaling, random, resumed=resumed)
        optimizer = self._new_optimizer(network, resumed=resumed and partial)
        if own_loss:
            _refuse_constant(network, loss, samples)
        elif self.standardize and not resumed and self._kind == "regressor":
            same = zip(network.layers[-1].neurons, scaling.constants(samples.targets), strict=True)
            for weight in (w for neuron, constant in same if constant for w in neuron.weights):
                weight.data = 0.0  # its scaled targets are all 0: no gradient changes it
        unit = scaling.unit(loss)
        network.programs = None if own_loss else network.programs or {}
        samples = scaling.scaled(samples, in_place=held_out is not None)  # then they are copies already
        held_out = held_out and scaling.scaled(held_out, in_place=True)
        task = Task(network, network.parameters(), loss, samples, held_out, penalty)

        def keep(history: History) -> None:
            curves = ([unit * x for x in curve] for curve in (history.loss_curve, history.validation_curve))
            self._keep(
                X, n_inputs,
                _random=random, _split=split, _optimizer=(self.solver, optimizer.state()),
                **self._outcome(network, scaling, *curves, resumed=resumed), **learned,
            )  # fmt: skip
            self._bring_up(source)

        history = fitted(
            keep, self._failure, task, optimizer, random, engine=self.engine, epochs=1 if partial else self.max_iter,
            batch_size=200 if self.batch_size == "auto" else int(self.batch_size), shuffle=self.shuffle,
            max_norm=self.max_norm, patience=None if partial else self.n_iter_no_change, tol=self.tol,
            restore_best=not partial, progress=0 if partial else int(self.verbose), checkpoint=checkpoint,
            seed=self._seed(random),
        )  # fmt: skip
        small = len(task.parameters) <= 20_000  # else memory that nobody may ask for again
        if network.programs is not None and (small or partial):
            _TRACED.append((settings, network, penalty))
            del _TRACED[: -4 if small else -1]
        if partial:
            keep(history)
            return self
        learned["diagnosis_"] = diagnosis = diagnose(
            task, [unit * x for x in history.loss_curve], patience=history.stopped == "patience",
            cure="outliers" if self.standardize else "standardize", unit=unit,
            engine=self.engine,
        )  # fmt: skip
        keep(history)
        name = type(self).__name__
        for problem in (*(f"{name}: {finding}" for finding in diagnosis.findings.values()), self._unfinished(history)):
            if problem:
                warn(problem, shared(ConvergenceWarning))
        return self

    def _failure(self, error: TrainingError) -> str:
        """Say why training stopped, in the user's words, with advice where a number grew too large."""
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        rate: Any = self.learning_rate
        rate = say("failure.schedule") if callable(rate) else f"learning_rate={rate}"
        scale = "" if self.standardize else say("failure.standardize")
        advice = say("failure.smaller", rate=rate, scale=scale) if isinstance(cause, TrainingError) else ""
        where = {"epoch": error.epoch, "batch": error.batch, "what": cause}
        text = error if cause is error else say("failure.stopped", **where)
        return say("failure.as it was", what=text, advice=advice, name=type(self).__name__)

    def _unfinished(self, history: History) -> str:
        """Say how the loss was moving when the epochs ran out, and what to do about it; "" if patience ended it."""
        if history.stopped == "patience":
            return ""
        took, at = say("phrases.took", name=type(self).__name__, epochs=self.max_iter), history.best_epoch
        curve = history.validation_curve or history.loss_curve
        name = say("phrases.validation loss" if history.validation_curve else "phrases.loss")
        facts = {"took": took, "loss": name, "epoch": at, "patience": self.n_iter_no_change, "tol": self.tol}
        if curve[-1] > min(curve) + self.tol:
            overfits = history.validation_curve and history.loss_curve[-1] < history.loss_curve[at - 1]
            return say("mlp.overfits" if overfits else "mlp.settle", **facts)
        return say("mlp.short" if self.max_iter <= self.n_iter_no_change else "mlp.falls", **facts)

    def _outcome(
        self, network: MLP, scaling: Scaling | None, curve: list[float], validation: list[float], *,
        resumed: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """Return the fitted attributes that a network and the losses of its training amount to."""
        trained = [w.T.copy() for w in network.weights()], network.biases()
        weights, biases = trained if scaling is None else scaling.folded(*trained)
        if resumed:
            curve, validation = self.loss_curve_ + curve, self.validation_curve_ + validation
        return {
            "coefs_": weights, "intercepts_": biases,
            "loss_curve_": curve, "validation_curve_": validation,
            "best_loss_": min(validation or curve, default=np.inf),
            "n_iter_": len(curve), "n_layers_": len(biases) + 1, "n_outputs_": len(biases[-1]),
            "_activations": network.activations,
            "_scaling": scaling, "_trained": None if scaling is None else trained,
        }  # fmt: skip


@dataclass(frozen=True)
class _Penalty:
    """The penalty on all weights, not on biases."""

    weights: list[Value]
    strength: float

    def __call__(self, _: list[Value]) -> Any:
        return l2(self.weights, self.strength)

    def __repr__(self) -> str:  # checkpoints compare it
        return f"l2 of weights, strength={self.strength!r}"


def widths(network: Any) -> list[int]:
    """Return the number of neurons of each layer; TypeError for what is no MLP."""
    if not isinstance(network, MLP):
        raise TypeError(f"network must be a models.mlp.MLP, got {type(network).__name__} {network!r}")
    return [len(layer.neurons) for layer in network.layers]


def _seen(samples: Samples) -> Samples:
    """Return the samples that have a weight, those of 0 being left out, without weights if all are equal."""
    weights: Any = samples.weights
    seen = weights > 0
    if not seen.all():
        samples = samples.batch(np.flatnonzero(seen))
    weights = weights[seen] / weights.max()
    return samples._replace(weights=None if np.ptp(weights) == 0 else weights)


def _refuse_constant(network: MLP, loss: Callable[[Any, Any], Any], samples: Samples) -> None:
    """Raise TypeError for a loss that remembers no computation for any sample: only the penalty would be trained."""
    value: Any = None
    for x, target in zip(samples.inputs, samples.targets, strict=True):
        try:
            value = loss(network(x.tolist()), target.tolist())
        except DomainError:  # training meets it too, and says where
            return
        if isinstance(value, Value) and value.op is not None:
            return
    raise TypeError(
        f"loss={loss!r} must be computed from the output's Values, got {value!r}, which remembers no computation; do "
        "not read .data"
    )
