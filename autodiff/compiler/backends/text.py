"""The readable emitter: the program as a module of Python that a person could have written.

It has pure expressions on arrays, one statement a line, and names from labels. The array library is bound in one
place, the name `xp`, so the same text runs on NumPy and, unchanged, on `jax.numpy`. Arrays are units × rows, as in the
course: `z1 = W1 @ a0 + b1`, `delta1 = (W2.T @ delta2) * …`, `dW1 = delta1 @ a0.T`.

It follows IEEE arithmetic throughout: where the eager sweep takes 0 · ∞ as 0, this text computes NaN.
"""

from __future__ import annotations

import itertools
import keyword
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from autodiff.compiler.arrays import ir
from autodiff.compiler.arrays.axes import Units, contiguous, nest, strides_of
from autodiff.compiler.arrays.ir import MUL, WHERE, Code, Var, uses_of
from autodiff.compiler.arrays.labels import common_label, name_from, stem
from autodiff.compiler.backends.definitions import helpers_of, reserved, written
from autodiff.compiler.backends.heads import Parts
from autodiff.compiler.backends.layout import contraction_of, repeats
from autodiff.compiler.backends.rolled import broken, rolled
from autodiff.compiler.backends.windows import Axis, added, letters_for, shape_of, spaced, taken, windows
from autodiff.compiler.trace.operations import BOOLEAN, GUARDED, KEPT, SIGNS
from autodiff.ops import OPS
from autodiff.propagation import limit

_ATOM, _POWER, _UNARY, _PRODUCT = 9, 4, 3, 1.5  # how tightly texts bind; `@` gets brackets beside `*`
_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2}
_RELU = OPS["relu"]
_SUM_OF = re.compile(r"z(\d*)(_\d+)?")  # weighted sums: their layer, and a suffix that tells two of the same name apart
_SHORT = 24  # a view this short is written where it is used
_TOGETHER = 4  # matrices in one that are named after all of them
_RESHAPED = re.compile(r"\.reshape\([^()]*\)(?=\.reshape\([^()]*\))")  # followed by another shape
_LONG = 88  # longer expressions have a line of their own
_TWICE = 60  # lines: a longer text has the forward pass once, which both functions call
_ASIDE = 40  # lines: a forward pass of layers, at one position, is read beside their δ if it is not longer


