"""The operations: one table, one row each.

A row says everything the rest of the package knows of an operation: how it computes on floats and on
arrays, the partial derivative by each operand, where it is defined and where it has a kink. The engine,
`gradcheck`, the property tests, the pictures and the documentation all read these rows. An operation of your own
is one more `Op(...)`:

>>> cube = Op("cube", "³", lambda a: a * a * a, partials=(lambda a, r: 3 * a * a,))
>>> cube(2.0)
8.0

Partials take the operands and then the result. They are written with plain operators and with other
rows, so the same text serves floats, arrays, and Values: the derivative of a derivative comes for free.

A built-in operation is one more `row(...)`, which enters `OPS`. Bound to its own name it is a function of the package,
`autodiff.exp`; operators, and rows that are called by a function with a signature of its own, are bound in capitals.
"""

from __future__ import annotations

# Rows serve floats, arrays and Values alike, so their lambdas have no types to give; and numbers alone are also
# numbers and Values, so of the overloads the first that fits is meant:
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportOverlappingOverload=false
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, overload

from autodiff import forwards
from autodiff.domains import Array, Domain, Number, is_array, number, real_array, unbox
from autodiff.errors import DomainError
from autodiff.forwards import INVERSE_ROOT_2PI, Ieee, bell, hazard, ieee, polynomial

if TYPE_CHECKING:
    from autodiff.value import Value

Rule = Callable[..., Any]  # floats, Values or arrays in, the same kind out


