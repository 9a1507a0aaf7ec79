"""How pictures look: colours, strokes, numbers and text. Pure functions, nothing of graphs or files.

δ alone is in colour: blue where it is positive, orange where it is negative (told apart in every common kind of
colour blindness), with more width the larger it is. Crimson is kept for what is infinite or NaN.
"""

from __future__ import annotations

import html
import math
import re
from typing import NamedTuple

FONT = "Helvetica,Arial,DejaVu Sans,sans-serif"
LABEL_LENGTH = 24  # characters of a label that a node shows; the tooltip has them all

INK, MUTED, STROKE, PAPER = "#1f2933", "#52606d", "#8291a1", "#ffffff"
LEAF_PAPER, LEAF_STROKE = "#edf2f7", "#9fb3c8"


class Tone(NamedTuple):
    """How a number is drawn: text and stroke in `ink`, on `paper`, the stroke solid or dashed."""

    name: str
    ink: str
    paper: str
    stroke: str = "solid"


POSITIVE = Tone("positive", "#0b5fa5", "#e3effa")
NEGATIVE = Tone("negative", "#b34700", "#fdeee0")
ZERO = Tone("zero", "#52606d", "#e9edf1")
UNSWEPT = Tone("unswept", "#697586", PAPER, "dashed")
ALARM = Tone("alarm", "#b0003a", "#fde7ee")

_THIN, _THICK = 1.0, 5.0
_SMALL, _LARGE = -3.0, 3.0  # the powers of ten that are drawn thinnest and thickest

_SYMBOLS = {"*": "×", "-": "−"}
_NEWLINE = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
_SPACE = re.compile("[\t\xa0]")
# Illegal in XML, or turning the direction of all text around them: controls, surrogates, noncharacters, overrides.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\u202a-\u202e\u2066-\u2069]")
# Graphviz puts names in the place of \N, \G, …, in HTML-like labels too, and twice over in tooltips, so that doubling
# the backslash is not enough. A word joiner, invisible, between backslash and letter keeps them text.
_JOINER = "\u2060"


def tone(number: float | None) -> Tone:
    """The tone of a δ; None for one that is not yet swept."""
    if number is None:
        return UNSWEPT
    if not math.isfinite(number):
        return ALARM
    return POSITIVE if number > 0.0 else NEGATIVE if number < 0.0 else ZERO


def width(number: float | None) -> float:
    """The stroke's width for a δ, in points: by its order of magnitude, the same in every picture.

    >>> width(0.0), width(0.001), width(-1.0), width(1000.0)
    (1.0, 1.0, 3.0, 5.0)
    """
    if not number:
        return _THIN
    if not math.isfinite(number):
        return _THICK
    power = min(max(math.log10(abs(number)), _SMALL), _LARGE)
    return round(_THIN + (_THICK - _THIN) * (power - _SMALL) / (_LARGE - _SMALL), 2)


def show(number: float, digits: int) -> str:
    """A number to so many significant digits, with a real minus sign and short exponents.

    >>> show(-0.00125, 2), show(-2.5e-9, 4), show(3.0, 4), show(float("-inf"), 4), show(-0.0, 4)
    ('−0.0013', '−2.5e−9', '3', '−∞', '0')
    """
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "∞" if number > 0.0 else "−∞"
    mantissa, e, power = f"{number or 0.0:.{digits}g}".partition("e")
    return (mantissa + (e and f"e{int(power)}")).replace("-", "−")


def clean(text: str) -> str:
    """One line that fonts, XML and DOT can carry: line breaks become ↵, what cannot be shown becomes �."""
    return _UNSHOWABLE.sub("\ufffd", _SPACE.sub(" ", _NEWLINE.sub("↵", text)))


def shorten(text: str, length: int = LABEL_LENGTH) -> str:
    """The beginning of a cleaned text, with an ellipsis where it goes on."""
    text = clean(text).strip()
    return text if len(text) <= length else text[: length - 1] + "…"


def symbol(text: str) -> str:
    """An operation's symbol as it is typeset rather than typed."""
    return shorten(_SYMBOLS.get(text, text), 8)


def markup(text: str) -> str:
    """Text inside an HTML-like label."""
    return html.escape(clean(text)).replace("\\", "\\" + _JOINER)


def quoted(*lines: str) -> str:
    """Lines of text for a quoted attribute such as a tooltip: entities and backslashes in them mean themselves."""
    return "\\n".join(clean(line).replace("&", "&amp;").replace("\\", "\\\\" + _JOINER) for line in lines)
