"""The language of what is shown and said: complete tables, one default for the process, one call in another."""

import ast
import contextlib
import html
import re
import string
import sys
import threading
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest

import autodiff
import models
from autodiff import OPS, Value, animate, anomalies, draw, exp, explain, log, sqrt, stepper, total, where
from autodiff.pictures import frames
from autodiff.testing import check_exercise, gradcheck
from autodiff.wording import LANGUAGES, Texts, language_of, set_language, speaking
from models import MLP, LinearRegression, MLPClassifier, MLPRegressor, Perceptron
from models.datasets import xor
from models.hierarchy import EPIC_NIGHT
from models.hierarchy import explain as explain_decision
from models.live import LivePlot
from models.playgrounds import playground
from models.plots import activation_curve, activation_surface, loss_curves
from models.training import train

AUTODIFF, MODELS = Path(autodiff.__file__).parent, Path(models.__file__).parent
LESSONS = Path(__file__).parent.parent / "lessons" / "chapters"
PACKAGES = {
    "autodiff": AUTODIFF,
    "autodiff.testing": AUTODIFF / "testing",
    "models": MODELS,
    "lessons.chapters": LESSONS,
}


@pytest.fixture(autouse=True)
def english():
    """Each test leaves English behind."""
    yield
    set_language(None)


def table(package, language):
    """All texts by key: of one with a plural, its forms."""
    sections = tomllib.loads((PACKAGES[package] / "words" / f"{language}.toml").read_text(encoding="utf-8"))
    return {
        f"{section}.{name}": texts if isinstance(texts, dict) else {"": texts}
        for section, names in sections.items()
        for name, texts in names.items()
    }


def places(text):
    """The details that a text has room for, with their formats; braces of a page's texts are read alike."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def faults(one, other):
    """What is wrong with a table beside another: keys it lacks, details that differ, texts that are empty here alone."""
    found = [f"{key} is missing" for key in one if key not in other]
    for key in one.keys() & other.keys():
        if set(one[key]) != set(other[key]):
            found.append(f"{key} has other plural forms")
            continue
        for form in one[key]:
            theirs = places(other[key][form])
            if places(one[key][form]) - {"n"} != theirs - {"n"} or (form != "one" and places(one[key][form]) != theirs):
                found.append(f"{key} has other details")
            if bool(one[key][form]) != bool(other[key][form]):
                found.append(f"{key} is empty in one")
    return sorted(found)


def told(package):
    """The texts and the patterns of texts that the package's Python contains, and the words of its pages."""
    constants, patterns, pages = set(), [], ""
    for path in PACKAGES[package].rglob("*"):
        if package == "autodiff" and "testing" in path.parts:
            continue
        if path.suffix in {".js", ".html"}:
            pages += path.read_text(encoding="utf-8")
            constants.add(path.stem)  # a page to play with has a section of its name
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    constants.add(node.value)
                elif isinstance(node, ast.FunctionDef):
                    constants.add(node.name)  # what has a name in the language is a function's: a loss, a data set
                elif isinstance(node, ast.JoinedStr):
                    parts = [re.escape(p.value) if isinstance(p, ast.Constant) else "(.+)" for p in node.values]
                    patterns.append(re.compile("".join(parts)))
    return constants, patterns, set(re.findall(r"\w+", pages))


def unused(keys, constants, patterns, page_words):
    """The keys that nobody says: in full, by parts that all occur, or in a section that is given away whole."""
    left = []
    for key in keys:
        section, name = key.split(".", 1)
        by_parts = any(
            (found := pattern.fullmatch(key)) and all(part in constants for part in found.groups())
            for pattern in patterns
        )
        if not (key in constants or by_parts or (section in constants and name in page_words | constants)):
            left.append(key)
    return left


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("package", PACKAGES)
def test_a_language_lacks_no_text(package, language):
    """The same keys as in English, the same details in each, the same plural forms."""
    assert faults(table(package, "en"), table(package, language)) == []
    assert faults(table(package, language), table(package, "en")) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_text_has_outlived_the_code_that_says_it(package):
    """Each key stands in the source, in full or by its parts; those of a page in its script or its HTML."""
    assert unused(table(package, "en"), *told(package)) == []


