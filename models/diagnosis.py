"""Diagnosis of a training run, in words and as data: dead units, nothing learned, a sigmoid twice, steps too large.

>>> from models.mlp import MLP
>>> from models.datasets import xor
>>> from models.training import train
>>> import warnings
>>> stuck = MLP(2, [2, 1], initialization="zeros")
>>> with warnings.catch_warnings():
...     warnings.simplefilter("ignore")  # train says it too, as a ConvergenceWarning
...     found = train(stuck, *xor()[:2], loss="binary_cross_entropy", epochs=50).diagnosis
>>> found.dead, found.constant, list(found.findings)
((2, 0), True, ['constant', 'dead'])
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from autodiff import DomainError, no_grad
from models import losses
from models._checks import Array
from models._engines import EVERY, Samples, Task, engine_by_name
from models._values import assign, plain
from models.activations import activate, activation_name, slope
from models.errors import TrainingError, say
from models.mlp import MLP

# Between which numbers the output of an activation lies.
_RANGES = {
    "sigmoid": (0.0, 1.0),
    "step": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    **dict.fromkeys(("relu", "softplus"), (0.0, math.inf)),
}

ROWS = 2000  # samples that units are looked at on
TELLING = 30  # epochs, before which nothing is said about how the loss went
FEW = 10  # samples, on all of which units may well have slope 0 that learn on others
SHARE = 0.25  # of a layer: fewer units that do nothing are no reason to warn


@dataclass(frozen=True)
class Diagnosis:
    """The state in which a run of training ended, beside its history.

    For a `models.mlp.MLP`, layer by layer, the last included: `units`; `dead`, those whose activation has slope 0 on
    every sample looked at (at most 2,000), so that no gradient passes; `saturated`, those whose slope is everywhere
    below a hundredth of that at 0. Empty for other models.

    `loss` is the lowest training loss without the penalty, `constant_loss` that of the best constant output (None where
    it is not known). After 30 epochs, or when the loss no longer fell: `constant` is whether the former has settled no
    more than 1 % below the latter, `still` whether the loss never moved, `slow` whether all steps together lowered it
    less than half as much as one longer step along the gradient at the end would (of an MLP only), `exploding` whether
    it ended at twice its lowest or more, and above a tenth of the first. `squashed_twice` names the activation of the
    output that the loss applies once more, "sigmoid" or "softmax", else "".

    `findings` maps the names of what is worth a warning to a sentence that says what to do.
    """

    units: tuple[int, ...] = ()
    dead: tuple[int, ...] = ()
    saturated: tuple[int, ...] = ()
    loss: float = math.nan
    constant_loss: float | None = None
    constant: bool = False
    still: bool = False
    slow: bool = False
    exploding: bool = False
    squashed_twice: str = ""
    findings: Mapping[str, str] = field(default_factory=dict[str, str])


def diagnose(
    task: Task, loss_curve: Sequence[float], *, patience: bool = False,
    before: Mapping[str, str] = MappingProxyType({}), cure: str = "standardise", unit: float = 1.0,
    engine: str = "compiled",
) -> Diagnosis:  # fmt: skip
    """Return the diagnosis of a model after training; `cure` names what to say against inputs of a wrong scale.

    `before` are findings that were told before training, as `told_before` returns them.
    `patience` is whether training ended because the loss no longer fell, after however few epochs; `unit` is what the
    losses of the task are multiplied with to be those of `loss_curve`. `engine` computes further losses, if need be.
    """
    best, cure = min(loss_curve, default=math.nan), say(f"phrases.{cure}")
    loss = best - unit * _penalty(task) if loss_curve else best
    constant_loss = constant_output_loss(task.loss, task.samples)
    constant_loss = None if constant_loss is None else unit * constant_loss
    told = patience or len(loss_curve) >= TELLING
    settled = patience or (told and loss_curve[-10] - best <= 0.01 * abs(best))
    constant = settled and constant_loss is not None and constant_loss > 0 and loss >= 0.99 * constant_loss
    still = told and max(loss_curve) - best <= 1e-6 * abs(best)
    exploding = told and loss_curve[-1] >= 2 * best and loss_curve[-1] > 0.1 * loss_curve[0]
    units, dead, saturated, names = _looked_at(task)
    findings = dict(before)
    bounded = "out of reach" in findings or constant_loss == 0  # whatever the units do
    slow = told and not bounded and loss_curve[0] - best <= 0.01 * abs(loss_curve[0])
    slow = slow and _one_step(task, engine) > max(2 * (loss_curve[0] - best), 0.05 * abs(best)) / unit
    held = constant and not slow and constant_loss is not None and unit * _penalty(task, 0.1) > 10 * constant_loss > 0
    if slow:
        findings["slow"] = say("diagnosis.slow", first=loss_curve[0], loss=best, epochs=len(loss_curve))
    elif held and not bounded:
        findings["penalty"] = say("diagnosis.penalty", loss=loss, constant=constant_loss)
    elif constant and not bounded:
        findings["constant"] = say("diagnosis.constant", loss=loss, constant=constant_loss, cure=cure)
    elif still and not bounded:
        findings["still"] = say("diagnosis.still", loss=best, epochs=len(loss_curve))
    inputs = task.samples.inputs
    alike = bool((inputs == inputs[0]).all())
    if alike and findings.pop("constant", None):
        findings["same inputs"] = say("diagnosis.alike")
    learned = constant_loss is not None and loss < 0.1 * constant_loss
    for kind, counts in (("dead", dead), ("saturated", saturated)):
        if alike or bounded or held or (learned and len(inputs) < FEW):
            break
        worst = [i for i, (n, of) in enumerate(zip(counts, units, strict=True)) if n >= max(1.0, SHARE * of)]
        if worst:
            facts = [{"n": counts[i], "of": units[i], "activation": names[i], "layer": i + 1} for i in worst]
            layers = ", ".join(say("phrases.units", **each) for each in facts)
            flat = kind == "dead" and "step" in {names[i] for i in worst}
            zeros = not flat and isinstance(task.model, MLP) and not any(task.model.weights()[i].any() for i in worst)
            word = "flat" if flat else "zeros" if zeros else kind
            findings[kind] = say(f"diagnosis.{word}", layers=layers, cure=cure)
    if exploding:
        facts = {"loss": best, "epoch": loss_curve.index(best) + 1, "last": loss_curve[-1], "cure": cure}
        findings["exploding"] = say("diagnosis.exploding", **facts)
    squashed = "sigmoid" if task.loss is losses.binary_cross_entropy else "softmax"
    squashed *= "squashed twice" in before
    return Diagnosis(
        units, dead, saturated, loss, constant_loss, constant, still, slow, exploding, squashed, findings
    )  # fmt: skip


def told_before(task: Task) -> dict[str, str]:
    """Return what can be said before training: a sigmoid or softmax twice, and targets that no output can reach."""
    loss = next((name for name, function in losses.LOSSES.items() if function is task.loss), "")
    own = {"binary_cross_entropy": "sigmoid", "cross_entropy": "softmax"}.get(loss)
    known = activation_name(task.model.activations[-1]) if isinstance(task.model, MLP) else ""
    output = known or (_squash(task) if own else "")
    if own and output == own:
        return {"squashed twice": say("diagnosis.twice", output=output, loss=loss)}
    low, high = _RANGES.get(output, (-math.inf, math.inf))
    lowest, highest = task.samples.targets.min(), task.samples.targets.max()
    if output not in _RANGES or not loss or (not own and low <= lowest <= highest <= high):
        return {}
    lies = say("phrases.at least 0" if high == math.inf else "phrases.between", low=low, high=high)
    facts = {"output": output, "lies": lies, "loss": loss, "own": own, "low": lowest, "high": highest}
    return {"out of reach": say(f"diagnosis.{'logits' if own else 'targets'}", **facts)}


def _squash(task: Task) -> str:
    """Return the name of the activation that made every output of a model, "softmax" for shares, "" for none."""
    outputs: list[list[Any]] = []
    try:
        for x in task.samples.inputs[:8].tolist():
            output: Any = task.model(x)
            outputs.append(list(output) if isinstance(output, (Sequence, np.ndarray)) else [output])
    except DomainError:  # training meets it too, and says where
        return ""
    shares = np.array([[float(plain(a)) for a in row] for row in outputs])
    if shares.shape[1] > 1 and (shares >= 0).all() and np.allclose(shares.sum(axis=1), 1.0, atol=1e-9):
        return "softmax"
    made_by = {getattr(getattr(a, "op", None), "name", "") for row in outputs for a in row}
    return made_by.pop() if len(made_by) == 1 else ""


def constant_output_loss(  # Any: loss is of Values, numbers or lists of them
    loss: Callable[[Any, Any], Any], samples: Samples
) -> float | None:
    """Return the lowest mean loss that the same output for every sample can have; None for a loss not known here.

    >>> constant_output_loss(losses.squared_error, Samples(np.zeros((2, 1)), np.array([1.0, 3.0])))
    1.0
    """
    y, w = samples.targets, samples.weights
    if loss is losses.cross_entropy and y.ndim == 1:
        y = np.eye(int(y.max()) + 1)[y.astype(int)]
    columns = y.reshape(len(y), -1)
    mean = np.average(columns, axis=0, weights=w)
    if loss in (losses.squared_error, losses.half_squared_error):
        spread = np.average((columns - mean) ** 2, axis=0, weights=w)
        return float(spread.mean() if loss is losses.squared_error else spread.sum() / 2)
    if loss is losses.absolute_error:
        return float(np.mean([_least_deviation(column, w) for column in columns.T]))
    if loss is losses.huber:
        low, high = columns.min(axis=0), columns.max(axis=0)
        for _ in range(64):  # the derivative grows with the output
            middle = low + (high - low) / 2
            above = np.average(np.clip(middle - columns, -1.0, 1.0), axis=0, weights=w) > 0
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        error = np.abs(columns - low)
        held = np.minimum(error, 1.0)
        return float(np.average(held * (error - held / 2), axis=0, weights=w).mean())
    if loss is losses.binary_cross_entropy:
        return float(np.mean(_entropy(mean) + _entropy(1.0 - mean)))
    if loss is losses.cross_entropy:
        return float(_entropy(mean).sum())
    return None


def _entropy(shares: Array) -> Array:
    return -shares * np.log(np.where(shares > 0, shares, 1.0))


def _least_deviation(column: Array, weights: Array | None) -> float:
    order = np.argsort(column)
    sums = np.cumsum(np.ones(len(column)) if weights is None else weights[order])
    median = column[order][np.searchsorted(sums, sums[-1] / 2)]
    return float(np.average(abs(column - median), weights=weights))


def _penalty(task: Task, weight: float | None = None) -> float:
    """Return the penalty of the parameters, or of parameters that are all `weight`."""
    if task.penalty is None:
        return 0.0
    own = [p.data for p in task.parameters]
    try:
        assign(task.parameters, own if weight is None else [weight] * len(own))
        with no_grad():
            return float(plain(task.penalty(list(task.parameters))))
    finally:
        assign(task.parameters, own)


def _one_step(task: Task, engine: str) -> float:
    """Return how far one step along the gradient, of the best of some lengths, lowers the loss of an MLP."""
    if not isinstance(task.model, MLP):
        return 0.0
    every = max(1, len(task.samples.inputs) // (ROWS if engine == "compiled" else 100))
    gradients, fall = [p.grad for p in task.parameters], 0.0
    few = task._replace(samples=task.samples.batch(np.arange(0, len(task.samples.inputs), every)), held_out=None)
    with engine_by_name(engine, few) as own:
        own.read()
        start = own.weights.copy()
        with contextlib.suppress(TrainingError, DomainError):
            first, gradient = own.loss_and_gradient(EVERY)
            largest = np.abs(gradient).max()
            along = gradient / largest if largest else gradient
            for length in (1e-6, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0, 10.0) if largest else ():
                own.weights[:] = start - length / np.linalg.norm(along) * along
                fall = max(fall, first - own.loss_and_gradient(EVERY)[0])
        own.weights[:] = start
    for parameter, gradient in zip(task.parameters, gradients, strict=True):
        parameter.grad = gradient
    return fall


def _looked_at(task: Task) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], list[str]]:
    """Return units, dead and saturated units of each layer, and the names of the activations."""
    if not isinstance(task.model, MLP):
        return (), (), (), []
    inputs, ops = task.samples.inputs, task.model.activations
    signal, counts = inputs.reshape(len(inputs), -1)[:: max(1, len(inputs) // ROWS)], []
    with np.errstate(all="ignore"):
        for op, w, b in zip(ops, task.model.weights(), task.model.biases(), strict=True):
            z = signal @ w.T + b
            signal = activate(op, z)
            counts.append((len(b), *_flat_units(op, z, signal)))
    units, dead, saturated = zip(*counts, strict=True)
    return units, dead, saturated, [activation_name(op) for op in ops]


def _flat_units(op: Any, z: Array, a: Array) -> tuple[int, int]:
    """Return how many units of a layer are dead and how many saturated."""
    if op is None:
        return 0, 0
    zero = np.zeros(1)
    usual = float(np.abs(slope(op, zero, activate(op, zero))).max())
    largest = np.abs(np.broadcast_to(slope(op, z, a), z.shape)).max(axis=0)
    flat = int((largest <= 0.01 * usual).sum())
    return (0, flat) if usual else (flat, 0)
