"""A small GPT, scalar by scalar: it reads given names letter by letter, and then writes names of its own.

`python -m lessons.gpt` trains it, compiled, in about a second; writes names; and draws what it attends to and how δ
returns. The same code runs on Values one by one, on stand-ins for `compile`, and on plain numbers when it writes.

>>> model = GPT(random_state=0)
>>> model.cost(*sample("ana")).op is not None            # a Value, with its graph: ready for backward()
True
>>> model.write(random_state=3) == model.write(random_state=3)
True
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

import autodiff
from autodiff import Value
from models.optimizers import Adam
from models.schedules import cosine_decay

NAMES = tuple(
    name
    for line in resources.files("lessons").joinpath("names.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
    for name in line.split()
)
END = "·"  # stands before the first letter and after the last
ALPHABET = END + "".join(sorted(set("".join(NAMES))))
PLACES = 1 + max(map(len, NAMES))
UNITS, HEADS = 16, 4
SIZE = UNITS // HEADS  # of what one head reads
SHAPES = MappingProxyType({
    "letter": (len(ALPHABET), UNITS), "place": (PLACES, UNITS), "Q": (UNITS, UNITS), "K": (UNITS, UNITS),
    "V": (UNITS, UNITS), "O": (UNITS, UNITS), "up": (4 * UNITS, UNITS), "down": (UNITS, 4 * UNITS),
    "out": (len(ALPHABET), UNITS),
})  # fmt: skip

STEPS, BATCH, LEARNING_RATE = 1000, 8, 0.01


def numbers(name: str) -> list[int]:
    """Return the places of the letters in the alphabet, with END on either side.

    >>> numbers("ana")
    [0, 1, 14, 1, 0]
    """
    return [ALPHABET.index(letter) for letter in f"{END}{name}{END}"]


def sample(name: str) -> tuple[list[int], list[int], list[float]]:
    """Return what the model reads, what it should foretell at each place, and the share of each in the cost.

    >>> sample("ana")[:2]
    ([0, 1, 14, 1], [1, 14, 1, 0])
    """
    known = numbers(name)
    return known[:-1], known[1:], [1.0 / (len(known) - 1)] * (len(known) - 1)


def padded(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return samples of one length, each (names, PLACES): what follows a name's end has a share of 0 in the cost."""
    rows = [[x + [0] * (PLACES - len(x)) for x in sample(name)] for name in names]
    letters, following, shares = (np.array(part, dtype=float) for part in zip(*rows, strict=True))
    return letters, following, shares


