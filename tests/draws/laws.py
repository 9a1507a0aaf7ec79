"""The laws of a drawn program: whatever computes it, and in whatever way it is asked, the numbers are those of Values."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import numpy as np

from autodiff import DomainError, Value, compile, jvp
from tests.draws.cases import Case
from tests.stages import carefully, in_blocks_of

LARGEST = 1e4  # roundings of sums of larger numbers that cancel are no longer small
EACH = 0.03  # share of draws under JAX, whose compiler takes seconds; of those by numba a tenth


class Undecided(Exception):
    """The function leaves the numbers that can be compared: too large, or it jumps within a rounding."""


class Counts:
    """What was compared, how often, and the worst relative difference of each."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.worst: dict[str, float] = {}

    def close(self, name: str, ours: Any, theirs: Any, scale: float, *, rtol: float = 1e-9) -> None:
        """Some hundred roundings of numbers of this scale, of which some cancel; twice as many digits at second order."""
        ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
        assert ours.shape == theirs.shape, f"{name}: {ours.shape} is not {theirs.shape}"
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=0.1 * rtol * scale, err_msg=name)
        self.done[name] += 1
        off = float(np.abs(ours - theirs).max(initial=0.0)) / scale
        self.worst[name] = max(self.worst.get(name, 0.0), off)


def numbers(x: Any, *, values: bool) -> Any:
    """An argument of one row as a person has it: lists of Values or floats; places are ints."""
    if np.ndim(x):
        return [numbers(part, values=values) for part in x]
    if np.asarray(x).dtype.kind in "iu":
        return int(x)
    return Value(float(x)) if values else float(x)


def slopes(x: Any) -> Any:
    if isinstance(x, list):
        return [slopes(part) for part in x]
    return x.grad if isinstance(x, Value) and x.swept else 0.0


def eager(case: Case, arguments: list[Any], rows: int) -> tuple[Any, Any, list[Any]]:
    """Values of the rows, and each one's derivatives by parameters and by the arguments that have some."""
    values, by_parameters, by = [], [], []
    for i in range(rows):
        for p in case.parameters:
            p.zero_grad()
        given = [numbers(x, values=True) for x in case.row(arguments, i)]
        out = case.f(*given)
        if isinstance(out, Value):
            out.backward()
        values.append(out.data if isinstance(out, Value) else float(out))
        by_parameters.append([p.grad if p.swept else 0.0 for p in case.parameters])
        by.append([slopes(given[k]) for k in case.smooth])
    shapes = list(case.shapes.values())
    inputs = [np.array([row[k] for row in by]).reshape(rows, *shapes[i]) for k, i in enumerate(case.smooth)]
    return np.array(values), np.array(by_parameters).reshape(rows, -1), inputs


def moved(case: Case, arguments: list[Any], rows: int) -> bool:
    """Whether Values themselves give something else a few roundings away: at a kink, a jump, or in chaos."""
    before = eager(case, arguments, rows)
    rng = np.random.default_rng(0)
    for _ in range(3):
        shaken = [
            x if name in case.whole else x * (1.0 + rng.normal(0.0, 1e-14, np.shape(x)))
            for name, x in zip(case.shapes, arguments, strict=True)
        ]
        after = eager(case, shaken, rows)
        for x, y in zip([*before[:2], *before[2]], [*after[:2], *after[2]], strict=True):
            if not np.allclose(x, y, rtol=1e-10, atol=1e-11 * max(1.0, np.abs(x).max(initial=0.0))):
                return True
    return False


def check(case: Case, rows: int, counts: Counts | None = None, *, jax: bool = False, numba: bool = False) -> None:
    """Compare everything; AssertionError where something differs, Undecided where nothing can be said."""
    arguments = case.arguments(rows)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _check(case, rows, arguments, counts or Counts(), jax=jax, numba=numba)
    except AssertionError:
        if moved(case, arguments, rows):
            raise Undecided("jumps within a rounding") from None
        raise


