"""`compile`: from scalars back to matrices.

A function written for one sample is traced once, on stand-ins, and becomes a program for whole batches. Each pass is a
module: `trace` → `simplify` → `group` (with matrix products) → `reverse` → `fast` for NumPy, `point` for one sample on
floats, `readable` for people and other array libraries. `code` is the form they share. A function without structure
goes from `trace` straight to a `tape`, written from `recipes`.
"""

from autodiff.compiler.compiling import compile
from autodiff.compiler.program import Program
from autodiff.errors import TraceError

__all__ = ["Program", "TraceError", "compile"]
