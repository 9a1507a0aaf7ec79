"""What a diagnosis says, in two languages: one sentence for each kind of mistake, with places for its details."""

# Details are numbers, text and phrases in one another, so there are no types to give:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LANGUAGES = ("en", "es")

SENTENCES: Mapping[str, tuple[str, str]] = {
    "nan": ("a NaN or an infinity is in it", "contiene un NaN o un infinito"),
    "stale": (
        "it does not change when the point does: a stale cache, or a factor that is lost?",
        "no cambia cuando cambia el punto: ¿una caché vieja, o un factor perdido?",
    ),
    "lagging": (
        "it belongs to the point before: a stale cache, stored too late or read too early",
        "es del punto anterior: una caché vieja, guardada tarde o leída antes de tiempo",
    ),
    "zero": (
        "0 everywhere: what flows back to it is lost on the way",
        "0 en todas partes: lo que vuelve hacia ahí se pierde en el camino",
    ),
    "sign": ("the sign is wrong", "el signo está cambiado"),
    "factor": ("{k} times the right one in every entry{why}", "{k} veces lo correcto en cada elemento{why}"),
    "offset": (
        "off by the same number, {c}, in every entry: a constant is added or left out",
        "difiere en el mismo número, {c}, en cada elemento: sobra o falta una constante",
    ),
    "multiple": (
        "off by {c} · {what}: a term along {what} is {extra}, of a penalty or of a norm",
        "difiere en {c} · {what}: {extra} un término a lo largo de {what}, de una penalización o de una norma",
    ),
    "times": (
        "the right one times {what}: a division by {what} is missing, or it is one factor too many",
        "lo correcto por {what}: falta una división entre {what}, o sobra ese factor",
    ),
    "over": (
        "the right one over {what}: the factor {what} is missing, or one division too many",
        "lo correcto entre {what}: falta el factor {what}, o sobra esa división",
    ),
    "turned": (
        "what flows back through {place} is transposed",
        "lo que vuelve por {place} está transpuesto",
    ),
    "transposed": ("the right one transposed", "lo correcto, pero transpuesto"),
    "axes": ("the right one with its axes in the order {order}", "lo correcto con los ejes en el orden {order}"),
    "reshaped": (
        "the right numbers in another order: a reshape in place of a transpose",
        "los números correctos en otro orden: un reshape en lugar de una transposición",
    ),
    "flipped": ("the right one flipped along axis {axis}", "lo correcto, invertido a lo largo del eje {axis}"),
    "shifted": (
        "shifted by {by} along axis {axis}: an index is off by {by}",
        "desplazado en {by} a lo largo del eje {axis}: un índice está corrido en {by}",
    ),
    "exchanged": (
        "the right {lines} in the order {order}: they are exchanged",
        "las {lines} correctas en el orden {order}: están intercambiadas",
    ),
    "permuted": ("the right numbers in another order", "los números correctos en otro orden"),
    "another": (
        "this is the derivative by {other}: are the two swapped?",
        "ésta es la derivada respecto a {other}: ¿están intercambiadas?",
    ),
    "summed": (
        "summed over axis {axis} and spread again, where each entry has its own",
        "sumado sobre el eje {axis} y repartido de nuevo, cuando cada elemento tiene el suyo",
    ),
    "argument": ("this is {what} itself, and no derivative", "esto es {what}, y no una derivada"),
    "value": (
        "this is the value of the function, and no derivative",
        "esto es el valor de la función, y no una derivada",
    ),
    "absolute": ("the signs are lost: |…| of the right one", "se han perdido los signos: |…| de lo correcto"),
    "clipped": ("clipped at {c}", "recortado en {c}"),
    "region": ("wrong {where} only, by a factor of {k}", "mal sólo {where}, por un factor de {k}"),
    "missing": (
        "0 {where}, and right elsewhere: a term is missing there",
        "0 {where}, y correcto en lo demás: ahí falta un término",
    ),
    "single": (
        "right to the digits of float32 only: computed, or stored, in single precision",
        "correcto sólo hasta los dígitos de float32: calculado, o guardado, en precisión simple",
    ),
    "digits": (
        "right to {digits} digits only: a finite difference, an epsilon, a solver? If that is meant, give rtol={rtol}",
        "correcto sólo hasta {digits} dígitos: ¿una diferencia finita, un épsilon? Si es a propósito, usa rtol={rtol}",
    ),
    "constant": (
        "{place} is treated as a constant: the path through it is missing",
        "{place} se trata como constante: falta el camino que pasa por ahí",
    ),
    "lost": (
        "the path from {place} back to {operand} is missing",
        "falta el camino de {place} hacia {operand}",
    ),
    "path sign": (
        "what flows back through {place} has the wrong sign",
        "lo que vuelve por {place} tiene el signo cambiado",
    ),
    "path factor": (
        "what flows back through {place} counts {k} times{why}",
        "lo que vuelve por {place} cuenta {k} veces{why}",
    ),
    "left out": (
        "the slope of {place} is left out of the product{slope}",
        "la pendiente de {place} falta en el producto{slope}",
    ),
    "other operand": (
        "{place} passes back the partial by its other operand",
        "{place} devuelve la derivada parcial respecto a su otro operando",
    ),
    "slope": (
        "the slope of {place} is {wrong} where {right} is right: {reason}",
        "la pendiente de {place} es {wrong} donde va {right}: {reason}",
    ),
    "instead": (
        "{other} is used in place of {place}, as a factor in the derivative of {where}",
        "se usa {other} en lugar de {place}, como factor en la derivada de {where}",
    ),
    "diagonal": (
        "the cross terms are missing: each entry of {place} depends on all of {operand}, not on its own alone",
        "faltan los términos cruzados: cada elemento de {place} depende de todo {operand}, no sólo del suyo",
    ),
    "one use": (
        "one of its {n} uses is counted, and not their sum: = where += is meant?",
        "cuenta uno de sus {n} usos, y no la suma: ¿un = donde va +=?",
    ),
    "one path": (
        "only the path through {place} is counted: = where += is meant?",
        "sólo cuenta el camino por {place}: ¿un = donde va +=?",
    ),
    "axis": ("the sum is taken over the wrong axis", "la suma se toma sobre el eje equivocado"),
}

