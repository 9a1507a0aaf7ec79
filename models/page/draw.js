// Drawing on canvases: maps of the inputs, curves, the links of the network.
const LIGHT = ["#0b5fa5", "#c2570c", "#2f8273", "#7d5bbe", "#8a6d00", "#b0418a", "#4f6272", "#5b8c2a", "#6b4f3a", "#0f8a8a"];
const DARK = ["#6fb2f2", "#f0954f", "#5fc0ae", "#b59cf0", "#d3b44a", "#e58cc6", "#a9bccb", "#9cca6a", "#c9a48a", "#5cc7c7"];
let CLASSES = LIGHT;
let paint; // colours of the scheme, as [r, g, b] and as text
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  paint = {};
  CLASSES = matchMedia("(prefers-color-scheme: dark)").matches ? DARK : LIGHT;
  for (const name of ["positive", "negative", "card", "page", "ink", "muted", "line", "accent", "zero"]) paint[name] = of(name);
  paint.rgb = { positive: rgb(paint.positive), negative: rgb(paint.negative), zero: rgb(paint.card) };
  paint.classes = CLASSES.map(rgb);
}
// The pixel of a number from −1 to 1: paper at 0, orange below, blue above.
function pixel(v, target, at) {
  const { positive, negative, zero } = paint.rgb;
  const end = v > 0 ? positive : negative;
  const part = v !== v ? 0 : 0.66 * Math.min(1, Math.abs(v));
  for (let c = 0; c < 3; c++) target[at + c] = zero[c] + (end[c] - zero[c]) * part;
  target[at + 3] = 255;
}
const toned = (v) => {
  const four = [0, 0, 0, 0];
  pixel(v, four, 0);
  return `rgb(${four.slice(0, 3).map(Math.round).join(" ")})`;
};
// A canvas made ready: as many pixels as the screen has, units of CSS pixels.
function ready(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}
const GRID = 44; // points of a map, each way
const tile = document.createElement("canvas");
[tile.width, tile.height] = [GRID, GRID];
const tilePen = tile.getContext("2d");
const image = tilePen.createImageData(GRID, GRID);
// Paint a map: `colour(i, pixels, at)` writes the pixel of the i-th point; row 0 is the lowest.
function paintMap(pen, width, height, colour) {
  for (let row = 0; row < GRID; row++) {
    for (let column = 0; column < GRID; column++) colour(row * GRID + column, image.data, 4 * ((GRID - 1 - row) * GRID + column));
  }
  tilePen.putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = true;
  pen.drawImage(tile, 0, 0, width, height);
}
// The line on a map along which `at(i)` is 0.
function contour(pen, width, height, at) {
  const place = (column, row) => [((column + 0.5) / GRID) * width, (1 - (row + 0.5) / GRID) * height];
  pen.beginPath();
  for (let row = 0; row < GRID - 1; row++) {
    for (let column = 0; column < GRID - 1; column++) {
      const corners = [[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1]];
      const values = corners.map(([c, r]) => at(r * GRID + c));
      if (values.every((v) => v > 0) || values.every((v) => v <= 0)) continue;
      const cuts = [];
      for (let e = 0; e < 4; e++) {
        const [a, b] = [values[e], values[(e + 1) % 4]];
        if (a > 0 === b > 0) continue;
        const t = a / (a - b);
        const [from, to] = [corners[e], corners[(e + 1) % 4]];
        cuts.push(place(from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])));
      }
      for (let k = 0; k + 1 < cuts.length; k += 2) {
        pen.moveTo(...cuts[k]);
        pen.lineTo(...cuts[k + 1]);
      }
    }
  }
  pen.strokeStyle = paint.ink;
  pen.lineWidth = 1.6;
  pen.stroke();
}
function dot(pen, x, y, fill, { hollow = false, chosen = false, radius = 4, rim = paint.card } = {}) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fillStyle = hollow ? paint.card : fill;
  pen.fill();
  pen.lineWidth = hollow ? 2 : 1.2;
  pen.strokeStyle = hollow ? fill : rim;
  pen.stroke();
  if (!chosen) return;
  pen.beginPath();
  pen.arc(x, y, radius + 3.5, 0, 7);
  pen.lineWidth = 2;
  pen.strokeStyle = paint.ink;
  pen.stroke();
}
function line(pen, points, colour, width = 2, dash = []) {
  pen.beginPath();
  points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.setLineDash(dash);
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
  pen.setLineDash([]);
}
const range = (numbers, margin = 0.12) => {
  let [low, high] = [Infinity, -Infinity];
  for (const x of numbers) if (Number.isFinite(x)) [low, high] = [Math.min(low, x), Math.max(high, x)];
  if (low > high) return [-1, 1];
  const room = (high - low || 1) * margin;
  return [low - room, high + room];
};
// A frame with the ends of its axes written beside it; returns the inner box and how to place a point. In a small one
// the name of the axis below stands under its ends.
function frame(pen, width, height, [x0, x1], [y0, y1], [nameX, nameY]) {
  pen.font = "12px system-ui, sans-serif";
  const wide = (text) => pen.measureText(text).width;
  const inside = width - 60;
  const ends = [x0, x1].map((x) => show(round3(x)));
  const under = 2 * Math.max(...ends.map(wide)) + wide(clip(nameX, 22)) + 12 > inside ? 15 : 0;
  const box = { left: 52, top: 8, width: inside, height: height - 34 - under };
  pen.strokeStyle = paint.line;
  pen.lineWidth = 1;
  pen.strokeRect(box.left, box.top, box.width, box.height);
  pen.fillStyle = paint.muted;
  const bottom = box.top + box.height;
  const fitted = (text, room) => { for (let most = 22; most > 1; most--) if (wide(clip(text, most)) <= room) return clip(text, most); return ""; };
  pen.textAlign = "left"; pen.fillText(ends[0], box.left, bottom + 17);
  pen.textAlign = "right"; pen.fillText(ends[1], box.left + box.width, bottom + 17);
  pen.textAlign = "center"; pen.fillText(fitted(nameX, box.width), box.left + box.width / 2, bottom + 17 + under);
  pen.textAlign = "right"; pen.fillText(show(round3(y1)), box.left - 5, box.top + 11);
  pen.fillText(show(round3(y0)), box.left - 5, bottom - 2);
  pen.save();
  pen.translate(box.left - 14, box.top + box.height / 2);
  pen.rotate(-Math.PI / 2);
  pen.textAlign = "center";
  pen.fillText(fitted(nameY, box.height - 28), 0, 0);
  pen.restore();
  box.place = (x, y) => [box.left + ((x - x0) / (x1 - x0)) * box.width, bottom - ((y - y0) / (y1 - y0)) * box.height];
  box.back = (px, py) => [x0 + ((px - box.left) / box.width) * (x1 - x0), y0 + ((bottom - py) / box.height) * (y1 - y0)];
  return box;
}
const round3 = (x) => Number(x.toPrecision(3));
const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

