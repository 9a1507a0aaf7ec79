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

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from models import _checks as check
from models._checks import Array
from models._engines import Samples
from models._fitting import FilePath, MLPEstimator, widths
from models._sklearn_contract import Classifier, Regressor, hyperparameters
from models.losses import LOSSES, binary_cross_entropy, cross_entropy, loss_by_name
from models.mlp import MLP

_CLASSIFICATION_LOSSES = ("hinge", "binary_cross_entropy", "cross_entropy")


@hyperparameters
class MLPClassifier(MLPEstimator, Classifier):
    """Classify with a multilayer perceptron, trained by backpropagation on the cross-entropy.

    Two classes have one output, the logit of the second; more have one logit each. Labels are whole numbers or text.

    - `hidden_layer_sizes`: neurons per hidden layer, () for none. `activation`: a name or Op, or one per hidden layer.
    - `initialization`: a name, as `models.mlp.MLP` takes it.
    - `standardize`: center and scale every feature to mean 0 and deviation 1 while training, whatever its unit. The
      weights in `coefs_` and `network()` are for X as it comes: nothing needs to be scaled to predict. False trains on
      X itself, so that `learning_rate`, `alpha` and the first weights are those of the network in `coefs_`.
    - `solver`: "gd", "momentum", "nesterov", "rmsprop", "adam" or "adamw"; `learning_rate` a number above 0, or a
      schedule, a function of the number of steps taken.
    - `alpha`: strength of the penalty alpha/2 Σ w² that is added to the mean loss, over weights without biases ("adamw"
      has a decay of its own besides, see `models.optimizers.AdamW`).
    - `max_norm`: the largest length of a batch's gradient, scaled down to it where it is longer; None for any.
    - `batch_size`: samples per step; "auto" takes all, 200 at most. `shuffle` mixes them before every epoch.
    - `max_iter`: the most epochs. Training stops when the loss has not fallen by more than `tol` for
      `n_iter_no_change` epochs: the training loss, or with `early_stopping` that of a share `validation_fraction` of
      the samples which is held out. The weights kept are those of the lowest loss. ConvergenceWarning if it never
      stops.
    - `class_weight`: a mapping from labels to factors of their samples' weights (1 for those left out), "balanced" for
      factors inverse to how often a class occurs, or None.
    - `warm_start`: `fit` continues from the weights of the last one, and on the same data holds out the same samples.
    - `verbose`: 1 or True shows a plot that grows in a notebook, a bar on a terminal with tqdm, else some ten lines;
      2 prints every epoch.
    - `random_state`: None, a seed or a generator, for first weights, order and what is held out.
    - `engine`: "compiled" traces the network and its loss once and trains on array code; "eager" makes and sweeps a
      graph of Values for every batch: the same numbers up to rounding, far slower, and every step can be inspected.

    After `fit`: `classes_`, `coefs_` (per layer, (n_inputs, n_outputs)), `intercepts_`; `loss_curve_`, the mean loss of
    each epoch with the penalty, and with `early_stopping` `validation_curve_`, without it; `best_loss_`, the lowest of
    the latter or else of the former; `n_iter_`, the epochs; `diagnosis_`, a `models.diagnosis.Diagnosis`, whose
    findings (dead units, nothing learned, steps too large) are also told as ConvergenceWarnings.

    Raises ValueError, before anything is trained or changed, for settings and data that are none of these.

    >>> model = MLPClassifier(hidden_layer_sizes=(), solver="gd", learning_rate=1.0, tol=0.01, random_state=0)
    >>> model.fit([[-2.0], [-1.0], [1.0], [2.0]], [0, 0, 1, 1]).predict([[-3.0], [3.0]])
    array([0, 1])
    """

    class_weight: Any = None

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, *, checkpoint: FilePath | None = None
    ) -> Self:
        """Fit to `X` (n_samples, n_features) and labels `y` (n_samples,), weighted if wanted; return `self`.

        `sample_weight` makes the loss Σ sᵢ·lossᵢ / Σ sᵢ in every batch; a weight of 0 is the sample left out.
        `checkpoint` is a file that is written between epochs, twenty times a second at most, and at the end: when the
        process was killed, the same call resumes from it and ends with the same numbers. CheckpointError for a file of
        other data or settings.
        """
        return self._fit_classes(X, y, sample_weight, None, checkpoint=checkpoint)

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train one epoch on these samples, from where the model is; `classes` names all labels at the first call.

        The optimizer keeps its state (momentum, moments); features are scaled as at the first call. Raises as `fit`,
        and ValueError for other features or classes than before and with `early_stopping`.
        """
        return self._fit_classes(X, y, sample_weight, classes, partial=True)

    @classmethod
    def from_network(
        cls, network: MLP, classes: ArrayLike | None = None, **settings: Any
    ) -> Self:  # Any: settings are hyperparameters
        """Make a fitted classifier of a `models.mlp.MLP` whose outputs are logits: one for two classes, else one each.

        `classes` are the labels in the order of the outputs, sorted; 0, 1, … by default. `settings` are those of the
        class, for training on (`warm_start`, `partial_fit`). The weights are copied.

        >>> from models.mlp import MLP
        >>> model = MLPClassifier.from_network(MLP(1, [1]).load_weights([[2.0]], [[-1.0]]), classes=["low", "high"])
        Traceback (most recent call last):
        ValueError: classes must be sorted, one for each of 2, got ['low', 'high']
        >>> model = MLPClassifier.from_network(MLP(1, [1]).load_weights([[2.0]], [[-1.0]]), classes=[0, 1])
        >>> model.predict([[0.0], [1.0]])
        array([0, 1])
        """
        n_outputs = widths(network)[-1]
        count = max(n_outputs, 2)
        labels = np.arange(count) if classes is None else check.labels(classes, None, cls.__name__, "classes")
        if len(labels) != count or not np.array_equal(np.unique(labels), labels):
            raise ValueError(f"classes must be sorted, one for each of {count}, got {labels.tolist()}")
        applied = "sigmoid" if n_outputs == 1 else "softmax"
        return cls._of_network(network, settings, classes_=labels, out_activation_=applied)

    def decision_function(self, X: ArrayLike) -> Array:
        """Return the logits: (n_samples,) for two classes, positive for the second; else (n_samples, n_classes)."""
        logits = self._outputs(X)
        return logits[:, 0] if self.n_outputs_ == 1 else logits

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probability of every class, (n_samples, n_classes), in the order of `classes_`."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Return the logarithms of the probabilities, exact however small those are."""
        logits = self._outputs(X)
        if self.n_outputs_ == 1:
            return -np.logaddexp(0.0, np.hstack([logits, -logits]))
        return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)

    def _fit_classes(self, X: Any, y: Any, sample_weight: Any, classes: Any, **how: Any) -> Self:
        self._check_settings(partial="partial" in how)
        samples = self._classified(X, y, sample_weight, classes, partial="partial" in how)
        inputs, indices, importance, classes = samples
        n_outputs, loss = (1, binary_cross_entropy) if len(classes) == 2 else (len(classes), cross_entropy)
        return self._learn(
            X, Samples(inputs, indices.astype(np.float64), importance), n_outputs, loss,
            classes_=classes, out_activation_="sigmoid" if n_outputs == 1 else "softmax", **how,
        )  # fmt: skip


