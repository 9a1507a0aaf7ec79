"""Hypothesis profiles: quick by default, `HYPOTHESIS_PROFILE=thorough` in continuous integration."""

import os

from hypothesis import settings

settings.register_profile("quick", max_examples=50, deadline=None)
settings.register_profile("thorough", max_examples=500, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
