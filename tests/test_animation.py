"""The sweep in motion: every step follows from the chain rule, nothing jumps, and each kind of file plays."""

import hashlib
import importlib.util
import itertools
import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from base64 import b64encode

import numpy as np
import pytest
from dot_text import CLEANED, HOSTILE, parse, texts
from hypothesis import given

from autodiff import Value, draw, topological_order, total
from autodiff.pictures import RenderError, animate, frames
from autodiff.pictures.sweeping import recorded, steps
from autodiff.testing import expressions
from models import MLP

pytestmark = pytest.mark.skipif(
    not (shutil.which("dot") or importlib.util.find_spec("pygraphviz")), reason="neither pygraphviz nor dot is here"
)
SVG = "{http://www.w3.org/2000/svg}"
SPAN = re.compile(r"\bt(\d+)_(\d+)\b")


def product():
    """x · y + x, whose δ at x has two contributions."""
    x, y = Value(2.0, "x"), Value(-3.0, "y")
    p = x * y
    p.label = "p"
    r = p + x
    r.label = "r"
    return r


def network():
    mlp = MLP(2, [3, 1], activation="tanh", random_state=0)
    cost = (mlp([0.5, -1.0]) - 1.0) ** 2
    cost.label = "C"
    return cost


def caption(picture):
    return "".join(texts(parse(picture).nodes["caption"]["label"]))


def deltas(picture):
    """Return the δ that each node shows, by its label."""
    named = {}
    for at in parse(picture).nodes.values():
        shown = texts(at["label"])
        if at["class"].split()[0] in {"leaf", "operation"}:
            named[shown[-3]] = shown[-1]
    return named


class TestStrokes:
    @pytest.mark.parametrize("sizes", [[3, 4, 4, 1], [4, 8, 3], [2, 3, 1]])
    def test_before_the_sweep_no_stroke_points_back(self, sizes):
        """And at its end one points back for each weight behind the first layer, and for each use by the cost."""
        outputs = MLP(sizes[0], sizes[1:], activation="tanh", random_state=0)([0.5] * sizes[0])
        outputs = outputs if isinstance(outputs, list) else [outputs]
        first, *_, last = frames(total([(a - 1.0) ** 2 for a in outputs]), detail="neurons")

        def directions(picture):
            return [at["dir"] for *_, at in parse(picture).edges]

        there = sum(m * n for m, n in itertools.pairwise(sizes[1:])) + sizes[-1]
        assert directions(first) == ["forward"] * (sizes[0] * sizes[1] + there)
        assert directions(last).count("back") == there
        assert all("pos" in at for picture in (first, last) for *_, at in parse(picture).edges)