class Recording(Protocol):
    """A Value, or another kind of number that computes in its own way: its result may be of any kind."""

    record_operation: Any  # called with the row and all operands


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Op:
    """An operation: a row of the table, callable on numbers, arrays and Values alike.

    `partials` holds one rule per operand, `rule(*operands, result)`; an operation on any number of
    operands has ONE rule instead, `rule(operands, result)`, that gives all of them. `array` is the function of arrays,
    or where to find it, `"numpy.exp"`, which is then loaded when the first array comes; by default it is `forward`.
    `kink` is a function of the operands that is 0 exactly where a derivative jumps, NaN where two kinks cross.

    Called on floats it raises DomainError outside its domain; on arrays it follows IEEE 754 and gives
    NaN or infinity; with a Value among its operands it records a node.

    >>> import numpy as np
    >>> OPS["log"](1.0), OPS["log"](np.array([1.0, 0.0]))
    (0.0, array([  0., -inf]))
    """

    name: str
    symbol: str
    forward: Callable[..., float]
    array: Rule | str | None = None
    partials: Any = ()  # a tuple of rules, or one Rule for any number of operands
    domains: tuple[Domain, ...] = ()
    kink: Rule | None = None
    condition: str = "operands inside its domain"  # what the operands must fulfil together, in words
    arity: int | None = field(init=False)  # how many operands it takes; None for any number

    def __post_init__(self) -> None:
        rules = (self.partials,) if callable(self.partials) else self.partials
        if not callable(self.forward) or not rules or not all(map(callable, rules)):
            raise TypeError(f"Op {self.name!r} needs a forward function, and partials: a tuple with a rule per operand")
        array: Any = self.array
        for what, fits, rule in (
            ("name", self.name.__class__ is str, "text"),
            ("symbol", self.symbol.__class__ is str, "text"),
            ("array", array is None or callable(array) or array.__class__ is str, 'a function, or text: "numpy.exp"'),
            ("domains", self.domains.__class__ is tuple and {*map(type, self.domains)} <= {Domain}, "a tuple of Domains"),
            ("kink", self.kink is None or callable(self.kink), "a function of the operands"),
        ):  # fmt: skip
            if not fits:
                raise TypeError(f"Op {self.name!r}: {what} must be {rule}, got {getattr(self, what)!r:.60}")
        object.__setattr__(self, "arity", None if callable(self.partials) else len(self.partials))

    def __repr__(self) -> str:
        return f"<Op {self.name}>"

    def __reduce__(self) -> Any:  # rows of the table stay themselves through pickle and copy
        if OPS.get(self.name) is self:
            return _row, (self.name,)
        return Op, tuple(getattr(self, each.name) for each in fields(self) if each.init)

    @overload
    def __call__(self, *operands: Number) -> float: ...
    @overload
    def __call__(self, *operands: Value | Number) -> Value: ...
    @overload
    def __call__(self, *operands: Array | Value | Number) -> Array: ...
    @overload
    def __call__(self, *operands: Recording | Array | Number) -> Any: ...  # Any: an array, or an object array of Values
    def __call__(self, *operands: Any) -> Any:
        """Compute the operation on operands of any kind."""
        if self.arity is not None and self.arity != len(operands):
            raise TypeError(
                f"{self.name} takes {self.arity} operand{'s' * (self.arity != 1)}, got {len(operands)}"
                + "; round(v, digits) rounds to that many digits" * (self.name == "round_" and len(operands) == 2)
            )
        for x in operands:
            if x.__class__ is not float:
                break
        else:
            return self.on_floats(*operands)
        for x in operands:
            if hasattr(x, "record_operation"):  # a Value, or another kind of number that computes in its own way
                return x.record_operation(self, operands)
        if any(hasattr(unbox(x), "record_operation") for x in operands):
            return self(*map(unbox, operands))
        if any(map(is_array, operands)):
            import numpy as np

            if any(is_array(x) and x.dtype.kind == "O" for x in operands):  # arrays of Values
                with np.errstate(all="ignore"):
                    return np.frompyfunc(self, len(operands), 1)(*operands)
            return self.on_arrays(*map(real_array, operands))
        return self.on_floats(*map(number, operands))

    def on_arrays(self, *operands: Any) -> Any:  # Any: operands and result are arrays of any namespace
        """Return the value at arrays of operands, after IEEE 754: NaN and infinities, no errors."""
        import numpy as np

        try:
            with np.errstate(all="ignore"):
                return self.function_of_arrays(*operands)
        except (TypeError, ValueError) as error:
            if self.array is not None:
                raise
            raise type(error)(
                f"{self.name}: its `forward` must serve arrays too, or the operation must have a function of them, "
                f"array=…, got {error}; `if`, max and math are for one number: use autodiff.where, maximum, exp, …"
            ) from error

    def on_ieee(self, *operands: float) -> float:
        """Return the value after IEEE 754, as arrays have it."""
        if callable(self.array):
            return self._on_numpys(*operands)
        return ieee(self.forward, *operands, arrays=self._on_numpys if self.array else None)

    def _on_numpys(self, *operands: float) -> float:
        return float(self.on_arrays(*(real_array(x)[()] for x in operands)))

    @property
    def function_of_arrays(self) -> Rule:
        """The function that `array` is or names."""
        return _found(self.array) if isinstance(self.array, str) else self.array or self.forward

    def on_floats(self, *operands: float, names: Sequence[str] = ()) -> float:
        """Return the value at `operands`; a DomainError calls them by their `names`."""
        try:
            result = self.forward(*operands)
        except OverflowError:  # Python raises where IEEE arithmetic gives an infinity
            return self.on_ieee(*operands)
        except (ValueError, ZeroDivisionError) as error:
            own = None if OPS.get(self.name) is self else error  # in a user's operation it may be another mistake
            raise DomainError(self._complaint(operands, names)) from own
        return result if result.__class__ is float else self.as_float(result, "forward")

    def partials_at(
        self, operands: Sequence[float], result: float, wanted: Sequence[bool], names: Sequence[str] = ()
    ) -> Sequence[float]:
        """Return the wanted partials at a point, 0 for the others; infinite where the slope is.

        Raises DomainError where there is no derivative.
        """
        try:
            return [self.as_float(p) for p in self.partials_of(operands, result, wanted)]
        except (ArithmeticError, ValueError):  # an edge: IEEE arithmetic knows the limit
            slopes = [self.as_float(p) for p in self.partials_of([*map(Ieee, operands)], Ieee(result), wanted)]
            if any(map(math.isnan, slopes)) and not any(map(math.isnan, [*operands, result])):
                i = [math.isnan(p) for p in slopes].index(True)
                raise DomainError(
                    f"{self._complaint(operands, names, f'no derivative by operand {i + 1}')}; "
                    "if that operand is meant to be constant, make it a plain number"
                ) from None
            return slopes

    def partials_of(  # Any: operands and result are numbers, arrays or Values
        self, operands: Sequence[Any], result: Any, wanted: Sequence[bool] | None = None
    ) -> Sequence[Any]:
        """Return the wanted partials (all by default), 0 for the others, in the operands' own arithmetic."""
        if self.arity is None:
            slopes = self.partials(operands, result)
            try:
                complete = len(slopes) == len(operands)
            except TypeError:
                complete = False
            if not complete:
                raise TypeError(
                    f"{self.name}: its rule of partials must return one number per operand, {len(operands)}, "
                    f"got {slopes!r:.60}" + "; is a `return` missing in it?" * (slopes is None)
                )
            return slopes if wanted is None else [p if want else 0.0 for p, want in zip(slopes, wanted, strict=True)]
        wanted = wanted or [True] * self.arity
        return [rule(*operands, result) if want else 0.0 for rule, want in zip(self.partials, wanted, strict=True)]

    def as_float(self, x: Any, source: str = "a rule of its partials") -> float:  # Any: what a function returned
        """Return a result as a float; TypeError, naming the operation, for what is no number."""
        try:
            return float(x) if isinstance(x, Ieee) else number(x)
        except (TypeError, OverflowError):
            way = "; is a `return` missing in it?" if x is None else ""
            raise TypeError(f"{self.name}: {source} must return a number, got {x!r:.60}{way}") from None

    def _complaint(self, operands: Sequence[float], names: Sequence[str], problem: str = "") -> str:
        """Return the message of a DomainError, such as "log of -0.5, outside (0, ∞), in 'loss.p'"."""
        for i, (x, domain) in enumerate(zip(operands, self.domains, strict=False)):
            if not problem and x not in domain:
                problem = f"{f'operand {i + 1} ' if len(operands) > 1 else ''}outside {domain}"
                if any(name and j == i for j, name in enumerate(names)):  # else whatever helps to find the place
                    names = [name if j == i else "" for j, name in enumerate(names)]
        at = " and ".join(map(repr, operands)) or "nothing"
        shown = f"{self.name} of {at}, {problem or 'needs ' + self.condition}"
        named = [f"operand {i + 1} " * (len(operands) > 1) + name for i, name in enumerate(names) if name]
        return f"{shown}, in {', '.join(named)}" if named else shown


