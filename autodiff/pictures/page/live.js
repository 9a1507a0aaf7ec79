words();
$("title").textContent = document.title;
// The state: the engine's graph as recorded, and what has been done to it since.
const graph = new Graph(data.graph, RULES);
const [COUNT, alive] = [graph.count, RULES !== null];
const edges = [];
for (let i = 0; i < COUNT; i++) {
  for (let j = graph.first[i]; j < graph.first[i + 1]; j++) {
    if (graph.args[j] < COUNT) edges.push({ to: i, from: graph.args[j], place: j - graph.first[i], at: j });
  }
}
const recorded = { values: graph.values.slice(), partials: graph.partials.slice() };
const inputs = new Set(data.graph.inputs);
let rate = data.rate;
let touched = false;
let losses = [];
let past = []; // for undo
let root = COUNT - 1;
let iterations = 0;

// Numbers as text, as Python's pictures write them.
function show(x) {
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const [digits, exponent] = Math.abs(x).toExponential(data.digits - 1).split("e");
  const power = Number(exponent);
  const cut = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  const short = power < -4 || power >= data.digits;
  return ((x < 0 ? "-" : "") + (short ? `${cut(digits)}e${power}` : cut(Math.abs(x).toFixed(Math.max(0, data.digits - 1 - power))))).replace(/-/g, "−");
}
const tone = (x) => (Number.isFinite(x) ? (x > 0 ? "positive" : x < 0 ? "negative" : "zero") : "alarm");
function numeral(x) {
  if (Number.isNaN(x)) return ["mtext", "NaN"];
  if (x < 0) return ["mrow", ["mo", "−"], numeral(-x)];
  if (x === Infinity) return ["mi", "∞"];
  const [mantissa, power] = show(x).split("e");
  return power === undefined ? ["mn", mantissa] : ["msci", mantissa, power.replace("−", "-")];
}
const factor = (x) => (x < 0 ? ["mrow", ["mo", "("], numeral(x), ["mo", ")"]] : numeral(x));
const handed = (delta, partial) => (delta !== 0 && partial !== 0 ? delta * partial : 0);
const joined = (parts, sign) => ["mrow", ...parts.flatMap((part, i) => (i ? [["mo", sign], part] : [part]))];
const d = (top, bottom) => ["mfrac", ["mrow", ["mi", "∂"], top], ["mrow", ["mi", "∂"], bottom]];
const SMALL = "₀₁₂₃₄₅₆₇₈₉";
const small = (n) => [...String(n)].map((c) => SMALL[c]).join("");
// ∂ₖ is the local derivative by operand k alone; ∂ ⁄ ∂ the whole one, which is the same where one way leads down.
const arity = (i) => graph.first[i + 1] - graph.first[i];
function reaches(from, to) { // whether there is a way up from one node to another
  const waiting = [from];
  const met = new Set(waiting);
  while (waiting.length) {
    const i = waiting.pop();
    if (i === to) return true;
    for (const k of outOf[i]) {
      if (edges[k].to <= to && !met.has(edges[k].to)) {
        met.add(edges[k].to);
        waiting.push(edges[k].to);
      }
    }
  }
  return false;
}
const local = (k) => {
  const { to, from, place } = edges[k];
  return into[to].some((other) => other !== k && reaches(from, edges[other].from)) ? ["mrow", ["mi", `∂${small(place + 1)}`], nodes[to].name] : d(nodes[to].name, nodes[from].name);
};
// Contributions to δ of a node, in the order of the sweep, with the running sum.
function contributions(i) {
  let running = 0;
  const sorted = [...outOf[i]].sort((a, b) => {
    const [x, y] = [edges[a], edges[b]];
    return y.to - x.to || (arity(x.to) === 2 ? y.place - x.place : x.place - y.place);
  });
  return sorted.map((k) => {
    const { to, at } = edges[k];
    const product = handed(graph.deltas[to], graph.partials[at]);
    running += product;
    return { k, from: to, delta: graph.deltas[to], partial: graph.partials[at], product, running };
  });
}
function largest(terms, limit) {
  if (terms.length <= limit) return terms;
  const size = (term) => (Number.isNaN(term.product) ? Infinity : Math.abs(term.product));
  const kept = new Set([...terms].sort((a, b) => size(b) - size(a)).slice(0, limit));
  return terms.filter((term) => kept.has(term));
}
const sum = (terms) => terms.reduce((total, term) => total + term.product, 0);

