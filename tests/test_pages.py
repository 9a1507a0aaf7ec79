"""The pages of docs/ run: every block of Python, and both columns of every row of docs/coming-from.md."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
# These have tests of their own, or run with the doctests (pyproject.toml).
ELSEWHERE = {
    "compile.md",
    "derivatives.md",
    "gradient-howto.md",
    "gradient-testing.md",
    "models.md",
    "numpy.md",
    "scaling.md",
}
SPANISH = sorted((ROOT / "docs").rglob("*.es.md"))
WITH_CODE = [path for path in sorted((ROOT / "docs").rglob("*.md")) if "```python" in path.read_text(encoding="utf-8")]
PAGES = [path for path in WITH_CODE if path.name not in ELSEWHERE and path not in SPANISH]
COMING = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
PEERS = {
    "micrograd": "from micrograd.engine import Value; from micrograd.nn import MLP",
    "PyTorch": "import torch",
    "JAX": "import jax; import jax.numpy as jnp; from jax.test_util import check_grads",
    "HIPS autograd": "import autograd; import autograd.numpy as anp",
    "scikit-learn": "from sklearn import linear_model, neural_network; from models.datasets import moons; X, y = moons(100, random_state=0)[:2]",
}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT / "docs").as_posix())
def test_every_block_of_a_page_runs(path):
    """In one namespace, from top to bottom, with the output that the page shows."""
    text = path.read_text(encoding="utf-8")
    for library in sorted(
        set(re.findall(r"^>>> (?:import|from) (torch|jax|scipy|sklearn|pandas)\b", text, re.MULTILINE))
    ):
        pytest.importorskip(library, reason=f"{library} is installed in continuous integration")
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        assert block.startswith((">>>", "Traceback")), f"a block that is not run: {block[:60]}"
    test = doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, path.name, str(path), 0)
    printed = []
    results = doctest.DocTestRunner().run(test, out=printed.append)
    assert results.failed == 0, "".join(printed)
    assert results.attempted > 0


FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def english(path):
    """Return the page that a Spanish one says in English."""
    return path.with_name(path.name.replace(".es.md", ".md"))


def skeleton(text):
    """Return what a page has in every language: headings, rows of tables with their code, items, pictures, links."""
    prose = FENCED.sub("", text)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link]
    rows = [line for line in prose.splitlines() if line.startswith("|")]
    return {
        "lines of blocks": [block.count("\n") for block in FENCED.findall(text) if "```python" not in block],
        "levels of headings": [len(mark) for mark in re.findall(r"^(#+) ", prose, re.MULTILINE)],
        "columns, code and numbers of tables": [
            (row.count(" |"), *(sorted(re.findall(each, row)) for each in (r"`[^`]+`", r"\d(?:[\d.,]*\d)?")))
            for row in rows
        ],
        "numbers": sorted(re.findall(r"\d[\d.,]*\d", re.sub(r"\]\(\S*\)", "", prose))),
        "items": re.findall(r"^ *(?:-|\d+\.) ", prose, re.MULTILINE),
        "pictures": [name.replace(".es.", ".") for name in re.findall(r'(?:src|srcset)="([^"]+)', prose)],
        "links": sorted(link.replace(".es.", ".").replace("/es/", "/en/") for link in links),
    }


def code(text):
    """Return the Python of a page without the comments on its lines; what it prints is left as it is."""
    blocks = "\n".join(block for block in FENCED.findall(text) if "```python" in block)
    return re.sub(r"^( *(?:>>>|\.\.\.) .*?|\w.*?) +# (?!doctest).*$", r"\1", blocks, flags=re.MULTILINE)


@pytest.mark.parametrize("path", SPANISH, ids=lambda path: path.relative_to(ROOT / "docs").as_posix())
def test_a_page_in_spanish_is_built_as_the_english_one(path):
    """As many headings, items, pictures and links, in the same places, and in each row of a table the same code."""
    assert skeleton(path.read_text(encoding="utf-8")) == skeleton(english(path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SPANISH, ids=lambda path: path.relative_to(ROOT / "docs").as_posix())
def test_a_page_in_spanish_has_the_code_of_the_english_one(path):
    """All but comments; or line by line but for strings and the language that is asked for, and then it is run."""
    here, there = (code(each.read_text(encoding="utf-8")) for each in (path, english(path)))
    if here != there:
        spoken = re.sub(r"^>>> set_language\(.*\n|, set_language$", "", here, flags=re.MULTILINE)
        lines = (re.findall(r"^ *(?:>>>|\.\.\.) .*", each, re.MULTILINE) for each in (spoken, there))
        mine, theirs = ([re.sub(r', language="\w+"|"[^"]*"', "", line) for line in each] for each in lines)
        assert mine == theirs
        test_every_block_of_a_page_runs(path)


def test_every_page_is_there_in_spanish():
    """Each page that somebody wrote has one beside it, and no Spanish page is left of one that is gone."""
    pages = {path for path in (ROOT / "docs").rglob("*.md") if path not in SPANISH}
    assert pages == set(map(english, SPANISH))


def last(cell, names):
    """Run the spans of code in a cell, and return what the last line gives."""
    *lines, end = re.findall(r"`([^`]+)`", cell)
    exec("\n".join(lines), names)
    return eval(end, names)


def numbers(answer):
    """What a row gives, as arrays: a number, an array of any library, or a tuple of them."""
    parts = answer if isinstance(answer, tuple) else (answer,)
    return [np.asarray(part.detach() if hasattr(part, "detach") else part, dtype=float) for part in parts]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # PyTorch's own, of its torch.func
@pytest.mark.parametrize("side", ["here", "there"])
@pytest.mark.parametrize("peer", PEERS)
def test_a_row_gives_what_the_peer_gives(peer, side):
    """Right cells always; left ones, where they are code and not words, beside the peer itself where it is installed."""
    section = re.search(rf"^## {peer}\n(.*?)(?=^## |\Z)", COMING, re.MULTILINE | re.DOTALL)[1]
    table = [line.strip("| ").split(" | ") for line in re.findall(r"^\| .*\|$", section, re.MULTILINE)[1:]]
    assert len(table) >= 9
    ours, theirs = {}, {}
    exec("\n".join(re.findall(r"^>>> (.*)$", section, re.MULTILINE)), ours)
    if side == "there":
        module = re.search(r"(?:import|from) (\w+)", PEERS[peer])[1]
        pytest.importorskip(module, reason=f"{module} is installed in continuous integration")
        exec(PEERS[peer], theirs)
    for left, right in table:
        found = last(right, ours)
        assert found is not None, right
        if side == "there" and re.fullmatch(r"`.*`", left) and right.startswith("`"):
            for one, other in zip(numbers(found), numbers(last(left, theirs)), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-6, err_msg=f"{left} | {right}")  # float32 has 7 digits


def test_no_page_with_code_is_left_out():
    """Each of docs/ that has a block of Python is run here or by its own test."""
    assert {path.name for path in WITH_CODE} >= ELSEWHERE
    assert len(PAGES) >= 12
