"""The rows of the table as JavaScript, for pages that compute: rules called with stand-ins write themselves down.

A stand-in takes the place of an operand, and every operation on it becomes a line of JavaScript. So value and partials
of a page are those of the table, and a user's own `Op` works there too, if its functions can be called with stand-ins.
NumPy's functions, of which the array forms of the rows are made, are the only ones that are spelled out here; NumPy
itself is not needed for it.

>>> from autodiff.ops import OPS
>>> print(rule(OPS["mul"], 2)["d"])
(a, b, r, p, j) => { p[j] = b; p[j + 1] = a; }
"""

# Rows have no types to give:
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false
import builtins
import importlib.util
import json
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, reduce
from typing import Any

from autodiff.forwards import INVERSE_ROOT_2PI, LOG_ROOT_2PI, bell, hazard
from autodiff.ops import OPS, Op

_CHOICE, _OR, _AND, _EQUAL, _LESS, _SUM, _PRODUCT, _SIGN, _ATOM = range(9)  # how tightly JavaScript's operators bind
_INFIX = {
    "||": _OR, "&&": _AND, "==": _EQUAL, "!=": _EQUAL, "<": _LESS, "<=": _LESS, ">": _LESS, ">=": _LESS, "+": _SUM,
    "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "%": _PRODUCT,
}  # fmt: skip
_TRUTHS = frozenset(["||", "&&", *(word for word, binds in _INFIX.items() if binds in {_EQUAL, _LESS})])
# NumPy's functions by name: operators of JavaScript, functions of Math, and those of engine.js for what it lacks.
_OPERATORS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "fmod": "%"}
_MATH = {
    **{name: name for name in (
        "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "sin", "cos", "tan", "sinh", "cosh", "tanh",
        "floor", "ceil", "trunc", "sign", "hypot",
    )},
    "absolute": "abs", "abs": "abs", "maximum": "max", "minimum": "min", "arcsin": "asin", "arccos": "acos",
    "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
}  # fmt: skip
_ENGINES = {"power", "remainder", "floor_divide", "rint", "copysign", "logaddexp", "heaviside"}


class _Names:
    """NumPy's functions, of stand-ins."""

    def __getattr__(self, name: str) -> Any:
        def function(*operands: Any, **_: Any) -> Any:
            scripts = [x.script for x in operands if isinstance(x, Code)]
            return _numpys(scripts[0], name, operands) if scripts else None  # `vectorize` has none

        return function


np: Any = _Names()
_COMPOSED: dict[str, Callable[..., Any]] = {
    "positive": lambda a: a,
    "negative": lambda a: -a,
    "square": lambda a: a * a,
    "reciprocal": lambda a: 1.0 / a,
    "exp2": lambda a: np.power(2.0, a),
    "deg2rad": lambda a: a * (math.pi / 180.0),
    "rad2deg": lambda a: a * (180.0 / math.pi),
    "clip": lambda a, low, high: np.minimum(np.maximum(a, low), high),
    "isinf": lambda a: np.abs(a) == math.inf,
    "isnan": lambda a: a != a,  # noqa: PLR0124
    "where": lambda condition, a, b: condition.script.node(
        "?", condition if condition.word in _TRUTHS else condition != 0.0, a, b
    ),
}


class Code:
    """A stand-in for a number: an operand, a constant, or an operation on other stand-ins."""

    __slots__ = ("operands", "script", "word")

    def __init__(self, script: "Script", word: str, operands: tuple[Any, ...] = ()) -> None:
        self.script = script
        self.word = word
        self.operands = operands

    def __neg__(self) -> Any:
        return self.script.node("neg", self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self.script.node("Math.abs", self)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError("it decides by `if`, where autodiff.where is meant")

    def __float__(self) -> float:
        raise TypeError("it makes a float, as functions of `math` do, where those of autodiff are meant")

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **_: Any) -> Any:
        return _numpys(self.script, ufunc.__name__ if method == "__call__" else method, operands)

    def __array_function__(self, function: Any, _types: Any, operands: Any, _options: Any) -> Any:
        return _numpys(self.script, function.__name__, operands)

    @staticmethod
    def record_operation(op: Op, operands: Sequence[Any]) -> Any:
        """Return the stand-in of an operation; rows arrive here when they call their siblings."""
        return (_OWN.get(op) or _array_form(op))(*operands)

    @property
    def binds(self) -> int:
        """How tightly its outermost operation binds."""
        if self.word in _INFIX:
            return _INFIX[self.word]
        return {"?": _CHOICE, "neg": _SIGN}.get(self.word, _SIGN if self.word.startswith("-") else _ATOM)


