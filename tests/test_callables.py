"""Programs of what people write: methods, partials, programs inside programs, answers with names, operations of their own."""

import contextlib
import copy
import functools
import gc
import itertools
import json
import math
import operator
import pickle
import re
import statistics
import warnings
import weakref
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff
from autodiff import TraceError, Value, grad, tanh, where
from autodiff import compile as compiled
from autodiff.ops import Op

PAGE = (Path(__file__).parent.parent / "docs" / "compile.md").read_text(encoding="utf-8")
X, Y = np.array([1.0, 2.0, -3.0]), np.array([0.5, 4.0, 1.0])


class Line:
    """A model whose methods are compiled, as people write them."""

    def __init__(self, w):
        self.w = Value(w, "w")

    @compiled
    def loss(self, x, y=0.0):
        """Return the squared error."""
        return (self.w * x - y) ** 2

    def scaled(self, x, by=3.0):
        return self.w * x * by

    __call__ = scaled


class Slotted:
    __slots__ = ("w",)

    def __init__(self, w):
        self.w = Value(w, "w")

    @compiled
    def twice(self, x):
        return 2.0 * self.w * x


@dataclass
class Pair:
    low: object
    high: object


def test_a_compiled_method_binds_to_its_object():
    """As a function in a class does: each object has its own parameters, and names of arguments begin after self."""
    one, other = Line(2.0), Line(-1.0)
    value, gradient = one.loss.value_and_grad(X, Y)
    assert value == pytest.approx(np.mean((2.0 * X - Y) ** 2))
    assert gradient == pytest.approx([np.mean(2.0 * (2.0 * X - Y) * X)])
    np.testing.assert_allclose(other.loss(X, y=Y), (-X - Y) ** 2)
    np.testing.assert_allclose(one.loss(X), (2.0 * X) ** 2)
    assert one.loss.parameters == [one.w]
    assert one.loss.parameters[0] is one.w
    assert other.loss.parameters[0] is other.w
    assert one.loss.__name__ == "loss"
    assert one.loss.__doc__ == "Return the squared error."
    _, _, by_y = one.loss.value_and_grad(X, Y, argnames="y", reduce="sum")
    np.testing.assert_allclose(by_y, -2.0 * (2.0 * X - Y))
    assert isinstance(Line.loss, autodiff.Program)
    with one.loss.training(X, Y) as flat:
        flat[:] = 5.0
        assert one.loss.value_and_grad(X, Y)[0] == pytest.approx(np.mean((5.0 * X - Y) ** 2))
    assert one.w.data == 5.0
    slotted = Slotted(3.0)
    assert slotted.twice([1.0, 2.0]).tolist() == [6.0, 12.0]


def test_a_bound_program_is_traced_once_and_keeps_nobody_alive():
    """The next access finds the traces of the first; the object goes when its owner lets it go."""
    met = []

    class Counted(Line):
        @compiled
        def loss(self, x):
            met.append(1)
            return self.w * x

    line = Counted(2.0)
    for _ in range(3):
        line.loss(X)
    assert len(met) == 1
    seen, alone = weakref.ref(line), line.loss
    del line
    gc.collect()
    np.testing.assert_allclose(alone(X[:2]), 2.0 * X[:2])  # a bound program keeps its object, as a method does
    del alone
    gc.collect()
    assert seen() is None


def test_bound_programs_are_copied_and_pickled_with_their_object():
    """A copy has its own parameters; copies of the object bind anew."""
    line = Line(2.0)
    line.loss(X)
    twin, deep = copy.copy(line), copy.deepcopy(line)
    twin.w = Value(7.0)
    deep.w.data = 3.0
    assert (twin.loss(1.0), deep.loss(1.0), line.loss(1.0)) == (49.0, 9.0, 4.0)
    copied = copy.deepcopy(line.loss)
    line.w.data = 4.0
    assert (copied(1.0), line.loss(1.0)) == (4.0, 16.0)
    assert pickle.loads(pickle.dumps(line.loss))(1.0) == 16.0


class Scaled:
    """Class and static methods, which decorators make in either order."""

    w = Value(3.0, "w")

    @compiled
    @classmethod
    def of_class(cls, x):
        return cls.w * x * x

    @compiled
    @staticmethod
    def static(x):
        return Scaled.w * x

    @staticmethod
    @compiled
    def other_way(x):
        return Scaled.w * x

    @classmethod
    @compiled
    def of_class_below(cls, x):
        return cls.w * x * x


class Halved(Scaled):
    w = Value(1.5, "w")


def test_class_and_static_methods_bind():
    """A class method has the Values of the class that it is called on, on every Python; a static one binds nothing."""
    for kind, w in ((Scaled, 3.0), (Halved, 1.5)):
        for of in (kind, kind()):
            np.testing.assert_allclose(of.of_class(X), w * X * X)
            np.testing.assert_allclose(of.of_class.value_and_grad(X)[1], [(X * X).mean()])
            assert of.of_class.parameters == [kind.w]
            for static in (of.static, of.other_way):
                np.testing.assert_allclose(static(X), 3.0 * X)
    assert pickle.loads(pickle.dumps(Halved.of_class))(2.0) == 6.0
    try:
        np.testing.assert_allclose(Halved.of_class_below(X), 1.5 * X * X)
    except TypeError as error:  # Python 3.13
        assert "got the class Halved; where" in str(error)  # noqa: PT017
        assert "write @compile above @classmethod" in str(error)  # noqa: PT017


CALLABLES = {
    "method": lambda line: line.scaled,
    "object": lambda line: line,
    "partial": lambda line: functools.partial(Line.scaled, line),
    "partial by keyword": lambda line: functools.partial(line.scaled, by=3.0),
    "decorated": lambda line: functools.wraps(Line.scaled)(lambda *args, **options: line.scaled(*args, **options)),
    "keyword-only": lambda line: lambda x, *, by=3.0: line.scaled(x, by),
    "any arguments": lambda line: lambda *xs, **more: line.scaled(*xs, **more),
    "dispatched": lambda line: functools.singledispatch(line.scaled),
    "cached": lambda line: functools.lru_cache(line.scaled),
    "vectorized": lambda line: np.vectorize(line.scaled, otypes=[object]),
    "compiled already": lambda line: compiled(line.scaled),
    "method of a class": lambda line: lambda x: Line.scaled(line, x),
    "compiled method": lambda line: lambda x: line.loss.f(x) ** 0.5 * 3.0,
}


@pytest.mark.parametrize("kind", CALLABLES)
def test_callables_of_every_kind_are_compiled(kind):
    """Methods, objects, partials, defaults: the same numbers as by hand."""
    value, gradient = compiled(CALLABLES[kind](Line(2.0))).value_and_grad(np.abs(X))
    assert (value, gradient[0]) == pytest.approx((12.0, 6.0))