def test_there_is_a_table_for_every_language():
    """And for no other."""
    for folder in PACKAGES.values():
        assert sorted(file.stem for file in (folder / "words").iterdir()) == sorted(LANGUAGES)


def test_a_table_with_a_fault_is_caught():
    """A key left out, a detail renamed or forgotten, a plural form too few, an empty text, a key of nobody's."""
    right = {"a.b": {"": "{x} of {y}"}, "a.c": {"one": "one", "other": "{n} more"}}
    assert faults(right, right) == []
    assert faults(right, {"a.b": right["a.b"]}) == ["a.c is missing"]
    assert faults(right, right | {"a.b": {"": "{x} de {z}"}}) == ["a.b has other details"]
    assert faults(right, right | {"a.c": {"one": "uno", "other": "más"}}) == ["a.c has other details"]
    assert faults(right, right | {"a.c": {"": "{n} más"}}) == ["a.c has other plural forms"]
    assert faults({"a.d": {"": "x"}}, {"a.d": {"": ""}}) == ["a.d is empty in one"]
    assert unused(right, {"a.b"}, [], set()) == ["a.c"]
    assert unused(right, {"a.b", "c"}, [re.compile(r"a\.(.+)")], set()) == []
    assert unused(right, {"a.b"}, [re.compile(r"a\.(.+)")], {"c"}) == ["a.c"]


def test_the_default_is_of_the_process_and_a_call_may_differ():
    """set_language reaches every thread; what a thread speaks meanwhile is its own, and ends with its block."""
    set_language("es")
    heard = []

    def listen():
        heard.append(language_of())
        with speaking("en"):
            heard.append(language_of())
        heard.append(language_of())

    with speaking("en"):
        thread = threading.Thread(target=listen)
        thread.start()
        thread.join()
        with speaking(None):
            assert language_of() == "en"
    assert heard == ["es", "en", "es"]
    assert language_of("en") == "en"
    autodiff.set_language(None)
    assert language_of() == "en"


@pytest.mark.parametrize("language", ["fr", "ES", "", 1, ["en"]])
def test_an_unknown_language_is_refused_by_naming_the_known(language):
    """Wherever it is given; the default stays as it was."""
    for call in (set_language, language_of, lambda each: speaking(each).__enter__()):
        with pytest.raises(ValueError, match=r"^language must be one of en, es, got "):
            call(language)
    assert language_of() == "en"


def test_a_plural_is_chosen_by_n():
    """English and Spanish have two forms: one for 1, and another."""
    say = Texts("autodiff")
    assert [say("summary.nodes", n=n) for n in (0, 1, 2)] == ["0 nodes", "1 node", "2 nodes"]
    with speaking("es"):
        assert [say("summary.nodes", n=n) for n in (0, 1, 2)] == ["0 nodos", "1 nodo", "2 nodos"]
    assert say.section("summary", "es")["nodes"]["other"] == "{n:,} nodos"


# -- what is shown and said, in both languages ------------------------------------------------------------------------


def neuron(sweeps=1):
    """The course's neuron, swept."""
    x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.5, "b")
    z = w * x + b
    a = z.sigmoid()
    z.label, a.label = "z", "a"
    C = (1.0 - a) ** 2 / 2
    C.label = "C"
    for _ in range(sweeps):
        C.backward()
    return C


def network(rows=1, width=3):
    """The loss of a small network over some samples, swept."""
    net = MLP(2, [width, 1], activation="tanh", random_state=0)
    C = total([(net([1.0, float(k)]) - 1.0) ** 2 for k in range(rows)])
    C.label = "C"
    C.backward()
    return C


def broken():
    """A graph with an infinite δ."""
    C = sqrt(Value(0.0, "x")) * 3.0
    C.backward()
    return C


def chain(length):
    """A chain of sines, which goes on in rows, or is summed up."""
    y = x = Value(1.0, "x")
    for _ in range(length):
        y = y.sin() + x
    y.backward()
    return y