_SIGNS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "power", "mod": "remainder", "floordiv": "floor_divide",
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and": "&&", "or": "||",
}  # fmt: skip
for _name, _word in _SIGNS.items():
    setattr(Code, f"__{_name}__", lambda self, other, word=_word: self.script.node(word, self, other))
    if _word not in _TRUTHS:
        setattr(Code, f"__r{_name}__", lambda self, other, word=_word: self.script.node(word, other, self))


def _numpys(script: "Script", name: str, operands: Sequence[Any]) -> Any:
    if name in _COMPOSED:
        return _COMPOSED[name](*operands)
    if name in _MATH:
        return script.node(f"Math.{_MATH[name]}", *operands)
    if name in _OPERATORS or name in _ENGINES:
        return script.node(_OPERATORS.get(name, name), *operands)
    raise TypeError(f"numpy.{name} has no counterpart in a page")


def _array_form(op: Op) -> Callable[..., Any]:
    """Return the function of arrays of an operation; a row's own is made of NumPy's names alone."""
    module, _, name = op.array.rpartition(".") if isinstance(op.array, str) else ("", "", "")
    if module == "numpy":
        return getattr(np, name)
    return _arrays()[name] if module == "autodiff.arrays" else op.function_of_arrays


@cache
def _arrays() -> Mapping[str, Any]:
    """Return what `autodiff.arrays` defines where NumPy is these names."""

    def found(name: str, *more: Any) -> Any:
        return np if name == "numpy" else __import__(name, *more)

    spec: Any = importlib.util.find_spec("autodiff.arrays")
    space: dict[str, Any] = {"__name__": spec.name, "__builtins__": {**vars(builtins), "__import__": found}}
    exec(spec.loader.get_code(spec.name), space)  # noqa: S102 # our own module
    return space


def _erf(a: Any) -> Any:
    """Return erf: its series near 0, which alternates mildly there, else from the Mills ratio."""
    near = (a < 0.75) & (a > -0.75)
    return np.where(near, _near_erf(np.where(near, a, 0.0)), np.sign(a) * (1.0 - _tail(abs(a))))


def _erfc(a: Any) -> Any:
    near = (a < 0.75) & (a > -0.75)
    return np.where(near, 1.0 - _near_erf(np.where(near, a, 0.0)), np.where(a > 0.0, _tail(a), 2.0 - _tail(-a)))


def _near_erf(a: Any) -> Any:
    total: Any = 0.0
    for k in range(18, -1, -1):
        total = total * (a * a) + (-1.0) ** k / (math.factorial(k) * (2 * k + 1))
    return 2.0 / math.sqrt(math.pi) * a * total


def _tail(a: Any) -> Any:
    """Return erfc for a ≥ 0."""
    return 2.0 * INVERSE_ROOT_2PI * bell(np.minimum(a, 40.0), 1.0, np.exp, np.rint) / hazard(a * math.sqrt(2.0))


def _log_ndtr(a: Any) -> Any:
    """Return log Φ as forwards.log_ndtr has it."""
    x = abs(a)
    steep = hazard(x)
    upper = 0.5 * _erfc(np.minimum(x, 1.0) * math.sqrt(0.5))
    near = np.where(a > 0.0, np.log1p(-upper), np.log(upper))
    left = -np.log(steep) - 0.5 * x * x - LOG_ROOT_2PI
    right = np.log1p(-INVERSE_ROOT_2PI * bell(np.minimum(x, 40.0), 0.5, np.exp, np.rint) / steep)
    return np.where(x < 1.0, near, np.where(a < 0.0, left, right))


_OWN: dict[Op, Callable[..., Any]] = {OPS["erf"]: _erf, OPS["erfc"]: _erfc, OPS["log_ndtr"]: _log_ndtr}
# Where Python raises though every operand on its own is inside its domain: what `Op.condition` says in words.
_TOGETHER: dict[Op, Callable[..., Any]] = {
    OPS["pow"]: lambda a, b: (
        ((a == 0.0) & (b < 0.0) & (b > -math.inf))
        | ((a < 0.0) & (a > -math.inf) & (abs(b) < math.inf) & (np.rint(b) != b))
    ),
    OPS["xlogy"]: lambda a, b: (a != 0.0) & (b <= 0.0),
    OPS["xlog1py"]: lambda a, b: (a != 0.0) & (b <= -1.0),
    OPS["clip"]: lambda _, low, high: low > high,
}


