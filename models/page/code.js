// The Python that makes the network as it stands, with its data and settings.
function python({ network, settings, set, samples, penalty, epoch }) {
  const rows = (flat, width) => `[${Array.from({ length: flat.length / width }, (_, r) => `[${Array.from(flat.slice(r * width, r * width + width)).join(", ")}]`).join(",\n    ")}]`;
  const imports = ["from models import MLP"];
  if (penalty) imports.push(`from models.losses import ${settings.penalty}`);
  imports.push("from models.training import train");
  const lines = [];
  const classes = settings.loss === "cross_entropy";
  if (set.name === "own" && samples.plain) lines.push("# X, y: the data that you gave to playground()");
  else if (samples.plain && set.code) lines.push(set.code.trim());
  else {
    imports.unshift("import numpy as np");
    const y = set.k > 1 ? rows(samples.y, set.k) : `[${Array.from(samples.y).join(", ")}]`;
    lines.push(`X = np.array(${rows(samples.x, set.n)})`, `y = np.array(${y})`);
  }
  const table = samples.plain && set.name !== "own";
  if (set.two && samples.plain && samples.low !== Math.min(...set.y)) lines.push(samples.low ? "y = 2 * y - 1" : "y = (y + 1) / 2");
  if (table && set.name === "iris" && !classes) {
    imports.unshift("import numpy as np");
    lines.push("y = np.eye(3)[y.astype(int)]");
  }
  const names = network.layers.map(({ activation }) => (activation.own ? activation.name : `"${activation.name}"`));
  const own = [...new Set(network.layers.filter(({ activation }) => activation.own).map(({ activation }) => activation.name))];
  if (own.length) lines.push(`# ${own.join(", ")}: your own Op`);
  const [first, ...sizes] = network.sizes;
  const plain = network.layers.every(({ bias }) => !bias);
  lines.push("", `# the network after ${epoch} epoch${epoch === 1 ? "" : "s"}`, `model = MLP(${first}, [${sizes.join(", ")}], activation=[${names.join(", ")}]${plain ? ", bias=False" : ""})`);
  const matrices = network.layers.map(({ n, m }, l) => `[${Array.from({ length: m }, (_, j) => `[${Array.from({ length: n }, (_, i) => network.parameters[network.at(l, j, i)]).join(", ")}]`).join(",\n     ")}]`);
  const biases = network.layers.map(({ n, m, bias }, l) => `[${Array.from({ length: m }, (_, j) => (bias ? network.parameters[network.at(l, j, n)] : 0)).join(", ")}]`);
  lines.push("model.load_weights(", `    [${matrices.join(",\n     ")}],`);
  if (!plain) lines.push(`    [${biases.join(",\n     ")}],`);
  lines.push(")", "", "history = train(", "    model, X, y,");
  const loss = data.losses.find(({ name }) => name === settings.loss);
  lines.push(`    loss=${loss.own ? `${settings.loss}, # your own` : `"${settings.loss}",`}`);
  lines.push(`    optimizer="${settings.optimizer}", learning_rate=${settings.rate}, epochs=100,`);
  if (settings.batch) lines.push(`    batch_size=${settings.batch}${settings.shuffle ? "" : ", shuffle=False"},`);
  if (penalty) lines.push(`    penalty=lambda all: ${settings.penalty}([p for p in all if "weight" in p.label], ${settings.strength}),`);
  lines.push(")");
  return `${[...new Set(imports)].join("\n")}\n\n${lines.join("\n")}\n`;
}
