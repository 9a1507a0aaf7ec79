"""One operation, or its δ, as one function of the places it works on: made once per kinds of operands.

The makers of all array code make it from a code of this one operation, so a power becomes products here as it does
there, and the rules are those of the table.
"""

# Rules serve Vars and numbers alike, so their lambdas are untyped:
# pyright: reportUnknownLambdaType=false
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from autodiff.compiler.arrays.ir import APPLY, INPUT, MUL, SEED, TOTALS, Code, Var
from autodiff.compiler.arrays.reverse import SLOPES
from autodiff.compiler.backends.numpy import Buffered, line, made_from
from autodiff.compiler.trace.operations import GUARDED
from autodiff.ops import OPS, Op

# The kind of an operand: KNOWN plus what applies; a constant has 0, or a tuple where the recipe depends on its value.
BATCHED, NEEDS, KNOWN = 1, 2, 4
BY_VALUE = frozenset({OPS["pow"], OPS["leaky_relu"]})  # a constant exponent or slope makes them simpler

Maker = Callable[[Any], Any]  # makes a thing for a number of rows
# The sign of a ReLU is its slope, which costs one step less here than comparing its operand.
_SLOPES: dict[Op, Any] = {**SLOPES, OPS["relu"]: lambda _, r: [OPS["sign"](r)]}  # pyright: ignore[reportUnknownArgumentType]


class Recipe(NamedTuple):
    """A function of places: those it reads, its results, and each sum before and after."""

    make: Callable[..., Callable[..., None]]  # returns the function, given what is fixed and the temporaries
    fixed: Sequence[Maker]  # functions, numbers, and memory of this recipe alone
    temporaries: Sequence[bool] = ()  # whether each has rows
    reads: Sequence[int] = ()  # operands by position, followed by the operation's result and δ
    results: Sequence[bool] = ()  # whether each has rows
    hands: Sequence[tuple[int, int]] = ()  # each operand that receives a δ, and which result that is; −1 is δ itself
    sums: Sequence[int] = ()  # the operands to whose δ something is added
    steps: int = 1  # how many times it calls NumPy

    @property
    def size(self) -> int:
        """The number of places it takes."""
        return len(self.reads) + len(self.results) + 2 * len(self.sums)


@functools.lru_cache(maxsize=1024)
def forward_of(op: Op, kinds: tuple[Any, ...], careful: bool) -> tuple[Recipe, int]:
    """Return the recipe of an operation, which takes its operands and the place of its result; and that one's kind."""
    code = Code(careful=careful)
    operands = _operands(code, kinds)
    result: Any = op.forward(*operands) if op in TOTALS and operands else code.apply(op, *operands)
    kind = KNOWN
    for known in kinds:
        kind |= 0 if known.__class__ is tuple else known
    if result.__class__ is float or result.kind == INPUT:  # so that it is written each time
        result = code.new(APPLY, (result,), batched=True, op=OPS["pos"])
    return _recipe(code, operands, {0: result}, reads=range(len(kinds))), kind


@functools.lru_cache(maxsize=1024)
def reverse_of(op: Op, kinds: tuple[Any, ...], rows: bool, careful: bool, sums: int = 0) -> Recipe:
    """Return the recipe that passes δ on to the operands; `rows`: whether there is one δ per row.

    `sums`: the operands that have a δ already, to which this adds: bit k for operand k.
    """
    code = Code(careful=careful)
    operands = _operands(code, kinds)
    result = code.new(INPUT, batched=any(x.__class__ is Var and x.batched for x in operands), info=len(operands))
    delta = code.new(SEED, batched=rows)
    code.forward = len(code.vars)
    wanted = [x.__class__ is Var and x.needs for x in operands]
    if op in _SLOPES and not careful:
        partials = _SLOPES[op](*operands, result)
    else:
        partials = op.partials_of(operands, result, wanted)
    times = GUARDED if careful else MUL
    handed: dict[int, Any] = {
        k: step
        for k, (p, want) in enumerate(zip(partials, wanted, strict=True))
        if want and (step := code.apply(times, delta, p)).__class__ is Var
    }
    return _recipe(code, [*operands, result, delta], handed, sums=[k for k in handed if sums >> k & 1])


def _operands(code: Code, kinds: Sequence[Any]) -> list[Any]:
    operands: list[Any] = []
    for i, kind in enumerate(kinds):
        if kind.__class__ is tuple:
            operands.append(kind[0])
            continue
        operands.append(code.new(INPUT, batched=bool(kind & BATCHED), info=i))
        operands[-1].needs = bool(kind & NEEDS)
    return operands


def _recipe(
    code: Code, given: Sequence[Any], handed: dict[int, Any], *, sums: Sequence[int] = (),
    reads: Sequence[int] | None = None,
) -> Recipe:  # fmt: skip
    """Return a code as one function of the buffers that it is given, of those of its results, and of its own."""
    code.outputs = list(handed.values())
    backend = Buffered(code, long=True)
    buffer = {f"v{number}": f"s{slot}" for number, slot in backend.slot.items()}
    own = [buffer.get(f"v{x.number}") if x.__class__ is Var else None for x in given]
    place = {k: buffer[f"v{x.number}"] for k, x in handed.items()}
    # The given buffers stay where they are: no step copies them.
    steps = [[buffer.get(x, x) for x in step] for step in backend.steps if step[-1] not in backend.arguments]
    steps += [["add", place[k], f"before{k}", f"after{k}"] for k in sums]
    used = set(chain.from_iterable(steps))
    if reads is None:
        reads = [k for k, name in enumerate(own) if name in used]
    hands = {k: name for k, name in place.items() if k not in sums}
    made = [name for name in dict.fromkeys(hands.values()) if name not in own]
    temporaries = [name for name in dict.fromkeys(buffer.values()) if name in used and name not in {*own, *made}]
    arguments = [own[k] or f"unused{k}" for k in reads] + made
    arguments += [f"{when}{k}" for k in sums for when in ("before", "after")]
    makers: dict[str, Maker] = {**backend.bound, "add": lambda _: np.add}
    fixed = [name for name in makers if name in used and name not in buffer]
    text = [line(*step) for step in steps]
    make: Any = itself
    if len(steps) != 1 or text[0] != f"{steps[0][0]}({', '.join(arguments)})":  # more than one call of NumPy
        make = made_from(
            f"def make({', '.join([*fixed, *temporaries])}):",
            f"    def step({', '.join(arguments)}):",
            *[f"        {each}" for each in text or ["pass"]],
            "    return step",
        )
    rows = {f"s{slot}": batched for slot, (_, batched, _) in enumerate(backend.slots)}
    return Recipe(
        make, [makers[name] for name in fixed], [rows[x] for x in temporaries], reads, [rows[x] for x in made],
        [(k, made.index(name) if name in made else -1) for k, name in hands.items()], sums, len(steps),
    )  # fmt: skip


def itself(function: Any) -> Any:
    """Return a function of NumPy as it is, for recipes that are nothing more."""
    return function
