"""Names of what attention computes, from the labels of its matrices: Q, K and V, their scores and their weights.

A product of several matrices in one, whose labels are `Wq`, `attn.wk` or `head0.W_value[1][2]`, is read in parts, one
for each of these names; so is one of matrices `Q`, `K` and `V`, whose products are q, k and v. What a softmax takes
from the products of two such parts are scores, what it returns are weights.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.axes import Units, places_of
from autodiff.compiler.arrays.ir import DIV, MUL, SUB, Code, Var
from autodiff.compiler.arrays.labels import common_label, stem
from autodiff.ops import OPS

_EXP = OPS["exp"]
_MATRIX = re.compile(r"(?:.*_)?(?:[Ww]_?(?P<letter>[A-Za-z])|(?:W_?|w_)(?P<word>[A-Za-z]+)|(?P<matrix>[A-VX-Z]))")


def product_of(label: str) -> str:
    """Return the name for the product of a matrix with this label; "" of labels that give none.

    >>> [product_of(x) for x in ("Wq", "layers_0.attn.wk", "w_value", "Q", "weight", "W")]
    ['Q', 'K', 'value', 'q', '', '']
    """
    found = _MATRIX.fullmatch(stem(label.rsplit(".", 1)[-1]))
    if found is None:
        return ""
    return (found["letter"] or "").upper() or found["word"] or found["matrix"].lower()


View = tuple[Var, int, Units, Units]  # some numbers of an array: the first, strides, and units


class Parts:
    """The products of a code that are read part by part, and the parts."""

    def __init__(self, code: Code, views: Sequence[View]) -> None:
        """Find them; `views`: what is read of each array."""
        self.of: dict[int, list[Var]] = {}  # by product, its parts, each with its name
        for v in code.vars[: code.forward]:
            if v.kind == ir.MATMUL and v.batched and v.info != ir.STEPS:
                names, heads = _names_of(v.args[0], code.parameters)
                if names and all(_is_within(view, len(names), heads) for view in views if view[0] is v):
                    units = (*[heads] * (heads > 1), v.units[0] // heads // len(names), *v.units[1:])
                    self.of[v.number] = [_part(v, -1 - v.number - k * len(code.vars), name, units)
                                         for k, name in enumerate(names)]  # fmt: skip

    def view(self, of: Var, start: int, strides: Units) -> tuple[Var, int, Units]:
        """Return what is read of an array as a view of one of its parts, if it has parts."""
        if of.number not in self.of:
            return of, start, strides
        parts = self.of[of.number]
        part, own, steps = _within(of.size, start, strides, len(parts), math.prod(self._heads(of)))
        return parts[part], own, steps

    def apart(self, of: Var) -> str:
        """Return what makes a product the tuple of its parts."""
        parts, heads = self.of[of.number], self._heads(of)
        shape = ", ".join(map(str, (*heads, len(parts), *parts[0].units[len(heads) :], -1)))
        return f".reshape({shape})" + ".swapaxes(0, 1)" * len(heads)

    def _heads(self, of: Var) -> Units:
        """Return the axes that parts have more than their product: none, or one of heads."""
        units = self.of[of.number][0].units
        return units[: len(units) - len(of.units)]

    def softmax(self, var: Var) -> Any:
        """Return the scores of which these are the weights, if a softmax of products of two parts has them."""
        each: Any = var.args[0] if var.op is DIV else 0.0
        less: Any = each.args[0] if each.__class__ is Var and each.op is _EXP else 0.0
        is_softmax = less.__class__ is Var and less.op is SUB and self._is_product(less.args[0])
        return less.args[0] if is_softmax else None

    def _is_product(self, x: Any, most: int = 5) -> bool:
        """Tell whether something follows, number by number, from the sums of products of two parts, in few steps."""
        if x.__class__ is not Var or not most:
            return False
        if x.kind in {ir.VIEW, ir.APPLY} and (x.op is not MUL or x.args[0].__class__ is float):
            return any(self._is_product(y, most - 1) for y in x.args)
        of: Any = x.args[0] if x.kind == ir.SUM else x
        product = of.args[0] if of.kind == ir.VIEW else of
        return product.op is MUL and all(
            y.__class__ is Var and y.kind == ir.VIEW and y.args[0].number in self.of for y in product.args
        )


def _names_of(matrix: Var, parameters: Sequence[Any]) -> tuple[list[str], int]:
    """Return the names of the parts of a product with this matrix, and how often they come, once for each head."""
    if matrix.kind != ir.VIEW or matrix.args[0].kind != ir.FLAT:
        return [], 1
    start, strides = matrix.info
    rows = [
        common_label([parameters[i].label for i in row]) for row in places_of(start, strides, matrix.units).tolist()
    ]
    runs = [(name, len(list(run))) for name, run in groupby(map(product_of, rows))]
    names = list(dict.fromkeys(name for name, _ in runs))
    heads = len(runs) // len(names)
    alike = len({n for _, n in runs}) == 1 and [name for name, _ in runs] == names * heads
    return (names, heads) if alike and len(names) > 1 and all(names) else ([], 1)


def _part(whole: Var, number: int, name: str, units: Units) -> Var:
    part = Var(whole.code, "part", (whole,), units, True, None)
    part.number, part.name = number, name
    return part


def _within(size: int, start: int, strides: Units, count: int, heads: int) -> tuple[int, int, Units]:
    """Return in which of so many parts of each head a view begins, and its start and strides there."""
    whole = size // heads
    each = whole // count
    head, at = divmod(start, whole)
    return (
        at // each,
        head * each + at % each,
        tuple([s // count if heads > 1 and s % whole == 0 else s for s in strides]),
    )


def _is_within(view: View, count: int, heads: int) -> bool:
    """Tell whether what is read lies in one part."""
    of, start, strides, units = view
    part, own, steps = _within(of.size, start, strides, count, heads)
    places = places_of(start, strides, units)
    head, at = np.divmod(places, of.size // heads)
    each = of.size // heads // count
    return bool((at // each == part).all() and (head * each + at % each == places_of(own, steps, units)).all())
