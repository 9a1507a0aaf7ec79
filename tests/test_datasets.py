"""The data sets are what their sources say: sizes, figures, geometry; and each caller gets arrays of their own."""

import csv
from importlib import resources

import numpy as np
import pytest

import models.datasets
from autodiff import Value, mean
from models.datasets import (
    RELATIONS,
    Dataset,
    apples_and_oranges,
    epic_night,
    exam_monday,
    family_trees,
    family_triples,
    iris,
    line_points,
    mirror_symmetry,
    moons,
    study_sleep_mark,
    xor,
)

ALL = [
    apples_and_oranges, study_sleep_mark, line_points, epic_night, xor, exam_monday, moons, iris, mirror_symmetry,
    family_trees,
]  # fmt: skip


@pytest.mark.parametrize("make", ALL)
def test_a_data_set_is_whole(make):
    """Finite float64 arrays, a target for every row, a name for every column; what a caller changes stays theirs."""
    data = make()
    assert isinstance(data, Dataset)
    assert data.X.dtype == data.y.dtype == np.float64
    assert np.isfinite(data.X).all()
    assert np.isfinite(data.y).all()
    assert len(data.X) == len(data.y)
    assert data.X.shape[1] == len(data.feature_names) == len(set(data.feature_names))
    outputs = data.y.shape[1] if data.y.ndim == 2 else 1
    assert len(data.target_names) in (outputs, int(data.y.max()) + 1)
    if make is not moons:
        data.X[:] = data.y[:] = -1.0
        again = make()
        assert (again.X != -1.0).any()
        assert (again.y != -1.0).any()


def test_every_function_of_the_module_that_gives_data_is_tested_here():
    """A new data set must join the list above."""
    public = {
        f for name, f in vars(models.datasets).items() if getattr(f, "__annotations__", {}).get("return") == "Dataset"
    }
    assert public == set(ALL)


def test_the_golden_run_of_study_sleep_mark():
    """The exercise's 2-3-1 sigmoid net gives the reference's errors at 0, 1 and 1,000 steps, and its prediction."""
    data = study_sleep_mark()
    X, y = data.X, data.y[:, None]
    W1, W2 = np.array([[0.5, -0.5, 0.25], [0.1, 0.2, -0.3]]), np.array([[0.4], [-0.2], [0.3]])

    def forward(X):
        hidden = 1 / (1 + np.exp(-X @ W1))
        return hidden, 1 / (1 + np.exp(-hidden @ W2))

    errors = []
    for _ in range(1001):
        hidden, out = forward(X)
        errors.append(float(((y - out) ** 2).mean()))
        if len(errors) <= 1000:
            delta2 = (out - y) * out * (1 - out)
            delta1 = delta2 @ W2.T * hidden * (1 - hidden)
            W2 -= hidden.T @ delta2
            W1 -= X.T @ delta1
    assert errors[0] == pytest.approx(0.134787897465, abs=1e-12)
    assert errors[1] == pytest.approx(0.099436798016, abs=1e-12)
    assert errors[1000] == pytest.approx(0.001784305295, abs=1e-12)
    assert forward(np.array([[0.5, 1.0]]))[1].item() == pytest.approx(0.939368027852, abs=1e-12)


def test_study_sleep_mark_is_scaled_by_its_columns_maxima():
    """Hours are divided by 3 and 9, marks by 100; (4, 8) becomes (1.333, 0.889)."""
    data = study_sleep_mark()
    np.testing.assert_allclose(data.X, [[2 / 3, 1], [1 / 3, 5 / 9], [1, 6 / 9]], rtol=1e-15)
    np.testing.assert_allclose(data.y, [0.92, 1.0, 0.89], rtol=1e-15)


def test_the_gradient_of_the_line_points_at_zero():
    """At w = 0, b = 0 the mean squared error has ∂w = -35 and ∂b = -12, and at w = 2, b = 1 it is 0."""
    data = line_points()
    w, b = Value(0.0, "w"), Value(0.0, "b")
    mean([(t - (w * x + b)) ** 2 for (x,), t in zip(data.X.tolist(), data.y.tolist(), strict=True)]).backward()
    assert (w.grad, b.grad) == (-35.0, -12.0)
    assert (data.X[:, 0] * 2 + 1).tolist() == data.y.tolist()


