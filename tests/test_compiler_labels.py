"""Names of the readable text, from labels."""

import pytest

from autodiff.compiler.arrays.labels import name_from


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("encoder.weight", "encoder.weight"), ("layer1.neuron3.1", "layer1.neuron3.1"), ("layer2.neuron3.weight1", "W2"),
        ("neuron3.bias", "b3"), ("neuron1.1", "neuron1.1"), ("layer٣.z", "layer٣.z"), ("", ""), (".", "."), ("w1", "w1"),
    ],
)  # fmt: skip
def test_names_of_layers_and_neurons_follow_the_course(label, name):
    """W2 and b3 where a label says so; any other label stays as it is."""
    assert name_from(label) == name
