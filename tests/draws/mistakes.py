"""Mistakes that are planted in the compiler, to see that the laws of drawn programs catch them."""

import builtins
import contextlib
import importlib
import inspect
from types import CodeType

from autodiff import compile


def differing(before, after, names=()):
    """The function whose code differs, by name from the module down, and its other code."""
    for a, b in zip(before.co_consts, after.co_consts, strict=True):
        if isinstance(a, CodeType) and a != b:
            own = *names, a.co_name
            return (own, b) if a.co_flags & inspect.CO_OPTIMIZED else differing(a, b, own)
    raise AssertionError("the same code")


@contextlib.contextmanager
def planted(module, right, wrong):
    """While this lasts, a module of the compiler says something else at one place; no name is reached into."""
    owner = importlib.import_module(f"{compile.__module__}.{module}")
    text = inspect.getsource(owner)
    assert text.count(right) == 1, f"{module} says {right!r} {text.count(right)} times"
    names, code = differing(*[builtins.compile(x, owner.__file__, "exec") for x in (text, text.replace(right, wrong))])
    function = owner
    for name in names:
        function = vars(function)[name]
    function = getattr(function, "func", function)  # of a cached property
    function = getattr(function, "fget", function)
    function = getattr(function, "__wrapped__", function)
    function = getattr(function, "__func__", function)
    kept = [x.cache_clear for x in vars(owner).values() if hasattr(x, "cache_clear")]  # what was made, right or wrong
    before, function.__code__ = function.__code__, code
    for clear in kept:
        clear()
    try:
        yield
    finally:
        function.__code__ = before
        for clear in kept:
            clear()
