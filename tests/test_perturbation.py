"""Random perturbation, the brute force before backprop: what it finds, what it costs, and that it never makes worse."""

import itertools
import math
import statistics

import numpy as np
import pytest

from autodiff import Value, mean, sigmoid, total, weighted_sum
from models.losses import squared_error
from models.optimizers import GradientDescent
from models.perturbation import random_perturbation


def bowl(n):
    """n weights at 0 and the cost Σ (w − 1)², which is n."""
    weights = [Value(0.0, f"w{i}") for i in range(n)]
    return weights, lambda: sum((w.data - 1.0) ** 2 for w in weights)


def evaluations_to_halve(n, seed, **options):
    weights, cost = bowl(n)
    search = random_perturbation(weights, cost, steps=20_000, until=n / 2, random_state=seed, **options)
    assert search.cost_curve[-1] <= n / 2
    return search.evaluations


@pytest.mark.parametrize(
    "options", [{"perturb": "one", "scale": lambda n: 0.5}, {"perturb": "all", "scale": lambda n: n**-0.5}]
)
def test_evaluations_grow_with_the_weights_and_backward_sweeps_do_not(options):
    """Four times the weights take about four times the evaluations to halve the cost; gradient descent takes ONE sweep."""
    medians = []
    for n in (4, 16, 64, 256):
        scale = options["scale"](n)
        runs = [evaluations_to_halve(n, seed, perturb=options["perturb"], scale=scale) for seed in range(25)]
        medians.append(statistics.median(runs))
        weights, cost = bowl(n)
        total([(w - 1.0) ** 2 for w in weights]).backward()
        GradientDescent(weights, learning_rate=0.25).step()
        assert cost() == n / 4
    assert all(2.5 < more / fewer < 6.0 for fewer, more in itertools.pairwise(medians))
    assert medians[-1] > 256


@pytest.mark.parametrize("n", [1, 4, 16, 64])
def test_evaluations_per_improvement_grow_with_the_weights_as_theory_says(n):
    """Perturbing all n weights by s·N(0, 1) improves with the probability of a noncentral χ²: 1 of 2 for n = 1, 1 of 41 for 64."""
    stats = pytest.importorskip("scipy.stats", reason="SciPy is a development dependency")
    random, trials, improved = np.random.default_rng(1986), 3000, 0
    for _ in range(trials):
        weights, cost = bowl(n)
        improved += random_perturbation(
            weights, cost, steps=1, scale=0.5, perturb="all", random_state=random
        ).improvements
    chance = stats.ncx2.cdf(4 * n, n, 4 * n)  # |w − 1 + s ξ|² / s² below |w − 1|² / s²
    assert abs(improved / trials - chance) < 4 * math.sqrt(chance * (1 - chance) / trials)


@pytest.mark.parametrize("perturb", ["one", "all"])
def test_the_cost_never_rises_and_every_evaluation_is_counted(perturb):
    """The curve falls exactly at the improvements; the weights left behind have the cost it ends with."""
    weights, cost = bowl(5)
    calls = []
    search = random_perturbation(
        weights, lambda: calls.append(1) or cost(), steps=200, scale=0.3, perturb=perturb, random_state=7
    )
    curve = np.array(search.cost_curve)
    assert len(calls) == search.evaluations == len(curve) == 201
    assert curve[0] == 5.0
    assert (np.diff(curve) <= 0).all()
    assert (np.diff(curve) < 0).sum() == search.improvements > 0
    assert cost() == curve[-1]


def test_one_perturbs_one_weight_and_all_perturbs_all():
    """The weights that a trial changes, seen from inside the cost."""
    for perturb, expected in (("one", 1), ("all", 6)):
        weights, _ = bowl(6)
        seen = []
        random_perturbation(
            weights,
            lambda w=weights, s=seen: s.append([v.data for v in w]) or 0.0,
            steps=20,
            perturb=perturb,
            random_state=0,
        )
        assert [sum(x != 0.0 for x in row) for row in seen] == [0] + [expected] * 20
        assert [w.data for w in weights] == [0.0] * 6  # 0 is not below 0: each was taken back


