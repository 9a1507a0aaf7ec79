// The page: its state, its controls, and what is drawn for every frame.
const PLAYED = 9; // milliseconds of a frame that may go into training
const SHOWN = 12; // neurons of a layer that are drawn
const NARROW = 8; // the same on a phone
const ARROWS = 100; // gradients that are drawn, the largest
const DOTS = 1500; // samples that are drawn
const STILL = 250; // epochs without a change of the loss after which it is stuck
const WALKED = 400; // parameters that the stepper shows well
const losses = data.losses;
const penalties = Object.fromEntries(Object.entries(data.penalties).map(([name, graph]) => [name, new Graph(data.graphs[graph], RULES)]));
const activations = data.activations.map((each) => Object.assign(new Activation(each, data.graphs), { own: each.own }));
const settings = { ...data.settings };
const hidden = { ...data.model, activations: [...data.model.activations] };
let [set, noise, seed, draws] = [data.sets[0], 0, 0, 0];
let [training, samples, random, playing, last] = [null, null, null, false, 0];
let [selected, hovered, chosen] = [null, null, 0]; // a neuron or a weight, and a sample
let [looked, view, shape, cells, box] = [null, null, null, [], null];
let [rowsX, modes] = [null, ""];
const shownSay = { text: "" };

// --- the model, the data, the run ---
const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);
const isOwn = () => set.name === "own" && same(hidden.sizes, data.model.sizes) && same(hidden.bias, data.model.bias) && draws === 0;
const dice = (salt) => {
  const start = new Random(data.random);
  start.state = (start.state ^ (BigInt(salt + 1) * 0x9e3779b97f4a7c15f39cc0605cedc835n)) & LONG;
  start.half = null;
  start.next64();
  return start;
};
function network(parameters = null) {
  const made = new Network(hidden.sizes, hidden.activations.map((k) => activations[k]), hidden.bias, parameters);
  return parameters ? made : made.draw(dice(draws));
}
function fits(loss) { return `${hidden.sizes[hidden.sizes.length - 1]},${set.k}` in loss.graphs && (!loss.classes || set.classes) && !(loss.name === "cross_entropy" && set.k === 1 && set.name !== "own"); }
function currentLoss() {
  const usable = losses.filter(fits);
  if (!usable.some(({ name }) => name === settings.loss)) settings.loss = (usable.find(({ name }) => name === (set.k > 1 && set.classes ? "cross_entropy" : "squared_error")) ?? usable[0]).name;
  const found = losses.find(({ name }) => name === settings.loss);
  return new Loss(found.graphs[`${hidden.sizes[hidden.sizes.length - 1]},${set.k}`], data.graphs);
}
// Begin again: first weights, first order of the samples, no history.
function begin() {
  const net = network(isOwn() ? data.model.parameters : null);
  random = new Random(data.random);
  training = null;
  refit(net);
  say1("");
}
// Go on with another network, loss or data; the history stays where the samples do.
function refit(net = training.network, { anew = false } = {}) {
  const loss = currentLoss();
  samples = coded(drawn(set, noise, dice(1000 + seed)), set, settings.loss);
  const before = anew ? null : training;
  training = new Training(net, loss, samples, settings, penalties, random);
  if (before) Object.assign(training, { epoch: before.epoch, train: before.train, test: before.test, kept: before.network === net ? before.kept : {} });
  looked = new Pass(net, training.rows);
  chosen = Math.min(chosen, training.rows - 1);
  arrange();
  selects();
  refresh();
}
function reshape(sizes, kinds) {
  const old = training.network;
  Object.assign(hidden, { sizes, activations: kinds });
  hidden.bias = kinds.map((_, l) => data.model.bias[Math.min(l, data.model.bias.length - 1)]);
  const fresh = network(null);
  const depth = Math.min(old.layers.length, fresh.layers.length);
  for (let l = 0; l < depth; l++) { // what stays keeps its weights
    const [a, b] = [old.layers[l], fresh.layers[l]];
    if (a.n !== b.n && l === 0) break;
    for (let j = 0; j < Math.min(a.m, b.m); j++) {
      for (let i = 0; i < Math.min(a.n, b.n); i++) fresh.parameters[fresh.at(l, j, i)] = old.parameters[old.at(l, j, i)];
      if (a.bias && b.bias) fresh.parameters[fresh.at(l, j, b.n)] = old.parameters[old.at(l, j, a.n)];
    }
  }
  selected = null;
  refit(fresh);
}
function choose(name) {
  set = data.sets.find((each) => each.name === name);
  const kinds = [...hidden.activations];
  const outputs = set.name === "own" ? data.model.sizes[data.model.sizes.length - 1] : set.outputs;
  hidden.sizes = [set.n, ...hidden.sizes.slice(1, -1), outputs];
  hidden.activations = kinds;
  if (set.name === "own" && same(hidden.sizes, data.model.sizes)) Object.assign(hidden, { activations: [...data.model.activations], bias: data.model.bias });
  if (set.name !== "own" && !set.classes) hidden.activations[kinds.length - 1] = linear; // a regression needs more than 0 to 1
  [selected, chosen, draws] = [null, 0, 0];
  begin();
}
const linear = activations.findIndex(({ f }) => !f);

