"""Graphs drawn in text."""

from autodiff import Value
from autodiff.testing.failures import sketch


def test_a_sketch_ends_where_it_would_be_too_long():
    """And says how much more there is."""
    long = Value(1.0)
    for _ in range(100):
        long = long * 1.0
    assert sketch(long).endswith("… and more: 102 nodes in all")
