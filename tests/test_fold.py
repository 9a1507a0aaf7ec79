"""`fold`: a loop with a state, eagerly and compiled, beside JAX's scan and beside the loop written out."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff import DomainError, TraceError, Value, compile, fold, grad, hessian, jvp, no_grad, total, where
from benchmarks.folds import Garch, Kalman, Lstm, NeuralOde


@pytest.fixture(scope="module")
def jax():
    """JAX in double precision, and as it was afterwards."""
    jax = pytest.importorskip("jax", reason="JAX is a development dependency")
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    yield jax
    jax.config.update("jax_enable_x64", before)


def scanned(jax, model, theta, data):
    """Value and gradient by JAX's own scan."""
    import jax.numpy as jnp

    loss = lambda theta, data: model.loss(jnp, jax.lax.scan, theta, data)
    if isinstance(data, int):
        value, gradient = jax.jit(jax.value_and_grad(lambda theta: loss(theta, data)))(theta)
    else:
        value, gradient = jax.jit(jax.value_and_grad(loss))(theta, data)
    return float(value), np.asarray(gradient)


MODELS = [Garch(), Kalman(), NeuralOde(), Lstm()]
named = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


@named
def test_eagerly_value_and_gradient_are_those_of_jax_scan(jax, model):
    """A short series through the plain loop on Values: δ of every parameter to 1e-10."""
    data, theta = model.data(7), [Value(x) for x in model.theta()]
    loss = model.loss(ad, fold, theta, data)
    loss.backward()
    value, gradient = scanned(jax, model, model.theta(), data)
    assert loss.data == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose([p.grad for p in theta], gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("xs", "sums"),
    [
        ([1.0, 2.0, 4.0], [1.0, 3.0, 7.0]),
        (np.array([1.0, 2.0, 4.0]), [1.0, 3.0, 7.0]),
        ([1, 2, 4], [1, 3, 7]),
        (np.array([1.0, 2.0, 4.0], dtype=object), [1.0, 3.0, 7.0]),
    ],
)
def test_a_sequence_is_entered_step_by_step(xs, sums):
    """Running sums, as `itertools.accumulate` has them, of lists and arrays."""
    last, ys = fold(lambda c, x: (c + x, c + x), 0.0, xs)
    assert ys == sums == list(accumulate(xs))
    assert last == sums[-1]


@dataclass
class Pair:
    a: object
    b: object


@pytest.mark.parametrize("make", [lambda a, b: (a, b), lambda a, b: {"a": a, "b": b}, Pair])
def test_xs_and_ys_are_nests_of_sequences(make):
    """A tuple, dict or dataclass of sequences is entered in each of them, and what has that form comes back so."""

    def step(carry, x):
        a, b = (x["a"], x["b"]) if isinstance(x, dict) else (x.a, x.b) if isinstance(x, Pair) else x
        return carry + a * b, make(a - b, [a, b])

    carry, ys = fold(step, 0.0, make([1.0, 2.0], [3.0, 5.0]))
    assert carry == 13.0
    assert ys == make([-2.0, -3.0], [[1.0, 3.0], [2.0, 5.0]])
    again, _ = fold(lambda c, y: (c + 1.0, y), 0.0, ys)
    assert again == 2.0


def test_without_xs_the_length_says_how_many_steps():
    """2¹⁰ by doubling; y None stays None."""
    assert fold(lambda c, _: (2.0 * c, None), 1.0, length=10) == (1024.0, None)


@pytest.mark.parametrize("options", [{"xs": []}, {"length": 0}, {"xs": np.zeros((0, 3))}])
def test_without_steps_the_carry_comes_back(options):
    """No step is called, and there are no ys."""
    assert fold(lambda *_: pytest.fail("called"), {"a": 1.0}, **options) == ({"a": 1.0}, [])


