"""The playground's page in a real browser: its training against `train`, its code run in Python, its controls."""

import html
import itertools
import json
import math
import re
import warnings
from importlib import resources

import numpy as np
import pytest

from autodiff import Op, Value
from autodiff.pictures import WebPage, style
from models import MLP, Layer, Neuron, playground
from models.datasets import apples_and_oranges, iris, line_points, moons, xor
from models.errors import say
from models.losses import LOSSES, cross_entropy, l1, l2
from models.training import train

EPOCHS = """(count) => Array.from({ length: count }, () => {
  document.getElementById("one").click();
  return ["train", "test"].map((id) => Number(document.getElementById(id).dataset.exact));
})"""

BROKEN = """() => [...document.querySelectorAll("#settings label > span")].filter((e) => e.offsetParent).flatMap((e) => {
  const found = [];
  const walk = document.createTreeWalker(e, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) for (const word of node.data.matchAll(/\\S+/g)) {
    const range = document.createRange();
    range.setStart(node, word.index);
    range.setEnd(node, word.index + word[0].length);
    if (range.getClientRects().length > 1) found.push(word[0]);
  }
  return found;
})"""  # words that go on in the next line
WRITTEN = """() => {
  const texts = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    if (this.canvas.id === "map" && text) {
      const { width } = this.measureText(text);
      const left = { left: x, right: x - width, center: x - width / 2 }[this.textAlign];
      const at = this.getTransform();
      const ratio = this.canvas.width / this.canvas.clientWidth;
      const ends = [[left, y - 9], [left + width, y + 3]].map(([a, b]) => at.transformPoint({ x: a, y: b }));
      const [p, q] = ends.map((end) => [end.x / ratio, end.y / ratio]);
      texts.push([text, Math.min(p[0], q[0]), Math.min(p[1], q[1]), Math.max(p[0], q[0]), Math.max(p[1], q[1])]);
    }
    return write.apply(this, arguments);
  };
  document.getElementById("one").click();
  CanvasRenderingContext2D.prototype.fillText = write;
  const { clientWidth, clientHeight } = document.getElementById("map");
  return [texts, clientWidth, clientHeight];
}"""  # the texts of the large picture with their boxes


@pytest.fixture
def opened(visit, tmp_path):
    """Open a playground of what is given, in a window of some size and scheme."""

    def open_page(*arguments, width=1280, height=800, scheme="light", **options):
        return visit(
            playground(*arguments, path=tmp_path / "play.html", **options), width=width, height=height, scheme=scheme
        )

    return open_page


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


@pytest.mark.parametrize("optimizer", ["adam", "momentum", "gd"])
@pytest.mark.parametrize("begun", [0, 3])
def test_its_code_goes_on_in_the_same_order_with_the_same_memory(opened, optimizer, begun):
    """In shuffled batches, with validation: moments, change and generator are the page's, from the first weights too."""
    X, y = two_moons(20)
    test = moons(10, 0.1, 1)
    page = opened(
        MLP(2, [3, 1], activation="tanh", random_state=1), X, y, optimizer=optimizer, learning_rate=0.02,
        batch_size=3, random_state=7, penalty="l2", validation=(test.X, test.y),
    )  # fmt: skip
    page.evaluate(EPOCHS, begun)
    made = run(code_of(page), X=X, y=y, validation=(test.X, test.y))
    found = np.array(page.evaluate(EPOCHS, 100))
    np.testing.assert_allclose(found[:, 0], made["history"].loss_curve, rtol=1e-9)
    np.testing.assert_allclose(found[:, 1], made["history"].validation_curve, rtol=1e-9)


def test_the_code_differs_between_languages_in_its_comments_alone(opened):
    """English and Spanish remarks on the same Python, in the middle of an epoch, with an Op and a loss of one's own."""
    X, y = two_moons(20)
    code = {}
    for language in ("en", "es"):
        model = MLP(2, [2, 1], activation=bump, random_state=0)
        page = opened(model, X, y, loss=quartic, batch_size=5, language=language, random_state=0)
        page.locator("#step").click()
        code[language] = code_of(page).splitlines()
    pairs = [(en, es) for en, es in zip(code["en"], code["es"], strict=True) if en != es]
    assert len(pairs) == 5
    for en, es in pairs:
        assert en.partition("#")[0] == es.partition("#")[0]
    assert "# la red tras 0 épocas" in code["es"]


