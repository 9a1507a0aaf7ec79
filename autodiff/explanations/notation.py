r"""Formulas as trees in the vocabulary of MathML, which become LaTeX or plain text.

A tree is a tuple: its kind, then its text or its parts.

>>> half = ("mfrac", ("mi", "x"), ("mn", "2"))
>>> latex(half), text(half)
('\\frac{x}{2}', 'x/2')
"""

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from autodiff.value import Value

Tree = tuple[Any, ...]

LABEL_LENGTH = 24  # characters of a label shown in a formula
# Controls, surrogates, noncharacters, and marks that reverse the direction of the surrounding text.
_UNSHOWABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>()#+.!|$~&-]")  # characters with a meaning in Markdown
_NEURON = re.compile(r"layer(\d+)\.neuron(\d+)\.(z|a|bias|weight)(\d*)")
_SIMPLE = re.compile(r"([A-Za-zα-ωΑ-Ω])_?(\d*)")
_LATEX_TEXT = {
    **{c: f"\\{c}" for c in "{}$%&#_"}, "\\": r"\backslash ", "^": r"\wedge ", "~": r"\sim ", " ": r"\ ", '"': "''",
}  # fmt: skip
_LATEX_SIGNS = {
    "·": r"\cdot ", "−": "-", "…": r"\cdots ", "∂": r"\partial ", "δ": r"\delta ", "σ": r"\sigma ", "∞": r"\infty ",
}  # fmt: skip


def bullets(sentences: Iterable[object]) -> str:
    """Return sentences as a list in Markdown."""
    return "\n".join(f"- {_MARKDOWN.sub(lambda sign: chr(92) + sign[0], str(each))}" for each in sentences)


def number(x: float, digits: int = 4) -> Tree:
    r"""Return a number rounded to `digits` significant digits.

    >>> print(latex(number(-2.5e-9)), text(number(-2.5e-9)))
    -2.5\times 10^{-9} -2.5e-09
    """
    if math.isnan(x):
        return ("mtext", "NaN")
    if x < 0.0:
        return ("mrow", ("mo", "−"), number(-x, digits))
    if math.isinf(x):
        return ("mi", "∞")
    mantissa, e, power = f"{x or 0.0:.{digits}g}".partition("e")
    return ("msci", mantissa, str(int(power))) if e else ("mn", mantissa)


def in_brackets(tree: Tree) -> Tree:
    """Return the tree in round brackets."""
    return ("mrow", ("mo", "("), tree, ("mo", ")"))


def factor(x: float, digits: int = 4) -> Tree:
    """Return a number as a factor: in brackets if it is negative."""
    return in_brackets(number(x, digits)) if x < 0.0 else number(x, digits)


def joined(parts: Iterable[Tree], sign: str) -> Tree:
    """Return parts with a sign between them."""
    row: list[Tree] = []
    for part in parts:
        row += [("mo", sign), part] if row else [part]
    return ("mrow", *row)


def by(top: Tree, bottom: Tree) -> Tree:
    """Return ∂top/∂bottom."""
    return ("mfrac", ("mrow", ("mi", "∂"), top), ("mrow", ("mi", "∂"), bottom))


class Names:
    """The names of a graph's nodes in formulas: their labels, and v₁, v₂, … in order of evaluation for the others."""

    def __init__(self, order: Iterable[Value], label: Callable[[Value], str] = lambda node: node.label) -> None:
        self._label = label
        self._unnamed = {node: i for i, node in enumerate((node for node in order if not label(node).strip()), 1)}

    def __call__(self, node: Value) -> Tree:
        """Return a name as a tree: w₁ for the label "w1", the course's w with indices in a neuron, or upright text.

        Plain text shows the label itself.
        """
        if node in self._unnamed:
            return ("msub", ("mi", "v"), ("mn", str(self._unnamed[node])))
        label = shortened(self._label(node))
        neuron = _NEURON.fullmatch(label)
        if neuron:
            layer, n, what, place = neuron.groups()  # the layer above, the neuron and a weight's input below
            below = f"{n}{',' if len(n + place) > 2 and place else ''}{place}"
            return ("mname", label, ("msubsup", ("mi", what[0]), ("mn", below), ("mn", layer)))
        simple = _SIMPLE.fullmatch(label)
        if not simple:
            return ("mtext", label)
        letter = ("mi", simple[1])
        return ("mname", label, ("msub", letter, ("mn", simple[2]))) if simple[2] else letter


def shortened(label: str, length: int = LABEL_LENGTH) -> str:
    """Return a label as one short line, with an ellipsis if it is cut."""
    label = _UNSHOWABLE.sub("\ufffd", " ".join(label[: 8 * length].split()))
    return label if len(label) <= length else label[: length - 1] + "…"


def latex(tree: Tree) -> str:
    """Return the tree as LaTeX for math mode, in commands that MathJax, KaTeX and matplotlib all know."""
    kind, *parts = tree
    if kind in {"mi", "mo", "mn", "mtext"}:
        word: str = parts[0]
        if word in _LATEX_SIGNS and kind != "mtext":
            return _LATEX_SIGNS[word]
        upright = kind == "mtext" or (kind == "mi" and len(word) > 1)
        return f"\\mathrm{{{''.join([_LATEX_TEXT.get(c) or c for c in word])}}}" if upright else word
    if kind == "msci":
        return f"{parts[0]}\\times 10^{{{parts[1]}}}"
    if kind == "mname":
        return latex(parts[1])
    inner = [latex(part) for part in parts]
    match kind:
        case "mfrac":
            return f"\\frac{{{inner[0]}}}{{{inner[1]}}}"
        case "msup":
            base = rf"\left({inner[0]}\right)" if _indexed_above(parts[0]) else f"{{{inner[0]}}}"
            return f"{base}^{{{inner[1]}}}"
        case "msub":
            return f"{inner[0]}_{{{inner[1]}}}"
        case "msubsup":
            return f"{inner[0]}_{{{inner[1]}}}^{{{inner[2]}}}"
        case "msqrt":
            return f"\\sqrt{{{inner[0]}}}"
        case _:
            return "".join(inner)


def _indexed_above(tree: Tree) -> bool:
    """Tell whether a name has its layer above, where an exponent would look like part of it: a¹²₁."""
    return tree[0] == "msubsup" or (tree[0] == "mname" and _indexed_above(tree[2]))


def text(tree: Tree) -> str:
    """Return the tree on one line of plain text."""
    kind, *parts = tree
    if kind in {"mi", "mn", "mtext", "mname"}:
        return parts[0]
    if kind == "mo":
        sign = "-" if parts[0] == "−" else parts[0]
        return f" {sign} " if sign in {"+", "·", "="} else ", " if sign == "," else sign
    if kind == "msci":
        return f"{parts[0]}e{int(parts[1]):+03d}"
    if kind == "mrow":
        return _row(parts)
    inner = [text(part) for part in parts]
    match kind:
        case "mfrac":
            top, bottom = (f"({each})" if " " in each else each for each in inner)
            return f"{top}/{bottom}"
        case "msup":
            closed = inner[1].isalnum() or re.fullmatch(r"\([^()]*\)", inner[1])
            return f"{inner[0]}^{inner[1] if closed else f'({inner[1]})'}"
        case "msqrt":
            return f"√({inner[0]})"
        case _:
            return "".join(inner)


def _row(parts: list[Tree]) -> str:
    """Join the parts of a row, with spaces around a minus between two of them but not after a sign."""
    shown = ""
    for i, part in enumerate(parts):
        between = part == ("mo", "−") and i > 0
        shown += " - " if between else text(part)
    return shown