def test_all_modes_go_through_the_loop():
    """xⁿ by n products: first and second derivatives, forward and backward, are n xⁿ⁻¹ and n (n − 1) xⁿ⁻²."""
    power = lambda x: fold(lambda c, _: (c * x, None), 1.0, length=5)[0]
    assert grad(power)(2.0) == 80.0
    assert jvp(power, (2.0,), (1.0,))[1] == 80.0
    assert hessian(power)(2.0) == 160.0


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((3, 0.0, [1.0]), TypeError, r"fold needs a function step\(carry, x\), got int"),
        (
            (lambda c, x: c, 0.0, [1.0]),
            TypeError,
            r"must return a pair \(carry, y\), got one number; return \(carry, None\)",
        ),
        (
            (lambda c, x: ([c], x), 0.0, [1.0]),
            ValueError,
            r"carry must have one form .* got .*carry\[0\].* from step 0",
        ),
        ((lambda c, x: (np.zeros(3), x), np.zeros(2), [1.0]), ValueError, r"got \{'carry': \(3,\)\} from step 0 after"),
        ((lambda c, x: (c, (x,) * int(x)), 0.0, [1.0, 2.0]), ValueError, r"y must have one form at every step"),
        ((lambda c, x: (c, x), 0.0, ([1.0], [1.0, 2.0])), ValueError, r"got 1 in xs\[0\], 2 in xs\[1\]"),
        (
            (lambda c, x: (c, x), 0.0, 3.0),
            TypeError,
            r"xs must be a list or an array with one entry per step, got float",
        ),
        ((lambda c, x: (c, x), 0.0, (1.0, 2.0)), TypeError, r"xs\[0\] must be a list .* a tuple or dict is a nest"),
        ((lambda c, x: (c, x), 0.0), TypeError, r"fold needs xs, .* or length"),
    ],
)
def test_what_is_no_fold_is_told(arguments, error, says):
    """A rule, what was got, and a way out."""
    with pytest.raises(error, match=says):
        fold(*arguments)


@pytest.mark.parametrize("length", [-1, 2.0, True, "2"])
def test_a_length_is_a_whole_number(length):
    """Nothing else counts steps; and it agrees with xs."""
    with pytest.raises(ValueError, match="length must be a whole number, 0 or more"):
        fold(lambda c, x: (c, x), 0.0, length=length)
    with pytest.raises(ValueError, match="got 1 in xs, 2 in length"):
        fold(lambda c, x: (c, x), 0.0, [1.0], length=2)


# Compiled.


def compiled(model, data, **options):
    """Value and gradient by the compiled loop, in the order of the model's parameters, and the program."""
    theta = [Value(x, f"p{k}") for k, x in enumerate(model.theta())]
    if isinstance(data, int):
        program = compile(lambda: model.loss(ad, fold, theta, data, **options), parameters=theta)
        return *program.value_and_grad(), program
    program = compile(lambda data: model.loss(ad, fold, theta, data, **options), in_axes=None, parameters=theta)
    return *program.value_and_grad(data), program


STEPS = {"Lstm": 2000, "NeuralOde": 300}


@named
@pytest.mark.parametrize("checkpoint", [False, True])
def test_compiled_value_and_gradient_are_those_of_jax_scan(jax, model, checkpoint):
    """10,000 steps of GARCH and Kalman, 2,000 of the LSTM, 300 of Runge–Kutta: to 1e-10, also with checkpoints."""
    data = model.data(STEPS.get(type(model).__name__, 10_000))
    value, gradient, _ = compiled(model, data, checkpoint=checkpoint)
    expected, slopes = scanned(jax, model, model.theta(), data)
    assert value == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-10, atol=1e-10 * np.abs(slopes).max())


