"""The written pages say what the code says."""

import doctest
import re
from pathlib import Path

import pytest

import autodiff
from autodiff import OPS, draw
from lessons.chapters.notebooks import addresses
from lessons.demo import neuron
from lessons.operations import table
from lessons.reference_figures import ESTIMATORS, ROWS, line
from website import links, reference, spanish, speed

ROOT = Path(__file__).parent.parent


def test_the_table_of_operations_is_the_table():
    """docs/operations.md is what `python -m lessons.operations` writes, with a line for every row."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert page == table(), "run: python -m lessons.operations"
    assert all(f"| `{name}` |" in page for name in OPS)


def test_the_picture_in_the_readme_is_the_one_its_code_draws():
    """Every text in docs/neuron.svg is what `draw` writes today for the neuron of the README and the demo."""
    committed = (ROOT / "docs" / "neuron.svg").read_text(encoding="utf-8")
    drawn = draw(neuron()).pipe("svg").decode()
    texts = re.compile(r"<text[^>]*>([^<]*)</text>")
    assert sorted(texts.findall(committed)) == sorted(texts.findall(drawn))


def test_the_reference_figures_are_what_comes_out_today():
    """In docs/reference-figures.md: a line for every figure, the quick ones computed anew, and tests that exist."""
    page = (ROOT / "docs" / "reference-figures.md").read_text(encoding="utf-8").splitlines()
    assert len([text for text in page if re.match(r"\| [^|]", text)]) == len(ROWS) + len(ESTIMATORS) + 5, "headings"
    for row in ROWS:
        before, after = line(row, "OURS").split("OURS")
        assert [text for text in page if text.startswith(before) and text.endswith(after)], f"not in the page: {before}"
        if not row.slow:
            assert line(row, row.ours()) in page, "run: python -m lessons.reference_figures"
    for name in {test for row in ROWS for test in row.tests}:
        file, _, test = name.partition("::")
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), name


def test_every_public_name_stands_in_a_page_that_somebody_wrote():
    """As code, in README or docs/: who looks for it finds what it is for, and not the reference alone."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in pages if not path.name.endswith(".es.md"))
    code = "\n".join(
        "".join(each)
        for each in re.findall(r"^```python\n(.*?)^```|(?<!`)`([^`\n]+)`(?!`)", text, re.MULTILINE | re.DOTALL)
    )
    written = set(re.findall(r"\w+", code))
    public = {
        name for page in reference.PAGES.values() for module in page.modules for name, _ in reference.names(module)
    }
    assert public - written == set()
    assert len(public) > 200


@pytest.mark.parametrize("name", spanish.WRITTEN)
def test_what_commands_write_has_its_spanish(name):
    """docs/NAME.es.md is the English one of today, sentence by sentence; one that has no Spanish is named."""
    assert (ROOT / "docs" / f"{name}.es.md").read_text(encoding="utf-8") == spanish.page(name), (
        "run: python -m website.spanish"
    )
    with pytest.raises(KeyError, match="for: A new sentence"):
        spanish.said("A new sentence.")


@pytest.mark.parametrize("module", [links, spanish], ids=lambda module: module.__name__)
def test_the_examples_of_what_makes_the_site_run(module):
    """Those in the docstrings of website/."""
    done = doctest.testmod(module)
    assert (done.failed, done.attempted) == (0, 1)


def test_every_test_that_the_page_on_trust_names_exists():
    """docs/trust.md names tests by file and function; each is there."""
    page = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
    named = re.findall(r"(tests/test_\w+\.py)::(\w+)", page)
    assert len(named) > 40
    for path, function in named:
        source = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^( {{4}})?def {function}\(", source, re.MULTILINE), f"{path}::{function}"


def test_the_changelog_begins_with_this_version():
    """Its newest section is that of `autodiff.__version__`, with the date of its release."""
    newest = re.search(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE).group(1)
    assert re.fullmatch(rf"{re.escape(autodiff.__version__)} \(20\d\d-\d\d-\d\d\)", newest)


@pytest.mark.parametrize(
    "page",
    [*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("docs/*/*.md")],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_links_within_the_repository_lead_somewhere(page):
    """Every file that a page links to is there, and so is the heading."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text):
        target, _, anchor = "".join(link).partition("#")
        if "://" in target:
            continue
        there = page.parent / target if target else page
        assert there.exists(), f"{page.name} links to {target}"
        assert there != page or anchor, f"{page.name} links to itself"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}, (
                f"{target}#{anchor}"
            )


@pytest.mark.parametrize("language", speed.FILES)
def test_the_speed_that_the_readme_tells_is_the_measured_one(language):
    """The table is what `python -m website.speed` makes of benchmarks/README.md, and names who is quicker."""
    text = speed.FILES[language].read_text(encoding="utf-8")
    assert speed.written(text, language) == text, "run: python -m website.speed"
    assert f": {speed.HEADS[language][1]}**" in text
    assert len(text.splitlines()) <= 150
    told = map(float, re.search(r"(\d+) nano\w+, (\d+) ", text).groups())
    measured = [float(x.replace(",", "")) for x in re.findall(r"([\d,]+) ns \((?:C|Python)\)", text)]
    assert list(told) == pytest.approx(measured, rel=0.05), "some so many nanoseconds, in words"


def test_both_readmes_run_the_same_code():
    """Line for line, but for comments, the language that is set, and what it changes in the output."""
    code = {
        language: [re.sub(r"\s+#.*", "", line) for line in re.findall(r"^(?:>>>|\.\.\.) .*", path.read_text(encoding="utf-8"), re.MULTILINE)]
        for language, path in speed.FILES.items()
    }  # fmt: skip
    spanish = [line.replace(", set_language", "") for line in code["es"] if not line.startswith(">>> set_language")]
    assert spanish == code["en"]


def test_the_addresses_and_the_version_of_the_project_are_told_once():
    """Whatever names the repository or the site names those of [project.urls]; CITATION.cff, the version of the package."""
    urls = addresses().values()
    folders = (".", ".github/**", "docs/**", "lessons/**", "browser", "website", "autodiff/**", "models/**")
    texts = [path for folder in folders for path in ROOT.glob(f"{folder}/*.*") if path.suffix in links.TEXTS]
    for path in texts:
        for found in re.findall(
            r"https://(?:github\.com/delta[\w-]*/[\w-]+|delta[\w-]*\.github\.io/[\w-]+)",
            path.read_text(encoding="utf-8"),
        ):
            assert any(url.rstrip("/") == found for url in urls), f"{path}: {found}"
    assert len(texts) > 200
    assert f"\nversion: {autodiff.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
