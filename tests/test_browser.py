"""The page that runs the package in a browser: in headless Chromium, with what npm holds, and asking no other machine."""

import contextlib
import functools
import hashlib
import http.server
import io
import json
import math
import re
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from autodiff import anomalies, draw, explain
from autodiff.pictures import frames
from browser import lite
from browser.__main__ import LANGUAGES, MODULES, build, texts
from website import measure

ROOT = Path(__file__).parent.parent
CHAIN = """
from autodiff import Value, {extra}
x = Value(1.0)
y = x
for _ in range({nodes}):
    y = {step}
{sweep}
print(x.grad)
del y
print("freed")
"""
NEURON = """
from autodiff import Value, draw, explain, stepper
x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.5, "b")
z = w * x + b
z.label = "z"
C = (z.tanh() - 1.0) ** 2
C.label = "C"
C.backward()
"""
SIZES = {}
needs_npm = pytest.mark.skipif(not (MODULES / "pyodide").is_dir(), reason="npm ci --prefix browser")
pytestmark = pytest.mark.xdist_group("browser")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(root):
    """A folder, behind a server of this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page as it is published."""
    root = tmp_path_factory.mktemp("site")
    SIZES.update(build(root / "try" / "run"))
    with served(root) as address:
        yield f"{address}try/run/"


