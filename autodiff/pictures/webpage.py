"""A page of HTML that a notebook shows in a frame of its own, and `save` writes to a file."""

from __future__ import annotations

import base64
import hashlib
import html
import os
from pathlib import Path

from autodiff.pictures import rendering

SUFFIXES = (".html", ".htm")


class WebPage:
    """A page that is complete in itself: it opens without a network, and loads nothing.

    As the last line of a notebook cell it shows itself, in a frame as wide as the column that runs the page's own
    script and can reach nothing else; no server is involved. `html` is its text.

    >>> WebPage("<!doctype html><p>δ</p>", height=200)
    WebPage of 24 bytes; save("page.html") writes it
    """

    def __init__(self, html: str, *, height: int) -> None:
        self.html = html
        self._height = height  # pixels of the frame in a notebook

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to `path`, which ends in .html or .htm, whole or not at all; return the path."""
        path, _ = rendering.target(path, SUFFIXES)
        rendering.write(path, self.html.encode())
        return path

    def __repr__(self) -> str:
        return f'{type(self).__name__} of {len(self.html.encode()):,} bytes; save("page.html") writes it'

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts" loading="lazy" '
            f'style="width:100%;height:{self._height}px;border:0"></iframe>'
        )


def policy(script: str, sheet: str) -> str:
    """Return a content-security policy that allows this script and this style sheet, by hash, and nothing else."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, sheet))
    allowed = [f"{kind}-src 'sha256-{each}'" for kind, each in zip(("script", "style"), hashes, strict=True)]
    return "; ".join(["default-src 'none'", *allowed, "base-uri 'none'", "form-action 'none'"])
