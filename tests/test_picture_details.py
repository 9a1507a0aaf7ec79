"""Seen from further off: labels and roles of leaves, groups, neurons, layers, and that no graph fails to be drawn."""

import itertools
import math
import re
import shutil
import typing
import xml.etree.ElementTree as ET
from collections import Counter

import graphviz
import numpy as np
import pytest
from dot_text import CLEANED, HOSTILE, nodes, parse, texts
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import Value, draw, exp, softmax, tanh, topological_order, total, weighted_sum
from autodiff.pictures import layout, node_names, style
from autodiff.testing import expressions
from models import MLP
from models.hierarchy import MONDAY_EXAM, decide

SVG = "{http://www.w3.org/2000/svg}"
DETAILS = ["operations", "neurons", "layers"]


def has_graphviz():
    import importlib.util

    return bool(shutil.which("dot") or importlib.util.find_spec("pygraphviz"))


needs_graphviz = pytest.mark.skipif(not has_graphviz(), reason="neither pygraphviz nor dot is here")


def roles(picture):
    """The role of every node, by its name in the picture."""
    return {
        texts(at["label"])[0]: at["class"].split()[1]
        for at in parse(picture).nodes.values()
        if at["class"] != "constant"
    }


def swept(root):
    root.backward()
    return root


def kind(picture, what):
    """The attributes of the nodes of a class."""
    return [at for at in parse(picture).nodes.values() if at["class"].split()[0] == what]


def tooltip(at):
    return at["tooltip"].replace("\u2060", "").split("\\n")


def delta_in(at):
    """δ in full, from the tooltip."""
    return float(next(line for line in tooltip(at) if line.startswith("δ: "))[3:])


class TestLabels:
    def test_names_of_parameters_make_parameters(self):
        """The rule that draw states, on names that fulfil it and names that nearly do."""
        parameters = [
            "w",
            "W1",
            "b",
            "b_2",
            "weight",
            "weights",
            "weight12",
            "bias",
            "theta0",
            "θ₁"[:1],
            "β1",
            "n.w[0, 1]",
        ]
        inputs = ["x", "weigh", "width", "bx", "wx", "basis", "a.z", "weight.x", "unbiased", "3", "b 1"]
        root = total([Value(1.0, label) for label in parameters + inputs])
        found = roles(draw(root, detail="operations"))
        assert {label.rpartition(".")[2] for label in parameters} == {
            label for label, role in found.items() if role == "parameter"
        }
        assert {label.rpartition(".")[2] for label in inputs} == {
            label for label, role in found.items() if role == "input"
        }

    def test_parameters_says_which_leaves_they_are(self):
        """`parameters=` overrules the names."""
        x, w = Value(1.0, "x"), Value(2.0, "w")
        assert roles(draw(x * w, parameters=[x])) == {"x": "parameter", "w": "input", "×": "operation"}
        assert roles(draw(x * w, parameters=[])) == {"x": "input", "w": "input", "×": "operation"}
        mlp = MLP(2, [2])
        picture = draw(
            total(mlp([Value(1.0, "weight"), Value(2.0, "b")])), detail="operations", parameters=mlp.parameters()
        )
        assert Counter(roles(picture).values()) == {"parameter": 3, "input": 2, "operation": 2}

    @pytest.mark.parametrize("parameters", [Value(1.0), [1.0], 3, ["w"]])
    def test_parameters_that_are_no_values_are_refused(self, parameters):
        """With the usual way to get them."""
        with pytest.raises(TypeError, match=r"parameters must be Values, got .*parameters=mlp\.parameters\(\)"):
            draw(Value(1.0), parameters=parameters)

    def test_parameters_inputs_and_constants_look_different(self):
        """By colour and by shape, so also in grey."""
        at = {texts(a["label"])[0]: a for a in parse(draw(Value(1.0, "w") * Value(2.0, "x") + 3.0)).nodes.values()}
        assert at["w"]["style"] == "filled"
        assert at["x"]["style"] == "rounded,filled"
        assert at["3"]["shape"] == "plaintext"
        assert len({(a["fillcolor"], a["color"]) for a in (at["w"], at["x"], at["+"])}) == 3

    def test_names_takes_labels_from_variables(self):
        """Of the caller, also inside lists, dicts and arrays; a node's own label comes first, and nothing is assigned."""
        x, y = Value(1.0), Value(2.0, "mine")
        weights = [Value(3.0), (Value(4.0),)]
        table = {"k": Value(5.0)}
        array = np.array([[Value(6.0), Value(7.0)]], dtype=object)
        _hidden = Value(8.0)
        data, nothing = np.ones(3), None  # arrays of numbers and other things are passed over
        product = x * y
        root = total([product, weights[0], weights[1][0], table["k"], array[0, 1], _hidden])
        shown = [text[0] for text, *_ in nodes(draw(root, names=locals())).values()]
        assert set(shown) == {"Σ", "×", "x", "mine", "weights[0]", "weights[1][0]", "table['k']", "array[0, 1]", "8"}
        assert [text[1] for text, *_ in nodes(draw(root, names=locals())).values() if text[0] in "Σ×"] == [
            "root",
            "product",
        ]
        assert (x.label, root.label) == ("", "")
        with pytest.raises(TypeError, match=r"got list; pass names=locals\(\)"):
            draw(root, names=[x])

    def test_names_survives_a_list_that_holds_itself(self):
        """A namespace may hold anything."""
        ring = [Value(1.0)]
        ring.append(ring)
        assert nodes(draw(ring[0], names={"ring": ring, 3: ring, "other": object()}))["n0"][0][0] == "ring[0]"


