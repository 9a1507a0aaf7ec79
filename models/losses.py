"""Losses of one sample, and the penalties that keep weights small.

Every loss takes the output of the model and the target, `loss(output, target)`: a Value (or number) and a number, or
a sequence of each, one per output neuron. The loss of a batch is the mean over its samples:

>>> from autodiff import Value, mean
>>> w, b = Value(0.0, "w"), Value(0.0, "b")
>>> points = [(1, 3), (2, 5), (3, 7), (4, 9)]
>>> ecm = mean([squared_error(w * x + b, y) for x, y in points])
>>> ecm.backward()
>>> ecm.data, w.grad, b.grad
(41.0, -35.0, -12.0)

Targets that are numbers are checked. Targets may also be Values: those are used as they are, unchecked, and no loss
branches on one, so the same code can be recorded once and run on other data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from autodiff import Value, clip, logsumexp, mean, relu, softplus, total, weighted_sum
from models._checks import known, not_negative, positive, values
from models._values import plain

Loss = Callable[[Any, Any], Any]


def squared_error(output: Any, target: Any) -> Any:  # Any: output, target, result: Values, numbers, or lists
    """Return the squared error, mean over the outputs; its mean over samples is the course's ECM.

    1/n Σ_j (y_j − a_j)², derivative 2 (a_j − y_j) / n (course slide «Función de costo»). Raises ValueError when the
    number of targets is not that of the outputs, or a target is not finite.

    >>> squared_error([1.0, 5.0], [2.0, 2.0])
    5.0
    """
    return _mean([(y - a) ** 2 for a, y in _pairs("squared_error", output, target)])


def half_squared_error(output: Any, target: Any) -> Any:  # Any: output, target, result: Values, numbers, or lists
    """Return half the squared error, sum over the outputs: the course's C, of which ∂C/∂a_j is just a_j − y_j.

    ½ Σ_j (y_j − a_j)² (course slide «Backpropagation»; equation (3) of Rumelhart, Hinton & Williams 1986 for one
    case). ValueError as for `squared_error`.

    >>> half_squared_error([1.0, 5.0], [2.0, 2.0])
    5.0
    """
    return _sum([(y - a) ** 2 for a, y in _pairs("half_squared_error", output, target)]) / 2


def absolute_error(output: Any, target: Any) -> Any:  # Any: output, target, result: Values, numbers, or lists
    """Return the absolute error, mean over the outputs; its derivative where output and target are equal is 0.

    1/n Σ_j |y_j − a_j|. ValueError as for `squared_error`.

    >>> absolute_error([1.0, 5.0], [2.0, 2.0])
    2.0
    """
    return _mean([abs(y - a) for a, y in _pairs("absolute_error", output, target)])


def huber(output: Any, target: Any, delta: float = 1.0) -> Any:  # Any: output, target, result: Values, numbers, lists
    """Return Huber's loss, mean over the outputs: squared near the target, straight lines far from it.

    With the error e = a − y: e²/2 while |e| ≤ delta, delta·(|e| − delta/2) beyond; the derivative is e held within
    ±delta and has no jump (Huber 1964, Robust Estimation of a Location Parameter). ValueError for a delta that is not
    above 0, TypeError for one that is not a number, and as for `squared_error`.

    >>> huber(0.5, 0.0), huber(3.0, 0.0), huber(3.0, 0.0, delta=2.0)
    (0.125, 2.5, 4.0)
    """
    positive("huber: delta", plain(delta))
    terms = []
    for a, y in _pairs("huber", output, target):
        error = a - y
        held = clip(error, -delta, delta)
        terms.append(held * (error - held / 2))  # e·e/2 inside; outside held is constant: no e² that could overflow
    return _mean(terms)


def hinge(output: Any, target: Any) -> Any:  # Any: output, target, result: Values, numbers, or lists
    """Return the hinge loss of a score, for a target that is +1 or −1; mean over the outputs.

    max(0, 1 − y·score): no loss once the score is on the right side by 1 or more. At exactly 1 the derivative is 0,
    as for ReLU. ValueError for any other target, and as for `squared_error`.

    >>> hinge(0.25, 1), hinge(0.25, -1), hinge(2.0, 1)
    (0.75, 1.25, 0.0)
    """
    pairs = _pairs("hinge", output, target)
    for _, y in pairs:
        if y.__class__ is float and abs(y) != 1.0:
            raise ValueError(f"hinge: a target must be +1 or -1, got {y!r}; for classes 0 and 1 use 2 * y - 1")
    return _mean([relu(1.0 - y * score) for score, y in pairs])


def binary_cross_entropy(output: Any, target: Any) -> Any:  # Any: output, target, result: Values, numbers, or lists
    """Return the cross-entropy of a logit, for a target from 0 to 1: mean over the outputs.

    −y log σ(z) − (1 − y) log(1 − σ(z)), where the output is z, BEFORE any sigmoid; derivative σ(z) − y. Written with
    softplus it neither overflows nor loses small losses: at z = 40 and y = 1 it is 4.2e−18, not 0. ValueError for a
    target outside [0, 1], and as for `squared_error`.

    >>> binary_cross_entropy(0.0, 1), binary_cross_entropy(1e308, 1), binary_cross_entropy(1e308, 0)
    (0.6931471805599453, 0.0, 1e+308)
    """
    terms = []
    for z, y in _pairs("binary_cross_entropy", output, target):
        if y.__class__ is float and not 0.0 <= y <= 1.0:
            raise ValueError(f"binary_cross_entropy: a target must lie from 0 to 1, got {y!r}")
        if y.__class__ is float and y in {0.0, 1.0}:  # the other side has weight 0
            terms.append(softplus(-z if y else z))
        else:
            terms.append(weighted_sum([y, 1.0 - y], [softplus(-z), softplus(z)]))
    return _mean(terms)


def cross_entropy(output: Any, target: Any) -> Any:  # Any: output, target, result: Values, numbers, or lists
    """Return the cross-entropy of a sequence of logits, for a class index or one probability per class.

    −Σ_j p_j log softmax(z)_j, where the outputs are z, BEFORE any softmax; derivative softmax(z)_j − p_j. The class
    index k counts from 0 and means p_k = 1, and then the loss is log Σ_j exp(z_j − z_k). Differences come first, so
    logits of any size are as good as small ones; logits further apart than the largest float give inf or NaN.

    Raises ValueError for fewer than two logits, a class that does not exist, and probabilities that are not as many as
    the logits, lie outside [0, 1] or do not add up to 1 (to 1e-6).

    >>> cross_entropy([0.0, 0.0], 1), cross_entropy([1e308, 1e308, -1e4], 0)
    (0.6931471805599453, 0.6931471805599453)
    >>> cross_entropy([2.0, 0.0], [0.5, 0.5])
    1.1269280110429725
    """
    logits = _listed(output)
    if len(logits) < 2:
        raise ValueError(
            "cross_entropy: the output must be a sequence of two logits or more, one per class; for a single logit use "
            "binary_cross_entropy"
        )
    _refuse_no_numbers("cross_entropy", logits)
    if not _is_sequence(target):
        k = _class_index(target, len(logits))
        return logsumexp([0.0 if j == k else z - logits[k] for j, z in enumerate(logits)])
    shares = [p for _, p in _pairs("cross_entropy", logits, target)]
    k = 0
    if all(p.__class__ is float for p in shares):
        if not all(0.0 <= p <= 1.0 for p in shares) or abs(math.fsum(shares) - 1.0) > 1e-6:
            raise ValueError(f"cross_entropy: probabilities must lie from 0 to 1 and add up to 1, got {shares}")
        k = shares.index(max(shares))
        if shares[k] == 1.0:
            return cross_entropy(logits, k)
    apart = [0.0 if j == k else z - logits[k] for j, z in enumerate(logits)]
    wanted = [(p, d) for p, d in zip(shares, apart, strict=True) if p.__class__ is not float or p]  # 0 · ∞ is not met
    return logsumexp(apart) - weighted_sum([p for p, _ in wanted], [d for _, d in wanted])


_ALL = (squared_error, half_squared_error, absolute_error, huber, hinge, binary_cross_entropy, cross_entropy)
LOSSES: Mapping[str, Loss] = MappingProxyType({loss.__name__: loss for loss in _ALL})


def loss_by_name(loss: str | Loss) -> Loss:
    """Return the loss of that name; a function of `(output, target)` is returned as it is.

    Raises ValueError that lists the known names, and TypeError for what is neither.

    >>> loss_by_name("huber")(3.0, 0.0)
    2.5
    """
    if callable(loss):
        return loss
    if not isinstance(loss, str):  # pyright: ignore[reportUnnecessaryIsInstance] # callers need not be typed
        raise TypeError(f"loss must be a name or a function of (output, target), got {type(loss).__name__} {loss!r}")
    return LOSSES[known("loss", loss, LOSSES, ", or a function")]


def l1(parameters: Iterable[Any], strength: float) -> Any:  # Any: parameters, result: Values, numbers, or lists
    """Return the penalty strength · Σ |w|, which pulls small weights to exactly 0; add it to the loss.

    Its derivative at w = 0 is 0. Usually of weights alone, without biases. Raises TypeError for what is not a Value
    and a strength that is no number, ValueError for no parameters and for a strength that is negative or not finite.

    >>> from autodiff import Value
    >>> l1([Value(3.0), Value(-4.0)], 0.5).data
    3.5
    """
    weights = _penalised("l1", parameters, strength)
    return total([abs(w) for w in weights]) * strength


def l2(parameters: Iterable[Any], strength: float) -> Any:  # Any: parameters, result: Values, numbers, or lists
    """Return the penalty strength/2 · Σ w², whose derivative is strength · w; add it to the loss.

    With the half, this is what `weight_decay=strength` of gradient descent does. Usually of weights alone, without
    biases. Raises as `l1` does.

    >>> from autodiff import Value
    >>> l2([Value(3.0), Value(-4.0)], 0.5).data
    6.25
    """
    weights = _penalised("l2", parameters, strength)
    return weighted_sum(weights, weights) * (strength / 2)


def _pairs(loss: str, output: Any, target: Any) -> list[tuple[Any, Any]]:
    """Return each output with its target; targets as checked floats, or as the Values they are."""
    outputs, targets = _listed(output), _listed(target)
    if len(outputs) != len(targets) or not outputs:
        raise ValueError(
            f"{loss}: there must be one target per output, got {len(outputs)} outputs and {len(targets)} targets"
        )
    _refuse_no_numbers(loss, outputs)
    return [(a, y if isinstance(y, Value) else _finite(loss, y)) for a, y in zip(outputs, targets, strict=True)]


def _refuse_no_numbers(loss: str, outputs: list[Any]) -> None:
    for a in outputs:
        if not hasattr(a, "__float__"):
            hint = "; does the model return anything?" if a is None else ""
            raise TypeError(f"{loss}: an output must be a Value or a number, got {type(a).__name__} {a!r:.60}{hint}")


def _listed(x: Any) -> list[Any]:
    if isinstance(x, Value):
        return [x]
    if isinstance(x, np.ndarray):
        if x.ndim > 1:
            raise ValueError(f"a loss takes ONE sample, got an array of shape {x.shape}; pass it row by row")
        return x.reshape(-1).tolist()
    return list(x) if _is_sequence(x) else [x]


def _is_sequence(x: Any) -> bool:
    if isinstance(x, np.ndarray):
        return x.ndim > 0
    return isinstance(x, Sequence) and not isinstance(x, (str, bytes))


def _finite(loss: str, y: Any) -> float:
    if y.__class__ is not float:
        if isinstance(y, (str, bytes)) or not hasattr(y, "__float__"):
            raise TypeError(f"{loss}: a target must be a number, got {type(y).__name__} {y!r}")
        y = float(y)
    if not math.isfinite(y):
        raise ValueError(f"{loss}: a target must be finite, got {y!r}")
    return y


def _class_index(target: Any, n_classes: int) -> int:
    if isinstance(target, Value):
        rule = "cross_entropy: a class index must be a plain number"
        raise TypeError(f"{rule}, got a Value; use one probability per class")
    k = _finite("cross_entropy", target)
    if not k.is_integer() or not 0 <= k < n_classes:
        raise ValueError(f"cross_entropy: a class must be a whole number from 0 to {n_classes - 1}, got {target!r}")
    return int(k)


def _mean(terms: list[Any]) -> Any:
    return terms[0] if len(terms) == 1 else mean(terms)


def _sum(terms: list[Any]) -> Any:
    return terms[0] if len(terms) == 1 else total(terms)


def _penalised(penalty: str, parameters: Iterable[Any], strength: float) -> list[Value]:
    weights = values(f"{penalty}: parameters", parameters)
    if not weights:
        raise ValueError(f"{penalty}: there must be parameters to penalise, got none")
    not_negative(f"{penalty}: strength", plain(strength))
    return weights
