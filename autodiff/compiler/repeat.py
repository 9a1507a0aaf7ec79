"""The short ways: a call like an earlier one, without all that a call has to find out first.

Each is a function `quick(*args)` that answers, or returns NotImplemented where the call is not like that one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.compiler.answers import Reduce, fetch
from autodiff.compiler.backends.buffers import without_warnings
from autodiff.compiler.backends.numpy import made_from
from autodiff.compiler.specialise import KEPT, Want

if TYPE_CHECKING:
    from autodiff.compiler.call import Call

_made_once = functools.lru_cache(maxsize=64)(made_from)  # the short ways of most programs have the same text


def remember_point(call: Call, argnums: Any, reduce: Reduce, function: Any) -> None:
    """Take the short way from now on for calls with floats alone; `function` is the one of floats."""
    if reduce is None or argnums.__class__ not in {int, tuple, type(None)} or argnums == ():
        return
    names = [f"x{i}" for i in range(len(call.args))]
    text = f"""def make(cache, trace, parameters, function, array):
    def quick({", ".join(names)}):
        if not ({" is ".join([*(f"{x}.__class__" for x in names), "float"])}) or cache.training is not None:
            return NotImplemented
        try:
            if not parameters:
                return function(None, {", ".join(names)})
            value, gradient, *rest = function([p.data for p in parameters], {", ".join(names)})
        except (ArithmeticError, ValueError):
            return NotImplemented
        cache.latest = trace  # whose order the gradient has
        return value, array(gradient), *rest
    return quick"""
    cache, trace = call.cache, call.trace
    cache.quick[argnums.__class__, argnums, reduce, 0] = _made_once(text)(
        cache, trace, trace.parameters, function, np.array
    )


def remember_batch(call: Call, reduce: Reduce) -> None:
    """Take the short way from now on for the parameters' gradient with arrays of these shapes."""
    trace, cache, rows = call.trace, call.cache, call.rows
    key = type(None), None, reduce, rows
    if key in cache.quick or len(cache.quick) >= KEPT:
        return
    if call.static or call.form or not all(call.batched) or reduce is None:
        return
    version = trace.version(Want(gradient=True))
    block = version.rows_at_once(rows, 1)
    if block < rows and not trace.parameters:  # several threads may share the blocks then
        return
    (output,) = version.backend.code.outputs
    parts = [slice(start, min(start + block, rows)) for start in range(0, rows, block)]
    made: dict[int, tuple[Any, ...]] = {}  # by length: what blocks of that length share
    for n in {part.stop - part.start for part in parts}:
        instance = version.instance(n)
        values = fetch(instance, output)
        if np.shape(values) != (n,):
            return
        made[n] = instance.run, values, np.ones(n), instance.gradient
    blocks = [(part, *made[part.stop - part.start]) for part in parts]
    names = [f"x{i}" for i in range(len(call.args))]
    scale = 1.0 / rows if reduce == "mean" else 1.0
    bound: dict[str, Any] = {
        "lock": cache.lock, "quietly": without_warnings, "ndarray": np.ndarray, "dtype": np.dtype(np.float64),
        "cache": cache, "trace": trace, "blocks": blocks, "multiply": np.multiply, "scale": np.array(scale),
        "float_scale": scale, "isfinite": math.isfinite,
        **{f"s{x}": given.shape for x, given in zip(names, call.args, strict=True)},
    }  # fmt: skip
    cache.quick[key] = _made_once(_text(call.args, names, list(bound), several=len(blocks) > 1))(**bound)


def _text(args: Sequence[Any], names: Sequence[str], bound: Sequence[str], *, several: bool) -> str:
    """Return the text of a short way for batches; `several`: whether the rows are more than one block."""
    checks = " or ".join(f"{x}.__class__ is not ndarray or {x}.shape != s{x} or {x}.dtype is not dtype" for x in names)
    transposed = all(x.ndim <= 2 for x in args)
    passed = ", ".join([
        f"{x}{'[part]' * several}" + (".T" if transposed or given.ndim < 2 else ".reshape(len(ones), -1).T")
        for x, given in zip(names, args, strict=True)
        if given.size
    ])  # fmt: skip
    one = f"""
        run({passed})
        value, answer = float(values.dot(ones)) * float_scale, multiply(gradient, scale)"""
    more = f"""
        value, answer = 0.0, 0.0
        for part, run, values, ones, gradient in blocks:
            run({passed})
            value += float(values.dot(ones))
            answer += gradient
        value, answer = value * float_scale, multiply(answer, scale)"""
    return f"""def make({", ".join(bound)}):
    _, run, values, ones, gradient = blocks[0]
    def compute({", ".join(names)}):{more if several else one}
        return value, answer, isfinite(answer.dot(answer) + value)
    compute = quietly(compute)
    def quick({", ".join(f"{x}=None" for x in names)}):
        if {checks}:
            return NotImplemented
        with lock:
            if cache.training is not trace:
                if cache.training is not None:
                    return NotImplemented
                trace.read()
            value, answer, finite = compute({", ".join(names)})
        if not finite:
            return NotImplemented
        cache.latest = trace
        return value, answer
    return quick"""