def test_options_make_a_decorator():
    """Of functions, methods, class methods; each program has them."""

    @compiled(static_argnums=1, traces=2)
    def power(x, n):
        return x * power.f(x, n - 1) if n else 1.0

    class Power(Line):
        @compiled(static_argnums=1)
        def raised(self, x, n):
            return self.w * (x if n > 0 else 1.0)

        @compiled(in_axes=None)
        @classmethod
        def whole(cls, xs):
            return sum(xs)

    np.testing.assert_allclose(power(X, 3), X**3)
    np.testing.assert_allclose(Power(2.0).raised(X, 1), 2.0 * X)
    assert Power(2.0).raised.value_and_grad(X, 0)[1] == [1.0]
    assert Power.whole(X) == X.sum()
    with pytest.raises(TypeError, match="compile needs a function of one sample, got NoneType"):
        compiled(None)
    with pytest.raises(ValueError, match="traces must be a whole number above 0, got 0"):
        compiled(traces=0)(abs)


def test_models_and_functions_are_arguments_by_themselves():
    """An object that is called is static: its Values are the parameters, as where the function closes over it."""
    one, other = Line(2.0), Line(-1.0)

    @compiled
    def loss(model, x, y, activation=None):
        z = model(x) if activation is None else activation(model(x))
        return (z - y) ** 2

    for model in (one, other, one):
        w = model.w.data
        value, gradient = loss.value_and_grad(model, X, Y)
        assert value == pytest.approx(np.mean((3.0 * w * X - Y) ** 2))
        assert gradient == pytest.approx([np.mean(6.0 * (3.0 * w * X - Y) * X)])
        assert loss.parameters[0] is model.w
    np.testing.assert_allclose(loss(one, X, Y, tanh), (np.tanh(6.0 * X) - Y) ** 2)
    np.testing.assert_allclose(loss(one, X, Y, None), (6.0 * X - Y) ** 2)
    assert loss(one, 1.0, 5.0, activation=tanh) == pytest.approx((math.tanh(6.0) - 5.0) ** 2)
    with loss.training(one, X, 3.0 * X) as flat:
        for _ in range(50):
            flat -= 0.01 * loss.value_and_grad(one, X, 3.0 * X)[1]
    assert one.w.data == pytest.approx(1.0)
    by_x = loss.value_and_grad(other, X, Y, argnums=1, reduce="sum")[2]
    np.testing.assert_allclose(by_x, 2.0 * (-3.0 * X - Y) * -3.0)


class Unusual:
    """What people write above a method beside functions."""

    @property
    @compiled
    def ratio(self):
        return Value(1.0)


async def awaited(x):
    return x


def generated(x):
    yield x


UNUSUAL = {
    "async": (lambda: compiled(awaited), "got one that is awaited .async def.; compile a plain function"),
    "property": (lambda: compiled(property(awaited)), "got property; compile the method that it calls"),
    "property above": (
        lambda: Unusual().ratio,
        "self must be numbers, got entries of type Unusual; call a compiled method",
    ),
    "generator": (lambda: compiled(generated)(X), r"got generator; list\(…\) makes an answer of it"),
    "map": (lambda: compiled(lambda x: map(abs, [x]))(X), r"got map; list\(…\) makes an answer of it"),
    "nothing": (lambda: compiled(lambda _: None)(X), "got NoneType; is a `return` missing"),
    "generator as argument": (
        lambda: compiled(abs)(x for x in X),
        r"got entries of type generator; list\(…\) makes rows",
    ),
    "cached number": (
        lambda: compiled(lambda x: remembered(x))(X),
        r"use remembered\.__wrapped__, where a cache keeps the results of remembered",
    ),
    "function of math": (lambda: compiled(math.exp)(X), "while it is traced, in exp. .*use autodiff.exp, which serves"),
}


@functools.cache
def remembered(x):
    return x * x


@pytest.mark.parametrize("kind", UNUSUAL)
def test_what_is_no_function_of_a_sample_is_told_the_way_out(kind):
    """What else Python lets people write, refused in words of its own."""
    made, said = UNUSUAL[kind]
    with pytest.raises(TypeError, match=said):
        made()


def test_a_refusal_that_the_function_passes_over_is_told_in_the_end():
    """Deciding by a number answers eagerly, so the way round it would be another answer; float() of a Value never does."""

    def broad(x):
        try:
            return x if x > 2.0 else -x
        except Exception:  # noqa: BLE001
            return 0.0 * x

    def narrow(x):
        try:
            return math.exp(x)
        except TypeError:
            return autodiff.exp(x)

    with pytest.raises(TraceError, match=r"deciding .*try: return x if x > 2|deciding .*return x if x > 2"):
        compiled(broad)(X)
    np.testing.assert_allclose(compiled(narrow)(X), [narrow(Value(x)).data for x in X])


def test_a_program_is_a_part_of_another_one():
    """Inlined: numbers are one point, arrays have rows, parameters are the outer program's too."""
    w, calls = Value(2.0, "w"), []

    @compiled
    def inner(x, y=1.0):
        calls.append(1)
        return w * x * x + y

    outer = compiled(lambda x: inner(x) ** 2 + inner(x, y=3.0) + inner(1.0))
    value, gradient = outer.value_and_grad(X, reduce="sum")
    expected = (2.0 * X**2 + 1.0) ** 2 + (2.0 * X**2 + 3.0) + 3.0
    assert value == pytest.approx(expected.sum())
    assert gradient == pytest.approx([(2.0 * (2.0 * X**2 + 1.0) * X**2 + X**2 + 1.0).sum()])
    assert outer.parameters[0] is w
    assert len(calls) == 3
    np.testing.assert_allclose(compiled(grad(inner))(X), 4.0 * X)
    np.testing.assert_allclose(outer(X), [outer(x) for x in X.tolist()])
    assert outer(1.0) == pytest.approx(17.0)
    line = Line(2.0)
    np.testing.assert_allclose(compiled(lambda x: 3.0 * line.loss(x, 1.0))(X), 3.0 * (2.0 * X - 1.0) ** 2)


