// Networks of dense layers that train as models.train does, on flat arrays. It knows nothing of the page around it.

// NumPy's PCG64, so that samples are shuffled in the order in which NumPy shuffles them.
const WORD = (1n << 64n) - 1n;
const LONG = (1n << 128n) - 1n;
class Random {
  constructor({ state, inc, half }) {
    [this.state, this.inc, this.half] = [BigInt(state), BigInt(inc), half];
  }

  copy() {
    return new Random(this);
  }

  next64() {
    this.state = (this.state * 0x2360ed051fc65da44385df649fccf645n + this.inc) & LONG;
    const high = this.state >> 64n;
    const mixed = high ^ (this.state & WORD);
    const turn = high >> 58n;
    return ((mixed >> turn) | (mixed << (-turn & 63n))) & WORD;
  }

  next32() {
    if (this.half !== null) {
      const kept = this.half;
      this.half = null;
      return kept;
    }
    const both = this.next64();
    this.half = Number(both >> 32n);
    return Number(both & 0xffffffffn);
  }

  below(most) { // a whole number from 0 to `most`
    if (most === 0) return 0;
    const mask = 2 ** (32 - Math.clz32(most)) - 1;
    for (;;) {
      const drawn = (this.next32() & mask) >>> 0;
      if (drawn <= most) return drawn;
    }
  }

  permutation(n) {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  uniform() {
    return Number(this.next64() >> 11n) / 2 ** 53;
  }

  normal() {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }
}

// What a recorded activation computes: one rule of the table, its operands after z constant.
class Activation {
  constructor({ name, graph }, graphs) {
    this.name = name;
    if (graph === null) return;
    const { ops, args, values } = graphs[graph];
    const last = ops.length - 1;
    const [, n, , , f, d, outside] = RULES[ops[last]];
    Object.assign(this, { n, f, d, outside, constants: args[last].slice(1).map((place) => Number(values[place])), ends: new Float64Array(n) });
  }

  // a = σ(z) and σ'(z), `count` of them; NaN where Python would raise.
  apply(z, a, slopes, count) {
    const { n, f, d, outside, constants, ends } = this;
    if (!f) {
      for (let i = 0; i < count; i++) { a[i] = z[i]; slopes[i] = 1; }
    } else if (n === 1) {
      for (let i = 0; i < count; i++) {
        a[i] = outside !== null && outside(z[i]) ? NaN : f(z[i]);
        d(z[i], a[i], slopes, i);
      }
    } else {
      const [c] = constants;
      for (let i = 0; i < count; i++) {
        a[i] = outside !== null && outside(z[i], c) ? NaN : f(z[i], c);
        d(z[i], c, a[i], ends, 0);
        slopes[i] = ends[0];
      }
    }
  }
}

// A loss of one sample: its recorded graph, swept.
class Loss {
  constructor({ graph, outputs, targets }, graphs) {
    this.graph = new Graph(graphs[graph], RULES);
    [this.outputs, this.targets] = [outputs, targets];
  }

  // The loss of a row of outputs and targets; ∂C/∂a goes to `slopes`.
  at(a, from, y, wanted, slopes, sweep = true) {
    const { graph, outputs, targets } = this;
    for (let j = 0; j < outputs.length; j++) if (outputs[j] >= 0) graph.values[outputs[j]] = a[from + j];
    for (let j = 0; j < targets.length; j++) if (targets[j] >= 0) graph.values[targets[j]] = y[wanted + j];
    graph.run();
    if (sweep) {
      graph.sweep();
      for (let j = 0; j < outputs.length; j++) slopes[from + j] = outputs[j] < 0 ? 0 : graph.deltas[outputs[j]];
    }
    return graph.values[graph.count - 1];
  }
}

// Parameters in the order of model.parameters(): layer by layer, neuron by neuron, weights and then the bias.
class Network {
  constructor(sizes, activations, bias, parameters = null) {
    let start = 0;
    this.layers = activations.map((activation, l) => {
      const [n, m, width] = [sizes[l], sizes[l + 1], sizes[l] + (bias[l] ? 1 : 0)];
      const layer = { n, m, width, bias: bias[l], activation, start };
      start += m * width;
      return layer;
    });
    [this.sizes, this.parameters] = [sizes, parameters ? Float64Array.from(parameters) : new Float64Array(start)];
  }

