"""Losses and penalties against closed forms, NumPy and PyTorch: values, derivatives, kinks, extremes, bad input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import Value, mean, sigmoid
from models.losses import (
    LOSSES,
    absolute_error,
    binary_cross_entropy,
    cross_entropy,
    half_squared_error,
    hinge,
    huber,
    l1,
    l2,
    loss_by_name,
    squared_error,
)
from models.optimizers import GradientDescent

numbers = st.floats(-50, 50)
ELEMENTWISE = [name for name in LOSSES if name != "cross_entropy"]


def value_and_slopes(loss, outputs, target, **options):
    """The loss and its derivative by every output, from one sweep."""
    leaves = [Value(a) for a in outputs]
    result = loss(leaves if len(leaves) > 1 else leaves[0], target, **options)
    result.backward()
    return result.data, [a.grad for a in leaves]


def target_for(name, k):
    return {"hinge": (-1.0, 1.0)[k % 2], "binary_cross_entropy": (0.0, 1.0, 0.3)[k % 3]}.get(name, 0.7 * k - 1.0)


def torch_loss(torch, name, a, y):
    f = torch.nn.functional
    return {
        "squared_error": lambda: f.mse_loss(a, y),
        "half_squared_error": lambda: f.mse_loss(a, y, reduction="sum") / 2,
        "absolute_error": lambda: f.l1_loss(a, y),
        "huber": lambda: f.huber_loss(a, y),
        "hinge": lambda: f.relu(1 - y * a).mean(),
        "binary_cross_entropy": lambda: f.binary_cross_entropy_with_logits(a, y),
    }[name]()


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(outputs=st.lists(numbers, min_size=1, max_size=5))
def test_values_and_derivatives_are_pytorchs(name, outputs):
    """For any outputs PyTorch's loss of the same name gives the same number and gradient."""
    torch = pytest.importorskip("torch", reason="PyTorch is a development dependency")
    target = [target_for(name, k) for k in range(len(outputs))]
    a = torch.tensor(outputs, dtype=torch.float64, requires_grad=True)
    expected = torch_loss(torch, name, a, torch.tensor(target, dtype=torch.float64))
    expected.backward()
    value, slopes = value_and_slopes(LOSSES[name], outputs, target)
    assert value == pytest.approx(expected.item(), rel=1e-12, abs=2e-14)  # PyTorch's own rounding at logits of 50
    assert slopes == pytest.approx(a.grad.tolist(), rel=1e-12, abs=1e-15)


@given(logits=st.lists(numbers, min_size=2, max_size=6), data=st.data())
def test_cross_entropy_is_pytorchs(logits, data):
    """Class indices and probabilities alike, value and gradient."""
    torch = pytest.importorskip("torch", reason="PyTorch is a development dependency")
    k = data.draw(st.integers(0, len(logits) - 1))
    shares = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=len(logits), max_size=len(logits))))
    for target, torch_target in ((k, torch.tensor(k)), (shares / shares.sum(), torch.tensor(shares / shares.sum()))):
        z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
        expected = torch.nn.functional.cross_entropy(z, torch_target)
        expected.backward()
        value, slopes = value_and_slopes(cross_entropy, logits, target)
        assert value == pytest.approx(expected.item(), rel=1e-12, abs=1e-13)
        assert slopes == pytest.approx(z.grad.tolist(), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    ("loss", "output", "target", "value", "slope"),
    [
        # where the output meets the target
        (squared_error, 2.0, 2.0, 0.0, 0.0),
        (half_squared_error, 2.0, 2.0, 0.0, 0.0),
        (absolute_error, 2.0, 2.0, 0.0, 0.0),
        (absolute_error, 2.0, math.nextafter(2.0, 3.0), 2.0**-51, -1.0),
        # either side of huber's joints, where the slope is continuous
        (huber, 0.0, 0.0, 0.0, 0.0),
        (huber, 1.0, 0.0, 0.5, 1.0),
        (huber, -1.0, 0.0, 0.5, -1.0),
        (huber, math.nextafter(1.0, 2.0), 0.0, 0.5, 1.0),
        (huber, 1e308, 0.0, 1e308, 1.0),
        (huber, -1e308, 0.0, 1e308, -1.0),
        # hinge: nothing left to learn from the margin on
        (hinge, 1.0, 1, 0.0, 0.0),
        (hinge, math.nextafter(1.0, 0.0), 1, 2.0**-53, -1.0),
        (hinge, -1.0, -1, 0.0, 0.0),
        (hinge, 0.0, -1, 1.0, 1.0),
        (hinge, 1e308, 1, 0.0, 0.0),
        (hinge, 1e308, -1, 1e308, 1.0),
        # far out, where squares are still finite
        (squared_error, 1e4, 0.0, 1e8, 2e4),
        (half_squared_error, -1e150, 0.0, 5e299, -1e150),
        (absolute_error, 1e308, 0.0, 1e308, 1.0),
        # logits: exp(-40) by mpmath; saturated ones are 0 or the logit itself
        (binary_cross_entropy, 40.0, 1, 4.248354255291589e-18, -4.248354255291589e-18),
        (binary_cross_entropy, -40.0, 0, 4.248354255291589e-18, 4.248354255291589e-18),
        (binary_cross_entropy, 1e4, 1, 0.0, 0.0),
        (binary_cross_entropy, 1e4, 0, 1e4, 1.0),
        (binary_cross_entropy, -1e4, 1, 1e4, -1.0),
        (binary_cross_entropy, 1e308, 0, 1e308, 1.0),
        (binary_cross_entropy, 1e308, 1, 0.0, 0.0),
        (binary_cross_entropy, -1e308, 1, 1e308, -1.0),
        (binary_cross_entropy, 1e308, 0.25, 0.75e308, 0.75),
        (binary_cross_entropy, -1e308, 0.25, 0.25e308, -0.25),
        (binary_cross_entropy, 0.0, 0.5, math.log(2), 0.0),
    ],
)
def test_kinks_and_extremes(loss, output, target, value, slope):
    """Closed forms where a derivative jumps and where a careless formula overflows or cancels."""
    got, (derivative,) = value_and_slopes(loss, [output], target)
    assert got == pytest.approx(value, rel=1e-14, abs=0.0)
    assert derivative == pytest.approx(slope, rel=1e-14, abs=0.0)


