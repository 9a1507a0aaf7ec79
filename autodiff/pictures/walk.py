"""stepper: one HTML file that walks through a computation, first forward, then δ backward, node by node.

The page needs no network and loads nothing: a strict content-security policy allows its own script and style, by hash,
and nothing else. Everything from the graph is data, put on the page as text.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack, overload

from autodiff.backward import topological_order
from autodiff.explanations.flow import Flow
from autodiff.functions import mean
from autodiff.pictures import rendering, style, webpage
from autodiff.pictures.effort import TOO_FAR, ranks_crossed
from autodiff.pictures.labels import Labels
from autodiff.pictures.script import graphs
from autodiff.pictures.steps import Steps
from autodiff.pictures.sweeping import uses
from autodiff.value import Value
from autodiff.wording import LANGUAGES, language_of, say, speaking

_DIGITS = range(1, 18)
_MAX_NODES = 2_000
_HEIGHT = 720  # pixels of the frame in a notebook
_SCRIPTS = ("engine.js", "elements.js", "live.js", "graph.js", "walk.js", "panel.js", "control.js")  # joined into one


class _Options(TypedDict, total=False):
    parameters: Iterable[Value] | None
    learning_rate: float
    title: str | None
    names: Mapping[str, Any] | None  # Any: as below
    digits: int
    max_nodes: int
    timeout: float
    language: str | None


@overload
def stepper(root: Value | Sequence[Value], path: None = None, **options: Unpack[_Options]) -> webpage.WebPage: ...
@overload
def stepper(root: Value | Sequence[Value], path: str | os.PathLike[str], **options: Unpack[_Options]) -> Path: ...
def stepper(
    root: Value | Sequence[Value],
    path: str | os.PathLike[str] | None = None,
    *,
    parameters: Iterable[Value] | None = None,
    learning_rate: float = 0.1,
    title: str | None = None,
    names: Mapping[str, Any] | None = None,  # Any: names=locals() holds whatever it holds
    digits: int = 4,
    max_nodes: int = _MAX_NODES,
    timeout: float = rendering.TIMEOUT,
    language: str | None = None,
) -> webpage.WebPage | Path:
    """Return a page that walks through the computation of `root`; with a `path`, write it and return its path.

    Buttons, a slider and the arrow keys go step by step: forward, a value at a time; then backward, with the δ
    contributions that arrive at each node and their sum; then the update w ← w − α·∂root/∂w of the `parameters`, with
    α the `learning_rate`, and the resulting loss. A click on a node, or focus, shows its value, δ and chain-rule sum
    with numbers. The page is complete in itself: it opens without a network, on a phone too, and a notebook shows the
    WebPage that is returned without a path.

    The page computes: type or drag the number of a leaf, or an input of a neuron, and values, δ and loss follow; α has
    a slider; "Next iteration" takes the step and goes on from there for as long as you like, with the loss as a curve.
    A list of losses, one per sample, is walked through sample by sample, or all of them: their mean. So is a `root`
    that is a sum over samples.

    `parameters` are the leaves to update, by default those that `draw` takes for parameters by their labels;
    `names=locals()` names nodes without a label after your variables. `title` is that of the page; numbers have
    `digits` significant digits; `language` is "en" or "es", by default that of `set_language`. Nothing is swept or
    changed: δ is that of a fresh sweep from `root`.

    Raises TypeError when `root` or a parameter is not a Value; ValueError for a suffix that is not .html or .htm, an
    option out of range, a parameter that `root` does not depend on, and a graph of more than `max_nodes` nodes;
    FileNotFoundError when the folder does not exist; RenderError when there is no Graphviz to place the nodes, or not
    within `timeout` seconds.

    >>> import tempfile
    >>> x, w = Value(2.0, "x"), Value(-3.0, "w")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = stepper((w * x - 1.0) ** 2, f"{folder}/backprop.html")
    ...     page.name, page.read_text()[:15]
    ('backprop.html', '<!doctype html>')
    """
    language = language_of(language)
    words = _words(language)
    root, losses = _one(root, words)
    if path is not None:
        path, _ = rendering.target(path, webpage.SUFFIXES)
    real = isinstance(learning_rate, numbers.Real) and learning_rate.__class__ is not bool  # pyright: ignore[reportUnnecessaryComparison]
    if not (real and 0.0 < learning_rate < math.inf):
        raise ValueError(f"learning_rate must be a finite number above 0, got {learning_rate!r}")
    if digits.__class__ is not int or digits not in _DIGITS:
        raise ValueError(f"digits must be a whole number from 1 to 17, got {digits!r}")
    if max_nodes.__class__ is not int or max_nodes < 1:
        raise ValueError(f"max_nodes must be a whole number of at least 1, got {max_nodes!r}")
    if not (title is None or isinstance(title, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"title must be text, got {type(title).__name__} {title!r}")
    flow = Flow(root)
    if len(flow.order) > max_nodes:
        raise ValueError(
            f"the graph must have at most max_nodes={max_nodes:,} nodes, got {len(flow.order):,}; step through a "
            "smaller part, such as one sample or one of the operands, or raise max_nodes"
        )
    edges = [use for node in reversed(flow.order) for use in uses(node)]
    if max_nodes <= _MAX_NODES and ranks_crossed(edges) > TOO_FAR:
        raise ValueError(
            "the edges of this graph are so long, as if one parameter served a long chain, that placing them may take "
            f"minutes; step through a smaller part, or try all the same with max_nodes={_MAX_NODES + 1} or more and a "
            "longer timeout"
        )
    chosen = list(parameters) if isinstance(parameters, Iterable) else parameters
    labels = Labels(flow.order, names, chosen)
    for each in chosen or ():
        if each not in flow.delta or each.op is not None:
            what = "was computed" if each.op is not None else "the root was not computed from"
            raise ValueError(f"parameters must be leaves of the graph, got {each.label or repr(each)!r}, which {what}")
    with speaking(language):
        steps = Steps(flow, labels, digits, timeout, losses)
        data = steps.data() | {"rate": float(learning_rate)}
    heading = words["title"].format(name=style.shorten(labels.full(root)) or words["result"])
    page = _page(heading if title is None else title, steps.rules, data, {language: words})
    return page if path is None else page.save(path)


def _one(root: Value | Sequence[Value], words: Mapping[str, Any]) -> tuple[Value, list[Value]]:
    """Return the end of the computation, of several losses their mean, and those losses."""
    losses: list[Value] = []
    if isinstance(root, (list, tuple)) and len(root) > 1 and {isinstance(loss, Value) for loss in root} == {True}:  # pyright: ignore[reportUnnecessaryIsInstance]
        losses = list(root)
        root = mean(losses)
        root.label = words["meanOf"].format(name=losses[0].label) if losses[0].label else words["mean"]
    if not isinstance(root, Value):
        raise TypeError(f"root must be the Value at the end of a computation, got {type(root).__name__} {root!r}")
    return root, losses


def _words(language: str) -> dict[str, Any]:
    return {**say.section("roles", language), **say.section("stepper", language)}


def _page(title: str, rules: str, data: Mapping[str, Any], words: Mapping[str, Mapping[str, Any]]) -> webpage.WebPage:
    return webpage.WebPage.assembled(
        webpage.FOLDER, "walk", _SCRIPTS, title=title, data=data, words=words, height=_HEIGHT, first=rules
    )


def stepper_parts(roots: Iterable[Value]) -> tuple[webpage.WebPage, list[list[dict[str, Any]]]]:  # Any: what JSON takes
    """Return the stepper without a computation, for a page to fill, and what it tells of each node of these graphs.

    The graphs are those of `page_engine(roots)`, with the same rules, nodes in the same order: formulas of an operation
    and of its local derivatives, and names, as trees. Its data is empty; without layouts it places the cards
    itself.

    >>> shell, ((z, a),) = stepper_parts([Value(0.5, "z").tanh()])
    >>> z["name"], a["definition"], ">{}<" in shell.html
    (('mi', 'z'), ('mrow', ('mi', 'tanh'), ('mrow', ('mo', '('), ('mrow', ('mi', 'z')), ('mo', ')'))), True)
    """
    orders = [topological_order(root)[::-1] for root in roots]
    _, rules = graphs(orders)
    told: list[list[dict[str, Any]]] = []
    for order in orders:
        flow = Flow(order[-1])
        flow.order = order
        steps = Steps(flow, Labels(order, None, None), 4, 0.0)
        told.append([steps.node(node) for node in order])
    return _page("", rules, {}, {each: _words(each) for each in LANGUAGES}), told
