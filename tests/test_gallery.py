"""The gallery: a page that stands on its own, shows what lies beside it and nothing else."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from lessons import demo
from lessons.gallery import Figure, Section, page

pytestmark = [pytest.mark.slow(reason="the fixture draws every picture there is"), pytest.mark.once]


class Page(HTMLParser):
    """What a browser would load, link to, and say."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.links, self.anchors, self.tags, self.policy, self.images = [], [], set(), [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        assert not any(name.startswith("on") or name == "style" for name in given), given
        self.tags.append(tag)
        self.loaded += [given[name] for name in ("src", "srcset", "data") if name in given]
        self.links += [given["href"]] if "href" in given else []
        self.anchors |= {given["id"]} if "id" in given else set()
        self.images += [given] if tag == "img" else []
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """Everything but the training, drawn once."""
    pytest.importorskip("matplotlib", reason="plots are an extra")
    made = demo.Gallery(tmp_path_factory.mktemp("out"))
    text = page(demo.TITLE, demo.LEAD, made.sections("numbers"))
    return made, text, Page(text)


def test_everything_shown_lies_beside_the_page(gallery):
    """Every file that is loaded or linked was written, none is elsewhere, and every one written is there to see."""
    made, _, parsed = gallery
    assert made.problems == []
    inside = {link.removeprefix("#") for link in parsed.links if link.startswith("#")}
    files = {link for link in parsed.links if not link.startswith("#")} | set(parsed.loaded)
    assert inside <= parsed.anchors
    assert files == {path.name for path in made.written} == {path.name for path in made.out.iterdir()}


def test_the_policy_allows_the_pages_own_style_and_files_alone(gallery):
    """No script, no inline handler or style attribute (Page checks), the one style by its hash."""
    _, text, parsed = gallery
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert parsed.policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in parsed.policy
    assert "unsafe" not in parsed.policy
    assert "script" not in parsed.tags
    assert not re.search(r"(https?:)?//(?!\s)[a-z]", style)


def test_every_picture_says_what_it_shows_and_has_a_dark_sister(gallery):
    """A text for those who do not see it; light and dark of the same size."""
    made, _, parsed = gallery
    assert all(len(image["alt"]) > 20 for image in parsed.images)
    pairs = [(path, path.with_stem(f"{path.stem}-dark")) for path in made.out.glob("*.*") if "dark" not in path.stem]
    pairs = [(light, dark) for light, dark in pairs if dark.exists()]
    assert len(pairs) >= 13
    for light, dark in pairs:
        assert light.read_bytes() != dark.read_bytes()
        if light.suffix == ".svg":
            size = re.compile(rb'<svg[^>]*?width="([\d.]+pt)"[^>]*?height="([\d.]+pt)"', re.DOTALL)
            sizes = [
                sorted(re.findall(rb'(?:width|height)="([\d.]+pt)"', path.read_bytes()[:2000]))
                for path in (light, dark)
            ]
            assert sizes[0] == sizes[1]
            assert size.search(light.read_bytes()) or sizes[0]


def test_hostile_texts_are_text():
    """Titles, captions and file names cannot break out."""
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    parsed = Page(page(evil, evil, [Section(evil, evil, [Figure(evil, evil, evil, evil)], printed=evil, note=evil)]))
    assert "script" not in parsed.tags
    assert len(parsed.images) == 1
    assert parsed.images[0]["src"] == evil


def test_without_matplotlib_the_page_says_what_is_missing(tmp_path, monkeypatch):
    """A line in the plots' place; the rest is there."""

    def missing(_):
        raise ImportError('plots need matplotlib: pip install "delta-autodiff[plots]"')

    monkeypatch.setattr(demo.Gallery, "plots", missing)
    made = demo.Gallery(tmp_path)
    text = page("T", "L", [made.section("Plots", "text", lambda: list(made.plots()))])
    assert "plots need matplotlib: pip install &quot;delta-autodiff[plots]&quot;" in text
    assert made.problems == ['Plots: plots need matplotlib: pip install "delta-autodiff[plots]"']


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_every_picture_and_asks_for_nothing_else(gallery, chromium, scheme):
    """Every image has pixels, of the sister for dark paper where it is dark; no complaint, no request elsewhere."""
    made, text, _ = gallery
    (made.out / "index.html").write_text(text, encoding="utf-8")
    page = chromium.new_page(color_scheme=scheme)
    trouble, asked = [], []
    page.on("console", lambda message: trouble.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((made.out / "index.html").as_uri())
    shown = page.evaluate(
        """async () => {
          const all = [...document.images];
          all.forEach((image) => { image.loading = "eager"; });
          await Promise.all(all.map((image) => image.decode().catch(() => null)));
          return all.map((image) => [image.currentSrc.split("/").pop(), image.naturalWidth]);
        }"""
    )
    for i in range(page.locator("iframe").count()):
        page.locator("iframe").nth(i).scroll_into_view_if_needed()
        page.frame_locator("iframe").nth(i).locator("button").first.wait_for()
    (made.out / "index.html").unlink()
    page.close()
    assert len(shown) >= 15
    assert all(width > 0 for _, width in shown), shown
    assert all(("-dark." in name) == (scheme == "dark") for name, _ in shown), shown
    assert trouble == []
    assert all(url.startswith((made.out.as_uri(), "data:", "blob:")) for url in asked), asked


@pytest.mark.parametrize("width", [320, 400, 800, 1400])
def test_the_page_fits_every_screen(gallery, chromium, width):
    """No sideways scrolling of the page itself; what is wide scrolls in its own frame, and keys reach it."""
    _, text, _ = gallery
    page = chromium.new_page(viewport={"width": width, "height": 800})
    page.set_content(text)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_who_wants_no_motion_gets_stills(gallery, chromium):
    """Films are replaced by their last picture."""
    made, text, _ = gallery
    (made.out / "index.html").write_text(text, encoding="utf-8")
    page = chromium.new_page(reduced_motion="reduce")
    page.goto((made.out / "index.html").as_uri())
    shown = page.evaluate("[...document.images].map((i) => { i.loading = 'eager'; return i.currentSrc; })")
    page.close()
    (made.out / "index.html").unlink()
    assert shown
    assert not any(name.endswith(".gif") for name in shown)


def test_the_update_that_the_stepper_shows_makes_the_loss_smaller(gallery, chromium):
    """A step too long would teach that descent goes up."""
    made, _, _ = gallery
    page = chromium.new_page()
    page.goto((made.out / "stepper.html").resolve().as_uri())
    page.locator("#last").click()
    before, after = re.findall(r"\d[\d.e−]*", page.locator("#loss").inner_text())[-2:]
    assert float(after) < float(before)