class Readable:
    """The writer of a code with its backward pass as the text of a module."""

    def __init__(
        self, code: Code, function: str, arguments: Sequence[str], shapes: Sequence[Any], outputs: tuple[int, ...] = (),
        known: Iterable[str] = (), like: Readable | None = None,
    ) -> None:  # fmt: skip
        """Write `source`.

        `shapes`: the shape of one sample of each argument; None for a static one, which is not passed. `outputs`: the
        shape of the function's answer; only one number has a gradient to write. `known`: functions of the text around.
        `like`: a text without loops; this one has loops over steps that repeat, and a line for each thing that has one
        there at another step.
        """
        self.code = code
        if not code.forward:
            code.forward = len(code.vars)  # there is no backward pass
        self.function = _identifier(function)  # it occurs in docstrings of the text
        self.shapes = shapes
        self.outputs = outputs
        self.names: dict[int, str] = {}
        self.taken = {"xp", "np", "rows", "flat", "gradient", "value", "math", "reduce", *reserved()}
        self.taken |= {"len", "float", "range", "reversed", "sum", "zip"}
        self.taken |= set(known)
        self.arguments: list[str] = [self._take("_".join(re.findall(r"\w+", x))) for x in arguments]  # of x['w'], x_w
        self.helpers: dict[str, str] = {}
        self.constants: list[str] = []
        self.operations: dict[str, Any] = {}
        self.inline: dict[int, tuple[str, float]] = {}
        self._step_of: dict[int, str] = {}  # the name of a loop's step, by the loop
        self.layer = 0
        self.layers: dict[str, str] = {}  # a layer's name in comments, by what follows the z of its name
        self.shown: dict[int, str] = {}  # the layers that have had their comment, by their matrix
        self.layers_of_deltas: set[str] = set()  # whose δ has had one
        self._costs = False
        self._plain = True  # layers and their activations alone come before the cost
        results = [*code.outputs, code.gradient]
        self.uses = uses_of(results, _read)
        self.readers: dict[int, list[Var]] = {}  # the first of each
        for var in (v for v in code.vars if v.number in self.uses):
            for x in _read(var):
                self.readers.setdefault(x.number, [var])
        self.like = like
        self.stated = Counter[Any]()  # how many more of a sort have lines of their own than have none
        self.zeros: dict[str, str] = {}  # initial states
        self.truths = self._truths(results)
        self.parts = Parts(code, self._views())
        self.grids = self._find_grids(results)  # by array: the shape in which it is written, and the windows added up
        self.windowed = any(self._takes_windows(v) for v in code.vars if v.number in self.uses)
        self.turned = {v.args[0].number: (v, axes) for v in code.vars if (axes := self._turned(v))}  # inputs so read
        self._choose_names()
        self.source = self._module()

    def _truths(self, results: Sequence[Any]) -> set[int]:
        """Return the comparisons that may stay truth values: True * 2.0 is 2.0, but True + True is True."""
        comparisons = {v.number for v in self.code.vars if v.number in self.uses and v.op in BOOLEAN}
        counted = {x.number for x in results if x.__class__ is Var}
        for var in (v for v in self.code.vars if v.number in self.uses):
            if var.op is WHERE:
                numbers = var.args[1:]
            elif var.op in BOOLEAN or (var.op is MUL and not {x.number for x in var.vars} <= comparisons):
                numbers = ()
            else:
                numbers = var.args
            counted |= {x.number for x in numbers if x.__class__ is Var}
        return comparisons - counted

    def _views(self) -> list[tuple[Var, int, Units, Units]]:
        """Return what is read of each array, where it is written."""
        views: list[tuple[Var, int, Units, Units]] = []
        for var in (v for v in self.code.vars if v.number in self.uses):
            if (contraction := _contraction(var)) is not None:
                views += contraction[0]
            elif var.kind == ir.VIEW:
                views.append((var.args[0], *var.info, var.units))
            else:
                views += [(x, 0, contiguous(x.units), x.units) for x in _read(var)]
        return views

    def _opens(self, var: Var) -> bool:
        """Tell whether this is all that is read of an argument, which is turned at once."""
        return var.kind == ir.VIEW and var.args[0].number in self.turned

    def _turned(self, view: Var) -> list[int]:
        """Return the order of a sample's axes that is all that is read of an argument; none of what is no such view."""
        of = view.args[0] if view.kind == ir.VIEW and view.number in self.uses else None
        if (
            of is None
            or of.kind != ir.INPUT
            or of.info >= len(self.shapes)
            or not of.batched
            or self.uses[of.number] > 1
        ):
            return []
        shape, (start, strides) = self.shapes[of.info], view.info
        own = list(zip(contiguous(shape), shape, strict=True))
        axes = list(zip(strides, view.units, strict=True))
        return (
            [1 + own.index(axis) for axis in axes]
            if start == 0 and sorted(axes) == sorted(own) and 1 not in shape
            else []
        )

    def _find_grids(self, results: Sequence[Any]) -> dict[int, tuple[Units, Any]]:
        """Return the shapes of arrays that are read as nothing but grids of windows, or as what belongs to windows."""
        wanted: dict[int, set[Any]] = {_base(x).number: {None} for x in results if x.__class__ is Var}
        for var in (v for v in self.code.vars if v.number in self.uses and _base(v) is v):
            for x in _read(var):
                wanted.setdefault(_base(x).number, set()).add(self._grid_of(var, x))
        found = {number: next(iter(each)) for number, each in wanted.items() if len(each) == 1}
        return {
            number: grid for number, grid in found.items()
            if grid is not None and self.code.vars[number].batched and number not in self.parts.of
        }  # fmt: skip

    def _grid_of(self, var: Var, x: Var) -> tuple[Units, Any] | None:
        """Return the shape of an operand as the text of a Var reads it, and the windows that it belongs to."""
        if var.kind == ir.VIEW and x.kind != ir.FLAT and (grid := _windows_of(var)) is not None:
            return shape_of(grid), None
        if var.kind == ir.PADDED:
            inside, _ = _inside(var)
            return (inside.shape, None) if np.array_equal(inside.ravel(), np.arange(x.size)) else None
        if self._adds_windows(var):
            start, strides, units = next(place for y, place in zip(var.args, var.info, strict=True) if y is x)
            grid = windows(var.size, start, strides, units)
            return (units, tuple(grid)) if grid is not None else None
        return None

    def _adds_windows(self, var: Var) -> bool:
        """Tell whether an array is the sum of windows, and of blocks and numbers, each with zeros around it."""
        if var.kind != ir.SCATTER or var.number < self.code.forward or not var.batched or not var.units:
            return False
        found = False
        for delta, (start, strides, units) in zip(var.args, var.info, strict=True):
            if units == () and len(var.units) == 1:
                continue
            if strides is None or delta.__class__ is not Var or delta.units != units or not delta.batched:
                return False
            grid = windows(var.size, start, strides, units)
            turned = sorted(range(len(units)), key=lambda k, strides=strides: -strides[k])
            block = tuple([strides[k] for k in turned]) == contiguous(tuple([units[k] for k in turned]))
            found = found or grid is not None
            if not block and (grid is None or added("", grid, units, letters_for(grid, set())) is None):
                return False
        return found

    def _takes_windows(self, var: Var) -> bool:
        return var.kind == ir.VIEW and var.batched and any(axis.overlaps for axis in _windows_of(var) or ())

    # Names.

    def _take(self, name: str) -> str:
        """Reserve this name, or the next free one like it, and return it."""
        name = _identifier(name)
        free, k = name, 2
        while free in self.taken:
            free, k = f"{name}_{k}", k + 1
        self.taken.add(free)
        return free

    def _choose_names(self) -> None:  # noqa: C901, PLR0912 # one case per kind of name
        """Name the things that a reader looks for: weights, biases, weighted sums, activations, and their δ."""
        code = self.code
        forward = [v for v in code.vars[: code.forward] if v.number in self.uses]
        sums = [v for v in forward if v.kind == ir.MATMUL]
        given = [_SUM_OF.fullmatch(name_from(v.name)) for v in sums]
        free = (k for k in itertools.count(1) if not any(found and found[1] == str(k) for found in given))
        layers: dict[int, Any] = {}  # by matrix, where steps that repeat share their names
        for var, found in zip(sums, given, strict=True):
            matrix, vector, *bias = var.args
            layer = found[1] if found and found[1] else layers.get(matrix.number) or next(free)
            if self.like is not None:
                layers[matrix.number] = layer
            for x, base in ((matrix, "W"), *((b, "b") for b in bias)):
                if self._is_parameter(x) and x.number not in self.names:
                    self.names[x.number] = self._take(self._label_of(x) or f"{base}{layer}")
            if vector.kind == ir.INPUT and vector.info < len(self.shapes) and vector.number not in self.names:
                self.names[vector.number] = self._take("a0")
            self.names[var.number] = self._take(name_from(var.name) or f"z{layer}")
            self.names.update({part.number: self._take(part.name) for part in self.parts.of.get(var.number, ())})
        for var in sums if self.like is not None else ():  # of what a step adds to its product
            (reader,) = self.readers[var.number]
            if self.uses[var.number] == 1 and reader.op is OPS["add"] and len(var.units) == 1:
                self.names.setdefault(reader.number, self.names.pop(var.number))
        for var in forward:
            if (scores := self.parts.softmax(var)) is not None:
                for x, name in ((scores, "scores"), (var, "weights")):
                    self.names.setdefault(x.number, self._take(name))
            if var.number in self.names:
                continue
            if self._is_parameter(var):
                self.names[var.number] = self._take(self._label_of(var) or f"p{var.info[0]}")
            elif var.name and var.kind not in {ir.INPUT, ir.VIEW}:
                self.names[var.number] = self._take(name_from(var.name))
            elif var.kind == ir.APPLY and len(var.vars) == 1 and var.op is not None and var.op.arity == 1:
                z = self.names.get(self._whole(var.vars[0]).number, "")
                if _SUM_OF.fullmatch(z):
                    self.names[var.number] = self._take(f"a{z[1:]}")
            elif self._is_windows(var):
                self.names[var.number] = self._take("windows")
            elif var.number in self.grids and var.kind != ir.INPUT:
                self.names[var.number] = self._take("padded" if var.kind == ir.PADDED else "maps")
        (output,) = code.outputs
        if output.__class__ is Var and output.number not in self.names and output.kind != ir.VIEW:
            self.names[output.number] = self._take("outputs" if self.outputs else "C")
        for number, delta in code.deltas.items():
            name = self.names.get(number, "")
            new = delta.__class__ is Var and delta.number in self.uses and delta.number not in self.names
            if not (new and name) or delta.number < code.forward or delta.kind == ir.VIEW:
                continue
            if _SUM_OF.fullmatch(name):
                self.names[delta.number] = self._take(f"delta{name[1:]}")
            elif (
                self.uses[delta.number] > 1
                or self._is_parameter(code.vars[number])
                or delta.number in self.grids
                or any(_base(x).number in self.grids for x in delta.vars if delta.kind == ir.SCATTER)
            ):
                self.names[delta.number] = self._take(f"d{name}")

    def _is_windows(self, var: Var) -> bool:
        """Tell whether a Var is a copy of windows."""
        of = var.args[0] if var.kind == ir.CONCAT and len(var.args) == 1 else var
        return of.__class__ is Var and self._takes_windows(of) and (of is not var or self.uses[of.number] > 1)

    @staticmethod
    def _is_parameter(x: Var) -> bool:
        return x.kind == ir.VIEW and x.args[0].kind == ir.FLAT

    @staticmethod
    def _whole(x: Var) -> Var:
        """Return the weighted sum of a layer of one neuron in place of a view of its only unit."""
        return x.args[0] if x.kind == ir.VIEW and x.args[0].kind == ir.MATMUL and x.args[0].size == 1 else x

    def _label_of(self, view: Var) -> str:
        """Return a name for parameters, from what their labels share."""
        (start, strides), units, parameters = view.info, view.units, self.code.parameters
        if units == (len(parameters),):
            return "p"
        places = start + sum(s * i for s, i in zip(strides, np.indices(units), strict=True))
        labels = [[parameters[i].label for i in np.ravel(row)] for row in np.atleast_2d(places)]
        name = name_from(common_label([label for row in labels for label in row]))
        if not name and len(units) == 2:  # several matrices in one: Q, K and V are QKV
            whole = list(dict.fromkeys([name_from(common_label(row)) for row in labels]))
            names = whole if len(whole) <= _TOGETHER else list(dict.fromkeys(stem(x.rsplit(".", 1)[-1]) for x in whole))
            if all(names) and len(names) <= _TOGETHER:
                return ("" if max(map(len, names)) == 1 else "_").join(names)
        return re.sub(r"^w(?=\d*$)", "W", name) if len(units) == 2 else name

    # Text.

    def _module(self) -> str:
        code = self.code
        (output,) = code.outputs
        views = [v for v in code.vars[: code.forward] if v.number in self.uses and self._is_parameter(v)]
        opening = [*self._opening(), *(f"{self.name(v)} = {self._view(v)}" for v in views if v.number in self.names)]
        forward = self._block(code.vars[: code.forward], first=True)
        backward = self._block(code.vars[code.forward :], first=False)
        gradient = self._gradient()
        value = self.text(output, _ATOM)
        batched = output.__class__ is Var and output.batched
        closing = [*gradient, f"return {f'{value}.mean()' if batched else value}, gradient / rows"]
        answer = f"return {self._answer(value, batched=batched)}"
        after: list[str] = []
        steps = self.like is not None and rolled(
            [*forward, answer],
            [] if self.outputs else [*backward, *closing],
            sorted(self.zeros, key=len, reverse=True),
            self._take,
        )
        self.rolled = bool(steps)
        compact = any(shape and len(shape) > 1 for shape in self.shapes)  # arguments with axes: tokens, steps, images
        if steps:
            (*forward, answer), after = steps
        used = set(re.findall(r"\w+", "\n".join([*forward, *(after or [*backward, *closing])])))
        zeros = {name: text for name, text in self.zeros.items() if name in used}
        opening += [f"{', '.join(zeros)} = {', '.join(zeros.values())}"] * bool(zeros)
        if not steps and compact:
            opening, forward, after = [*_beside(opening), ""], _compact(forward), [*_compact(backward), *closing]
        elif not steps:
            opening, after = [*opening, ""], [*backward, "", *closing]
        body = [*opening, *forward]
        if self.outputs:  # the backward pass of a step is its answer
            return _without_rows(self._text([*body, *[""] * bool(backward), *backward, answer], []))
        layers = self.layer and self._plain and len(body) <= _ASIDE and not compact
        twice = layers or (not compact and 2 * len(body) + len(after) <= _TWICE)
        return _without_rows(self._text([*body, answer], after, twice=bool(twice)))

    def _answer(self, value: str, *, batched: bool) -> str:
        """Return the text of what the function returns for each row."""
        if not self.outputs:
            return value if batched else f"xp.broadcast_to({value}, (rows,))"
        shape = ", ".join(map(str, self.outputs))
        return f"xp.broadcast_to({value}, ({math.prod(self.outputs)}, rows)).T.reshape(rows, {shape})"

    def _text(self, body: Sequence[str], after: Sequence[str], *, twice: bool = False) -> str:
        """Return a module of the forward pass and, where there is one, the backward pass, which may have both."""
        given = zip(self.arguments, self.shapes, strict=True)
        arguments = ", ".join(["flat", *(x for x, shape in given if shape is not None)])
        helpers = [text.strip() for text in self.helpers.values()]
        title = self.function if self.outputs else f"{self.function} and its gradient"
        lines = [
            f'"""{title} for a batch of samples; arrays are units × rows."""',
            "",
            *(["import math"] if any("math." in text for text in helpers) else []),
            *(["from functools import reduce", ""] if any("reduce(" in text for text in helpers) else []),
            "import numpy as np",
            "",
            "xp = np  # the array library: jax.numpy does as well",
            *self.constants,
            "",
            "",
            *(line for text in helpers for line in (*text.splitlines(), "", "")),
            f"def forward({arguments}):",
            f'    """Return {self.function} of each row, given the flat array of all parameters."""',
        ]
        if not after:
            return "\n".join([*lines, *_indented(body)]) + "\n"
        *passes, answer = body
        way = "" if twice else self._take("backward")
        early = ["", *after] if twice else [f"if not {way}:", f"    {answer}", "", *after]
        lines += [
            *(_indented(body) if twice else [f"    return value_and_grad({arguments}, {way}=False)"]),
            *("", "", f"def value_and_grad({arguments}{f', {way}=True' * (not twice)}):"),
            '    """Return the mean over the rows, and its derivatives by the flat array of all parameters."""',
            *_indented([*passes, *early]),
        ]
        return "\n".join(lines) + "\n"

    def _gradient(self) -> list[str]:
        """Return the lines that join the derivatives by weights and biases in the order of the flat array."""
        gradient = self.code.gradient
        if gradient is None:
            return ["gradient = 0.0 * flat"]
        lines: list[str] = []
        sums: dict[Any, list[Any]] = {}  # of what has the same places
        for delta, (start, strides, units) in self._in_columns(gradient, lines):
            place = (np.ravel(start).tobytes() if strides is None else start, strides, units)
            sums.setdefault(place, [(start, strides, units)]).append(delta)
        pieces = sorted(sums.values(), key=lambda piece: (np.min(piece[0][0]), math.prod(piece[0][2])))
        blocks: list[str] = []
        end, left = 0, pieces
        while end < gradient.size:
            found = self._next_block(left, end)
            if found is None:  # nothing has a slope there
                starts = [piece[0][0] for piece in left if piece[0][1] is not None and piece[0][0] > end]
                gap = min(starts, default=gradient.size) - end
                found = f"xp.zeros({gap})", list[Any](), end + gap
            text, used, end = found
            blocks.append(text)
            left = [piece for piece in left if not any(piece is other for other in used)]
        if len(left) == len(pieces) or (blocks and left and all(piece[0][1] is None for piece in left)):
            blocks, left = [], pieces
        whole = [blocks[0] if len(blocks) == 1 else f"xp.concatenate([{', '.join(blocks)}])"] if blocks else []
        others: list[str] = []
        for place, *deltas in left:
            start, strides, units = place
            size = math.prod(units)
            if (
                strides is not None
                and strides == contiguous(units)
                and all(delta.__class__ is Var and delta.units == units for delta in deltas)
            ):
                around = f", ({start}, {gradient.size - start - size})"
                text = self._flat(deltas, units)
                whole.append(text if size == gradient.size else f"xp.pad({text}{around})")
            else:
                others += [self._placed(delta, place, "1") for delta in deltas]
        if others:
            whole.append(f"{self._help('spread')}({gradient.size}, 1, {', '.join(others)})[:, 0]")
        return [*lines, f"gradient = {' + '.join(whole)}"]

    def _in_columns(self, gradient: Var, lines: list[str]) -> Iterator[tuple[Any, Any]]:
        """Yield what is added up with its places; matrices that are several side by side, one by one, by name."""
        for delta, place in zip(gradient.args, gradient.info, strict=True):
            start, strides, units = place
            blocks = _columns(np.reshape(start, units)) if strides is None and len(units) == 2 else None
            if blocks is None or delta.__class__ is not Var or delta.units != units:
                yield delta, place
                continue
            name = self._take("dW") if delta.number in self.inline else self.matrix(delta)
            lines += [f"{name} = {_bare(self.matrix(delta))}"] * (delta.number in self.inline)
            for column, begin, steps, shape in blocks:
                block = Var(delta.code, ir.OUTER, (delta,), shape, False, None)
                block.number = -1 - column - gradient.size * (1 + delta.number)
                self.names[block.number] = f"{name}[:, {column}:{column + shape[1]}]"
                yield block, (begin, steps, shape)

    def _sum(self, deltas: Sequence[Any], strength: float = _ATOM) -> str:
        """Return the text of a sum of derivatives that have the same places; of matrices, as a matrix."""
        texts = [self.matrix(x) if x.__class__ is Var and len(x.units) == 2 else self.text(x, strength) for x in deltas]
        return texts[0] if len(texts) == 1 else f"({' + '.join(texts)})"

    def _flat(self, deltas: Sequence[Any], units: Sequence[int]) -> str:
        """Return the text of a sum of derivatives in one row; what has no two axes may be a number."""
        return f"{self._sum(deltas)}.ravel()" if len(units) > 1 else f"xp.ravel({self._sum(deltas, 0)})"

    def _next_block(self, pieces: Sequence[Any], start: int) -> tuple[str, list[Any], int] | None:
        """Return the text of the derivatives that come next in the flat array, its pieces, and its end."""
        for piece in pieces:
            (at, strides, units), *deltas = piece
            if strides is None or at != start or any(x.__class__ is Var and x.units != units for x in deltas):
                continue
            size = math.prod(units)
            if strides == contiguous(units) and len(units) <= 1:
                text = self._sum(deltas, 0)
                block = f"xp.reshape({text}, (1,))" if units == () else f"xp.broadcast_to({text}, ({size}, 1)).ravel()"
                if units and any(x.__class__ is Var for x in deltas):
                    block = self._flat(deltas, units)
                return block, [piece], start + size
            if len(units) == 2:
                m, n = units
                beside = [(start + n, (n + 1,), (m,)), *([(start + n, (1,), (m,))] if m == 1 else [])]
                bias = next((p for p in pieces if p[0][1] is not None and p[0] in beside
                             and all(x.__class__ is Var and x.units == (m,) for x in p[1:])), None)  # fmt: skip
                if bias is not None and (m == 1 or strides == (n + 1, 1)):
                    both = f"{self._sum(deltas)}, {self._sum(bias[1:], 0)}"
                    return f"xp.hstack([{both}]).ravel()", [piece, bias], start + m * (n + 1)
                if strides == contiguous(units):
                    return self._flat(deltas, units), [piece], start + size
        return None

    def _opening(self) -> list[str]:
        """Return the lines that turn the arguments into units × rows."""
        lines: list[str] = []
        counted = False
        for var in (v for v in self.code.vars if v.kind == ir.INPUT):
            number: int = var.info
            if number >= len(self.shapes):
                shape = f"({', '.join(map(str, var.units))}, rows)" if var.units else "rows"
                self.zeros[self.name(var)] = f"xp.zeros({shape})"
                continue
            name = self.arguments[number]
            if var.batched and not counted:
                lines.append(f"rows = len({name})")
                counted = True
            if (turned := self.turned.get(var.number)) is not None:
                view, axes = turned
                order = ".T" if axes == sorted(axes)[::-1] else f".transpose({', '.join(map(str, axes))}, 0)"
                lines.append(f"{self.name(view)} = xp.asarray({name}, dtype=float){order}")
            elif var.batched and self.grids.get(var.number, (None,))[0] == self.shapes[number]:
                order = ", ".join(map(str, range(1, len(self.shapes[number]) + 1)))
                lines.append(f"{self.name(var)} = xp.asarray({name}, dtype=float).transpose({order}, 0)")
            elif var.number in self.uses:
                flat = f"xp.asarray({name}, dtype=float)"  # products of small integers would wrap around
                if var.units and not var.batched:
                    flat += ".reshape(-1, 1)"
                elif var.units:
                    flat += f"{'.reshape(rows, -1)' * (len(self.shapes[number]) > 1)}.T"
                shape = self.grids.get(var.number, (var.units,))[0]
                lines.append(f"{self.name(var)} = {_shaped(flat, var.units, shape)}")
        return lines if counted else ["rows = 1", *lines]

    def name(self, var: Var) -> str:
        """Return the name of a Var that has a statement of its own."""
        if var.number not in self.names:
            if var.kind == ir.INPUT and var.info >= len(self.shapes):
                self.names[var.number] = self._take("zeros" if var.units else "zero")
            elif var.kind == ir.INPUT:
                self.names[var.number] = (
                    self.arguments[var.info] if not var.units else self._take(f"{self.arguments[var.info]}T")
                )
            elif self._opens(var):
                self.names[var.number] = self._take(f"{self.arguments[var.args[0].info]}T")
            else:
                self.names[var.number] = self._take(f"t{var.number}")
        return self.names[var.number]

    def _block(self, variables: list[Var], *, first: bool) -> list[str]:
        lines: list[str] = []
        whole = {
            x.number for v in self.code.vars for x in v.vars
            if v.kind != ir.APPLY or not any(y is not x and y.units == x.units for y in v.vars)
        }  # fmt: skip
        for var in variables:
            if self._has_no_line(var):
                continue
            if var.kind == ir.CONST:
                self.constants.append(
                    f"{self.name(var)} = xp.asarray({_constant(var.info, whole=var.number in whole)})[..., None]"
                )
                continue
            if var.kind in {ir.FOLD_BACK, ir.FOLD_SAME}:
                lines += self._way_back(var) if var.kind == ir.FOLD_BACK else []
                continue
            text, strength = self._expression(var)
            text = _RESHAPED.sub("", text)
            free = var.kind in {ir.VIEW, ir.EXPAND} or (var.kind == ir.CONCAT and var.units == ())
            alone = self.uses[var.number] == 1 or (free and len(text) < _SHORT) or text.isidentifier()
            sort = self._sort(var)
            alone = alone and (self.like is None or self.like.stated[sort] <= 0)
            long = text.startswith("xp.stack([") or var.op is OPS["add"]
            short = len(text) <= _LONG or (long and self.like is not None) or self._takes_windows(var)
            if var.number not in self.names and alone and short and var.number not in self.grids:
                self.inline[var.number] = text, strength
                self.stated[sort] -= 1
                continue
            comment = self._comment(var, lines, first=first)
            self.stated[sort] += var.number not in self.names
            lines += [*([""] if lines and comment else []), *comment, *self._assigned(var, text, strength).split("\n")]
        return lines

    def _has_no_line(self, var: Var) -> bool:
        """Tell whether a Var is written before all others, or where it is read."""
        if var.number not in self.uses or var.kind in {ir.INPUT, ir.FLAT, ir.ROWS} or var is self.code.gradient:
            return True
        base = _base(var)
        return (self._is_parameter(var) and var.number in self.names) or (
            var.kind == ir.VIEW
            and (var.args[0].number in self.turned or (base is not var and base.number in self.grids))
        )

    def _assigned(self, var: Var, text: str, strength: float) -> str:
        """Return the lines that give a Var its name."""
        comment = ""
        if found := re.match(r'xp\.einsum\("([a-z]*),([a-z]*)->([a-z]*)"', text):
            each = ", in each row n" * ("n" in found[3])
            comment = f"  # Σ over {', '.join(sorted({*found[1], *found[2]} - {*found[3]}))}{each}"
        name, bound = self.name(var), f"({text})" if strength < _ATOM else text
        if parts := self.parts.of.get(var.number):
            return f"{', '.join(map(self.name, parts))} = {bound}{self.parts.apart(var)}{comment}"
        if grid := self.grids.get(var.number):
            more = spaced(name, grid[1] or ())
            text = _RESHAPED.sub("", _shaped(bound, var.units, grid[0]))
            comment += f"\n{name} = {more}" * (more != name)
        return f"{name} = {text}{comment}"

    def _sort(self, var: Var) -> Any:
        """Return what alike things at other steps have in common with one: what it is, and what reads it first."""
        alike = [var, *var.vars, *(y for x in var.vars for y in x.vars), *self.readers.get(var.number, ())]
        return tuple([(x.kind, x.op, x.units) for x in alike])

    def _comment(self, var: Var, lines: Sequence[str], *, first: bool) -> list[str]:
        name = self.names.get(var.number, "")
        if first and self._is_layer(var):
            found = _SUM_OF.fullmatch(name)
            (product,) = [x for x in (var, *var.vars) if x.kind == ir.MATMUL and len(x.units) == 1][:1] or [var]
            matrix = product.args[0].number if product.kind == ir.MATMUL else var.number
            again = matrix in self.shown
            self.layer += not again
            layer = self.shown.setdefault(matrix, (found and found[1]) or str(self.layer))
            if found:
                self.layers[name[1:]] = layer
            return [] if again and lines else [f"# layer {layer}"]
        if first and self.layer and not self.outputs and not self._is_activation(var) and not self._costs:
            self._costs = not any(map(self._is_layer, self.code.vars[var.number : self.code.forward]))
            self._plain = self._plain and self._costs
            return ["# from the outputs to the cost"] if self._costs else []
        if not first and re.fullmatch(r"delta\d*(_\d+)?", name):
            layer = self.layers.get(name[5:], "")
            if layer in self.layers_of_deltas and lines:
                return []
            self.layers_of_deltas.add(layer)
            return [f"# δ of layer {layer}, and what follows for its weights and biases" if layer else "# δ"]
        return [] if lines or self.like is not None else ["# backward" if not first else "# forward"]

    def _is_activation(self, var: Var) -> bool:
        """Tell whether a Var is one operation on a layer's weighted sums, or on a part of them."""
        of = var.vars[0] if len(var.vars) == 1 else var
        whole = of.args[0] if of.kind == ir.VIEW else of
        return var.kind in {ir.APPLY, ir.VIEW} and whole.__class__ is Var and whole is not var and self._is_layer(whole)

    def _is_layer(self, var: Var) -> bool:
        """Tell whether a Var is the weighted sums of a layer: a matrix product, or one neuron's sum by that name."""
        found = _SUM_OF.fullmatch(self.names.get(var.number, ""))
        return var.kind == ir.MATMUL or bool(found and found[1])

    def text(self, x: Any, strength: float = 0) -> str:
        """Return the text of an operand, in brackets where it binds less tightly than `strength`."""
        if x.__class__ is not Var:
            number = repr(float(x)) if math.isfinite(x) else f'float("{x}")'
            return f"({number})" if x < 0 and strength > 1 else number
        if x.kind == ir.INPUT:
            return self.name(x)
        if x.kind == ir.FLAT:
            return "flat[:, None]"
        if x.kind == ir.ROWS:
            return "rows"
        if x.number in self.inline:
            text, own = self.inline[x.number]
            if self._is_matrix(x):
                return f"({text})[..., None]"
            return f"({text})" if own < strength else text
        name = self.name(x)
        return f"{name}[..., None]" if self._is_matrix(x) else name

    def _is_matrix(self, x: Any) -> bool:
        """Tell whether a named Var is kept as a matrix, without the axis for rows."""
        if x.__class__ is not Var or len(x.units) != 2 or x.batched:
            return False
        if x.op is OPS["add"]:
            return all(map(self._is_matrix, x.args))
        if x.kind == ir.TAKE and x.args[0].kind == ir.FLAT:
            return _columns(x.info) is not None
        return x.kind in {ir.OUTER, ir.PLACED} or (x.kind == ir.VIEW and x.args[0].kind == ir.FLAT)

    def matrix(self, x: Var) -> str:
        """Return the text, as a matrix, of a Var of two axes that is the same for all rows."""
        if not self._is_matrix(x):
            return f"{self.text(x, _ATOM)}[..., 0]"
        text, strength = self.inline.get(x.number) or (self.name(x), _ATOM)
        return f"({text})" if strength < _ATOM else text

    def _help(self, name: str) -> str:
        self.helpers |= written(name)
        return name

    def _expression(self, var: Var) -> tuple[str, float]:  # noqa: C901, PLR0912 # one case per kind
        """Return the text of a Var, and how tightly it binds."""
        kind = var.kind
        xs = var.args
        rows = "rows" if var.batched else "1"
        if kind == ir.APPLY:
            return self._operation(var)
        if kind == ir.VIEW:
            return self._view(var), _ATOM
        if kind == ir.TAKE:
            return self._taken(var), _ATOM
        if kind == ir.PADDED:
            return self._padded(var), _ATOM
        if kind == ir.CONCAT:
            alone = len(xs) == 1 and xs[0].__class__ is Var and var.batched == xs[0].batched
            if var.units == () or (alone and (var.batched or (len(var.units) > 1 and xs[0].kind != ir.EXPAND))):
                whole = self.text(xs[0], _ATOM)
                same = var.units == () or var.units == xs[0].units
                return (whole if same else f"{whole}.reshape({', '.join(map(str, var.units))}, -1)"), _ATOM
            if all(x.__class__ is Var and x.batched for x in xs):
                texts = [self.text(x) if x.units else f"{self.text(x, _ATOM)}[None]" for x in xs]
                return f"xp.concatenate([{', '.join(texts)}])", _ATOM
            return f"{self._help('stack')}({rows}, {', '.join(self.text(x) for x in xs)})", _ATOM
        if kind == ir.EXPAND:
            return self._expand(var, rows), _ATOM
        if kind in {ir.MATMUL, ir.MATMUL_T, ir.OUTER}:
            return self._product(var)
        if kind in {ir.PICKED, ir.PLACED}:
            of = self.matrix(xs[0]) if kind == ir.PICKED else self.text(xs[0])
            return f"{self._help(kind)}({of}, {self.text(xs[1])}, {_constant(var.info, whole=True)})", _ATOM
        if (contraction := _contraction(var)) is not None:
            factors, letters = contraction
            texts = [self._view_text(*factor, batched=True) for factor in factors]
            return f'xp.einsum("{letters}", {", ".join(texts)})', _ATOM
        if kind in {ir.SUM, ir.MAX}:
            function = "sum" if kind == ir.SUM else "max"
            of, axes = _unturned(xs[0], len(var.units))
            axis = str(axes[0]) if len(axes) == 1 else str(tuple(axes))
            whole = f"{self.text(of, _ATOM)}.{function}(axis={axis})"
            return whole if var.batched or var.units else f"{whole}[0]", _ATOM
        if kind == ir.SUM_ROWS:
            keep = "axis=-1, keepdims=True" if var.units else ""
            if var.units != xs[0].units:
                return f"{self.text(xs[0], _ATOM)}.sum(axis=(-2, -1)){'[..., None]' * bool(keep)}", _ATOM
            return f"{self.text(xs[0], _ATOM)}.sum({keep})", _ATOM
        if kind == ir.FOLD:
            return f"{self._loop(var)}(rows, {', '.join(self.text(x) for x in (xs[3], *xs[:3]))})", _ATOM
        assert kind == ir.SCATTER  # the last kind
        pieces = list(zip(xs, var.info, strict=True))
        if var.number < self.code.forward:
            return self._steps(pieces), _ATOM
        if (stacked := self._stacked(var, pieces)) is not None:
            return stacked, _ATOM
        if (joined := self._joined(var, pieces)) is not None:
            return joined, _ATOM
        if (tiled := self._tiled(var, pieces)) is not None:
            return tiled, _ATOM
        if (added := self._added(var, pieces)) is not None:
            return added, 1
        shape = "[0]" if not var.units else f".reshape({', '.join(map(str, var.units))}, {rows})" * (len(var.units) > 1)
        return f"{self._spread(pieces, max(var.size, 1), rows)}{shape}", _ATOM

    def _product(self, var: Var) -> tuple[str, float]:
        """Return the text of a product with a matrix, or of the derivatives by one."""
        xs = var.args
        if var.kind == ir.MATMUL:
            text, strength = self._times(self.matrix(xs[0]), xs[1], steps=var.info == ir.STEPS)
            spread = "[:, None]" * (len(var.units) > 1)
            bias = [f"{self.text(b, _ATOM if spread else 2)}{spread}" for b in xs[2:]]
            return (f"{text} + {bias[0]}", 1) if bias else (text, strength)
        if var.kind == ir.MATMUL_T:
            return self._times(f"{self.matrix(xs[0])}.T", xs[1], steps=var.info == ir.STEPS)
        if var.batched:
            if len(xs[0].units) > 1:
                return f'xp.einsum("ipn,jpn->ijn", {self.text(xs[0])}, {self.text(xs[1])})', _ATOM
            return f"{self.text(xs[0], _ATOM)}[:, None] * {self.text(xs[1], _ATOM)}", _PRODUCT
        if var.info == ir.STEPS:
            return f'xp.einsum("tin,tjn->ij", {self.text(xs[0])}, {self.text(xs[1])})', _ATOM
        if len(xs[0].units) > 1:  # over positions and rows
            return f"xp.tensordot({self.text(xs[0])}, {self.text(xs[1])}, ((1, 2), (1, 2)))", _ATOM
        return f"{self.text(xs[0], _ATOM)} @ {self.text(xs[1], _ATOM)}.T", _PRODUCT

    def _loop(self, var: Var) -> str:
        """Define a step, and the loop over all of them; return the loop's name."""
        steps, loop = var.info, var.info.loop
        names = [x for x, n in zip(("carry", "x", "beside"), steps.sizes, strict=True) if n]
        shapes = [(n,) if n else None for n in steps.sizes]
        step = self._step(steps.readable(), "one_step", ["carry", "x", "beside"], shapes, loop.carry + loop.y)
        name = self._take("fold")
        self._step_of[var.number] = step
        along = f"for x in xp.broadcast_to(xs, ({loop.steps * loop.x}, rows)).reshape({loop.steps}, {loop.x}, rows):"
        self.helpers[name] = "\n".join([
            f"def {name}(rows, same, carry, xs, beside):",
            '    """Return the last carry, and below it what every step returns."""',
            f"    same = xp.broadcast_to(xp.ravel(xp.asarray(same)), ({steps.same},))",
            f"    carry = xp.broadcast_to(carry, ({loop.carry}, rows))",
            f"    beside = xp.broadcast_to(beside, ({steps.varying}, rows))",
            "    ys = []",
            f"    {along if loop.x else f'for _ in range({loop.steps}):'}",
            f"        after = {step}(same, {', '.join(f'{x}.T' for x in names)}).T",
            f"        carry, y = after[:{loop.carry}], after[{loop.carry}:]",
            "        ys.append(y)",
            "    return xp.concatenate([carry, *ys])",
        ])  # fmt: skip
        return name

    def _step(self, code: Code, name: str, arguments: Sequence[str], shapes: Sequence[Any], size: int) -> str:
        """Define a function of a step, and return its name."""
        inner = Readable(code, name, arguments, shapes, (size,), known=self.helpers)
        self.helpers |= inner.helpers
        self.taken |= set(inner.helpers)
        step = self._take(name)
        text = inner.source[inner.source.index("def forward(") :].replace("def forward(", f"def {step}(", 1)
        head, doc, *body = text.splitlines()
        self.helpers[step] = "\n".join([head, doc, *(f"    {line}" for line in inner.constants), *body])
        return step

    def _way_back(self, var: Var) -> list[str]:
        """Define the way back through a loop; return the line that goes it."""
        fold, delta, *args = var.args
        steps, loop, (wanted, per_row) = fold.info, fold.info.loop, var.info
        inputs = [("carry", loop.carry), ("x", loop.x), ("beside", steps.varying), ("delta", loop.carry), ("none", 0),
                  ("delta_y", loop.y)]  # fmt: skip
        code, parts = steps.readable_back(wanted)
        shapes = [(n,) if n else None for _, n in inputs]
        step = self._step(code, "one_step_back", [name for name, _ in inputs], shapes, sum(parts))
        name = self._take("fold_back")
        carry, x, y = "carry.T, " * bool(loop.carry), "x.T, " * bool(loop.x), "y.T, " * bool(loop.y)
        beside, after = "beside.T, " * bool(steps.varying), "delta.T, " * bool(loop.carry)
        ahead = f"{self._step_of[fold.number]}(same, {carry}{x}{beside}".removesuffix(", ")
        given = f"{carry}{x}{beside}{after}{y}".removesuffix(", ")
        sizes = (("carry", loop.carry), ("beside", steps.varying), ("delta", loop.size))
        self.helpers[name] = "\n".join([
            f"def {name}(rows, same, carry, xs, beside, delta):",
            '    """Return the δ of what the loop takes for each row, and of what all rows share."""',
            f"    same = xp.broadcast_to(xp.ravel(xp.asarray(same)), ({steps.same},))",
            *[f"    {of} = xp.broadcast_to({of}, ({n}, rows))" for of, n in sizes],
            f"    xs = xp.broadcast_to(xs, ({loop.steps * loop.x}, rows)).reshape({loop.steps}, {loop.x}, rows)"
            if loop.x else f"    xs = [None] * {loop.steps}",
            f"    delta, ys = delta[:{loop.carry}], delta[{loop.carry}:].reshape({loop.steps}, {loop.y}, rows)",
            "    carries = [carry]",
            "    for x in xs[:-1]:",
            "        carry = carries[-1]",
            f"        carries.append({ahead}).T[:{loop.carry}])",
            "    by_xs, total = [], 0.0",
            "    for carry, x, y in zip(carries[::-1], xs[::-1], ys[::-1]):",
            f"        delta, by_x, rest = xp.split({step}(same, {given}).T, ({parts[0]}, {parts[0] + parts[1]}))",
            "        by_xs.append(by_x)",
            "        total = total + rest",
            f"    parts = [{'delta, ' * wanted[0]}*by_xs[::-1], total[:{parts[2]}]]",
            f"    return xp.concatenate(parts), total[{parts[2]}:]{'' if per_row else '.sum(-1, keepdims=True)'}",
        ])  # fmt: skip
        same = next((self.name(v) for v in self.code.vars if v.kind == ir.FOLD_SAME and v.args[0] is var), "_")
        texts = ["rows" if var.batched else "1", *[self.text(x) for x in (args[3], *args[:3], delta)]]
        return [f"{self.name(var)}, {same} = {name}({', '.join(texts)})"]

    def _times(self, matrix: str, x: Var, *, steps: bool) -> tuple[str, float]:
        """Return the text of a product with a matrix: of vectors, or of one at each position."""
        if len(x.units) > 1 and not steps:
            return f"xp.tensordot({matrix}, {self.text(x)}, 1)", _ATOM
        return f"{matrix} @ {self.text(x, _ATOM)}", _PRODUCT

    def _view(self, var: Var) -> str:
        start, strides = var.info
        return self._view_text(var.args[0], start, strides, var.units, batched=var.batched)

    def _view_text(self, of: Var, start: int, strides: Units, units: Units, *, batched: bool) -> str:
        """Return the text of some of the numbers of an array."""
        base = _base(of)
        if base.number in self.grids:
            if units == self.grids[base.number][0] and start == 0 and strides == contiguous(units):
                return self.name(base)
            of = base
        of, start, strides = self.parts.view(of, start, strides)
        flat = of.kind == ir.FLAT
        source = "flat" if flat else self.text(of, _ATOM)
        if (simple := _simple_view(source, of, start, strides, units)) is not None:
            return simple
        rows = () if flat else ("-1" if of.batched else "1",)
        found = _reshaped(of.units, start, strides, units, rows)
        if found is not None:
            text = source + found
            if 0 in strides:
                shape = [*map(str, units), *([] if flat else ["rows" if batched else "1"])]
                text = f"xp.broadcast_to({text}, ({', '.join(shape)}))"
        elif not flat and (grid := windows(of.size, start, strides, units)) is not None:
            source = source if base.number in self.grids else _shaped(source, of.units, shape_of(grid))
            text = taken(source, grid, units, letters_for(grid, self.taken), units)
        else:
            whole = f".reshape({of.size}, {'-1' if of.batched else '1'})" if len(of.units) > 1 else ""
            text = (
                f"{source}{whole}[{self._help('at')}({start}, {strides}, {units})]" if units else f"{source}[{start}]"
            )
        if not units:
            return text if flat or of.batched else f"{text}[0]"
        return f"{text}[..., None]" if flat and len(units) != 2 else text

    def _taken(self, var: Var) -> str:
        """Return the text of numbers of a vector: evenly spaced ones in another shape, or by their places."""
        of, places = var.args[0], var.info
        if self._is_matrix(var):
            blocks = [
                self._view_text(of, start, strides, units, batched=False)
                for _, start, strides, units in _columns(places) or ()
            ]
            return f"xp.hstack([{', '.join(blocks)}])"
        own = nest(places.ravel())
        if own is None or of.kind == ir.FLAT or not var.batched:
            return f"{self.text(of, _ATOM)}[np.array({places.tolist()})]"
        text = self._view_text(of, int(places.flat[0]), own[1], own[0], batched=True)
        return f"{text}.reshape({', '.join(map(str, var.units))}, -1)"

    def _expand(self, var: Var, rows: str) -> str:
        x = var.args[0]
        if x.__class__ is not Var or x.units == ():
            shape = ", ".join(map(str, (*var.units, rows)))
            if var.units == (1,) and x.__class__ is Var and x.batched:
                return f"{self.text(x, _ATOM)}[None]"
            shape = shape if var.units else "rows,"
            return f"xp.broadcast_to({self.text(x)}, ({shape}))"
        added = len(var.units) - len(x.units)
        text = f"{self.text(x, _ATOM)}[{', '.join([':'] * len(x.units) + ['None'] * added)}]" if added else self.text(x)
        if var.units == (*x.units, *(1,) * added) and added:
            return text
        return f"xp.broadcast_to({text}, ({', '.join(map(str, (*var.units, rows)))}))"

    def _padded(self, var: Var) -> str:
        """Return the text of an array with a number around it, or in some of its places."""
        of, (places, value) = var.args[0], var.info
        number = repr(value) if math.isfinite(value) else f'float("{value}")'
        inside, ends = _inside(var)
        strides = strides_of(inside.ravel(), inside.shape)
        if strides is None or inside.min() < 0:
            return f"{self._help('filled')}({self.text(of)}, {places.tolist()}, {number})"
        text = self._view_text(of, int(inside.flat[0]), strides, inside.shape, batched=of.batched)
        around = ", ".join([str((start, n - end)) for (start, end), n in zip(ends, places.shape, strict=True)])
        return f"xp.pad({text}, ({around}, (0, 0)){f', constant_values={number}' * (value != 0.0)})"

    def _stacked(self, var: Var, pieces: Sequence[Any]) -> str | None:
        """Return the text of the vectors of all steps, each of them one Var or several side by side; None of others."""
        if len(var.units) != 2 or var.units[0] == 1:
            return None
        steps, width = var.units
        columns: dict[int, list[Any]] = {}
        for piece in sorted(pieces, key=lambda piece: np.min(piece[1][0])):
            x, (start, strides, units) = piece
            if strides != (1,) or x.__class__ is not Var or x.units != units or not x.batched or self._is_matrix(x):
                return None
            columns.setdefault(start % width, []).append(piece)
        end = 0
        for at, column in columns.items():
            if [place for _, place in column] != [
                (at + k * width, (1,), column[0][1][2]) for k in range(steps)
            ] or at != end:
                return None
            end += column[0][0].size
        texts = [self._steps(column) for column in columns.values()]
        if end < width:
            return None
        return texts[0] if len(texts) == 1 else f"xp.concatenate([{', '.join(texts)}], axis=1)"

    def _steps(self, pieces: Sequence[Any]) -> str:
        """Return the text of the vectors of all steps, and of a 1 at the end of each."""
        steps = [x for x, _ in sorted(pieces, key=lambda piece: piece[1][0]) if x.__class__ is Var]
        text = f"xp.stack([{', '.join(map(self.text, steps))}])" if len(steps) > 1 else self.text(steps[0], _ATOM)
        return (
            f"xp.pad({text}, ((0, 0), (0, 1), (0, 0)), constant_values=1.0)"
            if pieces[-1][0].__class__ is float
            else text
        )

    def _joined(self, var: Var, pieces: Sequence[Any]) -> str | None:
        """Return the text of blocks that lie side by side, one after another; None of others."""
        texts: list[str] = []
        each, whole = math.prod(var.units[1:]), var.size
        if not pieces or any(place[1] is None for _, place in pieces):
            return None
        leading = {max(zip(place[1], place[2], strict=True), default=(0, 1)) for _, place in pieces}
        stride, n = leading.pop()
        if not leading and stride * n == whole and stride % each == 0:  # along the second axis of blocks
            whole = stride
        outer, end = var.size // whole, 0
        for delta, (start, strides, units) in sorted(pieces, key=lambda piece: np.min(piece[1][0])):
            if start != end or not var.units or delta.__class__ is not Var:
                return None
            size = math.prod(units) // outer
            own = tuple([size if s == stride and outer > 1 else s for s in strides])
            text = self._block_text(delta, own, units, var)
            if text is None or size % each:
                return None
            shape = *[outer] * (outer > 1), size // each, *var.units[1:]
            if text[1] == () and not delta.batched:  # perhaps one of Python's numbers
                texts.append(f"xp.reshape({text[0]}, ({', '.join(map(str, shape))}, 1))")
            else:
                texts.append(_bare(_shaped(text[0], text[1], shape)))
            end += size
        if end < whole or len(texts) == 1:
            return None
        behind = ", axis=1)" + _shaped("", (), var.units) if outer > 1 else ")"
        return f"xp.concatenate([{', '.join(texts)}]{behind}"

    def _block_text(self, delta: Var, strides: Units, units: Units, var: Var) -> tuple[str, Units] | None:
        """Return the text of what belongs to a block without gaps, in the block's order of axes, and its units."""
        order = sorted(range(len(units)), key=lambda k: -strides[k])
        turned = tuple([units[k] for k in order])
        if delta.units != units or delta.batched != var.batched or self._is_matrix(delta):
            return None
        if tuple([strides[k] for k in order]) != contiguous(turned):
            return None
        return self.text(delta, _ATOM) + _transposed(order), turned

    def _tiled(self, var: Var, pieces: Sequence[Any]) -> str | None:
        """Return the text of alike blocks that lie between one another and fill an array; None of others."""
        _, strides, units = pieces[0][1]
        if len(pieces) < 2 or strides is None or not var.batched:
            return None
        if any(place[1:] != (strides, units) or not _is_whole(x, units) for x, place in pieces):
            return None
        ordered = sorted(pieces, key=lambda piece: piece[1][0])
        starts = np.array([start for _, (start, *_) in ordered])
        outer = nest(starts)
        if outer is None or starts[0] != 0:
            return None
        sizes, steps = (*outer[0], *units), (*outer[1], *strides)
        order = sorted(range(len(sizes)), key=lambda k: -steps[k])
        turned = tuple([sizes[k] for k in order])
        if math.prod(sizes) != var.size or tuple([steps[k] for k in order]) != contiguous(turned):
            return None
        text = f"xp.stack([{', '.join(self.text(x) for x, _ in ordered)}])"
        text = _shaped(text, (len(pieces), *units), sizes)
        return _shaped(text + _transposed(order), turned, var.units)

    def _added(self, var: Var, pieces: Sequence[Any]) -> str | None:
        """Return the text of a sum of blocks and windows, each with zeros around it; None of other places."""
        texts: list[str] = []
        for delta, (start, strides, units) in sorted(pieces, key=lambda piece: -math.prod(piece[1][2])):
            if units == () and len(var.units) == 1 and texts:
                here = f"(np.arange({var.size}) == {start})[:, None]"
                number = delta.__class__ is float
                sign = " - " if number and delta < 0.0 else " + "
                times = "" if number and abs(delta) == 1.0 else f"{self.text(abs(delta) if number else delta, 2)} * "
                texts[-1] += f"{sign}{times}{here}"
                continue
            if strides is None or delta.__class__ is not Var or not var.units or not var.batched:
                return None
            block, size = self._block_text(delta, strides, units, var), math.prod(units)
            grid = windows(var.size, start, strides, units) if block is None else None
            shape = ", ".join(map(str, var.units))
            if block is not None and size == var.size:
                texts.append(_shaped(*block, var.units))
            elif block is not None:
                around = f"(({start}, {var.size - start - size}), (0, 0))"
                flat = block[0] if len(block[1]) == 1 else f"{block[0]}.reshape({size}, -1)"
                texts.append(f"xp.pad({flat}, {around})" + f".reshape({shape}, -1)" * (len(var.units) > 1))
            elif (
                grid is not None
                and delta.units == units
                and delta.batched
                and (text := added(self._belonging(delta, grid), grid, units, letters_for(grid, self.taken)))
            ):
                texts.append(_shaped(text, shape_of(grid), var.units))
            else:
                return None
        return " + ".join(texts)

    def _belonging(self, delta: Var, grid: Sequence[Axis]) -> str:
        """Return the text of what belongs to windows of a grid, zeros between their numbers included."""
        base = _base(delta)
        return self.name(base) if base.number in self.grids else spaced(self.text(delta, _ATOM), grid)

    def _spread(self, places: Sequence[Any], size: int, rows: str) -> str:
        return (
            f"{self._help('spread')}({size}, {rows}, {', '.join(self._placed(x, place, rows) for x, place in places)})"
        )

    def _placed(self, delta: Any, place: Any, rows: str) -> str:
        """Return the text of numbers with their places in a flat array."""
        start, strides, units = place
        text = self.text(delta)
        if rows == "1" and delta.__class__ is Var and self._is_matrix(delta):
            text = f"{self.matrix(delta)}[..., None]"
        if strides is None:
            where = f"{np.reshape(start, units).tolist()}"
        elif units == ():
            where = f"[{start}]"
        elif len(units) == 1 and strides == (1,):
            where = f"np.arange({start}, {start + units[0]})"
        else:
            where = f"{self._help('at')}({start}, {strides}, {units})"
        return f"({text}, {where})"

    def _operation(self, var: Var) -> tuple[str, float]:  # one case per way of writing
        op = var.op
        xs = var.args
        if self._is_matrix(var):
            return f"{self.matrix(xs[0])} + {self.matrix(xs[1])}", 1
        if op in SIGNS and op not in BOOLEAN:
            sign = SIGNS[op]
            strength = _BINDS[sign]
            # Floats do not associate, so the user's brackets stay; those between δ and its slopes may go.
            keep = sign in "-/" or var.number < self.code.forward or (xs[1].__class__ is Var and xs[1].op is OPS["div"])
            right = {1: _PRODUCT, 2: _UNARY}[strength] if keep else strength
            return f"{self.text(xs[0], strength)} {sign} {self.text(xs[1], right)}", strength
        if op in BOOLEAN:
            truth = f"({self.text(xs[0], 1)} {SIGNS[op]} {self.text(xs[1], 1)})"
            return (truth, _ATOM) if var.number in self.truths else (f"1.0 * {truth}", 2)
        if op.name == "neg":
            return f"-{self.text(xs[0], _UNARY)}", _UNARY
        if op.name == "pow":
            exponent = self.text(xs[1], _ATOM)
            return f"{self.text(xs[0], _ATOM)} ** {exponent.removesuffix('.0')}", _POWER
        names = ", ".join(self.text(x) for x in xs)
        if op is _RELU and self.windowed:
            return f"xp.maximum({names}, 0.0)", _ATOM
        if op in {GUARDED, KEPT, limit} or OPS.get(op.name) is op:
            helpers = helpers_of(op)
            self.helpers |= helpers
            return f"{op.name if helpers else f'xp.{op.function_of_arrays.__name__}'}({names})", _ATOM
        raise TypeError(
            f"{op!r} is an operation of your own, which a text that runs on its own cannot define; use the program "
            "itself"
        )