def _check(case: Case, rows: int, arguments: list[Any], counts: Counts, *, jax: bool, numba: bool) -> None:
    try:
        values, by_parameters, by_inputs = eager(case, arguments, rows)
    except (DomainError, OverflowError) as error:
        raise Undecided(type(error).__name__) from error
    scale = max([1.0, *(float(np.abs(x).max(initial=0.0)) for x in (values, by_parameters, *by_inputs))])
    if not scale < LARGEST:
        raise Undecided("too large")
    close = lambda name, ours, theirs: counts.close(name, ours, theirs, scale)
    every = case.smooth
    shares = np.array([name in case.shared for name in case.shapes])[list(every)]
    program = compile(case.f, threads=1, in_axes=case.in_axes)
    close("values", program(*arguments), values)
    place = {id(p): k for k, p in enumerate(case.parameters)}
    order = [place[id(p)] for p in program.parameters]
    wanted = by_parameters[:, order]
    assert not by_parameters[:, [k for k in range(len(place)) if k not in order]].any(), "a parameter is not met"

    def of_inputs(name: str, found: Any, weights: Any) -> None:
        for x, each, shared in zip(found, by_inputs, shares, strict=True):
            weighted = weights.reshape(-1, *[1] * (each.ndim - 1)) * each
            close(name, x, weighted.sum(axis=0) if shared else weighted)

    # First for rows that are all alike: buffers that keep something of them show it afterwards.
    alike = [
        x if shared is None else np.repeat(x[:1], rows, 0) for x, shared in zip(arguments, case.in_axes, strict=True)
    ]
    ones = np.ones(rows)
    for again, given in enumerate((alike, arguments, arguments)):
        name = "gradient, again" if again == 2 else "gradient"
        value, gradient, at = program.value_and_grad(*given, argnums=every)
        close(name, value, values.mean() if again else values[0])
        close(name, gradient, wanted.mean(axis=0) if again else wanted[0])
        if again:
            of_inputs("argnums", at, ones / rows)
    for given in (alike, arguments):
        each, gradients, at = program.value_and_grad(*given, argnums=every, reduce=None)
        if given is arguments:
            close("reduce=None", each, values)
            close("reduce=None", gradients, wanted)
            for x, own in zip(at, by_inputs, strict=True):
                close("reduce=None", x, own)
    weights = np.random.default_rng(rows).uniform(0.1, 1.0, size=rows)
    total, gradient, at = program.value_and_grad(*arguments, reduce="sum", weights=weights, argnums=every)
    close("weights", total, weights @ values)
    close("weights", gradient, weights @ wanted)
    of_inputs("weights", at, weights)
    with in_blocks_of(3, program):
        total, gradient, at = program.value_and_grad(*arguments, reduce="sum", argnums=every)
        close("blocks of 3 rows", total, values.sum())
        close("blocks of 3 rows", gradient, wanted.sum(axis=0))
        of_inputs("blocks of 3 rows", at, ones)
        with carefully(program):
            total, gradient, at = program.value_and_grad(
                *arguments, reduce="sum", argnums=every, weights=weights, check=True
            )
            close("careful passes, check=True", total, weights @ values)
            close("careful passes, check=True", gradient, weights @ wanted)
            of_inputs("careful passes, check=True", at, weights)
    with program.training(*arguments) as flat:
        before = flat.copy()
        flat += 1.0
        program.value_and_grad(*arguments)
        flat[:] = before
        close("training", program.value_and_grad(*arguments)[1], wanted.mean(axis=0))
    _check_point(case, arguments, values, by_parameters, by_inputs, close)
    flat = np.array([p.data for p in program.parameters])
    module: dict[str, Any] = {}
    source = program.trace(*arguments).source
    exec(source, module)
    if "value_and_grad" in module:  # of long folds the text has the forward pass alone
        value, gradient = module["value_and_grad"](flat, *arguments)
        close("the text", value, values.mean())
        close("the text", gradient, wanted.mean(axis=0))
    close("the text", np.broadcast_to(module["forward"](flat, *arguments), rows), values)
    _check_rates(case, arguments, program, values, counts, scale)
    _check_curvatures(case, arguments, program, order, counts)
    if case.also is not None:
        counts.done[case.also(case)] += 1
    if jax:
        _check_jax(source, flat, arguments, values, wanted, close)
    if numba:
        loops = compile(case.f, backend="numba", in_axes=case.in_axes, parameters=case.parameters)
        close("numba", loops(*arguments), values)
        each, gradients = loops.value_and_grad(*arguments, reduce=None)
        close("numba", each, values)
        close("numba", gradients, by_parameters)
        value, gradient, at = loops.value_and_grad(*arguments, argnums=every)
        close("numba", value, values.mean())
        close("numba", gradient, by_parameters.mean(axis=0))
        of_inputs("numba", at, ones / rows)


