"""Positions: tokens, windows, steps in time. Programs that apply one thing at many of them compute what Values compute."""

import builtins
import inspect
import sys
from dataclasses import replace
from types import CodeType

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from stages import kept, want

from autodiff import OPS, Value, compile, jvp, maximum, softmax, tanh, where
from autodiff.compiler.arrays.axes import nest, places_of, refined, shape_of

CLOSE = {"rtol": 1e-9, "atol": 1e-9}  # some hundred roundings of numbers about one, of which some cancel
UNARY = ["tanh", "relu", "sigmoid", "sin", "exp", "abs", "softplus"]

# Steps of a random program, on lists of vectors of numbers: (vectors, others, weights) → vectors. `weights` makes new
# parameters, or takes those of an earlier step where weights are tied.


def linear(xs, _, weights, *, bias, rows):
    """One weight matrix at every position."""
    w = [[weights() for _ in xs[0]] for _ in range(rows)]
    b = [weights() if bias else 0.0 for _ in range(rows)]
    return [
        [sum((v * x for v, x in zip(row, vector, strict=True)), c) for row, c in zip(w, b, strict=True)]
        for vector in xs
    ]


def windows(xs, _, weights, *, width, stride, rows):
    """One weight matrix on every window of neighbours."""
    width = min(width, len(xs))
    w = [[[weights() for _ in xs[0]] for _ in range(width)] for _ in range(rows)]
    return [
        [sum(w[r][k][j] * xs[t + k][j] for k in range(width) for j in range(len(xs[0]))) for r in range(rows)]
        for t in range(0, len(xs) - width + 1, stride)
    ]


def later(xs, _, weights):
    """Weights of three numbers over each row from the second position on, and the first position beside them."""
    w = [weights() for _ in range(3)]
    inner = [[w[0] * row[x] + w[1] * row[x + 1] + w[2] * row[x + 2] for x in range(1, len(row) - 2)] for row in xs]
    return [[each + row[0] for each in own] for own, row in zip(inner, xs, strict=True)]


