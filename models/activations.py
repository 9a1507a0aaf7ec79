"""Activations of neurons: their names, a = σ(z), and the slope σ'(z).

An activation is a row of `autodiff.OPS`, any Op of one operand that you write, or None for no activation.

>>> activation_by_name("sigmoid"), activation_by_name("linear")
(<Op sigmoid>, None)
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from autodiff import OPS, Op, leaky_relu, softmax
from models._checks import known
from models.errors import say

Activation = str | Op | None  # as callers write it

ACTIVATIONS: Mapping[str, Op | None] = MappingProxyType(
    {"linear": None, **{n: OPS[n] for n in ("step", "sigmoid", "tanh", "relu", "leaky_relu", "softplus")}}
)
_CONSTANTS: Mapping[Op, tuple[float, ...]] = {OPS["leaky_relu"]: (0.01,)}  # operands after z: the slope below 0


def activation_by_name(activation: Any) -> Op | None:  # Any: a name, an Op or None
    """Return the operation a name stands for: a key of ACTIVATIONS, any Op of one operand, None for none.

    Raises ValueError for an unknown name, TypeError for what is neither a name nor an Op of one operand.

    >>> activation_by_name("tanh"), activation_by_name("linear")
    (<Op tanh>, None)
    """
    if isinstance(activation, str):
        return ACTIVATIONS[known("activation", activation, ACTIVATIONS, ", an Op or None")]
    if activation is leaky_relu:
        return OPS["leaky_relu"]
    if activation is None or (isinstance(activation, Op) and (activation.arity == 1 or activation in _CONSTANTS)):
        return activation
    hint = "; softmax belongs to the loss: cross_entropy takes the outputs as they are" * (activation is softmax)
    names = f"one of {', '.join(ACTIVATIONS)}, an Op of one operand or None"
    raise TypeError(f"an activation must be {names}, got {activation!r}{hint}")


def activations_per_layer(  # Any: activation and output_activation: a name, an Op, None, or one for each layer
    activation: Any, output_activation: Any, n_layers: int
) -> list[Op | None]:
    """Return one operation per layer: `activation` for the hidden layers, or a sequence of one for each and the last.

    Raises ValueError for a sequence of another length and for one beside an `output_activation`; otherwise as
    `activation_by_name`.

    >>> activations_per_layer("tanh", None, 3)
    [<Op tanh>, <Op tanh>, None]
    """
    if not isinstance(activation, (list, tuple)):
        return [activation_by_name(activation)] * (n_layers - 1) + [activation_by_name(output_activation)]
    if output_activation is not None:
        raise ValueError(
            "output_activation must be left out when activation has one entry per layer, the last for the output"
        )
    if len(activation) != n_layers:
        raise ValueError(f"activation must have one entry per layer, {n_layers}, got {len(activation)}")
    return [activation_by_name(each) for each in activation]


def activate(activation: Op | None, z: Any) -> Any:  # Any: z and result: Values, numbers or arrays of them
    """Return a = σ(z), for a number, a Value or an array.

    >>> activate(activation_by_name("leaky_relu"), -2.0)
    -0.02
    """
    return z if activation is None else activation(z, *_CONSTANTS.get(activation, ()))


def activated(activation: Op, z: Any) -> Any:  # Any: z and result: Values, numbers or arrays of them
    """Return a = σ(z) for a Value only: recorded at once, without asking what kind of thing z is."""
    return z.record_operation(activation, (z, *_CONSTANTS[activation]) if activation in _CONSTANTS else (z,))


def slope(activation: Op | None, z: Any, a: Any) -> Any:  # Any: z, a, result: Values, numbers or arrays
    """Return σ'(z) by the operation's own rule, for a number, a Value or an array; `a` is σ(z).

    >>> slope(activation_by_name("sigmoid"), 0.0, 0.5)
    0.25
    """
    if activation is None:
        return 1.0
    constants = _CONSTANTS.get(activation, ())
    return activation.partials_of((z, *constants), a, [True] + [False] * len(constants))[0]


def kink(activation: Op | None, z: float) -> float:
    """Return a number that changes sign, or is 0, at the kink of σ, as the row of the operation has it; 1 without one.

    >>> kink(activation_by_name("relu"), -0.5), kink(activation_by_name("tanh"), -0.5)
    (-0.5, 1.0)
    """
    if activation is None or activation.kink is None:
        return 1.0
    return float(activation.kink(z, *_CONSTANTS.get(activation, ())))


def activation_name(activation: Op | None) -> str:
    """Return the name to show; "linear" for None."""
    return "linear" if activation is None else activation.name


def activation_title(activation: Op | None) -> str:
    """Return the name in the language in force; that of an operation of the user's own as it is."""
    name = activation_name(activation)
    return say(f"names.{name}") if name in say.section("names") else name
