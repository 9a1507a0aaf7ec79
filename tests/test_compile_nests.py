"""Programs of nests: a dict of columns, a dataclass of parameters; equal to NumPy's arithmetic and to JAX's vmap."""

import copy
import pickle
from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from autodiff import DomainError, Value, compile, exp, grad, jacobian, log, nests, where

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=6), RNG.normal(size=6)
TABLE = RNG.normal(size=(6, 3))
Line = namedtuple("Line", "slope offset")


@dataclass
class Batch:
    table: Any
    target: Any
    power: int = field(default=2, metadata={"static": True})


def line():
    w, b = Value(2.0, "w"), Value(1.0, "b")
    return w, b, compile(lambda batch: (w * batch["x"] + b - batch["y"]) ** 2)


def test_a_dict_of_columns_is_a_batch():
    """One value per row, the mean and its gradient, for arrays, lists and single numbers alike."""
    _, _, program = line()
    error = 2.0 * X + 1.0 - Y
    np.testing.assert_allclose(program({"x": X, "y": Y}), error**2, rtol=1e-14)
    value, gradient = program.value_and_grad({"x": X.tolist(), "y": Y})
    assert value == pytest.approx((error**2).mean(), rel=1e-14)
    np.testing.assert_allclose(gradient, [(2 * error * X).mean(), (2 * error).mean()], rtol=1e-13)
    assert program({"x": 0.5, "y": 1.0}) == 1.0
    assert program.value_and_grad({"x": 0.5, "y": 1.0})[1].tolist() == [1.0, 2.0]


def test_derivatives_by_a_nest_are_a_nest():
    """One row each, in the argument's own containers; the closed form is 2(wx + b - y) times w or -1."""
    _, _, program = line()
    slope = 2.0 * (2.0 * X + 1.0 - Y)
    for asked in ({"argnums": 0}, {"argnames": "batch"}):
        *_, by = program.value_and_grad({"x": X, "y": Y}, reduce="sum", **asked)
        assert list(by) == ["x", "y"]
        np.testing.assert_allclose(by["x"], 2.0 * slope, rtol=1e-13)
        np.testing.assert_allclose(by["y"], -slope, rtol=1e-13)
    *_, (by,) = program.value_and_grad({"x": 0.5, "y": 1.0}, argnums=(0,))
    assert by == {"x": 4.0, "y": -2.0}


def test_parameters_in_a_nest_come_back_as_they_were():
    """With in_axes=None: the same for all rows, lists as lists, whose derivatives are added up."""
    program = compile(
        lambda p, x: exp(p.slope["w"][0] * x[0] + p.slope["w"][1] * x[1]) * p.offset[1], in_axes=(None, 0)
    )
    p = Line({"w": [0.3, -0.2]}, (None, 2.0))
    value, _, by = program.value_and_grad(p, TABLE[:, :2], argnums=0)
    rows = np.exp(TABLE[:, :2] @ [0.3, -0.2])
    assert value == pytest.approx(2.0 * rows.mean(), rel=1e-14)
    assert type(by) is Line
    assert by.slope["w"] == pytest.approx(list((2.0 * rows[:, None] * TABLE[:, :2]).mean(axis=0)), rel=1e-13)
    assert by.offset == (None, pytest.approx(rows.mean(), rel=1e-14))