// Formulas with their numbers.
const filled = (tree) => {
  if (tree[0] === "mval") return factor(graph.values[tree[1]]);
  if (tree[0] === "mrow" && tree.length === 4 && tree[1][1] === "(" && tree[2][0] === "mval") return ["mrow", tree[1], numeral(graph.values[tree[2][1]]), tree[3]];
  return tree.map((part) => (Array.isArray(part) ? filled(part) : part));
};
function forwardOf(i) {
  const { name, definition, numbers } = nodes[i];
  const sides = [name, definition, numbers && filled(numbers), numeral(graph.values[i])].filter(Boolean);
  return joined([...new Map(sides.map((side) => [JSON.stringify(side), side])).values()], "=");
}
function backwardOf(i) {
  const head = d(nodes[root].name, nodes[i].name);
  const terms = contributions(i);
  if (i === root || !terms.length) return joined([head, numeral(graph.deltas[i])], "=");
  const shown = largest(terms, 4);
  const symbols = shown.map(({ k, from }) => ["mrow", ["msub", ["mi", "δ"], nodes[from].name], ["mo", "·"], local(k)]);
  const numbers = shown.map((term) => joined([factor(term.delta), factor(term.partial)], "·"));
  if (shown.length < terms.length) {
    symbols.push(["mo", "…"]);
    numbers.push(factor(sum(terms.filter((term) => !shown.includes(term)))));
  }
  return joined([head, joined(symbols, "+"), joined(numbers, "+"), numeral(graph.deltas[i])], "=");
}
const localsOf = (i) => {
  const lines = nodes[i].locals.map(([place, rule, everywhere]) => {
    const k = into[i].find((each) => edges[each].place === place);
    const sides = [local(k), ...(rule && (everywhere || !touched) ? [rule] : []), numeral(graph.partials[edges[k].at])];
    return joined(sides, "=");
  });
  return lines.length < into[i].length ? [...lines, ["mo", "…"]] : lines;
};
const stepped = (i) => graph.values[i] - rate * graph.deltas[i];
function updateOf(i) {
  const [name, becomes] = [nodes[i].name, ["mo", "←"]];
  const step = joined([["mi", "α"], d(nodes[root].name, name)], "·");
  const numbers = joined([numeral(rate), factor(graph.deltas[i])], "·");
  return [
    ["mrow", name, becomes, joined([name, step], "−")],
    ["mrow", name, becomes, joined([joined([numeral(graph.values[i]), numbers], "−"), numeral(stepped(i))], "=")],
  ];
}
// The loss with the parameters updated; null where it cannot be known.
function lossAfter() {
  if (!alive || !data.parameters.length) return null;
  const [values, partials, { error }] = [graph.values.slice(), graph.partials.slice(), graph];
  const before = graph.values[root];
  graph.run();
  const again = graph.values[root];
  graph.step(data.parameters, rate);
  graph.run();
  const after = graph.error ? null : graph.values[root];
  graph.values.set(values);
  graph.partials.set(partials);
  graph.error = error;
  return Math.abs(again - before) <= 1e-9 * Math.max(Math.abs(again), Math.abs(before)) ? after : null;
}

// What is done to the numbers.
const remember = () => { past.push({ values: graph.values.slice(), touched, iterations, losses, count: losses.length }); past = past.slice(-500); };
function recompute() {
  if (touched) graph.run();
  else {
    graph.values.set(recorded.values);
    graph.partials.set(recorded.partials);
    graph.error = null;
  }
  graph.sweep(root);
  refresh();
}
function change(place, x) {
  graph.values[place] = x;
  touched = true;
  recompute();
}
function iterate() {
  if (!alive || !data.parameters.length) return;
  remember();
  if (!losses.length) losses = [graph.values[root]];
  graph.step(data.parameters, rate);
  iterations++;
  touched = true;
  graph.run();
  losses.push(graph.values[root]);
  graph.sweep(root);
  refresh();
}
function undo() {
  const before = past.pop();
  if (!before) return;
  graph.values.set(before.values);
  ({ touched, iterations, losses } = before);
  losses.length = before.count;
  recompute();
}
function reset() {
  if (!touched) return;
  remember();
  [touched, iterations] = [false, 0];
  losses = [];
  recompute();
}