def test_truth_tables():
    """AND in the slide's order of rows, XOR in counting order."""
    assert (epic_night().X.tolist(), epic_night().y.tolist()) == ([[0, 0], [1, 0], [0, 1], [1, 1]], [0, 0, 0, 1])
    assert (xor().X.tolist(), xor().y.tolist()) == ([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])


def test_mondays_exam_has_every_weekend_once():
    """All 32 combinations of five facts; nobody unprepared or after an epic night gets a good mark."""
    data = exam_monday()
    assert len({tuple(row) for row in data.X.tolist()}) == 32
    column = dict(zip(data.feature_names, data.X.T, strict=True))
    good = data.y == 1
    assert good.sum() == 9
    assert not good[(column["studied"] == 0) & (column["attended class"] == 0)].any()
    assert not good[(column["video games"] == 1) & (column["pizza"] == 1)].any()
    assert not good[column["early to bed"] == 0].any()


def ordered(X, y):
    table = np.column_stack([y, X])
    return table[np.lexsort(table.T[::-1].round(12))]


@pytest.mark.parametrize("n_samples", [2, 3, 100, 101])
def test_moons_without_noise_are_scikit_learns(n_samples):
    """The same points with the same labels as make_moons, in another order."""
    sklearn = pytest.importorskip("sklearn.datasets", reason="scikit-learn is a development dependency")
    data = moons(n_samples, noise=0, random_state=0)
    np.testing.assert_allclose(
        ordered(data.X, data.y), ordered(*sklearn.make_moons(n_samples, shuffle=False)), atol=1e-12
    )


def test_moons_lie_on_two_half_circles():
    """Every point is at distance 1 from the middle of its own moon, on its own side of it."""
    data = moons(200, noise=0, random_state=1)
    middle = np.where(data.y[:, None] == 0, [0.0, 0.0], [1.0, 0.5])
    np.testing.assert_allclose(np.linalg.norm(data.X - middle, axis=1), 1.0, atol=1e-12)
    side = (data.X - middle)[:, 1] * np.where(data.y == 0, 1, -1)
    assert (side > -1e-12).all()


def test_moons_noise_is_a_standard_deviation():
    """What noise adds has the deviation asked for and mean 0, to within five standard errors of 20,000 numbers."""
    clean, noisy = moons(10_000, noise=0, random_state=5), moons(10_000, noise=0.3, random_state=5)
    assert (clean.y == noisy.y).all()
    added = noisy.X - clean.X
    assert abs(added.mean()) < 5 * 0.3 / np.sqrt(added.size)
    assert added.std() == pytest.approx(0.3, abs=5 * 0.3 / np.sqrt(2 * added.size))


def test_moons_come_mixed_and_repeatable():
    """The same seed gives the same data, another seed or none others; a Generator goes on; classes are mixed."""
    first = moons(random_state=3)
    np.testing.assert_array_equal(first.X, moons(random_state=np.random.default_rng(3)).X)
    assert (first.X != moons(random_state=4).X).any()
    assert (moons().X != moons().X).any()
    going_on = np.random.default_rng(3)
    assert (moons(random_state=going_on).X != moons(random_state=going_on).X).any()
    assert 0 < first.y[:50].sum() < 50


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"n_samples": 1}, ValueError, "n_samples.*2 or more, got 1"),
        ({"n_samples": 2.5}, ValueError, "n_samples.*2.5"),
        ({"noise": -0.1}, ValueError, "noise.*-0.1"),
        ({"noise": float("nan")}, ValueError, "noise.*nan"),
        ({"random_state": -1}, ValueError, "random_state.*-1"),
        ({"random_state": "7"}, TypeError, "random_state.*'7'"),
    ],
)
def test_moons_refuse_bad_input(arguments, kind, message):
    """The message names the argument and its value."""
    with pytest.raises(kind, match=message):
        moons(**arguments)


def test_iris_is_scikit_learns_copy():
    """All 150 rows, labels and species are those of scikit-learn, which follow Fisher's paper."""
    sklearn = pytest.importorskip("sklearn.datasets", reason="scikit-learn is a development dependency")
    theirs = sklearn.load_iris()
    data = iris()
    np.testing.assert_array_equal(data.X, theirs.data)
    np.testing.assert_array_equal(data.y, theirs.target)
    assert list(data.target_names) == list(theirs.target_names)


