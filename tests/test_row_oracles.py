"""What becomes of a check of a row when one of its oracles errs."""

from dataclasses import replace

import pytest

from autodiff import OPS
from autodiff.testing import gradcheck, oracles


def test_a_complex_step_that_errs_beyond_its_claim_makes_no_row_wrong(monkeypatch):
    """50 digits decide."""
    pytest.importorskip("mpmath")
    honest = oracles.partial_of
    monkeypatch.setattr(oracles, "partial_of", lambda *args: replace(honest(*args), value=17.0, bound=1e-16))
    assert gradcheck(OPS["sin"], 0.5).error < 1e-15
