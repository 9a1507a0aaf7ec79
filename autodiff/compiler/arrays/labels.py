"""Names of arrays, from the labels of their nodes: those that a reader of the text looks for."""

from __future__ import annotations

import re
from collections.abc import Sequence


def common_label(labels: Sequence[str]) -> str:
    """Return the label of a group whose members' labels differ by numbers alone; "" where they differ in more.

    >>> [common_label(x) for x in (["layer1.neuron1.z", "layer1.neuron2.z"], ["w1", "w2"], ["alpha", "beta"])]
    ['layer1.neuron.z', 'w', '']
    >>> common_label(["layer1.neuron1.z", "layer2.neuron1.z"])  # no layer has both
    ''
    """
    paths = [re.sub(r"\[([0-9]+)\]", r"_\1", label).split(".") for label in labels]
    if len(set(map(len, paths))) > 1:
        return ""
    shared: list[str] = []
    for column in zip(*paths, strict=True):
        stems = {stem(part) for part in column}
        alike = len(set(column)) == 1
        if len(stems) > 1 or (not alike and (stems == {"layer"} or not stems - {""})):
            return ""
        shared.append(column[0] if alike else stems.pop())
    return ".".join(shared)


def name_from(label: str) -> str:
    """Return a short name: layer1.neuron2.weight3 → W1, layer2.neuron1.z → z2, neuron1.z → z1; else the label."""
    *path, last = label.split(".")
    base = {"weight": "W", "bias": "b"}.get(stem(last), "")
    layer = next((m[1] for part in path if (m := re.fullmatch(r"layer([0-9]+)", part))), "")
    if layer and stem(last):
        return (base or stem(last)) + layer
    number = re.findall(r"[0-9]*$", path[-1])[0] if path else ""
    if path and stem(last) and (stem(path[-1]) == "neuron" or (base and number)):
        return (base or last) + number
    return label


def stem(name: str) -> str:
    """Return the name without the number at its end."""
    return re.sub(r"(_?[0-9]+)*$", "", name).rstrip("_")
