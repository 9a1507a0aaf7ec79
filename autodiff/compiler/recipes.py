"""One operation, or its δ, as one function of the places it works on: made once for operands of some kinds.

It is made by what makes all array code, from a code of this one operation alone, so a power becomes products here as
it does there, and the rules are those of the table.
"""

# The rules serve Vars as they serve numbers, so lambdas have no types to give:
# pyright: reportUnknownLambdaType=false
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from autodiff.compiler.code import APPLY, INPUT, MUL, SEED, TOTALS, Code, Var
from autodiff.compiler.fast import Fast, line, made_from
from autodiff.compiler.operations import GUARDED
from autodiff.compiler.reverse import SLOPES
from autodiff.ops import OPS, Op

# The kind of an operand: KNOWN and what applies; for a constant 0, or, where a recipe is made for its value, a tuple.
BATCHED, NEEDS, KNOWN = 1, 2, 4
BY_VALUE = frozenset({OPS["pow"], OPS["leaky_relu"]})  # a constant exponent or slope makes them something simpler

Maker = Callable[[Any], Any]  # what makes a thing for a number of rows
# The sign of a ReLU is its slope, and here it costs a step less than asking its operand.
_SLOPES: dict[Op, Any] = {**SLOPES, OPS["relu"]: lambda _, r: [OPS["sign"](r)]}


class Recipe(NamedTuple):
    """A function of things at some places: what it reads, its results, and each sum as it was and as it will be."""

    make: Callable[..., Callable[..., None]]  # gives the function for what is fixed, and for temporaries
    fixed: Sequence[Maker]  # functions, numbers, and memory that only this recipe needs
    temporaries: Sequence[bool] = ()  # whether each has rows
    reads: Sequence[int] = ()  # operands by position; what comes after them is the operation's result, then δ
    results: Sequence[bool] = ()  # whether each has rows
    hands: Sequence[tuple[int, int]] = ()  # which operand gets which result as its δ; −1 is δ itself
    sums: Sequence[int] = ()  # to the δ of which operands something is added
    steps: int = 1  # how often it calls NumPy

    @property
    def size(self) -> int:
        """How many places it is given."""
        return len(self.reads) + len(self.results) + 2 * len(self.sums)


@functools.lru_cache(maxsize=1024)
def forward_recipe(op: Op, kinds: tuple[Any, ...], careful: bool) -> tuple[Recipe, int]:
    """Give an operation, which is handed all its operands and the place of its result; and the kind of that."""
    code = Code(careful=careful)
    operands = _operands(code, kinds)
    result: Any = op.forward(*operands) if op in TOTALS and operands else code.apply(op, *operands)
    kind = KNOWN
    for known in kinds:
        kind |= 0 if known.__class__ is tuple else known
    if result.__class__ is float or result.kind == INPUT:  # written anew each time
        result = code.new(APPLY, (result,), batched=True, op=OPS["pos"])
    return _recipe(code, operands, {0: result}, reads=range(len(kinds))), kind


@functools.lru_cache(maxsize=1024)
def reverse_recipe(op: Op, kinds: tuple[Any, ...], rows: bool, careful: bool, sums: int = 0) -> Recipe:
    """Give what hands δ on to the operands; `rows`: whether there is one per row.

    `sums`: the operands that have a δ already, to which theirs is added: bit k for operand k.
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
    """Write a code as one function: which of its buffers are the given ones, which the results, which its own."""
    code.outputs = list(handed.values())
    fast = Fast(code, long=True)
    buffer = {f"v{number}": f"s{slot}" for number, slot in fast.slot.items()}
    own = [buffer.get(f"v{x.number}") if x.__class__ is Var else None for x in given]
    place = {k: buffer[f"v{x.number}"] for k, x in handed.items()}
    # The given ones are where they are: nothing copies them.
    steps = [[buffer.get(x, x) for x in step] for step in fast.steps if step[-1] not in fast.arguments]
    steps += [["add", place[k], f"before{k}", f"after{k}"] for k in sums]
    used = set(chain.from_iterable(steps))
    if reads is None:
        reads = [k for k, name in enumerate(own) if name in used]
    hands = {k: name for k, name in place.items() if k not in sums}
    made = [name for name in dict.fromkeys(hands.values()) if name not in own]
    temporaries = [name for name in dict.fromkeys(buffer.values()) if name in used and name not in {*own, *made}]
    arguments = [own[k] or f"unused{k}" for k in reads] + made
    arguments += [f"{when}{k}" for k in sums for when in ("before", "after")]
    makers: dict[str, Maker] = {**fast.bound, "add": lambda _: np.add}
    fixed = [name for name in makers if name in used and name not in buffer]
    text = [line(*step) for step in steps]
    make: Any = itself
    if len(steps) != 1 or text[0] != f"{steps[0][0]}({', '.join(arguments)})":  # it is more than one call of NumPy
        make = made_from(
            f"def make({', '.join([*fixed, *temporaries])}):",
            f"    def step({', '.join(arguments)}):",
            *[f"        {each}" for each in text or ["pass"]],
            "    return step",
        )
    rows = {f"s{slot}": batched for slot, (_, batched) in enumerate(fast.slots)}
    return Recipe(
        make, [makers[name] for name in fixed], [rows[x] for x in temporaries], reads, [rows[x] for x in made],
        [(k, made.index(name) if name in made else -1) for k, name in hands.items()], sums, len(steps),
    )  # fmt: skip


def itself(function: Any) -> Any:
    """Give a function of NumPy's as it is, where the recipe is nothing more."""
    return function
