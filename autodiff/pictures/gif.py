"""One animated GIF from single ones (GIF89a specification): blocks are moved, pixels stay untouched."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

_HEADER = struct.Struct("<6sHHBBB")
_IMAGE = struct.Struct("<BHHHHB")
_QUANTUM = 4  # of 256: the rounding of colours when 256 of them must do
_LOOP = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"  # for ever


class _Still(NamedTuple):
    width: int
    height: int
    palette: bytes
    bits: int  # the palette has 2 ** (bits + 1) colours
    interlaced: int
    pixels: bytes  # code size and compressed blocks, with the terminator


def join(
    stills: Sequence[bytes], seconds: Sequence[float], paper: str = "", places: Sequence[tuple[int, int]] = ()
) -> bytes:
    """Return an animated GIF that shows each still for its number of seconds, for ever, on top of those before.

    `places` are those of their top left corners, in pixels; by default 0, 0. `stills` are GIFs of one image each, or
    one run of bytes with several GIFs one after the other. Colours close to `paper` become `paper`, since stills are
    made from few colours. Raises ValueError for bytes that are no GIF, and unless there are as many images as times.
    """
    parts = [part for data in stills for part in _parts(data)]
    if len(parts) != len(seconds):
        raise ValueError(f"there must be one time per image, got {len(seconds)} for {len(parts)} images")
    screen = max(p.width for p in parts), max(p.height for p in parts)
    out = [_HEADER.pack(b"GIF89a", *screen, 0x70, 0, 0), _LOOP]
    for part, wait, place in zip(parts, seconds, places or [(0, 0)] * len(parts), strict=True):
        out.append(struct.pack("<4sHBB", b"\x21\xf9\x04\x04", round(wait * 100), 0, 0))
        local = 0x80 | part.interlaced | part.bits
        palette = _with_paper(part.palette, paper)
        out += [_IMAGE.pack(0x2C, *place, part.width, part.height, local), palette, part.pixels]
    return b"".join([*out, b";"])


def _with_paper(palette: bytes, paper: str) -> bytes:
    wanted = bytes.fromhex(paper.removeprefix("#"))
    if not wanted:
        return palette
    colours = (palette[at : at + 3] for at in range(0, len(palette), 3))
    return b"".join(
        wanted if max(abs(a - b) for a, b in zip(each, wanted, strict=True)) <= _QUANTUM else each for each in colours
    )


def _parts(data: bytes) -> list[_Still]:
    """Yield the images of one or several GIFs without their extensions, such as transparency."""
    parts: list[_Still] = []
    at = 0
    while at < len(data) or not parts:
        part, at = _still(data, at)
        parts.append(part)
    return parts


def _still(data: bytes, at: int) -> tuple[_Still, int]:
    """Return the image in the GIF that begins at `at`, and the position after that GIF."""
    try:
        kind, _, _, flags, _, _ = _HEADER.unpack_from(data, at)
        if not kind.startswith(b"GIF8"):
            raise ValueError("an image must be a GIF, got other bytes")
        at += _HEADER.size
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
        if mark != 0x2C:
            raise ValueError("a GIF must have one image, got none")
        if data[end] != 0x3B:
            raise ValueError("a GIF must have one image, got more")
    except (struct.error, IndexError):
        raise ValueError("a GIF must be complete, got one that breaks off") from None
    return _Still(width, height, palette, bits, own & 0x40, data[at:end]), end + 1


def _after_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += data[at] + 1
    return at + 1
