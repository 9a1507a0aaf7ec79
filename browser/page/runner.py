"""What runs the code of the page: it shows results as a notebook does, and errors by the lines of the user's code."""

import ast
import json
import linecache
import traceback

import js

import autodiff
from autodiff import pictures

HERE = "your code"
FRAMES = 5  # lines of the user's that an error tells at most
pictures.set_renderer(js.graphviz)


def display(*things):
    """Show things, each as what it is best seen as: a picture, a page, or text."""
    for thing in things:
        forms = forms_of(thing)
        kind = next(kind for kind in ("image/svg+xml", "text/html", "text/plain") if kind in forms)
        js.tell(kind, forms[kind] + "\n" * (kind == "text/plain"))


def forms_of(thing):
    plain = {"text/plain": str(thing) if hasattr(thing, "_repr_markdown_") else repr(thing)}
    if hasattr(thing, "_repr_mimebundle_"):
        return plain | thing._repr_mimebundle_()
    return plain | {"text/html": thing._repr_html_()} if hasattr(thing, "_repr_html_") else plain


def run(code, language):
    """Run code in names of its own, and show what its last line is, if that is an expression."""
    autodiff.set_language(language)
    linecache.cache[HERE] = len(code), None, code.splitlines(keepends=True), HERE
    names = {"__name__": "__main__", "display": display}
    try:
        tree = ast.parse(code, HERE)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, HERE, "exec"), names)
        if last is not None and (shown := eval(compile(ast.Expression(last.value), HERE, "eval"), names)) is not None:
            display(shown)
    except BaseException as error:
        js.tell("error", json.dumps(told(error)))


def told(error):
    """Return an error as the page tells it: the user's lines on the way to it, and what it says."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename == HERE]
    lines = [[each.lineno, each.name.replace("<module>", ""), each.line] for each in frames[-FRAMES:]]
    if isinstance(error, SyntaxError) and error.filename == HERE:
        lines = [[error.lineno, "", (error.text or "").strip()]]
    said = str(error) or type(error).__name__
    missing = isinstance(error, ImportError) and (error.name or "").split(".")[0] == "numpy"
    return {"lines": lines, "kind": type(error).__name__, "says": said, "numpy": missing}
