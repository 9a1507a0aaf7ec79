"""Which samples are held out to validate with."""

import numpy as np
import pytest

from models._sklearn_contract import held_out


def test_every_class_has_its_share_held_out_and_stays_to_train_on():
    """Shares within one sample, exact where they are whole; the one sample of a class is never held out."""
    y = np.array([0, 1, 2, 0, 0, 0, 1, 1, 1])
    of_class = []
    for seed in range(60):
        held = held_out(y, 0.5, np.random.default_rng(seed), stratified=True)
        assert held.sum() == 5
        assert set(y[~held]) == {0, 1, 2}
        of_class.append(np.bincount(y[held], minlength=3).tolist())
    assert {tuple(each) for each in of_class} == {(2, 3, 0), (3, 2, 0)}  # no class is always favoured
    labels = np.repeat([0, 1], [10, 90])
    draws = [held_out(labels, 0.1, np.random.default_rng(s), stratified=True) for s in range(20)]
    assert all(np.bincount(labels[held]).tolist() == [1, 9] for held in draws)
    plain = [held_out(labels, 0.1, np.random.default_rng(s), stratified=False) for s in range(20)]
    assert len({held[:10].sum() for held in plain}) > 1
    one_each = np.sum([held_out(np.repeat([0, 1, 2], 2), 0.1, np.random.default_rng(s), stratified=True)
                       for s in range(300)], axis=0)  # fmt: skip
    assert (one_each > 25).all()  # each of the six 50 times of 300, give or take 6.5
    with pytest.raises(ValueError, match="holds out 2 of 4 samples, and leaves none to train on of some of the 3 cl"):
        held_out(np.array([0, 0, 1, 2]), 0.5, np.random.default_rng(0), stratified=True)