def test_it_learns_and_with_the_gradient_alone():
    """A sigmoid neuron learns AND («Noche épica») without a derivative; no gradient is written."""
    rows = [((0, 0), 0), ((1, 0), 0), ((0, 1), 0), ((1, 1), 1)]
    w, b = [Value(0.0, "w1"), Value(0.0, "w2")], Value(0.0, "b")
    neuron = lambda x: sigmoid(weighted_sum(w, x, b))
    cost = lambda: mean([squared_error(neuron(x), y) for x, y in rows])
    search = random_perturbation([*w, b], cost, steps=600, scale=1.0, random_state=0)
    assert search.cost_curve[0] == 0.25
    assert search.cost_curve[-1] < 0.02
    assert [neuron(x).data > 0.5 for x, _ in rows] == [False, False, False, True]
    assert not any(p.swept for p in [*w, b])


def test_the_same_seed_gives_the_same_search():
    """A seed, and a generator made of it."""
    runs = [random_perturbation(*bowl(3), steps=50, random_state=s) for s in (3, np.random.default_rng(3), 4)]
    assert runs[0] == runs[1] != runs[2]


def test_a_cost_that_is_nan_or_raises_leaves_the_best_weights():
    """NaN is no improvement; an error comes through after the trial was taken back."""
    weights, cost = bowl(2)
    search = random_perturbation(
        weights, lambda: cost() if weights[0].data == 0.0 else math.nan, steps=50, random_state=0
    )
    assert weights[0].data == 0.0
    assert search.cost_curve[-1] == cost() < 2.0

    weights, cost = bowl(2)
    costs = []

    def fails_at_ten():
        if len(costs) == 10:
            raise RuntimeError("no more")
        costs.append(cost())
        return costs[-1]

    with pytest.raises(RuntimeError, match="no more"):
        random_perturbation(weights, fails_at_ten, random_state=0)
    assert cost() == min(costs)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps must be a whole number, 1 or more, got 0"),
        ({"scale": 0.0}, ValueError, "scale must be a finite number above 0, got 0.0"),
        ({"scale": math.nan}, ValueError, "scale must be a finite number above 0, got nan"),
        ({"scale": "1"}, TypeError, "scale must be a finite number above 0, got '1'"),
        ({"perturb": "two"}, ValueError, "perturb must be one of one, all, got 'two'"),
        ({"until": math.nan}, ValueError, "until must be a number, not NaN, got nan"),
        ({"until": "0"}, TypeError, "until must be a number, not NaN, got '0'"),
        (
            {"random_state": "a"},
            TypeError,
            "random_state must be None, an int of 0 or more, or a generator, got str 'a'",
        ),
        (
            {"random_state": -1},
            ValueError,
            "random_state must be None, an int of 0 or more, or a generator, got int -1",
        ),
        ({"parameters": []}, ValueError, "parameters is empty"),
        ({"parameters": [1.0]}, TypeError, "parameters must be Values, got float 1.0 at 0"),
        (
            {"cost": lambda: math.nan},
            ValueError,
            "the cost must be a number at the start, got nan; no change could be seen to lower it",
        ),
        ({"cost": lambda: "1"}, TypeError, r"cost\(\) must return a Value or a number, got str '1'"),
        ({"cost": lambda: [1.0]}, TypeError, r"cost\(\) must return a Value or a number, got list \[1\.0\]"),
        ({"cost": 1.0}, TypeError, r"cost must be a function that returns the cost, got float 1\.0"),
    ],
)
def test_bad_input_is_refused_before_any_trial(options, error, message):
    """The weights stay where they were."""
    weights, cost = bowl(2)
    settings = {"parameters": weights, "cost": cost} | options
    with pytest.raises(error, match=message):
        random_perturbation(settings.pop("parameters"), settings.pop("cost"), **settings)
    assert [w.data for w in weights] == [0.0, 0.0]
