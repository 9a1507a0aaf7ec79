// The page at a step.
function go(step, { keep = false } = {}) {
  now = Math.min(steps.length - 1, Math.max(0, step));
  if (!keep) chosen = null;
  const { phase, node = null } = steps[now];
  const part = new Set(node === null ? [] : involved(node));
  cards.forEach((drawn, i) => {
    const swept = backwardAt[i] <= now;
    const style = [
      "node", nodes[i].kind,
      forwardAt[i] > now ? "ahead" : "",
      swept ? `swept ${nodes[i].tone}` : "",
      i === node ? "current" : part.has(i) ? "part" : "",
      i === chosen ? "selected" : "",
    ].filter(Boolean).join(" ");
    if (style === drawn.look) return;
    drawn.look = style;
    drawn.group.setAttribute("class", style);
    drawn.group.setAttribute("aria-label", spoken(i));
    if (i === node) drawn.group.setAttribute("aria-current", "step");
    else drawn.group.removeAttribute("aria-current");
  });
  let labelled = 0;
  edges.forEach((edge, k) => {
    const drawn = wires[k];
    if (!drawn.wire) return;
    const known = forwardAt[edge.to] <= now;
    const back = backwardAt[edge.from] <= now;
    const current = (phase === "forward" && edge.to === node) || (phase === "backward" && edge.from === node);
    const style = `edge ${back ? `back ${edge.tone}` : known ? "on" : "off"}${current ? " current" : ""}`;
    const told = data.labelled || (current && labelled++ < 12);
    if (style === drawn.look && told === drawn.told) return;
    drawn.look = style;
    drawn.told = told;
    drawn.group.setAttribute("class", style);
    const [path, tip] = back ? drawn.backward : drawn.forward;
    drawn.wire.setAttribute("d", path);
    drawn.tip.setAttribute("points", known || back ? tip : "");
    drawn.wire.style.strokeWidth = back ? `${edge.width + (current ? 1 : 0)}px` : "";
    if (told) labels(k);
    if (drawn.partial) {
      drawn.partial.textContent = told && known ? `∂ ${edge.partial}` : "";
      drawn.product.textContent = told && back ? `δ·∂ ${edge.product}` : "";
    }
  });
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
  $("slider").setAttribute("aria-valuetext", `Step ${now} of ${steps.length - 1}, ${phase}`);
  $("count").textContent = `${now} / ${steps.length - 1}`;
  $("back").disabled = $("first").disabled = now === 0;
  $("next").disabled = $("last").disabled = now === steps.length - 1;
  say(phase, node);
  loss(phase);
  panel();
  rove();
  if (follow) fly(aim(node));
}

function say(phase, node) {
  const box = $("formula");
  let words;
  if (phase === "start") words = `Forward: the leaves have their values; ${valuesKnown} operation${valuesKnown === 1 ? "" : "s"} to compute.`;
  else if (phase === "forward") words = `Forward: ${nodes[node].forwardText}`;
  else if (phase === "backward") words = `Backward: ${nodes[node].backwardText}`;
  else words = `Update: each parameter goes a step against its gradient, α = ${data.update.rate}. ${outcome()}`;
  $("say").textContent = `Step ${now} of ${steps.length - 1}. ${words}`;
  if (node === null) box.replaceChildren(make("p", {}, words));
  else box.replaceChildren(inline(phase === "forward" ? nodes[node].forward : nodes[node].backward));
  for (const size of ["", "small", "smaller"]) { // as large as fits the window
    box.className = size;
    if (box.scrollWidth <= box.clientWidth) break;
  }
  box.scrollLeft = 0;
}
function outcome() {
  const { before, after } = data.update;
  return after === null ? "" : `${data.loss.title}: ${before} → ${after}.`;
}
function loss(phase) {
  const known = now >= valuesKnown;
  const shown = [make("b", { dir: "auto" }, data.loss.title), ` = ${known ? data.loss.value : "…"}`];
  if (phase === "update" && data.update.after !== null) shown.push(make("small", {}, " → "), make("b", {}, data.update.after));
  $("loss").replaceChildren(...shown);
}
function spoken(i) {
  const node = nodes[i];
  const value = forwardAt[i] <= now ? `value ${node.value}` : "value not computed yet";
  const delta = backwardAt[i] <= now ? `δ ${node.delta}` : "δ not known yet";
  return `${node.title}, ${node.op || node.kind}, ${value}, ${delta}`;
}
