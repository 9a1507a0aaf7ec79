// Chapter 2: the line under two sliders, the squares of its residuals, their mean and the gradient; a button for one step.
// height: 720
title();
const rides = [[1, 3], [2, 5], [3, 7], [4, 9]];
const view = plane(0, 16, 0, 16, { width: 380, height: 380, labels: [W.km, "pesos"] });
const of = (w, b) => {
  let cost = 0, byW = 0, byB = 0;
  for (const [x, y] of rides) {
    const e = y - (w * x + b);
    cost += (e * e) / 4;
    byW += (-2 * e * x) / 4;
    byB += (-2 * e) / 4;
  }
  return { cost, byW, byB };
};
const draw = () => {
  const { w, b } = state;
  const { cost, byW, byB } = of(w, b);
  view.clear();
  for (const [x, y] of rides) {
    const e = y - (w * x + b);
    view.area([[x, y], [x + Math.abs(e), y], [x + Math.abs(e), y - e], [x, y - e]], "var(--blue)");
    view.line([[x, y], [x, y - e]], "var(--blue)");
  }
  view.line([[0, b], [16, 16 * w + b]], "var(--orange)");
  for (const [x, y] of rides) view.dot(x, y, "var(--ink)", 4);
  tell(say(W.state, { cost: round(cost, 3), byW: round(byW), byB: round(byB) }), { cost, byW, byB });
};
sliders([["w", -1, 4, 0.01, 1], ["b", -4, 6, 0.01, 1]], draw);
buttons([
  ["step", W.step, () => { const { byW, byB } = of(state.w, state.b); state.move({ w: state.w - 0.02 * byW, b: state.b - 0.02 * byB }); }],
  ["lazy", W.lazy, () => state.move({ w: 0, b: 0 })],
]);
add(told);
draw();
