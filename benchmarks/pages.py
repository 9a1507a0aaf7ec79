"""The pages that compute, in headless Chromium: `python -m benchmarks.pages [--quick] [--markdown]`.

Takes Playwright and a Chromium. A frame is one epoch over all samples and everything redrawn; its milliseconds are
those of the page's script, and the frames per second those at which the page plays with speed 1×: 60 is the screen's
own rate, so that none is faster. "Next iteration" is forward, backward, update and everything redrawn in the stepper.
Medians; the machine's load shows in the frames per second, little in the script.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from typing import Any

from playwright.sync_api import sync_playwright

from autodiff import stepper
from benchmarks.table import Table
from models import MLP, datasets, playground
from models.losses import half_squared_error

_CLICKS = """([button, times]) => {
  const took = Array.from({ length: times }, () => {
    const start = performance.now();
    document.getElementById(button).click();
    return performance.now() - start;
  });
  return took.sort((a, b) => a - b)[times >> 1];
}"""
_FRAMES = """(seconds) => new Promise((done) => {
  const [start, gaps] = [performance.now(), []];
  let last = start;
  document.getElementById("play").click();
  requestAnimationFrame(function each(now) {
    gaps.push(now - last);
    last = now;
    if (now - start < 1000 * seconds) return requestAnimationFrame(each);
    document.getElementById("play").click();
    done(1000 / gaps.sort((a, b) => a - b)[gaps.length >> 1]);
  });
})"""


def _played(widths: list[int], data: Any, **options: Any) -> Any:  # Any: a data set, and the page
    model = MLP(data.X.shape[1], widths, activation="tanh", random_state=0)
    return playground(model, data.X, data.y, random_state=0, **options)


def _moons(n_samples: int, widths: list[int], **options: Any) -> Any:
    data = datasets.moons(n_samples, noise=0.1, random_state=0)
    return _played(widths, data, loss="binary_cross_entropy", **options)


def _walked(widths: list[int]) -> Any:
    mlp = MLP(widths[0], widths[1:], activation="tanh", random_state=0)
    return stepper(half_squared_error(mlp([0.1 * (i + 1) for i in range(widths[0])]), 0.9))


PLAYGROUNDS: dict[str, Callable[[], Any]] = {
    "XOR, 2-2-1, 4 samples": lambda: _played([2, 1], datasets.xor()),
    "moons, 2-8-8-1, 200 samples": lambda: _moons(200, [8, 8, 1]),
    "moons, 2-8-8-1, 200 samples, batches of 10": lambda: _moons(200, [8, 8, 1], batch_size=10),
    "iris, 4-16-3, 150 samples": lambda: _played([16, 3], datasets.iris(), loss="cross_entropy"),
}
STEPPERS: dict[str, Callable[[], Any]] = {"2-2-1": lambda: _walked([2, 2, 1]), "4-4-3-1": lambda: _walked([4, 4, 3, 1])}


def measure(quick: bool) -> Table:
    """Return a row for each page: kilobytes, milliseconds of script per frame or iteration, frames per second."""
    table = Table(("page", "kB", "ms", "frames/s"))
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    times, seconds = (5, 0.3) if quick else (101, 4.0)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for kind, button, pages in (("playground", "one", PLAYGROUNDS), ("stepper", "iterate", STEPPERS)):
            for name, make in pages.items():
                page = make()
                tab = browser.new_page(viewport={"width": 1360, "height": 800})
                tab.set_content(page.html)
                took = tab.evaluate(_CLICKS, [button, times])
                rate = f"{tab.evaluate(_FRAMES, seconds):.0f}" if kind == "playground" else ""
                table.add(f"{kind}: {name}", f"{len(page.html.encode()) / 1000:.0f}", f"{took:.1f}", rate)
                tab.close()
        browser.close()
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few repetitions: does it run at all")
    parser.add_argument("--markdown", action="store_true", help="as a table to paste")
    options = parser.parse_args()
    print(measure(options.quick).text(markdown=options.markdown))


if __name__ == "__main__":
    main()
