"""Pictures fit: long chains go on in rows, the room chooses the detail, and text is as large as asked."""

import html
import importlib.util
import itertools
import math
import operator
import re
import shutil

import numpy as np
import pytest
from dot_text import parse, texts

from autodiff import Value, draw, topological_order, total
from autodiff.pictures import animate, frames, layout, node_names, operations
from models import MLP, MLPClassifier

pytestmark = pytest.mark.skipif(
    not (shutil.which("dot") or importlib.util.find_spec("pygraphviz")), reason="neither pygraphviz nor dot is here"
)


def chain(steps, label="x"):
    """sin and exp in turn."""
    y = Value(0.5, label)
    for i in range(steps):
        y = y.exp() if i % 2 else y.sin()
    y.label = "y"
    y.backward()
    return y


def recurrence(steps):
    """h ← tanh(w·h + x), with w and x in every step."""
    w, x = Value(0.5, "w"), Value(1.0, "x")
    h = x
    for _ in range(steps):
        h = (w * h + x).tanh()
    h.backward()
    return h


def cost(sizes, **options):
    root = (MLP(sizes[0], sizes[1:], random_state=0, **options)([0.5] * sizes[0]) - 1.0) ** 2
    root.backward()
    return root


def size(picture):
    """Width and height in points, of what a reader sees."""
    head = picture.pipe("svg", encoding="utf-8")
    return tuple(float(re.search(rf'<svg[^>]* {side}="([\d.]+)pt"', head)[1]) for side in ("width", "height"))


def rows(picture):
    """The names in each row, and the box around them by Graphviz' own places: left, top, right, bottom."""
    found, placed = {}, layout(picture).nodes
    for number, names in re.findall(r"subgraph cluster_row(\d+) {(.*?)}", picture.source, re.DOTALL):
        row = {name for name in re.findall(r"\b[nu]\d\w*", names) if name in placed}
        at = [placed[name] for name in row]
        edges = [
            (box.x - box.width / 2, box.y - box.height / 2, box.x + box.width / 2, box.y + box.height / 2) for box in at
        ]
        lefts, tops, rights, bottoms = zip(*edges, strict=True)
        found[int(number)] = row, (min(lefts), min(tops), max(rights), max(bottoms))
    return [found[k] for k in sorted(found)]


@pytest.mark.parametrize("root", [chain(25), recurrence(8)], ids=["chain", "recurrence"])
def test_25_operations_are_no_wider_than_a_slide(root):
    """In full size, in rows that follow each other downward; as one row they would be thousands of points wide."""
    picture = draw(root, detail="operations")
    assert size(picture)[0] <= 1_600
    boxes = [box for _, box in rows(picture)]
    assert len(boxes) >= 3
    assert all(below[1] >= above[3] for above, below in itertools.pairwise(boxes))
    assert rows(draw(root, width=100_000)) == []


def test_top_down_the_rows_are_columns_from_left_to_right():
    """As high as the room, and then beside it."""
    picture = draw(chain(25), rankdir="TB")
    assert size(picture)[1] <= 1_100
    boxes = [box for _, box in rows(picture)]
    assert len(boxes) >= 2
    assert all(right[0] >= left[2] for left, right in itertools.pairwise(boxes))


def test_thirty_layers_stand_in_rows():
    """Little wider than the room, where one row took 9,000 points; a row begins with the layer that it goes on from."""
    picture = draw(cost([2, *[3] * 29, 1]))
    width, height = size(picture)
    assert width < 1_700
    assert height < 1_200
    boxes = [box for _, box in rows(picture)]
    assert all(below[1] >= above[3] for above, below in itertools.pairwise(boxes))
    found = parse(picture)
    repeated = [name for name, at in found.nodes.items() if at["class"] == "repeated"]
    assert len(repeated) == len(boxes) - 1
    for name in repeated:
        assert texts(found.nodes[name]["label"])[0] == texts(found.nodes[name.split("r")[0]]["label"])[0]