@pytest.mark.parametrize("model", [Garch(), Kalman(), Lstm()], ids=lambda model: type(model).__name__)
def test_a_batch_of_series_is_jax_scan_of_each(jax, model):
    """Several series at once: the value and every derivative of each, against JAX's scan of each."""
    series = np.stack([model.data(12) * scale for scale in (1.0, 0.5, -0.3)])
    theta = [Value(x, f"p{k}") for k, x in enumerate(model.theta())]
    program = compile(lambda data: model.loss(ad, fold, theta, data), parameters=theta)
    values, gradients, by_data = program.value_and_grad(series, reduce=None, argnums=0)
    for k, data in enumerate(series):
        expected, slopes = scanned(jax, model, model.theta(), data)
        assert values[k] == pytest.approx(expected, rel=1e-10)
        np.testing.assert_allclose(gradients[k], slopes, rtol=1e-10, atol=1e-10 * np.abs(slopes).max())
        import jax.numpy as jnp

        own = jax.grad(lambda data: model.loss(jnp, jax.lax.scan, model.theta(), data))(data)
        np.testing.assert_allclose(by_data[k], own, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("model", [Garch(), Lstm()], ids=lambda model: type(model).__name__)
def test_machine_code_of_the_loop_is_jax_scan(jax, model):
    """backend="numba": one series, several with checkpoints, and the derivatives of each, to 1e-10."""
    pytest.importorskip("numba", reason="numba is an extra")
    series = np.stack([model.data(40), 0.5 * model.data(40)])
    theta = [Value(x, f"p{k}") for k, x in enumerate(model.theta())]
    f = lambda data: model.loss(ad, fold, theta, data, checkpoint=True)
    program = compile(f, parameters=theta, backend="numba")
    values, gradients = program.value_and_grad(series, reduce=None)
    for k, data in enumerate(series):
        expected, slopes = scanned(jax, model, model.theta(), data)
        assert values[k] == pytest.approx(expected, rel=1e-10)
        np.testing.assert_allclose(gradients[k], slopes, rtol=1e-10, atol=1e-10 * np.abs(slopes).max())
    np.testing.assert_allclose(program(series[:1]), values[:1], rtol=1e-12)
    np.testing.assert_allclose(program.value_and_grad(series, reduce="sum")[1], gradients.sum(0), rtol=1e-10, atol=1e-9)


def test_a_step_is_traced_once_whatever_the_number_of_steps():
    """The nodes of 1,000 steps are those of 10 and one more for each number that goes in or comes out."""
    seen = []

    def f(xs):
        def step(c, x):
            seen.append(x)
            return c * 0.9 + x * x, None

        return fold(step, 0.0, xs)[0]

    nodes = []
    for n in (10, 1000):
        program = compile(f)
        program.trace(np.ones((1, n)))
        nodes.append(int(program.explain().split("trace")[1].split("nodes")[0].replace(",", "")))
    assert len(seen) == 2
    assert nodes[1] - nodes[0] == 990


def test_checkpoints_bound_the_memory():
    """The way back of 2,500 steps keeps 2,500 carries, or about 2 · 50: so says tracemalloc of one call."""
    import tracemalloc

    peaks = []
    for checkpoint in (False, True):
        w = Value(0.5, "w")

        def f(x, checkpoint=checkpoint, w=w):
            first = np.array([x] * 64, dtype=object)
            turned = lambda c, _: (ad.tanh(w * np.roll(c, 1) + 0.1 * c), None)
            return fold(turned, first, length=2500, checkpoint=checkpoint)[0].sum()

        program = compile(f)
        rows = np.linspace(0.1, 1.0, 8)
        program.trace(rows)
        tracemalloc.start()
        program.value_and_grad(rows)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    carries = 2500 * 64 * 8 * 8
    assert peaks[0] > carries
    assert peaks[1] < 0.2 * carries


def test_derivatives_of_programs_are_those_of_the_loop_written_out():
    """xⁿ w: forward mode, Hessian products, and derivatives taken inside the function, by closed form."""
    w = Value(3.0, "w")
    power = lambda x: fold(lambda c, _: (c * x, None), w * 1.0, length=5)[0]
    program = compile(power)
    x = np.array([0.5, 2.0])
    np.testing.assert_allclose(program.jvp((x,), (np.ones(2),))[1], 15.0 * x**4)
    np.testing.assert_allclose(compile(grad(power))(x), 15.0 * x**4)
    np.testing.assert_allclose(compile(lambda x: hessian(power)(x))(x), 60.0 * x**3)
    squared = compile(lambda x: fold(lambda c, _: (c * w * x, None), 1.0, length=2)[0])
    np.testing.assert_allclose(squared.hvp(x, vector=[1.0], reduce=None)[:, 0], 2.0 * x**2)


def test_a_derivative_inside_the_step_keeps_the_loop():
    """Newton's steps toward √a, with the slope from `grad`: 2 becomes 1.41421…, and δ is 1 / (2 √a)."""
    newton = lambda a: fold(lambda x, _: (x - (x * x - a) / grad(lambda x: x * x - a)(x), None), a, length=8)[0]
    value, _, slope = compile(newton).value_and_grad(2.0, argnums=0)
    assert value == pytest.approx(2.0**0.5, rel=1e-14)
    assert slope == pytest.approx(0.5 / 2.0**0.5, rel=1e-12)


def test_no_gradient_passes_where_recording_is_off():
    """A fold within `no_grad` counts as a constant, as eagerly."""

    def f(x):
        with no_grad():
            held, _ = fold(lambda c, _: (c * x, None), 1.0, length=3)
        return held * x

    x = Value(2.0)
    f(x).backward()
    assert x.grad == 8.0
    assert compile(f).value_and_grad(2.0, argnums=0)[2] == 8.0


def test_what_is_infinite_is_computed_again_carefully():
    """√x at 0 times a δ of 0 passes nothing on, as in the sweep; overflow is an infinity, as in arrays."""
    f = lambda xs: fold(lambda c, x: (c + 0.0 * ad.sqrt(x) + x, None), 0.0, xs)[0]
    for rows in ([[0.0, 1.0]], [[0.0, 1.0], [2.0, 0.0]]):
        np.testing.assert_array_equal(
            compile(f).value_and_grad(rows, argnums=0, reduce="sum")[2], np.ones((len(rows), 2))
        )
    grows = compile(lambda x: fold(lambda c, _: (ad.exp(c), None), x, length=9)[0])
    assert grows(3.0) == grows([3.0])[0] == np.inf


def test_training_and_methods_go_through_loops():
    """A program with a fold trains: an autoregression finds the coefficient its series was made by."""
    rng, w = np.random.default_rng(5), Value(0.0, "w")
    series = [np.zeros(6)]
    for _ in range(60):
        series.append(0.7 * series[-1] + rng.normal(size=6))
    xs = np.array(series).T
    loss = compile(lambda xs: total(fold(lambda last, x: (x, (x - w * last) ** 2), 0.0, list(xs))[1]))
    with loss.training(xs) as flat:
        for _ in range(40):
            flat -= 0.002 * loss.value_and_grad(xs)[1]
    exact = (xs[:, 1:] * xs[:, :-1]).sum() / (xs[:, :-1] ** 2).sum()
    assert w.data == pytest.approx(exact, rel=1e-6)


def test_the_answer_may_be_all_that_comes_out():
    """Running sums of each row, as `numpy.cumsum` has them."""
    xs = np.random.default_rng(6).normal(size=(4, 9))
    program = compile(lambda xs: fold(lambda c, x: (c + x, c + x), 0.0, xs)[1])
    np.testing.assert_allclose(program(xs), xs.cumsum(1))


def test_the_text_computes_the_same():
    """`source` writes few steps one after another; of many, a loop there and one back, also of folds within folds."""
    w = Value(0.5, "w")

    def f(xs):
        held = ad.sin(w)
        turn = lambda c, x: (ad.tanh(w * c + x), c * held + fold(lambda a, _: (a * held, None), c, length=2)[0])
        last, ys = fold(turn, 0.0, xs)
        return last + total(ys)

    program = compile(f)
    for steps in (5, 3000):
        xs = np.random.default_rng(7).normal(size=(4, steps))
        value, gradient = program.value_and_grad(xs)
        scope = {}
        exec(program.source, scope)
        np.testing.assert_allclose(scope["forward"](np.array([0.5]), xs), program(xs), rtol=1e-12)
        theirs = scope["value_and_grad"](np.array([0.5]), xs)
        np.testing.assert_allclose(theirs[0], value, rtol=1e-12)
        np.testing.assert_allclose(theirs[1], gradient, rtol=1e-10)
    assert "for x in" in program.source
    assert "def one_step(" in program.source
    assert len(program.source.splitlines()) < 250


@pytest.mark.parametrize("steps", [1200, 17], ids=["GARCH", "LSTM"])
def test_the_text_of_a_loop_has_the_gradient_of_jax_scan(jax, steps):
    """The loop there and the one back, run by NumPy, and with the few steps by JAX: value and gradient."""
    model = Lstm() if steps == 17 else Garch()
    series, theta = model.data(steps), [Value(x, f"p{k}") for k, x in enumerate(model.theta())]
    program = compile(lambda data: model.loss(ad, fold, theta, data), parameters=theta).trace(series[None])
    expected, slopes = scanned(jax, model, model.theta(), series)
    assert "def fold_back(" in program.source
    for library in (np, jax.numpy)[: 2 if steps == 17 else 1]:
        scope = {}
        exec(program.source, scope)
        scope["xp"] = library
        value, gradient = scope["value_and_grad"](library.asarray(model.theta()), library.asarray(series[None]))
        assert float(value) == pytest.approx(expected, rel=1e-10)
        np.testing.assert_allclose(gradient, slopes, rtol=1e-9, atol=1e-10 * np.abs(slopes).max())


def test_a_decision_in_a_step_names_its_line():
    """`if` by a number is refused as everywhere, and `where` is the way out."""
    decides = lambda xs: fold(lambda c, x: (c + 1.0 if x > 0.0 else c, None), 0.0, xs)[0]
    with pytest.raises(TraceError, match=r"deciding .*test_fold\.py:.*autodiff\.where.* the step of a fold"):
        compile(decides)([[1.0, -1.0]])
    counts = compile(lambda xs: fold(lambda c, x: (where(x > 0.0, c + 1.0, c), None), 0.0, xs)[0])
    np.testing.assert_array_equal(counts([[1.0, -1.0], [1.0, 1.0]]), [1.0, 2.0])


def test_a_number_of_the_step_must_not_leave_it():
    """What a step appends to a list outside belongs to no sample; y is the way out."""
    kept = []

    def f(xs):
        last, _ = fold(lambda c, x: (kept.append(c * x) or c + x, None), 0.0, xs)
        return last + kept[0]

    with pytest.raises(TraceError, match=r"must not leave .* return it as y"):
        compile(f)([[1.0, 2.0]])


def test_a_form_that_changes_is_told_while_tracing():
    """The rules of the carry are those of the plain loop."""
    with pytest.raises(ValueError, match="carry must have one form and one shape"):
        compile(lambda xs: fold(lambda c, x: ([c, x], None), 0.0, xs)[0])([[1.0, 2.0]])
    with pytest.raises(TypeError, match="must return a pair"):
        compile(lambda xs: fold(lambda c, x: c + x, 0.0, xs)[0])([[1.0, 2.0]])


def test_one_series_in_the_place_of_a_batch_is_told_so():
    """A program takes an array of one axis as a batch of numbers; as a batch of one, or without rows, it is a series."""
    f = lambda xs: fold(lambda c, x: (c + x, None), 0.0, xs)[0]
    xs = np.arange(4.0)
    with pytest.raises(
        TypeError, match=r"xs must be a list .* got one number of a row; .* x\[None\], or .*in_axes=None"
    ):
        compile(f)(xs)
    assert compile(f)(xs[None]) == [6.0]
    assert compile(f, in_axes=None)(xs) == 6.0


def test_a_domain_is_checked_in_every_step():
    """With `check=True` the first row whose logarithm leaves its domain is named."""
    program = compile(lambda xs: fold(lambda c, x: (c + ad.log(x), None), 0.0, xs)[0])
    with pytest.raises(DomainError, match=r"row 1: .*log"):
        program([[1.0, 2.0], [1.0, -2.0]], check=True)
    np.testing.assert_allclose(program([[1.0, 2.0]], check=True), [np.log(2.0)])


@pytest.mark.parametrize("named", [False, True])
def test_the_gradient_of_a_program_within_a_step_is_that_of_the_loop_written_out(named):
    """A program's own value, gradient and Hessian product in a step, by NumPy: parameters keep their derivatives."""
    w = Value(0.7, "w")
    wave = compile(lambda x: ad.sin(w * x), parameters=[w] if named else None)

    def step(c, _):
        value, gradient = wave.value_and_grad(c)
        return c + gradient[0] * gradient[0], value

    last, by_hand = fold_of(step), 0.4
    for _ in range(3):
        by_hand += (by_hand * np.cos(0.7 * by_hand)) ** 2
    assert compile(last)(0.4) == pytest.approx(by_hand, rel=1e-12)
    curved = compile(fold_of(lambda c, _: (c + wave.hvp([c], vector=[1.0], reduce="sum")[0], None)))
    by_hand = 0.4
    for _ in range(3):
        by_hand -= by_hand**2 * np.sin(0.7 * by_hand)
    assert curved(0.4) == pytest.approx(by_hand, rel=1e-12)


def fold_of(step):
    """A function of the first carry: the last one after three steps."""
    return lambda x: fold(step, x, length=3)[0]


@pytest.mark.parametrize("within", ["outside", "the carry"])
def test_parameters_that_come_into_a_step_by_other_numbers_count(within):
    """y · sin(w) or y · c, differentiated by w at every step, as the loop of Python has it."""
    w = Value(0.7, "w")

    def loop(step, carry, length):
        for _ in range(length):
            carry, _ = step(carry, None)
        return carry, None

    def program(over):
        def f(x):
            s = ad.sin(w * x)

            def step(c, _):
                inner = compile(lambda y: y * w * (s if within == "outside" else c), parameters=[w])
                return 0.5 * c + inner.value_and_grad(0.3)[1][0], None

            return over(step, w * x, length=3)[0]

        return compile(f, parameters=[w])

    ours, theirs = program(fold).value_and_grad(0.4), program(loop).value_and_grad(0.4)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-12)


