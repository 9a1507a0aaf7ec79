// The view: everything, or one sample. Its steps, in order: leaves are known at the start; then each operation; then δ,
// in the order of the sweep.
const views = data.views.map((each, k) => ({ ...each, whole: k === 0 && data.views.length > 1 }));
let view = views[0];
let steps, forwardAt, backwardAt, valuesKnown, first;
let into, outOf; // edges by consumer and by operand
// Zoom: the nodes of a folded unit are one card, that of its last node, and its edges to another card are one link.
let folded = new Map(); // by unit, as "level:unit"
let cardOf, unitOf, visible, links, linksInto, linksOutOf, plans;
const known = (i) => unitOf[i]?.outputs[0] ?? i; // cards stand in the order in which their first output is known
const keyOf = (level, i) => (data.folds[level].of[i] < 0 ? null : `${level}:${data.folds[level].of[i]}`);
const unitAt = (level, unit) => Object.fromEntries([["title", "titles"], ["outputs", "outputs"], ["sums", "sums"]].map(([name, column]) => [name, data.folds[level][column][unit]]));
function levels(level) { // every unit of a level, folded: 0 neurons, 1 layers; -1 none
  folded = new Map();
  if (level >= 0) data.folds[level].titles.forEach((_, unit) => folded.set(`${level}:${unit}`, unitAt(level, unit)));
}
function enter(next) {
  view = next;
  cardOf = nodes.map((_, i) => i);
  unitOf = [];
  const members = new Map();
  for (const i of view.nodes) {
    const key = data.folds.map((_, level) => keyOf(level, i)).reverse().find((each) => folded.has(each));
    if (key) members.set(key, [...(members.get(key) ?? []), i]);
  }
  for (const [key, inside] of members) {
    const last = inside[inside.length - 1];
    for (const i of inside) cardOf[i] = last;
    const { title, outputs, sums } = folded.get(key);
    const [out, back] = [outputs, sums].map((some) => some.filter((i) => inside.includes(i)));
    unitOf[last] = { key, title, inside, outputs: out.length ? out : [last], sums: back.length ? back : out.length ? out : [last], alike: new Set(out.map((i) => nodes[i].label)).size < 2 };
  }
  visible = view.nodes.filter((i) => cardOf[i] === i).sort((a, b) => known(a) - known(b));
  root = view.nodes[view.nodes.length - 1];
  const here = new Set(view.nodes);
  steps = [{ phase: "start" }];
  [forwardAt, backwardAt] = [nodes.map(() => 0), nodes.map(() => 0)];
  for (const i of visible) {
    if (nodes[i].kind === "operation") {
      forwardAt[i] = steps.length;
      steps.push({ phase: "forward", node: i });
    }
  }
  valuesKnown = steps.length - 1;
  for (const i of [...visible].reverse()) {
    backwardAt[i] = steps.length;
    steps.push({ phase: "backward", node: i });
  }
  if (data.parameters.length) steps.push({ phase: "update" });
  first = { forward: 0, backward: backwardAt[root], update: steps.length - 1 };
  [into, outOf] = [nodes.map(() => []), nodes.map(() => [])];
  view.edges = [];
  edges.forEach((edge, k) => {
    if (!here.has(edge.to) || !here.has(edge.from)) return;
    view.edges.push(k);
    into[edge.to].push(k);
    outOf[edge.from].push(k);
  });
  for (const i of view.nodes) [forwardAt[i], backwardAt[i]] = [forwardAt[cardOf[i]], backwardAt[cardOf[i]]];
  const between = new Map();
  for (const k of view.edges) {
    const [from, to] = [cardOf[edges[k].from], cardOf[edges[k].to]];
    const key = unitOf[from] || unitOf[to] ? `${from} ${to}` : `edge ${k}`;
    if (from === to) continue;
    if (!between.has(key)) between.set(key, { from, to, all: [] });
    between.get(key).all.push(k);
  }
  links = [...between.values()];
  [linksInto, linksOutOf] = [nodes.map(() => []), nodes.map(() => [])];
  for (const link of links) {
    linksInto[link.to].push(link);
    linksOutOf[link.from].push(link);
  }
  plans = unitOf.length || !data.layouts.length ? [layered(false), layered(true)] : data.layouts[view.layout];
  graph.sweep(root);
}
// A layout of folded cards, and of the cards of unfolded neurons in frames.
const MARGIN = 14;
function layered(down) {
  const widths = new Map(visible.map((i) => [i, Math.max(titleOf(i).length, 13) * 7.6 + 46]));
  const widest = Math.max(...widths.values());
  const fan = Math.min(6, Math.max(...visible.map((i) => Math.max(linksInto[i].length, linksOutOf[i].length)))); // needs room for its numbers
  const gap = (down ? 80 : 110) + 16 * fan;
  const card = (i) => ({ cards: [i], size: down ? [HEIGHT, widest] : [widest, HEIGHT], at: [[0, 0]] }); // along the flow, and across
  const neurons = new Map();
  for (const i of visible) {
    const key = unitOf[i] || !(data.folds[0]?.of[i] >= 0) ? `card ${i}` : data.folds[0].of[i];
    neurons.set(key, [...(neurons.get(key) ?? []), i]);
  }
  const title = (key) => data.folds[0].titles[key];
  const items = [...neurons].map(([key, cards]) => (cards.length > 1 ? { ...framed(cards.map(card), gap, down), title: title(key), first: data.folds[0].outputs[key][0] } : card(cards[0])));
  const { size, at } = arranged(items, gap);
  const turned = ([along, across]) => (down ? [across, along] : [along, across]);
  const box = new Map();
  const groups = [];
  items.forEach((item, k) => {
    const [left, top] = turned(at[k]);
    const [wide, high] = turned(item.size);
    if (item.title) groups.push([left + MARGIN + wide / 2, top + 20 + high / 2, wide, high, item.title]);
    item.cards.forEach((i, n) => {
      const [x, y] = turned(item.at[n]);
      box.set(i, [left + x + widest / 2 + MARGIN, top + y + HEIGHT / 2 + 20, widths.get(i)]);
    });
  });
  const places = visible.map((i) => box.get(i));
  const curves = links.map(({ from, to }) => {
    const [[x, y, w], [u, v, z]] = [box.get(from), box.get(to)];
    const [tail, head] = down ? [[x, y + HEIGHT / 2], [u, v - HEIGHT / 2]] : [[x + w / 2, y], [u - z / 2, v]];
    const bend = down ? [0, Math.max(30, (head[1] - tail[1]) / 2)] : [Math.max(30, (head[0] - tail[0]) / 2), 0];
    const [start, end] = down ? [[tail[0], tail[1] + 8], [head[0], head[1] - 8]] : [[tail[0] + 8, tail[1]], [head[0] - 8, head[1]]];
    return { points: [start, [tail[0] + bend[0], tail[1] + bend[1]], [head[0] - bend[0], head[1] - bend[1]], end], tail, head, label: null };
  });
  const [wide, high] = turned(size);
  return { size: [wide + 2 * MARGIN, high + 40], boxes: places, curves, groups };
}
// The cards of a neuron in a frame: leaves first, then, clear of them, what is computed, so that links come straight.
function framed(items, gap, down) {
  const [leaves, rest] = [false, true].map((computed) => items.filter(({ cards: [i] }) => (nodes[i].kind === "operation") === computed));
  const [first, then] = [arranged(leaves, gap), arranged(rest, gap)];
  const [from, pad] = [[first.size[0] && first.size[0] + gap, first.size[1] && first.size[1] + 26], down ? [MARGIN + 16, MARGIN] : [MARGIN, MARGIN + 16]];
  const size = [0, 1].map((axis) => (rest.length ? from[axis] + then.size[axis] : first.size[axis]) + pad[axis] + MARGIN);
  return {
    cards: [...leaves, ...rest].flatMap(({ cards }) => cards), size,
    at: [...first.at, ...then.at.map((place) => place.map((x, axis) => x + from[axis]))].map((place) => place.map((x, axis) => x + pad[axis])),
  };
}
// Items in ranks by the longest way up, in an order that keeps neighbours near; a block is as large as it is.
function arranged(items, gap) {
  const holder = new Map(items.flatMap((item) => item.cards.map((i) => [i, item])));
  const joints = links.map(({ from, to }) => [holder.get(from), holder.get(to)]).filter(([a, b]) => a && b && a !== b);
  const done = new Map(items.map((item) => [item, item.first ?? Math.max(...item.cards.map(known))])); // of several samples the first
  const rank = new Map(items.map((item) => [item, 0]));
  for (let pass = 0; pass < items.length; pass++) {
    let moved = false;
    for (const [a, b] of joints) {
      if (done.get(a) < done.get(b) && rank.get(b) <= rank.get(a)) moved = rank.set(b, rank.get(a) + 1);
    }
    if (!moved) break;
  }
  const near = new Map(items.map((item) => [item, []]));
  const after = new Map(items.map((item) => [item, []]));
  const reached = new Set(joints.map(([, b]) => b));
  for (const [a, b] of joints) {
    after.get(a).push(b);
    near.get(a).push(b);
    near.get(b).push(a);
  }
  for (const item of items) if (!reached.has(item) && after.get(item).length) rank.set(item, Math.max(0, Math.min(...after.get(item).map((b) => rank.get(b))) - 1));
  const rows = [];
  for (const item of items) (rows[rank.get(item)] ??= []).push(item);
  const middle = new Map();
  const rankOf = new Map(data.parameters.map((i, k) => [i, k]));
  const parameter = ({ cards }) => (cards.length === 1 ? rankOf.get(cards[0]) : undefined);
  const ordered = (row) => { // neurons, and their parameters, in their own order, at the places that they have
    for (const alike of [(item) => parameter(item) !== undefined, ({ cards }) => cards.length > 1 || unitOf[cards[0]]]) {
      const places = [...row.keys()].filter((k) => alike(row[k]));
      const some = places.map((k) => row[k]).sort((a, b) => (parameter(a) ?? 0) - (parameter(b) ?? 0) || done.get(a) - done.get(b));
      places.forEach((k, n) => { row[k] = some[n]; });
    }
    let across = 0;
    for (const item of row) {
      middle.set(item, across + item.size[1] / 2);
      across += item.size[1] + 26;
    }
    for (const item of row) middle.set(item, middle.get(item) - (across - 26) / 2);
  };
  const filled = rows.filter(Boolean);
  filled.forEach(ordered);
  for (let pass = 0; pass < 6; pass++) {
    for (const row of pass % 2 ? [...filled].reverse() : filled) {
      const mean = new Map(row.map((item) => [item, near.get(item).reduce((sum, each, _, { length }) => sum + middle.get(each) / length, 0)]));
      row.sort((a, b) => mean.get(a) - mean.get(b) || done.get(a) - done.get(b));
      ordered(row);
    }
  }
  const most = Math.max(0, ...items.map((item) => 2 * Math.abs(middle.get(item)) + item.size[1]));
  let along = 0;
  for (const row of filled) {
    const long = Math.max(...row.map(({ size }) => size[0]));
    for (const item of row) middle.set(item, [along + (long - item.size[0]) / 2, middle.get(item) + (most - item.size[1]) / 2]);
    along += long + gap;
  }
  return { size: [Math.max(0, along - gap), most], at: items.map((item) => middle.get(item)) };
}
// A card's title: beside others' samples with its own, and without boxes around it the whole label.
function titleOf(i) {
  if (unitOf[i]) return unitOf[i].title;
  const { title, label, sample } = nodes[i];
  const own = unitOf.length && label && label.length <= 40 ? label : title;
  return view.whole && sample ? `${own.split(" = ")[0]} ⟨${sample}⟩` : own;
}
const deltaOf = (i) => (unitOf[i] ? unitOf[i].sums.reduce((sum, each) => sum + graph.deltas[each], 0) : graph.deltas[i]);
// The number of a card: that of its node; of a folded unit those of its outputs, or their mean over samples, and δ of
// its weighted sum z.
function numbersOf(i, numbers, average) {
  const unit = unitOf[i];
  if (!unit) return show(numbers[i]);
  const all = unit[average ? "outputs" : "sums"].map((each) => numbers[each]);
  if (!unit.alike) return all.slice(0, 2).map(show).join(", ") + (all.length > 2 ? " …" : "");
  const total = all.reduce((sum, x) => sum + x, 0);
  return all.length > 1 ? `${average ? "⌀ " : ""}${show(average ? total / all.length : total)}` : show(total);
}

