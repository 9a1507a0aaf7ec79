"""What a notebook of the course has beside its text: pages to play with, answers that stay hidden, links that open it."""

import base64
import importlib.util
import io
import json
import re
import subprocess
import sys
import zipfile
from importlib import resources
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="chapters draw with matplotlib, the extra `plots`")

from autodiff import Value, draw
from autodiff.pictures import WebPage
from lessons.chapters import grading, kit, source, stills
from lessons.chapters.notebooks import LANGUAGES, NOTEBOOKS, addresses, notebook, opening
from lessons.chapters.wording import section, word

needs_nbformat = pytest.mark.skipif(
    importlib.util.find_spec("nbformat") is None, reason="nbformat is a development dependency"
)

PLAY = resources.files("lessons.chapters").joinpath("play")
PAGES = sorted(file.stem for file in PLAY.iterdir() if file.name.endswith(".js") and file.name != "tools.js")

each_page = pytest.mark.parametrize("name", PAGES)
each_language = pytest.mark.parametrize("language", LANGUAGES)


def sigma(z):
    return 1 / (1 + np.exp(-np.asarray(z)))


@pytest.fixture
def opened(visit, tmp_path):
    """Open a page to play with, on a phone; `move` sets sliders and returns the numbers that the page says."""

    def open_page(name, language="es", width=340):
        path = tmp_path / f"{name}.html"
        path.write_text(kit.page(name, language), encoding="utf-8")
        return visit(path, width=width, height=800)

    return open_page


def move(page, **sliders):
    for name, value in sliders.items():
        page.evaluate(
            "([name, value]) => { const it = document.getElementById(name); it.value = value;"
            " it.dispatchEvent(new Event('input')); }",
            [name, value],
        )
    said = page.evaluate("({...document.getElementById('said').dataset})")
    return {key: [float(each) for each in text.split(" ")] for key, text in said.items()}


# -- pages to play with ------------------------------------------------------------------------------------------------


@each_page
def test_a_page_has_every_word_in_both_languages(name):
    """No word of the script is missing; that the languages have the same is a test of all tables."""
    script = PLAY.joinpath(f"{name}.js").read_text(encoding="utf-8")
    for language in LANGUAGES:
        assert set(re.findall(r"\bW\.(\w+)", script)) <= set(section(name, language))


@each_page
@each_language
def test_a_page_fits_a_phone_and_its_frame(opened, name, language):
    """Nothing wider than the window, nothing below the frame of the notebook, every control and picture named, at 340 pixels."""
    page = opened(name, language)
    for picture in page.get_by_role("img").all():
        assert picture.get_attribute("aria-label")
        told = picture.get_attribute("aria-describedby")
        assert told is None or page.locator(f"#{told}").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 340
    height = int(re.search(r"// height: (\d+)", kit.page(name, language))[1])
    assert page.evaluate("document.body.getBoundingClientRect().height") <= height
    for bar in page.query_selector_all("input"):
        assert bar.get_attribute("aria-label")
    assert page.locator("html").get_attribute("lang") == language
    assert page.title() == section(name, language)["title"]
    for button in page.query_selector_all("button"):
        button.click()
    assert "undefined" not in page.locator("body").inner_text()
    assert "{" not in page.locator("body").inner_text()


def test_the_nudge_has_the_slope_of_the_line_through_two_points(opened):
    """2x + h on x², and 2x where h is 0."""
    page = opened("nudge")
    for x, h in ((3, 1), (3, -0.5), (-2, 2), (1.5, 0)):
        assert move(page, x=x, h=h)["slope"] == pytest.approx([2 * x + h], abs=1e-9)


def test_the_walk_ends_where_its_closed_form_says(opened):
    """On (w − 3)² twelve steps multiply the distance by (1 − 2α)¹², whether it arrives or diverges."""
    page = opened("rate")
    for alpha, start in ((0.1, 0), (0.5, 9), (1.0, -3), (1.2, 1)):
        ends = 3 + (start - 3) * (1 - 2 * alpha) ** 12
        assert move(page, alpha=alpha, start=start)["end"] == pytest.approx([ends], rel=1e-9)


def test_the_line_has_the_error_and_gradient_of_numpy(opened):
    """The MSE of the four rides and both derivatives, and the step of the button."""
    page = opened("fit")
    x, y = np.array([1, 2, 3, 4]), np.array([3, 5, 7, 9])
    for w, b in ((1, 1), (0, 0), (2.5, -3)):
        e = y - (w * x + b)
        expected = {"cost": [(e**2).mean()], "byW": [-2 * (e * x).mean()], "byB": [-2 * e.mean()]}
        found = move(page, w=w, b=b)
        assert found == {key: pytest.approx(value, abs=1e-9) for key, value in expected.items()}
    page.locator("#lazy").click()
    page.locator("#step").click()
    assert [page.locator(f"#{each}").input_value() for each in ("w", "b")] == ["0.7", "0.24"]


