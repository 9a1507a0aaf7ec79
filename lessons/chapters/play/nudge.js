// Chapter 0: f(x) = x², a point and a nudge; the line through both points, and its slope.
// height: 540
title();
const view = plane(-4, 8, -10, 30, { labels: ["x", "x²"] });
const draw = () => {
  const { x, h } = state;
  const slope = h === 0 ? 2 * x : ((x + h) ** 2 - x ** 2) / h;
  view.clear();
  view.curve((t) => t * t, "var(--ink)");
  view.line([[-4, x * x + slope * (-4 - x)], [8, x * x + slope * (8 - x)]], h === 0 ? "var(--blue)" : "var(--orange)");
  view.dot(x + h, (x + h) ** 2, "var(--orange)");
  view.dot(x, x * x);
  tell(say(h === 0 ? W.touches : W.cuts, { x: round(x), h: round(h), slope: round(slope), up: round((x + h) ** 2 - x * x) }), { slope });
};
sliders([["x", -3, 4, 0.5, 3], ["h", -2, 2, 0.1, 1]], draw);
add(told);
draw();