// The loss by epoch, training and test.
function drawCurve(canvas, train, test, logarithm) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const pen = ready(canvas, width, height);
  const all = [...sampled(train), ...sampled(test)].map(([, y]) => y).filter((y) => y > 0 || !logarithm);
  let [low, high] = [logarithm ? Math.min(...all) : 0, Math.max(...all, 1e-12)];
  if (!all.length) [low, high] = [0, 1];
  const scale = logarithm && all.length ? (y) => Math.log(Math.max(y, low)) : (y) => y;
  if (scale(high) === scale(low)) [low, high] = [logarithm ? low / 2 : low, high * 2];
  const box = { left: 52, top: 6, width: width - 58, height: height - 24 };
  const place = ([i, y]) => [
    box.left + (train.length > 1 ? (i / (train.length - 1)) * box.width : 0),
    box.top + box.height * (1 - (scale(y) - scale(low)) / (scale(high) - scale(low))),
  ];
  pen.strokeStyle = paint.line;
  line(pen, [[box.left, box.top], [box.left, box.top + box.height], [box.left + box.width, box.top + box.height]], paint.line, 1);
  pen.fillStyle = paint.muted;
  pen.font = "12px system-ui, sans-serif";
  pen.textAlign = "right";
  pen.fillText(show(round3(high)), box.left - 5, box.top + 10);
  pen.fillText(show(round3(low)), box.left - 5, box.top + box.height);
  if (train.length) pen.fillText(String(train.length), box.left + box.width, box.top + box.height + 15);
  line(pen, sampled(test).map(place), paint.muted, 2, [5, 4]);
  line(pen, sampled(train).map(place), paint.accent, 2);
  if (train.length === 1) dot(pen, ...place([0, train[0]]), paint.accent);
}
const MOST = 300; // points of a curve that are drawn
function sampled(curve) {
  if (curve.length <= MOST) return curve.map((y, i) => [i, y]);
  return Array.from({ length: MOST }, (_, p) => {
    const i = Math.round((p / (MOST - 1)) * (curve.length - 1));
    return [i, curve[i]];
  });
}
