"""A run of training: where it stands, one epoch of it, and how it is saved and taken up again."""

from __future__ import annotations

import math
import operator
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from autodiff import DomainError, Value, no_grad
from models import checkpoints
from models._batch_loss import TrainingError, batch_loss, loss_and_gradients, not_finite, outside
from models._settings import assign, parameter_name, refuse_not_finite
from models.checkpoints import CheckpointError
from models.optimizers import Optimizer, clip_gradients


@dataclass
class History:
    """What a run of training has done.

    `loss_curve`: the training loss of each epoch, the mean over its samples of the losses as they were computed, each
    batch before its step, penalty included. `validation_curve`: the validation loss after each epoch, without
    penalty; empty without validation samples. `best_epoch`: the epoch (from 1; 0 before the first) with the lowest
    validation loss, or training loss where there is no validation. `stopped`: "epochs" (all were run), "patience" (no
    improvement for so long), "callback", or "" while it goes on.
    """

    loss_curve: list[float] = field(default_factory=list)
    validation_curve: list[float] = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = ""

    @property
    def n_iter(self) -> int:
        """How many epochs are complete."""
        return len(self.loss_curve)


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """What callbacks are given after each epoch (counted from 1); `validation_loss` is None without validation."""

    epoch: int
    loss: float
    validation_loss: float | None
    history: History
    model: Any
    optimizer: Optimizer


class Samples(NamedTuple):
    inputs: list[Any]
    targets: list[Any]
    weights: list[float] | None
    shapes: tuple[Any, ...]  # of one input and one target
    digest: str

    def batch(self, rows: Sequence[int]) -> tuple[list[Any], list[Any], list[float] | None]:
        weights = None if self.weights is None else [self.weights[i] for i in rows]
        return [self.inputs[i] for i in rows], [self.targets[i] for i in rows], weights