@pytest.mark.parametrize("name", ["decide", "line"])
def test_the_neuron_decides_as_numpy_does(opened, name):
    """All five settings of the chapter, in the order 00, 10, 01, 11; exactly at the threshold the answer is 0."""
    page = opened(name)
    nights = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    for w1, w2, b in ((4, 5, -6), (1, 1, -0.5), (-4, -5, 6), (1, 1, -1), (0, 0, 0)):
        answers = "".join(str(int(z > 0)) for z in nights @ [w1, w2] + b)
        assert f"{int(move(page, w1=w1, w2=w2, b=b)['answers'][0]):04}" == answers
    for plan, settings in {"epic": (4, 5, -6), "or": (1, 1, -0.5), "nand": (-4, -5, 6)}.items():
        page.locator(f"#{plan}").click()
        assert move(page, **dict(zip(("w1", "w2", "b"), settings, strict=True)))["right"] == [4]
    page.locator("#xor").click()
    best = max(move(page, w1=w1, w2=w2, b=b)["right"] for w1 in (-4, 4) for w2 in (-4, 4) for b in (-6, -2, 2, 6))
    assert best == [3]


def test_the_line_stays_inside_its_axes_and_its_arrow_has_a_head(opened):
    """Both ends solve w₁x + w₂y + b = 0 on the border of the square, and the head lies where the sum is positive."""
    page = opened("line")

    def drawn(name):
        points = page.evaluate(f"document.getElementById('{name}')?.getAttribute('points') ?? ''")
        pairs = [tuple(map(float, each.split(","))) for each in points.split()]
        return [(-0.5 + 2 * (x - 34) / (380 - 34 - 8), -0.5 + 2 * (380 - 24 - y) / (380 - 24 - 8)) for x, y in pairs]

    for w1, w2, b in ((4, 5, -6), (1, 1, -0.5), (-4, -5, 6), (0, 2, 1), (6, 0, -6)):
        move(page, w1=w1, w2=w2, b=b)
        ends, head = drawn("line"), drawn("head")
        for x, y in ends:
            assert w1 * x + w2 * y + b == pytest.approx(0, abs=0.02)
            assert max(abs(x - 0.5), abs(y - 0.5)) == pytest.approx(1, abs=0.002)
        assert len(ends) == 2
        assert w1 * head[0][0] + w2 * head[0][1] + b > 0.1
        assert max(max(abs(x - 0.5), abs(y - 0.5)) for x, y in head[:1]) <= 1.002
    for away in ((1, 1, 8), (0, 0, 3)):
        move(page, **dict(zip(("w1", "w2", "b"), away, strict=True)))
        assert drawn("line") == drawn("head") == []


def test_two_planes_make_a_plane_and_two_sigmoids_do_not(opened):
    """The sum at the corners is that of NumPy; its bend is 0 without activation alone."""
    page = opened("units")
    kinds = {"none": lambda z: z, "step": lambda z: (z > 0) * 1.0, "sigmoid": sigma, "tanh": np.tanh, "relu": lambda z: np.maximum(0, z)}  # fmt: skip
    s = np.array([0, 4, 4, 8])
    for kind, f in kinds.items():
        page.locator(f"#{kind}").click()
        found = move(page, b1=-2, b2=-6, v1=1, v2=-1)
        expected = f(s - 2) - f(s - 6)
        assert found["corners"] == pytest.approx(expected, abs=1e-12)
        assert (abs(found["bend"][0]) < 1e-9) == (kind == "none")


def test_the_factors_of_the_neuron_are_those_of_the_course(opened):
    """∂C/∂w = −0.17744691734927373 at the neuron of the course, and the closed form elsewhere."""
    page = opened("factors")
    assert move(page)["product"] == pytest.approx([-0.17744691734927373], rel=1e-13)
    for x, w, b, y in ((0, 1, 1, 1), (2.5, 4.9, 7.3, 0), (-3, 0.5, 0, 1)):
        a = sigma(w * x + b)
        found = move(page, x=x, w=w, b=b, y=y)
        assert found["delta"] == pytest.approx([(a - y) * a * (1 - a)], rel=1e-9)
        assert found["product"] == pytest.approx([(a - y) * a * (1 - a) * x], rel=1e-9, abs=1e-15)


def test_blind_search_falls_behind_as_weights_grow(opened):
    """By the chain each step leaves 0.8² of the cost, whatever the number of weights; blindly more is left with each."""
    page = opened("budget")
    found = {n: move(page, n=n) for n in (1, 20, 200)}
    assert [each["after"] for each in found.values()] == [pytest.approx([0.64**5], rel=1e-9)] * 3
    assert found[1]["blind"] < found[20]["blind"] < found[200]["blind"]
    assert found[200]["blind"][0] > 0.4 > 1e-9 > found[200]["chain"][0]


