// Chapter 1: twelve steps of gradient descent on (w − 3)², with the rate and the start under sliders.
// height: 560
title();
const view = plane(-4, 12, -10, 50, { labels: ["w", "C"] });
const draw = () => {
  const { alpha, start } = state;
  const path = [start];
  for (let k = 0; k < 12; k++) path.push(path[k] - alpha * 2 * (path[k] - 3));
  view.clear();
  view.curve((w) => (w - 3) ** 2, "var(--ink)");
  for (let k = 0; k < 12; k++) {
    const [w, v] = [path[k], path[k + 1]];
    const down = (v - 3) ** 2 <= (w - 3) ** 2 + 1e-12;
    view.line([[w, (w - 3) ** 2], [v, (v - 3) ** 2]], down ? "var(--blue)" : "var(--orange)", 1.5);
  }
  path.forEach((w, k) => view.dot(w, (w - 3) ** 2, "var(--blue)", k ? 3 : 6, k === 0));
  const factor = 1 - 2 * alpha;
  const size = Math.abs(factor);
  const kind = size < 1e-9 ? W.jump : size > 1 + 1e-9 ? W.diverges : size > 1 - 1e-9 ? W.border : factor < 0 ? W.bounces : size > 0.9 ? W.crawls : W.arrives;
  tell(say(W.state, { end: round(path[12], 3), factor: round(factor), kind }), { end: path[12] });
};
sliders([["alpha", 0.01, 1.2, 0.01, 0.1], ["start", -3, 9, 0.5, 0]], draw);
add(told);
draw();
