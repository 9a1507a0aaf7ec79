// Chapter 4: the neuron's line under sliders for w1, w2 and b, with the corners of five plans.
// height: 760
title();
const PLANS = { epic: [0, 0, 0, 1], or: [0, 1, 1, 1], nand: [1, 1, 1, 0], xor: [0, 1, 1, 0] };
const nights = [[0, 0], [1, 0], [0, 1], [1, 1]];
let plan = "epic";
const view = plane(-0.5, 1.5, -0.5, 1.5, { width: 380, height: 380, labels: ["X₁", "X₂"] });
// The two points where the line leaves the square, or none.
const cut = (w1, w2, b) => {
  const square = [[-0.5, -0.5], [1.5, -0.5], [1.5, 1.5], [-0.5, 1.5]], sum = ([x, y]) => w1 * x + w2 * y + b;
  return square.flatMap((p, k) => {
    const q = square[(k + 1) % 4], a = sum(p), c = sum(q);
    return a > 0 === c > 0 ? [] : [[p[0] + (a / (a - c)) * (q[0] - p[0]), p[1] + (a / (a - c)) * (q[1] - p[1])]];
  });
};
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
  const ends = cut(w1, w2, b);
  if (ends.length === 2) {
    view.line(ends, "var(--ink)").id = "line";
    const [x, y] = [(ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2], [ux, uy] = [w1 / size, w2 / size];
    const inside = (t) => Math.max(Math.abs(x + t * ux - 0.5), Math.abs(y + t * uy - 0.5)) <= 1;
    const long = [0.25, 0.12, 0].find(inside), back = long - 0.1;
    if (long) {
      view.line([[x, y], [x + back * ux, y + back * uy]], "var(--blue)", 4);
      view.area([[x + long * ux, y + long * uy], [x + back * ux - 0.05 * uy, y + back * uy + 0.05 * ux],
        [x + back * ux + 0.05 * uy, y + back * uy - 0.05 * ux]], "var(--blue)", 1).id = "head";
    }
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
