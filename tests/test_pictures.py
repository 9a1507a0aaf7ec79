"""Pictures: what the DOT text says, that every label stays text, and that an image comes out wherever one can."""

import errno
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import graphviz
import pytest
from dot_text import CLEANED, HOSTILE, constants, edges, nodes, parse, texts

import autodiff
from autodiff import Op, Value, draw, relu, tanh, total, weighted_sum
from autodiff.pictures import RenderError, layout, render, set_renderer, stepper, style

SVG = "{http://www.w3.org/2000/svg}"
TITLE = "{http://www.w3.org/1999/xlink}title"


HAS_PYGRAPHVIZ = importlib.util.find_spec("pygraphviz") is not None
needs_pygraphviz = pytest.mark.skipif(not HAS_PYGRAPHVIZ, reason="pygraphviz has no wheel here")
needs_graphviz = pytest.mark.skipif(
    not (HAS_PYGRAPHVIZ or shutil.which("dot")), reason="neither pygraphviz nor dot is here"
)


def neuron():
    """The neuron of the course: w·x + b, σ, and its cost."""
    x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.5, "b")
    z = w * x + b
    z.label = "z"
    a = z.sigmoid()
    a.label = "a"
    cost = (1.0 - a) ** 2 / 2
    cost.label = "C"
    return cost


def swept(root):
    root.backward()
    return root


def svg_of(picture):
    return ET.fromstring(picture.pipe("svg"))


def svg_texts(picture):
    """The text that an SVG shows; the joiner that keeps backslashes text is invisible."""
    return ["".join(t.itertext()).replace("\u2060", "") for t in svg_of(picture).iter(f"{SVG}text")]


def tooltips(picture):
    return [a.get(TITLE).replace("\u2060", "") for a in svg_of(picture).iter(f"{SVG}a")]


