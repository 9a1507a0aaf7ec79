// The page at a step.
function go(step, { keep = false, still = false } = {}) {
  now = Math.min(steps.length - 1, Math.max(0, step));
  if (!keep) chosen = null;
  const { phase, node = null } = steps[now];
  const part = new Set(node === null ? [] : involved(node));
  scale = Math.max(...links.map((link) => Math.abs(productOf(link))).filter(Number.isFinite), 0) || 1;
  cards.forEach((drawn, i) => {
    const swept = backwardAt[i] <= now;
    const style = [
      "node", nodes[i].kind,
      forwardAt[i] > now ? "ahead" : "",
      swept ? `swept ${tone(deltaOf(i))}` : "",
      i === node ? "current" : part.has(i) ? "part" : "",
      i === chosen ? "selected" : "",
    ].filter(Boolean).join(" ");
    drawn.group.setAttribute("aria-label", spoken(i));
    if (phase === "update" || drawn.updated) drawn.renumber?.();
    if (style === drawn.look) return;
    drawn.look = style;
    drawn.group.setAttribute("class", style);
    if (i === node) drawn.group.setAttribute("aria-current", "step");
    else drawn.group.removeAttribute("aria-current");
  });
  const numbered = [];
  wires.forEach((drawn, k) => {
    const edge = links[k];
    if (!drawn.wire) return;
    const known = forwardAt[edge.to] <= now;
    const product = productOf(edge);
    const back = backwardAt[edge.from] <= now;
    const current = (phase === "forward" && edge.to === node) || (phase === "backward" && edge.from === node);
    const style = `edge ${back ? `back ${tone(product)}` : known ? "on" : "off"}${current ? " current" : ""}`;
    const told = few() || (current && numbered.length < 12);
    drawn.group.setAttribute("class", style);
    const [path, tip] = back ? drawn.backward : drawn.forward;
    drawn.wire.setAttribute("d", path);
    drawn.tip.setAttribute("points", known || back ? tip : "");
    drawn.wire.style.strokeWidth = back ? `${width(product) + (current ? 1 : 0)}px` : "";
    if (told) {
      labels(drawn);
      numbered.push(drawn);
    }
    if (drawn.told) {
      drawn.told.setAttribute("class", style);
      drawn.partial.textContent = told && known && edge.all.length === 1 ? `∂ ${show(graph.partials[edges[edge.all[0]].at])}` : "";
      drawn.product.textContent = told && back && unitOf[edge.from]?.alike !== false ? `δ·∂ ${show(product)}` : "";
    }
  });
  if (!still) spread(numbered);
  if (node === null) {
    ring.setAttribute("visibility", "hidden");
  } else {
    const [x, y, width] = boxes[node];
    const box = { x: x - width / 2 - 3, y: y - HEIGHT / 2 - 3, width: width + 6, height: HEIGHT + 6, visibility: "visible" };
    for (const [name, value] of Object.entries(box)) ring.setAttribute(name, value);
  }
  for (const item of document.querySelectorAll("#phases li")) {
    const here = item.dataset.phase === (phase === "start" ? "forward" : phase);
    if (here) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
  $("slider").value = String(now);
  $("slider").setAttribute("aria-valuetext", say(phase === "start" ? "stepOf" : "stepOfPhase", { ...steady(), phase: phase === "start" ? "" : say(phase).toLowerCase() }));
  $("count").textContent = `${now} / ${steps.length - 1}`;
  $("back").disabled = $("first").disabled = now === 0;
  $("next").disabled = $("last").disabled = now === steps.length - 1;
  sentence(phase, node);
  loss(phase);
  panel();
  rove();
  if (follow && !still) fly(aim(node));
}

const steady = () => ({ now, last: steps.length - 1 });
function sentence(phase, node) {
  const box = $("formula");
  const tree = node === null ? null : phase === "forward" ? forwardOf(node) : backwardOf(node);
  let told;
  if (phase === "start") told = say("start", { n: valuesKnown });
  else if (phase === "update") told = say("updateTold", { rate: show(rate), outcome: outcome() });
  else told = say(phase === "forward" ? "forwardTold" : "backwardTold", { formula: plain(tree) });
  if (graph.error) told = troubled();
  $("say").textContent = `${say("stepOf", steady())}. ${told}`;
  if (graph.error) box.replaceChildren(make("p", { class: "alarm" }, told));
  else if (node === null) box.replaceChildren(make("p", {}, told));
  else box.replaceChildren(inline(tree));
  box.scrollLeft = 0;
  for (const size of ["", "small", "smaller"]) { // as large as fits the window, else in lines
    box.className = size;
    if (box.scrollWidth <= box.clientWidth) return;
  }
  if (tree && !graph.error) box.replaceChildren(make("div", {}, ...sides(tree)));
}
function outcome() {
  const after = lossAfter();
  return after === null ? "" : `${lossTitle()}: ${show(graph.values[root])} → ${show(after)}.`;
}
function loss(phase) {
  const known = now >= valuesKnown || iterations > 0;
  const shown = [make("b", { dir: "auto" }, lossTitle()), ` = ${known ? show(graph.values[root]) : "…"}`];
  const after = phase === "update" ? lossAfter() : null;
  if (after !== null) shown.push(make("small", {}, " → "), make("b", {}, show(after)));
  $("loss").replaceChildren(...shown);
}
function spoken(i) {
  const node = nodes[i];
  const value = forwardAt[i] <= now ? say("value", { value: numbersOf(i, graph.values, true) }) : say("noValue");
  const delta = backwardAt[i] <= now ? say("delta", { delta: numbersOf(i, graph.deltas, false) }) : say("noDelta");
  const sample = view.whole && node.sample ? `${say("sampleAt", { n: node.sample })} · ` : "";
  return `${sample}${titleOf(i)}, ${node.op || say(node.kind)}, ${value}, ${delta}`;
}
const productOf = ({ all }) => all.reduce((total, k) => total + handed(graph.deltas[edges[k].to], graph.partials[edges[k].at]), 0);
const width = (x) => (x === 0 ? 1 : Number.isFinite(x) ? 1 + 5 * Math.min(Math.sqrt(Math.abs(x) / scale), 1) : 6);
const lossTitle = () => (root === COUNT - 1 ? data.loss.title : nodes[root].title);
function troubled() { // a DomainError in its words
  const { node, message } = graph.error;
  return `${message}, in '${nodes[node].label.trim() || plain(nodes[node].name)}'`;
}
// Everything that shows numbers, after they have changed.
function refresh() {
  cards.forEach((drawn) => drawn.renumber?.());
  go(now, { keep: true, still: true });
  live();
}
