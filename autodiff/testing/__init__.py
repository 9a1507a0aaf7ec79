"""Tests of derivatives, for your own code as for ours.

>>> from autodiff import sin
>>> from autodiff.testing import gradcheck
>>> gradcheck(lambda x: x * sin(x), 2.0).oracle
'complex step'

`gradcheck(f, *points)` compares derivatives with the best oracle there is and names the operation whose partial is
wrong; with `gradient=g` it checks somebody else's, and says what is wrong with it; `jaccheck` does so for functions of
many numbers. `expressions()`, `functions()`, `matrices()`, `networks()`, `numbers(op)` and `points(f)` are Hypothesis
strategies: random differentiable code with points where it is well conditioned, and points for code of your own. They
need the extra `testing`; the checks do not. `check_kinks` holds an engine to what was decided where there is no
derivative. `autodiff.testing.laws` holds laws that every derivative obeys, `autodiff.testing.faults` plants wrong
partials to try a check with. See docs/gradient-testing.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autodiff.errors import WrongDerivativeError, WrongShapeError
from autodiff.testing.checking import Report, gradcheck
from autodiff.testing.diagnosis import Diagnosis, Hint
from autodiff.testing.exercises import Grade, Mark, check_exercise
from autodiff.testing.kinks import Kink, check_kinks, kink_points
from autodiff.testing.perceptrons import Network
from autodiff.testing.sources import Expression
from autodiff.testing.vectors import jaccheck

if TYPE_CHECKING:
    from autodiff.testing.strategies import expressions, functions, matrices, networks, numbers, points

__all__ = [
    "Diagnosis", "Expression", "Grade", "Hint", "Kink", "Mark", "Network", "Report", "WrongDerivativeError",
    "WrongShapeError", "check_exercise", "check_kinks", "expressions", "functions", "gradcheck", "jaccheck",
    "kink_points", "matrices", "networks", "numbers", "points",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load the strategies when one is first asked for: checking a gradient does not need Hypothesis."""
    if name not in __all__:
        raise AttributeError(f"module 'autodiff.testing' has no attribute {name!r}")
    try:
        from autodiff.testing import strategies
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "hypothesis":
            raise
        raise ImportError(
            f'autodiff.testing.{name} draws with Hypothesis: pip install "delta-autodiff[testing]"'
        ) from error
    return getattr(strategies, name)