let now = 0;
let chosen = null; // the node clicked or focused; null to follow the steps
let timer = null;
let stop = 0; // the node that the Tab key reaches
let scale = 1; // the largest product on an edge
const quiet = matchMedia("(prefers-reduced-motion: reduce)");

// The graph as laid out by Graphviz: left to right or top down, whichever fills the window better.
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
function along(points, t) { // the place on a curve at a part of its way, and the direction across
  const pieces = (points.length - 1) / 3;
  const k = Math.min(pieces - 1, Math.floor(t * pieces));
  const [a, b, c, d] = points.slice(3 * k, 3 * k + 4);
  const [u, v] = [1 - (t * pieces - k), t * pieces - k];
  const at = [0, 1].map((i) => u ** 3 * a[i] + 3 * u * u * v * b[i] + 3 * u * v * v * c[i] + v ** 3 * d[i]);
  const [dx, dy] = [0, 1].map((i) => u * u * (b[i] - a[i]) + 2 * u * v * (c[i] - b[i]) + v * v * (d[i] - c[i]));
  const length = Math.hypot(dx, dy) || 1;
  return { at, across: [-dy / length, dx / length] };
}
function build(layout) {
  plan = layout;
  boxes = [];
  layout.boxes.forEach((box, at) => { boxes[visible[at]] = box; });
  layers = ["groups", "edges", "nodes", "labels"].map((name) => draw("g", { class: name }));
  for (const [x, y, width, height, label] of layout.groups) {
    layers[0].append(
      draw("g", { class: "group" },
        draw("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 12 }),
        draw("text", { x: x - width / 2 + 12, y: y - height / 2 + 17 }, label)),
    );
  }
  wires = [];
  layout.curves.forEach((placed, at) => {
    wires[at] = wired(placed);
  });
  ring = draw("rect", { class: "ring", rx: 14 });
  layers[2].append(ring);
  cards = [];
  for (const i of visible) {
    const [x, y, width] = boxes[i];
    const frame = { class: "frame", x: x - width / 2, y: y - HEIGHT / 2, width, height: HEIGHT, rx: nodes[i].kind === "input" ? 24 : 11 };
    const group = draw("g", { role: "button", tabindex: -1, "data-node": i }, ...(unitOf[i] ? [draw("rect", { ...frame, class: "frame under", x: frame.x + 5, y: frame.y + 5 })] : []), draw("rect", frame));
    cards[i] = { group, look: "", shown: false, full: false, detail: null };
  }
  svg.replaceChildren(...layers);
  svg.classList.toggle("dense", !few());
}
const few = () => links.length <= (unitOf.length ? 14 : data.labelled);
function wired(placed) {
    const group = draw("g", { class: "edge" });
    if (!placed || placed.points.length < 4) return { group };
    const { points, tail, head, label } = placed;
    const wire = draw("path");
    const tip = draw("polygon");
    group.append(wire, tip);
    const [xs, ys] = [0, 1].map((i) => points.map((p) => p[i]));
    return {
      group, wire, tip, shown: false, beside: label, points, dots: SAMPLED.map((t) => along(points, t).at),
      reach: [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)],
      forward: [`M${point(tail)}L${curve(points)}`, arrow(points[points.length - 1], head)],
      backward: [`M${curve(points)}L${point(head)}`, arrow(points[0], tail)],
    };
}
// The numbers beside a wire.
function labels(drawn) {
  if (drawn.told) return;
  [drawn.partial, drawn.product] = ["partial", "product"].map((name) => draw("text", { class: name }));
  drawn.told = draw("g", {}, drawn.partial, drawn.product);
  if (drawn.shown) layers[3].append(drawn.told);
}
// Room for the numbers beside these wires: where Graphviz left some, if nothing lies there, else the place along the
// wire, above, below or on it, that is farthest from other numbers, cards and wires.
const SAMPLED = Array.from({ length: 25 }, (_, k) => k / 24);
const half = ({ partial, product }) => // of the width and the height of the numbers
  [3.75 * Math.max(8, partial.textContent.length, product.textContent.length) + 2, product.textContent ? 16 : 9];
