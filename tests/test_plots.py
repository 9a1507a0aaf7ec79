"""Plots say what the numbers say: lines, limits and labels are looked at, never pixels."""

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is the extra `plots`")

from matplotlib.colors import to_hex, to_rgb
from matplotlib.contour import QuadContourSet

from autodiff import Value, draw
from models import ConvergenceWarning, LinearRegression, MLPClassifier, Perceptron, datasets
from models.activations import ACTIVATIONS
from models.perceptron_rule import fires
from models.plots import (
    activation_curve,
    activation_surface,
    axes,
    decision_regions,
    descent_contour,
    descent_curve,
    descent_path,
    hinton_diagram,
    loss_curves,
    neuron_line,
    panels,
    regression_line,
    style,
    write_gif,
)
from models.plots.style import DARK, LIGHT
from models.training import History

POINTS = [(1.0, 3.0), (2.0, 5.0), (3.0, 7.0), (4.0, 9.0)]


def ecm(w, b=1.0):
    return sum((w * x + b - y) ** 2 for x, y in POINTS) / 4


def segments(collection):
    return np.array(collection.get_segments())


@pytest.mark.parametrize(("rate", "grows"), [(0.004, False), (0.05, False), (0.14, True)])
def test_a_descent_follows_the_closed_form(rate, grows):
    """On a parabola c(w − m)² each step multiplies the distance to m by 1 − 2cα; beyond α = 1/c it grows."""
    path = descent_path(ecm, 0.0, learning_rate=rate, steps=30)
    assert path == pytest.approx(2.0 - 2.0 * (1.0 - 15.0 * rate) ** np.arange(31), rel=1e-9)
    assert (abs(path[-1] - 2.0) > 2.0) == grows


def test_a_descent_of_two_weights_takes_the_steps_of_linear_regression():
    """The same places as the model's own partial_fit."""
    path = descent_path(ecm, [0.0, 0.0], learning_rate=0.02, steps=5)
    data, model = datasets.line_points(), LinearRegression(learning_rate=0.02)
    for w, b in path[1:]:
        model.partial_fit(data.X, data.y)
        assert (model.coef_[0], model.intercept_) == pytest.approx((w, b), rel=1e-12)


def test_a_descent_that_explodes_ends_at_its_last_finite_place():
    """Infinities are left out: fewer places than steps."""
    path = descent_path(lambda w: w**4, 10.0, learning_rate=1.0, steps=50)
    assert len(path) < 50
    assert np.isfinite(path).all()


def test_a_descent_on_a_curve_lies_on_it_and_tells_down_from_up():
    """Every point of the path is (w, C(w)); steps that lower the cost are blue, others orange."""
    path = [0.0, 3.0, 0.5, 4.5]
    ax = descent_curve(ecm, path, window=(-1, 5))
    (curve,) = ax.lines
    x, y = curve.get_data()
    assert y == pytest.approx([ecm(w) for w in x])
    assert ax.get_xlim() == (-1, 5) == (x[0], x[-1])
    lines, after, start = ax.collections
    assert segments(lines)[:, 0] == pytest.approx(np.array([[w, ecm(w)] for w in path[:-1]]))
    assert segments(lines)[:, 1] == pytest.approx(np.array([[w, ecm(w)] for w in path[1:]]))
    assert [to_hex(c) for c in lines.get_colors()] == [LIGHT.positive, LIGHT.negative, LIGHT.negative]
    assert np.asarray(after.get_offsets()) == pytest.approx(segments(lines)[:, 1])
    assert np.asarray(start.get_offsets()) == pytest.approx(segments(lines)[:1, 0])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("w", "C")


def test_contours_are_places_of_equal_cost():
    """Each contour's vertices have its level as cost, to the accuracy of the grid; the path is drawn as it is."""
    path = descent_path(ecm, [0.0, 0.0], learning_rate=0.05, steps=8)
    ax = descent_contour(ecm, path, window=((-1, 4), (-1, 3)))
    contours, lines, *_ = ax.collections
    for level, line in zip(contours.levels, contours.get_paths(), strict=True):
        for w, b in line.vertices:
            assert ecm(w, b) == pytest.approx(level, rel=0.02, abs=0.2)
    assert sum(len(line.vertices) for line in contours.get_paths()) > 100
    assert segments(lines)[:, 0] == pytest.approx(path[:-1])
    assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 4), (-1, 3))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("w", "b")


