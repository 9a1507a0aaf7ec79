"""Random programs as people write them, compiled, beside Values, the text under NumPy and the text under JAX.

`python -m tests.draws --programs positions --draws 5000 --seed 1` draws at length; the suite draws a few of the same.
"""

from tests.draws import folds, formulas, lookups, positions

PROGRAMS = {"positions": positions, "folds": folds, "lookups": lookups, "formulas": formulas}
