"""Random programs as people write them: a few draws of each kind; `python -m tests.draws` makes thousands of the same."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, note, reject, settings
from hypothesis import strategies as st

from autodiff import Value, sin, tanh
from tests.draws import PROGRAMS
from tests.draws.cases import Case
from tests.draws.laws import Undecided, check
from tests.draws.mistakes import planted

ROOT = Path(__file__).parent.parent


def parameters(rows, columns, *, seed):
    """A matrix of weights."""
    source = random.Random(seed)
    return [[Value(source.uniform(-0.6, 0.6), f"w{i}_{j}") for j in range(columns)] for i in range(rows)]


@pytest.mark.parametrize("name", PROGRAMS)
@given(source=st.randoms(use_true_random=False), rows=st.integers(1, 9))
@settings(
    suppress_health_check=list(HealthCheck), max_examples=min(settings().max_examples, 40)
)  # the command's are long
def test_a_random_program_computes_what_values_compute(name, source, rows):
    """Values and derivatives of every kind, in every way of asking, and by the text, are those of Values, row by row."""
    spec = PROGRAMS[name].drawn(source)
    note(f"build({spec})")
    case = PROGRAMS[name].build(spec)
    assume(case is not None)
    try:
        check(case, rows)
    except Undecided:
        reject()


FOUND = [  # by the command
    ("positions", {"shape": [2, 3], "steps": [["quadratic", {}], ["gated", {"gates": 3, "start": "zero", "bias": True, "beside": True, "backward": False}]], "last": "sum", "tied": True}),
    ("positions", {"shape": [3, 5], "steps": [["later", {}], ["stepped", {}]], "last": "softmax"}),
    ("positions", {"shape": [1, 2], "steps": [["dilated", {"dilation": 1, "rows": 1, "border": True}]], "last": "mean"}),
    ("positions", {"shape": [5, 2], "steps": [["dilated", {"dilation": 2, "rows": 1, "border": True}], ["banded", {"reach": 0, "causal": False, "mask": True}]], "last": "one"}),
    ("positions", {"shape": [6, 2], "steps": [["pierced", {"rows": 1}], ["gated", {"gates": 1, "start": "input", "bias": False, "beside": False, "backward": False}]], "last": "softmax"}),
    ("positions", {"shape": [3, 2], "steps": [["headed", {"heads": 1, "causal": False, "output": False, "joint": False}], ["tiled", {"by": "mean"}]], "last": "softmax"}),
    ("positions", {"shape": [2, 1], "steps": [["quadratic", {}], ["distant", {"kernel": True}]], "last": "sum"}),
    ("folds", {"steps": 4, "width": 0, "form": "numbers", "checkpoint": False, "parameters": 0, "carry": "array", "y": "tuple", "starts": ["computed"], "recipes": [1770816582], "ys": [0], "inner": 0, "after": 12582074, "product": False, "affine": False, "net": False, "backward": False, "shared": False}),
    ("folds", {"steps": 7, "width": 0, "form": "list", "checkpoint": True, "parameters": 0, "carry": "number", "y": "number", "starts": ["a"], "recipes": [0], "ys": [1, 0], "inner": 0, "after": 131072, "product": True, "affine": False, "net": True, "backward": True, "shared": True}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "spec"), FOUND, ids=range(len(FOUND)))
def test_what_was_found_once_stays_right(name, spec):
    """δ of windows over one another, the gradient of each row by weights that meet zeros alone, the text of one step,
    weights times zero that turn out to be no border, a long comprehension, names of the parts of two products, places that are a list,
    a text whose loop reads in each step what its carry begins with,
    a long term of a long sum, whose sign stays before its brackets.
    """
    check(PROGRAMS[name].build(spec), 3)


FOLD = {
    "steps": 16, "width": 1, "form": "list", "checkpoint": True, "parameters": 2, "carry": "list", "y": "number", "starts": ["a"],
    "recipes": [1], "ys": [4, 5], "inner": 0, "after": 0, "product": False, "affine": False, "net": False, "backward": False,
    "shared": False,
}  # fmt: skip
THREE = {"starts": ["a", "parameter", "computed"], "recipes": [1, 2, 4]}
TABLE = {
    "rows": 70, "columns": 2, "kind": "constants", "uses": ["comparisons"], "places": 3, "type": "int64", "form": "lists",
    "shared": False, "seed": 1,
}  # fmt: skip
FORMULA = {
    "nodes": 520, "inputs": 2, "parameters": 3, "shared": True, "seed": 1,
    "kinds": ["sin", "tanh", "squares", "relu", "exp", "quotient", "where", "power"],
}  # fmt: skip
SHOWN = {  # what shows the mistakes below
    "average": ("folds", FOLD | {"affine": True}),
    "averages": ("folds", FOLD | THREE | {"affine": True}),
    "steps": ("folds", FOLD | THREE),
    "net": ("folds", FOLD | THREE | {"net": True, "width": 2, "recipes": [2, 3, 4]}),
    "picture": ("positions", {"shape": [4, 2], "steps": [["pictured", {"height": 1, "width": 2, "rows": 1, "stride": 1, "channels": 2}]], "last": "sum"}),
    "gates": ("positions", {"shape": [5, 2], "steps": [["gated", {"gates": 3, "start": "own", "bias": True, "beside": True, "backward": False}]], "last": "sum"}),
    "heads": ("positions", {"shape": [3, 4], "steps": [["headed", {"heads": 2, "causal": False, "output": False, "joint": False}]], "last": "softmax"}),
    "joint heads": ("positions", {"shape": [4, 4], "steps": [["headed", {"heads": 2, "causal": True, "output": True, "joint": True}]], "last": "sum"}),
    "table": ("lookups", TABLE),
    "chain": ("lookups", TABLE | {"rows": 12, "uses": ["chain"]}),
    "formula": ("formulas", FORMULA),
    "short formula": ("formulas", FORMULA | {"nodes": 40}),
    "wide picture": ("positions", {"shape": [6, 6], "steps": [["pictured", {"height": 2, "width": 3, "rows": 2, "stride": 1, "channels": 2}]], "last": "sum"}),
    "outer": ("positions", {"shape": [5, 4], "steps": [["added", {}], ["outer", {}], ["standardised", {"axis": 0, "affine": False}]], "last": "softmax", "tied": True, "shared": False, "ids": True, "seed": 155}),
    "begun": FOUND[7],
}  # fmt: skip


GRID, ENTRIES, GATES = parameters(3, 4, seed=1), parameters(1, 70, seed=2), parameters(3, 10, seed=3)


def strided(x):
    """A convolution whose windows lie over one another two apart, over a layer with parameters."""
    grid = [[tanh(v * GRID[0][3] + GRID[1][3]) for v in row] for row in x]
    return sum(
        tanh(sum(GRID[i][j] * grid[r + i][c + j] for i in range(3) for j in range(3)))
        for r in (0, 2, 4)
        for c in (0, 2, 4)
    )


def shifted(x, ids):
    """A table looked up by two places, by other keys each."""
    equal = lambda i, k: float(i == k) if type(i) is int else i == k
    return sum(p * equal(ids[0], k) for k, p in enumerate(ENTRIES[0])) * x + sin(
        sum(p * equal(ids[1], k + 1) for k, p in enumerate(ENTRIES[0]))
    )


def biased(x):
    """A recurrence with biases of its own at each step."""
    h = [0.1] * 3
    for t, now in enumerate(x):
        h = [tanh(sum((a * b for a, b in zip(row[:5], [*now, *h], strict=True)), row[5 + t])) for row in GATES]
    return sum(h)


DIRECTED = {  # what no draw has
    "strided": (strided, GRID, {"x": (7, 7)}, {}),
    "shifted": (shifted, ENTRIES, {"x": (), "ids": (2,)}, {"ids": 70}),
    "biased": (biased, GATES, {"x": (5, 2)}, {}),
}


def shown_by(name):
    """The case of this name."""
    if name in DIRECTED:
        f, weights, shapes, whole = DIRECTED[name]
        return Case(f, [p for row in weights for p in row], shapes, whole=whole)
    kind, spec = SHOWN[name]
    return PROGRAMS[kind].build(spec)


MISTAKES = [  # what shows it, a module of the compiler, what it says, and what it would say
    ("average", "backends.loops", "_recurrence(slope, rest, line[0, 0])", "_recurrence(slope, rest, line[1, 0])"),
    ("average", "backends.loops", "h = through * h + added", "h = through * h"),
    ("averages", "backends.loops", "made[:, :, 0].T.tolist()", "made[::-1, :, 0].T.tolist()"),
    ("averages", "backends.loops", "by = {chain.handed: line[:-1]", "by = {chain.handed: line[1:]"),
    ("steps", "backends.loops", "self._work[0] = self._starts[k]", "self._work[0] = self._starts[0]"),
    ("steps", "backends.loops", "{**here, _DELTA: own[-2::-1]}", "{**here, _DELTA: own[:0:-1]}"),
    ("steps", "backends.loops", "same += instance.gradient", "same[...] = instance.gradient"),
    ("steps", "backends.loops", "ys[at] = out[:, loop.carry :]", "ys[at] = out[::-1, loop.carry :]"),
    ("steps", "backends.loops", "        captured[...] = 0.0\n", ""),
    ("steps", "backends.loops", "line[0] = own[n]", "line[0] = own[0]"),
    ("averages", "arrays.parts", "found[var.number] = {var.info[0]: 1.0}", "found[var.number] = {0: 1.0}"),
    ("net", "arrays.parts", "(0 if known == first else vector.size - size)", "(0 if known else vector.size - size)"),
    ("net", "arrays.parts", "*(bias if known else ())", "*()"),
    ("net", "arrays.parts", "self.made.units = (start + x.size,)", "self.made.units = (start + 1,)"),
    ("picture", "arrays.borders", "np.array_equal(grid.ravel()[views], at)", "True"),
    ("table", "trace.lookup", "(*found, alone[0])", "(*found, 0)"),
    ("table", "arrays.group", "row[:start] + row[start + len(keys) :]", "row[start + len(keys) :]"),
    ("chain", "trace.lookup", "if graph.constants.get(chain.rest) != 0.0:", "if False:"),
    (
        "chain",
        "trace.lookup",
        "(*[source[x] for x in chain.entries], *",
        "(*[source[x] for x in chain.entries[::-1]], *",
    ),
    ("average", "trace.loops", "((CARRY, start), (X, first))", "((X, start), (CARRY, first))"),
    ("average", "trace.loops", "(*begin, *places, *inner.captured)", "(*begin, *places[::-1], *inner.captured)"),
    ("average", "trace.loops", "self.input(CAPTURED, len(self.captured), label)", "self.input(CAPTURED, 0, label)"),
    ("heads", "backends.heads", '".swapaxes(0, 1)" * len(heads)', '""'),
    ("gates", "backends.floats", "{xs[0]} <= 0.0 else", "{xs[0]} >= 0.0 else"),
    ("chain", "backends.floats", 'f"{xs[1]} if {xs[0]} else {xs[2]}"', 'f"{xs[2]} if {xs[0]} else {xs[1]}"'),
    ("gates", "arrays.recurrent", "            rest.remove(bias)\n", "            pass\n"),
    ("joint heads", "arrays.places", "len(pieces) > 1 < len(row)", "len(row) > 1"),
    (
        "formula",
        "backends.tape",
        "self._write(self._dot, wide, self.one, total)",
        "self._write(self._dot, wide, self.zero, total)",
    ),
    ("formula", "backends.tape", "delta if j < 0 else first + j", "delta if j < 0 else first"),
    (
        "formula",
        "backends.tape",
        "at[node] = starts[place.argument] + place.entry",
        "at[node] = starts[place.argument]",
    ),
    ("formula", "backends.tape", "                    sums |= bit\n", "                    sums = bit\n"),
    ("formula", "backends.tape", "            self._write(self._add, total, narrow, total)\n", "            pass\n"),
    ("formula", "backends.recipes", "sums >> k & 1", "sums & 1"),
    ("formula", "backends.recipes", 'f"before{k}", f"after{k}"]', 'f"after{k}", f"after{k}"]'),
    ("formula", "backends.recipes", "made.index(name) if name in made else -1", "-1"),
    ("averages", "arrays.axes", "stride < 0 or ", ""),
    ("net", "arrays.axes", "np.gcd.reduce(breaks, initial=len(left))", "np.max(breaks, initial=len(left))"),
    ("net", "arrays.axes", "inside // size, stride * size", "inside // size, stride"),
    ("net", "arrays.axes", "at[..., None] + stride * np.arange(size)", "at[..., None] + np.arange(size)"),
    ("strided", "backends.windows", "np.arange(1, {axis.count})", "np.arange({axis.count} - 1)"),
    ("wide picture", "backends.windows", "[str(own.index(k)) for k in kept]", "[str(own.index(k)) for k in own]"),
    ("outer", "backends.windows", 'f"{axis.shift} * " * (axis.shift > 1)', '""'),
    ("picture", "trace.simplify", "(terms[start:stop], 0.0)", "(terms[start + 1 : stop], 0.0)"),
    ("picture", "trace.simplify", "terms[start:stop] = [(1.0, x, None)]", "terms[start:stop] = []"),
    ("table", "trace.lookup", "return x, np.array(keys)", "return x, np.array(keys) + 1.0"),
    ("shifted", "trace.lookup", "np.array_equal(pair[1], (found[0] or pair)[1])", "True"),
    ("biased", "arrays.recurrent", "biases.get(row, own) & own", "own"),
    ("begun", "backends.rolled", "single.keys()) - alike", "single.keys())"),
    (
        "short formula",
        "backends.numba",
        "sums[k + np.uintp({k})] += total_of",
        "sums[k + np.uintp({k})] = 0.5 * total_of",
    ),
    ("short formula", "backends.numba", 'f"{xs[0]} != 0.0", *xs[1:]', 'f"{xs[0]} == 0.0", *xs[1:]'),
]


@pytest.mark.parametrize(("shown", "module", "right", "wrong"), MISTAKES)
def test_a_mistake_in_what_is_drawn_is_caught(shown, module, right, wrong):
    """Whatever is wrong in a pass about them, a fixed program computes something else, or fails."""
    numba = module == "backends.numba"
    if numba:
        pytest.importorskip("numba")
    with planted(module, right, wrong), pytest.raises(Exception):  # noqa: B017 # an AssertionError, or another
        check(shown_by(shown), 4, numba=numba)


@pytest.mark.parametrize("shown", [*SHOWN, *DIRECTED])
def test_without_mistakes_these_programs_are_right(shown):
    """They are caught by the mistake, and by nothing else."""
    check(shown_by(shown), 4)


def test_without_mistakes_a_formula_is_right_under_numba():
    """It is caught by the mistake there, and by nothing else."""
    pytest.importorskip("numba")
    check(shown_by("short formula"), 4, numba=True)


def test_without_structure_a_second_call_is_of_its_own_numbers():
    """Derivatives by an argument of a long formula without structure, in calls after the first too."""
    source = random.Random(1)
    plan = [(source.randrange(3), source.random(), source.random()) for _ in range(800)]

    def f(x):
        xs = list(x)
        for kind, a, b in plan:
            u, v = xs[-1 - int(a * min(6, len(xs)))], xs[int(b * len(xs))]
            xs.append((sin(u * v), tanh(u + v), u / (1.5 + v * v))[kind])
        return xs[-1] + xs[-2] * xs[-3]

    check(Case(f, [], {"x": (3,)}), 4)


def test_the_command_draws_and_counts():
    """Exit code 0 and "0 failures" where nothing fails."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.draws", "--draws", "5", "--jax", "0", "--numba", "0"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "5 draws" in done.stdout
    assert "0 failures" in done.stdout
