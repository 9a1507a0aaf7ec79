"""The language of what is shown and said: complete tables, one default for the process, one call in another."""

import ast
import re
import string
import threading
import tomllib
from pathlib import Path

import pytest

import autodiff
import models
from autodiff.wording import LANGUAGES, Texts, language_of, set_language, speaking

AUTODIFF, MODELS = Path(autodiff.__file__).parent, Path(models.__file__).parent
PACKAGES = {"autodiff": AUTODIFF, "autodiff.testing": AUTODIFF / "testing", "models": MODELS}


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
