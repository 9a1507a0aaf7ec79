"""The work of each pass in numbers: the text of `program.explain()`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from autodiff.compiler.arrays import ir
from autodiff.compiler.backends.numba import MOST, Loops
from autodiff.compiler.backends.numpy import Buffered
from autodiff.compiler.specialise import Trace, Want


def report(trace: Trace, asked: str) -> str:
    """Return the numbers of nodes, groups, matrix products, calls, floating-point operations and bytes, as text.

    They include the backward pass if the function returns one number. `asked` is the backend that was asked for.
    """
    graph = trace.graph
    want = Want(gradient=trace.shared.shape == ())
    version = trace.version(want)
    backend = version.backend
    computed = sum(op is not None for op in graph.ops)
    rows = any(trace.batched)  # at one point nothing has any
    if isinstance(backend, Loops):
        numbers = len(graph.constants)
        made: list[Any] = [*[version.backend for version in trace.versions.values()], *trace.points.values()]
        took: list[float] = [x.compiled for x in made if getattr(x, "compiled", None)]
        told = f"{len(took)} compiled so far, in {sum(took):.1f} s" if took else "not compiled yet"
        loop = f"one loop over the rows, {backend.flops:,} operations in each" if rows else "code of one point"
        arrays = [("numba", f"{loop}; {told}")]
    elif not isinstance(backend, Buffered):
        numbers = len(graph.constants)
        arrays = [("group", f"{computed:,} nodes, each by itself: hardly any two belong together")]
    else:
        grouping = trace.grouping(want)
        forward = grouping.code.matrix_products
        kinds = Counter(v.kind for v in backend.layout.order)
        products = sum(kinds[kind] for kind in (ir.MATMUL, ir.MATMUL_T, ir.OUTER))
        numbers = sum(v.size for v in backend.layout.order if v.kind == ir.CONST)
        plural = "s" * (forward != 1)
        arrays = [("group", f"{grouping.groups:,} groups, {forward:,} matrix product{plural} forward")]
        if want.gradient:
            arrays.append(("reverse", f"{products:,} matrix products in all, {len(backend.layout.order):,} arrays"))
    kind = "call of machine code" if isinstance(backend, Loops) else "NumPy calls"
    work = f"about {backend.flops:,} floating-point operations, {backend.bytes_per_row():,} bytes"
    lines = [
        ("trace", f"{trace.traced:,} nodes: {len(graph.inputs):,} inputs, {len(graph.parameters):,} parameters"),
        ("simplify", f"{trace.shared.size:,} after constants, common subexpressions and dead code"),
        ("", f"{graph.size:,} after sums of products, {computed:,} of them computed"),
        *arrays,
        ("emit", f"about {backend.calls:,} {kind}" + rows * f", in blocks of {version.block:,} rows"),
        *[("one row", work)] * rows,
        (
            "all rows",
            f"{8 * (2 * len(trace.parameters) + numbers):,} bytes for parameters, their derivatives and constants",
        ),
    ]
    if asked != "numba" and not version.products and computed <= MOST:
        lines.append(("numba", 'backend="numba" would make one loop of it: quicker for one point and for few rows'))
    return "\n".join(f"{name:<9} {text}" for name, text in lines)