PHRASES: Mapping[str, tuple[str, str]] = {
    "name": ("{name}", "{name}"),
    "and": (" and ", " y "),
    "or": ("or ", "o bien "),
    "unexplained": ("{of}: no single mistake explains it", "{of}: ningún error único lo explica"),
    "rows": ("the number of rows of {name}", "el número de filas de {name}"),
    "columns": ("the number of columns of {name}", "el número de columnas de {name}"),
    "axis": ("the length of axis {axis} of {name}", "la longitud del eje {axis} de {name}"),
    "numbers": ("how many numbers {name} holds", "cuántos números tiene {name}"),
    "mean for sum": (": {v} is {what}; a mean in place of a sum?", ": {v} es {what}; ¿una media en lugar de una suma?"),
    "sum for mean": (": {v} is {what}; a sum in place of a mean?", ": {v} es {what}; ¿una suma en lugar de una media?"),
    "factor missing": (": the factor {what} is missing", ": falta el factor {what}"),
    "factor too much": (": the factor {what} is one too many", ": sobra el factor {what}"),
    "two": (": the 2 of a square is missing, or a ½ is one too many", ": falta el 2 de un cuadrado, o sobra un ½"),
    "half": (
        ": the ½ before a square is missing, or a 2 is one too many",
        ": falta el ½ ante un cuadrado, o sobra un 2",
    ),
    "missing": ("missing", "falta"),
    "extra": ("one too many", "sobra"),
    "rows of it": ("rows", "filas"),
    "columns of it": ("columns", "columnas"),
    "row": ("in row {k}", "en la fila {k}"),
    "column": ("in column {k}", "en la columna {k}"),
    "diagonal": ("on the diagonal", "en la diagonal"),
    "off diagonal": ("off the diagonal", "fuera de la diagonal"),
    "entry": ("in entry {k}", "en el elemento {k}"),
    "negative": ("where {name} is negative", "donde {name} es negativo"),
    "positive": ("where {name} is positive", "donde {name} es positivo"),
    "some": ("in {n} of {size} entries, {k} among them", "en {n} de {size} elementos, entre ellos {k}"),
    "at another": ("taken at {at}, where {there} belongs", "se evalúa en {at}, y va en {there}"),
    "of another": ("that is the slope of {name}", "ésa es la pendiente de {name}"),
    "half of it": ("a factor of it is missing or wrong", "un factor de ella falta o está mal"),
    "answer": ("answer", "respuesta"),
    "right": ("right", "correcto"),
    "not yet": ("not yet right", "todavía no es correcto"),
    "so many right": ("{n} of {size} are right", "{n} de {size} son correctos"),
    "nothing": ("nothing was given yet", "todavía no hay respuesta"),
    "number as text": (
        "this is text, {text}: write the number without quotes",
        "esto es texto, {text}: escribe el número sin comillas",
    ),
    "text": ("this is text, {text}, and a number is asked for", "esto es texto, {text}, y se pide un número"),
    "complex": ("a real number is asked for, and this is a complex one", "se pide un número real, y éste es complejo"),
    "nan": (
        "a NaN or an infinity is in it: look for a division by 0",
        "contiene un NaN o un infinito: busca una división entre 0",
    ),
    "shape": ("its shape is {got}, and {asked} is asked for{turned}", "su forma es {got}, y se pide {asked}{turned}"),
    "turned": (": transpose it", ": transponla"),
    "reshape": ("", ""),
    "raises": ("the function stopped with {error}", "la función se detuvo con {error}"),
    "unreadable": (
        "what was given, of type {kind}, cannot be read as numbers",
        "la respuesta, de tipo {kind}, no se puede leer como números",
    ),
    "a value": (
        "this is a Value, and its number, {data}, is compared",
        "esto es un Value, y se compara su número, {data}",
    ),
    "another graph": (
        "this is a Value of another graph: its number, {data}, is compared",
        "esto es un Value de otro grafo: se compara su número, {data}",
    ),
    "of another part": ("this is the answer to {other}", "ésta es la respuesta a {other}"),
    "more digits": ("right to {digits} digits: give more of them", "correcto hasta {digits} dígitos: da más"),
    "its grad": ("this is the Value itself: its .grad is asked for", "esto es el Value mismo: se pide su .grad"),
}


def phrase(kind: str, language: str, /, **details: Any) -> str:
    """Return a part of a sentence."""
    return PHRASES[kind][LANGUAGES.index(language)].format(**{k: _worded(x, language) for k, x in details.items()})


def sentence(kind: str, language: str, /, **details: Any) -> str:
    """Return the sentence for a kind of mistake; details that are phrases themselves are worded first.

    >>> sentence("sign", "en"), sentence("factor", "es", k=0.5, why=("two", {}))
    ('the sign is wrong', '0.5 veces lo correcto en cada elemento: falta el 2 de un cuadrado, o sobra un ½')
    """
    return SENTENCES[kind][LANGUAGES.index(language)].format(**{k: _worded(x, language) for k, x in details.items()})


def _worded(detail: Any, language: str) -> Any:
    """A detail as text: a pair of kind and details is a phrase, a list is several of them, all else is as it is."""
    if isinstance(detail, tuple):
        return phrase(detail[0], language, **detail[1])
    if isinstance(detail, list):
        return "".join(_worded(each, language) for each in detail)
    return f"{detail:.6g}" if isinstance(detail, float) else detail