def _is_whole(x: Any, units: Units) -> bool:
    """Tell whether an operand is an array of these units with rows, which is not to be repeated."""
    return x.__class__ is Var and x.units == units and x.batched


def _windows_of(view: Var) -> list[Axis] | None:
    """Return the grid that a view takes windows of; None of other views."""
    start, strides = view.info
    return windows(view.args[0].size, start, strides, view.units)


def _base(x: Any) -> Any:
    """Return the array of which a Var is all, in other axes at most; the Var itself where it is none."""
    while (
        x.__class__ is Var
        and x.kind == ir.VIEW
        and x.args[0].kind != ir.FLAT
        and x.size == x.args[0].size
        and (x.info == (0, contiguous(x.units)))
    ):
        x = x.args[0]
    return x


def _inside(var: Var) -> tuple[Any, list[tuple[int, int]]]:
    """Return the places of an array that is filled up, in a box around all of them, and where the box is."""
    places = var.info[0]
    there = np.argwhere(places >= 0)
    ends = list(zip(there.min(axis=0).tolist(), (there.max(axis=0) + 1).tolist(), strict=True))
    return places[tuple([slice(*each) for each in ends])], ends


def _columns(places: Any) -> list[tuple[int, int, Units, Units]] | None:
    """Return matrices that lie side by side in one: the first column, start, strides and shape of each; None of others.

    >>> _columns(np.array([[0, 1, 8, 9], [2, 3, 10, 11]]))
    [(0, 0, (2, 1), (2, 2)), (2, 8, (2, 1), (2, 2))]
    """
    found: list[tuple[int, int, Units, Units]] = []
    (m, n), at = places.shape if places.ndim == 2 else (0, 0), 0
    while at < n:
        for end in range(n, at, -1):
            strides = strides_of(places[:, at:end].ravel(), (m, end - at))
            if strides is not None:
                found.append((at, int(places[0, at]), strides, (m, end - at)))
                break
        else:
            return None
        at = end
    return found if 1 < len(found) < min(n, 5) else None


