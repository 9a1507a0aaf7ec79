"""What was decided where there is no derivative, and the check that a row keeps to it in all three arithmetics.

At a kink mathematics allows everything between the slopes on the left and on the right, so no oracle can tell; what is
promised instead is written down here, once. `check_kinks` holds an operation to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from autodiff.ops import Op
from autodiff.value import Value


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


def check_kinks(op: Op) -> None:
    """Check that an operation does what was decided for the row of its name, on floats, arrays and Values.

    Raises AssertionError naming operation, operand, point and both numbers.

    >>> from dataclasses import replace
    >>> from autodiff import OPS
    >>> check_kinks(OPS["relu"])
    >>> check_kinks(replace(OPS["relu"], partials=(lambda a, r: 1.0 if a >= 0.0 else 0.0,)))
    Traceback (most recent call last):
      ...
    AssertionError: relu: its partial by operand 1 at relu(0.0) is 1.0 on floats, and 0.0 was decided
    """
    for kink in DECIDED:
        if kink.name == op.name:
            for arithmetic, value, partials in _three_ways(op, kink):
                at = f"{op.name}({', '.join(map(repr, kink.operands))})"
                if not math.isclose(value, kink.value, rel_tol=1e-12):
                    raise AssertionError(f"{at} is {value!r} {arithmetic}, and {kink.value!r} was decided")
                for i, (found, decided) in enumerate(zip(partials, kink.partials, strict=True)):
                    if decided is not None and not math.isclose(found, decided, rel_tol=1e-12, abs_tol=1e-12):
                        raise AssertionError(
                            f"{op.name}: its partial by operand {i + 1} at {at} is {found!r} {arithmetic}, "
                            f"and {decided!r} was decided"
                        )


def _three_ways(op: Op, kink: Kink) -> Iterator[tuple[str, float, list[float]]]:
    wanted = [decided is not None for decided in kink.partials]
    value = op.on_floats(*kink.operands)
    yield "on floats", value, list(op.partials_at(kink.operands, value, wanted))
    recorded: Any = op(*(Value(x) if want else x for x, want in zip(kink.operands, wanted, strict=True)))
    yield "recorded", recorded.data, list(recorded.partials)
    arrays = [np.array([x, x]) for x in kink.operands]
    values: Any = op(*arrays)
    with np.errstate(all="ignore"):
        slopes: Any = op.partials_of(arrays, values, wanted)
    yield "on arrays", float(values[0]), [float(np.ravel(slope)[0]) for slope in slopes]