def _pick(condition: Any, a: Any, b: Any) -> Any:
    """Return `a` where the condition holds, else `b`: Python's choice for one number, `where` for arrays and Values."""
    return (a if condition else b) if type(condition) is bool else where(condition, a, b)


def _share(a: Any, r: Any) -> Any:
    """Divide a by r; 0 where both are 0, written there as a root, since the quotient's slope is infinite too."""
    at_origin = r == 0.0
    return _pick(at_origin, cbrt(_pick(at_origin, a, 1.0)), a / _pick(at_origin, 1.0, r))


def _power_slope(a: Any, b: Any, r: Any) -> Any:
    """Return b·aᵇ⁻¹, by way of r / a where b - 1 would be rounded; a⁰ has slope 0, and so has what an infinite b makes 0."""
    at_zero = b == 0.0
    if at_zero is True and (b.__class__ is float or a != a):
        return 0.0  # also of NaN, whose power is 1
    exact = (b >= 0.5) & (b < 2.0**53)
    if exact is True:
        return b * a ** (b - 1.0)
    endless = abs(b) == math.inf
    factor = b if endless is False else _pick((r == 0.0) & endless, 0.0, b)
    by_power = factor * a ** (b - _pick((a == 0.0) & at_zero, 0.0, 1.0))
    at_edge = 0.5 * a == a  # 0 or infinite; of NaN by r: NaN⁰ is 1
    return _pick(exact, by_power, _pick(at_edge, by_power, factor * r / _pick(abs(a) > 0.0, a, 1.0)))