@hyperparameters
class MLPRegressor(MLPEstimator, Regressor):
    """Predict numbers with a multilayer perceptron, trained by backpropagation; its outputs are linear.

    `loss` is "squared_error" (mean over the targets), "half_squared_error" (the course's C), "absolute_error" or
    "huber"; a function of `(output, target)` for one sample will do too (TypeError if all it gives are plain numbers,
    and, unless `engine="eager"`, if it branches on numbers).

    With `standardize` the targets too are centered and divided by their deviations, unless the loss is a function of
    yours, so that targets of any units count alike and a constant one gets its constant. "huber" has its threshold of 1
    in deviations. Losses are in the units of a single target, of several in their deviations, as `alpha` and `tol` are.
    All else is as in MLPClassifier.

    >>> model = MLPRegressor(hidden_layer_sizes=(), solver="gd", learning_rate=0.1, alpha=0, tol=1e-9, max_iter=900)
    >>> model.fit([[1], [2], [3], [4]], [3, 5, 7, 9]).predict([[10]]).round(2)
    array([21.])
    """

    loss: str | Callable[[Any, Any], Any] = "squared_error"
    alpha: float = 0.01

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, *, checkpoint: FilePath | None = None
    ) -> Self:
        """Fit to `X` (n_samples, n_features) and `y` (n_samples,) or (n_samples, n_targets); return `self`.

        `sample_weight` makes the loss Σ sᵢ·lossᵢ / Σ sᵢ in every batch; a weight of 0 is the sample left out.
        `checkpoint` is as in MLPClassifier.
        """
        return self._fit_targets(X, y, sample_weight, checkpoint=checkpoint)

    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train one epoch on these samples, from where the model is; the optimizer keeps its state.

        Features and targets are scaled as at the first call. Raises as `fit`, and ValueError for other features or
        targets than before and with `early_stopping`.
        """
        return self._fit_targets(X, y, sample_weight, partial=True)

    @classmethod
    def from_network(cls, network: MLP, **settings: Any) -> Self:  # Any: hyperparameters
        """Make a fitted regressor of a `models.mlp.MLP` whose outputs are linear; the weights are copied.

        `settings` are those of the class, for training on (`warm_start`, `partial_fit`).

        >>> from models.mlp import MLP
        >>> MLPRegressor.from_network(MLP(1, [1]).load_weights([[2.0]], [[1.0]])).predict([[3.0]])
        array([7.])
        """
        return cls._of_network(network, settings, _several=widths(network)[-1] > 1, out_activation_="identity")

    def predict(self, X: ArrayLike) -> Array:
        """Predict for `X` (n_samples, n_features): (n_samples,), or (n_samples, n_targets) after a 2-D y."""
        outputs = self._outputs(X)
        return outputs if self._several else outputs[:, 0]

    def _fit_targets(self, X: Any, y: Any, sample_weight: Any, **how: Any) -> Self:
        self._check_settings(partial="partial" in how)
        if not callable(self.loss):
            check.known("loss", self.loss, [name for name in LOSSES if name not in _CLASSIFICATION_LOSSES])
        resumed = self._resumes(partial="partial" in how)
        inputs, targets, importance = self._data(X, y, sample_weight, resumed=resumed)
        return self._learn(
            X, Samples(inputs, targets, importance), targets.size // len(targets), loss_by_name(self.loss),
            _several=targets.ndim == 2, out_activation_="identity", **how,
        )  # fmt: skip