def test_a_batch_inside_a_sample_has_rows():
    """A program called on an array answers for each of its rows, whether or not another one is traced meanwhile."""
    dot = compiled(lambda v, u: v[0] * u[0] + v[1] * u[1], in_axes=(0, None))
    rows, u = np.arange(12.0).reshape(2, 3, 2), np.array([2.0, -1.0])
    outer = compiled(lambda M, u: dot(M, u), in_axes=(0, None))
    np.testing.assert_allclose(outer(rows, u), rows @ u)
    np.testing.assert_allclose(outer(rows, u), [dot(M, u) for M in rows])
    weighed = compiled(lambda M: sum(dot(M, [2.0, -1.0])))
    np.testing.assert_allclose(weighed(rows), (rows @ u).sum(axis=1))
    stats = compiled(lambda x: {"square": x * x, "pair": [x, 2.0 * x]})
    both = compiled(lambda xs: sum(stats(xs)["square"]) + stats(xs)["pair"][-1, 1])
    np.testing.assert_allclose(both(rows[:, :, 0]), (rows[:, :, 0] ** 2).sum(axis=1) + 2.0 * rows[:, -1, 0])
    with pytest.raises(ValueError, match="all arguments must have as many rows, got 2 in u and 3 in v"):
        compiled(lambda M: compiled(lambda v, u: v[0] * u)(M, [1.0, 2.0]))(rows)
    with_aux = compiled(lambda x: (x * x, {"twice": 2.0 * x}), has_aux=True)
    np.testing.assert_allclose(compiled(lambda x: with_aux(x)[0] + with_aux(x)[1]["twice"])(X), X * X + 2.0 * X)


@pytest.mark.parametrize("reduce", ["mean", "sum", None])
def test_derivatives_of_a_program_become_a_part_of_another_one(reduce):
    """Value, gradient and derivatives by arguments and weights, differentiated again: those of jax, nested likewise."""
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    jax.config.update("jax_enable_x64", True)
    w, b, weights = Value(2.0, "w"), Value(0.5, "b"), [1.0, 2.0, 4.0]
    inner = compiled(lambda x, y: tanh(w * x + b) ** 2 * y, parameters=(b, w), in_axes=(0, None))
    rows, near = np.arange(12.0).reshape(4, 3) / 10.0, {"rtol": 1e-12, "atol": 1e-14}
    each = np.sum if reduce is None else lambda x: x

    def outer(xs):
        value, gradient, (by_x, by_y) = inner.value_and_grad(
            w * xs, 3.0, argnums=(0, 1), reduce=reduce, weights=weights
        )
        by_b, by_w = gradient.T
        return each(value + 2.0 * by_b * by_w) + sum(x * x for x in by_x) + each(by_y)

    def in_jax(p, xs):
        def cost(p, x, y):
            return jnp.tanh(p[1] * x + p[0]) ** 2 * y

        values = cost(p, p[1] * xs, 3.0)
        slopes, by_x, by_y = jax.vmap(jax.grad(cost, (0, 1, 2)), (None, 0, None))(p, p[1] * xs, 3.0)
        if reduce is None:
            scaled = values * jnp.array(weights)
            return (scaled + 2.0 * slopes[:, 0] * slopes[:, 1]).sum() + (by_x**2).sum() + by_y.sum()
        c = jnp.array(weights) / (sum(weights) if reduce == "mean" else 1.0)
        return values @ c + 2.0 * (c @ slopes[:, 0]) * (c @ slopes[:, 1]) + ((c * by_x) ** 2).sum() + by_y @ c

    program = compiled(outer, parameters=(b, w))
    p = jnp.array([0.5, 2.0])
    np.testing.assert_allclose(program(rows), jax.vmap(in_jax, (None, 0))(p, rows), **near)
    expected = jax.grad(lambda p: jax.vmap(in_jax, (None, 0))(p, rows).mean())(p)
    np.testing.assert_allclose(program.value_and_grad(rows)[1], expected, rtol=1e-11)
    assert program(rows, check=True) == pytest.approx(program(rows))


def test_rates_and_products_of_a_program_become_a_part_of_another_one():
    """`jvp` and `hvp` inside are those outside, row by row, differentiated by closed forms; aux comes along."""
    w, b = Value(2.0, "w"), Value(0.5, "b")
    inner = compiled(lambda x: w**2 * x**3 + b * x)
    np.testing.assert_allclose(compiled(lambda x: inner.jvp((x,), (2.0,))[1])(X), inner.jvp((X,), (2.0 + 0.0 * X,))[1])
    rates = compiled(lambda xs: sum(inner.jvp((xs,), ([1.0, 0.5],))[1]))
    pair = np.array([[1.0, 2.0], [-1.0, 0.5]])
    np.testing.assert_allclose(rates(pair), (12.0 * pair**2 + 0.5) @ [1.0, 0.5])
    bent = compiled(lambda x: inner.hvp(x, vector=[x, 1.0]))
    np.testing.assert_allclose(bent(X), np.stack([2.0 * X**3 * X, 0.0 * X], axis=1))
    both = compiled(lambda xs: sum(inner.hvp(xs, vector=[1.0, 0.0], reduce=None)[:, 0]))
    np.testing.assert_allclose(both(pair), (2.0 * pair**3).sum(axis=1))
    assert [p.label for p in inner.parameters] == ["w", "b"]
    beside = compiled(lambda x: (w * x * x, {"twice": 2.0 * x}), has_aux=True)

    def with_aux(xs):
        (value, aux), gradient = beside.value_and_grad(xs)
        return value + sum(aux["twice"]) + gradient[0]

    np.testing.assert_allclose(compiled(with_aux)(pair), 3.0 * (pair**2).mean(axis=1) + 2.0 * pair.sum(axis=1))
    caught = compiled(lambda x: compiled(lambda y: x * y**2).value_and_grad(3.0, argnums=0)[2])  # x is a constant there
    np.testing.assert_allclose(caught(X), 6.0 * X)


def test_programs_inside_others_refuse_what_cannot_be_a_part():
    """Steps of `backward`, a check of its own, other Values than before, a vector of another length."""
    w, b = Value(2.0, "w"), Value(0.5, "b")
    inner = compiled(lambda x, flag: (w if flag else b) * x, static_argnums=1)
    for f, error, said in (
        (lambda x: inner.backward(x, True), TraceError, "backward would write into grad once.*use value_and_grad"),
        (lambda x: inner(x, True, check=True), TraceError, "check belongs to the call of the outer program"),
        (lambda x: inner.value_and_grad(x, True, check=True)[0], TraceError, "check belongs to the call of the outer"),
        (lambda x: inner.hvp(x, True, vector=[1.0, 2.0])[0], ValueError, r"the vector must be \(1,\), one entry"),
        (lambda x: inner.value_and_grad(x, False)[0], ValueError, r"'b' is new; name them all, compile\(…, parameters"),
        (lambda x: compiled(lambda y: [y, w]).value_and_grad(x)[0], TypeError, r"one number.*got shape \(2,\)"),
        (lambda x: inner.value_and_grad(x, True, reduce="max")[0], ValueError, "reduce must be 'mean', 'sum' or None"),
        (
            lambda x: inner.value_and_grad([x, x], True, weights=[1.0])[0],
            ValueError,
            r"weights must be \(2,\), one per",
        ),
    ):
        with pytest.raises(error, match=said):
            compiled(f)([1.0, 2.0])