def _sech_squared(a: Any, r: Any) -> Any:
    """Return 1 - tanh², as 1 / cosh² where tanh is close to 1 and the difference would keep no digits."""
    if r.__class__ is float:
        return 1.0 - r * r if -0.7 < r < 0.7 else forwards.sech_squared(a)
    return 1.0 / cosh(a) / cosh(a)


def _complement(a: Any, r: Any) -> Any:
    """Return 1 - σ(a), as σ(-a) where σ is close to 1 and the difference would keep no digits."""
    if r.__class__ is float:
        return 1.0 - r if r < 0.7 else forwards.sigmoid(-a)
    return sigmoid(-a)


def _bell(a: Any, k: float) -> Any:
    """Return exp(-k·a²) with all its digits, by splitting off a part whose square is exact."""
    return bell(clip(a, -40.0, 40.0), k, exp, round_)  # beyond it is 0


def _log_ndtr_slope(a: Any, r: Any) -> Any:
    """Return φ / Φ; on the left in a form that keeps its digits however far."""
    left = a < 0.0
    return _pick(left, hazard(_pick(left, -a, 0.0)), INVERSE_ROOT_2PI * _bell(a, 0.5) * exp(_pick(left, 0.0, -r)))


def _sinc_slope(a: Any, r: Any) -> Any:
    """Return (cos πa - sinc a) / a; near 0, where that cancels, its Taylor series."""
    near = (a < 0.5) & (a > -0.5)
    small = _pick(near, a, 0.0)
    half = round_(a)
    x = a - half  # exact: the cosine of πx keeps its digits up to its zeros
    cosine = _pick((x < 0.25) & (x > -0.25), cos(math.pi * x), sin(math.pi * (0.5 - ABS(x))))
    far = _ratio(cosine * (1.0 - 2.0 * REMAINDER(half, 2.0)) - r, a)
    return _pick(near, small * polynomial(_SINC, small * small), far)


def _ratio(a: Any, b: Any) -> Any:
    """Divide a by b; 0 where both are 0."""
    return a / _pick((a == 0.0) & (b == 0.0), 1.0, b)


def _power_of_two(r: Any) -> Any:
    """Return a factor that keeps powers of numbers of the size of r within the range of the floats.

    It serves r that are far from both of its ends: derivatives of a partial by operands of 1e200 are of the size 1e-400.
    It takes no r across 1, so that neither an operand nor a slope that is a normal number stops being one.
    """
    small, large = _pick(r < 2.0**-598, 2.0**598, 2.0**249), _pick(r > 2.0**598, 2.0**-598, 2.0**-249)
    return _pick(r < 2.0**-249, small, _pick(r > 2.0**249, large, 1.0))


def _cosine(a: Any, b: Any) -> Any:
    """Return the cosine of the angle between (a, b) and the first axis, a / hypot(a, b); 0 at the origin."""
    k = _power_of_two(hypot(a, b))
    along = (abs(a) == math.inf) & (abs(b) < math.inf)  # the axis itself
    return _pick(along, sign(a), _share(a * k, hypot(a * k, b * k)))


def _turning(a: Any, b: Any) -> Any:
    """Return the derivative of the angle of (a, b) by b, a / (a² + b²); 0 at the origin."""
    k = _power_of_two(hypot(a, b))
    return k * _share(_cosine(a, b), hypot(a * k, b * k))


def _itself(a: Any) -> Any:
    return a


def _off_integers(a: Any, b: Any) -> Any:
    """Return the distance of a / b from the nearest integer."""
    ratio = a / _pick(b == 0.0, 1.0, b)
    return abs(ratio - round_(ratio))