class TestGroups:
    def test_dotted_labels_make_groups_inside_groups(self):
        """A node is named by its last step, inside the groups that the others name."""
        mlp = MLP(2, [2, 1], activation="tanh")
        groups = Counter(parse(draw(mlp([1.0, 2.0]), detail="operations")).groups.values())
        # two constants, two weights, a bias, z and a; the last neuron has no activation and no constants
        assert groups == {("layer1", "neuron1"): 7, ("layer1", "neuron2"): 7, ("layer2", "neuron1"): 4}
        assert {text[0] for text, *_ in nodes(draw(mlp([1.0, 2.0]), detail="operations")).values()} == {
            "weight1", "weight2", "bias", "Σ wx", "tanh",
        }  # fmt: skip

    def test_an_operation_without_a_label_stands_with_what_uses_it(self):
        """If that is one place; else outside."""
        z = Value(1.0, "n.w") * Value(2.0, "x") + Value(1.0, "n.b")
        z.label = "n.z"
        shared = exp(z)
        one, other = shared + 1.0, shared + 2.0
        one.label, other.label = "p.a", "q.a"
        picture = parse(draw(one * other))
        where = {texts(picture.nodes[name]["label"])[0]: groups for name, groups in picture.groups.items()}
        assert where["×"] == () or where["×"] == ("n",)
        assert (where["exp"], where["w"], where["x"]) == ((), ("n",), ())
        inner = [groups for name, groups in picture.groups.items() if texts(picture.nodes[name]["label"])[0] == "×"]
        assert sorted(inner) == [(), ("n",)]


