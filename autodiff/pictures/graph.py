"""The graph of a Value as a picture: `draw` checks its options and chooses the detail.

The result is DOT text, the same for the same graph.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, TypedDict, Unpack, get_args

from autodiff.backward import topological_order
from autodiff.functions import total
from autodiff.pictures import style
from autodiff.pictures.effort import TOO_FAR, ranks_crossed
from autodiff.pictures.labels import Labels
from autodiff.pictures.layered import layered
from autodiff.pictures.network import network
from autodiff.pictures.operations import Direction, Look, RankDir, arrangement, operations
from autodiff.pictures.picture import Picture
from autodiff.pictures.scene import Scene
from autodiff.pictures.style import FONT_SIZE, NumberFormat, ThemeName, shorten
from autodiff.pictures.summary import summary
from autodiff.pictures.sweeping import State, recorded, uses
from autodiff.pictures.units import Units, layers, neurons
from autodiff.value import Value
from autodiff.wording import say, speaking

Detail = Literal["operations", "neurons", "layers"]
MAX_DIGITS = 17  # enough to distinguish any two floats

_MAX_NODES = 2_000  # by default; whoever raises it wants to see everything, however long that takes
_WIDE, _HIGH = 1_600.0, 1_000.0  # points of the room by default
_SMALLEST = 7.0  # points of ordinary text in a picture that is scaled down to its room by default
_CARD = 300.0 * 150.0  # square points of a layer with the space around it
_AT_ONCE = 50_000  # nodes; grouping more takes seconds, and happens only on request
_MAX_STROKES = 20_000  # links between neurons; more of them, or of layers, make no picture
_MAX_LAYERS = 300
_TOLD = 8  # nodes in the picture's words


def draw(
    root: Any,  # Any: a Value, several, or a model, which this package does not know
    X: Any = None,  # Any: samples as an array, a list or a data frame, and a word
    *,
    detail: Detail | None = None,
    direction: Direction | None = None,
    rankdir: RankDir = "LR",
    theme: ThemeName = "light",
    digits: int = 4,
    number_format: NumberFormat | None = None,
    names: Mapping[str, Any] | None = None,  # Any: names=locals() holds whatever it holds
    parameters: Iterable[Value] | None = None,
    max_nodes: int = _MAX_NODES,
    max_neurons: int | None = 16,
    legend: bool = True,
    width: float | None = None,
    height: float | None = None,
    aspect: float | None = None,
    font_size: float = 13.0,
    language: str | None = None,
) -> Picture:
    """Draw what `root` was computed from, and how δ flows back through it: a `graphviz.Digraph`.

    A node shows its label, operation, value and δ (`grad`; "δ –" in a dashed frame while no sweep has reached it).
    Grey edges lead forward, from operand to result, with the local partial ∂result/∂operand. Coloured edges lead
    backward with the gain in δ, δ·∂: blue above 0, orange below, and wider the larger it is compared with the largest
    in the picture. Infinities and NaN are crimson. Dots in labels make groups inside groups.

    Leaves are parameters (square corners) if the last step of their label is weight, bias, w, b, theta or beta, with
    or without a number, else inputs (round); `parameters`, such as `mlp.parameters()`, names them instead. Constants
    are small and grey.

    `detail` is "operations", "neurons" or "layers", by default the closest that fits the room. "operations"
    shows every node. "neurons" draws the nodes of one dotted path as a circle with its output and the δ of its
    weighted sum, in columns; strokes are the weights, and δ·w backward; the middle of columns longer than
    `max_neurons` is left out (None: never). "layers" shows one card per layer with shapes and norms. A graph of more
    than `max_nodes` nodes, constants included, that has no groups is summed up in one card that says how to see more;
    so is, unless `detail` is given, one of more than 50,000 nodes, or with very long edges, as if one weight served a
    hundred steps.

    `direction` chooses the edges: "forward", "backward" or "both" (by default both, once there is a δ to show);
    `rankdir` is "LR" or "TB", left to right or top down; `theme` "light" or "dark". Numbers have `digits` significant
    digits, or are written by `number_format`: a specification such as ".3f" or a function from a float to text.
    `names=locals()` names nodes without a label after the variables that hold them, also in lists and dicts.
    `legend=False` leaves the legend out.

    `width` and `height` are the room in points, 1,600 and 1,000 where nothing is given. The detail is chosen to fit it,
    and a picture of operations without groups that is longer goes on in further rows, as text does in lines: what is
    used in another row appears there once more, dashed, with its name or a number that both have. `aspect` chooses as
    many rows as come near to it, such as 16/9. A picture still too large for the room is scaled down to it. Ordinary
    text has `font_size` points, and all else changes with it.

    Legend, tooltips and the picture in words are in the `language` "en" or "es", by default that of `set_language`.

    `root` may also be several Values in a list, or a model: whatever has `parameters()` and can be called on a sample.
    `draw(model, x)` draws the outputs for a sample, `draw(model, X)` for several rows, and `draw(model)`, if it has
    `n_inputs`, the network and its weights alone, without numbers that it does not have yet.

    Raises TypeError when `root` is none of these, ValueError for an unknown option.

    >>> x = Value(3.0, "x")
    >>> y = x * x
    >>> y.backward()
    >>> picture = draw(y)
    >>> picture.source.count("->")  # x is used twice, and δ flows back twice
    4
    """
    arguments = locals()
    with speaking(language):
        settled = plan(**arguments)
        picture = settled.scene().picture()
        picture.alt = settled.alt()
    return picture


class Options(TypedDict, total=False):
    """The options of `draw` for `frames` and `animate`; the defaults are those of `draw`."""

    detail: Detail | None
    rankdir: RankDir
    theme: ThemeName
    digits: int
    number_format: NumberFormat | None
    names: Mapping[str, Any] | None
    parameters: Iterable[Value] | None
    max_nodes: int
    max_neurons: int | None
    legend: bool
    width: float | None
    height: float | None
    aspect: float | None
    font_size: float
    language: str | None


class Plan(NamedTuple):
    """A settled drawing: it makes the scene for any state of the sweep."""

    nodes: Sequence[Value]
    look: Look
    state: State
    units: Units | None
    detail: Literal["operations", "neurons", "layers", "summary"]
    size: int
    message: str  # of a summary, in the language in force
    room: tuple[float, float]  # width and height, in points before any change of the font's size
    rows: Mapping[Value, int]  # of a picture of operations
    options: Any  # those of draw
    crowded: bool = False  # whether there is a summary because nothing else fits the room

    @property
    def whole(self) -> bool:
        """Whether all of it is wanted, however large that is."""
        return self.options.max_nodes > _MAX_NODES

    def alt(self) -> str:
        """Return the picture in words: the result, then δ of what has a name, nearest first."""
        labels, show = self.look.labels, self.look.show
        root = self.nodes[0]
        if self.look.blank:
            return say("alt.blank")
        named = [node for node in self.nodes[1:] if labels.full(node) and node in self.state.deltas]
        of = [(shorten(labels.full(node)), show(self.state.deltas[node])) for node in named[:_TOLD]]
        told = [say("alt.delta", name=name, delta=delta) for name, delta in of]
        rest = [say("alt.more", n=len(named) - _TOLD)] if len(named) > _TOLD else []
        return "; ".join([f"{labels.call(root)} = {show(root.data)}", *told, *rest])

    def scene(self, state: State | None = None) -> Scene:
        """Return the scene for a state of the sweep, by default that of `grad`."""
        state, given = self.state if state is None else state, self.options
        if self.detail == "operations":
            scene = operations(self.nodes, state, self.look, self.rows)
        elif self.units is None:
            scene = summary(self.nodes, self.size, state, self.look, self.message)
        elif self.detail == "neurons":
            scene = network(self.units, state, self.look, given.max_neurons, self.room)
        else:
            scene = layered(self.units, state, self.look, self.room)
        if not given.legend and self.detail != "summary":
            scene.legend = ""
        width, height = given.width, given.height
        if given.detail is None and self.detail != "summary" and not self.whole:
            width, height = width or _WIDE, height or _HIGH
        return scene.fitted(given.font_size / FONT_SIZE, width, height)


def roots_of(root: Any, X: Any) -> list[Value]:
    """Return the Values to draw: one, several, or the outputs of a model for each sample of X."""
    found: Any = root
    if isinstance(X, (str, PathLike)):
        raise TypeError(f"X must be a sample or rows of samples, got {X!r}; write a picture by draw(C).save_as({X!r})")
    if _is_model(root):
        if X is None and not isinstance(getattr(root, "n_inputs", None), int):
            raise TypeError(f"{root!r} must have n_inputs to be drawn without a sample; pass one, draw(model, x)")
        if X is not None and not (len(X) if hasattr(X, "__len__") else True):
            raise ValueError("X must be a sample or rows of samples, got none; draw(model) shows the network alone")
        rows: Any = [0.0] * root.n_inputs if X is None else X.tolist() if hasattr(X, "tolist") else list(X)
        outputs: list[Any] = [root(row) for row in (rows if hasattr(rows[0], "__len__") else [rows])]
        found = [each for some in outputs for each in (some if hasattr(some, "__len__") else [some])]
    elif X is not None:
        raise TypeError(
            f"X must come with a model that is called on it, got {type(root).__name__} {root!r} for one; draw(C) shows "
            "what C was computed from"
        )
    several: list[Any] = (list(found) if hasattr(found, "__len__") else []) or [found]
    if not all(isinstance(each, Value) for each in several):
        raise TypeError(
            "root must be the Value at the end of a computation, several of them, or a model, got "
            f"{type(root).__name__} {root!r}{'; pass its network()' * hasattr(root, 'network')}"
        )
    return several


def _is_model(root: Any) -> bool:
    return callable(root) and callable(getattr(root, "parameters", None))


def plan(root: Any, X: Any = None, *, direction: Direction | None = None, **options: Unpack[Options]) -> Plan:
    """Check the arguments of `draw`, with its defaults for the rest, and choose the detail."""
    chosen: Any = SimpleNamespace(**(draw.__kwdefaults__ or {}) | options)
    max_nodes, max_neurons = chosen.max_nodes, chosen.max_neurons
    roots = roots_of(root, X)
    blank = _is_model(root) and X is None
    if blank and chosen.detail == "operations":
        raise ValueError('detail="operations" needs a sample to compute with, got none; pass one, draw(model, x)')
    parameters = root.parameters() if _is_model(root) and chosen.parameters is None else chosen.parameters
    known = {"detail": Detail, "direction": Direction, "rankdir": RankDir, "theme": ThemeName}
    given = {"detail": chosen.detail, "direction": direction, "rankdir": chosen.rankdir, "theme": chosen.theme}
    for option, value in given.items():
        if not (value is None and option in {"detail", "direction"}):
            _check(option, value, get_args(known[option]))
    _check("digits", chosen.digits, range(1, MAX_DIGITS + 1))
    _at_least("max_nodes", max_nodes, 1)
    if max_neurons is not None:
        _at_least("max_neurons", max_neurons, 2)
    show = style.formatter(chosen.digits, chosen.number_format)
    brief = style.brief_formatter(chosen.digits, chosen.number_format)
    nodes: list[Value] = topological_order(roots[0] if len(roots) == 1 else total(roots))[len(roots) > 1 :]
    labels = Labels(nodes, chosen.names, parameters)
    state = recorded(nodes)
    size = len(nodes) + sum(x.__class__ is float for node in nodes for x in node.operands)
    if direction is None:
        direction = "both" if any(use.consumer in state.deltas for node in nodes for use in uses(node)) else "forward"
    look = Look(style.THEMES[chosen.theme], show, brief, direction, chosen.rankdir, labels, blank)
    for option in ("width", "height", "aspect", "font_size"):
        value = getattr(chosen, option)
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and 0.0 < value < math.inf
        if not (number or (value is None and option != "font_size")):
            what = "above 0, such as 16/9" if option == "aspect" else "of points above 0"
            raise ValueError(f"{option} must be a number {what}, got {value!r}")
    zoom = chosen.font_size / FONT_SIZE
    room = (chosen.width or _WIDE) / zoom, (chosen.height or _HIGH) / zoom
    return _chosen(Plan(nodes, look, state, None, "summary", size, "", room, {}, chosen))


def _chosen(plan: Plan) -> Plan:
    """Return the plan with its detail, and what that needs; with a message if it is only a summary."""
    nodes, look, size, room, given = plan.nodes, plan.look, plan.size, plan.room, plan.options
    computed, given_so = (
        any(len(look.labels.path(node)) > 1 for node in nodes if (node.op is None) == leaf) for leaf in (False, True)
    )
    grouped = look.blank or computed or given_so
    slack = max(given.font_size / _SMALLEST, 1.0)  # by which it may be scaled down
    near = plan.whole or ranks_crossed([use for node in nodes for use in uses(node)]) <= TOO_FAR
    if given.detail in {"operations", None} and size <= given.max_nodes and (given.detail or near) and not look.blank:
        down, ours = look.rankdir == "TB", not (given.detail or given.width or given.height)
        # Across, a picture that was asked for may be as long as it takes.
        limits = room[0] if given.width or not down else math.inf, room[1] if given.height or down else math.inf
        found = arrangement(nodes, plan.state, look, room if ours else limits, given.aspect)
        excess = max(found.width / room[0], found.height / room[1])
        asked = given.detail or plan.whole or (not grouped and (given.width or given.height or given.aspect))
        if asked or excess <= (1.0 if computed else slack):
            return plan._replace(detail="operations", rows=found.rows)
    if given.detail in {"neurons", "layers"} or (given.detail is None and grouped and size <= _AT_ONCE):
        units = neurons(nodes, look.labels)
        if given.detail != "layers" and len(units.links) <= _MAX_STROKES:
            pins = network(units, plan.state, look, given.max_neurons, room).pins
            if given.detail or (pins and pins.width <= room[0] and pins.height <= room[1]):
                return plan._replace(detail="neurons", units=units)
        units = layers(nodes, look.labels)
        fits = len(units.units) * _CARD <= slack**2 * room[0] * room[1] or given.width or given.height
        if given.detail != "neurons" and len(units.units) <= _MAX_LAYERS and (fits or given.detail):
            return plan._replace(detail="layers", units=units)
    if not (near or grouped or given.detail or size > given.max_nodes):
        return plan._replace(message=say("summary.long edges"))
    if size <= given.max_nodes and not given.detail:
        return plan._replace(message=say("summary.too large", size=size), crowded=True)
    return plan._replace(message=say("summary.too many and groups" if grouped else "summary.too many", size=size))


def _check(option: str, value: Any, known: Any) -> None:
    if value not in [each for each in known if each.__class__ is value.__class__]:  # 4.0 and True are not digits
        raise ValueError(f"{option} must be one of {', '.join(map(repr, known))}, got {value!r}")


def _at_least(option: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{option} must be a whole number of at least {least}, got {value!r}")


def bundle(value: Any, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None) -> dict[str, Any]:
    """Return what Jupyter shows for a Value: its repr, and its graph where a picture can be made and shown."""
    text = {"text/plain": repr(value)}
    if not _shows_pictures():
        return text
    return {**draw(value)._repr_mimebundle_(include, exclude), **text}  # pyright: ignore[reportPrivateUsage]


def _shows_pictures() -> bool:
    """Tell whether this IPython, if it is one, shows more than text."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is None or "image/svg+xml" in shell.display_formatter.active_types
