// Chapter 7: one sigmoid neuron; the three factors of ∂C/∂w and their product under sliders.
// height: 500
title();
const view = plane(0, 6, -1, 1, { width: 420, height: 150 });
const draw = () => {
  const { x, w, b, y } = state, z = w * x + b, a = sigma(z), first = a - y, second = a * (1 - a);
  const product = first * second * x, C = (y - a) ** 2 / 2;
  view.svg.replaceChildren();
  [["w", w], ["z", z], ["a", a], ["C", C]].forEach(([name, value], k) => {
    view.dot(0.3 + 1.8 * k, 0, "var(--blue)", 19, true);
    view.text(0.3 + 1.8 * k, 0, name, { "text-anchor": "middle", dy: 5 });
    view.text(0.3 + 1.8 * k, 0.62, round(value, 4), { "text-anchor": "middle" });
    if (k) {
      const factor = [x, second, first][k - 1];
      view.line([[1.8 * k - 1.1, 0], [1.8 * k - 0.1, 0]], factor < 0 ? "var(--orange)" : "var(--blue)", 1 + 6 * Math.min(1, Math.abs(factor)));
      view.text(1.8 * k - 0.6, 0.22, `· ${round(factor, 4)}`, { "text-anchor": "middle" });
    }
  });
  view.text(3, -0.75, `∂C/∂w = ${round(first, 4)} · ${round(second, 4)} · ${round(x)} = ${round(product, 4)}`, { "text-anchor": "middle" });
  const small = Math.abs(product) < 0.005;
  tell(say(small ? (Math.abs(x) < 1e-9 ? W.silent : second < 0.02 ? W.saturated : W.right) : product < 0 ? W.up : W.down, {}), { product, delta: first * second });
};
sliders([["x", -3, 3, 0.5, 2], ["w", -5, 5, 0.1, -3], ["b", -8, 8, 0.1, 6.5], ["y", 0, 1, 1, 1]], draw);
add(told);
draw();