class TestOptions:
    def test_dark_is_dark(self):
        """Every colour of the dark picture is the dark theme's."""
        mlp = MLP(2, [2, 1])
        root = swept((mlp([1.0, 2.0]) - 1.0) ** 2)
        for detail in DETAILS:
            picture = draw(root, theme="dark", detail=detail)
            assert f'bgcolor="{style.DARK.paper}"' in picture.source
            used = {c[:7] for c in re.findall(r"#[0-9a-f]{6}", picture.source)}
            assert used <= set(re.findall(r"#[0-9a-f]{6}", repr(style.DARK)))

    def test_numbers_are_written_as_asked(self):
        """By specification or by function, also where room is scarce; what is not finite keeps its sign."""
        root = swept(weighted_sum([Value(1 / 3, "n.w")], [Value(2.0, "x")], 1.0))
        root.label = "n.z"
        for detail in DETAILS:
            assert "0.33333" in draw(root, detail=detail, number_format=".5f").source
            assert "one third" in draw(root, detail=detail, number_format=lambda x: "one third").source
        assert "∞" in draw(Value(math.inf, "x") * 2.0, number_format=".5f").source
        assert "−0.33" in draw(Value(-1 / 3) * 2.0, number_format=".2f").source
        with pytest.raises(ValueError, match=r"number_format must format a float, got '\.3s'"):
            draw(root, number_format=".3s")
        with pytest.raises(TypeError, match=r"number_format must be a format such as '\.3f'"):
            draw(root, number_format=3)

    def test_every_theme_is_named_where_one_looks_for_it(self):
        """In what `draw` says of its options, and in the type of that option."""
        assert set(typing.get_args(style.ThemeName)) == set(style.THEMES)
        assert all(f'"{name}"' in draw.__doc__ for name in style.THEMES)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"detail": "atoms"}, r"detail must be one of 'operations', 'neurons', 'layers', got 'atoms'"),
            ({"theme": "grey"}, f"theme must be one of {', '.join(map(repr, style.THEMES))}, got 'grey'"),
            ({"max_nodes": 0}, r"max_nodes must be a whole number of at least 1, got 0"),
            ({"max_nodes": 2.5}, r"max_nodes must be"),
            ({"max_neurons": 1}, r"max_neurons must be a whole number of at least 2, got 1"),
            ({"max_neurons": True}, r"max_neurons must be"),
        ],
    )
    def test_unknown_options_are_refused(self, options, message):
        """Before anything is drawn."""
        with pytest.raises(ValueError, match=message):
            draw(Value(1.0), **options)

    @pytest.mark.parametrize("detail", DETAILS)
    def test_a_legend_can_be_left_out(self, detail):
        """For a slide that explains it itself."""
        root = swept(MLP(2, [2, 1])([1.0, 2.0]) * 2.0)
        words = "norm:" if detail == "layers" else "above 0"
        assert words in draw(root, detail=detail).source
        assert words not in draw(root, detail=detail, legend=False).source

    @needs_graphviz
    def test_strokes_have_their_numbers_where_there_is_room(self):
        """Most of those of 3-4-4-1, each that of a stroke; where one is left out, SVG says where to point, PNG does not."""
        picture = draw(swept((MLP(3, [4, 4, 1], random_state=0)([0.5, -1.0, 2.0]) - 1.0) ** 2), detail="neurons")
        edges = [at for *_, at in parse(picture).edges]
        numbered = [at for at in edges if "label" in at]
        assert len(numbered) > 0.6 * len(edges)
        for at in numbered:
            number = float("".join(texts(at["label"])).replace("−", "-"))
            told = dict(line.split(": ") for line in at["tooltip"].split("\\n"))
            assert number == pytest.approx(
                float(next(told[key] for key in ("δ·w", "δ·∂", "weight") if key in told)), rel=0.06, abs=5e-4
            )
        assert "point at a stroke" in picture.pipe("svg", encoding="utf-8")
        assert "point at a stroke" not in picture.pipe("json0", encoding="utf-8")  # as all that is no SVG
        assert "point at a stroke" not in picture._repr_mimebundle_()["image/svg+xml"]
        wide = draw(swept((MLP(2, [1], random_state=0)([0.5, -1.0]) - 1.0) ** 2), detail="neurons")
        assert "point at a stroke" not in wide.pipe("svg", encoding="utf-8")

    def test_a_legend_tells_strokes_by_what_they_show(self):
        """The gain by a weight, by another partial, or both; none at all where δ is 0; samples that differ to the eye."""

        def legend(outputs, **options):
            source = draw(swept(outputs), detail="neurons", **options).source
            return "".join(texts(source[source.index("legend [label") :]))

        weights = MLP(2, [3, 1], activation="relu", random_state=0)
        alone = legend((MLP(4, [1], random_state=0)([1.0, 2.0, 3.0, 4.0]) - 1.0) ** 2)
        assert "|δ·∂| = " in alone
        assert "δ·w" not in alone
        both = legend((weights([1.0, 2.0]) - 1.0) ** 2)
        assert "|δ·w|, |δ·∂| = " in both
        assert "δ·w = 0" not in legend(MLP(2, [2, 1], activation="tanh", random_state=0)([1.0, 2.0]))
        flat = MLP(2, [2, 2, 1], activation="relu", random_state=0)
        for p in flat.parameters():
            p.data = -abs(p.data)
        assert "δ·w = 0" in legend(flat([1.0, 2.0]))
        x = Value(1.0, "x")
        sized = draw(swept(total([x * 10.0**-k for k in range(12)])), detail="operations")
        (bars,) = re.findall(
            r'((?:<TD><TABLE[^>]*><TR><TD WIDTH="18"[^>]*></TD></TR></TABLE></TD>)+)<TD>\|', sized.source
        )
        heights = re.findall(r'HEIGHT="(\d+)"', bars)
        assert len({*heights}) == len(heights) > 1

    def test_numbers_of_repeated_nodes_grow_from_row_to_row(self):
        """As they are read."""
        y = Value(0.5, "x")
        for _ in range(8):
            y = (y.exp() - y).sin() * y
        source = draw(swept(y), detail="operations").source
        circled = {}
        for number, names in re.findall(r"subgraph cluster_row(\d+) {(.*?)}", source, re.DOTALL):
            for name in re.findall(r"\bn\d+\b", names):
                label = next(line for line in source.splitlines() if line.strip().startswith(f"{name} [label"))
                circled.setdefault(int(number), []).extend(re.findall("[①-⑳]", label))
        rows = [marks for _, marks in sorted(circled.items()) if marks]
        assert len(rows) > 1
        assert all(max(above) < min(below) for above, below in itertools.pairwise(rows))

    def test_the_detail_is_the_closest_that_is_readable(self):
        """A small network by its operations, a large one by neurons; without dots in labels only a summary is left."""
        small, large = MLP(2, [2, 1])([1.0, 2.0]), MLP(2, [16, 16, 1])([1.0, 2.0])
        assert kind(draw(small), "leaf")
        assert kind(draw(large), "unit")
        for n, shown in ((10, "leaf"), (100, "summary")):
            assert kind(draw(total([Value(1.0) * 2.0 for _ in range(n)])), shown)
        assert kind(draw(large, detail="operations"), "leaf")
        assert kind(draw(large, detail="operations", max_nodes=100), "summary")

    def test_in_a_crowd_numbers_of_edges_stand_in_tooltips(self):
        """And the legend says so; up to 500 edges they stand beside them."""
        for n, labelled in ((500, True), (501, False)):
            root = total([Value(1.0) for _ in range(n)])
            picture = draw(root, detail="operations")
            assert all(("label" in at) == labelled for *_, at in parse(picture).edges)
            assert ("point at an edge" in picture.source) == (not labelled)
            assert all("= 1.0" in at["tooltip"] for *_, at in parse(picture).edges)

    def test_one_weight_along_a_chain_is_laid_out(self):
        """Its numbers stand in tooltips; beside its long edges Graphviz would look for places for minutes."""
        root = swept(recurrence(50))
        picture = draw(root, detail="operations")
        assert not any("label" in at for *_, at in parse(picture).edges)
        assert "point at an edge" in picture.source
        if has_graphviz():
            assert len(layout(picture).edges) == 50 * 7  # three uses of Values, there and back, and a constant

    def test_a_network_too_large_for_a_detail_is_summed_up(self):
        """More than 20,000 strokes between neurons are no picture; beyond 50,000 nodes nothing is grouped unasked."""
        wide = total(MLP(201, [100])([0.1] * 201))
        assert kind(draw(wide), "layer")
        summed_up = draw(wide, detail="neurons")
        assert kind(summed_up, "summary")
        assert 'detail="neurons" or "layers"' in summed_up.source.replace("&quot;", '"')
        wider = total(MLP(101, [250])([0.1] * 101))
        assert kind(draw(wider), "summary")
        assert kind(draw(wider, detail="layers"), "layer")

    @pytest.mark.parametrize("detail", ["neurons", "layers"])
    def test_direction_chooses_the_strokes_between_units(self, detail):
        """Numbers forward, δ backward or both; plain inputs, which no δ reaches, keep their strokes."""
        root = swept(MLP(2, [2, 1])([1.0, 2.0]) * 2.0)
        count = {"neurons": {"inputs": 4, "inner": 3}, "layers": {"inputs": 1, "inner": 2}}[detail]
        for direction in ("forward", "backward", "both"):
            strokes = Counter(
                at["class"].split()[0] for *_, at in parse(draw(root, detail=detail, direction=direction)).edges
            )
            forward = count["inputs"] + count["inner"] * (direction != "backward")
            assert strokes == Counter(forward=forward, backward=count["inner"] * (direction != "forward"))

    def test_edges_that_lead_too_far_are_summed_up(self):
        """Unless told to draw all the same: the card says how."""
        root = swept(recurrence(100))
        assert kind(draw(root), "summary")
        assert 'detail="operations"' in draw(root).source.replace("&quot;", '"')
        assert kind(draw(root, detail="operations"), "leaf")


