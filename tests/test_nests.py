"""Arguments as people hold them: derivatives come back in the same shape, as JAX's pytrees and closed forms say."""

import collections
import copy
import math
import sys
import types
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

import autodiff
from autodiff import Value, compile, grad, hessian, hvp, jacobian, jvp, no_grad, sin, value_and_grad


class Line(NamedTuple):
    slope: float
    offset: float


class Series(collections.UserList):
    """A column of pandas, as far as a message looks at it."""

    to_numpy = None


@dataclass(frozen=True)
class Layer:
    w: np.ndarray
    b: list
    activation: str = field(default="sin", metadata={"static": True})


@dataclass(slots=True)
class Net:
    layer: Layer
    scale: float
    note: None = None


def net(weight=0.3):
    return Net(Layer(np.array([[weight, -0.2], [0.1, 0.7]]), [0.5, -0.1]), 1.5)


def loss(net, x):
    w, b = net.layer.w, net.layer.b
    h = [w[0, 0] * x[0] + w[0, 1] * x[1] + b[0], w[1, 0] * x[0] + w[1, 1] * x[1] + b[1]]
    return net.scale * (h[0] ** 2 + h[1] ** 2) * h[0]


def products(x):
    """A smooth function of whatever numbers a nest holds, the same for Values and for JAX."""
    found = [entry for leaf in flat(x) for entry in np.ravel(leaf)]
    total = 0.0
    for i, entry in enumerate(found):
        total = total + (i + 1.0) * entry * entry * found[i - 1]
    return total


def flat(x):
    """The leaves in the order of JAX's trees, which sort dicts by key."""
    if isinstance(x, dict):
        return [leaf for key in sorted(x) for leaf in flat(x[key])]
    if isinstance(x, (list, tuple)):
        return [leaf for entry in x for leaf in flat(entry)]
    return [] if x is None else [x]


NESTS = [
    {"z": 1.0, "a": {"b": [2.0, -0.5], "none": None}, "m": np.array([[1.0], [2.0]])},
    Line(0.5, -2.0),
    (Line(0.5, -2.0), {"x": 1.5}, [np.array([0.5]), 2.0]),
    [[1.0], [2.0, 3.0], [], np.ones((2, 2))],
]


def same_tree(ours, theirs, rel=1e-12):
    """The same nest, with equal numbers in arrays of equal shapes."""
    jax = pytest.importorskip("jax", reason="JAX is a development dependency")
    leaves, structure = jax.tree_util.tree_flatten(ours)
    expected, wanted = jax.tree_util.tree_flatten(theirs)
    assert structure == wanted
    for a, b in zip(leaves, expected, strict=True):
        assert np.shape(a) == np.shape(b)
        assert a == pytest.approx(np.asarray(b), rel=rel, abs=1e-12)


def jax_products():
    jax = pytest.importorskip("jax", reason="JAX is a development dependency")
    jax.config.update("jax_enable_x64", True)

    def f(x):
        found = jax.numpy.concatenate([jax.numpy.ravel(leaf) for leaf in jax.tree_util.tree_leaves(x)])
        return (jax.numpy.arange(1.0, len(found) + 1.0) * found**2 * jax.numpy.roll(found, 1)).sum()

    return jax, f


@pytest.mark.parametrize("x", NESTS, ids=repr)
def test_gradients_and_hessians_of_nests_are_those_of_jax(x):
    """Of dicts, tuples, named tuples, arrays, numbers and None, however they lie in each other."""
    jax, f = jax_products()
    same_tree(grad(products)(x), jax.jit(jax.grad(f))(x))
    same_tree(hessian(products)(x), jax.jit(jax.hessian(f))(x))


@pytest.mark.parametrize("x", NESTS, ids=repr)
def test_jacobians_hold_the_argument_inside_the_answer(x):
    """The answer's nest with the argument's in place of each of its leaves, as JAX has it."""
    jax, f = jax_products()
    both = lambda f: lambda x: {"f": f(x), "pair": (2.0 * f(x), [f(x) * f(x)])}
    same_tree(jacobian(both(products))(x), jax.jit(jax.jacobian(both(f)))(x))


