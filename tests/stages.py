"""The stages of `compile`, for tests of what happens inside: taken from the one object in which a program keeps them."""

import itertools
import math
from dataclasses import replace
from unittest.mock import patch

import numpy as np

from autodiff import Value, compile, tanh, weighted_sum


def traced(f, *shapes, batched=None):
    """What a program keeps of a function: its nodes (`shared`), their sums of products (`graph`), its versions.

    Shapes are () for a number, (n,) for n of them; `batched` says which arguments have rows.
    """
    batched = [True] * len(shapes) if batched is None else batched
    program = compile(f, in_axes=tuple(0 if rows else None for rows in batched))
    arguments = [np.zeros((1, *shape) if rows else shape) for shape, rows in zip(shapes, batched, strict=True)]
    return kept(program.trace(*arguments))


def kept(program):
    """Return what a program keeps of its latest call."""
    return program._cache.known()


def want(trace, **options):
    """Return what a version computes: only values, unless options add to it."""
    return replace(next(iter(trace.versions)), **{"gradient": False, **options})


def grouped(f, *shapes, batched=None, **options):
    """Array code of the forward pass, made for these derivatives; and the grouping that it came from."""
    trace = traced(f, *shapes, batched=batched)
    grouping = trace.forward(want(trace, **{"gradient": True, **options}), trace.batched)
    return grouping.code, grouping


def made(f, *shapes, batched=None, tape=False, **options):
    """A version as a program runs it, arrays or a tape: with derivatives by the parameters, and by those of `argnums`."""
    trace = traced(f, *shapes, batched=batched)
    wanted = want(trace, **{"gradient": True, **options})
    trace.unstructured = tape
    trace.order = list(trace.graph.parameters) if tape else trace.order
    trace.versions.clear()
    return trace.version(wanted).backend


def run(fast, flat, *arguments, seeds=None):
    """A version with one output on these arguments: values, gradient, derivatives by arguments, all copied."""
    n = len(arguments[0])
    instance = fast.instance(n, np.array(flat, dtype=float))
    given = [a if a.ndim == 1 else a.reshape(n, -1).T for a in map(np.asarray, arguments)]
    for _ in range(2):  # the second run finds the buffers used
        instance.run(*given, *([] if seeds is None else [np.asarray(seeds)]))
    by = {i: result(instance, fast.code.input_gradients.get(i, 0.0), np.shape(a)) for i, a in enumerate(given)}
    return result(instance, fast.code.outputs[0], n), instance.gradient.copy(), by


def by_rows(fast, n):
    """An array for the gradient of each row, by name, for a version that writes it by itself; nothing for others."""
    return {} if fast.by_row is None else {f"v{fast.by_row.number}": np.full((fast.by_row.size, n), np.nan)}


def result(instance, x, shape):
    """What a code gives, units × rows: a number, or what is the same for all rows, is spread over them."""
    return np.broadcast_to(x if isinstance(x, float) else instance.array(x), shape).copy()


def computed(graph, *arguments):
    """What a graph says, node by node, on floats: the meaning that every pass must keep."""
    arguments = [np.ravel(a).tolist() for a in arguments]
    value = [0.0] * len(graph.ops)
    for i, op in enumerate(graph.ops):
        if i in graph.constants:
            value[i] = graph.constants[i]
        elif i in graph.parameters:
            value[i] = graph.parameters[i].data
        elif i in graph.inputs:
            value[i] = arguments[graph.inputs[i].argument][graph.inputs[i].entry]
        elif i in graph.sums:
            terms, constant = graph.sums[i]
            value[i] = constant + math.fsum(c * value[a] * (1.0 if b is None else value[b]) for c, a, b in terms)
        elif op is not None:
            value[i] = op.on_floats(*[value[x] for x in graph.operands[i]])
    return [value[x] for x in graph.outputs]


def nodes(graph, op):
    return [i for i, each in enumerate(graph.ops) if each is op and i not in graph.sums]


def well_formed(graph):
    """Operands before what is made of them, and not left out; leaves in exactly one table."""
    there = set()
    for i, op in enumerate(graph.ops):
        tables = (i in graph.constants) + (i in graph.parameters) + (i in graph.inputs)
        assert tables <= (op is None)
        if tables or op is not None:
            assert all(x < i and x in there for x in graph.below(i))
            there.add(i)
    assert there.issuperset(graph.outputs)
    assert there.issuperset(graph.labels)
    assert len(there) == graph.size
    return True


def layers(*sizes, act=tanh, micrograd=False):
    """A network with parameters of its own; written as sums of products or with operators."""
    rng = np.random.default_rng(0)
    network = [
        [([Value(x) for x in rng.normal(size=n)], Value(rng.normal())) for _ in range(m)]
        for n, m in itertools.pairwise(sizes)
    ]

    def f(x):
        for layer in network:
            x = [
                act(sum((a * b for a, b in zip(w, x, strict=True)), b) if micrograd else weighted_sum(w, x, b))
                for w, b in layer
            ]
        return x[0] if len(x) == 1 else x

    return f, network


def in_blocks_of(rows, program):
    """While this lasts, programs send so many rows at once through their versions."""
    version = type(next(iter(kept(program).versions.values())))
    return patch.object(version, "rows_at_once", lambda self, count, threads: min(count, rows))


def carefully(program):
    """While this lasts, programs guard the products of the chain rule, as they do where something is not finite."""
    trace = type(kept(program))
    plain = trace.version
    return patch.object(trace, "version", lambda self, want: plain(self, replace(want, careful=True)))
