// Chapter 4: the neuron's line under sliders for w1, w2 and b, with the corners of five plans.
// height: 760
title();
const PLANS = { epic: [0, 0, 0, 1], or: [0, 1, 1, 1], nand: [1, 1, 1, 0], xor: [0, 1, 1, 0] };
const nights = [[0, 0], [1, 0], [0, 1], [1, 1]];
let plan = "epic";
const view = plane(-0.5, 1.5, -0.5, 1.5, { width: 380, height: 380, labels: ["X₁", "X₂"] });
// The part of the square where the sum is positive, cut by the line.
const yes = (w1, w2, b) => {
  const square = [[-0.5, -0.5], [1.5, -0.5], [1.5, 1.5], [-0.5, 1.5]], sum = ([x, y]) => w1 * x + w2 * y + b, kept = [];
  square.forEach((p, k) => {
    const q = square[(k + 1) % 4], a = sum(p), c = sum(q);
    if (a > 0) kept.push(p);
    if (a > 0 !== c > 0) kept.push([p[0] + (a / (a - c)) * (q[0] - p[0]), p[1] + (a / (a - c)) * (q[1] - p[1])]);
  });
  return kept;
};
const draw = () => {
  const { w1, w2, b } = state;
  view.clear();
  view.area(yes(w1, w2, b), "var(--blue)", 0.22);
  const size = Math.hypot(w1, w2);
  if (size > 0) {
    const [x, y] = [(-b * w1) / size ** 2, (-b * w2) / size ** 2], [ux, uy] = [w1 / size, w2 / size];
    view.line([[x - 4 * uy, y + 4 * ux], [x + 4 * uy, y - 4 * ux]], "var(--ink)");
    view.line([[x, y], [x + 0.25 * ux, y + 0.25 * uy]], "var(--blue)", 4);
  }
  let right = 0, answers = "";
  nights.forEach(([x, y], k) => {
    const answer = w1 * x + w2 * y + b > 1e-9 ? 1 : 0, aim = PLANS[plan][k];
    right += answer === aim;
    answers += answer;
    view.dot(x, y, aim ? "var(--blue)" : "var(--orange)", 10);
    view.text(x, y, answer === aim ? "✓" : "✗", { "text-anchor": "middle", dy: 5, style: "fill: var(--paper)" });
  });
  tell(say(right === 4 ? W.done : plan === "xor" ? W.never : W.state, { right }), { right, answers });
};
buttons(Object.keys(PLANS).map((each) => [each, W[each], () => { plan = each; draw(); }]), true);
sliders([["w1", -6, 6, 0.5, 1], ["w2", -6, 6, 0.5, 1], ["b", -8, 8, 0.5, 0]], draw);
add(told);
draw();
