"""The look of plots: the colours of the graph's pictures, new Axes without pyplot, light and dark."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from models._checks import positive, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
else:  # matplotlib is optional, and slow to import
    Axes = Figure = Any

DPI = 100  # of what a notebook shows
_SMALL = 2.2  # inches: narrower Axes have room for a small legend only


class Palette(NamedTuple):
    """Colours that are told apart in every common kind of colour blindness, on one kind of paper.

    Blue and orange are what they are in the graph's pictures: above 0 and below it. `series` are for things that have
    no sign, such as classes and curves, and begin with the same two.
    """

    paper: str
    ink: str
    muted: str
    grid: str
    positive: str
    negative: str
    series: tuple[str, ...]


LIGHT = Palette(
    paper="#ffffff", ink="#1f2933", muted="#52606d", grid="#dde3e9", positive="#0b5fa5", negative="#ad4400",
    series=("#0b5fa5", "#ad4400", "#00795c", "#8c4a86", "#6b5b00", "#4a5560"),
)  # fmt: skip
DARK = Palette(
    paper="#0f151c", ink="#eef3f8", muted="#a3b1bf", grid="#26303b", positive="#78bcff", negative="#ffab66",
    series=("#78bcff", "#ffab66", "#4fc9a4", "#d79bd1", "#d9c65c", "#b8c4cf"),
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P")  # one per class: never by colour alone


def axes(*, dark: bool = False, size: tuple[float, float] = (5.2, 3.6), projection: str | None = None) -> Axes:
    """Make the Axes of a new figure, `size` inches wide and high, for light paper or dark.

    The figure belongs to no window and to nothing but you: `ax.figure.savefig(path)` writes it, and a notebook shows
    `ax.figure` as the last line of a cell. What draws on these Axes takes its colours from their background.

    Raises ImportError where matplotlib is not installed, ValueError for a size that is not above 0.

    >>> axes(dark=True).get_facecolor() == axes().get_facecolor()
    False
    """
    return panels(1, dark=dark, size=size, projection=projection)[0]


def panels(
    count: int, *, columns: int | None = None, dark: bool = False, size: tuple[float, float] = (3.6, 3.2),
    projection: str | None = None,
) -> list[Axes]:  # fmt: skip
    """Make `count` Axes in one new figure, in rows of `columns`, else side by side, each of `size` inches.

    >>> left, right = panels(2)
    >>> left.figure is right.figure
    True
    >>> [ax.get_subplotspec().rowspan.start for ax in panels(3, columns=2)]
    [0, 0, 1]
    """
    whole("count", count)
    columns = count if columns is None else min(whole("columns", columns), count)
    rows = -(-count // columns)
    for inches in size:
        positive("size", inches)
    colours = DARK if dark else LIGHT
    figure = _sheet()(figsize=(size[0] * columns, size[1] * rows), layout="constrained", facecolor=colours.paper)
    made = [figure.add_subplot(rows, columns, i, projection=projection) for i in range(1, count + 1)]
    for ax in made:
        _dress(ax, colours)
    return made


def canvas(ax: Axes | None, **options: Any) -> tuple[Axes, Palette]:
    """Return the Axes that a caller passed, or those of a new figure, and the palette for their background."""
    if ax is None:
        ax = axes(**options)
    elif not hasattr(ax, "add_collection"):
        raise TypeError(f"ax must be matplotlib Axes, got {type(ax).__name__}; those of a figure are in figure.axes")
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(ax.get_facecolor())
    return ax, LIGHT if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else DARK


def finished(ax: Axes, *, x: str, y: str, title: str = "", names: bool = True, **limits: Any) -> Axes:
    """Name the axes, where they have no name yet, set `xlim` and `ylim`, and show the names of what is drawn."""
    ax.set(xlabel=ax.get_xlabel() or x, ylabel=ax.get_ylabel() or y, title=ax.get_title() or title, **limits)
    if names:
        legend(ax)
    return ax


def legend(ax: Axes) -> None:
    """Show the names of what is drawn, in the colours of the Axes, and small where these are small."""
    if not ax.get_legend_handles_labels()[0]:
        return
    _, colours = canvas(ax)
    small = ax.bbox.width < _SMALL * ax.figure.dpi
    tiny = {"fontsize": "xx-small", "handlelength": 1.2, "borderpad": 0.3}
    look: dict[str, Any] = tiny if small else {"fontsize": "small"}
    shown = ax.legend(frameon=True, framealpha=0.8, labelcolor=colours.ink, **look)
    shown.get_frame().set(facecolor=colours.paper, edgecolor=colours.grid)


def blend(colour: str, paper: str, share: float) -> tuple[float, ...]:
    """Return an opaque mixture of `share` of the colour with paper, so that nothing shines through."""
    from matplotlib.colors import to_rgb

    return tuple(share * c + (1.0 - share) * p for c, p in zip(to_rgb(colour), to_rgb(paper), strict=True))


def _dress(ax: Any, colours: Palette) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.set_facecolor(colours.paper)
    ax.title.set_color(colours.ink)
    three = hasattr(ax, "zaxis")
    for axis in (ax.xaxis, ax.yaxis, *([ax.zaxis] if three else [])):
        axis.label.set_color(colours.ink)
        axis.set_tick_params(which="both", colors=colours.muted, labelsize="small")
        axis.set_major_locator(MaxNLocator(3 if three else 6, steps=[1, 2, 2.5, 5, 10]))
        if three:
            axis.set_pane_color(colours.paper)
            axis.line.set_color(colours.muted)
    if three:
        ax.grid(visible=False)
    else:
        for side, spine in ax.spines.items():
            spine.set_visible(side in {"left", "bottom"})
            spine.set_color(colours.muted)


@cache
def _sheet() -> type[Figure]:
    """Make the class of our figures when it is first needed: matplotlib is optional, and slow to import."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "delta-autodiff[plots]"') from error

    class Sheet(Figure):
        """A figure that notebooks show by itself, pyplot or not."""

        def _repr_mimebundle_(self, **_: Any) -> dict[str, bytes | str]:
            image = io.BytesIO()
            self.savefig(image, format="png", dpi=DPI, pil_kwargs={"optimize": True})
            return {"image/png": image.getvalue(), "text/plain": repr(self)}

    return Sheet
