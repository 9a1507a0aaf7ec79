// Chapter 7: random perturbation and the chain rule on the cost Σ(wᵢ − 1)²/n, from 0, on one budget of evaluations.
// height: 560
title();
const BUDGET = 200;
const view = plane(0, BUDGET, 0, 1, { labels: [W.evaluations, "C"] });
let seed = 1;
const random = () => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return seed / 2 ** 32; };
const draw = () => {
  const n = state.n, blind = Array(n).fill(0), chain = Array(n).fill(0);
  const cost = (w) => w.reduce((sum, each) => sum + (each - 1) ** 2, 0) / n;
  let best = cost(blind);
  const one = [[0, best]], two = [[0, cost(chain)]];
  for (let k = 1; k <= BUDGET; k++) {
    const at = Math.floor(random() * n), change = (random() + random() + random() - 1.5) * 1.2, before = blind[at];
    blind[at] += change;
    const now = cost(blind);
    if (now < best) best = now; else blind[at] = before;
    one.push([k, best]);
  }
  // A backward pass gives all n derivatives, 2(wᵢ − 1)/n, and costs about two evaluations; α = n/10 takes a fifth off.
  for (let k = 2; k <= BUDGET; k += 2) {
    for (let i = 0; i < n; i++) chain[i] -= (n / 10) * ((2 * (chain[i] - 1)) / n);
    two.push([k, cost(chain)]);
  }
  view.clear();
  view.line(one, "var(--orange)");
  view.line(two, "var(--blue)");
  view.text(BUDGET * 0.97, Math.min(0.93, one.at(-1)[1] + 0.04), W.blind, { "text-anchor": "end", style: "fill: var(--orange)" });
  view.text(BUDGET * 0.2, 0.06, W.chain, { style: "fill: var(--blue)" });
  tell(say(W.state, { n, blind: round(one.at(-1)[1], 3), chain: round(two.at(-1)[1], 3) }), { blind: one.at(-1)[1], chain: two.at(-1)[1], after: two[5][1] });
};
sliders([["n", 1, 200, 1, 20]], draw);
buttons([["again", W.again, draw]]);
add(told);
draw();