def test_a_step_without_carry_and_without_derivative_has_none():
    """y = 2 below 0 and 1 above: one point, one row, and eagerly."""
    f = lambda a: fold(lambda c, _: (c, where(a > 0.0, 1.0, 2.0)), (), length=3)[1][0] * a
    assert compile(f).value_and_grad(-3.0, argnums=0)[2] == 2.0
    assert compile(f).value_and_grad([3.0], argnums=0)[2] == [1.0]


def test_the_text_takes_the_parameters_in_the_order_of_the_program():
    """A layer in a step, and Values that are named but not met: the flat array of the text is that of `parameters`."""
    rng = np.random.default_rng(0)
    b, u, w = [[Value(v, f"{name}{k}") for k, v in enumerate(rng.normal(size=4))] for name in "buw"]
    into = lambda i, h, x: total([u[2 * i + j] * h[j] + w[2 * i + j] * x[j] for j in (0, 1)])
    layer = lambda h, x: [ad.tanh(b[i] + into(i, h, x)) for i in (0, 1)]
    f = lambda xs: total(fold(lambda h, x: (layer(h, x), None), [0.0, 0.0], xs)[0])
    straight = lambda xs: b[3] * xs[0][0] + w[1] * xs[1][1]
    xs = rng.normal(size=(3, 4, 2))
    for function, named in ((f, None), (f, [*w, *b, *u]), (straight, [*u, *w, *b])):
        program = compile(function, parameters=named)
        value, gradient = program.value_and_grad(xs)
        module: dict[str, Any] = {}
        exec(program.source, module)
        flat = np.array([x.data for x in program.parameters])
        ours = module["value_and_grad"](flat, xs)
        np.testing.assert_allclose(ours[0], value, rtol=1e-12)
        np.testing.assert_allclose(ours[1], gradient, rtol=1e-12)
        np.testing.assert_allclose(module["forward"](flat, xs).mean(), value, rtol=1e-12)


