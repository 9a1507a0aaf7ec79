// What readers do: the controls, and everything drawn again.
function refresh() {
  look();
  view.forward(rowsX, rowsX.length / inputs());
  if (cells.length) {
    drawLinks();
    drawNodes();
  }
  drawLarge();
  drawCurve($("curve"), training.train, training.test, $("logarithm").checked);
  tell();
  detail();
  if (!playing) described();
}
function described() { // what the pictures show, in words
  keys();
  $("curve").setAttribute("aria-label", say("curveAlt", { n: training.epoch, train: $("train").textContent }));
  $("map").setAttribute("aria-label", say("mapAlt", { what: $("shown").textContent, n: training.rows, right: $("score").textContent || `${say("losses")} ${$("train").textContent}` }));
}
const say1 = (text) => { if (shownSay.text !== text) $("say").textContent = shownSay.text = text; };
function buttons() {
  $("play").textContent = playing ? say("pause") : say("play");
  $("play").setAttribute("aria-pressed", String(playing));
  $("play").title = say("playHint");
}
const options = (select, entries, value) => {
  select.replaceChildren(...entries.map(([key, text]) => make("option", { value: key }, text)));
  select.value = value;
};
const known = (name) => WORDS[language].names[name] ?? name.replace(/_/g, " ");
function selects() {
  options($("set"), data.sets.map(({ name }) => [name, known(name)]), set.name);
  options($("batch"), [...new Set([0, 1, 4, 10, 30, 100, settings.batch])].sort((a, b) => a - b).map((size) => [size, size ? String(size) : say("all")]), settings.batch);
  options($("optimizer"), Object.keys(OPTIMIZERS).map((name) => [name, known(name)]), settings.optimizer);
  options($("loss"), losses.filter(fits).map(({ name }) => [name, known(name)]), settings.loss);
  options($("penalty"), [["", say("none")], ...Object.keys(data.penalties).map((name) => [name, known(name)])], settings.penalty);
  const inner = [...new Set(hidden.activations.slice(0, -1))];
  const kinds = activations.map(({ name }, k) => [k, WORDS[language].names[name] ?? name]);
  options($("activation"), inner.length > 1 ? [["", say("mixed")], ...kinds] : kinds, inner.length > 1 ? "" : inner[0] ?? hidden.activations[0]);
  $("activation").disabled = !inner.length;
  options($("last"), kinds, hidden.activations[hidden.activations.length - 1]);
  $("depth").textContent = String(columns() - 2);
  $("fewer").disabled = columns() < 3;
  $("deeper").disabled = columns() > 6;
  $("noisy").textContent = String(noise);
  $("redraw").disabled = !noise;
  $("strength").value = settings.strength;
  document.querySelector(".strength").hidden = !settings.penalty;
  $("walk").disabled = !walkable();
  $("walk").title = walkable() ? say("walkHint") : "";
  $("large").textContent = walkable() ? "" : say("walkNo", { n: WALKED, fan: data.neurons.length });
  rates();
}
function rates() {
  $("alpha").value = Math.log10(settings.rate);
  if (document.activeElement !== $("rate")) $("rate").value = Number(settings.rate.toPrecision(4));
}
function speak() {
  words();
  document.title = $("title").textContent = own || say("title");
  $("language").textContent = say("other");
  $("language").lang = language === "en" ? "es" : "en";
  confused = detailed = "";
  buttons();
}

