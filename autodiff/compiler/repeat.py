"""The short ways: a call like an earlier one, without all that a call has to find out first.

Each is a function `quick(*args)` that answers, or returns NotImplemented where the call is not like that one. A call is
like another if it asks for the same (the same `request`) of arguments of the same shapes.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.compiler.answers import Reduce, fetch
from autodiff.compiler.backends.buffers import without_warnings
from autodiff.compiler.backends.numba import LoopsInstance
from autodiff.compiler.backends.numpy import made_from
from autodiff.compiler.specialise import Want

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from autodiff.compiler.call import Call

_made_once = functools.lru_cache(maxsize=64)(made_from)  # the short ways of most programs have the same text
_NUMBERS = frozenset({float, int, bool, np.bool_, *(np.dtype(code).type for code in "efdbhilqBHILQ")})
_ARRAYS = "fiub"  # kinds of arrays that are numbers
_MANY = 4096


def number_of(x: Any) -> float:
    """Return a plain number, whatever its type, as a float; TypeError for anything that needs a second look."""
    if x.__class__ in _NUMBERS or (x.__class__ is np.ndarray and x.ndim == 0 and x.dtype.kind in _ARRAYS):
        try:
            return float(x)
        except OverflowError:
            pass
    raise TypeError


def request_of(argnums: Any, reduce: Reduce, weights: Any) -> Hashable:
    """Return what a call of `value_and_grad` asks for: True is not 1."""
    return argnums.__class__, argnums, reduce, weights is not None


def remember_point(call: Call, request: Hashable, function: Any, *, gradient: bool) -> None:
    """Take the short way from now on for calls with plain numbers alone; `function` is the one of floats."""
    if call.cache.order is not None and not call.trace.follows(call.cache.order):
        return
    names = [f"x{i}" for i in range(len(call.args))]
    given = ", ".join(names)
    values = "value, gradient, *rest" if gradient else "(value,)"
    answer = "value, array(gradient), *rest" if gradient else "value"
    plain = f"return function(None, {given})" if gradient else f"return function(None, {given})[0]"
    direct = getattr(function, "direct", None)
    if direct is not None:
        plain = f"value, by = direct({given}); return value, none, by"
    text = f"""def make(cache, trace, parameters, function, array, number, direct, none):
    def quick({given}):
        if not ({" is ".join([*(f"{x}.__class__" for x in names), "float"])}):
            {given}, = {", ".join(f"number({x})" for x in names)},
        try:
            {plain if not call.trace.parameters else f"{values} = function([p.data for p in parameters], {given})"}
        except (ArithmeticError, ValueError):
            return NotImplemented
        cache.latest = trace  # whose order the gradient has
        return {answer}
    return quick"""
    cache, trace = call.cache, call.trace
    quick = _made_once(text)(cache, trace, trace.parameters, function, np.array, number_of, direct, np.zeros(0))
    cache.remember(request, 0, quick)


class _Answers:
    """The results of a run, as a short way writes them: `parts` are the texts of value, gradient and derivatives."""

    def __init__(self, call: Call, want: Want, reduce: Reduce, instance: Any, *, weighted: bool) -> None:
        self.call, self.want, self.rows = call, want, instance.rows
        self.scale = 1.0 / call.rows if reduce == "mean" and not weighted else 1.0
        self.bound: dict[str, Any] = {"scale": np.array(self.scale), "ones": np.ones(self.rows)}
        self.passed: list[str] = []  # to a run, where it takes more than the arguments as units × rows
        self.lines: list[str] = []  # after it
        self.sums: list[str] = []  # in which what is not finite shows
        self.parts: list[str] = []
        code = instance.backend.code
        self.results: list[
            tuple[Any, tuple[int, ...], bool]
        ] = []  # with the shape, and whether there is one for each row
        if reduce is None:
            self.results.append((code.outputs[0], (self.rows, *call.trace.shared.shape), True))
        n = len(call.trace.parameters)
        if want.gradient and want.per_row and n:
            self.results.append((0.0 if code.gradient is None else code.gradient, (self.rows, n), True))
        for i in want.argnums:
            each = call.batched[i] or want.per_row
            shape = (self.rows,) * (each and not call.batched[i]) + (call.args[i].shape)
            self.results.append((code.input_gradients.get(i, 0.0), shape, each))
        if (
            not weighted
            and isinstance(instance, LoopsInstance)
            and {x.__class__ for x, *_ in self.results} <= {int, slice}
        ):
            self._taken(instance)
        else:
            self._copied(instance, "seeds" if weighted else "")
        if reduce is not None:
            self.bound["values"] = values = fetch(instance, code.outputs[0])
            if np.shape(values) != (self.rows,):
                raise ValueError
            self.lines.append(f"value = float(values.dot({'seeds' if weighted else 'ones'})) * {self.scale!r}")
            self.sums.append("value")
            self.parts.insert(0, "value")
        if want.gradient and want.per_row and not n:
            self.bound["none"] = np.zeros
            self.parts.insert(1, f"none(({self.rows}, 0))")
        if want.gradient and not want.per_row:
            self.bound["gradient"] = instance.gradient
            self._sum_of("slopes", "multiply(gradient, scale)", instance.gradient.size)
            self.parts.insert(1, "slopes")

    def _taken(self, instance: LoopsInstance) -> None:
        """Let loops write into the memory of the answer: all of it is there for each row."""
        flat, tile, sums = instance.others
        self.bound |= {"run": instance.compiled, "empty": np.empty, "flat": flat, "tile": tile, "sums": sums}
        for k, (x, batched) in enumerate(zip(self.call.args, self.call.batched, strict=True)):
            form = ".ravel()" if not batched and x.ndim else f".reshape({self.rows}, -1)" if x.ndim > 2 else ""
            self.passed.append(f"x{k}{form}")
        self.passed += ["flat", "tile", "sums", f"out := empty({instance.memory.size})"]
        self._sum("out", instance.out.size)
        if self.scale != 1.0:
            self.lines.append("multiply(out, scale, out)")
        for place, shape, _ in self.results:
            start, stop = (place, place + 1) if place.__class__ is int else (place.start, place.stop)
            text = f"out[{start * self.rows}:{stop * self.rows}]"
            if place.__class__ is slice:
                text += f".reshape({stop - start}, {self.rows}).T"
            self.parts.append(text if len(shape) == 1 + (place.__class__ is slice) else f"{text}.reshape({shape})")

    def _copied(self, instance: Any, seeds: str) -> None:
        for k, (x, shape, each) in enumerate(self.results):
            name, source = f"r{k}", fetch(instance, x)
            size = math.prod(shape[1:]) if each else math.prod(shape)
            whole = np.broadcast_to(source, (size, shape[0]) if each else (max(1, size), 1))
            self.bound[f"of_{name}"] = view = (whole.T if each else whole[:size]).reshape(shape)
            if source.__class__ is np.ndarray and not np.may_share_memory(view, source):
                raise ValueError  # a copy would not change with the next run
            self.parts.append(name)
            if not shape:
                self.lines.append(f"{name} = float(of_{name}) * {self.scale!r}")
                self.sums.append(name)
            elif k == 0 and seeds and self.want.per_row:  # the values
                self._sum_of(name, f"multiply(of_{name}, seeds)", view.size)
            elif self.scale == 1.0:
                self._sum_of(name, f"array(of_{name})", view.size)
            else:
                self._sum_of(name, f"multiply(of_{name}, scale{', order=C' * (len(shape) > 1)})", view.size)

    def _sum_of(self, name: str, text: str, size: int) -> None:
        self.lines.append(f"{name} = {text}")
        self._sum(name, size)

    def _sum(self, name: str, size: int) -> None:
        flat = name if name == "out" or (name == "slopes" and not self.want.per_row) else f"{name}.ravel()"
        self.sums.append(f"add({name}, None)" if size > _MANY else f"{flat}.dot({flat})")

    def answer(self, argnums: Any) -> str:
        """Return the text of the answer, whose derivatives are one or a tuple as `argnums` are."""
        n = len(self.parts) - len(self.want.argnums)
        by = self.parts[n:]
        return ", ".join(
            self.parts[:n] + ([] if argnums is None else [f"({', '.join(by)},)"] if isinstance(argnums, tuple) else by)
        )


def remember_rows(call: Call, request: Hashable, want: Want, reduce: Reduce, argnums: Any, *, weighted: bool) -> None:
    """Take the short way from now on for what is asked of arrays of these shapes."""
    trace, cache, rows = call.trace, call.cache, call.rows
    order = cache.order
    if (
        call.static
        or call.form
        or trace.shared.form
        or (order is not None and not trace.follows(order))
        or not all(x.size for x in call.args)
    ):
        return
    version = trace.version(want)
    block = version.rows_at_once(rows, 1)
    several = block < rows
    if several and (argnums is not None or reduce is None or weighted or not trace.parameters):
        return  # the long way is short beside them; and several threads may share the blocks
    names = [f"x{i}" for i in range(len(call.args))]
    parts = [slice(start, min(start + block, rows)) for start in range(0, rows, block)]
    try:
        made = {n: _Answers(call, want, reduce, version.instance(n), weighted=weighted)
                for n in {part.stop - part.start for part in parts}}  # fmt: skip
    except ValueError:
        return
    answers = made[parts[0].stop]
    run = version.instance(parts[0].stop).run
    bound: dict[str, Any] = {
        "lock": cache.lock, "quietly": without_warnings, "ndarray": np.ndarray, "dtype": np.dtype(np.float64),
        "cache": cache, "trace": trace, "multiply": np.multiply, "array": np.array, "C": "C", "number": number_of,
        "isfinite": math.isfinite, "add": np.add.reduce, "run": run, **answers.bound,
        **{f"s{x}": given.shape for x, given in zip(names, call.args, strict=True)},
    }  # fmt: skip
    if several:
        blocks = [(part, part.stop - part.start) for part in parts]
        bound["blocks"] = [
            (part, version.instance(n).run, *[made[n].bound[x] for x in ("values", "ones", "gradient")])
            for part, n in blocks
        ]
        lines = [
            "value, slopes = 0.0, 0.0",
            "for part, run, values, ones, gradient in blocks:",
            f"    run({', '.join(_passed(call, names, '[part]'))})",
            "    value += float(values.dot(ones))",
            "    slopes += gradient",
            f"value, slopes = value * {answers.scale!r}, multiply(slopes, scale)",
        ]
    else:
        passed = _passed(call, names)
        if "seed" in version.backend.arguments:
            passed.append("seeds" if weighted else "ones")
        lines = [f"run({', '.join(answers.passed or passed)})", *answers.lines]
    text = _text(
        call, names, list(bound), lines, answers.answer(argnums), " + ".join(answers.sums), weighted and reduce
    )
    cache.remember(request, rows if call.args[0].ndim else 0, _made_once(text)(**bound))


def _passed(call: Call, names: Sequence[str], part: str = "") -> list[str]:
    """Return the arguments as a run takes them, units × rows."""
    texts: list[str] = []
    for name, x, batched in zip(names, call.args, call.batched, strict=True):
        if not batched:
            texts.append(f"{name}.reshape(-1, 1)" if x.ndim else name)
        else:
            form = (
                "" if x.ndim == 1 else ".T" if x.ndim == 2 else f".reshape({'-1' if part else len(x)}, {x[0].size}).T"
            )
            texts.append(name + part + form)
    return texts


def _text(
    call: Call, names: Sequence[str], bound: Sequence[str], lines: Sequence[str], answer: str, total: str,
    weighted: Any,
) -> str:  # fmt: skip
    """Return the text of a short way; `weighted`: how weights are reduced, False without."""
    arrays = [x for x, given in zip(names, call.args, strict=True) if given.ndim]
    checks = [f"{x}.__class__ is not ndarray or {x}.shape != s{x} or {x}.dtype is not dtype" for x in arrays]
    numbers = [f"        {x} = number({x})" for x in names if x not in arrays]
    given, seeds = list(names), []
    if weighted is not False:
        given.append("seeds")
        checks.append(f"seeds.__class__ is not ndarray or seeds.shape != ({call.rows},) or seeds.dtype is not dtype")
        seeds = [
            "        total = float(seeds.sum())", "        if not 0.0 < total < 1e300:",
            "            return NotImplemented", "        seeds = seeds / total",
        ] if weighted == "mean" else []  # fmt: skip
    return "\n".join([
        f"def make({', '.join(bound)}):",
        f"    def compute({', '.join(given)}):",
        *[f"        {line}" for line in lines],
        f"        return ({answer}), isfinite({total})",
        *(["    compute = quietly(compute)"] if "tile" not in bound else []),  # machine code warns of nothing
        f"    def quick({', '.join(f'{x}=None' for x in given)}):",
        f"        if {' or '.join(checks) or 'False'}:",
        "            return NotImplemented",
        *numbers, *seeds,
        "        with lock:",
        "            if cache.training is not trace:",
        "                trace.read()",
        f"            answer, finite = compute({', '.join(given)})",
        "        if not finite:",
        "            return NotImplemented",
        "        cache.latest = trace",
        "        return answer",
        "    return quick",
    ])  # fmt: skip