def test_a_census_is_gradient_descent_and_a_poll_takes_more_steps(opened):
    """With all 40 points each step is that of NumPy; the same examples in small batches end nearer to least squares."""
    page = opened("batch")
    census, poll = move(page, size=40, alpha=0.1), move(page, size=4, alpha=0.1)
    A, y = np.column_stack([census["x"], np.ones(40)]), np.array(census["y"])
    found = np.zeros(2)
    for _ in range(20):
        found -= 0.1 * 2 * A.T @ (A @ found - y) / 40
    assert [*census["w"], *census["b"]] == pytest.approx(found, rel=1e-9)
    least = np.linalg.lstsq(A, y, rcond=None)[1].item() / 40
    assert (census["steps"], poll["steps"]) == ([20], [200])
    assert least < poll["end"][0] < 2 * least < census["end"][0]


def test_delta_walks_back_as_the_three_formulas_say(opened):
    """δ of the output and of both hidden neurons, by closed form, at the network of the chapter and at others."""
    page = opened("layers")
    for x1, x2, y, v1, v2 in ((1, 0.5, 1, 2, -1), (-1, 0.3, 0, 0, 3)):
        a = sigma([x1 - x2, 0.5 * x1 + 2 * x2 - 1])
        out = sigma(np.dot([v1, v2], a))
        d2 = (out - y) * out * (1 - out)
        d1 = np.array([v1, v2]) * d2 * a * (1 - a)
        found = move(page, x1=x1, x2=x2, y=y, v1=v1, v2=v2)
        assert [*found["d2"], *found["d11"], *found["d12"]] == pytest.approx([d2, *d1], rel=1e-9, abs=1e-15)
    for _ in range(6):
        page.locator("#next").click()
    assert "3" in page.locator("#said").text_content().split(":")[0]


# -- answers that stay hidden ------------------------------------------------------------------------------------------


@each_language
def test_the_tools_hold_no_answers(language):
    """No attribute of `check` shows an exercise, and whoever asks for one is told how it is called."""
    check = kit.start(0, language).check
    assert dir(check) == []
    assert not hasattr(check, "__dict__")
    for name in ("exercises", "solutions", "answers", "truth"):
        assert str(getattr(check, name)) == word("check.hidden", language)
    assert repr(check) == word("check.hidden", language)


def through_frames():
    return sys._getframe(1).f_locals["exercise"].data["truth"]


def through_the_module():
    from lessons.chapters.source import named

    return named(0).exercises[0].data["truth"]


def through_the_file():
    return source.Path("lessons/chapters/text/00_nudges.md").read_text()


@each_language
@pytest.mark.parametrize("answer", [through_frames, through_the_module, through_the_file])
def test_a_function_that_reads_the_solution_is_told_so(answer, language):
    """Whether by frames, by the course's modules or by its files; it counts as no attempt."""
    check = kit.start(0, language).check
    said = check("five", answer)
    assert (said.right, str(said)) == (None, word("check.peeks", language))


@pytest.mark.parametrize("cell", [
    "from lessons.chapters import source\nrate = 10.01\ncheck('five', rate)",
    "import lessons.chapters.kit as k\ncheck('five', 10.01)",
    "rate = check.exercises\ncheck('five', rate)",
    "rate = check._Check__room.exercises['five'].data['truth']\ncheck('five', rate)",
    "text = open('lessons/chapters/text/00_nudges.md').read()\ncheck('five', 10.01)",
    "import importlib\nm = importlib.import_module('lessons.' + 'chapters.source')\ncheck('five', 10.01)",
    "rooms = type(check).__call__.__globals__\ncheck('five', 10.01)",
])  # fmt: skip
def test_a_cell_that_reads_the_solution_is_told_so(monkeypatch, cell):
    """The cell in which `check` is called; an honest one is graded, and one with magics too."""
    cells = [cell]
    shell = SimpleNamespace(user_ns={"In": cells})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    check = kit.start(0, "en").check
    assert str(check("five", 10.01)) == word("check.peeks", "en")
    for peek in (
        "import lessons.chapters.source as s; print(s.named(0))",
        "print(check.exercises)",
        "__import__(name)",
    ):
        cells[:] = [peek, "check('five', 10.01)"]
        assert str(check("five", 10.01)) == word("check.peeked", "en"), "looked in one cell, handed in from the next"
    for honest in ("rate = (5.01**2 - 25) / 0.01\ncheck('five', rate)", "%time\ncheck('five', 10.01)"):
        cells[:] = [honest]
        assert check("five", 10.01).right is True


