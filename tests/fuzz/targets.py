"""What is fuzzed. A target raises whatever is not documented; AssertionError when a promise is broken."""

# ruff: noqa: PT017 # no test but what a test calls: any exception may come or not

from __future__ import annotations

import copy
import decimal
import fractions
import functools
import hashlib
import json
import math
import operator
import os
import pickle
import re
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock
from xml.etree import ElementTree as ET

import numpy as np

from autodiff import OPS, DomainError, LostLimitWarning, Value, draw, grad, no_grad, pictures, topological_order
from autodiff.pictures import placing
from models import MLP
from models.checkpoints import CheckpointError, load_parameters, save_parameters
from models.training import train
from tests.fuzz.source import Source

Target = Callable[[bytes], None]


class Hostile:
    """An object that refuses to be looked at."""

    def __float__(self) -> float:
        raise TypeError("no")

    def __repr__(self) -> str:
        return "<Hostile>"


def anything(source: Source, depth: int = 0) -> Any:
    """What a person might hand in where a number is meant."""
    kind = source.below(26)
    if kind < 6:
        return source.float()
    if kind < 18:
        x = source.float()
        whole = int(x) if math.isfinite(x) else 7
        return (
            whole,
            whole**3,
            bool(whole % 2),
            np.float64(x),
            np.float32(whole % 1000),
            np.int64(whole % 2**62),
            np.uint8(whole % 256),
            np.bool_(whole % 2),
            np.longdouble(x),
            np.array(x),
            fractions.Fraction(whole, 1 + abs(whole % 97)),
            decimal.Decimal(repr(x)),
        )[kind - 6]
    if kind == 18 or depth > 2:
        return source.text()
    if kind == 19:
        return source.choice(
            (None, Ellipsis, NotImplemented, object(), Hostile(), Value, len, b"1", bytearray(b"2"), {1})
        )
    if kind == 20:
        return complex(source.float(), source.float())
    if kind == 21:
        return Value(source.float(), source.text(3))
    items = [anything(source, depth + 1) for _ in range(source.below(3))]
    if kind == 22:
        return items
    if kind == 23:
        return tuple(items)
    if kind == 24:
        return dict.fromkeys(map(str, items))
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def constructor(data: bytes) -> None:
    """Value(x, label): one real number, or TypeError, or OverflowError for an integer beyond the floats."""
    source = Source(data)
    x, label = anything(source), source.choice((source.text(), "", anything(source)))
    try:
        value = Value(x, label)
    except TypeError as error:
        assert not (type(x) is float and type(label) is str), error
        return
    except OverflowError:
        assert isinstance(x, (int, fractions.Fraction))
        return
    except ValueError as error:  # a Decimal that signals
        assert isinstance(x, decimal.Decimal), error
        return
    assert type(value.data) is float
    assert value.label == label
    assert isinstance(label, str)
    assert value.grad == 0.0
    assert not value.swept
    assert repr(value).startswith("Value(")
    assert f"{value:.3g}" == f"{value.data:.3g}"
    again = pickle.loads(pickle.dumps(value))
    assert again.label == label
    assert again.data == value.data or math.isnan(value.data)
    value.backward() if math.isfinite(value.data) else None


INFIX = (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow)
UNARY = [op for op in OPS.values() if op.arity == 1]
SEVERAL = [op for op in OPS.values() if op.arity != 1]
REFUSED = (TypeError, DomainError, OverflowError)  # OverflowError: an integer beyond the floats


def program(source: Source, *, labels: bool = False) -> list[Any]:
    """Build a graph step by step; refused steps leave no trace."""
    nodes: list[Any] = [Value(source.float(), source.text() if labels else "") for _ in range(1 + source.below(3))]
    for _ in range(source.below(12)):
        kind = source.below(8)
        try:
            if kind < 3:
                pair = [source.choice(nodes), source.choice(nodes) if source.byte() % 2 else source.float()]
                made = source.choice(INFIX)(*(pair if source.byte() % 2 else pair[::-1]))
            elif kind < 5:
                made = source.choice(UNARY)(source.choice(nodes))
            elif kind < 7:
                op = source.choice(SEVERAL)
                count = source.below(6) if op.arity is None else op.arity
                made = op(*(source.choice((*nodes, 0.5, source.float())) for _ in range(count)))
            else:
                made = source.choice(INFIX)(source.choice(nodes), anything(source))
        except REFUSED:
            continue
        if isinstance(made, Value):
            if labels and source.byte() % 2:
                made.label = source.text()
            nodes.append(made)
    return nodes


