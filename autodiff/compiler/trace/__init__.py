"""A function as a graph: recorded, and made smaller."""

from autodiff.errors import TraceError as TraceError