def _indented(lines: Sequence[str]) -> list[str]:
    return [x for line in lines for x in broken(f"    {line}" if line else "")]


def _shaped(text: str, units: Units, shape: Units) -> str:
    return text if units == shape else f"{text}.reshape({', '.join(map(str, shape))}, -1)"


def _transposed(order: Sequence[int]) -> str:
    return f".transpose({', '.join(map(str, [*order, len(order)]))})" if order != sorted(order) else ""


def _bare(text: str) -> str:
    """Return a text without brackets around all of it."""
    depths = [*itertools.accumulate((c == "(") - (c == ")") for c in text)]
    return text[1:-1] if depths and depths.index(0) == len(text) - 1 and text[0] == "(" else text


def _beside(lines: Sequence[str]) -> list[str]:
    """Return lines with each bias beside its matrix."""
    found: list[str] = []
    for line in lines:
        name, text = line.split(" = ", 1)
        last, before = found[-1].split(" = ", 1) if found else ("", "")
        if "[:, None]" in text and before.startswith("flat[") and len(line) + len(found[-1]) <= _LONG:
            found[-1] = f"{last}, {name} = {before}, {text}"
        else:
            found.append(line)
    return found


def _compact(lines: Sequence[str]) -> list[str]:
    """Return lines without blank ones, and comments, in short, behind what they are about."""
    found: list[str] = []
    comment = ""
    for line in lines:
        if line.startswith("#"):
            comment = "" if line in {"# forward", "# backward"} else f"  {line.split(',')[0]}"
        elif (k := _matrix_of(line, found)) is not None:
            names, texts = zip(found[k].split(" = ", 1), line.split(" = ", 1), strict=True)
            found[k] = f"{', '.join(names)} = {', '.join(texts)}"
        elif line:
            found.append(line + (comment.replace("  # ", "; ") if "  # " in line else comment))
            comment = ""
    return found


