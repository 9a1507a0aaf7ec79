"""The shell commands that pages tell to type; `python -m website.shell PAGE 1` prints those of a page's first block."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# The README's two commands stand in a block without a language.
_BLOCK = re.compile(r"^```sh\n(.*?)^```$|^```\n(make .*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`((?:make|pip|git|npm|jupyter|python3? -m|\.ci/\w+)\b[^`\n]*)`(?!`)")


def pages() -> list[Path]:
    """Return the pages that tell commands, but for the changelog, which tells those of its time."""
    found = [path for folder in (".", "docs", "benchmarks", "lessons") for path in ROOT.glob(f"{folder}/*.md")]
    return sorted({*found, *ROOT.glob("docs/*/*.md"), *ROOT.glob("lessons/*/*.md")} - {ROOT / "CHANGELOG.md"})


def blocks(path: Path) -> list[list[str]]:
    """Return the commands of each block of a page, without their comments."""
    texts = ("".join(each) for each in _BLOCK.findall(path.read_text(encoding="utf-8")))
    typed = ([shlex.split(line, comments=True) for line in text.splitlines()] for text in texts)
    return [[shlex.join(words) for words in lines if words] for lines in typed]


def commands(path: Path) -> list[str]:
    """Return every command that a page tells, in blocks and within sentences."""
    text = re.sub(r"^ *```.*?^ *```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks(path) for line in block] + _SPAN.findall(text)


if __name__ == "__main__":
    print(*blocks(ROOT / sys.argv[1])[int(sys.argv[2]) - 1], sep="\n")  # noqa: T201