def recurrence(steps):
    """A weight that serves every step of a chain."""
    w = y = Value(1.0, "w")
    for _ in range(steps):
        y = 1.01 * y + w
    return y


class TestNeurons:
    def test_a_network_is_drawn_as_the_course_draws_it(self):
        """A circle for each neuron with a and δ, a stroke for each weight: beside W, δ^l in NumPy."""
        mlp = MLP(2, [3, 1], activation="tanh", random_state=0)
        x, y = np.array([0.5, -1.0]), 0.25
        cost = swept((mlp(x.tolist()) - y) ** 2 / 2)
        (w1, w2), (b1, b2) = mlp.weights(), mlp.biases()
        a1 = np.tanh(w1 @ x + b1)
        z2 = w2 @ a1 + b2
        delta2 = z2 - y
        delta1 = (w2.T @ delta2) * (1 - a1**2)

        picture = draw(cost, detail="neurons")
        units = kind(picture, "unit")
        circles = [at for at in units if at["shape"] == "circle"]
        named = {tooltip(at)[0]: at for at in circles}
        assert sorted(named) == ["layer1.neuron1", "layer1.neuron2", "layer1.neuron3", "layer2.neuron1", "x1", "x2"]
        neurons = [named[f"layer1.neuron{j}"] for j in (1, 2, 3)]
        np.testing.assert_allclose([delta_in(at) for at in neurons], delta1, rtol=1e-12)
        np.testing.assert_allclose([float(tooltip(at)[1][7:]) for at in neurons], a1, rtol=1e-12)
        assert delta_in(named["layer2.neuron1"]) == pytest.approx(delta2[0], rel=1e-12)

        strokes = [(tail, head, at) for tail, head, at in parse(picture).edges if at["class"] == "forward"]
        weights = [float(tooltip(at)[0][8:]) for *_, at in strokes if tooltip(at)[0].startswith("weight")]
        np.testing.assert_allclose(sorted(weights), sorted([*w1.ravel(), *w2.ravel()]), rtol=1e-12)
        grads = [float(line.split(": ")[1]) for *_, at in strokes for line in tooltip(at) if "∂w" in line]
        expected = [*np.outer(delta1, x).ravel(), *np.outer(delta2, a1).ravel()]
        np.testing.assert_allclose(sorted(grads), sorted(expected), rtol=1e-12)
        back = [float(line[5:]) for _, _, at in parse(picture).edges if at["class"].startswith("backward")
                for line in tooltip(at) if line.startswith("δ·w")]  # fmt: skip
        np.testing.assert_allclose(sorted(back), sorted(w2[0] * delta2[0]), rtol=1e-12)

    def test_every_neuron_and_weight_of_the_demo_network_is_there(self):
        """2-16-16-1: inputs, neurons and the cost; 304 weights and the way to the cost."""
        root = swept((MLP(2, [16, 16, 1])([1.0, 2.0]) - 1.0) ** 2)
        picture = draw(root, detail="neurons")
        assert len(kind(picture, "unit")) == 2 + 16 + 16 + 1 + 1
        assert len(parse(picture).edges) == 2 * 16 + 16 * 16 + 16 + 1
        assert {"layer1", "layer2", "layer3", "16 × ReLU"} <= {
            t for at in kind(picture, "column") for t in texts(at["label"])
        }

    def test_the_middle_of_a_long_column_is_left_out_and_said_so(self):
        """40-20-10: 16 of a column, how many more, and how to see them; all where that is asked for."""
        scores = MLP(40, [20, 10])([0.1] * 40)
        root = swept(-softmax(scores)[3].log())
        root.label = "C"
        picture = draw(root, detail="neurons")
        assert len(kind(picture, "unit")) == 16 + 16 + 10 + 1
        assert [texts(at["label"]) for at in kind(picture, "more")] == [["⋮", "24 more"], ["⋮", "4 more"]]
        assert "max_neurons=40 draws all of it" in picture.source
        whole = draw(root, detail="neurons", max_neurons=None)
        assert (len(kind(whole, "unit")), len(kind(whole, "more"))) == (40 + 20 + 10 + 1, 0)
        assert len(parse(whole).edges) == 40 * 20 + 20 * 10 + 10
        assert "draws all of it" not in whole.source

    def test_many_samples_in_one_graph_are_one_network(self):
        """Values are averaged; δ is summed, which is ∂C/∂b of the neuron."""
        mlp = MLP(2, [3, 1], activation="tanh", random_state=0)
        rows = np.random.default_rng(0).normal(size=(20, 2)).tolist()
        root = swept(total([mlp(row) ** 2 for row in rows]))
        picture = draw(root, detail="neurons")
        named = {tooltip(at)[0]: at for at in kind(picture, "unit")}
        for layer in mlp.layers:
            for neuron in layer.neurons:
                assert delta_in(named[neuron.label]) == pytest.approx(neuron.bias.grad, rel=1e-12)
                assert "20 samples" in tooltip(named[neuron.label])
        assert "mean of 20 samples" in picture.source
        mean = np.tanh(np.array(rows) @ mlp.weights()[0].T).mean(axis=0)
        assert f"⌀ {style.brief_formatter(4, None)(mean[0])}" in texts(named["layer1.neuron1"]["label"])

    def test_neurons_that_skip_a_layer_are_drawn(self):
        """Monday's exam: neurons named by what they decide, fed by facts and by each other."""
        facts = {
            name: Value(1, name.replace(" ", "_"))
            for name in ("video games", "pizza", "studied", "attended class", "early to bed")
        }
        picture = draw(decide(MONDAY_EXAM, facts)["good mark"], detail="neurons")
        assert {tooltip(at)[0] for at in kind(picture, "unit")} >= {
            "epic_night",
            "prepared",
            "rested",
            "good_mark",
            "pizza",
        }
        weights = sorted(float(tooltip(at)[0][8:]) for *_, at in parse(picture).edges)
        assert weights == sorted(w for unit in MONDAY_EXAM for w in unit.weights.values())

    def test_a_recurrent_neuron_is_drawn_once(self):
        """A cell that feeds another which feeds it again closes a circle, which is no reason to hang."""
        h, g, w, v = Value(0.1, "h0"), Value(0.2, "g0"), Value(0.5, "h.w"), Value(-0.5, "g.w")
        for _ in range(5):
            z = weighted_sum([w], [g], 0.0)
            z.label = "h.z"
            h = tanh(z)
            h.label = "h.a"
            z = weighted_sum([v], [h], 0.0)
            z.label = "g.z"
            g = tanh(z)
            g.label = "g.a"
        for detail in ("neurons", "layers"):
            names = {tooltip(at)[0] for at in parse(draw(swept(g), detail=detail)).nodes.values() if "tooltip" in at}
            assert {"h", "g"} <= names

    def test_outputs_of_different_labels_are_not_averaged(self):
        """A cell with a gate and a state shows the state, the last that it computed, and one δ."""
        x = Value(0.5, "x")
        gate, state = weighted_sum([Value(2.0, "cell.w1")], [x], 0.0), weighted_sum([Value(-3.0, "cell.w2")], [x], 0.0)
        gate.label, state.label = "cell.gate", "cell.state"
        root = swept(gate * state)
        root.label = "C"
        (cell,) = [at for at in kind(draw(root, detail="neurons"), "unit") if tooltip(at)[0] == "cell"]
        assert tooltip(cell)[1] in {"value: 1.0", "value: -1.5"}
        assert delta_in(cell) == {"value: 1.0": -1.5, "value: -1.5": 1.0}[tooltip(cell)[1]]

    def test_a_column_of_parameters_is_headed_by_what_they_share(self):
        """Two rows of a table of weights that two neurons read: the table's name, and no operation below it."""
        rows = [Value(0.5, "table.row1.w"), Value(0.2, "table.row2.w")]
        sums = [weighted_sum([Value(0.1, f"l.n{j}.w1"), Value(0.3, f"l.n{j}.w2")], rows, 0.0) for j in (1, 2)]
        for j, z in enumerate(sums, 1):
            z.label = f"l.n{j}.z"
        heads = [texts(at["label"]) for at in kind(draw(total(sums), detail="neurons"), "column")]
        assert [[word for word in head if word] for head in heads] == [["table"], ["l", "2 × linear"]]

    def test_a_weight_that_is_a_number_is_shown_and_has_no_gradient(self):
        """Only the bias is learnt: the stroke says the weight, and no ∂C/∂w."""
        z = weighted_sum([2.5], [3.0], Value(1.0, "n.b"))
        z.label = "n.z"
        ((*_, stroke),) = parse(draw(swept(z), detail="neurons")).edges
        assert tooltip(stroke) == ["weight: 2.5"]

    def test_neurons_written_by_hand_are_recognised_by_their_parameters(self):
        """micrograd's way: products, a sum and an activation without labels, around labelled weights."""
        x = [Value(1.0, "x1"), Value(-2.0, "x2")]
        hidden = []
        for j in (1, 2):
            z = Value(0.1, f"hidden.n{j}.b")
            for i, xi in enumerate(x, 1):
                z = z + Value(0.3 * i * j, f"hidden.n{j}.w{i}") * xi
            hidden.append(z.tanh())
        out = hidden[0] * Value(1.0, "out.n1.w1") + hidden[1] * Value(-1.0, "out.n1.w2")
        out.label = "out.n1.z"
        units = {tooltip(at)[0] for at in kind(draw(out, detail="neurons"), "unit")}
        assert units == {"x1", "x2", "hidden.n1", "hidden.n2", "out.n1"}