def _softmax_at(xs: Sequence[Any], r: Any) -> Sequence[Any]:
    """Return the slopes of r = logsumexp(xs), e^(x - r) for each x; operands that are as infinite as r share equally."""
    if r.__class__ is float and -1e6 < r < 1e6:
        return [math.exp(x - r) for x in xs]
    parts = [exp(_pick(x == r, 0.0, x - r)) for x in xs]
    whole = TOTAL(*parts)  # 1, but for what rounding a large r adds to each
    return [part / whole for part in parts]


def _share_of_exp(a: Any, b: Any) -> Any:
    """Return eᵃ / (eᵃ + eᵇ), which is σ(a - b), with all its digits; infinite operands that are equal share equally."""
    d = _pick((a == b) & (ABS(a) == math.inf), 0.0, a - b)
    near = (d > -800.0) & (d < 800.0) & (ABS(a) < math.inf)  # beyond it is 0 or 1
    x, y, z = (_pick(near, each, 0.0) for each in (a, b, d))
    moved = stop_gradient(z - x)  # which keeps its place: a compiler may not regroup what only rounding tells apart
    lost = stop_gradient(x - stop_gradient(z - moved)) - stop_gradient(y + moved)  # by rounding, from the difference
    share = sigmoid(d)
    return share + share * sigmoid(-d) * lost


def _weighted_sum_partials(operands: Sequence[Any], _: Any) -> Sequence[Any]:
    """Return the inputs for the weights, the weights for the inputs, 1 for the bias."""
    n = len(operands) // 2
    return (*operands[n:-1], *operands[:n], 1.0)


_LOG2_E, _LOG10_E, _ERF = math.log2(math.e), math.log10(math.e), 2.0 / math.sqrt(math.pi)
_LN_2, _DEGREE, _RADIAN = math.log(2.0), math.pi / 180.0, 180.0 / math.pi
_SINC = tuple((-1.0) ** k * 2 * k * math.pi ** (2 * k) / math.factorial(2 * k + 1) for k in range(1, 13))
_REAL, _NOT_ZERO, _POSITIVE = Domain("(-∞, ∞)"), Domain("(-∞, ∞)", without=0.0), Domain("(0, ∞)")
_LOGS = "a logarithm's operand above 0, or 0 as the factor of the logarithm"
_POWERS = "a base above 0, a base 0 with an exponent ≥ 0, or a base below 0 with an integer as exponent"


@cache
def _found(name: str) -> Rule:
    module, _, function = name.rpartition(".")
    return getattr(import_module(module), function)


_table: dict[str, Op] = {}
OPS: Mapping[str, Op] = MappingProxyType(_table)


def row(name: str, *columns: Any, **more: Any) -> Op:
    """Enter an operation into the table and return it; the arguments are those of `Op`."""
    op = _table[name] = Op(name, *columns, **more)
    return op


def _row(name: str) -> Op:  # how a pickle finds it again
    return OPS[name]


# Columns: name, symbol, forward on floats, the function of arrays; partials, one per operand; then domains, kink, condition.
# fmt: off
ADD          = row("add",          "+",   lambda a, b: a + b, "numpy.add",          (lambda a, b, r: 1.0, lambda a, b, r: 1.0))
SUB          = row("sub",          "-",   lambda a, b: a - b, "numpy.subtract",     (lambda a, b, r: 1.0, lambda a, b, r: -1.0))
MUL          = row("mul",          "*",   lambda a, b: a * b, "numpy.multiply",     (lambda a, b, r: b, lambda a, b, r: a))
DIV          = row("div",          "/",   lambda a, b: a / b, "numpy.divide",       (lambda a, b, r: 1.0 / b,
                                                                                     lambda a, b, r: -r / b), (_REAL, _NOT_ZERO))