  at(l, j, i) { // the place of a weight, or with i = n of a bias
    const { start, width } = this.layers[l];
    return start + j * width + i;
  }

  // Draw weights anew, as initialization="xavier" has it, "he" for relu and its like; biases are 0.
  draw(random) {
    this.parameters.fill(0);
    for (const { n, m, width, start, activation } of this.layers) {
      const bound = Math.sqrt(6 / (/relu|softplus/.test(activation.name) ? n : n + m));
      for (let j = 0; j < m; j++) for (let i = 0; i < n; i++) this.parameters[start + j * width + i] = bound * (2 * random.uniform() - 1);
    }
    return this;
  }
}

// Room for so many samples: z, a, σ'(z) and δ of every layer, row by row.
class Pass {
  constructor(network, rows) {
    this.network = network;
    this.x = null;
    for (const name of ["z", "a", "slopes", "deltas"]) this[name] = network.layers.map(({ m }) => new Float64Array(rows * m));
    this.gradient = new Float64Array(network.parameters.length);
  }

  forward(x, rows) {
    this.x = x;
    const w = this.network.parameters;
    let from = x;
    this.network.layers.forEach(({ n, m, width, bias, activation, start }, l) => {
      const z = this.z[l];
      for (let r = 0; r < rows; r++) {
        const row = r * n;
        for (let j = 0; j < m; j++) {
          const at = start + j * width;
          let sum = bias ? w[at + n] : 0;
          for (let i = 0; i < n; i++) sum += w[at + i] * from[row + i];
          z[r * m + j] = sum;
        }
      }
      activation.apply(z, this.a[l], this.slopes[l], rows * m);
      from = this.a[l];
    });
    return from;
  }

  // δ = ∂C/∂z back from ∂C/∂a of the outputs, which stand in the last layer's `deltas`, and the mean gradient.
  backward(rows) {
    const { gradient, network: { layers, parameters: w } } = this;
    gradient.fill(0);
    for (let l = layers.length - 1; l >= 0; l--) {
      const { n, m, width, bias, start } = layers[l];
      const [deltas, slopes] = [this.deltas[l], this.slopes[l]];
      const from = l ? this.a[l - 1] : this.x;
      const before = l ? this.deltas[l - 1] : null;
      if (before) before.fill(0, 0, rows * n);
      for (let r = 0; r < rows; r++) {
        for (let j = 0; j < m; j++) {
          const k = r * m + j;
          const delta = deltas[k] !== 0 && slopes[k] !== 0 ? deltas[k] * slopes[k] : 0; // 0 · ∞ hands on nothing
          deltas[k] = delta;
          if (delta === 0) continue;
          const at = start + j * width;
          for (let i = 0; i < n; i++) gradient[at + i] += delta * from[r * n + i];
          if (bias) gradient[at + n] += delta;
          if (before) for (let i = 0; i < n; i++) before[r * n + i] += delta * w[at + i];
        }
      }
    }
    for (let i = 0; i < gradient.length; i++) gradient[i] /= rows;
    return gradient;
  }
}

// The rules of models.optimizers, for arrays.
const OPTIMIZERS = {
  gd: (w, g, rate) => { for (let i = 0; i < w.length; i++) w[i] -= rate * g[i]; },
  momentum: (w, g, rate, kept) => {
    const change = (kept.change ??= new Float64Array(w.length));
    for (let i = 0; i < w.length; i++) w[i] += change[i] = data.constants.momentum * change[i] - rate * g[i];
  },
  adam: (w, g, rate, kept) => {
    const { beta1, beta2, epsilon } = data.constants;
    const m = (kept.m ??= new Float64Array(w.length));
    const v = (kept.v ??= new Float64Array(w.length));
    const t = (kept.t = (kept.t ?? 0) + 1);
    const [step, root] = [rate / (1 - beta1 ** t), Math.sqrt(1 - beta2 ** t)];
    for (let i = 0; i < w.length; i++) {
      m[i] += (1 - beta1) * (g[i] - m[i]);
      v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
      w[i] -= (step * m[i]) / (Math.sqrt(v[i]) / root + epsilon);
    }
  },
};

// A run of training: `settings` may change between steps.
class Training {
  constructor(network, loss, samples, settings, penalties, random) {
    Object.assign(this, { network, loss, settings, penalties, random, kept: {}, epoch: 0, train: [], test: [], problem: null });
    this.take(samples);
  }

