"""Types of what transforms return, for editors and type checkers: functions that keep what is known of their arguments.

A function is called with Values in place of the argument that is differentiated by, so that argument is annotated
differently by whoever reads `f` and by whoever calls the derivative: it may be anything here, and its kind decides the
kind of the answer. The others are as `f` declares them, in number, name and type; by position they may be plain numbers
too, whatever it declares, which is the end of each protocol. Not by keyword, since no type of Python can change a
parameter and keep its name: declare `Value | float`, which is what `f` gets. Inside another transform an answer may be
a Value where these say float, if it depends on the outer variable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from autodiff.domains import Number
from autodiff.value import Value

P = ParamSpec("P")  # the parameters after those that are named
Q = ParamSpec("Q")
Array = NDArray[np.float64]
Function = Callable[..., Any]  # Any: of whatever form
Differentiable = Callable[Concatenate[Any, P], Any]  # Any: see above; answers of whatever form
Numbers = NDArray[np.number[Any]] | Sequence[float]  # Any: of any precision
Constant: TypeAlias = "Value | Number"  # what serves where a function declares a Value
Batch: TypeAlias = "Constant | _HasArray | _HasEntries | list[Any] | tuple[Any, ...] | Mapping[str, Any]"
Vague = Sequence[Any] | NDArray[Any]  # Any: lists of lists may be ragged, arrays may hold Values


class _HasArray(Protocol):
    def __array__(self) -> Any: ...  # Any: of whatever type, from NumPy, pandas or elsewhere


class _HasEntries(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


class _HasFields(Protocol):
    @property
    def _fields(self) -> tuple[str, ...]: ...


Scalar = TypeVar("Scalar", float, Value)
A = TypeVar("A")  # these are arguments as they are declared
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
Record = TypeVar("Record", bound=_HasFields)
Nest = TypeVar("Nest")
Answer_co = TypeVar("Answer_co", covariant=True)


class Gradient(Protocol[P]):
    """The gradient by the first argument: of its form."""

    @overload
    def __call__(self, x: Scalar, /, *args: P.args, **options: P.kwargs) -> Scalar: ...
    @overload
    def __call__(self, x: Record, /, *args: P.args, **options: P.kwargs) -> Record: ...
    @overload
    def __call__(self, x: Numbers, /, *args: P.args, **options: P.kwargs) -> Array: ...
    @overload
    def __call__(self, x: Vague, /, *args: P.args, **options: P.kwargs) -> Any: ...  # Any: an array or a nest
    @overload
    def __call__(self, x: Nest, /, *args: P.args, **options: P.kwargs) -> Nest: ...
    @overload
    def __call__(
        self: Gradient[Concatenate[A, Q]], x: Scalar, a: A | Constant, /, *args: Q.args, **options: Q.kwargs
    ) -> Scalar: ...
    @overload
    def __call__(
        self: Gradient[Concatenate[A, B, ...]], x: Scalar, a: A | Constant, b: B | Constant, /,
        *args: Constant, **options: Any,
    ) -> Scalar: ...  # fmt: skip # Any: as declared, which is lost here
    @overload
    def __call__(
        self: Gradient[Concatenate[A, Q]], x: Any, a: A | Constant, /, *args: Q.args, **options: Q.kwargs
    ) -> Any: ...  # Any: of whatever form
    @overload
    def __call__(
        self: Gradient[Concatenate[A, B, ...]], x: Any, a: A | Constant, b: B | Constant, /,
        *args: Constant, **options: Any,
    ) -> Any: ...  # fmt: skip # Any: of whatever form; as declared, which is lost here


class ValueAndGradient(Protocol[P]):
    """The value, and the gradient by the first argument."""

    @overload
    def __call__(  # pyright: ignore[reportOverlappingOverload] # a Value is no nest
        self, x: Scalar, /, *args: P.args, **options: P.kwargs
    ) -> tuple[Scalar, Scalar]: ...
    @overload
    def __call__(self, x: Record, /, *args: P.args, **options: P.kwargs) -> tuple[float, Record]: ...
    @overload
    def __call__(self, x: Numbers, /, *args: P.args, **options: P.kwargs) -> tuple[float, Array]: ...
    @overload
    def __call__(self, x: Vague, /, *args: P.args, **options: P.kwargs) -> tuple[Any, Any]: ...  # Any: as in Gradient
    @overload
    def __call__(self, x: Nest, /, *args: P.args, **options: P.kwargs) -> tuple[float, Nest]: ...
    @overload
    def __call__(
        self: ValueAndGradient[Concatenate[A, Q]], x: Scalar, a: A | Constant, /, *args: Q.args, **options: Q.kwargs
    ) -> tuple[Scalar, Scalar]: ...
    @overload
    def __call__(
        self: ValueAndGradient[Concatenate[A, B, ...]], x: Scalar, a: A | Constant, b: B | Constant, /,
        *args: Constant, **options: Any,
    ) -> tuple[Scalar, Scalar]: ...  # fmt: skip # Any: as declared, which is lost here
    @overload
    def __call__(
        self: ValueAndGradient[Concatenate[A, Q]], x: Any, a: A | Constant, /, *args: Q.args, **options: Q.kwargs
    ) -> tuple[Any, Any]: ...  # Any: of whatever form
    @overload
    def __call__(
        self: ValueAndGradient[Concatenate[A, B, ...]], x: Any, a: A | Constant, b: B | Constant, /,
        *args: Constant, **options: Any,
    ) -> tuple[Any, Any]: ...  # fmt: skip # Any: of whatever form; as declared, which is lost here


class Hessian(Protocol[P]):
    """The second derivatives by the first argument: of its form, twice over."""

    @overload
    def __call__(self, x: Scalar, /, *args: P.args, **options: P.kwargs) -> Scalar: ...
    @overload
    def __call__(self, x: NDArray[np.number[Any]], /, *args: P.args, **options: P.kwargs) -> Array: ...
    @overload
    def __call__(self, x: Any, /, *args: P.args, **options: P.kwargs) -> Any: ...  # Any: a nest of nests
    @overload
    def __call__(
        self: Hessian[Concatenate[A, Q]], x: Scalar, a: A | Constant, /, *args: Q.args, **options: Q.kwargs
    ) -> Scalar: ...
    @overload
    def __call__(
        self: Hessian[Concatenate[A, B, ...]], x: Scalar, a: A | Constant, b: B | Constant, /,
        *args: Constant, **options: Any,
    ) -> Scalar: ...  # fmt: skip # Any: as declared, which is lost here
    @overload
    def __call__(
        self: Hessian[Concatenate[A, Q]], x: Any, a: A | Constant, /, *args: Q.args, **options: Q.kwargs
    ) -> Any: ...  # Any: of whatever form
    @overload
    def __call__(
        self: Hessian[Concatenate[A, B, ...]], x: Any, a: A | Constant, b: B | Constant, /,
        *args: Constant, **options: Any,
    ) -> Any: ...  # fmt: skip # Any: of whatever form; as declared, which is lost here


class Product(Protocol[P]):
    """The Hessian by the first argument times a vector of its form."""

    @overload
    def __call__(self, x: float, v: float, /, *args: P.args, **options: P.kwargs) -> float: ...
    @overload
    def __call__(self, x: Numbers, v: Numbers, /, *args: P.args, **options: P.kwargs) -> Array: ...
    @overload
    def __call__(self, x: Any, v: Any, /, *args: P.args, **options: P.kwargs) -> Any: ...  # Any: of the form of x
    @overload
    def __call__(
        self: Product[Concatenate[A, Q]], x: Scalar, v: Scalar, a: A | Constant, /, *args: Q.args, **options: Q.kwargs
    ) -> Scalar: ...
    @overload
    def __call__(
        self: Product[Concatenate[A, B, ...]], x: Scalar, v: Scalar, a: A | Constant, b: B | Constant, /,
        *args: Constant, **options: Any,
    ) -> Scalar: ...  # fmt: skip # Any: as declared, which is lost here
    @overload
    def __call__(
        self: Product[Concatenate[A, Q]], x: Any, v: Any, a: A | Constant, /, *args: Q.args, **options: Q.kwargs
    ) -> Any: ...  # Any: of whatever form
    @overload
    def __call__(
        self: Product[Concatenate[A, B, ...]], x: Any, v: Any, a: A | Constant, b: B | Constant, /,
        *args: Constant, **options: Any,
    ) -> Any: ...  # fmt: skip # Any: of whatever form; as declared, which is lost here


class Derivative(Protocol[P, Answer_co]):
    """A derivative by the first argument whose form nobody can tell."""

    @overload
    def __call__(self, x: Any, /, *args: P.args, **options: P.kwargs) -> Answer_co: ...  # Any: of whatever form
    @overload
    def __call__(
        self: Derivative[Concatenate[A, Q], Answer_co], x: Any, a: A | Constant, /, *args: Q.args, **options: Q.kwargs
    ) -> Answer_co: ...  # Any: of whatever form
    @overload
    def __call__(
        self: Derivative[Concatenate[A, B, ...], Answer_co], x: Any, a: A | Constant, b: B | Constant, /,
        *args: Constant, **options: Any,
    ) -> Answer_co: ...  # fmt: skip # Any: as declared, which is lost here


WithAux = Derivative[P, tuple[Any, Any]]  # Any: derivatives of that form, and what f returns beside
