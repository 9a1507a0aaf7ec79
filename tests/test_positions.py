"""Positions: tokens, windows, steps in time. Programs that apply one thing at many of them compute what Values compute."""

from math import cos, sin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stages import kept, want

from autodiff import OPS, Value, compile, softmax, tanh
from autodiff.compiler.arrays.axes import nest, places_of, refined, shape_of
from tests.draws.laws import check
from tests.draws.mistakes import planted
from tests.draws.positions import made

CLOSE = {"rtol": 1e-9, "atol": 1e-9}  # some hundred roundings of numbers about one, of which some cancel
FIXED = [
    [
        ("linear", {"bias": True, "rows": 3}),
        ("attended", {"causal": True, "mean": False}),
        ("linear", {"bias": False, "rows": 2}),
    ],
    [
        ("linear", {"bias": False, "rows": 4}),
        ("folded", {}),
        ("attended", {"causal": True, "mean": False}),
        ("normed", {}),
        ("linear", {"bias": False, "rows": 3}),
        ("rectified", {}),
        ("linear", {"bias": False, "rows": 3}),
    ],
    [("attended", {"causal": True, "mean": True}), ("elementwise", {"op": "tanh"}), ("added", {})],
    [("attended", {"causal": False, "mean": False}), ("added", {}), ("normed", {})],
    [
        ("windows", {"width": 3, "stride": 1, "rows": 3}),
        ("elementwise", {"op": "relu"}),
        ("windows", {"width": 2, "stride": 1, "rows": 3}),
    ],
    [("placed", {}), ("elementwise", {"op": "tanh"}), ("placed", {})],
    [("alternating", {})],
    [("elementwise", {"op": "tanh"}), ("paired", {}), ("scaled", {})],
    [("elementwise", {"op": "tanh"}), ("grown", {}), ("scaled", {})],
    [("elementwise", {"op": "tanh"}), ("partly", {})],
    [("elementwise", {"op": "tanh"}), ("all_but_one", {})],
    [("scaled", {}), ("joined", {}), ("crossed", {})],
    [
        ("pictured", {"height": 3, "width": 3, "rows": 2, "stride": 1, "channels": 1}),
        ("elementwise", {"op": "relu"}),
        ("pictured", {"height": 3, "width": 3, "rows": 2, "stride": 1, "channels": 2}),
    ],
    [("elementwise", {"op": "tanh"}), ("pierced", {"rows": 3})],
    [("scaled", {}), ("bordered", {"width": 4, "rows": 3, "bias": True}), ("elementwise", {"op": "tanh"})],
    [("gated", {"gates": 2, "start": "zero", "bias": True, "beside": True, "backward": False})],
    [
        ("elementwise", {"op": "sin"}),
        ("gated", {"gates": 3, "start": "own", "bias": True, "beside": False, "backward": False}),
        ("gated", {"gates": 1, "start": "input", "bias": False, "beside": False, "backward": True}),
    ],
    [
        ("elementwise", {"op": "sin"}),
        ("windows", {"width": 3, "stride": 2, "rows": 3}),
        ("turned", {}),
        ("centred", {}),
    ],
    [("linear", {"bias": False, "rows": 6}), ("later", {})],
]


@pytest.mark.parametrize("rows", [1, 9])
@pytest.mark.parametrize("steps", FIXED, ids=lambda steps: "-".join(step for step, _ in steps))
def test_each_way_of_positions(steps, rows):
    """Causal and full attention, windows over windows, biases by position, pairs without a pattern, growing sums."""
    check(made((6, 4), steps), rows)


@pytest.mark.parametrize("last", ["sum", "squares"])
@pytest.mark.parametrize("then", ["attended", "joined", "tanh", "linear"])
def test_attention_and_what_follows(then, last):
    """Positions lie together for each row in one array and not in the next, and δ of some is the same for all rows."""
    causal = ("attended", {"causal": True, "mean": then in {"tanh", "linear"}})
    follows = {"attended": causal, "joined": ("joined", {}), "tanh": ("elementwise", {"op": "tanh"})}
    follows["linear"] = "linear", {"bias": False, "rows": 1}
    check(made((3, 4) if then == "linear" else (4, 2), [causal, follows[then]], last), 2)


def test_an_axis_that_no_factor_has():
    """Mean of all positions, for each of them, and summed: a product that says the same along an axis."""
    steps = [("linear", {"bias": True, "rows": 1}), ("attended", {"causal": False, "mean": True})]
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


