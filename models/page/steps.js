// "Show me this step": the stepper's data for one sample of the network as it stands, put together from what Python
// recorded of a neuron, an activation and a loss: their graphs, and their formulas as trees.
const index = (i, j) => (i < 9 && j < 9 ? `${i + 1}${j + 1}` : `${i + 1},${j + 1}`);
const [LOW, HIGH] = ["₀₁₂₃₄₅₆₇₈₉", "⁰¹²³⁴⁵⁶⁷⁸⁹"];
const digits = (text, small) => [...text].map((digit) => small[digit] ?? digit).join("");
const titled = (letter, low, high) => `${letter}${digits(high, HIGH)}${digits(low, LOW)}`;
const mname = (label, letter, low, high) => ["mname", label, high === undefined ? ["msub", ["mi", letter], ["mn", low]] : ["msubsup", ["mi", letter], ["mn", low], ["mn", high]]];
function walked() {
  const { parameters, layers } = training.network;
  const nodes = [];
  const [ops, args, values, constants] = [[], [], [], []];
  const [parameterPlaces, units] = [[], []]; // the layer and neuron of every node
  const plainNode = { sample: 0, value: "", delta: "", notes: [], held: null, op: "", symbol: "", definition: null, numbers: null, locals: [] };
  const leaf = (title, label, name, kind, value, unit) => {
    nodes.push({ ...plainNode, title, label, name, kind });
    [ops, args, values].forEach((list, at) => list.push([-1, [], value][at]));
    units.push(unit);
    return nodes.length - 1;
  };
  // Put a recorded graph in: `bound` are the nodes in place of its leaves, by the leaf's title.
  function put(graph, bound, { label, title, name }, unit) {
    const [recorded, told] = [data.graphs[graph], data.told[graph]];
    const places = [];
    const names = new Map();
    const offset = recorded.ops.length;
    const renamed = (tree) => {
      if (!Array.isArray(tree)) return tree;
      if (tree[0] === "mval") return tree[1] < offset ? ["mval", places[tree[1]]] : ["mn", show(Number(recorded.values[tree[1]]))];
      return names.get(JSON.stringify(tree)) ?? tree.map(renamed);
    };
    recorded.ops.forEach((op, i) => {
      const { title: own, name: called } = told[i];
      if (op < 0) {
        places[i] = bound[own];
        names.set(JSON.stringify(called), nodes[places[i]].name);
        return;
      }
      const end = i === offset - 1;
      if (end && name) names.set(JSON.stringify(called), name);
      const node = { ...plainNode, ...told[i], kind: "operation", label: end ? label : "", title: end ? title : typeset(called), name: end ? name : called };
      node.definition = told[i].definition ? renamed(told[i].definition) : null;
      node.numbers = told[i].numbers ? renamed(told[i].numbers) : null;
      node.locals = (told[i].locals ?? []).map(([place, rule, everywhere]) => [place, rule && everywhere ? renamed(rule) : null, everywhere]);
      ops.push(op);
      args.push(recorded.args[i].map((at) => (at < offset ? places[at] : { constant: constants.push(Number(recorded.values[at])) - 1 })));
      values.push(0);
      units.push(unit);
      places[i] = nodes.push(node) - 1;
    });
    return places[offset - 1];
  }
  const typeset = (tree) => (typeof tree === "string" ? tree : tree[0] === "msub" ? typeset(tree[1]) + digits(typeset(tree[2]), LOW) : tree.slice(1).map(typeset).join(""));

  const { x, y, n, k } = training;
  let signals = Array.from({ length: n }, (_, i) => {
    const standard = set.names[i] === `x${i + 1}`;
    return leaf(clip(set.names[i], 18), set.names[i], standard ? mname(`x${i + 1}`, "x", String(i + 1)) : ["mtext", set.names[i]], "input", x[chosen * n + i], null);
  });
  const outs = [];
  layers.forEach((layer, l) => {
    signals = Array.from({ length: layer.m }, (_, j) => {
      const path = `layer${l + 1}.neuron${j + 1}`;
      const bound = {};
      const unit = [l, j];
      signals.forEach((signal, i) => {
        bound[`w${i}`] = leaf(titled("w", index(j, i), String(l + 1)), `${path}.weight${i + 1}`, mname(`${path}.weight${i + 1}`, "w", index(j, i), String(l + 1)), "parameter", parameters[training.network.at(l, j, i)], unit);
        parameterPlaces.push(bound[`w${i}`]);
        bound[`x${i}`] = signal;
      });
      bound.b = leaf(titled("b", String(j + 1), String(l + 1)), `${path}.bias`, mname(`${path}.bias`, "b", String(j + 1), String(l + 1)), layer.bias ? "parameter" : "input", layer.bias ? parameters[training.network.at(l, j, layer.n)] : 0, unit);
      if (layer.bias) parameterPlaces.push(bound.b);
      const z = put(data.neurons[layer.n - 1], bound, { title: titled("z", String(j + 1), String(l + 1)), label: `${path}.z`, name: mname(`${path}.z`, "z", String(j + 1), String(l + 1)) }, unit);
      const { graph } = data.activations.find(({ name }) => name === layer.activation.name);
      const a = graph === null ? z : put(graph, { z }, { title: titled("a", String(j + 1), String(l + 1)), label: `${path}.a`, name: mname(`${path}.a`, "a", String(j + 1), String(l + 1)) }, unit);
      outs.push({ unit, a, z });
      return a;
    });
  });
  const bound = {};
  signals.forEach((a, j) => { bound[`a${j}`] = a; });
  for (let j = 0; j < k; j++) bound[`y${j}`] = leaf(k > 1 ? `y${j + 1}` : "y", k > 1 ? `y${j + 1}` : "y", k > 1 ? mname(`y${j + 1}`, "y", String(j + 1)) : ["mi", "y"], "input", y[chosen * k + j], null);
  const found = losses.find(({ name }) => name === settings.loss);
  put(found.graphs[`${outputs()},${k}`].graph, bound, { title: "C", label: "C", name: ["mi", "C"] }, null);

  const resolved = (at) => (typeof at === "object" ? nodes.length + at.constant : at);
  const graph = { ops, args: args.map((each) => each.map(resolved)), values: [...values, ...constants], partials: [], inputs: [] };
  const run = new Graph(graph, RULES);
  run.run();
  const told = (numbers) => Array.from(numbers, (number) => (Number.isFinite(number) ? number : String(number)));
  Object.assign(graph, { values: told(run.values), partials: told(run.partials) });
  const fold = (keyOf, titleOf, groups) => ({
    titles: groups.map(titleOf),
    ...Object.fromEntries([["outputs", "a"], ["sums", "z"]].map(([name, which]) => [name, groups.map((group) => outs.filter(({ unit }) => keyOf(unit) === group).map((each) => each[which]))])),
    of: units.map((unit) => (unit ? groups.indexOf(keyOf(unit)) : -1)),
  });
  const everyNeuron = [...new Set(outs.map(({ unit }) => unit.join(".")))];
  const everyLayer = layers.map((_, l) => String(l));
  return {
    language, nodes, graph, frozen: "", layouts: [], views: [{ nodes: nodes.map((_, i) => i), layout: 0 }],
    folds: [
      fold((unit) => unit.join("."), (key) => key.split(".").map((part, at) => `${at ? "neuron" : "layer"}${Number(part) + 1}`).join("."), everyNeuron),
      fold((unit) => String(unit[0]), (key) => `layer${Number(key) + 1}`, everyLayer),
    ],
    labelled: 60, digits: 4, loss: { name: ["mi", "C"], title: "C" }, parameters: parameterPlaces, rate: settings.rate,
  };
}
// The stepper's page with this data in it.
function walkPage() {
  const text = JSON.stringify(walked()).replace(/</g, "\\u003c");
  return data.walk.replace('id="data">{}', () => `id="data">${text}`);
}
const walkable = () => training.network.parameters.length <= WALKED && training.network.layers.every(({ n }) => n <= data.neurons.length);
