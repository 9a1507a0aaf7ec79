"""What MkDocs calls (mkdocs.yml): pages from the rest of the repository, their links, and formulas as MathML."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

from lessons.chapters.notebooks import addresses
from models import MLP, playground
from models.datasets import moons
from website import links, notebooks, reference

ONLY_ENGLISH = "Esta página está solo en inglés."
FROM_DOCSTRINGS = "La referencia se genera de los docstrings del código, que están en inglés."
TITLES = {  # of pages in English alone
    "Operations, one by one": "Operaciones, una por una",
    "Training": "Entrenamiento",
    "Data and plots": "Datos y gráficas",
    "What the course computes": "Lo que calcula el curso",
    "Errors and warnings": "Errores y advertencias",
    "Benchmarks": "Mediciones",
    "Changelog": "Cambios",
    "Contributing": "Contribuir",
}
PAGES = links.ROOT / "out" / "pages"
shown: dict[str, str] = {}
sources: dict[str, str] = {}


def on_config(config: Any) -> Any:
    """Put docs/ and the pages made from other files into one folder, and take addresses from pyproject.toml."""
    urls = addresses()
    config.extra |= {"repository": urls["Repository"], "site": urls["Homepage"]}
    config.extra["social"] = [{"icon": "fontawesome/brands/github", "link": urls["Repository"], "name": "GitHub"}]
    config.site_url = urls["Homepage"]
    if not sources:  # once for all languages
        assemble(links.ROOT / "docs", PAGES)
    config.docs_dir = str(PAGES)
    return config


def assemble(docs: Path, pages: Path) -> None:
    """Copy `docs` to `pages`, and write beside it what it has not itself."""
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(docs, pages)
    for at, source in links.pages():
        path = links.ROOT / source
        if not path.exists():
            continue
        language = "es" if at.endswith(".es.md") else "en"
        notebook = path.suffix == ".ipynb"
        text = notebooks.markdown(path, language, shown) if notebook else path.read_text(encoding="utf-8")
        (pages / at).write_text(text, encoding="utf-8")
        sources[at] = source
    (pages / "play").mkdir()
    data = moons(200, noise=0.1, random_state=0)
    network = MLP(2, [8, 8, 1], activation="tanh", random_state=0)
    for name, language in (("network", "en"), ("red", "es")):
        options = {"loss": "binary_cross_entropy", "random_state": 0, "language": language}
        playground(network, data.X, data.y, path=pages / "play" / f"{name}.html", **options)
    (pages / "reference").mkdir()
    for name in reference.PAGES:
        (pages / "reference" / f"{name}.md").write_text(reference.markdown(name), encoding="utf-8")


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn links into those of the site; say in Spanish that a page has no Spanish."""
    at = page.file.src_uri
    urls = config.extra["repository"], config.extra["site"]
    text = links.turned(markdown, sources.get(at, f"docs/{at}"), at.replace(".es.md", ".md"), *urls)
    if config.theme["language"] == "es" and not at.endswith(".es.md"):
        spoken = re.sub(r"\]\(([^)#\s]+)\.md#[^)]*\)", lambda link: whole(link, (PAGES / at).parent), text)
        note = f'!!! note ""\n\n    {FROM_DOCSTRINGS if at.startswith("reference/") else ONLY_ENGLISH}\n\n'
        title, _, rest = spoken.removeprefix("# ").partition("\n")
        return f"# {TITLES.get(title, title)}\n\n{note}{rest}"
    return text


def whole(link: re.Match[str], folder: Path) -> str:
    """Return a link to a heading as one to its page, if that is in Spanish: there the heading has another name."""
    return f"]({link[1]}.md)" if (folder / f"{link[1]}.es.md").exists() else link[0]


def on_page_content(content: str, page: Any, config: Any, files: Any) -> str:
    """Put what cells showed in its place, and every formula as MathML: browsers draw it without a script."""
    content = re.sub(r'<div data-shown="[^"]+"></div>', lambda m: shown[m[0]], content)
    return re.sub(
        r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>',
        lambda m: formula(html.unescape(m[2]), "block" if m[1] == "div" else "inline"),
        content,
        flags=re.DOTALL,
    )


def formula(latex: str, display: str) -> str:
    """Return a formula as MathML; a prime, raised by itself, stands beside its letter: as an exponent it is unseen."""
    raised = r"<msup>(<mi[^/]*?(?:/>|>[^<]*</mi>))(?:<mrow>)?<mi>&#x02032;</mi>(?:</mrow>)?</msup>"
    beside = r'<mrow>\1<mo lspace="0" rspace="0">&#x02032;</mo></mrow>'
    made: str = re.sub(raised, beside, convert(latex, display=display))
    return made


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Keep the theme from asking each page's translation for a sitemap: there is one, of the whole site."""
    return output.replace('<link rel="alternate" href=', '<link rel="alternate alternate" href=')


def on_post_template(output: str, template_name: str, config: Any) -> str:
    """Leave the page of addresses that lead nowhere, one for the whole site, to the first language."""
    return "" if template_name == "404.html" and config.theme["language"] != "en" else output