class TestLayers:
    def test_shapes_and_norms(self):
        """Beside NumPy's: of weights, biases, outputs and δ, and of the gradients."""
        mlp = MLP(3, [4, 2], activation="tanh", random_state=0)
        x = np.array([0.5, -1.0, 2.0])
        outputs = mlp(x.tolist())
        cost = swept(total([a * a for a in outputs]))
        cost.label = "C"
        picture = draw(cost, detail="layers", digits=9)
        cards = {texts(at["label"])[0]: texts(at["label"]) for at in kind(picture, "layer")}
        assert list(cards) == ["layer1", "layer2", "C", "inputs"] or set(cards) == {"layer1", "layer2", "C", "inputs"}

        (w1, w2), a1 = mlp.weights(), np.tanh(mlp.weights()[0] @ x)
        delta2 = 2 * w2 @ a1
        delta1 = (w2.T @ delta2) * (1 - a1**2)
        norm = np.linalg.norm

        def shown(number):
            return style.show(float(number), 9)

        assert cards["inputs"][1:] == ["3 values", f"‖x‖ {shown(norm(x))}"]
        assert cards["layer1"][1:] == [
            "3 → 4 tanh", "16 parameters", f"‖a‖ {shown(norm(a1))}",
            f"‖w‖ {shown(norm(w1))}, ‖∂C/∂w‖ {shown(norm(np.outer(delta1, x)))}",
            f"‖b‖ 0, ‖∂C/∂b‖ {shown(norm(delta1))}", f"‖δ‖ {shown(norm(delta1))}",
        ]  # fmt: skip
        assert cards["layer2"][1] == "4 → 2 linear"
        back = [texts(at["label"])[0] for *_, at in parse(picture).edges if at["class"].startswith("backward")]
        assert sorted(back) == sorted(f"‖δ·∂‖ {shown(norm(d))}" for d in (delta2, w2.T @ delta2))

    def test_samples_are_counted(self):
        """A batch has the shapes of one sample, and says how many."""
        mlp = MLP(2, [3, 1], activation="tanh", random_state=0)
        root = swept(total([mlp([0.1 * i, 0.2]) for i in range(7)]))
        cards = {texts(at["label"])[0]: texts(at["label"]) for at in kind(draw(root, detail="layers"), "layer")}
        assert cards["layer1"][1:4] == ["2 → 3 tanh", "9 parameters", "7 samples"]
        assert cards["inputs"][1:3] == ["2 values", "7 samples"]


