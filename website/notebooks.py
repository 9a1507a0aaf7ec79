"""Chapters of the course as pages: a notebook as Markdown, with what its cells showed alive in the page."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

WORDS = {
    "code": {"en": "The code of this picture", "es": "El código de esta figura"},
    "answer": {"en": "Predicted? See what comes out", "es": "¿Ya predijiste? Mira qué sale"},
}


def markdown(path: Path, language: str, shown: dict[str, str]) -> str:
    """Return a notebook as Markdown, and put what its cells showed into `shown`, under the marks that stand for it.

    The first cell of code only installs, for Colab and JupyterLite, and is left out. What answers a prediction is
    folded, as in JupyterLab.
    """
    parts: list[str] = []
    first = True
    for k, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        source = "".join(cell["source"])
        tags = cell["metadata"].get("tags", [])
        if cell["cell_type"] == "markdown":
            parts.append(_quiz(source) if "<details>" in source else source)
            continue
        if first:
            first = False
            continue
        code = f"```python\n{source}\n```"
        parts.append(_folded("code", code, language) if "hide-input" in tags else code)
        if outputs := "\n".join(map(_output, cell["outputs"])):
            mark = f'<div data-shown="{path.stem}.{language}.{k}"></div>'
            shown[mark] = f'<div class="shown" data-search-exclude>{outputs}</div>'
            parts.append(_folded("answer", mark, language) if "answer" in tags else mark)
    return "\n\n".join(parts)


def _folded(kind: str, text: str, language: str) -> str:
    inside = "\n".join(f"    {line}".rstrip() for line in text.splitlines())
    return f'??? {kind} "{WORDS[kind][language]}"\n\n{inside}'


def _quiz(source: str) -> str:
    """Mark the formulas within HTML, which Markdown leaves alone."""
    lines = source.replace("<br>", "").splitlines()
    return "\n".join(
        re.sub(r"\$([^$]+)\$", r'<span class="arithmatex">\\(\1\\)</span>', line) if line[:1] == "<" else line
        for line in lines
    )


def _output(output: dict[str, Any]) -> str:
    """Return what a cell showed as HTML: its richest form."""
    data = output.get("data", {})
    if rich := "".join(data.get("text/html", data.get("image/svg+xml", ""))):
        return rich[rich.index("<") :]
    if png := data.get("image/png"):
        return f'<img alt="{html.escape("".join(data["text/plain"]))}" src="data:image/png;base64,{png.strip()}">'
    if latex := "".join(data.get("text/latex", "")):
        return f'<div class="arithmatex">\\[{html.escape(latex.strip().strip("$"))}\\]</div>'
    plain = "".join(output.get("text", data.get("text/plain", "")))
    return f"<pre>{html.escape(plain)}</pre>"