def bordered(xs, _, weights, *, width, rows, bias):
    """One weight matrix on every window of neighbours, without what lies beyond the first and the last position."""
    w = [[[weights() for _ in xs[0]] for _ in range(width)] for _ in range(rows)]
    b = [weights() if bias else 0.0 for _ in range(rows)]
    return [
        [
            sum(
                (w[r][k][j] * xs[t + k - width // 2][j] for k in range(width) for j in range(len(xs[0]))
                 if 0 <= t + k - width // 2 < len(xs)), b[r],
            )
            for r in range(rows)
        ]
        for t in range(len(xs))
    ]  # fmt: skip


def pictured(xs, _, weights, *, height, width, rows, stride, channels):
    """The same over both axes of images: one, or the first half of the positions and the second."""
    n = len(xs) // channels
    images = [xs[c * n : (c + 1) * n] for c in range(channels)]
    w = [[[[weights() for _ in range(width)] for _ in range(height)] for _ in images] for _ in range(rows)]
    return [
        [
            sum(
                w[r][c][a][b] * image[i + a - height // 2][j + b - width // 2]
                for c, image in enumerate(images) for a in range(height) for b in range(width)
                if 0 <= i + a - height // 2 < n and 0 <= j + b - width // 2 < len(xs[0])
            )
            for j in range(0, len(xs[0]), stride)
        ]
        for r in range(rows) for i in range(0, n, stride)
    ]  # fmt: skip


def pierced(xs, _, weights, *, rows):
    """One weight matrix on every window of neighbours, of which every second one leaves out its middle."""
    w = [[[weights() for _ in xs[0]] for _ in range(3)] for _ in range(rows)]
    return [
        [
            sum(v * x for k in range(3) if k != 1 or t % 2 for v, x in zip(row[k], xs[t + k], strict=True))
            for row in w
        ]
        for t in range(len(xs) - 2)
    ]  # fmt: skip


def elementwise(xs, _, weights, *, op):
    """An operation on every number."""
    return [[OPS[op](x * 0.5) for x in vector] for vector in xs]


def scaled(xs, _, weights):
    """A gain and a shift for every unit, the same at each position."""
    gains, shifts = ([weights() for _ in xs[0]] for _ in range(2))
    return [[g * x + s for g, x, s in zip(gains, vector, shifts, strict=True)] for vector in xs]


def normed(xs, _, weights):
    """Divided by the root of the mean square, position by position."""
    out = []
    for vector in xs:
        size = (sum(x * x for x in vector) * (1.0 / len(vector)) + 0.1) ** -0.5
        out.append([x * size for x in vector])
    return out


def attended(xs, others, weights, *, causal, mean):
    """Each position takes a weighted sum of others: by softmax of products, or by the products themselves."""
    ys = next((o for o in others if len(o[0]) == len(xs[0])), xs)
    out = []
    for t, x in enumerate(xs):
        seen = ys[: t + 1] if causal and len(ys) >= len(xs) else ys
        scores = [sum(a * b for a, b in zip(x, y, strict=True)) * 0.3 for y in seen]
        shares = [s * (1.0 / len(seen)) for s in scores] if mean else softmax(scores)
        out.append([sum(p * y[j] for p, y in zip(shares, seen, strict=True)) for j in range(len(xs[0]))])
    return out


def crossed(xs, *_):
    """Gram matrix of the positions."""
    return [[sum(a * b for a, b in zip(x, y, strict=True)) for y in xs] for x in xs]


def turned(xs, *_):
    """Units become positions."""
    return [list(column) for column in zip(*xs, strict=True)]


def folded(xs, *_):
    """Two halves of each vector become two positions, as heads do."""
    half = len(xs[0]) // 2
    return [part for x in xs for part in (x[:half], x[half : 2 * half])] if half else xs


def some(xs, _, weights, *, start, step, back):
    """A part of the positions, forward or backward."""
    part = xs[start % len(xs) :: step]
    return part[::-1] if back else part


def joined(xs, others, _):
    """With an earlier result of as many units beside it, and shifted by a position."""
    ys = next((o for o in others if len(o[0]) == len(xs[0])), xs)
    return xs + ys[:4]


def added(xs, others, _):
    """A residue: an earlier result of this shape, or its own neighbour."""
    ys = next((o for o in others if (len(o), len(o[0])) == (len(xs), len(xs[0]))), xs[1:] + xs[:1])
    return [[a + b for a, b in zip(x, y, strict=True)] for x, y in zip(xs, ys, strict=True)]


def masked(xs, *_):
    """Where a number is above its neighbour's, itself, else the larger of a tenth and the neighbour."""
    return [
        [where(a > b, a, maximum(0.1, b)) for a, b in zip(x, y, strict=True)]
        for x, y in zip(xs, xs[1:] + xs[:1], strict=True)
    ]


def centred(xs, *_):
    """Less the mean over the positions."""
    means = [sum(column) * (1.0 / len(xs)) for column in zip(*xs, strict=True)]
    return [[x - m for x, m in zip(vector, means, strict=True)] for vector in xs]


def stepped(xs, _, weights):
    """A recurrent net: each step's state depends on the last one's."""
    n = len(xs[0])
    w = [[weights() for _ in range(n)] for _ in range(n)]
    state, out = xs[0], []
    for x in xs:
        state = [
            OPS["tanh"](sum(v * s for v, s in zip(row, state, strict=True)) + a) for row, a in zip(w, x, strict=True)
        ]
        out.append(state)
    return out


def gated(xs, _, weights, *, gates, start, bias, beside, backward):
    """A recurrent net whose step takes one weighted sum of its input and of the last state, for each of its gates.

    `start`: the first state is 0, a number of its own, or an input. `beside`: a second net takes the states.
    """
    n, width = 2 if gates < 3 else 3, len(xs[0])
    rows = [[[weights() for _ in range(width + n + bias)] for _ in range(n)] for _ in range(gates)]
    second = [[weights() for _ in range(2 * n)] for _ in range(n)]
    state = {"zero": [0.0] * n, "own": [weights() for _ in range(n)], "input": (xs[0] * n)[:n]}[start]
    other, out = [0.0] * n, []
    for x in xs[::-1] if backward else xs:
        sums = [
            [sum((w * v for w, v in zip(row, [*x, *state], strict=False)), row[-1] if bias else 0.0) for row in gate]
            for gate in rows
        ]
        new = [OPS["tanh"](z) for z in sums[0]]
        if gates == 1:
            new = [a * (0.5 + OPS["sigmoid"](z)) for a, z in zip(new, sums[0], strict=True)]
        if gates > 1:
            keep = [OPS["sigmoid"](z) for z in sums[1]]
            new = [k * h + (1.0 - k) * a for k, h, a in zip(keep, state, new, strict=True)]
        if gates > 2:
            new = [OPS["relu"](z) * a for z, a in zip(sums[2], new, strict=True)]
        state = new
        if beside:
            other = [OPS["tanh"](sum(w * v for w, v in zip(row, [*state, *other], strict=True))) for row in second]
        out.append([a + b for a, b in zip(state, other, strict=True)] if beside else state)
    return out


def placed(xs, _, weights):
    """One weight matrix, and a bias of each position's own."""
    w = [[weights() for _ in xs[0]] for _ in range(3)]
    return [[sum(v * x for v, x in zip(row, vector, strict=True)) + weights() for row in w] for vector in xs]


def alternating(xs, _, weights):
    """The same weights at every position, with other signs at every second one."""
    w = [[weights() for _ in xs[0]] for _ in range(2)]
    out = []
    for t, vector in enumerate(xs):
        sums = [row[0] * vector[0] for row in w]
        for j in range(1, len(vector)):
            sums = [
                s - row[j] * vector[j] if (t + j) % 2 else s + row[j] * vector[j]
                for s, row in zip(sums, w, strict=True)
            ]
        out.append(sums)
    return out


def paired(xs, *_):
    """Products of positions that are chosen without a pattern, some of them several times."""
    n = len(xs)
    pairs = [(0, 1), (0, 2), (1, 4), (3, 0), (5, 2), (0, 5), (2, 3), (4, 1), (1, 5)]
    return [[a * b for a, b in zip(xs[i % n], xs[j % n], strict=True)] for i, j in dict.fromkeys(pairs)]


def grown(xs, *_):
    """Sums over ever more positions, of products that begin anew at each."""
    return [[sum(xs[u][j] * xs[t - u][j] for u in range(t + 1)) for j in range(len(xs[0]))] for t in range(len(xs))]


def partly(xs, *_):
    """Shares among the first few of each vector, all of them used somewhere, and only some in a weighted sum."""
    out = []
    for t, x in enumerate(xs):
        shares = softmax(x[: t + 1])
        used = shares[: t + 1 if t < len(x) else t - len(x) + 2]
        out.append([sum(p * v for p, v in zip(used, x, strict=False)), sum(p * (p + 1.0) for p in shares)])
    return out


def all_but_one(xs, *_):
    """Shares among the first few of each vector, of which the last one is left out of a weighted sum."""
    out = []
    for t, x in enumerate(xs):
        shares = softmax(x[: t + 1])
        used = shares[:-1] if len(shares) > 1 else shares
        out.append([sum(p * v for p, v in zip(used, x, strict=False)), sum(shares)])
    return out


def rectified(xs, *_):
    """ReLU, and squared."""
    return [[OPS["relu"](x) ** 2 for x in vector] for vector in xs]


STEPS = st.one_of(
    st.builds(lambda **o: (linear, o), bias=st.booleans(), rows=st.integers(1, 5)),
    st.builds(lambda **o: (windows, o), width=st.integers(1, 3), stride=st.integers(1, 2), rows=st.integers(1, 3)),
    st.builds(lambda **o: (elementwise, o), op=st.sampled_from(UNARY)),
    st.builds(lambda **o: (attended, o), causal=st.booleans(), mean=st.booleans()),
    st.builds(
        lambda **o: (gated, o),
        gates=st.integers(1, 3),
        start=st.sampled_from(["zero", "own", "input"]),
        bias=st.booleans(),
        beside=st.booleans(),
        backward=st.booleans(),
    ),
    st.builds(lambda **o: (pierced, o), rows=st.integers(1, 3)),
    st.builds(lambda **o: (bordered, o), width=st.integers(2, 5), rows=st.integers(1, 3), bias=st.booleans()),
    st.builds(
        lambda **o: (pictured, o),
        height=st.integers(1, 3),
        width=st.integers(1, 3),
        rows=st.integers(1, 3),
        stride=st.integers(1, 2),
        channels=st.integers(1, 2),
    ),
    st.builds(lambda **o: (some, o), start=st.integers(0, 2), step=st.integers(1, 2), back=st.booleans()),
    st.sampled_from(
        [(f, {}) for f in (scaled, normed, rectified, crossed, turned, folded, joined, added, masked, centred, stepped)]
    ),
)


def made(shape, steps, last="squares", *, tied=False, seed=0):
    """A function of a (positions, units) sample, its parameters, and the shape; None where it grows too large."""
    rng = np.random.default_rng(seed)
    parameters, drawn = [], []

    def weights():
        if tied and len(parameters) > 8 and len(drawn) % 3 == 0:
            drawn.append(parameters[len(drawn) % len(parameters)])
        else:
            drawn.append(Value(float(rng.normal(0.0, 0.6)), f"p{len(parameters)}"))
            parameters.append(drawn[-1])
        return drawn[-1]

    plan, size, earlier = [], shape, []
    for step, options in steps:  # once on numbers, to make the parameters
        before, numbers = len(drawn), [[0.1] * size[1] for _ in range(size[0])]
        probe = step(numbers, earlier, weights, **options)
        earlier.insert(0, numbers)
        size = len(probe), len(probe[0]) if probe else 0
        if not 0 < size[0] * size[1] <= 100:
            return None
        plan.append((step, options, drawn[before:]))

    def f(x):
        xs, before = [list(row) for row in x], []
        for step, options, own in plan:
            left = iter(own)
            before.insert(0, xs)
            xs = step(xs, before[1:], lambda left=left: next(left), **options)
        numbers = [v for vector in xs for v in vector]
        if last == "softmax":
            return softmax(numbers)[0] * 3.0 + 0.0 * sum(numbers[:1])
        return sum(v * v for v in numbers) * 0.1 if last == "squares" else sum(numbers) * 0.1

    return f, parameters, shape


@st.composite
def programs(draw):
    """What `made` makes of random steps."""
    shape = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    steps = draw(st.lists(STEPS, min_size=1, max_size=5))
    tied, last = draw(st.booleans()), draw(st.sampled_from(["sum", "squares", "softmax"]))
    program = made(shape, steps, last, tied=tied, seed=draw(st.integers(0, 2**16)))
    assume(program is not None)
    return program


def eager(f, X, parameters):
    """Values of the rows, and each one's derivatives by parameters and by inputs."""
    values, by_parameters, by_inputs = [], [], []
    for row in X:
        for p in parameters:
            p.zero_grad()
        inputs = [[Value(v) for v in vector] for vector in row.tolist()]
        out = f(inputs)
        out.backward()
        values.append(out.data)
        by_parameters.append([p.grad or 0.0 for p in parameters])
        by_inputs.append([[v.grad or 0.0 for v in vector] for vector in inputs])
    return np.array(values), np.array(by_parameters).reshape(len(X), -1), np.array(by_inputs)


SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck))


def check(program, rows):
    """Values, gradients, those of each row and by the input, weights, careful passes, blocks of 3 rows, and the text."""
    f, parameters, shape = program
    rng = np.random.default_rng(rows)
    X = rng.normal(0.0, 0.7, size=(rows, *shape))
    values, by_parameters, by_inputs = eager(f, X, parameters)
    scale = max(1.0, np.abs(values).max(), np.abs(by_parameters).max(initial=0.0), np.abs(by_inputs).max())
    if not scale < 1e4:  # roundings of sums that cancel are no longer small
        return
    close = {"rtol": 1e-9, "atol": 1e-10 * scale}
    program = compile(f, threads=1)
    np.testing.assert_allclose(program(X), values, **close)
    place = {id(p): k for k, p in enumerate(parameters)}
    order = [place[id(p)] for p in program.parameters]
    wanted = by_parameters[:, order]
    value, gradient, at = program.value_and_grad(X, argnums=0)
    np.testing.assert_allclose(value, values.mean(), **close)
    np.testing.assert_allclose(gradient, wanted.mean(axis=0), **close)
    np.testing.assert_allclose(at * rows, by_inputs, **close)
    each, gradients, at = program.value_and_grad(X, argnums=0, reduce=None)
    np.testing.assert_allclose(each, values, **close)
    np.testing.assert_allclose(gradients, wanted, **close)
    np.testing.assert_allclose(at, by_inputs, **close)
    weights = rng.uniform(0.1, 1.0, size=rows)
    total, gradient = program.value_and_grad(X, reduce="sum", weights=weights)
    np.testing.assert_allclose(total, weights @ values, **close)
    np.testing.assert_allclose(gradient, weights @ wanted, **close)
    for careful in (False, True):
        version = kept(program).version(replace(want(kept(program), gradient=True), careful=careful))
        blocks = np.zeros(len(order))
        kept(program).read()
        for start in range(0, rows, 3):
            part = X[start : start + 3]
            instance = version.instance(len(part))
            instance.run(part.reshape(len(part), -1).T)
            blocks += instance.gradient
        np.testing.assert_allclose(blocks, wanted.sum(axis=0), **close)
    module = {}
    exec(program.source, module)
    value, gradient = module["value_and_grad"](np.array([p.data for p in program.parameters]), X)
    np.testing.assert_allclose(value, values.mean(), **close)
    np.testing.assert_allclose(gradient, wanted.mean(axis=0), **close)


@given(programs(), st.integers(1, 9))
@SLOW
def test_programs_with_positions_compute_what_values_compute(program, rows):
    """Random steps, of every kind there is."""
    check(program, rows)


FIXED = [
    [
        (linear, {"bias": True, "rows": 3}),
        (attended, {"causal": True, "mean": False}),
        (linear, {"bias": False, "rows": 2}),
    ],
    [
        (linear, {"bias": False, "rows": 4}),
        (folded, {}),
        (attended, {"causal": True, "mean": False}),
        (normed, {}),
        (linear, {"bias": False, "rows": 3}),
        (rectified, {}),
        (linear, {"bias": False, "rows": 3}),
    ],
    [(attended, {"causal": True, "mean": True}), (elementwise, {"op": "tanh"}), (added, {})],
    [(attended, {"causal": False, "mean": False}), (added, {}), (normed, {})],
    [
        (windows, {"width": 3, "stride": 1, "rows": 3}),
        (elementwise, {"op": "relu"}),
        (windows, {"width": 2, "stride": 1, "rows": 3}),
    ],
    [(placed, {}), (elementwise, {"op": "tanh"}), (placed, {})],
    [(alternating, {})],
    [(elementwise, {"op": "tanh"}), (paired, {}), (scaled, {})],
    [(elementwise, {"op": "tanh"}), (grown, {}), (scaled, {})],
    [(elementwise, {"op": "tanh"}), (partly, {})],
    [(elementwise, {"op": "tanh"}), (all_but_one, {})],
    [(scaled, {}), (joined, {}), (crossed, {})],
    [
        (pictured, {"height": 3, "width": 3, "rows": 2, "stride": 1, "channels": 1}),
        (elementwise, {"op": "relu"}),
        (pictured, {"height": 3, "width": 3, "rows": 2, "stride": 1, "channels": 2}),
    ],
    [(elementwise, {"op": "tanh"}), (pierced, {"rows": 3})],
    [(scaled, {}), (bordered, {"width": 4, "rows": 3, "bias": True}), (elementwise, {"op": "tanh"})],
    [(gated, {"gates": 2, "start": "zero", "bias": True, "beside": True, "backward": False})],
    [
        (elementwise, {"op": "sin"}),
        (gated, {"gates": 3, "start": "own", "bias": True, "beside": False, "backward": False}),
        (gated, {"gates": 1, "start": "input", "bias": False, "beside": False, "backward": True}),
    ],
    [(elementwise, {"op": "sin"}), (windows, {"width": 3, "stride": 2, "rows": 3}), (turned, {}), (centred, {})],
    [(linear, {"bias": False, "rows": 6}), (later, {})],
]


@pytest.mark.parametrize("rows", [1, 9])
@pytest.mark.parametrize("steps", FIXED, ids=lambda steps: "-".join(step.__name__ for step, _ in steps))
def test_each_way_of_positions(steps, rows):
    """Causal and full attention, windows over windows, biases by position, pairs without a pattern, growing sums."""
    check(made((6, 4), steps), rows)


@pytest.mark.parametrize("last", ["sum", "squares"])
@pytest.mark.parametrize("then", ["attended", "joined", "tanh", "linear"])
def test_attention_and_what_follows(then, last):
    """Positions lie together for each row in one array and not in the next, and δ of some is the same for all rows."""
    causal = (attended, {"causal": True, "mean": then in {"tanh", "linear"}})
    follows = {"attended": causal, "joined": (joined, {}), "tanh": (elementwise, {"op": "tanh"})}
    follows["linear"] = linear, {"bias": False, "rows": 1}
    check(made((3, 4) if then == "linear" else (4, 2), [causal, follows[then]], last), 2)


def test_an_axis_that_no_factor_has():
    """Mean of all positions, for each of them, and summed: a product that says the same along an axis."""
    steps = [(linear, {"bias": True, "rows": 1}), (attended, {"causal": False, "mean": True})]
    check(made((2, 1), steps, "sum"), 7)


def test_a_recurrence_whose_weights_are_an_argument():
    """Derivatives by weights that are passed in, the same for all rows, are those of Values."""
    rng = np.random.default_rng(0)

    def f(x, w, u):
        state = [0.1, 0.2, 0.3]
        for inputs in x:
            state = [
                OPS["tanh"](sum(a * b for a, b in zip([*u[r], *w[r]], [*inputs, *state], strict=True)))
                for r in range(3)
            ]
        return sum(v * v for v in state)

    x, w, u = rng.normal(size=(5, 4, 2)), rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
    value, _, got = compile(f, in_axes=(0, None, None)).value_and_grad(x, w, u, argnums=(1, 2))
    values, wanted = [], [np.zeros((3, 3)), np.zeros((3, 2))]
    for row in x.tolist():
        leaves = [[[Value(v) for v in vector] for vector in matrix.tolist()] for matrix in (w, u)]
        out = f(row, *leaves)
        out.backward()
        values.append(out.data)
        for total, matrix in zip(wanted, leaves, strict=True):
            total += [[v.grad / len(x) for v in vector] for vector in matrix]
    np.testing.assert_allclose(value, np.mean(values), **CLOSE)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(np.squeeze(a), b, **CLOSE)


@given(programs())
@settings(SLOW, max_examples=15)
def test_rates_of_programs_with_positions(program):
    """jvp of a program is that of its function on Values, row by row."""
    f, _, shape = program
    X, dX = np.random.default_rng(1).normal(0.0, 0.5, size=(2, 2, *shape))
    program = compile(f, threads=1)
    _, rates = program.jvp((X,), (dX,))
    flat = lambda *numbers: f(np.reshape(np.array(numbers, dtype=object), shape).tolist())
    wanted = [jvp(flat, x.ravel().tolist(), dx.ravel().tolist())[1] for x, dx in zip(X, dX, strict=True)]
    assume(np.abs(wanted).max() < 1e4)
    np.testing.assert_allclose(rates, [float(getattr(w, "data", w)) for w in wanted], rtol=1e-8, atol=1e-8)


def test_curvatures_of_a_recurrence_with_tied_weights():
    """One of the sums that do not depend on the steps before is alone."""
    options = {"gates": 2, "start": "input", "bias": True, "beside": False, "backward": False}
    check_curvatures(made((4, 3), [(gated, options)], "sum", tied=True))


@given(programs())
@settings(SLOW, max_examples=15)
def test_curvatures_of_programs_with_positions(program):
    """hvp of a program is that of its function on Values."""
    assume(program[1])
    check_curvatures(program)


def check_curvatures(program):
    """Hessian times a vector, summed over the rows."""
    f, _, shape = program
    X = np.random.default_rng(1).normal(0.0, 0.5, size=(2, *shape))
    program = compile(f, threads=1).trace(X)
    v = np.random.default_rng(2).normal(size=len(program.parameters))
    product = program.hvp(X, vector=v, reduce="sum")
    wanted = np.zeros(len(v))
    for row in X.tolist():
        out = f([[Value(x) for x in vector] for vector in row])
        for p in program.parameters:
            p.zero_grad()
        out.backward(create_graph=True)
        along = sum((p.grad * w for p, w in zip(program.parameters, v.tolist(), strict=True)), Value(0.0))
        for p in program.parameters:
            p.zero_grad()
        along.backward()
        wanted += [float(getattr(p.grad, "data", p.grad) or 0.0) for p in program.parameters]
    if np.abs(wanted).max() < 1e4:  # roundings of larger sums are no longer small
        np.testing.assert_allclose(product, wanted, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("steps", FIXED[:5], ids=lambda steps: "-".join(step.__name__ for step, _ in steps))
def test_the_text_of_positions_under_jax(steps):
    """The text as it is, with jax.numpy for its array library, computes JAX's own derivatives of its values."""
    jax = pytest.importorskip("jax")
    f, _, shape = made((6, 4), steps)
    X = np.random.default_rng(3).normal(0.0, 0.7, size=(3, *shape))
    program = compile(f, threads=1)
    value, gradient = program.value_and_grad(X)
    module, flat = {}, np.array([p.data for p in program.parameters])
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        exec(program.source.replace("xp = np ", "import jax.numpy as xp "), module)
        ours, written = jax.jit(module["value_and_grad"])(flat, X)
        own = jax.jit(jax.grad(lambda flat: module["forward"](flat, X).mean()))(flat) if len(flat) else flat
    finally:
        jax.config.update("jax_enable_x64", before)
    for x in (written, own):
        np.testing.assert_allclose(np.asarray(x), gradient, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(float(ours), value, rtol=1e-9)


MISTAKES = [  # a module of the compiler, what it says, and what it would say
    ("arrays.ragged", "np.arange(n) < lengths[:, None]", "np.arange(n) <= lengths[:, None]"),
    ("arrays.ragged", "zeros.issuperset(full[len(row) :])", "bool(full)"),
    ("arrays.group", "int(at[place])", "int(place)"),
    ("arrays.ir", "[order.index(k) for k in range(len(order))]", "order"),
    ("arrays.ir", "return a if _has_factor(a, code.known(_RELU, b.args[0])) else None", "return a"),
    ("arrays.ir", "code.apply(MUL, b.args[0], code.apply(MUL, a, b.args[1]))", "code.apply(MUL, a, b.args[1])"),
    ("arrays.reverse", "code.apply(SUB, delta, mean)", "code.apply(ADD, delta, mean)"),
    ("arrays.reverse", "b * (var / x if b < 0.0", "(var / x if b < 0.0"),
    ("backends.layout", "return of if start == 0 and wanted ==", "return of if start == 0 or wanted =="),
    ("backends.numpy", "and (times[region] == 1).all()", ""),
    ("backends.layout", "return start % grain + inner < grain", "return True"),
    ("backends.layout", "(self.base(var.args[0]), self.base(var.args[1]))", "(var, var)"),
    ("backends.buffers", "[s if s % grain else s * rows for s in strides]", "[s * rows for s in strides]"),
    ("backends.buffers", "np.moveaxis(array, -1, -1 - inner)", "np.moveaxis(array, -1, -2 - inner)"),
    ("backends.buffers", "if 0 < step < rows]", "if 0 < step < 0]"),
    ("backends.numpy", "if terms is not None and var.size % grain:", "if terms is not None and grain < 0:"),
    ("backends.kernels", "multiply(out, within, out)", "multiply(out, out, out)"),
    ("backends.kernels", "maximum(x, floor, out=out)", "maximum(x, within, out=out)"),
    ("backends.kernels", "np.matmul, *turned", "np.matmul, turned[1], turned[0], turned[2]"),
    ("arrays.borders", "np.array_equal(grid.ravel()[views], at)", "True"),
    ("arrays.borders", "at[full[c, w], p] = next(left)", "at[full[c, w], p - 1] = next(left)"),
    ("arrays.reverse", "int(back[0]), own[1], own[0])", "int(back[0]) - 1, own[1], own[0])"),
    ("backends.text", "(start, n - end)", "(n - end, start)"),
    ("arrays.recurrent", "[*rest, (1.0, new, None)]", "[*rest, (-1.0, new, None)]"),
    ("arrays.group", "i in nodes[k::steps]]", "i in nodes[k * len(nodes) // steps :][: len(nodes) // steps]]"),
    ("arrays.ir", "self.view(var, start, contiguous(var.units), (count, n))", "self.view(var, 0, (n, 1), (count, n))"),
    ("arrays.reverse", "self.code.view(slopes, k * n, (1,), (n,))", "self.code.view(slopes, 0, (1,), (n,))"),
    ("backends.numpy", "home is var and there == [*place]", "home is not var"),
    ("backends.kernels", "add.reduce(each, 0, None, out)", "np.copyto(out, each[0])"),
    ("backends.text", "(0, 1), (0, 0)), constant_values=1.0)", "(1, 0), (0, 0)), constant_values=1.0)"),
    ("backends.text", "sorted(axes.index(axis) for axis in turned[kept:])", "own"),
    ("backends.text", "_tuple(first)] if any(first)", "_tuple(first)] if not first"),
    ("backends.text", "if order != sorted(order) else", "if not order else"),
]


def differing(before, after, names=()):
    """The function whose code differs, by name from the module down, and its other code."""
    for a, b in zip(before.co_consts, after.co_consts, strict=True):
        if isinstance(a, CodeType) and a != b:
            own = *names, a.co_name
            return (own, b) if a.co_flags & inspect.CO_OPTIMIZED else differing(a, b, own)
    raise AssertionError("the same code")


@pytest.mark.parametrize(("module", "right", "wrong"), MISTAKES)
def test_a_mistake_in_the_compiler_is_caught(module, right, wrong, monkeypatch):
    """Whatever is wrong in a pass about positions, one of the fixed programs computes something else, or fails."""
    owner = sys.modules[f"{compile.__module__}.{module}"]
    text = inspect.getsource(owner)
    assert text.count(right) == 1
    names, code = differing(*[builtins.compile(x, owner.__file__, "exec") for x in (text, text.replace(right, wrong))])
    function = owner
    for name in names:
        function = vars(function)[name]
    monkeypatch.setattr(getattr(function, "__func__", function), "__code__", code)
    with pytest.raises(Exception):  # noqa: B017 # an AssertionError, or whatever the mistake leads to
        for steps in FIXED:
            check(made((6, 4), steps), 4)  # of so many rows, exponentials of masks take a way of their own


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 9)), min_size=1, max_size=4), st.integers(0, 5))
def test_a_nest_of_progressions_is_found(axes, start):
    """Places made from axes have axes again, as few as there are, and the same places come from them."""
    sizes, strides = tuple(n for n, _ in axes), tuple(s for _, s in axes)
    places = places_of(start, strides, sizes).ravel()
    found = nest(places)
    if found is not None:  # the first steps of a progression may look like a longer one's
        np.testing.assert_array_equal(places_of(places[0], found[1], found[0]).ravel(), places)
        finer = shape_of({int(np.prod(found[0][k:])) for k in range(len(found[0]))} | {len(places)})
        np.testing.assert_array_equal(places_of(places[0], refined(found, finer), finer).ravel(), places)
    elif min(strides, default=0) >= 0:
        assert any(a < b for a, b in zip(np.diff(places), np.diff(places)[1:], strict=False)) or len(axes) > 1


