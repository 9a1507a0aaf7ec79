"""A page that plays a film, offline and safe from hostile labels."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from autodiff.pictures.style import DARK, LIGHT, Theme, swaps
from autodiff.pictures.webpage import WebPage, policy
from autodiff.wording import language_of, say

_STYLE = """
body{margin:0;font:16px/1.4 system-ui,sans-serif;background:var(--paper);color:var(--ink)}
main{max-width:1400px;margin:auto;padding:12px}
figure{margin:0;overflow-x:auto}
svg{display:block;width:100%;height:auto;max-height:78vh;margin:auto}
.off{visibility:hidden}
.controls{display:flex;flex-wrap:wrap;gap:8px;align-items:center;margin:8px 0}
button{font:inherit;min-width:44px;min-height:44px;border:1px solid var(--stroke);border-radius:8px}
button{background:var(--card);color:var(--ink);cursor:pointer}
button:hover{border-color:var(--active)}
button:focus-visible,input:focus-visible{outline:3px solid var(--active);outline-offset:2px}
input{flex:1;min-width:140px;min-height:44px;accent-color:var(--active)}
output{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
#count{min-width:5ch;text-align:right;font-variant-numeric:tabular-nums}
"""

_SCRIPT = """
"use strict";
(() => {
  const captions = [...document.querySelectorAll("#captions li")].map((li) => li.textContent);
  const last = captions.length - 1;
  const parts = [];
  for (const element of document.querySelectorAll("svg g")) {
    for (const name of element.classList) {
      const span = /^t(\\d+)_(\\d+)$/.exec(name);
      if (span) parts.push([element, Number(span[1]), Number(span[2])]);
    }
  }
  const slider = document.getElementById("step"), says = document.getElementById("says");
  const count = document.getElementById("count");
  const play = document.getElementById("play"), wait = Number(slider.dataset.wait);
  let now = 0, timer = 0;
  const show = (step) => {
    now = Math.min(Math.max(step, 0), last);
    for (const [element, from, to] of parts) element.classList.toggle("off", now < from || now >= to);
    slider.value = now;
    slider.setAttribute("aria-valuetext", `${now + 1} / ${last + 1}: ${captions[now]}`);
    count.textContent = `${now + 1} / ${last + 1}`;
    says.textContent = captions[now];
  };
  const mark = (sign, name) => { play.textContent = sign; play.setAttribute("aria-label", slider.dataset[name]); };
  const pause = () => { clearInterval(timer); timer = 0; mark("▶", "play"); };
  const run = () => {
    if (now === last) show(0);
    timer = setInterval(() => { if (now === last) pause(); else show(now + 1); }, wait);
    mark("❚❚", "pause");
  };
  const go = (step) => { pause(); show(step); };
  const actions = {
    first: () => go(0), back: () => go(now - 1), play: () => (timer ? pause() : run()),
    next: () => go(now + 1), last: () => go(last),
  };
  for (const [id, action] of Object.entries(actions)) {
    document.getElementById(id).addEventListener("click", action);
  }
  slider.addEventListener("input", () => go(Number(slider.value)));
  document.addEventListener("keydown", (event) => {
    if (event.target === slider || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = { ArrowRight: "next", ArrowLeft: "back", Home: "first", End: "last" }[event.key];
    if (action) { event.preventDefault(); actions[action](); }
    if (event.key === " " && event.target.tagName !== "BUTTON") { event.preventDefault(); actions.play(); }
  });
  show(0);
})();
"""

_SIZE = re.compile(r' width="([\d.]+)pt" height="([\d.]+)pt"')
_COLOUR = re.compile(r'"(#[0-9a-f]{6})"')
_LEAST = 0.75  # pixels a point: smaller, the numbers of a film cannot be read
_COLUMN = 1_000.0  # pixels, about a notebook's column

_BUTTONS = {"first": "⇤", "back": "←", "play": "▶", "next": "→", "last": "⇥"}


def page(svg: str, captions: Sequence[str], theme: Theme, seconds: float) -> WebPage:
    """Return the whole page; `captions` describe each step of the film in `svg`.

    Its colours are variables, so that a page of the light theme is dark where the reader prefers that.
    """
    drawing = svg[svg.index("<svg") :]
    width, height = (float(each) for each in _SIZE.findall(drawing)[0])
    drawing = _SIZE.sub("", drawing, count=1)
    dark = swaps(LIGHT, DARK) if theme is LIGHT else {}
    names = {light: f"--c{i}" for i, light in enumerate(dark)}
    drawing = _COLOUR.sub(lambda found: f'"var({names[found[1]]})"' if found[1] in names else found[0], drawing)
    colours = {name: getattr(theme, name) for name in ("paper", "ink", "stroke", "active")}
    colours["card"] = theme.operation[0]
    plain = {f"--{name}": colour for name, colour in colours.items()} | {name: light for light, name in names.items()}
    night = {name: dark[colour] for name, colour in plain.items() if colour in dark}
    style = (
        f":root{{color-scheme:{'light dark' if dark else 'only dark'};{_variables(plain)}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{_variables(night)}}}}}{_STYLE}"
        # Numbers stay readable on a phone: a wide film scrolls sideways there.
        f"svg{{min-width:{_LEAST * width:.0f}px}}@media (max-width:{_LEAST * width:.0f}px){{svg{{max-height:none}}"
        "output{all:unset;display:block;font-weight:bold}}"
    )
    buttons = "".join(
        f'<button type="button" id="{name}" aria-label="{say(f"player.{name}")}">{sign}</button>'
        for name, sign in _BUTTONS.items()
    )
    lines = "".join(f"<li>{html.escape(each)}</li>" for each in captions)
    text = f"""<!DOCTYPE html>
<html lang="{language_of()}"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy([_SCRIPT], [style])}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{say("player.title")}</title><style>{style}</style></head>
<body><main>
<figure>{drawing}</figure>
<output id="says" aria-live="polite"></output>
<div class="controls" role="group" aria-label="{say("player.steps")}">{buttons}
<input type="range" id="step" min="0" max="{len(captions) - 1}" value="0" aria-label="{say("player.step")}"
data-wait="{round(1000 * seconds)}" data-play="{say("player.play")}" data-pause="{say("player.pause")}">
<span id="count" aria-hidden="true"></span></div>
<ol id="captions" hidden>{lines}</ol>
</main><script>{_SCRIPT}</script></body></html>
"""
    return WebPage(text, height=round(min(1.0, _COLUMN / width) * height) + 110)


def _variables(colours: dict[str, str]) -> str:
    return ";".join(f"{name}:{colour}" for name, colour in colours.items())
