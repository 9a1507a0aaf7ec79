"""What an editor knows: statements that pyright and mypy check in `make lint`, and that hold when they are run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true
from dataclasses import dataclass
from typing import Any, NamedTuple, assert_type

import numpy as np
from numpy.typing import NDArray

from autodiff import Value, compile, grad, hessian, hvp, jvp, value_and_grad

Array = NDArray[np.float64]


class Line(NamedTuple):
    slope: float
    offset: float


@dataclass
class Layer:
    w: Array
    b: float


def cube(x: Value) -> Value:
    return x * x * x


def scaled(x: Value, scale: float, *, power: int = 2) -> Value:
    return x**power * scale


numbers: Array = np.array([1.0, 2.0])

# Derivatives have the form of their argument.
assert_type(grad(cube)(2.0), float)
assert_type(grad(cube)(2), float)
assert_type(grad(cube)(Value(2.0)), Value)
assert_type(grad(lambda x: x[0] * x[1])([1.0, 2.0]), Array)
assert_type(grad(lambda x: (x * x).sum())(numbers), Array)
assert_type(grad(lambda p: p["w"] * p["b"])({"w": 1.0, "b": 2.0}), dict[str, float])
assert_type(grad(lambda layer: layer.w[0] * layer.b)(Layer(numbers, 1.0)), Layer)
assert_type(grad(lambda line: line.slope * line.offset)(Line(1.0, 2.0)).slope, float)
assert_type(grad(grad(cube))(2.0), float)
assert_type(value_and_grad(cube)(2.0), tuple[float, float])
assert_type(value_and_grad(lambda x: (x * x).sum())(numbers), tuple[float, Array])
assert_type(hessian(cube)(2.0), float)
assert_type(hessian(lambda x: (x * x).sum())(numbers), Array)
assert_type(hvp(lambda x: (x * x).sum())(numbers, numbers), Array)
assert_type(jvp(cube, (2.0,), (1.0,)), tuple[Any, Any])

# The other arguments are those that the function declares.
assert_type(grad(scaled)(2.0, 3.0, power=3), float)
assert_type(grad(lambda x, aux: (x * x, aux), has_aux=True)(2.0, "aux"), tuple[Any, Any])

# Programs know what they are made of, and what a step of training gives.
program = compile(scaled)
assert_type(program.value_and_grad(numbers, numbers), tuple[float, Array])
assert_type(program.value_and_grad(numbers, numbers, reduce=None), tuple[Array, Array])
assert_type(program.value_and_grad(numbers, numbers, argnums=0), tuple[Any, Array, Any])
assert_type(program.parameters, list[Value])
assert_type(program.source, str)


def refused() -> None:
    """Mistakes that an editor underlines: each comment is an error of its own where the mistake is not found."""
    grad(scaled)(2.0)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    grad(scaled)(2.0, "3")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    grad(scaled)(2.0, 3.0, powr=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    grad(2.0)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    program.value_and_grad(numbers, numbers, reduce="max")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