def attention(tokens, width):
    """One head over `tokens` vectors, written as loops over Values; and its weights."""
    rng = np.random.default_rng(0)
    w = {n: [[Value(v) for v in row] for row in rng.normal(0.0, 0.4, size=(width, width))] for n in "qkvo"}
    times = lambda m, x: [sum(a * b for a, b in zip(row, x, strict=True)) for row in m]

    def f(x):
        q, k, v = ([times(w[n], token) for token in x] for n in "qkv")
        shares = [softmax([sum(a * b for a, b in zip(s, t, strict=True)) / width**0.5 for t in k]) for s in q]
        mixed = [[sum(p * t[j] for p, t in zip(row, v, strict=True)) for j in range(width)] for row in shares]
        return sum(y * y for token in mixed for y in times(w["o"], token))

    return f, w


def test_attention_is_a_few_products_of_arrays():
    """As PyTorch computes it, in as many calls of NumPy for twelve tokens as for five; the text stays as long."""
    torch = pytest.importorskip("torch")
    calls, lines = set(), set()
    for tokens in (5, 9, 12):
        f, w = attention(tokens, 4)
        program = compile(f)
        X = np.random.default_rng(tokens).normal(size=(6, tokens, 4))
        value, gradient = program.value_and_grad(X)
        m = {
            n: torch.tensor([[p.data for p in row] for row in rows], dtype=torch.float64, requires_grad=True)
            for n, rows in w.items()
        }
        x = torch.tensor(X)
        q, k, v = (x @ m[n].T for n in "qkv")
        out = torch.softmax(q @ k.transpose(1, 2) / 2.0, dim=-1) @ v @ m["o"].T
        loss = (out**2).sum(dim=(1, 2)).mean()
        loss.backward()
        np.testing.assert_allclose(value, loss.item(), **CLOSE)
        by_label = {
            id(p): float(m[n].grad[i, j])
            for n, rows in w.items()
            for i, row in enumerate(rows)
            for j, p in enumerate(row)
        }
        np.testing.assert_allclose(gradient, [by_label[id(p)] for p in program.parameters], **CLOSE)
        backend = kept(program).version(want(kept(program), gradient=True)).backend
        assert backend.code.matrix_products == 2  # queries, keys and values together; and the output
        calls.add(backend.calls)
        lines.add(len(program.source.splitlines()))
    assert len(calls) == len(lines) == 1
    assert max(calls) < 45
    assert max(lines) <= 60


def test_second_derivatives_of_windows_that_are_cut_at_the_border():
    """A row of three weights over rows of five numbers: the Hessian product is the difference of two gradients."""
    w = [Value(v, f"w{k}") for k, v in enumerate((0.3, -0.5, 0.8))]
    at = lambda row, x: sum(w[j] * row[x + j - 1] for j in range(3) if 0 <= x + j - 1 < 5)
    f = lambda rows: sum((0.1 * k + 0.1) * tanh(at(row, x)) ** 2 for k, row in enumerate(rows) for x in range(5))
    xs = np.random.default_rng(0).normal(size=(4, 5, 5))
    program = compile(f, parameters=w)
    product = program.hvp(xs, vector=[1.0, -2.0, 0.5], reduce="sum")
    slopes = []
    for sign in (1.0, -1.0):
        for p, start, v in zip(w, (0.3, -0.5, 0.8), (1.0, -2.0, 0.5), strict=True):
            p.data = start + sign * 1e-5 * v
        slopes.append(program.value_and_grad(xs, reduce="sum")[1])
    np.testing.assert_allclose(product, (slopes[0] - slopes[1]) / 2e-5, rtol=1e-6)