@pytest.mark.parametrize("root", [chain(25), recurrence(8)], ids=["chain", "recurrence"])
def test_what_is_used_in_another_row_is_told_there_by_the_same_name(root):
    """Dashed, with its value; a node without a name of its own and its repetitions share a number."""
    picture = draw(root)
    found = parse(picture)
    order = topological_order(root)
    repeated = {name: at for name, at in found.nodes.items() if at["class"] == "repeated"}
    assert repeated
    for name, at in repeated.items():
        original = order[int(name[1:].split("r")[0])]
        told, value = texts(at["label"])
        assert told in texts(found.nodes[name.split("r")[0]]["label"])
        assert float(value.replace("−", "-")) == pytest.approx(original.data, rel=1e-3)
    marks = [texts(at["label"])[0] for name, at in repeated.items() if not order[int(name[1:].split("r")[0])].label]
    assert len({*marks}) == len(marks)
    inner = [row for row, _ in rows(picture)]
    for tail, head, _ in found.edges:
        assert sum({tail, head} <= row for row in inner) == 1, "an edge leads from row to row"


@pytest.mark.parametrize("aspect", [1.0, 16 / 9, 4.0])
def test_the_number_of_rows_comes_near_to_an_aspect(aspect):
    """Within a factor of 1.6, among pictures whose aspects are 40 and 1/10 otherwise."""
    width, height = size(draw(chain(40), aspect=aspect))
    assert abs(math.log(width / height / aspect)) < math.log(1.6)


def test_the_number_of_rows_is_one_of_the_two_nearest_to_an_aspect(monkeypatch):
    """Of those that Graphviz lays out with each number of rows from 1 to 8."""
    root, arranged, shapes = squares(8), operations.arranged, []
    for count in range(1, 9):
        with monkeypatch.context() as patch:
            patch.setattr(operations, "arranged", lambda *given, n=count: arranged(*given[:-1], n))
            shapes.append(math.log(operator.truediv(*size(draw(root, detail="operations")))))
    for aspect in (1.0, 16 / 9, 3.0):
        found = math.log(operator.truediv(*size(draw(root, aspect=aspect))) / aspect)
        assert abs(found) <= sorted(abs(shape - math.log(aspect)) for shape in shapes)[1] + 1e-3


def test_25_operations_can_be_read_on_a_slide():
    """Of 13.33 by 7.5 inches, as slides of 16:9 have: no text below 6 points, where it had 2 in one row."""
    svg = draw(chain(25), width=960, height=540, legend=False).pipe("svg", encoding="utf-8")
    (zoom,) = re.findall(r"scale\(([\d.]+) ", svg)
    sizes = [float(each) * float(zoom) for each in re.findall(r'font-size="([\d.]+)"', svg)]
    assert min(sizes) > 6


@pytest.mark.parametrize("detail", ["operations", "neurons", "layers"])
def test_a_picture_is_scaled_down_to_the_room_that_was_given(detail):
    """And never up."""
    root = cost([2, 3, 1])
    own = size(draw(root, detail=detail))
    width, height = size(draw(root, detail=detail, width=300, height=900))
    assert width <= 330
    assert height <= 930
    assert detail != "operations" or width / height == pytest.approx(own[0] / own[1], rel=0.15)  # others use the room
    assert size(draw(root, detail=detail, width=50_000)) == own


@pytest.mark.parametrize("detail", ["operations", "neurons", "layers"])
@pytest.mark.parametrize("points", [9, 26])
def test_text_has_the_size_that_was_asked_for(detail, points):
    """The sizes in the picture are those of 13 points, times points / 13, and so is the whole picture."""
    root = cost([2, 1])

    def sizes(**options):
        svg = draw(root, detail=detail, **options).pipe("svg", encoding="utf-8")
        return [float(each) for each in re.findall(r'font-size="([\d.]+)"', svg)]

    for one, other in zip(sizes(), sizes(font_size=points), strict=True):
        assert other == pytest.approx(one * points / 13, abs=0.6)
    plain, zoomed = size(draw(root, detail=detail)), size(draw(root, detail=detail, font_size=points))
    for one, other in zip(plain, zoomed, strict=True):
        assert other == pytest.approx(one * points / 13, rel=0.15)


