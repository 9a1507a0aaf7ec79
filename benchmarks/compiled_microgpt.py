"""A small GPT, scalar by scalar, on five engines: equal losses, and what a training step costs on each.

`python -m benchmarks.compiled_microgpt` trains `lessons.gpt` in processes of their own, one core each: on Values one by
one, compiled, as the compiled program's text under `jax.jit`, on a micrograd-style scalar engine, and as PyTorch
tensors written for it. All start from the same weights, see the same names and follow Adam; the losses of all steps
must agree to 1e-9. Times are processor time; `whole` is a run of 1,000 steps, with tracing and compiling.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks import microgpt_style
from benchmarks.compiled_worker import LIMITS
from lessons import gpt

RTOL = 1e-9
Losses = Iterator[float]


def batches(steps: int, size: int) -> Iterator[list[str]]:
    """The names of each step, those that the lesson learns from."""
    return gpt.batches(gpt.held_out()[0], steps, size)


def compiled(steps: int, size: int) -> Losses:
    """One program for all rows, names padded to one length."""
    import autodiff

    model = gpt.GPT(random_state=0)
    program = autodiff.compile(model.cost)
    with program.training(*gpt.padded(["ana"] * size)) as flat:
        rule = gpt.optimizer(program.parameters, steps)
        for names in batches(steps, size):
            loss, gradient = program.value_and_grad(*gpt.padded(names))
            rule.update(flat, gradient)
            yield loss


def text_under_jax(steps: int, size: int) -> Losses:
    """Train on the text of `program.source`, in one `jax.jit`; Adam on NumPy, as above."""
    import jax

    import autodiff

    jax.config.update("jax_enable_x64", True)
    program = autodiff.compile(gpt.GPT(random_state=0).cost)
    program.value_and_grad(*gpt.padded(["ana"] * size))
    module: dict[str, Any] = {}
    exec(program.source.replace("xp = np ", "import jax.numpy as xp "), module)
    both = jax.jit(module["value_and_grad"])
    flat = np.array([p.data for p in program.parameters])
    rule = gpt.optimizer(program.parameters, steps)
    for names in batches(steps, size):
        loss, gradient = both(flat, *gpt.padded(names))
        rule.update(flat, np.asarray(gradient))
        yield float(loss)


def one_by_one(model: gpt.GPT, steps: int, size: int, rule: Any) -> Losses:
    """A graph for every step: each name as long as it is."""
    for names in batches(steps, size):
        loss = sum((model.cost(*gpt.sample(name)) for name in names), start=0.0) / size
        rule.zero_grad()
        loss.backward()
        rule.step()
        yield loss.data


def on_values(steps: int, size: int) -> Losses:
    """The engine itself."""
    model = gpt.GPT(random_state=0)
    return one_by_one(model, steps, size, gpt.optimizer(model.parameters(), steps))


class Rule:
    """The same Adam for numbers of another engine."""

    def __init__(self, parameters: list[Any], values: list[Any], steps: int) -> None:
        self.parameters, self.adam = parameters, gpt.optimizer(values, steps)

    def zero_grad(self) -> None:
        for p in self.parameters:
            p.grad = 0.0

    def step(self) -> None:
        w = np.array([p.data for p in self.parameters])
        self.adam.update(w, np.array([p.grad for p in self.parameters]))
        for p, data in zip(self.parameters, w.tolist(), strict=True):
            p.data = data


def style_softmax(scores: list[Any]) -> list[Any]:
    top = max(z.data for z in scores)
    powers = [(z - top).exp() for z in scores]
    whole = sum(powers)
    return [p / whole for p in powers]


def style_logsumexp(scores: list[Any]) -> Any:
    top = max(z.data for z in scores)
    return sum((z - top).exp() for z in scores).log() + top


STYLE = SimpleNamespace(
    pick=lambda table, i: table[i],
    weighted_sum=lambda weights, inputs: sum(w * x for w, x in zip(weights, inputs, strict=True)),
    softmax=style_softmax,
    logsumexp=style_logsumexp,
    relu=lambda z: z.relu(),
)


def on_a_style_engine(steps: int, size: int) -> Losses:
    """Every + and every × a node of its own, as in micrograd and microgpt."""
    ours = gpt.GPT(random_state=0)
    weights = {
        name: [[microgpt_style.Value(w) for w in row] for row in matrix]
        for name, matrix in ours.numbers().weights.items()
    }
    model = gpt.GPT(weights, functions=STYLE)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)  # it sorts its graph by recursion
    try:
        yield from one_by_one(model, steps, size, Rule(model.parameters(), ours.parameters(), steps))
    finally:
        sys.setrecursionlimit(limit)


def in_torch(steps: int, size: int) -> Losses:
    """Tensors (names, places, units), a mask, and PyTorch's own Adam."""
    import torch

    rate, W = gpt.optimizer(gpt.GPT(random_state=0).parameters(), steps).learning_rate, torch_weights()
    rule = torch.optim.Adam(W.values(), lr=gpt.LEARNING_RATE, betas=(0.9, 0.95), eps=1e-8)
    for step, names in enumerate(batches(steps, size)):
        rule.param_groups[0]["lr"] = rate(step)
        loss = torch_cost(W, *gpt.padded(names)).mean()
        rule.zero_grad()
        loss.backward()
        rule.step()
        yield loss.item()


