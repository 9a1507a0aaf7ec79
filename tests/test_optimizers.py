"""Optimizers, schedules and clipping against PyTorch, the 1986 paper's equation and closed forms; bad input."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import Value, mean, tanh
from models import MLPClassifier
from models.mlp import MLP
from models.optimizers import (
    OPTIMIZERS,
    Adam,
    AdamW,
    GradientDescent,
    Optimizer,
    RMSProp,
    clip_gradients,
    constant,
    cosine_decay,
    exponential_decay,
    optimizer_by_name,
    step_decay,
    warmup,
)

START = [0.8, -0.4, 1.3, 0.1, -0.7, 0.5]
POINTS = [(-2.0, 0.3), (-1.0, -0.5), (0.0, 0.9), (1.0, 1.4), (2.0, -0.2)]


def cost(w, tanh, mean):
    """Two tanh neurons fitted to five points, and a curved valley between two of the weights."""
    errors = [w[2] * tanh(w[0] * x + w[1]) + w[5] * tanh(w[4] * x) + w[3] - y for x, y in POINTS]
    return mean([e * e for e in errors]) + 2 * (w[0] * w[0] - w[5]) ** 2


def labelled(start=START):
    return [Value(x, f"w{i}") for i, x in enumerate(start)]


def descend(optimizer, steps=50):
    """The weights after every step."""
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        cost(optimizer.parameters, tanh, mean).backward()
        optimizer.step()
        path.append([p.data for p in optimizer.parameters])
    return np.array(path)


def torch_descend(make, steps=50, schedule=None):
    torch = pytest.importorskip("torch", reason="PyTorch is a development dependency")
    w = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in START]
    optimizer = make(torch.optim, w)
    scheduler = schedule(torch.optim.lr_scheduler, optimizer) if schedule else None
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        cost(w, torch.tanh, lambda terms: torch.stack(terms).mean()).backward()
        optimizer.step()
        if scheduler:
            scheduler.step()
        path.append([p.item() for p in w])
    return np.array(path)


STEPS = {
    "gd": (lambda p: GradientDescent(p, learning_rate=0.05), lambda o, w: o.SGD(w, lr=0.05)),
    "gd-decay": (lambda p: GradientDescent(p, learning_rate=0.05, weight_decay=0.1), lambda o, w: o.SGD(w, lr=0.05, weight_decay=0.1)),
    "momentum": (lambda p: GradientDescent(p, learning_rate=0.02, momentum=0.9), lambda o, w: o.SGD(w, lr=0.02, momentum=0.9)),
    "momentum-decay": (lambda p: GradientDescent(p, learning_rate=0.02, momentum=0.9, weight_decay=0.1),
     lambda o, w: o.SGD(w, lr=0.02, momentum=0.9, weight_decay=0.1)),
    "nesterov": (lambda p: GradientDescent(p, learning_rate=0.02, momentum=0.9, nesterov=True),
     lambda o, w: o.SGD(w, lr=0.02, momentum=0.9, nesterov=True)),
    "nesterov-decay": (lambda p: GradientDescent(p, learning_rate=0.02, momentum=0.8, nesterov=True, weight_decay=0.1),
     lambda o, w: o.SGD(w, lr=0.02, momentum=0.8, nesterov=True, weight_decay=0.1)),
    # at its default rate, 0.01, RMSProp hops about here and doubles rounding errors with every step
    "rmsprop": (lambda p: RMSProp(p, learning_rate=0.002), lambda o, w: o.RMSprop(w, lr=0.002)),
    "rmsprop-all": (lambda p: RMSProp(p, learning_rate=0.03, smoothing=0.9, epsilon=1e-3, weight_decay=0.1),
     lambda o, w: o.RMSprop(w, lr=0.03, alpha=0.9, eps=1e-3, weight_decay=0.1)),
    "adam": (lambda p: Adam(p), lambda o, w: o.Adam(w)),
    "adam-all": (lambda p: Adam(p, learning_rate=0.05, beta1=0.8, beta2=0.95, epsilon=1e-4, weight_decay=0.1),
     lambda o, w: o.Adam(w, lr=0.05, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1)),
    "adamw": (lambda p: AdamW(p), lambda o, w: o.AdamW(w)),
    "adamw-decay": (lambda p: AdamW(p, learning_rate=0.05, weight_decay=0.3), lambda o, w: o.AdamW(w, lr=0.05, weight_decay=0.3)),
}  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), STEPS.values(), ids=STEPS)
def test_every_step_is_pytorchs(ours, theirs):
    """Fifty steps on a curved cost: each weight after each step to 1e-12."""
    path = descend(ours(labelled()))
    assert np.abs(path[-1] - START).max() > 0.01  # it went somewhere
    assert np.abs(path - torch_descend(theirs)).max() < 1e-12


@given(
    gradients=st.lists(st.floats(-10, 10), min_size=1, max_size=12),
    rates=st.lists(st.floats(1e-3, 1), min_size=12, max_size=12),
    alpha=st.floats(0, 0.99),
)
def test_momentum_is_equation_9_of_the_1986_paper(gradients, rates, alpha):
    """Δw(t) = −ε(t) ∂E/∂w(t) + α Δw(t−1), whatever the rates are; so Δw(T) = −Σ α^(T−t) ε(t) ∂E/∂w(t)."""
    w = Value(0.0, "w")
    optimizer = GradientDescent([w], learning_rate=lambda step: rates[step], momentum=alpha)
    for t, g in enumerate(gradients):
        before = w.data
        w.grad = g
        optimizer.step()
        change = -sum(alpha ** (t - s) * rates[s] * gradients[s] for s in range(t + 1))
        assert w.data - before == pytest.approx(change, rel=1e-9, abs=1e-11)


def test_momentum_differs_from_pytorchs_once_the_rate_changes():
    """Equal to 1e-12 while ε is constant; after ε doubles the paper keeps the old change, PyTorch doubles it too."""
    halfway = lambda step: 0.01 if step < 25 else 0.02
    path = descend(GradientDescent(labelled(), learning_rate=halfway, momentum=0.9))
    theirs = torch_descend(
        lambda o, w: o.SGD(w, lr=0.01, momentum=0.9),
        schedule=lambda s, o: s.LambdaLR(o, lambda step: 1.0 if step < 25 else 2.0),
    )
    assert np.abs(path[:25] - theirs[:25]).max() < 1e-12
    assert np.abs(path[25:] - theirs[25:]).max() > 1e-3

    change = path[24] - path[23]
    extra = theirs[25] - path[25]  # PyTorch's 2·α·Δw against the paper's α·Δw
    assert extra == pytest.approx(0.9 * change, rel=1e-9, abs=1e-13)


def test_a_schedule_of_momentum():
    """The paper's family trees start with α = 0.5 and go on with 0.9."""
    path = descend(GradientDescent(labelled(), learning_rate=0.01, momentum=lambda step: 0.5 if step < 20 else 0.9))
    optimizer = GradientDescent(labelled(), learning_rate=0.01, momentum=0.5)
    first = descend(optimizer, 20)
    optimizer.momentum = 0.9
    assert (path == np.vstack([first, descend(optimizer, 30)])).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_shrinkage_cuts_every_weight_after_the_change(name):
    """The 1986 paper's decay: one step with it is one step without, times (1 − fraction); kept arrays do not shrink."""
    plain, cut = (optimizer_by_name(name, labelled(), learning_rate=0.05, **o) for o in ({}, {"shrinkage": 0.002}))
    assert descend(cut, 1) == pytest.approx(descend(plain, 1) * 0.998, rel=1e-15)
    for key, array in plain.state().items():
        assert np.array_equal(cut.state()[key], array)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (step_decay(0.05, every=7, factor=0.5), lambda s, o: s.StepLR(o, 7, 0.5)),
        (exponential_decay(0.05, 0.93), lambda s, o: s.ExponentialLR(o, 0.93)),
        (cosine_decay(0.05, steps=49, final=0.01), lambda s, o: s.CosineAnnealingLR(o, 49, 0.01)),
        (warmup(0.05, steps=10), lambda s, o: s.LinearLR(o, 0.1, 1.0, total_iters=9)),
        (constant(0.05), lambda s, o: s.ConstantLR(o, factor=1.0)),
    ],
    ids=["step", "exponential", "cosine", "warmup", "constant"],
)
def test_schedules_are_pytorchs(ours, theirs):
    """The rate of each of fifty steps, and where fifty steps of plain descent lead with it."""
    torch = pytest.importorskip("torch", reason="PyTorch is a development dependency")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.05)
    scheduler = theirs(torch.optim.lr_scheduler, optimizer)
    for step in range(50):
        assert ours(step) == pytest.approx(scheduler.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        scheduler.step()
    path = descend(GradientDescent(labelled(), learning_rate=ours))
    assert np.abs(path - torch_descend(lambda o, w: o.SGD(w, lr=0.05), schedule=theirs)).max() < 1e-12


def test_schedules_show_copy_pickle_and_compare():
    """They say what they are, and equal settings are equal schedules; warmup follows what comes after it."""
    schedule = warmup(cosine_decay(0.1, steps=10), steps=4)
    assert repr(schedule) == "warmup(after=cosine_decay(rate=0.1, steps=10, final=0.0), steps=4)"
    assert pickle.loads(pickle.dumps(schedule)) == copy.deepcopy(schedule) == schedule != warmup(0.1, steps=4)
    assert [schedule(t) for t in range(20)] == pytest.approx(
        [0.025, 0.05, 0.075, 0.1] + [cosine_decay(0.1, steps=10)(t) for t in range(16)]
    )
    assert schedule(1000) == 0.0


gradient_lists = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6)


