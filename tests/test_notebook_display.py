"""What shows itself as the last line of a notebook cell: pictures that fit, films in frames, remarks as lists."""

import base64
import html
import importlib.util
import re
import shutil
import xml.etree.ElementTree as ET

import pytest
from dot_text import HOSTILE

from autodiff import Value, anomalies, draw, sqrt
from autodiff.pictures import Picture, WebPage, animate, frames, render, stepper
from models import MLP

pytestmark = pytest.mark.skipif(
    not (shutil.which("dot") or importlib.util.find_spec("pygraphviz")), reason="neither pygraphviz nor dot is here"
)


def network(label="C"):
    mlp = MLP(2, [3, 1], activation="tanh", random_state=0)
    cost = (mlp([0.5, -1.0]) - 1.0) ** 2
    cost.label = label
    cost.backward()
    return cost


def svg_of(value):
    return draw(value)._repr_mimebundle_()["image/svg+xml"]


class Notebook:
    """A page of cell outputs in a real browser, which fails at any request or complaint."""

    def __init__(self, chromium, *outputs, width=600, scheme="light"):
        self.context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.wrong = []
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: request.url.startswith("data:") or self.wrong.append(request.url))
        cells = "".join(f"<div class=cell>{each}</div>" for each in outputs)
        self.page.set_content(f"<!doctype html><body style='margin:0'>{cells}</body>")

    def __enter__(self):
        return self.page

    def __exit__(self, *raised):
        self.context.close()
        if raised[0] is None:
            assert [each for each in self.wrong if not each.startswith("about:")] == []


@pytest.mark.parametrize("width", [390, 600, 2000])
def test_a_picture_is_no_wider_than_its_column(chromium, width):
    """It shrinks in proportion where the column is narrow, and keeps its own size where there is room."""
    shown = svg_of(network())
    drawn = draw(network()).pipe("svg", encoding="utf-8")
    own = [float(each) / 0.75 for each in re.findall(r'(?:width|height)="([\d.]+)pt"', drawn)[:2]]  # CSS pixels
    with Notebook(chromium, shown, width=width) as page:
        box = page.locator("svg").bounding_box()
        assert box["width"] == pytest.approx(min(own[0], width), abs=1.0)
        assert box["height"] / box["width"] == pytest.approx(own[1] / own[0], rel=1e-2)


def test_an_exported_notebook_shows_the_whole_picture(chromium):
    """There it is an image, whose column does not shrink it: it is no wider than such a column is, in proportion."""
    image = base64.b64encode(svg_of(network()).encode()).decode()
    with Notebook(chromium, f'<img src="data:image/svg+xml;base64,{image}">', width=2000) as page:
        box = page.locator("img").bounding_box()
    own = [
        float(each) for each in re.findall(r'(?:width|height)="([\d.]+)pt"', draw(network()).pipe("svg").decode())[:2]
    ]
    assert box["width"] <= 860
    assert box["height"] / box["width"] == pytest.approx(own[1] / own[0], rel=2e-2)


def test_a_picture_says_in_words_what_it_shows():
    """The result, and δ of what has a name; a reader of screens speaks it. Files are as Graphviz made them."""
    x, w = Value(3.0, "x"), Value(-2.0, "w")
    product = x * w
    product.label = "p"
    assert draw(product).alt == "p = −6"
    product.backward()
    assert draw(product).alt == "p = −6; δ of x = −2; δ of w = 3"
    root = ET.fromstring(svg_of(product))
    assert (root.attrib["role"], root.attrib["aria-label"]) == ("img", "p = −6; δ of x = −2; δ of w = 3")
    many = [Value(float(i), f"x{i}") for i in range(12)]
    total = sum(many)
    total.backward()
    assert draw(total).alt.endswith("; and 4 more")


@pytest.mark.parametrize("label", HOSTILE)
def test_labels_of_any_kind_stay_text_in_every_display(label):
    """The SVG stays XML, and nothing ends the frame's attribute before its page does."""
    ET.fromstring(svg_of(network(label)))
    frame = animate(network(label))._repr_html_()
    inside = re.fullmatch(r"<iframe srcdoc='([^']*)' sandbox=\"allow-scripts\" [^<>]*></iframe>", frame)
    assert html.unescape(inside[1]).startswith("<!doctype html>")


def test_a_film_plays_in_its_cell(chromium):
    """`animate` without a path, and `frames`, step by button inside a frame that is tall enough for all of it."""
    film, pictures = animate(network()), frames(network())
    with Notebook(chromium, film._repr_html_(), pictures._repr_html_(), width=1000) as page:
        for i in range(2):
            frame = page.frame_locator("iframe").nth(i)
            assert frame.locator("#count").text_content() == f"1 / {len(pictures)}"
            frame.locator("#last").click()
            assert frame.locator("#says").text_content() == "every node has its δ"
            room = frame.locator("html").evaluate("e => [e.scrollHeight, innerHeight, e.scrollWidth, innerWidth]")
            assert room[0] <= room[1] + 1, "the frame cuts the page off below"
            assert room[2] <= room[3] + 1, "the frame cuts the page off at the right"


