"""Labels of pictures: paths with dots."""

from hypothesis import given
from hypothesis import strategies as st

from autodiff.pictures.labels import split


def test_dots_make_a_path_where_every_step_is_like_a_name():
    """Numbers, formulas and sentences with dots in them stay what they are."""
    assert split("layer1.neuron2.weight3") == ("layer1", "neuron2", "weight3")
    assert split("w[0].x[1, 2]") == ("w[0]", "x[1, 2]")
    assert split("ñandú.δ_1") == ("ñandú", "δ_1")
    for label in ("3.14", "x = 0.5", "a..b", ".a", "a.", "the end.", "a.b c", "a.1"):
        assert split(label) == (label,)
    assert split("") == split(" \n") == ()
    assert len(split("a." * 5_000 + "b")) == 5


@given(st.text())
def test_a_path_keeps_every_character(label):
    """Joined again it is the label."""
    assert ".".join(split(label)) == (label if label.strip() else "")