def test_the_test_half_of_drawn_data_is_in_the_code(opened):
    """The curve of the test in the page is Python's validation curve."""
    page = opened(MLP(2, [3, 1], activation="tanh"), xor().X, xor().y, optimizer="gd", learning_rate=0.01)
    page.locator("#set").select_option("moons")
    made = run(code_of(page))
    found = np.array(page.evaluate(EPOCHS, 100))[:, 1]
    np.testing.assert_allclose(found, made["history"].validation_curve, rtol=1e-9)


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
    """Iris with cross-entropy of three logits, a table of what was taken for what, probabilities as softmax has them."""
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
    canvas = page.locator("#map").bounding_box()
    told = ""
    for height in range(10, 200, 5):  # along the samples whose first class is the true one
        page.mouse.move(canvas["x"] + 52 + (canvas["width"] - 60) * 1.12 / 1.24, canvas["y"] + height)
        told = page.locator("#tip").text_content() or told
    sample = int(re.search(r"sample (\d+)", told)[1]) - 1
    shown = [float(each) for each in told.split("probability ")[1].split(", ")]
    logits = np.array([z.data for z in model(X[sample].tolist())])
    np.testing.assert_allclose(shown, np.exp(logits) / np.exp(logits).sum(), rtol=1e-3, atol=1e-4)


def test_the_page_never_changes_the_model(opened):
    """Parameters stay those that Python had."""
    model = MLP(2, [3, 1], random_state=0)
    before = [p.data for p in model.parameters()]
    page = opened(model, *two_moons(20))
    page.evaluate(EPOCHS, 5)
    assert [p.data for p in model.parameters()] == before


def test_reset_goes_back_to_the_first_weights_and_the_first_order(opened):
    """The same curve again, to the last bit, with batches in random order."""
    page = opened(MLP(2, [3, 1], random_state=0), *two_moons(20), batch_size=6, random_state=3)
    first = page.evaluate(EPOCHS, 8)
    page.keyboard.press("r")
    assert page.locator("#epochs").text_content() == "0"
    assert page.evaluate(EPOCHS, 8) == first


def test_a_newcomer_finds_the_dead_neuron_and_makes_xor_work(opened):
    """With two hidden ReLU neurons: the dead one is named, other weights are a click away, in the end four of four."""
    page = opened(
        MLP(2, [4, 4, 1], activation="tanh", random_state=0), *two_moons(20), random_state=0, optimizer="adam"
    )
    page.locator("#set").select_option("xor")
    page.locator("#fewer").click()
    for _ in range(2):
        page.get_by_role("button", name="one neuron less in layer 1").click()
    page.locator("#activation").select_option(label="ReLU")
    found = []
    for _ in range(40):
        page.evaluate(EPOCHS, 600)
        found.append(page.locator("#score").text_content())
        if page.locator("#said").text_content().startswith("Dead"):
            dead = page.locator(".node.dead")
            assert dead.first.get_attribute("aria-label").endswith("dead")
            found.append("dead")
        if "dead" in found and found[-1] == "4 of 4 right":
            break
        page.locator("#weights").click()
    made = run(code_of(page))
    assert "dead" in found
    assert [round(made["model"](x).data) for x in made["X"].tolist()] == [0, 1, 1, 0]


def test_what_is_called_dead_has_no_slope_on_any_sample(opened):
    """A ReLU neuron whose z is below 0 for every sample, and no other."""
    model = MLP(2, [3, 1], activation="relu", random_state=0)
    model.load_weights([[[1.0, 1.0], [-1.0, -1.0], [0.0, 0.0]], [[1.0, 1.0, 1.0]]], [[0.5, -0.5, 1.0], [0.0]])
    page = opened(model, xor().X, xor().y)
    assert page.locator(".node.dead").evaluate_all("all => all.map(e => e.dataset.at)") == ["1,1"]


def test_a_weight_is_changed_by_a_click_and_loss_and_code_follow(opened):
    """On the link, and in the neuron's table by keyboard alone; the loss is that of Python with the same number."""
    X, y = two_moons(20)
    model = MLP(2, [2, 1], activation="tanh", random_state=0)
    page = opened(model, X, y)
    page.locator("#hits path").nth(1).dispatch_event("click")
    page.locator("#detail .number").fill("1.25")
    page.locator("#detail .number").press("Enter")
    page.locator(".node").first.focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    bias = page.get_by_label("bias of layer 1, neuron 2")
    bias.fill("-0.5")
    bias.press("Tab")
    again = run(code_of(page).split("history")[0], X=X, y=y)["model"]
    assert again.layers[0].neurons[0].weights[1].data == 1.25
    assert again.layers[0].neurons[1].bias.data == -0.5
    loss = np.mean([(again(x).data - t) ** 2 for x, t in zip(X.tolist(), y.tolist(), strict=True)])
    assert math.isclose(float(page.locator("#train").get_attribute("data-exact")), loss, rel_tol=1e-12)