def leaves_of(root: Value) -> list[Value]:
    return [node for node in topological_order(root) if node.op is None]


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def told(target: Target) -> Target:
    """A target for which our own warning, that a limit may be lost, is an answer like any other."""

    @functools.wraps(target)
    def run(data: bytes) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LostLimitWarning)
            target(data)

    return run


@told
def operators(data: bytes) -> None:
    """Any program is recorded or refused; swept twice it adds the same again; copies and pickles are the same graph."""
    source = Source(data)
    root = program(source)[-1]
    order = topological_order(root)
    place = {id(node): i for i, node in enumerate(order)}
    for node in order:
        assert type(node.data) is float
        assert len(node.operands) == len(node.partials)
        for x, partial in zip(node.operands, node.partials, strict=True):
            assert type(partial) is float
            if isinstance(x, Value):
                assert place[id(node)] < place[id(x)]
            else:
                assert type(x) is float
                assert partial == 0.0
    with no_grad():
        assert not (root * 2.0).operands
    try:
        root.backward()
    except ValueError:
        assert not math.isfinite(root.data)
        return
    leaves = leaves_of(root)
    once = [x.grad for x in leaves]
    root.backward()
    assert all(same(x.grad, 2.0 * g) for x, g in zip(leaves, once, strict=True))
    for twin in (copy.deepcopy(root), pickle.loads(pickle.dumps(root))):
        assert [(x.data, x.partials) for x in topological_order(twin)] == [(x.data, x.partials) for x in order] or any(
            map(math.isnan, (y for x in order for y in (x.data, *x.partials)))
        )
    try:
        root.backward(create_graph=True)
    except (DomainError, RuntimeError):  # no second derivative here; "changed data" where rounding is that coarse
        return
    assert all(isinstance(x.grad, Value) for x in order)
    for x in order:
        x.grad = 0.0


@told
def transforms(data: bytes) -> None:
    """grad of any such program as a function gives a float, or a documented error, and touches nobody's grad."""

    def f(x: Any) -> Any:
        source = Source(data[1:])
        nodes = program(source)
        return nodes[-1] * x if source.byte() % 2 else source.choice(UNARY)(x)

    try:
        slope = grad(f)(Source(data).float())
    except (DomainError, TypeError, ValueError):  # DomainError is a ValueError: an infinite or NaN value
        return
    assert type(slope) is float


def labels(data: bytes) -> None:
    """A label is text, whatever it says: it comes back, and messages and reprs carry it."""
    source = Source(data)
    text = source.text(20)
    x = Value(source.float(), text)
    assert x.label == text
    assert repr(text) in repr(x) or not text
    assert copy.copy(x).label == copy.deepcopy(x).label == text
    try:
        OPS["log"](x)
    except DomainError as error:
        assert not text or repr(text) in str(error)
    try:
        x.label = anything(source)
    except TypeError:
        assert x.label == text


QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
ATTRIBUTE = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|<|[\w.+-]+)', re.DOTALL)


def html_labels(text: str) -> list[str]:
    """The HTML-like strings of a DOT text, by counting brackets as Graphviz does."""
    found, plain, at = [], QUOTED.sub(lambda m: '"' + "_" * (len(m.group()) - 2) + '"', text), 0
    while (at := plain.find("=<", at)) >= 0:
        depth, end = 0, at + 1
        while True:
            depth += {"<": 1, ">": -1}.get(text[end], 0)
            end += 1
            if depth == 0:
                break
        found.append(text[at + 2 : end - 1])
        at = end
    return found