function* candidates({ beside, points }, room, tall) {
  if (beside) yield [...beside, 0];
  for (let t = 0.06; t < 0.95; t += 0.04) {
    const { at, across } = along(points, t);
    const off = Math.abs(across[0]) * (room + 2) + Math.abs(across[1]) * (tall + 4);
    for (const side of [-off, off, 0]) yield [at[0] + side * across[0], at[1] + side * across[1], 60 * Math.abs(t - 0.5) + (side ? 1 : 50)];
  }
}
function spread(told) {
  const fixed = visible.map((i) => [boxes[i][0], boxes[i][1], boxes[i][2] / 2, HEIGHT / 2]);
  for (const [x, y, wide, high, name] of plan.groups) fixed.push([x - wide / 2 + 12 + 3.6 * name.length, y - high / 2 + 13, 3.6 * name.length, 8]);
  const dots = wires.flatMap((drawn) => drawn.dots ?? []);
  const spots = new Map(told.map((drawn) => [drawn, drawn.beside && [...drawn.beside, ...half(drawn)]]));
  let crowded = true;
  for (let pass = 0; crowded && pass < 4; pass++) { // whoever found no room alone looks again when the others have theirs
    crowded = false;
    for (const drawn of told) {
      const [room, tall] = half(drawn);
      const taken = [...fixed, ...[...spots].filter(([each, spot]) => spot && each !== drawn).map(([, spot]) => spot)];
      let least = Infinity;
      for (const [x, y, far] of candidates(drawn, room, tall)) {
        let lying = 0;
        for (const [u, v, w, h] of taken) lying += Math.max(0, room + w - Math.abs(x - u)) * Math.max(0, tall + h - Math.abs(y - v));
        let cost = far + 9 * lying;
        for (const [u, v] of cost < least ? dots : []) if (Math.abs(x - u) < room && Math.abs(y - v) < tall) cost += 12;
        if (cost >= least) continue;
        least = cost;
        spots.set(drawn, [x, y, room, tall, lying > 0]);
        if (!cost) break;
      }
      crowded ||= spots.get(drawn)[4];
    }
  }
  for (const [{ partial, product }, [x, y, , tall]] of spots) {
    fill(partial, { x, y: tall > 9 ? y - 3 : y + 4 }, []);
    fill(product, { x, y: y + 11 }, []);
  }
}
function detailOf(node, i) {
  const [x, y, width] = boxes[i];
  const [left, top] = [x - width / 2, y - HEIGHT / 2];
  const centre = node.symbol ? x + 15 : x;
  const detail = [];
  if (node.symbol) {
    const long = node.symbol.length > 2;
    detail.push(
      draw("circle", { class: "badge", cx: left + 21, cy: y, r: 14 }),
      draw("text", { class: long ? "symbol long" : "symbol", x: left + 21, y: y + (long ? 3.5 : 5) }, node.symbol));
  } else {
    detail.push(draw("rect", { class: "stripe", x: x - 13, y: top - 1.5, width: 26, height: 4, rx: 2 }));
  }
  if (node.held !== null) { // its grad is a sum over several sweeps
    detail.push(
      draw("circle", { class: "held", cx: x + width / 2 - 4, cy: top + 4, r: 9 }),
      draw("text", { class: "held", x: x + width / 2 - 4, y: top + 8 }, "Σ"));
  }
  const heading = draw("text", { class: "title", x: centre, y: y - 13 }, titleOf(i));
  const most = width - (node.symbol ? 36 : 8);
  if (titleOf(i).length * 7.6 > most + 16) fill(heading, { textLength: most, lengthAdjust: "spacingAndGlyphs" }, []);
  const value = draw("text", { x: centre, y: y + 4 });
  const pill = draw("rect", { class: "pill", y: y + 10, height: 17, rx: 8.5 });
  const delta = draw("text", { class: "delta", x: centre, y: y + 22.5 });
  detail.push(heading, value, pill, delta);
  cards[i].renumber = () => {
    const room = width - (node.symbol ? 46 : 16);
    const number = graph.values[i];
    const updated = steps[now].phase === "update" && data.parameters.includes(i) && !unitOf[i];
    value.setAttribute("class", `value ${updated ? "updated " : ""}${Number.isFinite(number) ? "plain" : "alarm"}`);
    const told = updated ? `→ ${show(stepped(i))}` : numbersOf(i, graph.values, true);
    const back = `δ ${numbersOf(i, graph.deltas, false)}`;
    cards[i].updated = updated;
    const half = Math.min(back.length * 3.6 + 7, room / 2 + 6);
    pill.setAttribute("x", centre - half);
    pill.setAttribute("width", 2 * half);
    for (const [element, text, size] of [[value, told, 9], [delta, back, 7.2]]) {
      element.textContent = text;
      if (text.length * size > room + 12) fill(element, { textLength: room, lengthAdjust: "spacingAndGlyphs" }, []);
      else element.removeAttribute("textLength");
    }
  };
  cards[i].renumber();
  return detail;
}