class TestSteps:
    @given(expressions())
    def test_the_last_step_is_what_backward_gives(self, f):
        """Handing on node by node is the sweep: the same δ everywhere, to the last bit."""
        root = f(*map(Value, f.point))
        if not isinstance(root, Value):
            return
        order = topological_order(root)
        *_, last = steps(order, [[node] for node in order if node.op is not None])
        before = [node.swept for node in order]
        assert not any(before)
        root.backward()
        reached = {node: node.grad for node in order if node in last.deltas}
        assert last.deltas == pytest.approx(reached, rel=1e-12, abs=0.0)
        assert all(node.grad == 0.0 for node in order if node not in last.deltas)
        assert recorded(order).deltas.keys() == set(order)

    def test_a_sum_grows_contribution_by_contribution(self):
        """δ of x is 1 first, from the sum, with more to come; then −3 is added."""
        shown = [deltas(picture) for picture in frames(product())]
        assert [each["x"] for each in shown] == ["δ –", "δ –", "δ 1 +…", "δ −2", "δ −2"]
        assert [each["y"] for each in shown] == ["δ –", "δ –", "δ –", "δ 2", "δ 2"]
        assert [each["r"] for each in shown] == ["δ –", "δ 1", "δ 1", "δ 1", "δ 1"]

    def test_captions_say_what_happens(self):
        """By the labels, from the values to the last δ."""
        assert [caption(picture) for picture in frames(product())] == [
            "forward: every node has its value",
            "the sweep begins: δ of r by itself is 1",
            "r hands δ · ∂ to p, x",
            "p hands δ · ∂ to x, y",
            "every node has its δ",
        ]
        told = [caption(picture) for picture in frames(network(), detail="neurons")]
        assert told[2:-1] == ["C hands δ back", "layer2 hands δ back", "layer1 hands δ back"]

    def test_backward_strokes_appear_when_delta_flows(self):
        """And not before: a stroke that is not there yet is no zero."""
        counts = [sum("backward" in at["class"] for *_, at in parse(picture).edges) for picture in frames(product())]
        assert counts == [0, 0, 2, 4, 4]

    @pytest.mark.parametrize("detail", ["operations", "neurons", "layers"])
    def test_nothing_jumps(self, detail):
        """In every step every node, edge and group stands where it stands in the last."""
        pictures = [parse(picture) for picture in frames(network(), detail=detail)]
        last = pictures[-1]
        places = {name: at["pos"] for name, at in last.nodes.items() if name != "legend"}
        assert len(set(places.values())) == len(places)
        ways = {at["id"]: at["pos"] for *_, at in last.edges}
        for picture in pictures:
            assert {name: at["pos"] for name, at in picture.nodes.items() if name != "legend"} == places
            found = {at["id"]: at["pos"] for *_, at in picture.edges}
            assert found.items() <= ways.items()
            assert picture.groups == last.groups

    def test_grad_is_neither_read_nor_changed(self):
        """Frames of a graph that was swept start from nothing, and leave it as it was."""
        root = product()
        root.backward()
        root.backward()
        before = [node.grad for node in topological_order(root)]
        assert deltas(frames(root)[0])["x"] == "δ –"
        assert deltas(frames(root)[-1])["x"] == "δ −2"
        assert [node.grad for node in topological_order(root)] == before

    def test_a_leaf_alone_is_a_sweep_too(self):
        """It has a δ of 1 and hands it to nobody."""
        assert [deltas(picture)["x"] for picture in frames(Value(1.0, "x"))] == ["δ –", "δ 1", "δ 1"]

    def test_a_layer_takes_one_step_also_where_neurons_feed_each_other(self):
        """δ of a recurrent network is that of backward, whatever the grouping."""
        h, w = Value(0.5, "h0"), Value(0.7, "cell.w")
        for _ in range(3):
            h = (w * h).tanh()
            h.label = "cell.a"
        other = Value(0.3, "other.w") * h
        other.label = "other.z"
        back = w * other
        back.label = "cell.z"
        shown = frames(back, detail="neurons")[-1]
        back.backward()
        assert parse(shown).nodes.keys() - {"caption"} == parse(draw(back, detail="neurons")).nodes.keys()
        tips = sorted(at["tooltip"] for at in parse(shown).nodes.values() if at["class"].startswith("unit"))
        assert tips == sorted(
            at["tooltip"] for at in parse(draw(back, detail="neurons")).nodes.values() if at["class"].startswith("unit")
        )

    def test_too_many_steps_are_refused_with_the_way_out(self):
        """No thousand pictures by mistake; and a summary has no steps."""
        y = Value(1.0)
        for _ in range(600):
            y = y.tanh()
        with pytest.raises(ValueError, match=r'the sweep must fit 500 pictures, got 600 steps; .*detail="neurons"'):
            frames(y)
        with pytest.raises(ValueError, match=r"601 nodes are too many to draw.*a summary has no steps"):
            frames(y, max_nodes=100)

    def test_without_graphviz_there_is_no_layout(self, no_graphviz):
        """The error says what to install."""
        with pytest.raises(RenderError, match=r'pip install "delta-autodiff\[render\]"'):
            frames(product())


