"""The sweep in motion: one picture for each step, or all of them in one file that plays."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack, overload

from autodiff.errors import RenderError
from autodiff.pictures import film, gif, rendering
from autodiff.pictures.geometry import layout
from autodiff.pictures.graph import Options, Plan, plan
from autodiff.pictures.labels import titled
from autodiff.pictures.legends import without_pointing
from autodiff.pictures.picture import Picture
from autodiff.pictures.scene import Scene
from autodiff.pictures.style import font, markup, shorten
from autodiff.pictures.sweeping import State, steps
from autodiff.pictures.units import ranks
from autodiff.pictures.webpage import WebPage
from autodiff.value import Value
from autodiff.wording import language_of, say, speaking

MAX_STEPS = 500
_PIXEL, _SCREEN, _PADDING = 0.75, (1200.0, 780.0), 28.8  # points: a pixel, the largest film, the room around
_CAPTION = 3.0  # points per character of a caption, markup included
SUFFIXES = (".gif", ".svg", ".html")


class Frames(list[Picture]):
    """The pictures of `frames`; a notebook shows them as the film they are."""

    def __init__(self, scenes: Sequence[Scene], captions: Sequence[str]) -> None:
        super().__init__(scene.picture() for scene in scenes)
        self._film, self._language = (scenes, captions), language_of()
        for picture, caption in zip(self, captions, strict=True):
            picture.alt = caption

    def _repr_html_(self) -> str:
        with speaking(self._language):
            return _page(*self._film, 1.5, rendering.TIMEOUT)._repr_html_()  # pyright: ignore[reportPrivateUsage] # IPython's


def frames(root: Value, **options: Unpack[Options]) -> Frames:
    """Draw a sweep from `root` step by step: before it, its seed, each node passing δ on, and its end.

    With `detail` "neurons" or "layers" a step is a whole layer, δ^l as the course computes it. Nodes keep their places
    in all pictures: Graphviz lays them out once. δ is computed from the recorded partials; `grad` is neither read nor
    changed. The options are those of `draw`, without `direction`.

    Raises what `draw` raises, ValueError for more than 500 steps, and RenderError when there is no Graphviz.

    >>> x = Value(3.0, "x")
    >>> len(frames(x * x))  # before, δ of the product, what it hands to x, after
    4
    """
    with speaking(options.get("language")):
        scenes, captions = _scenes(root, options)
        _pin(scenes, rendering.TIMEOUT)
        return Frames(scenes, captions)


@overload
def animate(
    root: Value, path: None = None, *, seconds: float = 1.5, timeout: float = rendering.TIMEOUT,
    **options: Unpack[Options],
) -> WebPage: ...  # fmt: skip
@overload
def animate(
    root: Value, path: str | os.PathLike[str], *, seconds: float = 1.5, timeout: float = rendering.TIMEOUT,
    **options: Unpack[Options],
) -> Path: ...  # fmt: skip
def animate(
    root: Value, path: str | os.PathLike[str] | None = None, *, seconds: float = 1.5,
    timeout: float = rendering.TIMEOUT, **options: Unpack[Options],
) -> WebPage | Path:  # fmt: skip
    """Make the steps of `frames` one thing that plays: in a notebook, or as a file whose suffix says how.

    Without a `path` it is a WebPage, which a notebook shows. With one, the file is written and its path returned:
    ".svg" plays by CSS alone, also as an image in a page; ".html" has buttons, a slider and keys, and works offline;
    ".gif" plays everywhere. Each step is shown for `seconds`, the last one longer. A page of the light theme turns dark
    for readers who prefer that.

    The file appears whole or not at all, and nothing else is written. Raises what `frames` raises, ValueError for
    another suffix or `seconds` outside 0.02 to 600, and RenderError when no film could be made, with at most `timeout`
    seconds for each run of Graphviz: then the DOT source of the last step is left beside `path`, in the file that the
    message names.
    """
    path, suffix = (None, "") if path is None else rendering.target(path, SUFFIXES)
    if not (isinstance(seconds, (int, float)) and 0.02 <= seconds <= 600):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"seconds must be the time that a step is shown, from 0.02 to 600, got {seconds!r}")
    with speaking(options.get("language")):
        scenes, captions = _scenes(root, options)
        waits = [seconds] * (len(scenes) - 1) + [2 * seconds]
        try:
            _pin(scenes, timeout)
            if path is None:
                return _page(scenes, captions, seconds, timeout)
            if suffix == ".gif":
                stills, places = _stills(scenes, timeout)
                content = gif.join(stills, waits, scenes[-1].theme.paper, places)
            elif suffix == ".svg":
                merged = film.merged(scenes)
                words = f"{say('player.title')}: {captions[-1]}"
                content = film.animated(_drawn(merged, timeout), film.spans(merged), waits, words).encode()
            else:
                content = _page(scenes, captions, seconds, timeout).html.encode()
        except RenderError as error:
            if path is None:
                raise
            raise rendering.kept(path, scenes[-1].picture().source, error) from error
        rendering.write(path, content)
        return path


def _page(scenes: Sequence[Scene], captions: Sequence[str], seconds: float, timeout: float) -> WebPage:
    return film.page(_drawn(film.merged(scenes), timeout), captions, scenes[-1].theme, seconds)


def _drawn(merged: Scene, timeout: float) -> str:
    return rendering.image(merged.picture().source, "svg", timeout=timeout).decode()


def _scenes(root: Value, options: Options) -> tuple[list[Scene], list[str]]:
    """Return the scene of each step, and its caption."""
    unknown = [option for option in options if option not in Options.__annotations__]
    if unknown:
        raise TypeError(f"an option must be one of {', '.join(Options.__annotations__)}, got {unknown[0]!r}")
    if not isinstance(root, Value):  # pyright: ignore[reportUnnecessaryIsInstance] # callers need not be typed
        raise TypeError(f"root must be the Value at the end of a computation, got {type(root).__name__} {root!r}")
    settled = plan(root, direction="both", **options)
    if settled.crowded:  # a film is watched part by part
        settled = plan(root, direction="both", **{**options, "detail": "operations"})
    if settled.detail == "summary":
        with speaking("en"):
            message = plan(root, direction="both", **options).message.replace("\n", " ")
        raise ValueError(f"{message}; a summary has no steps")
    batches = list(_batches(settled))
    if len(batches) + 3 > MAX_STEPS:
        raise ValueError(
            f"the sweep must fit {MAX_STEPS} pictures, got {len(batches):,} steps; take a part of it, "
            'or detail="neurons" or "layers", which labels with dots make possible'
        )
    states = list(steps(settled.nodes, batches))
    scenes = [settled.scene(replace(state, outcome=states[-1].deltas)) for state in states]
    captions = list(_captions(settled, states))
    for scene, caption in zip(scenes, captions, strict=True):
        scene.caption = f"<B>{font(markup(caption), scene.theme.ink, 14)}</B>"
    return scenes, captions


def _pin(scenes: Sequence[Scene], timeout: float) -> None:
    """Pin everything to its place in the last scene; edges that δ has not reached yet are left out."""
    last = scenes[-1]
    pins = last.placed(timeout)
    for scene in scenes:
        scene.pins = pins
        scene.legend = last.legend
        there = [edge for edge in scene.edges if "unswept" not in edge.attributes["class"]]
        # A number without a place in the last scene has none before.
        scene.edges = [
            edge if (at := pins.edges.get(edge.id)) is None or at.label is not None else edge._replace(label="")
            for edge in there
        ]


def _stills(scenes: Sequence[Scene], timeout: float) -> tuple[list[bytes], list[tuple[int, int]]]:
    """Return the image of the first scene and of what changes in each later one, and their places in pixels.

    The whole is at most as large as a screen. One run of Graphviz makes all images, or one run each if it reads a
    single graph, as the one in pygraphviz does.
    """
    placed = layout(scenes[-1].picture(), timeout=timeout)
    widest = max(len(scene.caption) for scene in scenes) * _CAPTION
    width, height = max(placed.width, widest) + _PADDING, placed.height + _PADDING
    zoom = min(1.0, _SCREEN[0] / width, _SCREEN[1] / height)
    size = [round(zoom * length / _PIXEL) for length in (width, height)]
    pixel = _PIXEL / zoom  # of the image, in points of the layout
    left, top = (whole / 2 - pixel * n / 2 for whole, n in zip((placed.width, placed.height), size, strict=True))
    pins, some = scenes[-1].pins, next(iter(placed.nodes))
    assert pins is not None  # a film's scenes are pinned
    origin = pins.nodes[some].x - placed.nodes[some].x, pins.height - pins.nodes[some].y + placed.nodes[some].y
    title = placed.nodes["caption"]._replace(width=1.5 * widest)
    places: list[tuple[int, int]] = []
    for before, scene in zip([None, *scenes], scenes, strict=False):
        low, high = [0, 0], list(size)
        if before is not None:
            boxes = [title, *film.changed(before, scene, placed)]
            for axis, start in enumerate((left, top)):
                ends = [(box[axis] - box[axis + 2] / 2, box[axis] + box[axis + 2] / 2) for box in boxes]
                low[axis] = max(math.floor((min(end[0] for end in ends) - start) / pixel), 0)
                high[axis] = min(math.ceil((max(end[1] for end in ends) - start) / pixel), size[axis])
        across, along = (pixel * (one + other) / 2 for one, other in zip(low, high, strict=True))
        middle = origin[0] + left + across, origin[1] - top - along  # upward, as in DOT
        shown = [f"{_PIXEL * (other - one):g}" for one, other in zip(low, high, strict=True)]
        scene.graph = {
            **scene.graph,
            "notranslate": "true",
            "viewport": f"{','.join(shown)},{zoom:.9f},{middle[0]:.6f},{middle[1]:.6f}",
        }
        places.append((low[0], low[1]))
    sources = [without_pointing(scene.picture().source) for scene in scenes]
    all_in_one = rendering.image("\n".join(sources), "gif", timeout=timeout)
    if all_in_one.count(b"GIF89a") == len(sources):
        return [all_in_one], places
    return [rendering.image(source, "gif", timeout=timeout) for source in sources], places


def _batches(settled: Plan) -> Iterator[Sequence[Value]]:
    """Yield the nodes that pass δ on in one step: one, or those of a layer."""
    nodes = [node for node in settled.nodes if node.op is not None]
    if settled.units is None:
        yield from ([node] for node in nodes)
        return
    rank = {node: rank for unit, rank in ranks(settled.units).items() for node in unit.nodes}
    downhill = all(rank[x] <= rank[node] for node in nodes for x in node.operands if isinstance(x, Value))
    if downhill:
        nodes.sort(key=rank.__getitem__, reverse=True)
    for _, batch in itertools.groupby(nodes, key=rank.__getitem__):
        yield list(batch)


def _captions(settled: Plan, states: Sequence[State]) -> Iterator[str]:
    labels, root = settled.look.labels, settled.nodes[0]

    goal = shorten(labels.full(root)) or say("caption.the result")
    yield say("caption.before")
    yield say("caption.seed", goal=goal)
    for state in states[2:-1]:
        active = [node for node in settled.nodes if node in state.active]
        if settled.units is None:
            to = list(dict.fromkeys(labels.call(x) for x in active[0].operands if isinstance(x, Value)))
            listed = ", ".join(to[:3]) + (say("caption.more", n=len(to) - 3) if len(to) > 3 else "")
            yield say("caption.hands", node=labels.call(active[0]), to=listed)
        else:
            paths = dict.fromkeys(titled(labels.path(n)[:-2] or labels.path(n)[:1]) for n in active if labels.path(n))
            yield say("caption.hands back", layers=", ".join(list(paths)[:3]) or goal)
    yield say("caption.after")
