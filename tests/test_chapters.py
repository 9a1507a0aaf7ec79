"""The chapters of the course: two languages that say the same, exercises that know their mistakes, figures that are so."""

import ast
import base64
import builtins
import contextlib
import html
import io
import json
import math
import os
import random
import re
import tomllib

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="chapters draw with matplotlib, the extra `plots`")

import autodiff
from autodiff import Value
from autodiff.testing import gradcheck
from autodiff.wording import speaking
from lessons.chapters import kit
from lessons.chapters.notebooks import LANGUAGES, old, target, words
from lessons.chapters.source import TEXT, Code, Exercise, paths, read
from lessons.chapters.wording import word
from models import hierarchy
from models.perceptron_rule import learn

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")
THOROUGH = PROFILE == "thorough"
long = pytest.mark.skipif(PROFILE == "quick", reason="chapters that train for seconds are run by the other profiles")
CHAPTERS = [read(path) for path in paths()]
EXERCISES = [(chapter, exercise) for chapter in CHAPTERS for exercise in chapter.exercises]
GLOSSARY = tomllib.loads((TEXT / "glossary.toml").read_text(encoding="utf-8"))["term"]

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.path.stem)
each_language = pytest.mark.parametrize("language", LANGUAGES)
each_exercise = pytest.mark.parametrize(
    ("chapter", "exercise"), EXERCISES, ids=[f"{c.path.stem}-{e.name}" for c, e in EXERCISES]
)


def run(chapter, language, solved=False):
    """The variables of a chapter after its run, with the exercises unanswered or solved, as its notebook is run."""
    names, shown, printed = kit.start(chapter.number, language)._asdict(), [], io.StringIO()

    def kept(tool):
        def keep(*given, **named):
            shown.append((given[-1], tool(*given, **named)))
            return shown[-1][1]

        return keep

    names |= {name: kept(names[name]) for name in ("show", "slide", "play")}
    with speaking(language):
        for block in chapter.blocks:
            if isinstance(block, Exercise):
                exec((solved and block.data["solution"]) or block.cell, names)
            elif isinstance(block, Code):
                with contextlib.redirect_stdout(printed):
                    exec(block.source, names)
    names |= {"pictures of the chapter": shown, "text of the chapter": printed.getvalue()}
    return names


@pytest.fixture(scope="module")
def ran():
    """Return the variables of a chapter by its number; each is run once."""
    known = {}

    def once(number, language="es"):
        if (number, language) not in known:
            known[number, language] = run(CHAPTERS[number], language, CHAPTERS[number].about.get("solved", False))
        return known[number, language]

    return once


def read_by_a_student(chapter, language):
    """The text in its order, with the questions of the exercises and their code where they stand; no links."""
    for block in chapter.blocks:
        if isinstance(block, Code):
            yield "code", block.source
        elif isinstance(block, Exercise):
            yield "text", f"{block.data[language]['title']}\n{block.data[language]['question']}"
            yield "code", block.data["start"]
        elif not block.kind.startswith("alt"):
            yield "text", re.sub(r"\[[^]]*\]\([^)]*\)", "", block.text[language])


def numbers(text):
    """The numbers that a text says, as a set."""
    return set(re.findall(r"\d+(?:\.\d+)?", re.sub(r"\]\([^)]*\)", "", text)))


# -- the two languages -------------------------------------------------------------------------------------------------


@each_chapter
def test_both_languages_say_the_same_numbers(chapter):
    """Every block, exercise and question has the same figures and the same right option in both languages."""
    for block in chapter.blocks:
        if not isinstance(block, (Code, Exercise)):
            assert numbers(block.text["es"]) == numbers(block.text["en"]), block.text["en"][:80]
            assert re.findall(r"\$[^$]+\$", block.text["es"]).__len__() == len(
                re.findall(r"\$[^$]+\$", block.text["en"])
            ), block.text["en"][:80]
    for exercise in chapter.exercises:
        es, en = exercise.data["es"], exercise.data["en"]
        assert numbers(es["question"]) == numbers(en["question"]), exercise.name
        assert len(es["hints"]) == len(en["hints"]) == 2, exercise.name
    es, en = chapter.quiz("es"), chapter.quiz("en")
    assert [[o.right for o in options] for _, options in es] == [[o.right for o in options] for _, options in en]


@each_chapter
@each_language
def test_a_chapter_has_the_measure_of_the_course(chapter, language):
    """1,200 to 2,000 words; five predictions, each before its answer; five exercises; ten questions with reasons."""
    assert 1200 <= words(chapter, language) <= 2000
    assert len(chapter.prose(language, "predict")) >= 5
    for block, after in zip(chapter.blocks, chapter.blocks[1:], strict=False):
        if getattr(block, "kind", "") == "predict":
            assert isinstance(after, (Code, Exercise)), "a prediction is followed by the cell that answers it"
    assert len(chapter.exercises) >= 5
    quiz = chapter.quiz(language)
    assert len(quiz) == 10
    for question, options in quiz:
        assert sum(option.right for option in options) == 1, question
        assert len(options) >= 3, question
        assert all(len(option.why.split()) >= 3 for option in options), question