PICTURES = {
    "operations": (neuron(2), {}),
    "top down": (neuron(), {"direction": "backward", "rankdir": "TB"}),
    "alarm": (broken(), {}),
    "rows": (chain(25), {"width": 700, "height": 500}),
    "crowd": (chain(300), {"detail": "operations"}),
    "neurons": (network(), {"detail": "neurons"}),
    "samples": (network(3), {"detail": "neurons"}),
    "many neurons": (network(1, 30), {"detail": "neurons", "max_neurons": 4}),
    "layers": (network(3), {"detail": "layers"}),
    "summary": (chain(5), {"max_nodes": 3}),
    "summary of groups": (network(), {"max_nodes": 3, "detail": "operations"}),
    "no loss": (MLP(2, [3, 1], random_state=0), {}),
}
# Labels, names of operations, of options and in code, and a word that both languages have.
NAMES = {part for name in OPS for part in name.split("_")} | {"ReLU", "NaN", "nan", "inf", "Value", "local", "float"}
NAMES |= {"neuron", "layer", "bias", "weight", "draw", "detail", "operations", "neurons", "layers", "max", "nodes"}
NAMES |= {"grad", "data", "alpha", "one", "zero", "base"}
NAMED = {"MLPClassifier", "MLPRegressor", "LinearRegression", "LivePlot", "XOR", "learning", "rate", "random", "state"}
NAMED |= {
    "initialization",
    "iter",
    "change",
    "tol",
    "solver",
    "lstsq",
    "epochs",
    "auto",
    "video",
    "games",
    "pizza",
    "epic",
    "night",
}
NAMED |= {"standardize", "True", "MLP", "models", "mlp"}


def words(text):
    """The words in a text, of three letters or more."""
    return set(re.findall(r"[^\W\d_]{3,}", text))


def shown(picture):
    """The texts of a picture: of its labels and its tooltips, and the picture in words."""
    found = re.findall(r'label=(<[^\n]*?>)(?: [a-z]+=|\])|tooltip="([^"]*)"', picture.source)
    source = re.sub(r"<[^<>]*>", " ", " ".join(label or tip for label, tip in found))
    return html.unescape(f"{source} {picture.alt}").replace("\\n", " ")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_speaks_one_language(name):
    """Legend, numbers, tooltips and alt text: no word of three letters is in both languages, save names."""
    root, options = PICTURES[name]
    es, en = (shown(draw(root, language=language, **options)) for language in ("es", "en"))
    assert len(words(es)) > 2
    assert words(es) & words(en) <= NAMES
    set_language("es")
    assert shown(draw(root, **options)) == es


def remarks():
    """Values whose gradient, or whose infinity, is explained with each kind of remark, and what it is explained in."""
    x, w, zero = Value(2.0, "x"), Value(-1.0, "w"), Value(0.0, "zero")
    deep = x
    for _ in range(40):
        deep = (deep * 10.0).sigmoid()
    steep = x
    for _ in range(12):
        steep = steep * 9.0
    return {
        "contributions": (x, x * x * w),
        "root": (w, w),
        "dead": (w, (w * x).relu()),
        "saturated": (x, (x * 30.0).sigmoid() + (x * 5.0).tanh()),
        "vanishing": (x, deep),
        "exploding": (x, steep),
        "cancelling": (x, x - x),
        "multiplied by 0": (x, x * zero + x * 0.0),
        "where": (x, where(x < 0.0, x, w) + where(x > 0.0, w, x)),
        "masked": (w, w.maximum(x) + w.clip(5.0, 6.0)),
        "powers": (x, x**0.0 + Value(1.0, "one") ** x),
        "step": (x, x.step()),
        "edge": (zero, sqrt(zero) + zero**0.5),
        "underflow": (x, exp(x * -400.0) * 1e-200),
        "not finite": (x, x * 1e308 * 1e10 - log(Value(0.5)) * 1e308 * x * 1e10),
        "unused": (Value(1.0, "x"), x * w),
    }


@pytest.mark.parametrize("name", remarks())
def test_an_explanation_speaks_one_language(name):
    """The chain-rule sum, by consumer and by path, its remarks and the places of infinities."""
    node, root = remarks()[name]
    with contextlib.suppress(ValueError):  # from an infinity nothing flows back
        root.backward()
        root.backward()
    for told in (
        lambda language: str(explain(node, of=root, language=language)),
        lambda language: str(explain(root, to=node, limit=1, language=language)),
        lambda language: explain(node, of=root, language=language)._repr_markdown_(),
        lambda language: str(anomalies(root, language=language)),
        lambda language: "\n".join(map(str, anomalies(root, language=language))),
    ):
        es, en = told("es"), told("en")
        assert words(re.sub(r"\\[a-z]+", "", es)) & words(re.sub(r"\\[a-z]+", "", en)) <= NAMES
        set_language("es")
        assert told(None) == es
        set_language(None)
        assert told(None) == en