def _matrix_of(line: str, lines: Sequence[str]) -> int | None:
    """Return which line computes the derivatives by the matrix of a layer whose bias this line is about."""
    bias = re.fullmatch(r"d\w+ = (delta\w*)\.sum\((?:[^()]|\([^()]*\))*\)(?:\[[^]]*\])?", line)  # of one layer alone
    matrix = re.compile(rf"d\w+ = (xp\.tensordot\({bias[1]}, |{bias[1]} @ )[^#]*" if bias else "$.")
    return next((k for k, other in enumerate(lines) if matrix.fullmatch(other)), None)


def _without_rows(text: str) -> str:
    """Return a text whose number of rows has no name if it is only read once."""
    name = re.search(r"^    rows = (len\(\w+\))\n", text, re.MULTILINE)
    if name is None or len(re.findall(r"\brows\b", text[name.end() :])) > 1:
        return text
    return text[: name.start()] + re.sub(r"\brows\b", name[1], text[name.end() :])


def _read(var: Var) -> list[Var]:
    """Return the Vars whose texts are in that of this one."""
    if (contraction := _contraction(var)) is not None:
        return [of for of, *_ in contraction[0]]
    return [_unturned(var.args[0], len(var.units))[0]] if var.kind in {ir.SUM, ir.MAX} else var.vars


