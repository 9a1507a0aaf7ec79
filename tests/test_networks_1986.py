"""The 1986 paper: its equations against other ways to the same numbers, and what its two networks learn.

How many runs succeed, and how soon, is compared with networks written by hand in NumPy: lessons/by_hand.json, which
`python -m lessons.by_hand` writes.
"""

import json
import math
import os

import numpy as np
import pytest

from autodiff import Value, compile, sigmoid, total, weighted_sum  # the builtin is for text
from lessons import by_hand
from models.datasets import family_trees, mirror_symmetry, xor
from models.losses import half_squared_error
from models.networks_1986 import (
    PAPER,
    RECIPE,
    STRICT_RECIPE,
    Networks,
    error,
    family_networks,
    learn_family_trees,
    right,
    solved,
    symmetry_networks,
)

BY_HAND = json.loads(by_hand.FILE.read_text(encoding="utf-8"))
SYMMETRY = mirror_symmetry()
X, D = SYMMETRY.X, SYMMETRY.y[:, None]
SEEDS = range({"quick": 50, "thorough": 200}.get(os.environ.get("HYPOTHESIS_PROFILE", "quick"), 100))


def fares_as_by_hand(sweeps, runs, name):
    """As many runs are solved, and their median is the same, to four standard deviations of the difference."""
    there = BY_HAND[name]
    chance = (there["solved"] + 1) / (there["runs"] + 2)
    most = 4 * math.sqrt(chance * (1 - chance) * runs * (1 + runs / there["runs"]))
    assert abs(len(sweeps) - there["solved"] * runs / there["runs"]) <= most
    error = there["error of the median"] * math.sqrt(1 + there["solved"] / len(sweeps))
    assert abs(np.median(sweeps) - there["median"]) <= 4 * error
    return True


@pytest.mark.parametrize("name", ["symmetry, ε 0.03", "XOR, 2-4-1", "XOR, 2-2-1"])
def test_the_figures_by_hand_are_those_of_a_fresh_sample(name):
    """Sixteen networks that the file knows nothing of, trained by the same hand-written code, fare as it says."""
    setting = by_hand.SETTINGS[name]._replace(sweeps=2_000)
    runs = [by_hand.trained(setting, 1986 + seed) for seed in range(16)]
    assert fares_as_by_hand([run.sweeps for run in runs if run.sweeps], 16, name)


def test_a_run_by_hand_is_a_run_of_ours():
    """From the same weights both take the same steps: equal after 200 sweeps to 1e-9."""
    setting, random = by_hand.SETTINGS["symmetry, ε 0.1"], np.random.default_rng(5)
    drawn = [(random.uniform(-0.3, 0.3, (n, m)), random.uniform(-0.3, 0.3, n)) for m, n in ((6, 2), (2, 1))]
    ours = symmetry_networks(seeds=[0])
    ours.weights = [np.column_stack(layer)[None] for layer in drawn]
    ours.train(by_hand.bits(6), by_hand.MIRRORED, learning_rate=0.1, momentum=0.9, sweeps=200)
    theirs = by_hand.trained(setting._replace(sweeps=200), 5)
    for w, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(w[0, :, :-1], other, rtol=1e-9)


def below(limit):
    return lambda outputs, targets: error(outputs, targets) < limit


def on_weighted_sums(weights, x):
    """The outputs of a network written neuron by neuron: `weights[l][j]` are unit j's, its bias last."""
    signal = list(x)
    for layer in weights:
        signal = [sigmoid(weighted_sum(unit[:-1], signal, unit[-1])) for unit in layer]
    return signal


def test_the_gradients_are_those_of_a_graph_of_values():
    """∂E/∂w by equations (4) to (7) equals the symmetry net's derivatives on Values, for every run and weight."""
    networks = symmetry_networks(seeds=[1, 2], scale=2.0)
    slopes = networks.gradients(X, D)
    for run in range(2):
        weights = [[[Value(w) for w in unit] for unit in layer[run].tolist()] for layer in networks.weights]
        outputs = [on_weighted_sums(weights, x)[0] for x in X.tolist()]
        E = total([0.5 * (y - d) ** 2 for y, (d,) in zip(outputs, D.tolist(), strict=True)])
        E.backward()
        np.testing.assert_allclose(E.data, error(networks.outputs(X), D)[run], rtol=1e-13)
        for values, slope in zip(weights, slopes, strict=True):
            np.testing.assert_allclose([[w.grad for w in unit] for unit in values], slope[run], rtol=1e-10, atol=1e-14)