def test_after_a_click_on_a_line_what_is_typed_is_its_weight(opened):
    """The field has the focus, so that "2e-1" is a number and no key trains."""
    page = opened(MLP(2, [2, 1], activation="tanh", random_state=0), *two_moons(20))
    page.locator("#hits path").nth(1).dispatch_event("click")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("2e-1")
    page.keyboard.press("Tab")
    assert page.locator("#epochs").inner_text() == "0"
    page.locator(".node").first.focus()
    assert "0.2" in code_of(page).split("load_weights")[1].split("history")[0]


@pytest.mark.parametrize(
    ("typed", "taken"),
    [("0,1", 0.1), ("2.5", 2.5), ("−1", None), ("0", None), ("a", None), ("", None), ("1,2,3", None)],
)
def test_a_number_typed_is_taken_as_meant_or_refused_in_words(opened, typed, taken):
    """With a comma too; what is no number above 0 is said below the field, which then shows the α that holds."""
    page = opened(MLP(2, [2, 1], random_state=0), *two_moons(20), learning_rate=0.05)
    page.locator("#rate").fill(typed)
    page.locator("#rate").press("Enter")
    told = page.locator("#wrong")
    assert told.is_visible() == (taken is None)
    if taken is None:
        assert told.inner_text() == f"Write a number{' above 0' if typed in ('−1', '0') else ', such as 0.1'}."
    page.locator("#rate").blur()
    assert not told.is_visible()
    assert page.locator("#rate").input_value() == str(taken or 0.05)
    assert f"learning_rate={taken or 0.05}" in code_of(page)


def test_pointing_at_a_neuron_and_a_link_tells_their_numbers(opened):
    """z, a and δ at the chosen sample, and the mean of δ·a, as Python has them to the four digits shown."""
    X, y = two_moons(20)
    model = MLP(2, [2, 1], activation="tanh", random_state=0)
    page = opened(model, X, y)
    losses = [(model(x) - t) ** 2 for x, t in zip(X.tolist(), y.tolist(), strict=True)]
    losses[0].backward()
    order = {node.label: node for node in _nodes(losses[0])}
    page.locator("[data-at='1,1']").hover()
    z, a = order["layer1.neuron2.z"], order["layer1.neuron2.a"]
    told = page.locator("#tip").text_content().replace("−", "-")
    assert f"z = {z.data:.4g}, a = {a.data:.4g}, δ = {z.grad:.4g}" in told
    for loss in losses[1:]:
        loss.backward()
    page.locator("#hits path").nth(0).dispatch_event("pointermove")
    told = page.locator("#tip").text_content().replace("−", "-")
    weight = model.layers[0].neurons[0].weights[0]
    assert f"w = {weight.data:.4g}" in told
    assert f"mean ∂C/∂w = {weight.grad / 20:.4g}" in told


def _nodes(root):
    return [root, *(node for x in root.operands if isinstance(x, Value) for node in _nodes(x))]


def test_it_plays_and_pauses_by_keyboard(opened):
    """Space trains on, space stops; a field that is being typed in keeps its keys."""
    page = opened(MLP(2, [2, 1], random_state=0), *two_moons(20))
    page.keyboard.press("Space")
    page.wait_for_function("() => Number(document.getElementById('epochs').textContent) > 3")
    page.keyboard.press("Space")
    assert page.locator("#play").get_attribute("aria-pressed") == "false"
    stopped = page.locator("#epochs").text_content()
    page.locator("#rate").focus()
    page.keyboard.press("e")
    assert page.locator("#epochs").text_content() == stopped
    assert page.locator("#say").text_content().startswith(f"Paused at epoch {stopped}")


def test_everything_can_be_changed_while_it_plays(opened):
    """α, batch, optimizer, penalty, loss, activations, neurons, layers, weights, data, noise, language: it plays on."""
    page = opened(MLP(2, [4, 1], activation="tanh", random_state=0), *two_moons(40))
    page.locator("#play").click()

    def goes_on():
        before = int(page.locator("#epochs").text_content())
        page.wait_for_function(
            "(before) => Number(document.getElementById('epochs').textContent) !== before", arg=before
        )
        assert page.locator("#play").get_attribute("aria-pressed") == "true"
        assert math.isfinite(float(page.locator("#train").get_attribute("data-exact")))

    page.locator("#speed").select_option("5")
    for field in ("batch", "optimizer", "loss", "penalty", "activation", "last", "set"):
        for value in page.locator(f"#{field} option").evaluate_all("all => all.map(each => each.value)"):
            page.locator(f"#{field}").select_option(value)
            goes_on()
    for button in ("deeper", "deeper", "fewer", "weights", "redraw", "language"):
        if page.locator(f"#{button}").is_enabled():
            page.locator(f"#{button}").click()
        goes_on()
    page.locator("#heads button").nth(1).click()
    page.locator("#heads button").nth(0).click()
    page.locator("#noise").fill("0.3")
    page.locator("#alpha").fill("-2")
    page.locator("#strength").fill("0.1")
    goes_on()
    page.locator("#play").click()


