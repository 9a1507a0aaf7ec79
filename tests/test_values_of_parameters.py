"""Setting the numbers of parameters: all of them or none."""

import pytest

from autodiff import Value
from models._values import assign


def test_numbers_that_cannot_all_be_set_set_none():
    """One that is no number, or one too few: every parameter has what it had."""
    parameters = [Value(1.0), Value(2.0)]
    for numbers, error in (([7.0, "8"], TypeError), ([7.0], ValueError)):
        with pytest.raises(error):
            assign(parameters, numbers)
        assert [p.data for p in parameters] == [1.0, 2.0]