@given(
    expressions(), st.booleans(), st.sampled_from(["forward", "backward", "both", None]), st.sampled_from(["LR", "TB"])
)
def test_every_node_and_edge_of_a_random_expression_is_drawn_once(f, sweep, direction, rankdir):
    """Drawing never fails, and leaves nothing out; n3r1 stands for n3 in another row."""
    root = f(*[Value(x, name) for x, name in zip(f.point, "xyz", strict=False)])
    if not isinstance(root, Value):
        return
    if sweep:
        root.backward()
    picture = draw(root, detail="operations", direction=direction, rankdir=rankdir)
    order = topological_order(root)
    assert sorted(nodes(picture)) == sorted(node_names(root).values()) == sorted(f"n{i}" for i in range(len(order)))
    uses = Counter(
        (node_names(root)[x], name)
        for node, name in node_names(root).items()
        for x in node.operands
        if isinstance(x, Value)
    )
    drawn = parse(picture).edges
    for flow in ("forward", "backward"):
        shown = Counter((re.sub("r.+", "", tail), head) for tail, head, at in drawn if at["class"].startswith(flow))
        wanted = direction in {flow, "both"} or (direction is None and (flow == "forward" or sweep))
        assert shown == (uses if wanted else Counter())
    assert len({at["id"] for *_, at in drawn}) == len(drawn)


