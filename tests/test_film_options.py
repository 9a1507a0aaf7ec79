"""The keywords of films."""

import inspect

from autodiff import draw
from autodiff.pictures.graph import Options


def test_the_options_of_a_film_are_those_of_draw():
    """Every keyword-only argument of `draw` but the direction, with its type; the defaults stand in `draw` alone."""
    found = inspect.signature(draw).parameters.items()
    keywords = {name: each.annotation for name, each in found if each.kind is each.KEYWORD_ONLY}
    del keywords["direction"]
    assert {name: str(each.__forward_arg__) for name, each in Options.__annotations__.items()} == keywords