class TestGraph:
    def test_a_picture_is_a_graphviz_digraph(self):
        """Whoever knows graphviz can go on with what draw gives; its copies are drawn likewise."""
        picture = draw(neuron())
        assert isinstance(picture, graphviz.Digraph)
        assert picture.copy().source == picture.source
        assert type(picture.copy()) is type(picture)

    def test_every_node_shows_label_symbol_value_and_delta(self):
        """Nodes are drawn once each, with the numbers of the graph, to the digits asked for."""
        shown = nodes(draw(swept(neuron())))
        assert sorted(text for text, _, _ in shown.values()) == sorted(
            [
                ["x", "2", "δ 0.2662"], ["w", "−3", "δ −0.1774"], ["b", "6.5", "δ −0.08872"],
                ["×", "−6", "δ −0.08872"], ["+", "z", "0.5", "δ −0.08872"], ["σ", "a", "0.6225", "δ −0.3775"],
                ["−", "0.3775", "δ 0.3775"], ["xⁿ", "0.1425", "δ 0.5"], ["÷", "C", "0.07127", "δ 1"],
            ]
        )  # fmt: skip
        assert {kind for text, kind, _ in shown.values() if text[0] in "xwb"} == {"leaf"}

    def test_forward_edges_carry_the_local_partials(self):
        """Each use of a node is an edge, with ∂result/∂operand as it was recorded."""
        x, w = Value(2.0, "x"), Value(-3.0, "w")
        z = w * x
        assert edges(draw(z), "forward") == [
            (("w", "−3"), ("×", "−6"), "∂ 2", ""),
            (("x", "2"), ("×", "−6"), "∂ −3", ""),
        ]

    def test_backward_edges_carry_what_delta_gains(self):
        """δ of the consumer times the partial, by sign, pointing back at the operand, wider for more."""
        x, y = Value(2.0, "x"), Value(-300.0, "y")
        picture = draw(swept(x * y + 0.001 * x))
        gains = {(tail[0], label, tone) for tail, _, label, tone in edges(picture, "backward")}
        assert {("x", "δ·∂ −300", "negative"), ("x", "δ·∂ 0.001", "positive"), ("y", "δ·∂ 2", "positive")} <= gains
        lines = [line for line in picture.source.splitlines() if "backward" in line]
        assert all("dir=back" in line for line in lines)
        widths = {
            label: float(re.search(r"penwidth=([\d.]+)", line)[1]) for line in lines for label in texts(line)[1:2]
        }
        assert widths["δ·∂ 0.001"] < widths["δ·∂ 2"] < widths["δ·∂ −300"]

    def test_an_operand_used_twice_has_two_edges(self):
        """y·y takes y twice, and δ flows back twice."""
        y = Value(3.0, "y")
        picture = draw(swept(y * y))
        assert len(nodes(picture)) == 2
        assert [label for *_, label, _ in edges(picture, "forward")] == ["∂ 3", "∂ 3"]
        assert [label for *_, label, _ in edges(picture, "backward")] == ["δ·∂ 3", "δ·∂ 3"]

    def test_constants_are_nodes_of_their_own_one_for_each_use(self):
        """Plain numbers among the operands are drawn small and apart; no δ flows to them."""
        picture = draw(swept(2.0 * Value(3.0, "x") + 2.0))
        assert constants(picture) == ["2", "2"]
        assert len(edges(picture, "backward")) == 2
        assert constants(draw(swept(2.0 * Value(3.0)), direction="backward")) == []

    def test_not_yet_swept_differs_from_zero(self):
        """Without a sweep δ is a dash in a dashed frame; a δ that is 0 is a solid 0."""
        x = Value(-1.0, "x")
        y = relu(x)
        before = draw(y).source
        assert [(text[-1], tone) for text, _, tone in nodes(draw(y)).values()] == [("δ –", "unswept")] * 2
        after = draw(swept(y)).source
        assert (["x", "−1", "δ 0"], "leaf", "zero") in nodes(draw(y)).values()
        assert ("rounded,dashed" in before, "rounded,dashed" in after) == (True, False)
        assert ("rounded,solid" in before, "rounded,solid" in after) == (False, True)

    def test_zero_grad_makes_a_node_unswept_again(self):
        """A leaf that forgot its δ looks like one that never had any; so does PyTorch's grad = None."""
        x, y = Value(2.0, "x"), Value(3.0, "y")
        z = swept(x * y)
        x.zero_grad()
        y.grad = None
        assert {text[0]: tone for text, _, tone in nodes(draw(z)).values()} == {
            "x": "unswept",
            "y": "unswept",
            "×": "positive",
        }

    def test_delta_that_is_a_value_is_drawn_as_its_number(self):
        """Gradients made with create_graph are numbers in pictures too."""
        x = Value(3.0, "x")
        y = x * x
        y.backward(create_graph=True)
        assert (["x", "3", "δ 6"], "leaf", "positive") in nodes(draw(y)).values()

    def test_a_grad_that_is_no_number_is_an_error_that_names_the_node(self):
        """The message names what cannot be drawn, by its label."""
        x = Value(3.0, "x")
        x.grad = "much"
        with pytest.raises(TypeError, match=r"grad of x must be a number, got 'much'; assign 0\.0"):
            draw(x * 2)

    def test_infinite_and_nan_stand_out(self):
        """Crimson, for values, δ, partials and constants alike, and nowhere else."""
        x = Value(0.0, "x")
        picture = draw(swept(x.sqrt() + Value(1.0, "k")))
        assert (["x", "0", "δ ∞"], "leaf", "alarm") in nodes(picture).values()
        assert [(tail[0], label, tone) for tail, _, label, tone in edges(picture, "backward") if tone == "alarm"] == [
            ("x", "δ·∂ ∞", "alarm")
        ]
        alarmed = [
            line.split()[0]
            for line in picture.source.splitlines()
            if f'color="{style.LIGHT.alarm.ink}" ' in line and "->" not in line
        ]
        assert len(alarmed) == 1
        nan = draw(Value(float("nan"), "n") * float("-inf"))
        assert f'fontcolor="{style.LIGHT.alarm.ink}"' in next(
            line for line in nan.source.splitlines() if "class=constant" in line
        )
        assert ["n", "NaN", "δ –"] in [text for text, *_ in nodes(nan).values()]
        assert style.LIGHT.alarm.ink not in draw(swept(neuron())).source

    def test_a_delta_of_zero_times_infinity_is_not_drawn_as_nan(self):
        """The picture follows the sweep: what is exactly 0 is not handed on."""
        x = Value(0.0, "x")
        picture = draw(swept(x.sqrt() * 0.0 + x))
        assert [label for tail, head, label, _ in edges(picture, "backward") if head[0] == "√"] == ["δ·∂ 0"]

    def test_direction_chooses_the_edges(self):
        """Forward edges, backward edges or both; by default δ flows as soon as there is one."""
        root = neuron()
        assert (len(edges(draw(root), "forward")), len(edges(draw(root), "backward"))) == (8, 0)
        assert [tone for *_, tone in edges(draw(root, direction="both"), "backward")] == ["unswept"] * 8
        root.backward()
        for direction, forward, backward in [(None, 8, 8), ("both", 8, 8), ("forward", 8, 0), ("backward", 0, 8)]:
            picture = draw(root, direction=direction)
            assert (len(edges(picture, "forward")), len(edges(picture, "backward"))) == (forward, backward)

    def test_the_legend_comes_with_delta(self):
        """Before a sweep there is nothing to explain."""
        root = neuron()
        assert "above 0" not in draw(root).source
        assert "above 0" not in draw(root, direction="both").source
        assert "above 0" in draw(swept(root)).source
        assert "above 0" not in draw(root, direction="forward").source

    def test_rankdir_and_digits(self):
        """Top-down where asked for; numbers to as many significant digits."""
        x = Value(2 / 3, "x")
        assert "rankdir=LR" in draw(x).source
        assert "rankdir=TB" in draw(x, rankdir="TB").source
        assert nodes(draw(x, digits=2))["n0"][0] == ["x", "0.67", "δ –"]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"direction": "up"}, r"direction must be one of 'forward', 'backward', 'both', got 'up'"),
            ({"rankdir": "RL"}, r"rankdir must be one of 'LR', 'TB', got 'RL'"),
            ({"digits": 0}, r"digits must be one of 1, 2, 3, .*, got 0"),
            ({"digits": 18}, r"digits must be one of .*, got 18"),
            ({"digits": 4.0}, r"digits must be one of .*, got 4\.0"),
            ({"digits": True}, r"digits must be one of .*, got True"),
        ],
    )
    def test_unknown_options_are_refused_with_the_known_ones(self, options, message):
        """A wrong option says what would be right."""
        with pytest.raises(ValueError, match=message):
            draw(Value(1.0), **options)

    @pytest.mark.parametrize("root", [3.0, None, [Value(1.0), 3.0], "x"])
    def test_what_is_no_value_is_refused_with_advice(self, root):
        """draw takes a Value, several, or a model."""
        told = rf"root must be the Value at the end.*several of them, or a model, got {type(root).__name__} "
        with pytest.raises(TypeError, match=told):
            draw(root)

    def test_the_same_graph_gives_the_same_text(self):
        """Nothing in the DOT text depends on addresses, hashes or time."""
        assert draw(swept(neuron())).source == draw(swept(neuron())).source
        assert draw(neuron()).source == draw(neuron()).source

    def test_a_sum_over_several_sweeps_has_a_mark(self):
        """After a second backward() a leaf holds twice what its arrow hands it, which is no contradiction then."""
        x, w = Value(2.0, "x"), Value(-1.5, "w")
        y = x * w
        y.backward()
        assert "Σ" not in draw(y).source
        y.backward()
        assert nodes(draw(y))["n1"][0][-1] == "δ −3 Σ"
        assert "sum over several sweeps" in draw(y).source
        assert nodes(draw(y))["n0"][0][-1] == "δ 1"

    def test_a_new_operation_is_drawn_by_its_row(self):
        """A user's own Op shows its own symbol."""
        cube = Op("cube", "x³", lambda a: a * a * a, partials=(lambda a, r: 3 * a * a,))
        assert nodes(draw(cube(Value(2.0))))["n0"][0] == ["x³", "8", "δ –"]

    def test_a_whole_neuron_is_one_node(self):
        """An operation on many operands has an edge for each that is a Value."""
        z = weighted_sum([Value(1.0, "w1"), Value(2.0, "w2")], [3.0, Value(4.0, "x2")], 5.0)
        picture = draw(z)
        assert [(tail[0], label) for tail, _, label, _ in edges(picture, "forward")] == [
            ("w1", "∂ 3"),
            ("w2", "∂ 4"),
            ("x2", "∂ 2"),
        ]
        assert constants(picture) == ["3", "5"]

    def test_a_graph_beyond_the_limit_is_summed_up(self):
        """20,000 nodes in a chain neither recurse nor hang: one card, with a message how to see more."""
        x = Value(1.0, "x")
        y = x
        for _ in range(19_999):
            y = y + x
        y.label = "y"
        picture = draw(swept(y), number_format=",.0f")
        assert set(parse(picture).nodes) == {"n0"}
        shown = texts(parse(picture).nodes["n0"]["label"])
        assert {"y", " = 20,000", "20,000 nodes · 19,999 operations · 19,999 deep", "1 input", "19,999"} <= set(shown)
        assert "values from 1 to 20,000" in shown
        assert "δ from 1 to 20,000" in shown
        assert "20,000 nodes are too many to draw. See more with" in picture.source
        assert "max_nodes=20000" in picture.source

    def test_a_summary_counts_what_it_says(self):
        """Kinds of leaves and operations, zeros, what is not swept and what is not finite."""
        xs = [Value(float(i), f"x{i}") for i in range(5)]
        bad = Value(float("inf"), "w1") * 2.0
        root = total([*xs, relu(Value(-1.0, "dead")), Value(3.0, "bias")])
        root.backward()
        shown = texts(parse(draw(root, max_nodes=1)).nodes["n0"]["label"])
        assert {"9 nodes · 2 operations · 2 deep", "6 inputs · 1 parameter"} <= set(shown)
        assert "δ from 0 to 1 · 1 is 0" in shown
        assert " · 2 infinite or NaN" in texts(parse(draw(bad, max_nodes=1)).nodes["n0"]["label"])
        part = total([root, bad, Value(1.0)])
        part.grad = 1.0
        assert "δ from 0 to 1 · 1 is 0 · 3 not yet swept" in texts(parse(draw(part, max_nodes=1)).nodes["n0"]["label"])

    def test_a_summary_lists_the_commonest_operations(self):
        """Eight kinds, and how many others there are; they are counted all the same."""
        x = Value(0.5, "x")
        kinds = ("sin", "cos", "tan", "exp", "log", "tanh", "sqrt", "erf", "sinh", "cosh")
        root = total([getattr(autodiff, name)(x) for name in kinds])
        shown = texts(parse(draw(root, max_nodes=1)).nodes["n0"]["label"])
        assert "12 nodes · 11 operations · 2 deep" in shown
        assert "and 3 other kinds" in shown
        assert sum(name in " ".join(shown).split() for name in (*kinds, "total")) == 8

    def test_a_raised_limit_draws_a_graph_of_any_depth(self):
        """With max_nodes raised, the DOT text of a deep graph comes without recursion."""
        x = Value(1.0, "x")
        y = x
        for _ in range(2_999):
            y = y + x
        assert len(nodes(draw(y, max_nodes=3_000))) == 3_000
        assert nodes(draw(y, max_nodes=2_999)) == {}

    @pytest.mark.parametrize("detail", ["operations", "neurons", "layers"])
    def test_a_leaf_alone_is_drawn_from_any_distance(self, detail):
        """Nothing was computed, so no row of layers is there: the one card is."""
        assert "x" in draw(Value(2.0, "x"), detail=detail).source

    def test_constants_count_towards_the_limit(self):
        """The nodes that are drawn are the nodes that are counted."""
        y = Value(1.0) * 2.0
        assert len(nodes(draw(y, max_nodes=3))) == 2
        assert nodes(draw(y, max_nodes=2)) == {}