def test_drawn_data_are_halved_and_noise_repeats_a_table(opened):
    """Moons: 100 to train and 100 to test, both with a curve; XOR with noise: 30 near each corner, half for the test."""
    page = opened(MLP(2, [3, 1], activation="tanh", random_state=0), *two_moons(20))
    page.locator("#set").select_option("moons")
    page.evaluate(EPOCHS, 3)
    assert re.fullmatch(r"\d+ of 100 right, \d+ of 100 in the test", page.locator("#score").text_content())
    page.locator("#set").select_option("xor")
    assert re.fullmatch(r"\d of 4 right", page.locator("#score").text_content())
    page.locator("#noise").fill("0.1")
    assert re.fullmatch(r"\d+ of 60 right, \d+ of 60 in the test", page.locator("#score").text_content())
    X, y = (run(code_of(page).split("model =")[0])[name] for name in "Xy")
    corners = np.round(X)
    assert np.array_equal(np.unique(corners, axis=0, return_counts=True)[1], [15, 15, 15, 15])
    assert np.array_equal(corners.sum(axis=1) % 2, y)
    assert 0.3 < (X - corners).std() / (0.1 * 0.5) < 2.0


def test_whatever_takes_the_focus_has_a_name(opened):
    """Buttons, fields, choices and pictures, also those that appear with a selected neuron or weight."""
    page = opened(MLP(2, [3, 1], random_state=0), *two_moons(20))
    for opener in ("[data-at='1,1']", None):
        if opener:
            page.locator(opener).click()
        else:
            page.locator("#hits path").nth(0).dispatch_event("click")
        nameless = page.evaluate("""() => [...document.querySelectorAll("button, input, select, [tabindex='0'], [role=img]")].filter(e => e.id !== "detail" && e.offsetParent)
          .filter(e => !(e.ariaLabel || e.textContent.trim() && e.tagName !== "SELECT" || [...(e.labels ?? [])].some(label => label.textContent.trim()))).map(e => e.outerHTML)""")
        assert nameless == []
    assert page.locator("#curve").get_attribute("aria-label").startswith("Loss over 0 epochs")
    assert "20 samples" in page.locator("#map").get_attribute("aria-label")


def test_hardly_a_word_is_the_same_in_both_languages():
    """A text that nobody translated would be."""
    english, spanish = ({**say.section("playground", each), **say.section("names", each)} for each in ("en", "es"))
    same = {key for key in english if english[key] == spanish[key] and re.search("[a-z]{4}", str(english[key]))}
    assert same <= {"tanh", "softplus", "adam", "huber"}


def test_every_word_that_the_page_asks_for_is_in_the_table():
    """Those of the template and of the scripts, of every activation, loss, optimizer and data set."""
    files = resources.files("models").joinpath("page")
    text = "".join(each.read_text(encoding="utf-8") for each in files.iterdir() if each.name.endswith((".js", ".html")))
    asked = set(re.findall(r'data-(?:text|name|title)="(\w+)"', text)) | set(re.findall(r'say\("(\w+)"', text))
    assert asked - set(say.section("playground", "en")) == set()
    page = playground(MLP(2, [1]), xor().X, xor().y).html
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    data = json.loads(data)
    named = [each["name"] for part in ("sets", "losses", "activations") for each in data[part]]
    named += ["gd", "momentum", "adam", *data["penalties"]]
    assert set(named) - set(say.section("names", "en")) == set()


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1400, 900), (900, 700)])
def test_nothing_is_cut_off_or_overlaps(opened, language, scheme, width, height):
    """No sideways scrolling, no text wider than its box, no control on another, contrast of text 4.5 and more."""
    page = opened(MLP(2, [8, 8, 1], activation="tanh", random_state=0), *two_moons(40), loss="binary_cross_entropy", language=language, width=width, height=height, scheme=scheme)  # fmt: skip
    page.locator("[data-at='1,1']").click()
    page.evaluate(EPOCHS, 3)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("() => document.documentElement.lang") == language
    cut = page.evaluate("""() => [...document.querySelectorAll("button, label > span, h1, h2, .head, th, dd, output, #said")]
        .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline").map(e => e.outerHTML)""")
    assert cut == []
    assert page.evaluate(BROKEN) == []
    overlapping = page.evaluate("""() => {
      const all = [...document.querySelectorAll("header button, header select, #settings input, #settings select, #settings button, .node, .head")].filter(e => e.offsetParent);
      const boxes = all.map(e => e.getBoundingClientRect());
      const found = [];
      for (let i = 0; i < all.length; i++) for (let j = 0; j < i; j++) {
        const [a, b] = [boxes[i], boxes[j]];
        if (all[i].closest("header") !== all[j].closest("header")) continue;
        if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1) found.push([all[i].outerHTML, all[j].outerHTML]);
      }
      return found;
    }""")
    assert overlapping == []
    faint = page.evaluate("""() => {
      const parse = (text) => text.match(/[\\d.]+/g).map(Number);
      const bright = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4).reduce((s, c, i) => s + c * [0.2126, 0.7152, 0.0722][i], 0);
      const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
      return [...document.querySelectorAll("button:not(:disabled), label span, h1, h2, th, td, dd, dt, output, p, .head b")].filter(e => e.offsetParent && e.textContent.trim()).filter(e => {
        const [a, b] = [bright(parse(getComputedStyle(e).color)), bright(ground(e))].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05) < 4.5;
      }).map(e => e.outerHTML.slice(0, 120));
    }""")
    assert faint == []