@pytest.mark.parametrize("x", NESTS, ids=repr)
def test_directions_have_the_nest_of_their_argument(x):
    """jvp and hvp as JAX computes them, whatever order the tangent's keys have."""
    jax, f = jax_products()
    v = jax.tree_util.tree_map(lambda leaf: 0.75 * leaf + 1.0, x)
    backwards = dict(reversed(v.items())) if isinstance(v, dict) else v
    same_tree(jvp(products, (x,), (backwards,)), jax.jit(partial(jax.jvp, f))((x,), (v,)))
    product = jax.jit(lambda x, v: jax.jvp(jax.grad(f), (x,), (v,))[1])
    same_tree(hvp(products)(x, backwards), product(x, v), rel=1e-11)


def test_ragged_lists_keep_their_rows():
    """A list of lists of different lengths gives such a list of floats; matrices beside vectors stay arrays."""
    assert grad(lambda x: x[0][0] * x[1][1])([[2.0], [3.0, 5.0]]) == [[5.0], [0.0, 2.0]]
    w, b = np.ones((2, 3)), np.zeros(2)
    slopes = grad(lambda layer: (layer[0] @ np.ones(3) + layer[1]).sum())([w, b])
    assert type(slopes) is list
    assert slopes[0].tolist() == np.ones((2, 3)).tolist()
    assert slopes[1].tolist() == [1.0, 1.0]


def test_dataclasses_and_named_tuples_come_back_as_themselves():
    """Frozen and slotted ones too; static fields and None are kept; the answer agrees with JAX."""
    jax = pytest.importorskip("jax", reason="JAX is a development dependency")
    jax.config.update("jax_enable_x64", True)
    for kind, moving, static in ((Layer, ["w", "b"], ["activation"]), (Net, ["layer", "scale", "note"], [])):
        if kind not in registered:
            jax.tree_util.register_dataclass(kind, data_fields=moving, meta_fields=static)
            registered.add(kind)
    ours, theirs = grad(loss)(net(), [1.0, 2.0]), jax.jit(jax.grad(loss))(net(), [1.0, 2.0])
    assert type(ours) is Net
    assert type(ours.layer.b) is list
    assert (ours.layer.activation, ours.note) == ("sin", None)
    same_tree(ours, theirs)
    assert grad(lambda line: line.slope * 3.0 + line.offset)(Line(2.0, 1.0)) == Line(3.0, 1.0)
    assert hessian(lambda line: line.slope * line.offset)(Line(2.0, 1.0)) == Line(Line(0.0, 1.0), Line(1.0, 0.0))


registered = set()


def test_a_dataclass_is_not_constructed_again():
    """What __post_init__ demands of floats need not hold for Values."""

    @dataclass
    class Positive:
        x: Any
        seen: Any = field(init=False, default=0.0)

        def __post_init__(self):
            if type(self.x) is not float:
                raise TypeError("floats alone")

    slope = grad(lambda p: p.x * p.x + p.seen)(Positive(3.0))
    assert (type(slope), slope.x, slope.seen) == (Positive, 6.0, 1.0)


def test_dicts_keep_class_order_and_keys():
    """An OrderedDict, a defaultdict, and keys that are no text."""
    ordered = collections.OrderedDict([("z", 1.0), ("a", 2.0)])
    slope = grad(lambda d: d["z"] * d["a"])(ordered)
    assert type(slope) is collections.OrderedDict
    assert list(slope.items()) == [("z", 2.0), ("a", 1.0)]
    counts = collections.defaultdict(lambda: 7.0, {0: 2.0, (1, 2): 3.0})
    slope = grad(lambda d: d[0] * d[1, 2])(counts)
    assert slope.default_factory() == 7.0
    assert dict(slope) == {0: 3.0, (1, 2): 2.0}