def test_matrices_beside_vectors_in_a_list():
    """Ragged nests of arrays, rows by vmap: the gradients of a layer's weights are those of JAX."""
    jax = pytest.importorskip("jax", reason="JAX is a development dependency")
    jax.config.update("jax_enable_x64", True)
    W, b = RNG.normal(size=(2, 3)), RNG.normal(size=2)
    program = compile(lambda layer, x: ((layer[0] @ x + layer[1]) ** 2).sum(), in_axes=(None, 0))
    _, _, by = program.value_and_grad([W, b], TABLE, argnums=0)
    one = lambda layer, x: ((layer[0] @ x + layer[1]) ** 2).sum()
    mean = lambda layer: jax.vmap(one, (None, 0))(layer, TABLE).mean()
    for ours, theirs in zip(by, jax.jit(jax.grad(mean))([W, b]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_a_dataclass_with_a_static_field_traces_anew_where_it_changes():
    """The field steers the function and is no number; the derivatives keep it."""
    program = compile(lambda batch: (batch.table.sum() - batch.target) ** batch.power)
    error = TABLE.sum(axis=1) - Y
    np.testing.assert_allclose(program(Batch(TABLE, Y)), error**2, rtol=1e-13)
    np.testing.assert_allclose(program(Batch(TABLE, Y, 3)), error**3, rtol=1e-13)
    *_, by = program.value_and_grad(Batch(TABLE, Y, 3), argnums=0, reduce="sum")
    assert by.power == 3
    np.testing.assert_allclose(by.table, np.repeat(3 * error[:, None] ** 2, 3, axis=1), rtol=1e-12)


def test_arguments_by_keyword_are_those_by_position():
    """Also keyword-only ones, with in_axes and static_argnums counted as in the signature."""

    def f(x, scale, *, power=1):
        return (x * scale) ** power if power > 0 else x * 0.0

    program = compile(f, in_axes=(0, None, None), static_argnums=2)
    expected = (X * 3.0) ** 2
    np.testing.assert_allclose(program(X, 3.0, power=2), expected, rtol=1e-14)
    np.testing.assert_allclose(program(scale=3.0, power=2, x=X), expected, rtol=1e-14)
    _, _, by = program.value_and_grad(X, scale=3.0, power=2, argnames="scale")
    assert by == pytest.approx((2 * X * X * 3.0).mean(), rel=1e-13)
    _, _, (by_scale, by_x) = program.value_and_grad(scale=3.0, power=2, x=X, argnums=(1, 0), reduce="sum")
    assert by_scale == pytest.approx((2 * X * X * 3.0).sum(), rel=1e-13)
    np.testing.assert_allclose(by_x, 2 * X * 9.0, rtol=1e-13)
    w = Value(2.0, "w")
    trained = compile(lambda x, y: (w * x - y) ** 2)
    assert trained.backward(X, y=Y) == trained.value_and_grad(X, Y)[0]
    assert w.grad == pytest.approx((2 * (2 * X - Y) * X).mean(), rel=1e-13)
    with trained.training(X, y=Y) as flat:
        flat -= 0.5
    assert w.data == 1.5


def test_training_and_derived_programs_take_nests():
    """Steps of gradient descent on a dict reach what NumPy's reach; jvp and hvp are the closed forms."""
    w, b, program = line()
    with program.training({"x": X, "y": Y}) as flat:
        for _ in range(3):
            flat -= 0.1 * program.value_and_grad({"x": X, "y": Y})[1]
    expected = np.array([2.0, 1.0])
    for _ in range(3):
        error = expected[0] * X + expected[1] - Y
        expected = expected - 0.1 * np.array([(2 * error * X).mean(), (2 * error).mean()])
    assert [w.data, b.data] == pytest.approx(expected, rel=1e-13)
    values, rates = program.jvp(({"x": X, "y": Y},), ({"x": np.ones(6), "y": np.zeros(6)},))
    np.testing.assert_allclose(values, (w.data * X + b.data - Y) ** 2, rtol=1e-12)
    np.testing.assert_allclose(rates, 2 * (w.data * X + b.data - Y) * w.data, rtol=1e-12)
    product = program.hvp({"x": X, "y": Y}, vector=[1.0, 0.0])
    np.testing.assert_allclose(product, [(2 * X * X).mean(), (2 * X).mean()], rtol=1e-12)


def test_a_compiled_gradient_of_a_nest_is_the_eager_one():
    """compile(grad(f)) for an argument that is a nest, where the answer is one number of it."""
    f = lambda p, x: where(p["w"] > 0.0, p["w"] ** 2 * x, p["w"] * x)
    program = compile(lambda p, x: grad(f)(p, x)["w"], in_axes=(None, 0))
    np.testing.assert_allclose(program({"w": 1.5}, X), [grad(f)({"w": 1.5}, x)["w"] for x in X], rtol=1e-14)


def test_the_text_has_names_for_entries():
    """program.source reads `batch_x` where the function reads batch["x"], and computes the same."""
    _, _, program = line()
    program({"x": X, "y": Y})
    namespace = {}
    exec(program.source, namespace)  # the text is what is tested
    value, gradient = namespace["value_and_grad"](np.array([2.0, 1.0]), batch_x=X, batch_y=Y)
    expected = program.value_and_grad({"x": X, "y": Y})
    assert value == pytest.approx(expected[0], rel=1e-14)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-13)


def test_a_data_set_is_not_kept():
    """What a program remembers of a nest is its form."""
    import gc
    import weakref

    class Column(np.ndarray):
        pass

    _, _, program = line()
    column = X.copy().view(Column)
    program({"x": column, "y": Y})
    gone = weakref.ref(column)
    del column
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p: p({"x": X, "y": ["a"] * 6}), TypeError, r"batch\['y'\] must be numbers"),
        (lambda p: p({"x": X, "y": [X, {"deep": "s"}]}), TypeError, r"batch\['y'\]\[1\]\['deep'\] must be numbers"),
        (lambda p: p({"x": X, "y": Y[:2]}), ValueError, r"got 2 in batch\['y'\] and 6 in batch\['x'\]"),
        (lambda p: p({"x": X, "y": 1.0}), ValueError, r"batch\['y'\] must have one entry per row"),
        (lambda p: p({"x": [], "y": []}), ValueError, r"batch\['x'\] must have at least one row"),
        (
            lambda p: p({"x": [[1.0], [2.0, 3.0]], "y": Y}),
            ValueError,
            r"got 2 in batch\['x'\]\[1\] and \d in batch\['x'\]\[0\]",
        ),
        (lambda p: p({"x": X, "y": np.full(6, np.nan)}, check=True), ValueError, r"row 0 of batch\['y'\] is NaN"),
        (lambda p: p.value_and_grad({"x": X, "y": Y}, argnames="z"), ValueError, "got 'z'; it passes batch"),
        (
            lambda p: p.value_and_grad({"x": X, "y": Y}, argnums=1),
            ValueError,
            "argnums must name arguments of the call",
        ),
        (lambda p: p.value_and_grad({"x": X, "y": Y}, argnums=0, argnames="batch"), ValueError, "not be given both"),
        (lambda p: p(bach={"x": X, "y": Y}), TypeError, "unexpected keyword argument 'bach'"),
        (
            lambda p: p.jvp(({"x": X, "y": Y},), ({"x": X},)),
            ValueError,
            r"tangent of batch must have its form, got none",
        ),
    ],
)
def test_what_is_wrong_in_a_nest_is_named_by_its_path(call, error, message):
    """As the user reaches it, and the parameters stay as they were."""
    w, b, program = line()
    with pytest.raises(error, match=message):
        call(program)
    assert (w.data, b.data, w.swept) == (2.0, 1.0, False)


