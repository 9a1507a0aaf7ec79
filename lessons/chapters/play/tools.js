"use strict";
// Tools of all pages: elements, sliders, a plane drawn with lines and points. W holds the words in the reader's language.
const make = (name, attributes = {}, ...inside) => {
  const it = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) it.setAttribute(key, value);
  it.append(...inside);
  return it;
};
const add = (...all) => { document.body.append(...all); return all[0]; };
const say = (text, values = {}) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
const round = (x, digits = 2) => {
  if (!Number.isFinite(x) || Math.abs(x) >= 1e6) return x > 0 ? "∞" : x < 0 ? "−∞" : "?";
  const text = (Math.abs(x) < 0.5 * 10 ** -digits ? 0 : x).toFixed(digits);
  return text.replace("-", "−");
};
const sigma = (z) => 1 / (1 + Math.exp(-z));
const state = {};
// Sliders, one per row of [name, least, most, step, start]; `changed` runs at each move and once at the beginning.
const sliders = (rows, changed) => {
  const set = make("div");
  for (const [name, least, most, step, start] of rows) {
    const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
    const shown = make("output", { id: `${name}-shown` });
    const bar = make("input", { type: "range", min: least, max: most, step, value: start, id: name, "aria-label": W[name] || name });
    const read = () => { state[name] = Number(bar.value); shown.textContent = round(state[name], digits); };
    bar.addEventListener("input", () => { read(); changed(); });
    read();
    set.append(make("label", { for: name }, W[name] || name, bar, shown));
  }
  add(set);
  state.move = (values) => {
    for (const [name, value] of Object.entries(values)) {
      const bar = document.getElementById(name);
      bar.value = value;
      state[name] = Number(bar.value);
      const step = Number(bar.step);
      document.getElementById(`${name}-shown`).textContent = round(state[name], Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
    }
    changed();
  };
  return changed;
};
// Buttons, one per row of [id, text, what a press does]; of a `choice` one is pressed at a time, at first the first.
const buttons = (rows, choice = false) => {
  const set = make("div", { role: "group" });
  for (const [id, text, pressed] of rows) {
    const button = make("button", { id, type: "button" }, text);
    button.addEventListener("click", () => {
      if (choice) for (const each of set.children) each.setAttribute("aria-pressed", each === button);
      pressed();
    });
    if (choice) button.setAttribute("aria-pressed", set.children.length === 0);
    set.append(button);
  }
  add(set);
};
// A plane in an SVG: x from a to b, y from c to d. `clear` empties it and draws the axes again.
const plane = (a, b, c, d, { width = 420, height = 280, labels = ["", ""] } = {}) => {
  const SVG = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  for (const [key, value] of [["role", "img"], ["aria-label", W.title], ["aria-describedby", "said"]]) svg.setAttribute(key, value);
  const left = 34, low = 24;
  const px = (x) => left + ((x - a) / (b - a)) * (width - left - 8);
  const py = (y) => height - low - ((y - c) / (d - c)) * (height - low - 8);
  const put = (name, attributes, text) => {
    const it = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) it.setAttribute(key, value);
    if (text !== undefined) it.textContent = text;
    svg.append(it);
    return it;
  };
  const kept = (v, lo, hi) => Math.min(hi, Math.max(lo, v));
  const it = {
    svg, put, px, py,
    line: (points, colour = "var(--blue)", width = 2, dash = "") => put("polyline", {
      points: points.map(([x, y]) => `${px(x).toFixed(1)},${kept(py(y), -1e4, 1e4).toFixed(1)}`).join(" "),
      fill: "none", stroke: colour, "stroke-width": width, "stroke-dasharray": dash,
    }),
    dot: (x, y, colour = "var(--blue)", r = 5, hollow = false) => put("circle", {
      cx: px(x), cy: kept(py(y), -1e4, 1e4), r, fill: hollow ? "var(--paper)" : colour, stroke: colour, "stroke-width": 2,
    }),
    area: (points, colour, opacity = 0.25) => put("polygon", {
      points: points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" "), fill: colour, opacity,
    }),
    text: (x, y, words, attributes = {}) => put("text", { x: px(x), y: py(y), ...attributes }, words),
    clear: () => {
      svg.replaceChildren();
      it.line([[a, c], [b, c]], "var(--line)", 1);
      it.line([[a, c], [a, d]], "var(--line)", 1);
      for (let k = 0; k <= 4; k++) {
        const x = a + ((b - a) * k) / 4, y = c + ((d - c) * k) / 4;
        put("text", { x: px(x), y: height - 6, "text-anchor": k === 4 ? "end" : "middle" }, String(Number(x.toFixed(2))).replace("-", "−"));
        put("text", { x: left - 4, y: py(y) + 4, "text-anchor": "end" }, String(Number(y.toFixed(2))).replace("-", "−"));
      }
      put("text", { x: width - 8, y: height - low - 6, "text-anchor": "end", style: "fill: var(--faint)" }, labels[0]);
      put("text", { x: left + 6, y: 16, style: "fill: var(--faint)" }, labels[1]);
    },
    curve: (f, colour, width = 2, dash = "") => it.line(Array.from({ length: 161 }, (_, k) => {
      const x = a + ((b - a) * k) / 160;
      return [x, f(x)];
    }), colour, width, dash),
  };
  add(svg);
  return it;
};
// What the page says of its state; `exact` is for whoever checks it.
const told = make("p", { id: "said", "aria-live": "polite" });
const tell = (text, exact = {}) => {
  told.textContent = text;
  for (const [key, value] of Object.entries(exact)) told.dataset[key] = value;
};
const title = () => add(make("h1", {}, W.title), make("p", {}, W.how));
