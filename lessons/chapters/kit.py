"""What a notebook of the course imports: `say`, `show`, `slide`, `play` and `check`, in the reader's language.

>>> say, show, slide, play, check = start(0, "en")
>>> say(es="hola", en="hello")
'hello'
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
import sys
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

from autodiff import RenderError
from autodiff.pictures import WebPage
from lessons.chapters.grading import Check, evaluated
from lessons.chapters.source import LANGUAGES, named
from lessons.chapters.wording import section, word


class Shown:
    """A picture or a page with its description; a notebook shows it no wider than its column.

    `still` is a small PNG of it, for viewers that leave out HTML or scripts, and, of a page, for paper.
    """

    def __init__(self, inner: str, alt: str, still: bytes = b"") -> None:
        self.inner, self.alt, self.still = inner, alt, still

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        return self.inner

    def _repr_png_(self) -> tuple[bytes, dict[str, str]] | None:
        return (self.still, {"alt": self.alt}) if self.still else None


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

    def show(picture: Any, name: str, paper: Any = None) -> Shown:
        """Show a plot, a drawing or a page, with the words that the chapter has for whoever does not see it.

        `paper` is the picture that stands for a page in print, and wherever its script does not run.
        """
        alt = pictures[name]
        try:
            if isinstance(picture, WebPage):  # the stepper, the playground
                picture.title = alt
                return _live(picture, word("check.still", language, alt=alt), b"" if paper is None else _still(paper))
            image, still = _image(picture, alt)
            return Shown(image + (_spare(still, alt) if "<svg" in image else ""), alt, still)
        except RenderError:
            if isinstance(picture, WebPage):
                return _live(picture, alt, b"")
            said = word("check.not drawn", language, alt=alt)
            return Shown(f"<p>{html.escape(said)}</p>", said)

    def play(name: str) -> Shown:
        """Show a page to play with, which works without a server; its words are those of a picture."""
        made = page(name, language)
        height = int(re.findall(r"// height: (\d+)", made)[0])
        at = still(name, language)
        photograph = at.read_bytes() if at.is_file() else b""  # a wheel has none: who runs a notebook sees the page
        words = word("check.still", language, alt=pictures[name])
        return _live(WebPage(made, height=height, title=pictures[name]), words, photograph, "width:400px;")

    def slide(shots: Mapping[str, Any], name: str, first: str = "") -> Shown:
        """Show pictures under a slider, each with its caption; `first` is what is seen before. On paper all are."""
        alt = pictures[name]
        begin = [*shots].index(first) if first else 0
        images = [_image(shot, f"{caption}. {alt}") for caption, shot in shots.items()]
        figures = [
            f"<figure style='margin:0'{' hidden' * (k != begin)}><figcaption>{html.escape(caption)}</figcaption>"
            f"{image}</figure>"
            for k, (caption, (image, _)) in enumerate(zip(shots, images, strict=True))
        ]
        turn = "this.parentNode.querySelectorAll('figure').forEach((f, k) =&gt; f.hidden = k != this.value)"
        bar = f'<input type="range" min="0" max="{len(shots) - 1}" value="{begin}" aria-label="{html.escape(alt)}"'
        inner = f'<div class="shots">{bar} style="width:min(100%,24em)" oninput="{turn}">{"".join(figures)}</div>'
        image, still = images[begin]
        return Shown(f"{inner}{_spare(still, alt) if '<svg' in image else _SHEET}", alt, still)

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
    words = section(name, language)
    data = json.dumps(words, ensure_ascii=False).replace("<", "\\u003c")
    shell = shell.replace("{{language}}", language).replace("{{title}}", html.escape(words["title"]))
    return shell.replace("{{script}}", f"const W = {data};\n{tools}\n{script}")


def still(name: str, language: str) -> Traversable:
    """Return where the photograph of a page to play with is."""
    return resources.files("lessons.chapters").joinpath("play", f"{name}.{language}.png")


def digest(name: str, language: str) -> str:
    """Return by what a photograph knows its page."""
    return hashlib.sha256(page(name, language).encode()).hexdigest()[:16]


_FITTED = "max-width:100%;height:auto"
_WIDE, _WIDEST = 4.4, 4.8  # inches
_LONG = 40_000  # characters of SVG, beyond which a PNG is kept
_SHARP, _SMALL = 150, 100  # dots per inch of a PNG that is looked at, and of one for viewers without HTML
# A spare image is seen where no style sheet is obeyed, and in print where it stands for a page. Exported notebooks have
# rules of their own for images, which are longer: hence !important. Long lines of code are wrapped on paper.
_SHEET = (
    "<style>img.spare{display:none!important}@media print{.live{display:none}"
    ".live~img.spare{display:block!important}.drawn,img.spare{max-height:90vh;break-inside:avoid}"
    ".shots input{display:none}.shots figure{display:inline-block!important;width:48%;break-inside:avoid}"
    "pre{white-space:pre-wrap!important}}</style>"
)


def _live(page: WebPage, alt: str, still: bytes, width: str = "") -> Shown:
    """Return a page that is alive, with the image for where it is not."""
    frame = page._repr_html_()
    inner = f'<div class="live">{frame}</div>{_spare(still, alt, width)}' if still else frame
    return Shown(inner, page.title, still)


def _spare(still: bytes, alt: str, width: str = "") -> str:
    return _SHEET + _as_img(still, alt, "spare", width)


def _as_img(png: bytes, alt: str, kind: str = "", width: str = "") -> str:
    named = f'class="{kind}" ' * bool(kind)
    data = base64.b64encode(png).decode()
    return f'<img {named}alt="{html.escape(alt)}" style="{width}{_FITTED}" src="data:image/png;base64,{data}">'


def _image(picture: Any, alt: str) -> tuple[str, bytes]:
    """Return a plot or a drawing as HTML that says its words and fits its column, and as a small PNG."""
    if hasattr(picture, "pipe"):  # what `draw` returns
        picture.alt = alt
        shown = picture._repr_mimebundle_()
        if "image/svg+xml" not in shown:
            raise RenderError(shown["text/plain"])
        svg = shown["image/svg+xml"]
        return svg[svg.index("<svg") :].replace("<svg ", '<svg class="drawn" ', 1), _still(picture)
    from matplotlib import rc_context

    figure, text = _figure(picture), io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "course", "path.simplify_threshold": 0.5}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    if len(svg) > _LONG:
        png = _still(picture, _SHARP)
        return _as_img(png, alt, width=f"width:{figure.get_size_inches()[0]:g}in;"), png
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", tag[0]), re.sub(r"\s*\n\s*", " ", svg))
    said = f'role="img" aria-label="{html.escape(alt)}" style="{_FITTED}"'
    return svg.replace("<svg ", f"<svg {said} ", 1), _still(picture)


def _figure(picture: Any) -> Any:
    """Return the figure of a plot, no wider than a phone's column would make its letters too small to read."""
    figure = getattr(picture, "figure", picture)
    wide, high = figure.get_size_inches()
    if wide > _WIDEST:
        figure.set_size_inches(_WIDE, high * _WIDE / wide)
    return figure


def _still(picture: Any, dpi: int = _SMALL) -> bytes:
    """Return a plot or a drawing as a PNG of 32 colours: a fifth of the bytes of one of all colours."""
    from PIL import Image

    if hasattr(picture, "pipe"):
        file = io.BytesIO(picture.pipe("png"))
    else:
        _figure(picture).savefig(file := io.BytesIO(), format="png", dpi=dpi)
    image = Image.open(file).convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    made = io.BytesIO()
    Image.alpha_composite(paper, image).convert("RGB").quantize(32, dither=Image.Dither.NONE).save(
        made, "png", optimize=True
    )
    return made.getvalue()


__all__ = ["Check", "Kit", "Shown", "digest", "evaluated", "page", "pieces", "start", "still"]
