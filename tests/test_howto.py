"""docs/gradient-howto.md runs, recipe by recipe: each with what it needs alone, skipped where its library is absent."""

import doctest
import inspect
import re
from pathlib import Path

import pytest

from autodiff.testing import Kink, WrongDerivativeError, gradcheck, kink_points

PAGE = Path(__file__).parent.parent / "docs" / "gradient-howto.md"
RECIPES = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]


@pytest.fixture
def precision():
    """A recipe switches JAX to float64 for as long as it runs."""
    jax = pytest.importorskip("jax", reason="JAX is installed in continuous integration")
    before = jax.config.read("jax_enable_x64")
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda text: text.partition("\n")[0])
def test_a_recipe_runs_by_itself(recipe, request):
    """In an empty namespace, with the messages that it shows."""
    for library in re.findall(r"^>>> (?:import|from) (torch|jax|scipy)\b", recipe, re.MULTILINE):
        pytest.importorskip(library, reason=f"{library} is installed in continuous integration")
    if "import jax" in recipe:
        request.getfixturevalue("precision")
    title = recipe.partition("\n")[0]
    start = PAGE.read_text(encoding="utf-8").partition(recipe)[0].count("\n")
    test = doctest.DocTestParser().get_doctest(recipe, {"__name__": "__main__"}, title, str(PAGE), start)
    printed = []
    results = doctest.DocTestRunner().run(test, out=printed.append)
    assert results.attempted >= 5
    assert results.failed == 0, "".join(printed)


def test_every_recipe_shows_a_wrong_version_and_the_message():
    """The four recipes, and in each a message that begins as gradcheck's do."""
    assert len(RECIPES) == 5
    assert all("WrongDerivativeError: " in recipe for recipe in RECIPES[:4])


def test_the_arguments_and_fields_promised_are_there():
    """Of `gradcheck`, of what it returns and raises, and of a kink: each that docs/gradient-testing.md says stays."""
    page = (PAGE.parent / "gradient-testing.md").read_text(encoding="utf-8")
    promise = page.partition("## What stays")[2].partition("\n## ")[0]
    called, error, kink = (re.search(rf"^- {start}.*?(?=^- |\Z)", promise, re.MULTILINE | re.DOTALL)[0]
                           for start in ("`gradcheck", "A Wrong", "A `Kink"))  # fmt: skip
    keywords = re.findall(r"(\w+)=", called)
    assert {"gradient", "hessian", "rtol"} <= set(keywords) <= set(inspect.signature(gradcheck).parameters)
    report = gradcheck(lambda x: x * x, 2.0)
    assert all(hasattr(report, field) for field in re.findall(r"`(\w+)`", called.partition("(`oracle`")[2]))
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(lambda x: x * x, 2.0, gradient=lambda x: x)
    fields = re.findall(r"`(\w+)(?:\(\))?`", error)
    assert {"found", "expected", "reproduction", "sketch"} <= set(fields)
    assert all(hasattr(caught.value, field) for field in fields)
    assert [*Kink._fields] == re.findall(r"`(\w+)`", kink)[1:5]
    assert kink_points("relu")[0].name == "relu"
