"""Multilayer perceptrons as scikit-learn's estimators: `fit` trains a `models.mlp.MLP`, compiled.

>>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], ["no", "yes", "yes", "no"]
>>> settings = dict(hidden_layer_sizes=(4,), activation="tanh", learning_rate=0.1, max_iter=100, random_state=0)
>>> model = MLPClassifier(**settings)
>>> import warnings
>>> with warnings.catch_warnings():
...     warnings.simplefilter("ignore")  # 100 epochs are enough here, though the loss still falls
...     model.fit(X, y).predict(X).tolist()
['no', 'yes', 'yes', 'no']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autodiff import DomainError, Value
from models import _checks as check
from models._engines import ENGINES
from models._sklearn_contract import Classifier, Drawing, Regressor, hyperparameters
from models.errors import ConvergenceWarning, TrainingError, shared, warn
from models.losses import LOSSES, binary_cross_entropy, cross_entropy, l2, loss_by_name
from models.mlp import MLP, activate
from models.optimizers import OPTIMIZERS, Optimizer, optimizer_by_name
from models.training import History, train

Array = NDArray[np.float64]

_CLASSIFICATION_LOSSES = ("hinge", "binary_cross_entropy", "cross_entropy")


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

    _activations: list[Any]
    _optimizer: tuple[str, dict[str, Any]]
    _several: bool
    _traced: tuple[Any, MLP, Any] | None = None  # by partial_fit: settings, network and penalty of what is compiled


@hyperparameters
class MLPEstimator(_Learned, Drawing):
    """The two estimators' common part: settings, the network, and how it is trained."""

    hidden_layer_sizes: int | Sequence[int] = (16,)
    activation: Any = "relu"
    initialization: str = "he"
    solver: str = "adam"
    learning_rate: float | Callable[[int], float] = 0.01
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
    verbose: bool = False
    random_state: Any = None
    engine: str = "compiled"

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled or copied: not what is compiled."""
        return {name: value for name, value in vars(self).items() if name != "_traced"}

    def network(self) -> MLP:
        """Return the trained network as a `models.mlp.MLP` of Values, to draw, explain or train on; a copy.

        Its outputs are the logits of a classifier, the predictions of a regressor. Raises NotFittedError before fit.
        """
        self._refuse_unfitted()
        sizes = [len(b) for b in self.intercepts_]
        mlp = MLP(self.n_features_in_, sizes, activation=self._activations, initialization="zeros")
        return mlp.load_weights(self.coefs_, self.intercepts_, rows="inputs")

    def _outputs(self, X: Any) -> Array:
        """Return the network's outputs (n_samples, n_outputs), in NumPy."""
        signal = self._inputs_as_fitted(X)
        for weights, biases, activation in zip(self.coefs_, self.intercepts_, self._activations, strict=True):
            signal = activate(activation, signal @ weights + biases)
        return signal

    def _check_settings(self) -> None:
        check.known("solver", self.solver, OPTIMIZERS)
        check.known("engine", self.engine, ENGINES)
        check.not_negative("alpha", self.alpha)
        if self.max_norm is not None:
            check.positive("max_norm (None for gradients of any length)", self.max_norm)
        check.whole("max_iter", self.max_iter)
        check.not_negative("tol", self.tol)
        check.whole("n_iter_no_change", self.n_iter_no_change)
        check.share("validation_fraction", self.validation_fraction)
        for name in ("shuffle", "early_stopping", "warm_start", "verbose"):
            check.flag(name, getattr(self, name))
        if not callable(self.learning_rate):
            check.positive("learning_rate", self.learning_rate)
        if self.batch_size != "auto":
            check.whole("batch_size ('auto' for all samples, 200 at most)", self.batch_size)

    def _sizes(self) -> list[int]:
        given: Any = self.hidden_layer_sizes
        given = given.tolist() if isinstance(given, np.ndarray) else given
        sizes = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
        for size in sizes:
            check.whole("every entry of hidden_layer_sizes" if len(sizes) > 1 else "hidden_layer_sizes", size)
        return [int(size) for size in sizes]

    def _new_network(self, n_inputs: int, n_outputs: int, random: np.random.Generator) -> MLP:
        hidden = self._sizes()
        activation = self.activation
        if not isinstance(activation, (list, tuple)):
            activation = [activation] * len(hidden)
        elif len(activation) != len(hidden):
            raise ValueError(f"activation must have one entry per hidden layer, {len(hidden)}, got {len(activation)}")
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
            warn(problem, shared(ConvergenceWarning))

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