def _contraction(var: Var) -> tuple[list[tuple[Var, int, Units, Units]], str] | None:
    """Return the factors of a sum of products, without the axes along which they repeat, and its axes as letters."""
    found = contraction_of(var)
    if found is None or not any(repeats(y) for y in found[:2]):
        return None
    *both, order = found
    letters = "ijklmopqrs"
    factors: list[tuple[Var, int, Units, Units]] = []
    names: list[str] = []
    for y in both:
        kept = range(len(y.units))
        of, start, strides = y, 0, contiguous(y.units)
        if y.kind == ir.VIEW and y.args[0].batched:
            of, (start, strides) = y.args[0], y.info
            kept = [k for k, n in enumerate(y.units) if n == 1 or strides[k]]
        elif y.kind == ir.EXPAND and y.args[0].__class__ is Var and y.args[0].batched:
            of = y.args[0]
            kept, strides = range(len(of.units)), (*contiguous(of.units), *y.units)
        kept = sorted(kept, key=lambda k, strides=strides: -strides[k])  # as they lie, without a transpose
        factors.append((of, start, tuple([strides[k] for k in kept]), tuple([y.units[k] for k in kept])))
        names.append("".join([letters[k] for k in kept]) + "n")
    if len(set("".join(names))) <= len(order):  # along an axis that neither has, the product is repeated itself
        return None
    result = "".join([letters[k] for k in order[: len(var.units)]])
    return factors, f"{','.join(names)}->{result}n"