def test_a_counter_comes_back_with_derivatives_for_its_counts():
    """Its own `update` would add them to the counts; an outcome that never was stays absent."""
    counts = collections.Counter("aab")
    slopes = grad(lambda c: c["a"] ** 3 * c["b"])(counts)
    assert type(slopes) is collections.Counter
    assert slopes == {"a": 12.0, "b": 8.0}
    assert compile(lambda c: c["a"] * c["b"])(counts) == 2.0


def test_nothing_that_was_passed_changes():
    """Neither containers nor numbers, when a derivative is taken and when it is refused."""
    params = {"net": net(), "rest": [1, (2.0, None)], "line": Line(1.0, 2.0)}
    before = copy.deepcopy(params)
    f = lambda p: loss(p["net"], [1.0, 2.0]) + p["rest"][1][0] * p["line"].slope
    grad(f)(params)
    hvp(f)(params, params)
    params["bad"] = "x"
    with pytest.raises(TypeError):
        grad(f)(params)
    assert params.pop("bad") == "x"
    assert repr(params) == repr(before)
    assert not any(isinstance(leaf, Value) for leaf in params["net"].layer.w.flat)


def test_nests_nest_in_each_other_and_give_values_for_values():
    """A gradient inside a gradient, and an answer one can go on from: d/dw (∂/∂w of w²b)² = 8w·b²."""
    inner = grad(lambda p: p["w"] ** 2 * p["b"])
    assert grad(lambda p: inner(p)["w"] ** 2)({"w": 3.0, "b": 2.0}) == {"w": 96.0, "b": 144.0}
    v = Value(3.0, "v")
    slope = inner({"w": v, "b": 2.0})
    assert isinstance(slope["b"], Value)
    slope["w"].backward()
    assert v.grad == 4.0
    with no_grad():
        assert inner({"w": 3.0, "b": 2.0}) == {"w": 12.0, "b": 9.0}


def test_several_arguments_give_a_tuple_of_nests():
    """Also blocks of Hessians: ∂²/∂a∂b of a·b² is 2b."""
    f = lambda a, b: a["x"] * b[0] * b[0]
    assert grad(f, (0, 1))({"x": 2.0}, (3.0, None)) == ({"x": 9.0}, (12.0, None))
    table = hessian(f, (0, 1))({"x": 2.0}, (3.0, None))
    assert table[0] == {"x": ({"x": 0.0}, (6.0, None))}
    assert table[1] == (({"x": 6.0}, (4.0, None)), None)
    assert hvp(f, (0, 1))({"x": 2.0}, ({"x": 1.0}, (1.0, None)), (3.0, None)) == ({"x": 6.0}, (10.0, None))


# Arguments by name.


def test_argnames_find_arguments_wherever_they_stand():
    """By position, by keyword, keyword-only and in **options; the others are passed as they are."""

    def f(x, scale=1.0, *, power, **more):
        assert type(x) is float
        return x * scale**power + more.get("extra", 0.0)

    assert grad(f, argnames="scale")(2.0, 3.0, power=2) == 12.0
    assert grad(f, argnames="scale")(2.0, scale=3.0, power=2) == 12.0
    assert grad(f, argnames=("power", "scale"))(2.0, scale=3.0, power=2) == (18.0 * math.log(3.0), 12.0)
    assert grad(f, argnames="extra")(2.0, power=2, extra=1.0) == 1.0
    value, slopes = value_and_grad(f, argnames=["extra"])(2.0, power=1, extra=1.0)
    assert (value, slopes) == (3.0, (1.0,))
    assert hessian(f, argnames="scale")(2.0, scale=3.0, power=2) == 4.0
    assert jacobian(lambda x, *, y: [x * y["a"]], argnames="y")(2.0, y={"a": 1.0})["a"].tolist() == [2.0]
    assert hvp(lambda x, y: x * y * y, argnames="y")(2.0, 10.0, y=3.0) == 40.0
    assert grad(lambda x, y: x * y * y)(y=3.0, x=2.0) == 9.0
    assert grad(lambda x, y: x * y * y, (1, 0))(2.0, y=3.0) == (12.0, 9.0)