@dataclass
class Run:
    """What a run is made of, and where it stands after the last complete epoch."""

    model: Any
    parameters: list[Value]
    optimizer: Optimizer
    generator: np.random.Generator
    samples: Samples
    held_out: Samples | None
    loss: Callable[[Any, Any], Any]
    penalty: Callable[[list[Value]], Any] | None
    max_norm: float | None
    batch_size: int
    shuffle: bool
    patience: int | None
    tol: float

    def __post_init__(self) -> None:
        self.history = History()
        self.waited = 0
        self.began = False  # whether the checkpoint is this run's own, not one it went on from
        self.best_weights = [p.data for p in self.parameters]

    def ended(self, epochs: int) -> bool:
        """Whether there is nothing more to do; the history says why."""
        if not self.history.stopped and self.patience is not None and self.waited >= self.patience:
            self.history.stopped = "patience"
        elif not self.history.stopped and self.history.n_iter >= epochs:
            self.history.stopped = "epochs"
        return bool(self.history.stopped)

    def epoch(self) -> EpochEnd:
        """Go once through the samples; whatever is raised, stand where the last complete epoch left off."""
        before, done = self._position(), self.history.n_iter
        batch, part = 0, ""
        try:
            losses: list[float] = []
            weights: list[float] = []
            for batch, rows in enumerate(self._batches(), 1):
                part = f"batch {batch}"
                inputs, targets, given = self.samples.batch(rows)
                weight = len(rows) if given is None else sum(given)
                if weight:  # a batch of samples of weight 0 says nothing
                    losses.append(self._step(inputs, targets, given))
                    weights.append(weight)
            batch, part = 0, "all batches"
            loss = _mean_loss(losses, weights)
            part = "validation"
            held_out = None if self.held_out is None else self._validation_loss(self.held_out)
        except BaseException as error:
            self._return_to(before)
            if isinstance(error, (TrainingError, DomainError)):
                raise TrainingError(
                    f"training stopped in epoch {done + 1}, {part}: {error}; the parameters are those after epoch "
                    f"{done}: a smaller learning rate or inputs of smaller scale may keep it finite",
                    node=error.node if isinstance(error, TrainingError) else outside(error),
                    epoch=done + 1,
                    batch=batch,
                    history=self.history,
                ) from error
            raise
        self._judge(loss, held_out, before[0])
        return EpochEnd(done + 1, loss, held_out, self.history, self.model, self.optimizer)

    def _step(self, inputs: list[Any], targets: list[Any], weights: list[float] | None) -> float:
        loss = loss_and_gradients(self.model, self.parameters, self.loss, inputs, targets, weights, self.penalty)
        try:
            if self.max_norm is not None:
                clip_gradients(self.parameters, self.max_norm)
            self.optimizer.step()
        except ValueError as error:
            *_, (frame, _) = traceback.walk_tb(error.__traceback__)
            if frame.f_code is not refuse_not_finite.__code__:  # not a step to infinity: a schedule's rate, say
                raise
            names = [parameter_name(self.parameters, i) for i in range(len(self.parameters))]
            node = next((name for name in names if f" {name} " in str(error)), "")
            raise TrainingError(str(error), node=node) from error
        return loss

    def _batches(self) -> Iterator[Sequence[int]]:
        n = len(self.samples.inputs)
        order = self.generator.permutation(n).tolist() if self.shuffle and self.batch_size < n else range(n)
        for start in range(0, n, self.batch_size):
            yield order[start : start + self.batch_size]

    def _validation_loss(self, held_out: Samples) -> float:
        with no_grad():
            value = batch_loss(self.model, self.loss, held_out.inputs, held_out.targets, held_out.weights)
        loss = value.data if isinstance(value, Value) else float(value)
        if not math.isfinite(loss):
            again = batch_loss(self.model, self.loss, held_out.inputs, held_out.targets, held_out.weights)
            raise not_finite("validation loss", again if isinstance(again, Value) else loss, self.parameters)
        return loss

    def _judge(self, loss: float, held_out: float | None, before: list[float]) -> None:
        """Enter a complete epoch in the history, and keep the parameters if they are the best so far."""
        history = self.history
        history.loss_curve.append(loss)
        if held_out is not None:
            history.validation_curve.append(held_out)
        monitored = loss if held_out is None else held_out
        best = self._best_loss()
        self.waited = 0 if monitored < best - self.tol else self.waited + 1
        if monitored < best:
            history.best_epoch = history.n_iter
            of_one_batch = held_out is None and self.batch_size == len(self.samples.inputs)
            self.best_weights = before if of_one_batch else [p.data for p in self.parameters]

    def _best_loss(self) -> float:
        curve = self.history.validation_curve if self.held_out is not None else self.history.loss_curve
        return curve[self.history.best_epoch - 1] if self.history.best_epoch else math.inf

    def _position(self) -> tuple[list[float], Mapping[str, Any], Any]:
        return [p.data for p in self.parameters], self.optimizer.state(), self.generator.bit_generator.state

    def _return_to(self, position: tuple[list[float], Mapping[str, Any], Any]) -> None:
        weights, state, self.generator.bit_generator.state = position
        assign(self.parameters, weights)
        self.optimizer.load_state(state)

    def identity(self, seed: Any) -> dict[str, Any]:
        """What must not differ between the runs that share a checkpoint, in words that JSON can hold."""
        settings = {
            f"optimizer's {name}": checkpoints.describe(setting)
            for name, setting in vars(self.optimizer).items()
            if not name.startswith("_") and name not in {"parameters", "steps"}
        }
        return {
            "model": checkpoints.describe_model(self.model),
            "optimizer": type(self.optimizer).__name__,
            **settings,
            "loss": checkpoints.describe(self.loss),
            "penalty": checkpoints.describe(self.penalty),
            "max_norm": self.max_norm,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "random_state": seed,
            "patience": self.patience,
            "tol": self.tol,
            "data (as a checksum)": self.samples.digest + (self.held_out.digest if self.held_out else ""),
        }

    def save(self, path: checkpoints.FilePath, identity: Mapping[str, Any]) -> None:
        """Write where the run stands."""
        state = self.optimizer.state()
        arrays = self._arrays()
        facts = {
            "labels": [p.label for p in self.parameters],
            "identity": identity,
            "optimizer": {name: number for name, number in state.items() if f"optimizer.{name}" not in arrays},
            "generator": self.generator.bit_generator.state,
            "best_epoch": self.history.best_epoch,
            "waited": self.waited,
        }
        checkpoints.write_container(path, "training run", facts, arrays)

    def _arrays(self) -> dict[str, Any]:
        state = self.optimizer.state()
        return {
            **{f"optimizer.{name}": array for name, array in state.items() if isinstance(array, np.ndarray)},
            "weights": np.array([p.data for p in self.parameters]),
            "best_weights": np.array(self.best_weights),
            "loss_curve": np.array(self.history.loss_curve),
            "validation_curve": np.array(self.history.validation_curve),
        }

    def open(self, path: checkpoints.FilePath, identity: Mapping[str, Any], epochs: int) -> None:
        """Stand where the file says; write it where there is none. CheckpointError changes nothing."""
        checkpoints.remove_leftovers(path)
        if not Path(path).exists():
            self.save(path, identity)
            self.began = True
            return

        def verify(facts: Mapping[str, Any], shapes: checkpoints.Shapes) -> None:
            checkpoints.check_labels(facts.get("labels"), [p.label for p in self.parameters])
            _check_identity(facts.get("identity"), identity)
            done = math.prod(shapes.get("loss_curve", ()))
            if done > epochs:
                raise CheckpointError(f"it has {done} epochs behind it, and epochs={epochs}: ask for as many or more")
            curves = {"loss_curve": (done,), "validation_curve": (0 if self.held_out is None else done,)}
            own = {name: np.shape(array) for name, array in self._arrays().items()}
            checkpoints.check_shapes(shapes, {**own, **curves})

        facts, arrays = checkpoints.read_container(path, "training run", verify)
        before = self._position()
        try:
            state = {n.removeprefix("optimizer."): array for n, array in arrays.items() if n.startswith("optimizer.")}
            if not all(np.isfinite(array).all() for array in arrays.values()):
                raise ValueError("it holds numbers that are not finite")  # noqa: TRY301 # told below, with the path
            curves = arrays["loss_curve"].tolist(), arrays["validation_curve"].tolist()
            best, waited = (_epochs_until(facts, name, len(curves[0])) for name in ("best_epoch", "waited"))
            history = History(*curves, best)
            self._return_to((arrays["weights"].tolist(), {**facts["optimizer"], **state}, facts["generator"]))
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            self._return_to(before)
            raise CheckpointError(f"cannot use {os.fspath(path)!r}: {error}") from error
        self.history, self.waited = history, waited
        self.best_weights = arrays["best_weights"].tolist()

    def abandon(self, path: checkpoints.FilePath) -> None:
        """Remove the file this run began, if no epoch was completed: what failed must not bar the corrected call."""
        if self.began and not self.history.n_iter:
            with suppress(OSError):
                Path(path).resolve().unlink(missing_ok=True)


def _epochs_until(facts: Mapping[str, Any], name: str, done: int) -> int:
    n = operator.index(facts[name])
    if not 0 <= n <= done:
        raise ValueError(f"its {name} is {n}, of {done} epochs")
    return n


def _check_identity(found: Any, wanted: Mapping[str, Any]) -> None:
    found = found if isinstance(found, dict) else {}
    for what in (*wanted, *found):
        there, here = found.get(what), wanted.get(what)
        if there != here:
            raise CheckpointError(
                f"it belongs to another run: {what} was {there!r} and is {here!r}; go on as before, or use another file"
            )


def _mean_loss(losses: Sequence[float], weights: Sequence[float]) -> float:
    """The loss of an epoch from those of its batches; a mean of finite numbers must not overflow on the way."""
    every = sum(weights)
    loss = sum(weight / every * loss for weight, loss in zip(weights, losses, strict=True))
    if not math.isfinite(loss):
        raise TrainingError(f"the mean loss became {loss}")
    return loss
