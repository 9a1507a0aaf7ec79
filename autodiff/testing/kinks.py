"""The decisions where there is no derivative, and the check that a row keeps to it in all three arithmetics.

At a kink mathematics allows everything between the slopes on the left and on the right, so no oracle can tell; what is
promised instead is written down here, once. `check_kinks` holds an operation to it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from autodiff.ops import OPS, Op
from autodiff.testing.subjects import detached
from autodiff.value import Value

__tracebackhide__ = True  # of pytest: a test that fails shows its own line


class Kink(NamedTuple):
    """A point of a row with the value and the partials it has there; None where there is none by that operand."""

    name: str
    operands: tuple[float, ...]
    value: float
    partials: tuple[float | None, ...]


_INF = math.inf

DECIDED = (
    Kink("relu", (0.0,), 0.0, (0.0,)),
    Kink("relu", (-0.0,), 0.0, (0.0,)),
    Kink("abs", (0.0,), 0.0, (0.0,)),
    Kink("abs", (-0.0,), 0.0, (0.0,)),
    Kink("step", (0.0,), 0.0, (0.0,)),
    Kink("step", (3.0,), 1.0, (0.0,)),
    Kink("sign", (0.0,), 0.0, (0.0,)),
    Kink("floor", (2.0,), 2.0, (0.0,)),
    Kink("ceil", (2.0,), 2.0, (0.0,)),
    Kink("trunc", (-1.0,), -1.0, (0.0,)),
    Kink("round_", (2.5,), 2.0, (0.0,)),
    Kink("round_", (-0.5,), -0.0, (0.0,)),
    Kink("remainder", (6.0, 2.0), 0.0, (1.0, -3.0)),
    Kink("remainder", (-6.0, 2.0), 0.0, (1.0, 3.0)),
    Kink("floor_divide", (6.0, 2.0), 3.0, (0.0, 0.0)),
    Kink("copysign", (0.0, -2.0), -0.0, (0.0, 0.0)),
    Kink("copysign", (-3.0, 0.0), 3.0, (-1.0, 0.0)),
    Kink("cbrt", (0.0,), 0.0, (_INF,)),
    Kink("xlogy", (0.0, 0.0), 0.0, (-_INF, 0.0)),
    Kink("xlog1py", (0.0, -1.0), 0.0, (-_INF, 0.0)),
    Kink("leaky_relu", (0.0, 0.01), 0.0, (0.01, 0.0)),
    Kink("maximum", (2.0, 2.0), 2.0, (0.5, 0.5)),
    Kink("minimum", (2.0, 2.0), 2.0, (0.5, 0.5)),
    Kink("maximum", (_INF, _INF), _INF, (0.5, 0.5)),
    Kink("clip", (1.0, 1.0, 3.0), 1.0, (1.0, 0.0, 0.0)),
    Kink("clip", (3.0, 1.0, 3.0), 3.0, (1.0, 0.0, 0.0)),
    Kink("clip", (0.5, 1.0, 3.0), 1.0, (0.0, 1.0, 0.0)),
    Kink("clip", (3.5, 1.0, 3.0), 3.0, (0.0, 0.0, 1.0)),
    Kink("where", (0.0, 2.0, 3.0), 3.0, (0.0, 0.0, 1.0)),
    Kink("where", (-0.0, 2.0, 3.0), 3.0, (0.0, 0.0, 1.0)),
    Kink("pow", (0.0, 0.0), 1.0, (0.0, None)),
    Kink("pow", (3.0, 0.0), 1.0, (0.0, math.log(3.0))),
    Kink("pow", (0.0, 1.0), 0.0, (1.0, 0.0)),
    Kink("pow", (0.0, 2.0), 0.0, (0.0, 0.0)),
    Kink("pow", (0.0, 0.5), 0.0, (_INF, 0.0)),
    Kink("pow", (-2.0, 3.0), -8.0, (12.0, None)),
    Kink("sqrt", (0.0,), 0.0, (_INF,)),
    Kink("asin", (1.0,), math.pi / 2.0, (_INF,)),
    Kink("acos", (-1.0,), math.pi, (-_INF,)),
    Kink("acosh", (1.0,), 0.0, (_INF,)),
    Kink("hypot", (0.0, 0.0), 0.0, (0.0, 0.0)),
    Kink("atan2", (0.0, 0.0), 0.0, (0.0, 0.0)),
)


def kink_points(op: Op | str) -> tuple[Kink, ...]:
    """Return the kinks, ties and edges decided for an operation of the table, by itself or by name.

    >>> kink_points("relu")[0]
    Kink(name='relu', operands=(0.0,), value=0.0, partials=(0.0,))
    """
    name = op if isinstance(op, str) else getattr(op, "name", None)
    if name is None or (isinstance(op, str) and op not in OPS):
        raise ValueError(f"op must be an Op or the name of a row, got {op!r}; the rows are {', '.join(OPS)}")
    return tuple(kink for kink in DECIDED if kink.name == name)


def check_kinks(
    op: Op | str,
    function: Callable[..., Any] | None = None,  # Any: a function of numbers
    gradient: Callable[[Callable[..., Any], tuple[float, ...]], Sequence[float]] | None = None,  # Any: of that function
    *,
    policy: Literal["decided", "any slope between"] = "decided",
) -> None:
    """Check that an operation does what was decided for the row of its name, on floats, arrays and Values.

    With `function` and `gradient` it checks that operation of another engine: `gradient(f, point)` returns the
    derivatives of `f`, a function of that engine's numbers, as a flat list. Under the policy "any slope between" each
    may be anything from the slope on the left to that on the right, as mathematics allows.

    Raises AssertionError naming operation, operand, point and both numbers. A value of theirs is checked where
    `gradient` calls `f` at the point with something that has a number.

    >>> from dataclasses import replace
    >>> from autodiff import OPS
    >>> check_kinks("relu")
    >>> check_kinks(replace(OPS["relu"], partials=(lambda a, r: 1.0 if a >= 0.0 else 0.0,)))
    Traceback (most recent call last):
      ...
    AssertionError: relu: its partial by operand 1 at relu(0.0) is 1.0 on floats, and 0.0 was decided
    """
    if (function is None) != (gradient is None):
        raise TypeError("another engine's kinks need function and gradient: check_kinks(op, function, gradient)")
    if policy not in ("decided", "any slope between"):
        raise ValueError(f"policy must be 'decided' or 'any slope between', got {policy!r}")
    kinks = kink_points(op)
    row: Any = OPS[op] if isinstance(op, str) else op
    for kink in kinks:
        foreign = None if function is None or gradient is None else _theirs(function, gradient, kink)
        for arithmetic, value, partials in _three_ways(row, kink) if foreign is None else [foreign]:
            at = f"{row.name}({', '.join(map(repr, kink.operands))})"
            if not math.isclose(value, kink.value, rel_tol=1e-12 if foreign is None else 1e-6):
                raise AssertionError(f"{at} is {value!r}{arithmetic}, and {kink.value!r} was decided")
            for i, (found, decided) in enumerate(zip(partials, kink.partials, strict=True)):
                if decided is None or math.isclose(found, decided, rel_tol=1e-12, abs_tol=1e-12):
                    continue
                least, most = (decided, decided) if policy == "decided" else _slopes_beside(row, kink, i)
                if not least <= found <= most:
                    allowed = repr(decided) if policy == "decided" else f"a slope from {least:.6g} to {most:.6g}"
                    raise AssertionError(
                        f"{row.name}: its partial by operand {i + 1} at {at} is {found!r}{arithmetic}, "
                        f"and {allowed} was decided"
                    )


def _theirs(function: Any, gradient: Any, kink: Kink) -> tuple[str, float, list[float]]:
    """Return another engine's value, and its partials by the operands that may move; the others are constants."""
    moving = [i for i, decided in enumerate(kink.partials) if decided is not None]
    point, values = tuple(kink.operands[i] for i in moving), list[float]()

    def f(*numbers: Any) -> Any:
        at = dict(zip(moving, numbers, strict=True))
        result = function(*(at.get(i, x) for i, x in enumerate(kink.operands)))
        with contextlib.suppress(Exception):  # what they trace with has no number
            values.extend([float(detached(result))] * (tuple(float(detached(x)) for x in numbers) == point))
        return result

    given = gradient(f, point)
    if isinstance(given, str) or not hasattr(given, "__len__") or len(given) != len(moving):
        raise TypeError(
            f"gradient must return a flat list of derivatives, one by each operand ({len(moving)}), got {given!r}"
        )
    slopes = dict(zip(moving, given, strict=True))
    return "", values[0] if values else kink.value, [float(slopes.get(i, 0.0)) for i in range(len(kink.partials))]


