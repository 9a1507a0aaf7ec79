"""A sweep as ONE scene, which plays by itself or in a page: what changes is in it once for each look, with its steps.

Graphviz runs once and lays nothing out, however many steps there are: everything is pinned, and looks on top of each
other differ by a class, `t3_7` for the steps 3 to 6, which CSS or a script shows and hides.
"""

import hashlib
import html
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

from autodiff.pictures.geometry import Box, Layout
from autodiff.pictures.picture import SIZE
from autodiff.pictures.scene import Edge, Node, Scene
from autodiff.pictures.style import DARK, LIGHT, Theme, swaps
from autodiff.pictures.webpage import FOLDER, WebPage
from autodiff.wording import language_of, say

_AROUND, _NUMBER = 9.0, 160.0  # points of frames and arrowheads that stick out, and the width of an edge's numbers
_SPAN = re.compile(r"t(\d+)_(\d+)$")
_COLOUR = re.compile(r'"(#[0-9a-f]{6})"')
_LEAST = 0.75  # pixels a point: smaller, the numbers of a film cannot be read
_COLUMN = 1_000.0  # pixels, about a notebook's column


def merged(scenes: Sequence[Scene]) -> Scene:
    """Merge all steps into one scene, with the pins, groups and legend of the last."""
    last = scenes[-1]
    film = Scene(last.theme, last.graph, legend=last.legend, pins=last.pins, zoom=last.zoom)
    first_of: dict[str, str] = {}
    nodes = [{each.name: each for each in [*scene.nodes, *_caption(scene)]} for scene in scenes]
    for name, unique, look in _spanned(nodes, last.pinned_node):
        first_of.setdefault(name, unique)
        film.nodes.append(look._replace(name=unique))
    for _, unique, look in _spanned([{each.id: each for each in scene.edges} for scene in scenes], last.pinned_edge):
        film.edges.append(look._replace(id=unique, tail=first_of[look.tail], head=first_of[look.head]))
    return film


def _caption(scene: Scene) -> list[Node]:
    around = () if scene.pins is None else scene.around(scene.pins)
    return [
        Node(name, label, {"shape": "plaintext", "pos": pos, "tooltip": " ", "class": name})
        for name, label, pos in around
        if name == "caption"
    ]


def _spanned(steps: Sequence[dict[str, Any]], pins: Callable[[str], dict[str, str]]) -> Iterator[tuple[str, str, Any]]:
    """Yield each thing's name and, for each of its looks, a name of its own and the look, pinned, with its steps."""
    for name, looks in _looks(steps):
        for i, (look, start, stop) in enumerate(looks):
            span = {"class": f"{look.attributes['class']} t{start}_{stop}"}
            unique = name if len(looks) == 1 else f"{name}__{i}"
            yield name, unique, look._replace(attributes={**look.attributes, **pins(name), **span})


def _looks(steps: Sequence[dict[str, Any]]) -> Iterable[tuple[str, list[tuple[Any, int, int]]]]:
    """Return the successive looks of each thing, each with its first step and the step after its last."""
    found: dict[str, list[tuple[Any, int, int]]] = {}
    for k, things in enumerate(steps):
        for name, thing in things.items():
            looks = found.setdefault(name, [])
            if looks and looks[-1][2] == k and _same(looks[-1][0]) == _same(thing):
                looks[-1] = looks[-1][0], looks[-1][1], k + 1
            else:
                looks.append((thing, k, k + 1))
    return found.items()


def _same(thing: Node | Edge) -> Hashable:
    return thing.label, tuple(thing.attributes.items())


def changed(before: Scene, after: Scene, at: Layout) -> Iterator[Box]:
    """Yield a box around everything that looks different in two scenes, or is in one of them alone."""
    earlier, later = ({each[0]: each for each in (*scene.nodes, *scene.edges)} for scene in (before, after))
    for name in earlier.keys() | later.keys():
        one, other = earlier.get(name), later.get(name)
        if one is None or other is None or _same(one) != _same(other):
            if name in at.nodes:
                box = at.nodes[name]  # which " +…" makes wider
                yield box._replace(width=box.width + 6 * _AROUND, height=box.height + 2 * _AROUND)
            elif name in at.edges:
                curve = at.edges[name]
                ends = [*curve.points, *filter(None, (curve.tail, curve.head))]
                yield from (Box(x, y, 2 * _AROUND, 2 * _AROUND) for x, y in ends)
                if curve.label is not None:
                    yield Box(*curve.label, _NUMBER, 2 * _AROUND)