@given(gradients=gradient_lists, max_norm=st.floats(1e-3, 1e6))
def test_clipping_is_pytorchs_but_for_its_millionth(gradients, max_norm):
    """The norm before, and gradients scaled to max_norm exactly; PyTorch divides by norm + 1e-6."""
    torch = pytest.importorskip("torch", reason="PyTorch is a development dependency")
    leaves, theirs = (
        labelled([0.0] * len(gradients)),
        torch.zeros(len(gradients), dtype=torch.float64, requires_grad=True),
    )
    for leaf, g in zip(leaves, gradients, strict=True):
        leaf.grad = g
    theirs.grad = torch.tensor(gradients, dtype=torch.float64)
    norm = torch.nn.utils.clip_grad_norm_([theirs], max_norm).item()
    assert clip_gradients(leaves, max_norm) == pytest.approx(norm, rel=1e-12)
    undo = max(1.0, min((norm + 1e-6) / max_norm, (norm + 1e-6) / norm)) if norm else 1.0
    expected = theirs.grad.numpy() * undo if norm > max_norm else np.array(gradients)
    assert [p.grad for p in leaves] == pytest.approx(expected, rel=1e-12)
    assert math.hypot(*(p.grad for p in leaves)) <= max_norm * (1 + 1e-12)


def test_clipping_at_extremes():
    """Squares that overflow, all zero, and a parameter no sweep has reached."""
    huge, zero, unswept = Value(0.0), Value(0.0), Value(0.0)
    huge.grad, zero.grad = -1e308, 0.0
    assert clip_gradients([huge, zero, unswept], 2.0) == 1e308
    assert (huge.grad, zero.grad, unswept.swept) == (-2.0, 0.0, False)
    assert clip_gradients([zero], 2.0) == 0.0
    both = labelled([0.0, 0.0])
    both[0].grad = both[1].grad = 1.7e308
    assert clip_gradients(both, 1.0) == math.inf  # the norm is beyond the largest float, the direction is not
    assert [p.grad for p in both] == pytest.approx([0.5**0.5] * 2)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_goes_on_from_its_state_bit_for_bit(name):
    """Twenty steps, state, a fresh optimizer on the same weights, twenty more: as forty without a break."""
    schedule = exponential_decay(0.05, 0.98)
    unbroken = descend(optimizer_by_name(name, labelled(), learning_rate=schedule), 40)
    first = optimizer_by_name(name, labelled(), learning_rate=schedule)
    descend(first, 20)
    state = first.state()
    second = optimizer_by_name(name, labelled([p.data for p in first.parameters]), learning_rate=schedule)
    second.load_state(state)
    descend(first, 3)  # the state is a copy: what the first goes on to do is not in it
    assert (descend(second, 20) == unbroken[20:]).all()


