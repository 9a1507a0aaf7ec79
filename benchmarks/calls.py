"""All forms of a call, each beside the plain one: `python -m benchmarks.calls [--quick] [--markdown]`.

A small network and a neuron; each form of call is in a process of its own, and all are timed in turn.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.compiled import Contest, header, shown, team
from benchmarks.compiled_worker import ONE_CORE
from benchmarks.contenders import ALIVE, Contender
from benchmarks.demo import moons
from benchmarks.eager import agree, paired_ratio
from benchmarks.table import Table

BATCH, ROW, NEURON = "2-16-16-1, 100 rows", "2-16-16-1, one row", "a neuron, one point"
INSIDE, DICT = "in a training block", '{"x": X, "y": Y}'


def network(rows: int) -> tuple[Any, Any, list[Any]]:
    """micrograd's loss, without its penalty, as a program; the network in it, and so many samples."""
    import autodiff
    import models

    net: Any = models.MLP(2, [16, 16, 1], random_state=0)
    arguments = [np.array(numbers, dtype=np.float64)[:rows] for numbers in moons(100)]
    return autodiff.compile(lambda x, y: (1 + -y * net(x)).relu()), net, arguments


def of_a_batch(form: str) -> Contender:
    """Value and gradient of a hundred rows."""
    program, net, batch = network(100)
    X, Y = batch
    args: tuple[Any, ...] = (X, Y)
    options: dict[str, dict[str, Any]] = {
        "argnums=0": {"argnums": 0}, 'argnames="x"': {"argnames": "x"}, "weights=w": {"weights": np.ones(100)},
        "reduce=None": {"reduce": None}, "y=Y": {"y": Y},
    }  # fmt: skip
    given = options.get(form, {})
    if form == "y=Y":
        args = (X,)
    elif form == DICT:
        import autodiff

        args = ({"x": X, "y": Y},)
        program = autodiff.compile(lambda row: (1 + -row["y"] * net(row["x"])).relu())
    if form == INSIDE:
        ALIVE.enter_context(program.training(*batch))
    if form == "program(X, Y)":
        return Contender(
            lambda: program(*batch), lambda: [program(*batch).mean(), *program.value_and_grad(*batch)[1].tolist()]
        )

    def answers() -> list[float]:
        value, gradient, *_ = program.value_and_grad(*args, **given)
        return [float(np.mean(value)), *np.reshape(gradient, (-1, len(program.parameters))).mean(axis=0).tolist()]

    return Contender(lambda: program.value_and_grad(*args, **given), answers)


def of_one_row(form: str) -> Contender:
    """One row of the network; by hand in NumPy."""
    program, net, (X, Y) = network(1)
    if form != "NumPy by hand":
        return Contender(lambda: program.value_and_grad(X, Y), lambda: _sums(*program.value_and_grad(X, Y)))
    weights = [np.array([[w.data for w in neuron.weights] for neuron in layer.neurons]) for layer in net.layers]
    biases = [np.array([neuron.bias.data for neuron in layer.neurons]) for layer in net.layers]
    x, y = X[0], float(Y[0])

    def work() -> Any:
        z1 = weights[0] @ x + biases[0]
        a1 = np.maximum(z1, 0.0)
        z2 = weights[1] @ a1 + biases[1]
        a2 = np.maximum(z2, 0.0)
        margin = 1.0 - y * (weights[2] @ a2 + biases[2])[0]
        d3 = np.array([-y if margin > 0.0 else 0.0])
        d2 = (weights[2].T @ d3) * (z2 > 0.0)
        d1 = (weights[1].T @ d2) * (z1 > 0.0)
        return max(margin, 0.0), np.outer(d1, x), d1, np.outer(d2, a1), d2, np.outer(d3, a2), d3

    return Contender(work, lambda: _sums(*work()))


def _sums(value: float, *gradient: Any) -> list[float]:
    """Numbers that do not depend on the order of the parameters."""
    every = np.concatenate([np.ravel(g) for g in gradient])
    return [float(value), float(every.sum()), float(np.abs(every).sum()), float(every.dot(every))]


def of_a_neuron(form: str) -> Contender:
    """Value and gradient at one point, whose numbers are of several classes."""
    import autodiff

    w, b = autodiff.Value(0.3), autodiff.Value(0.1)
    program = autodiff.compile(lambda x, y: (autodiff.tanh(w * x + b) - y) ** 2)
    kinds: dict[str, Callable[[int], Any]] = {
        "floats": float, "ints": int, "np.float64": np.float64, "arrays without an axis": lambda x: np.array(float(x)),
    }  # fmt: skip
    x, y = map(kinds.get(form, float), (1, 2))
    if form == "y=y":
        return Contender(
            lambda: program.value_and_grad(x, y=y),
            lambda: [float(z) for z in np.hstack(program.value_and_grad(x, y=y))],
        )
    return Contender(
        lambda: program.value_and_grad(x, y), lambda: [float(z) for z in np.hstack(program.value_and_grad(x, y))]
    )


# By the work: the forms of a call, the plain one first, and how many times as dear as that the others may be.
CALLS: dict[str, tuple[Callable[[str], Contender], Mapping[str, float | None]]] = {
    BATCH: (of_a_batch, {"value_and_grad(X, Y)": None, INSIDE: None, "program(X, Y)": 1.0,
                         "argnums=0": 1.5, 'argnames="x"': 1.5, "y=Y": 1.5, DICT: 1.5, "weights=w": 1.5,
                         "reduce=None": 1.5}),
    ROW: (of_one_row, {"NumPy by hand": None, "value_and_grad(x, y)": 3.0}),
    NEURON: (of_a_neuron, {"floats": None, "ints": 1.5, "np.float64": 1.5, "arrays without an axis": 1.5, "y=y": 1.5}),
}  # fmt: skip
CONTENDERS = {form: partial(make, form) for make, forms in CALLS.values() for form in forms}


def _verdict(ratio: float, most: float | None) -> tuple[str, str]:
    return ("", "") if most is None else (f"≤ {most:g}×", "yes" if ratio <= most else "NO")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table. The exit status is 0 even where a target is missed: the table says so."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each: a smoke test, not a measurement")
    parser.add_argument("--markdown", action="store_true", help="a table to paste into benchmarks/README.md")
    given = parser.parse_args(arguments)
    rounds, samples = (1, 1) if given.quick else (15, 7)
    first, table = header(("numpy",)), Table(("work", "call", "time", "ratio", "target", "met"))
    for work, (_, forms) in CALLS.items():
        with team(Contest("calls", work, tuple(forms)), ONE_CORE) as workers:
            agree(workers.ask("answers"))
            times: dict[str, Any] = workers.rounds(rounds, "time", samples=samples)
        plain, *others = forms
        table.add(work, plain, shown(statistics.median(times[plain])))
        for form in others:
            ratio, most = paired_ratio(times[form], times[plain]), forms[form]
            table.add(work, form, shown(statistics.median(times[form])), f"{ratio:.2f}×", *_verdict(ratio, most))
        if INSIDE in forms:
            ratio = paired_ratio(times[plain], times[INSIDE])
            table.add(work, f"{plain}, beside one {INSIDE}", "", f"{ratio:.2f}×", *_verdict(ratio, 1.2))
    table.report(first, markdown=given.markdown, quick=given.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
