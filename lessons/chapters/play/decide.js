// Chapter 3: w1, w2 and b under sliders, the four cases in a table, and five plans to meet.
// height: 560
title();
const PLANS = { epic: [0, 0, 0, 1], or: [0, 1, 1, 1], nand: [1, 1, 1, 0], xor: [0, 1, 1, 0] };
const nights = [[0, 0], [1, 0], [0, 1], [1, 1]];
let plan = "epic";
const table = make("table");
const draw = () => {
  const { w1, w2, b } = state;
  const rows = nights.map(([x, y], k) => {
    const z = w1 * x + w2 * y + b, answer = z > 1e-9 ? 1 : 0, aim = PLANS[plan][k];
    return { x, y, z, answer, aim };
  });
  table.replaceChildren(
    make("tr", {}, ...["X₁", "X₂", "z", W.answer, W.aim, ""].map((each) => make("th", {}, each))),
    ...rows.map(({ x, y, z, answer, aim }) => make("tr", { class: answer === aim ? "yes" : "no" },
      ...[x, y, round(z, 1), answer, aim, answer === aim ? "✓" : "✗"].map((each) => make("td", {}, String(each))))),
  );
  const right = rows.filter((row) => row.answer === row.aim).length;
  tell(say(right === 4 ? W.done : plan === "xor" ? W.never : W.state, { right }), { right, answers: rows.map((row) => row.answer).join("") });
};
buttons(Object.keys(PLANS).map((each) => [each, W[each], () => { plan = each; draw(); }]), true);
sliders([["w1", -6, 6, 0.5, 1], ["w2", -6, 6, 0.5, 1], ["b", -8, 8, 0.5, 0]], draw);
add(table, told);
draw();