def test_an_explanation_keeps_its_language():
    """Printed later, when another is in force, in a notebook too."""
    root = neuron(2)
    told, found, film = explain(root, of=root), anomalies(root), frames(root, language="es")
    set_language("es")
    assert "by definition" in str(told)
    assert "finite" in found._repr_markdown_()
    set_language(None)
    assert "reproducir" in film._repr_html_()


def test_a_film_speaks_one_language():
    """Captions, and the names of its buttons, its slider and its page."""
    for root, options in ((neuron(), {}), (network(), {"detail": "layers"})):
        es, en = ([picture.alt for picture in frames(root, language=each, **options)] for each in ("es", "en"))
        assert not any(words(mine) & words(theirs) - NAMES for mine, theirs in zip(es, en, strict=True))
        pages = [animate(root, language=each, **options).html for each in ("es", "en")]
        parts = r'"(?:play|pause|first|back|next|last|steps?)":"([^"]*)"|<title>(δ[^<]*)|<html lang="(..)"'
        found = [re.findall(parts, page) for page in pages]
        assert len(found[0]) == len(found[1]) >= 10
        assert words(str(found[0])) & words(str(found[1])) == set()


@pytest.mark.parametrize("page", ["stepper", "playground"])
def test_a_page_speaks_the_language_in_force(page):
    """And that of the call before it."""
    X, y, *_ = xor()
    made = {
        "stepper": lambda **options: stepper(neuron(), **options).html,
        "playground": lambda **options: (
            playground(MLP(2, [2, 1], random_state=0), X, y, random_state=0, **options).html
        ),
    }[page]
    es, en = made(language="es"), made(language="en")
    assert es != en
    assert made() == en
    set_language("es")
    assert made() == es
    assert made(language="en") == en


def test_a_plot_speaks_one_language():
    """Axes, curves and titles; names that the caller gives stay."""
    pytest.importorskip("matplotlib", reason="matplotlib is the extra plots")

    def texts(ax):
        curves = [line.get_label() for line in ax.lines if not line.get_label().startswith("_")]
        return words(" ".join([ax.get_xlabel(), ax.get_ylabel(), ax.get_title(), *curves]))

    X, y, *_ = xor()
    history = train(MLP(2, [2, 1], random_state=0), X, y, epochs=2, validation=(X, y))
    for draws in (
        lambda language: loss_curves(history, language=language),
        lambda language: loss_curves(history.loss_curve, language=language),
        lambda language: activation_curve("sigmoid", language=language),
        lambda language: activation_surface("step", [1.0, 1.0], language=language),
    ):
        es, en = texts(draws("es")), texts(draws("en"))
        assert es
        assert es & en == set()
        set_language("es")
        assert texts(draws(None)) == es
        set_language(None)
    assert {"mine", "costo"} <= texts(loss_curves({"mine": [2.0, 1.0]}, language="es"))