def test_a_changed_rate_is_part_of_the_state():
    """A number that a callback changed during the run comes back; a schedule is a setting and does not."""
    optimizer = optimizer_by_name("momentum", labelled(), learning_rate=0.1)
    optimizer.learning_rate, optimizer.momentum = 0.025, 0.5
    fresh = optimizer_by_name("momentum", labelled(), learning_rate=0.1)
    fresh.load_state(optimizer.state())
    assert (fresh.learning_rate, fresh.momentum) == (0.025, 0.5)
    assert set(Adam(labelled(), learning_rate=constant(0.1)).state()) == {"steps", "first_moment", "second_moment"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": -1}, "steps must be a whole number, 0 or more, got -1"),
        ({"steps": 1.5}, "steps must be a whole number, 0 or more, got 1.5"),
        ({"steps": math.nan}, "steps must be a whole number, 0 or more, got nan"),
        ({"learning_rate": -0.1}, "learning_rate must be a finite number above 0, got -0.1"),
        ({"momentum": 1.0}, "momentum must be 0 or more and below 1, got 1.0"),
        ({"change": np.zeros(2)}, r"change must be \(6,\), one finite number per parameter, got \(2,\)"),
        ({"change": np.full(6, np.nan)}, r"one finite number per parameter, got \(6,\) with NaN or inf"),
        (
            {"first_moment": np.zeros(6)},
            r"GradientDescent: the state must have \['change', 'learning_rate', 'momentum', 'steps'\], got",
        ),
    ],
)
def test_a_foreign_or_broken_state_changes_nothing(change, message):
    """Another optimizer's keys, other shapes, numbers out of range."""
    optimizer = GradientDescent(labelled(), learning_rate=0.05, momentum=0.9)
    descend(optimizer, 3)
    before = optimizer.state()
    with pytest.raises(ValueError, match=message):
        optimizer.load_state(before | {"steps": 7} | change)
    np.testing.assert_equal(optimizer.state(), before)


