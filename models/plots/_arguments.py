"""Checks that several plots share."""

from __future__ import annotations

from typing import Any

from models._validation import numbers


def interval(window: Any, name: str = "window") -> tuple[float, float]:
    """A (low, high) as floats; ValueError for what is none, or not in that order."""
    edges = numbers(window, name)
    if edges.shape != (2,) or not edges[0] < edges[1]:
        raise ValueError(f"{name} must be (low, high), the lower first, got {window!r}")
    return float(edges[0]), float(edges[1])
