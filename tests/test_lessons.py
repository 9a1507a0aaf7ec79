"""The lessons run, and what they find is what the course says (the numbers of its slides and of the 1986 paper)."""

import json
import re
import runpy

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="lessons draw with matplotlib, the extra `plots`")

from lessons import by_hand
from lessons.notebooks import COURSE, notebook, sources

LESSONS = {source.name[:2]: source for source in sources()}


@pytest.fixture(scope="module")
def lesson():
    """Return the variables of a lesson after its run; each is run once."""
    run = {}

    def run_once(number):
        if number not in run:
            run[number] = runpy.run_path(str(LESSONS[number]))
        return run[number]

    return run_once


def test_the_lessons_teach_the_courses_topics_in_their_order():
    """Seventeen headings, numbered as the course's topics are, over all lessons."""
    headings = [
        int(number)
        for source in sources()
        for number in re.findall(r"^# ## (\d+)\. ", source.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert headings == list(range(1, 18))


def test_gradient_descent_and_the_line(lesson):
    """ECM of (1,3), (2,5), (3,7), (4,9): gradient (−35, −12) at 0; the fit is w = 2, b = 1; α converges below 2/15."""
    one = lesson("01")
    assert one["ecm_gradient"] == (-35.0, -12.0)
    assert (one["model"].coef_[0], one["model"].intercept_) == pytest.approx((2.0, 1.0), abs=1e-5)
    assert one["path"][-1] == pytest.approx([2.0, 1.0], abs=0.05)
    assert one["curvature"] == 15.0
    crawls, arrives, diverges = one["paths"].values()
    assert abs(crawls[-1] - 2) > 0.5
    assert abs(arrives[-1] - 2) < 1e-6
    assert abs(diverges[-1] - 2) > abs(diverges[0] - 2)


def test_the_neuron_and_the_perceptron(lesson):
    """«Noche épica» has sums −6, −2, −1, 3; Rosenblatt's rule takes 6 passes to w = (2, 1), b = −2; XOR never ends."""
    two = lesson("02")
    assert (two["plane"].intercept_, *two["plane"].coef_) == pytest.approx((3.0, 2.0, -1.0), abs=1e-6)
    assert two["same"] == pytest.approx(two["y"], abs=1e-6)
    assert two["sums"].tolist() == [-6.0, -2.0, -1.0, 3.0]
    assert two["by_threshold"].tolist() == two["by_bias"].tolist() == [0, 0, 0, 1]
    assert two["on_threshold"].tolist() == [0]
    night = two["night"]
    assert (night.passes, night.weights.tolist(), night.bias) == (6, [2.0, 1.0], -2.0)
    assert not two["xor"].converged
    assert two["caught"][0].category.__name__ == "ConvergenceWarning"


def test_networks(lesson):
    """Linear layers collapse into one; tanh does not; sigmoid and tanh at 0.5 against their closed forms."""
    three = lesson("03")
    assert three["without_pizza"]["good mark"] == 1.0
    assert three["xor"].tolist() == [0.0, 1.0, 1.0, 0.0]
    assert three["three_layers"] == pytest.approx(three["one_layer"], rel=1e-14)
    assert three["departures"]["linear"] < 1e-14 < 0.1 < three["departures"]["tanh"]
    s, t = 1 / (1 + np.exp(-0.5)), np.tanh(0.5)
    expected = {"step": (1, 0), "sigmoid": (s, s * (1 - s)), "tanh": (t, 1 - t * t), "relu": (0.5, 1)}
    for name, pair in expected.items():
        assert three["table"][name] == pytest.approx(pair, rel=1e-14)
    line, network = three["scores"].values()
    assert line < 0.92 < 0.97 < network


def test_backpropagation(lesson):
    """Perturbation takes more evaluations the more weights there are; the formulas are the graph's own derivatives."""
    four = lesson("04")
    needed = four["evaluations"]
    assert needed[4] * 2 < needed[16] < needed[64] / 2
    assert four["halved"] == pytest.approx({4: 0.25, 16: 0.25, 64: 0.25})
    assert four["from_graph"] == pytest.approx(four["delta1"], rel=1e-12)
    assert four["largest_difference"] < 1e-15
    assert four["costs"][-1] < four["costs"][0] / 20


def test_the_paper_of_1986(lesson):
    """XOR 2-4-1 as soon as by hand; mirror weights 1 : 2 : 4, equal and opposite; family trees above 95 %."""
    five, there = lesson("05"), json.loads(by_hand.FILE.read_text(encoding="utf-8"))
    four, two = five["solved_runs"][4], five["solved_runs"][2]
    assert four.reached.sum() >= 198
    assert np.median(four.sweeps) == pytest.approx(there["XOR, 2-4-1"]["median"], rel=0.2)
    assert two.reached.sum() == pytest.approx(there["XOR, 2-2-1"]["solved"], abs=20)
    assert five["trained"].reached.sum() >= 29
    assert five["median_sweeps"] == pytest.approx(there["symmetry, ε 0.03"]["median"], rel=0.15)
    assert five["ratio"] == pytest.approx(there["symmetry, ε 0.03, E < 0.1"]["magnitudes"], rel=0.02)
    assert five["asymmetry"] < 0.002
    assert (five["weights"][:, -1] < 0).all()
    assert five["output_bias"] > 0
    assert five["training"].mean() > 0.95


def test_the_exercises(lesson):
    """Apples and oranges, and the golden run of study, sleep, mark, to every digit the references have."""
    six = lesson("06")
    curve = six["raw"].loss_curve_
    assert [curve[0], curve[1], curve[100], curve[1000]] == pytest.approx(
        [8327.1, 5767.995018, 153.936620, 4.382344], abs=5e-7
    )
    assert six["largest_rate"] == pytest.approx(1.117e-4, rel=5e-4)
    expected = [
        [-0.3875742381, 0.8477568429, 0.6981781791, -1.6376129989],
        [-0.2851581309, 0.7940066372, 0.9249753216, -2.2182793922],
    ]
    assert six["exact"] == pytest.approx(np.array(expected), abs=1e-9)
    assert six["fitted"] == pytest.approx(np.array(expected), abs=1e-6)
    assert six["model"].loss_curve_[-1] == pytest.approx(0.4831212221, abs=1e-9)
    errors = six["errors"]
    assert [errors[0], errors[1], errors[1000]] == pytest.approx(
        [0.134787897465, 0.099436798016, 0.001784305295], abs=5e-13
    )
    assert six["prediction"] == pytest.approx(0.939368027852, abs=5e-13)


@pytest.mark.parametrize("source", sources(), ids=lambda path: path.stem)
def test_a_notebook_is_its_lesson_run(source):
    """The same cells in the same order, every code cell run, no error in it, and small enough to be kept."""
    pytest.importorskip("jupytext", reason="jupytext is a development dependency")
    path = source.with_suffix(".ipynb")
    committed = json.loads(path.read_text(encoding="utf-8"))
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in committed["cells"]]
    again = f"run: python -m lessons.notebooks {source.stem}"
    assert cells == [(cell.cell_type, cell.source) for cell in notebook(source).cells], again
    code = [cell for cell in committed["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1)), again
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert any("image/png" in output.get("data", {}) or "image/svg+xml" in output.get("data", {}) for output in outputs)
    assert path.stat().st_size < 300_000


def test_every_notebook_has_its_lesson():
    """None is left over."""
    assert {path.stem for path in COURSE.glob("*.ipynb")} == {path.stem for path in sources()}


def test_the_index_leads_to_every_lesson():
    """lessons/README.md links to each notebook, and to nothing that is not there."""
    index = COURSE.parent / "README.md"
    links = re.findall(r"\]\(([^)#]+)\)", index.read_text(encoding="utf-8"))
    assert all((index.parent / link).exists() for link in links)
    assert {path.name for path in COURSE.glob("*.ipynb")} <= {link.split("/")[-1] for link in links}