class Script:
    """A JavaScript function in the making: its nodes in order, each of them once."""

    def __init__(self, n: int) -> None:
        self._nodes: dict[Any, Code] = {}
        names = ("a", "b")[:n] if n <= 2 else tuple(f"x[{i}]" for i in range(n))
        self.operands: list[Any] = [self._kept(name) for name in names]  # Any: which has its operators from a table
        self.result = self._kept("r")
        self.parameters = ", ".join(names) if n <= 2 else "x"

    def node(self, word: str, *operands: Any) -> Code:
        """Return the operation `word` on stand-ins and numbers."""
        return self._kept(word, *(x if isinstance(x, Code) else self._kept(_literal(x)) for x in operands))

    def _kept(self, word: str, *operands: Code) -> Code:
        key = (word, *map(id, operands))
        if key not in self._nodes:
            self._nodes[key] = Code(self, word, operands)
        return self._nodes[key]

    def written(self, results: Iterable[Any]) -> tuple[list[str], list[str]]:
        """Return statements for what is used more than once, and the results as expressions."""
        wanted = [x if isinstance(x, Code) else self._kept(_literal(x)) for x in results]
        uses: dict[Code, int] = dict.fromkeys(self._nodes.values(), 0)
        for x in wanted:
            uses[x] += 1
        for x in reversed(self._nodes.values()):
            if uses[x]:
                for operand in x.operands:
                    uses[operand] += 1
        texts: dict[Code, tuple[str, int]] = {}
        statements: list[str] = []
        for x in self._nodes.values():
            if uses[x]:
                texts[x] = _expression(x, texts), x.binds
                if x.operands and uses[x] > 1:
                    name = f"t{len(statements)}"
                    statements.append(f"const {name} = {texts[x][0]};")
                    texts[x] = name, _ATOM
        return statements, [texts[x][0] for x in wanted]


def _literal(x: Any) -> str:
    number = float(x)
    if math.isnan(number):
        return "NaN"
    text = f"{number:.0f}" if number == round(number, 0) and abs(number) < 1e6 else repr(number)
    return text.replace("inf", "Infinity")


def _expression(x: Code, texts: dict[Code, tuple[str, int]]) -> str:
    def within(i: int, least: int) -> str:
        text, binds = texts[x.operands[i]]
        return text if binds >= least else f"({text})"

    if not x.operands:
        return x.word
    if x.word in _INFIX:
        return f"{within(0, x.binds)} {x.word} {within(1, x.binds + 1)}"
    if x.word == "?":
        return f"{within(0, _OR)} ? {within(1, _CHOICE)} : {within(2, _CHOICE)}"
    if x.word == "neg":
        return f"-{within(0, _ATOM)}"
    return f"{x.word}({', '.join(texts[operand][0] for operand in x.operands)})"


def rule(op: Op, n: int) -> dict[str, Any]:
    """Return the JavaScript of a row for `n` operands: the functions f, d and outside, and what errors say of it.

    `f` returns the value; `d` writes the partials into p, from j on; `outside` tells whether Python would raise. Up to
    two operands are arguments, more of them an array x. Raises ValueError for an operation that cannot be written.
    """
    try:
        script = Script(n)
        body, (value,) = script.written([Code.record_operation(op, script.operands)])
        forward = _function(script.parameters, body, f"return {value};")
        script = Script(n)
        body, slopes = script.written(op.partials_of(script.operands, script.result))
        places = [f"p[j{f' + {k}' if k else ''}] = {slope};" for k, slope in enumerate(slopes)]
        backward = _function(f"{script.parameters}, r, p, j", body, " ".join(places))
    except Exception as error:
        raise ValueError(
            f"an operation must be computed from its operands by operators and by functions of autodiff or NumPy for "
            f"a page to repeat it, got {op.name!r}: {error}; write its functions so, or give `array`",
            op.name,
        ) from error
    return {
        "name": op.name, "domains": [str(each) for each in op.domains], "condition": op.condition, "n": n,
        "f": forward, "d": backward, "outside": _outside(op, n),
    }  # fmt: skip