def torch_weights() -> dict[str, Any]:
    """The lesson's first weights as tensors, by name."""
    import torch

    matrices = gpt.GPT(random_state=0).numbers().weights
    return {name: torch.tensor(m, dtype=torch.float64, requires_grad=True) for name, m in matrices.items()}


def torch_cost(W: dict[str, Any], letters: Any, following: Any, shares: Any, seen: dict[str, Any] | None = None) -> Any:
    """The cost of each name; `seen` gets what stands for each letter, the attention and each letter's surprise."""
    import torch

    X, Y, shares = torch.tensor(letters).long(), torch.tensor(following).long(), torch.tensor(shares)
    n, T = X.shape
    mask = torch.ones(T, T).tril() == 0.0

    def normed(x: Any) -> Any:
        return x * ((x * x).mean(-1, keepdim=True) + 1e-5) ** -0.5

    inputs = normed(W["letter"][X] + W["place"][:T])
    y = normed(inputs)
    q, k, v = ((y @ W[name].T).reshape(n, T, gpt.HEADS, -1).transpose(1, 2) for name in "QKV")
    scores = (q @ k.transpose(2, 3) / gpt.SIZE**0.5).masked_fill(mask, -torch.inf)
    attention = torch.softmax(scores, -1)
    x = (attention @ v).transpose(1, 2).reshape(n, T, -1) @ W["O"].T + inputs
    x = torch.relu(normed(x) @ W["up"].T) ** 2 @ W["down"].T + x
    z = x @ W["out"].T
    surprise = torch.nn.functional.cross_entropy(z.reshape(n * T, -1), Y.reshape(-1), reduction="none")
    surprise = surprise.reshape(n, T)
    if seen is not None:
        seen.update(inputs=inputs, attention=attention, surprise=surprise)
    return (surprise * shares).sum(1)


ENGINES: dict[str, Callable[[int, int], Losses]] = {
    "compiled": compiled,
    "its text, jax.jit": text_under_jax,
    "PyTorch, tensors": in_torch,
    "Values, one by one": on_values,
    "micrograd's style": on_a_style_engine,
}
NEEDS = {"its text, jax.jit": "jax", "PyTorch, tensors": "torch"}
QUICK = ("compiled", "its text, jax.jit", "PyTorch, tensors")


def timed(engine: str, steps: int, size: int) -> dict[str, Any]:
    """Losses of all steps, and the processor time at which each was there, from before the first."""
    importlib.import_module(NEEDS.get(engine, "numpy"))
    losses, times = [], [time.process_time()]
    for loss in ENGINES[engine](steps, size):
        losses.append(loss)
        times.append(time.process_time())
    return {"losses": losses, "times": (np.array(times[1:]) - times[0]).tolist()}


def in_a_process(engine: str, steps: int, size: int) -> dict[str, Any]:
    """The same in a process with one core and one thread."""
    environment = {**os.environ, **{f"{name}_NUM_THREADS": "1" for name in LIMITS}}
    command = [sys.executable, "-m", "benchmarks.compiled_microgpt", "--one", engine]
    command += ["--steps", str(steps), "--size", str(size)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def agreement(losses: dict[str, list[float]]) -> float:
    """The largest relative difference from the first engine's losses; AssertionError above 1e-9."""
    first, *others = losses.values()
    apart = max(abs(a / b - 1.0) for other in others for a, b in zip(other, first, strict=False))
    assert apart < RTOL, f"losses differ by {apart:.1e}"
    return apart


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compiled_microgpt")
    parser.add_argument("--steps", type=int, default=200, help="whose losses are compared, %(default)s if not given")
    parser.add_argument("--size", type=int, default=1, help="names in each step, %(default)s if not given")
    parser.add_argument("--rounds", type=int, default=3, help="of 1,000 steps, %(default)s if not given")
    parser.add_argument("--one", choices=ENGINES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(timed(chosen.one, chosen.steps, chosen.size)))
        return
    runs = {engine: in_a_process(engine, chosen.steps, chosen.size) for engine in ENGINES}
    apart = agreement({engine: run["losses"] for engine, run in runs.items()})
    print(f"losses of {chosen.steps} steps of {chosen.size} names agree to {apart:.0e}, on {len(ENGINES)} engines")
    whole: dict[str, list[float]] = {engine: [] for engine in QUICK}
    for _ in range(chosen.rounds):
        for engine in QUICK:
            whole[engine].append(in_a_process(engine, 1000, chosen.size)["times"][-1])
    print("| engine | a step | the first step | 1,000 steps, whole |\n|---|---|---|---|")
    for engine, run in runs.items():
        step = statistics.median(np.diff(run["times"]))
        rest = f"{statistics.median(whole[engine]):.2f} s" if whole.get(engine) else f"{1000 * step:.0f} s, reckoned"
        digits = max(0, 2 - math.floor(math.log10(1000 * step)))
        print(f"| {engine} | {1000 * step:.{digits}f} ms | {run['times'][0]:.2f} s | {rest} |")


if __name__ == "__main__":
    main()