@hyperparameters
class MLPClassifier(MLPEstimator, Classifier):
    """Classify with a multilayer perceptron, trained by backpropagation on the cross-entropy.

    Two classes have one output, the logit of the second; more have one logit each. Labels are whole numbers or text.

    - `hidden_layer_sizes`: neurons per hidden layer, () for none. `activation`: a name or Op, or one per hidden layer.
    - `initialization`: as `models.mlp.MLP` names them.
    - `solver`: "gd", "momentum", "nesterov", "rmsprop", "adam" or "adamw"; `learning_rate` a number above 0, or a
      schedule, a function of the number of steps taken.
    - `alpha`: strength of the penalty alpha/2 Σ w² that is added to the mean loss, over weights without biases ("adamw"
      has a decay of its own besides, see `models.optimizers.AdamW`).
    - `max_norm`: the largest length of a batch's gradient, scaled down to it where it is longer; None for any.
    - `batch_size`: samples per step; "auto" takes all, 200 at most. `shuffle` mixes them before every epoch.
    - `max_iter`: the most epochs. Training stops when the loss has not fallen by more than `tol` for
      `n_iter_no_change` epochs: the training loss, or with `early_stopping` that of a share `validation_fraction` of
      the samples which is held out; then the best weights are taken back. ConvergenceWarning if it never stops.
    - `warm_start`: `fit` goes on from the weights of the last one, and on the same data holds out the same samples.
      `verbose`: show a progress bar on a terminal.
    - `random_state`: None, a seed or a generator, for first weights, order and what is held out.
    - `engine`: "compiled" traces the network and its loss once and trains on array code; "eager" makes and sweeps a
      graph of Values for every batch: the same numbers but for the last digits, far slower, and at every step open to
      look at.

    After `fit`: `classes_`, `coefs_` (per layer, (n_inputs, n_outputs)), `intercepts_`; `loss_curve_`, the mean loss of
    each epoch with the penalty, and with `early_stopping` `validation_curve_`, without it; `best_loss_`, the lowest of
    the latter or else of the former; `n_iter_`, the epochs.

    Raises ValueError, before anything is trained or changed, for settings and data that are none of these.

    >>> model = MLPClassifier(hidden_layer_sizes=(), solver="gd", learning_rate=1.0, tol=0.01, random_state=0)
    >>> model.fit([[-2.0], [-1.0], [1.0], [2.0]], [0, 0, 1, 1]).predict([[-3.0], [3.0]])
    array([0, 1])
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to `X` (n_samples, n_features) and labels `y` (n_samples,), weighted if wanted; return `self`.

        `sample_weight` makes the loss Σ sᵢ·lossᵢ / Σ sᵢ in every batch; a weight of 0 is the sample left out.
        """
        self._check_settings()
        inputs = check.rows(X, type(self).__name__)
        y = check.labels(y, len(inputs), type(self).__name__)
        importance = check.weights(sample_weight, len(inputs))
        classes = check.several_classes(np.unique(y[importance > 0]), type(self).__name__)
        if self.warm_start and self.__sklearn_is_fitted__():
            check.same_features(self, X, inputs.shape[1])
            if not np.array_equal(classes, self.classes_):
                raise ValueError(
                    f"warm_start needs the classes of the last fit, {self.classes_.tolist()}, got {classes.tolist()}"
                )
        self._warn(self._fit_classes(X, inputs, y, classes, importance, partial=False))
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train one epoch on these samples, from where the model is; `classes` names all labels at the first call.

        The optimizer keeps what it had (momentum, moments). Raises as `fit`, and ValueError for other features or
        classes than before and with `early_stopping`.
        """
        self._check_settings()
        inputs = self._inputs_as_fitted(X) if self.__sklearn_is_fitted__() else check.rows(X, type(self).__name__)
        y = check.labels(y, len(inputs), type(self).__name__)
        importance = check.weights(sample_weight, len(inputs))
        self._fit_classes(X, inputs, y, self._classes_of_partial_fit(classes), importance, partial=True)
        return self

    def decision_function(self, X: Any) -> Array:
        """Return the logits: (n_samples,) for two classes, positive for the second; else (n_samples, n_classes)."""
        logits = self._outputs(X)
        return logits[:, 0] if self.n_outputs_ == 1 else logits

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of every class, (n_samples, n_classes), in the order of `classes_`."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of the probabilities, exact however small those are."""
        logits = self._outputs(X)
        if self.n_outputs_ == 1:
            return -np.logaddexp(0.0, np.hstack([logits, -logits]))
        return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)

    def _fit_classes(
        self, X: Any, inputs: Array, y: NDArray[Any], classes: NDArray[Any], importance: Array, *, partial: bool
    ) -> str:
        """Learn classes, and give what there is to warn of."""
        seen, indices = importance > 0, np.zeros(len(y), dtype=np.intp)
        indices[seen] = self._indices(y[seen], classes)  # labels of samples left out need not be among the classes
        n_outputs, loss = (1, binary_cross_entropy) if len(classes) == 2 else (len(classes), cross_entropy)
        return self._learn(
            X, inputs, indices, n_outputs, loss, importance,
            partial=partial, classes_=classes, out_activation_="sigmoid" if n_outputs == 1 else "softmax",
        )  # fmt: skip


