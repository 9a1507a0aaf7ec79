"""What transforms return, for editors and type checkers: functions that keep what is known of their arguments.

A function is called with Values in place of the argument that is differentiated by, so that argument is annotated
differently by whoever reads `f` and by whoever calls the derivative: it may be anything here, and its kind decides the
kind of the answer. The others are as `f` declares them. Inside another transform an answer may be a Value where these
say float, if it depends on the outer variable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from autodiff.value import Value

P = ParamSpec("P")  # the parameters after those that are differentiated by
Array = NDArray[np.float64]
Function = Callable[..., Any]  # Any: of whatever form
Differentiable = Callable[Concatenate[Any, P], Any]  # Any: see above; answers of whatever form
WithAux = Callable[Concatenate[Any, P], tuple[Any, Any]]  # Any: derivatives of that form, and what f returns beside
Numbers = NDArray[np.number[Any]]  # Any: of any precision
Vague = Sequence[Any] | NDArray[Any]  # Any: lists of lists may be ragged, arrays may hold Values


class _HasFields(Protocol):
    @property
    def _fields(self) -> tuple[str, ...]: ...


Record = TypeVar("Record", bound=_HasFields)
Nest = TypeVar("Nest")


class Gradient(Protocol[P]):
    """The gradient by the first argument: of its form."""

    @overload
    def __call__(self, x: Value, /, *args: P.args, **options: P.kwargs) -> Value: ...
    @overload
    def __call__(self, x: float, /, *args: P.args, **options: P.kwargs) -> float: ...
    @overload
    def __call__(self, x: Numbers, /, *args: P.args, **options: P.kwargs) -> Array: ...
    @overload
    def __call__(self, x: Record, /, *args: P.args, **options: P.kwargs) -> Record: ...
    @overload
    def __call__(self, x: Sequence[float], /, *args: P.args, **options: P.kwargs) -> Array: ...
    @overload
    def __call__(self, x: Vague, /, *args: P.args, **options: P.kwargs) -> Any: ...  # Any: an array or a nest
    @overload
    def __call__(self, x: Nest, /, *args: P.args, **options: P.kwargs) -> Nest: ...


class ValueAndGradient(Protocol[P]):
    """The value, and the gradient by the first argument."""

    @overload
    def __call__(  # pyright: ignore[reportOverlappingOverload] # a Value is no nest
        self, x: Value, /, *args: P.args, **options: P.kwargs
    ) -> tuple[Value, Value]: ...
    @overload
    def __call__(self, x: float, /, *args: P.args, **options: P.kwargs) -> tuple[float, float]: ...
    @overload
    def __call__(self, x: Numbers, /, *args: P.args, **options: P.kwargs) -> tuple[float, Array]: ...
    @overload
    def __call__(self, x: Record, /, *args: P.args, **options: P.kwargs) -> tuple[float, Record]: ...
    @overload
    def __call__(self, x: Sequence[float], /, *args: P.args, **options: P.kwargs) -> tuple[float, Array]: ...
    @overload
    def __call__(self, x: Vague, /, *args: P.args, **options: P.kwargs) -> tuple[Any, Any]: ...  # Any: as in Gradient
    @overload
    def __call__(self, x: Nest, /, *args: P.args, **options: P.kwargs) -> tuple[float, Nest]: ...


class Hessian(Protocol[P]):
    """The second derivatives by the first argument: of its form, twice over."""

    @overload
    def __call__(self, x: Value, /, *args: P.args, **options: P.kwargs) -> Value: ...
    @overload
    def __call__(self, x: float, /, *args: P.args, **options: P.kwargs) -> float: ...
    @overload
    def __call__(self, x: Numbers, /, *args: P.args, **options: P.kwargs) -> Array: ...
    @overload
    def __call__(self, x: Any, /, *args: P.args, **options: P.kwargs) -> Any: ...  # Any: a nest of nests


class Product(Protocol[P]):
    """The Hessian by the first argument times a vector of its form."""

    @overload
    def __call__(self, x: float, v: float, /, *args: P.args, **options: P.kwargs) -> float: ...
    @overload
    def __call__(self, x: Numbers, v: Numbers, /, *args: P.args, **options: P.kwargs) -> Array: ...
    @overload
    def __call__(self, x: Sequence[float], v: Sequence[float], /, *args: P.args, **options: P.kwargs) -> Array: ...
    @overload
    def __call__(self, x: Any, v: Any, /, *args: P.args, **options: P.kwargs) -> Any: ...  # Any: of the form of x
