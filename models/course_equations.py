r"""The course's equations of backpropagation with the numbers of a network, in LaTeX, each checked against the graph.

For one sample (course slide «Backpropagation, matemáticas»); `models.backpropagation` has them for batches.

>>> from models.mlp import MLP
>>> mlp = MLP(2, [1], output_activation="sigmoid").load_weights([[[4.0, 5.0]]], [[-6.0]])
>>> print(equations(mlp, [1.0, 1.0], 1.0))
C = 0.00112461
δ^1 = ∂C/∂a^1 ⊙ σ'(z^1) = [-0.04743] ⊙ [0.04518] = [-0.002143]
∂C/∂w^1 = δ^1 (a^0)ᵀ = [-0.002143] [1 1] = [-0.002143 -0.002143]
∂C/∂b^1 = δ^1 = [-0.002143]
>>> print(equations(mlp, [1.0, 1.0], 1.0).lines[-1].latex)
\frac{\partial C}{\partial b^{1}} = \delta^{1} = \begin{pmatrix} -0.002143 \end{pmatrix}
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autodiff import Value, topological_order
from models._checks import Array
from models._values import plain
from models.activations import slope
from models.backpropagation import Backpropagation, backpropagate
from models.losses import loss_by_name
from models.mlp import MLP

_AGREES = 1e-9  # of the largest entry: what rounding may make of two orders of summation


@dataclass(frozen=True)
class Equation:
    """One equation, of `name` ("δ", "∂C/∂w", "∂C/∂b") in a `layer` counted from 1.

    `value` comes from the course's formula, `graph` from the graph of Values, both of shape (n_outputs,), for
    weights (n_outputs, n_inputs). Printed it is text, `latex` is for math mode.
    """

    name: str
    layer: int
    value: Array
    graph: Array
    text: str = field(repr=False)
    latex: str = field(repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Equations:
    """All equations of one backward pass in `lines`, from the last layer to the first; `result` has the numbers.

    Printed they are text; `latex` is one aligned block, and what Jupyter shows.
    """

    result: Backpropagation
    lines: tuple[Equation, ...]

    def __str__(self) -> str:
        return "\n".join([f"C = {self.result.cost:.6g}", *map(str, self.lines)])

    @property
    def latex(self) -> str:
        """Return the equations below each other, their first equals signs aligned."""
        rows = [line.latex.replace(" = ", " &= ", 1) for line in self.lines]
        return "\\begin{aligned}\n" + " \\\\[4pt]\n".join(rows) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"


def equations(  # Any: loss is of Values
    mlp: MLP, x: ArrayLike, y: ArrayLike, *, loss: str | Callable[..., Any] = "half_squared_error", digits: int = 4,
    max_size: int = 6,
) -> Equations:  # fmt: skip
    """Return the course's equations for a network and one sample, with their numbers, checked against the graph.

    `x` has n_inputs numbers, `y` is what the loss takes as the target of one sample; `loss` is a name or a function.
    Numbers have `digits` significant digits; the middle of matrices larger than `max_size` either way is left out.
    The network and its gradients stay as they are.

    Raises TypeError for an `x` that is not a sequence of numbers; ValueError for a batch, and for shapes and losses as
    `backpropagate` does; ArithmeticError when a formula and the graph disagree, as they do for an operation of your own
    whose array arithmetic differs from that of its floats.

    >>> mlp = MLP(2, [3, 1], activation="sigmoid", random_state=0)
    >>> [(line.name, line.layer) for line in equations(mlp, [0.5, 1.0], 0.9).lines]
    [('δ', 2), ('∂C/∂w', 2), ('∂C/∂b', 2), ('δ', 1), ('∂C/∂w', 1), ('∂C/∂b', 1)]
    """
    if not isinstance(mlp, MLP):  # pyright: ignore[reportUnnecessaryIsInstance] # callers need not be typed
        raise TypeError(f"equations takes an MLP, got {type(mlp).__name__}")
    for name, given, least in (("digits", digits, 1), ("max_size", max_size, 3)):
        if given.__class__ is not int or given < least:
            raise ValueError(f"{name} must be a whole number, {least} or more, got {given!r}")
    if isinstance(x, (str, bytes)) or not isinstance(x, Iterable):
        raise TypeError(f"x must be one sample, a sequence of {mlp.n_inputs} numbers, got {type(x).__name__} {x!r}")
    sample = np.array([plain(each) for each in x]) if not isinstance(x, np.ndarray) else np.asarray(x)
    if sample.ndim != 1:
        raise ValueError(f"x must be ONE sample, got shape {sample.shape}; pass one row, x[0]")
    result = backpropagate(mlp, sample, y, loss=loss)
    graph = _Graph(mlp, sample, y, loss)
    show = _Show(digits, max_size)
    lines: list[Equation] = []
    for l in range(len(mlp.layers), 0, -1):  # noqa: E741 # the course's l
        delta, below = result.delta[l - 1], sample if l == 1 else result.a[l - 2]
        slopes = np.broadcast_to(slope(mlp.activations[l - 1], result.z[l - 1], result.a[l - 1]), delta.shape)
        if l == len(mlp.layers):
            symbols = f"∂C/∂a^{l} ⊙ σ'(z^{l})", rf"\frac{{\partial C}}{{\partial a^{{{l}}}}} \odot \sigma'(z^{{{l}}})"
            numbers = [graph.slopes, "⊙", slopes]
        else:
            symbols = (
                f"(w^{l + 1})ᵀ δ^{l + 1} ⊙ σ'(z^{l})",
                rf"(w^{{{l + 1}}})^{{\mathsf T}} \delta^{{{l + 1}}} \odot \sigma'(z^{{{l}}})",
            )
            numbers = [mlp.layers[l].weights().T, result.delta[l], "⊙", slopes]
        lines.append(show.equation("δ", l, symbols, numbers, delta, graph.delta[l - 1]))
        symbols = f"δ^{l} (a^{l - 1})ᵀ", rf"\delta^{{{l}}} (a^{{{l - 1}}})^{{\mathsf T}}"
        gradients = result.weight_gradients[l - 1], graph.by_weight[l - 1]
        lines.append(show.equation("∂C/∂w", l, symbols, [delta, below[np.newaxis]], *gradients))
        if mlp.layers[l - 1].neurons[0].bias is not None:
            symbols = f"δ^{l}", rf"\delta^{{{l}}}"
            gradients = result.bias_gradients[l - 1], graph.by_bias[l - 1]
            lines.append(show.equation("∂C/∂b", l, symbols, [], *gradients))
    for line in lines:
        _check(line)
    return Equations(result, tuple(lines))


class _Graph:
    """The same derivatives from a graph of Values, made of a copy of the network so that nothing of yours is swept."""

    def __init__(self, mlp: MLP, sample: Array, y: Any, loss: str | Callable[..., Any]) -> None:
        twin = copy.deepcopy(mlp)
        twin.zero_grad()
        outputs = twin(sample.tolist())
        cost = loss_by_name(loss)(outputs, y)
        if isinstance(cost, Value):
            cost.backward()
        reached = {node.label: node for node in topological_order(cost)} if isinstance(cost, Value) else {}
        neurons = [layer.neurons for layer in twin.layers]

        def at(node: Any) -> float:
            return 0.0 if node is None else float(node.grad)

        self.slopes = np.array([at(each) for each in (outputs if isinstance(outputs, list) else [outputs])])
        self.delta = [np.array([at(reached.get(f"{each.label}.z")) for each in layer]) for layer in neurons]
        self.by_weight = [np.array([[at(w) for w in each.weights] for each in layer]) for layer in neurons]
        self.by_bias = [np.array([at(each.bias) for each in layer]) for layer in neurons]


def _check(line: Equation) -> None:
    scale = float(np.max(np.abs(line.graph), initial=0.0, where=np.isfinite(line.graph)))
    if not np.allclose(line.value, line.graph, rtol=_AGREES, atol=_AGREES * scale, equal_nan=True):
        raise ArithmeticError(
            f"{line.name} of layer {line.layer} is {line.value.tolist()} by the course's formula and "
            f"{line.graph.tolist()} by the graph; some operation computes differently on arrays than on floats"
        )


@dataclass(frozen=True)
class _Show:
    digits: int
    max_size: int

    def equation(
        self, name: str, layer: int, symbols: tuple[str, str], numbers: Sequence[Any], value: Array, graph: Array
    ) -> Equation:
        left = rf"\delta^{{{layer}}}" if name == "δ" else rf"\frac{{\partial C}}{{\partial {name[-1]}^{{{layer}}}}}"
        words = [each if isinstance(each, str) else self.text(each) for each in numbers]
        signs = [r"\odot" if isinstance(each, str) else self.latex(each) for each in numbers]
        said = [f"{name}^{layer}", symbols[0], *([" ".join(words)] if words else []), self.text(value)]
        written = [left, symbols[1], *([" ".join(signs)] if signs else []), self.latex(value)]
        return Equation(name, layer, value, graph, " = ".join(said), " = ".join(written))

    def text(self, array: Array) -> str:
        """Write a vector as [1 2], a matrix as [1 2; 3 4]."""
        rows = [array] if array.ndim == 1 else list(array)
        chosen = [rows[i] if i is not None else None for i in self._some(len(rows))]
        shown = [
            "…"
            if row is None
            else " ".join("…" if j is None else f"{row[j]:.{self.digits}g}" for j in self._some(len(row)))
            for row in chosen
        ]
        return f"[{'; '.join(shown)}]"

    def latex(self, array: Array) -> str:
        """Write a vector upright, as a column, for math mode."""
        matrix = array[:, np.newaxis] if array.ndim == 1 else array
        rows, columns = (self._some(n) for n in matrix.shape)
        lines: list[str] = []
        for i in rows:
            entries = [
                self.number(float(matrix[i, j]))
                if i is not None and j is not None
                else {(True, True): r"\ddots", (True, False): r"\vdots", (False, True): r"\cdots"}[i is None, j is None]
                for j in columns
            ]
            lines.append(" & ".join(entries))
        return r"\begin{pmatrix} " + r" \\ ".join(lines) + r" \end{pmatrix}"

    def number(self, x: float) -> str:
        if not math.isfinite(x):
            return r"\mathrm{NaN}" if math.isnan(x) else r"\infty" if x > 0.0 else r"-\infty"
        mantissa, e, power = f"{x or 0.0:.{self.digits}g}".partition("e")
        return mantissa + (rf" \times 10^{{{int(power)}}}" if e else "")

    def _some(self, n: int) -> list[int | None]:
        """Return the rows to show: all, or the first ones, a gap (None) and the last."""
        return list(range(n)) if n <= self.max_size else [*range(self.max_size - 2), None, n - 1]
