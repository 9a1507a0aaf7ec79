"""Fuzzing: bytes become calls that no person would write, and only documented exceptions may come out.

`python -m tests.fuzz --cases 1000000` runs all targets at length; tests/test_fuzz.py runs each for a moment.
"""