def test_the_switch_changes_every_text_at_once(opened):
    """From English to Spanish and back: title, buttons, choices, what is told."""
    page = opened(MLP(2, [2, 1], random_state=0), *two_moons(20))
    english = page.locator("body").inner_text()
    page.get_by_role("button", name="Español").click()
    spanish = page.locator("body").inner_text()
    assert "Entrenar" in spanish
    assert "noche épica" in page.locator("#set").inner_text()
    assert "Play" not in spanish
    page.get_by_role("button", name="English").click()
    assert page.locator("body").inner_text() == english


def test_the_stepper_speaks_the_language_of_the_page_that_opens_it(opened):
    """In Spanish every word of it is Spanish: the same places have other words than in English, formulas aside."""
    page = opened(MLP(2, [2, 1], random_state=0), *two_moons(20))
    seen = []
    for _ in range(2):
        page.locator("#walk").click()
        frame = page.frame_locator("#stepping iframe")
        frame.locator("#last").click()
        for _ in range(3):
            frame.locator("#back").click()
        words = frame.locator("body").evaluate(
            """body => [...body.querySelectorAll("[aria-label], [title], [placeholder]")].flatMap(e => [e.ariaLabel, e.title, e.placeholder])
              .concat(body.innerText.split("\\n")).filter(text => text && /[a-z]{4}/.test(text) && !/layer[0-9]/.test(text))"""
        )
        seen.append(set(words))
        page.keyboard.press("Escape")
        page.locator("#stepping button").click() if page.locator("#stepping[open]").count() else None
        page.locator("#language").click()
    assert len(seen[1]) > 20
    assert seen[0] & seen[1] == set()