def test_a_domain_error_names_the_entry():
    """With its row."""
    program = compile(lambda batch: log(batch["x"]))
    with pytest.raises(DomainError, match=r"row 1: log of -1\.0, .*batch\['x'\]"):
        program({"x": [1.0, -1.0]}, check=True)


def scored(x, y):
    """A loss, and beside it what a person wants to see."""
    prediction = SLOPE * x + 1.0
    aux = {"prediction": prediction, "both": [np.array([x, prediction], dtype=object), "kept"], "table": np.arange(2)}
    return (prediction - y) ** 2, aux


SLOPE = Value(2.0, "slope")


def test_aux_comes_beside_every_answer_of_a_program():
    """Of every row, in the form that the function gave it: in every mode, at a point and in a batch."""
    program = compile(scored, has_aux=True)
    error = 2.0 * X + 1.0 - Y
    value, aux = program(X, Y)
    np.testing.assert_allclose(value, error**2, rtol=1e-14)
    np.testing.assert_allclose(aux["prediction"], 2.0 * X + 1.0, rtol=1e-14)
    np.testing.assert_allclose(aux["both"][0], np.stack([X, 2.0 * X + 1.0], axis=1), rtol=1e-14)
    assert aux["both"][1] == "kept"
    assert aux["table"].tolist() == [0, 1]
    (mean, aux), gradient, by_x = program.value_and_grad(X, y=Y, argnames="x")
    assert mean == pytest.approx((error**2).mean())
    np.testing.assert_allclose(gradient, [(2 * error * X).mean()], rtol=1e-13)
    np.testing.assert_allclose(by_x, 4.0 * error / len(X), rtol=1e-13)
    np.testing.assert_allclose(aux["prediction"], 2.0 * X + 1.0, rtol=1e-14)
    (value, aux), gradient = program.value_and_grad(0.5, 1.0)
    assert (value, aux["prediction"], gradient.tolist()) == (1.0, 2.0, [1.0])
    value, rate, aux = program.jvp((X, Y), (np.ones(6), np.zeros(6)))
    np.testing.assert_allclose(rate, 4.0 * error, rtol=1e-13)
    assert len(aux["prediction"]) == 6
    product, aux = program.hvp(X, Y, vector=[1.0])
    np.testing.assert_allclose(product, [(2.0 * X * X).mean()], rtol=1e-13)
    SLOPE.zero_grad()
    assert program.backward(X, Y)[0] == pytest.approx((error**2).mean())
    assert SLOPE.grad == pytest.approx((2 * error * X).mean())
    SLOPE.zero_grad()


