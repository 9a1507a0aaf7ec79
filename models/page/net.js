// The picture of the network: nodes are buttons with a canvas each, links a canvas below, hit paths between.
function layout() {
  const pane = $("net");
  const width = pane.clientWidth;
  if (!width) return;
  const narrow = width < 560;
  const most = narrow ? NARROW : SHOWN;
  const counts = hidden.sizes.map((size) => Math.min(size, most));
  const tallest = Math.max(...counts);
  const gap = Math.max(narrow ? 46 : 50, Math.min(narrow ? 62 : 104, 560 / tallest));
  const size = Math.max(24, Math.min(narrow ? 42 : 66, gap - 18, width / columns() - 22));
  const top = 52;
  const height = top + tallest * gap + 10;
  pane.style.height = `${height}px`;
  cells = hidden.sizes.map((total, c) => Array.from({ length: counts[c] }, (_, j) => ({
    c, j, size, x: size / 2 + 4 + (c * (width - size - 8)) / (columns() - 1),
    y: top + (tallest * gap) / 2 + (j - (counts[c] - 1) / 2) * gap - 8,
  })));
  const nodes = [];
  for (const cell of cells.flat()) {
    const { c, j, x, y } = cell;
    cell.canvas = make("canvas", {});
    cell.label = make("span", { dir: "auto" });
    cell.button = make("button", { type: "button", class: `node${c === 0 ? " in" : c === columns() - 1 ? " out" : ""}`, "data-at": `${c},${j}`, tabindex: "-1" }, cell.canvas, cell.label);
    Object.assign(cell.button.style, { left: `${x - size / 2}px`, top: `${y - size / 2}px`, width: `${size}px`, height: `${size}px` });
    nodes.push(cell.button);
  }
  nodes[0].tabIndex = 0;
  $("nodes").replaceChildren(...nodes);
  hidden.sizes.forEach((total, c) => {
    if (total > counts[c]) {
      const rest = make("span", { class: "rest" }, say("more", { n: total - counts[c] }));
      Object.assign(rest.style, { left: `${Math.min(width - 34, Math.max(34, cells[c][0].x))}px`, top: `${height - 12}px` });
      $("nodes").append(rest);
    }
  });
  heads();
  const svg = $("hits");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const paths = [];
  for (let c = 1; c < columns(); c++) {
    for (const to of cells[c]) {
      for (const from of cells[c - 1]) {
        const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        const [start, ...rest] = bow(from, to);
        path.setAttribute("d", `M${start.join(" ")}C${rest.map((each) => each.join(" ")).join(" ")}`);
        path.dataset.weight = `${c - 1},${to.j},${from.j}`;
        paths.push(path);
      }
    }
  }
  svg.replaceChildren(...paths);
}
function heads() {
  const width = $("net").clientWidth;
  $("heads").replaceChildren(...hidden.sizes.map((size, c) => {
    const end = c === 0 ? " first" : c === columns() - 1 ? " last" : "";
    const head = make("div", { class: `head${end}` }, make("b", {}, c === 0 ? say("inputs") : end ? say("outputs") : say("hidden", { layer: c })));
    if (!end) {
      const [less, more] = [make("button", { type: "button", "aria-label": say("fewerNeurons", { layer: c }) }, "−"), make("button", { type: "button", "aria-label": say("moreNeurons", { layer: c }) }, "+")];
      less.disabled = size < 2;
      more.disabled = size >= 64;
      less.addEventListener("click", () => neurons(c, -1));
      more.addEventListener("click", () => neurons(c, 1));
      head.append(make("span", { class: "stepper" }, less, make("output", {}, String(size)), more));
    } else head.append(make("span", {}, String(size)));
    head.style.left = `${c === 0 ? 0 : end ? width : cells[c][0].x}px`;
    return head;
  }));
}
function neurons(c, more) {
  const sizes = hidden.sizes.map((size, at) => size + (at === c ? more : 0));
  reshape(sizes, hidden.activations);
  $("heads").children[c].querySelectorAll("button")[more > 0 ? 1 : 0].focus();
}
// The course of a link: four control points.
function bow(from, to) {
  const [x0, x1] = [from.x + from.size / 2, to.x - to.size / 2];
  const bend = (x1 - x0) * 0.45;
  return [[x0, from.y], [x0 + bend, from.y], [x1 - bend, to.y], [x1, to.y]];
}
function drawLinks() {
  const pane = $("net");
  const pen = ready($("links"), pane.clientWidth, pane.clientHeight);
  const { parameters } = training.network;
  const each = [];
  let [heaviest, steepest] = [1e-12, 0];
  for (let c = 1; c < columns(); c++) {
    for (const to of cells[c]) {
      for (const from of cells[c - 1]) {
        const at = training.network.at(c - 1, to.j, from.j);
        const [w, g] = [parameters[at], looked.gradient[at]];
        each.push({ from, to, w, g });
        heaviest = Math.max(heaviest, Math.abs(w));
        if (Number.isFinite(g)) steepest = Math.max(steepest, Math.abs(g));
      }
    }
  }
  const scale = Math.max(heaviest, 1);
  for (const { from, to, w } of each) {
    const [start, ...rest] = bow(from, to);
    pen.beginPath();
    pen.moveTo(...start);
    pen.bezierCurveTo(...rest.flat());
    pen.strokeStyle = w > 0 ? paint.positive : w < 0 ? paint.negative : paint.line;
    pen.globalAlpha = 0.25 + 0.6 * Math.min(1, Math.abs(w) / scale);
    pen.lineWidth = 0.7 + 5 * (Math.abs(w) / scale);
    pen.stroke();
  }
  pen.globalAlpha = 1;
  if (!$("arrows").checked || !steepest) return;
  const least = each.map(({ g }) => Math.abs(g)).sort((a, b) => b - a)[ARROWS] ?? 0;
  for (const { from, to, g } of each) { // δ·a goes back: an arrowhead on the link, in the hue of its sign
    const share = Math.abs(g) / steepest;
    if (!(share > 0.04) || Math.abs(g) <= least) continue;
    const [a, b, c, d] = bow(from, to);
    const t = 0.62 - 0.34 * ((from.j + 0.5) / cells[from.c].length);
    const u = 1 - t;
    const mix = (k) => u * u * u * a[k] + 3 * u * u * t * b[k] + 3 * u * t * t * c[k] + t * t * t * d[k];
    const slope = (k) => u * u * (b[k] - a[k]) + 2 * u * t * (c[k] - b[k]) + t * t * (d[k] - c[k]);
    const size = 3.5 + 5 * Math.sqrt(share);
    pen.save();
    pen.translate(mix(0), mix(1));
    pen.rotate(Math.atan2(slope(1), slope(0)));
    pen.beginPath();
    pen.moveTo(-size, 0);
    pen.lineTo(size * 0.7, -size * 0.75);
    pen.lineTo(size * 0.7, size * 0.75);
    pen.closePath();
    pen.fillStyle = g > 0 ? paint.positive : paint.negative;
    pen.strokeStyle = paint.card;
    pen.lineWidth = 1.5;
    pen.stroke();
    pen.fill();
    pen.restore();
  }
}
// What a neuron says at every point of the view.
const column = (c, j) => (c === 0 ? (i) => rowsX[i * inputs() + j] : ((m, a) => (i) => a[i * m + j])(hidden.sizes[c], view.a[c - 1]));
function sizeOf(c, j) {
  if (c === columns() - 1) return null;
  const at = column(c, j);
  let most = 1e-12;
  for (let i = 0; i < rowsX.length / inputs(); i++) most = Math.max(most, Math.abs(at(i)) || 0);
  return most;
}
function drawNode({ c, j, canvas, size }) {
  const inner = size - 4;
  const pen = ready(canvas, inner, inner);
  const at = column(c, j);
  const most = sizeOf(c, j);
  const told = most === null ? (i) => sided(at(i)) : (i) => at(i) / most;
  const rows = rowsX.length / inputs();
  if (modes === "map") paintMap(pen, inner, inner, (i, pixels, place) => pixel(told(i), pixels, place));
  else if (modes === "strip") {
    for (let i = 0; i < rows; i++) {
      pen.fillStyle = toned(told(i));
      pen.fillRect((i / rows) * inner, 0, inner / rows + 0.5, inner);
    }
  } else {
    const [low, high] = range(Array.from({ length: rows }, (_, i) => at(i)), 0.15);
    line(pen, Array.from({ length: rows }, (_, i) => [(i / (rows - 1)) * inner, inner * (1 - (at(i) - low) / (high - low))]), c === 0 ? paint.muted : paint.accent, 1.8);
  }
}
function drawNodes() {
  for (const cell of cells.flat()) {
    const { c, j, button, label } = cell;
    drawNode(cell);
    const dead = c > 0 && looked.dead[c - 1][j];
    button.classList.toggle("dead", dead);
    button.classList.toggle("selected", selected?.kind === "neuron" && selected.c === c && selected.j === j);
    const text = dead ? say("dead") : nameOf(c, j);
    if (label.textContent !== text) label.textContent = text;
    const name = called(c, j) + (dead ? `, ${say("dead")}` : "");
    if (button.getAttribute("aria-label") !== name) button.setAttribute("aria-label", name);
  }
}