def test_what_a_step_changes_in_place_changes_no_other_step():
    """A list or an array of the carry: eagerly and compiled each y is that of its step, and the caller's start stays."""

    def running(c, x):
        c[0] = c[0] + x
        return c, c

    start = [0.0]
    assert fold(running, start, [1.0, 2.0, 3.0]) == ([6.0], [[1.0], [3.0], [6.0]])
    assert start == [0.0]
    program = compile(lambda x: total([y[0] for y in fold(running, [0.0], [x, 2.0 * x, 3.0 * x])[1]]))
    assert program.value_and_grad(2.0, argnums=0)[::2] == (20.0, 10.0)

    def added(c, x):
        c += x
        return c, None

    begin = np.array([1.0, 2.0])
    np.testing.assert_array_equal(fold(added, begin, [1.0, 2.0])[0], [4.0, 5.0])
    np.testing.assert_array_equal(begin, [1.0, 2.0])


def test_explain_does_not_advise_the_backend_that_runs():
    """Machine code of a fold's steps lies within array code: it is numba already."""
    pytest.importorskip("numba")
    f = lambda xs: fold(lambda c, x: (c * 0.5 + x, None), 0.0, xs)[0]
    told = {backend: compile(f, backend=backend) for backend in ("auto", "numba")}
    for program in told.values():
        program(np.ones((2, 5)))
    assert ["would make one loop" in program.explain() for program in told.values()] == [True, False]