def test_a_flat_cost_has_no_contours_and_is_drawn():
    """A path that does not move on a cost that does not change."""
    ax = descent_contour(lambda u, v: 0.0 * u * v, [[1.0, 1.0]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("u", "v")


def test_a_cost_without_slope_is_drawn_as_a_line():
    """With room above and below it."""
    low, high = descent_curve(lambda w: 0.0 * w + 3.0, [1.0, 1.0]).get_ylim()
    assert low < 3.0 < high


def test_a_cost_is_drawn_of_what_the_descent_takes_it_of():
    """Values: their methods work, and beyond the largest float there is a gap, as out of the domain, and no error."""
    ax = descent_curve(lambda w: w.log() ** 2, [3.0, 2.0], window=(-1.0, 4.0))
    at, curve = ax.lines[0].get_data()
    assert np.isnan(curve[at <= 0.0]).all()
    assert curve[at > 0.0] == pytest.approx(np.log(at[at > 0.0]) ** 2)
    steep = descent_path(lambda w: w**4, 10.0, learning_rate=10.0, steps=20)
    assert abs(steep[-1]) > 1e80  # to the fourth it is more than a float holds
    assert descent_curve(lambda w: w**4, steep, window=(-20, 20)).get_ylim()[1] == pytest.approx(20**4, rel=0.1)
    contours = descent_contour(lambda w, b: w.log() ** 2 + b**2, [[2.0, 1.0], [1.5, 0.5]], window=((-1, 3), (-1, 1)))
    assert contours.collections
    for plot, path in ((descent_curve, [1.0]), (descent_contour, [[1.0, 1.0]])):
        with pytest.raises(
            ValueError, match="cost must be finite somewhere in the window, and is finite nowhere; pass another window="
        ):
            plot(lambda w, *_: w * np.inf, path, window=None)


def test_residuals_reach_from_the_line_to_the_points():
    """One segment per point, blue for a point above the line, orange below; lines before the last fade."""
    data = datasets.line_points()
    ax = regression_line(data.X, data.y, [(0.0, 0.0), (1.0, 0.5), (3.0, -1.5)])
    residuals = segments(ax.collections[0])
    assert residuals[:, 0] == pytest.approx(np.column_stack([data.X, 3.0 * data.X - 1.5]))
    assert residuals[:, 1] == pytest.approx(np.column_stack([data.X, data.y]))
    expected = [LIGHT.positive, LIGHT.positive, LIGHT.negative, LIGHT.negative]
    assert [to_hex(c) for c in ax.collections[0].get_colors()] == expected
    assert [line.get_ydata()[0] for line in ax.lines] == pytest.approx(
        [w * ax.get_xlim()[0] + b for w, b in [(0.0, 0.0), (1.0, 0.5), (3.0, -1.5)]]
    )
    assert ax.get_legend().get_texts()[0].get_text() == "y = 3x − 1.5"


def test_loss_curves_are_the_models_own():
    """Of an estimator, a History and a mapping: the same numbers, the best epoch of validation marked."""
    data = datasets.moons(60, random_state=0)
    model = MLPClassifier(hidden_layer_sizes=(4,), max_iter=15, tol=0.5, early_stopping=True, random_state=0)
    with pytest.warns(ConvergenceWarning, match="nothing was learned"):  # a `tol` that ends training at once
        model.fit(data.X, data.y)
    for curves in (model, History(model.loss_curve_, model.validation_curve_)):
        training, validation, best = loss_curves(curves).lines
        assert training.get_ydata().tolist() == model.loss_curve_
        assert validation.get_ydata().tolist() == model.validation_curve_
        assert best.get_data() == ([np.argmin(model.validation_curve_) + 1], [min(model.validation_curve_)])
    ax = loss_curves({"a": [1, 2], "b": [4, float("inf"), 3]}, log=True)
    assert [line.get_label() for line in ax.lines] == ["a", "b"]
    assert np.isnan(ax.lines[1].get_ydata()[1])
    assert ax.get_yscale() == "log"
    assert loss_curves([3.0, 2.0]).lines[0].get_xdata().tolist() == [1, 2]
    line = LinearRegression(learning_rate=0.1, epochs=2).fit([[1], [2]], [3, 5])
    assert loss_curves(line).lines[0].get_xdata().tolist() == [0, 1, 2]  # before the first step, and after each


CLOSED_FORMS = {
    "linear": (lambda z: z, np.ones_like),
    "step": (lambda z: (z > 0) * 1.0, np.zeros_like),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01)),
    "softplus": (lambda z: np.log1p(np.exp(z)), lambda z: 1 / (1 + np.exp(-z))),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_drawn_with_its_derivative(name):
    """Both lines against NumPy's closed forms, wherever they are drawn."""
    value, derivative = activation_curve(name).lines[:2]
    for line, formula in zip((value, derivative), CLOSED_FORMS[name], strict=True):
        z, a = line.get_data()
        drawn = ~np.isnan(a)
        assert a[drawn] == pytest.approx(formula(z[drawn]), abs=1e-8)
        assert drawn.sum() >= 400
        assert (z[drawn][0], z[drawn][-1]) == (-5.0, 5.0)


@pytest.mark.parametrize(("name", "filled", "hollow"), [("step", (0, 0), (0, 1)), ("relu", (0, 0), (0, 1))])
def test_a_jump_shows_the_value_at_the_place_itself(name, filled, hollow):
    """step(0) = 0 and relu'(0) = 0 are filled points, the limits from above hollow; no line joins the sides."""
    ax = activation_curve(name)
    points = {tuple(np.round(c.get_offsets()[0], 6)): c.get_facecolor()[0] for c in ax.collections}
    assert set(points) == {filled, hollow}
    assert to_hex(points[hollow]) == LIGHT.paper
    assert to_hex(points[filled]) in {LIGHT.positive, LIGHT.negative}
    jumping = ax.lines[0 if name == "step" else 1]
    assert np.isnan(jumping.get_ydata()[np.searchsorted(jumping.get_xdata(), 0.0)])


def test_a_surface_has_the_neurons_line_and_heights():
    """The line lies where w·X + b = 0, at the height σ(0); the vertical axis reaches from the least a to the largest."""
    ax = activation_surface("sigmoid", [4.0, 5.0], -6.0, window=(0.0, 1.0))
    x, y, z = (np.asarray(each) for each in ax.lines[0].get_data_3d())
    assert 4.0 * x + 5.0 * y - 6.0 == pytest.approx(0.0, abs=1e-12)
    assert z == pytest.approx(0.5)
    assert ax.get_zlim() == pytest.approx((1 / (1 + np.exp(6)), 1 / (1 + np.exp(-3))))
    assert (
        activation_surface("relu", [1.0, 0.0], 100.0).lines == [] or not activation_surface("relu", [1, 0], 100).lines
    )


def test_the_neurons_line_is_where_it_changes_its_mind():
    """Both points that define the line have z = 0, and the arrow goes to where z > 0, at right angles."""
    ax = neuron_line([4.0, 5.0], -6.0)
    (line,) = ax.lines
    for x1, x2 in (line.get_xy1(), line.get_xy2()):
        assert 4 * x1 + 5 * x2 == pytest.approx(6)
    (arrow,) = ax.texts
    tail, head = np.array(arrow.xyann), np.array(arrow.xy)
    assert fires([head], [4.0, 5.0], -6.0).tolist() == [1]
    assert (head - tail) @ [-5.0, 4.0] == pytest.approx(0.0)
    assert line.get_label() == "4X₁ + 5X₂ − 6 = 0"
    assert neuron_line([1.0, -2.5], 0.25).lines[0].get_label() == "X₁ − 2.5X₂ + 0.25 = 0"


def test_decision_regions_of_a_perceptron_have_its_line():
    """The line of the fitted weights; every sample under its class, which has a marker of its own."""
    night = datasets.epic_night()
    model = Perceptron(shuffle=False).fit(night.X, night.y)
    ax = decision_regions(model, night.X, night.y, names=["no", "sí"])
    (line,) = ax.lines
    assert np.array([line.get_xy1(), line.get_xy2()]) @ model.coef_[0] + model.intercept_ == pytest.approx([0, 0])
    no, yes = ax.collections[-2:]
    assert no.get_offsets().tolist() == night.X[night.y == 0].tolist()
    assert yes.get_offsets().tolist() == [[1.0, 1.0]]
    assert not np.array_equal(no.get_paths()[0].vertices, yes.get_paths()[0].vertices)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.5, 1.5), (-0.5, 1.5))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["no", "sí", line.get_label()]