@pytest.mark.parametrize(
    ("logits", "target", "value", "slopes"),
    [
        ([1e4, 1e4], 0, math.log(2), [-0.5, 0.5]),
        ([1e308, 1e308], 1, math.log(2), [0.5, -0.5]),
        ([1e308, 1e308], [0.5, 0.5], math.log(2), [0.0, 0.0]),
        ([-1e308, -1e308], [1, 0], math.log(2), [-0.5, 0.5]),
        ([1e4, -1e4], 0, 0.0, [0.0, 0.0]),
        ([1e4, -1e4], 1, 2e4, [1.0, -1.0]),
        ([1e308, 0.0], 1, 1e308, [1.0, -1.0]),
        ([1e308, -1e308], 0, 0.0, [0.0, 0.0]),
        ([1e308, -1e308], [1.0, 0.0], 0.0, [0.0, 0.0]),
        ([40.0, 0.0], 0, 0.0, [-4.248354255291589e-18, 4.248354255291589e-18]),  # exp(-40): the slope is not lost
        ([0.0, 0.0, 0.0, 0.0], 3, math.log(4), [0.25, 0.25, 0.25, -0.75]),
    ],
)
def test_cross_entropy_at_extremes(logits, target, value, slopes):
    """Logits of any size: only their differences count, and none overflows."""
    got, derivatives = value_and_slopes(cross_entropy, logits, target)
    assert got == pytest.approx(value, rel=1e-14, abs=1e-16)
    assert derivatives == pytest.approx(slopes, rel=1e-14, abs=0.0)


def test_a_loss_beyond_the_largest_float_is_infinite_and_refused():
    """It does not raise when computed, and no gradient comes of it."""
    for loss, output, target in (
        (squared_error, Value(1e308), 0.0),
        (half_squared_error, Value(1e308), 0.0),
        (absolute_error, Value(1e308), -1e308),
        (cross_entropy, [Value(1e308), Value(-1e308)], 1),
    ):
        result = loss(output, target)
        assert result.data == math.inf
        with pytest.raises(ValueError, match="inf: every gradient would be infinite or NaN"):
            result.backward()


