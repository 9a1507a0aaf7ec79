"""Assemble the page that runs the package in a browser: `python -m browser [FOLDER]`, after `npm ci` in this folder.

Everything it loads stands beside it: Python and Graphviz in WebAssembly from the npm packages, the pure wheel of this
package and that of `graphviz`. It needs a server (`python -m http.server`), as browsers start no workers from files.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE, MODULES, PACKAGE = HERE / "page", HERE / "node_modules", HERE.parent
COMMON = PACKAGE / "autodiff" / "pictures" / "page" / "common.css"  # the look of all pages
INTERPRETER = ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"]
LANGUAGES = ("en", "es")
DEFAULT = PACKAGE / "out" / "site" / "try" / "run"


def texts() -> dict[str, Any]:
    """Return the page's words and examples by language."""
    read = tomllib.loads((PAGE / "texts.toml").read_text(encoding="utf-8"))

    def spoken(code: str, i: int) -> str:
        return re.sub(r"\[\[(.*?)\|(.*?)\]\]", lambda both: both[i + 1], code).strip() + "\n"

    words = {each: {key: both[i] for key, both in read["words"].items()} for i, each in enumerate(LANGUAGES)}
    examples = [
        {each: {"title": one["title"][i], "code": spoken(one["code"], i)} for i, each in enumerate(LANGUAGES)}
        for one in read["examples"]
    ]
    return {"words": words, "examples": examples}


def wheels(folder: Path) -> list[str]:
    """Make the pure wheel and fetch that of `graphviz`; return their names, ours first."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run(
        [*command, "--wheel-dir", str(folder), str(PACKAGE), "graphviz"],
        check=True, env=os.environ | {"AUTODIFF_PURE": "1"},
    )  # fmt: skip
    return sorted(path.name for path in folder.glob("*.whl"))


def build(folder: Path) -> dict[str, tuple[int, int]]:
    """Write the page into a folder of its own, made anew; return the bytes of each file, plain and compressed."""
    if not (MODULES / "pyodide").is_dir():
        raise SystemExit(f"the npm packages must be there; run: npm ci --prefix {HERE.name}")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "pyodide").mkdir(parents=True)
    for name in INTERPRETER:
        shutil.copy(MODULES / "pyodide" / name, folder / "pyodide" / name)
    shutil.copy(MODULES / "@viz-js" / "viz" / "dist" / "viz.js", folder / "viz.js")
    for name in ("page.js", "worker.js", "graphviz.js", "runner.py"):
        shutil.copy(PAGE / name, folder / name)
    look = [path.read_text(encoding="utf-8") for path in (COMMON, PAGE / "page.css")]
    (folder / "page.css").write_text("".join(look), encoding="utf-8")
    made = wheels(folder)
    (folder / "built.json").write_text(json.dumps({"wheels": made}))
    sizes = {str(each.relative_to(folder)): sizes_of(each) for each in sorted(folder.rglob("*")) if each.is_file()}
    told = texts() | {"wheel": made[0], "megabytes": round(sum(small for _, small in sizes.values()) / 1e6, 1)}
    data = json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")
    html = (PAGE / "index.html").read_text(encoding="utf-8").replace("{{texts}}", data)
    (folder / "index.html").write_text(html, encoding="utf-8")
    return sizes | {"index.html": sizes_of(folder / "index.html")}


def sizes_of(path: Path) -> tuple[int, int]:
    """Return the bytes of a file, and of what a server that compresses sends."""
    content = path.read_bytes()
    return len(content), min(len(content), len(gzip.compress(content, 6)))


def main(folder: Path = DEFAULT) -> None:
    """Build the page and print what it weighs."""
    sizes = build(folder)
    for name, (plain, small) in sorted(sizes.items(), key=lambda item: -item[1][1]):
        print(f"{plain / 1e3:9,.1f} kB {small / 1e3:9,.1f} kB compressed  {name}")
    print(f"{sum(small for _, small in sizes.values()) / 1e6:.1f} MB compressed, in {folder}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
