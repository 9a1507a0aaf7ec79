"""Every exception class of `autodiff`, and which to catch for what.

    Exception
    ├── ValueError
    │   ├── DomainError            an operand lies outside an operation's domain, or where it has no derivative
    │   └── NoDerivativeError      a test oracle finds a kink, the edge of a domain, or noise
    ├── TypeError
    │   └── TraceError             a function that `compile` traces asks for a number it does not have yet
    ├── RuntimeError
    │   └── RenderError            Graphviz is missing, failed or took too long; DOT text still works
    ├── RuntimeWarning
    │   └── LostLimitWarning       a derivative met 0 · ∞ and took it for 0, which need not be its limit
    └── AssertionError
        └── WrongDerivativeError   `gradcheck` contradicts a derivative
            └── WrongShapeError    it has another shape than its argument; a TypeError too

There is no common base: each class is a kind of the built-in exception that callers already catch. Arguments of the
wrong kind raise a plain TypeError, those with a wrong value a plain ValueError, before anything has changed; numbers
beyond the largest float raise OverflowError. All seven names can be imported from `autodiff`. Training has classes of
its own, drawn in the same way in `models.errors`, since the engine imports nothing of `models`.

>>> from autodiff import DomainError, Value
>>> try:
...     Value(-0.5, "p").log()
... except DomainError as error:
...     print(error)
log of -0.5, outside (0, ∞), in 'p'
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_SCREEN, _LINE = 20, 160  # lines, and characters of one, of a program that a message shows in full


class DomainError(ValueError):
    """An operand lies where the operation, or its derivative, is not a real number."""


class LostLimitWarning(RuntimeWarning):
    """A derivative met 0 · ∞ and took it for 0, which need not be its limit: d(acos(x)²)/dx at 1 is −2.

    Given once for each line that asks for such a derivative; `explain` and `anomalies` name the operation. Where 0 is
    meant, silence it: `warnings.simplefilter("ignore", LostLimitWarning)`.
    """


class TraceError(TypeError):
    """A function asked for the number of a stand-in while it was traced for `compile`."""

    indices: frozenset[int] = frozenset()  # the arguments, of those that are numbers, that an index was computed from


class RenderError(RuntimeError):
    """No image came out: there is no Graphviz, or it failed, or it took too long. The message says what to do."""


class NoDerivativeError(ValueError):
    """No oracle can tell a derivative here: a kink, the edge of a domain, or noise."""


class WrongDerivativeError(AssertionError):
    """A derivative that an oracle contradicts.

    `operation` and `operand` (counted from 1) name the rule at fault, or the function and its input; `point` is where,
    `found` and `expected` are the two numbers, `ratio` the first over the second (NaN where the right one is 0);
    `oracle` and `bound` say who knew and to what error. `diagnosis`, of a whole gradient, says which arguments are
    right and which single mistakes give the numbers found, as data and as text. `draw()` gives the picture of the
    graph, `sketch()` the same as text.
    """

    def __init__(  # Any: fields are the attributes below, by name
        self, message: str, reproduction: Callable[[], str] | str = "", **fields: Any
    ) -> None:
        super().__init__(message)
        self._message, self._reproduction, self._fields = message, reproduction, fields
        self.operation: str = fields.get("operation", "")
        self.operand: int = fields.get("operand", 0)
        self.point: tuple[float, ...] = fields.get("point", ())
        self.found: float = fields.get("found", float("nan"))
        self.expected: float = fields.get("expected", float("nan"))
        self.oracle: str = fields.get("oracle", "")
        self.bound: float = fields.get("bound", 0.0)
        self.root: Any = fields.get("root")
        self.node: Any = fields.get("node")
        self.diagnosis: Any = fields.get("diagnosis")

    def __reduce__(self) -> Any:  # the graph stays behind: an operation of one's own need not be something pickle takes
        return restored, (self._message, self.reproduction, {**self._fields, "root": None, "node": None}, type(self))

    def __str__(self) -> str:
        lines = self.reproduction.splitlines()
        if not lines:
            return self._message
        if len(lines) > _SCREEN or max(map(len, lines)) > _LINE:
            return f"{self._message}\n  reproduce it with the program in error.reproduction, too long to show here"
        program = "".join(f"    {line}\n" if line else "\n" for line in lines)
        return f"{self._message}\n  reproduce it with\n{program}".rstrip("\n")

    @property
    def reproduction(self) -> str:
        """A program that fails the same way, all numbers in it; the message shows it if it is short."""
        if not isinstance(self._reproduction, str):
            self._reproduction = self._reproduction()
        return self._reproduction

    @property
    def ratio(self) -> float:
        """Found over expected."""
        return self.found / self.expected if self.expected else float("nan")

    def sketch(self) -> str:
        """Return the recorded graph as text, the node at fault marked; "" where nothing was recorded."""
        from autodiff.testing.failures import sketch  # far above this module, and only needed when somebody looks

        return "" if self.root is None else sketch(self.root, mark=self.node)

    def draw(self) -> Any:  # Any: a graphviz.Digraph, which is not loaded here
        """Return a picture of the recorded graph, a graphviz.Digraph, the node at fault labelled as such.

        Raises ValueError where nothing was recorded.
        """
        from autodiff.testing import failures

        return failures.drawn(self)


class WrongShapeError(WrongDerivativeError, TypeError):
    """A derivative whose shape is not that of the argument it belongs to."""


def restored(
    message: str, reproduction: str, fields: dict[str, Any], kind: type[WrongDerivativeError] = WrongDerivativeError
) -> WrongDerivativeError:
    """Return the error that a pickle describes."""
    return kind(message, reproduction, **fields)
