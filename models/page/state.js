// The page's state: the model, the data, the run of training, and all samples through the network with their δ.
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
