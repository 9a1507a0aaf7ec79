"""What the two multilayer perceptron estimators share: settings, the network's weights, and how it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import DomainError, Value
from models import _validation as check
from models._engines import ENGINES
from models._estimator import Drawing
from models.losses import l2
from models.mlp import MLP, activate
from models.optimizers import OPTIMIZERS, Optimizer, optimizer_by_name
from models.training import History, TrainingError, train

Array = NDArray[np.float64]


class MLPEstimator(Drawing):
    """What the two estimators share: settings, the network, and where its weights are kept between calls."""

    coefs_: list[Array]
    intercepts_: list[Array]
    loss_curve_: list[float]
    validation_curve_: list[float]
    best_loss_: float
    n_iter_: int
    n_layers_: int
    n_outputs_: int
    out_activation_: str

    _activations: list[Any]
    _optimizer: tuple[str, dict[str, Any]]
    _traced: tuple[Any, MLP, Any] | None = None  # by partial_fit: settings, network and penalty of what is compiled

    def __init__(
        self,
        *,
        hidden_layer_sizes: int | Sequence[int] = (16,),
        activation: Any = "relu",
        initialization: str = "he",
        solver: str = "adam",
        learning_rate: float | Callable[[int], float] = 0.01,
        alpha: float = 0.0001,
        max_norm: float | None = None,
        batch_size: int | str = "auto",
        max_iter: int = 200,
        shuffle: bool = True,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        verbose: bool = False,
        random_state: Any = None,
        engine: str = "compiled",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.initialization = initialization
        self.solver = solver
        self.learning_rate = learning_rate
        self.alpha = alpha
        self.max_norm = max_norm
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state
        self.engine = engine

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled or copied: not what is compiled."""
        return {name: value for name, value in vars(self).items() if name != "_traced"}

    def network(self) -> MLP:
        """Give the trained network as a `models.mlp.MLP` of Values, to draw, explain or train on; a copy.

        Its outputs are the logits of a classifier, the predictions of a regressor. Raises NotFittedError before fit.
        """
        self._refuse_unfitted()
        sizes = [len(b) for b in self.intercepts_]
        mlp = MLP(self.n_features_in_, sizes, activation=self._activations, initialization="zeros")
        return mlp.load_weights(self.coefs_, self.intercepts_, rows="inputs")

    def _outputs(self, X: Any) -> Array:
        """The network's outputs (n_samples, n_outputs), in NumPy."""
        signal = self._inputs_as_fitted(X)
        for weights, biases, activation in zip(self.coefs_, self.intercepts_, self._activations, strict=True):
            signal = activate(activation, signal @ weights + biases)
        return signal

    def _check_settings(self) -> None:
        check.known(self.solver, "solver", OPTIMIZERS)
        check.known(self.engine, "engine", ENGINES)
        check.not_negative(self.alpha, "alpha")
        if self.max_norm is not None:
            check.positive(self.max_norm, "max_norm (None for gradients of any length)")
        check.whole(self.max_iter, "max_iter")
        check.not_negative(self.tol, "tol")
        check.whole(self.n_iter_no_change, "n_iter_no_change")
        check.fraction(self.validation_fraction, "validation_fraction")
        for name in ("shuffle", "early_stopping", "warm_start", "verbose"):
            check.flag(getattr(self, name), name)
        if not callable(self.learning_rate):
            check.positive(self.learning_rate, "learning_rate")
        if self.batch_size != "auto":
            check.whole(self.batch_size, "batch_size ('auto' for all samples, 200 at most)")

    def _sizes(self) -> list[int]:
        given: Any = self.hidden_layer_sizes
        given = given.tolist() if isinstance(given, np.ndarray) else given
        sizes = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
        for size in sizes:
            check.whole(size, "every entry of hidden_layer_sizes" if len(sizes) > 1 else "hidden_layer_sizes")
        return [int(size) for size in sizes]

    def _new_network(self, n_inputs: int, n_outputs: int, random: np.random.Generator) -> MLP:
        hidden = self._sizes()
        activation = self.activation
        if not isinstance(activation, (list, tuple)):
            activation = [activation] * len(hidden)
        elif len(activation) != len(hidden):
            raise ValueError(
                f"activation must have one entry per hidden layer, {len(hidden)}, and has {len(activation)}"
            )
        return MLP(
            n_inputs,
            [*hidden, n_outputs],
            activation=[*activation, None],
            initialization=self.initialization,
            random_state=random,
        )

    def _refuse_other_network(self, network: MLP) -> None:
        """ValueError when settings or targets ask for another network than the one whose training is to go on."""
        asked = [(*w.shape, op) for w, op in zip(network.weights(), network.activations, strict=True)]
        own = [(*w.T.shape, op) for w, op in zip(self.coefs_, self._activations, strict=True)]
        if asked != own:
            raise ValueError(
                f"settings and y ask for {network!r}, and what was trained is {self.network()!r}: to go on, leave "
                "hidden_layer_sizes, activation and the number of targets as they were, or fit anew without warm_start"
            )

    def _new_optimizer(self, network: MLP, *, goes_on: bool) -> Optimizer:
        optimizer = optimizer_by_name(self.solver, network.parameters(), learning_rate=self.learning_rate)
        if goes_on and self._optimizer[0] == self.solver:
            own = optimizer.state()
            rate = {name: own[name] for name in own if name == "learning_rate"}  # as set now, not at the last call
            kept = {name: value for name, value in self._optimizer[1].items() if name != "learning_rate"}
            optimizer.load_state(kept | rate)
        return optimizer

    def _learn(
        self, X: Any, inputs: Array, y: NDArray[Any], n_outputs: int, loss: Any, importance: Array, *, partial: bool,
        **learned: Any,
    ) -> str:  # fmt: skip
        """Train on checked data, keep the outcome only when all went well, and give what there is to warn of.

        `learned` is kept with it. KeyboardInterrupt keeps that of the complete epochs, if there are any.
        """
        if partial and self.early_stopping:
            raise ValueError(
                "partial_fit sees its samples once and cannot stop early: set early_stopping=False, or call fit"
            )
        resumed = self.__sklearn_is_fitted__() and (partial or self.warm_start)
        random, source = self._generator(resumed=resumed)
        activation = tuple(self.activation) if isinstance(self.activation, list) else self.activation
        settings = inputs.shape[1], self._sizes(), n_outputs, activation, self.alpha
        if resumed and partial and self._traced is not None and self._traced[0] == settings:
            _, network, penalty = self._traced
        else:
            network = self._new_network(inputs.shape[1], n_outputs, np.random.default_rng(0) if resumed else random)
            penalty = _penalty(network, self.alpha)
        if resumed:
            self._refuse_other_network(network)
            network.load_weights(self.coefs_, self.intercepts_, rows="inputs")
        own_loss = callable(getattr(self, "loss", None))  # it may depend on what its author changes between the calls
        if partial and not own_loss and network.programs is None:
            network.programs = {}
        optimizer = self._new_optimizer(network, goes_on=resumed and partial)
        seen = importance > 0  # a weight of 0 is the sample left out
        inputs, y, importance = inputs[seen], y[seen], importance[seen] / importance.max()
        held, split = self._hold_out(y, random, resumed=resumed)
        if own_loss:
            _refuse_constant(network, loss, inputs, y)

        def keep(history: History) -> None:
            outcome = learned | self._outcome(network, history, optimizer, resumed=resumed)
            traced = None if network.programs is None else (settings, network, penalty)
            self._keep(X, inputs.shape[1], _random=random, _split=split, _traced=traced, **outcome)
            self._bring_up(source)

        try:
            history = train(
                network, inputs[~held], y[~held],
                sample_weight=None if np.ptp(importance) == 0 else importance[~held],
                validation=(inputs[held], y[held], importance[held]) if held.any() else None,
                loss=loss, optimizer=optimizer,
                penalty=penalty,
                max_norm=self.max_norm,
                epochs=1 if partial else self.max_iter,
                batch_size=200 if self.batch_size == "auto" else int(self.batch_size),
                shuffle=bool(self.shuffle), random_state=random,
                patience=None if partial else self.n_iter_no_change, tol=self.tol,
                restore_best=bool(held.any()),  # without samples held out nothing tells which weights are best
                engine=self.engine,
                progress=bool(self.verbose),
            )  # fmt: skip
        except TrainingError as error:
            raise ValueError(self._failure(error)) from error
        except KeyboardInterrupt as interrupt:
            done = getattr(interrupt, "history", None)  # None: before training began, or after it ended
            if done is not None and done.n_iter:
                keep(done)
            raise
        keep(history)
        return "" if partial or history.stopped == "patience" else self._unfinished(history)

    def _failure(self, error: TrainingError) -> str:
        """What made training stop, in the words of who saw it, and advice where a number grew too large."""
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        rate = (
            "the learning rates of the schedule"
            if callable(self.learning_rate)
            else f"learning_rate={self.learning_rate}"
        )
        advice = f": make {rate} smaller, or standardise the inputs" if isinstance(cause, TrainingError) else ""
        text = (
            str(error) if cause is error else f"training stopped in epoch {error.epoch}, batch {error.batch}: {cause}"
        )
        return f"{text}{advice}; this {type(self).__name__} is as it was"

    def _unfinished(self, history: History) -> str:
        """Say that training took all epochs, where the loss was going, and so what to do."""
        curve, name = history.loss_curve, "loss"
        if history.validation_curve:
            curve, name = history.validation_curve, "validation loss"
        lowest, last = min(curve), curve[-1]
        took = f"{type(self).__name__} took all max_iter={self.max_iter} epochs"
        if last > lowest + self.tol:
            at = curve.index(lowest) + 1
            return (
                f"{took}, and in the end the {name} had risen from {lowest:.4g} after epoch {at} to {last:.4g}: make "
                "learning_rate smaller, or standardise the inputs"
            )
        if self.max_iter <= self.n_iter_no_change:
            return (
                f"{took}, too few to see whether the {name} has stopped falling, which takes "
                f"n_iter_no_change={self.n_iter_no_change} more than the first: raise max_iter above that"
            )
        return (
            f"{took} and the {name} still fell by more than tol={self.tol} within "
            f"n_iter_no_change={self.n_iter_no_change}: raise max_iter or learning_rate"
        )

    def _warn(self, problem: str) -> None:
        if problem:
            check.warn(problem, check.loaded(check.ConvergenceWarning))

    def _outcome(self, network: MLP, history: History, optimizer: Optimizer, *, resumed: bool) -> dict[str, Any]:
        curve = (self.loss_curve_ if resumed else []) + history.loss_curve
        validation = (self.validation_curve_ if resumed else []) + history.validation_curve
        intercepts = network.biases()
        return {
            "coefs_": [w.T.copy() for w in network.weights()],
            "intercepts_": intercepts,
            "loss_curve_": curve,
            "validation_curve_": validation,
            "best_loss_": min(validation or curve),
            "n_iter_": len(curve),
            "n_layers_": len(intercepts) + 1,
            "n_outputs_": len(intercepts[-1]),
            "_activations": network.activations,
            "_optimizer": (self.solver, optimizer.state()),
        }


def _penalty(network: MLP, strength: float) -> Callable[[list[Value]], Any] | None:
    """The penalty on all weights, not on biases."""
    weights = [w for layer in network.layers for neuron in layer.neurons for w in neuron.weights]
    return (lambda _: l2(weights, strength)) if strength else None


def _refuse_constant(network: MLP, loss: Callable[[Any, Any], Any], inputs: Array, y: NDArray[Any]) -> None:
    """TypeError for a loss that remembers no computation for any sample: only the penalty would be trained."""
    value: Any = None
    for x, target in zip(inputs.tolist(), y.tolist(), strict=True):
        try:
            value = loss(network(x), target)
        except DomainError:  # training meets it too, and says where
            return
        if isinstance(value, Value) and value.op is not None:
            return
    raise TypeError(
        f"loss={loss!r} gave {value!r}, which remembers no computation: compute it from the output's Values, not "
        "from their .data"
    )
