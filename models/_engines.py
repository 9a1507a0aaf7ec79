"""The two engines of training: the Values' own loop, and the same loss compiled into array code.

Both keep the parameters as one flat array, `weights`, in the optimizer's order, and return the loss of a batch and its
gradient in that order. While an engine is entered, `weights` counts: changing it in place is a step, `write` copies it
to the Values (as leaving does, however it is left) and `read` copies back numbers that somebody set there.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

import autodiff
from autodiff import DomainError, TraceError, Value, logsumexp, mean, no_grad, softplus, weighted_sum
from models import _checks as check
from models._checks import Array
from models._values import assign, batch_loss, loss_and_gradients, not_finite, plain
from models.errors import TrainingError
from models.losses import binary_cross_entropy, cross_entropy, hinge
from models.mlp import MLP

Rows = slice | NDArray[np.intp]

ENGINES = ("compiled", "eager")
EVERY = slice(None)


class Samples(NamedTuple):
    """Rows of data: inputs and targets (n_samples, …), weights (n_samples,) or None."""

    inputs: Array
    targets: Array
    weights: Array | None = None

    @property
    def digest(self) -> str:
        """A checksum of all numbers, the same on every machine."""
        digest = hashlib.sha256()
        for array in (self.inputs, self.targets, *([] if self.weights is None else [self.weights])):
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array, dtype="<f8").data)
        return digest.hexdigest()

    def batch(self, rows: Rows) -> "Samples":
        if isinstance(rows, slice):
            weights = None if self.weights is None else self.weights[rows]
            return Samples(self.inputs[rows], self.targets[rows], weights)
        weights = None if self.weights is None else self.weights.take(rows)
        return Samples(self.inputs.take(rows, axis=0), self.targets.take(rows, axis=0), weights)


class Task(NamedTuple):
    """A model, its parameters and loss, and the samples to train on."""

    model: Callable[[Any], Any]
    parameters: list[Value]
    loss: Callable[[Any, Any], Any]
    samples: Samples
    held_out: Samples | None = None
    penalty: Callable[[list[Value]], Any] | None = None


class Eager:
    """The engine in which every batch is a graph of Values, made anew and swept."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.weights = np.array([p.data for p in task.parameters])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.write()

    def loss_and_gradient(self, rows: Rows) -> tuple[float, Array]:
        """Return the mean loss of these samples with the penalty, and its gradient; TrainingError or DomainError."""
        task = self.task
        self.write()
        inputs, targets, weights = _lists(task.samples.batch(rows))
        loss = loss_and_gradients(task.model, task.parameters, task.loss, inputs, targets, weights, task.penalty)
        return loss, np.array([plain(p.grad) for p in task.parameters])

    def validation_loss(self) -> float:
        """Return the mean loss of the samples held out, without penalty; TrainingError or DomainError."""
        task = self.task
        assert task.held_out is not None  # or nobody asks
        self.write()
        inputs, targets, weights = _lists(task.held_out)
        with no_grad():
            loss = float(plain(batch_loss(task.model, task.loss, inputs, targets, weights)))
        if not math.isfinite(loss):
            again = batch_loss(task.model, task.loss, inputs, targets, weights)
            raise not_finite("validation loss", again if isinstance(again, Value) else loss, task.parameters)
        return loss

    def write(self) -> None:
        """Set the Values to the weights."""
        assign(self.task.parameters, self.weights.tolist())

    def read(self) -> None:
        """Read the numbers that the Values were set to."""
        self.weights[:] = [p.data for p in self.task.parameters]


class Compiled(Eager):
    """The engine in which the loss of one sample is traced once, and every batch is array code.

    Where a loss or gradient is not finite, the batch is computed once more on Values, to name the node where that
    began.

    Raises TraceError, a TypeError, for a model, loss or penalty that works on Values but cannot be traced; exceptions
    that these raise on Values too pass through.
    """

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._batches = _Compiled(task, task.samples, task.penalty)
        self._held_out = None if task.held_out is None else _Compiled(task, task.held_out, None)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        flat = self._open.enter_context(self._batches)
        self.weights = flat if self._batches.in_order else self.weights.copy()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self.write()

    def loss_and_gradient(self, rows: Rows) -> tuple[float, Array]:
        loss, gradient = self._batches.loss_and_gradient(rows, self.weights)
        if math.isfinite(loss) and np.isfinite(gradient).all():
            return loss, gradient
        return super().loss_and_gradient(rows)

    def validation_loss(self) -> float:
        assert self._held_out is not None  # or nobody asks
        self._batches.take(self.weights)  # where the other program reads them
        loss = self._held_out.mean_loss()
        return loss if math.isfinite(loss) else super().validation_loss()


def engine_by_name(name: str, task: Task) -> Eager:
    """Make the engine of that name; ValueError that lists the names."""
    check.known("engine", name, ENGINES)
    return Compiled(task) if name == "compiled" else Eager(task)


