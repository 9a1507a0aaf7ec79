"""Gradient checkers side by side on the corpus of the tests: `python -m benchmarks.gradcheck [--quick] [--markdown]`.

The corpus is tests/gradient_corpus: functions with a right backward pass each and the mistakes that people make in it.
Every checker gets the same functions on NumPy arrays and the same gradients, through the door it has for them, with its
own default tolerances; SciPy and numdifftools leave the comparison to the user, and 1e-6 of the gradient's size, at
least of 1, is taken. Kinks are points without a derivative, with a gradient that claims a slope between those on both
sides: a checker that refuses says so, the others pass it or call it wrong. Seconds are processor time for the right
gradients.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from autodiff.testing import WrongDerivativeError, gradcheck

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from gradient_corpus import all_cases

KINKS = {  # function, point, and a slope that it might have there
    "|x|": (lambda x: np.sum(np.abs(x)), [0.0, 1.0], [0.0, 1.0]),
    "relu": (lambda x: np.sum(np.maximum(x, 0.0)), [0.0, 1.0], [0.0, 1.0]),
    "a tie of maximum": (np.max, [1.0, 1.0], [0.5, 0.5]),
    "hinge": (lambda w: np.maximum(0.0, 1.0 - w[0]) + w[1], [1.0, 2.0], [0.0, 1.0]),
    "clip": (lambda x: np.sum(np.clip(x, -1.0, 1.0)), [1.0, 0.5], [1.0, 1.0]),
    "a jump": (lambda x: 1.0 * (x[0] > 0.0) + x[1], [0.0, 1.0], [0.0, 1.0]),
    "norm at 0": (lambda x: np.sqrt(np.sum(x**2)), [0.0, 0.0], [0.0, 0.0]),
    "leaky relu": (lambda x: np.sum(np.where(x > 0.0, x, 0.1 * x)), [0.0, 1.0], [1.0, 1.0]),
}

Outcome = str  # "right", "wrong" or "refused"


def flat_of(f, gradient, points):
    """The function and its gradient on one vector, and that; the function is called first, as layers want."""
    shapes = [np.shape(x) for x in points]
    sizes = [int(np.prod(shape)) for shape in shapes]

    def parts(x):
        pieces = np.split(np.asarray(x, dtype=np.float64), np.cumsum(sizes)[:-1])
        return [float(p[0]) if shape == () else p.reshape(shape) for p, shape in zip(pieces, shapes, strict=True)]

    def slopes(x):
        f(*parts(x))
        given = gradient(*parts(x))
        given = given if len(points) > 1 else (given,)
        return np.concatenate([np.ravel(np.asarray(g, dtype=np.float64)) for g in given])

    return lambda x: float(f(*parts(x))), slopes, np.concatenate([np.ravel(np.asarray(x, dtype=float)) for x in points])


def ours(f, gradient, points) -> Outcome:
    try:
        gradcheck(f, *points, gradient=gradient)
    except WrongDerivativeError as error:
        ours.named = bool(error.diagnosis and error.diagnosis.hints)
        return "wrong"
    except ValueError:
        return "refused"
    return "right"


def of_torch() -> Callable[..., Outcome]:
    import torch

    def check(f, gradient, points):
        value, slopes, at = flat_of(f, gradient, points)

        class Layer(torch.autograd.Function):
            @staticmethod
            def forward(context, x):
                context.save_for_backward(x)
                return torch.tensor(value(x.detach().numpy()), dtype=torch.float64)

            @staticmethod
            def backward(context, delta):
                (x,) = context.saved_tensors
                return delta * torch.from_numpy(slopes(x.detach().numpy()))

        x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
        return "right" if torch.autograd.gradcheck(Layer.apply, x, raise_exception=False) else "wrong"

    return check


def of_jax() -> Callable[..., Outcome]:
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)

    def check(f, gradient, points):
        value, slopes, at = flat_of(f, gradient, points)
        number, vector = jax.ShapeDtypeStruct((), np.float64), jax.ShapeDtypeStruct(at.shape, np.float64)

        @jax.custom_vjp
        def layer(x):
            return jax.pure_callback(lambda x: np.float64(value(x)), number, x)

        def backward(x, delta):
            return (delta * jax.pure_callback(slopes, vector, x),)

        layer.defvjp(lambda x: (layer(x), x), backward)
        try:
            check_grads(layer, (at,), order=1, modes=["rev"])
        except AssertionError:
            return "wrong"
        return "right"

    return check


def of_scipy() -> Callable[..., Outcome]:
    from scipy.optimize import check_grad

    def check(f, gradient, points):
        value, slopes, at = flat_of(f, gradient, points)
        return "right" if check_grad(value, slopes, at) <= 1e-6 * max(1.0, np.linalg.norm(slopes(at))) else "wrong"

    return check


def of_numdifftools() -> Callable[..., Outcome]:
    from numdifftools import Gradient

    def check(f, gradient, points):
        value, slopes, at = flat_of(f, gradient, points)
        given = slopes(at)
        off = np.linalg.norm(np.atleast_1d(Gradient(value)(at)) - given)
        return "right" if off <= 1e-6 * max(1.0, np.linalg.norm(given)) else "wrong"

    return check


def of_hips() -> Callable[..., Outcome]:
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_vjp

    def check(f, gradient, points):
        value, slopes, at = flat_of(f, gradient, points)
        layer = primitive(value)
        defvjp(layer, lambda _, x: lambda delta: delta * slopes(x))
        try:
            check_vjp(layer, at)
        except AssertionError:
            return "wrong"
        return "right"

    return check


CHECKERS = {
    "autodiff.testing.gradcheck": lambda: ours,
    "torch.autograd.gradcheck": of_torch,
    "jax.test_util.check_grads": of_jax,
    "scipy.optimize.check_grad": of_scipy,
    "numdifftools.Gradient": of_numdifftools,
    "HIPS autograd check_vjp": of_hips,
}


def outcome(check, f, gradient, points) -> Outcome:
    """Return what a checker says; an exception of any other kind is told as its name."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        np.random.seed(0)  # noqa: NPY002 # some of them draw from there
        try:
            return check(f, gradient, points)
        except Exception as error:  # noqa: BLE001 # a mistake may well have another shape, which is found thereby
            return "wrong" if isinstance(error, (TypeError, ValueError, RuntimeError)) else type(error).__name__


