"""Draw the pictures of the README and the docs anew: `python -m lessons.pictures [folder]`, by default into docs/."""

from __future__ import annotations

import importlib.util
import io
import shutil
import sys
from itertools import product
from pathlib import Path
from typing import Any

from autodiff import Value, draw, set_language, total
from autodiff.pictures import animate, render
from models import MLP, datasets, playground
from models.losses import half_squared_error

MAX_BYTES = 210_000  # of a picture: a network of 34 neurons has 304 arrows
SAMPLE, TARGET = (0.5, 1.0), 0.9


def neuron() -> Value:
    """Build the course's neuron with a squared error: z = wx + b, a = σ(z), C = (1 - a)²/2."""
    x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.5, "b")
    z = w * x + b
    z.label = "z"
    a = z.sigmoid()
    a.label = "a"
    cost = (1.0 - a) ** 2 / 2
    cost.label = "C"
    return cost


def small_mlp() -> MLP:
    """Build a 2-3-1 network."""
    return MLP(2, [3, 1], activation="sigmoid", random_state=1)


def network() -> Value:
    """Return the cost of the 2-3-1 network at one sample."""
    cost = half_squared_error(small_mlp()(SAMPLE), TARGET)
    cost.label = "C"
    return cost


def moons(n_samples: int = 20) -> Value:
    """Return the cost of a 2-16-16-1 network, micrograd's, over two half moons."""
    mlp = MLP(2, [16, 16, 1], random_state=0)
    data = datasets.moons(n_samples, random_state=0)
    rows = zip(data.X.tolist(), data.y.tolist(), strict=True)
    cost = total([half_squared_error(mlp(x), 2 * y - 1) for x, y in rows]) / n_samples
    cost.label = "C"
    return cost


def named(name: str, language: str) -> str:
    """Return the name of a picture's file: that of the Spanish one is `neuron.es.svg`."""
    return name if language == "en" else f".{language}.".join(name.rsplit(".", 1))


def write_all(folder: Path) -> list[Path]:
    """Draw everything into `folder`, in English and in Spanish, and return the paths."""
    written: list[Path] = []
    for language in ("en", "es"):
        set_language(language)
        written += [folder / named(name, language) for name in drawn(folder, language)]
    set_language(None)
    return written


def drawn(folder: Path, language: str) -> list[str]:
    """Draw everything in the language that is set, and return the names."""
    one, small, large = neuron(), network(), moons()
    animate(one, folder / named("sweep.svg", language))
    animate(small, folder / named("sweep-network.svg", language), detail="neurons")
    pictures = {"network-forward.svg": draw(small, detail="neurons")}
    for root in (one, small, large):
        root.backward()
    pictures |= {
        "neuron.svg": draw(one),
        "neuron-dark.svg": draw(one, theme="dark"),
        "network-operations.svg": draw(small, detail="operations"),
        "network-neurons.svg": draw(small, detail="neurons"),
        "network-neurons-dark.svg": draw(small, detail="neurons", theme="dark"),
        "moons-neurons.svg": draw(large, detail="neurons"),
        "moons-layers.svg": draw(large, detail="layers"),
    }
    for name, picture in pictures.items():
        render(picture, folder / named(name, language))
    return ["sweep.svg", "sweep-network.svg", *pictures]


def plots(folder: Path) -> list[Path]:
    """Draw those plots that the README shows, light and dark, and return the paths."""
    from lessons.plots import PLOTS, save  # matplotlib is an extra

    shown = {name: PLOTS[name] for name in ("descents", "regions", "surfaces", "families")}
    return [
        save(plot, folder / f"{name}{'-dark' * dark}{plot.suffix}", dark=dark)
        for name, plot in shown.items()
        for dark in (False, True)
    ]


def screens(folder: Path) -> list[Path]:
    """Train the playground in a browser for 60 epochs; return its screens, light and dark, and its films."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None or importlib.util.find_spec("playwright") is None:
        print("playground.png stays as it is: its screens take Chromium and `pip install playwright`")
        return []
    from PIL import Image
    from playwright.sync_api import sync_playwright

    data = datasets.moons(200, noise=0.1, random_state=0)
    model = MLP(2, [8, 8, 1], activation="tanh", random_state=0)
    written: list[Path] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for language, scheme in product(("en", "es"), ("light", "dark")):
            page = playground(model, data.X, data.y, loss="binary_cross_entropy", language=language)
            tab = browser.new_page(viewport={"width": 1360, "height": 800})
            tab.emulate_media(color_scheme=scheme)
            tab.set_content(page.html)
            if scheme == "light":
                written.append(_film(tab, folder / named("playground.webp", language)))
                tab.set_content(page.html)
            tab.evaluate("() => { for (let i = 0; i < 60; i++) document.getElementById('one').click(); }")
            screen = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
            path = folder / named(f"playground{'-dark' * (scheme == 'dark')}.png", language)
            screen.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
            written.append(path)
        browser.close()
    return written


def _film(tab: Any, path: Path) -> Path:  # Any: a page of Playwright
    """Write the playground's first 60 epochs as a moving picture, which rests on the last one."""
    from PIL import Image

    shots: list[Any] = []  # Any: of Pillow
    for epochs in (0, *[1] * 12, *[2] * 9, *[5] * 6):
        tab.evaluate("n => { for (let i = 0; i < n; i++) document.getElementById('one').click(); }", epochs)
        shots.append(Image.open(io.BytesIO(tab.screenshot())).convert("RGB").resize((900, 529)))
    times = [900, *[150] * (len(shots) - 2), 3000]
    shots[0].save(path, save_all=True, append_images=shots[1:], duration=times, loop=0, quality=50, method=6)
    return path


def main() -> None:
    """Draw everything, and say what came out."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    for path in write_all(folder) + plots(folder) + screens(folder):
        size = path.stat().st_size
        print(f"{path} {size / 1000:.1f} kB{' (too large for the README)' if size > MAX_BYTES else ''}")


if __name__ == "__main__":
    main()