@needs_graphviz
class TestLabels:
    @pytest.mark.parametrize("label", HOSTILE.values(), ids=HOSTILE.keys())
    def test_a_hostile_label_is_text(self, label):
        """Whatever a label holds, the image shows it as it is, tooltip included, and nothing else appears."""
        picture = draw(swept(Value(1.0, label) * Value(2.0, "other")))
        shown = label if len(label) <= 24 else label[:23] + "…"
        plain = svg_texts(draw(swept(Value(1.0, "plain") * Value(2.0, "other"))))
        assert sorted(svg_texts(picture)) == sorted(shown if text == "plain" else text for text in plain)
        assert any(tip.startswith(label) for tip in tooltips(picture))
        groups = [g.get("class") for g in svg_of(picture).iter(f"{SVG}g") if g.get("class")]
        assert sorted(g.split()[0] for g in groups) == ["edge"] * 4 + ["graph"] + ["node"] * 3

    @pytest.mark.parametrize(("label", "shown"), CLEANED.items(), ids=ascii)
    def test_what_cannot_be_shown_is_replaced(self, label, shown):
        """Line breaks, controls, half characters and overrides of direction become visible signs."""
        picture = draw(Value(1.0, label))
        assert shown in svg_texts(picture)
        assert any(tip.startswith(shown) for tip in tooltips(picture))

    def test_a_long_label_is_shortened_with_the_whole_in_the_tooltip(self):
        """10,000 characters do not burst the picture, nor are they lost."""
        label = "long" * 2_500
        picture = draw(Value(1.0, label))
        assert label[:23] + "…" in svg_texts(picture)
        assert any(label in tip for tip in tooltips(picture))
        assert float(svg_of(picture).get("width").removesuffix("pt")) < 400

    @pytest.mark.parametrize("label", ["", " ", "\t\n"])
    def test_an_empty_label_takes_no_room(self, label):
        """A label of nothing, or of spaces alone, is no label."""
        assert svg_texts(draw(Value(1.0, label))) == ["1", "δ –"]

    def test_a_hostile_symbol_is_text(self):
        """An operation's symbol is as free as a label."""
        op = Op("odd", "<\\N&", lambda a: a, partials=(lambda a, r: 1.0,))
        assert "<\\N&" in svg_texts(draw(op(Value(1.0))))

    def test_every_hostile_label_at_once_in_every_format(self):
        """They do not add up to more than text."""
        root = swept(total([Value(1.0, label) * 2 for label in [*HOSTILE.values(), *CLEANED, "x" * 10_000, ""]]))
        picture = draw(root, detail="operations")
        assert picture.pipe("png").startswith(b"\x89PNG")
        assert picture.pipe("pdf").startswith(b"%PDF")
        assert len(svg_texts(picture)) > 100