def _slopes_beside(row: Op, kink: Kink, i: int) -> tuple[float, float]:
    """Return the least and largest slope by operand `i` among those close by on both sides and the decided one."""
    slopes = [kink.partials[i] or 0.0]
    for step in (-(2.0**-20), 2.0**-20):
        at = [*kink.operands[:i], kink.operands[i] + step, *kink.operands[i + 1 :]]
        try:
            slopes.append(row.partials_at(at, row.on_floats(*at), [j == i for j in range(len(at))])[i])
        except (ArithmeticError, ValueError):  # a side without the function: the edge of its domain
            continue
    margin = 1e-4 * max(1.0, *(abs(slope) for slope in slopes if math.isfinite(slope)))  # curvature over the step
    return min(slopes) - margin, max(slopes) + margin


def _three_ways(op: Op, kink: Kink) -> Iterator[tuple[str, float, list[float]]]:
    wanted = [decided is not None for decided in kink.partials]
    value = op.on_floats(*kink.operands)
    yield " on floats", value, list(op.partials_at(kink.operands, value, wanted))
    recorded: Any = op(*(Value(x) if want else x for x, want in zip(kink.operands, wanted, strict=True)))
    yield " recorded", recorded.data, list(recorded.partials)
    arrays = [np.array([x, x]) for x in kink.operands]
    values: Any = op(*arrays)
    with np.errstate(all="ignore"):
        slopes: Any = op.partials_of(arrays, values, wanted)
    yield " on arrays", float(values[0]), [float(np.ravel(slope)[0]) for slope in slopes]