def unchanged(optimizer, problem):
    """The step raises that problem and leaves weights, gradients and state as they were."""
    weights, gradients = [p.data for p in optimizer.parameters], [p.grad for p in optimizer.parameters]
    state = optimizer.state()
    with pytest.raises(ValueError, match=problem):
        optimizer.step()
    assert [p.data for p in optimizer.parameters] == weights
    np.testing.assert_array_equal([p.grad for p in optimizer.parameters], gradients)
    np.testing.assert_equal(optimizer.state(), state)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_gradient_that_is_not_finite_is_refused_by_name(name, bad):
    """The message names the parameter's label; nothing is changed, and a good gradient goes on."""
    optimizer = optimizer_by_name(name, labelled())
    descend(optimizer, 3)
    optimizer.parameters[4].grad = bad
    unchanged(optimizer, rf"^the gradient of 'w4' is {bad}; .*; nothing was changed$")
    assert np.isfinite(descend(optimizer, 1)).all()
    optimizer.parameters[4].label, optimizer.parameters[4].grad = "", bad
    unchanged(optimizer, "^the gradient of parameter 4 is")
    with pytest.raises(ValueError, match=rf"^the gradient of parameter 4 is {bad}; no scale makes it finite"):
        clip_gradients(optimizer.parameters, 1.0)
    assert all(np.isfinite(p.grad) for i, p in enumerate(optimizer.parameters) if i != 4)


def test_a_step_that_overflows_is_refused_by_name():
    """Finite gradients whose step or whose square is not finite."""
    for optimizer, problem in (
        (
            GradientDescent(labelled(), learning_rate=10.0),
            r"the step would make 'w2' -inf; learning_rate=10\.0 is too large; nothing was changed",
        ),
        (GradientDescent(labelled(), learning_rate=10.0, momentum=0.9), r"would make 'w2' -inf"),
        (RMSProp(labelled()), "would make mean_square of 'w2' inf; clip the gradients; nothing was changed"),
        (Adam(labelled()), "would make second_moment of 'w2' inf; clip the gradients"),
    ):
        optimizer.parameters[2].grad = 1e308
        unchanged(optimizer, problem)