def test_a_gradient_by_nothing_is_told_once():
    """PyTorch and JAX differentiate by arguments: who expects that is told of argnums, with an empty gradient."""
    program = compiled(lambda x: x * x)
    with pytest.warns(UserWarning, match="Values from outside the function, and it met none.*argnums=0") as told:
        value, gradient = program.value_and_grad([1.0, 2.0])
    assert told[0].filename == __file__
    assert (value, gradient.tolist()) == (2.5, [])
    assert program.value_and_grad(3.0)[0] == 9.0
    assert compiled(lambda x: x * x).value_and_grad([1.0, 2.0], argnums=0)[2].tolist() == [1.0, 2.0]
    for x in ([1.0, 2.0], 3.0):
        none = compiled(lambda x: x * x)
        assert [none.value_and_grad(x, argnums=())[2] for _ in range(2)] == [(), ()]  # on purpose


def test_answers_have_the_names_that_the_function_gave_them():
    """Dicts and dataclasses, nested, of numbers and lists: arrays with rows, floats at one point, rates likewise."""
    w = Value(2.0, "w")

    def f(x, y):
        return {"product": w * x * y, "pair": Pair(x, [y, x + y]), "none": None, "two": 2.0}

    program = compiled(f)
    found = program(X, Y)
    assert list(found) == ["product", "pair", "none", "two"]
    np.testing.assert_allclose(found["product"], 2.0 * X * Y)
    assert isinstance(found["pair"], Pair)
    np.testing.assert_allclose(found["pair"].low, X)
    np.testing.assert_allclose(found["pair"].high, np.stack([Y, X + Y], axis=1))
    assert found["none"] is None
    assert found["two"].tolist() == [2.0] * 3
    point = program(3.0, 4.0)
    assert point["product"] == 24.0
    assert point["product"].__class__ is float
    assert point["pair"].high.tolist() == [4.0, 7.0]
    _, rates = program.jvp((X, Y), (np.ones(3), np.zeros(3)))
    np.testing.assert_allclose(rates["product"], 2.0 * Y)
    np.testing.assert_allclose(rates["pair"].high, [[0.0, 1.0]] * 3)
    with pytest.raises(
        TypeError, match=r"one number to have a gradient, got dict; return \(number, dict\) with has_au"
    ):
        program.value_and_grad(X, Y)
    with pytest.raises(TypeError, match=r"must return Values or numbers, got str, at the answer\['name'\]"):
        compiled(lambda x: {"x": x, "name": "x"})(X)


class Fit(NamedTuple):
    loss: object
    pair: object


def test_a_named_tuple_comes_back_as_it_does_eagerly():
    """Of numbers and lists, within others, for rows, one point, rates, aux and arguments: the parts by their names."""
    w = Value(2.0, "w")
    f = lambda x, y: Fit(w * x, [Fit(x * y, y), Fit(y, x + y)])
    program = compiled(f)
    found = program(X, Y)
    for k, row in enumerate(zip(X.tolist(), Y.tolist(), strict=True)):
        by_hand, point = f(*row), program(*row)
        assert isinstance(point, Fit)
        assert found.loss[k] == point.loss == by_hand.loss.data
        for ours, one, eager in zip(found.pair, point.pair, by_hand.pair, strict=True):
            assert isinstance(ours, Fit)
            assert (ours.loss[k], ours.pair[k]) == one == eager
    _, rates = program.jvp((X, Y), (np.ones(3), np.zeros(3)))
    assert rates.loss.tolist() == [2.0, 2.0, 2.0]
    np.testing.assert_allclose(rates.pair[0].loss, Y)
    np.testing.assert_allclose(compiled(lambda x: program(x, 3.0).pair[1].pair ** 2)(X), (X + 3.0) ** 2)
    beside = compiled(lambda at: (w * at.loss * at.pair, at), has_aux=True)
    (value, aux), gradient, slopes = beside.value_and_grad(Fit(X, Y), argnums=0, reduce="sum")
    assert (value, gradient.tolist()) == (pytest.approx(2.0 * X @ Y), pytest.approx([X @ Y]))
    np.testing.assert_allclose((slopes.loss, slopes.pair), (2.0 * Y, 2.0 * X))
    np.testing.assert_array_equal(aux, Fit(X, Y))
    with pytest.raises(TypeError, match=r"one number to have a gradient, got Fit; return \(number, Fit\) with has_aux"):
        program.value_and_grad(X, Y)
    with pytest.raises(TypeError, match="got a ragged list; return a tuple or a dict of them"):
        compiled(lambda x: [x, [x, x]])(X)


def test_shapes_that_take_turns_keep_their_traces():
    """Up to `traces`, those asked for last; when forgotten ones come back, it is told once, with shapes and ways out."""
    met = []

    def f(xs):
        met.append(len(xs))
        return sum(xs)

    program = compiled(f)
    for _ in range(3):
        for n in range(2, 12):
            assert program(np.ones((2, n))).tolist() == [n, n]
    assert met == list(range(2, 12))
    few, met[:] = compiled(f, traces=2), []
    for n in (2, 3, 2, 4, 2):  # 3 is forgotten, not 2
        few(np.ones((1, n)))
    assert met == [2, 3, 4]
    with pytest.warns(
        RuntimeWarning, match=r"^f is traced again, with xs \(3,\) in one row, .* more than 2 .*autodiff\.pad"
    ):
        few(np.ones((1, 3)))
    few(np.ones((1, 4)))  # told once: a second warning would be an error here
    few(np.ones((1, 2)))
    assert met == [2, 3, 4, 3, 4, 2]
    with pytest.raises(ValueError, match="traces must be a whole number above 0, got 0"):
        compiled(f, traces=0)


