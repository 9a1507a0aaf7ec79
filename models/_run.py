"""A run of training: its state, one epoch of it, and how it is saved and resumed."""

from __future__ import annotations

import math
import operator
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from autodiff import DomainError
from models import checkpoints, live
from models._engines import Array, Eager, Rows, Task, engine_by_name
from models._values import outside
from models.diagnosis import Diagnosis
from models.errors import CheckpointError, NotFiniteError, TrainingError, say
from models.live import LivePlot
from models.optimizers import Optimizer, clipped


@dataclass(repr=False)
class History:
    """The record of a run of training; a notebook shows its curves.

    `loss_curve`: the training loss of each epoch, the mean over its samples of the losses as they were computed, each
    batch before its step, penalty included. `validation_curve`: the validation loss after each epoch, without
    penalty; empty without validation samples. `best_epoch`: the epoch (from 1; 0 before the first) with the lowest
    validation loss, or training loss where there is no validation. `stopped`: "epochs" (all were run), "patience" (no
    improvement for so long), "callback", or "" while it goes on. `diagnosis`, at the end: `models.diagnosis.Diagnosis`.
    """

    loss_curve: list[float] = field(default_factory=list)
    validation_curve: list[float] = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = ""
    diagnosis: Diagnosis | None = None

    @property
    def n_iter(self) -> int:
        """Return how many epochs are complete."""
        return len(self.loss_curve)

    def __repr__(self) -> str:
        curves = {"loss": self.loss_curve, "validation loss": self.validation_curve}
        told = [f"{name} {curve[0]:.4g} → {curve[-1]:.4g}" for name, curve in curves.items() if curve]
        told += [f"best epoch {self.best_epoch}"] * bool(told)
        told += [f"stopped={self.stopped!r}"] * bool(self.stopped)
        findings = list(self.diagnosis.findings) if self.diagnosis else []
        told += [f"findings={findings}"] * bool(findings)
        return f"{type(self).__name__}({', '.join([f'{self.n_iter} epochs', *told])})"

    def _repr_html_(self) -> str:
        return live.curves(self)


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """The argument of callbacks after each epoch (counted from 1); `validation_loss` is None without validation."""

    epoch: int
    loss: float
    validation_loss: float | None
    history: History
    model: Any
    optimizer: Optimizer


Callback = Callable[[EpochEnd], Any]


def execute(
    task: Task, optimizer: Optimizer, generator: np.random.Generator, *, engine: str, epochs: int,
    batch_size: int | None = None, shuffle: bool = False, max_norm: float | None = None, patience: int | None = None,
    tol: float = 0.0, restore_best: bool = False, callbacks: Sequence[Callback] = (), progress: int = 0,
    checkpoint: checkpoints.FilePath | None = None, checkpoint_every: int | None = None, seed: Any = None,
) -> History:  # fmt: skip
    """Train on checked arguments as `models.training.train` does; a file is written by the clock between epochs."""
    n = len(task.samples.inputs)
    with engine_by_name(engine, task) as own_engine:
        run = Run(
            task, own_engine, optimizer, generator, max_norm=None if max_norm is None else float(max_norm),
            batch_size=min(batch_size or n, n), shuffle=bool(shuffle), patience=patience, tol=float(tol),
        )  # fmt: skip
        save: Callable[[], None] | None = None
        if checkpoint is not None:
            identity = run.identity(seed)
            save = partial(run.save, checkpoint, identity)
            run.open(checkpoint, identity, epochs)
        try:
            _epochs(run, epochs, callbacks, progress, save, checkpoint_every)
        except KeyboardInterrupt as error:  # the file stays: that run may be meant to go on
            interrupt: Any = error
            interrupt.history = run.history
            raise
        except Exception:
            if checkpoint is not None and run.began and not run.history.n_iter:
                with suppress(OSError):  # a failure of the first epoch must not bar the corrected call
                    Path(checkpoint).resolve().unlink(missing_ok=True)
            raise
        if restore_best:
            run.take_best_weights()
    return run.history


