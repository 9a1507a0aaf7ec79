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

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models import _validation as check
from models._estimator import Classifier, Regressor
from models._mlp_estimator import MLPEstimator
from models.losses import LOSSES, binary_cross_entropy, cross_entropy, loss_by_name

Array = NDArray[np.float64]


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
        """Fit to `X` (n_samples, n_features) and labels `y` (n_samples,), weighted if wanted; give `self`.

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
        """Give the logits: (n_samples,) for two classes, positive for the second; else (n_samples, n_classes)."""
        logits = self._outputs(X)
        return logits[:, 0] if self.n_outputs_ == 1 else logits

    def predict_proba(self, X: Any) -> Array:
        """Give the probability of every class, (n_samples, n_classes), in the order of `classes_`."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Give the logarithms of the probabilities, exact however small those are."""
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


class MLPRegressor(MLPEstimator, Regressor):
    """Predict numbers with a multilayer perceptron, trained by backpropagation; its outputs are linear.

    `loss` is "squared_error" (mean over the targets), "half_squared_error" (the course's C), "absolute_error" or
    "huber"; a function of `(output, target)` for one sample will do too (TypeError if all it gives are plain numbers,
    and, unless `engine="eager"`, if it branches on numbers). All else as in MLPClassifier.

    >>> model = MLPRegressor(hidden_layer_sizes=(), solver="gd", learning_rate=0.1, alpha=0, tol=1e-9, max_iter=900)
    >>> model.fit([[1], [2], [3], [4]], [3, 5, 7, 9]).predict([[10]]).round(2)
    array([21.])
    """

    def __init__(
        self,
        *,
        loss: str | Callable[[Any, Any], Any] = "squared_error",
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
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            initialization=initialization,
            solver=solver,
            learning_rate=learning_rate,
            alpha=alpha,
            max_norm=max_norm,
            batch_size=batch_size,
            max_iter=max_iter,
            shuffle=shuffle,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            warm_start=warm_start,
            verbose=verbose,
            random_state=random_state,
            engine=engine,
        )
        self.loss = loss

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to `X` (n_samples, n_features) and `y` (n_samples,) or (n_samples, n_targets); give `self`.

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

    _several: bool

    def _fit_targets(self, X: Any, y: Any, sample_weight: Any, *, partial: bool) -> Self:
        self._check_settings()
        if not callable(self.loss):
            check.known(self.loss, "loss", [name for name in LOSSES if name not in CLASSIFICATION_LOSSES])
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


CLASSIFICATION_LOSSES = ("hinge", "binary_cross_entropy", "cross_entropy")