@pytest.mark.parametrize(
    "sizes", [[2, 2, 1], [3, 4, 4, 1], [4, 8, 3, 1], [2, 16, 16, 1], [4] * 12 + [1], [30, 30, 30, 1]]
)
def test_by_default_no_picture_of_a_network_is_larger_than_the_room(sizes):
    """1,600 × 1,000 points, legend and margins included."""
    width, height = size(draw(cost(sizes)))
    assert width <= 1_600
    assert height <= 1_000


def attention(tokens):
    """The sum of squares of what one head makes of some tokens of two numbers each."""
    x = [[Value(0.1 * i + 0.3 * j, f"x{i}{j}") for j in range(2)] for i in range(tokens)]
    weights = [[[Value(0.2 * i - 0.1 * j + k, f"{k}{i}{j}") for j in range(2)] for i in range(2)] for k in range(3)]
    q, k, v = ([[row[0] * w[0][j] + row[1] * w[1][j] for j in range(2)] for row in x] for w in weights)
    parts = [[(a[0] * b[0] + a[1] * b[1]).exp() for b in k] for a in q]
    return total([(s / total(row) * v[b][0]) ** 2 for row in parts for b, s in enumerate(row)])


def recurrent(steps, label):
    """h ← tanh(w·h + u·x + b), with a new x in every step, and labels by a pattern."""
    w, u, b = (Value(0.5, label.format(name)) for name in ("w_h", "w_x", "b"))
    h = Value(0.0, "h0")
    for t in range(steps):
        h = (w * h + u * Value(1.0, f"x{t}") + b).tanh()
    return h


def squares(steps):
    y = Value(0.5, "y")
    for _ in range(steps):
        y = (y * y + y).tanh()
    return y


def polynomial(terms):
    x = Value(0.5, "x")
    return total([Value(1.0, f"c{i}") * x**i for i in range(terms)])


CALCULATIONS = {
    "attention": (lambda: attention(3), "summary"),
    "recurrent": (lambda: recurrent(6, "{}"), "operation"),
    "recurrent in a group": (lambda: recurrent(6, "rnn.{}"), "unit"),
    "polynomial": (lambda: polynomial(12), "summary"),
    "30 steps": (lambda: chain(30), "operation"),
    "200 steps": (lambda: chain(200), "summary"),
    "squares": (lambda: squares(8), "operation"),
}


@pytest.mark.parametrize("name", CALCULATIONS)
@pytest.mark.parametrize("points", [13, 24])
def test_by_default_no_picture_is_larger_than_the_room(name, points):
    """Nor is its text too small: what does not fit at 6 points is seen from further off, or summed up in words."""
    make, kind = CALCULATIONS[name]
    root = make()
    root.backward()
    picture = draw(root, font_size=points)
    width, height = size(picture)
    assert width <= 1_600
    assert height <= 1_000
    kinds = {at["class"].split()[0] for at in parse(picture).nodes.values()}
    assert points != 13 or kind in kinds
    svg = picture.pipe("svg", encoding="utf-8")
    (zoom,) = re.findall(r"scale\(([\d.]+)", svg)
    assert float(zoom) * points >= 6
    if "summary" in kinds:
        assert 'or all of them, detail="operations"' in html.unescape(picture.source)
        assert not {"leaf", "operation"}.isdisjoint(
            at["class"].split()[0] for at in parse(draw(root, detail="operations")).nodes.values()
        )


def test_what_a_summary_leaves_out_can_be_seen_in_a_film():
    """Which goes through it part by part: before, the seed, each step and after."""
    root = polynomial(12)
    root.backward()
    assert 'class="summary"' in draw(root).source.replace("class=summary", 'class="summary"')
    assert len(frames(root)) == 3 + sum(node.op is not None for node in topological_order(root))