// --- training ---
function step() {
  const done = training.step();
  if (done !== null) return done;
  pause();
  return null;
}
function epoch() {
  let done = false;
  while (done === false) done = step();
  return done;
}
function play() {
  playing = true;
  last = 0;
  buttons();
  requestAnimationFrame(frameOf);
}
function pause() {
  if (playing) say1(say("paused", { n: training.epoch, loss: show(lossNow()) }));
  playing = false;
  buttons();
}
let owed = 0;
function frameOf(now) {
  if (!playing) return;
  owed = Math.min(owed + Number($("speed").value), Math.max(1, Number($("speed").value)));
  const until = performance.now() + PLAYED;
  while (owed >= 1 && playing) {
    let done = false;
    while (done === false && performance.now() < until) done = step();
    if (done === true) owed--;
    if (performance.now() >= until) break;
  }
  refresh();
  requestAnimationFrame(frameOf);
}
const lossNow = () => training.train[training.train.length - 1] ?? NaN;

// --- what is seen: all training samples through the network, with their δ ---
const inputs = () => hidden.sizes[0];
const outputs = () => hidden.sizes[hidden.sizes.length - 1];
function look() {
  const { x, y, rows, loss, k } = training;
  looked = looked.network === training.network ? looked : new Pass(training.network, rows);
  looked.forward(x, rows);
  const top = looked.deltas.length - 1;
  let sum = 0;
  for (let r = 0; r < rows; r++) sum += loss.at(looked.a[top], r * outputs(), y, r * k, looked.deltas[top]);
  looked.backward(rows);
  looked.loss = sum / rows;
  looked.dead = training.network.layers.map(({ m }, l) => Array.from({ length: m }, (_, j) => {
    for (let r = 0; r < rows; r++) if (looked.slopes[l][r * m + j] !== 0) return false;
    return true;
  }));
  const { testX, testRows } = training;
  looked.right = set.classes ? [judged(looked.a[top], y, rows), null] : null;
  if (looked.right && testRows) {
    const pass = new Pass(training.network, testRows);
    looked.right[1] = judged(pass.forward(testX, testRows), training.testY, testRows);
  }
}
const threshold = () => (settings.loss === "binary_cross_entropy" || settings.loss === "hinge" ? 0 : set.two ? (samples.low + 1) / 2 : 0.5);
const classOf = (row, from, k) => {
  if (k === 1) return row[from] > threshold() ? 1 : 0;
  let best = 0;
  for (let j = 1; j < k; j++) if (row[from + j] > row[from + best]) best = j;
  return best;
};
const trueClass = (y, from, k) => (k === 1 ? (y[from] > (set.two ? (samples.low + 1) / 2 : 0.5) ? 1 : 0) : classOf(y, from, k));
// What a row of outputs predicts: probabilities where the loss makes them of any numbers.
const likely = () => settings.loss === "binary_cross_entropy" || settings.loss === "cross_entropy";
function predicted(a, row) {
  const end = Array.from(a.subarray(row * outputs(), (row + 1) * outputs()));
  if (settings.loss === "binary_cross_entropy") return end.map((z) => 1 / (1 + Math.exp(-z)));
  if (settings.loss !== "cross_entropy") return end;
  const parts = end.map((z) => Math.exp(z - Math.max(...end)));
  return parts.map((part) => part / parts.reduce((sum, each) => sum + each, 0));
}
function judged(a, y, rows) {
  const k = Math.max(2, outputs());
  const table = Array.from({ length: k }, () => new Array(k).fill(0));
  for (let r = 0; r < rows; r++) table[trueClass(y, r * set.k, set.k)][classOf(a, r * outputs(), outputs())]++;
  return { table, right: table.reduce((sum, row, j) => sum + row[j], 0), all: rows };
}
// From −1 to 1: how far an output is on the one side or the other.
let middle = 0;
let half = 1;
const sided = (a) => {
  if (settings.loss === "binary_cross_entropy") return Math.tanh(a / 2);
  return (a - middle) / half;
};
// The points at which the maps are drawn: a grid of two inputs, a line of one, else the samples themselves.
function arrange() {
  const { x, y, rows, n } = training;
  modes = n === 2 ? "map" : n === 1 ? "curve" : "strip";
  const column = (i) => [...x, ...training.testX].filter((_, at) => at % n === i);
  const targets = [...training.y, ...training.testY];
  const ends = set.classes ? [samples.low ?? 0, 1] : range(targets, 0);
  [middle, half] = settings.loss === "hinge" ? [0, 1] : [(ends[0] + ends[1]) / 2, (ends[1] - ends[0]) / 2 || 1];
  if (modes === "map") {
    const [a, b] = [range(column(0)), range(column(1))];
    shape = { a, b };
    rowsX = new Float64Array(2 * GRID * GRID);
    for (let i = 0; i < GRID * GRID; i++) {
      rowsX[2 * i] = a[0] + ((i % GRID) + 0.5) / GRID * (a[1] - a[0]);
      rowsX[2 * i + 1] = b[0] + (Math.floor(i / GRID) + 0.5) / GRID * (b[1] - b[0]);
    }
  } else if (modes === "curve") {
    const a = range(column(0));
    shape = { a };
    rowsX = Float64Array.from({ length: 120 }, (_, i) => a[0] + (i / 119) * (a[1] - a[0]));
  } else {
    const order = Array.from({ length: rows }, (_, r) => r).sort((r, s) => (set.classes ? trueClass(y, r * set.k, set.k) - trueClass(y, s * set.k, set.k) : y[r * set.k] - y[s * set.k]));
    const kept = order.filter((_, i) => rows <= 60 || i % Math.ceil(rows / 60) === 0);
    rowsX = Float64Array.from(kept.flatMap((r) => Array.from(x.slice(r * n, r * n + n))));
  }
  view = new Pass(training.network, rowsX.length / n);
  layout();
}
const columns = () => hidden.sizes.length;
const nameOf = (column, unit) => {
  if (column === 0) return set.names[unit];
  if (column === columns() - 1) return set.targets[unit] && outputs() > 1 ? set.targets[unit] : outputs() > 1 ? `a${unit + 1}` : set.targets[0] && !set.classes ? set.targets[0] : "a";
  return "";
};
const called = (column, unit) => {
  if (column === 0) return say("input", { name: set.names[unit] });
  if (column === columns() - 1) return say("output", { name: nameOf(column, unit) });
  return say("neuron", { layer: column, unit: unit + 1 });
};