POW          = row("pow",          "**",  math.pow,           "numpy.power",        (_power_slope,
                                                                                     lambda a, b, r: r * log(_pick(r == 0.0, 1.0, a))), condition=_POWERS)
REMAINDER    = row("remainder",    "mod", operator.mod,       "numpy.remainder",    (lambda a, b, r: 1.0,
                                                                                     lambda a, b, r: -FLOOR_DIVIDE(a, b)), (_REAL, _NOT_ZERO), kink=_off_integers)
FLOOR_DIVIDE = row("floor_divide", "//",  operator.floordiv,  "numpy.floor_divide", (lambda a, b, r: 0.0,
                                                                                     lambda a, b, r: 0.0), (_REAL, _NOT_ZERO), kink=_off_integers)

POS        = row("pos",        "+",         lambda a: a,        "numpy.positive",           (lambda a, r: 1.0,))
NEG        = row("neg",        "-",         lambda a: -a,       "numpy.negative",           (lambda a, r: -1.0,))
ABS        = row("abs",        "abs",       math.fabs,          "numpy.abs",                (lambda a, r: sign(a),), kink=_itself)
copysign   = row("copysign",   "copysign",  math.copysign,      "numpy.copysign",           (lambda a, b, r: sign(a) * copysign(1.0, b),
                                                                                             lambda a, b, r: 0.0), kink=lambda a, b: _pick((a == 0.0) & (b == 0.0), math.nan, a * b))