// The view and its movements.
let camera = { x: 0, y: 0, scale: 1 }; // centre, and pixels per point
let flight = 0;
let follow = true;
let fitted = false; // whether the whole graph was asked for
const READABLE = 0.92; // pixels per point: no number is smaller than 11 pixels
const pane = () => ({ width: svg.clientWidth || 800, height: svg.clientHeight || 500 });
function look() {
  const { width, height } = pane();
  const [w, h] = [width / camera.scale, height / camera.scale];
  svg.setAttribute("viewBox", `${camera.x - w / 2} ${camera.y - h / 2} ${w} ${h}`);
  const far = camera.scale < 0.22; // too small to read
  // Nodes out of sight are removed, since laying them out costs time: a thousand are as quick as twenty.
  const [left, top, right, bottom] = [camera.x - w * 0.6, camera.y - h * 0.6, camera.x + w * 0.6, camera.y + h * 0.6];
  const show = (drawn, layer, wanted) => {
    if (wanted === drawn.shown) return;
    drawn.shown = wanted;
    if (wanted) layer.append(drawn.group);
    else drawn.group.remove();
    if (drawn.told && wanted) layers[3].append(drawn.told);
    else drawn.told?.remove();
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
  return Math.min((width - 24) / size[0], (height - 64) / size[1], 1.9); // leaves room for the buttons below
}
function whole() {
  const scale = fits(plan);
  return { x: plan.size[0] / 2, y: plan.size[1] / 2 + 18 / scale, scale };
}
function suited() {
  const [across, down] = plans.map(fits);
  return plans[down > 1.15 * across && down > 0.3 ? 1 : 0];
}
function fly(to) {
  cancelAnimationFrame(flight);
  const from = camera;
  const start = performance.now();
  if (quiet.matches) {
    camera = to;
    look();
    return;
  }
  const glide = (time) => {
    const t = Math.min(1, Math.max(0, (time - start) / 320));
    const e = 1 - (1 - t) ** 3;
    camera = { x: from.x + (to.x - from.x) * e, y: from.y + (to.y - from.y) * e, scale: from.scale + (to.scale - from.scale) * e };
    look();
    if (t < 1) flight = requestAnimationFrame(glide);
  };
  flight = requestAnimationFrame(glide);
}
function aim(node) {
  const all = whole();
  if (all.scale >= READABLE) return all;
  if (node === null) {
    return aim(now === 0 && valuesKnown ? steps[1].node : root);
  }
  const near = [node, ...involved(node)].map((i) => boxes[i]);
  const [left, right] = [Math.min(...near.map((b) => b[0] - b[2] / 2)), Math.max(...near.map((b) => b[0] + b[2] / 2))];
  const [top, bottom] = [Math.min(...near.map((b) => b[1] - HEIGHT / 2)), Math.max(...near.map((b) => b[1] + HEIGHT / 2))];
  const { width, height } = pane();
  const fit = Math.min((width - 40) / (right - left), (height - 40) / (bottom - top)) >= READABLE;
  const [x, y] = fit ? [(left + right) / 2, (top + bottom) / 2] : boxes[node];
  const inside = (at, size, room) => (size <= room ? size / 2 : Math.min(Math.max(at, room / 2 - 12), size - room / 2 + 12)); // no empty strip
  return { x: inside(x, plan.size[0], width / READABLE), y: inside(y, plan.size[1] + 60, height / READABLE), scale: READABLE };
}
function involved(node) {
  const { phase } = steps[now];
  return phase === "backward" ? linksOutOf[node].map(({ to }) => to) : linksInto[node].map(({ from }) => from);
}
function setFollow(on) {
  follow = on;
  $("follow").setAttribute("aria-pressed", String(on));
  if (on) fly(aim(steps[now].node ?? null));
}
function zoom(factor, at) {
  setFollow(false);
  fitted = false;
  cancelAnimationFrame(flight);
  const scale = Math.min(4, Math.max(0.02, camera.scale * factor));
  if (at) {
    const { width, height } = pane();
    const [dx, dy] = [at.x - width / 2, at.y - height / 2];
    camera = { x: camera.x + dx / camera.scale - dx / scale, y: camera.y + dy / camera.scale - dy / scale, scale };
  } else {
    camera = { ...camera, scale };
  }
  look();
}
