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
from autodiff.compiler.backends.numba import Loops
from autodiff.compiler.backends.numpy import made_from
from autodiff.compiler.specialise import Want

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from autodiff.compiler.call import Call

_made_once = functools.lru_cache(maxsize=64)(made_from)  # the short ways of most programs have the same text
_NUMBERS = frozenset({float, int, *(np.dtype(code).type for code in "efdbhilqBHILQ")})
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


def remember_point(
    call: Call, request: Hashable, function: Any, argnums: Any = None, *, gradient: bool, reduce: Reduce = "mean"
) -> None:
    """Take the short way from now on for calls with plain numbers alone; `function` is the one of floats."""
    key = call.key(request)
    if key is None or (call.cache.order is not None and not call.trace.follows(call.cache.order)):
        return
    names = [f"x{i}" for i in range(len(call.args))]
    given = ", ".join(names)
    shape, form = call.trace.shared.shape, call.trace.shared.form
    direct = getattr(function, "direct", None)
    if gradient:
        found = "value, by" if direct is not None else "value, gradient, *rest"
        slopes = "none" if direct is not None else "array(gradient)"
        first = ("value", slopes) if reduce is not None else ("array([value])", f"{slopes}.reshape(1, -1)")
        rest = "by" if direct is not None else "*rest"
        leaves = [f"{'by' if direct is not None else 'rest[0]'}[{k}]" for k in range(len(call.args))]
        chosen = [leaves[k] for k in range(sum([len(call.leaves_of(i)) for i in call.asked]))]
        parts = call.text_of(argnums, chosen) if call.form is not None else [rest] * (argnums is not None)
        answer = ", ".join([*first, *parts])
    else:
        found = "values" if shape else "value" if direct is not None else "(value,)"
        answer = f"array(values).reshape({shape})" if shape else "value"
        if form is not None:
            answer = form.text("values[{}]", "array(values[{}:{}]).reshape({})") or "filled(array(values))"
    if direct is not None:
        plain = f"{found} = direct({given}); return {answer}"
    elif gradient and reduce is not None and call.form is None:
        plain = f"return function(None, {given})"
    else:
        plain = f"{found} = function(None, {given}); return {answer}"
    text = f"""def make(cache, trace, parameters, function, array, number, direct, none, filled):
    def quick({given}):
        if not ({" is ".join([*(f"{x}.__class__" for x in names), "float"])}):
            {given}, = {", ".join(f"number({x})" for x in names)},
        try:
            {plain if not call.trace.parameters else f"{found} = function([p.data for p in parameters], {given})"}
        except (ArithmeticError, ValueError):
            return NotImplemented
        cache.latest = trace  # whose order the gradient has
        return {answer}
    return quick"""
    cache, trace = call.cache, call.trace
    filled = None if form is None else form.filled
    own = cache, trace, trace.parameters, function
    quick = _made_once(text)(*own, np.array, number_of, direct, np.zeros(0), filled)
    cache.remember(key, 0, quick)


class _Answers:
    """The results of a run, as a short way writes them: `parts` are the texts of value, gradient and derivatives."""

    def __init__(self, call: Call, want: Want, reduce: Reduce, instance: Any, *, weighted: bool) -> None:
        self.call, self.want, self.rows = call, want, instance.rows
        self.scale = 1.0 / call.rows if reduce == "mean" and not weighted else 1.0
        self.bound: dict[str, Any] = {"scale": np.array(self.scale), "ones": np.ones(self.rows)}
        self.before: list[str] = []  # what is done before the run
        self.lines: list[str] = []  # after it
        self.sums: list[str] = []  # in which what is not finite shows
        self.parts: list[str] = []
        code = instance.backend.code
        # With the shape of each, and whether there is one for each row.
        self.results: list[tuple[Any, tuple[int, ...], bool]] = []
        if reduce is None:
            self.results.append((code.outputs[0], (self.rows, *call.trace.shared.shape), True))
        n = len(call.trace.parameters)
        by_row = instance.backend.by_row
        if want.gradient and want.per_row and n and by_row is None:
            self.results.append((0.0 if code.gradient is None else code.gradient, (self.rows, n), True))
        for i in want.argnums:
            each = call.batched[i] or want.per_row
            shape = (self.rows,) * (each and not call.batched[i]) + (call.args[i].shape)
            self.results.append((code.input_gradients.get(i, 0.0), shape, each))
        self._copied(instance, "seeds" if weighted else "")
        if reduce is not None:
            self.bound["values"] = values = fetch(instance, code.outputs[0])
            if np.shape(values) != (self.rows,):
                raise ValueError
            self.lines.append(f"value = float(values.dot({'seeds' if weighted else 'ones'})) * {self.scale!r}")
            self.sums.append("value")
            self.parts.insert(0, "value")
        self.written = "" if by_row is None else f", v{by_row.number}=slopes"  # what a run writes where it is wanted
        if by_row is not None:
            self.bound["empty"] = np.empty
            self.before = [f"slopes = empty(({n}, {self.rows}))"]
            self.sums.append("total")
            self.parts.insert(1, "slopes.T")
        if want.gradient and want.per_row and not n:
            self.bound["none"] = np.zeros
            self.parts.insert(1, f"none(({self.rows}, 0))")
        if want.gradient and not want.per_row:
            self.bound["gradient"] = instance.gradient
            self._sum_of("slopes", "multiply(gradient, scale)", instance.gradient.size)
            self.parts.insert(1, "slopes")

    def _copied(self, instance: Any, seeds: str) -> None:
        for k, (x, shape, each) in enumerate(self.results):
            name, source = f"r{k}", fetch(instance, x)
            size = math.prod(shape[1:]) if each else math.prod(shape)
            whole = np.broadcast_to(source, (size, shape[0]) if each else (max(1, size), 1))
            self.bound[f"of_{name}"] = view = (whole.T if each else whole[:size]).reshape(shape)
            copied = x.__class__ is list  # a tape gathers the entries of an array
            if copied or (source.__class__ is np.ndarray and not np.may_share_memory(view, source)):
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
        flat = name if name == "slopes" and not self.want.per_row else f"{name}.ravel()"
        self.sums.append(f"add({name}, None)" if size > _MANY else f"{flat}.dot({flat})")