def row(name: str, make: Callable[[], Callable[..., Outcome]], cases) -> list[str]:
    """A line of the table: what a checker says of right gradients, of mistakes and at kinks."""
    try:
        check = make()
    except ImportError as error:
        return [name, f"not installed: {error}", "", "", "", ""]
    count: Counter[str] = Counter()
    start = time.process_time()
    for case in cases:
        f, gradient = case.make("")
        count["right"] += 1
        count["alarms"] += outcome(check, f, gradient, case.points) != "right"
    seconds = time.process_time() - start
    for case in cases:
        for wrong in case.mistakes:
            f, gradient = case.make(wrong)
            said = outcome(check, f, gradient, case.points)
            count["mistakes"] += 1
            count["missed"] += said == "right"
            count["named"] += said == "wrong" and check is ours and ours.named
    for f, point, slope in KINKS.values():
        count[outcome(check, f, lambda _, slope=slope: np.array(slope), (np.array(point),)) + " kinks"] += 1
    said = {"refused": "refused", "right": "passed", "wrong": "called wrong"}
    kinks = ", ".join(f"{count[f'{key} kinks']} {told}" for key, told in said.items() if count[f"{key} kinks"])
    named = f"{count['named']} of {count['mistakes']}" if check is ours else "–"
    alarms, misses = f"{count['alarms']} of {count['right']}", f"{count['missed']} of {count['mistakes']}"
    return [name, alarms, misses, named, kinks, f"{seconds:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few functions: does it run at all")
    parser.add_argument("--markdown", action="store_true", help="the table as Markdown")
    options = parser.parse_args()
    cases = all_cases()[:: 8 if options.quick else 1]
    heads = ["checker", "false alarms", "misses", "named in words", f"{len(KINKS)} kinks", "seconds"]
    rows = [row(name, make, cases) for name, make in CHECKERS.items()]
    if options.markdown:
        print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
        print("\n".join("| " + " | ".join(cells) + " |" for cells in rows))
        return
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for cells in (heads, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