def fitted(keep: Callable[[History], None], told: Callable[[TrainingError], str], *run: Any, **how: Any) -> History:
    """Execute a run for an estimator: ValueError in its words where it stops; interrupted, keep complete epochs."""
    try:
        return execute(*run, **how)
    except TrainingError as error:
        raise ValueError(told(error)) from error
    except KeyboardInterrupt as interrupt:
        done = getattr(interrupt, "history", None)  # None: before training began, or after it ended
        if done is not None and done.n_iter:
            keep(done)
        raise


def _epochs(
    run: Run, epochs: int, callbacks: Sequence[Callback], progress: int, save: Callable[[], None] | None,
    every: int | None,
) -> None:  # fmt: skip
    saved, last = run.history.n_iter, time.monotonic()
    with _reporter(progress, epochs, run) as report:
        while not run.ended(epochs):
            end = run.epoch()
            answers = _called(callbacks, end, run.engine) if callbacks else []
            if any(isinstance(answer, (bool, np.bool_)) and answer for answer in answers):
                run.history.stopped = "callback"
            due = time.monotonic() - last >= checkpoints.SECONDS if every is None else end.epoch % every == 0
            if save is not None and due:
                save()
                saved, last = end.epoch, time.monotonic()
            if report is not None:
                report(end, last=run.ended(epochs))
    for callback in callbacks:
        if isinstance(callback, LivePlot):
            callback.done()
    if save is not None and run.history.n_iter > saved:
        save()


def _called(callbacks: Sequence[Callback], end: EpochEnd, engine: Eager) -> list[Any]:
    """Return the answers of the callbacks, which see the model as it is and may set its parameters."""
    engine.write()
    try:
        return [callback(end) for callback in callbacks]
    finally:
        engine.read()


def _reporter(progress: int, epochs: int, run: Run) -> Any:
    """Return a context of a function that shows each epoch, or of None.

    1 shows a plot that grows in a notebook, a bar on a terminal that has tqdm, elsewhere some ten lines; 2 a line for
    every epoch.
    """
    if not progress:
        return nullcontext()
    if progress == 1 and live.in_notebook():
        return nullcontext(_live(run))
    done = run.history.n_iter
    if progress == 1 and sys.stderr is not None and sys.stderr.isatty():
        with suppress(ImportError):
            from tqdm import tqdm  # optional, and slow to import

            return _bar(tqdm(total=epochs, initial=done, unit=say("live.epoch")))
    every = 1 if progress > 1 else max(1, math.ceil(epochs / 10))

    def show(end: EpochEnd, *, last: bool) -> None:
        if last or end.epoch % every == 0:
            print(live.told(end, f"{end.epoch}/{epochs}", ".6g"), flush=True)  # noqa: T201 # asked for

    return nullcontext(show)


def _live(run: Run) -> Callable[..., None]:
    """Return a function that draws each epoch in a notebook, if it is time."""
    logits = "cross_entropy" in getattr(run.task.loss, "__name__", "")
    plot = LivePlot(*run.task.samples[:2], middle=0.0 if logits else None)

    def draw(end: EpochEnd, *, last: bool) -> None:
        _called([plot], end, run.engine)
        if last:
            plot.done()

    return draw


@contextmanager
def _bar(bar: Any) -> Iterator[Callable[..., None]]:
    """Yield the function that moves a progress bar."""

    def move(end: EpochEnd, *, last: bool) -> None:  # noqa: ARG001 # as the lines are told
        bar.set_postfix(loss=end.loss if end.validation_loss is None else end.validation_loss, refresh=False)
        bar.update()

    with bar:
        yield move


