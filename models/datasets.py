"""The course's data, as NumPy arrays: its exercises and truth tables, the 1986 paper's two tasks, moons and iris.

Every function returns a `Dataset` with arrays of its own: changing them changes nothing here.

>>> data = epic_night()
>>> for (games, pizza), good in zip(data.X.tolist(), data.y.tolist()):
...     print(games, pizza, good)
0.0 0.0 0.0
1.0 0.0 0.0
0.0 1.0 0.0
1.0 1.0 1.0
"""

from __future__ import annotations

import csv
from importlib import resources
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models import _checks as check
from models._checks import Seed

RELATIONS = (
    "father", "mother", "husband", "wife", "son", "daughter",
    "uncle", "aunt", "brother", "sister", "nephew", "niece",
)  # fmt: skip


class Dataset(NamedTuple):
    """Inputs `X` of shape (n_samples, n_features), targets `y`, and what the columns are called."""

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]


def apples_and_oranges() -> Dataset:
    """Return the course's first exercise: yields of two fruits from the weather of five regions.

    X is (5, 3): temperature (°F), rainfall (mm), humidity (%); y is (5, 2): apples, oranges (tons per hectare).

    >>> data = apples_and_oranges()
    >>> data.X.shape, data.y.shape, data.target_names
    ((5, 3), (5, 2), ('apples', 'oranges'))
    """
    return Dataset(
        np.array([[73, 67, 43], [91, 88, 64], [87, 134, 58], [102, 43, 37], [69, 96, 70]], dtype=np.float64),
        np.array([[56, 70], [81, 101], [119, 133], [22, 37], [103, 119]], dtype=np.float64),
        ("temperature", "rainfall", "humidity"),
        ("apples", "oranges"),
    )


def study_sleep_mark() -> Dataset:
    """Return the course's second exercise: the mark of an exam from the hours studied and slept.

    X is (3, 2): hours studied and slept, each divided by its largest value, 3 and 9; y is (3,): the mark / 100. The
    question asked is a student of (4, 8) hours. The source divides that by its own maximum, which gives (0.5, 1);
    divided like the other rows it is (1.333, 0.889).

    >>> data = study_sleep_mark()
    >>> (data.X * [3, 9]).tolist(), (data.y * 100).tolist()
    ([[2.0, 9.0], [1.0, 5.0], [3.0, 6.0]], [92.0, 100.0, 89.0])
    """
    hours = np.array([[2, 9], [1, 5], [3, 6]], dtype=np.float64)
    marks = np.array([92, 100, 89], dtype=np.float64)
    return Dataset(hours / hours.max(axis=0), marks / 100, ("hours studied", "hours slept"), ("mark",))


def line_points() -> Dataset:
    """Return the four points (1, 3), (2, 5), (3, 7), (4, 9) of the line y = 2x + 1: X is (4, 1), y is (4,).

    >>> line_points().y.tolist()
    [3.0, 5.0, 7.0, 9.0]
    """
    return Dataset(np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([3.0, 5.0, 7.0, 9.0]), ("x",), ("y",))


def epic_night() -> Dataset:
    """Return the truth table of the course's «Noche épica»: it takes video games AND pizza.

    X is (4, 2), rows 00, 10, 01, 11 as on the slide; y is (4,). With w = (4, 5) and b = -6 the weighted sums are
    -6, -2, -1, 3.
    """
    X = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=np.float64)
    return Dataset(X, X.min(axis=1), ("video games", "pizza"), ("epic night",))