def test_the_equations_are_what_compile_makes_of_the_network_on_values():
    """(4) to (7) by hand, and the program that `compile` traces from Values: one gradient for the family trees."""
    networks, data = family_networks(seeds=[1, 2]), family_trees()
    slopes = networks.gradients(data.X, data.y)
    for run in range(2):
        mlp = networks.on_values(run)
        program = compile(lambda x, d, mlp=mlp: half_squared_error(mlp(x), d))
        E, gradient = program.value_and_grad(data.X, data.y, reduce="sum")
        by = dict(zip(map(id, program.parameters), gradient.tolist(), strict=True))
        assert pytest.approx(error(networks.outputs(data.X), data.y)[run], rel=1e-12) == E
        for layer, slope in zip(mlp.layers, slopes, strict=True):
            there = slope[run] != 0  # the MLP has weights of 0 where the network has no connection
            compiled = np.array([[by[id(p)] for p in neuron.parameters()] for neuron in layer.neurons])
            np.testing.assert_allclose(compiled[there], slope[run][there], rtol=1e-9, atol=1e-13)


def test_the_ready_made_network_on_values_is_the_same_network():
    """`on_values` gives an MLP with the same outputs and the same gradients, weight for weight."""
    networks = symmetry_networks(seeds=[3, 4], scale=2.0)
    mlp = networks.on_values(1)
    E = total([0.5 * (mlp(x) - d) ** 2 for x, (d,) in zip(X.tolist(), D.tolist(), strict=True)])
    E.backward()
    slopes = np.concatenate([slope[1].ravel() for slope in networks.gradients(X, D)])
    np.testing.assert_allclose([p.grad for p in mlp.parameters()], slopes, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose([mlp(x).data for x in X.tolist()], networks.outputs(X)[1, :, 0], rtol=1e-13)


def test_the_gradients_are_those_of_pytorch():
    """The family net's derivatives, its absent connections included, equal PyTorch's for every weight there is."""
    torch = pytest.importorskip("torch", reason="PyTorch is a development dependency")
    data, networks = family_trees(), family_networks(seeds=[5])
    slopes = networks.gradients(data.X, data.y)
    weights = [torch.tensor(w[0], requires_grad=True) for w in networks.weights]
    signal = torch.tensor(data.X)
    for w in weights:
        signal = torch.sigmoid(signal @ w[:, :-1].T + w[:, -1])
    (0.5 * ((signal - torch.tensor(data.y)) ** 2).sum()).backward()
    exists = np.zeros((12, 37), dtype=bool)
    exists[:6, :24] = exists[6:, 24:36] = exists[:, 36] = True
    assert (networks.weights[0][0][~exists] == 0).all()
    assert (networks.weights[0][0][exists] != 0).all()
    assert (slopes[0][0][~exists] == 0).all()
    np.testing.assert_allclose(slopes[0][0][exists], weights[0].grad.numpy()[exists], rtol=1e-9, atol=1e-13)
    for slope, w in zip(slopes[1:], weights[1:], strict=True):
        np.testing.assert_allclose(slope[0], w.grad.numpy(), rtol=1e-9, atol=1e-13)


def test_equation_9_and_the_cut_are_as_the_paper_says():
    """Three sweeps equal Δw(t) = −ε ∂E/∂w(t) + α Δw(t−1), w ← (w + Δw)(1 − cut), worked out step by step."""
    networks, copy = symmetry_networks(seeds=[6]), symmetry_networks(seeds=[6])
    networks.train(X, D, learning_rate=0.1, momentum=0.9, decay=0.002, sweeps=3)
    last = [np.zeros_like(w) for w in copy.weights]
    for _ in range(3):
        last = [-0.1 * slope + 0.9 * change for slope, change in zip(copy.gradients(X, D), last, strict=True)]
        copy.weights = [(w + change) * 0.998 for w, change in zip(copy.weights, last, strict=True)]
    for w, expected in zip(networks.weights, copy.weights, strict=True):
        np.testing.assert_allclose(w, expected, rtol=1e-12)


def test_training_that_goes_on_is_training_that_never_stopped():
    """20 sweeps and then 30 give bit for bit the weights of 50: the last Δw is kept."""
    once, twice = symmetry_networks(seeds=[7, 8]), symmetry_networks(seeds=[7, 8])
    once.train(X, D, learning_rate=0.1, momentum=0.9, sweeps=50)
    twice.train(X, D, learning_rate=0.1, momentum=0.9, sweeps=20)
    twice.train(X, D, learning_rate=0.1, momentum=0.9, sweeps=30)
    for a, b in zip(once.weights, twice.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_runs_side_by_side_do_not_see_each_other():
    """A run learns the same alone and among others, whichever of them stop before it."""
    together, alone = symmetry_networks(seeds=range(4)), [symmetry_networks(seeds=[s]) for s in range(4)]
    settings = {"learning_rate": 0.03, "momentum": 0.9, "sweeps": 900, "until": solved}
    trained = together.train(X, D, **settings)
    assert len(set(trained.sweeps.tolist())) > 1, "the runs should stop at different sweeps"
    for run, networks in enumerate(alone):
        single = networks.train(X, D, **settings)
        assert (single.sweeps[0], single.reached[0]) == (trained.sweeps[run], trained.reached[run])
        for w, others in zip(networks.weights, together.weights, strict=True):
            np.testing.assert_allclose(w[0], others[run], rtol=1e-6)


def test_a_run_stops_when_its_condition_is_reached():
    """`sweeps` counts the changes made: one sweep fewer had not solved it, and the weights kept are the solving ones."""
    networks, shorter = symmetry_networks(seeds=[0]), symmetry_networks(seeds=[0])
    trained = networks.train(X, D, learning_rate=0.03, momentum=0.9, sweeps=5000, until=solved)
    assert trained.reached.all()
    assert solved(networks.outputs(X), D).all()
    shorter.train(X, D, learning_rate=0.03, momentum=0.9, sweeps=int(trained.sweeps[0]) - 1)
    assert not solved(shorter.outputs(X), D).any()


def test_errors_within_the_tolerance_count_as_none():
    """With every output within the tolerance of its target nothing changes; with a narrower one something does."""
    networks = symmetry_networks(seeds=[0])
    near = networks.outputs(X)[0] + 0.1
    before = [w.copy() for w in networks.weights]
    networks.train(X, near, learning_rate=0.1, tolerance=0.11, sweeps=3)
    assert all((a == b).all() for a, b in zip(before, networks.weights, strict=True))
    networks.train(X, near, learning_rate=0.1, tolerance=0.09, sweeps=3)
    assert all((a != b).any() for a, b in zip(before, networks.weights, strict=True))


@pytest.fixture(scope="module")
def symmetry():
    """Fixed seeds at ε 0.03, α 0.9, U(−0.3, 0.3): solved first, then on until E < 0.1."""
    networks = symmetry_networks(seeds=SEEDS)
    first = networks.train(X, D, learning_rate=0.03, momentum=0.9, sweeps=30_000, until=solved)
    then = networks.train(X, D, learning_rate=0.03, momentum=0.9, sweeps=30_000, until=below(0.1))
    return networks, first, then


@pytest.mark.once
def test_mirror_symmetry_is_solved(symmetry):
    """ε 0.03: all or nearly all runs come to have all 64 patterns right, as soon as those by hand."""
    _, first, then = symmetry
    assert fares_as_by_hand(first.sweeps[first.reached], len(SEEDS), "symmetry, ε 0.03")
    assert then.reached[first.reached].all()


@pytest.mark.once
def test_the_weights_come_out_mirrored(symmetry):
    """Of solved runs: weights are equal and opposite about the middle, to 0.2 % of the largest."""
    networks, _, then = symmetry
    hidden = networks.weights[0][then.reached][:, :, :6]
    largest = abs(hidden).max(axis=2, keepdims=True)
    assert (abs(hidden + hidden[:, :, ::-1]) <= 0.002 * largest).all()


@pytest.mark.once
def test_magnitudes_are_1_2_4_or_else_2_3_4(symmetry):
    """Of solved runs seven in ten or more have the paper's 1 : 2 : 4, to 5 %; the others another code, 2 : 3 : 4.

    Both tell all patterns apart: no sum of them, with signs, is 0. The paper mentions the first alone. The median
    ratios are those by hand, to 2 %.
    """
    networks, _, then = symmetry
    magnitudes = np.sort(abs(networks.weights[0][then.reached][:, :, :3]), axis=2)
    ratios = magnitudes / magnitudes[:, :, :1]
    the_papers, other = (
        np.isclose(ratios, np.broadcast_to(code, ratios.shape), rtol=0.05).all(axis=(1, 2))
        for code in ([1, 2, 4], [1, 1.5, 2])
    )
    assert (the_papers | other).all()
    assert the_papers.mean() >= 0.7
    assert np.median(ratios, axis=(0, 1)) == pytest.approx(BY_HAND["symmetry, ε 0.03, E < 0.1"]["magnitudes"], rel=0.02)


@pytest.mark.once
def test_the_hidden_units_are_sign_flipped_copies(symmetry):
    """Of solved runs: one hidden unit has the other's weights with the other sign, both biases are negative, the output's positive."""
    networks, _, then = symmetry
    hidden, output = (w[then.reached] for w in networks.weights)
    largest = abs(hidden[:, :, :6]).max(axis=(1, 2))
    apart = abs(hidden[:, 0, :6] + hidden[:, 1, :6]).max(axis=1) / largest
    assert np.median(apart) < 0.01
    assert apart.max() < 0.03
    assert (hidden[:, :, 6] < 0).all()
    np.testing.assert_allclose(hidden[:, 0, 6], hidden[:, 1, 6], rtol=0.03)
    assert (output[:, 0, 2] > 0).all()
    assert (output[:, 0, :2] < 0).all()


@pytest.mark.once
def test_the_papers_own_settings_for_symmetry_are_slower_and_may_get_stuck():
    """ε 0.1: some runs get stuck, at E = 4 with 56 of 64 right; the others take as long as those by hand."""
    networks = symmetry_networks(seeds=SEEDS)
    trained = networks.train(X, D, learning_rate=0.1, momentum=0.9, sweeps=30_000, until=solved)
    assert not trained.reached.all()
    assert fares_as_by_hand(trained.sweeps[trained.reached], len(SEEDS), "symmetry, ε 0.1")
    assert np.median(trained.sweeps[trained.reached]) > 2 * BY_HAND["symmetry, ε 0.03"]["median"]
    stuck = ~trained.reached
    outputs = networks.outputs(X)
    np.testing.assert_allclose(error(outputs, D)[stuck], 4.0, atol=0.1)
    assert (right(outputs, D).sum(axis=1)[stuck] == 56).all()


def test_biases_that_start_at_0():
    """`zero_biases` sets every bias to 0 before the first sweep, and leaves the other weights as the seed drew them."""
    zero, drawn = (symmetry_networks(seeds=range(3), zero_biases=z) for z in (True, False))
    for w, other in zip(zero.weights, drawn.weights, strict=True):
        assert (w[..., -1] == 0).all()
        assert (other[..., -1] != 0).all()
        np.testing.assert_array_equal(w[..., :-1], other[..., :-1])


@pytest.mark.once
def test_with_biases_that_start_at_0_the_papers_settings_always_solve_symmetry():
    """ε 0.1: all runs, as soon as those by hand.

    With drawn biases runs get stuck, of these very seeds too (the test above).
    """
    networks = symmetry_networks(seeds=SEEDS, zero_biases=True)
    trained = networks.train(X, D, learning_rate=0.1, momentum=0.9, sweeps=30_000, until=solved)
    assert trained.reached.all()
    assert fares_as_by_hand(trained.sweeps, len(SEEDS), "symmetry, ε 0.1, biases start at 0")


@pytest.fixture(scope="module")
def xor_runs():
    """2-4-1 and 2-2-1 at ε 0.5, α 0.9, U(−1, 1)."""
    data = xor()
    runs = {}

    def near(outputs, targets):
        return right(outputs, targets, margin=0.4).all(axis=1)

    for hidden in (4, 2):
        networks = Networks((2, hidden, 1), seeds=SEEDS, scale=1.0)
        trained = networks.train(data.X, data.y[:, None], learning_rate=0.5, momentum=0.9, sweeps=10_000, until=near)
        runs[hidden] = trained, error(networks.outputs(data.X), data.y[:, None])
    return runs


@pytest.mark.once
def test_four_hidden_units_solve_xor(xor_runs):
    """2-4-1 brings every output within 0.1 of its target in all or nearly all runs, as soon as by hand."""
    trained, _ = xor_runs[4]
    assert fares_as_by_hand(trained.sweeps[trained.reached], len(SEEDS), "XOR, 2-4-1")


@pytest.mark.once
def test_two_hidden_units_solve_xor_most_of_the_time(xor_runs):
    """2-2-1 solves as many runs as by hand, not all, and the others sit at E = 1/4 or 1/3."""
    trained, E = xor_runs[2]
    assert trained.reached.mean() < 0.97
    assert fares_as_by_hand(trained.sweeps[trained.reached], len(SEEDS), "XOR, 2-2-1")
    stuck = E[~trained.reached]
    assert (np.minimum(abs(stuck - 1 / 4), abs(stuck - 1 / 3)) < 0.01).all()


@pytest.mark.once
def test_the_family_trees_are_learnt():
    """Over 10 seeds, or 20, the recipe has at least 95 % of the training cases right, all 24 outputs of a case together.

    That is on the right side of 0.5: an output beyond 0.8 or 0.2 has no error left to push it, so the cut of the
    weights pulls it back to just inside that border, and the sharper criterion counts few (the next test says more).
    How many of the four held-out cases are right is chance, and not asserted.
    """
    runs = learn_family_trees(seeds=SEEDS[::10], recipe=RECIPE)
    training = runs.fraction_right(runs.training)
    print(f"training {training.mean():.3f}, held out {runs.fraction_right(runs.held_out).mean():.3f}")  # noqa: T201
    assert training.shape == (len(SEEDS) // 10,)
    assert training.mean() >= 0.95
    assert runs.fraction_right(runs.training, margin=0.3).mean() < training.mean()


@pytest.mark.once
def test_the_family_trees_are_learnt_by_the_sharper_criterion():
    """Above 0.8 where on, below 0.2 where off, in at least 95 % of training cases: with a narrower tolerance and cut."""
    runs = learn_family_trees(seeds=SEEDS[::20], recipe=STRICT_RECIPE)
    assert runs.fraction_right(runs.training, margin=0.3).mean() >= 0.95


@pytest.mark.once
@pytest.mark.parametrize("scale", [0.1, 0.3, 1.0])
def test_with_the_papers_own_settings_no_family_is_learnt(scale):
    """ε 0.005 and 0.01, cut 0.2 %, 1,500 sweeps: not one case right of 100, from whatever initial weights."""
    runs = learn_family_trees(seeds=range(5), recipe=PAPER._replace(scale=scale))
    assert (runs.fraction_right(runs.training) == 0).all()


def test_every_run_holds_out_four_cases_of_its_own():
    """100 cases to train on and 4 held out, none in both, other ones from run to run and the same for a seed."""
    recipe = RECIPE._replace(sweeps=1)
    runs, again = learn_family_trees(seeds=[3, 4], recipe=recipe), learn_family_trees(seeds=[4], recipe=recipe)
    assert (runs.training.shape, runs.held_out.shape) == ((2, 100), (2, 4))
    for training, held_out in zip(runs.training, runs.held_out, strict=True):
        assert sorted([*training, *held_out]) == list(range(104))
    assert set(runs.held_out[0]) != set(runs.held_out[1])
    np.testing.assert_array_equal(runs.held_out[1], again.held_out[0])
    np.testing.assert_allclose(runs.networks.weights[1][1], again.networks.weights[1][0], rtol=1e-9)


def test_the_criterion_wants_every_output_right():
    """One output of a case on the wrong side makes the case wrong; at exactly the border it is wrong too."""
    d = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    outputs = np.array([[[0.9, 0.1], [0.7, 0.1], [0.5, 0.1]]])
    assert right(outputs, d).tolist() == [[True, True, False]]
    assert right(outputs, d, margin=0.3).tolist() == [[True, False, False]]
    assert solved(outputs, d).tolist() == [False]
    assert solved(outputs[:, :2], d[:2]).tolist() == [True]


def test_large_weights_do_not_overflow():
    """Weights of thousands give outputs of 0 and 1, and gradients without NaN, and no warning."""
    networks = Networks((2, 2, 1), seeds=[0], scale=1e4)
    assert np.isin(networks.outputs([[1.0, 1.0]]).round(6), [0.0, 1.0]).all()
    assert all(np.isfinite(slope).all() for slope in networks.gradients([[1.0, 1.0]], [[1.0]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": (6,)}, r"sizes must name inputs and outputs.*\(6,\)"),
        ({"sizes": (6, 0, 1)}, "sizes.*got 0"),
        ({"seeds": []}, "seeds must have one whole number for each run, got none"),
        ({"seeds": [-1]}, "-1"),
        ({"scale": 0}, "scale must be a finite number above 0, got 0"),
        ({"connections": [None]}, "connections must have one entry per layer, 2, got 1"),
        ({"connections": [np.ones((2, 5)), None]}, r"\(2, 6\).*\(2, 5\)"),
    ],
)
def test_networks_that_make_no_sense_are_refused(options, message):
    """The message names what is wrong and its value."""
    with pytest.raises(ValueError, match=message):
        Networks(**{"sizes": (6, 2, 1), "seeds": [0], "scale": 0.3, **options})


def test_seeds_are_a_sequence_and_runs_are_counted():
    """A bare number of seeds, and a run that is not there, are refused with what would do."""
    with pytest.raises(
        TypeError, match=r"seeds must be whole numbers, one for each run, got 5; write \[5\] for one run"
    ):
        symmetry_networks(seeds=5)
    with pytest.raises(ValueError, match="run must be one of the 2 there are, counted from 0, got 2"):
        symmetry_networks(seeds=[0, 1]).on_values(2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": X[:, :5]}, r"X must be \(n_cases, 6\).*\(64, 5\)"),
        ({"d": D[:60]}, "one row for each of the 64 cases"),
        ({"d": SYMMETRY.y}, r"d must be \(n_cases, 1\).*\(64,\)"),
        ({"X": np.zeros((3, 64, 6))}, r"\(2, n_cases, 6\).*\(3, 64, 6\)"),
        ({"X": X * np.nan}, "NaN"),
        ({"learning_rate": 0.0}, "learning_rate.*0.0"),
        ({"momentum": 1.0}, r"momentum must be 0 or more and below 1, got 1\.0"),
        ({"decay": -0.1}, "decay.*-0.1"),
        ({"tolerance": 0.5}, r"tolerance must be 0 or more and below 0\.5, got 0\.5"),
        ({"sweeps": 0}, "sweeps.*got 0"),
    ],
)
def test_training_that_makes_no_sense_is_refused_before_anything_changes(change, message):
    """Bad data and settings leave the weights as they were."""
    networks = symmetry_networks(seeds=[0, 1])
    before = [w.copy() for w in networks.weights]
    options = {"X": X, "d": D, "learning_rate": 0.1, "momentum": 0.9, "sweeps": 5, **change}
    with pytest.raises(ValueError, match=message):
        networks.train(options.pop("X"), options.pop("d"), **options)
    assert all((a == b).all() for a, b in zip(before, networks.weights, strict=True))
