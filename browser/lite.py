"""Build a JupyterLite site with the course: `python -m browser.lite [FOLDER]`, once the group `lite` is installed.

Its kernel starts from the site alone: Pyodide from the npm package, what IPython needs from PyPI, this package's pure
wheel. Packages that are not pure Python, NumPy and Matplotlib among them, are left where Pyodide publishes them. A cell
in front of each notebook installs the package and lets Graphviz draw. Needs the network, and so do the chapters.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from browser.__main__ import LANGUAGES, MODULES, PACKAGE, PAGE, texts, wheels

DEFAULT = PACKAGE / "out" / "site" / "lite"
KERNEL = ("ipython", "jedi", "micropip")  # what the kernel imports, with all that these need
BESIDE = ("comm",)  # and this, of which Pyodide's list does not know
FIRST = """\
import js
import piplite
from pyodide.code import run_js

await piplite.install(["delta-autodiff", "graphviz"], deps=False)
{numpy}from autodiff.pictures import set_renderer

site = str(js.location.href).split("/extensions/")[0]
set_renderer(await (await run_js(f'import("{{site}}/graphviz.js")')).renderer())"""


def normal(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def interpreter(folder: Path) -> list[Path]:
    """Put Pyodide into a folder, with the wheels of the kernel; return those that it has no entry for."""
    shutil.copytree(MODULES / "pyodide", folder, ignore=shutil.ignore_patterns("*.map", "*.html", "*.d.ts"))
    path = folder / "pyodide-lock.json"
    lock: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    entries = {normal(each["name"]): each for each in lock["packages"].values()}
    wanted = list(KERNEL)
    for name in wanted:
        wanted += [each for each in map(normal, entries[name]["depends"]) if each not in wanted]
    pinned = [f"{name}=={entries[name]['version']}" for name in wanted]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    options = ["--only-binary=:all:", "--python-version", "3.14", "--dest", str(folder)]
    subprocess.run([*command, *options, *pinned, *BESIDE], check=True)
    elsewhere = f"https://cdn.jsdelivr.net/pyodide/v{version()}/full/"
    for entry in entries.values():
        entry["file_name"] = elsewhere + entry["file_name"]
    beside: list[Path] = []
    for wheel in folder.glob("*.whl"):
        entry = entries.get(normal(wheel.name.split("-")[0]))
        if entry is None:
            beside.append(wheel)
        else:  # Pyodide packs its wheels anew, so that the hash is another
            entry |= {"file_name": wheel.name, "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()}
    path.write_text(json.dumps(lock), encoding="utf-8")
    return beside


def version() -> str:
    """Return the version of Pyodide that the lock file of npm asks for."""
    found: str = json.loads((PAGE.parent / "package.json").read_text(encoding="utf-8"))["devDependencies"]["pyodide"]
    return found


def cell(source: str) -> dict[str, Any]:
    """Return a cell of code, not yet run."""
    name = hashlib.sha256(source.encode()).hexdigest()[:8]
    return {"cell_type": "code", "id": name, "execution_count": None, "metadata": {}, "outputs": [], "source": source}


def notebooks(folder: Path) -> None:
    """Write the chapters and the page's first example into a folder, each with the cell in front."""
    for language in LANGUAGES:
        (folder / language).mkdir(parents=True)
        for path in (PACKAGE / "lessons" / language).glob("*.ipynb"):
            book: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            book["cells"].insert(1, cell(FIRST.format(numpy='await piplite.install(["numpy", "matplotlib"])\n')))
            (folder / language / path.name).write_text(json.dumps(book, ensure_ascii=False), encoding="utf-8")
        example = texts()["examples"][0][language]["code"]
        book = {"cells": [cell(FIRST.format(numpy="")), cell(example.strip())], "nbformat": 4, "nbformat_minor": 5}
        book["metadata"] = {"kernelspec": {"name": "python", "display_name": "Python (Pyodide)", "language": "python"}}
        (folder / language / "try.ipynb").write_text(json.dumps(book, ensure_ascii=False), encoding="utf-8")


def build(folder: Path) -> None:
    """Write the site into a folder of its own, made anew."""
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        beside = interpreter(work / "static" / "pyodide")
        notebooks(work / "files")
        (work / "wheels").mkdir()
        beside += [work / "wheels" / name for name in wheels(work / "wheels")]
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-m", "jupyter", "lite", "build", "--lite-dir", str(work), "--contents", "files"]
        with_wheels = [option for wheel in beside for option in ("--piplite-wheels", str(wheel))]
        subprocess.run([*command, *with_wheels, "--output-dir", str(folder)], check=True, cwd=work)
    shutil.copy(PAGE / "graphviz.js", folder / "graphviz.js")
    shutil.copy(MODULES / "@viz-js" / "viz" / "dist" / "viz.js", folder / "viz.js")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if sys.argv[1:] else DEFAULT)