def held_out(names: Sequence[str] = NAMES) -> tuple[list[str], list[str]]:
    """Return the names to learn from, and every tenth of them, drawn once, to ask about afterwards."""
    order = np.random.default_rng(1).permutation(list(names)).tolist()
    return order[len(order) // 10 :], order[: len(order) // 10]


@dataclass
class Memory:
    """The traces of earlier places that later ones read: keys and values of each, and what it attended to."""

    keys: list[list[Any]] = field(default_factory=list)
    values: list[list[Any]] = field(default_factory=list)
    attention: list[list[list[Any]]] = field(default_factory=list)  # of each place: each head's share of each place
    inputs: list[list[Any]] = field(default_factory=list)  # what stands for each letter in its place


class GPT:
    """The model: nine matrices of numbers, of Values unless others are given.

    `functions` has `pick`, `weighted_sum`, `softmax`, `logsumexp` and `relu` for these numbers.
    """

    def __init__(
        self, weights: dict[str, Any] | None = None, *, functions: Any = autodiff, random_state: int | None = None
    ) -> None:
        self.functions = functions
        self.weights = initial(random_state) if weights is None else weights

    def parameters(self) -> list[Any]:
        """Return every weight, matrix by matrix and row by row."""
        return [w for matrix in self.weights.values() for row in matrix for w in row]

    def numbers(self) -> GPT:
        """Return the model with plain numbers for weights, to write with."""
        return GPT({name: [[w.data for w in row] for row in matrix] for name, matrix in self.weights.items()})

    def cost(self, letters: Any, following: Any, shares: Any) -> Any:
        """Return the cross-entropy: the surprise at each letter that follows, times its share."""
        return sum(
            share * each for share, each in zip(shares, self.surprises(letters, following, Memory()), strict=True)
        )

    def surprises(self, letters: Any, following: Any, memory: Memory) -> list[Any]:
        """Return −log p at each place, p the probability that the model gave to the letter that did follow."""
        found: list[Any] = []
        for place, (letter, target) in enumerate(zip(letters, following, strict=True)):
            scores = self.scores(letter, place, memory)
            found.append(self.functions.logsumexp(scores) - self.functions.pick(scores, target))
        return found

    def scores(self, letter: Any, place: int, memory: Memory) -> list[Any]:
        """Read one letter and return a score for each letter that may follow."""
        W, f = self.weights, self.functions
        x = normed(plus(f.pick(W["letter"], letter), W["place"][place]), f)
        memory.inputs.append(x)
        x = plus(x, times(W["O"], self.attended(normed(x, f), memory), f))
        hidden = [f.relu(h) ** 2 for h in times(W["up"], normed(x, f), f)]
        x = plus(x, times(W["down"], hidden, f))
        return times(W["out"], x, f)

    def attended(self, x: list[Any], memory: Memory) -> list[Any]:
        """Ask all places so far: each head mixes their values, most of those whose keys answer its query."""
        W, f = self.weights, self.functions
        query = times(W["Q"], x, f)
        memory.keys.append(times(W["K"], x, f))
        memory.values.append(times(W["V"], x, f))
        memory.attention.append([])
        mixed: list[Any] = []
        for start in range(0, UNITS, SIZE):
            head = slice(start, start + SIZE)
            shares = f.softmax([f.weighted_sum(query[head], key[head]) / SIZE**0.5 for key in memory.keys])
            memory.attention[-1].append(shares)
            columns = zip(*(values[head] for values in memory.values), strict=True)
            mixed += [sum(p * v for p, v in zip(shares, column, strict=True)) for column in columns]
        return mixed

    def write(self, *, random_state: int, temperature: float = 0.8) -> str:
        """Write a name: letter by letter, each drawn by its probability; below 1, `temperature` favours the likely."""
        model, memory, draw = self.numbers(), Memory(), np.random.default_rng(random_state)
        name = END
        for place in range(PLACES):
            scores = model.scores(ALPHABET.index(name[-1]), place, memory)
            name += draw.choice(list(ALPHABET), p=autodiff.softmax([z / temperature for z in scores]))
            if name[-1] == END:
                break
        return name.strip(END)


def initial(random_state: int | None) -> dict[str, list[list[Value]]]:
    """Return matrices of Values drawn around 0, as wide as suits the number of their columns."""
    draw = np.random.default_rng(random_state)
    matrices = {name: draw.normal(0.0, 0.5 * shape[1] ** -0.5, shape).tolist() for name, shape in SHAPES.items()}
    return {
        name: [[Value(w, f"{name}[{i}][{j}]") for j, w in enumerate(row)] for i, row in enumerate(matrix)]
        for name, matrix in matrices.items()
    }


def times(matrix: list[list[Any]], x: list[Any], f: Any) -> list[Any]:
    """Return one weighted sum for each row of the matrix."""
    return [f.weighted_sum(row, x) for row in matrix]


def plus(x: list[Any], y: list[Any]) -> list[Any]:
    """Add number by number."""
    return [a + b for a, b in zip(x, y, strict=True)]


def normed(x: list[Any], f: Any) -> list[Any]:
    """Return x with a root mean square of 1."""
    scale = (f.weighted_sum(x, x) / len(x) + 1e-5) ** -0.5
    return [v * scale for v in x]


def batches(names: Sequence[str], steps: int, size: int) -> Iterator[list[str]]:
    """Yield `size` names for each step, in an order drawn once: all names before any comes again."""
    order = np.random.default_rng(0).permutation(list(names)).tolist()
    for step in range(steps):
        yield [order[(step * size + k) % len(order)] for k in range(size)]


def optimizer(parameters: Sequence[Value], steps: int = STEPS) -> Adam:
    """Return Adam, with a rate that falls to 0 along a cosine."""
    return Adam(parameters, learning_rate=cosine_decay(LEARNING_RATE, steps=steps), beta1=0.9, beta2=0.95)


def train(model: GPT, names: Sequence[str], *, steps: int = STEPS, size: int = BATCH) -> list[float]:
    """Train compiled, with `size` names for each step, and return the cost of every step."""
    program = autodiff.compile(model.cost)
    data = padded(names)
    row = {name: i for i, name in enumerate(names)}
    costs: list[float] = []
    with program.training(*(part[:size] for part in data)) as flat:
        rule = optimizer(program.parameters, steps)
        for batch in batches(names, steps, size):
            chosen = [row[name] for name in batch]
            cost, gradient = program.value_and_grad(*(part[chosen] for part in data))
            rule.update(flat, gradient)
            costs.append(cost)
    return costs


def attention(model: GPT, name: str) -> np.ndarray:
    """Return what each head attends to while it reads a name: (heads, places, places), each row adds up to 1."""
    letters, following, _ = sample(name)
    memory = Memory()
    model.numbers().surprises(letters, following, memory)
    found = np.zeros((HEADS, len(letters), len(letters)))
    for place, by_head in enumerate(memory.attention):
        found[:, place, : place + 1] = by_head
    return found


def blame(model: GPT, name: str) -> np.ndarray:
    """Return how much δ of the surprise at each letter (rows) reaches each letter read (columns): its length."""
    letters, following, _ = sample(name)
    memory = Memory()
    found = np.zeros((len(letters), len(letters)))
    for place, surprise in enumerate(model.surprises(letters, following, memory)):
        surprise.backward()
        for earlier, inputs in enumerate(memory.inputs[: place + 1]):
            found[place, earlier] = np.linalg.norm([x.grad for x in inputs])
    return found


WORDS = ("letter read", "letter foretold", "head")


def attention_picture(model: GPT, name: str, *, dark: bool = False, words: Sequence[str] = WORDS) -> Any:
    """Draw what each head attends to, in percent; return the figure. It needs matplotlib, the extra `plots`."""
    from matplotlib.gridspec import GridSpec

    from models.plots import panels

    made = panels(HEADS, dark=dark, size=(1.35, 5.9))
    grid = GridSpec(2, HEADS // 2, figure=made[0].figure)
    for i, (ax, shares) in enumerate(zip(made, attention(model, name), strict=True)):
        ax.set_subplotspec(grid[i])
        _table(ax, 100.0 * shares, name, words, dark=dark)
        ax.set_title(f"{words[2]} {i + 1}")
    return made[0].figure


def blame_picture(model: GPT, name: str, *, dark: bool = False, words: Sequence[str] = WORDS) -> Any:
    """Draw how much δ of each letter foretold reaches each letter read; return the figure."""
    from models.plots import axes

    ax = axes(dark=dark, size=(4.4, 4.2))
    _table(ax, blame(model, name), name, words, dark=dark)
    return ax.figure


def _table(ax: Any, numbers: np.ndarray, name: str, words: Sequence[str], *, dark: bool) -> None:
    """Colour a table of numbers by letters: rows by those foretold, columns by those read."""
    from matplotlib.colors import LinearSegmentedColormap

    paper, ink, full = ("#0f151c", "#eef3f8", "#78bcff") if dark else ("#ffffff", "#1f2933", "#0b5fa5")
    seen, top = np.tri(len(numbers), dtype=bool), numbers.max()
    ax.grid(visible=False)
    colours = LinearSegmentedColormap.from_list("", [paper, full])
    ax.imshow(np.where(seen, numbers, np.nan), cmap=colours, vmin=0.0)
    for row, column in np.argwhere(seen):
        number = numbers[row, column]
        luminance = np.power(colours(number / top)[:3], 2.2) @ [0.2126, 0.7152, 0.0722]
        colour = max(paper, ink) if luminance < 0.18 else min(paper, ink)
        text = f"{number:.0f}" if top > 10.0 else f"{number:.2f}"
        ax.text(column, row, text, ha="center", va="center", color=colour, fontsize="small")
    ax.set_xticks(range(len(numbers)), END + name)
    ax.set_yticks(range(len(numbers)), name + END)
    ax.set(xlabel=words[0], ylabel=words[1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, write names, draw."""
    parser = argparse.ArgumentParser(prog="python -m lessons.gpt", description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of Adam, %(default)s if not given")
    parser.add_argument("--write", type=int, default=20, help="names to write, %(default)s if not given")
    parser.add_argument("--name", default="elena", help="whose attention and δ are drawn")
    parser.add_argument("--out", type=Path, default=Path("out"), help="where the pictures go")
    chosen = parser.parse_args(arguments)
    model, (names, kept) = GPT(random_state=0), held_out()
    print(f"{len(names)} names to learn from, {len(kept)} kept apart; {len(model.parameters()):,} weights")
    began = time.process_time()
    costs = train(model, names, steps=chosen.steps)
    took = time.process_time() - began
    print(f"{chosen.steps} steps of {BATCH} names in {took:.2f} s of processor time, trace and compile included")
    last = np.mean(costs[-50:])
    unknown = autodiff.compile(model.cost)(*padded(kept)).mean()
    print(f"surprise at a letter: {costs[0]:.2f} at first, {last:.2f} in the end; {unknown:.2f} at names kept apart")
    written = [model.write(random_state=seed) for seed in range(chosen.write)]
    print(" ".join(name if name in NAMES else name + "*" for name in written))
    print(f"* {sum(name not in NAMES for name in written)} of {len(written)} are in no list")
    chosen.out.mkdir(exist_ok=True)
    for dark in (False, True):
        for what, draw in (("attention", attention_picture), ("delta", blame_picture)):
            path = chosen.out / f"gpt-{what}{'-dark' * dark}.png"
            draw(model, chosen.name, dark=dark).savefig(path, dpi=110)
            print(path)


if __name__ == "__main__":
    main()
