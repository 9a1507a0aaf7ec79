"""What an editor knows: statements that pyright and mypy check in `make lint`, and that hold when they are run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true
import math
import warnings
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, NamedTuple, assert_type

import numpy as np
from numpy.typing import NDArray

import autodiff
from autodiff import (
    Value,
    clip,
    compile,
    exp,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    leaky_relu,
    logsumexp,
    maximum,
    mean,
    sin,
    softmax,
    total,
    value_and_grad,
    weighted_sum,
    where,
)
from models import MLP, Neuron
from models import Layer as Neurons

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


def loss(v: Value, w: Value, *, power: int = 2) -> Value:
    return v**power * w


def by_rows(v: dict[str, Value], w: Value) -> Value:
    return v["w"] * w


def either(v: Value, *, w: Value | float) -> Value:
    return v * w


def four(v: Value, w: Value, x: Value, y: Value) -> Value:
    return v * w * x * y


def shifted(x: Value, scale: float, by: Value) -> Value:
    return x * scale + by


def powered(x: Value, name: str = "square") -> Value:
    return x**2 if name == "square" else x


numbers: Array = np.array([1.0, 2.0])
warnings.filterwarnings("ignore", "value_and_grad differentiates by parameters")  # programs below have none

x, w = Value(0.5, "x"), Value(2.0, "w")
xs = [x, w]
mixed: list[Value | float] = [x, 2.0]
objects: NDArray[np.object_] = np.array(xs, dtype=object)
neuron, mlp = Neuron(2), MLP(2, (3, 1))

# A number beside a Value gives a Value, an array beside it an array; the same of methods and of rows.
assert_type(x * x + 1, Value)
assert_type(2.0 - x / 3, Value)
assert_type(-(abs(x) ** 2), Value)
assert_type(2 ** (+x), Value)
assert_type(np.float64(2.0) * x, Value)
assert_type(x - np.int64(2), Value)
assert_type(Fraction(1, 3) * x, Value)
assert_type(x * numbers, NDArray[Any])
assert_type(x / objects, NDArray[Any])
assert_type(numbers - x, NDArray[Any])
assert_type(x < 2, bool)
assert_type(x >= w, bool)
assert_type(x == 2, bool)
assert_type(x.data, float)

assert_type(x.exp(), Value)
assert_type(x.sqrt().tanh().log().sigmoid(), Value)
assert_type(x.clip(0, w), Value)
assert_type(x.maximum(0.0), Value)

assert_type(sin(x), Value)
assert_type(sin(1), float)
assert_type(exp(numbers), NDArray[Any])
assert_type(maximum(0, x), Value)
assert_type(maximum(x, numbers), NDArray[Any])
assert_type(clip(x, 0, 1), Value)
assert_type(where(x > 0, x, 0.0), Value)
assert_type(autodiff.hypot(3, 4), float)
assert_type(leaky_relu(x), Value)
assert_type(leaky_relu(2.0), float)

# Python's own sum may be its start, the integer 0; total has no such start.
assert_type(sum(xs), Value | Literal[0])
assert_type(sum(xs, Value(0.0)), Value)
assert_type(total(xs), Value)
assert_type(total(mixed), Value)
assert_type(total([1.0, 2.0]), float)
assert_type(total(x * x for x in xs), Value)
assert_type(mean(xs), Value)
assert_type(logsumexp((x, w)), Value)
assert_type(softmax(xs), list[Value])
assert_type(softmax([1.0, 2.0]), list[float])
assert_type(weighted_sum((x, w), xs), Value)
assert_type(weighted_sum(xs, [1.0, 2.0], x), Value)
assert_type(weighted_sum([1.0, 2.0], (3.0, 4), 1.0), float)

# Networks of one output give a Value, of several a list of them. The last entry of a list of sizes has no type of its
# own: what such a network returns can be used as a Value, or as anything else.
assert_type(neuron([x, 1.0]), Value)
assert_type(mlp([1, x]), Value)
assert_type((mlp([1, 2]) - 1) ** 2, Value)
assert_type(MLP(2, (3, 2), activation="tanh", random_state=0)([1, x]), list[Value])
assert_type(MLP(2, [3, 1])([1, x]), Value | Any)
assert_type(Neurons(2, 1, "sigmoid")([1, x]), Value)
assert_type(Neurons(2, 3, label="layer")([1, x]), list[Value])
declared: MLP[Value] = MLP(2, [3, 1])
assert_type(declared([1, x]), Value)
assert_type(mlp.parameters(), list[Value])

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
assert_type(grad(scaled)(2.0, scale=3.0), float)
assert_type(grad(lambda x, y: x * y)(2.0, 3.0), float)
assert_type(grad(lambda x, aux: (x * x, aux), has_aux=True)(2.0, "aux"), tuple[Any, Any])

# Where it declares Values, numbers serve too by position; by keyword where it declares both, as what it then gets.
assert_type(grad(loss)(2.0, 3.0), float)
assert_type(grad(loss)(2, Fraction(1, 3), power=3), float)
assert_type(grad(loss)(2.0, w=Value(3.0)), float)
assert_type(grad(either)(2.0, w=3.0), float)
assert_type(grad(loss)(2.0, w), float)
assert_type(grad(loss)(x, 3.0), Value)
assert_type(grad(grad(loss))(2.0, 3.0), float)
assert_type(grad(shifted)(2.0, 3.0, 1.0), float)
assert_type(value_and_grad(loss)(2.0, 3.0), tuple[float, float])
assert_type(value_and_grad(loss)(x, 3.0), tuple[Value, Value])
assert_type(hessian(loss)(2.0, 3.0), float)
assert_type(hvp(loss)(2.0, 1.0, 3.0), float)
assert_type(grad(by_rows)({"w": 2.0}, 3.0), Any)
assert_type(grad(four)(2.0, 3.0, 4.0, 5), float)
assert_type(jacobian(loss)(2.0, 3.0), Any)
assert_type(value_and_grad(lambda v, w: (v * w, "aux"), has_aux=True)(2.0, 3.0), tuple[Any, Any])

# Programs know what they are made of, and what a step of training gives.
program = compile(scaled)
assert_type(program.value_and_grad(numbers, numbers), tuple[float, Array])
assert_type(program.value_and_grad(numbers, numbers, check=True), tuple[float, Array])
assert_type(program.value_and_grad(numbers, numbers, weights=numbers), tuple[float, Array])
assert_type(program.value_and_grad(numbers, numbers, reduce="sum"), tuple[float, Array])
assert_type(program.value_and_grad(numbers, numbers, reduce=None), tuple[Array, Array])
assert_type(program.value_and_grad(numbers, numbers, argnums=0), tuple[Any, Array, Any])
assert_type(program.parameters, list[Value])

# Their arguments are those of the function, as it declares them or in batches.
assert_type(program(2.0, 3.0, power=3), Any)
assert_type(program(2.0, scale=3.0), Any)
assert_type(program([1.0, 2.0], [3, 4], check=True), Any)
assert_type(compile(lambda p, x: p["w"] * x)({"w": numbers}, numbers), Any)
assert_type(compile(lambda x, y: x * y)(x=numbers, y=numbers), Any)
assert_type(compile(powered, static_argnums=1)(numbers, "square"), Any)
assert_type(compile(powered).value_and_grad(numbers), tuple[float, Array])
assert_type(compile(lambda a, b, c, d, e: a + b + c + d + e)(numbers, numbers, numbers, numbers, numbers), Any)
assert_type(program.source, str)


def refused() -> None:
    """Mistakes that an editor underlines: each comment is an error of its own where the mistake is not found."""
    _ = x + "1"  # type: ignore[call-overload]  # pyright: ignore[reportOperatorIssue]
    sin("1")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    float(x)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    math.sin(x)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    grad(scaled)(2.0)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    grad(scaled)(2.0, "3")  # pyright: ignore[reportCallIssue, reportArgumentType]
    grad(scaled)(2.0, 3.0, powr=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    grad(loss)(2.0, "3")  # pyright: ignore[reportCallIssue, reportArgumentType]
    grad(loss)(2.0)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    grad(loss)(2.0, 3.0, 4.0)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    grad(grad(loss))(2.0)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    hvp(loss)(2.0, 1.0)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    grad(2.0)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    program(numbers)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    program(numbers, numbers, numbers)  # pyright: ignore[reportCallIssue]
    program(numbers, numbers, powr=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    program(numbers, "3")  # pyright: ignore[reportCallIssue, reportArgumentType]
    program.value_and_grad(numbers)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    compile(powered)("square", numbers)  # pyright: ignore[reportCallIssue, reportArgumentType]
    program.value_and_grad(numbers, numbers, reduce="max")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