sign       = row("sign",       "sign",      forwards.sign,      "numpy.sign",               (lambda a, r: 0.0,), kink=_itself)
floor      = row("floor",      "⌊x⌋",       forwards.floor,     "numpy.floor",              (lambda a, r: 0.0,), kink=lambda a: abs(a - round_(a)))
ceil       = row("ceil",       "⌈x⌉",       forwards.ceil,      "numpy.ceil",               (lambda a, r: 0.0,), kink=lambda a: abs(a - round_(a)))
trunc      = row("trunc",      "trunc",     forwards.trunc,     "numpy.trunc",              (lambda a, r: 0.0,), kink=lambda a: maximum(1.0 - abs(a), abs(a - round_(a))))
round_     = row("round_",     "round",     forwards.round_,    "numpy.rint",               (lambda a, r: 0.0,), kink=lambda a: abs(a - floor(a) - 0.5))
square     = row("square",     "x²",        lambda a: a * a,    "numpy.square",             (lambda a, r: 2.0 * a,))
reciprocal = row("reciprocal", "1/x",       lambda a: 1.0 / a,  "numpy.reciprocal",         (lambda a, r: -r * r,), (_NOT_ZERO,))
deg2rad    = row("deg2rad",    "deg→rad",   math.radians,       "numpy.deg2rad",            (lambda a, r: _DEGREE,))
rad2deg    = row("rad2deg",    "rad→deg",   math.degrees,       "numpy.rad2deg",            (lambda a, r: _RADIAN,))
exp        = row("exp",        "exp",       math.exp,           "numpy.exp",                (lambda a, r: r,))
exp2       = row("exp2",       "2ˣ",        math.exp2,          "numpy.exp2",               (lambda a, r: _LN_2 * r,))
expm1      = row("expm1",      "expm1",     math.expm1,         "numpy.expm1",              (lambda a, r: exp(a),))
log        = row("log",        "log",       math.log,           "numpy.log",                (lambda a, r: 1.0 / a,), (_POSITIVE,))
log1p      = row("log1p",      "log1p",     math.log1p,         "numpy.log1p",              (lambda a, r: 1.0 / (1.0 + a),), (Domain("(-1, ∞)"),))
log2       = row("log2",       "log2",      math.log2,          "numpy.log2",               (lambda a, r: _LOG2_E / a,), (_POSITIVE,))
log10      = row("log10",      "log10",     math.log10,         "numpy.log10",              (lambda a, r: _LOG10_E / a,), (_POSITIVE,))
sqrt       = row("sqrt",       "√",         math.sqrt,          "numpy.sqrt",               (lambda a, r: 0.5 / r,), (Domain("[0, ∞)"),))
cbrt       = row("cbrt",       "∛",         forwards.cbrt,      "numpy.cbrt",               (lambda a, r: 1.0 / (3.0 * r * r),))
sin        = row("sin",        "sin",       math.sin,           "numpy.sin",                (lambda a, r: cos(a),), (_REAL,))
cos        = row("cos",        "cos",       math.cos,           "numpy.cos",                (lambda a, r: -sin(a),), (_REAL,))
tan        = row("tan",        "tan",       math.tan,           "numpy.tan",                (lambda a, r: 1.0 + r * r,), (_REAL,))
sinc       = row("sinc",       "sinc",      forwards.sinc,      "autodiff.arrays.sinc",     (_sinc_slope,), (_REAL,))
asin       = row("asin",       "asin",      math.asin,          "numpy.arcsin",             (lambda a, r: 1.0 / sqrt((1.0 - a) * (1.0 + a)),), (Domain("[-1, 1]"),))
acos       = row("acos",       "acos",      math.acos,          "numpy.arccos",             (lambda a, r: -1.0 / sqrt((1.0 - a) * (1.0 + a)),), (Domain("[-1, 1]"),))
atan       = row("atan",       "atan",      math.atan,          "numpy.arctan",             (lambda a, r: 1.0 / hypot(a, 1.0) / hypot(a, 1.0),))
sinh       = row("sinh",       "sinh",      math.sinh,          "numpy.sinh",               (lambda a, r: cosh(a),))
cosh       = row("cosh",       "cosh",      math.cosh,          "numpy.cosh",               (lambda a, r: sinh(a),))
tanh       = row("tanh",       "tanh",      math.tanh,          "numpy.tanh",               (_sech_squared,))
asinh      = row("asinh",      "asinh",     math.asinh,         "numpy.arcsinh",            (lambda a, r: 1.0 / hypot(a, 1.0),))
acosh      = row("acosh",      "acosh",     math.acosh,         "numpy.arccosh",            (lambda a, r: 1.0 / sqrt(a - 1.0) / sqrt(a + 1.0),), (Domain("[1, ∞)"),))
atanh      = row("atanh",      "atanh",     math.atanh,         "numpy.arctanh",            (lambda a, r: 1.0 / ((1.0 - a) * (1.0 + a)),), (Domain("(-1, 1)"),))
erf        = row("erf",        "erf",       math.erf,           "autodiff.arrays.erf",      (lambda a, r: _ERF * _bell(a, 1.0),))
erfc       = row("erfc",       "erfc",      math.erfc,          "autodiff.arrays.erfc",     (lambda a, r: -_ERF * _bell(a, 1.0),))
log_ndtr   = row("log_ndtr",   "log Φ",     forwards.log_ndtr,  "autodiff.arrays.log_ndtr", (_log_ndtr_slope,))
atan2      = row("atan2",      "atan2",     math.atan2,         "numpy.arctan2",            (lambda a, b, r: _turning(b, a),
                                                                                             lambda a, b, r: -_turning(a, b)), kink=lambda a, b: _pick(b > 0.0, hypot(a, b), a))
hypot      = row("hypot",      "hypot",     math.hypot,         "numpy.hypot",              (lambda a, b, r: _cosine(a, b),
                                                                                             lambda a, b, r: _cosine(b, a)), kink=lambda a, b: hypot(a, b))
logaddexp  = row("logaddexp",  "logaddexp", forwards.logaddexp, "numpy.logaddexp",          (lambda a, b, r: _share_of_exp(a, b),
                                                                                             lambda a, b, r: _share_of_exp(b, a)))
xlogy      = row("xlogy",      "xlogy",     forwards.xlogy,     "autodiff.arrays.xlogy",    (lambda a, b, r: log(_pick((a == 0.0) & (b < 0.0), 1.0, b)),
                                                                                             lambda a, b, r: _ratio(a, b)), condition=_LOGS)
