// The Python that makes the network as it stands, with its data and settings.
function python({ network, settings, set, samples, penalty, epoch, kept, random, done }) {
  const rows = (flat, width) => `[${Array.from({ length: flat.length / width }, (_, r) => `[${Array.from(flat.slice(r * width, r * width + width)).join(", ")}]`).join(",\n    ")}]`;
  const imports = ["from models import MLP"];
  if (penalty) imports.push(`from models.losses import ${settings.penalty}`);
  imports.push("from models.training import train");
  const lines = [];
  const classes = settings.loss === "cross_entropy";
  const tested = samples.testX.length > 0;
  const given = set.name === "own" && samples.plain;
  if (given) lines.push(`# X, y${tested ? ", validation" : ""}: ${say("codeGiven")}`);
  else if (samples.plain && set.code) lines.push(set.code.trim());
  else {
    imports.unshift("import numpy as np");
    const column = (y) => (set.k > 1 ? rows(y, set.k) : `[${Array.from(y).join(", ")}]`);
    lines.push(`X = np.array(${rows(samples.x, set.n)})`, `y = np.array(${column(samples.y)})`);
    if (tested) lines.push(`validation = (np.array(${rows(samples.testX, set.n)}), np.array(${column(samples.testY)}))`);
  }
  const table = samples.plain && set.name !== "own";
  if (set.two && samples.plain && samples.low !== Math.min(...set.y)) {
    const other = (y) => (samples.low ? `2 * ${y} - 1` : `(${y} + 1) / 2`);
    lines.push(`y = ${other("y")}`);
    if (tested) lines.push(`validation = (validation[0], ${other("validation[1]")})`);
  }
  if (table && set.name === "iris" && !classes) {
    imports.unshift("import numpy as np");
    lines.push("y = np.eye(3)[y.astype(int)]");
  }
  const names = network.layers.map(({ activation }) => (activation.own ? activation.name : `"${activation.name}"`));
  const own = [...new Set(network.layers.filter(({ activation }) => activation.own).map(({ activation }) => activation.name))];
  if (own.length) lines.push(`# ${own.join(", ")}: ${say("codeOwn")}`);
  const [first, ...sizes] = network.sizes;
  const plain = network.layers.every(({ bias }) => !bias);
  lines.push("", `# ${say("codeAfter", { n: epoch })}`, `model = MLP(${first}, [${sizes.join(", ")}], activation=[${names.join(", ")}]${plain ? ", bias=False" : ""})`);
  const matrices = network.layers.map(({ n, m }, l) => `[${Array.from({ length: m }, (_, j) => `[${Array.from({ length: n }, (_, i) => network.parameters[network.at(l, j, i)]).join(", ")}]`).join(",\n     ")}]`);
  const biases = network.layers.map(({ n, m, bias }, l) => `[${Array.from({ length: m }, (_, j) => (bias ? network.parameters[network.at(l, j, n)] : 0)).join(", ")}]`);
  lines.push("model.load_weights(", `    [${matrices.join(",\n     ")}],`);
  if (!plain) lines.push(`    [${biases.join(",\n     ")}],`);
  lines.push(")", "", ...optimizerOf(settings, kept, imports), ...orderOf(settings, random, imports));
  if (done) lines.push(`# ${say("codeBegun")}`);
  lines.push("history = train(", "    model, X, y,");
  const loss = data.losses.find(({ name }) => name === settings.loss);
  lines.push(`    loss=${loss.own ? `${settings.loss},  # ${say("codeLoss")}` : `"${settings.loss}",`}`);
  lines.push(`    optimizer=${Object.keys(kept).length ? "optimizer" : `"${settings.optimizer}", learning_rate=${settings.rate}`}, epochs=100,`);
  if (settings.batch) lines.push(`    batch_size=${settings.batch}${settings.shuffle ? `, random_state=${seeded(random) ? data.seed : "random"}` : ", shuffle=False"},`);
  if (tested) lines.push("    validation=validation,");
  if (penalty) lines.push(`    penalty=lambda all: ${settings.penalty}([p for p in all if "weight" in p.label], ${settings.strength}),`);
  lines.push(")");
  return `${[...new Set(imports)].join("\n")}\n\n${lines.join("\n")}\n`;
}
// What an optimizer has kept of earlier steps, for Python to go on with.
function optimizerOf({ optimizer, rate }, kept, imports) {
  if (!Object.keys(kept).length) return [];
  imports.splice(imports.length - 1, 0, "from models.optimizers import optimizer_by_name");
  const numbers = (array) => `[${Array.from(array).join(", ")}]`;
  const state = kept.m
    ? `"steps": ${kept.t},\n    "first_moment": ${numbers(kept.m)},\n    "second_moment": ${numbers(kept.v)}`
    : `"change": ${numbers(kept.change)}`;
  return [`optimizer = optimizer_by_name("${optimizer}", model.parameters(), learning_rate=${rate})`, `optimizer.load_state(optimizer.state() | {${state}})`];
}
// The generator that shuffles the samples, as it stands; the seed says as much where it has not begun.
const seeded = ({ state, half }) => data.seed !== null && String(state) === data.random.state && half === data.random.half;
function orderOf({ batch, shuffle }, random, imports) {
  if (!batch || !shuffle || seeded(random)) return [];
  imports.unshift("import numpy as np");
  const { state, inc, half } = random;
  return [
    "random = np.random.default_rng()",
    `random.bit_generator.state = {"bit_generator": "PCG64", "state": {"state": ${state}, "inc": ${inc}}, "has_uint32": ${half === null ? 0 : 1}, "uinteger": ${half ?? 0}}`,
  ];
}