def _check_point(case, arguments, values, by_parameters, by_inputs, close):
    """One sample without rows, its parameters named."""
    program = compile(case.f, in_axes=None, parameters=case.parameters)
    row = [numbers(x, values=False) if np.size(x) else x for x in case.row(arguments, 0)]
    close("one point", program(*row), values[0])
    for _ in range(2):  # the second call goes the short way
        value, gradient, at = program.value_and_grad(*row, argnums=case.smooth)
    close("one point", value, values[0])
    close("one point", gradient, by_parameters[0])
    for x, own in zip(at, by_inputs, strict=True):
        close("one point", x, own[0])


def _check_rates(case, arguments, program, values, counts, scale):
    """Forward mode of two rows, as Values have it; places are constants."""
    rows = min(2, len(next(x for x, axis in zip(arguments, case.in_axes, strict=True) if axis == 0)))
    rng = np.random.default_rng(1)
    given = [x if axis is None else x[:rows] for x, axis in zip(arguments, case.in_axes, strict=True)]
    along = [rng.normal(size=np.shape(x)) for x in given]
    names = list(case.shapes)
    able = [name not in case.whole and x.size > 0 for name, x in zip(names, given, strict=True)]
    smooth = range([*able, False].index(False))  # the first ones; others by keyword are constants
    constants = {names[i]: given[i] for i in range(len(smooth), len(names))}
    found, rates = program.jvp([given[i] for i in smooth], [along[i] for i in smooth], **constants)
    wanted = []
    for i in range(rows):
        row, tangents = case.row(given, i), case.row(along, i)
        sizes = [np.size(row[k]) for k in smooth]

        def flat(*entries, row=row, sizes=sizes):
            left, own = iter(entries), [numbers(x, values=False) for x in row]
            for k in smooth:
                filled = np.empty(np.shape(row[k]), dtype=object)
                for index in np.ndindex(filled.shape):
                    filled[index] = next(left)
                own[k] = filled.tolist()
            return case.f(*own)

        entries, rate = (np.concatenate([np.ravel(x[k]) for k in smooth]).tolist() for x in (row, tangents))
        value = jvp(flat, entries, rate)[1] if entries else 0.0
        wanted.append(float(getattr(value, "data", value)))
    largest = max(scale, np.abs(wanted).max())
    if largest < LARGEST:
        counts.close("jvp", found, values[:rows], largest)
        counts.close("jvp", np.broadcast_to(rates, rows), wanted, largest, rtol=1e-8)


def _check_curvatures(case, arguments, program, order, counts):
    """Hessian products, summed over two rows, by sweeps through what a sweep recorded."""
    if not order:
        return
    rows = min(2, len(next(x for x, axis in zip(arguments, case.in_axes, strict=True) if axis == 0)))
    given = [x if axis is None else x[:rows] for x, axis in zip(arguments, case.in_axes, strict=True)]
    parameters = program.parameters
    v = np.random.default_rng(2).normal(size=len(parameters))
    product = program.hvp(*given, vector=v, reduce="sum")
    wanted = np.zeros(len(v))
    for i in range(rows):
        for p in parameters:
            p.zero_grad()
        out = case.f(*[numbers(x, values=False) for x in case.row(given, i)])
        if not isinstance(out, Value):
            continue
        out.backward(create_graph=True)
        along = sum((p.grad * w for p, w in zip(parameters, v.tolist(), strict=True) if p.swept), Value(0.0))
        for p in parameters:
            p.zero_grad()
        along.backward()
        wanted += [float(getattr(p.grad, "data", p.grad)) if p.swept else 0.0 for p in parameters]
    largest = max(1.0, np.abs(wanted).max())
    if largest < LARGEST:
        counts.close("hvp", product, wanted, largest, rtol=1e-8)


def _check_jax(source, flat, arguments, values, wanted, close):
    """The text as it is, with jax.numpy for its array library; and JAX's own derivatives of its values."""
    import jax

    before, module = jax.config.jax_enable_x64, {"jax": jax}
    jax.config.update("jax_enable_x64", True)
    try:
        exec(source.replace("xp = np ", "xp = jax.numpy "), module)
        if "value_and_grad" in module:
            value, gradient = jax.jit(module["value_and_grad"])(flat, *arguments)
            close("the text under JAX", value, values.mean())
            close("the text under JAX", gradient, wanted.mean(axis=0))
        if len(flat):
            mean = lambda flat: jax.numpy.broadcast_to(module["forward"](flat, *arguments), len(values)).mean()
            close("JAX's own gradient", jax.jit(jax.grad(mean))(flat), wanted.mean(axis=0))
    finally:
        jax.config.update("jax_enable_x64", before)