class _LoopsAnswers:
    """The same of loops, which write into a fresh answer, and see to the kinds and lengths of their arguments."""

    def __init__(self, call: Call, want: Want, reduce: Reduce, loops: Loops, *, weighted: bool) -> None:
        rows, code, n = call.rows, loops.code, len(call.trace.parameters)
        self.scale = scale = 1.0 / rows if reduce == "mean" and not weighted else 1.0
        self.bound: dict[str, Any] = {
            "run": loops.run(), "empty": np.empty, "full": np.full, "flat": call.trace.flat, "ones": np.ones(rows),
            "scale": np.array(scale), "none": np.zeros((rows, 0) if want.per_row else 0),
        }  # fmt: skip
        passed = [
            name + (f".reshape({rows}, -1)" if batched and x.ndim > 2 else ".ravel()" if x.ndim > 1 + batched else "")
            for name, x, batched in zip(loops.arguments, call.args, call.batched, strict=False)
        ]
        fresh = {"flat": "flat", "sums": f"sums := empty({loops.summed})"}
        passed += (["seeds" if weighted else "ones"] if "seed" in loops.arguments else []) + [
            *[fresh[name] for name in loops.others], f"out := empty(({loops.height}, {rows}))", "0", str(rows)
        ]  # fmt: skip
        self.lines = [f"total = run({', '.join(passed)})", "if not isfinite(total):", "    return NotImplemented"]
        if reduce is None:
            value = self._result(code.outputs[0], (rows, *call.trace.shared.shape)) + " * seeds" * weighted
        else:
            value = "value"
            self.lines.append(f"value = float(out[{code.outputs[0]}].dot({'seeds' if weighted else 'ones'}) * scale)")
        if scale != 1.0:
            self.lines += [f"multiply({name}, scale, {name})" for name in ("out", *loops.others) if name != "flat"]
        self.parts = [value]
        if want.gradient and want.per_row:
            self.parts.append(self._result(code.gradient if code.gradient.__class__ is slice else 0.0, (rows, n)))
        elif want.gradient:
            self.parts.append(self._result((0, n) if "sums" in loops.others else 0.0, (n,)))
        for i in want.argnums:
            each, x = call.batched[i] or want.per_row, code.input_gradients.get(i, 0.0)
            shape = (rows,) * (each and not call.batched[i]) + call.args[i].shape
            if x.__class__ is float and x and not each:
                raise ValueError  # the long way adds it up
            self.parts.append(self._result(x, shape))

    def _result(self, x: Any, shape: tuple[int, ...]) -> str:
        """Return the text of a result: a constant, a row of `out` or several, or some of the sums."""
        if not math.prod(shape):  # empty
            return "none"
        if x.__class__ is float:
            return f"full({shape}, {x * self.scale!r})" if shape else repr(x)
        if x.__class__ is tuple:
            return f"sums[{x[0]}:{x[1]}].reshape({shape})" if shape else f"float(sums[{x[0]}])"
        if x.__class__ is int:
            return f"out[{x}]" + f".reshape({shape})" * (len(shape) > 1)
        return f"out[{x.start}:{x.stop}].T" + f".reshape({shape})" * (len(shape) > 2)