const on = (id, event, act) => $(id).addEventListener(event, act);
on("reset", "click", () => { pause(); begin(); });
on("play", "click", () => (playing ? pause() : play()));
on("step", "click", () => { pause(); step(); refresh(); });
on("one", "click", () => { pause(); epoch(); refresh(); });
on("set", "change", (event) => choose(event.target.value));
on("noise", "input", (event) => { noise = Number(event.target.value); refit(training.network); });
on("redraw", "click", () => { seed++; refit(training.network); });
on("alpha", "input", (event) => { settings.rate = Number((10 ** Number(event.target.value)).toPrecision(2)); $("rate").value = settings.rate; });
numeric($("rate"), (x) => { settings.rate = x; rates(); }, { event: "change", fit: (x) => x > 0, reason: "notAbove0", held: () => String(settings.rate) });
on("batch", "change", (event) => { settings.batch = Number(event.target.value); training.begin(); });
on("optimizer", "change", (event) => { settings.optimizer = event.target.value; training.kept = {}; });
on("loss", "change", (event) => { settings.loss = event.target.value; refit(); });
on("penalty", "change", (event) => { settings.penalty = event.target.value; selects(); refresh(); });
numeric($("strength"), (x) => { settings.strength = x; }, { event: "change", fit: (x) => x >= 0, reason: "negative", held: () => String(settings.strength) });
const swap = (kinds) => {
  hidden.activations = kinds;
  refit(network(training.network.parameters));
};
on("activation", "change", (event) => { if (event.target.value !== "") swap(hidden.activations.map((kind, l) => (l < hidden.activations.length - 1 ? Number(event.target.value) : kind))); });
on("last", "change", (event) => swap([...hidden.activations.slice(0, -1), Number(event.target.value)]));
on("fewer", "click", () => { const sizes = [...hidden.sizes]; sizes.splice(columns() - 2, 1); const kinds = [...hidden.activations]; kinds.splice(kinds.length - 2, 1); reshape(sizes, kinds); });
on("deeper", "click", () => {
  const kinds = [...hidden.activations];
  const like = kinds.length > 1 ? kinds[kinds.length - 2] : activations.findIndex(({ name }) => name === "tanh");
  kinds.splice(kinds.length - 1, 0, like);
  const sizes = [...hidden.sizes];
  sizes.splice(columns() - 1, 0, columns() > 2 ? sizes[columns() - 2] : 4);
  reshape(sizes, kinds);
});
for (const id of ["weights", "again"]) on(id, "click", () => { draws++; begin(); });
on("arrows", "change", refresh);
on("logarithm", "change", refresh);
on("language", "click", () => { language = language === "en" ? "es" : "en"; speak(); selects(); layout(); refresh(); });

const atOf = (element) => element?.closest?.("[data-at]")?.dataset.at.split(",").map(Number);
const weightOf = (element) => element?.dataset?.weight?.split(",").map(Number);
function tip(text, event) {
  const box = $("tip");
  box.hidden = !text;
  if (!text) return;
  box.textContent = text;
  const { width, height } = box.getBoundingClientRect();
  box.style.left = `${Math.max(6, Math.min(window.innerWidth - width - 6, event.clientX + 14))}px`;
  box.style.top = `${event.clientY + 18 + height > window.innerHeight ? event.clientY - height - 10 : event.clientY + 18}px`;
}
on("net", "pointermove", (event) => {
  const [at, weight] = [atOf(event.target), weightOf(event.target)];
  const before = JSON.stringify(hovered);
  hovered = at ? { kind: "neuron", c: at[0], j: at[1] } : null;
  if (before !== JSON.stringify(hovered) && !playing) drawLarge();
  if (weight) {
    const [l, j, i] = weight;
    const place = training.network.at(l, j, i);
    tip(`${say("weightOf", { from: called(l, i), to: called(l + 1, j) })}\nw = ${show(training.network.parameters[place])}\n${say("gradient")} = ${show(looked.gradient[place])}`, event);
  } else if (at) {
    const [c, j] = at;
    const own = c ? `\nz = ${show(of(looked.z, c, j))}, a = ${show(of(looked.a, c, j))}, δ = ${show(of(looked.deltas, c, j))}` : `\na = ${show(training.x[chosen * inputs() + j])}`;
    tip(`${called(c, j)}${c && looked.dead[c - 1][j] ? `, ${say("dead")}` : ""}\n${say("atSample", { n: chosen + 1 })}:${own}`, event);
  } else tip("");
});
on("net", "pointerleave", () => { hovered = null; tip(""); if (!playing) drawLarge(); });
on("net", "click", (event) => {
  const [at, weight] = [atOf(event.target), weightOf(event.target)];
  if (weight) {
    select({ kind: "weight", c: weight[0] + 1, j: weight[1], i: weight[2] });
    (matchMedia("(pointer: coarse)").matches ? $("detail") : $("detail").querySelector(".number")).focus(); // a touch asks for no keyboard yet
  } else if (at) select(selected?.kind === "neuron" && selected.c === at[0] && selected.j === at[1] ? null : { kind: "neuron", c: at[0], j: at[1] });
});
on("nodes", "keydown", (event) => {
  const at = atOf(event.target);
  const move = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
  if (!at || !move) return;
  event.preventDefault();
  event.stopPropagation();
  const c = Math.max(0, Math.min(columns() - 1, at[0] + move[0]));
  const j = Math.max(0, Math.min(cells[c].length - 1, at[1] + move[1]));
  for (const { button } of cells.flat()) button.tabIndex = -1;
  cells[c][j].button.tabIndex = 0;
  cells[c][j].button.focus();
});
// The sample nearest to a place on the large picture.
function nearest(event) {
  const canvas = $("map").getBoundingClientRect();
  const [px, py] = [event.clientX - canvas.left, event.clientY - canvas.top];
  const { x, y, rows, k } = training;
  const end = looked.a[columns() - 2];
  let [best, least] = [-1, 14];
  for (let r = 0; r < rows; r++) {
    const place = modes === "map" ? box.place(x[2 * r], x[2 * r + 1]) : modes === "curve" ? box.place(x[r], y[r * k]) : box.place(y[r * k], predicted(end, r)[0]);
    const far = Math.hypot(place[0] - px, place[1] - py);
    if (far < least) [best, least] = [r, far];
  }
  return [best, box.back(px, py)];
}
on("map", "pointermove", (event) => {
  const [row, [a, b]] = nearest(event);
  const { x, y, n, k } = training;
  const end = looked.a[columns() - 2];
  if (row >= 0) {
    const list = (flat, width, at = row) => Array.from(flat.slice(at * width, at * width + Math.min(width, 6)), show).join(", ") + (width > 6 ? ", …" : "");
    tip(`${say("sample", { n: row + 1 })}: (${list(x, n)})\n${say("true")} ${list(y, k)}\n${say(likely() ? "probability" : "predicted")} ${list(predicted(end, row), outputs(), 0)}`, event);
  } else if (modes === "map") {
    const column = Math.floor(((a - shape.a[0]) / (shape.a[1] - shape.a[0])) * GRID);
    const line = Math.floor(((b - shape.b[0]) / (shape.b[1] - shape.b[0])) * GRID);
    const inside = column >= 0 && column < GRID && line >= 0 && line < GRID;
    tip(inside ? `(${show(round3(a))}, ${show(round3(b))})\n${say(likely() ? "probability" : "predicted")} ${predicted(view.a[columns() - 2], line * GRID + column).map(show).join(", ")}` : "", event);
  } else tip("");
});
on("map", "pointerleave", () => tip(""));
function pick(row) {
  [chosen, picked] = [(row + training.rows) % training.rows, true];
  detailed = "";
  refresh();
  say1(say("chosen", { n: chosen + 1 }));
}
on("map", "click", (event) => { const [row] = nearest(event); if (row >= 0) pick(row); });
on("map", "keydown", (event) => {
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (by) { event.preventDefault(); pick(chosen + by); }
});