def test_a_program_with_aux_trains_is_copied_and_pickled_as_others_are():
    """aux sees what a training block has reached; a copy returns aux too."""
    program = compile(scored, has_aux=True)
    with program.training(X, Y) as flat:
        flat[:] = 3.0
        (_, aux), _ = program.value_and_grad(X, Y)
        np.testing.assert_allclose(aux["prediction"], 3.0 * X + 1.0, rtol=1e-14)
    SLOPE.data = 2.0
    for twin in (copy.copy(program), pickle.loads(pickle.dumps(program))):
        assert twin(0.5, 1.0)[1]["prediction"] == 2.0


def test_a_function_that_returns_no_aux_is_refused():
    """Rule, what was got."""
    with pytest.raises(TypeError, match=r"must return \(answer, aux\), got Traced"):
        compile(lambda x: x, has_aux=True)(X)


def test_hvp_takes_arguments_by_keyword():
    """They stand in their places; a name that has none is refused."""
    w = Value(3.0)
    program = compile(lambda x, y: w**3 * x * y)
    assert program.hvp([1.0], y=[2.0], vector=[1.0]) == program.hvp(y=[2.0], x=[1.0], vector=[1.0]) == [36.0]
    with pytest.raises(TypeError, match=r"by position or in their places, got y by keyword"):
        program.hvp(y=[2.0], vector=[1.0])


