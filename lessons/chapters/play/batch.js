// Chapter 10: forty points about y = 2x + 1; the same number of examples read, in batches of any size.
// height: 620
title();
const POINTS = 40, READ = 800;
let seed = 7;
const random = () => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return seed / 2 ** 32; };
const data = Array.from({ length: POINTS }, (_, k) => {
  const x = -1 + (2 * (k + 0.5)) / POINTS;
  return [x, 2 * x + 1 + (random() + random() + random() - 1.5) * 0.6];
});
const cost = (w, b) => data.reduce((sum, [x, y]) => sum + (y - w * x - b) ** 2, 0) / POINTS;
const view = plane(0, READ, -2, 1, { labels: [W.read, W.cost] });
const draw = () => {
  const { size, alpha } = state;
  let w = 0, b = 0, order = [], steps = 0, told = 0;
  const path = [[0, Math.log10(cost(w, b))]];
  for (let read = size; read <= READ; read += size) {
    let byW = 0, byB = 0;
    for (let k = 0; k < size; k++) {
      if (!order.length) for (order = data.map((each) => each), told = POINTS; told > 1; told--) {
        const other = Math.floor(random() * told);
        [order[told - 1], order[other]] = [order[other], order[told - 1]];
      }
      const [x, y] = order.pop(), r = y - w * x - b;
      byW -= (2 * r * x) / size;
      byB -= (2 * r) / size;
    }
    w -= alpha * byW;
    b -= alpha * byB;
    steps++;
    path.push([read, Math.max(-2, Math.min(1, Math.log10(cost(w, b))))]);
  }
  view.clear();
  view.line(path, "var(--blue)", 1.5);
  tell(say(W.state, { size, steps, end: round(cost(w, b), 4) }), { steps, w, b, end: cost(w, b), x: data.map(([x]) => x).join(" "), y: data.map(([, y]) => y).join(" ") });
};
sliders([["size", 1, POINTS, 1, POINTS], ["alpha", 0.01, 0.4, 0.01, 0.1]], draw);
buttons([["again", W.again, draw]]);
add(told);
draw();