def test_what_training_says_speaks_one_language(capsys):
    """Curves that grow, lines of progress and warnings, for each kind of model; a decision explained."""
    X, y, *_ = xor()
    decided = {"video games": 1, "pizza": 0}
    runs = (
        lambda: train(MLP(2, [2, 1], random_state=0), X, y, epochs=2, validation=(X, y), progress=2),
        lambda: train(MLP(2, [2, 1], initialization="zeros"), X, y, epochs=60, loss="binary_cross_entropy"),
        lambda: train(MLP(2, [2, 1], activation="step", random_state=0), X, y, epochs=60),
        lambda: train(MLP(2, [2, 1], random_state=0), X, y, epochs=40, learning_rate=1e-12),
        lambda: train(MLP(2, [1], output_activation="sigmoid"), X, [0.0, 9.0, 9.0, 0.0], epochs=2),
        lambda: MLPRegressor(hidden_layer_sizes=(2,), max_iter=3, random_state=0).fit(X, y),
        lambda: MLPClassifier(hidden_layer_sizes=(2,), max_iter=60, random_state=0, n_iter_no_change=70).fit(X, y),
        lambda: Perceptron(max_iter=30, verbose=2, random_state=0).fit(X, y),
        lambda: LinearRegression(solver="gd", learning_rate=1e-6).fit(X, np.array(X) @ [1.0, 2.0]),
        lambda: sys.stdout.write(" ".join([repr(LivePlot()), *explain_decision([EPIC_NIGHT], decided)])),
    )
    for k, run in enumerate(runs):
        told = {}
        for language in ("es", "en"):
            set_language(language)
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                run()
            told[language] = words(capsys.readouterr().out + " ".join(str(each.message) for each in said))
        assert told["es"], k
        assert told["es"] & told["en"] <= NAMES | NAMED


def test_an_exercise_is_marked_in_the_language_in_force():
    """Unless the call has another."""
    set_language("es")
    assert "signo" in str(check_exercise(-1.0, 1.0))
    assert "sign is" in str(check_exercise(-1.0, 1.0, language="en"))


def test_an_error_is_in_english_and_its_diagnosis_in_the_language_in_force():
    """Whoever looks an error up finds it; whoever reads the diagnosis it carries reads their own language."""
    set_language("es")
    with pytest.raises(AssertionError, match="the sign is wrong") as caught:
        gradcheck(lambda x: x * x, 3.0, gradient=lambda x: -2.0 * x)
    assert "signo" in caught.value.diagnosis.text()
    assert "sign is" in caught.value.diagnosis.text("en")
    with pytest.raises(ValueError, match="a summary has no steps") as refused:
        frames(chain(5), max_nodes=3)
    assert "too many to draw" in str(refused.value)


def test_every_function_with_a_language_refuses_an_unknown_one():
    """By naming those there are."""
    X, y, *_ = xor()
    C = neuron()
    for call in (
        lambda: draw(C, language="fr"),
        lambda: frames(C, language="fr"),
        lambda: animate(C, language="fr"),
        lambda: stepper(C, language="fr"),
        lambda: explain(C, of=C, language="fr"),
        lambda: explain(C, to=C, language="fr"),
        lambda: anomalies(C, language="fr"),
        lambda: playground(MLP(2, [1]), X, y, language="fr"),
        lambda: loss_curves([1.0], language="fr"),
        lambda: activation_curve("tanh", language="fr"),
        lambda: activation_surface("tanh", [1.0, 1.0], language="fr"),
        lambda: explain_decision([EPIC_NIGHT], {"video games": 1, "pizza": 0}, language="fr"),
        lambda: LivePlot(language="fr"),
        lambda: check_exercise(1.0, 1.0, language="fr"),
    ):
        with pytest.raises(ValueError, match=r"language must be one of en, es, got 'fr'"):
            call()


@pytest.mark.parametrize("detail", ["operations", "neurons", "layers"])
def test_titles_and_frames_name_layers_and_neurons_in_the_language(detail):
    """`layer1` of a model is "capa 1" in Spanish; a label of the user's own stays, and so does what code is called."""
    w = Value(2.0, "encoder.layerA.w")
    mine = w * Value(3.0, "encoder.layerA.x")
    mine.label = "encoder.layerA.z"

    def titles(root, language):
        """The texts that are drawn, without tooltips, whenever Graphviz is asked for them."""
        picture = draw(root, detail=detail, language=language)
        return {html.unescape(text) for text in re.findall(r">([^<>\n]+)</text>", picture.pipe("svg").decode())}

    es, en = titles(network(), "es"), titles(network(), "en")
    assert {"capa 1", "capa 2"} <= es
    assert {"layer1", "layer2"} <= en
    assert not {text for text in es if re.search(r"layer|neuron\d", text)}
    if detail != "layers":
        assert {"neurona 1", "neurona 2", "neurona 3"} <= es
        assert {"neuron1", "neuron2", "neuron3"} <= en
    own, theirs = ({text for text in titles(mine, each) if re.search("encoder|layerA", text)} for each in ("es", "en"))
    assert own == theirs != set()
