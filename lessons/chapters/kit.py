"""What a notebook of the course imports: `say`, `show`, `slide`, `play` and `check`, in the reader's language.

>>> say, show, slide, play, check = start(0, "en")
>>> say(es="hola", en="hello")
'hello'
"""

from __future__ import annotations

import base64
import html
import io
import json
import re
import sys
from collections.abc import Mapping
from importlib import resources
from typing import Any, NamedTuple

from autodiff import RenderError
from autodiff.pictures import WebPage
from lessons.chapters.grading import Check, evaluated
from lessons.chapters.source import LANGUAGES, named
from lessons.chapters.wording import section, word


class Shown:
    """A picture or a page with its description; a notebook shows it no wider than its column."""

    def __init__(self, inner: str, alt: str) -> None:
        self.inner, self.alt = inner, alt

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        return self.inner


class Kit(NamedTuple):
    """The tools of one notebook."""

    say: Any  # Any: functions, called by their names
    show: Any
    slide: Any
    play: Any
    check: Check


def start(chapter: int | str, language: str) -> Kit:
    """Return `say`, `show`, `slide`, `play` and `check` for a chapter, or for the "exam", in a language."""
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, got {language!r}")

    def say(*, es: str, en: str) -> str:
        """Return the text in the reader's language."""
        return es if language == "es" else en

    pictures = named(chapter).pictures(language)

    def show(picture: Any, name: str) -> Shown:
        """Show a plot or a drawing, with the words that the chapter has for whoever does not see it."""
        alt = pictures[name]
        if isinstance(picture, WebPage):  # the stepper, the playground, a page of ours
            picture.title = alt
            return Shown(picture._repr_html_(), alt)
        try:
            return Shown(_image(picture, html.escape(alt)), alt)
        except RenderError:
            said = word("check.not drawn", language, alt=alt)
            return Shown(f"<p>{html.escape(said)}</p>", said)

    def play(name: str) -> Shown:
        """Show a page to play with, which works without a server; its words are those of a picture."""
        made = page(name, language)
        return show(WebPage(made, height=int(re.findall(r"// height: (\d+)", made)[0])), name)

    def slide(shots: Mapping[str, Any], name: str, first: str = "") -> Shown:
        """Show pictures under a slider, each with its caption; `first` is what is seen before, and on paper."""
        alt = pictures[name]
        begin = [*shots].index(first) if first else 0
        figures = [
            f"<figure style='margin:0'{' hidden' * (k != begin)}><figcaption>{html.escape(caption)}</figcaption>"
            f"{_image(shot, html.escape(f'{caption}. {alt}'))}</figure>"
            for k, (caption, shot) in enumerate(shots.items())
        ]
        turn = "this.parentNode.querySelectorAll('figure').forEach((f, k) =&gt; f.hidden = k != this.value)"
        bar = f'<input type="range" min="0" max="{len(shots) - 1}" value="{begin}" aria-label="{html.escape(alt)}"'
        return Shown(f'<div>{bar} style="width:min(100%,24em)" oninput="{turn}">{"".join(figures)}</div>', alt)

    return Kit(say, show, slide, play, Check(chapter, language))


def pieces(say: Any) -> Any:
    """Return `yours`, which calls what the student writes: while a piece has …, it says so, and something else goes on.

    >>> yours = pieces(start(6, "en").say)
    >>> yours(lambda a: 2 * a, 4.0)
    8.0
    >>> def slope(a):
    ...     return ...
    >>> yours(slope, 4.0, instead=0.0)
    Your piece is missing: slope.
    0.0
    """
    told = set()

    def yours(piece: Any, *given: Any, instead: Any = None) -> Any:
        """Return what a piece answers, or `instead` while it still has …, which is told once in a cell."""
        try:
            answer: Any = piece(*given)
        except TypeError as error:
            if "ellipsis" not in str(error).lower():
                raise
            answer = ...
        parts: Any = answer if type(answer) in (list, tuple) else [answer]
        empty = any(part is ... for part in parts) or (answer is None and instead is not None)
        cell = len(vars(sys.modules["__main__"]).get("In", ()))
        if empty and (piece.__name__, cell) not in told:
            told.add((piece.__name__, cell))
            print(say(es=f"Falta tu pieza: {piece.__name__}.", en=f"Your piece is missing: {piece.__name__}."))
        return instead if empty else answer

    return yours


def page(name: str, language: str) -> str:
    """Return a page to play with as HTML that is complete in itself: one file of JavaScript, and the tools of all."""
    folder = resources.files("lessons.chapters").joinpath("play")
    shell, tools, script = (
        folder.joinpath(each).read_text(encoding="utf-8") for each in ("shell.html", "tools.js", f"{name}.js")
    )
    data = json.dumps(section(name, language), ensure_ascii=False).replace("<", "\\u003c")
    return shell.replace("{{language}}", language).replace("{{script}}", f"const W = {data};\n{tools}\n{script}")


_FITTED = "max-width:100%;height:auto"
_WIDE, _WIDEST = 4.4, 4.8  # inches


def _image(picture: Any, alt: str) -> str:
    """Return a plot or a drawing as HTML that says its words and fits its column, in whichever form is shorter."""
    if hasattr(picture, "pipe"):  # what `draw` returns
        picture.alt = html.unescape(alt)
        svg = picture._repr_mimebundle_()["image/svg+xml"]
        return svg[svg.index("<svg") :]
    from matplotlib import rc_context

    figure = getattr(picture, "figure", picture)
    wide, high = figure.get_size_inches()
    if wide > _WIDEST:  # a phone's column would make its letters too small to read
        figure.set_size_inches(_WIDE, high * _WIDE / wide)
    text, file = io.StringIO(), io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "course", "path.simplify_threshold": 0.5}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    svg = text.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", tag[0]), re.sub(r"\s*\n\s*", " ", svg))
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{alt}" style="{_FITTED}" ', 1)
    data = base64.b64encode(file.getvalue()).decode()
    png = f'<img alt="{alt}" style="{_FITTED}" src="data:image/png;base64,{data}">'
    return min(svg, png, key=len)


__all__ = ["Check", "Kit", "Shown", "evaluated", "page", "pieces", "start"]
