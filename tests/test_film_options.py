"""The keywords of films."""

import inspect

from autodiff import draw
from autodiff.pictures.graph import Options


def test_the_options_of_a_film_are_those_of_draw():
    """Every keyword of `draw` but the direction, with its type; the defaults stand in `draw` alone."""
    keywords = {name: each.annotation for name, each in inspect.signature(draw).parameters.items() if name != "root"}
    del keywords["direction"]
    assert {name: str(each.__forward_arg__) for name, each in Options.__annotations__.items()} == keywords
