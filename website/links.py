"""Where a file of the repository stands in the site, and links between the two."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
LANGUAGES = ("en", "es")
TEXTS = (".md", ".yml", ".cff", ".py", ".toml", ".ipynb", ".js", ".html", ".json")  # where an address may stand
SUFFIX = {"en": ".md", "es": ".es.md"}

# Two pictures, for light and for dark paper: in the site readers choose between them, not their system.
_PICTURE = (
    r'<picture><source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">'
    r'<img (?=[^>]*alt="([^"]*)")(?=[^>]*src="([^"]+)")[^>]*></picture>'
)


def pages() -> Iterator[tuple[str, str]]:
    """Every page that docs/ has not itself: its path in the site, and the file of the repository it is made from."""
    for language, suffix in SUFFIX.items():
        yield f"index{suffix}", f"README{suffix}"
        for path in sorted((ROOT / "lessons" / language).iterdir()):
            if path.suffix in (".md", ".ipynb"):
                yield f"course/{path.stem}{suffix}", f"lessons/{language}/{path.name}"
    yield "benchmarks.md", "benchmarks/README.md"
    yield "changelog.md", "CHANGELOG.md"
    yield "contributing.md", "CONTRIBUTING.md"


PLACES = {source: place for place, source in pages() if (ROOT / source).exists()}
PLACES["lessons/README.md"] = "course/index.md"


def place(source: str) -> str | None:
    """Return where a file of the repository stands in the site, or None."""
    return PLACES.get(source, source.removeprefix("docs/") if source.startswith("docs/") else None)


def turned(text: str, source: str, at: str, repository: str, site: str = "") -> str:
    """Return Markdown of `source`, shown at `at` in the site: links to pages lead to pages, others to the repository.

    >>> turned("[a](../README.md#x), [b](../lessons/gpt.py)", "docs/compile.md", "compile.md", "https://us.example/it")
    '[a](index.md#x), [b](https://us.example/it/blob/main/lessons/gpt.py)'
    """
    whole = f"{repository}/blob/main/"  # as the notebooks have it, which are opened elsewhere

    def there(target: str) -> str:
        path, hash_, anchor = target.partition("#")
        if site and path.startswith((f"{site}reference/", f"{site}play/")):  # pages that only the site has
            page = path.removeprefix(site).rstrip("/")
            page += ".md" * (not page.endswith(".html"))
            return posixpath.relpath(page, posixpath.dirname(at) or ".") + hash_ + anchor
        if path.startswith(whole):
            file = path.removeprefix(whole)
        elif re.match(r"[a-z]+:", path) or not path:
            return target
        else:
            file = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if file.startswith(".."):
            return target
        if found := place(file):
            found = re.sub(r"\.es(\.\w+)$", r"\1", found)
            return posixpath.relpath(found, posixpath.dirname(at) or ".") + hash_ + anchor
        kind = "tree" if (ROOT / file).is_dir() else "blob"
        return f"{repository}/{kind}/main/{file}{hash_}{anchor}" if (ROOT / file).exists() else target

    def line_by_line() -> Iterator[str]:
        fence = ""
        for line in text.split("\n"):
            opened = re.match(r"\s*(```+)", line)
            if opened and (not fence or line.strip() == fence):
                fence = "" if fence else opened[1]
            if fence or opened:
                yield line
                continue
            line = re.sub(_PICTURE, r"![\2](\3#only-light)![\2](\1#only-dark)", line)
            yield re.sub(r"\]\(([^)\s]+)\)", lambda m: f"]({there(m[1])})", line)

    return "\n".join(line_by_line())