  take(samples) {
    const { x, y, n, k, testX, testY } = samples;
    Object.assign(this, { x, y, n, k, testX, testY, rows: x.length / n, testRows: testX.length / n });
    this.pass = new Pass(this.network, Math.max(this.rows, this.testRows));
    [this.batchX, this.batchY] = [new Float64Array(x.length), new Float64Array(y.length)];
    this.begin();
  }

  begin() { // an epoch anew
    [this.order, this.done, this.losses, this.counts] = [null, 0, 0, 0];
  }

  // One step on the next batch; true at the end of an epoch, null where a number is not finite and nothing changed.
  step() {
    const { n, k, rows, x, y, settings } = this;
    const size = Math.min(settings.batch || rows, rows);
    if (this.done === 0) this.order = settings.shuffle && size < rows ? this.random.permutation(rows) : null;
    const count = Math.min(size, rows - this.done);
    let [bx, by] = [x, y];
    if (count < rows) {
      [bx, by] = [this.batchX, this.batchY];
      for (let r = 0; r < count; r++) {
        const row = this.order ? this.order[this.done + r] : this.done + r;
        for (let i = 0; i < n; i++) bx[r * n + i] = x[row * n + i];
        for (let j = 0; j < k; j++) by[r * k + j] = y[row * k + j];
      }
    }
    const loss = this.measure(bx, by, count);
    const gradient = this.pass.backward(count);
    const whole = loss + this.penalise(gradient);
    const before = this.network.parameters.slice();
    if (Number.isFinite(whole) && gradient.every(Number.isFinite)) OPTIMIZERS[settings.optimizer](this.network.parameters, gradient, settings.rate, this.kept);
    if (!Number.isFinite(whole) || !this.network.parameters.every(Number.isFinite)) {
      this.network.parameters.set(before);
      this.problem = this.loss.graph.error?.message ?? "";
      return null;
    }
    this.problem = null;
    this.losses += whole * count;
    this.counts += count;
    this.done += count;
    if (this.done < rows) return false;
    this.epoch++;
    this.train.push(this.losses / this.counts);
    if (this.testRows) this.test.push(this.measure(this.testX, this.testY, this.testRows, false));
    this.begin();
    return true;
  }

  // The mean loss of samples, without penalty; ∂C/∂a goes to the last layer's δ.
  measure(x, y, rows, sweep = true) {
    const { pass, loss, k } = this;
    const a = pass.forward(x, rows);
    const width = loss.outputs.length;
    const slopes = pass.deltas[pass.deltas.length - 1];
    let sum = 0;
    for (let r = 0; r < rows; r++) sum += loss.at(a, r * width, y, r * k, slopes, sweep);
    return sum / rows;
  }

  // The penalty of the weights, not of the biases; its gradient is added.
  penalise(gradient) {
    const { penalty, strength } = this.settings;
    if (!penalty || !strength) return 0;
    const graph = this.penalties[penalty];
    const leaf = graph.first.findIndex((from, i) => i < graph.count && from === graph.first[i + 1]);
    let sum = 0;
    for (const { n, m, width, start } of this.network.layers) {
      for (let j = 0; j < m; j++) {
        for (let i = start + j * width; i < start + j * width + n; i++) {
          graph.values[leaf] = this.network.parameters[i];
          graph.run();
          graph.sweep();
          sum += graph.values[graph.count - 1];
          gradient[i] += strength * graph.deltas[leaf];
        }
      }
    }
    return strength * sum;
  }
}
