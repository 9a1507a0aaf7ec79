"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { nodes, edges } = data;
  const $ = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const MATH = "http://www.w3.org/1998/Math/MathML";
  const HEIGHT = 62;

  // Every text of the graph comes in through here, as text.
  const make = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
  const draw = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // Formulas come as trees in the vocabulary of MathML; only these elements are made of them.
  const FORMULA = new Set(["mi", "mo", "mn", "mtext", "mrow", "mfrac", "msup", "msub", "msqrt"]);
  function math(tree) {
    const [kind, ...parts] = tree;
    if (kind === "msci") {
      return math(["mrow", ["mn", parts[0]], ["mo", "×"], ["msup", ["mn", "10"], ["mn", parts[1].replace("-", "−")]]]);
    }
    if (!FORMULA.has(kind)) throw new Error(`no such formula: ${kind}`);
    const element = document.createElementNS(MATH, kind);
    if (typeof parts[0] === "string") {
      element.textContent = parts[0];
      if (kind === "mi" && "∂δσαe".includes(parts[0])) element.setAttribute("mathvariant", "normal");
    } else {
      element.append(...parts.map(math));
    }
    return element;
  }
  function equation(tree) {
    const element = document.createElementNS(MATH, "math");
    element.setAttribute("display", "block");
    element.append(math(tree));
    return element;
  }

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
  const quiet = matchMedia("(prefers-reduced-motion: reduce)");

  // The graph.
  const svg = $("graph");
  const layers = ["groups", "edges", "nodes"].map((name) => draw("g", { class: name }));
  svg.append(...layers);
  const ring = draw("rect", { class: "ring", rx: 14 });
  layers[2].append(ring);

  for (const [x, y, width, height, label] of data.groups) {
    layers[0].append(
      draw("g", { class: "group" },
        draw("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 12 }),
        draw("text", { x: x - width / 2 + 10, y: y - height / 2 + 14 }, label)),
    );
  }

  const point = (p) => `${p[0]} ${p[1]}`;
  const curve = (points) => `M${point(points[0])}C${points.slice(1).map(point).join(" ")}`;
  function arrow(base, tip) {
    const [dx, dy] = [tip[0] - base[0], tip[1] - base[1]];
    const length = Math.hypot(dx, dy) || 1;
    const [nx, ny] = [(-dy / length) * 4.5, (dx / length) * 4.5];
    return `${tip[0]},${tip[1]} ${base[0] + nx},${base[1] + ny} ${base[0] - nx},${base[1] - ny}`;
  }
  const wires = edges.map((edge) => {
    const { points, ends } = edge;
    const group = draw("g", { class: "edge" });
    layers[1].append(group);
    if (points.length < 4) return { group };
    const last = points[points.length - 1];
    const [tail, head] = [ends[0] || points[0], ends[1] || last];
    const wire = draw("path");
    const tip = draw("polygon");
    group.append(wire, tip);
    const middle = ends[2] || points[3 * Math.floor((points.length - 1) / 6)] || points[0];
    return {
      group, wire, tip, middle,
      forward: [`M${point(tail)}L${curve(points).slice(1)}`, arrow(last, head)],
      backward: [`${curve(points)}L${point(head)}`, arrow(points[0], tail)],
    };
  });
  function labels(k) {
    const drawn = wires[k];
    if (drawn.partial || !drawn.middle) return;
    const [x, y] = drawn.middle;
    drawn.partial = draw("text", { class: "partial", x, y: y - 3 });
    drawn.product = draw("text", { class: "product", x, y: y + 11 });
    drawn.group.append(drawn.partial, drawn.product);
  }

  const cards = nodes.map((node, i) => {
    const [x, y, width] = node.box;
    const [left, top] = [x - width / 2, y - HEIGHT / 2];
    const middle = node.symbol ? x + 15 : x;
    const value = draw("text", { class: `value ${node.valueTone}`, x: middle, y: y + 4 }, node.value);
    const delta = draw("text", { class: "delta", x: middle, y: y + 22.5 }, `δ ${node.delta}`);
    const pill = draw("rect", { class: "pill", x: middle - 6 - delta.textContent.length * 3.6, y: y + 10, width: 12 + delta.textContent.length * 7.2, height: 17, rx: 8.5 });
    const card = draw("g", { role: "button", tabindex: -1, "data-node": i },
      draw("rect", { class: "frame", x: left, y: top, width, height: HEIGHT, rx: node.kind === "input" ? 24 : 11 }));
    if (node.symbol) {
      card.append(
        draw("circle", { class: "badge", cx: left + 21, cy: y, r: 14 }),
        draw("text", { class: node.symbol.length > 2 ? "symbol long" : "symbol", x: left + 21, y: y + (node.symbol.length > 2 ? 3.5 : 5) }, node.symbol));
    } else {
      card.append(draw("rect", { class: "stripe", x: x - 13, y: top - 1.5, width: 26, height: 4, rx: 2 }));
    }
    card.append(draw("text", { class: "title", x: middle, y: y - 13 }, node.title), value, pill, delta);
    layers[2].append(card);
    return { card, look: "" };
  });

  // Where the view is, and where it goes.
  let view = { x: 0, y: 0, scale: 1 }; // the middle, and pixels per point
  let flight = 0;
  let follow = true;
  const pane = () => ({ width: svg.clientWidth || 800, height: svg.clientHeight || 500 });
  function look() {
    const { width, height } = pane();
    const [w, h] = [width / view.scale, height / view.scale];
    svg.setAttribute("viewBox", `${view.x - w / 2} ${view.y - h / 2} ${w} ${h}`);
  }
  function whole() {
    const { width, height } = pane();
    const scale = Math.min((width - 24) / data.size[0], (height - 24) / data.size[1], 1.9);
    return { x: data.size[0] / 2, y: data.size[1] / 2, scale };
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
    if (all.scale >= 0.6 || node === null) return all;
    const near = [node, ...involved(node)].map((i) => nodes[i].box);
    const [left, right] = [Math.min(...near.map((b) => b[0] - b[2] / 2)), Math.max(...near.map((b) => b[0] + b[2] / 2))];
    const [top, bottom] = [Math.min(...near.map((b) => b[1] - HEIGHT / 2)), Math.max(...near.map((b) => b[1] + HEIGHT / 2))];
    const { width, height } = pane();
    const scale = Math.min((width - 60) / (right - left), (height - 60) / (bottom - top), 1.2);
    if (scale >= 0.55) return { x: (left + right) / 2, y: (top + bottom) / 2, scale };
    return { x: nodes[node].box[0], y: nodes[node].box[1], scale: 0.7 };
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
      drawn.card.setAttribute("class", style);
      drawn.card.setAttribute("aria-label", spoken(i));
      if (i === node) drawn.card.setAttribute("aria-current", "step");
      else drawn.card.removeAttribute("aria-current");
    });
    let labelled = 0;
    edges.forEach((edge, k) => {
      const drawn = wires[k];
      if (!drawn.wire) return;
      const known = forwardAt[edge.to] <= now;
      const back = backwardAt[edge.from] <= now;
      const current = (phase === "forward" && edge.to === node) || (phase === "backward" && edge.from === node);
      const style = `edge ${back ? `back ${edge.tone}` : known ? "on" : "off"}${current ? " current" : ""}`;
      const shown = data.labelled || (current && labelled++ < 12);
      if (style === drawn.look && shown === drawn.shown) return;
      drawn.look = style;
      drawn.shown = shown;
      drawn.group.setAttribute("class", style);
      const [path, tip] = back ? drawn.backward : drawn.forward;
      drawn.wire.setAttribute("d", path);
      drawn.tip.setAttribute("points", known || back ? tip : "");
      if (back) drawn.wire.setAttribute("style-width", "");
      drawn.wire.style.strokeWidth = back ? `${edge.width + (current ? 1 : 0)}px` : "";
      if (shown) labels(k);
      if (drawn.partial) {
        drawn.partial.textContent = shown && known ? `∂ ${edge.partial}` : "";
        drawn.product.textContent = shown && back ? `δ·∂ ${edge.product}` : "";
      }
    });
    if (node === null) {
      ring.setAttribute("visibility", "hidden");
    } else {
      const [x, y, width] = nodes[node].box;
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
    else box.replaceChildren(equation(phase === "forward" ? nodes[node].forward : nodes[node].backward));
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
      make("h2", { dir: "auto" }, node.label.trim() || node.title),
      make("p", { class: "chips" }, make("b", { class: node.kind }, kinds[node.kind])),
      make("dl", { class: "numbers" },
        number("value", known, node.value, node.exactValue, ""),
        number(`δ = ∂${data.loss.title}/∂${node.title}`, swept, node.delta, node.exactDelta, node.tone)),
    ];
    if (node.kind === "operation") {
      content.push(...part("Forward", known ? formula(node.forward) : soon("Not computed yet.")));
      if (known) content.push(...part("Local derivatives", ...node.locals.map(formula)));
    }
    const rule = [];
    if (!swept) rule.push(soon("δ has not flowed back to here yet."));
    else if (root) rule.push(soon("The walk back begins here: the derivative of the result by itself is 1."), formula(node.backward));
    else if (node.terms.length) rule.push(formula(node.backward), terms(node));
    content.push(...part("Chain rule", ...rule));
    if (swept && node.notes.length) content.push(make("ul", { class: "notes" }, ...node.notes.map((note) => make("li", { dir: "auto" }, note))));
    if (swept && node.updated) content.push(...part("Update", formula(node.updated)));
    return content;
  }
  function link(i) {
    const button = make("button", { type: "button", dir: "auto" }, nodes[i].title);
    button.addEventListener("click", () => choose(i));
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
      const changed = cell("sum", each.new);
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
  function choose(i, { focus = false } = {}) {
    chosen = i;
    for (const k of cards.keys()) cards[k].look = "";
    go(now, { keep: true });
    if (focus) cards[i].card.focus({ preventScroll: true });
    if (focus && follow) fly(aim(i));
  }
  function rove() {
    const stop = chosen ?? steps[now].node ?? 0;
    cards.forEach((drawn, i) => drawn.card.setAttribute("tabindex", i === stop ? 0 : -1));
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
    if (i !== null) choose(i, { focus: true });
    else if (chosen !== null) choose(null);
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
      if (next >= 0 && next < nodes.length) choose(next, { focus: true });
    } else if (key === "Escape" && chosen !== null) choose(null);
    else if (key === "+" || key === "-") zoom(key === "+" ? 1.3 : 1 / 1.3);
    else if (key === "0") $("fit").click();
    else return;
    event.preventDefault();
  });
  new ResizeObserver(() => {
    if (follow) view = aim(steps[now].node ?? null);
    look();
  }).observe(svg);

  $("slider").max = String(steps.length - 1);
  view = whole();
  look();
  go(0);
})();