@pytest.fixture(scope="module")
def opened(chromium, site):
    """One tab where Python is loaded, for the whole module."""
    context = chromium.new_context(reduced_motion="reduce", locale="en-GB", accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.complaints, page.requests = [], []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    context.on("request", lambda request: page.requests.append(request.url))
    page.goto(site)
    settled(page)
    yield page
    context.close()


@pytest.fixture
def page(opened, site):
    """That tab, in English; afterwards: no error of the page's own, and nothing asked of another machine."""
    opened.complaints.clear()
    opened.set_viewport_size({"width": 1280, "height": 800})
    opened.select_option("#language", "en")
    yield opened
    assert opened.complaints == []
    assert {url for url in opened.requests if not url.startswith(("blob:", "data:", "about:", site))} == set()


def settled(page, seconds=180):
    """Wait until Python has nothing to do; return what the page says of it."""
    page.wait_for_function(
        "() => !document.body.hasAttribute('data-running') && !/…/.test(document.querySelector('#state').textContent)",
        timeout=seconds * 1000,
    )
    return page.inner_text("#state")


def run(page, code, seconds=180):
    """Run code in the page; return the text that it wrote."""
    page.fill("#code", code)
    page.press("#code", "Control+Enter")
    settled(page, seconds)
    return "".join(page.locator("#output pre").all_inner_texts())


def svg_in(page):
    return page.evaluate("fetch(document.querySelector('#output img').src).then((answer) => answer.text())")


def test_the_texts_are_there_in_both_languages():
    """Each text of the page has the same places for details in both languages, and none is empty or the same by accident."""
    said, places = texts(), re.compile(r"\{\w+\}")
    for key, english in said["words"]["en"].items():
        spanish = said["words"]["es"][key]
        assert english, key
        assert spanish, key
        assert sorted(places.findall(english)) == sorted(places.findall(spanish)), key
    assert len(said["examples"]) == 5
    for each in said["examples"]:
        assert set(each) == set(LANGUAGES)
        assert "[[" not in each["es"]["code"] + each["en"]["code"]


def test_every_text_that_the_page_asks_for_is_there():
    """No key of page.js or index.html is missing, none is left over."""
    folder = ROOT / "browser" / "page"
    script, html = (folder / "page.js").read_text("utf-8"), (folder / "index.html").read_text("utf-8")
    keys = set(texts()["words"]["en"])
    asked = set(re.findall(r'data-text="(\w+)"', html)) | set(re.findall(r'"(\w+)"', script)) & keys
    assert asked == keys


def test_examples_run_here_too(monkeypatch):
    """Every example is code of today's package: each runs in Python, but for the last, whose gradient is wrong."""
    for i, each in enumerate(texts()["examples"]):
        for language in LANGUAGES:
            if i < 4:
                exec(each[language]["code"], {})
            else:
                with pytest.raises(AssertionError, match="gradcheck"):
                    exec(each[language]["code"], {})


def test_the_lock_file_names_no_machine():
    """The npm packages come from the registry of whoever installs them, by their hashes."""
    lock = json.loads((ROOT / "browser" / "package-lock.json").read_text())
    assert "http" not in json.dumps(lock)
    assert all("integrity" in each for name, each in lock["packages"].items() if name)


def test_without_a_deep_stack_memory_is_given_back_from_the_root_down():
    """As in a browser: every node is freed when the last name goes, without the collector, and a refused one complains of nothing."""
    code = """if True:
        import gc, sys, tracemalloc
        import graphviz, numpy
        sys.platform = "emscripten"
        from autodiff import Value, weighted_sum
        assert "__del__" in vars(Value)
        sys.unraisablehook = lambda all: sys.exit(f"complained: {all}")
        try:
            Value("text")
        except TypeError:
            pass
        x, half = Value(1.0), Value(0.5)
        gc.collect()
        gc.disable()
        tracemalloc.start()
        left = []  # the first time, Python keeps some tuples for later
        for _ in range(3):
            for step in (lambda y: y * 0.5 + x, lambda y: weighted_sum([half, x], [y, x], bias=x)):
                y = x
                for _ in range(10_000):
                    y = step(y)
                del y
            left.append(tracemalloc.get_traced_memory()[0])
        assert left[0] < 1_000_000, left
        assert left[2] - left[0] < 10_000, left
        slope = x ** 3
        slope.backward(create_graph=True)
        x.zero_grad()
        slope.zero_grad()
        kept = x * 2.0
        del slope
        kept.backward()
        assert (x.grad, kept.data) == (2.0, 2.0)
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT,
        env={"AUTODIFF_PURE": "1", "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@needs_npm
@pytest.mark.usefixtures("opened")
def test_the_docs_tell_what_the_page_weighs():
    """docs/try is as `python -m website.measure try` writes it, with today's megabytes; the page's own part is small."""
    parts = measure.megabytes(SIZES)
    for language, path in measure.TRY.items():
        text = path.read_text("utf-8")
        told = re.findall(r"^\| \D.* \| ([\d.]+) \|$", text, re.MULTILINE)
        assert [float(each) for each in told] == pytest.approx(parts, rel=0.1, abs=0.051)
        [day] = re.findall(r"\d{4}-\d\d-\d\d", text)
        times = re.findall(r"^\| .* \| (\d.*) s \|$", text, re.MULTILINE)
        assert measure.written(text, measure.table(language, [float(each) for each in told], times, day)) == text
    assert parts[-1] < 0.02


@needs_npm
def test_the_engine_computes(page):
    """Values and gradients of the neuron of the README: the chain rule by hand is the oracle."""
    said = run(page, NEURON + "print(C.data, w.grad, x.grad)")
    t = math.tanh(0.5)
    delta = 2 * (t - 1) * (1 - t * t)
    assert [float(each) for each in said.split()] == pytest.approx([(t - 1) ** 2, 2 * delta, -3 * delta], rel=1e-14)


@needs_npm
def test_a_drawing_says_what_graphviz_here_says(page):
    """`draw` shows a picture with the texts and the size that Graphviz on this machine gives, and its alt text."""
    run(page, NEURON + "draw(C)")
    names = {}
    exec(NEURON, names)
    here = draw(names["C"])
    text = re.compile(r"<text[^>]*>([^<]*)</text>")
    assert sorted(text.findall(svg_in(page))) == sorted(text.findall(here.pipe("svg").decode()))
    image = page.locator("#output img")
    assert image.get_attribute("alt") == here.alt
    assert image.evaluate("(image) => image.complete && image.naturalWidth > 200")


@needs_npm
def test_an_explanation_says_what_python_says_here(page):
    """`explain` in both languages: the same words as in this interpreter."""
    names = {}
    exec(NEURON, names)
    for language in LANGUAGES:
        page.select_option("#language", language)
        assert run(page, NEURON + "explain(w, of=C)").strip() == str(
            explain(names["w"], of=names["C"], language=language)
        )


@needs_npm
def test_the_stepper_steps_and_computes(page):
    """`stepper(C)` is the page that it is elsewhere: after one iteration its loss is that of gradient descent by hand."""
    run(page, NEURON + "stepper(C)")
    assert page.locator("#output iframe").get_attribute("sandbox") == "allow-scripts"
    frame = page.frame_locator("#output iframe")
    frame.locator("#iterate").click()

    def slope(z):
        return 2 * (math.tanh(z) - 1) * (1 - math.tanh(z) ** 2)

    w, b = -3.0 - 0.1 * slope(0.5) * 2.0, 6.5 - 0.1 * slope(0.5)
    assert f"{(math.tanh(w * 2.0 + b) - 1) ** 2:.4g}" in frame.locator("#loss").inner_text()


@needs_npm
def test_a_film_plays_and_anomalies_are_told(page):
    """`animate` and `anomalies` do without NumPy too: a film of as many steps as here, and the same words."""
    code = "import autodiff\nC.backward()\nprint(autodiff.anomalies(C))\nprint(len(autodiff.pictures.frames(C)))\nautodiff.animate(C)"
    names = {}
    exec(NEURON, names)
    assert run(page, NEURON + code).split("\n")[:2] == [str(anomalies(names["C"])), str(len(frames(names["C"])))]
    assert page.frame_locator("#output iframe").locator("svg").count() == 1


@needs_npm
def test_gradcheck_asks_for_numpy_and_says_when_it_cannot_be_had(page, opened):
    """Nothing is asked of another machine until the button is pressed; without a network that is told in words."""
    run(page, texts()["examples"][4]["en"]["code"])
    assert "NumPy" in page.inner_text(".error")
    asked = len(opened.requests)
    opened.context.route("https://cdn.jsdelivr.net/**", lambda route: route.abort())
    page.click("#numpy")
    assert "could not be loaded" in settled(page)
    others = [url for url in opened.requests[asked:] if "cdn.jsdelivr.net/pyodide" in url]
    assert others
    assert "numpy" in others[0]
    opened.requests[:] = [url for url in opened.requests if url not in others]
    assert run(page, "print(1 + 1)") == "2\n"


@needs_npm
def test_the_button_loads_numpy_from_pyodides_own_distribution_and_runs_again(chromium, site):
    """From the address of this very version, checked by its hash: here a stand-in for NumPy, which no registry has."""
    lock = json.loads((MODULES / "pyodide" / "pyodide-lock.json").read_text("utf-8"))
    entry, packed = lock["packages"]["numpy"], io.BytesIO()
    with zipfile.ZipFile(packed, "w") as wheel:
        wheel.writestr("numpy/__init__.py", "answer = 42")
        wheel.writestr(f"numpy-{entry['version']}.dist-info/METADATA", f"Name: numpy\nVersion: {entry['version']}\n")
        wheel.writestr(f"numpy-{entry['version']}.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    entry["sha256"] = hashlib.sha256(packed.getvalue()).hexdigest()
    asked = []

    def stand_in(route):
        asked.append(route.request.url)
        route.fulfill(body=packed.getvalue(), headers={"access-control-allow-origin": "*"})

    with contextlib.closing(chromium.new_context()) as context:
        context.route("**/pyodide-lock.json", lambda route: route.fulfill(json=lock))
        context.route("https://cdn.jsdelivr.net/**", stand_in)
        page = context.new_page()
        page.goto(site)
        settled(page)
        run(page, "import numpy\nprint(numpy.answer)")
        assert asked == []
        page.click("#numpy")
        page.wait_for_function("() => document.querySelector('#output pre')?.innerText === '42\\n'")
        assert asked == [f"https://cdn.jsdelivr.net/pyodide/v{lite.version()}/full/{entry['file_name']}"]


@needs_npm
def test_an_error_names_the_users_line(page):
    """The lines on the way, the exception and its words; the line is marked, and a click selects it."""
    run(page, 'from autodiff import Value\n\ndef f(p):\n    return p.log()\n\nf(Value(-0.5, "p"))\n')
    assert "DomainError: log of -0.5, outside (0, ∞), in 'p'" in page.inner_text(".error")
    assert page.locator(".error li code").all_inner_texts() == ['f(Value(-0.5, "p"))', "return p.log()"]
    assert page.inner_text("#numbers .wrong") == "4"
    page.click(".error li:last-child button")
    assert (
        page.evaluate("getSelection().toString() || code.value.slice(code.selectionStart, code.selectionEnd)")
        == "    return p.log()"
    )
    run(page, "x = (1\ny = 2\n")
    assert "SyntaxError" in page.inner_text(".error")
    run(page, "def f(x):\n    return f(x)\nf(1)\n")
    assert "RecursionError" in page.inner_text(".error")
    assert run(page, "print('after')") == "after\n"


@needs_npm
def test_a_link_carries_the_code_and_runs_nothing(page, site):
    """What is copied opens elsewhere with the same text, to the letter; a damaged link says so."""
    code = 'print("¿δ? ∂C/∂w", "<b>&amp;</b>")\n' + "x = 1  # 𝛿\n" * 50
    page.fill("#code", code)
    page.click("#link")
    page.wait_for_function("() => location.hash.length > 10")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    assert len(link) < len(code)
    other = page.context.new_page()
    other.goto(link)
    other.wait_for_function("() => document.querySelector('#state').textContent")
    assert other.input_value("#code") == code
    assert other.inner_text("#output") == ""
    other.close()
    other = page.context.new_page()
    other.goto(f"{site}#code=AAAA")
    other.wait_for_function("() => /damaged|dañado/.test(document.querySelector('#state').textContent)")
    assert "autodiff" in other.input_value("#code")
    other.close()


@needs_npm
@pytest.mark.parametrize("nodes", [5_000, 100_000])
@pytest.mark.parametrize(
    ("step", "extra", "slope"),
    [("y + x * 0.0", "exp", 1.0), ("-y", "exp", 1.0), ("weighted_sum([y], [x], bias=0.0)", "weighted_sum", None)],
)
def test_freeing_a_deep_graph_does_not_end_the_interpreter(page, nodes, step, extra, slope):
    """A chain of either length and kind is swept and freed, and Python goes on."""
    said = run(page, CHAIN.format(nodes=nodes, step=step, extra=extra, sweep="y.backward()")).split()
    assert said[1] == "freed"
    assert float(said[0]) == (nodes + 1.0 if slope is None else slope)
    assert run(page, "print('after')") == "after\n"


@needs_npm
@pytest.mark.parametrize(
    "code",
    [
        "z = copy.deepcopy(y)\nz = pickle.loads(pickle.dumps(y))",
        "y.backward(create_graph=True)\nfor node in topological_order(y):\n    node.zero_grad()",
        "y.backward(create_graph=True)\ndel y, x\ngc.collect()",
        "class Mine(Value):\n    pass\nz = m = Mine(1.0)\nfor _ in range(5_000):\n    z = z * 1.0 + m",
        "f = Op('f', 'f', lambda a: a, partials=(lambda a, r: 1.0,))\nz = x\nfor _ in range(5_000):\n    z = f(z) + x",
        "str(explain(x, of=y))\nstr(anomalies(y))\ndraw(y).source",
    ],
    ids=["copies", "gradients with a graph", "cycles", "a class of one's own", "an operation of one's own", "walks"],
)
def test_whatever_is_deep_is_freed(page, code):
    """Copies, gradients that are Values, cycles left to the collector, users' classes and operations, and what walks."""
    header = "import copy, gc, pickle\nfrom autodiff import Op, Value, anomalies, draw, explain, topological_order\nx = y = Value(1.0)\nfor _ in range(5_000):\n    y = y * 0.5 + x\n"
    assert run(page, f"{header}{code}\nx = y = z = None\nprint('freed')") == "freed\n"
    assert run(page, "print('after')") == "after\n"


@needs_npm
def test_stop_ends_a_loop_without_end(page):
    """Python starts anew, and the next code runs."""
    page.fill("#code", "while True:\n    pass\n")
    page.click("#run")
    page.click("#stop")
    settled(page)
    assert run(page, "print('after')") == "after\n"
    assert "200,000" in run(page, "print('x' * 300_000)")


@needs_npm
def test_keys_of_the_editor(page):
    """Tab and Shift+Tab, Enter after a colon, Ctrl+/; Escape and Tab leave; Ctrl+Z takes back."""
    page.fill("#code", "")
    page.focus("#code")
    page.keyboard.type("for i in range(3):\nprint(i)")
    assert page.input_value("#code") == "for i in range(3):\n    print(i)"
    page.keyboard.press("Shift+Tab")
    assert page.input_value("#code") == "for i in range(3):\nprint(i)"
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+/")
    assert page.input_value("#code").startswith("# for i in range(3):\n")
    page.keyboard.press("Control+/")
    assert page.input_value("#code").startswith("for i in range(3):\n")
    page.keyboard.press("Control+z")
    assert page.input_value("#code").startswith("# for")
    page.fill("#code", "\nx")
    page.evaluate("code.setSelectionRange(0, 0)")
    page.keyboard.press("Tab")
    assert page.input_value("#code") == "    \nx"
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") != "code"


@needs_npm
def test_everything_has_a_name_for_who_does_not_see_it(page):
    """Roles and names as a screen reader finds them; an error is an alert, a state is told, a picture has its words."""
    for role, name in (
        ("heading", "Try delta-autodiff"),
        ("combobox", "Language"),
        ("combobox", "Example"),
        ("button", "Run"),
        ("button", "Stop"),
        ("button", "Copy link"),
        ("textbox", "Code"),
        ("region", "Output"),
        ("link", "JupyterLite"),
    ):
        assert page.get_by_role(role, name=name, exact=True).count() == 1, name
    run(page, "1 / 0")
    assert "division by zero" in page.get_by_role("alert").inner_text()
    assert page.get_by_role("status").inner_text() == "Error on line 1: ZeroDivisionError."
    run(page, NEURON + "draw(C)\n")
    assert len(page.get_by_role("img").get_attribute("alt")) > 40
    assert page.get_by_role("status").inner_text().startswith("Done in ")


@needs_npm
def test_the_page_speaks_both_languages(page):
    """Words, examples, pictures; code of one's own is left alone."""
    page.select_option("#example", "0")
    page.select_option("#language", "es")
    assert page.evaluate("document.documentElement.lang") == "es"
    assert page.inner_text("#run") == "Ejecutar"
    assert "suma ponderada" in page.input_value("#code")
    page.click("#run")
    settled(page)
    assert "derivada" in svg_in(page)
    page.fill("#code", "print(1)  # mine")
    page.select_option("#language", "en")
    assert page.input_value("#code") == "print(1)  # mine"


@needs_npm
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window_and_words_have_contrast(page, width, scheme):
    """On a phone and on a desk, light and dark: no scrolling sideways, fingers find the buttons, contrast of at least 4.5."""
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    page.select_option("#example", "3")
    page.click("#run")
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for each in page.locator("button:visible, select:visible").all():
        assert each.bounding_box()["height"] >= (40 if width == 390 else 24)
    assert page.evaluate(CONTRAST) == []


CONTRAST = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((x) => x / 255).map((x) => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
    .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => { for (; node; node = node.parentElement) { const c = channels(getComputedStyle(node).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const poor = [];
  for (const node of document.querySelectorAll('h1, h2, a, p, span, label, button:enabled, select, textarea, pre, #numbers div')) {
    if (!node.offsetParent || !node.innerText?.trim() || node.classList.contains('unseen')) continue;
    const [high, low] = [luminance(channels(getComputedStyle(node).color)), luminance(behind(node))].sort((a, b) => b - a);
    if ((high + 0.05) / (low + 0.05) < 4.5) poor.push([node.outerHTML.slice(0, 80), (high + 0.05) / (low + 0.05)]);
  }
  return poor;
}"""


@needs_npm
def test_the_code_goes_on_as_a_notebook(page, site):
    """What is saved is a valid notebook: the first cell installs the page's own wheel, the second is the code."""
    nbformat = pytest.importorskip("nbformat")
    page.fill("#code", "print('δ')\n")
    with page.expect_download() as waiting:
        page.click("#save")
    made = nbformat.read(waiting.value.path(), 4)
    nbformat.validate(made)
    first, second = made.cells
    assert second.source == "print('δ')\n"
    wheel = re.search(rf"%pip install -q ({re.escape(site)}delta_autodiff-\S+-py3-none-any\.whl)\n", first.source)[1]
    assert page.evaluate("(url) => fetch(url).then((answer) => answer.status)", wheel) == 200


@needs_npm
@pytest.mark.slow(reason="it builds a whole site")
def test_a_site_of_jupyterlite_runs_the_package_without_another_machine(chromium, tmp_path):
    """Its kernel starts, the cell in front installs the wheel, `draw` shows a picture; chapters have that cell too."""
    pytest.importorskip("jupyterlite_core")
    pytest.importorskip("jupyterlite_pyodide_kernel")
    lite.build(tmp_path / "lite")
    chapter = json.loads((tmp_path / "lite" / "files" / "es" / "00_nudges.ipynb").read_text("utf-8"))
    assert "set_renderer" in chapter["cells"][1]["source"]
    with served(tmp_path / "lite") as address, contextlib.closing(chromium.new_page()) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}notebooks/index.html?path=en/try.ipynb")
        page.click(".jp-CodeCell .cm-content", timeout=180_000)
        page.wait_for_selector("text=/Python.*Pyodide/", timeout=180_000)
        for _ in range(2):
            page.keyboard.press("Shift+Enter")
        page.wait_for_selector(".jp-OutputArea-output img, .jp-OutputArea-output svg", timeout=180_000)
        assert "∂C/∂w = -0.17744691734927" in "".join(page.locator(".jp-OutputArea-output").all_inner_texts())
    assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []
