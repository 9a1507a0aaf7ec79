"""A graph seen from further off: units (neurons, layers, inputs) and the links between them.

A unit holds the nodes whose dotted labels share a path (`layer1.neuron2.z`, `layer1.neuron2.bias`), or those of one
undotted label. An operation without a label joins the unit of its parameters, an activation that of its operand, and
any other the unit of its consumers, if that is one unit.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from autodiff.pictures.labels import Labels
from autodiff.pictures.style import Role
from autodiff.pictures.sweeping import Use
from autodiff.value import Value

# ("path", "layer1", "neuron2"), ("label", "C"), ("constant", consumers' path, place), ("node", n)
Key = tuple[Any, ...]

_ACTIVATIONS = frozenset({"relu", "leaky_relu", "tanh", "sigmoid", "softplus", "step"})


@dataclass(eq=False)
class Unit:
    """Nodes that are drawn as one, or the numbers of plain inputs."""

    key: Key
    nodes: list[Value] = field(default_factory=list[Value])
    constants: list[float] = field(default_factory=list[float])
    width: int = 0  # constants read at once
    readers: int = 0  # readers of each
    wide: bool = False  # whether it is a layer, with many outputs at once

    @property
    def path(self) -> tuple[str, ...]:
        """The dotted path that its nodes share, or ()."""
        return self.key[1:] if self.key[0] == "path" else ()

    @property
    def operations(self) -> list[Value]:
        """The nodes in it that compute."""
        return [node for node in self.nodes if node.op is not None]


class Link(NamedTuple):
    """A link from one unit to another: uses of its nodes, or weights of plain inputs."""

    source: Unit
    target: Unit
    uses: list[Use]
    weights: list[float]
    parameters: dict[Value, None]  # the Values among the weights


class Units(NamedTuple):
    """All units in their order within columns, all links, and the unit of the result."""

    units: list[Unit]
    links: list[Link]
    root: Unit

    def outputs(self, labels: Labels) -> dict[Unit, list[Value]]:
        """Return the outputs of each unit: one node, or those of one label over many samples."""
        used: dict[Unit, set[Value]] = {unit: set() for unit in self.units}
        for link in self.links:
            used[link.source].update(use.operand for use in link.uses)
        found: dict[Unit, list[Value]] = {}
        for unit, nodes in used.items():
            inner = {x for node in unit.nodes for x in node.operands if isinstance(x, Value)}
            last = [node for node in unit.operations if node not in inner]  # of a unit that nothing uses
            outputs = [node for node in unit.nodes if node in nodes] or last or unit.nodes[:1]
            found[unit] = alike(outputs, labels) if unit.key[0] == "path" and not unit.wide else outputs
        return found


def alike(nodes: list[Value], labels: Labels) -> list[Value]:
    """Return the first node and those with its label."""
    return [node for node in nodes if labels.full(node) == labels.full(nodes[0])]


def neurons(nodes: Sequence[Value], labels: Labels) -> Units:
    """Group nodes in topological order into units of one path each."""
    return _linked(nodes, labels, _keys(nodes, labels))


def layers(nodes: Sequence[Value], labels: Labels) -> Units:
    """Group nodes into layers: those that share a path except for its last step, and all inputs of a layer."""
    fine = _keys(nodes, labels)
    key_of: dict[Value, Key] = {}
    for node, key in fine.items():
        if key[0] == "path":
            key_of[node] = key[:-1] if len(key) > 2 else key
        elif node.op is None:
            key_of[node] = ("inputs",)
        else:
            key_of[node] = key
    return _linked(nodes, labels, key_of, together=True)


def role_of(unit: Unit, labels: Labels) -> Role:
    """Return the role in which a unit is drawn."""
    if not unit.nodes:
        return "input"
    return "operation" if unit.operations else labels.role(unit.nodes[0])


def sums_of(unit: Unit) -> list[Value]:
    """Return the weighted sums of a neuron or layer, which have the course's δ."""
    if not unit.path:
        return []
    return [node for node in unit.operations if node.op.name == "weighted_sum"]


def _keys(nodes: Sequence[Value], labels: Labels) -> dict[Value, Key]:
    """Return the unit of every node."""
    keys: dict[Value, Key] = {}
    for node in reversed(nodes):  # operands first
        path = labels.path(node)
        key = _by_operands(node, keys) if not path else ("path", *path[:-1]) if len(path) > 1 else None
        if key is not None:
            keys[node] = key
        elif path:
            keys[node] = ("label", path[0], labels.role(node))
    keys.setdefault(nodes[0], ("node", 0))
    users: dict[Value, set[Key]] = {}
    for i, node in enumerate(nodes):  # consumers first
        if node not in keys:
            found = users[node]
            keys[node] = next(iter(found)) if len(found) == 1 and node.op is not None else ("node", i)
        for x in node.operands:
            if x.__class__ is not float and x not in keys:
                users.setdefault(x, set()).add(keys[node])
    return keys


