// The engine: a recorded graph that computes itself anew, forward and backward. It knows nothing of the page around it.
// RULES, in front of this file, are rows of the table: name, operands, domains, condition, f, d, outside.

// What the rules use and Math has not: NumPy's functions of these names.
const power = (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : Math.pow(a, b));
const heaviside = (a, at0) => (a > 0 ? 1 : a < 0 ? 0 : a === 0 ? at0 : a);
function rint(a) { // the nearest integer, ties to the even one
  const low = Math.floor(a);
  const over = a - low;
  return !(Math.abs(a) < 4503599627370496) ? a : over < 0.5 || (over === 0.5 && low % 2 === 0) ? low : low + 1;
}
function remainder(a, b) {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}
function floor_divide(a, b) {
  const rest = a % b;
  const quotient = (a - rest) / b - (rest !== 0 && rest < 0 !== b < 0 ? 1 : 0);
  const low = Math.floor(quotient);
  return quotient - low > 0.5 ? low + 1 : low;
}
function copysign(a, b) {
  const negative = b < 0 || Object.is(b, -0);
  return negative ? -Math.abs(a) : Math.abs(a);
}
function logaddexp(a, b) {
  if (a === b) return a + Math.LN2;
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}

// A number as Python writes it in a message.
const written = (x) => {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  const size = Math.abs(x);
  if (size >= 1e16 || (size < 1e-4 && size > 0)) {
    return x.toExponential().replace(/e([+-])(\d)$/, "e$10$2"); // two digits of exponent at least
  }
  return Object.is(x, -0) ? "-0.0" : Number.isInteger(x) ? `${x}.0` : String(x);
};

// Nodes 0 … count - 1 in order of evaluation, then constants. `values`, `partials` and `deltas` are theirs.
class Graph {
  constructor({ ops, args, values, partials = [] }, rules) {
    this.count = ops.length;
    this.values = Float64Array.from(values, Number);
    this.first = new Int32Array(ops.length + 1); // where a node's operands begin in `args` and `partials`
    args.forEach((each, i) => { this.first[i + 1] = this.first[i] + each.length; });
    this.args = Int32Array.from(args.flat());
    this.partials = new Float64Array(this.args.length); // as recorded, where they are given
    this.partials.set(partials.map(Number));
    this.deltas = new Float64Array(ops.length);
    this.rules = (rules ?? []).map(([name, n, domains, condition, f, d, outside]) => ({ name, n, domains, condition, f, d, outside }));
    this.computed = Int32Array.from([...ops.keys()].filter((i) => ops[i] >= 0));
    this.rule = ops.map((op) => this.rules[op]);
    this.gathered = this.rules.map(({ n }) => new Float64Array(n));
    this.buffer = ops.map((op) => this.gathered[op]); // without rules a graph can be swept, not run
    this.error = null; // { node, message } of the first operation that has no value, or no derivative, here
  }

  // Forward: values and local partials. Where Python would raise a DomainError, NaN, and `error` says why.
  run() {
    const { values, partials, args, first, rule, buffer, computed } = this;
    this.error = null;
    for (let k = 0; k < computed.length; k++) {
      const i = computed[k];
      const { n, f, d, outside } = rule[i];
      const j = first[i];
      let x, out, r;
      if (n === 2) {
        const [a, b] = [values[args[j]], values[args[j + 1]]];
        out = outside !== null && outside(a, b);
        r = values[i] = f(a, b);
        d(a, b, r, partials, j);
      } else if (n === 1) {
        const a = values[args[j]];
        out = outside !== null && outside(a);
        r = values[i] = f(a);
        d(a, r, partials, j);
      } else {
        x = buffer[i];
        for (let m = 0; m < n; m++) x[m] = values[args[j + m]];
        out = outside !== null && outside(x);
        r = values[i] = f(x);
        d(x, r, partials, j);
      }
      if (out) this.refuse(i, -1);
      for (let m = 0; m < n; m++) {
        const p = partials[j + m];
        if (p !== p && args[j + m] < this.count && r === r) this.refuse(i, m);
      }
    }
  }

  // Backward: δ of every node below the root. A δ or a partial that is exactly 0 hands on nothing, whatever the other.
  sweep(root = this.count - 1) {
    const { deltas, partials, args, first, count } = this;
    deltas.fill(0);
    deltas[root] = 1;
    for (let i = root; i >= 0; i--) {
      const delta = deltas[i];
      if (delta === 0) continue;
      const [from, to] = [first[i], first[i + 1]];
      if (to - from === 2) { // of two operands the second comes first, as in backward()
        this.hand(delta, from + 1);
        this.hand(delta, from);
        continue;
      }
      for (let j = from; j < to; j++) {
        if (args[j] < count && partials[j] !== 0) deltas[args[j]] += delta * partials[j];
      }
    }
  }

  hand(delta, j) {
    if (this.args[j] < this.count && this.partials[j] !== 0) this.deltas[this.args[j]] += delta * this.partials[j];
  }

  // One step of gradient descent.
  step(parameters, rate) {
    for (const i of parameters) this.values[i] -= rate * this.deltas[i];
  }

  // Note that a node has no value (operand -1), or no derivative by an operand.
  refuse(node, operand) {
    const { name, n, domains, condition } = this.rule[node];
    const start = this.first[node];
    const operands = Array.from({ length: n }, (_, m) => this.values[this.args[start + m]]);
    if (operand >= 0 && !operands.every(Number.isFinite)) return;
    if (operand < 0) {
      this.values[node] = NaN;
      this.partials.fill(NaN, start, start + n);
    }
    if (this.error) return;
    const which = (m) => (n > 1 ? `operand ${m + 1} ` : "");
    const out = operands.findIndex((x, m) => m < domains.length && !within(x, domains[m]));
    let problem = `needs ${condition}`;
    if (operand >= 0) problem = `no derivative by operand ${operand + 1}`;
    else if (out >= 0) problem = `${which(out)}outside ${domains[out]}`;
    this.error = { node, message: `${name} of ${operands.map(written).join(" and ")}, ${problem}` };
  }
}

function within(x, domain) { // "(0, ∞)", "[-1, 1]", "(-∞, ∞) without 0"
  const [, open, low, high, close, without] = /^([[(])(\S+), (\S+?)([\])])(?: without (\S+))?$/.exec(domain);
  const [from, to] = [low, high].map((end) => Number(end.replace("∞", "Infinity")));
  return (from < x && x < to) || (x === from && open === "[") || (x === to && close === "]") ? without === undefined || x !== Number(without) : false;
}
