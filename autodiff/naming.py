"""How messages name a node, and the number in it."""

from typing import Any

from autodiff import held


def plain(x: Any) -> float:
    """Return the number in a Value or float."""
    if x.__class__ is float:
        return x
    try:
        return x._number
    except AttributeError:  # a training block holds it; or it has none
        try:
            return held.current(x)
        except AttributeError:
            return x


def describe(x: Any) -> str:
    """Return the name of a Value in messages: its label, else the operation that made it."""
    if getattr(x, "label", ""):
        return repr(x.label)
    if getattr(x, "op", None) is None:
        return repr(plain(x))
    parts = [repr(getattr(y, "label", "") or plain(y)) for y in x.operands[:4]]
    return f"{x.op.name}({', '.join(parts)}{', …' if len(x.operands) > 4 else ''})"


def cut(x: Any, what: str) -> TypeError:
    """Return the error for a number that would leave the graph unseen; it tells the way out of where that happened."""
    from autodiff.advice import way_out  # which reads source and bytecode: nobody waits for that but who needs it

    return TypeError(f"{what}({describe(x)}) would cut the graph without a word: {way_out()}")
