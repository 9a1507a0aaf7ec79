"""Picture: a `graphviz.Digraph` that can be drawn without a `dot` on the system."""

from __future__ import annotations

import html
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import graphviz  # pyright: ignore[reportMissingTypeStubs] # it has none

from autodiff.errors import RenderError
from autodiff.pictures import rendering
from autodiff.pictures.legends import without_pointing

NOTEBOOK_TIMEOUT = 20.0  # seconds that a cell may take to show a picture

SIZE = re.compile(r' width="([\d.]+)pt" height="([\d.]+)pt"')
_COLUMN = 640.0  # points of the column of an exported notebook, about
_FROM_MIME = {"text/html": "svg", "image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpeg"}


class Picture(graphviz.Digraph):
    """The picture that `draw` returns: a `graphviz.Digraph` with DOT text in `source`, shown in Jupyter.

    `save_as(path)` writes an image. `save` (of the DOT text), `pipe` and `render` work as graphviz's own, with any
    Graphviz there is; only the options `renderer`, `formatter` and `neato_no_op` need the system's `dot`.

    >>> from autodiff import Value, draw
    >>> draw(Value(2.0, "x")).source[:7]
    'digraph'
    """

    alt: str = ""  # the picture in words, for whoever does not see it
    _placing: tuple[str, Callable[[float], str]] | None = None

    def place(self, placing: Callable[[float], str]) -> None:
        """Let images be made from the text that `placing` returns within a time, unless this one is changed later."""
        self._placing = self.source, placing

    def _image(
        self, form: str, *, engine: str = "dot", timeout: float = rendering.TIMEOUT, pointed: bool = True
    ) -> bytes:
        source = self.source
        if engine == "dot" and self._placing is not None and self._placing[0] == source:
            began = time.monotonic()
            try:
                source = self._placing[1](timeout)
            except RenderError:
                if time.monotonic() - began >= timeout:
                    raise
                # Else the unplaced text will raise it too, in the words of its form.
            timeout = max(timeout - (time.monotonic() - began), 0.1)
        source = source if pointed and form.startswith("svg") else without_pointing(source)
        image = rendering.image(source, form, engine=engine, timeout=timeout)
        if form != "svg" or not self.alt:
            return image
        return image.replace(b"<svg ", f'<svg role="img" aria-label="{html.escape(self.alt)}" '.encode(), 1)

    def save_as(self, path: str | os.PathLike[str], *, timeout: float = rendering.TIMEOUT) -> Path:
        """Write the picture to `path`, and nothing else: see `autodiff.pictures.render`."""
        return rendering.render(self, path, timeout=timeout)

    def save(
        self, filename: str | os.PathLike[str] | None = None, directory: str | os.PathLike[str] | None = None,
        *, skip_existing: bool | None = False,
    ) -> str:  # fmt: skip
        """Write the DOT source, as graphviz does; ValueError where the name is that of an image."""
        form = rendering.FORMATS.get(Path(os.fspath(filename or "")).suffix.lower(), "dot")
        if form != "dot":
            raise ValueError(
                f"save writes the picture's DOT source, not an image, got {str(filename)!r}; "
                f"save_as({str(filename)!r}) writes the image"
            )
        return cast("Any", super()).save(filename, directory=directory, skip_existing=skip_existing)

    def pipe(
        self,
        format: str | None = None,  # noqa: A002 # graphviz calls it so
        *options: Any,  # Any: options and more are graphviz's own; the result is text or bytes
        engine: str | None = None,
        encoding: str | None = None,
        **more: Any,
    ) -> Any:
        """Return the image as bytes, or as text in an `encoding`.

        Raises ValueError for a format or engine that Graphviz does not know, RenderError when no image came out.
        """
        if _asks_for_dot(options, more):
            return super().pipe(format, *options, engine=engine, encoding=encoding, **more)
        form = _known(format or self.format, graphviz.FORMATS, "format")
        image = self._image(form, engine=_known(engine or self.engine, graphviz.ENGINES, "engine"))
        return image.decode(encoding) if encoding else image

    def render(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        view: bool = False,
        cleanup: bool = False,
        format: str | None = None,  # noqa: A002 # graphviz calls it so
        *options: Any,  # Any: options and more are graphviz's own
        outfile: str | os.PathLike[str] | None = None,
        engine: str | None = None,
        **more: Any,
    ) -> str:
        """Save the source and, beside it, the image, as graphviz does; return the path of the image.

        Raises what `pipe` raises, and keeps the source then. `save_as` writes the image alone.
        """
        more |= zip(("renderer", "formatter", "neato_no_op", "quiet", "quiet_view"), options, strict=False)
        if _asks_for_dot((), more):
            more |= {"directory": directory, "view": view, "cleanup": cleanup, "format": format}
            return cast("Any", super()).render(filename, outfile=outfile, engine=engine, **more)
        target = None if outfile is None else Path(os.fsdecode(self.directory if directory is None else ""), outfile)
        form = format or (target.suffix[1:] if target else "") or self.format
        if target and filename is None:
            filename = target.with_suffix(".gv")
        source: str = cast("Any", self).save(filename, directory=directory)
        target = target or Path(f"{source}.{form}")
        rendering.write(target, self.pipe(form, engine=engine))
        if cleanup:
            Path(source).unlink()
        if view:
            cast("Any", graphviz).view(target)
        return str(target)

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None, **_: Any
    ) -> dict[str, Any]:
        """Return what Jupyter shows: SVG if there is a Graphviz, else the DOT source as text; never raise.

        As HTML, which exports and notebooks prefer, it keeps its tooltips, its words and the width of its column; as an
        image, exports leave out the words.
        """
        wanted = {"text/html", "image/svg+xml"} if include is None else set(include)
        hidden = set(exclude or ())
        bundle: dict[str, Any] = {"text/plain": self.source} if "text/plain" in wanted else {}
        made: dict[str, Any] = {}
        for mime, form in _FROM_MIME.items():
            if mime not in wanted - hidden:
                continue
            try:
                if form not in made:  # as an image it has no tooltips
                    image = self._image(form, engine=self.engine, timeout=NOTEBOOK_TIMEOUT, pointed=False)
                    made[form] = self._fitted(image.decode()) if form == "svg" else image
            except RenderError as error:
                bundle["text/plain"] = f"// {' '.join(str(error).split())}\n{self.source}"
                break
            shown: Any = made[form]
            bundle[mime] = shown[shown.index("<svg") :] if mime == "text/html" else shown
        return {mime: shown for mime, shown in bundle.items() if mime not in hidden}

    def _fitted(self, svg: str) -> str:
        """Return an SVG no wider than its column, nor as an image, which knows only the size written in its head."""
        width, height = (float(each) for each in SIZE.findall(svg)[0])
        part = min(1.0, _COLUMN / width)
        style = f'style="width:{width:g}pt;max-width:100%;height:auto"'
        return SIZE.sub(f' {style} width="{part * width:g}pt" height="{part * height:g}pt"', svg, count=1)


def _asks_for_dot(options: tuple[Any, ...], more: dict[str, Any]) -> bool:
    """Tell whether an option was given that only the system's `dot` has; `quiet` is not one."""
    return any(options) or any(value for name, value in more.items() if not name.startswith("quiet"))


def _known(name: str, names: Iterable[str], what: str) -> str:
    if name.lower() not in names:
        raise ValueError(f"{what} must be one of {', '.join(sorted(names))}, got {name!r}")
    return name.lower()
