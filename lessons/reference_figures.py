"""Write docs/reference-figures.md, figure by figure, as they come out today: `python -m lessons.reference_figures`.

It takes about a minute and a half, most of it for two hundred seeds of the 1986 networks.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from lessons import figures
from lessons.by_hand import FILE
from models import LinearRegression, MLPClassifier, MLPRegressor, Perceptron
from models.networks_1986 import PAPER, STRICT_RECIPE
from website import spanish

HEAD = """# The reference figures: what the course and the paper give, and what comes out here

Made by `python -m lessons.reference_figures`, which computes every figure under "ours" anew. The reference was worked
out by hand or in plain NumPy (`python -m lessons.by_hand`), apart from this code; the tests compare with it, never with
earlier output. They are run by `python -m pytest tests/NAME.py -k TEST`. How the networks of the 1986 paper compare
with what it reports is in [networks-1986.md](networks-1986.md).
"""

ESTIMATORS = LinearRegression(), Perceptron(max_iter=30), MLPClassifier(), MLPRegressor()  # 1,000 passes take 20 s

TITLES = {
    1: "The course, slide by slide",
    3: "Small figures",
    4: "The 1986 paper's networks",
    5: "The exercises",
}

CHECKS = """
## scikit-learn's own checks

`check_estimator` on each of the four; the tests run it too, and accept no failure. The one that may be skipped is
`check_array_api_input`: scikit-learn skips it itself unless SciPy was told, by an environment variable, to take arrays
of others.

| estimator | scikit-learn | checks run | failed | skipped |
|---|---|---|---|---|
"""


class Row(NamedTuple):
    """A figure: what it is of, what the reference says, what we get, and the tests that assert it ("file::test").

    `slow` ones take seconds, or count runs whose ends another rounding may change; the test of the page computes the
    others anew.
    """

    section: int
    what: str
    reference: str
    ours: Callable[[], str]
    tests: tuple[str, ...]
    slow: bool = False


def page() -> str:
    """Compute the whole page."""
    lines = [HEAD]
    for section, title in TITLES.items():
        lines += [f"\n## {title}\n", "| what | reference | ours | asserted by |", "|---|---|---|---|"]
        lines += [line(row, row.ours()) for row in ROWS if row.section == section]
    return "\n".join(lines) + "\n" + CHECKS + "\n".join(map(checks_line, ESTIMATORS)) + "\n"


def checks_line(estimator: Any) -> str:
    """Run scikit-learn's own checks on an estimator and return the counts as a line."""
    import sklearn
    from sklearn.utils.estimator_checks import check_estimator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks provoke warnings, and judge themselves which are right
        status = [result["status"] for result in check_estimator(estimator, on_skip=None, on_fail=None)]
    counts = len(status), sum(s not in {"passed", "skipped"} for s in status), status.count("skipped")
    return f"| {type(estimator).__name__} | {sklearn.__version__} | {' | '.join(map(str, counts))} |"


def by_hand(name: str) -> str:
    """Return how two hundred networks written by hand fared."""
    run = json.loads(FILE.read_text(encoding="utf-8"))[name]
    solved = f"{run['solved']} of {run['runs']}, median {run['median']:,.0f} ({run['quickest']:,}–{run['slowest']:,})"
    others = " or ".join(map(str, run["E of the others"]))
    return f"{solved}, the rest at E = {others}" if others else solved


def magnitudes_by_hand() -> str:
    """Return the ratios of the weights of those networks."""
    found = json.loads(FILE.read_text(encoding="utf-8"))["symmetry, ε 0.03, E < 0.1"]["magnitudes"]
    return f"median {' : '.join(f'{x:.3g}' for x in found)}"


def line(row: Row, ours: str) -> str:
    """Return a row as it stands in the page."""
    return f"| {row.what} | {row.reference} | {ours} | {', '.join(f'`{test}`' for test in row.tests)} |"


REGRESSION, RULE, PAPERS = "test_linear_regression.py", "test_perceptron_rule.py", "test_networks_1986.py"