def test_a_smaller_room_is_seen_from_further_off():
    """Operations, neurons, layers, as the room shrinks."""
    root = cost([2, 4, 1])

    def kinds(**room):
        return {at["class"].split()[0] for at in parse(draw(root, **room)).nodes.values()}

    assert "operation" in kinds(width=5_000, height=5_000)
    assert "unit" in kinds()
    assert "layer" in kinds(width=300)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, r"width must be a number of points above 0, got 0"),
        ({"height": -1.0}, r"height must be"),
        ({"height": math.inf}, r"height must be"),
        ({"aspect": "16:9"}, r"aspect must be a number above 0, such as 16/9, got '16:9'"),
        ({"font_size": None}, r"font_size must be a number of points above 0, got None"),
        ({"font_size": True}, r"font_size must be"),
    ],
)
def test_sizes_that_are_none_are_refused(options, message):
    """In the words of the option."""
    with pytest.raises(ValueError, match=message):
        draw(Value(1.0), **options)


@pytest.mark.parametrize("detail", ["operations", "neurons"])
def test_films_have_the_sizes_of_pictures(tmp_path, detail):
    """The room and the font; every step in the same rows, at the same places."""
    root = cost([2, 1])
    steps = frames(root, detail=detail, font_size=26)
    assert size(steps[0])[0] == size(steps[-1])[0]
    assert size(steps[-1])[0] == pytest.approx(2 * size(draw(root, detail=detail))[0], rel=0.15)
    film = animate(root, tmp_path / "film.svg", detail=detail, width=400).read_text()
    assert float(re.search(r'<svg[^>]* width="([\d.]+)pt"', film)[1]) <= 440


def test_films_of_long_chains_go_on_in_rows():
    """As wide as a slide at most; every step at the same places."""
    steps = frames(chain(25))
    assert {size(steps[k]) for k in (0, 9, 18, -1)} == {size(steps[0])}
    assert size(steps[0])[0] <= 1_600


@pytest.mark.parametrize(("rankdir", "sizes"), [("LR", [2, 3, 1]), ("TB", [2, 3, 1]), ("LR", [3, 4, 4, 1])])
def test_parameters_stand_in_their_order(rankdir, sizes):
    """weight1, weight2, bias, from the top or from the left; layer by layer, as values flow."""
    root = cost(sizes)
    placed = layout(draw(root, detail="operations", rankdir=rankdir))
    at = {root_.label: placed.nodes[name] for root_, name in node_names(root).items() if root_.label}
    across = "y" if rankdir == "LR" else "x"
    for layer, (inputs, neurons) in enumerate(itertools.pairwise(sizes), 1):
        for neuron in range(1, neurons + 1):
            names = [*(f"weight{i + 1}" for i in range(inputs)), "bias"]
            places = [getattr(at[f"layer{layer}.neuron{neuron}.{name}"], across) for name in names]
            assert places == sorted(places)
    along = "x" if rankdir == "LR" else "y"
    assert max(getattr(at[f"layer1.neuron{i}.z"], along) for i in (1, 2, 3)) < getattr(at["layer2.neuron1.z"], along)


@pytest.mark.parametrize("inputs", [2, 12])
def test_inputs_of_a_neuron_stand_before_its_parameters(inputs):
    """x1, x2, …, then weight1, weight2, …, bias from the top; titles of boxes stay at their upper edges, within them."""
    x = [Value(0.1 * (i - 2), f"x{i + 1}") for i in range(inputs)]
    root = (MLP(inputs, [1], random_state=0)(x) - 1.0) ** 2
    root.backward()
    placed = layout(draw(root, detail="operations"))
    at = {node.label.split(".")[-1]: placed.nodes[name] for node, name in node_names(root).items() if node.op is None}
    names = [f"{kind}{i + 1}" for kind in ("x", "weight") for i in range(inputs)] + ["bias"]
    places = [at[name].y for name in names]
    assert places == sorted(places)
    assert len(placed.clusters) == 2
    for name, box in placed.clusters.items():
        top = box.y - box.height / 2
        assert top > 0
        assert top < placed.labels[name][1] < top + 20
    for name in names[inputs:]:
        for box in placed.clusters.values():
            assert abs(at[name].y - box.y) + at[name].height / 2 < box.height / 2


