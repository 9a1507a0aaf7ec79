"""Notebooks of the chapters, one for each language: made from the sources, run, and compared with them."""

from __future__ import annotations

import html
import json
import os
import posixpath
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lessons.chapters.source import LANGUAGES, Chapter, Code, Exercise, Prose
from lessons.chapters.wording import word

NOTEBOOKS = Path(__file__).parent.parent

FIRST = """\
import importlib.util
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

if importlib.util.find_spec("lessons") is None:
    wheels = sorted(Path().glob("delta_autodiff-*-none-any.whl"))
    if wheels:
        sys.path.append(tempfile.mkdtemp())
        zipfile.ZipFile(wheels[-1]).extractall(sys.path[-1])
    else:
        %pip install -q "delta-autodiff[plots,render]"
    importlib.invalidate_caches(){otherwise}
if None in map(importlib.util.find_spec, ("numpy", "graphviz", "matplotlib")):
    %pip install -q numpy graphviz matplotlib
if not (shutil.which("dot") or importlib.util.find_spec("pygraphviz") or sys.platform == "emscripten"):
    %pip install -q --only-binary :all: pygraphviz

import autodiff
from lessons.chapters.kit import start

autodiff.set_language("{language}")
say, show, slide, play, check = start({name}, "{language}")"""
OTHERWISE = """
    if importlib.util.find_spec("lessons") is None:
        %pip install -q "delta-autodiff[plots,render] @ git+{repository}"
        importlib.invalidate_caches()"""


UPLOAD = {"Colab": "https://colab.research.google.com/", "JupyterLite": "https://jupyter.org/try-jupyter/lab/"}


