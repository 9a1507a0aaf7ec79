"""The steps of one operation, and of its δ, with places in them: made once for operands of some kinds.

They are made by what makes all array code, from a code of this one operation alone, so a power becomes products here as
it does there, and the rules are those of the table.
"""

# The rules serve Vars as they serve numbers, so lambdas have no types to give:
# pyright: reportUnknownLambdaType=false
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from autodiff.compiler.code import APPLY, GUARDED, INPUT, MUL, SEED, TOTALS, Code, Var
from autodiff.compiler.fast import OUT_BY_NAME, Fast
from autodiff.compiler.reverse import SLOPES
from autodiff.ops import OPS, Op

# The kind of an operand: KNOWN and what applies; for a constant 0, or, where a recipe is made for its value, a tuple.
BATCHED, NEEDS, KNOWN = 1, 2, 4
BY_VALUE = frozenset({OPS["pow"], OPS["leaky_relu"]})  # a constant exponent or slope makes them something simpler

Maker = Callable[[Any], Any]  # what makes a thing for a number of rows
# The sign of a ReLU is its slope, and here it costs a step less than asking its operand.
_SLOPES: dict[Op, Any] = {**SLOPES, OPS["relu"]: lambda _, r: [OPS["sign"](r)]}


class Recipe(NamedTuple):
    """Steps on the things at some places: what is fixed, temporaries, operands, results, in this order."""

    steps: list[tuple[Maker, Callable[[Any], Any]]]  # a function, and what picks its arguments
    fixed: Sequence[Maker] = ()  # numbers, and memory that only a step needs
    temporaries: Sequence[bool] = ()  # whether each has rows
    results: Sequence[bool] = ()  # likewise
    hands: Sequence[tuple[int, int]] = ()  # which operand gets which result; −1 is δ itself
    reads: frozenset[int] = frozenset()  # the operands that are read, by position


@functools.lru_cache(maxsize=1024)
def forward_recipe(op: Op, kinds: tuple[Any, ...], careful: bool) -> tuple[Recipe, int]:
    """Give the steps of an operation, and the kind of its result."""
    code = Code(careful=careful)
    operands = _operands(code, kinds)
    result: Any = op.forward(*operands) if op in TOTALS and operands else code.apply(op, *operands)
    kind = KNOWN
    for known in kinds:
        kind |= 0 if known.__class__ is tuple else known
    if result.__class__ is float:
        number = np.array(result)
        return Recipe([(lambda _: np.copyto, itemgetter(1 + len(kinds), 0))], [lambda _: number]), kind
    if result.kind == INPUT:
        result = code.new(APPLY, (result,), batched=result.batched, op=OPS["pos"])
    return _recipe(code, operands, [result]), kind


@functools.lru_cache(maxsize=1024)
def reverse_recipe(op: Op, kinds: tuple[Any, ...], rows: bool, careful: bool) -> Recipe:
    """Give the steps from operands, result and its δ to δ of the operands; `rows`: whether there is one per row."""
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
    handed = [code.apply(times, delta, p) if want else 0.0 for p, want in zip(partials, wanted, strict=True)]
    return _recipe(code, [*operands, result, delta], handed)


def _operands(code: Code, kinds: Sequence[Any]) -> list[Any]:
    operands: list[Any] = []
    for i, kind in enumerate(kinds):
        if kind.__class__ is tuple:
            operands.append(kind[0])
            continue
        operands.append(code.new(INPUT, batched=bool(kind & BATCHED), info=i))
        operands[-1].needs = bool(kind & NEEDS)
    return operands


def _recipe(code: Code, given: Sequence[Any], results: Sequence[Any]) -> Recipe:
    """Take the steps of a code apart: which of its buffers are the given ones, which the results."""
    code.outputs = [x for x in results if x.__class__ is Var]
    fast = Fast(code, long=True)
    opening = {step for step in fast.steps if step[-1] in fast.arguments}  # the given ones are where they are
    steps = [step for step in fast.steps if step not in opening]
    slots = {f"v{number}": slot for number, slot in fast.slot.items()}
    own = [fast.slot.get(x.number) if x.__class__ is Var else None for x in given]
    made = list(dict.fromkeys(fast.slot[x.number] for x in code.outputs if fast.slot[x.number] not in own))
    names = list(dict.fromkeys(chain.from_iterable(arguments for _, *arguments in steps)))
    fixed = [name for name in names if name not in slots]
    used = dict.fromkeys(slots[name] for name in names if name in slots)
    temporaries = [slot for slot in used if slot not in own and slot not in made]
    order: list[Any] = [*fixed, *temporaries, *own, *made]
    place = {key: k for k, key in enumerate(order)}
    makers: dict[str, Maker] = {**fast.bound, **{name: lambda _, f=f: f for name, f in OUT_BY_NAME.items()}}
    return Recipe(
        [(makers[function], itemgetter(*[place[slots.get(name, name)] for name in arguments]))
         for function, *arguments in steps],
        [makers[name] for name in fixed],
        [fast.slots[slot][1] for slot in temporaries],
        [fast.slots[slot][1] for slot in made],
        [(k, made.index(slot) if (slot := fast.slot[x.number]) in made else -1)
         for k, x in enumerate(results) if x.__class__ is Var],
        frozenset(k for k, slot in enumerate(own) if slot in used),
    )  # fmt: skip
