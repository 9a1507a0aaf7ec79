"""The playground's page in a real browser: its training against `train`, its code run in Python, its controls."""

import numpy as np
import pytest

from models import MLP
from models.datasets import moons
from models.losses import l1, l2
from models.playgrounds import playground
from models.training import train

EPOCHS = """(count) => Array.from({ length: count }, () => {
  document.getElementById("one").click();
  return ["train", "test"].map((id) => Number(document.getElementById(id).dataset.exact));
})"""


@pytest.fixture(scope="module")
def tab(chromium):
    """One tab for the whole module."""
    page = chromium.new_page(reduced_motion="reduce")
    page.complaints, page.requests = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    return page


@pytest.fixture
def opened(tab, tmp_path):
    """Open a playground; afterwards: nothing in the console, nothing asked of any network."""
    tab.complaints.clear()
    tab.requests.clear()

    def open_page(*arguments, width=1280, height=800, scheme="light", **options):
        path = playground(*arguments, path=tmp_path / "play.html", **options)
        tab.set_viewport_size({"width": width, "height": height})
        tab.emulate_media(color_scheme=scheme)
        tab.goto(path.as_uri())
        return tab

    yield open_page
    assert tab.complaints == []
    assert set(tab.requests) == {(tmp_path / "play.html").as_uri()}


def weights_only(penalty, strength):
    return lambda parameters: penalty([p for p in parameters if "weight" in p.label], strength)


def two_moons(n=60):
    data = moons(n, 0.1, 0)
    return data.X, data.y


RUNS = {
    "all at once": {},
    "batches, in the order that the seed gives": {"batch_size": 7, "optimizer": "gd", "learning_rate": 0.3},
    "batches, in their own order": {"batch_size": 16, "shuffle": False, "optimizer": "momentum", "learning_rate": 0.1},
    "Adam in batches with L2": {"batch_size": 10, "optimizer": "adam", "penalty": "l2", "strength": 0.02},
    "L1": {"optimizer": "gd", "learning_rate": 0.1, "penalty": "l1", "strength": 0.002},
}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "squared_error"])
def test_two_hundred_epochs_in_the_page_are_those_of_train(opened, run, loss):
    """Training and validation curve of the same seed, to 1e-9: the same order of samples, the same steps."""
    X, y = two_moons()
    test = moons(20, 0.1, 1)
    settings = {
        "optimizer": "adam",
        "learning_rate": 0.02,
        "random_state": 5,
        "validation": (test.X, test.y),
        **RUNS[run],
    }
    model = MLP(2, [4, 3, 1], activation="tanh", random_state=0)
    page = opened(model, X, y, loss=loss, **settings)
    found = np.array(page.evaluate(EPOCHS, 200))
    penalty = {"l1": l1, "l2": l2}.get(settings.pop("penalty", None))
    strength = settings.pop("strength", 0.0)
    history = train(model, X, y, loss=loss, epochs=200, penalty=penalty and weights_only(penalty, strength), **settings)
    np.testing.assert_allclose(found[:, 0], history.loss_curve, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found[:, 1], history.validation_curve, rtol=1e-9, atol=1e-9)
    assert history.loss_curve[-1] < history.loss_curve[0]
