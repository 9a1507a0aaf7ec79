"""Complex arrays for the complex step, on which what NumPy does to real numbers alone keeps its slope.

The size of a complex number is real, its variance too, and sigmoid takes none: here each is the formula that it is on
real numbers, continued beside them. Comparisons go by the real part.
"""

# Arrays of any shape, so there are no types to give:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownParameterType=false, reportUnknownLambdaType=false
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def _absolute(z: Any) -> Any:
    return np.where(np.real(z) < 0.0, -z, z)


def _softplus(z: Any) -> Any:
    return np.where(np.real(z) > 0.0, z, 0.0) + np.log1p(np.exp(-_absolute(z)))


def _variance(z: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Any:
    d = z - z.mean(axis, keepdims=True)
    n = d.size if axis is None else np.prod(np.take(d.shape, axis))
    return (d * d).sum(axis, keepdims=keepdims) / (n - ddof)


def _norm(z: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002 # NumPy's
    if ord not in (None, 2, "fro") or (ord == 2 and axis is None and np.ndim(z) > 1):
        raise TypeError("another norm")
    return np.sqrt((z * z).sum(axis, keepdims=keepdims))


# What a function of real numbers is beside them, by the name of NumPy's or SciPy's.
_CONTINUED: Mapping[str, Callable[..., Any]] = {
    "absolute": _absolute,
    "fabs": _absolute,
    "conjugate": lambda z: z,
    "sign": lambda z: np.sign(np.real(z)),
    "expit": lambda z: np.where(np.real(z) > 0.0, 1.0, np.exp(-_absolute(z))) / (1.0 + np.exp(-_absolute(z))),
    "log_expit": lambda z: -_softplus(-z),
    "logaddexp": lambda a, b: b + _softplus(a - b),
    "hypot": lambda a, b: np.sqrt(a * a + b * b),
    "var": _variance,
    "std": lambda *of, **options: np.sqrt(_variance(*of, **options)),
    "norm": _norm,
}


class Beside(np.ndarray[Any, Any]):
    """A complex array whose operations are those of real numbers, continued.

    >>> z = np.array([-3.0 + 1e-30j]).view(Beside)
    >>> float((abs(z) / 1e-30).imag[0])
    -1.0
    """

    work = 0  # numbers that were computed, in all

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **options: Any) -> Any:
        """Compute the continued formula where there is one."""
        plain = [_plain(x) for x in inputs]
        if out:
            options["out"] = tuple(map(_plain, out))
        continued = _CONTINUED.get(ufunc.__name__) if method == "__call__" and not options else None
        result = (continued or getattr(ufunc, method))(*plain, **options)
        Beside.work += max(map(np.size, (result, *plain))) * (np.shape(plain[0])[-1] if ufunc is np.matmul else 1)
        return _beside(result)

    def __array_function__(self, function: Any, kinds: Any, arguments: Any, options: Any) -> Any:
        """Compute the continued formula where there is one."""
        if function in (np.linalg.norm, np.var, np.std):
            return _beside(_CONTINUED[function.__name__](*map(_plain, arguments), **options))
        return _beside(super().__array_function__(function, kinds, arguments, options))

    def var(self, *of: Any, **options: Any) -> Any:
        """Return the variance."""
        return _beside(_variance(_plain(self), *of, **options))

    def std(self, *of: Any, **options: Any) -> Any:
        """Return the standard deviation."""
        return _beside(np.sqrt(_variance(_plain(self), *of, **options)))


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, Beside) else x


def _beside(result: Any) -> Any:
    complex_ones = isinstance(result, (np.ndarray, np.complex128)) and result.dtype.kind == "c"
    return np.asarray(result).view(Beside) if complex_ones else result