def test_no_attribute_leads_to_the_exercises():
    """Not by the name that Python gives to what is private, nor by any other that the object or its class has."""
    check = kit.start(0, "es").check
    assert not hasattr(check, "_Check__room")
    held = [getattr(check, name, None) for name in object.__dir__(check)]
    assert not any("10.01" in repr(each) or "Exercise" in repr(each) for each in held)


@needs_nbformat
@pytest.mark.parametrize("chapter", [*source.paths(), source.TEXT / "exam.md"], ids=lambda path: path.stem)
def test_no_cell_of_the_course_counts_as_a_look_at_the_answers(chapter):
    """The first cell, what the chapter shows and what the student completes."""
    for cell in notebook(source.read(chapter), "es").cells:
        if cell.cell_type == "code":
            assert not grading._cell_looks(re.sub("%pip.*", "0", cell.source)), cell.source


def test_a_wheel_has_the_chapters_packed_and_reads_them_alike(monkeypatch, tmp_path):
    """Packed, no answer can be read in the file, and chapter and exam are those of their sources, to the last block."""
    packed = tmp_path / "texts.sealed"
    packed.write_bytes(source.sealed())
    for each in (b"truth", b"solution", b"derivada", b"10.01"):
        assert each not in packed.read_bytes()
    names = [0, 3, 8]
    plain = [source.named(name) for name in names]
    monkeypatch.setattr(source, "SEALED", packed)
    assert [source.named(name) for name in names] == plain


# -- bad input ---------------------------------------------------------------------------------------------------------


@each_language
def test_a_value_of_another_graph_and_one_s_own_grad_are_told_kindly(language):
    """Of a Value the number is asked for, whatever graph it is of."""
    check = kit.start(7, language).check
    said = check("product", Value(2.4, "z") * 1.0)
    assert said.right is False
    assert "Traceback" not in str(said)
    assert check("product", Value(0.384)).lines[1] == word("check.value", language, name="dC_dw")
    assert word("check.unknown", language, name=3.0, names="")[:12] in str(check(3.0, 1.0))


@each_language
def test_the_kind_of_an_answer_is_told_and_costs_no_attempt(language):
    """A function or several numbers where one number is asked for, and too many answers: in words, not in shapes."""
    check = kit.start(0, language).check
    for answer, key in ((lambda: 3.0, "function"), (print, "function"), ([1.0, 2.0], "several"), (np.ones((3, 3)), "several")):  # fmt: skip
        said = check("five", answer)
        assert said.lines[1:] == [word(f"check.{key}", language, name="rate")]
        assert "(" not in said.lines[1]
    assert check("five", np.array([10.01])).right is True
    assert check().lines[0].endswith((": 5 de 5", ": 5 of 5"))
    assert str(check("five", 1.0, 2.0)) == word("check.single", language, names="rate")


@each_language
@pytest.mark.parametrize(("answer", "key", "number"), [
    ("0.25", "quoted", "0.25"), ("0,25", "quoted", "0.25"), (" -3 ", "quoted", "-3"), ("tres", "text", ""),
    (b"3", "text", ""), (["3"], "quoted", "3"), (Value(3.0), "value", ""), (float("nan"), "nan", ""), (1j, "number", ""),
    (None, "number", ""), (np.float64("inf"), "nan", ""), (int, "function", ""), (True, "number", ""), ({1.0}, "number", ""),
    (np.array([None]), "number", ""), ([[Value(1.0)]], "value", ""),
])  # fmt: skip
@pytest.mark.parametrize(("chapter", "name"), [(0, "five"), (12, "stop"), (5, "slopes"), ("exam", "rate")])
def test_what_is_no_number_is_told_so_and_costs_no_attempt(chapter, name, answer, key, number, language):
    """Text, with a number or without; a Value, whose number is asked for; NaN; neither a right nor a wrong answer."""
    check = kit.start(chapter, language).check
    exercise = next(each for each in source.named(chapter).exercises if each.name == name)
    for _ in range(3):
        said = check(name, *[answer] * len(exercise.asks))
        assert said.lines[1:] == [word(f"check.{key}", language, name=each, number=number) for each in exercise.asks]
    check(name, *grading._solved(exercise))
    assert check().lines[exercise.number - 1].rsplit(": ", 1)[1][0] == "5"


@each_language
@pytest.mark.parametrize(("chapter", "name", "returned", "key"), [
    (5, "sigmoid", [0.5, 0.5], "returns many"), (6, "product", 3.0, "returns row"), (6, "product", (1, 2, 3), "returns row"),
])  # fmt: skip
def test_how_many_numbers_a_function_returns_is_told_in_words(chapter, name, returned, key, language):
    """Not in shapes; and it costs no attempt."""
    check = kit.start(chapter, language).check
    exercise = next(each for each in source.named(chapter).exercises if each.name == name)
    said = check(name, lambda *_: returned)
    assert said.lines[1:] == [word(f"check.{key}", language, name=exercise.asks[0], n=2)]
    check(name, *grading._solved(exercise))
    assert check().lines[exercise.number - 1].rsplit(": ", 1)[1][0] == "5"