@told
def dot(data: bytes) -> None:
    """A picture of any graph with any labels is DOT: as many statements as nodes and edges, labels that are XML."""
    source = Source(data)
    root = program(source, labels=True)[-1]
    if source.byte() % 2 and math.isfinite(root.data):
        root.backward()
    detail = source.choice(("operations", None, "neurons", "layers"))
    options = {"rankdir": source.choice(("LR", "TB")), "digits": 1 + source.below(17)}
    text = draw(root, detail=detail, **options).source
    assert text.isprintable() or all(c in "\n\t" or c.isprintable() or ord(c) > 127 for c in text)
    text.encode()  # no lone surrogates
    for label in html_labels(text):
        ET.fromstring(f"<x>{label}</x>")
    bare = QUOTED.sub("_", text)
    assert '"' not in bare
    if detail == "operations":
        nodes = topological_order(root)
        # Every statement stands on a line of its own, so a label that broke out would add lines.
        declared = re.findall(r"^\t+n\d+(?:c\d+)? \[", text, re.MULTILINE)
        constants = sum(type(x) is float for node in nodes for x in node.operands)
        assert len(declared) == len(nodes) + constants


def svg(data: bytes) -> None:
    """Such a picture goes through Graphviz to an image that a browser takes."""
    source = Source(data)
    ET.fromstring(draw(program(source, labels=True)[-1]).pipe("svg"))


class Tags(HTMLParser):
    """The elements of a page and their attributes' names, in order; and the text of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[Any] = []
        self.scripts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.tags.append((tag, [name for name, _ in attrs]))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts.append(data)


class Unplaced(NamedTuple):
    """A layout that takes no time: everything in one corner, wires nowhere."""

    width: float
    height: float
    nodes: Mapping[str, Any]
    edges: Mapping[str, Any]
    clusters: Mapping[str, Any]

    def in_order(self, *_: Any, **__: Any) -> Unplaced:
        return self


def unplaced(picture: Any, **_: Any) -> Unplaced:
    """In place of Graphviz; what it would have been given carries nothing of the user's text."""
    assert PLAIN.fullmatch(picture.source), picture.source
    return Unplaced(1.0, 1.0, defaultdict(lambda: (0.0, 0.0, 1.0, 1.0)), {}, {})


PLAIN = re.compile(r'(?:[\w ,.;:=>{}\[\]\n-]|"(?:0|\\n)*"|"e\d+_\d+")*')


def page(root: Value, title: str | None = None) -> Tags:
    return Tags(pictures.stepper(root, FOLDER / "page.html", title=title).read_text(encoding="utf-8"))


@functools.cache
def template() -> list[Any]:
    """The elements of a page on which nobody wrote anything."""
    return page(Value(1.0)).tags


def stepper(data: bytes) -> None:
    """A page has the elements of its template and no other, whatever labels say; what it carries is JSON."""
    source = Source(data)
    root = program(source, labels=True)[-1]
    try:
        found = page(root, source.choice((None, source.text())))
    except ValueError:
        assert not math.isfinite(root.data)
        return
    assert found.tags == template()
    (carried,) = (json.loads(script) for script in found.scripts if script.startswith('{"nodes"'))
    assert len(carried["nodes"]) == len(topological_order(root))


def html(data: bytes) -> None:
    """The same without Graphviz, which takes a hundred times as long over a page as all the rest."""
    with mock.patch.object(placing, "layout", unplaced):
        stepper(data)


FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-", dir=next(filter(os.path.isdir, ["/dev/shm"]), None)))
PREFIX = 48


def signed(header: bytes, payload: bytes) -> bytes:
    """A file whose checksums are right, whatever the header says."""
    start = b"\x89DAD\r\n\x1a\n" + (1).to_bytes(4, "little") + len(header).to_bytes(4, "little")
    return start + hashlib.sha256(header).digest() + header + payload