def remember_rows(call: Call, request: Hashable, want: Want, reduce: Reduce, argnums: Any, *, weighted: bool) -> None:
    """Take the short way from now on for what is asked of arrays of these shapes."""
    trace, cache, rows = call.trace, call.cache, call.rows
    order, key = cache.order, call.key(request)
    if key is None or (order is not None and not trace.follows(order)) or not all(x.size for x in call.args):
        return
    version = trace.version(want)
    block = version.rows_at_once(rows, 1)
    several = block < rows
    loops = version.backend if isinstance(version.backend, Loops) else None
    if several and (loops or argnums is not None or reduce is None or weighted or not trace.parameters):
        return  # the long way is short beside them; and several threads may share the blocks
    names = [f"x{i}" for i in range(len(call.args))]
    parts = [slice(start, min(start + block, rows)) for start in range(0, rows, block)]
    try:
        made = {n: _LoopsAnswers(call, want, reduce, loops, weighted=weighted) if loops
                else _Answers(call, want, reduce, version.instance(n), weighted=weighted)
                for n in {part.stop - part.start for part in parts}}  # fmt: skip
    except ValueError:
        return
    answers = made[parts[0].stop]
    bound: dict[str, Any] = {
        "lock": cache.lock, "quietly": without_warnings, "ndarray": np.ndarray, "dtype": np.dtype(np.float64),
        "cache": cache, "trace": trace, "multiply": np.multiply, "array": np.array, "C": "C", "number": number_of,
        "isfinite": math.isfinite, "add": np.add.reduce, **answers.bound,
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
    elif isinstance(answers, _LoopsAnswers):
        lines = answers.lines
    else:
        bound["run"] = version.instance(rows).run
        passed = _passed(call, names)
        if "seed" in version.backend.arguments:
            passed.append("seeds" if weighted else "ones")
        lines = [*answers.before, f"total = run({', '.join(passed)}{answers.written})", *answers.lines]
    n = len(answers.parts) - len(want.argnums)
    answer = ", ".join([*answers.parts[:n], *call.text_of(argnums, answers.parts[n:])])
    form = trace.shared.form
    if form is not None:
        bound["filled"] = form.filled
        lines.append(f"whole = {answer}")
        answer = form.text("whole[:, {}]", f"whole[:, {{}}:{{}}].reshape({rows}, {{}})") or "filled(whole)"
    total = "" if isinstance(answers, _LoopsAnswers) else " + ".join(answers.sums)
    text = _text(call, names, list(bound), lines, answer, total, weighted and reduce)
    cache.remember(key, rows if call.args[0].ndim else 0, _made_once(text)(**bound))


def _passed(call: Call, names: Sequence[str], part: str = "") -> list[str]:
    """Return the arguments as a run takes them, units × rows."""
    texts: list[str] = []
    for name, x, batched in zip(names, call.args, call.batched, strict=True):
        if not batched:
            texts.append(f"{name}.reshape(-1, 1)" if x.ndim else name)
        else:
            flat = f".reshape({'-1' if part else len(x)}, {x[0].size})" if x.ndim > 2 else ""
            texts.append(name + part + flat + ".T" * (x.ndim > 1))
    return texts


def _text(
    call: Call, names: Sequence[str], bound: Sequence[str], lines: Sequence[str], answer: str, total: str,
    weighted: Any,
) -> str:  # fmt: skip
    """Return the text of a short way; `weighted`: how weights are reduced, False without; no `total`: loops."""
    arrays = [x for x, given in zip(names, call.args, strict=True) if given.ndim]
    checks = [f"{x}.__class__ is not ndarray or {x}.shape != s{x} or {x}.dtype is not dtype" for x in arrays]
    if not total and arrays:  # loops see to the rest
        deep = [f"{x}.shape != s{x}" for x in arrays if call.args[names.index(x)].ndim > 1]
        checks = [f"not ({' is '.join([*(f'type({x})' for x in arrays), 'ndarray'])})", *deep]
    numbers = [f"        {x} = number({x})" for x in names if x not in arrays]
    given, seeds = list(names), []
    if weighted is not False:
        given.append("seeds")
        checks.append(f"seeds.__class__ is not ndarray or seeds.shape != ({call.rows},) or seeds.dtype is not dtype")
        seeds = [
            "        total = float(seeds.sum())", "        if not 0.0 < total < 1e300:",
            "            return NotImplemented", "        seeds = seeds / total",
        ] if weighted == "mean" else []  # fmt: skip
    compute = [
        f"    def compute({', '.join(given)}):", *[f"        {line}" for line in lines],
        f"        return ({answer}), isfinite({total})",
        "    compute = quietly(compute)",
    ] if total else []  # fmt: skip
    locked = [
        "if cache.training is not trace:", "    trace.read()",
        *([f"answer, finite = compute({', '.join(given)})"] if total else lines),
    ]  # fmt: skip
    shared = total or call.trace.parameters  # something that another thread could change
    locked = ["with lock:", *[f"    {line}" for line in locked]] if shared else locked[2:]
    return "\n".join([
        f"def make({', '.join(bound)}):", *compute,
        f"    def quick({', '.join(f'{x}=None' for x in given)}):",
        *([f"        if {' or '.join(checks)}:", "            return NotImplemented"] if checks else []),
        *numbers, *seeds, *[f"        {line}" for line in locked],
        *(["        if not finite:", "            return NotImplemented"] if total else []),
        "        cache.latest = trace",
        f"        return {'answer' if total else f'({answer})'}",
        "    return quick",
    ])  # fmt: skip