def xor() -> Dataset:
    """Return the truth table of XOR, rows 00, 01, 10, 11: what no single neuron can decide. X is (4, 2), y is (4,).

    >>> xor().y.tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    X = _bits(2)
    return Dataset(X, X.sum(axis=1) % 2, ("x1", "x2"), ("x1 xor x2",))


def exam_monday() -> Dataset:
    """Return the course's «Conocimiento jerarquizado» as a truth table: who gets a good mark in Monday's exam.

    X is (32, 5), every combination of five facts about the weekend; y is (32,), 1 for a good mark. It takes somebody
    prepared, who studied or attended class, and rested, who went to bed early and had no epic night (video games and
    pizza). `models.hierarchy.MONDAY_EXAM` decides the same by neurons that feed neurons.

    >>> int(exam_monday().y.sum())
    9
    """
    X = _bits(5)
    games, pizza, studied, attended, early = X.astype(bool).T
    good_mark = (studied | attended) & (early & ~(games & pizza))
    names = ("video games", "pizza", "studied", "attended class", "early to bed")
    return Dataset(X, good_mark.astype(np.float64), names, ("good mark",))


def moons(n_samples: int = 100, noise: float = 0.1, random_state: Seed = None) -> Dataset:
    """Draw two half circles of radius 1 that reach into each other, in random order: a task for curved borders.

    X is (n_samples, 2); y is (n_samples,), 0 on the upper moon, about (0, 0), and 1 on the lower, about (1, 0.5), which
    has the odd sample. `noise` is the standard deviation of what is added to each coordinate; 0 puts the points on
    the half circles, evenly spaced from end to end. `random_state` is an int, a `numpy.random.Generator` or None.

    Raises ValueError for fewer than 2 samples or noise below 0; TypeError or ValueError for another random_state.

    >>> data = moons(200, noise=0.1, random_state=0)
    >>> data.X.shape, np.bincount(data.y.astype(int)).tolist(), data.target_names
    ((200, 2), [100, 100], ('upper', 'lower'))
    """
    check.whole("n_samples", n_samples, least=2)
    check.not_negative("noise", noise)
    random = check.random_generator(random_state)
    y = np.repeat([0.0, 1.0], [n_samples // 2, n_samples - n_samples // 2])
    angles = np.concatenate([np.linspace(0, np.pi, n_samples // 2), np.linspace(0, np.pi, n_samples - n_samples // 2)])
    upper = np.column_stack([np.cos(angles), np.sin(angles)])
    X = np.where(y[:, None] == 0, upper, [1.0, 0.5] - upper)
    X = X + random.normal(0.0, noise, X.shape)
    order = random.permutation(n_samples)
    return Dataset(X[order], y[order], ("x1", "x2"), ("upper", "lower"))


def iris() -> Dataset:
    """Return Fisher's iris (1936): 150 flowers of three species, 50 each, in the order of his table.

    X is (150, 4): length and width of sepal and petal, in cm; y is (150,), an index into `target_names`. The numbers
    are those of Fisher's paper, of R and of scikit-learn; UCI's copy differs in samples 35 and 38 (counted from 1).

    >>> data = iris()
    >>> data.X[0].tolist(), data.target_names[int(data.y[0])]
    ([5.1, 3.5, 1.4, 0.2], 'setosa')
    """
    names, *rows = _rows("iris.csv")
    species = tuple(dict.fromkeys(row[-1] for row in rows))
    X = np.array([[float(number) for number in row[:-1]] for row in rows])
    y = np.array([float(species.index(row[-1])) for row in rows])
    return Dataset(X, y, tuple(name.replace("_", " ") for name in names[:-1]), species)


def mirror_symmetry() -> Dataset:
    """Return the 1986 paper's first task (Fig. 1): to tell which rows of six bits are their own mirror image.

    X is (64, 6), every pattern of zeros and ones; y is (64,), 1 for the eight that are symmetric about the middle.

    >>> data = mirror_symmetry()
    >>> data.X[data.y == 1][3].tolist()
    [0.0, 1.0, 1.0, 1.0, 1.0, 0.0]
    """
    X = _bits(6)
    mirrored = (X[:, ::-1] == X).all(axis=1)
    return Dataset(X, mirrored.astype(np.float64), tuple(f"bit{i}" for i in range(1, 7)), ("mirror",))


def family_trees() -> Dataset:
    """Return the 1986 paper's second task (Figs 2-4): a person and a relation in, all persons so related out.

    X is (104, 36), one case (person, relation) per row: 24 columns of which one is 1 for the person, 12 of which one
    is 1 for the relation; y is (104, 24), 1 for each person who answers, 112 in all ("Colin has aunt" has two).
    Columns are named in `feature_names` and `target_names`, the English family before the Italian one.

    >>> data = family_trees()
    >>> data.X.shape, int(data.y.sum())
    ((104, 36), 112)
    """
    triples = family_triples()
    people = tuple(dict.fromkeys(person for person, _, _ in triples))
    cases = list(dict.fromkeys((person, relation) for person, relation, _ in triples))
    X, y = np.zeros((len(cases), len(people) + len(RELATIONS))), np.zeros((len(cases), len(people)))
    for row, (person, relation) in enumerate(cases):
        X[row, [people.index(person), len(people) + RELATIONS.index(relation)]] = 1.0
    for person, relation, answer in triples:
        y[cases.index((person, relation)), people.index(answer)] = 1.0
    return Dataset(X, y, (*people, *RELATIONS), people)


def family_triples() -> list[tuple[str, str, str]]:
    """Return the facts that the two families' marriages and children imply: (person, relation, answer), 112 of them.

    ("Colin", "aunt", "Jennifer") reads "Colin has aunt Jennifer". Uncles and aunts include those by marriage.

    >>> [answer for person, relation, answer in family_triples() if (person, relation) == ("Colin", "aunt")]
    ['Jennifer', 'Margaret']
    """
    return [(person, relation, answer) for person, relation, answer in _rows("families.csv")[1:]]


def _bits(n: int) -> NDArray[np.float64]:
    """Return every row of n zeros and ones, counting up."""
    return np.array(list(product((0.0, 1.0), repeat=n)))


def _rows(name: str) -> list[list[str]]:
    """Return the rows of a table in the folder `data`, of which the first names the columns."""
    text = resources.files("models").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.reader(text.splitlines()))