class TestFiles:
    @pytest.mark.parametrize("name", ["a.png", "a", "a.svg.zip"])
    def test_an_unknown_suffix_is_refused(self, tmp_path, name):
        """With the known ones, before any work."""
        with pytest.raises(ValueError, match=r"the suffix must be one of \.gif, \.svg, \.html, got"):
            animate(product(), tmp_path / name)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, "1", 1e9])
    def test_seconds_have_to_be_a_time(self, tmp_path, seconds):
        """Above 0, and not for ever."""
        with pytest.raises(ValueError, match=r"seconds must be the time that a step is shown, from 0\.02 to 600"):
            animate(product(), tmp_path / "a.svg", seconds=seconds)

    @pytest.mark.parametrize("option", ["direction", "fps"])
    def test_an_option_that_a_sweep_has_not_is_refused(self, tmp_path, option):
        """With those it has."""
        for call in (frames, lambda root, **options: animate(root, tmp_path / "a.svg", **options)):
            with pytest.raises(TypeError, match=f"an option must be one of detail, rankdir, .*, got '{option}'"):
                call(product(), **{option: "forward"})
        assert list(tmp_path.iterdir()) == []

    def test_a_missing_folder_is_named(self, tmp_path):
        """Folders are the caller's to make."""
        with pytest.raises(FileNotFoundError, match=r"the folder must exist, got .*missing"):
            animate(product(), tmp_path / "missing" / "a.svg")

    @pytest.mark.parametrize("suffix", ["svg", "html", "gif"])
    def test_one_file_and_no_other(self, tmp_path, monkeypatch, suffix):
        """Nothing is written outside the path asked for."""
        (tmp_path / "out").mkdir()
        (tmp_path / "cwd").mkdir()
        monkeypatch.chdir(tmp_path / "cwd")
        path = animate(product(), str(tmp_path / "out" / f"delta.{suffix}"))
        assert path == tmp_path / "out" / f"delta.{suffix}"
        assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [path.name]

    @pytest.mark.parametrize("detail", ["operations", "neurons"])
    def test_a_failure_leaves_what_was_there_and_the_source(self, tmp_path, no_graphviz, detail):
        """An earlier film stays whole; the DOT text lies beside it."""
        (tmp_path / "a.svg").write_text("earlier")
        with pytest.raises(RenderError, match=r"there is no Graphviz to draw with.*The DOT source is in .*a\.svg\.dot"):
            animate(network(), tmp_path / "a.svg", detail=detail)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a.svg", "a.svg.dot"]
        assert "layer2" in (tmp_path / "a.svg.dot").read_text(encoding="utf-8")
        assert (tmp_path / "a.svg").read_text() == "earlier"

    @pytest.mark.skipif(not importlib.util.find_spec("pygraphviz"), reason="pygraphviz has no wheel here")
    def test_all_of_it_works_without_a_system_dot(self, tmp_path, monkeypatch):
        """By the Graphviz inside pygraphviz."""
        monkeypatch.setenv("PATH", str(tmp_path))
        for suffix in ("svg", "html", "gif"):
            assert animate(product(), tmp_path / f"a.{suffix}").stat().st_size > 1000


