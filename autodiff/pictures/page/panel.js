// The panel: everything about one node that is known at the current step.
function panel() {
  const { phase, node = null } = steps[now];
  const i = chosen ?? node;
  const box = $("panel");
  if (i === null) box.replaceChildren(...(phase === "update" ? updates() : welcome()));
  else box.replaceChildren(...details(i));
  box.scrollTop = 0;
}
const part = (title, ...content) => [make("h3", {}, title), ...content];
const formula = (tree) => make("div", { class: "equation" }, equation(tree));
function sides(tree) { // splits a chain of equations: from the second sign on, one per line
  const lines = [[]];
  let signs = 0;
  for (const part of tree.slice(1)) {
    if (part[0] === "mo" && part[1] === "=" && ++signs > 1) lines.push([]);
    lines[lines.length - 1].push(part);
  }
  return lines.map((line) => formula(["mrow", ...line]));
}
const soon = (text) => make("p", { class: "soon" }, text);
function number(title, known, shown, exact, tone) {
  const value = make("dd", known ? { "data-exact": exact } : {}, known ? shown : "–");
  if (known) value.append(make("small", {}, exact.replace("-", "−")));
  return make("div", { class: known ? tone : "" }, make("dt", {}, title), value);
}
function details(i) {
  const node = nodes[i];
  const [known, swept] = [forwardAt[i] <= now, backwardAt[i] <= now];
  const root = i === nodes.length - 1;
  const kinds = { parameter: "parameter", input: "leaf: input or constant", operation: `operation: ${node.op}` };
  const content = [
    make("h2", { dir: "auto" }, node.label.trim() || inline(node.name)),
    make("p", { class: "chips" }, make("b", { class: node.kind }, kinds[node.kind])),
    make("dl", { class: "numbers" },
      number(inline(node.name), known, node.value, node.exactValue, ""),
      number(inline(["mrow", ["mi", "δ"], ["mo", "="], ["mfrac", ["mrow", ["mi", "∂"], data.loss.name], ["mrow", ["mi", "∂"], node.name]]]), swept, node.delta, node.exactDelta, node.tone)),
  ];
  if (node.kind === "operation") {
    content.push(...part("Forward", ...(known ? sides(node.forward) : [soon("Not computed yet.")])));
    if (known && node.locals.length) content.push(...part("Local derivatives", ...node.locals.map(formula)));
  }
  const rule = [];
  if (!swept) rule.push(soon("δ has not flowed back to here yet."));
  else if (root) rule.push(soon("The walk back begins here: the derivative of the result by itself is 1."), formula(node.backward));
  else if (node.terms.length) rule.push(...sides(node.backward), terms(node));
  content.push(...part("Chain rule", ...rule));
  if (swept && node.notes.length) content.push(make("ul", { class: "notes" }, ...node.notes.map((note) => make("li", { dir: "auto" }, note))));
  if (swept && node.updated) content.push(...part("Update", ...node.updated.map(formula)));
  return content;
}
function link(i) {
  const button = make("button", { type: "button", "aria-label": nodes[i].label.trim() || nodes[i].title }, inline(nodes[i].name));
  button.addEventListener("click", () => choose(i, { travel: true }));
  return button;
}
const row = (cell, ...cells) => make("tr", {}, ...cells.map((each) => (each instanceof Element ? each : make(cell, {}, each))));
const cell = (style, text) => make("td", { class: style }, text);
function terms(node) {
  const body = node.terms.map((term) => {
    if (term.from < 0) return row("td", `${term.count} more`, "", "", cell(term.tone, term.product), "");
    const product = cell(`product ${term.tone}`, term.product);
    product.dataset.exact = term.exactProduct;
    const sum = cell("sum", term.running);
    sum.dataset.exact = term.exactRunning;
    return row("td", make("td", {}, link(term.from)), term.delta, term.partial, product, sum);
  });
  const head = row("th", "from", "its δ", "· ∂", "= δ·∂", "sum");
  return make("div", { class: "table" }, make("table", { class: "terms" }, make("thead", {}, head), make("tbody", {}, ...body)));
}
function welcome() {
  return [
    make("h2", { dir: "auto" }, data.loss.title),
    soon("First the values go forward, from the leaves to the result. Then δ comes back: every node adds up what its consumers hand it, each its own δ times the local derivative."),
    soon("Click a node for its numbers. Play, or go with the arrow keys."),
    ...part("Leaves", leaves()),
  ];
}
function leaves() {
  const rows = [];
  nodes.forEach((node, i) => {
    if (node.kind !== "operation" && rows.length < 200) rows.push(row("td", make("td", {}, link(i)), node.kind, node.value));
  });
  return make("div", { class: "table" }, make("table", { class: "terms" }, make("thead", {}, row("th", "leaf", "kind", "value")), make("tbody", {}, ...rows)));
}
function updates() {
  const { rate, rows, after, before } = data.update;
  const rule = ["mrow", ["mi", "w"], ["mo", "←"], ["mi", "w"], ["mo", "−"], ["mi", "α"], ["mo", "·"],
    ["mfrac", ["mrow", ["mi", "∂"], data.loss.name], ["mrow", ["mi", "∂"], ["mi", "w"]]]];
  const lines = rows.slice(0, 400).map((each) => {
    const changed = cell("new", each.new);
    changed.dataset.exact = each.exactNew;
    return row("td", make("td", {}, link(each.node)), each.old, cell(each.tone, each.delta), changed);
  });
  const content = [
    make("h2", {}, "Update"),
    formula(rule),
    make("p", { class: "chips" }, `α = ${rate}`),
  ];
  if (after !== null) {
    content.push(make("dl", { class: "numbers" }, number("before", true, before, nodes[nodes.length - 1].exactValue, ""), number("after", true, after, data.update.exactAfter, data.update.better ? "positive" : "negative")));
  }
  content.push(make("div", { class: "table" }, make("table", { class: "terms" }, make("thead", {}, row("th", "parameter", "before", "δ", "after")), make("tbody", {}, ...lines))));
  return content;
}