def spans(film: Scene) -> list[tuple[int, int]]:
    """Return all pairs of a first step and the step after the last that something is shown for."""
    classes = (look.attributes["class"] for look in (*film.nodes, *film.edges))
    return sorted({(int(a), int(b)) for each in classes for a, b in _SPAN.findall(each)})


def animated(svg: str, shown: Sequence[tuple[int, int]], seconds: Sequence[float], words: str) -> str:
    """Make an SVG of a film with the spans `shown` play for ever, by CSS alone; where that is off, show the end."""
    scope = f"film-{hashlib.sha256(svg.encode()).hexdigest()[:12]}"  # several films may be in one page
    total, count = sum(seconds), len(seconds)
    starts = [100 * sum(seconds[:k]) / total for k in range(count)] + [100.0]
    rules: list[str] = []
    for a, b in shown:
        name = f"t{a}_{b}"
        if (a, b) == (0, count):
            continue
        show = [f"{starts[a]:.3f}%{{visibility:visible}}"]
        before = ["0%{visibility:hidden}"] if a else []
        after = [f"{starts[b]:.3f}%{{visibility:hidden}}"] if b < count else []
        rules.append(f"@keyframes {scope}-{name}{{{''.join(before + show + after)}}}")
        if b < count:
            rules.append(f"#{scope} .{name}{{visibility:hidden}}")
        rules.append(f"#{scope} .{name}{{animation:{scope}-{name} {total:g}s step-end infinite}}")
    rules.append(f"@media (prefers-reduced-motion:reduce){{#{scope} g{{animation:none!important}}}}")
    told = f'role="img" aria-label="{html.escape(words)}"'
    style = f"<style>{''.join(rules)}</style>"
    return re.sub(r"<svg\b[^>]*>", lambda head: f'<svg id="{scope}" {told}{head[0][4:]}{style}', svg, count=1)


def page(svg: str, captions: Sequence[str], theme: Theme, seconds: float) -> WebPage:
    """Return the page of the film in `svg`, a caption for each step; a light one is dark where that is preferred."""
    drawing = svg[svg.index("<svg") :]
    width, height = (float(each) for each in SIZE.findall(drawing)[0])
    drawing = SIZE.sub("", drawing, count=1)
    dark = swaps(LIGHT, DARK) if theme is LIGHT else {}
    names = {light: f"--c{i}" for i, light in enumerate(dark)}
    drawing = _COLOUR.sub(lambda found: f'"var({names[found[1]]})"' if found[1] in names else found[0], drawing)
    colours = {"page": theme.paper, "ink": theme.ink, "line": theme.stroke, "accent": theme.active}
    colours["card"] = theme.operation[0]
    plain = {f"--{name}": colour for name, colour in colours.items()} | {name: light for light, name in names.items()}
    night = {name: dark[colour] for name, colour in plain.items() if colour in dark}
    sheet = (
        f":root{{color-scheme:{'light dark' if dark else 'only dark'};{_variables(plain)}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{_variables(night)}}}}}"
        # Numbers stay readable on a phone: a wide film scrolls sideways there.
        f"figure svg{{min-width:{_LEAST * width:.0f}px}}"
        f"@media (max-width:{_LEAST * width:.0f}px){{figure svg{{max-height:none}}"
        "#says{all:unset;display:block;font-weight:bold}}"
    )
    return WebPage.assembled(
        FOLDER, "film", ["film.js"],
        title=say("player.title"), data={"captions": captions, "wait": round(1000 * seconds)}, sheet=sheet,
        words={language_of(): say.section("player")}, parts={"drawing": drawing},
        height=round(min(1.0, _COLUMN / width) * height) + 110,
    )  # fmt: skip


def _variables(colours: dict[str, str]) -> str:
    return ";".join(f"{name}:{colour}" for name, colour in colours.items())