def test_a_callable_without_signature_takes_names_by_keyword():
    """Some functions of C tell nothing about their parameters; what was passed by keyword is still found."""

    class Opaque:
        __signature__ = "none"

        def __call__(self, **options):
            return options["x"] ** 3

    assert grad(Opaque(), argnames="x")(x=2.0) == 12.0


# What else a function returns.


def test_aux_is_handed_through_with_its_values_as_floats():
    """In any nest; what holds no Value is the thing itself."""
    marker = object()

    def f(x):
        y = sin(x)
        return y * y, {"y": y, "all": np.array([y, 2.0]), "what": marker, "line": Line(y, 1.0), "n": 3}

    point = 0.5
    slope, aux = grad(f, has_aux=True)(point)
    assert slope == pytest.approx(math.sin(2 * point), rel=1e-15)
    assert aux["y"] == math.sin(point)
    assert type(aux["y"]) is float
    assert aux["all"].dtype == np.float64
    assert aux["all"].tolist() == [math.sin(point), 2.0]
    assert aux["what"] is marker
    assert aux["line"] == Line(math.sin(point), 1.0)
    assert type(aux["n"]) is int


def test_aux_stands_where_jax_puts_it():
    """For every transform: grad, value_and_grad, jacobian, hessian and jvp return it in JAX's places."""
    jax = pytest.importorskip("jax", reason="JAX is a development dependency")
    jax.config.update("jax_enable_x64", True)
    f = lambda x: (x["a"] ** 3 * x["b"], {"twice": 2.0 * x["a"]})
    x = {"a": 2.0, "b": 5.0}
    same_tree(grad(f, has_aux=True)(x), jax.jit(jax.grad(f, has_aux=True))(x))
    same_tree(value_and_grad(f, has_aux=True)(x), jax.jit(jax.value_and_grad(f, has_aux=True))(x))
    same_tree(jacobian(f, has_aux=True)(x), jax.jit(jax.jacrev(f, has_aux=True))(x))
    same_tree(hessian(f, has_aux=True)(x), jax.jit(jax.hessian(f, has_aux=True))(x))
    same_tree(jvp(f, (x,), (x,), has_aux=True), jax.jvp(f, (x,), (x,), has_aux=True))
    assert hvp(f, has_aux=True)(x, x) == ({"a": 180.0, "b": 24.0}, {"twice": 4.0})


def test_aux_stays_a_value_where_an_outer_derivative_goes_on():
    """d/dx of x³ · (aux = x) at 2 is 32, though the inner answer alone does not depend on x."""

    def f(x):
        slope, aux = grad(lambda y: (y * y, x * x), has_aux=True)(1.0)
        return slope * aux

    assert grad(f)(3.0) == 12.0


# What is refused, in the user's words.


