"""Photograph the pages to play with as they open, for paper and for viewers that run no scripts.

`python -m lessons.chapters.stills` needs Playwright and a Chromium. A photograph keeps the digest of its page, by
which a test finds those that are old.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

from lessons.chapters import kit
from lessons.chapters.source import LANGUAGES

PLAY = Path(__file__).parent / "play"
WIDTH, SHARPNESS = 400, 1.5  # pixels of the page, and of the photograph for each of them


def names() -> list[str]:
    """Return the names of all pages."""
    return sorted(path.stem for path in PLAY.glob("*.js") if path.stem != "tools")


def taken(browser: Any, name: str, language: str) -> bytes:
    """Return the photograph of a page, as high as the page is, by a browser of Playwright."""
    from PIL import Image, PngImagePlugin

    tab = browser.new_page(
        device_scale_factor=SHARPNESS, viewport={"width": WIDTH, "height": 100}, color_scheme="light"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.html")
        path.write_text(kit.page(name, language), encoding="utf-8")
        tab.goto(path.as_uri())
        image = Image.open(io.BytesIO(tab.screenshot(full_page=True))).convert("RGB")
    tab.close()
    file, kept = io.BytesIO(), PngImagePlugin.PngInfo()
    kept.add_text("page", kit.digest(name, language))
    image.quantize(16, dither=Image.Dither.NONE).save(file, "png", optimize=True, pnginfo=kept)
    return file.getvalue()


def main() -> None:
    """Write the photographs of all pages in both languages."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name in names():
            for language in LANGUAGES:
                kit.still(name, language).write_bytes(taken(browser, name, language))
        browser.close()


if __name__ == "__main__":
    main()