def test_sequences_of_several_lengths_are_filled_up():
    """The array and the mask: a program of both gives NumPy's mean of each sequence as it is."""
    sequences = [[1.0, 2.0, 4.0], [], np.array([5]), (3.0, 7.0)]
    numbers, mask = autodiff.pad(sequences, -1.0)
    assert numbers.shape == mask.shape == (4, 3)
    for row, m, own in zip(numbers, mask, sequences, strict=True):
        assert row.tolist() == [*own, *[-1.0] * (3 - len(own))]
        assert m.tolist() == [1.0] * len(own) + [0.0] * (3 - len(own))
    mean = compiled(lambda xs, m: sum(a * b for a, b in zip(xs, m, strict=True)) / sum(m))
    some = [0, 2, 3]
    np.testing.assert_allclose(mean(numbers[some], mask[some]), [np.mean(sequences[k]) for k in some])
    vectors, mask = autodiff.pad([np.ones((2, 3)), 2.0 * np.ones((1, 3))])
    assert vectors.shape == (2, 2, 3)
    assert vectors.sum(axis=(1, 2)).tolist() == [6.0, 6.0]
    assert mask.tolist() == [[1.0, 1.0], [1.0, 0.0]]
    with pytest.raises(TypeError, match=r"pad needs a list of sequences, got int; list\(\.\.\.\) makes one"):
        autodiff.pad(5)
    for wrong, got in (
        ([[1, None], [3]], "None at sequences[0][1]"), ([[1.0], "ab"], "'ab' at sequences[1]"),
        ([[[1.0, 2.0]], [[3.0, "4"]]], "'4' at sequences[1][0][1]"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=re.escape(f"pad needs numbers, got {got}; leave it out")):
            autodiff.pad(wrong)
    for wrong in ([], [1.0, 2.0], [[[1.0]], [1.0]], [[]]):
        with pytest.raises(ValueError, match=r"or of arrays in one shape, got (shapes|none with an entry; one must)"):
            autodiff.pad(wrong)
    with pytest.raises(ValueError, match=r"got ragged ones; pad them, as autodiff\.pad does"):
        mean([[1.0, 2.0], [3.0]], [[1.0, 1.0], [1.0]])
    with pytest.raises(ValueError, match=r"rows of d\['x'\] with several lengths, pad them, as autodiff\.pad does"):
        compiled(lambda d: sum(d["x"]))({"x": [[1.0, 2.0], [3.0]]})
    with pytest.raises(ValueError, match=r"got 1 in d\['y'\] and 2 in d\['x'\]$"):
        compiled(lambda d: d["x"] * d["y"])({"x": [1.0, 2.0], "y": [3.0]})
    with pytest.raises(TypeError, match=r"traced, at .*test_callables.*no number yet; .*\[autodiff\.pick\(table, i\)"):
        compiled(lambda x, n: x * NUMBERS[n], in_axes=(0, None))([1.0, 2.0], [1])


TABLE = re.search(r"\| you wrote \| write \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE)[1].splitlines()
ROWS = [[cell.strip().strip("`").replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in TABLE]


@pytest.mark.parametrize(("wrote", "write"), ROWS)
def test_the_page_says_what_to_write_instead(wrote, write):
    """The first column is refused, by name and line; the second computes what Python makes of the first, row by row."""
    rng = np.random.default_rng(7)
    x, y, xs = rng.uniform(-1.9, 1.9, 40), rng.normal(size=40), rng.normal(size=(40, 3))
    i = np.arange(40) % 3
    names = {"table": [0.5, -1.0, 2.0], "rows": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "math": math, "np": np,
             "Decimal": Decimal, "Counter": Counter, "copy": copy, "statistics": statistics}  # fmt: skip
    refused = eval(f"lambda x, y, xs, i: {wrote}", names)
    with pytest.raises((TraceError, AttributeError), match="while it is traced, at "):
        compiled(refused)(x, y, xs, i)
    program = compiled(eval(f"lambda x, y, xs, i: {write}", {**names, **vars(autodiff)}))
    expected = [refused(*row) for row in zip(x.tolist(), y.tolist(), xs.tolist(), i.tolist(), strict=True)]
    assert len(set(map(float, expected))) > 1
    np.testing.assert_allclose(program(x, y, xs, i), np.array(expected, dtype=float), rtol=1e-14)


NUMBERS = [0.5, -1.0, 2.0]
INSTEAD = {  # what asks for a number, and the way out that its message must name
    lambda i: NUMBERS[i]: "use autodiff.pick(table, i) for the row",
    lambda i: np.array(NUMBERS)[i]: "use autodiff.pick(table, i) for the row",
    lambda i: NUMBERS[int(i)]: "use autodiff.trunc(x) for the number",
    lambda i: sum(NUMBERS[:i]): "where(k < n, a, 0.0) for what a row leaves out",
    lambda i: sum(NUMBERS[i:2]): "where(k < n, a, 0.0) for what a row leaves out",
    lambda i: sum([1.0] * i): "where(k < n, a, 0.0)",
    lambda i: sum(1.0 for _ in range(i)): "where(k < n, a, 0.0)",
    lambda i: sum(np.arange(i)): "where(k < n, a, 0.0)",
    lambda i: sum(itertools.islice(NUMBERS, i)): "where(k < n, a, 0.0)",
    lambda i: sum(np.zeros(i)): "autodiff.pad fills sequences up and autodiff.fold goes through them",
    lambda i: sum(k for k, _ in enumerate(NUMBERS, i)): "use autodiff.pick(table, i)",
    lambda i: math.comb(5, i): "use autodiff.pick([math.comb(…, k) for k in range(n)], i), a table of math.comb",
    lambda i: [0, 1, 2].index(i): "use autodiff.total([k * (x == i) for k, x in enumerate(table)])",
    lambda i: [0, 1, 2].count(i): "autodiff.total([x == i for x in table])",
    lambda i: 1.0 if i in [0, 1] else 2.0: "use autodiff.where((i == a) | (i == b), 1.0, 0.0)",
    lambda i: 1.0 if i not in range(2) else 2.0: "use autodiff.where((i == a) | (i == b), 1.0, 0.0)",
    lambda i: next(v for k, v in enumerate(NUMBERS) if k == i): "autodiff.where(i == k, a, b), autodiff.pick(table, i)",
    lambda i: 1.0 if i == 1 else 2.0: "use autodiff.where(i == k, a, b), autodiff.pick(table, i)",
    lambda i: {0: 1.0}[i]: "use autodiff.pick(list(table.values()), i)",
    lambda i: bool(i) * 2.0: "use autodiff.where(condition, a, b)",
    lambda i: 1.0 if not i else 2.0: "x == 0 for not x",
    lambda i: 1.0 if 0 < i < 2 else 2.0: "use (x > a) & (x < b)",
    lambda i: max(i, 1.0): "use autodiff.maximum(a, b)",
    lambda i: np.argmax([i, 1.0]): "autodiff.where(b > a, 1.0, 0.0) for the place of the larger",
    lambda i: math.sqrt(i): "use autodiff.sqrt, which serves numbers of every kind",
    lambda i: f"{i:d}": "use what the program returns for texts (has_aux=True",
    lambda i: "%d" % i: "use what the program returns for texts (has_aux=True",  # noqa: UP031
    lambda i: list(NUMBERS).__setitem__(i, 1.0): "use autodiff.pick(table, i)",
    lambda i: where(~(i == 0), 1.0, 2.0): "use x == 0, which is 1 where the condition x does not hold",
    lambda i: i & 1: "use i % 2 for i & 1",
    lambda i: i ^ 3: "use i % 2 for i & 1",
    lambda i: i >> 1: "i // 2**k for i >> k",
    lambda i: 1 << i: "i * 2**k for i << k",
    lambda i: pow(i, 2, 3): "use a ** b % c",
    lambda i: Fraction(i): "use the number as it is, a float in every row",
    lambda i: Decimal(i): "use the number as it is, a float in every row",
    lambda i: Value(i): "use the number as it is, a Value already",
    lambda i: json.dumps({"i": i}): "use what the program returns for texts",
    lambda i: autodiff.fold(lambda c, _: (c, c), 0.0, length=i): "where(k < n, a, 0.0) for what a row leaves out",
    lambda i: Counter([i])[1]: "use autodiff.total([x == k for x in xs]) for how often",
    lambda i: {i: 1.0}[1]: "use autodiff.total([x == k for x in xs]) for how often",
    lambda i: len({i, 2.0}): "use autodiff.total([x == k for x in xs]) for how often",
    lambda i: len(set([i])): "use autodiff.total([x == k for x in xs]) for how often",  # noqa: C405
    lambda i: hash(i): "a dict by what all rows share, in place of keys that are numbers",
    lambda i: {0.0: 1.0}.get(i, 2.0): "use autodiff.pick(list(table.values()), i)",
    lambda i: i.data: "what the program returns has its number in every row",
    lambda i: i.grad: "use autodiff.grad(f)(x) inside, or program.value_and_grad(…, argnums=0)",
    lambda i: i.backward(): "use autodiff.grad(f)(x) inside, or program.value_and_grad(…, argnums=0)",
    lambda i: copy.deepcopy(i): "no operation changes it, so that nothing needs a copy",
    lambda i: pickle.dumps(i): "use what the program returns, which can be pickled",
    lambda i: bytes(i): "use what the program returns for texts",
    lambda i: complex(i): "two numbers for the real and the imaginary part",
    lambda i: np.isnan(i): "use x != x, which is 1 where x is NaN",
    lambda i: np.isfinite(i): "use abs(x) < math.inf",
    lambda i: np.isclose(i, 1.0): "use abs(x - y) < 1e-9",
    lambda i: math.fmod(i, 2.0): "use x % y",
    lambda i: math.pow(i, 2.0): "use x ** y",
    lambda i: math.remainder(i, 2.0): "use x - y * round(x / y)",  # autodiff's is that of %
    lambda i: math.log(i, 3.0): "use autodiff.log(x), and autodiff.log(x) / math.log(b) to the base b",
    lambda i: math.degrees(i): "use x * (180.0 / math.pi)",
    lambda i: np.heaviside(i, 0.5): "use autodiff.step(x)",
    lambda i: np.logical_not(i): "x == 0 for not x",
    lambda i: np.logical_and(i > 0.0, i < 2.0): "use (x > a) & (x < b)",
    lambda i: statistics.mean([i, i]): "use autodiff.mean(xs)",
    lambda i: operator.index(i): "use autodiff.pick([operator.index(…, k) for k in range(n)], i)",
    lambda i: 1.0 if str(i) == "1" else 2.0: "use autodiff.where(i == k, a, b)",
    lambda i: 1.0 if "1" in repr(i) else 2.0: "use autodiff.where(i == k, a, b)",
    lambda i: 1.0 if ("n = " + str(i)).endswith("1") else 2.0: "use autodiff.where(i == k, a, b)",
    lambda i: {"1": 1.0}.get(str(i), 2.0): "use autodiff.where(i == k, a, b)",
    lambda i: float(len(str(i))): "use autodiff.where(i == k, a, b)",
    lambda i: 1.0 if str(i) * 2 == "11" else 2.0: "use autodiff.where(i == k, a, b)",
    lambda i: where(i == 1 + 0j, 1.0, 2.0): "must be real, got (1+0j); compare with a float",
}


@pytest.mark.parametrize("f", INSTEAD)
def test_each_way_of_asking_is_told_what_to_write_instead_of_it(f):
    """By the label, the line, and the way out of that very expression, of several on its line; static for what remains."""
    with pytest.raises(TraceError, match=r"(a number|'i') while it is traced, at ") as caught:
        compiled(f)([0.0, 1.0])
    message = str(caught.value)
    assert f"{__file__}:{f.__code__.co_firstlineno}" in message
    assert INSTEAD[f] in message
    assert all(hasattr(autodiff, name) for name in re.findall(r"\bautodiff\.(\w+)", message))
    assert "as static (static_argnums), or call the function itself, eagerly (program.f)" in message


def test_a_function_of_math_is_told_a_function_that_there_is():
    """All of math's, of one or two numbers: what is named after "autodiff." exists, and has math's numbers."""
    met = 0
    for name, f in vars(math).items():
        for numbers in ([0.5], [0.5, 0.25], [1.5, 2.0]):
            try:
                expected = f(*numbers)
            except (TypeError, ValueError):  # of other arguments
                continue
            if name == "hypot" and len(numbers) == 1:
                continue
            with contextlib.suppress(TraceError):
                np.testing.assert_allclose(compiled(f)(*numbers), expected, err_msg=name)
                continue
            with pytest.raises(TraceError) as caught:
                compiled(f)(*numbers)
            for told in re.findall(r"use autodiff\.(\w+), which serves", str(caught.value)):
                assert math.isclose(getattr(autodiff, told)(*numbers), expected, rel_tol=1e-14), name
                met += 1
    assert met > 20


def test_statements_and_attributes_are_told_what_to_write_instead():
    """A loop with an end, a test, a case; what numbers of Python and tensors have beside arithmetic."""

    def loop(i):
        while i > 0.5:
            i = i / 2.0
        return i

    def test(i):
        assert i > 0.5
        return i

    def case(i):
        match i:
            case 1:
                return i
        return 2.0

    for f, way in ((loop, r"use as many steps as any row needs"), (test, "use a test of the arguments before the call"),
                   (case, r"use autodiff\.where\(i == k, a, b\)")):  # fmt: skip
        with pytest.raises(TraceError, match=rf"a number while it is traced, at .*test_callables\.py:\d+: .*{way}"):
            compiled(f)([0.0, 1.0])
    for name, way in (("is_integer", r"autodiff\.floor\(x\) == x"), ("bit_length", r"autodiff\.total\(\[i >= 2\*\*k"),
                      ("hex", "what the program returns"), ("detach", r"autodiff\.stop_gradient\(x\)")):  # fmt: skip
        with pytest.raises(
            AttributeError, match=rf"'{name}' while it is traced, at .*test_callables\.py:\d+; use {way}"
        ):
            compiled(lambda x, name: getattr(x, name)())([0.0, 1.0], name)


def test_the_text_of_a_stand_in_is_printed_as_its_name():
    """With other text beside it, in a list, by %, by a dataclass; only a plain text, which can be compared, warns."""
    shown = []

    def f(x):
        shown.extend([str(x), "x: " + str(x), str(x) + "!", "%s" % x, str([x]), repr(Pair(x, x))])  # noqa: UP031
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compiled(f)([1.0]).tolist() == [1.0]
    name = "<traced x>"
    assert shown == [name, f"x: {name}", f"{name}!", name, f"[{name}]", f"Pair(low={name}, high={name})"]
    assert shown[0].split() == ["<traced", "x>"]  # no longer traced: a text as any other
    with pytest.warns(
        RuntimeWarning, match=r"a text holds <traced i>, a name in place of the number, in every row"
    ) as told:
        assert compiled(lambda i: 1.0 if f"{i}" == "1" else 2.0)([0, 1]).tolist() == [2.0, 2.0]
    assert told[0].filename == __file__


def test_an_index_that_all_rows_share_is_static_by_itself():
    """A whole number that a length, a slice or a place is computed from: Python's answers, one trace for each number."""
    w = Value(3.0, "w")
    powers = lambda x, n: sum([w * x**k for k in range(n + 1)]) + xs[n] * n / 2  # an index and a number
    xs = [0.5, -1.0, 2.0, 4.0]
    program = compiled(powers)
    for n in (3, 1, np.int64(2), 3):
        assert program(2.0, n) == powers(2.0, n).data
        value, dw, (dx,) = program.value_and_grad(2.0, n, argnums=(0,))
        assert (value, dw.tolist()) == (powers(2.0, n).data, [2.0 ** (n + 1) - 1.0])
        assert dx == sum(3.0 * k * 2.0 ** (k - 1) for k in range(1, n + 1))
        assert program(2.0, n=n) == value
    with pytest.raises(ValueError, match="that are not static, as flags, functions and indices are, got 1"):
        program.value_and_grad(2.0, 3, argnums=1)
    for rows in (([1.0, 2.0], [1, 2]), (2.0, 3.0)):
        with pytest.raises(TraceError, match="indexing by a number while it is traced, at "):
            program(*rows)
    with pytest.raises(ValueError, match="n must have one entry per row"):
        program([1.0, 2.0], 3)
    shared = compiled(powers, in_axes=(0, None))
    np.testing.assert_allclose(shared([1.0, 2.0], 2), [powers(1.0, 2).data, powers(2.0, 2).data])
    with pytest.raises(TraceError, match="indexing by a number while it is traced"):  # a derivative by the index
        compiled(grad(powers, argnums=1))(2.0, 3)
    assert compiled(grad(powers))(2.0, 2) == 15.0
    with pytest.raises(TraceError, match="indexing by"):  # it depends on what is no index
        compiled(lambda x, n: xs[n + x])(1, 2.0)
    few = compiled(powers, traces=3)
    few(2.0, 0), few(2.0, 1), few(2.0, 2)
    with pytest.warns(RuntimeWarning, match="more than 3 shapes or static arguments take turns"):
        few(2.0, 3)


OF_ARRAYS = {
    lambda xs: xs[xs > 0.0].sum(): r"use \[autodiff\.where\(v > 0\.0, v, 0\.0\) for v in xs\], entry by entry",
    lambda xs: np.where(xs > 0.0, xs, 0.0).sum(): r"for v in xs\], entry by entry",
    lambda xs: xs[0] if (xs > 0.0).any() else 1.0: "entry by entry, as a whole array asks for its truth values",
    lambda xs: xs[0] if all(v > 0.0 for v in xs) else 1.0: r"use \(x > a\) & \(x < b\)",
    lambda xs: np.clip(xs, 0.0, 1.0).sum(): "use autodiff.clip, which serves numbers of every kind",
    lambda xs: np.max(xs): r"use autodiff\.maximum\(a, b\)",
    lambda xs: np.asarray(xs, dtype=float).sum(): r"use the number as it is, .*np\.array\(xs\) without a dtype",
    lambda xs: np.zeros(3).__setitem__(0, xs[1]): r"np\.zeros\(n, dtype=object\) for stand-ins",
    lambda xs: np.zeros(3).__iadd__(xs): r"np\.zeros\(n, dtype=object\) for stand-ins",
    lambda xs: np.linalg.det(np.eye(3) * xs): "an array of stand-ins has no numbers while it is traced, at ",
    lambda xs: np.fft.fft(xs)[0]: "an array of stand-ins has no numbers while it is traced, at ",
    lambda xs: np.percentile(xs, 50.0): r"use autodiff\.maximum\(a, b\)",
    lambda xs: xs[0] if np.array_equal(xs, [1.0, 1.0, 1.0]) else 0.0: r"use \(x > a\) & \(x < b\)",
    lambda xs: np.select([xs > 0.0], [xs]): "entry by entry",
    lambda xs: math.fsum(xs): r"use autodiff\.total\(xs\), or sum\(xs\)",
    lambda xs: 0.0 if math.isnan(xs[0]) else xs[0]: "use x != x, which is 1 where x is NaN",
}


@pytest.mark.parametrize("f", OF_ARRAYS)
def test_what_numpy_asks_of_an_array_of_numbers_is_told_too(f):
    """Masks, choices, casts and functions of C: with the line, and what to write instead."""
    with pytest.raises(TypeError, match=OF_ARRAYS[f]) as caught:
        compiled(f)(np.ones((2, 3)))
    assert f"{__file__}:{f.__code__.co_firstlineno}" in str(caught.value)


def test_the_ways_out_of_arrays_are_ways():
    """What the messages name computes NumPy's numbers."""
    xs = np.array([[1.0, -2.0, 0.25], [-1.0, 3.0, 0.5]])
    ways = compiled(lambda xs: [
        sum(where(v > 0.0, v, 0.0) for v in xs), autodiff.clip(xs, 0.0, 1.0).sum(), functools.reduce(autodiff.maximum, xs),
        autodiff.total(xs), (np.zeros(3, dtype=object) + xs)[1], autodiff.total([k * (x == 3.0) for k, x in enumerate(xs)]),
    ])  # fmt: skip
    expected = [
        np.where(xs > 0.0, xs, 0.0).sum(1),
        xs.clip(0.0, 1.0).sum(1),
        xs.max(1),
        xs.sum(1),
        xs[:, 1],
        [0.0, 1.0],
    ]
    np.testing.assert_allclose(ways(xs), np.transpose(expected))


def test_a_name_that_no_number_has_stays_a_misspelt_name():
    """It has nothing to do with rows; what arrays have is told to be of several numbers."""
    with pytest.raises(AttributeError, match=r"has no attribute 'expp'$"):
        compiled(lambda x: x.expp())([1.0])
    with pytest.raises(AttributeError, match="has no attribute 'astype': one row of x is ONE number"):
        compiled(lambda x: x.astype(int))([1.0])
    with pytest.raises(TypeError, match=r"'Traced' and 'NoneType'$"):
        compiled(lambda x: x + None)([1.0])


def test_an_assignment_to_a_place_is_told_to_make_a_new_list():
    """A list with another entry; what is written over several lines is one expression."""

    def assigned(i):
        xs = [0.0, 1.0]
        xs[i] = 5.0
        return xs

    def long(i):
        return sum(
            NUMBERS[
                i:
            ]
        )  # fmt: skip

    with pytest.raises(TraceError, match=r"use \[autodiff\.where\(i == k, new, old\) for k, old in enumerate\(xs\)\]"):
        compiled(assigned)([0.0, 1.0])
    with pytest.raises(TraceError, match=r"where\(k < n, a, 0\.0\) for what a row leaves out"):
        compiled(long)([0.0, 1.0])


@pytest.mark.parametrize(
    "f", [lambda x: x.shape[0] * x, lambda x: [*x], lambda x: max(*x), lambda x: list(map(abs, x))]
)
def test_one_number_is_told_from_a_row_of_several(f):
    """Whatever takes it for a sequence: its shape, its entries, its length."""
    with pytest.raises((TypeError, IndexError), match="one row of x is ONE number in this call; a program's arguments"):
        compiled(f)([0.0, 1.0])


def test_what_python_says_of_a_stand_in_follows_the_line_and_the_way_out():
    """Errors of libraries that take numbers alone."""
    for f in (lambda x: timedelta(days=x).days, lambda x: float(str(x)), lambda x: Decimal(x)):
        with pytest.raises(
            TypeError, match=r"^computing .* at .*test_callables\.py:\d+: .*use .*Python says: .*[Tt]raced"
        ):
            compiled(f)([0.0, 1.0])


def test_flags_and_texts_steer_a_function_as_they_do_eagerly():
    """One by itself is static, by position, by keyword or by default, traced once for each; arrays of flags have rows."""
    met, w = [], Value(3.0, "w")

    def f(x, flag, *, mode="plain"):
        met.append((flag, mode))
        sign = 1.0 if flag is True and mode == "plain" else -1.0 if flag and not mode.startswith("p") else 0.5
        return sign * w * x

    program = compiled(f)
    for _ in range(2):
        for flag, mode in ((True, "plain"), (False, "plain"), (True, "other"), (np.True_, "other")):
            np.testing.assert_allclose(program(X, flag, mode=mode), [f(x, flag, mode=mode).data for x in X])
            assert program(2.0, flag, mode=mode) == f(2.0, flag, mode=mode).data
        assert program.value_and_grad(X, False, argnums=0)[2] == pytest.approx([0.5] * 3)
    calls = len(met)
    program(X, True)
    program(X, flag=False, mode="plain")
    assert len(met) == calls + 1  # by default the mode is no argument; a keyword in its place is as by position
    assert compiled(lambda x, flag: x if flag is True else -x)(2.0, 1.0) == -2.0
    both = compiled(lambda x, mask: where(mask, x, 0.0))
    assert both(X, np.array([True, False, True])).tolist() == [1.0, 0.0, -3.0]
    with pytest.raises(ValueError, match="that are not static, as flags, functions and indices are, got 1"):
        program.value_and_grad(X, False, argnums=1)
    with pytest.raises(
        ValueError, match=r"n must have one entry per row.*or static_argnums where it steers the function"
    ):
        compiled(lambda x, n: x * n)(X, 2)


def test_models_that_call_themselves_equal_are_not_mixed_up():
    """Each has a trace of its own and its own gradients, by itself and within a static tuple."""

    class Equal:
        def __init__(self, slope):
            self.w = Value(slope, "w")

        def __call__(self, x):
            return self.w * x

        def __eq__(self, other):
            return isinstance(other, Equal)

        def __hash__(self):
            return 1

    class Unhashable(Equal):
        __hash__ = None

    X = np.array([1.0, 2.0, 3.0])
    by_itself = compiled(lambda model, x: model(x))
    in_tuple = compiled(lambda models, x: models[0](x), static_argnums=0)
    for kind in (Equal, Unhashable):
        models = [kind(slope) for slope in (2.0, 3.0, -1.0)]
        for _ in range(2):
            for model in models:
                np.testing.assert_allclose(by_itself(model, X), model.w.data * X)
                if kind is Equal:
                    np.testing.assert_allclose(in_tuple((model,), X), model.w.data * X)
        by_itself.backward(models[1], X)
        assert [model.w.grad for model in models] == [0.0, 2.0, 0.0]


def test_a_short_way_of_numbers_is_not_taken_for_flags():
    """The number 1.0 and the flag True are two arguments, whichever comes first."""
    kind = compiled(lambda x, flag: x if flag is True else 2.0 * x)
    for _ in range(3):
        assert (kind(3.0, 1.0), kind(3.0, True), kind(3.0, 1), kind(3.0, np.True_)) == (6.0, 3.0, 6.0, 6.0)


@given(st.lists(st.integers(-(2**53), 2**53), min_size=1, max_size=8), st.integers(1, 999))
def test_whole_numbers_stay_whole(numbers, n):
    """Floor division, remainder, comparison and sums of ints up to 2⁵³ are Python's own."""
    program = compiled(lambda i: [i // n, i % n, i == n, (i % n) * (i % n), -i])
    expected = [[i // n, i % n, i == n, (i % n) ** 2, -i] for i in numbers]
    for rows in (numbers, np.array(numbers)):
        np.testing.assert_array_equal(program(rows), expected)
    assert program(numbers[0]).tolist() == expected[0]


def test_an_operation_of_floats_alone_is_told_what_arrays_need():
    """By its name: a forward with `if` or math, for which `array=` or where is the way; a rule of partials likewise."""
    slope = (lambda a, _: where(a > 0.0, 1.0, 0.5),)
    for forward in (lambda a: a if a > 0.0 else 0.5 * a, lambda a: a * math.exp(a)):
        leaky = Op("leaky", "leaky", forward, None, slope)
        with pytest.raises(
            (TypeError, ValueError), match=r"^leaky: its `forward` must serve arrays too, .*array=….*where"
        ):
            compiled(lambda x, leaky=leaky: leaky(x))(X)
    leaky = Op("leaky", "leaky", lambda a: a if a > 0.0 else 0.5 * a, lambda a: np.where(a > 0.0, a, 0.5 * a), slope)
    np.testing.assert_allclose(compiled(lambda x: leaky(x))(X), [1.0, 2.0, -1.5])