@each_chapter
def test_code_says_what_it_prints_in_both_languages(chapter):
    """`say` has both languages, and every picture that is shown has its words, in both."""
    shown = []
    for block in chapter.blocks:
        for node in ast.walk(ast.parse(block.source)) if isinstance(block, Code) else ():
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if name == "say":
                assert sorted(k.arg for k in node.keywords) == ["en", "es"]
            elif name in ("show", "slide", "play"):
                shown.append(node.args[-1].value)
    assert sorted(shown) == sorted(chapter.pictures("es")) == sorted(chapter.pictures("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_of_the_trade_comes_before_its_introduction(language):
    """A term stands in no chapter before its own, and there first in bold; the glossary says where and what it means."""
    for term in GLOSSARY:
        known = term.get("match", {}).get(language, term[language]).replace(" ", r"\s+")
        pattern = re.compile(rf"\b({known})\b", re.IGNORECASE)
        for chapter in CHAPTERS[: term["chapter"] + 1]:
            text = "\n".join(text for kind, text in read_by_a_student(chapter, language) if kind == "text")
            text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
            text = re.sub(r"(?<!\*)\*[^*\n]+(?:\n[^*\n]+)?\*(?!\*)", "", text)  # titles of works and stress, in italics
            if chapter.number < term["chapter"]:
                if term.get("homonym") == language:
                    continue
                found = pattern.search(text)
                assert not found, f"{term[language]} in chapter {chapter.number}: {text[found.start() - 60 :][:120]}"
            else:
                bold = [m.start() for m in re.finditer(r"\*\*[^*]+\*\*", text) if pattern.search(m[0])]
                assert bold, f"{term[language]} is never introduced in chapter {chapter.number}"
                first = pattern.search(text).start()
                assert term.get("early") or term.get("homonym") == language or bold[0] <= first, (
                    f"{term[language]}: …{text[first - 60 : first + 40]}…"
                )


# Symbols, as prose and formulas have them, and the chapter that says what each means.
SYMBOLS = {
    r"∂|\\partial": 0, r"α|\\alpha": 1, r"\\leftarrow": 1, r"\\hat y|ŷ": 2, r"Σ|\\sum|\\Sigma": 2, r"σ|\\sigma": 5,
    r"δ|\\delta": 6, r"⊙|\\odot": 8, r"\\mathsf T": 8, r"Δ|\\Delta": 10, r"\\ln\b": 10, r"ε|\\varepsilon": 11,
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_no_symbol_comes_before_the_chapter_that_explains_it(symbol, language):
    """In text, in code and in what exercises ask; the titles of the chapters to come are no text of a chapter."""
    for chapter in CHAPTERS[: SYMBOLS[symbol] + 1]:
        text = "\n".join(text for _, text in read_by_a_student(chapter, language))
        found = re.search(symbol, text)
        assert bool(found) == (chapter.number == SYMBOLS[symbol]), (chapter.path.stem, found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_function_comes_before_it_is_named_in_the_text(language):
    """What a cell imports from this library stands in backticks in the text before it."""
    said = ""
    for chapter in CHAPTERS:
        for kind, text in read_by_a_student(chapter, language):
            if kind == "text":
                said += text
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ("autodiff", "models"):
                    for name in node.names:
                        assert re.search(rf"`[^`\n]*\b{name.name}\b[^`\n]*`", said), (chapter.path.stem, name.name)


# -- the exercises -----------------------------------------------------------------------------------------------------


@each_exercise
@each_language
def test_the_right_answer_is_right_and_the_solution_too(chapter, exercise, language):
    """Both are told so, and the next question is asked, its code in the type of code."""
    check = kit.start(chapter.number, language).check
    given = {}
    exec(f"{exercise.data.get('given', '')}\n{exercise.data['start']}\n{exercise.data['solution']}", given := _names())
    said = check(exercise.name, *(given[name] for name in exercise.asks))
    assert said.right is True, str(said)
    truth = kit.evaluated(exercise, exercise.data["truth"])
    if "probe" not in exercise.data:
        assert check(exercise.name, *(truth if len(exercise.asks) > 1 else (truth,))).right is True
    after = chapter.exercises[exercise.number :]
    asked = (
        [after[0].data[language][each] for each in ("title", "question")] if after else [word("check.end", language)]
    )
    assert all(" ".join(each.split()) in str(said) for each in asked)
    assert "`" not in said._repr_html_()


def _names():
    import random

    public = {name: getattr(autodiff, name) for name in autodiff.__all__}
    return {"np": np, "math": math, "random": random, **public}


def bound(tree):
    """The names that a cell gives, at its top."""
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            yield statement.name
        for node in [] if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) else ast.walk(statement):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                yield from ((each.asname or each.name).split(".")[0] for each in node.names)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


@pytest.mark.parametrize("chapter", [*CHAPTERS, read(TEXT / "exam.md")], ids=lambda chapter: chapter.path.stem)
def test_a_solution_runs_where_it_stands(chapter):
    """It uses what cells before it have imported or defined, its own names, and nothing else."""
    known = {*dir(builtins), "say", "show", "slide", "play", "check"}
    for block in chapter.blocks:
        if isinstance(block, Exercise):
            known |= set(bound(ast.parse(block.data["start"])))
            tree = ast.parse(block.data["solution"])
            nodes = [*ast.walk(tree)]
            own = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
            own |= {node.arg for node in nodes if isinstance(node, ast.arg)} | set(bound(tree))
            own |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
            used = {node.id for node in nodes if isinstance(node, ast.Name)}
            assert used <= known | own, block.name
        elif isinstance(block, Code):
            known |= set(bound(ast.parse(block.source)))


@each_exercise
@each_language
def test_a_wrong_answer_gets_the_hint_of_its_mistake(chapter, exercise, language):
    """At least three wrong answers as students give them, each with its own hint; then the second hint; then the solution."""
    wrongs = exercise.data["wrong"]
    assert len(wrongs) >= 3
    for wrong in wrongs:
        check = kit.start(chapter.number, language).check
        answer = kit.evaluated(exercise, wrong["answer"])
        answers = answer if len(exercise.asks) > 1 else (answer,)
        first = check(exercise.name, *answers)
        assert first.right is False, wrong["answer"]
        hint = wrong["says"][LANGUAGES.index(language)] if "says" in wrong else wrong[language]
        assert hint in str(first), f"{wrong['answer']}: {first}"
        others = [other[language] for other in wrongs if "says" not in other and other is not wrong]
        assert not [other for other in others if other in str(first)], wrong["answer"]
        assert exercise.data[language]["hints"][1] in str(check(exercise.name, *answers))
        third = check(exercise.name, *answers)
        assert exercise.data["solution"].strip() in str(third)
        assert "<details>" in third._repr_html_()


class Hostile:
    """An answer that raises at every touch."""

    def __getattribute__(self, name):
        raise RuntimeError("no")

    def __array__(self, *_):
        raise RuntimeError("no")


def raises(*_):
    raise KeyError("w")


STRANGE = ["w", "", b"\xff", None, math.nan, [1.0, 2.0, 3.0, 4.0, 5.0], np.ones((7, 3)), {"a": 1}, object(), raises, Value(1e6), [Value(1.0), "x"], 1j, Hostile(), Hostile, ...]  # fmt: skip


@each_exercise
@each_language
def test_whatever_is_handed_in_gets_a_friendly_sentence(chapter, exercise, language):
    """Text, other shapes, NaN, functions that raise, Values, and too few or too many answers: never a traceback."""
    check = kit.start(chapter.number, language).check
    for strange in STRANGE:
        said = check(exercise.name, *[strange] * len(exercise.asks))
        assert said.right is not True
        assert len(said.lines[-1]) > 10
        assert "Traceback" not in str(said)
    assert check(exercise.name, *[1.0] * (len(exercise.asks) + 1)).right is None
    assert exercise.name in str(check("no such exercise", 1.0))
    assert check(exercise.name, *[...] * len(exercise.asks)).right is None


# -- the figures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_answers_may_be_called_by_their_names(language):
    """In any order; a name that is not asked for is told in a sentence, as too many answers are."""
    check = kit.start(0, language)[-1]
    assert "✓" in repr(check("partials", by_x=-2.0, by_w=3.0))
    assert "✓" in repr(check("partials", 3.0, by_x=-2.0))
    for wrong in ({"rat": 10.01}, {"rate": 10.01, "rat": 1.0}):
        assert repr(check("five", **wrong)) == word("check.single", language, n=1, names="rate")


def test_chapter_0_nudges(ran):
    """The rate of x² at 3 is 6 + h, that of a line its slope; the derivative of a product is the other factor."""
    zero = ran(0)
    assert zero["after"] - zero["before"] == pytest.approx(0.61, rel=1e-12)
    assert zero["rates"] == pytest.approx({h: 6 + h for h in (1.0, 0.1, 0.01, 0.001)}, rel=1e-9)
    assert zero["signs"] == pytest.approx({x: 2 * x + 0.0001 for x in (-3, -1, 0, 1, 3)}, rel=1e-7)
    assert set(np.round(list(zero["fares"].values()), 6)) == {5.0}
    assert zero["tiny"] == 0.0
    assert zero["exact"] == 6.0
    assert (zero["by_base"], zero["by_height"]) == pytest.approx((2.0, 4.0), rel=1e-9)


def test_chapter_1_gradient_descent(ran):
    """On (w − 3)² a step multiplies the distance by 1 − 2α; two valleys end at the roots of the derivative."""
    one = ran(1)
    assert one["walk"] == pytest.approx([3 - 3 * 0.8**k for k in range(11)], rel=1e-12)
    assert one["ends"] == pytest.approx({a: 3 - 3 * (1 - 2 * a) ** 20 for a in one["ends"]}, rel=1e-9)
    assert one["gradient"] == (-6.0, -8.0)
    assert (one["salt"], one["lime"]) == pytest.approx((3 - 3 * 0.4**10, 1 - (-1.4) ** 10), rel=1e-9)
    left, _, right = sorted(np.roots([4, 0, -4, 0.3]).real)
    assert one["arrivals"] == pytest.approx({-1.6: left, 1.6: right}, abs=1e-4)
    assert one["two_valleys"](left) < one["two_valleys"](right)


def test_chapter_2_a_line_that_learns(ran):
    """The gradient at 0 is (−35, −12); the walk is its closed form; apples and oranges as the references have them."""
    two = ran(2)
    assert list(two["costs"].values()) == [41.0, 7.5, 1.0, 0.0]
    assert (two["pulls"], two["gradient"]) == ([-6, -20, -42, -72], (-35.0, -12.0))
    x = np.array([1.0, 2.0, 3.0, 4.0])
    curvature = 2 * np.array([[(x * x).mean(), x.mean()], [x.mean(), 1.0]])
    decay = np.linalg.matrix_power(np.eye(2) - 0.02 * curvature, 400)
    assert two["path"][400] == pytest.approx(np.array([2.0, 1.0]) - decay @ [2.0, 1.0], rel=1e-9)
    x, y = np.array([1, 2, 3, 4]), np.array([3, 5, 7, 19])
    assert (two["w"], two["b"]) == pytest.approx(tuple(np.polyfit(x, y, 1)), abs=1e-9) == (5.0, -4.0)
    curve = two["raw"].loss_curve_
    assert [curve[0], curve[1], curve[100], curve[1000]] == pytest.approx(
        [8327.1, 5767.995018, 153.936620, 4.382344], abs=5e-7
    )
    assert (two["by_hand"], two["best"]) == pytest.approx((0.4831212221, 0.4831212221), abs=1e-9)


def test_chapter_3_the_perceptron(ran):
    """«Noche épica» sums to −6, −2, −1, 3; AND takes six passes to w = (2, 1), b = −2; XOR comes round."""
    three = ran(3)
    assert [total - 6 for total in three["sums"].values()] == [-6, -2, -1, 3]
    assert three["answers"] == {-6: [0, 0, 0, 1], -3: [0, 1, 1, 1], -4.5: [0, 0, 1, 1]}
    assert len(three["history"]) == 6
    night = learn([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1])
    assert (night.passes, night.weights.tolist(), night.bias) == (6, [2.0, 1.0], -2.0)
    assert three["seen"][-1] in three["seen"][:-1]


def test_chapter_4_the_line_and_xor(ran):
    """One neuron is right about three corners of XOR at most and takes 14 of 16 decisions; a hidden layer takes XOR."""
    four = ran(4)
    assert (four["best"], len(four["reached"]), len(four["grid"]) ** 3) == (3, 14, 2197)
    assert list(four["between"].values()) == pytest.approx([0.5, -0.4])
    assert four["xor"].tolist() == [0, 1, 1, 0]
    assert len({tuple(h) for h in four["hidden"].tolist()}) == 3
    facts = ("video games", "pizza", "studied", "attended class", "early to bed")
    for weekend in np.ndindex(2, 2, 2, 2, 2):
        expected = hierarchy.decide(hierarchy.MONDAY_EXAM, dict(zip(facts, weekend, strict=True)))
        assert list(four["monday"](*weekend)) == list(expected.values())


def test_chapter_5_activations(ran):
    """Stacked lines are 6x − 1, a hundred of them straight; σ′ = a(1 − a) by closed form; the tent has its corners."""
    five = ran(5)
    assert five["ys"] == [6 * x - 1 for x in range(5)]
    assert five["straight"] < 1e-9 < 1e-3 < five["bent"]
    for z, row in five["values"].items():
        assert row == pytest.approx([float(z > 0), 1 / (1 + np.exp(-z)), np.tanh(z), max(0, z)], rel=1e-12)
    assert five["slopes"] == pytest.approx({z: 1 / (4 * np.cosh(z / 2) ** 2) for z in five["slopes"]}, rel=1e-9)
    assert five["answers"] == pytest.approx([SOFT[0], SOFT[1], SOFT[1], SOFT[0]], rel=1e-9)
    assert five["epic"] == pytest.approx({z: sigma(z) for z in (-6, -2, -1, 3)})
    assert five["tent"] == pytest.approx(np.clip(1 - abs(np.linspace(-1, 4, 201) - 1), 0, None), abs=1e-12)


def sigma(z):
    return 1 / (1 + np.exp(-z))


def test_chapter_6_an_engine_of_one_s_own(ran):
    """∂C/∂w of the neuron is the course's figure; the student's engine agrees with ours on 200 computations."""
    six = ran(6)
    assert six["by_paths"] == six["u"].grad == 7
    assert six["gradients"]["w"] == pytest.approx(-0.17744691734927373, rel=1e-14)
    assert six["gradients"]["b"] == pytest.approx(-0.17744691734927373 / 2, rel=1e-14)
    assert max(six["largest"], *six["alone"].values()) < 1e-12
    assert (six["grads"], six["up"].grad, six["down"].grad) == ([6.0, 12.0], 2.0, 0.0)
    assert six["walk"][0] == [-35.0, -12.0]
    assert [each.data for each in six["line"]] == pytest.approx(ran(2)["path"][400], rel=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_the_engine_s_own_check_judges_the_student_s(ran, seed):
    """`gradcheck` of random computations of twelve operations, written in NumPy, with the gradient of the student's `Node`."""
    Node, chance = ran(6)["Node"], random.Random(seed)
    plan = [(chance.choice("+-*σr"), chance.randrange(20), chance.randrange(20)) for _ in range(12)]

    def computed(made, sigmoid, relu):
        for operation, i, j in plan:
            p, q = made[i % len(made)], made[j % len(made)]
            made.append({"+": p + q, "-": p - q, "*": p * q, "σ": sigmoid(p), "r": relu(p)}[operation])
        return made[-1]

    def gradient(x):
        inputs = [Node(float(each)) for each in x]
        computed([*inputs], Node.sigmoid, Node.relu).backward()
        return np.array([each.grad for each in inputs])

    point = np.array([chance.uniform(0.2, 1.0) * chance.choice((-1, 1)) for _ in range(3)])
    gradcheck(lambda x: computed([*x], sigma, lambda z: np.maximum(z, 0.0)), point, gradient=gradient)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_engine_without_its_pieces_says_which_are_missing(language):
    """Every cell of chapter 6 runs with all exercises unanswered, names each piece, and calls no duel a draw."""
    six = run(CHAPTERS[6], language)
    said = six["text of the chapter"]
    pieces = ("product_slopes", "difference_slopes", "sigmoid_slope", "ordered", "hand_out", "relu_slope")
    missing = {"es": "Falta tu pieza: ", "en": "Your piece is missing: "}[language]
    assert set(re.findall(f"{missing}(\\w+)", said)) == set(pieces)
    assert six["largest"] > 0.01


def test_steps_without_their_pieces_say_so_and_learn_nothing():
    """Chapters 2 and 8 run with their exercises unanswered: nothing is solved for the student."""
    two, eight = run(CHAPTERS[2], "en"), run(CHAPTERS[8], "en")
    assert (two["text of the chapter"] + eight["text of the chapter"]).count("Your piece is missing: ") == 2
    assert two["by_hand"] > 1000 > 1 > two["best"]
    assert eight["errors"][1000] == eight["errors"][0]


def test_every_piece_of_the_engine_is_the_student_s():
    """With one solution left out, or wrong in its sign, the duel finds it; the operation that fails is named."""
    chapter = CHAPTERS[6]
    for name, operation in (("product", "*"), ("difference", "-"), ("saturation", "σ"), ("relu", "r")):
        exercise = next(each for each in chapter.exercises if each.name == name)
        solution = exercise.data["solution"]
        exercise.data["solution"] = re.sub(
            r"return (.*)", r"return tuple(-k for k in t) if type(t := (\1)) is tuple else -t", solution
        )
        try:
            alone = run(chapter, "en", solved=True)["alone"]
        finally:
            exercise.data["solution"] = solution
        assert {each for each, difference in alone.items() if not difference < 1e-12} == {operation}


def test_chapter_7_the_chain_rule(ran):
    """The nudges of the course's neuron, its three factors and their product; blind search grows with the weights."""
    seven = ran(7)
    assert [round(rate, 4) for rate in seven["rates"].values()][:3] == [-0.1622, -0.1759, -0.1773]
    a = sigma(0.5)
    assert list(seven["factors"].values()) == pytest.approx([a - 1, a * (1 - a), 2.0], rel=1e-14)
    assert seven["product"] == pytest.approx(-0.17744691734927373, rel=1e-14)
    assert seven["delta"] == pytest.approx(-0.17744691734927373 / 2, rel=1e-14)
    assert seven["deltas"][8.0] == pytest.approx(1 / (1 + np.exp(-8)) ** 3 * np.exp(-8), rel=1e-12)
    votes = [(sigma(6.5 - 3 * x) - y) * sigma(6.5 - 3 * x) * sigma(3 * x - 6.5) * x for x, y in ((2, 1), (1, 0))]
    assert seven["votes"] == pytest.approx(votes, rel=1e-12)
    assert -votes[0] > votes[1] > 0
    needed = seven["needed"]
    assert needed[4] * 2 < needed[16] < needed[64] / 2


def test_chapter_8_the_three_formulas(ran):
    """δ of both layers by closed form (both hidden sums are 0.5, so z² = 2a − a); the golden run of study, sleep, mark to every digit."""
    eight = ran(8)
    a = sigma(0.5)
    delta2 = (sigma(a) - 1) * sigma(a) * (1 - sigma(a))
    assert eight["delta2"] == pytest.approx([delta2], rel=1e-12)
    assert eight["delta1"] == pytest.approx([2 * delta2 * a * (1 - a), -delta2 * a * (1 - a)], rel=1e-12)
    assert eight["nudged"] == pytest.approx([2 * delta2, -delta2], rel=1e-3)
    assert eight["fading"][-1] == pytest.approx(
        np.prod([each * (1 - each) for each in eight["answers"][:-1]]), rel=1e-12
    )
    assert len(eight["fading"]) == 10
    assert eight["fading"][-1] < 0.00001
    assert eight["unheard"][1] == 0 > eight["unheard"][0]
    errors = eight["errors"]
    assert [errors[0], errors[1], errors[1000]] == pytest.approx(
        [0.134787897465, 0.099436798016, 0.001784305295], abs=5e-13
    )
    assert eight["prediction"] == pytest.approx(0.939368027852, abs=5e-13)


def test_chapter_9_debugging_gradients(ran):
    """Three trainings, the broken ones as PyTorch has them with slopes put in; nudges by closed form; what is accused."""
    nine = ran(9)
    right, forgetful, uphill = nine["runs"].values()
    assert [right[0], right[1], right[1000]] == pytest.approx(
        [0.134787897465, 0.099436798016, 0.001784305295], abs=5e-13
    )
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    slopes = (lambda z: z, lambda z: 2 * torch.sigmoid(z).detach() - torch.sigmoid(z))  # of slope 1, and of −σ′
    for errors, slope in zip((forgetful, uphill), slopes, strict=True):
        assert errors == pytest.approx(trained_with(torch, nine, slope), rel=1e-8)
    assert forgetful[1000] < right[1000] < right[100]
    assert all(np.all(np.diff(errors[:41]) < 0) for errors in (right, forgetful, uphill))
    assert uphill[40] < uphill[0] < uphill[1000]
    for h in (0.1, 0.01, 0.001):
        assert (nine["one_side"][h], nine["two_sides"][h]) == pytest.approx((12 + 6 * h + h * h, 12 + h * h), rel=1e-11)
    off = dict(zip((-k for k in range(1, 16)), nine["off"], strict=True))
    assert off[-5] < 1e-9 < min(off[-1], off[-14])
    assert "V1 ✗  V2 ✓" in nine["verdict"]
    assert "sigmoid" in nine["verdict"]
    assert (nine["at_the_bend"], nine["seen"]) == ([0.5] * 3, [0.5, 1.0, 1.5])


@long
@pytest.mark.once
def test_chapter_10_from_scalars_to_matrices(ran):
    """Counts by hand; gradients of a batch as PyTorch has them; the text that compile wrote, and its eight products."""
    ten = ran(10)
    assert (ten["products"], ten["Z1"].shape, len(ten["by_nodes"])) == (304, (3, 3), 337)
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    W1, W2, A0 = (torch.tensor(ten[name]) for name in ("W1", "W2", "A0"))
    W1.requires_grad_()
    answers = torch.sigmoid(W2 @ torch.sigmoid(W1 @ A0))
    ((answers - torch.tensor(ten["marks"])) ** 2).sum().div(2).backward()
    assert ten["at_once"] == pytest.approx(W1.grad.numpy(), rel=1e-12)
    order = [p.label for p in ten["program"].parameters]
    by_label = dict(zip(order, ten["gradient_of_marks"], strict=True))
    assert by_label["layer1.neuron2.weight1"] == pytest.approx(W1.grad[1, 0].item(), rel=1e-12)
    assert "delta1 = (W2.T @ delta2) * a1 * (1.0 - a1)" in ten["written"]
    assert ten["moon_program"].source.split("def value_and_grad")[1].count(" @ ") == 8
    assert ten["by_nodes"] == pytest.approx(ten["gradient_of_all"], rel=1e-10, abs=1e-15)
    assert ten["node_by_node"] > 20 * ten["compiled"]
    assert "deciding" in ten["refused"]
    assert (ten["answers"] == ten["moons"].y).all()
    names = len(ten["NAMES"])
    assert (len(ten["learnt"]), len(ten["gpt"].parameters())) == (964, 4288)
    assert ten["surprises"][0] == pytest.approx(np.log(33), abs=0.3)
    assert 1.5 < np.mean(ten["surprises"][-50:]) < ten["unknown"] < 2.5
    assert sum(name in ten["NAMES"] for name in ten["invented"]) < 10 < 20 == len(ten["invented"]) < names


@long
@pytest.mark.once
def test_chapter_11_the_paper_of_1986(ran):
    """Momentum by closed form; counts of solved runs as networks written by hand have them; mirrors; luck is not printed."""
    from lessons import by_hand

    eleven, known = ran(11), json.loads(by_hand.FILE.read_text(encoding="utf-8"))
    assert eleven["steps"] == pytest.approx([0.9**t - 1 for t in range(1, 61)], rel=1e-12)
    for hidden, runs in eleven["solved_runs"].items():
        there = known[f"XOR, 2-{hidden}-1"]
        share = (there["solved"] + 1) / (there["runs"] + 2)
        spread = 4 * math.sqrt(share * (1 - share) * 200 * (1 + 200 / there["runs"]))
        assert abs(runs.reached.sum() - share * 200) <= spread + 1
    assert eleven["d"].sum() == sum(bits == bits[::-1] for bits in np.ndindex((2,) * 6)) == 8
    assert eleven["trained"].reached.sum() >= 29
    sizes, weights = eleven["sizes"], eleven["weights"]
    assert sizes / sizes[0] == pytest.approx([1, 2, 4], rel=0.05)
    assert np.abs(weights[:, :6] + weights[:, 5::-1]).max() < 0.01 * np.abs(weights).max()
    assert (weights[:, 6] < 0).all()
    assert (eleven["paper"].fraction_right(eleven["paper"].training) == 0).all()
    assert eleven["learnt"].mean() > 0.9
    assert 0.3 < eleven["new"].mean() < 0.8
    assert (eleven["apart"].max(axis=1) > 0.8).all()
    measured = (TEXT.parents[2] / "docs" / "networks-1986.md").read_text(encoding="utf-8").replace(",", "")
    assert {"1425", "192", "3304", "199", "884", "156", "43"} <= numbers(measured) & numbers(
        "".join(CHAPTERS[11].prose("en"))
    )


@long
@pytest.mark.once
def test_chapter_12_a_project(ran, tmp_path):
    """One's own table is read; a parrot knows what it studied, and its copies; watchers turn early; scikit-learn does as well."""
    twelve, path = ran(12), tmp_path / "own.csv"
    path.write_text("height,weight,sport\n1.9,80,basket\n1.6,55,chess\n", encoding="utf-8")
    names, X, y = twelve["load"](path)
    assert (names, X.tolist(), y.tolist()) == (["height", "weight"], [[1.9, 80.0], [1.6, 55.0]], ["basket", "chess"])
    assert set(twelve["train"]).isdisjoint(twelve["test"])
    assert (len(twelve["train"]), len(twelve["test"]), twelve["learnt_by_heart"]) == (105, 45, 60)
    assert twelve["guessed"] < 25
    assert twelve["leaked"] > 24
    assert twelve["best"] < 30
    assert twelve["studied"][-1] < 0.05
    assert twelve["watched"][-1] > 2 * twelve["watched"][0]
    network = pytest.importorskip("sklearn.neural_network", reason="scikit-learn is the oracle")
    X, y, train, test = (twelve[name] for name in ("X", "y", "train", "test"))
    Z = (X - X[train].mean(axis=0)) / X[train].std(axis=0)
    theirs = network.MLPClassifier(8, solver="lbfgs", alpha=0.01, max_iter=2000, random_state=0).fit(Z[train], y[train])
    assert abs(np.mean(twelve["hits"]) - theirs.score(Z[test], y[test]) * 45) <= 3
    assert np.mean(twelve["hits"]) > 40 > 20 > max((y[test] == kind).sum() for kind in twelve["kinds"])
    assert np.trace(twelve["confusion"]) == twelve["hits"][0]
    assert twelve["confusion"][0] == [(y[test] == "setosa").sum(), 0, 0]


def trained_with(torch, chapter, slope):
    """Train study, sleep, mark with another slope of the hidden sigmoid: its answer is right, and PyTorch derives `slope`."""
    X, marks, *weights = (torch.tensor(chapter[name]) for name in ("X", "marks", "V1", "V2"))
    V1, V2 = (each.requires_grad_() for each in weights)
    errors = []
    for _ in range(1001):
        z = X @ V1
        hidden = torch.sigmoid(z).detach() + slope(z) - slope(z).detach()
        missing = marks - torch.sigmoid(hidden @ V2)
        errors.append((missing**2).mean().item())
        for each, by in zip((V1, V2), torch.autograd.grad((missing**2).sum() / 2, (V1, V2)), strict=True):
            each.data -= by
    return errors


# XOR of sigmoids with weights of 10, at (0, 0) and at (1, 0): by hand.
SOFT = [sigma(10 * sigma(10 * n - 5) + 10 * sigma(15 - 10 * n) - 15) for n in (0, 1)]

# Every decimal that the text says, beside what it is: a closed form, a figure of REFERENCE's, or None where it is given.
SAID = {
    0: {
        "0.1": None, "0.01": None, "0.001": None, "5.01": None, "2.1": None, "0.5": None, "10.3": None,
        "0.61": 3.1**2 - 9, "0.6": 2 * 3 * 0.1, "0.3": 10.3 - 10, "9.61": 3.1**2, "6.1": 6 + 0.1, "6.01": 6 + 0.01,
        "6.001": 6 + 0.001,
    },
    1: {
        "0.1": None, "0.01": None, "0.5": None, "0.9": None, "1.0": None, "1.1": None, "0.3": None, "1.6": None, "0.23": None,
        "0.6": 0.1 * 6, "0.8": 1 - 2 * 0.1, "1.2": 1 - 2 * 1.1, "2.678": 3 - 3 * 0.8**10,
    },
    2: {
        "0.02": None, "0.4": None, "0.8": None, "0.7": None, "0.1": None, "0.00001": None,
        "7.5": (1 + 4 + 9 + 16) / 4, "2.7": 7.5**0.5, "2.5": (1 + 1 + 4 + 4) / 4, "4.382344": 4.382344, "0.0001117": 1.117e-4,
        "0.4831212221": 0.4831212221,
    },
    3: {"0.5": None},
    8: {
        "0.0001": None, "0.2": None, "0.8": None, "1.0": None, "0.5": 1 - 0.5, "0.6225": sigma(0.5), "0.65": sigma(sigma(0.5)),
        "0.0794": (sigma(sigma(0.5)) - 1) * sigma(sigma(0.5)) * (1 - sigma(sigma(0.5))),
        "0.235": sigma(0.5) * (1 - sigma(0.5)), "0.1": None, "0.001": None, "0.00001": None, "0.25": 1 / 4, "0.1348": 0.134787897465,
        "0.001784": 0.001784305295, "93.9": 93.9368027852,
    },
    7: {
        "6.5": None, "0.1": None, "0.01": None, "0.001": None, "0.8": None, "0.3": None, "0.5": None, "0.1774": -0.17744691734927373,
        "0.1622": -0.1622, "0.0152": 0.17744691734927373 - 0.1622, "0.6225": sigma(0.5),
    },
    6: {"0.5": -3 * 2 + 6.5, "6.5": None, "0.7": 0.02 * 35, "0.24": 0.02 * 12, "0.001": None, "0.1774": -0.17744691734927373},
    5: {
        "0.8": None, "0.9999": None, "1.5": None, "0.5": 1 / 2, "0.25": 1 / 4, "2.718": np.e,
        "0.0001": 0.9999 * (1 - 0.9999), "0.2689": 1 / (1 + np.e), "0.0072": SOFT[0], "0.9924": SOFT[1],
    },
    4: {"0.5": 4 * 0.5 + 5 * 0.9 - 6, "0.9": None, "0.4": None},
    12: {
        "0.9": None, "0.6": None, "0.45": None, "0.5": None, "0.7": None, "0.8": None, "0.3": None, "0.2": None, "0.1": None,
    },
    10: {"0.1": None, "3.5": np.log(33)},
    11: {
        "0.1": None, "0.9": None, "0.5": None, "0.03": None, "0.005": None, "0.01": None, "0.2": None, "0.8": None,
        "0.85": None, "0.15": None, "0.75": None, "0.3": None,
    },
    9: {
        "0.1": None, "0.01": None, "0.5": None, "0.5003": None, "500.3": None, "0.6": None, "0.2": 0.6 / 3,
        "12.61": 12 + 6 * 0.1 + 0.1**2, "0.1774": -0.17744691734927373,
    },
}  # fmt: skip


@each_chapter
def test_every_decimal_of_the_text_is_accounted_for(chapter):
    """It is given, or it is the rounding of a closed form."""
    said = {
        number
        for kind, text in read_by_a_student(chapter, "en")
        if kind == "text"
        for number in numbers(text)
        if "." in number
    }
    table = SAID[chapter.number]
    assert said <= set(table), f"not accounted for: {sorted(said - set(table))}"
    for text, value in table.items():
        if value is not None:
            assert f"{abs(value):.{len(text.split('.')[1])}f}" == text, (text, value)


# -- the notebooks -----------------------------------------------------------------------------------------------------


@each_chapter
@each_language
def test_a_notebook_is_what_its_source_gives(chapter, language):
    """Made from this very source, run from top to bottom, no error in it, every picture in words, small enough to keep."""
    pytest.importorskip("nbformat", reason="nbformat is a development dependency")
    assert not old(chapter, language), f"run: python -m lessons.chapters build {chapter.path.stem}"
    path = target(chapter, language)
    text = path.read_text(encoding="utf-8")
    code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] in ("error", "stderr")]
    assert not [o for o in outputs if word("check.wrong", language) in "".join(o.get("data", {}).get("text/plain", ""))]
    pages = ["".join(output.get("data", {}).get("text/html", "")) for output in outputs]
    pictures = [tag for page in pages for tag in re.findall(r"<(?:img|svg)\b[^>]*>", page)]
    assert len(pictures) >= 2
    for tag in pictures:
        assert re.search(r'(?:alt|aria-label)="[^"]{40,}"', tag), tag[:200]
        assert "max-width:100%" in tag
    assert not [o for o in outputs if "image/png" in o.get("data", {}) and "text/html" not in o["data"]], (
        "without words"
    )
    assert path.stat().st_size < 600_000  # a playground alone is 430 kB


@each_chapter
def test_the_notebooks_of_a_chapter_have_the_same_cells_and_numbers(chapter):
    """The same kinds of cells in the same order; code differs in the language alone, and the same numbers come out."""
    es, en = (json.loads(target(chapter, language).read_text(encoding="utf-8"))["cells"] for language in LANGUAGES)
    assert [cell["cell_type"] for cell in es] == [cell["cell_type"] for cell in en]
    for ours, theirs in zip(es, en, strict=True):
        if ours["cell_type"] == "code":
            assert "".join(ours["source"]).replace('"es")', '"en")') == "".join(theirs["source"])
            printed = ["".join("".join(o.get("text", "")) for o in cell["outputs"]) for cell in (ours, theirs)]
            assert numbers(printed[0]) == numbers(printed[1])


def seen(page):
    """What a reader sees: of a page with a script all but its photograph, numbers to six digits; of a drawing its words; else its alt text."""
    if "<iframe" in page:
        page = re.sub(r"data:image/png;base64,[^\"]*", "", page)  # other packages write its bytes otherwise
        return re.sub(r"\d+\.\d{6,}(e[-+]?\d+)?", lambda number: f"{float(number[0]):.6g}", page)
    words = sorted(html.unescape(text) for text in re.findall(r">([^<>\n]+)</text>", page))
    return words if "<svg" in page else [], re.findall(r'(?:alt|aria-label)="([^"]*)"', page)


def images(page):
    """The images in a page, in grey."""
    Image = pytest.importorskip("PIL.Image", reason="Pillow reads the images")
    found = [base64.b64decode(data) for data in re.findall(r"data:image/png;base64,([^\"]*)", page)]
    return [np.asarray(Image.open(io.BytesIO(each)).convert("L"), dtype=float) for each in found]


TIMED = {"speed"}  # a picture of what a stopwatch said


@pytest.mark.parametrize("chapter", CHAPTERS if THOROUGH else CHAPTERS[8:9], ids=lambda chapter: chapter.path.stem)
def test_the_pictures_of_a_notebook_are_those_that_the_library_makes(chapter, ran):
    """A change of drawings, plots or pages makes notebooks old: chapter 8 has one of each, all are compared in the thorough run.

    Pages are equal, drawings have the same words, images nine tenths of their pixels, as fonts differ by machine.
    """
    cells = json.loads(target(chapter, "es").read_text(encoding="utf-8"))["cells"]
    found = ["".join(o.get("data", {}).get("text/html", "")) for cell in cells for o in cell.get("outputs", [])]
    there = [page for page in found if page and not page.startswith('<div style="border-left')]
    here = ran(chapter.number)["pictures of the chapter"]
    assert len(there) == len(here) >= 2
    for (name, made), page in zip(here, there, strict=True):
        if name not in TIMED:
            assert seen(made._repr_html_()) == seen(page), f"run: python -m lessons.chapters build {chapter.path.stem}"
        if THOROUGH and name not in TIMED:
            for one, other in zip(images(made._repr_html_()), images(page), strict=True):
                assert one.shape == other.shape
                assert (np.abs(one - other) < 24).mean() > 0.9, name


@pytest.mark.skipif(not THOROUGH, reason="notebooks are run anew in the thorough run")
@each_chapter
@each_language
def test_a_notebook_says_the_same_when_it_is_run_again(chapter, language, ran):
    """All that it prints: the English one in a fresh kernel, its twin of the same code in the run of the tests above."""
    pytest.importorskip("nbclient", reason="nbclient is a development dependency")
    from lessons.chapters.notebooks import executed

    def printed(cells):
        return "".join("".join(o.get("text", "")) for cell in cells for o in cell.get("outputs", []))

    there = printed(json.loads(target(chapter, language).read_text(encoding="utf-8"))["cells"])
    if language == "en":
        assert printed(executed(chapter, language).cells) == there
    else:
        assert ran(chapter.number)["text of the chapter"] == there


@each_chapter
@each_language
def test_links_lead_to_chapters_that_exist(chapter, language):
    """From a notebook to the next one."""
    for text in chapter.prose(language):
        for link in re.findall(r"\]\(([^)#]+\.ipynb)\)", text):
            assert (target(chapter, language).parent / link).exists(), link


def test_the_index_leads_to_every_chapter():
    """lessons/README.md links to the notebook of each chapter in both languages, and to nothing that is not there."""
    index = TEXT.parents[1] / "README.md"
    links = {
        (index.parent / link).resolve() for link in re.findall(r"\]\(([^)#]+)\)", index.read_text(encoding="utf-8"))
    }
    assert all(link.exists() for link in links)
    assert {target(chapter, language).resolve() for chapter in CHAPTERS for language in LANGUAGES} <= links


def test_a_source_that_is_not_in_the_form_is_told_by_its_line(tmp_path):
    """A block without its twin, one never closed, TOML that cannot be read, and a head that is missing."""
    head = '+++\nes = "a"\nen = "b"\n+++\n'
    for body, message in (
        ("::: es\nhola\n:::\n\n```python\n1\n```\n", "line 9: ::: es must be followed by ::: en"),
        ("::: es\nhola\n", "line 5: the block '::: es' is never closed"),
        ("::: en\nhello\n:::\n", "line 5: ::: es must be followed"),
        ("```toml exercise a\nstart = \n```\n", "line 5: Invalid"),
        ("hola\n", "line 5: .*(never closed|must open)"),
    ):
        path = tmp_path / "00_a.md"
        path.write_text(head + body, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            read(path)
    path.write_text("# a\n", encoding="utf-8")
    with pytest.raises(ValueError, match="must begin with what is said of the chapter"):
        read(path)
