"""Names of nodes in a picture, their groups by dotted label, and which leaves are parameters."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, cast

from autodiff.domains import is_array, unbox
from autodiff.pictures.style import Role, shorten
from autodiff.pictures.sweeping import Use
from autodiff.value import Value
from autodiff.wording import say

MAX_DEPTH = 4  # groups inside groups; further dots are part of the name

_STEP = re.compile(r"[^\W\d]\w*(\[[^\[\].]*\])*")  # of a path: like a Python name, unlike "x=0.5"
_NUMBERED = re.compile(r"(layer|neuron)([0-9]+)")  # of a model's labels
_PARAMETER = re.compile(r"(weights?|bias(es)?|w|b|θ|theta|β|beta)[_\d]*(\[[^\[\].]*\])*", re.IGNORECASE)


class Labels:
    """Names and groups of the nodes of a graph."""

    def __init__(
        self, nodes: Iterable[Value], names: Mapping[str, Any] | None = None, parameters: Iterable[Value] | None = None
    ) -> None:
        self._found = {} if names is None else variable_names(set(nodes), names)
        self._paths: dict[str, tuple[str, ...]] = {}  # many nodes share a label
        self._parameters = None if parameters is None else _values(parameters)

    def full(self, node: Value) -> str:
        """Return the whole label, else the name of the caller's variable, else ""."""
        return node.label if node.label.strip() else self._found.get(node, "")

    def path(self, node: Value) -> tuple[str, ...]:
        """Return the steps of a dotted label, the node's own name last; empty for a node without a label."""
        label = self.full(node)
        found = self._paths.get(label)
        if found is None:
            found = self._paths[label] = split(label)
        return found

    def name(self, node: Value) -> str:
        """Return the last step, the name of a node inside its groups."""
        path = self.path(node)
        return path[-1] if path else ""

    def call(self, node: Value) -> str:
        """Return the name of a node in sentences: its label, else its operation, else its value."""
        return shorten(self.full(node)) or (f"({node.op.name})" if node.op is not None else repr(node.data))

    def role(self, node: Value) -> Role:
        """Return whether a node is an operation, a parameter or an input."""
        if node.op is not None:
            return "operation"
        if self._parameters is not None:
            return "parameter" if node in self._parameters else "input"
        return "parameter" if _PARAMETER.fullmatch(self.name(node)) else "input"

    def alike(self, edges: Iterable[Use]) -> Iterator[list[tuple[Value, list[Use]]]]:
        """Yield parameters of a group, and named inputs of none, that the same nodes use, in order of their places."""
        used: defaultdict[Value, list[Use]] = defaultdict(list)
        for use in edges:
            steps = len(self.path(use.operand))
            if (steps > 1 and self.role(use.operand) == "parameter") or (steps == 1 and use.operand.op is None):
                used[use.operand].append(use)
        groups: defaultdict[Any, list[tuple[Value, list[Use]]]] = defaultdict(list)
        for node, own in used.items():
            groups[self.path(node)[:-1], *(use.consumer for use in own)].append((node, own))
        for several in groups.values():
            yield sorted(several, key=lambda each: each[1][0].place)


def split(label: str) -> tuple[str, ...]:
    """Split a dotted label into a path; any other text is one step.

    >>> split("layer1.neuron2.z"), split("x = 0.5"), split("a.b.c.d.e.f"), split(" ")
    (('layer1', 'neuron2', 'z'), ('x = 0.5',), ('a', 'b', 'c', 'd', 'e.f'), ())
    """
    if not label.strip():
        return ()
    if "." not in label:
        return (label,)
    steps = label.split(".", MAX_DEPTH)
    return tuple(steps) if all(map(_STEP.fullmatch, label.split("."))) else (label,)


def titled(path: Sequence[str]) -> str:
    """Return a path as titles and frames have it: a model's `layer1` and `neuron2` speak the language in force.

    >>> from autodiff.wording import speaking
    >>> with speaking("es"):
    ...     titled(("layer1", "neuron2")), titled(("encoder", "w")), titled(())
    ('capa 1, neurona 2', 'encoder.w', '')
    """
    found = [_NUMBERED.fullmatch(step) for step in path]
    said = [say(f"network.{each[1]}", n=each[2]) if each else step for each, step in zip(found, path, strict=True)]
    return (say("network.within") if any(found) else ".").join(said)


def variable_names(nodes: set[Value], names: Mapping[str, Any]) -> dict[Value, str]:
    """Return the first variable that holds each node: `w`, and `w[1]` in lists, tuples, dicts and object arrays."""
    if not isinstance(names, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] # callers need not be typed
        raise TypeError(f"names must map names to variables, got {type(names).__name__}; pass names=locals()")
    found: dict[Value, str] = {}
    for name, content in names.items():
        if isinstance(name, str) and not name.startswith("_"):  # pyright: ignore[reportUnnecessaryIsInstance]
            for key, value in _inside(content, name, 3):
                if value in nodes:
                    found.setdefault(value, key)
    return found


def _inside(content: Any, name: str, depth: int) -> Iterator[tuple[str, Value]]:
    content = unbox(content)
    if isinstance(content, Value):
        yield name, content
    elif depth and isinstance(content, (list, tuple, dict)):
        held = cast("dict[Any, Any] | list[Any] | tuple[Any, ...]", content)
        for key, each in held.items() if isinstance(held, dict) else enumerate(held):
            yield from _inside(each, f"{name}[{key!r}]", depth - 1)
    elif is_array(content) and content.dtype.kind == "O":
        for place in product(*map(range, content.shape)):
            yield from _inside(content[place], f"{name}[{', '.join(map(str, place))}]", 0)


def _values(parameters: Iterable[Any]) -> set[Value]:
    given: list[Any] = list(parameters) if hasattr(parameters, "__iter__") else [None]
    if not all(isinstance(each, Value) for each in given):
        raise TypeError(f"parameters must be Values, got {parameters!r}; pass parameters=mlp.parameters()")
    return set(given)