LABELS = st.one_of(
    st.text(max_size=12), st.sampled_from(["", "a.w1", "a.b", "a.b.c", "b.z", "C", *HOSTILE.values(), *CLEANED])
)


@given(expressions(), st.data(), st.sampled_from(["neurons", "layers"]), st.sampled_from(["light", "dark"]))
def test_random_expressions_with_any_labels_are_drawn_at_any_distance(f, data, detail, theme):
    """However nodes are grouped, each is in one unit, and every edge joins units that are there."""
    root = f(*map(Value, f.point))
    if not isinstance(root, Value):
        return
    for node in topological_order(root):
        node.label = data.draw(LABELS)
    root.backward()
    picture = parse(draw(root, detail=detail, theme=theme))
    assert {end for tail, head, _ in picture.edges for end in (tail, head)} <= set(picture.nodes)
    assert len(picture.nodes) >= 1


@needs_graphviz
@settings(max_examples=20)
@given(expressions(), st.data(), st.sampled_from(DETAILS))
def test_graphviz_reads_what_is_written(f, data, detail):
    """Graphviz itself, as the outside reader: it finds the nodes, edges and groups that are meant, whatever the labels."""
    root = f(*map(Value, f.point))
    if not isinstance(root, Value):
        return
    for node in topological_order(root):
        node.label = data.draw(LABELS)
    root.backward()
    picture = draw(root, detail=detail)
    placed, meant = layout(picture), parse(picture)
    assert set(placed.nodes) == set(meant.nodes)
    assert set(placed.edges) == {at["id"] for *_, at in meant.edges}
    assert len(placed.clusters) == len({path[: i + 1] for path in meant.groups.values() for i in range(len(path))})