def addresses() -> dict[str, str]:
    """Return [project.urls] of pyproject.toml, where the project tells that it is to be found.

    "Repository" is an address at GitHub; "Homepage" our own site, with the course in JupyterLite in its folder `lite`.
    """
    made = tomllib.loads((NOTEBOOKS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    urls: dict[str, str] = made["project"].get("urls", {})
    return urls


def opening(name: str, language: str, urls: Mapping[str, str]) -> str:
    """Return a line of Markdown that opens a notebook in Colab and in JupyterLite.

    `urls` may have "Repository", at GitHub, from which both open it, and "Homepage", our own site: its JupyterLite is
    used rather than the public one. Without them the reader is told to upload the file.

    >>> opening("exam", "en", {"Homepage": "https://us.example"})
    'To run it without installing anything: [JupyterLite](https://us.example/lite/lab/index.html?path=en/exam.ipynb).'
    """
    links: dict[str, str] = {}
    if repository := _repository(urls):
        place = f"{repository.removeprefix(_HUB)}/blob/main/lessons/{language}/{name}.ipynb"
        links["Colab"] = f"{UPLOAD['Colab']}github/{place}"
        links["JupyterLite"] = f"{UPLOAD['JupyterLite']}index.html?fromURL={_RAW}{place.replace('/blob/', '/')}"
    if site := urls.get("Homepage", "").rstrip("/"):
        links["JupyterLite"] = f"{site}/lite/lab/index.html?path={language}/{name}.ipynb"
    told = word("notebook.or", language).join(f"[{each}]({address})" for each, address in (links or UPLOAD).items())
    line = word("notebook.run" if links else "notebook.upload", language, links=told)
    wheel = word("notebook.wheel", language, address=f"{repository}/releases/latest") if repository else ""
    return f"{line} {wheel}".rstrip()


_HUB, _RAW = "https://github.com/", "https://raw.githubusercontent.com/"


def _repository(urls: Mapping[str, str]) -> str:
    address = urls.get("Repository", "").rstrip("/")
    return address if address.startswith(_HUB) else ""


def rooted(text: str, language: str, urls: Mapping[str, str]) -> str:
    """Return Markdown whose relative links lead to the repository, if it is known: they survive an upload.

    >>> rooted("[a](glossary.md), [b](../README.md)", "es", {"Repository": "https://github.com/us/it"})
    '[a](https://github.com/us/it/blob/main/lessons/es/glossary.md), [b](https://github.com/us/it/blob/main/lessons/README.md)'
    """
    if not (repository := _repository(urls)):
        return text

    def whole(link: re.Match[str]) -> str:
        return f"]({repository}/blob/main/{posixpath.normpath(f'lessons/{language}/{link[1]}')})"

    return re.sub(r"\]\((?!https?:|#)([^)\s]+)\)", whole, text)


def target(chapter: Chapter, language: str) -> Path:
    """Return where the notebook of a chapter stands."""
    return NOTEBOOKS / language / f"{chapter.path.stem}.ipynb"


def notebook(chapter: Chapter, language: str, urls: Mapping[str, str] | None = None) -> Any:
    """Return a chapter as a notebook, not yet run; the same cells have the same identifiers every time.

    `urls` are those of `opening`, by default the project's.
    """
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    urls = addresses() if urls is None else urls
    opened = opening(chapter.path.stem, language, urls)
    around = word("notebook.around", language)
    cells: list[Any] = [new_markdown_cell(f"# {chapter.about[language]}\n\n{opened}\n\n{around}")]
    otherwise = OTHERWISE.format(repository=repository) if (repository := _repository(urls)) else ""
    first = FIRST.format(name=json.dumps(chapter.name), language=language, otherwise=otherwise)
    cells.append(new_code_cell(first, metadata=_metadata(folded=True)))
    answers = False
    for block in chapter.blocks:
        if isinstance(block, Code):
            cells.append(new_code_cell(block.source, metadata=_metadata(folded=block.folded, answers=answers)))
            answers = False
        elif isinstance(block, Exercise):
            words = block.data[language]
            title = f"### {word('notebook.exercise', language)} {block.number} · {words['title']}"
            cells.append(new_markdown_cell(f"{title}\n\n{words['question'].strip()}"))
            cells.append(new_code_cell(block.cell, metadata={"tags": ["exercise"]}))
        elif block.kind == "quiz":
            title = f"## {word('notebook.quiz', language)}\n\n{word('notebook.open', language)}"
            cells.append(new_markdown_cell(f"{title}\n{questions(chapter, language)}"))
        elif block.kind == "predict":
            lines = f"**{word('notebook.predict', language)}** {block.text[language]}".splitlines()
            cells.append(new_markdown_cell("\n".join(f"> {line}".rstrip() for line in lines)))
            answers = True
        elif not block.kind:
            cells.append(new_markdown_cell(block.text[language]))
    for i, cell in enumerate(cells, 1):
        cell.id = f"cell-{i:02}"
        if cell.cell_type == "markdown":
            cell.source = rooted(cell.source, language, urls)
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "course": {"chapter": chapter.name, "language": language, "source": chapter.digest},
    }
    return new_notebook(cells=cells, metadata=metadata)


def _metadata(*, folded: bool, answers: bool = False) -> dict[str, Any]:
    """Return what folds code, or the output that answers a prediction, in JupyterLab, Colab and Jupyter Book."""
    made: dict[str, Any] = {"tags": [*["hide-input"] * folded, *["answer"] * answers]} if folded or answers else {}
    if folded:
        made |= {"cellView": "form", "jupyter": {"source_hidden": True}}
    if answers:
        made |= {"collapsed": True, "jupyter": {**made.get("jupyter", {}), "outputs_hidden": True}}
    return made


def questions(chapter: Chapter, language: str) -> str:
    """Return the quiz as Markdown in which every option unfolds its reason, so that it needs no code."""
    lines: list[str] = []
    for k, (question, options) in enumerate(chapter.quiz(language), 1):
        lines += ["", f"**{k}.** {question}", ""]
        for letter, option in zip("abcd", options, strict=False):
            verdict = word("notebook.yes" if option.right else "notebook.no", language)
            lines.append(
                f"<details><summary>{letter}) {html.escape(option.text, quote=False)}</summary>"
                f"{verdict} {html.escape(option.why, quote=False)}</details>"
            )
        lines.append("<br>")
    return "\n".join(lines)


def build(chapter: Chapter, language: str) -> Path:
    """Run a chapter in a fresh kernel and write its notebook; an error in a cell is an error here."""
    import nbformat

    made = executed(chapter, language)
    path = target(chapter, language)
    path.parent.mkdir(exist_ok=True)
    path.write_text(nbformat.writes(made) + "\n", encoding="utf-8")
    return path


def executed(chapter: Chapter, language: str) -> Any:
    """Return a chapter as a notebook that has been run in a fresh kernel.

    Where later cells use what the student writes, and the chapter says `solved`, they are run with the solutions; the
    exercises themselves are kept as they are, unanswered.
    """
    from nbclient import NotebookClient
    from traitlets.config import Config

    made = notebook(chapter, language)
    asked = [cell for cell in made.cells if cell.metadata.get("tags") == ["exercise"]]
    if chapter.about.get("solved"):
        for cell, exercise in zip(asked, chapter.exercises, strict=True):
            cell.source = exercise.data["solution"]
    # A port that is free now may be another kernel's when this one starts; a socket file is its own.
    own = {} if os.name == "nt" else {"config": Config({"KernelManager": {"transport": "ipc"}})}
    NotebookClient(made, timeout=60, kernel_name="python3", record_timing=False, coalesce_streams=True, **own).execute()
    if chapter.about.get("solved"):
        for cell, exercise in zip(asked, chapter.exercises, strict=True):
            cell.source, cell.outputs = exercise.cell, [_unanswered(chapter, exercise, language, cell.execution_count)]
    made.metadata.pop("language_info", None)  # the version of this very Python
    return made


def _unanswered(chapter: Chapter, exercise: Exercise, language: str, count: int) -> Any:
    """Return what an exercise says before it has been answered, as the output of its cell."""
    from nbformat.v4 import new_output

    from lessons.chapters.kit import start

    said = start(chapter.name, language).check(exercise.name, *[...] * len(exercise.asks))
    data = {"text/html": said._repr_html_(), "text/plain": repr(said)}
    return new_output("execute_result", data=data, execution_count=count)


def old(chapter: Chapter, language: str) -> str:
    """Return why the notebook that stands there is not what the source gives, or ""."""
    path = target(chapter, language)
    if not path.exists():
        return f"{path.name} is missing in {language}/"
    there = json.loads(path.read_text(encoding="utf-8"))
    if there["metadata"].get("course", {}).get("source") != chapter.digest:
        return f"{language}/{path.name} was made from another source"
    here = [(cell.cell_type, cell.source) for cell in notebook(chapter, language).cells]
    if here != [(cell["cell_type"], "".join(cell["source"])) for cell in there["cells"]]:
        return f"{language}/{path.name} has other cells than its source gives"
    return ""


def words(chapter: Chapter, language: str) -> int:
    """Count the words of a chapter's text and of its exercises' questions: no code, no hints, no quiz."""
    texts = [
        block.text[language] for block in chapter.blocks if isinstance(block, Prose) and block.kind in ("", "predict")
    ]
    texts += [exercise.data[language]["question"] for exercise in chapter.exercises]
    return sum(any(c.isalpha() for c in word) for text in texts for word in text.split())


__all__ = ["LANGUAGES", "build", "executed", "notebook", "old", "questions", "target", "words"]