def _unturned(x: Var, kept: int) -> tuple[Var, list[int]]:
    """Return an array and its axes to sum over, those of `x` from `kept` on; without turning it where that is equal."""
    own = list(range(kept, len(x.units)))
    if x.kind != ir.VIEW or x.info[0] != 0 or x.size != x.args[0].size or 1 in x.units:
        return x, own
    axes = list(zip(contiguous(x.args[0].units), x.args[0].units, strict=True))
    turned = list(zip(x.info[1], x.units, strict=True))
    if sorted(axes) != sorted(turned) or turned[:kept] != [axis for axis in axes if axis in turned[:kept]]:
        return x, own
    return x.args[0], sorted(axes.index(axis) for axis in turned[kept:])


def _simple_view(source: str, of: Var, start: int, strides: Units, units: Units) -> str | None:
    """Return the text of all of an array, of one number, or of a vector or matrix in a vector; None of others."""
    flat, size = of.kind == ir.FLAT, of.size
    if start == 0 and not flat and strides == contiguous(units) and units == of.units:
        return source
    if start == 0 and not flat and strides[1:] == contiguous(of.units) and units == (1, *of.units):
        return f"{source}[None]"
    if len(of.units) == 2 and units and strides == (1,) and start % of.units[1] + units[0] <= of.units[1]:
        step, at = divmod(start, of.units[1])
        return f"{source}[{step}{f', {at}:{at + units[0]}' * (units != of.units[1:])}]"
    if len(of.units) > 1 or len(units) > 2:
        return None
    if not units:
        return f"{source}[{start}]" if flat or of.batched else f"{source}[{start}, 0]"
    if len(units) == 1:
        last = start + strides[0] * (units[0] - 1) + 1
        step = f":{strides[0]}" if strides[0] != 1 else ""
        piece = f"{source}[{start}:{last}{step}]" if strides[0] else f"{source}[np.full({units[0]}, {start})]"
        return f"{piece}[:, None]" if flat else piece
    (m, n), (outer, inner) = units, strides
    if inner != 1 or outer < n or not (start + m * outer <= size or outer == n):
        return None
    some = f"[{start}:{start + m * outer}]" * (flat or start > 0 or m * outer < size)
    block = f"{source}{some}.reshape({m}, {outer}{'' if flat else ', -1'})"
    return block if outer == n else f"{block}[:, :{n}]"