def _by_operands(node: Value, keys: dict[Value, Key]) -> Key | None:
    """Return the path of an operation without a label: that of its parameters or, for an activation, its operand."""
    leaves = [keys[x] for x in node.operands if x.__class__ is not float and x.op is None and x in keys]
    owned = {key for key in leaves if key[0] == "path"}
    if len(owned) == 1:
        return owned.pop()
    if node.op is not None and node.op.name in _ACTIVATIONS:
        key = keys.get(node.operands[0])
        return key if key is not None and key[0] == "path" else None
    return None


class _Linking:
    """Units and links in the making."""

    def __init__(self, labels: Labels, key_of: dict[Value, Key], *, together: bool) -> None:
        self.labels, self.key_of, self.together = labels, key_of, together
        self.units: dict[Key, Unit] = {}
        self.links: dict[tuple[Key, Key], Link] = {}
        self.readers: dict[Unit, set[Any]] = {}

    def unit(self, key: Key) -> Unit:
        return self.units.setdefault(key, Unit(key))

    def link(self, source: Key, target: Key) -> Link:
        if (source, target) not in self.links:
            self.links[source, target] = Link(self.unit(source), self.unit(target), [], [], {})
        return self.links[source, target]

    def meet(self, node: Value) -> None:
        """Add a node, with its uses of nodes in other units and of plain inputs."""
        key, operands = self.key_of[node], node.operands
        half = len(operands) // 2 if node.op is not None and node.op.name == "weighted_sum" else 0
        for place, (x, partial) in enumerate(zip(operands, node.partials, strict=True)):
            if x.__class__ is not float and self.key_of[x] != key:
                there = self.link(self.key_of[x], key)
                there.uses.append(Use(x, node, place, partial))
                there.weights.append(partial)
                if half <= place < 2 * half and operands[place - half].__class__ is not float:
                    there.parameters[operands[place - half]] = None
        if half and all(x.__class__ is float for x in operands[half : 2 * half]):
            for place in range(half):
                self.plain_input(node, place, operands[place], operands[half + place])
        self.unit(key).nodes.append(node)

    def plain_input(self, node: Value, place: int, weight: Any, x: float) -> None:
        """Add a plain number that a neuron weights; the same place in all neurons of a layer is one unit."""
        key = self.key_of[node]
        there = self.link(("constants", key[:-1] if len(key) > 2 else key, 0 if self.together else place), key)
        there.source.constants.append(x)
        there.source.width = max(there.source.width, place + 1)
        self.readers.setdefault(there.source, set()).add(self.labels.full(node) or node)
        there.weights.append(weight if weight.__class__ is float else weight.data)
        if weight.__class__ is not float:
            there.parameters[weight] = None


def _linked(nodes: Sequence[Value], labels: Labels, key_of: dict[Value, Key], *, together: bool = False) -> Units:
    linking = _Linking(labels, key_of, together=together)
    for node in reversed(nodes):
        linking.meet(node)
    for source, found in linking.readers.items():
        source.readers = len(found)
    units = linking.units
    for each in units.values():
        each.wide = together
        each.nodes.reverse()  # results first, as they came
    return Units(_ordered(units.values(), nodes, key_of), list(linking.links.values()), units[key_of[nodes[0]]])


def _ordered(units: Iterable[Unit], nodes: Sequence[Value], key_of: dict[Value, Key]) -> list[Unit]:
    """Sort units with a path by name, the others in the order in which operations take them."""
    met: dict[Key, int] = {}
    for node in reversed(nodes):
        for x in node.operands:
            if x.__class__ is not float:
                met.setdefault(key_of[x], len(met))
    return sorted(units, key=lambda unit: (not unit.path, [*map(natural, unit.path)], met.get(unit.key, len(met))))


def natural(text: str) -> list[tuple[bool, Any]]:
    """Return a key that sorts `neuron2` before `neuron10`."""
    return [(part.isdecimal(), int(part) if part.isdecimal() else part) for part in re.split(r"(\d+)", text)]


def ranks(units: Units) -> dict[Unit, int]:
    """Return the column of each unit: one more than the furthest it depends on, but by a link that closes a cycle."""
    sources: dict[Unit, list[Unit]] = {unit: [] for unit in units.units}
    for link in units.links:
        sources[link.target].append(link.source)
    rank: dict[Unit, int] = {}
    open_: set[Unit] = set()
    for start in (units.root, *units.units):
        stack: list[tuple[Unit, Iterator[Unit]]] = []
        if start not in rank:
            open_.add(start)
            stack.append((start, iter(sources[start])))
        while stack:
            unit, rest = stack[-1]
            for other in rest:
                if other not in rank and other not in open_:
                    open_.add(other)
                    stack.append((other, iter(sources[other])))
                    break
            else:
                stack.pop()
                rank[unit] = 1 + max((rank[other] for other in sources[unit] if other in rank), default=-1)
    return rank