def test_curvatures_of_a_recurrence_with_tied_weights():
    """One of the sums that do not depend on the steps before is alone."""
    options = {"gates": 2, "start": "input", "bias": True, "beside": False, "backward": False}
    check(made((4, 3), [("gated", options)], "sum", tied=True), 2)


@pytest.mark.parametrize("steps", FIXED[:5], ids=lambda steps: "-".join(step for step, _ in steps))
def test_the_text_of_positions_under_jax(steps):
    """The text as it is, with jax.numpy for its array library, computes JAX's own derivatives of its values."""
    pytest.importorskip("jax")
    check(made((6, 4), steps), 3, jax=True)


def test_windows_that_lie_over_one_another():
    """As many numbers as the array has, some of them twice: h₁x₀, h₂x₁, h₂x₂, h₃x₃, and δ by hand."""

    def f(x):
        h = [tanh(v) for v in x]
        return h[0] + sum((h[1 + t + k] * x[2 * t + k]) ** 2 for t in range(2) for k in range(2))

    x = np.random.default_rng(0).normal(size=(3, 4))
    h, (a, b, c, d) = np.tanh(x).T, x.T
    s, (_, p, q, r) = 1.0 - h**2, h
    wanted = [
        s[0] + 2 * p**2 * a,
        2 * p * a**2 * s[1] + 2 * q**2 * b,
        2 * q * (b**2 + c**2) * s[2] + 2 * q**2 * c,
        2 * r * d**2 * s[3] + 2 * r**2 * d,
    ]
    np.testing.assert_allclose(compile(f).value_and_grad(x, argnums=0, reduce="sum")[2].T, wanted, rtol=1e-13)


MISTAKES = [  # the fixed program that shows it, a module of the compiler, what it says, and what it would say
    (0, "arrays.ragged", "np.arange(n) < lengths[:, None]", "np.arange(n) <= lengths[:, None]"),
    (9, "arrays.ragged", "zeros.issuperset(full[len(row) :])", "bool(full)"),
    (0, "arrays.group", "int(at[place])", "int(place)"),
    (1, "arrays.ir", "[order.index(k) for k in range(len(order))]", "order"),
    (4, "arrays.ir", "return a if _has_factor(a, code.known(_RELU, b.args[0])) else None", "return a"),
    (3, "arrays.ir", "code.apply(MUL, b.args[0], code.apply(MUL, a, b.args[1]))", "code.apply(MUL, a, b.args[1])"),
    (9, "arrays.reverse", "code.apply(SUB, delta, mean)", "code.apply(ADD, delta, mean)"),
    (3, "arrays.reverse", "b * (var / x if b < 0.0", "(var / x if b < 0.0"),
    (8, "backends.layout", "return of if start == 0 and wanted ==", "return of if start == 0 or wanted =="),
    (17, "backends.numpy", "and (times[region] == 1).all()", ""),
    (3, "backends.layout", "return start % grain + inner < grain", "return True"),
    (0, "backends.layout", "(self.base(var.args[0]), self.base(var.args[1]))", "(var, var)"),
    (2, "backends.buffers", "[s if s % grain else s * rows for s in strides]", "[s * rows for s in strides]"),
    (2, "backends.buffers", "np.moveaxis(array, -1, -1 - inner)", "np.moveaxis(array, -1, -2 - inner)"),
    (2, "backends.buffers", "if 0 < step < rows]", "if 0 < step < 0]"),
    (3, "backends.numpy", "if terms is not None and var.size % grain:", "if terms is not None and grain < 0:"),
    (1, "backends.kernels", "multiply(out, within, out)", "multiply(out, out, out)"),
    (1, "backends.kernels", "maximum(x, floor, out=out)", "maximum(x, within, out=out)"),
    (2, "backends.kernels", "np.matmul, *turned", "np.matmul, turned[1], turned[0], turned[2]"),
    (14, "arrays.borders", "at[full[c, w], p] = next(left)", "at[full[c, w], p - 1] = next(left)"),
    (12, "arrays.reverse", "int(back[0]), own[1], own[0])", "int(back[0]) - 1, own[1], own[0])"),
    (14, "backends.text", "(start, n - end)", "(n - end, start)"),
    (15, "arrays.recurrent", "*rest, (1.0, new, None)]", "*rest, (-1.0, new, None)]"),
    (15, "arrays.group", "i in nodes[k::steps]]", "i in nodes[k * len(nodes) // steps :][: len(nodes) // steps]]"),
    (
        15,
        "arrays.ir",
        "self.view(var, start, contiguous(var.units), (count, n))",
        "self.view(var, 0, (n, 1), (count, n))",
    ),
    (15, "arrays.reverse", "self.code.view(slopes, k * n, (1,), (n,))", "self.code.view(slopes, 0, (1,), (n,))"),
    (17, "backends.numpy", "home is var and len(there) > 0", "home is not var and len(there) > 0"),
    (15, "backends.kernels", "add.reduce(each, 0, None, out)", "np.copyto(out, each[0])"),
    (15, "backends.text", "(0, 1), (0, 0)), constant_values=1.0)", "(1, 0), (0, 0)), constant_values=1.0)"),
    (17, "backends.text", "sorted(axes.index(axis) for axis in turned[kept:])", "own"),
    (18, "backends.windows", "first = start // inside % length", "first = 0"),
    (12, "backends.windows", "end = axis.size - axis.first - axis.span", "end = axis.size - axis.span - 1"),
    (1, "backends.text", "if order != sorted(order) else", "if not order else"),
    (15, "backends.rolled", "at -= by * start", "at -= by + start"),
    (15, "backends.rolled", "return i + (j in self.begun)", "return i"),
    (15, "backends.rolled", '"[::-1]" * (step < 0)', '"[::-1]" * (step > 0)'),
]