@pytest.mark.parametrize(
    ("argument", "error", "message"),
    [
        ({"w": [1.0, 2.0, "3"]}, TypeError, r"cannot differentiate by params\['w'\]\[2\]: "),
        ({"w": [1.0, {"deep": {1.0}}]}, TypeError, r"cannot differentiate by params\['w'\]\[1\]\['deep'\]: "),
        ({"w": np.array(["a"], dtype=object)}, TypeError, r"cannot differentiate by params\['w'\]\[0\]: "),
        (Net(Layer(np.array([[1.0, 1j]]), []), 1.0), TypeError, r"cannot differentiate by params\.layer\.w\[0, 0\]: "),
        (Line(1.0, "one"), TypeError, r"cannot differentiate by params\.offset: "),
        ([1.0, (2.0, Layer)], TypeError, r"cannot differentiate by params\[1\]\[1\]: "),
        ({"name": "x", "w": 1.0}, TypeError, r"got str; pass text as an argument of its own, or in a dataclass field"),
        (collections.deque([1.0]), TypeError, r"params: a Value .* got deque; .* convert it by list\(…\)"),
        (types.MappingProxyType({"w": 1.0}), TypeError, r"got mappingproxy; .* convert it by dict\(…\)"),
        ({"w": Series([1.0])}, TypeError, r"params\['w'\]: a Value .* got Series; .* convert it by \.to_numpy\(\)"),
        ([], ValueError, r"params must hold at least one number to differentiate by, got \[\]"),
        (np.ones((0, 2)), ValueError, "params must hold at least one number"),
        ({"a": [], "b": (None, {})}, ValueError, "params must hold at least one number"),
        (None, ValueError, "params must hold at least one number to differentiate by, got None"),
    ],
)
def test_what_cannot_be_differentiated_by_is_named_by_its_path(argument, error, message):
    """As Python reaches it, from the parameter's own name; the function is not called."""

    def f(params):
        raise AssertionError("called")

    for transform in (grad, value_and_grad, jacobian, hessian):
        with pytest.raises(error, match=message):
            transform(f)(argument)
    with pytest.raises(error, match=message):
        hvp(f)(argument, argument)
    with pytest.raises(error, match=message):
        jvp(f, (argument,), (argument,))


@pytest.mark.parametrize("limit", [1_000, 10_000])
@pytest.mark.parametrize("call", [grad, compile], ids=["grad", "compile"])
def test_a_nest_that_holds_itself_is_refused(call, limit):
    """With its name, and whatever Python's own limit is: it may have been raised to where memory ends."""
    params, rows = {"w": [1.0]}, [1.0]
    params["w"].append(params)
    rows.append(rows)
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    try:
        for held in params, rows:
            with pytest.raises(ValueError, match="params must be nested less deeply, and must not hold itself"):
                call(lambda params: params["w"][0])(held)
    finally:
        sys.setrecursionlimit(before)


@pytest.mark.parametrize(
    ("tangent", "error", "message"),
    [
        ({"b": [1.0, 1.0]}, ValueError, r"tangent of p must have its form, got none for p\['a'\]"),
        ({"a": 1.0, "b": [1.0]}, ValueError, r"got none for p\['b'\]\[1\]"),
        ({"a": 1.0, "b": [1.0, 1.0], "c": 0.0}, ValueError, r"must have its form, got one for p\['c'\] too"),
        ({"a": [1.0], "b": [1.0, 1.0]}, ValueError, r"must have its form, got p\['a'\]\[0\] for p\['a'\]"),
        ({"a": np.ones(1), "b": [1.0, 1.0]}, ValueError, r"tangent of p\['a'\] must have its shape, \(\), got \(1,\)"),
        ({"a": 1.0, "b": [1.0, "x"]}, TypeError, r"a tangent must be made of numbers, got str in p\['b'\]\[1\]"),
        (3.0, ValueError, r"tangent of p must have its form, got p for p\['a'\]|got none for p\['a'\]"),
    ],
)
def test_a_tangent_of_another_form_is_refused(tangent, error, message):
    """The message says which entry is missing, too many, of another shape, or no number."""
    f = lambda p: p["a"] * p["b"][1]
    with pytest.raises(error, match=message):
        jvp(f, ({"a": 1.0, "b": [2.0, 3.0]},), (tangent,))
    with pytest.raises(error, match=message):
        hvp(f)({"a": 1.0, "b": [2.0, 3.0]}, tangent)


def test_labels_are_paths():
    """An error inside the function names the entry as the user reaches it."""
    with pytest.raises(autodiff.DomainError, match=r"log of -1\.0, .* in \"p\['b'\]\.offset\""):
        grad(lambda p: autodiff.log(p["b"].offset))({"b": Line(1.0, -1.0)})
