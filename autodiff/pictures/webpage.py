"""A page of HTML that a notebook shows in a frame of its own, and `save` writes to a file."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from autodiff.backward import topological_order
from autodiff.pictures import rendering, style
from autodiff.pictures.script import graphs
from autodiff.value import Value
from autodiff.wording import say

SUFFIXES = (".html", ".htm")
FOLDER = resources.files("autodiff.pictures") / "page"


class WebPage:
    """A page that is complete in itself: it opens without a network, and loads nothing.

    As the last line of a notebook cell it shows itself, in a frame as wide as the column that runs the page's own
    script and can reach nothing else; no server is involved. `html` is its text, and `title` names the frame for a
    reader of screens.

    >>> WebPage("<!doctype html><p>δ</p>", height=200)
    WebPage of 24 bytes; save("page.html") writes it
    """

    def __init__(self, html: str, *, height: int, title: str = "") -> None:
        self.html, self.title = html, title
        self._height = height  # pixels of the frame in a notebook
        self.allowed: list[tuple[str, str]] = []  # scripts and style sheets of an assembled page

    @classmethod
    def assembled(
        cls,
        folder: Traversable,
        name: str,
        scripts: Sequence[str],
        *,
        title: str,
        data: Mapping[str, Any],  # Any: what JSON holds
        words: Mapping[str, Mapping[str, Any]],  # Any: texts, and tables of them
        height: int,
        first: str = "",
        sheet: str = "",
        parts: Mapping[str, str] | None = None,
        inner: WebPage | None = None,
    ) -> WebPage:
        """Return the page of a folder: its elements and style sheet in `{name}.html` and `{name}.css`.

        The script of every page stands in front, then `first`, then `scripts`, files of the folder. `data` is JSON in
        an element of its own, and so are the `words`, a table for each language; the page speaks the first, or that of
        `data`. The colours of all pictures are variables of the style sheet. `inner` is an assembled page that this
        one shows in a frame.
        """
        sheet = _colours() + asset("common.css") + _read(folder, f"{name}.css") + sheet
        code = "".join([asset("common.js"), first, *(_read(folder, each) for each in scripts)])
        script = f'"use strict";\n(() => {{\n{code}}})();\n'
        allowed = [(script, sheet), *(inner.allowed if inner else ())]  # a frame obeys the policy around it too
        places = {
            **(parts or {}),
            "policy": policy(*zip(*allowed, strict=True)),
            "language": next(iter(words)),
            "title": html.escape(style.clean(title)),
            "noscript": " · ".join(say.section("pages", each)["noscript"] for each in words),
            "style": sheet,
            "words": _json({each: {**say.section("pages", each), **own} for each, own in words.items()}),
            "data": _json(data),
            "script": script,
        }
        page, *rest = asset("shell.html").replace("{{body}}", _read(folder, f"{name}.html")).split("{{")
        for piece in rest:
            part, after = piece.split("}}", 1)
            page += places[part] + after
        made = cls(page, height=height, title=style.clean(title))
        made.allowed = allowed
        return made

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to `path`, which ends in .html or .htm, whole or not at all; return the path."""
        path, _ = rendering.target(path, SUFFIXES)
        rendering.write(path, self.html.encode())
        return path

    def __repr__(self) -> str:
        return f'{type(self).__name__} of {len(self.html.encode()):,} bytes; save("page.html") writes it'

    def _repr_html_(self) -> str:
        return (
            f"<iframe srcdoc={_attribute(self.html)} "
            f'sandbox="allow-scripts" loading="lazy" title="{html.escape(self.title)}" '
            f'style="width:100%;height:{self._height}px;border:0"></iframe>'
        )


def _attribute(page: str) -> str:
    """Return a page as the value of an attribute: in single quotes, since pages are full of double ones.

    >>> print(_attribute("<p title='δ'>"))
    '&lt;p title=&#39;δ&#39;&gt;'
    """
    return f"'{html.escape(page, quote=False).replace(chr(39), '&#39;')}'"


def policy(scripts: Sequence[str], sheets: Sequence[str]) -> str:
    """Return a content-security policy that allows these scripts and style sheets, by hash, and nothing else."""
    allowed: list[str] = []
    for kind, texts in (("script", scripts), ("style", sheets)):
        hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
        allowed.append(" ".join([f"{kind}-src", *(f"'sha256-{each}'" for each in hashes)]))
    return "; ".join(["default-src 'none'", *allowed, "base-uri 'none'", "form-action 'none'"])


def page_engine(roots: Iterable[Value]) -> tuple[list[dict[str, Any]], str]:  # Any: what JSON takes
    """Return the graphs of several Values as data for JSON, and the JavaScript that computes them.

    Nodes stand in the order of `topological_order(root)[::-1]`. The script defines `RULES`, one table for all graphs,
    and the class `Graph`: `new Graph(data, RULES)` has `values`, `run()` and `sweep()`. Raises ValueError naming an
    operation that a page cannot repeat.

    >>> from autodiff import Value
    >>> (data,), script = page_engine([Value(0.0, "z").tanh()])
    >>> data["ops"], data["args"], "Math.tanh(a)" in script
    ([-1, 0], [[], [0]], True)
    """
    data, rules = graphs([topological_order(root)[::-1] for root in roots])
    return data, rules + asset("engine.js")


def _colours() -> str:
    """Return the colours of all pictures as variables of a style sheet, light and dark."""
    blocks: list[str] = []
    for theme in (style.LIGHT, style.DARK):
        tones = [theme.positive, theme.negative, theme.zero, theme.alarm]
        inks = [f"--{tone.name}: {tone.ink}; --{tone.name}-paper: {tone.paper};" for tone in tones]
        blocks.append(" ".join([*inks, f"--parameter: {theme.parameter[1]}; --input: {theme.input[1]};"]))
    light, dark = blocks
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"


def _json(data: object) -> str:
    """Return JSON for a script element: without "<" no text can end the element or open a comment in it."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def asset(name: str) -> str:
    """Return the text of a file of the pages."""
    return _read(FOLDER, name)


def _read(folder: Traversable, name: str) -> str:
    return folder.joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")
