"""Trees of formulas as plain text and as LaTeX."""

import pytest

from autodiff.explanations.notation import in_brackets, latex, text

x, two, minus = ("mi", "x"), ("mn", "2"), ("mo", "−")


@pytest.mark.parametrize(
    ("tree", "plain", "written"),
    [
        (("mrow", x, minus, two), "x - 2", "x-2"),
        (("mrow", minus, x), "-x", "-x"),
        (("mrow", x, ("mo", "·"), two), "x · 2", r"x\cdot 2"),
        (("mfrac", x, two), "x/2", r"\frac{x}{2}"),
        (("mfrac", ("mrow", x, ("mo", "+"), two), x), "(x + 2)/x", r"\frac{x+2}{x}"),
        (("msup", x, two), "x^2", "{x}^{2}"),
        (("msup", x, ("mrow", minus, two)), "x^(-2)", "{x}^{-2}"),
        (("msup", x, in_brackets(("mrow", minus, two))), "x^(-2)", "{x}^{(-2)}"),
        (("msqrt", ("mrow", ("msup", x, two), ("mo", "+"), ("mn", "1"))), "√(x^2 + 1)", r"\sqrt{{x}^{2}+1}"),
        (("msub", x, two), "x2", "x_{2}"),
        (("msubsup", x, two, x), "x2x", "x_{2}^{x}"),
        (("msup", ("msubsup", x, two, x), two), "x2x^2", r"\left(x_{2}^{x}\right)^{2}"),
        (("msup", ("mname", "neuron", ("msubsup", x, two, x)), two), "neuron^2", r"\left(x_{2}^{x}\right)^{2}"),
        (("msup", ("mname", "x2", ("msub", x, two)), two), "x2^2", "{x_{2}}^{2}"),
        (("msci", "2.5", "-9"), "2.5e-09", r"2.5\times 10^{-9}"),
        (("mi", "δ"), "δ", r"\delta "),
        (("mi", "w_1"), "w_1", r"\mathrm{w\_1}"),
        (("mtext", "NaN"), "NaN", r"\mathrm{NaN}"),
    ],
)
def test_a_tree_is_written_on_one_line_and_in_latex(tree, plain, written):
    """As one writes it by hand, and in commands that every reader of LaTeX knows."""
    assert text(tree) == plain
    assert latex(tree) == written
