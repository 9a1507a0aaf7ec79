"""The text of a stand-in: a name, which may be printed and not be decided by, as it is no number."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from autodiff.compiler.trace import refusals

_COMPARED = "__eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __contains__ __len__ __getitem__ __iter__"
_WRITTEN = "__mod__ __mul__ __rmul__"


class Text(str):
    """The name of a stand-in `x`, also with other text beside it."""

    __slots__ = ("x",)
    x: Any

    @classmethod
    def of(cls, x: Any, text: str) -> Text:
        """Return the text that holds the name of a stand-in."""
        new = cls(text)
        new.x = x
        return new

    def __add__(self, other: str) -> Text:
        return Text.of(self.x, str.__add__(self, other))

    def __radd__(self, other: str) -> Text:
        return Text.of(self.x, str.__add__(other, self))

    def __format__(self, spec: str) -> str:
        return formatted(self.x, self, spec, sys._getframe(1))  # pyright: ignore[reportPrivateUsage]


def formatted(x: Any, text: str, spec: str, frame: Any) -> str:
    """Return what an f-string has of a stand-in: a plain text, which can be compared, so that a warning tells of it."""
    if x.tracer.open and spec:
        raise x.tracer.error(x, "formatting")
    if _decides(x, frame):
        at = x.tracer.users_place()
        warnings.warn_explicit(
            f"a text holds {text!s}, a name in place of the number, in every row: print it, and do not decide by it; "
            "print(x) prints the name without this warning",
            RuntimeWarning, at.file or "<unknown>", at.line,
        )  # fmt: skip
    return str.__format__(text, spec)


def _decides(x: Any, frame: Any) -> bool:
    """Tell whether the function that is traced asks for a text, and not something that prints it."""
    code = frame.f_code
    prints = code.co_name in {"__repr__", "__str__"} or refusals.is_library(code.co_filename)
    return x.tracer.open and not prints and not refusals.is_passed_over(frame)


def _refused(name: str) -> Any:
    """Return a method of texts that the function which is traced may not call."""
    own = getattr(str, name)

    def method(text: Text, *args: Any, **options: Any) -> Any:
        if _decides(text.x, sys._getframe(1)):  # pyright: ignore[reportPrivateUsage]
            raise text.x.tracer.error(text.x, "deciding by the text of")
        return own(text, *args, **options)

    return method


for _name in vars(str):
    if _name in f"{_COMPARED} {_WRITTEN}".split() or not _name.startswith("__"):
        setattr(Text, _name, _refused(_name))
