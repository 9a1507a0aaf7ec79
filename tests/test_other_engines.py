"""The strategies serve others: PyTorch, JAX and HIPS autograd as the implementation under test.

What is drawn is Python source; bound to another library's names it is that library's function, and `gradcheck` holds
that library's gradient to the same oracles as ours.
"""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from autodiff.testing import Expression, WrongDerivativeError, expressions, functions, gradcheck, networks
from autodiff.testing.laws import chain_rule, linearity, product_rule

UNARY = ["exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "sigmoid", "sign"]  # fmt: skip

# Rows that these libraries have too, and can differentiate.
SHARED = (
    "add", "sub", "mul", "div", "pow", "pos", "neg", "abs", *UNARY, "atan2", "hypot", "maximum", "minimum", "relu", "softplus",
    "leaky_relu", "step", "clip", "where", "total", "mean", "logsumexp", "weighted_sum",
)  # fmt: skip


class Torch:
    """float64 tensors, `backward`."""

    operations = SHARED

    def __init__(self):
        torch = pytest.importorskip("torch", reason="PyTorch is installed in continuous integration")

        def tensor(x):
            return torch.as_tensor(x, dtype=torch.float64)

        def lifted(function):
            return lambda *xs: function(*map(tensor, xs))

        def stacked(function):
            return lambda xs: function(torch.stack([tensor(x) for x in xs]))

        self.torch = torch
        self.names = {
            **{name: lifted(getattr(torch, name)) for name in (*UNARY, "atan2", "hypot", "maximum", "minimum", "relu")},
            "softplus": lambda x: torch.logaddexp(tensor(x), tensor(0.0)),  # torch's own is linear from 20 on
            "leaky_relu": lifted(lambda x, slope: torch.where(x > 0, x, x * slope)),
            "step": lifted(lambda x: torch.sign(torch.relu(x))),
            "clip": lifted(lambda x, low, high: torch.maximum(torch.minimum(x, high), low)),
            "where": lifted(lambda c, a, b: torch.where(c != 0, a, b)),
            "total": stacked(torch.sum),
            "mean": stacked(torch.mean),
            "logsumexp": stacked(lambda xs: torch.logsumexp(xs, 0)),
            "weighted_sum": lambda ws, xs, b: sum((w * x for w, x in zip(ws, xs, strict=True)), start=tensor(0.0)) + b,
        }

    def gradient(self, f, point):
        leaves = []

        def leaf(x):
            leaves.append(self.torch.tensor(x, dtype=self.torch.float64, requires_grad=True))
            return leaves[-1]

        result = f(*([leaf(y) for y in x] if isinstance(x, list) else leaf(x) for x in point))
        if getattr(result, "requires_grad", False):  # not so for where(x, 2.0, 3.0), of which torch keeps nothing
            result.backward()
        return [0.0 if x.grad is None else x.grad.item() for x in leaves]


class Numpy:
    """What JAX and HIPS autograd have in common: NumPy's names in a module of their own."""

    def names_of(self, np, special):
        renamed = {
            "asin": "arcsin",
            "acos": "arccos",
            "atan": "arctan",
            "asinh": "arcsinh",
            "acosh": "arccosh",
            "atanh": "arctanh",
        }
        plain = [name for name in UNARY if name not in ("erf", "sigmoid")]
        return {
            **{name: getattr(np, renamed.get(name, name)) for name in plain},
            "erf": special.erf,
            "sigmoid": special.expit,
            "atan2": np.arctan2,
            "hypot": lambda a, b: np.sqrt(a * a + b * b),
            "maximum": np.maximum,
            "minimum": np.minimum,
            "softplus": lambda x: np.logaddexp(x, 0.0),
            "relu": lambda x: np.maximum(x, 0.0),
            "leaky_relu": lambda x, slope: np.where(x > 0, x, x * slope),
            "step": lambda x: np.where(x > 0, 1.0, 0.0),
            "clip": lambda x, low, high: np.maximum(np.minimum(x, high), low),
            "where": lambda c, a, b: np.where(c != 0, a, b),
            "total": sum,
            "mean": lambda xs: sum(xs) / len(xs),
            "logsumexp": lambda xs: special.logsumexp(np.array(xs)) if len(xs) > 1 else 1.0 * xs[0],
            "weighted_sum": lambda ws, xs, b: sum(w * x for w, x in zip(ws, xs, strict=True)) + b,
        }


class Jax(Numpy):
    """`jax.grad` in float64."""

    operations = SHARED

    def __init__(self):
        pytest.importorskip("jax", reason="JAX is installed in continuous integration")
        import jax.numpy
        import jax.scipy.special

        jax.config.update("jax_enable_x64", True)

        self.jax = jax
        self.names = self.names_of(jax.numpy, jax.scipy.special)

    def gradient(self, f, point):
        slopes = self.jax.grad(lambda *xs: 1.0 * f(*xs), argnums=tuple(range(len(point))))(*point)
        return [float(x) for x in self.jax.tree_util.tree_leaves(slopes)]


class Hips(Numpy):
    """`autograd.grad`, of the group that started it; its boxes have no unary plus."""

    operations = tuple(name for name in SHARED if name != "pos")

    def __init__(self):
        pytest.importorskip("autograd", reason="HIPS autograd is installed in continuous integration")
        pytest.importorskip("scipy", reason="autograd's special functions wrap SciPy's")
        import autograd.numpy
        import autograd.scipy.special

        self.autograd = autograd
        self.names = self.names_of(autograd.numpy, autograd.scipy.special)

    def gradient(self, f, point):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "output seems independent of input" where a slope is 0
            slopes = self.autograd.grad(lambda *xs: 1.0 * f(*xs), argnum=tuple(range(len(point))))(*point)
        return [float(x) for x in np.hstack([np.ravel(s) for s in slopes])]


ENGINES = {"torch": Torch, "jax": Jax, "autograd": Hips}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    return ENGINES[request.param]()


def theirs(engine, f):
    """Their gradient of the same source, in the shape `gradcheck` wants."""
    own = f.on(engine.names)

    def gradient(*point):
        flat = engine.gradient(own, point)
        return (flat if isinstance(point[0], list) else flat[0]) if len(point) == 1 else tuple(flat)

    return gradient


@settings(max_examples=8)
@given(data=st.data())
def test_gradients_of_random_expressions(engine, data):
    """Every row of the table, in random expressions at points where they are well conditioned."""
    f = data.draw(expressions(engine.operations))
    gradcheck(f, *f.point, gradient=theirs(engine, f))


@settings(max_examples=5)
@given(data=st.data())
def test_gradients_through_loops_and_branches(engine, data):
    """Plain Python around the expression."""
    f = data.draw(functions(engine.operations))
    f = Expression(f.source, f.point)
    gradcheck(f, *f.point, gradient=theirs(engine, f))


@settings(max_examples=5)
@given(network=networks())
def test_gradients_of_networks(engine, network):
    """By every weight and bias."""
    gradcheck(network, *network.point, gradient=theirs(engine, network))


@settings(max_examples=3)
@given(data=st.data())
def test_the_laws_hold_for_them(engine, data):
    """Linearity, product rule and chain rule need no oracle, and no engine of ours."""
    f, g = data.draw(expressions(engine.operations, inputs=1)), data.draw(expressions(engine.operations, inputs=2))
    one, two = f.on(engine.names), g.on(engine.names)
    linearity(one, two, f.point, g.point, gradient=engine.gradient)
    product_rule(one, two, f.point, g.point, gradient=engine.gradient)
    chain_rule(engine.names["tanh"], two, g.point, gradient=engine.gradient)


def test_a_wrong_rule_of_theirs_is_caught_and_shrunk():
    """A sine whose derivative is off by 1 in 1,000, met in larger expressions, is shown as sin(x)."""
    engine = Hips()
    names = {**engine.names, "sin": lambda x: engine.names["sin"](x * 1.001)}

    def fails(f):
        try:
            gradcheck(f, *f.point, gradient=theirs(SimpleNamespace(names=names, gradient=engine.gradient), f))
        except WrongDerivativeError:
            return True
        return False

    options = settings(max_examples=50, database=None, derandomize=True, phases=[Phase.generate, Phase.shrink])
    least = find(expressions(["mul", "sin"], max_leaves=4), fails, settings=options)
    assert least.source == "def f(x):\n    return sin(x)"