@pytest.mark.parametrize("scale", [0.9, 1.0, 2.0])
@pytest.mark.parametrize("rows", [1, 3])
def test_a_linear_recurrence_is_numpys_loop_and_its_adjoint(scale, rows):
    """h' = a h + b over 500 steps, of slopes below 1, at 1 and above it: all h, and δ of a, b, w, as by hand."""
    rng = np.random.default_rng(8)
    a, b = scale * rng.choice([-1.0, 1.0, 0.5], size=(rows, 500)), rng.normal(size=(rows, 500))
    w = Value(0.7, "w")

    def f(a, b):
        last, ys = fold(lambda h, x: (x[0] * h + w * x[1], h * h), 1.0, (a, b))
        return last + 1e-3 * total(ys)

    h = np.ones((rows, 501))
    for t in range(500):
        h[:, t + 1] = a[:, t] * h[:, t] + 0.7 * b[:, t]
    delta = np.ones((rows, 501))
    for t in range(499, -1, -1):
        delta[:, t] = a[:, t] * delta[:, t + 1] + 2e-3 * h[:, t]
    value, gradient, by = compile(f).value_and_grad(a, b, argnums=(0, 1), reduce="sum")
    close = lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())
    close(value, (h[:, -1] + 1e-3 * (h[:, :-1] ** 2).sum(1)).sum())
    close(by[0], delta[:, 1:] * h[:, :-1])
    close(by[1], delta[:, 1:] * 0.7)
    close(gradient, (delta[:, 1:] * b).sum(keepdims=True)[0])


