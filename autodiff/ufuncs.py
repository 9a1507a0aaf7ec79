"""NumPy's side of a Value: `np.exp(v)`, `np.float64(2) * v`, `array * v`.

NumPy hands a ufunc call with a Value among its operands to `Value.__array_ufunc__`, which looks the ufunc up in the
operation table. Arrays give arrays of Values, element by element.
"""

import math
import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from autodiff.domains import is_array
from autodiff.ops import OPS


def _of_number(question: Callable[[float], bool]) -> Callable[[Any], bool]:
    return lambda a: question(a.data)


def _compared(relation: Callable[[Any, Any], Any], mirrored: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Ask the Value: a NumPy scalar of a type that Python does not have would ask NumPy, which asks again here."""
    return lambda a, b: relation(a, b) if hasattr(a, "record_operation") else mirrored(b, a)


_COMPARISONS: Mapping[str, Callable[..., Any]] = {
    "equal": _compared(operator.eq, operator.eq),
    "not_equal": _compared(operator.ne, operator.ne),
    "less": _compared(operator.lt, operator.gt),
    "less_equal": _compared(operator.le, operator.ge),
    "greater": _compared(operator.gt, operator.lt),
    "greater_equal": _compared(operator.ge, operator.le),
}
_REDUCING = [OPS[name] for name in ("add", "mul", "maximum", "minimum")]


@cache
def _recipes() -> Mapping[Any, Callable[..., Any]]:
    """Return the recipe for each of NumPy's ufuncs; called only once NumPy is known to be loaded."""
    import numpy as np

    by_name = {
        "float_power": OPS["pow"],
        "fabs": OPS["abs"],
        "degrees": OPS["rad2deg"],
        "radians": OPS["deg2rad"],
        "divmod": divmod,
        "conjugate": OPS["pos"],
        "isfinite": _of_number(math.isfinite),
        "isinf": _of_number(math.isinf),
        "isnan": _of_number(math.isnan),
        **_COMPARISONS,
    }
    return {op.function_of_arrays: op for op in OPS.values()} | {getattr(np, name): f for name, f in by_name.items()}


def array_ufunc(_: Any, ufunc: Any, method: str, *inputs: Any, out: Any = (), **options: Any) -> Any:
    """Answer NumPy's call. Raises TypeError for ufuncs without a derivative rule, and rather than lose the graph."""
    recipe = OPS["clip"] if ufunc.__name__ == "clip" else _recipes().get(ufunc)  # NumPy keeps that one to itself
    if method == "reduce" and recipe in _REDUCING and hasattr(inputs[0], "record_operation"):
        return +inputs[0]  # as of a number: its sum, its product and its largest entry are itself
    if recipe is None or method not in ("__call__", "outer"):
        raise no_rule(f"{_whose(ufunc)}{ufunc.__name__}" + (f".{method}" if method != "__call__" else ""))
    where = {"where": options.pop("where")} if out and "where" in options else {}
    for harmless in ("casting", "order", "subok", *(["dtype"] if _is_object(options.get("dtype")) else [])):
        options.pop(harmless, None)
    if options:
        raise TypeError(f"np.{ufunc.__name__} of a Value takes no option {', '.join(map(repr, options))}")
    if any(hasattr(array, "record_operation") for array in out):
        advice = "; np.var and np.std, which do, need an array: np.std([v])" * (ufunc.__name__ == "multiply")
        raise TypeError(f"np.{ufunc.__name__} cannot write into a Value: use what it returns{advice}")
    if any(array.dtype != object for array in out):
        raise TypeError(
            f"an array of {out[0].dtype} cannot hold Values without losing the graph: "
            "write a = a + v in place of a += v, or start from a.astype(object)"
        )
    result: Any = elementwise(recipe, inputs, method, ufunc.nout, **where, **({"out": out} if out else {}))
    caller = sys._getframe(1).f_code.co_name  # pyright: ignore[reportPrivateUsage]
    if caller == "_lerp" and ufunc.__name__ == "add":
        return _box(result)  # NumPy's percentile asks for an array even of one number, by out=..., and does not tell us
    return result.astype(bool) if ufunc.__name__ in _COMPARISONS and is_array(result) else result


def _whose(ufunc: Any) -> str:
    import numpy as np

    return "np." if hasattr(np, ufunc.__name__) else ""


def _is_object(dtype: Any) -> bool:
    """Return whether this asks for objects: by name, by type, or by NumPy's class of such types."""
    import numpy as np

    return dtype in (None, object, "O") or getattr(dtype, "type", None) is np.object_


def settle() -> None:
    """Clear the processor's floating-point flags, which NumPy would report of a loop over Values as its own.

    A partial may divide by 0 or overflow where the result does not. NumPy clears the flags before any loop of numbers.
    """
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.add(0.0, 0.0)


def no_rule(call: str) -> TypeError:
    """Return what is raised for a function of NumPy's that has no row."""
    way_out = "use autodiff's functions, or v.data for a number"
    if call == "np.matmul":
        way_out = "it is one number, write *; what compile traces gets one row, and a whole argument with in_axes=None"
    return TypeError(f"{call} has no derivative rule for a Value: {way_out}")


def elementwise(
    function: Callable[..., Any], operands: Sequence[Any], method: str = "__call__", results: int = 1, **out: Any
) -> Any:
    """Apply a function of scalars over operands that broadcast; return an array of objects, or one object for 0-d."""
    import numpy as np

    boxed = [_box(x) if hasattr(x, "record_operation") else x for x in operands]
    with np.errstate(all="ignore"):  # an infinite or NaN element is an answer, and says so itself
        return getattr(np.frompyfunc(function, len(operands), results), method)(*boxed, **out)


def _box(x: Any) -> Any:
    """Return a 0-d array with the Value in it: those NumPy goes through without asking the Value."""
    import numpy as np

    box = np.empty((), dtype=object)
    box[()] = x
    return box