def test_a_rate_that_goes_bad_during_the_run_is_refused():
    """Assigned or scheduled, before anything changes; a schedule may rest at 0."""
    optimizer = GradientDescent(labelled(), learning_rate=0.1)
    optimizer.learning_rate = math.nan
    unchanged(optimizer, "learning_rate must be a finite number above 0, got nan")
    optimizer.learning_rate = lambda step: -1.0
    unchanged(optimizer, r"learning_rate\(0\) must be a finite number, 0 or more, got -1.0")
    optimizer.learning_rate = lambda step: 0.0
    assert (descend(optimizer, 1) == START).all()
    momentum = GradientDescent(labelled(), learning_rate=0.1, momentum=lambda step: step / 2)
    descend(momentum, 2)
    unchanged(momentum, r"momentum\(2\) must be 0 or more and below 1, got 1.0")


@pytest.mark.parametrize("make", [*OPTIMIZERS.values(), lambda p, **o: clip_gradients(p, 1.0)])
def test_bad_parameters_are_refused(make):
    """None, one alone, things that are not Values, computed ones, one twice."""
    w = Value(1.0, "w")
    for parameters, error, message in (
        ([], ValueError, "parameters is empty; there is nothing to optimize"),
        (w, TypeError, r"parameters must be a list of Values, got one Value; put it in \[ \]"),
        (MLP(2, [1]), TypeError, r"parameters must be a list of Values, got one MLP; .* model\.parameters\(\)"),
        ([w, 2.0], TypeError, "parameters must be Values, got float 2.0 at 1"),
        ([2 * w], ValueError, r"mul\(2, w\) was computed from others; optimize the Values it came from"),
        ([w, Value(1.0), w], ValueError, "'w' is given twice, at 0 and at 2"),
    ):
        with pytest.raises(error, match=message):
            make(parameters)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("rate", [0, 0.0, -0.1, math.nan, math.inf])
def test_bad_learning_rates_are_refused(name, rate):
    """Zero, negative, NaN and infinite ones."""
    with pytest.raises(ValueError, match=f"learning_rate must be a finite number above 0, got {rate}"):
        optimizer_by_name(name, labelled(), learning_rate=rate)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("gd", {"momentum": 1.0}, ValueError, "momentum must be 0 or more and below 1, got 1.0"),
        ("gd", {"momentum": -0.1}, ValueError, "momentum must be 0 or more and below 1, got -0.1"),
        ("gd", {"momentum": math.nan}, ValueError, "momentum must be 0 or more and below 1, got nan"),
        ("gd", {"nesterov": True}, ValueError, "nesterov needs a momentum above 0, such as 0.9, got 0"),
        ("gd", {"learning_rate": "0.1"}, TypeError, "learning_rate must be a finite number above 0, got '0.1'"),
        (
            "gd",
            {"learning_rate": lambda step: math.nan},
            ValueError,
            r"learning_rate\(0\) must be a finite number, 0 or more",
        ),
        ("gd", {"weight_decay": -0.1}, ValueError, "weight_decay must be a finite number, 0 or more, got -0.1"),
        ("adamw", {"weight_decay": math.nan}, ValueError, "weight_decay must be a finite number, 0 or more, got nan"),
        ("adam", {"shrinkage": 1.0}, ValueError, "shrinkage must be 0 or more and below 1, got 1.0"),
        ("adam", {"beta1": 1.0}, ValueError, "beta1 must be 0 or more and below 1, got 1.0"),
        ("adam", {"beta2": -1}, ValueError, "beta2 must be 0 or more and below 1, got -1"),
        ("adam", {"epsilon": 0.0}, ValueError, "epsilon must be a finite number above 0, got 0.0"),
        ("rmsprop", {"smoothing": 1}, ValueError, "smoothing must be 0 or more and below 1, got 1"),
        ("rmsprop", {"epsilon": math.nan}, ValueError, "epsilon must be a finite number above 0, got nan"),
        ("adam", {"momentum": 0.9}, TypeError, "momentum"),
        (
            "sgd",
            {},
            ValueError,
            rf"optimizer must be one of {', '.join(OPTIMIZERS)}, got 'sgd'",
        ),
    ],
)
def test_bad_settings_are_refused(name, options, error, message):
    """Each message gives the name, the rule and the value; an unknown name is answered with the known ones."""
    with pytest.raises(error, match=message):
        optimizer_by_name(name, labelled(), **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: constant(0.0), "rate must be a finite number above 0, got 0.0"),
        (lambda: step_decay(math.nan, 2), "rate must be a finite number above 0, got nan"),
        (lambda: step_decay(0.1, 0), "every must be a whole number, 1 or more, got 0"),
        (lambda: step_decay(0.1, 1.5), "every must be a whole number, 1 or more, got 1.5"),
        (lambda: step_decay(0.1, 2, factor=0.0), "factor must be above 0 and at most 1, got 0.0"),
        (lambda: exponential_decay(0.1, 1.5), "factor must be above 0 and at most 1, got 1.5"),
        (lambda: cosine_decay(0.1, -1), "steps must be a whole number, 1 or more, got -1"),
        (lambda: cosine_decay(0.1, 10, final=0.2), r"final must be from 0 to the rate, 0\.1, got 0\.2"),
        (lambda: warmup(0.1, 0), "steps must be a whole number, 1 or more, got 0"),
        (lambda: warmup(-0.1, 5), "rate must be a finite number above 0, got -0.1"),
    ],
)
def test_bad_schedules_are_refused(make, message):
    """When they are made, not in the middle of a run."""
    with pytest.raises(ValueError, match=message):
        make()