def damaged(source: Source, contents: bytes) -> bytes:
    """A valid file with bytes changed, cut, doubled; or its header rewritten, and signed anew."""
    if source.byte() % 3:
        for _ in range(1 + source.below(4)):
            at, kind = source.below(len(contents) + 1), source.byte() % 4
            piece = source.bytes(8)
            if kind == 0:
                contents = contents[:at] + piece + contents[at + len(piece) :]
            elif kind == 1:
                contents = contents[:at]
            elif kind == 2:
                contents = contents[:at] + piece + contents[at:]
            else:
                contents = contents[:at] + contents[at + len(piece) :]
        return contents
    length = int.from_bytes(contents[12:16], "little")
    header, payload = json.loads(contents[PREFIX : PREFIX + length]), contents[PREFIX + length :]
    places: list[tuple[Any, Any]] = []
    queue: list[Any] = [header]
    while queue:
        box = queue.pop()
        for key in list(box) if isinstance(box, dict) else range(len(box)):
            places.append((box, key))
            if isinstance(box[key], (dict, list)):
                queue.append(box[key])
    for _ in range(1 + source.below(3)):
        box, key = source.choice(places)
        values = (
            None,
            True,
            0,
            1,
            -1,
            2**31,
            2**62,
            10**30,
            0.5,
            1e308,
            source.float(),
            "",
            source.text(),
            [],
            {},
            [[]],
        )
        try:
            box[key] = source.choice(values)
        except (IndexError, KeyError):
            continue
    if source.byte() % 2:
        header["sha256"] = hashlib.sha256(payload).hexdigest()
    try:
        text = json.dumps(header).encode()
    except UnicodeEncodeError:
        text = json.dumps(header, ensure_ascii=True).encode()
    return signed(text, payload)


def network() -> MLP:
    return MLP(1, [2, 1], activation="tanh", random_state=0)


def _saved() -> tuple[Path, bytes, list[float]]:
    path, net = FOLDER / "net.weights", network()
    save_parameters(path, net)
    return path, path.read_bytes(), [p.data for p in net.parameters()]


def checkpoint(data: bytes) -> None:
    """A damaged file is refused and changes nothing; what is loaded is the file's own numbers, bit for bit."""
    source = Source(data)
    path, original, weights = SAVED
    contents = damaged(source, original)
    path.write_bytes(contents)
    net = network()
    for p in net.parameters():
        p.data = 0.125
    try:
        load_parameters(path, net)
    except CheckpointError as error:
        assert contents != original, error
        assert all(p.data == 0.125 for p in net.parameters())
        return
    length = int.from_bytes(contents[12:16], "little")
    assert contents[PREFIX + length :] == original[-8 * len(weights) :]
    assert [p.data for p in net.parameters()] == weights


def _run() -> tuple[Path, bytes]:
    path = FOLDER / "run.checkpoint"
    train(network(), [[0.0], [1.0]], [0.0, 1.0], epochs=2, random_state=0, checkpoint=path)
    return path, path.read_bytes()


def run_checkpoint(data: bytes) -> None:
    """A damaged training run is refused before training and leaves the weights as they were, or is the run it was."""
    source = Source(data)
    path, original = RUN
    contents = damaged(source, original)
    path.write_bytes(contents)
    net = network()
    before = [p.data for p in net.parameters()]
    try:
        train(net, [[0.0], [1.0]], [0.0, 1.0], epochs=2, random_state=0, checkpoint=path)
    except CheckpointError as error:
        assert contents != original, error
        assert [p.data for p in net.parameters()] == before


SAVED, RUN = _saved(), _run()

# With the share of the cases that each one gets.
TARGETS: dict[str, tuple[Target, float]] = {
    "constructor": (constructor, 0.2),
    "operators": (operators, 0.3),
    "transforms": (transforms, 0.1),
    "labels": (labels, 0.17),
    "dot": (dot, 0.03),
    "html": (html, 0.02),
    "checkpoint": (checkpoint, 0.15),
    "run_checkpoint": (run_checkpoint, 0.05),
    # Graphviz takes a hundred times as long over a case as all the others.
    "svg": (svg, 0.0003),
    "stepper": (stepper, 0.0003),
}
