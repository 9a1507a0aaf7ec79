"""Types of what transforms return, for editors and type checkers: functions that keep what is known of their arguments.

A function is called with Values in place of the argument that is differentiated by, so that argument is annotated
differently by whoever reads `f` and by whoever calls the derivative: it may be anything here, and its kind decides the
kind of the answer. The others are as `f` declares them; if it declares a Value second or third, numbers serve too,
which is the end of each protocol. Inside another transform an answer may be a Value where these say
float, if it depends on the outer variable.
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
Batch: TypeAlias = "Value | Number | _HasArray | _HasEntries | list[Any] | tuple[Any, ...] | Mapping[str, Any]"
Vague = Sequence[Any] | NDArray[Any]  # Any: lists of lists may be ragged, arrays may hold Values


class _HasArray(Protocol):
    def __array__(self) -> Any: ...  # Any: of whatever type, from NumPy, pandas or elsewhere


class _HasEntries(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


class _HasFields(Protocol):
    @property
    def _fields(self) -> tuple[str, ...]: ...


Scalar = TypeVar("Scalar", float, Value)
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
    def __call__(self: GradientOfValues, x: Scalar, /, *args: Constant, **options: Constant) -> Scalar: ...
    @overload
    def __call__(self: GradientOfValues, x: Any, /, *args: Constant, **options: Constant) -> Any: ...  # Any: as x


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
        self: ValueAndGradientOfValues, x: Scalar, /, *args: Constant, **options: Constant
    ) -> tuple[Scalar, Scalar]: ...
    @overload
    def __call__(
        self: ValueAndGradientOfValues, x: Any, /, *args: Constant, **options: Constant
    ) -> tuple[Any, Any]: ...  # Any: of whatever form


class Hessian(Protocol[P]):
    """The second derivatives by the first argument: of its form, twice over."""

    @overload
    def __call__(self, x: Scalar, /, *args: P.args, **options: P.kwargs) -> Scalar: ...
    @overload
    def __call__(self, x: NDArray[np.number[Any]], /, *args: P.args, **options: P.kwargs) -> Array: ...
    @overload
    def __call__(self, x: Any, /, *args: P.args, **options: P.kwargs) -> Any: ...  # Any: a nest of nests
    @overload
    def __call__(self: HessianOfValues, x: Scalar, /, *args: Constant, **options: Constant) -> Scalar: ...
    @overload
    def __call__(self: HessianOfValues, x: Any, /, *args: Constant, **options: Constant) -> Any: ...  # Any: as x


class Product(Protocol[P]):
    """The Hessian by the first argument times a vector of its form."""

    @overload
    def __call__(self, x: float, v: float, /, *args: P.args, **options: P.kwargs) -> float: ...
    @overload
    def __call__(self, x: Numbers, v: Numbers, /, *args: P.args, **options: P.kwargs) -> Array: ...
    @overload
    def __call__(self, x: Any, v: Any, /, *args: P.args, **options: P.kwargs) -> Any: ...  # Any: of the form of x
    @overload
    def __call__(self: ProductOfValues, x: Scalar, v: Scalar, /, *args: Constant, **options: Constant) -> Scalar: ...
    @overload
    def __call__(
        self: ProductOfValues, x: Any, v: Any, /, *args: Constant, **options: Constant
    ) -> Any: ...  # Any: as x


class Derivative(Protocol[P, Answer_co]):
    """A derivative by the first argument whose form nobody can tell."""

    @overload
    def __call__(self, x: Any, /, *args: P.args, **options: P.kwargs) -> Answer_co: ...  # Any: of whatever form
    @overload
    def __call__(
        self: DerivativeOfValues[Answer_co],
        x: Any,
        /,
        *args: Value | Number,
        **options: Value | Number,
    ) -> Answer_co: ...  # Any: as above


WithAux = Derivative[P, tuple[Any, Any]]  # Any: derivatives of that form, and what f returns beside

# Of functions that declare a Value second or third.
GradientOfValues: TypeAlias = "Gradient[Concatenate[Value, ...]] | Gradient[Concatenate[Any, Value, ...]]"
ValueAndGradientOfValues: TypeAlias = (
    "ValueAndGradient[Concatenate[Value, ...]] | ValueAndGradient[Concatenate[Any, Value, ...]]"
)
HessianOfValues: TypeAlias = "Hessian[Concatenate[Value, ...]] | Hessian[Concatenate[Any, Value, ...]]"
ProductOfValues: TypeAlias = "Product[Concatenate[Value, ...]] | Product[Concatenate[Any, Value, ...]]"
DerivativeOfValues: TypeAlias = (
    "Derivative[Concatenate[Value, ...], Answer_co] | Derivative[Concatenate[Any, Value, ...], Answer_co]"
)
