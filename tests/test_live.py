"""LivePlot: what grows in a cell while training runs, and what a terminal and a pipe get instead."""

import io
import re
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from models import MLP, MLPClassifier, live
from models.live import LivePlot
from models.training import History, train

pytest.importorskip("IPython", reason="notebooks are an extra")
X = np.random.default_rng(0).normal(size=(60, 2))
Y = (X[:, 0] + X[:, 1] > 0).astype(float)
SVG = "{http://www.w3.org/2000/svg}"


class Cell:
    """A notebook's display: the HTML of every showing."""

    def __init__(self):
        self.shown, self.handles = [], 0

    def display(self, thing, display_id):
        assert display_id is True
        self.handles += 1
        self.update(thing)
        return self

    def update(self, thing):
        self.shown.append(thing._repr_html_())


@pytest.fixture
def cell(monkeypatch):
    made = Cell()
    monkeypatch.setattr(live, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", made.display)
    return made


def network(outputs=1, inputs=2):
    return MLP(inputs, [4, outputs], activation="tanh", output_activation="sigmoid", random_state=0)


def points(element):
    return np.array([[float(x) for x in point.split(",")] for point in element.attrib["points"].split()])


def test_the_curve_is_that_of_the_history(cell):
    """Every loss at its place: the drawn heights are the losses, but for origin and unit."""
    history = train(network(), X, Y, epochs=30, callbacks=[LivePlot(seconds=0)])
    root = ET.fromstring(cell.shown[-1])
    drawn = points(root.find(f".//{SVG}polyline"))
    assert np.corrcoef(drawn[:, 0], np.arange(1, 31))[0, 1] == pytest.approx(1.0)
    assert np.corrcoef(-drawn[:, 1], history.loss_curve)[0, 1] == pytest.approx(1.0, abs=1e-4)
    assert root.attrib["aria-label"].startswith(f"epoch 30: loss {history.loss_curve[-1]:.3g}")


def test_the_plane_is_coloured_as_the_model_decides(cell):
    """At the middle of every cell: blue where the network's output is above ½."""
    mlp = network()
    train(mlp, X, Y, epochs=60, learning_rate=0.05, callbacks=[LivePlot(X, Y, seconds=0)])
    plane = ET.fromstring(cell.shown[-1]).find(f"{SVG}g")
    dots = np.array([[float(each.attrib[at]) for at in ("cx", "cy")] for each in plane.iter(f"{SVG}circle")])
    scales = [np.polyfit(dots[:, i], X[:, i], 1) for i in (0, 1)]  # from pixels to inputs, by the samples drawn there
    cells = [each for each in plane.iter(f"{SVG}rect") if "fill-opacity" in each.attrib]
    assert len(cells) > 80
    for each in cells:
        left, top, width, height = (float(each.attrib[at]) for at in ("x", "y", "width", "height"))
        for right in (left + 3.97, left + width - 3.97):
            x = np.polyval(scales[0], right), np.polyval(scales[1], top + height / 2)
            if abs(mlp(x).data - 0.5) > 0.02:
                assert (each.attrib["fill"] == "#0b5fa5") == (mlp(x).data > 0.5)


def test_a_line_of_one_feature_is_the_models_own(cell):
    """Its outputs, in the frame of the samples."""
    mlp = network(inputs=1)
    train(mlp, X[:, :1], Y, epochs=5, callbacks=[LivePlot(X[:, :1], Y, seconds=0)])
    group = ET.fromstring(cell.shown[-1]).find(f"{SVG}g")
    drawn = points(group.find(f"{SVG}polyline"))
    outputs = [mlp([x]).data for x in np.linspace(X[:, 0].min(), X[:, 0].max(), len(drawn))]
    assert np.corrcoef(-drawn[:, 1], outputs)[0, 1] == pytest.approx(1.0, abs=1e-3)


def test_it_is_one_output_that_is_drawn_rarely_and_at_the_end(cell):
    """One display, however many epochs; two drawings if the time between two is long, the last of the last epoch."""
    train(network(3), X, np.eye(3)[Y.astype(int)], epochs=40, callbacks=[LivePlot(X, Y, seconds=1_000)])
    assert (cell.handles, len(cell.shown)) == (1, 2)
    assert "epoch 40:" in cell.shown[-1]


@pytest.mark.filterwarnings("ignore::models.errors.ConvergenceWarning")
def test_verbose_shows_it_in_a_notebook(cell, capsys):
    """And prints nothing; 2 still prints every epoch."""
    MLPClassifier(hidden_layer_sizes=(3,), max_iter=12, verbose=1, tol=0.0, random_state=0).fit(X, Y)
    assert "epoch 12:" in cell.shown[-1]
    assert capsys.readouterr().out == ""
    MLPClassifier(hidden_layer_sizes=(3,), max_iter=12, verbose=2, tol=0.0, random_state=0).fit(X, Y)
    assert len(capsys.readouterr().out.splitlines()) == 12


def test_training_is_the_same_with_it(cell):
    """It looks, and changes nothing: the losses are those of a run without it, to the last bit."""
    with_it = train(network(), X, Y, epochs=20, batch_size=7, random_state=1, callbacks=[LivePlot(X, Y, seconds=0)])
    without = train(network(), X, Y, epochs=20, batch_size=7, random_state=1)
    assert with_it.loss_curve == without.loss_curve
    assert len(cell.shown) >= 1


def test_a_pipe_gets_lines_ever_more_rarely(capsys):
    """Epochs 1, 2, 5, 10, 20, 50 and the last, each with its loss and a small chart of those so far."""
    history = train(network(), X, Y, epochs=60, callbacks=[LivePlot(X, Y)])
    lines = capsys.readouterr().out.splitlines()
    assert [int(re.match(r"epoch (\d+): loss ", line)[1]) for line in lines] == [1, 2, 5, 10, 20, 50, 60]
    assert f"loss {history.loss_curve[-1]:.3g} █" in lines[-1]
    assert lines[-1].endswith("▁")


def test_a_terminal_gets_one_line_that_changes(monkeypatch):
    """It is written over, and stays at the end."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    train(network(), X, Y, epochs=30, callbacks=[LivePlot(seconds=0)])
    assert screen.getvalue().endswith("\x1b[K\n")
    assert screen.getvalue().count("\n") == 1
    assert "\repoch 30: loss" in screen.getvalue()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X": X}, "X and y must both be given, or neither, got one of them"),
        ({"X": X, "y": Y[:-1]}, "60"),
        ({"seconds": -1.0}, "seconds must be"),
    ],
)
def test_what_it_cannot_draw_is_refused_at_once(given, message):
    """Before training begins."""
    with pytest.raises(ValueError, match=message):
        LivePlot(**given)


def test_a_real_kernel_shows_the_last_epoch(tmp_path):
    """One output in the cell, updated in its place, as an exported notebook keeps it."""
    nbformat = pytest.importorskip("nbformat", reason="a development dependency")
    nbclient = pytest.importorskip("nbclient", reason="a development dependency")
    code = (
        "import numpy as np\nfrom models import MLP\nfrom models.live import LivePlot\nfrom models.training import train\n"
        "X = np.linspace(-1, 1, 20)[:, None]\n"
        "h = train(MLP(1, [1], random_state=0), X, X[:, 0], epochs=25, callbacks=[LivePlot(X, X[:, 0], seconds=0)])"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    (output,) = [each for each in notebook.cells[0].outputs if each.output_type == "display_data"]
    assert "epoch 25:" in output.data["text/html"]
    assert "epoch 25:" in output.data["text/plain"]


def test_no_samples_are_refused_in_words():
    """Not by what NumPy says of shapes."""
    with pytest.raises(ValueError, match=r"X must hold at least one sample, got \(0, 2\)"):
        LivePlot(np.zeros((0, 2)), np.zeros(0))


def test_a_history_is_told_in_a_line_and_shown_as_its_curves():
    """First and last loss, best epoch and why it ended, whatever its length; a notebook shows every loss at its place."""
    history = train(network(), X, Y, epochs=300, validation=(X[:20], Y[:20]))
    told = repr(history)
    losses, held_out = history.loss_curve, history.validation_curve
    assert told.startswith(f"History(300 epochs, loss {losses[0]:.4g} → {losses[-1]:.4g}, validation loss ")
    assert f"{held_out[0]:.4g} → {held_out[-1]:.4g}, best epoch {history.best_epoch}, stopped='epochs'" in told
    assert len(told) < 200
    root = ET.fromstring(history._repr_html_())
    for drawn, curve in zip(root.iter(f"{SVG}polyline"), (losses, held_out), strict=True):
        assert np.corrcoef(-points(drawn)[:, 1], curve)[0, 1] == pytest.approx(1.0, abs=1e-4)
    assert [repr(History()), History()._repr_html_()] == ["History(0 epochs)"] * 2