def test_names_make_what_they_say():
    """The class, its default rate, and the course's momentum of 0.9; options override."""
    assert {name: type(optimizer_by_name(name, labelled())) for name in OPTIMIZERS} == {
        "gd": GradientDescent, "momentum": GradientDescent, "nesterov": GradientDescent,
        "rmsprop": RMSProp, "adam": Adam, "adamw": AdamW,
    }  # fmt: skip
    assert all(f'"{name}"' in MLPClassifier.__doc__ for name in OPTIMIZERS)
    assert repr(optimizer_by_name("nesterov", labelled(), learning_rate=0.5, weight_decay=0.1)) == (
        "GradientDescent(learning_rate=0.5, momentum=0.9, nesterov=True, weight_decay=0.1) of 6 parameters"
    )
    assert optimizer_by_name("momentum", labelled(), momentum=0.5).momentum == 0.5
    with pytest.raises(TypeError, match="abstract"):
        Optimizer(labelled(), learning_rate=0.1)
    for unknown in ("sgd", None, ["adam"]):
        with pytest.raises(ValueError, match=f"optimizer must be one of {', '.join(OPTIMIZERS)}, got "):
            optimizer_by_name(unknown, labelled())


def test_gradients_that_are_values_and_parameters_no_sweep_reached():
    """After backward(create_graph=True) gradients are Values; an unreached parameter stays where it is."""
    w, idle = Value(3.0, "w"), Value(1.0, "idle")
    optimizer = GradientDescent([w, idle], learning_rate=0.25)
    (w * w).backward(create_graph=True)
    optimizer.step()
    assert (w.data, idle.data) == (1.5, 1.0)
    optimizer.zero_grad()
    assert not w.swept
    assert w.grad == 0.0


def test_the_rule_runs_on_arrays():
    """`update` is the same step on a flat array of weights, in place: what a compiled program calls."""
    eager, flat = Adam(labelled(), learning_rate=0.05), Adam(labelled(), learning_rate=0.05)
    w = np.array(START)
    for _ in range(5):
        eager.zero_grad()
        cost(eager.parameters, tanh, mean).backward()
        flat.update(w, np.array([p.grad for p in eager.parameters]))
        eager.step()
        assert w.tolist() == [p.data for p in eager.parameters]