@pytest.mark.parametrize(("program", "module", "right", "wrong"), MISTAKES)
def test_a_mistake_in_the_compiler_is_caught(program, module, right, wrong):
    """Whatever is wrong in a pass about positions, a fixed program computes something else, or fails."""
    with planted(module, right, wrong), pytest.raises(Exception):  # noqa: B017 # an AssertionError, or another
        for steps in (FIXED[program], *FIXED):
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


def turned_pairs(tokens, width):
    """Attention whose queries and keys are turned, pair by pair, by an angle of their position, and its weights."""
    rng = np.random.default_rng(tokens)
    w = [
        [[Value(x, f"{n}[{i}]") for x in row] for i, row in enumerate(rng.normal(size=(width, width)) / 2)]
        for n in "qk"
    ]
    angles = [[t * 10.0 ** (-i) for i in range(width // 2)] for t in range(tokens)]

    def turned(row, angles):
        pairs = [
            (x * cos(a) - y * sin(a), x * sin(a) + y * cos(a))
            for x, y, a in zip(row[::2], row[1::2], angles, strict=False)
        ]
        return [x for pair in pairs for x in pair]

    def f(x):
        q, k = (
            [
                turned([sum(a * b for a, b in zip(row, token, strict=False)) for row in m], a)
                for token, a in zip(x, angles, strict=False)
            ]
            for m in w
        )
        shares = [
            softmax([sum(a * b for a, b in zip(s, t, strict=False)) for t in k[: i + 1]]) for i, s in enumerate(q)
        ]
        return sum(sum(p * y[0] for p, y in zip(row, x, strict=False)) ** 2 for row in shares)

    return f, w, angles


def tensors(torch, matrices):
    """Return matrices of Values as PyTorch's."""
    return [
        torch.tensor([[p.data for p in row] for row in own], dtype=torch.float64, requires_grad=True)
        for own in matrices
    ]


def assert_as_pytorch(program, value, gradient, loss, matrices, their_matrices):
    """Compare a mean and its gradient with those of PyTorch's loss, by the matrices that `tensors` made."""
    loss.backward()
    np.testing.assert_allclose(value, loss.item(), **CLOSE)
    slopes = {
        id(p): theirs.grad[i, j].item()
        for own, theirs in zip(matrices, their_matrices, strict=True)
        for i, row in enumerate(own)
        for j, p in enumerate(row)
    }
    np.testing.assert_allclose(gradient, [slopes[id(p)] for p in program.parameters], **CLOSE)


def test_pairs_turned_by_an_angle_of_their_position_are_one_array():
    """Rotary embeddings, as PyTorch's complex numbers turn them, in as many calls for twelve tokens as for five."""
    torch = pytest.importorskip("torch")
    calls = set()
    for tokens in (5, 9, 12):
        f, w, angles = turned_pairs(tokens, 6)
        program = compile(f)
        X = np.random.default_rng(0).normal(size=(4, tokens, 6))
        value, gradient = program.value_and_grad(X)
        m = tensors(torch, w)
        turn = torch.exp(1j * torch.tensor(angles, dtype=torch.float64))
        q, k = (torch.view_as_complex((torch.tensor(X) @ each.T).reshape(4, tokens, 3, 2)) * turn for each in m)
        scores = torch.einsum("bti,bui->btu", q, k.conj()).real
        shares = torch.softmax(scores.masked_fill(torch.ones(tokens, tokens).triu(1) > 0, -torch.inf), dim=-1)
        loss = ((shares @ torch.tensor(X)[:, :, :1]) ** 2).sum(dim=(1, 2)).mean()
        assert_as_pytorch(program, value, gradient, loss, w, m)
        calls.add(kept(program).version(want(kept(program), gradient=True)).backend.calls)
    assert len(calls) == 1
    assert max(calls) <= 40


def test_a_chain_of_springs_takes_few_calls_a_step():
    """Each mass is pulled by its neighbours and slowed down: as NumPy computes it, and JAX its derivatives."""
    jax = pytest.importorskip("jax")
    n, steps, calls = 9, 4, []
    k, c = Value(1.5, "k"), Value(0.1, "c")

    def chain(x, v, k=k, c=c):
        for _ in range(steps):
            force = [
                k * ((x[i - 1] if i else 0.0) - x[i]) + k * ((x[i + 1] if i < n - 1 else 0.0) - x[i]) - c * v[i]
                for i in range(n)
            ]
            v = [b + 0.05 * a for a, b in zip(force, v, strict=False)]
            x = [a + 0.05 * b for a, b in zip(x, v, strict=False)]
        return sum(a * a for a in x)

    def arrays(k, c, x, v):
        for _ in range(steps):
            around = jax.numpy.pad(x, ((0, 0), (1, 1)))
            v = v + 0.05 * (k * (around[:, :-2] - 2 * x + around[:, 2:]) - c * v)
            x = x + 0.05 * v
        return (x * x).sum(axis=1).mean()

    x, v = np.random.default_rng(0).normal(size=(2, 5, n))
    program = compile(chain)
    value, gradient = program.value_and_grad(x, v)
    with jax.enable_x64(True):
        expected, slopes = jax.value_and_grad(arrays, argnums=(0, 1))(k.data, c.data, x, v)
    np.testing.assert_allclose(value, expected, **CLOSE)
    by_value = {id(k): slopes[0], id(c): slopes[1]}
    np.testing.assert_allclose(gradient, [by_value[id(p)] for p in program.parameters], **CLOSE)
    calls = kept(program).version(want(kept(program), gradient=True)).backend.calls
    assert calls <= 30 * steps


def test_a_mask_of_an_argument_and_a_causal_one_are_added_to_all_scores_at_once():
    """Tokens that a mask leaves out, besides those to come: as PyTorch's attention has it, in 40 calls for any length."""
    torch = pytest.importorskip("torch")
    calls = set()
    for tokens in (5, 9):
        rng = np.random.default_rng(tokens)
        w = [[[Value(x) for x in row] for row in rng.normal(size=(4, 4)) / 2] for _ in "qkv"]

        def f(x, mask, w=w):
            q, k, v = ([[sum(a * b for a, b in zip(row, t, strict=True)) for row in m] for t in x] for m in w)
            total = 0.0
            for i, s in enumerate(q):
                scores = [
                    sum(a * b for a, b in zip(s, k[j], strict=True)) / 2.0 + (mask[j] - 1.0) * 1e9 for j in range(i + 1)
                ]
                shares = softmax(scores)
                total = total + sum(sum(p * v[j][d] for j, p in enumerate(shares)) ** 2 for d in range(4))
            return total

        program = compile(f)
        X, mask = rng.normal(size=(6, tokens, 4)), (rng.random((6, tokens)) < 0.7) * 1.0
        mask[:, 0] = 1.0
        value, gradient = program.value_and_grad(X, mask)
        m = tensors(torch, w)
        q, k, v = (torch.tensor(X) @ each.T for each in m)
        seen = (torch.tensor(mask)[:, None, :] > 0) & (torch.ones(tokens, tokens).tril() > 0)
        loss = (torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen) ** 2).sum(dim=(1, 2)).mean()
        assert_as_pytorch(program, value, gradient, loss, w, m)
        calls.add(kept(program).version(want(kept(program), gradient=True)).backend.calls)
    assert len(calls) == 1
    assert max(calls) <= 40


@pytest.mark.parametrize(("before", "after"), [(2, 2), (2, 0), (0, 3)])
def test_attention_within_a_band_is_written_with_a_mask(before, after):
    """Each token looks at its neighbours alone: as PyTorch with a mask, in 40 calls and 45 lines for any length."""
    torch = pytest.importorskip("torch")
    calls, lines = set(), set()
    for tokens in (6, 8):
        rng = np.random.default_rng(tokens)
        w = [[[Value(x, f"{n}[{i}]") for x in row] for i, row in enumerate(rng.normal(size=(4, 4)) / 2)] for n in "qkv"]

        def f(x, w=w, tokens=tokens):
            q, k, v = ([[sum(a * b for a, b in zip(row, t, strict=True)) for row in m] for t in x] for m in w)
            total = 0.0
            for i, s in enumerate(q):
                near = range(max(0, i - before), min(tokens, i + after + 1))
                shares = softmax([sum(a * b for a, b in zip(s, k[j], strict=True)) / 2.0 for j in near])
                total = total + sum(sum(p * v[j][d] for p, j in zip(shares, near, strict=True)) ** 2 for d in range(4))
            return total

        program = compile(f)
        X = rng.normal(size=(6, tokens, 4))
        value, gradient = program.value_and_grad(X)
        m = [torch.tensor([[p.data for p in row] for row in own], dtype=torch.float64, requires_grad=True) for own in w]
        q, k, v = (torch.tensor(X) @ own.T for own in m)
        band = torch.ones(tokens, tokens).tril(after).triu(-before) > 0
        loss = (torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=band) ** 2).sum(dim=(1, 2)).mean()
        assert_as_pytorch(program, value, gradient, loss, w, m)
        calls.add(kept(program).version(want(kept(program), gradient=True)).backend.calls)
        lines.add(len(program.source.splitlines()))
    assert len(calls) == len(lines) == 1
    assert max(calls) <= 40
    assert max(lines) <= 45


def test_a_dilated_causal_convolution_is_one_product_a_layer():
    """Taps before the beginning are missing: as PyTorch's convolution of a padded input, in 40 calls for any length."""
    torch = pytest.importorskip("torch")
    calls = set()
    for length in (12, 17):
        rng = np.random.default_rng(length)
        w = [[[[Value(x) for x in row] for row in tap] for tap in each] for each in rng.normal(size=(2, 3, 4, 4)) / 2]
        b = [[Value(x) for x in each] for each in rng.normal(size=(2, 4))]

        def f(xs, w=w, b=b):
            for taps, bias, dilation in zip(w, b, (1, 2), strict=True):
                out = []
                for t in range(len(xs)):
                    h = bias
                    for j, tap in enumerate(taps):
                        if t - j * dilation >= 0:
                            x = xs[t - j * dilation]
                            h = [
                                a + sum(c * d for c, d in zip(row, x, strict=True))
                                for a, row in zip(h, tap, strict=True)
                            ]
                    out.append([tanh(a) for a in h])
                xs = out
            return sum(a * a for h in xs for a in h)

        program = compile(f)
        X = rng.normal(size=(5, length, 4))
        value, gradient = program.value_and_grad(X)
        flat = {id(p): k for k, p in enumerate(p for of in (w, b) for p in np.ravel(np.array(of, dtype=object)))}
        m = torch.tensor([p.data for of in (w, b) for p in np.ravel(np.array(of, dtype=object))], dtype=torch.float64)
        m.requires_grad_()
        kernels, biases, h = m[:96].reshape(2, 3, 4, 4), m[96:].reshape(2, 4), torch.tensor(X).transpose(1, 2)
        for taps, bias, dilation in zip(kernels, biases, (1, 2), strict=True):
            padded = torch.nn.functional.pad(h, (2 * dilation, 0))
            kernel = taps.permute(1, 2, 0).flip(2)
            h = torch.tanh(torch.nn.functional.conv1d(padded, kernel, bias, dilation=dilation))
        loss = (h**2).sum(dim=(1, 2)).mean()
        loss.backward()
        np.testing.assert_allclose(value, loss.item(), **CLOSE)
        np.testing.assert_allclose(gradient, [m.grad[flat[id(p)]].item() for p in program.parameters], **CLOSE)
        backend = kept(program).version(want(kept(program), gradient=True)).backend
        assert backend.code.matrix_products == 2
        calls.add(backend.calls)
    assert len(calls) == 1
    assert max(calls) <= 40