def test_the_border_of_a_network_is_where_its_score_is_0():
    """Along the drawn border the decision function is near 0, beside what it is elsewhere."""
    data = datasets.moons(60, random_state=0)
    model = MLPClassifier(hidden_layer_sizes=(4,), activation="tanh", tol=0.1, random_state=0).fit(data.X, data.y)
    ax = decision_regions(model, data.X, data.y)
    border = np.concatenate([path.vertices for path in ax.collections[-1].get_paths()])
    assert len(border) > 50
    assert np.abs(model.decision_function(border)).max() < 0.02 * np.abs(model.decision_function(data.X)).max()


def test_regions_of_three_classes_and_of_a_function():
    """One filled contour per class; a function of rows is a model too."""
    X, y = [[0, 0], [0, 4], [4, 0]], ["low", "up", "right"]
    ax = decision_regions(Perceptron(random_state=0).fit(X, y), X, y)
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"low", "up", "right"}
    assert len(ax.collections[0].get_paths()) == 3
    one = decision_regions(lambda rows: fires(rows, [4, 5], -6), [[0, 0], [1, 1]], [0, 1])
    border = np.concatenate([path.vertices for path in one.collections[-1].get_paths()])
    assert border @ [4, 5] == pytest.approx(6, abs=9 * 2 / 160)