class TestRendered:
    @pytest.mark.parametrize("detail", ["neurons", "layers"])
    def test_hostile_labels_are_text_at_every_distance(self, detail):
        """As names of layers, neurons, inputs and the result: the image has the nodes of the DOT text and no more."""
        labels = [*HOSTILE.values(), *CLEANED, "x" * 10_000, ""]
        sums = []
        for i, label in enumerate(labels):
            z = weighted_sum([Value(0.5, f"{label}.w")], [Value(1.0, label)], Value(1.0, f"layer.n{i}.bias"))
            z.label = f"layer.n{i}.{label}" if i % 2 else f"layer.{label}.z"
            sums.append(z * Value(2.0, label + "2"))
        root = swept(total(sums))
        root.label = HOSTILE["script"] + HOSTILE["graphviz escapes"]
        picture = draw(root, detail=detail, max_neurons=None)
        svg = ET.fromstring(picture.pipe("svg"))
        groups = Counter(g.get("class").split()[0] for g in svg.iter(f"{SVG}g") if g.get("class"))
        # the legend and the captions of columns are nodes too
        assert groups == {"graph": 1, "node": len(parse(picture).nodes), "edge": len(parse(picture).edges)}
        assert {element.tag.removeprefix(SVG) for element in svg.iter()} <= {
            "svg", "g", "title", "polygon", "path", "ellipse", "text", "a", "polyline",
        }  # fmt: skip
        shown = {"".join(t.itertext()).replace("\u2060", "") for t in svg.iter(f"{SVG}text")}
        assert any(text.startswith("</script><s") for text in shown)

    def test_layout_says_where_everything_is(self):
        """Boxes inside the picture, operands left of results, edges that start and end at their nodes."""
        x, w = Value(2.0, "x"), Value(3.0, "n.w")
        y = x * w + 1.0
        y.label = "n.y"
        y.backward()
        picture = draw(y)
        placed = layout(picture)
        named = parse(picture)
        assert set(placed.nodes) == set(named.nodes)
        assert set(placed.edges) == {at["id"] for *_, at in named.edges}
        for box in (*placed.nodes.values(), *placed.clusters.values()):
            assert -0.01 < box.x - box.width / 2 < box.x + box.width / 2 < placed.width + 0.01  # Graphviz rounds
            assert -0.01 < box.y - box.height / 2 < box.y + box.height / 2 < placed.height + 0.01
        names = node_names(y)
        assert placed.nodes[names[x]].x < placed.nodes[names[y]].x
        for tail, head, at in named.edges:
            curve = placed.edges[at["id"]]
            assert len(curve.points) % 3 == 1
            ends = curve.tail or curve.points[0], curve.head or curve.points[-1]
            for name, (px, py) in zip((tail, head), ends, strict=True):
                box = placed.nodes[name]
                assert abs(px - box.x) <= box.width / 2 + 3
                assert abs(py - box.y) <= box.height / 2 + 3
            assert (curve.tail is None) == (at.get("dir") != "back")
        (group,) = placed.clusters.values()
        assert abs(placed.nodes[names[y]].x - group.x) < group.width / 2

    def test_layout_of_any_graph_has_the_edges_that_have_names(self):
        """Yours may have others: places are given by name, which an edge has as its id."""
        mine = graphviz.Digraph()
        mine.edge("a", "b", id="named")
        mine.edge("b", "c")
        placed = layout(mine)
        assert sorted(placed.nodes) == ["a", "b", "c"]
        assert list(placed.edges) == ["named"]

    def test_columns_stand_where_they_are_pinned(self):
        """Layers of a network are columns: equal x in a column, growing with depth."""
        root = MLP(2, [3, 2, 1])([1.0, 2.0])
        picture = draw(root, detail="neurons")
        placed = layout(picture)
        column = {}
        for name, at in parse(picture).nodes.items():
            if at["class"].startswith("unit"):
                column.setdefault(tooltip(at)[0].split(".")[0].rstrip("12") or "x", {}).setdefault(
                    placed.nodes[name].x, []
                ).append(name)
        xs = {x: len(names) for group in column.values() for x, names in group.items()}
        assert [xs[x] for x in sorted(xs)] == [2, 3, 2, 1]


class TestAlarm:
    @pytest.mark.parametrize("detail", ["neurons", "layers"])
    def test_infinite_and_nan_stand_out_at_every_distance(self, detail):
        """Also where only δ of a parameter inside is infinite; the tooltip names it, and nothing else is crimson."""
        w = Value(0.0, "layer1.neuron1.w")
        a = w.sqrt()
        a.label = "layer1.neuron1.a"
        root = swept(a * 3.0 + Value(1.0, "x"))
        root.label = "C"
        crimson = [
            at for at in parse(draw(root, detail=detail)).nodes.values() if at.get("color") == style.LIGHT.alarm.ink
        ]
        assert len(crimson) == 1
        assert any(line.startswith("infinite or NaN: ") and line.endswith("w") for line in tooltip(crimson[0]))
        assert "infinite or NaN" in "".join(texts(draw(root, detail=detail).source))
        fine = MLP(2, [2, 1])([1.0, 2.0])
        assert style.LIGHT.alarm.ink not in draw(swept(fine), detail=detail).source

    def test_a_nan_among_the_numbers_is_not_averaged_away(self):
        """A neuron that gave NaN for one sample of many is crimson."""
        mlp = MLP(1, [1, 1], activation="tanh", random_state=0)
        root = total([mlp([x]) for x in (0.5, math.nan, 1.0)])
        units = {tooltip(at)[0]: at for at in kind(draw(root, detail="neurons"), "unit")}
        assert units["layer1.neuron1"]["color"] == style.LIGHT.alarm.ink
        assert units["x1"]["color"] == style.LIGHT.alarm.ink
