// The panel: everything about one node that is known at the current step.
function panel() {
  const { phase, node = null } = steps[now];
  const i = chosen ?? node;
  const content = i === null ? (phase === "update" ? updates() : welcome()) : details(i);
  const [head, ...rest] = content;
  if (!$("told").firstChild || $("told").dataset.of !== `${i}`) $("panel").scrollTop = 0;
  $("told").dataset.of = `${i}`;
  $("told").replaceChildren(head);
  edit(i);
  $("facts").replaceChildren(...rest);
}
// Fields to change numbers by: they stay while numbers change, or a drag would end.
let editing = null;
const fields = new Map(); // by place in the graph's values
function edit(i) {
  const places = i === null || !alive || unitOf[i] ? [] : nodes[i].kind === "operation"
    ? [...graph.args.slice(graph.first[i], graph.first[i + 1])].filter((place) => inputs.has(place)) : [i];
  const editable = i === null || unitOf[i] ? null : i;
  if (editing !== editable) {
    editing = editable;
    fields.clear();
    const rows = places.slice(0, 40).map((place, at) => {
      const name = place < COUNT ? nodes[i].label.trim() || nodes[i].title : say("inputAt", { n: at + 1 });
      const x = graph.values[place];
      const reach = Number.isFinite(x) ? Math.max(2, 2 ** Math.ceil(Math.log2(2 * Math.abs(x) || 1))) : 2;
      const slide = make("input", { type: "range", min: -reach, max: reach, step: reach / 400, "aria-label": say("change", { name }) });
      const type = make("input", { "aria-label": name });
      const take = (field) => (number) => {
        if (field.fresh !== false) remember(); // one undo for a whole drag
        field.fresh = false;
        change(place, number);
      };
      for (const field of [slide, type]) {
        for (const event of ["pointerdown", "change"]) field.addEventListener(event, () => { field.fresh = true; });
      }
      slide.addEventListener("input", () => take(slide)(Number(slide.value)));
      numeric(type, take(type), { held: () => String(graph.values[place]) });
      fields.set(place, [slide, type]);
      return make("div", { class: "field" }, ...(place < COUNT ? [] : [make("span", {}, name)]), slide, type);
    });
    $("editor").replaceChildren(...rows);
  }
  for (const [place, pair] of fields) {
    for (const field of pair) if (field !== document.activeElement) field.value = String(graph.values[place]);
  }
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
function number(title, known, x, mood) {
  const [shown, exact] = [show(x), written(x)];
  const value = make("dd", known ? { "data-exact": exact } : {}, known ? shown : "–");
  if (known) value.append(make("small", {}, exact.replace("-", "−")));
  return make("div", { class: known ? mood : "" }, make("dt", {}, title), value);
}
function unit(i) {
  const { title, inside, key } = unitOf[i];
  const button = make("button", { type: "button" }, say("unfold"));
  button.addEventListener("click", () => fold(key, null));
  const rows = inside.slice(0, 200).map((each) => row("td", make("td", {}, link(each)), nodes[each].kind !== "operation" || forwardAt[i] <= now ? show(graph.values[each]) : "–", backwardAt[i] <= now ? cell(tone(graph.deltas[each]), show(graph.deltas[each])) : "–"));
  return [make("h2", {}, title), button, table("inside", rows)];
}
function folders(i) { // buttons that fold what a node is part of
  return data.folds.flatMap((each, level) => {
    if (each.of[i] < 0 || (level && each.titles[each.of[i]] === data.folds[0].titles[data.folds[0].of[i]])) return [];
    const title = each.titles[each.of[i]];
    const button = make("button", { type: "button" }, say("fold", { title }));
    button.addEventListener("click", () => fold(keyOf(level, i), unitAt(level, each.of[i])));
    return [button];
  });
}
function details(i) {
  if (unitOf[i]) return unit(i);
  const node = nodes[i];
  const [known, swept] = [forwardAt[i] <= now, backwardAt[i] <= now];
  const kind = say({ parameter: "parameterKind", input: "inputKind", operation: "operationKind" }[node.kind], { op: node.op });
  const content = [
    make("h2", { dir: "auto" }, ...(node.sample ? [make("small", {}, `${say("sampleAt", { n: node.sample })} · `)] : []), node.label.trim() || inline(node.name)),
    make("p", { class: "chips" }, make("b", { class: node.kind }, kind), ...folders(i)),
    make("dl", { class: "numbers" },
      number(inline(node.name), known, graph.values[i], ""),
      number(inline(["mrow", ["mi", "δ"], ["mo", "="], ["mfrac", ["mrow", ["mi", "∂"], nodes[root].name], ["mrow", ["mi", "∂"], node.name]]]), swept, graph.deltas[i], tone(graph.deltas[i]))),
  ];
  if (node.kind === "operation") {
    content.push(...part(say("forward"), ...(known ? sides(forwardOf(i)) : [soon(say("notComputed"))])));
    if (known && node.locals.length) content.push(...part(say("localTitle"), ...localsOf(i).map(formula)));
  }
  const rule = [];
  if (!swept) rule.push(soon(say("notSwept")));
  else if (i === root) rule.push(soon(say("begins")), formula(backwardOf(i)));
  else if (outOf[i].length) rule.push(...sides(backwardOf(i)), terms(i));
  content.push(...part(say("ruleTitle"), ...rule));
  if (swept && node.held !== null) content.push(make("p", { class: "notes held" }, say("held", { held: show(Number(node.held)), delta: show(graph.deltas[i]) })));
  if (swept && !touched && root === COUNT - 1 && node.notes.length) content.push(make("ul", { class: "notes" }, ...node.notes.map((note) => make("li", { dir: "auto" }, note))));
  if (swept && data.parameters.includes(i)) content.push(...part(say("updateTitle"), ...updateOf(i).map(formula)));
  return content;
}
function link(i) {
  const button = make("button", { type: "button", "aria-label": nodes[i].label.trim() || nodes[i].title }, inline(nodes[i].name));
  button.addEventListener("click", () => choose(i, { travel: true }));
  return button;
}
const row = (cell, ...cells) => make("tr", {}, ...cells.map((each) => (each instanceof Element ? each : make(cell, {}, each))));
const table = (heads, rows) =>
  make("div", { class: "table" }, make("table", { class: "terms" }, make("thead", {}, row("th", ...list(heads))), make("tbody", {}, ...rows)));
const cell = (style, text) => make("td", { class: style }, text);
function terms(i) {
  const all = contributions(i);
  const kept = largest(all, 60);
  const body = kept.map((term) => {
    const product = cell(`product ${tone(term.product)}`, show(term.product));
    product.dataset.exact = written(term.product);
    const sum = cell("sum", show(term.running));
    sum.dataset.exact = written(term.running);
    return row("td", make("td", {}, link(term.from)), show(term.delta), show(term.partial), product, sum);
  });
  if (kept.length < all.length) {
    const rest = sum(all.filter((term) => !kept.includes(term)));
    body.push(row("td", say("more", { n: all.length - kept.length }), "", "", cell(tone(rest), show(rest)), ""));
  }
  return table("terms", body);
}
function welcome() {
  return [make("h2", { dir: "auto" }, lossTitle()), soon(say("welcome")), soon(alive ? say("hint") : data.frozen), ...part(say("leavesTitle"), leaves())];
}
function leaves() {
  const rows = [];
  const here = new Set(view.nodes);
  const updated = new Set(data.parameters);
  for (const i of [...view.nodes.filter((each) => !updated.has(each)), ...data.parameters.filter((each) => here.has(each))]) { // layer by layer
    if (nodes[i].kind !== "operation" && rows.length < 200) rows.push(row("td", make("td", {}, link(i)), say(nodes[i].kind), show(graph.values[i])));
  }
  return table("leaf", rows);
}
function updates() {
  const rule = ["mrow", ["mi", "w"], ["mo", "←"], ["mi", "w"], ["mo", "−"], ["mi", "α"], ["mo", "·"], d(nodes[root].name, ["mi", "w"])];
  const lines = data.parameters.slice(0, 400).map((i) => {
    const changed = cell("new", show(stepped(i)));
    changed.dataset.exact = written(stepped(i));
    return row("td", make("td", {}, link(i)), show(graph.values[i]), cell(tone(graph.deltas[i]), show(graph.deltas[i])), changed);
  });
  const content = [make("h2", {}, say("updateTitle")), formula(rule), make("p", { class: "chips" }, `α = ${show(rate)}`)];
  const [before, after] = [graph.values[root], lossAfter()];
  if (after !== null) {
    content.push(make("dl", { class: "numbers" }, number(say("before"), true, before, ""), number(say("after"), true, after, after < before ? "positive" : "negative")));
  }
  content.push(table("rows", lines));
  return content;
}
// The bar below the graph: α, iterations, the loss as a curve.
function live() {
  $("live").hidden = !alive;
  $("live").classList.toggle("fresh", !touched && !past.length);
  $("undo").disabled = !past.length;
  $("reset").disabled = !touched;
  $("iterations").textContent = say("iterations", { n: iterations }) + (losses.length > 1 ? `: ${lossTitle()} ${show(losses[0])} → ${show(losses[losses.length - 1])}` : "");
  if ($("rate") !== document.activeElement || Number($("rate").value) !== rate) $("rate").value = String(rate);
  $("alpha").value = String(Math.log10(rate));
  plot();
}
// The loss by iteration, with figures at the ends of its axes.
const [axes, line, ...figures] = ["path", "polyline", "text", "text", "text", "text"].map((name) => draw(name));
$("curve").append(axes, line, ...figures);
let room = null; // of the curve: asking for it in every iteration would lay out the page each time
new ResizeObserver(() => { room = null; plot(); }).observe($("curve"));
function plot() {
  const svg = $("curve");
  svg.classList.toggle("empty", losses.length < 2);
  if (losses.length < 2) return;
  let [low, high] = [Infinity, -Infinity];
  for (const y of losses) if (Number.isFinite(y)) [low, high] = [Math.min(low, y), Math.max(high, y)];
  room ??= [svg.clientWidth, svg.clientHeight];
  const [[width, height], last] = [room, losses.length - 1];
  const ends = [high, low].map((y) => show(Number(y.toPrecision(3))));
  const [left, right, top, bottom] = [7 * Math.max(...ends.map(({ length }) => length)) + 8, width - 6, 6, height - 16];
  const every = Math.ceil(losses.length / 300);
  const points = losses.flatMap((y, k) => (Number.isFinite(y) && (k % every === 0 || k === last)
    ? [`${(left + ((right - left) * k) / last).toFixed(1)},${(bottom - ((bottom - top) * (y - low)) / (high - low || 1)).toFixed(1)}`] : []));
  axes.setAttribute("d", `M${left} ${top}V${bottom}H${right}`);
  line.setAttribute("points", points.join(" "));
  [[left - 5, top + 5, "end", ends[0]], [left - 5, bottom + 3, "end", ends[1]], [left, height - 2, "middle", "0"], [right, height - 2, "end", last]].forEach(([x, y, anchor, text], k) => {
    fill(figures[k], { x, y, "text-anchor": anchor }, []);
    figures[k].textContent = text;
  });
  svg.setAttribute("aria-label", say("curve", { n: iterations, from: show(losses[0]), to: show(losses[last]) }));
}