@each_language
def test_a_decimal_comma_is_told_to_be_a_point(language):
    """What 10,01 and (1, 1, -0,5) are in Python is more numbers than were meant: the sentence has a number with a point."""
    told = kit.start(0, language).check("five", (10, 1)), kit.start(3, language).check("or", (1, 1, 0, 5))
    for said in told:
        assert said.right is False
        assert "0.5" in said.lines[1]


ALL = [(chapter, each) for chapter in [*range(13), "exam"] for each in source.named(chapter).exercises]
each_exercise = pytest.mark.parametrize(("chapter", "exercise"), ALL, ids=[f"{c}-{e.name}" for c, e in ALL])
OURS = re.compile(r"Error|Traceback|pierde|lost|NoneType|object|subscript|numpy|probe|unpack|six bits")


def is_function(exercise):
    return all(callable(each) for each in grading._solved(exercise))


@each_exercise
@each_language
def test_a_wrong_kind_is_told_without_words_of_python_or_of_gradients(chapter, exercise, language):
    """0, NaN, ragged lists, text, a number for a function or for a row: no traceback, no error of ours, and never right."""
    truth = grading._as_answers(exercise, exercise.data["truth"])
    for wrong in (0, float("nan"), [[1], [1, 2]], (4.6, [1]), "110100", 3.0, [1, 1], {1: 2}, [1, 2, 3, 4, 5, 6]):
        said = kit.start(chapter, language).check(exercise.name, *[wrong] * len(exercise.asks))
        if not any(grading._is_same(wrong, each) for each in truth):
            assert said.right is not True, wrong
        assert not OURS.search(str(said)), wrong
        assert len(said.lines) > 1 or chapter == "exam" or said.right, "some sentence beside 'not yet'"


@each_language
@pytest.mark.parametrize(("chapter", "name", "wrong"), [
    (3, "or", ((1, 1, -5),)), (3, "or", ((0, 0, 0),)), (1, "first", (0,)), (3, "sum", (0,)), (4, "corner", ((0, 0, 0),)),
    (3, "decide", (lambda *_: 0,)), (5, "sigmoid", (lambda z: 0.0,)), (7, "tiny", (0,)), (10, "attention", (0,)),
])  # fmt: skip
def test_an_answer_of_0_gets_the_exercise_s_own_hint(chapter, name, wrong, language):
    """What is said of gradients that are 0 makes no sense of a weight, a sum or a decision."""
    exercise = next(each for each in source.named(chapter).exercises if each.name == name)
    taught = [each[language] for each in exercise.data["wrong"] if language in each]
    said = str(kit.start(chapter, language).check(name, *wrong))
    assert any(hint in said for hint in [exercise.data[language]["hints"][0], *taught])


@each_language
@pytest.mark.parametrize(("chapter", "name", "wrong", "key"), [
    (3, "or", 3.0, "row"), (3, "or", (1, 1), "row"), (3, "nand", {1: 2}, "row"), (3, "or", ("1", "1", "-0.5"), "text"),
    (4, "corner", (float("inf"), 1, 1), "nan"), (11, "fooled", "110100", "text"), (11, "fooled", [1, 2], "row"),
    (5, "sigmoid", 0.88, "no function"), (3, "decide", 3.0, "no function"), (3, "decide", lambda *_: "si", "returns"),
    (8, "outer", 3.0, "table"), (8, "outer", [[1.0], ["x"]], "table"), (8, "outer", [[float("nan")] * 2] * 2, "nan"),
    (8, "outer", "[[1, 2], [3, 4]]", "text"),
])  # fmt: skip
def test_the_form_of_an_answer_is_told_and_costs_no_attempt(chapter, name, wrong, key, language):
    """How many numbers, a function, text, NaN: the sentence says what is asked for, and full marks are open still."""
    check = kit.start(chapter, language).check
    exercise = next(each for each in source.named(chapter).exercises if each.name == name)
    said = check(name, wrong).lines[1]
    made = word(f"check.{key}", language, name=exercise.asks[0], n=len(np.atleast_1d(wrong)), value="'si'")
    assert re.sub(r"\d", "", said) == re.sub(r"\d", "", made)
    assert check(name, grading._solved(exercise)[0]).right is True
    assert check().lines[exercise.number - 1].rsplit(": ", 1)[1][0] == "5"


@pytest.mark.parametrize(
    "neuron", [np.array([1, 1, -0.5]), [Value(1.0), Value(1.0), Value(-0.5)], [1, 1, -0.5]], ids=type
)
def test_a_row_of_numbers_is_read_in_any_form(neuron):
    """Arrays, lists, Values."""
    assert kit.start(3, "es").check("or", neuron).right is True