function openCode() {
  $("text").textContent = python({ network: training.network, settings, set, samples, penalty: settings.penalty && settings.strength, epoch: training.epoch, kept: training.kept, random: training.random, done: training.done });
  $("copied").textContent = "";
  $("python").showModal();
}
on("code", "click", openCode);
let picked = false; // a sample by the reader
function telling() { // a sample that says something: of the greatest loss, if the chosen one hands nothing back
  if (picked || looked.deltas.some((deltas, l) => deltas.slice(chosen * hidden.sizes[l + 1], (chosen + 1) * hidden.sizes[l + 1]).some((x) => x !== 0))) return;
  const { rows, loss, y, k } = training;
  const end = looked.a[columns() - 2];
  const each = Array.from({ length: rows }, (_, r) => loss.at(end, r * outputs(), y, r * k, null, false));
  chosen = each.indexOf(Math.max(...each.filter(Number.isFinite)));
  if (chosen < 0) chosen = 0;
  refresh();
}
on("walk", "click", () => {
  pause();
  telling();
  const size = Math.min(settings.batch || training.rows, training.rows);
  const other = [...(size > 1 ? [say("walkMean", { n: size })] : []), ...(settings.optimizer === "gd" ? [] : [known(settings.optimizer)]), ...(settings.penalty && settings.strength ? [`${say("penalty")} ${known(settings.penalty)}`] : [])];
  $("apart").textContent = other.length ? say("walkApart", { n: chosen + 1, other: other.join(", ") }) : "";
  const page = make("iframe", { title: say("walkTitle") });
  page.srcdoc = walkPage();
  $("frame").replaceChildren(page);
  $("stepping").showModal();
});
on("stepping", "close", () => $("frame").replaceChildren());
on("copy", "click", async () => {
  try {
    await navigator.clipboard.writeText($("text").textContent);
    $("copied").textContent = say("copied");
  } catch {
    getSelection().selectAllChildren($("text"));
    $("copied").textContent = say("copyYourself");
  }
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input:not([type=range], [type=checkbox]), select, pre")) return;
  if (event.key === "Escape" && selected) select(null);
  const act = { " ": "play", s: "step", e: "one", r: "reset", c: "code" }[event.key];
  if (!act || (event.key === " " && event.target.closest("button, input"))) return;
  event.preventDefault();
  $(act).click();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); refresh(); });
new ResizeObserver(() => { if (training) { layout(); refresh(); } }).observe($("results"));

readColours();
speak();
begin();
