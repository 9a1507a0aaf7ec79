"""Where a graph is well conditioned."""

from autodiff import Value
from autodiff.testing.conditioning import well_conditioned


def test_conditioning_is_refused_near_kinks_and_for_steep_paths():
    """The promise of the strategies, as a predicate on graphs."""
    x = Value(0.001)
    assert not well_conditioned(x.relu())
    assert well_conditioned(Value(0.5).relu())
    y = Value(1.0)
    for _ in range(4):
        y = y * 30.0 - 29.0
    assert not well_conditioned(y)
