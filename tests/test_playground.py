"""The playground's page in a real browser: its training against `train`, its code run in Python, its controls."""

import json
import math
import warnings
from importlib import resources

import numpy as np
import pytest

from autodiff import Op
from models import MLP, playground
from models.datasets import iris, moons, xor
from models.losses import LOSSES, l1, l2
from models.training import train

WORDS = json.loads(resources.files("models").joinpath("page", "words.json").read_text(encoding="utf-8"))

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


@pytest.mark.parametrize(("sizes", "activation", "loss"), [
    ([2, 1], "relu", "squared_error"), ([3, 2, 1], "tanh", "binary_cross_entropy"), ([2, 1], "leaky_relu", "half_squared_error"),
])  # fmt: skip
def test_a_step_opens_the_stepper_on_the_chosen_sample(opened, sizes, activation, loss):
    """Its loss and every updated parameter are those of Python's graph of that sample, swept, after some training."""
    X, y = two_moons(20)
    model = MLP(2, sizes, activation=activation, random_state=3)
    settings = {"loss": loss, "optimizer": "gd", "learning_rate": 0.1}
    page = opened(model, X, y, **settings)
    page.evaluate(EPOCHS, 12)
    page.locator("#map").focus()
    page.keyboard.press("ArrowRight")  # sample 2
    page.locator("#walk").click()
    frame = page.frame_locator("#stepping iframe")
    frame.locator("#last").click()
    rows = frame.locator("#panel .terms tbody tr")
    found = rows.evaluate_all(
        "all => all.map(row => [row.querySelector('button').ariaLabel, Number(row.querySelector('.new').dataset.exact)])"
    )
    before = float(frame.locator("#panel .numbers dd").first.get_attribute("data-exact"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 12 epochs do not make it learn
        train(model, X, y, epochs=12, **settings)
    C = LOSSES[loss](model(X[1].tolist()), y[1])
    C.backward()
    assert math.isclose(before, C.data, rel_tol=1e-9)
    assert [name for name, _ in found] == [p.label for p in model.parameters()]
    after = [p.data - 0.1 * p.grad for p in model.parameters()]
    np.testing.assert_allclose([x for _, x in found], after, rtol=1e-9, atol=1e-12)


def code_of(page):
    page.keyboard.press("c")
    text = page.locator("#text").text_content()
    page.keyboard.press("Escape")
    return text


def run(text, **names):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what training found suspicious
        exec(text, names)
    return names


def test_its_code_makes_the_very_network_and_goes_on_as_the_page_does(opened):
    """Run in Python, the weights are the page's, and the next hundred epochs have its losses."""
    X, y = two_moons(40)
    page = opened(
        MLP(2, [4, 1], activation="tanh", random_state=1), X, y, optimizer="gd", learning_rate=0.2, penalty="l2"
    )
    page.evaluate(EPOCHS, 10)
    made = run(code_of(page), X=X, y=y)
    found = np.array(page.evaluate(EPOCHS, 100))[:, 0]
    np.testing.assert_allclose(found, made["history"].loss_curve, rtol=1e-9)


@pytest.mark.parametrize("name", ["xor", "epic_night", "exam_monday", "line_points", "study_sleep_mark", "apples_and_oranges", "iris", "moons", "circles", "spirals"])  # fmt: skip
@pytest.mark.parametrize("noise", [0, 0.2])
def test_the_code_of_every_data_set_has_its_numbers(opened, name, noise):
    """Data, network of another shape and loss: trained in Python it has the page's losses, with noise too."""
    page = opened(
        MLP(2, [3, 1], activation="tanh", output_activation="sigmoid"),
        xor().X,
        xor().y,
        optimizer="gd",
        learning_rate=0.01,  # small: a descent that jumps about multiplies rounding
    )
    page.locator("#set").select_option(name)
    page.locator("#noise").fill(str(noise))
    page.locator("#deeper").click()
    made = run(code_of(page))
    assert [len(layer.neurons) for layer in made["model"].layers][:2] == [3, 3]
    found = np.array(page.evaluate(EPOCHS, 100))[:, 0]
    np.testing.assert_allclose(found, made["history"].loss_curve, rtol=1e-9)


bump = Op("bump", "∩", lambda z: z / (1.0 + z * z), partials=(lambda z, r: (1.0 - z * z) / (1.0 + z * z) ** 2,))


def quartic(output, target):
    return (output - target) ** 4


def test_operations_and_losses_of_ones_own_train_in_the_page(opened):
    """An activation written as an Op and a loss written as a function: the loss curve of `train`."""
    X, y = two_moons(30)
    model = MLP(2, [3, 1], activation=bump, random_state=2)
    page = opened(model, X, y, loss=quartic, optimizer="gd", learning_rate=0.05)
    found = np.array(page.evaluate(EPOCHS, 50))[:, 0]
    history = train(model, X, y, loss=quartic, optimizer="gd", learning_rate=0.05, epochs=50)
    np.testing.assert_allclose(found, history.loss_curve, rtol=1e-9)


def test_classes_by_index_train_as_in_python(opened):
    """Iris with cross-entropy of three logits, and a table of what was taken for what."""
    data = iris()
    X = (data.X - data.X.mean(axis=0)) / data.X.std(axis=0)
    model = MLP(4, [5, 3], activation="tanh", random_state=0)
    page = opened(
        model, X, data.y, loss="cross_entropy", optimizer="adam", learning_rate=0.02, names=data.feature_names
    )
    found = np.array(page.evaluate(EPOCHS, 60))[:, 0]
    history = train(model, X, data.y, loss="cross_entropy", optimizer="adam", learning_rate=0.02, epochs=60)
    np.testing.assert_allclose(found, history.loss_curve, rtol=1e-9)
    cells = page.locator("#confusion td").all_text_contents()
    said = np.argmax([[z.data for z in model(row.tolist())] for row in X], axis=1)
    table = np.zeros((3, 3), dtype=int)
    np.add.at(table, (data.y.astype(int), said), 1)
    assert [int(cell) for cell in cells] == table.ravel().tolist()