def silent(*_):
    """Print, and return nothing."""
    sys.stdout.write("0.88")


def leaves(*_):
    sys.exit()


@pytest.mark.parametrize(
    ("chapter", "exercise"),
    [(c, e) for c, e in ALL if is_function(e)],
    ids=[f"{c}-{e.name}" for c, e in ALL if is_function(e)],
)
@each_language
def test_a_function_without_return_and_one_that_exits_are_told_so(chapter, exercise, language):
    """Where a function is asked for that returns something; the cell as it was found is no answer yet."""
    check = kit.start(chapter, language).check
    if not any(each is None for each in grading._returned(exercise, grading._solved(exercise)[0])[0]):
        said = check(exercise.name, silent)
        assert said.lines[1] == word("check.no return", language, name=exercise.asks[0])
    exits = check(exercise.name, leaves)
    assert exits.right is False
    begun = {"np": np}
    exec(exercise.data["start"], grading._namespace(exercise) | begun, begun)
    assert str(check(exercise.name, begun[exercise.asks[0]])) == word("check.nothing", language)


@each_language
def test_marks_count_the_attempts(language):
    """5 at the first, 3 at the second, 1 later; `check()` lists every exercise."""
    check = kit.start(0, language).check
    check("five", 10.01)
    check("negative", 8.0)
    check("negative", -8.0)
    for wrong in (1.0, 2.0, 3.0):
        check("foretell", wrong)
    check("foretell", 9.2)
    listed = check()
    assert [line.rsplit(": ", 1)[1][0] for line in listed.lines[:3]] == ["5", "3", "1"]
    assert str(5 + 3 + 1) in listed.lines[-1]
    assert len(listed.lines) == 7


# -- on paper, and where scripts and style sheets are left out ---------------------------------------------------------


@each_page
@each_language
def test_the_photograph_of_a_page_is_of_this_very_page(chromium, name, language):
    """Of its text, by the digest that it keeps; and by its pixels, nine tenths of them, as fonts differ by machine."""
    Image = pytest.importorskip("PIL.Image", reason="Pillow reads the images")
    there = Image.open(io.BytesIO(kit.still(name, language).read_bytes()))
    assert there.info["page"] == kit.digest(name, language), "run: python -m lessons.chapters.stills"
    here = Image.open(io.BytesIO(stills.taken(chromium, name, language)))
    assert abs(here.height - there.height) <= 60, "a line of text more or less"
    grey = [np.asarray(each.convert("L").crop((0, 0, 600, 100)), dtype=float) for each in (here, there)]
    assert (np.abs(grey[0] - grey[1]) < 40).mean() > 0.9
    assert there.convert("L").getextrema()[0] < 60, "something is written in it"


def test_a_page_whose_photograph_stayed_out_of_the_wheel_is_shown_alive(monkeypatch, tmp_path):
    """As where the course is installed, without the images: a frame, and no image in its place."""
    monkeypatch.setattr(kit, "still", lambda name, language: tmp_path / "none.png")
    shown = kit.start(0, "es").play("nudge")
    assert "<iframe" in shown._repr_html_()
    assert "<img" not in shown._repr_html_()


def cells_shown(stem, language="es"):
    """The HTML and the images that the cells of a notebook show, but what exercises say."""
    cells = json.loads((NOTEBOOKS / language / f"{stem}.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", []) if "text/html" in output.get("data", {})]
    found = [(output, "".join(output["data"]["text/html"])) for output in outputs]
    return [(output, page) for output, page in found if not page.startswith('<div style="border-left')]


@pytest.mark.parametrize("path", source.paths(), ids=lambda path: path.stem)
def test_a_printed_notebook_has_pictures_in_the_place_of_pages(visit, tmp_path, path):
    """On a screen no still picture is seen, on paper one for each page and none beside a drawing; none wider than its column."""
    shown = cells_shown(path.stem)
    sheet = ".cell img { display: block } /* as exported notebooks have it */"
    columns = "".join(f'<div class="cell">{page}</div>' for _, page in shown)
    file = tmp_path / "notebook.html"
    file.write_text(f'<!doctype html><meta charset="utf-8"><style>{sheet}</style>{columns}', encoding="utf-8")
    page = visit(file, width=390)
    seen = "[...document.querySelectorAll('.cell')].map(c => ['.live', 'img.spare', '.drawn, figure, .cell > img:not(.spare), .cell > svg']"
    seen += ".map(s => [...c.querySelectorAll(s)].filter(e => e.getClientRects().length).length))"
    live = ["<iframe" in page for _, page in shown]
    assert any(live)
    on_screen = page.evaluate(seen)
    assert [(frames, spare) for frames, spare, _ in on_screen] == [(int(each), 0) for each in live]
    page.emulate_media(media="print")
    on_paper = page.evaluate(seen)
    widths = "[...document.querySelectorAll('img, svg')].map(e => e.getBoundingClientRect().right)"
    assert max(page.evaluate(widths)) <= 390
    page.emulate_media(media="screen")
    assert [(frames, spare) for frames, spare, _ in on_paper] == [(0, int(each)) for each in live]
    for before, after, (_, text) in zip(on_screen, on_paper, shown, strict=True):
        assert after[2] == text.count("<figure") or after[2] == before[2], "all pictures of a slider"
    assert max(page.evaluate(widths)) <= 390


