"""Random lookups: tables of parameters, constants and computed numbers, by places of any kind, in every way of writing it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autodiff import DomainError, Value, compile, exp, log, logsumexp, one_hot, pick, sin, softmax, tanh, where
from tests.draws.cases import Case, Spec

KINDS = ["parameters", "constants", "some of each", "computed", "of the sample"]
USES = [
    "row",
    "row",
    "square",
    "one_hot",
    "chain",
    "masks",
    "comparisons",
    "nested",
    "classes",
    "tied",
    "twice",
    "ragged list",
]
TYPES = ["int64", "int64", "int32", "uint8", "float64"]


def drawn(source: Any) -> Spec:
    """Lookups as plain numbers and words."""
    return {
        "rows": source.randint(1, 7) if source.random() < 0.7 else source.randint(60, 80),
        "columns": source.randint(1, 4),
        "kind": source.choice(KINDS),
        "uses": [source.choice(USES) for _ in range(source.randint(1, 3))],
        "places": source.randint(0, 4),
        "type": source.choice(TYPES),
        "form": source.choice(["lists", "tuples", "array"]),
        "shared": source.random() < 0.15,
        "seed": source.randint(0, 2**16),
    }


def build(spec: Spec) -> Case | None:
    """A function of (x, ids): one number for each column, and places in a table; `places` 0 is a single place.

    On ints, as Values get them, it is Python's own indexing; on what a program passes, `pick` and its like.
    """
    n, columns, kind, seed = spec["rows"], spec["columns"], spec["kind"], spec["seed"]
    if n < 1 or columns < 1 or not spec["uses"]:
        return None
    rng = np.random.default_rng(seed)
    parameters: list[Value] = []

    def parameter() -> Value:
        parameters.append(Value(float(rng.normal(0.0, 0.6)), f"p{len(parameters)}"))
        return parameters[-1]

    own = {"constants": 0.0, "some of each": 0.7}.get(kind, 1.0)
    leaves = [[parameter() if rng.random() < own else float(rng.normal()) for _ in range(columns)] for _ in range(n)]
    order = rng.integers(-n, n, n).tolist()
    classes = [[parameter() for _ in range(columns)] for _ in range(min(n, 5))]
    chain = [int(k) for k in rng.permutation(n)[:12]]
    plain = lambda i: type(i) is int
    look = lambda table, i: table[i] if plain(i) else pick(table, i)
    equal = lambda i, k: float(i == k) if plain(i) else i == k

    def used(use, table, i, x):
        if use in {"row", "twice"}:
            row = look(table, i)
            return sum(a * b for a, b in zip(row, x, strict=True)) + (sin(look(table, i)[0]) if use == "twice" else 0.0)
        if use == "square":
            return sum(a * a for a in look(table, i)) * 0.3
        if use == "one_hot":
            shares = [float(k == i % n) for k in range(n)] if plain(i) else one_hot(i, n)
            return sum(s * row[0] for s, row in zip(shares, table, strict=True)) * x[-1]
        if use == "chain":
            out = table[-1][0] if n > 1 else 0.1
            for k in chain:
                out = (table[k][0] if i == k else out) if plain(i) else where(i == k, table[k][0], out)
            return out * x[0]
        if use == "masks":
            mask = lambda k: (table[k][-1] if i == k else 0.0) if plain(i) else where(i == k, table[k][-1], 0.0)
            return sum(mask(k) for k in chain) * x[-1]
        if use == "comparisons":
            return sum(row[-1] * equal(i, k) for k, row in enumerate(table)) + x[0]
        if use == "nested":
            return look([row[0] for row in table], look(order, i)) * x[0]
        if use == "classes":
            shares = softmax([sum(a * b for a, b in zip(row, x, strict=True)) for row in classes])
            place = look([float(k % len(classes)) for k in range(n)], i)
            return -log(look(shares, int(place) if isinstance(place, float) else place))
        if use == "tied":
            h = [tanh(a + b) for a, b in zip(look(table, i), x, strict=True)]
            return logsumexp([sum(a * b for a, b in zip(row, h, strict=True)) for row in table])
        return look([row[0] * (k + 1.0) for k, row in enumerate(table)], i)

    def f(x, ids):
        x = list(x)
        table: Any = leaves
        if kind == "computed":
            table = [[exp(0.5 * v) for v in row] for row in leaves]
        elif kind == "of the sample":
            table = [[v * sin(x[0] + k) for v in row] for k, row in enumerate(leaves)]
        if spec["form"] == "tuples":
            table = tuple(map(tuple, table))
        elif spec["form"] == "array":
            array = np.empty((n, columns), dtype=object)
            for r, c in np.ndindex(array.shape):
                array[r, c] = table[r][c]
            table = array
        ids = [ids] if spec["places"] == 0 else list(ids)
        return sum(used(use, table, i, x) * (0.5 + 0.5 * t) for t, i in enumerate(ids) for use in spec["uses"])

    case = Case(
        f, parameters, {"x": (columns,), "ids": (spec["places"],) * (spec["places"] > 0)}, whole={"ids": n},
        shared=("x",) if spec["shared"] else (), spec=spec, dtype=spec["type"],
        kinds=(kind, *dict.fromkeys(spec["uses"]), spec["type"], spec["form"], *(["more than 60 rows"] if n >= 60 else []),
               *(["shared"] if spec["shared"] else []), *(["a single place"] if spec["places"] == 0 else [])),
    )  # fmt: skip
    if not {"chain", "masks", "comparisons"}.issuperset(spec["uses"]):
        case.also = refused
    return case


def refused(case: Case) -> str:
    """A place outside the table: NaN in its row alone, named by `check=True`, and by the eager engine."""
    x, ids = case.arguments(3)
    n = case.whole["ids"]
    wrong = [n, -n - 1] if np.issubdtype(ids.dtype, np.signedinteger) else [n, 0.5] if ids.dtype.kind == "f" else [n]
    program = compile(case.f, in_axes=case.in_axes)
    right = program(x, ids)
    for place in wrong:
        outside = ids.copy()
        outside[1] = place
        found = program(x, outside)
        assert np.isnan(found).tolist() == [False, True, False], f"{place} among {n} rows gives {found}"
        np.testing.assert_allclose(found[[0, 2]], right[[0, 2]], rtol=1e-12)
        with pytest.raises(DomainError, match=r"^row 1: (pick|one_hot) needs a whole number from"):
            program(x, outside, check=True)
        with pytest.raises(DomainError, match=r"^pick needs a whole number from"):
            pick([1.0] * n, place)
    return "places outside"
