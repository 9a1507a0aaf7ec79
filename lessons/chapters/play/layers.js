// Chapter 8: the network of two, two and one; forward, then δ back layer by layer, a step at a time.
// height: 680
title();
const view = plane(0, 10, 0, 6, { width: 420, height: 260 });
const W1 = [[1, -1], [0.5, 2]], B1 = [0, -1];
let at = 0;
const places = { x: [[0.9, 4.4], [0.9, 1.6]], h: [[4.9, 4.4], [4.9, 1.6]], o: [[8.6, 3]] };
const arrow = (p, q, value, lit) => view.line([p, q], lit ? (value < 0 ? "var(--orange)" : "var(--blue)") : "var(--line)", lit ? 1 + 40 * Math.min(0.12, Math.abs(value)) : 1.5);
const draw = () => {
  const { x1, x2, y, v1, v2 } = state, x = [x1, x2], v = [v1, v2];
  const a = W1.map((row, k) => sigma(row[0] * x1 + row[1] * x2 + B1[k])), out = sigma(v1 * a[0] + v2 * a[1]);
  const d2 = (out - y) * out * (1 - out), d1 = a.map((each, k) => v[k] * d2 * each * (1 - each));
  view.svg.replaceChildren();
  places.x.forEach((p, i) => places.h.forEach((q, k) => arrow(p, q, d1[k] * x[i], at >= 4)));
  places.h.forEach((p, k) => arrow(p, places.o[0], d2 * v[k], at >= 3));
  const node = ([px, py], name, value, delta, lit, back) => {
    view.dot(px, py, back ? (delta < 0 ? "var(--orange)" : "var(--blue)") : "var(--faint)", 20, true);
    view.text(px, py, name, { "text-anchor": "middle", dy: 5 });
    if (lit) view.text(px, py + 0.85, round(value, 3), { "text-anchor": "middle" });
    if (back) view.text(px, py - 1.05, `δ = ${round(delta, 4)}`, { "text-anchor": "middle" });
  };
  places.x.forEach((p, i) => node(p, `x${"₁₂"[i]}`, x[i], 0, true, false));
  places.h.forEach((p, k) => node(p, `a${"₁₂"[k]}`, a[k], d1[k], at >= 1, at >= 4));
  node(places.o[0], "a²", out, d2, at >= 2, at >= 3);
  const say5 = [W.s0, W.s1, W.s2, W.s3, W.s4, W.s5][at];
  const grads = d1.map((d) => x.map((each) => round(d * each, 4)).join(", ")).join(" | ");
  tell(say(say5, { a1: round(a[0], 3), a2: round(a[1], 3), out: round(out, 3), y: round(y, 0), d2: round(d2, 4), v1: round(v1, 1), v2: round(v2, 1), d11: round(d1[0], 4), d12: round(d1[1], 4), grads }), { d2, d11: d1[0], d12: d1[1] });
};
buttons([
  ["back", W.back, () => { at = Math.max(0, at - 1); draw(); }],
  ["next", W.next, () => { at = Math.min(5, at + 1); draw(); }],
]);
sliders([["x1", -1, 1, 0.1, 1], ["x2", -1, 1, 0.1, 0.5], ["y", 0, 1, 1, 1], ["v1", -3, 3, 0.1, 2], ["v2", -3, 3, 0.1, -1]], draw);
add(told);
draw();