@each_language
@pytest.mark.parametrize("path", source.paths(), ids=lambda path: path.stem)
def test_every_picture_has_a_still_one_in_words(path, language):
    """A PNG beside the HTML, for viewers that leave HTML out, with its words; and in the HTML, for those that leave scripts."""
    Image = pytest.importorskip("PIL.Image", reason="Pillow reads the images")
    shown = cells_shown(path.stem, language)
    assert len(shown) >= 3
    for output, page in shown:
        png = output["data"]["image/png"]
        assert Image.open(io.BytesIO(base64.b64decode(png))).width >= 200
        assert len(output["metadata"]["image/png"]["alt"]) > 40
        images = re.findall(r'<img [^>]*alt="([^"]+)"[^>]*src="data:image/png;base64,([^"]+)"', page)
        assert png.strip() in [data for _, data in images], "the same bytes"
        assert all(len(alt) > 40 for alt, _ in images)


@each_language
@pytest.mark.usefixtures("no_graphviz")
def test_a_machine_without_graphviz_says_the_picture_in_words(language):
    """`show` never raises for want of a program; a page, which needs none, is shown without its still picture."""
    words, show = source.named(6).pictures(language), kit.start(6, language).show
    z = Value(2.0, "x") * 3.0
    assert words["graph"] in str(show(draw(z), "graph"))
    page = show(WebPage("<p>δ</p>", height=9), "stepper", paper=draw(z))
    assert (page.still, str(page)) == (b"", words["stepper"])
    assert page._repr_html_().startswith("<iframe")


def test_a_picture_keeps_every_digit_that_it_writes():
    """Coordinates are cut short to save space, but no number that a reader sees: −0.1774 stays so."""
    from models.plots import axes

    ax = axes(size=(4.0, 3.0))
    ax.plot([0.0, 1.0], [0.000125, 0.000625])
    ax.text(0.5, 0.0003, "−0.1774 = 0.123456")
    name = next(iter(source.named(7).pictures("en")))
    picture = kit.start(7, "en").show(ax, name)._repr_html_()
    assert ">−0.1774 = 0.123456<" in picture
    ticks = [float(text) for text in re.findall(r">(0\.000\d+)<", picture)]
    assert len(set(ticks)) > 2, "ticks"
    assert not re.search(r'points="[^"]*\.\d{3}', picture)


@each_language
def test_a_function_may_change_what_it_is_given(language):
    """It gets a copy: emptied lists leave the truth, and the next answer, as they were."""

    def mse(targets, predictions):
        error = sum((y - p) ** 2 for y, p in zip(targets, predictions, strict=True)) / len(targets)
        targets.clear()
        predictions[:] = [0.0]
        return error

    check = kit.start(2, language).check
    assert check("mse", mse).right is True
    assert check("mse", lambda t, p: sum((y - q) ** 2 for y, q in zip(t, p, strict=True)) / len(t)).right is True


# -- links -------------------------------------------------------------------------------------------------------------


@each_language
def test_links_open_this_very_notebook_or_say_where_to_upload_it(language):
    """With the project's addresses, its file at Colab and at JupyterLite; without them no address is made up."""
    urls = {"Repository": "https://github.com/owner/name/", "Homepage": "https://owner.example/course/"}
    both = opening("03_perceptron", language, urls)
    assert (
        f"https://colab.research.google.com/github/owner/name/blob/main/lessons/{language}/03_perceptron.ipynb" in both
    )
    assert f"https://owner.example/course/lite/lab/index.html?path={language}/03_perceptron.ipynb" in both
    alone = opening("03_perceptron", language, {"Repository": urls["Repository"]})
    raw = f"https://raw.githubusercontent.com/owner/name/main/lessons/{language}/03_perceptron.ipynb"
    assert f"(https://jupyter.org/try-jupyter/lab/index.html?fromURL={raw})" in alone
    none = opening("03_perceptron", language, {})
    assert re.findall(r"\((https:[^)]*)\)", none) == [
        "https://colab.research.google.com/",
        "https://jupyter.org/try-jupyter/lab/",
    ]


