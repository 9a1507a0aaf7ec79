"""Values as plain numbers, what messages call them, and the loss of a batch with its gradients on Values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from autodiff import DomainError, Value, mean, topological_order, weighted_sum
from models.errors import TrainingError, say


def plain(x: Any) -> Any:
    """Return the number in a Value (a gradient is one after `backward(create_graph=True)`), anything else as it is."""
    return x.data if isinstance(x, Value) else x


def name_of(node: Value, parameters: Sequence[Value] = ()) -> str:
    """Name a node by its label, else by what made it; one of `parameters` without a label by its place there."""
    if node.label:
        return repr(node.label)
    if node.op is None:
        place = next((i for i, parameter in enumerate(parameters) if parameter is node), None)
        return f"a leaf of {node.data:g} without a label" if place is None else f"parameter {place}"
    shown = [(x.label or f"{x.data:g}") if isinstance(x, Value) else f"{x:g}" for x in node.operands[:4]]
    return f"{node.op.name}({', '.join(shown)}{', …' if len(node.operands) > 4 else ''})"


def assign(parameters: Sequence[Value], numbers: Sequence[float]) -> None:
    """Set all parameters to these numbers, or, interrupted, none of them."""
    before = [p.data for p in parameters]
    try:
        for parameter, number in zip(parameters, numbers, strict=True):
            parameter.data = number
    except BaseException:
        for parameter, number in zip(parameters, before, strict=True):
            parameter.data = number
        raise


def loss_and_gradients(  # Any: a model, its inputs and targets, a loss and penalty of these, as they are
    model: Any, parameters: Sequence[Value], loss: Callable[[Any, Any], Any], inputs: Sequence[Any],
    targets: Sequence[Any], weights: Sequence[float] | None = None, penalty: Callable[[list[Value]], Any] | None = None,
) -> float:  # fmt: skip
    """Return the loss of one batch and leave its gradients in the `grad` of the parameters, from one graph of Values.

    This is a batch as `engine="eager"` trains on it. Raises TrainingError, naming the node where a loss or a gradient
    stopped being finite, TypeError when nothing was recorded, and DomainError.

    >>> w = Value(0.0, "w")
    >>> loss_and_gradients(lambda x: w * x, [w], lambda output, y: (y - output) ** 2, [1.0, 2.0], [2.0, 4.0]), w.grad
    (10.0, -10.0)
    """
    for parameter in parameters:
        parameter.zero_grad()
    root = batch_loss(model, loss, inputs, targets, weights)
    if penalty is not None:
        root = root + penalty(list(parameters))
    if not isinstance(root, Value) or root.op is None:
        raise TypeError(
            f"the loss must be computed from the model's Values, got {root!r}, which remembers no computation; do not "
            "read .data, and stay outside no_grad"
        )
    if not math.isfinite(root.data):
        raise not_finite("loss", root, parameters)
    root.backward()
    if not all(math.isfinite(parameter.grad) for parameter in parameters):
        node = next(node for node in topological_order(root) if not math.isfinite(node.grad))
        name = name_of(node, parameters)
        raise TrainingError(say("failure.delta", number=node.grad, name=name), node=name)
    return root.data


def batch_loss(  # Any: a model, its inputs and targets, a loss of these and its result, as they are
    model: Any, loss: Callable[[Any, Any], Any], inputs: Sequence[Any], targets: Sequence[Any],
    weights: Sequence[float] | None = None,
) -> Any:  # fmt: skip
    """Return the mean loss of a batch, weighted if there are weights (not all of them 0), as one more node."""
    losses = [loss(model(x), target) for x, target in zip(inputs, targets, strict=True)]
    if weights is None:
        return mean(losses)
    exponent = math.frexp(max(weights))[1]
    weights = [math.ldexp(w, -exponent) for w in weights]  # a power of 2 changes no quotient, and the sum stays finite
    scale = sum(weights)
    return weighted_sum([w / scale for w in weights], losses)


def not_finite(what: str, loss: Value | float, parameters: Sequence[Value]) -> TrainingError:
    """Return the error for a loss that is not finite, naming the first node from the leaves up that is not."""
    nodes = reversed(topological_order(loss)) if isinstance(loss, Value) else []
    node = next((node for node in nodes if not math.isfinite(node.data)), None)
    what, number = say(f"failure.{what}"), loss.data if isinstance(loss, Value) else loss
    if node is None:
        return TrainingError(say("failure.became", what=what, number=number))
    name = name_of(node, parameters)
    return TrainingError(say("failure.first seen", what=what, number=number, name=name, there=node.data), node=name)


def outside(error: DomainError) -> str:
    """Return the operand a DomainError names, or for one without a name the operation at its numbers."""
    operation, _, operand = str(error).partition(";")[0].partition(", in ")
    return operand or operation.partition(", ")[0]
