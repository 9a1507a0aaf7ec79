"""LivePlot: a callback of `train` that lets the loss curve, and what the model makes of its inputs, grow in a cell."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from html import escape
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autodiff import TraceError, compile, no_grad
from autodiff.wording import language_of, speaking
from models import _checks as check
from models._checks import Array
from models._values import plain
from models.errors import say

_WIDTH, _HEIGHT, _MARGIN = 360.0, 260.0, 34.0  # pixels of each half
_GRID = 40  # places along each side of the plane
_DOTS = 400  # samples drawn
_SHARE = 0.1  # of the time, at most, that drawing may take
_BARS = "▁▂▃▄▅▆▇█"
_COLOURS = ("#ad4400", "#0b5fa5", "#00795c", "#8c4a86", "#6b5b00", "#4a5560")


class LivePlot:
    """A callback of `models.training.train` that shows in a notebook how training goes, while it goes.

    The loss curve grows, with that of the validation samples; with `X` and `y` of one feature so does the fitted curve,
    of two features the plane as the model decides it: orange and blue below and above the `middle`, that between the
    least and the largest of `y` unless it is given (0 for logits), and a colour for each output of several. It is drawn
    anew every `seconds`, or more rarely where that would cost over a tenth of the time. Where there is no display, a
    terminal shows a line with a small bar chart of the losses, and a pipe gets such a line at epochs 1, 2, 5, 10, 20,
    50 and so on. `verbose=1` of the estimators shows it in notebooks. Words are in the `language` "en" or "es", by
    default that of `autodiff.set_language`.

    Raises ValueError for an X without its y, or of other lengths, and for `seconds` below 0.

    >>> from models import MLP
    >>> from models.training import train
    >>> plot = LivePlot()
    >>> history = train(MLP(1, [1], random_state=0), [[0.0], [1.0]], [0.0, 1.0], epochs=2, callbacks=[plot])
    epoch 1: loss 0.338 ▁
    epoch 2: loss 0.336 █▁
    """

    def __init__(
        self, X: ArrayLike | None = None, y: ArrayLike | None = None, *, middle: float | None = None,
        seconds: float = 0.3, language: str | None = None,
    ) -> None:  # fmt: skip
        check.not_negative("seconds", seconds)
        if (X is None) != (y is None):
            raise ValueError("X and y must both be given, or neither, got one of them")
        self.middle, self.seconds, self.language = middle, seconds, language_of(language)
        self._samples: tuple[Array, Array] | None = None
        if X is not None:
            inputs = np.asarray(check.numbers("X", X), dtype=np.float64)
            if not inputs.size:
                raise ValueError(
                    f"X must hold at least one sample, got {inputs.shape}; leave X and y out for losses alone"
                )
            self._samples = inputs.reshape(len(inputs), -1), np.asarray(check.targets(y, len(inputs), "LivePlot"))
        self._end: Any = None
        self._handle: Any = None
        self._next = 0.0
        self._shown = 0  # the epoch that was drawn last

    def __call__(self, end: Any) -> None:  # Any: an EpochEnd, whose module imports this one
        """Take note of the end of an epoch, and draw if it is time."""
        self._end = end
        if not in_notebook() and not sys.stdout.isatty():
            first = end.epoch // 10 ** int(math.log10(end.epoch))
            if first in {1, 2, 5} and end.epoch % 10 ** int(math.log10(end.epoch)) == 0:
                self.done()
        elif time.monotonic() >= self._next:
            began = time.monotonic()
            self._draw()
            self._next = time.monotonic() + max(self.seconds, (time.monotonic() - began) / _SHARE)

    def done(self) -> None:
        """Draw the last epoch, if it is not drawn yet; `train` calls this when it ends."""
        if self._end is not None and self._shown != self._end.epoch:
            self._draw()
        if self._shown and not in_notebook() and sys.stdout.isatty():
            print()  # noqa: T201 # the line stays

    def _draw(self) -> None:
        self._shown = self._end.epoch
        if not in_notebook():
            start, stop = ("\r", "\x1b[K") if sys.stdout.isatty() else ("", "\n")
            print(f"{start}{self!r}", end=stop, flush=True)  # noqa: T201 # asked for
        elif self._handle is None:
            from IPython.display import display  # it is there: a notebook is

            self._handle = display(self, display_id=True)
        else:
            self._handle.update(self)

    def __repr__(self) -> str:
        if self._end is None:
            return f"{type(self).__name__}(): {self._say('none')}"
        losses = [loss for loss in self._end.history.loss_curve if math.isfinite(loss)]
        picked = [losses[int(i)] for i in np.linspace(0, len(losses) - 1, min(len(losses), 24))] if losses else []
        low, span = min(picked, default=0.0), max(picked, default=0.0) - min(picked, default=0.0) or 1.0
        bars = "".join(_BARS[round((loss - low) / span * 7)] for loss in picked)
        with speaking(self.language):
            return f"{told(self._end, str(self._end.epoch), '.3g')} {bars}"

    def _say(self, name: str) -> str:
        with speaking(self.language):
            return say(f"live.{name}")

    def _repr_html_(self) -> str:
        """Return the curves as SVG, in words too, no wider than the cell."""
        if self._end is None:
            return escape(repr(self))
        parts = [*self._losses()]
        width = _WIDTH
        if self._samples is not None and self._samples[0].shape[1] in {1, 2}:
            inside = self._line() if self._samples[0].shape[1] == 1 else self._plane()
            parts += [f'<g transform="translate({_WIDTH},0)">', *inside, "</g>"]
            width += _WIDTH
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {_HEIGHT:g}" width="{width:g}" role="img" '
            f'aria-label="{escape(repr(self))}" style="max-width:100%;height:auto;background:#fff" fill="#52606d" '
            f'font-family="system-ui,sans-serif" font-size="12">{"".join(parts)}</svg>'
        )

    def _losses(self) -> Iterator[str]:
        history = self._end.history
        curves = {"loss": history.loss_curve, "validation": history.validation_curve}
        shown = {name: [(k + 1.0, y) for k, y in enumerate(c) if math.isfinite(y)] for name, c in curves.items()}
        heights = [y for curve in shown.values() for _, y in curve]
        if not heights:
            return
        log = min(heights) > 0.0 and max(heights) > 20 * min(heights)
        scaled = {name: [(x, math.log10(y) if log else y) for x, y in curve] for name, curve in shown.items()}
        frame = _Frame([x for curve in scaled.values() for x, _ in curve], [y for c in scaled.values() for _, y in c])
        yield frame.border()
        for (name, curve), colour in zip(scaled.items(), _COLOURS[1::-1], strict=True):
            if curve:
                yield frame.path(curve[: -1 : max(len(curve) // 400, 1)] + curve[-1:], colour)
                yield f'<text x="{_WIDTH - 8:g}" y="{36 + 16 * (name != "loss")}" text-anchor="end" fill="{colour}">'
                yield f"{self._say(name)} {shown[name][-1][1]:.3g}</text>"
        below = f"{self._say('epoch')} {self._end.epoch}{self._say('log') * log}"
        yield f'<text x="{_MARGIN:g}" y="{_HEIGHT - 10:g}">{below}</text>'
        yield f'<text x="{_MARGIN:g}" y="14">{max(heights):.3g}</text>'

    def _line(self) -> Iterator[str]:
        X, y = self._some()
        places = np.linspace(X.min(), X.max(), 120)
        outputs = self._outputs(places[:, None])
        frame = _Frame(X[:, 0].tolist(), [*y.ravel().tolist(), *outputs.ravel().tolist()])
        yield frame.border()
        for row, targets in zip(X[:, 0].tolist(), y.reshape(len(y), -1).tolist(), strict=True):
            yield from (frame.dot(row, target, _COLOURS[5]) for target in targets)
        for k, curve in enumerate(outputs.T.tolist()):
            yield frame.path(list(zip(places.tolist(), curve, strict=True)), _COLOURS[(k + 1) % 6])

    def _plane(self) -> Iterator[str]:
        X, y = self._some()
        low, high = X.min(axis=0), X.max(axis=0)
        low, high = low - 0.1 * (high - low), high + 0.1 * (high - low)
        frame = _Frame([low[0], high[0]], [low[1], high[1]])
        across, along = (np.linspace(low[i], high[i], _GRID + 1) for i in (0, 1))
        middles = [(side[1:] + side[:-1]) / 2 for side in (across, along)]
        outputs = self._outputs(np.column_stack([grid.ravel() for grid in np.meshgrid(*middles)]))
        if outputs.shape[1] > 1:
            colours, strong = outputs.argmax(axis=1) % 6, np.full(len(outputs), 0.3)
        else:
            ends = float(y.min()), float(y.max())
            middle = sum(ends) / 2 if self.middle is None else self.middle
            from_middle = (outputs[:, 0] - middle) / ((ends[1] - ends[0]) / 2 or 1.0)
            colours, strong = (from_middle > 0).astype(int), 0.08 + 0.08 * np.round(4 * np.minimum(abs(from_middle), 1))
        looks = [(_COLOURS[c], round(float(s), 2)) for c, s in zip(colours, strong, strict=True)]
        for j in range(_GRID):
            row, start = looks[j * _GRID : (j + 1) * _GRID], 0
            for stop in range(1, _GRID + 1):
                if stop == _GRID or row[stop] != row[start]:
                    yield frame.cell(across[start], along[j], across[stop], along[j + 1], *row[start])
                    start = stop
        classes = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else np.unique(y, return_inverse=True)[1].ravel()
        classes = classes if classes.max() < 6 else (y.ravel() > np.median(y)).astype(int)
        for (x1, x2), colour in zip(X.tolist(), classes.tolist(), strict=True):
            yield frame.dot(x1, x2, _COLOURS[colour])
        yield frame.border()

    def _some(self) -> tuple[Array, Array]:
        assert self._samples is not None  # the caller has looked
        step = max(len(self._samples[0]) // _DOTS, 1)
        return self._samples[0][::step], self._samples[1][::step]

    def _outputs(self, places: Array) -> Array:
        model = self._end.model
        try:
            found: Any = compile(model)(places)
        except TraceError:
            with no_grad():
                made: list[Any] = [model(row) for row in places.tolist()]
            found = [[plain(a) for a in (each if isinstance(each, list) else [each])] for each in made]
        return np.asarray(found, dtype=np.float64).reshape(len(places), -1)


def curves(history: Any) -> str:  # Any: a History, whose module imports this one
    """Return the curves of a history as a notebook shows them."""
    if not history.n_iter:
        return escape(repr(history))
    plot, validation = LivePlot(), history.validation_curve
    plot._end = SimpleNamespace(  # pyright: ignore[reportPrivateUsage] # its own module
        epoch=history.n_iter, loss=history.loss_curve[-1], validation_loss=validation[-1] if validation else None,
        history=history,
    )  # fmt: skip
    return plot._repr_html_()  # pyright: ignore[reportPrivateUsage]


class _Frame:
    """A rectangle of the drawing, for numbers between the least and the largest of those given."""

    def __init__(self, across: list[float], along: list[float]) -> None:
        self.low = min(across), min(along)
        self.span = max(across) - self.low[0] or 1.0, max(along) - self.low[1] or 1.0

    def at(self, x: float, y: float) -> tuple[float, float]:
        right = _MARGIN + (x - self.low[0]) / self.span[0] * (_WIDTH - _MARGIN - 8)
        return round(float(right), 1), round(float(_HEIGHT - 28 - (y - self.low[1]) / self.span[1] * (_HEIGHT - 48)), 1)

    def border(self) -> str:
        size = f'width="{_WIDTH - _MARGIN - 8:g}" height="{_HEIGHT - 48:g}"'
        return f'<rect x="{_MARGIN:g}" y="20" {size} fill="none" stroke="#cbd5df"/>'

    def path(self, points: list[tuple[float, float]], colour: str) -> str:
        way = " ".join(f"{x:g},{y:g}" for x, y in (self.at(*point) for point in points))
        return f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>'

    def dot(self, x: float, y: float, colour: str) -> str:
        right, down = self.at(x, y)
        return f'<circle cx="{right:g}" cy="{down:g}" r="3" fill="{colour}" stroke="#fff"/>'

    def cell(self, left: float, low: float, right: float, high: float, colour: str, strong: float) -> str:
        (x, down), (end, up) = self.at(left, low), self.at(right, high)
        size = f'width="{end - x:.1f}" height="{down - up:.1f}"'
        return f'<rect x="{x:g}" y="{up:g}" {size} fill="{colour}" fill-opacity="{strong:g}"/>'


def told(end: Any, epoch: str, form: str) -> str:  # Any: as above
    """Return a line that tells the losses of an epoch, formatted, in the language in force."""
    line = say("live.line", epoch=epoch, loss=format(end.loss, form))
    held_out = end.validation_loss
    return line + ("" if held_out is None else say("live.held out", loss=format(held_out, form)))


def in_notebook() -> bool:
    """Tell whether a kernel with rich displays runs this, as in Jupyter, VS Code and Colab."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and getattr(shell, "kernel", None) is not None
