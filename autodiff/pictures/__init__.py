"""Pictures of a computation: `draw` makes one, `render` writes it, `animate` lets δ flow, `stepper` walks through it.

>>> from autodiff import Value
>>> x = Value(2.0, "x")
>>> y = 3.0 * x
>>> y.backward()
>>> "δ 3" in draw(y).source
True
"""

from autodiff.errors import RenderError
from autodiff.pictures.animation import animate, frames
from autodiff.pictures.geometry import Box, Curve, Layout, layout, node_names
from autodiff.pictures.graph import draw
from autodiff.pictures.picture import Picture
from autodiff.pictures.rendering import render, set_renderer
from autodiff.pictures.walk import stepper, stepper_parts
from autodiff.pictures.webpage import WebPage, page_engine

__all__ = [
    "Box", "Curve", "Layout", "Picture", "RenderError", "WebPage", "animate", "draw", "frames", "layout", "node_names",
    "page_engine", "render", "set_renderer", "stepper", "stepper_parts",
]  # fmt: skip
