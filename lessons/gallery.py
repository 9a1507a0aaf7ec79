"""One page with pictures: offline, without scripts, for screens of any width, light and dark.

>>> "script-src" in page("Title", "What it is.", [])
False
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2933; --muted: #52606d; --line: #dde3e9; --card: #fff;
  --ground: #f5f7f9; --accent: #0b5fa5; --warm: #ad4400; }
@media (prefers-color-scheme: dark) { :root { --paper: #0b1016; --ink: #eef3f8; --muted: #a3b1bf; --line: #26303b;
  --card: #0f151c; --ground: #0b1016; --accent: #78bcff; --warm: #ffab66; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 17px/1.55 system-ui, "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif; }
a { color: var(--accent); text-underline-offset: .15em; }
a:focus-visible, summary:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--accent);
  outline-offset: 2px; border-radius: 4px; }
header, main, footer { max-width: 1180px; margin: 0 auto; padding: 0 clamp(16px, 4vw, 40px); }
header { padding-top: clamp(32px, 7vw, 76px); }
h1 { font-size: clamp(2rem, 6vw, 3.4rem); line-height: 1.08; letter-spacing: -.02em; margin: 0 0 .35em; }
h1 span { color: var(--warm); }
header p { font-size: clamp(1.05rem, 2.2vw, 1.25rem); color: var(--muted); max-width: 46em; margin: 0 0 1.2em; }
nav { position: sticky; top: 0; z-index: 2; background: var(--ground); border-bottom: 1px solid var(--line); }
nav ul { max-width: 1180px; margin: 0 auto; padding: 10px clamp(16px, 4vw, 40px); display: flex; gap: 6px 20px;
  overflow-x: auto; list-style: none; white-space: nowrap; font-size: .94rem; }
nav a { text-decoration: none; color: var(--muted); padding: 4px 0; display: block; }
nav a:hover { color: var(--accent); }
section { padding-top: 18px; margin: 40px 0; scroll-margin-top: 40px; }
h2 { font-size: clamp(1.4rem, 3vw, 1.9rem); line-height: 1.2; letter-spacing: -.01em; margin: 0 0 .3em; }
section > p { color: var(--muted); max-width: 48em; margin: 0 0 1.1em; }
.cards { display: grid; gap: 22px; grid-auto-flow: dense;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 470px), 1fr)); }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 14px; overflow: hidden;
  display: flex; flex-direction: column; }
figure.wide { grid-column: 1 / -1; }
.picture { padding: 18px; overflow-x: auto; flex: 1; display: grid; align-items: center;
  justify-items: safe center; }
.picture img { max-width: 100%; height: auto; display: block; border-radius: 4px; }
.picture a { display: block; }
iframe { border: 0; width: 100%; height: min(86vh, 860px); display: block; background: var(--card); }
figcaption { padding: 14px 18px 16px; border-top: 1px solid var(--line); font-size: .95rem; color: var(--muted); }
figcaption strong { color: var(--ink); display: block; font-size: 1.02rem; }
figcaption .files { display: flex; flex-wrap: wrap; gap: 2px 16px; margin-top: 6px; font-size: .87rem; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 18px; overflow-x: auto;
  font: .83rem/1.6 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; margin: 22px 0 0; }
.note { border-left: 4px solid var(--warm); padding: 4px 0 4px 14px; }
footer { color: var(--muted); font-size: .92rem; padding-top: 20px; padding-bottom: 56px; }
@media (max-width: 560px) { figure.wide .picture img { max-width: none; width: max(100%, 620px); } }
@media print { nav { display: none; } figure { break-inside: avoid; } }
"""


class Figure(NamedTuple):
    """A picture with its caption: files beside the page, `image` for light paper, `dark` for dark where there is one.

    `still` and `still_dark` are in their place for those who asked their system for less motion.

    `files` are links below the caption. `wide` takes a row of its own, and a phone scrolls through it. A page
    (`.html`) as image is shown in a frame.
    """

    title: str
    caption: str
    image: str
    dark: str = ""
    files: tuple[str, ...] = ()
    wide: bool = False
    still: str = ""
    still_dark: str = ""


class Section(NamedTuple):
    """A part of the page: figures, and after them perhaps text as a terminal shows it."""

    title: str
    text: str
    figures: Sequence[Figure] = ()
    printed: str = ""
    note: str = ""


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """Return the page as HTML. Whatever is in the texts is shown as text; `δ` in the title stands out."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    # Pages opened as files have no origin that 'self' could mean, so their scheme is named too.
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' file:; frame-src 'self' file:; "
        "base-uri 'none'; form-action 'none'"
    )
    links = "".join(f'<li><a href="#{_anchor(s.title)}">{escape(s.title)}</a></li>' for s in sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title).replace("δ", "<span>δ</span>")}</h1>
<p>{escape(lead)}</p>
</header>
<nav aria-label="On this page"><ul>{links}</ul></nav>
<main>
{"".join(map(_section, sections))}</main>
<footer>Made by <code>make demo</code>. All that is shown lies beside this page; nothing comes from a network.</footer>
</body>
</html>
"""


def _section(section: Section) -> str:
    note = f'<p class="note">{escape(section.note)}</p>\n' if section.note else ""
    # A region that scrolls must be reachable by keyboard.
    printed = f'<pre tabindex="0">{escape(section.printed)}</pre>\n' if section.printed else ""
    cards = f'<div class="cards">\n{"".join(map(_figure, section.figures))}</div>\n' if section.figures else ""
    return (
        f'<section id="{_anchor(section.title)}">\n<h2>{escape(section.title)}</h2>\n<p>{escape(section.text)}</p>\n'
        f"{note}{cards}{printed}</section>\n"
    )


def _figure(figure: Figure) -> str:
    kind = ' class="wide"' if figure.wide else ""
    if figure.image.endswith(".html"):
        shown = f'<iframe src="{escape(figure.image)}" title="{escape(figure.title)}" loading="lazy"></iframe>'
    else:
        night, calm = "(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)"
        sources = ((figure.still_dark, f"{calm} and {night}"), (figure.still, calm), (figure.dark, night))
        others = "".join(f'<source srcset="{escape(name)}" media="{media}">' for name, media in sources if name)
        image = f'<img src="{escape(figure.image)}" alt="{escape(f"{figure.title}. {figure.caption}")}" loading="lazy">'
        link = f'<a href="{escape(figure.image)}"><picture>{others}{image}</picture></a>'
        shown = f'<div class="picture">{link}</div>'
    files = "".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in (figure.files or (figure.image,)))
    return (
        f"<figure{kind}>{shown}<figcaption><strong>{escape(figure.title)}</strong>{escape(figure.caption)}"
        f'<span class="files">{files}</span></figcaption></figure>\n'
    )


def _anchor(title: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in title.lower()).strip("-")
