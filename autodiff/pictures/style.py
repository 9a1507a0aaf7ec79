"""The look of pictures: themes, strokes, numbers and text. Pure functions, without graphs or files.

Hue shows the sign: blue above 0, orange below (distinct in every common kind of colour blindness); width shows the
size relative to the largest in the picture. Crimson is reserved for infinities and NaN.
"""

import html
import math
import re
from collections.abc import Callable, Iterable, Iterator
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

FONT = "Helvetica,Arial,DejaVu Sans,sans-serif"
FONT_SIZE = 13.0  # points of ordinary text
LABEL_LENGTH = 24  # characters of a label shown in a node; the tooltip has all of them

ThemeName = Literal["light", "dark"]
Role = Literal["operation", "parameter", "input", "constant"]
NumberFormat = str | Callable[[float], str]


class Tone(NamedTuple):
    """The colours of a number: text and stroke in `ink`, on `paper`, the stroke solid or dashed."""

    name: str
    ink: str
    paper: str
    stroke: str = "solid"


class Theme(NamedTuple):
    """The colours of a picture."""

    paper: str
    ink: str
    muted: str
    stroke: str
    operation: tuple[str, str]  # paper and stroke of each kind of node
    parameter: tuple[str, str]
    input: tuple[str, str]
    groups: tuple[str, ...]  # papers of clusters, outermost first
    group_stroke: str
    active: str
    positive: Tone
    negative: Tone
    zero: Tone
    unswept: Tone
    alarm: Tone

    def tone(self, number: float | None) -> Tone:
        """Return the tone of a number; None stands for a δ that is not yet swept."""
        if number is None:
            return self.unswept
        if not math.isfinite(number):
            return self.alarm
        return self.positive if number > 0.0 else self.negative if number < 0.0 else self.zero

    def card(self, role: Role) -> tuple[str, str]:
        """Return paper and stroke of a node."""
        return {"parameter": self.parameter, "input": self.input}.get(role, self.operation)


LIGHT = Theme(
    paper="#ffffff", ink="#1f2933", muted="#52606d", stroke="#8291a1",
    operation=("#ffffff", "#52606d"), parameter=("#f2edfb", "#7d5bbe"), input=("#e4f4ef", "#2f8273"),
    groups=("#f6f8fa", "#eceff3", "#e3e8ed"), group_stroke="#cbd5df", active="#e0a800",
    positive=Tone("positive", "#0b5fa5", "#e3effa"), negative=Tone("negative", "#ad4400", "#fdeee0"),
    zero=Tone("zero", "#52606d", "#e9edf1"), unswept=Tone("unswept", "#56616f", "#ffffff", "dashed"),
    alarm=Tone("alarm", "#b0003a", "#fde7ee"),
)  # fmt: skip
DARK = Theme(
    paper="#0f151c", ink="#eef3f8", muted="#a3b1bf", stroke="#6f7f90",
    operation=("#18212b", "#7d8b9a"), parameter=("#2a2142", "#ab8fe3"), input=("#11312b", "#59b8a5"),
    groups=("#141c25", "#1a242f", "#212d3a"), group_stroke="#34424f", active="#ffd24d",
    positive=Tone("positive", "#78bcff", "#12304d"), negative=Tone("negative", "#ffab66", "#43280f"),
    zero=Tone("zero", "#a3b1bf", "#26303b"), unswept=Tone("unswept", "#93a1af", "#0f151c", "dashed"),
    alarm=Tone("alarm", "#ff86a8", "#4d1128"),
)  # fmt: skip


def swaps(one: Theme, other: Theme) -> dict[str, str]:
    """Return each colour of one theme with its counterpart in another; of several counterparts, the first."""
    found: dict[str, str] = {}
    for mine, yours in zip(_flat(one), _flat(other), strict=True):
        found.setdefault(mine, yours)
    return found


def _flat(theme: Any) -> Iterator[str]:
    for each in theme:
        if isinstance(each, tuple):
            yield from _flat(each)
        elif each.startswith("#"):
            yield each


THEMES = MappingProxyType({"light": LIGHT, "dark": DARK})

_THIN, _THICK = 1.0, 6.0

_SYMBOLS = {"*": "×", "-": "−", "/": "÷", "**": "xⁿ", "abs": "|x|", "Σwx": "Σ wx"}
_NEWLINE = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
_SPACE = re.compile("[\t\xa0]")
# Illegal in XML, or reversing the direction of the surrounding text: controls, surrogates, noncharacters, overrides.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\u202a-\u202e\u2066-\u2069]")
# Graphviz replaces \N, \G, … by names, in HTML-like labels too, and twice in tooltips, so doubling the backslash is
# not enough. An invisible word joiner between backslash and letter keeps them text.
_JOINER = "\u2060"