def _constant(array: Any, *, whole: bool) -> str:
    """Return the text of an array of constants, with one entry along the axes along which it stays the same."""
    for axis in range(0 if whole else array.ndim):
        first = array[(slice(None),) * axis + (slice(1),)]
        array = first if np.broadcast_to(first, array.shape).tobytes() == array.tobytes() else array
    core, shape = np.squeeze(array), f".reshape{array.shape}" if array.ndim > 1 else ""
    if core.ndim == 1 and core[0].is_integer() and np.array_equal(core, np.arange(len(core)) + core[0]):
        start = "" if core[0] == 0.0 else f"{core[0]}, "
        return f"np.arange({start}{core[0] + len(core)}){shape}"
    if core.ndim == 2:
        m, n = core.shape
        masks = [(np.tri(m, n), f"np.tri({m}, {n})"), (np.tri(n, m).T, f"np.tri({n}, {m}).T")]
        if n % m == 0:  # one for each head
            masks.append((np.tile(np.tri(m).T, n // m), f"np.tile(np.tri({m}).T, {n // m})"))
        for seen, text in masks:
            if np.array_equal(core, np.where(seen, 0.0, -np.inf)):
                return f"np.where({text}, 0.0, -np.inf){shape if array.ndim > 2 else ''}"
    listed = re.sub(r"\b(inf|nan)\b", r"np.\1", repr(array.tolist()))
    return f"np.array({listed})"


def _reshaped(of: Units, start: int, strides: Units, units: Units, rows: Sequence[str]) -> str | None:
    """Return a view of an array of these units as reshape, slices, transpose and broadcast; None for other places."""
    size = math.prod(of)
    order = sorted([k for k, s in enumerate(strides) if s], key=lambda k: -strides[k])
    steps = [size, *[strides[k] for k in order], 1]
    if any(a % b for a, b in itertools.pairwise(steps)):
        return None
    axes = [a // b for a, b in itertools.pairwise(steps)]
    first = [start // step % n for step, n in zip(steps[1:], axes, strict=True)]
    if any(at + units[k] > n for at, k, n in zip(first, order, axes, strict=False)):
        return None
    slices = ["" if units[k] == n else f"{at}" * bool(at) + f":{at + units[k]}"
              for at, k, n in zip(first, order, axes, strict=False)]  # fmt: skip
    last = [] if axes[-1] == 1 else [str(first[-1])]
    axes = axes[: len(order) + len(last)]
    text = f".reshape({', '.join([*map(str, axes), *rows]) or '()'})" * (of != tuple(axes))
    if any(slices) or last:
        text += f"[{', '.join([*[x or ':' for x in slices], *last])}]"
    turned = [order.index(k) for k in range(len(units)) if strides[k]]
    if turned != sorted(turned):
        text += f".transpose({', '.join(map(str, [*turned, *[len(turned)] * len(rows)]))})"
    if 0 in strides:
        text += f"[{', '.join([':' if s else 'None' for s in strides])}]"
    return text


def _identifier(name: str) -> str:
    name = unicodedata.normalize("NFKC", name) or "x"  # as Python reads it: ﬁ and fi are one name, x² is x2
    name = "".join([c if f"_{c}".isidentifier() else "_" for c in name])
    name = name if name.isidentifier() else f"_{name}"
    return f"{name}_" if keyword.iskeyword(name) or name == "__debug__" else name