// --- the network: nodes are buttons with a canvas each, links a canvas below, hit paths between ---
function layout() {
  const pane = $("net");
  const width = pane.clientWidth;
  if (!width) return;
  const narrow = width < 560;
  const most = narrow ? NARROW : SHOWN;
  const counts = hidden.sizes.map((size) => Math.min(size, most));
  const tallest = Math.max(...counts);
  const gap = Math.max(narrow ? 46 : 50, Math.min(narrow ? 62 : 104, 560 / tallest));
  const size = Math.max(24, Math.min(narrow ? 42 : 66, gap - 18, width / columns() - 22));
  const top = 52;
  const height = top + tallest * gap + 10;
  pane.style.height = `${height}px`;
  cells = hidden.sizes.map((total, c) => Array.from({ length: counts[c] }, (_, j) => ({
    c, j, size, x: size / 2 + 4 + (c * (width - size - 8)) / (columns() - 1),
    y: top + (tallest * gap) / 2 + (j - (counts[c] - 1) / 2) * gap - 8,
  })));
  const nodes = [];
  for (const cell of cells.flat()) {
    const { c, j, x, y } = cell;
    cell.canvas = make("canvas", {});
    cell.label = make("span", { dir: "auto" });
    cell.button = make("button", { type: "button", class: `node${c === 0 ? " in" : c === columns() - 1 ? " out" : ""}`, "data-at": `${c},${j}`, tabindex: "-1" }, cell.canvas, cell.label);
    Object.assign(cell.button.style, { left: `${x - size / 2}px`, top: `${y - size / 2}px`, width: `${size}px`, height: `${size}px` });
    nodes.push(cell.button);
  }
  nodes[0].tabIndex = 0;
  $("nodes").replaceChildren(...nodes);
  hidden.sizes.forEach((total, c) => {
    if (total > counts[c]) {
      const rest = make("span", { class: "rest" }, say("more", { n: total - counts[c] }));
      Object.assign(rest.style, { left: `${Math.min(width - 34, Math.max(34, cells[c][0].x))}px`, top: `${height - 12}px` });
      $("nodes").append(rest);
    }
  });
  heads();
  const svg = $("hits");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const paths = [];
  for (let c = 1; c < columns(); c++) {
    for (const to of cells[c]) {
      for (const from of cells[c - 1]) {
        const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        const [x0, x1] = [from.x + size / 2, to.x - size / 2];
        const bend = (x1 - x0) * 0.45;
        path.setAttribute("d", `M${x0} ${from.y}C${x0 + bend} ${from.y} ${x1 - bend} ${to.y} ${x1} ${to.y}`);
        path.dataset.weight = `${c - 1},${to.j},${from.j}`;
        paths.push(path);
      }
    }
  }
  svg.replaceChildren(...paths);
}
function heads() {
  const width = $("net").clientWidth;
  $("heads").replaceChildren(...hidden.sizes.map((size, c) => {
    const end = c === 0 ? " first" : c === columns() - 1 ? " last" : "";
    const head = make("div", { class: `head${end}` }, make("b", {}, c === 0 ? say("inputs") : end ? say("outputs") : say("hidden", { layer: c })));
    if (!end) {
      const [less, more] = [make("button", { type: "button", "aria-label": say("fewerNeurons", { layer: c }) }, "−"), make("button", { type: "button", "aria-label": say("moreNeurons", { layer: c }) }, "+")];
      less.disabled = size < 2;
      more.disabled = size >= 64;
      less.addEventListener("click", () => neurons(c, -1));
      more.addEventListener("click", () => neurons(c, 1));
      head.append(make("span", { class: "stepper" }, less, make("output", {}, String(size)), more));
    } else head.append(make("span", {}, String(size)));
    head.style.left = `${c === 0 ? 0 : end ? width : cells[c][0].x}px`;
    return head;
  }));
}
function neurons(c, more) {
  const sizes = hidden.sizes.map((size, at) => size + (at === c ? more : 0));
  reshape(sizes, hidden.activations);
  $("heads").children[c].querySelectorAll("button")[more > 0 ? 1 : 0].focus();
}
function drawLinks() {
  const pane = $("net");
  const pen = ready($("links"), pane.clientWidth, pane.clientHeight);
  const { parameters } = training.network;
  const each = [];
  let [heaviest, steepest] = [1e-12, 0];
  for (let c = 1; c < columns(); c++) {
    for (const to of cells[c]) {
      for (const from of cells[c - 1]) {
        const at = training.network.at(c - 1, to.j, from.j);
        const [w, g] = [parameters[at], looked.gradient[at]];
        each.push({ from, to, w, g });
        heaviest = Math.max(heaviest, Math.abs(w));
        if (Number.isFinite(g)) steepest = Math.max(steepest, Math.abs(g));
      }
    }
  }
  const scale = Math.max(heaviest, 1);
  const half = cells[0][0].size / 2;
  for (const { from, to, w } of each) {
    const [x0, x1] = [from.x + half, to.x - half];
    const bend = (x1 - x0) * 0.45;
    pen.beginPath();
    pen.moveTo(x0, from.y);
    pen.bezierCurveTo(x0 + bend, from.y, x1 - bend, to.y, x1, to.y);
    pen.strokeStyle = w > 0 ? paint.positive : w < 0 ? paint.negative : paint.line;
    pen.globalAlpha = 0.25 + 0.6 * Math.min(1, Math.abs(w) / scale);
    pen.lineWidth = 0.7 + 5 * (Math.abs(w) / scale);
    pen.stroke();
  }
  pen.globalAlpha = 1;
  if (!$("arrows").checked || !steepest) return;
  const least = each.map(({ g }) => Math.abs(g)).sort((a, b) => b - a)[ARROWS] ?? 0;
  for (const { from, to, g } of each) { // δ·a goes back: an arrowhead on the link, in the hue of its sign
    const share = Math.abs(g) / steepest;
    if (!(share > 0.04) || Math.abs(g) <= least) continue;
    const [x0, x1] = [from.x + half, to.x - half];
    const bend = (x1 - x0) * 0.45;
    const t = 0.62 - 0.34 * ((from.j + 0.5) / cells[from.c].length);
    const u = 1 - t;
    const mix = (a, b, c, d) => u * u * u * a + 3 * u * u * t * b + 3 * u * t * t * c + t * t * t * d;
    const slope = (a, b, c, d) => 3 * (u * u * (b - a) + 2 * u * t * (c - b) + t * t * (d - c));
    const xs = [x0, x0 + bend, x1 - bend, x1];
    const ys = [from.y, from.y, to.y, to.y];
    const size = 3.5 + 5 * Math.sqrt(share);
    pen.save();
    pen.translate(mix(...xs), mix(...ys));
    pen.rotate(Math.atan2(slope(...ys), slope(...xs)));
    pen.beginPath();
    pen.moveTo(-size, 0);
    pen.lineTo(size * 0.7, -size * 0.75);
    pen.lineTo(size * 0.7, size * 0.75);
    pen.closePath();
    pen.fillStyle = g > 0 ? paint.positive : paint.negative;
    pen.strokeStyle = paint.card;
    pen.lineWidth = 1.5;
    pen.stroke();
    pen.fill();
    pen.restore();
  }
}
// What a neuron says at every point of the view.
const column = (c, j) => (c === 0 ? (i) => rowsX[i * inputs() + j] : ((m, a) => (i) => a[i * m + j])(hidden.sizes[c], view.a[c - 1]));
function sizeOf(c, j) {
  if (c === columns() - 1) return null;
  const at = column(c, j);
  let most = 1e-12;
  for (let i = 0; i < rowsX.length / inputs(); i++) most = Math.max(most, Math.abs(at(i)) || 0);
  return most;
}
function drawNode({ c, j, canvas, size }) {
  const inner = size - 4;
  const pen = ready(canvas, inner, inner);
  const at = column(c, j);
  const most = sizeOf(c, j);
  const told = most === null ? (i) => sided(at(i)) : (i) => at(i) / most;
  const rows = rowsX.length / inputs();
  if (modes === "map") paintMap(pen, inner, inner, (i, pixels, place) => pixel(told(i), pixels, place));
  else if (modes === "strip") {
    for (let i = 0; i < rows; i++) {
      pen.fillStyle = toned(told(i));
      pen.fillRect((i / rows) * inner, 0, inner / rows + 0.5, inner);
    }
  } else {
    const [low, high] = range(Array.from({ length: rows }, (_, i) => at(i)), 0.15);
    line(pen, Array.from({ length: rows }, (_, i) => [(i / (rows - 1)) * inner, inner * (1 - (at(i) - low) / (high - low))]), c === 0 ? paint.muted : paint.accent, 1.8);
  }
}
function drawNodes() {
  for (const cell of cells.flat()) {
    const { c, j, button, label } = cell;
    drawNode(cell);
    const dead = c > 0 && looked.dead[c - 1][j];
    button.classList.toggle("dead", dead);
    button.classList.toggle("selected", selected?.kind === "neuron" && selected.c === c && selected.j === j);
    const text = dead ? say("dead") : nameOf(c, j);
    if (label.textContent !== text) label.textContent = text;
    const name = called(c, j) + (dead ? `, ${say("dead")}` : "");
    if (button.getAttribute("aria-label") !== name) button.setAttribute("aria-label", name);
  }
}

