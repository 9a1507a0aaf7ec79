"""Two parts of a step's code: what all steps can compute at once, and what each one must wait for the one before for.

A loop hands some numbers on from step to step. Whatever does not depend on them, the slopes of a way back for one, is
the same calls for all steps together; what is left within the loop reads it as an argument more, step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.axes import contiguous
from autodiff.compiler.arrays.ir import ADD, DIV, MUL, NEG, SUB, Code, Var, uses_of

MADE = 4  # the argument of the second part that holds what the first one made


def parted(code: Code, results: Sequence[Any], handed: int) -> tuple[list[Any], Code]:
    """Return what to compute at once of `results`, and code that computes them from it and from argument `handed`."""
    parting = _Parting(code, results, handed)
    return parting.outputs, parting.rest


def late_in(code: Code, handed: int) -> set[int]:
    """Return the numbers of the Vars that depend on an argument."""
    late: set[int] = set()
    for var in code.vars:
        if var.info == handed if var.kind == ir.INPUT else any(x.number in late for x in var.vars):
            late.add(var.number)
    return late


class _Parting:
    def __init__(self, code: Code, results: Sequence[Any], handed: int) -> None:
        self.code, self.rest = code, Code()
        self.rest.again, self.rest.parameters = code.again, code.parameters
        self.made = self.rest.new(ir.INPUT, (), (0,), batched=True, info=MADE)
        self.late = late_in(code, handed)
        self.outputs: list[Any] = []
        self._new: dict[int, Var] = {}
        self._uses = uses_of(results, lambda var: var.vars)
        for var in list(code.vars):
            if var.number in self.late and var.number in self._uses:
                self._new[var.number] = self._copied(var)
        self.rest.forward = len(self.rest.vars)
        self.rest.outputs = list(map(self._moved, results))

    def _moved(self, x: Any) -> Any:
        """Return a Var of the code, or a number, in the rest."""
        if x.__class__ is not Var:
            return x
        if x.number not in self._new:
            whole = x.kind in {ir.FLAT, ir.CONST, ir.ROWS, ir.EXPAND}
            whole = whole or (x.kind == ir.VIEW and x.args[0].kind == ir.FLAT)
            self._new[x.number] = self._same(x) if whole else self._read(x)
        return self._new[x.number]

    def _same(self, x: Var) -> Var:
        args = tuple(map(self._moved, x.args))
        batched = x.batched or any(y.batched for y in args if y.__class__ is Var)
        return self.rest.new(x.kind, args, x.units, batched=batched, info=x.info, op=x.op, key=("of", x.number))

    def _read(self, x: Var) -> Var:
        """Return the part of the argument that holds what the first part made."""
        (start,) = self.made.units
        self.outputs.append(x)
        self.made.units = (start + x.size,)
        return self.rest.new(ir.VIEW, (self.made,), x.units, batched=True, info=(start, contiguous(x.units)))

    def _is_early(self, x: Any) -> bool:
        return x.__class__ is not Var or x.number not in self.late

    def _copied(self, x: Var) -> Var:
        """Return a Var that depends on what is handed on: the other factors of a product, and its terms, together."""
        if x.op is MUL:
            product, factor = x.args if self._is_early(x.args[1]) else x.args[::-1]
            if self._is_early(factor) and product.op is MUL and self._uses[product.number] == 1:
                late, early = product.args if self._is_early(product.args[1]) else product.args[::-1]
                if self._is_early(early):
                    both = self.code.apply(MUL, early, factor)
                    return self.rest.apply(MUL, self._moved(late), self._moved(both))
        if x.kind == ir.MATMUL and x.info is None and len(x.units) == 1 and (halves := self._halves(x)) is not None:
            return halves
        return self._same(x)

    def _halves(self, x: Var) -> Any:
        """Return a product with a vector whose first or last part is known before as a sum of two; else None."""
        matrix, vector, *bias = x.args
        whole = matrix.kind == ir.VIEW and matrix.args[0].kind == ir.FLAT
        if not whole or vector.kind != ir.CONCAT or vector.number not in self.late:
            return None
        early = [self._is_early(part) for part in vector.args]
        sizes = [part.size if part.__class__ is Var else 1 for part in vector.args]
        cut = sum(size for size, known in zip(sizes, early, strict=True) if known)
        if sorted(early) not in (early, early[::-1]) or not 0 < cut < vector.size:
            return None
        n, first = vector.size - cut, early[0]
        parts: list[Any] = []
        for known in (True, False):
            code, size = (self.code, cut) if known else (self.rest, n)
            (start, (down, across)), (m, _) = matrix.info, matrix.units
            at = start + across * (0 if known == first else vector.size - size)
            flat = matrix.args[0] if known else self._moved(matrix.args[0])
            own = code.new(ir.VIEW, (flat,), (m, size), info=(at, (down, across)))
            given = [part for part, of in zip(vector.args, early, strict=True) if of == known]
            given = given if known else list(map(self._moved, given))
            column = code.new(ir.CONCAT, given, (size,), batched=True)
            parts.append(code.new(ir.MATMUL, (own, column, *(bias if known else ())), x.units, batched=True))
        return self.rest.apply(ADD, parts[1], self._moved(parts[0]))


def affine(code: Code, results: Sequence[Any], handed: int) -> list[dict[int | None, Any]] | None:
    """Return results as sums of slopes times the numbers of an argument, by place, and a rest, by None; else None.

    Neither slopes nor rests depend on the argument.
    """
    late = late_in(code, handed)
    found: dict[int, Any] = {}

    def terms(x: Any) -> Any:
        return found.get(x.number) if x.__class__ is Var and x.number in late else {None: x}

    def scaled(op: Any, of: Any, by: Any) -> Any:
        return of and {k: code.apply(op, x, by) if x.__class__ is Var or by.__class__ is Var else op.on_floats(x, by)
                       for k, x in of.items()}  # fmt: skip

    for var in list(code.vars):
        if var.number not in late:
            continue
        a, b = (terms(var.args[0]), terms(var.args[-1])) if var.args else (None, None)
        if var.kind == ir.VIEW and var.args[0].kind == ir.INPUT:
            found[var.number] = {var.info[0]: 1.0}
        elif var.op is NEG:
            found[var.number] = scaled(MUL, a, -1.0)
        elif var.op in {ADD, SUB} and a and b:
            second = b if var.op is ADD else scaled(MUL, b, -1.0)
            found[var.number] = {k: _sum(code, [of[k] for of in (a, second) if k in of]) for k in {**a, **second}}
        elif var.op is MUL and a and b and {None} in (a.keys(), b.keys()):
            found[var.number] = scaled(MUL, b, a[None]) if a.keys() == {None} else scaled(MUL, a, b[None])
        elif var.op is DIV and b and b.keys() == {None}:
            found[var.number] = scaled(DIV, a, b[None])
    every = list(map(terms, results))
    return every if all(every) else None


def _sum(code: Code, terms: Sequence[Any]) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = code.apply(ADD, total, term) if Var in {total.__class__, term.__class__} else total + term
    return total


def components(code: Code, x: Any, size: int) -> list[Any]:
    """Return the numbers of a vector of code that has one Var for each number."""
    if x.__class__ is not Var:
        return [x] * size
    if x.kind == ir.EXPAND:
        return [x.args[0]] * size
    terms: list[list[Any]] = [[] for _ in range(size)]
    if x.kind != ir.SCATTER:
        return [code.view(x, k, (), ()) for k in range(size)]
    for delta, (start, _, _) in zip(x.args, x.info, strict=True):
        terms[int(start)].append(delta)
    return [_sum(code, own) if own else 0.0 for own in terms]