def _function(parameters: str, body: Sequence[str], last: str) -> str:
    return f"({parameters}) => {{ {' '.join([*body, last])} }}"


def _outside(op: Op, n: int) -> str | None:
    script = Script(n)
    tests: list[Any] = []
    for x, domain in zip(script.operands, op.domains, strict=False):
        low, high = domain.bounds
        if low > -math.inf:
            tests.append(x < low if domain.interval[0] == "[" else x <= low)
        if high < math.inf:
            tests.append(x > high if domain.interval[-1] == "]" else x >= high)
        if domain.without is not None:
            tests.append(x == domain.without)
        if n == 1:
            tests += [x == end for end in (low, high) if math.isinf(end) and _raises(op, end)]
            tests += [x != x] if _raises(op, math.nan) else []  # noqa: PLR0124
    tests += [_TOGETHER[op](*script.operands)] if op in _TOGETHER else []
    if not tests:
        return None
    body, (test,) = script.written([reduce(operator.or_, tests)])
    return _function(script.parameters, body, f"return {test};")


def _raises(op: Op, x: float) -> bool:
    try:
        op.forward(x)
    except ValueError:
        return True
    except ArithmeticError:
        pass
    return False


def table(rules: Iterable[dict[str, Any]]) -> str:
    """Return rules as the text of a JavaScript array."""
    rows: list[str] = []
    for each in rules:
        told = json.dumps([each[key] for key in ("name", "n", "domains", "condition")]).replace("<", "\\u003c")
        rows.append(f"  [...{told}, {each['f']},\n    {each['d']}, {each['outside'] or 'null'}],\n")
    return f"const RULES = [\n{''.join(rows)}];\n"


def has_cases(op: Op, n: int) -> bool:
    """Tell whether the partials of a row are written differently at different points."""
    try:
        return "?" in rule(op, n)["d"]
    except ValueError:
        return True


def graph(order: Sequence[Any], *, rules: bool = True) -> tuple[dict[str, Any], str]:
    """Return a recorded graph for JSON, nodes in order of evaluation, and the rules that its operations need.

    `ops` holds the place of each node's rule, -1 for a leaf; `args` the operands' places, where those beyond the nodes
    are constants; `values` and `partials` the numbers as recorded, as text where JSON has none. `inputs` are the
    constants that a weighted sum takes as inputs, one for all neurons that share them. Without `rules` the graph can
    be swept but not computed anew.
    """
    (data,), text = graphs([order], rules=rules)
    return data, text


def graphs(orders: Iterable[Sequence[Any]], *, rules: bool = True) -> tuple[list[dict[str, Any]], str]:
    """Return several graphs, as `graph` does, with one table of rules for all."""
    used: dict[tuple[Op, int], int] = {}
    data = [_graph(order, used) for order in orders]
    return data, table(rule(op, n) for op, n in used) if rules else "const RULES = null;\n"


def _graph(order: Sequence[Any], used: dict[tuple[Op, int], int]) -> dict[str, Any]:
    place = {node: i for i, node in enumerate(order)}
    constants: list[float] = []
    known: dict[Any, int] = {}
    inputs: dict[int, None] = {}

    def constant(node: Any, k: int, x: float) -> int:
        neuron = node.op is OPS["weighted_sum"] and len(node.operands) // 2 <= k < len(node.operands) - 1
        key = (id(node.a), k - len(node.operands) // 2) if neuron and node.a else (node, k)
        if key not in known:
            known[key] = len(order) + len(constants)
            constants.append(x)
        if neuron:
            inputs[known[key]] = None
        return known[key]

    ops: list[int] = []
    args: list[list[int]] = []
    for node in order:
        operands = node.operands
        ops.append(-1 if node.op is None else used.setdefault((node.op, len(operands)), len(used)))
        args.append([place[x] if x.__class__ is not float else constant(node, k, x) for k, x in enumerate(operands)])
    return {
        "ops": ops, "args": args, "values": _numbers([*(node.data for node in order), *constants]),
        "partials": _numbers([partial for node in order for partial in node.partials]), "inputs": list(inputs),
    }  # fmt: skip


def _numbers(numbers: Sequence[float]) -> list[Any]:
    return [x if math.isfinite(x) else _literal(x) for x in numbers]