// --- the large picture ---
const shownNeuron = () => {
  const at = hovered?.kind === "neuron" ? hovered : selected?.kind === "neuron" ? selected : null;
  return at && !(at.c === columns() - 1 && outputs() === 1) ? at : null;
};
const pointColour = (y, r, k) => (set.classes ? (k > 1 ? CLASSES[trueClass(y, r * k, k) % CLASSES.length] : trueClass(y, r, 1) ? paint.positive : paint.negative) : toned(sided(y[r * k])));
function drawLarge() {
  const canvas = $("map");
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const pen = ready(canvas, width, height);
  const neuron = shownNeuron();
  const top = columns() - 1;
  const { x, y, rows, k, testX, testY, testRows } = training;
  const [c, j] = neuron ? [neuron.c, neuron.j] : [top, 0];
  const parts = [[testX, testY, testRows, true], [x, y, rows, false]];
  if (modes === "map") {
    box = frame(pen, width, height, shape.a, shape.b, set.names);
    const at = column(c, j);
    const several = set.classes && outputs() > 1 && !neuron;
    const most = sizeOf(c, j);
    pen.save();
    pen.translate(box.left, box.top);
    const m = outputs();
    if (several) paintMap(pen, box.width, box.height, (i, pixels, place) => {
      const tone = paint.classes[classOf(view.a[top - 1], i * m, m) % CLASSES.length];
      for (let q = 0; q < 3; q++) pixels[place + q] = paint.rgb.zero[q] + 0.45 * (tone[q] - paint.rgb.zero[q]);
      pixels[place + 3] = 255;
    });
    else paintMap(pen, box.width, box.height, (i, pixels, place) => pixel(most === null ? sided(at(i)) : at(i) / most, pixels, place));
    if (set.classes && !several && c === top) contour(pen, box.width, box.height, (i) => at(i) - threshold());
    pen.restore();
    for (const [px, py, count, hollow] of parts) {
      for (let r = 0; r < count; r += Math.ceil(count / DOTS)) dot(pen, ...box.place(px[2 * r], px[2 * r + 1]), hollow && !set.classes ? paint.ink : pointColour(py, r, k), { hollow, chosen: !hollow && r === chosen, radius: rows > 60 ? 3.6 : 5, rim: set.classes ? paint.card : paint.ink });
    }
  } else if (modes === "curve") {
    const at = column(c, j);
    const count = rowsX.length;
    const curve = Array.from({ length: count }, (_, i) => at(i));
    box = frame(pen, width, height, shape.a, range([...curve, ...y, ...testY]), [set.names[0], neuron ? called(c, j) : nameOf(top, 0)]);
    line(pen, curve.map((v, i) => box.place(rowsX[i], v)), paint.accent, 2.5);
    for (const [px, py, many, hollow] of parts) {
      for (let r = 0; r < many; r += Math.ceil(many / DOTS)) dot(pen, ...box.place(px[r], py[r * k]), paint.ink, { hollow, chosen: !hollow && r === chosen });
    }
  } else {
    const m = outputs();
    const ends = Array.from({ length: rows }, (_, r) => predicted(looked.a[top - 1], r));
    box = frame(pen, width, height, range(y), range([...y, ...ends.flat()]), [say("true"), say(likely() ? "probability" : "predicted")]);
    line(pen, [box.place(range(y)[0], range(y)[0]), box.place(range(y)[1], range(y)[1])], paint.line, 1.5, [4, 4]);
    for (let r = 0; r < rows; r += Math.ceil(rows / DOTS)) {
      for (let q = 0; q < Math.min(m, k); q++) {
        const side = set.classes ? (((r * 7919) % 100) / 100 - 0.5) * 0.12 : 0; // classes stand side by side
        dot(pen, ...box.place(y[r * k + q] + side, ends[r][q]), m > 1 ? CLASSES[q % CLASSES.length] : pointColour(y, r, k), { chosen: r === chosen });
      }
    }
  }
  const what = neuron ? say("ofNeuron", { name: called(c, j) }) : say(modes === "strip" ? "against" : modes === "curve" ? "curve" : set.classes ? "boundary" : "surface");
  if ($("shown").textContent !== what) $("shown").textContent = what;
}
function tell() {
  const { train, test, testRows } = training;
  $("epochs").textContent = String(training.epoch);
  const now = train.length ? lossNow() : looked.loss;
  $("train").textContent = show(now);
  $("train").dataset.exact = now;
  $("test").textContent = testRows ? show(test[test.length - 1] ?? NaN) : "";
  if (testRows) $("test").dataset.exact = test[test.length - 1];
  $("test").parentElement.firstElementChild.textContent = testRows ? say("test") : say("noTest");
  if (testRows && !test.length) $("test").textContent = "–";
  let right = "";
  if (looked.right) {
    const [own, other] = looked.right;
    right = say("right", { right: own.right, all: own.all }) + (other ? say("rightTest", { right: other.right, all: other.all }) : "");
  }
  if ($("score").textContent !== right) $("score").textContent = right;
  confusion();
  const names = looked.dead.flatMap((layer, l) => layer.flatMap((dead, j) => (dead ? [called(l + 1, j)] : [])));
  const stopped = training.problem !== null;
  const [long, left] = [train.length - 1, looked.right && looked.right[0].right < looked.right[0].all];
  const stuck = left && long > STILL && Math.abs(train[long] - train[long - STILL]) <= 1e-3 * Math.abs(train[long]);
  const text = stopped ? say("stopped", { problem: training.problem ? `${training.problem}.` : "" })
    : stuck && !names.length ? say("stuck") : names.length ? say("deadTold", { n: names.length, which: names.slice(0, 4).join("; ") + (names.length > 4 ? " …" : "") })
      : training.epoch ? "" : say("hint");
  if ($("said").textContent !== text) $("said").textContent = text;
  $("told").classList.toggle("alarm", stopped);
  $("again").hidden = !(names.length || stuck);
}
let confused = "";
function confusion() {
  const key = JSON.stringify([looked.right?.[0].table, language, set.name]);
  if (key === confused) return;
  confused = key;
  if (!looked.right) { $("confusion").replaceChildren(); return; }
  const { table } = looked.right[0];
  const names = table.map((_, j) => (outputs() > 1 ? (set.targets[j] ?? String(j)) : String(j ? 1 : samples.low ?? 0)));
  const head = make("tr", {}, make("th", {}, say("confusion")), ...names.map((name) => make("th", { scope: "col" }, clip(name, 14))));
  const rows = table.map((row, j) => make("tr", {}, make("th", { scope: "row" }, clip(names[j], 14)), ...row.map((count, q) => make("td", q === j ? { class: "hit" } : {}, String(count)))));
  $("confusion").replaceChildren(make("table", {}, head, ...rows));
}
function keys() {
  const items = [];
  const mark = (colour, text) => {
    const point = make("i");
    point.style.background = colour;
    items.push(make("span", {}, point, text));
  };
  if (set.classes && (modes === "map" || outputs() > 1)) {
    const names = outputs() > 1 ? Array.from({ length: outputs() }, (_, j) => set.targets[j] ?? String(j)) : [String(samples.low ?? 0), "1"];
    names.forEach((name, j) => mark(outputs() > 1 ? CLASSES[j % CLASSES.length] : j ? paint.positive : paint.negative, clip(name, 16)));
  } else if (modes === "map") {
    const bar = make("i", { class: "scale" });
    bar.style.background = `linear-gradient(to right, ${toned(-1)}, ${toned(0)}, ${toned(1)})`;
    items.push(make("span", {}, `${show(round3(middle - half))} `, bar, ` ${show(round3(middle + half))}`));
  } else if (outputs() > 1) set.targets.forEach((name, j) => mark(CLASSES[j % CLASSES.length], clip(name, 16)));
  if (training.testRows && modes !== "strip") items.push(make("span", {}, say("trainMark")), make("span", {}, say("testMark")));
  items.push(make("span", {}, say("chosen", { n: chosen + 1 })));
  $("key").replaceChildren(...items);
}