class Scale:
    """The widths of strokes for the numbers of one picture: by square roots, the largest six times as wide as 0.

    So twice the number is visibly more, and a hundredth is still visible.

    >>> scale = Scale([0.25, -1.0, 0.0])
    >>> scale.width(0.0), scale.width(0.25), scale.width(-1.0), scale.width(math.inf), scale.examples()
    (1.0, 3.5, 6.0, 6.0, [0.25, 1.0])
    """

    def __init__(self, numbers: Iterable[float | None]) -> None:
        self._sizes = sorted({abs(x) for x in numbers if x and math.isfinite(x)})
        self._largest = self._sizes[-1] if self._sizes else 1.0

    def width(self, number: float | None) -> float:
        """Return the stroke's width in points."""
        if not number:
            return _THIN
        if not math.isfinite(number):
            return _THICK
        return round(_THIN + (_THICK - _THIN) * min(math.sqrt(abs(number) / self._largest), 1.0), 2)

    def points(self, number: float, share: float = 1.0) -> int:
        """Return the thickness of a sample of a stroke, a `share` of its width, in whole points."""
        return max(round(share * self.width(number)), 1)

    def examples(self, share: float = 1.0) -> list[float]:
        """Return up to three numbers that differ to the eye: the smallest besides 0, the middle width, the largest."""
        if not self._sizes:
            return []
        thin, thick = (self.points(self._sizes[end], share) for end in (0, -1))
        between = [x for x in self._sizes if thin < self.points(x, share) < thick]
        middle = (self.width(self._sizes[0]) + _THICK) / 2
        nearest = sorted(between, key=lambda x: abs(self.width(x) - middle))[:1]
        return [*self._sizes[: thin < thick], *nearest, self._sizes[-1]]


def show(number: float, digits: int) -> str:
    """Return a number to `digits` significant digits, with a real minus sign and short exponents.

    >>> show(-0.00125, 2), show(-2.5e-9, 4), show(3.0, 4), show(float("-inf"), 4), show(-0.0, 4)
    ('−0.0013', '−2.5e−9', '3', '−∞', '0')
    """
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "∞" if number > 0.0 else "−∞"
    mantissa, e, power = f"{number or 0.0:.{digits}g}".partition("e")
    return (mantissa + (e and f"e{int(power)}")).replace("-", "−")


def formatter(digits: int, number_format: NumberFormat | None) -> Callable[[float], str]:
    """Return a function that writes numbers: to `digits` digits, by a format specification, or by a user's function.

    >>> formatter(4, ".2f")(-0.125), formatter(4, lambda x: f"{x:.0%}")(0.5)
    ('−0.12', '50%')
    """
    if number_format is None:
        return lambda number: show(number, digits)
    if isinstance(number_format, str):
        try:
            format(1.0, number_format)
        except ValueError as error:
            raise ValueError(f"number_format must format a float, got {number_format!r} ({error}); try '.3f'") from None
        return lambda number: (
            format(number, number_format).replace("-", "−") if math.isfinite(number) else show(number, 1)
        )
    if not callable(number_format):
        raise TypeError(f"number_format must be a format such as '.3f' or a function of a float, got {number_format!r}")
    return lambda number: str(number_format(number)) if math.isfinite(number) else show(number, 1)


def brief_formatter(digits: int, number_format: NumberFormat | None) -> Callable[[float], str]:
    """Return a function that writes numbers if room is scarce: to two digits, or one if that is still long.

    >>> brief_formatter(4, None)(-0.001234), brief_formatter(4, None)(123.4), brief_formatter(4, ".3f")(0.5)
    ('−0.001', '1.2e2', '0.500')
    """
    if number_format is not None:
        return formatter(digits, number_format)
    two, one = formatter(min(digits, 2), None), formatter(1, None)
    return lambda number: text if len(text := two(number)) <= 6 else one(number)


def clean(text: str) -> str:
    """Return text as one line for fonts, XML and DOT: line breaks become ↵, characters that cannot be shown �."""
    return _UNSHOWABLE.sub("\ufffd", _SPACE.sub(" ", _NEWLINE.sub("↵", text)))


def shorten(text: str, length: int = LABEL_LENGTH) -> str:
    """Return a cleaned text, cut with an ellipsis if it is longer than `length`."""
    text = clean(text).strip()
    return text if len(text) <= length else text[: length - 1] + "…"


def symbol(text: str) -> str:
    """Return the typeset symbol of an operation."""
    return shorten(_SYMBOLS.get(text, text), 8)


def markup(text: str) -> str:
    """Return text escaped for an HTML-like label."""
    return html.escape(clean(text)).replace("\\", "\\" + _JOINER)


def quoted(*lines: str) -> str:
    """Return lines of text for a quoted attribute such as a tooltip, with entities and backslashes escaped."""
    return "\\n".join(clean(line).replace("&", "&amp;").replace("\\", "\\\\" + _JOINER) for line in lines)


def font(text: str, color: str, size: int = 13) -> str:
    """Return text in a colour and a size, for an HTML-like label."""
    return f'<FONT COLOR="{color}" POINT-SIZE="{size}">{text}</FONT>'


def beside(text: str) -> str:
    """Return the label of an edge, clear of its own stroke."""
    return f'<<TABLE BORDER="0" CELLPADDING="3"><TR><TD>{markup(text)}</TD></TR></TABLE>>'


def pill(theme: Theme, text: str, delta: float | None, size: int = 12, room: int = 0) -> str:
    """Return δ in a frame of its own accent, with room for `room` characters."""
    tone = theme.tone(delta)
    width = f' WIDTH="{round(0.55 * size * room)}"' if room else ""
    return (
        f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2" STYLE="rounded,{tone.stroke}" '
        f'COLOR="{tone.ink}" BGCOLOR="{tone.paper}"><TR><TD{width}>{font(markup(text), tone.ink, size)}</TD></TR>'
        "</TABLE>"
    )
