"""Figures one after the other as a GIF: how a line moves while it learns, how a border bends."""

from __future__ import annotations

import io
import math
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from models._checks import positive
from models.plots.style import Figure

_COLOURS = 64  # of a frame: plots have few


def write_gif(
    figures: Iterable[Figure], path: str | os.PathLike[str], *, seconds: float = 0.25, last: float = 3.0
) -> Path:
    """Write figures of one size as a GIF that plays for ever, and return its path.

    Each is shown for so many `seconds`, the last one for `last`. The figures may come from a generator, which draws
    one while training goes on. The file appears whole or not at all.

    Raises ValueError for another suffix than .gif, no figure, figures of different sizes, and times that are not above
    0; FileNotFoundError when the folder does not exist.

    >>> import tempfile
    >>> from models.plots import regression_line
    >>> lines = [(0.0, 0.0), (1.5, 0.5), (2.0, 1.0)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     steps = (regression_line([1, 2, 3], [3, 5, 7], lines[: i + 1]).figure for i in range(3))
    ...     write_gif(steps, f"{folder}/line.gif").read_bytes()[:6]
    b'GIF89a'
    """
    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise ValueError(f"path must end in .gif, got {str(path)!r}")
    positive("seconds", seconds)
    positive("last", last)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder of path must exist, got {str(path)!r}; create {str(path.parent)!r} first")
    if path.is_dir():
        raise IsADirectoryError(f"path must be that of a file, got the folder {str(path)!r}")
    frames = [_frame(figure) for figure in figures]
    if not frames:
        raise ValueError("figures must hold at least one figure, got none")
    sizes = {frame.size for frame in frames}
    if len(sizes) > 1:
        raise ValueError(f"figures must all have one size, got {sorted(sizes)} pixels")
    waits = [math.ceil(1000 * each) for each in [*[seconds] * (len(frames) - 1), last]]
    content = io.BytesIO()
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:], duration=waits, loop=0, disposal=1)
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
    try:
        temporary.write_bytes(content.getvalue())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _frame(figure: Figure) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image  # comes with matplotlib

    if not isinstance(figure, Figure):  # pyright: ignore[reportUnnecessaryIsInstance] # callers need not be typed
        raise TypeError(f"figures must be matplotlib Figures, got {type(figure).__name__}; that of Axes is ax.figure")
    before = figure.canvas
    try:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # once, where savefig draws twice
        drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    finally:
        figure.set_canvas(before)
    return drawn.quantize(_COLOURS, dither=Image.Dither.NONE)