@pytest.mark.parametrize("X", [[[0.0, 0.0]], [[0.0, 0.0], [1.0, 2.0]]])
def test_one_class_is_decided_everywhere(X):
    """No border, and nothing to warn of."""
    ax = decision_regions(lambda rows: np.zeros(len(rows)), X, [0.0] * len(X))
    (everywhere,) = [each for each in ax.collections if isinstance(each, QuadContourSet)]
    assert len(everywhere.get_facecolor()) == 1


def test_a_hinton_diagram_has_areas_in_proportion_to_weights():
    """White above 0, black below, nothing for 0; the first row on top."""
    w = np.array([[1.0, -2.0, 0.0], [4.0, 0.5, -0.25]])
    ax = hinton_diagram(w, rows=["h1", "h2"], columns=["a", "b", "c"])
    drawn = {}
    for square in ax.patches:
        column, row = np.round(np.array(square.get_center())).astype(int)
        light = sum(to_rgb(square.get_facecolor())) > 1.5
        drawn[row, column] = (1 if light else -1) * square.get_width() * square.get_height()
    unit = drawn[1, 0] / 4.0
    assert {place: area / unit for place, area in drawn.items()} == pytest.approx(
        {(r, c): w[r, c] for r, c in np.ndindex(w.shape) if w[r, c]}
    )
    assert ax.yaxis_inverted()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]
    half = hinton_diagram(w / 2, largest=4.0)
    areas = [square.get_width() * square.get_height() for square in half.patches]
    assert areas == pytest.approx([abs(x) / 2 * unit for x in w.flat if x]), "a scale of its own"
    for refused, rule in (
        (3.9, "at least every weight's magnitude, got 3.9 for weights up to 4"),
        (0.0, "a finite number"),
    ):
        with pytest.raises(ValueError, match=f"largest must be {rule}"):
            hinton_diagram(w, largest=refused)
    coloured = hinton_diagram(w, paper=False)
    assert {to_hex(p.get_facecolor()) for p in coloured.patches} == {LIGHT.positive, LIGHT.negative}


