"""One point on Python floats: straight-line code, at a hundredth of the cost of arrays of one number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.ir import Code, Var, uses_of
from autodiff.compiler.backends.numpy import made_from
from autodiff.compiler.trace.operations import BOOLEAN, SIGNS

_DEEP = 20  # levels of brackets before a name is introduced: Python's parser has a limit


class Point:
    """A function of floats that returns value and derivatives, and its text.

    It returns `(value, [derivatives by the parameters], [derivatives by each argument])`, and raises ArithmeticError or
    ValueError where plain float arithmetic ends, at an overflow or an edge: arrays have the answer there.
    """

    def __init__(self, code: Code, names: Sequence[str]) -> None:
        self.code = code
        self.bound: dict[str, Any] = {"isfinite": math.isfinite}
        self.lines: list[str] = []
        self._text: dict[int, str] = {}
        self._depth: dict[int, int] = {}
        results = [*code.outputs, code.gradient, *code.input_gradients.values()]
        self._uses = uses_of([*results, *results], lambda var: var.vars)  # a result is written several times
        for var in code.vars:
            if var.number in self._uses:
                self._emit(var)
        self.arguments = names

    def name(self, x: Any) -> str:
        """Return the text of a number, or of a Var of one number."""
        if x.__class__ is Var:
            return self._text[x.number]
        if math.isfinite(x):
            return repr(x) if x >= 0 and not str(x).startswith("-") else f"({x!r})"
        return self.bind("inf" if x > 0 else "ninf" if x < 0 else "nan", x)

    def bind(self, name: str, value: Any) -> str:
        """Bind a name of the text to something outside it, and return the name."""
        self.bound[name] = value
        return name

    def _emit(self, var: Var) -> None:
        kind = var.kind
        if kind == ir.INPUT:
            self._text[var.number] = f"x{var.info}"
        elif kind == ir.FLAT:
            self._text[var.number] = "p"
        elif kind == ir.VIEW:
            self._text[var.number] = f"{self._text[var.args[0].number]}[{var.info[0]}]"
        elif kind == ir.CONCAT:
            self._text[var.number] = self.name(var.args[0])
        elif kind == ir.SCATTER:
            self._scatter(var)
        elif kind == ir.EXPAND:  # δ of an array argument
            self._text[var.number] = f"v{var.number}"
            self.lines.append(f"v{var.number} = [{self.name(var.args[0])}] * {var.size}")
        else:  # with one Var per node, there are no other kinds
            depth = 1 + max((self._depth.get(x.number, 0) for x in var.vars), default=0)
            text = self._expression(var)
            if self._uses.get(var.number) == 1 and depth < _DEEP:
                self._text[var.number], self._depth[var.number] = f"({text})", depth
            else:
                self._text[var.number] = f"v{var.number}"
                self.lines.append(f"v{var.number} = {text}")

    def _scatter(self, var: Var) -> None:
        terms: dict[int, list[str]] = {}
        for delta, (start, _, _) in zip(var.args, var.info, strict=True):
            terms.setdefault(int(start), []).append(self.name(delta))
        sums = [" + ".join(terms.get(i, ["0.0"])) for i in range(var.size)]
        self._text[var.number] = f"v{var.number}"
        self.lines.append(f"v{var.number} = [{', '.join(sums)}]")

    def _expression(self, var: Var) -> str:
        op = var.op
        xs = [self.name(x) for x in var.args]
        if op in SIGNS:
            plain = f"{xs[0]} {SIGNS[op]} {xs[1]}"
            return f"1.0 if {plain} else 0.0" if op in BOOLEAN else plain
        if op.name == "neg":
            return f"-{xs[0]}"
        if op.name == "pow" and var.args[1].__class__ is float and var.args[1] in {2.0, 3.0} and xs[0].isidentifier():
            return " * ".join([xs[0]] * int(var.args[1]))
        if op.name == "where":
            return f"{xs[1]} if {xs[0]} else {xs[2]}"
        if op.name == "relu" and xs[0].isidentifier():
            return f"0.0 if {xs[0]} <= 0.0 else {xs[0]}"
        return f"{self.bind(f'{op.name}_', op.forward)}({', '.join(xs)})"

    def function(
        self, argnums: Sequence[int], *, single: bool, gradient: bool, checked: bool = False
    ) -> Callable[..., Any]:
        """Return a function of the list of parameters `p` and floats: value, derivatives by parameters, by arguments.

        With `checked` it raises ArithmeticError for values that are not finite, also where no derivative is asked for.
        """
        code = self.code
        given = [code.input_gradients.get(i, 0.0) for i in argnums]
        by = list(map(self.name, given))
        lines = list(self.lines)
        if len(code.outputs) == 1 and gradient:
            value = self.name(code.outputs[0])
            flat = [
                f"sum({text})" if x.__class__ is Var and x.units else text for x, text in zip(given, by, strict=True)
            ]
            everything = " + ".join([value, *flat, *(["sum(gradient)"] if code.gradient is not None else [])])
            zeros = f"[0.0] * {len(code.parameters)}" if code.parameters else "NONE"
            lines.append(f"gradient = {zeros if code.gradient is None else self.name(code.gradient)}")
            lines.append(f"if not isfinite({everything}): raise ArithmeticError")
            answer = by[0] if single else f"({', '.join(by)}{',' * (len(by) == 1)})"
            lines.append(f"return {value}, gradient{', ' + answer if argnums else ''}")
        else:
            values = list(map(self.name, code.outputs))
            if checked:
                lines.append(f"if not isfinite({' + '.join(values)}): raise ArithmeticError")
            lines.append(f"return [{', '.join(values)}]")
        names = ", ".join(self.bound)
        body = "\n        ".join(lines)
        text = (
            f"def make(NONE, {names}):\n    def run(p, {', '.join(self.arguments)}):\n        {body}\n    return run\n"
        )
        return made_from(text)(np.zeros(0), **self.bound)