class TestGif:
    def test_every_step_is_a_frame(self, tmp_path):
        """As an outside decoder reads it: frames of one size, their times, each another picture than the last."""
        image = pytest.importorskip("PIL.Image", reason="Pillow comes with matplotlib")
        path = animate(product(), tmp_path / "a.gif", seconds=0.5)
        with image.open(path) as film:
            times, seen = [], []
            for k in range(film.n_frames):
                film.seek(k)
                times.append(film.info["duration"])
                seen.append(film.convert("RGB").tobytes())
            assert film.n_frames == len(frames(product())) == 5
            assert film.info["loop"] == 0
        assert times == [500, 500, 500, 500, 1000]
        assert len(set(seen)) == 5

    def test_what_does_not_change_stays_and_takes_no_bytes(self, tmp_path):
        """As an outside decoder reads it: later frames cover half of the whole, and leave what they do not cover."""
        image = pytest.importorskip("PIL.Image", reason="Pillow comes with matplotlib")
        y = x = Value(0.5, "x")
        for i in range(12):
            y = y.sin() if i % 2 else y + x
        with image.open(animate(y, tmp_path / "a.gif")) as moving:
            whole, areas, seen = moving.size, [], []
            for k in range(moving.n_frames):
                moving.seek(k)
                left, top, right, bottom = moving.dispose_extent
                areas.append((right - left) * (bottom - top))
                seen.append(np.asarray(moving.convert("RGB"), int))
                if k:
                    outside = np.ones(seen[k].shape[:2], dtype=bool)
                    outside[top:bottom, left:right] = False
                    assert (seen[k] == seen[k - 1])[outside].all()
                assert moving.disposal_method == 1
        assert areas[0] == whole[0] * whole[1]
        assert sum(areas[1:]) < 0.6 * (len(areas) - 1) * areas[0]

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_the_ground_is_the_theme_s_to_the_last_row(self, tmp_path, theme):
        """No line of another colour at an edge, and no off-white; no larger than a screen."""
        image = pytest.importorskip("PIL.Image", reason="Pillow comes with matplotlib")
        x = Value(0.5, "x")
        y = x
        for _ in range(12):
            y = y.sin() + 1.0
        paper = tuple(bytes.fromhex(re.search(r'bgcolor="#(\w{6})"', draw(y, theme=theme).source)[1]))
        with image.open(animate(y, tmp_path / "a.gif", theme=theme)) as film:
            width, height = film.size
            assert width <= 1600
            assert height <= 1040
            for k in range(film.n_frames):
                film.seek(k)
                still = film.convert("RGB")
                edge = {still.getpixel((column, row)) for column in range(width) for row in (0, height - 1)}
                edge |= {still.getpixel((column, row)) for column in (0, width - 1) for row in range(height)}
                assert edge == {paper}


def shown_at(svg, step):
    """The ids of what an animated SVG shows at a step."""
    found = set()
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        span = SPAN.search(group.get("class", ""))
        if span and int(span[1]) <= step < int(span[2]):
            found.add(group.get("id"))
    return found


class TestSvg:
    @pytest.mark.parametrize("detail", ["operations", "neurons", "layers"])
    def test_each_step_shows_what_its_frame_shows(self, tmp_path, detail):
        """One look of every node and edge that the frame has, and nothing else."""
        svg = animate(network(), tmp_path / "a.svg", detail=detail).read_text(encoding="utf-8")
        for k, picture in enumerate(frames(network(), detail=detail)):
            names = [name.split("__")[0] for name in shown_at(svg, k)]
            frame = parse(picture)
            expected = {*frame.nodes, *(at["id"] for *_, at in frame.edges)} - {"legend"}
            assert sorted(names) == sorted(expected)

    def test_every_span_has_its_keyframes(self, tmp_path):
        """Shown from its first step to its last, in the time of the whole."""
        svg = animate(product(), tmp_path / "a.svg", seconds=2).read_text(encoding="utf-8")
        style = ET.fromstring(svg).find(f"{SVG}style").text
        spans = {(int(a), int(b)) for at in re.findall(r'class="([^"]*)"', svg) for a, b in SPAN.findall(at)}
        assert (2, 3) in spans
        own = ET.fromstring(svg).get("id")  # two films in one page do not meddle with each other
        rule = (
            f"@keyframes {own}-t2_3{{0%{{visibility:hidden}}33.333%{{visibility:visible}}50.000%{{visibility:hidden}}}}"
        )
        assert rule in style
        assert f"#{own} .t2_3{{visibility:hidden}}" in style  # where nothing moves, the last step is shown
        assert f"#{own} .t2_3{{animation:{own}-t2_3 12s step-end infinite}}" in style
        assert "prefers-reduced-motion" in style
        for a, b in spans - {(0, 5)}:
            assert f"@keyframes {own}-t{a}_{b}{{" in style
        assert "<script" not in svg

    def test_a_label_like_a_span_is_text(self, tmp_path):
        """What steps there are is read from the film, not from what it says."""
        plain = animate(Value(1.0, "x") * 2.0, tmp_path / "a.svg").read_text(encoding="utf-8")
        odd = animate(Value(1.0, 't98_99 class="t0_99"') * 2.0, tmp_path / "b.svg").read_text(encoding="utf-8")
        assert odd.count("@keyframes") == plain.count("@keyframes")

    def test_one_layout_for_all_steps(self, tmp_path, monkeypatch):
        """Graphviz runs twice, whatever the number of steps: to place, and to draw."""
        runs, start = [], subprocess.Popen
        monkeypatch.setattr(subprocess, "Popen", lambda command, **k: runs.append(command) or start(command, **k))
        animate(product(), tmp_path / "a.svg")
        assert [form for command in runs for form in ("json0", "svg") if {form, f"-T{form}"} & {*command}] == [
            "json0",
            "svg",
        ]


