// The numbers of what is selected, to change.
let detailed = "";
let cellsOfDetail = [];
const brief = (x) => String(Number(x.toPrecision(5)));
const number = (value, change, name) => follow(numeric(make("input", { "aria-label": name }), change, { event: "change", held: () => brief(value()) }), value);
function changeWeight(at, x) {
  training.network.parameters[at] = x;
  training.problem = null;
  refresh();
}
function detail() {
  const key = JSON.stringify([selected, language, hidden.sizes, set.name]);
  if (key !== detailed) {
    detailed = key;
    cellsOfDetail = [];
    $("detail").replaceChildren();
    if (selected) build();
  }
  for (const update of cellsOfDetail) update();
}
const fact = (name, value) => {
  const dd = make("dd");
  cellsOfDetail.push(() => { const text = value(); if (dd.textContent !== text) dd.textContent = text; });
  return make("div", {}, make("dt", {}, name), dd);
};
const live = (value, sign = false) => {
  const td = make("td");
  cellsOfDetail.push(() => { const x = value(); td.textContent = show(x); if (sign) td.className = x > 0 ? "positive" : x < 0 ? "negative" : ""; });
  return td;
};
const follow = (field, value) => { cellsOfDetail.push(() => { if (document.activeElement !== field) field.value = brief(value()); }); return field; };
const of = (list, c, j) => list[c - 1][chosen * hidden.sizes[c] + j];
const inputOf = (c, i) => (c === 1 ? training.x[chosen * inputs() + i] : of(looked.a, c - 1, i));
function build() {
  const close = make("button", { type: "button" }, say("clear"));
  close.addEventListener("click", () => select(null));
  const w = training.network.parameters;
  if (selected.kind === "weight") {
    const { c, j, i } = selected;
    const at = training.network.at(c - 1, j, i);
    const name = say("weightOf", { from: called(c - 1, i), to: called(c, j) });
    const slider = make("input", { type: "range", min: "-6", max: "6", step: "0.01", "aria-label": name });
    slider.addEventListener("input", () => changeWeight(at, Number(slider.value)));
    $("detail").append(make("h3", {}, name, close), make("div", { class: "edit" }, follow(slider, () => w[at]), number(() => w[at], (x) => changeWeight(at, x), name)),
      make("dl", { class: "facts" }, fact(say("gradient"), () => show(looked.gradient[at])), fact(`δ · a ${say("atSample", { n: chosen + 1 })}`, () => `${show(of(looked.deltas, c, j))} · ${show(inputOf(c, i))} = ${show(of(looked.deltas, c, j) * inputOf(c, i))}`)));
    return;
  }
  const { c, j } = selected;
  const facts = make("dl", { class: "facts" });
  $("detail").append(make("h3", {}, called(c, j), close), facts);
  if (c === 0) {
    facts.append(fact(`a ${say("atSample", { n: chosen + 1 })}`, () => show(training.x[chosen * inputs() + j])));
    return;
  }
  facts.append(fact(`z ${say("atSample", { n: chosen + 1 })}`, () => show(of(looked.z, c, j))), fact("a", () => show(of(looked.a, c, j))), fact("σ′(z)", () => show(of(looked.slopes, c, j))), fact("δ", () => show(of(looked.deltas, c, j))));
  if (c === columns() - 1 && set.k === outputs()) facts.append(fact(say("target"), () => show(training.y[chosen * set.k + j])));
  const { n, bias } = training.network.layers[c - 1];
  const body = Array.from({ length: n + (bias ? 1 : 0) }, (_, i) => {
    const at = training.network.at(c - 1, j, i);
    const name = i < n ? say("weightOf", { from: called(c - 1, i), to: called(c, j) }) : say("biasOf", { to: called(c, j) });
    return make("tr", {}, make("td", {}, i < n ? called(c - 1, i) : say("bias")), make("td", {}, number(() => w[at], (x) => changeWeight(at, x), name)),
      live(() => (i < n ? inputOf(c, i) : 1)), live(() => of(looked.deltas, c, j) * (i < n ? inputOf(c, i) : 1), true), live(() => looked.gradient[at], true));
  });
  $("detail").append(make("div", { class: "table" }, make("table", {}, make("tr", {}, ...[say("from"), say("weight"), "a", say("handed"), say("gradient")].map((text) => make("th", { scope: "col" }, text))), ...body)));
}
function select(what, quiet = false) {
  selected = what;
  for (const path of $("hits").children) path.classList.toggle("on", what?.kind === "weight" && path.dataset.weight === `${what.c - 1},${what.j},${what.i}`);
  refresh();
  if (what && !quiet) say1(what.kind === "weight" ? say("weightOf", { from: called(what.c - 1, what.i), to: called(what.c, what.j) }) : called(what.c, what.j));
}
