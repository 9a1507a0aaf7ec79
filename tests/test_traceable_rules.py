"""The rules of all rows can be traced: what compiles computes what the engine computes."""

import numpy as np
import pytest

from autodiff import OPS, Value, clip, compile, log, total, weighted_sum


def test_every_operation_compiles():
    """A rule that decides by `if`, or by an operator that a trace does not know, would raise here."""
    for op in OPS.values():
        n = op.arity or 3
        base = np.array([[0.3, 0.6, 0.2][:n], [0.5, 0.4, 0.9][:n], [0.9, 0.1, 0.35][:n]])
        if op.name == "acosh":
            base = base + 1.2
        if op.name == "clip":
            base = np.array([[0.3, 0.1, 0.6], [0.7, 0.1, 0.6], [0.05, 0.1, 0.6]])
        program = compile(lambda *a, op=op: op(*a))
        out = program(*base.T)
        for k, row in enumerate(base):
            assert out[k] == pytest.approx(op(*row), abs=1e-13)


def test_operators_and_constants():
    """Values, constants and traced numbers in every place of an operation; their gradients can be had."""
    w = Value(0.5, "w")
    for f in (
        lambda x: w * x + 1.0,
        lambda x: (x - w) ** 2 / 3.0,
        lambda x: -x * w,
        lambda x: clip(x, w, 1.0),
        lambda x: total([x, w, 2.0]),
        lambda x: weighted_sum([w, w], [x, 2.0], w),
        lambda x: log(x + w),
        lambda x: OPS["where"](x, w, 3.0),
        lambda x: 1.0 / x - 2.0**x,
    ):
        program = compile(f)
        X = np.array([0.3, 0.7, 2.0])
        out = program(X)
        for k, x in enumerate(X):
            answer = f(float(x))
            assert out[k] == pytest.approx(getattr(answer, "data", answer))
        program.value_and_grad(X)


@pytest.mark.parametrize(
    "name", ["tanh", "sigmoid", "erf", "hypot", "atan2", "pow", "atan", "log2", "log10", "logsumexp"]
)
def test_compiled_slopes_are_the_engines(name):
    """Also where a rule changes its formula: near saturation, below a power of 1/2."""
    op = OPS[name]
    weights = [Value(0.3 + 0.2 * i, f"w{i}") for i in range(op.arity or 2)]
    X = np.array([0.5, 1.5, 20.0])
    _, slopes = compile(lambda x: op(*[w * x for w in weights])).value_and_grad(X)
    for x in X.tolist():
        (op(*[w * x for w in weights]) / len(X)).backward()
    assert np.ravel(slopes) == pytest.approx([w.grad for w in weights], rel=1e-12)