def test_a_nest_is_returned_as_aux():
    """And as the answer itself, where no gradient is asked for; the message names the way, which works."""
    slopes = grad(lambda p: p["a"] * p["b"] ** 2)
    batch = {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    with pytest.raises(TypeError, match=r"got dict; return \(number, dict\) with has_aux=True"):
        compile(slopes).value_and_grad(batch)
    (_, found), _ = compile(lambda p: (0.0, slopes(p)), has_aux=True).value_and_grad(batch)
    assert {key: column.tolist() for key, column in compile(slopes)(batch).items()} == {
        key: column.tolist() for key, column in found.items()
    }
    assert {key: column.tolist() for key, column in found.items()} == {"a": [9.0, 16.0], "b": [6.0, 16.0]}


def test_a_table_is_entered_by_name_as_a_dict_of_columns():
    """A row of a DataFrame is an array in a program, which names no columns."""
    frame = pytest.importorskip("pandas").DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    program = compile(lambda row: row["a"] * row["b"])
    with pytest.raises(IndexError, match=r"to enter it by name, pass a dict of columns, such as dict\(frame\)"):
        program(frame)
    assert program(dict(frame)).tolist() == [3.0, 8.0]


@pytest.mark.parametrize("empty", [{}, {"a": {}}, [{}]])
def test_arguments_that_hold_no_number_are_refused(empty):
    """By name, before the function is called."""
    with pytest.raises(ValueError, match=r"p must hold at least one number, got"):
        compile(lambda p: p["w"])(empty)


def test_argnames_that_are_no_names_are_refused():
    """As grad does."""
    with pytest.raises(TypeError, match=r"argnames must be the name of an argument, or a tuple of names, got 3"):
        compile(lambda x: x).value_and_grad(X, argnames=3)


@pytest.mark.parametrize("steering", [True, "text", np.tanh])
def test_what_steers_inside_a_nest_is_told_to_be_passed_by_itself(steering):
    """There is no position for static_argnums; a static field of a dataclass, as the message says, branches as eagerly."""
    with pytest.raises(
        (TypeError, ValueError), match=r"pass it as an argument of its own, or in a dataclass field with"
    ):
        compile(lambda d: d["a"] if d["by"] else -d["a"])({"a": [1.0, 2.0], "by": steering})

    @dataclass
    class Steered:
        a: Any
        by: Any = field(metadata={"static": True})

    program = compile(lambda d: d.a if d.by == steering else -d.a)
    assert program(Steered([1.0, 2.0], steering)).tolist() == [1.0, 2.0]
    assert program(Steered([1.0, 2.0], "another")).tolist() == [-1.0, -2.0]


@pytest.mark.parametrize(
    ("column", "way"),
    [
        (np.array(["1", "2"]), r"x\.astype\(float\) makes numbers"),
        (np.array([1j]), r"x\.real and x\.imag are two arguments"),
        (np.array([(1.0, 2.0)], dtype=[("a", float), ("b", float)]), "a dict of columns, .*x.dtype.names"),
    ],
)
def test_arrays_of_other_things_are_told_what_makes_numbers_of_them(column, way):
    """Texts, complex numbers, records."""
    with pytest.raises(TypeError, match=f"x must be numbers, got .* entries; {way}"):
        compile(lambda x: x)(column)


def test_rows_by_name_are_told_to_be_columns():
    """A list of dicts has rows where a program has columns."""
    with pytest.raises(TypeError, match="to enter it by name, pass a dict of columns"):
        compile(lambda row: row["a"])([{"a": 1.0}, {"a": 2.0}])


@pytest.mark.parametrize(
    "nest",
    [
        {"pair": (1.0, 2.0), "b": 3.0},
        {"list": [1.0, 2.0], "deep": {"one": (3.0,)}},
        [(1.0, 2.0), {"pair": (3.0, 4.0)}],
        Line((1.0, 2.0), [3.0]),
    ],
)
def test_a_derivative_has_the_tuples_of_its_argument_wherever_they_lie(nest):
    """The gradient of Σ x² is 2x in the form of the argument: eagerly, compiled, and beside others."""
    f = lambda nest: sum(x * x for _, x in nests.leaves(nest, ""))
    expected = nests.mapped(lambda x, _: 2.0 * x, nest)
    program = compile(grad(f), in_axes=None)
    assert grad(f)(nest) == program(nest) == expected
    assert compile(jacobian(lambda nest: {"f": (f(nest), 1.0)}), in_axes=None)(nest)["f"][0] == expected
    assert repr(program(nest)) == repr(expected)
