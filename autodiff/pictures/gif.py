"""One animated GIF from single ones (GIF89a specification): blocks are moved, no pixel is touched."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

_HEADER = struct.Struct("<6sHHBBB")
_IMAGE = struct.Struct("<BHHHHB")
_LOOP = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"  # for ever


class _Still(NamedTuple):
    width: int
    height: int
    palette: bytes
    bits: int  # the palette has 2 ** (bits + 1) colours
    interlaced: int
    pixels: bytes  # code size and compressed blocks, with the terminator


def join(stills: Sequence[bytes], seconds: Sequence[float]) -> bytes:
    """Show each still for so many seconds, again and again.

    Raises ValueError for what is no GIF.
    """
    parts = [_still(each) for each in stills]
    screen = max(p.width for p in parts), max(p.height for p in parts)
    out = [_HEADER.pack(b"GIF89a", *screen, 0x70, 0, 0), _LOOP]
    for part, wait in zip(parts, seconds, strict=True):
        out.append(struct.pack("<4sHBB", b"\x21\xf9\x04\x04", round(wait * 100), 0, 0))
        local = 0x80 | part.interlaced | part.bits
        out += [_IMAGE.pack(0x2C, 0, 0, part.width, part.height, local), part.palette, part.pixels]
    return b"".join([*out, b";"])


def _still(data: bytes) -> _Still:
    """The first image in a GIF; its extensions, such as transparency, are left out."""
    try:
        kind, _, _, flags, _, _ = _HEADER.unpack_from(data)
        if not kind.startswith(b"GIF8"):
            raise ValueError("no GIF")
        at = _HEADER.size
        bits = flags & 7
        palette = data[at : at + 3 * 2 ** (bits + 1)] if flags & 0x80 else b""
        at += len(palette)
        while data[at] == 0x21:
            at = _after_blocks(data, at + 2)
        mark, _, _, width, height, own = _IMAGE.unpack_from(data, at)
        at += _IMAGE.size
        if own & 0x80:
            bits = own & 7
            palette = data[at : at + 3 * 2 ** (bits + 1)]
            at += len(palette)
        end = _after_blocks(data, at + 1)
    except (struct.error, IndexError):
        raise ValueError("a GIF that breaks off") from None
    if mark != 0x2C:
        raise ValueError("a GIF without an image")
    return _Still(width, height, palette, bits, own & 0x40, data[at:end])


def _after_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += data[at] + 1
    return at + 1