class _Compiled:
    """The program of one set of samples, with its own flat array, and where the model's parameters lie in that.

    An MLP whose `programs` is a dict keeps there what was traced, for the next run with the same loss and penalty.
    """

    def __init__(self, task: Task, samples: Samples, penalty: Callable[[list[Value]], Any] | None) -> None:
        loss, targets = _for_arrays(task, samples)
        self._samples = samples._replace(targets=targets)

        def of_one_sample(x: Any, y: Any, weight: Any = None) -> Any:
            value = loss(task.model(_as_on_values(x)), _as_on_values(y))
            value = value if weight is None else value * weight
            return value if penalty is None else value + penalty(list(task.parameters))

        kept = task.model.programs if isinstance(task.model, MLP) and task.model.programs is not None else {}
        what = id(loss), id(penalty), samples.weights is None  # the program holds both
        if what not in kept:
            kept[what] = autodiff.compile(of_one_sample)
        self.program = kept[what]
        inputs, targets, weights = self._samples.batch(slice(0, 1))
        self._first = (inputs, targets) if weights is None else (inputs, targets, np.ones(1))
        if (task.parameters[0] + 0.0).op is None:  # within no_grad
            _once_on_values(task)
        try:
            self.program.trace(*self._first)
        except Exception as error:  # noqa: BLE001 # whatever the user's functions raise
            _explain(task, error)
        place = {id(p): i for i, p in enumerate(task.parameters)}
        met = np.array([place.get(id(p), -1) for p in self.program.parameters], dtype=int)
        self._n = len(task.parameters)
        self.in_order = met.tolist() == list(range(self._n))
        self._at = np.flatnonzero(met >= 0)  # the others are not trained
        self._of = met[self._at]
        self._all_of = np.argsort(met) if sorted(met.tolist()) == list(range(self._n)) else None
        if not len(self._at):
            _once_on_values(task)  # where nothing was recorded, it says so
        self._training = ExitStack()

    def __enter__(self) -> Array:
        self._flat = self._training.enter_context(self.program.training(*self._first))
        return self._flat

    def __exit__(self, *_: object) -> None:
        self._training.close()

    def loss_and_gradient(self, rows: Rows, weights: Array) -> tuple[float, Array]:
        self.take(weights)
        with np.errstate(all="ignore"):  # what is not finite is looked at by name
            loss, gradient = self.program.value_and_grad(*self._arguments(rows))
        if self.in_order:
            return loss, gradient
        if self._all_of is not None:
            return loss, gradient.take(self._all_of)
        ordered = np.zeros(self._n)
        ordered[self._of] = gradient[self._at]
        return loss, ordered

    def mean_loss(self) -> float:
        with np.errstate(all="ignore"):
            return float(self.program(*self._arguments(EVERY)).mean())

    def take(self, weights: Array) -> None:
        if weights is self._flat:
            return
        if self._all_of is not None:
            weights.take(self._of, out=self._flat, mode="clip")
        else:
            self._flat[self._at] = weights[self._of]

    def _arguments(self, rows: Rows) -> tuple[Array, ...]:
        inputs, targets, weights = self._samples.batch(rows)
        if weights is None:
            return inputs, targets
        weights = np.ldexp(weights, -math.frexp(weights.max())[1])  # a power of 2 changes no quotient, and the
        return inputs, targets, weights * (len(weights) / weights.sum())  # sum stays finite


def _lists(samples: Samples) -> tuple[list[Any], list[Any], list[float] | None]:
    weights = None if samples.weights is None else samples.weights.tolist()
    return samples.inputs.tolist(), samples.targets.tolist(), weights


def _as_on_values(x: Any) -> Any:
    return x.tolist() if isinstance(x, np.ndarray) else x  # an array of stand-ins would add where a list joins


def _once_on_values(task: Task) -> None:
    inputs, targets, weights = _lists(task.samples.batch(slice(0, 1)))
    with suppress(DomainError, TrainingError):  # training meets them too, and says where
        loss_and_gradients(task.model, task.parameters, task.loss, inputs, targets, weights and [1.0], task.penalty)
    for parameter in task.parameters:
        parameter.zero_grad()


def _explain(task: Task, error: Exception) -> NoReturn:
    """Raise the error that the Values raise, if they do; else say that only the engine differs."""
    _once_on_values(task)
    told = str(error) if isinstance(error, TraceError) else f"{type(error).__name__}: {error}"
    raise TraceError(
        f'{told}; this model, loss or penalty cannot be compiled; engine="eager" trains it as it is, on Values, slower'
    ) from error


def _for_arrays(task: Task, samples: Samples) -> tuple[Callable[[Any, Any], Any], Array]:
    """Return loss and targets in a form for arrays: a loss that branches on targets is asked here, once, about all."""
    loss, targets = task.loss, samples.targets
    if loss not in (hinge, binary_cross_entropy, cross_entropy):
        return loss, targets
    outputs = _count_outputs(task)
    for target in np.unique(targets, axis=0).tolist():
        loss([0.0] * outputs, target)
    if loss is cross_entropy and targets.ndim == 1:
        return _cross_entropy_of_class, np.eye(outputs)[targets.astype(int)]
    if loss is binary_cross_entropy and np.isin(targets, (0.0, 1.0)).all():
        return _binary_cross_entropy_of_class, 1.0 - 2.0 * targets
    return loss, targets


def _count_outputs(task: Task) -> int:
    if isinstance(task.model, MLP):
        return len(task.model.layers[-1].neurons)
    for x in task.samples.inputs:
        with suppress(DomainError), no_grad():
            output = task.model(x.tolist())
            return len(output) if isinstance(output, Sequence) else int(np.size(output))
    return 1


def _cross_entropy_of_class(logits: Sequence[Any], chosen: list[Any]) -> Any:
    """Log Σ_j exp(z_j − z_k) with the class k as a one-hot row."""
    z = weighted_sum(chosen, list(logits))
    return logsumexp([logit - z for logit in logits])


def _binary_cross_entropy_of_class(output: Any, sign: Any) -> Any:
    """Return softplus(−z) for class 1, softplus(z) for class 0, mean over the outputs; `sign` is −1 or 1."""
    outputs = list(output) if isinstance(output, (Sequence, np.ndarray)) else [output]
    signs = sign if isinstance(sign, list) else [sign]
    return mean([softplus(s * z) for s, z in zip(signs, outputs, strict=True)])
