"""`gradcheck` on gradients as people write them: no false alarm, none missed, mistakes named in words, none misled."""

import os
import random
import re

import numpy as np
import pytest
from gradient_corpus import all_cases, opaque

from autodiff.testing import WrongDerivativeError, gradcheck

CASES = {case.name: case for case in all_cases()}
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def some(mistakes, n):
    """All of them in the thorough profile; in the others as many, and other ones in every run."""
    return list(mistakes) if THOROUGH else random.sample(list(mistakes), min(n, len(mistakes)))


def test_the_corpus_is_as_large_as_it_should_be():
    """At least 60 functions, 200 mistakes, and three in four of them with words that the diagnosis must find."""
    mistakes = [pattern for case in CASES.values() for pattern in case.mistakes.values()]
    assert len(CASES) == len(all_cases()) >= 60
    assert len(mistakes) >= 200
    assert sum(pattern != "" for pattern in mistakes) >= 0.75 * len(mistakes)


@pytest.mark.parametrize("name", CASES)
def test_right_gradients_pass_and_mistakes_are_named(name):
    """Every mistake is caught; where words are asked for they are found, and where none are, none mislead."""
    case = CASES[name]
    if case.needs:
        pytest.importorskip(case.needs, reason="SciPy is installed in continuous integration")
    f, gradient = case.make("")
    if name in ("elementwise of SciPy", "beta function"):
        pytest.importorskip("scipy", reason="SciPy is installed in continuous integration")
    gradcheck(f, *case.points, gradient=gradient)
    for wrong, pattern in some(case.mistakes.items(), 2):
        f, gradient = case.make(wrong)
        with pytest.raises(WrongDerivativeError) as caught:
            gradcheck(f, *case.points, gradient=gradient)
        said = caught.value.diagnosis.text()
        if pattern:
            assert re.search(pattern, said), f"{wrong}: {said}"
        else:
            assert caught.value.diagnosis.hints == (), f"{wrong}: {said}"


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.records])
def test_the_same_of_functions_of_floats_alone(name):
    """Where no Value and no complex number passes through, differences know; two mistakes of each."""
    case = CASES[name]
    f, gradient = case.make("")
    if name in ("elementwise of SciPy", "beta function"):
        pytest.importorskip("scipy", reason="SciPy is installed in continuous integration")
    gradcheck(opaque(f), *case.points, gradient=gradient)
    for wrong in some([*case.mistakes][:2], 1):
        f, gradient = case.make(wrong)
        with pytest.raises(WrongDerivativeError):
            gradcheck(opaque(f), *case.points, gradient=gradient)


def dense(X, W):
    hidden = X @ W
    return np.sum(np.tanh(hidden) ** 2)


def test_a_diagnosis_is_data_and_text_in_two_languages():
    """Which arguments are right, how many entries are wrong, the hints with kind and details."""
    X, W = np.array([[0.5, -1.0], [0.25, 2.0]]), np.array([[1.0, 0.3], [-0.6, 0.8]])

    def gradient(X, W):
        a = np.tanh(X @ W)
        return 2.0 * a * (1.0 - a**2) @ W.T, X.T @ (2.0 * a)

    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(dense, X, W, gradient=gradient)
    diagnosis = caught.value.diagnosis
    assert diagnosis.right == {"X": True, "W": False}
    assert diagnosis.entries == {"X": (0, 4), "W": (4, 4)}
    assert diagnosis.marks() == "X ✓  W ✗"
    assert diagnosis.hints[0].kind == "left out"
    assert diagnosis.hints[0].of == ("W",)
    assert diagnosis.text().startswith("W: the slope of a = tanh(hidden) is left out of the product: 1 − a²")
    assert diagnosis.text("es").startswith("W: la pendiente de a = tanh(hidden) falta en el producto: 1 − a²")
    assert diagnosis.unexplained == ()
    assert "W ✗" in str(caught.value)


def test_a_hint_whose_mistake_changes_nothing_is_not_given():
    """The slope of a sum is 1: to leave it out explains nothing, least of all a seventh digit."""
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(lambda x, y: (x + y) * y, 2.0, 3.0, gradient=lambda x, y: (y * (1.0 + 1e-6), x + 2.0 * y))
    assert [hint.kind for hint in caught.value.diagnosis.hints] == ["digits"]


def test_two_mistakes_that_give_the_same_numbers_are_both_named():
    """x of x·x: half of the right one, and one of two uses."""
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(lambda x: x * x, 3.0, gradient=lambda x: x)
    assert {"factor", "one use"} <= {hint.kind for hint in caught.value.diagnosis.hints}


def test_a_layer_is_left_as_it_was_found():
    """Neither Values nor complex numbers stay behind in what a layer keeps, running statistics included."""

    class Layer:
        def __init__(self):
            self.seen = np.zeros(2)

        def forward(self, x):
            self.seen = 0.9 * self.seen + 0.1 * x
            self.x = x
            return np.sum(np.sin(x))

    layer = Layer()
    with pytest.raises(WrongDerivativeError):
        gradcheck(layer.forward, np.array([0.5, 0.7]), gradient=lambda x: np.sin(layer.x))
    assert layer.seen.dtype == layer.x.dtype == np.float64
    assert np.all(layer.seen < 0.7)


def test_the_table_beside_other_checkers_is_made_by_a_command():
    """A few functions of the corpus: no false alarm of ours, none missed, all kinks refused."""
    from benchmarks.gradcheck import KINKS, ours, row

    name, alarms, misses, named, kinks, _ = row("ours", lambda: ours, [CASES["neuron"]])
    assert (name, alarms[:4], misses[:4], kinks) == ("ours", "0 of", "0 of", f"{len(KINKS)} refused")
    assert named == f"{len(CASES['neuron'].mistakes)} of {len(CASES['neuron'].mistakes)}"