class TestStyle:
    @pytest.mark.parametrize(
        ("number", "digits", "shown"),
        [
            (0.5, 4, "0.5"), (-2.0, 4, "−2"), (1e-9, 4, "1e−9"), (1.5e300, 4, "1.5e300"), (123456.0, 4, "1.235e5"),
            (-0.0, 4, "0"), (float("inf"), 4, "∞"), (float("-inf"), 4, "−∞"), (float("nan"), 4, "NaN"), (5e-324, 2, "4.9e−324"),
        ],
    )  # fmt: skip
    def test_numbers_are_short_and_typeset(self, number, digits, shown):
        """A real minus, no padding in exponents, signs for what is not finite."""
        assert style.show(number, digits) == shown

    def test_width_grows_with_the_number_beside_the_largest(self):
        """From 1 at 0 to 6 at the largest, by square roots, whatever the sign and the scale; infinities as the largest."""
        for largest in (1e-300, 0.9, 1e300):
            scale = style.Scale([0.0, largest, -largest / 4.0, None, float("nan")])
            sizes = [scale.width(s * largest * x) for x in (0.0, 0.01, 0.25, 0.3, 1.0, 2.0) for s in (1, -1)]
            assert sizes == sorted(sizes)
            assert (sizes[0], scale.width(largest / 4.0), scale.width(largest), scale.width(float("-inf"))) == (
                1,
                3.5,
                6,
                6,
            )
            assert scale.examples() == [largest / 4.0, largest]
        assert style.Scale([]).width(3.0) == 6.0
        assert style.Scale([0.3 * k for k in range(-5, 4)]).examples() == pytest.approx([0.3, 0.9, 1.5])

    @pytest.mark.parametrize("share", [0.5, 0.7, 1.0])
    def test_a_legend_has_three_samples_that_differ_to_the_eye(self, share):
        """The ends and one between, each a point thicker; fewer only where no number of the picture lies between."""
        scale = style.Scale([0.001 * 1.3**k for k in range(30)])
        shown = scale.examples(share)
        assert (shown[0], shown[-1], len(shown)) == (0.001, 0.001 * 1.3**29, 3)
        thick = [scale.points(x, share) for x in shown]
        assert thick[0] < thick[1] < thick[2]
        assert style.Scale([1.0, 1.0001]).examples(share) == [1.0001]
        assert len(style.Scale([0.01, 0.011, 1.0]).examples(share)) == 2

    @pytest.mark.parametrize("theme", style.THEMES.values(), ids=style.THEMES.keys())
    def test_text_stands_out_from_what_is_behind_it(self, theme):
        """Contrast of at least 4.5 to 1 (WCAG 2.1, level AA), for every text on every paper that it stands on."""

        def luminance(colour):
            parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
            r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
            return 0.2126 * r + 0.7152 * g + 0.0722 * b

        def contrast(one, other):
            light, dark = sorted((luminance(one), luminance(other)), reverse=True)
            return (light + 0.05) / (dark + 0.05)

        tones = [theme.positive, theme.negative, theme.zero, theme.unswept, theme.alarm]
        papers = [theme.paper, *theme.groups, *(card[0] for card in (theme.operation, theme.parameter, theme.input))]
        written = [(tone.ink, tone.paper) for tone in tones] + [(tone.ink, paper) for tone in tones for paper in papers]
        written += [(ink, paper) for ink in (theme.ink, theme.muted) for paper in papers]
        written += [(theme.parameter[1], theme.operation[0])]
        assert {pair: contrast(*pair) for pair in written if contrast(*pair) < 4.5} == {}