class TestPage:
    def test_nothing_is_allowed_that_is_not_in_it(self, tmp_path):
        """The policy names the hash of the one script and the one style; there are no handlers, no addresses."""
        page = animate(product(), tmp_path / "a.html").read_text(encoding="utf-8")
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
        assert "default-src 'none'" in policy
        for tag in ("script", "style"):
            (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
            assert f"'sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}'" in policy
        assert not re.search(r"\son\w+\s*=", page)
        assert set(re.findall(r"https?://[^\s\"']+", page)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }

    def test_a_browser_plays_it(self, tmp_path, chromium):
        """Buttons, keys and the slider step through what the frames show; no error, no request."""
        page, trouble = open_page(chromium, animate(product(), tmp_path / "a.html", seconds=0.2))
        expected = frames(product())

        def visible():
            """Return the δ that the page shows at x."""
            return page.evaluate(
                """() => [...document.querySelectorAll("svg g.leaf")]
                .filter((g) => getComputedStyle(g).visibility === "visible")
                .map((g) => [...g.querySelectorAll("text")].map((t) => t.textContent))
                .filter((texts) => texts[0] === "x").map((texts) => texts[texts.length - 1])"""
            )

        wanted = [deltas(picture)["x"] for picture in expected]
        for k, picture in enumerate(expected):
            assert visible() == [wanted[k]]
            assert page.text_content("#says") == caption(picture)
            assert page.text_content("#count") == f"{k + 1} / 5"
            page.click("#next")
        page.keyboard.press("Home")
        assert visible() == [wanted[0]]
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert visible() == [wanted[2]]
        page.click("#back")
        assert page.text_content("#count") == "2 / 5"
        page.focus("#step")
        page.keyboard.press("End")
        assert visible() == [wanted[4]]
        page.click("#first")
        page.click("#play")
        page.wait_for_selector('#count:text("5 / 5")')
        page.wait_for_selector('#play[aria-label="play"]')
        assert trouble == []

    @pytest.mark.parametrize("detail", ["operations", "neurons", "layers"])
    def test_hostile_labels_stay_text_in_a_browser(self, tmp_path, chromium, detail):
        """Nothing runs, nothing is asked for, no element appears that is not the page's own."""
        labels = [*HOSTILE.values(), *CLEANED, "</ol></main><img src=x onerror=alert(1)>", "x" * 10_000, ""]
        root = total([Value(1.0, label) * Value(2.0, f"n.{label}") for label in labels])
        root.label = "</title></output><script>alert(1)</script>"
        page, trouble = open_page(chromium, animate(root, tmp_path / "a.html", detail=detail))
        assert page.evaluate("document.querySelectorAll('script').length") == 3  # words, data, code
        assert page.evaluate("document.querySelectorAll('img, iframe, b, foreignObject').length") == 0
        page.keyboard.press("End")
        assert page.text_content("#says") == "every node has its δ"
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        assert "</title></output><scrip…" in page.text_content("#says")
        assert trouble == []


def open_page(chromium, path):
    """A page, and a list of everything that should not have happened on it."""
    page = chromium.new_page()
    trouble = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: trouble.append(request.url) if request.url != path.as_uri() else None)
    page.goto(path.as_uri())
    return page, trouble
