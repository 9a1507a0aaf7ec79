"""What a wrong derivative is reported as: by name, with numbers, and as a program that shows it again."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from autodiff.backward import topological_order
from autodiff.testing.oracles import Estimate
from autodiff.testing.sketches import sketch


class WrongDerivativeError(AssertionError):
    """A derivative that an oracle contradicts.

    `operation` and `operand` (counted from 1) name the rule at fault, or the function and its input; `point` is where,
    `found` and `expected` are the two numbers, `ratio` the first over the second (NaN where the right one is 0);
    `oracle` and `bound` say who knew and to what error. `draw()` gives the picture of the graph, `sketch()` the same as
    text.
    """

    def __init__(self, message: str, reproduction: Callable[[], str] | str, **fields: Any) -> None:
        super().__init__(message)
        self._message, self._reproduction, self._fields = message, reproduction, fields
        self.operation: str = fields["operation"]
        self.operand: int = fields["operand"]
        self.point: tuple[float, ...] = fields["point"]
        self.found: float = fields["found"]
        self.expected: float = fields["expected"]
        self.oracle: str = fields["oracle"]
        self.bound: float = fields["bound"]
        self.root: Any = fields["root"]
        self.node: Any = fields["node"]

    def __reduce__(self) -> Any:  # the graph stays behind: an operation of one's own need not be something pickle takes
        return _restored, (self._message, self.reproduction, {**self._fields, "root": None, "node": None})

    def __str__(self) -> str:
        program = "".join(f"    {line}\n" if line else "\n" for line in self.reproduction.splitlines())
        return f"{self._message}\n  reproduce it with\n{program}".rstrip("\n")

    @property
    def reproduction(self) -> str:
        """A program that fails the same way; written when it is first read."""
        if not isinstance(self._reproduction, str):
            self._reproduction = self._reproduction()
        return self._reproduction

    @property
    def ratio(self) -> float:
        """Found over expected."""
        return self.found / self.expected if self.expected else float("nan")

    def sketch(self) -> str:
        """The recorded graph as text, the node at fault marked; "" where nothing was recorded."""
        return "" if self.root is None else sketch(self.root, mark=self.node)

    def draw(self) -> Any:
        """The recorded graph as a picture, a graphviz.Digraph, the node at fault labelled as such.

        Raises ValueError where nothing was recorded.
        """
        from autodiff.pictures import draw

        if self.root is None:
            raise ValueError(f"{self.operation} recorded no graph to draw: it does not compute with Values")
        label = "" if self.node is None else self.node.label
        if self.node is not None:
            self.node.label = f"{label} (wrong by operand {self.operand})".strip()
        try:
            twin = copy.deepcopy(self.root)  # whose leaves can be swept into: yours may hold gradients
        finally:
            if self.node is not None:
                self.node.label = label
        for node in topological_order(twin):
            node.zero_grad()
        twin.backward()
        return draw(twin)


def wrong(
    sentence: str,
    *,
    operation: str,
    operand: int,
    at: str,
    point: Sequence[float],
    found: float,
    truth: Estimate,
    source: str,
    where: str,
    reproduction: Callable[[], str],
    hint: str = "",
    advice: str = "",
    root: Any = None,
    node: Any = None,
) -> WrongDerivativeError:
    """Give the error to raise: what is wrong, both numbers and their ratio, a line each, and how to see it again."""
    ratio = f"{found / truth.value:.12g}" if truth.value else "none, the right one is 0"
    return WrongDerivativeError(
        f"{sentence}\n  at {at}\n  {source} gives {found!r}\n"
        f"  {truth.oracle} gives {truth.value!r} (± {truth.bound:.0e})\n  ratio {ratio}{hint}\n{advice}  {where}",
        reproduction, operation=operation, operand=operand, point=tuple(point), found=found, expected=truth.value,
        oracle=truth.oracle, bound=truth.bound, root=root, node=node,
    )  # fmt: skip


def _restored(message: str, reproduction: str, fields: dict[str, Any]) -> WrongDerivativeError:
    return WrongDerivativeError(message, reproduction, **fields)