@pytest.fixture
def fake_dot(monkeypatch, tmp_path):
    """Put a `dot` of one's own on the PATH, a shell script."""

    def install(script):
        folder = tmp_path / "bin"
        folder.mkdir()
        dot = folder / "dot"
        dot.write_text(f"#!/bin/sh\n{script}\n")
        dot.chmod(dot.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
        return dot

    return install


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def files(folder):
    return sorted(p.name for p in folder.iterdir())


@needs_pygraphviz
@pytest.mark.usefixtures("no_dot")
class TestRenderingWithoutDot:
    @pytest.mark.parametrize(
        ("name", "start"),
        [("a.svg", b"<?xml"), ("a.PNG", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.dot", b"digraph"), ("a.gv", b"digraph")],
    )
    def test_every_format_comes_out_and_nothing_else(self, out, name, start):
        """The suffix chooses; exactly one file is there afterwards, by the function and by the method."""
        picture = draw(swept(neuron()))
        assert render(picture, out / name) == out / name
        assert (out / name).read_bytes().lstrip().startswith(start)
        assert files(out) == [name]
        assert picture.save_as(str(out / name)) == out / name
        assert files(out) == [name]

    def test_pipe_gives_bytes_or_text(self):
        """As graphviz's own does; unknown formats and engines are refused by name."""
        picture = draw(neuron())
        assert picture.pipe("svg", encoding="utf-8").lstrip().startswith("<?xml")
        assert picture.pipe("svg", engine="neato") != picture.pipe("svg")
        assert picture.pipe().startswith(b"%PDF")
        with pytest.raises(ValueError, match=r"format must be one of .*svg.*, got 'docx'"):
            picture.pipe("docx")
        with pytest.raises(ValueError, match=r"engine must be one of .*dot.*, got 'cat'"):
            picture.pipe("svg", engine="cat")

    def test_graphvizs_own_render_keeps_its_habits(self, out):
        """The source and the image beside it; cleanup takes the source away, outfile names the image."""
        picture = draw(neuron())
        assert picture.render("pic", out, format="svg") == str(out / "pic.svg")
        assert files(out) == ["pic", "pic.svg"]
        assert picture.render("pic", out, format="svg", cleanup=True) == str(out / "pic.svg")
        assert files(out) == ["pic.svg"]
        fresh = draw(neuron())
        assert fresh.render(outfile=out / "other.png", cleanup=True) == str(out / "other.png")
        assert files(out) == ["other.png", "pic.svg"]

    @pytest.mark.parametrize("name", ["a.svg", "a.PNG", "a.pdf"])
    def test_text_is_not_saved_under_the_name_of_an_image(self, out, name):
        """graphviz's `save` would write DOT text into a.svg, which no program opens; nothing is written, and the way is told."""
        with pytest.raises(ValueError, match=r"save writes the picture's DOT source.*a\.\w+'; save_as\("):
            draw(neuron()).save(out / name)
        assert files(out) == []
        assert draw(neuron()).save("a.gv", out) == str(out / "a.gv")
        assert (out / "a.gv").read_text(encoding="utf-8").startswith("digraph")

    def test_options_that_only_dot_has_ask_for_dot(self, out):
        """They are not dropped without a word."""
        with pytest.raises(graphviz.ExecutableNotFound):
            draw(neuron()).pipe("svg", renderer="cairo")
        with pytest.raises(graphviz.ExecutableNotFound):
            draw(neuron()).render("a", out, format="svg", renderer="cairo")

    def test_what_graphviz_complains_about_reaches_the_reader(self):
        """A picture that somebody broke by hand says what is wrong with it."""
        picture = draw(neuron())
        picture.body.append("\tthis is [not DOT\n")
        with pytest.raises(RenderError, match=r"Graphviz could not make svg: pygraphviz: .*"):
            picture.pipe("svg")

    def test_a_large_network_is_drawn_in_seconds(self):
        """The micrograd demo's network, 2-16-16-1, some 700 nodes, stays a matter of seconds."""
        xs = [Value(0.5, f"x{i}") for i in range(2)]
        for size, (count, inputs) in enumerate([(16, 2), (16, 16), (1, 16)]):
            xs = [
                tanh(weighted_sum([Value(0.01 * (i - j), f"l{size}.n{j}.w{i}") for i in range(inputs)], xs, Value(0.1)))
                for j in range(count)
            ]
        assert len(svg_of(draw(swept(xs[0])))) > 0  # within the timeout of rendering, or this is an error

    def test_a_value_shows_itself_in_a_notebook_and_as_text_in_a_terminal(self, monkeypatch):
        """IPython's own formatter asks for it; where only text is shown, nothing is rendered."""
        pytest.importorskip("IPython", reason="IPython is a development dependency")
        from IPython.core.interactiveshell import InteractiveShell

        x = swept(neuron())
        shell = InteractiveShell.instance()
        try:
            monkeypatch.setattr(shell.display_formatter, "active_types", ["text/plain", "image/svg+xml"])
            shown, _ = shell.display_formatter.format(x)
            assert set(shown) == {"text/plain", "text/html", "image/svg+xml"}
            assert shown["text/plain"] == repr(x)
            monkeypatch.setattr(shell.display_formatter, "active_types", ["text/plain"])
            assert shell.display_formatter.format(x)[0] == {"text/plain": repr(x)}
        finally:
            InteractiveShell.clear_instance()

    def test_a_graph_too_large_to_draw_shows_a_summary(self):
        """A notebook never gets an exception."""
        x = Value(1.0)
        for _ in range(3000):
            x = x * 1.0
        assert "6,001 nodes are too many to draw" in x._repr_mimebundle_()["image/svg+xml"]

    def test_jupyter_gets_svg(self):
        """What a notebook asks for, it gets; include and exclude are heeded."""
        x = swept(neuron())
        bundle = draw(x)._repr_mimebundle_()
        assert list(bundle) == ["text/html", "image/svg+xml"]
        ET.fromstring(bundle["image/svg+xml"])
        assert x._repr_mimebundle_() == {**bundle, "text/plain": repr(x)}
        assert draw(x)._repr_mimebundle_(exclude=["text/html"]) == {"image/svg+xml": bundle["image/svg+xml"]}
        assert draw(x)._repr_mimebundle_(include=["text/html"]) == {"text/html": bundle["text/html"]}
        assert draw(x)._repr_mimebundle_(include=["text/latex"]) == {}
        assert set(draw(x)._repr_mimebundle_(include=["image/png", "text/plain"])) == {"image/png", "text/plain"}


@pytest.mark.usefixtures("no_graphviz")
class TestRenderingWithoutAnything:
    def test_the_error_says_what_to_install_and_leaves_the_source(self, out):
        """No image, but nothing is lost: the DOT text lies beside the path, in the file that is named."""
        picture = draw(neuron())
        with pytest.raises(
            RenderError, match=r'pip install "delta-autodiff\[render\]".*The DOT source is in .*neuron\.svg\.dot'
        ) as caught:
            render(picture, out / "neuron.svg")
        assert str(out / "neuron.svg.dot") in str(caught.value)
        assert files(out) == ["neuron.svg.dot"]
        assert (out / "neuron.svg.dot").read_text(encoding="utf-8") == picture.source

    def test_what_was_there_before_stays(self, out):
        """A failure does not take an earlier image away."""
        (out / "neuron.svg").write_text("earlier")
        with pytest.raises(RenderError):
            render(draw(neuron()), out / "neuron.svg")
        assert (out / "neuron.svg").read_text() == "earlier"

    def test_pipe_writes_nothing(self, out, monkeypatch):
        """Without a path there is no file to leave."""
        monkeypatch.chdir(out)
        with pytest.raises(RenderError, match=r"no Graphviz to draw with"):
            draw(neuron()).pipe("svg")
        assert files(out) == []

    def test_the_source_needs_no_graphviz(self, out):
        """DOT text is text."""
        picture = draw(neuron())
        assert render(picture, out / "neuron.gv").read_text(encoding="utf-8") == picture.source

    def test_jupyter_gets_the_source_and_a_hint(self):
        """A notebook shows DOT text with a comment on top, still DOT, and never an exception."""
        picture = draw(neuron())
        bundle = picture._repr_mimebundle_()
        hint, _, source = bundle["text/plain"].partition("\n")
        assert (list(bundle), source) == (["text/plain"], picture.source)
        assert hint.startswith("// there is no Graphviz")
        assert picture._repr_mimebundle_(exclude=["text/plain"]) == {}


class TestRenderingWithDot:
    def test_the_systems_dot_comes_first(self, fake_dot, out):
        """The `dot` on the PATH is called, with format and source."""
        fake_dot('echo "$@"; cat')
        picture = draw(neuron())
        render(picture, out / "a.svg")
        assert (out / "a.svg").read_text(encoding="utf-8") == f"-Kdot -Tsvg\n{picture.source}"

    @needs_pygraphviz
    def test_where_dot_fails_pygraphviz_goes_on(self, fake_dot, out):
        """A dot that is broken is no reason to give up."""
        fake_dot("exit 3")
        render(draw(neuron()), out / "a.png")
        assert (out / "a.png").read_bytes().startswith(b"\x89PNG")

    def test_when_all_fail_every_reason_is_told(self, fake_dot, no_graphviz, monkeypatch, tmp_path):
        """The last line of what dot said, or its exit code."""
        dot = fake_dot("echo first >&2; echo no cairo here >&2; exit 3")
        monkeypatch.setenv("PATH", f"{dot.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
        with pytest.raises(RenderError, match=r"could not make png: dot: no cairo here$"):
            draw(neuron()).pipe("png")
        dot.write_text("#!/bin/sh\nexit 3\n")
        with pytest.raises(RenderError, match=r"dot: no output, exit code 3$"):
            draw(neuron()).pipe("png")

    def test_a_dot_that_cannot_start_is_a_render_error(self, fake_dot, no_graphviz, monkeypatch):
        """No OSError escapes from the chain."""
        dot = fake_dot("")
        dot.write_text("#!/nonexistent/interpreter\n")
        monkeypatch.setenv("PATH", str(dot.parent))
        with pytest.raises(RenderError, match=r"could not make svg: dot: "):
            draw(neuron()).pipe("svg")

    def test_a_layout_that_takes_too_long_is_stopped_with_all_it_started(self, fake_dot, out, tmp_path):
        """Even where dot is a script whose child holds the pipes open; the source is left."""
        fake_dot(f"(sleep 60; touch {tmp_path}/finished) & echo $! > {tmp_path}/child; wait")
        with pytest.raises(RenderError, match=r"dot took longer than 0\.5 s; draw a smaller part.*a\.svg\.dot"):
            render(draw(neuron()), out / "a.svg", timeout=0.5)
        assert files(out) == ["a.svg.dot"]
        child = int((tmp_path / "child").read_text())
        while alive(child):  # it dies now, or finishes what it was to be kept from
            time.sleep(0.05)
        assert not (tmp_path / "finished").exists()

    @needs_pygraphviz
    def test_pygraphviz_is_stopped_too(self, out, no_dot):
        """The library runs in a process of its own, so that a hang can be ended."""
        with pytest.raises(RenderError, match=r"pygraphviz took longer than 0\.001 s"):
            render(draw(neuron()), out / "a.svg", timeout=0.001)


def alive(pid):
    """Whether a process runs; one that is dead and not yet waited for does not."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"cat /proc/{pid}/stat 2>/dev/null"], capture_output=True, text=True, check=False
    )
    return bool(done.stdout) and done.stdout.rpartition(")")[2].split()[0] != "Z"


class TestWriting:
    @pytest.mark.parametrize("name", ["a.gif", "a", "a.svg.zip", ".svg"])
    def test_an_unknown_suffix_is_refused_with_the_known_ones(self, out, name):
        """Before anything is drawn or written."""
        with pytest.raises(ValueError, match=r"the suffix must be one of \.svg, \.png, \.pdf, \.dot, \.gv, got"):
            render(draw(neuron()), out / name)
        assert files(out) == []

    def test_a_missing_folder_is_named(self, out):
        """Folders are the caller's to make."""
        with pytest.raises(
            FileNotFoundError, match=r"the folder must exist, got .*missing' for 'a\.svg'; create it first"
        ):
            render(draw(neuron()), out / "missing" / "a.svg")

    def test_a_value_has_to_be_drawn_first(self, out):
        """render takes pictures; the message says how to get one."""
        with pytest.raises(TypeError, match="got Value") as caught:
            render(neuron(), out / "a.svg")
        assert "render(draw(value), path)" in str(caught.value)

    def test_an_interrupted_write_leaves_the_old_file_and_no_other(self, out, monkeypatch):
        """The new content has its name only when it is whole."""
        (out / "a.svg").write_text("earlier")
        seen = []

        def interrupted(temporary, path):
            seen.append((temporary.parent, temporary.stat().st_size > 0, path))
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            render(draw(neuron()), out / "a.svg")
        assert seen == [(out, True, out / "a.svg")]
        assert files(out) == ["a.svg"]
        assert (out / "a.svg").read_text() == "earlier"

    def test_a_picture_is_as_readable_as_any_other_file(self, out):
        """Written by way of a temporary file, it still has the permissions of a plain one."""
        (out / "plain").write_text("")
        path = render(draw(neuron()), out / "a.gv")
        assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((out / "plain").stat().st_mode)

    def test_a_path_that_is_a_folder_is_an_error_without_remains(self, out):
        """Nothing temporary stays behind."""
        (out / "a.gv").mkdir()
        with pytest.raises(IsADirectoryError, match=r"got the folder '.*a\.gv'"):
            render(draw(neuron()), out / "a.gv")
        assert files(out) == ["a.gv"]

    def test_what_the_system_refuses_is_said_of_the_path_that_was_given(self, out, monkeypatch):
        """Not of a temporary file, which nobody has heard of."""
        monkeypatch.setattr(os, "replace", refused)
        with pytest.raises(PermissionError, match=r"Permission denied: '[^']*/a\.gv'"):
            render(draw(neuron()), out / "a.gv")
        assert files(out) == []

    def test_no_graphviz_is_still_said_where_nothing_can_be_written(self, out, no_graphviz, monkeypatch):
        """The source that would lie beside the picture must not hide why there is none."""
        monkeypatch.setattr(os, "replace", refused)
        with pytest.raises(RenderError, match=r"no Graphviz.*could not be left in .*a\.svg\.dot.*Permission denied"):
            render(draw(neuron()), out / "a.svg")
        assert files(out) == []

    @pytest.mark.parametrize("timeout", [0, -1, "1", None, float("nan"), float("inf")])
    def test_a_timeout_has_to_be_a_time(self, out, timeout):
        """Else it would look as if Graphviz had been slow."""
        with pytest.raises(ValueError, match="timeout must be a number of seconds above 0"):
            render(draw(neuron()), out / "a.svg", timeout=timeout)
        assert files(out) == []


@pytest.fixture
def chosen(no_graphviz):
    """A way to choose a renderer, where there is none else; afterwards the usual one is back."""
    yield set_renderer
    set_renderer(None)


@pytest.fixture
def by_dot():
    """Graphviz as a renderer of one's own, found before it is hidden; and what it was asked for."""
    dot = shutil.which("dot") or pytest.skip("no dot here to be hidden")

    def renderer(source, form, engine):
        renderer.asked.add((form, engine))
        command = [dot, f"-K{engine}", f"-T{form}"]
        return subprocess.run(command, input=source.encode(), capture_output=True, check=True).stdout

    renderer.asked = set()
    return renderer


class TestARendererOfOnesOwn:
    def test_everything_that_needs_graphviz_asks_it(self, by_dot, out, request):
        """Images, positions, a notebook's display and the stepper are those that `dot` gives without it."""
        C = swept(neuron())
        image, places, page = draw(C).pipe("svg"), layout(draw(C)), stepper(C).html
        request.getfixturevalue("chosen")(by_dot)
        assert draw(C).pipe("svg") == image
        assert layout(draw(C)) == places
        assert stepper(C).html == page
        assert "<svg" in draw(C)._repr_mimebundle_()["image/svg+xml"]
        render(draw(C), out / "C.svg")
        assert (out / "C.svg").read_bytes() == image
        assert {form for form, _ in by_dot.asked} <= {"svg", "json0", "json"}
        set_renderer(None)
        with pytest.raises(RenderError, match="no Graphviz"):
            draw(C).pipe("svg")

    def test_text_serves_as_bytes_do(self, chosen):
        """A browser's Graphviz gives text."""
        chosen(lambda source, form, engine: f"<svg>δ {form} {engine} {source[:7]}</svg>")
        assert draw(Value(2.0, "x")).pipe("svg", encoding="utf-8") == "<svg>δ svg dot digraph</svg>"

    @pytest.mark.parametrize("given", ["", b"", None, 3])
    def test_what_is_no_image_is_an_error(self, chosen, given, out):
        """Neither an empty file nor a TypeError of ours."""
        chosen(lambda *_: given)
        with pytest.raises(RenderError, match="the renderer must return the svg as text or bytes, got"):
            render(draw(neuron()), out / "a.svg")
        assert [path.name for path in out.iterdir()] == ["a.svg.dot"]

    def test_what_it_raises_is_told(self, chosen):
        """Whatever its kind: a page's errors are none of Python's."""
        chosen(lambda *_: 1 / 0)
        with pytest.raises(RenderError, match="the renderer could not make svg: division by zero"):
            draw(neuron()).pipe("svg")

    def test_it_must_be_callable(self):
        """Said at the call, and nothing changes."""
        with pytest.raises(TypeError, match="renderer must be a function"):
            set_renderer("dot")


def refused(*_):
    raise PermissionError(errno.EACCES, "Permission denied", "temporary")


def test_importing_the_engine_does_not_import_graphviz():
    """Pictures load what they need when they are asked for."""
    code = "import sys, autodiff; before = 'graphviz' in sys.modules; autodiff.draw; sys.exit(before or 'graphviz' not in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_drawing_starts_no_process(monkeypatch):
    """DOT text is made without Graphviz: only images need one."""
    monkeypatch.setattr(shutil, "which", lambda *_: pytest.fail("looked for dot"))
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("started a process"))
    assert "digraph" in draw(swept(neuron())).source