@needs_nbformat
@each_language
@pytest.mark.parametrize("chapter", [*source.paths(), source.TEXT / "exam.md"], ids=lambda path: path.stem)
def test_the_links_of_a_notebook_name_a_file_of_the_repository(chapter, language):
    """At Colab its path within the repository that the project names, in our JupyterLite its path within the course."""
    repository = addresses()["Repository"]
    assert re.fullmatch(r"https://github\.com/[\w-]+/[\w-]+", repository)
    owner = repository.removeprefix("https://github.com/")
    head = notebook(source.read(chapter), language).cells[0].source
    (colab,) = re.findall(rf"\]\(https://colab[^)]*/{owner}/blob/main/(lessons/[^)]*\.ipynb)\)", head)
    (lite,) = re.findall(rf"\]\({addresses()['Homepage']}lite/lab/index\.html\?path=([^)]*\.ipynb)\)", head)
    here = source.TEXT.parents[2]
    assert here / colab == here / "lessons" / lite == here / "lessons" / language / f"{chapter.stem}.ipynb"
    assert (here / colab).is_file()


@needs_nbformat
@each_language
@pytest.mark.parametrize("chapter", [0, 8, "exam"])
def test_relative_links_survive_an_upload_where_the_repository_is_known(chapter, language):
    """Each leads to a file of the repository by a whole address; where it is not known they stay, and the reader is told."""
    root = "https://github.com/owner/name/blob/main/"
    published = notebook(source.named(chapter), language, {"Repository": "https://github.com/owner/name"})
    text = "\n".join(cell.source for cell in published.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert all(link.startswith("https://") for link in links)
    files = [link.removeprefix(root) for link in links if link.startswith(root)]
    assert len(files) >= 3
    assert all((source.TEXT.parents[2] / file).is_file() for file in files)
    assert "https://github.com/owner/name/releases/latest" in text, "the pure wheel"


@needs_nbformat
@pytest.mark.parametrize("missing", ["numpy", "graphviz", "matplotlib", "pygraphviz", None])
def test_the_first_cell_installs_what_draws_where_it_is_missing(tmp_path, missing):
    """Where the library is there with one extra, `render` or `plots`, the other's packages are fetched before any plot."""
    there = {"lessons", "autodiff", "numpy", "graphviz", "matplotlib", "pygraphviz"} - {missing}
    for name in there:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("def set_language(language): pass", encoding="utf-8")
    (tmp_path / "lessons" / "chapters").mkdir()
    (tmp_path / "lessons" / "chapters" / "kit.py").write_text("start = lambda *given: range(5)", encoding="utf-8")
    cell = notebook(source.named(1), "es").cells[1].source
    cell = re.sub(r"%pip (.*)", lambda line: f"print({line[1]!r})", cell)
    script = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n{cell}"
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True, env={"PATH": ""}
    )
    installs = {None: "", "pygraphviz": "install -q --only-binary :all: pygraphviz"}  # where there is no dot either
    assert ran.stdout.strip() == installs.get(missing, "install -q numpy graphviz matplotlib")


@needs_nbformat
@each_language
def test_the_first_cell_takes_a_pure_wheel_that_lies_beside_the_notebook(tmp_path, language):
    """In a Python that has nothing of ours, and reaches no registry: the packages come out of the wheel."""
    wheel = {
        "autodiff/__init__.py": "def set_language(language): print('speaks', language)",
        "lessons/__init__.py": "", "lessons/chapters/__init__.py": "",
        "lessons/chapters/kit.py": "start = lambda *given: (print(*given), *range(4))",
    }  # fmt: skip
    with zipfile.ZipFile(tmp_path / "delta_autodiff-9.9-py3-none-any.whl", "w") as file:
        for name, text in wheel.items():
            file.writestr(name, text)
    cell = notebook(source.named(0), language).cells[1].source.replace("%pip", "print('pip') #")
    assert cell.count("print('pip')") == 4
    script = f"import sys\nassert not any('site-packages' in each for each in sys.path)\n{cell}"
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split("\n")[:3] == ["pip", f"speaks {language}", f"0 {language}"]


def test_a_slide_begins_with_the_picture_that_the_source_names():
    """On paper too: it alone is not hidden, and the bar stands there; without a name it is the first."""
    from models.plots import axes

    slide = kit.start(1, "es").slide
    shots = {caption: axes(size=(2.0, 1.0)) for caption in ("a", "b", "c")}
    for first, place in (("b", 1), ("", 0)):
        made = slide(shots, "rates", first)._repr_html_()
        assert [" hidden" in tag for tag in re.findall(r"<figure[^>]*>", made)] == [k != place for k in range(3)]
        assert f'value="{place}"' in made


@each_language
def test_of_what_is_tried_no_places_are_told(language):
    """A neuron that decides wrongly gets the first hint, not which of the trial's numbers were wrong."""
    said = kit.start(3, language).check("or", (0, 0, 0))
    assert "[" not in str(said)
    assert source.named(3).exercises[2].data[language]["hints"][0] in str(said)