DRAWINGS = {
    "descent_curve": lambda ax: descent_curve(ecm, [0.0, 1.0], ax=ax),
    "descent_contour": lambda ax: descent_contour(ecm, [[0.0, 0.0], [1.0, 1.0]], ax=ax),
    "regression_line": lambda ax: regression_line([1, 2], [1, 2], (1, 0), ax=ax),
    "loss_curves": lambda ax: loss_curves([2, 1], ax=ax),
    "activation_curve": lambda ax: activation_curve("relu", ax=ax),
    "decision_regions": lambda ax: decision_regions(
        lambda rows: fires(rows, [1, 1], -1), [[0, 0], [1, 1]], [0, 1], resolution=5, ax=ax
    ),
    "neuron_line": lambda ax: neuron_line([1, 1], -1, ax=ax),
    "hinton_diagram": lambda ax: hinton_diagram([[1, -1]], ax=ax),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_axes_that_are_given_are_used_and_come_back(name):
    """On light Axes and dark; a title that was there stays, and the figure can be written."""
    for dark in (False, True):
        ax = axes(dark=dark)
        ax.set_title("mine")
        assert DRAWINGS[name](ax) is ax
        assert ax.get_title() == "mine"
        shown = ax.figure._repr_mimebundle_()
        assert shown["image/png"].startswith(b"\x89PNG")
    with pytest.raises(TypeError, match="ax must be matplotlib Axes, got Sheet"):
        DRAWINGS[name](axes().figure)


def test_panels_share_a_figure():
    """Three side by side, of the size asked for each."""
    made = panels(3, size=(2.0, 1.5))
    assert {id(ax.figure) for ax in made} == {id(made[0].figure)}
    assert made[0].figure.get_size_inches().tolist() == [6.0, 1.5]


BAD = [
    (lambda: descent_path(ecm, 0.0, learning_rate=0, steps=1), "learning_rate"),
    (lambda: descent_path(ecm, 0.0, learning_rate=1, steps=0), "steps"),
    (lambda: descent_path(ecm, [[0.0]], learning_rate=1, steps=1), "start must be one number"),
    (lambda: descent_curve(ecm, [[0.0, 1.0]]), r"path must be \(n,\)"),
    (lambda: descent_contour(ecm, [0.0, 1.0]), r"path must be \(n, 2\)"),
    (lambda: descent_curve(ecm, [0.0], window=(2, 1)), "the lower first"),
    (
        lambda: descent_contour(ecm, [[0.0, 1.0]], window=((0, 1),)),
        r"window must be \(\(low, high\), \(low, high\)\), got",
    ),
    (lambda: regression_line([1, 2], [1], (1, 0)), "X must be"),
    (lambda: regression_line([1, 2], [1, 2], (1, 0, 2)), "lines must be"),
    (lambda: loss_curves({}), "curves must have at least one name with its losses, got none"),
    (lambda: loss_curves({"loss": [float("nan")]}), "loss: a curve must have a finite loss, got none"),
    (lambda: loss_curves([0.0], log=True), "above 0"),
    (lambda: activation_curve("sigmoide"), "activation must be one of .*, got .sigmoide"),
    (lambda: activation_surface("relu", [1.0]), r"weights must be \(2,\)"),
    (
        lambda: activation_surface("relu", [1.0, 1.0], ax=axes()),
        r'ax must have three dimensions, got two; make it with axes\(projection="3d"\)',
    ),
    (lambda: neuron_line([0.0, 0.0], 1.0), "not both 0"),
    (lambda: decision_regions(ecm, [[1.0]], [1]), r"X must be \(n_samples, 2\)"),
    (lambda: decision_regions(lambda rows: [1], [[0, 0], [1, 1]], [0, 1]), "one label for each"),
    (
        lambda: decision_regions(lambda rows: rows[:, 0] > 0, [[0, 0], [1, 1]], [0, 1], names=["no"]),
        "one entry for each of the 2",
    ),
    (lambda: hinton_diagram(np.zeros((2, 2, 2))), "weights must be"),
    (lambda: hinton_diagram([[1, 2]], rows=["a", "b"]), "rows must have one name"),
    (lambda: panels(0), "count"),
]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: loss_curves(3.0),
            "loss: a curve must be a sequence of numbers, got float; pass an estimator after fit, a History, a",
        ),
        (
            lambda: loss_curves({"held out": ["high"]}),
            "held out: a curve must be a sequence of numbers, got list; pass an estimator after fit, a History,",
        ),
        (lambda: decision_regions(3, [[0, 0], [1, 1]], [0, 1]), "must have predict, or be a function of rows, got int"),
    ],
)
def test_arguments_of_another_kind_are_refused(call, message):
    """With what would do."""
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_arguments_are_refused(call, message):
    """Before anything is drawn, naming the argument."""
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("theme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_colours_are_those_of_the_graphs_pictures(theme, palette):
    """δ is blue and orange everywhere, on the same paper."""
    x = Value(2.0, "x")
    y = 3.0 * x - x * x
    y.backward()
    drawn = draw(y, theme=theme).source
    assert f'bgcolor="{palette.paper}"' in drawn
    assert all(f'color="{c}"' in drawn for c in (palette.positive, palette.negative, palette.ink, palette.muted))


def linear(colour):
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


# How the colour blind see, on linear RGB at full severity (Machado, Oliveira & Fernandes 2009, table 1).
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(rgb):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    t = xyz / [0.9505, 1.0, 1.089]
    f = np.where(t > 0.008856, np.cbrt(np.maximum(t, 1e-9)), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_blue_and_orange_are_told_apart_by_everybody(palette):
    """However one sees colours, the two are far apart (ΔE ≥ 30 in CIELAB, where 2.3 is just noticeable)."""
    pair = [linear(colour) for colour in (palette.positive, palette.negative)]
    for matrix in (np.eye(3), *map(np.array, BLINDNESS.values())):
        blue, orange = (lab(np.clip(matrix @ colour, 0, 1)) for colour in pair)
        assert np.linalg.norm(blue - orange) > 30


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_are_readable_on_their_paper(palette):
    """WCAG's contrast of 4.5 for text, which is also more than the 3 for lines."""

    def luminance(colour):
        return float(linear(colour) @ [0.2126, 0.7152, 0.0722])

    for colour in (palette.ink, palette.muted, palette.positive, palette.negative, *palette.series):
        low, high = sorted([luminance(colour), luminance(palette.paper)])
        assert (high + 0.05) / (low + 0.05) > 4.5, colour


def run(code):
    warnings = "error" if os.environ.get("CI") else "ignore"  # matplotlib and what it imports may give their own
    return subprocess.run([sys.executable, "-W", warnings, "-c", code], capture_output=True, text=True, check=False)


def test_no_pyplot_and_no_setting_is_left_behind():
    """No figure is known to pyplot, which is not imported for plots in the plane; rcParams are as they were."""
    code = """
import sys, matplotlib
def settings():
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}  # looking picks one
before = settings()
from models.plots import *
activation_curve("relu", ax=axes(dark=True)).figure._repr_mimebundle_()
assert "matplotlib.pyplot" not in sys.modules
activation_surface("step", [1, 1]).figure._repr_mimebundle_()
assert settings() == before
from matplotlib import pyplot
assert pyplot.get_fignums() == []
"""
    assert run(code).stderr == ""


def test_without_matplotlib_the_extra_is_named():
    """Importing the plots works; drawing says what to install."""
    code = "import sys; sys.modules['matplotlib'] = None; from models.plots import activation_curve, descent_path;"
    assert run(f"{code} assert descent_path(lambda w: w * w, 1.0, learning_rate=0.5, steps=1)[1] == 0").stderr == ""
    last = run(f"{code} activation_curve('relu')").stderr.strip().splitlines()[-1]
    assert last == 'ImportError: plots need matplotlib: pip install "delta-autodiff[plots]"'


def test_without_matplotlib_new_axes_name_the_extra(monkeypatch):
    """The same in a process that has drawn nothing yet."""
    style._sheet.cache_clear()
    with monkeypatch.context() as missing:
        missing.setitem(sys.modules, "matplotlib.figure", None)
        with pytest.raises(ImportError, match=r'^plots need matplotlib: pip install "delta-autodiff\[plots\]"$'):
            axes()
    assert axes().figure is not None


def test_a_plot_without_names_has_no_legend():
    """An empty box would say nothing."""
    ax = axes()
    ax.plot([0.0, 1.0], [0.0, 1.0])
    style.legend(ax)
    assert ax.get_legend() is None
    ax.plot([0.0, 1.0], [1.0, 0.0], label="down")
    style.legend(ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["down"]


def test_a_cost_that_hides_its_arguments_is_drawn_with_the_usual_names():
    """Some functions written in C do not say what they call them: w and b, as in the course."""

    class Silent:
        __signature__ = "nonsense"

        def __call__(self, u, v):
            return u * u + v * v

    ax = descent_contour(Silent(), [[2.0, 1.0], [1.0, 0.5]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("w", "b")


def test_a_score_that_says_otherwise_than_the_labels_is_not_drawn():
    """Two classes whose score has its 0 elsewhere: the border is where the labels change, at X₁ = 0.5."""

    class Odd:
        def predict(self, rows):
            return (rows[:, 0] > 0.5).astype(int)

        def decision_function(self, rows):
            return rows[:, 0] - 100.0

    ax = decision_regions(Odd(), [[0.0, 0.0], [1.0, 1.0]], [0, 1], resolution=41)
    (border,) = [each for each in ax.collections if isinstance(each, QuadContourSet) and not each.filled]
    places = np.concatenate([path.vertices for path in border.get_paths()])
    step = np.ptp(ax.get_xlim()) / 40
    assert np.abs(places[:, 0] - 0.5).max() <= step


def test_a_gif_has_a_frame_for_every_figure(tmp_path):
    """As many frames, of the figures' size, each for its time, the last for longer; nothing else is written."""
    from PIL import Image

    figures = [regression_line([1, 2], [1, 2], (w, 0)).figure for w in (0.0, 0.5, 1.0)]
    path = write_gif(iter(figures), tmp_path / "line.gif", seconds=0.2, last=1.5)
    assert list(tmp_path.iterdir()) == [path]
    with Image.open(path) as film:
        assert film.n_frames == 3
        assert film.size == (520, 360)
        assert film.info["loop"] == 0
        waits = []
        for i in range(3):
            film.seek(i)
            waits.append(film.info["duration"])
    assert waits == [200, 200, 1500]


@pytest.mark.parametrize(
    ("figures", "name", "options", "message"),
    [
        ([], "a.gif", {}, "figures must hold at least one figure, got none"),
        ([(2, 2), (3, 2)], "a.gif", {}, "must all have one size"),
        ([(2, 2)], "a.mp4", {}, r"path must end in \.gif, got"),
        ([(2, 2)], "a.gif", {"seconds": 0}, "seconds"),
    ],
)
def test_a_gif_that_cannot_be_is_refused(tmp_path, figures, name, options, message):
    """And nothing is written."""
    with pytest.raises(ValueError, match=message):
        write_gif([axes(size=size).figure for size in figures], tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_figure_and_a_folder_are_refused(tmp_path):
    """Each is named, and nothing is written."""
    (tmp_path / "a.gif").mkdir()
    with pytest.raises(IsADirectoryError, match="path must be that of a file, got the folder"):
        write_gif([axes().figure], tmp_path / "a.gif")
    with pytest.raises(TypeError, match=r"figures must be matplotlib Figures, got Axes; .* ax\.figure"):
        write_gif([axes()], tmp_path / "b.gif")
    with pytest.raises(
        FileNotFoundError, match=r"the folder of path must exist, got '.*b\.gif'; create '.*missing' first"
    ):
        write_gif([axes().figure], tmp_path / "missing" / "b.gif")
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]