@dataclass
class Run:
    """The parts of a run, and its state after the last complete epoch."""

    task: Task
    engine: Eager
    optimizer: Optimizer
    generator: np.random.Generator
    max_norm: float | None
    batch_size: int
    shuffle: bool
    patience: int | None
    tol: float

    def __post_init__(self) -> None:
        self.history = History()
        self.waited = 0
        self.began = False  # whether the checkpoint is this run's own, not one it went on from
        self.best_weights = self.engine.weights.copy()

    def ended(self, epochs: int) -> bool:
        """Return whether the run is over; the history says why."""
        if not self.history.stopped and self.patience is not None and self.waited >= self.patience:
            self.history.stopped = "patience"
        elif not self.history.stopped and self.history.n_iter >= epochs:
            self.history.stopped = "epochs"
        return bool(self.history.stopped)

    def epoch(self) -> EpochEnd:
        """Go once through the samples; whatever is raised, return to the state after the last complete epoch."""
        before, done = self._position(), self.history.n_iter
        batch, part = 0, ""
        try:
            losses: list[float] = []
            weights: list[float] = []
            for batch, rows in enumerate(self._batches(), 1):
                part = say("failure.batch", n=batch)
                weight = self._weight(rows)
                if weight:  # a batch of samples of weight 0 says nothing
                    losses.append(self._step(rows))
                    weights.append(weight)
            batch, part = 0, say("failure.batches")
            loss = _mean_loss(losses, weights)
            part = say("failure.validation")
            held_out = None if self.task.held_out is None else self.engine.validation_loss()
        except BaseException as error:
            self._return_to(before)
            if isinstance(error, (TrainingError, DomainError)):
                raise TrainingError(
                    say("failure.epoch", epoch=done + 1, part=part, what=error, done=done),
                    node=error.node if isinstance(error, TrainingError) else outside(error),
                    epoch=done + 1,
                    batch=batch,
                    history=self.history,
                ) from error
            raise
        self._judge(loss, held_out, before[0])
        return EpochEnd(done + 1, loss, held_out, self.history, self.task.model, self.optimizer)

    def _step(self, rows: Rows) -> float:
        loss, gradient = self.engine.loss_and_gradient(rows)
        try:
            if self.max_norm is not None:
                gradient, _ = clipped(self.task.parameters, gradient, self.max_norm)
            self.optimizer.update(self.engine.weights, gradient)
        except NotFiniteError as error:
            raise TrainingError(str(error), node=error.node) from error
        return loss

    def _batches(self) -> Iterator[Rows]:
        n = len(self.task.samples.inputs)
        order = self.generator.permutation(n) if self.shuffle and self.batch_size < n else None
        for start in range(0, n, self.batch_size):
            rows = slice(start, min(start + self.batch_size, n))
            yield rows if order is None else order[rows]

    def _weight(self, rows: Rows) -> float:
        weights = self.task.samples.weights
        if weights is None:
            return rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        return sum(weights[rows].tolist())

    def _judge(self, loss: float, held_out: float | None, before: Array) -> None:
        """Record a complete epoch in the history, and keep the parameters if they are the best so far."""
        history = self.history
        history.loss_curve.append(loss)
        if held_out is not None:
            history.validation_curve.append(held_out)
        monitored = loss if held_out is None else held_out
        best = self._best_loss()
        self.waited = 0 if monitored < best - self.tol else self.waited + 1
        if monitored < best:
            history.best_epoch = history.n_iter
            of_one_batch = held_out is None and self.batch_size == len(self.task.samples.inputs)
            self.best_weights = before if of_one_batch else self.engine.weights.copy()

    def take_best_weights(self) -> None:
        """Set the parameters to those with the lowest loss.

        With a single batch the loss after the last step is not known yet: where all before it fell, it is computed.
        """
        n = len(self.task.samples.inputs)
        if self.batch_size == n and self.task.held_out is None and self.history.best_epoch == self.history.n_iter > 0:
            with suppress(TrainingError, DomainError):
                if self.engine.loss_and_gradient(slice(0, n))[0] < self._best_loss():
                    return
        self.engine.weights[:] = self.best_weights

    def _best_loss(self) -> float:
        curve = self.history.validation_curve if self.task.held_out is not None else self.history.loss_curve
        return curve[self.history.best_epoch - 1] if self.history.best_epoch else math.inf

    def _position(self) -> tuple[Array, Mapping[str, Any], Any]:
        return self.engine.weights.copy(), self.optimizer.state(), self.generator.bit_generator.state

    def _return_to(self, position: tuple[Array, Mapping[str, Any], Any]) -> None:
        self.engine.weights[:], state, self.generator.bit_generator.state = position
        self.optimizer.load_state(state)

    def identity(self, seed: Any) -> dict[str, Any]:
        """Describe in JSON's own types everything in which runs that share a checkpoint must not differ."""
        task = self.task
        settings = {
            f"optimizer's {name}": checkpoints.describe(setting)
            for name, setting in vars(self.optimizer).items()
            if not name.startswith("_") and name not in {"parameters", "steps"}
        }
        own = ("max_norm", "batch_size", "shuffle", "patience", "tol")
        return {
            "model": checkpoints.describe_model(task.model),
            "data (as a checksum)": task.samples.digest + (task.held_out.digest if task.held_out else ""),
            "engine": type(self.engine).__name__.lower(),
            "optimizer": type(self.optimizer).__name__,
            **settings,
            "loss": checkpoints.describe(task.loss),
            "penalty": checkpoints.describe(task.penalty),
            "random_state": seed,
            **{name: getattr(self, name) for name in own},
        }

    def save(self, path: checkpoints.FilePath, identity: Mapping[str, Any]) -> None:
        """Write the state of the run."""
        state = self.optimizer.state()
        arrays = self._arrays()
        facts = {
            "labels": [p.label for p in self.task.parameters],
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
            "weights": self.engine.weights,
            "best_weights": self.best_weights,
            "loss_curve": np.array(self.history.loss_curve),
            "validation_curve": np.array(self.history.validation_curve),
        }

    def open(self, path: checkpoints.FilePath, identity: Mapping[str, Any], epochs: int) -> None:
        """Resume from the checkpoint, or create it; CheckpointError changes nothing."""
        checkpoints.remove_leftovers(path)
        if not Path(path).exists():
            self.save(path, identity)
            self.began = True
            return

        def verify(facts: Mapping[str, Any], shapes: checkpoints.Shapes) -> None:
            checkpoints.check_labels(facts.get("labels"), [p.label for p in self.task.parameters])
            checkpoints.check_identity(facts.get("identity"), identity)
            done = math.prod(shapes.get("loss_curve", ()))
            if done > epochs:
                raise CheckpointError(f"epochs must be at least the {done} that it has behind it, got {epochs}")
            curves = {"loss_curve": (done,), "validation_curve": (0 if self.task.held_out is None else done,)}
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
            self._return_to((arrays["weights"], {**facts["optimizer"], **state}, facts["generator"]))
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            self._return_to(before)
            raise CheckpointError(f"cannot use {os.fspath(path)!r}: {error}") from error
        self.history, self.waited = history, waited
        self.best_weights = arrays["best_weights"]


def _epochs_until(facts: Mapping[str, Any], name: str, done: int) -> int:
    n = operator.index(facts[name])
    if not 0 <= n <= done:
        raise ValueError(f"its {name} is {n}, of {done} epochs")
    return n


def _mean_loss(losses: Sequence[float], weights: Sequence[float]) -> float:
    """Return the loss of an epoch from those of its batches, without overflow while the losses are finite."""
    every = sum(weights)
    loss = sum(weight / every * loss for weight, loss in zip(weights, losses, strict=True))
    if not math.isfinite(loss):
        raise TrainingError(say("failure.mean", number=loss))
    return loss