xlog1py    = row("xlog1py",    "xlog1py",   forwards.xlog1py,   "autodiff.arrays.xlog1py",  (lambda a, b, r: log1p(_pick((a == 0.0) & (b < -1.0), 0.0, b)),
                                                                                             lambda a, b, r: _ratio(a, 1.0 + b)), condition=_LOGS)

sigmoid       = row("sigmoid",       "σ",        forwards.sigmoid,              "autodiff.arrays.sigmoid",       (lambda a, r: r * _complement(a, r),))
softplus      = row("softplus",      "softplus", forwards.softplus,             "autodiff.arrays.softplus",      (lambda a, r: sigmoid(a),))
relu          = row("relu",          "ReLU",     forwards.relu,                 "autodiff.arrays.relu",          (lambda a, r: _pick(a > 0.0, 1.0, 0.0),), kink=_itself)
LEAKY_RELU    = row("leaky_relu",    "leaky",    forwards.leaky_relu,           "autodiff.arrays.leaky_relu",    (lambda a, slope, r: _pick(a > 0.0, 1.0, slope),
                                                                                                                  lambda a, slope, r: _pick(a > 0.0, 0.0, a)), kink=lambda a, slope: a)
step          = row("step",          "step",     forwards.step,                 "autodiff.arrays.step",          (lambda a, r: 0.0,), kink=_itself)
maximum       = row("maximum",       "max",      forwards.maximum,              "numpy.maximum",                 (lambda a, b, r: _pick(a == b, 0.5, step(a - b)),
                                                                                                                  lambda a, b, r: _pick(a == b, 0.5, step(b - a))), kink=lambda a, b: a - b)
minimum       = row("minimum",       "min",      forwards.minimum,              "numpy.minimum",                 (lambda a, b, r: _pick(a == b, 0.5, step(b - a)),
                                                                                                                  lambda a, b, r: _pick(a == b, 0.5, step(a - b))), kink=lambda a, b: a - b)
clip          = row("clip",          "clip",     forwards.clip,                 "numpy.clip",                    (lambda a, low, high, r: _pick(a == r, 1.0, 0.0),
                                                                                                                  lambda a, low, high, r: _pick(a < low, 1.0, 0.0),
                                                                                                                  lambda a, low, high, r: _pick(a > high, 1.0, 0.0)), kink=lambda a, low, high: (a - low) * (a - high), condition="low ≤ high")
where         = row("where",         "where",    lambda c, a, b: a if c else b, "numpy.where",                   (lambda c, a, b, r: 0.0,
                                                                                                                  lambda c, a, b, r: _pick(c != 0.0, 1.0, 0.0),
                                                                                                                  lambda c, a, b, r: _pick(c != 0.0, 0.0, 1.0)), kink=lambda c, a, b: c)
stop_gradient = row("stop_gradient", "stop",     lambda a: a,                   "autodiff.arrays.stop_gradient", (lambda a, r: 0.0,))

TOTAL        = row("total",        "Σ",    lambda *xs: sum(xs, 0.0),           "autodiff.arrays.total",     lambda xs, r: [1.0] * len(xs))
MEAN         = row("mean",         "mean", forwards.mean,                      "autodiff.arrays.mean",      lambda xs, r: [1.0 / len(xs)] * len(xs), condition="at least one operand")
LOGSUMEXP    = row("logsumexp",    "lse",  forwards.logsumexp,                 "autodiff.arrays.logsumexp", _softmax_at, condition="at least one operand")
WEIGHTED_SUM = row("weighted_sum", "Σwx",  forwards.weighted_sum,              None,                        _weighted_sum_partials, condition="as many inputs as weights, and a bias")
# fmt: on

if not TYPE_CHECKING:  # type checkers export every name without an underscore, so the rows need no second list
    __all__ = ["OPS", "Op"]
    __all__ += [name for name, op in _table.items() if globals().get(name) is op]