def test_a_recurrence_that_grows_keeps_what_cancels():
    """h' = a h + (1 − a) from 1 stays 1 over 1,200 steps, though the product of all slopes is about 10¹⁷⁰."""
    a = np.random.default_rng(0).choice([1.5, 1.25, 1.75, 1.125], size=1200)
    f = lambda a, b: fold(lambda h, x: (x[0] * h + x[1], None), 1.0, (a, b))[0]
    assert compile(f, in_axes=None)(a, 1.0 - a) == 1.0


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 40, 997])
def test_a_linear_recurrence_is_jax_scan(jax, steps, rows):
    """h' = a h + b, with slopes of both signs, zeros, and sizes below, at and above 1: value and all δ to 1e-10."""
    import jax.numpy as jnp

    rng = np.random.default_rng(10 * steps + rows)

    def f(fold, a, b):
        last, ys = fold(lambda h, x: (x[0] * h + x[1], h * x[1]), 0.5, (a, b))
        return last, ys

    def theirs(a, b):
        last, ys = jax.vmap(lambda a, b: f(jax.lax.scan, a, b))(a, b)
        return (last + ys.sum(1)).sum()

    def ours(a, b):
        last, ys = f(fold, a, b)
        return last + total(ys)

    scan, program = jax.jit(jax.value_and_grad(theirs, (0, 1))), compile(ours)
    for scale in [0.0, 0.9, 1.0, 1.01, 1.5]:
        a = scale * rng.choice([-1.0, 1.0, 0.5, 0.0], size=(rows, steps), p=[0.45, 0.45, 0.09, 0.01])
        b = rng.normal(size=(rows, steps))
        expected, slopes = scan(jnp.asarray(a), jnp.asarray(b))
        value, _, gradients = program.value_and_grad(a, b, argnums=(0, 1), reduce="sum")
        assert value == pytest.approx(float(expected), rel=1e-10, abs=1e-10)
        for own, slope in zip(gradients, slopes, strict=True):
            largest = np.abs(slope).max(initial=1e-300)
            assert np.isfinite(largest)
            np.testing.assert_allclose(own, slope, rtol=1e-10, atol=1e-10 * largest)


def test_slopes_whose_product_overflows_leave_zero_alone():
    """h' = a h + b from 0 stays 0 while b is 0, whatever a is; then h' = h / 2 + 1 goes to 2."""
    a, b = np.repeat([1e150, 0.5], 300), np.repeat([0.0, 1.0], 300)
    ys = compile(lambda a, b: fold(lambda h, x: (x[0] * h + x[1], h), 0.0, (a, b))[1], in_axes=None)(a, b)
    np.testing.assert_allclose(ys, 2.0 - 2.0 * 0.5 ** np.maximum(np.arange(600) - 300, 0.0), rtol=1e-12)