def test_a_film_saves_itself_as_the_page_that_animate_writes(tmp_path):
    """With a path the page is written at once; what a page cannot be is refused."""
    film = animate(network(), seconds=0.5)
    assert isinstance(film, WebPage)
    assert film.save(tmp_path / "one.html") == tmp_path / "one.html"
    assert (tmp_path / "one.html").read_bytes() == animate(network(), tmp_path / "two.html", seconds=0.5).read_bytes()
    with pytest.raises(ValueError, match=r"the suffix must be one of \.html, \.htm, got '\.gif'"):
        film.save(tmp_path / "film.gif")
    assert repr(film) == f'WebPage of {len(film.html.encode()):,} bytes; save("page.html") writes it'


def brightness(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_film_is_light_or_dark_as_its_reader_prefers(chromium, scheme):
    """Ground and text change sides together; a film of the dark theme stays dark."""
    for theme in ("light", "dark"):
        page_of = animate(network(), theme=theme).html
        context = chromium.new_context(color_scheme=scheme)
        page = context.new_page()
        page.set_content(page_of)
        style = "e => [getComputedStyle(e).fill, getComputedStyle(document.body).backgroundColor]"
        ink, paper = map(brightness, page.locator("svg text").first.evaluate(style))
        ground = brightness(page.locator("svg polygon").first.evaluate("e => getComputedStyle(e).fill"))
        context.close()
        dark = theme == "dark" or scheme == "dark"
        assert (paper < 60, ground < 60, ink > 150) == (dark,) * 3
        assert abs(paper - ink) > 100


def test_on_a_phone_a_film_scrolls_sideways_and_says_the_step_below(chromium, tmp_path):
    """Its numbers keep three quarters of their size; the page itself is not wider than the screen."""
    context = chromium.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(animate(network(), tmp_path / "film.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    full = float(re.search(r'viewBox="0.00 0.00 ([\d.]+)', page.content())[1])
    assert page.locator("svg").bounding_box()["width"] == pytest.approx(0.75 * full, abs=1.0)
    assert page.locator("#says").bounding_box()["height"] > 15
    context.close()


def test_anomalies_are_read_as_a_list():
    """A line each, in print and in Markdown; and in words that there are none. Still a tuple."""
    x = Value(0.0, "x_1")
    found = anomalies(sqrt(x) * 3.0)
    assert found == tuple(found)
    assert str(found) == str(found[0])
    assert found._repr_markdown_() == (
        "- backward: δ of 'x\\_1' is inf: domain edge: sqrt at 'x\\_1' = 0, the end of \\[0, ∞\\), has an infinite slope"
    )
    assert str(anomalies(x * 2.0)) == "every value and every δ is finite"


def test_a_file_says_what_it_shows_and_keeps_its_size(tmp_path):
    """SVG has the words of `alt`; the width of a column is a notebook's matter, and nobody's words of a picture of one's own."""
    picture = draw(network())
    root = ET.parse(render(picture, tmp_path / "picture.svg")).getroot()
    assert (root.attrib["role"], root.attrib["aria-label"]) == ("img", picture.alt)
    assert "style" not in root.attrib
    assert root.attrib["width"].endswith("pt")
    played = ET.parse(animate(network(), tmp_path / "film.svg")).getroot()
    assert (played.attrib["role"], played.attrib["aria-label"]) == (
        "img", "δ flowing backward: every node has its δ",
    )  # fmt: skip
    own = Picture("digraph { a -> b }")
    assert b"aria-label" not in own.pipe("svg")


def test_as_html_a_picture_has_words_tooltips_and_the_width_of_its_column(chromium):
    """What exports and notebooks take of the two forms: nothing before the element that browsers would show."""
    cost = network()
    shown = draw(cost)._repr_mimebundle_()
    assert list(shown) == ["text/html", "image/svg+xml"]
    for width in (344, 2000):
        with Notebook(chromium, shown["text/html"], width=width) as page:
            around = "e => [...e.childNodes].map((each) => each.nodeName + each.textContent.trim().length * (each.nodeName !== 'svg'))"
            assert page.locator(".cell").evaluate(around) in (["svg0"], ["svg0", "#text0"])
            picture = page.get_by_role("img", name=draw(cost).alt)
            assert picture.bounding_box()["width"] <= width
            told = "e => e.querySelectorAll('a').length && [...e.querySelectorAll('a')].every((a) => a.href.baseVal === '' && a.getAttribute('xlink:title'))"
            assert picture.evaluate(told)


def test_every_frame_has_a_title():
    """The page's own, as text."""
    cost = network('<C> & "cost"')
    for page in (stepper(cost), animate(cost), frames(cost)):
        title = html.unescape(re.search(r'<iframe [^>]*title="([^"]+)"', page._repr_html_())[1])
        inside = html.unescape(re.search(r"srcdoc='([^']*)'", page._repr_html_())[1])
        assert title == html.unescape(re.search(r"<title>(.*?)</title>", inside)[1])


def test_the_stepper_shows_itself_in_a_frame_and_computes_there(chromium, tmp_path):
    """Without a path it is a WebPage: sandboxed it takes its steps, and saves itself as the file that a path writes."""
    C = network()
    walk = stepper(C)
    assert isinstance(walk, WebPage)
    assert walk.save(tmp_path / "one.html").read_bytes() == stepper(C, tmp_path / "two.html").read_bytes()
    page = chromium.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.set_content(walk._repr_html_())
    frame = page.frame_locator("iframe")
    frame.locator("#last").click()
    frame.locator("#iterate").click()
    assert frame.locator("#iterations").text_content().startswith("1 iteration: C ")
    assert complaints == []
    page.close()
