"""The site: it builds without a warning, names everything public, is alive in a browser, and asks no other machine."""

import doctest
import os
import re
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("mkdocs", reason="MkDocs, of the group `docs`, builds the site")
pytest.importorskip("latex2mathml", reason="of the group `docs`, as MkDocs is")

import autodiff
import autodiff.testing
import models
from website import measure, reference

# One process builds for all.
pytestmark = [
    pytest.mark.xdist_group("site"),
    pytest.mark.slow(reason="the fixture builds every page in two languages"),
]
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the folder of the site, built as `make docs` does; a warning is an error."""
    out = tmp_path_factory.mktemp("site") / "delta-autodiff"  # as it is published
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(out)],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "no_proxy": "*"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address(built):
    """Serve the site on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(built.parent)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/{built.name}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_every_page_is_there_in_both_languages(built):
    """What stands in docs/, the notebooks and what hooks make: in English, and under es/ in Spanish or with a note."""
    for page in (
        "start",
        "course/00_nudges",
        "course/12_project",
        "course/glossary",
        "compile",
        "benchmarks",
        "changelog",
        "faq",
    ):
        english, spanish = (
            (built / language / page / "index.html").read_text(encoding="utf-8") for language in ("", "es")
        )
        assert '<html lang="en"' in english
        assert '<html lang="es"' in spanish
    assert "Esta página está solo en inglés" in spanish or "Preguntas" in spanish
    assert "Empujoncitos" in (built / "es" / "course" / "00_nudges" / "index.html").read_text(encoding="utf-8")


def test_an_address_that_leads_nowhere_is_told_in_english(built):
    """A server has one such page for all; its links lead to the pages of the first language."""
    page = (built / "404.html").read_text(encoding="utf-8")
    assert '<html lang="en"' in page
    assert 'href="/delta-autodiff/start/"' in page


def test_formulas_need_no_script(built):
    """Every formula is MathML when the page arrives; none is left as LaTeX."""
    for page in built.glob("**/course/*/index.html"):
        text = re.sub(
            r"""<annotation.*?</annotation>|srcdoc=("[^"]*"|'[^']*')|<!--.*?-->|<pre.*?</pre>|<code.*?</code>""",
            "",
            page.read_text(encoding="utf-8"),
            flags=re.DOTALL,
        )
        assert "arithmatex" not in text, page
        assert not re.search(r"\$[^$<]*\\[a-z]+[^$<]*\$", text), page
    page = (built / "course" / "08_layers" / "index.html").read_text(encoding="utf-8")
    assert "<math" in page
    assert "&#x02032;</mo>" in page
    assert "&#x02032;</mi>" not in page, "a prime in the size of an exponent cannot be seen"


def test_every_public_name_has_its_place_and_an_example(built):
    """Of autodiff, autodiff.testing and models: an anchor in the reference and, in its part, a line of Python; nothing private."""
    text = "".join((built / "reference" / name / "index.html").read_text(encoding="utf-8") for name in reference.PAGES)
    parts = dict(re.findall(r'<h3 id="([\w.]+)">(.*?)(?=<h3 |<h2 |</article>)', text, re.DOTALL))
    for package in (autodiff, autodiff.testing, models):
        for name in package.__all__:
            here = [part for anchor, part in parts.items() if anchor.split(".")[-1] == name]
            assert here, f"{package.__name__}.{name} stands in no page"
            assert any("&gt;&gt;&gt;" in part for part in here), f"{package.__name__}.{name} has no example"
    assert [anchor for anchor, part in parts.items() if "&gt;&gt;&gt;" not in part] == []
    assert len(parts) > 230
    private = [anchor for anchor in parts if any(part.startswith("_") for part in anchor.split("."))]
    assert private == []


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_examples_of_the_reference_run(name):
    """Those written in website/examples.md and those computed when the page is made, from top to bottom."""
    for module, each, block in re.findall(
        r"^### \S+ \{ #([\w.]+)\.(\w+) \}\n(.*?)(?=^###? |\Z)", reference.markdown(name), re.MULTILINE | re.DOTALL
    ):
        home = getattr(getattr(import_module(module), each), "__module__", module)
        known = vars(import_module(home)) | vars(import_module(module))  # as docstrings are run where they stand
        test = doctest.DocTestParser().get_doctest(
            re.sub(r"^```.*", "", block, flags=re.MULTILINE), known, each, name, 0
        )
        printed = []
        assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=printed.append).failed == 0, "".join(
            printed
        )


@pytest.fixture
def seen(chromium, address):
    """Open a page of the site in a browser; afterwards: nothing in the console, nothing asked of another machine."""
    context = chromium.new_context(reduced_motion="reduce")
    tab = context.new_page()
    complaints, asked = [], []
    tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("response", lambda response: complaints.append(response.url) if response.status >= 400 else None)

    def visit(path, width=1280, scheme="light"):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(color_scheme=scheme)
        tab.goto(f"{address}/{path}")
        return tab

    yield visit
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith((address, "data:", "blob:", "about:"))] == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(
    "path",
    ["", "start/", "course/08_layers/", "es/course/08_layers/", "compile/", "reference/operations/", "coming-from/"],
)
def test_nothing_is_wider_than_the_screen(seen, path, width):
    """On a phone and on a desk: what is wide scrolls by itself."""
    tab = seen(path, width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_pages_within_a_chapter_are_alive(seen):
    """The network to play with goes a step on when its button is pressed."""
    tab = seen("course/08_layers/")
    frame = tab.locator("iframe[srcdoc]").first
    frame.scroll_into_view_if_needed()
    said = frame.content_frame.locator("body")
    before = said.inner_text()
    frame.content_frame.get_by_role("button", name="next").click()
    assert said.inner_text() != before


def test_the_network_of_the_front_page_learns(seen):
    """The playground that the moving picture leads to: epochs go by."""
    tab = seen("")
    tab.locator("a[href$='play/network.html']").first.click()
    tab.locator("#one").wait_for()
    tab.evaluate("() => { for (let i = 0; i < 5; i++) document.getElementById('one').click(); }")
    assert tab.locator("#epochs").inner_text() == "5"


@pytest.mark.parametrize(
    ("path", "word", "found"), [("", "gradcheck", "gradcheck"), ("es/", "empujoncitos", "Empujoncitos")]
)
def test_search_finds_a_page(seen, path, word, found):
    """By a word, in either language."""
    tab = seen(path)
    tab.keyboard.press("/")
    tab.locator("[data-md-component=search-query]").fill(word)
    tab.locator(".md-search-result__item").first.wait_for()
    assert found in tab.locator(".md-search-result__list").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(seen, scheme):
    """Contrast of text and links with the page behind: 4.5 at least, in both schemes."""
    tab = seen("start/", scheme=scheme)
    ratios = tab.evaluate(measure.CONTRAST, measure.TEXTS)
    assert len(ratios) > 20
    assert min(ratios)[0] >= 4.5, min(ratios)