ROWS = (
    Row(1, "1 gradient descent: α = 0.0001, 0.1, 0.13 on the line's points, 50 steps",
        "crawls, falls, diverges (closed form)", figures.line_descents,
        (f"{REGRESSION}::test_every_step_of_the_descent_has_its_closed_form",)),
    Row(1, "2 linear regression on (1,3), (2,5), (3,7), (4,9)", "w = 2, b = 1", figures.line_fit,
        (f"{REGRESSION}::test_one_target_gives_a_vector_and_a_float",)),
    Row(1, "3 ∂ECM/∂w, ∂ECM/∂b of those points at 0", "−35, −12", figures.ecm_at_zero,
        (f"{REGRESSION}::test_the_gradient_of_the_mean_squared_error",
         "test_losses.py::test_the_batch_loss_of_the_course")),
    Row(1, "4 multiple linear regression", "least squares (section 5)", lambda: "see section 5",
        (f"{REGRESSION}::test_standardised_inputs_reach_the_optimum",)),
    Row(1, "5 a neuron without activation is a linear regression", "equal weights", figures.neuron_is_regression,
        (f"{REGRESSION}::test_a_neuron_without_activation_is_a_linear_regression",)),
    Row(1, "6 WX > threshold or WX + b > 0, b = −threshold", "the same decisions; at the threshold 0",
        figures.threshold_or_bias,
        (f"{RULE}::test_a_threshold_is_a_bias_with_the_other_sign",
         f"{RULE}::test_at_exactly_the_threshold_the_answer_is_0")),
    Row(1, "7 «noche épica»: w = (4, 5), b = −6 on 00, 10, 01, 11", "−6, −2, −1, 3 → 0, 0, 0, 1", figures.night,
        (f"{RULE}::test_the_weighted_sums_of_epic_night_and_their_step_is_and",
         f"{RULE}::test_epic_night_is_learnt_from_zeros")),
    Row(1, "9 the perceptron on XOR", "says that it will not converge", figures.xor_warning,
        ("test_perceptron.py::test_xor_gives_a_warning_instead_of_a_pretence",
         f"{RULE}::test_xor_gives_a_warning_that_says_what_to_do")),
    Row(1, "10 neurons that feed neurons: Monday's exam", "32 weekends, by plain logic", figures.exam,
        ("test_hierarchy.py::test_the_hierarchy_decides_mondays_exam",)),
    Row(1, "11 stacked linear layers, and the one they collapse into", "equal; with activations not", figures.collapsed,
        ("test_backpropagation.py::test_stacked_linear_layers_are_one_linear_map",
         "test_backpropagation.py::test_an_activation_breaks_the_collapse")),
    Row(1, "12 step, sigmoid, tanh, ReLU: slopes at 0", "σ′(0) = 0, 0.25, 1, 0", figures.activations,
        ("test_laws.py::test_value_partials_and_second_partials_are_those_of_mpmath",
         "test_laws.py::test_kinks_are_what_was_decided_in_all_three_arithmetics")),
    Row(1, "13 random perturbation: to halve Σ (w − 1)² of 4, 16, 64, 256 weights (median of 25)",
        "grows with the number of weights", figures.perturbations,
        ("test_perturbation.py::test_evaluations_grow_with_the_weights_and_backward_sweeps_do_not",
         "test_perturbation.py::test_evaluations_per_improvement_grow_with_the_weights_as_theory_says"), slow=True),
    Row(1, "14 δ flowing backward: x = 2, w = −3, b = 6.5, sigmoid, C = (1 − a)²/2",
        "δ = −0.0887234587, 2δ for w", figures.one_neuron,
        ("test_docs.py::test_the_picture_in_the_readme_is_the_one_its_code_draws",)),
    Row(1, "15 the formulas of backpropagation, and the graph's derivatives", "equal", figures.formulas,
        ("test_backpropagation.py::test_the_formulas_for_one_sample_are_the_graphs_derivatives",
         "test_backpropagation.py::test_the_formulas_for_a_batch_are_the_graphs_derivatives")),
    Row(1, "16 the 1986 paper, 17 the exercises", "sections 4 and 5", lambda: "see there",
        (f"{PAPERS}::test_equation_9_and_the_cut_are_as_the_paper_says",
         "test_datasets.py::test_the_golden_run_of_study_sleep_mark")),
    Row(3, "Rosenblatt's rule on AND, rows 00, 01, 10, 11", "6 passes, w = (2, 1), b = −2", figures.rosenblatt,
        (f"{RULE}::test_rosenblatts_rule_learns_and_in_six_passes",
         "test_perceptron.py::test_and_is_learnt_as_in_the_reference")),
    Row(3, "XOR, 2-4-1, ε 0.5, α 0.9, U(−1, 1)", by_hand("XOR, 2-4-1"), figures.xor_four,
        (f"{PAPERS}::test_four_hidden_units_solve_xor",), slow=True),
    Row(3, "XOR, 2-2-1, the same", by_hand("XOR, 2-2-1"), figures.xor_two,
        (f"{PAPERS}::test_two_hidden_units_solve_xor_most_of_the_time",), slow=True),
    Row(4, "mirror symmetry, the paper's settings (ε 0.1, α 0.9)", by_hand("symmetry, ε 0.1"),
        lambda: figures.symmetry(0.1),
        (f"{PAPERS}::test_the_papers_own_settings_for_symmetry_are_slower_and_may_get_stuck",), slow=True),
    Row(4, "biases start at 0", by_hand("symmetry, ε 0.1, biases start at 0"),
        lambda: figures.symmetry(0.1, zero_biases=True),
        (f"{PAPERS}::test_with_biases_that_start_at_0_the_papers_settings_always_solve_symmetry",), slow=True),
    Row(4, "ε 0.03", by_hand("symmetry, ε 0.03"), lambda: figures.symmetry(0.03),
        (f"{PAPERS}::test_mirror_symmetry_is_solved",), slow=True),
    Row(4, "runs that were not solved", "E = 4.0, 56 of 64", figures.symmetry_stuck,
        (f"{PAPERS}::test_the_papers_own_settings_for_symmetry_are_slower_and_may_get_stuck",), slow=True),
    Row(4, "mirror error of solved runs, E < 0.1, of the largest weight", "0.2 % at most", figures.mirror,
        (f"{PAPERS}::test_the_weights_come_out_mirrored",), slow=True),
    Row(4, "magnitudes of solved runs, E < 0.1", magnitudes_by_hand(), figures.magnitudes,
        (f"{PAPERS}::test_magnitudes_are_1_2_4_or_else_2_3_4",), slow=True),
    Row(4, "family trees: the data", "104 cases, 112 triples", figures.family_data,
        ("test_datasets.py::test_family_trees_have_104_cases_and_112_triples",)),
    Row(4, "the paper's settings", "nothing is learnt (20 runs)", lambda: figures.family(PAPER, runs=20),
        (f"{PAPERS}::test_with_the_papers_own_settings_no_family_is_learnt",), slow=True),
    Row(4, "the recipe that works", "98.3 % of training cases, 56 % of held-out ones, all four right in 13 of 100 runs",
        figures.family, (f"{PAPERS}::test_the_family_trees_are_learnt",), slow=True),
    Row(4, "by the paper's criterion, 0.8 and 0.2, with `STRICT_RECIPE`", "none given",
        lambda: figures.family(STRICT_RECIPE, runs=40, margin=0.3),
        (f"{PAPERS}::test_the_family_trees_are_learnt_by_the_sharper_criterion",), slow=True),
    Row(5, "apples: temperature, rainfall, humidity, bias", "−0.3875742381, 0.8477568429, 0.6981781791, −1.6376129989",
        lambda: figures.least_squares(slice(0, 1)), (f"{REGRESSION}::test_standardised_inputs_reach_the_optimum",)),
    Row(5, "oranges", "−0.2851581309, 0.7940066372, 0.9249753216, −2.2182793922",
        lambda: figures.least_squares(slice(1, 2)), (f"{REGRESSION}::test_standardised_inputs_reach_the_optimum",)),
    Row(5, "MSE there: standardised inputs, α = 0.1, 1,000 epochs", "0.4831212221",
        lambda: f"{figures.apples_loss(0.1, 1000, standardised=True):.10f}",
        (f"{REGRESSION}::test_the_data_have_the_least_squares_fit_of_the_reference",
         f"{REGRESSION}::test_standardised_inputs_reach_the_optimum")),
    Row(5, "MSE at α = 1e-5 after 0, 1, 100, 1,000 epochs", "8327.1, 5767.995018, 153.936620, 4.382344",
        lambda: figures.numbers([figures.apples_loss(1e-5, n) for n in (0, 1, 100, 1000)]),
        (f"{REGRESSION}::test_the_loss_falls_as_in_the_reference",)),
    Row(5, "largest stable α", "1.117e-4", lambda: f"{1e4 * figures.stable_rate():.3f}e-4",
        (f"{REGRESSION}::test_the_largest_stable_learning_rate",), slow=True),
    Row(5, "study, sleep, mark: MSE after 0, 1, 1,000 steps; the mark for (0.5, 1)",
        "0.134787897465, 0.099436798016, 0.001784305295; 0.939368027852", figures.golden_run,
        ("test_datasets.py::test_the_golden_run_of_study_sleep_mark", "test_mlp.py::test_study_sleep_mark_on_values",
         "test_backpropagation.py::test_study_sleep_mark_by_the_formulas")),
)  # fmt: skip


if __name__ == "__main__":
    Path("docs/reference-figures.md").write_text(page(), encoding="utf-8")
    spanish.write("reference-figures")