// --- the numbers of what is selected, to change ---
let detailed = "";
let cellsOfDetail = [];
const number = (value, change, name) => {
  const field = make("input", { type: "number", step: "any", "aria-label": name });
  field.value = value;
  field.addEventListener("change", () => { if (field.value !== "" && Number.isFinite(Number(field.value))) change(Number(field.value)); });
  return field;
};
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
const follow = (field, value) => { cellsOfDetail.push(() => { if (document.activeElement !== field) field.value = String(Number(value().toPrecision(5))); }); return field; };
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
    $("detail").append(make("h3", {}, name, close), make("div", { class: "edit" }, follow(slider, () => w[at]), follow(number(w[at], (x) => changeWeight(at, x), name), () => w[at])),
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
    return make("tr", {}, make("td", {}, i < n ? called(c - 1, i) : say("bias")), make("td", {}, follow(number(w[at], (x) => changeWeight(at, x), name), () => w[at])),
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

// --- all of it ---
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
  $("walk").title = walkable() ? say("walkHint") : say("walkNo", { n: WALKED, fan: data.neurons.length });
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

// --- what readers do ---
const on = (id, event, act) => $(id).addEventListener(event, act);
on("reset", "click", () => { pause(); begin(); });
on("play", "click", () => (playing ? pause() : play()));
on("step", "click", () => { pause(); step(); refresh(); });
on("one", "click", () => { pause(); epoch(); refresh(); });
on("set", "change", (event) => choose(event.target.value));
on("noise", "input", (event) => { noise = Number(event.target.value); refit(training.network); });
on("redraw", "click", () => { seed++; refit(training.network); });
on("alpha", "input", (event) => { settings.rate = Number((10 ** Number(event.target.value)).toPrecision(2)); $("rate").value = settings.rate; });
on("rate", "change", (event) => { if (Number(event.target.value) > 0) settings.rate = Number(event.target.value); rates(); });
on("batch", "change", (event) => { settings.batch = Number(event.target.value); training.begin(); });
on("optimizer", "change", (event) => { settings.optimizer = event.target.value; training.kept = {}; });
on("loss", "change", (event) => { settings.loss = event.target.value; refit(); });
on("penalty", "change", (event) => { settings.penalty = event.target.value; selects(); refresh(); });
on("strength", "change", (event) => { if (Number(event.target.value) >= 0) settings.strength = Number(event.target.value); });
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
  if (weight) select({ kind: "weight", c: weight[0] + 1, j: weight[1], i: weight[2] });
  else if (at) select(selected?.kind === "neuron" && selected.c === at[0] && selected.j === at[1] ? null : { kind: "neuron", c: at[0], j: at[1] });
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
  chosen = (row + training.rows) % training.rows;
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
  $("text").textContent = python({ network: training.network, settings, set, samples, penalty: settings.penalty && settings.strength, epoch: training.epoch });
  $("copied").textContent = "";
  $("python").showModal();
}
on("code", "click", openCode);
on("walk", "click", () => {
  pause();
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
