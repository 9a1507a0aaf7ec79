"""Training: mini-batches, history, early stopping, and runs that can be interrupted at any moment.

>>> from autodiff import Value
>>> class Line:
...     def __init__(self):
...         self.w, self.b = Value(0.0, "w"), Value(0.0, "b")
...     def parameters(self):
...         return [self.w, self.b]
...     def __call__(self, x):
...         return self.w * x + self.b
>>> line = Line()
>>> history = train(line, [1, 2, 3, 4], [3, 5, 7, 9], optimizer="gd", learning_rate=0.1, epochs=500)
>>> round(line.w.data, 4), round(line.b.data, 4), history.loss_curve[0], history.n_iter
(2.0, 1.0, 41.0, 500)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autodiff import Value
from models import _checks as check
from models import checkpoints
from models._checks import Seed
from models._engines import Samples, Task
from models._run import Callback, EpochEnd, History, execute
from models._values import batch_loss, loss_and_gradients
from models.diagnosis import Diagnosis, diagnose, told_before
from models.errors import ConvergenceWarning, TrainingError, shared, warn
from models.losses import loss_by_name
from models.optimizers import Optimizer, optimizer_by_name

__all__ = ["Diagnosis", "EpochEnd", "History", "TrainingError", "batch_loss", "loss_and_gradients", "train"]


@check.named
def train(
    model: Any,  # Any: whatever has parameters() and can be called
    X: Any,  # Any: one row per sample, of whatever the model takes
    y: Any,  # Any: one target per sample, of whatever the loss takes
    *,
    loss: str | Callable[[Any, Any], Any] = "squared_error",  # Any: of what the model returns and a target
    optimizer: str | Optimizer = "adam",
    learning_rate: float | Callable[[int], float] | None = None,
    epochs: int = 100,
    batch_size: int | None = None,
    shuffle: bool = True,
    random_state: Seed = None,
    sample_weight: ArrayLike | None = None,
    penalty: Callable[[list[Value]], Any] | None = None,  # Any: a Value or a number
    max_norm: float | None = None,
    validation: Sequence[Any] | None = None,  # Any: as X and y
    patience: int | None = None,
    tol: float = 0.0,
    restore_best: bool = True,
    engine: str = "compiled",
    callbacks: Sequence[Callback] = (),
    progress: bool | int = False,
    checkpoint: checkpoints.FilePath | None = None,
    checkpoint_every: int = 1,
) -> History:
    """Train `model`, anything callable on one sample that has `parameters()`, on `X` and `y`; return the history.

    `X` is (n_samples,) or (n_samples, n_features), `y` (n_samples,) or (n_samples, n_targets). `loss` is a name of
    `models.losses.LOSSES` or a function of the output for one sample and its target. `optimizer` is a name of
    `models.optimizers.OPTIMIZERS`, made with `learning_rate` (None: its own default), or an Optimizer of the model's
    parameters. `sample_weight` (n_samples,) makes every mean a weighted one. `penalty(parameters)`, such as
    `functools.partial(l2, strength=0.01)`, is added to the loss of each batch. With `max_norm`, a batch's gradient
    that is longer is scaled down to that length before the step, as `models.optimizers.clip_gradients` does.

    An epoch goes once through all samples in batches of `batch_size` (None: all at once, and then in their own
    order), in an order drawn anew each time if `shuffle`, by the generator that `random_state` is or seeds.

    With `patience`, training stops after so many epochs in a row that did not lower the best loss so far by more than
    `tol`; whenever it ends, the parameters are set to those with the lowest loss, or with `restore_best=False` stay
    those of the last epoch. What counts is the loss of the `validation` samples, `(X, y)` or `(X, y, sample_weight)`,
    after each epoch; without them the training loss. With a single batch that is the loss of the parameters before
    the epoch's step, and at the end of those after the last one; with several, it goes with those after the epoch.

    `engine="compiled"` traces the model, the loss and the penalty once, on stand-ins for one sample, with
    `autodiff.compile`, and trains on array code: far faster, and the same numbers up to rounding. Plain Python in
    between is frozen: random numbers that a model draws stay those of the trace, checks of targets inside your own loss
    see stand-ins, and an operand outside its domain is noticed only where it makes the loss or a gradient infinite or
    NaN. `engine="eager"` makes a graph of Values for every batch and sweeps it: it takes any model, and leaves the last
    batch's gradients in `grad`.

    Each of `callbacks` is called with an EpochEnd after every epoch, and stops training by returning True.
    `progress` of 1 or True shows a `models.live.LivePlot` in a notebook and a bar on a terminal that has tqdm, and
    prints some ten lines elsewhere, as in a pipe; 2 prints a line for every epoch.

    What is suspicious at the end is told by a ConvergenceWarning each, and stands as data in the history's `diagnosis`:
    a sigmoid or softmax that the loss applies once more and targets that the output cannot reach (both told before
    training), a loss no lower than that of a constant output, dead or saturated units of an MLP, steps that were too
    large.

    `checkpoint` is a file, written before the first epoch, after every `checkpoint_every` epochs (their callbacks
    included) and at the end. Where it exists already, training goes on from it: whenever the process was killed,
    weights and history end up the same to the last bit as if it had not been. Only `epochs`, callbacks and progress
    may differ between the runs; what your own callbacks remember is not in the file, nor is that one of them stopped
    the run: called again, or killed after that and resumed, training goes on. Models, losses, penalties and schedules
    are compared by name, arguments and repr, not by what their code does. When the first epoch of all fails, the file
    is removed again.

    Whatever is raised, the parameters, the optimizer and the generator are those after the last complete epoch.

    Raises ValueError or TypeError for bad arguments, before anything is trained, and TraceError, a TypeError, for
    functions that cannot be compiled because they branch on numbers or read `.data`; TrainingError when a loss, a
    gradient or a parameter becomes infinite or NaN, or an operand leaves its domain; CheckpointError for a checkpoint
    that cannot be written or read, or belongs to another run. What a callback raises passes through, and so does
    KeyboardInterrupt, with the history of the complete epochs as its `history`.
    """
    parameters = _parameters(model)
    samples = _samples(X, y, sample_weight)
    held_out = _held_out(validation, samples)
    check.whole("epochs", epochs, least=0)
    check.whole("checkpoint_every", checkpoint_every)
    for name, count in (("batch_size", batch_size), ("patience", patience)):
        if count is not None:
            check.whole(name, count)
    check.not_negative("tol", tol)
    if max_norm is not None:
        check.positive("max_norm", max_norm)
    check.flag("shuffle", shuffle)
    check.flag("restore_best", restore_best)
    check.verbosity("progress", progress)
    if not isinstance(callbacks, (list, tuple)):
        raise TypeError(f"callbacks must be a sequence of functions, got {type(callbacks).__name__} {callbacks!r}")
    for function in (*callbacks, *([] if penalty is None else [penalty])):
        if not callable(function):
            raise TypeError(f"callbacks and penalty must be functions, got {type(function).__name__} {function!r}")
    task = Task(model, parameters, loss_by_name(loss), samples, held_out, penalty)
    own_optimizer = _optimizer(optimizer, parameters, learning_rate)
    generator = check.random_generator(random_state)
    before = told_before(task)
    for finding in before.values():
        warn(finding, shared(ConvergenceWarning))
    history = execute(
        task, own_optimizer, generator, engine=engine, epochs=epochs, batch_size=batch_size, shuffle=shuffle,
        max_norm=max_norm, patience=patience, tol=tol, restore_best=restore_best and patience is not None,
        callbacks=callbacks, progress=int(progress), checkpoint=checkpoint, checkpoint_every=checkpoint_every,
        seed=random_state if isinstance(random_state, (int, np.integer)) else type(generator.bit_generator).__name__,
    )  # fmt: skip
    history.diagnosis = diagnose(task, history.loss_curve, patience=history.stopped == "patience", before=before,
                                 engine=engine)  # fmt: skip
    for kind, finding in history.diagnosis.findings.items():
        if kind not in before:
            warn(finding, shared(ConvergenceWarning))
    return history


def _parameters(model: Any) -> list[Value]:
    listing = getattr(model, "parameters", None)
    if isinstance(model, type) or not callable(model) or not callable(listing):
        raise TypeError(
            f"a model must be callable on one sample and have parameters(), got {type(model).__name__} {model!r}"
        )
    parameters = check.values("parameters", listing())
    if not parameters:
        raise ValueError(f"{model!r} must have parameters to train, got none")
    return parameters


def _samples(X: Any, y: Any, sample_weight: Any) -> Samples:
    inputs = np.ascontiguousarray(check.numbers("X", X))
    if inputs.ndim not in (1, 2) or 0 in inputs.shape:
        raise ValueError(f"X must be (n_samples,) or (n_samples, n_features), at least one of each, got {inputs.shape}")
    targets = np.ascontiguousarray(check.targets(y, len(inputs), "train"))
    weights = None if sample_weight is None else check.weights(sample_weight, len(inputs))
    return Samples(inputs, targets, weights)


def _held_out(validation: Any, samples: Samples) -> Samples | None:
    if validation is None:
        return None
    if not isinstance(validation, (tuple, list)) or len(validation) not in (2, 3):
        raise ValueError(f"validation must be (X, y) or (X, y, sample_weight), got {type(validation).__name__}")
    try:
        held_out = _samples(validation[0], validation[1], validation[2] if len(validation) == 3 else None)
    except (ValueError, TypeError) as error:
        raise type(error)(f"validation: {error}") from error
    for name, here, there in zip("Xy", held_out[:2], samples[:2], strict=True):
        if here.shape[1:] != there.shape[1:]:
            raise ValueError(
                f"validation: one sample of {name} must have the shape of those to train on, {there.shape[1:]}, got "
                f"{here.shape[1:]}"
            )
    return held_out


def _optimizer(optimizer: Any, parameters: list[Value], learning_rate: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        if not isinstance(optimizer, str):
            raise TypeError(f"optimizer must be a name or an Optimizer, got {type(optimizer).__name__} {optimizer!r}")
        return optimizer_by_name(optimizer, parameters, learning_rate=learning_rate)
    if learning_rate is not None:
        raise ValueError(f"{optimizer!r} has a learning rate already; leave learning_rate out, or name the optimizer")
    if [id(p) for p in optimizer.parameters] != [id(p) for p in parameters]:
        raise ValueError(f"{optimizer!r} must have the model's parameters, got others; make it with model.parameters()")
    return optimizer