@pytest.mark.parametrize("rows", [1, 5, 400])
def test_many_steps_at_once_are_jax_scan(jax, rows):
    """An LSTM of 30 steps, for rows so few that steps go together, and so many that each goes alone: all δ to 1e-10."""
    import jax.numpy as jnp

    model = Lstm()
    series = np.random.default_rng(9).normal(size=(rows, 30, 3))
    theta = [Value(x, f"p{k}") for k, x in enumerate(model.theta())]
    program = compile(lambda data: model.loss(ad, fold, theta, data), parameters=theta)
    value, gradient, by_data = program.value_and_grad(series, reduce="sum", argnums=0)
    loss = lambda theta, data: model.loss(jnp, jax.lax.scan, theta, data)
    whole = lambda theta, series: jax.vmap(loss, (None, 0))(theta, series).sum()
    expected, (slopes, own) = jax.jit(jax.value_and_grad(whole, (0, 1)))(model.theta(), series)
    assert value == pytest.approx(float(expected), rel=1e-10)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-10, atol=1e-10 * np.abs(slopes).max())
    np.testing.assert_allclose(by_data, own, rtol=1e-10, atol=1e-10 * np.abs(own).max())


@pytest.mark.parametrize("compiled", [False, True])
def test_the_keys_of_a_carry_may_come_in_another_order(compiled):
    """A dict, also within a tuple, is the same whatever the order of its keys; the answer has that of the first."""

    def f(x):
        step = lambda c, _: (({"b": c[0]["b"] + c[0]["a"], "a": 2.0 * c[0]["a"]}, c[1]), None)
        (last, _), _ = fold(step, ({"a": x, "b": 0.0}, x), length=3)
        return [*last], last["a"], last["b"]

    found = []
    run = lambda x: found.append(f(x)[0]) or f(x)[1] + 10.0 * f(x)[2]
    assert (compile(run) if compiled else run)(1.0) == 8.0 + 10.0 * 7.0
    assert found[0] == ["a", "b"]
    with pytest.raises(ValueError, match="must have one form"):
        fold(lambda c, _: ([c["a"]], None), {"a": 1.0}, length=1)


def test_entries_of_xs_are_alike():
    """Dicts in any order are; a missing entry is refused with a way out, which then works."""
    f = lambda x: fold(lambda c, e: (c * e["a"] + e["b"], None), x, [{"a": 2.0, "b": 1.0}, {"b": 1.0, "a": 3.0}])[0]
    assert compile(f)(1.0) == f(1.0) == 10.0
    gaps = lambda x: fold(lambda c, e: (c if e is None else c * e, None), x, [2.0, None, 3.0])[0]
    assert gaps(1.0) == 6.0
    with pytest.raises(ValueError, match=r"got None at step 1 after \['x'\]; put a number .*autodiff\.where"):
        compile(gaps)(1.0)
    masked = lambda x: fold(lambda c, e: (where(e[1] > 0.0, c * e[0], c), None), x, ([2.0, 0.0, 3.0], [1, 0, 1]))[0]
    assert compile(masked)(1.0) == 6.0


@pytest.mark.parametrize("backend", ["auto", "numba"])
def test_an_operation_for_one_number_runs_in_a_step(backend):
    """With an `if` in its forward it serves one row; with a function of arrays, any number: |x| and its sign."""
    if backend == "numba":
        pytest.importorskip("numba")
    for array in (None, np.abs):
        size = ad.Op("size", "size", lambda x: x if x > 0.0 else -x, array, (lambda x, _: where(x > 0.0, 1.0, -1.0),))
        f = lambda xs, size=size: fold(lambda c, x: (0.5 * c + size(x), size(c)), 0.0, xs)[0]
        xs = np.random.default_rng(3).normal(size=(1 if array is None else 3, 12))
        halves = 0.5 ** np.arange(11, -1, -1)
        value, _, by = compile(f, backend=backend).value_and_grad(xs, argnums=0, reduce="sum")
        assert value == pytest.approx((np.abs(xs) @ halves).sum(), rel=1e-12)
        np.testing.assert_allclose(by, np.sign(xs) * halves, rtol=1e-12)