HOSTILE = [
    "</script><script>document.title='pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\">",
    "{{data}} {{policy}}",
    "\u202ex",
    "🙂" * 50,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_titles_of_any_kind_stay_text(opened, text):
    """Feature names and the title are put on the page as text, and in the stepper too."""
    page = opened(MLP(2, [2, 1], random_state=0), *two_moons(20), names=[text, "x2"], title=text)
    page.locator("[data-at='0,0']").click()
    page.evaluate(EPOCHS, 2)
    page.locator("#walk").click()
    page.frame_locator("#stepping iframe").locator("#last").click()
    assert page.title() != "pwned"
    assert page.locator("#title").text_content() == style.clean(text)
    assert page.locator("img").count() == 0


def test_a_notebook_shows_it_in_a_frame_that_reaches_nothing(chromium, tmp_path):
    """Without a path it is a WebPage; sandboxed it trains, and opens the stepper, without a word in the console."""
    model, (X, y) = MLP(2, [2, 1], random_state=0), two_moons(20)
    shown = playground(model, X, y, random_state=0)
    assert isinstance(shown, WebPage)
    page = chromium.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.set_content(shown._repr_html_())
    frame = page.frame_locator("iframe")
    frame.locator("#one").click()
    assert frame.locator("#epochs").text_content() == "1"
    frame.locator("#walk").click()
    frame.frame_locator("#stepping iframe").locator("#last").click()
    assert complaints == []
    page.close()
    written = playground(model, X, y, random_state=0, path=tmp_path / "play.html")
    assert written.read_text(encoding="utf-8") == shown.html
    inside = re.fullmatch(r"<iframe srcdoc='([^']*)' sandbox=\"allow-scripts\" [^<>]*></iframe>", shown._repr_html_())
    assert html.unescape(inside[1]) == shown.html
    assert 'title="A network that learns"' in shown._repr_html_()
    assert 'title="Una &lt;red&gt;"' in playground(model, X, y, title="Una <red>")._repr_html_()


@pytest.mark.parametrize("model", [Neuron(2, "sigmoid", random_state=0), Layer(2, 1, "tanh", random_state=0), MLP(2, [3, 1], bias=False, random_state=0)])  # fmt: skip
def test_a_neuron_a_layer_and_a_network_without_biases_train_too(opened, model):
    """The loss curve of `train`, for every kind of model that it takes."""
    X, y = two_moons(20)
    page = opened(model, X, y, optimizer="gd", learning_rate=0.3)
    found = np.array(page.evaluate(EPOCHS, 30))[:, 0]
    made = run(code_of(page), X=X, y=y)
    history = train(model, X, y, optimizer="gd", learning_rate=0.3, epochs=30)
    np.testing.assert_allclose(found, history.loss_curve, rtol=1e-9)
    assert math.isclose(made["history"].loss_curve[0], history.loss_curve[-1], rel_tol=0.5)


def test_a_step_too_large_stops_in_words_and_changes_nothing(opened):
    """Where a number is no longer finite the page says so, keeps the last finite weights, and Reset mends it."""
    page = opened(MLP(1, [1], random_state=0), line_points().X, line_points().y, optimizer="gd", learning_rate=9.0)
    page.evaluate("() => { for (let i = 0; i < 400; i++) document.getElementById('one').click() }")
    assert page.locator("#said").text_content().startswith("Stopped: a number is not finite any more.")
    page.keyboard.press("r")
    page.locator("#rate").fill("0.03")
    page.locator("#rate").press("Enter")
    assert all(math.isfinite(loss) for loss, _ in page.evaluate(EPOCHS, 20))


def test_the_curve_of_one_input_and_several_outputs(opened):
    """Pictures without an error for every number of inputs and outputs: one, three and more."""
    data = apples_and_oranges()
    X, y = data.X / 100, data.y / 100
    page = opened(MLP(3, [2, 2], activation="tanh", random_state=0), X, y, optimizer="gd", learning_rate=0.1)
    found = np.array(page.evaluate(EPOCHS, 20))[:, 0]
    history = train(
        MLP(3, [2, 2], activation="tanh", random_state=0), X, y, optimizer="gd", learning_rate=0.1, epochs=20
    )
    np.testing.assert_allclose(found, history.loss_curve, rtol=1e-9)
    assert page.locator("#shown").text_content() == "Predicted against true"


def test_three_classes_of_two_inputs(opened):
    """The map has a colour for each, the table three rows; the curve is that of `train`, with targets as rows too."""
    data = iris()
    X = (data.X[:, 2:] - data.X[:, 2:].mean(axis=0)) / data.X[:, 2:].std(axis=0)
    model = MLP(2, [4, 3], activation="sigmoid", random_state=0)
    page = opened(
        model, X, np.eye(3)[data.y.astype(int)], loss="cross_entropy", optimizer="momentum", learning_rate=0.2
    )
    found = np.array(page.evaluate(EPOCHS, 20))[:, 0]
    history = train(model, X, data.y, loss="cross_entropy", optimizer="momentum", learning_rate=0.2, epochs=20)
    np.testing.assert_allclose(found, history.loss_curve, rtol=1e-9)
    assert page.locator("#confusion tr").count() == 4
    page.locator("#walk").click()
    frame = page.frame_locator("#stepping iframe")
    frame.locator("#last").click()
    before = float(frame.locator("#panel .numbers dd").first.get_attribute("data-exact"))
    assert math.isclose(before, cross_entropy(model(X[0].tolist()), 0).data, rel_tol=1e-9)
    assert frame.locator("#panel .terms tbody tr").count() == len(model.parameters())


REFUSED = {
    "model must be an MLP, a Layer or a Neuron": (lambda x: x, xor().X, xor().y, {}),
    r"X must be \(n_samples, 2\)": (MLP(2, [1]), [[1.0], [2.0]], [0.0, 1.0], {}),
    "y must have a column for each of the 2 outputs": (MLP(2, [2]), xor().X, xor().y, {}),
    "optimizer": (MLP(2, [1]), xor().X, xor().y, {"optimizer": "sgd"}),
    "language": (MLP(2, [1]), xor().X, xor().y, {"language": "fr"}),
    "penalty": (MLP(2, [1]), xor().X, xor().y, {"penalty": "l3"}),
    "learning_rate": (MLP(2, [1]), xor().X, xor().y, {"learning_rate": -1.0}),
    "batch_size": (MLP(2, [1]), xor().X, xor().y, {"batch_size": 0}),
    "random_state must be None, a seed or a generator of NumPy's PCG64": (MLP(2, [1]), xor().X, xor().y, {"random_state": np.random.Generator(np.random.MT19937(0))}),
    "names must be one for each": (MLP(2, [1]), xor().X, xor().y, {"names": ["x"]}),
    "X and y must hold at most 20,000 numbers": (MLP(2, [1]), np.zeros((9000, 2)), np.zeros(9000), {}),
    "a loss must be the same computation for every sample": (MLP(2, [1]), xor().X, xor().y, {"loss": lambda a, y: (a - y) ** 2 if a > 0.0 else abs(a - y)}),
    r"validation must be \(X, y\)": (MLP(2, [1]), xor().X, xor().y, {"validation": (xor().X,)}),
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_played_with_is_refused_in_words(words):
    """Before anything is written: the rule, what was got, the way out."""
    model, X, y, options = REFUSED[words]
    with pytest.raises((ValueError, TypeError), match=words):
        playground(model, X, y, **options)


def test_cross_entropy_wants_classes_that_exist():
    """A class beyond the outputs is refused as the loss refuses it."""
    with pytest.raises(ValueError, match="a class must be a whole number from 0 to 1"):
        playground(MLP(2, [2]), xor().X, [0, 1, 2, 0], loss="cross_entropy")


def test_parameters_that_are_not_finite_are_refused_by_name():
    """A NaN weight is no start of training."""
    model = MLP(2, [1], random_state=0)
    model.parameters()[1].data = math.nan
    with pytest.raises(ValueError, match=r"parameters of model must be finite .* got nan in 'layer1.neuron1.weight2'"):
        playground(model, xor().X, xor().y)


def test_a_notebooks_column_shows_boundary_loss_and_score(opened):
    """At 1,138 pixels everything of the page is in its frame of 860, with the names of losses whole."""
    X, y = two_moons()
    for language in ("en", "es"):
        page = opened(
            MLP(2, [8, 8, 1], random_state=0),
            X,
            y,
            loss="binary_cross_entropy",
            width=1138,
            height=860,
            language=language,
        )
        for part in ("#map", "#curve", "#score", "#confusion", "#arrows", "#said"):
            assert page.locator(part).evaluate("e => e.getBoundingClientRect().bottom") <= 860
        assert page.locator("#loss").evaluate(
            """e => {
              const pen = document.createElement("canvas").getContext("2d");
              const style = getComputedStyle(e);
              pen.font = style.font;
              return pen.measureText(e.selectedOptions[0].text).width + parseFloat(style.paddingLeft) + parseFloat(style.paddingRight) + 22 <= e.clientWidth;
            }"""
        )


@pytest.mark.parametrize(("width", "height"), [(1000, 860), (700, 860), (390, 844)])
def test_a_narrow_column_and_a_phone_show_boundary_loss_and_score_with_the_network(opened, width, height):
    """Beside the network, on a phone small above it; nothing is cut off at the side, and texts lie beside each other."""
    X, y = two_moons()
    page = opened(MLP(2, [4, 1], random_state=0), X, y, width=width, height=height, language="es")
    page.evaluate(EPOCHS, 3)
    boxes = {
        part: page.locator(part).bounding_box() for part in ("#map", "#figures", "#curve", "#score", "#net", "#set")
    }
    for part in ("#map", "#figures", "#curve", "#score"):
        assert boxes[part]["y"] + boxes[part]["height"] <= height
        assert boxes[part]["width"] >= 120
        assert boxes[part]["x"] + boxes[part]["width"] <= width
    assert boxes["#net"]["y"] < 0.7 * height
    beside = boxes["#net"]["x"] + boxes["#net"]["width"] < boxes["#map"]["x"]
    assert beside == (width > 620)
    assert boxes["#set"]["y"] > boxes["#net"]["y"]
    stacked = sorted(
        (boxes[part]["y"], boxes[part]["y"] + boxes[part]["height"]) for part in ("#figures", "#curve", "#score")
    )
    assert all(upper[1] <= lower[0] for upper, lower in itertools.pairwise(stacked))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_curve_of_the_loss_is_as_high_after_a_phone_is_turned_or_a_frame_was_narrow_at_first(opened):
    """Its height is that of the style sheet, not of what was drawn before; it is drawn at the size that is seen."""
    page = opened(MLP(2, [2, 1], random_state=0), *two_moons(20), width=390, height=844)
    size = "() => { const c = document.getElementById('curve'); return [c.clientWidth, c.clientHeight, c.width, c.height]; }"
    first = page.evaluate(size)
    for width in (844, 60):
        page.set_viewport_size({"width": width, "height": 390})
        page.wait_for_timeout(300)
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(300)
        assert page.evaluate(size) == first
    assert first[:2] == first[2:]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("features", [2, 4])
def test_names_and_ends_of_the_axes_stand_apart(opened, width, features):
    """On a phone's small picture too: long names of two features; predicted against true for more."""
    X = np.random.default_rng(0).normal(size=(12, features))
    names = [f"a feature with a long name {k}" for k in range(features)]
    page = opened(MLP(features, [2, 1], activation="tanh", random_state=0), X, X[:, 0] * 123.0, names=names, language="es", width=width, height=844)  # fmt: skip
    texts, wide, high = page.evaluate(WRITTEN)
    assert len(texts) == 6
    for text, left, top, right, bottom in texts:
        assert min(left, top, wide - right, high - bottom) >= -1, text
    for one, other in itertools.combinations(texts, 2):
        across = min(one[3], other[3]) - max(one[1], other[1])
        along = min(one[4], other[4]) - max(one[2], other[2])
        assert across <= 0 or along <= 0, (one, other)


def test_more_dead_neurons_than_are_named_are_counted(opened):
    """Four are named, the others are a number."""
    model = MLP(2, [6, 1], random_state=0)
    model.load_weights([[[-1.0, -1.0]] * 6, [[1.0] * 6]], [[-1.0] * 6, [0.0]])
    page = opened(model, [[0.0, 0.0], [1.0, 1.0]], [0.0, 1.0], language="es")
    said = page.locator("#said").inner_text()
    assert said.startswith(
        "Muertas: capa 1, neurona 1; capa 1, neurona 2; capa 1, neurona 3; capa 1, neurona 4; +2 más. "
    )


def test_the_walk_says_what_the_playgrounds_step_does_besides(opened):
    """Adam, a mean of several samples and a penalty are told; plain descent on one sample needs no words."""
    X, y = two_moons(20)
    page = opened(MLP(2, [2, 1], activation="tanh", random_state=0), X, y, penalty="l2", batch_size=5)
    page.locator("#walk").click()
    assert (
        page.locator("#apart")
        .inner_text()
        .endswith("a step of the playground takes more: the mean of 5 samples, Adam, penalty L2.")
    )
    page = opened(MLP(2, [2, 1], activation="tanh", random_state=0), X, y, optimizer="gd", batch_size=1)
    page.locator("#walk").click()
    assert page.locator("#apart").inner_text() == ""


def test_the_walk_of_a_sample_that_says_nothing_takes_one_that_does(opened):
    """Sample 1 of XOR has C = 0 with fresh ReLU weights: that of the greatest loss is shown."""
    page = opened(MLP(2, [2, 1], activation="relu", random_state=0), xor().X, xor().y, optimizer="gd")
    page.locator("#walk").click()
    frame = page.frame_locator("#stepping iframe")
    frame.locator("#last").click()
    assert float(frame.locator("#panel .numbers dd").first.get_attribute("data-exact")) > 0


def test_a_dead_neuron_with_a_penalty_is_not_said_to_stay(opened):
    """The penalty moves its weights."""
    model = MLP(2, [2, 1], activation="relu", random_state=0)
    for p in model.layers[0].neurons[0].parameters():
        p.data = -1.0
    page = opened(model, np.abs(two_moons()[0]), two_moons()[1], penalty="l2")
    assert "only the penalty moves its weights" in page.locator("#said").inner_text()


def test_a_network_too_large_for_a_walk_says_so_on_the_page(opened):
    """Not in a tooltip alone."""
    page = opened(MLP(2, [30, 30, 1], random_state=0), *two_moons(20))
    assert page.locator("#walk").is_disabled()
    assert page.locator("#large").inner_text().startswith("This network is too large for a walk")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_of_classes_stand_out_from_their_paper(opened, scheme):
    """At least 3 to 1, as signs must by WCAG 2.1, 1.4.11."""
    page = opened(MLP(4, [4, 3], random_state=0), iris().X, iris().y, loss="cross_entropy", scheme=scheme)
    page.locator("#key i").first.wait_for()

    def luminance(colour):
        parts = [int(c) / 255 for c in re.findall(r"[0-9]+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    paper = luminance(page.locator("#results").evaluate("e => getComputedStyle(e).backgroundColor"))
    marks = page.locator("#key i").evaluate_all("all => all.map(e => getComputedStyle(e).backgroundColor)")
    assert len(marks) == 3
    for mark in map(luminance, marks):
        assert (max(mark, paper) + 0.05) / (min(mark, paper) + 0.05) >= 3


def test_what_a_finger_moves_is_large_enough(opened):
    """Sliders and boxes to tick are 24 pixels at least, as WCAG 2.2, 2.5.8, asks."""
    page = opened(MLP(2, [2, 1], random_state=0), *two_moons(20), width=390, height=844)
    sizes = page.locator("input[type=range], input[type=checkbox]").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect()).map(b => Math.min(b.width, b.height))"
    )
    assert len(sizes) == 4
    assert min(sizes) >= 24
