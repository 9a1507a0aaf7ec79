"""Bytes as a source of decisions: what a fuzzer changes in them changes what is tried, and fewer bytes try less."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

CHARACTERS = (
    "aZ0 .,_-+*/\\\"'`<>&;:#%{}[]()|=\n\r\t\0\x0b\x7f\x85\xa0ñδσ∂×−\u2028\u202e\u2066\ud800\udfff\ufeff\ufffe\U0001f600"
)
PIECES = (
    "<script>alert(1)</script>", "</TABLE>", "<B>", "]]>", "<!--", "-->", "&lt;", "&#10;", "\\N", "\\G", "\\n", '\\"',
    '"];x[label="', "layer1.neuron2.z", "..", "javascript:", "${x}", "{{x}}", "%s", "{0}", "\\u2028", "</style>", "x" * 300,
)  # fmt: skip
FLOATS = (
    0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, 1e-300, 5e-324, 1e300, -1e300, 1.7976931348623157e308, 709.8, -745.2, 1e16,
    float("inf"), float("-inf"), float("nan"),
)  # fmt: skip


class Source:
    """Reads decisions off a string of bytes; where they end, every decision is the first choice."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def below(self, n: int) -> int:
        return (self.byte() if n <= 256 else self.byte() << 8 | self.byte()) % n

    def choice(self, options: Sequence[Any]) -> Any:
        return options[self.below(len(options))]

    def bytes(self, most: int) -> bytes:
        n = self.below(most + 1)
        return bytes(self.byte() for _ in range(n))

    def float(self) -> float:
        """A special float, any 64 bits, or an everyday number."""
        kind = self.byte()
        if kind < 100:
            return (kind - 50) / 8.0
        if kind < 200:
            return FLOATS[kind % len(FLOATS)]
        return struct.unpack("<d", bytes(self.byte() for _ in range(8)))[0]

    def text(self, most: int = 12) -> str:
        """Text that means something to somebody: to XML, DOT, JavaScript, formats, terminals."""
        pieces = []
        for _ in range(self.below(most + 1)):
            kind = self.byte()
            pieces.append(PIECES[kind % len(PIECES)] if kind >= 200 else CHARACTERS[kind % len(CHARACTERS)])
        return "".join(pieces)
