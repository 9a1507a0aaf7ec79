"""A page that plays a film, offline and safe from hostile labels."""

import re
from collections.abc import Sequence

from autodiff.pictures.style import DARK, LIGHT, Theme, swaps
from autodiff.pictures.webpage import FOLDER, WebPage
from autodiff.wording import language_of, say

_SIZE = re.compile(r' width="([\d.]+)pt" height="([\d.]+)pt"')
_COLOUR = re.compile(r'"(#[0-9a-f]{6})"')
_LEAST = 0.75  # pixels a point: smaller, the numbers of a film cannot be read
_COLUMN = 1_000.0  # pixels, about a notebook's column


def page(svg: str, captions: Sequence[str], theme: Theme, seconds: float) -> WebPage:
    """Return the page of the film in `svg`, a caption for each step; a light one is dark where that is preferred."""
    drawing = svg[svg.index("<svg") :]
    width, height = (float(each) for each in _SIZE.findall(drawing)[0])
    drawing = _SIZE.sub("", drawing, count=1)
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