@hyperparameters
class MLPRegressor(MLPEstimator, Regressor):
    """Predict numbers with a multilayer perceptron, trained by backpropagation; its outputs are linear.

    `loss` is "squared_error" (mean over the targets), "half_squared_error" (the course's C), "absolute_error" or
    "huber"; a function of `(output, target)` for one sample will do too (TypeError if all it gives are plain numbers,
    and, unless `engine="eager"`, if it branches on numbers). All else as in MLPClassifier.

    >>> model = MLPRegressor(hidden_layer_sizes=(), solver="gd", learning_rate=0.1, alpha=0, tol=1e-9, max_iter=900)
    >>> model.fit([[1], [2], [3], [4]], [3, 5, 7, 9]).predict([[10]]).round(2)
    array([21.])
    """

    loss: str | Callable[[Any, Any], Any] = "squared_error"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to `X` (n_samples, n_features) and `y` (n_samples,) or (n_samples, n_targets); return `self`.

        `sample_weight` makes the loss Σ sᵢ·lossᵢ / Σ sᵢ in every batch; a weight of 0 is the sample left out.
        """
        return self._fit_targets(X, y, sample_weight, partial=False)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train one epoch on these samples, from where the model is; the optimizer keeps what it had.

        Raises as `fit`, and ValueError for other features or targets than before and with `early_stopping`.
        """
        return self._fit_targets(X, y, sample_weight, partial=True)

    def predict(self, X: Any) -> Array:
        """Predict for `X` (n_samples, n_features): (n_samples,), or (n_samples, n_targets) after a 2-D y."""
        outputs = self._outputs(X)
        return outputs if self._several else outputs[:, 0]

    def _fit_targets(self, X: Any, y: Any, sample_weight: Any, *, partial: bool) -> Self:
        self._check_settings()
        if not callable(self.loss):
            check.known("loss", self.loss, [name for name in LOSSES if name not in _CLASSIFICATION_LOSSES])
        resumed = self.__sklearn_is_fitted__() and (partial or self.warm_start)
        inputs = self._inputs_as_fitted(X) if resumed else check.rows(X, type(self).__name__)
        targets = check.targets(y, len(inputs), type(self).__name__)
        columns = targets.reshape(len(targets), -1)
        importance = check.weights(sample_weight, len(inputs))
        loss = loss_by_name(self.loss)
        problem = self._learn(
            X, inputs, targets, columns.shape[1], loss, importance,
            partial=partial, _several=targets.ndim == 2, out_activation_="identity",
        )  # fmt: skip
        self._warn(problem)
        return self


def _penalty(network: MLP, strength: float) -> Callable[[list[Value]], Any] | None:
    """Return the penalty on all weights, not on biases."""
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
