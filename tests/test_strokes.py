"""Where the numbers beside strokes stand."""

from autodiff.pictures import Box
from autodiff.pictures.strokes import Places, Points, Way


def test_a_number_stands_where_nothing_else_is():
    """Beside the middle of its stroke, or as near as units, strokes and other numbers leave room; else nowhere."""
    way = Way([(0.0, 0.0), (100 / 3, 0.0), (200 / 3, 0.0), (100.0, 0.0)], 2.0)
    size = (20.0, 12.0)
    x, y = Places([], Points([way])).free(way, size, 1.0)
    assert abs(x - 50.0) <= 5.0
    assert 7.0 <= y <= 9.0  # clear of its own stroke
    places = Places([Box(50.0, 8.0, 30.0, 20.0)], Points([way]))
    x, _ = places.free(way, size, 1.0)
    assert abs(x - 50.0) >= 25.0
    other, _ = places.free(way, size, 1.0)
    assert abs(other - x) >= 20.0  # not on the first
    across = Way([(50.0, -50.0), (50.0, -10.0), (50.0, 10.0), (50.0, 50.0)], 1.0)
    x, _ = Places([], Points([way, across])).free(way, size, 1.0)
    assert abs(x - 50.0) >= 10.0
    assert Places([Box(50.0, 0.0, 200.0, 100.0)], Points([way])).free(way, size, 1.0) is None