def shown(picture, unit):
    """The texts in the circle or card of a unit, by its place in columns or its tooltip."""
    return next(texts(at["label"]) for at in parse(picture).nodes.values() if at.get("tooltip", "").startswith(unit))


def test_a_model_is_drawn_without_a_loss():
    """Its weights as strokes; with a sample its outputs, as NumPy computes them; with several rows their means."""
    mlp = MLP(2, [3, 2], activation="tanh", random_state=0)
    alone = draw(mlp)
    weights = [float(tip) for tip in re.findall(r'tooltip="weight: ([-\d.e]+)', alone.source)]
    assert sorted(weights) == sorted(w for rows_ in mlp.weights() for row in rows_ for w in np.asarray(row).tolist())
    assert shown(alone, "layer1.neuron1") == ["neuron1"]
    assert shown(draw(mlp, detail="layers"), "layer2")[1] == "3 → 2 linear"
    X = np.array([[0.5, 1.0], [0.2, -1.0]])
    (w1, w2), (b1, b2) = ([np.asarray(each) for each in several] for several in (mlp.weights(), mlp.biases()))
    outputs = np.tanh(X @ w1.T + b1) @ w2.T + b2
    for given, expected in (
        (X[0], outputs[0]),
        (X[:1], outputs[0]),
        (X, outputs.mean(axis=0)),
        (X.tolist(), outputs.mean(axis=0)),
    ):
        picture = draw(mlp, given, detail="neurons", number_format=".6f")
        for k in range(2):
            (text,) = [each for each in shown(picture, f"layer2.neuron{k + 1}") if each.lstrip("⌀ −")[0].isdecimal()]
            assert float(text.lstrip("⌀ ").replace("−", "-")) == pytest.approx(expected[k], abs=1e-6)


def test_several_results_are_drawn_together():
    """One picture of two Values that share what they are made from."""
    x = Value(2.0, "x")
    picture = draw([x * 3.0, x.exp()])
    assert sum(at["class"].startswith("operation") for at in parse(picture).nodes.values()) == 2
    assert sum(at["class"].startswith("leaf") for at in parse(picture).nodes.values()) == 1


def test_what_cannot_be_drawn_is_named():
    """With the way out."""
    mlp = MLP(2, [1], random_state=0)
    with pytest.raises(ValueError, match=r'detail="operations" needs a sample to compute with, got none'):
        draw(mlp, detail="operations")
    for none in ([], np.zeros((0, 2))):
        with pytest.raises(ValueError, match=r"X must be a sample or rows of samples, got none; draw\(model\)"):
            draw(mlp, none)
    for root in (None, [], [1.0], np.array([1.0])):
        with pytest.raises(
            TypeError, match="root must be the Value at the end of a computation, several of them, or a model"
        ):
            draw(root)
    with pytest.raises(TypeError, match=r"got MLPClassifier MLPClassifier\(.*; pass its network\(\)"):
        draw(MLPClassifier().fit([[0.0], [1.0]], [0, 1]))
    with pytest.raises(TypeError, match="root must be the Value at the end of a computation"):
        frames(mlp)
    with pytest.raises(TypeError, match=r"got 'C.svg'; write a picture by draw\(C\).save_as\('C.svg'\)"):
        draw(Value(1.0, "C"), "C.svg")
    for root in (Value(1.0, "C"), [Value(1.0), Value(2.0)]):
        with pytest.raises(TypeError, match=r"X must come with a model that is called on it, got .*; draw\(C\) shows"):
            draw(root, [0.5, 1.0])
