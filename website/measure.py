"""Measure in headless Chromium: `python -m website.measure` the built site, `python -m website.measure try` docs/try.

Of the site (`make docs`) it prints what pages weigh, how soon they are seen, and their contrast. Of the page that runs
the package (`npm ci --prefix browser`) it writes the tables of docs/try, in both languages, with the day.
"""

from __future__ import annotations

import datetime as dt
import functools
import gzip
import http.server
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SITE = ROOT / "out" / "site"
PAGES = ("", "start/", "course/08_layers/", "training/", "reference/operations/", "es/start/")
BEGIN, END = "<!-- measured: python -m website.measure try -->", "<!-- end of measured -->"
TRY = {"en": ROOT / "docs" / "try" / "index.md", "es": ROOT / "docs" / "try" / "index.es.md"}
WORDS = {
    "en": (
        "| | MB, compressed as servers send it |",
        ("Python in WebAssembly, its library", "this package, `graphviz`", "Graphviz in WebAssembly", "the page"),
        "| in headless Chromium, {day} | seconds |",
        ("until Python is ready", "the first drawing", "a stepper", "100,000 nodes: record, sweep, free"),
    ),
    "es": (
        "| | MB, comprimidos como los envían los servidores |",
        ("Python en WebAssembly y su biblioteca", "este paquete, `graphviz`", "Graphviz en WebAssembly", "la página"),
        "| en Chromium sin ventana, {day} | segundos |",
        ("hasta tener Python listo", "el primer dibujo", "un paso a paso", "100,000 nodos: registrar, barrer, liberar"),
    ),
}  # fmt: skip
PARTS = ("pyodide/", ".whl", "viz.js", "")  # what a file belongs to, by its name
NEURON = """
from autodiff import Value, draw, stepper
x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.5, "b")
C = (1.0 - (w * x + b).sigmoid()) ** 2 / 2
C.backward()
"""
CHAIN = """
from time import perf_counter as now
from autodiff import Value
at = [now()]
x = y = Value(1.0)
for _ in range(100_000):
    y = y + 1.0
at.append(now())
y.backward()
at.append(now())
del y
at.append(now())
print(*(f"{b - a:.2f}" for a, b in zip(at, at[1:])), sep=", ")
"""
# The contrast of every text with what lies behind it, and its first letters; a selector is the argument.
CONTRAST = """selector => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const f = v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => {
    return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const over = (a, b) => a.slice(0, 3).map((v, i) => v * a[3] + b[i] * (1 - a[3]));
  const behind = e => { const own = e && parse(getComputedStyle(e).backgroundColor);
    return !e ? [255, 255, 255] : own[3] === 1 ? own : over(own, behind(e.parentElement)); };
  return [...document.querySelectorAll(selector)].filter(e => e.offsetParent && e.innerText.trim()).map(e => {
    const ground = behind(e), ink = over(parse(getComputedStyle(e).color), ground);
    const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x);
    return [(a + .05) / (b + .05), e.innerText.slice(0, 40)]; });
}"""
TEXTS = (
    "article p, article li, article h1, article h2, article td, article th, article code, article summary, "
    ".highlight span, article a:not(.headerlink), .md-nav__link, .md-tabs__link, .md-footer__title, "
    ".md-copyright__highlight"
)
SEEN = """async () => {
  const of = type => new Promise(done => { setTimeout(() => done([]), 300);
    new PerformanceObserver(list => done(list.getEntries())).observe({ type, buffered: true }); });
  const [first, largest, shifts] = [await of("paint"), await of("largest-contentful-paint"), await of("layout-shift")];
  return [first.find(each => each.name === "first-contentful-paint").startTime, largest.at(-1).startTime,
    shifts.reduce((sum, each) => sum + each.value, 0)];
}"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; yield its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@contextmanager
def browser() -> Iterator[Any]:
    """Yield Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


def site(folder: Path = SITE) -> str:
    """Return the table of the site's pages."""
    lines = ["| page | requests | kB, compressed | first picture, s | largest, s | shift | contrast, light | dark |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    with browser() as chromium, served(folder) as address:
        for page in PAGES:
            contrast = []
            for scheme in ("dark", "light"):
                context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
                tab, bodies = context.new_page(), []
                tab.on("response", lambda response, bodies=bodies: bodies.append(response))
                tab.goto(address + page, wait_until="networkidle")
                first, largest, shift = tab.evaluate(SEEN)
                weight = sum(min(len(body), len(gzip.compress(body))) for body in (each.body() for each in bodies))
                contrast.append(min(tab.evaluate(CONTRAST, TEXTS))[0])
                context.close()
            lines.append(
                f"| {page or 'home'} | {len(bodies)} | {weight / 1e3:.0f} | {first / 1e3:.2f} | {largest / 1e3:.2f} "
                f"| {shift:.3f} | {contrast[1]:.1f} | {contrast[0]:.1f} |"
            )
    return "\n".join(lines)


def megabytes(sizes: dict[str, tuple[int, int]]) -> list[float]:
    """Return what each of PARTS weighs, compressed, of the sizes that `browser.__main__.build` returns."""
    parts = dict.fromkeys(PARTS, 0.0)
    for name, (_, small) in sizes.items():
        parts[next(part for part in PARTS if part in name)] += small / 1e6
    return list(parts.values())


def seconds(address: str) -> list[str]:
    """Return how long the page at an address takes, by the rows of its table."""

    def state(pattern: str) -> str:
        tab.wait_for_function(f"() => /{pattern}/.test(document.querySelector('#state').textContent)", timeout=120_000)
        [told] = re.findall(r"([\d.]+) s", tab.inner_text("#state"))
        return f"{float(told):.2f}"

    def run(code: str) -> str:
        tab.evaluate("document.querySelector('#state').textContent = ''")
        tab.fill("#code", code)
        tab.press("#code", "Control+Enter")
        return state("Done in")

    with browser() as chromium:
        tab = chromium.new_page(locale="en-GB")
        tab.goto(address)
        found = [state("Ready"), run(f"{NEURON}draw(C)"), run(f"{NEURON}stepper(C)")]
        run(CHAIN)
        return [*found, tab.locator("#output pre").inner_text().strip()]


def table(language: str, weights: list[float], times: list[str], day: str) -> str:
    """Return both tables of docs/try."""
    weighs, parts, takes, what = WORDS[language]
    told = [f"{weight:.1f}" if weight > 0.05 else f"{weight:.2f}" for weight in weights]
    lines = [weighs, "|---|---|", *(f"| {part} | {weight} |" for part, weight in zip(parts, told, strict=True)), ""]
    lines += [takes.format(day=day), "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {time} s |" for name, time in zip(what, times, strict=True))])


def written(text: str, tables: str) -> str:
    """Return a page with these tables between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}"


def measure_try() -> None:
    """Build the page that runs the package, measure it, and write docs/try."""
    from browser.__main__ import build

    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as address:
        weights = megabytes(build(Path(folder, "run")))
        times = seconds(f"{address}run/")
    day = dt.datetime.now(tz=dt.UTC).date().isoformat()
    for language, path in TRY.items():
        path.write_text(written(path.read_text("utf-8"), table(language, weights, times, day)), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["try"]:
        measure_try()
    else:
        print(site())  # noqa: T201