@given(z=numbers, y=st.sampled_from([0.0, 1.0, 0.3]))
def test_binary_is_the_two_class_case(z, y):
    """Cross-entropy of the logits (0, z) is the binary cross-entropy of z, its slope σ(z) − y."""
    binary, (slope,) = value_and_slopes(binary_cross_entropy, [z], y)
    several, (_, other) = value_and_slopes(cross_entropy, [0.0, z], [1.0 - y, y])
    assert several == pytest.approx(binary, rel=1e-12, abs=1e-13)
    assert slope == pytest.approx(sigmoid(z) - y, rel=1e-12, abs=1e-15)
    assert other == pytest.approx(slope, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_targets_may_be_values(name):
    """A target recorded as a Value gives the same number and slopes as the plain one."""
    outputs = [0.5, -2.0, 3.0]
    target = [0.0, 1.0, 0.0] if name in {"cross_entropy", "binary_cross_entropy"} else [1.0, -1.0, 1.0]
    plain = value_and_slopes(LOSSES[name], outputs, target)
    recorded = value_and_slopes(LOSSES[name], outputs, [Value(y) for y in target])
    assert recorded[0] == pytest.approx(plain[0], rel=1e-14)
    assert recorded[1] == pytest.approx(plain[1], rel=1e-14)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_arrays_numbers_and_sequences_are_the_same_sample(name):
    """A row of an array, a list, a tuple, NumPy's numbers; one output may come with a row of one target."""
    loss, target = LOSSES[name], [target_for(name, k) for k in range(3)]
    plain = loss([0.5, -2.0, 3.0], target)
    assert type(plain) is float
    assert loss(np.array([0.5, -2.0, 3.0]), np.array(target)) == plain
    assert loss((Value(0.5), Value(-2.0), 3), tuple(target)).data == plain
    assert loss(Value(0.5), np.array(target[:1])).data == loss(0.5, np.float32(target[0]).astype(float))


def test_the_batch_loss_of_the_course():
    """The mean of squared errors is the ECM: gradient (−35, −12) at w = b = 0 on the reference's four points."""
    w, b = Value(0.0), Value(0.0)
    ecm = mean([squared_error(w * x + b, y) for x, y in [(1, 3), (2, 5), (3, 7), (4, 9)]])
    ecm.backward()
    assert (ecm.data, w.grad, b.grad) == (41.0, -35.0, -12.0)


@given(outputs=st.lists(numbers, min_size=1, max_size=5))
def test_the_courses_cost_has_the_error_as_its_slope(outputs):
    """∂C/∂a_j = a_j − y_j for C = ½ Σ (y_j − a_j)²."""
    target = [float(k) for k in range(len(outputs))]
    assert value_and_slopes(half_squared_error, outputs, target)[1] == [
        a - y for a, y in zip(outputs, target, strict=True)
    ]


@pytest.mark.parametrize(
    ("delta", "error", "value", "slope"), [(0.5, 2.0, 0.875, 0.5), (3.0, 2.0, 2.0, 2.0), (2.0, -5.0, 8.0, -2.0)]
)
def test_hubers_delta(delta, error, value, slope):
    """e²/2 within delta, delta(|e| − delta/2) beyond."""
    assert value_and_slopes(huber, [error], 0.0, delta=delta) == (value, [slope])


def test_losses_are_found_by_name():
    """Every name gives its function; a function stays itself."""
    assert all(loss_by_name(name) is loss for name, loss in LOSSES.items())
    assert loss_by_name(math.hypot) is math.hypot
    with pytest.raises(ValueError, match=rf"loss must be one of {', '.join(LOSSES)}, or a function, got 'mse'"):
        loss_by_name("mse")
    with pytest.raises(TypeError, match=r"a name or a function of \(output, target\), got int 3"):
        loss_by_name(3)


@pytest.mark.parametrize(
    ("loss", "output", "target", "error", "message"),
    [
        *((LOSSES[n], [0.0, 0.0], [1.0], ValueError, f"^{n}: there must be one target per output, got 2 outputs and 1 ") for n in LOSSES),
        *((LOSSES[n], [0.0, 0.0], [1.0, math.nan], ValueError, f"^{n}: a target must be finite, got nan") for n in LOSSES),
        *((LOSSES[n], [0.0, 0.0], [1.0, "1"], TypeError, f"^{n}: a target must be a number, got str '1'") for n in LOSSES),
        *((LOSSES[n], [0.0, "1"], [1.0, 0.0], TypeError, f"^{n}: an output must be a Value or a number, got str '1'") for n in LOSSES if n != "hinge"),
        (hinge, None, 1, TypeError, r"^hinge: an output must be a Value or a number, got NoneType None; does the model return anything\?"),
        (cross_entropy, [None, None], 1, TypeError, "^cross_entropy: an output must be a Value or a number, got NoneType None; does the model return"),
        (squared_error, [], [], ValueError, "got 0 outputs and 0 targets"),
        (squared_error, np.zeros((2, 2)), np.zeros((2, 2)), ValueError, r"a loss takes ONE sample, got an array of shape \(2, 2\); pass it row by row"),
        (squared_error, 1.0, None, TypeError, "squared_error: a target must be a number, got NoneType None"),
        (hinge, 0.0, 0, ValueError, r"hinge: a target must be \+1 or -1, got 0\.0; for classes 0 and 1 use 2 \* y - 1"),
        (binary_cross_entropy, 0.0, 1.5, ValueError, r"binary_cross_entropy: a target must lie from 0 to 1, got 1\.5"),
        (binary_cross_entropy, 0.0, -1, ValueError, r"binary_cross_entropy: a target must lie from 0 to 1, got -1\.0"),
        (cross_entropy, 0.5, 0, ValueError, "cross_entropy: the output must be a sequence of two logits or more, one per class; for a single"),
        (cross_entropy, [1.0, 2.0], 2, ValueError, "cross_entropy: a class must be a whole number from 0 to 1, got 2"),
        (cross_entropy, [1.0, 2.0], -1, ValueError, "cross_entropy: a class must be a whole number from 0 to 1, got -1"),
        (cross_entropy, [1.0, 2.0], 0.5, ValueError, r"cross_entropy: a class must be a whole number from 0 to 1, got 0\.5"),
        (cross_entropy, [1.0, 2.0], "a", TypeError, "cross_entropy: a target must be a number, got str 'a'"),
        (cross_entropy, [1.0, 2.0], Value(1.0), TypeError, "cross_entropy: a class index must be a plain number, got a Value; use one probability"),
        (cross_entropy, [1.0, 2.0], [0.5, 0.6], ValueError, r"cross_entropy: probabilities must lie from 0 to 1 and add up to 1, got \["),
        (cross_entropy, [1.0, 2.0], [-0.5, 1.5], ValueError, r"cross_entropy: probabilities must lie from 0 to 1 and add up to 1, got \["),
    ],
)  # fmt: skip
def test_bad_samples_are_refused(loss, output, target, error, message):
    """The message names the loss, the number that broke the rule and the rule."""
    with pytest.raises(error, match=message):
        loss(output, target)


@pytest.mark.parametrize("delta", [0.0, -1.0, math.nan, math.inf])
def test_hubers_delta_is_checked(delta):
    """It must be a finite number above 0."""
    with pytest.raises(ValueError, match="huber: delta must be a finite number above 0, got"):
        huber(1.0, 0.0, delta=delta)


@pytest.mark.parametrize("delta", ["a", None, [1.0]])
def test_hubers_delta_is_a_number(delta):
    """Anything but a number is named, with its type; a Value is a number."""
    with pytest.raises(TypeError, match=r"^huber: delta must be a finite number above 0, got"):
        huber(1.0, 1, delta)
    delta = Value(2.0)
    huber(3.0, 0.0, delta).backward()
    assert delta.grad == 1.0  # of delta (3 - delta/2)


@given(weights=st.lists(numbers, min_size=1, max_size=6), strength=st.floats(0, 10))
def test_penalties_have_their_closed_forms(weights, strength):
    """strength Σ|w| with slope strength · sign(w), 0 at 0; strength/2 Σw² with slope strength · w."""
    array = np.array(weights)
    for penalty, value, slopes in (
        (l1, strength * np.abs(array).sum(), strength * np.sign(array)),
        (l2, strength / 2 * (array @ array), strength * array),
    ):
        leaves = [Value(w) for w in weights]
        result = penalty(leaves, strength)
        result.backward()
        assert result.data == pytest.approx(value, rel=1e-12)
        assert [w.grad for w in leaves] == pytest.approx(slopes, rel=1e-12)


def test_the_l2_penalty_is_gradient_descents_weight_decay():
    """Ten steps with either end at the same weights."""
    plain, decayed = ([Value(w) for w in (3.0, -2.0, 0.5)] for _ in range(2))
    for weights, decay in ((plain, 0.0), (decayed, 0.1)):
        optimizer = GradientDescent(weights, learning_rate=0.05, momentum=0.5, weight_decay=decay)
        for _ in range(10):
            optimizer.zero_grad()
            loss = squared_error(weights[0] * weights[1], weights[2])
            (loss if decay else loss + l2(weights, 0.1)).backward()
            optimizer.step()
    assert [w.data for w in plain] == pytest.approx([w.data for w in decayed], rel=1e-13)


@pytest.mark.parametrize("penalty", [l1, l2])
def test_penalties_refuse_bad_input(penalty):
    """No parameters, things that are not Values, a strength that makes no sense."""
    name = penalty.__name__
    with pytest.raises(ValueError, match=f"^{name}: there must be parameters to penalise, got none"):
        penalty([], 0.1)
    with pytest.raises(TypeError, match=f"^{name}: parameters must be Values, got float 2.0 at 1"):
        penalty([Value(1.0), 2.0], 0.1)
    for strength in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"^{name}: strength must be a finite number, 0 or more, got {strength}"):
            penalty([Value(1.0)], strength)
    for strength in ("a", None):
        with pytest.raises(TypeError, match=f"^{name}: strength must be a finite number, 0 or more, got {strength!r}"):
            penalty([Value(1.0)], strength)
