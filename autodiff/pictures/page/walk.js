"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { nodes, edges } = data;
  const $ = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const HEIGHT = 62;

  // Every text of the graph comes in through here, as text.
  const make = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
  const draw = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // Formulas come as trees in the vocabulary of MathML. Browsers without a mathematical font set MathML badly, so the
  // page sets them itself, and says them aloud in words.
  const LETTERS = new Set(["mi", "mo", "mn", "mtext"]);
  const PARTS = new Set(["mrow", "mfrac", "msup", "msub", "msubsup", "msqrt"]);
  function formed(tree) {
    const [kind, ...parts] = tree;
    if (kind === "mname") return formed(parts[1]);
    if (kind === "msci") {
      return formed(["mrow", ["mn", parts[0]], ["mo", "×"], ["msup", ["mn", "10"], ["mn", parts[1].replace("-", "−")]]]);
    }
    if (LETTERS.has(kind)) {
      const upright = kind === "mi" && (parts[0].length > 1 || "∂∞".includes(parts[0])) ? "mtext" : kind;
      const sign = kind === "mo" && !"+−·=←×,".includes(parts[0]) ? "bracket" : upright;
      return make("span", { class: sign, ...(kind === "mtext" ? { dir: "auto" } : {}) }, parts[0]);
    }
    if (!PARTS.has(kind)) throw new Error(`no such formula: ${kind}`);
    const inner = parts.map(formed);
    if (kind === "msub") return make("span", { class: "script" }, inner[0], make("sub", {}, inner[1]));
    if (kind === "msup") return make("span", { class: "script" }, inner[0], make("sup", {}, inner[1]));
    if (kind === "msubsup") {
      return make("span", { class: "script" }, inner[0], make("span", { class: "both" }, make("sup", {}, inner[2]), make("sub", {}, inner[1])));
    }
    const signed = kind === "mrow" && parts[0]?.[1] === "−" ? " signed" : "";
    return make("span", { class: kind + signed }, ...inner);
  }
  function read(tree) {
    const [kind, ...parts] = tree;
    if (LETTERS.has(kind)) return ` ${parts[0]} `;
    if (kind === "mname") return ` ${parts[0]} `;
    if (kind === "msci") return ` ${parts[0]} times 10 to the ${parts[1]} `;
    const inner = parts.map(read);
    if (kind === "mfrac") return ` ${inner[0]} over ${inner[1]} `;
    if (kind === "msup") return ` ${inner[0]} to the ${inner[1]} `;
    if (kind === "msqrt") return ` root of ${inner[0]} `;
    return inner.join("");
  }
  const inline = (tree) => make("span", { class: "math" }, formed(tree));
  const equation = (tree) =>
    make("div", { class: "math", role: "math", "aria-label": read(tree).replace(/\s+/g, " ").trim() }, formed(tree));

  // The steps, in order: leaves are there at the start; then each operation; then δ, as the sweep meets the nodes.
  const steps = [{ phase: "start" }];
  const forwardAt = nodes.map(() => 0);
  const backwardAt = nodes.map(() => 0);
  nodes.forEach((node, i) => {
    if (node.kind === "operation") {
      forwardAt[i] = steps.length;
      steps.push({ phase: "forward", node: i });
    }
  });
  const valuesKnown = steps.length - 1;
  for (let i = nodes.length - 1; i >= 0; i--) {
    backwardAt[i] = steps.length;
    steps.push({ phase: "backward", node: i });
  }
  if (data.update) steps.push({ phase: "update" });
  const first = { forward: 0, backward: backwardAt[nodes.length - 1], update: steps.length - 1 };

  const into = nodes.map(() => []); // edges by consumer
  const outOf = nodes.map(() => []); // edges by operand
  edges.forEach((edge, k) => {
    into[edge.to].push(k);
    outOf[edge.from].push(k);
  });

  let now = 0;
  let chosen = null; // a node that was clicked or focused; null to go with the steps
  let timer = null;
  let stop = 0; // the node that the tabulator key comes to
  const quiet = matchMedia("(prefers-reduced-motion: reduce)");

  // The graph, as Graphviz placed it: left to right or top down, whichever fills the window better.
  const svg = $("graph");
  let plan = null;
  let boxes, layers, wires, cards, ring;

  const point = (p) => `${p[0]} ${p[1]}`;
  const curve = (points) => `${point(points[0])}C${points.slice(1).map(point).join(" ")}`;
  function arrow(base, tip) {
    const [dx, dy] = [tip[0] - base[0], tip[1] - base[1]];
    const length = Math.hypot(dx, dy) || 1;
    const [nx, ny] = [(-dy / length) * 4.5, (dx / length) * 4.5];
    return `${tip[0]},${tip[1]} ${base[0] + nx},${base[1] + ny} ${base[0] - nx},${base[1] - ny}`;
  }
  function middle(points) {
    const k = 3 * Math.floor((points.length - 1) / 6);
    const [a, b, c, d] = points.slice(k, k + 4);
    return [0, 1].map((i) => (a[i] + 3 * b[i] + 3 * c[i] + d[i]) / 8);
  }
  function build(layout) {
    plan = layout;
    boxes = layout.boxes;
    layers = ["groups", "edges", "nodes"].map((name) => draw("g", { class: name }));
    for (const [x, y, width, height, label] of layout.groups) {
      layers[0].append(
        draw("g", { class: "group" },
          draw("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 12 }),
          draw("text", { x: x - width / 2 + 12, y: y - height / 2 + 17 }, label)),
      );
    }
    wires = layout.curves.map((placed) => {
      const group = draw("g", { class: "edge" });
      if (!placed || placed.points.length < 4) return { group };
      const { points, tail, head, label } = placed;
      const wire = draw("path");
      const tip = draw("polygon");
      group.append(wire, tip);
      const [xs, ys] = [0, 1].map((i) => points.map((p) => p[i]));
      return {
        group, wire, tip, shown: false, beside: Boolean(label), middle: label || middle(points),
        reach: [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)],
        forward: [`M${point(tail)}L${curve(points)}`, arrow(points[points.length - 1], head)],
        backward: [`M${curve(points)}L${point(head)}`, arrow(points[0], tail)],
      };
    });
    ring = draw("rect", { class: "ring", rx: 14 });
    layers[2].append(ring);
    cards = nodes.map((node, i) => {
      const [x, y, width] = boxes[i];
      const frame = { class: "frame", x: x - width / 2, y: y - HEIGHT / 2, width, height: HEIGHT, rx: node.kind === "input" ? 24 : 11 };
      const group = draw("g", { role: "button", tabindex: -1, "data-node": i }, draw("rect", frame));
      return { group, look: "", shown: false, full: false, detail: null };
    });
    svg.replaceChildren(...layers);
    svg.classList.toggle("dense", !data.labelled);
  }
  function labels(k) {
    const drawn = wires[k];
    if (drawn.partial) return;
    const [x, y] = drawn.middle;
    const up = drawn.beside ? 0 : 12; // where no room was laid out beside the line, above it
    drawn.partial = draw("text", { class: "partial", x, y: y - 5 - up });
    drawn.product = draw("text", { class: "product", x, y: y + 9 - up });
    drawn.group.append(drawn.partial, drawn.product);
  }
  function detailOf(node, i) {
    const [x, y, width] = boxes[i];
    const [left, top] = [x - width / 2, y - HEIGHT / 2];
    const centre = node.symbol ? x + 15 : x;
    const half = (node.delta.length + 2) * 3.6 + 7;
    const detail = [];
    if (node.symbol) {
      const long = node.symbol.length > 2;
      detail.push(
        draw("circle", { class: "badge", cx: left + 21, cy: y, r: 14 }),
        draw("text", { class: long ? "symbol long" : "symbol", x: left + 21, y: y + (long ? 3.5 : 5) }, node.symbol));
    } else {
      detail.push(draw("rect", { class: "stripe", x: x - 13, y: top - 1.5, width: 26, height: 4, rx: 2 }));
    }
    detail.push(
      draw("text", { class: "title", x: centre, y: y - 13 }, node.title),
      draw("text", { class: `value ${node.valueTone}`, x: centre, y: y + 4 }, node.value),
      draw("rect", { class: "pill", x: centre - half, y: y + 10, width: 2 * half, height: 17, rx: 8.5 }),
      draw("text", { class: "delta", x: centre, y: y + 22.5 }, `δ ${node.delta}`));
    return detail;
  }

  // Where the view is, and where it goes.
  let view = { x: 0, y: 0, scale: 1 }; // the middle, and pixels per point
  let flight = 0;
  let follow = true;
  const pane = () => ({ width: svg.clientWidth || 800, height: svg.clientHeight || 500 });
  function look() {
    const { width, height } = pane();
    const [w, h] = [width / view.scale, height / view.scale];
    svg.setAttribute("viewBox", `${view.x - w / 2} ${view.y - h / 2} ${w} ${h}`);
    const far = view.scale < 0.22; // too small to read
    // What is out of sight costs time to lay out, so it is taken out: a thousand nodes are as quick as twenty.
    const [left, top, right, bottom] = [view.x - w * 0.6, view.y - h * 0.6, view.x + w * 0.6, view.y + h * 0.6];
    const show = (drawn, layer, wanted) => {
      if (wanted === drawn.shown) return;
      drawn.shown = wanted;
      if (wanted) layer.append(drawn.group);
      else drawn.group.remove();
    };
    cards.forEach((drawn, i) => {
      const [x, y, width] = boxes[i];
      const out = x + width / 2 < left || x - width / 2 > right || y + HEIGHT < top || y - HEIGHT > bottom;
      show(drawn, layers[2], !out || i === stop);
      if (drawn.shown && far === drawn.full) {
        drawn.full = !far;
        drawn.detail ??= detailOf(nodes[i], i);
        if (far) drawn.detail.forEach((each) => each.remove());
        else drawn.group.append(...drawn.detail);
      }
    });
    wires.forEach((drawn) => {
      const { reach } = drawn;
      if (reach) show(drawn, layers[1], reach[2] >= left && reach[0] <= right && reach[3] >= top && reach[1] <= bottom);
    });
  }
  function fits({ size }) {
    const { width, height } = pane();
    return Math.min((width - 24) / size[0], (height - 64) / size[1], 1.9); // clear of the buttons below
  }
  function whole() {
    const scale = fits(plan);
    return { x: plan.size[0] / 2, y: plan.size[1] / 2 + 18 / scale, scale };
  }
  function suited() {
    const [across, down] = data.layouts.map(fits);
    return data.layouts[down > 1.15 * across && down > 0.3 ? 1 : 0];
  }
  function fly(to) {
    cancelAnimationFrame(flight);
    const from = view;
    const start = performance.now();
    if (quiet.matches || timer === 0) {
      view = to;
      look();
      return;
    }
    const glide = (time) => {
      const t = Math.min(1, Math.max(0, (time - start) / 320));
      const e = 1 - (1 - t) ** 3;
      view = { x: from.x + (to.x - from.x) * e, y: from.y + (to.y - from.y) * e, scale: from.scale + (to.scale - from.scale) * e };
      look();
      if (t < 1) flight = requestAnimationFrame(glide);
    };
    flight = requestAnimationFrame(glide);
  }
  function aim(node) {
    const all = whole();
    if (all.scale >= 0.6) return all;
    if (node === null) {
      if (all.scale >= 0.3) return all;
      return aim(now === 0 && valuesKnown ? steps[1].node : nodes.length - 1);
    }
    const near = [node, ...involved(node)].map((i) => boxes[i]);
    const [left, right] = [Math.min(...near.map((b) => b[0] - b[2] / 2)), Math.max(...near.map((b) => b[0] + b[2] / 2))];
    const [top, bottom] = [Math.min(...near.map((b) => b[1] - HEIGHT / 2)), Math.max(...near.map((b) => b[1] + HEIGHT / 2))];
    const { width, height } = pane();
    const scale = Math.min((width - 60) / (right - left), (height - 60) / (bottom - top), 1.2);
    if (scale >= 0.55) return { x: (left + right) / 2, y: (top + bottom) / 2, scale };
    return { x: boxes[node][0], y: boxes[node][1], scale: 0.7 };
  }
  function involved(node) {
    const { phase } = steps[now];
    return phase === "backward" ? outOf[node].map((k) => edges[k].to) : into[node].map((k) => edges[k].from);
  }
  function setFollow(on) {
    follow = on;
    $("follow").setAttribute("aria-pressed", String(on));
    if (on) fly(aim(steps[now].node ?? null));
  }
  function zoom(factor, at) {
    setFollow(false);
    cancelAnimationFrame(flight);
    const scale = Math.min(4, Math.max(0.02, view.scale * factor));
    if (at) {
      const { width, height } = pane();
      const [dx, dy] = [at.x - width / 2, at.y - height / 2];
      view = { x: view.x + dx / view.scale - dx / scale, y: view.y + dy / view.scale - dy / scale, scale };
    } else {
      view = { ...view, scale };
    }
    look();
  }

  // What is shown at a step.
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
    for (const size of ["", "small", "smaller"]) { // as large as the window allows
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

  // The panel: everything about one node, as far as the walk has come.
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
  function sides(tree) { // a chain of equations, from the second sign on a line each
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

  // Choosing nodes.
  function choose(i, { travel = false } = {}) {
    chosen = i;
    go(now, { keep: true });
    if (travel && follow) fly(aim(i));
  }
  const focus = (i) => cards[i].group.focus({ preventScroll: true });
  function rove() {
    cards[stop].group.setAttribute("tabindex", -1);
    stop = chosen ?? steps[now].node ?? 0;
    cards[stop].group.setAttribute("tabindex", 0);
    if (!cards[stop].shown) layers[2].append(cards[stop].group);
    cards[stop].shown = true;
  }
  const nodeOf = (event) => {
    const card = event.target.closest?.("[data-node]");
    return card ? Number(card.dataset.node) : null;
  };
  svg.addEventListener("focusin", (event) => {
    const i = nodeOf(event);
    if (i !== null && i !== chosen && event.target.matches(":focus-visible")) choose(i);
  });

  // Dragging, pinching, wheel.
  const fingers = new Map();
  let moved = 0;
  const place = (event) => {
    const frame = svg.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (!fingers.size) moved = 0;
    fingers.set(event.pointerId, place(event));
  });
  svg.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const after = place(event);
    const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    moved += Math.hypot(after.x - before.x, after.y - before.y);
    if (moved < 5) return;
    if (!svg.hasPointerCapture(event.pointerId)) svg.setPointerCapture(event.pointerId);
    svg.classList.add("dragged");
    fingers.set(event.pointerId, after);
    cancelAnimationFrame(flight);
    if (follow) setFollow(false);
    if (others.length) {
      const apart = (at) => Math.hypot(at.x - others[0].x, at.y - others[0].y) || 1;
      zoom(apart(after) / apart(before), { x: (after.x + others[0].x) / 2, y: (after.y + others[0].y) / 2 });
    } else {
      view = { ...view, x: view.x - (after.x - before.x) / view.scale, y: view.y - (after.y - before.y) / view.scale };
      look();
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    svg.addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      svg.classList.remove("dragged");
    });
  }
  svg.addEventListener("click", (event) => {
    if (moved >= 5) return;
    const i = nodeOf(event);
    if (i !== null) {
      choose(i);
      focus(i);
    } else if (chosen !== null) choose(null);
  });
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), place(event));
  }, { passive: false });

  // Playing.
  function pause() {
    clearTimeout(timer);
    timer = null;
    $("play").classList.remove("playing");
    $("play").setAttribute("aria-label", "Play");
  }
  function tick() {
    timer = setTimeout(() => {
      go(now + 1);
      if (now < steps.length - 1) tick();
      else pause();
    }, 1400 / Number($("speed").value));
  }
  function play() {
    if (timer !== null) {
      pause();
      return;
    }
    $("play").classList.add("playing");
    $("play").setAttribute("aria-label", "Pause");
    go(now === steps.length - 1 ? 0 : now + 1);
    tick();
  }
  function walk(step) {
    pause();
    go(step);
  }
  $("play").addEventListener("click", play);
  $("first").addEventListener("click", () => walk(0));
  $("back").addEventListener("click", () => walk(now - 1));
  $("next").addEventListener("click", () => walk(now + 1));
  $("last").addEventListener("click", () => walk(steps.length - 1));
  $("slider").addEventListener("input", () => walk(Number($("slider").value)));
  $("follow").addEventListener("click", () => setFollow(!follow));
  $("fit").addEventListener("click", () => {
    setFollow(false);
    fly(whole());
  });
  $("larger").addEventListener("click", () => zoom(1.3));
  $("smaller").addEventListener("click", () => zoom(1 / 1.3));
  for (const item of document.querySelectorAll("#phases li")) {
    if (item.dataset.phase === "update" && !data.update) item.remove();
    else item.firstElementChild.addEventListener("click", () => walk(first[item.dataset.phase]));
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target, key } = event;
    const onNode = target.closest?.("[data-node]");
    if (target.closest?.("select") || (target === $("slider") && key !== " ")) return; // they have keys of their own
    if (key === "ArrowRight") walk(now + 1);
    else if (key === "ArrowLeft") walk(now - 1);
    else if (key === "Home") walk(0);
    else if (key === "End") walk(steps.length - 1);
    else if (key === " " && !target.closest?.("button")) play();
    else if (key === "Enter" && onNode) choose(Number(onNode.dataset.node));
    else if ((key === "ArrowUp" || key === "ArrowDown") && onNode) {
      const next = Number(onNode.dataset.node) + (key === "ArrowDown" ? 1 : -1);
      if (next >= 0 && next < nodes.length) {
        choose(next, { travel: true });
        focus(next);
      }
    } else if (key === "Escape" && chosen !== null) choose(null);
    else if (key === "+" || key === "-") zoom(key === "+" ? 1.3 : 1 / 1.3);
    else if (key === "0") $("fit").click();
    else return;
    event.preventDefault();
  });
  new ResizeObserver(() => {
    if (suited() !== plan) arrange(suited());
    if (follow) view = aim(steps[now].node ?? null);
    look();
  }).observe(svg);
  function arrange(layout) {
    build(layout);
    view = whole();
    go(now, { keep: true });
    view = follow ? aim(steps[now].node ?? null) : whole();
    look();
  }

  $("slider").max = String(steps.length - 1);
  arrange(suited());
})();
