"""Joining GIF images into one film."""

import io

import pytest

from autodiff.pictures.gif import join


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "a GIF must be complete, got one that breaks off"),
        (b"GIF89a", "a GIF must be complete, got one that breaks off"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "an image must be a GIF, got other bytes"),
        (b"GIF89a" + b"\x05\0\x05\0\0\0\0" + b";" * 12, "a GIF must be complete, got one that breaks off"),
        (b"GIF89a" + b"\x05\0\x05\0\0\0\0" + b";" + b"\0" * 12, "a GIF must have one image, got none"),
    ],
)
def test_what_is_no_gif_is_refused(data, said):
    """Not passed on as a broken film."""
    with pytest.raises(ValueError, match=f"^{said}$"):
        join([data], [1.0])


def test_a_palette_of_an_images_own_is_kept():
    """GIF lets colours stand before the image in place of the head: an outside decoder sees the same pixels."""
    image = pytest.importorskip("PIL.Image", reason="Pillow comes with matplotlib")
    with image.new("P", (3, 2)) as still:
        still.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
        still.putdata([0, 1, 2, 3, 2, 1])
        still.save(usual := io.BytesIO(), "GIF")
        seen = still.convert("RGB").tobytes()
    head = bytearray(usual.getvalue())
    flags, size = head[10], 3 * 2 ** ((head[10] & 7) + 1)
    own = head.index(b",", 13 + size)  # the descriptor of the image, whose last byte is its flags
    head[own + 9] = flags
    head[own + 10 : own + 10] = head[13 : 13 + size]
    del head[13 : 13 + size]
    head[10] = 0
    for film in (join([usual.getvalue()], [1.0]), join([bytes(head)], [1.0])):
        with image.open(io.BytesIO(film)) as found:
            assert found.convert("RGB").tobytes() == seen