def test_iris_has_fishers_means_and_not_ucis_errors():
    """The species' means are those Fisher printed; samples 35 and 38 are his, not UCI's copy of them."""
    data = iris()
    means = [data.X[data.y == c].mean(axis=0) for c in range(3)]
    np.testing.assert_allclose(means[0], [5.006, 3.428, 1.462, 0.246], atol=1e-12)
    np.testing.assert_allclose(means[1], [5.936, 2.770, 4.260, 1.326], atol=1e-12)
    np.testing.assert_allclose(means[2], [6.588, 2.974, 5.552, 2.026], atol=1e-12)
    assert data.X[34].tolist() == [4.9, 3.1, 1.5, 0.2]
    assert data.X[37].tolist() == [4.9, 3.6, 1.4, 0.1]


def test_the_iris_file_is_a_plain_table():
    """A header and 150 rows that any tool reads."""
    text = resources.files("models").joinpath("data", "iris.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 150
    assert set(rows[0]) == {"sepal_length", "sepal_width", "petal_length", "petal_width", "species"}


def test_mirror_symmetry_is_all_patterns():
    """All 64 patterns once, and the eight that read the same backward are on."""
    data = mirror_symmetry()
    assert len({tuple(row) for row in data.X.tolist()}) == 64
    assert data.y.sum() == 8
    assert all((row == row[::-1]) == bool(on) for row, on in zip(data.X.tolist(), data.y.tolist(), strict=True))


def test_family_trees_have_104_cases_and_112_triples():
    """The sizes the paper gives: 24 people, 12 relations, 104 (person, relation) pairs, 112 answers."""
    data, triples = family_trees(), family_triples()
    assert (data.X.shape, data.y.shape) == ((104, 36), (104, 24))
    assert len(triples) == len(set(triples)) == 112 == data.y.sum()
    assert len({(person, relation) for person, relation, _ in triples}) == 104
    assert len({tuple(row) for row in data.X.tolist()}) == 104
    assert (data.X[:, :24].sum(axis=1) == 1).all()
    assert (data.X[:, 24:].sum(axis=1) == 1).all()
    assert data.feature_names == (*data.target_names, *RELATIONS)


def test_rows_and_triples_say_the_same():
    """Read back by their column names, the rows are the triples."""
    data = family_trees()
    people = np.array(data.target_names)
    read = {
        (people[x[:24] == 1][0], np.array(RELATIONS)[x[24:] == 1][0], str(answer))
        for x, y in zip(data.X, data.y, strict=True)
        for answer in people[y == 1]
    }
    assert read == set(family_triples())


def test_the_two_families_are_isomorphic():
    """Renaming the English people into the Italian ones, in their order, turns one half into the other."""
    data = family_trees()
    renamed = dict(zip(data.target_names[:12], data.target_names[12:], strict=True))
    triples = set(family_triples())
    english = {t for t in triples if t[0] in renamed}
    assert len(english) == 56
    assert {(renamed[a], relation, renamed[b]) for a, relation, b in english} == triples - english


def test_the_family_of_the_papers_figure():
    """What Fig. 2 and the text say: Colin's uncles and aunts, parents, children, and who has none."""
    answers = {}
    for person, relation, answer in family_triples():
        answers.setdefault((person, relation), set()).add(answer)
    assert answers["Colin", "aunt"] == {"Jennifer", "Margaret"}
    assert answers["Colin", "uncle"] == {"Arthur", "Charles"}
    assert answers["Colin", "sister"] == {"Charlotte"}
    assert answers["Victoria", "father"] == {"Christopher"}
    assert answers["Andrew", "son"] == {"James"}
    assert answers["Charles", "niece"] == {"Charlotte"}
    assert answers["Alfonso", "mother"] == {"Lucia"}
    assert ("Christopher", "father") not in answers
    assert ("James", "uncle") not in answers


INVERSES = [
    ({"father", "mother"}, {"son", "daughter"}),
    ({"husband"}, {"wife"}),
    ({"uncle", "aunt"}, {"nephew", "niece"}),
    ({"brother", "sister"}, {"brother", "sister"}),
]


@pytest.mark.parametrize(("there", "back"), INVERSES, ids=lambda names: "/".join(sorted(names)))
def test_every_relation_has_its_inverse(there, back):
    """If Colin has an uncle Arthur, then Arthur has a nephew Colin; and so for every relation, both ways."""
    pairs = {(a, b) for a, relation, b in family_triples() if relation in there}
    assert pairs
    assert {(b, a) for a, relation, b in family_triples() if relation in back} == pairs
