"""Neurons that feed neurons decide what one neuron alone cannot, and say how."""

from itertools import product

import numpy as np
import pytest

from autodiff import Value, topological_order
from models.datasets import epic_night, exam_monday, xor
from models.hierarchy import EPIC_NIGHT, MONDAY_EXAM, XOR, Unit, decide, decide_all, explain, facts_of
from models.perceptron_rule import fires, learn

WEEKEND = {"video games": 1, "pizza": 1, "studied": 1, "attended class": 0, "early to bed": 1}


def test_the_hierarchy_decides_mondays_exam():
    """Over all 32 weekends the perceptrons answer as the rule in plain logic, which the data set was made with."""
    data = exam_monday()
    assert facts_of(MONDAY_EXAM) == data.feature_names
    np.testing.assert_array_equal(decide_all(MONDAY_EXAM, data.X)[:, -1], data.y)


def test_every_unit_means_what_its_name_says():
    """Each perceptron inside is the logic of its name, on every weekend."""
    for facts in product((0, 1), repeat=5):
        games, pizza, studied, attended, early = map(bool, facts)
        answers = decide(MONDAY_EXAM, dict(zip(facts_of(MONDAY_EXAM), facts, strict=True)))
        assert answers["epic night"] == (games and pizza)
        assert answers["prepared"] == (studied or attended)
        assert answers["rested"] == (early and not (games and pizza))
        assert answers["good mark"] == (answers["prepared"] and answers["rested"])


def test_epic_night_is_the_perceptron_of_the_slide():
    """The first unit is w = (4, 5), b = -6, and decides as the perceptron alone does."""
    data = epic_night()
    assert (list(EPIC_NIGHT.weights.values()), EPIC_NIGHT.bias) == ([4.0, 5.0], -6.0)
    np.testing.assert_array_equal(decide_all([EPIC_NIGHT], data.X)[:, 0], data.y)


def test_three_units_decide_xor():
    """XOR, which Rosenblatt's rule cannot learn for one neuron, is two neurons that feed a third."""
    data = xor()
    np.testing.assert_array_equal(decide_all(XOR, data.X)[:, -1], data.y)
    assert not learn(data.X, data.y, warn=False).converged


def test_each_unit_of_the_hierarchy_can_be_learnt_from_its_own_truth_table():
    """Shown its own inputs and answers, Rosenblatt's rule finds weights that decide as the unit does."""
    for unit in MONDAY_EXAM:
        X = np.array(list(product((0.0, 1.0), repeat=len(unit.weights))))
        y = fires(X, list(unit.weights.values()), unit.bias)
        learned = learn(X, y)
        assert fires(X, learned.weights, learned.bias).tolist() == y.tolist()


def test_values_give_a_graph_with_the_units_names():
    """With Values for facts the answer is a node whose graph holds every unit's z and a."""
    facts = {name: Value(x, name) for name, x in WEEKEND.items()}
    good_mark = decide(MONDAY_EXAM, facts)["good mark"]
    assert good_mark.data == decide(MONDAY_EXAM, WEEKEND)["good mark"] == 0.0
    labels = {node.label for node in topological_order(good_mark)}
    for name in ("epic_night", "prepared", "rested", "good_mark"):
        assert {f"{name}.z", f"{name}.a"} <= labels


def test_explanations_carry_the_numbers():
    """Every line holds formula, numbers, weighted sum and decision, in the order of the units."""
    lines = explain(MONDAY_EXAM, WEEKEND)
    assert lines == [
        "epic night: 4·video games + 5·pizza − 6 = 4·1 + 5·1 − 6 = 3, above 0 → 1",
        "prepared: 2·studied + 2·attended class − 1 = 2·1 + 2·0 − 1 = 1, above 0 → 1",
        "rested: 2·early to bed − 2·epic night − 1 = 2·1 − 2·1 − 1 = −1, not above 0 → 0",
        "good mark: 2·prepared + 2·rested − 3 = 2·1 + 2·0 − 3 = −1, not above 0 → 0",
    ]
    assert explain([Unit("not", {"x": -1.0}, 0.5)], {"x": Value(1.0)}) == [
        "not: −1·x + 0.5 = −1·1 + 0.5 = −0.5, not above 0 → 0"
    ]
    assert explain([Unit("is", {"x": 2.0}, 0.0)], {"x": 1}) == ["is: 2·x = 2·1 = 2, above 0 → 1"]
    assert explain([Unit("never", {}, 0.0)], {}) == ["never: 0 = 0 = 0, not above 0 → 0"]


def test_the_hierarchies_cannot_be_changed_by_accident():
    """They are shared data: assigning a weight is refused."""
    with pytest.raises(TypeError):
        MONDAY_EXAM[0].weights["pizza"] = 7.0


A, B = Unit("a", {"x": 1.0}, 0.0), Unit("b", {"a": 1.0}, 0.0)


@pytest.mark.parametrize(
    ("units", "facts", "message"),
    [
        ([A, B], {}, r"facts must say 0 or 1 for each of \['x'\], got none for \['x'\]"),
        ([B, A], {"x": 1}, "'b' listens to 'a', which is decided later"),
        ([Unit("a", {"a": 1.0}, 0.0)], {"a": 1}, "decided by itself"),
        ([A, A], {"x": 1}, "every unit must have a name of its own, got two called 'a'"),
        (
            [A, B],
            {"x": 1, "a": 0},
            r"facts must not say what the hierarchy decides, got \['a'\]; leave out the fact, or the unit",
        ),
        ([A, B], {"x": "1"}, "the fact 'x' must be a finite number, such as 0 or 1, or a Value, got '1'"),
        ([A, B], {"x": None}, "the fact 'x' must be .* got None"),
        ([A, B], {"x": np.nan}, "the fact 'x' must be .* got nan"),
        ([A, B], {"x": Value(np.inf)}, "the fact 'x' must be .* got Value"),
    ],
)
def test_a_hierarchy_that_cannot_decide_says_why(units, facts, message):
    """Missing facts, loops, doubles and contradictions are refused by name."""
    with pytest.raises(ValueError, match=message):
        decide(units, facts)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1, 0, 1]], r"\(n_samples, 2\)"),
        ([1, 0], r"X must be \(n_samples, 2\), one column for each of \('x1', 'x2'\), got \(2,\)"),
        ([[1, np.nan]], "nan at row 0, column 1"),
        ([["1", 0]], "text"),
    ],
)
def test_rows_that_do_not_fit_are_refused(X, message):
    """Rows need one finite column per fact."""
    with pytest.raises(ValueError, match=message):
        decide_all(XOR, X)


def test_no_rows_are_no_answers():
    """Zero samples give an array of the shape that any other number would."""
    assert decide_all(XOR, np.zeros((0, 2))).shape == (0, 3)
